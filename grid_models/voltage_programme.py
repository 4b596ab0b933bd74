"""The linear programme around one solution of the AC power flow, with losses.

One row per external grid balances what it feeds in, to first order, against who serves it. One row per
voltage and per line near its limit keeps it there, to first order. Columns may move by no more than the
radius of the trust region; what generators at external grids give follows from the power flow and is not
held to it.

Where a linearised step has no solution, it is solved again with shedding, dumping and, before all else, as
little violation of rows as can be had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models.simplex import INFEASIBLE, OPTIMAL, programme, solve_steps
from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray, IntArray
    from grid_models.voltage_columns import Columns, Steps
    from grid_models.voltage_flow import Derivatives, LinearFlow
    from grid_models.voltage_limits import AcLimits

_MOST_ELASTIC = 1e4
"""Bound of the columns that measure violations, in units of scaled rows: never reached."""


@dataclass(frozen=True)
class Watched:
    """Nodes and lines whose rows are in a programme, sorted."""

    nodes: IntArray
    lines: IntArray

    @staticmethod
    def none() -> Watched:
        """No rows."""
        nothing = np.zeros(0, dtype=np.int64)
        return Watched(nothing, nothing)

    def joined(self, nodes: IntArray, lines: IntArray) -> Watched:
        """These and more."""
        return Watched(np.union1d(self.nodes, nodes), np.union1d(self.lines, lines))

    def __len__(self) -> int:
        """Count rows."""
        return len(self.nodes) + len(self.lines)


@dataclass(frozen=True, eq=False)
class Proposal:
    """Optimum of a linearised step.

    Attributes
    ----------
    chosen : ndarray (column)
        Columns. [MW], [Mvar]
    violation : float
        Sum of what rows are violated by. [pu]
    moved : ndarray (functional, bus)
        Derivative of each functional for more load at each bus; empty where not asked for.
    duals : ndarray (functional, row)
        Derivative of each functional by the limit a row binds at. [per MW, per pu]
    """

    chosen: FloatArray
    violation: float
    moved: FloatArray
    duals: FloatArray


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a programme, scaled to coefficients of at most 1: low <= matrix @ columns <= high.

    Attributes
    ----------
    matrix : ndarray (row, column)
        Coefficients; balances of external grids first.
    low, high : ndarray (row)
        Limits.
    directions : ndarray (row, bus)
        Change of both limits per MW more load.
    per_pu : ndarray (row)
        Scale of each row: what a violation of 1 pu is in it.
    """

    matrix: FloatArray
    low: FloatArray
    high: FloatArray
    directions: FloatArray
    per_pu: FloatArray


def linear_rows(
    columns: Columns,
    step: Steps,
    chosen: FloatArray,
    flow: LinearFlow,
    limits: AcLimits,
    watched: Watched,
    scale_mw: float,
) -> Rows:
    """Rows of a step around one of its points.

    Parameters
    ----------
    columns, step
        The problem.
    chosen : ndarray (column)
        Columns at the point.
    flow : LinearFlow
        The power flow there.
    limits : AcLimits
        Limits of voltages and loadings.
    watched : Watched
        Which of them have a row.
    scale_mw : float
        What counts as 1 pu of imbalance. [MW]
    """
    references, voltage = flow.model.network.references, flow.voltage
    balance = flow.of_slack_power()
    fed_in = flow.model.node_power(voltage)[references].real
    local = (columns.node == references[:, None]) * columns.p_mw
    by_column = _by_column(columns, step, balance)
    target = fed_in - by_column @ chosen - step.fixed[references].real
    at_grid = columns.bus_node == references[:, None]
    matrix = [local - by_column]
    low, high = [target], [target]
    directions = [at_grid - balance.by_p[:, columns.bus_node]]
    per_pu = [np.full(len(references), scale_mw)]
    for derivative, value, least, most in (
        (
            flow.of_magnitudes(watched.nodes),
            np.abs(voltage[watched.nodes]),
            limits.vm_min_pu[watched.nodes],
            limits.vm_max_pu[watched.nodes],
        ),
        (
            flow.of_loading(watched.lines),
            flow.model.loading(voltage)[watched.lines],
            np.full(len(watched.lines), -np.inf),
            np.full(len(watched.lines), limits.loading),
        ),
    ):
        by_column = _by_column(columns, step, derivative)
        scale = 1.0 / np.maximum(np.abs(by_column).max(axis=1, initial=0.0), 1e-9)
        here = by_column @ chosen - value
        matrix.append(by_column * scale[:, None])
        low.append((least + here) * scale)
        high.append((most + here) * scale)
        directions.append(derivative.by_p[:, columns.bus_node] * scale[:, None])
        per_pu.append(scale)
    joined = [np.concatenate(part) for part in (matrix, low, high, directions, per_pu)]
    return Rows(*joined)


