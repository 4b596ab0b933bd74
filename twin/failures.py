"""Failures of jobs, and what an interruption of any kind costs: work since the last periodic checkpoint.

While a job runs, it writes a checkpoint at its site every so often; that costs it no time (writing overlaps
with training). An interrupted job loses what it did since, stands in the queue of its site again, and loads
when it starts again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.inputs import S_PER_H, SimulationInputs
from twin.live_moves import is_copied_ahead
from twin.migration_checkpoints import daly_interval_s, job_mtbf_s
from twin.pauses import pause_rows
from twin.record import Recorder
from twin.state import (
    LOADING,
    PAUSING,
    QUEUED,
    RESIZING,
    RESTARTING,
    RESUMING,
    RUNNING,
    SAVING,
    SENDING,
    PhaseArray,
    State,
)
from twin.transfers import MoveModel, drop_moves, stop_running, transfer_rows

SHORTEST_INTERVAL_S = 60.0
"""Least work between two periodic checkpoints where the best interval is shorter (our choice). [s]"""

ROUNDING = 1e-9
"""Share of a job's work below which what is left of it after a loss is rounding. [1]"""


@dataclass(frozen=True, eq=False)
class Breaks:
    """What interruptions depend on beside the state.

    Attributes
    ----------
    moves : MoveModel
        Jobs, times and speeds.
    interval_s : ndarray (job)
        Work between two periodic checkpoints, at the size that was recorded. [s]
    inputs : SimulationInputs
        The run.
    """

    moves: MoveModel
    interval_s: FloatArray
    inputs: SimulationInputs

    @classmethod
    def of(cls, inputs: SimulationInputs, moves: MoveModel) -> Breaks | None:
        """Return what a run needs, None where nothing can fail."""
        return cls(moves, checkpoint_interval_s(inputs), inputs) if inputs.can_break else None

    def interval_at(self, state: State, job: IntArray) -> FloatArray:
        """Work between two periodic checkpoints of jobs at their present size. [s]"""
        if not self.moves.table.is_elastic:
            return np.asarray(self.interval_s[job])
        return _interval_s(self.inputs, self.moves.table.checkpoint_gb[job], state.n_gpus[job])

    def next_failure_gpu_h(self, job: IntArray, n_failures: IntArray) -> FloatArray:
        """GPU-hours that jobs run from their failure of a number to the next one. [GPU-h]"""
        drawn = np.full(len(job), np.inf)
        for k in np.unique(n_failures):
            now = n_failures == k
            drawn[now] = self.inputs.failures.drawn_gpu_h(self.moves.table.n_jobs, int(k))[job[now]]
        return drawn


def checkpoint_interval_s(inputs: SimulationInputs) -> FloatArray:
    """Work of each job between two of its periodic checkpoints: as given, else the best after Daly. [s]"""
    return _interval_s(inputs, inputs.table.checkpoint_gb, inputs.table.n_gpus)


def _interval_s(inputs: SimulationInputs, checkpoint_gb: FloatArray, n_gpus: IntArray) -> FloatArray:
    failures = inputs.failures
    if failures.checkpoint_interval_s is not None:
        return np.full(len(n_gpus), failures.checkpoint_interval_s)
    save_s = inputs.migration.save_s(checkpoint_gb, n_gpus)
    best = daly_interval_s(save_s, job_mtbf_s(n_gpus, failures.planned_mtbf_gpu_h))
    return np.maximum(best, SHORTEST_INTERVAL_S)


def fail(state: State, breaks: Breaks, job: IntArray, log: Recorder) -> IntArray:
    """Interrupt those of the running jobs whose segment ended by a failure.

    Parameters
    ----------
    state : State
        Changed in place.
    breaks : Breaks
        Intervals, thresholds.
    job : ndarray of int
        Running jobs whose timer has run out.
    log : Recorder
        Takes the events.

    Returns
    -------
    ndarray of int
        The others: they have done their work.
    """
    failed_s, done_s = breaks.moves.failure_s(state, job), breaks.moves.work_s(state, job)
    failed = job[failed_s < done_s]
    if failed.size:
        interrupt(state, breaks, failed, state.timer_s[failed].copy(), "failed", log)
        state.n_failures[failed] += 1
        state.to_failure_gpu_h[failed] = breaks.next_failure_gpu_h(failed, state.n_failures[failed])
    return np.asarray(job[failed_s >= done_s])


