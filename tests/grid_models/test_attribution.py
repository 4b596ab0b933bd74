"""Causes of curtailment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import DispatchEngine, Grid, Objective, always_on, dispatch, make_grid, oversupply
from tests.grid_models.grids import labelled, small_grid
from tests.strategies import Case, cases


def without_limits(grid: Grid) -> Grid:
    return make_grid(
        name=grid.name,
        buses=grid.buses,
        lines=grid.lines.assign(rate_mw=np.inf, rate_lte_mw=np.inf, rate_ste_mw=np.inf),
        links=grid.links,
        generators=grid.generators,
        segments=grid.segments,
        units=grid.units,
    )


@settings(max_examples=30)
@given(cases(), st.sampled_from(("priority", "market")))
def test_oversupply_is_what_is_curtailed_without_limits(case: Case, objective: Objective) -> None:
    engine = DispatchEngine(case.grid, objective)
    over = oversupply(engine, always_on(engine.problem, case.load_p_mw, case.available_p_mw))
    free = DispatchEngine(without_limits(case.grid), objective)
    for k, (load, available) in enumerate(zip(case.load_p_mw, case.available_p_mw, strict=True)):
        np.testing.assert_allclose(over[k], free.solve(load, available).curtailed_p_mw, atol=1e-6)


@settings(max_examples=15)
@given(cases())
def test_causes_add_up_for_every_unit(case: Case) -> None:
    generation, load = labelled(case.grid, case.time, case.load_p_mw, case.available_p_mw)
    result = dispatch(case.grid, generation, load=load)
    total = result["curtailed_oversupply_p_mw"] + result["curtailed_congestion_p_mw"]
    np.testing.assert_allclose(total, result["curtailed_p_mw"], atol=1e-9)
    # In total limits never help, unless must-take power is dumped behind them and makes room for wind.
    helped = result["curtailed_congestion_p_mw"].sum("unit") < -1e-6
    assert (result["dump_p_mw"].sum("bus").to_numpy()[helped] > 1e-6).all()


def test_a_limit_moves_curtailment_between_units_by_a_negative_part() -> None:
    # 100 MW of wind for 60 MW of load: 20 MW each too much. Behind 10 MW one farm loses 40, the other gains.
    grid = small_grid(2, [(0, 1, 10.0)], units=[(0, "wind", 50.0), (1, "wind", 50.0)])
    time = pd.date_range("2020-06-01T00:00Z", periods=2, freq="h")
    generation, load = labelled(grid, time, np.array([[60.0, 0.0]] * 2), np.full((2, 2), 50.0))
    result = dispatch(grid, generation, load=load).isel(time=0)
    np.testing.assert_allclose(result["curtailed_oversupply_p_mw"], [20.0, 20.0], atol=1e-7)
    np.testing.assert_allclose(result["curtailed_congestion_p_mw"], [-20.0, 20.0], atol=1e-7)


def test_dearest_offer_is_curtailed_first_in_both_objectives() -> None:
    units = [(0, "wind", 40.0), (1, "wind", 40.0)]
    grid = small_grid(2, [(0, 1, 100.0)], units=units, offers=[5.0, -10.0])
    for objective in ("priority", "market"):
        engine = DispatchEngine(grid, objective)
        over = oversupply(
            engine, always_on(engine.problem, np.array([[50.0, 0.0]]), np.array([[40.0, 40.0]]))
        )
        np.testing.assert_allclose(over, [[30.0, 0.0]], atol=1e-9)


def test_priority_keeps_wind_before_a_plant_that_pays_more_than_any_weight() -> None:
    grid = small_grid(2, [(0, 1, 100.0)], generators=[(0, 50.0, -1e9)], units=[(1, "wind", 30.0)])
    load, available = np.array([[40.0, 0.0]]), np.array([[30.0]])
    engine = DispatchEngine(grid)
    assert engine.solve(load[0], available[0]).curtailed_p_mw[0] == pytest.approx(0.0, abs=1e-9)
    assert oversupply(engine, always_on(engine.problem, load, available))[0, 0] == pytest.approx(
        0.0, abs=1e-9
    )
