"""Elastic jobs wider while their load is welcome and narrower while it is not, for any policy.

`sized` takes what a policy has decided and adds sizes of the elastic jobs it leaves where they are, and of
those it places. What counts is energy that is not renewable: a GPU that a job gets now draws 1 − m of it per
GPU-hour, with m the marginal curtailment now, and spares r · (1 − m') later, when the job is done sooner; r
is what the job gains in recorded GPUs by it, below 1 as it has to exchange more. A GPU that it gives up is
the same the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.elastic import DEFAULT_COMMUNICATION, relative_speed
from twin.inputs import S_PER_H
from twin.policies.base import Commands, JobView, View
from weather import Findings


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """When elastic jobs are given other sizes.

    Attributes
    ----------
    min_gain : float
        Least gain per GPU: energy that is not renewable saved over that of the GPUs changed. [MW/MW]
    payback : float
        A running job is resized if that gains so many times what saving and loading costs, and lasts so many
        times as long. [1]
    max_stretch : float
        Longest time from submission to end for which a job is made or kept narrower than recorded, over its
        run time at the recorded size. [1]
    min_stay_h : float
        Least time that a job runs after a move, a pause or a change of size before it is resized. [h]
    """

    min_gain: float = 0.15
    payback: float = 2.0
    max_stretch: float = 2.0
    min_stay_h: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        findings = Findings()
        for name, least in (("min_gain", 0.0), ("payback", 1.0), ("max_stretch", 1.0), ("min_stay_h", 0.0)):
            if not least <= getattr(self, name) < np.inf:
                findings.add(name, f"is {getattr(self, name)}", f"give at least {least:g}")
        findings.raise_if_any("sizes of jobs")


DEFAULT_SIZING = Sizing()


def sized(view: View, commands: Commands, rule: Sizing = DEFAULT_SIZING) -> Commands:
    """Add sizes of elastic jobs to what a policy asks for.

    Jobs that may not be narrow any longer, for their deadline or their stretch, come first, and get the GPUs
    they need whatever is welcome. At sites with load to spare in an open window others get what is welcome
    there and free, those first that gain most speed per GPU; GPUs that queued jobs wait for are not free. At
    sites that draw more than is welcome they give up as much as that, those first that lose least speed.

    Parameters
    ----------
    view : View
        What the policy saw.
    commands : Commands
        What it asks for; jobs that it moves or pauses keep their size.
    rule : Sizing
        When a change is worth it.

    Returns
    -------
    Commands
        With `size_job` and `size_gpus`; `commands` itself where there is nothing to size. Running jobs are
        sized when signals are renewed, queued ones when they are placed, which costs nothing.
    """
    if not (_has_elastic(view.queued) or (view.renewed and _has_elastic(view.running))):
        return commands
    jobs = _Elastic.of(view, commands, rule)
    if not len(jobs):
        return commands
    room = _Room.after(view, commands)
    target = jobs.n_gpus.copy()
    _catch_up(jobs, room, target)
    for site in np.unique(jobs.site):
        here = np.flatnonzero((jobs.site == site) & (target == jobs.n_gpus) & jobs.settled)
        if not here.size:
            continue
        if room.headroom_p_mw[site] < 0.0:
            excess = int(np.ceil(-room.headroom_p_mw[site] / room.gpu_p_mw[site] - _ROUNDING))
            _change(jobs, here, target, excess, rule, wider=False)
        elif view.sites.outlook_marginal[0, site] >= view.theta:
            _change(jobs, here, target, room.gpus(int(site)), rule, wider=True)
    new = np.flatnonzero(target != jobs.n_gpus)
    return replace(commands, size_job=jobs.job[new], size_gpus=target[new]) if new.size else commands


_ROUNDING = 1e-9


def _has_elastic(jobs: JobView) -> bool:
    """Whether some jobs are elastic; in a run without any, views have one array for both ends."""
    return jobs.min_gpus is not jobs.max_gpus and bool(np.any(jobs.min_gpus < jobs.max_gpus))


class _Room:
    """What is left at each site once a policy's commands are carried out."""

    def __init__(self, free_gpus: IntArray, headroom_p_mw: FloatArray, gpu_p_mw: FloatArray) -> None:
        self.free_gpus, self.headroom_p_mw, self.gpu_p_mw = free_gpus, headroom_p_mw, gpu_p_mw

    @classmethod
    def after(cls, view: View, commands: Commands) -> _Room:
        sites, running = view.sites, view.running
        moves, pauses = (_rows(running, job) for job in (commands.move_job, commands.pause_job))
        resumed = _rows(view.paused, commands.resume_job)
        queue_at = view.queued.site.copy()
        queue_at[_rows(view.queued, commands.place_job)] = commands.place_site
        stands = ~np.isin(view.queued.job, commands.hold_job)

        def count(site: IntArray, n_gpus: IntArray) -> IntArray:
            return np.bincount(site, weights=n_gpus, minlength=sites.n_sites).astype(np.int64)

        come = count(commands.move_dest, running.n_gpus[moves])
        come += count(view.paused.site[resumed], view.paused.n_gpus[resumed])
        gone = count(running.site[moves], running.n_gpus[moves])
        gone += count(running.site[pauses], running.n_gpus[pauses])
        free = sites.free_gpus - come
        queued = count(queue_at[stands], view.queued.n_gpus[stands])
        more = come - gone + np.minimum(queued, np.maximum(free, 0))
        return cls(np.maximum(free - queued, 0), sites.headroom_p_mw - more * sites.gpu_p_mw, sites.gpu_p_mw)

    def gpus(self, site: int) -> int:
        """GPUs that are free at a site and whose load is welcome. [1]"""
        welcome = np.floor(max(self.headroom_p_mw[site], 0.0) / self.gpu_p_mw[site] + _ROUNDING)
        return int(min(self.free_gpus[site], welcome))


