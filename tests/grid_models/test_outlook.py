from __future__ import annotations

import numpy as np
import pytest

from grid_models import daily_means, fading, persistence_outlook
from weather import InputError


def test_now_persists_and_decays_to_the_same_step_of_past_days() -> None:
    history = np.array([[1.0], [10.0], [3.0], [20.0], [7.0]])
    out = persistence_outlook(history, 4, steps_per_day=2, tau_steps=2.0)
    odd, even = (10 + 20) / 2, (1 + 3 + 7) / 3
    w = np.exp(-np.arange(4) / 2.0)
    np.testing.assert_allclose(out[:, 0], w * 7 + (1 - w) * np.array([even, odd, even, odd]))


def test_a_history_shorter_than_a_day_falls_back_to_its_mean() -> None:
    out = persistence_outlook(np.array([[2.0], [4.0]]), 3, steps_per_day=24, tau_steps=1e-9)
    np.testing.assert_allclose(out[:, 0], [4.0, 3.0, 3.0])


def test_a_periodic_history_is_forecast_exactly_in_the_long_run() -> None:
    day = np.random.default_rng(0).uniform(0, 1, (24, 3))
    history = np.tile(day, (5, 1))
    out = persistence_outlook(history, 25, steps_per_day=24, tau_steps=1e-6)
    np.testing.assert_allclose(out[1:], day)


def test_nothing_after_now_is_read() -> None:
    series = np.random.default_rng(1).uniform(0, 1, (60, 2))
    other = series.copy()
    other[40:] = 9.0
    kept = [persistence_outlook(s[:40], 30, 24, 6.0) for s in (series, other)]
    np.testing.assert_array_equal(*kept)


@pytest.mark.parametrize("now", [3, 4, 10, 11, 30])
def test_daily_means_are_the_profiles_of_an_outlook(now: int) -> None:
    # Four steps a day, three days of past: the whole series at once, and each time by itself.
    series = np.random.default_rng(2).uniform(0, 1, (40, 2))
    means = daily_means(series, 4, 3)
    past = series[max(0, now + 1 - 3 * 4) : now + 1]
    alone = persistence_outlook(past, 9, steps_per_day=4, tau_steps=3.0)
    np.testing.assert_array_equal(fading(series[now], means[now - 3 : now + 1], 9, 3.0), alone)
    assert means[9] == pytest.approx((series[9] + series[5] + series[1]) / 3)


def test_bad_input_is_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        persistence_outlook(np.array([[np.nan]]), 3, steps_per_day=0, tau_steps=1.0)
    assert len(error.value.findings) == 2
    with pytest.raises(InputError, match="expected"):
        persistence_outlook(np.zeros((0, 2)), 3, steps_per_day=24, tau_steps=1.0)
