from __future__ import annotations

import copy
import pickle

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from grid_models import Grid, assert_valid_grid, load_grid
from grid_models.catalog.rts_gmlc import read_table
from weather import InputError

YEAR = pd.date_range("2020-01-01T08:00Z", periods=8784, freq="h")


@pytest.fixture(scope="module")
def rts() -> Grid:
    return load_grid("rts_gmlc")


def test_everything_of_the_source_is_there(rts: Grid) -> None:
    assert_valid_grid(rts)
    assert len(rts.buses) == 73
    assert rts.lines["kind"].value_counts().to_dict() == {"line": 104, "trafo": 16}
    assert rts.lines.duplicated(["from_bus", "to_bus"]).sum() == 12
    assert rts.units["technology"].value_counts().to_dict() == {
        "rtpv": 31,
        "pv": 25,
        "hydro": 20,
        "wind": 4,
        "csp": 1,
    }
    capacity = rts.units.groupby("technology")["p_nom_mw"].sum()
    np.testing.assert_allclose(capacity[["wind", "pv", "rtpv"]], [2507.9, 1554.5, 1161.4])
    assert rts.links.to_dict("index") == {"DC1": {"from_bus": "113", "to_bus": "316", "p_max_mw": 100.0}}
    assert rts.generators["fuel"].value_counts().to_dict() == {
        "gas": 37,
        "oil": 19,
        "coal": 16,
        "none": 3,
        "nuclear": 1,
    }
    assert rts.storage.loc["313_STORAGE_1", ["p_max_mw", "e_max_mwh", "efficiency"]].tolist() == [
        50,
        150,
        0.85,
    ]


def test_a_ratio_of_one_is_a_transformer_between_equal_voltages(rts: Grid) -> None:
    c35 = rts.lines.loc["C35"]
    assert (c35["kind"], c35["from_bus"], c35["to_bus"], c35["tap_ratio"]) == ("trafo", "323", "325", 1.0)
    assert c35["b_pu"] == pytest.approx(1 / 0.009)
    assert rts.lines.loc["A7", "b_pu"] == pytest.approx(1 / (0.084 * 1.015))


def test_ac_power_flow_repeats_the_set_points_of_the_source(rts: Grid) -> None:
    # The source gives balanced set-points: what the reference bus adds is rounding (losses are 154 MW).
    net = copy.deepcopy(rts.net)
    pp.runpp(net, init="dc", calculate_voltage_angles=True, numba=False)
    assert net.converged
    assert abs(net.res_ext_grid["p_mw"].item()) < 0.01
    assert net.res_line["pl_mw"].sum() + net.res_trafo["pl_mw"].sum() == pytest.approx(153.97, abs=0.01)
    reactive = net.res_gen["q_mvar"].groupby(net.gen["bus"].to_numpy()).sum()
    for end in ("from", "to"):
        buses = net.dcline[f"{end}_bus"]
        reactive[buses] -= net.res_dcline[f"q_{end}_mvar"].to_numpy()
    reactive[net.ext_grid["bus"]] += net.res_ext_grid["q_mvar"].to_numpy()
    source = read_table("gen").groupby("Bus ID")["MVAR Inj"].sum()
    theirs = source[[int(rts.buses.index[i]) for i in reactive.index]]
    # Voltages are given to four digits: 5e-5 pu over a reactance of 0.014 pu is 0.4 Mvar at each end.
    np.testing.assert_allclose(reactive, theirs, atol=1.0)


def test_costs_of_a_unit_that_must_run_lie_above_its_minimum() -> None:
    grid = load_grid("rts_gmlc", must_run=("nuclear", "coal"))
    unit = grid.generators.loc["101_STEAM_3"]
    # 30 MW at 13,270 BTU/kWh, 2.11399 USD/MMBTU and 210 lb/MMBTU; then 6713, 8028 and 8549 BTU/kWh.
    assert unit["no_load_cost_per_h"] == pytest.approx(30 * 13.270 * 2.11399, rel=1e-5)
    assert unit["no_load_co2_kg_per_h"] == pytest.approx(30 * 13.270 * 210 * 0.45359237, rel=1e-5)
    segments = grid.segments[grid.segments["gen"] == "101_STEAM_3"]
    np.testing.assert_allclose(segments["cost_per_mwh"], np.array([6.713, 8.028, 8.549]) * 2.11399)
    assert segments["p_mw"].sum() == pytest.approx(46.0)
    assert grid.generators.groupby("fuel")["must_run"].all().to_dict() == {
        "coal": True,
        "gas": False,
        "nuclear": True,
        "none": False,
        "oil": False,
    }


def test_costs_of_a_unit_that_may_stand_still_are_its_average_at_full_output(rts: Grid) -> None:
    segments = rts.segments[rts.segments["gen"] == "101_STEAM_3"]
    shares = np.array([0.394737, 0.596491 - 0.394737, 0.798246 - 0.596491, 1 - 0.798246])
    average = shares @ np.array([13.270, 6.713, 8.028, 8.549])
    assert segments["p_mw"].tolist() == [76.0]
    assert segments["cost_per_mwh"].item() == pytest.approx(average * 2.11399)
    assert segments["co2_kg_per_mwh"].item() == pytest.approx(average * 210 * 0.45359237)


