"""Starts, pauses and moves by a plan over the hours ahead, made anew whenever signals are renewed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.feasibility import CAPACITY
from twin.inputs import S_PER_H
from twin.policies.base import Commands, Refusals, View
from twin.policies.feasibility_aware import Outlook, crowding
from twin.policies.filling import Room, fill, may_run_at
from twin.policies.horizon_jobs import (
    PAUSED,
    QUEUED,
    RUNNING,
    Candidates,
    Choices,
    LongJobs,
    Prices,
    is_long,
    make_choices,
)
from twin.policies.horizon_plan import Blocks, Plan, expected_pieces, solve_plan
from twin.policies.sizing import Sizing, sized


@dataclass(frozen=True, kw_only=True)
class RecedingHorizon:
    """Plans starts, pauses and moves of long jobs with HiGHS over members of the outlook.

    A few long jobs hold most of the work of a trace. They are the ballast: a linear programme chooses the
    hours in which each of them runs, in one window or in several, where it is, where it may start, or after a
    move inside the feasibility domain. It maximises the curtailment that their load is expected to relieve,
    the mean over all members, less a price of delay that falls with a job's run time, and less the energy of
    pauses and moves. Work left after the hours ahead counts as if it found the mean relief in them.
    The first step of the plan is rounded to whole jobs and carried out; then what is welcome beyond it is
    filled with jobs that wait. Short jobs never wait for surplus: they start at once, at the best site with
    GPUs, before long ones.

    Attributes
    ----------
    least_job_h : float
        Run time from which a job is planned for, and may be asked to wait. [h]
    stretch_price_h : float
        Price of a delay by the job's own run time, as hours of full relief of an average long job. [h]
    max_stretch : float
        Longest time that a job is kept waiting for surplus in all, over its run time.
    max_wait_h : float
        The same in hours; the shorter one counts. [h]
    min_gain : float
        Least gain for which a running job is moved. [MW/MW]
    min_speed_ratio : float
        Slowest acceptable site, over the speed of where the job is.
    resizes : bool
        Whether elastic jobs are made wider and narrower, as `twin.policies.sizing` tells.
    resize_stretch : float
        Longest time from submission to end for which a job is made narrower, over its run time. [1]
    """

    name: str = "receding_horizon"
    least_job_h: float = 10.0
    stretch_price_h: float = 0.5
    max_stretch: float = 4.0
    max_wait_h: float = 96.0
    min_gain: float = 0.05
    min_speed_ratio: float = 0.8
    resizes: bool = True
    resize_stretch: float = 2.0

    def decide(self, view: View) -> Commands:
        """Start short jobs; when signals are renewed, plan the long ones anew and do the first step."""
        commands = self._decide(view)
        return sized(view, commands, Sizing(max_stretch=self.resize_stretch)) if self.resizes else commands

    def _decide(self, view: View) -> Commands:
        outlook = Outlook.of(view)
        room = Room(view.sites.free_gpus, view.sites.headroom_p_mw, view.sites.gpu_p_mw)
        long = is_long(view, view.queued, self.least_job_h)
        short = np.flatnonzero(~long)
        place = self._place(view, outlook, room, short, stages=3)
        here = place >= 0
        if not view.renewed:
            return self._between(view, outlook, room, short[here], place[here], np.flatnonzero(long))
        left = short[~here]
        queue = np.zeros(view.sites.n_sites)
        np.add.at(queue, view.queued.site[left], view.queued.n_gpus[left])
        jobs = LongJobs.of(view, self.least_job_h, self.max_stretch, self.max_wait_h)
        commands = self._planned(view, outlook, room, queue, jobs) if len(jobs) else Commands()
        return replace(
            commands,
            place_job=np.concatenate([view.queued.job[short[here]], commands.place_job]),
            place_site=np.concatenate([place[here], commands.place_site]),
        )

    def _between(
        self, view: View, outlook: Outlook, room: Room, short: IntArray, place: IntArray, long: IntArray
    ) -> Commands:
        """Between two plans long jobs start where they are welcome, and wait for the next plan elsewhere."""
        site = self._place(view, outlook, room, long, stages=1)
        go = site >= 0
        return Commands(
            place_job=view.queued.job[np.concatenate([short, long[go]])],
            place_site=np.concatenate([place, site[go]]),
            hold_job=view.queued.job[long[~go]],
        )

    def _place(self, view: View, outlook: Outlook, room: Room, row: IntArray, *, stages: int) -> IntArray:
        """Site of some queued jobs, -1 where they wait: where they are welcome, else wherever GPUs are."""
        jobs, sites = view.queued.take(row), view.sites
        place = np.full(row.size, -1, dtype=np.int64)
        if not row.size:
            return place
        allowed = may_run_at(jobs, sites)
        fast = allowed & (sites.speed >= self.min_speed_ratio * sites.speed[jobs.origin][:, None])
        for eligible, within in ((fast, True), (fast, False), (allowed, False))[:stages]:
            left = np.flatnonzero(place < 0)
            if left.size:
                n_gpus = jobs.n_gpus[left]
                place[left] = fill(room, outlook.order, eligible[left], n_gpus, within_headroom=within)
        return place

    def _planned(
        self, view: View, outlook: Outlook, room: Room, queue: FloatArray, long: LongJobs
    ) -> Commands:
        """First step of the plan of the long jobs; `queue` are GPUs that short ones wait for at each site."""
        sites, blocks = (
            view.sites,
            Blocks.over(len(view.sites.outlook_marginal), view.signal_step_s / S_PER_H),
        )
        moves = Candidates.of(view, long, outlook, self.min_gain, self.min_speed_ratio)
        run = long.rows(RUNNING)
        own = np.bincount(long.jobs.site[run], weights=long.jobs.n_gpus[run], minlength=sites.n_sites)
        other = sites.gpu_capacity - room.free_gpus - own + queue
        idle = sites.committed_p_mw - sites.gpu_p_mw * (sites.gpu_capacity - sites.free_gpus)
        base = np.maximum(idle, 0.0) + sites.gpu_p_mw * other
        most = sites.gpu_capacity * sites.gpu_p_mw
        absorbable, marginal = _welcome(view, most + base)
        prices = Prices(stretch_h=self.stretch_price_h, later=_later(absorbable, marginal, most + base))
        choices = make_choices(view, long, moves, blocks, prices, min_speed_ratio=self.min_speed_ratio)
        plan = solve_plan(
            choices.options,
            expected_pieces(
                absorbable, marginal, blocks, np.maximum(most, (most + base) / 10.0 + _NOTHING_MW) / _LEVELS
            ),
            choices.due,
            blocks,
            free_gpus=np.repeat(np.maximum(sites.gpu_capacity - other, own)[:, None], len(blocks), axis=1),
            gpu_p_mw=sites.gpu_p_mw,
            base_p_mw=base,
        )
        return _Rounding(view, room.free_gpus, base, long, moves, choices, plan, blocks).commands()


def _later(absorbable: FloatArray, marginal: FloatArray, most_p_mw: FloatArray) -> float:
    """Relief of work after the hours ahead: the mean in them of all load that sites can draw. [MW/MW]"""
    part = np.minimum(absorbable / np.maximum(most_p_mw, _NOTHING_MW), 1.0)
    return float(np.mean(part * np.maximum(marginal, 0.0)))


_LEVELS = 20
"""Absorbable power of a site is told apart in so many steps of what its GPUs draw."""

_LEAST_RELIEF = 0.05
"""Relief below this is none. [MW/MW]"""


def _welcome(view: View, most_p_mw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Absorbable power and relief of members; outside of windows a little relief, for all load."""
    absorbable = np.minimum(view.sites.member_absorbable_p_mw, most_p_mw)
    marginal = view.sites.member_marginal
    is_open = absorbable > _NOTHING_MW
    relief = np.where(is_open, np.maximum(marginal, view.theta), np.minimum(marginal, view.theta))
    return np.where(~is_open & (relief > _LEAST_RELIEF), most_p_mw, absorbable), relief


