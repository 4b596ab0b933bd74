"""Migrations inside a tick: exact times of saving, sending over shared links, loading and resuming.

The few jobs on the move go through an exact event loop; rates are shared anew whenever a transfer begins or
ends or the network changes, so that nothing depends on the tick. GPUs at the destination are reserved when a
move begins; those at the source are released when the last byte has left.

A transfer whose path loses a link stops. What has arrived is kept, or has to be sent again (`Retry.resume`),
and the job keeps its GPUs and its checkpoint at the source. After a wait it tries to connect over whatever
path there then is, and waits twice as long each time there is none.

A job that moves live runs on while its rounds are sent (`twin.live_moves`); its last one is sent like any
other checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.inputs import S_PER_H, JobTable
from twin.live_moves import LIVE, STILL, begin_rounds, is_copied_ahead, leave_alone, next_rounds
from twin.migration import BIT_PER_BYTE, MigrationModel
from twin.record import Recorder
from twin.state import LOADING, RUNNING, SAVING, SENDING, State
from twin.wan import Wan
from twin.wan_time import Timeline


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

    def payload_gb(self, job: IntArray) -> FloatArray:
        """Bytes that each job's checkpoint sends. [GB]"""
        return self.migration.payload_gb(self.table.checkpoint_gb[job])

    def run_s(self, state: State, job: IntArray) -> FloatArray:
        """Time from the start of each job's segment to its end, or to its next failure. [s]"""
        return np.minimum(self.work_s(state, job), self.failure_s(state, job))

    def failure_s(self, state: State, job: IntArray) -> FloatArray:
        """Time from the start of each job's segment to its next failure, inf for never. [s]"""
        return np.asarray(state.to_failure_gpu_h[job] / state.n_gpus[job] * S_PER_H)

    def work_s(self, state: State, job: IntArray) -> FloatArray:
        """Time each job needs at its present site for the work it had left when its segment began. [s]"""
        left = self.table.work_gpu_h[job] - state.done_gpu_h[job]
        return left / (state.pace_gpus[job] * self.speed[state.site[job]]) * S_PER_H


def begin_moves(
    state: State,
    model: MoveModel,
    job: IntArray,
    dest: IntArray,
    now_s: float,
    log: Recorder,
    live: BoolArray | None = None,
) -> None:
    """Stop running jobs and begin to save their checkpoints, or let them run on and be copied ahead.

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
    live : ndarray of bool, optional
        Which of them move live; none by default.
    """
    payload = model.payload_gb(job)
    state.source[job] = state.site[job]
    state.dest[job] = dest
    state.n_rounds[job] = 0
    state.precopied_gb[job] = 0.0
    state.move_start_s[job] = now_s
    state.saved_s[job] = np.nan
    state.sent_s[job] = np.nan
    state.route[job] = -1
    state.n_failed[job] = 0
    state.n_cuts[job] = 0
    state.repeated_gb[job] = 0.0
    state.dark_s[job] = 0.0
    state.n_migrations[job] += 1
    state.last_refusal[job] = -1
    if live is None or not live.any():
        _begin_saves(state, model, job, payload, now_s)
    else:
        _begin_saves(state, model, job[~live], payload[~live], now_s)
        begin_rounds(state, model, job[live], now_s)
    log.event("move_begun", now_s, job, site=state.site[job], dest=dest, value=payload)


def _begin_saves(state: State, model: MoveModel, job: IntArray, payload: FloatArray, now_s: float) -> None:
    stop_running(state, model, job, now_s)
    state.phase[job] = SAVING
    state.live[job] = STILL
    state.round_gb[job] = payload
    state.left_gb[job] = payload
    state.send_s[job] = np.inf
    state.timer_s[job] = now_s + model.migration.save_s(model.table.checkpoint_gb[job], state.n_gpus[job])


