"""What may be chosen in a step of the AC dispatch, as columns, and what each column costs in each stage.

The columns are::

    [ segments | unit groups | reactive up | reactive down | shed | dump ]

*Segments* are pieces of generators' costs. Wind and PV (and hydro, and CSP) that stand at one bus at one
offer are one *group*: the network cannot tell them apart, and what is held back is shared among them in
proportion to what they have available. *Reactive* columns exist where inverters may choose their reactive
power. *Shed* is load not served, *dump* must-take power not taken, per bus.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from grid_models._arrays import BoolArray, ComplexArray, FloatArray, IntArray

if TYPE_CHECKING:
    from grid_models.grid import Grid
    from grid_models.voltage_model import AcModel

Objective = Literal["priority", "market"]

UNBALANCED, CURTAILED, REACTIVE, COST, RANK = range(5)
"""Stages of the objective in their order; `CURTAILED` is empty in 'market'."""
FUNCTIONALS = ("curtailment", "cost", "co2")


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of the AC dispatch of a grid.

    Attributes
    ----------
    grid : Grid
        The grid.
    node : ndarray of int (column)
        Node at which a column injects.
    p_mw : ndarray (column)
        Active power injected per unit of a column: 1, -1 or 0.
    in_network : ndarray of bool (column)
        Whether it acts on the network; at external grids it only shifts who serves the balance.
    stages : ndarray (stage, column)
        Costs in the order of the stages.
    functionals : ndarray (functional, column)
        Negative curtailment, cost and CO2 per MW.
    gen_minimum_mw : ndarray (gen)
        Output of generators below their first segment.
    bus_node, gen_bus, unit_bus : ndarray of int
        Node of each bus; bus of each generator and unit.
    segment_gen, group_unit : ndarray of int
        Generator of each segment; group of each unit, -1 for units that may not be held back.
    segment_mw : ndarray (segment)
        Width of each segment.
    segments, groups, reactive, shed, dump : slice
        Places of the kinds.
    tangent : ndarray (unit)
        Reactive per active power of units; consumed, as it lowers voltages, where negative. [Mvar/MW]
    q_range : ndarray (unit)
        Largest reactive power either way per available active power, where it may be chosen. [Mvar/MW]
    """

    grid: Grid
    n_node: int
    node: IntArray
    p_mw: FloatArray
    in_network: BoolArray
    stages: FloatArray
    functionals: FloatArray
    gen_minimum_mw: FloatArray
    gen_bus: IntArray
    unit_bus: IntArray
    bus_node: IntArray
    segment_gen: IntArray
    segment_mw: FloatArray
    group_unit: IntArray
    segments: slice
    groups: slice
    reactive: slice
    shed: slice
    dump: slice
    tangent: FloatArray
    q_range: FloatArray

    @property
    def n_ordinary(self) -> int:
        """Number of columns without shedding and dumping."""
        return int(self.shed.start)

    @property
    def n_column(self) -> int:
        """Number of all columns."""
        return len(self.node)


