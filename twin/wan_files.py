"""Files of wide-area networks: GML and GraphML of the Topology Zoo, topohub's JSON, tables of distances.

Every reader gives a graph in one form. Nodes go by their id, since labels may repeat, and may have `label`,
`Latitude` and `Longitude` [degree]. Edges may have `LinkSpeedRaw` [bit/s], `distance_km` (great circle),
`fibre_km` (of the fibre itself) and `latency_s`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np
import pandas as pd

from weather import Finding, Findings, InputError, PathLike

BIT_PER_GBIT = 1e9

DISTANCE_COLUMNS = ("from", "to")
"""Columns a table of distances must have, beside `distance_km`, `fibre_km` or `latency_s`."""

LENGTH_COLUMNS = ("distance_km", "fibre_km", "latency_s")


def read_topology(path: PathLike) -> nx.Graph:
    """Read a network by the ending of its file.

    Parameters
    ----------
    path
        File: `.gml`, `.graphml`, `.json` (topohub) or `.csv` (distances).

    Returns
    -------
    networkx.Graph or MultiGraph
        See the module.

    Raises
    ------
    InputError
        Where the file is not there, of another kind or not what its ending says.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in TOPOLOGY_READERS:
        known = ", ".join(sorted(TOPOLOGY_READERS))
        raise InputError("topology", [Finding(str(path), f"ends in {suffix!r}", f"give one of {known}")])
    return TOPOLOGY_READERS[suffix](path)


def read_gml(path: PathLike) -> nx.Graph:
    """Read a graph in the form of the Internet Topology Zoo.

    Parameters
    ----------
    path
        GML file. Nodes have `Latitude` and `Longitude` [degree], edges `LinkSpeedRaw` [bit/s]; either may be
        missing. Parallel edges are read also where the file does not announce them.

    Returns
    -------
    networkx.Graph or MultiGraph
        Nodes by their id, as labels may repeat.

    Raises
    ------
    InputError
        Where the file is not there or not GML.
    """
    remedy = "a GML file of the Topology Zoo's form"
    lines = _read_text(path, remedy).splitlines()
    try:
        return _parse_gml(lines)
    except (nx.NetworkXError, ValueError) as error:
        finding = Finding(str(path), f"is not GML ({error})", f"give {remedy}")
        raise InputError("topology", [finding]) from error


def _parse_gml(lines: list[str]) -> nx.Graph:
    """Return the graph of a GML text; where edges are parallel and it does not say so, as if it did."""
    try:
        return nx.parse_gml(lines, label="id")
    except nx.NetworkXError as error:
        if not (str(error).startswith("edge") and str(error).endswith("is duplicated")):
            raise
    begin = next(i for i, line in enumerate(lines) if line.split()[:1] == ["graph"])
    announced = lines[begin].replace("[", "[ multigraph 1 ", 1)
    return nx.parse_gml([*lines[:begin], announced, *lines[begin + 1 :]], label="id")


def read_graphml(path: PathLike) -> nx.Graph:
    """Read a graph in the GraphML form of the Internet Topology Zoo.

    Parameters
    ----------
    path
        GraphML file with keys `Latitude`, `Longitude`, `label` and `LinkSpeedRaw`; any may be missing.

    Returns
    -------
    networkx.Graph or MultiGraph
        Nodes by their id: whole numbers where all ids are, as in GML.

    Raises
    ------
    InputError
        Where the file is not there or not GraphML.
    """
    remedy = "a GraphML file of the Topology Zoo's form"
    _read_text(path, remedy)
    try:
        graph = nx.read_graphml(Path(path))
    except (nx.NetworkXError, ParseError, ValueError, KeyError) as error:
        finding = Finding(str(path), f"is not GraphML ({error})", f"give {remedy}")
        raise InputError("topology", [finding]) from error
    if all(str(node).isdecimal() for node in graph):
        graph = nx.relabel_nodes(graph, {node: int(node) for node in graph})
    return graph


def read_topohub(path: PathLike) -> nx.Graph:
    """Read a network of the package topohub.

    Parameters
    ----------
    path
        JSON file of nodes with `id`, `name` and `pos` (longitude, latitude) [degree], and edges with
        `source`, `target` and `dist`, their length along the great circle. [km] It has no capacities: say a
        default.

    Returns
    -------
    networkx.Graph
        Nodes by their id.

    Raises
    ------
    InputError
        With every finding: no JSON, nodes or edges without what they need.
    """
    remedy = "a JSON file of topohub with nodes and edges"
    findings = Findings()
    try:
        raw = json.loads(_read_text(path, remedy))
    except json.JSONDecodeError as error:
        raise InputError(
            "topology", [Finding(str(path), f"is not JSON ({error})", f"give {remedy}")]
        ) from error
    nodes, edges = (raw.get("nodes"), raw.get("edges", raw.get("links"))) if isinstance(raw, dict) else (0, 0)
    if not (isinstance(nodes, list) and isinstance(edges, list)):
        raise InputError(
            "topology", [Finding(str(path), "has no lists of nodes and edges", f"give {remedy}")]
        )
    graph = nx.MultiDiGraph() if raw.get("directed") else nx.MultiGraph()
    for i, node in enumerate(nodes):
        _add_node(graph, i, node, findings)
    for i, edge in enumerate(edges):
        _add_edge(graph, i, edge, findings)
    findings.raise_if_any(f"topology {path}")
    return graph


