"""AC power flow of many steps at once with lightsim2grid, of which this is the only caller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from lightsim2grid.algorithm import AlgorithmType
from lightsim2grid.lightsim2grid_cpp import InjectionSweepCPP, LSGrid, RefactorPolicyType

from grid_models._arrays import BoolArray, ComplexArray

if TYPE_CHECKING:
    from grid_models.ac_network import AcNetwork

#: Largest mismatch of power at any node at which Newton's method stops. [pu]
TOLERANCE_PU = 1e-8
#: Steps from the start of Newton's method after which there is no solution to be had.
MAX_ITERATIONS = 20
#: Iterations of Newton's method that share a factorisation of the Jacobian.
FACTORISE_EVERY = 3
# Reactive power of sources is not limited here: they hold their voltage whatever it takes.
_UNLIMITED_MVAR = 1e9


def reason_against(network: AcNetwork) -> str:
    """Why lightsim2grid cannot hold a network, "" if it can."""
    if len(network.references) != 1:
        return f"it has {len(network.references)} reference nodes of fixed voltage and angle, not 1"
    if not network.is_symmetric:
        return "it has branches whose impedance differs between the two directions"
    return ""


def lightsim_grid(network: AcNetwork) -> LSGrid:
    """Build the grid of lightsim2grid that has the admittances, sources and voltages of a network.

    pandapower's own admittances are taken over instead of its elements: every branch is a transformer with
    its series impedance, ratio and shift, which gives the off-diagonal admittances, and whatever the diagonal
    has beyond these (charging, magnetising currents of either sign, shunts, wards) is a shunt at the node.
    lightsim2grid's own conversion refuses parallel and three-winding transformers, impedances and wards, and
    by default (``pp_orig_file="pandapower_v2"``) keeps the sign of a negative no-load current, of which
    pandapower 3 takes the magnitude.
    """
    nodes, n_branch = np.arange(network.n_node, dtype=np.int32), len(network.series)
    ends = network.from_node.astype(np.int32), network.to_node.astype(np.int32)
    shunt = network.admittance.diagonal() * network.base_mva
    np.add.at(shunt, ends[0], -network.base_mva / (network.series * network.ratio**2))
    np.add.at(shunt, ends[1], -network.base_mva / network.series)
    sources = np.concatenate([network.references, network.held]).astype(np.int32)
    limit = np.full(len(sources), _UNLIMITED_MVAR)
    load = -network.base_mva * network.voltage * np.conj(network.admittance @ network.voltage)
    grid = LSGrid()
    grid.set_sn_mva(network.base_mva)
    grid.init_bus(network.n_node, 1, network.base_kv, 0, n_branch)
    grid.init_trafo(
        network.series.real.copy(),
        network.series.imag.copy(),
        np.zeros(n_branch, dtype=complex),
        network.ratio,
        network.shift_degree,
        [True] * n_branch,
        *ends,
        True,
    )
    grid.init_shunt(shunt.real.copy(), -shunt.imag, nodes)
    grid.init_loads(load.real.copy(), load.imag.copy(), nodes)
    grid.init_generators(np.zeros(len(sources)), np.abs(network.voltage[sources]), -limit, limit, sources)
    grid.add_gen_slackbus(0, 1.0)
    grid.change_algorithm(AlgorithmType.NRSing_KLU)
    return grid


def started_at(network: AcNetwork, injection_mva: ComplexArray) -> AcNetwork:
    """Return a network with the voltages of other injections, from which its steps are solved.

    The nearer these are to the steps, the fewer iterations they take. Where they have no solution, the
    network's own voltages stay.

    Parameters
    ----------
    network : AcNetwork
        Network that `reason_against` has nothing against.
    injection_mva : ndarray (node)
        Generation less load, complex. [MVA]
    """
    voltage, converged = solve(network, injection_mva[None])
    if not converged[0]:
        return network
    return replace(network, voltage=voltage[0])


def solve(
    network: AcNetwork, injection_mva: ComplexArray, *, threads: int = 1
) -> tuple[ComplexArray, BoolArray]:
    """Solve steps, each from the same start, so that none depends on another.

    Newton's method starts at the network's own voltages and factorises its Jacobian in every third
    iteration, which is fastest. A step that does not converge in this way is tried again with every
    iteration's Jacobian, and once more from free voltages of 1 pu.

    Parameters
    ----------
    network : AcNetwork
        Network that `reason_against` has nothing against.
    injection_mva : ndarray (time, node)
        Generation less load, complex. [MVA]
    threads : int
        Threads of the machine to use; the result does not depend on it.

    Returns
    -------
    voltage : ndarray (time, node)
        Complex, NaN where there is no solution. [pu]
    converged : ndarray of bool (time)
        Whether there is one.
    """
    grid = lightsim_grid(network)
    flat = network.voltage / np.abs(network.voltage)
    fixed = np.concatenate([network.references, network.held])
    flat[fixed] = network.voltage[fixed]
    voltage = np.empty(injection_mva.shape, dtype=complex)
    converged = np.zeros(len(voltage), dtype=bool)
    attempts = (
        (network.voltage, RefactorPolicyType.EveryN),
        (network.voltage, RefactorPolicyType.AlwaysRefactor),
        (flat, RefactorPolicyType.AlwaysRefactor),
    )
    for start, policy in attempts:
        left = np.flatnonzero(~converged)
        if len(left):
            voltage[left], converged[left] = _sweep(grid, start, injection_mva[left], policy, threads)
    voltage[~converged] = np.nan + 1j * np.nan
    return voltage, converged


def _sweep(
    grid: LSGrid,
    start: ComplexArray,
    injection_mva: ComplexArray,
    policy: RefactorPolicyType,
    threads: int,
) -> tuple[ComplexArray, BoolArray]:
    """Solve steps from a common start.

    Not `TimeSeriesCPP`, which starts from the step before: it gives up all steps after one that fails, and
    its results depend on where a series begins.
    """
    sweep = InjectionSweepCPP(grid)
    sweep.change_algorithm(AlgorithmType.NRSing_KLU)
    config = sweep.get_algo_config()
    scaling, _, search, _ = config.int_params
    config.int_params = [scaling, int(policy), search, FACTORISE_EVERY]
    sweep.set_algo_config(config)
    sweep.nb_thread = threads
    sweep.modify_load_p(np.ascontiguousarray(-injection_mva.real))
    sweep.modify_load_q(np.ascontiguousarray(-injection_mva.imag))
    sweep.compute(start.copy(), MAX_ITERATIONS, TOLERANCE_PU)
    return np.array(sweep.get_voltages()), np.array(sweep.converged_mask(), dtype=bool)
