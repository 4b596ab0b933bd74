"""Grids from the cases that come with pandapower, with renewable units attached by the caller."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from grid_models.catalog.case import CaseOptions
from grid_models.catalog.pandapower_file import net_grid
from grid_models.catalog.pandapower_net import quiet
from grid_models.grid import Grid
from grid_models.places import footprint
from weather import Finding, InputError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

_DEFAULT_OPTIONS = CaseOptions()


def load_pandapower_case(*, case: str, options: CaseOptions = _DEFAULT_OPTIONS) -> Grid:
    """Load a case of ``pandapower.networks``, for example 'case39'.

    Parameters
    ----------
    case : str
        Name of the function in ``pandapower.networks``; it is called without arguments.
    options : CaseOptions
        What the caller adds: cases seldom have places, often no costs, limits or ratings.

    Returns
    -------
    Grid
        Checked. See `grid_models.catalog.pandapower_file.net_grid` for what is translated and how.
    """
    cases = pandapower_cases()
    if case not in cases:
        what = f"{case!r} is not in pandapower.networks"
        raise InputError("pandapower case", [Finding("case", what, "see 'twin list grids pandapower_case'")])
    with quiet():
        net = cases[case]()
    return net_grid(net, name=case, options=options, place=footprint(case))


def pandapower_cases() -> Mapping[str, Callable[[], pandapowerNet]]:
    """Functions of ``pandapower.networks`` that make a net without being told anything, by name."""
    import pandapower.networks as networks

    return {
        name: maker
        for name, maker in sorted(vars(networks).items())
        if not name.startswith("_") and inspect.isfunction(maker) and _makes_a_net(maker)
    }


def _makes_a_net(maker: Callable[..., object]) -> bool:
    """Whether a function of pandapower's networks can be called without arguments."""
    if not maker.__module__.startswith("pandapower.networks"):
        return False
    parameters = inspect.signature(maker).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
