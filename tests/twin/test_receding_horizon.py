"""The plan over the hours ahead and the policy that follows it, on cases whose best answer is plain."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from tests.twin.simulation_cases import baseline, job_table, make_inputs, windy
from twin.accounting import account
from twin.inputs import SimulationInputs
from twin.policies import POLICIES, RecedingHorizon, check_policy
from twin.policies.contract import random_view
from twin.policies.horizon_jobs import RUNNING, LongJobs
from twin.policies.horizon_plan import Blocks, Due, Options, Pieces, Plan, expected_pieces, solve_plan
from twin.simulate import run_simulation


def test_blocks_grow_with_distance_and_cover_all_steps() -> None:
    blocks = Blocks.over(48, 1.0)
    assert blocks.edge.tolist() == [0, 1, 2, 3, 4, 5, 6, 9, 12, 15, 18, 21, 24, 30, 36, 42, 48]
    assert Blocks.over(8, 0.25).length_h.tolist() == [1.0, 1.0]
    assert Blocks.over(2, 6.0).length_h.tolist() == [6.0, 6.0]
    share = blocks.overlap(np.array([0.5]), np.array([7.5]))[0]
    assert share[:8].tolist() == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0]


def test_expected_relief_is_the_mean_over_members_and_hours() -> None:
    # One site, one block of one hour: 4 MW are welcome in one member, 2 MW in the other.
    absorbable = np.array([[[4.0]], [[2.0]]])
    pieces = expected_pieces(absorbable, np.ones((2, 1, 1)), Blocks.over(1, 1.0), np.ones(1))
    assert pieces.width_mw.tolist() == [2.0, 2.0]
    assert pieces.value_h.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("seed", range(12))
def test_pieces_give_the_mean_relief_of_every_load(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = Blocks.over(9, 1.0)
    absorbable = rng.integers(0, 6, (3, 9, 2)).astype(float)
    marginal = rng.uniform(0.2, 1.3, (3, 9, 2))
    pieces = expected_pieces(absorbable, marginal, blocks, np.ones(2))
    for site, block, load in product(range(2), range(len(blocks)), (0.0, 1.5, 3.0, 7.0)):
        steps = slice(blocks.edge[block], blocks.edge[block + 1])
        relief = np.minimum(load, absorbable[:, steps, site]) * marginal[:, steps, site]
        row = np.flatnonzero((pieces.site == site) & (pieces.block == block))
        assert np.all(np.diff(pieces.value_h[row]) < 0.0)
        filled = np.clip(
            load - (np.cumsum(pieces.width_mw[row]) - pieces.width_mw[row]), 0.0, pieces.width_mw[row]
        )
        assert filled @ pieces.value_h[row] == pytest.approx(relief.mean(axis=0).sum())


def rigid_options(job: np.ndarray, site: np.ndarray, gpus: np.ndarray, cost: np.ndarray) -> Options:
    none = np.zeros(job.size, dtype=np.bool_)
    return Options(job, site, gpus, cost, none, none, np.ones(job.size), np.zeros(gpus.shape))


def nothing_due(n_jobs: int, n_block: int = 4) -> Due:
    return Due(np.zeros(n_jobs), np.zeros((n_jobs, n_block)), np.zeros(n_jobs))


def plan_of(options: Options, pieces: Pieces, due: Due, blocks: Blocks, free: np.ndarray) -> Plan:
    n_sites = len(free)
    powers = {"gpu_p_mw": np.ones(n_sites), "base_p_mw": np.zeros(n_sites)}
    return solve_plan(options, pieces, due, blocks, free_gpus=free, **powers)


@pytest.mark.parametrize("seed", range(8))
def test_no_division_into_whole_jobs_is_better_than_the_plan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks, n_jobs, n_sites = Blocks.over(4, 1.0), 4, 2
    per_job = 3
    job = np.repeat(np.arange(n_jobs), per_job)
    gpus = rng.integers(0, 4, (job.size, 4)).astype(float)
    gpus[::per_job] = 0.0
    site, cost = rng.integers(0, n_sites, job.size), rng.uniform(0.0, 0.5, job.size)
    options = rigid_options(job, site, gpus, cost)
    pieces = expected_pieces(
        rng.integers(0, 4, (2, 4, n_sites)).astype(float), np.ones((2, 4, n_sites)), blocks, np.ones(n_sites)
    )
    free = np.full((n_sites, 4), 5.0)
    share = plan_of(options, pieces, nothing_due(n_jobs), blocks, free).share
    np.testing.assert_allclose(np.bincount(job, weights=share), 1.0)

    def value(weights: np.ndarray) -> float:
        load = np.zeros((n_sites, 4))
        np.add.at(load, options.site, weights[:, None] * options.gpus)
        if np.any(load > free + 1e-9):
            return -np.inf
        total = -float(weights @ options.cost_mwh)
        for site, block in product(range(n_sites), range(4)):
            row = np.flatnonzero((pieces.site == site) & (pieces.block == block))
            width = pieces.width_mw[row]
            total += np.clip(load[site, block] - (np.cumsum(width) - width), 0.0, width) @ pieces.value_h[row]
        return total

    best = max(value(np.eye(per_job)[list(pick)].ravel()) for pick in product(range(per_job), repeat=n_jobs))
    assert value(share) >= best - 1e-7


def one_job(work_gpu_h: float, relief: list[float], *, move: bool = False) -> tuple[Options, Pieces, Blocks]:
    """One flexible job on 2 GPUs of 1 MW at the first of two sites, relief there in each of some hours."""
    n = len(relief)
    blocks = Blocks(np.arange(n + 1), 1.0)
    rows = 2 if move else 1
    options = Options(
        job=np.zeros(rows, dtype=np.int64),
        site=np.arange(rows),
        gpus=np.full((rows, n), 2.0),
        cost_mwh=np.array([0.0, 1.0])[:rows],
        flexible=np.ones(rows, dtype=np.bool_),
        move=np.array([False, True])[:rows],
        work_gpu_h=np.full(rows, work_gpu_h),
        use_cost_mwh=np.tile(0.01 * np.arange(n), (rows, 1)),
    )
    marginal = np.zeros((1, n, 2))
    marginal[0, :, -1 if move else 0] = relief
    pieces = expected_pieces(np.full((1, n, 2), 2.0), marginal, blocks, np.ones(2))
    return options, pieces, blocks


def test_a_job_that_may_pause_runs_in_the_best_hours_of_several_windows() -> None:
    options, pieces, blocks = one_job(6.0, [0.0, 1.0, 1.0, 0.0, 0.5, 1.0])
    plan = plan_of(options, pieces, nothing_due(1, 6), blocks, np.full((2, 6), 2.0))
    assert plan.gpus[0] == pytest.approx([0.0, 2.0, 2.0, 0.0, 0.0, 2.0])


def test_work_that_is_due_is_done_whatever_the_hour() -> None:
    # Half of the work, 3 GPU-h, before the end of the second hour: 2 in the good one, and 1 before.
    options, pieces, blocks = one_job(6.0, [0.0, 1.0, 1.0, 0.0, 0.5, 1.0])
    before = np.array([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    due = Due(np.array([0.5]), before, np.array([100.0]))
    plan = plan_of(options, pieces, due, blocks, np.full((2, 6), 2.0))
    assert plan.gpus[0] == pytest.approx([1.0, 2.0, 2.0, 0.0, 0.0, 1.0])


@pytest.mark.parametrize(("relief", "goes"), [(0.1, 0.0), (1.0, 1.0)])
def test_a_move_is_worth_its_cost_once(relief: float, goes: float) -> None:
    # A move costs 1 MWh. Two hours of 2 MW there relieve 0.4 or 4 MWh, less a cent an hour for the second.
    options, pieces, blocks = one_job(4.0, [relief, relief], move=True)
    plan = plan_of(options, pieces, nothing_due(1, 2), blocks, np.full((2, 2), 2.0))
    assert plan.share[1] == pytest.approx(goes)
    assert plan.gpus[1].sum() == pytest.approx(4.0 * goes)


@pytest.mark.parametrize("seed", range(6))
def test_no_choice_of_hours_is_better_than_the_plan_and_none_is_used_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_jobs, n = 3, 4
    blocks, n_gpus = Blocks(np.arange(n + 1), 1.0), rng.integers(1, 4, n_jobs)
    hours, site = rng.integers(1, 4, n_jobs), rng.integers(0, 2, n_jobs)
    options = Options(
        np.arange(n_jobs),
        site,
        np.repeat(n_gpus[:, None].astype(float), n, axis=1),
        np.zeros(n_jobs),
        np.ones(n_jobs, dtype=np.bool_),
        np.zeros(n_jobs, dtype=np.bool_),
        (n_gpus * hours).astype(float),
        rng.uniform(0.0, 0.3, (n_jobs, 1)) * np.arange(n),
    )
    welcome = rng.integers(0, 4, (2, n, 2)).astype(float)
    pieces = expected_pieces(welcome, np.ones((2, n, 2)), blocks, np.ones(2))
    free = np.full((2, n), 5.0)
    plan = plan_of(options, pieces, nothing_due(n_jobs), blocks, free)
    load = np.zeros((2, n))
    np.add.at(load, site, plan.gpus)
    assert np.all(load <= free + 1e-7)
    assert np.all(plan.gpus <= options.gpus + 1e-9)
    assert np.all(plan.gpus.sum(axis=1) <= options.work_gpu_h + 1e-7)

    def value(gpus: np.ndarray) -> float:
        at = np.zeros((2, n))
        np.add.at(at, site, gpus)
        relief = np.minimum(at.T[None], welcome).mean(axis=0).sum()
        return -np.inf if np.any(at > free + 1e-7) else float(relief - (gpus * options.use_cost_mwh).sum())

    picks = product(product((0, 1), repeat=n), repeat=n_jobs)
    tried = [np.array(pick) * n_gpus[:, None] for pick in picks if np.all(np.sum(pick, axis=1) <= hours)]
    assert value(plan.gpus) >= max(value(gpus) for gpus in tried) - 1e-7


def test_it_keeps_to_the_contract_whatever_is_long() -> None:
    for least_job_h in (0.0, 10.0, 1e6):
        check_policy(RecedingHorizon(least_job_h=least_job_h), seed=int(least_job_h) % 7)


def windy_half_days(*jobs: tuple[float, int, float, float, int], **columns: object) -> SimulationInputs:
    """Wind from 0:00 to 12:00 of every day; the outlook knows it from a week before."""
    wind = windy(24 * 9, period=24)
    devices = ["a100_sxm_40"] * 3
    return make_inputs(job_table(jobs, **columns), wind_mw=wind, n_history=24 * 7, device=devices)


def test_a_long_job_waits_for_the_wind_and_a_short_one_does_not() -> None:
    # Both come at 13:00, when the wind is over until midnight. On A100s they run for 10 h and for 2 h.
    inputs = windy_half_days((13 * 3600.0, 8, 80.0, 10.0, 0), (13 * 3600.0, 8, 16.0, 10.0, 0))
    policy = RecedingHorizon(least_job_h=9.0, max_stretch=2.0, stretch_price_h=1.0)
    jobs = run_simulation(inputs, policy).jobs
    waited_h = (jobs["first_start_s"] - jobs["submit_s"]) / 3600.0
    assert 10.0 <= waited_h.iloc[0] <= 12.0
    assert waited_h.iloc[1] == 0.0


def test_no_job_waits_longer_than_its_stretch_or_deadline_allows() -> None:
    late = windy_half_days((13 * 3600.0, 8, 80.0, 10.0, 0))
    policy = RecedingHorizon(least_job_h=9.0, max_stretch=0.3, stretch_price_h=0.0)
    jobs = run_simulation(late, policy).jobs
    assert ((jobs["first_start_s"] - jobs["submit_s"]) / 3600.0 <= 0.3 * 10.0 + 1.0).all()
    due = replace(late, jobs=late.jobs.assign(deadline_s=24 * 3600.0))
    jobs = run_simulation(due, RecedingHorizon(least_job_h=9.0, max_stretch=9.0, stretch_price_h=0.0)).jobs
    assert (jobs["end_s"] <= 24 * 3600.0).all()


def test_waiting_absorbs_more_with_the_same_work() -> None:
    rows = [(3600.0 * hour, 8, 96.0, 10.0, 0) for hour in (13, 14, 15)]
    inputs = windy_half_days(*rows)
    patient = run_simulation(inputs, RecedingHorizon(max_stretch=1.0, stretch_price_h=0.5))
    eager = run_simulation(inputs, POLICIES["static"]())
    more, less = (account(record, [baseline(inputs)]) for record in (patient, eager))
    assert more.completed_gpu_h == pytest.approx(less.completed_gpu_h)
    assert more.absorbed_mwh > 1.3 * less.absorbed_mwh


def test_a_job_longer_than_the_wind_pauses_until_it_blows_again() -> None:
    # 20 h of work from midnight, and wind from 0:00 to 12:00: 12 h today and 8 h tomorrow.
    inputs = windy_half_days((0.0, 8, 160.0, 10.0, 0))
    record = run_simulation(inputs, RecedingHorizon(max_stretch=4.0, stretch_price_h=0.1))
    assert len(record.pauses) == 1
    assert record.pauses["begun_s"].iloc[0] == pytest.approx(12 * 3600.0, abs=3600.0)
    assert 32.0 <= record.jobs["end_s"].iloc[0] / 3600.0 <= 33.0


def test_no_job_waits_for_longer_than_the_longest_wait() -> None:
    inputs = windy_half_days((13 * 3600.0, 8, 80.0, 10.0, 0))
    policy = RecedingHorizon(least_job_h=9.0, max_stretch=9.0, stretch_price_h=0.0, max_wait_h=4.0)
    jobs = run_simulation(inputs, policy).jobs
    assert ((jobs["end_s"] - jobs["submit_s"]) / 3600.0 <= 10.0 + 4.0 + 1.0).all()


def test_a_price_that_no_relief_is_worth_keeps_all_from_waiting() -> None:
    inputs = windy_half_days((13 * 3600.0, 8, 96.0, 10.0, 0))
    jobs = run_simulation(inputs, RecedingHorizon(stretch_price_h=1e6)).jobs
    assert (jobs["first_start_s"] - jobs["submit_s"]).max() <= 3600.0


def test_what_is_refused_is_in_the_audit() -> None:
    # 2.5 PB over 10 Gbit/s take weeks: outside the domain. It may move, but not start elsewhere.
    inputs = windy_half_days((0.0, 8, 200.0, 50_000.0, 1), placeable=False)
    record = run_simulation(inputs, RecedingHorizon(max_stretch=0.0))
    events = record.events
    assert (events["kind"] == "move_refused").any()
    assert set(events.loc[events["kind"] == "move_refused", "reason"]) <= {"time", "energy"}
    assert not len(record.transfers)


def test_a_site_without_usable_devices_is_planned_around() -> None:
    # At 10 MW site 0 has more than enough; sites 1 and 2 may import what they draw when idle.
    jobs = job_table([(13 * 3600.0, 8, 96.0, 10.0, 0), (14 * 3600.0, 8, 96.0, 10.0, 0)])
    wind = windy(24 * 9, period=24)
    inputs = make_inputs(
        jobs,
        wind_mw=wind,
        n_history=24 * 7,
        device=["a100_sxm_40"] * 3,
        import_limit_mw=[10.0, 0.1325, 0.1325],
    )
    assert inputs.gpu_capacity.tolist()[1:] == [0, 0]
    assert (run_simulation(inputs, RecedingHorizon()).jobs["site"] == 0).all()


def test_a_job_with_next_to_nothing_left_counts_a_second_of_work() -> None:
    # A plan divides by the work left; with less, HiGHS was left without an answer in long runs.
    for case in range(5):
        view = replace(random_view(np.random.default_rng(case)), renewed=True)
        nearly_done = replace(view.running, remaining_gpu_h=1e-12 * view.running.remaining_gpu_h)
        view = replace(view, running=nearly_done)
        long = LongJobs.of(view, 0.0, 4.0, 96.0)
        np.testing.assert_allclose(long.left_h[long.rows(RUNNING)], 1.0 / 3600.0)
        RecedingHorizon(least_job_h=0.0).decide(view)
