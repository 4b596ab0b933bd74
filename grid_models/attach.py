"""Renewable units and series of load and available power, attached to a grid from tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.grid import Grid, Series, SeriesSource, with_unit_defaults
from grid_models.places import altitude
from grid_models.tables import TABLES, as_declared, complete
from grid_models.tabular import SeriesTable, Table, read_rows, read_series
from grid_models.validation import validate_tables
from weather import Finding, Findings, InputError

#: Rounding allowed above the nominal power of a unit, relative.
_P_NOM_TOLERANCE = 1e-6
_RENEWABLES = ("wind", "pv")


@dataclass(frozen=True)
class AttachedSeries:
    """Series from tables; what they do not hold comes from the grid they are attached to.

    Attributes
    ----------
    load_table : SeriesTable or None
        Load of buses. Buses it does not name draw nothing. [MW]
    available_table : SeriesTable or None
        Available power of units. [MW]
    base : SeriesSource or None
        Series the grid had before.
    """

    load_table: SeriesTable | None = None
    available_table: SeriesTable | None = None
    base: SeriesSource | None = None

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """Instants between which all series are known; None: at any time."""
        known = [t.span for t in (self.load_table, self.available_table) if t is not None]
        base = getattr(self.base, "span", None)
        known += [base] if base is not None else []
        return (max(start for start, _ in known), min(end for _, end in known)) if known else None

    def load(self, time: pd.DatetimeIndex, buses: Sequence[str], series: Series) -> FloatArray:
        """Mean load per step and bus. [MW]."""
        if self.load_table is None:
            return _known(self.base, "load").load(time, buses, series)
        load = np.zeros((len(time), len(buses)))
        here = [j for j, bus in enumerate(buses) if bus in self.load_table.names]
        load[:, here] = self.load_table.means(time, [buses[j] for j in here])
        return load

    def available(self, time: pd.DatetimeIndex, units: Sequence[str], series: Series) -> FloatArray:
        """Mean available power per step and unit. [MW]."""
        table = self.available_table
        here = [j for j, unit in enumerate(units) if table is not None and unit in table.names]
        others = [j for j in range(len(units)) if j not in set(here)]
        power = np.empty((len(time), len(units)))
        if here and table is not None:
            power[:, here] = table.means(time, [units[j] for j in here])
        if others:
            names = [units[j] for j in others]
            power[:, others] = _known(self.base, ", ".join(names)).available(time, names, series)
        return power


def attach(
    grid: Grid, *, units: Table | None = None, load: Table | None = None, available: Table | None = None
) -> Grid:
    """Attach weather-driven units and series to a grid.

    Parameters
    ----------
    grid : Grid
        Any grid; it stays as it is.
    units : table, optional
        New units: columns unit, bus, technology and p_nom_mw [MW]; optional latitude, longitude [degree],
        altitude [m], weather_site, offer_per_mwh and parameters of the plant. A DataFrame, a list of rows, or
        a CSV or Parquet file.
    load : table, optional
        Load of buses that replaces the grid's own: column time (left labels with a zone, regular), one
        column per bus [MW]. Buses without a column draw nothing. A single column 'factor' multiplies the
        nominal load of every bus instead [1].
    available : table, optional
        Available power of units, of the grid or new: column time as above, one column per unit [MW].

    Returns
    -------
    Grid
        With the units after those it had, and with these series before its own.

    Raises
    ------
    InputError
        With everything that is wrong with the tables.

    Examples
    --------
    >>> from grid_models import load_grid
    >>> rows = [{"unit": "farm", "bus": "101", "technology": "wind", "p_nom_mw": 50.0}]
    >>> attach(load_grid("rts_gmlc"), units=rows).units.loc["farm", "weather_site"]
    '101'
    """
    findings = Findings()
    tables = grid.tables()
    if units is not None:
        tables["units"] = _with_units(grid, read_rows(units, "unit", "units"), findings)
        findings.extend(validate_tables(tables))
        findings.raise_if_any(f"units attached to grid {grid.name!r}")
        tables["units"] = as_declared("units", tables["units"])
    load_table = None if load is None else _load_table(grid, read_series(load, "load", "MW"), findings)
    available_table = None if available is None else read_series(available, "available", "MW")
    if available_table is not None:
        _check_available(available_table, tables["units"], findings)
    findings.raise_if_any(f"series attached to grid {grid.name!r}")
    series = grid.series
    if load_table is not None or available_table is not None:
        series = AttachedSeries(load_table, available_table, grid.series)
    return replace(grid, units=tables["units"], series=series)


def renewable_units(
    grid: Grid, shares: Mapping[str, float], buses: int | Sequence[str] = 10
) -> list[dict[str, object]]:
    """Rows of units that place a renewable capacity on a grid by a simple rule.

    Parameters
    ----------
    grid : Grid
        Any grid with nominal loads.
    shares : mapping of str to float
        Capacity of 'wind' and 'pv' as shares of the nominal load of the whole grid. [MW/MW]
    buses : int or sequence of str
        Where: so many of the buses with the largest nominal load, each with a part in proportion to it; or
        these buses, with equal parts.

    Returns
    -------
    list of dict
        Rows for `attach`: one unit per technology and bus, named ``<technology>_<bus>``.

    Examples
    --------
    >>> from grid_models import load_grid
    >>> rows = renewable_units(load_grid("rts_gmlc"), {"wind": 0.4}, buses=2)
    >>> [(row["unit"], round(row["p_nom_mw"])) for row in rows]
    [('wind_118', 1710), ('wind_218', 1710)]
    """
    load = grid.buses["load_p_mw"]
    findings = Findings()
    for technology, share in shares.items():
        if technology not in _RENEWABLES:
            findings.add("renewables", f"{technology!r} cannot be placed", "use 'wind' and 'pv'")
        elif not (np.isfinite(share) and share > 0):
            findings.add(f"renewables: {technology!r}", f"{share}: expected a share above 0", "0.3 is 30 %")
    if isinstance(buses, int):
        chosen = load.sort_values(ascending=False, kind="stable").iloc[:buses]
        chosen = chosen[chosen > 0]
        if chosen.empty:
            findings.add("renewable_buses", f"{buses}: no bus with load is chosen", "name the buses")
    else:
        names = [str(bus) for bus in buses]
        for name in names:
            if name not in load.index:
                findings.add(f"renewable_buses: {name!r}", "does not exist", "see grid.buses.index")
        chosen = pd.Series(1.0, index=names)
    findings.raise_if_any(f"renewables placed on grid {grid.name!r}")
    part = chosen / chosen.sum() * load.sum()
    return [
        {"unit": f"{technology}_{bus}", "bus": bus, "technology": technology, "p_nom_mw": float(share * p_mw)}
        for technology, share in shares.items()
        for bus, p_mw in part.items()
    ]


def _known(base: SeriesSource | None, what: str) -> SeriesSource:
    """Return the series of the grid before, or say that there are none."""
    if base is None:
        finding = Finding(what, "no series is known", "attach one, or model it from weather")
        raise InputError("recorded series", [finding])
    return base


def _with_units(grid: Grid, rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Return the units of a grid with new ones after them."""
    known = {column.name for column in TABLES["units"][1]}
    for column in rows.columns:
        stem, _, unit = str(column).rpartition("_")
        meant = next(
            (name for name in sorted(known) if name.rpartition("_")[0] == stem and name != column), ""
        )
        if meant and column not in known and unit in _UNITS:
            findings.add(f"units: column {column!r}", f"is not in the unit expected, {meant!r}", "convert it")
    rows = _with_places(grid, rows.rename(index=str))
    new = complete("units", with_unit_defaults(rows, grid.buses))
    return complete("units", pd.concat([grid.units, new])) if len(grid.units) else new


