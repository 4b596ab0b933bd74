"""Sharing of a total among interchangeable givers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from grid_models.sharing import share_pro_rata

FREE = np.zeros((0, 3))
NONE = np.zeros(0)


def test_without_lines_the_share_is_proportional() -> None:
    shared = share_pro_rata(np.array([30.0, 0.0, 0.0]), np.array([60.0, 30.0, 10.0]), FREE, NONE, NONE)
    np.testing.assert_allclose(shared, [18.0, 9.0, 3.0], atol=1e-12)


def test_a_line_in_the_way_is_used_to_its_limit() -> None:
    # The first giver's share loads a line that has room for 5 MW; the others split the rest 3 : 1.
    flow = np.array([[1.0, 0.0, 0.0]])
    shared = share_pro_rata(
        np.array([0.0, 30.0, 0.0]), np.array([60.0, 30.0, 10.0]), flow, np.array([0.0]), np.array([5.0])
    )
    np.testing.assert_allclose(shared, [5.0, 18.75, 6.25], atol=1e-8)


def test_nothing_to_share_or_nobody_to_share_with_changes_nothing() -> None:
    for amount, capacity in (([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])):
        np.testing.assert_array_equal(
            share_pro_rata(np.array(amount), np.array(capacity), FREE, NONE, NONE), amount
        )
    one = np.array([4.0])
    assert share_pro_rata(one, np.array([9.0]), np.zeros((0, 1)), NONE, NONE) is one


@given(st.integers(0, 2**32 - 1))
def test_shares_keep_total_bounds_and_limits_and_are_the_nearest_to_proportional(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_line = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    capacity = rng.uniform(1.0, 200.0, n)
    amount = capacity * rng.choice([0.0, 0.3, 1.0], n)
    flow_per_mw = rng.uniform(-1.0, 1.0, (n_line, n))
    flow = rng.uniform(-20.0, 20.0, n_line)
    rate = np.abs(flow) + rng.choice([0.0, 1.0, 30.0], n_line)
    shared = share_pro_rata(amount, capacity, flow_per_mw, flow, rate)
    assert shared.sum() == pytest.approx(amount.sum(), abs=1e-8)
    assert ((shared >= -1e-9) & (shared <= capacity + 1e-9)).all()
    assert (np.abs(flow + flow_per_mw @ (shared - amount)) <= rate + 1e-6).all()
    other = minimize(
        lambda x: float((x**2 / capacity).sum()),
        amount,
        jac=lambda x: 2.0 * x / capacity,
        method="SLSQP",
        bounds=[(0.0, c) for c in capacity],
        constraints=[
            {"type": "eq", "fun": lambda x: x.sum() - amount.sum()},
            {"type": "ineq", "fun": lambda x: rate - flow - flow_per_mw @ (x - amount)},
            {"type": "ineq", "fun": lambda x: rate + flow + flow_per_mw @ (x - amount)},
        ],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    if other.success:
        assert float((shared**2 / capacity).sum()) <= float(other.fun) + 1e-5
