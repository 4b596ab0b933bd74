"""What is published at a signal step, and the view of it that a policy gets at a tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid_models import fading, persistence_outlook
from twin._arrays import BoolArray, FloatArray, IntArray
from twin.coupling import gpu_power_mw, site_load_mw
from twin.inputs import S_PER_H, SimulationInputs
from twin.live_moves import is_copied_ahead
from twin.members import outlook_members
from twin.policies.base import JobView, SiteView, View
from twin.rack_control import Racks, off_saving_mw
from twin.scheduler import Usage, usage
from twin.state import PAUSED, QUEUED, RUNNING, SAVING, SENDING, State
from twin.wan import Wan

PAST_HOURS = 24
"""Hours over which a view tells what the network offered."""


@dataclass(frozen=True, eq=False)
class Published:
    """Signals as of one step; every policy gets the same, but for the derivative at its own operating point.

    Attributes
    ----------
    step : int
        Signal step.
    absorbable_p_mw, marginal_curtailment : ndarray (site)
        Now. [MW], [MW/MW]
    outlook_absorbable_p_mw, outlook_marginal : ndarray (step ahead, site)
        From now on; row 0 is now.
    member_absorbable_p_mw, member_marginal : ndarray (member, step ahead, site)
        Equally likely courses; the outlook alone where there are none.
    """

    step: int
    absorbable_p_mw: FloatArray
    marginal_curtailment: FloatArray
    outlook_absorbable_p_mw: FloatArray
    outlook_marginal: FloatArray
    member_absorbable_p_mw: FloatArray
    member_marginal: FloatArray


def publish(inputs: SimulationInputs, step: int, operating_marginal: FloatArray) -> Published:
    """Publish the signals of a step, from values up to and including it.

    Parameters
    ----------
    inputs : SimulationInputs
        Holds the signals; nothing after the step is read, but what had been foretold by then.
    step : int
        Signal step.
    operating_marginal : ndarray (site)
        Marginal curtailment at the sites' present draw. [MW/MW]

    Returns
    -------
    Published
        With outlooks by persistence that decays to the mean of the same hour on past days. The outlook of the
        marginal curtailment starts at the operating point: what the sites' own draw has used up now stays
        used up as long as the present situation persists. Steps ahead that were foretold have the foretold
        signals instead, with the same correction.
    """
    per_day, n_ahead = inputs.steps_per_day, inputs.n_ahead
    tau_steps = inputs.outlook_tau_s / inputs.signal_step_s
    now = inputs.n_history + step
    absorbable, marginal = inputs.absorbable_p_mw[now], inputs.marginal_curtailment[now]
    if now + 1 < per_day:
        both = persistence_outlook(inputs.published[: now + 1], n_ahead, per_day, tau_steps)
    else:
        profile = inputs.published_means[now + 1 - per_day : now + 1]
        both = fading(inputs.published[now], profile, n_ahead, tau_steps)
    ahead_absorbable, ahead_marginal = both[:, : inputs.n_sites], both[:, inputs.n_sites :]
    if inputs.expected is not None:
        end = min(int(inputs.expected.known_until[now]), now + n_ahead)
        ahead_absorbable[1 : end - now] = inputs.expected.absorbable_p_mw[now + 1 : end]
        ahead_marginal[1 : end - now] = inputs.expected.marginal_curtailment[now + 1 : end]
    used_up = np.exp(-np.arange(n_ahead) / tau_steps)[:, None] * (operating_marginal - marginal)
    member_absorbable, member_marginal = ahead_absorbable[None], ahead_marginal[None]
    if inputs.outlook_members:
        member_absorbable, member_marginal = _members(inputs, now, member_absorbable, member_marginal)
    return Published(
        step=step,
        absorbable_p_mw=absorbable,
        marginal_curtailment=operating_marginal.copy(),
        outlook_absorbable_p_mw=ahead_absorbable,
        outlook_marginal=ahead_marginal + used_up,
        member_absorbable_p_mw=member_absorbable,
        member_marginal=member_marginal + used_up,
    )


def _members(
    inputs: SimulationInputs, now: int, absorbable: FloatArray, marginal: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Members of both outlooks, or these where the past is too short for any."""
    told, n = inputs.expected, inputs.n_sites
    both = outlook_members(
        inputs.published,
        None if told is None else inputs.foretold,
        0 if told is None else int(told.known_until[now]),
        now,
        inputs.n_ahead,
        n_members=inputs.outlook_members,
        per_day=inputs.steps_per_day,
        tau_steps=inputs.outlook_tau_s / inputs.signal_step_s,
    )
    if not len(both):
        return absorbable, marginal
    return np.maximum(both[:, :, :n], 0.0), both[:, :, n:]


