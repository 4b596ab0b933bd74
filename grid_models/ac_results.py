"""From the voltages of a pandapower net to everything that is told of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from grid_models._arrays import ComplexArray, FloatArray
from grid_models.ac_flows import branch_flows, node_balance, of_branches

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.ac_network import AcNetwork

#: Dimension beside time, unit and meaning of every result.
AC_RESULTS: Final[dict[str, tuple[str, str, str]]] = {
    "vm_pu": ("bus", "pu", "voltage magnitude"),
    "va_degree": ("bus", "degree", "voltage angle"),
    "source_q_mvar": ("bus", "Mvar", "reactive power of all that holds the voltage of the bus's node"),
    "line_loading_percent": ("line", "%", "larger current of both ends against the rated one"),
    "line_p_from_mw": ("line", "MW", "active power entering at the from end"),
    "line_q_from_mvar": ("line", "Mvar", "reactive power entering at the from end"),
    "trafo_loading_percent": ("trafo", "%", "larger current of both windings against the rated one"),
    "trafo_p_hv_mw": ("trafo", "MW", "active power entering at the high-voltage end"),
    "trafo_q_hv_mvar": ("trafo", "Mvar", "reactive power entering at the high-voltage end"),
    "trafo_p_lv_mw": ("trafo", "MW", "active power entering at the low-voltage end"),
    "trafo_q_lv_mvar": ("trafo", "Mvar", "reactive power entering at the low-voltage end"),
    "losses_mw": ("", "MW", "active power lost on all branches"),
    "slack_p_mw": ("", "MW", "active power of external grids and slack generators"),
    "slack_q_mvar": ("", "Mvar", "reactive power of all that holds the voltage of the reference"),
    "mismatch_mva": ("", "MVA", "largest power that does not balance at a node"),
}


def results(
    net: pandapowerNet, network: AcNetwork, voltage: ComplexArray, injection_mva: ComplexArray
) -> dict[str, FloatArray]:
    """Compute every result of some steps from their voltages.

    Parameters
    ----------
    net : pandapowerNet
        The net, for its ratings.
    network : AcNetwork
        Its model.
    voltage : ndarray (time, node)
        Complex, NaN where there is no solution. [pu]
    injection_mva : ndarray (time, node)
        Generation less load of the set-points, complex. [MVA]

    Returns
    -------
    dict of str to ndarray
        As `AC_RESULTS` says, time in front; NaN where there is no solution.
    """
    flows = branch_flows(network, net, voltage)
    balance = node_balance(network, voltage, injection_mva)
    nodal = {
        "vm_pu": np.abs(voltage),
        "va_degree": np.degrees(np.angle(voltage)),
        "source_q_mvar": balance.source_q_mvar,
    }
    return {
        **{name: _of_buses(network, values) for name, values in nodal.items()},
        "line_loading_percent": of_branches(flows.loading_percent, network.line_branch),
        "line_p_from_mw": of_branches(flows.p_from_mw, network.line_branch),
        "line_q_from_mvar": of_branches(flows.q_from_mvar, network.line_branch),
        "trafo_loading_percent": of_branches(flows.loading_percent, network.trafo_branch),
        "trafo_p_hv_mw": of_branches(flows.p_from_mw, network.trafo_branch),
        "trafo_q_hv_mvar": of_branches(flows.q_from_mvar, network.trafo_branch),
        "trafo_p_lv_mw": of_branches(flows.p_to_mw, network.trafo_branch),
        "trafo_q_lv_mvar": of_branches(flows.q_to_mvar, network.trafo_branch),
        "losses_mw": flows.p_from_mw.sum(axis=1) + flows.p_to_mw.sum(axis=1),
        "slack_p_mw": balance.slack_p_mw,
        "slack_q_mvar": balance.slack_q_mvar,
        "mismatch_mva": balance.mismatch_mva,
    }


def results_dataset(net: pandapowerNet, arrays: dict[str, FloatArray]) -> xr.Dataset:
    """Label results with step numbers and the indices of the net."""
    data = {
        name: (("time", dim) if dim else ("time",), arrays[name]) for name, (dim, _, _) in AC_RESULTS.items()
    }
    coords = {element: net[element].index.to_numpy() for element in ("bus", "line", "trafo")}
    labelled = xr.Dataset(data, coords={"time": np.arange(len(arrays["losses_mw"])), **coords})
    for name, (_, unit, text) in AC_RESULTS.items():
        labelled[name].attrs.update(units=unit, long_name=text)
    return labelled


def _of_buses(network: AcNetwork, values: FloatArray) -> FloatArray:
    """Columns of the buses out of (time, node), NaN for those without voltage."""
    chosen: FloatArray = values[:, np.maximum(network.bus_node, 0)]
    chosen[:, network.bus_node < 0] = np.nan
    return chosen
