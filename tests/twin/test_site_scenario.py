"""Racks and batteries as a scenario names them: what is refused, and a study with both."""

from __future__ import annotations

from typing import cast

import pytest

from twin import Result, load_scenario, run
from twin.report.readout import Readout
from twin.report.tables import EQUIPMENT_METRICS, policy_table
from twin.site_scenario import make_batteries, make_racks
from weather import InputError

SHORT = ("time.days=1", "time.drain_days=1", "time.history_days=7", "policies=[static,feasibility_aware]")


def test_everything_wrong_between_keys_is_said_at_once() -> None:
    changes = [
        *[
            "sites.0.rack_start_s=600",
            "sites.1.rack_gpus=8",
            "sites.2.rack_gpus=7",
            "sites.2.rack_start_s=450",
        ],
        *["sites.3.battery_mwh=10", "sites.4.battery_p_mw=5", "sites.5.battery_efficiency=0.9"],
        *[
            "sites.6.battery_mwh=-1",
            "sites.6.battery_p_mw=1",
            "sites.7.rack_gpus=8",
            "sites.7.rack_start_s=0",
        ],
        *["sites.7.rack_off_share=1.5", "sites.7.rack_keep_s=100"],
    ]
    with pytest.raises(InputError) as error:
        load_scenario("default", overrides=changes)
    said = str(error.value)
    for part in (
        "sites.0.rack_start_s: is given, but no rack_gpus",
        "sites.1.rack_start_s: is missing, rack_gpus is given",
        "sites.2.rack_gpus: 7 does not divide n_gpus = 80",
        "sites.2.rack_start_s: 450 s is no multiple of time.tick_s = 300 s",
        "sites.3.battery_p_mw: is missing, battery_mwh is given",
        "sites.4.battery_mwh: is missing, battery_p_mw is given",
        "sites.5.battery_efficiency: is given, but no battery_mwh",
        "sites.6.battery_mwh: -1",
        "sites.7.rack_off_share: 1.5 is out of range",
        "sites.7.rack_keep_s: 100 s is no multiple of time.tick_s = 300 s",
    ):
        assert part in said


def test_a_scenario_without_them_has_no_tables() -> None:
    scenario = load_scenario("default")
    assert make_racks(scenario) is None
    assert make_batteries(scenario) is None


def test_a_study_with_racks_and_a_battery_itemises_them_and_keeps_its_bound() -> None:
    changes = [
        *[f"sites.{i}.{key}" for i in range(8) for key in ("rack_gpus=8", "rack_start_s=600")],
        *["sites.0.battery_mwh=80", "sites.0.battery_p_mw=20"],
    ]
    scenario = load_scenario("default", overrides=[*SHORT, *changes])
    result = run(scenario)
    assert cast("float", result.summary["max_balance_error_mw"]) < 1e-6
    for score in cast("dict[str, dict[str, float]]", result.summary["policies"]).values():
        assert score["absorbed_mwh"] <= score["bound_absorbed_mwh"] * (1 + 1e-9) + 1e-6
        names = (
            "it",
            "idle",
            "migration",
            "overhead",
            "rack_start",
            "rack_off",
            "battery_lost",
            "battery_stored",
        )
        assert sum(score[f"{name}_mwh"] for name in names) == pytest.approx(score["compute_mwh"], rel=1e-9)
        assert score["rack_start_mwh"] > 0.0
        assert 0.0 < score["battery_discharged_mwh"] < score["battery_charged_mwh"]
    assert result.tables["sites"]["battery_mwh"].tolist() == [80.0] + [0.0] * 7
    drawn = result.data["sites/static"]
    assert drawn["battery_stored_mwh"].attrs["units"] == "MWh"
    assert float(drawn["battery_stored_mwh"].max()) <= 80.0
    labels = [row[0] for row in policy_table(Readout(result)).rows]
    assert {name for name, _ in EQUIPMENT_METRICS.values()} <= set(labels)


def test_without_them_the_report_has_no_rows_of_them(small_result: Result) -> None:
    labels = [row[0] for row in policy_table(Readout(small_result)).rows]
    assert not {name for name, _ in EQUIPMENT_METRICS.values()} & set(labels)
    assert not [name for name in small_result.tables["sites"] if "battery" in name]
