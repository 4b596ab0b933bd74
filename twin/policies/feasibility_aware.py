"""Jobs to where they relieve curtailment, if the move is worth its time and energy."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.feasibility import CAPACITY, DEFAULT_CLASS_A, GAIN, STAY, Feasibility, domain
from twin.inputs import S_PER_H
from twin.policies.base import Commands, Refusals, View
from twin.policies.doubt import DEFAULT_RATE_RATIOS, Doubt, Doubtful
from twin.policies.filling import Room, fill, may_run_at
from twin.policies.sizing import Sizing, sized
from weather import Findings


@dataclass(frozen=True, kw_only=True)
class FeasibilityAware:
    """Places jobs by what they are expected to relieve, and moves them inside the feasibility domain only.

    Placing costs nothing, so it comes first. A queued job goes to the best site with headroom whose expected
    marginal curtailment over the job's run is higher than at its origin; where nothing is to be gained it
    runs at its origin if GPUs are free there, else wherever they are.

    A running job is a candidate for a move to a site with headroom if the mean expected marginal curtailment
    over what remains of the window there is higher than where it is. The remaining window W ends with the
    window at the destination or with the job. Candidates are ranked by the power they move per byte, go
    through :func:`twin.feasibility.feasibility` and fill the headroom in that order; then they are checked
    once more with the rate that is left to each when all chosen ones share the links. No more leaves a site
    than it has too much.

    With `epsilon` the domain is the stochastic one: a move has to fit, with all its conditions together, in a
    share of 1 − ε of what may come, the members of the outlook times the rates of the network. With one
    member and one rate that is the deterministic domain.

    Against flapping, a job that has moved or paused may be asked to stay for a time, and for more to gain
    before it moves again or goes back to where it came from.

    Attributes
    ----------
    min_gain : float
        Least gain for which a running job is moved; keeps it from following noise. [MW/MW]
    min_place_gain : float
        Least gain for which a queued job starts elsewhere than at its origin, which costs nothing. [MW/MW]
    min_speed_ratio : float
        Slowest acceptable site, over the speed of where the job is.
    epsilon : float, optional
        Chance accepted that a move does not fit, in [0, 1); None for what is expected alone. [1]
    rate_ratios : tuple of float
        With `epsilon`, equally likely rates of a transfer over the present one. Where the network changes
        over time, those of the past day take their place. [1]
    min_stay_h : float
        Least time that a job runs after a move or a pause before it moves again. [h]
    back_gain : float
        Least gain for which a job goes back to the site that its last move began at. [MW/MW]
    again_gain, again_h : float
        Least gain for which a job moves that moved or paused less than so long ago. [MW/MW], [h]
    resizes : bool
        Whether elastic jobs are made wider and narrower, as `twin.policies.sizing` tells.
    resize_stretch : float
        Longest time from submission to end for which a job is made narrower, over its run time. [1]
    """

    name: str = "feasibility_aware"
    min_gain: float = 0.15
    min_place_gain: float = 0.01
    min_speed_ratio: float = 0.8
    epsilon: float | None = None
    rate_ratios: tuple[float, ...] = DEFAULT_RATE_RATIOS
    min_stay_h: float = 0.0
    back_gain: float = 0.0
    again_gain: float = 0.0
    again_h: float = 0.0
    resizes: bool = True
    resize_stretch: float = 2.0

    def __post_init__(self) -> None:
        """Refuse options outside their range."""
        findings = Findings()
        if self.epsilon is not None and not 0.0 <= self.epsilon < 1.0:
            findings.add("epsilon", f"is {self.epsilon}", "give a chance in [0, 1), or none")
        if not self.rate_ratios or not all(0.0 <= x < np.inf for x in self.rate_ratios):
            findings.add("rate_ratios", f"are {self.rate_ratios}", "give at least one, each at least 0")
        for name in ("min_stay_h", "back_gain", "again_gain", "again_h"):
            value = getattr(self, name)
            if not 0.0 <= value < np.inf:
                findings.add(name, f"is {value}", "give at least 0")
        if not 1.0 <= self.resize_stretch < np.inf:
            findings.add("resize_stretch", f"is {self.resize_stretch}", "give at least 1")
        findings.raise_if_any("policy feasibility_aware")

    @property
    def keeps_calm(self) -> bool:
        """Whether jobs that have moved or paused are asked for more than others."""
        return self.min_stay_h > 0.0 or self.back_gain > 0.0 or (self.again_gain > 0.0 and self.again_h > 0.0)

    def decide(self, view: View) -> Commands:
        """Place queued jobs, and move running ones when signals are renewed."""
        outlook = Outlook.of(view)
        room = Room(view.sites.free_gpus, view.sites.headroom_p_mw, view.sites.gpu_p_mw)
        place = self._place(view, outlook, room)
        placed = place >= 0
        if not view.renewed:
            return self._sized(view, Commands(view.queued.job[placed], place[placed]))
        waiting_at = view.queued.site[~placed]
        room.free_gpus[waiting_at] = 0
        dest, refused = self._move(view, outlook, room)
        moved = dest >= 0
        commands = Commands(
            view.queued.job[placed], place[placed], view.running.job[moved], dest[moved], refused
        )
        return self._sized(view, commands)

    def _sized(self, view: View, commands: Commands) -> Commands:
        return sized(view, commands, Sizing(max_stretch=self.resize_stretch)) if self.resizes else commands

    def _place(self, view: View, outlook: Outlook, room: Room) -> IntArray:
        """Site of each queued job, -1 where it has to wait."""
        queued, sites = view.queued, view.sites
        if not len(queued):
            return np.zeros(0, dtype=np.int64)
        run_s = queued.remaining_gpu_h[:, None] / (queued.pace_gpus[:, None] * sites.speed) * S_PER_H
        value = outlook.mean_over(run_s)
        at_origin = queued.origin[:, None] == np.arange(sites.n_sites)
        gain = value - np.take_along_axis(value, queued.origin[:, None], axis=1)
        allowed = may_run_at(queued, sites)
        fast = sites.speed >= self.min_speed_ratio * sites.speed[queued.origin][:, None]
        better = allowed & fast & (gain > self.min_place_gain)
        full = room.headroom_p_mw <= 0.0
        stages = (
            (better | (allowed & at_origin), True),
            (better & full, False),
            (allowed & at_origin, False),
            (allowed & fast, False),
            (allowed, False),
        )
        place = np.full(len(queued), -1, dtype=np.int64)
        for eligible, within_headroom in stages:
            left = np.flatnonzero(place < 0)
            if not left.size:
                break
            place[left] = fill(
                room, outlook.order, eligible[left], queued.n_gpus[left], within_headroom=within_headroom
            )
        return place

    def _move(self, view: View, outlook: Outlook, room: Room) -> tuple[IntArray, Refusals]:
        """Destination of each running job, -1 where it stays, and the audit."""
        dest = np.full(len(view.running), -1, dtype=np.int64)
        audit = _Audit(view)
        doubt = None if self.epsilon is None else Doubt.of(view, self.epsilon, self.rate_ratios)
        least_gpus = view.running.n_gpus.min(initial=_MANY_GPUS)
        for site in outlook.order:
            # Whatever exceeds the headroom is neither moved nor noted, so that there is nothing to look for.
            too_little = room.headroom_p_mw[site] < least_gpus * room.gpu_p_mw[site]
            if too_little or room.headroom_p_mw[site] <= 0.0 or outlook.window_s[site] <= 0.0:
                continue
            candidates = self._candidates(view, outlook, room, int(site), np.flatnonzero(dest < 0))
            if not np.any(candidates.power_mw <= room.headroom_p_mw[site]):
                continue
            if doubt is not None:
                candidates = replace(candidates, doubt=doubt)
            if self.keeps_calm and candidates.job.size:
                candidates = self._settled(view, room, candidates, audit)
            if candidates.job.size:
                dest[_choose(view, room, candidates, audit)] = site
        return dest, audit.refusals(except_for=dest >= 0)

    def _candidates(self, view: View, outlook: Outlook, room: Room, site: int, job: IntArray) -> _Candidates:
        """Jobs that would gain at a site, those that move the most power per byte first."""
        running, sites = view.running, view.sites
        here = running.site[job]
        fits = running.migratable[job] & (running.n_gpus[job] <= sites.gpu_capacity[site])
        fast = sites.speed[site] >= self.min_speed_ratio * sites.speed[here]
        job = job[fits & fast & (here != site)]
        n_gpus, here = running.n_gpus[job], running.site[job]
        left_s = running.remaining_gpu_h[job] / (running.pace_gpus[job] * sites.speed[site]) * S_PER_H
        window_s = np.minimum(outlook.window_s[site], left_s)
        gain = outlook.mean_at(window_s, site) - outlook.mean_at(window_s, here)
        power_mw = n_gpus * room.gpu_p_mw[site]
        per_byte = power_mw * gain / np.maximum(running.checkpoint_gb[job], _SMALLEST_GB)
        rank = np.lexsort((job, -per_byte))
        rank = rank[gain[rank] > self.min_gain]
        return _Candidates(
            site=site,
            job=job[rank],
            source=here[rank],
            window_s=window_s[rank],
            gain=gain[rank],
            power_mw=power_mw[rank],
            left_s=left_s[rank],
        )

    def _settled(self, view: View, room: Room, candidates: _Candidates, audit: _Audit) -> _Candidates:
        """Leave out, and note, those that have only just come or gain too little to move again."""
        running, job = view.running, candidates.job
        stayed_s = view.now_s - running.settled_s[job]
        is_again = stayed_s < self.again_h * S_PER_H
        is_back = running.came_from[job] == candidates.site
        short_s = stayed_s - self.min_stay_h * S_PER_H
        short_gain = candidates.gain - np.maximum(self.again_gain * is_again, self.back_gain * is_back)
        stays = (short_s < 0.0) | (short_gain < 0.0)
        row = np.flatnonzero(stays & (candidates.power_mw <= room.headroom_p_mw[candidates.site]))
        is_early = short_s[row] < 0.0
        audit.add_rows(
            candidates,
            row,
            np.where(is_early, STAY, GAIN),
            np.where(is_early, short_s[row], short_gain[row]),
        )
        return candidates.take(np.flatnonzero(~stays))


_SMALLEST_GB = 1e-6
_MANY_GPUS = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Outlook:
    """What may be expected at each site.

    Attributes
    ----------
    running_mean : ndarray (steps + 1, site)
        Mean marginal curtailment over the first n steps; row 0 is the value now. [MW/MW]
    step_s : float
        Step. [s]
    window_s : ndarray (site)
        How long the window that is open at each site is expected to last, 0 where none is. [s]
    order : ndarray of int (site)
        Sites by expected marginal curtailment over a typical stay, best first.
    """

    running_mean: FloatArray
    step_s: float
    window_s: FloatArray
    order: IntArray

    @classmethod
    def of(cls, view: View) -> Outlook:
        """Read it from a view."""
        marginal = view.sites.outlook_marginal
        n = len(marginal)
        running_mean = np.empty((n + 1, marginal.shape[1]))
        running_mean[0] = marginal[0]
        mean = np.cumsum(marginal, axis=0, out=running_mean[1:])
        mean /= np.arange(1, n + 1)[:, None]
        is_open = marginal >= view.theta
        open_steps = np.where(is_open.all(axis=0), n, np.argmin(is_open, axis=0))
        stay = min(n - 1, max(0, round(TYPICAL_STAY_S / view.signal_step_s) - 1))
        return cls(
            running_mean=running_mean,
            step_s=view.signal_step_s,
            window_s=open_steps * view.signal_step_s,
            order=np.argsort(-mean[stay], kind="stable"),
        )

    def mean_over(self, seconds: FloatArray) -> FloatArray:
        """Mean marginal curtailment at each site over the next seconds, (job, site) both. [MW/MW]"""
        return self.mean_at(seconds, np.arange(self.running_mean.shape[1]))

    def mean_at(self, seconds: FloatArray, site: IntArray | int) -> FloatArray:
        """Mean marginal curtailment over the next seconds at some sites, broadcast. [MW/MW]"""
        n = np.minimum(np.maximum(np.ceil(seconds / self.step_s), 0), len(self.running_mean) - 1)
        return np.asarray(self.running_mean[n.astype(np.int64), site])


TYPICAL_STAY_S = 6 * S_PER_H
"""Over how long sites are compared when they are put in order. [s]"""


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Running jobs that would gain at one site, in rank order; rows refer to the view's running jobs."""

    site: int
    job: IntArray
    source: IntArray
    window_s: FloatArray
    gain: FloatArray
    power_mw: FloatArray
    left_s: FloatArray
    doubt: Doubt | None = None

    def take(self, rows: IntArray) -> _Candidates:
        """Return some of them."""
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("site", "doubt")}
        return replace(self, **{name: values[rows] for name, values in columns.items()})

    def check(
        self, view: View, bandwidth_gbit_per_s: FloatArray, free_gpus: int, rows: IntArray
    ) -> Feasibility | Doubtful:
        """Ask the feasibility domain about some of the candidates."""
        running, job = view.running, self.job[rows]
        ask = domain_of(view)
        of_move: dict[str, FloatArray] = {
            "size": running.checkpoint_gb[job],
            "n_gpus": running.n_gpus[job].astype(np.float64),
            "job_power_mw": self.power_mw[rows],
            "hold_power_mw": running.n_gpus[job] * view.sites.held_gpu_p_mw[self.site],
            "latency_s": view.latency_s[self.source[rows], self.site],
            "free_gpus": np.array(free_gpus, dtype=np.float64),
            "memory_gb_per_gpu": running.memory_gb_per_gpu[job],
            "device_memory_gb": np.asarray(view.sites.memory_gb_per_gpu[self.site]),
            "remaining_s": self.left_s[rows],
            "deadline_s": running.deadline_s[job] - view.now_s,
        }
        certain = ask(
            bandwidth=bandwidth_gbit_per_s, window=self.window_s[rows], gain=self.gain[rows], **of_move
        )
        if self.doubt is None:
            return certain
        return self.doubt.verdict(
            certain,
            ask,
            of_move,
            bandwidth=bandwidth_gbit_per_s,
            source=self.source[rows],
            site=self.site,
            left_s=self.left_s[rows],
        )


