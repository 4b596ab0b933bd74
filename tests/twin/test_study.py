from __future__ import annotations

import json
import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from grid_models import CAUSES, ReliefCurve
from twin import Result, Scenario, load_scenario, run
from twin.forcing import make_forcing, study_time, weather_seed
from twin.policies.perfect_foresight import bound_absorbed_mwh
from twin.preparation import baseline_key, child_seed, make_jobs, site_table
from twin.stages import StageCache
from weather import InputError

POLICY_KEYS = {
    "nonrenewable_kwh_per_gpu_h",
    "absorbed_per_compute_mwh",
    "cost",
    "jct_median_h",
    "completed_gpu_h",
    "co2_kg",
    "nonrenewable_compute_mwh",
    "deadline_misses",
    "lost_gpu_h",
    "migrations_refused",
    "share_of_bound",
    "compute_mwh",
    "absorbed_mwh",
    "bound_absorbed_mwh",
    "migrations_done",
    "slowdown_mean",
    "utilisation",
    "jobs_done",
    "absorbed_share_of_curtailed",
    "migration_mwh",
    "pauses",
    "pause_mwh",
    "paused_gpu_h",
    "moved_gb",
    "jct_p95_h",
    "jobs_unfinished",
}
TOP_KEYS = {
    "outlook",
    "available_mwh",
    "curtailed_oversupply_mwh",
    "curtailed_system_mwh",
    "curtailed_congestion_mwh",
    "curtailed_security_mwh",
    "policies",
    "refusals",
    "curtailed_mwh",
    "schema_version",
    "max_balance_error_mw",
    "fleet_scale",
    "objective",
}


def scores(result: Result) -> dict[str, dict[str, float]]:
    return cast("dict[str, dict[str, float]]", result.summary["policies"])


def test_the_summary_has_the_keys_that_others_rely_on(small_result: Result) -> None:
    assert set(small_result.summary) == TOP_KEYS
    assert list(scores(small_result)) == ["static", "energy_greedy", "feasibility_aware"]
    for score in scores(small_result).values():
        assert set(score) >= POLICY_KEYS


def test_balances_close_and_no_policy_exceeds_its_bound(small_result: Result) -> None:
    assert cast("float", small_result.summary["max_balance_error_mw"]) < 1e-6
    for score in scores(small_result).values():
        assert score["absorbed_mwh"] <= score["bound_absorbed_mwh"] * (1 + 1e-9) + 1e-6


def test_the_power_of_the_network_lifts_no_policy_above_its_bound() -> None:
    changes = ["time.days=1", "time.drain_days=1", "time.history_days=7", "wan.energy_kwh_per_gb=5"]
    scenario = load_scenario("default", overrides=[*changes, "policies=[energy_greedy]"])
    result = run(scenario)
    drawn = result.data["sites/energy_greedy"]["load_p_mw"]
    most = result.data["signals"]["max_p_mw"].sel(time=drawn["time"])
    assert (drawn > most + 1.0).any()
    score = scores(result)["energy_greedy"]
    assert score["absorbed_mwh"] <= score["bound_absorbed_mwh"] + 1e-6


