"""Derivatives of a step against differences of solved steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from grid_models import DispatchEngine, Objective
from tests.grid_models.grids import small_grid
from tests.strategies import Case, cases

STEP_MW = 2e-3
"""Well above where the engine looks when the optimum has two sides (1e-4 MW)."""
CLOSE = 1e-4


def check_right_side(case: Case, objective: Objective) -> None:
    engine = DispatchEngine(case.grid, objective)
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        here = engine.solve(load, available)
        for bus in range(len(load)):
            steps = []
            for factor in (1.0, 2.0):
                more = load.copy()
                more[bus] += factor * STEP_MW
                steps.append(engine.solve(more, available))
            near, far = steps
            for name, value, sign in (
                ("marginal_curtailment", lambda s: s.curtailed_p_mw.sum(), -1.0),
                ("marginal_cost_per_mwh", lambda s: s.cost, 1.0),
                ("marginal_co2_kg_per_mwh", lambda s: s.co2_kg_per_h, 1.0),
            ):
                first = sign * (value(near) - value(here)) / STEP_MW
                second = sign * (value(far) - value(near)) / STEP_MW
                if abs(first - second) < CLOSE:  # no change of basis in between
                    exact = getattr(here, name)[bus]
                    assert exact == pytest.approx(first, abs=CLOSE * (1.0 + abs(first))), (name, bus)


@settings(max_examples=25)
@given(cases(min_steps=2, max_steps=2, max_buses=6))
def test_priority_derivatives_are_those_for_more_load(case: Case) -> None:
    check_right_side(case, "priority")


@settings(max_examples=20)
@given(cases(min_steps=2, max_steps=2, max_buses=6))
def test_market_derivatives_are_those_for_more_load(case: Case) -> None:
    check_right_side(case, "market")


@settings(max_examples=25)
@given(cases(min_steps=2, max_steps=2, max_buses=6))
def test_derivatives_hold_where_everything_is_round(case: Case) -> None:
    # Whole MW everywhere put optima on corners: limits met exactly, units idle, loads just served.
    check_right_side(
        Case(case.grid, np.round(case.load_p_mw, -1), np.round(case.available_p_mw, -1)), "priority"
    )


def test_load_equal_to_wind_sits_at_a_corner_and_more_load_relieves_nothing() -> None:
    grid = small_grid(
        2, [(0, 1, 100.0)], generators=[(0, 50.0, 20.0)], units=[(1, "wind", 30.0)], co2=[400.0]
    )
    step = DispatchEngine(grid).solve(np.array([30.0, 0.0]), np.array([30.0]))
    np.testing.assert_allclose(step.marginal_curtailment, 0.0, atol=1e-9)
    np.testing.assert_allclose(step.marginal_cost_per_mwh, 20.0, atol=1e-9)
    np.testing.assert_allclose(step.marginal_co2_kg_per_mwh, 400.0, atol=1e-9)


def test_more_load_than_can_be_served_is_shed_and_changes_nothing() -> None:
    grid = small_grid(2, [(0, 1, 10.0)], generators=[(0, 50.0, 20.0)])
    for load in (10.0, 12.0):  # just served, and 2 MW too much
        step = DispatchEngine(grid).solve(np.array([0.0, load]), np.zeros(0))
        np.testing.assert_allclose(step.marginal_cost_per_mwh, [20.0, 0.0], atol=1e-9)
        np.testing.assert_allclose(step.marginal_curtailment, 0.0, atol=1e-9)


def test_shed_bus_without_load_gets_the_derivative_of_its_first_megawatt() -> None:
    # b1 sheds behind 10 MW; b2 behind b1 has no load, and its first MW would be shed too.
    grid = small_grid(3, [(0, 1, 10.0), (1, 2, 100.0)], generators=[(0, 50.0, 20.0)])
    step = DispatchEngine(grid).solve(np.array([5.0, 15.0, 0.0]), np.zeros(0))
    assert step.shed_p_mw.sum() == pytest.approx(5.0)
    np.testing.assert_allclose(step.marginal_cost_per_mwh, [20.0, 0.0, 0.0], atol=1e-9)


def test_dumping_bus_takes_load_without_relief_of_curtailment() -> None:
    grid = small_grid(2, [(0, 1, 5.0)], units=[(1, "rtpv", 20.0), (0, "wind", 20.0)])
    step = DispatchEngine(grid).solve(np.array([10.0, 2.0]), np.array([20.0, 20.0]))
    assert step.dump_p_mw[1] == pytest.approx(13.0)
    assert step.curtailed_p_mw[1] == pytest.approx(15.0)
    np.testing.assert_allclose(step.marginal_curtailment, [1.0, 0.0], atol=1e-9)


def test_loop_flow_makes_load_at_one_bus_harmful() -> None:
    # Wind at b0, a plant at b1, load 90 at b2, equal reactances, b0-b2 limited to 40 MW.
    # With sink b2 that line carries 2/3 of b0's injection and 1/3 of b1's:
    # w + g = 90 and 2/3 w + 1/3 g = 40 give w = 30, g = 60.
    grid = small_grid(
        3,
        [(0, 1, 1e3), (1, 2, 1e3), (0, 2, 40.0)],
        generators=[(1, 200.0, 20.0)],
        units=[(0, "wind", 100.0)],
    )
    step = DispatchEngine(grid).solve(np.array([0.0, 0.0, 90.0]), np.array([100.0]))
    assert step.unit_p_mw[0] == pytest.approx(30.0)
    assert step.gen_p_mw[0] == pytest.approx(60.0)
    # 1 MW more at a bus of which the line carries h: w + g = 91, 2/3 w + 1/3 g = 40 + h give dw = 3 h - 1.
    np.testing.assert_allclose(step.marginal_curtailment, [1.0, 0.0, -1.0], atol=1e-9)


@pytest.mark.parametrize(
    ("rate", "plant", "wind", "relief"),
    [
        # w + g = 60, 3/4 w + 2/4 g = 35; dw = 4 h - 2.
        (35.0, 3, 0, [1.0, -2.0, -1.0, 0.0]),
        # w + g = 60, 2/4 w + 1/4 g = 20; dw = 4 h - 1: load at b0 relieves twice its own size.
        (20.0, 2, 3, [2.0, -1.0, 0.0, 1.0]),
    ],
)
def test_relief_can_be_far_above_one_and_far_below_zero(
    rate: float, plant: int, wind: int, relief: list[float]
) -> None:
    # Ring b0-b1-b2-b3-b0 of equal lines, b0-b1 limited, load 60 at b1. With sink b1 the limited line carries
    # h = 3/4, 0, 1/4, 2/4 of what b0...b3 inject; in both cases wind w = 20 and the plant g = 40.
    grid = small_grid(
        4,
        [(0, 1, rate), (1, 2, 1e3), (2, 3, 1e3), (3, 0, 1e3)],
        generators=[(plant, 200.0, 20.0)],
        units=[(wind, "wind", 100.0)],
    )
    step = DispatchEngine(grid).solve(np.array([0.0, 60.0, 0.0, 0.0]), np.array([100.0]))
    assert step.unit_p_mw[0] == pytest.approx(20.0)
    np.testing.assert_allclose(step.marginal_curtailment, relief, atol=1e-9)
