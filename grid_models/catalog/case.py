"""Cases: what a file says of a network, and what a caller may add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from grid_models.catalog.case_costs import CostFunction
from grid_models.grid import SeriesSource
from grid_models.places import Footprint
from grid_models.tabular import Table


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
    p_max_mw : float or mapping of str to float, optional
        Largest output of generators for which the case has none: of all, or by fuel or generator. [MW]
    import_price_per_mwh, export_price_per_mwh : float
        Price at which an external grid without limits gives and takes power; nominal values.
        [currency/MWh]
    import_co2_kg_per_mwh : float
        CO2 of what an external grid gives; what it takes saves none. [kg/MWh]
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
    p_max_mw: float | Mapping[str, float] | None = None
    import_price_per_mwh: float = 50.0
    export_price_per_mwh: float = 40.0
    import_co2_kg_per_mwh: float = 0.0
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
    units : pandas.DataFrame, optional
        Further weather-driven units.
    series : SeriesSource, optional
        Recorded series. Default: nominal load, hydro as in the case.
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
    units: pd.DataFrame | None = None
    series: SeriesSource | None = None
    place: Footprint | None = None
    notes: tuple[str, ...] = ()
