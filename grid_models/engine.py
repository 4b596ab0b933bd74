"""Dispatch of one time step: least curtailment or least cost, exactly, with its derivatives.

Objectives (named in every result):

`priority`
    Lexicographic: least shedding and dumping, then least curtailed wind and PV, then least cost.
`market`
    Least shedding and dumping, then least cost; wind and PV offer at their price.

How `priority` is exact with one solve in nearly every step: the step is solved once with curtailment weighted
`CURTAILMENT_WEIGHT` above cost, and the optimal basis is then *checked* to be optimal for curtailment alone
(reduced costs of the right sign). Where the check fails, the stages are solved one after the other, the
optimal face of each kept by fixing what has a reduced cost. The weight is a way to guess the basis, never a
part of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from grid_models._highs import BALANCE, FEASIBILITY_MW, Model, Optimum
from grid_models.lp import RANK_COST, build_problem, flows
from grid_models.sensitivity import load_derivatives
from grid_models.sharing import share_pro_rata
from weather import SolverError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid
    from grid_models.lp import Problem

Objective = Literal["priority", "market"]

CURTAILMENT_WEIGHT = 1e4
"""First guess of how much dearer a curtailed MWh is than any redispatch. [currency/MWh]"""
_SIGN_TOLERANCE = 1e-9
_PERTURBATION_MW = 1e-4
_DISCOVERY_STEPS = 48


@dataclass(frozen=True)
class StepResult:
    """Dispatch of one step. Arrays follow the grid's tables; powers are means over the step. [MW]

    Attributes
    ----------
    gen_p_mw, unit_p_mw : ndarray
        Output of generators and of weather-driven units.
    curtailed_p_mw : ndarray (unit)
        Available wind and PV not taken; zero for other technologies.
    spilled_p_mw : ndarray (unit)
        Available hydro and CSP not taken; reported apart from curtailment.
    line_p_mw, line_shadow : ndarray (line)
        Flow [MW], and cost saved per MW more rating [currency/MWh]; the latter may be negative in `priority`,
        where more room for wind and PV can make the rest dearer.
    link_p_mw : ndarray (link)
        Flow of controllable links.
    shed_p_mw, dump_p_mw : ndarray (bus)
        Load not served; must-take power not taken.
    marginal_curtailment : ndarray (bus)
        MW less curtailed per MW more load: exact derivative, for more load where it has two sides. [1]
    marginal_co2_kg_per_mwh, marginal_cost_per_mwh : ndarray (bus)
        More CO2, more cost per MWh more load. In `market` the latter is the locational marginal price.
    cost, co2_kg_per_h : float
        Production cost and direct emissions per hour. [currency/h], [kg/h]
    """

    gen_p_mw: FloatArray
    unit_p_mw: FloatArray
    curtailed_p_mw: FloatArray
    spilled_p_mw: FloatArray
    line_p_mw: FloatArray
    line_shadow: FloatArray
    link_p_mw: FloatArray
    shed_p_mw: FloatArray
    dump_p_mw: FloatArray
    marginal_curtailment: FloatArray
    marginal_co2_kg_per_mwh: FloatArray
    marginal_cost_per_mwh: FloatArray
    cost: float
    co2_kg_per_h: float

    @property
    def thermal_p_mw(self) -> float:
        """Sum over all generators. [MW]"""
        return float(self.gen_p_mw.sum())


class DispatchEngine:
    """Dispatch of a grid, one step at a time, each independent of the others.

    Parameters
    ----------
    grid : Grid
        The network, its generators and units.
    objective : {"priority", "market"}
        See the module's text.
    lines : sequence of int, optional
        Lines whose rows are always in the model. By default they are found from the grid alone, with random
        availability and load from a fixed seed, so that neither weather nor chunking can change them.

    Examples
    --------
    >>> from grid_models import DispatchEngine, load_grid
    >>> grid = load_grid("rts_gmlc")
    >>> engine = DispatchEngine(grid)
    >>> load = np.full(len(grid.buses), 60.0)
    >>> step = engine.solve(load, np.zeros(len(grid.units)))
    >>> round(step.thermal_p_mw)
    4380
    """

    def __init__(
        self, grid: Grid, objective: Objective = "priority", *, lines: Sequence[int] | IntArray | None = None
    ) -> None:
        if objective not in ("priority", "market"):
            raise ValueError(f"objective={objective!r}: expected 'priority' or 'market'")
        self.grid = grid
        self.objective: Objective = objective
        self.problem = build_problem(grid)
        self._costs = _Costs.of(self.problem, objective)
        reference = reference_steps(self.problem)
        found = discover_lines(self.problem, self._costs.guess, reference) if lines is None else lines
        self.lines = np.unique(np.asarray(found, dtype=np.int64))
        self._model = Model(self.problem, self.lines, self._costs.guess)
        load, available = reference[0]
        self._model.make_canonical(self._upper(available), self.withdrawal(load, available))
        self._rescue: Model | None = None

    @property
    def merit_order(self) -> IntArray:
        """Segments and free units (counted after the segments), the first to be taken first."""
        n = self.problem.n_segment + self.problem.n_free
        return np.lexsort([stage[:n] for stage in reversed(self._costs.stages)])

    def withdrawal(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> FloatArray:
        """Load less what must be taken (must-run minimum, rooftop PV) at each bus. [MW]"""
        return load_p_mw - self.must_take(available_p_mw)

    def must_take(self, available: FloatArray) -> FloatArray:
        """Must-run minimum and rooftop PV at each bus. [MW]"""
        return self.problem.must_take(available)

    def _upper(self, available: FloatArray) -> FloatArray:
        return self.problem.upper(available)

    def solve(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> StepResult:
        """Dispatch one step.

        Parameters
        ----------
        load_p_mw : ndarray (bus)
            Demand at each bus, flexible load included, >= 0. [MW]
        available_p_mw : ndarray (unit)
            What the weather allows each unit, >= 0. [MW]

        Raises
        ------
        SolverError
            If HiGHS returns anything but an optimum, or line rows do not settle.
        """
        upper = self._upper(available_p_mw)
        withdrawal = self.withdrawal(load_p_mw, available_p_mw)
        solver = _Direct(self._model, upper, self._costs)
        optimum = solver.solve(withdrawal)
        if optimum is None:
            optimum = self._rescued(load_p_mw, available_p_mw)
        derivative = self._derivatives(solver, optimum, load_p_mw, available_p_mw)
        return self._result(optimum, upper, withdrawal, available_p_mw, derivative)

    def _rescuer(self, load: FloatArray, available: FloatArray) -> _Stages:
        """Solver of a step that cannot be balanced: load may be shed and must-take power dumped."""
        if self._rescue is None:
            n = self.problem.n_column + 2 * self.problem.n_bus
            self._rescue = Model(self.problem, self.lines, np.zeros(n))
        upper = np.concatenate([self._upper(available), load, self.must_take(available)])
        return _Stages(self._rescue, upper, self._costs.rescue_stages())

    def _rescued(self, load: FloatArray, available: FloatArray) -> Optimum:
        optimum = self._rescuer(load, available).solve(self.withdrawal(load, available))
        if optimum is None:
            raise SolverError(f"grid {self.grid.name}: no dispatch even with all load shed; limits clash")
        return optimum

    def _derivatives(
        self, solver: _Direct, optimum: Optimum, load: FloatArray, available: FloatArray
    ) -> FloatArray:
        """Derivative of (curtailment, cost, CO2) with respect to load, for more load, (functional, bus)."""
        functionals = self._costs.functionals(len(optimum.columns))
        result, exact = load_derivatives(self.problem, optimum, functionals, load)
        rescued = len(optimum.columns) > self.problem.n_column
        for bus in np.flatnonzero(~exact):
            more = load.copy()
            more[bus] += _PERTURBATION_MW
            beyond = None if rescued else solver.resolve(self.withdrawal(more, available))
            beyond = self._rescued(more, available) if beyond is None else beyond
            functionals = self._costs.functionals(len(beyond.columns))
            result[:, bus] = load_derivatives(self.problem, beyond, functionals, more)[0][:, bus]
        return result

    def _result(
        self,
        optimum: Optimum,
        upper: FloatArray,
        withdrawal: FloatArray,
        available: FloatArray,
        derivative: FloatArray,
    ) -> StepResult:
        p, x = self.problem, optimum.columns
        columns = x.copy()
        flow = flows(p.ptdf, p.injection(columns) - withdrawal)
        columns[p.units_at] = self._shared_units(columns[p.units_at], upper[p.units_at], flow)
        flow = flows(p.ptdf, p.injection(columns) - withdrawal)
        unit_p = available.copy()
        unit_p[p.free_unit] = columns[p.units_at]
        unused = np.zeros(len(available))
        unused[p.free_unit] = upper[p.units_at] - columns[p.units_at]
        counted = np.zeros(len(available))
        counted[p.free_unit] = p.counted
        segment = columns[: p.n_segment]
        forward, backward = columns[p.links_at].reshape(2, p.n_link)
        slack = columns[p.n_column :] if len(columns) > p.n_column else np.zeros(2 * p.n_bus)
        return StepResult(
            gen_p_mw=p.must_run_gen_p_mw
            + np.bincount(p.segment_generator, segment, len(p.must_run_gen_p_mw)),
            unit_p_mw=unit_p,
            curtailed_p_mw=unused * counted,
            spilled_p_mw=unused * (1.0 - counted),
            line_p_mw=flow,
            line_shadow=self._shadow(optimum),
            link_p_mw=forward - backward,
            shed_p_mw=slack[: p.n_bus],
            dump_p_mw=slack[p.n_bus :],
            marginal_curtailment=-derivative[0],
            marginal_co2_kg_per_mwh=derivative[2],
            marginal_cost_per_mwh=derivative[1],
            cost=p.no_load_cost_per_h
            + float(segment @ p.segment_cost)
            + float(columns[p.units_at] @ p.offer),
            co2_kg_per_h=p.no_load_co2_kg_per_h + float(segment @ p.segment_co2),
        )

    def _shared_units(self, taken: FloatArray, available: FloatArray, flow: FloatArray) -> FloatArray:
        """Share what is not taken among units of equal offer, wind and PV apart from hydro and CSP."""
        p = self.problem
        unused = np.clip(available - taken, 0.0, None)
        rates = np.where(np.isfinite(p.rate_mw), p.rate_mw, np.inf)
        for counted, offer in sorted(set(zip(p.counted, p.offer, strict=True))):
            member = np.flatnonzero((p.counted == counted) & (p.offer == offer))
            if unused[member].sum() <= FEASIBILITY_MW:
                continue
            per_mw = -p.ptdf[:, p.unit_bus[p.free_unit[member]]]
            shared = share_pro_rata(unused[member], available[member], per_mw, flow, rates)
            flow = flow + np.einsum("ln,n->l", per_mw, shared - unused[member])
            unused[member] = shared
        return available - unused

    def _shadow(self, optimum: Optimum) -> FloatArray:
        """Cost (`market`) or cost of the last stage (`priority`) saved per MW more rating."""
        p, basis = self.problem, optimum.basis
        result = np.zeros(len(p.rate_mw))
        per_mw = basis.duals(self._costs.functionals(len(optimum.columns))[1])[0]
        is_line = basis.rows != BALANCE
        result[basis.rows[is_line]] = np.where(basis.at_upper, -per_mw, per_mw)[is_line]
        return result


@dataclass(frozen=True)
class _Costs:
    """The objective's stages as column costs of the ordinary model."""

    problem: Problem
    curtailment: FloatArray
    cost: FloatArray
    ranked: FloatArray
    objective: Objective

    @staticmethod
    def of(problem: Problem, objective: Objective) -> _Costs:
        n = problem.n_column
        curtailment, cost, rank = np.zeros(n), np.zeros(n), np.zeros(n)
        curtailment[problem.units_at] = -problem.counted
        cost[: problem.n_segment] = problem.segment_cost
        cost[problem.units_at] = problem.offer
        rank[: problem.n_segment] = problem.segment_rank
        rank[problem.units_at] = problem.unit_rank
        rank[problem.links_at] = np.tile(problem.link_rank, 2)
        return _Costs(problem, curtailment, cost, cost + RANK_COST * rank, objective)

    @property
    def guess(self) -> FloatArray:
        """Objective of the one solve that settles nearly every step."""
        if self.objective == "market":
            return self.ranked
        return self.ranked + CURTAILMENT_WEIGHT * self.curtailment

    @property
    def stages(self) -> list[FloatArray]:
        """Objectives in their order."""
        return [self.ranked] if self.objective == "market" else [self.curtailment, self.ranked]

    def rescue_stages(self) -> list[FloatArray]:
        """The same behind least shedding and dumping, which among equals begins with the last bus by name."""
        n_bus = self.problem.n_bus
        first = np.concatenate([np.zeros(self.problem.n_column), np.ones(2 * n_bus)])
        names = self.problem.grid.buses.index.to_numpy(dtype=str)
        rank = RANK_COST * (n_bus - np.argsort(np.argsort(names, kind="stable")))
        slacks = [np.zeros(2 * n_bus)] * (len(self.stages) - 1) + [np.tile(rank, 2)]
        stages = zip(self.stages, slacks, strict=True)
        return [first, *(np.concatenate([stage, slack]) for stage, slack in stages)]

    def functionals(self, n_column: int) -> FloatArray:
        """Curtailed power, cost and CO2 as functions of the columns, (3, column)."""
        result = np.zeros((3, n_column))
        n = self.problem.n_column
        result[0, :n] = self.curtailment
        result[1, :n] = self.cost
        result[2, : self.problem.n_segment] = self.problem.segment_co2
        return result


