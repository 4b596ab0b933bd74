"""The gate before the fast power flow: it must give what `runpp` gives, on this net and these set-points."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models import ac_lightsim, ac_pandapower
from grid_models._arrays import BoolArray, ComplexArray, IntArray
from grid_models.ac_injections import Injections, node_injections

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.ac_network import AcNetwork

#: Difference of complex voltages from those of `runpp` up to which the fast engine is let through. [pu]
PARITY_PU = 1e-6


@dataclass(frozen=True)
class Parity:
    """How the fast engine compares with `runpp`.

    Attributes
    ----------
    voltage_pu : float
        Largest difference of complex voltages over all nodes and compared operating points; NaN where none
        was compared. [pu]
    n_compared : int
        Operating points that both solved.
    reason : str
        Why the fast engine is refused, "" if it is let through.
    step_s : float
        Mean time `runpp` took; NaN where it was not run. [s]
    """

    voltage_pu: float = np.nan
    n_compared: int = 0
    reason: str = ""
    step_s: float = np.nan


def check_parity(
    net: pandapowerNet, network: AcNetwork, injections: Injections, n_steps: int
) -> tuple[AcNetwork, Parity]:
    """Compare both engines at the operating point of the model and at some of the steps to come.

    A step that `runpp` solves and the fast engine does not is a reason to refuse it. The reverse is not: all
    solutions are measured against pandapower's admittances (attribute ``mismatch_mva`` of results).

    Parameters
    ----------
    net : pandapowerNet
        The net with the operating point of the model in its tables.
    network : AcNetwork
        Its model.
    injections : Injections
        Checked set-points.
    n_steps : int
        How many steps to compare: those with the least and the greatest power, others evenly spaced.

    Returns
    -------
    start : AcNetwork
        The model as the fast engine was tried with it: with the voltages of the mean set-points.
    parity : Parity
        The comparison.
    """
    steps = sampled_steps(injections, n_steps)
    began = time.perf_counter()
    reference, is_solved = ac_pandapower.solve_steps(net, injections, steps.tolist(), network.n_node)
    step_s = (time.perf_counter() - began) / len(steps)
    reason = ac_lightsim.reason_against(network)
    if reason:
        return network, Parity(reason=reason, step_s=step_s)
    power = node_injections(network, net, injections.at(steps))
    power = np.concatenate([network.injection[None] * network.base_mva, power])
    try:
        start = ac_lightsim.started_at(network, node_injections(network, net, injections.mean())[0])
        voltage, converged = ac_lightsim.solve(start, power)
    except RuntimeError as error:
        return network, Parity(reason=f"lightsim2grid refuses it: {error}", step_s=step_s)
    reference = np.concatenate([network.voltage[None], reference])
    is_solved = np.concatenate([[True], is_solved])
    return start, _compared(voltage, converged, reference, is_solved, step_s)


def _compared(
    voltage: ComplexArray,
    converged: BoolArray,
    reference: ComplexArray,
    is_solved: BoolArray,
    step_s: float,
) -> Parity:
    """Compare voltages (operating point, node) with those of `runpp`, and which were found."""
    is_both, n_lost = is_solved & converged, int((is_solved & ~converged).sum())
    difference = float(np.abs(voltage - reference)[is_both].max()) if is_both.any() else np.nan
    reason = ""
    if n_lost:
        reason = f"it finds no solution of {n_lost} operating point(s) that runpp solves"
    elif difference > PARITY_PU:
        reason = f"its voltages differ from those of runpp by {difference:.2g} pu (allowed: {PARITY_PU:g})"
    return Parity(difference, int(is_both.sum()), reason, step_s)


def sampled_steps(injections: Injections, n_steps: int) -> IntArray:
    """Steps to compare: the first ones of greatest and least power, others evenly spaced in between."""
    power = [np.abs(values).sum(axis=1) for _, column, values in injections.given() if column == "p_mw"]
    total = np.sum(power, axis=0) if power else np.zeros(injections.n_step)
    n_even = max(n_steps - 2, 0)
    even = ((np.arange(n_even) + 0.5) / max(n_even, 1) * len(total)).astype(np.int64)
    chosen = np.concatenate([[int(np.argmax(total)), int(np.argmin(total))][:n_steps], even])
    return np.unique(chosen).astype(np.int64)
