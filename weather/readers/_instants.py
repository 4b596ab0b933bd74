"""From values of single moments to means of the steps around them.

A format that stamps temperature or irradiance with the moment it was taken at gives a point of a curve, while
everything here stands for an interval. The curve is taken to run straight from point to point and is averaged
over each step, so no value moves in time and sums over many steps stay what they were.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from weather._types import FloatArray
from weather.timeaxis import usual_step

__all__ = ["direction_of_instants", "mean_of_instants", "means_of_instants"]


def mean_of_instants(
    values: FloatArray, index: pd.DatetimeIndex, at: float, *, circular: bool = False
) -> FloatArray:
    """Average instants over the steps they lie in.

    Parameters
    ----------
    values : ndarray
        Values of single moments, time first.
    index : pandas.DatetimeIndex
        Left labels of the steps, naive; across a gap, and at both ends, a missing neighbour counts as equal.
    at : float
        Place of the moments in their step, from 0 (its start) to 1 (its end). [1]
    circular : bool
        Whether the last step comes before the first, as in a typical year.

    Returns
    -------
    ndarray
        With v(t) linear between moments, the mean over a step is a²/2 of the value before, (1-a)²/2 of the
        one after, and the rest of its own, a = `at`.

    Examples
    --------
    >>> hours = pd.date_range("2013-01-01", periods=3, freq="h")
    >>> mean_of_instants(np.array([1.0, 2.0, 3.0]), hours, 1.0).tolist()
    [1.0, 1.5, 2.5]
    """
    before, after = np.roll(values, 1, axis=0), np.roll(values, -1, axis=0)
    is_next = np.diff(index.to_numpy()) == usual_step(index.tz_localize("UTC"))
    no_before = np.concatenate([[not circular], ~is_next])
    no_after = np.concatenate([~is_next, [not circular]])
    before[no_before], after[no_after] = values[no_before], values[no_after]
    shares = (at**2 / 2.0, (1.0 - at) ** 2 / 2.0)
    mean: FloatArray = (1.0 - sum(shares)) * values
    for share, neighbour in zip(shares, (before, after), strict=True):
        if share:  # a missing neighbour of no weight leaves no gap
            mean = mean + share * neighbour
    return mean


def direction_of_instants(
    degrees: FloatArray, index: pd.DatetimeIndex, at: float, *, circular: bool = False
) -> FloatArray:
    """Average directions over the steps they lie in, as unit vectors; parameters as `mean_of_instants`.

    Returns
    -------
    ndarray
        Direction in [0, 360). [degree]
    """
    angle = np.radians(degrees)
    sine, cosine = (
        mean_of_instants(part, index, at, circular=circular) for part in (np.sin(angle), np.cos(angle))
    )
    mean: FloatArray = np.degrees(np.arctan2(sine, cosine)) % 360.0
    return mean


def means_of_instants(
    variables: Mapping[str, FloatArray],
    index: pd.DatetimeIndex,
    at: float,
    *,
    circular: bool = False,
    names: Collection[str] | None = None,
) -> dict[str, FloatArray]:
    """Average some variables over the steps their moments lie in; parameters as `mean_of_instants`.

    Parameters
    ----------
    variables : mapping
        Arrays by project name; `wind_direction` is averaged as a direction.
    index, at, circular
        See `mean_of_instants`.
    names : collection of str, optional
        Which of them are instants; default all.

    Returns
    -------
    dict
        All variables; unchanged where fewer than two stamps ascend.
    """
    valid = index[~index.isna()]
    if len(valid) < 2 or not (np.diff(valid.to_numpy()) > np.timedelta64(0, "ns")).any():
        return dict(variables)
    means: dict[str, FloatArray] = {}
    for name, values in variables.items():
        if names is not None and name not in names:
            means[name] = values
        elif name == "wind_direction":
            means[name] = direction_of_instants(values, index, at, circular=circular)
        else:
            means[name] = mean_of_instants(values, index, at, circular=circular)
    return means
