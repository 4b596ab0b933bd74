"""What least curtailment saves against least cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import Grid, Limits, dispatch, redispatch
from tests.grid_models.grids import labelled, small_grid
from weather import InputError

TIME = pd.date_range("2020-01-01", periods=2, freq="h")


def test_a_dear_plant_behind_a_line_makes_room_for_wind() -> None:
    # Load 120 MW at bus 1, 100 MW of room on the line from bus 0, where wind and a plant are. Wind at its
    # offer of 25 is dearer than the plant: least cost curtails it, least curtailment holds the plant back.
    grid = small_grid(
        2,
        [(0, 1, 100.0)],
        generators=[(0, 80.0, 20.0), (1, 200.0, 50.0)],
        units=[(0, "wind", 60.0)],
        offers=[25.0],
    )
    generation, load = labelled(grid, TIME, np.array([[0.0, 120.0]] * 2), np.full((2, 1), 60.0))
    both = [dispatch(grid, generation, load=load, objective=o) for o in ("priority", "market")]
    result = redispatch(*both)
    np.testing.assert_allclose(result["redispatch_p_mw"], 40.0, atol=1e-6)
    np.testing.assert_allclose(result["redispatch_gen_p_mw"], [[40.0, 0.0]] * 2, atol=1e-6)
    np.testing.assert_allclose(result["redispatch_cost"], 40.0 * 5.0, atol=1e-4)
    assert result["redispatch_cost"].attrs["units"].endswith("/h")


def test_what_cannot_be_compared_is_refused() -> None:
    grid = small_grid(2, [(0, 1, 100.0)], generators=[(0, 80.0, 20.0)])
    generation, load = labelled(grid, TIME, np.array([[0.0, 20.0]] * 2), np.zeros((2, 0)))
    one = dispatch(grid, generation, load=load)
    market = dispatch(grid, generation, load=load + 1.0, objective="market")
    with pytest.raises(InputError, match=r"(?s)objective .market..*objective .priority."):
        redispatch(market, one)
    with pytest.raises(InputError, match="load_p_mw: differs by up to 1 MW"):
        redispatch(one, market)
    with pytest.raises(InputError, match="time: the dispatches have other labels"):
        redispatch(one, market.isel(time=[0]))


def test_dispatches_of_other_inputs_are_refused() -> None:
    grid = small_grid(2, [(0, 1, 100.0)], generators=[(0, 80.0, 20.0)], units=[(0, "wind", 60.0)])
    load_p_mw = np.array([[0.0, 70.0]] * 2)
    generation, load = labelled(grid, TIME, load_p_mw, np.full((2, 1), 60.0))
    calm, _ = labelled(grid, TIME, load_p_mw, np.full((2, 1), 50.0))
    priority = dispatch(grid, generation, load=load)

    def refused(match: str, data: xr.Dataset = generation, on: Grid = grid, **options: Any) -> None:
        _, demand = labelled(on, TIME, options.pop("mw", load_p_mw), np.full((2, 1), 0.0))
        market = dispatch(on, data, load=demand, objective="market", **options)
        with pytest.raises(InputError, match=match):
            redispatch(priority, market)

    refused("available_p_mw: differs by up to 10 MW", calm)
    refused("flexible_load_p_mw: differs by up to 5 MW", flexible_load=load * 0.0 + 5.0)
    refused("reserve_up_mw: None in one, 5.0 in the other", limits=Limits(reserve_up_mw=5.0))
    half = xr.DataArray(
        np.full((2, 1), 0.5), {"time": load.time, "gen": ["g0"]}, ("time", "gen"), "gen_status"
    )
    refused("gen_status: differs by up to 0.5", gen_status=half)
    larger = small_grid(
        3, [(0, 1, 100.0), (1, 2, 50.0)], generators=[(0, 80.0, 20.0)], units=[(0, "wind", 60.0)]
    )
    refused("bus: the dispatches have other labels", on=larger, mw=np.array([[0.0, 70.0, 0.0]] * 2))
