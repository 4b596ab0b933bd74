"""What may be done with long jobs in the hours ahead, as options of a plan."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.feasibility import REASONS, Feasibility
from twin.inputs import S_PER_H
from twin.policies.base import JobView, Refusals, View
from twin.policies.feasibility_aware import Outlook, domain_of
from twin.policies.filling import fits_memory, may_run_at
from twin.policies.horizon_plan import Blocks, Due, Options

RUNNING, QUEUED, PAUSED = range(3)
"""States of a long job."""


@dataclass(frozen=True, eq=False)
class LongJobs:
    """Jobs that a plan is made for: all running and queued ones of long run time, and all paused ones.

    Attributes
    ----------
    jobs : JobView
        All of them, running ones first, then queued, then paused.
    state : ndarray of int
        `RUNNING`, `QUEUED` or `PAUSED`.
    run_h, left_h : ndarray
        Run time in all and left, at the speed of where the job is; a second is left at least. [h]
    save_h, load_h : ndarray
        What a pause takes of it from now: 0 where nothing has to be saved or loaded. [h]
    wait_h : ndarray
        Longest wait that its stretch and its deadline allow from now. [h]
    """

    jobs: JobView
    state: IntArray
    run_h: FloatArray
    left_h: FloatArray
    save_h: FloatArray
    load_h: FloatArray
    wait_h: FloatArray

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def may_wait(self) -> BoolArray:
        """Whether a job may be without GPUs in the next step: it waits already, or it may pause."""
        return np.asarray((self.state != RUNNING) | self.jobs.pausable)

    @property
    def flexible(self) -> BoolArray:
        """Whether a job may run in any hours: it may pause, or it is paused already."""
        return np.asarray(self.jobs.pausable | (self.state == PAUSED))

    def rows(self, state: int) -> IntArray:
        """Rows of the jobs in a state."""
        return np.flatnonzero(self.state == state)

    @classmethod
    def of(cls, view: View, least_h: float, max_stretch: float, max_wait_h: float) -> LongJobs:
        """Collect them.

        Parameters
        ----------
        view : View
            What is known.
        least_h : float
            Run time from which a job is long. [h]
        max_stretch : float
            Longest time without running that a job may have had in all, over its run time.
        max_wait_h : float
            The same in hours; the shorter one counts. [h]
        """
        parts = (
            view.running.take(is_long(view, view.running, least_h)),
            view.queued.take(is_long(view, view.queued, least_h)),
            view.paused,
        )
        state = np.repeat([RUNNING, QUEUED, PAUSED], [len(part) for part in parts])
        names = [f.name for f in fields(JobView)]
        jobs = JobView(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
        rate = jobs.pace_gpus * view.sites.speed[jobs.site]
        run_h, left_h = jobs.work_gpu_h / rate, np.maximum(jobs.remaining_gpu_h / rate, _LEAST_LEFT_H)
        save_s = view.migration.save_s(jobs.checkpoint_gb, jobs.n_gpus)
        load_s = view.migration.load_s(jobs.checkpoint_gb, jobs.n_gpus)
        save_h = np.where(state == RUNNING, save_s, 0.0) / S_PER_H
        load_h = np.where(state == QUEUED, 0.0, load_s) / S_PER_H
        idle_h = (view.now_s - jobs.submit_s) / S_PER_H - (run_h - left_h)
        slack_h = (jobs.deadline_s - view.now_s) / S_PER_H - left_h - save_h - load_h
        wait_h = np.minimum(np.minimum(max_stretch * run_h, max_wait_h) - idle_h, slack_h)
        return cls(jobs, state, run_h, left_h, save_h, load_h, wait_h)


_LEAST_LEFT_H = 1.0 / S_PER_H
"""Coefficients are over the work left: of very different size they leave the solver without an answer."""


def is_long(view: View, jobs: JobView, least_h: float) -> BoolArray:
    """Say which jobs run for at least so long at the speed of where they are."""
    return np.asarray(jobs.work_gpu_h >= least_h * jobs.n_gpus * view.sites.speed[jobs.site])


@dataclass(frozen=True, eq=False)
class Candidates:
    """Moves of running jobs inside the feasibility domain, and why others are outside.

    Attributes
    ----------
    job, dest : ndarray of int (candidate)
        Row of the long job, and where it would go.
    time_h : ndarray (candidate)
        Time of the move. [h]
    window_s : ndarray (candidate)
        What remains of the destination's window, or of the job. [s]
    energy_mwh : ndarray (candidate)
        Energy of the move. [MWh]
    refused : Refusals
        Of each job whose best destination is outside the domain.
    """

    job: IntArray
    dest: IntArray
    time_h: FloatArray
    window_s: FloatArray
    energy_mwh: FloatArray
    refused: Refusals

    @classmethod
    def of(
        cls, view: View, long: LongJobs, outlook: Outlook, min_gain: float, min_speed_ratio: float
    ) -> Candidates:
        """Look for them where a window is open, and for what a move would gain in it.

        Parameters
        ----------
        view : View
            What is known.
        long : LongJobs
            The jobs.
        outlook : Outlook
            Windows and mean gains.
        min_gain : float
            Least gain in marginal curtailment. [MW/MW]
        min_speed_ratio : float
            Slowest acceptable site, over the speed of where the job is.
        """
        jobs, sites = long.jobs, view.sites
        able = (long.state == RUNNING) & jobs.migratable
        fits = (jobs.n_gpus[:, None] <= sites.gpu_capacity) & fits_memory(jobs, sites)
        fast = sites.speed >= min_speed_ratio * sites.speed[jobs.site][:, None]
        other = np.arange(sites.n_sites) != jobs.site[:, None]
        job, dest = np.nonzero(able[:, None] & fits & fast & other & (outlook.window_s > 0.0))
        here = jobs.site[job]
        left_s = long.left_h[job] * S_PER_H * sites.speed[here] / sites.speed[dest]
        window_s = np.minimum(outlook.window_s[dest], left_s)
        means = outlook.mean_over(np.broadcast_to(window_s[:, None], (job.size, sites.n_sites)))
        row = np.arange(job.size)
        gain = means[row, dest] - means[row, here]
        result = _domain(view, jobs.take(job), dest, window_s, gain, left_s)
        gains = gain > min_gain
        ok = np.flatnonzero(gains & result.feasible)
        refused = _refusals(jobs.job[job], dest, gain, result, np.flatnonzero(gains))
        times = result.t_mig_s[ok] / S_PER_H
        return cls(job[ok], dest[ok], times, window_s[ok], result.e_mig_mwh[ok], refused)


def _domain(
    view: View, jobs: JobView, dest: IntArray, window_s: FloatArray, gain: FloatArray, left_s: FloatArray
) -> Feasibility:
    """Ask the feasibility domain; free GPUs are left to the plan."""
    n_gpus, sites = jobs.n_gpus.astype(np.float64), view.sites
    return domain_of(view)(
        jobs.checkpoint_gb,
        view.bandwidth_gbit_per_s[jobs.site, dest],
        window_s,
        gain=gain,
        n_gpus=n_gpus,
        job_power_mw=n_gpus * sites.gpu_p_mw[dest],
        hold_power_mw=n_gpus * sites.held_gpu_p_mw[dest],
        latency_s=view.latency_s[jobs.site, dest],
        free_gpus=np.full(len(dest), np.inf),
        memory_gb_per_gpu=jobs.memory_gb_per_gpu,
        device_memory_gb=sites.memory_gb_per_gpu[dest],
        remaining_s=left_s,
        deadline_s=jobs.deadline_s - view.now_s,
    )


def _refusals(
    job: IntArray, dest: IntArray, gain: FloatArray, result: Feasibility, rows: IntArray
) -> Refusals:
    """Of each job the destination with the greatest gain, where that is outside the domain."""
    rows = rows[np.lexsort((dest[rows], -gain[rows], job[rows]))]
    rows = rows[np.unique(job[rows], return_index=True)[1]]
    rows = rows[~result.feasible[rows]]
    reason = result.binding[rows].astype(np.int64)
    margins = np.stack([result.margins[name][rows] for name in REASONS[1:]])
    return Refusals(job[rows], dest[rows], reason, margins[reason - 1, np.arange(rows.size)])


@dataclass(frozen=True, eq=False)
class Choices:
    """Options of all long jobs.

    Attributes
    ----------
    options : Options
        What the plan chooses among.
    now : ndarray of bool (option)
        Whether a job that takes it may run in the first step; of a move, that begins first, false.
    due : Due
        What may not wait.
    """

    options: Options
    now: BoolArray
    due: Due


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a plan weighs relief against.

    Attributes
    ----------
    stretch_h : float
        Price of a delay by the job's own run time, as hours of full relief of an average job. [h]
    later : float
        Relief that work finds after the hours ahead. [MW/MW]
    """

    stretch_h: float
    later: float


