"""Moves under doubt: how likely they fit, over what may come instead of what is expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.chances import domain_chance, reaches
from twin.feasibility import CAPACITY, CHANCE, FEASIBLE, LINK, MEMORY, Feasibility
from twin.policies.base import View

DEFAULT_RATE_RATIOS = (0.94, 1.0, 1.12)
"""Rates over the expected one where the network never changes: the ends and the usual value of the goodput of
tuned streams, 0.80, 0.85 and 0.95, over the 0.85 that the network counts with (recalled). [1]"""

_SURE = (CAPACITY, LINK, MEMORY)
"""Conditions that hold in all members or in none."""


@dataclass(frozen=True, eq=False)
class Doubtful:
    """What the stochastic domain says of some moves, in the form of `twin.feasibility.Feasibility`.

    Attributes
    ----------
    feasible : ndarray of bool (move)
        Whether the chance reaches 1 − ε.
    binding : ndarray of int (move)
        Index into `twin.feasibility.REFUSALS`: capacity, link or memory where these are missing, else chance.
    margins : dict
        Those of the deterministic domain, and as the last one chance: the probability less 1 − ε. [1]
    probability : ndarray (move)
        Chance that all conditions hold together. [1]
    """

    feasible: BoolArray
    binding: IntArray
    margins: dict[str, FloatArray]
    probability: FloatArray


@dataclass(frozen=True, eq=False)
class Doubt:
    """What may come: members of the outlook, and rates of the network, both independent of each other.

    Attributes
    ----------
    epsilon : float
        Chance accepted that a move does not fit. [1]
    window_s : ndarray (member, site)
        How long the window that is open now lasts in each member, 0 where none is. [s]
    running_mean : ndarray (member, steps + 1, site)
        Mean marginal curtailment over the first n steps; row 0 is the value now. [MW/MW]
    step_s : float
        Step. [s]
    ratio : ndarray (sample, source, destination)
        Rate that a transfer gets over the one that it would get now. [1]
    """

    epsilon: float
    window_s: FloatArray
    running_mean: FloatArray
    step_s: float
    ratio: FloatArray

    @classmethod
    def of(cls, view: View, epsilon: float, rate_ratios: Sequence[float]) -> Doubt:
        """Read it from a view.

        Parameters
        ----------
        view : View
            Holds the members, and rates of the past day where the network changes.
        epsilon : float
            Chance accepted that a move does not fit. [1]
        rate_ratios : sequence of float
            Equally likely rates over the present one, where the network never changes. [1]
        """
        marginal = view.sites.member_marginal
        n = marginal.shape[1]
        mean = np.cumsum(marginal, axis=1) / np.arange(1, n + 1)[:, None]
        is_open = marginal >= view.theta
        open_steps = np.where(is_open.all(axis=1), n, np.argmin(is_open, axis=1))
        return cls(
            epsilon=epsilon,
            window_s=open_steps * view.signal_step_s,
            running_mean=np.concatenate([marginal[:, :1], mean], axis=1),
            step_s=view.signal_step_s,
            ratio=_rate_ratio(view, rate_ratios),
        )

    def verdict(
        self,
        certain: Feasibility,
        ask: Callable[..., Feasibility],
        of_move: Mapping[str, FloatArray],
        *,
        bandwidth: FloatArray,
        source: IntArray,
        site: int,
        left_s: FloatArray,
    ) -> Doubtful:
        """Say which moves to a site are likely enough to fit.

        Parameters
        ----------
        certain : Feasibility
            What the deterministic domain says of them.
        ask : callable
            `twin.feasibility.domain` with its options.
        of_move : mapping
            Its arguments of each move, but for window, gain and bandwidth.
        bandwidth : ndarray (move)
            Rate expected. [Gbit/s]
        source : ndarray of int (move)
            Where the jobs are.
        site : int
            Where they would go.
        left_s : ndarray (move)
            Run time left there. [s]
        """
        window = np.minimum(self.window_s[:, site], left_s[:, None])
        steps = np.clip(np.ceil(window / self.step_s), 0, self.running_mean.shape[1] - 1).astype(np.int64)
        member = np.arange(len(self.running_mean))
        there = self.running_mean[member, steps, site]
        gain = there - self.running_mean[member, steps, source[:, None]]
        rates = bandwidth[:, None] * self.ratio[:, source, site].T
        weight = np.full(len(self.ratio), 1.0 / len(self.ratio))
        probability = domain_chance(ask, rates, weight, window, gain, of_move)
        feasible = reaches(probability, self.epsilon)
        binding = np.where(np.isin(certain.binding, _SURE), certain.binding, CHANCE)
        return Doubtful(
            feasible=feasible,
            binding=np.where(feasible, FEASIBLE, binding).astype(np.int64),
            margins=certain.margins | {"chance": probability - (1.0 - self.epsilon)},
            probability=probability,
        )


def _rate_ratio(view: View, rate_ratios: Sequence[float]) -> FloatArray:
    """Rates over the present one: of the past day, else those given; (sample, source, destination)."""
    past = view.past_bandwidth_gbit_per_s
    if not len(past):
        n = view.sites.n_sites
        return np.broadcast_to(
            np.asarray(rate_ratios, dtype=np.float64)[:, None, None], (len(rate_ratios), n, n)
        )
    ratio: FloatArray = np.divide(past, past[0], out=np.zeros_like(past), where=past[0] > 0.0)
    return ratio
