"""What a policy sees and what it may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Protocol

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.migration import MigrationModel
from weather import TwinError


class CommandError(TwinError, ValueError):
    """A policy asked for what cannot be done."""


@dataclass(frozen=True, eq=False)
class SiteView:
    """What a policy sees of the sites; every array is in the order of the site table.

    Attributes
    ----------
    absorbable_p_mw : ndarray (site)
        Load that is welcome at each site, all sites counted together, its own load taken out first. [MW]
    marginal_curtailment : ndarray (site)
        Curtailment that one more MW relieves now, at the load the sites really draw without their batteries,
        which give way to it. [MW/MW]
    outlook_absorbable_p_mw, outlook_marginal : ndarray (step ahead, site)
        What may be expected from what was published by now; row 0 is now. The marginal one starts from the
        value at the present draw. [MW], [MW/MW]
    member_absorbable_p_mw, member_marginal : ndarray (member, step ahead, site)
        Equally likely courses of the same from now on; the outlook alone where a run has none. [MW], [MW/MW]
    power_mw : ndarray (site)
        Present draw at the meter, without the battery. [MW]
    committed_p_mw : ndarray (site)
        Draw once every move under way has arrived. [MW]
    gpu_p_mw : ndarray (site)
        Meter power that one more running GPU adds to a free one. [MW]
    held_gpu_p_mw : ndarray (site)
        Meter power that one GPU draws while it holds a job without computing. [MW]
    gpu_capacity, free_gpus : ndarray of int (site)
        GPUs that may be used, and those neither in use nor reserved; a site that is down has none free.
    speed : ndarray (site)
        Training speed of one GPU over the reference device.
    memory_gb_per_gpu : ndarray (site)
        Memory of a device for one worker of a job. [GB]
    ready_gpus : ndarray of int (site)
        The part of `free_gpus` in racks that are on; all of them where a site has no racks.
    rack_wait_s : ndarray (site)
        Time until the rest of them is ready if racks start now. [s]
    """

    absorbable_p_mw: FloatArray
    marginal_curtailment: FloatArray
    outlook_absorbable_p_mw: FloatArray
    outlook_marginal: FloatArray
    member_absorbable_p_mw: FloatArray
    member_marginal: FloatArray
    power_mw: FloatArray
    committed_p_mw: FloatArray
    gpu_p_mw: FloatArray
    held_gpu_p_mw: FloatArray
    gpu_capacity: IntArray
    free_gpus: IntArray
    speed: FloatArray
    memory_gb_per_gpu: FloatArray
    ready_gpus: IntArray
    rack_wait_s: FloatArray

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.gpu_capacity)

    @property
    def headroom_p_mw(self) -> FloatArray:
        """Load still welcome beyond what is committed; negative where there is too much already. [MW]"""
        return self.absorbable_p_mw - self.committed_p_mw


@dataclass(frozen=True, eq=False)
class JobView:
    """Jobs of one kind (queued, running or paused), in the order in which they were submitted.

    Queued jobs of higher priority come before all others.

    Attributes
    ----------
    job : ndarray of int
        Row in the job table: what commands refer to.
    site : ndarray of int
        Where the job runs, queues or has its checkpoint.
    origin : ndarray of int
        Where it was submitted; of a queued job that was interrupted, the site that has its checkpoint.
    n_gpus : ndarray of int
        GPUs it has, or would start on now.
    remaining_gpu_h : ndarray
        Work left. [GPU-h at the reference device]
    checkpoint_gb : ndarray
        Size of its checkpoint. [GB]
    deadline_s : ndarray
        Time by which it should be done; inf without one. [s]
    submit_s : ndarray
        When it was submitted. [s]
    migratable : ndarray of bool
        Whether it may move once started.
    pausable : ndarray of bool
        Whether it may pause.
    work_gpu_h : ndarray
        All of its work. [GPU-h at the reference device]
    placeable : ndarray of bool
        Whether it may start elsewhere than at its origin; in most tables the same jobs as `migratable`, but
        none that has a checkpoint.
    memory_gb_per_gpu : ndarray
        Memory it needs on each GPU; 0 where that is no limit. [GB]
    priority : ndarray of int
        The higher start first among the queued of a site.
    came_from : ndarray of int
        Where its last move began; -1 before the first.
    settled_s : ndarray
        When it went on after its last move, pause or change of size, of paused jobs when they had saved;
        -inf before the first. [s]
    min_gpus, max_gpus : ndarray of int
        Fewest and most GPUs that it may have; `n_gpus` unless it is elastic.
    recorded_gpus : ndarray of int
        GPUs that its work was recorded with, between them.
    pace_gpus : ndarray
        Recorded GPUs that would be as fast as those it has: work per hour, over the speed of the site.
    """

    job: IntArray
    site: IntArray
    origin: IntArray
    n_gpus: IntArray
    remaining_gpu_h: FloatArray
    checkpoint_gb: FloatArray
    deadline_s: FloatArray
    submit_s: FloatArray
    migratable: BoolArray
    pausable: BoolArray
    work_gpu_h: FloatArray
    placeable: BoolArray
    memory_gb_per_gpu: FloatArray
    priority: IntArray
    came_from: IntArray
    settled_s: FloatArray
    min_gpus: IntArray
    max_gpus: IntArray
    recorded_gpus: IntArray
    pace_gpus: FloatArray

    def __len__(self) -> int:
        return len(self.job)

    def take(self, rows: IntArray | BoolArray) -> JobView:
        """Return some of the jobs."""
        return JobView(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class View:
    """What was published by now, and nothing else.

    Attributes
    ----------
    now_s : float
        Time since the start of the run. [s]
    step : int
        Signal step.
    signal_step_s : float
        Its length. [s]
    renewed : bool
        Whether the signals were renewed at this tick. Moves and pauses are decided then; between, queued jobs
        are placed and paused ones resumed.
    sites : SiteView
        The sites.
    queued, running, paused : JobView
        Jobs that may be placed or held back, moved or paused, and resumed; not those that run while they are
        copied ahead of a live move.
    bandwidth_gbit_per_s : ndarray (site, site)
        Payload rate that one more transfer would get from row to column. [Gbit/s]
    past_bandwidth_gbit_per_s : ndarray (sample, site, site)
        Payload rates that a lone transfer would have got now and at each full hour back over the last day;
        no sample where the network never changes, and between signals. [Gbit/s]
    latency_s : ndarray (site, site)
        Delay of the first byte. [s]
    wan_kwh_per_gb : float
        Energy of the network per payload. [kWh/GB]
    migration : MigrationModel
        Time of a move.
    theta, alpha : float
        Window threshold and largest share of a window that a move may take.
    seed : tuple of int
        Seed of the policy's own random stream for this tick.
    """

    now_s: float
    step: int
    signal_step_s: float
    renewed: bool
    sites: SiteView
    queued: JobView
    running: JobView
    paused: JobView
    bandwidth_gbit_per_s: FloatArray
    past_bandwidth_gbit_per_s: FloatArray
    latency_s: FloatArray
    wan_kwh_per_gb: float
    migration: MigrationModel
    theta: float
    alpha: float
    seed: tuple[int, ...]

    @cached_property
    def rng(self) -> np.random.Generator:
        """The policy's own random stream for this tick."""
        return np.random.default_rng(self.seed)


