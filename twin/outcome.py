"""From the state and log of a run to its record."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin._arrays import FloatArray, IntArray
from twin.feasibility import REFUSALS
from twin.inputs import S_PER_H, SimulationInputs
from twin.migration import BIT_PER_BYTE
from twin.pauses import pause_rows
from twin.record import EVENT_KINDS, Recorder, SimulationRecord
from twin.sites import W_PER_MW
from twin.state import LOADING, PAUSED, PAUSING, RESUMING, RUNNING, SAVING, Phase, State
from twin.transfers import transfer_rows
from weather import time_axis


def make_record(inputs: SimulationInputs, policy: str, state: State, log: Recorder) -> SimulationRecord:
    """Assemble the record of a run from its state and log, at any time of the run.

    Parameters
    ----------
    inputs : SimulationInputs
        The run.
    policy : str
        Name of the policy.
    state : State
        Present state.
    log : Recorder
        What was logged.

    Returns
    -------
    SimulationRecord
        Copies; the run may go on.
    """
    return SimulationRecord(
        policy=policy,
        time=time_axis(inputs.start, inputs.n_steps, inputs.signal_step_s),
        step_h=inputs.step_h,
        site_names=inputs.sites.name,
        grid_names=tuple(grid.name for grid in inputs.grids),
        gpu_capacity=inputs.gpu_capacity,
        site_grid=inputs.sites.grid,
        sites={name: values.copy() for name, values in log.sites.items()},
        grids=tuple({name: values.copy() for name, values in grid.items()} for grid in log.grids),
        jobs=_job_frame(inputs, state),
        transfers=_transfer_frame(inputs, state, log),
        pauses=_pause_frame(inputs, state, log),
        events=_event_frame(inputs, log),
        battery_mwh=None if inputs.sites.battery is None else inputs.sites.battery.capacity_mwh,
    )


def _job_frame(inputs: SimulationInputs, state: State) -> pd.DataFrame:
    table, now_s = inputs.table, float(state.tick * inputs.tick_s)
    speed = inputs.sites.rel_throughput
    running = state.phase == RUNNING
    ran_h = np.where(running, now_s - state.run_from_s, 0.0) / S_PER_H
    frame = inputs.jobs.copy().reset_index(drop=True)
    names = np.array([phase.name.lower() for phase in Phase], dtype=object)
    more = _sizes(state, ran_h) if table.is_elastic else {}
    return frame.assign(
        phase=names[state.phase],
        site=state.site,
        first_start_s=state.first_start_s,
        end_s=state.end_s,
        done_gpu_h=state.done_gpu_h + ran_h * state.pace_gpus * speed[state.site],
        ideal_run_s=table.work_gpu_h / (table.n_gpus * speed[table.origin]) * S_PER_H,
        n_migrations=state.n_migrations,
        n_pauses=state.n_pauses,
        n_interruptions=state.n_interruptions,
        lost_gpu_h=state.lost_gpu_h,
        repeated_gpu_h=state.repeated_gpu_h,
        restart_gpu_h=state.restart_gpu_h,
        **more,
    )


def _sizes(state: State, ran_h: FloatArray) -> dict[str, FloatArray | IntArray]:
    """Columns of jobs that some elastic ones have; `ran_h` is the time in the present segment. [h]"""
    return {
        "n_resizes": state.n_resizes,
        "resize_gpu_h": state.resize_gpu_h,
        "extra_gpu_h": state.extra_gpu_h + ran_h * (state.n_gpus - state.pace_gpus),
        "last_gpus": state.n_gpus,
    }


def _transfer_frame(inputs: SimulationInputs, state: State, log: Recorder) -> pd.DataFrame:
    now_s = float(state.tick * inputs.tick_s)
    columns = log.transfers.arrays()
    under_way = np.flatnonzero(
        ((state.phase >= SAVING) & (state.phase <= LOADING)) | ((state.phase == RUNNING) & (state.dest >= 0))
    )
    still = transfer_rows(state, under_way, resumed_s=np.full(under_way.size, np.nan))
    frame = pd.DataFrame({name: np.concatenate([values, still[name]]) for name, values in columns.items()})
    begun, saved, sent, resumed = (frame[f"{what}_s"] for what in ("begun", "saved", "sent", "resumed"))
    is_live = frame["live"] > 0
    stopped = begun.where(~is_live, saved)
    end = resumed.fillna(frame["failed_s"]).fillna(now_s)
    latency = inputs.wan.latency_s[frame["source"], frame["dest"]]
    flow_s = sent - saved - latency
    held_s = end - stopped.fillna(end) - frame["dark_s"]
    at_once_gb = frame["moved_gb"].where(~is_live, frame["moved_gb"] - frame["precopied_gb"])
    return frame.drop(columns="live").assign(
        mode=np.where(is_live, "live", "stop_and_copy"),
        precopy_s=stopped - begun,
        downtime_s=resumed - stopped,
        save_s=saved - stopped,
        transfer_s=sent - saved,
        load_s=resumed - sent,
        mean_gbit_per_s=np.divide(BIT_PER_BYTE * at_once_gb, flow_s.where(flow_s > 0)),
        held_gpu_h=frame["n_gpus"] * held_s / S_PER_H,
        energy_mwh=_energy_mwh(inputs, frame, stopped.fillna(end), now_s),
    )


def _pause_frame(inputs: SimulationInputs, state: State, log: Recorder) -> pd.DataFrame:
    now_s = float(state.tick * inputs.tick_s)
    columns = log.pauses.arrays()
    under_way = np.flatnonzero(np.isin(state.phase, (PAUSING, PAUSED, RESUMING)))
    still = pause_rows(state, under_way, resumed_s=np.full(under_way.size, np.nan))
    frame = pd.DataFrame({name: np.concatenate([values, still[name]]) for name, values in columns.items()})
    begun, paused, resume, resumed = (frame[f"{what}_s"] for what in ("begun", "paused", "resume", "resumed"))
    end = resumed.fillna(frame["failed_s"]).fillna(now_s)
    saving_s = paused.fillna(end) - begun
    loading_s = (end - resume).fillna(0.0)
    held_gpu_h = frame["n_gpus"] * (saving_s + loading_s) / S_PER_H
    away_s = (resume.fillna(now_s) - paused).fillna(0.0)
    return frame.assign(
        save_s=paused - begun,
        away_s=away_s,
        load_s=resumed - resume,
        held_gpu_h=held_gpu_h,
        paused_gpu_h=frame["n_gpus"] * away_s / S_PER_H,
        energy_mwh=held_gpu_h * inputs.sites.loaded_idle_w[frame["site"]] / W_PER_MW,
    )


def _energy_mwh(
    inputs: SimulationInputs, frame: pd.DataFrame, stopped_s: pd.Series, now_s: float
) -> FloatArray:
    """IT energy of the GPUs that held the job, and the network's. [MWh]"""
    end = frame["resumed_s"].fillna(frame["failed_s"]).fillna(now_s)
    sent = frame["sent_s"].fillna(end).to_numpy()
    at_source_h = (sent - stopped_s.to_numpy() - frame["dark_s"].to_numpy()) / S_PER_H
    at_dest_h = (end.to_numpy() - sent) / S_PER_H
    held_mw = inputs.sites.loaded_idle_w / W_PER_MW
    gpus = frame["n_gpus"].to_numpy()
    held = gpus * (held_mw[frame["source"]] * at_source_h + held_mw[frame["dest"]] * at_dest_h)
    return np.asarray(held + frame["moved_gb"].to_numpy() * inputs.wan.energy_kwh_per_gb / 1e3)


def _event_frame(inputs: SimulationInputs, log: Recorder) -> pd.DataFrame:
    frame = pd.DataFrame(log.events.arrays()).sort_values("time_s", kind="stable", ignore_index=True)
    kinds, reasons = np.array(EVENT_KINDS, dtype=object), np.array([*REFUSALS, ""], dtype=object)
    return frame.assign(
        kind=kinds[frame["kind"]],
        reason=reasons[frame["reason"]],
        job_id=inputs.table.job_id[frame["job"]],
    )
