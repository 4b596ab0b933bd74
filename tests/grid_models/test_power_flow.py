from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import xarray as xr

from grid_models import Grid, dispatch, load_grid, make_grid, power_flow, violation_table
from grid_models.ac_dispatch import dispatch_arrays, net_of, set_points
from weather import InputError

N_STEP = 6
RATE_MVA = 100.0


def two_bus_grid(
    *, r_pu: float = 0.035, x_pu: float = 0.1, rate_mw: float = RATE_MVA, **buses: object
) -> Grid:
    """A generator at the reference, a line, a load with a fifth of it reactive."""
    columns = {"load_p_mw": [0.0, 50.0], "load_q_mvar": [0.0, 10.0], **buses}
    return make_grid(
        name="two",
        buses=pd.DataFrame(
            {"vn_kv": 110.0, "latitude": 35.0, "longitude": [-115.0, -114.0], **columns}, index=["a", "b"]
        ),
        lines=pd.DataFrame(
            {"from_bus": "a", "to_bus": "b", "rate_mw": rate_mw, "x_pu": x_pu, "r_pu": r_pu}, index=["ab"]
        ),
        generators=pd.DataFrame({"bus": ["a"], "p_max_mw": [500.0]}, index=["g"]),
        segments=pd.DataFrame({"gen": ["g"], "p_mw": [500.0], "cost_per_mwh": [10.0]}),
    )


def four_bus_grid() -> Grid:
    """A ring: a transformer fed from its low side, link, storage, units with and without voltage control."""
    return make_grid(
        name="four",
        buses=pd.DataFrame(
            {
                "vn_kv": [138.0, 230.0, 230.0, 230.0],
                "latitude": 35.0,
                "longitude": [-115.0, -114.0, -113.0, -112.0],
                "load_p_mw": [60.0, 40.0, 0.0, 30.0],
                "load_q_mvar": [12.0, -4.0, 5.0, 0.0],
                "vm_pu": [1.02, 1.01, 1.0, 1.0],
            },
            index=["a", "b", "c", "d"],
        ),
        lines=pd.DataFrame(
            {
                "kind": ["trafo", "line", "line", "line"],
                "from_bus": ["a", "b", "c", "d"],
                "to_bus": ["b", "c", "d", "b"],
                "rate_mw": [120.0, 80.0, np.inf, 60.0],
                "x_pu": [0.08, 0.06, 0.1, 0.12],
                "r_pu": [0.002, 0.01, 0.02, 0.02],
                "b_charging_pu": [0.0, 0.02, 0.03, 0.01],
                "tap_ratio": [1.02, 1.0, 1.0, 1.0],
            },
            index=["ab", "bc", "cd", "db"],
        ),
        links=pd.DataFrame({"from_bus": ["a"], "to_bus": ["c"], "p_max_mw": [20.0]}, index=["dc"]),
        generators=pd.DataFrame(
            {
                "bus": ["a", "b"],
                "p_max_mw": [300.0, 60.0],
                "q_min_mvar": [-100.0, -10.0],
                "q_max_mvar": [100.0, 10.0],
            },
            index=["ga", "gb"],
        ),
        segments=pd.DataFrame({"gen": ["ga", "gb"], "p_mw": [300.0, 60.0], "cost_per_mwh": [10.0, 30.0]}),
        units=pd.DataFrame(
            {
                "bus": ["b", "d"],
                "technology": ["wind", "pv"],
                "p_nom_mw": [50.0, 40.0],
                "q_min_mvar": [-5.0, np.nan],
                "q_max_mvar": [8.0, np.nan],
            },
            index=["wind", "pv"],
        ),
        storage=pd.DataFrame({"bus": ["d"], "p_max_mw": [10.0], "e_max_mwh": [40.0]}, index=["battery"]),
    )