def domain_of(view: View) -> partial[Feasibility]:
    """Return the feasibility domain with the limits and migration of a view, whose rates are of payload."""
    return partial(
        domain,
        alpha=view.alpha,
        class_a=min(DEFAULT_CLASS_A, view.alpha),
        goodput=1.0,
        min_bandwidth_gbit_per_s=0.0,
        wan_kwh_per_gb=view.wan_kwh_per_gb,
        migration=view.migration,
    )


@dataclass(eq=False)
class _Audit:
    """Refusals of one decision; of each job the first, at its best destination, is kept."""

    view: View
    job: list[IntArray] = field(default_factory=list)
    dest: list[IntArray] = field(default_factory=list)
    reason: list[IntArray] = field(default_factory=list)
    margin: list[FloatArray] = field(default_factory=list)

    def add(
        self, candidates: _Candidates, rows: IntArray, result: Feasibility | Doubtful, of_result: IntArray
    ) -> None:
        """Note what the domain said of some candidates."""
        reason = result.binding[of_result].astype(np.int64)
        margins = np.stack([margin[of_result] for margin in result.margins.values()])
        self.add_rows(candidates, rows, reason, margins[reason - 1, np.arange(rows.size)])

    def add_rows(self, candidates: _Candidates, rows: IntArray, reason: IntArray, margin: FloatArray) -> None:
        """Note some candidates with their reasons and margins."""
        self.job.append(candidates.job[rows])
        self.dest.append(np.full(rows.size, candidates.site, dtype=np.int64))
        self.reason.append(reason)
        self.margin.append(margin)

    def refusals(self, *, except_for: BoolArray) -> Refusals:
        """Return the audit without the jobs that move after all."""
        if not self.job:
            return Refusals()
        columns = (self.job, self.dest, self.reason, self.margin)
        job, dest, reason, margin = (np.concatenate(x) for x in columns)
        job, first = np.unique(job, return_index=True)
        stays = ~except_for[job]
        job, first = job[stays], first[stays]
        return Refusals(self.view.running.job[job], dest[first], reason[first], margin[first])