def _rows(jobs: JobView, wanted: IntArray) -> IntArray:
    """Positions of jobs among those of a view that hold all of them."""
    order = np.argsort(jobs.job, kind="stable")
    return np.asarray(order[np.searchsorted(jobs.job[order], wanted)], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Elastic:
    """Elastic jobs that may be given another size.

    Attributes
    ----------
    job, site, n_gpus, recorded, most : ndarray of int
        Row of the job table, where it runs or will, GPUs now, recorded ones, and most it may have.
    least : ndarray of int
        Fewest that its range, its deadline and its stretch allow from now to its end, after a change.
    behind, settled : ndarray of bool
        Whether they do not allow what it has; whether it has been as it is for long enough.
    left_h : ndarray
        Time left at its recorded size. [h]
    lost_h : ndarray
        Time to save and to load, 0 for a queued job. [h]
    hold : ndarray
        Power of a GPU that holds it, over what one that runs it draws beyond a free one. [1]
    outlook : ndarray (step ahead, job)
        Marginal curtailment expected where it is. [MW/MW]
    is_open : ndarray of bool (step ahead, job)
        Whether a step belongs to a window.
    step_h : float
        Step of the outlook. [h]
    """

    job: IntArray
    site: IntArray
    n_gpus: IntArray
    recorded: IntArray
    least: IntArray
    most: IntArray
    behind: BoolArray
    settled: BoolArray
    left_h: FloatArray
    lost_h: FloatArray
    hold: FloatArray
    outlook: FloatArray
    is_open: BoolArray
    step_h: float

    def __len__(self) -> int:
        return len(self.job)

    @classmethod
    def of(cls, view: View, commands: Commands, rule: Sizing) -> _Elastic:
        running, queued, sites = view.running, view.queued, view.sites
        busy = np.concatenate([commands.move_job, commands.pause_job])
        stays = (running.min_gpus < running.max_gpus) & view.renewed
        stays[stays] = ~np.isin(running.job[stays], busy)
        placed = _rows(queued, commands.place_job)
        starts = queued.min_gpus[placed] < queued.max_gpus[placed]
        parts = (running.take(stays), queued.take(placed[starts]))
        site = np.concatenate([parts[0].site, commands.place_site[starts]])
        runs = np.repeat([True, False], [len(part) for part in parts])

        def column(name: str) -> FloatArray:
            return np.concatenate([getattr(part, name) for part in parts])

        n_gpus, size = column("n_gpus").astype(np.int64), column("checkpoint_gb")
        recorded = column("recorded_gpus").astype(np.int64)
        lost_s = view.migration.save_s(size, n_gpus) + view.migration.load_s(size, n_gpus)
        lost_h = np.where(runs, lost_s, 0.0) / S_PER_H
        rate = recorded * sites.speed[site]
        left_h = column("remaining_gpu_h") / rate
        due_h = (column("deadline_s") - view.now_s) / S_PER_H
        since_h = (view.now_s - column("submit_s")) / S_PER_H
        stretched_h = rule.max_stretch * column("work_gpu_h") / rate - since_h
        low, high = (column(name).astype(np.int64) for name in ("min_gpus", "max_gpus"))
        high = np.minimum(high, sites.gpu_capacity[site])

        def fewest(lost_h: FloatArray | float) -> IntArray:
            in_time = _needed(left_h, due_h - lost_h, recorded, high)
            not_late = np.minimum(_needed(left_h, stretched_h - lost_h, recorded, high), recorded)
            return np.clip(np.maximum(in_time, not_late), low, np.maximum(high, low))

        outlook = sites.outlook_marginal[:, site]
        return cls(
            job=column("job").astype(np.int64),
            site=site,
            n_gpus=n_gpus,
            recorded=recorded,
            least=fewest(lost_h),
            most=high,
            behind=fewest(0.0) > n_gpus,
            settled=~runs | (view.now_s - column("settled_s") >= rule.min_stay_h * S_PER_H),
            left_h=left_h,
            lost_h=lost_h,
            hold=sites.held_gpu_p_mw[site] / sites.gpu_p_mw[site],
            outlook=outlook,
            is_open=outlook >= view.theta,
            step_h=view.signal_step_s / S_PER_H,
        )

    def pace(self, row: IntArray, n_gpus: IntArray) -> FloatArray:
        """Recorded GPUs that would be as fast. [1]"""
        return np.asarray(self.recorded[row] * relative_speed(n_gpus, self.recorded[row]))


def _needed(left_h: FloatArray, time_h: FloatArray, recorded: IntArray, most: IntArray) -> IntArray:
    """Fewest GPUs on which jobs are done in a time; what was recorded where no number does it. [1]

    The speed s = (1 + C0) / (n0 / n + c · (1 − 1 / n)) solved for n: n = (n0 − c) / ((1 + C0) / s − c).
    """
    c = DEFAULT_COMMUNICATION
    exchange = c * (1.0 - 1.0 / recorded)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.where(time_h > 0.0, left_h / time_h, np.inf)
        fewest = (recorded - c) / ((1.0 + exchange) / speed - c)
    possible = (fewest >= 0.0) & (fewest <= most)
    return np.where(possible, np.ceil(np.where(possible, fewest, 0.0) * (1.0 - _ROUNDING)), recorded).astype(
        np.int64
    )


def _catch_up(jobs: _Elastic, room: _Room, target: IntArray) -> None:
    """Give jobs that are narrower than deadline or stretch allow what they need, as far as GPUs are free."""
    for row in np.flatnonzero(jobs.behind & (jobs.n_gpus < jobs.recorded)):
        site, wanted = jobs.site[row], max(jobs.least[row], jobs.recorded[row])
        more = min(wanted, jobs.most[row]) - jobs.n_gpus[row]
        if 0 < more <= room.free_gpus[site]:
            target[row] += more
            room.free_gpus[site] -= more
            room.headroom_p_mw[site] -= more * room.gpu_p_mw[site]


def _change(
    jobs: _Elastic, row: IntArray, target: IntArray, n_gpus: int, rule: Sizing, *, wider: bool
) -> None:
    """Let jobs of one site take, or give up, so many GPUs where that pays."""
    now, recorded, sign = jobs.n_gpus[row], jobs.recorded[row], 1 if wider else -1
    end = jobs.most[row] if wider else jobs.least[row]
    between = np.clip(recorded, np.minimum(now, end), np.maximum(now, end))
    hours, here, later = _relief(jobs, row, wider=wider)
    # First back to the recorded size, then beyond it: the second step gains less for a GPU, or loses more.
    job, first, last = np.tile(row, 2), np.concatenate([now, between]), np.concatenate([between, end])
    size = sign * (last - first)
    ratio = _gain_per_gpu(jobs, job, first, last)
    gain = sign * (ratio * (1.0 - np.tile(later, 2)) - (1.0 - np.tile(here, 2)))
    good = np.flatnonzero((size > 0) & (gain >= rule.min_gain))
    good = good[np.argsort(-sign * ratio[good], kind="stable")]
    before = np.cumsum(size[good]) - size[good]
    taken = np.clip(n_gpus - before, 0, size[good])
    new = now + sign * np.bincount(good % row.size, weights=taken, minlength=row.size).astype(np.int64)
    target[row] = np.where(_pays(jobs, row, new, hours, here, later, rule), new, now)


def _gain_per_gpu(jobs: _Elastic, row: IntArray, first: IntArray, last: IntArray) -> FloatArray:
    """Recorded GPUs that a job is faster by for each one between two sizes, 0 if these are the same. [1]"""
    change = np.asarray(last - first, dtype=np.float64)
    gained = jobs.pace(row, last) - jobs.pace(row, first)
    return np.divide(gained, change, out=np.zeros_like(gained), where=change != 0.0)


def _relief(jobs: _Elastic, row: IntArray, *, wider: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How long a size would be kept [h], and the relief of load meanwhile and later [MW/MW].

    A wider job stays so for the window, or to its end; the work that this spares lies behind the window, and
    before its end. A narrower one stays so until the best step ahead, for which its work is put off.
    """
    outlook, n = jobs.outlook[:, row], len(jobs.outlook)
    at = np.arange(n)[:, None]
    if wider:
        is_open = jobs.is_open[:, row]
        steps = np.where(is_open.all(axis=0), n, np.argmin(is_open, axis=0))
        left = np.clip(np.ceil(jobs.left_h[row] / jobs.step_h), 1, n)
        here = _mean(outlook, at < np.minimum(steps, left))
        later = _mean(outlook, (at >= steps) & (at < left), default=here)
    else:
        steps = np.argmax(outlook[1:], axis=0) + 1 if n > 1 else np.ones(row.size, dtype=np.int64)
        here = _mean(outlook, at < steps)
        later = outlook[np.minimum(steps, n - 1), np.arange(row.size)]
    return np.minimum(steps * jobs.step_h, jobs.left_h[row]), here, later


def _mean(values: FloatArray, where: BoolArray, default: FloatArray | float = 0.0) -> FloatArray:
    """Mean of each column over some of its rows, or the default where there are none."""
    count = where.sum(axis=0)
    return np.where(count > 0, (values * where).sum(axis=0) / np.maximum(count, 1), default)


def _pays(
    jobs: _Elastic,
    row: IntArray,
    new: IntArray,
    hours: FloatArray,
    here: FloatArray,
    later: FloatArray,
    rule: Sizing,
) -> BoolArray:
    """Whether changes gain enough for what saving and loading costs; queued jobs pay nothing."""
    now, lost_h = jobs.n_gpus[row], jobs.lost_h[row]
    faster = jobs.pace(row, new) - jobs.pace(row, now)
    gained = (hours - lost_h) * (faster * (1.0 - later) - (new - now) * (1.0 - here))
    # Held GPUs draw, and what the job would have done meanwhile is done later.
    held = np.maximum(now, new) * jobs.hold[row] * (1.0 - here)
    cost = lost_h * (held + jobs.pace(row, now) * (1.0 - later) - now * (1.0 - here))
    lasts = hours >= rule.payback * lost_h
    return np.asarray((new != now) & lasts & (gained > 0.0) & (gained >= rule.payback * cost))


__all__ = ["DEFAULT_SIZING", "Sizing", "sized"]
