"""Live moves in the loop: times by hand, the closed form, nothing lost, done twice or in two places."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs
from tests.twin.test_interruptions import Listed, broken_runs
from tests.twin.test_pauses import Fickle
from tests.twin.test_resizes import Restless, elastic
from tests.twin.test_simulate import assert_same_record
from tests.twin.test_transfers import Move
from tests.twin.test_transfers_outages import WanderWherePossible, changing_runs, cut_at
from twin.accounting import account
from twin.feasibility import feasibility
from twin.inputs import SimulationInputs
from twin.migration import MigrationModel
from twin.migration_live import live_precopy
from twin.policies import POLICIES, CommandError, Commands, Policy, View
from twin.racks import RackTable
from twin.record import SimulationRecord
from twin.scheduler import usage
from twin.simulate import Simulation, run_simulation
from twin.site_outages import SiteOutages, with_site_outages
from twin.state import Phase, State
from twin.wan import star
from weather import InputError

LIVE = MigrationModel(mode="live", dirty_gb_per_s=0.1, downtime_target_s=1.0, max_rounds=30)
MOVE = Move(3600.0, (0,), (1,))
TO_1 = Move(3600.0, (0, 1), (1, 1))
READY_S = 3600.0 + 240.0


def live_jobs(
    *rows: tuple[float, int, float, float, int], model: MigrationModel = LIVE, **options: int
) -> SimulationInputs:
    """Jobs of 8 GPUs at site 0; each link carries 8 Gbit/s of payload: 1 GB/s."""
    rows = rows or ((0.0, 8, 200.0, 100.0, 0), (0.0, 8, 200.0, 400.0, 0))
    inputs = make_inputs(
        job_table(list(rows)),
        wind_mw=np.full(30, 4.0),
        device=["a100_sxm_40"] * 3,
        fleet_scale=1,
        **options,
    )
    return replace(inputs, wan=star(inputs.sites, access_gbit_per_s=8.0, goodput=1.0), migration=model)


def test_rounds_are_sent_while_the_job_runs_and_it_stands_for_the_last() -> None:
    # Rounds of 100 and 10 s; 1 GB is left, which takes the target of 1 s exactly.
    inputs = live_jobs()
    record = run_simulation(inputs, MOVE)
    row, latency = record.transfers.iloc[0], inputs.wan.latency_s[0, 1]
    assert (row["mode"], row.n_rounds, row.precopied_gb) == ("live", 2, pytest.approx(110.0))
    assert row.saved_s == pytest.approx(READY_S + 110.0)
    assert row.precopy_s == pytest.approx(350.0)
    assert row.sent_s == pytest.approx(READY_S + 111.0 + latency)
    assert row.downtime_s == pytest.approx(1.0 + latency + 60.0)
    assert row.moved_gb == pytest.approx(111.0)
    assert record.sites["wan_gb"].sum(axis=0) == pytest.approx([55.5, 55.5, 0.0])
    job = record.jobs.iloc[0]
    assert (job.site, job.end_s) == (1, pytest.approx(200.0 / 8 * 3600.0 + row.downtime_s))
    held_h = record.sites["held_gpus"].sum(axis=0) * record.step_h
    assert held_h == pytest.approx([8 * (1.0 + latency) / 3600.0, 8 * 60.0 / 3600.0, 0.0])
    assert row.held_gpu_h == pytest.approx(held_h.sum())
    reserved_h = record.sites["reserved_gpus"].sum(axis=0) * record.step_h
    assert reserved_h == pytest.approx([0.0, 8 * (row.sent_s - 3600.0) / 3600.0, 0.0])
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(400.0)
    rounds = record.events[record.events.kind == "round_begun"]
    assert rounds.time_s.tolist() == pytest.approx([READY_S, READY_S + 100.0])
    assert rounds.value.tolist() == pytest.approx([100.0, 10.0])
    score = account(record, [baseline(inputs)])
    assert (score.live_moves, score.live_dropped, score.live_rounds_mean) == (1, 0, 2.0)
    assert score.live_downtime_mean_s == pytest.approx(row.downtime_s)
    assert score.lost_gpu_h == pytest.approx(held_h.sum() + reserved_h.sum())
    assert score.migration_mwh == pytest.approx(row.energy_mwh)


@pytest.mark.parametrize(
    ("size_gb", "dirty", "target_s", "most"),
    [
        (100.0, 0.1, 1.0, 30),
        (98.0, 0.9, 3.0, 30),
        (400.0, 0.7, 0.5, 3),
        (0.5, 0.2, 1.0, 5),
        (30.0, 0.0, 0.0, 9),
    ],
)
def test_the_loop_does_what_the_closed_form_says_and_the_model_expects(
    size_gb: float, dirty: float, target_s: float, most: int
) -> None:
    model = replace(LIVE, dirty_gb_per_s=dirty, downtime_target_s=target_s, max_rounds=most, start_up_s=30.0)
    inputs = live_jobs((0.0, 8, 400.0, size_gb, 0), model=model)
    row, latency = run_simulation(inputs, MOVE).transfers.iloc[0], inputs.wan.latency_s[0, 1]
    stop_gb = max(target_s, 1e-300)  # 1 GB/s
    closed = live_precopy(
        size_gb, 8.0, dirty, latency_s=latency, resume_s=60.0, stop_gb=stop_gb, max_rounds=most
    )
    assert row.n_rounds == int(closed.rounds)
    assert row.precopy_s - 30.0 == pytest.approx(float(closed.precopy_s), rel=1e-9)
    assert row.downtime_s == pytest.approx(float(closed.downtime_s), rel=1e-6)
    assert row.moved_gb == pytest.approx(float(closed.sent_gb), rel=1e-9)
    times = model.times(size_gb, 8, 8.0, latency)
    assert row.downtime_s == pytest.approx(float(times.stands_s), rel=1e-6)
    assert row.resumed_s - row.begun_s == pytest.approx(float(times.total_s), rel=1e-9)
    assert row.moved_gb == pytest.approx(float(times.sent_gb), rel=1e-9)


def test_what_changes_faster_than_it_is_sent_ends_after_the_most_rounds() -> None:
    # 2 GB/s change, 1 GB/s are sent; a quarter changes at all: 100 GB, then 25 GB in every round.
    model = replace(LIVE, dirty_gb_per_s=2.0, changing_share=0.25, max_rounds=3)
    inputs = live_jobs((0.0, 8, 200.0, 100.0, 0), model=model)
    row = run_simulation(inputs, MOVE).transfers.iloc[0]
    assert (row.n_rounds, row.precopied_gb) == (3, pytest.approx(150.0))
    assert row.saved_s == pytest.approx(READY_S + 150.0)
    assert row.transfer_s == pytest.approx(25.0 + inputs.wan.latency_s[0, 1])
    assert float(model.times(100.0, 8, 8.0).total_s) == pytest.approx(240.0 + 150.0 + 25.0 + 60.0)


def test_rounds_that_share_a_link_take_longer_and_so_leave_more_to_send() -> None:
    # Both of 100 GB get 0.5 GB/s: 200 s, 20 GB; 40 s, 4 GB; 8 s, 0.8 GB; 1.6 s, 0.16 GB.
    inputs = live_jobs((0.0, 8, 200.0, 100.0, 0), (0.0, 8, 200.0, 100.0, 0))
    rows = run_simulation(inputs, TO_1).transfers
    assert rows.n_rounds.tolist() == [4, 4]
    np.testing.assert_allclose(rows.precopied_gb, 124.8, rtol=1e-9)
    np.testing.assert_allclose(rows.saved_s, READY_S + 249.6, rtol=1e-9)
    np.testing.assert_allclose(rows.moved_gb, 124.96, rtol=1e-9)


def test_a_job_that_ends_while_it_is_copied_ahead_ends_and_frees_what_was_reserved() -> None:
    inputs = live_jobs((0.0, 8, 8.0 + 8 * 300.0 / 3600.0, 100.0, 0))
    record = run_simulation(inputs, MOVE)
    row, job = record.transfers.iloc[0], record.jobs.iloc[0]
    assert (job.phase, job.site, job.end_s) == ("done", 0, pytest.approx(3900.0))
    assert row.dropped_s == pytest.approx(3900.0)
    assert np.isnan([row.saved_s, row.sent_s, row.resumed_s, row.failed_s, row.downtime_s]).all()
    assert row.moved_gb == pytest.approx(60.0)
    assert row.held_gpu_h == 0.0
    assert record.sites["reserved_gpus"].sum() * record.step_h == pytest.approx(8 * 300.0 / 3600.0)
    assert account(record, [baseline(inputs)]).live_dropped == 1


def test_a_failure_while_it_is_copied_ahead_drops_what_was_sent() -> None:
    # Fails after 8 + 8 · 300/3600 GPU-h: at 3900 s, with 60 GB sent.
    failures = Listed(after_gpu_h=(8.0 + 8 * 300.0 / 3600.0,), checkpoint_interval_s=3600.0)
    inputs = replace(live_jobs((0.0, 8, 200.0, 100.0, 0)), failures=failures)
    record = run_simulation(inputs, MOVE)
    row, job = record.transfers.iloc[0], record.jobs.iloc[0]
    assert (row.failed_s, row.moved_gb) == (pytest.approx(3900.0), pytest.approx(60.0))
    assert (job.site, job.n_interruptions) == (0, 1)
    assert job.lost_gpu_h == pytest.approx(8 * 300.0 / 3600.0)
    account(record, [baseline(inputs)])


@pytest.mark.parametrize("site", [0, 1])
def test_an_outage_of_the_source_interrupts_and_one_of_the_destination_lets_the_job_run_on(site: int) -> None:
    inputs = with_site_outages(live_jobs((0.0, 8, 200.0, 100.0, 0)), SiteOutages.of([(site, 3900.0, 7000.0)]))
    record = run_simulation(inputs, MOVE)
    row, job = record.transfers.iloc[0], record.jobs.iloc[0]
    assert (row.failed_s, row.dropped_s)[site] == 3900.0
    assert np.isnan((row.dropped_s, row.failed_s)[site])
    assert (job.site, job.n_interruptions, row.moved_gb) == (0, 1 - site, pytest.approx(60.0))
    if site == 1:
        assert job.end_s == pytest.approx(25 * 3600.0)
    account(record, [baseline(inputs)])


def frozen_at(down_site: int) -> tuple[SimulationRecord, SimulationInputs]:
    """A job that stands from 3990 s on for 100 GB, while a site is down from 4050 to 4350 s."""
    model = replace(LIVE, dirty_gb_per_s=5.0, max_rounds=1, start_up_s=290.0)
    inputs = live_jobs((0.0, 8, 200.0, 100.0, 0), model=model, tick_s=50)
    inputs = with_site_outages(inputs, SiteOutages.of([(down_site, 4050.0, 4350.0)]))
    return run_simulation(inputs, MOVE), inputs


def test_a_job_that_stands_for_its_last_round_is_interrupted_with_its_source() -> None:
    record, inputs = frozen_at(0)
    row, job = record.transfers.iloc[0], record.jobs.iloc[0]
    assert (row.saved_s, row.failed_s) == (pytest.approx(3990.0), 4050.0)
    assert (job.site, job.n_interruptions) == (0, 1)
    assert row.held_gpu_h == pytest.approx(8 * 60.0 / 3600.0)
    account(record, [baseline(inputs)])


def test_a_destination_that_was_down_for_the_last_round_starts_up_anew() -> None:
    # Cut at 4050 with 60 GB sent, tried again at 4080, 4140, 4260 and 4500; then a whole load.
    record, inputs = frozen_at(1)
    row, latency = record.transfers.iloc[0], inputs.wan.latency_s[0, 1]
    assert (row.n_cuts, record.jobs.n_interruptions[0]) == (1, 0)
    assert row.sent_s == pytest.approx(4500.0 + latency + 100.0 - 60.0 + latency)
    assert row.load_s == pytest.approx(290.0 + 50.0 + 60.0)
    account(record, [baseline(inputs)])


@pytest.mark.parametrize("resume", [True, False])
def test_a_cut_round_is_sent_on_or_again_and_grows_what_is_left(resume: bool) -> None:
    # 60 of 100 GB at 3900, cut; attempts at 3930 and 3990 fail, that at 4110 finds the link.
    inputs = cut_at(live_jobs((0.0, 8, 200.0, 100.0, 0)), (3900.0, 4100.0), resume=resume)
    record = run_simulation(inputs, MOVE)
    row, latency = record.transfers.iloc[0], inputs.wan.latency_s[0, 1]
    first_s = 4110.0 + latency + (40.0 if resume else 100.0) - READY_S
    # First round, then a tenth of its seconds in GB, and so on: below 1 GB after the third or fourth.
    sizes = [100.0, 0.1 * first_s, 0.01 * first_s, 0.001 * first_s]
    assert row.n_rounds == 3
    assert row.precopied_gb == pytest.approx(sum(sizes[:3]))
    assert row.repeated_gb == pytest.approx(0.0 if resume else 60.0)
    assert row.moved_gb == pytest.approx(sum(sizes) + row.repeated_gb)
    assert row.n_cuts == 1
    assert record.jobs.end_s[0] == pytest.approx(25 * 3600.0 + row.downtime_s)
    account(record, [baseline(inputs)])


def test_outages_elsewhere_change_nothing() -> None:
    plain = run_simulation(live_jobs(), MOVE)
    assert_same_record(plain, run_simulation(cut_at(live_jobs(), (3610.0, 9000.0), link="up:site2"), MOVE))


@pytest.mark.parametrize("tick_s", [50, 3600])
def test_rounds_do_not_depend_on_the_tick(tick_s: int) -> None:
    one, other = (
        run_simulation(live_jobs(tick_s=t), TO_1).transfers.sort_values("job") for t in (300, tick_s)
    )
    for column in ("saved_s", "sent_s", "resumed_s", "moved_gb", "n_rounds"):
        np.testing.assert_allclose(one[column], other[column], rtol=0, atol=1e-6)


def test_best_takes_the_way_for_which_the_job_stands_less() -> None:
    # Nothing to start up or to warm up, fast storage, and more changes than a checkpoint sends.
    model = MigrationModel(
        mode="best", start_up_s=0.0, warm_up_s=0.0, incremental_share=0.1, write_gb_per_s_per_node=1e3
    )
    model = replace(model, read_gb_per_s_per_node=1e3)
    assert not bool(model.is_live(100.0, 8, 8.0))
    assert bool(replace(model, dirty_gb_per_s=0.01).is_live(100.0, 8, 8.0))
    assert model.is_live([100.0, 100.0], 8, [8.0, 0.0]).tolist() == [False, False]
    for dirty, mode in ((20.0, "stop_and_copy"), (0.01, "live")):
        inputs = live_jobs((0.0, 8, 200.0, 100.0, 0), model=replace(model, dirty_gb_per_s=dirty))
        row = run_simulation(inputs, MOVE).transfers.iloc[0]
        assert row["mode"] == mode
        expected = inputs.migration.times(100.0, 8, 8.0, inputs.wan.latency_s[0, 1])
        assert row.downtime_s == pytest.approx(float(expected.stands_s), rel=1e-6)


def test_the_domain_asks_whether_all_of_it_fits_and_what_standing_and_all_bytes_cost() -> None:
    # 240 + 110 s copied ahead, 1 + 60 s of downtime, 111 GB.
    found = feasibility(
        100.0, 8.0, 4110.0, migration=LIVE, goodput=1.0, hold_power_mw=1.0, wan_kwh_per_gb=1.0,
        remaining_s=3600.0, deadline_s=3661.0,
    )  # fmt: skip
    assert float(found.t_mig_s) == pytest.approx(411.0)
    assert float(found.margin_time_s) == pytest.approx(0.0)
    assert float(found.e_mig_mwh) == pytest.approx(61.0 / 3600.0 + 0.111)
    assert float(found.margin_deadline_s) == pytest.approx(0.0, abs=1e-9)


def test_all_findings_at_once() -> None:
    with pytest.raises(InputError) as error:
        MigrationModel(
            mode="alive", dirty_gb_per_s=-1.0, changing_share=2.0, downtime_target_s=np.inf, max_rounds=0
        )  # type: ignore[arg-type]
    assert len(error.value.findings) == 5


@dataclass(frozen=True)
class Again:
    """Moves a job, and an hour's quarter later asks something else of it."""

    command: str
    name: str = "again"

    def decide(self, view: View) -> Commands:
        job, one = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
        if view.now_s == 3600.0:
            return Commands(move_job=job, move_dest=one)
        if view.now_s < 3600.0:
            return Commands()
        assert not len(view.running)
        assert view.bandwidth_gbit_per_s[0, 1] == pytest.approx(4.0)
        assert view.sites.committed_p_mw[0] < view.sites.power_mw[0]
        commands = {
            "move": Commands(move_job=job, move_dest=2 * one),
            "pause": Commands(pause_job=job),
            "size": Commands(size_job=job, size_gpus=4 * one),
        }
        return commands[self.command]


