"""Bias of reanalysis wind: scaled so that its long-term mean is the one that is known for a place.

Reanalyses see terrain in cells of ten kilometres and more, so their wind is off by a factor that differs from
place to place. A mean that is known better (a mast, or an atlas that resolves the terrain, such as the Global
Wind Atlas) fixes that factor [1]_ [2]_.

References
----------
.. [1] K. Gruber et al., "Towards global validation of wind power simulations: a multi-country assessment of
   wind
   power simulation from MERRA-2 and ERA-5 reanalyses bias-corrected with the Global Wind Atlas", Energy 238,
   2022.
.. [2] I. Staffell and S. Pfenninger, "Using bias-corrected reanalysis to simulate current and future wind
   power
   output", Energy 114, 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import xarray as xr

from weather._blocks import checked_weather, is_lazy, site_names
from weather.errors import Findings
from weather.shear import bracket, hub_wind_speed
from weather.timeaxis import step_hours

__all__ = ["correct_wind_speed"]

_HOURS_PER_YEAR: Final = 8766.0
_TOLERANCE_OF_YEARS: Final = 0.02
_LIMITS: Final = (0.5, 2.0)
"""Factors beyond which a mean is taken for a mistake (its height, unit or place) and not for a bias. [1]"""


def correct_wind_speed(
    weather: xr.Dataset,
    long_term_mean: Mapping[str, float],
    *,
    height_m: float,
    reference_mean: Mapping[str, float] | None = None,
) -> xr.Dataset:
    """Scale wind speed so that its long-term mean is a known one.

    Parameters
    ----------
    weather : Dataset
        With `wind_speed`, of any source; it may be lazy and have members.
    long_term_mean : mapping of str to float
        Known mean wind speed by site; sites that are not named stay as they are. [m/s]
    height_m : float
        Height above ground of the means. [m]
    reference_mean : mapping of str to float, optional
        Mean of the same source over the years of `long_term_mean`, by site. Without it, the mean of
        `weather`, which must then cover whole years. [m/s]

    Returns
    -------
    Dataset
        Wind speed at all heights times one factor per site, which is in the coordinate `wind_speed_factor`.

    Raises
    ------
    InputError
        With every unknown site, mean that is not positive, factor outside 0.5 to 2, and if the weather covers
        no whole years where its own mean is needed.

    Examples
    --------
    >>> from weather.synthetic import synthesize
    >>> import pandas as pd
    >>> place = pd.DataFrame([{"latitude": 35.0, "longitude": -117.0, "altitude": 700.0}], index=["a"])
    >>> sky = synthesize(place, "2019-01-01T00:00Z", "2020-01-01T00:00Z", "1h", seed=1)
    >>> better = correct_wind_speed(sky, {"a": 8.0}, height_m=100.0)
    >>> round(float(better["wind_speed"].sel(height=100.0).mean()), 9)
    8.0
    """
    sky = checked_weather(weather, ("wind_speed", "height"), ("wind_speed",))
    sites = site_names(sky)
    _check(sky, long_term_mean, reference_mean, sites, height_m)
    known = xr.DataArray([long_term_mean.get(site, np.nan) for site in sites], dims="site")
    if reference_mean is None:
        reference = _mean_at(sky, height_m)
    else:
        reference = xr.DataArray([reference_mean.get(site, np.nan) for site in sites], dims="site")
    factor = (known / reference).fillna(1.0)
    if not is_lazy(sky) or reference_mean is not None:
        _check_factor(factor, sites)
    wind = weather["wind_speed"] * factor
    corrected = weather.assign(
        wind_speed=wind.transpose(*weather["wind_speed"].dims).assign_attrs(weather["wind_speed"].attrs)
    )
    long_name = f"factor on wind speed from means at {height_m:g} m"
    return corrected.assign_coords(
        wind_speed_factor=("site", factor.data, {"units": "1", "long_name": long_name})
    )


def _mean_at(sky: xr.Dataset, height_m: float) -> xr.DataArray:
    """Mean wind speed of each site at a height. [m/s]"""
    wind = sky["wind_speed"].sortby("height")
    heights = wind["height"].to_numpy().astype(np.float64)
    if height_m in heights:
        at_height = wind.sel(height=height_m, drop=True)
    else:
        (lower,), (upper,) = bracket(heights, np.array([height_m]))
        at_height = xr.apply_ufunc(
            hub_wind_speed,
            *(wind.isel(height=int(i), drop=True) for i in (lower, upper)),
            *(xr.DataArray(value) for value in (heights[lower], heights[upper], height_m)),
            xr.DataArray(False),
            dask="parallelized",
            output_dtypes=[np.float64],
        )
    return at_height.mean([dim for dim in at_height.dims if dim != "site"])


def _check(
    sky: xr.Dataset,
    long_term_mean: Mapping[str, float],
    reference_mean: Mapping[str, float] | None,
    sites: list[str],
    height_m: float,
) -> None:
    """Refuse means that cannot be."""
    findings = Findings()
    for subject, means in (("long_term_mean", long_term_mean), ("reference_mean", reference_mean or {})):
        for site, mean in means.items():
            if site not in sites:
                findings.add(f"{subject}[{site!r}]", "not a site of the weather", "see weather['site']")
            elif not 0.0 < mean < np.inf:
                findings.add(f"{subject}[{site!r}]", f"{mean:g} m/s", "expected a mean above 0 m/s")
    if reference_mean is None:
        years = sky.sizes["time"] * step_hours(sky) / _HOURS_PER_YEAR
        if years < 0.5 or abs(years - round(years)) > _TOLERANCE_OF_YEARS * round(years):
            what = f"the weather covers {years:.2f} years, whose mean is no long-term mean"
            findings.add("time", what, "give whole years, or reference_mean")
    else:
        for site in [site for site in long_term_mean if site not in reference_mean]:
            findings.add(f"reference_mean[{site!r}]", "missing", "give the source's own mean of each site")
    if reference_mean is None and sky.sizes["height"] == 1 and float(sky["height"][0]) != height_m:
        findings.add("height", "one height: the mean at another is not known", "give reference_mean")
    findings.raise_if_any("wind bias correction")


def _check_factor(factor: xr.DataArray, sites: list[str]) -> None:
    """Refuse factors that look like a mistake."""
    findings = Findings()
    for site, value in zip(sites, factor.to_numpy(), strict=True):
        if not _LIMITS[0] <= value <= _LIMITS[1]:
            what = f"a factor of {value:.2f} on wind speed, expected {_LIMITS[0]:g} to {_LIMITS[1]:g}"
            findings.add(f"site {site!r}", what, "check height and unit of the mean, and the place")
    findings.raise_if_any("wind bias correction")
