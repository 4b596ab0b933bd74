"""What generates in a pandapower net: generators, units, storage, links, interchanges, and their costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grid_models.catalog.case_costs import CostFunction, PiecewiseCost, PolynomialCost
from grid_models.catalog.pandapower_net import Network

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

#: Fuel of generators by the types people write, in lower case.
FUEL_OF_TYPE: Mapping[str, str] = {
    "pv": "pv",
    "solar": "pv",
    "wp": "wind",
    "wind": "wind",
    "wind onshore": "wind",
    "wind offshore": "wind",
    "wka": "wind",
    "hydro": "hydro",
    "run of river": "hydro",
    "biomass": "biomass",
    "chp": "gas",
    "gas": "gas",
    "coal": "coal",
    "hard coal": "coal",
    "lignite": "lignite",
    "nuclear": "nuclear",
    "oil": "oil",
    "waste": "waste",
}


def sources_of(net: pandapowerNet, network: Network) -> pd.DataFrame:
    """Everything that generates, by name ``<element>_<index>``.

    Parameters
    ----------
    net : pandapowerNet
        The net.
    network : Network
        Its buses.

    Returns
    -------
    pandas.DataFrame
        As `Case.sources` wants them. An external grid without limits is an 'interchange' that can take or
        give what the branches at its bus can carry; static generation without limits, costs or a known type
        is an 'injection' of fixed power. Limits that are not told are NaN.
    """
    tables = [_ext_grids(net, network), _gens(net, network), _sgens(net, network), _storage(net, network)]
    table = pd.concat([part for part in tables if len(part)])
    return table[table["bus"].notna()]


def costs_of(net: pandapowerNet) -> dict[str, CostFunction]:
    """Costs of the net's elements, by name ``<element>_<index>``; reactive costs are not used."""
    costs: dict[str, CostFunction] = {}
    for row in net.poly_cost.itertuples():
        coefficients = (row.cp2_eur_per_mw2, row.cp1_eur_per_mw, row.cp0_eur)
        costs[f"{row.et}_{row.element}"] = PolynomialCost(tuple(float(c) for c in coefficients))
    for row in net.pwl_cost.itertuples():
        if getattr(row, "power_type", "p") != "p":
            continue
        pieces = [tuple(map(float, piece)) for piece in row.points]
        p_mw = [pieces[0][0], *(piece[1] for piece in pieces)]
        cost = np.concatenate([[0.0], np.cumsum([(high - low) * c for low, high, c in pieces])])
        costs[f"{row.et}_{row.element}"] = PiecewiseCost(tuple(p_mw), tuple(cost.tolist()))
    return costs


def links_of(net: pandapowerNet, network: Network, notes: list[str]) -> pd.DataFrame:
    """DC lines, without their losses."""
    dcline = net.dcline[net.dcline["in_service"]]
    limit = pd.to_numeric(dcline.get("max_p_mw", pd.Series(dtype=float)), errors="coerce")
    power = dcline["p_mw"].astype(float)
    if len(dcline) and ((dcline["loss_percent"] != 0) | (dcline["loss_mw"] != 0)).any():
        notes.append("losses of DC lines are left out")
    if limit.isna().any():
        notes.append(f"{int(limit.isna().sum())} DC lines have no limit: they carry at most their set-point")
    table = {
        "from_bus": dcline["from_bus"].map(network.bus_name),
        "to_bus": dcline["to_bus"].map(network.bus_name),
        "p_max_mw": limit.fillna(power.abs()),
        "p_set_mw": power,
    }
    return (
        pd.DataFrame(table)
        .set_axis([f"dcline_{i}" for i in dcline.index])
        .dropna(subset=["from_bus", "to_bus"])
    )


def capacity_at(lines: pd.DataFrame, bus: str) -> float:
    """What the branches at a bus can carry together; not a number where one has no rating. [MW]."""
    here = (lines["from_bus"] == bus) | (lines["to_bus"] == bus)
    total = float(lines.loc[here, "rate_mw"].sum())
    return total if here.any() and np.isfinite(total) else float("nan")


def _column(table: pd.DataFrame, name: str, default: float = np.nan) -> pd.Series:
    """Return a column as numbers, the default where it or a value is missing."""
    if name not in table:
        return pd.Series(default, index=table.index, dtype=float)
    return pd.to_numeric(table[name], errors="coerce").fillna(default).astype(float)


