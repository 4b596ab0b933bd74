"""Beam and diffuse irradiance from global irradiance, by pvlib's models over (time, site) arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
import pvlib
import xarray as xr

from weather._blocks import checked_weather, over_units
from weather._types import FloatArray, IntArray
from weather.errors import Finding, InputError
from weather.irradiance import MAX_ZENITH_FOR_BEAM
from weather.sunposition import SunPosition, sun_at, sun_time
from weather.timeaxis import interval_midpoint
from weather.variables import with_metadata

__all__ = ["DECOMPOSITION_MODELS", "DEFAULT_DECOMPOSITION", "decompose"]

Beam = Callable[[FloatArray, SunPosition, FloatArray, FloatArray], FloatArray]
"""A model: (ghi, sun, day of the year, pressure) of one shape -> dni."""


def _of(model: Callable[..., Mapping[str, FloatArray]]) -> Beam:
    """Make one signature of a pvlib model of the day of the year."""

    def beam(ghi: FloatArray, sun: SunPosition, day: FloatArray, _: FloatArray) -> FloatArray:
        return model(ghi, sun.zenith, day)["dni"]

    return beam


def _disc(ghi: FloatArray, sun: SunPosition, day: FloatArray, pressure: FloatArray) -> FloatArray:
    """DNI by DISC."""
    return np.asarray(pvlib.irradiance.disc(ghi, sun.zenith, day, pressure)["dni"], dtype=np.float64)


def _dirint(ghi: FloatArray, sun: SunPosition, day: FloatArray, pressure: FloatArray) -> FloatArray:
    """DNI by DIRINT, whose stability index compares neighbours in time.

    pvlib takes one series. The sites are laid one after another with a missing value between, which the
    index passes over as it does the ends of a series.
    """
    shape = (len(ghi) + 1, *ghi.shape[1:])

    def in_a_row(values: FloatArray) -> FloatArray:
        padded = np.full(shape, np.nan)
        padded[:-1] = values
        return np.moveaxis(padded, 0, -1).ravel()

    days = np.nan_to_num(in_a_row(np.broadcast_to(day, ghi.shape)), nan=1.0).astype(np.int64)
    # The model needs of its times no more than their day of the year; 2020 has all 366.
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(days - 1, unit="D")
    row = pvlib.irradiance.dirint(
        in_a_row(ghi),
        in_a_row(np.broadcast_to(sun.zenith, ghi.shape)),
        pd.DatetimeIndex(times),
        pressure=in_a_row(pressure),
    )
    dni = np.asarray(row, dtype=np.float64).reshape(*ghi.shape[1:], shape[0])
    return np.nan_to_num(np.moveaxis(dni, -1, 0)[:-1], nan=0.0)


DECOMPOSITION_MODELS: Final[Mapping[str, Beam]] = {
    "erbs": _of(pvlib.irradiance.erbs),
    "erbs_driesse": _of(pvlib.irradiance.erbs_driesse),
    "orgill_hollands": _of(pvlib.irradiance.orgill_hollands),
    # The hourly coefficients; pvlib's default ones are for 15 minutes.
    "boland": _of(partial(pvlib.irradiance.boland, a_coeff=7.997, b_coeff=0.586)),
    "louche": _of(pvlib.irradiance.louche),
    "disc": _disc,
    "dirint": _dirint,
}
"""Models by name, as in `pvlib.irradiance`."""

DEFAULT_DECOMPOSITION: Final = "erbs_driesse"
"""Driesse's continuous form of the Erbs correlation: A. Driesse, A. Jensen and R. Perez, "A continuous form
of the Perez diffuse sky model for forward and reverse transposition", Solar Energy 267, 2024."""


