"""One sparse linear or mixed-integer programme in HiGHS, solved in stages, with rows added where they bind.

Programmes over many steps are too large for the compiled simplex method of single ones. HiGHS runs on one
thread from a stated start, so that the same programme has the same answer to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import highspy
import numpy as np
from scipy import sparse

from weather import SolverError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import BoolArray, FloatArray, IntArray

TOLERANCE = 1e-9
_REDUCED_COST = 1e-7
_OBJECTIVE = 1e-6  # what HiGHS allows a row of a mixed-integer programme to be left by
_MAX_NODES = 1000  # a limit on time would make results depend on the machine
_STATUS = highspy.HighsModelStatus
_LOST = (_STATUS.kSolveError, _STATUS.kUnknown)
_LP_OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,
    "threads": 1,
    "parallel": "off",
    "random_seed": 0,
    "solver": "simplex",
    "presolve": "off",
    "simplex_scale_strategy": 0,
    "primal_feasibility_tolerance": TOLERANCE,
    "dual_feasibility_tolerance": TOLERANCE,
}
_MIP_OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,
    "threads": 1,
    "parallel": "off",
    "random_seed": 0,
    "presolve": "on",
}


class SparseProgramme:
    """Minimise linear costs of columns between bounds, subject to rows between limits.

    Parameters
    ----------
    lower, upper : ndarray (column)
        Bounds of the columns.
    rows : scipy.sparse.csr_matrix (row, column)
        Coefficients.
    low, high : ndarray (row)
        Limits of the rows.
    where : str
        What is solved, for messages.
    integer : ndarray of bool (column), optional
        Columns that take whole numbers only.
    gap : float
        How far from the best a solution in whole numbers may be, relative to its objective.
    max_nodes : int
        Nodes of the search after which the best solution so far is taken.
    good_enough : float
        Objective at which the search for whole numbers ends.
    offset : float
        Constant part of the objective.
    """

    def __init__(
        self,
        lower: FloatArray,
        upper: FloatArray,
        rows: sparse.csr_matrix,
        low: FloatArray,
        high: FloatArray,
        where: str,
        *,
        integer: BoolArray | None = None,
        gap: float = 0.0,
        max_nodes: int = _MAX_NODES,
        good_enough: float = -np.inf,
        offset: float = 0.0,
    ) -> None:
        self.lower, self.upper = lower.astype(float), upper.astype(float)
        self.low, self.high = low.astype(float), high.astype(float)
        self.rows, self.where, self.offset = rows.tocsr(), where, offset
        self._every = np.arange(len(lower), dtype=np.int32)
        self._highs = highspy.Highs()
        search = {"mip_rel_gap": gap, "mip_max_nodes": max_nodes, "objective_target": good_enough}
        self._options = _LP_OPTIONS if integer is None else {**_MIP_OPTIONS, **search}
        self._set(self._options)
        self._highs.passModel(_as_highs(self, integer))

    @property
    def n_row(self) -> int:
        """Number of rows."""
        return len(self.low)

    @property
    def x(self) -> FloatArray:
        """Columns of the last solve."""
        return np.array(self._highs.getSolution().col_value)

    @property
    def objective(self) -> float:
        """Value of the last objective."""
        return float(self._highs.getInfo().objective_function_value)

    @property
    def bound(self) -> float:
        """What no solution in whole numbers can be below."""
        return float(self._highs.getInfo().mip_dual_bound)

    def add_rows(self, rows: sparse.csr_matrix, low: FloatArray, high: FloatArray) -> None:
        """Append rows; the next solve goes on from the last basis."""
        rows = rows.tocsr()
        self.rows = sparse.vstack([self.rows, rows], format="csr")
        self._highs.addRows(
            rows.shape[0],
            np.asarray(low, dtype=float),
            np.asarray(high, dtype=float),
            rows.nnz,
            rows.indptr[:-1].astype(np.int32),
            rows.indices.astype(np.int32),
            rows.data.astype(float),
        )
        self.low, self.high = np.concatenate([self.low, low]), np.concatenate([self.high, high])

    def set_columns(self, lower: FloatArray, upper: FloatArray) -> None:
        """Change the bounds of all columns."""
        self.lower, self.upper = lower, upper
        self._restore()

    def set_rows(self, low: FloatArray, high: FloatArray) -> None:
        """Change the limits of all rows."""
        self.low, self.high = low, high
        self._restore()

    def minimise(self, cost: FloatArray) -> bool:
        """Solve for one objective from the last basis; false if there is no solution."""
        self._highs.changeColsCost(len(cost), self._every, np.ascontiguousarray(cost, dtype=float))
        return self._run()

    def minimise_in_turn(self, costs: Sequence[FloatArray]) -> bool:
        """Lexicographic optimum: each cost is minimised over the optimal face of those before it.

        The face is kept by the optimality conditions: what has a reduced cost or a dual value stays where it
        is. All bounds and limits are restored at the end, the basis stays that of the last stage.
        """
        try:
            for stage, cost in enumerate(costs):
                if stage:
                    self._keep_face()
                if not self.minimise(cost):
                    return False
        finally:
            self._restore()
        return True

    def duals(self, functionals: FloatArray) -> FloatArray:
        """Change of linear functions of the columns per unit of each row's limit, (function, row).

        Exact derivatives by the last basis: they hold for a change of limits so small that the basis stays.
        """
        # highspy's stubs leave some of its methods out.
        _, basic = self._highs.getBasicVariables()  # type: ignore[attr-defined]
        result = np.zeros((len(functionals), self.n_row))
        is_column = basic >= 0
        for f, cost in enumerate(functionals):
            on_basis = np.zeros(self.n_row)
            on_basis[is_column] = cost[basic[is_column]]
            if on_basis.any():
                solved = self._highs.getBasisTransposeSolve(on_basis)  # type: ignore[attr-defined]
                result[f] = np.asarray(solved[1])
        return result

    def basis(self) -> highspy.HighsBasis:
        """Return the last basis."""
        return self._highs.getBasis()

    def suggest(self, x: FloatArray) -> None:
        """Begin the next solve in whole numbers with a solution."""
        solution = highspy.HighsSolution()
        solution.col_value = x.tolist()
        self._highs.setSolution(solution)

    def start_from(
        self,
        column_status: Sequence[highspy.HighsBasisStatus],
        row_status: Sequence[highspy.HighsBasisStatus],
    ) -> None:
        """Begin the next solve from a basis that need not be complete."""
        basis = highspy.HighsBasis()
        basis.col_status, basis.row_status = list(column_status), list(row_status)
        basis.valid = basis.alien = True
        self._highs.setBasis(basis)

    def _keep_face(self) -> None:
        solution = self._highs.getSolution()
        x, reduced = np.array(solution.col_value), np.abs(np.array(solution.col_dual))
        fixed = np.flatnonzero(reduced > _REDUCED_COST)
        self._highs.changeColsBounds(len(fixed), fixed.astype(np.int32), x[fixed], x[fixed])
        dual, activity = np.abs(np.array(solution.row_dual)), np.array(solution.row_value)
        binding = np.flatnonzero((dual > _REDUCED_COST) & (self.low < self.high))
        self._change_rows(binding, activity[binding], activity[binding])

    def _restore(self) -> None:
        self._highs.changeColsBounds(len(self._every), self._every, self.lower, self.upper)
        self._change_rows(np.arange(self.n_row), self.low, self.high)

    def _change_rows(self, at: IntArray, low: FloatArray, high: FloatArray) -> None:
        places = at.astype(np.int32)
        self._highs.changeRowsBounds(len(at), places, low, high)  # type: ignore[attr-defined]

    def _set(self, options: dict[str, bool | int | float | str]) -> None:
        for name, value in options.items():
            self._highs.setOptionValue(name, value)

    def _run(self) -> bool:
        self._highs.run()
        if self._highs.getModelStatus() in _LOST:
            # From an old basis the simplex method may lose its way in rounding: begin anew, with presolve.
            self._highs.clearSolver()
            self._set({"presolve": "on", "simplex_scale_strategy": 2})
            self._highs.run()
            self._set(self._options)
        status = self._highs.getModelStatus()
        if status in (_STATUS.kOptimal, _STATUS.kObjectiveTarget):
            return True
        if status == _STATUS.kSolutionLimit and np.isfinite(self.objective):
            return True
        if status in (_STATUS.kInfeasible, _STATUS.kUnboundedOrInfeasible):
            return False
        raise SolverError(
            f"{self.where}: HiGHS stopped with status {self._highs.modelStatusToString(status)!r} and no "
            "solution; allow more nodes, or check limits and costs for extreme values"
        )


def _as_highs(programme: SparseProgramme, integer: BoolArray | None) -> highspy.HighsLp:
    lp, rows = highspy.HighsLp(), programme.rows
    lp.num_row_, lp.num_col_ = rows.shape
    lp.offset_ = programme.offset
    lp.col_cost_ = np.zeros(len(programme.lower))
    lp.col_lower_, lp.col_upper_ = programme.lower, programme.upper
    lp.row_lower_, lp.row_upper_ = programme.low, programme.high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    if integer is not None:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(whole)] for whole in integer]
    return lp


def whole_numbers(
    programme: SparseProgramme, upper: FloatArray, pairs: IntArray, costs: Sequence[FloatArray]
) -> tuple[BoolArray, float] | None:
    """For each pair of columns, whether the first may be above zero or else the second, at the optimum.

    Parameters
    ----------
    programme : SparseProgramme
        The programme without these choices.
    upper : ndarray (column)
        Bounds to be used instead of its own.
    pairs : ndarray of int (pair, 2)
        Columns of which one must be zero.
    costs : sequence of ndarray (column)
        Objectives in their order.

    Returns
    -------
    tuple or None
        For each pair true where its first column may be above zero, and the value of the first objective;
        None if there is no solution.
    """
    n, k = len(upper), len(pairs)
    each = np.arange(k)
    first = sparse.csr_matrix((np.ones(k), (each, pairs[:, 0])), (k, n))
    second = sparse.csr_matrix((np.ones(k), (each, pairs[:, 1])), (k, n))
    limit = sparse.diags(upper[pairs[:, 0]]), sparse.diags(upper[pairs[:, 1]])
    rows = sparse.bmat([[programme.rows, None], [first, -limit[0]], [second, limit[1]]], format="csr")
    free, most = np.full(2 * k, -np.inf), np.concatenate([np.zeros(k), upper[pairs[:, 1]]])
    model = SparseProgramme(
        np.concatenate([programme.lower, np.zeros(k)]),
        np.concatenate([upper, np.ones(k)]),
        rows,
        np.concatenate([programme.low, free]),
        np.concatenate([programme.high, most]),
        programme.where,
        integer=np.arange(n + k) >= n,
    )
    first_value, x = np.nan, np.zeros(0)
    for stage, cost in enumerate(costs):
        padded = np.concatenate([cost, np.zeros(k)])
        if not model.minimise(padded):
            # In later stages by rounding alone: what was found before stands.
            break
        x, best = model.x, model.objective
        first_value = best if stage == 0 else first_value
        most = np.array([best + _OBJECTIVE * max(1.0, abs(best))])
        model.add_rows(sparse.csr_matrix(padded[None]), np.array([-np.inf]), most)
    return (x[n:] > 0.5, first_value) if len(x) else None
