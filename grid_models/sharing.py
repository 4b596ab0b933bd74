"""Ties by rule: what is interchangeable is shared in proportion to what each could give.

A linear programme with equal costs has many optima, and which one a solver returns is an accident.
Curtailment of units with the same offer, and absorption by sites, are therefore shared afterwards: the
amounts stay on the optimal face and come as close to proportional as line limits allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import daqp
import numpy as np

from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray

_FLOW_TOLERANCE_MW = 1e-7
_MARGIN_MW = 1e-9
_TOLERANCES = (1e-12, 1e-10, 1e-8)
_EQUALITY = 5
_MAX_ROUNDS = 50


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
