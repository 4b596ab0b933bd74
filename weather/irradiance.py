"""Clear sky, split into beam and diffuse, and plane of array: pvlib over (time, site) arrays.

All functions take times as the *middle* of the intervals (`weather.interval_midpoint`), places as
one-dimensional arrays, and return arrays of shape (time, site). Where the sun stands is in
`weather.sunposition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvlib

from weather._types import FloatArray
from weather.sunposition import SunPosition, extra_radiation, sun_position

__all__ = [
    "TRANSPOSITION_MODELS",
    "SunPosition",
    "clear_sky_ghi",
    "extra_radiation",
    "plane_of_array",
    "split_ghi",
    "sun_position",
]

MAX_ZENITH_FOR_BEAM: Final = 87.0
"""Above this zenith all irradiance counts as diffuse: DNI = (GHI - DHI) / cos z is not defined near 90
degree; the limit of `pvlib.irradiance.erbs_driesse`. [degree]"""

TRANSPOSITION_MODELS: Final[tuple[str, ...]] = (
    *("isotropic", "klucher", "haydavies", "reindl", "perez", "perez-driesse"),
)
"""Names of sky-diffuse models `plane_of_array` accepts, as in `pvlib.irradiance.get_total_irradiance`."""


def clear_sky_ghi(
    middle: pd.DatetimeIndex,
    sun: SunPosition,
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    altitude: npt.ArrayLike,
) -> FloatArray:
    """Global horizontal irradiance of a cloudless sky by Ineichen and Perez [1]_.

    Parameters
    ----------
    middle : DatetimeIndex
        Middle of each interval, time zone UTC.
    sun : SunPosition
        Its position at those times.
    latitude, longitude : array-like
        Shape (site,). [degree]
    altitude : array-like
        Shape (site,). [m]

    Returns
    -------
    ndarray
        Shape (time, site), 0 where the sun's centre is below the horizon. [W/m²]

    Notes
    -----
    Linke turbidity is the monthly climatology that pvlib ships (SoDa, Remund et al. 2003), interpolated
    over days.

    References
    ----------
    .. [1] P. Ineichen and R. Perez, "A new airmass independent formulation for the Linke turbidity
       coefficient", Solar Energy 73, 2002.
    """
    lat, lon, alt = (
        np.atleast_1d(np.asarray(value, dtype=float)) for value in (latitude, longitude, altitude)
    )
    where, days = pd.factorize(middle.floor("D"))
    turbidity = np.stack(
        [
            pvlib.clearsky.lookup_linke_turbidity(days, la, lo).to_numpy()
            for la, lo in zip(lat, lon, strict=True)
        ],
        axis=1,
    )
    relative = pvlib.atmosphere.get_relative_airmass(sun.apparent_zenith)
    absolute = pvlib.atmosphere.get_absolute_airmass(relative, pvlib.atmosphere.alt2pres(alt)[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):  # its beam, not used here, divides by 0 at night
        sky = pvlib.clearsky.ineichen(
            sun.apparent_zenith,
            absolute,
            turbidity[where],
            altitude=alt[None, :],
            dni_extra=extra_radiation(middle),
        )
    return np.where(sun.cos_zenith > 0.0, np.nan_to_num(sky["ghi"], nan=0.0), 0.0)


def split_ghi(
    ghi: FloatArray, sun: SunPosition, dni_extra: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Split global into beam and diffuse irradiance so that GHI = DHI + DNI cos z holds.

    The diffuse share is Driesse's continuous form [1]_ of the Erbs correlation.

    Parameters
    ----------
    ghi : ndarray
        Global horizontal irradiance, shape (time, site). [W/m²]
    sun : SunPosition
        Position of the sun.
    dni_extra : ndarray
        Irradiance above the atmosphere, broadcastable to (time, site). [W/m²]

    Returns
    -------
    ghi, dni, dhi : tuple of ndarray
        The diffuse part is the model's; the beam is what is left, none above `MAX_ZENITH_FOR_BEAM`; the
        global irradiance is put together again from both, which changes it by rounding only. [W/m²]

    References
    ----------
    .. [1] A. Driesse, A. Jensen and R. Perez, "A continuous form of the Perez diffuse sky model for
       forward and reverse transposition", Solar Energy 267, 2024 (pvlib `erbs_driesse`).
    """
    cosine = sun.cos_zenith
    ghi = np.where(cosine > 0.0, ghi, 0.0)
    parts = pvlib.irradiance.erbs_driesse(ghi, sun.zenith, dni_extra=np.broadcast_to(dni_extra, ghi.shape))
    has_beam = sun.zenith < MAX_ZENITH_FOR_BEAM
    dhi = np.where(has_beam, np.minimum(np.asarray(parts["dhi"], dtype=float), ghi), ghi)
    dni = np.where(has_beam, (ghi - dhi) / np.where(has_beam, cosine, 1.0), 0.0)
    return dhi + dni * np.where(has_beam, cosine, 0.0), dni, dhi


def plane_of_array(
    surface_tilt: FloatArray,
    surface_azimuth: FloatArray,
    sun: SunPosition,
    dni: FloatArray,
    ghi: FloatArray,
    dhi: FloatArray,
    *,
    dni_extra: FloatArray,
    albedo: FloatArray,
    model: str = "haydavies",
) -> Mapping[str, FloatArray]:
    """Irradiance on tilted planes.

    Parameters
    ----------
    surface_tilt, surface_azimuth : ndarray
        Orientation of the planes, broadcastable to (time, unit). [degree]
    sun : SunPosition
        Position of the sun at each unit.
    dni, ghi, dhi : ndarray
        Shape (time, unit). [W/m²]
    dni_extra : ndarray
        Irradiance above the atmosphere, broadcastable to (time, unit). [W/m²]
    albedo : ndarray
        Reflectance of the ground, broadcastable to (time, unit). [1]
    model : str
        One of `TRANSPOSITION_MODELS`.

    Returns
    -------
    mapping
        `poa_global`, `poa_direct`, `poa_diffuse`, `poa_sky_diffuse`, `poa_ground_diffuse`. Where a model is
        not defined (klucher without global, perez without diffuse irradiance) the sky is isotropic. [W/m²]
    """
    if model not in TRANSPOSITION_MODELS:
        raise ValueError(
            f"transposition model {model!r} is unknown: use one of {', '.join(TRANSPOSITION_MODELS)}"
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where there is no light
        poa: Mapping[str, FloatArray] = pvlib.irradiance.get_total_irradiance(
            surface_tilt,
            surface_azimuth,
            sun.apparent_zenith,
            sun.azimuth,
            dni,
            ghi,
            dhi,
            dni_extra=np.broadcast_to(dni_extra, ghi.shape),
            airmass=pvlib.atmosphere.get_relative_airmass(sun.apparent_zenith) if model == "perez" else None,
            albedo=albedo,
            model=model,
        )
    undefined = ~np.isfinite(poa["poa_sky_diffuse"])
    if not undefined.any():
        return poa
    isotropic = pvlib.irradiance.isotropic(surface_tilt, dhi)
    sky = np.where(undefined, isotropic, poa["poa_sky_diffuse"])
    diffuse = sky + poa["poa_ground_diffuse"]
    return {
        **poa,
        "poa_sky_diffuse": sky,
        "poa_diffuse": diffuse,
        "poa_global": poa["poa_direct"] + diffuse,
    }
