"""What is wrong with a grid: all findings at once, each with place, value and remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grid_models.linear import island_of
from grid_models.tables import (
    CURTAILMENT_TECHNOLOGIES,
    TABLES,
    TECHNOLOGIES,
    check_references,
    check_table,
)
from weather import Finding, Findings

if TYPE_CHECKING:
    from grid_models.grid import Grid

Tables = Mapping[str, pd.DataFrame]

# Widths of segments are sums of differences of outputs.
_WIDTH_TOLERANCE_MW = 1e-6
_COST_TOLERANCE = 1e-9
_N_NAMED_BUSES = 5


def validate_grid(grid: Grid) -> list[Finding]:
    """Return everything that is wrong with a grid.

    Parameters
    ----------
    grid : Grid
        Any grid; `make_grid` and `load_grid` have checked theirs already.

    Returns
    -------
    list of Finding
        Empty if the grid can be used.
    """
    findings = validate_tables(grid.tables())
    expected = (len(grid.lines), len(grid.buses))
    if grid.ptdf.shape != expected:
        findings.append(
            Finding("ptdf", f"shape {grid.ptdf.shape}, expected {expected} (line, bus)", "build it anew")
        )
    elif not np.isfinite(grid.ptdf).all():
        findings.append(Finding("ptdf", "holds values that are not finite", "check the lines' x_pu"))
    if not -12 <= grid.utc_offset_h <= 14:
        findings.append(Finding("utc_offset_h", f"{grid.utc_offset_h} h", "give it in [-12, 14]"))
    return findings


def assert_valid_grid(grid: Grid) -> None:
    """Raise `InputError` with all findings of `validate_grid`, if there are any."""
    Findings(validate_grid(grid)).raise_if_any(f"grid {grid.name!r}")


def validate_tables(tables: Tables) -> list[Finding]:
    """Return everything that is wrong with the tables of a grid (completed, see `tables.complete`)."""
    findings = []
    for name in TABLES:
        findings.extend(check_table(name, tables[name]))
    findings.extend(_check_all_references(tables))
    for check in _CROSS_CHECKS:
        findings.extend(check(tables))
    return findings


def _check_all_references(tables: Tables) -> list[Finding]:
    """Buses and generators that are named but do not exist."""
    buses = tables["buses"].index
    findings = []
    for name in ("lines", "links"):
        findings.extend(check_references(name, tables[name], ("from_bus", "to_bus"), buses, "buses"))
    for name in ("generators", "units", "storage"):
        findings.extend(check_references(name, tables[name], ("bus",), buses, "buses"))
    gens = tables["generators"].index
    return findings + check_references("segments", tables["segments"], ("gen",), gens, "generators")


def _rows_where(
    tables: Tables, name: str, columns: tuple[str, ...], bad: Callable[..., pd.Series], what: str, remedy: str
) -> list[Finding]:
    """Return a finding per row of a table for which `bad(*columns)` holds; `what` may name its columns."""
    table = tables[name]
    if not set(columns) <= set(table.columns) or table.empty:
        return []
    values = [table[c] if c in _TEXT else pd.to_numeric(table[c], errors="coerce") for c in columns]
    is_bad = np.asarray(bad(*values), dtype=bool)
    return [
        Finding(
            f"{name}: {table.index.name} {label!r}",
            what.format(**{c: row[c] for c in columns}),
            remedy,
        )
        for label, (_, row) in zip(table.index[is_bad], table[is_bad].iterrows(), strict=True)
    ]


_TEXT = frozenset(c.name for _, columns in TABLES.values() for c in columns if c.kind == "text")


def _check_buses(tables: Tables) -> list[Finding]:
    """There must be a bus, and lines must reach every bus from every other."""
    buses, lines = tables["buses"], tables["lines"]
    if buses.empty:
        return [Finding("buses", "the grid has none", "give it at least one bus")]
    if buses.index.has_duplicates or not {"from_bus", "to_bus"} <= set(lines.columns):
        return []
    start, end = buses.index.get_indexer(lines["from_bus"]), buses.index.get_indexer(lines["to_bus"])
    known = (start >= 0) & (end >= 0)
    island = island_of(start[known], end[known], len(buses))
    findings = []
    for number in range(1, int(island.max()) + 1):
        members = [repr(bus) for bus in buses.index[island == number]]
        named = ", ".join(members[:_N_NAMED_BUSES]) + (", ..." if len(members) > _N_NAMED_BUSES else "")
        findings.append(
            Finding(
                f"buses: {named}",
                f"{len(members)} bus(es) that no line connects to bus {buses.index[0]!r}",
                "add a line, leave the buses out or make them a grid of their own",
            )
        )
    return findings


def _check_lines(tables: Tables) -> list[Finding]:
    """Two ends, a reactance, ratings in order; only transformers change the voltage."""
    lte = "an emergency rating is not below the one it extends"
    findings = _rows_where(
        tables,
        "lines",
        ("from_bus", "to_bus"),
        lambda a, b: a == b,
        "begins and ends at bus {from_bus!r}",
        "connect two different buses",
    )
    findings += _rows_where(
        tables,
        "lines",
        ("x_pu",),
        lambda x: x == 0,
        "x_pu={x_pu} pu: must not be zero",
        "merge the two buses or give the reactance",
    )
    for higher, lower in (("rate_lte_mw", "rate_mw"), ("rate_ste_mw", "rate_lte_mw")):
        what = f"{higher}={{{higher}}} MW is below {lower}={{{lower}}} MW"
        findings += _rows_where(tables, "lines", (higher, lower), lambda h, low: h < low, what, lte)
    findings += _rows_where(
        tables,
        "lines",
        ("kind",),
        lambda k: ~k.isin(("line", "trafo")),
        "kind {kind!r} is unknown",
        "use 'line' or 'trafo'",
    )
    findings += _rows_where(
        tables,
        "lines",
        ("kind", "tap_ratio"),
        lambda k, t: (k == "line") & (t != 1),
        "a line with tap_ratio={tap_ratio}",
        "make it a 'trafo' or leave the ratio out",
    )
    findings += _rows_where(
        tables,
        "lines",
        ("kind", "b_charging_pu"),
        lambda k, b: (k == "trafo") & (b != 0),
        "a transformer with b_charging_pu={b_charging_pu} pu",
        "charging is modelled for lines only",
    )
    return findings + _check_voltage_levels(tables)


def _check_voltage_levels(tables: Tables) -> list[Finding]:
    """Lines connect buses of one voltage."""
    buses, lines = tables["buses"], tables["lines"]
    if not {"kind", "from_bus", "to_bus"} <= set(lines.columns) or "vn_kv" not in buses:
        return []
    voltage = pd.to_numeric(buses["vn_kv"], errors="coerce")[~buses.index.duplicated()].to_dict()
    return [
        Finding(
            f"lines: line {label!r}",
            f"connects {voltage[a]} kV and {voltage[b]} kV",
            "make it a 'trafo' or correct vn_kv",
        )
        for label, kind, a, b in zip(
            lines.index, lines["kind"], lines["from_bus"], lines["to_bus"], strict=True
        )
        if kind == "line" and abs(voltage.get(a, np.nan) - voltage.get(b, np.nan)) > 0
    ]


def _check_generators(tables: Tables) -> list[Finding]:
    """Limits in order; costs at minimum output only where that output is forced."""
    findings = _rows_where(
        tables,
        "generators",
        ("p_min_mw", "p_max_mw"),
        lambda low, high: low > high,
        "p_min_mw={p_min_mw} MW is above p_max_mw={p_max_mw} MW",
        "exchange or correct them",
    )
    findings += _rows_where(
        tables,
        "generators",
        ("p_min_mw", "must_run"),
        lambda low, must_run: (low < 0) & (must_run != 1),
        "p_min_mw={p_min_mw} MW is negative",
        "only what always runs (an interchange: must_run) may take power",
    )
    for column in ("no_load_cost_per_h", "no_load_co2_kg_per_h"):
        findings += _rows_where(
            tables,
            "generators",
            (column, "must_run", "committable"),
            lambda cost, must_run, committable: (cost != 0) & (must_run != 1) & (committable != 1),
            f"{column}={{{column}}} on a unit that may stand still",
            "spread it over its segments (lower convex envelope from zero)",
        )
    return findings


def _check_segments(tables: Tables) -> list[Finding]:
    """Segments fill what a generator can vary, cheapest first."""
    gens, segments = tables["generators"], tables["segments"]
    needed = {"p_min_mw", "p_max_mw", "must_run", "committable"}
    columns_there = needed <= set(gens.columns) and {"gen", "p_mw", "cost_per_mwh"} <= set(segments.columns)
    if not columns_there or gens.index.has_duplicates:
        return []
    findings = []
    rows = {name: part for name, part in segments.groupby("gen", sort=False)}
    for name, gen in gens.iterrows():
        part = rows.get(name, segments.iloc[:0])
        is_above_minimum = gen["must_run"] or gen["committable"]
        span = gen["p_max_mw"] - (gen["p_min_mw"] if is_above_minimum else 0.0)
        width = float(pd.to_numeric(part["p_mw"], errors="coerce").sum())
        if part.empty and span > _WIDTH_TOLERANCE_MW:
            what = f"has no cost segments, but can vary over {span:g} MW"
            findings.append(Finding(f"segments: gen {name!r}", what, "give its cost, 0 if it has none"))
        elif abs(width - span) > _WIDTH_TOLERANCE_MW:
            what = f"segments of {width:g} MW in all, but it can vary over {span:g} MW"
            remedy = "segments span p_min_mw to p_max_mw where must_run or committable, else 0 to p_max_mw"
            findings.append(Finding(f"segments: gen {name!r}", what, remedy))
        cost = pd.to_numeric(part["cost_per_mwh"], errors="coerce").to_numpy()
        if (np.diff(cost) < -_COST_TOLERANCE).any():
            what = f"cost_per_mwh {', '.join(f'{c:g}' for c in cost)} falls with output: not convex"
            findings.append(Finding(f"segments: gen {name!r}", what, "use the lower convex envelope"))
    return findings


def _check_units(tables: Tables) -> list[Finding]:
    """Technologies are known, and only wind, PV and mixes of them count as curtailment."""
    findings = _rows_where(
        tables,
        "units",
        ("technology",),
        lambda t: ~t.isin(TECHNOLOGIES),
        "technology {technology!r} is unknown",
        "use one of " + ", ".join(TECHNOLOGIES),
    )
    findings += _rows_where(
        tables,
        "units",
        ("technology", "counts_as_curtailment"),
        lambda t, c: (c == 1) & ~t.isin(CURTAILMENT_TECHNOLOGIES),
        "{technology!r} counts as curtailment",
        f"only {', '.join(CURTAILMENT_TECHNOLOGIES)} do; what others are held back is spill, reported apart",
    )
    findings += _rows_where(
        tables,
        "units",
        ("counts_as_curtailment", "dispatchable"),
        lambda c, d: (c == 1) & (d != 1),
        "counts as curtailment but cannot be held back",
        "set dispatchable, or counts_as_curtailment to false",
    )
    return findings + _check_weather_sites(tables)


def _check_weather_sites(tables: Tables) -> list[Finding]:
    """Units that share a weather site share its coordinates."""
    units = tables["units"]
    columns = ["latitude", "longitude", "altitude"]
    if not {"weather_site", *columns} <= set(units.columns):
        return []
    places = units[["weather_site", *columns]].drop_duplicates()
    count = places.groupby("weather_site", sort=False).size()
    return [
        Finding(
            f"units: weather_site {site!r}",
            f"units at {n} different places share it",
            "give each place a weather_site of its own",
        )
        for site, n in count[count > 1].items()
    ]


def _check_storage(tables: Tables) -> list[Finding]:
    """No storage starts fuller than full."""
    return _rows_where(
        tables,
        "storage",
        ("e_initial_mwh", "e_max_mwh"),
        lambda start, full: start > full,
        "e_initial_mwh={e_initial_mwh} MWh is above e_max_mwh={e_max_mwh} MWh",
        "start between empty and full",
    )


_CROSS_CHECKS: tuple[Callable[[Tables], list[Finding]], ...] = (
    _check_buses,
    _check_lines,
    _check_generators,
    _check_segments,
    _check_units,
    _check_storage,
)
