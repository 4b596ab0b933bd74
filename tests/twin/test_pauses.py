"""Pauses in place: exact times, GPUs free in between, nothing lost, and commands that are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings

from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs, windy
from tests.twin.test_simulate import assert_same_record
from twin.accounting import account
from twin.inputs import SimulationInputs
from twin.policies import CommandError, Commands, View
from twin.policies.filling import Room
from twin.scheduler import usage
from twin.simulate import Simulation, run_simulation
from twin.state import Phase

A100 = ["a100_sxm_40"] * 3
SAVE_S, LOAD_S = 8.0, 308.0  # 16 GB on one node of 2 GB/s; 240 s to start up and 60 s to warm up


@dataclass(frozen=True)
class Scripted:
    """Does at each hour what a function says."""

    act: Callable[[View], Commands]
    name: str = "scripted"

    def decide(self, view: View) -> Commands:
        return self.act(view)


@dataclass(frozen=True)
class Fickle:
    """Pauses, resumes and holds back at random, within the rules."""

    name: str = "fickle"

    def decide(self, view: View) -> Commands:
        pause = view.running.pausable & (view.rng.random(len(view.running)) < 0.4) & view.renewed
        room = Room(view.sites.free_gpus, view.sites.headroom_p_mw, view.sites.gpu_p_mw)
        resume = np.zeros(len(view.paused), dtype=bool)
        for i in np.flatnonzero(view.rng.random(len(view.paused)) < 0.5):
            one, site = view.paused.n_gpus[[i]], int(view.paused.site[i])
            if room.fit(site, one, within_headroom=False)[0]:
                room.take(site, one)
                resume[i] = True
        hold = view.rng.random(len(view.queued)) < 0.3
        return Commands(
            pause_job=view.running.job[pause],
            resume_job=view.paused.job[resume],
            hold_job=view.queued.job[hold],
        )


def at(hours: dict[int, Callable[[View], Commands]]) -> Scripted:
    return Scripted(
        lambda view: hours[view.step](view) if view.renewed and view.step in hours else Commands()
    )


PAUSE_AT_1_RESUME_AT_3 = at(
    {
        1: lambda view: Commands(pause_job=view.running.job[:1]),
        3: lambda view: Commands(resume_job=view.paused.job),
    }
)


def small(
    *jobs: tuple[float, int, float, float, int], n_hours: int = 12, **columns: object
) -> SimulationInputs:
    return make_inputs(job_table(jobs, **columns), wind_mw=windy(n_hours), device=A100, fleet_scale=1)


def test_a_pause_takes_its_times_and_loses_nothing() -> None:
    inputs = small((0.0, 8, 8 * 4.0, 16.0, 0))
    record = run_simulation(inputs, PAUSE_AT_1_RESUME_AT_3)
    (pause,) = record.pauses.itertuples()
    assert (pause.begun_s, pause.paused_s) == (3600.0, 3600.0 + SAVE_S)
    assert (pause.resume_s, pause.resumed_s) == (10800.0, 10800.0 + LOAD_S)
    assert pause.held_gpu_h == pytest.approx(8 * (SAVE_S + LOAD_S) / 3600)
    assert pause.paused_gpu_h == pytest.approx(8 * (7200 - SAVE_S) / 3600)
    assert pause.energy_mwh == pytest.approx(pause.held_gpu_h * inputs.sites.loaded_idle_w[0] / 1e6)
    job = record.jobs.iloc[0]
    # One hour before the pause, three after it.
    assert job.end_s == pytest.approx(10800.0 + LOAD_S + 3 * 3600, abs=1e-6)
    assert (job.n_pauses, job.n_migrations, job.site) == (1, 0, 0)
    np.testing.assert_allclose(record.sites["busy_gpus"][:4, 0], [8, 0, 0, 8 * (1 - LOAD_S / 3600)])
    np.testing.assert_allclose(record.sites["held_gpus"][:4, 0] * 3600 / 8, [0, SAVE_S, 0, LOAD_S])
    assert list(record.events["kind"]) == [
        *("submitted", "started", "pause_begun", "paused", "resume_begun", "resumed", "finished")
    ]
    score = account(record, [baseline(inputs)])
    assert score.completed_gpu_h == pytest.approx(32.0)
    assert (score.pauses, score.migrations_done) == (1, 0)
    assert score.pause_mwh == pytest.approx(score.migration_mwh)
    assert score.paused_gpu_h == pytest.approx(pause.paused_gpu_h)


def test_others_use_the_gpus_of_a_paused_job_as_soon_as_it_has_left() -> None:
    inputs = small((0.0, 64, 640.0, 128.0, 0), (60.0, 64, 64 * 0.5, 1.0, 0))
    jobs = run_simulation(inputs, PAUSE_AT_1_RESUME_AT_3).jobs
    assert jobs["first_start_s"][1] == 3900.0  # the first tick after 8 s of saving on 8 nodes
    assert jobs["phase"][1] == "done"


def test_a_job_that_is_held_back_does_not_start_and_is_passed() -> None:
    inputs = small((0.0, 64, 64.0, 1.0, 0), (0.0, 64, 64.0, 1.0, 0))
    policy = Scripted(lambda view: Commands(hold_job=view.queued.job[view.queued.job == 0][: view.step < 2]))
    jobs = run_simulation(inputs, policy).jobs
    assert list(jobs["first_start_s"]) == [7200.0, 0.0]


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ({1: lambda _: Commands(pause_job=np.array([1]))}, "pause: job in row 1 may not pause"),
        ({1: lambda _: Commands(pause_job=np.array([2]))}, "pause: job in row 2 is not running"),
        ({1: lambda _: Commands(pause_job=np.array([0, 0]))}, "pause: a job is named twice"),
        ({1: lambda _: Commands(pause_job=np.array([9]))}, "pause: job that does not exist"),
        ({1: lambda _: Commands(resume_job=np.array([0]))}, "resume: job in row 0 is not paused"),
        ({1: lambda _: Commands(hold_job=np.array([0]))}, "hold: job in row 0 is not queued"),
        (
            {
                1: lambda _: Commands(pause_job=np.array([0])),
                2: lambda _: Commands(resume_job=np.array([0])),
            },
            "resume: job in row 0 finds too few free GPUs",
        ),
        (
            {1: lambda _: Commands(pause_job=np.array([0]), move_job=np.array([0]), move_dest=np.array([1]))},
            "pause: job in row 0 is told to move too",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(hours: dict[int, Callable[[View], Commands]], message: str) -> None:
    rows = [(0.0, 40, 400.0, 16.0, 0), (0.0, 24, 240.0, 16.0, 0), (0.0, 40, 400.0, 16.0, 0)]
    inputs = small(*rows, pausable=[True, False, True])
    with pytest.raises(CommandError, match=message):
        run_simulation(inputs, at(hours))


@settings(max_examples=20)
@given(inputs=small_runs())
def test_whatever_pauses_no_gpu_is_used_twice_and_no_work_is_lost(inputs: SimulationInputs) -> None:
    simulation = Simulation(inputs, Fickle())
    table = inputs.table
    while not simulation.finished:
        simulation.step()
        state = simulation.state
        active = np.flatnonzero((state.phase > Phase.QUEUED) & (state.phase < Phase.DONE))
        assert np.all(usage(state, active, inputs.n_sites).total <= inputs.gpu_capacity)
        assert np.all(state.done_gpu_h <= table.work_gpu_h * (1 + 1e-12))
        paused = state.phase == Phase.PAUSED
        assert np.all(np.isfinite(state.paused_s[paused]))
        np.testing.assert_array_equal(state.site, table.origin)
    account(simulation.record, [baseline(inputs)])  # raises where GPU-hours, work or power do not add up


@settings(max_examples=10)
@given(inputs=small_runs())
def test_a_run_with_pauses_that_was_written_and_read_back_goes_on_identically(
    inputs: SimulationInputs,
) -> None:
    first = Simulation(inputs, Fickle())
    for _ in range(inputs.n_ticks // 2):
        first.step()
    second = Simulation.from_arrays(inputs, Fickle(), first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    assert_same_record(first.record, second.record)
