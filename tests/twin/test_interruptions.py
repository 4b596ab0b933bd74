"""Outages of sites and failures of jobs: by hand, and that no work, byte, GPU or job is lost uncounted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs
from tests.twin.test_pauses import PAUSE_AT_1_RESUME_AT_3, Fickle, small
from tests.twin.test_simulate import assert_each_gpu_and_job_is_once, assert_same_record, policies
from tests.twin.test_transfers_outages import MOVE, RATE, WanderWherePossible, two_jobs
from twin.accounting import account
from twin.failures import checkpoint_interval_s
from twin.inputs import FailureModel, SimulationInputs
from twin.policies import POLICIES, CommandError, Commands, Policy
from twin.simulate import Simulation, run_simulation
from twin.site_outages import SiteOutages, draw_outages, with_site_outages
from twin.sites import site_power_mw
from twin.state import Phase
from twin.wan_changes import LinkOutage, with_outages
from weather import InputError

HOURLY = FailureModel(checkpoint_interval_s=3600.0)
ON_GPUS = (Phase.RUNNING, Phase.SAVING, Phase.LOADING, Phase.PAUSING, Phase.RESUMING, Phase.RESTARTING)
LOAD_S = 308.0  # 16 GB on one node of 2 GB/s; 240 s to start up and 60 s to warm up


def down(
    inputs: SimulationInputs, *rows: tuple[int, float, float], failures: FailureModel = HOURLY
) -> SimulationInputs:
    return with_site_outages(replace(inputs, failures=failures), SiteOutages.of(rows))


@dataclass(frozen=True, eq=False, kw_only=True)
class Listed(FailureModel):
    """Fails after given GPU-hours and then never again."""

    after_gpu_h: tuple[float, ...] = ()
    mtbf_gpu_h: float = 1.0

    def drawn_gpu_h(self, n_jobs: int, k: int) -> np.ndarray:
        return np.full(n_jobs, self.after_gpu_h[k] if k < len(self.after_gpu_h) else np.inf)


def test_an_outage_costs_the_work_since_the_last_checkpoint_and_a_new_start() -> None:
    # Runs 2.5 h, the last half of an hour is lost; 8 of 10 h are left at 10800 s, after loading.
    inputs = down(small((0.0, 8, 80.0, 16.0, 0)), (0, 9000.0, 10800.0))
    record = run_simulation(inputs, POLICIES["static"]())
    job = record.jobs.iloc[0]
    assert job.end_s == pytest.approx(10800.0 + LOAD_S + 8 * 3600.0)
    assert (job.first_start_s, job.n_interruptions) == (0.0, 1)
    assert (job.done_gpu_h, job.lost_gpu_h, job.repeated_gpu_h) == (80.0, pytest.approx(4.0), 4.0)
    assert job.restart_gpu_h == pytest.approx(8 * LOAD_S / 3600.0)
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(84.0)
    kinds = ["submitted", "started", "interrupted", "restart_begun", "resumed", "finished"]
    assert record.events.kind.tolist() == kinds
    score = account(record, [baseline(inputs)])
    assert (score.interruptions, score.completed_gpu_h) == (1, pytest.approx(80.0))
    assert score.lost_work_gpu_h == pytest.approx(4.0)
    assert score.lost_gpu_h == pytest.approx(4.0 + 8 * LOAD_S / 3600.0)


def test_a_site_that_is_down_draws_nothing() -> None:
    inputs = down(small((0.0, 8, 80.0, 16.0, 0)), (0, 9000.0, 10800.0), (1, 3600.0, 7200.0))
    load = run_simulation(inputs, POLICIES["static"]()).sites["load_p_mw"]
    running = site_power_mw(inputs.sites, np.array([8.0, 0.0, 0.0]), np.zeros(3), 10.0)
    np.testing.assert_allclose(load[1], running * [1.0, 0.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(load[2], running * [0.5, 1.0, 1.0], atol=1e-15)


def test_a_job_interrupted_before_its_first_checkpoint_starts_from_nothing() -> None:
    inputs = down(small((0.0, 8, 16.0, 16.0, 0)), (0, 1800.0, 3600.0))
    job = run_simulation(inputs, POLICIES["static"]()).jobs.iloc[0]
    assert (job.lost_gpu_h, job.restart_gpu_h, job.first_start_s) == (pytest.approx(4.0), 0.0, 0.0)
    assert job.end_s == pytest.approx(3600.0 + 2 * 3600.0)


def test_a_failure_comes_exactly_after_its_gpu_hours_and_the_job_goes_on_at_the_next_tick() -> None:
    failures = Listed(after_gpu_h=(20.8,), checkpoint_interval_s=3600.0)  # 2.6 h: 9360 s
    inputs = replace(small((0.0, 8, 80.0, 16.0, 0)), failures=failures)
    record = run_simulation(inputs, POLICIES["static"]())
    job, failed = record.jobs.iloc[0], record.events[record.events.kind == "failed"]
    assert failed.time_s.tolist() == [pytest.approx(9360.0)]
    assert failed.value.tolist() == [pytest.approx(4.8)]
    assert job.end_s == pytest.approx(9600.0 + LOAD_S + 8 * 3600.0)
    account(record, [baseline(inputs)])


def test_gpu_hours_to_a_failure_count_over_pauses() -> None:
    # Paused from 1 h to 3 h: after 8 GPU-h, 12 more from 3 h and loading on.
    failures = Listed(after_gpu_h=(20.0,), checkpoint_interval_s=3600.0)
    inputs = replace(small((0.0, 8, 80.0, 16.0, 0)), failures=failures)
    events = run_simulation(inputs, PAUSE_AT_1_RESUME_AT_3).events
    failed = events[events.kind == "failed"]
    assert failed.time_s.tolist() == [pytest.approx(3 * 3600.0 + LOAD_S + 1.5 * 3600.0)]
    assert failed.value.tolist() == [pytest.approx(4.0)]


def test_paused_jobs_stay_paused_through_an_outage() -> None:
    inputs = down(small((0.0, 8, 40.0, 16.0, 0)), (0, 5400.0, 9000.0))
    record = run_simulation(inputs, PAUSE_AT_1_RESUME_AT_3)
    whole = run_simulation(small((0.0, 8, 40.0, 16.0, 0)), PAUSE_AT_1_RESUME_AT_3)
    assert record.jobs.n_interruptions[0] == 0
    assert record.jobs.end_s[0] == whole.jobs.end_s[0]


def test_nothing_is_resumed_or_moved_to_a_site_that_is_down() -> None:
    with pytest.raises(CommandError, match=r"resume: .* too few free GPUs"):
        run_simulation(down(small((0.0, 8, 80.0, 16.0, 0)), (0, 10000.0, 12000.0)), PAUSE_AT_1_RESUME_AT_3)
    with pytest.raises(CommandError, match=r"move: .* too few free GPUs"):
        run_simulation(down(two_jobs(), (1, 3600.0, 4000.0)), MOVE)


def test_a_transfer_out_of_a_site_that_goes_down_is_cut_and_its_gpus_draw_nothing() -> None:
    # Saved at 3650, cut at 3700; attempts at 3730, 3790 and 3910 find nothing, that at 4150 does.
    inputs = down(two_jobs(tick_s=50), (0, 3700.0, 4000.0))
    record = run_simulation(inputs, MOVE)
    row, latency = record.transfers.iloc[0], inputs.wan.latency_s[0, 1]
    arrived = (3700.0 - 3650.0 - latency) * RATE
    assert row.sent_s == pytest.approx(4150.0 + latency + (100.0 - arrived) / RATE, abs=1e-6)
    assert (row.n_cuts, row.dark_s, row.repeated_gb) == (1, pytest.approx(300.0), 0.0)
    assert row.held_gpu_h == pytest.approx(row.n_gpus * (row.resumed_s - row.begun_s - 300.0) / 3600.0)
    assert (record.jobs.lost_gpu_h[0], record.jobs.n_interruptions[0]) == (0.0, 0)
    account(record, [baseline(inputs)])


def test_a_transfer_to_a_site_that_goes_down_waits_with_its_checkpoint_at_the_source() -> None:
    inputs = down(two_jobs(tick_s=50), (1, 3650.0, 3800.0))
    row = run_simulation(inputs, MOVE).transfers.iloc[0]
    assert row.sent_s == pytest.approx(3860.0 + inputs.wan.latency_s[0, 1] + 100.0 / RATE, abs=1e-6)
    assert (row.dark_s, row.moved_gb) == (0.0, pytest.approx(100.0))


def test_an_outage_while_saving_ends_the_move_and_loses_what_was_not_saved() -> None:
    # It ran an hour to the start of the move, with checkpoints every 40 minutes.
    failures = FailureModel(checkpoint_interval_s=2400.0)
    inputs = down(two_jobs(tick_s=40), (0, 3640.0, 7200.0), failures=failures)
    record = run_simulation(inputs, MOVE)
    row = record.transfers.iloc[0]
    assert (row.failed_s, row.moved_gb) == (3640.0, 0.0)
    assert np.isnan([row.saved_s, row.sent_s, row.resumed_s]).all()
    assert record.jobs.lost_gpu_h[0] == pytest.approx(8 * 1200.0 / 3600.0)
    account(record, [baseline(inputs)])


def test_policies_see_an_interrupted_job_bound_to_its_checkpoint() -> None:
    seen = []

    class Look:
        name = "look"

        def decide(self, view):  # type: ignore[no-untyped-def]
            if view.now_s == 9000.0:
                seen.append(view)
                return Commands(place_job=np.array([0]), place_site=np.array([1]))
            return Commands()

    with pytest.raises(CommandError, match="has its checkpoint at another site"):
        run_simulation(down(small((0.0, 8, 80.0, 16.0, 0)), (0, 9000.0, 10800.0)), Look())
    (view,) = seen
    assert (view.sites.free_gpus.tolist(), view.sites.gpu_capacity.tolist()) == ([0, 64, 64], [64, 64, 64])
    assert (view.sites.power_mw[0], view.queued.placeable.tolist()) == (0.0, [False])
    assert view.queued.remaining_gpu_h.tolist() == [pytest.approx(64.0)]


def test_drawn_outages_have_their_mean_times() -> None:
    rows = np.array(draw_outages(20, 3.6e8, mtbf_h=90.0, mttr_h=10.0, seed=3))
    assert np.mean(rows[:, 2] - rows[:, 1]) == pytest.approx(36000.0, rel=0.02)
    assert np.sum(rows[:, 2] - rows[:, 1]) / (20 * 3.6e8) == pytest.approx(0.1, rel=0.02)
    assert draw_outages(2, 1e7, mtbf_h=90.0, mttr_h=10.0, seed=3) == [
        row for row in draw_outages(3, 1e7, mtbf_h=90.0, mttr_h=10.0, seed=3) if row[0] < 2
    ]


def test_drawn_failures_have_their_mean_and_depend_on_seed_and_number_alone() -> None:
    model = FailureModel(mtbf_gpu_h=500.0, seed=4)
    assert np.mean(model.drawn_gpu_h(100_000, 0)) == pytest.approx(500.0, rel=0.02)
    np.testing.assert_array_equal(model.drawn_gpu_h(10, 2), model.drawn_gpu_h(10, 2))
    assert np.all(model.drawn_gpu_h(10, 1) != model.drawn_gpu_h(10, 2))


def test_without_an_interval_jobs_save_as_often_as_is_best_after_daly() -> None:
    # 16 GB at 2 GB/s: 8 s; 8 GPUs of 50,000 GPU-h: 22.5e6 s.
    best = checkpoint_interval_s(small((0.0, 8, 80.0, 16.0, 0)))
    assert best == pytest.approx(np.sqrt(2 * 8.0 * 22.5e6), rel=1e-3)


def test_wrong_outages_and_failures_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        SiteOutages.of([(0, 5.0, 5.0), (-1, 0.0, 1.0), (0, 0.0, np.nan), (0, 0.0, 1.0)])
    assert len(caught.value.findings) == 3
    with pytest.raises(InputError, match=r"outside 0\.\.2"):
        replace(small((0.0, 8, 8.0, 1.0, 0)), outages=SiteOutages.of([(3, 0.0, 1.0)]))
    with pytest.raises(InputError, match="with_site_outages"):
        replace(small((0.0, 8, 8.0, 1.0, 0)), outages=SiteOutages.of([(0, 0.0, 1.0)]))
    with pytest.raises(InputError, match="more than 0"):
        FailureModel(mtbf_gpu_h=0.0)
    with pytest.raises(InputError, match="more than 0 h"):
        draw_outages(1, 1.0, mtbf_h=0.0, mttr_h=1.0, seed=0)


def test_outages_of_links_stay_beside_those_of_sites() -> None:
    inputs = two_jobs(tick_s=50)
    cut = replace(inputs, wan=with_outages(inputs.wan, [LinkOutage("down:site1", 3660.0, 3960.0)]))
    own = run_simulation(cut, MOVE).transfers.iloc[0]
    both = run_simulation(down(cut, (2, 100.0, 200.0)), MOVE).transfers.iloc[0]
    assert (own.sent_s, own.n_cuts) == (both.sent_s, both.n_cuts)


@st.composite
def broken_runs(draw: st.DrawFn) -> SimulationInputs:
    """Small random runs with random outages of sites and failures of jobs."""
    inputs = draw(small_runs())
    row = st.tuples(
        st.integers(0, 2), st.floats(-1000.0, 60000.0), st.sampled_from([1.0, 900.0, 5000.0, 30000.0])
    )
    rows = [(site, begin, begin + length) for site, begin, length in draw(st.lists(row, max_size=5))]
    failures = FailureModel(
        mtbf_gpu_h=draw(st.sampled_from([np.inf, 300.0, 5000.0])),
        checkpoint_interval_s=draw(st.sampled_from([None, 600.0, 7200.0])),
        seed=draw(st.integers(0, 99)),
    )
    return with_site_outages(replace(inputs, failures=failures), SiteOutages.of(rows))


actors = st.one_of(
    policies.map(lambda name: POLICIES[name]()), st.just(Fickle()), st.just(WanderWherePossible())
)


@settings(max_examples=40)
@given(inputs=broken_runs(), policy=actors)
def test_work_gpus_and_bytes_are_conserved_whatever_breaks(inputs: SimulationInputs, policy: Policy) -> None:
    simulation = Simulation(inputs, policy)
    while not simulation.finished:
        simulation.step()
        state = simulation.state
        assert_each_gpu_and_job_is_once(state, inputs)
        if inputs.down is not None:
            dark = inputs.down[state.tick - 1][state.site]
            assert not np.any(dark & np.isin(state.phase, ON_GPUS) & (state.phase != Phase.LOADING))
    record = simulation.record
    jobs, transfers = record.jobs, record.transfers
    useful_and_lost = jobs["done_gpu_h"].sum() + jobs["lost_gpu_h"].sum()
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(useful_and_lost, rel=1e-9, abs=1e-6)
    done = jobs["phase"] == "done"
    np.testing.assert_array_equal(jobs.loc[done, "done_gpu_h"], jobs.loc[done, "work_gpu_h"])
    assert record.sites["wan_gb"].sum() == pytest.approx(transfers["moved_gb"].sum(), rel=1e-9, abs=1e-9)
    if inputs.down_share is not None:
        load = record.sites["load_p_mw"] - record.sites["wan_gb"] * inputs.wan.energy_kwh_per_gb / 1e3
        assert np.all(np.abs(load[inputs.down_share == 1.0]) < 1e-9)
    account(record, [baseline(inputs)])


@settings(max_examples=20)
@given(inputs=broken_runs(), policy=actors, share=st.floats(0.0, 1.0))
def test_a_broken_run_is_the_same_again_and_after_being_written(
    inputs: SimulationInputs, policy: Policy, share: float
) -> None:
    first = Simulation(inputs, policy)
    for _ in range(int(share * inputs.n_ticks)):
        first.step()
    second = Simulation.from_arrays(inputs, policy, first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    assert_same_record(first.record, second.record)
    assert_same_record(first.record, run_simulation(inputs, policy))


@settings(max_examples=15)
@given(inputs=broken_runs())
def test_failures_come_after_the_same_gpu_hours_under_every_policy(inputs: SimulationInputs) -> None:
    inputs = replace(inputs, failures=replace(inputs.failures, mtbf_gpu_h=2000.0))
    thresholds = inputs.failures.drawn_gpu_h(inputs.table.n_jobs, 0)
    for name in ("static", "energy_greedy"):
        simulation = Simulation(inputs, POLICIES[name]())
        while not simulation.finished:
            simulation.step()
        state, record = simulation.state, simulation.record
        speed = inputs.sites.rel_throughput
        never = (state.n_failures == 0) & (record.jobs["phase"] == "done").to_numpy()
        least_gpu_h = record.jobs["work_gpu_h"].to_numpy() / speed.max()
        assert np.all(least_gpu_h[never] <= thresholds[never] * (1 + 1e-9))


def test_what_cannot_break_is_as_without_any_of_it() -> None:
    jobs = job_table([(0.0, 8, 80.0, 16.0, 0), (900.0, 64, 640.0, 50.0, 1)])
    plain = make_inputs(jobs, wind_mw=np.full(30, 40.0))
    assert with_site_outages(plain, SiteOutages.of([])).wan is plain.wan
    for policy in (POLICIES["energy_greedy"](), WanderWherePossible()):
        one = run_simulation(plain, policy)
        assert_same_record(one, run_simulation(down(plain, (0, 1e9, 2e9)), policy))
