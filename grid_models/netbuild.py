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
        Buses and lines in the order of the tables; generators as `gen` at `p_set_mw`, those that do not hold
        voltage as `sgen`; weather-driven units as `sgen`, those that hold voltage (columns q_min_mvar,
        q_max_mvar known) as `gen`; links as `dcline` without losses; storage at rest. An `ext_grid` at the
        reference bus takes up the imbalance.
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
    index = buses["pp_index"].to_numpy()
    pp.create_buses(
        net,
        len(buses),
        buses["vn_kv"].to_numpy(),
        index=index,
        name=list(buses.index),
        zone=list(buses["area"]),
        geodata=list(zip(buses["longitude"], buses["latitude"], strict=True)),
    )
    loaded = buses[(buses["load_p_mw"] != 0) | (buses["load_q_mvar"] != 0)]
    if len(loaded):
        pp.create_loads(
            net,
            loaded["pp_index"].to_numpy(),
            p_mw=loaded["load_p_mw"].to_numpy(),
            q_mvar=loaded["load_q_mvar"].to_numpy(),
            name=[f"load_{bus}" for bus in loaded.index],
        )
    shunted = buses[buses["shunt_q_mvar"] != 0]
    if len(shunted):
        pp.create_shunts(
            net,
            shunted["pp_index"].to_numpy(),
            q_mvar=shunted["shunt_q_mvar"].to_numpy(),
            vn_kv=shunted["vn_kv"].to_numpy(),
            name=[f"shunt_{bus}" for bus in shunted.index],
        )
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
    converted from the base of the grid to that rating. A shift at the low side is the opposite one at the
    high side.
    """
    lines = grid.lines[grid.lines["kind"] == "trafo"]
    if lines.empty:
        return
    start, end = (grid.buses.loc[lines[column]] for column in ("from_bus", "to_bus"))
    start_kv, to_kv = start["vn_kv"].to_numpy(), end["vn_kv"].to_numpy()
    from_kv = start_kv * lines["tap_ratio"].to_numpy()
    is_from_high = start_kv >= to_kv
    rate = lines["rate_mw"].to_numpy()
    sn_mva = np.where(np.isfinite(rate), rate, grid.base_mva)
    r_pu, x_pu = lines["r_pu"].to_numpy(), lines["x_pu"].to_numpy()
    to_percent = 100 * sn_mva / grid.base_mva
    shift = lines["shift_degree"].to_numpy()
    at = start["pp_index"].to_numpy(), end["pp_index"].to_numpy()
    pp.create_transformers_from_parameters(
        net,
        hv_buses=np.where(is_from_high, *at),
        lv_buses=np.where(is_from_high, *at[::-1]),
        sn_mva=sn_mva,
        vn_hv_kv=np.where(is_from_high, from_kv, to_kv),
        vn_lv_kv=np.where(is_from_high, to_kv, from_kv),
        vk_percent=np.hypot(r_pu, x_pu) * to_percent * np.sign(x_pu),
        vkr_percent=r_pu * to_percent,
        pfe_kw=0.0,
        i0_percent=0.0,
        shift_degree=np.where(is_from_high, shift, -shift),
        name=list(lines.index),
        index=lines["pp_index"].to_numpy(),
    )


def _add_sources(net: pandapowerNet, grid: Grid) -> None:
    """Add generators and weather-driven units at their set-points.

    Units hold voltage where their reactive limits are known, generators where `holds_voltage` says so.
    """
    gens = grid.generators
    units = grid.units.assign(p_min_mw=0.0, p_max_mw=grid.units["p_nom_mw"])
    for column, default in (("p_set_mw", 0.0), ("q_min_mvar", np.nan), ("q_max_mvar", np.nan)):
        if column not in units:
            units[column] = default
    unit_holds = np.isfinite(units["q_max_mvar"].to_numpy(dtype=float))
    gen_holds = gens["holds_voltage"].to_numpy(dtype=bool)
    _add_voltage_sources(net, grid, gens[gen_holds])
    _add_voltage_sources(net, grid, units[unit_holds])
    _add_static_sources(net, grid, gens[~gen_holds])
    _add_static_sources(net, grid, units[~unit_holds])


def _add_voltage_sources(net: pandapowerNet, grid: Grid, table: pd.DataFrame) -> None:
    """Add sources that hold the voltage of their bus, within their reactive limits where they are known."""
    if table.empty:
        return
    buses = grid.buses.loc[table["bus"]]
    pp.create_gens(
        net,
        buses["pp_index"].to_numpy(),
        p_mw=table["p_set_mw"].to_numpy(dtype=float),
        vm_pu=buses["vm_pu"].to_numpy(),
        name=list(table.index),
        controllable=True,
        min_p_mw=table["p_min_mw"].to_numpy(dtype=float),
        max_p_mw=table["p_max_mw"].to_numpy(dtype=float),
        min_q_mvar=table["q_min_mvar"].to_numpy(dtype=float),
        max_q_mvar=table["q_max_mvar"].to_numpy(dtype=float),
    )


def _add_static_sources(net: pandapowerNet, grid: Grid, table: pd.DataFrame) -> None:
    """Add sources that do not hold voltage."""
    if table.empty:
        return
    pp.create_sgens(
        net,
        grid.buses.loc[table["bus"], "pp_index"].to_numpy(),
        p_mw=table["p_set_mw"].to_numpy(dtype=float),
        name=list(table.index),
        type=list(table["technology"]),
        controllable=True,
        min_p_mw=table["p_min_mw"].to_numpy(dtype=float),
        max_p_mw=table["p_max_mw"].to_numpy(dtype=float),
    )


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
