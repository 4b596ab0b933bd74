"""Pauses in place: a job saves its checkpoint at its site, leaves its GPUs, and later loads and goes on.

Nothing crosses the network and nothing is lost. GPUs are held while the job saves and while it loads, and are
free for others in between. Saving and loading end inside ticks exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twin._arrays import FloatArray, IntArray
from twin.inputs import S_PER_H
from twin.record import Recorder
from twin.resizes import advance_resizes
from twin.state import PAUSED, PAUSING, RESIZING, RESTARTING, RESUMING, RUNNING, State
from twin.transfers import MoveModel, stop_running


def begin_pauses(state: State, model: MoveModel, job: IntArray, now_s: float, log: Recorder) -> None:
    """Stop running jobs and begin to save their checkpoints to the site's storage.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Time to save.
    job : ndarray of int
        Jobs that pause.
    now_s : float
        Time. [s]
    log : Recorder
        Takes the events.
    """
    stop_running(state, model, job, now_s)
    size = model.table.checkpoint_gb[job]
    state.phase[job] = PAUSING
    state.timer_s[job] = now_s + model.migration.save_s(size, state.n_gpus[job])
    state.pause_start_s[job] = now_s
    state.paused_s[job] = np.nan
    state.resume_start_s[job] = np.nan
    state.n_pauses[job] += 1
    log.event("pause_begun", now_s, job, site=state.site[job], value=size)


def begin_resumes(state: State, model: MoveModel, job: IntArray, now_s: float, log: Recorder) -> None:
    """Give paused jobs GPUs of their site and begin to load.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Time to load.
    job : ndarray of int
        Jobs that resume.
    now_s : float
        Time. [s]
    log : Recorder
        Takes the events.
    """
    load_s = model.migration.load_s(model.table.checkpoint_gb[job], state.n_gpus[job])
    state.phase[job] = RESUMING
    state.timer_s[job] = now_s + load_s
    state.resume_start_s[job] = now_s
    log.event("resume_begun", now_s, job, site=state.site[job])


def advance_pauses(
    state: State, model: MoveModel, job: IntArray, start_s: float, end_s: float, log: Recorder
) -> None:
    """Bring jobs that save for a pause or another size, or load, from the start to the end of a tick.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Times.
    job : ndarray of int
        Rows of the jobs that are pausing, resuming, restarting or change their size.
    start_s, end_s : float
        The tick. [s]
    log : Recorder
        Takes events and finished pauses.
    """
    if not job.size:
        return
    resizing = state.phase[job] >= RESIZING
    if resizing.any():
        advance_resizes(state, model, job[resizing], start_s, end_s, log)
        job = job[~resizing]
    seconds = np.minimum(state.timer_s[job], end_s) - start_s
    n = len(state.loaded_gpu_s)
    gpu_s = state.n_gpus[job] * seconds
    state.loaded_gpu_s[:] += np.bincount(state.site[job], weights=gpu_s, minlength=n)
    again = state.phase[job] == RESTARTING
    if again.any():
        state.restart_gpu_h[job[again]] += gpu_s[again] / S_PER_H
    ended = job[state.timer_s[job] <= end_s]
    saved, loaded = ended[state.phase[ended] == PAUSING], ended[state.phase[ended] >= RESUMING]
    if saved.size:
        state.paused_s[saved] = state.timer_s[saved]
        state.timer_s[saved] = np.inf
        state.phase[saved] = PAUSED
        log.event("paused", state.paused_s[saved], saved, site=state.site[saved])
    if loaded.size:
        _go_on(state, model, loaded, log)


def _go_on(state: State, model: MoveModel, job: IntArray, log: Recorder) -> None:
    paused = job[state.phase[job] == RESUMING]
    state.phase[job] = RUNNING
    state.run_from_s[job] = state.timer_s[job]
    state.timer_s[job] = state.run_from_s[job] + model.run_s(state, job)
    log.event("resumed", state.run_from_s[job], job, site=state.site[job])
    rows = pause_rows(state, paused, resumed_s=state.run_from_s[paused])
    log.pauses.append(len(paused), **rows)


def pause_rows(state: State, job: IntArray, *, resumed_s: FloatArray) -> dict[str, npt.NDArray[np.generic]]:
    """Return rows of the table of pauses for the present or last pause of each job.

    Parameters
    ----------
    state : State
        The state.
    job : ndarray of int
        Rows of jobs.
    resumed_s : ndarray
        When each ran again, NaN where it does not yet. [s]

    Returns
    -------
    dict of ndarray
        Columns as in `twin.record.PAUSE_COLUMNS`.
    """
    return {
        "job": job,
        "site": state.site[job],
        "n_gpus": state.n_gpus[job],
        "begun_s": state.pause_start_s[job],
        "paused_s": state.paused_s[job],
        "resume_s": state.resume_start_s[job],
        "resumed_s": resumed_s,
        "failed_s": np.full(job.size, np.nan),
    }