@dataclass(frozen=True, eq=False)
class AcLoad:
    """Load of steps, (step, bus).

    Attributes
    ----------
    p_mw, q_mvar : ndarray (step, bus)
        Active and reactive load. [MW], [Mvar]
    own_q_mvar : ndarray (bus)
        The part of the latter that stays when load is shed: of buses with reactive load alone. [Mvar]
    """

    p_mw: FloatArray
    q_mvar: FloatArray
    own_q_mvar: FloatArray

    def at(self, steps: slice) -> AcLoad:
        """Some of the steps."""
        return AcLoad(self.p_mw[steps], self.q_mvar[steps], self.own_q_mvar)


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps, or one of them: what is given, and the bounds of what may be chosen. Time is in front, if any.

    Attributes
    ----------
    load_p_mw : ndarray (step, bus)
        Load, that of flexible sites included.
    available_p_mw : ndarray (step, unit)
        What the weather allows.
    fixed : ndarray of complex (step, node)
        Must-take power less load. [MVA]
    upper : ndarray (step, column)
        Largest value of each column. [MW], [Mvar]
    q_mvar : ndarray (step, column)
        Reactive power injected per unit of a column.
    """

    load_p_mw: FloatArray
    available_p_mw: FloatArray
    fixed: ComplexArray
    upper: FloatArray
    q_mvar: FloatArray

    def __len__(self) -> int:
        """Count steps."""
        return len(self.upper)

    def at(self, step: int) -> Steps:
        """One of the steps, without time in front."""
        return Steps(*(getattr(self, field.name)[step] for field in fields(self)))

    def injected(self, columns: Columns, chosen: FloatArray) -> ComplexArray:
        """Power injected at each node, (step, column) to (step, node). [MVA]"""
        return self.fixed + gathered((columns.p_mw + 1j * self.q_mvar) * chosen, columns.node, columns.n_node)


def gathered(values: FloatArray | ComplexArray, place: IntArray, n_place: int) -> ComplexArray:
    """Sum columns by the place they belong to, (..., column) to (..., place), in the order of columns."""
    if values.ndim == 1:
        real, imag = (np.bincount(place, part, n_place) for part in (values.real, values.imag))
        return real + 1j * imag
    result = np.zeros((*values.shape[:-1], n_place), dtype=complex)
    for column, at in enumerate(place):
        result[..., at] += values[..., column]
    return result


def read_columns(
    grid: Grid,
    model: AcModel,
    objective: Objective,
    tangent: FloatArray,
    q_range: FloatArray,
) -> Columns:
    """Read the tables of a grid into the columns of its AC dispatch.

    Parameters
    ----------
    grid : Grid
        The grid.
    model : AcModel
        Its network.
    objective : {'priority', 'market'}
        Least curtailment before least cost, or least cost.
    tangent, q_range : ndarray (unit)
        See `Columns`; with any `q_range` above zero units choose their reactive power.
    """
    gens, segments, units = grid.generators, grid.segments, grid.units
    gen_bus = grid.buses.index.get_indexer(gens["bus"]).astype(np.int64)
    segment_gen = gens.index.get_indexer(segments["gen"]).astype(np.int64)
    unit_bus = grid.buses.index.get_indexer(units["bus"]).astype(np.int64)
    group_unit, group_first = _groups(grid, unit_bus, tangent)
    n_bus, n_segment, n_group = len(grid.buses), len(segments), len(group_first)
    n_reactive = n_group if (q_range > 0.0).any() else 0
    sizes = np.cumsum([0, n_segment, n_group, 2 * n_reactive, n_bus, n_bus])
    at = [slice(int(a), int(b)) for a, b in pairwise(sizes)]
    group_node = model.bus_node[unit_bus[group_first]]
    reactive_node = np.tile(group_node[:n_reactive], 2)
    node = np.concatenate(
        [model.bus_node[gen_bus[segment_gen]], group_node, reactive_node, model.bus_node, model.bus_node]
    )
    p_mw = np.ones(len(node))
    p_mw[at[2]], p_mw[at[4]] = 0.0, -1.0
    counted = units["counts_as_curtailment"].to_numpy(dtype=float)[group_first]
    offer = units["offer_per_mwh"].to_numpy(dtype=float)[group_first]
    functionals = np.zeros((len(FUNCTIONALS), len(node)))
    functionals[0, at[1]] = -counted
    functionals[1, at[0]], functionals[1, at[1]] = segments["cost_per_mwh"], offer
    functionals[2, at[0]] = segments["co2_kg_per_mwh"]
    stages = np.zeros((5, len(node)))
    stages[UNBALANCED, at[3]] = stages[UNBALANCED, at[4]] = 1.0
    stages[CURTAILED] = functionals[0] if objective == "priority" else 0.0
    stages[REACTIVE, at[2]] = 1.0
    stages[COST] = functionals[1]
    stages[RANK] = _ranks(grid, group_first, n_reactive)
    runs = gens["must_run"].to_numpy(dtype=bool) | gens["committable"].to_numpy(dtype=bool)
    return Columns(
        grid=grid,
        n_node=model.network.n_node,
        node=node.astype(np.int64),
        p_mw=p_mw,
        in_network=~np.isin(node, model.network.references),
        stages=stages,
        functionals=functionals,
        gen_minimum_mw=np.where(runs, gens["p_min_mw"].to_numpy(dtype=float), 0.0),
        gen_bus=gen_bus,
        unit_bus=unit_bus,
        bus_node=model.bus_node,
        segment_gen=segment_gen,
        segment_mw=segments["p_mw"].to_numpy(dtype=float),
        group_unit=group_unit,
        segments=at[0],
        groups=at[1],
        reactive=at[2],
        shed=at[3],
        dump=at[4],
        tangent=tangent,
        q_range=q_range,
    )


def _groups(grid: Grid, unit_bus: IntArray, tangent: FloatArray) -> tuple[IntArray, IntArray]:
    """Group of each unit (-1: may not be held back) and the first unit of each group."""
    units = grid.units
    keys = zip(
        unit_bus,
        units["counts_as_curtailment"].to_numpy(dtype=bool),
        units["offer_per_mwh"].to_numpy(dtype=float),
        tangent,
        strict=True,
    )
    found: dict[tuple[object, ...], int] = {}
    group = np.full(len(units), -1, dtype=np.int64)
    first: list[int] = []
    for unit, (key, dispatchable) in enumerate(zip(keys, units["dispatchable"], strict=True)):
        if dispatchable:
            if key not in found:
                found[key] = len(first)
                first.append(unit)
            group[unit] = found[key]
    return group, np.array(first, dtype=np.int64)


def _ranks(grid: Grid, group_first: IntArray, n_reactive: int) -> FloatArray:
    """Last stage: makes the optimum unique where everything else is equal, by names, whatever their order.

    Hydro and CSP are spilled before wind and PV are held back; load of the last bus by name is shed first.
    """
    segments, units = grid.segments, grid.units.iloc[group_first]
    counted = units["counts_as_curtailment"].to_numpy(dtype=bool)
    of_group = np.empty(len(units))
    of_group[np.lexsort((units.index.to_numpy(dtype=str), ~counted))] = np.arange(1, len(units) + 1)
    of_segment = np.empty(len(segments))
    names = segments["gen"].to_numpy(dtype=str)
    by_cost = np.lexsort((np.arange(len(segments)), names, segments["cost_per_mwh"].to_numpy(dtype=float)))
    of_segment[by_cost] = len(units) + np.arange(1, len(segments) + 1)
    buses = grid.buses.index.to_numpy(dtype=str)
    of_bus = (len(buses) - np.argsort(np.argsort(buses, kind="stable"))).astype(float)
    return np.concatenate([of_segment, of_group, np.tile(of_group[:n_reactive], 2), of_bus, of_bus])


def make_steps(columns: Columns, load: AcLoad, available_p_mw: FloatArray) -> Steps:
    """Put the inputs of steps into the form of their columns.

    Shedding takes off the reactive part of a load in proportion; dumped power has none.
    """
    c, (n_step, n_bus) = columns, load.p_mw.shape
    must, group = c.group_unit < 0, c.group_unit[c.group_unit >= 0]
    given = np.concatenate([available_p_mw[:, must], np.tile(c.gen_minimum_mw, (n_step, 1))], axis=1)
    reactive = np.concatenate(
        [available_p_mw[:, must] * c.tangent[must], np.zeros((n_step, len(c.gen_bus)))], 1
    )
    at_bus = np.concatenate([c.unit_bus[must], c.gen_bus])
    taken = gathered(given + 1j * reactive, at_bus, n_bus)
    n_group, n_reactive = c.groups.stop - c.groups.start, (c.reactive.stop - c.reactive.start) // 2
    free = available_p_mw[:, ~must]
    q_most = gathered(free * c.q_range[~must], group, n_group).real[:, :n_reactive]
    upper = [
        np.tile(c.segment_mw, (n_step, 1)),
        gathered(free, group, n_group).real,
        q_most,
        q_most,
        load.p_mw,
        gathered(np.maximum(given, 0.0), at_bus, n_bus).real,
    ]
    q_mvar = np.zeros((n_step, c.n_column))
    q_mvar[:, np.arange(c.groups.start, c.groups.stop)[group]] = c.tangent[~must]
    q_mvar[:, c.reactive] = np.repeat([1.0, -1.0], n_reactive)
    with_load = load.q_mvar - load.own_q_mvar
    q_mvar[:, c.shed] = np.divide(with_load, load.p_mw, out=np.zeros((n_step, n_bus)), where=load.p_mw > 0.0)
    fixed = gathered(taken - load.p_mw - 1j * load.q_mvar, c.bus_node, c.n_node)
    return Steps(load.p_mw, available_p_mw, fixed, np.concatenate(upper, axis=1), q_mvar)
