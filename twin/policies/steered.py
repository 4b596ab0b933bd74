"""A rule that is steered from outside by a few numbers per site: what a learning agent decides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.inputs import S_PER_H
from twin.policies.base import Commands, JobView, Policy, Refusals, View
from twin.policies.energy_greedy import EnergyGreedy
from twin.policies.feasibility_aware import FeasibilityAware, Outlook, crowding, domain_of
from twin.policies.static import Static
from twin.scheduler import first_fit
from weather import Findings

INNER: dict[str, type[Policy]] = {
    "static": Static,
    "energy_greedy": EnergyGreedy,
    "feasibility_aware": FeasibilityAware,
}
"""Rules that may be steered: those that keep no job waiting by themselves."""

PARTS = ("lift", "welcome", "wait")
"""Parts of an action, a number per site each, in this order."""


@dataclass(frozen=True, kw_only=True)
class Steered:
    """Shows an inner rule other signals than those published, and lets jobs wait for relief.

    All numbers are in [−1, 1] and one per site; 0, or none at all, changes nothing, and with all of them 0
    the commands are those of the inner rule.

    The steering may only choose among what can be done: a move that the inner rule `feasibility_aware` would
    make because of shown signals is asked about again with those published, at the rate that all moves
    to a site leave each other; one outside the feasibility domain is not made and goes into the audit.
    `energy_greedy` never asks the domain, and does not here.

    Attributes
    ----------
    inner : str
        Key of :data:`INNER`.
    lift : tuple of float (site)
        Added to the marginal curtailment, present and expected, that the inner rule sees. [MW/MW]
    welcome : tuple of float (site)
        By this share more of the absorbable power is shown to it; −1 shows none. [1]
    wait : tuple of float (site)
        Where above 0, queued jobs do not start and running ones that may pause do so while a further MW at
        the site relieves less than this now. [MW/MW]
    max_wait_h : float
        A job that has been kept from running for so long in all is not made to wait any more, and none so
        long that it would miss its deadline. [h]
    """

    name: str = "steered"
    inner: str = "feasibility_aware"
    lift: tuple[float, ...] = ()
    welcome: tuple[float, ...] = ()
    wait: tuple[float, ...] = ()
    max_wait_h: float = 24.0

    def __post_init__(self) -> None:
        """Refuse options outside their range."""
        findings = Findings()
        if self.inner not in INNER:
            findings.add("inner", f"no rule {self.inner!r} to be steered", f"known: {', '.join(INNER)}")
        for part in PARTS:
            if not all(-1.0 <= value <= 1.0 for value in getattr(self, part)):
                findings.add(part, f"is {getattr(self, part)}", "give numbers in [-1, 1], one per site")
        if not 0.0 <= self.max_wait_h < np.inf:
            findings.add("max_wait_h", f"is {self.max_wait_h} h", "give at least 0 h")
        findings.raise_if_any("policy steered")

    def steer(self, action: FloatArray) -> Steered:
        """Return the same with another action.

        Parameters
        ----------
        action : ndarray (3 · site)
            The parts in the order of :data:`PARTS`, each in [−1, 1].

        Examples
        --------
        >>> Steered().steer(np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.25])).wait
        (0.0, 0.25)
        """
        parts = np.asarray(action, dtype=np.float64).reshape(len(PARTS), -1)
        lift, welcome, wait = (tuple(part.tolist()) for part in parts)
        return replace(self, lift=lift, welcome=welcome, wait=wait)

    def decide(self, view: View) -> Commands:
        """Let the inner rule decide on what it is shown, and hold, pause and resume.

        Raises
        ------
        ValueError
            Where the view has another number of sites than the action.
        """
        lift, welcome, wait = (self._per_site(part, view) for part in PARTS)
        rule = INNER[self.inner]()
        shown = _shown(view, lift, 1.0 + welcome)
        commands = rule.decide(shown)
        if shown is not view and self.inner == "feasibility_aware":
            commands = _within_domain(commands, view)
        return self._with_waits(commands, view, np.where(wait > 0.0, wait, -np.inf))

    def _per_site(self, part: str, view: View) -> FloatArray:
        values, n = getattr(self, part), view.sites.n_sites
        if values and len(values) != n:
            raise ValueError(
                f"policy steered: {len(values)} values of {part} for {n} sites; give one per site"
            )
        return np.array(values or np.zeros(n), dtype=np.float64)

    def _with_waits(self, commands: Commands, view: View, least_relief: FloatArray) -> Commands:
        """Add to commands who waits until a site relieves enough, and who goes on."""
        low = view.sites.marginal_curtailment < least_relief
        if not (low.any() or len(view.paused)):
            return commands
        site = _placed_site(view.queued, commands)
        hold = view.queued.job[low[site] & self._may_wait(view, view.queued, site)]
        running, pause = view.running, np.zeros(0, dtype=np.int64)
        if view.renewed:
            waits = low[running.site] & running.pausable & self._may_wait(view, running, running.site)
            waits &= _run_s(view, running, running.site) > view.signal_step_s
            pause = np.setdiff1d(running.job[waits], commands.move_job)
        paused = view.paused
        goes_on = ~(low[paused.site] & self._may_wait(view, paused, paused.site))
        resume = paused.job[_fit_beside_moves(view, commands, goes_on)]
        sized = ~np.isin(commands.size_job, pause)
        return replace(
            commands,
            hold_job=hold,
            pause_job=pause,
            resume_job=resume,
            size_job=commands.size_job[sized],
            size_gpus=commands.size_gpus[sized],
        )

    def _may_wait(self, view: View, jobs: JobView, site: IntArray) -> BoolArray:
        """Whether jobs have waited less than the limit and have time until their deadline."""
        ran_s = (jobs.work_gpu_h - jobs.remaining_gpu_h) / (jobs.pace_gpus * view.sites.speed[site]) * S_PER_H
        waited_s = view.now_s - jobs.submit_s - ran_s
        spare_s = jobs.deadline_s - view.now_s - _run_s(view, jobs, site)
        storing_s = _storing_s(view, jobs)
        return np.asarray(
            (waited_s < self.max_wait_h * S_PER_H) & (spare_s > 2.0 * view.signal_step_s + storing_s)
        )


def _shown(view: View, lift: FloatArray, factor: FloatArray) -> View:
    """Return the view with other signals; the view itself where none is other."""
    if not lift.any() and np.all(factor == 1.0):
        return view
    sites = view.sites
    return replace(
        view,
        sites=replace(
            sites,
            absorbable_p_mw=sites.absorbable_p_mw * factor,
            outlook_absorbable_p_mw=sites.outlook_absorbable_p_mw * factor,
            member_absorbable_p_mw=sites.member_absorbable_p_mw * factor,
            marginal_curtailment=sites.marginal_curtailment + lift,
            outlook_marginal=sites.outlook_marginal + lift,
            member_marginal=sites.member_marginal + lift,
        ),
    )


def _run_s(view: View, jobs: JobView, site: IntArray) -> FloatArray:
    """Run time left at a site. [s]"""
    return np.asarray(jobs.remaining_gpu_h / (jobs.pace_gpus * view.sites.speed[site]) * S_PER_H)


def _storing_s(view: View, jobs: JobView) -> FloatArray:
    """Time to save and load a checkpoint. [s]"""
    model, gpus = view.migration, jobs.n_gpus.astype(np.float64)
    return np.asarray(model.save_s(jobs.checkpoint_gb, gpus) + model.load_s(jobs.checkpoint_gb, gpus))


def _placed_site(queued: JobView, commands: Commands) -> IntArray:
    """Where queued jobs stand once commands are carried out."""
    site = queued.site.copy()
    site[_rows_of(queued, commands.place_job)] = commands.place_site
    return site


def _rows_of(jobs: JobView, job: IntArray) -> IntArray:
    """Rows of a view's jobs in it."""
    order = np.argsort(jobs.job, kind="stable")
    return order[np.searchsorted(jobs.job, job, sorter=order)]


