"""Reading a recorded trace: formats by name, found from content where that tells, and what each needs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from twin.workloads import pai
from twin.workloads.acme_helios import COLUMNS as STAMPED_COLUMNS
from twin.workloads.acme_helios import read_acme, read_helios
from twin.workloads.cells import find_zone
from twin.workloads.openb import COLUMNS as OPENB_COLUMNS
from twin.workloads.openb import read_openb
from twin.workloads.philly import COLUMNS as PHILLY_COLUMNS
from twin.workloads.philly import read_philly
from twin.workloads.plain import OWN, column_findings, header_findings, read_table
from twin.workloads.raw import TraceOptions
from twin.workloads.swf import N_FIELDS, read_swf
from weather import Finding, Findings, InputError, PathLike

HEAD_BYTES = 20_000
PARQUET = "PAR1"

OPTIONS = ("clock", "tasks", "processors_per_gpu", "columns", "censored")
"""Names of the options of `TraceOptions`."""


@dataclass(frozen=True)
class TraceFormat:
    """A format of trace files.

    Attributes
    ----------
    about : str
        What it is, in a line.
    read : callable
        Reader of a path with `TraceOptions`.
    looks_so : callable
        Whether the first lines of a file are of this format.
    needs : tuple of str
        Options that must be given.
    takes : tuple of str
        Options that may be given.
    columns : tuple of str
        Columns of its header, of those that have one.
    """

    about: str
    read: Callable[[Path, TraceOptions], pd.DataFrame]
    looks_so: Callable[[list[str]], bool]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def read_trace(
    path: PathLike,
    format: str | None = None,
    *,
    clock: str | None = None,
    tasks: PathLike | None = None,
    processors_per_gpu: float | None = None,
    columns: Mapping[str, str] | None = None,
    censored: Literal["keep", "drop"] = "keep",
) -> pd.DataFrame:
    """Read a recorded trace of any format in `TRACE_FORMATS`.

    Parameters
    ----------
    path
        Its file, plain or compressed.
    format
        Key of `TRACE_FORMATS`; found from the first lines where None.
    clock
        Clock of stamps that state none (``helios``, ``table``) and by which days are counted: a name as
        Asia/Shanghai or an offset as +08:00.
    tasks
        Task table of ``pai``.
    processors_per_gpu
        Processors of ``swf`` that stand for one GPU.
    columns
        Columns of ``table`` by their meaning (`twin.workloads.plain.MEANINGS`).
    censored
        What becomes of jobs still running at the end of the trace, where it tells: ``keep`` takes them with
        the time they ran, ``drop`` sets them aside.

    Returns
    -------
    DataFrame
        Columns as in `TRACE_COLUMNS`, and of `OPTIONAL_TRACE_COLUMNS` those that the format knows, sorted.
        Fractions of GPUs are rounded up. `attrs`: trace, source, first_day and clock (empty where not known),
        n_rows, set_aside (rows that are no jobs that can run, by reason), n_rounded_up and rounding_gpu_h
        (GPU-hours that rounding added), n_censored and censored_gpu_h, and what a format adds.

    Raises
    ------
    InputError
        With every finding: a format that is unknown or can not be told, options that are missing or have no
        use, files that are absent or damaged, cells that hold no value with their lines, or no row that is a
        job.
    """
    options = TraceOptions(clock, tasks, processors_per_gpu, columns, censored)
    if format is None:
        format = find_format(path, options)
    findings = option_findings(format, options)
    findings.raise_if_any(f"trace {path}")
    return TRACE_FORMATS[format].read(Path(path), options)


def find_format(path: PathLike, options: TraceOptions | None = None) -> str:
    """Format of a file by its first lines; a file of unknown columns is a table if `columns` are given.

    Parameters
    ----------
    path
        The file.
    options
        What the caller tells.

    Raises
    ------
    InputError
        Where the file is absent or empty, or its content does not tell.
    """
    found = _looks(_head(Path(path)))
    if len(found) == 1:
        return found[0]
    if options is not None and options.columns is not None:
        return "table"
    what = "the first lines are of no known format"
    remedy = f"give format, one of {', '.join(TRACE_FORMATS)}; table takes any with columns"
    raise InputError(f"trace {path}", [Finding("format", what, remedy)])


def option_findings(format: str, options: TraceOptions) -> Findings:
    """What is wrong with the options of a format, without looking at any file.

    Parameters
    ----------
    format
        Key of `TRACE_FORMATS`.
    options
        What the caller tells.
    """
    findings = Findings()
    if format not in TRACE_FORMATS:
        findings.add("format", f"unknown format {format!r}", f"choose one of {', '.join(TRACE_FORMATS)}")
        return findings
    rules = TRACE_FORMATS[format]
    given = options.given()
    for name in OPTIONS:
        if name in rules.needs and name not in given:
            findings.add(name, f"is missing: {format} needs it", _REMEDIES[name])
        elif name in given and name not in rules.needs and name not in rules.takes:
            findings.add(name, f"is given, but {format} has no use for it", "remove it")
    if options.censored not in ("keep", "drop"):
        findings.add("censored", f"is {options.censored!r}", "choose 'keep' or 'drop'")
    if "clock" in given:
        find_zone(options.clock, "clock", findings)
    per_gpu = options.processors_per_gpu
    if per_gpu is not None and not 0.0 < per_gpu < float("inf"):
        findings.add("processors_per_gpu", f"is {per_gpu}", "give a number above 0")
    if format == "table":
        findings.extend(column_findings(options.columns))
    return findings


def head_findings(format: str, path: PathLike, options: TraceOptions) -> Findings:
    """What the first lines of a file tell against a format, without reading all of it.

    Parameters
    ----------
    format
        Key of `TRACE_FORMATS`.
    path
        The file.
    options
        What the caller tells.
    """
    findings = Findings()
    try:
        head = _head(Path(path))
        if format == "table":
            if not column_findings(options.columns):
                findings.extend(header_findings(Path(path), options.columns))
        elif not TRACE_FORMATS[format].looks_so(head):
            found = _looks(head)
            lacking = [name for name in TRACE_FORMATS[format].columns if name not in _cells_of(head[0])]
            if found:
                what = f"looks like {found[0]}, not like {format}"
            elif lacking:
                what = f"the header lacks {', '.join(lacking)}, which {format} has"
            else:
                what = f"does not look like {format}"
            findings.add(str(path), what, "name the right file, or the right format")
        if "tasks" in TRACE_FORMATS[format].needs and options.tasks is not None:
            width = len(_cells_of(_head(Path(str(options.tasks)))[0]))
            if width != len(pai.TASK_COLUMNS):
                what = f"line 1 has {width} columns"
                findings.add(str(options.tasks), what, f"expected {', '.join(pai.TASK_COLUMNS)}")
    except InputError as error:
        findings.extend(error.findings)
    return findings


def _looks(head: list[str]) -> list[str]:
    return [name for name, rules in TRACE_FORMATS.items() if rules.looks_so(head)]


def _head(path: Path) -> list[str]:
    """First lines of a file that are not blank; only the mark of Parquet where it is that."""
    try:
        with path.open("rb") as file:
            data = file.read(HEAD_BYTES)
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(path, "rb") as unpacked:
                data = unpacked.read(HEAD_BYTES)
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file", "give the path of the trace") from None
    except (EOFError, OSError, zlib.error) as error:
        raise _unreadable(path, f"the file is damaged or cut off ({error})", "get it again") from error
    if data[257:262] == b"ustar":
        raise _unreadable(path, "an archive of files", "unpack it and name the file in it")
    if data.startswith(PARQUET.encode()):
        return [PARQUET]
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise _unreadable(path, "the file is empty", "get it again")
    return lines


def _unreadable(path: Path, what: str, remedy: str) -> InputError:
    return InputError("trace", [Finding(str(path), what, remedy)])


def _cells_of(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(",")]


def _header(*names: str, without: str | None = None) -> Callable[[list[str]], bool]:
    """Whether a header has some columns, and lacks one."""

    def looks_so(head: list[str]) -> bool:
        there = _cells_of(head[0])
        return set(names) <= set(there) and without not in there

    return looks_so


def _looks_like_pai(head: list[str]) -> bool:
    cells = _cells_of(head[0])
    named = tuple(cells) == pai.JOB_COLUMNS
    return named or (len(cells) == len(pai.JOB_COLUMNS) and cells[3] in pai.STATUSES)


def _looks_like_table(head: list[str]) -> bool:
    return head[0] == PARQUET or set(OWN.values()) <= set(_cells_of(head[0]))


def _looks_like_swf(head: list[str]) -> bool:
    first = next((line for line in head if not line.lstrip().startswith(";")), None)
    if first is None:
        return True
    cells = first.split()
    return len(cells) == N_FIELDS and all(cell.lstrip("-").replace(".", "", 1).isdigit() for cell in cells)


def _philly(path: Path, options: TraceOptions) -> pd.DataFrame:
    del options  # it takes none
    return read_philly(path)


_KEYS = {"tasks": "tasks_path"}
"""Scenario keys of options, where they have another name."""

_REMEDIES = {
    "clock": "give the clock of the stamps, such as Asia/Shanghai or +08:00",
    "tasks": "give the task table, pai_task_table.csv: it has the GPUs",
    "processors_per_gpu": "say how many processors stand for one GPU",
}

TRACE_FORMATS: dict[str, TraceFormat] = {
    "acme": TraceFormat(
        "Acme 2023, clusters Seren and Kalos: trace_*.csv",
        read_acme,
        _header(*STAMPED_COLUMNS, "gpu_time", without="vc"),
        takes=("clock", "censored"),
        columns=(*STAMPED_COLUMNS, "gpu_time"),
    ),
    "helios": TraceFormat(
        "Helios 2020: cluster_log.csv",
        read_helios,
        _header(*STAMPED_COLUMNS, "vc"),
        needs=("clock",),
        takes=("censored",),
        columns=(*STAMPED_COLUMNS, "vc"),
    ),
    "openb": TraceFormat(
        "Alibaba 2023: openb_pod_list_*.csv",
        read_openb,
        _header(*OPENB_COLUMNS),
        takes=("censored",),
        columns=OPENB_COLUMNS,
    ),
    "pai": TraceFormat(
        "Alibaba PAI 2020: pai_job_table.csv with pai_task_table.csv",
        pai.read_pai,
        _looks_like_pai,
        needs=("tasks",),
    ),
    "philly": TraceFormat(
        "Philly 2017 as reduced by ElasticFlow", _philly, _header(*PHILLY_COLUMNS), columns=PHILLY_COLUMNS
    ),
    "swf": TraceFormat(
        "Standard Workload Format 2.2",
        read_swf,
        _looks_like_swf,
        needs=("processors_per_gpu",),
        takes=("clock",),
    ),
    "table": TraceFormat(
        "any CSV or Parquet table with a column map",
        read_table,
        _looks_like_table,
        takes=("clock", "columns"),
    ),
}
"""Formats by name."""


def trace_lines() -> list[str]:
    """Traces of scenarios, a line each: name, what it is, and options that must be given."""
    told = {name: (rules.about, rules.needs) for name, rules in TRACE_FORMATS.items()}
    told["synthetic"] = ("jobs with Philly's sizes, durations and arrival profile", ())
    return [
        f"{name:<12}{about}" + "".join(f"; needs {_KEYS.get(need, need)}" for need in needs)
        for name, (about, needs) in sorted(told.items())
    ]
