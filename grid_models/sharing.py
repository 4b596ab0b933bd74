"""Ties by rule: what is interchangeable is shared in proportion to what each could give.

A linear programme with equal costs has many optima, and which one a solver returns is an accident.
Curtailment of units with the same offer, and absorption by sites, are therefore shared afterwards: the
amounts stay on the optimal face and come as close to proportional as line limits allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import daqp
import numpy as np

from grid_models.lp import products
from grid_models.watch import post_flow
from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray
    from grid_models.watch import Watch

_FLOW_TOLERANCE_MW = 1e-7
_MARGIN_MW = 1e-9
_TOLERANCES = (1e-12, 1e-10, 1e-8)
_EQUALITY = 5
_MAX_ROUNDS = 50
_NONE = np.zeros(0, dtype=np.int64)


def share_pro_rata(
    amount_mw: FloatArray,
    capacity_mw: FloatArray,
    flow_per_mw: FloatArray,
    flow_mw: FloatArray,
    rate_mw: FloatArray,
) -> FloatArray:
    """Spread a total over interchangeable givers in proportion to their capacity.

    Solves min sum(x_i² / capacity_i) with sum(x) kept, 0 <= x <= capacity and every line within its rating.
    Where no line is in the way the answer is the total times capacity_i / sum(capacity), and no programme is
    solved.

    Parameters
    ----------
    amount_mw : ndarray (n)
        Amounts at some optimal vertex. [MW]
    capacity_mw : ndarray (n)
        What each could give. [MW]
    flow_per_mw : ndarray (line, n)
        Change of line flow per MW of each amount. [1]
    flow_mw : ndarray (line)
        Flows that belong to `amount_mw`. [MW]
    rate_mw : ndarray (line)
        Ratings. [MW]

    Returns
    -------
    ndarray (n)
        The amounts, shared. [MW]

    Raises
    ------
    SolverError
        If the quadratic programme does not converge.
    """
    total, capacity = float(amount_mw.sum()), float(capacity_mw.sum())
    if len(amount_mw) < 2 or total <= 0.0 or capacity <= 0.0:
        return amount_mw
    shared = capacity_mw * min(total / capacity, 1.0)
    low = np.minimum(-rate_mw, flow_mw) - flow_mw
    high = np.maximum(rate_mw, flow_mw) - flow_mw
    rows = np.zeros(0, dtype=np.int64)
    for _ in range(_MAX_ROUNDS):
        change = np.einsum("ln,n->l", flow_per_mw, shared - amount_mw)
        outside = np.flatnonzero((change < low - _FLOW_TOLERANCE_MW) | (change > high + _FLOW_TOLERANCE_MW))
        if len(np.setdiff1d(outside, rows)) == 0:
            return shared
        rows = np.union1d(rows, outside)
        shared = _least_squares(amount_mw, capacity_mw, total, flow_per_mw[rows], low[rows], high[rows])
    raise SolverError(f"sharing {total:.6g} MW among {len(amount_mw)} givers did not settle")


def _least_squares(
    amount: FloatArray,
    capacity: FloatArray,
    total: float,
    coefficient: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    """The quadratic programme over the givers that have any capacity.

    Amounts are scaled by the root of their capacity, which makes the Hessian the identity: capacities at dawn
    differ by six orders of magnitude. Line limits give way by `_MARGIN_MW`, so that the vertex the sharing
    starts from, which lies on them, stays feasible whatever its last bits.
    """
    able = capacity > 0.0
    cap, rows = capacity[able], coefficient[:, able]
    offset = rows @ np.clip(amount[able], 0.0, cap)
    root = np.sqrt(cap)
    matrix = np.ascontiguousarray(np.vstack([np.ones(len(cap)), rows]) * root)
    upper = np.concatenate([root, [total], high + offset + _MARGIN_MW])
    lower = np.concatenate([np.zeros(len(cap)), [total], low + offset - _MARGIN_MW])
    flag = 0
    for tolerance in _TOLERANCES:
        sense = np.zeros(len(upper), dtype=np.int32)
        sense[len(cap)] = _EQUALITY
        solution, _, flag, _ = daqp.solve(
            np.eye(len(cap)), np.zeros(len(cap)), matrix, upper, lower, sense, primal_tol=tolerance
        )
        if flag == 1:
            result = np.zeros(len(capacity))
            result[able] = np.clip(np.asarray(solution) * root, 0.0, cap)
            return result
    raise SolverError(f"sharing {total:.6g} MW among {len(cap)} givers failed (daqp exit flag {flag})")


def share_steps(
    amount_mw: FloatArray,
    capacity_mw: FloatArray,
    flow_per_mw: FloatArray,
    flow_mw: FloatArray,
    watch: Watch,
) -> FloatArray:
    """Spread totals over interchangeable givers in many steps, within all limits that are watched.

    Parameters
    ----------
    amount_mw, capacity_mw : ndarray (step, giver)
        Amounts at the optimal vertices, and what each could give. [MW]
    flow_per_mw : ndarray (line, giver)
        Change of line flow per MW of each amount. [1]
    flow_mw : ndarray (step, line)
        Flows that belong to `amount_mw`. [MW]
    watch : Watch
        Limits.

    Returns
    -------
    ndarray (step, giver)
        The amounts, shared. [MW]
    """
    total = products(np.ones((1, amount_mw.shape[1])), amount_mw)
    capacity = products(np.ones((1, amount_mw.shape[1])), capacity_mw)
    share = np.divide(total, capacity, out=np.zeros_like(total), where=capacity > 0.0)
    result: FloatArray = capacity_mw * np.minimum(share, 1.0)
    idle = (total <= _FLOW_TOLERANCE_MW)[:, 0]
    result[idle] = amount_mw[idle]
    flow = flow_mw + products(flow_per_mw, result - amount_mw)
    for t in np.flatnonzero(watch.broken(flow, -_FLOW_TOLERANCE_MW, _NONE) & ~idle):
        result[t] = _share_within(amount_mw[t], capacity_mw[t], flow_per_mw, flow_mw[t], flow[t], watch)
    return result


def _share_within(
    amount: FloatArray,
    capacity: FloatArray,
    flow_per_mw: FloatArray,
    flow: FloatArray,
    shared_flow: FloatArray,
    watch: Watch,
) -> FloatArray:
    """Share one step's total, with the limits in the way found one after the other."""
    kept, total = np.zeros(0, dtype=np.int64), float(amount.sum())
    shared = amount
    for _ in range(_MAX_ROUNDS):
        new = watch.near(shared_flow, -_FLOW_TOLERANCE_MW)
        both = np.union1d(kept, new)
        if len(both) == len(kept):
            return shared
        kept = both
        rows = watch.rows(kept)
        at = post_flow(flow, rows)
        per_mw = flow_per_mw[rows.line] + rows.factor[:, None] * flow_per_mw[np.maximum(rows.outage, 0)]
        # A limit that the vertex itself lies beyond, by rounding, is kept as well as there.
        low, high = np.minimum(-rows.limit_mw, at) - at, np.maximum(rows.limit_mw, at) - at
        shared = _least_squares(amount, capacity, total, per_mw, low, high)
        shared_flow = flow + np.einsum("ln,n->l", flow_per_mw, shared - amount)
    raise SolverError(f"sharing {total:.6g} MW among {len(amount)} givers did not settle")
