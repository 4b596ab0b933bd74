"""A wide-area network from a graph of links: readers, attachment of sites, shortest-delay paths."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path

import networkx as nx
import numpy as np

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.feasibility import DEFAULT_GOODPUT
from twin.migration import DEFAULT_WAN_KWH_PER_GB
from twin.sites import SiteTable
from twin.wan import (
    DEFAULT_ACCESS_GBIT_PER_S,
    PATH_FACTOR,
    Wan,
    fibre_latency_s,
    great_circle_km,
    per_site,
)
from weather import Finding, Findings, InputError, PathLike

BIT_PER_GBIT = 1e9

Position = tuple[float, float]


def read_gml(path: PathLike) -> nx.Graph:
    """Read a graph in the form of the Internet Topology Zoo.

    Parameters
    ----------
    path
        GML file. Nodes have `Latitude` and `Longitude` [degree], edges `LinkSpeedRaw` [bit/s]; either may be
        missing.

    Returns
    -------
    networkx.Graph or MultiGraph
        Nodes by their id, as labels may repeat.

    Raises
    ------
    InputError
        Where the file is not there or not GML.
    """
    try:
        return nx.read_gml(Path(path), label="id")
    except FileNotFoundError:
        what = "there is no such file"
    except (nx.NetworkXError, UnicodeDecodeError, ValueError) as error:
        what = f"is not GML ({error})"
    raise InputError("topology", [Finding(str(path), what, "give a GML file of the Topology Zoo's form")])


def from_graph(
    graph: nx.Graph,
    sites: SiteTable,
    *,
    attach: Mapping[str, Hashable] | None = None,
    default_gbit_per_s: float | None = None,
    default_latency_s: float | None = None,
    access_gbit_per_s: ArrayLike = DEFAULT_ACCESS_GBIT_PER_S,
    background_share: float = 0.0,
    goodput: float = DEFAULT_GOODPUT,
    energy_kwh_per_gb: float = DEFAULT_WAN_KWH_PER_GB,
    path_factor: float = PATH_FACTOR,
) -> Wan:
    """Network of a graph with every site on an access link to one of its nodes.

    Parameters
    ----------
    graph
        Nodes with `Latitude` and `Longitude` [degree]; edges with `LinkSpeedRaw` [bit/s] and, optionally,
        `latency_s`. Each undirected edge carries its speed in both directions; parallel edges add up.
    sites
        The sites.
    attach
        Node of each site by the site's name; the nearest one with a position where a site is not named.
    default_gbit_per_s
        Speed of edges without one; None makes them an error. [Gbit/s]
    default_latency_s
        Delay of edges whose ends have no position; None makes them an error. [s]
    access_gbit_per_s
        Rate of each site's access link in each direction, one value or one per site. [Gbit/s]
    background_share
        Share of every link but the access links that other traffic takes, in [0, 1).
    goodput
        Payload over link rate.
    energy_kwh_per_gb
        Energy of the network per payload. [kWh/GB]
    path_factor
        Length of the fibre over the great circle.

    Returns
    -------
    Wan
        With links ``up:<site>``, ``down:<site>`` and ``<node>><node>``, and paths of least delay. Sites
        without a path between them are not reachable.

    Raises
    ------
    InputError
        With every finding: edges without speed or position and no default, negative speeds, unknown nodes or
        sites.
    """
    findings = Findings()
    if not 0.0 <= background_share < 1.0:
        findings.add("background_share", f"is {background_share}", "give a share in [0, 1)")
    directed = _directed(graph, default_gbit_per_s, default_latency_s, path_factor, findings)
    nodes = _attach(graph, sites, attach or {}, findings)
    findings.raise_if_any("topology")

    n = sites.n_sites
    edges = {edge: 2 * n + i for i, edge in enumerate(directed.edges)}
    speed = np.array([directed.edges[edge]["gbit_per_s"] for edge in edges], dtype=np.float64)
    access = per_site(sites, access_gbit_per_s, "access_gbit_per_s")
    positions = _positions(graph)
    access_s = np.array(
        [_access_latency_s(sites, i, positions.get(x), path_factor) for i, x in enumerate(nodes)]
    )
    on_path = np.zeros((n, n, 2 * n + len(edges)), dtype=np.bool_)
    latency = np.full((n, n), np.inf)
    for i in range(n):
        delays, paths = nx.single_source_dijkstra(directed, nodes[i], weight="latency_s")
        for j in range(n):
            if i != j and nodes[j] in paths:
                latency[i, j] = delays[nodes[j]] + access_s[i] + access_s[j]
                hops = [edges[hop] for hop in zip(paths[nodes[j]][:-1], paths[nodes[j]][1:], strict=True)]
                on_path[i, j, [i, n + j, *hops]] = True
    np.fill_diagonal(latency, 0.0)
    reachable: BoolArray = np.isfinite(latency) & ~np.eye(n, dtype=np.bool_)
    return Wan(
        link=(
            *(f"up:{name}" for name in sites.name),
            *(f"down:{name}" for name in sites.name),
            *(f"{a}>{b}" for a, b in edges),
        ),
        capacity_gbit_per_s=np.concatenate([access, access, speed]),
        background_gbit_per_s=np.concatenate([np.zeros(2 * n), speed * background_share]),
        on_path=on_path,
        reachable=reachable,
        latency_s=latency,
        goodput=goodput,
        energy_kwh_per_gb=energy_kwh_per_gb,
    )


def _directed(
    graph: nx.Graph,
    default_gbit_per_s: float | None,
    default_latency_s: float | None,
    path_factor: float,
    findings: Findings,
) -> nx.DiGraph:
    """Both directions of every edge with speed and delay; adds a finding per edge that has none."""
    directed = nx.DiGraph()
    directed.add_nodes_from(graph.nodes)
    positions = _positions(graph)
    for a, b, data in graph.edges(data=True):
        if a == b:
            continue
        where = f"edge {a}-{b}"
        speed = data["LinkSpeedRaw"] / BIT_PER_GBIT if "LinkSpeedRaw" in data else default_gbit_per_s
        if speed is None:
            findings.add(where, "has no LinkSpeedRaw", "give default_gbit_per_s, or the speed in bit/s")
        elif not 0.0 <= speed < np.inf:
            findings.add(where, f"speed is {speed} Gbit/s", "give a speed of at least 0")
        latency = data.get("latency_s")
        if latency is None and a in positions and b in positions:
            latency = float(fibre_latency_s(great_circle_km(*positions[a], *positions[b]), path_factor))
        latency = default_latency_s if latency is None else latency
        if latency is None:
            findings.add(
                where, "has no delay: an end has no position", "give default_latency_s, or latency_s"
            )
        elif not 0.0 <= latency < np.inf:
            findings.add(where, f"latency_s is {latency} s", "give a delay of at least 0 s")
        for ends in ((a, b), (b, a)) if not graph.is_directed() else ((a, b),):
            known = directed.get_edge_data(*ends, default={"gbit_per_s": 0.0, "latency_s": np.inf})
            directed.add_edge(
                *ends,
                gbit_per_s=known["gbit_per_s"] + (speed or 0.0),
                latency_s=min(known["latency_s"], np.inf if latency is None else latency),
            )
    return directed


def _positions(graph: nx.Graph) -> dict[Hashable, Position]:
    """Latitude and longitude of the nodes that have them. [degree]"""
    return {
        node: (float(data["Latitude"]), float(data["Longitude"]))
        for node, data in graph.nodes(data=True)
        if "Latitude" in data and "Longitude" in data
    }


def _attach(
    graph: nx.Graph, sites: SiteTable, attach: Mapping[str, Hashable], findings: Findings
) -> list[Hashable]:
    """Node of each site: the named one, or the nearest with a position."""
    for name in attach:
        if name not in sites.name:
            findings.add(f"attach {name!r}", "is no site", f"choose among {', '.join(sites.name)}")
    positions = _positions(graph)
    where: FloatArray = np.array(list(positions.values()), dtype=np.float64).reshape(-1, 2)
    nodes: list[Hashable] = []
    for i, name in enumerate(sites.name):
        if name in attach:
            nodes.append(attach[name])
            if attach[name] not in graph:
                findings.add(f"attach {name!r}", f"there is no node {attach[name]!r}", "name a node's id")
        elif positions:
            distance = great_circle_km(where[:, 0], where[:, 1], sites.latitude[i], sites.longitude[i])
            nodes.append(list(positions)[int(np.argmin(distance))])
        else:
            findings.add(f"site {name!r}", "no node has a position", "name its node in attach")
    return nodes


def _access_latency_s(sites: SiteTable, i: int, node: Position | None, path_factor: float) -> float:
    """Delay between a site and its node, 0 where the node has no position. [s]"""
    if node is None:
        return 0.0
    distance = great_circle_km(sites.latitude[i], sites.longitude[i], *node)
    return float(fibre_latency_s(distance, path_factor))
