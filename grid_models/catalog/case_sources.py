"""What generates in a case: which sources are units, generators or storage, their limits, costs and CO2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from grid_models.catalog.case import Case, CaseOptions
from grid_models.catalog.case_costs import CostFunction, PiecewiseCost, PolynomialCost
from grid_models.catalog.fuels import UNIT_TECHNOLOGY, co2_of_fuel
from weather import Findings

#: Sources whose power is what the case says, in every step.
INJECTION = "injection"
#: External grids without limits.
INTERCHANGE = "interchange"

_N_NAMED = 5


def limited(gens: pd.DataFrame, options: CaseOptions, findings: Findings) -> pd.DataFrame:
    """Give generators whose case has no largest output the caller's, or report them."""
    gens = gens.copy()
    missing = []
    for gen in gens.index[gens["p_max_mw"].isna()]:
        limit = by_name_or_fuel(options.p_max_mw, str(gen), str(gens.at[gen, "fuel"]))
        if limit is None:
            missing.append(str(gen))
        else:
            gens.loc[gen, "p_max_mw"] = float(limit)
    if missing:
        what = f"{len(missing)} generators have no largest output: {_named(missing)}"
        findings.add("p_max_mw", what, "give p_max_mw= for all, or by fuel or name [MW]")
    return gens


def flagged(gens: pd.DataFrame, options: CaseOptions) -> pd.DataFrame:
    """Say which generators always run (also what is fixed or may draw) and which may be switched off."""
    named = {
        option: gens["fuel"].isin(list(chosen)) | gens.index.isin(list(chosen))
        for option, chosen in (("must_run", options.must_run), ("committable", options.committable))
    }
    must_run = named["must_run"] | (gens["p_min_mw"] < 0) | (gens["fuel"] == INJECTION)
    return gens.assign(
        must_run=must_run.to_numpy(dtype=bool),
        committable=(named["committable"] & ~must_run).to_numpy(dtype=bool),
    )


def costs_and_co2(
    case: Case, gens: pd.DataFrame, options: CaseOptions, findings: Findings, notes: list[str]
) -> tuple[dict[str, CostFunction], dict[str, float]]:
    """Return the cost function and the CO2 of each generator. [currency/h, kg/MWh].

    Costs are the file's, else the caller's; CO2 is the caller's, else that of the fuel. Generators without a
    cost are reported.
    """
    costs: dict[str, CostFunction] = {}
    co2: dict[str, float] = {}
    missing, untold = [], []
    for gen, fuel, p_max_mw in zip(gens.index, gens["fuel"], gens["p_max_mw"], strict=True):
        price = by_name_or_fuel(options.cost_per_mwh, gen, fuel)
        if gen in case.costs:
            costs[gen] = case.costs[gen]
        elif fuel == INTERCHANGE:
            costs[gen] = _interchange_cost(options)
        elif price is not None or fuel == INJECTION or p_max_mw == 0:
            costs[gen] = PolynomialCost((price or 0.0, 0.0))
        else:
            missing.append(gen)
        emission = by_name_or_fuel(options.co2_kg_per_mwh, gen, fuel)
        if emission is None:
            emission = options.import_co2_kg_per_mwh if fuel == INTERCHANGE else co2_of_fuel(fuel)
            untold += [gen] if fuel in ("unknown", "other") else []
        co2[gen] = emission
    if missing:
        what = f"{len(missing)} generators have no cost: {_named(missing)}"
        findings.add("cost_per_mwh", what, "give cost_per_mwh= for all, or by fuel or name")
    if untold:
        what = f"CO2 of {len(untold)} generators counts as zero: their fuel is not told"
        notes.append(f"{what} (co2_kg_per_mwh)")
    return costs, co2


def unit_table(
    sources: pd.DataFrame, case: Case, options: CaseOptions, notes: list[str]
) -> pd.DataFrame | None:
    """Return weather-driven units: sources that burn nothing, and those the case has beside them."""
    technology = sources["fuel"].map(UNIT_TECHNOLOGY).astype(object)
    idle = ~(sources["p_max_mw"] > 0)
    if idle.any():
        notes.append(f"{int(idle.sum())} wind, PV or hydro generators without any power are left out")
    own = pd.DataFrame(
        {
            "bus": sources["bus"],
            "technology": technology,
            "p_nom_mw": sources["p_max_mw"],
            "p_set_mw": sources["p_set_mw"].clip(lower=0.0),
            "q_min_mvar": sources["q_min_mvar"].where(sources["holds_voltage"]),
            "q_max_mvar": sources["q_max_mvar"].where(sources["holds_voltage"]),
            "offer_per_mwh": [
                _mean_price(case.costs.get(str(gen)), p) for gen, p in sources["p_max_mw"].items()
            ],
        }
    )[~idle]
    parts = [part for part in (own, case.units) if part is not None and len(part)]
    if not parts:
        return None
    units = pd.concat(parts)
    scale = units["technology"].map({"wind": options.wind_scale, "pv": options.pv_scale}).fillna(1.0)
    return units.assign(p_nom_mw=units["p_nom_mw"] * scale, p_set_mw=units["p_set_mw"] * scale)


def storage_table(sources: pd.DataFrame, options: CaseOptions) -> pd.DataFrame | None:
    """Return storage; where its energy is not told it lasts so many hours at full power."""
    if sources.empty:
        return None
    p_mw = np.maximum(sources["p_max_mw"], -sources["p_min_mw"]).astype(float)
    told = sources.get("e_max_mwh", pd.Series(np.nan, index=sources.index))
    start = sources.get("e_initial_mwh", pd.Series(0.0, index=sources.index))
    table = {
        "bus": sources["bus"],
        "technology": sources["technology"],
        "p_max_mw": p_mw,
        "e_max_mwh": told.astype(float).fillna(p_mw * options.storage_h),
        "e_initial_mwh": start.astype(float).fillna(0.0),
    }
    return pd.DataFrame(table)


def by_name_or_fuel(given: float | Mapping[str, float] | None, gen: str, fuel: str) -> float | None:
    """Return what is given for a generator, for its fuel or for all."""
    if given is None or not isinstance(given, Mapping):
        return given
    return given.get(gen, given.get(fuel))


def _interchange_cost(options: CaseOptions) -> PiecewiseCost:
    """Return the cost of power from outside, and what power to outside earns."""
    export, price = options.export_price_per_mwh, options.import_price_per_mwh
    return PiecewiseCost((-1.0, 0.0, 1.0), (-export, 0.0, price))


def _mean_price(cost: CostFunction | None, p_max_mw: float) -> float:
    """Return the mean marginal cost of a unit over its range. [currency/MWh]."""
    if cost is None or not p_max_mw > 0:
        return 0.0
    p_mw, per_h = cost.points(0.0, p_max_mw, 1)
    return float((per_h[-1] - per_h[0]) / (p_mw[-1] - p_mw[0]))


def _named(names: Sequence[str]) -> str:
    """Name the first few."""
    return ", ".join(names[:_N_NAMED]) + (", ..." if len(names) > _N_NAMED else "")