def test_curtailed_energy_splits_into_its_causes(small_result: Result) -> None:
    summary = cast("dict[str, float]", small_result.summary)
    parts = sum(summary[f"curtailed_{cause}_mwh"] for cause in CAUSES)
    assert summary["curtailed_mwh"] > 0
    assert parts == pytest.approx(summary["curtailed_mwh"], abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        ["grids.0.security=n-1"],
        ["grids.0.limits.max_nonsynchronous_share=0.7", "grids.0.limits.reserve_up_mw=300"],
        ["grids.0.limits.reserve_down_mw=1200"],
    ],
    ids=["n-1", "share and reserve", "reserve below"],
)
def test_more_limits_curtail_for_a_cause_of_their_own_and_bounds_hold(changes: list[str]) -> None:
    short = ["time.days=1", "time.drain_days=1", "time.history_days=7", "policies=[static,feasibility_aware]"]
    result = run(load_scenario("default", overrides=[*short, *changes]))
    summary = cast("dict[str, float]", result.summary)
    cause = "security" if "n-1" in changes[0] else "system"
    assert summary[f"curtailed_{cause}_mwh"] > 1.0
    parts = sum(summary[f"curtailed_{name}_mwh"] for name in CAUSES)
    assert parts == pytest.approx(summary["curtailed_mwh"], abs=1e-6)
    assert summary["max_balance_error_mw"] < 1e-6
    for score in scores(result).values():
        assert score["absorbed_mwh"] <= score["bound_absorbed_mwh"] * (1 + 1e-9) + 1e-6


@pytest.mark.parametrize("source", ["day_ahead", "perfect"])
def test_what_policies_are_told_changes_neither_balances_nor_bounds_nor_repeats(source: str) -> None:
    changes = [
        *["time.days=1", "time.drain_days=1", "time.history_days=7", "policies=[feasibility_aware]"],
        *["grids.0.weather.source=recorded", "grids.0.weather.series=real_time"],
        *["grids.0.load.series=real_time", f"outlook.source={source}"],
    ]
    scenario = load_scenario("default", overrides=changes)
    result = run(scenario)
    assert result.summary["outlook"] == source
    assert cast("float", result.summary["max_balance_error_mw"]) < 1e-6
    score = scores(result)["feasibility_aware"]
    assert 0.0 < score["absorbed_mwh"] <= score["bound_absorbed_mwh"] * (1 + 1e-9) + 1e-6
    assert run(scenario).summary == result.summary


def test_absorbed_energy_is_the_difference_of_two_dispatches(small_result: Result) -> None:
    hours = small_result.scenario.time.n_run
    before = small_result.data["baseline/rts_gmlc"]["curtailed_p_mw"][-hours:].sum().item()
    for name, score in scores(small_result).items():
        after = small_result.data[f"coupled/{name}/rts_gmlc"]["curtailed_p_mw"].sum().item()
        assert before - after == pytest.approx(score["absorbed_mwh"], abs=1e-6)


def test_policies_do_the_same_work_and_moving_absorbs_more_than_staying(small_result: Result) -> None:
    done = {name: score["completed_gpu_h"] for name, score in scores(small_result).items()}
    assert done["energy_greedy"] == pytest.approx(done["static"])
    assert done["feasibility_aware"] == pytest.approx(done["static"])
    absorbed = {name: score["absorbed_mwh"] for name, score in scores(small_result).items()}
    assert absorbed["feasibility_aware"] > absorbed["static"]


def test_place_matters(small_result: Result) -> None:
    sites = small_result.tables["sites"].set_index("site")
    assert sites.loc["caesar", "helps_share"] > 0.9
    assert sites.loc["caesar", "helps_share"] > sites.loc["abel", "helps_share"] + 0.3


def test_the_same_seed_gives_the_same_summary_and_another_one_does_not(
    small_scenario: Scenario, small_directory: Path, tmp_path: Path
) -> None:
    run(small_scenario, tmp_path / "again", report=False)
    first = (small_directory / "summary.json").read_bytes()
    assert (tmp_path / "again" / "summary.json").read_bytes() == first
    other = run(load_scenario({**small_scenario.to_mapping(), "seed": 2, "policies": ["static"]}))
    assert scores(other)["static"]["compute_mwh"] != json.loads(first)["policies"]["static"]["compute_mwh"]