def dispatched(grid: Grid, **values: np.ndarray | float) -> xr.Dataset:
    """A Dataset as `dispatch` returns it, with given values and zeros elsewhere."""
    dims = {
        "p_mw": ("gen", grid.generators),
        "unit_p_mw": ("unit", grid.units),
        "link_p_mw": ("link", grid.links),
        "load_p_mw": ("bus", grid.buses),
        "flexible_load_p_mw": ("bus", grid.buses),
        "shed_p_mw": ("bus", grid.buses),
        "dump_p_mw": ("bus", grid.buses),
        "storage_p_mw": ("storage", grid.storage),
    }
    time = pd.date_range("2020-07-01", periods=N_STEP, freq="30min").to_numpy()
    data = {
        name: (("time", dim), np.broadcast_to(values.get(name, 0.0), (N_STEP, len(table))))
        for name, (dim, table) in dims.items()
    }
    coords = {dim: table.index.to_numpy(dtype=object) for dim, table in dims.values()}
    return xr.Dataset(data, coords={"time": time, **coords})


@pytest.fixture(scope="module")
def four() -> Grid:
    return four_bus_grid()


@pytest.fixture(scope="module")
def busy(four: Grid) -> xr.Dataset:
    """A dispatch of the ring in which everything takes part, balanced but for losses."""
    rng = np.random.default_rng(3)
    load = rng.uniform([40, 30, 0, 20], [60, 40, 0, 30], (N_STEP, 4))
    flexible, dump = np.tile([0.0, 0.0, 12.0, 0.0], (N_STEP, 1)), np.tile([0.0, 1.0, 0.0, 0.0], (N_STEP, 1))
    shed = np.tile([3.0, 0.0, 0.0, 0.0], (N_STEP, 1))
    unit, storage = rng.uniform(5.0, 30.0, (N_STEP, 2)), rng.uniform(-8.0, 8.0, (N_STEP, 1))
    gb = rng.uniform(0.0, 30.0, N_STEP)
    needed = (load + flexible + dump - shed).sum(axis=1) - unit.sum(axis=1) - storage.sum(axis=1)
    return dispatched(
        four,
        p_mw=np.column_stack([needed - gb, gb]),
        unit_p_mw=unit,
        storage_p_mw=storage,
        load_p_mw=load,
        flexible_load_p_mw=flexible,
        shed_p_mw=shed,
        dump_p_mw=dump,
        link_p_mw=rng.uniform(-20.0, 20.0, (N_STEP, 1)),
    )


@pytest.fixture(scope="module")
def checked(four: Grid, busy: xr.Dataset) -> xr.Dataset:
    return power_flow(four, busy, unit_tan_phi=0.1, flexible_tan_phi=0.2, parity_steps=2)


def by_hand(
    grid: Grid, values: xr.Dataset, *, unit_tan_phi: float, flexible_tan_phi: float
) -> pp.pandapowerNet:
    """The net with the set-points of one step entered one by one, solved by pandapower."""
    net = copy.deepcopy(grid.net)
    net.load = net.load.iloc[:0]
    for bus, row in grid.buses.iterrows():
        at, fixed = int(row["pp_index"]), float(values["load_p_mw"].sel(bus=bus))
        ratio = row["load_q_mvar"] / row["load_p_mw"] if row["load_p_mw"] else 0.0
        kept = 0.0 if row["load_p_mw"] else row["load_q_mvar"]
        flexible, shed = (float(values[key].sel(bus=bus)) for key in ("flexible_load_p_mw", "shed_p_mw"))
        served = 1.0 - (shed / (fixed + flexible) if shed else 0.0)
        pp.create_load(net, at, fixed * served, fixed * served * ratio + kept)
        pp.create_load(net, at, flexible * served, flexible * served * flexible_tan_phi)
        pp.create_load(net, at, float(values["dump_p_mw"].sel(bus=bus)), 0.0)
    for name in grid.generators.index:
        net.gen.loc[net.gen["name"] == name, "p_mw"] = float(values["p_mw"].sel(gen=name))
    for name in grid.units.index:
        power = float(values["unit_p_mw"].sel(unit=name))
        net.gen.loc[net.gen["name"] == name, "p_mw"] = power
        net.sgen.loc[net.sgen["name"] == name, ["p_mw", "q_mvar"]] = power, power * unit_tan_phi
    net.dcline["p_mw"] = values["link_p_mw"].to_numpy()
    if "storage_p_mw" in values:
        net.storage["p_mw"] = -values["storage_p_mw"].to_numpy()
    pp.runpp(net, lightsim2grid=False)
    return net


