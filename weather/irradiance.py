"""Sun position, clear sky, split into beam and diffuse, and plane of array: pvlib over (time, site) arrays.

All functions take times as the *middle* of the intervals (`weather.interval_midpoint`), places as
one-dimensional arrays, and return arrays of shape (time, site).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvlib

from weather._types import FloatArray

__all__ = [
    "TRANSPOSITION_MODELS",
    "SunPosition",
    "clear_sky_ghi",
    "extra_radiation",
    "plane_of_array",
    "split_ghi",
    "sun_position",
]

MAX_ZENITH_FOR_BEAM = 87.0
"""Above this zenith all irradiance counts as diffuse: DNI = (GHI - DHI) / cos z is not defined near 90
degree; the limit of `pvlib.irradiance.erbs_driesse`. [degree]"""

TRANSPOSITION_MODELS: tuple[str, ...] = ("isotropic", "klucher", "haydavies", "reindl", "king", "perez")
"""Names of sky-diffuse models `plane_of_array` accepts, as in `pvlib.irradiance.get_total_irradiance`."""

_DELTA_T_S = 67.0
_REFRACTION_AT_HORIZON = 0.5667


@dataclass(frozen=True)
class SunPosition:
    """Where the sun stands, each of shape (time, site).

    Attributes
    ----------
    zenith, apparent_zenith : ndarray
        Angle from the vertical, true and with refraction. [degree]
    azimuth : ndarray
        Clockwise from north. [degree]
    """

    zenith: FloatArray
    apparent_zenith: FloatArray
    azimuth: FloatArray

    @property
    def cos_zenith(self) -> FloatArray:
        """Cosine of the true zenith; negative below the horizon. [1]"""
        return np.asarray(np.cos(np.radians(self.zenith)), dtype=np.float64)


def sun_position(
    middle: pd.DatetimeIndex,
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    altitude: npt.ArrayLike,
    pressure: npt.ArrayLike | None = None,
    temp_air: npt.ArrayLike = 12.0,
) -> SunPosition:
    """Sun position by the NREL algorithm [1]_ for all times and sites at once.

    Parameters
    ----------
    middle : DatetimeIndex
        Middle of each interval, time zone UTC.
    latitude, longitude : array-like
        Shape (site,), north and east positive. [degree]
    altitude : array-like
        Shape (site,), above sea level. [m]
    pressure : array-like, optional
        Air pressure for refraction, broadcastable to (time, site); from the altitude when absent. [Pa]
    temp_air : array-like
        Air temperature for refraction, broadcastable to (time, site). [°C]

    Returns
    -------
    SunPosition
        As `pvlib.solarposition.get_solarposition` gives it site by site.

    Notes
    -----
    What depends on time alone (the long series for nutation and the Earth's orbit) is evaluated once.

    References
    ----------
    .. [1] I. Reda and A. Andreas, "Solar position algorithm for solar radiation applications", Solar
       Energy 76, 2004.

    Examples
    --------
    >>> noon = pd.DatetimeIndex(["2024-03-20 12:07"], tz="UTC")
    >>> float(sun_position(noon, [0.0], [0.0], [0.0]).zenith[0, 0]) < 0.5
    True
    """
    lat, lon, alt = (
        np.atleast_1d(np.asarray(value, dtype=float)) for value in (latitude, longitude, altitude)
    )
    press = pvlib.atmosphere.alt2pres(alt) if pressure is None else np.asarray(pressure, dtype=float)
    shape = (len(middle), len(lat))
    seconds = (middle - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(seconds=1)
    apparent, true, _, _, azimuth, _ = pvlib.spa.solar_position_numpy(
        np.asarray(seconds, dtype=float),
        lat[:, None],
        lon[:, None],
        alt[:, None],
        np.broadcast_to(press, shape).T / 100.0,
        np.broadcast_to(np.asarray(temp_air, dtype=float), shape).T,
        _DELTA_T_S,
        _REFRACTION_AT_HORIZON,
        1,
    )
    return SunPosition(zenith=true.T, apparent_zenith=apparent.T, azimuth=azimuth.T)


def extra_radiation(middle: pd.DatetimeIndex) -> FloatArray:
    """Irradiance above the atmosphere facing the sun (Spencer 1971), shape (time, 1). [W/m²]"""
    return np.asarray(pvlib.irradiance.get_extra_radiation(middle), dtype=float)[:, None]


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
        `poa_global`, `poa_direct`, `poa_diffuse`, `poa_sky_diffuse`, `poa_ground_diffuse`. [W/m²]
    """
    if model not in TRANSPOSITION_MODELS:
        raise ValueError(
            f"transposition model {model!r} is unknown: use one of {', '.join(TRANSPOSITION_MODELS)}"
        )
    result: Mapping[str, FloatArray] = pvlib.irradiance.get_total_irradiance(
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
    return result
