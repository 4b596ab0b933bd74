"""Migrations inside a tick: exact times of saving, sending over shared links, loading and resuming.

The few jobs on the move go through an exact event loop; rates are shared anew whenever a transfer begins or
ends, so that nothing depends on the tick. GPUs at the destination are reserved when a move begins; those at
the source are released when the last byte has left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.inputs import S_PER_H, JobTable
from twin.migration import BIT_PER_BYTE, MigrationModel
from twin.record import Recorder
from twin.state import LOADING, RUNNING, SAVING, SENDING, State
from twin.wan import Wan


@dataclass(frozen=True, eq=False)
class MoveModel:
    """What moves depend on beside the state.

    Attributes
    ----------
    table : JobTable
        The jobs.
    migration : MigrationModel
        Time to save and to load.
    wan : Wan
        Links.
    speed : ndarray (site)
        Training speed of one GPU over the reference device.
    """

    table: JobTable
    migration: MigrationModel
    wan: Wan
    speed: FloatArray

    def run_s(self, state: State, job: IntArray) -> FloatArray:
        """Time each job needs at its present site for the work it had left when its segment began. [s]"""
        left = self.table.work_gpu_h[job] - state.done_gpu_h[job]
        return left / (self.table.n_gpus[job] * self.speed[state.site[job]]) * S_PER_H


def begin_moves(
    state: State, model: MoveModel, job: IntArray, dest: IntArray, now_s: float, log: Recorder
) -> None:
    """Stop running jobs and begin to save their checkpoints.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Times.
    job, dest : ndarray of int
        Which job moves where; GPUs are reserved there from now on.
    now_s : float
        Time. [s]
    log : Recorder
        Takes the events.
    """
    stop_running(state, model, job, now_s)
    state.phase[job] = SAVING
    state.source[job] = state.site[job]
    state.dest[job] = dest
    size = model.table.checkpoint_gb[job]
    state.left_gb[job] = size
    state.timer_s[job] = now_s + model.migration.save_s(size, model.table.n_gpus[job])
    state.move_start_s[job] = now_s
    state.saved_s[job] = np.nan
    state.sent_s[job] = np.nan
    state.n_migrations[job] += 1
    state.last_refusal[job] = -1
    log.event("move_begun", now_s, job, site=state.site[job], dest=dest, value=size)


def stop_running(state: State, model: MoveModel, job: IntArray, now_s: float) -> None:
    """Book the work of the present run segment of jobs that stop now. [s]"""
    ran_h = (now_s - state.run_from_s[job]) / S_PER_H
    state.done_gpu_h[job] += ran_h * model.table.n_gpus[job] * model.speed[state.site[job]]


def advance_moves(
    state: State, model: MoveModel, moving: IntArray, start_s: float, end_s: float, log: Recorder
) -> None:
    """Bring all migrations from the start to the end of a tick.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Times, links.
    moving : ndarray of int
        Rows of the jobs that are saving, sending or loading.
    start_s, end_s : float
        The tick. [s]
    log : Recorder
        Takes events and finished transfers.
    """
    now = start_s
    while moving.size:
        _pass_on(state, model, moving, now, log)
        moving = moving[state.phase[moving] != RUNNING]
        if now >= end_s or not moving.size:
            break
        sending = moving[(state.phase[moving] == SENDING) & (state.timer_s[moving] <= now)]
        rate_gb_per_s = model.wan.max_min_rates(state.source[sending], state.dest[sending]) / BIT_PER_BYTE
        with np.errstate(divide="ignore"):
            last_byte = now + state.left_gb[sending] / rate_gb_per_s
        timers = state.timer_s[moving]
        until = min(end_s, last_byte.min(initial=np.inf), timers[timers > now].min(initial=np.inf))
        _hold(state, model.table, moving, until - now)
        _send(state, sending, rate_gb_per_s * (until - now), last_byte <= until)
        now = until


def _pass_on(state: State, model: MoveModel, moving: IntArray, now: float, log: Recorder) -> None:
    """Take every job whose phase has ended by now into the next one."""

    def due(phase: np.int8) -> IntArray:
        ended = (state.phase[moving] == phase) & (state.timer_s[moving] <= now)
        rows: IntArray = moving[ended]
        return rows

    saved = due(SAVING)
    if saved.size:
        state.saved_s[saved] = state.timer_s[saved]
        state.timer_s[saved] += model.wan.latency_s[state.source[saved], state.dest[saved]]
        state.phase[saved] = SENDING
        log.event("saved", state.saved_s[saved], saved, site=state.source[saved], dest=state.dest[saved])
    sent = due(SENDING)
    sent = sent[state.left_gb[sent] <= 0.0]
    if sent.size:
        _arrive(state, model, sent, now, log)
    resumed = due(LOADING)
    if resumed.size:
        _resume(state, model, resumed, log)


def _arrive(state: State, model: MoveModel, job: IntArray, now: float, log: Recorder) -> None:
    size = model.table.checkpoint_gb[job]
    state.site[job] = state.dest[job]
    state.dest[job] = -1
    state.sent_s[job] = now
    state.phase[job] = LOADING
    state.timer_s[job] = now + model.migration.load_s(size, model.table.n_gpus[job])
    log.event("sent", now, job, site=state.source[job], dest=state.site[job], value=size)


def _resume(state: State, model: MoveModel, job: IntArray, log: Recorder) -> None:
    state.phase[job] = RUNNING
    state.run_from_s[job] = state.timer_s[job]
    state.timer_s[job] = state.run_from_s[job] + model.run_s(state, job)
    log.event("resumed", state.run_from_s[job], job, site=state.site[job])
    log.transfers.append(len(job), **transfer_rows(state, model.table, job, resumed_s=state.run_from_s[job]))


def transfer_rows(
    state: State, table: JobTable, job: IntArray, *, resumed_s: FloatArray
) -> dict[str, npt.NDArray[np.generic]]:
    """Return rows of the table of transfers for the present or last move of each job."""
    return {
        "job": job,
        "source": state.source[job],
        "dest": np.where(state.dest[job] >= 0, state.dest[job], state.site[job]),
        "n_gpus": table.n_gpus[job],
        "begun_s": state.move_start_s[job],
        "saved_s": state.saved_s[job],
        "sent_s": state.sent_s[job],
        "resumed_s": resumed_s,
        "moved_gb": table.checkpoint_gb[job] - state.left_gb[job],
    }


def _hold(state: State, table: JobTable, moving: IntArray, seconds: float) -> None:
    """Count GPU-seconds that are held and reserved."""
    n, gpu_s = len(state.loaded_gpu_s), table.n_gpus[moving] * seconds
    state.loaded_gpu_s[:] += np.bincount(state.site[moving], weights=gpu_s, minlength=n)
    underway = state.dest[moving] >= 0
    state.reserved_gpu_s[:] += np.bincount(state.dest[moving[underway]], weights=gpu_s[underway], minlength=n)


def _send(state: State, sending: IntArray, sent_gb: FloatArray, complete: BoolArray) -> None:
    """Move bytes; half of their transport energy is drawn at each end."""
    left = state.left_gb[sending]
    sent = np.where(complete, left, np.minimum(sent_gb, left))
    state.left_gb[sending] = np.where(complete, 0.0, left - sent)
    n = len(state.wan_gb)
    for end in (state.source[sending], state.dest[sending]):
        state.wan_gb[:] += np.bincount(end, weights=sent / 2.0, minlength=n)
