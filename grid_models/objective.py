"""What a dispatch minimises, in stages, and the functions whose derivatives it gives, as costs of columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray, IntArray
    from grid_models.lp import Problem

Objective = Literal["priority", "market"]

CURTAILMENT, COST, CO2 = range(3)
"""Places of the functionals."""


@dataclass(frozen=True)
class ColumnCosts:
    """Stages of an objective as costs of the columns of a problem without sites.

    Parameters
    ----------
    problem : Problem
        The grid's arrays.
    objective : {"priority", "market"}
        See `grid_models.engine`.
    """

    problem: Problem
    objective: Objective

    @property
    def _curtailment(self) -> FloatArray:
        result = np.zeros(self.problem.n_column)
        result[self.problem.units_at] = -self.problem.counted
        return result

    @property
    def _cost(self) -> FloatArray:
        p, result = self.problem, np.zeros(self.problem.n_column)
        result[: p.n_segment] = p.segment_cost
        result[p.units_at] = p.offer
        return result

    @property
    def _rank(self) -> FloatArray:
        p, result = self.problem, np.zeros(self.problem.n_column)
        result[: p.n_segment] = p.segment_rank
        result[p.units_at] = p.unit_rank
        result[p.links_at] = np.tile(p.link_rank, 2)
        return result

    @property
    def stages(self) -> FloatArray:
        """Objectives in their order, (stage, column)."""
        first = [self._curtailment] if self.objective == "priority" else []
        return np.array([*first, self._cost, self._rank])

    @property
    def rescue_stages(self) -> FloatArray:
        """The same behind least shedding and dumping and then least shortage of reserves.

        Among equals shedding begins with the last bus by name; what is interchangeable is shared afterwards.
        """
        p = self.problem
        stages = np.zeros((2 + len(self.stages), p.n_rescue))
        stages[2:, : p.n_column] = self.stages
        slack = slice(p.n_column, p.n_column + 2 * p.n_bus)
        stages[0, slack], stages[1, -2:] = 1.0, 1.0
        names = p.grid.buses.index.to_numpy(dtype=str)
        stages[-1, slack] = np.tile(p.n_bus - np.argsort(np.argsort(names, kind="stable")), 2)
        return stages

    def functionals(self, n_column: int) -> FloatArray:
        """Curtailed power, cost and CO2 as functions of the columns, (3, column)."""
        result = np.zeros((3, n_column))
        n = self.problem.n_column
        result[CURTAILMENT, :n] = self._curtailment
        result[COST, :n] = self._cost
        result[CO2, : self.problem.n_segment] = self.problem.segment_co2
        return result

    @property
    def merit_order(self) -> IntArray:
        """Segments and free units (counted after the segments), the first to be taken first."""
        n = self.problem.n_segment + self.problem.n_free
        return np.lexsort([stage[:n] for stage in self.stages[::-1]])
