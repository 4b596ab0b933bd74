"""The problem of `market` as other programs take it; tests and benchmarks share it."""

from __future__ import annotations

import copy

import numpy as np
import pandapower as pp
import pandas as pd
import pypsa

from grid_models import Grid


def pypsa_network(grid: Grid, load: np.ndarray, available: np.ndarray) -> pypsa.Network:
    """The same step costs and limits as `market`; minimum outputs and rooftop PV are negative load."""
    n = pypsa.Network(snapshots=range(len(load)))
    n.add("Bus", grid.buses.index, v_nom=1.0)
    n.add("Carrier", "AC")
    fixed = ~grid.units["dispatchable"].to_numpy(dtype=bool)
    net_load = load.copy()
    must_run = (grid.generators["p_min_mw"] * grid.generators["must_run"]).to_numpy()
    np.subtract.at(net_load.T, grid.bus_index(grid.generators["bus"]), must_run[:, None])
    np.subtract.at(net_load.T, grid.bus_index(grid.units["bus"][fixed]), available.T[fixed])
    names = [f"load {bus}" for bus in grid.buses.index]
    n.add("Load", names, bus=grid.buses.index, p_set=pd.DataFrame(net_load, columns=names))
    lines = grid.lines
    n.add(
        "Line",
        lines.index,
        bus0=lines["from_bus"],
        bus1=lines["to_bus"],
        x=1.0 / lines["b_pu"],
        r=1e-9,
        s_nom=lines["rate_mw"],
    )
    if len(grid.links):
        links = grid.links
        n.add(
            "Link",
            links.index,
            bus0=links["from_bus"],
            bus1=links["to_bus"],
            p_nom=links["p_max_mw"],
            p_min_pu=-1.0,
        )
    for k, row in enumerate(grid.segments.itertuples()):
        bus = grid.generators.at[row.gen, "bus"]
        n.add("Generator", f"segment {k}", bus=bus, p_nom=row.p_mw, marginal_cost=row.cost_per_mwh)
    for k, (name, unit) in enumerate(grid.units.iterrows()):
        if not fixed[k]:
            n.add(
                "Generator",
                name,
                bus=unit["bus"],
                p_nom=1.0,
                p_max_pu=available[:, k],
                marginal_cost=unit["offer_per_mwh"],
            )
    return n


def bare_net(grid: Grid) -> pp.pandapowerNet:
    """Buses, branches and the reference of a grid's net, in a copy."""
    net = copy.deepcopy(grid.net)
    for element in ("load", "gen", "sgen", "dcline", "storage", "shunt"):
        net[element] = net[element].iloc[:0]
    return net


def opf_net(grid: Grid, load: np.ndarray, available: np.ndarray) -> pp.pandapowerNet:
    """One step for `pandapower.rundcopp`: generators and units in segments of linear cost."""
    net, at = bare_net(grid), grid.buses["pp_index"]
    net.line["max_loading_percent"] = 100.0
    net.trafo["max_loading_percent"] = 100.0
    net.ext_grid["min_p_mw"], net.ext_grid["max_p_mw"] = -1e-6, 1e-6
    for bus, p_mw in zip(grid.buses.index, load, strict=True):
        pp.create_load(net, at[bus], p_mw)
    for row in grid.generators[grid.generators["must_run"]].itertuples():
        pp.create_sgen(net, at[row.bus], row.p_min_mw, controllable=False)
    for row in grid.segments.itertuples():
        bus = at[grid.generators.at[row.gen, "bus"]]
        unit = pp.create_sgen(net, bus, 0.0, min_p_mw=0.0, max_p_mw=row.p_mw, controllable=True)
        pp.create_poly_cost(net, unit, "sgen", cp1_eur_per_mw=row.cost_per_mwh)
    for row, p_mw in zip(grid.units.itertuples(), available, strict=True):
        if not row.dispatchable:
            pp.create_sgen(net, at[row.bus], p_mw, controllable=False)
        elif p_mw > 0.0:
            unit = pp.create_sgen(net, at[row.bus], 0.0, min_p_mw=0.0, max_p_mw=p_mw, controllable=True)
            pp.create_poly_cost(net, unit, "sgen", cp1_eur_per_mw=row.offer_per_mwh)
    return net
