from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.sites import SiteTable, make_sites
from twin.wan import Wan, fibre_latency_s, great_circle_km, max_min_fair, star
from twin.wan_files import read_gml
from twin.wan_graph import from_graph
from weather import InputError


def sites(n: int = 4, **changes: Any) -> SiteTable:
    columns: dict[str, Any] = {
        "name": [f"s{i}" for i in range(n)],
        "grid": [0] * n,
        "bus": ["1"] * n,
        "n_gpus": [8] * n,
        "latitude": [float(40 + 2 * i) for i in range(n)],
        "longitude": [0.0] * n,
    }
    return make_sites(**(columns | changes))


def test_great_circle_of_a_published_pair() -> None:
    # London (51.5074, -0.1278) to New York (40.7128, -74.0060): 5570 km.
    assert float(great_circle_km(51.5074, -0.1278, 40.7128, -74.0060)) == pytest.approx(5570, abs=1)


def test_great_circle_of_antipodes_and_of_nothing() -> None:
    assert float(great_circle_km(30.0, 10.0, -30.0, -170.0)) == pytest.approx(np.pi * 6371.0088)
    assert float(great_circle_km(30.0, 10.0, 30.0, 10.0)) == 0.0


def test_transatlantic_round_trip_lies_near_the_measured_one() -> None:
    # Real sea cables are straighter than the land factor 2.1; at 1.3 the round trip is 70-80 ms as measured.
    assert 0.070 <= 2 * float(fibre_latency_s(5570.0, 1.3)) <= 0.080


def test_star_has_two_links_per_site_and_one_path_per_pair() -> None:
    wan = star(sites(3), access_gbit_per_s=[10.0, 20.0, 40.0], goodput=0.8)
    assert wan.link == ("up:s0", "up:s1", "up:s2", "down:s0", "down:s1", "down:s2")
    assert [wan.link[k] for k in np.flatnonzero(wan.on_path[2, 0])] == ["up:s2", "down:s0"]
    assert not wan.on_path[[0, 1, 2], [0, 1, 2]].any()
    np.testing.assert_allclose(wan.bandwidth_gbit_per_s, [[0, 8, 8], [8, 0, 16], [8, 16, 0]])


def test_star_latency_is_the_great_circle_with_detour() -> None:
    wan = star(sites(2))
    # Two degrees of latitude are 222.39 km.
    assert wan.latency_s[0, 1] == pytest.approx(222.39 * 2.1 * 5e-6, rel=1e-4)
    assert wan.latency_s[0, 0] == 0.0
    assert np.array_equal(wan.latency_s, wan.latency_s.T)


def test_background_traffic_takes_its_part() -> None:
    wan = star(sites(2), access_gbit_per_s=10.0, background_gbit_per_s=[4.0, 0.0], goodput=0.5)
    assert wan.max_min_rates([0], [1])[0] == 3.0


def test_shared_access_by_hand() -> None:
    # s0 sends to s1 and s2, s1 to s2. Down to s2 has 4: 2 each; up of s0 has 10: the rest, 8, goes to s1.
    wan = star(sites(3), access_gbit_per_s=[10.0, 10.0, 4.0], goodput=1.0)
    assert wan.max_min_rates([0, 0, 1], [1, 2, 2]).tolist() == [8.0, 2.0, 2.0]


def test_opposite_directions_do_not_share() -> None:
    wan = star(sites(2), access_gbit_per_s=10.0, goodput=1.0)
    assert wan.max_min_rates([0, 1], [1, 0]).tolist() == [10.0, 10.0]


def test_zero_capacity_gives_zero_rate_and_leaves_the_others() -> None:
    wan = star(sites(3), access_gbit_per_s=[0.0, 10.0, 10.0], goodput=1.0)
    assert wan.max_min_rates([0, 1, 1], [1, 0, 2]).tolist() == [0.0, 0.0, 10.0]


def test_no_transfers_have_no_rates() -> None:
    assert star(sites(2)).max_min_rates([], []).shape == (0,)


@pytest.mark.parametrize("pair", [(1, 1), (0, 4), (-1, 0)])
def test_transfers_must_be_between_two_sites(pair: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"transfer 1: goes from site"):
        star(sites(4)).max_min_rates([0, pair[0]], [1, pair[1]])


def test_bad_links_are_all_reported() -> None:
    with pytest.raises(InputError) as error:
        star(
            sites(2),
            access_gbit_per_s=[-1.0, 5.0],
            background_gbit_per_s=[0.0, 6.0],
            goodput=0.0,
            energy_kwh_per_gb=-1.0,
        )
    text = str(error.value)
    for part in ("up:s0", "down:s0", "up:s1", "down:s1", "goodput", "energy_kwh_per_gb"):
        assert part in text


