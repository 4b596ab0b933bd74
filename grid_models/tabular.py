"""Tables that users give: rows with names, and series over time, from files or from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from weather import Finding, Findings, InputError, data_path, step_of, to_utc_index

Table: TypeAlias = pd.DataFrame | str | Path | Sequence[Mapping[str, object]]
"""A DataFrame, a list of rows, or a CSV or Parquet file: its path, or its path inside the data folder."""

_READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
_N_NAMED = 5


@dataclass(frozen=True)
class SeriesTable:
    """Means of equal steps: one row per step, one column per name.

    Attributes
    ----------
    subject : str
        What it is called in messages.
    time : pandas.DatetimeIndex
        Left labels in UTC, regular.
    names : tuple of str
        What the columns belong to.
    values : numpy.ndarray
        Finite values, shape (time, name).
    """

    subject: str
    time: pd.DatetimeIndex
    names: tuple[str, ...]
    values: FloatArray

    @property
    def step(self) -> pd.Timedelta:
        """Length of a step."""
        return pd.Timedelta(step_of(self.time))

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First instant covered, and the end of the last step."""
        return self.time[0], self.time[-1] + self.step

    def means(self, time: pd.DatetimeIndex, names: Sequence[str]) -> FloatArray:
        """Means over the steps of `time` for some names; coarser steps are averaged, finer ones refused.

        Parameters
        ----------
        time : pandas.DatetimeIndex
            Left labels in a stated zone, regular, inside the span.
        names : sequence of str
            Of `names`.

        Returns
        -------
        numpy.ndarray
            Shape (time, name).
        """
        column = [self.names.index(name) for name in names]
        return interval_means(self.subject, self.values[:, column], self.time[0], self.step, time)


def interval_means(
    subject: str, values: FloatArray, start: pd.Timestamp, step: pd.Timedelta, time: pd.DatetimeIndex
) -> FloatArray:
    """Means of regular values over the steps of another axis.

    Parameters
    ----------
    subject : str
        What the series is called in messages.
    values : numpy.ndarray
        One row per step, from `start` on.
    start, step : pandas.Timestamp, pandas.Timedelta
        First instant (in a stated zone) and length of a step.
    time : pandas.DatetimeIndex
        Steps wanted: a multiple of `step`, beginning with one, inside the span.

    Returns
    -------
    numpy.ndarray
        One row per step of `time`.

    Raises
    ------
    InputError
        If the axes do not fit: all reasons.
    """
    index = to_utc_index(time)
    wanted, end = pd.Timedelta(step_of(index)), start + step * len(values)
    findings = Findings()
    if wanted % step:
        what = f"step of {wanted}, but the series has a step of {step}"
        findings.add("time", what, "ask for a multiple of it")
    if (index[0] - start) % step:
        what = f"{index[0]} does not begin with a recorded step"
        findings.add("time", what, f"steps begin every {step}, from {start}")
    if index[0] < start or index[-1] + wanted > end:
        what = f"{index[0]} to {index[-1] + wanted} leaves the recorded span {start} to {end}"
        findings.add("time", what, "run inside it; align inputs of other years by the calendar")
    findings.raise_if_any(subject)
    first, size = (index[0] - start) // step, wanted // step
    block = values[first : first + size * len(index)]
    mean: FloatArray = block.reshape(len(index), size, -1).mean(axis=1)
    return mean


def read_rows(table: Table, index: str, subject: str) -> pd.DataFrame:
    """Read a table of rows with names.

    Parameters
    ----------
    table : Table
        See `Table`; a DataFrame may have the names as its index.
    index : str
        Column (or index) with the name of each row, for example 'unit'.
    subject : str
        What it is called in messages.

    Returns
    -------
    pandas.DataFrame
        With names as text in its index.
    """
    given = _read(table, subject)
    if index in given.columns:
        given = given.set_index(index)
    elif not isinstance(table, pd.DataFrame):
        what = f"no column {index!r}; it has {', '.join(map(str, given.columns)) or 'none'}"
        raise InputError(subject, [Finding(subject, what, f"name every row in a column {index!r}")])
    return given.set_axis([_name(label) for label in given.index]).rename_axis(index)