def stop_running(state: State, model: MoveModel, job: IntArray, now_s: float | FloatArray) -> None:
    """Book the work of the present run segment of jobs that stop now. [s]"""
    ran_h = (now_s - state.run_from_s[job]) / S_PER_H
    n_gpus, pace = state.n_gpus[job], state.pace_gpus[job]
    state.done_gpu_h[job] += ran_h * pace * model.speed[state.site[job]]
    state.extra_gpu_h[job] += ran_h * (n_gpus - pace)
    state.to_failure_gpu_h[job] -= ran_h * n_gpus


def advance_moves(
    state: State,
    model: MoveModel,
    moving: IntArray,
    start_s: float,
    end_s: float,
    log: Recorder,
    down: BoolArray | None = None,
) -> None:
    """Bring all migrations from the start to the end of a tick.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Times, links.
    moving : ndarray of int
        Rows of the jobs that are saving, sending, loading or copied ahead.
    start_s, end_s : float
        The tick. [s]
    log : Recorder
        Takes events and finished transfers.
    down : ndarray of bool (site), optional
        Sites that are down in this tick: what is held there draws nothing.
    """
    now = start_s
    while moving.size:
        wan = model.wan.at(now)
        if model.migration.may_be_live:
            _copy_ahead(state, model, wan, moving, (start_s, now), log)
            moving = moving[(state.phase[moving] != RUNNING) | (state.dest[moving] >= 0)]
        _pass_on(state, model, wan, moving, now, log)
        moving = moving[(state.phase[moving] != RUNNING) | (state.dest[moving] >= 0)]
        if now >= end_s or not moving.size:
            break
        sending = moving[state.send_s[moving] <= now]
        rate_gb_per_s = wan.max_min_rates(state.source[sending], state.dest[sending]) / BIT_PER_BYTE
        with np.errstate(divide="ignore"):
            last_byte = now + state.left_gb[sending] / rate_gb_per_s
        timers = np.concatenate([state.timer_s[moving], state.send_s[moving]])
        until = min(
            end_s,
            last_byte.min(initial=np.inf),
            timers[timers > now].min(initial=np.inf),
            model.wan.next_change_s(now),
        )
        _hold(state, moving, until - now, down)
        _send(state, sending, rate_gb_per_s * (until - now), last_byte <= until)
        now = until


def _copy_ahead(
    state: State, model: MoveModel, wan: Wan, moving: IntArray, span_s: tuple[float, float], log: Recorder
) -> None:
    """Take jobs that are copied ahead into their next round, or stop them; those that have ended leave.

    `span_s` has the start of the tick, up to which the time that jobs run is counted already, and the time.
    """
    start_s, now = span_s
    moving = moving[is_copied_ahead(state, moving) | (state.phase[moving] == SENDING)]
    ended = moving[is_copied_ahead(state, moving) & (state.timer_s[moving] <= now)]
    if ended.size:
        failed = model.failure_s(state, ended) < model.work_s(state, ended)
        drop_moves(state, ended, state.timer_s[ended], failed, log)
    job = next_rounds(state, model, wan, moving, now, log)
    if not job.size:
        return
    ran_s = now - np.maximum(state.run_from_s[job], start_s)
    n_sites = len(state.busy_gpu_s)
    for gpu_s, gpus in ((state.busy_gpu_s, state.n_gpus), (state.paced_gpu_s, state.pace_gpus)):
        gpu_s[:] += np.bincount(state.site[job], weights=gpus[job] * ran_s, minlength=n_sites)
    stop_running(state, model, job, now)
    state.phase[job] = SENDING
    state.timer_s[job] = np.inf
    state.saved_s[job] = now
    connected = (state.route[job] >= 0) | (model.wan.timeline is None)
    delay_s = np.where(connected, wan.latency_s[state.source[job], state.dest[job]], 0.0)
    state.send_s[job] = now + np.where(np.isfinite(delay_s), delay_s, 0.0)
    log.event("stopped", now, job, site=state.site[job], dest=state.dest[job], value=state.left_gb[job])


