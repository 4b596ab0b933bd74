"""Cells of trace files: text with its lines, and numbers and times made of it."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from twin._arrays import BoolArray, FloatArray
from twin.workloads.table import SHOWN
from weather import Findings, InputError

LINE, ROW = "line", "row"
QUARTER_S = 900.0

_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):?(\d{2})")
_STATED = r"(Z|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True)
class Instants:
    """Times of one column.

    Attributes
    ----------
    unix_s : ndarray
        Seconds after 1970-01-01 00:00 UTC; NaN where there is none. [s]
    unplaced : ndarray
        Where a stamp names an hour that its clock skips or has twice.
    offsets : frozenset of str
        Offsets from UTC that stamps state.
    """

    unix_s: FloatArray
    unplaced: BoolArray
    offsets: frozenset[str]


def read_cells(path: Path, names: tuple[str, ...] | None = None) -> pd.DataFrame:
    """All cells of a CSV file as text, plain or compressed, with the lines of the file as index.

    Parameters
    ----------
    path
        The file.
    names
        Columns of a file without a header; a header line of these names is passed over.

    Raises
    ------
    InputError
        Where there is no such file, it is empty, damaged, or its rows have more cells than there are columns.
    """
    findings = Findings()
    header = 0 if names is None else None
    try:
        table = pd.read_csv(
            path, dtype="string", skipinitialspace=True, skip_blank_lines=False, header=header
        )
    except FileNotFoundError:
        findings.add(str(path), "there is no such file", "give the path of the trace")
    except pd.errors.EmptyDataError:
        findings.add(str(path), "the file is empty", "get it again")
    except (EOFError, OSError, UnicodeDecodeError, zlib.error, pd.errors.ParserError) as error:
        findings.add(str(path), f"the file is damaged or cut off ({error})", "get it again")
    findings.raise_if_any("trace")
    if not isinstance(table.index, pd.RangeIndex):
        findings.add(str(path), "rows have more cells than the header", "get it again")
    if names is not None and table.shape[1] != len(names):
        what = f"line 1 has {table.shape[1]} columns"
        findings.add(str(path), what, f"expected {len(names)}: {', '.join(names)}")
    findings.raise_if_any("trace")
    table.index = pd.Index(np.arange(len(table)) + (2 if names is None else 1), name=LINE)
    if names is not None:
        table.columns = pd.Index(names)
        if (table.iloc[0] == pd.Series(names, index=table.columns)).all():
            table = table.iloc[1:]
    return table.dropna(how="all")


def has_columns(table: pd.DataFrame, names: tuple[str, ...], where: str, findings: Findings) -> bool:
    """Whether all columns and some row are there; adds findings where not."""
    missing = [name for name in names if name not in table]
    for name in missing:
        findings.add(
            f"{where}column {name!r}", "is missing", f"the file has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        findings.add(f"{where}rows", "there is none", "give a trace with at least one job")
    return not missing and not table.empty


def add_cells(findings: Findings, where: str, text: pd.Series, bad: BoolArray, expected: str) -> None:
    """Add one finding for all bad cells of a column, with their lines in the file."""
    rows = np.flatnonzero(bad)
    if rows.size:
        cells = ["nothing" if pd.isna(cell) else repr(cell) for cell in text.iloc[rows[:SHOWN]]]
        places = [f"{text.index.name} {number}" for number in text.index[rows[:SHOWN]]]
        shown = ", ".join(f"{cell} in {place}" for cell, place in zip(cells, places, strict=True))
        more = f" and {rows.size - SHOWN} more" if rows.size > SHOWN else ""
        findings.add(where, f"{shown}{more}", f"expected {expected}")


def numbers(
    table: pd.DataFrame, name: str, where: str, findings: Findings, *, least: float = -np.inf
) -> FloatArray:
    """Numbers of a column, NaN where a cell is empty; cells that hold something else are findings."""
    text = table[name]
    values: FloatArray = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        bad = text.notna().to_numpy() & ~(np.isfinite(values) & (values >= least))
    expected = "a number" if least == -np.inf else f"a number of at least {least:g}"
    add_cells(findings, f"{where}{name}", text, bad, f"{expected}, or nothing")
    return values


def instants(table: pd.DataFrame, name: str, where: str, zone: tzinfo | None, findings: Findings) -> Instants:
    """Times of a column, by the offset they state, else by the clock `zone`.

    Cells that are no time, and times without an offset where no clock is known, are findings.
    """
    text = table[name].astype("string").str.strip()
    offset = text.str.extract(_STATED, expand=False)
    stated = offset.notna().to_numpy()
    there = text.notna().to_numpy()
    unix = np.full(len(text), np.nan)
    wrong = np.zeros(len(text), dtype=np.bool_)
    unplaced = np.zeros(len(text), dtype=np.bool_)
    for which, clock in ((there & stated, None), (there & ~stated, zone)):
        if not which.any():
            continue
        parsed = pd.to_datetime(text[which], format="ISO8601", errors="coerce", utc=clock is None)
        wrong[which] = parsed.isna().to_numpy()
        epoch = pd.Timestamp(0, tz="UTC" if clock is None else None)
        seconds = (parsed - epoch).dt.total_seconds().to_numpy()
        unix[which] = seconds if clock is None else _to_utc(seconds, clock)
        unplaced[which] = np.isnan(unix[which]) & ~np.isnan(seconds)
    add_cells(findings, f"{where}{name}", text, wrong, "a time as 2020-06-09 18:41:01, or nothing")
    if zone is None and (there & ~stated & ~wrong).any():
        first = text.index[np.flatnonzero(there & ~stated & ~wrong)[0]]
        what = f"times without an offset from UTC, first in {text.index.name} {first}"
        findings.add(f"{where}{name}", what, "give the clock of the file, such as clock='Asia/Shanghai'")
    return Instants(unix, unplaced, frozenset(offset.dropna().unique()))


def _to_utc(local_s: FloatArray, zone: tzinfo) -> FloatArray:
    """Unix time of seconds on a clock, NaN in hours that it skips or has twice.

    Clocks change at whole quarters of an hour: each quarter is looked up once, which is slow.
    """
    quarter, place = np.unique(np.floor(local_s / QUARTER_S), return_inverse=True)
    there = np.isfinite(quarter)
    naive = pd.DatetimeIndex(quarter[there] * QUARTER_S * 1e9)
    placed = naive.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC").tz_localize(None)
    offset = np.full(len(quarter), np.nan)
    offset[there] = (naive - placed).total_seconds()
    unix: FloatArray = local_s - offset[place]
    return unix


def find_zone(clock: str | None, where: str, findings: Findings) -> tzinfo | None:
    """Zone of a name such as Asia/Shanghai or an offset such as +08:00; a finding where there is none."""
    if clock is None:
        return None
    match = _OFFSET.fullmatch(clock)
    if match:
        span = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if span < timedelta(days=1):
            return timezone(-span if match[1] == "-" else span)
    elif clock == "Z":
        return UTC
    else:
        try:
            return ZoneInfo(clock)
        except (KeyError, ValueError, OSError):
            pass
    findings.add(where, f"no clock {clock!r}", "give a name such as Asia/Shanghai, or an offset as +08:00")
    return None


def common_zone(times: tuple[Instants, ...], zone: tzinfo | None, findings: Findings) -> tzinfo | None:
    """Zone by which days are counted: the caller's, else the one offset that all stamps state."""
    if zone is not None:
        return zone
    stated = frozenset().union(*(column.offsets for column in times))
    if len(stated) > 1:
        what = f"stamps have the offsets {', '.join(sorted(stated))}"
        findings.add("clock", what, "name the clock by which days are counted")
        return None
    return find_zone(next(iter(stated), None), "clock", findings)


def raise_no_rows(path: Path, reasons: dict[str, int]) -> None:
    """Raise about a file of which no row is a job that can run."""
    findings = Findings()
    for reason, count in reasons.items():
        rows = "row" if count == 1 else "rows"
        findings.add(
            str(path), f"{count} {rows}: {reason}", "give a trace with at least one job that can run"
        )
    raise InputError("trace", list(findings))