def make_choices(
    view: View, long: LongJobs, moves: Candidates, blocks: Blocks, prices: Prices, *, min_speed_ratio: float
) -> Choices:
    """Lay out what each job could do.

    A job that may pause runs in any hours, where it is, where it would be after a move, or where it may
    start if it is queued; so much that it does not wait for longer than it may. Any other job that runs goes
    on or moves, and if it is queued it starts at the start of a block.

    Parameters
    ----------
    view : View
        What is known.
    long : LongJobs
        The jobs.
    moves : Candidates
        Moves to consider.
    blocks : Blocks
        Hours ahead.
    prices : Prices
        Of delay and of work that is left.
    min_speed_ratio : float
        Slowest acceptable site for a start, over the speed of where the job was submitted.

    Returns
    -------
    Choices
        The options.
    """
    jobs, sites = long.jobs, view.sites
    power = jobs.n_gpus * sites.gpu_p_mw[jobs.site]
    price = prices.stretch_h * power.mean() / long.run_h
    end_h = float(blocks.edge[-1] * blocks.step_h)
    parts = (
        _where_it_may_be(long, blocks, _may_be_at(view, long, min_speed_ratio)),
        _not_at_all(long, end_h, price, power),
        (moves.job, moves.dest, moves.time_h, moves.energy_mwh, np.zeros(moves.job.size, dtype=np.bool_)),
    )
    job, site, start, cost, now = (np.concatenate(column) for column in zip(*parts, strict=True))
    move = np.repeat([False, False, True], [len(part[0]) for part in parts])
    flexible, n_gpus = long.flexible[job], jobs.n_gpus[job]
    cost += np.where(flexible, 0.0, price[job] * start)
    away = ~move & (site != jobs.origin[job]) & (long.state[job] == QUEUED)
    cost += np.where(away, _AWAY_MWH, 0.0)
    left = long.left_h[job] * sites.speed[jobs.site[job]] / sites.speed[site]
    gpus = blocks.overlap(start, np.where(flexible, np.inf, start + left)) * n_gpus[:, None]
    # Work done at a time is late by that; what is left comes after the hours ahead, one hour after the other.
    rest = price * np.maximum(long.left_h, end_h) - prices.later * power * long.left_h
    late = price[job][:, None] * (blocks.start_h + 0.5 * blocks.length_h)
    work = left * n_gpus
    use_cost = (late - (rest[job] - np.where(away, _AWAY_MWH, 0.0))[:, None]) / work[:, None]
    # A running job that does not run on in the first block pauses.
    stays = flexible & now & (long.state[job] == RUNNING)
    hold = jobs.n_gpus * sites.held_gpu_p_mw[jobs.site] * (long.save_h + long.load_h)
    use_cost[:, 0] -= np.where(stays, hold[job] / (n_gpus * blocks.length_h[0]), 0.0)
    options = Options(job, site, gpus, cost, flexible, move, work, use_cost)
    return Choices(options, now, _due(long, power, blocks))


