"""What SimBench grids curtail for voltage, by season, and what moves it: limits, reactive power, more PV.

One day in the middle of each month (or every day with --every-day), quarter-hourly, with the grid's own loads
and profiles, within its own voltage band. Prints a table per grid and a last line of JSON; with --figure it
also draws the monthly curtailment and the marginal curtailment of the buses.

    python benchmarks/voltage_curtailment.py [--grids CODE ...] [--every-day] [--figure FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import Grid, dispatch_ac, load_grid

CLOCK = "Etc/GMT-1"
"""SimBench's profiles are in constant UTC+1."""
BANDS = {"1-MV-rural--0-no_sw": (0.965, 1.055), "1-HV-mixed--0-no_sw": (0.9, 1.1)}
"""Voltage band that SimBench gives for the buses of each grid. [pu]"""
CAUSES = ("voltage", "congestion", "oversupply")
LEAST_MW = 1e-3


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    label: str
    raise_by_pu: float = 0.0
    unit_tan_phi: float = 0.0
    unit_q_range: float = 0.0
    pv: float = 1.0
    wind: float = 1.0


SETTINGS = (
    Setting("as shipped"),
    Setting("power factor 0.95 underexcited", unit_tan_phi=-0.329),
    Setting("reactive power free within 0.95", unit_q_range=0.329),
    Setting("upper limit 0.01 pu lower", raise_by_pu=-0.01),
    Setting("PV x 2", pv=2.0),
    Setting("wind x 2", wind=2.0),
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", nargs="+", default=list(BANDS), choices=list(BANDS))
    parser.add_argument("--every-day", action="store_true", help="all days of the first setting, not 12")
    parser.add_argument("--figure", help="file to draw the first setting of each grid into")
    options = parser.parse_args()
    result, drawn = {}, {}
    for code in options.grids:
        grid, rows = load_grid("simbench", code=code), {}
        for setting in SETTINGS:
            every_day = options.every_day and setting is SETTINGS[0]
            began = time.perf_counter()
            solved, available_mwh = solve(grid, setting, BANDS[code], every_day=every_day)
            rows[setting.label] = {**summary(solved, available_mwh), "s": time.perf_counter() - began}
            drawn.setdefault(code, (grid, solved))
        print(f"\n{code}\n{pd.DataFrame.from_dict(rows, orient='index').round(3).to_string()}")
        seasons = monthly(drawn[code][1])
        print(f"\nby month, as shipped [MWh]\n{seasons.round(2).to_string()}")
        result[code] = {"settings": rows, "months": seasons.to_dict(orient="list")}
    if options.figure:
        draw(drawn, options.figure)
    print(json.dumps(result))


def stamps(*, every_day: bool) -> list[pd.DatetimeIndex]:
    """Days of 2016, one run each."""
    days = pd.date_range("2016-01-01", "2016-12-31", freq="D")
    chosen = days if every_day else days[days.day == 15]
    return [pd.date_range(day, periods=96, freq="15min", tz=CLOCK) for day in chosen]


def solve(
    grid: Grid, setting: Setting, band: tuple[float, float], *, every_day: bool
) -> tuple[xr.Dataset, float]:
    """Dispatch the days of a setting; also what was available to units that count. [MWh]"""
    scale = grid.units["technology"].map({"pv": setting.pv, "wind": setting.wind}).fillna(1.0)
    factor = xr.DataArray(scale.to_numpy(), coords={"unit": grid.units.index.to_numpy(object)}, dims="unit")
    days = stamps(every_day=every_day)
    # SimBench's smoothed profiles fall to a few hundred watts below zero: nothing, here.
    available = xr.concat([grid.recorded(day) for day in days], "time").clip(min=0.0) * factor
    load = xr.concat([grid.load(day) for day in days], "time").rename("load_p_mw")
    solved = dispatch_ac(
        grid,
        available.to_dataset(name="available_p_mw"),
        load=load,
        vm_min_pu=band[0],
        vm_max_pu=band[1] + setting.raise_by_pu,
        unit_tan_phi=setting.unit_tan_phi,
        unit_q_range=setting.unit_q_range,
    )
    counted = grid.units["counts_as_curtailment"].to_numpy()
    return solved, float(available.isel(unit=np.flatnonzero(counted)).sum()) / 4.0


def summary(solved: xr.Dataset, available_mwh: float) -> dict[str, float]:
    """The numbers of a row."""
    total = solved["curtailed_p_mw"].sum("unit")
    curtailing = (total > LEAST_MW).to_numpy()
    row = {"curtailed %": 100.0 * float(total.sum()) / 4.0 / available_mwh}
    for cause in CAUSES:
        row[f"{cause} MWh"] = float(solved[f"curtailed_{cause}_p_mw"].sum()) / 4.0
    free = np.isfinite(solved["vm_max_pu"].to_numpy())
    helps = solved["marginal_curtailment"].to_numpy()[curtailing][:, free]
    row["steps %"] = 100.0 * float(curtailing.mean())
    row["buses that help"] = float((helps > 0.5).sum(axis=1).mean()) if len(helps) else 0.0
    row["largest vm pu"] = float(solved["vm_pu"].to_numpy()[:, free].max())
    row["largest loading %"] = float(solved["loading_percent"].max())
    row["programmes"] = float(solved["iterations"].to_numpy()[curtailing].mean()) if curtailing.any() else 0.0
    row["not converged"] = float((~solved["converged"].to_numpy()).sum())
    return row


def monthly(solved: xr.Dataset) -> pd.DataFrame:
    """Curtailed energy of the days of each month by cause. [MWh]"""
    month = (solved["time"] + np.timedelta64(1, "h")).dt.month
    parts = {
        cause: solved[f"curtailed_{cause}_p_mw"].sum("unit").groupby(month).sum() / 4.0 for cause in CAUSES
    }
    return pd.DataFrame({cause: part.to_pandas() for cause, part in parts.items()})


def draw(drawn: dict[str, tuple[Grid, xr.Dataset]], path: str) -> None:
    """Monthly curtailment by cause, and where a load relieves it."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(drawn), 2, figsize=(10, 4 * len(drawn)), squeeze=False)
    for (code, (grid, solved)), (left, right) in zip(drawn.items(), axes, strict=True):
        table, bottom = monthly(solved), 0.0
        for cause, colour in zip(CAUSES, ("#c1440e", "#33658a", "#999999"), strict=True):
            left.bar(table.index, table[cause], bottom=bottom, label=cause, color=colour)
            bottom = bottom + table[cause]
        left.set(title=code, xlabel="month of 2016", ylabel="curtailed on these days / MWh")
        left.legend(frameon=False)
        curtailing = (solved["curtailed_p_mw"].sum("unit") > LEAST_MW).to_numpy()
        mean = solved["marginal_curtailment"].to_numpy()[curtailing].mean(axis=0)
        buses = grid.buses
        for start, end in zip(grid.lines["from_bus"], grid.lines["to_bus"], strict=True):
            ends = buses.loc[[start, end]]
            right.plot(ends["longitude"], ends["latitude"], color="#bbbbbb", lw=0.8, zorder=1)
        dots = right.scatter(
            buses["longitude"], buses["latitude"], c=mean, cmap="RdYlGn", vmin=-1, vmax=1, s=28, zorder=2
        )
        right.set(title="MW less curtailed per MW of load", xlabel="longitude / °", ylabel="latitude / °")
        figure.colorbar(dots, ax=right)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
