"""Live migration by pre-copy: send while the job runs, send again what changed, stop for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.migration import BIT_PER_BYTE
from weather import Findings


@dataclass(frozen=True)
class LiveMigration:
    """A live migration, each field an array of the broadcast shape.

    Attributes
    ----------
    converges
        Whether each round is smaller than the one before: the job changes less per second than is sent.
    rounds
        Rounds sent while the job runs; 0 where it stops at once.
    precopy_s
        Their time, in which the job runs. [s]
    downtime_s
        Time without progress: the last round, its delay and the resumption. [s]
    total_s
        Sum of both. [s]
    sent_gb
        Bytes of all rounds. [GB]
    """

    converges: BoolArray
    rounds: npt.NDArray[np.int64]
    precopy_s: FloatArray
    downtime_s: FloatArray
    total_s: FloatArray
    sent_gb: FloatArray


def live_precopy(
    size_gb: ArrayLike,
    rate_gbit_per_s: ArrayLike,
    dirty_gb_per_s: ArrayLike,
    *,
    latency_s: ArrayLike = 0.0,
    resume_s: ArrayLike = 0.0,
    stop_gb: float = 1.0,
    max_rounds: int = 30,
) -> LiveMigration:
    """Time, downtime and bytes of pre-copy at a constant rate of transfer and of change [1]_.

    Parameters
    ----------
    size_gb
        State of the job. [GB]
    rate_gbit_per_s
        Payload rate of the transfer. [Gbit/s]
    dirty_gb_per_s
        State that the running job changes, counted once however often it changes in a round. [GB/s]
    latency_s
        One-way delay. [s]
    resume_s
        From the last byte to the first step at the destination, which was started before. [s]
    stop_gb
        The job stops once no more than this is left. [GB]
    max_rounds
        The job stops after this many rounds at the latest.

    Returns
    -------
    LiveMigration
        Broadcast over all arguments; times are inf where the rate is 0.

    Raises
    ------
    InputError
        With every finding: values that are negative or not numbers.

    Notes
    -----
    With q = 8·d/b, round k sends S·q^k. Rounds go on while the job runs until S·q^n ≤ stop_gb:

    precopy = 8·S/b · (1 − q^n)/(1 − q), downtime = 8·S·q^n/b + delay + resume,
    sent = S · (1 − q^(n+1))/(1 − q).

    For q ≥ 1 no round is smaller than the one before. The job then stops at once, which is stop-and-copy.
    Full training rewrites all its state in every step and is such a job over any WAN; adapters and models
    with frozen layers are not.

    References
    ----------
    .. [1] C. Clark et al., Live Migration of Virtual Machines, NSDI 2005.

    Examples
    --------
    100 GB at 8 Gbit/s, 0.1 GB/s changed: rounds of 100 and 10 s, and 1 GB in the downtime.

    >>> live = live_precopy(100.0, 8.0, 0.1)
    >>> int(live.rounds), round(float(live.precopy_s), 6), round(float(live.downtime_s), 6)
    (2, 110.0, 1.0)
    """
    size, rate, dirty, latency, resume = np.broadcast_arrays(
        *(
            np.asarray(x, dtype=np.float64)
            for x in (size_gb, rate_gbit_per_s, dirty_gb_per_s, latency_s, resume_s)
        )
    )
    _check(size, rate, dirty, latency, resume, stop_gb, max_rounds)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        q = np.where(dirty > 0.0, BIT_PER_BYTE * dirty / rate, 0.0)
        s_per_gb = np.where(rate > 0.0, BIT_PER_BYTE / rate, np.inf)
        converges = (q < 1.0) & (rate > 0.0)
        needed = np.where(q > 0.0, np.log(stop_gb / size) / np.log(q), 1.0)
        # A rounding error must not cost a round where the rest is stop_gb exactly.
        rounds = np.where(size > stop_gb, np.ceil(needed - 1e-9), 0.0)
        rounds = np.where(converges, np.clip(rounds, 0.0, max_rounds), 0.0)
        early = size * _geometric(q, rounds)
        late = np.where(rounds > 0.0, size * q**rounds, size)
        precopy = np.where(rounds > 0.0, early * s_per_gb, 0.0)
        downtime = np.where(rate > 0.0, late * np.where(rate > 0.0, s_per_gb, 0.0), np.inf) + latency + resume
    return LiveMigration(
        converges=np.asarray(converges),
        rounds=np.asarray(rounds, dtype=np.int64),
        precopy_s=np.asarray(precopy),
        downtime_s=np.asarray(downtime),
        total_s=np.asarray(precopy + downtime),
        sent_gb=np.asarray(early + late),
    )


def _geometric(q: FloatArray, n: FloatArray) -> FloatArray:
    """Return 1 + q + ... + q^(n−1), exact also for q near 1."""
    log_q = np.log(np.where((q > 0.0) & (q < 1.0), q, 0.5))
    inside = np.expm1(n * log_q) / np.expm1(log_q)
    return np.asarray(np.where(n > 0.0, np.where(q > 0.0, inside, 1.0), 0.0))


def _check(
    size: FloatArray,
    rate: FloatArray,
    dirty: FloatArray,
    latency: FloatArray,
    resume: FloatArray,
    stop_gb: float,
    max_rounds: int,
) -> None:
    """Refuse values that can not be."""
    findings = Findings()
    for name, unit, values in (
        ("size_gb", "GB", size),
        ("rate_gbit_per_s", "Gbit/s", rate),
        ("dirty_gb_per_s", "GB/s", dirty),
        ("latency_s", "s", latency),
        ("resume_s", "s", resume),
    ):
        if np.any(~((values >= 0.0) & np.isfinite(values))):
            findings.add(name, "has negative values or such that are not finite", f"give at least 0 {unit}")
    if not 0.0 < stop_gb < np.inf:
        findings.add("stop_gb", f"is {stop_gb} GB", "give more than 0 GB")
    if max_rounds < 1:
        findings.add("max_rounds", f"is {max_rounds}", "give at least 1")
    findings.raise_if_any("live migration")