def _by_column(columns: Columns, step: Steps, derivative: Derivatives) -> FloatArray:
    """Derivatives by the columns, (function, column)."""
    node = columns.node
    result: FloatArray = derivative.by_p[:, node] * columns.p_mw + derivative.by_q[:, node] * step.q_mvar
    return result


def propose(
    columns: Columns,
    step: Steps,
    rows: Rows,
    chosen: FloatArray,
    radius: float,
    *,
    derivatives: bool = False,
) -> Proposal:
    """Optimum of a linearised step within a distance of the columns chosen so far.

    Raises
    ------
    SolverError
        If the simplex method ends without an answer.
    """
    inside = np.flatnonzero(columns.in_network)
    low, high = np.zeros(columns.n_column), step.upper.copy()
    low[inside] = np.clip(chosen[inside] - radius, 0.0, step.upper[inside])
    high[inside] = np.clip(chosen[inside] + radius, 0.0, step.upper[inside])
    is_shedding = bool((low[columns.n_ordinary :] > 0.0).any())
    answer = None if is_shedding else _solve(columns, rows, low, high, False, derivatives)
    if answer is None:
        answer = _solve(columns, rows, low, high, True, derivatives)
    if answer is None:
        raise SolverError("no linearised dispatch even with all load shed and limits violated")
    return answer


def _solve(
    columns: Columns, rows: Rows, low: FloatArray, high: FloatArray, is_rescue: bool, derivatives: bool
) -> Proposal | None:
    """Solve with or without the columns that rescue a step; None if that has no solution."""
    n = columns.n_column if is_rescue else columns.n_ordinary
    n_row = len(rows.matrix)
    matrix, upper, stages = rows.matrix[:, :n], (high - low)[:n], columns.stages[:, :n]
    functionals = columns.functionals[:, :n]
    if is_rescue:
        elastic = np.concatenate([np.eye(n_row), -np.eye(n_row)], axis=1)
        matrix = np.concatenate([matrix, elastic], axis=1)
        upper = np.concatenate([upper, np.full(2 * n_row, _MOST_ELASTIC)])
        violation = np.concatenate([np.zeros(n), np.tile(1.0 / rows.per_pu, 2)])
        stages = np.vstack([violation, np.concatenate([stages, np.zeros((len(stages), 2 * n_row))], axis=1)])
        functionals = np.concatenate([functionals, np.zeros((len(functionals), 2 * n_row))], axis=1)
    offset = rows.matrix[:, :n] @ low[:n]
    directions = rows.directions if derivatives else rows.directions[:, :0]
    answers = solve_steps(
        programme(stages[stages.any(axis=1)], matrix, has_balance=True),
        upper[None],
        (rows.low - offset)[None],
        (rows.high - offset)[None],
        functionals,
        np.ascontiguousarray(directions),
        int(columns.shed.start) if is_rescue and derivatives else -1,
    )
    if answers.state[0] == INFEASIBLE:
        return None
    if answers.state[0] != OPTIMAL:
        raise SolverError("the simplex method stalled; check limits and costs for extreme values")
    x = answers.x[0]
    chosen = np.zeros(columns.n_column)
    chosen[:n] = low[:n] + x[:n]
    violation_pu = float(x[n:] @ np.tile(1.0 / rows.per_pu, 2)) if is_rescue else 0.0
    return Proposal(chosen, violation_pu, answers.moved[0], answers.duals[0] * rows.per_pu)
