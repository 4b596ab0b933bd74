"""A pandapower net as pandapower itself computes with it: admittances, sources and injections at nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pandapower.pypower import idx_brch, idx_bus, idx_gen
from pandapower.pypower.makeYbus import branch_vectors
from scipy.sparse import csr_array

from grid_models._arrays import BoolArray, ComplexArray, FloatArray, IntArray
from weather import Findings

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

#: Devices whose admittance depends on the voltage: their part of the flow cannot be read from the branches.
_VOLTAGE_DEPENDENT = ("svc", "tcsc", "ssc", "vsc")


@dataclass(frozen=True, eq=False)
class AcNetwork:
    """Positive-sequence model of a net at its nodes (buses that no switch joins), as `runpp` solved it.

    Attributes
    ----------
    base_mva : float
        Base of all values in pu. [MVA]
    base_kv : ndarray (node)
        Base voltage. [kV]
    references, held : ndarray of int
        Nodes of fixed voltage and angle; other nodes at which a source holds the voltage magnitude.
    voltage : ndarray (node)
        Solution of the operating point that `runpp` solved, or another one to start from, complex. [pu]
    injection : ndarray (node)
        Generation less load of that operating point, complex; without the sources of the references. [pu]
    admittance : csr_array (node, node)
        pandapower's own nodal admittance matrix. [pu]
    from_node, to_node : ndarray of int (branch)
        Ends of each branch in service.
    y_ff, y_ft, y_tf, y_tt : ndarray (branch)
        Currents entering at both ends per voltage at both ends. [pu]
    series, ratio, shift_degree : ndarray (branch)
        Series impedance [pu], turns ratio and phase shift [degree] at the from end: what the off-diagonal
        admittances are made of.
    bus_node : ndarray of int (bus)
        Node of each bus of the net, in the order of ``net.bus``; -1 where it has no voltage.
    line_branch, trafo_branch : ndarray of int
        Branch of each line and two-winding transformer of the net; -1 where out of service.
    is_symmetric : bool
        Whether every branch has the same series impedance in both directions.
    """

    base_mva: float
    base_kv: FloatArray
    references: IntArray
    held: IntArray
    voltage: ComplexArray
    injection: ComplexArray
    admittance: csr_array
    from_node: IntArray
    to_node: IntArray
    y_ff: ComplexArray
    y_ft: ComplexArray
    y_tf: ComplexArray
    y_tt: ComplexArray
    series: ComplexArray
    ratio: FloatArray
    shift_degree: FloatArray
    bus_node: IntArray
    line_branch: IntArray
    trafo_branch: IntArray
    is_symmetric: bool

    @property
    def n_node(self) -> int:
        """Number of nodes."""
        return len(self.base_kv)

    def nodes_of(self, buses: IntArray, net: pandapowerNet) -> IntArray:
        """Node of each of some buses, given by their index in ``net.bus``; -1 where without voltage."""
        nodes: IntArray = self.bus_node[net.bus.index.get_indexer(buses)]
        return nodes


def read_network(net: pandapowerNet) -> AcNetwork:
    """Read the model out of a net.

    Parameters
    ----------
    net : pandapowerNet
        Net with results of ``pandapower.runpp``.

    Returns
    -------
    AcNetwork
        Its model.

    Raises
    ------
    InputError
        Where loads or devices depend on the voltage: neither their injections nor their flows are in the
        model.
    """
    solved = net._ppc["internal"]
    bus, branch = solved["bus"], solved["branch"]
    _refuse_voltage_dependence(net, solved)
    y_tt, y_ff, y_ft, y_tf = branch_vectors(branch, len(branch))
    ratio = branch[:, idx_brch.TAP].real
    is_served = np.asarray(solved["branch_is"], dtype=bool)
    return AcNetwork(
        base_mva=float(solved["baseMVA"]),
        base_kv=bus[:, idx_bus.BASE_KV].astype(float),
        references=solved["ref"].astype(np.int64),
        held=solved["pv"].astype(np.int64),
        voltage=solved["V"].astype(complex),
        injection=_injection(solved),
        admittance=csr_array(solved["Ybus"]),
        from_node=branch[:, idx_brch.F_BUS].real.astype(np.int64),
        to_node=branch[:, idx_brch.T_BUS].real.astype(np.int64),
        y_ff=y_ff.astype(complex),
        y_ft=y_ft.astype(complex),
        y_tf=y_tf.astype(complex),
        y_tt=y_tt.astype(complex),
        series=branch[:, idx_brch.BR_R].real + 1j * branch[:, idx_brch.BR_X].real,
        ratio=np.where(ratio == 0.0, 1.0, ratio),
        shift_degree=branch[:, idx_brch.SHIFT].real.astype(float),
        bus_node=_bus_node(net, len(bus)),
        line_branch=_branches(net, "line", is_served),
        trafo_branch=_branches(net, "trafo", is_served),
        is_symmetric=not branch[:, [idx_brch.BR_R_ASYM, idx_brch.BR_X_ASYM]].any(),
    )


def _refuse_voltage_dependence(net: pandapowerNet, solved: dict[str, np.ndarray]) -> None:
    """Refuse what draws another power or current at another voltage."""
    findings = Findings()
    shares = solved["bus"][:, [idx_bus.CID_P, idx_bus.CID_Q, idx_bus.CZD_P, idx_bus.CZD_Q]]
    if shares.any():
        what = f"{int(shares.any(axis=1).sum())} bus(es) have loads of constant current or impedance"
        findings.add("load", what, "set their const_i_* and const_z_*_percent to 0, or make them shunts")
    for device in _VOLTAGE_DEPENDENT:
        if len(solved[device]):
            what = f"{len(solved[device])} in the net: their admittance depends on the voltage"
            findings.add(device, what, "replace them by sources of fixed power")
    findings.raise_if_any(f"AC model of net {net.name!r}")


def _injection(solved: dict[str, np.ndarray]) -> ComplexArray:
    """Set-points of all but the reference's sources, whose power is what the solution makes of it."""
    bus, gen = solved["bus"], solved["gen"]
    injection = -(bus[:, idx_bus.PD] + 1j * bus[:, idx_bus.QD])
    others = np.setdiff1d(np.arange(len(gen)), solved["ref_gens"])
    np.add.at(injection, gen[others, idx_gen.GEN_BUS].astype(np.int64), gen[others, idx_gen.PG])
    return injection / float(solved["baseMVA"])


def _bus_node(net: pandapowerNet, n_node: int) -> IntArray:
    """Node of each bus; pandapower numbers buses without voltage behind all others."""
    lookup = net._pd2ppc_lookups["bus"]
    node = lookup[net.bus.index.to_numpy()].astype(np.int64)
    has_voltage = net.bus["in_service"].to_numpy(dtype=bool) & (node >= 0) & (node < n_node)
    return np.where(has_voltage, node, -1)


def _branches(net: pandapowerNet, element: str, is_served: BoolArray) -> IntArray:
    """Position among the branches in service of each row of an element's table."""
    if not len(net[element]):
        return np.zeros(0, dtype=np.int64)
    first, last = net._pd2ppc_lookups["branch"][element]
    position = np.where(is_served, np.cumsum(is_served) - 1, -1)
    return position[first:last].astype(np.int64)
