"""Unit commitment: by hand, by enumeration, against PyPSA; its rules hold whatever the blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pypsa
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from grid_models import Grid, Limits, commit, dispatch, dispatch_horizon, load_grid, with_storage
from grid_models._sparse import SparseProgramme
from tests.grid_models.grids import labelled, small_grid
from weather import InputError, SolverError

Rules = Mapping[str, float]
BACKSTOP = (0, 400.0, 50.0)
"""Bus, size and cost of a generator that may stand still at no cost: the one that is not committed."""


def committed_grid(*rules: Rules, backstop: tuple[int, float, float] = BACKSTOP, n_bus: int = 2) -> Grid:
    """A backstop g0 and committable generators g1... with size, cost, p_min_mw and further columns."""
    generators = [(0, rule["size"], rule["cost"]) for rule in rules]
    grid = small_grid(
        n_bus, [(k, k + 1, 1000.0) for k in range(n_bus - 1)], generators=[backstop, *generators]
    )
    gens, segments = grid.generators.copy(), grid.segments.copy()
    for k, rule in enumerate(rules, start=1):
        least = rule["p_min_mw"]
        own = {"committable": True, "no_load_cost_per_h": least * rule["cost"]}
        own |= {name: value for name, value in rule.items() if name not in ("size", "cost")}
        for name, value in own.items():
            gens.loc[f"g{k}", name] = value
        segments.loc[segments["gen"] == f"g{k}", "p_mw"] = rule["size"] - least
    return replace(grid, generators=gens, segments=segments)


def given_load(grid: Grid, load: list[float], wind: list[float] | None = None) -> dict[str, object]:
    """All load at the first bus, all wind at the first unit."""
    loads, power = np.zeros((len(load), len(grid.buses))), np.zeros((len(load), len(grid.units)))
    loads[:, 0] = load
    if wind is not None:
        power[:, 0] = wind
    time = pd.date_range("2020-06-01T00:00Z", periods=len(load), freq="h")
    generation, load_p_mw = labelled(grid, time, loads, power)
    return {"generation": generation, "load": load_p_mw}


def status(result: xr.Dataset, gen: str) -> list[float]:
    return result["gen_status"].sel(gen=gen).to_numpy().round(6).tolist()


def cost(grid: Grid, result: xr.Dataset, **given: object) -> float:
    """Cost of starts and of the dispatch that follows. [USD]"""
    dispatched = dispatch(grid, gen_status=result["gen_status"], objective="market", **given)
    return float(result["start_cost"].sum() + dispatched["cost"].sum())


def runs(values: np.ndarray, value: float) -> list[tuple[int, int]]:
    """First step and length of each stretch of a value."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values == value, [False]]).astype(int)))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def keeps_its_times(values: np.ndarray, up: float, down: float) -> bool:
    """Whether every stretch between a change and another lasts long enough."""
    return all(
        length >= least
        for value, least in ((1.0, up), (0.0, down))
        for first, length in runs(values, value)
        if first > 0 and first + length < len(values)
    )


# By hand


@pytest.mark.parametrize(("start_cost", "expected"), [(3000.0, [1, 0, 1]), (5000.0, [1, 0, 0])])
def test_a_unit_starts_again_where_that_is_cheaper(start_cost: float, expected: list[float]) -> None:
    # It cannot run at its 40 MW when load is 20 MW. To run it again saves 100 MW at 50 - 10 per MWh.
    grid = committed_grid({"size": 100.0, "cost": 10.0, "p_min_mw": 40.0, "start_cost": start_cost})
    given = given_load(grid, [100.0, 20.0, 100.0])
    result = commit(grid, **given)
    assert status(result, "g1") == expected
    assert status(result, "g0") == [1, 1, 1]
    last = 1000.0 + start_cost if expected[2] else 5000.0
    assert cost(grid, result, **given) == pytest.approx(1000.0 + 1000.0 + last)
    assert float(result["objective"].squeeze()) == pytest.approx(1000.0 + 1000.0 + last)
    assert float(result["start_cost"].sum()) == pytest.approx(start_cost * expected[2])


