"""Who holds GPUs where, and which queued jobs start: first come, first served with backfill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.inputs import JobTable
from twin.state import LOADING, PAUSING, RESUMING, RUNNING, SAVING, SENDING, State


@dataclass(frozen=True, eq=False)
class Usage:
    """GPUs in use at each site.

    Attributes
    ----------
    running : ndarray of int (site)
        In jobs that run.
    held : ndarray of int (site)
        In jobs that save, send or load, for a move or a pause.
    reserved : ndarray of int (site)
        Reserved, and empty, for jobs that are saving or sending elsewhere.
    loading : ndarray of int (site)
        The part of `held` in jobs that load.
    """

    running: IntArray
    held: IntArray
    reserved: IntArray
    loading: IntArray

    @property
    def total(self) -> IntArray:
        """GPUs that nobody else can have. [1]"""
        return self.running + self.held + self.reserved

    @property
    def committed(self) -> IntArray:
        """GPUs that run once every move under way has arrived. [1]"""
        return self.running + self.loading + self.reserved


def usage(state: State, table: JobTable, active: IntArray, n_sites: int) -> Usage:
    """Count the GPUs in use.

    Parameters
    ----------
    state : State
        Present state.
    table : JobTable
        The jobs.
    active : ndarray of int
        Rows of the jobs that may be using GPUs.
    n_sites : int
        Number of sites.

    Returns
    -------
    Usage
        Per site.
    """

    def count(rows: IntArray, site: IntArray) -> IntArray:
        return np.bincount(site[rows], weights=table.n_gpus[rows], minlength=n_sites).astype(np.int64)

    phase = state.phase[active]
    running = active[phase == RUNNING]
    held = active[((phase >= SAVING) & (phase <= PAUSING)) | (phase == RESUMING)]
    underway = active[(phase == SAVING) | (phase == SENDING)]
    loading = active[(phase == LOADING) | (phase == RESUMING)]
    return Usage(
        running=count(running, state.site),
        held=count(held, state.site),
        reserved=count(underway, state.dest),
        loading=count(loading, state.site),
    )


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
        Which items are taken. The same as going through them one by one, in far fewer operations: all items
        up to the first that does not fit are taken at once, then those that can no longer fit are dropped at
        once.

    Examples
    --------
    >>> first_fit(np.array([4, 8, 3, 2, 1]), np.array(8)).tolist()
    [True, False, True, False, True]
    """
    need = np.asarray(size, dtype=np.float64)
    need = need[:, None] if need.ndim == 1 else need
    left = np.array(capacity, dtype=np.float64).reshape(-1)
    taken = np.zeros(len(need), dtype=np.bool_)
    rest = np.flatnonzero(np.all(need <= left, axis=1))
    while rest.size:
        total = np.cumsum(need[rest], axis=0)
        fits = np.all(total <= left, axis=1)
        n = len(fits) if fits.all() else int(np.argmin(fits))
        taken[rest[:n]] = True
        left = left - total[n - 1]
        rest = rest[n:]
        rest = rest[np.all(need[rest] <= left, axis=1)]
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
        Queue in which each job stands; jobs in the order of their submission.
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