def drop_moves(
    state: State, job: IntArray, now_s: float | FloatArray, failed: BoolArray, log: Recorder
) -> None:
    """End the moves of jobs that are copied ahead: what was sent is of no use, no GPUs are reserved any more.

    Parameters
    ----------
    state : State
        Changed in place.
    job : ndarray of int
        Jobs that are copied ahead.
    now_s : float or ndarray
        Time. [s]
    failed : ndarray of bool
        Whether an interruption of the job is the reason; else it has ended, or its destination is gone.
    log : Recorder
        Takes the events, and the rows of the moves.
    """
    now = np.broadcast_to(np.asarray(now_s, dtype=np.float64), job.shape)
    rows = transfer_rows(state, job, resumed_s=np.full(job.size, np.nan))
    ends = {"failed_s": np.where(failed, now, np.nan), "dropped_s": np.where(failed, np.nan, now)}
    log.transfers.append(job.size, **(rows | ends))
    leave_alone(state, job, now, log)


def _pass_on(state: State, model: MoveModel, wan: Wan, moving: IntArray, now: float, log: Recorder) -> None:
    """Take every job whose phase has ended by now into the next one."""

    def due(phase: np.int8) -> IntArray:
        ended = (state.phase[moving] == phase) & (state.timer_s[moving] <= now)
        rows: IntArray = moving[ended]
        return rows

    saved = due(SAVING)
    if saved.size:
        state.saved_s[saved] = state.timer_s[saved]
        state.phase[saved] = SENDING
        log.event("saved", state.saved_s[saved], saved, site=state.source[saved], dest=state.dest[saved])
        state.send_s[saved] = state.timer_s[saved]
        state.timer_s[saved] = np.inf
        if model.wan.timeline is None:
            state.send_s[saved] += wan.latency_s[state.source[saved], state.dest[saved]]
    if model.wan.timeline is not None:
        sending: IntArray = moving[(state.phase[moving] == SENDING) | is_copied_ahead(state, moving)]
        _cut(state, model.wan.timeline, sending, now, log)
        _connect(state, model.wan.timeline, wan, sending, now, log)
    sent = moving[(state.phase[moving] == SENDING) & (state.send_s[moving] <= now)]
    sent = sent[state.left_gb[sent] <= 0.0]
    if sent.size:
        _arrive(state, model, sent, now, log)
    resumed = due(LOADING)
    if resumed.size:
        _resume(state, model, resumed, log)


def _cut(state: State, timeline: Timeline, sending: IntArray, now: float, log: Recorder) -> None:
    """Stop the transfers whose path has lost a link; the others go on over the paths of now."""
    code = int(timeline.routing[timeline.index(now)])
    complete = (state.left_gb[sending] <= 0.0) & (state.send_s[sending] <= now)
    moved = sending[(state.route[sending] >= 0) & (state.route[sending] != code) & ~complete]
    if not moved.size:
        return
    down = timeline.routings[code].down
    lost = np.array(
        [
            np.any(timeline.routings[route].on_path[source, dest] & down)
            for route, source, dest in zip(
                state.route[moved], state.source[moved], state.dest[moved], strict=True
            )
        ]
    )
    state.route[moved[~lost]] = code
    job = moved[lost]
    if not job.size:
        return
    state.route[job] = -1
    state.n_cuts[job] += 1
    state.n_failed[job] = 1
    state.send_s[job] = now + timeline.retry.wait_s(state.n_failed[job])
    if not timeline.retry.resume:
        size = state.round_gb[job]
        state.repeated_gb[job] += size - state.left_gb[job]
        state.left_gb[job] = size
    log.event("link_cut", now, job, site=state.source[job], dest=state.dest[job], value=state.left_gb[job])


