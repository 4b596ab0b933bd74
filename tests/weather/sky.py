"""A sky known at every moment: what files are written from, and what reading them must give back."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pvlib
import xarray as xr

LATITUDE, LONGITUDE, ALTITUDE = 32.0, -101.0, 800.0
SOLAR_ZONE_H = -7
FIRST, LAST = "2013-03-01", "2013-03-20"
HOUR = pd.Timedelta(hours=1)
YEAR = pd.date_range("2012-12-31T12:00Z", "2014-01-01T12:00Z", freq="h")


def instants(moments: pd.DatetimeIndex) -> pd.DataFrame:
    """Weather of single moments: a clear sky with the sun of pvlib, waves for the rest."""
    zenith = pvlib.solarposition.get_solarposition(moments, LATITUDE, LONGITUDE)["zenith"].to_numpy()
    cosine = np.cos(np.radians(zenith)).clip(min=0.0)
    dni = 850.0 * (1.0 - np.exp(-8.0 * cosine))
    dhi = 80.0 * (1.0 - np.exp(-8.0 * cosine))
    hours = ((moments - pd.Timestamp("2013-01-01", tz="UTC")) / pd.Timedelta(hours=1)).to_numpy()
    day = np.sin(2.0 * np.pi * (hours - 15.0) / 24.0)
    days = np.sin(2.0 * np.pi * hours / 61.0)
    columns = {
        "ghi": dhi + dni * cosine,
        "dni": dni,
        "dhi": dhi,
        "bhi": dni * cosine,
        "temp_air": 15.0 + 8.0 * day + 3.0 * days,
        "pressure": 93000.0 + 400.0 * days + 50.0 * day,
        "speed_10": 5.0 + 2.0 * days + day,
        "speed_50": 7.0 + 2.5 * days + day,
        "speed_100": 8.0 + 3.0 * days + day,
        "direction": 180.0 + 60.0 * days,
    }
    return pd.DataFrame(columns, index=moments)


def means(left: pd.DatetimeIndex, step: str = "1h") -> pd.DataFrame:
    """Means over the regular steps that begin at `left`."""
    length = pd.Timedelta(step)
    if length == HOUR and len(left) > 24 and left[0] >= YEAR[0] and left[-1] <= YEAR[-1]:
        return _means(YEAR[0], len(YEAR), HOUR).loc[left].copy()
    return _means(left[0], len(left), length).copy()


@cache
def _means(start: pd.Timestamp, n_steps: int, step: pd.Timedelta, parts: int = 12) -> pd.DataFrame:
    left = pd.date_range(start, periods=n_steps, freq=step)
    offsets = (np.arange(parts) + 0.5) / parts
    naive = left.tz_localize(None).to_numpy() + step.to_numpy() * offsets[:, None]
    table = instants(pd.DatetimeIndex(naive.ravel()).tz_localize("UTC"))
    values = table.to_numpy().reshape(parts, n_steps, -1).mean(axis=0)
    return pd.DataFrame(values, index=left, columns=table.columns)


def hours(first: str = FIRST, last: str = LAST) -> pd.DatetimeIndex:
    """Starts of the hours of some days in UTC, the last day included."""
    return pd.date_range(first, pd.Timestamp(last) + pd.Timedelta(hours=23), freq="h", tz="UTC")


def local(index: pd.DatetimeIndex, clock_h: float) -> pd.DatetimeIndex:
    """The same instants in a clock, naive, as they stand in a file."""
    return (index + pd.Timedelta(hours=clock_h)).tz_localize(None)


def difference(ds: xr.Dataset, name: str = "ghi", column: str | None = None) -> float:
    """Mean absolute difference between what was read and the means of the sky."""
    left = pd.DatetimeIndex(ds["time"].to_numpy()).tz_localize("UTC")
    step = pd.Timedelta(left[1] - left[0])
    expected = means(left, str(step))[column or name].to_numpy()
    values = ds[name].isel(site=0)
    return float(np.abs(values.to_numpy() - expected).mean())


def energy_error(ds: xr.Dataset) -> float:
    """Relative difference of the global irradiation that was read and that of the sky."""
    left = pd.DatetimeIndex(ds["time"].to_numpy()).tz_localize("UTC")
    expected = means(left, str(pd.Timedelta(left[1] - left[0])))["ghi"].sum()
    return float(ds["ghi"].sum()) / expected - 1.0
