"""Dispatch within AC limits: closed forms, the AC power flow and an interior-point method agree with it."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import xarray as xr
from dask.distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import Grid, dispatch_ac, load_grid, make_grid, power_flow
from tests.grid_models.voltage_cases import feeder, inputs
from weather import InputError

R, X = 0.04, 0.03
CAUSES = ("oversupply", "congestion", "voltage")


def power_at_voltage(vm_pu: float) -> float:
    """Power at the end of a line of impedance R + jX from 1 pu that raises its end to a voltage."""
    z2, v2 = R**2 + X**2, vm_pu**2
    return (R * v2 - np.sqrt(R**2 * v2**2 - z2 * v2 * (v2 - 1.0))) / z2


def power_at_current(i_pu: float) -> float:
    """The same that drives a current."""
    return (R * i_pu + np.sqrt(1.0 - (X * i_pu) ** 2)) * i_pu


def total(result: xr.Dataset, cause: str) -> float:
    name = "curtailed_p_mw" if cause == "all" else f"curtailed_{cause}_p_mw"
    return float(result[name].isel(time=0).sum())


def test_one_line_takes_the_power_that_raises_its_end_to_the_limit() -> None:
    generation, load = inputs(grid := feeder([(1, 3.0)]), [[2.5]])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=1.05).isel(time=0)
    assert result["unit_p_mw"].item() == pytest.approx(power_at_voltage(1.05), abs=1e-6)
    assert result["vm_pu"].sel(bus="b1").item() == pytest.approx(1.05, abs=1e-7)
    assert result["curtailed_voltage_p_mw"].item() == pytest.approx(2.5 - power_at_voltage(1.05), abs=1e-6)


def test_one_line_takes_its_rated_current() -> None:
    generation, load = inputs(grid := feeder([(1, 3.0)], rate_mw=1.2), [[2.5]])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=1.5).isel(time=0)
    assert result["unit_p_mw"].item() == pytest.approx(power_at_current(1.2), abs=1e-6)
    assert result["loading_percent"].item() == pytest.approx(100.0, abs=1e-5)
    assert result["losses_mw"].item() == pytest.approx(R * 1.2**2, abs=1e-6)
    assert result["curtailed_congestion_p_mw"].item() == pytest.approx(result["curtailed_p_mw"].item())


def test_exports_are_what_arrives_after_losses() -> None:
    i_pu = 0.9
    export = power_at_current(i_pu) - R * i_pu**2
    generation, load = inputs(grid := feeder([(1, 3.0)], export_mw=export), [[2.5]])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=1.5).isel(time=0)
    assert result["p_mw"].item() == pytest.approx(-export, abs=1e-7)
    assert result["unit_p_mw"].item() == pytest.approx(power_at_current(i_pu), abs=1e-6)
    assert result["curtailed_oversupply_p_mw"].item() == pytest.approx(result["curtailed_p_mw"].item())


def test_causes_are_what_each_kind_of_limit_adds() -> None:
    i_export, i_rate, vm_max = 1.5, 1.2, 1.04
    export = power_at_current(i_export) - R * i_export**2
    grid = feeder([(1, 3.0)], export_mw=export, rate_mw=i_rate)
    generation, load = inputs(grid, [[2.5]])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=vm_max)
    taken = power_at_current(i_export), power_at_current(i_rate), power_at_voltage(vm_max)
    expected = (2.5 - taken[0], taken[0] - taken[1], taken[1] - taken[2])
    assert [total(result, cause) for cause in CAUSES] == pytest.approx(expected, abs=1e-6)
    assert sum(total(result, cause) for cause in CAUSES) == pytest.approx(total(result, "all"), abs=1e-12)


def test_a_load_at_the_end_is_served_as_far_as_the_lower_limit_allows() -> None:
    grid = feeder([(1, 1.0)], load={1: (4.0, 0.0)})
    generation, load = inputs(grid, [[0.0]], [[0.0, 4.0]])
    result = dispatch_ac(grid, generation, load=load, vm_min_pu=0.95).isel(time=0)
    served = -power_at_voltage(0.95)
    assert result["shed_p_mw"].sel(bus="b1").item() == pytest.approx(4.0 - served, abs=1e-6)
    assert result["vm_pu"].sel(bus="b1").item() == pytest.approx(0.95, abs=1e-7)


def test_nothing_is_held_back_where_all_limits_are_kept() -> None:
    grid = feeder([(1, 1.0), (2, 1.0)], parents=(0, 1))
    generation, load = inputs(grid, [[0.3, 0.2]], [[0.0, 0.1, 0.1]])
    result = dispatch_ac(grid, generation, load=load).isel(time=0)
    assert result["curtailed_p_mw"].sum() == 0.0
    assert result["iterations"] == 0
    assert (result["marginal_curtailment"] == 0.0).all()
    balance = result["p_mw"].sum() + result["unit_p_mw"].sum() - result["load_p_mw"].sum()
    assert balance.item() == pytest.approx(result["losses_mw"].item(), abs=1e-9)


def test_marginal_cost_contains_losses() -> None:
    grid = feeder([(1, 1.0)])
    generation, load = inputs(grid, [[0.0]], [[0.0, 1.0]])
    result = dispatch_ac(grid, generation, load=load).isel(time=0)
    step = 1e-4
    more = inputs(grid, [[0.0]], [[0.0, 1.0 + step]])[1]
    dearer = dispatch_ac(grid, generation, load=more).isel(time=0)
    rise = (dearer["cost"] - result["cost"]).item() / step
    assert result["marginal_cost_per_mwh"].sel(bus="b1").item() == pytest.approx(rise, rel=1e-4)
    assert rise > 50.0 * 1.05
    assert result["marginal_cost_per_mwh"].sel(bus="b0").item() == pytest.approx(50.0)


def test_units_at_one_bus_share_in_proportion_to_what_they_have() -> None:
    grid = feeder([(1, 3.0), (1, 3.0)])
    generation, load = inputs(grid, [[2.0, 1.0]])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=1.05).isel(time=0)
    share = result["curtailed_p_mw"].to_numpy() / np.array([2.0, 1.0])
    assert share[0] == pytest.approx(share[1], rel=1e-12)
    assert share[0] > 0.1


def test_the_far_end_is_held_back_first_because_it_relieves_most() -> None:
    grid = feeder([(1, 1.0), (2, 1.0), (3, 1.0)], parents=(0, 1, 2))
    generation, load = inputs(grid, [[0.6, 0.6, 0.6]])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=1.1).isel(time=0)
    assert result["curtailed_p_mw"].to_numpy()[:2] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert result["curtailed_p_mw"].to_numpy()[2] > 0.0


def test_consuming_reactive_power_lets_more_through_and_no_more_than_needed_is_chosen() -> None:
    generation, load = inputs(grid := feeder([(1, 3.0)]), [[1.5]])
    limit = {"vm_max_pu": 1.05}
    plain, underexcited, chosen = (
        dispatch_ac(grid, generation, load=load, **limit, **options).isel(time=0)
        for options in ({}, {"unit_tan_phi": -0.329}, {"unit_q_range": 0.8})
    )
    assert plain["curtailed_p_mw"].item() > underexcited["curtailed_p_mw"].item() + 0.1
    assert underexcited["unit_q_mvar"].item() == pytest.approx(-0.329 * underexcited["unit_p_mw"].item())
    assert chosen["curtailed_p_mw"].item() == pytest.approx(0.0, abs=1e-6)
    assert chosen["vm_pu"].sel(bus="b1").item() == pytest.approx(1.05, abs=1e-6)
    assert -0.8 * 1.5 < chosen["unit_q_mvar"].item() < 0.0


def test_an_export_that_costs_is_left_in_market_but_not_in_priority() -> None:
    grid = feeder([(1, 3.0)], export_per_mwh=-20.0)
    generation, load = inputs(grid, [[1.0]], [[0.0, 0.4]])
    market = dispatch_ac(grid, generation, load=load, objective="market").isel(time=0)
    priority = dispatch_ac(grid, generation, load=load).isel(time=0)
    assert market["unit_p_mw"].item() == pytest.approx(0.4, abs=1e-6)
    assert market["curtailed_oversupply_p_mw"].item() == pytest.approx(0.6, abs=1e-6)
    assert "lmp_per_mwh" in market
    assert priority["curtailed_p_mw"].item() == 0.0


@st.composite
def cases(draw: st.DrawFn) -> tuple[Grid, list[list[float]], list[list[float]], float]:
    """A tree with units and loads; over steps, what is available and the loads; a voltage limit."""
    n, n_step = draw(st.integers(2, 6)), 6
    parents = [draw(st.integers(0, k)) for k in range(n)]
    number = st.floats(0.1, 1.0)
    at = [draw(st.integers(1, n)) for _ in range(draw(st.integers(1, 5)))]
    available = [[draw(number) for _ in at] for _ in range(n_step)]
    nominal = {k: (draw(number) / 2, draw(number) / 6) for k in range(1, n + 1)}
    rate = draw(st.sampled_from([0.8, 1.5, np.inf]))
    grid = feeder(
        [(bus, 1.0) for bus in at],
        parents=parents,
        load=nominal,
        rate_mw=rate,
        export_mw=draw(st.sampled_from([0.3, 5.0])),
        r_pu=draw(st.sampled_from([0.02, 0.05])),
    )
    load = [[0.0] + [draw(st.floats(0.0, 0.5)) for _ in range(n)] for _ in range(n_step)]
    return grid, available, load, draw(st.sampled_from([1.01, 1.02, 1.04]))


@given(case=cases())
@settings(max_examples=8)
def test_results_keep_all_limits_in_the_full_ac_power_flow_and_causes_add_up(
    case: tuple[Grid, list[list[float]], list[list[float]], float],
) -> None:
    grid, available, load_p, vm_max = case
    generation, load = inputs(grid, available, load_p)
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=vm_max)
    checked = power_flow(grid, result, vm_limits_pu=(0.9, vm_max))
    free = checked["bus"] != "b0"
    assert checked["vm_pu"].where(free).max() <= vm_max + 1e-6
    assert checked["loading_percent"].max() <= 100.0 + 1e-4
    assert np.abs(checked["slack_p_mw"]).max() < 1e-5
    np.testing.assert_allclose(checked["vm_pu"], result["vm_pu"], atol=1e-7)
    np.testing.assert_allclose(checked["losses_mw"], result["losses_mw"], atol=1e-6)
    parts = sum(result[f"curtailed_{cause}_p_mw"] for cause in CAUSES)
    np.testing.assert_allclose(parts, result["curtailed_p_mw"], atol=1e-12)
    assert result["converged"].all()


@given(case=cases())
@settings(max_examples=8)
def test_marginal_curtailment_is_the_difference_of_dispatches_solved_again(
    case: tuple[Grid, list[list[float]], list[list[float]], float],
) -> None:
    grid, available, load_p, vm_max = case
    step, n = 2e-4, len(load_p[0])
    # The first step as it is, and with a little more load at one bus after the other.
    generation, load = inputs(grid, [available[0]] * (n + 1), [load_p[0]] * (n + 1))
    extra = load.copy(data=step * np.eye(n + 1, n, -1))
    result = dispatch_ac(grid, generation, load=load, flexible_load=extra, vm_max_pu=vm_max)
    curtailed = result["curtailed_p_mw"].sum("unit").to_numpy()
    told = result["marginal_curtailment"].sel(bus=load["bus"]).to_numpy()
    for k in range(n):
        difference = (curtailed[0] - curtailed[k + 1]) / step
        # A limit reached on the way makes the difference lie between the derivatives before and after.
        low, high = sorted((told[0, k], told[k + 1, k]))
        assert low - 0.01 <= difference <= high + 0.01


def as_opf(grid: Grid, available: list[float], load_p: list[float], vm_max: float) -> pp.pandapowerNet:
    """The same step for pandapower's own optimal power flow: as much infeed as voltages allow."""
    net = copy.deepcopy(grid.net)
    order = [f"b{k}" for k in range(len(load_p))]
    nominal = grid.buses.loc[order]
    net.load = net.load.iloc[:0]
    for name, p_mw in zip(order, load_p, strict=True):
        row = nominal.loc[name]
        ratio = row["load_q_mvar"] / row["load_p_mw"] if row["load_p_mw"] > 0 else 0.0
        pp.create_load(net, int(row["pp_index"]), p_mw, p_mw * ratio)
    net.gen["in_service"] = False
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = 0.9, vm_max
    net.ext_grid["min_p_mw"], net.ext_grid["max_p_mw"] = -100.0, 100.0
    net.ext_grid["min_q_mvar"], net.ext_grid["max_q_mvar"] = -100.0, 100.0
    net.sgen["controllable"], net.sgen["min_p_mw"] = True, 0.0
    net.sgen["max_p_mw"] = [available[int(str(name)[1:])] for name in net.sgen["name"]]
    net.sgen["min_q_mvar"] = net.sgen["max_q_mvar"] = 0.0
    for index in net.sgen.index:
        pp.create_poly_cost(net, index, "sgen", cp1_eur_per_mw=-1.0)
    return net


