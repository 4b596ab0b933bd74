"""Dispatch of one step within AC limits: linear programmes around one power flow after the other.

The method is sequential linear programming with a trust region and a filter [1]_ [2]_. Every round linearises
the power flow at the point reached, with its exact derivatives, solves the linear programme lexicographically
and computes the AC power flow of its answer. The new point is taken if it violates limits less, or has a
better objective, than every point before it; otherwise the trust region shrinks. The search ends when the
programme finds nothing better around a point whose own power flow keeps all limits.

References
----------
.. [1] R. Fletcher, S. Leyffer, P. L. Toint, On the global convergence of an SLP-filter algorithm, University
   of Dundee, report NA/183, 1998.
.. [2] S. Mhanna, P. Mancarella, An exact sequential linear programming algorithm for the optimal power flow
   problem, IEEE Transactions on Power Systems 37 (2022) 666-679.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from grid_models.voltage_columns import COST, CURTAILED, FUNCTIONALS, RANK, REACTIVE, UNBALANCED
from grid_models.voltage_programme import Proposal, Watched, linear_rows, propose
from weather import SolverError

if TYPE_CHECKING:
    from grid_models._arrays import ComplexArray, FloatArray, IntArray
    from grid_models.voltage_columns import Columns, Steps
    from grid_models.voltage_flow import LinearFlow, PowerFlow
    from grid_models.voltage_limits import AcLimits

_LESS = 0.9
"""A violation must fall to this share to count as less."""
_NEAR = 1e-6
"""Voltages and loadings this close to a limit have a row. [pu]"""
_LEAST_RADIUS = 1e-9
_HALVINGS = 12


@dataclass(frozen=True, eq=False)
class Point:
    """Columns with their AC power flow.

    Attributes
    ----------
    chosen : ndarray (column)
        Columns; those at external grids as the power flow has them. [MW], [Mvar]
    voltage : ndarray of complex (node)
        The power flow. [pu]
    flow : LinearFlow
        Its linearisation.
    violation : float
        Largest violation of a limit; negative if none is reached. [pu]
    stages : ndarray (stage)
        Values of the objective's stages.
    """

    chosen: FloatArray
    voltage: ComplexArray
    flow: LinearFlow
    violation: float
    stages: FloatArray


@dataclass(frozen=True, eq=False)
class Found:
    """Where a search ended.

    Attributes
    ----------
    point : Point
        The best point.
    watched : Watched
        Rows it needed.
    iterations : int
        Linear programmes solved.
    converged : bool
        Whether nothing better is to be found nearby.
    """

    point: Point
    watched: Watched
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Tolerances:
    """When a search is done.

    Attributes
    ----------
    limit_pu : float
        Voltages and loadings may exceed limits by this much. [pu]
    relative : float
        Improvements of the objective smaller than this share of what is at stake do not count.
    iterations : int
        Most linear programmes of a search.
    """

    limit_pu: float = 1e-7
    relative: float = 1e-6
    iterations: int = 60


class Search:
    """Searches of one step.

    Parameters
    ----------
    columns, step
        The problem of the step.
    power_flow : PowerFlow
        Of its network.
    tolerances : Tolerances
        When to end.
    """

    def __init__(self, columns: Columns, step: Steps, power_flow: PowerFlow, tolerances: Tolerances) -> None:
        self._columns, self._step, self._power_flow = columns, step, power_flow
        self._tolerances = tolerances
        self._references = power_flow.model.network.references
        self._at_grid = [np.flatnonzero(columns.node[columns.segments] == node) for node in self._references]
        order = columns.stages[:, columns.segments]
        self._merit = [at[np.lexsort((order[RANK, at], order[COST, at]))] for at in self._at_grid]
        self._scale_mw = max(float(columns.segment_mw.sum()), 1e-3)

    @cached_property
    def _settled(self) -> FloatArray:
        """Improvement of each stage that does not count any more."""
        columns, step = self._columns, self._step
        power = 1e-3 + float(step.available_p_mw.sum() + step.load_p_mw.sum())
        price = float(np.abs(columns.stages[COST]).max(initial=0.0))
        result = np.full(len(columns.stages), self._tolerances.relative * power)
        result[COST] *= 1.0 + price
        result[RANK] = np.inf
        return result

    def start(self, limits: AcLimits, infeed: float = 1.0) -> Point:
        """Point at which what is available is taken and all load served, or as much as has a power flow.

        Parameters
        ----------
        limits : AcLimits
            What it is measured by.
        infeed : float
            Share of what is available to begin with.

        Raises
        ------
        SolverError
            If there is no power flow even without load and infeed.
        """
        columns, step = self._columns, self._step
        wanted, load = np.zeros((2, columns.n_column))
        wanted[columns.groups] = step.upper[columns.groups]
        load[columns.shed], load[columns.dump] = step.upper[columns.shed], step.upper[columns.dump]
        shares = [0.5**k for k in range(_HALVINGS)]
        attempts = [wanted * (infeed * share) for share in (*shares, 0.0)]
        attempts += [load * (1.0 - share) for share in (*shares[1:], 0.0)]
        for chosen in attempts:
            for evenly in (False, True):
                generated = self._with_generation(chosen, evenly=evenly)
                point = self.at(generated, self._power_flow.model.network.voltage, limits)
                if point is not None:
                    return point
        raise SolverError("the AC power flow has no solution even without load and infeed")

    def _with_generation(self, chosen: FloatArray, *, evenly: bool) -> FloatArray:
        """Columns with generators serving what is left without losses, the cheapest first or all alike."""
        columns, step = self._columns, self._step
        result, width = chosen.copy(), columns.segment_mw
        left = -float(step.fixed.real.sum() + columns.p_mw @ chosen)
        if evenly:
            result[columns.segments] = width * np.clip(left / max(width.sum(), _LEAST_RADIUS), 0.0, 1.0)
        else:
            stages = columns.stages[:, columns.segments]
            merit = np.lexsort((stages[RANK], stages[COST]))
            before = np.cumsum(width[merit]) - width[merit]
            result[merit] = np.clip(left - before, 0.0, width[merit])
        return result

    def at(self, chosen: FloatArray, start: ComplexArray, limits: AcLimits) -> Point | None:
        """The point of given columns; None if its power flow has no solution."""
        injected = self._step.injected(self._columns, chosen)
        voltage = self._power_flow.solve(injected, start)
        if voltage is None:
            return None
        return self._measured(chosen, voltage, limits)

    def is_complete(self, point: Point) -> bool:
        """Whether a point takes all that is available and serves all load, clearly within its limits."""
        groups = self._columns.groups
        everything = (point.chosen[groups] == self._step.upper[groups]).all()
        return bool(everything) and point.stages[UNBALANCED] == 0.0 and point.violation < -_NEAR

    def keeps(self, point: Point, limits: AcLimits, watched: Watched) -> bool:
        """Whether a point keeps limits, with nothing near them but what is watched."""
        return len(watched.joined(*self._near(point.voltage, limits))) == len(watched)

    def _near(self, voltage: ComplexArray, limits: AcLimits) -> tuple[IntArray, IntArray]:
        """Nodes and lines that are at a limit or beyond it."""
        nodes, lines = limits.excess(self._power_flow.model, voltage)
        return np.flatnonzero(nodes > -_NEAR), np.flatnonzero(lines > -_NEAR)

    def under(self, point: Point, limits: AcLimits) -> Point:
        """The same point measured by other limits."""
        return self._measured(point.chosen, point.voltage, limits)

    def _measured(self, chosen: FloatArray, voltage: ComplexArray, limits: AcLimits) -> Point:
        model = self._power_flow.model
        chosen, gap_mw = self._served(chosen, voltage)
        voltages, loadings = limits.excess(model, voltage)
        worst = max(voltages.max(), loadings.max(initial=-np.inf), gap_mw / self._scale_mw)
        flow = self._power_flow.linearise(voltage)
        return Point(chosen, voltage, flow, float(worst), self._columns.stages @ chosen)

    def _served(self, chosen: FloatArray, voltage: ComplexArray) -> tuple[FloatArray, float]:
        """Let generators at external grids give what flows into the network, the cheapest first.

        Returns the columns and the power that they cannot give or take; negative: what is left to. [MW]
        """
        columns, gap_mw = self._columns, -np.inf
        result = chosen.copy()
        fed_in = self._power_flow.model.node_power(voltage)[self._references].real
        for node, power, at, merit in zip(self._references, fed_in, self._at_grid, self._merit, strict=True):
            result[at] = 0.0
            here = columns.node == node
            left = power - self._step.fixed[node].real - columns.p_mw[here] @ result[here]
            width = columns.segment_mw[merit]
            before = np.cumsum(width) - width
            result[merit] = np.clip(left - before, 0.0, width)
            gap_mw = max(gap_mw, -left, left - width.sum())
        return result, gap_mw

    def best(self, start: Point, limits: AcLimits, watched: Watched) -> Found:
        """Search from a point for the best one within limits; if that keeps none, also from no infeed.

        Far beyond its limits a feeder's voltage may fall with more infeed, and a search that begins there
        ends where it is least and still too high.
        """
        found = self.run(start, limits, watched)
        if found.point.violation <= self._tolerances.limit_pu:
            return found
        other = self.run(self.start(limits, infeed=0.0), limits, Watched.none())
        iterations = found.iterations + other.iterations
        best = other if self._is_better(other.point, found.point) else found
        return replace(best, iterations=iterations)

    def run(self, start: Point, limits: AcLimits, watched: Watched) -> Found:
        """Search from a point for the best one within limits."""
        point, radius = self.under(start, limits), np.inf
        before: list[Point] = [point]
        for iteration in range(1, self._tolerances.iterations + 1):
            proposal, watched = self._propose(point, limits, watched, radius)
            if not self._improves(point, proposal):
                return Found(point, watched, iteration, True)
            trial = self.at(proposal.chosen, point.voltage, limits)
            if trial is not None and all(self._is_better(trial, other) for other in before):
                before.append(trial)
                point, radius = trial, 2.0 * radius
            else:
                moved = self._columns.in_network
                step_mw = float(np.abs(proposal.chosen - point.chosen)[moved].max(initial=0.0))
                radius = (0.25 if trial is None else 0.5) * step_mw
                if radius < _LEAST_RADIUS * self._scale_mw:
                    break
        return Found(point, watched, iteration, False)

    def _propose(
        self, point: Point, limits: AcLimits, watched: Watched, radius: float, *, derivatives: bool = False
    ) -> tuple[Proposal, Watched]:
        """Solve the programme around a point with every row that it violates."""
        watched = watched.joined(*self._near(point.voltage, limits))
        while True:
            rows = linear_rows(
                self._columns, self._step, point.chosen, point.flow, limits, watched, self._scale_mw
            )
            proposal = propose(self._columns, self._step, rows, point.chosen, radius, derivatives=derivatives)
            change = self._step.injected(self._columns, proposal.chosen - point.chosen) - self._step.fixed
            more = watched.joined(*self._near(point.flow.moved(change), limits))
            if len(more) == len(watched):
                return proposal, watched
            watched = more

    def derivatives(self, found: Found, limits: AcLimits) -> tuple[FloatArray, FloatArray]:
        """Derivatives at the end of a search.

        Returns
        -------
        moved : ndarray (functional, bus)
            Change of negative curtailment, cost and CO2 per MW more load at a bus.
        line_shadow : ndarray (line)
            Cost saved per MW more rating. [currency/MWh]
        """
        model = self._power_flow.model
        proposal, watched = self._propose(found.point, limits, found.watched, np.inf, derivatives=True)
        shadow = np.zeros(len(model.from_node))
        rate_mw = self._columns.grid.lines["rate_mw"].to_numpy(dtype=float)[watched.lines]
        of_lines = proposal.duals[FUNCTIONALS.index("cost"), len(self._references) + len(watched.nodes) :]
        shadow[watched.lines] = -of_lines / rate_mw
        return proposal.moved, shadow

    def loss_derivatives(self, point: Point) -> FloatArray:
        """The same where external grids serve all that is more, with its losses: nothing is curtailed."""
        columns, result = (
            self._columns,
            np.zeros((len(self._columns.functionals), len(self._columns.bus_node))),
        )
        by_load = -point.flow.of_slack_power().by_p[:, columns.bus_node]
        by_load += columns.bus_node == self._references[:, None]
        for share, merit in zip(by_load, self._merit, strict=True):
            has_room = point.chosen[merit] < columns.segment_mw[merit]
            if has_room.any():
                result += columns.functionals[:, [merit[np.argmax(has_room)]]] * share
        return result

    def _improves(self, point: Point, proposal: Proposal) -> bool:
        """Whether a proposal promises anything better than its point."""
        limit = self._tolerances.limit_pu
        if point.violation > limit:
            return proposal.violation < _LESS * point.violation
        return _is_less(self._columns.stages @ proposal.chosen, point.stages, self._settled)

    def _is_better(self, trial: Point, other: Point) -> bool:
        """Whether a point violates limits less than another, or has a better objective."""
        limit = self._tolerances.limit_pu
        if trial.violation <= max(_LESS * other.violation, limit) and other.violation > limit:
            return True
        return _is_less(trial.stages, other.stages, self._settled)


def _is_less(first: FloatArray, second: FloatArray, settled: FloatArray) -> bool:
    """Whether stages compare as less, differences that do not count left out."""
    for stage in (UNBALANCED, CURTAILED, REACTIVE, COST):
        difference = first[stage] - second[stage]
        if abs(difference) > settled[stage]:
            return bool(difference < 0.0)
    return False
