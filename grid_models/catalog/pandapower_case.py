"""Grids from the cases that come with pandapower, with renewable units attached by the caller."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.costs import cost_curve
from grid_models.grid import Grid, Series, make_grid
from weather import Finding, Findings, InputError, step_of, to_utc_index

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

# Columns of a pypower branch.
_R, _X, _B, _TAP, _SHIFT = 2, 3, 4, 8, 9
# Elements of a pandapower net that this loader does not translate.
_UNSUPPORTED = ("impedance", "trafo3w", "dcline", "ward", "xward", "motor", "storage")


@dataclass(frozen=True)
class ProfileSeries:
    """Load of a case: nominal at each bus, times a profile if there is one.

    Attributes
    ----------
    load_p_mw : mapping of str to float
        Nominal load of each bus. [MW]
    profile : pandas.Series or None
        Factor on a tz-aware, regular axis of left labels; None: always 1. [1]
    """

    load_p_mw: Mapping[str, float]
    profile: pd.Series | None = None

    def load(self, time: pd.DatetimeIndex, buses: Sequence[str], series: Series) -> FloatArray:  # noqa: ARG002 - one series serves both
        """Load per step and bus. [MW]."""
        nominal = np.array([self.load_p_mw.get(bus, 0.0) for bus in buses])
        index = to_utc_index(time)
        if self.profile is None:
            return np.tile(nominal, (len(index), 1))
        known = to_utc_index(self.profile.index)
        findings = Findings()
        if step_of(known) != step_of(index):
            what = f"step {pd.Timedelta(step_of(known))}, asked for {pd.Timedelta(step_of(index))}"
            findings.add("load_profile", what, "resample the profile first")
        elif not index.isin(known).all():
            what = f"covers {known[0]} to {known[-1]}, asked for {index[0]} to {index[-1]}"
            findings.add("load_profile", what, "give a profile that covers the run")
        findings.raise_if_any("load of a pandapower case")
        factor = self.profile.to_numpy(dtype=float)[known.get_indexer(index)]
        load: FloatArray = factor[:, None] * nominal
        return load

    def available(self, time: pd.DatetimeIndex, units: Sequence[str], series: Series) -> FloatArray:
        """Refuse: a case has no recorded renewable power."""
        what = f"the case has no {series} series for its {len(units)} unit(s) at {len(time)} steps"
        finding = Finding("recorded", what, "model them from weather")
        raise InputError("recorded series", [finding])


def load_pandapower_case(
    *,
    case: str,
    co2_kg_per_mwh: float | Mapping[str, float],
    latitude: float,
    longitude: float,
    name: str | None = None,
    units: pd.DataFrame | Sequence[Mapping[str, object]] | None = None,
    load_profile: pd.Series | None = None,
    must_run: Sequence[str] = (),
    line_rating_factor: float = 1.0,
    n_cost_segments: int = 5,
    currency: str = "EUR",
    utc_offset_h: float = 0.0,
    connection_limit_mw: Mapping[str, float] | None = None,
) -> Grid:
    """Load a case of ``pandapower.networks`` that has limits and polynomial costs, for example 'case39'.

    Parameters
    ----------
    case : str
        Name of the function in ``pandapower.networks``.
    co2_kg_per_mwh : float or mapping of str to float
        CO2 of all generators, or of each (names as in `generators`: 'gen_0', 'ext_grid_0'); cases do not say.
        [kg/MWh]
    latitude, longitude : float
        Place of all buses: the coordinates of cases serve plotting only. Units may have their own. [degree]
    name : str, optional
        Name in results. Default: the case's.
    units : pandas.DataFrame or sequence of mappings, optional
        Weather-driven units: index (or key) unit; bus (pandapower index as text), technology, p_nom_mw,
        optionally latitude, longitude, altitude, weather_site and plant parameters.
    load_profile : pandas.Series, optional
        Factor on the nominal loads over a tz-aware axis. Default: constant nominal load.
    must_run : sequence of str
        Generators that run in every step at least at their minimum; all others may stand still.
    line_rating_factor : float
        Multiplies all ratings.
    n_cost_segments : int
        Straight pieces a quadratic cost is divided into, exact at their ends.
    currency : str
        Of the costs; pandapower calls it EUR, MATPOWER's cases mean USD.
    utc_offset_h : float
        Clock of the grid. [h]
    connection_limit_mw : mapping of str to float, optional
        See `make_grid`. [MW]

    Returns
    -------
    Grid
        Checked.

    Notes
    -----
    Branches are pandapower's own equivalents. Not translated, and refused: phase shifters, three-winding
    transformers, impedances, buses joined by switches, shunts with losses, sources without limits or cost.
    The charging of transformers is left out of the net; the linear model does not use it.
    """
    net = _read_case(case)
    _check_case(case, net)
    gens = _sources(net)
    findings = Findings()
    for gen in must_run:
        if gen not in gens.index:
            findings.add(f"must_run: {gen!r}", "is no generator of the case", "use " + ", ".join(gens.index))
    if n_cost_segments < 1 or not line_rating_factor > 0:
        what = f"n_cost_segments={n_cost_segments}, line_rating_factor={line_rating_factor}"
        findings.add("options", what, "give at least 1 segment and a factor above 0")
    co2 = pd.Series(co2_kg_per_mwh, index=gens.index, dtype=float)
    for gen in co2.index[co2.isna()]:
        findings.add(f"co2_kg_per_mwh: {gen!r}", "is not given", "give it in kg/MWh")
    findings.raise_if_any(f"options of pandapower case {case!r}")
    generators, segments = _generators(gens, co2, set(must_run), n_cost_segments)
    buses = _buses(net, latitude, longitude)
    return make_grid(
        name=name or case,
        buses=buses,
        lines=_lines(net, line_rating_factor),
        generators=generators,
        segments=segments,
        units=_units(units, {"latitude": latitude, "longitude": longitude}),
        series=ProfileSeries(buses["load_p_mw"].to_dict(), load_profile),
        currency=currency,
        utc_offset_h=utc_offset_h,
        base_mva=float(net.sn_mva),
        f_hz=float(net.f_hz),
        reference_bus=str(net.ext_grid["bus"].iloc[0]),
        connection_limit_mw=connection_limit_mw,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what pandapower says of the age of its own case files."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
        yield


def _read_case(case: str) -> pandapowerNet:
    """Return a case with its linear power flow solved, so that its branch equivalents exist."""
    import pandapower as pp
    import pandapower.networks as networks

    maker = getattr(networks, case, None)
    if not callable(maker) or case.startswith("_"):
        finding = Finding("case", f"{case!r} is not in pandapower.networks", "for example 'case39'")
        raise InputError("pandapower case", [finding])
    net = maker()
    with _quiet():
        pp.rundcpp(net)
    return net


def _check_case(case: str, net: pandapowerNet) -> None:
    """Refuse what would be lost in translation."""
    findings = Findings()
    for element in _UNSUPPORTED:
        if element in net and len(net[element]):
            findings.add(element, f"{len(net[element])} in the case: not translated", "choose another case")
    mapped = net._pd2ppc_lookups["bus"][net.bus.index.to_numpy()]
    if len(set(mapped)) < len(mapped) or not net.bus["in_service"].all():
        findings.add("bus", "some are joined by switches or out of service", "choose another case")
    if np.any(net._ppc["branch"][:, _SHIFT].real != 0):
        findings.add("trafo", "the case has phase shifters: not translated", "choose another case")
    if (net.shunt["p_mw"] != 0).any():
        findings.add("shunt", "some have losses: not translated", "choose another case")
    sources = _sources(net)
    for gen, row in sources.iterrows():
        if row[["cp0", "cp1", "cp2"]].isna().any():
            findings.add(str(gen), "has no polynomial cost", "choose a case with costs")
        if row[["p_min_mw", "p_max_mw"]].isna().any():
            findings.add(str(gen), "has no limits of active power", "choose a case with limits")
    findings.raise_if_any(f"pandapower case {case!r}")


def _sources(net: pandapowerNet) -> pd.DataFrame:
    """Return all sources in service: bus, limits and cost coefficients; NaN where the case has none."""
    cost = net.poly_cost.set_index(["et", "element"])
    rows = {}
    for element in ("ext_grid", "gen", "sgen"):
        for index, row in net[element][net[element]["in_service"]].iterrows():
            known = cost.loc[(element, index)] if (element, index) in cost.index else {}
            rows[f"{element}_{index}"] = {
                "bus": str(row["bus"]),
                "p_min_mw": row.get("min_p_mw", np.nan),
                "p_max_mw": row.get("max_p_mw", np.nan),
                "p_set_mw": max(float(row.get("p_mw", 0.0)), 0.0),
                "cp0": known.get("cp0_eur", np.nan),
                "cp1": known.get("cp1_eur_per_mw", np.nan),
                "cp2": known.get("cp2_eur_per_mw2", np.nan),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _buses(net: pandapowerNet, latitude: float, longitude: float) -> pd.DataFrame:
    """Return the table of buses with their nominal loads."""
    load = net.load[net.load["in_service"]]
    p_mw = (load["p_mw"] * load["scaling"]).groupby(load["bus"]).sum()
    q_mvar = (load["q_mvar"] * load["scaling"]).groupby(load["bus"]).sum()
    shunt = net.shunt[net.shunt["in_service"]]
    sources = pd.concat([net.ext_grid[["bus", "vm_pu"]], net.gen[["bus", "vm_pu"]]])
    index = net.bus.index
    table = {
        "vn_kv": net.bus["vn_kv"],
        "latitude": float(latitude),
        "longitude": float(longitude),
        "load_p_mw": p_mw.reindex(index, fill_value=0.0),
        "load_q_mvar": q_mvar.reindex(index, fill_value=0.0),
        "shunt_q_mvar": shunt.groupby("bus")["q_mvar"].sum().reindex(index, fill_value=0.0),
        "vm_pu": sources.groupby("bus")["vm_pu"].first().reindex(index, fill_value=1.0),
    }
    return pd.DataFrame(table)


def _lines(net: pandapowerNet, rating_factor: float) -> pd.DataFrame:
    """Return lines and transformers with pandapower's own equivalents."""
    vn_kv = net.bus["vn_kv"]
    line, trafo = net.line, net.trafo
    line_mw = np.sqrt(3) * line["max_i_ka"] * line["from_bus"].map(vn_kv) * line["df"] * line["parallel"]
    parts = [("line", line, "from_bus", "to_bus", line_mw)]
    if len(trafo):
        parts.append(("trafo", trafo, "hv_bus", "lv_bus", trafo["sn_mva"] * trafo["df"] * trafo["parallel"]))
    tables = []
    for kind, element, start, end, rate_mw in parts:
        first, last = net._pd2ppc_lookups["branch"][kind]
        branch = net._ppc["branch"][first:last].real
        table = {
            "kind": kind,
            "from_bus": element[start].astype(str),
            "to_bus": element[end].astype(str),
            "rate_mw": rate_mw * rating_factor,
            "x_pu": branch[:, _X],
            "r_pu": branch[:, _R],
            "b_charging_pu": branch[:, _B] if kind == "line" else 0.0,
            "tap_ratio": np.where(branch[:, _TAP] == 0, 1.0, branch[:, _TAP]),
        }
        labels = [f"{kind}_{index}" for index in element.index]
        tables.append(pd.DataFrame(table).set_axis(labels)[element["in_service"].to_numpy()])
    return pd.concat(tables)