@pytest.mark.parametrize("command", ["move", "pause", "size"])
def test_a_job_that_is_copied_ahead_is_not_seen_and_takes_no_other_command(command: str) -> None:
    inputs = elastic(live_jobs((0.0, 8, 200.0, 8000.0, 0)))
    with pytest.raises(CommandError, match=f"{command}: .* is on the move"):
        run_simulation(inputs, Again(command))


@pytest.mark.parametrize("start_s", [0.0, 1200.0])
def test_racks_start_before_what_takes_over_does(start_s: float) -> None:
    inputs = live_jobs((0.0, 8, 200.0, 100.0, 0))
    racks = RackTable.of([16] * 3, start_s=[start_s] * 3)
    inputs = replace(inputs, sites=replace(inputs.sites, racks=racks))
    row = run_simulation(inputs, Move(7200.0, (0,), (1,))).transfers.iloc[0]
    assert row.saved_s == pytest.approx(7200.0 + start_s + 240.0 + 110.0)
    assert row.load_s == pytest.approx(60.0)


@dataclass(frozen=True)
class Mixed:
    """Moves at random in every other step, and pauses and resumes in the others."""

    name: str = "mixed"

    def decide(self, view: View) -> Commands:
        return (Fickle() if view.step % 2 else WanderWherePossible()).decide(view)


