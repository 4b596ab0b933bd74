"""A policy that decides for groups of sites as if each were all there is."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from twin._arrays import IntArray
from twin.policies.base import Commands, JobView, Policy, Refusals, SiteView, View


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Lets a policy decide for each group of sites by itself, so that no job leaves its group.

    In each group the policy sees sites, jobs and links of that group alone; it does what it would do if
    the others did not exist. With the groups of ``sites.grid`` a run is as many runs of one grid each
    as there are grids, on the same jobs.

    Attributes
    ----------
    policy : Policy
        What decides in every group.
    group : tuple of int (site)
        Group of each site.
    name : str
        Key in results.

    Examples
    --------
    >>> from twin.policies import Apart, FeasibilityAware
    >>> Apart(policy=FeasibilityAware(), group=(0, 0, 1, 1)).name
    'apart'
    """

    policy: Policy
    group: tuple[int, ...]
    name: str = "apart"

    def decide(self, view: View) -> Commands:
        """Join what the policy asks for in each group.

        Raises
        ------
        ValueError
            Where the view has other sites than groups were given for, or a job away from its origin's group.
        """
        group = np.asarray(self.group, dtype=np.int64)
        if group.size != view.sites.n_sites:
            raise ValueError(f"{group.size} groups given for {view.sites.n_sites} sites")
        for jobs in (view.queued, view.running, view.paused):
            if np.any(group[jobs.site] != group[jobs.origin]):
                raise ValueError("a job is outside the group of its origin: use one policy from the start")
        parts = []
        for number in np.unique(group):
            member = np.flatnonzero(group == number)
            commands = self.policy.decide(_seen_by(view, member, int(number)))
            parts.append(_at_sites(commands, member))
        return _joined(parts)


def _seen_by(view: View, member: IntArray, number: int) -> View:
    """Return the part of a view that sites see which know of no others."""
    pairs = np.ix_(member, member)
    return replace(
        view,
        sites=SiteView(**{f.name: getattr(view.sites, f.name)[..., member] for f in fields(SiteView)}),
        queued=_jobs_at(view.queued, member),
        running=_jobs_at(view.running, member),
        paused=_jobs_at(view.paused, member),
        bandwidth_gbit_per_s=view.bandwidth_gbit_per_s[pairs],
        past_bandwidth_gbit_per_s=view.past_bandwidth_gbit_per_s[:, member[:, None], member],
        latency_s=view.latency_s[pairs],
        seed=(*view.seed, number),
    )


def _jobs_at(jobs: JobView, member: IntArray) -> JobView:
    """Return the jobs at some sites, with sites numbered among these."""
    kept = jobs.take(np.isin(jobs.site, member))
    site, origin, before = (np.searchsorted(member, x) for x in (kept.site, kept.origin, kept.came_from))
    came_from = np.where(np.isin(kept.came_from, member), before, -1)
    return replace(kept, site=site, origin=origin, came_from=came_from)


def _at_sites(commands: Commands, member: IntArray) -> Commands:
    """Return commands with sites numbered among all."""
    return replace(
        commands,
        place_site=member[commands.place_site],
        move_dest=member[commands.move_dest],
        refused=replace(commands.refused, dest=member[commands.refused.dest]),
    )


def _joined(parts: list[Commands]) -> Commands:
    """Return commands one after the other."""
    names = [f.name for f in fields(Commands) if f.name != "refused"]
    refused = [part.refused for part in parts]
    columns = {f.name: np.concatenate([getattr(x, f.name) for x in refused]) for f in fields(Refusals)}
    rows = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Commands(**rows, refused=Refusals(**columns))


__all__ = ["Apart"]
