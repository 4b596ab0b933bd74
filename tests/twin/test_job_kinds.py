"""Jobs that may not pause or move, jobs that serve, and jobs that start before others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.simulation_cases import job_table, make_inputs, small_runs, windy
from twin.inputs import SimulationInputs
from twin.policies import POLICIES
from twin.simulate import run_simulation
from twin.sites import make_sites
from twin.workloads import check_jobs, generate_trace, prepare_jobs
from twin.workloads.kinds import draw_kinds
from weather import InputError

A100 = ["a100_sxm_40"] * 3
H = 3600.0


def streams(seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)]


# Drawing.


def test_jobs_of_one_kind_have_no_column_for_it() -> None:
    assert list(draw_kinds(5, streams())) == ["migratable"]
    assert list(draw_kinds(5, streams(), pausable_share=0.5)) == ["migratable", "pausable"]
    assert list(draw_kinds(5, streams(), service_share=0.5)) == ["migratable", "pausable", "placeable"]
    assert list(draw_kinds(5, streams(), priority_shares=(0.5, 0.5))) == ["migratable", "priority"]


def test_shares_are_met_and_one_changes_no_other() -> None:
    n = 20_000
    drawn = draw_kinds(
        n,
        streams(),
        migratable_share=0.7,
        pausable_share=0.4,
        service_share=0.2,
        priority_shares=(0.5, 0.3, 0.2),
    )
    movable = draw_kinds(n, streams(), migratable_share=0.7)["migratable"]
    service = ~drawn["pausable"] & ~drawn["migratable"] & drawn["placeable"]
    # Services, and of the others those that may neither pause nor move never are placeable.
    assert service.mean() == pytest.approx(0.2, abs=0.01)
    assert drawn["migratable"].mean() == pytest.approx(0.8 * 0.7, abs=0.01)
    assert drawn["pausable"].mean() == pytest.approx(0.8 * 0.4, abs=0.01)
    np.testing.assert_array_equal(drawn["migratable"][~service], movable[~service])
    np.testing.assert_array_equal(drawn["placeable"], movable | service)
    np.testing.assert_allclose(np.bincount(drawn["priority"]) / n, [0.5, 0.3, 0.2], atol=0.01)


def test_prepared_jobs_keep_all_else() -> None:
    sites = make_sites(
        name=["a", "b"], grid=[0, 0], bus=["1", "2"], n_gpus=[300, 600], latitude=[35.0] * 2,
        longitude=[-115.0] * 2,
    )  # fmt: skip
    trace = generate_trace(seed=1, duration_s=86400.0)
    plain = prepare_jobs(trace, seed=3, duration_s=86400.0, sites=sites, migratable_share=0.5)
    kinds = prepare_jobs(
        trace, seed=3, duration_s=86400.0, sites=sites, migratable_share=0.5, pausable_share=0.5,
        service_share=0.1, priority_shares=[0.9, 0.1],
    )  # fmt: skip
    check_jobs(kinds)
    assert set(kinds) - set(plain) == {"pausable", "placeable", "priority"}
    pd.testing.assert_frame_equal(
        kinds[list(plain)].drop(columns="migratable"), plain.drop(columns="migratable")
    )


def test_bad_shares_are_named_together() -> None:
    sites = make_sites(name=["a"], grid=[0], bus=["1"], n_gpus=[300], latitude=[35.0], longitude=[-115.0])
    with pytest.raises(InputError) as error:
        prepare_jobs(
            generate_trace(seed=1, duration_s=86400.0), seed=0, duration_s=86400.0, sites=sites,
            pausable_share=1.5, service_share=-0.1, priority_shares=(0.5, 0.4),
        )  # fmt: skip
    assert [f.where for f in error.value.findings] == ["pausable_share", "service_share", "priority_shares"]


# Services.


def service_case(submit_h: float, **columns: object) -> SimulationInputs:
    """A job of a calm site; the wind blows elsewhere from hour three to hour fifteen."""
    wind = np.concatenate([np.full(27, 4.0), np.full(12, 60.0), np.full(30, 4.0)])
    jobs = job_table([(submit_h * H, 32, 32 * 20.0, 10.0, 1)], **columns)
    return make_inputs(jobs, wind_mw=wind, n_history=24, device=A100)


@pytest.mark.parametrize("name", ["energy_greedy", "feasibility_aware"])
def test_a_service_starts_where_the_wind_is_and_stays_when_it_is_gone(name: str) -> None:
    kinds = {"migratable": False, "pausable": False, "placeable": True}
    record = run_simulation(service_case(4.0, **kinds), POLICIES[name]())
    assert list(record.jobs["site"]) == [0]
    assert len(record.transfers) == 0
    assert record.jobs["end_s"][0] == 24.0 * H
    early = run_simulation(service_case(0.0, **kinds), POLICIES[name]())
    assert list(early.jobs["site"]) == [1]
    assert len(early.transfers) == 0
    assert len(run_simulation(service_case(0.0), POLICIES[name]()).transfers) == 1


def test_a_job_that_may_not_move_is_not_placed_elsewhere_without_being_told() -> None:
    for columns in ({"migratable": False}, {"migratable": True, "placeable": False}):
        inputs = service_case(4.0, **columns)
        assert list(run_simulation(inputs, POLICIES["feasibility_aware"]()).jobs["first_start_s"]) == [
            4.0 * H
        ]
        started = run_simulation(inputs, POLICIES["feasibility_aware"]()).events
        assert list(started.loc[started["kind"] == "started", "site"]) == [1]


def test_a_service_is_held_back_but_never_paused() -> None:
    wind = windy(24 * 9, period=24)
    jobs = job_table([(0.0, 32, 32 * 20.0, 10.0, 0)] * 2, pausable=[True, False], migratable=[True, False])
    record = run_simulation(
        make_inputs(jobs, wind_mw=wind, n_history=24 * 7, device=A100), POLICIES["temporal"]()
    )
    assert list(record.pauses["job"]) == [0]
    assert record.jobs["end_s"][1] == 20.0 * H


# Priorities.


def three_at_once(**columns: object) -> SimulationInputs:
    """Three jobs of an hour that each fill the site, submitted together."""
    jobs = job_table([(0.0, 8, 8.0, 1.0, 2)] * 3, **columns)
    return make_inputs(jobs, wind_mw=np.full(8, 4.0), device=A100, n_gpus=(8, 8, 8))


def starts(inputs: SimulationInputs) -> list[float]:
    return list(run_simulation(inputs, POLICIES["static"]()).jobs["first_start_s"] / H)


def test_higher_priorities_start_first_and_equal_ones_in_order() -> None:
    assert starts(three_at_once()) == [0.0, 1.0, 2.0]
    assert starts(three_at_once(priority=[5, 5, 5])) == [0.0, 1.0, 2.0]
    assert starts(three_at_once(priority=[0, 0, 2])) == [1.0, 2.0, 0.0]
    assert starts(three_at_once(priority=[-1, 3, 0])) == [2.0, 0.0, 1.0]


def test_a_priority_stops_no_job_that_runs() -> None:
    jobs = job_table(
        [(0.0, 8, 16.0, 1.0, 2), (600.0, 8, 8.0, 1.0, 2), (1200.0, 8, 8.0, 1.0, 2)], priority=[0, 0, 9]
    )
    inputs = make_inputs(jobs, wind_mw=np.full(8, 4.0), device=A100, n_gpus=(8, 8, 8))
    assert starts(inputs) == [0.0, 3.0, 2.0]


def test_a_job_that_has_waited_long_is_passed_by_higher_ones_only() -> None:
    # Four GPUs are free while the first runs; the wide one waits for eight from 0:10 on.
    rows = [(0.0, 4, 24.0, 1.0, 2), (600.0, 8, 8.0, 1.0, 2), (5 * H, 4, 4.0, 1.0, 2), (5 * H, 4, 4.0, 1.0, 2)]
    inputs = make_inputs(
        job_table(rows, priority=[0, 0, 0, 1]), wind_mw=np.full(12, 4.0), device=A100, n_gpus=(8, 8, 8)
    )
    # After four hours nobody of its own priority overtakes it: the third waits, the fourth starts at once.
    assert starts(inputs) == [0.0, 6.0, 7.0, 5.0]


@pytest.mark.parametrize("name", ["energy_greedy", "feasibility_aware"])
def test_the_higher_one_is_placed_where_only_one_has_room(name: str) -> None:
    # The site under the wind has 32 GPUs, and both jobs would be better off there.
    jobs = job_table([(6 * H, 32, 32 * 5.0, 10.0, 1)] * 2)
    wind = np.full(48, 60.0)
    options = {"wind_mw": wind, "n_history": 24, "device": A100, "n_gpus": (32, 64, 64)}
    for priority, sites in ((None, [0, 1]), ([0, 0], [0, 1]), ([0, 1], [1, 0])):
        table = jobs if priority is None else jobs.assign(priority=priority)
        record = run_simulation(make_inputs(table, **options), POLICIES[name]())
        started = record.events[record.events["kind"] == "started"].sort_values("job")
        assert list(started["site"]) == sites


@given(inputs=small_runs(), seed=st.integers(0, 99), name=st.sampled_from(list(POLICIES)))
def test_kinds_are_kept_by_every_policy(inputs: SimulationInputs, seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    n = len(inputs.jobs)
    kinds = {
        "pausable": rng.random(n) < 0.5, "placeable": rng.random(n) < 0.5, "priority": rng.integers(0, 3, n)
    }  # fmt: skip
    run = replace(inputs, jobs=inputs.jobs.assign(**kinds))
    record = run_simulation(run, POLICIES[name]())
    jobs, events = record.jobs, record.events
    started = events[events["kind"] == "started"]
    away = started["site"].to_numpy() != jobs["origin"].to_numpy()[started["job"]]
    assert kinds["placeable"][started["job"]][away].all()
    assert kinds["pausable"][record.pauses["job"]].all()
    assert jobs["migratable"].to_numpy()[record.transfers["job"]].all()