def test_load_is_that_of_the_areas_shared_by_nominal_load(rts: Grid) -> None:
    load = rts.load(YEAR)
    assert load.dims == ("time", "bus")
    first = load.isel(time=0).to_series().groupby(rts.buses["area"]).sum()
    np.testing.assert_allclose(first, [985.0197922, 1102.675901, 1249.636191])
    assert float(load.sel(bus="101")[0]) == pytest.approx(985.0197922 * 108 / 2850)
    assert float(load.sum()) / 1e6 == pytest.approx(37.656, abs=0.001)


def test_recorded_series_are_on_utc_minus_eight_in_the_order_of_the_units(rts: Grid) -> None:
    wind = rts.recorded(YEAR, ("wind",))
    assert wind["unit"].to_numpy().tolist() == [u for u in rts.units.index if "WIND" in u]
    assert float(wind.sel(unit="309_WIND_1", time="2020-01-01T08:00")) == 142.8
    # Sun at 115° W stands highest near 19:40 UTC; with the clock in UTC−7 or local UTC it would be hours off.
    solar = rts.recorded(YEAR, ("rtpv",)).sum("unit").groupby("time.hour").mean()
    centre = float(
        (solar * (solar["hour"] + 0.5)).sel(hour=slice(12, 23)).sum() / solar.sel(hour=slice(12, 23)).sum()
    )
    assert 19.0 < centre < 20.5


def test_real_time_means_are_those_of_the_five_minute_values(rts: Grid) -> None:
    fine = rts.recorded(pd.date_range("2020-06-10T00:00Z", periods=288, freq="5min"), series="real_time")
    hourly = rts.recorded(pd.date_range("2020-06-10T00:00Z", periods=24, freq="h"), series="real_time")
    np.testing.assert_allclose(fine.to_numpy().reshape(24, 12, -1).mean(axis=1), hourly, atol=1e-9)
    assert (fine["unit"] == list(rts.units.index)).all()


@pytest.mark.parametrize("series", ["day_ahead", "real_time"])
def test_no_unit_has_more_than_its_nominal_power(rts: Grid, series: str) -> None:
    available = rts.recorded(YEAR, series=series)
    assert float(available.min()) >= 0
    assert (available.max("time") <= rts.units["p_nom_mw"].to_numpy() + 1e-9).all()


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (
            pd.date_range("2019-12-31T00:00Z", periods=4, freq="h"),
            "2020-01-01 08:00:00.* to 2021-01-01 08:00:00",
        ),
        (pd.date_range("2021-01-01T06:00Z", periods=3, freq="h"), "leaves the recorded span"),
        (
            pd.date_range("2020-02-01T00:00Z", periods=4, freq="15min"),
            "step of 900 s, but the day_ahead series",
        ),
        (pd.date_range("2020-02-01T00:30Z", periods=4, freq="h"), "does not begin with a recorded step"),
        (pd.date_range("2020-02-01", periods=4, freq="h"), "naive"),
    ],
)
def test_time_the_source_does_not_have_is_refused(rts: Grid, time: pd.DatetimeIndex, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rts.load(time)


def test_scales_multiply_capacity_and_series(rts: Grid) -> None:
    scaled = load_grid("rts_gmlc", wind_scale=2.0, pv_scale=1.5, line_rating_factor=0.7)
    time = YEAR[4000:4024]
    ratio = {"wind": 2.0, "pv": 1.5, "rtpv": 1.0, "hydro": 1.0, "csp": 1.0}
    factor = rts.units["technology"].map(ratio).to_numpy()
    np.testing.assert_allclose(scaled.units["p_nom_mw"], rts.units["p_nom_mw"] * factor)
    np.testing.assert_allclose(scaled.recorded(time), rts.recorded(time) * factor)
    np.testing.assert_allclose(scaled.lines["rate_lte_mw"], rts.lines["rate_lte_mw"] * 0.7)


def test_a_connection_limit_adds_a_radial_line_with_no_load(rts: Grid) -> None:
    grid = load_grid("rts_gmlc", hvdc=False, connection_limit_mw={"303_WIND_1": 500.0})
    assert grid.links.empty
    assert grid.units.loc["303_WIND_1", "bus"] == "303_WIND_1_terminal"
    line = grid.lines.loc["303_WIND_1_connection"]
    assert (line["to_bus"], line["rate_mw"]) == ("303", 500.0)
    column = grid.ptdf[:, grid.bus_index(["303_WIND_1_terminal"])[0]]
    np.testing.assert_allclose(column[:-1], rts.ptdf[:, rts.bus_index(["303"])[0]], atol=1e-9)
    assert column[-1] == pytest.approx(1.0)
    assert float(grid.load(YEAR[:2]).sum()) == pytest.approx(float(rts.load(YEAR[:2]).sum()))


def test_options_without_meaning_are_refused_together() -> None:
    with pytest.raises(InputError) as error:
        load_grid("rts_gmlc", must_run=("wood",), wind_scale=-1.0, line_rating_factor=float("nan"))
    assert [f.where for f in error.value.findings] == ["must_run", "line_rating_factor", "wind_scale"]
    with pytest.raises(InputError, match=r"windscale: is no option.*options are name, must_run"):
        load_grid("rts_gmlc", windscale=2.0)
    with pytest.raises(InputError, match=r"'ieee' is unknown.*rts_gmlc"):
        load_grid("ieee")


def test_a_grid_travels_to_another_process_without_its_net(rts: Grid) -> None:
    net = rts.net
    twin = pickle.loads(pickle.dumps(rts))
    assert "net" not in vars(twin)
    assert twin.fingerprint() == rts.fingerprint()
    assert len(twin.net.bus) == len(net.bus)
    assert load_grid("rts_gmlc", wind_scale=1.1).fingerprint() != rts.fingerprint()
