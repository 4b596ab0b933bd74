"""Chances that a move fits: by hand, against the deterministic domain, and in what must hold always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin import feasibility, feasibility_chance
from weather import InputError


def test_members_and_rates_by_hand() -> None:
    # 8 GPUs, 100 GB: 50 s to save and 350 s to load; sending takes 94.1 s at 10 Gbit/s and 941 s at 1 Gbit/s
    # with a goodput of 0.85. With α = 0.1 that asks for windows of 4,941 s and of 13,412 s.
    chance = feasibility_chance(
        100.0, [10.0, 1.0], [3600.0, 7200.0, 9000.0, 14000.0], bandwidth_weight=[0.75, 0.25], epsilon=0.5
    )
    assert float(chance.holds["time"]) == pytest.approx(0.75 * 3 / 4 + 0.25 * 1 / 4)
    assert float(chance.probability) == pytest.approx(0.625)
    assert bool(chance.feasible)
    assert str(chance.reason) == "feasible"
    surer = feasibility_chance(
        100.0, [10.0, 1.0], [3600.0, 7200.0, 9000.0, 14000.0], bandwidth_weight=[0.75, 0.25], epsilon=0.3
    )
    assert str(surer.reason) == "time"


def test_gains_belong_to_members_and_capacity_comes_first() -> None:
    window = np.full(4, 36000.0)
    chance = feasibility_chance(100.0, 10.0, window, gain=[1.0, 1.0, -0.2, 0.0], epsilon=0.4)
    assert float(chance.holds["energy"]) == 0.5
    assert str(chance.reason) == "energy"
    full = feasibility_chance(100.0, 10.0, window, gain=[1.0, 1.0, -0.2, 0.0], free_gpus=[8, 4])
    assert full.reason.tolist() == ["energy", "capacity"]
    assert feasibility_chance(100.0, [0.0, 10.0], window).reason.item() == "link"


SIZES = st.floats(0.1, 5e3)
RATES = st.floats(0.01, 400.0)
WINDOWS = st.floats(0.0, 1e5)


@given(size=SIZES, rate=RATES, window=WINDOWS, gain=st.floats(-1.0, 2.0))
def test_one_member_and_one_rate_are_the_deterministic_domain(
    size: float, rate: float, window: float, gain: float
) -> None:
    chance = feasibility_chance(size, rate, window, gain=gain)
    certain = feasibility(size, rate, window, gain=gain)
    assert bool(chance.feasible) == bool(certain.feasible)
    assert float(chance.probability) == float(certain.feasible)


@given(
    size=SIZES,
    rates=st.lists(RATES, min_size=1, max_size=4),
    windows=st.lists(WINDOWS, min_size=1, max_size=5),
    epsilon=st.floats(0.0, 0.9),
)
def test_smaller_checkpoints_faster_links_and_longer_windows_never_hurt(
    size: float, rates: list[float], windows: list[float], epsilon: float
) -> None:
    rate, window = np.array(rates), np.array(windows)
    here = float(feasibility_chance(size, rate, window, epsilon=epsilon).probability)
    for better in (
        feasibility_chance(size / 2, rate, window, epsilon=epsilon),
        feasibility_chance(size, rate * 2, window, epsilon=epsilon),
        feasibility_chance(size, rate, window * 1.5, epsilon=epsilon),
    ):
        assert float(better.probability) >= here - 1e-12
        assert bool(better.feasible) == (float(better.probability) >= 1.0 - epsilon - 1e-12)


def test_shapes_broadcast_and_order_of_members_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    size, window = rng.uniform(1.0, 500.0, (3, 1)), rng.uniform(0.0, 2e4, (3, 5, 7))
    rate = rng.uniform(0.1, 50.0, (5, 2))
    chance = feasibility_chance(size, rate, window)
    assert chance.probability.shape == chance.feasible.shape == chance.binding.shape == (3, 5)
    turned = feasibility_chance(size, rate[:, ::-1], window[..., ::-1])
    np.testing.assert_allclose(turned.probability, chance.probability, atol=1e-12)
    one = feasibility_chance(size[1, 0], rate[2], window[1, 2])
    assert float(one.probability) == pytest.approx(chance.probability[1, 2])


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        feasibility_chance(100.0, [10.0, 20.0], [], bandwidth_weight=[1.0], epsilon=1.0)
    for said in ("window_s: holds no member", "bandwidth_weight: has shape (1,)", "epsilon: is 1.0"):
        assert said in str(error.value)
    with pytest.raises(InputError, match="bandwidth_weight: is negative, not finite or zero in all"):
        feasibility_chance(100.0, [10.0], [3600.0], bandwidth_weight=[np.nan])