@pytest.mark.parametrize("vm_max", [1.02, 1.06])
def test_infeed_is_that_of_pandapowers_interior_point_optimal_power_flow(vm_max: float) -> None:
    units = [(2, 1.0), (3, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)]
    grid = feeder(units, parents=(0, 1, 2, 2, 0, 5), load={1: (0.2, 0.06), 5: (0.2, 0.06)})
    available, load_p = [0.9, 0.7, 0.8, 0.5, 0.9], [0.0, 0.3, 0.0, 0.0, 0.0, 0.2, 0.0]
    net, tight = as_opf(grid, available, load_p, vm_max), 1e-10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower's own remarks
        pp.runopp(net, init="flat", PDIPM_COSTTOL=tight, PDIPM_GRADTOL=tight, PDIPM_COMPTOL=tight)
    generation, load = inputs(grid, [available], [load_p])
    result = dispatch_ac(grid, generation, load=load, vm_max_pu=vm_max).isel(time=0)
    assert result["curtailed_p_mw"].sum() > 1.0
    np.testing.assert_allclose(result["unit_p_mw"], net.res_sgen["p_mw"], atol=1e-5)


@pytest.fixture(scope="module")
def several() -> tuple[Grid, xr.Dataset, xr.DataArray]:
    """A feeder over steps that curtail nothing, for voltage and for congestion."""
    grid = feeder([(1, 1.0), (2, 1.0), (3, 1.0)], parents=(0, 1, 1), rate_mw=1.2)
    share = np.linspace(0.0, 1.0, 11)[:, None]
    return grid, *inputs(
        grid, (share * [1.0, 0.8, 0.9]).tolist(), np.tile([0.0, 0.1, 0.1, 0.2], (11, 1)).tolist()
    )


