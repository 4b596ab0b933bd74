"""Causes of curtailment: what remains without line limits, and what the limits add.

Causes are defined on the totals of a step by switching limits on one at a time under the same objective.
*Oversupply* is what is curtailed on a copper plate (no line limits); *congestion* is what base-case limits
add. They are then allocated to units; a unit's congestion may be negative, where the network shields it, and
is not clipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray
    from grid_models.engine import DispatchEngine


def oversupply(engine: DispatchEngine, load_p_mw: FloatArray, available_p_mw: FloatArray) -> FloatArray:
    """Curtailment of each unit if the grid had no line limits.

    Without limits a step is one balance, which merit order solves exactly: columns are filled from the
    cheapest until the load is served. Units of equal offer share what is left over in proportion to their
    availability.

    Parameters
    ----------
    engine : DispatchEngine
        The grid and its objective.
    load_p_mw : ndarray (time, bus)
        Demand, flexible load included. [MW]
    available_p_mw : ndarray (time, unit)
        What the weather allows. [MW]

    Returns
    -------
    ndarray (time, unit)
        Curtailed wind and PV; zero for other technologies. [MW]
    """
    p = engine.problem
    n_time = len(load_p_mw)
    must_take = p.must_take_p_mw.sum() + available_p_mw[:, p.fixed_unit].sum(axis=1)
    to_serve = np.clip(load_p_mw.sum(axis=1) - must_take, 0.0, None)

    capacity = np.empty((n_time, p.n_segment + p.n_free))
    capacity[:, : p.n_segment] = p.segment_p_mw
    capacity[:, p.n_segment :] = available_p_mw[:, p.free_unit]
    order = engine.merit_order
    ordered = capacity[:, order]
    before = np.cumsum(ordered, axis=1) - ordered
    taken = np.empty_like(capacity)
    taken[:, order] = np.clip(to_serve[:, None] - before, 0.0, ordered)

    unused = (capacity - taken)[:, p.n_segment :] * p.counted
    result = np.zeros_like(available_p_mw)
    result[:, p.free_unit] = _shared_by_offer(unused, capacity[:, p.n_segment :] * p.counted, p.offer)
    return result


def _shared_by_offer(unused: FloatArray, available: FloatArray, offer: FloatArray) -> FloatArray:
    result = np.zeros_like(unused)
    for value in np.unique(offer):
        member = offer == value
        total = available[:, member].sum(axis=1, keepdims=True)
        part = unused[:, member].sum(axis=1, keepdims=True)
        share = np.divide(part, total, out=np.zeros_like(part), where=total > 0.0)
        result[:, member] = available[:, member] * share
    return result