class _Direct:
    """One solve with the guessed weight, checked; the stages where the check fails."""

    def __init__(self, model: Model, upper: FloatArray, costs: _Costs) -> None:
        self._model, self._upper, self._costs = model, upper, costs
        self._stages = _Stages(model, upper, costs.stages)
        self._needs_stages = False

    def solve(self, withdrawal: FloatArray) -> Optimum | None:
        return self._checked(self._model.solve(self._upper, withdrawal), withdrawal)

    def resolve(self, withdrawal: FloatArray) -> Optimum | None:
        """Solve again nearby, from where the last solve ended."""
        if self._needs_stages:
            return self._stages.solve(withdrawal)
        return self._checked(self._model.resolve(self._upper, withdrawal), withdrawal)

    def _checked(self, optimum: Optimum | None, withdrawal: FloatArray) -> Optimum | None:
        if optimum is None or self._costs.objective == "market":
            return optimum
        if is_optimal_for(optimum, self._costs.curtailment, self._upper):
            return optimum
        self._needs_stages = True
        return self._stages.solve(withdrawal)


class _Stages:
    """One solve per stage, whatever the weights."""

    def __init__(self, model: Model, upper: FloatArray, stages: list[FloatArray]) -> None:
        self._model, self._upper, self._costs = model, upper, stages

    def solve(self, withdrawal: FloatArray) -> Optimum | None:
        return self._model.solve_stages(self._upper, withdrawal, self._costs)


