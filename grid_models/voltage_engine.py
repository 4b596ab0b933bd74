"""AC dispatch of a grid, step by step, with the causes of curtailment.

Most steps of a distribution grid curtail nothing: everything available is taken, one power flow shows that
all limits are kept, and that is the optimum. The others are searched (`grid_models.voltage_search`), under
one set of limits after the other, so that the cause of curtailment is what the limits added last make
necessary: *oversupply* with no limit but what external grids take, *congestion* with limits of lines and
transformers, *voltage* with those of voltages too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from grid_models.voltage_columns import FUNCTIONALS, AcLoad, Columns, Steps, make_steps, read_columns
from grid_models.voltage_flow import PowerFlow
from grid_models.voltage_limits import AcLimits
from grid_models.voltage_model import read_model
from grid_models.voltage_programme import Watched
from grid_models.voltage_search import Found, Search, Tolerances
from weather import Findings, SolverError

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, ComplexArray, FloatArray
    from grid_models.grid import Grid
    from grid_models.voltage_columns import Objective

CAUSES = ("oversupply", "congestion", "voltage")
"""Causes of curtailment, in the order in which their limits are switched on."""


@dataclass(frozen=True)
class AcOptions:
    """How a grid is dispatched within AC limits.

    Attributes
    ----------
    objective : {'priority', 'market'}
        Least shedding and dumping before all else; then least curtailment before least cost, or least cost.
    loading_max_percent : float
        Largest loading of lines and transformers, by current. [%]
    unit_tan_phi : float
        Reactive per active power of units; negative is consumed, which lowers voltages. [Mvar/MW]
    unit_q_range : float
        Reactive power that each unit may choose besides, either way, per available active power. [Mvar/MW]
    stiff_interchanges : bool
        Whether every interchange holds the angle of its bus (see `voltage_model.read_model`).
    tolerances : Tolerances
        When a search ends.
    """

    objective: Objective = "priority"
    loading_max_percent: float = 100.0
    unit_tan_phi: float = 0.0
    unit_q_range: float = 0.0
    stiff_interchanges: bool = True
    tolerances: Tolerances = field(default_factory=Tolerances)


@dataclass(frozen=True, eq=False)
class Solved:
    """Steps with their AC power flow.

    Attributes
    ----------
    steps : Steps
        What was given.
    chosen : ndarray (step, column)
        Columns. [MW], [Mvar]
    voltage : ndarray of complex (step, node)
        Power flow. [pu]
    curtailed : ndarray (step, cause, group)
        Curtailment with the limits of one cause after the other switched on. [MW]
    moved : ndarray (step, functional, bus)
        Derivative of (negative) curtailment, cost and CO2 for more load.
    line_shadow : ndarray (step, line)
        Cost saved per MW more rating. [currency/MWh]
    violation : ndarray (step)
        Largest violation of a limit that could not be avoided. [pu]
    iterations : ndarray (step)
        Linear programmes solved.
    converged : ndarray of bool (step)
        Whether no search ended before its time.
    """

    steps: Steps
    chosen: FloatArray
    voltage: ComplexArray
    curtailed: FloatArray
    moved: FloatArray
    line_shadow: FloatArray
    violation: FloatArray
    iterations: FloatArray
    converged: BoolArray


class AcEngine:
    """AC dispatch of a grid. Steps depend on nothing but their own inputs.

    Parameters
    ----------
    grid : Grid
        The grid, with a generator at its reference bus that stands for what lies beyond.
    vm_min_pu, vm_max_pu : ndarray (bus)
        Limits of voltages; those that are held by sources have none. [pu]
    options : AcOptions
        How it is dispatched.

    Raises
    ------
    InputError
        If the grid has links or no source at an external grid, or limits that exclude each other.
    """

    def __init__(
        self, grid: Grid, vm_min_pu: FloatArray, vm_max_pu: FloatArray, options: AcOptions | None = None
    ) -> None:
        self.grid, self.options = grid, options or AcOptions()
        options = self.options
        self.model = read_model(grid, stiff_interchanges=options.stiff_interchanges)
        n_unit = len(grid.units)
        tangent, q_range = np.full(n_unit, options.unit_tan_phi), np.full(n_unit, options.unit_q_range)
        self.columns: Columns = read_columns(grid, self.model, options.objective, tangent, q_range)
        self._check(vm_min_pu, vm_max_pu)
        self.limits = self._limits(vm_min_pu, vm_max_pu)

    def _check(self, vm_min_pu: FloatArray, vm_max_pu: FloatArray) -> None:
        """Refuse what has no AC dispatch."""
        findings, grid, network = Findings(), self.grid, self.model.network
        if len(grid.links):
            findings.add(
                "links", f"the grid has {len(grid.links)}", "take them out: they have no AC model here"
            )
        for node in network.references:
            bus = grid.buses.index[np.flatnonzero(self.model.bus_node == node)[0]]
            if not (self.columns.bus_node[self.columns.gen_bus] == node).any():
                remedy = "add a generator there that always runs, with p_min_mw < 0 for what can be exported"
                findings.add(f"bus {bus!r}", "is the external grid, but has no generator", remedy)
        for at in np.flatnonzero(~(vm_min_pu < vm_max_pu)):
            what = f"vm_min_pu={vm_min_pu[at]:g} is not below vm_max_pu={vm_max_pu[at]:g}"
            findings.add(f"bus {grid.buses.index[at]!r}", what, "give limits in pu, the lower one first")
        findings.raise_if_any(f"AC dispatch of grid {grid.name!r}")

    def _limits(self, vm_min_pu: FloatArray, vm_max_pu: FloatArray) -> AcLimits:
        """Limits at nodes; voltages that are held have none."""
        network, node = self.model.network, self.model.bus_node
        low, high = np.full(network.n_node, -np.inf), np.full(network.n_node, np.inf)
        np.maximum.at(low, node, vm_min_pu)
        np.minimum.at(high, node, vm_max_pu)
        held = np.concatenate([network.references, network.held])
        low[held], high[held] = -np.inf, np.inf
        return AcLimits(low, high, self.options.loading_max_percent / 100.0)

    @property
    def takes_everything(self) -> bool:
        """Whether taking all that is available is the optimum wherever it keeps all limits."""
        c = self.columns
        wanted = c.stages[1, c.groups] < 0.0
        elsewhere = c.in_network[c.segments].any() or c.reactive.stop > c.reactive.start
        cost = c.functionals[1]
        cheap = cost[c.groups] <= 0.0
        return not elsewhere and bool((wanted | cheap).all()) and bool((cost[c.segments] > 0.0).all())

    def solve(self, load: AcLoad, available_p_mw: FloatArray, first: int = 0) -> Solved:
        """Dispatch steps.

        Parameters
        ----------
        load : AcLoad
            Load, that of flexible sites included.
        available_p_mw : ndarray (step, unit)
            What the weather allows. [MW]
        first : int
            Number of the first step, for messages.

        Raises
        ------
        SolverError
            Where a step has no power flow even without load and infeed.
        """
        steps = make_steps(self.columns, load, available_p_mw)
        power_flow, c = PowerFlow(self.model), self.columns
        n_step, n_node = len(steps), self.model.network.n_node
        n_group = c.groups.stop - c.groups.start
        solved = Solved(
            steps=steps,
            chosen=np.zeros((n_step, c.n_column)),
            voltage=np.zeros((n_step, n_node), dtype=complex),
            curtailed=np.zeros((n_step, len(CAUSES), n_group)),
            moved=np.zeros((n_step, len(FUNCTIONALS), len(self.grid.buses))),
            line_shadow=np.zeros((n_step, len(self.grid.lines))),
            violation=np.zeros(n_step),
            iterations=np.zeros(n_step),
            converged=np.ones(n_step, dtype=bool),
        )
        for step in range(n_step):
            search = Search(c, steps.at(step), power_flow, self.options.tolerances)
            try:
                self._solve_step(search, step, solved)
            except SolverError as error:
                raise SolverError(f"step {first + step}: {error}") from error
        return solved

    def _solve_step(self, search: Search, step: int, solved: Solved) -> None:
        """Solve one step, one set of limits after the other, and write it down."""
        found = Found(search.start(self.limits), Watched.none(), 0, True)
        if self.takes_everything and search.is_complete(found.point):
            solved.moved[step] = search.loss_derivatives(found.point)
        else:
            for cause, limits in enumerate((self.limits.none(), self.limits.without_voltages(), self.limits)):
                found = self._found(search, found, limits)
                left = solved.steps.upper[step] - found.point.chosen
                solved.curtailed[step, cause] = left[self.columns.groups]
            solved.moved[step], solved.line_shadow[step] = search.derivatives(found, self.limits)
        solved.chosen[step], solved.voltage[step] = found.point.chosen, found.point.voltage
        solved.violation[step] = max(found.point.violation, 0.0)
        solved.iterations[step], solved.converged[step] = found.iterations, found.converged

    def _found(self, search: Search, found: Found, limits: AcLimits) -> Found:
        """Best point within limits, from the best one within fewer of them."""
        point = search.under(found.point, limits)
        is_best = self.takes_everything and search.is_complete(point)
        if is_best or (found.iterations and search.keeps(point, limits, found.watched)):
            return replace(found, point=point)
        after = search.best(point, limits, found.watched)
        return replace(
            after,
            iterations=found.iterations + after.iterations,
            converged=found.converged and after.converged,
        )