@pytest.mark.parametrize("step", [0, 4])
def test_a_step_is_what_pandapower_makes_of_its_set_points(
    four: Grid, busy: xr.Dataset, checked: xr.Dataset, step: int
) -> None:
    net = by_hand(four, busy.isel(time=step), unit_tan_phi=0.1, flexible_tan_phi=0.2)
    at = checked.isel(time=step)
    np.testing.assert_allclose(at["vm_pu"], net.res_bus["vm_pu"], atol=1e-8)
    np.testing.assert_allclose(at["va_degree"], net.res_bus["va_degree"], atol=1e-6)
    expected = [net.res_trafo["loading_percent"].item(), *net.res_line["loading_percent"]]
    expected[2] = 0.0  # 'cd' has no rating
    np.testing.assert_allclose(at["loading_percent"], expected, atol=1e-5)
    entering = [net.res_trafo["p_lv_mw"].item(), *net.res_line["p_from_mw"]]
    np.testing.assert_allclose(at["line_p_mw"], entering, atol=1e-5)
    reactive = [net.res_trafo["q_lv_mvar"].item(), *net.res_line["q_from_mvar"]]
    np.testing.assert_allclose(at["line_q_mvar"], reactive, atol=1e-5)
    assert at["slack_p_mw"].item() == pytest.approx(net.res_ext_grid["p_mw"].item(), abs=1e-5)
    held = net.res_gen["q_mvar"].groupby(net.gen["bus"]).sum()
    assert at["q_mvar"].sel(bus="b").item() == pytest.approx(held[1], abs=1e-5)
    assert np.isnan(at["q_mvar"].sel(bus="d"))


def test_the_slack_gives_the_losses_of_a_balanced_dispatch(checked: xr.Dataset) -> None:
    np.testing.assert_allclose(checked["slack_p_mw"], checked["losses_mw"], atol=1e-5)
    assert (checked["losses_mw"] > 0.0).all()


def test_generators_may_share_the_losses(four: Grid, busy: xr.Dataset, checked: xr.Dataset) -> None:
    shared = power_flow(
        four, busy, slack="generators", unit_tan_phi=0.1, flexible_tan_phi=0.2, parity_steps=1
    )
    extra = shared["gen_p_mw"] - busy["p_mw"]
    np.testing.assert_allclose(extra.sum("gen"), shared["losses_mw"], atol=1e-2)
    assert np.abs(shared["slack_p_mw"]).max() < 0.01 * checked["slack_p_mw"].max()
    ratio = extra / busy["p_mw"]
    np.testing.assert_allclose(ratio.sel(gen="ga"), ratio.sel(gen="gb"), rtol=1e-9)


def test_reactive_load_follows_active_load_and_goes_with_what_is_shed(four: Grid, busy: xr.Dataset) -> None:
    arrays = dispatch_arrays(four, busy)
    points = set_points(four, net_of(four), arrays, unit_tan_phi=0.1, flexible_tan_phi=0.2)
    load, shed = busy["load_p_mw"].to_numpy(), 3.0
    np.testing.assert_allclose(points.load_q_mvar[:, 0], (load[:, 0] - shed) * 12.0 / 60.0)
    np.testing.assert_allclose(points.load_q_mvar[:, 1], load[:, 1] * -4.0 / 40.0)  # dumped power has none
    np.testing.assert_allclose(points.load_q_mvar[:, 2], 5.0 + 12.0 * 0.2)  # nominally reactive only
    np.testing.assert_allclose(points.load_p_mw[:, 1], load[:, 1] + 1.0)
    np.testing.assert_allclose(points.sgen_q_mvar, points.sgen_p_mw * 0.1)
    np.testing.assert_allclose(points.storage_p_mw, -busy["storage_p_mw"])


def far_voltage(p_mw: float, q_mvar: float, r_pu: float, x_pu: float) -> float:
    """Voltage behind r + jx from 1 pu, base 100 MVA: V⁴ + (2(rp + xq) − 1) V² + |z|²|s|² = 0. [pu]"""
    p, q = p_mw / 100.0, q_mvar / 100.0
    half = 0.5 - (r_pu * p + x_pu * q)
    return float(np.sqrt(half + np.sqrt(half**2 - (r_pu**2 + x_pu**2) * (p**2 + q**2))))


