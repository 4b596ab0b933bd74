"""Dispatch of time steps: least curtailment or least cost, exactly, with its derivatives.

Objectives (named in every result):

`priority`
    Lexicographic: least shedding and dumping, then least curtailed wind and PV, then least cost.
`market`
    Least shedding and dumping, then least cost; wind and PV offer at their price.

Stages are compared lexicographically inside the simplex method (`grid_models.simplex`), never by weights. A
last stage of ranks, by cost and name, makes the optimum unique where costs are equal.

Rows of lines that may bind are found once per grid from its own sizes with a fixed seed; a step in which
another line binds gets that row for itself. So no step depends on any other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from grid_models.contingency import contingencies
from grid_models.limits import Limits
from grid_models.lp import Inputs, always_on, build_problem, gathered, products
from grid_models.objective import CO2, COST, CURTAILMENT, ColumnCosts, Objective
from grid_models.sharing import share_steps
from grid_models.solving import Model, Solved
from grid_models.watch import Watch
from weather import Findings, SolverError

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid
    from grid_models.lp import Problem

Security = Literal["none", "n-1"]

_PERTURBATION_MW = 1e-4
_SHARED_MW = 1e-6
_DISCOVERY_STEPS = 48
_SEED = 20_251_122


@dataclass(frozen=True)
class Dispatched:
    """Dispatch of many steps. Arrays follow the grid's tables; powers are means over the step. [MW]

    Attributes
    ----------
    gen_p_mw, unit_p_mw : ndarray (step, gen), (step, unit)
        Output of generators and of weather-driven units.
    curtailed_p_mw : ndarray (step, unit)
        Available wind and PV not taken; zero for other technologies.
    spilled_p_mw : ndarray (step, unit)
        Available hydro and CSP not taken; reported apart from curtailment.
    line_p_mw : ndarray (step, line)
        Flow. [MW]
    line_shadow, security_shadow : ndarray (step, line)
        Cost saved per MW more rating, with nothing out, and summed over the outages to be survived
        [currency/MWh]; may be negative in `priority`, where more room for wind and PV can make the rest
        dearer.
    link_p_mw : ndarray (step, link)
        Flow of controllable links.
    shed_p_mw, dump_p_mw : ndarray (step, bus)
        Load not served; must-take power not taken.
    reserve_short_mw : ndarray (step, 2)
        Reserve asked for and not there, up and down.
    marginal_curtailment : ndarray (step, bus)
        MW less curtailed per MW more load: exact derivative, for more load where it has two sides. [1]
    marginal_co2_kg_per_mwh, marginal_cost_per_mwh : ndarray (step, bus)
        More CO2, more cost per MWh more load. In `market` the latter is the locational marginal price.
    cost, co2_kg_per_h : ndarray (step)
        Production cost and direct emissions per hour. [currency/h], [kg/h]
    """

    gen_p_mw: FloatArray
    unit_p_mw: FloatArray
    curtailed_p_mw: FloatArray
    spilled_p_mw: FloatArray
    line_p_mw: FloatArray
    line_shadow: FloatArray
    security_shadow: FloatArray
    link_p_mw: FloatArray
    shed_p_mw: FloatArray
    dump_p_mw: FloatArray
    reserve_short_mw: FloatArray
    marginal_curtailment: FloatArray
    marginal_co2_kg_per_mwh: FloatArray
    marginal_cost_per_mwh: FloatArray
    cost: FloatArray
    co2_kg_per_h: FloatArray

    def at(self, step: int) -> StepResult:
        """Return one step."""
        return StepResult(**{field.name: getattr(self, field.name)[step] for field in fields(self)})

    @staticmethod
    def joined(parts: list[Dispatched]) -> Dispatched:
        """Put consecutive blocks of steps together."""
        names = [field.name for field in fields(Dispatched)]
        return Dispatched(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class StepResult(Dispatched):
    """Dispatch of one step: the same fields as `Dispatched`, without the dimension of steps."""

    @property
    def thermal_p_mw(self) -> float:
        """Sum over all generators. [MW]"""
        return float(self.gen_p_mw.sum())


class DispatchEngine:
    """Dispatch of a grid, each step independent of the others.

    Parameters
    ----------
    grid : Grid
        The network, its generators and units.
    objective : {"priority", "market"}
        See the module's text.
    security : {"none", "n-1"}
        Whether the outage of any one line must be survived (see `grid_models.contingency`).
    limits : Limits
        Limits of the whole system.
    watch : Watch, optional
        Limits of lines to keep. By default those of `security`.
    stored : ndarray of int, optional
        Limits of lines, by their numbers in `watch`, whose rows are always in the model. By default they are
        found from the grid alone, with random availability and load from a fixed seed, so that neither
        weather nor chunking can change them.

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
        self,
        grid: Grid,
        objective: Objective = "priority",
        *,
        security: Security = "none",
        limits: Limits | None = None,
        stored: IntArray | None = None,
        watch: Watch | None = None,
    ) -> None:
        if objective not in ("priority", "market"):
            raise ValueError(f"objective={objective!r}: expected 'priority' or 'market'")
        self.grid = grid
        self.objective: Objective = objective
        self.security: Security = security
        self.limits = Limits() if limits is None else limits
        self.problem = build_problem(grid)
        self._check_reserves()
        self.watch = watched(self.problem, security) if watch is None else watch
        self._costs = ColumnCosts(self.problem, objective)
        self.stored = self._discovered() if stored is None else stored
        self._model = self._of(self._costs.stages, self.stored)
        self._rescue = self._of(self._costs.rescue_stages, self.stored)

    def _check_reserves(self) -> None:
        """Refuse reserves that all generators together could not keep."""
        findings, fleet_mw = Findings(), float(self.problem.segment_p_mw.sum())
        for name in ("reserve_up_mw", "reserve_down_mw"):
            value = getattr(self.limits, name)
            if value > fleet_mw:
                what = f"{value:g} MW is more than the {fleet_mw:g} MW that all generators have to give"
                findings.add(name, what, "ask for less, in MW")
        findings.raise_if_any(f"limits of grid {self.grid.name!r}")

    def _of(self, stages: FloatArray, stored: IntArray, *, derivatives: bool = True) -> Model:
        functionals = self._costs.functionals(stages.shape[1])
        return Model(
            self.problem, stages, functionals, stored, self.watch, self.limits, derivatives=derivatives
        )

    def _discovered(self) -> IntArray:
        """Rows that bind in any reference step."""
        model = self._of(self._costs.stages, np.zeros(0, dtype=np.int64), derivatives=False)
        return model.binding(reference_inputs(self.problem))

    @property
    def recipe(self) -> tuple[Objective, Security, Limits, IntArray]:
        """What makes the same engine from the same grid elsewhere."""
        return self.objective, self.security, self.limits, self.stored

    @cached_property
    def without_security(self) -> DispatchEngine:
        """The same with nothing but base-case limits."""
        return DispatchEngine(self.grid, self.objective, limits=self.limits)

    @cached_property
    def without_lines(self) -> DispatchEngine:
        """The same as if no line had a limit."""
        watch = Watch(self.watch.base.at(np.zeros(0, dtype=np.int64)))
        return DispatchEngine(self.grid, self.objective, limits=self.limits, watch=watch)

    @property
    def merit_order(self) -> IntArray:
        """Segments and free units (counted after the segments), the first to be taken first."""
        return self._costs.merit_order

    def solve(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> StepResult:
        """Dispatch one step in which every generator may run.

        Parameters
        ----------
        load_p_mw : ndarray (bus)
            Demand at each bus, flexible load included, >= 0. [MW]
        available_p_mw : ndarray (unit)
            What the weather allows each unit, >= 0. [MW]

        Raises
        ------
        SolverError
            If a step has no optimum, or line rows do not settle.
        """
        return self.solve_many(always_on(self.problem, load_p_mw[None], available_p_mw[None])).at(0)

    def solve_steps(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> Dispatched:
        """Dispatch many steps in which every generator may run.

        Parameters
        ----------
        load_p_mw : ndarray (step, bus)
            Demand at each bus, flexible load included, >= 0. [MW]
        available_p_mw : ndarray (step, unit)
            What the weather allows each unit, >= 0. [MW]

        Raises
        ------
        SolverError
            As `solve`.
        """
        return self.solve_many(always_on(self.problem, load_p_mw, available_p_mw))

    def marginal_curtailment(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> FloatArray:
        """Curtailment that one more MW of load at each bus relieves, (bus): what `solve` gives, and no more.

        Parameters
        ----------
        load_p_mw, available_p_mw : ndarray
            As of `solve`. [MW]

        Raises
        ------
        SolverError
            As `solve`.
        """
        solved = self._solved(always_on(self.problem, load_p_mw[None], available_p_mw[None]))
        result: FloatArray = -solved.moved[0, CURTAILMENT]
        return result

    def solve_many(self, inputs: Inputs) -> Dispatched:
        """Dispatch many steps.

        Parameters
        ----------
        inputs : Inputs
            Load, what the weather allows, what runs, what is injected anyway.

        Raises
        ------
        SolverError
            As `solve`.
        """
        return self.dispatched(inputs, self._solved(inputs))

    def dispatched(self, inputs: Inputs, solved: Solved) -> Dispatched:
        """Share what is interchangeable in solved steps, and give what follows from them.

        Parameters
        ----------
        inputs : Inputs
            The steps.
        solved : Solved
            Optimal columns and derivatives, by this engine or another method.
        """
        columns = np.zeros((len(inputs), self.problem.n_rescue))
        columns[:, : solved.columns.shape[1]] = solved.columns
        flow = self._share(inputs, columns)
        return self._result(inputs, solved, columns, flow)

    def _solved(self, inputs: Inputs) -> Solved:
        solved = self._model.solve(inputs)
        failed = np.flatnonzero(~solved.feasible)
        if len(failed):
            solved = solved.widened(self.problem.n_rescue)
            solved.put(failed, self._rescued(inputs.at(failed)))
        self._beyond(inputs, solved)
        return solved

    def _rescued(self, inputs: Inputs) -> Solved:
        """Steps that cannot be balanced: load may be shed and must-take power dumped."""
        solved = self._rescue.solve(inputs)
        if not solved.feasible.all():
            raise SolverError(f"grid {self.grid.name}: no dispatch even with all load shed; limits clash")
        return solved

    def _beyond(self, inputs: Inputs, solved: Solved) -> None:
        """Derivatives where more load makes a step infeasible: those of a step with a little more."""
        step, bus = np.nonzero(~solved.known)
        if not len(step):
            return
        more = inputs.at(step)
        more.load_p_mw[np.arange(len(step)), bus] += _PERTURBATION_MW
        beyond = self._rescued(more)
        solved.moved[step, :, bus] = beyond.moved[np.arange(len(step)), :, bus]

    def _share(self, inputs: Inputs, columns: FloatArray) -> FloatArray:
        """Share what is interchangeable, in place: units of equal offer, shed load, dumped power.

        Wind and PV are shared apart from hydro and CSP. Returns line flows, (step, line). [MW]
        """
        p = self.problem
        upper, withdrawal = p.upper(inputs), p.withdrawal(inputs)
        flow = self._model.flow(columns, withdrawal)
        for counted, offer in sorted(set(zip(p.counted.tolist(), p.offer.tolist(), strict=True))):
            member = p.units_at.start + np.flatnonzero((p.counted == counted) & (p.offer == offer))
            unused = np.maximum(upper[:, member] - columns[:, member], 0.0)
            shared = self._shared(member, unused, upper[:, member], flow, 1.0)
            columns[:, member] = upper[:, member] - shared
        if columns[:, p.n_column :].any():
            limit = p.slack_upper(inputs)
            for first, sign in ((0, -1.0), (p.n_bus, 1.0)):
                at = np.arange(first, first + p.n_bus)
                member = p.n_column + at
                columns[:, member] = self._shared(member, columns[:, member], limit[:, at], flow, sign)
        return self._model.flow(columns, withdrawal)

    def _shared(
        self, member: IntArray, amount: FloatArray, capacity: FloatArray, flow: FloatArray, sign: float
    ) -> FloatArray:
        """Share amounts of columns in the steps that have any; `flow` follows."""
        result = amount.copy()
        steps = np.flatnonzero(amount.sum(axis=1) > _SHARED_MW)
        if len(steps) and len(member) > 1:
            per_mw = -sign * self.problem.ptdf[:, self.problem.to_bus[member]]
            here = np.ascontiguousarray(amount[steps])
            able = np.ascontiguousarray(capacity[steps])
            result[steps] = share_steps(here, able, np.ascontiguousarray(per_mw), flow[steps], self.watch)
            flow[steps] += products(np.ascontiguousarray(per_mw), result[steps] - here)
        return result

    def _result(self, inputs: Inputs, solved: Solved, columns: FloatArray, flow: FloatArray) -> Dispatched:
        p = self.problem
        taken = columns[:, p.units_at]
        unit_p, unused = inputs.available_p_mw.copy(), np.zeros_like(inputs.available_p_mw)
        unit_p[:, p.free_unit] = taken
        unused[:, p.free_unit] = inputs.available_p_mw[:, p.free_unit] - taken
        counted = np.zeros(unused.shape[1])
        counted[p.free_unit] = p.counted
        segment = np.ascontiguousarray(columns[:, : p.n_segment])
        links = columns[:, p.links_at]
        slack = columns[:, p.n_column :]
        running = products(np.stack([p.gen_no_load_cost, p.gen_no_load_co2]), inputs.gen_status)
        varying = products(np.stack([p.segment_cost, p.segment_co2]), segment)
        offered = products(p.offer[None], np.ascontiguousarray(taken))[:, 0]
        return Dispatched(
            gen_p_mw=inputs.gen_status * p.gen_minimum_p_mw + gathered(segment, p.segment_generator, p.n_gen),
            unit_p_mw=unit_p,
            curtailed_p_mw=unused * counted,
            spilled_p_mw=unused * (1.0 - counted),
            line_p_mw=flow,
            line_shadow=solved.line_shadow,
            security_shadow=solved.security_shadow,
            link_p_mw=links[:, : p.n_link] - links[:, p.n_link :],
            shed_p_mw=slack[:, : p.n_bus],
            dump_p_mw=slack[:, p.n_bus : 2 * p.n_bus],
            reserve_short_mw=slack[:, -2:],
            marginal_curtailment=-solved.moved[:, CURTAILMENT],
            marginal_co2_kg_per_mwh=solved.moved[:, CO2],
            marginal_cost_per_mwh=solved.moved[:, COST],
            cost=running[:, 0] + varying[:, 0] + offered,
            co2_kg_per_h=running[:, 1] + varying[:, 1],
        )


def watched(problem: Problem, security: Security) -> Watch:
    """All limits of lines that a dispatch keeps."""
    if security not in get_args(Security):
        raise ValueError(f"security={security!r}: expected 'none' or 'n-1'")
    return Watch.of(problem, contingencies(problem.grid) if security == "n-1" else None)


def reference_inputs(problem: Problem) -> Inputs:
    """Loads and availabilities that span what a grid may meet, from its own sizes and a fixed seed."""
    grid, rng = problem.grid, np.random.default_rng(_SEED)
    peak = grid.buses["load_p_mw"].to_numpy(dtype=float)
    p_nom = grid.units["p_nom_mw"].to_numpy(dtype=float)
    technology = grid.units["technology"].to_numpy(dtype=str)
    kinds, member = np.unique(technology, return_inverse=True)
    load, available = [0.6 * peak], [0.4 * p_nom]
    for _ in range(_DISCOVERY_STEPS):
        common = rng.uniform(0.0, 1.0, len(kinds))[member]
        own = np.clip(common + rng.normal(0.0, 0.2, len(p_nom)), 0.0, 1.0)
        load.append(peak * rng.uniform(0.35, 1.0))
        available.append(p_nom * own)
    return always_on(problem, np.array(load), np.array(available).reshape(len(load), len(p_nom)))
