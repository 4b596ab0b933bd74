"""Where jobs are submitted: at sites that can hold them, in proportion to capacity."""

from __future__ import annotations

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.sites import HOTTEST_C, SiteTable, gpu_limit
from weather import Findings


def draw_origins(
    n_gpus: IntArray,
    sites: SiteTable,
    rng: np.random.Generator,
    *,
    memory_gb_per_gpu: FloatArray | None = None,
) -> IntArray:
    """Site each job is submitted to, with probability in proportion to capacity.

    Parameters
    ----------
    n_gpus
        Devices of each job, after `fleet_scale`.
    sites
        The sites; capacity is what the import limit lets train on the hottest day.
    rng
        Source of randomness.
    memory_gb_per_gpu
        Memory each job needs on each GPU; no limit where None. [GB]

    Returns
    -------
    ndarray of int
        Index of a site that can hold the job.

    Raises
    ------
    InputError
        Where no site can.
    """
    capacity = gpu_limit(sites, HOTTEST_C)
    wide = n_gpus > capacity.max()
    if np.any(wide):
        findings = Findings()
        largest = int(np.argmax(capacity))
        findings.add(
            "jobs.n_gpus",
            f"{int(wide.sum())} jobs need up to {n_gpus.max()} devices; the largest site, "
            f"{sites.name[largest]!r}, can train on {capacity[largest]}",
            "raise n_gpus or import_limit_mw of a site, or leave wide jobs out with max_gpus",
        )
        findings.raise_if_any("jobs and sites")
    need_gb = np.zeros(len(n_gpus)) if memory_gb_per_gpu is None else memory_gb_per_gpu
    memory_gb, level_of_site = np.unique(sites.memory_gb_per_gpu, return_inverse=True)
    level = np.searchsorted(memory_gb, need_gb, side="left")
    kinds, kind = np.unique(np.stack([n_gpus, level]), axis=1, return_inverse=True)
    u = rng.random(len(n_gpus))
    origin = np.empty(len(n_gpus), dtype=np.int64)
    for k, (width, least) in enumerate(kinds.T):
        able = (capacity >= width) & (level_of_site >= least)
        share = np.cumsum(np.where(able, capacity, 0), dtype=np.float64)
        if not share[-1] > 0.0:
            _raise_no_memory(int(width), need_gb[kind == k], sites, capacity)
        origin[kind == k] = np.searchsorted(share, u[kind == k] * share[-1], side="right")
    return origin


def _raise_no_memory(width: int, need_gb: FloatArray, sites: SiteTable, capacity: IntArray) -> None:
    findings = Findings()
    wide = capacity >= width
    findings.add(
        "jobs.memory_gb_per_gpu",
        f"{need_gb.size} jobs of {width} devices need up to {need_gb.max():.1f} GB on each; sites that can "
        f"train so wide a job have devices of at most {sites.memory_gb_per_gpu[wide].max():g} GB",
        "give a large site devices with more memory, or lower gpu_memory_gb for smaller models",
    )
    findings.raise_if_any("jobs and sites")
