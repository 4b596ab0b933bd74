"""Moves under doubt and hysteresis: by hand, against the deterministic policy, and what must hold always."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.simulation_cases import job_table, make_inputs, small_runs
from twin.chances import domain_chance
from twin.feasibility import REFUSALS, domain
from twin.flaps import count_flaps, count_returns
from twin.inputs import SimulationInputs
from twin.migration import MigrationModel
from twin.policies import POLICIES, Commands, FeasibilityAware, View, check_policy
from twin.policies.contract import random_view
from twin.record import SimulationRecord
from twin.simulate import Simulation, run_simulation
from weather import InputError

A100 = ["a100_sxm_40"] * 3


def two_site_view(
    members: list[list[float]], *, rate: float = 8.0, past: tuple[float, ...] = (), **job: object
) -> View:
    """One running job of eight devices at site 0; each member has that of site 1 by hours.

    100 GB take 50 s to save, 100 s to send at 8 Gbit/s and 350 s to load: 500 s. The job has 20 h left.
    """
    view = random_view(np.random.default_rng(0))
    there = np.array(members)
    marginal = np.stack([np.zeros_like(there), there], axis=-1)
    ones = np.ones(2)
    sites = replace(
        view.sites,
        absorbable_p_mw=np.array([0.0, 10.0]),
        marginal_curtailment=marginal[0, 0],
        outlook_marginal=marginal.mean(axis=0),
        outlook_absorbable_p_mw=marginal.mean(axis=0) * 10.0,
        member_marginal=marginal,
        member_absorbable_p_mw=marginal * 10.0,
        power_mw=np.array([1.0, 0.0]),
        committed_p_mw=np.array([1.0, 0.0]),
        gpu_p_mw=ones / 8,
        held_gpu_p_mw=ones / 32,
        gpu_capacity=np.array([8, 8]),
        free_gpus=np.array([0, 8]),
        ready_gpus=np.array([0, 8]),
        rack_wait_s=np.zeros(2),
        speed=ones,
        memory_gb_per_gpu=ones * 80.0,
    )
    row, one = np.zeros(1, dtype=np.int64), np.ones(1)
    fields: dict[str, object] = {
        "job": row,
        "site": row,
        "origin": row,
        "n_gpus": row + 8,
        "remaining_gpu_h": one * 8 * 20.0,
        "checkpoint_gb": one * 100.0,
        "deadline_s": one * np.inf,
        "submit_s": one * view.now_s - 3600.0,
        "migratable": row == 0,
        "pausable": row == 0,
        "work_gpu_h": one * 8 * 21.0,
        "placeable": row == 0,
        "memory_gb_per_gpu": one * 0.0,
        "priority": row,
        "came_from": row - 1,
        "settled_s": one * -np.inf,
        "min_gpus": row + 8,
        "max_gpus": row + 8,
        "recorded_gpus": row + 8,
        "pace_gpus": one * 8.0,
    }
    running = type(view.running)(**(fields | {name: np.array([value]) for name, value in job.items()}))
    none = running.take(np.zeros(0, dtype=np.int64))
    apart = np.array([[0.0, 1.0], [1.0, 0.0]])
    return replace(
        view,
        renewed=True,
        sites=sites,
        queued=none,
        running=running,
        paused=none,
        bandwidth_gbit_per_s=rate * apart,
        past_bandwidth_gbit_per_s=np.array(past).reshape(-1, 1, 1) * apart,
        latency_s=np.zeros((2, 2)),
        alpha=0.1,
        theta=0.5,
    )


def audit(view: View, **options: object) -> tuple[int, str, float]:
    """Moves made, and reason and margin of the refusal if there is one."""
    commands = FeasibilityAware(**options).decide(view)
    refused = commands.refused
    if not refused.job.size:
        return commands.move_job.size, "", 0.0
    return commands.move_job.size, REFUSALS[int(refused.reason[0])], float(refused.margin[0])


HOURS = 6
LONG, SHORT = [1.0] * HOURS, [1.0] + [0.0] * (HOURS - 1)
"""A window of six hours, in which 500 s are less than a tenth, and one of an hour, in which they are more."""


def test_chance_by_hand() -> None:
    # Three of four members have a window of 6 h, one of 1 h: 500 s <= 0.1 · 21,600 s, but > 0.1 · 3,600 s.
    # The mean of all has a window of 6 h too, with a gain of (1 + 5 · 0.75) / 6.
    view = two_site_view([LONG, LONG, LONG, SHORT])
    assert audit(view) == (1, "", 0.0)
    assert audit(view, epsilon=0.25) == (1, "", 0.0)
    moved, reason, margin = audit(view, epsilon=0.2)
    assert (moved, reason) == (0, "chance")
    assert margin == pytest.approx(0.75 - 0.8)


def test_chance_over_rates_by_hand() -> None:
    # 100 GB in 6 h at α = 0.1: 2,160 s less 400 s leave 1,760 s to send 800 Gbit, so 0.4545 Gbit/s at least,
    # which is 0.0568 of 8 Gbit/s.
    view = two_site_view([LONG, LONG])
    assert audit(view, epsilon=0.0, rate_ratios=(0.057, 1.0)) == (1, "", 0.0)
    moved, reason, margin = audit(view, epsilon=0.1, rate_ratios=(0.056, 1.0, 1.0, 1.0))
    assert (moved, reason) == (0, "chance")
    assert margin == pytest.approx(0.75 - 0.9)


def test_rates_of_the_past_day_take_the_place_of_those_given() -> None:
    # Now 8 Gbit/s, in one of four hours there was no path at all.
    view = two_site_view([LONG], past=(8.0, 8.0, 0.0, 8.0))
    assert audit(view, epsilon=0.25) == (1, "", 0.0)
    assert audit(view, epsilon=0.2)[1:] == ("chance", pytest.approx(-0.05))
    # With another transfer under way the present rate is half of that of a lone one; so are the others.
    slow = two_site_view([LONG], rate=0.4, past=(0.8, 1.6))
    assert audit(slow, epsilon=0.4)[:2] == (0, "chance")  # 0.4 Gbit/s is too slow, 0.8 Gbit/s is not
    assert audit(slow, epsilon=0.5)[0] == 1


def test_what_no_member_mends_is_named() -> None:
    view = two_site_view([LONG, SHORT])
    full = replace(view, sites=replace(view.sites, free_gpus=np.array([0, 4])))
    assert audit(full, epsilon=0.9)[1:] == ("capacity", -4.0)
    cut = replace(view, bandwidth_gbit_per_s=np.zeros((2, 2)))
    assert audit(cut, epsilon=0.9)[1] == "link"


@given(st.integers(0, 500))
def test_one_member_and_the_rate_expected_are_the_deterministic_policy(seed: int) -> None:
    view = replace(random_view(np.random.default_rng(seed)), renewed=True)
    n = view.sites.n_sites
    sites = replace(
        view.sites,
        member_marginal=view.sites.outlook_marginal[None],
        member_absorbable_p_mw=view.sites.outlook_absorbable_p_mw[None],
    )
    view = replace(view, sites=sites, past_bandwidth_gbit_per_s=np.zeros((0, n, n)), alpha=0.5)
    certain = FeasibilityAware().decide(view)
    doubted = FeasibilityAware(epsilon=0.3, rate_ratios=(1.0,)).decide(view)
    for name in ("place_job", "place_site", "move_job", "move_dest"):
        np.testing.assert_array_equal(getattr(doubted, name), getattr(certain, name))
    np.testing.assert_array_equal(doubted.refused.job, certain.refused.job)


@given(
    sizes=st.lists(st.floats(0.1, 3e3), min_size=1, max_size=6),
    windows=st.lists(st.floats(0.0, 2e5), min_size=1, max_size=5),
    ratios=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=4),
    epsilon=st.tuples(st.floats(0.0, 0.99), st.floats(0.0, 0.99)),
)
def test_a_larger_epsilon_never_refuses_more(
    sizes: list[float], windows: list[float], ratios: list[float], epsilon: tuple[float, float]
) -> None:
    size = np.array(sizes)
    chance = chance_of(size, np.tile(windows, (size.size, 1)), np.outer(np.ones(size.size), ratios) * 10.0)
    assert np.all((chance >= 0.0) & (chance <= 1.0))
    views = [two_site_view([LONG, SHORT, LONG], checkpoint_gb=x) for x in sizes[:2]]
    low, high = sorted(epsilon)
    for view in views:
        assert audit(view, epsilon=high)[0] >= audit(view, epsilon=low)[0]


def chance_of(size: np.ndarray, windows: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Chances of moves of eight devices that relieve all they draw."""

    def ask(**given: np.ndarray) -> object:
        return domain(
            **given,
            alpha=0.1,
            class_a=0.01,
            goodput=1.0,
            min_bandwidth_gbit_per_s=0.0,
            wan_kwh_per_gb=0.0,
            migration=MigrationModel(),
        )

    number = np.asarray
    of_move = {
        "size": size,
        "n_gpus": number(8.0),
        "job_power_mw": number(1.0),
        "hold_power_mw": number(0.25),
        "latency_s": number(0.0),
        "free_gpus": number(np.inf),
        "remaining_s": number(0.0),
        "deadline_s": number(np.inf),
    }
    weight = np.full(rates.shape[1], 1.0 / rates.shape[1])
    return domain_chance(ask, rates, weight, windows, np.ones_like(windows), of_move)


