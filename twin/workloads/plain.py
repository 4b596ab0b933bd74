"""Reader of any table of jobs, CSV or Parquet, whose columns the caller names."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twin._arrays import FloatArray
from twin.workloads.cells import (
    ROW,
    Instants,
    common_zone,
    find_zone,
    has_columns,
    instants,
    numbers,
    read_cells,
)
from twin.workloads.raw import NO_END, NO_START, NO_SUCH_HOUR, RawJobs, Reasons, TraceOptions, to_trace
from weather import Findings

MEANINGS: dict[str, str] = {
    "submit": "submission: stamps, or seconds",
    "gpus": "devices, with fractions",
    "duration": "run time [s]; not needed with start and end",
    "start": "start: stamps, or seconds",
    "end": "end: stamps, or seconds",
    "queue": "time from submission to start [s]",
    "status": "how the job ended",
    "min_gpus": "fewest devices of an elastic job",
    "max_gpus": "most devices of an elastic job",
}
"""What a column of a table can mean. `submit`, `gpus`, and `duration` or `start` and `end` are needed."""

OWN = {"submit": "submit_s", "gpus": "n_gpus", "duration": "duration_s"}
"""Columns of a trace as this package writes it, which need no map."""

SOURCE = "a table of jobs"


def read_table(path: Path, options: TraceOptions) -> pd.DataFrame:
    """Trace of a table.

    Stamps with an offset from UTC state their clock, others need `clock`. Seconds are Unix time where `clock`
    is given, else they count from a zero of the file's own, and hours of the day are not known.

    Parameters
    ----------
    path
        CSV file with a header, plain or compressed, or Parquet file.
    options
        `columns`, the file's columns by their meaning (`MEANINGS`); not needed for the columns submit_s,
        n_gpus and duration_s. `clock`.
    """
    findings = Findings()
    columns = _columns(options.columns, findings)
    zone = find_zone(options.clock, "clock", findings)
    findings.raise_if_any(f"table {path}")
    table = _cells(path, columns)
    has_columns(table, tuple(columns.values()), "", findings)
    findings.raise_if_any(f"table {path}")
    gpus = numbers(table, columns["gpus"], "", findings, least=0)
    queue = numbers(table, columns["queue"], "", findings, least=0) if "queue" in columns else None
    duration = numbers(table, columns["duration"], "", findings) if "duration" in columns else None
    ranges: dict[str, FloatArray] = {
        meaning: numbers(table, columns[meaning], "", findings, least=0)
        for meaning in ("min_gpus", "max_gpus")
        if meaning in columns
    }
    times, zone = _times(table, columns, zone, findings)
    findings.raise_if_any(f"table {path}")
    reasons = Reasons(len(table))
    for column in times.values():
        reasons.add(column.unplaced, NO_SUCH_HOUR)
    submit = times["submit"].unix_s
    if "start" in times:
        reasons.add(np.isnan(times["start"].unix_s), NO_START)
        queue = times["start"].unix_s - submit if queue is None else queue
    if duration is None:
        reasons.add(np.isnan(times["end"].unix_s), NO_END)
        duration = times["end"].unix_s - times["start"].unix_s
    raw = RawJobs(
        submit_s=submit,
        duration_s=duration,
        gpus=gpus,
        reasons=reasons,
        zone=zone,
        queue_s=queue,
        status=table[columns["status"]] if "status" in columns else None,
        ranges=ranges,
    )
    return to_trace(raw, path, options, trace="table", source=f"{SOURCE}: {path.name}")


def column_findings(columns: Mapping[str, str] | None) -> Findings:
    """What is wrong with a column map by itself.

    Parameters
    ----------
    columns
        Columns of a file by their meaning; None for the trace's own.
    """
    findings = Findings()
    _columns(columns, findings)
    return findings


def header_findings(path: Path, columns: Mapping[str, str] | None) -> Findings:
    """Which columns a file lacks, from its header alone.

    Parameters
    ----------
    path
        The table.
    columns
        Columns of a file by their meaning; None for the trace's own.
    """
    findings = Findings()
    wanted = OWN if columns is None else columns
    try:
        if is_parquet(path):
            there = list(pq.read_schema(path).names)
        else:
            there = list(pd.read_csv(path, nrows=0, skipinitialspace=True).columns)
    except (
        EOFError,
        OSError,
        UnicodeDecodeError,
        zlib.error,
        pd.errors.ParserError,
        pa.ArrowException,
    ) as error:
        findings.add(str(path), f"the file is damaged or cut off ({error})", "get it again")
        return findings
    for name in wanted.values():
        if name not in there:
            findings.add(f"column {name!r}", "is missing", f"the file has {', '.join(map(str, there))}")
    return findings


def is_parquet(path: Path) -> bool:
    """Whether a file says that it is Parquet."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _columns(columns: Mapping[str, str] | None, findings: Findings) -> dict[str, str]:
    if columns is None:
        return dict(OWN)
    for meaning in columns:
        if meaning not in MEANINGS:
            findings.add(f"columns.{meaning}", "no column can mean this", f"choose of {', '.join(MEANINGS)}")
    for meaning in ("submit", "gpus"):
        if meaning not in columns:
            findings.add(f"columns.{meaning}", "is missing", f"name the column of the {MEANINGS[meaning]}")
    if "duration" not in columns and not {"start", "end"} <= set(columns):
        findings.add("columns.duration", "is missing", "name the column of the run time, or start and end")
    return dict(columns)


