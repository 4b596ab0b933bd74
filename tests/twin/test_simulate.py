"""The loop: exact times, conservation, and that a run is nothing but steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import job_table, make_inputs, small_runs, windy
from twin.inputs import SimulationInputs
from twin.policies import POLICIES
from twin.record import SimulationRecord
from twin.scheduler import usage
from twin.simulate import Simulation, run_simulation
from twin.sites import HOTTEST_C, idle_power_mw, site_power_mw
from twin.state import Phase, State
from weather import InputError

LOOP_POLICIES = ("static", "temporal", "energy_greedy", "feasibility_aware", "receding_horizon")
policies = st.sampled_from(LOOP_POLICIES)


def assert_same_record(a: SimulationRecord, b: SimulationRecord) -> None:
    for name in a.sites:
        np.testing.assert_array_equal(a.sites[name], b.sites[name])
    for left, right in zip(a.grids, b.grids, strict=True):
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])
    for name in ("jobs", "transfers", "events"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))


def test_a_job_starts_at_the_next_tick_and_ends_exactly_inside_one() -> None:
    inputs = make_inputs(
        job_table([(100.0, 8, 11.0, 1.0, 0)]), wind_mw=windy(4), device=["a100_sxm_40"] * 3, fleet_scale=1
    )
    record = run_simulation(inputs, POLICIES["static"]())
    speed = inputs.sites.rel_throughput[0]
    job = record.jobs.iloc[0]
    assert job.first_start_s == 300.0
    assert job.end_s == pytest.approx(300.0 + 11.0 / 8 / speed * 3600.0, abs=1e-9)
    assert job.end_s % 300.0 != 0.0
    busy_gpu_h = record.sites["busy_gpus"].sum() * record.step_h
    assert busy_gpu_h == pytest.approx(11.0 / speed, abs=1e-9)
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(11.0, abs=1e-9)


def test_a_narrow_job_fills_in_but_does_not_starve_a_wide_one() -> None:
    first, wide = (0.0, 48, 480.0, 1.0, 0), (60.0, 60, 300.0, 1.0, 0)
    narrow = [(120.0 + i, 16, 320.0, 1.0, 0) for i in range(8)]
    inputs = make_inputs(
        job_table([first, wide, *narrow]), wind_mw=windy(120), device=["a100_sxm_40"] * 3, fleet_scale=1
    )

    def starts(patience_s: float) -> pd.Series:
        record = run_simulation(replace(inputs, backfill_patience_s=patience_s), POLICIES["static"]())
        return record.jobs.set_index("submit_s")["first_start_s"]

    fair, greedy = starts(3600.0), starts(np.inf)
    assert fair[120.0] == 300.0  # 48 + 16 of 64 GPUs: overtakes the wide job, which does not fit beside 48
    assert fair[60.0] == 300.0 + 20 * 3600.0  # as soon as that narrow job has ended
    assert (fair[121.0:] > fair[60.0]).all()
    assert greedy[121.0] == 36000.0  # when the 48 GPUs are free
    assert greedy[60.0] > fair[60.0]


def test_free_gpus_elsewhere_are_used_by_the_policy_that_places() -> None:
    jobs = job_table([(0.0, 64, 640.0, 1.0, 1), (0.0, 64, 640.0, 1.0, 1)])
    inputs = make_inputs(jobs, wind_mw=np.full(24, 4.0), device=["a100_sxm_40"] * 3)
    waiting = run_simulation(inputs, POLICIES["static"]()).jobs
    spread = run_simulation(inputs, POLICIES["feasibility_aware"]()).jobs
    assert list(waiting["first_start_s"]) == [0.0, 36000.0]
    assert list(spread["first_start_s"]) == [0.0, 0.0]


def assert_each_gpu_and_job_is_once(state: State, inputs: SimulationInputs) -> None:
    """No GPU is used twice, and jobs on their way, and they alone, have another site before them."""
    active = np.flatnonzero((state.phase > Phase.QUEUED) & (state.phase < Phase.DONE))
    assert np.all(usage(state, active, inputs.n_sites).total <= inputs.gpu_capacity)
    on_the_way = np.isin(state.phase, (Phase.SAVING, Phase.SENDING))
    np.testing.assert_array_equal(state.dest >= 0, on_the_way)
    assert np.all(state.dest[on_the_way] != state.site[on_the_way])


@settings(max_examples=25)
@given(inputs=small_runs(), name=policies)
def test_invariants_hold_in_every_tick(inputs: SimulationInputs, name: str) -> None:
    simulation = Simulation(inputs, POLICIES[name]())
    table = inputs.table
    while not simulation.finished:
        simulation.step()
        state = simulation.state
        assert_each_gpu_and_job_is_once(state, inputs)
        assert np.all(state.done_gpu_h <= table.work_gpu_h * (1 + 1e-12))
        assert np.all((state.left_gb >= 0.0) & (state.left_gb <= table.checkpoint_gb))
        now = state.tick * inputs.tick_s
        np.testing.assert_array_equal(state.phase == Phase.WAITING, table.submit_s > now - inputs.tick_s)
        stay = ~table.migratable & (state.phase != Phase.WAITING)
        assert np.all(state.site[stay] == table.origin[stay])
    load = simulation.record.sites["load_p_mw"]
    assert np.all(load <= inputs.sites.import_limit_mw * (1 + 1e-9))


@settings(max_examples=15)
@given(inputs=small_runs(), name=policies)
def test_the_same_run_twice_is_identical(inputs: SimulationInputs, name: str) -> None:
    assert_same_record(run_simulation(inputs, POLICIES[name]()), run_simulation(inputs, POLICIES[name]()))


@settings(max_examples=20)
@given(inputs=small_runs(), name=policies, share=st.floats(0.0, 1.0))
def test_a_run_written_and_read_back_goes_on_identically(
    inputs: SimulationInputs, name: str, share: float
) -> None:
    first = Simulation(inputs, POLICIES[name]())
    for _ in range(int(share * inputs.n_ticks)):
        first.step()
    second = Simulation.from_arrays(inputs, POLICIES[name](), first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    assert_same_record(first.record, second.record)


@settings(max_examples=20)
@given(inputs=small_runs(), name=policies, step=st.integers(1, 10), value=st.sampled_from([0.0, 40.0]))
def test_what_is_published_after_a_step_changes_no_decision_before(
    inputs: SimulationInputs, name: str, step: int, value: float
) -> None:
    later = slice(inputs.n_history + step, None)
    absorbable, marginal = inputs.absorbable_p_mw.copy(), inputs.marginal_curtailment.copy()
    available = inputs.grids[0].available_p_mw.copy()
    absorbable[later], marginal[later], available[step:, 0] = value, 1.0, value
    changed = replace(
        inputs,
        absorbable_p_mw=absorbable,
        marginal_curtailment=marginal,
        grids=(replace(inputs.grids[0], available_p_mw=available),),
    )
    before_s = step * inputs.signal_step_s
    one, other = (run_simulation(x, POLICIES[name]()) for x in (inputs, changed))
    pd.testing.assert_frame_equal(
        one.events[one.events["time_s"] < before_s], other.events[other.events["time_s"] < before_s]
    )
    np.testing.assert_array_equal(one.sites["load_p_mw"][:step], other.sites["load_p_mw"][:step])


@settings(max_examples=15)
@given(inputs=small_runs())
def test_without_moves_nothing_depends_on_the_tick_but_the_start(inputs: SimulationInputs) -> None:
    record = run_simulation(inputs, POLICIES["static"]())
    jobs = record.jobs[record.jobs["phase"] == "done"]
    run_s = jobs["end_s"] - jobs["first_start_s"]
    np.testing.assert_allclose(run_s, jobs["ideal_run_s"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(jobs["first_start_s"] % inputs.tick_s, 0.0)


def test_stepping_beyond_the_end_is_an_error() -> None:
    simulation = Simulation(make_inputs(job_table([]), wind_mw=windy(1), tick_s=3600), POLICIES["static"]())
    simulation.step()
    with pytest.raises(RuntimeError, match="ended after 1 ticks"):
        simulation.step()


def test_progress_is_told_after_every_signal_step() -> None:
    told: list[tuple[int, int]] = []
    inputs = make_inputs(job_table([]), wind_mw=windy(3))
    run_simulation(inputs, POLICIES["static"](), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_bad_inputs_are_refused_with_all_findings() -> None:
    good = make_inputs(job_table([(0.0, 8, 1.0, 1.0, 0)]), wind_mw=windy(3))
    with pytest.raises(InputError, match="no positive multiple of the tick"):
        replace(good, tick_s=1000)
    gap = good.temp_air.copy()
    gap[1, 1] = np.nan
    with pytest.raises(InputError) as caught:
        replace(good, temp_air=gap, absorbable_p_mw=good.absorbable_p_mw[:-1])
    assert {finding.where for finding in caught.value.findings} == {"temp_air [°C]", "absorbable_p_mw"}
    with pytest.raises(InputError, match="may use"):
        replace(good, jobs=good.jobs.assign(n_gpus=10**6))
    with pytest.raises(InputError, match="columns missing: deadline_s"):
        replace(good, jobs=good.jobs.drop(columns="deadline_s"))


def test_datasets_for_a_store_have_units_and_labels() -> None:
    inputs = make_inputs(job_table([(0.0, 8, 1.0, 1.0, 0)]), wind_mw=windy(3))
    out = run_simulation(inputs, POLICIES["static"]()).to_datasets()
    assert set(out) == {"sites", "coupled/two_bus", "jobs", "transfers", "pauses", "events"}
    sites, coupled = out["sites"], out["coupled/two_bus"]
    assert sites["load_p_mw"].dims == ("time", "site")
    assert sites["load_p_mw"].attrs["units"] == "MW"
    assert coupled["unit_p_mw"].shape == (3, 2)
    assert list(out["events"]["kind"]) == ["submitted", "started", "finished"]


def test_the_network_is_within_the_import_limit_too() -> None:
    """A limit of exactly 2400 GPUs' power carries fewer when links draw 400 Gbit/s at 1 Wh/GB both ways."""
    jobs = job_table([(0.0, 8, 1.0, 1.0, 0)])
    free = make_inputs(jobs, wind_mw=windy(2))
    limit = site_power_mw(free.sites, np.full(3, 2400.0), np.zeros(3), HOTTEST_C)
    tight = make_inputs(jobs, wind_mw=windy(2), import_limit_mw=list(limit), access_gbit_per_s=400.0)
    network_mw = 0.85 * 400.0 / 8 * 3600 * 0.001 / 1000
    per_gpu_mw = (limit - idle_power_mw(free.sites, HOTTEST_C)) / 2400
    expected = np.floor(2400 - network_mw / per_gpu_mw)
    np.testing.assert_array_equal(tight.gpu_capacity, expected)
    np.testing.assert_array_equal(free.gpu_capacity, 3200)


def test_the_heat_to_come_does_not_show_in_what_may_run() -> None:
    inputs = make_inputs(job_table([(0.0, 8, 1.0, 1.0, 0)]), wind_mw=windy(3), import_limit_mw=[2.0] * 3)
    warm = inputs.temp_air.copy()
    warm[-1] = 40.0
    later = replace(inputs, temp_air=warm)
    assert np.all((inputs.gpu_capacity > 0) & (inputs.gpu_capacity < inputs.sites.n_gpus))
    np.testing.assert_array_equal(later.gpu_capacity, inputs.gpu_capacity)
    warm[-1] = 51.0
    with pytest.raises(InputError, match=r"51.0 °C outdoors, but .* sized for 50 °C"):
        replace(inputs, temp_air=warm)
