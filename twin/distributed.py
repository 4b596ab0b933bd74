"""Jobs on several sites at once: rounds of synchronisation over the WAN, moves of a share of the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from twin._arrays import ArrayLike, FloatArray
from twin.migration import BIT_PER_BYTE, MigrationModel, MigrationTimes
from twin.wan import Wan
from weather import Findings

Pattern = Literal["ring", "star"]

DEFAULT_BYTES_PER_PARAMETER = 2.0
"""What is exchanged of a parameter: 16-bit differences, without loss of quality (arXiv:2407.07852). [B]"""

MOST_STEPS = 500
"""Steps between rounds with which training is shown to lose nothing, on 8 workers (arXiv:2311.08105; the
number recalled). More may do, with tuning: check it for the model at hand."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class SyncRound:
    """One round of synchronisation.

    Attributes
    ----------
    time_s
        From its begin until every site has the mean, inf where a site cannot be reached. [s]
    moved_gb
        Bytes sent by all sites together. [GB]
    """

    time_s: float
    moved_gb: float


def exchanged_gb(
    parameters_billion: ArrayLike, bytes_per_parameter: ArrayLike = DEFAULT_BYTES_PER_PARAMETER
) -> FloatArray:
    """Size of what sites exchange: one model, without the optimizer's moments.

    Parameters
    ----------
    parameters_billion
        Parameters that are trained. [1e9]
    bytes_per_parameter
        Bytes exchanged of each; 2 is 16 bit, 1 the 8 bit of INTELLECT-1 (arXiv:2412.01152). [B]

    Returns
    -------
    ndarray
        Size. [GB]

    Examples
    --------
    >>> float(exchanged_gb(7.0))
    14.0
    """
    return np.asarray(np.asarray(parameters_billion, float) * np.asarray(bytes_per_parameter, float))


def ring_round(model_gb: float, rate_gbit_per_s: ArrayLike, latency_s: ArrayLike = 0.0) -> SyncRound:
    """All-reduce around a ring of sites: each sends to the next, all at once [1]_.

    Parameters
    ----------
    model_gb
        What is averaged. [GB]
    rate_gbit_per_s
        (site): payload rate from each site to the next, the last one to the first. [Gbit/s]
    latency_s
        One-way delay of each, or of all. [s]

    Returns
    -------
    SyncRound
        2·(n − 1) steps in each of which every site sends model/n; a step lasts as long as its slowest link:

        T = 2·(n − 1) · max(8·M / (n·b) + delay); bytes of all: 2·(n − 1)·M.

    References
    ----------
    .. [1] P. Patarasuk, X. Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC
       69(2), 2009.

    Examples
    --------
    Two sites swap halves twice: 14 GB at 8 Gbit/s take 14 s.

    >>> ring_round(14.0, [8.0, 8.0])
    SyncRound(time_s=14.0, moved_gb=28.0)
    """
    rate, latency = _links(model_gb, rate_gbit_per_s, latency_s)
    n = rate.size
    if n < 2:
        return SyncRound(0.0, 0.0)
    step_s = _slowest_s(model_gb / n, rate, latency)
    return SyncRound(2.0 * (n - 1) * step_s, 2.0 * (n - 1) * model_gb)


def star_round(
    model_gb: float,
    up_gbit_per_s: ArrayLike,
    down_gbit_per_s: ArrayLike | None = None,
    latency_s: ArrayLike = 0.0,
) -> SyncRound:
    """Average at one site: all others send it their model, and it sends the mean to all.

    Parameters
    ----------
    model_gb
        What is averaged. [GB]
    up_gbit_per_s
        (other site): payload rate from each to the site in the middle, while all of them send. [Gbit/s]
    down_gbit_per_s
        The same back; as up where None. [Gbit/s]
    latency_s
        One-way delay of each, or of all. [s]

    Returns
    -------
    SyncRound
        T = max(8·M/b_up + delay) + max(8·M/b_down + delay); bytes of all: 2·(n − 1)·M. An upper bound where
        rates differ, as those that are still sending get more when others are done.

    Examples
    --------
    Four sites share the 24 Gbit/s of a fifth, six each way:

    >>> star_round(14.0, [6.0] * 4)
    SyncRound(time_s=37.333333333333336, moved_gb=112.0)
    """
    up, latency = _links(model_gb, up_gbit_per_s, latency_s)
    down, _ = _links(model_gb, up_gbit_per_s if down_gbit_per_s is None else down_gbit_per_s, latency_s)
    if not up.size:
        return SyncRound(0.0, 0.0)
    time_s = _slowest_s(model_gb, up, latency) + _slowest_s(model_gb, down, latency)
    return SyncRound(time_s, 2.0 * up.size * model_gb)


