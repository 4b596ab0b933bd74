"""The time axis of a file: from its date columns to left labels in its own clock.

A typical year has months from different years; it is laid on one year the caller states, and its months'
years are recorded. Where in its interval a stamp lies is settled by the format; where the format leaves it
open, stamps in the middle of a step stand for the step, and any other place must be stated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from weather._types import FloatArray
from weather.errors import Finding, Findings
from weather.readers._options import ReadOptions, StampLabel
from weather.readers._text import Table
from weather.timeaxis import to_left_label, usual_step

__all__ = ["Axis", "Extent", "coverage_findings", "place_stamps", "stamps"]

Extent: TypeAlias = Literal["year", "day", "any"]
"""What a whole file covers: calendar years or days of its own clock, or anything."""

_DATE_COLUMNS: Final = ("Year", "Month", "Day", "Hour", "Minute")
_N_SHOWN: Final = 3
_PLACES: Final[dict[str, str]] = {
    "left": "start of the step",
    "middle": "middle of the step",
    "right": "end of the step",
    "instant": "instants",
}


@dataclass(frozen=True)
class Axis:
    """Steps of a file in its own clock.

    Attributes
    ----------
    index : pandas.DatetimeIndex
        Left labels, naive; NaT where a row has no date.
    stamped : pandas.DatetimeIndex
        The stamps as they stand in the file (a typical year's on its one year).
    place : str
        Where the stamps lie in their steps, in words.
    at : float or None
        Place of instants in their step, from 0 to 1; None where values stand for the step. [1]
    month_years : str
        Years of the months of a typical year, else "".
    """

    index: pd.DatetimeIndex
    stamped: pd.DatetimeIndex
    place: str = ""
    at: float | None = None
    month_years: str = ""

    @property
    def step_h(self) -> float | None:
        """Most frequent step, None where no two stamps ascend. [h]."""
        valid = self.index[~self.index.isna()]
        if len(valid) < 2 or not (np.diff(valid.to_numpy()) > np.timedelta64(0, "ns")).any():
            return None
        return float(usual_step(valid.tz_localize("UTC")) / np.timedelta64(1, "h"))


_NO_AXIS: Final = Axis(pd.DatetimeIndex([]), pd.DatetimeIndex([]))


def stamps(
    data: Table, options: ReadOptions, findings: Findings, *, on_grid: StampLabel | None = None
) -> Axis:
    """Return the steps of a table with date columns.

    Parameters
    ----------
    data : Table
        Rows with Year, Month, Day, Hour and Minute.
    options : ReadOptions
        `year` for a typical year, `label` where stamps are not mid-interval.
    findings : Findings
        Receives dates that are none, an axis with gaps, a typical year without `year`, a label that is not
        known.
    on_grid : StampLabel, optional
        What stamps on multiples of the step mean by the definition of the format.

    Returns
    -------
    Axis
        Empty if a date column is missing; `month_years` has the most frequent year of each month of a typical
        year ("2008 2009 ...").
    """
    parts: dict[str, FloatArray] = {
        name: data.columns[name] for name in _DATE_COLUMNS if name in data.columns
    }
    if len(parts) < len(_DATE_COLUMNS) or data.n_rows < 2:
        absent = ", ".join(name for name in _DATE_COLUMNS if name not in parts)
        if absent and data.n_rows:
            findings.add("columns", f"no column {absent}", "every row needs its date and time")
        return _NO_AXIS
    stated, month_years = _years_settled(parts, options, findings)
    axis = place_stamps(stated, options.label, findings, on_grid=on_grid)
    return replace(axis, month_years=month_years)


def _years_settled(
    parts: dict[str, FloatArray], options: ReadOptions, findings: Findings
) -> tuple[pd.DatetimeIndex, str]:
    """Return the dates, those of a typical year on its one year, and the years of its months."""
    stated = _dates(parts, findings)
    typical = _as_typical(parts)
    if typical is None:
        if options.year is not None:
            what = f"year={options.year} given, but the file holds the measured year(s) {_years(parts)}"
            findings.add("year", what, "leave it out: it is for typical years only")
        return stated, ""
    months = [
        int(pd.Series(parts["Year"][parts["Month"] == m]).mode().iloc[0]) for m in np.unique(parts["Month"])
    ]
    if options.year is None:
        what = f"a typical year: its months are of the years {' '.join(map(str, months))}"
        findings.add("Year", what, "say on which year to lay it, for example year=2013")
        return typical, " ".join(map(str, months))
    years = np.full(len(stated), float(options.year))
    return _dates({**parts, "Year": years}, findings), " ".join(map(str, months))


def place_stamps(
    stated: pd.DatetimeIndex,
    label: StampLabel | None,
    findings: Findings,
    *,
    on_grid: StampLabel | None = None,
) -> Axis:
    """Return the steps that stamps stand for.

    Parameters
    ----------
    stated : pandas.DatetimeIndex
        Stamps, naive; NaT where a row has none.
    label : StampLabel, optional
        Where they lie in their interval; None: in its middle if they are mid-step.
    findings : Findings
        Receives stamps whose place is not known.
    on_grid : StampLabel, optional
        What stamps on multiples of the step mean, if `label` is None.
    """
    valid = stated[~stated.isna()]
    if len(valid) < 2 or not (np.diff(valid.to_numpy()) > np.timedelta64(0, "ns")).any():
        return Axis(stated, stated)
    step = usual_step(valid.tz_localize("UTC"))
    phase = np.unique((valid - valid.normalize()) % pd.Timedelta(step))
    share = float(phase[0] / step) if phase.size == 1 else float("nan")
    if label is None:
        label = "middle" if share == 0.5 else on_grid if share == 0.0 else None
    if label is None or (label == "instant" and np.isnan(share)):
        what = f"stamps such as {valid[0]:%H:%M} are not the middle of a step of {pd.Timedelta(step)}"
        findings.add("Minute", what, "say where they lie: label='left', 'middle', 'right' or 'instant'")
        return Axis(stated, stated)
    if label != "instant":
        return Axis(to_left_label(stated, label, step), stated, _PLACES[label])
    if share == 0.5:
        return Axis(to_left_label(stated, "middle", step), stated, _PLACES["middle"])
    return Axis(stated - pd.Timedelta(phase[0]), stated, _PLACES["instant"], share)


def coverage_findings(axis: Axis, options: ReadOptions, extent: Extent = "year") -> list[Finding]:
    """Return a finding if an axis does not cover the whole years or days of the file's own clock.

    Either the steps or the stamps may do so: hourly stamps from 00:00 to 23:00 at the end of their step cover
    the hours from 23:00 of the day before. Stamps whose place is not known say nothing.
    """
    valid = [index[~index.isna()] for index in (axis.index, axis.stamped)]
    if len(valid[0]) < 2 or not axis.place or options.partial or extent == "any":
        return []
    if any(_is_whole(index, extent) for index in valid):
        return []
    findings = Findings()
    index = valid[0]
    span = f"{index[0]:%Y-%m-%d %H:%M} to {index[-1]:%Y-%m-%d %H:%M}"
    whole = f"a whole {extent} has {_steps_of_whole(index, extent)}"
    remedy = "the file is cut off: get it again, or say partial=True"
    findings.add("rows", f"{len(index)} rows, {span} in the file's clock; {whole}", remedy)
    return list(findings)


def _whole(index: pd.DatetimeIndex, extent: Extent) -> tuple[pd.Timestamp, pd.Timestamp, pd.Timedelta]:
    """Return the first and last label of the whole years or days around an axis, and its step."""
    step = pd.Timedelta(usual_step(index.tz_localize("UTC")))
    first, last = index[0], index[-1]
    if extent == "year":
        start = pd.Timestamp(year=int(first.year), month=1, day=1)
        end = pd.Timestamp(year=int(last.year) + 1, month=1, day=1)
    else:
        start, end = first.normalize(), last.normalize() + pd.Timedelta(days=1)
    return start, end - step, step


def _is_whole(index: pd.DatetimeIndex, extent: Extent) -> bool:
    """Return whether an axis begins and ends with whole years or days."""
    start, end, _ = _whole(index, extent)
    return bool(index[0] == start and index[-1] == end)


def _steps_of_whole(index: pd.DatetimeIndex, extent: Extent) -> int:
    """Return how many steps the whole years or days around an axis have, for one day: those of a day."""
    start, end, step = _whole(index, extent)
    n_steps: float = pd.Timedelta(days=1) / step if extent == "day" else (end - start) / step + 1
    return round(n_steps)


def _dates(parts: dict[str, FloatArray], findings: Findings) -> pd.DatetimeIndex:
    """Return dates from their parts; those that are none are reported and left out as NaT."""
    index = pd.DatetimeIndex(pd.to_datetime(pd.DataFrame(parts), errors="coerce"))
    bad = np.flatnonzero(index.isna())
    if bad.size:
        shown = ", ".join(f"{part} {parts[part][bad[0]]:g}" for part in _DATE_COLUMNS)
        findings.add(
            "date", f"{bad.size} row(s) whose date does not exist, first: {shown}", "correct the rows"
        )
    return index


def _as_typical(parts: dict[str, FloatArray]) -> pd.DatetimeIndex | None:
    """Return the axis in one common year if rows of several years ascend in it without repeating, else None.

    Rows of consecutive measured years repeat months or start anew in January, so they do not.
    """
    years = parts["Year"]
    if np.unique(years).size < 2:
        return None
    for year in (2001.0, 2000.0):  # without and with 29 February
        common = pd.to_datetime(pd.DataFrame({**parts, "Year": np.full(years.size, year)}), errors="coerce")
        index = pd.DatetimeIndex(common)
        if index.is_monotonic_increasing and index.is_unique:
            return index
    return None


def _years(parts: dict[str, FloatArray]) -> str:
    """Return the years of the rows as text."""
    return ", ".join(f"{year:g}" for year in np.unique(parts["Year"])[:_N_SHOWN])
