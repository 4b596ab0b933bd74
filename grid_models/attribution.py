"""Causes of curtailment: what remains without any limit, and what each kind of limit adds.

Causes are defined on the totals of a step by switching limits on one at a time under the same objective.
*Oversupply* is what is curtailed on a copper plate (no line limits); *system* is what limits of the whole
system add there (reserves, non-synchronous share); *congestion* what base-case limits of lines add;
*security* what outages add that must be survived. They are then allocated to units; a unit's part may be
negative, where the network shields it, and is not clipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grid_models.lp import products

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray
    from grid_models.engine import DispatchEngine
    from grid_models.lp import Inputs


def causes(engine: DispatchEngine, inputs: Inputs, curtailed_p_mw: FloatArray) -> dict[str, FloatArray]:
    """Curtailment of each unit by cause; the causes add up to it.

    Parameters
    ----------
    engine : DispatchEngine
        What dispatched it.
    inputs : Inputs
        What it was given.
    curtailed_p_mw : ndarray (step, unit)
        What it curtails. [MW]

    Returns
    -------
    dict of str to ndarray (step, unit)
        'oversupply' and 'congestion'; 'system' and 'security' where the engine keeps such limits. [MW]
    """
    levels = {"oversupply": oversupply(engine, inputs)}
    if engine.limits.any:
        levels["system"] = engine.without_lines.solve_many(inputs).curtailed_p_mw
    if engine.security == "none":
        levels["congestion"] = curtailed_p_mw
    else:
        levels["congestion"] = engine.without_security.solve_many(inputs).curtailed_p_mw
        levels["security"] = curtailed_p_mw
    result, before = {}, np.zeros_like(curtailed_p_mw)
    for name, level in levels.items():
        result[name] = level - before
        before = level
    return result


def oversupply(engine: DispatchEngine, inputs: Inputs) -> FloatArray:
    """Curtailment of each unit if the grid had no line limits.

    Without limits a step is one balance, which merit order solves exactly: columns are filled from the
    cheapest until the load is served. Units of equal offer share what is left over in proportion to their
    availability.

    Parameters
    ----------
    engine : DispatchEngine
        The grid and its objective.
    inputs : Inputs
        The steps.

    Returns
    -------
    ndarray (step, unit)
        Curtailed wind and PV; zero for other technologies. [MW]
    """
    p = engine.problem
    total = products(np.ones((1, p.n_bus)), p.withdrawal(inputs))
    ordered = np.ascontiguousarray(p.upper(inputs)[:, engine.merit_order])
    before = np.cumsum(ordered, axis=1) - ordered
    taken = np.empty_like(ordered)
    taken[:, engine.merit_order] = np.clip(np.maximum(total, 0.0) - before, 0.0, ordered)

    free = inputs.available_p_mw[:, p.free_unit]
    unused = (free - taken[:, p.n_segment :]) * p.counted
    result = np.zeros_like(inputs.available_p_mw)
    result[:, p.free_unit] = _shared_by_offer(unused, free * p.counted, p.offer)
    return result


def _shared_by_offer(unused: FloatArray, available: FloatArray, offer: FloatArray) -> FloatArray:
    result = np.zeros_like(unused)
    for value in np.unique(offer):
        member = offer == value
        ones = np.ones((1, int(member.sum())))
        total = products(ones, np.ascontiguousarray(available[:, member]))
        part = products(ones, np.ascontiguousarray(unused[:, member]))
        share = np.divide(part, total, out=np.zeros_like(part), where=total > 0.0)
        result[:, member] = available[:, member] * share
    return result