def test_violations_are_counted_where_the_formula_says() -> None:
    grid = two_bus_grid()
    load = np.array([10.0, 60.0, 80.0, 100.0, 40.0, 90.0])
    values = dispatched(grid, p_mw=load[:, None], load_p_mw=np.column_stack([np.zeros(N_STEP), load]))
    checked = power_flow(grid, values, vm_limits_pu=(0.95, 1.0), parity_steps=1)
    vm_pu = np.array([far_voltage(p, p / 5.0, 0.035, 0.1) for p in load])
    current = np.hypot(load, load / 5.0) / vm_pu
    np.testing.assert_allclose(checked["vm_pu"].sel(bus="b"), vm_pu, atol=1e-8)
    np.testing.assert_allclose(checked["loading_percent"].sel(line="ab"), current, rtol=1e-7)
    np.testing.assert_array_equal(checked["n_undervoltage"], vm_pu < 0.95)
    np.testing.assert_array_equal(checked["n_overload"], current > 100.0)
    assert (checked["n_overvoltage"] == 0).all()  # the reference stands at its limit
    low, over = int((vm_pu < 0.95).sum()), int((current > 100.0).sum())
    assert (low, over) == (2, 1)
    table = violation_table(checked)
    assert table["kind"].tolist() == ["undervoltage", "overload"]
    assert table["element"].tolist() == ["b", "ab"]
    assert table["hours"].tolist() == [low / 2, over / 2]
    assert table["worst"].tolist() == pytest.approx([vm_pu.min(), current.max()])
    assert table["worst_time"].tolist() == [pd.Timestamp("2020-07-01T01:30")] * 2
    assert table["limit"].tolist() == [0.95, 100.0]


def test_a_bus_may_have_voltage_limits_of_its_own() -> None:
    grid = two_bus_grid(vm_min_pu=[0.99, np.nan], vm_max_pu=[0.995, 1.1])
    values = dispatched(grid, p_mw=80.0, load_p_mw=np.tile([0.0, 80.0], (N_STEP, 1)))
    checked = power_flow(grid, values, vm_limits_pu=(0.9, 1.05), parity_steps=1)
    assert checked["vm_min_pu"].to_numpy().tolist() == [0.99, 0.9]
    assert (checked["n_undervoltage"] == 0).all()
    assert (checked["n_overvoltage"] == 1).all()


def test_reactive_limits_of_all_that_holds_a_bus_are_added(four: Grid, busy: xr.Dataset) -> None:
    quiet = power_flow(four, busy.assign(link_p_mw=busy["link_p_mw"] * 0.0), parity_steps=1)
    assert quiet["q_min_mvar"].to_numpy().tolist() == [-np.inf, -15.0, -np.inf, 0.0]
    assert quiet["q_max_mvar"].to_numpy().tolist() == [np.inf, 18.0, np.inf, 0.0]
    at_b = quiet["q_mvar"].sel(bus="b").to_numpy()
    np.testing.assert_array_equal(quiet["n_reactive_lack"], at_b > 18.0)
    np.testing.assert_array_equal(quiet["n_reactive_excess"], at_b < -15.0)
    assert (quiet["n_reactive_lack"] + quiet["n_reactive_excess"]).sum() > 0


def test_a_step_without_solution_is_nan_in_every_result_and_count() -> None:
    grid = two_bus_grid()
    load = np.array([10.0, 60.0, 900.0, 10.0, 10.0, 10.0])
    values = dispatched(grid, p_mw=load[:, None], load_p_mw=np.column_stack([np.zeros(N_STEP), load]))
    with pytest.warns(UserWarning, match="1 of 6 steps have no AC solution; the first is step 2"):
        checked = power_flow(grid, values, parity_steps=1)
    assert checked["converged"].to_numpy().tolist() == [True, True, False, True, True, True]
    lost = checked.drop_vars(["converged", "gen_p_mw"]).isel(time=2)
    assert all(np.isnan(lost[name]).all() for name in lost.data_vars)
    assert not np.isnan(checked["n_undervoltage"].isel(time=[0, 1, 3, 4, 5])).any()
    assert violation_table(checked).empty


