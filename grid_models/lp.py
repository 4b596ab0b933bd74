"""The dispatch problem of one time step as arrays: columns, line rows, costs. Pure numpy, no solver.

The linear programme of one step has one balance row, one row per monitored line and these columns::

    [ segments | units | links forward | links backward | sites ]  and, to rescue a step,  [ shed | dump ]

A *segment* is a piece of a generator's convex cost curve, a *unit* a wind, PV, hydro or CSP plant that may be
turned down, a *link* an HVDC line whose flow is chosen, a *site* a flexible load (present only in the models
that ask how much a load could absorb). Must-run minimum output and rooftop PV are not chosen: they enter the
right-hand side. Power that cannot be balanced is shed (load not served) or dumped (must-take power not
taken); these columns exist only in the rescue model, which is solved when the ordinary one has no solution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid

RANK_COST = 1e-6
"""Cost that separates equally cheap columns, per rank. [currency/MWh]

A hundred segments together span 1e-4 per MWh, far below the resolution of any fuel price; the solver's dual
tolerance (1e-9) is far below one rank.
"""


@dataclass(frozen=True)
class Problem:
    """Everything about a grid's dispatch that does not change from step to step.

    Arrays follow the order of the grid's own tables (`grid.buses`, `grid.units`, ...).

    Attributes
    ----------
    ptdf : ndarray (line, bus)
        Flow on a line per MW injected at a bus and taken at the reference bus. [1]
    rate_mw : ndarray (line)
        Continuous rating; infinite where the source has none. [MW]
    from_bus, to_bus : ndarray (column)
        Bus index a column injects at (`to_bus`) and takes from (`from_bus`, -1 for none).
    sign : ndarray (column)
        +1 for injections, -1 for withdrawals (sites and dump).
    must_take_p_mw : ndarray (bus)
        Minimum output of must-run generators. [MW]
    """

    grid: Grid
    ptdf: FloatArray
    rate_mw: FloatArray
    n_bus: int
    segment_bus: IntArray
    segment_p_mw: FloatArray
    segment_cost: FloatArray
    segment_co2: FloatArray
    segment_generator: IntArray
    unit_bus: IntArray
    free_unit: IntArray
    fixed_unit: IntArray
    counted: FloatArray
    offer: FloatArray
    unit_rank: FloatArray
    segment_rank: FloatArray
    link_rank: FloatArray
    link_from: IntArray
    link_to: IntArray
    link_p_mw: FloatArray
    must_take_p_mw: FloatArray
    must_run_gen_p_mw: FloatArray
    no_load_cost_per_h: float
    no_load_co2_kg_per_h: float
    site_bus: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def n_segment(self) -> int:
        """Number of segment columns."""
        return len(self.segment_bus)

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
    def to_bus(self) -> IntArray:
        """Bus at which each column of the rescue model acts."""
        every = np.arange(self.n_bus)
        units = self.unit_bus[self.free_unit]
        return np.concatenate(
            [self.segment_bus, units, self.link_to, self.link_from, self.site_bus, every, every]
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
        result[-self.n_bus :] = -1.0
        return result

    def line_row(self, line: int, n_column: int) -> FloatArray:
        """Flow on a line per MW of each column. [1]"""
        row = self.ptdf[line]
        result: FloatArray = self.sign * row[self.to_bus]
        result[self.links_at] -= row[self.from_bus[self.links_at]]
        return result[:n_column]

    def balance_row(self, n_column: int) -> FloatArray:
        """Net injection per MW of each column: links inject as much as they take."""
        result = self.sign.copy()
        result[self.links_at] = 0.0
        return result[:n_column]

    def injection(self, columns: FloatArray) -> FloatArray:
        """Power injected at each bus by the chosen columns. [MW]"""
        n = len(columns)
        result: FloatArray = np.bincount(self.to_bus[:n], self.sign[:n] * columns, self.n_bus).astype(float)
        if self.n_link:
            result -= np.bincount(self.from_bus[self.links_at], columns[self.links_at], self.n_bus)
        return result

    def must_take(self, available_p_mw: FloatArray) -> FloatArray:
        """Must-run minimum output and rooftop PV at each bus. [MW]"""
        fixed = self.fixed_unit
        return self.must_take_p_mw + np.bincount(self.unit_bus[fixed], available_p_mw[fixed], self.n_bus)

    def upper(self, available_p_mw: FloatArray) -> FloatArray:
        """Largest value of each column before those of sites. [MW]"""
        free = available_p_mw[self.free_unit]
        return np.concatenate([self.segment_p_mw, free, self.link_p_mw, self.link_p_mw])

    def with_sites(self, site_bus: Sequence[int] | IntArray) -> Problem:
        """The same problem with a flexible-load column at each of the given buses."""
        values = {k: v for k, v in self.__dict__.items() if k in self.__dataclass_fields__}
        return Problem(**{**values, "site_bus": np.asarray(site_bus, dtype=np.int64)})


def flows(ptdf: FloatArray, injection_p_mw: FloatArray) -> FloatArray:
    """Line flows of one step. [MW]

    `einsum` without optimisation sums in a fixed order. A BLAS product may change its last bits with the
    shape of the batch and the number of threads, and results must not depend on chunking or workers.
    """
    result: FloatArray = np.einsum("lb,b->l", ptdf, injection_p_mw)
    return result


def build_problem(grid: Grid) -> Problem:
    """Read a grid's tables into the arrays of its dispatch problem."""
    bus = {name: i for i, name in enumerate(grid.buses.index)}
    generator = {name: i for i, name in enumerate(grid.generators.index)}
    gens, segments, units, links = grid.generators, grid.segments, grid.units, grid.links

    gen_bus = _positions(gens["bus"], bus)
    segment_gen = _positions(segments["gen"], generator)
    must_run_p = np.where(gens["must_run"].to_numpy(dtype=bool), gens["p_min_mw"].to_numpy(dtype=float), 0.0)
    dispatchable = units["dispatchable"].to_numpy(dtype=bool)
    segment_cost = segments["cost_per_mwh"].to_numpy(dtype=float)
    return Problem(
        grid=grid,
        ptdf=np.ascontiguousarray(grid.ptdf, dtype=float),
        rate_mw=grid.lines["rate_mw"].to_numpy(dtype=float),
        n_bus=len(bus),
        segment_bus=gen_bus[segment_gen],
        segment_p_mw=segments["p_mw"].to_numpy(dtype=float),
        segment_cost=segment_cost,
        segment_co2=segments["co2_kg_per_mwh"].to_numpy(dtype=float),
        segment_generator=segment_gen,
        unit_bus=_positions(units["bus"], bus),
        free_unit=np.flatnonzero(dispatchable),
        fixed_unit=np.flatnonzero(~dispatchable),
        counted=units["counts_as_curtailment"].to_numpy(dtype=bool)[dispatchable].astype(float),
        offer=units["offer_per_mwh"].to_numpy(dtype=float)[dispatchable],
        unit_rank=_unit_ranks(grid, dispatchable),
        segment_rank=dispatchable.sum() + _segment_ranks(grid, segment_cost),
        link_rank=_link_ranks(grid),
        link_from=_positions(links["from_bus"], bus),
        link_to=_positions(links["to_bus"], bus),
        link_p_mw=links["p_max_mw"].to_numpy(dtype=float),
        must_take_p_mw=np.bincount(gen_bus, must_run_p, len(bus)).astype(float),
        must_run_gen_p_mw=must_run_p,
        no_load_cost_per_h=float(gens["no_load_cost_per_h"].sum()),
        no_load_co2_kg_per_h=float(gens["no_load_co2_kg_per_h"].sum()),
    )


