"""Files of networks: every form read to one graph, what they lack is asked for, the real ones attach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.twin.test_wan import sites
from twin.wan import Wan, fibre_latency_s, great_circle_km
from twin.wan_files import read_distances, read_gml, read_graphml, read_topohub, read_topology
from twin.wan_graph import from_graph
from weather import InputError

GML = """graph [
  node [ id 0 label "X" Latitude 40.0 Longitude 0.0 ]
  node [ id 1 label "X" Latitude 42.0 Longitude 0.0 ]
  node [ id 2 label "Z" Latitude 44.0 Longitude 0.0 ]
  edge [ source 0 target 1 LinkSpeedRaw 2000000000.0 ]
  edge [ source 1 target 2 LinkSpeedRaw 3000000000.0 ]
]
"""

GRAPHML = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="Latitude" attr.type="double" for="node" id="d1" />
  <key attr.name="Longitude" attr.type="double" for="node" id="d2" />
  <key attr.name="label" attr.type="string" for="node" id="d3" />
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d4" />
  <graph edgedefault="undirected">
    <node id="0"><data key="d1">40.0</data><data key="d2">0.0</data><data key="d3">X</data></node>
    <node id="1"><data key="d1">42.0</data><data key="d2">0.0</data><data key="d3">X</data></node>
    <node id="2"><data key="d1">44.0</data><data key="d2">0.0</data><data key="d3">Z</data></node>
    <edge source="0" target="1"><data key="d4">2000000000.0</data></edge>
    <edge source="1" target="2"><data key="d4">3000000000.0</data></edge>
  </graph>
</graphml>
"""

TOPOHUB: dict[str, Any] = {
    "directed": False,
    "multigraph": False,
    "graph": {"name": "small"},
    "nodes": [
        {"name": "X", "pos": [0.0, 40.0], "id": 0},
        {"name": "X", "pos": [0.0, 42.0], "id": 1},
        {"name": "Z", "pos": [0.0, 44.0], "id": 2},
    ],
    "edges": [{"dist": 222.39, "source": 0, "target": 1}, {"dist": 222.39, "source": 1, "target": 2}],
}


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_gml_and_graphml_of_one_network_give_one_graph(tmp_path: Path) -> None:
    gml = read_topology(written(tmp_path, "a.gml", GML))
    graphml = read_topology(written(tmp_path, "a.graphml", GRAPHML))
    assert list(gml.nodes) == list(graphml.nodes) == [0, 1, 2]
    assert {tuple(sorted(e[:2])): e[2]["LinkSpeedRaw"] for e in graphml.edges(data=True)} == {
        (0, 1): 2e9,
        (1, 2): 3e9,
    }
    wans = [from_graph(graph, sites(3), goodput=1.0) for graph in (gml, graphml)]
    np.testing.assert_array_equal(wans[0].latency_s, wans[1].latency_s)
    np.testing.assert_array_equal(wans[0].bandwidth_gbit_per_s, [[0, 2, 2], [2, 0, 3], [2, 3, 0]])
    np.testing.assert_array_equal(wans[1].bandwidth_gbit_per_s, wans[0].bandwidth_gbit_per_s)


def test_graphml_keeps_ids_that_are_words(tmp_path: Path) -> None:
    text = GRAPHML
    for i in range(3):
        text = text.replace(f'"{i}"', f'"n{i}"')
    assert list(read_graphml(written(tmp_path, "a.graphml", text))) == ["n0", "n1", "n2"]


def test_parallel_edges_are_read_also_where_they_are_not_announced(tmp_path: Path) -> None:
    twice = GML.replace(
        "edge [ source 1", "edge [ source 0 target 1 LinkSpeedRaw 5000000000.0 ]\n  edge [ source 1"
    )
    wan = from_graph(read_gml(written(tmp_path, "a.gml", twice)), sites(3), goodput=1.0)
    assert wan.bandwidth_gbit_per_s[0, 1] == 7.0


def test_topohub_has_lengths_and_asks_for_capacity(tmp_path: Path) -> None:
    graph = read_topology(written(tmp_path, "a.json", json.dumps(TOPOHUB)))
    with pytest.raises(InputError, match="default_capacity_gbit_per_s") as error:
        from_graph(graph, sites(3))
    assert len(error.value.findings) == 2
    wan = from_graph(graph, sites(3), default_capacity_gbit_per_s=8.0, goodput=1.0)
    assert wan.bandwidth_gbit_per_s[0, 2] == 8.0
    # 444.78 km of line of sight, 2.1 times as long in fibre, 5 µs a km.
    assert wan.latency_s[0, 2] == pytest.approx(444.78 * 2.1 * 5e-6)