def test_a_unit_that_stopped_stands_for_its_time() -> None:
    # Run first, it could not run again within three hours; so it stands until the load is back.
    rule = {"size": 100.0, "cost": 10.0, "p_min_mw": 40.0}
    load = [100.0, 20.0, 100.0, 100.0]
    fast, slow = committed_grid(rule), committed_grid({**rule, "min_down_h": 3.0})
    assert status(commit(fast, **given_load(fast, load)), "g1") == [1, 0, 1, 1]
    assert status(commit(slow, **given_load(slow, load)), "g1") == [0, 0, 1, 1]


def test_a_unit_that_started_runs_for_its_time() -> None:
    # The peak of one hour is beyond the cheap generator. Beside the peak, running at its 20 MW costs 10 per
    # MWh more, twice for a time of three hours.
    rule = {"size": 100.0, "cost": 30.0, "p_min_mw": 20.0}
    load = [50.0] * 4 + [150.0] + [50.0] * 4
    cheap = 20.0 * (8 * 50.0 + 100.0) + 30.0 * 50.0
    for hours in (1.0, 3.0):
        grid = committed_grid({**rule, "min_up_h": hours}, backstop=(0, 100.0, 20.0))
        result = commit(grid, mip_gap=0.0, **given_load(grid, load))
        assert runs(result["gen_status"].sel(gen="g1").to_numpy(), 1.0)[0][1] == hours
        assert float(result["objective"].squeeze()) == pytest.approx(cheap + (hours - 1.0) * 20.0 * 10.0)


def test_shares_of_units_pay_shares_of_starts() -> None:
    # A quarter of the unit serves the 25 MW that the cheap generator cannot, and starts for a quarter.
    rule = {"size": 100.0, "cost": 30.0, "p_min_mw": 40.0, "start_cost": 200.0}
    grid = committed_grid(rule, backstop=(0, 100.0, 20.0))
    given = given_load(grid, [80.0, 125.0])
    relaxed, whole = commit(grid, relaxed=True, **given), commit(grid, **given)
    assert status(relaxed, "g1") == [0.0, 0.25]
    assert float(relaxed["objective"].squeeze()) == pytest.approx(80 * 20 + 100 * 20 + 25 * 30 + 50)
    assert status(whole, "g1") == [0, 1]
    assert float(whole["objective"].squeeze()) == pytest.approx(80 * 20 + 85 * 20 + 40 * 30 + 200)


def test_a_ramp_makes_a_unit_start_early() -> None:
    # It starts at 20 MW and 30 more: for 80 MW at the peak it must run an hour before.
    rule = {"size": 100.0, "cost": 30.0, "p_min_mw": 20.0}
    load = [50.0, 50.0, 180.0]
    free, slow = (
        committed_grid({**rule, "ramp_mw_per_h": rate}, backstop=(0, 100.0, 20.0)) for rate in (np.inf, 30.0)
    )
    assert status(commit(free, **given_load(free, load)), "g1") == [0, 0, 1]
    result = commit(slow, **given_load(slow, load))
    assert status(result, "g1") == [0, 1, 1]
    assert status(commit(slow, ramps=False, **given_load(slow, load)), "g1") == [0, 0, 1]
    dispatched = dispatch_horizon(
        slow, gen_status=result["gen_status"], objective="market", **given_load(slow, load)
    )
    np.testing.assert_allclose(dispatched["p_mw"].sel(gen="g1"), [0.0, 50.0, 80.0], atol=1e-6)


