"""From the cells of a latitude-longitude grid to sites.

Arrays stay lazy: cells are picked by position, and weights multiply what was picked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import xarray as xr

from weather._types import FloatArray, IntArray
from weather.constants import EARTH_RADIUS_KM
from weather.errors import Finding, Findings

__all__ = ["Method", "to_sites"]

Method: TypeAlias = Literal["nearest", "bilinear"]

_DIMS: Final = ("latitude", "longitude")
_FULL_CIRCLE: Final = 360.0
_ROUNDING: Final = 1e-6
_SINGLE_CELL: Final = 0.25
_DISTANCE_ATTRS: Final = {"units": "km", "long_name": "from the site to the centre of its nearest cell"}


def to_sites(
    grid: xr.Dataset, places: Mapping[str, tuple[float, float]], method: Method = "nearest"
) -> xr.Dataset:
    """Take the values of a grid at sites.

    Parameters
    ----------
    grid : Dataset
        Variables over `latitude` and `longitude` (regular or not, either way round, longitudes from -180 or
        from 0) and any other dims. [degree]
    places : mapping
        Site -> (latitude, longitude), north and east positive. [degree]
    method : {"nearest", "bilinear"}
        The nearest cell, or the four around a site weighted by its place between their centres.

    Returns
    -------
    Dataset
        `site` instead of the two dims, with coordinates `latitude` and `longitude` (of the cell for
        "nearest", of the site for "bilinear") and `cell_distance_km`, the distance from the site to the
        centre of its nearest cell. [km]

    Raises
    ------
    InputError
        With every site that is not within the grid (for "nearest" by more than half a cell), and if the grid
        is none.

    Notes
    -----
    Wind has to be given as components, not as a direction.

    Examples
    --------
    >>> cells = {"latitude": [50.0, 50.5], "longitude": [4.0, 4.5]}
    >>> grid = xr.Dataset({"t": (("latitude", "longitude"), [[1.0, 2.0], [3.0, 4.0]])}, cells)
    >>> to_sites(grid, {"a": (50.25, 4.25)}, "bilinear")["t"].item()
    2.5
    """
    Findings(_grid_findings(grid, method)).raise_if_any("cells to sites")
    wanted = np.array(list(places.values()), dtype=np.float64).reshape(-1, 2)
    latitudes = _Cells.of(grid["latitude"], is_longitude=False).find(wanted[:, 0])
    longitudes = _Cells.of(grid["longitude"], is_longitude=True).find(wanted[:, 1])
    slack = 0.5 if method == "nearest" else 0.0
    is_outside = (latitudes.outside > slack + _ROUNDING) | (longitudes.outside > slack + _ROUNDING)
    findings = Findings()
    for name, place in zip(np.array(list(places), dtype=object)[is_outside], wanted[is_outside], strict=True):
        what = f"({place[0]:g}, {place[1]:g}) lies outside the grid of {_span(grid)} degree"
        findings.add(f"site {name}", what, "get a larger area")
    findings.raise_if_any("cells to sites")
    row, column = latitudes.nearest, longitudes.nearest
    centre = grid["latitude"].to_numpy()[row], _wrapped(grid["longitude"].to_numpy()[column])
    if method == "nearest":
        taken = _pick(grid, row, column)
        place_of_values = centre
    else:
        taken = _bilinear(grid, latitudes, longitudes)
        place_of_values = wanted[:, 0], _wrapped(wanted[:, 1])
    distance = ("site", _distance_km(wanted[:, 0], wanted[:, 1], *centre), _DISTANCE_ATTRS)
    return taken.assign_coords(
        site=np.array(list(places), dtype=object),
        latitude=("site", place_of_values[0]),
        longitude=("site", place_of_values[1]),
        cell_distance_km=distance,
    )


@dataclass(frozen=True)
class _Found:
    """Where places lie among the cells of one dim.

    Attributes
    ----------
    before, after : ndarray
        Positions of the cells around each place; equal in a grid of one cell.
    share : ndarray
        Part of the way from the first to the second. [1]
    outside : ndarray
        How far a place lies beyond the outermost centre, in cells. [1]
    """

    before: IntArray
    after: IntArray
    share: FloatArray
    outside: FloatArray

    @property
    def nearest(self) -> IntArray:
        """Positions of the nearest cells."""
        return np.where(self.share > 0.5, self.after, self.before)


@dataclass(frozen=True)
class _Cells:
    """Centres of the cells along one dim in ascending order, around the Earth with one turn to both sides."""

    centres: FloatArray
    position: IntArray
    is_longitude: bool

    @classmethod
    def of(cls, centres: xr.DataArray, *, is_longitude: bool) -> _Cells:
        """Sort the centres of a dim."""
        values = centres.to_numpy().astype(np.float64)
        position = np.argsort(values).astype(np.int64)
        values = values[position]
        gap = values[0] + _FULL_CIRCLE - values[-1]
        if is_longitude and len(values) > 1 and gap < 1.5 * float(np.median(np.diff(values))):
            turned = [values[-1:] - _FULL_CIRCLE, values, values[:1] + _FULL_CIRCLE]
            values, position = np.concatenate(turned), np.concatenate([position[-1:], position, position[:1]])
        return cls(values, position, is_longitude)

    def find(self, wanted: FloatArray) -> _Found:
        """Return where places lie."""
        if self.is_longitude:
            middle = 0.5 * (self.centres[0] + self.centres[-1])
            wanted = middle + (wanted - middle + 0.5 * _FULL_CIRCLE) % _FULL_CIRCLE - 0.5 * _FULL_CIRCLE
        last = len(self.centres) - 1
        size = float(np.median(np.diff(self.centres))) if last else _SINGLE_CELL
        before = np.clip(np.searchsorted(self.centres, wanted, side="right") - 1, 0, max(last - 1, 0))
        after = np.minimum(before + 1, last)
        gap = np.where(after > before, self.centres[after] - self.centres[before], 1.0)
        share = np.where(after > before, (wanted - self.centres[before]) / gap, 0.0)
        beyond = np.maximum(self.centres[0] - wanted, wanted - self.centres[-1])
        return _Found(
            self.position[before],
            self.position[after],
            np.clip(share, 0.0, 1.0),
            np.maximum(beyond, 0.0) / size,
        )


def _grid_findings(grid: xr.Dataset, method: str) -> list[Finding]:
    """Return what keeps a dataset from being a grid, and an unknown method."""
    findings = Findings()
    if method not in get_args(Method):
        findings.add("method", f"{method!r}", f"use one of {', '.join(get_args(Method))}")
    for dim in _DIMS:
        if dim not in grid.coords or grid[dim].dims != (dim,) or not grid.sizes[dim]:
            findings.add(dim, "no coordinate along a dim of this name", "give a latitude-longitude grid")
        elif np.unique(grid[dim].to_numpy()).size < grid.sizes[dim]:
            findings.add(dim, "centres of cells occur twice", "give each cell once")
    return list(findings)


def _pick(grid: xr.Dataset, row: IntArray, column: IntArray) -> xr.Dataset:
    """Return the cells at pairs of positions, without their coordinates."""
    at = {"latitude": xr.DataArray(row, dims="site"), "longitude": xr.DataArray(column, dims="site")}
    return grid.isel(at).drop_vars(_DIMS)


def _bilinear(grid: xr.Dataset, latitudes: _Found, longitudes: _Found) -> xr.Dataset:
    """Return the mean of the four cells around each place, weighted by its place between their centres."""
    with xr.set_options(keep_attrs=True):  # type: ignore[no-untyped-call]
        south, north = (
            _pick(grid, row, longitudes.before) * xr.DataArray(1.0 - longitudes.share, dims="site")
            + _pick(grid, row, longitudes.after) * xr.DataArray(longitudes.share, dims="site")
            for row in (latitudes.before, latitudes.after)
        )
        share = xr.DataArray(latitudes.share, dims="site")
        return south * (1.0 - share) + north * share


def _distance_km(lat_a: FloatArray, lon_a: FloatArray, lat_b: FloatArray, lon_b: FloatArray) -> FloatArray:
    """Return great-circle distances by the haversine formula. [km]."""
    phi_a, phi_b, delta = np.radians(lat_a), np.radians(lat_b), np.radians(lon_b - lon_a)
    h = np.sin((phi_b - phi_a) / 2) ** 2 + np.cos(phi_a) * np.cos(phi_b) * np.sin(delta / 2) ** 2
    distance: FloatArray = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h))
    return distance


def _wrapped(longitude: FloatArray) -> FloatArray:
    """Return longitudes from -180 to 180. [degree]."""
    wrapped: FloatArray = (longitude + 0.5 * _FULL_CIRCLE) % _FULL_CIRCLE - 0.5 * _FULL_CIRCLE
    return wrapped


def _span(grid: xr.Dataset) -> str:
    """Return the extent of a grid as text."""
    return " by ".join(f"{float(grid[dim].min()):g} … {float(grid[dim].max()):g}" for dim in _DIMS)