def decompose(weather: xr.Dataset, model: str = DEFAULT_DECOMPOSITION) -> xr.Dataset:
    """Add what is missing of beam and diffuse irradiance.

    Parameters
    ----------
    weather : Dataset
        With `ghi`, and with neither, one or both of `dni` and `dhi`; pressure and air temperature are used
        where they are there. It may be lazy and have members, and so is the result.
    model : str
        One of `DECOMPOSITION_MODELS`, used where both parts are missing; where one is there, the other
        follows from ghi = dhi + dni cos(zenith).

    Returns
    -------
    Dataset
        With `dni` and `dhi`; `attrs["decomposition"]` says where they come from. The parts add up to `ghi`;
        no beam is left above a zenith of `MAX_ZENITH_FOR_BEAM`, and none is stronger than above the
        atmosphere.

    Raises
    ------
    InputError
        If the model is unknown, or with everything that is wrong with the weather.

    Notes
    -----
    The sun is taken at the interval's middle. "dirint" compares an hour with its neighbours and needs whole
    series: a lazy time axis is merged into one chunk.
    """
    if model not in DECOMPOSITION_MODELS:
        what = f"{model!r} is unknown"
        finding = Finding("decomposition", what, f"use one of {', '.join(DECOMPOSITION_MODELS)}")
        raise InputError("decompose", [finding])
    missing = [name for name in ("dni", "dhi") if name not in weather]
    if not missing:
        return weather
    needed = ("ghi", "latitude", "longitude", "altitude")
    used = checked_weather(weather, needed, ("dni", "dhi", "pressure", "temp_air"))
    middle = interval_midpoint(weather)
    split = over_units(
        _Split(model, *(np.asarray(used[name], dtype=np.float64) for name in needed[1:])),
        used,
        np.arange(used.sizes["site"]),
        np.column_stack([sun_time(middle), middle.dayofyear]),
        n_parts=2,
        whole_time=model == "dirint" and len(missing) == 2,
    ).rename(unit="site")
    parts = {name: split.isel(part=part).variable for part, name in enumerate(("dni", "dhi"))}
    source = model if len(missing) == 2 else "closure"
    return with_metadata(weather.assign({name: parts[name] for name in missing})).assign_attrs(
        decomposition=source
    )


@dataclass(frozen=True)
class _Split:
    """Beam and diffuse parts at sites."""

    model: str
    latitude: FloatArray
    longitude: FloatArray
    altitude: FloatArray

    def __call__(self, by_time: FloatArray, values: Mapping[str, FloatArray], sites: IntArray) -> FloatArray:
        """Return dni and dhi in a last axis."""
        ghi = values["ghi"]
        ndim = ghi.ndim - 1
        latitude, longitude, altitude = (
            column[sites].reshape(-1, *(1,) * (ndim - 1))
            for column in (self.latitude, self.longitude, self.altitude)
        )
        rows = by_time.reshape(len(by_time), *(1,) * ndim, -1)
        standard = np.asarray(pvlib.atmosphere.alt2pres(altitude), dtype=np.float64)
        pressure = np.broadcast_to(values.get("pressure", standard), ghi.shape)
        temp_air = np.broadcast_to(values.get("temp_air", np.array(12.0)), ghi.shape)
        sun = sun_at(rows[..., :-1], latitude, longitude, altitude, pressure, temp_air)
        day = np.broadcast_to(rows[..., -1], ghi.shape)
        cosine = np.where(sun.zenith < MAX_ZENITH_FOR_BEAM, sun.cos_zenith, 0.0)
        if "dni" in values:
            dni = np.broadcast_to(values["dni"], ghi.shape)
        elif "dhi" in values:
            dni = (ghi - values["dhi"]) / np.where(cosine > 0.0, cosine, np.inf)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):  # at night
                dni = DECOMPOSITION_MODELS[self.model](ghi, sun, day, pressure)
        if "dni" not in values:
            dni = np.clip(np.where(cosine > 0.0, dni, 0.0), 0.0, pvlib.irradiance.get_extra_radiation(day))
        return np.stack([dni, np.maximum(ghi - dni * cosine, 0.0)], axis=-1)
