from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from twin import load_scenario
from twin.scenario import find_scenario, shipped
from twin.scenario_docs import reference
from twin.scenario_model import Scenario
from twin.scenario_network import WanSection
from twin.scenario_text import apply_overrides, parse_value, parse_yaml
from weather import InputError

SITES: list[JsonValue] = [{"name": "a", "bus": 303, "n_gpus": 16}, {"name": "b", "bus": "101", "n_gpus": 16}]


def refused(raw: dict[str, JsonValue]) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_scenario(raw)
    return [str(finding) for finding in caught.value.findings]


def test_the_default_study_is_two_weeks_of_rts_gmlc_with_eight_sites() -> None:
    scenario = load_scenario("default")
    assert (scenario.time.days, len(scenario.sites), scenario.grids[0].source) == (14, 8, "rts_gmlc")
    assert scenario.policies == ("static", "energy_greedy", "feasibility_aware")


@pytest.mark.parametrize("name", ["default", "recorded"])
def test_a_scenario_survives_writing_and_reading(name: str) -> None:
    scenario = load_scenario(name)
    assert load_scenario(parse_yaml(scenario.to_yaml(), name)) == scenario


def test_the_real_weather_scenario_names_files_that_exist(real_data: Path) -> None:
    scenario = load_scenario("real_weather")
    for entry in scenario.grids[0].weather.files:
        assert all((real_data / name).is_file() for name in (entry.solar, entry.wind) if name is not None)
    assert "stand in" in scenario.description


def test_all_shipped_scenarios_are_listed() -> None:
    assert {"default", "recorded", "real_weather"} <= set(shipped())


def test_a_bus_may_be_written_as_a_number() -> None:
    assert [site.bus for site in load_scenario({"sites": SITES}).sites] == ["303", "101"]


def test_an_unknown_key_is_refused_with_the_valid_ones() -> None:
    found = refused({"sites": SITES, "wan": {"acces_gbit_per_s": 10}})
    valid = ", ".join(WanSection.model_fields)
    assert found == [f"wan.acces_gbit_per_s: unknown key; valid keys here: {valid}"]


def test_all_findings_come_at_once_those_between_values_too() -> None:
    found = refused(
        {
            "time": {"start": "2020-04-06T08:00", "days": 0, "tick_s": 7},
            "grids": [{"options": {"line_rating_factor": -1}}],
            "sites": [
                {"name": "a", "bus": "999", "n_gpus": 16},
                {"name": "a", "bus": "303", "n_gpus": -4, "device": "abacus"},
            ],
            "policies": ["static", "magic"],
            "jobs": {"source": "papyrus"},
            "colour": "red",
        }
    )
    for expected in (
        "time.start: naive time '2020-04-06T08:00'; say the time zone, such as 2020-04-06T08:00Z",
        "time.days: 0 is out of range: input should be greater than 0",
        "time.tick_s: 7 s does not divide signal_step_s = 3600 s",
        "grids.0.options.line_rating_factor: -1 is out of range",
        "sites.0.bus: grid 'rts_gmlc' has no bus '999'; it has 73 buses",
        "sites.1.n_gpus: -4 is out of range",
        "sites.1.device: no device 'abacus'; known: ",
        "sites: the name 'a' is there 2 times",
        "policies.1: no policy 'magic'; known: energy_greedy, feasibility_aware, receding_horizon, static,",
        "jobs.source: no trace 'papyrus'; known: acme, helios, openb, pai, philly, swf, synthetic, table",
        "colour: unknown key",
    ):
        assert any(finding.startswith(expected) for finding in found), (expected, found)
    assert len(found) == 11


def test_a_negative_import_limit_is_refused_with_its_unit() -> None:
    found = refused({"sites": [{"name": "a", "bus": "303", "n_gpus": 1, "import_limit_mw": -2.5}]})
    assert found[0].startswith("sites.0.import_limit_mw: -2.5 is out of range")
    assert "[MW]" in found[0]


def test_a_connection_limit_names_a_unit_that_exists() -> None:
    options: JsonValue = {"options": {"connection_limit_mw": {"NOT_A_UNIT": 10}}}
    found = refused({"grids": [options], "sites": SITES})
    assert any("NOT_A_UNIT" in finding for finding in found)


def test_numbers_are_not_read_from_text_or_booleans() -> None:
    assert len(refused({"sites": SITES, "fleet_scale": "300"})) == 1
    assert len(refused({"sites": SITES, "fleet_scale": True})) == 1


