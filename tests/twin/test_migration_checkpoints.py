"""Periodic checkpoints: published formulas, the optimum found by search, failures drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from twin.migration_checkpoints import (
    daly_interval_s,
    expected_run_s,
    job_mtbf_s,
    lost_by_failure_s,
    young_interval_s,
)
from weather import InputError


def test_a_thousand_devices_fail_every_two_days() -> None:
    assert job_mtbf_s([1, 1000], 48_000.0).tolist() == [48_000.0 * 3600.0, 48.0 * 3600.0]


def test_the_failures_of_a_published_training() -> None:
    # 419 unexpected interruptions of 16,384 devices in 54 days: one in 3.1 h.
    assert float(job_mtbf_s(16_384)) / 3600.0 == pytest.approx(54 * 24 / 419, rel=0.02)


def test_intervals_by_hand() -> None:
    assert float(young_interval_s(50.0, 10_000.0)) == 1000.0
    # x = 50 / 20,000 = 0.0025: 1000 · (1 + 0.05 / 3 + 0.0025 / 9) − 50.
    assert float(daly_interval_s(50.0, 10_000.0)) == pytest.approx(1000.0 + 50.0 / 3.0 + 2.5 / 9.0 - 50.0)
    assert float(daly_interval_s(300.0, 100.0)) == 100.0


@pytest.mark.parametrize(("save", "mtbf"), [(10.0, 1e6), (50.0, 1e4), (300.0, 5e3), (1000.0, 5e3)])
def test_the_higher_order_interval_is_the_one_that_takes_least_time(save: float, mtbf: float) -> None:
    def run_s(interval: float) -> float:
        return float(expected_run_s(1.0, interval, save, 300.0, mtbf))

    best = minimize_scalar(
        run_s, bounds=(save / 100.0, 20.0 * mtbf), method="bounded", options={"xatol": 1e-3}
    )
    assert run_s(float(daly_interval_s(save, mtbf))) == pytest.approx(best.fun, rel=1e-3)
    assert float(daly_interval_s(save, mtbf)) == pytest.approx(best.x, rel=0.05)
    assert run_s(float(young_interval_s(save, mtbf))) >= best.fun * (1 - 1e-9)


def test_expected_times_are_those_of_random_failures() -> None:
    rng = np.random.default_rng(7)
    interval, save, restart, mtbf, n = 2000.0, 200.0, 150.0, 4000.0, 200_000
    needed, spent, lost = np.full(n, interval + save), np.zeros(n), []
    left = np.arange(n)
    first = True
    while left.size:
        failure = rng.exponential(mtbf, left.size)
        ends = failure >= needed[left]
        spent[left] += np.where(ends, needed[left], failure)
        if first:
            lost.append(failure[~ends])
            first = False
        left = left[~ends]
        needed[left] = interval + save + restart
    assert spent.mean() == pytest.approx(
        float(expected_run_s(interval, interval, save, restart, mtbf)), rel=0.01
    )
    assert np.mean(lost[0]) == pytest.approx(float(lost_by_failure_s(interval, save, mtbf)), rel=0.01)


def test_without_failures_only_saving_takes_time() -> None:
    assert float(expected_run_s(36_000.0, 3600.0, 36.0, 300.0, 1e12)) == pytest.approx(36_360.0, rel=1e-6)


def test_a_rare_failure_loses_half_an_interval_and_a_frequent_one_the_time_to_it() -> None:
    assert float(lost_by_failure_s(3550.0, 50.0, 1e12)) == pytest.approx(1800.0)
    assert float(lost_by_failure_s(1e9, 50.0, 100.0)) == pytest.approx(100.0)


@given(st.floats(1.0, 1e5), st.floats(0.0, 1e3), st.floats(1.0, 1e9))
def test_what_is_lost_lies_below_half_a_segment_and_below_the_time_between_failures(
    interval: float, save: float, mtbf: float
) -> None:
    lost = float(lost_by_failure_s(interval, save, mtbf))
    assert 0.0 < lost <= min((interval + save) / 2.0, mtbf) * (1 + 1e-9)


@given(st.floats(1e-4, 10.0))
def test_the_series_of_rare_failures_meets_the_formula(x: float) -> None:
    exact = 1.0 / x - 1.0 / np.expm1(x)
    assert float(lost_by_failure_s(x * 1e6, 0.0, 1e6)) == pytest.approx(exact * x * 1e6, rel=1e-6)


def test_all_findings_at_once() -> None:
    with pytest.raises(InputError) as error:
        expected_run_s(-1.0, 0.0, -1.0, 0.0, np.inf)
    assert len(error.value.findings) == 4
    with pytest.raises(InputError, match="restart_s"):
        expected_run_s(1.0, 1.0, 1.0, -1.0, 1.0)
