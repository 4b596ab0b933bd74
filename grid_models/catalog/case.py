"""Grids of cases: what all sources without places, fuels or series of their own have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from grid_models.attach import attach, renewable_units
from grid_models.catalog.case_costs import CostFunction, PolynomialCost, segment_tables
from grid_models.catalog.case_series import CaseSeries
from grid_models.catalog.fuels import UNIT_TECHNOLOGY, co2_of_fuel
from grid_models.grid import Grid, connected, make_grid
from grid_models.linear import island_of
from grid_models.places import Footprint, altitude
from grid_models.tabular import Table, read_rows
from weather import Findings


@dataclass(frozen=True)
class CaseOptions:
    """What can be said about any case beyond what its file says.

    Attributes
    ----------
    name : str, optional
        Name in results. Default: the case's.
    must_run, committable : sequence of str
        Fuels or names of generators that always run, at least at their minimum; that may be switched off and
        run at their minimum or above (for unit commitment). All others may stand still or run at any output.
    cost_per_mwh : float or mapping of str to float, optional
        Marginal cost of generators for which the case has none: of all, or by fuel or generator.
        [currency/MWh]
    co2_kg_per_mwh : float or mapping of str to float, optional
        CO2 of all generators, or by fuel or generator. Default, also for what a mapping leaves out: the
        factor of the fuel; zero where the case does not tell the fuel. [kg/MWh]
    no_load_cost : bool
        Whether what a generator costs at no output counts; optimal power flows without commitment leave it
        out, because it is a constant there.
    n_cost_segments : int
        Straight pieces a polynomial cost is divided into, exact at their ends.
    currency : str, optional
        Of all costs. Default: the source's.
    line_rating_factor : float
        Multiplies all ratings of lines and transformers.
    rate_mw : float or mapping of str to float, optional
        Rating of lines and transformers for which the case has none: of all, or by the higher nominal
        voltage at their ends (written as text: ``{"138": 175, "345": 500}``). Default: no limit. [MW]
    latitude, longitude : float, optional
        Place of all buses without one. Default: the footprint of the ready-made case. [degree]
    coordinates : table, optional
        Places of single buses: columns bus, latitude, longitude. [degree]
    utc_offset_h : float, optional
        Clock of the grid. Default: the footprint's. [h]
    wind_scale, pv_scale : float
        Multiply the capacity of the case's wind and PV.
    hvdc : bool
        Whether DC lines take part.
    islands : {'refuse', 'leave_out'}
        What to do with buses that no line in service connects to the reference.
    out_of_service : {'leave_out', 'use'}
        What to do with generators that are out of service in the case's hour.
    storage_h : float
        Hours at full power of storage whose energy the case does not say. [h]
    renewables : mapping of str to float, optional
        Capacity of 'wind' and 'pv' to place, as shares of the nominal load (`renewable_units`).
    renewable_buses : int or sequence of str
        Where: so many of the buses with the largest load, or these.
    units, load, available : table, optional
        See `attach`.
    load_profile : pandas.Series, optional
        Factor on the nominal loads over a tz-aware axis. Default: constant nominal load. [1]
    connection_limit_mw : mapping of str to float
        See `make_grid`. [MW]
    """

    name: str | None = None
    must_run: Sequence[str] = ()
    committable: Sequence[str] = ()
    cost_per_mwh: float | Mapping[str, float] | None = None
    co2_kg_per_mwh: float | Mapping[str, float] | None = None
    no_load_cost: bool = True
    n_cost_segments: int = 5
    currency: str | None = None
    line_rating_factor: float = 1.0
    rate_mw: float | Mapping[str, float] | None = None
    latitude: float | None = None
    longitude: float | None = None
    coordinates: Table | None = None
    utc_offset_h: float | None = None
    wind_scale: float = 1.0
    pv_scale: float = 1.0
    hvdc: bool = True
    islands: Literal["refuse", "leave_out"] = "refuse"
    out_of_service: Literal["leave_out", "use"] = "leave_out"
    storage_h: float = 4.0
    renewables: Mapping[str, float] | None = None
    renewable_buses: int | Sequence[str] = 10
    units: Table | None = None
    load: Table | None = None
    available: Table | None = None
    load_profile: pd.Series | None = None
    connection_limit_mw: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """What a file says of a network, in the columns of `grid_models.tables`.

    Attributes
    ----------
    name, currency, reference_bus : str
        As in `Grid`; the reference is in service.
    base_mva, f_hz : float
        As in `Grid`.
    buses : pandas.DataFrame
        load_p_mw may be negative: such a load is a fixed injection. latitude and longitude may be absent.
    lines, links : pandas.DataFrame
        rate_mw is infinite where the file has no rating.
    sources : pandas.DataFrame
        Everything that generates, with `fuel`, `in_service` and limits. [MW]
    costs : mapping of str to CostFunction
        Cost of the sources for which the file has one.
    place : Footprint or None
        Where the case is meant to be.
    notes : tuple of str
        What was left out or assumed in reading.
    """

    name: str
    currency: str
    reference_bus: str
    base_mva: float
    f_hz: float
    buses: pd.DataFrame
    lines: pd.DataFrame
    links: pd.DataFrame
    sources: pd.DataFrame
    costs: Mapping[str, CostFunction]
    place: Footprint | None = None
    notes: tuple[str, ...] = ()


def build_case(case: Case, options: CaseOptions) -> Grid:
    """Build the grid of a case.

    Generators whose fuel is wind, PV or hydro become weather-driven units, storage is listed, and everything
    else generates at its cost. What may draw power (p_min_mw < 0) always runs.

    Parameters
    ----------
    case : Case
        What the file says.
    options : CaseOptions
        What the caller adds.

    Returns
    -------
    Grid
        Checked.
    """
    notes = list(case.notes)
    case = _in_service(case, options, notes)
    findings = Findings()
    _check_options(case, options, findings)
    buses, injections = _split_loads(_placed(case, options, findings))
    sources = pd.concat([case.sources, injections]) if len(injections) else case.sources
    is_unit, is_storage = sources["fuel"].isin(list(UNIT_TECHNOLOGY)), sources["fuel"] == "storage"
    gens = _flags(sources[~is_unit & ~is_storage].copy(), options)
    costs = _costs(case, gens, options, findings)
    co2 = _co2(gens, options, notes)
    findings.raise_if_any(f"options of case {case.name!r}")
    generators, segments = segment_tables(
        gens, costs, co2, n_segments=options.n_cost_segments, no_load_cost=options.no_load_cost
    )
    units = _units(sources[is_unit], case.costs, options, notes)
    hydro = units.index[units["technology"] == "hydro"]
    grid = make_grid(
        name=options.name or case.name,
        buses=buses,
        lines=_rated(case, options),
        links=case.links if options.hvdc and len(case.links) else None,
        generators=generators.drop(columns="in_service"),
        segments=segments,
        units=units if len(units) else None,
        storage=_storage(sources[is_storage], options),
        series=CaseSeries(
            buses["load_p_mw"].to_dict(), options.load_profile, units.loc[hydro, "p_set_mw"].to_dict()
        ),
        currency=options.currency or case.currency,
        utc_offset_h=_clock(case, options),
        base_mva=case.base_mva,
        f_hz=case.f_hz,
        reference_bus=case.reference_bus,
        notes=notes,
    )
    return _attached(grid, options)


def _in_service(case: Case, options: CaseOptions, notes: list[str]) -> Case:
    """Leave out generators out of service and, if wanted, islands."""
    sources, off = case.sources, ~case.sources["in_service"]
    if off.any() and options.out_of_service == "leave_out":
        p_mw = sources.loc[off, "p_max_mw"].sum()
        notes.append(f"{off.sum()} generators ({p_mw:.0f} MW) are out of service in the case and left out")
        sources = sources[~off]
    if options.islands == "leave_out":
        case = _main_island(case, notes)
    return replace(
        case, sources=sources[sources["bus"].isin(case.buses.index) | (options.islands == "refuse")]
    )


def _main_island(case: Case, notes: list[str]) -> Case:
    """Leave out buses that no line connects to the reference, and what stands there."""
    buses = case.buses.index
    start, end = (buses.get_indexer(case.lines[c]) for c in ("from_bus", "to_bus"))
    known = (start >= 0) & (end >= 0)
    island = island_of(start[known], end[known], len(buses))
    kept = buses[island == island[buses.get_loc(case.reference_bus)]]
    if len(kept) == len(buses):
        return case
    notes.append(f"{len(buses) - len(kept)} buses without a line to bus {case.reference_bus!r} are left out")
    lines, links = (
        table[table["from_bus"].isin(kept) & table["to_bus"].isin(kept)] if len(table) else table
        for table in (case.lines, case.links)
    )
    return replace(case, buses=case.buses.loc[kept], lines=lines, links=links)


def _check_options(case: Case, options: CaseOptions, findings: Findings) -> None:
    """Report options without a meaning."""
    known = sorted({*case.sources["fuel"], *case.sources.index})
    for option in ("must_run", "committable"):
        chosen = getattr(options, option)
        if isinstance(chosen, str):
            findings.add(option, f"{chosen!r} is text, expected a list", f"write [{chosen}]")
            continue
        fuels = ", ".join(sorted(set(case.sources["fuel"])))
        for name in chosen:
            if name not in known:
                findings.add(
                    f"{option}: {name!r}", "is no fuel and no generator of the case", f"fuels: {fuels}"
                )
    if options.n_cost_segments < 1:
        findings.add("n_cost_segments", f"{options.n_cost_segments}: expected at least 1")
    for option in ("line_rating_factor", "wind_scale", "pv_scale", "storage_h"):
        value = getattr(options, option)
        if not (np.isfinite(value) and value > 0):
            findings.add(option, f"{value}: expected a number above 0", "1 is the source as it is")
    for option, valid in (("islands", ("refuse", "leave_out")), ("out_of_service", ("leave_out", "use"))):
        if getattr(options, option) not in valid:
            findings.add(option, f"{getattr(options, option)!r} is unknown", "use one of " + ", ".join(valid))


def _placed(case: Case, options: CaseOptions, findings: Findings) -> pd.DataFrame:
    """Return the buses with coordinates: given ones, the file's, those of the options, the footprint's."""
    buses = case.buses.copy()
    general = {
        "latitude": options.latitude
        if options.latitude is not None
        else getattr(case.place, "latitude", None),
        "longitude": options.longitude
        if options.longitude is not None
        else getattr(case.place, "longitude", None),
    }
    given = None if options.coordinates is None else read_rows(options.coordinates, "bus", "coordinates")
    for column, value in general.items():
        known = buses[column] if column in buses else pd.Series(np.nan, index=buses.index)
        if given is not None and column in given:
            for bus in given.index.difference(buses.index):
                findings.add(f"coordinates: bus {bus!r}", "is no bus of the case", "leave it out")
            known = given[column].reindex(buses.index).fillna(known)
        buses[column] = known if value is None else known.fillna(value)
        if buses[column].isna().any():
            what = f"{int(buses[column].isna().sum())} of {len(buses)} buses have none"
            findings.add(column, what, f"give {column}= for all, or coordinates= for each")
    if not buses[["latitude", "longitude"]].isna().to_numpy().any():
        buses["altitude"] = altitude(buses)
    return buses


def _clock(case: Case, options: CaseOptions) -> float:
    """Return the clock of the grid: given, the footprint's, or UTC. [h]."""
    if options.utc_offset_h is not None:
        return options.utc_offset_h
    return case.place.utc_offset_h if case.place is not None else 0.0


