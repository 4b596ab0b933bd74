"""From a case and what the caller adds to a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from grid_models.attach import attach, renewable_units
from grid_models.catalog.case import Case, CaseOptions
from grid_models.catalog.case_costs import segment_tables
from grid_models.catalog.case_series import CaseSeries
from grid_models.catalog.case_sources import costs_and_co2, flagged, limited, storage_table, unit_table
from grid_models.catalog.fuels import UNIT_TECHNOLOGY
from grid_models.grid import Grid, connected, make_grid
from grid_models.linear import island_of
from grid_models.places import altitude
from grid_models.tables import complete
from grid_models.tabular import read_rows
from weather import Findings


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
    gens = flagged(limited(sources[~is_unit & ~is_storage], options, findings), options)
    costs, co2 = costs_and_co2(case, gens, options, findings, notes)
    findings.raise_if_any(f"options of case {case.name!r}")
    generators, segments = segment_tables(
        gens, costs, co2, n_segments=options.n_cost_segments, no_load_cost=options.no_load_cost
    )
    units = unit_table(sources[is_unit], case, options, notes)
    grid = make_grid(
        name=options.name or case.name,
        buses=buses,
        lines=_rated(case, options),
        links=case.links if options.hvdc and len(case.links) else None,
        generators=generators.drop(columns="in_service"),
        segments=segments,
        units=units,
        storage=storage_table(sources[is_storage], options),
        series=case.series or _nominal(buses, units, options),
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


def _nominal(buses: pd.DataFrame, units: pd.DataFrame | None, options: CaseOptions) -> CaseSeries:
    """Return the series of a case that has none: nominal load, hydro at its output in the case."""
    constant: dict[str, float] = {}
    if units is not None:
        constant = units.loc[units["technology"] == "hydro", "p_set_mw"].to_dict()
    return CaseSeries(buses["load_p_mw"].to_dict(), options.load_profile, constant)


def _rated(case: Case, options: CaseOptions) -> pd.DataFrame:
    """Return the lines with ratings where the case has none, all multiplied by the factor."""
    lines = complete("lines", case.lines)
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
