"""What is known of sunlight in advance: a clear sky, and the dark."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather.errors import Findings
from weather.irradiance import clear_sky_ghi, extra_radiation, split_ghi
from weather.sunposition import sun_position
from weather.timeaxis import interval_midpoint, step_of, to_utc_index, to_xarray_time
from weather.variables import with_metadata

__all__ = ["clear_sky", "is_dark"]

_COLUMNS: Final = ("latitude", "longitude", "altitude")
_HORIZON: Final = 90.833
"""Zenith of the sun's centre when its upper edge rises: 34' of refraction and 16' of radius [1]_. [degree]

.. [1] Astronomical Almanac, section A: sunrise and sunset."""


def clear_sky(sites: pd.DataFrame, time: pd.DatetimeIndex, *, temp_air: float = 20.0) -> xr.Dataset:
    """Weather under a cloudless sky, for `pv_power` and `smart_persistence`.

    Parameters
    ----------
    sites : DataFrame
        Index: site; columns latitude, longitude [degree] and altitude [m].
    time : DatetimeIndex
        Regular left labels in a stated zone.
    temp_air : float
        Air temperature, the same everywhere. [°C]

    Returns
    -------
    Dataset
        ghi, dni, dhi and temp_air over (time, site); Ineichen and Perez with pvlib's monthly turbidity.
        `pv_power` takes it with `wind_speed_m_s`.
    """
    _check(sites)
    axis = to_utc_index(time)
    latitude, longitude, altitude = (sites[name].to_numpy(dtype=float) for name in _COLUMNS)
    middle = interval_midpoint(axis)
    sun = sun_position(middle, latitude, longitude, altitude)
    cloudless = clear_sky_ghi(middle, sun, latitude, longitude, altitude)
    ghi, dni, dhi = split_ghi(cloudless, sun, extra_radiation(middle))
    parts = {"ghi": ghi, "dni": dni, "dhi": dhi, "temp_air": np.full(ghi.shape, temp_air)}
    coords = {name: ("site", sites[name].to_numpy(dtype=float)) for name in _COLUMNS}
    return with_metadata(
        xr.Dataset(
            {name: (("time", "site"), values) for name, values in parts.items()},
            coords={"time": to_xarray_time(axis), "site": sites.index.to_numpy(dtype=object), **coords}
            | {"utc_offset_h": ("site", np.round(longitude / 15.0))},
            attrs={"source": "pvlib's clear sky", "licence": "none needed: computed", "synthetic": 1},
        )
    )


def is_dark(sites: pd.DataFrame, time: pd.DatetimeIndex) -> xr.DataArray:
    """Whether the sun is below the horizon for the whole of a step.

    Parameters
    ----------
    sites : DataFrame
        As for `clear_sky`.
    time : DatetimeIndex
        Regular left labels in a stated zone.

    Returns
    -------
    DataArray
        Over (time, site): at the start, the middle and the end of a step the upper edge of the sun is below
        a flat horizon.
    """
    _check(sites)
    axis = to_utc_index(time)
    latitude, longitude, altitude = (sites[name].to_numpy(dtype=float) for name in _COLUMNS)
    step = pd.Timedelta(step_of(axis))
    dark = np.ones((len(axis), len(sites)), dtype=bool)
    for part in (0.0, 0.5, 1.0):
        dark &= sun_position(axis + part * step, latitude, longitude, altitude).zenith > _HORIZON
    coords = {"time": to_xarray_time(axis), "site": sites.index.to_numpy(dtype=object)}
    return xr.DataArray(dark, dims=("time", "site"), coords=coords, name="is_dark")


def _check(sites: pd.DataFrame) -> None:
    findings = Findings()
    for name in _COLUMNS:
        if name not in sites or not np.isfinite(sites[name].to_numpy(dtype=float)).all():
            findings.add(f"sites[{name!r}]", "missing or not finite", "give it for every site")
    findings.raise_if_any("sites")
