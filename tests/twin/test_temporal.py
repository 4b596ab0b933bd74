"""The policy that shifts jobs in time only, on cases whose right answer is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.simulation_cases import baseline, job_table, make_inputs, windy
from twin.accounting import Score, account
from twin.inputs import SimulationInputs
from twin.policies import POLICIES, Commands, JobView, Temporal, View
from twin.policies.contract import random_view
from twin.simulate import run_simulation

A100 = ["a100_sxm_40"] * 3
DAYS = 24 * 9


def windy_days(*jobs: tuple[float, int, float, float, int], **columns: object) -> SimulationInputs:
    """Jobs under a wind that blows from 0:00 to 12:00 every day, known from a week before."""
    wind = windy(DAYS, period=24)
    return make_inputs(job_table(jobs, **columns), wind_mw=wind, n_history=24 * 7, device=A100)


def score(inputs: SimulationInputs, name: str) -> Score:
    return account(run_simulation(inputs, POLICIES[name]()), [baseline(inputs)])


def one_site_view(outlook: list[float], *, checkpoint_gb: float, left_h: float = 20.0) -> View:
    """One running job of eight A100-like GPUs at one site that draws 1 MW and has no surplus now."""
    view = random_view(np.random.default_rng(0))
    ahead = np.array(outlook)[:, None]
    one = np.ones(1)
    sites = replace(
        view.sites,
        absorbable_p_mw=np.zeros(1),
        marginal_curtailment=ahead[0],
        outlook_marginal=ahead,
        outlook_absorbable_p_mw=ahead * 5.0,
        power_mw=one,
        committed_p_mw=one,
        gpu_p_mw=one / 8,
        held_gpu_p_mw=one / 32,
        gpu_capacity=np.array([8]),
        free_gpus=np.array([0]),
        speed=one,
        memory_gb_per_gpu=one * 80.0,
    )
    row = np.zeros(1, dtype=np.int64)
    job = JobView(
        job=row,
        site=row,
        origin=row,
        n_gpus=row + 8,
        remaining_gpu_h=one * 8 * left_h,
        checkpoint_gb=one * checkpoint_gb,
        deadline_s=one * np.inf,
        submit_s=one * view.now_s - 3600.0,
        migratable=row == 0,
        pausable=row == 0,
        work_gpu_h=one * 8 * (left_h + 1.0),
        placeable=row == 0,
        memory_gb_per_gpu=one * 0.0,
        priority=row,
        came_from=row - 1,
        settled_s=one * -np.inf,
        min_gpus=row + 8,
        max_gpus=row + 8,
        recorded_gpus=row + 8,
        pace_gpus=one * 8.0,
    )
    none = JobView(**{name: values[:0] for name, values in vars(job).items()})
    return replace(view, renewed=True, sites=sites, queued=none, running=job, paused=none)


def test_a_job_runs_while_the_wind_blows_and_waits_while_it_does_not() -> None:
    inputs = windy_days((0.0, 32, 32 * 20.0, 10.0, 0))
    record = run_simulation(inputs, Temporal())
    (pause,) = record.pauses.itertuples()
    assert pause.begun_s == 12 * 3600.0
    assert pause.resume_s == 24 * 3600.0
    # Twelve hours on the first day, eight on the second after loading: all under the wind.
    load_s = 300.0 + 10.0 / (2.0 * 200)  # 1600 GPUs in 200 nodes of 2 GB/s
    assert record.jobs["end_s"][0] == pytest.approx((24 + 8) * 3600 + load_s)
    absorbed = record.sites["busy_gpus"].sum() * 690e-6 * 1.04
    gain = score(inputs, "temporal").absorbed_mwh - score(make_inputs_without(inputs), "static").absorbed_mwh
    assert gain == pytest.approx(absorbed, rel=0.02)


def make_inputs_without(inputs: SimulationInputs) -> SimulationInputs:
    """The same without any job."""
    return replace(inputs, jobs=inputs.jobs.iloc[:0])


def test_a_job_that_comes_in_a_calm_is_held_back_until_the_wind_returns() -> None:
    inputs = windy_days((13 * 3600.0, 32, 32 * 5.0, 10.0, 0))
    record = run_simulation(inputs, Temporal())
    assert record.jobs["first_start_s"][0] == 24 * 3600.0
    assert len(record.pauses) == 0


def test_where_no_surplus_is_to_be_expected_nothing_waits() -> None:
    inputs = windy_days((13 * 3600.0, 32, 32 * 5.0, 10.0, 1))
    assert run_simulation(inputs, Temporal()).jobs["first_start_s"][0] == 13 * 3600.0


def test_a_deadline_calls() -> None:
    job = (13 * 3600.0, 32, 32 * 5.0, 10.0, 0)
    tight = run_simulation(windy_days(job, deadline_s=19 * 3600.0), Temporal()).jobs
    assert tight["first_start_s"][0] == 13 * 3600.0
    loose = run_simulation(windy_days(job, deadline_s=40 * 3600.0), Temporal()).jobs
    assert loose["first_start_s"][0] == 24 * 3600.0
    between = run_simulation(windy_days(job, deadline_s=23 * 3600.0), Temporal(only_surplus=True)).jobs
    assert between["first_start_s"][0] > 13 * 3600.0
    assert between["end_s"][0] <= 23 * 3600.0


def test_no_job_waits_longer_than_it_may() -> None:
    inputs = windy_days((13 * 3600.0, 32, 32 * 5.0, 10.0, 0))
    jobs = run_simulation(inputs, Temporal(max_delay_h=4.0)).jobs
    assert jobs["first_start_s"][0] == 17 * 3600.0


def test_a_job_that_may_not_pause_runs_on() -> None:
    record = run_simulation(windy_days((0.0, 32, 32 * 20.0, 10.0, 0), pausable=False), Temporal())
    assert len(record.pauses) == 0
    assert record.jobs["end_s"][0] == 20 * 3600.0


def test_on_surplus_only_means_no_work_without() -> None:
    inputs = windy_days(*[(3600.0 * h, 8, 8 * 30.0, 10.0, 0) for h in range(6)])
    record = run_simulation(inputs, Temporal(only_surplus=True))
    calm = inputs.grids[0].available_p_mw[:, 0] < 10.0
    assert record.sites["busy_gpus"][calm].sum() == 0.0
    assert record.sites["busy_gpus"][~calm].sum() > 0.0


@pytest.mark.parametrize(
    ("outlook", "checkpoint_gb", "pauses"),
    [
        # Two hours shifted from nothing to all: 7200 s gained; 20 GB take 10 s and 310 s.
        ([0.0, 0.0, 1.0], 20.0, True),
        # One hour: 3600 s. Of 6000 GB, saving (3000 s) and loading (3300 s) take longer than that.
        ([0.0, 1.0], 6000.0, False),
        # 2400 GB: 1200 s and 1500 s, a quarter of the power held, and 1500 s of surplus lost: 2175 < 3600.
        ([0.0, 1.0], 2400.0, True),
        # The same for half of the relief: 1800 s gained, 675 + 750 s lost; for 0.3: 1080 < 675 + 450.
        ([0.0, 0.5], 2400.0, True),
        ([0.0, 0.3], 2400.0, False),
        # Too small a difference, and none that is better later.
        ([0.5, 0.6], 20.0, False),
        ([0.5, 0.2, 0.1], 20.0, False),
    ],
)
def test_a_pause_has_to_pay_for_its_checkpoint(
    outlook: list[float], checkpoint_gb: float, pauses: bool
) -> None:
    view = one_site_view(outlook, checkpoint_gb=checkpoint_gb)
    sites = replace(view.sites, outlook_absorbable_p_mw=np.full((len(outlook), 1), 1e3))
    commands = Temporal().decide(replace(view, sites=sites))
    assert bool(commands.pause_job.size) is pauses


def test_nobody_waits_for_a_surplus_that_does_not_reach_for_all() -> None:
    view = one_site_view([0.0, 1.0, 1.0, 1.0], checkpoint_gb=10.0)
    # The job draws 1 MW; half of that is to be expected.
    few = replace(view.sites, outlook_absorbable_p_mw=np.array([[0.0], [0.5], [0.5], [0.5]]))
    assert Temporal().decide(replace(view, sites=few)).pause_job.size == 0
    assert Temporal(only_surplus=True).decide(replace(view, sites=few)).pause_job.size == 1


def test_it_never_moves() -> None:
    for seed in range(20):
        commands = Temporal().decide(random_view(np.random.default_rng(seed)))
        assert commands.move_job.size == commands.place_job.size == 0
    assert isinstance(commands, Commands)


def test_shifting_absorbs_more_than_running_at_once_at_equal_work() -> None:
    rng = np.random.default_rng(5)
    rows = [
        (float(t), 8, 8 * float(h), 20.0, 0)
        for t, h in zip(rng.uniform(0, 86400, 12), rng.uniform(1, 9, 12), strict=True)
    ]
    inputs = windy_days(*rows)
    at_once, shifted = score(inputs, "static"), score(inputs, "temporal")
    assert at_once.completed_gpu_h == pytest.approx(shifted.completed_gpu_h)
    assert at_once.jobs_unfinished == shifted.jobs_unfinished == 0
    assert shifted.absorbed_mwh > 1.2 * at_once.absorbed_mwh
