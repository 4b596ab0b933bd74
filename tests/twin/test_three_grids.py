"""Deciding in groups of sites apart, and the shipped study of three grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.simulation_cases import job_table, make_inputs, windy
from twin.policies import Apart, Commands, FeasibilityAware, Policy, Temporal, View
from twin.policies.contract import random_view
from twin.scenario import load_scenario
from twin.simulate import run_simulation

ROWS = [(i * 1800.0, 16, 16 * 6.0, 10.0, i % 3) for i in range(24)]


@pytest.mark.parametrize("policy", [FeasibilityAware(), Temporal()])
def test_one_group_of_all_sites_changes_nothing(policy: Policy) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        view = random_view(rng)
        apart = Apart(policy=policy, group=(0,) * view.sites.n_sites).decide(view)
        alone = policy.decide(view)
        for name in (
            "place_job",
            "place_site",
            "move_job",
            "move_dest",
            "pause_job",
            "resume_job",
            "hold_job",
        ):
            assert np.array_equal(getattr(apart, name), getattr(alone, name))


def test_no_job_leaves_its_group_and_without_groups_some_do() -> None:
    inputs = make_inputs(job_table(ROWS), wind_mw=windy(48))
    free = run_simulation(inputs, FeasibilityAware()).jobs
    kept = run_simulation(inputs, Apart(policy=FeasibilityAware(), group=(0, 1, 1))).jobs
    group = np.array([0, 1, 1])
    assert (group[free["site"]] != group[free["origin"]]).any()
    assert (group[kept["site"]] == group[kept["origin"]]).all()
    assert (kept["site"] != kept["origin"]).any() or kept["phase"].eq("done").all()


def test_groups_must_be_those_of_the_sites() -> None:
    view = random_view(np.random.default_rng(0))
    with pytest.raises(ValueError, match="groups given for"):
        Apart(policy=FeasibilityAware(), group=(0,) * (view.sites.n_sites + 1)).decide(view)


def test_a_job_away_from_the_group_of_its_origin_is_refused() -> None:
    rng = np.random.default_rng(0)
    view = next(v for v in iter(lambda: random_view(rng), None) if v.sites.n_sites > 1 and len(v.queued))
    moved = replace(view, queued=replace(view.queued, site=(view.queued.origin + 1) % view.sites.n_sites))
    with pytest.raises(ValueError, match="outside the group of its origin"):
        Apart(policy=FeasibilityAware(), group=tuple(range(view.sites.n_sites))).decide(moved)


def test_the_shipped_study_has_three_sites_in_each_of_three_time_zones() -> None:
    pytest.importorskip("simbench", reason="needs the extra grids")
    scenario = load_scenario("three_grids")
    assert [grid.source for grid in scenario.grids] == ["rts_gmlc", "matpower", "simbench"]
    assert [sum(scenario.grid_of(s) == g.name for s in scenario.sites) for g in scenario.grids] == [3, 3, 3]


def test_where_jobs_came_from_is_told_apart_too() -> None:
    views = (random_view(np.random.default_rng(seed)) for seed in range(20))
    view = next(x for x in views if x.sites.n_sites > 2 and len(x.running) > 3)
    running, n = view.running, view.sites.n_sites
    group = (0, *(1 for _ in range(n - 1)))
    seen: list[View] = []

    class Watching(FeasibilityAware):
        def decide(self, view: View) -> Commands:
            seen.append(view)
            return Commands()

    came = np.where(np.arange(len(running)) % 3 == 0, -1, (running.site + 1) % n)
    moved = replace(running, came_from=came)
    Apart(policy=Watching(), group=group).decide(replace(view, running=moved))
    for part, member in zip(seen, ([0], range(1, n)), strict=True):
        there = np.isin(running.site, list(member))
        expected = [list(member).index(c) if c in member else -1 for c in came[there]]
        assert part.running.came_from.tolist() == expected
        assert part.past_bandwidth_gbit_per_s.shape[1:] == (len(member), len(member))
