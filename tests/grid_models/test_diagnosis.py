from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import Grid, dispatch, explain_dispatch, explain_infeasibility
from tests.grid_models.grids import labelled, small_grid
from weather import InputError

TIME = pd.date_range("2020-01-01T00:00Z", periods=2, freq="h")


def explained(grid: Grid, load: list[list[float]], available: list[list[float]]) -> list[str]:
    generation, demand = labelled(grid, TIME, np.array(load), np.array(available))
    return explain_dispatch(grid, dispatch(grid, generation, load=demand))


def foreseen(grid: Grid, load: list[list[float]], available: list[list[float]]) -> list[str]:
    generation, demand = labelled(grid, TIME, np.array(load), np.array(available))
    return explain_infeasibility(grid, demand, generation["available_p_mw"])


def test_nothing_odd_needs_no_words() -> None:
    grid = small_grid(2, [(0, 1, 50.0)], generators=[(0, 100.0, 10.0)], units=[(0, "wind", 20.0)])
    assert explained(grid, [[10, 30], [10, 40]], [[5], [20]]) == []
    assert foreseen(grid, [[10, 30], [10, 40]], [[5], [20]]) == []


def test_load_behind_a_full_line_names_the_line_the_bus_and_the_energy() -> None:
    # b2 hangs on a 30 MW line: of its 50 and 40 MW, 20 and 10 MW stay unserved.
    grid = small_grid(3, [(0, 1, 90.0), (1, 2, 30.0)], generators=[(0, 100.0, 10.0)])
    load, none = [[0, 5, 50], [0, 5, 40]], [[], []]
    total, bus = explained(grid, load, none)
    assert total == "load is shed in 2 of 2 steps: 30.0 MWh, up to 20.0 MW at 2020-01-01T00:00Z"
    assert bus.startswith("bus 'b2': 30.0 MWh shed, up to 20.0 MW at 2020-01-01T00:00Z")
    assert bus.endswith("full: line 'l1' (30.0 MW)")
    (cut, solved) = foreseen(grid, load, none)[:2]
    assert cut == (
        "bus 'b2' needs 50.0 MW from outside at 2020-01-01T00:00Z, but all that ends there (line 'l1') "
        "carries 30.0 MW"
    )
    assert "full: line 'l1'" in solved


def test_a_full_line_that_leads_away_is_not_blamed() -> None:
    # l0 is full with wind that leaves b0; what b2 lacks is held up by l1 alone.
    grid = small_grid(
        3,
        [(0, 1, 20.0), (1, 2, 30.0)],
        generators=[(1, 100.0, 10.0)],
        units=[(0, "wind", 80.0)],
    )
    _, bus = explained(grid, [[0, 5, 50], [0, 5, 50]], [[80], [80]])
    assert bus.endswith("full: line 'l1' (30.0 MW)")


def test_lack_of_generation_is_told_from_lack_of_lines() -> None:
    grid = small_grid(2, [(0, 1, 500.0)], generators=[(0, 60.0, 10.0)])
    load = [[0, 50], [0, 80]]
    _, bus = explained(grid, load, [[], []])
    assert bus.endswith("all 60.0 MW that can be generated are used")
    assert foreseen(grid, load, [[], []])[0] == (
        "in 1 of 2 steps, worst at 2020-01-01T01:00Z: load of 80.0 MW is above all that can be generated "
        "(60.0 MW)"
    )


def test_power_that_must_be_taken_is_told_where_it_cannot_go() -> None:
    # Roof-top PV of 70 MW at b1 with a line of 40 MW and no load there.
    grid = small_grid(2, [(0, 1, 40.0)], generators=[(0, 50.0, 10.0)], units=[(1, "rtpv", 100.0)])
    load, sun = [[60, 0], [60, 0]], [[30], [70]]
    total, bus = explained(grid, load, sun)
    assert total == "power is dumped in 1 of 2 steps: 30.0 MWh, up to 30.0 MW at 2020-01-01T01:00Z"
    assert bus.startswith("bus 'b1': 30.0 MWh dumped")
    assert bus.endswith("full: line 'l0' (40.0 MW)")
    assert "bus 'b1' must give 70.0 MW to outside at 2020-01-01T01:00Z" in foreseen(grid, load, sun)[1]


def test_a_minimum_above_the_load_is_told() -> None:
    grid = small_grid(2, [(0, 1, 500.0)], generators=[(0, 100.0, 10.0)], must_run={0: 50.0})
    load = [[0, 40], [0, 60]]
    _, bus = explained(grid, load, [[], []])
    assert "dumped" in bus
    assert bus.endswith("nothing of the 50.0 MW that are generated can be held back")
    assert foreseen(grid, load, [[], []])[0] == (
        "in 1 of 2 steps, worst at 2020-01-01T00:00Z: load of 40.0 MW is below all that must be generated "
        "(50.0 MW)"
    )


def test_only_the_buses_with_most_are_named() -> None:
    lines = [(k, k + 1, 500.0) for k in range(8)]
    grid = small_grid(9, lines, generators=[(0, 5.0, 10.0)])
    words = explained(grid, [[5, *range(1, 9)]] * 2, [[], []])
    assert len(words) == 7
    assert words[-1].startswith("4 further buses")  # all nine share what is short


def test_inputs_that_do_not_fit_are_refused() -> None:
    grid = small_grid(2, [(0, 1, 50.0)], generators=[(0, 100.0, 10.0)], units=[(0, "wind", 20.0)])
    generation, demand = labelled(grid, TIME, np.full((2, 2), np.nan), np.zeros((2, 1)))
    available = generation["available_p_mw"]
    with pytest.raises(InputError, match=r"(?s)time: 2 steps of load, 1 of.*load: holds values that are not"):
        explain_infeasibility(grid, demand, available.isel(time=slice(0, 1)))


def test_a_broken_grid_is_told_first() -> None:
    grid = small_grid(2, [(0, 1, 50.0)], generators=[(0, 100.0, 10.0)])
    grid.lines.loc["l0", "x_pu"] = 0.0
    none = xr.DataArray(np.zeros((2, 0)), dims=("time", "unit"))
    assert "x_pu=0.0 pu: must not be zero" in explain_infeasibility(grid, none, none)[0]