def test_results_are_the_same_to_the_bit_however_time_is_cut_up(
    several: tuple[Grid, xr.Dataset, xr.DataArray],
) -> None:
    grid, generation, load = several
    done: list[tuple[int, int]] = []
    options = {"load": load, "vm_max_pu": 1.04}
    whole = dispatch_ac(grid, generation, **options)
    pieces = dispatch_ac(grid, generation, **options, chunk_steps=3, progress=lambda *p: done.append(p))
    xr.testing.assert_identical(whole, pieces)
    assert done == [(3, 11), (6, 11), (9, 11), (11, 11)]
    assert 0 < (whole["iterations"] > 0).sum() < 11


def test_workers_give_the_same_bits(several: tuple[Grid, xr.Dataset, xr.DataArray]) -> None:
    grid, generation, load = several
    options = {"load": load, "vm_max_pu": 1.04}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        remote = dispatch_ac(grid, generation, **options, chunk_steps=4, client=client)
    xr.testing.assert_identical(dispatch_ac(grid, generation, **options), remote)


def test_results_do_not_depend_on_the_order_of_tables() -> None:
    nominal = {k: (0.1, 0.03) for k in range(1, 5)}
    shape = {"parents": (0, 1, 1, 3), "load": nominal, "rate_mw": 1.6}
    units = [(1, 1.0), (2, 1.0), (4, 1.0), (4, 1.0)]
    available, load_p = [0.8, 0.9, 0.6, 0.3], [0.0, 0.1, 0.1, 0.0, 0.1]
    results = []
    for order in (None, (3, 0, 4, 2, 1)):
        grid = feeder(units, order=order, **shape)
        generation, load = inputs(grid, [available], [load_p])
        results.append(dispatch_ac(grid, generation, load=load, vm_max_pu=1.03))
    again = results[1].reindex_like(results[0])
    assert results[0]["curtailed_p_mw"].sum() > 0.5
    for name in ("curtailed_p_mw", "curtailed_voltage_p_mw", "vm_pu", "marginal_curtailment", "line_p_mw"):
        np.testing.assert_allclose(again[name], results[0][name], atol=1e-6)