def read_series(table: Table, subject: str, unit: str) -> SeriesTable:
    """Read a table of series: a column `time` with a stated zone (or such an index), one column per name.

    Parameters
    ----------
    table : Table
        See `Table`.
    subject : str
        What it is called in messages.
    unit : str
        Unit of all values, for messages.

    Returns
    -------
    SeriesTable
        Checked.

    Raises
    ------
    InputError
        No time, a naive or irregular one, duplicate columns, values that are no finite numbers: all at once.
    """
    given = _read(table, subject)
    findings = Findings()
    time = _time_of(given, findings)
    values = given.drop(columns="time", errors="ignore")
    names = [_name(label) for label in values.columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add(f"column {name!r}", "appears more than once", "give every name one column")
    if not names:
        findings.add("columns", "there is none beside the time", "give one column per name")
    numbers = values.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    for name, column in zip(names, numbers.T, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            what = f"{bad.size} of {len(column)} values are no finite numbers [{unit}], first in row {bad[0]}"
            findings.add(f"column {name!r}", what, "missing is not zero: fill them by a rule of your own")
    findings.raise_if_any(subject)
    if time is None:
        raise InputError(subject, [Finding("time", "could not be read")])
    return SeriesTable(subject, time, tuple(names), numbers)


def _time_of(given: pd.DataFrame, findings: Findings) -> pd.DatetimeIndex | None:
    """Return the time of a table of series in UTC, or report why there is none."""
    stamps: object = given.index
    if "time" in given.columns:
        try:
            stamps = pd.DatetimeIndex(pd.to_datetime(given["time"], format="ISO8601"))
        except (ValueError, TypeError) as error:
            findings.add(
                "time", f"cannot be read: {error}", "write it as 2020-01-01T00:00Z, one zone for all"
            )
            return None
    if not isinstance(stamps, pd.DatetimeIndex):
        findings.add(
            "time", "there is no column 'time' and no index of times", "give left labels with a zone"
        )
        return None
    try:
        index = to_utc_index(stamps)
        step_of(index)
    except InputError as error:
        findings.extend(error.findings)
        return None
    return index


def _read(table: Table, subject: str) -> pd.DataFrame:
    """Return a table as a DataFrame of its own."""
    if isinstance(table, pd.DataFrame):
        return table.copy()
    if isinstance(table, str | Path):
        return _read_file(Path(table), subject)
    return pd.DataFrame([dict(row) for row in table])


def _read_file(given: Path, subject: str) -> pd.DataFrame:
    """Read a CSV or Parquet file; everything that can be wrong with one is an `InputError`."""
    path = find_file(given, subject)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        what = f"a file of kind {path.suffix!r}"
        raise InputError(subject, [Finding(str(given), what, "give a .csv or .parquet file")])
    try:
        # Names stay text: bus 007 is not bus 7.
        names = {"dtype": {"bus": str, "unit": str, "weather_site": str}} if reader is pd.read_csv else {}
        table: pd.DataFrame = reader(path, **names)
    except (ValueError, OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(
            subject, [Finding(str(given), f"cannot be read: {error}", "correct the file")]
        ) from error
    return table


def find_file(given: Path, subject: str) -> Path:
    """Return the path of a file: as it is, or inside the data folder; `InputError` if there is none."""
    if given.is_file():
        return given
    what = "is a folder" if given.is_dir() else "no such file"
    if not given.is_absolute():
        try:
            inside = data_path(given)
        except InputError as error:
            what = f"{what} here, nor inside the data folder ({error.findings[0].what})"
        else:
            if inside.is_file():
                return inside
    raise InputError(subject, [Finding(str(given), what, "give the path of a file")])


def _name(label: object) -> str:
    """Text of a name; a whole number read as float is that number."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
