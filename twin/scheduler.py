"""Who holds GPUs where, and which queued jobs start: first come, first served with backfill."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.state import (
    LOADING,
    PAUSING,
    RELOADING,
    RESIZING,
    RESTARTING,
    RESUMING,
    RUNNING,
    SAVING,
    SENDING,
    PhaseArray,
    State,
)


@dataclass(frozen=True, eq=False)
class Usage:
    """GPUs in use at each site.

    Attributes
    ----------
    running : ndarray of int (site)
        In jobs that run.
    held : ndarray of int (site)
        In jobs that save, send or load, for a move, a pause, a new start or another size.
    reserved : ndarray of int (site)
        Reserved, and empty, for jobs that are saving, sending or copied ahead elsewhere.
    loading : ndarray of int (site)
        The part of `held` in jobs that load, and in those that save for another size what they will have.
    leaving : ndarray of int (site)
        The part of `running` in jobs that are copied ahead of a live move.
    """

    running: IntArray
    held: IntArray
    reserved: IntArray
    loading: IntArray
    leaving: IntArray

    @property
    def total(self) -> IntArray:
        """GPUs that nobody else can have. [1]"""
        return self.running + self.held + self.reserved

    @property
    def committed(self) -> IntArray:
        """GPUs that run once every move under way has arrived. [1]"""
        return self.running - self.leaving + self.loading + self.reserved


def usage(state: State, active: IntArray, n_sites: int) -> Usage:
    """Count the GPUs in use.

    Parameters
    ----------
    state : State
        Present state.
    active : ndarray of int
        Rows of the jobs that may be using GPUs.
    n_sites : int
        Number of sites.

    Returns
    -------
    Usage
        Per site.
    """
    return Usage(*counted(state.phase, state.site, state.dest, state.n_gpus, state.new_gpus, active, n_sites))


@numba.njit(cache=True)
def counted(
    phase: PhaseArray,
    site: IntArray,
    dest: IntArray,
    n_gpus: IntArray,
    new_gpus: IntArray,
    active: IntArray,
    n_sites: int,
) -> IntArray:
    """GPUs of active jobs, (running, held, reserved, loading, leaving) by site: the fields of `Usage`."""
    result = np.zeros((5, n_sites), dtype=np.int64)
    for job in active:
        now = phase[job]
        if now == RUNNING:
            result[0, site[job]] += n_gpus[job]
            if dest[job] >= 0:
                result[2, dest[job]] += n_gpus[job]
                result[4, site[job]] += n_gpus[job]
        elif now in (SAVING, SENDING, LOADING, PAUSING, RESUMING, RESTARTING, RELOADING):
            result[1, site[job]] += n_gpus[job]
        elif now == RESIZING:
            result[1, site[job]] += max(n_gpus[job], new_gpus[job])
            result[3, site[job]] += new_gpus[job]
        if now in (SAVING, SENDING):
            result[2, dest[job]] += n_gpus[job]
        elif now in (LOADING, RESUMING, RESTARTING, RELOADING):
            result[3, site[job]] += n_gpus[job]
    return result


def first_fit(size: FloatArray | IntArray, capacity: FloatArray | IntArray) -> BoolArray:
    """Go through items in order and take each that still fits into what is left.

    Parameters
    ----------
    size : ndarray (item,) or (item, resource)
        What each item needs, >= 0.
    capacity : float or ndarray (resource,)
        What there is.

    Returns
    -------
    ndarray of bool (item)
        Which items are taken.

    Examples
    --------
    >>> first_fit(np.array([4, 8, 3, 2, 1]), np.array(8)).tolist()
    [True, False, True, False, True]
    """
    need = np.asarray(size, dtype=np.float64)
    need = need[:, None] if need.ndim == 1 else need
    return fitting(need, np.array(capacity, dtype=np.float64).reshape(-1))


@numba.njit(cache=True)
def fitting(need: FloatArray, left: FloatArray) -> BoolArray:
    """Say which items, (item, resource), are taken one by one out of what is left; `left` is used up."""
    n_item, n_resource = need.shape
    taken = np.zeros(n_item, dtype=np.bool_)
    for item in range(n_item):
        fits = True
        for resource in range(n_resource):
            fits = fits and need[item, resource] <= left[resource]
        if fits:
            taken[item] = True
            for resource in range(n_resource):
                left[resource] -= need[item, resource]
    return taken


def startable(
    site: IntArray,
    n_gpus: IntArray,
    waited_s: FloatArray,
    free_gpus: IntArray,
    patience_s: float,
) -> BoolArray:
    """Say which queued jobs start now.

    Parameters
    ----------
    site : ndarray of int (job)
        Queue in which each job stands; jobs by their priority, equal ones in the order of their submission.
    n_gpus : ndarray of int (job)
        GPUs it needs.
    waited_s : ndarray (job)
        Time since its submission. [s]
    free_gpus : ndarray of int (site)
        Free GPUs.
    patience_s : float
        A job that has waited this long is not overtaken: those behind it in its queue wait for it, so that a
        wide job is not starved by narrow ones. [s]

    Returns
    -------
    ndarray of bool (job)
        Jobs that start.
    """
    start = np.zeros(len(site), dtype=np.bool_)
    for index in np.unique(site):
        queue = np.flatnonzero(site == index)
        taken = first_fit(n_gpus[queue], free_gpus[index])
        blocked = np.flatnonzero(~taken & (waited_s[queue] >= patience_s))
        if blocked.size:
            taken[blocked[0] :] = False
        start[queue] = taken
    return start
