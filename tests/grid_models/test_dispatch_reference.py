"""The dispatch against other formulations and other solvers."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import given, settings

from grid_models import DispatchEngine, Grid, Objective, StepResult, load_grid
from tests.grid_models.peers import bare_net, opf_net, pypsa_network
from tests.grid_models.reference import reference_dispatch
from tests.strategies import Case, cases

TOLERANCE = 1e-6


def compare(case: Case, objective: Objective) -> None:
    solver = DispatchEngine(case.grid, objective)
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        step = solver.solve(load, available)
        other = reference_dispatch(case.grid, load, available, objective)
        assert step.shed_p_mw.sum() + step.dump_p_mw.sum() == pytest.approx(other.unbalanced, abs=TOLERANCE)
        if objective == "priority":
            assert step.curtailed_p_mw.sum() == pytest.approx(other.curtailed, abs=TOLERANCE)
        scale = 1.0 + abs(other.cost)
        assert abs(step.cost - other.cost) / scale < TOLERANCE


@settings(max_examples=40)
@given(cases(max_steps=2))
def test_priority_equals_angles_and_successive_solves(case: Case) -> None:
    compare(case, "priority")


@settings(max_examples=30)
@given(cases(max_steps=2))
def test_market_equals_angles_and_successive_solves(case: Case) -> None:
    compare(case, "market")


TIME = pd.date_range("2020-04-10T08:00Z", periods=48, freq="h")
"""Two days of spring, with much sun and little load."""


@pytest.fixture(scope="module", params=[True, False], ids=["link", "no link"])
def rts(request: pytest.FixtureRequest) -> Grid:
    return load_grid("rts_gmlc", hvdc=request.param)


def recorded(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    return grid.load(TIME).to_numpy(), grid.recorded(TIME).to_numpy()


@pytest.mark.filterwarnings("ignore")  # of PyPSA and linopy about their own future
def test_market_costs_what_pypsa_finds(rts: Grid) -> None:
    load, available = recorded(rts)
    solver = DispatchEngine(rts, "market")
    steps = [solver.solve(*step) for step in zip(load, available, strict=True)]
    assert max(step.shed_p_mw.sum() + step.dump_p_mw.sum() for step in steps) == 0.0
    n = pypsa_network(rts, load, available)
    status = n.optimize(solver_name="highs", log_to_console=False)
    assert status == ("ok", "optimal")
    no_load = float(rts.generators["no_load_cost_per_h"].sum())
    cost = sum(step.cost - no_load for step in steps)
    assert cost == pytest.approx(n.objective, rel=TOLERANCE)


def injections(grid: Grid, step: StepResult, load: np.ndarray) -> np.ndarray:
    result = step.shed_p_mw - step.dump_p_mw - load
    np.add.at(result, grid.bus_index(grid.generators["bus"]), step.gen_p_mw)
    np.add.at(result, grid.bus_index(grid.units["bus"]), step.unit_p_mw)
    np.subtract.at(result, grid.bus_index(grid.links["from_bus"]), step.link_p_mw)
    np.add.at(result, grid.bus_index(grid.links["to_bus"]), step.link_p_mw)
    return result


def test_flows_are_those_of_a_power_flow(rts: Grid) -> None:
    load, available = recorded(rts)
    solver = DispatchEngine(rts)
    for k in (0, 13, 40):
        step = solver.solve(load[k], available[k])
        net = bare_net(rts)
        for bus, injection in zip(rts.buses["pp_index"], injections(rts, step, load[k]), strict=True):
            pp.create_load(net, bus, -injection)
        pp.rundcpp(net)
        assert abs(float(net.res_ext_grid["p_mw"].sum())) < TOLERANCE
        flow = []
        for row in rts.lines.itertuples():
            if row.kind == "line":
                flow.append(net.res_line.at[row.pp_index, "p_from_mw"])
            else:
                from_high = net.trafo.at[row.pp_index, "hv_bus"] == rts.buses.at[row.from_bus, "pp_index"]
                flow.append(net.res_trafo.at[row.pp_index, "p_hv_mw" if from_high else "p_lv_mw"])
        np.testing.assert_allclose(step.line_p_mw, flow, atol=TOLERANCE)


@pytest.mark.parametrize("rts", [False], indirect=True, ids=["no link"])
def test_market_costs_what_pandapower_finds(rts: Grid) -> None:
    # Without the link: pandapower has none whose flow is chosen without losses.
    load, available = recorded(rts)
    solver = DispatchEngine(rts, "market")
    for k in (2, 12):
        step = solver.solve(load[k], available[k])
        net = opf_net(rts, load[k], available[k])
        pp.rundcopp(net)
        no_load = float(rts.generators["no_load_cost_per_h"].sum())
        assert step.cost - no_load == pytest.approx(net.res_cost, rel=1e-7)
