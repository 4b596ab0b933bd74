"""Filling sites with jobs, arrays only: what the policies share."""

from __future__ import annotations

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.policies.base import JobView, SiteView
from twin.scheduler import first_fit


class Room:
    """What is left at each site while a policy fills it.

    Parameters
    ----------
    free_gpus : ndarray (site)
        Free GPUs.
    headroom_p_mw : ndarray (site)
        Load that is still welcome; may be negative. [MW]
    gpu_p_mw : ndarray (site)
        Power that one more running GPU adds. [MW]
    """

    def __init__(self, free_gpus: IntArray, headroom_p_mw: FloatArray, gpu_p_mw: FloatArray) -> None:
        self.free_gpus = free_gpus.astype(np.int64)
        self.headroom_p_mw = headroom_p_mw.astype(np.float64)
        self.gpu_p_mw = gpu_p_mw

    def fit(self, site: int, n_gpus: IntArray, *, within_headroom: bool) -> BoolArray:
        """Say which of the jobs, in order, fit into a site."""
        if not within_headroom:
            return first_fit(n_gpus, self.free_gpus[site])
        left_mw = max(self.headroom_p_mw[site], 0.0)
        need = np.column_stack([n_gpus, n_gpus * self.gpu_p_mw[site]])
        return first_fit(need, np.array([self.free_gpus[site], left_mw]))

    def take(self, site: int, n_gpus: IntArray) -> None:
        """Book jobs at a site."""
        total = int(n_gpus.sum())
        self.free_gpus[site] -= total
        self.headroom_p_mw[site] -= total * self.gpu_p_mw[site]

    def leave(self, site: IntArray, n_gpus: IntArray) -> None:
        """Book that jobs will leave: their load goes, their GPUs stay taken until they have left."""
        gone = np.bincount(site, weights=n_gpus, minlength=len(self.free_gpus))
        self.headroom_p_mw += gone * self.gpu_p_mw


def fill(
    room: Room, order: IntArray, eligible: BoolArray, n_gpus: IntArray, *, within_headroom: bool
) -> IntArray:
    """Go through sites in order and put into each the eligible jobs that fit, in their order.

    Parameters
    ----------
    room : Room
        What is left at each site; what is taken is booked in it.
    order : ndarray of int
        Sites to fill, best first.
    eligible : ndarray of bool (job, site)
        Whether a job may go to a site.
    n_gpus : ndarray of int (job)
        GPUs it needs.
    within_headroom : bool
        Whether to stop where no more load is welcome.

    Returns
    -------
    ndarray of int (job)
        Site of each job, -1 where it found none.
    """
    site_of = np.full(len(n_gpus), -1, dtype=np.int64)
    some: BoolArray = np.any(eligible, axis=0)
    for site in order[some[order]]:
        if room.free_gpus[site] <= 0 or (within_headroom and room.headroom_p_mw[site] <= 0.0):
            continue
        job = np.flatnonzero((site_of < 0) & eligible[:, site])
        if not job.size:
            continue
        job = job[room.fit(site, n_gpus[job], within_headroom=within_headroom)]
        room.take(site, n_gpus[job])
        site_of[job] = site
    return site_of


def fits_memory(jobs: JobView, sites: SiteView) -> BoolArray:
    """Say whether the memory that a job needs on each GPU is there at a site. (job, site)"""
    return np.asarray(jobs.memory_gb_per_gpu[:, None] <= sites.memory_gb_per_gpu)


def may_run_at(jobs: JobView, sites: SiteView) -> BoolArray:
    """Say whether a queued job may run at a site at all. (job, site)

    It fits into the GPUs the site may use and into the memory of each, and is there already or allowed to
    start elsewhere than at its origin.
    """
    fits = (jobs.n_gpus[:, None] <= sites.gpu_capacity) & fits_memory(jobs, sites)
    at_origin = jobs.origin[:, None] == np.arange(sites.n_sites)
    return np.asarray(fits & (jobs.placeable[:, None] | at_origin))
