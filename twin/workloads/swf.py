"""Reader of the Standard Workload Format 2.2 of the Parallel Workloads Archive."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from datetime import tzinfo
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from twin._arrays import FloatArray
from twin.workloads.cells import find_zone
from twin.workloads.raw import RawJobs, Reasons, TraceOptions, to_trace
from twin.workloads.table import SHOWN
from weather import Findings, InputError

N_FIELDS = 18
SUBMIT, WAIT, RUN, ALLOCATED, REQUESTED, STATUS = 1, 2, 3, 4, 7, 10

STATUSES = {0: "failed", 1: "completed", 5: "cancelled"}
PARTIAL = (2, 3, 4)
"""Codes of lines that are parts of a job that was swapped out; another line has the whole job."""

SOURCE = "Standard Workload Format 2.2 (www.cs.huji.ac.il/labs/parallel/workload/swf.html)"

PART = "a part of a job that has a line of its own"
UNKNOWN_RUN_TIME = "run time not known (-1)"
UNKNOWN_WIDTH = "number of processors not known (-1)"
ZERO_RUN_TIME = "run time 0"
UNKNOWN = "UNKNOWN"
SHOWN_TEXT = 40


def read_swf(path: Path, options: TraceOptions) -> pd.DataFrame:
    """Trace of an SWF file, plain or compressed.

    GPUs are processors over `processors_per_gpu`. Where the header knows `UnixStartTime`, hours of the day
    and weekdays are by its `TimeZoneString`, or by `clock` where it has none; the header `TimeZone` is not
    read: the format deprecates it as wrong.

    Parameters
    ----------
    path
        The file.
    options
        `processors_per_gpu` is needed; `clock`.
    """
    findings = Findings()
    per_gpu = options.processors_per_gpu
    if per_gpu is None:
        what = "is missing: the format counts processors, not GPUs"
        findings.add("processors_per_gpu", what, "say how many processors stand for one GPU")
    elif not 0.0 < per_gpu < np.inf:
        findings.add("processors_per_gpu", f"is {per_gpu}", "give a number above 0")
    header, values = _read_lines(path, findings)
    start_s, zone = _clock(header, options.clock, findings)
    if not values.size and not findings:
        findings.add("rows", "there is none", "give a trace with at least one job")
    findings.raise_if_any(f"swf trace {path}")
    status, run = values[:, STATUS], values[:, RUN]
    width = np.where(values[:, ALLOCATED] > 0, values[:, ALLOCATED], values[:, REQUESTED])
    wait = np.where(values[:, WAIT] >= 0, values[:, WAIT], np.nan)
    reasons = Reasons(len(values))
    reasons.add(np.isin(status, PARTIAL), PART)
    reasons.add(run < 0, UNKNOWN_RUN_TIME)
    reasons.add(run == 0, ZERO_RUN_TIME)
    reasons.add(width <= 0, UNKNOWN_WIDTH)
    raw = RawJobs(
        submit_s=np.where(values[:, SUBMIT] >= 0, values[:, SUBMIT] + start_s, np.nan),
        duration_s=run,
        gpus=width / (per_gpu or np.nan),
        reasons=reasons,
        zone=zone,
        queue_s=wait,
        status=pd.Series(status).map(STATUSES),
        attrs={"processors_per_gpu": per_gpu, "computer": header.get("Computer", "")},
    )
    return to_trace(raw, path, options, trace="swf", source=SOURCE)


def _read_lines(path: Path, findings: Findings) -> tuple[dict[str, str], FloatArray]:
    """Return labels of the header, and fields of all jobs; lines that are neither are findings."""
    header: dict[str, str] = {}
    lines: list[int] = []
    rows: list[str] = []
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.strip()
                if text.startswith(";"):
                    label, colon, said = text.lstrip("; \t").partition(":")
                    if colon:
                        header.setdefault(label.strip(), said.strip())
                elif text:
                    lines.append(number)
                    rows.append(text)
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file", "give the path of the trace") from None
    except (EOFError, OSError, UnicodeDecodeError, zlib.error, lzma.LZMAError) as error:
        raise _unreadable(path, f"the file is damaged or cut off ({error})", "get it again") from error
    values = _fields(rows)
    bad = np.zeros(0, dtype=np.int64) if values.size else np.flatnonzero([not _is_job(row) for row in rows])
    if bad.size:
        shown = ", ".join(f"line {lines[i]} ({rows[i][:SHOWN_TEXT]!r})" for i in bad[:SHOWN])
        more = f" and {bad.size - SHOWN} more" if bad.size > SHOWN else ""
        findings.add("jobs", f"{shown}{more}", f"expected {N_FIELDS} numbers a line")
    return header, values


def _unreadable(path: Path, what: str, remedy: str) -> InputError:
    findings = Findings()
    findings.add(str(path), what, remedy)
    return InputError("swf trace", list(findings))


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    if path.suffix == ".bz2":
        return bz2.open(path, "rt", encoding="utf-8")
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _fields(rows: list[str]) -> FloatArray:
    """Fields of all lines; none at all where some line is no job."""
    nothing = np.zeros((0, N_FIELDS))
    try:
        table = pd.read_csv(io.StringIO("\n".join(rows)), sep=r"\s+", header=None, dtype=np.float64)
    except ValueError:  # also an empty table and lines that are too long
        return nothing
    values = table.to_numpy()
    return values if values.shape[1] == N_FIELDS and np.isfinite(values).all() else nothing


def _is_job(row: str) -> bool:
    """Whether a line has the numbers of a job."""
    fields = row.split()
    try:
        return len(fields) == N_FIELDS and all(np.isfinite(float(field)) for field in fields)
    except ValueError:
        return False


def _clock(header: dict[str, str], clock: str | None, findings: Findings) -> tuple[float, tzinfo | None]:
    """Unix time of the file's zero and the clock of its days; 0 and None where the file does not know."""
    told = header.get("UnixStartTime", UNKNOWN)
    named = header.get("TimeZoneString", UNKNOWN)
    zone = find_zone(clock, "clock", findings)
    try:
        start_s = None if told == UNKNOWN else float(told)
    except ValueError:
        findings.add("UnixStartTime", f"is {told!r}", f"expected seconds, or {UNKNOWN}")
        start_s = None
    if start_s is None:
        if clock is not None:
            what = "is given, but the file does not know when it starts (UnixStartTime)"
            findings.add("clock", what, "remove it: hours of the day stay unknown")
        return 0.0, None
    if zone is None and clock is None:
        if named == UNKNOWN:
            what = "is missing: the file has UnixStartTime, but no TimeZoneString"
            findings.add("clock", what, "give the clock of the computer's place")
        else:
            zone = find_zone(named, "TimeZoneString", findings)
    return start_s, zone
