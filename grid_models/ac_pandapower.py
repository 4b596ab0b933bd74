"""AC power flow with pandapower: the reference, step by step. The only caller of `runpp`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp

from grid_models._arrays import BoolArray, ComplexArray
from grid_models.ac_injections import SET_POINTS, Injections, set_step
from weather import Finding, InputError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet


def solved_copy(net: pandapowerNet) -> tuple[pandapowerNet, bool]:
    """Copy of a net with results of `runpp`, from which its model can be read.

    Returns
    -------
    solved : pandapowerNet
        The net in its base case; without any load and generation where the base case has no solution.
    is_base : bool
        Whether it is in its base case.

    Raises
    ------
    InputError
        If neither has a solution, or pandapower refuses the net.
    """
    solved, where = copy.deepcopy(net), f"net {net.name!r}"
    try:
        if converges(solved):
            return solved, True
        for element, column in SET_POINTS:
            solved[element][column] = 0.0
        if converges(solved):
            return solved, False
    except (UserWarning, ValueError, ArithmeticError) as error:  # what pandapower raises of nets it refuses
        finding = Finding(where, f"pandapower.runpp refuses it: {error}", "correct the net")
        raise InputError("AC power flow", [finding]) from error
    what = "pandapower.runpp converges neither in the base case nor without any load and generation"
    remedy = "check impedances, voltage set-points and reactive shunts"
    raise InputError("AC power flow", [Finding(where, what, remedy)])


def converges(net: pandapowerNet) -> bool:
    """Run `runpp` with its default options and pandapower's own solver; tell whether there is a solution."""
    with _quiet():
        try:
            pp.runpp(net, lightsim2grid=False)
        except pp.LoadflowNotConverged:
            return False
    return True


def solve_steps(
    net: pandapowerNet, injections: Injections, steps: Sequence[int], n_node: int
) -> tuple[ComplexArray, BoolArray]:
    """Solve steps one by one, each from pandapower's own start, so that none depends on another.

    Parameters
    ----------
    net : pandapowerNet
        The net; it is left as it is.
    injections : Injections
        Checked set-points.
    steps : sequence of int
        Which steps.
    n_node : int
        Nodes of its model.

    Returns
    -------
    voltage : ndarray (step, node)
        Complex, NaN where there is no solution. [pu]
    converged : ndarray of bool (step)
        Whether there is one.
    """
    voltage = np.full((len(steps), n_node), np.nan + 1j * np.nan)
    converged = np.zeros(len(steps), dtype=bool)
    scratch = copy.deepcopy(net)
    for row, step in enumerate(steps):
        set_step(scratch, injections, step)
        converged[row] = converges(scratch)
        if converged[row]:
            voltage[row] = scratch._ppc["internal"]["V"]
    return voltage, converged


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what pandapower says of the age of its own case files."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
        yield
