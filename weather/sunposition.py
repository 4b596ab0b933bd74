"""Where the sun stands: pvlib's solar position algorithm, what depends on time alone evaluated once.

The algorithm of Reda and Andreas [1]_ has two halves. The first (the orbit of the Earth, nutation, sidereal
time) depends on time alone, the second turns it into the sky above a place. `pvlib.spa` evaluates both for
each site again; here the first is evaluated once per time (`sun_time`) and the second for any set of pairs of
time and place (`sun_at`), such as the lit ones. Both are calls of `pvlib.spa`, and the result is its own.

References
----------
.. [1] I. Reda and A. Andreas, "Solar position algorithm for solar radiation applications", Solar Energy 76,
   2004; corrigendum 81, 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvlib
from pvlib import spa

from weather._types import FloatArray

__all__ = ["SUN_TIME_COLUMNS", "SunPosition", "extra_radiation", "sun_at", "sun_position", "sun_time"]

SUN_TIME_COLUMNS: Final = ("sidereal", "right_ascension", "declination", "parallax")
"""Columns of `sun_time`: apparent sidereal time at Greenwich, geocentric right ascension and declination of
the sun, its equatorial horizontal parallax. [degree]"""

DELTA_T_S: Final = 67.0
"""Terrestrial time minus universal time, as `pvlib.solarposition.get_solarposition` takes it. [s]"""

REFRACTION_AT_HORIZON: Final = 0.5667
"""Refraction at sunrise and sunset, as `pvlib.solarposition.get_solarposition` takes it. [degree]"""

_PA_PER_HPA: Final = 100.0


@dataclass(frozen=True)
class SunPosition:
    """Where the sun stands, arrays of one shape.

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


def sun_time(middle: pd.DatetimeIndex) -> FloatArray:
    """Evaluate what of the sun's position depends on time alone.

    Parameters
    ----------
    middle : DatetimeIndex
        Middle of each interval, time zone UTC.

    Returns
    -------
    ndarray
        Shape (time, 4), columns `SUN_TIME_COLUMNS`. [degree]
    """
    seconds = (middle - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(seconds=1)
    day = spa.julian_day(np.asarray(seconds, dtype=np.float64))
    century = spa.julian_ephemeris_century(spa.julian_ephemeris_day(day, DELTA_T_S))
    millennium = spa.julian_ephemeris_millennium(century)
    radius = spa.heliocentric_radius_vector(millennium)
    nutation = np.empty((2, len(day)))
    arguments = (
        spa.mean_elongation(century),
        spa.mean_anomaly_sun(century),
        spa.mean_anomaly_moon(century),
        spa.moon_argument_latitude(century),
        spa.moon_ascending_longitude(century),
    )
    spa.longitude_obliquity_nutation(century, *arguments, nutation)
    obliquity = spa.true_ecliptic_obliquity(spa.mean_ecliptic_obliquity(millennium), nutation[1])
    longitude = spa.apparent_sun_longitude(
        spa.geocentric_longitude(spa.heliocentric_longitude(millennium)),
        nutation[0],
        spa.aberration_correction(radius),
    )
    latitude = spa.geocentric_latitude(spa.heliocentric_latitude(millennium))
    mean_sidereal = spa.mean_sidereal_time(day, spa.julian_century(day))
    columns = (
        spa.apparent_sidereal_time(mean_sidereal, nutation[0], obliquity),
        spa.geocentric_sun_right_ascension(longitude, obliquity, latitude),
        spa.geocentric_sun_declination(longitude, obliquity, latitude),
        spa.equatorial_horizontal_parallax(radius),
    )
    return np.stack(columns, axis=-1)


def sun_at(
    time: FloatArray,
    latitude: FloatArray,
    longitude: FloatArray,
    altitude: FloatArray,
    pressure: FloatArray,
    temp_air: FloatArray,
) -> SunPosition:
    """Sun position at pairs of time and place.

    Parameters
    ----------
    time : ndarray
        Rows of `sun_time`, shape (..., 4). [degree]
    latitude, longitude, altitude : ndarray
        Of the places, each broadcastable to the shape of `time` without its last axis. [degree, degree, m]
    pressure, temp_air : ndarray
        For refraction, broadcastable likewise. [Pa, °C]

    Returns
    -------
    SunPosition
        As `pvlib.solarposition.get_solarposition` gives it.
    """
    sidereal, right_ascension, declination, parallax = (time[..., i] for i in range(len(SUN_TIME_COLUMNS)))
    term = spa.uterm(latitude)
    x, y = spa.xterm(term, latitude, altitude), spa.yterm(term, latitude, altitude)
    hour_angle = spa.local_hour_angle(sidereal, longitude, right_ascension)
    shift = spa.parallax_sun_right_ascension(x, parallax, hour_angle, declination)
    seen = spa.topocentric_sun_declination(declination, x, y, parallax, shift, hour_angle)
    hour_angle = spa.topocentric_local_hour_angle(hour_angle, shift)
    elevation = spa.topocentric_elevation_angle_without_atmosphere(latitude, seen, hour_angle)
    refraction = spa.atmospheric_refraction_correction(
        pressure / _PA_PER_HPA, temp_air, elevation, REFRACTION_AT_HORIZON
    )
    return SunPosition(
        zenith=spa.topocentric_zenith_angle(elevation),
        apparent_zenith=spa.topocentric_zenith_angle(elevation + refraction),
        azimuth=spa.topocentric_azimuth_angle(
            spa.topocentric_astronomers_azimuth(hour_angle, seen, latitude)
        ),
    )


def sun_position(
    middle: pd.DatetimeIndex,
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    altitude: npt.ArrayLike,
    pressure: npt.ArrayLike | None = None,
    temp_air: npt.ArrayLike = 12.0,
) -> SunPosition:
    """Sun position for all times and sites at once.

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
        Arrays of shape (time, site), as `pvlib.solarposition.get_solarposition` gives them site by site.

    Examples
    --------
    >>> noon = pd.DatetimeIndex(["2024-03-20 12:07"], tz="UTC")
    >>> float(sun_position(noon, [0.0], [0.0], [0.0]).zenith[0, 0]) < 0.5
    True
    """
    lat, lon, alt = (
        np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in (latitude, longitude, altitude)
    )
    press = np.asarray(pvlib.atmosphere.alt2pres(alt) if pressure is None else pressure, dtype=np.float64)
    temp = np.asarray(temp_air, dtype=np.float64)
    return sun_at(sun_time(middle)[:, None, :], lat, lon, alt, press, temp)


def extra_radiation(middle: pd.DatetimeIndex) -> FloatArray:
    """Irradiance above the atmosphere facing the sun (Spencer 1971), shape (time, 1). [W/m²]"""
    return np.asarray(pvlib.irradiance.get_extra_radiation(middle), dtype=np.float64)[:, None]
