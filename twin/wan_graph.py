"""A wide-area network from a graph of links: attachment of sites, paths, ways round outages."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.feasibility import DEFAULT_GOODPUT
from twin.migration import DEFAULT_WAN_KWH_PER_GB
from twin.sites import SiteTable
from twin.wan import (
    DEFAULT_ACCESS_GBIT_PER_S,
    MAX_ACCESS_KM,
    PATH_FACTOR,
    Wan,
    fibre_latency_s,
    great_circle_km,
    per_site,
)
from twin.wan_files import BIT_PER_GBIT
from twin.wan_time import Routing
from weather import Findings

_SHOWN = 5
"""Edges without speed or delay that are named one by one."""

Position = tuple[float, float]


def from_graph(
    graph: nx.Graph,
    sites: SiteTable,
    *,
    attach: Mapping[str, Hashable] | None = None,
    default_capacity_gbit_per_s: float | None = None,
    default_latency_s: float | None = None,
    access_gbit_per_s: ArrayLike = DEFAULT_ACCESS_GBIT_PER_S,
    background_share: float = 0.0,
    max_access_km: float = MAX_ACCESS_KM,
    goodput: float = DEFAULT_GOODPUT,
    energy_kwh_per_gb: float = DEFAULT_WAN_KWH_PER_GB,
    path_factor: float = PATH_FACTOR,
) -> Wan:
    """Network of a graph with every site on an access link to one of its nodes.

    Parameters
    ----------
    graph
        Nodes with `Latitude` and `Longitude` [degree]; edges with `LinkSpeedRaw` [bit/s] and, optionally,
        `latency_s`, `fibre_km` or `distance_km`, as `twin.wan_files` reads them. Each undirected edge carries
        its speed in both directions; parallel edges add up.
    sites
        The sites.
    attach
        Node of each site by the site's name: its id, or its label where no other node has the same. A site
        that is not named is at the nearest node with a position; without positions, at the node of its own
        name.
    default_capacity_gbit_per_s
        Speed of edges without one; None makes them an error. [Gbit/s]
    default_latency_s
        Delay of edges whose ends have no position; None makes them an error. [s]
    access_gbit_per_s
        Rate of each site's access link in each direction, one value or one per site. [Gbit/s]
    background_share
        Share of every link but the access links that other traffic takes, in [0, 1).
    max_access_km
        Farthest that a site may be from its nearest node. [km]
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
    positions = _positions(graph, findings)
    directed = _directed(
        graph, positions, default_capacity_gbit_per_s, default_latency_s, path_factor, findings
    )
    nodes = _attach(graph, sites, attach or {}, positions, max_access_km, findings)
    findings.raise_if_any("topology")

    n = sites.n_sites
    speed = np.array([data["gbit_per_s"] for *_, data in directed.edges(data=True)], dtype=np.float64)
    access = per_site(sites, access_gbit_per_s, "access_gbit_per_s")
    access_s = np.array(
        [_access_latency_s(sites, i, positions.get(x), path_factor) for i, x in enumerate(nodes)]
    )
    router = GraphRouter(directed, tuple(nodes), access_s)
    routing = router(np.zeros(2 * n + len(speed), dtype=np.bool_))
    return Wan(
        link=(
            *(f"up:{name}" for name in sites.name),
            *(f"down:{name}" for name in sites.name),
            *(f"{a}>{b}" for a, b in directed.edges),
        ),
        capacity_gbit_per_s=np.concatenate([access, access, speed]),
        background_gbit_per_s=np.concatenate([np.zeros(2 * n), speed * background_share]),
        on_path=routing.on_path,
        reachable=routing.reachable,
        latency_s=routing.latency_s,
        goodput=goodput,
        energy_kwh_per_gb=energy_kwh_per_gb,
        router=router,
    )