def _generators(
    gens: pd.DataFrame, co2: pd.Series, must_run: set[str], n_segments: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return generators and the straight pieces of their costs."""
    rows, table = [], gens.drop(columns=["cp0", "cp1", "cp2"])
    table["must_run"] = table.index.isin(sorted(must_run))
    for gen, row in gens.iterrows():
        is_forced = gen in must_run
        p_mw = np.unique(np.linspace(row["p_min_mw"], row["p_max_mw"], n_segments + 1))
        cost = row["cp0"] + row["cp1"] * p_mw + row["cp2"] * p_mw**2
        if p_mw[0] > 0:
            p_mw, cost = np.append(0.0, p_mw), np.append(0.0, cost)
        else:
            cost[0] = 0.0
        curve = cost_curve(
            p_mw,
            cost,
            p_min_mw=row["p_min_mw"] if is_forced else 0.0,
            fuel_price_per_mmbtu=1.0,
            co2_kg_per_mmbtu=0.0,
        )
        if is_forced:
            table.loc[gen, "no_load_cost_per_h"] = curve.no_load_cost_per_h
            table.loc[gen, "no_load_co2_kg_per_h"] = co2[gen] * row["p_min_mw"]
        rows += [
            {"gen": gen, "p_mw": width, "cost_per_mwh": price, "co2_kg_per_mwh": co2[gen]}
            for width, price in zip(curve.width_mw, curve.cost_per_mwh, strict=True)
        ]
    no_load = [c for c in ("no_load_cost_per_h", "no_load_co2_kg_per_h") if c in table]
    return table.fillna(dict.fromkeys(no_load, 0.0)), pd.DataFrame(rows)


def _units(
    units: pd.DataFrame | Sequence[Mapping[str, object]] | None, place: Mapping[str, float]
) -> pd.DataFrame | None:
    """Return the caller's units as a table; those listed without a place stand at that of the case."""
    if units is None or isinstance(units, pd.DataFrame):
        return units
    table = pd.DataFrame([{**place, **unit} for unit in units])
    if "unit" not in table:
        raise InputError("units", [Finding("units", "have no key 'unit'", "name every unit")])
    return table.set_index("unit")
