"""From rows of a trace file to a trace: what readers are told, reasons to set rows aside, whole GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from twin._arrays import BoolArray, FloatArray
from twin.workloads.cells import raise_no_rows
from twin.workloads.table import DAY_S, S_PER_H, check_trace
from weather import PathLike

GPU_ROUNDING = 1e-6
"""Widths this much above a whole number are that number: sums of percentages are not exact."""

STILL_RUNNING = "still running at the end of the trace"
NO_SUBMISSION = "no time of submission"
NO_START = "never started"
NO_END = "no end"
NO_GPU = "no GPU"
NO_RUN_TIME = "no run time"
BEFORE_SUBMISSION = "started before it was submitted"
NO_SUCH_HOUR = "a time in an hour that the clock skips or has twice"


@dataclass(frozen=True)
class TraceOptions:
    """What a caller tells readers of traces.

    Attributes
    ----------
    clock : str, optional
        Clock of stamps that state none, and by which days are counted: a name as Asia/Shanghai or an offset
        as +08:00.
    tasks : path, optional
        Second file of a trace that has one: the task table of ``pai``.
    processors_per_gpu : float, optional
        Processors that count as one GPU, in formats that know processors only.
    columns : mapping, optional
        Columns of a table by their meaning (`twin.workloads.plain.MEANINGS`).
    censored : {'keep', 'drop'}
        What becomes of jobs still running at the end of the trace: kept with what they ran, or set aside.
    """

    clock: str | None = None
    tasks: PathLike | None = None
    processors_per_gpu: float | None = None
    columns: Mapping[str, str] | None = None
    censored: Literal["keep", "drop"] = "keep"

    def given(self) -> set[str]:
        """Names of the options that are not as by default."""
        named = {name: getattr(self, name) for name in ("clock", "tasks", "processors_per_gpu", "columns")}
        return {name for name, value in named.items() if value is not None} | (
            {"censored"} if self.censored != "keep" else set()
        )


class Reasons:
    """First reason for which each row of a file is no job that can run.

    Parameters
    ----------
    n_rows
        Rows of the file.
    """

    def __init__(self, n_rows: int) -> None:
        self.of_row = np.full(n_rows, "", dtype=object)

    def add(self, where: BoolArray, why: str) -> None:
        """Give rows that have no reason yet this one."""
        self.of_row[where & (self.of_row == "")] = why

    @property
    def usable(self) -> BoolArray:
        """Rows without a reason."""
        free: BoolArray = np.asarray(self.of_row == "", dtype=np.bool_)
        return free

    def counts(self) -> dict[str, int]:
        """Rows set aside by reason, most first."""
        counted = pd.Series(self.of_row[~self.usable]).value_counts()
        return {str(reason): int(count) for reason, count in counted.items()}


@dataclass
class RawJobs:
    """Rows of a file; NaN where a value is not known.

    Attributes
    ----------
    submit_s : ndarray
        Submission: Unix time where `zone` is known, else seconds from a zero of the file's own. [s]
    duration_s : ndarray
        Run time. [s]
    gpus : ndarray
        Devices, with fractions.
    reasons : Reasons
        Why rows are set aside.
    zone : tzinfo, optional
        Clock by which days are counted.
    queue_s : ndarray, optional
        Time from submission to start. [s]
    status : Series, optional
        How jobs ended.
    censored : ndarray, optional
        Jobs that were still running at the end of the trace.
    ranges : dict of ndarray
        Fewest and most devices of elastic jobs, `min_gpus` and `max_gpus`, as far as the file has them.
    attrs : dict
        More that is recorded with the trace.
    """

    submit_s: FloatArray
    duration_s: FloatArray
    gpus: FloatArray
    reasons: Reasons
    zone: tzinfo | None = None
    queue_s: FloatArray | None = None
    status: pd.Series | None = None
    censored: BoolArray | None = None
    ranges: dict[str, FloatArray] = field(default_factory=dict)
    attrs: dict[str, object] = field(default_factory=dict)


def to_trace(raw: RawJobs, path: Path, options: TraceOptions, *, trace: str, source: str) -> pd.DataFrame:
    """Trace of the rows that are jobs; its `attrs` tell what was set aside, rounded up and cut by the end."""
    reasons = raw.reasons
    with np.errstate(invalid="ignore"):
        reasons.add(np.isnan(raw.submit_s), NO_SUBMISSION)
        reasons.add(~(raw.gpus > 0), NO_GPU)
        if raw.queue_s is not None:
            reasons.add(raw.queue_s < 0, BEFORE_SUBMISSION)
        reasons.add(~(raw.duration_s > 0), NO_RUN_TIME)
    censored = np.zeros(len(raw.submit_s), dtype=np.bool_) if raw.censored is None else raw.censored
    if options.censored == "drop":
        reasons.add(censored, STILL_RUNNING)
    kept = reasons.usable
    if not kept.any():
        raise_no_rows(path, reasons.counts())
    submit, first_day = _from_first_midnight(raw.submit_s[kept], raw.zone)
    exact = raw.gpus[kept]
    whole = np.maximum(np.ceil(exact - GPU_ROUNDING), 1.0)
    hours = raw.duration_s[kept] / S_PER_H
    up = whole - exact > GPU_ROUNDING
    result = pd.DataFrame(
        {"submit_s": submit, "duration_s": raw.duration_s[kept], "n_gpus": whole.astype(np.int64)}
    )
    if raw.queue_s is not None:
        result["queue_s"] = raw.queue_s[kept]
    if raw.status is not None:
        result["status"] = raw.status.fillna("").to_numpy(dtype=object)[kept]
    for name, n_gpus in raw.ranges.items():
        # A job without a number has the one it was recorded with.
        result[name] = np.where(np.isnan(n_gpus[kept]), whole, np.rint(n_gpus[kept])).astype(np.int64)
    result = result.sort_values(["submit_s", "n_gpus", "duration_s"], ignore_index=True, kind="stable")
    check_trace(result)
    result.attrs = {
        "trace": trace,
        "source": source,
        "synthetic": 0,
        "gpu_type": "",
        "first_day": first_day,
        "clock": "" if raw.zone is None else str(raw.zone),
        "n_rows": len(kept),
        "set_aside": reasons.counts(),
        "n_rounded_up": int(up.sum()),
        "rounding_gpu_h": float(((whole - exact) * hours)[up].sum()),
        "censored": options.censored,
        "n_censored": int(censored[kept].sum()),
        "censored_gpu_h": float((whole * hours)[censored[kept]].sum()),
        **raw.attrs,
    }
    return result


def _from_first_midnight(submit_s: FloatArray, zone: tzinfo | None) -> tuple[FloatArray, str]:
    """Seconds that passed since 00:00 of the first day, and that day; without a clock, days of the file."""
    first = float(submit_s.min())
    if zone is None:
        return submit_s - np.floor(first / DAY_S) * DAY_S, ""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    local = (epoch + timedelta(seconds=first)).astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return submit_s - (midnight.astimezone(UTC) - epoch).total_seconds(), f"{local:%Y-%m-%d}"