def sync_round(wan: Wan, sites: Sequence[int], model_gb: float, pattern: Pattern = "ring") -> SyncRound:
    """Round of a job over the links of a network, shared max-min fairly by its own transfers.

    Parameters
    ----------
    wan
        The network at one time (`Wan.at`), with no other transfers.
    sites
        Where the job runs: the order of the ring, or the middle of the star first.
    model_gb
        What is averaged. [GB]
    pattern
        "ring" or "star".

    Returns
    -------
    SyncRound
        Time and bytes.

    Raises
    ------
    InputError
        With every finding: a site named twice or unknown, a pattern that does not exist.
    """
    place = np.asarray(sites, dtype=np.int64)
    findings = Findings()
    if not place.size or np.unique(place).size != place.size:
        findings.add("sites", f"are {list(sites)}", "name each site once")
    elif place.min() < 0 or place.max() >= wan.n_sites:
        findings.add("sites", f"are {list(sites)}", f"there are sites 0..{wan.n_sites - 1}")
    if pattern not in ("ring", "star"):
        findings.add("pattern", f"is {pattern!r}", "choose ring or star")
    findings.raise_if_any("synchronisation")
    if place.size == 1:
        return SyncRound(0.0, 0.0)
    if pattern == "ring":
        following = np.roll(place, -1)
        rate = wan.max_min_rates(place, following)
        return ring_round(model_gb, rate, wan.latency_s[place, following])
    middle, other = np.full(place.size - 1, place[0]), place[1:]
    up, down = wan.max_min_rates(other, middle), wan.max_min_rates(middle, other)
    return star_round(model_gb, up, down, wan.latency_s[other, middle])


def sync_efficiency(
    step_s: ArrayLike, steps: ArrayLike, sync_s: ArrayLike, *, overlap: float = 0.0
) -> FloatArray:
    """Share of time in which a job computes that synchronises every so many steps.

    Parameters
    ----------
    step_s
        Time of a step at the slowest of its sites, for which all others wait. [s]
    steps
        Steps between two rounds, H.
    sync_s
        Time of a round. [s]
    overlap
        Share of the computing behind which a round may hide, in [0, 1]: 0 in DiLoCo, which stands still,
        up to 1 where training goes on meanwhile (arXiv:2501.18512).

    Returns
    -------
    ndarray
        C / (C + max(T − overlap·C, 0)) with C = H·step. [1]

    Notes
    -----
    Time only. That sites train apart for H steps, or go on with means that are late, may cost quality or
    take more steps; this is not modelled.

    Examples
    --------
    >>> float(sync_efficiency(2.0, 100, 50.0))
    0.8
    """
    _check_efficiency(overlap, step_s=step_s, steps=steps, sync_s=sync_s)
    compute = np.asarray(steps, dtype=np.float64) * np.asarray(step_s, dtype=np.float64)
    exposed = np.maximum(np.asarray(sync_s, dtype=np.float64) - overlap * compute, 0.0)
    return np.asarray(compute / (compute + exposed))


def steps_for_efficiency(
    step_s: ArrayLike, sync_s: ArrayLike, efficiency: float = 0.9, *, overlap: float = 0.0
) -> FloatArray:
    """Fewest steps between two rounds with which a job computes for a share of its time.

    Parameters
    ----------
    step_s
        Time of a step at the slowest of its sites. [s]
    sync_s
        Time of a round. [s]
    efficiency
        Share of time in which it is to compute, in (0, 1].
    overlap
        As in `sync_efficiency`.

    Returns
    -------
    ndarray
        Whole steps, at least 1: e·T / ((1 − e + e·overlap) · step), rounded up; inf where no number will do.

    Examples
    --------
    >>> float(steps_for_efficiency(2.0, 50.0, 0.8))
    100.0
    """
    if not 0.0 < efficiency <= 1.0:
        findings = Findings()
        findings.add("efficiency", f"is {efficiency}", "give a share in (0, 1]")
        findings.raise_if_any("synchronisation")
    _check_efficiency(overlap, step_s=step_s, sync_s=sync_s)
    step, sync = np.asarray(step_s, dtype=np.float64), np.asarray(sync_s, dtype=np.float64)
    per_step = (1.0 - efficiency + efficiency * overlap) * step
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(sync > 0.0, efficiency * sync / per_step, 0.0)
    return np.asarray(np.maximum(np.ceil(needed - _ROUNDING), 1.0))


