"""Exact derivatives of a step's optimum with respect to load, from its basis.

More load at bus b moves the right-hand side of the balance by one and that of line l by ptdf[l, b]; the basic
columns answer through the inverse of the basis. Where a basic column or row lies at one of its limits the
optimum is degenerate and the derivative may differ between more and less load. The basis still gives the
derivative for more load if the answer moves away from these limits, which is checked bus by bus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grid_models._highs import BALANCE, FEASIBILITY_MW

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models._highs import Optimum
    from grid_models.lp import Problem

_DIRECTION_TOLERANCE = 1e-9


def load_derivatives(
    problem: Problem, optimum: Optimum, functionals: FloatArray, load_p_mw: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Change of linear functions of the optimum per MW more load at each bus.

    Parameters
    ----------
    problem : Problem
        The arrays of the grid.
    optimum : Optimum
        Solution with its basis, of the ordinary or of the rescue model.
    functionals : ndarray (functional, column)
        Coefficients of the functions.
    load_p_mw : ndarray (bus)
        Load: what can be shed. [MW]

    Returns
    -------
    ndarray (functional, bus)
        Derivatives by the basis. Where all load of a bus is shed, more of it would be shed as well: zero.
    ndarray of bool (bus)
        Whether they are those for more load; false where the basis changes at this very point.
    """
    basis = optimum.basis
    moved = _right_hand_sides(problem, basis.rows)
    result: FloatArray = np.einsum("fr,rb->fb", basis.duals(functionals), moved)
    shed_whole, unclear = _shed(problem, optimum, load_p_mw)
    result[:, shed_whole] = 0.0
    if not basis.degenerate:
        return result, ~unclear
    exact = ~unclear & _stays_feasible(problem, optimum, moved)
    return result, exact | shed_whole


def _right_hand_sides(problem: Problem, rows: IntArray) -> FloatArray:
    """Change of the right-hand side of each row per MW more load at each bus, (row, bus)."""
    result = np.ones((len(rows), problem.n_bus))
    is_line = rows != BALANCE
    result[is_line] = problem.ptdf[rows[is_line]]
    return result


def _shed(problem: Problem, optimum: Optimum, load: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Buses whose load is shed to the last, and those without load, of which that can't be said."""
    n, nothing = problem.n_column, np.zeros(problem.n_bus, dtype=bool)
    if len(optimum.columns) == n:
        return nothing, nothing
    nonbasic = np.ones(problem.n_bus, dtype=bool)
    basic = optimum.basis.columns - n
    nonbasic[basic[(basic >= 0) & (basic < problem.n_bus)]] = False
    whole = nonbasic & (optimum.columns[n : n + problem.n_bus] >= load - FEASIBILITY_MW)
    return whole & (load > FEASIBILITY_MW), whole & (load <= FEASIBILITY_MW)


def _stays_feasible(problem: Problem, optimum: Optimum, moved: FloatArray) -> BoolArray:
    """Whether everything that lies at a limit without binding moves away from it, or not at all, per bus."""
    basis, x = optimum.basis, optimum.columns
    answer = np.linalg.solve(basis.matrix[:, basis.columns], moved)
    limit = np.zeros_like(answer)
    shed_bus = basis.columns - problem.n_column
    own = np.flatnonzero((shed_bus >= 0) & (shed_bus < problem.n_bus) & (len(x) > problem.n_column))
    limit[own, shed_bus[own]] = 1.0
    fine = (answer >= -_DIRECTION_TOLERANCE) | ~basis.tight_low[:, None]
    fine &= (answer <= limit + _DIRECTION_TOLERANCE) | ~basis.tight_high[:, None]
    drift = basis.tight_matrix[:, basis.columns] @ answer - _right_hand_sides(problem, basis.tight_rows)
    row_fine = (drift >= -_DIRECTION_TOLERANCE) | ~basis.tight_row_low[:, None]
    row_fine &= (drift <= _DIRECTION_TOLERANCE) | ~basis.tight_row_high[:, None]
    return np.logical_and(fine.all(axis=0), row_fine.all(axis=0))
