"""Jobs wait where they are for the time in which they relieve curtailment, and never move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.inputs import S_PER_H
from twin.policies.base import Commands, JobView, View
from twin.policies.filling import Room


@dataclass(frozen=True, kw_only=True)
class Temporal:
    """Starts, pauses and resumes jobs by the signals of the site where they are.

    A site runs what is welcome there: queued and paused jobs fill its headroom, those with the most time left
    first. Where it draws more than is welcome, running jobs pause, those with the least time left first,
    until the excess is gone. Beyond the headroom, a job waits if waiting pays: the outlook has a step in
    which more is relieved than from now until then, by more than what saving and loading costs. So a pause
    has a least length, and a surplus that returns soon or never interrupts nothing. Waiting jobs need no
    more energy and power than the outlook promises, else those that came first run at once, and none is held
    up for longer than `max_delay_h` in all. A job whose deadline would be missed by waiting longer runs.

    Attributes
    ----------
    min_gain : float
        Least gain for which a job waits; keeps it from following noise. [MW/MW]
    max_delay_h : float
        Longest time that a job has spent without running, beyond which it does not wait any more. [h]
    only_surplus : bool
        Whether work runs on surplus only: every job waits, whatever the outlook says and however long it
        takes, unless its deadline calls.
    """

    name: str = "temporal"
    min_gain: float = 0.15
    max_delay_h: float = 24.0
    only_surplus: bool = False

    def decide(self, view: View) -> Commands:
        """Hold back or let start queued jobs, resume paused ones, and pause running ones at new signals."""
        waiting = _Jobs.of(view, view.queued, view.paused)
        running = _Jobs.of(view, view.running)
        allowance = _promised_mwh(view)
        room = Room(view.sites.free_gpus, view.sites.headroom_p_mw, view.sites.gpu_p_mw)
        pause = np.zeros(0, dtype=np.int64)
        if view.renewed and len(running):
            pause = self._pause(view, running, room, allowance)
        if not len(waiting):
            return Commands(pause_job=running.job[pause])
        go = self._go(view, waiting, room, allowance)
        resume = waiting.is_started & go
        hold = ~waiting.is_started & ~go
        return Commands(
            pause_job=running.job[pause], resume_job=waiting.job[resume], hold_job=waiting.job[hold]
        )

    def _pause(self, view: View, running: _Jobs, room: Room, allowance: FloatArray) -> IntArray:
        """Rows of running jobs that pause: no more than a site draws too much."""
        waits = running.pausable & self._waits(view, running) & self._in_time(view, running)
        chosen = []
        for site in np.flatnonzero(room.headroom_p_mw < -_NOTHING_MW):
            row = np.flatnonzero(waits & (running.site == site))
            row = row[np.argsort(running.left_s[row], kind="stable")]
            gone = np.cumsum(running.power_mw[row])
            row = row[gone - running.power_mw[row] < -room.headroom_p_mw[site] - _NOTHING_MW]
            if not self.only_surplus:
                row = row[np.cumsum(running.need_mwh[row]) <= allowance[site] + _NOTHING_MW]
            allowance[site] -= running.need_mwh[row].sum()
            chosen.append(row)
        return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)

    def _go(self, view: View, waiting: _Jobs, room: Room, allowance: FloatArray) -> BoolArray:
        """Which of the waiting jobs run: what must, what is welcome, and what waits in vain."""
        go = np.zeros(len(waiting), dtype=np.bool_)
        may_wait = self._waits(view, waiting)
        in_time = self._in_time(view, waiting)
        for site in np.unique(waiting.site):
            here = np.flatnonzero(waiting.site == site)
            here = here[np.argsort(-waiting.left_s[here], kind="stable")]
            self._take(waiting, room, here[~in_time[here]], go, within_headroom=False)
            here = here[in_time[here]]
            worth = here[_is_worth_loading(view, waiting, here, int(site))]
            self._take(waiting, room, worth, go, within_headroom=True)
            rest = np.sort(here[~go[here]])
            patient = may_wait[rest]
            if not self.only_surplus:
                patient[patient] = _last_within(waiting.need_mwh[rest[patient]], allowance[site])
            self._take(waiting, room, rest[~patient], go, within_headroom=False)
        return go

    def _take(
        self, waiting: _Jobs, room: Room, row: IntArray, go: BoolArray, *, within_headroom: bool
    ) -> None:
        """Let jobs of one site go, in order, while they fit.

        A queued job that is not held back for lack of welcome may stand in the queue for GPUs as usual.
        """
        if not row.size:
            return
        site = int(waiting.site[row[0]])
        fits = room.fit(site, waiting.n_gpus[row], within_headroom=within_headroom)
        room.take(site, waiting.n_gpus[row[fits]])
        go[row[fits]] = True
        if not within_headroom:
            go[row[~waiting.is_started[row]]] = True

    def _waits(self, view: View, jobs: _Jobs) -> BoolArray:
        """Whether waiting pays for each job, at the most favourable step of the outlook."""
        if self.only_surplus:
            return np.ones(len(jobs), dtype=np.bool_)
        has_time = jobs.delay_s < self.max_delay_h * S_PER_H
        return np.asarray((_best_gain_s(view, jobs, self.min_gain) > 0.0) & has_time)

    def _in_time(self, view: View, jobs: _Jobs) -> BoolArray:
        """Whether a job meets its deadline if it waits until the next signals."""
        slack_s = jobs.deadline_s - view.now_s - jobs.left_s - jobs.load_s - jobs.save_s
        return np.asarray(slack_s > view.signal_step_s)


_NOTHING_MW = 1e-9
"""What rounding leaves: below this, a site draws no more than is welcome. [MW]"""


@dataclass(frozen=True, eq=False)
class _Jobs:
    """Jobs with what the decision needs; times to save and load are 0 where nothing has to be."""

    job: IntArray
    site: IntArray
    n_gpus: IntArray
    left_s: FloatArray
    save_s: FloatArray
    load_s: FloatArray
    hold_ratio: FloatArray
    power_mw: FloatArray
    need_mwh: FloatArray
    delay_s: FloatArray
    deadline_s: FloatArray
    pausable: BoolArray
    is_started: BoolArray

    def __len__(self) -> int:
        return len(self.job)

    @classmethod
    def of(cls, view: View, first: JobView, paused: JobView | None = None) -> _Jobs:
        """Join queued and paused jobs, or take the running ones alone."""
        parts = [first] if paused is None else [first, paused]
        site, n_gpus, pace, left, work, size, submit = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in (
                "site",
                "n_gpus",
                "pace_gpus",
                "remaining_gpu_h",
                "work_gpu_h",
                "checkpoint_gb",
                "submit_s",
            )
        )
        sites, open_s = view.sites, _promised_s(view)
        rate = pace * sites.speed[site] / S_PER_H
        left_s = left / rate
        is_running = paused is None
        started = np.concatenate([np.full(len(part), is_running or i > 0) for i, part in enumerate(parts)])
        power_mw = n_gpus * sites.gpu_p_mw[site]
        return cls(
            job=np.concatenate([part.job for part in parts]),
            site=site,
            n_gpus=n_gpus,
            left_s=left_s,
            save_s=np.where(is_running, view.migration.save_s(size, n_gpus), 0.0),
            load_s=np.where(started, view.migration.load_s(size, n_gpus), 0.0),
            hold_ratio=sites.held_gpu_p_mw[site] / sites.gpu_p_mw[site],
            power_mw=power_mw,
            need_mwh=power_mw * np.minimum(left_s, open_s[site]) / S_PER_H,
            delay_s=view.now_s - submit - (work - left) / rate,
            deadline_s=np.concatenate([part.deadline_s for part in parts]),
            pausable=np.concatenate([part.pausable for part in parts]),
            is_started=started,
        )


def _best_gain_s(view: View, jobs: _Jobs, min_gain: float) -> FloatArray:
    """Relief gained by waiting until the best step ahead, in seconds of the job's full power and relief.

    Until step k the job would relieve the mean of the outlook up to k; the same work done from k on relieves
    what is expected at k. Saving and loading cost what the held devices draw, and loading the relief of a job
    that could run instead. The best k is the largest of gain · time − cost. (job)
    """
    ahead = view.sites.outlook_marginal
    n = len(ahead)
    if n < 2:
        return np.full(len(jobs), -np.inf)
    until = np.cumsum(ahead, axis=0)[:-1] / np.arange(1, n)[:, None]
    later = ahead[1:]
    gain = np.where(later - until >= min_gain, later - until, -np.inf)[:, jobs.site]
    shifted_s = np.minimum(np.arange(1, n)[:, None] * view.signal_step_s, jobs.left_s)
    pause_s = jobs.save_s + jobs.load_s
    cost_s = pause_s * jobs.hold_ratio + jobs.load_s * np.maximum(later[:, jobs.site], 0.0)
    net = np.where(shifted_s > pause_s, gain * shifted_s - cost_s, -np.inf)
    return np.asarray(net.max(axis=0))


def _is_worth_loading(view: View, waiting: _Jobs, row: IntArray, site: int) -> BoolArray:
    """Whether a job has more time in the surplus that is there than loading it takes."""
    is_open = view.sites.outlook_absorbable_p_mw[:, site] > _NOTHING_MW
    steps = len(is_open) if is_open.all() else int(np.argmin(is_open))
    window_s = np.minimum(max(steps, 1) * view.signal_step_s, waiting.left_s[row])
    return np.asarray(window_s > waiting.load_s[row] * (1.0 + waiting.hold_ratio[row]))


def _promised_mwh(view: View) -> FloatArray:
    """Energy that the outlook holds after this step: what is welcome, up to what GPUs draw. (site)"""
    return np.asarray(_welcome_mw(view).sum(axis=0) * view.signal_step_s / S_PER_H)


def _promised_s(view: View) -> FloatArray:
    """How long the outlook holds what it does at its peak: the longest use of a job that waits. [s] (site)"""
    welcome = _welcome_mw(view)
    peak = welcome.max(axis=0, initial=0.0)
    total = welcome.sum(axis=0) * view.signal_step_s
    return np.asarray(np.divide(total, peak, out=np.zeros_like(peak), where=peak > _NOTHING_MW))


def _welcome_mw(view: View) -> FloatArray:
    sites = view.sites
    most = sites.gpu_capacity * sites.gpu_p_mw
    return np.asarray(np.clip(sites.outlook_absorbable_p_mw[1:], 0.0, most))


def _last_within(need_mwh: FloatArray, allowance_mwh: float) -> BoolArray:
    """Mark the jobs that came last and together need no more than there will be."""
    return np.asarray(np.cumsum(need_mwh[::-1])[::-1] <= allowance_mwh + _NOTHING_MW)
