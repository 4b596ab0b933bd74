"""The dispatch problem as arrays: columns, their bounds, the load left to serve. No solver.

The linear programme of one step has one balance row, one row per monitored line and these columns::

    [ segments | units | links forward | links backward | sites ]
    and, to rescue a step,  [ shed | dump | reserve short, up | reserve short, down ]

A *segment* is a piece of a generator's convex cost curve, a *unit* a wind, PV, hydro or CSP plant that may be
turned down, a *link* an HVDC line whose flow is chosen, a *site* a flexible load (present only in the models
that ask how much a load could absorb). The minimum output of generators that run and rooftop PV are not
chosen: they enter the right-hand side. Power that cannot be balanced is shed (load not served) or dumped
(must-take power not taken); these columns exist only in the rescue model, which is solved when the ordinary
one has no solution.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from grid_models._compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.grid import Grid

#: Technologies that feed in through inverters only.
NONSYNCHRONOUS_TECHNOLOGIES = ("wind", "pv", "rtpv")
_LANES = 16


@dataclass(frozen=True)
class Inputs:
    """What a dispatch is given, step by step, in the grid's order.

    Attributes
    ----------
    load_p_mw : ndarray (step, bus)
        Demand, flexible load included. [MW]
    available_p_mw : ndarray (step, unit)
        What the weather allows. [MW]
    gen_status : ndarray (step, gen)
        Share of each generator that runs: 0 or 1, between them in a relaxed commitment. [1]
    injection_p_mw : ndarray (step, bus)
        Power that is injected whatever happens, such as that of storage; negative where it is taken. [MW]
    """

    load_p_mw: FloatArray
    available_p_mw: FloatArray
    gen_status: FloatArray
    injection_p_mw: FloatArray

    def __len__(self) -> int:
        """Count steps."""
        return len(self.load_p_mw)

    def at(self, steps: slice | IntArray) -> Inputs:
        """Return some of the steps."""
        return Inputs(
            self.load_p_mw[steps],
            self.available_p_mw[steps],
            self.gen_status[steps],
            self.injection_p_mw[steps],
        )


@dataclass(frozen=True)
class Problem:
    """Everything about a grid's dispatch that does not change from step to step.

    Arrays follow the order of the grid's own tables (`grid.buses`, `grid.units`, ...).

    Attributes
    ----------
    ptdf : ndarray (line, bus)
        Flow on a line per MW injected at a bus and taken at the reference bus. [1]
    flow_offset_mw : ndarray (line)
        Flow that phase shifters drive without any injection. [MW]
    rate_mw : ndarray (line)
        Continuous rating; infinite where the source has none. [MW]
    gen_minimum_p_mw : ndarray (gen)
        Output that a generator cannot go below while it runs: of must-run and committable ones. [MW]
    counted, offer, unit_rank, nonsynchronous : ndarray (free unit)
        Whether holding it back is curtailment, its price, its place among equals, whether it feeds in
        through inverters only.
    segment_rank, link_rank : ndarray
        Place among equally cheap columns.
    """

    grid: Grid
    ptdf: FloatArray
    flow_offset_mw: FloatArray
    rate_mw: FloatArray
    n_bus: int
    gen_bus: IntArray
    gen_minimum_p_mw: FloatArray
    gen_no_load_cost: FloatArray
    gen_no_load_co2: FloatArray
    segment_p_mw: FloatArray
    segment_cost: FloatArray
    segment_co2: FloatArray
    segment_generator: IntArray
    segment_rank: FloatArray
    unit_bus: IntArray
    free_unit: IntArray
    fixed_unit: IntArray
    counted: FloatArray
    nonsynchronous: FloatArray
    fixed_nonsynchronous: FloatArray
    offer: FloatArray
    unit_rank: FloatArray
    link_rank: FloatArray
    link_from: IntArray
    link_to: IntArray
    link_p_mw: FloatArray
    site_bus: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def n_gen(self) -> int:
        """Number of generators."""
        return len(self.gen_bus)

    @property
    def n_segment(self) -> int:
        """Number of segment columns."""
        return len(self.segment_p_mw)

    @property
    def n_free(self) -> int:
        """Number of units that may be turned down."""
        return len(self.free_unit)

    @property
    def n_link(self) -> int:
        """Number of controllable links; each has two columns."""
        return len(self.link_from)

    @property
    def n_column(self) -> int:
        """Number of columns of the ordinary model."""
        return self.n_segment + self.n_free + 2 * self.n_link + len(self.site_bus)

    @property
    def n_rescue(self) -> int:
        """Number of columns of the rescue model."""
        return self.n_column + 2 * self.n_bus + 2

    @cached_property
    def units_at(self) -> slice:
        """Columns of the units."""
        return slice(self.n_segment, self.n_segment + self.n_free)

    @cached_property
    def links_at(self) -> slice:
        """Columns of the links, forward then backward."""
        start = self.n_segment + self.n_free
        return slice(start, start + 2 * self.n_link)

    @cached_property
    def sites_at(self) -> slice:
        """Columns of the flexible sites."""
        start = self.n_segment + self.n_free + 2 * self.n_link
        return slice(start, start + len(self.site_bus))

    @cached_property
    def _links_upper_mw(self) -> FloatArray:
        """Largest flow of links, forward then backward. [MW]"""
        return np.tile(self.link_p_mw, 2)

    @cached_property
    def to_bus(self) -> IntArray:
        """Bus at which each column acts; -1 for the reserve columns, which act at none."""
        every = np.arange(self.n_bus)
        units = self.unit_bus[self.free_unit]
        segments = self.gen_bus[self.segment_generator]
        nowhere = np.full(2, -1, dtype=np.int64)
        return np.concatenate(
            [segments, units, self.link_to, self.link_from, self.site_bus, every, every, nowhere]
        )

    @cached_property
    def from_bus(self) -> IntArray:
        """Bus a column takes its power from; -1 for every column that is not a link."""
        result = np.full(len(self.to_bus), -1, dtype=np.int64)
        result[self.links_at] = np.concatenate([self.link_from, self.link_to])
        return result

    @cached_property
    def sign(self) -> FloatArray:
        """+1 where a column injects at its bus, -1 where it withdraws."""
        result = np.ones(len(self.to_bus))
        result[self.sites_at] = -1.0
        result[self.n_column + self.n_bus :] = -1.0
        return result

    def columns_of(self, by_bus: FloatArray, n_column: int) -> FloatArray:
        """Coefficients of columns in rows given per MW injected at each bus, (row, bus) to (row, column)."""
        to, source = self.to_bus[:n_column], self.from_bus[:n_column]
        result: FloatArray = self.sign[:n_column] * np.where(to >= 0, by_bus[:, to], 0.0)
        result[:, self.links_at] -= by_bus[:, source[self.links_at]]
        return result

    def balance_row(self, n_column: int) -> FloatArray:
        """Net injection per MW of each column: links inject as much as they take."""
        row: FloatArray = self.columns_of(np.ones((1, self.n_bus)), n_column)[0]
        return row

    def injection(self, columns: FloatArray) -> FloatArray:
        """Power injected at each bus by the chosen columns, (step, column) to (step, bus). [MW]"""
        # Columns that act at no bus are the last two of a rescue.
        n = min(columns.shape[1], self.n_rescue - 2)
        result = gathered(columns[:, :n] * self.sign[:n], self.to_bus[:n], self.n_bus)
        if self.n_link:
            result -= gathered(columns[:, self.links_at], self.from_bus[self.links_at], self.n_bus)
        return result

    def must_take(self, inputs: Inputs) -> FloatArray:
        """Minimum output of what runs and rooftop PV at each bus, (step, bus). [MW]"""
        running = gathered(inputs.gen_status * self.gen_minimum_p_mw, self.gen_bus, self.n_bus)
        fixed = self.fixed_unit
        return running + gathered(inputs.available_p_mw[:, fixed], self.unit_bus[fixed], self.n_bus)

    def withdrawal(self, inputs: Inputs) -> FloatArray:
        """Load less what must be taken and what is injected anyway, (step, bus). [MW]"""
        result: FloatArray = inputs.load_p_mw - self.must_take(inputs) - inputs.injection_p_mw
        return result

    def upper(self, inputs: Inputs) -> FloatArray:
        """Largest value of each column before those of sites, (step, column). [MW]"""
        n_step = len(inputs)
        result = np.empty((n_step, self.sites_at.start))
        result[:, : self.n_segment] = inputs.gen_status[:, self.segment_generator] * self.segment_p_mw
        result[:, self.units_at] = inputs.available_p_mw[:, self.free_unit]
        result[:, self.links_at] = self._links_upper_mw
        return result

    def slack_upper(self, inputs: Inputs) -> FloatArray:
        """Largest shedding and dumping at each bus, and shortage of reserves, (step, 2 bus + 2). [MW]

        Shed is load; dumped is what must be taken or is injected anyway. Reserves may be short as a whole.
        """
        fixed = self.fixed_unit
        running = inputs.gen_status * np.maximum(self.gen_minimum_p_mw, 0.0)
        dumped = gathered(running, self.gen_bus, self.n_bus)
        dumped += gathered(inputs.available_p_mw[:, fixed], self.unit_bus[fixed], self.n_bus)
        dumped += np.maximum(inputs.injection_p_mw, 0.0)
        shed = inputs.load_p_mw + np.maximum(-inputs.injection_p_mw, 0.0)
        everything = np.full((len(inputs), 2), self.segment_p_mw.sum())
        return np.concatenate([shed, dumped, everything], axis=1)

    def with_sites(self, site_bus: Sequence[int] | IntArray) -> Problem:
        """The same problem with a flexible-load column at each of the given buses."""
        return replace(self, site_bus=np.asarray(site_bus, dtype=np.int64))


@compiled
def gathered(values: FloatArray, place: IntArray, n_place: int) -> FloatArray:
    """Sum columns by the place they belong to, (step, column) to (step, place), in the order of columns."""
    result = np.zeros((len(values), n_place))
    for t in range(len(values)):
        for c in range(len(place)):
            result[t, place[c]] += values[t, c]
    return result


@compiled
def products(matrix: FloatArray, values: FloatArray) -> FloatArray:
    """Multiply (row, column) by (step, column) to (step, row), the same to the bit whatever the steps.

    A BLAS product may change its last bits with the shape of the batch and the number of threads. Here steps
    are worked on side by side, in as many lanes as the processor has, while each one's sum keeps its order.
    """
    n_step, n_column = values.shape
    n_row = len(matrix)
    result = np.empty((n_step, n_row))
    lanes = np.zeros((n_column, _LANES))
    total = np.zeros(_LANES)
    if n_step == 1:
        # Lanes of which one is used would cost as much as all.
        for r in range(n_row):
            one = 0.0
            for c in range(n_column):
                one += matrix[r, c] * values[0, c]
            result[0, r] = one
        return result
    for first in range(0, n_step, _LANES):
        count = min(_LANES, n_step - first)
        for t in range(count):
            for c in range(n_column):
                lanes[c, t] = values[first + t, c]
        for r in range(n_row):
            total[:] = 0.0
            for c in range(n_column):
                factor = matrix[r, c]
                for t in range(_LANES):
                    total[t] += factor * lanes[c, t]
            for t in range(count):
                result[first + t, r] = total[t]
    return result


def build_problem(grid: Grid) -> Problem:
    """Read a grid's tables into the arrays of its dispatch problem."""
    bus = {name: i for i, name in enumerate(grid.buses.index)}
    generator = {name: i for i, name in enumerate(grid.generators.index)}
    gens, segments, units, links = grid.generators, grid.segments, grid.units, grid.links

    runs = gens["must_run"].to_numpy(dtype=bool) | gens["committable"].to_numpy(dtype=bool)
    dispatchable = units["dispatchable"].to_numpy(dtype=bool)
    inverter = units["technology"].isin(NONSYNCHRONOUS_TECHNOLOGIES).to_numpy(dtype=float)
    segment_cost = segments["cost_per_mwh"].to_numpy(dtype=float)
    return Problem(
        grid=grid,
        ptdf=np.ascontiguousarray(grid.ptdf, dtype=float),
        flow_offset_mw=np.asarray(getattr(grid, "flow_offset_mw", np.zeros(len(grid.lines))), dtype=float),
        rate_mw=grid.lines["rate_mw"].to_numpy(dtype=float),
        n_bus=len(bus),
        gen_bus=_positions(gens["bus"], bus),
        gen_minimum_p_mw=np.where(runs, gens["p_min_mw"].to_numpy(dtype=float), 0.0),
        gen_no_load_cost=gens["no_load_cost_per_h"].to_numpy(dtype=float),
        gen_no_load_co2=gens["no_load_co2_kg_per_h"].to_numpy(dtype=float),
        segment_p_mw=segments["p_mw"].to_numpy(dtype=float),
        segment_cost=segment_cost,
        segment_co2=segments["co2_kg_per_mwh"].to_numpy(dtype=float),
        segment_generator=_positions(segments["gen"], generator),
        segment_rank=dispatchable.sum() + _segment_ranks(grid, segment_cost),
        unit_bus=_positions(units["bus"], bus),
        free_unit=np.flatnonzero(dispatchable),
        fixed_unit=np.flatnonzero(~dispatchable),
        counted=units["counts_as_curtailment"].to_numpy(dtype=bool)[dispatchable].astype(float),
        nonsynchronous=inverter[dispatchable],
        fixed_nonsynchronous=inverter[~dispatchable],
        offer=units["offer_per_mwh"].to_numpy(dtype=float)[dispatchable],
        unit_rank=_unit_ranks(grid, dispatchable),
        link_rank=_ranks(links.index.to_numpy(dtype=str)),
        link_from=_positions(links["from_bus"], bus),
        link_to=_positions(links["to_bus"], bus),
        link_p_mw=links["p_max_mw"].to_numpy(dtype=float),
    )


