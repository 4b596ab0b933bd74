"""Flows on branches, and what is left over at nodes, from the voltages of an AC network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from grid_models._arrays import ComplexArray, FloatArray, IntArray
from grid_models._compiled import compiled

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.ac_network import AcNetwork

# What a node's sources may add to its set-points, in the array that says so.
_NOTHING, _REACTIVE, _BOTH = 0, 1, 2


class BranchFlows(NamedTuple):
    """Flows over (time, branch); power is positive where it enters the branch.

    Attributes
    ----------
    p_from_mw, q_from_mvar, p_to_mw, q_to_mvar : ndarray
        Power at both ends. [MW], [Mvar]
    loading_percent : ndarray
        Larger current of both ends against the rated one, see `rated_current_ka`. [%]
    """

    p_from_mw: FloatArray
    q_from_mvar: FloatArray
    p_to_mw: FloatArray
    q_to_mvar: FloatArray
    loading_percent: FloatArray


class NodeBalance(NamedTuple):
    """What sources add to the set-points of nodes.

    Attributes
    ----------
    source_q_mvar : ndarray (time, node)
        Reactive power of all that holds the voltage; NaN where nothing does. [Mvar]
    slack_p_mw, slack_q_mvar : ndarray (time)
        Power of the references. [MW], [Mvar]
    mismatch_mva : ndarray (time)
        Largest power at a node for which there is no source: an error of the solution. [MVA]
    """

    source_q_mvar: FloatArray
    slack_p_mw: FloatArray
    slack_q_mvar: FloatArray
    mismatch_mva: FloatArray


def branch_flows(network: AcNetwork, net: pandapowerNet, voltage: ComplexArray) -> BranchFlows:
    """Flows at both ends of every branch; NaN where the voltages are.

    Parameters
    ----------
    network : AcNetwork
        The network.
    net : pandapowerNet
        The net it was read from, for its ratings.
    voltage : ndarray (time, node)
        Complex. [pu]
    """
    shape = len(voltage), len(network.series)
    flows = BranchFlows(*(np.empty(shape) for _ in BranchFlows._fields))
    i_base_ka = network.base_mva / (np.sqrt(3.0) * network.base_kv)
    ends = network.from_node, network.to_node
    rated_from, rated_to = rated_current_ka(network, net)
    percent = 100.0 * i_base_ka[ends[0]] / rated_from, 100.0 * i_base_ka[ends[1]] / rated_to
    y = network.y_ff, network.y_ft, network.y_tf, network.y_tt
    fill_flows(np.ascontiguousarray(voltage), *ends, *y, network.base_mva, *percent, *flows)
    return flows


def rated_current_ka(network: AcNetwork, net: pandapowerNet) -> tuple[FloatArray, FloatArray]:
    """Rated current of every branch at its from and to end, as pandapower counts `loading_percent`.

    Lines: ``max_i_ka · df · parallel``. Two-winding transformers: of each winding, from ``sn_mva · df ·
    parallel`` and its rated voltage. Infinite for all others. [kA]
    """
    limits = np.full(len(network.series), np.inf), np.full(len(network.series), np.inf)
    line, trafo = net.line, net.trafo
    rated_line = (line["max_i_ka"] * line["df"] * line["parallel"]).to_numpy(dtype=float)
    sn_mva = (trafo["sn_mva"] * trafo["df"] * trafo["parallel"]).to_numpy(dtype=float)
    for limit, side in zip(limits, ("vn_hv_kv", "vn_lv_kv"), strict=True):
        rated_trafo = sn_mva / (np.sqrt(3.0) * trafo[side].to_numpy(dtype=float))
        for branches, rated in ((network.line_branch, rated_line), (network.trafo_branch, rated_trafo)):
            limit[branches[branches >= 0]] = rated[branches >= 0]
    return limits


def node_balance(network: AcNetwork, voltage: ComplexArray, injection_mva: ComplexArray) -> NodeBalance:
    """Compare what flows out of every node, by pandapower's admittances, with its set-points.

    Parameters
    ----------
    network : AcNetwork
        The network.
    voltage, injection_mva : ndarray (time, node)
        Complex solution [pu], and generation less load of the set-points [MVA].
    """
    role = np.full(network.n_node, _NOTHING)
    role[network.held], role[network.references] = _REACTIVE, _BOTH
    n_step = len(voltage)
    source_q = np.full((n_step, network.n_node), np.nan)
    balance = NodeBalance(source_q, *(np.zeros(n_step) for _ in range(3)))
    y = network.admittance
    rows = y.indptr.astype(np.int64), y.indices.astype(np.int64), y.data
    arrays = np.ascontiguousarray(voltage), np.ascontiguousarray(injection_mva)
    fill_balance(*arrays, *rows, role, network.base_mva, *balance)
    return balance


def of_branches(values: FloatArray, branches: IntArray) -> FloatArray:
    """Columns of some branches out of (time, branch), 0 for those out of service."""
    if len(branches) and np.array_equal(branches, np.arange(branches[0], branches[0] + len(branches))):
        return values[:, branches[0] : branches[0] + len(branches)]  # the usual case needs no copy
    chosen: FloatArray = values[:, np.maximum(branches, 0)] if values.shape[1] else np.zeros((len(values), 0))
    chosen[:, branches < 0] = 0.0
    return chosen


@compiled
def fill_flows(
    voltage: ComplexArray,
    from_node: IntArray,
    to_node: IntArray,
    y_ff: ComplexArray,
    y_ft: ComplexArray,
    y_tf: ComplexArray,
    y_tt: ComplexArray,
    base_mva: float,
    percent_from: FloatArray,
    percent_to: FloatArray,
    p_from: FloatArray,
    q_from: FloatArray,
    p_to: FloatArray,
    q_to: FloatArray,
    loading: FloatArray,
) -> None:
    """Write the flows of every step and branch."""
    for step in range(voltage.shape[0]):
        for k in range(from_node.shape[0]):
            v_from, v_to = voltage[step, from_node[k]], voltage[step, to_node[k]]
            i_from = y_ff[k] * v_from + y_ft[k] * v_to
            i_to = y_tf[k] * v_from + y_tt[k] * v_to
            s_from = v_from * np.conj(i_from) * base_mva
            s_to = v_to * np.conj(i_to) * base_mva
            p_from[step, k], q_from[step, k] = s_from.real, s_from.imag
            p_to[step, k], q_to[step, k] = s_to.real, s_to.imag
            at_from = np.sqrt(i_from.real**2 + i_from.imag**2) * percent_from[k]
            at_to = np.sqrt(i_to.real**2 + i_to.imag**2) * percent_to[k]
            loading[step, k] = at_from if at_from > at_to else at_to


@compiled
def fill_balance(
    voltage: ComplexArray,
    injection_mva: ComplexArray,
    first: IntArray,
    column: IntArray,
    admittance: ComplexArray,
    role: IntArray,
    base_mva: float,
    source_q: FloatArray,
    slack_p: FloatArray,
    slack_q: FloatArray,
    mismatch: FloatArray,
) -> None:
    """Write what every step's nodes give beyond their set-points."""
    for step in range(voltage.shape[0]):
        largest = 0.0
        for node in range(voltage.shape[1]):
            current = 0.0 + 0.0j
            for k in range(first[node], first[node + 1]):
                current += admittance[k] * voltage[step, column[k]]
            extra = voltage[step, node] * np.conj(current) * base_mva - injection_mva[step, node]
            if role[node] != _NOTHING:
                source_q[step, node] = extra.imag
            if role[node] == _BOTH:
                slack_p[step] += extra.real
                slack_q[step] += extra.imag
            elif role[node] == _REACTIVE:
                largest = max(largest, abs(extra.real))
            else:
                largest = max(largest, np.sqrt(extra.real**2 + extra.imag**2))
        # NaN does not win a comparison: a step without solution must not look exact.
        mismatch[step] = largest if voltage[step, 0] == voltage[step, 0] else np.nan
