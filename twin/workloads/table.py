"""Traces and job tables: what their columns mean, and the checks at the door."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin._arrays import BoolArray, FloatArray
from weather import Findings

TRACE_COLUMNS: dict[str, str] = {
    "submit_s": "submission, seconds after 00:00 of the trace's first day",
    "duration_s": "run time [s]",
    "n_gpus": "devices",
}
"""A trace as read or generated, sorted by `submit_s`; its `attrs` name the source."""

OPTIONAL_TRACE_COLUMNS: dict[str, str] = {
    "queue_s": "time from submission to start in the recorded cluster; NaN where not known [s]",
    "status": "how the job ended there, such as completed, failed, cancelled; empty where not known",
    "min_gpus": "fewest devices of an elastic job",
    "max_gpus": "most devices of an elastic job",
}
"""Columns a trace may have beside `TRACE_COLUMNS`; jobs are made without them."""

JOB_COLUMNS: dict[str, str] = {
    "job_id": "number of the job, unique",
    "submit_s": "submission, seconds after the start of the run",
    "n_gpus": "devices of the whole bundle, after fleet_scale",
    "work_gpu_h": "work of the bundle at the reference device [GPU-h]",
    "checkpoint_gb": "checkpoints of the bundle together [GB]",
    "deadline_s": "latest end, seconds after the start of the run; inf without one",
    "migratable": "whether it may move",
    "origin": "index of the site it is submitted to",
    "gpu_type": "device it was recorded on; empty if not known",
}
"""A job table as the loop takes it, sorted by `submit_s`. A bundle is `fleet_scale` equal jobs that move
together."""

OPTIONAL_JOB_COLUMNS: dict[str, str] = {
    "model": "model it trains, a key of `twin.workloads.models.MODELS`",
    "pausable": "whether it may pause; all may where the column is absent",
    "placeable": "whether it may start elsewhere than at its origin; as `migratable` where absent",
    "memory_gb_per_gpu": "device memory it needs on each GPU; it fits every device where absent [GB]",
    "priority": "among the queued of a site the higher start first; 0 where absent",
    "min_gpus": "fewest devices of an elastic job; `n_gpus` where absent",
    "max_gpus": "most devices of an elastic job; `n_gpus` where absent",
}
"""Columns a job table may have beside `JOB_COLUMNS`."""

S_PER_H = 3600.0
DAY_S = 86400.0
SHOWN = 5


def check_trace(trace: pd.DataFrame) -> None:
    """Raise unless a table is a trace.

    Parameters
    ----------
    trace
        Columns as in `TRACE_COLUMNS`, and maybe in `OPTIONAL_TRACE_COLUMNS`.

    Raises
    ------
    InputError
        With every finding: missing columns, no rows, not sorted, negative or missing values.
    """
    findings = Findings()
    if _has_columns(trace, TRACE_COLUMNS, findings):
        submit, duration, n_gpus = _floats(trace, tuple(TRACE_COLUMNS))
        _add_rows(findings, "submit_s", ~((submit >= 0) & np.isfinite(submit)), submit, "at least 0 s")
        _add_rows(findings, "duration_s", ~((duration > 0) & np.isfinite(duration)), duration, "above 0 s")
        _add_rows(findings, "n_gpus", ~_whole(n_gpus, 1), n_gpus, "whole and at least 1")
        if "queue_s" in trace:
            (queue,) = _floats(trace, ("queue_s",))
            _add_rows(findings, "queue_s", (queue < 0) | np.isinf(queue), queue, "at least 0 s, or NaN")
        _add_range(findings, trace, n_gpus)
        _add_order(findings, submit)
    findings.raise_if_any("trace")


def check_jobs(jobs: pd.DataFrame, n_sites: int | None = None) -> None:
    """Raise unless a table is a job table.

    Parameters
    ----------
    jobs
        Columns as in `JOB_COLUMNS`.
    n_sites
        Number of sites that `origin` may name; not checked where None.

    Raises
    ------
    InputError
        With every finding: missing columns, no rows, repeated ids, not sorted, negative or missing values,
        deadlines before submission, origins that are no site.
    """
    findings = Findings()
    if _has_columns(jobs, JOB_COLUMNS, findings):
        names = ("submit_s", "n_gpus", "work_gpu_h", "checkpoint_gb", "deadline_s", "origin")
        submit, n_gpus, work, checkpoint, deadline, origin = _floats(jobs, names)
        last = np.inf if n_sites is None else n_sites - 1
        _add_rows(findings, "submit_s", ~((submit >= 0) & np.isfinite(submit)), submit, "at least 0 s")
        _add_rows(findings, "n_gpus", ~_whole(n_gpus, 1), n_gpus, "whole and at least 1")
        _add_rows(findings, "work_gpu_h", ~((work > 0) & np.isfinite(work)), work, "above 0 GPU-h")
        bad = ~((checkpoint >= 0) & np.isfinite(checkpoint))
        _add_rows(findings, "checkpoint_gb", bad, checkpoint, "at least 0 GB")
        _add_rows(findings, "deadline_s", ~(deadline >= submit), deadline, "not before submit_s")
        _add_rows(
            findings, "origin", ~(_whole(origin, 0) & (origin <= last)), origin, f"a site, 0 to {last:g}"
        )
        if jobs["job_id"].duplicated().any():
            findings.add("job_id", "some are repeated", "give every job its own")
        for name in ("migratable", "pausable", "placeable"):
            if name in jobs and jobs[name].dtype != np.bool_:
                findings.add(name, f"is {jobs[name].dtype}", "give true or false")
        if "memory_gb_per_gpu" in jobs:
            (memory,) = _floats(jobs, ("memory_gb_per_gpu",))
            _add_rows(
                findings, "memory_gb_per_gpu", ~((memory >= 0) & np.isfinite(memory)), memory, "at least 0 GB"
            )
        if "priority" in jobs:
            (priority,) = _floats(jobs, ("priority",))
            _add_rows(findings, "priority", ~_whole(priority, None), priority, "whole")
        _add_range(findings, jobs, n_gpus)
        _add_order(findings, submit)
    findings.raise_if_any("job table")


def _has_columns(table: pd.DataFrame, columns: dict[str, str], findings: Findings) -> bool:
    """Whether all columns are there and some row; adds findings where not."""
    missing = [name for name in columns if name not in table.columns]
    for name in missing:
        findings.add(f"column {name!r}", "is missing", f"it holds: {columns[name]}")
    if len(table) == 0:
        findings.add("rows", "there is none", "give at least one job")
    return not missing and len(table) > 0


def _floats(table: pd.DataFrame, names: tuple[str, ...]) -> tuple[FloatArray, ...]:
    return tuple(
        pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for name in names
    )


def _whole(values: FloatArray, least: int | None) -> BoolArray:
    lowest = -np.inf if least is None else least
    with np.errstate(invalid="ignore"):
        whole: BoolArray = np.isfinite(values) & (values >= lowest) & (values == np.rint(values))
    return whole


def _add_rows(findings: Findings, column: str, bad: BoolArray, values: FloatArray, expected: str) -> None:
    """Add one finding for all bad rows of a column."""
    rows = np.flatnonzero(bad)
    if rows.size:
        shown = ", ".join(f"{values[i]:g} in row {i}" for i in rows[:SHOWN])
        more = f" and {rows.size - SHOWN} more" if rows.size > SHOWN else ""
        findings.add(column, f"{shown}{more}", f"values must be {expected}")


def _add_range(findings: Findings, table: pd.DataFrame, n_gpus: FloatArray) -> None:
    """Add findings for numbers of devices that do not hold the recorded one between them."""
    if "min_gpus" in table:
        (least,) = _floats(table, ("min_gpus",))
        bad = ~(_whole(least, 1) & (least <= n_gpus))
        _add_rows(findings, "min_gpus", bad, least, "whole, at least 1 and at most n_gpus")
    if "max_gpus" in table:
        (most,) = _floats(table, ("max_gpus",))
        bad = ~(_whole(most, 1) & (most >= n_gpus))
        _add_rows(findings, "max_gpus", bad, most, "whole and at least n_gpus")


def _add_order(findings: Findings, submit: FloatArray) -> None:
    if np.any(np.diff(submit) < 0):
        findings.add("submit_s", "is not sorted", "sort the table by submit_s")
