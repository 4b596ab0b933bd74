from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from grid_models import Grid, load_grid, net_grid
from grid_models.catalog.case import CaseOptions
from grid_models.linear import incidence
from weather import InputError

OPTIONS = CaseOptions(latitude=51.0, longitude=9.0, cost_per_mwh=30.0, p_max_mw=500.0)


def solve(net: pp.pandapowerNet) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.rundcpp(net)


def small_net() -> pp.pandapowerNet:
    """Two voltages, a switch between two buses, a ring with a phase shifter, and one of most elements."""
    net = pp.create_empty_network(sn_mva=100.0)
    for k, kv in enumerate((110.0, 110.0, 110.0, 20.0, 20.0)):
        pp.create_bus(net, kv, name=f"bus {k}", geodata=(9.0 + k, 51.0))
    pp.create_switch(net, 3, 4, "b")
    line = {"length_km": 10.0, "r_ohm_per_km": 0.1, "x_ohm_per_km": 0.4, "c_nf_per_km": 9.0, "max_i_ka": 0.5}
    for a, b in ((0, 1), (1, 2), (0, 2)):
        pp.create_line_from_parameters(net, a, b, **line)
    trafo = {"sn_mva": 40.0, "vn_hv_kv": 110.0, "vn_lv_kv": 20.0, "vk_percent": 12.0, "vkr_percent": 0.4}
    common = {"pfe_kw": 0.0, "i0_percent": 0.0}
    pp.create_transformer_from_parameters(net, 1, 3, **trafo, **common, shift_degree=150.0)
    pp.create_transformer_from_parameters(net, 2, 3, **trafo, **common, shift_degree=154.0)
    pp.create_ext_grid(net, 0, vm_pu=1.02)
    pp.create_load(net, 4, 30.0, 5.0)
    pp.create_load(net, 1, 10.0, 2.0, scaling=0.5)
    pp.create_ward(net, 2, 1.0, 0.5, 2.0, 0.25)
    pp.create_motor(net, 3, 4.0, 0.9, efficiency_percent=80.0, loading_percent=50.0)
    pp.create_shunt(net, 2, q_mvar=3.0, p_mw=0.1, step=2)
    pp.create_gen(net, 2, 12.0, vm_pu=1.01, type="gas")
    pp.create_sgen(net, 3, 8.0, type="PV")
    pp.create_sgen(net, 4, 3.0, type="CHP", scaling=0.5)
    pp.create_sgen(net, 1, 2.0, name="unknown kind")
    pp.create_storage(net, 4, 0.0, max_e_mwh=9.0, sn_mva=3.0, soc_percent=50.0)
    pp.create_dcline(net, 0, 2, 5.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=8.0)
    pp.create_poly_cost(net, 0, "gen", cp1_eur_per_mw=40.0, cp2_eur_per_mw2=0.1)
    return net


@pytest.fixture
def net() -> pp.pandapowerNet:
    return small_net()


def test_each_element_is_translated(net: pp.pandapowerNet) -> None:
    grid = net_grid(net, name="small", options=OPTIONS)
    assert grid.buses.index.tolist() == ["0", "1", "2", "3"]
    np.testing.assert_allclose(grid.buses["load_p_mw"], [0.0, 5.0, 3.2, 30.0 + 4.0 * 0.5 / 0.8])
    np.testing.assert_allclose(grid.buses["shunt_q_mvar"], [0.0, 0.0, 6.25, 0.0])
    assert grid.generators["fuel"].to_dict() == {
        "ext_grid_0": "interchange",
        "gen_0": "gas",
        "sgen_1": "gas",
        "sgen_2": "injection",
    }
    assert grid.generators.loc["sgen_2", ["p_min_mw", "p_max_mw"]].tolist() == [2.0, 2.0]
    assert grid.generators.loc["gen_0", "p_max_mw"] == 500.0
    assert grid.units["technology"].to_dict() == {"sgen_0": "pv"}
    assert grid.storage.iloc[0][["p_max_mw", "e_max_mwh", "e_initial_mwh"]].tolist() == [3.0, 9.0, 4.5]
    assert grid.links["p_max_mw"].tolist() == [8.0]
    rating = np.sqrt(3) * 0.5 * 110.0
    np.testing.assert_allclose(grid.lines["rate_mw"], [rating] * 3 + [40.0] * 2)
    # The interchange can exchange what the two lines at its bus carry.
    assert grid.generators.loc["ext_grid_0", "p_max_mw"] == pytest.approx(2 * rating)


