"""Rounds of a live move: what they send at a constant rate, and when the job stops; arrays only.

Shared by what policies expect of a move (`twin.migration.MigrationModel.times`) and by the loop, which
decides after every round from the bytes and the time that it really took.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray

BIT_PER_BYTE = 8.0


@dataclass(frozen=True)
class Rounds:
    """Rounds of moves at constant rates, each an array of the broadcast shape.

    Attributes
    ----------
    n_rounds
        Rounds sent while the job runs.
    precopy_s
        Their time. [s]
    early_gb
        Their bytes. [GB]
    last_gb
        Bytes of the last round, for which the job stands. [GB]
    last_s
        Its time without delay, inf where the rate is 0. [s]
    """

    n_rounds: IntArray
    precopy_s: FloatArray
    early_gb: FloatArray
    last_gb: FloatArray
    last_s: FloatArray


def stops(
    next_gb: FloatArray,
    rate_gbit_per_s: FloatArray,
    n_rounds: IntArray,
    *,
    target_s: float,
    max_rounds: int,
) -> BoolArray:
    """Say which jobs stop for their next round: it takes no longer than they may stand, or it is time.

    Parameters
    ----------
    next_gb
        What has to be sent next. [GB]
    rate_gbit_per_s
        Payload rate as it is now. [Gbit/s]
    n_rounds
        Rounds sent already.
    target_s
        Longest transfer that a job should stand for. [s]
    max_rounds
        A job stops after so many rounds at the latest.
    """
    short = BIT_PER_BYTE * next_gb <= target_s * rate_gbit_per_s * (1.0 + _ROUNDING)
    return np.asarray(short | (n_rounds >= max_rounds))


_ROUNDING = 1e-9
"""A rounding error must not cost a round where what is left takes the target exactly. [1]"""


def rounds_at(
    first_gb: FloatArray,
    most_gb: FloatArray,
    dirty_gb_per_s: float,
    rate_gbit_per_s: FloatArray,
    *,
    target_s: float,
    max_rounds: int,
) -> Rounds:
    """Go through the rounds of moves at constant rates.

    Parameters
    ----------
    first_gb
        Bytes of the first round. [GB]
    most_gb
        Most that any later round can have. [GB]
    dirty_gb_per_s
        Bytes to send again per second that the job runs. [GB/s]
    rate_gbit_per_s
        Payload rate. [Gbit/s]
    target_s, max_rounds
        As of `stops`.

    Returns
    -------
    Rounds
        Broadcast over the arrays. With no cap on rounds this is `twin.migration_live.live_precopy` with
        ``stop_gb`` = target · rate / 8 where that converges.
    """
    first, most, rate = np.broadcast_arrays(first_gb, most_gb, rate_gbit_per_s)
    with np.errstate(divide="ignore"):
        s_per_gb = np.where(rate > 0.0, BIT_PER_BYTE / rate, np.inf)
    next_gb = np.array(first, dtype=np.float64)
    early_gb, precopy_s = np.zeros(next_gb.shape), np.zeros(next_gb.shape)
    n_rounds = np.zeros(next_gb.shape, dtype=np.int64)
    for _ in range(max_rounds):
        with np.errstate(invalid="ignore"):
            stop = stops(next_gb, rate, n_rounds, target_s=target_s, max_rounds=max_rounds)
        go = (rate > 0.0) & ~stop
        if not go.any():
            break
        seconds = np.where(go, next_gb * np.where(go, s_per_gb, 0.0), 0.0)
        precopy_s += seconds
        early_gb += np.where(go, next_gb, 0.0)
        n_rounds += go
        next_gb = np.where(go, np.minimum(dirty_gb_per_s * seconds, most), next_gb)
    last_s = np.where(rate > 0.0, next_gb * np.where(rate > 0.0, s_per_gb, 0.0), np.inf)
    return Rounds(n_rounds, precopy_s, early_gb, next_gb, last_s)