def test_many_moves_in_blocks_give_what_each_gives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    size, windows, rates = rng.uniform(1, 900, 23), rng.uniform(0, 4e4, (23, 6)), rng.uniform(0, 20, (23, 3))
    together = chance_of(size, windows, rates)
    alone = [chance_of(size[[i]], windows[[i]], rates[[i]])[0] for i in range(23)]
    np.testing.assert_array_equal(together, alone)
    monkeypatch.setattr("twin.chances.MOVES_TOGETHER", 13)  # two moves of six members
    np.testing.assert_array_equal(chance_of(size, windows, rates), together)


def test_a_job_that_has_just_come_stays() -> None:
    now = 1e6
    just = two_site_view([LONG], came_from=1, settled_s=now - 3600.0)
    assert audit(just) == (1, "", 0.0)
    assert audit(just, min_stay_h=1.0) == (1, "", 0.0)
    assert audit(just, min_stay_h=1.5) == (0, "stay", -1800.0)
    assert audit(two_site_view([LONG]), min_stay_h=1.5) == (1, "", 0.0)  # it has never moved


def test_to_go_back_and_to_go_again_takes_a_larger_gain() -> None:
    now, gain = 1e6, 0.75
    back = two_site_view([[gain] * HOURS], came_from=1, settled_s=now - 7200.0)
    other = two_site_view([[gain] * HOURS], came_from=-1, settled_s=now - 7200.0)
    assert audit(back, back_gain=gain) == (1, "", 0.0)
    assert audit(back, back_gain=0.9) == (0, "gain", pytest.approx(gain - 0.9))
    assert audit(other, back_gain=0.9) == (1, "", 0.0)
    assert audit(other, again_gain=0.8, again_h=2.0) == (1, "", 0.0)  # two hours have passed
    assert audit(other, again_gain=0.8, again_h=2.1) == (0, "gain", pytest.approx(gain - 0.8))