def is_optimal_for(optimum: Optimum, cost: FloatArray, upper: FloatArray) -> bool:
    """Whether a basis that is optimal for another objective also minimises `cost`.

    True when every nonbasic column's reduced cost pushes against the bound the column sits at, and every
    binding line's dual has the sign of its binding side: the optimality conditions of linear programming.
    """
    basis, x = optimum.basis, optimum.columns
    dual = basis.duals(cost)[0]
    reduced = cost - dual @ basis.matrix
    reduced[basis.columns] = 0.0
    movable = upper > 0.0
    at_upper = x > 0.5 * upper
    wrong = movable & (np.where(at_upper, reduced, -reduced) > _SIGN_TOLERANCE)
    if bool(wrong.any()):
        return False
    is_line = basis.rows != BALANCE
    return not bool((np.where(basis.at_upper, dual, -dual)[is_line] > _SIGN_TOLERANCE).any())


def discover_lines(
    problem: Problem, cost: FloatArray, steps: list[tuple[FloatArray, FloatArray]]
) -> IntArray:
    """Lines that bind in any of the given steps, sorted."""
    model = Model(problem, np.zeros(0, dtype=np.int64), cost)
    found: set[int] = set()
    for load, available in steps:
        withdrawal = load - problem.must_take(available)
        if model.solve(problem.upper(available), withdrawal) is not None:
            found.update(model.lines.tolist())
    return np.array(sorted(found), dtype=np.int64)


def reference_steps(problem: Problem) -> list[tuple[FloatArray, FloatArray]]:
    """Loads and availabilities that span what a grid may meet, from its own sizes and a fixed seed."""
    grid, rng = problem.grid, np.random.default_rng(20_251_122)
    peak = grid.buses["load_p_mw"].to_numpy(dtype=float)
    p_nom = grid.units["p_nom_mw"].to_numpy(dtype=float)
    technology = grid.units["technology"].to_numpy(dtype=str)
    kinds, member = np.unique(technology, return_inverse=True)
    steps = [(0.6 * peak, 0.4 * p_nom)]
    for _ in range(_DISCOVERY_STEPS):
        common = rng.uniform(0.0, 1.0, len(kinds))[member]
        own = np.clip(common + rng.normal(0.0, 0.2, len(p_nom)), 0.0, 1.0)
        steps.append((peak * rng.uniform(0.35, 1.0), p_nom * own))
    return steps
