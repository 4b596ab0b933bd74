"""Flows on branches from the voltages at their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from grid_models._arrays import ComplexArray, FloatArray, IntArray
from grid_models._compiled import compiled

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.ac_network import AcNetwork


class BranchFlows(NamedTuple):
    """Flows over (time, branch); power is positive where it enters the branch.

    Attributes
    ----------
    p_from_mw, q_from_mvar, p_to_mw, q_to_mvar : ndarray
        Power at both ends. [MW], [Mvar]
    i_from_ka, i_to_ka : ndarray
        Current at both ends. [kA]
    """

    p_from_mw: FloatArray
    q_from_mvar: FloatArray
    p_to_mw: FloatArray
    q_to_mvar: FloatArray
    i_from_ka: FloatArray
    i_to_ka: FloatArray


def branch_flows(network: AcNetwork, voltage: ComplexArray) -> BranchFlows:
    """Flows at both ends of every branch; NaN where the voltages are.

    Parameters
    ----------
    network : AcNetwork
        The network.
    voltage : ndarray (time, node)
        Complex. [pu]
    """
    shape = len(voltage), len(network.series)
    flows = BranchFlows(*(np.empty(shape) for _ in BranchFlows._fields))
    i_base_ka = network.base_mva / (np.sqrt(3.0) * network.base_kv)
    ends = network.from_node, network.to_node
    y = network.y_ff, network.y_ft, network.y_tf, network.y_tt
    _fill(np.ascontiguousarray(voltage), *ends, *y, network.base_mva, i_base_ka, *flows)
    return flows


def loading_percent(
    network: AcNetwork, net: pandapowerNet, flows: BranchFlows
) -> tuple[FloatArray, FloatArray]:
    """Loading of lines and two-winding transformers by current, as pandapower defines it.

    Parameters
    ----------
    network : AcNetwork
        Model of the net.
    net : pandapowerNet
        The net, for its ratings.
    flows : BranchFlows
        Flows of its branches.

    Returns
    -------
    line : ndarray (time, line)
        Larger current of both ends against ``max_i_ka · df · parallel``; 0 out of service. [%]
    trafo : ndarray (time, trafo)
        Larger of both windings' currents against their rated ones, which follow from ``sn_mva`` and the
        rated voltages, times ``df · parallel``; 0 out of service. [%]
    """
    line, trafo = net.line, net.trafo
    rated_line = (line["max_i_ka"] * line["df"] * line["parallel"]).to_numpy(dtype=float)
    capacity = (trafo["sn_mva"] * trafo["df"] * trafo["parallel"]).to_numpy(dtype=float) / np.sqrt(3.0)
    at_line = network.line_branch, rated_line, rated_line
    rated_hv, rated_lv = (capacity / trafo[side].to_numpy(dtype=float) for side in ("vn_hv_kv", "vn_lv_kv"))
    return _loading(flows, *at_line), _loading(flows, network.trafo_branch, rated_hv, rated_lv)


def of_branches(values: FloatArray, branches: IntArray) -> FloatArray:
    """Columns of some branches out of (time, branch), 0 for those out of service."""
    chosen: FloatArray = values[:, np.maximum(branches, 0)] if values.shape[1] else np.zeros((len(values), 0))
    chosen[:, branches < 0] = 0.0
    return chosen


def _loading(
    flows: BranchFlows, branches: IntArray, rated_from_ka: FloatArray, rated_to_ka: FloatArray
) -> FloatArray:
    """Larger relative current of both ends. [%]."""
    at_from = of_branches(flows.i_from_ka, branches) / rated_from_ka
    at_to = of_branches(flows.i_to_ka, branches) / rated_to_ka
    loading: FloatArray = 100.0 * np.maximum(at_from, at_to)
    return loading


@compiled
def _fill(
    voltage: ComplexArray,
    from_node: IntArray,
    to_node: IntArray,
    y_ff: ComplexArray,
    y_ft: ComplexArray,
    y_tf: ComplexArray,
    y_tt: ComplexArray,
    base_mva: float,
    i_base_ka: FloatArray,
    p_from: FloatArray,
    q_from: FloatArray,
    p_to: FloatArray,
    q_to: FloatArray,
    i_from: FloatArray,
    i_to: FloatArray,
) -> None:
    """Write the flows of every step and branch."""
    for step in range(voltage.shape[0]):
        for k in range(from_node.shape[0]):
            v_from, v_to = voltage[step, from_node[k]], voltage[step, to_node[k]]
            current = y_ff[k] * v_from + y_ft[k] * v_to
            power = v_from * np.conj(current) * base_mva
            p_from[step, k], q_from[step, k] = power.real, power.imag
            i_from[step, k] = np.hypot(current.real, current.imag) * i_base_ka[from_node[k]]
            current = y_tf[k] * v_from + y_tt[k] * v_to
            power = v_to * np.conj(current) * base_mva
            p_to[step, k], q_to[step, k] = power.real, power.imag
            i_to[step, k] = np.hypot(current.real, current.imag) * i_base_ka[to_node[k]]