class Flipping(FeasibilityAware):
    """Sees a signal that flips between two sites at every step, and expects it to stay as it is."""

    def decide(self, view: View) -> Commands:
        """Put the signal into the view."""
        turn = view.step % 2
        marginal = np.tile([float(turn == 0), float(turn == 1), 0.0], (24, 1))
        sites = replace(
            view.sites,
            absorbable_p_mw=marginal[0] * 40.0,
            marginal_curtailment=marginal[0],
            outlook_marginal=marginal,
            outlook_absorbable_p_mw=marginal * 40.0,
            member_marginal=marginal[None],
            member_absorbable_p_mw=marginal[None] * 40.0,
        )
        return super().decide(replace(view, sites=sites))


def flips(**options: object) -> SimulationRecord:
    """Run a job of thirty hours in a signal that flips every hour."""
    inputs = make_inputs(
        job_table([(0.0, 32, 32 * 30.0, 10.0, 0)]),
        wind_mw=np.full(64, 4.0),
        n_history=24,
        device=A100,
        access_gbit_per_s=400.0,
    )
    return run_simulation(inputs, Flipping(**options))


def test_hysteresis_in_a_signal_that_flips_every_step() -> None:
    free = flips()
    # It runs at site 0 in hour 0, moves at the start of hour 1 and back at the start of hour 2, and so on: in
    # every hour but the first, until its 30 hours of work are done.
    assert list(free.transfers["begun_s"][:4]) == [3600.0, 7200.0, 10800.0, 14400.0]
    assert list(free.transfers["dest"][:4]) == [1, 0, 1, 0]
    n = len(free.transfers)
    assert n >= 30
    assert count_flaps(free, within_h=6.0) == count_returns(free) == n - 1
    # After a move the job stays for six hours: it resumes some 300 s after it left, so that six hours later
    # the next renewal is in the seventh hour after its move, when the wind is at the other site again.
    calm = flips(min_stay_h=6.0)
    assert list(calm.transfers["begun_s"][:3]) == [3600.0, 8 * 3600.0, 15 * 3600.0]
    assert count_flaps(calm, within_h=6.0) == 0
    # A gain of 1 in all hours is below what going back takes: it moves once.
    assert len(flips(back_gain=1.01).transfers) == 1
    audit = calm.events[calm.events["kind"] == "move_refused"]
    assert set(audit["reason"]) == {"stay"}
    assert (audit["value"] < 0.0).all()
    end = {name: record.jobs["end_s"][0] for name, record in (("free", free), ("calm", calm))}
    assert end["calm"] < end["free"]


