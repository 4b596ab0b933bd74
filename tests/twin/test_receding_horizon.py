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
from twin.policies.horizon_plan import Blocks, Options, expected_pieces, solve_plan
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


@pytest.mark.parametrize("seed", range(8))
def test_no_division_into_whole_jobs_is_better_than_the_plan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks, n_jobs, n_sites = Blocks.over(4, 1.0), 4, 2
    per_job = 3
    job = np.repeat(np.arange(n_jobs), per_job)
    gpus = rng.integers(0, 4, (job.size, 4)).astype(float)
    gpus[::per_job] = 0.0
    options = Options(job, rng.integers(0, n_sites, job.size), gpus, rng.uniform(0.0, 0.5, job.size))
    pieces = expected_pieces(
        rng.integers(0, 4, (2, 4, n_sites)).astype(float), np.ones((2, 4, n_sites)), blocks, np.ones(n_sites)
    )
    free = np.full((n_sites, 4), 5.0)
    share = solve_plan(
        options, pieces, n_jobs=n_jobs, free_gpus=free, gpu_p_mw=np.ones(n_sites), base_p_mw=np.zeros(n_sites)
    )
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


def test_a_price_that_no_relief_is_worth_keeps_all_from_waiting() -> None:
    inputs = windy_half_days((13 * 3600.0, 8, 96.0, 10.0, 0))
    jobs = run_simulation(inputs, RecedingHorizon(stretch_price_h=1e6)).jobs
    assert (jobs["first_start_s"] - jobs["submit_s"]).max() <= 3600.0


def test_what_is_refused_is_in_the_audit() -> None:
    # 2.5 PB over 10 Gbit/s take weeks: outside the domain. It may move, but not start elsewhere.
    inputs = windy_half_days((0.0, 8, 200.0, 50_000.0, 1), placeable=False)
    record = run_simulation(inputs, RecedingHorizon())
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
