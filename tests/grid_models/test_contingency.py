"""Outage factors, pairs that may overload, and the check with lines really taken out."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import Grid, dispatch, load_grid, make_grid
from grid_models.contingency import (
    NEGLIGIBLE_MW,
    Contingencies,
    contingencies,
    islanding_outages,
    lodf,
    violated_pairs,
    worst_post_contingency,
)
from grid_models.linear import island_of, ptdf
from grid_models.outage_check import full_check, islanded_parts
from tests.grid_models.grids import labelled, small_grid
from tests.strategies import grids
from weather import InputError

TIME = pd.date_range("2020-06-01T00:00Z", periods=2, freq="h")


@pytest.fixture(scope="module")
def rts() -> Grid:
    return load_grid("rts_gmlc")


def ends(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    return grid.bus_index(grid.lines["from_bus"]), grid.bus_index(grid.lines["to_bus"])


def flows(grid: Grid, seed: int, scale_mw: float = 50.0) -> np.ndarray:
    """Flows of random injections that sum to zero."""
    injection = np.random.default_rng(seed).normal(0.0, scale_mw, len(grid.buses))
    return np.asarray(grid.ptdf @ (injection - injection.mean()) + grid.flow_offset_mw)


def test_what_a_parallel_circuit_carried_splits_by_susceptance() -> None:
    # Three circuits of 1, 2 and 3 pu between two buses: the outage of one leaves the ratio of the others.
    start, end, b = np.zeros(3, dtype=int), np.ones(3, dtype=int), np.array([1.0, 2.0, 3.0])
    expected = [[-1, 1 / 4, 1 / 3], [2 / 5, -1, 2 / 3], [3 / 5, 3 / 4, -1]]
    np.testing.assert_allclose(lodf(ptdf(start, end, b, 2), start, end), expected, atol=1e-12)


def test_an_outage_that_islands_has_no_factors() -> None:
    start, end = np.array([0, 1, 2, 2]), np.array([1, 2, 0, 3])
    factor = lodf(ptdf(start, end, np.ones(4), 4), start, end)
    assert np.isnan(factor[:, 3]).all()
    np.testing.assert_allclose(factor[3, :3], 0.0, atol=1e-12)


@settings(max_examples=20)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_islanding_outages_are_those_that_leave_more_islands(n_bus: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree = [(int(rng.integers(0, k)), k) for k in range(1, n_bus)]
    # Chords in either direction, some of them parallel to others.
    chords = [tuple(rng.choice(n_bus, 2, replace=False)) for _ in range(rng.integers(0, n_bus))]
    start, end = (np.array(e) for e in zip(*tree, *chords, strict=True))
    expected = [
        k for k in range(len(start)) if island_of(np.delete(start, k), np.delete(end, k), n_bus).max() > 0
    ]
    assert islanding_outages(start, end, n_bus).tolist() == expected


@settings(max_examples=15)
@given(grids(min_buses=3), st.integers(0, 2**32 - 1))
def test_factors_give_the_flows_of_the_network_that_is_left(grid: Grid, seed: int) -> None:
    injection = np.random.default_rng(seed).normal(0.0, 50.0, len(grid.buses))
    injection -= injection.mean()
    (start, end), b = ends(grid), grid.lines["b_pu"].to_numpy()
    factor, flow = lodf(grid.ptdf, start, end), grid.ptdf @ injection
    for k in np.setdiff1d(np.arange(len(b)), islanding_outages(start, end, len(injection))):
        left = [np.delete(a, k) for a in (start, end, b)]
        expected = ptdf(*left, len(injection)) @ injection
        after = flow + factor[:, k] * flow[k]
        np.testing.assert_allclose(np.delete(after, k), expected, atol=1e-7)
        assert after[k] == pytest.approx(0.0, abs=1e-9)


def test_factors_are_those_of_pandapower_with_the_branch_out_of_service(rts: Grid) -> None:
    net = copy.deepcopy(rts.net)
    net.gen["p_mw"] *= np.random.default_rng(3).uniform(0.2, 1.0, len(net.gen))
    factor = lodf(rts.ptdf, *ends(rts))
    before = pandapowers_flows(rts, net)
    trafos = rts.lines.index[rts.lines["kind"] == "trafo"]
    for name in ("A25-1", "AB1", "C35", trafos[0]):
        k, row = rts.lines.index.get_loc(name), rts.lines.loc[name]
        net[row["kind"]].loc[row["pp_index"], "in_service"] = False
        after = pandapowers_flows(rts, net)
        net[row["kind"]].loc[row["pp_index"], "in_service"] = True
        np.testing.assert_allclose(before + factor[:, k] * before[k], after, atol=1e-5)


def pandapowers_flows(grid: Grid, net: pp.pandapowerNet) -> np.ndarray:
    """Flows of pandapower's linear power flow in the order and direction of the grid's lines."""
    pp.rundcpp(net)
    flow = np.empty(len(grid.lines))
    for k, row in enumerate(grid.lines.itertuples()):
        if row.kind == "trafo":
            is_from_high = grid.buses.at[row.from_bus, "vn_kv"] >= grid.buses.at[row.to_bus, "vn_kv"]
            flow[k] = net.res_trafo.at[row.pp_index, "p_hv_mw" if is_from_high else "p_lv_mw"]
        else:
            flow[k] = net.res_line.at[row.pp_index, "p_from_mw"]
    return flow


def test_rts_gmlc_lists_the_two_outages_that_island(rts: Grid) -> None:
    c = contingencies(rts)
    assert rts.lines.index[c.islanding].tolist() == ["B11", "C11"]
    assert len(c.outages) == len(rts.lines) - 2
    only = contingencies(rts, outages=["B11", "A1"], monitored=["A2", "A3"], rating="rate_mw")
    assert rts.lines.index[only.islanding].tolist() == ["B11"]
    assert set(only.outage) == {rts.lines.index.get_loc("A1")}
    assert rts.lines.index[only.monitored(np.arange(len(only)))].tolist() == ["A2", "A3"]


def test_islanded_parts_are_named_with_what_they_hold(rts: Grid) -> None:
    parts = islanded_parts(rts)
    # Buses 207 and 307 hang on one line each, with a load of 125 MW and two turbines of 55 MW.
    assert parts.index.tolist() == ["B11", "C11"]
    assert parts["buses"].tolist() == [("207",), ("307",)]
    np.testing.assert_allclose(parts["load_p_mw"], 125.0)
    np.testing.assert_allclose(parts["gen_p_max_mw"], 110.0)
    assert islanded_parts(two_way_grid()).empty
    assert islanded_parts(small_grid(2, [(0, 1, 9.0)]))["buses"].tolist() == [("b1",)]
    tail = small_grid(
        3, [(0, 1, 9.0), (0, 1, 9.0), (1, 2, 9.0)], generators=[(2, 7.0, 1.0)], units=[(2, "pv", 4.0)]
    )
    part = islanded_parts(tail).loc["l2"]
    assert (part["buses"], part["gen_p_max_mw"], part["unit_p_nom_mw"]) == (("b2",), 7.0, 4.0)


def overloaded(grid: Grid, c: Contingencies, flow: np.ndarray, tolerance: float) -> set[tuple[int, int]]:
    """Pairs overloaded after an outage, from all of them."""
    factor = lodf(grid.ptdf, *ends(grid))
    with np.errstate(invalid="ignore"):
        after = np.abs(flow[:, None] + factor * flow)
    np.fill_diagonal(after, 0.0)
    return {
        (int(line), int(k))
        for line, k in np.argwhere(after > c.limit_mw[:, None] + tolerance)
        if k in c.outages
    }


@settings(max_examples=20)
@given(grids(min_buses=3), st.integers(0, 2**32 - 1), st.sampled_from((1.0, 1.3)), st.booleans())
def test_no_pair_that_is_overloaded_is_missed(grid: Grid, seed: int, emergency: float, inside: bool) -> None:
    lines = grid.lines.assign(rate_lte_mw=emergency * grid.lines["rate_mw"])
    grid = dataclasses.replace(grid, lines=lines)
    c, rate = contingencies(grid), grid.lines["rate_mw"].to_numpy()
    flow = flows(grid, seed)
    if inside:
        flow *= min(1.0, float((rate / np.maximum(np.abs(flow), 1e-9)).min()))
    found, every = violated_pairs(flow, c), np.arange(len(c))
    after = np.abs(c.flow_after(every, flow))
    limit = c.limit_mw[c.monitored(every)]
    assert found.tolist() == np.flatnonzero(after > limit + 1e-6).tolist()
    pairs = set(zip(c.monitored(found).tolist(), c.outage[found].tolist(), strict=True))
    if inside:
        # Pairs that are not stored cannot overload by more than is negligible while no line is overloaded.
        assert pairs >= overloaded(grid, c, flow, NEGLIGIBLE_MW)
    worst = violated_pairs(flow, c, worst_of_line=True)
    assert set(c.monitored(worst)) == set(c.monitored(found))
    assert len(worst) == len(set(c.monitored(worst)))
    for pair in worst:
        assert after[pair] == after[c.monitored(every) == c.monitored(pair)].max()


@settings(max_examples=20)
@given(grids(min_buses=3), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_worst_pairs_are_those_with_the_highest_loading(grid: Grid, seed: int, n: int) -> None:
    c = contingencies(grid)
    flow = np.stack([flows(grid, seed), flows(grid, seed + 1, 5.0)])
    pair, loading = worst_post_contingency(flow, c, n)
    every = np.arange(len(c))
    expected = 100.0 * np.abs(c.flow_after(every, flow)) / c.limit_mw[c.monitored(every)]
    assert pair.shape == loading.shape == (2, min(n, len(c)))
    np.testing.assert_allclose(loading, -np.sort(-expected, axis=1)[:, :n], rtol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(expected, pair, axis=1), loading, rtol=1e-12)


def test_a_row_of_a_pair_gives_its_flow_from_injections(rts: Grid) -> None:
    c, injection = contingencies(rts), np.random.default_rng(5).normal(0.0, 60.0, len(rts.buses))
    injection -= injection.mean()
    pairs = np.arange(0, len(c), 50)
    expected = c.flow_after(pairs, rts.ptdf @ injection)
    np.testing.assert_allclose(c.rows(pairs, rts.ptdf) @ injection, expected, atol=1e-9)


def two_way_grid() -> Grid:
    """Wind of 100 MW at b1 reaches b0 over two like circuits of 80 MW and a detour over b2 of 90 MW."""
    lines = [(1, 0, 80.0), (1, 0, 80.0), (1, 2, 90.0), (2, 0, 90.0)]
    return small_grid(3, lines, generators=[(0, 200.0, 20.0)], units=[(1, "wind", 100.0)])


def test_the_full_check_takes_lines_out_by_hand() -> None:
    grid = two_way_grid()
    available = np.array([[100.0], [40.0]])
    generation, load = labelled(grid, TIME, np.tile([150.0, 0.0, 0.0], (2, 1)), available)
    checked = full_check(grid, dispatch(grid, generation, load=load))
    # A circuit carries 40 % and the detour, twice as long, 20 %. Without a circuit it is 2/3 and 1/3;
    # without the detour 1/2 and 1/2.
    expected = 100.0 * np.array([2 / 3 * 100 / 80, 2 / 3 * 100 / 80, 50 / 80, 50 / 80])
    np.testing.assert_allclose(checked["loading_percent"], np.outer([1.0, 0.4], expected), rtol=1e-9)
    assert checked["worst_line"].isel(time=0).values.tolist() == ["l1", "l0", "l0", "l0"]
    assert checked.attrs["islanding"] == ""


def test_the_full_check_agrees_with_the_factors_on_rts_gmlc(rts: Grid) -> None:
    time = pd.date_range("2020-04-01", periods=3, freq="9h", tz="UTC")
    load, available = rts.load(time), rts.recorded(time)
    result = dispatch(rts, available.to_dataset(), load=load)
    assert (
        dispatch(rts, available.to_dataset(), load=load, security="n-1").attrs["islanding_outages"]
        == "B11, C11"
    )
    assert "islanding_outages" not in result.attrs
    checked = full_check(rts, result)
    c = contingencies(rts, negligible_mw=-np.inf)
    _, loading = worst_post_contingency(result["line_p_mw"].to_numpy(), c)
    np.testing.assert_allclose(checked["loading_percent"].max("outage"), loading[:, 0], rtol=1e-7)
    assert checked.attrs["islanding"] == "B11, C11"


def test_phase_shifters_move_flow_after_an_outage_too() -> None:
    grid = two_way_grid()
    shifted = make_grid(
        name="shifted", buses=grid.buses, lines=grid.lines.assign(shift_degree=[0.0, 0.0, 2.0, 0.0])
    )
    flow = shifted.flow_offset_mw
    assert np.abs(flow).max() > 1.0
    line_p = xr.DataArray(flow[None], dims=("time", "line"), coords={"time": [np.datetime64("2020-01-01")]})
    checked = full_check(shifted, line_p.to_dataset(name="line_p_mw"))
    factor = lodf(shifted.ptdf, *ends(shifted))
    after = np.abs(flow[:, None] + factor * flow)
    expected = 100.0 * (after / shifted.lines[["rate_lte_mw"]].to_numpy()).max(axis=0)
    np.testing.assert_allclose(checked["loading_percent"][0], expected, atol=1e-9)


def test_flows_of_another_network_are_refused() -> None:
    grid = two_way_grid()
    flow = xr.Dataset(
        {"line_p_mw": (("time", "line"), [[40.0, 30.0, 20.0, 20.0]])},
        coords={"time": [np.datetime64("2020-01-01")]},
    )
    with pytest.raises(InputError, match=r"line 'l1': its flow is off by up to 6 MW"):
        full_check(grid, flow)


def test_unknown_lines_and_ratings_are_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        contingencies(two_way_grid(), rating="rate_xx", outages=["l9"], monitored=["l0", "m1"])  # type: ignore[arg-type]
    assert len(error.value.findings) == 3
    assert "rate_lte_mw" in str(error.value)
    assert "outages: line 'l9'" in str(error.value)