def test_order_of_a_dispatch_does_not_matter(four: Grid, busy: xr.Dataset, checked: xr.Dataset) -> None:
    turned = busy.isel(bus=[2, 0, 3, 1], gen=[1, 0], unit=[1, 0]).transpose("bus", ...)
    again = power_flow(four, turned, unit_tan_phi=0.1, flexible_tan_phi=0.2, parity_steps=2)
    xr.testing.assert_identical(again, checked)


def test_attributes_say_how_it_was_solved(checked: xr.Dataset) -> None:
    assert checked.attrs["engine"] == "lightsim2grid"
    assert checked.attrs["parity_pu"] < 1e-6
    assert checked.attrs["parity_compared"] == 3
    assert checked.attrs["not_converged"] == 0
    assert (checked.attrs["slack"], checked.attrs["grid"]) == ("reference", "four")
    assert checked["losses_mw"].attrs["units"] == "MW"


def test_everything_wrong_with_a_dispatch_is_told_at_once(four: Grid, busy: xr.Dataset) -> None:
    wrong = busy.drop_vars("shed_p_mw").assign_coords(unit=["wind", "solar"])
    wrong["p_mw"] = wrong["p_mw"].copy()
    wrong["p_mw"][3, 1] = np.nan
    wrong["dump_p_mw"] = wrong["dump_p_mw"].isel(time=0, drop=True)
    with pytest.raises(InputError) as caught:
        power_flow(four, wrong)
    text = str(caught.value)
    assert "p_mw at gen 'gb', 2020-07-01T01:30:00: nan MW is not finite (1 such values)" in text
    assert "unit_p_mw: its unit labels are not those of grid 'four'" in text
    assert "shed_p_mw: is missing" in text
    assert "dump_p_mw: has dims ('bus',)" in text
    assert len(caught.value.findings) == 4


def test_a_dispatch_of_another_grid_is_refused(busy: xr.Dataset) -> None:
    with pytest.raises(InputError, match="give the dispatch of this very grid"):
        power_flow(two_bus_grid(), busy)


def test_a_name_for_both_a_generator_and_a_unit_is_refused(four: Grid, busy: xr.Dataset) -> None:
    same = replace(four, units=four.units.rename(index={"pv": "ga"}))
    with pytest.raises(InputError, match="'ga': is the name of a generator and of a unit"):
        power_flow(same, busy.assign_coords(unit=["wind", "ga"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vm_limits_pu": (1.05, 0.95)}, "vm_limits_pu"),
        ({"unit_tan_phi": np.inf}, "unit_tan_phi: is inf"),
        ({"slack": "nobody"}, "use one of reference, generators"),
        ({"engine": "fast"}, "use one of auto, lightsim2grid, pandapower"),
    ],
)
def test_options_without_meaning_are_refused(
    four: Grid, busy: xr.Dataset, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        power_flow(four, busy, **options)  # type: ignore[arg-type]


def test_two_days_of_rts_gmlc_are_what_runpp_finds() -> None:
    grid = load_grid("rts_gmlc")
    hours = pd.date_range("2020-07-01T08:00Z", periods=48, freq="h")
    solved = dispatch(grid, xr.Dataset({"available_p_mw": grid.recorded(hours)}), objective="market")
    checked = power_flow(grid, solved, engine="lightsim2grid", parity_steps=2)
    assert checked["converged"].all()
    step = int(np.random.default_rng(11).integers(48))
    net = by_hand(grid, solved.isel(time=step), unit_tan_phi=0.0, flexible_tan_phi=0.0)
    at = checked.isel(time=step)
    np.testing.assert_allclose(at["vm_pu"], net.res_bus["vm_pu"], atol=1e-7)
    np.testing.assert_allclose(at["va_degree"], net.res_bus["va_degree"], atol=1e-5)
    losses = net.res_line["pl_mw"].sum() + net.res_trafo["pl_mw"].sum()
    assert at["losses_mw"].item() == pytest.approx(losses, abs=1e-4)
    assert 0.01 < (checked["losses_mw"].sum() / solved["load_p_mw"].sum()).item() < 0.06
