"""Recorded load, wind, PV, hydro and solar-thermal series of RTS-GMLC, for 2020."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.grid import Series
from weather import Finding, Findings, InputError, step_of, to_utc_index

#: All series run on constant UTC−8, also for units in Arizona and Nevada: with UTC−7 the recorded solar power
#: would begin before sunrise.
UTC_OFFSET_H = -8.0

#: Step of the recorded series. [s]
STEP_S: Mapping[str, int] = {"day_ahead": 3600, "real_time": 300}

_PREFIX = {"day_ahead": "DAY_AHEAD", "real_time": "REAL_TIME"}
_FILES = {
    "load": ("Load", "regional_Load"),
    "wind": ("WIND", "wind"),
    "pv": ("PV", "pv"),
    "rtpv": ("RTPV", "rtpv"),
    "hydro": ("Hydro", "hydro"),
    "csp": ("CSP", "Natural_Inflow"),
}
_START = pd.Timestamp("2020-01-01T00:00", tz="UTC") - pd.Timedelta(hours=UTC_OFFSET_H)
_END = pd.Timestamp("2021-01-01T00:00", tz="UTC") - pd.Timedelta(hours=UTC_OFFSET_H)


@dataclass(frozen=True)
class RtsGmlcSeries:
    """The recorded series, brought to buses and units of a grid.

    Period p of a day covers [(p − 1), p) steps after midnight, UTC−8. Coarser steps are means; finer ones are
    refused. Real-time hydro is the day-ahead series interpolated by the source.

    Attributes
    ----------
    load_share : mapping of str to tuple
        Area of each bus and the share of the area's load it draws.
    technology : mapping of str to str
        Technology of each unit.
    factor : mapping of str to float
        What the recorded values of a unit are multiplied by. [MW/MW]
    p_max_mw : mapping of str to float
        Limit of units whose series is an inflow and not a power. [MW]
    """

    load_share: Mapping[str, tuple[str, float]]
    technology: Mapping[str, str]
    factor: Mapping[str, float]
    p_max_mw: Mapping[str, float]

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First instant covered, and the end of the last step."""
        return _START, _END

    def load(self, time: pd.DatetimeIndex, buses: Sequence[str], series: Series) -> FloatArray:
        """Mean load per step and bus: load of the area times the bus's share of it. [MW]."""
        areas, values = _read("load", series)
        mean = _means(values, time, series)
        share = np.zeros((len(areas), len(buses)))
        for j, bus in enumerate(buses):
            if bus in self.load_share:
                area, part = self.load_share[bus]
                share[areas.index(area), j] = part
        # One area a bus, so that a sum of single products has no rounding that depends on the batch.
        load: FloatArray = (mean[:, :, None] * share[None]).sum(axis=1)
        return load

    def available(self, time: pd.DatetimeIndex, units: Sequence[str], series: Series) -> FloatArray:
        """Mean available power per step and unit. [MW]."""
        power = np.empty((len(time), len(units)))
        for technology in sorted({self.technology[unit] for unit in units}):
            names, values = _read(technology, series)
            chosen = [j for j, unit in enumerate(units) if self.technology[unit] == technology]
            column = [names.index(units[j]) for j in chosen]
            factor = np.array([self.factor[units[j]] for j in chosen])
            limit = np.array([self.p_max_mw.get(units[j], np.inf) for j in chosen])
            power[:, chosen] = _means(np.minimum(values[:, column] * factor, limit), time, series)
        return power


@lru_cache(maxsize=12)
def _read(kind: str, series: Series) -> tuple[tuple[str, ...], FloatArray]:
    """Return names and values of one file, its rows checked to be the year 2020 in order."""
    if series not in _PREFIX:
        remedy = "use one of " + ", ".join(_PREFIX)
        raise InputError("recorded series", [Finding("series", f"{series!r} is unknown", remedy)])
    folder, stem = _FILES[kind]
    name = f"{_PREFIX[series]}_{stem}.csv"
    package = files("dispatches_data.packages.rts_gmlc")
    with (package / "timeseries_data_files" / folder / name).open("rb") as file:
        table = pd.read_csv(file)
    step = pd.Timedelta(STEP_S[series], unit="s")
    days = pd.to_datetime(table[["Year", "Month", "Day"]])
    stamps = pd.DatetimeIndex(days + (table["Period"] - 1) * step)
    expected = pd.date_range("2020-01-01", "2021-01-01", freq=step, inclusive="left")
    values = table.drop(columns=["Year", "Month", "Day", "Period"])
    findings = Findings()
    if not stamps.equals(expected):
        findings.add(name, "rows are not the steps of 2020 in order", "install the released data package")
    if not np.isfinite(values.to_numpy(dtype=float)).all():
        findings.add(name, "holds values that are not finite", "install the released data package")
    findings.raise_if_any("recorded series")
    array = values.to_numpy(dtype=float)
    array.flags.writeable = False
    return tuple(str(c) for c in values.columns), array


def _means(values: FloatArray, time: pd.DatetimeIndex, series: Series) -> FloatArray:
    """Return interval means of recorded values at the steps of `time`."""
    index = to_utc_index(time)
    step_s, source_s = int(step_of(index) / np.timedelta64(1, "s")), STEP_S[series]
    findings = Findings()
    if step_s % source_s:
        what = f"step of {step_s} s, but the {series} series has a step of {source_s} s"
        coarser = "ask for a multiple of it" + ("" if series == "real_time" else " or for series 'real_time'")
        findings.add("time", what, coarser)
    if (index[0] - _START) % pd.Timedelta(source_s, unit="s"):
        what = f"{index[0]} does not begin with a recorded step"
        findings.add("time", what, f"steps begin every {source_s} s")
    if index[0] < _START or index[-1] + pd.Timedelta(step_s, unit="s") > _END:
        what = f"{index[0]} to {index[-1]} leaves the recorded span {_START} to {_END}"
        findings.add("time", what, "run inside it; align inputs of other years by the calendar")
    findings.raise_if_any("recorded series")
    first, size = (index[0] - _START) // pd.Timedelta(source_s, unit="s"), step_s // source_s
    block = values[first : first + size * len(index)]
    mean: FloatArray = block.reshape(len(index), size, -1).mean(axis=1)
    return mean
