"""Derivatives of the AC power flow: equal to differences of pandapower's runpp at random operating points."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandapower as pp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import Grid, load_grid
from grid_models.voltage_flow import PowerFlow, free_nodes
from grid_models.voltage_model import AcModel, read_model
from tests.grid_models.voltage_cases import feeder

STEP_MW = 1e-4


@pytest.fixture(scope="module")
def grid() -> Grid:
    """A meshed feeder with a side branch, rated lines and a capacitor's worth of reactive load."""
    return feeder([(1, 1.0), (3, 1.0)], parents=(0, 1, 2, 1), rate_mw=1.5, load={2: (0.3, -0.1)})


@pytest.fixture(scope="module")
def model(grid: Grid) -> AcModel:
    return read_model(grid)


def by_runpp(grid: Grid, power: np.ndarray) -> dict[str, np.ndarray]:
    """What runpp says of power injected at the buses."""
    net = copy.deepcopy(grid.net)
    net.load, net.sgen = net.load.iloc[:0], net.sgen.iloc[:0]
    pp.create_sgens(net, grid.buses["pp_index"].to_numpy(), p_mw=power.real, q_mvar=power.imag)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pp.runpp(net, tolerance_mva=1e-11)
    return {
        "vm": net.res_bus.loc[grid.buses["pp_index"], "vm_pu"].to_numpy(),
        "loading": net.res_line.loc[grid.lines["pp_index"], "loading_percent"].to_numpy() / 100.0,
        # What the external grid feeds in; pandapower tells what its bus draws.
        "beyond": -net.res_bus.loc[grid.buses.at["b0", "pp_index"], ["p_mw"]].to_numpy(dtype=float),
    }


@given(data=st.data())
@settings(max_examples=6)
def test_derivatives_equal_differences_of_runpp(data: st.DataObject, grid: Grid, model: AcModel) -> None:
    number = st.floats(-0.8, 0.8)
    power = np.array([0.0] + [complex(data.draw(number), data.draw(number) / 3) for _ in range(4)])
    solver, node = PowerFlow(model), model.bus_node
    injected = np.zeros(model.network.n_node, dtype=complex)
    np.add.at(injected, node, power)
    voltage = solver.solve(injected, model.network.voltage)
    assert voltage is not None
    flow, lines = solver.linearise(voltage), np.arange(len(grid.lines))
    here = by_runpp(grid, power)
    np.testing.assert_allclose(np.abs(voltage)[node], here["vm"], atol=1e-8)
    np.testing.assert_allclose(model.loading(voltage), here["loading"], atol=1e-7)
    told = {
        "vm": flow.of_magnitudes(node[1:]),
        "loading": flow.of_loading(lines),
        "beyond": flow.of_slack_power(),
    }
    bus = data.draw(st.integers(1, 4))
    for unit, part in ((1.0, "by_p"), (1.0j, "by_q")):
        change = STEP_MW * unit * np.eye(5)[bus]
        more, less = by_runpp(grid, power + change), by_runpp(grid, power - change)
        for name, derivatives in told.items():
            difference = (more[name] - less[name]) / (2 * STEP_MW)
            difference = difference[1:] if name == "vm" else difference
            clear = here["loading"] > 0.05 if name == "loading" else np.full(len(difference), True)
            values = getattr(derivatives, part)[:, node[bus]]
            np.testing.assert_allclose(values[clear], difference[clear], atol=2e-6)


def test_first_order_voltages_miss_by_the_square_of_a_change(model: AcModel) -> None:
    solver, start = PowerFlow(model), model.network.voltage
    flow = solver.linearise(start)
    missed = []
    for scale in (0.1, 0.2):
        change = np.zeros(model.network.n_node, dtype=complex)
        change[model.bus_node[3]] = scale
        exact = solver.solve(change, start)
        assert exact is not None
        missed.append(np.abs(np.abs(flow.moved(change)) - np.abs(exact)).max())
    assert missed[1] / missed[0] == pytest.approx(4.0, rel=0.1)


def test_power_flows_do_not_depend_on_those_before(model: AcModel) -> None:
    rng = np.random.default_rng(3)
    injected = rng.uniform(-0.5, 0.5, (6, model.network.n_node)) * (1 + 0.3j)
    solver, start = PowerFlow(model), model.network.voltage
    forward = [solver.solve(power, start) for power in injected]
    for power, voltage in zip(injected[::-1], forward[::-1], strict=True):
        np.testing.assert_array_equal(solver.solve(power, start), voltage)


def test_external_grids_of_different_voltage_are_those_of_runpp() -> None:
    pytest.importorskip("simbench", reason="SimBench's grids come with the extra 'grids'")
    grid = load_grid("simbench", code="1-HV-mixed--0-no_sw")
    model = read_model(grid)
    assert len(model.network.references) == 3
    injected = np.random.default_rng(5).uniform(-10.0, 20.0, model.network.n_node) * (1 + 0.1j)
    solver = PowerFlow(model)
    voltage = solver.solve(injected, model.network.voltage)
    assert voltage is not None
    balance = model.node_power(voltage) - injected
    free = free_nodes(model.network)
    assert np.abs(balance[free]).max() < 1e-6
    np.testing.assert_allclose(
        voltage[model.network.references], model.network.voltage[model.network.references]
    )
    flow, bus = solver.linearise(voltage), free[7]
    change = 0.01 * np.eye(model.network.n_node)[bus]
    more, less = (solver.solve(injected + sign * change, voltage) for sign in (1.0, -1.0))
    fed_in = [model.node_power(v)[model.network.references].real for v in (more, less)]
    np.testing.assert_allclose(flow.of_slack_power().by_p[:, bus], (fed_in[0] - fed_in[1]) / 0.02, atol=1e-6)
