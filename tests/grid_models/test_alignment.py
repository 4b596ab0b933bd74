"""Inputs that do not fit are refused with everything that is wrong with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import Grid, dispatch
from grid_models.alignment import aligned
from tests.grid_models.grids import labelled, small_grid
from weather import InputError

TIME = pd.date_range("2020-06-01T00:00Z", periods=3, freq="h")


@pytest.fixture
def grid() -> Grid:
    units = [(0, "wind", 50.0), (1, "pv", 50.0)]
    return small_grid(2, [(0, 1, 100.0)], generators=[(0, 90.0, 20.0)], units=units)


@pytest.fixture
def inputs(grid: Grid) -> tuple[xr.Dataset, xr.DataArray]:
    return labelled(grid, TIME, np.arange(6.0).reshape(3, 2), np.arange(10.0, 16.0).reshape(3, 2))


def refused(
    grid: Grid, generation: xr.Dataset, load: xr.DataArray, flexible: xr.DataArray | None = None
) -> str:
    with pytest.raises(InputError) as error:
        aligned(grid, generation, load, flexible)
    return str(error.value)


def test_labels_in_any_order_give_the_same_arrays(
    grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]
) -> None:
    generation, load = inputs
    available, fixed, flexible = aligned(grid, generation.isel(unit=[1, 0]), load.isel(bus=[1, 0]).T, None)
    np.testing.assert_array_equal(available, np.arange(10.0, 16.0).reshape(3, 2))
    np.testing.assert_array_equal(fixed, np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(flexible, 0.0)


def test_flexible_load_may_name_some_buses_only(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    flexible = aligned(grid, generation, load, load.sel(bus=["b1"]).rename("flexible_load_p_mw"))[2]
    np.testing.assert_array_equal(flexible, [[0.0, 1.0], [0.0, 3.0], [0.0, 5.0]])


def test_no_available_power_at_all(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    assert "has no variable 'available_p_mw'" in refused(
        grid, generation.rename(available_p_mw="power"), load
    )


def test_missing_and_unknown_units_and_buses(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    text = refused(
        grid,
        generation.assign_coords(unit=np.array(["u0", "x9"], dtype=object)),
        load.isel(bus=[0]),
        load.assign_coords(bus=np.array(["b1", "moon"], dtype=object)).rename("flexible_load_p_mw"),
    )
    for part in (
        "available_p_mw: lacks unit ['u1']",
        "available_p_mw: has unknown unit ['x9']",
        "load_p_mw: lacks bus ['b1']",
        "flexible_load_p_mw bus 'moon': is not in the grid",
        "grid 'small'",
    ):
        assert part in text


def test_other_time_axes(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    shifted = load.assign_coords(time=load["time"] + np.timedelta64(30, "m"))
    text = refused(grid, generation, shifted)
    assert "load_p_mw time" in text
    assert "2020-06-01 00:30:00+00:00" in text
    assert "(3 steps)" in text
    assert "load_p_mw time" in refused(grid, generation, load.isel(time=slice(0, 2)))


def test_values_that_are_no_powers_all_at_once(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    bad_generation = generation.where(generation["available_p_mw"] != 12.0)
    text = refused(grid, bad_generation, load - 2.0, xr.full_like(load, np.inf).rename("flexible_load_p_mw"))
    assert (
        "available_p_mw at unit 'u0', 2020-06-01T01:00:00+00:00: nan MW is not finite (1 such values)" in text
    )
    assert "load_p_mw at bus 'b0', 2020-06-01T00:00:00+00:00: -2.0 MW is negative (2 such values)" in text
    assert "flexible_load_p_mw at bus 'b0'" in text
    assert "(6 such values)" in text


def test_doubled_labels_and_other_dims(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    text = refused(grid, generation.isel(unit=[0, 1, 1]), load.rename(bus="node"))
    assert "unit has duplicates ['u1']" in text
    assert "has dims ('time', 'node'): give dims ('time', 'bus')" in text.replace(";", ":")


def test_flexible_load_without_its_dim(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    flexible = load.rename(bus="node").rename("flexible_load_p_mw")
    assert "flexible_load_p_mw: has dims ('time', 'node')" in refused(grid, generation, load, flexible)


def test_dispatch_refuses_before_it_solves(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    with pytest.raises(InputError, match="is negative"):
        dispatch(grid, generation, load=load - 2.0)
    with pytest.raises(InputError, match="'cheapest' is unknown") as error:
        dispatch(grid, generation, load=load, objective="cheapest", security="n-3")  # type: ignore[arg-type]
    assert "'n-3' is unknown" in str(error.value)
