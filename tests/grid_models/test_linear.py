from __future__ import annotations

import copy

import numpy as np
import pandapower as pp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandapower.pypower.makePTDF import makePTDF

from grid_models import Grid, load_grid, make_grid
from grid_models.linear import incidence, island_of, ptdf
from tests.strategies import grids


def test_a_transfer_splits_by_reactance() -> None:
    # Two ways from 0 to 1: directly (x = 0.1) and over 2 (x = 0.1 + 0.2). Currents are inverse to reactance.
    start, end = np.array([0, 0, 2]), np.array([1, 2, 1])
    flow = ptdf(start, end, 1 / np.array([0.1, 0.1, 0.2]), 3) @ np.array([40.0, -40.0, 0.0])
    np.testing.assert_allclose(flow, [30.0, 10.0, 10.0], atol=1e-12)


def test_one_bus_has_no_flows() -> None:
    none = np.array([], dtype=np.int64)
    assert ptdf(none, none, np.array([]), 1).shape == (0, 1)


def test_islands_have_no_transfer_factors() -> None:
    with pytest.raises(ValueError, match="not all connected"):
        ptdf(np.array([0]), np.array([1]), np.ones(1), 3)


def test_a_long_chain_is_one_island() -> None:
    order = np.random.default_rng(1).permutation(50)
    assert island_of(order[:-1], order[1:], 50).max() == 0
    assert island_of(order[:-2], order[1:-1], 50).max() == 1


@settings(max_examples=40)
@given(grids(), st.integers(0, 2**32 - 1))
def test_flows_balance_every_bus_and_do_not_depend_on_the_reference(grid: Grid, seed: int) -> None:
    injection = np.random.default_rng(seed).normal(0.0, 50.0, len(grid.buses))
    injection -= injection.mean()
    start, end = (grid.bus_index(grid.lines[c]) for c in ("from_bus", "to_bus"))
    flow = grid.ptdf @ injection
    np.testing.assert_allclose(incidence(start, end, len(injection)).T @ flow, injection, atol=1e-9)
    last = len(injection) - 1
    other = ptdf(start, end, grid.lines["b_pu"].to_numpy(), len(injection), reference=last)
    np.testing.assert_allclose(other @ injection, flow, atol=1e-9)


@pytest.fixture(scope="module")
def rts() -> Grid:
    return load_grid("rts_gmlc")


def in_pandapowers_direction(grid: Grid, flow: np.ndarray) -> np.ndarray:
    """Rows of lines, then of transformers, the latter counted from the high side as pandapower does."""
    is_trafo = (grid.lines["kind"] == "trafo").to_numpy()
    ends = zip(grid.lines["from_bus"], grid.lines["to_bus"], strict=True)
    from_low = np.array([grid.buses.at[a, "vn_kv"] < grid.buses.at[b, "vn_kv"] for a, b in ends])
    signed = (flow.T * np.where(from_low, -1.0, 1.0)).T
    return np.concatenate([signed[~is_trafo], signed[is_trafo]])


def test_factors_are_those_of_pypower(rts: Grid) -> None:
    pp.rundcpp(rts.net)
    ppc = rts.net._ppc["internal"]
    reference = rts.buses.index.get_loc(rts.reference_bus)
    theirs = makePTDF(ppc["baseMVA"], ppc["bus"].real, ppc["branch"].real, int(reference))
    np.testing.assert_allclose(in_pandapowers_direction(rts, rts.ptdf), theirs, atol=1e-9)


def test_flows_are_those_of_pandapowers_linear_power_flow(rts: Grid) -> None:
    net = copy.deepcopy(rts.net)
    rng = np.random.default_rng(3)
    net.gen["p_mw"] *= rng.uniform(0.2, 1.0, len(net.gen))
    net.sgen["p_mw"] = rng.uniform(0.0, 50.0, len(net.sgen))
    net.dcline["p_mw"] = 60.0
    pp.rundcpp(net)
    injection = np.zeros(len(rts.buses))
    for element in ("gen", "sgen", "ext_grid"):
        np.add.at(injection, net[element]["bus"], net[f"res_{element}"]["p_mw"])
    np.add.at(injection, net.load["bus"], -net.res_load["p_mw"])
    for end in ("from", "to"):
        np.add.at(injection, net.dcline[f"{end}_bus"], -net.res_dcline[f"p_{end}_mw"])
    assert abs(injection.sum()) < 1e-6
    theirs = np.concatenate([net.res_line["p_from_mw"], net.res_trafo["p_hv_mw"]])
    np.testing.assert_allclose(in_pandapowers_direction(rts, rts.ptdf @ injection), theirs, atol=1e-6)


def shifted(grid: Grid) -> Grid:
    """The grid with phase shifts on two of its transformers."""
    lines = grid.lines.drop(columns=["pp_index", "b_pu"])
    at = lines.index[lines["kind"] == "trafo"][[0, 5]]
    lines.loc[at, "shift_degree"] = [4.0, -3.0]
    return make_grid(name="shifted", buses=grid.buses, lines=lines, reference_bus=grid.reference_bus)


def test_phase_shifters_move_power_as_in_pandapower(rts: Grid) -> None:
    grid = shifted(rts)
    assert np.abs(grid.flow_offset_mw).max() > 10.0
    pp.rundcpp(grid.net)
    injection = -grid.net.res_bus["p_mw"].to_numpy()
    flow = grid.ptdf @ injection + grid.flow_offset_mw
    theirs = np.concatenate([grid.net.res_line["p_from_mw"], grid.net.res_trafo["p_hv_mw"]])
    np.testing.assert_allclose(in_pandapowers_direction(grid, flow), theirs, atol=1e-6)


def test_phase_shifters_inject_nothing(rts: Grid) -> None:
    grid = shifted(rts)
    start, end = (grid.bus_index(grid.lines[c]) for c in ("from_bus", "to_bus"))
    balance = incidence(start, end, len(grid.buses)).T @ grid.flow_offset_mw
    np.testing.assert_allclose(balance, 0.0, atol=1e-9)
    assert not rts.flow_offset_mw.any()
