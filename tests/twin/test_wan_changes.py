"""Networks over time: what other traffic leaves, which way is left when links fail, what holds when."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.test_wan import line_graph, sites
from twin.wan import Wan, star
from twin.wan_changes import LinkOutage, daily_background, links_like, with_background, with_outages
from twin.wan_files import read_gml
from twin.wan_graph import from_graph
from twin.wan_time import Retry
from weather import InputError


def ring() -> Wan:
    """Three sites at nodes 7, 8, 9; the direct way from 7 to 9 is longer than the one over 8, and narrow."""
    graph = line_graph()
    graph.add_edge(7, 9, LinkSpeedRaw=5e8, latency_s=0.1)
    return from_graph(graph, sites(3), access_gbit_per_s=100.0, goodput=1.0)


def test_a_network_without_changes_is_itself_at_all_times() -> None:
    wan = star(sites(2))
    assert wan.at(0.0) is wan
    assert wan.at(1e9) is wan
    assert wan.next_change_s(0.0) == np.inf
    assert wan.extremes() == (wan,)


def test_background_over_time_leaves_the_rest_by_hand() -> None:
    # Up and down have 10; others take 4, from 100 s on 9 of the first link, from 200 s on nothing.
    busy = np.array([[4.0, 4, 4, 4], [9, 4, 4, 4], [0, 0, 0, 0]])
    wan = with_background(star(sites(2), access_gbit_per_s=10.0, goodput=0.5), [0.0, 100.0, 200.0], busy)
    rates = [float(wan.at(t).max_min_rates([0], [1])[0]) for t in (0.0, 99.9, 100.0, 200.0, 1e6)]
    assert rates == [3.0, 3.0, 0.5, 5.0, 5.0]
    assert [wan.next_change_s(t) for t in (-1.0, 0.0, 99.0, 100.0, 200.0)] == [
        0.0,
        100.0,
        100.0,
        200.0,
        np.inf,
    ]
    (fastest,) = wan.extremes()
    assert fastest.bandwidth_gbit_per_s[0, 1] == 5.0


def test_a_daily_profile_begins_at_the_hour_of_the_run() -> None:
    times, values = daily_background(np.arange(24.0), 30, first_hour=8.0)
    assert times.tolist() == [3600.0 * k for k in range(30)]
    assert values.tolist() == [(8 + k) % 24 for k in range(30)]
    times, values = daily_background(np.arange(24.0), 1, first_hour=-7.5)
    assert (times.tolist(), values.tolist()) == ([-1800.0, 1800.0], [16.0, 17.0])


def test_profiles_have_24_values() -> None:
    with pytest.raises(InputError, match="one value per hour of the day: 24") as error:
        daily_background([1.0, 2.0], 0)
    assert len(error.value.findings) == 2


def test_all_findings_of_a_background_at_once() -> None:
    wan = star(sites(2), access_gbit_per_s=10.0)
    busy = [[0.0, 11.0, 0.0, 0.0], [0.0, 12.0, -1.0, np.nan]]
    with pytest.raises(InputError) as error:
        with_background(wan, [5.0, 5.0], busy)
    text = str(error.value)
    assert len(error.value.findings) == 4
    for part in ("does not ascend", "11 Gbit/s of 10 at 5 s (2 such)", "'down:s0'", "nan Gbit/s"):
        assert part in text
    with pytest.raises(InputError, match=r"give \(time, link\) = \(1, 4\)"):
        with_background(wan, [0.0], np.zeros((2, 3)))


def test_a_cut_site_of_a_star_has_no_other_way() -> None:
    wan = with_outages(star(sites(3), goodput=1.0), [LinkOutage("up:s0", 50.0, 70.0)])
    assert wan.at(0.0).reachable.sum() == wan.at(70.0).reachable.sum() == 6
    during = wan.at(50.0)
    assert during.reachable.tolist() == [[False, False, False], [True, False, True], [True, True, False]]
    assert during.latency_s[0, 1] == np.inf
    assert during.max_min_rates([0, 1], [1, 0]).tolist() == [0.0, 10.0]


def test_the_way_round_an_outage_by_hand() -> None:
    wan = with_outages(ring(), [LinkOutage("8>9", 10.0, 20.0)])
    assert {wan.link[k] for k in np.flatnonzero(wan.at(0.0).on_path[0, 2])} >= {"7>8", "8>9"}
    during = wan.at(10.0)
    assert {wan.link[k] for k in np.flatnonzero(during.on_path[0, 2])} == {"up:s0", "7>9", "down:s2"}
    assert during.bandwidth_gbit_per_s[0, 2] == 0.5
    assert during.latency_s[0, 2] == pytest.approx(0.1)
    # The other direction of the cable is up, and its way is the old one.
    assert {wan.link[k] for k in np.flatnonzero(during.on_path[2, 0])} == {"up:s2", "9>8", "8>7", "down:s0"}
    np.testing.assert_array_equal(wan.at(20.0).latency_s, ring().latency_s)


def test_outages_of_one_link_may_overlap_and_begin_before_the_run() -> None:
    cuts = [LinkOutage("7>8", -50.0, 20.0), LinkOutage("7>8", 10.0, 30.0), LinkOutage("9>8", 20.0, 40.0)]
    wan = with_outages(ring(), cuts)
    assert wan.timeline is not None
    assert wan.timeline.change_s.tolist() == [0.0, 10.0, 20.0, 30.0, 40.0]
    down = [tuple(wan.link[k] for k in np.flatnonzero(r.down)) for r in wan.timeline.routings]
    assert down == [("7>8",), ("7>8", "9>8"), ("9>8",), ()]
    assert [wan.timeline.routings[k].down.sum() for k in wan.timeline.routing] == [1, 1, 2, 1, 0]


def test_background_and_outages_keep_each_other() -> None:
    traffic = np.zeros((2, len(ring().link)))
    traffic[1] = 0.25
    cut = [LinkOutage("8>9", 10.0, 30.0)]
    one = with_outages(with_background(ring(), [0.0, 20.0], traffic), cut, retry=Retry(first_s=5.0))
    other = with_background(with_outages(ring(), cut, retry=Retry(first_s=5.0)), [0.0, 20.0], traffic)
    for wan in (one, other):
        rates = [float(wan.at(t).bandwidth_gbit_per_s[0, 2]) for t in (0.0, 10.0, 20.0, 30.0)]
        assert rates == [1.0, 0.5, 0.25, 0.75]
        assert wan.timeline is not None
        assert wan.timeline.retry.first_s == 5.0
        assert sorted(float(x.bandwidth_gbit_per_s[0, 2]) for x in wan.extremes()) == [0.5, 1.0]


def test_patterns_of_links() -> None:
    wan = ring()
    assert links_like(wan, "up:*") == ("up:s0", "up:s1", "up:s2")
    assert links_like(wan, "7>8") == ("7>8",)
    assert links_like(wan, "7>8", both_ways=True) == ("7>8", "8>7")
    assert links_like(wan, "up:s1", both_ways=True) == ("up:s1", "down:s1")
    assert links_like(wan, "*") == wan.link
    assert links_like(wan, "1>2") == ()


def test_all_findings_of_outages_at_once() -> None:
    cuts = [LinkOutage("8>1", 0.0, 1.0), LinkOutage("7>8", 5.0, 5.0), LinkOutage("7>8", 0.0, np.nan)]
    with pytest.raises(InputError, match=r"there is no link '8>1'; links are up:s0") as error:
        with_outages(ring(), cuts)
    assert len(error.value.findings) == 3


@pytest.mark.parametrize("waits", [{"first_s": 0.0}, {"first_s": 10.0, "most_s": 5.0}, {"most_s": np.inf}])
def test_waits_are_positive_and_bounded(waits: dict[str, float]) -> None:
    with pytest.raises(InputError, match="retry"):
        Retry(**waits)


cuts = st.lists(
    st.builds(
        lambda link, start, length: LinkOutage(ring().link[link], start, start + length),
        st.integers(0, 11),
        st.integers(-20, 100).map(float),
        st.integers(1, 60).map(float),
    ),
    max_size=5,
)


@given(cuts, st.floats(0.0, 200.0))
def test_no_path_uses_a_link_that_is_down_and_only_outages_take_paths_away(
    outages: list[LinkOutage], now: float
) -> None:
    whole, wan = ring(), with_outages(ring(), outages)
    present = wan.at(now)
    down = np.isin(whole.link, [o.link for o in outages if o.start_s <= now < o.end_s])
    assert not present.on_path[:, :, down].any()
    assert np.array_equal(present.reachable, np.isfinite(present.latency_s) & ~np.eye(3, dtype=bool))
    untouched = ~(whole.on_path & down).any(axis=2)
    np.testing.assert_array_equal(present.latency_s[untouched], whole.latency_s[untouched])
    assert np.all(present.latency_s >= whole.latency_s - 1e-12)
    assert np.all(present.bandwidth_gbit_per_s <= np.max([w.bandwidth_gbit_per_s for w in wan.extremes()], 0))
    assert wan.next_change_s(now) > now


def test_a_real_network_with_a_cut_cable_reaches_whom_its_graph_still_connects(real_data: Path) -> None:
    graph = read_gml(real_data / "wan_topologies" / "Niif.gml")
    nodes = sorted(graph.nodes)[::6]
    placed = sites(len(nodes))
    places = {f"s{i}": node for i, node in enumerate(nodes)}
    wan = from_graph(graph, placed, attach=places, default_latency_s=1e-3)
    cut_off = 0
    for a, b in list(graph.edges)[::4]:
        cut = [LinkOutage(name, 0.0, 1.0) for name in links_like(wan, f"{a}>{b}", both_ways=True)]
        left = nx.restricted_view(graph, [], [(a, b)])
        joined = [[x != y and nx.has_path(left, x, y) for y in nodes] for x in nodes]
        bridged = with_outages(wan, cut).at(0.0)
        np.testing.assert_array_equal(bridged.reachable, joined)
        cut_off += int((wan.reachable & ~bridged.reachable).sum())
    assert cut_off > 0


def test_what_the_last_hours_offered_by_hand() -> None:
    # 10 Gbit/s less 4 until 1 h, 9 until 3 h, then 0, at a goodput of 0.5.
    busy = np.array([[4.0, 4, 4, 4], [9, 4, 4, 4], [0, 0, 0, 0]])
    wan = with_background(star(sites(2), access_gbit_per_s=10.0, goodput=0.5), [0.0, 3600.0, 10800.0], busy)
    past = wan.bandwidth_before(11_000.0, 5)  # at 11,000, 7,400, 3,800, 200 and −3,400 s
    assert past[:, 0, 1].tolist() == [5.0, 0.5, 0.5, 3.0, 3.0]
    assert past[:, 1, 0].tolist() == [5.0, 3.0, 3.0, 3.0, 3.0]
    assert wan.bandwidth_before(200.0, 1)[0, 0, 1] == 3.0  # asked again, earlier
    np.testing.assert_array_equal(wan.bandwidth_before(11_000.0, 5), past)
    assert wan.bandwidth_before(0.0, 0).shape == star(sites(2)).bandwidth_before(0.0, 5).shape == (0, 2, 2)
