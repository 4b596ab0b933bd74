"""Storage and ramps over a rolling horizon: by hand, against single steps, other solvers and enumeration."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pypsa
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from grid_models import Grid, Limits, Objective, dispatch, dispatch_horizon, load_grid, with_storage
from tests.grid_models.grids import labelled, small_grid
from tests.strategies import Case, cases
from weather import InputError

ETA = 0.81
"""Round trip of the batteries below: 0.9 on either way."""


def stamps(n: int, freq: str = "h") -> pd.DatetimeIndex:
    return pd.date_range("2020-06-01T00:00Z", periods=n, freq=freq)


def battery(bus: str, p_max: float, e_max: float, **columns: float) -> pd.DataFrame:
    row = {"bus": bus, "p_max_mw": p_max, "e_max_mwh": e_max, "efficiency": ETA, **columns}
    return pd.DataFrame(row, index=[f"battery {bus}"])


def ramping(grid: Grid, **rates: float) -> Grid:
    """The same grid with ramp rates. [MW/h]"""
    gens = grid.generators.copy()
    for name, rate in rates.items():
        gens.loc[name, "ramp_mw_per_h"] = rate
    return replace(grid, generators=gens)


def run(
    grid: Grid, load: list[float], wind: list[float] | None = None, freq: str = "h", **options: object
) -> xr.Dataset:
    """All load at the first bus, all wind at the first unit."""
    loads, power = np.zeros((len(load), len(grid.buses))), np.zeros((len(load), len(grid.units)))
    loads[:, 0] = load
    if wind is not None:
        power[:, 0] = wind
    generation, load_p_mw = labelled(grid, stamps(len(load), freq), loads, power)
    return dispatch_horizon(grid, generation, load=load_p_mw, **options)


@pytest.fixture(scope="module")
def thermal() -> Grid:
    """A cheap and a dear generator, far more line than is needed."""
    return small_grid(2, [(0, 1, 1000.0)], generators=[(0, 100.0, 20.0), (1, 100.0, 50.0)])


@pytest.fixture(scope="module")
def windy() -> Grid:
    """One gas plant at 40 per MWh and wind."""
    return small_grid(2, [(0, 1, 1000.0)], generators=[(0, 200.0, 40.0)], units=[(1, "wind", 300.0)])


# By hand


def test_a_store_buys_cheap_and_sells_dear(thermal: Grid) -> None:
    # 20 MW for 20 each charge 18 MWh; at 50 each they come back as 16.2 MWh.
    grid = with_storage(thermal, battery("b1", 20.0, 100.0))
    result = run(grid, [60.0, 140.0], objective="market")
    np.testing.assert_allclose(result["storage_p_mw"].squeeze(), [-20.0, 16.2], atol=1e-9)
    np.testing.assert_allclose(result["storage_e_mwh"].squeeze(), [18.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(result["storage_loss_mw"].squeeze(), [2.0, 1.8], atol=1e-9)
    np.testing.assert_allclose(result["cost"], [80 * 20, 100 * 20 + 23.8 * 50])
    np.testing.assert_allclose(result["lmp_per_mwh"], [[20.0, 20.0], [50.0, 50.0]])


def test_the_price_says_what_a_load_costs_wherever_the_store_moves_it(thermal: Grid) -> None:
    # The store is neither full nor at full power: a MWh more in the dear hour costs
    # 1/0.81 MWh in the cheap one.
    grid = with_storage(thermal, battery("b1", 90.0, 100.0))
    result = run(grid, [60.0, 120.0], objective="market")
    np.testing.assert_allclose(result["p_mw"].sel(gen="g1"), [0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(result["lmp_per_mwh"].isel(bus=0), [20.0, 20.0 / ETA])


def test_in_priority_a_store_does_not_trade_thermal_power(thermal: Grid) -> None:
    grid = with_storage(thermal, battery("b1", 20.0, 100.0))
    assert float(np.abs(run(grid, [60.0, 140.0])["storage_p_mw"]).max()) < 1e-9


@pytest.mark.parametrize("objective", ["priority", "market"])
def test_a_store_takes_surplus_and_gives_it_back(windy: Grid, objective: Objective) -> None:
    grid = with_storage(windy, battery("b0", 30.0, 100.0))
    result = run(grid, [40.0, 80.0], [100.0, 0.0], objective=objective)
    np.testing.assert_allclose(result["storage_p_mw"].squeeze(), [-30.0, 24.3], atol=1e-9)
    np.testing.assert_allclose(result["curtailed_p_mw"].squeeze(), [30.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(result["marginal_curtailment"].isel(bus=0), [1.0, 0.0], atol=1e-9)


def test_load_makes_room_in_a_store_that_is_full(windy: Grid) -> None:
    # 20 MW fill 18 MWh. In the second hour surplus and store are exhausted; a MWh more load in the third is
    # served by gas, one in the first relieves a MWh of curtailment.
    grid = with_storage(windy, battery("b0", 100.0, 18.0))
    result = run(grid, [40.0, 40.0, 80.0], [100.0, 30.0, 0.0])
    assert float(result["curtailed_p_mw"].sum()) == pytest.approx(40.0)
    np.testing.assert_allclose(result["marginal_curtailment"].isel(bus=0), [1.0, 0.0, 0.0], atol=1e-9)


def test_load_before_a_surplus_empties_a_store_for_it(windy: Grid) -> None:
    # Full at the start and gas at nothing: only a MWh of load in the first hour lets 1 MWh out, for which
    # 1/0.81 MWh of the surplus that follows fit in.
    grid = with_storage(windy, battery("b0", 100.0, 18.0, e_initial_mwh=18.0))
    result = run(grid, [10.0, 40.0], [0.0, 100.0])
    assert float(result["storage_p_mw"][0].squeeze()) == pytest.approx(10.0)
    assert float(result["curtailed_p_mw"].sum()) == pytest.approx(60.0 - 10.0 / ETA)
    np.testing.assert_allclose(result["marginal_curtailment"].isel(bus=0), [1.0 / ETA, 1.0], atol=1e-9)


def test_a_store_does_not_burn_what_would_be_curtailed(windy: Grid) -> None:
    # It is full after 10 MW in the first hour. Least curtailment alone would empty and
    # fill it again and again.
    grid = with_storage(windy, battery("b0", 10.0, 9.0))
    result = run(grid, [40.0] * 4, [100.0] * 4)
    np.testing.assert_allclose(result["storage_p_mw"].squeeze(), [0, 0, 0, -10.0], atol=1e-9)
    assert float(result["curtailed_p_mw"].sum()) == pytest.approx(230.0)


def test_what_is_stored_saves_load_from_being_shed() -> None:
    grid = small_grid(2, [(0, 1, 1000.0)], generators=[(0, 50.0, 20.0)])
    grid = with_storage(grid, battery("b1", 20.0, 100.0))
    for objective in ("priority", "market"):
        result = run(grid, [40.0, 70.0], objective=objective)
        np.testing.assert_allclose(result["shed_p_mw"].sum("bus"), [0.0, 20.0 - 10.0 * ETA], atol=1e-9)


@pytest.mark.parametrize(("ahead", "curtailed"), [(0, 80.0), (1, 0.0)])
def test_a_unit_cannot_make_room_for_wind_faster_than_it_ramps(ahead: int, curtailed: float) -> None:
    # The cheap unit runs at 100 MW and may give up 20 an hour, unless the wind is seen coming.
    units = [(1, "wind", 100.0)]
    grid = small_grid(2, [(0, 1, 1000.0)], generators=[(0, 100.0, 20.0), (1, 100.0, 50.0)], units=units)
    result = run(ramping(grid, g0=20.0), [100.0, 100.0], [0.0, 100.0], horizon_h=1, look_ahead_h=ahead)
    assert float(result["p_mw"].sel(gen="g0")[0]) == pytest.approx(20.0 if ahead else 100.0)
    assert float(result["curtailed_p_mw"].sum()) == pytest.approx(curtailed)
    assert float(result["curtailed_inflexibility_p_mw"].sum()) == pytest.approx(curtailed)
    assert float(result["curtailed_congestion_p_mw"].sum()) == pytest.approx(0.0)


def test_ramps_hold_from_block_to_block_and_per_hour_whatever_the_step(thermal: Grid) -> None:
    grid, load = ramping(thermal, g0=24.0), [0.0, 60.0, 60.0, 60.0, 60.0, 60.0]
    for options in ({}, {"horizon_h": 1, "look_ahead_h": 0}, {"horizon_h": 2}):
        hourly = run(grid, load, **options)["p_mw"].sel(gen="g0")
        np.testing.assert_allclose(hourly, [0, 24, 48, 60, 60, 60], atol=1e-9)
        quarters = run(grid, load, freq="15min", **options)["p_mw"].sel(gen="g0")
        np.testing.assert_allclose(quarters, [0, 6, 12, 18, 24, 30], atol=1e-9)
    np.testing.assert_allclose(run(grid, load, ramps=False)["p_mw"].sel(gen="g0"), load, atol=1e-9)


def test_a_unit_that_stops_may_do_so_from_any_output(thermal: Grid) -> None:
    grid, time = ramping(thermal, g0=24.0), stamps(3)
    generation, load = labelled(grid, time, np.full((3, 2), 40.0), np.zeros((3, 0)))
    status = xr.DataArray([[1.0], [0.0], [1.0]], {"time": generation["time"], "gen": ["g0"]}, ("time", "gen"))
    for steps in (1, 3):
        result = dispatch_horizon(grid, generation, load=load, gen_status=status, horizon_h=steps)
        np.testing.assert_allclose(result["p_mw"].sel(gen="g0"), [80, 0, 24], atol=1e-9)


def test_what_is_left_at_the_end_follows_the_rule(thermal: Grid) -> None:
    grid = with_storage(thermal, battery("b1", 20.0, 100.0, e_initial_mwh=50.0))
    options = {"objective": "market", "horizon_h": 2, "look_ahead_h": 2}
    free = run(grid, [140.0] * 5, **options)["storage_e_mwh"].squeeze()
    kept = run(grid, [140.0] * 5, terminal="initial", **options)["storage_e_mwh"].squeeze()
    assert float(free[-1]) == pytest.approx(0.0)
    np.testing.assert_allclose(kept, 50.0)


def test_an_end_that_is_out_of_reach_is_approached(thermal: Grid) -> None:
    grid = with_storage(thermal, battery("b1", 10.0, 100.0, e_initial_mwh=50.0))
    options = {"objective": "market", "horizon_h": 1, "look_ahead_h": 0, "terminal": "initial"}
    assert float(run(grid, [50.0, 50.0], **options)["storage_e_mwh"][-1].squeeze()) == pytest.approx(50.0)


def test_reservoirs_of_units_are_not_dispatched_again() -> None:
    grid = load_grid("rts_gmlc")
    assert "122_HYDRO_1" in grid.storage.index
    time = pd.date_range("2020-04-10T08:00Z", periods=2, freq="h")
    result = dispatch_horizon(grid, grid.recorded(time).to_dataset())
    assert result["storage"].to_numpy().tolist() == ["313_STORAGE_1"]


# Against the dispatch of single steps


@settings(max_examples=6)
@given(cases(min_steps=3, max_steps=5), st.sampled_from(["priority", "market"]))
def test_without_storage_and_ramps_steps_are_those_solved_alone(case: Case, objective: Objective) -> None:
    generation, load = labelled(case.grid, case.time, case.load_p_mw, case.available_p_mw)
    alone = dispatch(case.grid, generation, load=load, objective=objective)
    together = dispatch_horizon(
        case.grid, generation, load=load, objective=objective, horizon_h=2, look_ahead_h=1
    )
    names = (
        "curtailed_p_mw",
        "cost",
        "shed_p_mw",
        "dump_p_mw",
        "p_mw",
        "line_p_mw",
        "curtailed_congestion_p_mw",
    )
    for name in names:
        np.testing.assert_allclose(together[name], alone[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("objective", ["priority", "market"])
def test_a_day_of_rts_gmlc_equals_its_steps_in_derivatives_and_prices(objective: Objective) -> None:
    grid = load_grid("rts_gmlc")
    time = pd.date_range("2020-04-08T08:00Z", periods=24, freq="h")
    generation = grid.recorded(time).to_dataset()
    alone = dispatch(grid, generation, objective=objective)
    options = {"horizon_h": 12, "look_ahead_h": 4, "storage": False, "ramps": False}
    together = dispatch_horizon(grid, generation, objective=objective, **options)
    assert set(alone.data_vars) <= set(together.data_vars)
    for name in alone.data_vars:
        np.testing.assert_allclose(together[name], alone[name], atol=1e-6, err_msg=str(name))


def test_a_schedule_of_storage_gives_the_same_steps(windy: Grid) -> None:
    grid = with_storage(windy, battery("b0", 30.0, 50.0))
    time = stamps(6)
    generation, load = labelled(
        grid, time, np.tile([40.0, 10.0], (6, 1)), np.array([[100.0], [90], [0], [20], [150], [0]])
    )
    together = dispatch_horizon(grid, generation, load=load)
    alone = dispatch(grid, generation, load=load, storage_p_mw=together["storage_p_mw"])
    for name in ("curtailed_p_mw", "cost", "p_mw", "line_p_mw"):
        np.testing.assert_allclose(together[name], alone[name], atol=1e-6, err_msg=name)


# Properties


@st.composite
def stored_cases(draw: st.DrawFn) -> Case:
    """Random grids with one or two stores, some negative offers and ramps."""
    case = draw(cases(min_steps=4, max_steps=6, max_buses=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, buses = draw(st.integers(1, 2)), case.grid.buses.index
    storage = pd.DataFrame(
        {
            "bus": rng.choice(buses, n),
            "p_max_mw": rng.uniform(5.0, 60.0, n),
            "e_max_mwh": rng.uniform(5.0, 100.0, n),
            "efficiency": rng.uniform(0.5, 1.0, n),
        },
        index=[f"s{k}" for k in range(n)],
    )
    grid = with_storage(case.grid, storage)
    units, gens = grid.units.copy(), grid.generators.copy()
    units["offer_per_mwh"] = np.where(
        units["counts_as_curtailment"], rng.choice([0.0, -15.0], len(units)), 0.0
    )
    gens["ramp_mw_per_h"] = rng.choice([10.0, 30.0, np.inf], len(gens))
    return Case(replace(grid, units=units, generators=gens), case.load_p_mw, case.available_p_mw)


@settings(max_examples=10)
@given(stored_cases(), st.sampled_from(["priority", "market"]))
def test_balances_close_limits_hold_and_stores_go_one_way(case: Case, objective: Objective) -> None:
    grid = case.grid
    generation, load = labelled(grid, case.time, case.load_p_mw, case.available_p_mw)
    result = dispatch_horizon(grid, generation, load=load, objective=objective, horizon_h=2, look_ahead_h=2)
    net, content = result["storage_p_mw"].to_numpy(), result["storage_e_mwh"].to_numpy()
    given = result["p_mw"].sum("gen") + result["unit_p_mw"].sum("unit") + result["shed_p_mw"].sum("bus")
    taken = result["dump_p_mw"].sum("bus") + result["load_p_mw"].sum("bus")
    np.testing.assert_allclose(given + net.sum(axis=1), taken, atol=1e-5)
    one_way = np.sqrt(grid.storage["efficiency"].to_numpy())
    gained = np.where(net < 0.0, -net * one_way, -net / one_way)
    start = grid.storage["e_initial_mwh"].to_numpy()[None]
    np.testing.assert_allclose(np.diff(content, axis=0, prepend=start), gained, atol=1e-5)
    assert content.min() > -1e-6
    assert (content <= grid.storage["e_max_mwh"].to_numpy() + 1e-6).all()
    assert (np.abs(net) <= grid.storage["p_max_mw"].to_numpy() + 1e-6).all()
    change = np.abs(np.diff(result["p_mw"], axis=0))
    assert (change <= grid.generators["ramp_mw_per_h"].to_numpy() + 1e-5).all()
    assert (np.abs(result["line_p_mw"]) <= grid.lines["rate_mw"].to_numpy() + 1e-5).all()
    parts = [
        result[name]
        for name in result.data_vars
        if str(name).startswith("curtailed_") and name != "curtailed_p_mw"
    ]
    assert {part.name for part in parts} >= {"curtailed_oversupply_p_mw", "curtailed_congestion_p_mw"}
    np.testing.assert_allclose(sum(parts), result["curtailed_p_mw"], atol=1e-9)


@settings(max_examples=5)
@given(stored_cases(), st.data())
def test_derivatives_are_those_of_the_whole_block(case: Case, data: st.DataObject) -> None:
    grid, step = case.grid, 1e-3

    def total(load_p_mw: np.ndarray) -> xr.Dataset:
        generation, load = labelled(grid, case.time, load_p_mw, case.available_p_mw)
        return dispatch_horizon(grid, generation, load=load)

    t = data.draw(st.integers(0, len(case.load_p_mw) - 1))
    b = data.draw(st.integers(0, len(grid.buses) - 1))
    around = []
    for sign in (-1.0, 0.0, 1.0):
        moved = case.load_p_mw.copy()
        moved[t, b] = max(moved[t, b] + sign * step, 0.0)
        around.append(total(moved))
    if case.load_p_mw[t, b] < step:
        return
    curtailed = [float(result["curtailed_p_mw"].sum()) for result in around]
    below, above = -np.diff(curtailed) / step
    if abs(below - above) < 1e-4:
        derivative = float(around[1]["marginal_curtailment"][t, b])
        assert derivative == pytest.approx(above, abs=1e-4)


def test_storage_never_raises_waste(windy: Grid) -> None:
    rng = np.random.default_rng(5)
    load, wind = rng.uniform(20.0, 120.0, 30).tolist(), rng.uniform(0.0, 200.0, 30).tolist()
    grid = with_storage(windy, battery("b0", 30.0, 60.0))
    without, stored = run(windy, load, wind), run(grid, load, wind)
    waste = float(stored["curtailed_p_mw"].sum() + stored["storage_loss_mw"].sum())
    assert waste < float(without["curtailed_p_mw"].sum()) - 1.0


# Against other ways to solve it


def best_by_enumeration(load: list[float], wind: list[float], offer: float, gas: float) -> float:
    """Least cost with a 10 MW, 9 MWh store over all choices of charging or discharging in each hour."""
    n, best = len(load), np.inf
    for ways in product((True, False), repeat=n):
        # gas, wind, charge, discharge, content of each hour
        cost = np.concatenate([np.full(n, gas), np.full(n, offer), np.zeros(3 * n)])
        eye, zero = np.eye(n), np.zeros((n, n))
        balance = np.hstack([eye, eye, -eye, eye, zero])
        energy = np.hstack([zero, zero, -0.9 * eye, eye / 0.9, eye - np.eye(n, k=-1)])
        upper = np.concatenate(
            [np.full(n, 200.0), wind, np.where(ways, 10.0, 0.0), np.where(ways, 0.0, 10.0), np.full(n, 9.0)]
        )
        answer = linprog(
            cost,
            A_eq=np.vstack([balance, energy]),
            b_eq=np.concatenate([load, np.zeros(n)]),
            bounds=list(zip(np.zeros(5 * n), upper, strict=True)),
        )
        best = min(best, answer.fun if answer.success else np.inf)
    return best


def test_negative_prices_are_earned_by_turns_and_not_at_once() -> None:
    grid = small_grid(
        2, [(0, 1, 1000.0)], generators=[(0, 200.0, 40.0)], units=[(1, "wind", 300.0)], offers=[-20.0]
    )
    grid = with_storage(grid, battery("b0", 10.0, 9.0))
    load, wind = [40.0, 40.0, 60.0, 40.0], [100.0, 100.0, 55.0, 100.0]
    result = run(grid, load, wind, objective="market")
    assert float(result["cost"].sum()) == pytest.approx(best_by_enumeration(load, wind, -20.0, 40.0))
    # Charging and discharging at once would earn 0.19 · 10 MW · 20 per MWh in every hour of surplus.
    net = result["storage_p_mw"].squeeze().to_numpy()
    gained = np.diff(result["storage_e_mwh"].squeeze(), prepend=0.0)
    np.testing.assert_allclose(gained, np.where(net < 0.0, -0.9 * net, -net / 0.9), atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # of PyPSA and linopy about their own future
def test_least_cost_with_storage_and_ramps_is_what_pypsa_finds() -> None:
    rng = np.random.default_rng(11)
    grid = small_grid(
        3,
        [(0, 1, 60.0), (1, 2, 50.0), (0, 2, 40.0)],
        generators=[(0, 120.0, 20.0), (1, 80.0, 35.0), (2, 150.0, 70.0)],
        units=[(2, "wind", 120.0)],
    )
    grid = ramping(with_storage(grid, battery("b1", 30.0, 90.0, e_initial_mwh=20.0)), g0=25.0, g1=40.0)
    load, wind = rng.uniform(10.0, 70.0, (12, 3)), rng.uniform(0.0, 120.0, (12, 1))
    generation, demand = labelled(grid, stamps(12), load, wind)
    result = dispatch_horizon(grid, generation, load=demand, objective="market")

    n = pypsa.Network(snapshots=range(12))
    n.add("Bus", grid.buses.index, v_nom=1.0)
    names = [f"load {bus}" for bus in grid.buses.index]
    n.add("Load", names, bus=grid.buses.index, p_set=pd.DataFrame(load, columns=names))
    ends = {"bus0": grid.lines["from_bus"], "bus1": grid.lines["to_bus"]}
    n.add("Line", grid.lines.index, **ends, x=1.0 / grid.lines["b_pu"], r=1e-9, s_nom=grid.lines["rate_mw"])
    for name, ramp in (("g0", 25.0), ("g1", 40.0), ("g2", np.nan)):
        gen = grid.generators.loc[name]
        limit = {"ramp_limit_up": ramp / gen["p_max_mw"], "ramp_limit_down": ramp / gen["p_max_mw"]}
        cost = float(grid.segments.set_index("gen").loc[name, "cost_per_mwh"])
        n.add("Generator", name, bus=gen["bus"], p_nom=gen["p_max_mw"], marginal_cost=cost, **limit)
    n.add("Generator", "wind", bus="b2", p_nom=1.0, p_max_pu=wind[:, 0])
    ways = {"efficiency_store": 0.9, "efficiency_dispatch": 0.9}
    n.add("StorageUnit", "s", bus="b1", p_nom=30.0, max_hours=3.0, state_of_charge_initial=20.0, **ways)
    assert n.optimize(solver_name="highs", log_to_console=False) == ("ok", "optimal")
    assert float(result["cost"].sum()) == pytest.approx(n.objective, rel=1e-7)


# What cannot be


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon_h": 0}, "horizon_h: 0 h is not a whole number of steps of 1 h, 1 at least"),
        ({"look_ahead_h": -1}, "look_ahead_h: -1 h is not a whole number of steps of 1 h, 0 at least"),
        ({"horizon_h": 1.5}, "horizon_h: 1.5 h is not a whole number.*give a multiple of 1 h"),
        ({"look_ahead_h": float("inf")}, "look_ahead_h: inf h is not a whole number"),
        ({"terminal": "cyclic"}, "'cyclic' is unknown.*use 'free' or 'initial'"),
    ],
)
def test_horizons_that_are_none_are_refused(thermal: Grid, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(thermal, [40.0, 50.0], **options)


def test_storage_that_cannot_be_is_refused_all_at_once(windy: Grid) -> None:
    table = pd.DataFrame(
        {"bus": ["b0", "b9", "b0"], "p_max_mw": [-5.0, 5.0, 5.0], "e_max_mwh": 10.0, "efficiency": 1.2},
        index=["s", "t", "u0"],
    )
    with pytest.raises(InputError) as error:
        with_storage(windy, table)
    text = str(error.value)
    for what in ("p_max_mw=-5.0", "'b9' does not exist", "'u0'", "efficiency=1.2"):
        assert what in text


def test_rooftop_beyond_the_share_leaves_no_room_for_wind_in_blocks_either() -> None:
    # Half of 100 MW of load may be non-synchronous, rooftop PV alone gives 80 MW: no wind, in any dispatch.
    units = [(1, "wind", 60.0), (0, "rtpv", 80.0)]
    grid = small_grid(2, [(0, 1, 200.0)], generators=[(0, 200.0, 20.0)], units=units)
    generation, load = labelled(grid, stamps(3), np.array([[0.0, 100.0]] * 3), np.array([[60.0, 80.0]] * 3))
    for method in (dispatch, dispatch_horizon):
        result = method(grid, generation, load=load, limits=Limits(max_nonsynchronous_share=0.5))
        np.testing.assert_allclose(result["curtailed_p_mw"].sel(unit="u0"), 60.0)