def test_a_battery_saves_a_start() -> None:
    rule = {"size": 100.0, "cost": 50.0, "p_min_mw": 30.0, "start_cost": 5000.0}
    grid = committed_grid(rule, backstop=(0, 100.0, 20.0))
    battery = pd.DataFrame(
        {"bus": "b1", "p_max_mw": 20.0, "e_max_mwh": 80.0, "efficiency": 0.81}, index=["s"]
    )
    grid = with_storage(grid, battery)
    given = given_load(grid, [60.0, 110.0])
    assert status(commit(grid, **given), "g1") == [1, 1]
    result = commit(grid, storage=True, **given)
    assert status(result, "g1") == [0, 0]
    dispatched = dispatch_horizon(grid, gen_status=result["gen_status"], objective="market", **given)
    np.testing.assert_allclose(dispatched["storage_p_mw"].squeeze(), [-10.0 / 0.81, 10.0], atol=1e-6)
    assert float(dispatched["shed_p_mw"].sum()) == pytest.approx(0.0)


def test_reserves_are_kept_by_what_runs() -> None:
    rule = {"size": 100.0, "cost": 30.0, "p_min_mw": 20.0}
    grid = committed_grid(rule, backstop=(0, 100.0, 20.0))
    given = given_load(grid, [80.0, 80.0])
    assert status(commit(grid, **given), "g1") == [0, 0]
    assert status(commit(grid, limits=Limits(reserve_up_mw=50.0), **given), "g1") == [1, 1]


def test_curtailment_at_a_price_stops_what_least_cost_keeps() -> None:
    # At its 40 MW the unit curtails 20 MW of wind for an hour; to stop it costs a start of 3000.
    rule = {"size": 100.0, "cost": 10.0, "p_min_mw": 40.0, "start_cost": 3000.0}
    thermal = committed_grid(rule)
    windy = small_grid(
        2, [(0, 1, 1000.0)], generators=[BACKSTOP, (0, 100.0, 10.0)], units=[(0, "wind", 100.0)]
    )
    grid = replace(windy, generators=thermal.generators, segments=thermal.segments)
    given = given_load(grid, [100.0, 100.0, 100.0], [0.0, 80.0, 0.0])
    assert status(commit(grid, **given), "g1") == [1, 1, 1]
    assert status(commit(grid, objective="priority", **given), "g1") == [1, 0, 1]
    low = commit(grid, objective="priority", curtailment_price_per_mwh=100.0, **given)
    assert status(low, "g1") == [1, 1, 1]


def test_a_unit_that_is_out_is_not_committed() -> None:
    grid = committed_grid({"size": 100.0, "cost": 10.0, "p_min_mw": 40.0, "min_up_h": 4.0})
    given = given_load(grid, [100.0] * 5)
    out = xr.DataArray(
        [[1.0], [0.0], [1.0], [1.0], [1.0]],
        {"time": given["generation"]["time"], "gen": ["g1"]},
        ("time", "gen"),
    )
    assert status(commit(grid, gen_status=out, **given), "g1") == [1, 0, 1, 1, 1]


# Against other ways to solve it


def best_by_enumeration(rules: list[Rules], load: list[float]) -> float:
    """Least cost over all choices that keep their times; what the backstop costs above the merit order."""
    n, best = len(load), np.inf
    for choice in product((0.0, 1.0), repeat=n * len(rules)):
        on = np.array(choice).reshape(len(rules), n)
        if not all(
            keeps_its_times(row, rule["min_up_h"], rule["min_down_h"])
            for row, rule in zip(on, rules, strict=True)
        ):
            continue
        total = sum(
            rule["start_cost"] * np.maximum(np.diff(row), 0.0).sum()
            for row, rule in zip(on, rules, strict=True)
        )
        for t, demand in enumerate(load):
            running = [rule for row, rule in zip(on, rules, strict=True) if row[t]]
            rest = demand - sum(rule["p_min_mw"] for rule in running)
            if rest < 0.0:
                total = np.inf
                break
            total += sum(rule["p_min_mw"] * rule["cost"] for rule in running)
            for rule in sorted(running, key=lambda rule: rule["cost"]):
                taken = min(rest, rule["size"] - rule["p_min_mw"]) if rule["cost"] < BACKSTOP[2] else 0.0
                total, rest = total + taken * rule["cost"], rest - taken
            total += rest * BACKSTOP[2]
        best = min(best, total)
    return best