def _split_loads(buses: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn negative loads into generators of fixed output."""
    negative = buses[buses["load_p_mw"] < 0]
    output = -negative["load_p_mw"]
    table = {"bus": negative.index, "p_min_mw": output, "p_max_mw": output, "p_set_mw": output}
    injections = pd.DataFrame(table).assign(
        fuel="injection",
        technology="injection",
        in_service=True,
        holds_voltage=False,
        start_cost=0.0,
        ramp_mw_per_h=np.inf,
    )
    injections.index = pd.Index([f"injection_{bus}" for bus in negative.index], dtype=object)
    return buses.assign(load_p_mw=buses["load_p_mw"].clip(lower=0.0)), injections


def _flags(gens: pd.DataFrame, options: CaseOptions) -> pd.DataFrame:
    """Say which generators always run and which may be switched off."""
    named = {
        option: gens["fuel"].isin(list(chosen)) | gens.index.isin(list(chosen))
        for option, chosen in (("must_run", options.must_run), ("committable", options.committable))
    }
    draws, is_fixed = gens["p_min_mw"] < 0, gens["fuel"] == "injection"
    gens["must_run"] = (named["must_run"] | draws | is_fixed).to_numpy(dtype=bool)
    gens["committable"] = (named["committable"] & ~gens["must_run"]).to_numpy(dtype=bool)
    return gens


def _costs(
    case: Case, gens: pd.DataFrame, options: CaseOptions, findings: Findings
) -> dict[str, CostFunction]:
    """Return the cost of each generator: the file's, else the caller's."""
    costs: dict[str, CostFunction] = {}
    missing = []
    for gen, fuel, p_max in zip(gens.index, gens["fuel"], gens["p_max_mw"], strict=True):
        price = _by_name_or_fuel(options.cost_per_mwh, gen, fuel)
        if gen in case.costs:
            costs[gen] = case.costs[gen]
        elif price is not None or fuel == "injection" or p_max == 0:
            costs[gen] = PolynomialCost((price or 0.0, 0.0))
        else:
            missing.append(gen)
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        findings.add("cost_per_mwh", f"{len(missing)} generators have no cost: {named}", "give cost_per_mwh=")
    return costs


def _co2(gens: pd.DataFrame, options: CaseOptions, notes: list[str]) -> dict[str, float]:
    """Return the CO2 of each generator: the caller's, else that of its fuel. [kg/MWh]."""
    result, untold = {}, []
    for gen, fuel in zip(gens.index, gens["fuel"], strict=True):
        given = _by_name_or_fuel(options.co2_kg_per_mwh, gen, fuel)
        result[gen] = co2_of_fuel(fuel) if given is None else given
        if given is None and fuel in ("unknown", "other"):
            untold.append(gen)
    if untold:
        notes.append(
            f"CO2 of {len(untold)} generators counts as zero: their fuel is not told (co2_kg_per_mwh)"
        )
    return result


def _by_name_or_fuel(given: float | Mapping[str, float] | None, gen: str, fuel: str) -> float | None:
    """Return what is given for a generator, for its fuel or for all."""
    if given is None or not isinstance(given, Mapping):
        return given
    return given.get(gen, given.get(fuel))


def _units(
    sources: pd.DataFrame, costs: Mapping[str, CostFunction], options: CaseOptions, notes: list[str]
) -> pd.DataFrame:
    """Return generators that burn nothing as weather-driven units."""
    technology = sources["fuel"].map(UNIT_TECHNOLOGY)
    scale = technology.map({"wind": options.wind_scale, "pv": options.pv_scale}).fillna(1.0)
    idle = sources["p_max_mw"] <= 0
    if idle.any():
        notes.append(f"{int(idle.sum())} wind, PV or hydro generators without any power are left out")
    units = pd.DataFrame(
        {
            "bus": sources["bus"],
            "technology": technology.astype(object),
            "p_nom_mw": sources["p_max_mw"] * scale,
            "p_set_mw": sources["p_set_mw"].clip(lower=0.0) * scale,
            "q_min_mvar": sources["q_min_mvar"],
            "q_max_mvar": sources["q_max_mvar"],
            "offer_per_mwh": [_price_at_half(costs.get(gen), p) for gen, p in sources["p_max_mw"].items()],
        }
    )
    return units[~idle]


def _price_at_half(cost: CostFunction | None, p_max_mw: float) -> float:
    """Return the marginal cost of a unit in the middle of its range. [currency/MWh]."""
    if cost is None or p_max_mw <= 0:
        return 0.0
    p_mw, per_h = cost.points(0.0, p_max_mw, 1)
    return float((per_h[-1] - per_h[0]) / (p_mw[-1] - p_mw[0]))


def _storage(sources: pd.DataFrame, options: CaseOptions) -> pd.DataFrame | None:
    """Return storage with so many hours at full power."""
    if sources.empty:
        return None
    p_mw = np.maximum(sources["p_max_mw"], -sources["p_min_mw"])
    return pd.DataFrame(
        {
            "bus": sources["bus"],
            "technology": sources["technology"],
            "p_max_mw": p_mw,
            "e_max_mwh": p_mw * options.storage_h,
        }
    )


def _rated(case: Case, options: CaseOptions) -> pd.DataFrame:
    """Return the lines with ratings where the case has none, all multiplied by the factor."""
    lines = case.lines.copy()
    if options.rate_mw is not None:
        if isinstance(options.rate_mw, Mapping):
            vn_kv = case.buses["vn_kv"]
            higher = np.fmax(lines["from_bus"].map(vn_kv), lines["to_bus"].map(vn_kv))
            rate = pd.Series([f"{kv:g}" for kv in higher], index=lines.index).map(dict(options.rate_mw))
            rate = rate.astype(float).fillna(np.inf)
        else:
            rate = pd.Series(float(options.rate_mw), index=lines.index)
        for column in ("rate_mw", "rate_lte_mw", "rate_ste_mw"):
            lines[column] = lines[column].where(np.isfinite(lines["rate_mw"]), rate)
    for column in ("rate_mw", "rate_lte_mw", "rate_ste_mw"):
        lines[column] = lines[column] * options.line_rating_factor
    return lines


def _attached(grid: Grid, options: CaseOptions) -> Grid:
    """Attach what the caller gives beyond the case."""
    if options.renewables:
        rows = renewable_units(grid, options.renewables, options.renewable_buses)
        grid = attach(grid, units=rows)
    if options.units is not None:
        grid = attach(grid, units=options.units)
    if options.load is not None or options.available is not None:
        grid = attach(grid, load=options.load, available=options.available)
    return connected(grid, options.connection_limit_mw) if options.connection_limit_mw else grid