def test_weather_files_are_named_where_needed_and_only_there() -> None:
    assert refused({"grids": [{"weather": {"source": "files"}}], "sites": SITES})[0].startswith(
        "grids.0.weather.files: source is files, but no file is named"
    )
    files: JsonValue = {"weather": {"files": [{"site": "x", "solar": "/nowhere/x.csv"}]}}
    found = refused({"grids": [files], "sites": SITES})
    assert "grids.0.weather.files: source is synthetic, files would be ignored; set source: files" in found
    assert "grids.0.weather.files.0.solar: no such file: /nowhere/x.csv" in found


def test_a_trace_without_its_file_is_refused() -> None:
    assert refused({"jobs": {"source": "philly"}, "sites": SITES}) == [
        "jobs.path: is missing; name the file of the philly trace"
    ]


def test_a_site_in_an_unknown_grid_and_a_grid_without_sites_are_refused() -> None:
    sites: list[JsonValue] = [{"name": "a", "bus": 303, "n_gpus": 16, "grid": "elsewhere"}]
    assert refused({"sites": sites}) == [
        "sites.0.grid: no grid 'elsewhere'; known: rts_gmlc",
        "grids.0: grid 'rts_gmlc' has no site; add a site, or leave the grid out",
    ]


def test_grids_of_two_currencies_are_refused_and_one_may_be_named() -> None:
    options: dict[str, JsonValue] = {
        "case": "case_illinois200",
        "co2_kg_per_mwh": 400,
        "latitude": 40,
        "longitude": -89,
        "units": [{"unit": "w1", "bus": "10", "technology": "wind", "p_nom_mw": 400}],
    }
    raw: dict[str, JsonValue] = {
        "grids": [{"name": "rts_gmlc"}, {"name": "case", "source": "pandapower_case", "options": options}],
        "sites": [
            {"name": "a", "grid": "rts_gmlc", "bus": 303, "n_gpus": 80},
            {"name": "b", "grid": "case", "bus": 10, "n_gpus": 80},
        ],
    }
    what = "costs of different currencies cannot be added: rts_gmlc in USD, case in EUR"
    assert refused(raw) == [f"grids: {what}; give one currency"]
    options["currency"] = "USD"
    assert len(load_scenario(raw).grids) == 2


def test_yaml_is_read_without_its_surprises() -> None:
    assert parse_value("1e-3", "x") == 0.001
    assert parse_value("2020-04-06", "x") == "2020-04-06"
    with pytest.raises(InputError, match=r"key 'a' is there twice"):
        parse_yaml("a: 1\na: 2\n", "file.yaml")
    with pytest.raises(InputError, match=r"file\.yaml: not readable as YAML"):
        parse_yaml("a: [1, 2\n", "file.yaml")
    with pytest.raises(InputError, match="is empty, not a mapping"):
        parse_yaml("", "file.yaml")


def test_overrides_reach_into_lists_and_never_change_their_input() -> None:
    raw: dict[str, JsonValue] = {"sites": list(SITES)}
    changed = apply_overrides(raw, ["sites.1.n_gpus=99", "time.days=3", "policies=[static]"])
    assert changed == {
        "sites": [SITES[0], {"name": "b", "bus": "101", "n_gpus": 99}],
        "time": {"days": 3},
        "policies": ["static"],
    }
    assert raw == {"sites": SITES}


def test_overrides_that_lead_nowhere_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        apply_overrides({"sites": list(SITES), "seed": 1}, ["days", "sites.7.n_gpus=1", "seed.x=2"])
    assert [finding.where for finding in caught.value.findings] == ["days", "sites.7.n_gpus", "seed.x"]


def test_a_missing_scenario_is_refused_with_the_shipped_ones() -> None:
    with pytest.raises(
        InputError, match=r"defualt: no such file; give a path, or one of the shipped: default"
    ):
        find_scenario("defualt")


@given(
    days=st.integers(1, 30),
    seed=st.integers(0, 2**32),
    gbit=st.floats(0.1, 1000),
    theta=st.floats(0, 1),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30),
)
def test_any_scenario_survives_yaml(days: int, seed: int, gbit: float, theta: float, text: str) -> None:
    scenario = Scenario.model_validate(
        {
            "description": text,
            "seed": seed,
            "time": {"days": days},
            "wan": {"access_gbit_per_s": gbit},
            "windows": {"theta": theta},
            "sites": ({"name": "a", "bus": "303", "n_gpus": 16},),
        }
    )
    assert Scenario.model_validate_json(Scenario.model_validate(scenario).model_dump_json()) == scenario
    assert load_scenario(parse_yaml(scenario.to_yaml(), "text")) == scenario


def test_the_reference_page_is_current(repository: Path) -> None:
    remedy = (
        "write it again: python -c 'from twin.scenario_docs import reference; print(reference(), end=\"\")'"
    )
    assert (repository / "docs" / "scenario.md").read_text(encoding="utf-8") == reference(), remedy
