"""The dispatch of several steps at once, coupled by storage and ramps: stages, choices, derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from grid_models._sparse import SparseProgramme, whole_numbers
from grid_models.block_rows import CHARGE, CONTENT, DISCHARGE, TIGHT_MW, BlockRows, State, ramp_per_step_mw
from grid_models.objective import ColumnCosts
from grid_models.rows import NO_OUTAGE
from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.engine import DispatchEngine
    from grid_models.lp import Inputs
    from grid_models.rows import Monitored
    from grid_models.storage import Stores

_MORE_LOAD_MW = 1e-4
_RANK_OF_CONTENT = 1e-3
_EQUAL = 1e-7
_MAX_ROUNDS = 200


@dataclass(frozen=True)
class Plan:
    """Solution of one block.

    Attributes
    ----------
    columns : ndarray (step, column)
        Columns of the step's own problem, of the rescue model where nothing balances. [MW]
    charge_mw, discharge_mw, content_mwh : ndarray (step, store)
        Power taken and given [MW], content at the end of the step [MWh].
    above_minimum_mw : ndarray (step, gen)
        Output above the minimum. [MW]
    moved : ndarray (step, functional, bus)
        Derivative of (curtailment, cost, CO2) of the whole block for more load in a step.
    line_shadow, security_shadow : ndarray (step, line)
        Cost saved per MW more rating, in the base case and after outages. [currency/MWh]
    ramps_bind : bool
        Whether any ramp is at its limit.
    """

    columns: FloatArray
    charge_mw: FloatArray
    discharge_mw: FloatArray
    content_mwh: FloatArray
    above_minimum_mw: FloatArray
    moved: FloatArray
    line_shadow: FloatArray
    security_shadow: FloatArray
    ramps_bind: bool


class BlockSolver:
    """Blocks of steps of one grid.

    Parameters
    ----------
    engine : DispatchEngine
        The grid, its objective and its limits.
    stores : Stores
        Storage.
    step_h : float
        Length of a step. [h]
    ramps : bool
        Whether generators' ramp rates limit them.
    derivatives : bool
        Whether derivatives and shadow prices are wanted.
    """

    def __init__(
        self, engine: DispatchEngine, stores: Stores, *, step_h: float, ramps: bool, derivatives: bool = True
    ) -> None:
        self.engine, self.stores, self.step_h, self.derivatives = engine, stores, step_h, derivatives
        self.costs = ColumnCosts(engine.problem, engine.objective)
        self.ramp_mw = ramp_per_step_mw(engine, step_h, ramps=ramps)

    def solve(self, inputs: Inputs, state: State, least_at_end_mwh: FloatArray) -> Plan:
        """Solve one block.

        Parameters
        ----------
        inputs : Inputs
            Its steps.
        state : State
            How it begins.
        least_at_end_mwh : ndarray (store)
            Least content after its last step. [MWh]

        Raises
        ------
        SolverError
            If HiGHS stops without an answer, or limits clash.
        """
        for may_shed in (False, True):
            rows = BlockRows(
                self.engine,
                self.stores,
                inputs,
                state,
                ramp_mw=self.ramp_mw,
                step_h=self.step_h,
                may_shed=may_shed,
            )
            block = _Block(rows, inputs, self.stages(may_shed=may_shed), least_at_end_mwh)
            if block.solve():
                return block.plan(self._functionals(rows) if self.derivatives else None)
        raise SolverError(f"grid {self.engine.grid.name}: no dispatch even with all load shed; limits clash")

    def stages(self, *, may_shed: bool) -> FloatArray:
        """Objectives of one step in their order, (stage, column).

        In `priority` what a store loses counts like what is curtailed. It could otherwise reduce curtailment
        by losing energy: discharging into a surplus and charging from it again.
        """
        own = self.costs.rescue_stages if may_shed else self.costs.stages
        n, n_store = own.shape[1], len(self.stores)
        result = np.zeros((len(own), n + 3 * n_store))
        result[:, :n] = own
        charge, discharge, content = (
            slice(n + kind * n_store, n + (kind + 1) * n_store) for kind in (CHARGE, DISCHARGE, CONTENT)
        )
        if self.engine.objective == "priority":
            result[-3, charge] = 1.0 - self.stores.efficiency
        result[-1, charge] = result[-1, discharge] = own[-1].max(initial=0.0) + 1.0
        result[-1, content] = _RANK_OF_CONTENT
        return result

    def _functionals(self, rows: BlockRows) -> FloatArray:
        """Curtailment, cost and CO2 as functions of the columns of one step, (3, column)."""
        result = np.zeros((3, rows.width))
        result[:, : rows.n_own] = self.costs.functionals(rows.n_own)
        return result


class _Block:
    """One block in HiGHS, with or without the columns that rescue it."""

    def __init__(
        self, rows: BlockRows, inputs: Inputs, stages: FloatArray, least_at_end_mwh: FloatArray
    ) -> None:
        self._rows, self._inputs = rows, inputs
        self._costs = [np.tile(stage, rows.n_step) for stage in stages]
        where = f"grid {rows.problem.grid.name}, block of {rows.n_step} steps"
        lower, upper = rows.bounds(least_at_end_mwh)
        self._programme = SparseProgramme(lower, upper, rows.coefficients(), *rows.limits(inputs), where)

    def solve(self) -> bool:
        """Find the optimum; false if there is none."""
        pairs = np.zeros((0, 2), dtype=np.int64)
        for _ in range(_MAX_ROUNDS):
            if not self._settle():
                return False
            pairs = np.concatenate([pairs, self._both_ways()])
            if not len(pairs):
                return True
            choice = self._chosen_ways(pairs)
            if choice is None:
                return False
            if self._is_as_good(pairs, choice[1]):
                return True
            self._hold_to(pairs, choice[0])
        raise self._unsettled()

    def _settle(self) -> bool:
        """Solve all stages within all lines and ramps."""
        for _ in range(_MAX_ROUNDS):
            if not self._programme.minimise(self._costs[0]):
                return False
            if self._add_missing():
                continue
            if not self._programme.minimise_in_turn(self._costs):
                return False
            if not self._add_missing():
                return True
        raise self._unsettled()

    def _unsettled(self) -> SolverError:
        return SolverError(f"{self._programme.where}: rows did not settle after {_MAX_ROUNDS} rounds")

    def _values(self) -> FloatArray:
        """Columns of the last solve, (step, column)."""
        result: FloatArray = self._programme.x.reshape(self._rows.n_step, self._rows.width)
        return result

    def _add_missing(self) -> bool:
        """Add rows whose limits the last solution reaches; false if there are none."""
        reached = self._rows.reached(self._values())
        if not len(reached):
            return False
        rows = self._rows.add(reached)
        low, high = self._rows.limits(self._inputs)
        self._programme.add_rows(rows, low[-len(reached) :], high[-len(reached) :])
        return True

    def _both_ways(self) -> IntArray:
        """Charging and discharging columns of stores that do both in one step, (pair, 2)."""
        values, rows = self._values(), self._rows
        least = np.minimum(values[:, rows.of_store(CHARGE)], values[:, rows.of_store(DISCHARGE)])
        step, store = np.nonzero(least > TIGHT_MW)
        charge = step * rows.width + rows.of_store(CHARGE).start + store
        return np.stack([charge, charge + len(rows.stores)], axis=1)

    def _chosen_ways(self, pairs: IntArray) -> tuple[BoolArray, float] | None:
        """Whether stores charge, by whole numbers, with the best first objective; None if impossible."""
        upper = self._programme.upper.copy()
        upper[pairs] = self._most()[pairs]
        return whole_numbers(self._programme, upper, pairs, self._costs[:-1])

    def _is_as_good(self, pairs: IntArray, best: float) -> bool:
        """Whether the last solution goes one way and is as good as the best in whole numbers.

        The first objective decides: later ones differ by what the rounding of whole numbers lets them.
        """
        x = self._programme.x
        is_one_way = bool((np.minimum(x[pairs[:, 0]], x[pairs[:, 1]]) <= TIGHT_MW).all())
        return is_one_way and bool(self._costs[0] @ x <= best + _EQUAL * max(1.0, abs(best)))

    def _hold_to(self, pairs: IntArray, charging: BoolArray) -> None:
        upper = self._programme.upper.copy()
        upper[pairs] = self._most()[pairs]
        upper[np.where(charging, pairs[:, 1], pairs[:, 0])] = 0.0
        self._programme.set_columns(self._programme.lower, upper)

    def _most(self) -> FloatArray:
        """Upper bounds of all columns when stores may go either way."""
        return self._rows.bounds(np.zeros(len(self._rows.stores)))[1]

    def plan(self, functionals: FloatArray | None) -> Plan:
        """Return the solution, with derivatives of functionals (3, column) where they are given."""
        values, rows = self._values(), self._rows
        shape = (rows.n_step, len(rows.problem.rate_mw))
        moved = np.zeros((rows.n_step, 3, rows.problem.n_bus))
        base, security = np.zeros(shape), np.zeros(shape)
        ramps_bind = bool(rows.added.is_ramp.any())
        if functionals is not None:
            moved, base, security = self._derivatives(np.tile(functionals, rows.n_step), values)
        return Plan(
            columns=np.ascontiguousarray(values[:, : rows.n_own]),
            charge_mw=values[:, rows.of_store(CHARGE)].copy(),
            discharge_mw=values[:, rows.of_store(DISCHARGE)].copy(),
            content_mwh=values[:, rows.of_store(CONTENT)].copy(),
            above_minimum_mw=rows.above_minimum(values),
            moved=moved,
            line_shadow=base,
            security_shadow=security,
            ramps_bind=ramps_bind,
        )

    def _derivatives(
        self, functionals: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives with respect to load, and prices of lines, at slightly more load everywhere."""
        rows, p = self._rows, self._rows.problem
        more = replace(self._inputs, load_p_mw=self._inputs.load_p_mw + _MORE_LOAD_MW)
        y = self._programme.duals(functionals)
        self._programme.set_rows(*rows.limits(more))
        if self._programme.minimise_in_turn(self._costs):
            y = self._programme.duals(functionals)
        of_step = y[:, : rows.n_step * len(rows.own.coefficients)].reshape(3, rows.n_step, -1)
        moved: FloatArray = np.einsum("ftr,rb->tfb", of_step, rows.own.directions)
        lines, step = rows.lines()
        price = y[:, self._programme.n_row - len(rows.added) :][:, ~rows.added.is_ramp]
        np.add.at(moved, step, np.einsum("fr,rb->rfb", price, lines.by_bus(p)))
        if rows.n_own > p.n_column:
            moved[np.broadcast_to(self._all_shed(values)[:, None], moved.shape)] = 0.0
        base, security = self._shadows(price[1], lines, step, values)
        return moved, base, security

    def _all_shed(self, values: FloatArray) -> BoolArray:
        """Buses at which all load is shed, and more would be, (step, bus)."""
        p, load = self._rows.problem, self._inputs.load_p_mw
        shed = values[:, p.n_column : p.n_column + p.n_bus]
        result: BoolArray = (shed > load - TIGHT_MW) & (load > TIGHT_MW)
        return result

    def _shadows(
        self, price: FloatArray, lines: Monitored, step: IntArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Cost saved per MW more rating: a row's price is that of a higher limit where it binds above."""
        rows = self._rows
        shape = (rows.n_step, len(rows.problem.rate_mw))
        base, security = np.zeros(shape), np.zeros(shape)
        added = self._programme.rows[self._programme.n_row - len(rows.added) :]
        activity = (added @ values.ravel())[~rows.added.is_ramp]
        low, high = rows.line_limits(rows.problem.withdrawal(self._inputs))
        saved = np.where(activity > 0.5 * (low + high), -price, price)
        for target, chosen in ((base, lines.outage == NO_OUTAGE), (security, lines.outage != NO_OUTAGE)):
            np.add.at(target, (step[chosen], lines.line[chosen]), saved[chosen])
        return base, security
