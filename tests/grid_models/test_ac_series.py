from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import pandapower as pp
import pandapower.networks as networks
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from pandapower.toolbox import nets_equal

import grid_models.ac_network
from grid_models import Injections, ac_series
from grid_models.ac_network import AcNetwork
from grid_models.ac_parity import sampled_steps
from weather import InputError

FACTORS = np.array([0.7, 1.0, 0.9, 1.05])


def run(net: pp.pandapowerNet) -> pp.pandapowerNet:
    """The reference: pandapower with its own solver."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
        pp.runpp(net, lightsim2grid=False)
    return net


def scaled(net: pp.pandapowerNet, factors: np.ndarray = FACTORS, *, seed: int = 0) -> Injections:
    """All loads and generators of a net times a factor per step and a random one per element."""
    rng = np.random.default_rng(seed)

    def series(element: str, column: str) -> np.ndarray:
        base = net[element][column].to_numpy(dtype=float)
        return base * factors[:, None] * rng.uniform(0.95, 1.05, (len(factors), len(base)))

    return Injections(
        load_p_mw=series("load", "p_mw"), load_q_mvar=series("load", "q_mvar"), gen_p_mw=series("gen", "p_mw")
    )


def assert_equals_runpp(net: pp.pandapowerNet, points: Injections, solved: xr.Dataset, step: int) -> None:
    """Every result of a step is what runpp finds with its set-points."""
    reference = copy.deepcopy(net)
    for element, column, values in points.given():
        reference[element][column] = values[step]
    run(reference)
    at = solved.isel(time=step)
    np.testing.assert_allclose(at["vm_pu"], reference.res_bus["vm_pu"], atol=1e-7)
    np.testing.assert_allclose(at["va_degree"], reference.res_bus["va_degree"], atol=1e-5)
    for column in ("loading_percent", "p_from_mw", "q_from_mvar"):
        np.testing.assert_allclose(at[f"line_{column}"], reference.res_line[column], atol=1e-4)
    for column in ("loading_percent", "p_hv_mw", "q_hv_mvar", "p_lv_mw", "q_lv_mvar"):
        np.testing.assert_allclose(at[f"trafo_{column}"], reference.res_trafo[column], atol=1e-4)
    branches = [t for t in ("line", "trafo", "trafo3w", "impedance") if len(reference[f"res_{t}"])]
    losses = sum(reference[f"res_{table}"]["pl_mw"].sum() for table in branches)
    assert at["slack_p_mw"].item() == pytest.approx(reference.res_ext_grid["p_mw"].sum(), abs=1e-4)
    if not len(reference.xward):  # has a branch of its own, which pandapower does not list
        assert at["losses_mw"].item() == pytest.approx(losses, abs=1e-4)


@pytest.mark.parametrize("case", ["case14", "case39", "case118", "example_multivoltage"])
def test_every_step_is_what_runpp_finds(case: str) -> None:
    # case118 has transformers with negative no-load current; the last has three windings, switches, wards.
    net = getattr(networks, case)()
    points = scaled(net)
    solved = ac_series(net, points, parity_steps=2)
    assert solved.attrs["engine"] == "lightsim2grid"
    assert solved.attrs["parity_pu"] < 1e-6
    assert solved.attrs["parity_compared"] == 3
    assert solved.attrs["mismatch_mva"] < 1e-3
    assert solved["converged"].all()
    for step in (0, 2):
        assert_equals_runpp(net, points, solved, step)


def feeder(
    *, load_mw: float = 0.0, length_km: float = 10.0, r: float = 0.1, x: float = 0.4
) -> pp.pandapowerNet:
    """A source at 110 kV, a line, a load. [MW], [km], [ohm/km]"""
    net = pp.create_empty_network(name="feeder", sn_mva=100.0)
    for k in range(2):
        pp.create_bus(net, 110.0, name=f"b{k}")
    pp.create_ext_grid(net, 0, vm_pu=1.0)
    pp.create_line_from_parameters(net, 0, 1, length_km, r, x, 0.0, max_i_ka=0.5)
    pp.create_load(net, 1, load_mw, 0.0)
    return net


def far_voltage(p_mw: float, r_ohm: float, x_ohm: float) -> float:
    """Upper solution of V⁴ − (V₀² − 2 R P) V² + (R² + X²) P² = 0 for 110 kV sent, no reactive load. [pu]"""
    half = (110.0**2 - 2 * r_ohm * p_mw) / 2
    return float(np.sqrt(half + np.sqrt(half**2 - (r_ohm**2 + x_ohm**2) * p_mw**2)) / 110.0)


def test_voltage_losses_and_loading_of_a_feeder_are_those_of_the_formula() -> None:
    powers = np.array([[20.0], [60.0], [100.0]])
    solved = ac_series(feeder(), Injections(load_p_mw=powers), parity_steps=1)
    for step, (power,) in enumerate(powers):
        vm_pu = far_voltage(power, 1.0, 4.0)
        current_ka = power / (np.sqrt(3) * 110.0 * vm_pu)
        losses = 3 * 1.0 * current_ka**2
        at = solved.isel(time=step)
        assert at["vm_pu"].to_numpy() == pytest.approx([1.0, vm_pu], abs=1e-8)
        assert at["line_loading_percent"].item() == pytest.approx(100 * current_ka / 0.5, rel=1e-7)
        assert at["losses_mw"].item() == pytest.approx(losses, rel=1e-6)
        assert at["slack_p_mw"].item() == pytest.approx(power + losses, rel=1e-8)
        assert at["slack_q_mvar"].item() == pytest.approx(3 * 4.0 * current_ka**2, rel=1e-6)


def test_a_step_beyond_the_greatest_transfer_has_no_solution_and_is_told() -> None:
    greatest = 110.0**2 / (2 * 4.0)  # V²/2X of a line without resistance, at a power factor of 1
    powers = np.array([[10.0], [1.01 * greatest], [0.99 * greatest], [10.0]])
    with pytest.warns(UserWarning, match=r"1 of 4 steps have no AC solution; the first is step 1"):
        solved = ac_series(feeder(r=0.0), Injections(load_p_mw=powers), parity_steps=1)
    assert solved["converged"].to_numpy().tolist() == [True, False, True, True]
    assert solved.attrs["not_converged"] == 1
    for name in solved.data_vars:
        if name != "converged":
            lost = np.asarray(solved[name].isel(time=1).to_numpy(), dtype=float)
            assert np.isnan(lost).all(), name
    assert np.isfinite(solved["vm_pu"].isel(time=[0, 2, 3])).all()
    np.testing.assert_array_equal(solved["vm_pu"][3], solved["vm_pu"][0])


def equipped() -> pp.pandapowerNet:
    """A meshed net with a lossy DC line, storage, static and scaled sources and elements out of service."""
    net = pp.create_empty_network(name="equipped", sn_mva=50.0)
    for _ in range(6):
        pp.create_bus(net, 110.0)
    pp.create_ext_grid(net, 0, vm_pu=1.02)
    for start, end in ((0, 1), (1, 2), (2, 3), (3, 0), (1, 3)):
        pp.create_line_from_parameters(
            net, start, end, 30.0, 0.06, 0.4, 9.0, max_i_ka=0.6, df=0.9, parallel=2
        )
    pp.create_line_from_parameters(net, 0, 2, 30.0, 0.06, 0.4, 9.0, max_i_ka=0.6, in_service=False)
    pp.create_load(net, 1, 50.0, 10.0, scaling=0.8)
    pp.create_load(net, 3, 20.0, 5.0, in_service=False)
    pp.create_load(net, 4, 20.0, 5.0)  # at a bus without any line
    pp.create_gen(net, 2, 30.0, vm_pu=1.01)
    pp.create_sgen(net, 3, 10.0, 2.0, scaling=0.5)
    pp.create_storage(net, 1, 5.0, max_e_mwh=10.0)
    pp.create_dcline(net, 2, 3, p_mw=8.0, loss_percent=4.0, loss_mw=0.5, vm_from_pu=1.01, vm_to_pu=1.0)
    pp.create_shunt(net, 3, q_mvar=-5.0, p_mw=0.3)
    net.bus.loc[5, "in_service"] = False
    return net


def equipped_points() -> Injections:
    return Injections(
        load_p_mw=np.array([[40.0, 1.0, 2.0], [70.0, 3.0, 4.0]]),
        load_q_mvar=np.array([[9.0, 1.0, 2.0], [12.0, 3.0, 4.0]]),
        gen_p_mw=np.array([[10.0], [40.0]]),
        sgen_p_mw=np.array([[3.0], [12.0]]),
        sgen_q_mvar=np.array([[1.0], [-2.0]]),
        storage_p_mw=np.array([[-4.0], [6.0]]),
        dcline_p_mw=np.array([[12.0], [-9.0]]),
    )


def test_every_kind_of_set_point_counts_as_in_pandapower() -> None:
    net, points = equipped(), equipped_points()
    solved = ac_series(net, points, parity_steps=1)
    assert solved.attrs["engine"] == "lightsim2grid"
    for step in range(2):
        reference = copy.deepcopy(net)
        for element, column, values in points.given():
            reference[element][column] = values[step]
        run(reference)
        at = solved.isel(time=step)
        np.testing.assert_allclose(at["vm_pu"], reference.res_bus["vm_pu"], atol=1e-8)
        np.testing.assert_allclose(
            at["line_loading_percent"], reference.res_line["loading_percent"].fillna(0.0), atol=1e-5
        )
        assert at["slack_p_mw"].item() == pytest.approx(reference.res_ext_grid["p_mw"].item(), abs=1e-5)
        assert at["source_q_mvar"][2].item() == pytest.approx(
            reference.res_gen["q_mvar"].item() - reference.res_dcline["q_from_mvar"].item(), abs=1e-5
        )


def test_what_has_no_voltage_is_nan_and_what_is_out_of_service_carries_nothing() -> None:
    solved = ac_series(equipped(), equipped_points(), parity_steps=1)
    assert np.isnan(solved["vm_pu"].sel(bus=[4, 5])).all()
    assert (solved["line_loading_percent"].sel(line=5) == 0.0).all()
    holds = np.isfinite(solved["source_q_mvar"]).all("time").to_numpy()
    assert holds.tolist() == [True, False, True, True, False, False]


def test_losses_are_the_flows_at_both_ends_and_close_the_balance() -> None:
    net, points = equipped(), equipped_points()
    solved = ac_series(net, points, parity_steps=1)
    forward = np.array([12.0 * 0.96 - 0.5 - 12.0, 9.0 * 0.96 - 0.5 - 9.0])  # what the DC line loses
    given = (
        points.gen_p_mw[:, 0]
        + 0.5 * points.sgen_p_mw[:, 0]
        - 0.8 * points.load_p_mw[:, 0]
        - points.storage_p_mw[:, 0]
        + forward
    )
    shunt = 0.3 * solved["vm_pu"].sel(bus=3).to_numpy() ** 2
    np.testing.assert_allclose(solved["slack_p_mw"] + given, solved["losses_mw"] + shunt, atol=1e-5)
    assert (solved["losses_mw"] > 0).all()


def test_results_do_not_depend_on_blocks_threads_or_workers() -> None:
    net = networks.case14()
    points = scaled(net, np.linspace(0.6, 1.1, 23))
    whole = ac_series(net, points, parity_steps=1)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for options in ({"block_steps": 5}, {"threads": 2}, {"block_steps": 7, "client": client}):
            xr.testing.assert_identical(ac_series(net, points, parity_steps=1, **options), whole)


def test_a_conversion_that_is_off_is_refused_and_runpp_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    net = networks.case14()
    points = scaled(net)
    right = grid_models.ac_network.read_network

    def wrong(solved: pp.pandapowerNet) -> AcNetwork:
        network = right(solved)
        return replace(network, ratio=network.ratio * 1.001)

    monkeypatch.setattr(grid_models.ac_network, "read_network", wrong)
    with pytest.raises(InputError, match=r"lightsim2grid is refused: its voltages differ .* by \S+ pu"):
        ac_series(net, points, engine="lightsim2grid", parity_steps=1)
    with pytest.warns(UserWarning, match=r"refused .*runpp solves every step instead: \d+ ms a step"):
        solved = ac_series(net, points, parity_steps=1)
    assert solved.attrs["engine"] == "pandapower"
    assert solved.attrs["parity_pu"] > 1e-6
    assert_equals_runpp(net, points, solved, 3)


def test_two_references_are_left_to_runpp() -> None:
    net = equipped()
    pp.create_ext_grid(net, 3, vm_pu=1.0)
    with pytest.warns(UserWarning, match="it has 2 reference nodes"):
        solved = ac_series(net, equipped_points(), parity_steps=1)
    assert solved.attrs["engine"] == "pandapower"
    assert np.isnan(solved.attrs["parity_pu"])
    assert solved.attrs["mismatch_mva"] < 1e-5


def test_both_engines_agree_and_the_reference_needs_no_gate() -> None:
    net, points = equipped(), equipped_points()
    fast, slow = (ac_series(net, points, engine=e, parity_steps=1) for e in ("lightsim2grid", "pandapower"))
    assert slow.attrs["engine"] == "pandapower"
    for name in fast.data_vars:
        if name not in ("mismatch_mva", "converged"):
            np.testing.assert_allclose(fast[name], slow[name], atol=1e-5, err_msg=str(name))


def test_a_base_case_without_solution_is_no_obstacle() -> None:
    net = feeder(load_mw=1e5)
    net.load.loc[0, "q_mvar"] = 7.0
    solved = ac_series(net, Injections(load_p_mw=np.array([[20.0], [30.0]])), parity_steps=1)
    expected = feeder()
    expected.load.loc[0, ["p_mw", "q_mvar"]] = 30.0, 7.0
    np.testing.assert_allclose(solved["vm_pu"][1], run(expected).res_bus["vm_pu"], atol=1e-8)


def test_a_net_that_cannot_even_idle_is_refused() -> None:
    net = feeder(r=0.4, x=0.001)
    pp.create_gen(net, 1, 0.0, vm_pu=1.5)  # without reactance nothing can flow up to a higher voltage
    with pytest.raises(InputError, match="converges neither in the base case nor without any load"):
        ac_series(net, Injections(load_p_mw=np.array([[1.0]])))


def test_a_net_that_pandapower_refuses_is_refused_with_its_reason() -> None:
    net = feeder()
    pp.create_gen(net, 0, 0.0, vm_pu=1.1)  # the reference there holds 1.0 pu
    with pytest.raises(InputError, match="runpp refuses it: Voltage controlling elements"):
        ac_series(net, Injections(load_p_mw=np.array([[1.0]])))


def test_loads_that_follow_the_voltage_are_refused() -> None:
    net = feeder(load_mw=10.0)
    net.load["const_z_p_percent"] = 30.0
    with pytest.raises(InputError, match=r"1 bus\(es\) have loads of constant current or impedance"):
        ac_series(net, Injections(load_p_mw=np.array([[1.0]])))


def test_the_net_is_left_as_it_is() -> None:
    net = equipped()
    before = copy.deepcopy(net)
    ac_series(net, equipped_points(), parity_steps=1)
    assert nets_equal(net, before)
    assert len(net.res_bus) == len(before.res_bus)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (Injections(), "none are given"),
        (Injections(load_p_mw=np.ones((2, 5))), r"shape \(2, 5\), but the net has 1 load row"),
        (Injections(load_p_mw=np.ones(1)), r"shape \(1,\)"),
        (Injections(load_p_mw=np.array([[1.0], [np.nan]])), "nan in step 1"),
        (Injections(load_p_mw=np.ones((0, 1))), "has no step"),
        (
            Injections(load_p_mw=np.ones((2, 1)), load_q_mvar=np.ones((3, 1))),
            "differ .load_p_mw: 2, load_q_mvar: 3",
        ),
    ],
)
def test_set_points_that_do_not_fit_are_named(points: Injections, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ac_series(feeder(), points)


def test_options_without_meaning_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        ac_series(feeder(), Injections(load_p_mw=np.ones((1, 1))), engine="fast", threads=0, block_steps=0)  # type: ignore[arg-type]
    assert len(caught.value.findings) == 3


def test_the_steps_compared_include_the_extremes() -> None:
    power = np.array([5.0, 3.0, 9.0, 4.0, 1.0, 6.0, 7.0])[:, None]
    assert sampled_steps(Injections(load_p_mw=power), 5).tolist() == [1, 2, 3, 4, 5]
    assert sampled_steps(Injections(load_p_mw=power), 1).tolist() == [2]
    assert sampled_steps(Injections(load_q_mvar=power[:4]), 3).tolist() == [0, 2]