def _connect(
    state: State, timeline: Timeline, wan: Wan, sending: IntArray, now: float, log: Recorder
) -> None:
    """Let transfers without a connection try whose time has come; those that find no route wait longer."""
    job = sending[(state.route[sending] < 0) & (state.send_s[sending] <= now)]
    if not job.size:
        return
    found = wan.reachable[state.source[job], state.dest[job]]
    waiting, job = job[~found], job[found]
    state.n_failed[waiting] += 1
    state.send_s[waiting] = now + timeline.retry.wait_s(state.n_failed[waiting])
    source, dest = state.source[job], state.dest[job]
    again = state.n_failed[job] > 0
    # The first round has no delay of its own: what is sent while the job runs need not have arrived.
    counts = again | (state.phase[job] == SENDING)
    state.send_s[job] += np.where(counts, wan.latency_s[source, dest], 0.0)
    state.route[job] = int(timeline.routing[timeline.index(now)])
    state.n_failed[job] = 0
    log.event(
        "link_back", now, job[again], site=source[again], dest=dest[again], value=state.left_gb[job[again]]
    )


def _arrive(state: State, model: MoveModel, job: IntArray, now: float, log: Recorder) -> None:
    size = model.table.checkpoint_gb[job]
    state.site[job] = state.dest[job]
    state.dest[job] = -1
    state.sent_s[job] = now
    state.phase[job] = LOADING
    state.send_s[job] = np.inf
    begin_s = np.maximum(now, state.ready_s[job])
    load_s = model.migration.load_s(size, state.n_gpus[job])
    load_s = np.where(state.live[job] == LIVE, model.migration.warm_up_s, load_s)
    state.timer_s[job] = begin_s + load_s
    log.event("sent", now, job, site=state.source[job], dest=state.site[job], value=state.round_gb[job])


def _resume(state: State, model: MoveModel, job: IntArray, log: Recorder) -> None:
    state.phase[job] = RUNNING
    state.run_from_s[job] = state.timer_s[job]
    state.timer_s[job] = state.run_from_s[job] + model.run_s(state, job)
    log.event("resumed", state.run_from_s[job], job, site=state.site[job])
    log.transfers.append(len(job), **transfer_rows(state, job, resumed_s=state.run_from_s[job]))


def transfer_rows(
    state: State, job: IntArray, *, resumed_s: FloatArray
) -> dict[str, npt.NDArray[np.generic]]:
    """Return rows of the table of transfers for the present or last move of each job."""
    return {
        "job": job,
        "source": state.source[job],
        "dest": np.where(state.dest[job] >= 0, state.dest[job], state.site[job]),
        "n_gpus": state.n_gpus[job],
        "begun_s": state.move_start_s[job],
        "saved_s": state.saved_s[job],
        "sent_s": state.sent_s[job],
        "resumed_s": resumed_s,
        "moved_gb": state.round_gb[job]
        - state.left_gb[job]
        + state.repeated_gb[job]
        + state.precopied_gb[job],
        "repeated_gb": state.repeated_gb[job],
        "n_cuts": state.n_cuts[job],
        "dark_s": state.dark_s[job],
        "failed_s": np.full(job.size, np.nan),
        "dropped_s": np.full(job.size, np.nan),
        "live": state.live[job],
        "n_rounds": state.n_rounds[job],
        "precopied_gb": state.precopied_gb[job],
    }


def _hold(state: State, moving: IntArray, seconds: float, down: BoolArray | None) -> None:
    """Count GPU-seconds that are held and reserved; those held at a site that is down do not count.

    Jobs that are copied ahead hold none: they run.
    """
    n, gpu_s = len(state.loaded_gpu_s), state.n_gpus[moving] * seconds
    held = np.where(state.phase[moving] == RUNNING, 0.0, gpu_s)
    if down is not None:
        dark = down[state.site[moving]]
        state.dark_s[moving[dark]] += seconds
        held = np.where(dark, 0.0, held)
    state.loaded_gpu_s[:] += np.bincount(state.site[moving], weights=held, minlength=n)
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