_Columns = tuple[IntArray, IntArray, FloatArray, FloatArray, BoolArray]
"""Job, site, begin [h], cost [MWh] of options, and whether they run in the first step."""


def _where_it_may_be(long: LongJobs, blocks: Blocks, may_be: BoolArray) -> _Columns:
    """Run from now on; rigid jobs that are queued also from the start of any block that they may wait for."""
    begin = blocks.start_h
    waits = (~long.flexible & (long.state == QUEUED))[:, None] & (begin <= long.wait_h[:, None])
    waits[:, 0] = True
    job, site, block = np.nonzero(may_be[:, :, None] & waits[:, None, :])
    start = begin[block] + np.where(long.state[job] == RUNNING, 0.0, long.load_h[job])
    return job, site, start, np.zeros(job.size), block == 0


def _not_at_all(long: LongJobs, end_h: float, price: FloatArray, power: FloatArray) -> _Columns:
    """Not run in the hours ahead, for a price no relief is worth, so that rigid jobs always have a plan."""
    job = np.flatnonzero(~long.flexible & (long.state == QUEUED))
    cost = (_NEVER - 1.0) * end_h * price[job] + power[job]
    return job, long.jobs.site[job], np.full(job.size, end_h), cost, np.zeros(job.size, dtype=np.bool_)


def _due(long: LongJobs, power: FloatArray, blocks: Blocks) -> Due:
    """Work that pausable jobs must have done by the time at which they could no longer wait."""
    end_h = float(blocks.edge[-1] * blocks.step_h)
    wait_h = np.maximum(long.wait_h, 0.0)
    by_h = np.minimum(wait_h + long.left_h, end_h)
    due_h = np.where(long.flexible, by_h - wait_h, 0.0)
    cost = _LATE * power * long.left_h
    return Due(due_h / long.left_h, blocks.overlap(np.zeros(len(long)), by_h), cost)


_LATE = 3.0
"""Work that waits too long costs so much more than its own energy."""

_NEVER = 3.0
"""Not running in the hours ahead costs so many delays to their end, and the job's power for an hour."""

_AWAY_MWH = 1e-4
"""Between equals a job starts where it was submitted. [MWh]"""


def _may_be_at(view: View, long: LongJobs, min_speed_ratio: float) -> BoolArray:
    """Where each job may have GPUs without a move, (job, site)."""
    jobs, sites = long.jobs, view.sites
    at = np.zeros((len(long), sites.n_sites), dtype=np.bool_)
    queued = long.rows(QUEUED)
    waiting = jobs.take(queued)
    fast = sites.speed >= min_speed_ratio * sites.speed[waiting.origin][:, None]
    at[queued] = may_run_at(waiting, sites) & fast
    at[np.arange(len(long)), jobs.site] = True
    return at
