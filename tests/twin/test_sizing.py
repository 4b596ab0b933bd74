"""Sizes that policies give to elastic jobs: by hand, by brute force, and no flapping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, small_runs
from tests.twin.test_pauses import small
from tests.twin.test_resizes import elastic
from tests.twin.test_simulate import assert_same_record
from twin.accounting import account
from twin.elastic import relative_speed
from twin.inputs import Expected, SimulationInputs
from twin.policies import Commands, FeasibilityAware, RecedingHorizon, View
from twin.policies.contract import random_view
from twin.policies.sizing import Sizing, _needed, sized
from twin.simulate import run_simulation
from weather import InputError


def one_site(
    *,
    headroom_gpus: float,
    outlook: list[float],
    recorded: list[int],
    n_gpus: list[int] | None = None,
    left_h: float = 60.0,
    due_h: float = np.inf,
    since_h: float = 0.0,
    free: int = 64,
) -> View:
    """A view of one site with running jobs from half to twice their recorded GPUs, at a renewed signal."""
    views = (random_view(np.random.default_rng(seed)) for seed in range(99))
    view = next(view for view in views if len(view.running))
    n, gpu_p_mw, marginal = len(recorded), np.array([0.001]), np.array(outlook)[:, None]
    now = np.array(recorded if n_gpus is None else n_gpus)
    committed = np.array([0.001 * now.sum()])
    sites = replace(
        view.sites,
        **{
            name: getattr(view.sites, name)[..., :1]
            for name in ("memory_gb_per_gpu", "ready_gpus", "rack_wait_s")
        },
        marginal_curtailment=marginal[0],
        outlook_marginal=marginal,
        outlook_absorbable_p_mw=marginal,
        member_marginal=marginal[None],
        member_absorbable_p_mw=marginal[None],
        absorbable_p_mw=committed + headroom_gpus * gpu_p_mw,
        committed_p_mw=committed,
        power_mw=committed,
        gpu_p_mw=gpu_p_mw,
        held_gpu_p_mw=0.3 * gpu_p_mw,
        gpu_capacity=np.array([1000]),
        free_gpus=np.array([free]),
        speed=np.ones(1),
    )
    recorded_gpus = np.array(recorded)
    some = view.running.take(np.zeros(n, dtype=np.int64))
    pace = recorded_gpus * relative_speed(now, recorded_gpus)
    running = replace(
        some,
        job=np.arange(n),
        site=np.zeros(n, dtype=np.int64),
        n_gpus=now,
        recorded_gpus=recorded_gpus,
        min_gpus=recorded_gpus // 2,
        max_gpus=recorded_gpus * 2,
        pace_gpus=pace,
        remaining_gpu_h=recorded_gpus * left_h,
        work_gpu_h=recorded_gpus * (left_h + 10.0),
        checkpoint_gb=np.full(n, 16.0),
        deadline_s=np.full(n, view.now_s + due_h * 3600.0),
        submit_s=np.full(n, view.now_s - since_h * 3600.0),
        settled_s=np.full(n, -np.inf),
    )
    none = running.take(np.zeros(0, dtype=np.int64))
    return replace(view, renewed=True, sites=sites, running=running, queued=none, paused=none)


WINDOW = [1.0] * 6 + [0.0] * 18
CALM = [0.0] * 6 + [1.0] * 6 + [0.0] * 12


def asked(view: View, rule: Sizing | None = None) -> dict[int, int]:
    commands = sized(view, Commands()) if rule is None else sized(view, Commands(), rule)
    return dict(zip(commands.size_job.tolist(), commands.size_gpus.tolist(), strict=True))


def test_in_a_window_jobs_take_what_is_welcome_and_free() -> None:
    assert asked(one_site(headroom_gpus=100, outlook=WINDOW, recorded=[8, 16])) == {0: 16, 1: 32}
    assert asked(one_site(headroom_gpus=100, outlook=WINDOW, recorded=[8, 16], free=0)) == {}
    assert asked(one_site(headroom_gpus=0, outlook=WINDOW, recorded=[8, 16])) == {}
    # A wide job would gain less by a GPU than one at its recorded size, and that less than a narrow one.
    view = one_site(headroom_gpus=12, outlook=WINDOW, recorded=[8, 8, 8], n_gpus=[12, 8, 4])
    assert asked(view) == {2: 8, 1: 16}


def test_out_of_windows_jobs_give_up_what_is_not_welcome_those_first_that_lose_least() -> None:
    assert asked(one_site(headroom_gpus=-100, outlook=CALM, recorded=[8, 16])) == {0: 4, 1: 8}
    view = one_site(headroom_gpus=-9, outlook=CALM, recorded=[8, 8, 8], n_gpus=[16, 8, 4])
    assert asked(view) == {0: 7}  # down to 8 first, then as well as the second would
    # Nothing is to come in which the work would be done: only what is beyond the recorded size goes.
    never = one_site(headroom_gpus=-100, outlook=[0.0] * 24, recorded=[8, 8, 8], n_gpus=[16, 8, 4])
    assert asked(never) == {0: 8}


def test_a_change_has_to_pay() -> None:
    usual = one_site(headroom_gpus=100, outlook=WINDOW, recorded=[8])
    big = replace(usual, running=replace(usual.running, checkpoint_gb=np.array([1e5])))
    assert asked(usual) == {0: 16}
    assert asked(big) == {}  # 14 h to save
    fresh = replace(usual, running=replace(usual.running, settled_s=np.array([usual.now_s - 1800.0])))
    assert asked(fresh) == {}
    assert asked(fresh, Sizing(min_stay_h=0.5)) == {0: 16}
    ends_in_it = one_site(headroom_gpus=100, outlook=WINDOW, recorded=[8], left_h=3.0)
    assert asked(ends_in_it) == {}
    assert asked(usual, Sizing(min_gain=0.9)) == {}


def test_no_job_is_narrower_than_deadline_and_stretch_allow() -> None:
    # 60 h of recorded work in 80 h: speed 3/4 at least, less 5 min. Brute force for the number.
    view = one_site(headroom_gpus=-1000, outlook=CALM, recorded=[64], due_h=80.0)
    (n_gpus,) = asked(view).values()
    time_h = 60.0 / relative_speed(np.array([n_gpus - 1, n_gpus]), 64) + 308.0 / 3600.0
    assert time_h[1] <= 80.0 < time_h[0] + 0.1
    # 70 h in all, of which a stretch of 2 makes 140; 100 have gone with 60 left: speed 1.5, not narrower.
    late = one_site(headroom_gpus=-1000, outlook=CALM, recorded=[64], since_h=100.0)
    assert asked(late) == {}
    narrow = one_site(headroom_gpus=-1000, outlook=CALM, recorded=[64], since_h=100.0, n_gpus=[32])
    assert asked(narrow) == {0: 64}  # back, though it is not welcome


@pytest.mark.parametrize("stretch", [1.2, 1.4, 1.9])
def test_a_narrow_job_stays_so_for_as_long_as_its_stretch_allows(stretch: float) -> None:
    rule = Sizing(max_stretch=stretch)
    calm = {"headroom_gpus": -1000, "outlook": [0.0] * 12 + [1.0] * 12, "recorded": [640]}
    (n_gpus,) = asked(one_site(left_h=80.0, **calm), rule).values()
    assert 320 <= n_gpus < 640
    speed, lost_h = float(relative_speed(n_gpus, 640)), 300.0 / 3600.0
    assert lost_h + 80.0 / speed <= stretch * 90.0
    for after_h in (0.5, 5.0, 40.0):
        left_h = 80.0 - speed * (after_h - lost_h)
        later = one_site(left_h=left_h, since_h=after_h, n_gpus=[n_gpus], **calm)
        work = replace(later.running, work_gpu_h=np.array([640 * 90.0]))
        assert asked(replace(later, running=work), rule) == {}


@given(
    left_h=st.floats(0.1, 99), time_h=st.floats(0.1, 200), recorded=st.integers(1, 64), most=st.integers(1, 4)
)
def test_the_fewest_gpus_in_time_are_those_of_trying_all(
    left_h: float, time_h: float, recorded: int, most: int
) -> None:
    sizes = np.arange(1, recorded * most + 1)
    enough = sizes[left_h / relative_speed(sizes, recorded) <= time_h * (1 + 1e-12)]
    found = _needed(*(np.array([x]) for x in (left_h, time_h, recorded, recorded * most)))[0]
    assert found == (enough[0] if enough.size else recorded)


def test_jobs_that_move_or_pause_keep_their_size_and_queued_ones_come_first() -> None:
    view = one_site(headroom_gpus=100, outlook=WINDOW, recorded=[8, 8])
    paused = sized(view, Commands(pause_job=np.array([0])))
    assert paused.size_job.tolist() == [1]
    waiting = replace(view.running.take(np.array([0])), job=np.array([7]), n_gpus=np.array([60]))
    assert asked(replace(view, queued=waiting)) == {0: 12}
    started = sized(replace(view, queued=waiting), Commands(hold_job=np.array([7])))
    assert dict(zip(started.size_job, started.size_gpus, strict=True)) == {0: 16, 1: 16}


def test_a_job_that_is_placed_starts_wider_in_a_window_also_between_signals() -> None:
    view = one_site(headroom_gpus=100, outlook=WINDOW, recorded=[8, 8])
    queued = replace(view.running.take(np.array([1])), checkpoint_gb=np.array([1e5]))
    view = replace(view, running=view.running.take(np.array([0])), queued=queued, renewed=False)
    placed = sized(view, Commands(place_job=np.array([1]), place_site=np.array([0])))
    assert (placed.size_job.tolist(), placed.size_gpus.tolist()) == ([1], [16])


@settings(max_examples=12)
@given(inputs=small_runs().map(lambda inputs: elastic(inputs, least=0.5, most=2.0)), deadline=st.booleans())
def test_runs_with_sizes_add_up_and_end_the_same_work(inputs: SimulationInputs, deadline: bool) -> None:
    if deadline:
        jobs = inputs.jobs
        due_s = jobs["submit_s"] + 3.0 * 3600.0 * jobs["work_gpu_h"] / jobs["n_gpus"]
        inputs = replace(inputs, jobs=jobs.assign(deadline_s=due_s))
    record = run_simulation(inputs, FeasibilityAware())
    account(record, [baseline(inputs)])
    done = record.jobs[record.jobs["phase"] == "done"]
    np.testing.assert_array_equal(done["done_gpu_h"], done["work_gpu_h"])


@pytest.mark.parametrize("policy", [FeasibilityAware, RecedingHorizon])
def test_elastic_jobs_absorb_more_at_the_same_work_and_do_not_flap(policy: type) -> None:
    # Wind blows for 6 of 12 hours, far more of it than the three jobs of 30 h can use, and this is known.
    inputs = small(*[(0.0, 8, 8 * 30.0, 16.0, 0)] * 3, n_hours=72)
    known = np.full(72, 72, dtype=np.int64)
    inputs = replace(inputs, expected=Expected(inputs.absorbable_p_mw, inputs.marginal_curtailment, known))
    wide = elastic(inputs, least=0.5, most=2.0)
    rigid, sizes = run_simulation(inputs, policy()), run_simulation(wide, policy())
    one, two = (account(record, [baseline(inputs)]) for record in (rigid, sizes))
    assert two.completed_gpu_h == pytest.approx(one.completed_gpu_h) == pytest.approx(3 * 8 * 30.0)
    assert (two.resizes or 0) <= 3 * 72 / 6
    assert two.absorbed_mwh > 1.05 * one.absorbed_mwh
    assert two.absorbed_per_compute_mwh > one.absorbed_per_compute_mwh + 0.01
    off = run_simulation(wide, policy(resizes=False))
    assert_same_record(rigid, replace(off, jobs=rigid.jobs, sites={k: off.sites[k] for k in rigid.sites}))


def test_options_outside_their_range_are_named() -> None:
    with pytest.raises(InputError, match=r"payback(?s:.*)max_stretch"):
        Sizing(payback=0.5, max_stretch=np.inf)