def test_many_edges_without_capacity_are_counted(tmp_path: Path) -> None:
    ring = {
        "nodes": [{"id": i, "pos": [float(i), 40.0]} for i in range(12)],
        "edges": [{"source": i, "target": (i + 1) % 12, "dist": 100.0} for i in range(12)],
    }
    graph = read_topohub(written(tmp_path, "a.json", json.dumps(ring)))
    with pytest.raises(InputError, match="7 more edges: has no LinkSpeedRaw") as error:
        from_graph(graph, sites(2))
    assert len(error.value.findings) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": 3}, "no lists of nodes and edges"),
        ({"nodes": [{"name": "X"}]}, "node 0: has no id"),
        ({"nodes": [{"id": 0, "pos": [1.0]}]}, "give longitude and latitude"),
        ({"edges": [{"source": 0, "target": 9}]}, "goes from 0 to 9"),
    ],
)
def test_topohub_files_that_lack_something(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_topohub(written(tmp_path, "a.json", json.dumps(TOPOHUB | change)))


def test_distances_alone_by_the_names_of_sites(tmp_path: Path) -> None:
    file = written(tmp_path, "d.csv", "from,to,distance_km\ns0,s1,1000\ns1,s2,200\n")
    wan = from_graph(read_topology(file), sites(3), default_capacity_gbit_per_s=10.0, goodput=1.0)
    np.testing.assert_allclose(wan.latency_s[0], [0.0, 0.0105, 0.0126])
    assert wan.link[6:] == ("s0>s1", "s1>s0", "s1>s2", "s2>s1")


def test_length_of_fibre_and_measured_delay_need_no_factor(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "d.csv",
        "from,to,distance_km,fibre_km,latency_s,capacity_gbit_per_s\n"
        "s0,s1,1000,1300,,4\ns1,s2,1000,1300,0.009,5\ns0,s2,5000,,,6\n",
    )
    wan = from_graph(read_distances(file), sites(3), goodput=1.0)
    np.testing.assert_allclose(wan.latency_s[0], [0.0, 1300 * 5e-6, 1300 * 5e-6 + 0.009])
    assert wan.bandwidth_gbit_per_s[0].tolist() == [0.0, 4.0, 4.0]


def test_all_findings_of_a_table_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "d.csv", "from,to,distance_km\ns0,s1,-3\ns1,,200\ns1,s2,\ns0,s2,far\n")
    with pytest.raises(InputError) as error:
        read_distances(file)
    text = str(error.value)
    for part in (
        "row 1: distance_km",
        "row 2: an end has no name",
        "row 3: has none of distance_km",
        "row 4: distance_km: is 'far'",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.gml", None, "no such file"),
        ("a.xlsx", "x", "ends in '.xlsx'"),
        ("a.graphml", "graph [", "is not GraphML"),
        ("a.graphml", "<a/>", "is not GraphML"),
        ("a.json", "{", "is not JSON"),
        ("a.csv", "", "is no table"),
        ("a.csv", "from,to\n1,2\n", "column missing: distance_km or fibre_km or latency_s"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        written(tmp_path, name, content)
    with pytest.raises(InputError, match=message):
        read_topology(tmp_path / name)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.gml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        read_gml(tmp_path / "a.gml")


def test_a_site_may_name_its_node_by_id_text_or_a_label_that_is_alone(tmp_path: Path) -> None:
    graph = read_gml(written(tmp_path, "a.gml", GML))
    wan = from_graph(graph, sites(3), attach={"s0": "Z", "s1": "1", "s2": 0}, goodput=1.0)
    np.testing.assert_array_equal(wan.bandwidth_gbit_per_s, [[0, 3, 2], [3, 0, 2], [2, 2, 0]])
    with pytest.raises(InputError, match=r"label 'X' is that of nodes 0, 1; name one by its id"):
        from_graph(graph, sites(3), attach={"s0": "X"})


def test_a_topology_of_another_continent_is_refused(tmp_path: Path) -> None:
    graph = read_gml(written(tmp_path, "a.gml", GML))
    far = sites(2, longitude=[-110.0, 0.0])
    with pytest.raises(InputError, match=r"site 's0': its nearest node 2 is \d+ km away"):
        from_graph(graph, far)
    wan = from_graph(graph, far, max_access_km=1e5)
    assert wan.latency_s[0, 1] > float(fibre_latency_s(great_circle_km(44.0, -110.0, 44.0, 0.0)))


def test_positions_off_the_globe_are_found(tmp_path: Path) -> None:
    graph = read_gml(written(tmp_path, "a.gml", GML.replace("Latitude 42.0", "Latitude 420.0")))
    with pytest.raises(InputError, match=r"node 1: is at latitude 420\.0"):
        from_graph(graph, sites(3))


@pytest.mark.parametrize(
    ("name", "n_nodes", "latitude", "longitude"),
    [
        ("Geant2009.gml", 34, [52.5, 40.4, 52.2], [13.4, -3.7, 21.0]),
        ("Savvis.gml", 19, [37.4, 40.7, 41.9], [-122.0, -74.0, -87.6]),
        ("sndlib_geant.topohub.json", 22, [52.5, 40.4, 52.2], [13.4, -3.7, 21.0]),
        ("sndlib_nobel-us.topohub.json", 14, [37.4, 40.7, 41.9], [-122.0, -74.0, -87.6]),
    ],
)
def test_real_networks_take_sites_by_their_place(
    real_data: Path, name: str, n_nodes: int, latitude: list[float], longitude: list[float]
) -> None:
    graph = read_topology(real_data / "wan_topologies" / name)
    assert len(graph) == n_nodes
    placed = sites(3, latitude=latitude, longitude=longitude)
    default = 100.0 if name.endswith("json") else None
    wan = from_graph(graph, placed, default_capacity_gbit_per_s=default)
    assert isinstance(wan, Wan)
    assert wan.reachable.sum() == 6
    direct = fibre_latency_s(
        great_circle_km(
            placed.latitude[:, None], placed.longitude[:, None], placed.latitude, placed.longitude
        )
    )
    # None is shorter than the great circle (topohub rounds lengths to 10 m), none goes round the world.
    assert np.all(wan.latency_s >= direct * (1 - 1e-3))
    assert np.all(wan.latency_s <= 3 * direct + 1e-9)


def test_links_of_a_real_network_have_the_length_of_the_great_circle(real_data: Path) -> None:
    graph = read_topohub(real_data / "wan_topologies" / "sndlib_geant.topohub.json")
    for a, b, data in graph.edges(data=True):
        ends = [graph.nodes[node] for node in (a, b)]
        straight = great_circle_km(*(end[key] for end in ends for key in ("Latitude", "Longitude")))
        assert data["distance_km"] == pytest.approx(float(straight), rel=5e-3)
