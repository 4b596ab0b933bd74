"""Signals and windows as they were forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from grid_models import (
    DispatchEngine,
    available_at,
    dispatch,
    forecast_signals,
    forecast_windows,
    latest_at,
    signals,
    window_outlook,
    windows,
)
from tests.grid_models.grids import labelled, small_grid
from weather import InputError, SolverError

SITES = pd.DataFrame({"bus": ["b0", "b1", "b1"]}, index=["near", "far", "farther"])
SITE_MAX = xr.DataArray([30.0, 30.0, 60.0], dims="site", coords={"site": list(SITES.index)})
INIT = np.array(["2020-06-01T00:00", "2020-06-01T02:00"], dtype="datetime64[ns]")
LEAD = np.arange(3) * np.timedelta64(3600, "s").astype("timedelta64[ns]")
LOAD_MW = (60.0, 10.0)


@pytest.fixture(scope="module")
def engine() -> DispatchEngine:
    """Wind of 80 MW at b1 behind a line of 25 MW."""
    grid = small_grid(
        2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=[(1, "wind", 80.0)], co2=[500.0]
    )
    return DispatchEngine(grid)


def generation(wind_mw: np.ndarray, init: np.ndarray = INIT, lead: np.ndarray = LEAD) -> xr.Dataset:
    """Forecast of the one unit from (init_time, lead_time, member)."""
    coords = {"init_time": init, "lead_time": lead, "member": np.arange(wind_mw.shape[2]), "unit": ["u0"]}
    data = xr.DataArray(wind_mw[..., None], dims=("init_time", "lead_time", "member", "unit"), coords=coords)
    return data.to_dataset(name="available_p_mw")


def constant_load(init: np.ndarray = INIT, lead: np.ndarray = LEAD) -> xr.DataArray:
    coords = {"init_time": init, "lead_time": lead, "bus": ["b0", "b1"]}
    value = np.tile(LOAD_MW, (len(init), len(lead), 1))
    return xr.DataArray(value, dims=("init_time", "lead_time", "bus"), coords=coords, name="load_p_mw")


@pytest.fixture(scope="module")
def told(engine: DispatchEngine) -> xr.Dataset:
    """Member 0: calm, windy, windy, then windy, calm, calm; member 1: always windy but for the first hour."""
    wind = np.full((2, 3, 2), 80.0)
    wind[0, 0], wind[1, 1:, 0] = 5.0, 5.0
    latency = pd.Timedelta("45min")
    return forecast_signals(engine, generation(wind), constant_load(), SITES, SITE_MAX, latency=latency)


def test_every_member_is_told_by_hand(told: xr.Dataset) -> None:
    # Of 80 MW, 10 are used at b1 and 25 leave: 45 MW curtailed, shared by size among the sites at b1.
    far = told["absorbable_p_mw"].sel(site="far", member=0)
    np.testing.assert_allclose(far, [[0, 15, 15], [15, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(told["absorbable_p_mw"].sel(site="farther", member=1), [[0, 30, 30], [30] * 3])
    assert float(told["absorbable_p_mw"].sel(site="near").max()) == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(told["marginal_curtailment"].sel(site="far", member=0), [[0, 1, 1], [1, 0, 0]])
    # The grid's load is 70 MW: of 45 MW curtailed 10 are more than all load, 35 do not get out.
    total = told[["curtailed_p_mw", "curtailed_oversupply_p_mw", "curtailed_congestion_p_mw"]].isel(member=1)
    for name, value in (("", 45.0), ("oversupply_", 10.0), ("congestion_", 35.0)):
        np.testing.assert_allclose(
            total[f"curtailed_{name}p_mw"], [[0, value, value], [value] * 3], atol=1e-6
        )
    assert told["marginal_cost_per_mwh"].dims == ("init_time", "lead_time", "member", "site")
    np.testing.assert_allclose(told["marginal_cost_per_mwh"].sel(site="near"), 20.0)
    np.testing.assert_allclose(told["marginal_co2_kg_per_mwh"].sel(site="near"), 500.0)
    assert told["marginal_cost_per_mwh"].attrs["units"] == "USD/MWh"
    assert told["valid_time"].values[1, 2] == np.datetime64("2020-06-01T04:00")
    assert told["published_time"].values[0] == np.datetime64("2020-06-01T00:45")
    assert told.attrs["latency_s"] == 2700.0


def test_a_single_member_is_told_what_signals_tell(engine: DispatchEngine) -> None:
    wind = np.random.default_rng(4).uniform(0.0, 80.0, (2, 3))
    forecast = generation(wind[..., None]).isel(member=0, drop=True)
    result = forecast_signals(engine, forecast, constant_load(), SITES, SITE_MAX)
    for i, init in enumerate(INIT):
        time = pd.DatetimeIndex(init + LEAD, tz="UTC")
        actual, load = labelled(engine.grid, time, np.tile(LOAD_MW, (3, 1)), wind[i][:, None])
        baseline = dispatch(engine.grid, actual, load=load)
        size = np.tile(SITE_MAX.to_numpy(), (3, 1))
        expected = signals(engine, baseline, SITES, wind[i][:, None], size, alone=False)
        for name in expected.data_vars:
            np.testing.assert_array_equal(result[name].isel(init_time=i, member=0), expected[name])


def test_secure_forecasts_tell_what_security_is_to_blame_for_whoever_computes_them() -> None:
    # One line more: of 50 MW of wind 10 are used at b1, 40 could leave, but after an outage only 25 can.
    grid = small_grid(
        2, [(0, 1, 25.0), (0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=[(1, "wind", 80.0)]
    )
    secure, wind = DispatchEngine(grid, security="n-1"), np.array([[[50.0], [80.0], [0.0]]] * 2)
    local = forecast_signals(secure, generation(wind), constant_load(), SITES, SITE_MAX)
    np.testing.assert_allclose(local["curtailed_security_p_mw"][0, :, 0], [15.0, 25.0, 0.0], atol=1e-6)
    welcome = local["marginal_curtailment_without_security"].sel(site="far")[0, :, 0]
    np.testing.assert_allclose(welcome, [0.0, 1.0, 0.0], atol=1e-9)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        remote = forecast_signals(secure, generation(wind), constant_load(), SITES, SITE_MAX, client=client)
    xr.testing.assert_identical(remote, local)


def persistence(actual_mw: np.ndarray, init_hours: list[int]) -> xr.Dataset:
    """Forecasts that say the wind stays, or changes as it did in the last hour."""
    members = [[actual_mw[h], 2 * actual_mw[h] - actual_mw[h - 1]] for h in init_hours]
    wind = np.clip(np.repeat(np.array(members)[:, None], 3, axis=1), 0.0, 80.0)
    return generation(wind, np.datetime64("2020-06-01", "ns") + np.array(init_hours) * LEAD[1])


def test_later_weather_changes_no_forecast_made_before_it(engine: DispatchEngine) -> None:
    actual = np.random.default_rng(8).uniform(20.0, 80.0, 12)
    other = actual.copy()
    other[6:] = np.random.default_rng(9).uniform(20.0, 80.0, 6)
    hours = [1, 3, 5, 7, 9]
    results = []
    for series in (actual, other):
        forecast = persistence(series, hours)
        load = constant_load(forecast["init_time"].to_numpy())
        results.append(forecast_signals(engine, forecast, load, SITES, SITE_MAX))
    before = [result.isel(init_time=slice(0, 3)) for result in results]
    xr.testing.assert_identical(*before)
    after = [result["curtailed_p_mw"].isel(init_time=slice(3, None)) for result in results]
    assert (np.abs(after[0] - after[1]).max(["lead_time", "member"]) > 0.1).all()


def test_only_what_was_published_is_available(told: xr.Dataset) -> None:
    def at(stamp: str) -> list[str]:
        found = available_at(told, pd.Timestamp(stamp, tz="UTC"))
        return [str(t)[11:16] for t in found["init_time"].to_numpy()]

    assert at("2020-06-01T00:44") == []
    assert at("2020-06-01T00:45") == ["00:00"]
    assert at("2020-06-01T02:44") == ["00:00"]
    assert at("2020-06-01T02:45") == ["00:00", "02:00"]
    east = pd.Timestamp("2020-06-01T03:45", tz="Europe/Berlin")
    assert available_at(told, east).sizes["init_time"] == 1
    with pytest.raises(InputError, match="has no zone"):
        available_at(told, pd.Timestamp("2020-06-01"))
    with pytest.raises(InputError, match="published_time"):
        available_at(told.drop_vars("published_time"), pd.Timestamp("2020-06-01", tz="UTC"))


def test_the_latest_forecast_begins_with_the_present_step(told: xr.Dataset) -> None:
    latest = latest_at(told, pd.Timestamp("2020-06-01T01:30Z"))
    assert latest["time"].to_numpy().tolist() == (INIT[0] + LEAD[1:]).tolist()
    np.testing.assert_array_equal(
        latest["absorbable_p_mw"], told["absorbable_p_mw"].isel(init_time=0, lead_time=[1, 2])
    )
    assert latest["absorbable_p_mw"].dims == ("time", "member", "site")
    newer = latest_at(told, pd.Timestamp("2020-06-01T02:45Z"))
    assert newer["time"].to_numpy()[0] == INIT[1]
    with pytest.raises(InputError, match="nothing was published before 2020-06-01T00:45:00Z"):
        latest_at(told, pd.Timestamp("2020-06-01T00:10Z"))
    with pytest.raises(InputError, match="the latest one ended at 2020-06-01T05:00:00Z"):
        latest_at(told, pd.Timestamp("2020-06-01T05:00Z"))


def test_load_and_sites_may_differ_by_member_and_time(engine: DispatchEngine) -> None:
    wind, done = np.full((2, 3, 2), 80.0), []
    load = constant_load().expand_dims(member=[0, 1], axis=2).copy()
    load.loc[{"member": 1, "bus": "b1"}] = 40.0
    most = (SITE_MAX * xr.DataArray([0.0, 1.0], dims="init_time", coords={"init_time": INIT})).isel(
        site=[2, 0, 1]
    )
    result = forecast_signals(
        engine, generation(wind), load, SITES, most, progress=lambda *steps: done.append(steps)
    )
    # 45 MW are curtailed with 10 MW of load at b1, 15 MW with 40 MW; no site can draw anything at first.
    absorbed = result["absorbable_p_mw"].sum("site")
    np.testing.assert_allclose(absorbed.isel(init_time=0), 0.0)
    np.testing.assert_allclose(absorbed.isel(init_time=1), np.tile([45.0, 15.0], (3, 1)), atol=1e-6)
    assert done == [(6, 12), (12, 12)]


def test_a_step_without_a_dispatch_names_its_forecast(
    engine: DispatchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SolverError("step 0: no dispatch")

    monkeypatch.setattr("grid_models.signal_forecast.solve_all", fail)
    with pytest.raises(SolverError, match="2020-06-01T00:00Z"):
        forecast_signals(engine, generation(np.zeros((2, 3, 1))), constant_load(), SITES, SITE_MAX)


def test_what_is_wrong_with_forecasts_is_named_at_once(engine: DispatchEngine) -> None:
    wind = generation(np.full((2, 3, 2), 80.0))
    load = constant_load().isel(lead_time=[0, 1]).assign_coords(bus=["b0", "b9"])
    most = SITE_MAX.copy()
    most[0] = np.nan
    wrong = wind.copy(deep=True)
    wrong["available_p_mw"][0, 0, 0] = -1.0
    with pytest.raises(InputError) as error:
        forecast_signals(engine, wrong, load, SITES, most)
    where = [finding.where for finding in error.value.findings]
    assert where == ["available_p_mw", "load_p_mw: lead_time", "load_p_mw: bus", "site_max_p_mw"]
    latency = pd.Timedelta("-1h")
    uneven = wind.isel(init_time=[1, 0], lead_time=[0, 2]).assign_coords(lead_time=LEAD[[1, 0]])
    with pytest.raises(InputError) as error:
        forecast_signals(engine, uneven, load, SITES, most, latency=latency)
    assert [finding.where for finding in error.value.findings] == ["init_time", "lead_time", "latency"]
    for broken, match in (
        (wind.drop_vars("available_p_mw"), "no variable 'available_p_mw'"),
        (wind.isel(unit=0, drop=True), "give it over"),
        (wind.assign_coords(lead_time=[0, 1, 2]), "expected timedelta64"),
    ):
        with pytest.raises(InputError, match=match):
            forecast_signals(engine, broken, constant_load(), SITES, SITE_MAX)
    with pytest.raises(InputError, match=r"site_max_p_mw: dims \('bus',\)"):
        forecast_signals(engine, wind, constant_load(), SITES, SITE_MAX.rename(site="bus"))


def test_windows_of_members_by_hand(told: xr.Dataset) -> None:
    table = forecast_windows(told, p_min_mw=20.0)
    # Only `farther` gets more than 20 MW: 30 MW in every windy hour.
    assert set(table["site"]) == {"farther"}
    np.testing.assert_allclose(table["energy_mwh"], [60.0, 60.0, 30.0, 90.0])
    np.testing.assert_allclose(table["mean_p_mw"], 30.0)
    # Of 30 MW oversupply explains 10, the line the rest.
    assert set(table["cause"]) == {"congestion"}
    assert table["member"].tolist() == [0, 1, 0, 1]
    assert table["is_open"].tolist() == [True, True, False, True]
    assert table["start"].iloc[0] == pd.Timestamp("2020-06-01T01:00Z")
    assert table["end"].iloc[2] == pd.Timestamp("2020-06-01T03:00Z")
    assert table.attrs["p_min_mw"] == 20.0
    assert forecast_windows(told, p_min_mw=99.0).empty
    assert str(forecast_windows(told, p_min_mw=99.0)["start"].dtype) == "datetime64[ns, UTC]"


def test_windows_of_a_member_are_those_of_its_signals(told: xr.Dataset) -> None:
    table = forecast_windows(told, max_gap_steps=1)
    for (i, init), m in ((pair, m) for pair in enumerate(INIT) for m in (0, 1)):
        member = told.isel(init_time=i, member=m).rename(lead_time="time").assign_coords(time=init + LEAD)
        expected = windows(member, baseline=member, max_gap_steps=1)
        found = table[(table["init_time"] == pd.Timestamp(init, tz="UTC")) & (table["member"] == m)]
        columns = ["site", "start", "end", "energy_mwh", "mean_p_mw", "cause"]
        pd.testing.assert_frame_equal(found[columns].reset_index(drop=True), expected[columns])


def test_probability_and_remaining_length_of_a_window(told: xr.Dataset) -> None:
    outlook = window_outlook(told).sel(site="far")
    np.testing.assert_allclose(outlook["window_probability"], [[0.0, 1.0, 1.0], [1.0, 0.5, 0.5]])
    np.testing.assert_allclose(outlook["remaining_h"].sel(member=0), [[0, 2, 1], [1, 0, 0]])
    np.testing.assert_allclose(outlook["remaining_h"].sel(member=1), [[0, 2, 1], [3, 2, 1]])
    np.testing.assert_array_equal(outlook["is_open"].sel(member=0), [[False, True, True], [False] * 3])
    assert window_outlook(told, min_steps=3)["window_probability"].max() == 0.5
    assert outlook["remaining_h"].attrs["units"] == "h"


def test_bad_windows_of_forecasts_are_named_at_once(told: xr.Dataset) -> None:
    wrong = told.isel(lead_time=[0]).drop_vars("marginal_curtailment")
    wrong["absorbable_p_mw"] = wrong["absorbable_p_mw"] * np.nan
    with pytest.raises(InputError) as error:
        window_outlook(wrong, theta=np.nan)
    where = [finding.where for finding in error.value.findings]
    assert where == ["theta", "marginal_curtailment", "absorbable_p_mw", "lead_time"]
