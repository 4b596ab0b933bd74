"""What a trace asks for: jobs, sizes, durations, GPU-hours and arrival profile."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin._arrays import FloatArray
from twin.workloads.table import DAY_S, S_PER_H, check_trace


def trace_statistics(trace: pd.DataFrame) -> dict[str, float]:
    """Totals of a trace.

    Parameters
    ----------
    trace
        Columns `submit_s`, `duration_s`, `n_gpus`.

    Returns
    -------
    dict
        ``n_jobs``; ``n_duplicates``, rows equal to an earlier one; ``span_days``, from first to last
        submission; ``gpu_hours``; ``mean_gpus``, GPU-hours over the span; ``duration_median_h``,
        ``duration_mean_h``; ``share_one_gpu`` of the jobs; ``gpu_hours_share_ge_8_gpus``; ``max_gpus``.
    """
    check_trace(trace)
    n_gpus, hours = _sizes(trace)
    gpu_hours = n_gpus * hours
    span_s = float(trace["submit_s"].iloc[-1] - trace["submit_s"].iloc[0])
    return {
        "n_jobs": float(len(trace)),
        "n_duplicates": float(trace.duplicated().sum()),
        "span_days": span_s / DAY_S,
        "gpu_hours": float(gpu_hours.sum()),
        "mean_gpus": float(gpu_hours.sum()) / (span_s / S_PER_H) if span_s > 0 else np.inf,
        "duration_median_h": float(np.median(hours)),
        "duration_mean_h": float(hours.mean()),
        "share_one_gpu": float((n_gpus == 1).mean()),
        "gpu_hours_share_ge_8_gpus": float(gpu_hours[n_gpus >= 8].sum() / gpu_hours.sum()),
        "max_gpus": float(n_gpus.max()),
    }


def size_statistics(trace: pd.DataFrame) -> pd.DataFrame:
    """Jobs, GPU-hours and durations per device count.

    Parameters
    ----------
    trace
        Columns `submit_s`, `duration_s`, `n_gpus`.

    Returns
    -------
    DataFrame
        Indexed by `n_gpus`: `job_share`, `gpu_hours_share`, `duration_median_h`, `duration_mean_h`.
    """
    check_trace(trace)
    n_gpus, hours = _sizes(trace)
    table = pd.DataFrame({"n_gpus": n_gpus.astype(np.int64), "hours": hours, "gpu_hours": n_gpus * hours})
    groups = table.groupby("n_gpus")
    return pd.DataFrame(
        {
            "job_share": groups.size() / len(table),
            "gpu_hours_share": groups["gpu_hours"].sum() / table["gpu_hours"].sum(),
            "duration_median_h": groups["hours"].median(),
            "duration_mean_h": groups["hours"].mean(),
        }
    )


def arrival_profile(trace: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Arrivals by hour of day and by day of week, relative to their mean.

    Parameters
    ----------
    trace
        Columns `submit_s`, `duration_s`, `n_gpus`; its first day counts as day 0 of the week.

    Returns
    -------
    by_hour : ndarray
        24 values with mean 1.
    by_weekday : ndarray
        7 values with mean 1, from whole and begun weeks alike.
    """
    check_trace(trace)
    submit = trace["submit_s"].to_numpy(dtype=np.float64)
    hour = (submit % DAY_S // S_PER_H).astype(np.int64)
    day = (submit // DAY_S).astype(np.int64)
    by_hour = np.bincount(hour, minlength=24) / len(submit) * 24.0
    days_of = np.bincount(np.arange(day.max() + 1) % 7, minlength=7)
    per_day = np.bincount(day % 7, minlength=7) / np.maximum(days_of, 1)
    return by_hour, per_day / per_day.mean()


def mean_gpus_in_run(trace: pd.DataFrame, duration_s: float) -> float:
    """Mean devices in use from 0 to `duration_s` if every job starts when it is submitted.

    Parameters
    ----------
    trace
        Columns `submit_s`, `duration_s`, `n_gpus`.
    duration_s
        Length of the run. [s]

    Returns
    -------
    float
        Mean devices; work after the end does not count.
    """
    return float(gpu_seconds_in_run(trace, duration_s).sum() / duration_s)


def gpu_seconds_in_run(trace: pd.DataFrame, duration_s: float) -> FloatArray:
    """GPU-seconds of each job before `duration_s` if it starts when it is submitted."""
    submit = trace["submit_s"].to_numpy(dtype=np.float64)
    end = np.minimum(submit + trace["duration_s"].to_numpy(dtype=np.float64), duration_s)
    used: FloatArray = np.maximum(end - submit, 0.0) * trace["n_gpus"].to_numpy(dtype=np.float64)
    return used


def _sizes(trace: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Device counts and durations in hours."""
    return trace["n_gpus"].to_numpy(dtype=np.float64), trace["duration_s"].to_numpy(
        dtype=np.float64
    ) / S_PER_H