@dataclass(frozen=True)
class SyncPlan:
    """Whether a job may run at some sites together, and how.

    Attributes
    ----------
    pattern
        "ring" or "star", the one with the shorter round.
    round
        Time and bytes of a round.
    steps
        Fewest steps between rounds for the efficiency asked for; inf where none will do.
    feasible
        Whether these are no more than training is shown to bear.
    gb_per_h
        Bytes that the job then sends, by all sites together. [GB/h]
    """

    pattern: Pattern
    round: SyncRound
    steps: float
    feasible: bool
    gb_per_h: float


def plan_sync(
    wan: Wan,
    sites: Sequence[int],
    model_gb: float,
    step_s: ArrayLike,
    *,
    efficiency: float = 0.9,
    overlap: float = 0.0,
    most_steps: float = MOST_STEPS,
) -> SyncPlan:
    """Say how rarely a job at some sites must synchronise to compute for a share of its time.

    Parameters
    ----------
    wan
        The network at one time.
    sites
        Where the job would run; with a star the first one is the middle.
    model_gb
        What is averaged in a round. [GB]
    step_s
        Time of a step, one value or one per site; the slowest counts. [s]
    efficiency
        Share of time in which it is to compute.
    overlap
        As in `sync_efficiency`.
    most_steps
        Most steps between rounds that training bears.

    Returns
    -------
    SyncPlan
        The better of ring and star.
    """
    rounds: dict[Pattern, SyncRound] = {
        "ring": sync_round(wan, sites, model_gb, "ring"),
        "star": sync_round(wan, sites, model_gb, "star"),
    }
    pattern: Pattern = "ring" if rounds["ring"].time_s <= rounds["star"].time_s else "star"
    best, slowest_s = rounds[pattern], float(np.max(step_s))
    steps = float(steps_for_efficiency(slowest_s, best.time_s, efficiency, overlap=overlap))
    gb_per_h = 0.0
    if np.isfinite(steps):
        reached = float(sync_efficiency(slowest_s, steps, best.time_s, overlap=overlap))
        gb_per_h = best.moved_gb * reached * 3600.0 / (steps * slowest_s)
    return SyncPlan(pattern, best, steps, steps <= most_steps, gb_per_h)


@dataclass(frozen=True)
class PartialMove:
    """A move of a share of a job's workers.

    Attributes
    ----------
    n_moved
        Devices that move.
    moved_gb
        Bytes of the checkpoint that are sent. [GB]
    times
        Phases of the move, in which those that move stand and the others go on.
    lost_gpu_s
        Device time of those that move, without progress. [GPU s]
    efficiency
        Share of time in which the job computes afterwards, split over the link.
    break_even_s
        Time after the move in which standing for it and for rounds has cost as much device time as moving
        all would have, standing once: the whole move is better for longer stays; inf if splitting costs
        nothing. [s]
    """

    n_moved: int
    moved_gb: float
    times: MigrationTimes
    lost_gpu_s: float
    efficiency: float
    break_even_s: float