def _choose(view: View, room: Room, candidates: _Candidates, audit: _Audit) -> IntArray:
    """Pick the candidates that move, book them, note the others; rows of the view's running jobs."""
    site, every = candidates.site, np.arange(candidates.job.size)
    n_gpus = view.running.n_gpus[candidates.job]
    alone = view.bandwidth_gbit_per_s[candidates.source, site]
    headroom = room.headroom_p_mw[site]
    first = candidates.check(view, alone, int(room.free_gpus[site]), every)
    able = np.flatnonzero(first.feasible)
    if able.size:
        able = able[_within_excess(room, candidates.source[able], n_gpus[able])]
    fitting = able[room.fit(site, n_gpus[able], within_headroom=True)]
    chosen = fitting
    if fitting.size > 1:
        crowd = crowding(view.running.checkpoint_gb[candidates.job[fitting]])
        second = candidates.check(view, alone[fitting] / crowd, int(room.free_gpus[site]), fitting)
        chosen = fitting[second.feasible]
        crowded = np.flatnonzero(~second.feasible)
        audit.add(candidates, fitting[crowded], second, crowded)
    room.take(site, n_gpus[chosen])
    room.leave(candidates.source[chosen], n_gpus[chosen])

    booked = np.cumsum(np.bincount(chosen, weights=candidates.power_mw[chosen], minlength=every.size))
    welcome = candidates.power_mw <= headroom - booked
    refused = np.flatnonzero(~first.feasible & welcome)
    audit.add(candidates, refused, first, refused)
    missing = n_gpus - room.free_gpus[site]
    cut = able[(missing[able] > 0) & welcome[able]]
    if cut.size:
        cut = np.setdiff1d(cut, fitting)
        audit.add_rows(candidates, cut, np.full(cut.size, CAPACITY), -missing[cut].astype(np.float64))
    return candidates.job[chosen]