def test_a_step_whose_full_infeed_has_no_power_flow_is_dispatched_from_less() -> None:
    grid = feeder([(1, 100.0)], r_pu=0.3, x_pu=0.4)
    generation, load = inputs(grid, [[60.0]])
    net = copy.deepcopy(grid.net)
    net.sgen["p_mw"] = 60.0
    with pytest.raises(pp.LoadflowNotConverged):
        pp.runpp(net)
    result = dispatch_ac(grid, generation, load=load).isel(time=0)
    assert result["vm_pu"].sel(bus="b1").item() == pytest.approx(1.1, abs=1e-6)
    assert result["converged"]


def test_a_limit_nothing_can_keep_is_told_in_words() -> None:
    grid = feeder([(1, 1.0)], load={1: (0.0, -1.0)})
    generation, load = inputs(grid, [[0.5]])
    with pytest.warns(UserWarning, match=r"1 of 1 steps keep no AC limits .* bus 'b1' is at 1\.0[23]\d* pu"):
        result = dispatch_ac(grid, generation, load=load, vm_max_pu=1.02)
    assert result["violation_pu"].item() > 0.005
    assert result["unit_p_mw"].item() == pytest.approx(0.0, abs=1e-6)


def test_interchanges_hold_the_angle_of_their_bus() -> None:
    base = feeder([(1, 2.0)], parents=(0, 1), load={1: (0.5, 0.0)})
    gens = pd.concat([base.generators, base.generators.assign(bus="b2").set_axis(["other"])])
    segments = pd.concat([base.segments, base.segments.assign(gen="other")], ignore_index=True)
    grid = make_grid(
        name="two",
        buses=base.buses,
        lines=base.lines,
        generators=gens,
        segments=segments,
        units=base.units,
        base_mva=1.0,
        f_hz=50.0,
    )
    generation, load = inputs(grid, [[1.2]], [[0.0, 0.5, 0.0]])
    stiff = dispatch_ac(grid, generation, load=load).isel(time=0)
    # Both ends at the same voltage and angle: two equal lines share what is exported.
    assert stiff["p_mw"].sel(gen="beyond").item() == pytest.approx(stiff["p_mw"].sel(gen="other").item())
    assert stiff["p_mw"].sum().item() == pytest.approx(-0.7 + stiff["losses_mw"].item(), abs=1e-7)
    free = dispatch_ac(grid, generation, load=load, stiff_interchanges=False).isel(time=0)
    assert free["losses_mw"] <= stiff["losses_mw"] + 1e-5


