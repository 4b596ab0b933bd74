"""The simplex method against another solver, by hand, and line by line without compilation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from grid_models import simplex

NO_FUNCTIONAL = -1


def solve(
    module: ModuleType,
    costs: np.ndarray,
    rows: np.ndarray,
    upper: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    has_balance: bool = True,
    directions: np.ndarray | None = None,
) -> simplex.Answers:
    """One step; its costs are the functionals."""
    along = np.zeros((len(rows), 0)) if directions is None else directions
    p = module.programme(costs, rows, has_balance=has_balance)
    answers: simplex.Answers = module.solve_steps(
        p, upper[None], low[None], high[None], np.ascontiguousarray(costs), along, NO_FUNCTIONAL
    )
    return answers


@st.composite
def programmes(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Costs in two stages, rows of which the first is an equality, bounds, limits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m = draw(st.integers(2, 25)), draw(st.integers(1, 8))
    rows = rng.normal(size=(m, n)).round(2)
    rows[0] = rng.choice([1.0, -1.0, 0.0], n, p=[0.8, 0.1, 0.1])
    costs = rng.integers(-3, 6, size=(2, n)).astype(float)
    upper = rng.integers(0, 10, n).astype(float)
    inside = rows @ (upper * rng.random(n))
    low, high = inside - 3.0 * rng.random(m), inside + 3.0 * rng.random(m)
    if rng.random() < 0.2:
        low[1:], high[1:] = low[1:] + 5.0, high[1:] + 5.0
    low[0] = high[0] = np.round(inside[0])
    return costs, rows, upper, low, high


def reference(
    cost: np.ndarray, rows: np.ndarray, upper: np.ndarray, low: np.ndarray, high: np.ndarray, n_equal: int = 1
) -> tuple[int, float]:
    result = linprog(
        cost,
        A_ub=np.vstack([rows[n_equal:], -rows[n_equal:]]),
        b_ub=np.concatenate([high[n_equal:], -low[n_equal:]]),
        A_eq=rows[:n_equal] if n_equal else None,
        b_eq=low[:n_equal] if n_equal else None,
        bounds=np.stack([np.zeros(len(upper)), upper], axis=1),
        method="highs",
    )
    return result.status, result.fun


@settings(max_examples=150)
@given(programmes(), st.booleans())
def test_the_first_stage_costs_what_another_solver_finds(
    case: tuple[np.ndarray, ...], has_balance: bool
) -> None:
    costs, rows, upper, low, high = case
    answers = solve(simplex, costs, rows, upper, low, high, has_balance=has_balance)
    status, best = reference(costs[0], rows, upper, low, high)
    assert answers.state[0] == {0: simplex.OPTIMAL, 2: simplex.INFEASIBLE}[status]
    if status == 0:
        x = answers.x[0]
        assert costs[0] @ x == pytest.approx(best, abs=1e-6)
        assert (rows @ x > low - 1e-7).all()
        assert (rows @ x < high + 1e-7).all()
        assert ((x >= 0.0) & (x <= upper)).all()


@settings(max_examples=60)
@given(programmes())
def test_the_second_stage_decides_among_the_best_of_the_first(case: tuple[np.ndarray, ...]) -> None:
    costs, rows, upper, low, high = case
    answers = solve(simplex, costs, rows, upper, low, high)
    if answers.state[0] != simplex.OPTIMAL:
        return
    _, best = reference(costs[0], rows, upper, low, high)
    face = np.vstack([rows, costs[:1]])
    _, second = reference(costs[1], face, upper, np.append(low, best - 1e-9), np.append(high, best + 1e-9))
    assert costs[1] @ answers.x[0] == pytest.approx(second, abs=1e-5)


@settings(max_examples=60)
@given(programmes(), st.integers(0, 2**16))
def test_derivatives_are_those_of_a_step_forward(case: tuple[np.ndarray, ...], seed: int) -> None:
    costs, rows, upper, low, high = case
    direction = np.random.default_rng(seed).normal(size=(len(rows), 1)).round(1)
    here = solve(simplex, costs, rows, upper, low, high, directions=direction)
    if here.state[0] != simplex.OPTIMAL or not here.known[0, 0]:
        return
    values = []
    for size in (2e-4, 4e-4):
        move = size * direction[:, 0]
        status, value = reference(costs[0], rows, upper, low + move, high + move)
        values.append((value - costs[0] @ here.x[0]) / size if status == 0 else np.nan)
    near, far = values
    if abs(near - far) < 1e-4:  # no change of basis in between
        assert here.moved[0, 0, 0] == pytest.approx(near, abs=1e-3)


def test_an_inequality_alone_needs_no_balance() -> None:
    # Most of 2 a + b with a + b <= 4, a <= 3: a = 3, b = 1.
    answers = solve(
        simplex,
        np.array([[-2.0, -1.0]]),
        np.array([[1.0, 1.0]]),
        np.array([3.0, 9.0]),
        np.array([-np.inf]),
        np.array([4.0]),
        has_balance=False,
    )
    np.testing.assert_allclose(answers.x, [[3.0, 1.0]])
    np.testing.assert_allclose(answers.duals, [[[-1.0]]])
    assert answers.binds.tolist() == [[1]]


def test_a_corner_has_the_derivative_of_its_far_side() -> None:
    # 10 MW for nothing and then 20 per MWh; exactly 10 are needed, and one more costs 20.
    answers = solve(
        simplex,
        np.array([[0.0, 20.0]]),
        np.ones((1, 2)),
        np.array([10.0, 10.0]),
        np.array([10.0]),
        np.array([10.0]),
        directions=np.array([[1.0, -1.0]]),
    )
    np.testing.assert_allclose(answers.moved, [[[20.0, 0.0]]])
    full = solve(
        simplex,
        np.array([[0.0, 20.0]]),
        np.ones((1, 2)),
        np.array([10.0, 10.0]),
        np.array([20.0]),
        np.array([20.0]),
        directions=np.array([[1.0, -1.0]]),
    )
    assert full.known.tolist() == [[False, True]]
    assert full.moved[0, 0, 1] == pytest.approx(-20.0)


@pytest.fixture(scope="module")
def uncompiled() -> ModuleType:
    """The same module with every function left as Python."""
    name = "uncompiled_simplex"
    spec = importlib.util.spec_from_file_location(name, Path(simplex.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    numba.config.DISABLE_JIT = True
    try:
        spec.loader.exec_module(module)
    finally:
        numba.config.DISABLE_JIT = False
        del sys.modules[name]
    return module


@pytest.mark.parametrize("seed", range(12))
def test_compiled_and_plain_python_agree_to_the_bit(uncompiled: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = 30, 9
    rows = rng.normal(size=(m, n)).round(2)
    rows[0] = 1.0
    costs, upper = rng.integers(0, 9, (3, n)).astype(float), rng.integers(0, 10, n).astype(float)
    upper[rng.random(n) < 0.3] = 5.0
    inside = rows @ (upper * rng.random(n)).round()
    width = np.where(rng.random(m) < 0.5, 0.0, 2.0)
    width[0] = 0.0
    args = (costs, rows, upper, inside - width, inside + width)
    along = np.eye(m)[:, :4]
    compiled, plain = (solve(module, *args, directions=along) for module in (simplex, uncompiled))
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(a, b)
