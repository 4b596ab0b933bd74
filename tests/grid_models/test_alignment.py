"""Inputs that do not fit are refused with everything that is wrong with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import Grid, Limits, dispatch, dispatch_horizon, with_storage
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


def test_power_in_another_unit_or_above_a_units_size(
    grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]
) -> None:
    generation, load = inputs
    in_kw = generation * 1000.0
    text = refused(grid, in_kw, load)
    assert "available_p_mw at unit 'u0', 2020-06-01T00:00:00+00:00: 10000 MW is above its p_nom_mw" in text
    in_kw["available_p_mw"].attrs["units"] = "kW"
    assert "available_p_mw: is in 'kW'" in refused(grid, in_kw, load)
    rounded = generation.copy()
    rounded["available_p_mw"][0, 0] = 50.04
    assert aligned(grid, rounded, load, None)[0][0, 0] == 50.04


def test_steps_out_of_order_missing_or_none(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    for method in (dispatch, dispatch_horizon):
        for wrong, match in (
            (generation.isel(time=[0, 2, 1]), "2020-06-01T01:00:00.00:00 follows 2020-06-01T02:00:00"),
            (generation.isel(time=[0, 0]), "keep one of each"),
            (generation.isel(time=slice(0)), "has no step"),
            (generation.rename(time="hour"), "has no time axis"),
        ):
            with pytest.raises(InputError, match=match):
                method(grid, wrong, load=load)


def test_choices_that_do_not_exist(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    options = {"objective": "cheapest", "security": "n-2"}
    with pytest.raises(InputError, match=r"(?s)objective: 'cheapest'.*security: 'n-2'"):
        dispatch(grid, generation, load=load, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"(?s)objective: 'cheapest'.*security: 'n-2'"):
        dispatch_horizon(grid, generation, load=load, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="chunk_steps: 0 is less than 1"):
        dispatch(grid, generation, load=load, chunk_steps=0)
    with pytest.raises(InputError, match="horizon_h: 'a day' is no number"):
        dispatch_horizon(grid, generation, load=load, horizon_h="a day")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"(?s)reserve_up_mw: 500 MW is more than the 90 MW.*reserve_down"):
        dispatch(grid, generation, load=load, limits=Limits(None, 500.0, 91.0))


def test_storage_beyond_its_power(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    stores = pd.DataFrame({"bus": ["b1"], "p_max_mw": [5.0], "e_max_mwh": [10.0]}, index=["s"])
    labels = {"time": load["time"], "storage": ["s"]}
    power = xr.DataArray([[4.0], [-6.0], [0.0]], labels, ("time", "storage"), "storage_p_mw")
    with pytest.raises(InputError, match="storage 's': up to 6 MW, above its p_max_mw of 5 MW"):
        dispatch(with_storage(grid, stores), generation, load=load, storage_p_mw=power)
