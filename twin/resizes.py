"""Changes of a running job's size: it saves its checkpoint in place, and loads it on more or fewer GPUs.

Nothing crosses the network and no work is lost. While it saves, the job holds the larger of both numbers of
GPUs: those it will have are taken from the start, those it no longer needs are free once it has saved. Saving
and loading end inside ticks exactly.
"""

from __future__ import annotations

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.inputs import S_PER_H
from twin.record import Recorder
from twin.state import RELOADING, RESIZING, RUNNING, State
from twin.transfers import MoveModel, stop_running


def set_sizes(state: State, model: MoveModel, job: IntArray, n_gpus: IntArray) -> None:
    """Give jobs that have no GPUs, or have just saved, another number of them.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Knows how fast jobs are on so many GPUs.
    job : ndarray of int
        Queued jobs, or those that have saved.
    n_gpus : ndarray of int
        What each is given. [1]
    """
    state.n_gpus[job] = n_gpus
    state.new_gpus[job] = n_gpus
    state.pace_gpus[job] = model.table.pace_gpus(job, n_gpus)


def begin_resizes(
    state: State, model: MoveModel, job: IntArray, n_gpus: IntArray, now_s: float, log: Recorder
) -> None:
    """Stop running jobs and begin to save, in order to go on with another number of GPUs.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Time to save.
    job : ndarray of int
        Running jobs.
    n_gpus : ndarray of int
        GPUs that each will have. [1]
    now_s : float
        Time. [s]
    log : Recorder
        Takes the events.
    """
    stop_running(state, model, job, now_s)
    state.phase[job] = RESIZING
    state.new_gpus[job] = n_gpus
    state.timer_s[job] = now_s + model.migration.save_s(model.table.checkpoint_gb[job], state.n_gpus[job])
    state.resize_start_s[job] = now_s
    state.resize_saved_s[job] = np.nan
    state.ready_s[job] = 0.0
    state.n_resizes[job] += 1
    log.event("resize_begun", now_s, job, site=state.site[job], value=n_gpus)


def advance_resizes(
    state: State, model: MoveModel, job: IntArray, start_s: float, end_s: float, log: Recorder
) -> None:
    """Bring jobs that change their size from the start to the end of a tick.

    Parameters
    ----------
    state : State
        Changed in place.
    model : MoveModel
        Times.
    job : ndarray of int
        Rows of the jobs that are resizing or reloading.
    start_s, end_s : float
        The tick. [s]
    log : Recorder
        Takes the events.
    """
    saving = job[state.phase[job] == RESIZING]
    if saving.size:
        held = np.maximum(state.n_gpus[saving], state.new_gpus[saving])
        until = np.minimum(state.timer_s[saving], end_s)
        _hold(state, saving, held * (until - start_s))
        saved = saving[state.timer_s[saving] <= end_s]
        state.resize_saved_s[saved] = state.timer_s[saved]
        set_sizes(state, model, saved, state.new_gpus[saved])
        state.phase[saved] = RELOADING
        begin_s = np.maximum(state.timer_s[saved], state.ready_s[saved])
        load_s = model.migration.load_s(model.table.checkpoint_gb[saved], state.n_gpus[saved])
        state.timer_s[saved] = begin_s + load_s
    loading = job[state.phase[job] == RELOADING]
    since = np.maximum(state.resize_saved_s[loading], start_s)
    until = np.minimum(state.timer_s[loading], end_s)
    _hold(state, loading, state.n_gpus[loading] * (until - since))
    loaded = loading[state.timer_s[loading] <= end_s]
    if loaded.size:
        state.phase[loaded] = RUNNING
        state.run_from_s[loaded] = state.timer_s[loaded]
        state.timer_s[loaded] = state.run_from_s[loaded] + model.run_s(state, loaded)
        now_s = state.run_from_s[loaded]
        log.event("resized", now_s, loaded, site=state.site[loaded], value=state.n_gpus[loaded])


def _hold(state: State, job: IntArray, gpu_s: FloatArray) -> None:
    """Count GPU-seconds that jobs hold without progress."""
    state.resize_gpu_h[job] += gpu_s / S_PER_H
    by_site = np.bincount(state.site[job], weights=gpu_s, minlength=len(state.loaded_gpu_s))
    state.loaded_gpu_s[:] += by_site
    state.resizing_gpu_s[:] += by_site
