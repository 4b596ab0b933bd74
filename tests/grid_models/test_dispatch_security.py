"""Dispatch that survives any single outage, and limits of the whole system."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

from grid_models import DispatchEngine, Inputs, Limits, always_on, dispatch, full_check, load_grid
from tests.grid_models.grids import labelled, small_grid
from tests.strategies import Case, cases
from weather import InputError

TIME = pd.date_range("2020-06-01T00:00Z", periods=2, freq="h")


def test_two_circuits_carry_what_one_can_take_over() -> None:
    # Two equal lines of 60 MW between wind and load: 120 MW in the base case, 60 MW after an outage.
    grid = small_grid(
        2, [(0, 1, 60.0), (0, 1, 60.0)], generators=[(1, 200.0, 20.0)], units=[(0, "wind", 150.0)]
    )
    generation, load = labelled(grid, TIME, np.array([[0.0, 150.0]] * 2), np.full((2, 1), 150.0))
    for objective in ("priority", "market"):
        base = dispatch(grid, generation, load=load, objective=objective)
        secure = dispatch(grid, generation, load=load, objective=objective, security="n-1")
        np.testing.assert_allclose(base["curtailed_p_mw"], 30.0, atol=1e-7)
        np.testing.assert_allclose(secure["curtailed_p_mw"], 90.0, atol=1e-7)
        np.testing.assert_allclose(secure["curtailed_congestion_p_mw"], 30.0, atol=1e-7)
        np.testing.assert_allclose(secure["curtailed_security_p_mw"], 60.0, atol=1e-7)
        # A MW more rating of one line is a MW more wind in place of 20 per MWh, whichever line it is.
        np.testing.assert_allclose(secure["security_shadow_price"].sum("line"), 20.0, atol=1e-7)
        assert secure.attrs["security"] == "n-1"


@settings(max_examples=20)
@given(cases(max_steps=2, max_buses=6))
def test_no_outage_overloads_a_line_and_causes_add_up(case: Case) -> None:
    generation, load = labelled(case.grid, case.time, case.load_p_mw, case.available_p_mw)
    secure = dispatch(case.grid, generation, load=load, security="n-1")
    check = full_check(case.grid, secure)
    assert (check["loading_percent"].to_numpy() < 100.0 + 1e-3).all()
    parts = sum(secure[f"curtailed_{cause}_p_mw"] for cause in ("oversupply", "congestion", "security"))
    np.testing.assert_allclose(parts, secure["curtailed_p_mw"], atol=1e-9)


def test_a_week_of_rts_gmlc_survives_every_outage() -> None:
    grid = load_grid("rts_gmlc")
    time = pd.date_range("2020-04-10T08:00Z", periods=72, freq="h")
    generation = xr.Dataset({"available_p_mw": grid.recorded(time)})
    secure = dispatch(grid, generation, security="n-1")
    base = dispatch(grid, generation)
    check = full_check(grid, secure)
    assert float(check["loading_percent"].max()) < 100.0 + 1e-4
    assert float(full_check(grid, base)["loading_percent"].max()) > 101.0
    more = secure["curtailed_p_mw"].sum() - base["curtailed_p_mw"].sum()
    assert float(more) == pytest.approx(float(secure["curtailed_security_p_mw"].sum()), abs=1e-6)
    assert float(more) > 0.0


def test_wind_and_pv_serve_their_share_of_the_load_at_most() -> None:
    units = [(1, "wind", 60.0), (0, "rtpv", 10.0), (0, "hydro", 30.0)]
    grid = small_grid(2, [(0, 1, 1e3)], generators=[(0, 200.0, 20.0)], units=units)
    generation, load = labelled(grid, TIME, np.array([[0.0, 100.0]] * 2), np.array([[60.0, 10.0, 30.0]] * 2))
    result = dispatch(grid, generation, load=load, limits=Limits(max_nonsynchronous_share=0.5))
    # 50 MW of 100, 10 of them from roofs; hydro turns with the grid and is not counted.
    np.testing.assert_allclose(result["unit_p_mw"].isel(time=0), [40.0, 10.0, 30.0], atol=1e-7)
    np.testing.assert_allclose(result["curtailed_system_p_mw"].sum("unit"), 20.0, atol=1e-7)
    np.testing.assert_allclose(result["curtailed_congestion_p_mw"], 0.0, atol=1e-7)
    # A MW more load lets half a MW more wind in.
    np.testing.assert_allclose(result["marginal_curtailment"], 0.5, atol=1e-9)


def test_reserve_below_keeps_a_plant_running_and_curtails_wind() -> None:
    grid = small_grid(2, [(0, 1, 1e3)], generators=[(0, 50.0, 20.0)], units=[(1, "wind", 80.0)])
    generation, load = labelled(grid, TIME, np.array([[60.0, 0.0]] * 2), np.full((2, 1), 80.0))
    result = dispatch(grid, generation, load=load, limits=Limits(reserve_down_mw=15.0))
    np.testing.assert_allclose(result["p_mw"], 15.0, atol=1e-7)
    np.testing.assert_allclose(result["curtailed_oversupply_p_mw"], 20.0, atol=1e-7)
    np.testing.assert_allclose(result["curtailed_system_p_mw"], 15.0, atol=1e-7)
    np.testing.assert_allclose(result["reserve_short_mw"], 0.0, atol=1e-9)


def test_reserve_that_is_not_there_is_reported_as_short() -> None:
    grid = small_grid(2, [(0, 1, 1e3)], generators=[(0, 50.0, 20.0)])
    generation, load = labelled(grid, TIME, np.array([[40.0, 0.0]] * 2), np.zeros((2, 0)))
    result = dispatch(grid, generation, load=load, limits=Limits(reserve_up_mw=25.0))
    np.testing.assert_allclose(result["reserve_short_mw"], [[15.0, 0.0]] * 2, atol=1e-7)
    np.testing.assert_allclose(result["shed_p_mw"], 0.0, atol=1e-7)


def test_a_plant_that_is_out_gives_nothing() -> None:
    grid = small_grid(2, [(0, 1, 1e3)], generators=[(0, 50.0, 20.0), (1, 80.0, 30.0)], must_run={0: 10.0})
    generation, load = labelled(grid, TIME, np.array([[0.0, 60.0]] * 2), np.zeros((2, 0)))
    status = xr.DataArray(
        [[0.0], [0.5]], {"time": generation["time"], "gen": grid.generators.index[:1]}, ("time", "gen")
    )
    result = dispatch(grid, generation, load=load, gen_status=status)
    np.testing.assert_allclose(result["p_mw"], [[0.0, 60.0], [25.0, 35.0]], atol=1e-7)


def test_storage_decided_before_is_part_of_the_balance() -> None:
    grid = small_grid(2, [(0, 1, 10.0)], generators=[(0, 50.0, 20.0)])
    engine = DispatchEngine(grid)
    plain = always_on(engine.problem, np.array([[0.0, 30.0]]), np.zeros((1, 0)))
    helped = Inputs(plain.load_p_mw, plain.available_p_mw, plain.gen_status, np.array([[0.0, 25.0]]))
    assert engine.solve_many(plain).shed_p_mw.sum() == pytest.approx(20.0)
    assert engine.solve_many(helped).shed_p_mw.sum() == pytest.approx(0.0)
    assert engine.solve_many(helped).gen_p_mw[0, 0] == pytest.approx(5.0)


def test_shed_load_is_shared_in_proportion_where_lines_allow() -> None:
    grid = small_grid(3, [(0, 1, 1e3), (1, 2, 10.0)], generators=[(0, 50.0, 20.0)])
    step = DispatchEngine(grid).solve(np.array([40.0, 20.0, 20.0]), np.zeros(0))
    # 30 of 80 MW are short, 10 of them behind the line whoever else sheds.
    assert step.shed_p_mw.sum() == pytest.approx(30.0)
    np.testing.assert_allclose(step.shed_p_mw, [40 / 3, 20 / 3, 10.0], atol=1e-5)


def test_limits_that_are_none_are_refused_at_once() -> None:
    with pytest.raises(InputError) as error:
        Limits(max_nonsynchronous_share=1.5, reserve_up_mw=-1.0, reserve_down_mw=float("nan"))
    assert len(error.value.findings) == 3


def test_status_of_unknown_plants_and_missing_commitment_are_refused() -> None:
    grid = small_grid(2, [(0, 1, 10.0)], generators=[(0, 50.0, 20.0)])
    generation, load = labelled(grid, TIME, np.array([[10.0, 0.0]] * 2), np.zeros((2, 0)))
    for labels, value, text in ((["nobody"], 1.0, "'nobody'"), (grid.generators.index[:1], 2.0, "0 to 1")):
        status = xr.DataArray(
            np.full((2, 1), value), {"time": generation["time"], "gen": list(labels)}, ("time", "gen")
        )
        with pytest.raises(InputError, match=text):
            dispatch(grid, generation, load=load, gen_status=status)


def test_prices_split_into_energy_and_congestion() -> None:
    grid = small_grid(2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0), (1, 100.0, 50.0)])
    generation, load = labelled(grid, TIME, np.array([[30.0, 60.0]] * 2), np.zeros((2, 0)))
    result = dispatch(grid, generation, load=load, objective="market").isel(time=0)
    np.testing.assert_allclose(result["lmp_per_mwh"], [20.0, 50.0])
    assert float(result["lmp_energy_per_mwh"]) == pytest.approx(40.0)  # (30 · 20 + 60 · 50) / 90
    np.testing.assert_allclose(result["lmp_congestion_per_mwh"], [-20.0, 10.0])


@pytest.mark.parametrize(("rooftop", "curtailed", "relieved"), [(80.0, 60.0, 0.0), (40.0, 50.0, 0.5)])
def test_more_load_lets_no_wind_in_where_rooftop_pv_alone_exceeds_the_share(
    rooftop: float, curtailed: float, relieved: float
) -> None:
    units = [(1, "wind", 60.0), (0, "rtpv", 80.0)]
    grid = small_grid(2, [(0, 1, 1e3)], generators=[(0, 200.0, 20.0)], units=units)
    engine = DispatchEngine(grid, limits=Limits(max_nonsynchronous_share=0.5))
    step = engine.solve(np.array([0.0, 100.0]), np.array([60.0, rooftop]))
    np.testing.assert_allclose(step.curtailed_p_mw, [curtailed, 0.0], atol=1e-7)
    np.testing.assert_allclose(step.marginal_curtailment, relieved, atol=1e-9)