def test_stages_are_found_again_and_give_the_same_bytes(small_scenario: Scenario, tmp_path: Path) -> None:
    scenario = small_scenario.model_copy(update={"policies": ("static",)})
    fresh, shared = run(scenario), StageCache(tmp_path / "stages")
    first = run(scenario, cache=shared)
    assert shared.computed == ["forcing", "baseline", "signals"]
    again = StageCache(tmp_path / "stages")
    second = run(scenario, cache=again)
    assert again.computed == []
    assert fresh.summary == first.summary == second.summary
    wan = scenario.wan.model_copy(update={"access_gbit_per_s": 1.0})
    run(scenario.model_copy(update={"wan": wan}), cache=again)
    assert again.computed == []


def test_the_baseline_depends_on_weather_and_grid_alone(small_scenario: Scenario) -> None:
    key = baseline_key(small_scenario)
    raw = small_scenario.to_mapping()
    assert baseline_key(load_scenario(raw, overrides=["wan.access_gbit_per_s=1", "jobs.max_job_h=5"])) == key
    for change in (
        "time.days=2",
        "grids.0.weather.source=synthetic",
        "objective=market",
        "grids.0.options.hvdc=false",
    ):
        assert baseline_key(load_scenario(raw, overrides=[change])) != key


def test_random_streams_are_independent_of_one_another(small_scenario: Scenario) -> None:
    seeds = [child_seed(small_scenario, k) for k in range(4)]
    seeds.append(weather_seed(small_scenario, small_scenario.grids[0]))
    assert len(set(seeds)) == 5


def test_fleet_scale_multiplies_devices_and_work_alike(small_scenario: Scenario) -> None:
    double = small_scenario.model_copy(update={"fleet_scale": 2 * small_scenario.fleet_scale})
    one, two = site_table(small_scenario), site_table(double)
    assert np.array_equal(two.n_gpus, 2 * one.n_gpus)
    small, large = make_jobs(small_scenario, one), make_jobs(double, two)
    assert np.array_equal(large["work_gpu_h"], 2 * small["work_gpu_h"])
    assert np.array_equal(large["checkpoint_gb"], 2 * small["checkpoint_gb"])


def test_a_longer_study_changes_no_power_before_its_end(small_scenario: Scenario) -> None:
    synthetic = load_scenario(small_scenario.to_mapping(), overrides=["grids.0.weather.source=synthetic"])
    longer = load_scenario(synthetic.to_mapping(), overrides=["time.days=2"])
    a, b = (make_forcing(s, s.grids[0]).generation for s in (synthetic, longer))
    n = len(study_time(synthetic))
    assert np.array_equal(a["available_p_mw"].values, b["available_p_mw"].values[:n])


def test_recorded_wind_and_pv_replace_the_weather_but_nothing_else(small_scenario: Scenario) -> None:
    synthetic = load_scenario(small_scenario.to_mapping(), overrides=["grids.0.weather.source=synthetic"])
    a, b = (make_forcing(s, s.grids[0]).generation for s in (synthetic, small_scenario))
    modelled = np.isin(a["technology"].values, ["wind", "pv"])
    assert np.array_equal(a["available_p_mw"].values[:, ~modelled], b["available_p_mw"].values[:, ~modelled])
    assert not np.allclose(a["available_p_mw"].values[:, modelled], b["available_p_mw"].values[:, modelled])
    assert (a.attrs["synthetic"], b.attrs["synthetic"]) == (1, 0)


def test_no_share_of_a_bound_is_quoted_for_the_market(small_scenario: Scenario) -> None:
    raw = {**small_scenario.to_mapping(), "objective": "market", "policies": ["static"]}
    score = scores(run(load_scenario(raw)))["static"]
    assert score["bound_absorbed_mwh"] is None
    assert score["share_of_bound"] is None


