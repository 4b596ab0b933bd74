"""Grid: buses, lines, generators and weather-driven units of a network, with the series recorded on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd
import xarray as xr

from grid_models._arrays import FloatArray, IntArray
from grid_models.linear import flow_offset, ptdf
from grid_models.tables import (
    CURTAILMENT_TECHNOLOGIES,
    NON_DISPATCHABLE_TECHNOLOGIES,
    TABLES,
    TECHNOLOGIES,
    as_declared,
    complete,
    empty_table,
)
from grid_models.validation import validate_tables
from weather import Finding, Findings, InputError, to_xarray_time

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

Series = Literal["day_ahead", "real_time"]

#: Reactance of the line that connects a unit with a limit of its own: short against any line of a grid. [pu]
CONNECTION_X_PU = 0.01


class SeriesSource(Protocol):
    """Recorded series of a grid: what its loads drew and what its units could have given.

    A source that holds for some time only says so in a property `span`: its first instant and its end.
    """

    def load(self, time: pd.DatetimeIndex, buses: Sequence[str], series: Series) -> FloatArray:
        """Mean load per step and bus, shape (time, bus). [MW]."""

    def available(self, time: pd.DatetimeIndex, units: Sequence[str], series: Series) -> FloatArray:
        """Mean available power per step and unit, shape (time, unit). [MW]."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A network and what stands at its buses. Make one with `make_grid` or `load_grid`.

    The tables are in the order in which all arrays over buses, lines, links, generators and units are; their
    columns are described in `grid_models.tables`. Neither they nor `net` may be changed: change the input and
    build anew, or copy.

    Attributes
    ----------
    name : str
        Name in results.
    currency : str
        Currency of all money.
    utc_offset_h : float
        Clock of the grid (standard time, all year), against UTC. [h]
    base_mva : float
        Base of all values in pu. [MVA]
    buses, lines, links, generators, segments, units, storage : pandas.DataFrame
        Tables; lines hold transformers too; storage is listed and not dispatched.
    ptdf : numpy.ndarray
        Flow on each line per injection at each bus, shape (line, bus), see `grid_models.linear.ptdf`. It
        holds for injections that sum to zero. HVDC links inject at one of their ends and draw at the other.
        Phase shifters add `flow_offset_mw`.
    reference_bus : str
        Bus whose column in `ptdf` is zero.
    series : SeriesSource or None
        Recorded series, if the grid has any.
    f_hz : float
        Nominal frequency. [Hz]
    notes : tuple of str
        What the source of the grid left out or assumed.
    """

    name: str
    currency: str
    utc_offset_h: float
    base_mva: float
    buses: pd.DataFrame
    lines: pd.DataFrame
    links: pd.DataFrame
    generators: pd.DataFrame
    segments: pd.DataFrame
    units: pd.DataFrame
    storage: pd.DataFrame
    ptdf: FloatArray = field(repr=False)
    reference_bus: str
    series: SeriesSource | None = field(default=None, repr=False)
    f_hz: float = 60.0
    notes: tuple[str, ...] = ()

    @cached_property
    def net(self) -> pandapowerNet:
        """The grid as a pandapower net, built on first use; `pp_index` in buses and lines points into it."""
        # Imported here because pandapower takes seconds to import and only flow checks need it.
        from grid_models.netbuild import build_net

        return build_net(self)

    @cached_property
    def flow_offset_mw(self) -> FloatArray:
        """Flow on each line that phase shifters drive without any injection (`linear.flow_offset`). [MW]."""
        lines, buses = self.lines, self.buses.index
        return flow_offset(
            self.ptdf,
            buses.get_indexer(lines["from_bus"]).astype(np.int64),
            buses.get_indexer(lines["to_bus"]).astype(np.int64),
            lines["b_pu"].to_numpy(dtype=float),
            lines["shift_degree"].to_numpy(dtype=float),
            self.base_mva,
        )

    def __getstate__(self) -> dict[str, object]:
        """Leave the derived net behind when the grid travels to another process."""
        return {key: value for key, value in self.__dict__.items() if key != "net"}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return {name: getattr(self, name) for name in TABLES}

    def bus_index(self, buses: Sequence[str] | pd.Series) -> IntArray:
        """Return the positions of buses in `buses`.

        Raises
        ------
        InputError
            If one of them does not exist; all of them are named.
        """
        names = [str(bus) for bus in buses]
        position: IntArray = self.buses.index.get_indexer(names).astype(np.int64)
        findings = [
            Finding(f"bus {bus!r}", f"does not exist in grid {self.name!r}", "see grid.buses.index")
            for bus, at in zip(names, position, strict=True)
            if at < 0
        ]
        Findings(findings).raise_if_any("buses")
        return position

    def load(self, time: pd.DatetimeIndex, *, series: Series = "day_ahead") -> xr.DataArray:
        """Recorded load at each bus.

        Parameters
        ----------
        time : pandas.DatetimeIndex
            Left labels in a stated zone, regular, at least two.
        series : {'day_ahead', 'real_time'}
            Which of the recorded series.

        Returns
        -------
        xarray.DataArray
            `load_p_mw` over (time, bus), interval means. [MW]
        """
        names = list(self.buses.index)
        values = self._source().load(time, names, series)
        return self._series_array("load_p_mw", values, time, "bus", names, series)

    def recorded(
        self,
        time: pd.DatetimeIndex,
        technologies: Sequence[str] = TECHNOLOGIES,
        *,
        series: Series = "day_ahead",
    ) -> xr.DataArray:
        """Recorded available power of the units of some technologies, in the order of `units`.

        Parameters
        ----------
        time : pandas.DatetimeIndex
            Left labels in a stated zone, regular, at least two.
        technologies : sequence of str
            Of `grid_models.tables.TECHNOLOGIES`.
        series : {'day_ahead', 'real_time'}
            Which of the recorded series.

        Returns
        -------
        xarray.DataArray
            `available_p_mw` over (time, unit), interval means. [MW]
        """
        unknown = [t for t in technologies if t not in TECHNOLOGIES]
        remedy = "use some of " + ", ".join(TECHNOLOGIES)
        Findings([Finding("technologies", f"{t!r} is unknown", remedy) for t in unknown]).raise_if_any(
            "recorded"
        )
        names = list(self.units.index[self.units["technology"].isin(technologies)])
        values = self._source().available(time, names, series)
        return self._series_array("available_p_mw", values, time, "unit", names, series)

    @property
    def recorded_span(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """First instant and end of the recorded series; None where they hold at any time, or do not exist."""
        span: tuple[pd.Timestamp, pd.Timestamp] | None = getattr(self.series, "span", None)
        return span

    def weather_sites(self, technologies: Sequence[str] = ("wind", "pv", "rtpv")) -> pd.DataFrame:
        """Places where the units of some technologies need weather: latitude, longitude, altitude by site."""
        units = self.units[self.units["technology"].isin(technologies)]
        sites = units.groupby("weather_site", sort=False)[["latitude", "longitude", "altitude"]].first()
        return sites.rename_axis("site")

    def fingerprint(self) -> str:
        """Return a hash of everything the dispatch depends on: equal grids have equal fingerprints."""
        digest = hashlib.sha256(f"{self.name}|{self.currency}|{self.base_mva!r}".encode())
        for name, table in self.tables().items():
            digest.update(name.encode())
            digest.update(table.to_csv(float_format="%.17g").encode())
        digest.update(np.ascontiguousarray(self.ptdf).tobytes())
        return digest.hexdigest()

    def _source(self) -> SeriesSource:
        """Return the recorded series, or say that there are none."""
        if self.series is None:
            what = "has no recorded series"
            remedy = "give load and available power yourself"
            raise InputError("recorded series", [Finding(f"grid {self.name!r}", what, remedy)])
        return self.series

    def _series_array(
        self, name: str, values: FloatArray, time: pd.DatetimeIndex, dim: str, labels: list[str], series: str
    ) -> xr.DataArray:
        """Label recorded values."""
        attrs = {"units": "MW", "cell_methods": "time: mean", "source": f"{self.name} recorded {series}"}
        coords = {"time": to_xarray_time(time), dim: np.array(labels, dtype=object)}
        return xr.DataArray(values, coords=coords, dims=("time", dim), name=name, attrs=attrs)


def make_grid(
    *,
    name: str,
    buses: pd.DataFrame,
    lines: pd.DataFrame,
    generators: pd.DataFrame | None = None,
    segments: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    storage: pd.DataFrame | None = None,
    series: SeriesSource | None = None,
    currency: str = "USD",
    utc_offset_h: float = 0.0,
    base_mva: float = 100.0,
    f_hz: float = 60.0,
    reference_bus: str | None = None,
    connection_limit_mw: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
) -> Grid:
    """Build a grid from tables.

    Parameters
    ----------
    name : str
        Name in results.
    buses : pandas.DataFrame
        Index bus; columns vn_kv, latitude, longitude; optional area, load_p_mw, load_q_mvar, ... (all columns
        with units and defaults: `grid_models.tables`).
    lines : pandas.DataFrame
        Index line; columns from_bus, to_bus, rate_mw, x_pu; for transformers kind 'trafo' and tap_ratio.
    generators, segments : pandas.DataFrame, optional
        Thermal units (index gen; bus, p_max_mw, ...) and their cost segments (gen, p_mw, cost_per_mwh,
        co2_kg_per_mwh), cheapest first, above p_min_mw where must_run and above 0 where not.
    units : pandas.DataFrame, optional
        Weather-driven units: index unit; columns bus, technology, p_nom_mw. Where the place is not given it
        is that of the bus. Further columns (plant parameters) are kept.
    links : pandas.DataFrame, optional
        Controllable HVDC links: index link; columns from_bus, to_bus, p_max_mw.
    storage : pandas.DataFrame, optional
        Listed only.
    series : SeriesSource, optional
        Recorded series.
    currency, utc_offset_h, base_mva, f_hz
        See `Grid`.
    reference_bus : str, optional
        Default: the first bus.
    connection_limit_mw : mapping of str to float, optional
        Units to be put behind a connection of their own: a new bus ``<unit>_terminal`` and a line
        ``<unit>_connection`` of that rating, with which everything else deals as with any other. [MW]
    notes : sequence of str
        See `Grid`.

    Returns
    -------
    Grid
        Checked.

    Raises
    ------
    InputError
        With everything that is wrong with the tables.
    """
    given = {
        "buses": buses,
        "lines": lines,
        "links": links,
        "generators": generators,
        "segments": segments,
        "units": units,
        "storage": storage,
    }
    tables = {
        key: empty_table(key) if table is None else complete(key, table) for key, table in given.items()
    }
    if units is not None:
        tables["units"] = complete("units", with_unit_defaults(units, tables["buses"]))
    findings = Findings()
    tables = _with_connections(tables, dict(connection_limit_mw or {}), findings)
    findings.extend(validate_tables(tables))
    names = tables["buses"].index
    reference = str(names[0]) if reference_bus is None and len(names) else str(reference_bus)
    if reference not in names and len(names):
        findings.add(f"reference_bus {reference!r}", "does not exist", "name one of the buses")
    findings.raise_if_any(f"grid {name!r}")
    tables = {key: as_declared(key, table) for key, table in tables.items()}
    tables = _with_pp_index(tables)
    tables["lines"]["b_pu"] = 1.0 / (tables["lines"]["x_pu"] * tables["lines"]["tap_ratio"])
    return Grid(
        name=name,
        currency=currency,
        utc_offset_h=float(utc_offset_h),
        base_mva=float(base_mva),
        ptdf=_ptdf(tables, reference),
        reference_bus=reference,
        series=series,
        f_hz=f_hz,
        notes=tuple(notes),
        **tables,
    )


def connected(grid: Grid, connection_limit_mw: Mapping[str, float]) -> Grid:
    """Return a grid with some units behind a connection of their own, see `make_grid`."""
    return make_grid(
        name=grid.name,
        series=grid.series,
        currency=grid.currency,
        utc_offset_h=grid.utc_offset_h,
        base_mva=grid.base_mva,
        f_hz=grid.f_hz,
        reference_bus=grid.reference_bus,
        connection_limit_mw=connection_limit_mw,
        notes=grid.notes,
        **grid.tables(),
    )


def with_unit_defaults(units: pd.DataFrame, buses: pd.DataFrame) -> pd.DataFrame:
    """Take what units do not say about themselves from their buses (completed) and technologies."""
    units = units.copy()
    for column in ("latitude", "longitude", "altitude"):
        if column not in units and "bus" in units and column in buses and not buses.index.has_duplicates:
            units[column] = buses[column].reindex(units["bus"].astype(str)).to_numpy()
    if "technology" in units:
        if "counts_as_curtailment" not in units:
            units["counts_as_curtailment"] = units["technology"].isin(CURTAILMENT_TECHNOLOGIES)
        if "dispatchable" not in units:
            units["dispatchable"] = ~units["technology"].isin(NON_DISPATCHABLE_TECHNOLOGIES)
    return units


def _with_connections(
    tables: dict[str, pd.DataFrame], limits: Mapping[str, float], findings: Findings
) -> dict[str, pd.DataFrame]:
    """Put units behind a radial bus each."""
    buses, lines, units = tables["buses"], tables["lines"], tables["units"].copy()
    for unit, limit_mw in limits.items():
        if unit not in units.index:
            findings.add(f"connection_limit_mw: unit {unit!r}", "does not exist", "name a unit of the grid")
        elif units.at[unit, "bus"] in buses.index:
            parent, terminal = str(units.at[unit, "bus"]), f"{unit}_terminal"
            row = buses.loc[[parent]].set_axis([terminal])
            row[["load_p_mw", "load_q_mvar", "shunt_q_mvar"]] = 0.0
            line = {"from_bus": terminal, "to_bus": parent, "rate_mw": limit_mw, "x_pu": CONNECTION_X_PU}
            buses = pd.concat([buses, row])
            new = complete("lines", pd.DataFrame(line, index=[f"{unit}_connection"]))
            lines = pd.concat([lines, new])
            units.loc[unit, "bus"] = terminal
    changed = {"buses": buses.rename_axis("bus"), "lines": lines.rename_axis("line"), "units": units}
    return {**tables, **changed}


def _with_pp_index(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Number buses, lines and transformers as `netbuild.build_net` creates them."""
    buses, lines = tables["buses"].copy(), tables["lines"].copy()
    buses["pp_index"] = np.arange(len(buses))
    lines["pp_index"] = lines.groupby("kind").cumcount().astype(np.int64)
    return {**tables, "buses": buses, "lines": lines}


def _ptdf(tables: Mapping[str, pd.DataFrame], reference: str) -> FloatArray:
    """Return the transfer factors of checked tables."""
    buses, lines = tables["buses"].index, tables["lines"]
    return ptdf(
        buses.get_indexer(lines["from_bus"]).astype(np.int64),
        buses.get_indexer(lines["to_bus"]).astype(np.int64),
        lines["b_pu"].to_numpy(dtype=float),
        len(buses),
        reference=int(buses.get_loc(reference)),
    )
