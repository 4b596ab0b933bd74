"""Storm shut-down: turbines that stopped above their cut-out wind speed start again only well below it."""

from __future__ import annotations

import numpy as np

from weather._types import BoolArray, FloatArray

__all__ = ["is_running"]


def is_running(wind_speed: FloatArray, cut_out: FloatArray, restart: FloatArray) -> BoolArray:
    """Tell whether turbines run, given what they did before.

    Parameters
    ----------
    wind_speed : ndarray
        At hub height, time along the first axis. [m/s]
    cut_out : ndarray
        Wind speed above which turbines stop, broadcastable. [m/s]
    restart : ndarray
        Wind speed below which they start again, broadcastable, not above `cut_out`. [m/s]

    Returns
    -------
    ndarray of bool
        False from the step that exceeds `cut_out` until the step that falls below `restart`. They run at
        first.

    Examples
    --------
    >>> gale = np.array([24.0, 26.0, 24.0, 21.0, 24.0])
    >>> is_running(gale, np.array(25.0), np.array(22.0)).tolist()
    [True, False, False, True, True]
    """
    stops = wind_speed > cut_out
    starts = wind_speed < restart
    step = np.arange(len(wind_speed)).reshape(-1, *(1,) * (wind_speed.ndim - 1))
    # The last step at or before each that decided something; 0 where none did, which then means running.
    decided = np.maximum.accumulate(np.where(stops | starts, step, 0), axis=0)
    return ~np.take_along_axis(stops, decided, axis=0)