def check_places(state: State, inputs: SimulationInputs) -> None:
    """No GPU is used twice; jobs on their way, and they alone, have another site before them."""
    active = np.flatnonzero((state.phase > Phase.QUEUED) & (state.phase < Phase.DONE))
    assert np.all(usage(state, active, inputs.n_sites).total <= inputs.gpu_capacity)
    bound = state.dest >= 0
    assert np.all(state.dest[bound] != state.site[bound])
    assert np.all(bound[np.isin(state.phase, (Phase.SAVING, Phase.SENDING))])
    others = ~np.isin(state.phase, (Phase.SAVING, Phase.SENDING, Phase.RUNNING))
    assert not np.any(bound & others)
    assert np.array_equal(np.isfinite(state.send_s), bound & (state.phase != Phase.SAVING))
    most = inputs.migration.payload_gb(inputs.table.checkpoint_gb) * (1 + 1e-9)
    assert np.all((state.left_gb >= 0.0) & (state.left_gb <= state.round_gb))
    assert np.all(state.round_gb <= np.maximum(most, inputs.table.checkpoint_gb))


@st.composite
def live_runs(draw: st.DrawFn) -> SimulationInputs:
    """Small random runs with live moves, failures, outages of sites and links, and other traffic."""
    inputs = draw(st.one_of(broken_runs(), changing_runs()))
    model = MigrationModel(
        mode=draw(st.sampled_from(["live", "best"])),
        dirty_gb_per_s=draw(st.sampled_from([0.0, 0.01, 0.3, 20.0])),
        changing_share=draw(st.sampled_from([0.0, 0.1, 1.0])),
        downtime_target_s=draw(st.sampled_from([0.0, 1.0, 100.0])),
        max_rounds=draw(st.sampled_from([1, 4])),
        start_up_s=draw(st.sampled_from([0.0, 240.0, 4000.0])),
        warm_up_s=draw(st.sampled_from([0.0, 60.0])),
        compression_ratio=draw(st.sampled_from([1.0, 2.0])),
    )
    inputs = replace(inputs, migration=model)
    if np.isinf(inputs.sites.import_limit_mw).all() and draw(st.booleans()):
        racks = RackTable.of([800] * inputs.n_sites, start_s=[3600.0] * inputs.n_sites)
        inputs = replace(inputs, sites=replace(inputs.sites, racks=racks))
    return elastic(inputs) if draw(st.booleans()) else inputs


