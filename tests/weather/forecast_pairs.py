"""Made-up pairs of forecast and actual for tests of forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from weather import archived_days

UNITS = ("north", "south", "far")
CAPACITY = xr.DataArray([100.0, 50.0, 10.0], dims="unit", coords={"unit": list(UNITS)})
HOURS = pd.to_timedelta(np.arange(24), unit="h")


def hourly(n_hours: int, name: str = "available_p_mw", start: str = "2020-01-01") -> xr.DataArray:
    """A series that tells its own hour: 0, 1, 2, ..."""
    time = pd.date_range(start, periods=n_hours, freq="h")
    return xr.DataArray(np.arange(float(n_hours)), dims="time", coords={"time": time}, name=name)


def pairs(n_days: int, seed: int = 0, daylight: bool = False) -> tuple[xr.DataArray, xr.DataArray]:
    """Actual and its day-ahead forecast: two neighbours with like errors, one far away with its own."""
    rng = np.random.default_rng(seed)
    n = 24 * n_days
    mix = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]).T

    def slow(decay: float) -> np.ndarray:
        noise = rng.standard_normal((n, 3)) @ mix
        for k in range(1, n):
            noise[k] = decay * noise[k - 1] + np.sqrt(1.0 - decay**2) * noise[k]
        return noise

    made = slow(0.95)
    came = 0.8 * made + 0.6 * slow(0.8)
    arrays = []
    for latent in (came, made):
        share = np.clip(0.5 + 0.25 * latent, 0.0, 1.0)
        if daylight:
            share = share * np.clip(1.0 - ((np.arange(n) % 24 - 12) / 6.0) ** 2, 0.0, None)[:, None]
        time = pd.date_range("2020-01-01", periods=n, freq="h")
        coords = {"time": time, "unit": list(UNITS)}
        power = xr.DataArray(share, dims=("time", "unit"), coords=coords, name="available_p_mw") * CAPACITY
        arrays.append(power.rename("available_p_mw").assign_attrs(units="MW"))
    return arrays[0], arrays[1]


def day_ahead(series: xr.DataArray) -> xr.Dataset:
    """The series as issued at noon of the day before."""
    return archived_days(series, issued_before=pd.Timedelta("12h"))