def _no_jobs() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Refusals:
    """Moves that were considered and refused, one row each.

    Attributes
    ----------
    job, dest : ndarray of int
        Which job was not moved where.
    reason : ndarray of int
        Index into `twin.feasibility.REFUSALS`.
    margin : ndarray
        Margin of the condition that binds, negative: in seconds for time, energy, deadline and stay, in GPUs
        for capacity, in Gbit/s for link, in GB for memory, in MW/MW for gain; for chance the probability that
        all conditions hold, less the one that is asked for.
    """

    job: IntArray = field(default_factory=_no_jobs)
    dest: IntArray = field(default_factory=_no_jobs)
    reason: IntArray = field(default_factory=_no_jobs)
    margin: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, eq=False)
class Commands:
    """What a policy asks for at a tick. Anything that cannot be done raises :class:`CommandError`.

    Attributes
    ----------
    place_job, place_site : ndarray of int
        Queued jobs and the site whose queue each joins. It starts there as soon as GPUs are free, first come
        first served with backfill; a job that has not started has nothing to move.
    move_job, move_dest : ndarray of int
        Running jobs and where each migrates. GPUs must be free there, counting all moves of this tick.
    refused : Refusals
        The audit of moves considered and not made.
    pause_job : ndarray of int
        Running jobs that save their checkpoint at their site and leave their GPUs.
    resume_job : ndarray of int
        Paused jobs that load and go on where they are. GPUs must be free there, counting all moves and
        resumptions of this tick.
    hold_job : ndarray of int
        Queued jobs that do not start at this tick even if GPUs are free; others may pass them.
    size_job, size_gpus : ndarray of int
        Elastic jobs and the GPUs each is to have, from its `min_gpus` to its `max_gpus`. A running one saves
        and loads where it is; GPUs that it gets must be free, counting moves, resumptions and all changes of
        this tick, and it is neither moved nor paused at the same time. A queued one starts on so many, at no
        cost, wherever it is placed.
    """

    place_job: IntArray = field(default_factory=_no_jobs)
    place_site: IntArray = field(default_factory=_no_jobs)
    move_job: IntArray = field(default_factory=_no_jobs)
    move_dest: IntArray = field(default_factory=_no_jobs)
    refused: Refusals = field(default_factory=Refusals)
    pause_job: IntArray = field(default_factory=_no_jobs)
    resume_job: IntArray = field(default_factory=_no_jobs)
    hold_job: IntArray = field(default_factory=_no_jobs)
    size_job: IntArray = field(default_factory=_no_jobs)
    size_gpus: IntArray = field(default_factory=_no_jobs)


class Policy(Protocol):
    """Decides where jobs run. It keeps no memory: everything it may use is in the view."""

    @property
    def name(self) -> str:
        """Key in results."""
        ...

    def decide(self, view: View) -> Commands:
        """Return what to do at this tick.

        Called when signals are renewed, and between if jobs are queued or paused and one has arrived or left
        GPUs, or racks are ready.
        """
        ...