def flows_of(net: pp.pandapowerNet) -> pd.Series:
    """Flows of a solved net by the names of the branches, positive from where the grid counts them."""
    parts = []
    for element, column in (("line", "p_from_mw"), ("trafo", "p_hv_mw"), ("impedance", "p_from_mw")):
        result = net[f"res_{element}"][column]
        parts.append(result.set_axis([f"{element}_{index}" for index in result.index]))
    for side, sign in (("hv", 1.0), ("mv", -1.0), ("lv", -1.0)):
        result = sign * net.res_trafo3w[f"p_{side}_mw"]
        parts.append(result.set_axis([f"trafo3w_{index}_{side}" for index in result.index]))
    return pd.concat(parts).astype(float)


def assert_same_flows(grid: Grid, theirs: pd.Series) -> None:
    """Injections that balance their flows at every bus give these flows."""
    theirs = theirs[grid.lines.index].to_numpy()
    start, end = (grid.bus_index(grid.lines[c]) for c in ("from_bus", "to_bus"))
    injection = incidence(start, end, len(grid.buses)).T @ theirs
    np.testing.assert_allclose(grid.ptdf @ injection + grid.flow_offset_mw, theirs, atol=1e-6)


def test_flows_with_a_phase_shifter_are_those_of_pandapower(net: pp.pandapowerNet) -> None:
    grid = net_grid(net, name="small", options=OPTIONS)
    solve(net)
    assert_same_flows(grid, flows_of(net))
    # The transformers disagree by 4 degrees, which drives power around the ring.
    assert np.abs(grid.flow_offset_mw).max() > 10.0


def test_the_net_of_such_a_grid_flows_alike(net: pp.pandapowerNet) -> None:
    grid = net_grid(net, name="small", options=OPTIONS)
    mine = grid.net
    mine.gen["p_mw"], mine.sgen["p_mw"] = 5.0, 3.0
    mine.dcline["in_service"] = False
    solve(mine)
    theirs = flows_of(mine)
    theirs.index = [
        *grid.lines.index[grid.lines["kind"] == "line"],
        *grid.lines.index[grid.lines["kind"] == "trafo"],
    ]
    assert_same_flows(grid, theirs)
    # What the reference must give to balance the rest.
    assert mine.res_ext_grid["p_mw"].sum() == pytest.approx(mine.res_load["p_mw"].sum() - 3 * 3.0 - 2 * 5.0)


def test_a_net_with_three_windings_switches_and_two_voltages_flows_alike() -> None:
    net = pp.networks.example_multivoltage()
    grid = net_grid(net, name="multi", options=OPTIONS)
    solve(net)
    assert_same_flows(grid, flows_of(net))
    assert {"trafo3w_0_hv", "trafo3w_0_mv", "trafo3w_0_lv", "impedance_0"} <= set(grid.lines.index)


def test_piecewise_costs_are_read() -> None:
    net = small_net()
    pp.create_pwl_cost(net, 1, "sgen", [[0.0, 1.0, 20.0], [1.0, 3.0, 35.0]])
    grid = net_grid(net, name="small", options=OPTIONS)
    segments = grid.segments[grid.segments["gen"] == "sgen_1"]
    # Output is limited to the 1.5 MW of its scaling.
    np.testing.assert_allclose(segments["p_mw"], [1.0, 0.5])
    np.testing.assert_allclose(segments["cost_per_mwh"], [20.0, 35.0])