def make_view(
    inputs: SimulationInputs,
    state: State,
    published: Published,
    active: IntArray,
    *,
    renewed: bool,
    racks: Racks | None = None,
) -> View:
    """Build the view of a policy at a tick.

    Parameters
    ----------
    inputs : SimulationInputs
        The run.
    state : State
        Present state; what the view holds of it are copies.
    published : Published
        Latest signals.
    active : ndarray of int
        Rows of jobs submitted and not done.
    renewed : bool
        Whether the signals were renewed at this tick.
    racks : Racks, optional
        Racks of the sites, where some have any.

    Returns
    -------
    View
        Nothing in it was published after now.
    """
    now = float(state.tick * inputs.tick_s)
    phase = state.phase[active]
    wan = inputs.wan.at(now)
    return View(
        now_s=now,
        step=published.step,
        signal_step_s=float(inputs.signal_step_s),
        renewed=renewed,
        sites=_site_view(
            inputs,
            published,
            usage(state, active, inputs.n_sites),
            None if inputs.down is None else inputs.down[state.tick],
            None if racks is None else _RackView.of(racks, state),
        ),
        queued=_job_view(inputs, state, inputs.table.by_priority(active[phase == QUEUED]), now),
        running=_job_view(inputs, state, active[(phase == RUNNING) & (state.dest[active] < 0)], now),
        paused=_job_view(inputs, state, active[phase == PAUSED], now),
        bandwidth_gbit_per_s=_bandwidth(wan, state, active),
        past_bandwidth_gbit_per_s=inputs.wan.bandwidth_before(now, PAST_HOURS if renewed else 0),
        latency_s=wan.latency_s,
        wan_kwh_per_gb=inputs.wan.energy_kwh_per_gb,
        migration=inputs.migration,
        theta=inputs.theta,
        alpha=inputs.alpha,
        seed=(inputs.seed, state.tick),
    )


@dataclass(frozen=True)
class _RackView:
    """Devices in racks that are ready, or off, and the time until all are ready. [1], [s]"""

    ready: IntArray
    off: IntArray
    wait_s: FloatArray

    @classmethod
    def of(cls, racks: Racks, state: State) -> _RackView:
        return cls(racks.ready_gpus(state), racks.off_gpus(state), racks.wait_s(state, racks.capacity))


def _site_view(
    inputs: SimulationInputs,
    published: Published,
    used: Usage,
    down: BoolArray | None,
    racks: _RackView | None,
) -> SiteView:
    step = published.step
    gpu_p_mw, held_gpu_p_mw = gpu_power_mw(inputs, step)
    power_mw = site_load_mw(inputs, step, used.running, used.held)
    committed_mw = inputs.idle_p_mw[step] + gpu_p_mw * used.committed
    free_gpus = inputs.gpu_capacity - used.total
    ready_gpus, rack_wait_s = free_gpus, np.zeros(inputs.n_sites)
    if racks is not None:
        saving_mw = off_saving_mw(inputs, step, racks.off)
        power_mw, committed_mw = power_mw - saving_mw, committed_mw - saving_mw
        ready_gpus, rack_wait_s = np.clip(racks.ready - used.total, 0, free_gpus), racks.wait_s
    if down is not None:
        power_mw, free_gpus = np.where(down, 0.0, power_mw), np.where(down, 0, free_gpus)
    return SiteView(
        absorbable_p_mw=published.absorbable_p_mw,
        marginal_curtailment=published.marginal_curtailment,
        outlook_absorbable_p_mw=published.outlook_absorbable_p_mw,
        outlook_marginal=published.outlook_marginal,
        member_absorbable_p_mw=published.member_absorbable_p_mw,
        member_marginal=published.member_marginal,
        power_mw=power_mw,
        committed_p_mw=committed_mw,
        gpu_p_mw=gpu_p_mw,
        held_gpu_p_mw=held_gpu_p_mw,
        gpu_capacity=inputs.gpu_capacity,
        free_gpus=free_gpus,
        speed=inputs.sites.rel_throughput,
        memory_gb_per_gpu=inputs.sites.memory_gb_per_gpu,
        ready_gpus=np.minimum(ready_gpus, free_gpus),
        rack_wait_s=rack_wait_s,
    )


