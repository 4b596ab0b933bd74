"""Jobs that need more memory than some devices have: nobody may send them there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.simulation_cases import job_table, make_inputs, small_runs
from twin.chances import feasibility_chance
from twin.hardware import DEVICES
from twin.inputs import SimulationInputs
from twin.policies import POLICIES, Commands, View
from twin.policies.base import CommandError
from twin.policies.contract import ContractError, check_policy
from twin.record import SimulationRecord
from twin.simulate import run_simulation
from twin.sites import SiteTable, make_sites
from twin.workloads import (
    check_jobs,
    draw_origins,
    generate_trace,
    parameter_bound_billion,
    prepare_jobs,
    training_memory_gb,
)
from weather import InputError

MOVERS = ("energy_greedy", "feasibility_aware")


def test_a_board_of_two_gpus_gives_a_worker_half_of_its_memory() -> None:
    assert DEVICES["k80"].memory_gb == 24.0
    assert DEVICES["k80"].memory_gb_per_gpu == 12.0
    others = [device for name, device in DEVICES.items() if name != "k80"]
    assert all(device.memory_gb_per_gpu == device.memory_gb for device in others)


def test_prices_are_there_where_a_source_is() -> None:
    assert DEVICES["k80"].price_usd == 5000.0
    assert DEVICES["rtx_4090"].price_usd == 1599.0
    assert DEVICES["h100_sxm"].price_usd == pytest.approx(269_000 / 8, rel=0.001)
    assert isnan(DEVICES["l4"].price_usd)
    assert all(isnan(device.price_usd) or device.price_usd > 0.0 for device in DEVICES.values())


# What jobs need.


def test_memory_by_hand() -> None:
    # Weights, moments and gradients of 18 B per parameter in 70 % of the memory; the bounds are rounded.
    billion, n_gpus = np.array([0.5, 7.0, 30.0]), np.array([1, 8, 64])
    expected_gb = 18.0 * billion / n_gpus / 0.70
    np.testing.assert_allclose(training_memory_gb(billion, n_gpus), expected_gb, rtol=0.04)
    assert training_memory_gb(7.0, 8) == pytest.approx(22.4)


@given(n_gpus=st.integers(1, 500), share=st.floats(0.0, 1.0))
def test_the_largest_model_fills_its_devices(n_gpus: int, share: float) -> None:
    assert training_memory_gb(parameter_bound_billion(n_gpus), n_gpus) == 80.0
    assert training_memory_gb(share * parameter_bound_billion(n_gpus), n_gpus) == pytest.approx(80.0 * share)


@pytest.fixture(scope="module")
def sites() -> SiteTable:
    return make_sites(
        name=["small", "large"], grid=[0, 0], bus=["1", "2"], n_gpus=[600, 300], latitude=[35.0] * 2,
        longitude=[-115.0] * 2, device=["t4", "a100_sxm_80"], fleet_scale=10,
    )  # fmt: skip


def prepare(sites: SiteTable, **options: object) -> pd.DataFrame:
    trace = generate_trace(seed=1, duration_s=86400.0)
    return prepare_jobs(trace, seed=3, duration_s=86400.0, sites=sites, fleet_scale=10, **options)  # type: ignore[arg-type]


def test_prepared_jobs_need_the_memory_of_the_model_they_drew(sites: SiteTable) -> None:
    jobs, plain = prepare(sites, needs_memory=True), prepare(sites)
    assert "memory_gb_per_gpu" not in plain
    pd.testing.assert_frame_equal(
        jobs.drop(columns=["memory_gb_per_gpu", "origin"]), plain.drop(columns="origin")
    )
    billion = jobs["checkpoint_gb"] / 10 / 14
    np.testing.assert_allclose(
        jobs["memory_gb_per_gpu"], 80 * billion / parameter_bound_billion(jobs["n_gpus"] / 10)
    )
    too_big = jobs["memory_gb_per_gpu"] > 16.0
    assert 0.25 < too_big.mean() < 0.45  # log-uniform over two decades: log(5) / log(100) = 0.35
    assert set(jobs["origin"][too_big]) == {1}
    assert set(jobs["origin"][~too_big]) == {0, 1}
    assert (jobs["origin"] == plain["origin"])[~too_big].all()


def test_smaller_devices_had_smaller_models(sites: SiteTable) -> None:
    jobs = prepare(sites, needs_memory=True, gpu_memory_gb=16.0)
    assert jobs["memory_gb_per_gpu"].max() <= 16.0
    assert jobs["origin"].equals(prepare(sites)["origin"])


def test_named_models_need_memory_by_their_optimizer(sites: SiteTable) -> None:
    jobs = prepare(sites, needs_memory=True, models={"resnet50": 1.0})
    one = jobs["memory_gb_per_gpu"][jobs["n_gpus"] == 10]
    np.testing.assert_allclose(one, 80 * 0.025557 * (12 / 18) / 3.0)


def test_jobs_that_fit_no_wide_enough_site_are_an_error(sites: SiteTable) -> None:
    with pytest.raises(InputError, match=r"2 jobs of 4000 devices need up to 40.0 GB.*at most 16 GB"):
        draw_origins(
            np.array([4000, 8, 4000]),
            sites,
            np.random.default_rng(0),
            memory_gb_per_gpu=np.array([20.0, 1.0, 40.0]),
        )


def test_tables_are_checked_at_the_door() -> None:
    jobs = job_table([(0.0, 8, 8.0, 1.0, 0)] * 3)
    check_jobs(jobs.assign(memory_gb_per_gpu=[0.0, 10.0, 80.0], priority=[-1, 0, 3], placeable=True))
    bad = jobs.assign(
        memory_gb_per_gpu=[nan, -1.0, 80.0], priority=[0.5, 0.0, nan], placeable=1, pausable="no"
    )
    with pytest.raises(InputError) as error:
        check_jobs(bad)
    assert {f.where for f in error.value.findings} == {
        "memory_gb_per_gpu", "priority", "placeable", "pausable",
    }  # fmt: skip


# Who refuses what.


def case(need_gb: float = 60.0, *, submit_s: float = 0.0, **columns: object) -> SimulationInputs:
    """A job at a site of large devices; the wind rises after three hours at one of small devices as fast."""
    wind = np.concatenate([np.full(27, 4.0), np.full(30, 60.0)])
    jobs = job_table([(submit_s, 32, 32 * 12.0, 10.0, 1)], memory_gb_per_gpu=need_gb, **columns)
    return make_inputs(jobs, wind_mw=wind, n_history=24, device=["a100_sxm_40", "a100_sxm_80", "a100_sxm_80"])


def audit(record: SimulationRecord) -> pd.DataFrame:
    return record.events[record.events["kind"] == "move_refused"]


@pytest.mark.parametrize("name", MOVERS)
def test_a_job_that_does_not_fit_stays_and_the_audit_says_why(name: str) -> None:
    record = run_simulation(case(), POLICIES[name]())
    assert len(record.transfers) == 0
    (refusal,) = audit(record).itertuples()
    assert (refusal.reason, refusal.value, refusal.dest) == ("memory", 40.0 - 60.0, 0)
    fitting = run_simulation(case(40.0), POLICIES[name]())
    assert list(fitting.transfers["dest"]) == [0]
    assert audit(fitting).empty


@pytest.mark.parametrize("name", MOVERS)
def test_a_new_job_is_not_placed_where_it_does_not_fit(name: str) -> None:
    submit_s = 5 * 3600.0
    assert list(run_simulation(case(60.0, submit_s=submit_s), POLICIES[name]()).jobs["site"]) == [1]
    assert list(run_simulation(case(40.0, submit_s=submit_s), POLICIES[name]()).jobs["site"]) == [0]


@pytest.mark.parametrize("name", list(POLICIES))
def test_no_memory_and_no_column_give_the_same(name: str) -> None:
    with_column = case(0.0)
    without = replace(with_column, jobs=with_column.jobs.drop(columns="memory_gb_per_gpu"))
    one, two = (run_simulation(inputs, POLICIES[name]()) for inputs in (with_column, without))
    pd.testing.assert_frame_equal(one.events, two.events)


def test_a_job_must_fit_its_origin() -> None:
    with pytest.raises(InputError, match=r"job 100: needs 81 GB of memory on each GPU.*'site1' have 80 GB"):
        case(81.0)
    with pytest.raises(InputError, match="job 100: needs nan GB"):
        case(nan)


@dataclass(frozen=True)
class Careless:
    """Sends everything to the first site, whatever its memory."""

    place: bool
    name: str = "careless"

    def decide(self, view: View) -> Commands:
        """Place or move all."""
        jobs = view.queued if self.place else view.running
        may = jobs.placeable if self.place else jobs.migratable & (jobs.site != 0) & view.renewed
        may &= jobs.n_gpus <= (view.sites.gpu_capacity if self.place else view.sites.free_gpus)[0]
        job = (
            jobs.job[may] if self.place else jobs.job[may & (view.bandwidth_gbit_per_s[jobs.site, 0] > 0)][:1]
        )
        site = np.zeros(job.size, dtype=np.int64)
        return (
            Commands(place_job=job, place_site=site) if self.place else Commands(move_job=job, move_dest=site)
        )


@pytest.mark.parametrize("place", [True, False])
def test_commands_that_ignore_memory_are_refused_by_loop_and_contract(place: bool) -> None:
    what = "place" if place else "move"
    with pytest.raises(
        CommandError, match=rf"{what}: job in row 0 needs more memory on each GPU .*\(1 such\)"
    ):
        run_simulation(case(), Careless(place))
    run_simulation(case(40.0), Careless(place))
    with pytest.raises(ContractError, match=r"is (placed|moved to) where the memory of a device is too"):
        check_policy(Careless(place))


@given(inputs=small_runs(), name=st.sampled_from(list(POLICIES)), seed=st.integers(0, 99))
def test_no_job_ever_runs_where_it_does_not_fit(inputs: SimulationInputs, name: str, seed: int) -> None:
    memory_gb = inputs.sites.memory_gb_per_gpu
    need = np.random.default_rng(seed).choice([0.0, 30.0, 60.0, 80.0], len(inputs.jobs))
    need = np.minimum(need, memory_gb[inputs.jobs["origin"].to_numpy()])
    run = replace(inputs, jobs=inputs.jobs.assign(memory_gb_per_gpu=need))
    record = run_simulation(run, POLICIES[name]())
    events = record.events
    started, begun = (events[events["kind"] == kind] for kind in ("started", "move_begun"))
    assert np.all(need[started["job"]] <= memory_gb[started["site"]])
    assert np.all(need[begun["job"]] <= memory_gb[begun["dest"]])
    refused = audit(record)
    refused = refused[refused["reason"] == "memory"]
    np.testing.assert_allclose(refused["value"], memory_gb[refused["dest"]] - need[refused["job"]])


def test_memory_is_certain_whatever_the_forecast() -> None:
    windows = [1e6, 1e6, 0.0]
    fits = feasibility_chance(10.0, 10.0, windows, memory_gb_per_gpu=80.0, epsilon=0.4)
    assert (str(fits.reason), float(fits.holds["memory"])) == ("feasible", 1.0)
    not_there = feasibility_chance(10.0, 10.0, windows, memory_gb_per_gpu=30.0, device_memory_gb=[16.0, 32.0])
    assert not_there.reason.tolist() == ["memory", "time"]
    assert not_there.holds["memory"].tolist() == [0.0, 1.0]