def interrupt(
    state: State, breaks: Breaks, job: IntArray, now_s: FloatArray | float, kind: str, log: Recorder
) -> None:
    """Throw jobs off their GPUs and put them into the queue of their site with their last checkpoint there.

    Parameters
    ----------
    state : State
        Changed in place.
    breaks : Breaks
        Intervals, speeds.
    job : ndarray of int
        Jobs that run, save, load or start again, or stand for the last round of a live move; not others that
        only send.
    now_s : float or ndarray
        Time. [s]
    kind : str
        Kind of the event.
    log : Recorder
        Takes the events, and the moves and pauses that end here.
    """
    moves, phase, table = breaks.moves, state.phase[job], breaks.moves.table
    now = np.broadcast_to(np.asarray(now_s, dtype=np.float64), job.shape)
    until = np.where(phase == RUNNING, now, state.run_from_s[job])
    until = np.where(phase == SAVING, state.move_start_s[job], until)
    until = np.where(phase == SENDING, state.saved_s[job], until)
    until = np.where(phase == PAUSING, state.pause_start_s[job], until)
    until = np.where(phase == RESIZING, state.resize_start_s[job], until)
    ran_s = np.nan_to_num(until - state.run_from_s[job])
    interval_s = breaks.interval_at(state, job)
    unsaved_h = (ran_s - np.floor(ran_s / interval_s) * interval_s) / S_PER_H
    running = phase == RUNNING
    ahead = is_copied_ahead(state, job)
    if ahead.any():
        drop_moves(state, job[ahead], now[ahead], ahead[ahead], log)
    stop_running(state, moves, job[running], now[running])
    repeated = unsaved_h * state.n_gpus[job]
    lost = unsaved_h * state.pace_gpus[job] * moves.speed[state.site[job]]
    lost = np.minimum(lost, state.done_gpu_h[job])
    left = state.done_gpu_h[job] - lost
    state.done_gpu_h[job] = np.where(left > ROUNDING * table.work_gpu_h[job], left, 0.0)
    state.lost_gpu_h[job] += lost
    state.repeated_gpu_h[job] += repeated
    _close_rows(state, job, phase, now, log)
    state.phase[job] = QUEUED
    state.dest[job] = -1
    state.send_s[job] = np.inf
    state.new_gpus[job] = state.n_gpus[job]
    state.timer_s[job] = np.inf
    state.interrupted_s[job] = now
    state.n_interruptions[job] += 1
    log.event(kind, now, job, site=state.site[job], value=lost)


def _close_rows(state: State, job: IntArray, phase: PhaseArray, now: FloatArray, log: Recorder) -> None:
    """Log moves and pauses that an interruption ends."""
    moving = (phase >= SAVING) & (phase <= LOADING)
    pausing = (phase == PAUSING) | (phase == RESUMING)
    if moving.any():
        never = np.full(int(moving.sum()), np.nan)
        rows = transfer_rows(state, job[moving], resumed_s=never)
        log.transfers.append(never.size, **(rows | {"failed_s": now[moving]}))
    if pausing.any():
        never = np.full(int(pausing.sum()), np.nan)
        rows = pause_rows(state, job[pausing], resumed_s=never)
        log.pauses.append(never.size, **(rows | {"failed_s": now[pausing]}))


def begin_restarts(state: State, moves: MoveModel, job: IntArray, now_s: float, log: Recorder) -> None:
    """Give queued jobs that have a checkpoint at their site GPUs there, and begin to load it.

    Parameters
    ----------
    state : State
        Changed in place.
    moves : MoveModel
        Time to load.
    job : ndarray of int
        Queued jobs that were interrupted.
    now_s : float
        Time. [s]
    log : Recorder
        Takes the events.
    """
    load_s = moves.migration.load_s(moves.table.checkpoint_gb[job], state.n_gpus[job])
    state.phase[job] = RESTARTING
    state.timer_s[job] = now_s + load_s
    log.event("restart_begun", now_s, job, site=state.site[job])
