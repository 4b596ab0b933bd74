"""AC model of a grid for its dispatch: pandapower's admittances, and limits of currents in the same unit."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models._arrays import BoolArray, ComplexArray, FloatArray, IntArray
from grid_models.ac_injections import SET_POINTS
from weather import Finding, InputError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.ac_network import AcNetwork
    from grid_models.grid import Grid

#: A rating from here on is no limit. [kA]
_UNLIMITED_KA = 9e4


@dataclass(frozen=True, eq=False)
class AcModel:
    """Network of a grid with its limits; buses and lines in the order of the grid's tables.

    Attributes
    ----------
    network : AcNetwork
        Admittances at nodes; its voltages are those without load and infeed.
    bus_node : ndarray of int (bus)
        Node of each bus.
    from_node, to_node : ndarray of int (line)
        Nodes at the ends of lines.
    y_from, y_to : ndarray of complex (2, line)
        Current entering a line at its from and at its to end, per voltage at its from and its to node. [pu]
    limit_from, limit_to : ndarray (line)
        Largest current at the ends; infinite where there is no limit. [pu]
    """

    network: AcNetwork
    bus_node: IntArray
    from_node: IntArray
    to_node: IntArray
    y_from: ComplexArray
    y_to: ComplexArray
    limit_from: FloatArray
    limit_to: FloatArray

    def currents(self, voltage: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """Current entering each line at its from and at its to end, (..., node) to (..., line). [pu]"""
        start, end = voltage[..., self.from_node], voltage[..., self.to_node]
        return self.y_from[0] * start + self.y_from[1] * end, self.y_to[0] * start + self.y_to[1] * end

    def loading(self, voltage: ComplexArray) -> FloatArray:
        """Current over its limit at the more loaded end of each line, (..., node) to (..., line). [1]"""
        start, end = self.currents(voltage)
        result: FloatArray = np.maximum(np.abs(start) / self.limit_from, np.abs(end) / self.limit_to)
        return result

    def line_power(self, voltage: ComplexArray) -> FloatArray:
        """Active power entering each line at its from bus, (..., node) to (..., line). [MW]"""
        power = voltage[..., self.from_node] * self.currents(voltage)[0].conj()
        result: FloatArray = power.real * self.network.base_mva
        return result

    def node_power(self, voltage: ComplexArray) -> ComplexArray:
        """Power that flows into the network at each node, (..., node) to (..., node). [MVA]"""
        network = self.network
        current = (network.admittance @ voltage.T).T
        result: ComplexArray = voltage * current.conj() * network.base_mva
        return result


def read_model(grid: Grid, *, stiff_interchanges: bool = True) -> AcModel:
    """Read the AC model of a grid out of its pandapower net, of which `runpp` thus is the reference.

    Parameters
    ----------
    grid : Grid
        The grid.
    stiff_interchanges : bool
        Whether every interchange (`interchanges`) holds the angle of its bus besides its voltage, as the grid
        beyond it does, so that what flows through it follows from the power flow. Otherwise only the
        reference does, and the others give what the dispatch wants.

    Raises
    ------
    InputError
        If the power flow has no solution even without load and infeed.
    """
    # Imported here because pandapower takes seconds to import and only AC dispatch needs it.
    from grid_models.ac_network import read_network
    from grid_models.ac_pandapower import solved_copy

    net = copy.deepcopy(grid.net)
    for element, column in SET_POINTS:
        net[element][column] = 0.0
    if stiff_interchanges:
        _hold_angles(grid, net)
    net, _ = solved_copy(net)
    network = read_network(net)
    branch, limit = _branches(grid, net, network)
    node = network.nodes_of(grid.buses["pp_index"].to_numpy(), net)
    _check_nodes(grid, node)
    ends = np.stack([network.from_node[branch], network.to_node[branch]])
    y_from = np.stack([network.y_ff[branch], network.y_ft[branch]])
    y_to = np.stack([network.y_tf[branch], network.y_tt[branch]])
    # A transformer of the net begins at its high-voltage side, one of the tables where its source says.
    turned = ends[0] != node[grid.buses.index.get_indexer(grid.lines["from_bus"])]
    return AcModel(
        network=network,
        bus_node=node,
        from_node=np.where(turned, ends[1], ends[0]),
        to_node=np.where(turned, ends[0], ends[1]),
        y_from=np.where(turned, y_to[::-1], y_from),
        y_to=np.where(turned, y_from[::-1], y_to),
        limit_from=np.where(turned, limit[1], limit[0]),
        limit_to=np.where(turned, limit[0], limit[1]),
    )


def interchanges(grid: Grid) -> BoolArray:
    """Which generators stand for another grid: they always run and can take power."""
    gens = grid.generators
    result: BoolArray = gens["must_run"].to_numpy(dtype=bool) & (gens["p_min_mw"].to_numpy(dtype=float) < 0.0)
    return result


def _hold_angles(grid: Grid, net: pandapowerNet) -> None:
    """Turn the interchanges of a net into external grids."""
    import pandapower as pp

    gens = grid.generators
    for name in gens.index[interchanges(grid) & (gens["bus"] != grid.reference_bus)]:
        bus = grid.buses.loc[gens.at[name, "bus"]]
        net.gen.loc[net.gen["name"] == name, "in_service"] = False
        pp.create_ext_grid(net, int(bus["pp_index"]), vm_pu=bus["vm_pu"], name=name)


def _check_nodes(grid: Grid, node: IntArray) -> None:
    """Refuse buses without voltage."""
    names = list(grid.buses.index[node < 0])
    if names:
        finding = Finding(
            f"bus {names[0]!r}", f"{len(names)} bus(es) have no voltage", "connect or drop them"
        )
        raise InputError(f"AC model of grid {grid.name!r}", [finding])


def _branches(grid: Grid, net: pandapowerNet, network: AcNetwork) -> tuple[IntArray, FloatArray]:
    """Branch of each line, and its limits at both ends, (end, line). [pu]"""
    kind, index = grid.lines["kind"].to_numpy(dtype=str), grid.lines["pp_index"].to_numpy()
    branch = np.zeros(len(index), dtype=np.int64)
    limit_mva = np.full((2, len(index)), np.inf)
    for name, of_kind, limits in (
        ("line", network.line_branch, _line_limits),
        ("trafo", network.trafo_branch, _transformer_limits),
    ):
        at = np.flatnonzero(kind == name)
        if len(at):
            branch[at] = of_kind[net[name].index.get_indexer(index[at])]
            limit_mva[:, at] = limits(net, index[at])
    return branch, limit_mva / network.base_mva


def _line_limits(net: pandapowerNet, index: IntArray) -> FloatArray:
    """Power of the largest current at nominal voltage, as `loading_percent` of pandapower means it. [MVA]"""
    line = net.line.loc[index]
    current_ka = (line["max_i_ka"] * line["df"] * line["parallel"]).to_numpy(dtype=float)
    current_ka[current_ka > _UNLIMITED_KA] = np.inf
    vn_kv = np.stack([net.bus.loc[line[end], "vn_kv"].to_numpy() for end in ("from_bus", "to_bus")])
    result: FloatArray = np.sqrt(3.0) * current_ka * vn_kv
    return result


def _transformer_limits(net: pandapowerNet, index: IntArray) -> FloatArray:
    """Rated power, referred from the windings' rated to the buses' nominal voltage. [MVA]"""
    trafo = net.trafo.loc[index]
    rated_mva = (trafo["sn_mva"] * trafo["df"] * trafo["parallel"]).to_numpy(dtype=float)
    bus_kv = np.stack([net.bus.loc[trafo[end], "vn_kv"].to_numpy() for end in ("hv_bus", "lv_bus")])
    winding_kv = np.stack([trafo[end].to_numpy(dtype=float) for end in ("vn_hv_kv", "vn_lv_kv")])
    result: FloatArray = rated_mva * bus_kv / winding_kv
    return result