def _fuel(table: pd.DataFrame, default: str) -> pd.Series:
    """Return fuels from the column `type`."""
    if "type" not in table:
        return pd.Series(default, index=table.index, dtype=object)
    known = table["type"].astype(str).str.lower().str.removesuffix("_mv")
    return known.map(FUEL_OF_TYPE).fillna(default)


def _frame(element: str, table: pd.DataFrame, network: Network, **columns: object) -> pd.DataFrame:
    """Return the table of an element in the columns of sources."""
    common = {
        "bus": table["bus"].map(network.bus_name),
        "q_min_mvar": _column(table, "min_q_mvar"),
        "q_max_mvar": _column(table, "max_q_mvar"),
        "in_service": table["in_service"].astype(bool),
        "start_cost": 0.0,
        "ramp_mw_per_h": np.inf,
    }
    frame = pd.DataFrame({**common, **columns}, index=table.index)
    return frame.set_axis([f"{element}_{index}" for index in table.index])


def _ext_grids(net: pandapowerNet, network: Network) -> pd.DataFrame:
    """Return external grids: with limits generators, without interchanges."""
    table = net.ext_grid
    low, high = _column(table, "min_p_mw"), _column(table, "max_p_mw")
    is_open = high.isna()
    capacity = pd.Series(
        [capacity_at(network.lines, str(bus)) for bus in table["bus"].map(network.bus_name)],
        index=table.index,
        dtype=float,
    ).fillna(_largest(network))
    return _frame(
        "ext_grid",
        table,
        network,
        fuel=np.where(is_open, "interchange", "unknown"),
        technology="interchange",
        p_min_mw=low.where(~low.isna(), -capacity.where(is_open, 0.0)),
        p_max_mw=high.fillna(capacity),
        p_set_mw=0.0,
        holds_voltage=True,
    )


def _largest(network: Network) -> float:
    """Return more than a grid of unrated branches can exchange: twice its nominal load. [MW]."""
    return 2.0 * float(network.buses["load_p_mw"].abs().sum())


def _gens(net: pandapowerNet, network: Network) -> pd.DataFrame:
    """Return generators that hold voltage."""
    table = net.gen
    power = _column(table, "p_mw", 0.0) * _column(table, "scaling", 1.0)
    fuel = _fuel(table, "unknown")
    return _frame(
        "gen",
        table,
        network,
        fuel=fuel,
        technology=fuel,
        p_min_mw=_column(table, "min_p_mw", 0.0),
        p_max_mw=_column(table, "max_p_mw"),
        p_set_mw=power,
        holds_voltage=True,
    )


def _sgens(net: pandapowerNet, network: Network) -> pd.DataFrame:
    """Return static generation: units, generators where limits are known, else fixed injections."""
    table = net.sgen
    power = _column(table, "p_mw", 0.0) * _column(table, "scaling", 1.0)
    high = _column(table, "max_p_mw")
    has_cost = pd.Series([f"sgen_{i}" for i in table.index], index=table.index).isin(list(costs_of(net)))
    fuel = _fuel(table, "unknown")
    is_fixed = (fuel == "unknown") & (high.isna() | ~has_cost)
    p_max = high.where(~is_fixed, power).fillna(power)
    return _frame(
        "sgen",
        table,
        network,
        fuel=fuel.where(~is_fixed, "injection"),
        technology=fuel.where(~is_fixed, "injection"),
        p_min_mw=_column(table, "min_p_mw", 0.0).where(~is_fixed, power),
        p_max_mw=p_max,
        p_set_mw=power,
        holds_voltage=False,
        q_min_mvar=np.nan,
        q_max_mvar=np.nan,
    )


def _storage(net: pandapowerNet, network: Network) -> pd.DataFrame:
    """Return storage; what it draws is positive in the net."""
    table = net.storage
    set_point = _column(table, "p_mw", 0.0).abs()
    limit = np.fmax(_column(table, "max_p_mw").abs(), _column(table, "min_p_mw").abs())
    p_mw = pd.Series(limit, index=table.index).fillna(_column(table, "sn_mva")).fillna(set_point)
    return _frame(
        "storage",
        table,
        network,
        fuel="storage",
        technology="storage",
        p_min_mw=-p_mw,
        p_max_mw=p_mw,
        p_set_mw=0.0,
        holds_voltage=False,
        e_max_mwh=_column(table, "max_e_mwh"),
        e_initial_mwh=_column(table, "max_e_mwh") * _column(table, "soc_percent", 0.0) / 100.0,
    )