def test_two_grids_share_one_wan(small_scenario: Scenario) -> None:
    raw = small_scenario.to_mapping()
    first = cast("list[dict[str, object]]", raw["grids"])[0]
    raw["grids"] = [first, {**first, "name": "other", "weather": {"source": "synthetic"}}]  # type: ignore[dict-item]
    raw["sites"] = [
        {"name": "a", "grid": "rts_gmlc", "bus": "303", "n_gpus": 80},
        {"name": "b", "grid": "other", "bus": "303", "n_gpus": 80},
        {"name": "c", "grid": "other", "bus": "101", "n_gpus": 80},
    ]
    raw["policies"] = ["feasibility_aware"]
    result = run(load_scenario(raw))
    score = scores(result)["feasibility_aware"]
    drawn = sum(
        result.data["sites/feasibility_aware"]["load_p_mw"].sel(site=site).sum().item()
        for site in ("a", "b", "c")
    )
    assert drawn == pytest.approx(score["compute_mwh"])
    assert set(result.tables["units"]["grid"]) == {"rts_gmlc", "other"}
    assert set(result.data["coupled/feasibility_aware"].children) == {"rts_gmlc", "other"}


def test_nothing_runs_when_the_directory_is_foreign(small_scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not empty and holds no result"):
        run(small_scenario, tmp_path, progress=lambda *_: pytest.fail("it ran"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["recorded", "real_weather"])
def test_a_week_of_real_input(name: str, real_data: Path, tmp_path: Path) -> None:
    assert real_data.is_dir()
    scenario = load_scenario(
        name, overrides=["time.days=7", "time.drain_days=2", "time.history_days=2", "jobs.max_job_h=24"]
    )
    result = run(scenario, tmp_path / "result")
    assert (tmp_path / "result" / "report.html").is_file()
    assert cast("float", result.summary["max_balance_error_mw"]) < 1e-6
    assert cast("float", result.summary["curtailed_mwh"]) > 0
    for score in scores(result).values():
        assert score["absorbed_mwh"] <= score["bound_absorbed_mwh"] + 1e-6
        assert score["jobs_done"] > 100
    assert set(scores(result)) == set(scenario.policies)


def test_real_weather_is_aligned_by_local_month_day_and_hour(real_data: Path) -> None:
    assert real_data.is_dir()
    scenario = load_scenario(
        "real_weather", overrides=["time.days=2", "time.drain_days=0", "time.history_days=1"]
    )
    forcing = make_forcing(scenario, scenario.grids[0])
    assert set(forcing.weather) == {"mccamey", "sweetwater", "hibbing", "amarillo"}
    assert "UTC-6 h, target UTC-8 h" in forcing.weather["mccamey"].attrs["calendar"]
    pv = (
        forcing.generation["available_p_mw"]
        .values[:, forcing.generation["technology"].values == "pv"]
        .sum(axis=1)
    )
    local_hour = (study_time(scenario).hour - 8) % 24
    assert pv[(local_hour < 4) | (local_hour > 21)].max() == 0.0
    assert pv[local_hour == 12].min() > 0.0


def test_the_bound_of_curves_adds_up_over_grids() -> None:
    curve = ReliefCurve(np.array([0.0, 10.0]), np.array([0.0, 8.0]))
    assert math.isclose(bound_absorbed_mwh([curve, curve], 0.5, 7.5), 0.8 * 7.5)


def test_another_grid_of_the_catalog_runs() -> None:
    options = {"case": "case_illinois200", "co2_kg_per_mwh": 400, "latitude": 40, "longitude": -89}
    wind = {"unit": "w1", "bus": "10", "technology": "wind", "p_nom_mw": 400}
    scenario = load_scenario(
        {
            "time": {"start": "2020-06-01T00:00Z", "days": 1, "drain_days": 0, "history_days": 1},
            "grids": [{"source": "pandapower_case", "options": {**options, "units": [wind]}}],
            "sites": [{"name": "a", "bus": "10", "n_gpus": 80}],
            "jobs": {"max_gpus": 64},
            "policies": ["static"],
        }
    )
    summary = run(scenario).summary
    assert cast("float", summary["available_mwh"]) > 0
    assert cast("float", summary["max_balance_error_mw"]) < 1e-6
