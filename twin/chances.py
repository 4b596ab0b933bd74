"""The stochastic feasibility domain: how likely a move fits, over forecast windows and bandwidths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.feasibility import CAPACITY, FEASIBLE, LINK, MEMORY, REASONS, Feasibility, feasibility
from twin.migration import MigrationModel
from weather import Findings

DEFAULT_EPSILON = 0.1
"""Chance accepted that a move does not fit; ours, no source."""

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class FeasibilityChance:
    """Outcome of `feasibility_chance`: all arrays have the broadcast shape without members and samples.

    Attributes
    ----------
    feasible
        Whether the chance reaches 1 − ε.
    probability
        Chance that all conditions hold together. [1]
    holds
        Chance of each condition by itself, by its name in `REASONS`. [1]
    binding
        Code of the condition that holds least often where the move is refused (index into `REASONS`);
        capacity and link come first, as no window mends them. 0 where it is feasible.
    """

    feasible: BoolArray
    probability: FloatArray
    holds: dict[str, FloatArray]
    binding: npt.NDArray[np.int8]

    @property
    def reason(self) -> npt.NDArray[np.str_]:
        """What forbids the move, in words of `REASONS`."""
        return np.array(REASONS)[self.binding]


def feasibility_chance(
    checkpoint_gb: ArrayLike,
    bandwidth_gbit_per_s: ArrayLike,
    window_s: ArrayLike,
    *,
    gain: ArrayLike = 1.0,
    epsilon: float = DEFAULT_EPSILON,
    bandwidth_weight: ArrayLike | None = None,
    n_gpus: ArrayLike = 8,
    free_gpus: ArrayLike = np.inf,
    remaining_s: ArrayLike = 0.0,
    deadline_s: ArrayLike = np.inf,
    latency_s: ArrayLike = 0.0,
    memory_gb_per_gpu: ArrayLike = 0.0,
    device_memory_gb: ArrayLike | None = None,
    alpha: float = 0.1,
    migration: MigrationModel | None = None,
) -> FeasibilityChance:
    """Chance that a stop-and-copy migration fits, over members of a forecast and a distribution of bandwidth.

    A move is feasible if P(T_mig <= α·W and W − T_mig >= T_BE and the other conditions of `feasibility`)
    >= 1 − ε. Members are equally likely, and independent of the bandwidth.

    Parameters
    ----------
    checkpoint_gb, n_gpus, free_gpus, remaining_s, deadline_s, latency_s, memory_gb_per_gpu, device_memory_gb
        As in `feasibility`, of any shapes that broadcast.
    bandwidth_gbit_per_s
        (..., sample): rates that the transfer may get. [Gbit/s]
    window_s
        (..., member): what remains of the destination's window in each member; 0 where there is none. [s]
    gain
        Scalar or (..., member): gain in marginal curtailment of each member. [MW/MW]
    epsilon
        Chance accepted that it does not fit, in [0, 1). [1]
    bandwidth_weight
        (sample): weights of the rates, by default equal. [1]
    alpha, migration
        As in `feasibility`.

    Returns
    -------
    FeasibilityChance
        Chances and verdict, of the broadcast shape without the last axes of windows and bandwidths.

    Raises
    ------
    InputError
        With every finding: no members or samples, weights that are negative or all zero, `epsilon` outside
        its range; and all of `feasibility`.

    Examples
    --------
    Two of three members have a window long enough at 10 Gbit/s, and none at 1 Gbit/s:

    >>> chance = feasibility_chance(100.0, [10.0, 1.0], [3600.0, 7200.0, 9000.0], bandwidth_weight=[0.9, 0.1])
    >>> round(float(chance.probability), 3), str(chance.reason)
    (0.6, 'time')
    """
    rates, windows = np.atleast_1d(np.asarray(bandwidth_gbit_per_s, float)), np.atleast_1d(window_s)
    weights = np.ones(rates.shape[-1]) if bandwidth_weight is None else np.asarray(bandwidth_weight, float)
    _check(rates, windows, weights, epsilon)
    weights = weights / weights.sum()

    def beside(values: ArrayLike) -> FloatArray:
        return np.asarray(values, dtype=np.float64)[..., None]

    gains = np.asarray(gain, dtype=np.float64)
    probability: FloatArray | float = 0.0
    holds: dict[str, FloatArray | float] = dict.fromkeys(REASONS[1:], 0.0)
    for k, weight in enumerate(weights):
        found = feasibility(
            beside(checkpoint_gb),
            rates[..., k, None],
            windows,
            gain=gains,
            n_gpus=beside(n_gpus),
            latency_s=beside(latency_s),
            free_gpus=beside(free_gpus),
            remaining_s=beside(remaining_s),
            deadline_s=beside(deadline_s),
            memory_gb_per_gpu=beside(memory_gb_per_gpu),
            device_memory_gb=None if device_memory_gb is None else beside(device_memory_gb),
            alpha=alpha,
            migration=migration,
        )
        probability = probability + weight * found.feasible.mean(axis=-1)
        for name, margin in found.margins.items():
            holds[name] = holds[name] + weight * (margin >= 0.0).mean(axis=-1)
    chances = np.clip(probability, 0.0, 1.0)
    each = {name: np.clip(value, 0.0, 1.0) for name, value in holds.items()}
    feasible = reaches(chances, epsilon)
    return FeasibilityChance(feasible, chances, each, _binding(feasible, each, epsilon))


MOVES_TOGETHER = 100_000
"""Moves times members that are looked at together in `domain_chance`: some 10 MB."""


def domain_chance(
    ask: Callable[..., Feasibility],
    bandwidth: FloatArray,
    weight: FloatArray,
    window: FloatArray,
    gain: FloatArray,
    of_move: Mapping[str, FloatArray],
) -> FloatArray:
    """Chance of each of many moves, for arrays of floats that are known to be in their range.

    Parameters
    ----------
    ask
        `twin.feasibility.domain` with its options.
    bandwidth
        (move, sample): rates that its transfer may get. [Gbit/s]
    weight
        (sample): their chances, with the sum 1.
    window, gain
        (move, member): what remains of the window [s] and what is gained [MW/MW] in each member.
    of_move
        The other arguments of `ask` by name, of shape (move,) or one for all.

    Returns
    -------
    ndarray (move)
        Chance that all conditions hold together.
    """
    n_moves, n_members = window.shape
    probability = np.zeros(n_moves)
    together = max(1, MOVES_TOGETHER // n_members)
    for first in range(0, n_moves, together):
        row = slice(first, first + together)
        beside = {name: x[row, None] if x.ndim else x for name, x in of_move.items()}
        for k, share in enumerate(weight):
            found = ask(bandwidth=bandwidth[row, k, None], window=window[row], gain=gain[row], **beside)
            probability[row] += share * found.feasible.mean(axis=-1)
    return np.asarray(np.minimum(probability, 1.0))


def reaches(probability: FloatArray, epsilon: float) -> BoolArray:
    """Say whether chances reach 1 − ε, but for rounding."""
    return np.asarray(probability >= 1.0 - epsilon - _ROUNDING)


def _binding(feasible: BoolArray, holds: dict[str, FloatArray], epsilon: float) -> npt.NDArray[np.int8]:
    """Code of what forbids each move."""
    names = list(REASONS[1:])
    rarest = np.argmin(np.stack([holds[name] for name in names]), axis=0).astype(np.int8) + np.int8(1)
    for code in (CAPACITY, LINK, MEMORY):
        rarest = np.where(holds[REASONS[code]] < 1.0 - epsilon - _ROUNDING, np.int8(code), rarest)
    return np.where(feasible, np.int8(FEASIBLE), rarest).astype(np.int8)


def _check(rates: FloatArray, windows: npt.NDArray[np.generic], weights: FloatArray, epsilon: float) -> None:
    findings = Findings()
    if not rates.shape[-1]:
        findings.add("bandwidth_gbit_per_s", "holds no sample", "give at least one rate")
    if not windows.shape[-1]:
        findings.add("window_s", "holds no member", "give at least one member")
    if weights.shape != rates.shape[-1:]:
        what = f"has shape {weights.shape}, there are {rates.shape[-1]} samples of bandwidth"
        findings.add("bandwidth_weight", what, "give one weight for each")
    elif not (np.isfinite(weights).all() and (weights >= 0.0).all() and weights.sum() > 0.0):
        findings.add(
            "bandwidth_weight", "is negative, not finite or zero in all", "give shares of at least 0"
        )
    if not 0.0 <= epsilon < 1.0:
        findings.add("epsilon", f"is {epsilon}", "give a chance in [0, 1)")
    findings.raise_if_any("feasibility over members")
