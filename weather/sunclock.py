"""The sun as a witness: does the irradiance fit the coordinates and the clock it is stamped with?

Direct and diffuse irradiance add up to the global one by the cosine of the solar zenith, so the three
together tell where the sun stood when they were measured, to minutes. Global irradiance alone tells it over
some days, by the middle of its daily course.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Final

import numpy as np
import pandas as pd
import pvlib
import xarray as xr

from weather._types import FloatArray
from weather.errors import Finding, Findings
from weather.timeaxis import to_utc_index, usual_step

__all__ = ["SUN_CHECKS", "clock_offset_h", "closure_residual", "sun_findings"]

SUN_CHECKS: Final = ("clock", "closure")
"""Checks that a caller may accept to fail."""

CLOCK_TOLERANCE_H: Final = 0.25
"""Offset of the sun against the clock that passes: a label wrong by half an hour must not. [h]"""

CLOSURE_TOLERANCE: Final = 50.0
"""Residual of the closure that counts as a violation; hourly means near sunrise come close. [W/m²]"""

CLOSURE_SHARE: Final = 0.05
"""Share of the steps with sun that may violate the closure. [1]"""

_MIN_DNI: Final = 100.0
_MIN_STEPS: Final = 24
_MAX_STEPS: Final = 1000
_MIN_GHI: Final = 10.0
_MIN_LIGHT_H: Final = 40.0
_MAX_STEPS_OF_GHI: Final = 4000
_PER_HOUR: Final = 12


def closure_residual(ds: xr.Dataset) -> xr.DataArray:
    """Return ghi - (dhi + dni cos(zenith)), the zenith at the middle of each interval.

    Parameters
    ----------
    ds : Dataset
        Weather with ghi, dni, dhi over (time, site), latitude and longitude.

    Returns
    -------
    DataArray
        Residual over (time, site); below the horizon the cosine counts as zero. [W/m²]
    """
    coords = {name: ds[name] for name in ("time", "site", "latitude", "longitude") if name in ds.coords}
    residual = xr.DataArray(_residual(ds), coords, ("time", "site"), "closure_residual")
    return residual.assign_attrs(units="W/m²")


def clock_offset_h(ds: xr.Dataset) -> xr.DataArray:
    """Return what must be added to the time stamps so that the sun in the data is the sun at the coordinates.

    Offsets from -12 to 12 h are tried, to 5 minutes. With all three of ghi, dni and dhi the data's own
    cosine of the zenith, (ghi - dhi) / dni, is compared with the computed one, and the offset of the
    smallest mean absolute difference is returned. With ghi alone it is the offset at which its root
    correlates best with the root of the cosine (roots, so that clouds weigh less than the hours of light; 5
    minutes off at most in 20 days of the measured and modelled files looked at). The offset is 0 where
    clock, label and coordinates are right, and 6 where local time at UTC-6 was taken for UTC.

    Parameters
    ----------
    ds : Dataset
        Weather with ghi over (time, site), latitude and longitude; dni and dhi make it sharper.

    Returns
    -------
    DataArray
        Offset over `site`; NaN where fewer than 24 steps have direct sun (polar night, a few hours only), and
        with ghi alone where there are less than 40 h of light. [h]
    """
    has_all = {"dni", "dhi"} <= set(ds.data_vars)
    offset = _offset_of_parts if has_all else _offset_of_ghi
    offsets = [offset(ds.isel(site=[i])) for i in range(ds.sizes["site"])]
    return xr.DataArray(offsets, coords={"site": ds["site"]}, name="clock_offset_h", attrs={"units": "h"})


def sun_findings(ds: xr.Dataset, accept: Collection[str] = ()) -> list[Finding]:
    """Return findings about sites whose clock is off, or else whose irradiance does not close.

    Parameters
    ----------
    ds : Dataset
        Weather with ghi over (time, site), latitude and longitude; the closure needs dni and dhi too.
    accept : collection of str
        Checks of `SUN_CHECKS` that are left out.
    """
    findings = Findings()
    offsets = clock_offset_h(ds).to_numpy()
    has_all = {"dni", "dhi"} <= set(ds.data_vars)
    violated = _closure_violations(ds) if has_all else np.zeros(len(offsets))
    for site, offset, share in zip(ds["site"].to_numpy(), offsets, violated, strict=True):
        if "clock" not in accept and abs(offset) > CLOCK_TOLERANCE_H:
            what = f"clock: the sun of the data fits stamps {offset:+.2f} h from those given"
            findings.add(f"site {site}", what, "check time zone, label and coordinates")
        elif "closure" not in accept and share > CLOSURE_SHARE:
            what = (
                f"closure: ghi differs from dhi + dni cos(zenith) by more than {CLOSURE_TOLERANCE:g} W/m² in "
                f"{share:.0%} of the steps with sun"
            )
            findings.add(f"site {site}", what, "check source and unit of the three, or accept=('closure',)")
    return list(findings)


def _closure_violations(ds: xr.Dataset) -> FloatArray:
    """Return the share of steps with sun whose closure is violated, per site. [1]."""
    has_sun = ds["ghi"].transpose("time", "site").to_numpy() > 0.0
    is_off = np.abs(_residual(ds)) > CLOSURE_TOLERANCE
    share: FloatArray = (is_off & has_sun).sum(axis=0) / np.maximum(has_sun.sum(axis=0), 1)
    return share


def _residual(ds: xr.Dataset) -> FloatArray:
    """Return the residual of the closure over (time, site). [W/m²]."""
    cosine = _cos_zenith(ds, _middles(ds), np.zeros(1))[0].clip(min=0.0)
    ghi, dni, dhi = (ds[name].transpose("time", "site").to_numpy() for name in ("ghi", "dni", "dhi"))
    residual: FloatArray = ghi - (dhi + dni * cosine)
    return residual


def _offset_of_parts(ds: xr.Dataset) -> float:
    """Return the offset of one site from its three irradiances. [h]."""
    ghi, dni, dhi = (ds[name].to_numpy()[:, 0] for name in ("ghi", "dni", "dhi"))
    sunny = np.flatnonzero((dni > _MIN_DNI) & np.isfinite(ghi) & np.isfinite(dhi))
    if sunny.size < _MIN_STEPS:
        return float("nan")
    sunny = sunny[:: 1 + sunny.size // _MAX_STEPS]
    measured = (ghi[sunny] - dhi[sunny]) / dni[sunny]
    middles = _middles(ds)[sunny]

    def misfit(offsets_h: FloatArray) -> FloatArray:
        cosine = _cos_zenith(ds, middles, offsets_h)[:, :, 0]
        return np.asarray(np.abs(cosine - measured).mean(axis=1), dtype=np.float64)

    return _smallest(misfit)


def _offset_of_ghi(ds: xr.Dataset) -> float:
    """Return the offset of one site from its global irradiance alone. [h]."""
    ghi = ds["ghi"].to_numpy()[:, 0]
    step_h = float(usual_step(to_utc_index(ds)) / np.timedelta64(1, "h"))
    if (ghi > _MIN_GHI).sum() * step_h < _MIN_LIGHT_H:
        return float("nan")
    known = np.flatnonzero(np.isfinite(ghi))
    stride = 1 + known.size // _MAX_STEPS_OF_GHI
    while math.gcd(stride, round(24.0 / step_h)) > 1:  # else only some hours of the day would be asked
        stride += 1
    known = known[::stride]
    root = np.sqrt(np.maximum(ghi[known], 0.0))
    middles = _middles(ds)[known]

    def misfit(offsets_h: FloatArray) -> FloatArray:
        expected = np.sqrt(np.maximum(_cos_zenith(ds, middles, offsets_h)[:, :, 0], 0.0))
        deviation = expected - expected.mean(axis=1, keepdims=True)
        spread = np.sqrt((deviation**2).sum(axis=1))
        correlation = deviation @ (root - root.mean()) / np.where(spread > 0.0, spread, np.inf)
        return np.asarray(-correlation, dtype=np.float64)

    return _smallest(misfit)


def _smallest(misfit: Callable[[FloatArray], FloatArray]) -> float:
    """Return the offset of the smallest misfit, found by whole hours and then by 5 minutes. [h]."""
    hours = np.arange(-12.0, 12.0)
    nearest = round(hours[int(np.argmin(misfit(hours)))] * _PER_HOUR)
    fine = np.arange(nearest - _PER_HOUR, nearest + _PER_HOUR + 1)
    best = int(fine[int(np.argmin(misfit(fine / _PER_HOUR)))])
    return float((best + 12 * _PER_HOUR) % (24 * _PER_HOUR) - 12 * _PER_HOUR) / _PER_HOUR


def _middles(ds: xr.Dataset) -> pd.DatetimeIndex:
    """Return the interval middles of an axis that may have gaps."""
    index = to_utc_index(ds)
    return index + pd.Timedelta(usual_step(index)) / 2


def _cos_zenith(ds: xr.Dataset, instants: pd.DatetimeIndex, offsets_h: FloatArray) -> FloatArray:
    """Return the cosine of the solar zenith over (offset, instant, site), instants moved by each offset.

    Spencer's series for declination and equation of time, as pvlib has them, are within half a degree:
    enough to tell a clock to minutes, and fast enough to try many of them.
    """
    day = instants.dayofyear.to_numpy()
    hour = ((instants - instants.normalize()) / pd.Timedelta(hours=1)).to_numpy()
    solar_time = hour + np.asarray(pvlib.solarposition.equation_of_time_spencer71(day)) / 60.0
    hour_angle = 15.0 * (solar_time + offsets_h[:, None] - 12.0)
    declination = np.asarray(pvlib.solarposition.declination_spencer71(day))
    zenith = pvlib.solarposition.solar_zenith_analytical(
        np.radians(ds["latitude"].to_numpy().astype(float)),
        np.radians(hour_angle[:, :, None] + ds["longitude"].to_numpy().astype(float)),
        declination[None, :, None],
    )
    cosine: FloatArray = np.cos(zenith)
    return cosine
