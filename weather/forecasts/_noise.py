"""Standard normal noise that is correlated over time and units, and a function of seed and time alone."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np

from weather._types import FloatArray, IntArray
from weather.forecasts.contract import TimeArray

__all__ = ["Seed", "decay_time", "noise_of_run", "noise_over_time", "root_of"]

Seed: TypeAlias = tuple[int, int]
_OFFSET: Final = 1 << 40
_DAY: Final = np.timedelta64(1, "D")
_EPOCH: Final = np.datetime64("1970-01-01T00:00", "ns")
_TAUS: Final = 10.0
_OF_RUN, _OVER_TIME = 1, 2


def noise_of_run(
    seed: Seed, init: np.datetime64, shape: tuple[int, int], decay: float, root: FloatArray
) -> FloatArray:
    """Return noise of one run, (lead_time, member, unit): every run and member has its own.

    Parameters
    ----------
    seed : tuple of int
        Seed, and the stream of whom it is for.
    init : numpy.datetime64
        When the run was made: it names the random stream.
    shape : tuple of int
        Number of lead times and of members; further members leave the first ones as they are.
    decay : float
        Correlation of neighbouring lead times. [1]
    root : ndarray
        Root of the correlation of units, from `root_of`.
    """
    minute = int((init - _EPOCH) / np.timedelta64(1, "m")) + _OFFSET
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_OF_RUN, minute)))
    n_lead, n_member = shape
    noise = rng.standard_normal((n_member, n_lead, len(root)))
    for k in range(1, n_lead):
        noise[:, k] = decay * noise[:, k - 1] + np.sqrt(1.0 - decay**2) * noise[:, k]
    result: FloatArray = np.einsum("mlu,vu->lmv", noise, root)
    return result


def noise_over_time(
    seed: Seed, times: TimeArray, step: np.timedelta64, decay: float, root: FloatArray
) -> FloatArray:
    """Return noise at instants on a grid of steps, (time, unit), the same whatever is asked for with it.

    White noise is drawn day by day, each day from its own stream, and weighted backwards over ten time
    constants: the correlation over k steps is decay^k but for exp(−20).

    Parameters
    ----------
    seed : tuple of int
        Seed, and the stream of whom it is for.
    times : ndarray
        Rising instants, all on one grid of steps from midnight.
    step : numpy.timedelta64
        A divisor of a day.
    decay : float
        Correlation of neighbouring steps. [1]
    root : ndarray
        Root of the correlation of units, from `root_of`.
    """
    per_day = int(_DAY / step)
    n_back = int(np.ceil(-_TAUS / np.log(decay))) if decay > 0.0 else 0
    weights = decay ** np.arange(n_back + 1)
    weights /= np.sqrt((weights**2).sum())
    place: IntArray = ((times - _EPOCH) / step).astype(np.int64)
    first_day, last_day = (int(place[0]) - n_back) // per_day, int(place[-1]) // per_day
    white = np.concatenate(
        [_white(seed, day, per_day, len(root)) for day in range(first_day, last_day + 1)], axis=0
    )
    at = place - first_day * per_day
    noise = np.zeros((len(times), len(root)))
    for back, weight in enumerate(weights):
        noise += weight * white[at - back]
    result: FloatArray = np.einsum("tu,vu->tv", noise, root)
    return result


def root_of(correlation: FloatArray) -> FloatArray:
    """Return a root of the nearest correlation matrix: root @ root.T has ones on its diagonal."""
    value, vector = np.linalg.eigh(correlation)
    root: FloatArray = vector * np.sqrt(np.maximum(value, 0.0))
    unit: FloatArray = root / np.sqrt((root**2).sum(axis=1, keepdims=True))
    return unit


def decay_time(correlation: FloatArray) -> float:
    """Return the correlation of neighbours, decay, that fits decay^k to correlations at k = 1, 2, ... [1]."""
    lag = np.arange(1, len(correlation) + 1)
    tried = np.linspace(0.0, 0.995, 200)
    misfit = ((tried[:, None] ** lag - correlation) ** 2).sum(axis=1)
    return float(tried[int(misfit.argmin())])


def _white(seed: Seed, day: int, per_day: int, n_unit: int) -> FloatArray:
    sequence = np.random.SeedSequence(seed, spawn_key=(_OVER_TIME, day + _OFFSET))
    return np.random.default_rng(sequence).standard_normal((per_day, n_unit))
