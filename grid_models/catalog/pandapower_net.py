"""From a pandapower net to a case: its own branch equivalents, switches fused, islands found."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray, IntArray
from weather import Finding, Findings, InputError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

# Columns of a pypower branch and bus.
_F_BUS, _T_BUS, _R, _X, _B, _TAP, _SHIFT, _STATUS = 0, 1, 2, 3, 4, 8, 9, 10
_BASE_KV, _BUS_TYPE = 9, 1
_NO_BUS = 4
# Elements of a net that are not translated.
_UNSUPPORTED = (
    "asymmetric_sgen",
    "bus_dc",
    "line_dc",
    "load_dc",
    "source_dc",
    "ssc",
    "svc",
    "tcsc",
    "vsc",
    "vsc_bipolar",
    "vsc_stacked",
)
# A vector group turns by multiples of this. [degree]
_CLOCK_HOUR_DEGREE = 30.0
_N_NAMED = 5


@dataclass(frozen=True, eq=False)
class Network:
    """Buses and branches of a net, in the columns of `grid_models.tables`.

    Attributes
    ----------
    buses : pandas.DataFrame
        Index: name (the lowest index of the net's buses that are one, as text).
    lines : pandas.DataFrame
        rate_mw is infinite where the net has no rating.
    bus_name : mapping of int to str
        Name of each of the net's buses that takes part.
    notes : tuple of str
        What was left out.
    """

    buses: pd.DataFrame
    lines: pd.DataFrame
    bus_name: dict[int, str]
    notes: tuple[str, ...]


def network_of(net: pandapowerNet, subject: str, *, islands: str = "refuse", geo: bool = False) -> Network:
    """Translate buses and branches of a net.

    Parameters
    ----------
    net : pandapowerNet
        Its DC power flow is solved here.
    subject : str
        What it is called in messages.
    islands : {'refuse', 'leave_out'}
        What to do with buses without a path to a source of the net (``ext_grid`` or slack generator).
    geo : bool
        Whether its coordinates are longitude and latitude.

    Returns
    -------
    Network
        Loads summed by bus: loads, wards, motors, shunt losses at 1 pu.
    """
    findings = Findings()
    notes: list[str] = []
    _check(net, islands, findings, notes)
    findings.raise_if_any(subject)
    _solve(net, subject)
    names, bus_name = _names(net)
    lines = _lines(net, names)
    lines["shift_degree"] = _without_vector_groups(lines)
    return Network(_buses(net, names, bus_name, geo), lines, bus_name, tuple(notes))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what pandapower says of the age of files, and what it only remarks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check(net: pandapowerNet, islands: str, findings: Findings, notes: list[str]) -> None:
    """Refuse what would be lost in translation or cannot be computed."""
    for element in _UNSUPPORTED:
        if element in net and len(net[element]):
            findings.add(element, f"{len(net[element])} in the net: not translated", "leave them out")
    slack = net.gen["slack"] & net.gen["in_service"] if "slack" in net.gen else pd.Series(dtype=bool)
    if not net.ext_grid["in_service"].any() and not slack.any():
        remedy = "add one (pandapower.create_ext_grid) or mark a generator as slack"
        findings.add("ext_grid", "the net has none in service: nothing holds the angle", remedy)
        return
    _check_branches(net, findings)
    if findings:
        return
    from pandapower.topology import unsupplied_buses

    lost = sorted(b for b in unsupplied_buses(net) if net.bus.at[b, "in_service"])
    if lost:
        named = ", ".join(str(b) for b in lost[:_N_NAMED]) + (", ..." if len(lost) > _N_NAMED else "")
        if islands == "refuse":
            what = f"{len(lost)} bus(es) without a path to an ext_grid"
            remedy = "close a switch, add a line, or say islands='leave_out'"
            findings.add(f"bus {named}", what, remedy)
        else:
            notes.append(f"{len(lost)} buses without a path to an ext_grid are left out: {named}")


def _check_branches(net: pandapowerNet, findings: Findings) -> None:
    """Report branches without a usable impedance or with ends that do not exist."""
    buses = set(net.bus.index)
    ends = {"line": ("from_bus", "to_bus"), "trafo": ("hv_bus", "lv_bus")}
    for element, columns in ends.items():
        for column in columns:
            for label, bus in net[element][column].items():
                if bus not in buses:
                    findings.add(
                        f"{element} {label}", f"{column} {bus} does not exist", "name one of the buses"
                    )
    impedance = {"line": ("x_ohm_per_km", "length_km"), "trafo": ("vk_percent", "sn_mva")}
    for element, columns in impedance.items():
        table = net[element][net[element]["in_service"]]
        for column in columns:
            values = pd.to_numeric(table[column], errors="coerce")
            for label in table.index[~np.isfinite(values) | (values == 0)]:
                what = f"{column}={table.at[label, column]}: expected a number other than 0"
                findings.add(f"{element} {label}", what, "give its impedance, or join the buses by a switch")
    for element in ("load", "sgen", "gen", "ext_grid", "shunt", "storage"):
        for label, bus in net[element]["bus"].items():
            if bus not in buses:
                findings.add(f"{element} {label}", f"bus {bus} does not exist", "name one of the buses")
    for element in ("load", "sgen", "gen"):
        for label, p_mw in pd.to_numeric(net[element]["p_mw"], errors="coerce").items():
            if not np.isfinite(p_mw):
                findings.add(f"{element} {label}", f"p_mw={net[element].at[label, 'p_mw']}", "give it in MW")


def _solve(net: pandapowerNet, subject: str) -> None:
    """Solve the DC power flow, so that the net's equivalents exist."""
    import pandapower as pp

    try:
        with quiet():
            pp.rundcpp(net, check_connectivity=True)
    except Exception as error:
        finding = Finding(
            "rundcpp", f"pandapower cannot compute the net: {error}", "see pandapower.diagnostic"
        )
        raise InputError(subject, [finding]) from error


def _names(net: pandapowerNet) -> tuple[dict[int, str], dict[int, str]]:
    """Return the names of pypower buses that take part, and of the net's buses."""
    used = net._ppc["bus"][:, _BUS_TYPE].real != _NO_BUS
    lookup = net._pd2ppc_lookups["bus"]
    names: dict[int, str] = {}
    bus_name: dict[int, str] = {}
    for bus in sorted(net.bus.index[net.bus["in_service"]]):
        number = int(lookup[bus])
        if number >= 0 and used[number]:
            bus_name[int(bus)] = names.setdefault(number, str(bus))
    stars = (net._pd2ppc_lookups.get("aux") or {}).get("trafo3w", ())
    for index, star in zip(net.trafo3w.index, stars, strict=False):
        if used[int(lookup[star])]:
            names[int(lookup[star])] = f"trafo3w_{index}_star"
    return names, bus_name


def _buses(net: pandapowerNet, names: dict[int, str], bus_name: dict[int, str], geo: bool) -> pd.DataFrame:
    """Return the table of buses with their nominal loads."""
    p_mw, q_mvar, shunt_q = _loads(net, bus_name)
    sources = pd.concat([net.ext_grid[net.ext_grid["in_service"]], net.gen[net.gen["in_service"]]])
    set_point = sources["vm_pu"].groupby(sources["bus"].map(bus_name)).first()
    order = list(names.values())
    table = pd.DataFrame(
        {
            "vn_kv": net._ppc["bus"][list(names), _BASE_KV].real,
            "load_p_mw": p_mw.reindex(order, fill_value=0.0).to_numpy(),
            "load_q_mvar": q_mvar.reindex(order, fill_value=0.0).to_numpy(),
            "shunt_q_mvar": shunt_q.reindex(order, fill_value=0.0).to_numpy(),
            "vm_pu": set_point.reindex(order).fillna(1.0).to_numpy(),
        },
        index=order,
    )
    texts = net.bus["name"].astype(str).where(net.bus["name"].notna(), "")
    table["bus_name"] = [texts.get(int(name), "") if name.isdigit() else name for name in order]
    if geo:
        table[["longitude", "latitude"]] = _places(net, order)
    return table


def _loads(net: pandapowerNet, bus_name: dict[int, str]) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return active and reactive load and reactive shunts by bus. [MW, Mvar]."""
    p, q, shunt = [], [], []
    load = net.load[net.load["in_service"]]
    p.append(_by_bus(load, load["p_mw"] * load["scaling"], bus_name))
    q.append(_by_bus(load, load["q_mvar"] * load["scaling"], bus_name))
    phases = net.asymmetric_load[net.asymmetric_load["in_service"]]
    for power, parts in (("p", p), ("q", q)):
        unit = "mw" if power == "p" else "mvar"
        total = phases[[f"{power}_{phase}_{unit}" for phase in "abc"]].sum(axis=1)
        parts.append(_by_bus(phases, total * phases["scaling"], bus_name))
    for element in ("ward", "xward"):
        ward = net[element][net[element]["in_service"]]
        p.append(_by_bus(ward, ward["ps_mw"] + ward["pz_mw"], bus_name))
        q.append(_by_bus(ward, ward["qs_mvar"], bus_name))
        shunt.append(_by_bus(ward, ward["qz_mvar"], bus_name))
    motor = net.motor[net.motor["in_service"]]
    share = motor["loading_percent"] / motor["efficiency_percent"] * motor["scaling"]
    p.append(_by_bus(motor, motor["pn_mech_mw"] * share, bus_name))
    bank = net.shunt[net.shunt["in_service"]]
    at_nominal = bank["step"] * (bank["bus"].map(net.bus["vn_kv"]) / bank["vn_kv"]) ** 2
    p.append(_by_bus(bank, bank["p_mw"] * at_nominal, bus_name))
    shunt.append(_by_bus(bank, bank["q_mvar"] * at_nominal, bus_name))
    total_p, total_q, total_shunt = (pd.concat(parts).groupby(level=0).sum() for parts in (p, q, shunt))
    return total_p, total_q, total_shunt


def _by_bus(table: pd.DataFrame, values: pd.Series, bus_name: dict[int, str]) -> pd.Series:
    """Sum values of elements by the names of their buses; those at buses that are left out go with them."""
    return values.astype(float).groupby(table["bus"].map(bus_name)).sum()


def _places(net: pandapowerNet, order: Sequence[str]) -> FloatArray:
    """Return longitude and latitude of each bus, NaN where the net has none. [degree]."""
    places = np.full((len(order), 2), np.nan)
    texts = net.bus["geo"] if "geo" in net.bus else pd.Series(dtype=object)
    for row, name in enumerate(order):
        text = texts.get(int(name)) if name.isdigit() else None
        if isinstance(text, str):
            places[row] = json.loads(text)["coordinates"][:2]
    return places


def _lines(net: pandapowerNet, names: dict[int, str]) -> pd.DataFrame:
    """Return lines, transformers and impedances with pandapower's own equivalents."""
    branch = net._ppc["branch"].real
    labels, kinds, rates = _branch_rows(net)
    used = np.zeros(len(branch), dtype=bool)
    used[list(labels)] = True
    start, end = branch[:, _F_BUS].astype(int), branch[:, _T_BUS].astype(int)
    alive = used & (branch[:, _STATUS] > 0) & (start != end)
    rows = [int(k) for k in np.flatnonzero(alive) if start[k] in names and end[k] in names]
    kind = [kinds[k] for k in rows]
    tap = branch[rows, _TAP]
    table = {
        "kind": kind,
        "from_bus": [names[start[k]] for k in rows],
        "to_bus": [names[end[k]] for k in rows],
        "rate_mw": [rates[k] for k in rows],
        "x_pu": branch[rows, _X],
        "r_pu": branch[rows, _R],
        "b_charging_pu": np.where(np.array(kind) == "line", branch[rows, _B], 0.0),
        "tap_ratio": np.where(tap == 0, 1.0, tap),
        "shift_degree": branch[rows, _SHIFT],
    }
    return pd.DataFrame(table, index=[labels[k] for k in rows])


def _branch_rows(net: pandapowerNet) -> tuple[dict[int, str], dict[int, str], dict[int, float]]:
    """Return name, kind and rating of the pypower branches that stand for lines, transformers, impedances."""
    labels: dict[int, str] = {}
    kinds: dict[int, str] = {}
    rates: dict[int, float] = {}

    def add(first: int, element: str, names: Sequence[str], rate_mw: Sequence[float]) -> None:
        for k, (name, rate) in enumerate(zip(names, rate_mw, strict=True)):
            labels[first + k] = name
            kinds[first + k] = "line" if element == "line" else "trafo"
            rates[first + k] = rate if np.isfinite(rate) and rate > 0 else np.inf

    lookup = net._pd2ppc_lookups["branch"]
    if "line" in lookup:
        line = net.line
        kv = line["from_bus"].map(net.bus["vn_kv"])
        rate = np.sqrt(3) * line.get("max_i_ka", np.nan) * kv * line["df"] * line["parallel"]
        add(lookup["line"][0], "line", [f"line_{i}" for i in line.index], rate.astype(float))
    if "trafo" in lookup:
        trafo = net.trafo
        rate = trafo["sn_mva"] * trafo["df"] * trafo["parallel"]
        add(lookup["trafo"][0], "trafo", [f"trafo_{i}" for i in trafo.index], rate.astype(float))
    if "trafo3w" in lookup:
        three = net.trafo3w
        sides = ("hv", "mv", "lv")
        names = [f"trafo3w_{i}_{side}" for side in sides for i in three.index]
        rate = np.concatenate([three[f"sn_{side}_mva"].to_numpy(dtype=float) for side in sides])
        add(lookup["trafo3w"][0], "trafo3w", names, list(rate))
    if "impedance" in lookup:
        names = [f"impedance_{i}" for i in net.impedance.index]
        add(lookup["impedance"][0], "impedance", names, [np.inf] * len(names))
    return labels, kinds, rates


def _without_vector_groups(lines: pd.DataFrame) -> FloatArray:
    """Return phase shifts without those of vector groups that are the same along every loop. [degree]."""
    shift: FloatArray = lines["shift_degree"].to_numpy(dtype=float)
    group: FloatArray = np.round(shift / _CLOCK_HOUR_DEGREE) * _CLOCK_HOUR_DEGREE
    if not group.any():
        return shift
    buses = pd.Index(pd.unique(np.concatenate([lines["from_bus"], lines["to_bus"]])))
    start, end = (buses.get_indexer(lines[c]).astype(np.int64) for c in ("from_bus", "to_bus"))
    angle = _angles(start, end, group, len(buses))
    is_potential = bool(np.allclose((angle[start] - angle[end] - group + 180.0) % 360.0 - 180.0, 0.0))
    # Without loops that disagree they only rename the angles of buses and move no power.
    return shift - group if is_potential else shift


def _angles(start: IntArray, end: IntArray, group: FloatArray, n_bus: int) -> FloatArray:
    """Return an angle for each bus that explains the shifts along a spanning tree. [degree]."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    graph = csr_array((np.ones(len(start)), (start, end)), shape=(n_bus, n_bus))
    shift = {(a, b): g for a, b, g in zip(start, end, group, strict=True)}
    angle = np.zeros(n_bus)
    island = connected_components(graph, directed=False)[1]
    for root in np.unique(island, return_index=True)[1]:
        order, before = breadth_first_order(graph, root, directed=False)
        for bus in order[1:]:
            parent = before[bus]
            known = shift.get((parent, bus))
            angle[bus] = angle[parent] - known if known is not None else angle[parent] + shift[(bus, parent)]
    return angle