@dataclass(frozen=True, eq=False)
class GraphRouter:
    """Finds the paths of least delay over the links that are up.

    Attributes
    ----------
    graph : networkx.DiGraph
        Directed links with `latency_s`, in the order of the network's links after the sites' access.
    nodes : tuple (site)
        Node of each site.
    access_s : ndarray (site)
        Delay between each site and its node. [s]
    """

    graph: nx.DiGraph
    nodes: tuple[Hashable, ...]
    access_s: FloatArray

    def __call__(self, down: BoolArray) -> Routing:
        """Return the paths without the links that are down.

        Parameters
        ----------
        down : ndarray of bool (link)
            Which links are down.

        Returns
        -------
        Routing
            Pairs without a path are not reachable.
        """
        n = len(self.nodes)
        edges = {edge: 2 * n + i for i, edge in enumerate(self.graph.edges)}
        left = nx.restricted_view(self.graph, [], [edge for edge, i in edges.items() if down[i]])
        on_path = np.zeros((n, n, len(down)), dtype=np.bool_)
        latency = np.full((n, n), np.inf)
        for i in np.flatnonzero(~down[:n]):
            delays, paths = nx.single_source_dijkstra(left, self.nodes[i], weight="latency_s")
            for j in np.flatnonzero(~down[n : 2 * n]):
                if i != j and self.nodes[j] in paths:
                    path = paths[self.nodes[j]]
                    latency[i, j] = delays[self.nodes[j]] + self.access_s[i] + self.access_s[j]
                    hops = [edges[hop] for hop in pairwise(path)]
                    on_path[i, j][np.array([i, n + j, *hops])] = True
        np.fill_diagonal(latency, 0.0)
        reachable: BoolArray = np.isfinite(latency) & ~np.eye(n, dtype=np.bool_)
        return Routing(down=down, on_path=on_path, reachable=reachable, latency_s=latency)


def _directed(
    graph: nx.Graph,
    positions: Mapping[Hashable, Position],
    default_capacity_gbit_per_s: float | None,
    default_latency_s: float | None,
    path_factor: float,
    findings: Findings,
) -> nx.DiGraph:
    """Both directions of every edge with speed and delay; adds findings about edges that have none."""
    directed = nx.DiGraph()
    directed.add_nodes_from(graph.nodes)
    slow: list[str] = []
    lost: list[str] = []
    for a, b, data in graph.edges(data=True):
        if a == b:
            continue
        where = f"edge {a}-{b}"
        raw = data.get("LinkSpeedRaw")
        speed = default_capacity_gbit_per_s if raw is None else _number(raw) / BIT_PER_GBIT
        if speed is None:
            slow.append(where)
        elif not 0.0 <= speed < np.inf:
            findings.add(where, f"speed is {speed} Gbit/s", "give a speed of at least 0")
        latency = _latency_s(data, positions.get(a), positions.get(b), path_factor)
        latency = default_latency_s if latency is None else latency
        if latency is None:
            lost.append(where)
        elif not 0.0 <= latency < np.inf:
            findings.add(where, f"latency_s is {latency} s", "give a delay of at least 0 s")
        for ends in ((a, b), (b, a)) if not graph.is_directed() else ((a, b),):
            known = directed.get_edge_data(*ends, default={"gbit_per_s": 0.0, "latency_s": np.inf})
            directed.add_edge(
                *ends,
                gbit_per_s=known["gbit_per_s"] + (speed or 0.0),
                latency_s=min(known["latency_s"], np.inf if latency is None else latency),
            )
    _report(slow, "has no LinkSpeedRaw", "give default_capacity_gbit_per_s, or the speed in bit/s", findings)
    _report(
        lost,
        "has no delay: an end has no position",
        "give default_latency_s, or the edge's latency_s",
        findings,
    )
    return directed


def _report(edges: list[str], what: str, remedy: str, findings: Findings) -> None:
    """Add a finding for each of the first edges, and one for the rest."""
    for where in edges[:_SHOWN]:
        findings.add(where, what, remedy)
    if len(edges) > _SHOWN:
        findings.add(f"{len(edges) - _SHOWN} more edges", what, remedy)


