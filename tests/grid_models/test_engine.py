"""Dispatch of one step: cases computed by hand, and what must hold on every grid."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import DispatchEngine, Grid, Objective, StepResult, make_grid
from tests.grid_models.grids import small_grid
from tests.strategies import Case, cases

TOLERANCE_MW = 1e-6
OBJECTIVES: tuple[Objective, ...] = ("priority", "market")


def solve(grid_engine: DispatchEngine, load: list[float], available: list[float]) -> StepResult:
    return grid_engine.solve(np.array(load), np.array(available))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_wind_beyond_all_load_is_oversupply(objective: Objective) -> None:
    grid = small_grid(2, [(0, 1, 100.0)], generators=[(0, 50.0, 20.0)], units=[(1, "wind", 80.0)])
    step = solve(DispatchEngine(grid, objective), [40.0, 10.0], [80.0])
    assert step.curtailed_p_mw[0] == pytest.approx(30.0)
    assert step.line_p_mw[0] == pytest.approx(-40.0)
    assert step.thermal_p_mw == pytest.approx(0.0)
    np.testing.assert_allclose(step.marginal_curtailment, 1.0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_wind_behind_a_full_line_is_curtailed_and_only_load_beside_it_helps(objective: Objective) -> None:
    grid = small_grid(2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=[(1, "wind", 80.0)])
    step = solve(DispatchEngine(grid, objective), [60.0, 10.0], [80.0])
    assert step.curtailed_p_mw[0] == pytest.approx(45.0)
    assert step.gen_p_mw[0] == pytest.approx(35.0)
    assert step.cost == pytest.approx(700.0)
    assert step.line_p_mw[0] == pytest.approx(-25.0)
    assert step.line_shadow[0] == pytest.approx(20.0)
    np.testing.assert_allclose(step.marginal_curtailment, [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(step.marginal_cost_per_mwh, [20.0, 0.0], atol=1e-12)


def test_a_link_beside_the_full_line_takes_what_it_can() -> None:
    wind = [(1, "wind", 80.0)]
    grid = small_grid(2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=wind, links=[(0, 1, 15.0)])
    step = solve(DispatchEngine(grid), [60.0, 10.0], [80.0])
    assert step.curtailed_p_mw[0] == pytest.approx(30.0)
    assert step.link_p_mw[0] == pytest.approx(-15.0)
    assert step.line_p_mw[0] == pytest.approx(-25.0)


def test_must_run_minimum_pushes_wind_out() -> None:
    grid = small_grid(
        2, [(0, 1, 100.0)], generators=[(0, 50.0, 5.0)], units=[(1, "wind", 80.0)], must_run={0: 30.0}
    )
    step = solve(DispatchEngine(grid), [40.0, 10.0], [80.0])
    assert step.gen_p_mw[0] == pytest.approx(30.0)
    assert step.curtailed_p_mw[0] == pytest.approx(60.0)
    assert step.cost == pytest.approx(150.0)


def ring(cheap: float, dear: float) -> Grid:
    """Four equal lines b0-b1-b2-b3-b0, b0-b1 limited to 30 MW; wind at b3, plants at b0 and b2.

    With sink b1 the limited line carries 3/4 of what b0 sends, 1/4 of b2's and 2/4 of b3's.
    """
    return small_grid(
        4,
        [(0, 1, 30.0), (1, 2, 1e3), (2, 3, 1e3), (3, 0, 1e3)],
        generators=[(0, 200.0, cheap), (2, 200.0, dear)],
        units=[(3, "wind", 100.0)],
        offers=[50.0],
    )


@pytest.mark.parametrize(
    ("objective", "wind", "cheap", "dear"),
    [("priority", 60.0, 0.0, 0.0), ("market", 0.0, 30.0, 30.0)],
)
def test_least_curtailment_is_not_least_cost(
    objective: Objective, wind: float, cheap: float, dear: float
) -> None:
    # Load 60 at b1. All wind: 2/4 * 60 = 30, just fits. Least cost with wind at 50: a + b = 60 and
    # 3/4 a + 1/4 b = 30 give 30 MW each from the plants at 10 and 60, 2100 against 3000 per hour.
    step = solve(DispatchEngine(ring(10.0, 60.0), objective), [0.0, 60.0, 0.0, 0.0], [100.0])
    assert step.unit_p_mw[0] == pytest.approx(wind, abs=1e-7)
    assert step.curtailed_p_mw[0] == pytest.approx(100.0 - wind, abs=1e-7)
    np.testing.assert_allclose(step.gen_p_mw, [cheap, dear], atol=1e-7)
    assert step.cost == pytest.approx(50.0 * wind + 10.0 * cheap + 60.0 * dear)


def test_curtailment_counts_before_any_cost() -> None:
    # Load 80 at b1: 2/4 w + 3/4 a + 1/4 b <= 30 for wind w and plants a, b. Most wind: w = 40, a = 0, b = 40.
    # A MW of wind replaced by half each of a and b leaves the line alone and saves whatever the plant at b0
    # pays to run.
    gain = -1e9
    for cheap in (10.0, gain):
        grid_engine = DispatchEngine(ring(cheap, 60.0))
        step = solve(grid_engine, [0.0, 80.0, 0.0, 0.0], [100.0])
        assert step.unit_p_mw[0] == pytest.approx(40.0, abs=1e-7)
        np.testing.assert_allclose(step.gen_p_mw, [0.0, 40.0], atol=1e-7)
        np.testing.assert_allclose(step.marginal_curtailment, [2.0, -1.0, 0.0, 1.0], atol=1e-7)
    market = solve(DispatchEngine(ring(gain, 60.0), "market"), [0.0, 80.0, 0.0, 0.0], [100.0])
    assert market.gen_p_mw[0] == pytest.approx(20.0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_load_behind_too_small_a_line_is_shed_where_it_is(objective: Objective) -> None:
    grid = small_grid(3, [(0, 1, 100.0), (1, 2, 15.0)], generators=[(0, 100.0, 20.0)])
    step = solve(DispatchEngine(grid, objective), [10.0, 20.0, 40.0], [])
    np.testing.assert_allclose(step.shed_p_mw, [0.0, 0.0, 25.0], atol=TOLERANCE_MW)
    np.testing.assert_allclose(step.dump_p_mw, 0.0, atol=TOLERANCE_MW)
    assert step.thermal_p_mw == pytest.approx(45.0)
    np.testing.assert_allclose(step.marginal_cost_per_mwh, [20.0, 20.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_must_take_power_with_no_way_out_is_dumped_where_it_is(objective: Objective) -> None:
    grid = small_grid(
        2, [(0, 1, 15.0)], generators=[(0, 100.0, 20.0), (1, 60.0, 5.0)], units=[(1, "rtpv", 30.0)],
        must_run={1: 20.0},
    )  # fmt: skip
    step = solve(DispatchEngine(grid, objective), [50.0, 5.0], [30.0])
    np.testing.assert_allclose(step.dump_p_mw, [0.0, 30.0], atol=TOLERANCE_MW)
    np.testing.assert_allclose(step.gen_p_mw, [35.0, 20.0], atol=TOLERANCE_MW)
    assert step.unit_p_mw[0] == pytest.approx(30.0)
    assert step.curtailed_p_mw[0] == 0.0


def test_hydro_is_spilled_before_wind_is_curtailed_and_reported_apart() -> None:
    units = [(0, "hydro", 40.0), (1, "wind", 40.0), (1, "csp", 10.0)]
    step = solve(DispatchEngine(small_grid(2, [(0, 1, 100.0)], units=units)), [50.0, 0.0], [40.0, 40.0, 10.0])
    assert step.curtailed_p_mw.sum() == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(step.spilled_p_mw, [32.0, 0.0, 8.0], atol=1e-7)  # pro rata to 40 and 10


def test_curtailment_of_equals_is_shared_in_proportion_to_what_is_available() -> None:
    units = [(0, "wind", 60.0), (1, "pv", 20.0), (1, "wind", 20.0)]
    step = solve(DispatchEngine(small_grid(2, [(0, 1, 100.0)], units=units)), [50.0, 0.0], [60.0, 20.0, 20.0])
    np.testing.assert_allclose(step.curtailed_p_mw, [30.0, 10.0, 10.0], atol=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_equal_costs_take_wind_before_a_plant_that_costs_nothing(objective: Objective) -> None:
    grid = small_grid(2, [(0, 1, 100.0)], generators=[(0, 50.0, 0.0)], units=[(1, "wind", 30.0)])
    step = solve(DispatchEngine(grid, objective), [20.0, 0.0], [30.0])
    assert step.curtailed_p_mw[0] == pytest.approx(10.0)


def check_balances(case: Case, objective: Objective) -> None:
    grid = case.grid
    solver = DispatchEngine(grid, objective)
    rate = grid.lines["rate_mw"].to_numpy()
    gen_bus, unit_bus = grid.bus_index(grid.generators["bus"]), grid.bus_index(grid.units["bus"])
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        step = solver.solve(load, available)
        injection = step.shed_p_mw - step.dump_p_mw - load
        np.add.at(injection, gen_bus, step.gen_p_mw)
        np.add.at(injection, unit_bus, step.unit_p_mw)
        np.subtract.at(injection, grid.bus_index(grid.links["from_bus"]), step.link_p_mw)
        np.add.at(injection, grid.bus_index(grid.links["to_bus"]), step.link_p_mw)
        assert abs(injection.sum()) < TOLERANCE_MW
        np.testing.assert_allclose(step.line_p_mw, grid.ptdf @ injection, atol=TOLERANCE_MW)
        assert (np.abs(step.line_p_mw) < rate + TOLERANCE_MW).all()
        np.testing.assert_allclose(
            step.unit_p_mw + step.curtailed_p_mw + step.spilled_p_mw, available, atol=TOLERANCE_MW
        )
        within(step.unit_p_mw, np.zeros_like(available), available)
        within(step.shed_p_mw, np.zeros_like(load), load)
        within(
            step.gen_p_mw,
            grid.generators["p_min_mw"] * grid.generators["must_run"],
            grid.generators["p_max_mw"],
        )
        within(step.link_p_mw, -grid.links["p_max_mw"], grid.links["p_max_mw"])
        assert np.isfinite(step.marginal_curtailment).all()


def within(values: np.ndarray, low: object, high: object) -> None:
    assert (values > np.asarray(low) - TOLERANCE_MW).all()
    assert (values < np.asarray(high) + TOLERANCE_MW).all()


@settings(max_examples=30)
@given(cases(), st.sampled_from(OBJECTIVES))
def test_balances_close_and_limits_hold(case: Case, objective: Objective) -> None:
    check_balances(case, objective)


def permuted(grid: Grid, rng: np.random.Generator) -> Grid:
    """The same grid with the rows of its tables in another order."""

    def shuffled(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[rng.permutation(len(table))]

    return make_grid(
        name=grid.name,
        buses=shuffled(grid.buses),
        lines=shuffled(grid.lines),
        links=shuffled(grid.links),
        generators=shuffled(grid.generators),
        segments=grid.segments,
        units=shuffled(grid.units),
    )


@settings(max_examples=30)
@given(cases(max_steps=2), st.sampled_from(OBJECTIVES), st.integers(0, 1000))
def test_results_do_not_depend_on_the_order_of_the_tables(
    case: Case, objective: Objective, seed: int
) -> None:
    other = permuted(case.grid, np.random.default_rng(seed))
    bus, unit = (
        case.grid.buses.index.get_indexer(other.buses.index),
        case.grid.units.index.get_indexer(other.units.index),
    )
    gen, line = (
        case.grid.generators.index.get_indexer(other.generators.index),
        case.grid.lines.index.get_indexer(other.lines.index),
    )
    one, two = DispatchEngine(case.grid, objective), DispatchEngine(other, objective)
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        a, b = one.solve(load, available), two.solve(load[bus], available[unit])
        for name, order in (
            ("unit_p_mw", unit), ("gen_p_mw", gen), ("line_p_mw", line), ("marginal_curtailment", bus),
            ("marginal_cost_per_mwh", bus), ("marginal_co2_kg_per_mwh", bus),
        ):  # fmt: skip
            np.testing.assert_allclose(getattr(b, name), getattr(a, name)[order], atol=1e-5, err_msg=name)
        assert b.cost == pytest.approx(a.cost, abs=1e-5)


@settings(max_examples=25)
@given(cases(min_steps=4, max_steps=4), st.sampled_from(OBJECTIVES), st.permutations(range(4)))
def test_a_step_is_the_same_to_the_bit_whatever_was_solved_before(
    case: Case, objective: Objective, order: list[int]
) -> None:
    one, two = DispatchEngine(case.grid, objective), DispatchEngine(case.grid, objective)
    first = [one.solve(case.load_p_mw[k], case.available_p_mw[k]) for k in range(4)]
    for k in order:
        again = two.solve(case.load_p_mw[k], case.available_p_mw[k])
        for field in fields(StepResult):
            np.testing.assert_array_equal(
                getattr(again, field.name), getattr(first[k], field.name), err_msg=field.name
            )


@settings(max_examples=25)
@given(cases(min_steps=3, max_steps=3), st.sampled_from(OBJECTIVES))
def test_many_steps_and_the_derivative_alone_are_those_of_single_steps(
    case: Case, objective: Objective
) -> None:
    engine = DispatchEngine(case.grid, objective)
    together = engine.solve_steps(case.load_p_mw, case.available_p_mw)
    for k in range(3):
        one = engine.solve(case.load_p_mw[k], case.available_p_mw[k])
        for field in fields(StepResult):
            np.testing.assert_array_equal(
                getattr(together, field.name)[k], getattr(one, field.name), err_msg=field.name
            )
        alone = engine.marginal_curtailment(case.load_p_mw[k], case.available_p_mw[k])
        np.testing.assert_array_equal(alone, one.marginal_curtailment)


def test_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'priority' or 'market'"):
        DispatchEngine(small_grid(2, [(0, 1, 1.0)]), "cheapest")  # type: ignore[arg-type]
