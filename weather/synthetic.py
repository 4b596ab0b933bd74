"""Seeded artificial weather: physical where physics is known, correlated noise where it is not.

Irradiance is pvlib's clear sky times a correlated clear-sky index, split so that it closes; wind has a
Weibull margin around daily and yearly cycles, driven by a correlated Gaussian process; temperature is
cycles plus a correlated anomaly; pressure follows altitude. What makes places alike is in
`weather.climate`, what correlates them in `weather._fields`. The result is always marked as synthetic.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd
import pvlib
import xarray as xr
from scipy.special import ndtr

from weather._fields import FieldSpec, earth_coordinates_km, latent
from weather._types import FloatArray
from weather.climate import US_SOUTHWEST, Climate
from weather.errors import Findings
from weather.irradiance import clear_sky_ghi, extra_radiation, split_ghi, sun_position
from weather.timeaxis import interval_midpoint, to_xarray_time, utc_instant
from weather.variables import check_dataset, with_metadata

__all__ = ["SYNTHETIC_HEIGHTS_M", "synthesize"]

SYNTHETIC_HEIGHTS_M: Final = (10.0, 80.0, 100.0)
"""Heights of the wind speed. [m]"""

_REFERENCE_HEIGHT_M = 100.0
_DAY_S = 86_400
_DAYS_PER_YEAR = 365.2425
_COLUMNS = ("latitude", "longitude", "altitude")
_RANGES = {"latitude": (-66.0, 66.0), "longitude": (-180.0, 180.0), "altitude": (-450.0, 6000.0)}


def synthesize(
    sites: pd.DataFrame,
    start: str | pd.Timestamp,
    end: str | pd.Timestamp,
    step: int | str,
    seed: int,
    *,
    climate: Climate = US_SOUTHWEST,
) -> xr.Dataset:
    """Artificial weather at some places.

    Parameters
    ----------
    sites : DataFrame
        Index: names; columns `latitude`, `longitude` [degree], `altitude` [m], and optionally
        `utc_offset_h` (local standard time minus UTC [h]; default: longitude / 15 rounded).
    start, end : str or Timestamp
        First label and the instant at which the last interval ends, zone stated, multiples of the step
        after midnight UTC.
    step : int or str
        Length of the intervals as seconds or as a pandas string ("1h", "5min"); a divisor of a day.
    seed : int
        Seed, >= 0. The same seed gives the same weather.
    climate : Climate
        Parameters; the default is the one that was calibrated.

    Returns
    -------
    Dataset
        The weather Dataset, `attrs["synthetic"] = 1`, wind at 10, 80 and 100 m.

    Raises
    ------
    InputError
        With everything that is wrong with the arguments.

    Notes
    -----
    The weather at a place and time is a function of place, time, step and seed: it does not depend on
    which other sites are asked for or in which order, nor on `start` and `end`. Another step with the
    same seed is other weather with the same statistics. Wind, clouds and temperature are independent of
    one another apart from their cycles.

    Examples
    --------
    >>> place = {"latitude": 35.0, "longitude": -117.0, "altitude": 700.0}
    >>> sites = pd.DataFrame([place], index=["mojave"])
    >>> ds = synthesize(sites, "2020-06-01T00:00Z", "2020-06-02T00:00Z", "1h", seed=1)
    >>> ds.sizes["time"], ds.attrs["synthetic"]
    (24, 1)
    """
    time, step_s = _checked(sites, start, end, step, seed)
    latitude, longitude, altitude = (sites[name].to_numpy(dtype=np.float64) for name in _COLUMNS)
    middle = interval_midpoint(time)
    generator = _Generator(climate, seed, latitude, longitude, time, step_s)
    sun = sun_position(middle, latitude, longitude, altitude)
    sky = clear_sky_ghi(middle, sun, latitude, longitude, altitude)
    ghi, dni, dhi = split_ghi(sky * generator.clear_sky_index(), sun, extra_radiation(middle))
    surface = ("time", "site")
    pressure = np.broadcast_to(pvlib.atmosphere.alt2pres(altitude), ghi.shape).copy()
    offset = sites["utc_offset_h"].to_numpy(float) if "utc_offset_h" in sites else np.round(longitude / 15.0)
    ds = xr.Dataset(
        {
            "ghi": (surface, ghi),
            "dni": (surface, dni),
            "dhi": (surface, dhi),
            "temp_air": (surface, generator.temp_air(altitude)),
            "pressure": (surface, pressure),
            "wind_speed": (("time", "height", "site"), generator.wind_speed()),
        },
        coords={
            "time": to_xarray_time(time),
            "height": np.array(SYNTHETIC_HEIGHTS_M),
            "site": sites.index.to_numpy(dtype=object),
            "latitude": ("site", latitude),
            "longitude": ("site", longitude),
            "altitude": ("site", altitude),
            "utc_offset_h": ("site", offset),
        },
        attrs={
            "source": f"weather.synthesize, climate {climate.name!r}, seed {seed}",
            "licence": "none needed: generated",
            "synthetic": 1,
        },
    )
    ds = with_metadata(ds)
    check_dataset(ds, "weather")
    return ds


def _checked(
    sites: pd.DataFrame, start: str | pd.Timestamp, end: str | pd.Timestamp, step: int | str, seed: int
) -> tuple[pd.DatetimeIndex, int]:
    """Return the time axis and the step in seconds, or raise with all findings about the arguments."""
    findings = Findings()
    _check_sites(sites, findings)
    if not _is_seed(seed):
        findings.add("seed", f"{seed!r}", "give an integer >= 0")
    step_s = _step_seconds(step, findings)
    first, last = (utc_instant(name, value, findings) for name, value in (("start", start), ("end", end)))
    if step_s and first is not None and last is not None:
        for name, instant in (("start", first), ("end", last)):
            if (instant - instant.normalize()) % pd.Timedelta(step_s, unit="s"):
                findings.add(
                    name, f"{instant} is not on the grid of {step_s} s from midnight UTC", "round it"
                )
        if last - first < pd.Timedelta(2 * step_s, unit="s"):
            findings.add(
                "end", f"{last} leaves fewer than two steps of {step_s} s from {first}", "ask for more time"
            )
    findings.raise_if_any("synthesize")
    return pd.date_range(first, last, freq=pd.Timedelta(step_s, unit="s"), inclusive="left"), step_s


def _check_sites(sites: pd.DataFrame, findings: Findings) -> None:
    """Add findings about names and coordinates."""
    if not len(sites):
        findings.add("sites", "no rows", "name at least one place")
    if sites.index.has_duplicates:
        twice = sorted({str(site) for site in sites.index[sites.index.duplicated()]})
        findings.add("sites", f"named more than once: {', '.join(twice)}", "give each site its own name")
    for column in sites.columns[sites.columns.duplicated()].unique():
        findings.add(f"sites, column {column!r}", "comes more than once", "keep one of them")
    for column in sites.columns.unique():
        if column not in (*_COLUMNS, "utc_offset_h"):
            findings.add(
                f"sites, column {column!r}", "unknown", f"columns are {', '.join(_COLUMNS)}, utc_offset_h"
            )
    for column in _COLUMNS:
        if column not in sites.columns:
            findings.add(f"sites, column {column!r}", "missing", "add it")
            continue
        if isinstance(sites[column], pd.DataFrame):
            continue
        low, high = _RANGES[column]
        values = pd.to_numeric(sites[column], errors="coerce")
        for site, value, good in zip(sites.index, sites[column], values.between(low, high), strict=True):
            if not good:
                findings.add(f"site {site!r}, {column}", f"{value!r}", f"expected within [{low:g}, {high:g}]")


def _is_seed(value: object) -> bool:
    """Return whether a value is an integer >= 0."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


