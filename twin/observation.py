"""What an agent is told of a view: a vector of fixed length, each entry with a name, a unit and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from twin._arrays import FloatArray
from twin.inputs import H_PER_DAY, S_PER_H
from twin.policies.base import JobView, View

Vector = npt.NDArray[np.float32]

AHEAD_H = (6.0, 24.0)
"""Ends of the spans ahead over which the outlook is averaged, each from the end of the one before. [h]"""

LONG_AFTER_H = (1.0, 12.0)
"""Run times left that part short, medium and long jobs. [h]"""

CLASSES = ("short", "medium", "long")

RELIEF_BOUND = 4.0
"""Largest relief shown, either way. [MW/MW]"""

LOAD_BOUND = 4.0
"""Largest load shown, either way, over the power of all GPUs of a site."""

WORK_BOUND = 12.0
"""Largest log(1 + h) of work shown: 18 years of a full site."""


@dataclass(frozen=True)
class Observation:
    """How a view becomes a vector.

    For every site, in the order of the scenario:

    =====================================  ==========================================  ============
    name                                   meaning, unit                               bounds
    =====================================  ==========================================  ============
    relief_now                             curtailment one more MW relieves [MW/MW]    −4 .. 4
    relief_0_6h, relief_6_24h              the same, mean of the outlook [MW/MW]       −4 .. 4
    welcome_now                            absorbable power, over that of all GPUs     0 .. 4
    headroom                               the same less what is committed             −4 .. 4
    free_gpus                              free GPUs over those that may be used       0 .. 1
    queued_short, queued_medium, ...       log(1 + h) of the work of queued jobs       0 .. 12
    running_short, running_medium, ...     the same of running jobs                    0 .. 12
    paused                                 the same of paused ones                     0 .. 12
    =====================================  ==========================================  ============

    and the sine and cosine of the hour of the day in UTC. Work is what is left, in GPU-hours of the site's
    own devices over all GPUs of the site: hours that the full site needs for it. Jobs are short with less
    than 1 h left to run, long from 12 h. Values beyond the bounds are shown as the bound. Nothing is in it
    that is not in the view.

    Attributes
    ----------
    site_names : tuple of str
        Names of the sites.
    start_hour : float
        Hour of the day at the start of the run. [h, UTC]
    """

    site_names: tuple[str, ...]
    start_hour: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every entry, those of a site as ``<site>.<name>``."""
        own = [f"{site}.{name}" for name, _, _ in _layout() for site in self.site_names]
        return (*own, "hour_sin", "hour_cos")

    @property
    def low(self) -> Vector:
        """Least values."""
        return self._bounds(1, -1.0)

    @property
    def high(self) -> Vector:
        """Largest values."""
        return self._bounds(2, 1.0)

    def of(self, view: View) -> Vector:
        """Return the vector of a view, (3 · …): see :attr:`names`.

        Parameters
        ----------
        view : View
            What a policy sees.

        Returns
        -------
        ndarray of float32
            Within `low` and `high`.
        """
        sites = view.sites
        capacity = np.maximum(sites.gpu_capacity, 1).astype(np.float64)
        full_mw = np.maximum(capacity * sites.gpu_p_mw, 1e-9)
        rows = [
            sites.marginal_curtailment,
            *_ahead(sites.outlook_marginal, view.signal_step_s / S_PER_H),
            sites.absorbable_p_mw / full_mw,
            sites.headroom_p_mw / full_mw,
            sites.free_gpus / capacity,
            *_work_by_class(view, view.queued, capacity),
            *_work_by_class(view, view.running, capacity),
            np.sum(_work_by_class(view, view.paused, capacity), axis=0),
        ]
        is_work = np.array([low == 0.0 and high == WORK_BOUND for _, low, high in _layout()])
        values = np.stack(rows)
        values[is_work] = np.log1p(values[is_work])
        angle = 2.0 * np.pi * (self.start_hour + view.now_s / S_PER_H) / H_PER_DAY
        flat = np.concatenate([values.ravel(), [np.sin(angle), np.cos(angle)]]).astype(np.float32)
        return np.clip(flat, self.low, self.high)

    def _bounds(self, column: int, of_hour: float) -> Vector:
        own = np.repeat([entry[column] for entry in _layout()], len(self.site_names))
        return np.append(own, [of_hour, of_hour]).astype(np.float32)


def _layout() -> Iterator[tuple[str, float, float]]:
    """Name, least and largest value of what is told of each site, in order."""
    yield "relief_now", -RELIEF_BOUND, RELIEF_BOUND
    for first, last in pairwise((0.0, *AHEAD_H)):
        yield f"relief_{first:g}_{last:g}h", -RELIEF_BOUND, RELIEF_BOUND
    yield "welcome_now", 0.0, LOAD_BOUND
    yield "headroom", -LOAD_BOUND, LOAD_BOUND
    yield "free_gpus", 0.0, 1.0
    for kind in ("queued", "running"):
        for length in CLASSES:
            yield f"{kind}_{length}", 0.0, WORK_BOUND
    yield "paused", 0.0, WORK_BOUND


def _ahead(outlook: FloatArray, step_h: float) -> list[FloatArray]:
    """Means of an outlook over the spans ahead; its last value stands for what lies beyond it."""
    edges = np.round(np.array((0.0, *AHEAD_H)) / step_h).astype(np.int64)
    last = len(outlook) - 1
    return [
        outlook[np.minimum(np.arange(first, max(end, first + 1)), last)].mean(axis=0)
        for first, end in pairwise(edges.tolist())
    ]


def _work_by_class(view: View, jobs: JobView, capacity: FloatArray) -> FloatArray:
    """Work left over the GPUs of the site where jobs are, (class, site). [h]"""
    n, speed = view.sites.n_sites, view.sites.speed[jobs.site]
    gpu_h = jobs.remaining_gpu_h / speed
    length = np.searchsorted(LONG_AFTER_H, gpu_h / jobs.pace_gpus, side="right")
    sums = np.bincount(length * n + jobs.site, weights=gpu_h, minlength=len(CLASSES) * n)
    return np.asarray(sums.reshape(len(CLASSES), n) / capacity)