def _within_excess(room: Room, source: IntArray, n_gpus: IntArray) -> BoolArray:
    """Say which jobs may leave, in order, so that no site gives up more than its excess of load."""
    keep = np.ones(len(source), dtype=np.bool_)
    for site in np.unique(source):
        excess = -room.headroom_p_mw[site]
        if excess > 0.0:
            row = np.flatnonzero(source == site)
            gone = np.cumsum(n_gpus[row]) * room.gpu_p_mw[site]
            keep[row] = gone - n_gpus[row] * room.gpu_p_mw[site] < excess
    return keep


def crowding(size_gb: FloatArray) -> FloatArray:
    """How many times longer each of several transfers takes that begin at once and share one link fairly.

    Parameters
    ----------
    size_gb : ndarray
        Sizes. [GB]

    Returns
    -------
    ndarray
        Time of each over its time alone, sum over all of min(size, own size) / own size; at least 1.

    Examples
    --------
    The smaller one waits half of the time while both send; the larger one for all of the smaller:

    >>> crowding(np.array([1.0, 3.0])).round(3).tolist()
    [2.0, 1.333]
    """
    n = len(size_gb)
    order = np.argsort(size_gb, kind="stable")
    rising = np.maximum(size_gb[order], _SMALLEST_GB)
    factor = np.empty(n)
    factor[order] = (np.cumsum(rising) + np.arange(n - 1, -1, -1) * rising) / rising
    return factor
