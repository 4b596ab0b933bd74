"""Dispatch problems of many steps, solved: rows that bind are added where they do."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from grid_models.lp import products
from grid_models.rows import NO_OUTAGE, Rows, upper_within
from grid_models.simplex import INFEASIBLE, OPTIMAL, TIGHT_MW, Programme, programme, solve_steps
from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.limits import Limits
    from grid_models.lp import Inputs, Problem
    from grid_models.watch import Watch

_MAX_ROUNDS = 200
_MAX_KEPT = 500


@dataclass(frozen=True)
class Solved:
    """Optimal columns of many steps with their derivatives.

    Attributes
    ----------
    feasible : ndarray of bool (step)
        Whether there is an answer.
    columns : ndarray (step, column)
        Columns of the model. [MW]
    moved : ndarray (step, functional, bus)
        Derivative of (curtailment, cost, CO2) for more load at a bus.
    known : ndarray of bool (step, bus)
        False where more load would make the step infeasible.
    line_shadow, security_shadow : ndarray (step, line)
        Cost saved per MW more rating, in the base case and after outages. [currency/MWh]
    """

    feasible: BoolArray
    columns: FloatArray
    moved: FloatArray
    known: BoolArray
    line_shadow: FloatArray
    security_shadow: FloatArray

    def put(self, steps: IntArray, other: Solved) -> None:
        """Write the answers of some steps over those that are here; columns that are new come last."""
        for field in fields(self):
            target, source = getattr(self, field.name), getattr(other, field.name)
            if field.name == "columns":
                target[steps, : source.shape[1]] = source
            else:
                target[steps] = source

    def widened(self, n_column: int) -> Solved:
        """The same with room for columns that are zero here."""
        columns = np.zeros((len(self.columns), n_column))
        columns[:, : self.columns.shape[1]] = self.columns
        return replace(self, columns=columns)


class Model:
    """A dispatch problem with a stored set of rows, for any number of steps.

    Parameters
    ----------
    problem : Problem
        The grid's arrays.
    stages : ndarray (stage, column)
        Objectives in their order.
    functionals : ndarray (functional, column)
        What is wanted the derivatives of; the second one is that of shadow prices.
    stored : ndarray of int
        Limits of lines whose rows are always present, by their numbers in `watch`.
    watch : Watch
        All limits of lines to be kept.
    limits : Limits
        Limits of the system.
    derivatives : bool
        Whether they are wanted at all.
    """

    def __init__(
        self,
        problem: Problem,
        stages: FloatArray,
        functionals: FloatArray,
        stored: IntArray,
        watch: Watch,
        limits: Limits,
        *,
        derivatives: bool = True,
    ) -> None:
        self.problem, self.stages, self.functionals = problem, stages, functionals
        self.limits, self.stored, self.watch = limits, stored, watch
        self.n_column = stages.shape[1]
        self.is_rescue = self.n_column > problem.n_column
        self._derivatives = derivatives
        self._rows: dict[bytes, tuple[Rows, FloatArray]] = {}
        self._programmes: dict[bytes, Programme] = {}

    def priced(self, stages: FloatArray) -> Model:
        """The same problem with other objectives."""
        other = copy(self)
        other.stages, other._programmes = stages, {}
        return other

    def solve(self, inputs: Inputs, extra_upper: FloatArray | None = None) -> Solved:
        """Solve steps, each within all limits that are watched.

        Parameters
        ----------
        inputs : Inputs
            The steps.
        extra_upper : ndarray (step, column), optional
            Largest values of all columns after those of `Problem.upper`: sites, and in a rescue model what
            may be shed, dumped and short; by default no sites, and all of it. [MW]

        Raises
        ------
        SolverError
            If the method stalls or rows do not settle.
        """
        upper = self._upper(inputs, extra_upper)
        withdrawal = self.problem.withdrawal(inputs)
        solved = self._solve_with(self.stored, inputs, withdrawal, upper)
        flow = self.flow(solved.columns, withdrawal)
        # Flows at a limit count as well: they decide what more load would do.
        for t in np.flatnonzero(solved.feasible & self.watch.broken(flow, TIGHT_MW, self.stored)):
            one = np.array([t])
            solved.put(one, self._settled(inputs.at(one), withdrawal[one], upper[one], flow[t]))
        return solved

    def binding(self, inputs: Inputs) -> IntArray:
        """Limits of lines that matter to any of some steps, by their numbers."""
        upper, withdrawal = self._upper(inputs, None), self.problem.withdrawal(inputs)
        rows = self.stored
        for _ in range(_MAX_ROUNDS):
            solved = self._solve_with(rows, inputs, withdrawal, upper)
            flow = self.flow(solved.columns, withdrawal)
            late = np.flatnonzero(solved.feasible & self.watch.broken(flow, TIGHT_MW, rows))
            if not len(late):
                return rows
            for t in late:
                rows = np.union1d(rows, self.watch.near(flow[t], TIGHT_MW))
        raise self._unsettled()

    def flow(self, columns: FloatArray, withdrawal: FloatArray) -> FloatArray:
        """Line flows that belong to columns, (step, line). [MW]"""
        p = self.problem
        return products(p.ptdf, p.injection(columns) - withdrawal) + p.flow_offset_mw

    def _upper(self, inputs: Inputs, extra: FloatArray | None) -> FloatArray:
        parts = [upper_within(self.problem, self.limits, inputs)]
        if extra is not None:
            parts.append(extra)
        elif self.is_rescue:
            parts.append(self.problem.slack_upper(inputs))
        return np.concatenate(parts, axis=1)

    def _settled(self, inputs: Inputs, withdrawal: FloatArray, upper: FloatArray, flow: FloatArray) -> Solved:
        """Solve one step with the rows it needs besides the stored ones."""
        rows = self.stored
        for _ in range(_MAX_ROUNDS):
            rows = np.union1d(rows, self.watch.near(flow, TIGHT_MW))
            solved = self._solve_with(rows, inputs, withdrawal, upper)
            flow = self.flow(solved.columns, withdrawal)[0]
            if not solved.feasible[0] or len(np.union1d(rows, self.watch.near(flow, TIGHT_MW))) == len(rows):
                return solved
        raise self._unsettled()

    def _unsettled(self) -> SolverError:
        return SolverError(
            f"grid {self.problem.grid.name}: line rows did not settle after {_MAX_ROUNDS} rounds"
        )

    def _solve_with(
        self, numbers: IntArray, inputs: Inputs, withdrawal: FloatArray, upper: FloatArray
    ) -> Solved:
        rows, directions = self._rows_of(numbers)
        constant = self._programme(numbers, rows)
        low, high = rows.bounds(inputs, withdrawal, upper)
        shed_at = self.problem.n_column if self.is_rescue else -1
        answers = solve_steps(constant, upper, low, high, self.functionals, directions, shed_at)
        if (answers.state > INFEASIBLE).any():
            step = int(np.flatnonzero(answers.state > INFEASIBLE)[0])
            raise SolverError(
                f"grid {self.problem.grid.name}: the simplex method stalled in step {step} of the block; "
                "check limits and costs for extreme values"
            )
        base, security = self._shadows(rows, answers.duals, answers.binds)
        feasible = answers.state == OPTIMAL
        return Solved(feasible, answers.x, answers.moved, answers.known, base, security)

    def _rows_of(self, numbers: IntArray) -> tuple[Rows, FloatArray]:
        """Rows of some limits of lines, and the directions of their derivatives."""
        key = numbers.tobytes()
        if key not in self._rows:
            if len(self._rows) >= _MAX_KEPT:
                self._rows.clear()
            rows = Rows(self.problem, self.watch.rows(numbers), self.limits, self.n_column)
            directions = rows.directions if self._derivatives else np.zeros((len(rows.coefficients), 0))
            self._rows[key] = rows, np.ascontiguousarray(directions)
        return self._rows[key]

    def _programme(self, numbers: IntArray, rows: Rows) -> Programme:
        key = numbers.tobytes()
        if key not in self._programmes:
            if len(self._programmes) >= _MAX_KEPT:
                self._programmes.clear()
            self._programmes[key] = programme(self.stages, rows.coefficients, has_balance=True)
        return self._programmes[key]

    def _shadows(self, rows: Rows, duals: FloatArray, binds: IntArray) -> tuple[FloatArray, FloatArray]:
        """Cost saved per MW more rating of each line, with nothing out and summed over outages."""
        n_line = len(self.problem.rate_mw)
        base, security = np.zeros((len(duals), n_line)), np.zeros((len(duals), n_line))
        if not self._derivatives or not binds[:, rows.first_line :].any():
            return base, security
        per_mw = -duals[:, 1, rows.first_line :] * binds[:, rows.first_line :]
        is_base = rows.monitored.outage == NO_OUTAGE
        base[:, rows.monitored.line[is_base]] = per_mw[:, is_base]
        for row in np.flatnonzero(~is_base):
            security[:, rows.monitored.line[row]] += per_mw[:, row]
        return base, security
