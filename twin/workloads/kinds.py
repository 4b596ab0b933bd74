"""What jobs may do: move, pause, change their size, start elsewhere than at their origin or before others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin._arrays import BoolArray, IntArray

SHARE_ROUNDING = 1e-9
"""By how much shares may miss their sum."""


def draw_kinds(
    n_jobs: int,
    streams: Sequence[np.random.Generator],
    *,
    migratable_share: float = 1.0,
    pausable_share: float = 1.0,
    service_share: float = 0.0,
    priority_shares: Sequence[float] = (),
) -> dict[str, BoolArray | IntArray]:
    """Columns of a job table that say what its jobs may do.

    Parameters
    ----------
    n_jobs
        Number of jobs.
    streams
        Sources of randomness: of moves, pauses, services and priorities, so that one share changes no other.
    migratable_share, pausable_share
        Share of jobs that may move, and that may pause.
    service_share
        Share of jobs that serve requests, such as inference: once started they neither pause nor move, but
        they may start anywhere, whatever the other shares say.
    priority_shares
        Share of jobs of priority 0, 1 and so on, in sum 1; all have 0 where empty.

    Returns
    -------
    dict of str to ndarray
        `migratable`, and of `pausable`, `placeable` and `priority` those that are not as for all jobs.
    """
    move_rng, pause_rng, service_rng, priority_rng = streams
    migratable = move_rng.random(n_jobs) < migratable_share
    service = service_rng.random(n_jobs) < service_share
    columns: dict[str, BoolArray | IntArray] = {"migratable": migratable & ~service}
    if pausable_share < 1.0 or service_share > 0.0:
        columns["pausable"] = (pause_rng.random(n_jobs) < pausable_share) & ~service
    if service_share > 0.0:
        columns["placeable"] = migratable | service
    if len(priority_shares):
        edges = np.cumsum(priority_shares)[:-1]
        columns["priority"] = np.searchsorted(edges, priority_rng.random(n_jobs), side="right")
    return columns


def draw_elastic(
    n_gpus: IntArray,
    rng: np.random.Generator,
    share: float,
    *,
    min_factor: float = 0.5,
    max_factor: float = 2.0,
    rigid: BoolArray | None = None,
) -> dict[str, IntArray]:
    """Fewest and most GPUs of jobs of which some are elastic.

    Parameters
    ----------
    n_gpus
        GPUs that the jobs were recorded with, before `fleet_scale`.
    rng
        Source of randomness, for this alone.
    share
        Share of jobs that are elastic.
    min_factor, max_factor
        Fewest and most GPUs of an elastic job over those recorded.
    rigid
        Jobs that are not elastic whatever is drawn.

    Returns
    -------
    dict of str to ndarray
        `min_gpus` and `max_gpus`: of elastic jobs the factors times the recorded GPUs, rounded to whole ones
        and at least 1; of others what was recorded.

    Examples
    --------
    >>> ranges = draw_elastic(np.array([1, 3, 8]), np.random.default_rng(0), 1.0)
    >>> ranges["min_gpus"].tolist(), ranges["max_gpus"].tolist()
    ([1, 2, 4], [2, 6, 16])
    """
    elastic = rng.random(len(n_gpus)) < share
    if rigid is not None:
        elastic &= ~rigid
    least, most = (np.rint(n_gpus * factor).astype(np.int64) for factor in (min_factor, max_factor))
    return {
        "min_gpus": np.where(elastic, np.maximum(least, 1), n_gpus),
        "max_gpus": np.where(elastic, most, n_gpus),
    }
