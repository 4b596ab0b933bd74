"""One HiGHS model, kept for a whole run: new bounds in, optimal vertex and basis out.

Every solve starts from the same canonical basis, so that a step's answer depends on that step alone and is
bit-identical whatever was solved before it. Rows of lines outside the stored set are added for the step that
needs them and removed before the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import highspy
import numpy as np

from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.lp import Problem

BALANCE = -1
"""Stands for the balance row where rows are named by line."""
FEASIBILITY_MW = 1e-6
"""What lies closer than this to a limit lies at the limit. [MW]"""
_TOLERANCE = 1e-9
_REDUCED_COST = 1e-7
_MAX_ROUNDS = 200


@dataclass(frozen=True)
class Basis:
    """Optimal basis of one solve, reduced to what is neither at a bound nor slack.

    Attributes
    ----------
    columns : ndarray (k)
        Basic columns.
    rows : ndarray (k)
        Binding rows: line positions, `BALANCE` for the balance.
    at_upper : ndarray (k)
        Whether a binding row is at its upper limit (flow in the line's own direction).
    matrix : ndarray (k, column)
        Coefficients of the binding rows.
    tight_low, tight_high : ndarray of bool (k)
        Whether a basic column lies at one of its bounds nevertheless.
    tight_rows : ndarray (t)
        Rows that lie at a limit without binding, named as in `rows`.
    tight_row_low, tight_row_high : ndarray of bool (t)
        The limit such a row lies at.
    tight_matrix : ndarray (t, column)
        Coefficients of these rows.
    """

    columns: IntArray
    rows: IntArray
    at_upper: BoolArray
    matrix: FloatArray
    tight_low: BoolArray
    tight_high: BoolArray
    tight_rows: IntArray
    tight_row_low: BoolArray
    tight_row_high: BoolArray
    tight_matrix: FloatArray

    @property
    def degenerate(self) -> bool:
        """Whether a basic variable lies at one of its bounds, where derivatives may have two sides."""
        return bool(self.tight_low.any() or self.tight_high.any() or len(self.tight_rows))

    def duals(self, costs: FloatArray) -> FloatArray:
        """Change of each cost per MW on the right-hand side of each binding row, (functional, row).

        Solves y B = c_B for the square matrix B of binding rows and basic columns: the exact derivative of
        any linear function of the optimal columns, as long as the basis does not change.
        """
        square = self.matrix[:, self.columns]
        return np.linalg.solve(square.T, np.atleast_2d(costs)[:, self.columns].T).T.astype(float)


@dataclass(frozen=True)
class Optimum:
    """What one solve returns: column values [MW], and the basis they belong to."""

    columns: FloatArray
    basis: Basis


class Model:
    """A dispatch problem in HiGHS with a stored set of line rows.

    Parameters
    ----------
    problem : Problem
        The arrays of the grid.
    lines : ndarray of int
        Lines whose rows are always present, sorted.
    cost : ndarray (column)
        Objective. [currency/MWh]
    """

    def __init__(self, problem: Problem, lines: IntArray, cost: FloatArray) -> None:
        self.problem = problem
        self.cost = np.ascontiguousarray(cost, dtype=float)
        self.n_column = len(cost)
        self.lines = np.asarray(lines, dtype=np.int64)
        self._stored = len(self.lines)
        self._rows = np.vstack([problem.balance_row(self.n_column), *map(self._line_row, self.lines)])
        self._columns = np.arange(self.n_column, dtype=np.int32)
        self._highs = _quiet_highs()
        self._upper = np.zeros(self.n_column)
        self._zero = np.zeros(self.n_column)
        self._fill()
        self._canonical: highspy.HighsBasis | None = None

    def _line_row(self, line: int) -> FloatArray:
        return self.problem.line_row(line, self.n_column)

    def _fill(self) -> None:
        empty_int, empty = np.zeros(0, dtype=np.int32), np.zeros(0)
        self._highs.addCols(self.n_column, self.cost, self._zero, self._zero, 0, empty_int, empty_int, empty)
        for row in self._rows:
            self._highs.addRow(-np.inf, np.inf, self.n_column, self._columns, row)

    def make_canonical(self, upper: FloatArray, withdrawal: FloatArray) -> None:
        """Keep the optimal basis of a reference step as the start of every later solve."""
        self._canonical = None
        self._reset(upper, withdrawal)
        if self._run():
            self._canonical = self._highs.getBasis()

    def solve(self, upper: FloatArray, withdrawal: FloatArray) -> Optimum | None:
        """Optimal columns between 0 and `upper` that serve `withdrawal`; None if there are none.

        Parameters
        ----------
        upper : ndarray (column)
            Largest value of each column. [MW]
        withdrawal : ndarray (bus)
            Load less must-take power at each bus. [MW]
        """
        self._reset(upper, withdrawal)
        return self._solve_lazily(withdrawal)

    def solve_for(self, cost: FloatArray, upper: FloatArray, withdrawal: FloatArray) -> Optimum | None:
        """As `solve`, for another objective that becomes the model's own."""
        self.cost = np.ascontiguousarray(cost, dtype=float)
        self._highs.changeColsCost(self.n_column, self._columns, self.cost)
        return self.solve(upper, withdrawal)

    def resolve(self, upper: FloatArray, withdrawal: FloatArray) -> Optimum | None:
        """Solve again for another withdrawal, starting from the last basis and keeping its rows."""
        self._set_columns(upper)
        self._set_rows(withdrawal)
        return self._solve_lazily(withdrawal)

    def solve_stages(
        self, upper: FloatArray, withdrawal: FloatArray, costs: list[FloatArray]
    ) -> Optimum | None:
        """Lexicographic optimum: each cost is minimised over the optimal face of those before it.

        The face is kept exactly: columns and rows with a reduced cost stay where they are.
        Lines found overloaded on the way are added and all stages are solved again.
        """
        self._reset(upper, withdrawal)
        try:
            for _ in range(_MAX_ROUNDS):
                optimum = self._stages_once(costs)
                if optimum is None or not self._add_overloaded(optimum.columns, withdrawal):
                    return optimum
                self._set_columns(upper)
                self._set_rows(withdrawal)
        finally:
            self._highs.changeColsCost(self.n_column, self._columns, self.cost)
        raise SolverError(
            f"grid {self.problem.grid.name}: line rows did not settle after {_MAX_ROUNDS} rounds"
        )

    def _stages_once(self, costs: list[FloatArray]) -> Optimum | None:
        optimum = None
        for cost in costs:
            self._highs.changeColsCost(self.n_column, self._columns, cost)
            if not self._run():
                return None
            optimum = self._optimum()
            self._fix_face(cost, optimum)
        return optimum

    def _fix_face(self, cost: FloatArray, optimum: Optimum) -> None:
        basis, x = optimum.basis, optimum.columns
        dual = basis.duals(cost)[0]
        reduced = cost - dual @ basis.matrix
        reduced[basis.columns] = 0.0
        fixed = np.flatnonzero(np.abs(reduced) > _REDUCED_COST)
        self._highs.changeColsBounds(len(fixed), fixed.astype(np.int32), x[fixed], x[fixed])
        position = {BALANCE: 0} | {int(line): i + 1 for i, line in enumerate(self.lines)}
        for line, value, row in zip(basis.rows, dual, basis.matrix, strict=True):
            if abs(value) > _REDUCED_COST and line != BALANCE:
                flow = float(row @ x)
                self._highs.changeRowBounds(position[int(line)], flow, flow)

    def _reset(self, upper: FloatArray, withdrawal: FloatArray) -> None:
        if len(self.lines) > self._stored:
            extra = np.arange(self._stored + 1, len(self.lines) + 1, dtype=np.int32)
            self._highs.deleteRows(len(extra), extra)
            self.lines = self.lines[: self._stored]
            self._rows = self._rows[: self._stored + 1]
        self._set_columns(upper)
        self._set_rows(withdrawal)
        if self._canonical is not None:
            self._highs.clearSolver()
            self._highs.setBasis(self._canonical)
        else:
            self._highs.clearSolver()

    def _set_columns(self, upper: FloatArray) -> None:
        self._upper = upper
        self._highs.changeColsBounds(self.n_column, self._columns, self._zero, upper)

    def _set_rows(self, withdrawal: FloatArray) -> None:
        lower, upper = self._row_bounds(withdrawal)
        self._highs.changeRowsBounds(len(lower), np.arange(len(lower), dtype=np.int32), lower, upper)  # type: ignore[attr-defined]  # not in highspy's stub

    def _row_bounds(self, withdrawal: FloatArray) -> tuple[FloatArray, FloatArray]:
        centre = np.einsum("lb,b->l", self.problem.ptdf[self.lines], withdrawal)
        rate = self.problem.rate_mw[self.lines]
        total = withdrawal.sum()
        self._lower = np.concatenate([[total], centre - rate])
        self._upper_row = np.concatenate([[total], centre + rate])
        return self._lower, self._upper_row

    def _solve_lazily(self, withdrawal: FloatArray) -> Optimum | None:
        for _ in range(_MAX_ROUNDS):
            if not self._run():
                return None
            optimum = self._optimum()
            if not self._add_overloaded(optimum.columns, withdrawal):
                return optimum
        raise SolverError(
            f"grid {self.problem.grid.name}: line rows did not settle after {_MAX_ROUNDS} rounds"
        )

    def _add_overloaded(self, columns: FloatArray, withdrawal: FloatArray) -> bool:
        injection = self.problem.injection(columns) - withdrawal
        flow = np.einsum("lb,b->l", self.problem.ptdf, injection)
        # Lines just at their rating too: they decide what more load would do.
        over = np.abs(flow) > self.problem.rate_mw - FEASIBILITY_MW
        over[self.lines] = False
        new = np.flatnonzero(over)
        if len(new) == 0:
            return False
        rows = np.vstack([self._line_row(int(line)) for line in new])
        for row in rows:
            self._highs.addRow(-np.inf, np.inf, self.n_column, self._columns, row)
        self.lines = np.concatenate([self.lines, new])
        self._rows = np.vstack([self._rows, rows])
        self._set_rows(withdrawal)
        return True

    def _run(self) -> bool:
        self._highs.run()
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return True
        if status == highspy.HighsModelStatus.kInfeasible:
            return False
        raise SolverError(
            f"grid {self.problem.grid.name}: HiGHS stopped with status "
            f"{self._highs.modelStatusToString(status)!r}; check limits and costs for extreme values"
        )

    def _optimum(self) -> Optimum:
        x = np.array(self._highs.getSolution().col_value)
        _, basic = self._highs.getBasicVariables()  # type: ignore[attr-defined]  # likewise
        columns = np.sort(basic[basic >= 0].astype(np.int64))
        is_basic_row = np.zeros(len(self._rows), dtype=bool)
        is_basic_row[-basic[basic < 0] - 1] = True
        binding, slack = np.flatnonzero(~is_basic_row), np.flatnonzero(is_basic_row)
        names = np.concatenate([[BALANCE], self.lines])
        activity = self._rows @ x
        middle = 0.5 * (self._lower + self._upper_row)
        low = activity[slack] < self._lower[slack] + FEASIBILITY_MW
        high = activity[slack] > self._upper_row[slack] - FEASIBILITY_MW
        tight = slack[low | high]
        basis = Basis(
            columns=columns,
            rows=names[binding],
            at_upper=(activity > middle)[binding],
            matrix=self._rows[binding],
            tight_low=x[columns] < FEASIBILITY_MW,
            tight_high=x[columns] > self._upper[columns] - FEASIBILITY_MW,
            tight_rows=names[tight],
            tight_row_low=low[low | high],
            tight_row_high=high[low | high],
            tight_matrix=self._rows[tight],
        )
        return Optimum(x, basis)


def _quiet_highs() -> highspy.Highs:
    """HiGHS as plain sequential simplex: nothing random, nothing scaled, nothing perturbed."""
    highs = highspy.Highs()
    options: dict[str, bool | int | float | str] = {
        "output_flag": False,
        "threads": 1,
        "parallel": "off",
        "solver": "simplex",
        "presolve": "off",
        "simplex_scale_strategy": 0,
        "dual_simplex_cost_perturbation_multiplier": 0.0,
        "primal_simplex_bound_perturbation_multiplier": 0.0,
        "primal_feasibility_tolerance": _TOLERANCE,
        "dual_feasibility_tolerance": _TOLERANCE,
    }
    for name, value in options.items():
        highs.setOptionValue(name, value)
    return highs
