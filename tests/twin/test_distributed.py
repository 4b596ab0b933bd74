"""Jobs on several sites at once: rounds by hand, against a published one, and in what must hold always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.test_wan import sites
from twin.distributed import (
    SyncRound,
    exchanged_gb,
    partial_migration,
    plan_sync,
    ring_round,
    star_round,
    steps_for_efficiency,
    sync_efficiency,
    sync_round,
)
from twin.migration import MigrationModel
from twin.wan import star
from weather import InputError


def test_a_published_round() -> None:
    # INTELLECT-1: 10e9 parameters of 1 B on 8 sites are 17.5 GB from each, 14 s at 10 Gbit/s.
    made = ring_round(float(exchanged_gb(10.0, 1.0)), [10.0] * 8)
    assert made.time_s == pytest.approx(14.0)
    assert made.moved_gb / 8 == pytest.approx(17.5)


def test_the_slowest_link_sets_the_pace_of_a_ring() -> None:
    # Four steps of 4 GB: 4 s at 8 Gbit/s, 8 s and 0.5 s of delay over the slowest.
    assert ring_round(12.0, [8.0, 4.0, 8.0], [0.1, 0.5, 0.0]).time_s == pytest.approx(4 * 8.5)
    assert ring_round(12.0, [8.0, 0.0, 8.0]).time_s == np.inf


def test_one_site_has_nothing_to_wait_for() -> None:
    assert ring_round(12.0, [8.0]) == star_round(12.0, []) == SyncRound(0.0, 0.0)
    assert sync_round(star(sites(2)), [1], 12.0) == SyncRound(0.0, 0.0)


def test_rounds_over_a_network_share_its_links() -> None:
    # Access of 10 Gbit/s at all, all of it payload. In the ring each access carries one transfer each way;
    # in the star the middle's carries three.
    wan = star(sites(4), access_gbit_per_s=10.0, goodput=1.0)
    delay = wan.latency_s
    ring, hub = sync_round(wan, [0, 1, 2, 3], 10.0), sync_round(wan, [0, 1, 2, 3], 10.0, "star")
    longest = max(delay[0, 1], delay[1, 2], delay[2, 3], delay[3, 0])
    assert ring.time_s == pytest.approx(6 * (2.0 + longest))
    assert hub.time_s == pytest.approx(2 * (24.0 + delay[0, 1:].max()))
    assert ring.moved_gb == hub.moved_gb == 60.0
    plan = plan_sync(wan, [0, 1, 2, 3], 10.0, [1.0, 1.0, 2.0, 1.0], efficiency=0.8)
    assert plan.pattern == "ring"
    assert plan.steps == np.ceil(0.8 * ring.time_s / (0.2 * 2.0))
    assert plan.feasible
    assert plan.gb_per_h == pytest.approx(60.0 * 3600 / (plan.steps * 2.0 + ring.time_s))
    assert not plan_sync(wan, [0, 1, 2, 3], 10.0, 1.0, efficiency=0.8, most_steps=10).feasible


def test_sites_that_cannot_be_reached_need_endless_steps() -> None:
    wan = star(sites(2), access_gbit_per_s=[10.0, 0.0])
    plan = plan_sync(wan, [0, 1], 10.0, 1.0)
    assert (plan.steps, plan.feasible, plan.gb_per_h) == (np.inf, False, 0.0)


@given(
    step=st.floats(0.01, 100.0),
    sync=st.floats(0.0, 1e5),
    efficiency=st.floats(0.01, 0.999),
    overlap=st.floats(0.0, 1.0),
)
def test_fewest_steps_reach_the_efficiency_and_one_less_does_not(
    step: float, sync: float, efficiency: float, overlap: float
) -> None:
    steps = float(steps_for_efficiency(step, sync, efficiency, overlap=overlap))
    assert sync_efficiency(step, steps, sync, overlap=overlap) >= efficiency - 1e-6
    if steps > 1:
        assert sync_efficiency(step, steps - 1, sync, overlap=overlap) < efficiency + 1e-6


@given(steps=st.integers(1, 1000), more=st.integers(0, 1000), sync=st.floats(0.0, 1e4))
def test_rarer_rounds_never_compute_less(steps: int, more: int, sync: float) -> None:
    assert sync_efficiency(1.0, steps + more, sync) >= sync_efficiency(1.0, steps, sync)


def test_all_of_the_workers_are_the_whole_job() -> None:
    move = partial_migration(98.0, 32, 1.0, 8.0, model_gb=14.0, step_s=5.0, steps=50)
    whole = MigrationModel().times(98.0, 32, 8.0)
    assert move.times == whole
    assert (move.n_moved, move.moved_gb, move.efficiency, move.break_even_s) == (32, 98.0, 1.0, np.inf)


@given(share=st.floats(0.01, 1.0), n_gpus=st.integers(1, 100))
def test_a_sharded_part_never_sends_more_than_a_replica(share: float, n_gpus: int) -> None:
    part, all_of_it = (
        partial_migration(98.0, n_gpus, share, 8.0, model_gb=14.0, step_s=5.0, steps=50, state=state)
        for state in ("sharded", "replicated")
    )
    assert part.moved_gb == pytest.approx(98.0 * part.n_moved / n_gpus)
    assert part.moved_gb <= all_of_it.moved_gb == 98.0
    assert share * n_gpus - 1e-6 <= part.n_moved < share * n_gpus + 1


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        ring_round(-1.0, [-2.0], [1.0, 2.0])
    assert {x.where for x in error.value.findings} == {"model_gb", "rate_gbit_per_s", "latency_s"}
    with pytest.raises(InputError) as error:
        sync_efficiency(0.0, 0.5, -1.0, overlap=2.0)
    assert {x.where for x in error.value.findings} == {"step_s", "steps", "sync_s", "overlap"}
    with pytest.raises(InputError, match="efficiency: is 1"):
        steps_for_efficiency(1.0, 1.0, 1.1)
    with pytest.raises(InputError) as error:
        partial_migration(98.0, 0, 0.0, 8.0, model_gb=1.0, step_s=1.0, steps=1, state="half")  # type: ignore[arg-type]
    assert {x.where for x in error.value.findings} == {"n_gpus", "share", "state"}
    wan = star(sites(2))
    for where, what in (([0, 0], "name each site once"), ([0, 2], r"sites 0\.\.1")):
        with pytest.raises(InputError, match=what):
            sync_round(wan, where, 1.0)
    with pytest.raises(InputError, match="ring or star"):
        sync_round(wan, [0, 1], 1.0, "tree")  # type: ignore[arg-type]
