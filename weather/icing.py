"""Cold: power lost to ice on blades, and turbines that stop below the temperature they are built for."""

from __future__ import annotations

import numpy as np

from weather._types import BoolArray, FloatArray

__all__ = ["cold_share", "is_icing"]


def is_icing(
    temp_air: FloatArray, relative_humidity: FloatArray, temp_limit: FloatArray, humidity_limit: FloatArray
) -> BoolArray:
    """Tell where ice may grow on blades.

    Parameters
    ----------
    temp_air : ndarray
        Air temperature at hub height. [°C]
    relative_humidity : ndarray
        Relative humidity. [%]
    temp_limit, humidity_limit : ndarray
        Ice may grow at or below this temperature and at or above this humidity. [°C, %]

    Returns
    -------
    ndarray of bool
        As the icing cut-off of the System Advisor Model [1]_, with the thresholds of meteorological icing
        [2]_.

    References
    ----------
    .. [1] NREL, System Advisor Model, Windpower module: `icing_cutoff_temp`, `icing_cutoff_rh`.
    .. [2] IEA Wind Task 19, "Available Technologies for Wind Energy in Cold Climates", 2nd edition, 2018:
       below
       0 °C and above 95 % relative humidity.
    """
    return (temp_air <= temp_limit) & (relative_humidity >= humidity_limit)


def cold_share(
    temp_air: FloatArray,
    icing: BoolArray,
    icing_loss: FloatArray,
    stop_below: FloatArray,
) -> FloatArray:
    """Share of power that cold leaves.

    Parameters
    ----------
    temp_air : ndarray
        Air temperature at hub height. [°C]
    icing : ndarray of bool
        Where ice may grow.
    icing_loss : ndarray
        Share of power lost there; 1 for turbines that stop. [1]
    stop_below : ndarray
        Temperature below which turbines stop. [°C]

    Returns
    -------
    ndarray
        Between 0 and 1. [1]

    Examples
    --------
    >>> temp_air, icing = np.array([5.0, -5.0, -25.0]), np.array([False, True, False])
    >>> cold_share(temp_air, icing, np.array(0.3), np.array(-20.0)).tolist()
    [1.0, 0.7, 0.0]
    """
    return np.where(temp_air < stop_below, 0.0, np.where(icing, 1.0 - icing_loss, 1.0))
