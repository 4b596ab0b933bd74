"""What a trace is like: quantiles, load by hour and weekday, concentration, how jobs ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from twin._arrays import FloatArray
from twin.workloads.table import DAY_S, S_PER_H, check_trace

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
LARGEST = (0.01, 0.1)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_ROUNDING = 1e-9


@dataclass(frozen=True)
class TraceSummary:
    """What `summarize_trace` tells.

    Attributes
    ----------
    totals : dict
        ``n_jobs``, ``gpu_hours``, ``span_days`` from first to last submission, ``mean_gpus`` in use over it,
        and of the trace's record, where it has one: ``n_rows``, ``n_set_aside``, ``n_rounded_up``,
        ``rounding_gpu_h``, ``n_censored``.
    set_aside : dict
        Rows of the file that are no jobs, by reason.
    quantiles : DataFrame
        Rows `n_gpus`, `duration_h`, `gpu_hours`, `queue_h` and `interarrival_s`, columns of `QUANTILES` and
        ``mean``; NaN where not known.
    by_hour : DataFrame
        Per hour of the day: `jobs`, submissions per hour; `gpu_hours`, GPU-hours of what is submitted, per
        hour; `gpus_in_use`, the mean. NaN in hours that the trace does not cover.
    by_weekday : DataFrame
        The same per day of the week.
    clock_known : bool
        Whether hours and weekdays are those of a clock; they count from the file's own zero otherwise.
    concentration : dict
        Share of GPU-hours in the largest jobs, by their share of all jobs (`LARGEST`).
    status : DataFrame or None
        How jobs ended: `job_share` and `gpu_hours_share`; None where the trace does not tell.
    """

    totals: dict[str, float]
    set_aside: dict[str, int]
    quantiles: pd.DataFrame
    by_hour: pd.DataFrame
    by_weekday: pd.DataFrame
    clock_known: bool
    concentration: dict[float, float]
    status: pd.DataFrame | None


def summarize_trace(trace: pd.DataFrame) -> TraceSummary:
    """Totals, quantiles, load over the day and the week, concentration and ends of a trace's jobs.

    Parameters
    ----------
    trace
        Columns as in `TRACE_COLUMNS`, maybe `queue_s` and `status`.

    Returns
    -------
    TraceSummary
        Load is of the time from first to last submission. Jobs are in use from their recorded start, and from
        submission where their queueing is not known.

    Raises
    ------
    InputError
        Where the table is no trace.
    """
    check_trace(trace)
    submit, duration, n_gpus = (
        trace[name].to_numpy(dtype=np.float64) for name in ("submit_s", "duration_s", "n_gpus")
    )
    queue = trace["queue_s"].to_numpy(dtype=np.float64) if "queue_s" in trace else np.full(len(trace), np.nan)
    gpu_hours = n_gpus * duration / S_PER_H
    start = submit + np.nan_to_num(queue)
    hourly = _hourly(submit, start, start + duration, n_gpus, gpu_hours)
    weekday = _weekday_of_day_0(trace)
    names = WEEKDAYS if weekday is not None else tuple(f"day {k}" for k in range(7))
    day = (hourly["hour"] // 24 + (weekday or 0)) % 7
    record = {
        name: trace.attrs.get(name) for name in ("n_rows", "n_rounded_up", "rounding_gpu_h", "n_censored")
    }
    set_aside = {str(reason): int(count) for reason, count in trace.attrs.get("set_aside", {}).items()}
    span_s = submit[-1] - submit[0]
    used_s = float((hourly["gpu_s"]).sum())
    return TraceSummary(
        totals={
            "n_jobs": float(len(trace)),
            "gpu_hours": float(gpu_hours.sum()),
            "span_days": float(span_s / DAY_S),
            "mean_gpus": float(used_s / span_s) if span_s > 0 else np.nan,
            "n_set_aside": float(sum(set_aside.values())),
            **{name: float(value) for name, value in record.items() if value is not None},
        },
        set_aside=set_aside,
        quantiles=_quantiles(
            {
                "n_gpus": n_gpus,
                "duration_h": duration / S_PER_H,
                "gpu_hours": gpu_hours,
                "queue_h": queue / S_PER_H,
                "interarrival_s": np.diff(submit),
            }
        ),
        by_hour=_means(hourly, hourly["hour"] % 24, pd.RangeIndex(24, name="hour")),
        by_weekday=_means(hourly, day, pd.RangeIndex(7)).set_axis(pd.Index(names, name="weekday")),
        clock_known=weekday is not None,
        concentration=_concentration(gpu_hours),
        status=_ends(trace, gpu_hours),
    )


def _quantiles(values: dict[str, FloatArray]) -> pd.DataFrame:
    """Quantiles and mean of what is known of each."""
    rows = {}
    for name, column in values.items():
        known = column[~np.isnan(column)]
        told = (
            [*np.quantile(known, QUANTILES), known.mean()] if known.size else [np.nan] * (len(QUANTILES) + 1)
        )
        rows[name] = told
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*QUANTILES, "mean"])


def _hourly(
    submit: FloatArray, start: FloatArray, end: FloatArray, n_gpus: FloatArray, gpu_hours: FloatArray
) -> pd.DataFrame:
    """Submissions, their GPU-hours, and GPU-seconds in use in each hour from first to last submission."""
    first, last = int(submit[0] // S_PER_H), int(submit[-1] // S_PER_H)
    edges = np.clip(np.arange(first, last + 2) * S_PER_H, submit[0], submit[-1])
    hour = (submit // S_PER_H).astype(np.int64) - first
    n_hours = last - first + 1
    used = _work_until(edges, start, n_gpus) - _work_until(edges, end, n_gpus)
    return pd.DataFrame(
        {
            "hour": np.arange(first, last + 1),
            "covered_s": np.diff(edges),
            "jobs": np.bincount(hour, minlength=n_hours),
            "gpu_hours": np.bincount(hour, weights=gpu_hours, minlength=n_hours),
            "gpu_s": np.diff(used),
        }
    )


def _work_until(times: FloatArray, since: FloatArray, n_gpus: FloatArray) -> FloatArray:
    """GPU-seconds up to each time if all jobs ran on from `since`."""
    order = np.argsort(since, kind="stable")
    gpus = np.concatenate([[0.0], np.cumsum(n_gpus[order])])
    weighted = np.concatenate([[0.0], np.cumsum((n_gpus * since)[order])])
    k = np.searchsorted(since[order], times, side="right")
    work: FloatArray = gpus[k] * times - weighted[k]
    return work


def _means(hourly: pd.DataFrame, group: pd.Series, index: pd.RangeIndex) -> pd.DataFrame:
    """Means over the covered time of each group of hours."""
    sums = hourly.drop(columns="hour").groupby(group).sum().reindex(index)
    covered = sums["covered_s"].where(sums["covered_s"] > 0)
    return pd.DataFrame(
        {
            "jobs": sums["jobs"] / covered * S_PER_H,
            "gpu_hours": sums["gpu_hours"] / covered * S_PER_H,
            "gpus_in_use": sums["gpu_s"] / covered,
        }
    )


def _weekday_of_day_0(trace: pd.DataFrame) -> int | None:
    """Weekday of the first day, 0 for Monday, from the trace's record; None where not known."""
    first_day = str(trace.attrs.get("first_day", ""))
    if first_day in WEEKDAYS:
        return WEEKDAYS.index(first_day)
    return pd.Timestamp(first_day).weekday() if first_day else None


def _concentration(gpu_hours: FloatArray) -> dict[float, float]:
    largest = np.sort(gpu_hours)[::-1]
    counts = {share: int(np.ceil(share * len(largest) - _ROUNDING)) for share in LARGEST}
    return {share: float(largest[:count].sum() / largest.sum()) for share, count in counts.items()}


def _ends(trace: pd.DataFrame, gpu_hours: FloatArray) -> pd.DataFrame | None:
    if "status" not in trace:
        return None
    groups = pd.DataFrame({"status": trace["status"].to_numpy(), "gpu_hours": gpu_hours}).groupby("status")
    told = pd.DataFrame(
        {
            "job_share": groups.size() / len(trace),
            "gpu_hours_share": groups["gpu_hours"].sum() / gpu_hours.sum(),
        }
    )
    return told.sort_values("job_share", ascending=False, kind="stable")