def test_one_value_per_site_or_one_for_all() -> None:
    with pytest.raises(InputError, match="access_gbit_per_s"):
        star(sites(3), access_gbit_per_s=[1.0, 2.0])


@st.composite
def sharing(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n_transfers, n_links = draw(st.integers(1, 12)), draw(st.integers(1, 8))
    flat = draw(st.lists(st.booleans(), min_size=n_transfers * n_links, max_size=n_transfers * n_links))
    on_path = np.array(flat).reshape(n_transfers, n_links)
    on_path[np.arange(n_transfers), np.arange(n_transfers) % n_links] = True
    capacity = draw(st.lists(st.floats(0, 1000), min_size=n_links, max_size=n_links))
    return on_path, np.array(capacity)


@given(sharing())
def test_max_min_certificate(case: tuple[np.ndarray, np.ndarray]) -> None:
    on_path, capacity = case
    rates = max_min_fair(on_path, capacity)
    used = rates @ on_path
    assert np.all(used <= capacity * (1 + 1e-9) + 1e-9)
    full = used >= capacity * (1 - 1e-9) - 1e-9
    for transfer, path in enumerate(on_path):
        bottlenecks = [
            link
            for link in np.flatnonzero(path & full)
            if rates[transfer] >= rates[on_path[:, link]].max() * (1 - 1e-9) - 1e-9
        ]
        assert bottlenecks, f"transfer {transfer} could have more"


@given(sharing(), st.randoms(use_true_random=False))
def test_order_of_transfers_changes_no_bit(case: tuple[np.ndarray, np.ndarray], random: Any) -> None:
    on_path, capacity = case
    order = np.array(random.sample(range(len(on_path)), len(on_path)))
    assert np.array_equal(max_min_fair(on_path[order], capacity), max_min_fair(on_path, capacity)[order])


@given(sharing(), st.floats(0, 500))
def test_a_lone_transfer_gets_its_narrowest_link(case: tuple[np.ndarray, np.ndarray], more: float) -> None:
    on_path, capacity = case
    assert max_min_fair(on_path[:1], capacity)[0] == capacity[on_path[0]].min()
    assert max_min_fair(on_path[:1], capacity + more)[0] >= capacity[on_path[0]].min()


def line_graph(**edge: Any) -> nx.Graph:
    """Nodes 7, 8, 9 at the first three sites, in a line."""
    graph = nx.Graph()
    for node, latitude in ((7, 40.0), (8, 42.0), (9, 44.0)):
        graph.add_node(node, Latitude=latitude, Longitude=0.0)
    graph.add_edge(7, 8, **({"LinkSpeedRaw": 10e9} | edge))
    graph.add_edge(8, 9, LinkSpeedRaw=1e9)
    return graph


def test_graph_paths_capacities_and_latency_by_hand() -> None:
    wan = from_graph(line_graph(), sites(3), access_gbit_per_s=100.0, goodput=1.0)
    assert {wan.link[k] for k in np.flatnonzero(wan.on_path[0, 2])} == {"up:s0", "7>8", "8>9", "down:s2"}
    np.testing.assert_allclose(wan.bandwidth_gbit_per_s, [[0, 10, 1], [10, 0, 1], [1, 1, 0]])
    assert wan.latency_s[0, 2] == pytest.approx(444.78 * 2.1 * 5e-6, rel=1e-4)
    # Both long transfers share 8>9, the short one has what they leave of 7>8.
    assert wan.max_min_rates([0, 0, 0], [2, 2, 1]).tolist() == [0.5, 0.5, 9.0]


def test_distance_to_the_node_counts() -> None:
    near = from_graph(line_graph(), sites(3))
    far = from_graph(line_graph(), sites(3, longitude=[-3.0, 0.0, 0.0]), attach={"s0": 7})
    extra = float(fibre_latency_s(great_circle_km(40.0, -3.0, 40.0, 0.0)))
    assert far.latency_s[0, 1] - near.latency_s[0, 1] == pytest.approx(extra)


def test_the_path_of_least_delay_is_taken() -> None:
    graph = line_graph()
    graph.add_edge(7, 9, LinkSpeedRaw=1e6, latency_s=1e-3)
    wan = from_graph(graph, sites(3))
    assert {wan.link[k] for k in np.flatnonzero(wan.on_path[0, 2])} == {"up:s0", "7>9", "down:s2"}
    assert wan.latency_s[0, 2] == pytest.approx(1e-3)


def test_parallel_edges_add_up() -> None:
    graph = nx.MultiGraph(line_graph())
    graph.add_edge(8, 9, LinkSpeedRaw=3e9)
    assert from_graph(graph, sites(3), goodput=1.0).bandwidth_gbit_per_s[0, 2] == 4.0


def test_islands_are_not_reachable() -> None:
    graph = line_graph()
    graph.remove_edge(8, 9)
    wan = from_graph(graph, sites(3), goodput=1.0)
    assert wan.reachable.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert wan.latency_s[0, 2] == np.inf
    assert wan.bandwidth_gbit_per_s[0, 2] == 0.0
    assert wan.max_min_rates([0, 0], [1, 2]).tolist() == [10.0, 0.0]


def test_sites_at_one_node_share_only_their_access() -> None:
    wan = from_graph(line_graph(), sites(3), attach={"s1": 7}, access_gbit_per_s=5.0, goodput=1.0)
    assert {wan.link[k] for k in np.flatnonzero(wan.on_path[0, 1])} == {"up:s0", "down:s1"}


def test_background_share_leaves_the_access_links() -> None:
    wan = from_graph(line_graph(), sites(3), access_gbit_per_s=5.0, background_share=0.75, goodput=1.0)
    assert wan.max_min_rates([0], [1])[0] == 2.5
    assert wan.background_gbit_per_s[:6].tolist() == [0.0] * 6


def test_all_graph_findings_at_once() -> None:
    graph = line_graph(LinkSpeedRaw=-1.0)
    del graph.edges[8, 9]["LinkSpeedRaw"]
    del graph.nodes[9]["Latitude"]
    with pytest.raises(InputError) as error:
        from_graph(graph, sites(3), attach={"s0": 70, "nowhere": 7}, background_share=1.0)
    text = str(error.value)
    assert len(error.value.findings) == 6
    for part in (
        "edge 8-9: has no LinkSpeedRaw",
        "edge 8-9: has no delay",
        "-1e-09 Gbit/s",
        "node 70",
        "'nowhere'",
    ):
        assert part in text


def test_a_graph_without_positions_needs_named_nodes() -> None:
    graph = nx.Graph([(0, 1)])
    with pytest.raises(InputError, match="name its node in attach"):
        from_graph(graph, sites(2), default_capacity_gbit_per_s=1.0, default_latency_s=0.0)
    wan = from_graph(
        graph,
        sites(2),
        attach={"s0": 0, "s1": 1},
        default_capacity_gbit_per_s=1.0,
        default_latency_s=0.01,
        goodput=1.0,
    )
    assert wan.latency_s[0, 1] == 0.01
    assert wan.bandwidth_gbit_per_s[0, 1] == 1.0


def test_gml_text_is_read_by_id(tmp_path: Path) -> None:
    file = tmp_path / "two.gml"
    file.write_text(
        'graph [ node [ id 0 label "X" Latitude 40.0 Longitude 0.0 ]'
        ' node [ id 1 label "X" Latitude 42.0 Longitude 0.0 ]'
        " edge [ source 0 target 1 LinkSpeedRaw 2000000000.0 ] ]\n"
    )
    wan = from_graph(read_gml(file), sites(2), goodput=1.0)
    assert wan.bandwidth_gbit_per_s[0, 1] == 2.0


@pytest.mark.parametrize("content", [None, "graph [ node [ id 0", "\x00\x01"])
def test_files_that_are_no_gml(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "bad.gml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=r"bad\.gml"):
        read_gml(file)


@pytest.mark.parametrize(
    ("name", "n_nodes", "n_bad"),
    [("Geant2009", 34, 0), ("Uninett2010", 74, 3), ("Niif", 36, 1), ("Savvis", 19, 0)],
)
def test_real_topologies(real_data: Path, name: str, n_nodes: int, n_bad: int) -> None:
    graph = read_gml(real_data / "wan_topologies" / f"{name}.gml")
    assert len(graph) == n_nodes
    places = sorted(graph.nodes)[:6:2]
    attach = {f"s{i}": node for i, node in enumerate(places)}
    if n_bad:
        with pytest.raises(InputError) as error:
            from_graph(graph, sites(3), attach=attach)
        assert len(error.value.findings) == n_bad
    wan = from_graph(graph, sites(3), attach=attach, default_capacity_gbit_per_s=1.0, default_latency_s=1e-3)
    assert isinstance(wan, Wan)
    assert wan.reachable.sum() == 6
    assert np.all(wan.bandwidth_gbit_per_s[wan.reachable] >= 0.85 * 0.034)
    assert np.array_equal(wan.bandwidth_gbit_per_s, wan.bandwidth_gbit_per_s.T)
