from __future__ import annotations

import numpy as np
import pytest

from grid_models import Grid, grid_notes, load_grid
from tests.grid_models.grids import small_grid


def words(grid: Grid) -> str:
    return " | ".join(map(str, grid_notes(grid)))


def test_a_grid_as_it_should_be_needs_no_notes() -> None:
    assert grid_notes(load_grid("rts_gmlc")) == []


def test_load_that_cannot_be_generated_or_delivered_is_noted() -> None:
    grid = small_grid(2, [(0, 1, 30.0)], generators=[(0, 60.0, 10.0)], units=[(0, "wind", 5.0)])
    grid.buses["load_p_mw"] = [30.0, 50.0]
    text = words(grid)
    assert "nominal load of 80.0 MW is above all that can be generated (65.0 MW)" in text
    assert "bus 'b1': lacks 50.0 MW of its nominal load, but its branches carry 30.0 MW" in text


def test_minima_above_the_load_are_noted() -> None:
    grid = small_grid(
        2, [(0, 1, 30.0)], generators=[(0, 60.0, 10.0)], units=[(0, "wind", 5.0)], must_run={0: 50.0}
    )
    grid.buses["load_p_mw"] = [0.0, 10.0]
    text = words(grid)
    assert "must-run minima of 50.0 MW are above the nominal load (10.0 MW)" in text
    assert "bus 'b0': must give away 50.0 MW of must-run minima, but its branches carry 30.0 MW" in text


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("rate_mw", np.inf, "lines: 1 of 1 have no rating: l0; they never congest"),
        ("x_pu", -0.1, "lines: 1 have a negative reactance: l0"),
    ],
)
def test_odd_branches_are_noted(column: str, value: float, message: str) -> None:
    grid = small_grid(2, [(0, 1, 30.0)], generators=[(0, 60.0, 10.0)], units=[(0, "wind", 5.0)])
    grid.lines[column] = value
    assert message in words(grid)


def test_a_grid_without_weather_says_so() -> None:
    assert "there is none: nothing can be curtailed" in words(small_grid(2, [(0, 1, 30.0)]))
