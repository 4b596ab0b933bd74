"""AC power flow of a pandapower net over time, fast where that is proven to equal pandapower's own."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from grid_models.ac_injections import Injections, check_injections, node_injections
from grid_models.ac_results import results, results_dataset
from weather import Finding, Findings, InputError

# pandapower and lightsim2grid take seconds to import and only flow checks need them: they are imported, with
# the modules that call them, where they are used.
if TYPE_CHECKING:
    from distributed import Client
    from pandapower.auxiliary import pandapowerNet

    from grid_models._arrays import FloatArray
    from grid_models.ac_network import AcNetwork
    from grid_models.ac_parity import Parity

AcEngine = Literal["auto", "lightsim2grid", "pandapower"]


def ac_series(
    net: pandapowerNet,
    injections: Injections,
    *,
    engine: AcEngine = "auto",
    parity_steps: int = 4,
    block_steps: int = 1024,
    threads: int | None = None,
    client: Client | None = None,
) -> xr.Dataset:
    """Solve the AC power flow of a net for many steps.

    Parameters
    ----------
    net : pandapowerNet
        The net; it is left as it is.
    injections : Injections
        Set-points over time.
    engine : {'auto', 'lightsim2grid', 'pandapower'}
        'auto' compares lightsim2grid with `runpp` on this net, and falls back to `runpp` with a warning where
        they differ; 'lightsim2grid' raises an error there; 'pandapower' is `runpp` at every step.
    parity_steps : int
        Steps of the series that are compared, besides the base case of the net.
    block_steps : int
        Steps solved at a time: bounds the memory that is not part of the result.
    threads : int, optional
        Threads that lightsim2grid uses for a block. Default: one per core, or one with a `client`.
    client : distributed.Client, optional
        Solve blocks on its workers.

    Returns
    -------
    Dataset
        Over time (step numbers) and the indices of the net: what `grid_models.ac_results.AC_RESULTS` lists,
        and ``converged``. Steps without a solution are NaN, and a warning counts them. Attributes:
        ``engine``, ``parity_pu`` (largest difference of complex voltages) and ``parity_compared`` (operating
        points), ``not_converged`` (number of steps), ``mismatch_mva`` (largest of all solved steps, measured
        against pandapower's admittances).

    Raises
    ------
    InputError
        Set-points that do not fit the net, nets with voltage-dependent loads, and 'lightsim2grid' where it is
        refused.

    Notes
    -----
    Steps depend neither on one another nor on how they are grouped: results are the same for any
    `block_steps`, `threads` and number of workers. Sources hold their voltage without limit of reactive
    power, as in ``runpp(enforce_q_lims=False)``.
    """
    from grid_models.ac_network import read_network
    from grid_models.ac_pandapower import solved_copy

    _check_options(engine, parity_steps, block_steps, threads)
    check_injections(net, injections)
    base, is_base = solved_copy(net)
    injections = injections if is_base else injections.completed(net)
    network = read_network(base)
    start, parity = _choose(engine, base, network, injections, parity_steps)
    model, is_fast = (network, False) if start is None else (start, True)
    workers = threads or (1 if client is not None else _n_core())
    parts = [slice(i, i + block_steps) for i in range(0, injections.n_step, block_steps)]
    if client is None:
        blocks = [_solve_block(base, model, injections.at(p), is_fast, workers) for p in parts]
    else:
        shared = client.scatter(base, broadcast=True), client.scatter(model, broadcast=True)
        work = [client.submit(_solve_block, *shared, injections.at(p), is_fast, workers) for p in parts]
        blocks = client.gather(work)
    solved = results_dataset(net, {key: np.concatenate([b[key] for b in blocks]) for key in blocks[0]})
    return _described(solved, is_fast, parity)


def _n_core() -> int:
    """Cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def _check_options(engine: str, parity_steps: int, block_steps: int, threads: int | None) -> None:
    """Refuse options without a meaning."""
    findings = Findings()
    if engine not in get_args(AcEngine):
        findings.add("engine", f"{engine!r} is unknown", "use one of " + ", ".join(get_args(AcEngine)))
    for name, value in (("parity_steps", parity_steps), ("block_steps", block_steps), ("threads", threads)):
        if value is not None and value < 1:
            findings.add(name, f"is {value}", "give at least 1")
    findings.raise_if_any("AC power flow")


def _choose(
    engine: AcEngine, net: pandapowerNet, network: AcNetwork, injections: Injections, parity_steps: int
) -> tuple[AcNetwork | None, Parity]:
    """Model to start the fast engine with, None where it is not taken, and the comparison that decides it."""
    from grid_models.ac_parity import Parity, check_parity

    if engine == "pandapower":
        return None, Parity()
    start, parity = check_parity(net, network, injections, parity_steps)
    if parity.reason and engine == "lightsim2grid":
        remedy = "use engine 'auto' or 'pandapower'"
        finding = Finding(f"net {net.name!r}", f"lightsim2grid is refused: {parity.reason}", remedy)
        raise InputError("AC power flow", [finding])
    if parity.reason:
        cost = f"{parity.step_s * 1e3:.0f} ms a step, {parity.step_s * injections.n_step:.0f} s in all"
        what = f"lightsim2grid is refused for net {net.name!r}: {parity.reason}"
        warnings.warn(f"{what}. pandapower.runpp solves every step instead: {cost}", stacklevel=3)
    return (None if parity.reason else start), parity


def _solve_block(
    net: pandapowerNet, network: AcNetwork, injections: Injections, is_fast: bool, threads: int
) -> dict[str, FloatArray]:
    """Solve some steps and compute all their results."""
    from grid_models import ac_lightsim, ac_pandapower

    power = node_injections(network, net, injections)
    if is_fast:
        voltage, _ = ac_lightsim.solve(network, power, threads=threads)
    else:
        steps = range(injections.n_step)
        voltage, _ = ac_pandapower.solve_steps(net, injections, steps, network.n_node)
    return results(net, network, voltage, power)


def _described(solved: xr.Dataset, is_fast: bool, parity: Parity) -> xr.Dataset:
    """Add which steps converged and how they were solved; warn of those that did not."""
    converged = np.isfinite(solved["losses_mw"].to_numpy())
    n_failed = int((~converged).sum())
    if n_failed:
        what = f"{n_failed} of {len(converged)} steps have no AC solution"
        first = f"the first is step {int(np.argmin(converged))}"
        warnings.warn(f"{what}; {first}: their results are NaN", stacklevel=3)
    solved["converged"] = ("time", converged, {"long_name": "whether a solution was found"})
    return solved.assign_attrs(
        engine="lightsim2grid" if is_fast else "pandapower",
        parity_pu=parity.voltage_pu,
        parity_compared=parity.n_compared,
        not_converged=n_failed,
        mismatch_mva=float(solved["mismatch_mva"].max()),
    )