def test_a_week_of_a_simbench_grid_keeps_its_limits_in_the_full_power_flow() -> None:
    pytest.importorskip("simbench", reason="SimBench's grids come with the extra 'grids'")
    grid = load_grid("simbench", code="1-MV-rural--0-no_sw")
    time = pd.date_range("2016-01-04", periods=7 * 96, freq="15min", tz="Etc/GMT-1")
    generation = grid.recorded(time).to_dataset(name="available_p_mw")
    result = dispatch_ac(grid, generation, vm_max_pu=1.055, vm_min_pu=0.965)
    checked = power_flow(grid, result, vm_limits_pu=(0.965, 1.055))
    assert checked["vm_pu"].max() <= 1.055 + 1e-6
    assert checked["loading_percent"].max() <= 100.0
    assert result["converged"].all()
    curtailing = result["curtailed_voltage_p_mw"].sum("unit") > 1e-3
    assert 0.02 < curtailing.mean() < 0.5
    np.testing.assert_allclose(result["vm_pu"].max("bus").where(curtailing, 1.055), 1.055, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "cheap"}, "'cheap' is unknown; use one of priority, market"),
        ({"vm_min_pu": 1.1, "vm_max_pu": 1.0}, r"vm_min_pu=1\.1 is not below vm_max_pu=1"),
        (
            {"vm_max_pu": float("nan")},
            "vm_max_pu: has values such as nan; give limits above 0 and below 2 pu",
        ),
        ({"vm_max_pu": {"b7": 1.05}}, "bus 'b7': does not exist"),
        ({"loading_max_percent": 0.0}, "loading_max_percent: is 0 %"),
        ({"unit_q_range": -1.0}, "unit_q_range: is -1 Mvar/MW"),
        ({"chunk_steps": 0}, "chunk_steps: is 0"),
        ({"vm_max_pu": 110.0}, "vm_max_pu: has values such as 110"),
        ({"flexible_tan_phi": np.nan}, "flexible_tan_phi: is nan"),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, object], message: str) -> None:
    generation, load = inputs(grid := feeder([(1, 1.0)]), [[0.5]])
    with pytest.raises(InputError, match=message):
        dispatch_ac(grid, generation, load=load, **options)
