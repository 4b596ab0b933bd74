"""Wakes in a wind farm: the wind that its turbines see, by windpowerlib's efficiency curves."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from windpowerlib import wake_losses

from weather._types import FloatArray

__all__ = ["NO_WAKE_CURVE", "WAKE_CURVES", "wind_in_farm"]

NO_WAKE_CURVE: Final = "none"
WAKE_CURVES: Final = (
    NO_WAKE_CURVE,
    *("dena_mean", "dena_extreme1", "dena_extreme2"),
    *("knorr_mean", "knorr_extreme1", "knorr_extreme2", "knorr_extreme3"),
)
"""Names of `wake_curve`: none, or a curve of `windpowerlib.wake_losses` by which wind in the farm is slower.
dena: mean of 12 farms in Germany (dena-Netzstudie II, 2010) and two that deviate; knorr: mean of over 2000
(K. Knorr, thesis, Kassel, 2016) and three that deviate."""


@lru_cache(maxsize=len(WAKE_CURVES))
def _curve(name: str) -> tuple[FloatArray, FloatArray]:
    """Wind speed [m/s] and efficiency [1] of a wake curve."""
    curve = wake_losses.get_wind_efficiency_curve(name)
    return curve["wind_speed"].to_numpy(dtype=np.float64), curve["efficiency"].to_numpy(dtype=np.float64)


def wind_in_farm(wind_speed: FloatArray, wake_curve: str) -> FloatArray:
    """Mean wind speed at the turbines of a farm.

    Parameters
    ----------
    wind_speed : ndarray
        Free wind at hub height. [m/s]
    wake_curve : str
        One of `WAKE_CURVES`.

    Returns
    -------
    ndarray
        As `windpowerlib.wake_losses.reduce_wind_speed`. [m/s]
    """
    if wake_curve == NO_WAKE_CURVE:
        return wind_speed
    return np.asarray(wind_speed * np.interp(wind_speed, *_curve(wake_curve)), dtype=np.float64)