def always_on(problem: Problem, load_p_mw: FloatArray, available_p_mw: FloatArray) -> Inputs:
    """Inputs of steps in which every generator may run and nothing else is injected.

    Parameters
    ----------
    problem : Problem
        The grid's arrays.
    load_p_mw : ndarray (step, bus)
        Demand. [MW]
    available_p_mw : ndarray (step, unit)
        What the weather allows. [MW]
    """
    n_step = len(load_p_mw)
    return Inputs(
        np.ascontiguousarray(load_p_mw, dtype=float),
        np.ascontiguousarray(available_p_mw, dtype=float),
        np.ones((n_step, problem.n_gen)),
        np.zeros((n_step, problem.n_bus)),
    )


def _positions(names: Sequence[str], index: dict[str, int]) -> IntArray:
    return np.array([index[name] for name in names], dtype=np.int64)


def _ranks(names: FloatArray) -> FloatArray:
    """Rank by name, from 1."""
    result = np.empty(len(names))
    result[np.argsort(names, kind="stable")] = np.arange(1, len(names) + 1)
    return result


def _segment_ranks(grid: Grid, cost: FloatArray) -> FloatArray:
    """Rank by cost, then name.

    The ranks of free units come before: what costs nothing is taken from them first.
    """
    names = grid.segments["gen"].to_numpy(dtype=str)
    ranks = np.empty(len(cost))
    ranks[np.lexsort((np.arange(len(cost)), names, cost))] = np.arange(1, len(cost) + 1)
    return ranks


def _unit_ranks(grid: Grid, dispatchable: BoolArray) -> FloatArray:
    """Rank of free units: equally cheap water and sun towers are spilled before wind and PV are curtailed.

    Among wind and PV the rank only makes the optimum unique; what is curtailed is shared afterwards
    (see `grid_models.sharing`).
    """
    units = grid.units[dispatchable]
    counted = units["counts_as_curtailment"].to_numpy(dtype=bool)
    ranks = np.empty(len(units))
    ranks[np.lexsort((units.index.to_numpy(dtype=str), ~counted))] = np.arange(1, len(units) + 1)
    return ranks
