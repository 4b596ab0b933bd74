"""Distribution of one quantity given the level of another, from pairs: quantiles by bin of the level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from weather._types import FloatArray, IntArray

__all__ = ["Conditional", "fit_conditional", "stack_conditionals"]

_N_BINS: Final = 20
_PER_BIN: Final = 60
_PROBABILITY: Final = np.linspace(0.0, 1.0, 51)
_WINDOW: Final = 1


@dataclass(frozen=True)
class Conditional:
    """Quantiles of a target given a level.

    Attributes
    ----------
    centre : ndarray
        Mean level of each bin, (table, class, unit, bin), rising; bins that are not needed repeat the last.
    quantile : ndarray
        Quantiles of the target in each bin at equal steps of probability from 0 to 1, (table, class, unit,
        bin, probability).
    """

    centre: FloatArray
    quantile: FloatArray

    def at(self, table: IntArray, klass: IntArray, level: FloatArray, u: FloatArray) -> FloatArray:
        """Return the target at probability `u` given `level`.

        Quantiles go straight between bins and between probabilities, so a value never leaves the range of the
        pairs.

        Parameters
        ----------
        table, klass : ndarray
            Which table and class, broadcastable to `u` without its last axis.
        level, u : ndarray
            Level and probability over (..., unit).
        """
        unit = np.arange(level.shape[-1])
        table, klass = table[..., None], klass[..., None]
        centre = self.centre[table, klass, unit]
        last = centre.shape[-1] - 1
        low = np.clip((centre <= level[..., None]).sum(axis=-1) - 1, 0, last)
        high = np.minimum(low + 1, last)
        left = np.take_along_axis(centre, low[..., None], -1)[..., 0]
        width = np.take_along_axis(centre, high[..., None], -1)[..., 0] - left
        weight = np.clip((level - left) / np.where(width > 0.0, width, 1.0), 0.0, 1.0)
        n_step = self.quantile.shape[-1] - 1
        place = u * n_step
        k = np.clip(place.astype(np.int64), 0, n_step - 1)
        part = place - k
        value = np.zeros(np.broadcast_shapes(level.shape, u.shape))
        for bins, share in ((low, 1.0 - weight), (high, weight)):
            lower, upper = (self.quantile[table, klass, unit, bins, k + i] for i in (0, 1))
            value += share * (lower + part * (upper - lower))
        return value

    def probability(
        self, table: IntArray, klass: IntArray, level: FloatArray, target: FloatArray
    ) -> FloatArray:
        """Return the probability of the target given the level; the middle of it where values are tied.

        Parameters
        ----------
        table, klass, level
            As for `at`.
        target : ndarray
            Value of the target, of the shape of `level`.
        """
        curve = np.stack([self.at(table, klass, level, np.full(level.shape, p)) for p in _PROBABILITY], -1)
        n_step = len(_PROBABILITY) - 1
        below = (curve < target[..., None]).sum(axis=-1)
        upto = (curve <= target[..., None]).sum(axis=-1)
        left = np.clip(below - 1, 0, n_step - 1)
        low, high = (np.take_along_axis(curve, (left + i)[..., None], -1)[..., 0] for i in (0, 1))
        width = np.where(high > low, high - low, 1.0)
        between = (left + np.clip((target - low) / width, 0.0, 1.0)) / n_step
        tied = (below + np.maximum(upto, below + 1) - 1) / 2.0 / n_step
        probability: FloatArray = np.where(upto > below, tied, between)
        return np.clip(probability, 0.25 / n_step, 1.0 - 0.25 / n_step)


def fit_conditional(level: FloatArray, target: FloatArray, klass: IntArray, n_class: int) -> Conditional:
    """Fit one table.

    Parameters
    ----------
    level, target : ndarray
        Pairs over (sample, unit).
    klass : ndarray
        Class of each sample, cyclic: a class is fitted with its neighbours on either side.
    n_class : int
        Number of classes.

    Returns
    -------
    Conditional
        With one table.
    """
    n_unit = level.shape[1]
    centre = np.zeros((1, n_class, n_unit, _N_BINS))
    quantile = np.zeros((1, n_class, n_unit, _N_BINS, len(_PROBABILITY)))
    for c in range(n_class):
        apart = (klass - c) % n_class
        near = np.minimum(apart, n_class - apart) <= _WINDOW
        for unit in range(n_unit):
            x, y = level[near, unit], target[near, unit]
            bins = _bins(x)
            for b, members in enumerate(bins):
                centre[0, c, unit, b:] = x[members].mean()
                quantile[0, c, unit, b:] = np.quantile(y[members], _PROBABILITY, method="weibull")
    return Conditional(centre, quantile)


def stack_conditionals(tables: Sequence[Conditional]) -> Conditional:
    """Return several tables as one, in their order."""
    return Conditional(
        np.concatenate([table.centre for table in tables]),
        np.concatenate([table.quantile for table in tables]),
    )


def _bins(level: FloatArray) -> list[IntArray]:
    """Return the samples of each bin: equally many, with equal levels never in different bins."""
    n_bins = int(np.clip(len(level) // _PER_BIN, 1, _N_BINS))
    edges = np.unique(np.quantile(level, np.arange(1, n_bins) / n_bins))
    place = np.searchsorted(edges, level, side="right")
    return [np.flatnonzero(place == b) for b in np.unique(place)]