def _fit_beside_moves(view: View, commands: Commands, wanted: BoolArray) -> IntArray:
    """Rows of paused jobs that go on, in order, in GPUs that arriving and wider jobs leave free."""
    running, paused, n = view.running, view.paused, view.sites.n_sites
    mover = _rows_of(running, commands.move_job)
    taken = np.bincount(commands.move_dest, weights=running.n_gpus[mover], minlength=n)
    is_running = np.isin(commands.size_job, running.job)
    sized = _rows_of(running, commands.size_job[is_running])
    wider = np.maximum(commands.size_gpus[is_running] - running.n_gpus[sized], 0)
    taken = taken + np.bincount(running.site[sized], weights=wider, minlength=n)
    rows = []
    for site in np.unique(paused.site[wanted]):
        row = np.flatnonzero(wanted & (paused.site == site))
        rows.append(row[first_fit(paused.n_gpus[row], np.array(view.sites.free_gpus[site] - taken[site]))])
    return np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)


def _within_domain(commands: Commands, view: View) -> Commands:
    """Take out, and note, the moves that are not feasible with what was published."""
    job, dest = commands.move_job, commands.move_dest
    if not job.size:
        return commands
    running, sites, outlook = view.running, view.sites, Outlook.of(view)
    row = _rows_of(running, job)
    source, n_gpus = running.site[row], running.n_gpus[row].astype(np.float64)
    size, crowd = running.checkpoint_gb[row], np.ones(job.size)
    for site in np.unique(dest):
        crowd[dest == site] = crowding(size[dest == site])
    left_s = running.remaining_gpu_h[row] / (running.pace_gpus[row] * sites.speed[dest]) * S_PER_H
    window_s, each = np.minimum(outlook.window_s[dest], left_s), np.arange(job.size)
    means = outlook.mean_over(np.broadcast_to(window_s[:, None], (job.size, sites.n_sites)))
    answer = domain_of(view)(
        size=size,
        bandwidth=view.bandwidth_gbit_per_s[source, dest] / crowd,
        window=window_s,
        gain=means[each, dest] - means[each, source],
        n_gpus=n_gpus,
        job_power_mw=n_gpus * sites.gpu_p_mw[dest],
        hold_power_mw=n_gpus * sites.held_gpu_p_mw[dest],
        latency_s=view.latency_s[source, dest],
        free_gpus=sites.free_gpus[dest].astype(np.float64),
        memory_gb_per_gpu=running.memory_gb_per_gpu[row],
        device_memory_gb=sites.memory_gb_per_gpu[dest],
        remaining_s=left_s,
        deadline_s=running.deadline_s[row] - view.now_s,
    )
    able = np.asarray(answer.feasible)
    no = np.flatnonzero(~able)
    reason = answer.binding[no].astype(np.int64)
    margin = np.stack(list(answer.margins.values()))[reason - 1, no]
    refused = commands.refused
    return replace(
        commands,
        move_job=job[able],
        move_dest=dest[able],
        refused=Refusals(
            np.concatenate([refused.job, job[no]]),
            np.concatenate([refused.dest, dest[no]]),
            np.concatenate([refused.reason, reason]),
            np.concatenate([refused.margin, margin]),
        ),
    )
