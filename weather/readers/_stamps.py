"""The time axis of a file: from its date columns to left labels in its own clock.

A typical year has months from different years; it is laid on one year the caller states, and its months'
years are recorded. Stamps count as mid-interval where they are; any other place must be stated.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from weather._types import FloatArray
from weather.errors import Finding, Findings
from weather.readers._options import ReadOptions
from weather.readers._text import Table
from weather.timeaxis import to_left_label, usual_step

__all__ = ["clock_findings", "stamps"]

_DATE_COLUMNS: Final = ("Year", "Month", "Day", "Hour", "Minute")
_N_SHOWN: Final = 3


def stamps(data: Table, options: ReadOptions, findings: Findings) -> tuple[pd.DatetimeIndex, str]:
    """Return the left labels of a table in the file's own clock, naive, and the years of a typical year.

    Parameters
    ----------
    data : Table
        Rows with Year, Month, Day, Hour and Minute.
    options : ReadOptions
        `year` for a typical year, `label` where stamps are not mid-interval.
    findings : Findings
        Receives dates that are none, an axis with gaps, a typical year without `year`, a label that is not
        known.

    Returns
    -------
    tuple
        Index, and the most frequent year of each month ("2008 2009 ...") if the year is typical, else "".
    """
    parts: dict[str, FloatArray] = {
        name: data.columns[name] for name in _DATE_COLUMNS if name in data.columns
    }
    if len(parts) < len(_DATE_COLUMNS) or data.n_rows < 2:
        absent = ", ".join(name for name in _DATE_COLUMNS if name not in parts)
        if absent and data.n_rows:
            findings.add("columns", f"no column {absent}", "every row needs its date and time")
        return pd.DatetimeIndex([]), ""
    stated = _dates(parts, findings)
    typical = _as_typical(parts)
    if typical is None:
        if options.year is not None:
            what = f"year={options.year} given, but the file holds the measured year(s) {_years(parts)}"
            findings.add("year", what, "leave it out: it is for typical years only")
        return _left(stated, options, findings), ""
    months = [
        int(pd.Series(parts["Year"][parts["Month"] == m]).mode().iloc[0]) for m in np.unique(parts["Month"])
    ]
    if options.year is None:
        what = f"a typical year: its months are of the years {' '.join(map(str, months))}"
        findings.add("Year", what, "say on which year to lay it, for example year=2013")
        return _left(typical, options, findings), " ".join(map(str, months))
    laid = _dates({**parts, "Year": np.full(data.n_rows, float(options.year))}, findings)
    return _left(laid, options, findings), " ".join(map(str, months))


def clock_findings(index: pd.DatetimeIndex, options: ReadOptions) -> list[Finding]:
    """Return a finding if an axis in the file's own clock does not cover whole calendar years."""
    if len(index) < 2:
        return []
    findings = Findings()
    step = pd.Timedelta(usual_step(index.tz_localize("UTC")))
    start = pd.Timestamp(year=int(index[0].year), month=1, day=1)
    end = pd.Timestamp(year=int(index[-1].year) + 1, month=1, day=1) - step
    if not options.partial and (index[0] != start or index[-1] != end):
        span = f"{index[0]:%Y-%m-%d %H:%M} to {index[-1]:%Y-%m-%d %H:%M}"
        n_whole = round((end - start) / step) + 1
        what = f"{len(index)} rows, {span} in the file's clock; a whole year has {n_whole}"
        findings.add("rows", what, "the file is cut off: get it again, or say partial=True")
    return list(findings)


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


def _left(index: pd.DatetimeIndex, options: ReadOptions, findings: Findings) -> pd.DatetimeIndex:
    """Return left labels, from the place of the stamps in their intervals."""
    valid = index[~index.isna()]
    if len(valid) < 2 or not (np.diff(valid.to_numpy()) > np.timedelta64(0, "ns")).any():
        return index
    step = usual_step(valid.tz_localize("UTC"))
    if options.label is not None:
        return to_left_label(index, options.label, step)
    phase = (valid - valid.normalize()) % pd.Timedelta(step)
    if (phase == pd.Timedelta(step) / 2).all():
        return to_left_label(index, "middle", step)
    what = f"stamps such as {valid[0]:%H:%M} are not the middle of a step of {pd.Timedelta(step)}"
    findings.add("Minute", what, "say where they lie: label='left', 'middle' or 'right'")
    return index