def _add_node(graph: nx.Graph, i: int, node: object, findings: Findings) -> None:
    """Add a node of topohub."""
    if not isinstance(node, Mapping) or "id" not in node:
        findings.add(f"node {i}", "has no id")
        return
    position = node.get("pos", ())
    if len(position) not in (0, 2):
        findings.add(f"node {node['id']}", f"pos is {position}", "give longitude and latitude")
        return
    placed = {"Longitude": position[0], "Latitude": position[1]} if len(position) == 2 else {}
    graph.add_node(node["id"], label=str(node.get("name", node["id"])), **placed)


def _add_edge(graph: nx.Graph, i: int, edge: object, findings: Findings) -> None:
    """Add an edge of topohub."""
    ends = (edge.get("source"), edge.get("target")) if isinstance(edge, Mapping) else (None, None)
    if not isinstance(edge, Mapping) or ends[0] not in graph or ends[1] not in graph:
        findings.add(f"edge {i}", f"goes from {ends[0]!r} to {ends[1]!r}", "name the ids of two nodes")
        return
    graph.add_edge(*ends, **({"distance_km": edge["dist"]} if "dist" in edge else {}))


def read_distances(path: PathLike) -> nx.Graph:
    """Read a table of links by their lengths.

    Parameters
    ----------
    path
        CSV with columns `from`, `to` and one or more of `distance_km` (great circle, lengthened by the path
        factor), `fibre_km` (of the fibre itself) and `latency_s` (measured, one way); `capacity_gbit_per_s`
        is optional. Rows are links in both directions. There are no positions: a site is at the node of its
        name.

    Returns
    -------
    networkx.MultiGraph
        Nodes by their name.

    Raises
    ------
    InputError
        With every finding: missing columns, links without length, negative or unreadable numbers.
    """
    _read_text(path, "a CSV file of distances")
    try:
        table = pd.read_csv(Path(path), dtype={"from": str, "to": str}, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        finding = Finding(str(path), f"is no table ({error})", "give a CSV file of distances")
        raise InputError("topology", [finding]) from error
    findings = Findings()
    given = [name for name in LENGTH_COLUMNS if name in table]
    missing = [name for name in DISTANCE_COLUMNS if name not in table]
    if missing or not given:
        names = ", ".join(missing) or " or ".join(LENGTH_COLUMNS)
        findings.add(str(path), f"column missing: {names}", "name the columns in the first line")
    findings.raise_if_any("topology")
    graph = nx.MultiGraph()
    optional = [*given, *(["capacity_gbit_per_s"] if "capacity_gbit_per_s" in table else [])]
    for i, row in enumerate(table.to_dict("records")):
        values = {name: _number(row[name], f"row {i + 1}: {name}", findings) for name in optional}
        data = {name: value for name, value in values.items() if np.isfinite(value)}
        if not any(name in data for name in given):
            findings.add(f"row {i + 1}", f"has none of {', '.join(given)}", "give a length or a delay")
        if pd.isna(row["from"]) or pd.isna(row["to"]):
            findings.add(f"row {i + 1}", "an end has no name")
        if "capacity_gbit_per_s" in data:
            data["LinkSpeedRaw"] = data.pop("capacity_gbit_per_s") * BIT_PER_GBIT
        graph.add_edge(row["from"], row["to"], **data)
    findings.raise_if_any(f"topology {path}")
    return graph


def _number(value: object, where: str, findings: Findings) -> float:
    """Return a number of at least 0, or NaN for an empty cell."""
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        number = -1.0
    if number < 0.0 or np.isinf(number):
        findings.add(where, f"is {value!r}", "give a number of at least 0")
    return number


def _read_text(path: PathLike, kind: str) -> str:
    """Return the text of a file, or raise what is wrong with it."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        what = "there is no such file"
    except UnicodeDecodeError as error:
        what = f"is no text in UTF-8 ({error.reason})"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    raise InputError("topology", [Finding(str(path), what, f"give {kind}")])


TOPOLOGY_READERS: dict[str, Callable[[PathLike], nx.Graph]] = {
    ".gml": read_gml,
    ".graphml": read_graphml,
    ".json": read_topohub,
    ".csv": read_distances,
}
"""Reader of each kind of file by its ending."""