_NO_ROWS, _NO_VALUES, _NO_FLAGS = np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.bool_)
_NO_JOBS = JobView(
    job=_NO_ROWS,
    site=_NO_ROWS,
    origin=_NO_ROWS,
    n_gpus=_NO_ROWS,
    remaining_gpu_h=_NO_VALUES,
    checkpoint_gb=_NO_VALUES,
    deadline_s=_NO_VALUES,
    submit_s=_NO_VALUES,
    migratable=_NO_FLAGS,
    pausable=_NO_FLAGS,
    work_gpu_h=_NO_VALUES,
    placeable=_NO_FLAGS,
    memory_gb_per_gpu=_NO_VALUES,
    priority=_NO_ROWS,
    came_from=_NO_ROWS,
    settled_s=_NO_VALUES,
    min_gpus=_NO_ROWS,
    max_gpus=_NO_ROWS,
    recorded_gpus=_NO_ROWS,
    pace_gpus=_NO_VALUES,
)


def _job_view(inputs: SimulationInputs, state: State, job: IntArray, now_s: float) -> JobView:
    if not job.size:
        return _NO_JOBS
    table, site = inputs.table, state.site[job]
    ran_h = np.where(state.phase[job] == RUNNING, now_s - state.run_from_s[job], 0.0) / S_PER_H
    n_gpus, pace = state.n_gpus[job], state.pace_gpus[job]
    done = state.done_gpu_h[job] + ran_h * pace * inputs.sites.rel_throughput[site]
    least = most = recorded = n_gpus
    if table.is_elastic:
        least, most, recorded = table.min_gpus[job], table.max_gpus[job], table.n_gpus[job]
    origin, placeable = table.origin[job], table.placeable[job]
    if inputs.can_break and state.phase[job[0]] == QUEUED:
        bound = done > 0.0
        origin, placeable = np.where(bound, site, origin), placeable & ~bound
    return JobView(
        job=job,
        site=site,
        origin=origin,
        n_gpus=n_gpus,
        remaining_gpu_h=np.maximum(table.work_gpu_h[job] - done, 0.0),
        checkpoint_gb=table.checkpoint_gb[job],
        deadline_s=table.deadline_s[job],
        submit_s=table.submit_s[job],
        migratable=table.migratable[job],
        pausable=table.pausable[job],
        work_gpu_h=table.work_gpu_h[job],
        placeable=placeable,
        memory_gb_per_gpu=table.memory_gb_per_gpu[job],
        priority=table.priority[job],
        came_from=state.source[job],
        settled_s=_settled_s(state, job),
        min_gpus=least,
        max_gpus=most,
        recorded_gpus=recorded,
        pace_gpus=pace,
    )


def _settled_s(state: State, job: IntArray) -> FloatArray:
    """When jobs went on after their last move, pause or change of size, or had saved for the pause. [s]"""
    changed = state.n_migrations[job] + state.n_pauses[job] + state.n_resizes[job] > 0
    since = state.paused_s if state.phase[job[0]] == PAUSED else state.run_from_s
    return np.where(changed, since[job], -np.inf)


def _bandwidth(wan: Wan, state: State, active: IntArray) -> FloatArray:
    """Payload rate one more transfer would get if the links on its path were shared equally. [Gbit/s]"""
    phase = state.phase[active]
    under_way = active[(phase == SAVING) | (phase == SENDING) | is_copied_ahead(state, active)]
    if not under_way.size:
        return wan.bandwidth_gbit_per_s
    users = wan.on_path[state.source[under_way], state.dest[under_way]].sum(axis=0)
    share = wan.payload_gbit_per_s / (users + 1)
    lowest = np.where(wan.on_path, share, np.inf).min(axis=2, initial=np.inf)
    return np.where(wan.reachable, lowest, 0.0)