@pytest.mark.parametrize(
    "options",
    [
        {"epsilon": 0.1},
        {"epsilon": 0.6, "rate_ratios": (0.0, 1.0)},
        {"min_stay_h": 5.0, "back_gain": 0.5, "again_gain": 0.8, "again_h": 1e3, "epsilon": 0.0},
    ],
)
def test_all_options_keep_to_the_contract(options: dict[str, object]) -> None:
    check_policy(FeasibilityAware(**options))


@given(inputs=small_runs())
def test_options_that_ask_for_nothing_change_nothing_and_runs_go_on_from_their_state(
    inputs: SimulationInputs,
) -> None:
    plain = Simulation(inputs, FeasibilityAware())
    asked = Simulation(inputs, FeasibilityAware(epsilon=0.0, rate_ratios=(1.0,), again_gain=0.5))
    while not asked.finished:
        plain.step()
        asked.step()
        if asked.tick == 30:
            asked = Simulation.from_arrays(inputs, asked.policy, asked.to_arrays())
    for name, values in plain.state.to_arrays().items():
        if name != "last_refusal":
            np.testing.assert_array_equal(asked.state.to_arrays()[name], values)


def test_all_bad_options_are_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        FeasibilityAware(epsilon=1.0, rate_ratios=(), min_stay_h=-1.0, back_gain=np.nan)
    for name in ("epsilon: is 1.0", "rate_ratios", "min_stay_h: is -1.0", "back_gain: is nan"):
        assert name in str(error.value)
    assert POLICIES["feasibility_aware"]() == FeasibilityAware()
