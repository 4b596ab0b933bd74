"""What least curtailment saves against least cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grid_models import dispatch, redispatch
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
    with pytest.raises(InputError, match="time: the dispatches have other steps"):
        redispatch(one, market.isel(time=[0]))
