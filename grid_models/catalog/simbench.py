"""Grids of SimBench [1]_: German distribution and transmission grids with 15-minute profiles.

References
----------
.. [1] S. Meinecke et al., "SimBench: A Benchmark Dataset of Electric Power Systems to Compare Innovative
   Solutions Based on Power Flow Analysis", Energies 13(12), 2020. https://doi.org/10.3390/en13123290
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.catalog.case import Case, CaseOptions
from grid_models.catalog.case_grid import build_case
from grid_models.catalog.pandapower_net import Network, network_of, quiet
from grid_models.catalog.pandapower_sources import costs_of, links_of, sources_of
from grid_models.catalog.simbench_series import N_STEPS, UTC_OFFSET_H, SimbenchSeries
from grid_models.grid import Grid
from grid_models.places import Footprint
from weather import Finding, Findings, InputError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

#: Technology of a static generator by the beginning of its profile's name. Profiles of the grids below
#: (`mv_...`, `hv_...`) mix wind and PV with some biomass and hydro; those of low-voltage grids are PV alone.
TECHNOLOGY_OF_PROFILE: Mapping[str, str] = {
    "PV": "pv",
    "lv_": "pv",
    "WP": "wind",
    "BM": "biomass",
    "Hydro": "hydro",
    "mv_": "mixed",
    "hv_": "mixed",
}
#: Used where a grid has no coordinates of its own: the middle of Germany.
PLACE = Footprint("Germany", 51.2, 10.4, UTC_OFFSET_H)

_DEFAULT_OPTIONS = CaseOptions()


def load_simbench(*, code: str, options: CaseOptions = _DEFAULT_OPTIONS) -> Grid:
    """Load a SimBench grid with its profiles of 2016.

    Parameters
    ----------
    code : str
        SimBench code, for example '1-HV-mixed--0-no_sw' or '1-MV-rural--0-sw'.
    options : CaseOptions
        What the caller adds.

    Returns
    -------
    Grid
        Buses are called by their index in the SimBench net; coordinates are the net's.

    Notes
    -----
    Static generators are units by their profile: wind, PV, biomass, hydro, and 'mixed' for the feed-in of a
    whole grid below. Only wind, PV and mixed count as curtailment when they are held back. Those of size zero
    are left out.

    External grids are interchanges: what the grid does not take itself leaves through them, up to what the
    transformers at their bus can carry, and pays the export price; what it lacks comes from there at the
    import price. SimBench has no costs; the prices are nominal and matter only where power plants compete or
    an export price is negative.

    The profiles are quarter-hourly means on constant UTC+1. The network's own power flow is that of its
    maximum loads (`load_p_mw`) and units at rest.
    """
    subject = f"SimBench grid {code!r}"
    if options.load_profile is not None:
        finding = Finding("load_profile", "the grid has profiles of its own", "give load= to replace them")
        raise InputError(subject, [finding])
    net = read_simbench(code)
    network = network_of(net, subject, islands=options.islands, geo=True)
    notes = list(network.notes)
    sources = sources_of(net, network)
    is_unit = sources.index.str.startswith("sgen_")
    units = _units(net, network, notes)
    return build_case(
        Case(
            name=code,
            currency="EUR",
            reference_bus=network.bus_name[int(net.ext_grid["bus"].iloc[0])],
            base_mva=float(net.sn_mva),
            f_hz=float(net.f_hz),
            buses=network.buses,
            lines=network.lines,
            links=links_of(net, network, notes),
            sources=sources[~is_unit],
            costs=costs_of(net),
            units=units,
            series=_series(net, network, units, options, subject),
            place=PLACE,
            notes=tuple(notes),
        ),
        options,
    )


@lru_cache(maxsize=2)
def read_simbench(code: str) -> pandapowerNet:
    """Read the net of a SimBench code; the last two are kept."""
    try:
        import simbench
    except ImportError as error:
        finding = Finding("simbench", "is not installed", "pip install curtailment-twin[grids]")
        raise InputError(f"SimBench grid {code!r}", [finding]) from error
    if code not in simbench_codes():
        near = [known for known in simbench_codes() if known.startswith(code[:4])][:4]
        remedy = "see 'twin list grids simbench'" + (f"; near: {', '.join(near)}" if near else "")
        raise InputError("SimBench grid", [Finding("code", f"{code!r} is no SimBench code", remedy)])
    with quiet():
        return simbench.get_simbench_net(code)


@lru_cache(maxsize=1)
def simbench_codes() -> tuple[str, ...]:
    """All SimBench codes; none where the package is not installed."""
    try:
        import simbench
    except ImportError:
        return ()
    return tuple(str(code) for code in simbench.collect_all_simbench_codes())


def _units(net: pandapowerNet, network: Network, notes: list[str]) -> pd.DataFrame:
    """Return the static generators as units."""
    sgen = net.sgen[net.sgen["in_service"] & net.sgen["bus"].isin(list(network.bus_name))]
    idle = ~(sgen["p_mw"] > 0)
    if idle.any():
        notes.append(f"{int(idle.sum())} static generators of size zero are left out")
    sgen = sgen[~idle]
    technology = sgen["profile"].map(_technology)
    for profile in sorted(set(sgen["profile"][technology.isna()].astype(str))):
        finding = Finding("sgen", f"profile {profile!r} is of an unknown kind", "use the released SimBench")
        raise InputError("SimBench grid", [finding])
    table = {
        "bus": sgen["bus"].map(network.bus_name),
        "technology": technology.astype(object),
        "p_nom_mw": sgen["p_mw"].astype(float) * sgen["scaling"].astype(float),
        "p_set_mw": 0.0,
        "offer_per_mwh": 0.0,
        "profile": sgen["profile"].astype(object),
        "unit_name": sgen["name"].astype(object),
    }
    return pd.DataFrame(table).set_axis([f"sgen_{index}" for index in sgen.index])


def _technology(profile: object) -> str | None:
    """Return the technology of a profile, None if it is unknown."""
    match = re.match(r"(PV|WP|BM|Hydro|lv_|mv_|hv_)", str(profile))
    return TECHNOLOGY_OF_PROFILE[match.group(1)] if match else None


def _series(
    net: pandapowerNet, network: Network, units: pd.DataFrame, options: CaseOptions, subject: str
) -> SimbenchSeries:
    """Return the profiles with what has them."""
    load = net.load[net.load["in_service"] & net.load["bus"].isin(list(network.bus_name))]
    load_of = pd.DataFrame(
        {
            "bus": load["bus"].map(network.bus_name),
            "profile": load["profile"].astype(str) + "_pload",
            "p_mw": load["p_mw"].astype(float) * load["scaling"].astype(float),
        }
    )
    scale = units["technology"].map({"wind": options.wind_scale, "pv": options.pv_scale}).fillna(1.0)
    unit_of = pd.DataFrame({"profile": units["profile"], "p_mw": units["p_nom_mw"] * scale})
    profiles = _profiles(net, sorted({*load_of["profile"], *unit_of["profile"]}), subject)
    return SimbenchSeries(profiles, load_of, unit_of)


def _profiles(net: pandapowerNet, names: list[str], subject: str) -> dict[str, FloatArray]:
    """Return profiles by name, checked to be finite and of the whole year."""
    tables = [net.profiles[kind] for kind in ("load", "renewables", "powerplants", "storage")]
    result, findings = {}, Findings()
    for name in names:
        values = next((t[name].to_numpy(dtype=float) for t in tables if name in t.columns), None)
        if values is None or len(values) != N_STEPS or not np.isfinite(values).all():
            findings.add(f"profile {name!r}", "is missing, short or holds NaN", "use the released SimBench")
        else:
            result[name] = values
    findings.raise_if_any(subject)
    return result