def partial_migration(
    checkpoint_gb: float,
    n_gpus: int,
    share: float,
    rate_gbit_per_s: float,
    *,
    model_gb: float,
    step_s: float,
    steps: int,
    latency_s: float = 0.0,
    state: Literal["replicated", "sharded"] = "replicated",
    overlap: float = 0.0,
    migration: MigrationModel | None = None,
) -> PartialMove:
    """Move a share of the workers to another site, and run split over the link from then on.

    Parameters
    ----------
    checkpoint_gb
        Checkpoint of the whole job, S. [GB]
    n_gpus
        Its devices, n.
    share
        Share s of them that moves, in (0, 1]; rounded up to whole devices.
    rate_gbit_per_s
        Payload rate between the two sites, either way. [Gbit/s]
    model_gb
        What both sites exchange in a round. [GB]
    step_s
        Time of a step, the same before and after: each side works on its share of the batch. [s]
    steps
        Steps between two rounds, H.
    latency_s
        One-way delay. [s]
    state
        "replicated": each site needs all of the state, S is sent whatever the share; "sharded": each
        device holds its part, and S · n_moved / n is sent.
    overlap
        As in `sync_efficiency`.
    migration
        Storage speeds and start-up; defaults where None.

    Returns
    -------
    PartialMove
        Bytes, times, and what splitting costs afterwards: a ring of two. With s = 1 it is the stop-and-copy
        of the whole job, and nothing has to be synchronised.

    Raises
    ------
    InputError
        With every finding.

    Examples
    --------
    A quarter of 32 devices, 98 GB, 8 Gbit/s: all of the state goes, as one node of eight saves and loads it.

    >>> move = partial_migration(98.0, 32, 0.25, 8.0, model_gb=14.0, step_s=5.0, steps=50)
    >>> move.n_moved, move.moved_gb, float(move.times.total_s), round(move.efficiency, 3)
    (8, 98.0, 496.0, 0.947)
    """
    _check_partial(n_gpus, share, state)
    model = MigrationModel() if migration is None else migration
    n_moved = int(np.ceil(share * n_gpus - _ROUNDING))
    size_gb = checkpoint_gb * (n_moved / n_gpus if state == "sharded" else 1.0)
    times = model.times(size_gb, n_moved, rate_gbit_per_s, latency_s)
    lost_gpu_s = n_moved * float(times.total_s)
    efficiency = 1.0
    if n_moved < n_gpus:
        sync = ring_round(model_gb, [rate_gbit_per_s] * 2, latency_s)
        efficiency = float(sync_efficiency(step_s, steps, sync.time_s, overlap=overlap))
    whole = model.times(checkpoint_gb, n_gpus, rate_gbit_per_s, latency_s)
    spared_gpu_s = n_gpus * float(whole.total_s) - lost_gpu_s
    standing = (1.0 - efficiency) * n_gpus
    break_even_s = max(spared_gpu_s, 0.0) / standing if standing > 0.0 else np.inf
    return PartialMove(
        n_moved, float(model.payload_gb(size_gb)), times, lost_gpu_s, efficiency, float(break_even_s)
    )


def _slowest_s(size_gb: float, rate: FloatArray, latency: FloatArray) -> float:
    """Time until the last of some transfers of equal size is done. [s]"""
    with np.errstate(divide="ignore"):
        seconds = np.where(rate > 0.0, BIT_PER_BYTE * size_gb / rate, np.inf)
    return float((seconds + latency).max())


def _links(model_gb: float, rate: ArrayLike, latency: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Rates and delays as arrays, after checking them."""
    rates = np.asarray(rate, dtype=np.float64)
    delays = np.asarray(latency, dtype=np.float64)
    findings = Findings()
    if not 0.0 <= model_gb < np.inf:
        findings.add("model_gb", f"is {model_gb} GB", "give at least 0 GB")
    if rates.ndim != 1 or not np.all(rates >= 0.0):
        findings.add("rate_gbit_per_s", f"are {rates}", "give one rate of at least 0 Gbit/s for each link")
    if delays.shape not in ((), rates.shape) or not np.all(delays >= 0.0):
        findings.add("latency_s", f"are {delays}", "give one of at least 0 s, or one for each link")
    findings.raise_if_any("synchronisation")
    return rates, np.broadcast_to(delays, rates.shape)


def _check_efficiency(overlap: float, **values: ArrayLike) -> None:
    findings = Findings()
    if not 0.0 <= overlap <= 1.0:
        findings.add("overlap", f"is {overlap}", "give a share in [0, 1]")
    for name, value in values.items():
        given = np.asarray(value, dtype=np.float64)
        least, may_be_least = (1.0, True) if name == "steps" else (0.0, name == "sync_s")
        if not np.all((given > least) | ((given == least) & may_be_least)):
            findings.add(
                name, f"are {given}", f"give {'at least' if may_be_least else 'more than'} {least:g}"
            )
    findings.raise_if_any("synchronisation")


def _check_partial(n_gpus: int, share: float, state: str) -> None:
    findings = Findings()
    if n_gpus < 1:
        findings.add("n_gpus", f"is {n_gpus}", "give at least 1 device")
    if not 0.0 < share <= 1.0:
        findings.add("share", f"is {share}", "give a share in (0, 1]")
    if state not in ("replicated", "sharded"):
        findings.add("state", f"is {state!r}", "choose replicated or sharded")
    findings.raise_if_any("partial migration")
