"""Errors fitted to pairs: reliable where nothing was fitted, bounded, growing, correlated, reproducible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import DispatchEngine, forecast_signals, latest_at
from tests.grid_models.grids import small_grid
from tests.weather.forecast_pairs import CAPACITY, day_ahead, hourly, pairs
from weather import (
    ErrorModel,
    InputError,
    archived_days,
    at_valid_time,
    check_forecast,
    crps,
    forecast_scores,
    reliability,
)

ACTUAL, MADE = pairs(480)
AHEAD = day_ahead(MADE)
FITTED, HELD_OUT = AHEAD.isel(init_time=slice(0, 320)), AHEAD.isel(init_time=slice(320, None))
LEAD = pd.to_timedelta(np.arange(36), unit="h")
NAME = "available_p_mw"


@pytest.fixture(scope="module")
def model() -> ErrorModel:
    return ErrorModel.fit(FITTED, ACTUAL, CAPACITY)


@pytest.fixture(scope="module")
def told(model: ErrorModel) -> xr.Dataset:
    return model.sample(HELD_OUT, 20, seed=1)


@pytest.fixture(scope="module")
def simulated(model: ErrorModel) -> xr.Dataset:
    init = pd.DatetimeIndex(HELD_OUT["init_time"].to_numpy()).tz_localize("UTC")
    return model.simulate(ACTUAL, init[:150], LEAD, 20, seed=2, latency=pd.Timedelta("1h"))


def test_members_of_forecasts_that_were_not_fitted_are_reliable(told: xr.Dataset) -> None:
    check_forecast(told)
    found = reliability(told[NAME], at_valid_time(ACTUAL, told), levels=[0.1, 0.5, 0.9])
    # 160 days of three units whose errors last some hours: about 1,000 independent points.
    np.testing.assert_allclose(found["below_share"], [0.1, 0.5, 0.9], atol=0.04)
    assert found.attrs["rank_deviation"] < 0.06


def test_members_of_a_sum_are_reliable_because_units_err_together(told: xr.Dataset) -> None:
    happened = at_valid_time(ACTUAL, told).sum("unit")
    assert reliability(told[NAME].sum("unit"), happened).attrs["rank_deviation"] < 0.08
    alone = told[NAME].copy()
    for k, unit in enumerate(alone["unit"].to_numpy()):
        alone.loc[{"unit": unit}] = np.roll(told[NAME].sel(unit=unit), 5 * k, axis=2)
    spread = [float(array.sum("unit").std("member").mean()) for array in (told[NAME], alone)]
    assert spread[0] > 1.1 * spread[1]


def test_members_score_better_than_the_forecast_they_lie_around(told: xr.Dataset) -> None:
    scores = forecast_scores(told, ACTUAL, by=("unit",), reference=HELD_OUT, capacity=CAPACITY)
    assert (scores["skill"] > 0.2).all()


def test_errors_of_units_and_hours_are_correlated_as_those_of_the_pairs(model: ErrorModel) -> None:
    # Actual = 0.8 forecast + 0.6 noise: noise of neighbours is correlated by 0.8, of hours by 0.8.
    correlation = model.given_forecast.root @ model.given_forecast.root.T
    np.testing.assert_allclose(correlation, [[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]], atol=0.1)
    assert model.given_forecast.decay == pytest.approx(0.8, abs=0.06)


def test_a_simulated_forecast_is_as_wrong_as_a_real_one_and_wrong_sooner_is_less(
    model: ErrorModel, simulated: xr.Dataset
) -> None:
    happened = at_valid_time(ACTUAL, simulated)
    rmse = (((simulated["central"] - happened) / CAPACITY) ** 2).mean(["init_time", "unit"]) ** 0.5
    real = float(
        forecast_scores(AHEAD.isel(init_time=slice(1, 479)), ACTUAL, by=(), capacity=CAPACITY)["rmse"]
    )
    assert float(rmse[12:].mean()) == pytest.approx(real, rel=0.1)
    np.testing.assert_allclose(rmse[0] / rmse[12:].mean(), model.growth[0].mean(), rtol=0.15)
    assert rmse[0] < 0.85 * real
    assert (np.diff(model.growth, axis=0) >= 0.0).all()
    assert (model.growth <= 1.0).all()


def test_members_of_a_simulated_forecast_are_reliable_at_every_lead_time(simulated: xr.Dataset) -> None:
    happened = at_valid_time(ACTUAL, simulated)
    for hours in (slice(0, 2), slice(4, 10), slice(12, 36)):
        some = simulated[NAME].isel(lead_time=hours)
        assert reliability(some, happened.isel(lead_time=hours)).attrs["rank_deviation"] < 0.12
    score = crps(simulated[NAME], happened).mean(["init_time", "unit"])
    assert float(score[0]) < 0.85 * float(score[12:].mean())


def test_growth_is_that_of_persistence(model: ErrorModel) -> None:
    share = (ACTUAL / CAPACITY).to_numpy()[: 24 * 321]
    error = ((MADE - ACTUAL) / CAPACITY).to_numpy()[24 : 24 * 321]
    for k in (0, 1):
        change = np.sqrt(((share[k + 1 :] - share[: -k - 1]) ** 2).mean(axis=0))
        np.testing.assert_allclose(
            model.growth[k], np.minimum(change / np.sqrt((error**2).mean(axis=0)), 1), rtol=0.05
        )


def test_a_later_forecast_of_a_step_agrees_with_an_earlier_one(model: ErrorModel) -> None:
    init = pd.date_range("2020-03-01T00:00Z", periods=12, freq="h")
    central = model.simulate(ACTUAL, init, LEAD[:24], 1, seed=4)["central"]
    # Both beyond the growth: the forecast for 20:00 is the same at 00:00 and at 04:00.
    np.testing.assert_allclose(central[0, 20], central[4, 16], atol=1e-9)
    happened = ACTUAL.sel(time="2020-03-01T11:00")
    early, late = (abs(central[i, 11 - i] - happened) for i in (0, 11))
    assert (late <= early + 1e-9).all()


def test_nothing_depends_on_blocks_or_on_what_else_is_asked_for(model: ErrorModel) -> None:
    init = pd.date_range("2020-03-01T00:00Z", periods=6, freq="7h")
    whole = model.simulate(ACTUAL, init, LEAD, 5, seed=4)
    part = model.simulate(ACTUAL.isel(unit=[2, 0, 1]), init[3:4], LEAD, 3, seed=4)
    xr.testing.assert_identical(whole.isel(init_time=slice(3, 4), member=slice(0, 3)), part)
    dressed = model.sample(HELD_OUT, 4, seed=9)
    again = model.sample(HELD_OUT.isel(init_time=[7]), 2, seed=9)
    xr.testing.assert_identical(dressed.isel(init_time=[7], member=slice(0, 2)), again)
    assert not dressed[NAME].equals(model.sample(HELD_OUT, 4, seed=10)[NAME])


def test_models_of_other_units_draw_other_noise_from_the_same_seed(model: ErrorModel) -> None:
    names = {"unit": ["a", "b", "c"]}
    twin = ErrorModel.fit(
        *(part.assign_coords(names) for part in (FITTED.isel(init_time=slice(0, 60)), ACTUAL, CAPACITY))
    )
    told, other = (
        m.sample(f, 4, seed=1)[NAME] for m, f in ((model, HELD_OUT), (twin, HELD_OUT.assign_coords(names)))
    )
    anomaly = [(d - d.mean("member")).to_numpy().ravel() for d in (told, other)]
    assert abs(np.corrcoef(anomaly)[0, 1]) < 0.03


def test_members_of_a_run_know_that_run_alone(model: ErrorModel) -> None:
    other = HELD_OUT.copy(deep=True)
    other[NAME][1:] = 0.5 * other[NAME][1:]
    xr.testing.assert_identical(
        model.sample(HELD_OUT, 3, seed=5).isel(init_time=0), model.sample(other, 3, seed=5).isel(init_time=0)
    )


def test_power_stays_between_nothing_and_capacity(told: xr.Dataset, simulated: xr.Dataset) -> None:
    for values in (told[NAME], simulated[NAME], simulated["central"]):
        assert (values >= 0.0).all()
        assert (values <= CAPACITY).all()


def test_what_was_always_dark_stays_dark() -> None:
    actual, made = pairs(90, seed=3, daylight=True)
    model = ErrorModel.fit(day_ahead(made), actual, CAPACITY, by_hour=True)
    told = model.sample(day_ahead(made), 10, seed=1)
    hour = told["valid_time"].dt.hour
    # The sun shines from 06:00 to 18:00; an hour's neighbours are fitted with it.
    assert (told[NAME].where((hour < 5) | (hour > 18), 0.0) == 0.0).all()
    assert float(told[NAME].where(hour == 12).max()) > 80.0
    dark = (hourly(24 * 90).astype(int) % 24 < 12).expand_dims(unit=CAPACITY["unit"]).rename("dark")
    lit = model.sample(day_ahead(made), 10, seed=1, dark=dark)
    assert (lit[NAME].where(hour < 12, 0.0) == 0.0).all()
    xr.testing.assert_equal(lit[NAME].where(hour >= 12, 0.0), told[NAME].where(hour >= 12, 0.0))
    happened = at_valid_time(actual, told)
    found = reliability(told[NAME], happened, where=(hour > 6) & (hour < 18))
    assert found.attrs["rank_deviation"] < 0.08


def test_buckets_of_lead_time_have_errors_of_their_own() -> None:
    # Forecast at midnight for two days; on the second day its error is three times as large.
    rng = np.random.default_rng(5)
    actual = pairs(120)[0]
    first = day_ahead(actual).isel(init_time=slice(0, 100))
    late = 0.02 + 0.18 * (np.arange(48) >= 24)
    lead = np.arange(48) * np.timedelta64(1, "h")
    init = first["init_time"].to_numpy()
    told = xr.Dataset(
        coords={"init_time": init, "lead_time": lead, "member": [0]}
        | {
            "valid_time": (("init_time", "lead_time"), init[:, None] + lead),
            "published_time": ("init_time", init),
        }
    )
    told = told.isel(init_time=slice(1, 99))
    share = at_valid_time(actual, told) / CAPACITY
    noisy = np.clip(share + late[:, None] * rng.standard_normal(share.shape), 0.0, 1.0) * CAPACITY
    told[NAME] = noisy.expand_dims(member=[0], axis=2)
    model = ErrorModel.fit(told, actual, CAPACITY)
    spread = (model.sample(told, 20, seed=1)[NAME] / CAPACITY).std("member").mean(["init_time", "unit"])
    assert float(spread[24:].mean()) > 2.5 * float(spread[:24].mean())
    assert model.growth.shape == (0, 3)


def test_forecasts_go_into_the_signals_of_a_grid(model: ErrorModel) -> None:
    grid = small_grid(
        2,
        [(0, 1, 25.0)],
        generators=[(0, 200.0, 20.0)],
        units=[(1, "wind", 100.0), (1, "wind", 50.0), (0, "pv", 10.0)],
    )
    names = dict(zip(CAPACITY["unit"].to_numpy(), grid.units.index, strict=True))
    init = pd.date_range("2020-03-01T00:00Z", periods=2, freq="3h")
    told = model.simulate(ACTUAL, init, LEAD[:4], 3, seed=1, latency=pd.Timedelta("1h"))
    told = told.assign_coords(unit=[names[unit] for unit in told["unit"].to_numpy()])
    axes = {name: told[name].to_numpy() for name in ("init_time", "lead_time")}
    load = xr.DataArray(
        np.tile([60.0, 10.0], (2, 4, 1)), dims=(*axes, "bus"), coords={**axes, "bus": ["b0", "b1"]}
    )
    sites = pd.DataFrame({"bus": ["b1"]}, index=["mdc"])
    most = xr.DataArray([30.0], dims="site", coords={"site": ["mdc"]})
    seen = forecast_signals(DispatchEngine(grid), told, load, sites, most, latency=pd.Timedelta("1h"))
    now = latest_at(seen, pd.Timestamp("2020-03-01T03:30Z"))
    assert now["time"].to_numpy()[0] == np.datetime64("2020-03-01T03:00")
    assert now.sizes["member"] == 3


def test_what_cannot_be_fitted_or_drawn_is_refused(model: ErrorModel) -> None:
    with pytest.raises(InputError, match="29 runs"):
        ErrorModel.fit(AHEAD.isel(init_time=slice(0, 29)), ACTUAL, CAPACITY)
    with pytest.raises(InputError, match="outside 0 to capacity"):
        ErrorModel.fit(FITTED, ACTUAL, 0.5 * CAPACITY)
    with pytest.raises(InputError, match="not above 0"):
        ErrorModel.fit(FITTED, ACTUAL, 0.0 * CAPACITY)
    with pytest.raises(InputError, match="actual: lacks"):
        ErrorModel.fit(FITTED, ACTUAL.isel(unit=[0, 1]), CAPACITY)
    with pytest.raises(InputError, match="over one dim of units"):
        ErrorModel.fit(FITTED, ACTUAL, CAPACITY.rename(unit="site"))
    with pytest.raises(InputError, match="20 members"):
        ErrorModel.fit(model.sample(FITTED, 20, seed=1), ACTUAL, CAPACITY)
    with pytest.raises(InputError, match="hours of the day only"):
        ErrorModel.fit(FITTED, ACTUAL, CAPACITY, by_hour=True, bucket=pd.Timedelta("6h"))
    with pytest.raises(InputError, match="not in the forecast"):
        ErrorModel.fit(FITTED, ACTUAL.rename("load"), CAPACITY)
    with pytest.raises(InputError, match="missing or not fitted"):
        model.sample(HELD_OUT.isel(unit=[0, 1]), 2, seed=1)
    early = HELD_OUT.assign_coords(lead_time=HELD_OUT["lead_time"] - np.timedelta64(6, "h"))
    early["valid_time"] = early["init_time"] + early["lead_time"]
    with pytest.raises(InputError, match="outside the fitted 0 days 12:00:00 to 1 days 11:00:00"):
        model.sample(early, 2, seed=1)
    with pytest.raises(InputError, match="members: 0"):
        model.sample(HELD_OUT, 0, seed=1)
    with pytest.raises(InputError, match="seed: -1"):
        model.sample(HELD_OUT, 1, seed=-1)
    init = pd.date_range("2020-03-01T00:00Z", periods=2, freq="6h")
    with pytest.raises(InputError, match="seed: -1"):
        model.simulate(ACTUAL, init, LEAD, 1, seed=-1)
    with pytest.raises(InputError, match="longest that was fitted"):
        model.simulate(ACTUAL, init, pd.to_timedelta([0, 36], unit="h"), 1, seed=1)
    with pytest.raises(InputError, match="the model's is"):
        model.simulate(
            ACTUAL.isel(time=slice(None, None, 2)), init, pd.to_timedelta([0, 2], unit="h"), 1, seed=1
        )
    with pytest.raises(InputError, match="not all units"):
        model.simulate(ACTUAL.isel(unit=[0]), init, LEAD, 1, seed=1)
    with pytest.raises(InputError, match="outside 0 to capacity"):
        model.simulate(2.0 * ACTUAL, init, LEAD, 1, seed=1)


def test_members_of_units_in_another_order_are_those_of_the_same_units() -> None:
    time = pd.date_range("2020-01-01", periods=24 * 40, freq="h")
    rng = np.random.default_rng(7)
    power = rng.uniform(0.0, 1.0, (len(time), 2)) * [10.0, 200.0]
    labels = {"time": time, "unit": ["a", "b"]}
    actual = xr.DataArray(power, labels, ("time", "unit"), name="available_p_mw")
    told = archived_days((0.9 * actual).rename("available_p_mw"), issued_before=pd.Timedelta("12h"))
    model = ErrorModel.fit(told, actual, xr.DataArray([10.0, 200.0], {"unit": ["a", "b"]}, ("unit",)))
    one, other = (model.sample(data, 3, 1)["available_p_mw"] for data in (told, told.isel(unit=[1, 0])))
    np.testing.assert_array_equal(one.sel(unit=["a", "b"]), other.sel(unit=["a", "b"]))
    assert other.sel(unit="a").max() <= 10.0 < other.sel(unit="b").max()
    with pytest.raises(InputError, match=r"members: 1\.5"):
        model.sample(told, 1.5, 1)  # type: ignore[arg-type]


def test_lead_times_another_step_apart_are_refused(model: ErrorModel) -> None:
    # Noise is correlated from step to step: hours left out would be taken for neighbours.
    with pytest.raises(InputError, match="0 days 04:00:00 apart, the model's step is 0 days 01:00:00"):
        model.sample(HELD_OUT.isel(lead_time=slice(None, None, 4)), 2, seed=1)
    init = pd.date_range("2020-03-01T00:00Z", periods=2, freq="6h")
    with pytest.raises(InputError, match="0 days 04:00:00 apart"):
        model.simulate(ACTUAL, init, LEAD[::4], 1, seed=1)
    one = model.sample(HELD_OUT.isel(lead_time=[3]), 2, seed=1)
    assert one.sizes["lead_time"] == 1


def test_what_names_no_unit_or_no_duration_is_refused_in_words(model: ErrorModel) -> None:
    number = {"unit": [1, 2, 3]}
    for options, match in (
        ({"capacity": CAPACITY * [1.0, np.inf, 1.0]}, "not finite"),
        ({"capacity": CAPACITY.isel(unit=[0, 1, 2, 2])}, "capacity: repeats labels of unit"),
        ({"capacity": 100.0}, "capacity: a float"),
        (
            {"capacity": CAPACITY.assign_attrs(units="kW"), "actual": ACTUAL.assign_attrs(units="MW")},
            "is in kW",
        ),
        ({"bucket": pd.Timedelta(0)}, "bucket: 0 days"),
        ({"bucket": pd.Timedelta("30min")}, "multiple of the step"),
        ({"bucket": pd.NaT}, "bucket: NaT is no duration"),
    ):
        with pytest.raises(InputError, match=match):
            ErrorModel.fit(FITTED, **({"actual": ACTUAL, "capacity": CAPACITY} | options))  # type: ignore[arg-type]
    arrays = (array.assign_coords(number) for array in (FITTED, ACTUAL, CAPACITY))
    with pytest.raises(InputError, match="labels of unit are no texts"):
        ErrorModel.fit(*arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="forecast: repeats labels of unit"):
        model.sample(HELD_OUT.isel(unit=[0, 1, 2, 2]), 1, seed=1)
    for wrong in (np.nan, "3", True, 2.5):
        with pytest.raises(InputError, match=r"(?s)members: .*seed: "):
            model.sample(HELD_OUT, wrong, seed=wrong)  # type: ignore[arg-type]


def test_what_does_not_tell_of_darkness_is_refused(model: ErrorModel) -> None:
    dark = xr.zeros_like(ACTUAL, dtype=bool)
    for wrong, match in (
        (dark.isel(unit=[0]), r"dark: lacks \["),
        (dark.isel(unit=0, drop=True), "give it over time and unit"),
        # NaN is no darkness, and was taken for it.
        (dark.astype(float) * np.nan, "expected bool"),
    ):
        with pytest.raises(InputError, match=match):
            model.sample(HELD_OUT, 1, seed=1, dark=wrong)
