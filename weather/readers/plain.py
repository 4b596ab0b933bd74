"""Plain tables: CSV and Parquet of any shape, with what they do not say said by the caller.

A column is taken by its project name, or by `columns`; the height of wind is part of the name
("wind_speed@80"). Its unit stands in brackets after its name, or in `units`, or in the metadata of a
Parquet column under "units". Stamps with an offset (...Z, ...+02:00) state their clock; others need
`clock`. The label, the place and the heights have to be said always: nothing is guessed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from weather._types import FloatArray
from weather.errors import Finding, Findings, InputError
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._stamps import Axis, place_stamps
from weather.readers._text import read_text, whole_rows
from weather.readers._units import convert
from weather.variables import WEATHER

__all__ = ["parse_csv", "parse_frame", "read_csv", "read_parquet"]

_PROFILE: Final = ("wind_speed", "wind_direction")
_SURFACE: Final = tuple(v.name for v in WEATHER.variables if v.name not in _PROFILE)
_NAMED: Final = re.compile(r"(?P<name>[^\[\]()]+?)\s*(?:[\[(](?P<unit>[^\[\]()]+)[\])])?\s*")
_AT_HEIGHT: Final = re.compile(r"(?P<name>wind_speed|wind_direction)@(?P<height>\d+(?:\.\d+)?)m?")
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?")
_UNIX: Final = ("s", "ms")
_DEFAULT_TIME: Final = "time"


@dataclass(frozen=True)
class _Column:
    """A column that was asked for: its key ("wind_speed@80"), name in the file, and unit."""

    key: str
    name: str
    unit: str | None

    @property
    def variable(self) -> str:
        """Name of the variable."""
        return self.key.split("@")[0]

    @property
    def height(self) -> float | None:
        """Height of wind. [m]."""
        match = _AT_HEIGHT.fullmatch(self.key)
        return None if match is None else float(match["height"])


def read_csv(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a plain CSV file: one line of column names, then rows.

    Parameters
    ----------
    path : Path
        File, plain or gzip'ed.
    options : ReadOptions, optional
        `columns`, `units`, `clock`, `label`, `time_column`, `time_format`, `latitude`, `longitude`,
        `altitude`.

    Returns
    -------
    Dataset
        Weather of one site with the variables that have a column.

    Raises
    ------
    InputError
        With everything that is wrong with the file, and everything it does not say.
    """
    return parse_csv(read_text(path), options or ReadOptions(), path.name)