@pytest.mark.parametrize("kind", ["json", "xlsx"])
def test_a_file_is_the_net_it_was_written_from(net: pp.pandapowerNet, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"small.{kind}"
    if kind == "json":
        pp.to_json(net, str(path))
    else:
        pp.to_excel(net, str(path))
    mine = load_grid(
        "pandapower_file", path=str(path), geo=True, cost_per_mwh=30.0, p_max_mw=500.0, name="mine"
    )
    theirs = net_grid(net, name="theirs", options=OPTIONS)
    np.testing.assert_allclose(mine.ptdf, theirs.ptdf)
    assert mine.name == "mine"
    assert mine.buses["longitude"].tolist() == [9.0, 10.0, 11.0, 12.0]
    pd.testing.assert_frame_equal(mine.segments, theirs.segments)


def drop_slack(net: pp.pandapowerNet) -> None:
    net.ext_grid["in_service"] = False


def cut(net: pp.pandapowerNet) -> None:
    net.trafo["in_service"] = False


def no_reactance(net: pp.pandapowerNet) -> None:
    net.line.loc[1, "x_ohm_per_km"] = 0.0
    net.trafo.loc[0, "vk_percent"] = np.nan


def lost_ends(net: pp.pandapowerNet) -> None:
    net.line.loc[0, "to_bus"] = 77
    net.load.loc[0, "bus"] = 78


def power_nan(net: pp.pandapowerNet) -> None:
    net.load.loc[0, "p_mw"] = np.nan


def svc(net: pp.pandapowerNet) -> None:
    pp.create_svc(net, 2, x_l_ohm=1.0, x_cvar_ohm=-10.0, set_vm_pu=1.0, thyristor_firing_angle_degree=145.0)


NETS = [
    (drop_slack, "ext_grid: the net has none in service: nothing holds the angle"),
    (cut, "bus 3, 4: 2 bus(es) without a path to an ext_grid; close a switch"),
    (no_reactance, "line 1: x_ohm_per_km=0.0: expected a number other than 0"),
    (no_reactance, "trafo 0: vk_percent=nan"),
    (lost_ends, "line 0: to_bus 77 does not exist"),
    (lost_ends, "load 0: bus 78 does not exist"),
    (power_nan, "load 0: p_mw=nan; give it in MW"),
    (svc, "svc: 1 in the net: not translated"),
]


@pytest.mark.parametrize(("change", "message"), NETS, ids=[m for _, m in NETS])
def test_broken_nets_are_told(net: pp.pandapowerNet, change: object, message: str) -> None:
    change(net)  # type: ignore[operator]
    with pytest.raises(InputError) as error:
        net_grid(net, name="broken", options=OPTIONS)
    assert message in str(error.value)


def test_a_disconnected_part_can_be_left_out(net: pp.pandapowerNet) -> None:
    cut(net)
    options = CaseOptions(latitude=51.0, longitude=9.0, cost_per_mwh=30.0, p_max_mw=9.0, islands="leave_out")
    grid = net_grid(net, name="cut", options=options)
    assert grid.buses.index.tolist() == ["0", "1", "2"]
    assert grid.units.empty
    assert any("2 buses without a path" in note for note in grid.notes)


def test_what_a_net_does_not_say_is_asked_for_at_once(net: pp.pandapowerNet) -> None:
    with pytest.raises(InputError) as error:
        net_grid(net, name="small")
    for part in (
        "latitude: 4 of 4 buses have none; give latitude= for all, or coordinates= for each",
        "p_max_mw: 1 generators have no largest output: gen_0; give p_max_mw=",
        "cost_per_mwh: 1 generators have no cost: sgen_1; give cost_per_mwh=",
    ):
        assert part in str(error.value)


FILES = [
    ("net.json", b"", "net.json: the file is empty"),
    ("net.json", b'{"_module": "pandapower.auxiliary", "_cla', "is no complete JSON"),
    ("net.json", b'{"a": 1}', "is JSON, but no pandapower net"),
    ("net.json", b"\xff\xfe\x00", "is no complete JSON"),
    ("net.json", b'{"_class": "pandapowerNet", "_object": {"bus": {"_class": "Nothing"}}}', "net.json: "),
    ("net.p", b"x", "a file of kind '.p'; give a .json or .xlsx file"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILES, ids=[m for _, _, m in FILES])
def test_broken_files_are_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_grid("pandapower_file", path=str(path))
    assert message in str(error.value)


def test_workbooks_that_are_no_nets_are_told(tmp_path: Path) -> None:
    path = tmp_path / "net.xlsx"
    path.write_bytes(b"no workbook")
    with pytest.raises(InputError, match=r"net\.xlsx.*is no readable workbook"):
        load_grid("pandapower_file", path=str(path))
    pd.DataFrame({"a": [1]}).to_excel(path, sheet_name="bus")
    with pytest.raises(InputError, match="has no sheet line, ext_grid; it has bus"):
        load_grid("pandapower_file", path=str(path))