def _latency_s(
    data: Mapping[str, object], a: Position | None, b: Position | None, path_factor: float
) -> float | None:
    """Delay of an edge: as given, of its fibre, of its length or of the positions of its ends. [s]"""
    if "latency_s" in data:
        return _number(data["latency_s"])
    if "fibre_km" in data:
        return float(fibre_latency_s(_number(data["fibre_km"]), 1.0))
    if "distance_km" in data:
        return float(fibre_latency_s(_number(data["distance_km"]), path_factor))
    if a is None or b is None:
        return None
    return float(fibre_latency_s(great_circle_km(*a, *b), path_factor))


def _number(value: object) -> float:
    """Return a number, NaN for what is none."""
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return float("nan")


def _positions(graph: nx.Graph, findings: Findings) -> dict[Hashable, Position]:
    """Latitude and longitude of the nodes that have them. [degree]"""
    positions: dict[Hashable, Position] = {}
    for node, data in graph.nodes(data=True):
        if "Latitude" in data and "Longitude" in data:
            latitude, longitude = _number(data["Latitude"]), _number(data["Longitude"])
            if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0):
                findings.add(
                    f"node {node}",
                    f"is at latitude {data['Latitude']}, longitude {data['Longitude']}",
                    "give degrees in -90..90 and -180..180, or leave the position out",
                )
            positions[node] = latitude, longitude
    return positions


def _attach(
    graph: nx.Graph,
    sites: SiteTable,
    attach: Mapping[str, Hashable],
    positions: Mapping[Hashable, Position],
    max_access_km: float,
    findings: Findings,
) -> list[Hashable]:
    """Node of each site: the named one, the nearest with a position, or the one of its name."""
    for name in attach:
        if name not in sites.name:
            findings.add(f"attach {name!r}", "is no site", f"choose among {', '.join(sites.name)}")
    where: FloatArray = np.array(list(positions.values()), dtype=np.float64).reshape(-1, 2)
    nodes: list[Hashable] = []
    for i, name in enumerate(sites.name):
        if name in attach:
            nodes.append(_node(graph, attach[name], f"attach {name!r}", findings))
        elif positions:
            distance = great_circle_km(where[:, 0], where[:, 1], sites.latitude[i], sites.longitude[i])
            nearest = int(np.argmin(distance))
            nodes.append(list(positions)[nearest])
            if distance[nearest] > max_access_km:
                findings.add(
                    f"site {name!r}",
                    f"its nearest node {nodes[-1]} is {distance[nearest]:.0f} km away",
                    f"choose a topology of its region, name its node in attach, or raise max_access_km "
                    f"above {max_access_km:g} km",
                )
        elif name in graph:
            nodes.append(name)
        else:
            findings.add(f"site {name!r}", "no node has a position", "name its node in attach")
    return nodes


def _node(graph: nx.Graph, key: Hashable, where: str, findings: Findings) -> Hashable:
    """Node of an id, also where a number is written as text, or of a label that only one node has."""
    if key in graph:
        return key
    same = [node for node in graph if str(node) == str(key)]
    same = same or [node for node, label in graph.nodes(data="label") if label == key]
    if not same:
        findings.add(where, f"there is no node {key!r}", "name a node's id, or its label")
    elif len(same) > 1:
        shown = ", ".join(map(str, same))
        findings.add(where, f"the label {key!r} is that of nodes {shown}", "name one by its id")
    return same[0] if same else key


def _access_latency_s(sites: SiteTable, i: int, node: Position | None, path_factor: float) -> float:
    """Delay between a site and its node, 0 where the node has no position. [s]"""
    if node is None:
        return 0.0
    distance = great_circle_km(sites.latitude[i], sites.longitude[i], *node)
    return float(fibre_latency_s(distance, path_factor))
