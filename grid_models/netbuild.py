"""From the tables of a grid to a pandapower net with the same buses, branches and set-points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from grid_models._arrays import FloatArray

if TYPE_CHECKING:
    from grid_models.grid import Grid

# Stands for "no limit": 1e5 kA, as pandapower's own converters write it.
_UNLIMITED_KA = 99999.0


def build_net(grid: Grid) -> pandapowerNet:
    """Build the pandapower net of a grid.

    Parameters
    ----------
    grid : Grid
        Grid made from tables.

    Returns
    -------
    pandapowerNet
        Buses and lines in the order of the tables; generators as `gen` at `p_set_mw`; weather-driven units as
        `sgen`, those that hold voltage (columns q_min_mvar, q_max_mvar known) as `gen`; links as `dcline`
        without losses; storage at rest. An `ext_grid` at the reference bus takes up the imbalance.
    """
    net = pp.create_empty_network(name=grid.name, f_hz=grid.f_hz, sn_mva=grid.base_mva)
    _add_buses(net, grid)
    _add_lines(net, grid)
    _add_transformers(net, grid)
    _add_sources(net, grid)
    _add_links_and_storage(net, grid)
    return net


def _add_buses(net: pandapowerNet, grid: Grid) -> None:
    """Add buses with nominal loads and shunts, and the reference."""
    buses = grid.buses
    places = list(zip(buses["longitude"], buses["latitude"], strict=True))
    for (bus, row), place in zip(buses.iterrows(), places, strict=True):
        index = int(row["pp_index"])
        pp.create_bus(net, row["vn_kv"], name=bus, index=index, zone=row["area"], geodata=place)
        if row["load_p_mw"] or row["load_q_mvar"]:
            pp.create_load(net, index, row["load_p_mw"], row["load_q_mvar"], name=f"load_{bus}")
        if row["shunt_q_mvar"]:
            pp.create_shunt(net, index, q_mvar=row["shunt_q_mvar"], name=f"shunt_{bus}")
    reference = buses.loc[grid.reference_bus]
    pp.create_ext_grid(net, int(reference["pp_index"]), vm_pu=reference["vm_pu"], name="reference")


def _add_lines(net: pandapowerNet, grid: Grid) -> None:
    """Add lines with impedances in ohm from pu."""
    lines = grid.lines[grid.lines["kind"] == "line"]
    if lines.empty:
        return
    buses = grid.buses.loc[lines["from_bus"]]
    vn_kv = buses["vn_kv"].to_numpy()
    base_ohm = vn_kv**2 / grid.base_mva
    length_km = np.where(lines["length_km"] > 0, lines["length_km"], 1.0)
    susceptance_s = lines["b_charging_pu"].to_numpy() / base_ohm
    pp.create_lines_from_parameters(
        net,
        from_buses=buses["pp_index"].to_numpy(),
        to_buses=grid.buses.loc[lines["to_bus"], "pp_index"].to_numpy(),
        length_km=length_km,
        r_ohm_per_km=lines["r_pu"].to_numpy() * base_ohm / length_km,
        x_ohm_per_km=lines["x_pu"].to_numpy() * base_ohm / length_km,
        c_nf_per_km=susceptance_s / (2 * np.pi * grid.f_hz) * 1e9 / length_km,
        max_i_ka=_rated_current_ka(lines["rate_mw"].to_numpy(), vn_kv),
        name=list(lines.index),
        index=lines["pp_index"].to_numpy(),
    )


def _rated_current_ka(rate_mva: FloatArray, vn_kv: FloatArray) -> FloatArray:
    """Return the current at rated power and nominal voltage. [kA]."""
    current: FloatArray = np.where(np.isinf(rate_mva), _UNLIMITED_KA, rate_mva / (np.sqrt(3) * vn_kv))
    return current


def _add_transformers(net: pandapowerNet, grid: Grid) -> None:
    """Add transformers; the off-nominal ratio is put into the rated voltage of the from side.

    `sn_mva` is the continuous rating, so that `loading_percent` is against it; short-circuit voltages are
    converted from the base of the grid to that rating.
    """
    for name, line in grid.lines[grid.lines["kind"] == "trafo"].iterrows():
        start, end = grid.buses.loc[line["from_bus"]], grid.buses.loc[line["to_bus"]]
        from_kv, to_kv = start["vn_kv"] * line["tap_ratio"], end["vn_kv"]
        is_from_high = start["vn_kv"] >= end["vn_kv"]
        sn_mva = line["rate_mw"] if np.isfinite(line["rate_mw"]) else grid.base_mva
        to_percent = 100 * sn_mva / grid.base_mva
        pp.create_transformer_from_parameters(
            net,
            hv_bus=int((start if is_from_high else end)["pp_index"]),
            lv_bus=int((end if is_from_high else start)["pp_index"]),
            sn_mva=sn_mva,
            vn_hv_kv=from_kv if is_from_high else to_kv,
            vn_lv_kv=to_kv if is_from_high else from_kv,
            vk_percent=float(np.hypot(line["r_pu"], line["x_pu"])) * to_percent * np.sign(line["x_pu"]),
            vkr_percent=line["r_pu"] * to_percent,
            pfe_kw=0.0,
            i0_percent=0.0,
            name=name,
            index=int(line["pp_index"]),
        )


def _add_sources(net: pandapowerNet, grid: Grid) -> None:
    """Add generators and weather-driven units at their set-points."""
    for name, row in grid.generators.iterrows():
        limits = {"min_p_mw": row["p_min_mw"], "max_p_mw": row["p_max_mw"]}
        _add_voltage_source(net, grid, str(name), row, limits)
    for name, row in grid.units.iterrows():
        limits = {"min_p_mw": 0.0, "max_p_mw": row["p_nom_mw"]}
        if np.isfinite(row.get("q_max_mvar", np.nan)):
            _add_voltage_source(net, grid, str(name), row, limits)
        else:
            bus = int(grid.buses.at[row["bus"], "pp_index"])
            p_mw = row.get("p_set_mw", 0.0)
            pp.create_sgen(net, bus, p_mw, name=name, type=row["technology"], controllable=True, **limits)


def _add_voltage_source(
    net: pandapowerNet, grid: Grid, name: str, row: pd.Series, limits: dict[str, float]
) -> None:
    """Add a unit that holds the voltage of its bus, within its reactive limits where they are known."""
    bus = grid.buses.loc[row["bus"]]
    reactive = {"min_q_mvar": row["q_min_mvar"], "max_q_mvar": row["q_max_mvar"]}
    known = {key: value for key, value in reactive.items() if np.isfinite(value)}
    p_mw, vm_pu = row.get("p_set_mw", 0.0), bus["vm_pu"]
    pp.create_gen(net, int(bus["pp_index"]), p_mw, vm_pu, name=name, controllable=True, **limits, **known)


def _add_links_and_storage(net: pandapowerNet, grid: Grid) -> None:
    """Add HVDC links at their set-points and storage at rest."""
    for name, row in grid.links.iterrows():
        start, end = grid.buses.loc[row["from_bus"]], grid.buses.loc[row["to_bus"]]
        pp.create_dcline(
            net,
            int(start["pp_index"]),
            int(end["pp_index"]),
            p_mw=row.get("p_set_mw", 0.0),
            loss_percent=0.0,
            loss_mw=0.0,
            vm_from_pu=start["vm_pu"],
            vm_to_pu=end["vm_pu"],
            max_p_mw=row["p_max_mw"],
            name=name,
        )
    for name, row in grid.storage.iterrows():
        bus = int(grid.buses.at[row["bus"], "pp_index"])
        pp.create_storage(net, bus, 0.0, max_e_mwh=row["e_max_mwh"], name=name)
