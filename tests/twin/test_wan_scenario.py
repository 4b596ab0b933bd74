"""The network of a scenario: from its keys to links, traffic and outages, with all findings by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import JsonValue

from tests.twin.test_wan_files import GML
from twin import Scenario, load_scenario
from twin.migration import MigrationModel
from twin.preparation import site_table
from twin.scenario_network import MigrationSection
from twin.wan import Wan, star
from twin.wan_scenario import make_migration, make_wan
from weather import InputError

SITES: list[JsonValue] = [
    {"name": "a", "bus": "303", "n_gpus": 16},
    {"name": "b", "bus": "101", "n_gpus": 16},
]

# Bus 303 lies in Nevada, 101 in California: both are near one of these nodes.
NEAR = """graph [
  node [ id 0 label "North" Latitude 36.5 Longitude -115.5 ]
  node [ id 1 label "South" Latitude 33.5 Longitude -115.0 ]
  edge [ source 0 target 1 LinkSpeedRaw 20000000000.0 ]
]
"""


def scenario(**wan: Any) -> Scenario:
    return load_scenario({"sites": SITES, "wan": wan, "time": {"days": 1}})


def network(**wan: Any) -> Wan:
    made = scenario(**wan)
    return make_wan(made, site_table(made))


def refused(**wan: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        scenario(**wan)
    return [str(finding) for finding in caught.value.findings]


def test_without_a_topology_it_is_the_star() -> None:
    made = scenario(access_gbit_per_s=40.0, goodput=0.5)
    sites = site_table(made)
    wan, plain = make_wan(made, sites), star(sites, access_gbit_per_s=40.0, goodput=0.5)
    assert wan.timeline is None
    assert wan.link == plain.link
    np.testing.assert_array_equal(wan.latency_s, plain.latency_s)
    np.testing.assert_array_equal(wan.bandwidth_gbit_per_s, plain.bandwidth_gbit_per_s)


def test_a_topology_is_read_and_sites_are_at_their_nodes(tmp_path: Path) -> None:
    file = tmp_path / "near.gml"
    file.write_text(NEAR)
    wan = network(topology=str(file), attach={"a": 0, "b": "South"}, goodput=1.0)
    assert wan.link == ("up:a", "up:b", "down:a", "down:b", "0>1", "1>0")
    assert wan.bandwidth_gbit_per_s[0, 1] == 20.0


def test_a_topology_of_a_table_of_distances_goes_by_the_names_of_sites(tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text("from,to,fibre_km\na,b,1000\n")
    wan = network(topology=str(file), default_capacity_gbit_per_s=10)
    assert wan.latency_s[0, 1] == pytest.approx(5e-3)


def test_background_of_the_day_by_local_hour_and_later_entries_over_earlier_ones() -> None:
    # The run begins at 8:00 UTC, midnight in the west; the evening from 18:00 to 22:00 takes 80 %.
    evening = [0.1] * 18 + [0.8] * 4 + [0.1] * 2
    wan = network(
        background=[{"share": evening, "utc_offset_h": -8}, {"links": ["up:b"], "gbit_per_s": [7.5]}]
    )
    at = {name: i for i, name in enumerate(wan.link)}
    for hour, share in ((0.0, 0.1), (17.99, 0.1), (18.0, 0.8), (21.99, 0.8), (22.0, 0.1), (42.5, 0.8)):
        taken = wan.at(hour * 3600.0).background_gbit_per_s
        assert taken[at["up:a"]] == pytest.approx(share * 100.0), hour
        assert taken[at["up:b"]] == 7.5


def test_background_from_a_table(tmp_path: Path) -> None:
    file = tmp_path / "traffic.csv"
    file.write_text("time,up:a,down:b\n2020-04-06T07:00Z,0.5,0.2\n2020-04-06T09:30Z,0.25,0.0\n")
    wan = network(background=[{"table": str(file)}])
    assert wan.at(0.0).background_gbit_per_s.tolist() == [50.0, 0.0, 0.0, 20.0]
    assert wan.next_change_s(0.0) == 5400.0
    assert wan.at(5400.0).background_gbit_per_s.tolist() == [25.0, 0.0, 0.0, 0.0]
    rates = network(background=[{"table": str(file), "table_unit": "gbit_per_s"}])
    assert rates.at(0.0).background_gbit_per_s.tolist() == [0.5, 0.0, 0.0, 0.2]


def test_outages_by_the_clock_in_both_directions_or_one() -> None:
    span = {"start": "2020-04-06T10:00+01:00", "end": "2020-04-06T10:00Z"}
    wan = network(outages=[{"links": ["up:a"], **span}], retry={"resume": False, "first_s": 5})
    assert wan.timeline is not None
    assert wan.timeline.change_s.tolist() == [0.0, 3600.0, 7200.0]
    assert (wan.timeline.retry.resume, wan.timeline.retry.first_s, wan.timeline.retry.most_s) == (
        False,
        5,
        600,
    )
    assert not wan.at(3600.0).reachable.any()
    one = network(outages=[{"links": ["up:a"], "both_ways": False, **span}])
    assert one.at(3600.0).reachable.tolist() == [[False, False], [True, False]]


def test_findings_are_named_by_their_keys_and_come_at_once() -> None:
    found = refused(
        background=[{}, {"share": [0.1, 0.2]}, {"share": [0.1], "links": ["3>7"]}, {"table": "none.csv"}],
        outages=[
            {"links": ["left:a"], "start": "2020-04-06T10:00Z", "end": "2020-04-06T11:00Z"},
            {"links": ["up:a"], "start": "2020-04-06T11:00Z", "end": "2020-04-06T11:00Z"},
        ],
        retry={"first_s": 60, "most_s": 30},
    )
    assert [text.partition(":")[0] for text in found] == [
        "wan.background.0",
        "wan.background.1.share",
        "wan.background.2.links",
        "wan.background.3.table",
        "wan.outages.0.links",
        "wan.outages.1",
        "wan.retry.most_s",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,up:a\n2020-04-06T07:00,0.5\n", "times without a zone"),
        ("when,up:a\n2020-04-06T07:00Z,0.5\n", "with a column time"),
        ("time,up:c\n2020-04-06T07:00Z,0.5\n", "no links up:c"),
        ("time\n2020-04-06T07:00Z\n", "has no column of a link"),
        ("time,up:a\n2020-04-06T09:00Z,0.5\n", "does not ascend from the start of the run"),
        ("time,up:a\n2020-04-06T07:00Z,0.5\n2020-04-06T07:00Z,0.5\n", "does not ascend"),
        ("time,up:a\n2020-04-06T07:00Z,1.5\n", "background is 150 Gbit/s of 100"),
        ("time,up:a\n2020-04-06T07:00Z,much\n", "background is nan Gbit/s"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "traffic.csv"
    file.write_text(text)
    (found,) = refused(background=[{"table": str(file)}])
    assert found.startswith("wan.background")
    assert message in found


def test_more_traffic_than_a_link_carries_is_refused() -> None:
    found = refused(background=[{"gbit_per_s": [101.0]}])
    assert len(found) == 4
    assert "wan.background: link 'up:a': background is 101 Gbit/s of 100" in found[0]


def test_keys_of_a_topology_that_is_not_there_would_be_ignored() -> None:
    found = refused(default_capacity_gbit_per_s=10, attach={"a": 0})
    assert [text.partition(":")[0] for text in found] == ["wan.default_capacity_gbit_per_s", "wan.attach"]


def test_what_is_wrong_with_a_topology_is_said_when_the_scenario_is_read(tmp_path: Path) -> None:
    file = tmp_path / "far.gml"
    file.write_text(GML)
    assert all("km away" in text for text in refused(topology=str(file)))
    assert "not found" in refused(topology="nowhere/none.gml")[0]


def test_real_topologies_of_the_study_region_and_of_another_continent(real_data: Path) -> None:
    wan = network(topology=str(real_data / "wan_topologies" / "Savvis.gml"))
    assert wan.reachable.sum() == 2
    assert wan.bandwidth_gbit_per_s[0, 1] == pytest.approx(0.85 * 0.045)
    found = refused(topology="wan_topologies/sndlib_geant.topohub.json", default_capacity_gbit_per_s=100)
    assert len(found) == 2
    assert "km away" in found[0]
    hub = network(topology="wan_topologies/sndlib_nobel-us.topohub.json", default_capacity_gbit_per_s=100)
    assert hub.bandwidth_gbit_per_s[0, 1] == 85.0


def test_moves_by_default_are_those_of_the_model() -> None:
    assert make_migration(MigrationSection()) == MigrationModel()
    small = MigrationSection(
        compression_ratio=2.0, compression_gb_per_s_per_node=5.0, incremental_share=0.5, start_up_s=1.0
    )
    model = make_migration(small)
    assert float(model.payload_gb(100.0)) == 25.0
    assert (model.compression_gb_per_s_per_node, model.start_up_s) == (5.0, 1.0)


def test_a_job_that_stands_for_many_changes_as_much_as_all_of_them() -> None:
    section = MigrationSection(mode="live", dirty_gb_per_s=0.2, changing_share=0.1)
    model = make_migration(section, fleet_scale=300)
    assert (model.mode, model.dirty_gb_per_s, model.changing_share) == ("live", 60.0, 0.1)
