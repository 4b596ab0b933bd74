"""The unit commitment of one block of steps: its relaxation, and from there its solution in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from grid_models._sparse import SparseProgramme
from grid_models.block_rows import CHARGE, CONTENT, Added, BlockRows, State, ramp_per_step_mw
from grid_models.commitment_rows import CommitmentRows, Past
from grid_models.objective import ColumnCosts
from weather import SolverError

if TYPE_CHECKING:
    from highspy import HighsBasisStatus

    from grid_models._arrays import BoolArray, FloatArray
    from grid_models.engine import DispatchEngine
    from grid_models.fleet import Fleet
    from grid_models.lp import Inputs
    from grid_models.storage import Stores

Statuses = list[list["HighsBasisStatus"]]

SHED_PRICE_PER_MWH = 10_000.0
"""What a MWh of load not served, or of must-take power not taken, counts in a commitment. [currency/MWh]"""
RESERVE_PRICE_PER_MWH = 1_000.0
"""What a MWh of reserves that are short counts: well below load not served, since reserves are there to keep
load served and a dispatch gives them up first; well above any generator. [currency/MWh]"""
_WHOLE = 1e-6
_NEARER = 0.25  # what the first search may miss of its own best, which is not that of all
_MAX_ROUNDS = 100


@dataclass(frozen=True)
class Prices:
    """What a commitment minimises besides costs. [currency/MWh]

    Attributes
    ----------
    curtailed_per_mwh : float
        Wind and PV not taken, and what is lost in storage.
    shed_per_mwh : float
        Load not served, must-take power not taken.
    reserve_short_per_mwh : float
        Reserves that are short.
    """

    curtailed_per_mwh: float
    shed_per_mwh: float = SHED_PRICE_PER_MWH
    reserve_short_per_mwh: float = RESERVE_PRICE_PER_MWH


@dataclass(frozen=True)
class Committed:
    """Commitment of one block.

    Attributes
    ----------
    running, starting : ndarray (step, cluster)
        Members that run, and that start.
    slack_mw : ndarray (step, 3)
        Load shed, power dumped, reserves short. [MW]
    content_mwh, above_minimum_mw : ndarray (step, store), (step, gen)
        As in `grid_models.block.Plan`.
    objective, bound : float
        Value found, and what no solution can be below. [currency]
    """

    running: FloatArray
    starting: FloatArray
    slack_mw: FloatArray
    content_mwh: FloatArray
    above_minimum_mw: FloatArray
    objective: float
    bound: float

    @property
    def gap(self) -> float:
        """How far from the best it may be, relative to its objective. [1]"""
        return max(self.objective - self.bound, 0.0) / max(abs(self.objective), 1.0)


class CommitmentSolver:
    """Blocks of one grid, one after the other; each starts from the basis of the one before.

    Parameters
    ----------
    fleet : Fleet
        Clusters of generators.
    engine : DispatchEngine
        The fleet's grid with its limits.
    stores : Stores
        Storage.
    prices : Prices
        What shedding and curtailing count.
    step_h : float
        Length of a step. [h]
    ramps, relaxed : bool
        Whether ramp rates hold; whether shares of units may run.
    mip_gap : float
        How far from the best a block may be, relative to its objective. [1]
    max_nodes : int
        Nodes of the search after which a block takes the best it has.
    """

    def __init__(
        self,
        fleet: Fleet,
        engine: DispatchEngine,
        stores: Stores,
        prices: Prices,
        *,
        step_h: float,
        ramps: bool,
        relaxed: bool,
        mip_gap: float,
        max_nodes: int,
    ) -> None:
        self.fleet, self.engine, self.stores, self.prices = fleet, engine, stores, prices
        self.step_h, self.relaxed, self.mip_gap, self.max_nodes = step_h, relaxed, mip_gap, max_nodes
        self.costs = ColumnCosts(engine.problem, engine.objective)
        self.ramp_mw = ramp_per_step_mw(engine, step_h, ramps=ramps)
        self._start: _Start | None = None

    def solve(self, inputs: Inputs, most: FloatArray, past: Past, state: State, kept: int) -> Committed:
        """Solve one block.

        Parameters
        ----------
        inputs : Inputs
            Its steps, with nothing of the clusters running.
        most : ndarray (step, cluster)
            Members that may run.
        past : Past
            What ran before.
        state : State
            Storage and output before.
        kept : int
            Steps after which the next block begins.

        Raises
        ------
        SolverError
            If HiGHS stops without an answer, or limits clash.
        """
        for may_shed in (False, True):
            block = BlockRows(
                self.engine,
                self.stores,
                inputs,
                state,
                ramp_mw=self.ramp_mw,
                step_h=self.step_h,
                may_shed=may_shed,
            )
            rows = CommitmentRows(self.fleet, block, most, past)
            attempt = _Commitment(self, rows, inputs, None if may_shed else self._start)
            result = attempt.solve(kept)
            if result is not None:
                self._start = None if may_shed else attempt.start
                return result
        raise SolverError(
            f"grid {self.engine.grid.name}: no commitment even with all load shed; "
            "check times to run and to stand, and limits"
        )

    def step_costs(self, rows: CommitmentRows, *, may_shed: bool) -> FloatArray:
        """Costs of the columns of one step. [currency per MW or member]"""
        own = self.costs.rescue_stages if may_shed else self.costs.stages
        result = np.zeros(rows.n_column)
        result[: own.shape[1]] = own[-2]
        if self.engine.objective == "priority":
            result[: own.shape[1]] += self.prices.curtailed_per_mwh * own[-3]
            lost = 1.0 - self.stores.efficiency
            result[rows.block.of_store(CHARGE)] = self.prices.curtailed_per_mwh * lost
        if may_shed:
            first, reserves = self.engine.problem.n_column, own.shape[1] - 2
            result[first:reserves] += self.prices.shed_per_mwh
            result[reserves : own.shape[1]] += self.prices.reserve_short_per_mwh
        result[rows.running_at] = self.fleet.no_load_cost
        result *= self.step_h
        result[rows.starting_at] = self.fleet.start_cost
        return result

    def offset(self, inputs: Inputs) -> float:
        """Return the objective beside the columns: costs of what runs anyway, all that could be curtailed."""
        p, free = self.engine.problem, inputs.available_p_mw[:, self.engine.problem.free_unit]
        result = float((inputs.gen_status @ p.gen_no_load_cost).sum())
        if self.engine.objective == "priority":
            result += self.prices.curtailed_per_mwh * float((free @ p.counted).sum())
        return result * self.step_h


@dataclass(frozen=True)
class _Whole:
    """Solution in whole numbers, its objective, and what none can be below."""

    x: FloatArray
    objective: float
    bound: float


@dataclass(frozen=True)
class _Start:
    """A basis to start a block from: statuses of columns and of rows by step; lines and ramps that bound."""

    columns: Statuses
    own: Statuses
    energy: Statuses
    commitment: Statuses
    added: Added
    added_status: list[HighsBasisStatus]


class _Commitment:
    """One block in HiGHS."""

    def __init__(
        self, solver: CommitmentSolver, rows: CommitmentRows, inputs: Inputs, start: _Start | None
    ) -> None:
        self._solver, self._rows, self._inputs = solver, rows, inputs
        may_shed = rows.block.n_own > rows.block.problem.n_column
        self._cost = np.tile(solver.step_costs(rows, may_shed=may_shed), rows.n_step)
        self._where = f"grid {rows.fleet.source.name}, commitment of {rows.n_step} steps"
        self._low, self._high = (limit.copy() for limit in rows.block.limits(inputs))
        coefficients, low, high = rows.rows()
        self._lower, self._upper = rows.bounds()
        self._offset = solver.offset(inputs)
        self._lp = SparseProgramme(
            self._lower,
            self._upper,
            sparse.vstack([rows.dispatch_rows(), coefficients], format="csr"),
            np.concatenate([self._low, low]),
            np.concatenate([self._high, high]),
            self._where,
            offset=self._offset,
        )
        self.start = start
        if start is not None:
            self._start_from(start)

    def solve(self, kept: int) -> Committed | None:
        """Find the commitment; None if there is none.

        What whole numbers were found without some line or ramp is dispatched again within all of them. If it
        then is too dear, whole numbers are looked for once more, with those that bound.
        """
        for _ in range(_MAX_ROUNDS):
            if not self._relax():
                return None
            self.start = self._start_after(kept)
            x, objective = self._lp.x, self._lp.objective
            if self._solver.relaxed:
                return self._result(x, objective, objective)
            n_row, found = self._lp.n_row, self._whole(x)
            if found is None:
                return None
            dispatched = self._dispatched(found.x)
            if dispatched is not None and self._is_near(dispatched[1], found.bound):
                return self._result(*dispatched, found.bound)
            if self._lp.n_row == n_row:
                return None if dispatched is None else self._result(*dispatched, found.bound)
        raise SolverError(f"{self._where}: rows did not settle after {_MAX_ROUNDS} rounds")

    def _dispatched(self, x: FloatArray) -> tuple[FloatArray, float] | None:
        """Solution with what runs held, within all lines and ramps, and its objective; None without."""
        at, lower, upper = self._rows.running_at, self._lower.copy(), self._upper.copy()
        for bound in (lower, upper):
            steps = bound.reshape(self._rows.n_step, -1)
            steps[:, at] = np.round(x.reshape(self._rows.n_step, -1)[:, at])
        self._lp.set_columns(lower, upper)
        result = (self._lp.x, self._lp.objective) if self._relax() else None
        self._lp.set_columns(self._lower, self._upper)
        return result

    def _is_near(self, objective: float, bound: float) -> bool:
        """Whether an objective is within the gap above what no solution can be below."""
        return objective - bound <= self._solver.mip_gap * max(abs(objective), 1.0)

    def _relax(self) -> bool:
        """Solve the relaxation within all lines and ramps."""
        for _ in range(_MAX_ROUNDS):
            if not self._lp.minimise(self._cost):
                return False
            if not self._add_reached(self._lp.x):
                return True
        raise SolverError(f"{self._where}: rows did not settle after {_MAX_ROUNDS} rounds")

    def _add_reached(self, x: FloatArray) -> bool:
        values = x.reshape(self._rows.n_step, -1)
        own = values[:, : self._rows.block.width]
        reached = self._rows.block.reached(own, self._rows.injected_mw(values))
        if len(reached):
            self._add(reached)
        return len(reached) > 0

    def _add(self, new: Added) -> None:
        block = self._rows.block
        coefficients = self._rows.added_rows(block.add(new), len(new))
        low, high = block.limits(self._inputs)
        self._lp.add_rows(coefficients, low[-len(new) :], high[-len(new) :])

    def _whole(self, x: FloatArray) -> _Whole | None:
        """Solution in whole numbers, from the relaxation; None if there is none.

        First only clusters of which the relaxation runs parts are decided, the others stay as they are. That
        is fast and mostly good enough, which the relaxation tells. If not, everything is decided from there.
        """
        relaxed = self._lp.objective
        at = self._rows.running_at
        running = x.reshape(self._rows.n_step, -1)[:, at]
        parts = np.abs(running - np.round(running)) > _WHOLE
        if not parts.any():
            return _Whole(x, relaxed, relaxed)
        lower, upper = self._lower.copy(), self._upper.copy()
        settled = ~parts.any(axis=0)
        for bound in (lower, upper):
            bound.reshape(self._rows.n_step, -1)[:, at][:, settled] = np.round(running[:, settled])
        near = self._decide(lower, upper, gap=self._solver.mip_gap * _NEARER)
        if near is not None and self._is_near(near.objective, relaxed):
            return replace(near, bound=relaxed)
        every = self._decide(self._lower, self._upper, gap=self._solver.mip_gap, known=near)
        return None if every is None else replace(every, bound=max(every.bound, relaxed))

    def _decide(
        self, lower: FloatArray, upper: FloatArray, *, gap: float, known: _Whole | None = None
    ) -> _Whole | None:
        programme = SparseProgramme(
            lower,
            upper,
            self._lp.rows,
            self._lp.low,
            self._lp.high,
            self._where,
            integer=self._is_running(),
            gap=gap,
            max_nodes=self._solver.max_nodes,
            good_enough=self._lp.objective + self._solver.mip_gap * abs(self._lp.objective),
            offset=self._offset,
        )
        if known is not None:
            programme.suggest(known.x)
        if not programme.minimise(self._cost):
            return None
        return _Whole(programme.x, programme.objective, programme.bound)

    def _is_running(self) -> BoolArray:
        step = np.zeros(self._rows.n_column, dtype=bool)
        step[self._rows.running_at] = True
        return np.tile(step, self._rows.n_step)

    def _result(self, x: FloatArray, objective: float, bound: float) -> Committed:
        rows, block = self._rows, self._rows.block
        values = x.reshape(rows.n_step, -1)
        running = values[:, rows.running_at].copy()
        starting = values[:, rows.starting_at].copy()
        if not self._solver.relaxed:
            running = np.round(running)
            before = rows.past.running[-1:] if len(rows.past) else running[:1]
            starting = np.maximum(np.diff(running, axis=0, prepend=before), 0.0)
        p, slack = block.problem, np.zeros((rows.n_step, 3))
        if block.n_own > p.n_column:
            shed = values[:, p.n_column : p.n_column + p.n_bus].sum(axis=1)
            dumped = values[:, p.n_column + p.n_bus : p.n_column + 2 * p.n_bus].sum(axis=1)
            short = values[:, p.n_column + 2 * p.n_bus : block.n_own].sum(axis=1)
            slack = np.stack([shed, dumped, short], axis=1)
        return Committed(
            running=running,
            starting=starting,
            slack_mw=slack,
            content_mwh=values[:, block.of_store(CONTENT)].copy(),
            above_minimum_mw=block.above_minimum(values),
            objective=objective,
            bound=bound,
        )

    def _sizes(self) -> tuple[int, int, int]:
        """Rows of a step: of the dispatch, of storage, of the commitment."""
        rows = self._rows
        return len(rows.block.own.coefficients), len(rows.block.stores), rows.n_row_per_step

    def _start_after(self, kept: int) -> _Start:
        """Basis of the relaxation, moved on by some steps; steps that are new start as a block earlier."""
        basis, n = self._lp.basis(), self._rows.n_step
        columns = _in_parts(list(basis.col_status), n)
        status = list(basis.row_status)
        parts, first = [], 0
        for size in self._sizes():
            parts.append(_in_parts(status[first : first + size * n], n))
            first += size * n
        moved = [
            [part[t + kept] if t + kept < n else part[t] for t in range(n)] for part in (columns, *parts)
        ]
        added = self._rows.block.added
        later = added.step >= kept
        after = Added(added.is_ramp[later], added.index[later], added.step[later] - kept)
        added_status = [one for one, is_later in zip(status[first:], later, strict=True) if is_later]
        return _Start(moved[0], moved[1], moved[2], moved[3], after, added_status)

    def _start_from(self, start: _Start) -> None:
        """Add the rows that bound before and begin from the basis there was then."""
        n = self._rows.n_step
        within = start.added.step < n
        kept = Added(start.added.is_ramp[within], start.added.index[within], start.added.step[within])
        if len(kept):
            self._add(kept)
        rows = [part[:n] for part in (start.own, start.energy, start.commitment)]
        status = [one for part in rows for step in part for one in step]
        status += [one for one, is_in in zip(start.added_status, within, strict=True) if is_in]
        columns = [one for step in start.columns[:n] for one in step]
        if len(columns) == len(self._cost) and len(status) == self._lp.n_row:
            self._lp.start_from(columns, status)


def _in_parts(values: list[HighsBasisStatus], n: int) -> Statuses:
    size = len(values) // n
    return [values[k * size : (k + 1) * size] for k in range(n)]
