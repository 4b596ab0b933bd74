"""How much RTS-GMLC curtails, why, and at how many buses a load helps: what each modelling choice moves.

Starts from the setting of an earlier prototype (no HVDC link, rooftop PV and hydro counted and held back like
wind and utility PV, no solar-thermal plant, least cost, every sixth hour) and changes one choice at a time
until it arrives at the project's own. Prints a table per setting and a last line of JSON.

    python benchmarks/rts_gmlc_curtailment.py [--every 6]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import Grid, Objective, dispatch, load_grid

START, HOURS = "2020-01-01T08:00Z", 8784
HELPS = 0.5
DIFFER = 0.2
LEAST_MW = 1e-3


@dataclass(frozen=True)
class Setting:
    """One row of the prototype's table: what is scaled and what must run."""

    label: str
    must_run: tuple[str, ...] = ("nuclear",)
    wind_scale: float = 1.0
    pv_scale: float = 1.0
    rating: float = 1.0


@dataclass(frozen=True)
class Choice:
    """One way to model the same grid."""

    label: str
    hvdc: bool = True
    hydro_counts: bool = False
    rooftop_is_held_back: bool = False
    csp: bool = True
    objective: Objective = "market"
    every: int | None = None


SETTINGS = (
    Setting("as shipped, nuclear"),
    Setting("as shipped, nuclear + coal", must_run=("nuclear", "coal")),
    Setting("wind x 2, nuclear", wind_scale=2.0),
    Setting("wind x 2, PV x 2, ratings x 0.7", wind_scale=2.0, pv_scale=2.0, rating=0.7),
)
CHOICES = (
    Choice("prototype: no link, rooftop held back", False, True, True, False),
    Choice("+ HVDC link", True, True, True, False),
    Choice("+ rooftop PV must be taken", True, True, False, False),
    Choice("  the same, every hour", True, True, False, False, every=1),
    Choice("+ hydro spill reported apart", True, False, False, False),
    Choice("+ solar-thermal plant", True, False, False, True),
    Choice("+ every hour", True, False, False, True, every=1),
    Choice("+ priority objective (ours)", True, False, False, True, "priority", every=1),
)
FACTS = {
    "as shipped, nuclear": (4.3, 57, 62, 0.98, 0.17, -6.1, 1.3),
    "as shipped, nuclear + coal": (10.2, 91, 10, 0.99, 0.68, -6.1, 1.3),
    "wind x 2, nuclear": (21.5, 65, 79, 0.81, 0.12, -0.8, 1.4),
    "wind x 2, PV x 2, ratings x 0.7": (30.1, 58, 86, 0.84, 0.08, -5.9, 1.4),
}
FACTS_LATER = {"as shipped, nuclear": (4.2, 60, 51, 0.97, 0.22, -6.1, 2.1)}
COLUMNS = ("curtailed %", "oversupply %", "differ %", "helps best", "helps median", "least", "most")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=6, help="take every n-th hour where a row does not say")
    every = parser.parse_args().every
    result = {}
    for setting in SETTINGS:
        rows = {"earlier prototype, as published": FACTS[setting.label]}
        if setting.label in FACTS_LATER:
            rows["the same with link, rooftop fixed, hourly"] = FACTS_LATER[setting.label]
        for choice in CHOICES:
            began = time.perf_counter()
            rows[choice.label] = statistics(setting, choice, choice.every or every)
            rows[choice.label] += (time.perf_counter() - began,)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=None)
        table.columns = [*COLUMNS, "seconds"]
        print(f"\n{setting.label}\n{table.round(2).to_string()}")
        result[setting.label] = {label: [round(float(v), 4) for v in row[:7]] for label, row in rows.items()}
    print(json.dumps(result))


def statistics(setting: Setting, choice: Choice, every: int) -> tuple[float, ...]:
    """The seven numbers of a row."""
    grid = variant(setting, choice)
    hours = pd.date_range(START, periods=HOURS, freq="h")
    available = grid.recorded(hours)
    if not choice.csp:
        available = available.where(xr.DataArray(grid.units["technology"] != "csp", dims="unit"), 0.0)
    generation = xr.Dataset({"available_p_mw": available}).isel(time=slice(None, None, every))
    load = grid.load(hours).isel(time=slice(None, None, every))
    solved = dispatch(grid, generation, load=load, objective=choice.objective)
    renewable = available.isel(time=slice(None, None, every)).sum().item()
    return summary(solved, renewable)


def variant(setting: Setting, choice: Choice) -> Grid:
    """The grid of a row."""
    grid = load_grid(
        "rts_gmlc",
        must_run=setting.must_run,
        wind_scale=setting.wind_scale,
        pv_scale=setting.pv_scale,
        line_rating_factor=setting.rating,
        hvdc=choice.hvdc,
    )
    units, rooftop = grid.units.copy(), grid.units["technology"] == "rtpv"
    units.loc[rooftop, "dispatchable"] = choice.rooftop_is_held_back
    units.loc[rooftop, "counts_as_curtailment"] = choice.rooftop_is_held_back
    units.loc[units["technology"] == "hydro", "counts_as_curtailment"] = choice.hydro_counts
    return replace(grid, units=units)


def summary(solved: xr.Dataset, renewable_mwh: float) -> tuple[float, ...]:
    """Shares of curtailment, and what a load does where anything is curtailed."""
    total = solved["curtailed_p_mw"].sum("unit").to_numpy()
    oversupply = solved["curtailed_oversupply_p_mw"].to_numpy().sum()
    curtailing = total > LEAST_MW
    marginal = solved["marginal_curtailment"].to_numpy()[curtailing]
    differ = np.ptp(marginal, axis=1) > DIFFER
    helps = (marginal > HELPS).mean(axis=0)
    return (
        100.0 * total.sum() / renewable_mwh,
        100.0 * oversupply / total.sum(),
        100.0 * total[curtailing][differ].sum() / total.sum(),
        float(helps.max()),
        float(np.median(helps)),
        float(marginal.min()),
        float(marginal.max()),
    )


if __name__ == "__main__":
    main()