def parse_csv(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a plain CSV file; see `read_csv`."""
    findings = Findings()
    lines = text.splitlines()
    rows = whole_rows(lines[1:], lines[0].count(",") + 1, 2, findings)
    if not rows:
        findings.raise_if_any(subject)
    frame = pd.read_csv(io.StringIO("\n".join([lines[0], *rows])), dtype=str, skipinitialspace=True)
    # A name that comes twice would be renamed, and its second column silently left out.
    named = pd.Index([name.strip() for name in next(csv.reader(lines[:1]), [])])
    for name in named[named.duplicated()].unique():
        findings.add(f"column {name!r}", "comes more than once", "keep one of them")
    return _dataset(frame, {}, "csv", options, subject, findings)


def read_parquet(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a plain Parquet file; parameters, result and errors as `read_csv`."""
    options, subject = options or ReadOptions(), path.name
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        finding = Finding("file", f"no readable Parquet: {error}", "the file is cut off: get it again")
        raise InputError(subject, [finding]) from error
    units = {
        field.name: (field.metadata or {}).get(b"units", b"").decode()
        for field in table.schema
        if (field.metadata or {}).get(b"units")
    }
    return parse_frame(table.to_pandas(), options, subject, units=units)


def parse_frame(
    frame: pd.DataFrame, options: ReadOptions, subject: str, *, units: Mapping[str, str] | None = None
) -> xr.Dataset:
    """Turn a table into weather; see `read_csv`. `units` are those its source states, by column."""
    if isinstance(frame.index, pd.DatetimeIndex):
        named = frame.rename_axis(options.time_column or frame.index.name or _DEFAULT_TIME)
        frame = named.reset_index()
    return _dataset(frame, units or {}, "parquet", options, subject, Findings())


def _dataset(
    frame: pd.DataFrame,
    units: Mapping[str, str],
    reader: str,
    options: ReadOptions,
    subject: str,
    findings: Findings,
) -> xr.Dataset:
    """Return the weather in a table, or raise everything that is wrong with it or not said."""
    frame = frame.rename(columns=lambda name: str(name).strip())
    axis, clock_h = _axis(frame, options, findings)
    columns = _columns(frame, units, options, findings)
    variables, height = _variables(frame, columns, axis, findings)
    if axis.at is not None:
        variables = means_of_instants(variables, axis.index, axis.at)
    places = {"latitude": options.latitude, "longitude": options.longitude}
    for name, value in places.items():
        if value is None:
            findings.add(name, "a plain table does not say its place", f"say it: {name}=... in degree")
    coords = {name: np.nan if value is None else value for name, value in places.items()}
    parsed = Parsed(
        reader=reader,
        variables=variables,
        axis=axis,
        clock_h=clock_h,
        coords={**coords, "altitude": np.nan if options.altitude is None else options.altitude},
        source=f"{reader} file",
        site=f"{reader}-{Path(subject).stem}",
        height=height,
    )
    return build_dataset(parsed, options, subject, findings)


def _axis(frame: pd.DataFrame, options: ReadOptions, findings: Findings) -> tuple[Axis, float]:
    """Return the steps of a table in its local standard time, and that minus UTC. [h]."""
    name = options.time_column or _DEFAULT_TIME
    if name not in frame.columns:
        have = ", ".join(map(str, frame.columns[:8]))
        findings.add("columns", f"no column {name!r} for time; there are {have}", "say it: time_column='...'")
        return Axis(pd.DatetimeIndex([]), pd.DatetimeIndex([])), np.nan
    stated = _stamps(frame[name], options, findings)
    if options.label is None:
        what = "a plain table does not say whether stamps start, halve or end their step, or are instants"
        findings.add("label", what, "say it: label='left', 'middle', 'right' or 'instant'")
    standard, clock_h = _in_standard_time(stated, options, findings)
    return place_stamps(standard, options.label or "left", findings), clock_h


def _stamps(column: pd.Series, options: ReadOptions, findings: Findings) -> pd.DatetimeIndex:
    """Return the stamps of a column, in UTC if they state a zone; NaT with a finding where there is none."""
    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(column)
    pattern = options.time_format
    if pattern in _UNIX:
        numbers = pd.to_numeric(column, errors="coerce")
        stated = pd.to_datetime(numbers, unit=pattern, utc=True, errors="coerce")
    else:
        texts = column.astype(str).str.strip()
        if pattern is None and not texts.iloc[:1].str.fullmatch(_ISO).all():
            what = f"stamps such as {texts.iloc[0]!r} are not in ISO 8601: day and month could be mistaken"
            findings.add(str(column.name), what, "say it: time_format='%d.%m.%Y %H:%M', or 's' for Unix time")
            return pd.DatetimeIndex([pd.NaT] * len(texts))
        has_zone = bool(texts.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$").all())
        stated = pd.to_datetime(texts, format=pattern or "ISO8601", utc=has_zone, errors="coerce")
    bad = np.flatnonzero(stated.isna())
    if bad.size:
        what = f"{bad.size} row(s) whose date does not exist, first: {column.iloc[int(bad[0])]!r}"
        findings.add("date", what, "correct the rows")
    return pd.DatetimeIndex(stated)


def _in_standard_time(
    stated: pd.DatetimeIndex, options: ReadOptions, findings: Findings
) -> tuple[pd.DatetimeIndex, float]:
    """Return stamps in a clock without daylight saving, naive, and that clock minus UTC. [h]."""
    where = options.time_column or _DEFAULT_TIME
    if stated.tz is not None:
        clock_h = clock_offset(0.0, options, where, findings)
        return stated.tz_convert("UTC").tz_localize(None), clock_h
    if options.clock is None:
        return stated, clock_offset(None, options, where, findings)
    try:
        zone = ZoneInfo(options.clock)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"clock={options.clock!r} is neither an offset from UTC nor a time zone"
        findings.add(where, what, "say 'UTC', 'UTC-6' or a name such as 'America/Chicago'")
        return stated, np.nan
    # Where clocks go back an hour is there twice: its first stamps are in daylight saving time.
    local = stated.tz_localize(zone, ambiguous=~stated.duplicated(), nonexistent="NaT")
    skipped = np.flatnonzero(local.isna() & ~stated.isna())
    if skipped.size:
        what = (
            f"{skipped.size} stamp(s) that {options.clock} skips, first {stated[skipped[0]]:%Y-%m-%d %H:%M}"
        )
        findings.add(where, what, "say the clock of the stamps, perhaps one without daylight saving: 'UTC-6'")
    offsets = [
        pd.Timestamp(year=int(stated[0].year), month=month, day=1, tz=zone).utcoffset() for month in (1, 7)
    ]
    clock_h = min(offsets).total_seconds() / 3600.0
    return (local.tz_convert("UTC") + pd.Timedelta(hours=clock_h)).tz_localize(None), clock_h


def _columns(
    frame: pd.DataFrame, units: Mapping[str, str], options: ReadOptions, findings: Findings
) -> list[_Column]:
    """Return the columns of known or mapped names, with findings about those that cannot be taken."""
    named = {str(column): _NAMED.fullmatch(str(column)) for column in frame.columns}
    plain = {match["name"]: column for column, match in named.items() if match}
    keys = {key for key in plain if key in (*_SURFACE, *_PROFILE) or _AT_HEIGHT.fullmatch(key)}
    wanted = {key: plain[key] for key in sorted(keys)} | dict(options.columns)
    columns = []
    for key, column in wanted.items():
        name = column if column in named else plain.get(column)
        if key not in _SURFACE and not _AT_HEIGHT.fullmatch(key):
            remedy = f"names: {', '.join(_SURFACE)}, wind_speed@<height in m>, wind_direction@<height in m>"
            what = "no height stated" if key in _PROFILE else "no such variable"
            findings.add(key, what, remedy)
        elif name is None:
            have = ", ".join(map(str, frame.columns))
            findings.add("columns", f"no column {column!r} for {key}; there are {have}", "correct columns=")
        else:
            match = named[name]
            stated = options.units.get(key) or units.get(name) or (match["unit"] if match else None)
            columns.append(_Column(key, name, stated))
    if not wanted:
        have = ", ".join(map(str, frame.columns))
        findings.add("columns", f"none with a project name; there are {have}", "say columns={'ghi': '...'}")
    for key in sorted(set(options.units) - set(wanted)):
        findings.add(f"units[{key!r}]", "there is no such column", "correct units=")
    return columns


def _variables(
    frame: pd.DataFrame, columns: list[_Column], axis: Axis, findings: Findings
) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Return columns in project units, and the heights of the wind. [m]."""
    arrays: dict[str, FloatArray] = {}
    for column in columns:
        values = pd.to_numeric(frame[column.name], errors="coerce").to_numpy(dtype=float)
        target = WEATHER[column.variable].units
        if column.unit is None:
            by_name = f"name the column '{column.name} [{target}]'"
            remedy = f"say it: units={{{column.key!r}: '{target}'}}, or {by_name}"
            findings.add(column.name, f"no unit stated, expected {target}", remedy)
        else:
            values = convert(values, column.unit, target, column.name, findings, step_h=axis.step_h)
        arrays[column.key] = values
    variables = {key: values for key, values in arrays.items() if key in _SURFACE}
    profiles = {
        name: {c.height: arrays[c.key] for c in columns if c.variable == name and c.height is not None}
        for name in _PROFILE
    }
    heights = sorted(profiles["wind_speed"])
    for name, at_height in profiles.items():
        if heights and set(heights) <= set(at_height):
            variables[name] = np.stack([at_height[h] for h in heights], axis=1)
    return variables, np.array(heights) if heights else None