def _with_places(grid: Grid, rows: pd.DataFrame) -> pd.DataFrame:
    """Give rows without a place that of their bus, and others a weather site of their own."""
    if "bus" not in rows:
        return rows
    rows = rows.assign(bus=rows["bus"].astype(str))
    is_own = pd.Series(data=False, index=rows.index)
    for column in ("latitude", "longitude"):
        of_bus = grid.buses[column].reindex(rows["bus"]).set_axis(rows.index)
        rows[column] = rows[column].fillna(of_bus) if column in rows else of_bus
        is_own |= rows[column] != of_bus
    if "weather_site" not in rows:
        rows["weather_site"] = rows["bus"].where(~is_own, rows.index.to_series())
    if "altitude" not in rows:
        places = rows[["latitude", "longitude"]].apply(pd.to_numeric, errors="coerce")
        # Places off the globe are reported by the checks that follow.
        exists = (places["latitude"].abs() <= 90) & (places["longitude"].abs() <= 180)
        rows["altitude"] = altitude(places.where(exists, 0.0))
    return rows


#: Endings of column names that say a unit.
_UNITS = frozenset({"w", "kw", "mw", "gw", "kwp", "mwp", "mva", "eur", "usd"})


def _load_table(grid: Grid, table: SeriesTable, findings: Findings) -> SeriesTable:
    """Check a table of loads against the buses; a single column 'factor' becomes the load of every bus."""
    if table.names == ("factor",) and "factor" not in grid.buses.index:
        nominal = grid.buses["load_p_mw"]
        names = tuple(str(bus) for bus in nominal.index)
        table = replace(table, names=names, values=table.values * nominal.to_numpy(dtype=float))
    for name in table.names:
        if name not in grid.buses.index:
            findings.add(
                f"load: bus {name!r}", f"does not exist in grid {grid.name!r}", "see grid.buses.index"
            )
    for name, column in zip(table.names, table.values.T, strict=True):
        if column.min() < 0:
            what = f"{column.min():g} MW at {table.time[column.argmin()]}: load must be at least 0"
            findings.add(f"load: bus {name!r}", what, "consumption is positive; give generation as a unit")
    return table


def _check_available(table: SeriesTable, units: pd.DataFrame, findings: Findings) -> None:
    """Check a table of available power against the units."""
    for name, column in zip(table.names, table.values.T, strict=True):
        if name not in units.index:
            findings.add(f"available: unit {name!r}", "does not exist", "attach the unit too")
            continue
        limit = float(units.at[name, "p_nom_mw"])
        if column.min() < 0:
            what = f"{column.min():g} MW at {table.time[column.argmin()]}: must be at least 0"
            findings.add(f"available: unit {name!r}", what, "set what a unit draws to 0")
        if column.max() > limit * (1 + _P_NOM_TOLERANCE):
            what = f"{column.max():g} MW at {table.time[column.argmax()]} is above p_nom_mw={limit:g} MW"
            findings.add(f"available: unit {name!r}", what, "values are in MW: check the unit, or p_nom_mw")