@st.composite
def small_cases(draw: st.DrawFn, n_step: int = 4) -> tuple[list[Rules], list[float]]:
    """Two units of which either may be cheaper than the backstop, and loads that they can overshoot."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rules = [
        {
            "size": float(rng.integers(60, 120)),
            "cost": float(rng.integers(5, 45)),
            "p_min_mw": float(rng.integers(10, 50)),
            "start_cost": float(rng.integers(0, 3000)),
            "min_up_h": float(rng.integers(0, 4)),
            "min_down_h": float(rng.integers(0, 4)),
        }
        for _ in range(2)
    ]
    return rules, rng.uniform(5.0, 200.0, n_step).round(1).tolist()


@settings(max_examples=8)
@given(small_cases())
def test_least_cost_is_that_of_all_choices(case: tuple[list[Rules], list[float]]) -> None:
    rules, load = case
    grid = committed_grid(*rules)
    given = given_load(grid, load)
    result = commit(grid, mip_gap=0.0, **given)
    assert float(result["objective"].squeeze()) == pytest.approx(best_by_enumeration(rules, load), rel=1e-6)
    assert cost(grid, result, **given) == pytest.approx(float(result["objective"].squeeze()), rel=1e-6)


@pytest.mark.filterwarnings("ignore")  # of PyPSA and linopy about their own future
def test_least_cost_is_what_pypsa_finds() -> None:
    rules = [
        {
            "size": 120.0,
            "cost": 12.0,
            "p_min_mw": 50.0,
            "start_cost": 900.0,
            "min_up_h": 3.0,
            "min_down_h": 3.0,
        },
        {
            "size": 80.0,
            "cost": 25.0,
            "p_min_mw": 25.0,
            "start_cost": 300.0,
            "min_up_h": 2.0,
            "min_down_h": 1.0,
        },
        {
            "size": 60.0,
            "cost": 31.0,
            "p_min_mw": 20.0,
            "start_cost": 150.0,
            "min_up_h": 1.0,
            "min_down_h": 2.0,
        },
    ]
    grid = committed_grid(*rules)
    load = [290.0, 260.0, 120.0, 40.0, 30.0, 140.0, 150.0, 60.0, 210.0, 230.0, 90.0, 70.0]
    result = commit(grid, horizon_h=12.0, look_ahead_h=0.0, mip_gap=0.0, **given_load(grid, load))

    n = pypsa.Network(snapshots=range(len(load)))
    n.add("Bus", "b", v_nom=1.0)
    n.add("Load", "load", bus="b", p_set=load)
    n.add("Generator", "g0", bus="b", p_nom=BACKSTOP[1], marginal_cost=BACKSTOP[2])
    for k, rule in enumerate(rules, start=1):
        n.add(
            "Generator",
            f"g{k}",
            bus="b",
            committable=True,
            p_nom=rule["size"],
            p_min_pu=rule["p_min_mw"] / rule["size"],
            marginal_cost=rule["cost"],
            start_up_cost=rule["start_cost"],
            min_up_time=int(rule["min_up_h"]),
            min_down_time=int(rule["min_down_h"]),
            up_time_before=24,
        )
    assert n.optimize(solver_name="highs", log_to_console=False, mip_rel_gap=0.0) == ("ok", "optimal")
    # All run in the first hour, in which PyPSA has them running from before.
    assert n.generators_t.status.loc[0, ["g1", "g2", "g3"]].tolist() == [1.0, 1.0, 1.0]
    assert float(result["objective"].squeeze()) == pytest.approx(n.objective, rel=1e-7)


# Properties


@settings(max_examples=10)
@given(small_cases(n_step=12), st.sampled_from([(24.0, 0.0), (3.0, 4.0), (2.0, 0.0)]))
def test_times_hold_whatever_the_blocks_and_shares_cost_at_most_as_much(
    case: tuple[list[Rules], list[float]], blocks: tuple[float, float]
) -> None:
    rules, load = case
    grid = committed_grid(*rules)
    given = given_load(grid, np.maximum(load, 120.0).tolist() if blocks == (2.0, 0.0) else load)
    options = {"horizon_h": blocks[0], "look_ahead_h": blocks[1]}
    result = commit(grid, **options, **given)
    for k, rule in enumerate(rules, start=1):
        values = result["gen_status"].sel(gen=f"g{k}").to_numpy()
        assert set(values.tolist()) <= {0.0, 1.0}
        assert keeps_its_times(values, rule["min_up_h"], rule["min_down_h"])
        np.testing.assert_allclose(result["starts"].sel(gen=f"g{k}")[1:], np.maximum(np.diff(values), 0.0))
    dispatched = dispatch(grid, gen_status=result["gen_status"], objective="market", **given)
    np.testing.assert_allclose(dispatched["p_mw"].sum("gen"), given["load"].sum("bus"), atol=1e-6)
    assert (result["gap"] <= 0.01).all()
    relaxed = commit(grid, relaxed=True, **options, **given)
    # Later blocks begin differently; the first is the same problem with whole numbers or without.
    assert float(relaxed["objective"][0]) <= float(result["objective"][0]) + 1e-6


def test_the_order_of_generators_does_not_matter() -> None:
    rules = [
        {"size": 120.0, "cost": 12.0, "p_min_mw": 50.0, "start_cost": 900.0, "min_up_h": 3.0},
        {"size": 80.0, "cost": 25.0, "p_min_mw": 25.0, "start_cost": 300.0, "min_down_h": 2.0},
    ]
    grid = committed_grid(*rules)
    turned = replace(grid, generators=grid.generators[::-1], segments=grid.segments[::-1])
    given = given_load(grid, [180.0, 60.0, 30.0, 150.0, 190.0, 110.0])
    here, there = (commit(g, mip_gap=0.0, **given)["gen_status"] for g in (grid, turned))
    xr.testing.assert_equal(here, there.sel(gen=here["gen"]))


def test_identical_units_take_turns() -> None:
    # Every two hours another number is needed; no more run, since each that runs costs 100 more an hour.
    rule = {"size": 100.0, "cost": 10.0, "p_min_mw": 40.0, "no_load_cost_per_h": 500.0}
    rule |= {"min_up_h": 2.0, "min_down_h": 2.0}
    grid = committed_grid(rule, rule, rule)
    load = [290.0, 90.0, 95.0, 180.0, 190.0, 85.0, 95.0, 280.0]
    result = commit(grid, mip_gap=0.0, **given_load(grid, load))
    values = result["gen_status"].sel(gen=["g1", "g2", "g3"]).to_numpy()
    assert all(keeps_its_times(column, 2.0, 2.0) for column in values.T)
    np.testing.assert_array_equal(values.sum(axis=1), np.ceil(np.array(load) / 100.0))


def test_a_day_of_rts_gmlc_is_committed_within_its_gap() -> None:
    grid = load_grid("rts_gmlc", commitment=True)
    time = pd.date_range("2020-07-10T08:00Z", periods=24, freq="h")
    generation = grid.recorded(time).to_dataset()
    whole = commit(grid, generation, look_ahead_h=0.0)
    relaxed = commit(grid, generation, look_ahead_h=0.0, relaxed=True)
    assert float(whole["gap"].max()) <= 0.01
    assert float(relaxed["objective"].squeeze()) <= float(whole["objective"].squeeze())
    assert float(whole["bound"].squeeze()) >= float(relaxed["objective"].squeeze()) * (1.0 - 1e-9)
    gens = grid.generators
    for name in gens.index[gens["committable"]]:
        values = whole["gen_status"].sel(gen=name).to_numpy()
        assert keeps_its_times(values, gens.loc[name, "min_up_h"], gens.loc[name, "min_down_h"])
    dispatched = dispatch(grid, generation, gen_status=whole["gen_status"], objective="market")
    assert float(dispatched["shed_p_mw"].sum() + dispatched["dump_p_mw"].sum()) == pytest.approx(0.0)
    total = float(dispatched["cost"].sum() + whole["start_cost"].sum())
    assert total == pytest.approx(float(whole["objective"].squeeze()), rel=1e-6)


# What cannot be


def test_load_beyond_all_units_is_shed_and_told() -> None:
    grid = committed_grid({"size": 100.0, "cost": 10.0, "p_min_mw": 40.0}, backstop=(0, 50.0, 50.0))
    with pytest.warns(
        UserWarning, match=r"load is shed in 1 of 2 steps, up to 30\.0 MW at 2020-06-01T01:00Z"
    ):
        result = commit(grid, **given_load(grid, [100.0, 180.0]))
    np.testing.assert_allclose(result["shed_p_mw"], [0.0, 30.0], atol=1e-6)


def test_a_unit_that_must_run_on_dumps_what_nobody_takes_and_tells() -> None:
    # Started in a block that does not see the load fall, it has to run for three hours.
    grid = committed_grid(
        {"size": 100.0, "cost": 10.0, "p_min_mw": 40.0, "min_up_h": 4.0}, backstop=(0, 50.0, 50.0)
    )
    given = given_load(grid, [20.0, 100.0, 20.0, 20.0])
    with pytest.warns(UserWarning, match="power is dumped in 2 of 4 steps, up to 20"):
        result = commit(grid, horizon_h=2.0, look_ahead_h=0.0, **given)
    assert status(result, "g1") == [0, 1, 1, 1]
    np.testing.assert_allclose(result["dump_p_mw"], [0.0, 0.0, 20.0, 20.0], atol=1e-6)


def test_a_grid_without_anything_to_commit_and_numbers_out_of_range_are_refused_at_once() -> None:
    grid = small_grid(2, [(0, 1, 1000.0)], generators=[BACKSTOP])
    with pytest.raises(InputError) as error:
        commit(grid, mip_gap=1.5, max_nodes=0, curtailment_price_per_mwh=-1.0, **given_load(grid, [1.0, 1.0]))
    for what in ("has no committable generator", "mip_gap: 1.5", "max_nodes: 0", "-1.0 is negative"):
        assert what in str(error.value)


@pytest.mark.parametrize("name", ["horizon_h", "look_ahead_h"])
def test_times_that_are_no_whole_steps_are_refused(name: str) -> None:
    grid = committed_grid({"size": 100.0, "cost": 10.0, "p_min_mw": 40.0})
    with pytest.raises(InputError, match=f"{name}: 1.5 h is not a whole number of steps of 1 h"):
        commit(grid, **{name: 1.5}, **given_load(grid, [100.0, 100.0]))


def test_a_programme_without_an_end_says_so() -> None:
    one = np.ones(1)
    programme = SparseProgramme(
        0.0 * one, np.inf * one, sparse.csr_matrix((0, 1)), one[:0], one[:0], "nowhere"
    )
    with pytest.raises(SolverError, match="nowhere: HiGHS stopped with status 'Unbounded' and no solution"):
        programme.minimise(-one)


@pytest.mark.parametrize("relaxed", [True, False])
def test_reserves_are_given_up_before_load(relaxed: bool) -> None:
    # 150 MW of generators, 140 MW of load, 50 MW of reserves asked for: all load is served, 40 MW are short.
    rule = {"size": 100.0, "cost": 20.0, "p_min_mw": 40.0}
    grid = committed_grid(rule, backstop=(0, 50.0, 50.0))
    given_ = given_load(grid, [140.0] * 4)
    with pytest.warns(UserWarning, match="reserves are short in 4 of 4 steps, up to 40.0 MW"):
        result = commit(grid, limits=Limits(reserve_up_mw=50.0), relaxed=relaxed, **given_)
    np.testing.assert_allclose(result["shed_p_mw"], 0.0, atol=1e-6)
    np.testing.assert_allclose(result["reserve_short_mw"], 40.0, atol=1e-6)
