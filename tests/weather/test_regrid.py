"""Cells to sites: exact on planes, right across the date line, loud outside."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weather import InputError, to_sites


@cache
def world(step: float = 2.5, west: float = 0.0) -> xr.Dataset:
    """The whole Earth, north to south as in ERA5; values tell the cell."""
    latitude, longitude = np.arange(90.0, -90.1, -step), west + np.arange(0.0, 360.0, step)
    data = np.sin(np.radians(latitude))[:, None] + np.cos(np.radians(longitude))[None, :]
    dims = ("latitude", "longitude")
    return xr.Dataset({"t": (dims, data, {"units": "K"})}, {"latitude": latitude, "longitude": longitude})


@settings(max_examples=30)
@given(lat=st.floats(-90, 90), lon=st.floats(-180, 360), west=st.sampled_from([0.0, -180.0]))
def test_the_nearest_cell_is_within_half_a_cell_anywhere_on_earth(
    lat: float, lon: float, west: float
) -> None:
    sites = to_sites(world(west=west), {"a": (lat, lon)})
    half_diagonal_km = 0.5 * 2.5 * np.sqrt(2.0) * 111.2
    assert sites["cell_distance_km"].item() <= half_diagonal_km + 0.1
    assert -180.0 <= sites["longitude"].item() <= 180.0
    expected = np.sin(np.radians(sites["latitude"].item())) + np.cos(np.radians(sites["longitude"].item()))
    assert sites["t"].item() == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30)
@given(lat=st.floats(-90, 90), lon=st.floats(-180, 360))
def test_between_cells_the_sphere_is_smooth_also_across_the_date_line(lat: float, lon: float) -> None:
    sites = to_sites(world(), {"a": (lat, lon)}, "bilinear")
    expected = np.sin(np.radians(lat)) + np.cos(np.radians(lon))
    assert sites["t"].item() == pytest.approx(expected, abs=6e-4)
    assert sites["latitude"].item() == lat


@settings(max_examples=30)
@given(lat=st.floats(50, 52), lon=st.floats(4, 6), a=st.floats(-3, 3), b=st.floats(-3, 3), c=st.floats(-3, 3))
def test_a_plane_is_met_exactly_on_an_irregular_grid(
    lat: float, lon: float, a: float, b: float, c: float
) -> None:
    latitude, longitude = np.array([50.0, 50.3, 51.1, 52.0]), np.array([4.0, 4.7, 6.0])
    plane = a + b * latitude[:, None] + c * longitude[None, :]
    grid = xr.Dataset(
        {"t": (("latitude", "longitude"), plane)}, {"latitude": latitude, "longitude": longitude}
    )
    assert to_sites(grid, {"a": (lat, lon)}, "bilinear")["t"].item() == pytest.approx(
        a + b * lat + c * lon, abs=1e-9
    )


def test_bilinear_agrees_with_xarray_and_keeps_attributes_and_laziness() -> None:
    grid = world().expand_dims(time=3).chunk()
    places = {"a": (50.1, 4.3), "b": (-33.0, 151.2)}
    sites = to_sites(grid, places, "bilinear")
    assert sites["t"].chunks is not None
    assert sites["t"].attrs["units"] == "K"
    at = {
        "latitude": xr.DataArray([50.1, -33.0], dims="site"),
        "longitude": xr.DataArray([4.3, 151.2], dims="site"),
    }
    assert np.allclose(sites["t"], grid["t"].interp(at))


def test_a_site_at_a_centre_takes_its_value_by_either_method() -> None:
    grid = world()
    for method in ("nearest", "bilinear"):
        sites = to_sites(grid, {"a": (50.0, 7.5)}, method)  # type: ignore[arg-type]
        assert sites["t"].item() == pytest.approx(
            grid["t"].sel(latitude=50.0, longitude=7.5).item(), abs=1e-12
        )
        assert sites["cell_distance_km"].item() == 0.0


def test_all_places_outside_are_listed() -> None:
    part = world().sel(latitude=slice(55, 45), longitude=slice(0, 10))
    with pytest.raises(InputError) as caught:
        to_sites(part, {"in": (50.0, 5.0), "north": (60.0, 5.0), "west": (50.0, -3.0)})
    assert [finding.where for finding in caught.value.findings] == ["site north", "site west"]
    edge = {"edge": (55.9, -0.9)}
    assert to_sites(part, edge)["latitude"].item() == 55.0
    with pytest.raises(InputError, match="get a larger area"):
        to_sites(part, edge, "bilinear")


def test_a_grid_of_one_cell_serves_its_own_place() -> None:
    cell = world().sel(latitude=[50.0], longitude=[5.0])
    assert to_sites(cell, {"a": (50.1, 5.1)}).sizes == {"site": 1}
    with pytest.raises(InputError, match="lies outside the grid"):
        to_sites(cell, {"a": (50.5, 5.0)})


def test_what_is_no_grid_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        to_sites(world().rename(latitude="lat"), {"a": (0.0, 0.0)}, "cubic")  # type: ignore[arg-type]
    assert [finding.where for finding in caught.value.findings] == ["method", "latitude"]
    twice = world().isel(longitude=[0, 0, 1])
    with pytest.raises(InputError, match="longitude: centres of cells occur twice"):
        to_sites(twice, {"a": (0.0, 0.0)})
