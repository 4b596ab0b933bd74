"""Irradiance on the rear of modules in long rows: pvlib's infinite sheds."""

from __future__ import annotations

from typing import Final

import numpy as np
from pvlib.bifacial import infinite_sheds

from weather._types import FloatArray
from weather.sunposition import SunPosition

__all__ = ["rear_irradiance"]

_MAX_ZENITH: Final = 90.0
"""No beam reaches the ground between the rows above it. [degree]"""


def rear_irradiance(
    surface_tilt: FloatArray,
    surface_azimuth: FloatArray,
    sun: SunPosition,
    dni: FloatArray,
    ghi: FloatArray,
    dhi: FloatArray,
    *,
    albedo: FloatArray,
    gcr: float,
    height_m: float,
    width_m: float,
) -> FloatArray:
    """Irradiance on the rear of rows of modules.

    Parameters
    ----------
    surface_tilt, surface_azimuth : ndarray
        Of the front. [degree]
    sun : SunPosition
        Position of the sun.
    dni, ghi, dhi : ndarray
        Irradiance. [W/m²]
    albedo : ndarray
        Reflected share of `ghi`. [1]
    gcr : float
        Ground cover ratio. [1]
    height_m : float
        Of the rows' centre above ground. [m]
    width_m : float
        Of a row along its slope. [m]

    Returns
    -------
    ndarray
        Rear irradiance, to be multiplied by the modules' bifaciality; one-dimensional, as all arrays. [W/m²]

    Notes
    -----
    `pvlib.bifacial.infinite_sheds.get_irradiance_poa` of the plane that faces the other way, with isotropic
    diffuse light: ground reflection with the rows' shadows, the sky between the rows, and beam from behind.
    """
    rear = infinite_sheds.get_irradiance_poa(
        180.0 - surface_tilt,
        (surface_azimuth + 180.0) % 360.0,
        np.minimum(sun.apparent_zenith, _MAX_ZENITH),
        sun.azimuth,
        gcr,
        height_m,
        width_m / gcr,
        ghi,
        dhi,
        dni,
        albedo,
        model="isotropic",
    )
    return np.asarray(rear["poa_global"], dtype=np.float64)