def _positions(names: Sequence[str], index: dict[str, int]) -> IntArray:
    return np.array([index[name] for name in names], dtype=np.int64)


def _segment_ranks(grid: Grid, cost: FloatArray) -> FloatArray:
    """Rank by cost, then name, so that a rank cost never reverses the order of two real costs.

    The ranks of free units come before: what costs nothing is taken from them first.
    """
    names = grid.segments["gen"].to_numpy(dtype=str)
    ranks = np.empty(len(cost))
    ranks[np.lexsort((np.arange(len(cost)), names, cost))] = np.arange(1, len(cost) + 1)
    return ranks


def _link_ranks(grid: Grid) -> FloatArray:
    """Rank of links by name, the same in both directions."""
    ranks = np.empty(len(grid.links))
    ranks[np.argsort(grid.links.index.to_numpy(dtype=str), kind="stable")] = np.arange(1, len(ranks) + 1)
    return ranks


def _unit_ranks(grid: Grid, dispatchable: np.ndarray) -> FloatArray:
    """Rank of free units: equally cheap water and sun towers are spilled before wind and PV are curtailed.

    Among wind and PV the rank only steadies the solver; what is curtailed is shared afterwards
    (see `grid_models.sharing`).
    """
    units = grid.units[dispatchable]
    counted = units["counts_as_curtailment"].to_numpy(dtype=bool)
    ranks = np.empty(len(units))
    ranks[np.lexsort((units.index.to_numpy(dtype=str), ~counted))] = np.arange(1, len(units) + 1)
    return ranks
