"""A dispatch as set-points of the grid's pandapower net, and the reactive power that goes with it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from grid_models._arrays import FloatArray
from grid_models.ac_injections import Injections
from weather import Findings

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.grid import Grid

#: Dimension of what is taken of a dispatch, and the table of the grid whose index it must have.
_NEEDED = {
    "p_mw": ("gen", "generators"),
    "unit_p_mw": ("unit", "units"),
    "link_p_mw": ("link", "links"),
    "load_p_mw": ("bus", "buses"),
    "flexible_load_p_mw": ("bus", "buses"),
    "shed_p_mw": ("bus", "buses"),
    "dump_p_mw": ("bus", "buses"),
}
_OPTIONAL = {"storage_p_mw": ("storage", "storage")}


def dispatch_arrays(grid: Grid, dispatched: xr.Dataset) -> dict[str, FloatArray]:
    """Values of a dispatch in the grid's order, time in front; storage at rest where it has none.

    Raises
    ------
    InputError
        Missing variables, other generators, units, links or buses than the grid's, NaN: all at once.
    """
    findings, arrays = Findings(), {}
    wanted = {**_NEEDED, **{key: value for key, value in _OPTIONAL.items() if key in dispatched}}
    for name, (dim, table) in wanted.items():
        labels = getattr(grid, table).index
        if name not in dispatched:
            findings.add(name, "is missing", "give a Dataset as grid_models.dispatch returns it")
        elif set(dispatched[name].dims) != {"time", dim}:
            findings.add(name, f"has dims {dispatched[name].dims}", f"give ('time', '{dim}')")
        elif set(dispatched[name][dim].to_numpy()) != set(labels) or dispatched.sizes[dim] != len(labels):
            what = f"its {dim} labels are not those of grid {grid.name!r}"
            findings.add(name, what, "give the dispatch of this very grid")
        else:
            array = dispatched[name].transpose("time", dim).sel({dim: labels})
            arrays[name] = array.to_numpy().astype(float)
            _check_finite(array, findings)
    for name in grid.generators.index.intersection(grid.units.index):
        findings.add(f"{name!r}", "is the name of a generator and of a unit", "rename one of them")
    findings.raise_if_any(f"AC power flow of grid {grid.name!r}")
    n_time = dispatched.sizes["time"]
    return {"storage_p_mw": np.zeros((n_time, len(grid.storage))), **arrays}


def net_of(grid: Grid) -> pandapowerNet:
    """Copy of the grid's net with one load per bus, in the order of the buses, in place of its own loads."""
    import pandapower as pp

    net, buses = copy.deepcopy(grid.net), grid.buses
    net.load = net.load.iloc[:0]
    pp.create_loads(
        net,
        buses["pp_index"].to_numpy(),
        p_mw=buses["load_p_mw"].to_numpy(),
        q_mvar=buses["load_q_mvar"].to_numpy(),
        name=list(buses.index),
    )
    return net


def check_tan_phi(**tan_phi: float) -> None:
    """Refuse ratios of reactive to active power that are not finite, all at once. [Mvar/MW]"""
    findings = Findings()
    for name, value in tan_phi.items():
        if not np.isfinite(value):
            findings.add(name, f"is {value}", "give a finite ratio in Mvar/MW, 0 for a power factor of 1")
    findings.raise_if_any("AC power flow")


def set_points(
    grid: Grid,
    net: pandapowerNet,
    arrays: dict[str, FloatArray],
    *,
    unit_tan_phi: float,
    flexible_tan_phi: float,
) -> Injections:
    """Turn the values of a dispatch into set-points.

    Parameters
    ----------
    grid : Grid
        The network.
    net : pandapowerNet
        As `net_of` returns it.
    arrays : dict of str to ndarray
        As `dispatch_arrays` returns them.
    unit_tan_phi : float
        Reactive power that sources without voltage control give per active power. [Mvar/MW]
    flexible_tan_phi : float
        Reactive power that flexible loads draw per active power. [Mvar/MW]
    """
    load_p, load_q = _loads(grid, arrays, flexible_tan_phi)
    sources = grid.generators.index.append(grid.units.index)
    output = np.concatenate([arrays["p_mw"], arrays["unit_p_mw"]], axis=1)
    at_gen, at_sgen = (sources.get_indexer(net[element]["name"]) for element in ("gen", "sgen"))
    return Injections(
        load_p_mw=load_p,
        load_q_mvar=load_q,
        gen_p_mw=output[:, at_gen],
        sgen_p_mw=output[:, at_sgen],
        sgen_q_mvar=output[:, at_sgen] * unit_tan_phi,
        storage_p_mw=-arrays["storage_p_mw"],
        dcline_p_mw=arrays["link_p_mw"],
    )


def _loads(
    grid: Grid, arrays: dict[str, FloatArray], flexible_tan_phi: float
) -> tuple[FloatArray, FloatArray]:
    """Active and reactive load at each bus, what is shed taken off and what is dumped added.

    The reactive part follows the active one by the bus's nominal ratio; a bus with reactive load only keeps
    it. Shedding takes off both parts alike, dumped power has no reactive part.
    """
    p_nominal = grid.buses["load_p_mw"].to_numpy(dtype=float)
    q_nominal = grid.buses["load_q_mvar"].to_numpy(dtype=float)
    has_ratio = p_nominal > 0.0
    ratio = np.divide(q_nominal, p_nominal, out=np.zeros_like(q_nominal), where=has_ratio)
    fixed, flexible, shed = (arrays[key] for key in ("load_p_mw", "flexible_load_p_mw", "shed_p_mw"))
    demand = fixed + flexible
    served = 1.0 - np.divide(shed, demand, out=np.zeros_like(shed), where=demand > 0.0)
    reactive = served * (fixed * ratio + flexible * flexible_tan_phi) + np.where(has_ratio, 0.0, q_nominal)
    return demand - shed + arrays["dump_p_mw"], reactive


def _check_finite(array: xr.DataArray, findings: Findings) -> None:
    wrong = ~np.isfinite(array.to_numpy())
    if wrong.any():
        step, column = np.argwhere(wrong)[0]
        time, label = (array[dim].to_index()[at] for dim, at in zip(array.dims, (step, column), strict=True))
        what = f"{array.to_numpy()[step, column]} MW is not finite ({int(wrong.sum())} such values)"
        where = f"{array.name} at {array.dims[1]} {label!r}, {pd.Timestamp(time).isoformat()}"
        findings.add(where, what, "give what the dispatch found")