def _step_seconds(step: int | str, findings: Findings) -> int:
    """Return the step in seconds, or 0 with a finding."""
    try:
        seconds = (
            pd.Timedelta(step) if isinstance(step, str) else pd.Timedelta(step, unit="s")
        ).total_seconds()
    except (ValueError, TypeError):
        seconds = 0.0
    if seconds < 1.0 or not seconds.is_integer() or _DAY_S % int(seconds):
        findings.add(
            "step", f"{step!r}", "give seconds or a string such as '1h' or '5min' that divides a day"
        )
        return 0
    return int(seconds)


class _Generator:
    """Processes of one call: climate, seed, places and times bound together."""

    def __init__(
        self,
        climate: Climate,
        seed: int,
        latitude: FloatArray,
        longitude: FloatArray,
        time: pd.DatetimeIndex,
        step_s: int,
    ) -> None:
        self._climate, self._seed, self._time, self._step_s = climate, int(seed), time, step_s
        self._latitude, self._longitude = latitude, longitude
        self._xyz = earth_coordinates_km(latitude, longitude)
        middle = interval_midpoint(time)
        hours = (middle - middle.normalize()) / pd.Timedelta(hours=1)
        self._solar_hour = np.asarray(hours, dtype=np.float64)[:, None] + longitude[None, :] / 15.0
        half_year = np.where(latitude < 0.0, _DAYS_PER_YEAR / 2.0, 0.0)[None, :]
        self._day = (
            np.asarray(middle.dayofyear, dtype=np.float64)[:, None]
            + hours.to_numpy()[:, None] / 24.0
            + half_year
        )

    def clear_sky_index(self) -> FloatArray:
        """Global irradiance over that of a cloudless sky, shape (time, site). [1]"""
        fields = self._climate.cloud_fields
        probability = ndtr(self._latent(fields, np.ones((len(fields), len(self._xyz)))))
        points = np.array(self._climate.clear_sky_index)
        return np.asarray(np.interp(probability, points[:, 0], points[:, 1]), dtype=np.float64)

    def wind_speed(self) -> FloatArray:
        """Speed at `SYNTHETIC_HEIGHTS_M`, shape (time, height, site). [m/s]"""
        c = self._climate
        mean, share = c.wind_site_parameters(self._latitude, self._longitude)
        fields = (*c.wind_regional_fields, *c.wind_local_fields)
        weights = np.concatenate(
            [
                np.tile(np.sqrt(share), (len(c.wind_regional_fields), 1)),
                np.tile(np.sqrt(1.0 - share), (len(c.wind_local_fields), 1)),
            ]
        )
        calm = ndtr(-self._latent(fields, weights))  # 1 - u: exact in the tail of strong wind
        shape = c.wind_weibull_shape
        cycle = (1.0 + c.wind_seasonal_amplitude * self._yearly(c.wind_peak_day)) * (
            1.0 + c.wind_diurnal_amplitude * self._daily(c.wind_peak_hour)
        )
        scale = mean[None, :] * cycle / math.gamma(1.0 + 1.0 / shape)
        at_100 = scale * (-np.log(calm)) ** (1.0 / shape)
        alpha = self._shear_exponent()
        ratios = [(height / _REFERENCE_HEIGHT_M) ** alpha for height in SYNTHETIC_HEIGHTS_M]
        return np.stack([at_100 * ratio for ratio in ratios], axis=1)

    def temp_air(self, altitude: FloatArray) -> FloatArray:
        """Temperature at 2 m, shape (time, site). [°C]"""
        c = self._climate
        north = np.abs(self._latitude)[None, :] - 35.0
        mean = c.temp_mean_35 + c.temp_per_degree * north + c.temp_lapse_per_m * altitude[None, :]
        season = np.maximum(c.temp_seasonal_amplitude_35 + c.temp_seasonal_per_degree * north, 0.0)
        anomaly = c.temp_spread * self._single(c.temp_field)
        day = c.temp_diurnal_amplitude * self._daily(c.temp_peak_hour)
        return np.asarray(mean + season * self._yearly(c.temp_peak_day) + day + anomaly, dtype=np.float64)

    def _shear_exponent(self) -> FloatArray:
        """Power-law exponent of the wind profile, largest before dawn, shape (time, site). [1]"""
        c = self._climate
        spread = c.shear_spread * self._single(c.shear_field)
        alpha = c.shear_mean + c.shear_diurnal_amplitude * self._daily(1.0) + spread
        return np.asarray(np.clip(alpha, *c.shear_range), dtype=np.float64)

    def _yearly(self, peak_day: float) -> FloatArray:
        return np.asarray(np.cos(2.0 * np.pi * (self._day - peak_day) / _DAYS_PER_YEAR), dtype=np.float64)

    def _daily(self, peak_hour: float) -> FloatArray:
        return np.asarray(np.cos(2.0 * np.pi * (self._solar_hour - peak_hour) / 24.0), dtype=np.float64)

    def _single(self, spec: FieldSpec) -> FloatArray:
        return self._latent((spec,), np.ones((1, len(self._xyz))))

    def _latent(self, specs: tuple[FieldSpec, ...], weights: FloatArray) -> FloatArray:
        """Latent process on the time axis, calendar year by calendar year."""
        since_1970 = (self._time - pd.Timestamp("1970-01-01", tz="UTC")) // pd.Timedelta(
            self._step_s, unit="s"
        )
        steps = np.asarray(since_1970, dtype=np.int64)
        per_day = _DAY_S // self._step_s
        years = np.asarray(self._time.year)
        parts = []
        for year in np.unique(years):
            mine = steps[years == year]
            last_day = int(mine[-1]) // per_day
            values = latent(specs, weights, self._seed, self._xyz, int(year), last_day, self._step_s)
            first_step = int(np.datetime64(f"{year:04d}-01-01", "D").astype(np.int64)) * per_day
            parts.append(values[mine[0] - first_step : mine[-1] - first_step + 1])
        return np.concatenate(parts)
