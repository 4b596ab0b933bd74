"""When sites are down: listed, or drawn from mean times between failures and to repair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.wan_changes import LinkOutage, links_like, with_outages
from weather import Findings

if TYPE_CHECKING:
    from twin.inputs import SimulationInputs
    from twin.wan import Wan

S_PER_H = 3600.0
FOREVER_S = 1e15
"""End of what never ends. [s]"""


@dataclass(frozen=True, eq=False)
class SiteOutages:
    """Times in which sites are down; those of one site may overlap.

    Attributes
    ----------
    site : ndarray of int (outage)
        Position in the site table.
    begin_s, end_s : ndarray (outage)
        From when until when, since the start of the run; they may lie outside of it. [s]

    Examples
    --------
    >>> SiteOutages.of([(1, 400.0, 900.0)]).by_tick(n_sites=2, n_ticks=4, tick_s=300)[:, 1].tolist()
    [False, True, True, False]
    """

    site: IntArray
    begin_s: FloatArray
    end_s: FloatArray

    def __post_init__(self) -> None:
        """Refuse outages that end before they begin, and columns of different length."""
        findings = Findings()
        if not self.site.shape == self.begin_s.shape == self.end_s.shape:
            findings.add("site outages", "columns differ in length", "give site, begin and end of each")
            findings.raise_if_any("site outages")
        finite = np.isfinite(self.begin_s) & np.isfinite(self.end_s)
        for k in np.flatnonzero(~(finite & (self.begin_s < self.end_s) & (self.site >= 0))):
            findings.add(
                f"site outage {k}",
                f"site {self.site[k]} from {self.begin_s[k]} s to {self.end_s[k]} s",
                "give a site counted from 0 and finite times, the end after the begin",
            )
        findings.raise_if_any("site outages")

    @classmethod
    def of(cls, rows: Iterable[tuple[int, float, float]]) -> SiteOutages:
        """Make a table of (site, begin, end) rows. [1], [s], [s]"""
        table = np.array(list(rows), dtype=np.float64).reshape(-1, 3)
        return cls(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])

    def by_tick(self, *, n_sites: int, n_ticks: int, tick_s: int) -> BoolArray:
        """Say in which ticks each site is down: all those an outage touches, (tick, site)."""
        down = np.zeros((n_ticks, n_sites), dtype=np.bool_)
        first = np.clip(np.floor(self.begin_s / tick_s), 0, n_ticks).astype(np.int64)
        last = np.clip(np.ceil(self.end_s / tick_s), 0, n_ticks).astype(np.int64)
        for site, begin, end in zip(self.site, first, last, strict=True):
            down[begin:end, site] = True
        return down


def draw_outages(
    n_sites: int, duration_s: float, *, mtbf_h: float, mttr_h: float, seed: int
) -> list[tuple[int, float, float]]:
    """Draw outages of sites that fail and are repaired independently of each other.

    Parameters
    ----------
    n_sites
        Number of sites; each has a random stream of its own, so that one more changes none of the others.
    duration_s
        Length of the run; all sites are up at its start. [s]
    mtbf_h, mttr_h
        Mean time from a repair to the next failure, and from a failure to its repair; both exponential. [h]
    seed
        Root of the streams.

    Returns
    -------
    list of (int, float, float)
        Site, begin and end of every outage that begins within the run. [1], [s], [s]

    Raises
    ------
    InputError
        Where a mean time is not above 0.

    Examples
    --------
    >>> rows = draw_outages(2, 1e6, mtbf_h=100.0, mttr_h=5.0, seed=1)
    >>> rows == [row for row in draw_outages(3, 1e6, mtbf_h=100.0, mttr_h=5.0, seed=1) if row[0] < 2]
    True
    """
    findings = Findings()
    for name, value in (("mtbf_h", mtbf_h), ("mttr_h", mttr_h)):
        if not 0.0 < value < np.inf:
            findings.add(name, f"is {value} h", "give more than 0 h")
    findings.raise_if_any("site outages")
    rows = []
    for site in range(n_sites):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(site,)))
        begin = rng.exponential(mtbf_h) * S_PER_H
        while begin < duration_s:
            end = begin + rng.exponential(mttr_h) * S_PER_H
            rows.append((site, begin, end))
            begin = end + rng.exponential(mtbf_h) * S_PER_H
    return rows


def with_site_outages(inputs: SimulationInputs, outages: SiteOutages) -> SimulationInputs:
    """Return what a run is given, with sites that go down and take their access links with them.

    Parameters
    ----------
    inputs
        The run; link outages it has are kept, site outages it has must be none.
    outages
        When which site is down. An outage takes whole ticks: all those it touches.

    Returns
    -------
    SimulationInputs
        A transfer to or from a site that is down is cut, and tries again, as by an outage of its link.
    """
    return replace(inputs, outages=outages, wan=_cut_off(inputs.wan, inputs, outages))


def _cut_off(wan: Wan, inputs: SimulationInputs, outages: SiteOutages) -> Wan:
    """Network whose access links are down with their sites, beside what is down already."""
    ticks = outages.by_tick(n_sites=inputs.n_sites, n_ticks=inputs.n_ticks, tick_s=inputs.tick_s)
    rows = _link_outages(wan)
    for site in np.flatnonzero(ticks.any(axis=0)):
        name = inputs.sites.name[site]
        links = links_like(wan, f"up:{name}", both_ways=True)
        edges = np.flatnonzero(np.diff(ticks[:, site], prepend=False, append=False)) * inputs.tick_s
        for begin, end in edges.reshape(-1, 2).astype(float):
            rows += [LinkOutage(link, float(begin), float(end)) for link in links]
    if not rows:
        return wan
    return with_outages(wan, rows, retry=None if wan.timeline is None else wan.timeline.retry)


def _link_outages(wan: Wan) -> list[LinkOutage]:
    """Outages of links that a network has, as a list again."""
    if wan.timeline is None:
        return []
    times = [*wan.timeline.change_s.tolist(), FOREVER_S]
    return [
        LinkOutage(wan.link[link], times[k], times[k + 1])
        for k in range(len(times) - 1)
        for link in np.flatnonzero(wan.timeline.routing_at(k).down)
    ]