def _cells(path: Path, columns: dict[str, str]) -> pd.DataFrame:
    """Cells of the named columns as text."""
    if not path.is_file() or not is_parquet(path):
        return read_cells(path)
    table = _parquet(path)
    kept = table[[name for name in table.columns if name in columns.values()]]
    text = pd.DataFrame({name: _as_text(kept[name]) for name in kept.columns})
    text.index = pd.Index(np.arange(len(text)) + 1, name=ROW)
    return text if len(text.columns) else table


def _parquet(path: Path) -> pd.DataFrame:
    findings = Findings()
    try:
        table: pd.DataFrame = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        findings.add(str(path), f"the file is damaged or cut off ({error})", "get it again")
    findings.raise_if_any("trace")
    return table


def _as_text(values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(values):
        return values.dt.strftime("%Y-%m-%dT%H:%M:%S.%f%z").astype("string")
    if pd.api.types.is_timedelta64_dtype(values):
        return values.dt.total_seconds().astype("string")
    return values.astype("string")


def _times(
    table: pd.DataFrame, columns: dict[str, str], zone: tzinfo | None, findings: Findings
) -> tuple[dict[str, Instants], tzinfo | None]:
    """Times by their meaning, and the clock of days; all are stamps, or all are seconds."""
    named: dict[str, str] = {
        meaning: columns[meaning] for meaning in ("submit", "start", "end") if meaning in columns
    }
    seconds = {name: _are_seconds(table[name]) for name in named.values()}
    if len(set(seconds.values())) > 1:
        shown = ", ".join(f"{name} in {'seconds' if s else 'stamps'}" for name, s in seconds.items())
        findings.add("columns", f"times of two kinds: {shown}", "give all as stamps or all as seconds")
        return {}, None
    if all(seconds.values()):
        never = np.zeros(len(table), dtype=np.bool_)
        values = {m: numbers(table, name, "", findings) for m, name in named.items()}
        return {m: Instants(v, never, frozenset()) for m, v in values.items()}, zone
    times = {m: instants(table, name, "", zone, findings) for m, name in named.items()}
    return times, common_zone(tuple(times.values()), zone, findings)


def _are_seconds(text: pd.Series) -> bool:
    """Whether most cells of a column are numbers: others are then findings, not stamps."""
    values: FloatArray = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return bool(np.isfinite(values).sum() * 2 > text.notna().sum())
