"""Live moves in the loop: a running job is copied ahead in rounds, and stops for the last one.

The job goes on running, drawing power and using GPUs at its source, while GPUs are reserved for it at the
destination. These start up first; then all of its state is sent, then what has changed meanwhile, and so on.
After every round the bytes and the time that it really took, and the rate of that moment, say whether the job
stops. What has arrived is also kept in storage there, so that nothing more is lost than in other moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.precopy import stops
from twin.record import Recorder
from twin.state import RUNNING, SENDING, State
from twin.wan import Wan

if TYPE_CHECKING:
    from twin.transfers import MoveModel

STILL, LIVE, COLD = range(3)
"""How a move is made: stop-and-copy; live; live, but what had been started at the destination was lost."""


def is_copied_ahead(state: State, job: IntArray) -> BoolArray:
    """Say which jobs run while they are copied ahead, (job)."""
    return np.asarray((state.phase[job] == RUNNING) & (state.dest[job] >= 0))


def is_frozen(state: State, job: IntArray) -> BoolArray:
    """Say which jobs stand for the last round of a live move, with their state in memory alone, (job)."""
    return np.asarray((state.phase[job] == SENDING) & (state.live[job] > STILL))


def begin_rounds(state: State, model: MoveModel, job: IntArray, now_s: float) -> None:
    """Start up what takes over running jobs at their destinations.

    Parameters
    ----------
    state : State
        Changed in place; it has the destinations.
    model : MoveModel
        Time to start up.
    job : ndarray of int
        Running jobs that are to move live.
    now_s : float
        Time. [s]
    """
    state.live[job] = LIVE
    state.left_gb[job] = 0.0
    state.round_gb[job] = 0.0
    state.round_start_s[job] = np.nan
    state.send_s[job] = now_s + model.migration.start_up_s


def next_rounds(
    state: State, model: MoveModel, wan: Wan, moving: IntArray, now: float, log: Recorder
) -> IntArray:
    """Begin the next round of every job whose last one has been sent, or whose destination is ready for one.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        What jobs change, and for what they stop.
    wan : Wan
        The network as it is now.
    moving : ndarray of int
        Rows of all jobs on the move.
    now : float
        Time. [s]
    log : Recorder
        Takes the events.

    Returns
    -------
    ndarray of int
        Those of them that stop now: this round is their last.
    """
    ahead = is_copied_ahead(state, moving)
    flowing = (state.send_s[moving] <= now) & (ahead | (state.left_gb[moving] > 0.0))
    job = moving[flowing & ahead & (state.left_gb[moving] <= 0.0)]
    if not job.size:
        return job
    size = model.table.checkpoint_gb[job]
    fresh = np.isnan(state.round_start_s[job])
    state.n_rounds[job[~fresh]] += 1
    state.precopied_gb[job] += state.round_gb[job]
    ran_s = np.where(fresh, 0.0, now - state.round_start_s[job])
    next_gb = np.where(fresh, model.payload_gb(job), model.migration.changed_gb(size, ran_s))
    stop = stops(
        next_gb,
        _rate_now(state, wan, moving[flowing], job),
        state.n_rounds[job],
        target_s=model.migration.downtime_target_s,
        max_rounds=model.migration.max_rounds,
    )
    state.round_gb[job] = next_gb
    state.left_gb[job] = next_gb
    state.round_start_s[job] = now
    go = job[~stop]
    log.event("round_begun", now, go, site=state.site[go], dest=state.dest[go], value=next_gb[~stop])
    return np.asarray(job[stop])


def _rate_now(state: State, wan: Wan, flowing: IntArray, job: IntArray) -> FloatArray:
    """Payload rate that each job has among all transfers that flow now. [Gbit/s]"""
    rate = wan.max_min_rates(state.source[flowing], state.dest[flowing])
    order = np.argsort(flowing, kind="stable")
    return np.asarray(rate[order[np.searchsorted(flowing[order], job)]])


def leave_alone(state: State, job: IntArray, now_s: float | FloatArray, log: Recorder) -> None:
    """Give up the moves of jobs that are copied ahead: they stay where they are, and run on if they can.

    Parameters
    ----------
    state : State
        Changed in place: reservations end.
    job : ndarray of int
        Jobs whose rows of the table of transfers have been closed.
    now_s : float or ndarray
        Time. [s]
    log : Recorder
        Takes the events.
    """
    log.event("move_dropped", now_s, job, site=state.site[job], dest=state.dest[job])
    state.dest[job] = -1
    state.send_s[job] = np.inf
