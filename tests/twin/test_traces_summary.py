"""What `summarize_trace` tells of a trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.workloads import arrival_profile, generate_trace, read_philly, summarize_trace, trace_statistics
from weather import InputError

HOUR, DAY = 3600.0, 86400.0


def trace_of(rows: list[tuple[float, float, int]], **more: list[object]) -> pd.DataFrame:
    trace = pd.DataFrame(rows, columns=["submit_s", "duration_s", "n_gpus"])
    return trace.assign(**more)


def test_quantiles_and_totals_by_hand() -> None:
    trace = trace_of([(0.0, HOUR, 1), (100.0, 2 * HOUR, 2), (400.0, 3 * HOUR, 8), (HOUR, HOUR, 1)])
    trace = trace.assign(queue_s=[0.0, 1800.0, np.nan, 3600.0])
    found = summarize_trace(trace)
    assert found.totals["n_jobs"] == 4
    assert found.totals["gpu_hours"] == 1 + 4 + 24 + 1
    assert found.totals["span_days"] == pytest.approx(1 / 24)
    assert found.quantiles.loc["n_gpus", [0.0, 0.5, 1.0, "mean"]].tolist() == [1, 1.5, 8, 3]
    assert found.quantiles.loc["duration_h", [0.25, 0.5]].tolist() == [1, 1.5]
    # Queueing that is not known does not count.
    assert found.quantiles.loc["queue_h", [0.0, 0.5, 1.0]].tolist() == [0, 0.5, 1]
    assert found.quantiles.loc["interarrival_s", [0.0, 0.5, 1.0]].tolist() == [100, 300, 3200]


def test_load_by_hour_and_weekday_by_hand() -> None:
    # Sunday 23:30 to Monday 01:00: 2 GPUs from 23:45 (15 min queued) for half an hour, 4 from 00:30 on.
    trace = trace_of([(84600.0, 1800.0, 2), (DAY + 1800, HOUR, 4), (DAY + HOUR, HOUR, 1)])
    trace = trace.assign(queue_s=[900.0, 0.0, 0.0])
    trace.attrs["first_day"] = "2023-01-01"
    found = summarize_trace(trace)
    assert found.clock_known
    assert found.by_hour["gpus_in_use"].dropna().to_dict() == pytest.approx({23: 1.0, 0: 2.5})
    assert found.by_hour.loc[23, "jobs"] == pytest.approx(2.0)  # one in half an hour
    assert found.by_weekday["gpus_in_use"].dropna().to_dict() == pytest.approx({"Sunday": 1.0, "Monday": 2.5})
    assert found.totals["mean_gpus"] == pytest.approx((2 * 0.5 + 4 * 0.5) / 1.5)


def test_without_a_calendar_days_have_numbers() -> None:
    found = summarize_trace(trace_of([(0.0, HOUR, 1), (8 * DAY, HOUR, 1)]))
    assert not found.clock_known
    assert list(found.by_weekday.index) == [f"day {k}" for k in range(7)]
    synthetic = summarize_trace(generate_trace(seed=1, duration_s=DAY))
    assert synthetic.by_weekday.index[0] == "Monday"


def test_concentration_by_hand() -> None:
    rows = [(float(k), HOUR, 1) for k in range(198)] + [(198.0, 100 * HOUR, 1), (199.0, 100 * HOUR, 2)]
    found = summarize_trace(trace_of(rows))
    assert found.concentration == {0.01: pytest.approx(300 / 498), 0.1: pytest.approx(318 / 498)}
    # Of ten jobs the largest hundredth is the largest one.
    assert summarize_trace(trace_of(rows[:10])).concentration == {0.01: 0.1, 0.1: 0.1}


def test_ends_of_jobs_where_known() -> None:
    rows = [(0.0, HOUR, 1), (1.0, HOUR, 1), (2.0, HOUR, 2)]
    assert summarize_trace(trace_of(rows)).status is None
    found = summarize_trace(trace_of(rows, status=["completed", "completed", "failed"])).status
    assert found is not None
    assert found["job_share"].to_dict() == pytest.approx({"completed": 2 / 3, "failed": 1 / 3})
    assert found["gpu_hours_share"].to_dict() == pytest.approx({"completed": 0.5, "failed": 0.5})


def test_one_job_has_no_load_over_time() -> None:
    found = summarize_trace(trace_of([(10.0, HOUR, 1)]))
    assert np.isnan(found.totals["mean_gpus"])
    assert found.by_hour.isna().all(axis=None)
    assert found.quantiles.loc["interarrival_s"].isna().all()


def test_queueing_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="queue_s: -1 in row 0"):
        summarize_trace(trace_of([(0.0, HOUR, 1)], queue_s=[-1.0]))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 10 * 24 * 4), st.integers(1, 400), st.integers(1, 64)),
        min_size=2,
        max_size=25,
    )
)
def test_load_equals_that_counted_quarter_by_quarter(rows: list[tuple[int, int, int]]) -> None:
    rows = sorted(rows)
    trace = trace_of([(q * 900.0, d * 900.0, n) for q, d, n in rows])
    found = summarize_trace(trace)
    first, last = rows[0][0], rows[-1][0]
    quarters = np.arange(first, last)
    used = np.array([sum(n for q, d, n in rows if q <= t < q + d) for t in quarters], dtype=float)
    hours = quarters // 4 % 24
    expected = {int(h): used[hours == h].mean() for h in np.unique(hours)}
    assert found.by_hour["gpus_in_use"].dropna().to_dict() == pytest.approx(expected)
    if first < last:
        assert found.totals["mean_gpus"] == pytest.approx(used.mean())


def test_philly_agrees_with_its_other_statistics(real_data: Path) -> None:
    trace = read_philly(real_data / "workload_philly" / "philly.csv.gz")
    found, others = summarize_trace(trace), trace_statistics(trace)
    for name in ("n_jobs", "gpu_hours", "span_days"):
        assert found.totals[name] == pytest.approx(others[name])
    assert found.quantiles.loc["duration_h", 0.5] == pytest.approx(others["duration_median_h"])
    assert found.totals["mean_gpus"] < others["mean_gpus"]  # work after the last submission is not in use
    by_hour, _ = arrival_profile(trace)
    jobs = found.by_hour["jobs"].to_numpy()
    np.testing.assert_allclose(jobs / jobs.mean(), by_hour, rtol=0.02)
    assert found.by_weekday["jobs"].idxmax() == "Sunday" or found.clock_known
