"""A steered rule: neutral steering changes nothing, none leads to what cannot be done or is not feasible."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs, windy
from twin.accounting import account
from twin.feasibility import REFUSALS
from twin.inputs import SimulationInputs
from twin.observation import Observation
from twin.policies import POLICIES, Commands, Steered, View, check_policy
from twin.policies.contract import random_view
from twin.simulate import Simulation, run_simulation
from weather import InputError


@dataclass(frozen=True)
class Anyhow:
    """Steers by numbers that follow from the view, however many sites it has."""

    seed: int
    inner: str
    name: str = "anyhow"

    def decide(self, view: View) -> Commands:
        rng = np.random.default_rng([self.seed, view.step, view.sites.n_sites])
        action = np.round(rng.uniform(-1.0, 1.0, 3 * view.sites.n_sites), 1)
        return Steered(inner=self.inner).steer(action).decide(view)


@pytest.mark.parametrize("inner", ["static", "energy_greedy", "feasibility_aware"])
def test_any_steering_keeps_to_the_contract_of_policies(inner: str) -> None:
    for seed in range(2):
        check_policy(Anyhow(seed, inner))


@pytest.mark.parametrize("inner", ["static", "energy_greedy", "feasibility_aware"])
@settings(max_examples=8, deadline=None)
@given(inputs=small_runs())
def test_neutral_steering_is_the_inner_rule(inner: str, inputs: SimulationInputs) -> None:
    steered = run_simulation(inputs, Steered(inner=inner).steer(np.zeros(9)))
    alone = run_simulation(inputs, POLICIES[inner]())
    assert steered.events.equals(alone.events)
    assert np.array_equal(steered.sites["load_p_mw"], alone.sites["load_p_mw"])


@settings(max_examples=12, deadline=None)
@given(inputs=small_runs(), seed=st.integers(0, 99))
def test_the_books_of_any_steering_balance(inputs: SimulationInputs, seed: int) -> None:
    account(run_simulation(inputs, Anyhow(seed, "feasibility_aware")), [baseline(inputs)])


def one_job(**columns: object) -> SimulationInputs:
    """A job of 20 h at a site without wind, submitted as wind begins to blow elsewhere for six hours."""
    return make_inputs(
        job_table([(0.0, 8, 160.0, 50.0, 1)], placeable=False, **columns), wind_mw=windy(40), n_history=0
    )


def test_a_job_waits_for_relief_at_its_site_but_not_longer_than_it_may() -> None:
    wait = Steered(inner="static", wait=(0.0, 0.5, 0.0), max_wait_h=7.0)
    record = run_simulation(one_job(), wait)
    assert record.jobs["first_start_s"].item() == 7 * 3600.0
    assert run_simulation(one_job(), replace(wait, wait=(0.9, 0.0, 0.9))).jobs["first_start_s"].item() == 0.0


def test_a_deadline_ends_waiting() -> None:
    record = run_simulation(one_job(deadline_s=26 * 3600.0), Steered(inner="static", wait=(0.0, 0.5, 0.0)))
    assert record.jobs["end_s"].item() <= 26 * 3600.0
    assert record.jobs["first_start_s"].item() > 0.0


def test_a_running_job_pauses_while_its_site_relieves_little_and_goes_on_after() -> None:
    a100 = ["a100_sxm_40"] * 3
    inputs = make_inputs(job_table([(0.0, 8, 104.0, 1.0, 0)]), wind_mw=windy(36), device=a100)
    record = run_simulation(inputs, Steered(inner="static", wait=(0.5, 0.0, 0.0)))
    pause = record.pauses
    assert pause["begun_s"].tolist() == [6 * 3600.0, 18 * 3600.0]
    assert pause["resume_s"].tolist() == [12 * 3600.0, 24 * 3600.0]
    assert record.jobs["phase"].item() == "done"


def test_a_lift_cannot_bring_about_a_move_that_is_not_feasible() -> None:
    inputs = one_job()
    lifted = Steered(lift=(0.0, -1.0, 1.0))
    record = run_simulation(inputs, replace(lifted, welcome=(-1.0, 1.0, 1.0)))
    assert not len(record.transfers)
    sites = Simulation(inputs, lifted).look().sites
    assert not np.any(sites.outlook_marginal[:, 2] > 0.0), "nothing is ever relieved there"


def test_refusals_of_lifted_moves_are_in_the_audit() -> None:
    rng, found = np.random.default_rng(3), 0
    for _ in range(200):
        view = replace(random_view(rng), renewed=True, alpha=1.0)
        n = view.sites.n_sites
        lift = rng.uniform(-1.0, 1.0, n)
        steered = Steered().steer(np.concatenate([lift, np.ones(n), np.zeros(n)]))
        shown = replace(
            view,
            sites=replace(
                view.sites,
                marginal_curtailment=view.sites.marginal_curtailment + lift,
                outlook_marginal=view.sites.outlook_marginal + lift,
                absorbable_p_mw=2.0 * view.sites.absorbable_p_mw,
                outlook_absorbable_p_mw=2.0 * view.sites.outlook_absorbable_p_mw,
            ),
        )
        wanted, done = POLICIES["feasibility_aware"]().decide(shown), steered.decide(view)
        left_out = np.setdiff1d(wanted.move_job, done.move_job)
        assert np.isin(left_out, done.refused.job).all()
        assert np.isin(done.move_job, wanted.move_job).all()
        assert np.unique(done.refused.job).size == done.refused.job.size
        assert np.all((done.refused.reason > 0) & (done.refused.reason < len(REFUSALS)))
        assert np.all(done.refused.margin < 0.0)
        found += left_out.size
    assert found > 0


def test_all_bad_options_are_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        Steered(inner="temporal", lift=(2.0,), wait=(float("nan"),), max_wait_h=-1.0)
    assert {f.where for f in error.value.findings} == {"inner", "lift", "wait", "max_wait_h"}
    with pytest.raises(ValueError, match="1 values of lift for 3 sites"):
        run_simulation(one_job(), Steered(lift=(0.5,)))


def test_an_observation_says_what_the_view_holds() -> None:
    inputs = make_inputs(
        job_table([(0.0, 2, 1.0, 1.0, 1), (0.0, 8, 320.0, 1.0, 1)], placeable=False),
        wind_mw=np.r_[windy(24), windy(12)],
        n_history=24,
        device=["a100_sxm_40"] * 3,
    )
    view = Simulation(inputs, Steered()).look()
    observation = Observation(inputs.sites.name, 6.0)
    told = dict(zip(observation.names, observation.of(view).tolist(), strict=True))
    assert len(observation.names) == len(set(observation.names))
    assert told["site0.relief_now"] == 1.0
    assert told["site0.relief_0_6h"] == pytest.approx(view.sites.outlook_marginal[:6, 0].mean(), abs=1e-6)
    assert told["site0.free_gpus"] == 1.0
    # Half an hour of two GPUs and 40 h of eight, on 64 GPUs, all times the fleet scale.
    assert told["site1.queued_short"] == pytest.approx(np.log1p(1.0 / 64), abs=1e-6)
    assert told["site1.queued_long"] == pytest.approx(np.log1p(320.0 / 64), abs=1e-6)
    assert told["site1.queued_medium"] == told["site1.running_long"] == told["site1.paused"] == 0.0
    assert (told["hour_sin"], told["hour_cos"]) == pytest.approx((1.0, 0.0), abs=1e-6)


def test_every_view_gives_an_observation_within_its_bounds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        view = random_view(rng)
        observation = Observation(tuple(f"s{i}" for i in range(view.sites.n_sites)))
        vector = observation.of(view)
        assert vector.dtype == np.float32
        assert vector.shape == observation.low.shape == (len(observation.names),)
        assert np.all((observation.low <= vector) & (vector <= observation.high))


def test_looking_changes_nothing() -> None:
    inputs = make_inputs(job_table([(600.0, 8, 64.0, 1.0, 1), (9000.0, 8, 64.0, 1.0, 2)]), wind_mw=windy(24))
    looked = Simulation(inputs, POLICIES["feasibility_aware"]())
    while not looked.finished:
        looked.look()
        looked.look()
        looked.step()
    with pytest.raises(RuntimeError, match="the run ended"):
        looked.look()
    alone = run_simulation(inputs, POLICIES["feasibility_aware"]())
    assert looked.record.events.equals(alone.events)
    assert np.array_equal(looked.record.sites["load_p_mw"], alone.sites["load_p_mw"])