actors = st.sampled_from([Mixed(), Restless(Mixed()), WanderWherePossible(), POLICIES["feasibility_aware"]()])


@settings(max_examples=25)
@given(inputs=live_runs(), policy=actors, share=st.floats(0.0, 1.0))
def test_nothing_is_lost_done_twice_or_in_two_places_and_a_run_goes_on_as_it_was(
    inputs: SimulationInputs, policy: Policy, share: float
) -> None:
    used: list[np.ndarray] = []
    wan, rates_of = inputs.wan, type(inputs.wan).max_min_rates

    class Meter(type(wan)):  # type: ignore[misc]
        def max_min_rates(self, source: np.ndarray, destination: np.ndarray) -> np.ndarray:
            rates = rates_of(self, source, destination)
            used.append(self.on_path[source, destination].T.astype(float) @ rates)
            assert np.all(used[-1] <= self.payload_gbit_per_s * (1 + 1e-9))
            return rates

    metered = replace(inputs)
    object.__setattr__(
        metered, "wan", Meter(**{name: getattr(wan, name) for name in wan.__dataclass_fields__})
    )
    simulation = Simulation(metered, policy)
    at = int(share * inputs.n_ticks)
    half = None
    while not simulation.finished:
        if simulation.tick == at:
            half = Simulation.from_arrays(inputs, policy, simulation.to_arrays())
        simulation.step()
        check_places(simulation.state, inputs)
    record = simulation.record
    jobs, transfers = record.jobs, record.transfers
    done = jobs["phase"] == "done"
    np.testing.assert_array_equal(jobs.loc[done, "done_gpu_h"], jobs.loc[done, "work_gpu_h"])
    assert record.sites["wan_gb"].sum() == pytest.approx(transfers["moved_gb"].sum(), rel=1e-9, abs=1e-9)
    live = transfers[transfers["mode"] == "live"]
    ended = live[live["resumed_s"].notna()]
    assert np.all(ended["n_rounds"] <= inputs.migration.max_rounds)
    assert np.all(ended["saved_s"] >= ended["begun_s"] + inputs.migration.start_up_s - 1e-6)
    first_gb = inputs.migration.payload_gb(jobs.loc[ended["job"], "checkpoint_gb"])
    assert np.all(ended["moved_gb"] >= first_gb * (1 - 1e-9))
    account(record, [baseline(inputs)])
    if half is not None:
        while not half.finished:
            half.step()
        assert_same_record(record, half.record)
