"""Elastic jobs in the loop: ends by the formula, GPUs and work conserved, and rigid runs as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, make_inputs, small_runs
from tests.twin.test_interruptions import Listed, broken_runs, down
from tests.twin.test_pauses import LOAD_S, SAVE_S, Fickle, at, small
from tests.twin.test_racks import racked
from tests.twin.test_simulate import assert_each_gpu_and_job_is_once, assert_same_record
from tests.twin.test_transfers_outages import WanderWherePossible
from twin.accounting import account
from twin.elastic import relative_speed
from twin.inputs import FailureModel, SimulationInputs
from twin.migration import MigrationModel
from twin.policies import POLICIES, CommandError, Commands, Policy, View
from twin.racks import RackTable
from twin.simulate import Simulation, run_simulation
from twin.state import Phase
from twin.workloads import check_jobs, generate_trace, prepare_jobs, read_trace
from weather import InputError

COST_S = SAVE_S + LOAD_S


def elastic(inputs: SimulationInputs, *, least: float = 0.25, most: float = 4.0) -> SimulationInputs:
    """Let every job run on a quarter to four times its GPUs."""
    n_gpus = inputs.jobs["n_gpus"].to_numpy()
    ranges = {
        "min_gpus": np.maximum(n_gpus * least, 1).astype(np.int64),
        "max_gpus": (n_gpus * most).astype(np.int64),
    }
    return replace(inputs, jobs=inputs.jobs.assign(**ranges))


def size(*pairs: tuple[int, int]) -> Callable[[View], Commands]:
    """Ask for sizes of jobs."""
    job, n_gpus = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    return lambda _: Commands(size_job=job, size_gpus=n_gpus)


def test_a_job_on_8_then_4_then_16_gpus_ends_when_the_formula_says() -> None:
    # c = 0.11. On 8, 1.09625 of time; on 4, 2 + 0.0825; on 16, 0.5 + 0.103125: speeds 0.5264..., 1.8176...
    narrow, wide = 1.09625 / 2.0825, 1.09625 / 0.603125
    inputs = elastic(small((0.0, 8, 8 * 10.0, 16.0, 0)))
    record = run_simulation(inputs, at({1: size((0, 4)), 4: size((0, 16))}))
    # An hour on 8, three on 4 less saving and loading, the rest on 16 (two nodes: half the time to save and
    # to read: 4 s for 16 GB) after saving on 4, one node.
    done_h = 1.0 + narrow * (3.0 - COST_S / 3600.0)
    load_wide_s = 300.0 + 4.0
    end_s = 4 * 3600.0 + SAVE_S + load_wide_s + (10.0 - done_h) / wide * 3600.0
    job = record.jobs.iloc[0]
    assert job.end_s == pytest.approx(end_s, abs=1e-6)
    assert (job.n_gpus, job.last_gpus, job.n_resizes) == (8, 16, 2)
    # Held: 8 GPUs while saving, 4 while loading; then 16 all along.
    held = 8 * SAVE_S + 4 * LOAD_S + 16 * (SAVE_S + load_wide_s)
    assert job.resize_gpu_h == pytest.approx(held / 3600.0)
    wide_h = (10.0 - done_h) / wide
    extra = (4 - 8 * narrow) * (3.0 - COST_S / 3600.0) + (16 - 8 * wide) * wide_h
    assert job.extra_gpu_h == pytest.approx(extra)
    assert job.done_gpu_h == 80.0 == pytest.approx(record.sites["progress_gpu_h"].sum())
    kinds = ["submitted", "started", "resize_begun", "resized", "resize_begun", "resized", "finished"]
    assert record.events.kind.tolist() == kinds
    np.testing.assert_allclose(record.sites["busy_gpus"][1, 0], 4 * (1 - COST_S / 3600.0))
    np.testing.assert_allclose(record.sites["held_gpus"][1, 0] * 3600.0, 8 * SAVE_S + 4 * LOAD_S)
    score = account(record, [baseline(inputs)])
    assert (score.resizes, score.resize_gpu_h) == (2, pytest.approx(held / 3600.0))
    assert score.extra_gpu_h == pytest.approx(extra)
    assert score.lost_gpu_h == score.held_gpu_h == pytest.approx(held / 3600.0)


def test_a_queued_job_starts_on_another_number_of_gpus_at_no_cost() -> None:
    # 64 GPUs are taken by the first for an hour; 48 more do not fit beside 32, on 24 they do.
    inputs = elastic(small((0.0, 32, 320.0, 16.0, 0), (0.0, 48, 48.0, 16.0, 0)))
    jobs = run_simulation(inputs, at({0: size((1, 24))})).jobs
    assert jobs["first_start_s"].tolist() == [0.0, 0.0]
    assert jobs["end_s"][1] == pytest.approx(3600.0 / float(relative_speed(24, 48)))
    assert (jobs["n_resizes"][1], jobs["resize_gpu_h"][1]) == (0, 0.0)


def test_gpus_that_a_job_gives_up_are_free_once_it_has_saved_and_those_it_gets_are_taken_at_once() -> None:
    inputs = elastic(small((0.0, 48, 480.0, 128.0, 0), (60.0, 32, 32.0, 1.0, 0), (10700.0, 8, 8.0, 1.0, 0)))
    act = {1: size((0, 32)), 2: size((0, 64))}
    with pytest.raises(CommandError, match="too few free GPUs"):  # the second job runs from 3900 s to 7500 s
        run_simulation(inputs, at(act))
    jobs = run_simulation(inputs, at({1: act[1], 3: act[2]})).jobs
    assert jobs["first_start_s"][1] == 3900.0  # the first tick after 11 s of saving on 6 nodes
    # The third came before the first took all GPUs, but had not started: it waits for the end of the first.
    assert jobs["first_start_s"][2] == 300.0 * np.ceil(jobs["end_s"][0] / 300.0) > 10800.0


def test_a_job_that_needs_more_racks_loads_when_these_are_ready() -> None:
    # Racks of 16 take 900 s to start; all but the one that is in use are off after half an hour.
    rigid = racked((0.0, 8, 80.0, 16.0, 0), keep_s=[1800.0] * 3)
    narrow, wide = (run_simulation(elastic(rigid), at({1: size((0, n))})) for n in (12, 20))
    fits, waits = (
        float(record.events.time_s[record.events.kind == "resized"].iloc[0]) for record in (narrow, wide)
    )
    assert fits == pytest.approx(3600.0 + SAVE_S + 300.0 + 4.0)  # two nodes to read
    assert waits == pytest.approx(3600.0 + 900.0 + 300.0 + 16.0 / 6.0)  # three
    assert wide.jobs.resize_gpu_h[0] == pytest.approx(20 * (waits - 3600.0) / 3600.0)


def test_failures_count_gpu_hours_at_the_present_size() -> None:
    # 8 GPU-h in the first hour, then 4 GPU-h an hour on 4 GPUs: 12 GPU-h are reached an hour after loading.
    inputs = elastic(small((0.0, 8, 80.0, 16.0, 0)))
    failing = Listed(after_gpu_h=(12.0,), checkpoint_interval_s=1800.0)
    record = run_simulation(replace(inputs, failures=failing), at({1: size((0, 4))}))
    failed = record.events[record.events.kind == "failed"].time_s.tolist()
    assert failed == [pytest.approx(3600.0 + COST_S + 3600.0)]
    account(record, [baseline(inputs)])


def test_an_outage_in_the_middle_of_a_resize_costs_what_was_done_since_the_last_checkpoint() -> None:
    # 1 TB takes 500 s to save on one node; down at 3900 s, half an hour after the last checkpoint.
    inputs = elastic(small((0.0, 8, 80.0, 1000.0, 0)))
    broken = down(inputs, (0, 3900.0, 7200.0), failures=FailureModel(checkpoint_interval_s=1800.0))
    for wanted in (4, 16):
        record = run_simulation(broken, at({1: size((0, wanted))}))
        job = record.jobs.iloc[0]
        assert (job.last_gpus, job.lost_gpu_h, job.n_interruptions) == (8, pytest.approx(0.0), 1)
        assert job.resize_gpu_h == pytest.approx(max(8, wanted) * 300.0 / 3600.0)
        assert job.end_s == pytest.approx(7200.0 + 300.0 + 500.0 + 9 * 3600.0)
        account(record, [baseline(inputs)])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (size((0, 6)), "job in row 0 is not given between its min_gpus and max_gpus"),
        (size((0, 30)), "job in row 0 has so many GPUs already"),
        (size((0, 40)), "job in row 0 finds too few free GPUs at its site"),
        (size((1, 24)), "job in row 1 is not given between its min_gpus and max_gpus"),
        (size((3, 65)), "job in row 3 is given more GPUs than the site has"),
        (size((0, 20), (0, 25)), "size: a job is named twice"),
        (size((9, 20)), "size: job that does not exist"),
        (lambda _: Commands(size_job=np.array([0])), "size: 1 jobs but 0 numbers of GPUs"),
        (
            lambda _: Commands(size_job=np.array([0]), size_gpus=np.array([20]), pause_job=np.array([0])),
            "size: job in row 0 is on the move or told to leave its GPUs",
        ),
        (
            lambda _: Commands(
                size_job=np.array([2]), size_gpus=np.array([36]), move_job=np.array([0]), move_dest=[1]
            ),
            "finds too few free GPUs",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(act: Callable[[View], Commands], message: str) -> None:
    rows = [(0.0, 30, 3000.0, 1.0, 0), (0.0, 28, 2800.0, 1.0, 0), (0.0, 30, 3000.0, 1.0, 1)]
    inputs = elastic(small(*rows, (0.0, 40, 400.0, 1.0, 0)))
    inputs.jobs.loc[1, ["min_gpus", "max_gpus"]] = 28
    inputs = replace(inputs, jobs=inputs.jobs)

    def checked(view: View) -> Commands:
        commands = act(view)
        return replace(commands, move_dest=np.asarray(commands.move_dest, dtype=np.int64))

    with pytest.raises(CommandError, match=message):
        run_simulation(inputs, at({1: checked}))


def test_a_job_that_moves_pauses_or_is_resized_is_not_resized() -> None:
    inputs = elastic(small((0.0, 8, 800.0, 9000.0, 0)))
    for begin in (
        lambda _: Commands(move_job=np.array([0]), move_dest=np.array([1])),
        lambda _: Commands(pause_job=np.array([0])),
        size((0, 4)),
    ):
        with pytest.raises(CommandError, match="neither runs nor is queued"):
            run_simulation(inputs, at({1: begin, 2: size((0, 5))}))
    with pytest.raises(CommandError, match="move: job in row 0 is not running"):
        run_simulation(
            inputs,
            at({1: size((0, 4)), 2: lambda _: Commands(move_job=np.array([0]), move_dest=np.array([1]))}),
        )


@dataclass(frozen=True)
class Restless:
    """Gives jobs other sizes at random, within the rules, and lets another policy do the rest."""

    other: Policy
    name: str = "restless"

    def decide(self, view: View) -> Commands:
        commands = self.other.decide(view)
        free = view.sites.free_gpus.astype(np.int64)
        np.subtract.at(free, commands.move_dest, _gpus(view.running, commands.move_job))
        resumed = np.isin(view.paused.job, commands.resume_job)
        np.subtract.at(free, view.paused.site[resumed], view.paused.n_gpus[resumed])
        busy = np.concatenate([commands.move_job, commands.pause_job])
        given: list[tuple[int, int]] = []
        for jobs, runs in ((view.running, True), (view.queued, False)):
            for k in np.flatnonzero((view.rng.random(len(jobs)) < 0.4) & ~np.isin(jobs.job, busy)):
                most = (
                    jobs.max_gpus[k]
                    if not runs
                    else min(jobs.max_gpus[k], jobs.n_gpus[k] + free[jobs.site[k]])
                )
                wanted = int(view.rng.integers(jobs.min_gpus[k], most + 1)) if most >= jobs.min_gpus[k] else 0
                small_enough = wanted <= view.sites.gpu_capacity.min()
                if wanted and small_enough and (not runs or (view.renewed and wanted != jobs.n_gpus[k])):
                    free[jobs.site[k]] -= max(wanted - jobs.n_gpus[k], 0) if runs else 0
                    given.append((int(jobs.job[k]), wanted))
        pairs = np.array(given, dtype=np.int64).reshape(-1, 2)
        return replace(commands, size_job=pairs[:, 0], size_gpus=pairs[:, 1])


def _gpus(jobs: object, rows: np.ndarray) -> np.ndarray:
    where = {int(row): i for i, row in enumerate(jobs.job)}
    return jobs.n_gpus[[where[int(row)] for row in rows]]


others = st.sampled_from(
    [Fickle(), WanderWherePossible(), POLICIES["static"](), POLICIES["feasibility_aware"]()]
)


LIVE = MigrationModel(mode="live", dirty_gb_per_s=0.05, downtime_target_s=5.0, max_rounds=9)


@st.composite
def elastic_runs(draw: st.DrawFn) -> SimulationInputs:
    """Small random runs with outages, failures and elastic jobs, some with live moves, some with racks."""
    inputs = elastic(draw(broken_runs()))
    if draw(st.booleans()) and np.all(np.isinf(inputs.sites.import_limit_mw)):
        racks = RackTable.of([400] * 3, start_s=[float(inputs.tick_s)] * 3)
        inputs = replace(inputs, sites=replace(inputs.sites, racks=racks))
    return replace(inputs, migration=LIVE) if draw(st.booleans()) else inputs


@settings(max_examples=15)
@given(inputs=elastic_runs(), other=others)
def test_gpus_and_work_are_conserved_under_random_sizes(inputs: SimulationInputs, other: Policy) -> None:
    simulation = Simulation(inputs, Restless(other))
    table = inputs.table
    while not simulation.finished:
        simulation.step()
        state = simulation.state
        assert_each_gpu_and_job_is_once(state, inputs)
        assert np.all((state.n_gpus >= table.min_gpus) & (state.n_gpus <= table.max_gpus))
        assert np.all(state.done_gpu_h <= table.work_gpu_h * (1 + 1e-12))
    record = simulation.record
    jobs = record.jobs
    done = jobs["phase"] == "done"
    np.testing.assert_array_equal(jobs.loc[done, "done_gpu_h"], jobs.loc[done, "work_gpu_h"])
    useful_and_lost = jobs["done_gpu_h"].sum() + jobs["lost_gpu_h"].sum()
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(useful_and_lost, rel=1e-9, abs=1e-6)
    account(record, [baseline(inputs)])  # raises where GPU-hours, work, bytes or power do not add up


@settings(max_examples=15)
@given(inputs=elastic_runs(), other=others, share=st.floats(0.0, 1.0))
def test_a_run_that_was_written_and_read_back_goes_on_identically(
    inputs: SimulationInputs, other: Policy, share: float
) -> None:
    first = Simulation(inputs, Restless(other))
    for _ in range(int(share * inputs.n_ticks)):
        first.step()
    second = Simulation.from_arrays(inputs, Restless(other), first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    assert_same_record(first.record, second.record)


def test_a_run_written_in_the_middle_of_a_resize_goes_on_identically() -> None:
    inputs = elastic(small((0.0, 8, 80.0, 4000.0, 0)))  # saves for 2000 s, loads for 2300 s
    policy, seen = at({1: size((0, 16))}), set()
    whole = run_simulation(inputs, policy)
    for ticks in (13, 16, 20, 24):
        first = Simulation(inputs, policy)
        for _ in range(ticks):
            first.step()
        seen.add(int(first.state.phase[0]))
        second = Simulation.from_arrays(inputs, policy, first.to_arrays())
        while not second.finished:
            second.step()
        assert_same_record(whole, second.record)
    assert {Phase.RESIZING, Phase.RELOADING} <= seen


@settings(max_examples=10)
@given(inputs=small_runs(), name=st.sampled_from(sorted(POLICIES)))
def test_ranges_of_one_size_change_nothing(inputs: SimulationInputs, name: str) -> None:
    ranges = {column: inputs.jobs["n_gpus"] for column in ("min_gpus", "max_gpus")}
    same = replace(inputs, jobs=inputs.jobs.assign(**ranges))
    one, other = (run_simulation(given, POLICIES[name]()) for given in (inputs, same))
    assert_same_record(one, replace(other, jobs=other.jobs.drop(columns=list(ranges))))


def test_a_job_that_is_copied_ahead_is_not_resized() -> None:
    inputs = replace(elastic(small((0.0, 8, 800.0, 9000.0, 0))), migration=LIVE)
    move = {1: lambda _: Commands(move_job=np.array([0]), move_dest=np.array([1]))}
    with pytest.raises(CommandError, match="size: job in row 0 is on the move"):
        run_simulation(inputs, at(move | {2: size((0, 4))}))


def test_a_share_of_elastic_jobs_changes_no_other_draw() -> None:
    trace = generate_trace(seed=3, duration_s=86400.0)
    sites = make_inputs(pd.DataFrame(small((0.0, 1, 1.0, 1.0, 0)).jobs), wind_mw=np.zeros(2)).sites
    told = {"seed": 5, "duration_s": 86400.0, "sites": sites, "fleet_scale": 2, "service_share": 0.3}
    none, half = (prepare_jobs(trace, elastic_share=share, **told) for share in (0.0, 0.5))
    assert not {"min_gpus", "max_gpus"} & set(none.columns)
    pd.testing.assert_frame_equal(none, half.drop(columns=["min_gpus", "max_gpus"]))
    is_elastic = half["min_gpus"] < half["max_gpus"]
    assert not np.any(is_elastic & half["placeable"] & ~half["migratable"])  # services
    assert 0.25 < is_elastic.mean() < 0.45
    recorded = half["n_gpus"] // 2
    expected = np.where(is_elastic, 2 * np.maximum(np.rint(0.5 * recorded), 1), half["n_gpus"])
    np.testing.assert_array_equal(half["min_gpus"], expected)
    np.testing.assert_array_equal(half["max_gpus"], np.where(is_elastic, 4 * recorded, half["n_gpus"]))


def test_a_trace_may_say_which_jobs_are_elastic() -> None:
    trace = generate_trace(seed=3, duration_s=86400.0)
    trace = trace.assign(min_gpus=trace["n_gpus"], max_gpus=3 * trace["n_gpus"])
    sites = make_inputs(pd.DataFrame(small((0.0, 1, 1.0, 1.0, 0)).jobs), wind_mw=np.zeros(2)).sites
    jobs = prepare_jobs(trace, seed=1, duration_s=86400.0, sites=sites, fleet_scale=2)
    np.testing.assert_array_equal(jobs["max_gpus"], 3 * jobs["n_gpus"])
    with pytest.raises(InputError, match="elastic_share"):
        prepare_jobs(trace, seed=1, duration_s=86400.0, sites=sites, elastic_share=0.1)
    with pytest.raises(InputError, match=r"min_gpus(?s:.*)max_gpus"):
        check_jobs(jobs.assign(min_gpus=jobs["n_gpus"] + 1, max_gpus=jobs["n_gpus"] - 1))


def test_a_table_may_name_columns_of_the_fewest_and_most_gpus(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("at,for,on,least,most\n0,60,4,2,8\n5,60,2,,\n9,60,1,1,3\n")
    columns = {"submit": "at", "duration": "for", "gpus": "on", "min_gpus": "least", "max_gpus": "most"}
    trace = read_trace(path, "table", columns=columns)
    assert trace[["min_gpus", "n_gpus", "max_gpus"]].to_numpy().tolist() == [[2, 4, 8], [2, 2, 2], [1, 1, 3]]
    path.write_text("at,for,on,least,most\n0,60,4,5,3\n")
    with pytest.raises(InputError, match=r"min_gpus(?s:.*)max_gpus"):
        read_trace(path, "table", columns=columns)