_NOTHING_MW = 1e-6
_ALMOST = 0.9
"""A job is welcome where this share of its power is."""


class _Rounding:
    """From shares of jobs to whole jobs, in the first step of a plan."""

    def __init__(
        self,
        view: View,
        free_gpus: IntArray,
        base_p_mw: FloatArray,
        long: LongJobs,
        moves: Candidates,
        choices: Choices,
        plan: Plan,
        blocks: Blocks,
    ) -> None:
        self.view, self.long, self.moves, self.base_p_mw = view, long, moves, base_p_mw
        self.free = free_gpus.copy()
        self.n_gpus = long.jobs.n_gpus
        options, n, n_sites = choices.options, len(long), view.sites.n_sites
        now, go = choices.now, options.move
        most = np.minimum(options.gpus[:, 0], options.work_gpu_h / blocks.length_h[0])
        most = np.where(most > 0.0, most, 1.0)
        share = np.where(options.flexible, plan.gpus[:, 0] / most, plan.share)
        self.now = np.bincount(options.job[now], weights=share[now], minlength=n)
        self.away = np.bincount(options.job[go], weights=plan.share[go], minlength=n)
        self.at = _largest(options.job[now], options.site[now], share[now], long.jobs.site)
        self.dest = _largest(options.job[go], options.site[go], plan.share[go], long.jobs.site)
        self.target = np.bincount(options.site[now], weights=plan.gpus[now, 0], minlength=n_sites)

    def commands(self) -> Commands:
        """Jobs that mostly go on do, others by share up to the planned load, and then by what is welcome."""
        long, jobs = self.long, self.long.jobs
        running = long.state == RUNNING
        moving = running & (self.away > self.now) & (self.away >= 0.5)
        on = running & ~moving & ((self.now >= 0.5) | ~long.may_wait)
        rest = np.flatnonzero(~on & ~moving)
        self._up_to_plan(on, rest)
        self._up_to_welcome(on, rest)
        move, refused = self._moves(np.flatnonzero(moving))
        start = on & (long.state == QUEUED)
        return Commands(
            place_job=jobs.job[start],
            place_site=self.at[start],
            move_job=jobs.job[move],
            move_dest=self.dest[move],
            refused=refused,
            pause_job=jobs.job[running & ~on & ~moving],
            resume_job=jobs.job[on & (long.state == PAUSED)],
            hold_job=jobs.job[~on & (long.state == QUEUED)],
        )

    def _up_to_plan(self, on: BoolArray, rest: IntArray) -> None:
        """Let jobs go on or start by their share, running ones first among equals, up to the planned load."""
        running = self.long.state == RUNNING
        used = np.bincount(self.at[on], weights=self.n_gpus[on], minlength=len(self.target))
        for job in rest[np.lexsort((rest, -self.now[rest] - _KEEP * running[rest]))]:
            site, n = self.at[job], self.n_gpus[job]
            wanted = self.now[job] > _NO_SHARE and used[site] + 0.5 * n <= self.target[site] + _NO_SHARE
            if wanted and (running[job] or n <= self.free[site]):
                used[site] += n
                on[job] = True
                self.free[site] -= 0 if running[job] else n

    def _up_to_welcome(self, on: BoolArray, rest: IntArray) -> None:
        """Fill what is welcome beyond the plan with jobs that would wait, those with the most left first."""
        sites, long = self.view.sites, self.long
        draw = self.base_p_mw + sites.gpu_p_mw * np.bincount(
            self.at[on], weights=self.n_gpus[on], minlength=sites.n_sites
        )
        open_mw = np.where(sites.absorbable_p_mw > _NOTHING_MW, sites.absorbable_p_mw - draw, 0.0)
        rest = rest[~on[rest]]
        rest = rest[np.lexsort((rest, -long.left_h[rest]))]
        anywhere = np.zeros((len(long), sites.n_sites), dtype=np.bool_)
        anywhere[np.arange(len(long)), long.jobs.site] = True
        queued = long.rows(QUEUED)
        anywhere[queued] = may_run_at(long.jobs.take(queued), sites)
        for job in rest:
            n = self.n_gpus[job]
            free = self.free + (n if long.state[job] == RUNNING else 0)
            welcome = anywhere[job] & (n <= free) & (open_mw >= _ALMOST * n * sites.gpu_p_mw)
            if not welcome.any():
                continue
            site = int(np.argmax(np.where(welcome, open_mw, -np.inf)))
            on[job], self.at[job] = True, site
            open_mw[site] -= n * sites.gpu_p_mw[site]
            self.free[site] -= 0 if long.state[job] == RUNNING else n

    def _moves(self, job: IntArray) -> tuple[IntArray, Refusals]:
        """Moves that find GPUs and fit though they share links, by their share of the plan; and the audit."""
        job = job[np.lexsort((job, -self.away[job]))]
        fits = np.zeros(job.size, dtype=np.bool_)
        for i, k in enumerate(job):
            fits[i] = self.n_gpus[k] <= self.free[self.dest[k]]
            self.free[self.dest[k]] -= self.n_gpus[k] if fits[i] else 0
        short = job[~fits]
        margin = (self.free[self.dest[short]] - self.n_gpus[short]).astype(np.float64)
        move = job[fits][self._in_time(job[fits])]
        first, ids = self.moves.refused, self.long.jobs.job
        stays = ~np.isin(first.job, ids[np.concatenate([move, short])])
        refused = Refusals(
            job=np.concatenate([first.job[stays], ids[short]]),
            dest=np.concatenate([first.dest[stays], self.dest[short]]),
            reason=np.concatenate([first.reason[stays], np.full(short.size, CAPACITY)]),
            margin=np.concatenate([first.margin[stays], margin]),
        )
        return move, refused

    def _in_time(self, job: IntArray) -> BoolArray:
        """Whether moves that begin together take no more than their share of the window."""
        jobs, view, keep = self.long.jobs, self.view, np.ones(job.size, dtype=np.bool_)
        for site in np.unique(self.dest[job]):
            row = np.flatnonzero(self.dest[job] == site)
            some = jobs.take(job[row])
            rate = view.bandwidth_gbit_per_s[some.site, site] / crowding(some.checkpoint_gb)
            times = view.migration.times(
                some.checkpoint_gb, some.n_gpus, rate, view.latency_s[some.site, site]
            )
            window = [
                self.moves.window_s[(self.moves.job == k) & (self.moves.dest == site)][0] for k in job[row]
            ]
            keep[row] = times.total_s <= view.alpha * np.array(window)
        return keep


_KEEP = 0.1
"""What a running job is ahead of one that would have to start, as a share."""

_NO_SHARE = 1e-6


def _largest(job: IntArray, site: IntArray, share: FloatArray, default: IntArray) -> IntArray:
    """Site of the option with the largest share of each job, or the default. (job)"""
    result = default.copy()
    order = np.lexsort((-site, share))
    order = order[share[order] > _NO_SHARE]
    result[job[order]] = site[order]
    return result
