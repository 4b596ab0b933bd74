"""Wind speed at hub height from speeds at other heights.

With two heights or more, the exponent of the power law is the data's own, hour by hour: it follows the
stability of the air, from near 0 on sunny days to above 0.4 on clear nights. With one height there is only
climatology, by day and by night. `docs/validation_generation.md` compares the ways on measured profiles.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from weather._types import BoolArray, FloatArray, IntArray

__all__ = ["EXPONENT_LIMITS", "SHEAR_MODELS", "bracket", "hub_wind_speed", "nearest", "scaled_wind_speed"]

SHEAR_MODELS: Final = ("power_law", "log")
"""Names of `shear`: the power law with the exponent of each hour, between the heights that bracket the hub;
or linear in the logarithm of height between the two nearest heights, which is
`windpowerlib.tools.logarithmic_interpolation_extrapolation`."""

EXPONENT_LIMITS: Final = (0.0, 0.6)
"""Range to which an hour's exponent is held, so that noise in calm air is not carried to hub height.
Exponents of stability classes go from 0.07 (very unstable) to 0.55 (stable) over open country: J. S. Irwin,
"A theoretical variation of the wind profile power-law exponent", Atmospheric Environment 13, 1979. [1]"""


def bracket(heights: FloatArray, hub_height: FloatArray) -> tuple[IntArray, IntArray]:
    """Choose the two heights of the data for each hub.

    Parameters
    ----------
    heights : ndarray
        Heights of the data, ascending, two or more. [m]
    hub_height : ndarray
        Hub heights. [m]

    Returns
    -------
    lower, upper : ndarray
        Positions of the nearest heights below and above, or of the two highest or lowest beyond the data.

    Examples
    --------
    >>> lower, upper = bracket(np.array([10.0, 80.0, 100.0]), np.array([94.0, 120.0, 80.0, 5.0]))
    >>> lower.tolist(), upper.tolist()
    ([1, 1, 0, 0], [2, 2, 1, 1])
    """
    upper = np.clip(np.searchsorted(heights, hub_height), 1, len(heights) - 1)
    return upper - 1, upper


def nearest(heights: FloatArray, hub_height: FloatArray) -> tuple[IntArray, IntArray]:
    """Choose the two nearest heights of the data for each hub, as windpowerlib does.

    Parameters
    ----------
    heights, hub_height : ndarray
        As for `bracket`.

    Returns
    -------
    lower, upper : ndarray
        Positions of the two nearest heights, which may lie on one side.

    Examples
    --------
    >>> lower, upper = nearest(np.array([10.0, 80.0, 100.0]), np.array([60.0, 94.0]))
    >>> lower.tolist(), upper.tolist()
    ([1, 1], [2, 2])
    """
    distance = np.abs(heights - np.asarray(hub_height)[..., None])
    two = np.sort(np.argsort(distance, axis=-1, kind="stable")[..., :2], axis=-1)
    return two[..., 0], two[..., 1]


def hub_wind_speed(
    low: FloatArray,
    high: FloatArray,
    low_height: FloatArray,
    high_height: FloatArray,
    hub_height: FloatArray,
    is_log: BoolArray,
) -> FloatArray:
    """Wind speed at hub height from those at two heights.

    Parameters
    ----------
    low, high : ndarray
        Wind speed at both heights. [m/s]
    low_height, high_height, hub_height : ndarray
        Heights above ground, broadcastable. [m]
    is_log : ndarray of bool
        Where the speed is linear in the logarithm of height, not a power of height.

    Returns
    -------
    ndarray
        Wind speed. [m/s]

    Notes
    -----
    Power law: v = v_n (h / h_n)^a from the nearer height n, a = ln(v_high / v_low) / ln(h_high / h_low) held
    to `EXPONENT_LIMITS`; so at a height of the data the speed is the data's. Log: v = v_low + (v_high -
    v_low) ln(h / h_low) / ln(h_high / h_low), not below 0.

    Examples
    --------
    >>> power = np.array(False)
    >>> float(hub_wind_speed(*map(np.array, (5.0, 10.0, 10.0, 100.0, 10.0)), power))
    5.0
    >>> round(float(hub_wind_speed(*map(np.array, (5.0, 10.0, 10.0, 100.0, 1000.0)), power)), 9)
    20.0
    """
    span = np.log(high_height / low_height)
    above = np.log(hub_height / low_height)
    if is_log.all():
        return np.maximum(low + (high - low) * (above / span), 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # calm
        exponent = np.clip(np.log(high / low) / span, *EXPONENT_LIMITS)
    exponent = np.where(np.isnan(exponent), 0.0, exponent)
    near_low = above < 0.5 * span
    ratio = np.where(near_low, above, above - span)
    speed = np.where(near_low, low, high) * np.exp(ratio * exponent)
    if not is_log.any():
        return speed
    return np.where(is_log, np.maximum(low + (high - low) * (above / span), 0.0), speed)


def scaled_wind_speed(
    speed: FloatArray, height: float, hub_height: FloatArray, exponent: FloatArray
) -> FloatArray:
    """Wind speed at hub height from that at one height by a given exponent.

    Parameters
    ----------
    speed : ndarray
        Wind speed. [m/s]
    height : float
        Its height. [m]
    hub_height : ndarray
        Hub height. [m]
    exponent : ndarray
        Exponent of the power law. [1]

    Returns
    -------
    ndarray
        v (h / h_data)^a, as `windpowerlib.wind_speed.hellman`. [m/s]
    """
    return np.asarray(speed * np.exp(np.log(hub_height / height) * exponent), dtype=np.float64)
