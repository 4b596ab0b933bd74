"""What each policy does on cases whose right answer is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs, windy
from twin.accounting import Score, account
from twin.inputs import SimulationInputs
from twin.policies import POLICIES
from twin.policies.contract import random_view
from twin.policies.feasibility_aware import FeasibilityAware, Outlook, crowding
from twin.policies.filling import Room, fill
from twin.record import SimulationRecord
from twin.scheduler import first_fit
from twin.simulate import run_simulation

A100 = ["a100_sxm_40"] * 3


def run(inputs: SimulationInputs, name: str) -> SimulationRecord:
    return run_simulation(inputs, POLICIES[name]())


def score(inputs: SimulationInputs, name: str) -> Score:
    return account(run(inputs, name), [baseline(inputs)])


def one_long_job(checkpoint_gb: float, **options: object) -> SimulationInputs:
    """A job of some megawatts at bus 1; the wind at bus 0 rises after three hours and stays for twelve."""
    wind = np.concatenate([np.full(27, 4.0), np.full(12, 60.0), np.full(30, 4.0)])
    jobs = job_table([(0.0, 32, 32 * 24.0, checkpoint_gb, 1)])
    return make_inputs(jobs, wind_mw=wind, n_history=24, device=A100, **options)


def test_static_never_moves() -> None:
    record = run(one_long_job(10.0), "static")
    assert len(record.transfers) == 0
    assert (record.jobs["site"] == record.jobs["origin"]).all()


@pytest.mark.parametrize("name", ["energy_greedy", "feasibility_aware"])
def test_a_light_job_follows_the_wind_and_absorbs(name: str) -> None:
    inputs = one_long_job(10.0)
    record = run(inputs, name)
    assert list(record.transfers["dest"]) == [0]
    assert record.transfers["begun_s"].iloc[0] == 3 * 3600.0
    moved, stayed = score(inputs, name), score(inputs, "static")
    # Without the job, the site under the wind draws its fixed overhead only, for twelve hours.
    assert stayed.absorbed_mwh == pytest.approx(0.06 * 64 * 50 * 690e-6 * 12)
    # With it, 1.1 MW more for twelve hours, less the time of the move.
    gain_mwh = moved.absorbed_mwh - stayed.absorbed_mwh
    assert gain_mwh == pytest.approx(32 * 50 * 690e-6 * 1.04 * 12, rel=0.05)


def test_a_heavy_job_is_refused_for_time_and_moved_by_the_greedy() -> None:
    inputs = one_long_job(6000.0)
    refused = run(inputs, "feasibility_aware")
    assert len(refused.transfers) == 0
    audit = refused.events[refused.events["kind"] == "move_refused"]
    assert set(audit["reason"]) == {"time"}
    assert (audit["value"] < 0.0).all()
    assert (audit["dest"] == 0).all()
    assert len(run(inputs, "energy_greedy").transfers) > 0


def test_the_same_refusal_in_the_next_step_is_not_written_again() -> None:
    audit = run(one_long_job(6000.0), "feasibility_aware").events
    audit = audit[audit["kind"] == "move_refused"]
    assert len(audit) == 1


def test_a_job_about_to_end_stays() -> None:
    wind = np.concatenate([np.full(27, 4.0), np.full(24, 60.0)])
    jobs = job_table([(0.0, 32, 32 * 3.5, 100.0, 1)])
    inputs = make_inputs(jobs, wind_mw=wind, n_history=24, device=A100)
    assert len(run(inputs, "feasibility_aware").transfers) == 0


def test_new_jobs_start_where_the_wind_is_without_a_move() -> None:
    jobs = job_table([(3600.0 * h, 8, 40.0, 50.0, 2) for h in range(8)])
    inputs = make_inputs(jobs, wind_mw=np.full(60, 60.0), n_history=24, device=A100)
    record = run(inputs, "feasibility_aware")
    assert (record.jobs["site"] == 0).all()
    assert len(record.transfers) == 0


def test_surplus_is_not_over_filled() -> None:
    # 1.2 MW of surplus beyond load and line.
    wind = np.concatenate([np.full(24, 4.0), np.full(36, 13.2)])
    jobs = job_table([(0.0, 8, 8 * 20.0, 1.0, 1) for _ in range(6)])
    inputs = make_inputs(jobs, wind_mw=wind, n_history=24, device=A100)
    record = run(inputs, "feasibility_aware")
    busy = record.sites["busy_gpus"][:, 0].max()
    assert 0 < busy <= 1.2 / (690e-6 * 1.04)
    assert len(run(inputs, "energy_greedy").transfers) + (record.jobs["site"] == 0).sum() > 0


def test_moving_pays_and_does_not_ruin_completion_times() -> None:
    rng = np.random.default_rng(4)
    rows = [
        (float(t), int(g), float(g * h), float(c), int(o))
        for t, g, h, c, o in zip(
            np.sort(rng.uniform(0, 5 * 86400, 160)),
            rng.choice([1, 2, 4, 8, 16], 160),
            rng.lognormal(1.2, 1.0, 160).clip(0.2, 40),
            rng.choice([5.0, 100.0, 2000.0, 9000.0], 160),
            rng.integers(0, 3, 160),
            strict=True,
        )
    ]
    inputs = make_inputs(
        job_table(rows), wind_mw=windy(24 * 15), n_history=24 * 7, device=A100, n_gpus=[80] * 3
    )
    static, greedy, aware = (score(inputs, name) for name in ("static", "energy_greedy", "feasibility_aware"))
    assert static.jobs_unfinished == greedy.jobs_unfinished == aware.jobs_unfinished == 0
    assert aware.completed_gpu_h == pytest.approx(static.completed_gpu_h)
    assert static.absorbed_per_compute_mwh is not None
    assert greedy.absorbed_per_compute_mwh is not None
    assert aware.absorbed_per_compute_mwh is not None
    assert aware.absorbed_per_compute_mwh > 1.2 * static.absorbed_per_compute_mwh
    assert aware.absorbed_per_compute_mwh >= greedy.absorbed_per_compute_mwh
    assert aware.lost_gpu_h < greedy.lost_gpu_h
    assert aware.slowdown_mean is not None
    assert static.slowdown_mean is not None
    assert greedy.slowdown_mean is not None
    assert aware.slowdown_mean < 1.1 * static.slowdown_mean
    assert aware.slowdown_mean < greedy.slowdown_mean


def test_jobs_that_may_not_move_run_at_their_origin() -> None:
    inputs = one_long_job(10.0)
    fixed = replace(inputs, jobs=inputs.jobs.assign(migratable=False))
    for name in ("energy_greedy", "feasibility_aware"):
        assert list(run(fixed, name).jobs["site"]) == [1]


@given(
    size=st.lists(st.integers(1, 20), max_size=40),
    capacity=st.integers(0, 60),
)
def test_first_fit_equals_going_through_one_by_one(size: list[int], capacity: int) -> None:
    left, expected = capacity, []
    for item in size:
        expected.append(item <= left)
        left -= item if item <= left else 0
    assert first_fit(np.array(size, dtype=int), np.array(capacity)).tolist() == expected


@given(seed=st.integers(0, 200), within=st.booleans())
def test_filling_keeps_to_gpus_and_headroom(seed: int, within: bool) -> None:
    view = random_view(np.random.default_rng(seed))
    sites, jobs = view.sites, view.queued
    room = Room(sites.free_gpus, sites.headroom_p_mw, sites.gpu_p_mw)
    eligible = np.random.default_rng(seed).random((len(jobs), sites.n_sites)) < 0.7
    place = fill(room, np.arange(sites.n_sites), eligible, jobs.n_gpus, within_headroom=within)
    taken = np.bincount(place[place >= 0], weights=jobs.n_gpus[place >= 0], minlength=sites.n_sites)
    assert np.all(taken <= sites.free_gpus)
    assert all(eligible[j, s] for j, s in enumerate(place) if s >= 0)
    if within:
        assert np.all((taken == 0) | (taken * sites.gpu_p_mw <= sites.headroom_p_mw + 1e-9))


@given(sizes=st.lists(st.floats(0.1, 1e4), min_size=1, max_size=12))
def test_crowding_is_processor_sharing(sizes: list[float]) -> None:
    """Reference: let all send at equal rates and step from end to end."""
    left, now, end = np.array(sizes), 0.0, np.zeros(len(sizes))
    active = np.ones(len(sizes), dtype=bool)
    while active.any():
        share = left[active].min()
        now += share * active.sum()
        left = left - share * active
        ended = active & (left <= 1e-9 * np.array(sizes))
        end[ended] = now
        active &= ~ended
    np.testing.assert_allclose(crowding(np.array(sizes)) * np.array(sizes), end, rtol=1e-6)


def test_the_outlook_knows_how_long_a_window_stays_open() -> None:
    view = random_view(np.random.default_rng(0))
    marginal = np.array([[1.0, 0.2], [0.8, 0.9], [0.5, 0.9], [0.4, 0.9]])
    one = np.ones(2)
    sites = replace(
        view.sites,
        outlook_marginal=marginal,
        outlook_absorbable_p_mw=marginal,
        gpu_capacity=one,
        speed=one,
        memory_gb_per_gpu=one,
    )
    outlook = Outlook.of(replace(view, sites=sites))
    assert list(outlook.window_s) == [3 * 3600.0, 0.0]
    np.testing.assert_allclose(
        outlook.mean_over(np.array([[7200.0, 7200.0], [0.0, 0.0], [1e9, 1e9]])),
        [[0.9, 0.55], [1.0, 0.2], [0.675, 0.725]],
    )


def test_a_higher_least_gain_moves_no_more() -> None:
    inputs = one_long_job(10.0)
    assert len(run_simulation(inputs, FeasibilityAware(min_gain=1.5)).transfers) == 0
