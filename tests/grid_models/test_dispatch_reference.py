"""The dispatch against other formulations and other solvers."""

from __future__ import annotations

import copy

import numpy as np
import pandapower as pp
import pandas as pd
import pypsa
import pytest
from hypothesis import given, settings

from grid_models import DispatchEngine, Grid, Objective, StepResult, load_grid
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


def pypsa_network(grid: Grid, load: np.ndarray, available: np.ndarray) -> pypsa.Network:
    """The same step costs and limits as `market`; minimum outputs and rooftop PV are negative load."""
    n = pypsa.Network(snapshots=range(len(load)))
    n.add("Bus", grid.buses.index, v_nom=1.0)
    n.add("Carrier", "AC")
    fixed = ~grid.units["dispatchable"].to_numpy(dtype=bool)
    net_load = load.copy()
    must_run = (grid.generators["p_min_mw"] * grid.generators["must_run"]).to_numpy()
    np.subtract.at(net_load.T, grid.bus_index(grid.generators["bus"]), must_run[:, None])
    np.subtract.at(net_load.T, grid.bus_index(grid.units["bus"][fixed]), available.T[fixed])
    names = [f"load {bus}" for bus in grid.buses.index]
    n.add("Load", names, bus=grid.buses.index, p_set=pd.DataFrame(net_load, columns=names))
    lines = grid.lines
    n.add(
        "Line",
        lines.index,
        bus0=lines["from_bus"],
        bus1=lines["to_bus"],
        x=1.0 / lines["b_pu"],
        r=1e-9,
        s_nom=lines["rate_mw"],
    )
    if len(grid.links):
        links = grid.links
        n.add(
            "Link",
            links.index,
            bus0=links["from_bus"],
            bus1=links["to_bus"],
            p_nom=links["p_max_mw"],
            p_min_pu=-1.0,
        )
    for k, row in enumerate(grid.segments.itertuples()):
        bus = grid.generators.at[row.gen, "bus"]
        n.add("Generator", f"segment {k}", bus=bus, p_nom=row.p_mw, marginal_cost=row.cost_per_mwh)
    for k, (name, unit) in enumerate(grid.units.iterrows()):
        if not fixed[k]:
            n.add(
                "Generator",
                name,
                bus=unit["bus"],
                p_nom=1.0,
                p_max_pu=available[:, k],
                marginal_cost=unit["offer_per_mwh"],
            )
    return n


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


def bare_net(grid: Grid) -> pp.pandapowerNet:
    """Buses, branches and the reference of a grid's net, in a copy."""
    net = copy.deepcopy(grid.net)
    for element in ("load", "gen", "sgen", "dcline", "storage", "shunt"):
        net[element] = net[element].iloc[:0]
    return net


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
        assert step.cost - no_load == pytest.approx(net.res_cost, rel=1e-5, abs=1.0)


def opf_net(grid: Grid, load: np.ndarray, available: np.ndarray) -> pp.pandapowerNet:
    net, at = bare_net(grid), grid.buses["pp_index"]
    net.line["max_loading_percent"] = 100.0
    net.trafo["max_loading_percent"] = 100.0
    net.ext_grid["min_p_mw"], net.ext_grid["max_p_mw"] = -1e-3, 1e-3
    for bus, p_mw in zip(grid.buses.index, load, strict=True):
        pp.create_load(net, at[bus], p_mw)
    for row in grid.generators[grid.generators["must_run"]].itertuples():
        pp.create_sgen(net, at[row.bus], row.p_min_mw, controllable=False)
    for row in grid.segments.itertuples():
        bus = at[grid.generators.at[row.gen, "bus"]]
        unit = pp.create_sgen(net, bus, 0.0, min_p_mw=0.0, max_p_mw=row.p_mw, controllable=True)
        pp.create_poly_cost(net, unit, "sgen", cp1_eur_per_mw=row.cost_per_mwh)
    for row, p_mw in zip(grid.units.itertuples(), available, strict=True):
        if not row.dispatchable:
            pp.create_sgen(net, at[row.bus], p_mw, controllable=False)
        elif p_mw > 0.0:
            unit = pp.create_sgen(net, at[row.bus], 0.0, min_p_mw=0.0, max_p_mw=p_mw, controllable=True)
            pp.create_poly_cost(net, unit, "sgen", cp1_eur_per_mw=row.offer_per_mwh)
    return net
