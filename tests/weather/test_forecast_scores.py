"""Scores: by hand, in closed form, and what they are for reliable ensembles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from tests.weather.forecast_pairs import CAPACITY, HOURS, day_ahead, hourly, pairs
from weather import InputError, crps, forecast_scores, persistence, reliability

VALUES = st.floats(-100.0, 100.0).map(lambda v: round(v, 1))


def ensemble(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("time", "member"))


def observed(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims="time")


def test_crps_by_hand() -> None:
    # |1-2|, |2-2|, |4-2| have mean 1; pairs differ by 1, 2 and 3, on average 2, or 4/3 with equal ones.
    members, happened = ensemble(np.array([[4.0, 1.0, 2.0]])), observed(np.array([2.0]))
    assert crps(members, happened).item() == pytest.approx(1.0 - 2.0 / 2.0)
    assert crps(members, happened, fair=False).item() == pytest.approx(1.0 - 4.0 / 3.0 / 2.0)


@given(
    values=arrays(float, (3, 5), elements=VALUES),
    happened=arrays(float, 3, elements=VALUES),
)
def test_crps_is_the_integral_of_the_squared_distance_of_distributions(
    values: np.ndarray, happened: np.ndarray
) -> None:
    got = crps(ensemble(values), observed(happened), fair=False).to_numpy()
    for row, y, score in zip(values, happened, got, strict=True):
        edges = np.sort(np.append(row, y))
        inside = (edges[1:] + edges[:-1]) / 2.0
        distance = (row[None, :] <= inside[:, None]).mean(axis=1) - (y <= inside)
        assert score == pytest.approx(float((distance**2 * np.diff(edges)).sum()), abs=1e-9)


def test_crps_of_many_normal_members_is_the_closed_form() -> None:
    # Gneiting et al. 2005: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)).
    mean, sigma, y = 3.0, 2.0, np.array([-1.0, 3.0, 4.5])
    members = mean + sigma * norm.ppf((np.arange(4000) + 0.5) / 4000)
    z = (y - mean) / sigma
    exact = sigma * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi))
    got = crps(ensemble(np.tile(members, (3, 1))), observed(y))
    np.testing.assert_allclose(got, exact, rtol=2e-3)


def test_the_fair_score_does_not_depend_on_the_number_of_members() -> None:
    rng = np.random.default_rng(1)
    y = observed(rng.standard_normal(40_000))
    means = {
        (m, fair): float(crps(ensemble(rng.standard_normal((40_000, m))), y, fair=fair).mean())
        for m in (2, 20)
        for fair in (True, False)
    }
    assert means[2, True] == pytest.approx(1.0 / np.sqrt(np.pi), abs=0.01)
    assert means[20, True] == pytest.approx(1.0 / np.sqrt(np.pi), abs=0.01)
    assert means[2, False] > 1.4 * means[20, False]


def test_one_member_scores_its_absolute_error() -> None:
    got = crps(ensemble(np.array([[3.0], [-1.0]])), observed(np.array([1.0, 1.0])))
    np.testing.assert_array_equal(got, [2.0, 2.0])


def test_a_reliable_ensemble_has_a_flat_histogram_and_covers_what_it_says() -> None:
    rng = np.random.default_rng(2)
    told = reliability(
        ensemble(rng.standard_normal((50_000, 19))),
        observed(rng.standard_normal(50_000)),
        levels=[0.1, 0.5, 0.9],
    )
    # A rank has 2500 of 50,000 points: standard deviation 0.001.
    np.testing.assert_allclose(told["rank_share"], 1.0 / 20.0, atol=0.004)
    np.testing.assert_allclose(told["below_share"], [0.1, 0.5, 0.9], atol=0.007)
    np.testing.assert_allclose(told["interval_share"], [0.1, 0.5, 0.9], atol=0.007)
    assert told.attrs["rank_deviation"] < 0.015


@pytest.mark.parametrize(("spread", "edge"), [(0.5, "full"), (2.0, "empty")])
def test_the_histogram_shows_too_little_and_too_much_spread(spread: float, edge: str) -> None:
    rng = np.random.default_rng(3)
    members = ensemble(spread * rng.standard_normal((5_000, 9)))
    ranks = reliability(members, observed(rng.standard_normal(5_000)))["rank_share"].to_numpy()
    assert (ranks[[0, -1]] > 0.2).all() if edge == "full" else (ranks[[0, -1]] < 0.03).all()


def test_ties_count_in_equal_parts() -> None:
    told = reliability(ensemble(np.array([[0.0, 0.0, 1.0], [5.0, 6.0, 7.0]])), observed(np.array([0.0, 9.0])))
    np.testing.assert_allclose(told["rank_share"], [1 / 6, 1 / 6, 1 / 6, 0.5])
    masked = reliability(
        ensemble(np.array([[0.0, 0.0, 1.0], [5.0, 6.0, 7.0]])),
        observed(np.array([0.0, 9.0])),
        where=observed(np.array([False, True])),
    )
    np.testing.assert_allclose(masked["rank_share"], [0.0, 0.0, 0.0, 1.0])
    assert masked.attrs["n"] == 1


def test_scores_by_hand() -> None:
    # Each hour is one more than the one before; persistence is off by 1, 2, 3 after 0, 1, 2 hours.
    series = hourly(96)
    init = pd.DatetimeIndex(["2020-01-02T00:00Z", "2020-01-02T01:00Z"])
    told = persistence(series, init, HOURS[:3])
    capacity = xr.DataArray(10.0)
    scores = forecast_scores(told, series, capacity=capacity)
    for name, values in {"bias": [-0.1, -0.2, -0.3], "mae": [0.1, 0.2, 0.3], "rmse": [0.1, 0.2, 0.3]}.items():
        np.testing.assert_allclose(scores[name], values)
    np.testing.assert_array_equal(scores["n"], [2, 2, 2])
    yesterday = persistence(series, init, HOURS[:3], period=pd.Timedelta("1D"))
    np.testing.assert_allclose(
        forecast_scores(told, series, reference=yesterday)["skill"], 1.0 - np.array([1, 2, 3]) / 24.0
    )
    where = series.astype(int) % 2 == 0
    some = forecast_scores(told, series, where=where, by=())
    assert int(some["n"]) == 3
    assert float(some["mae"]) == pytest.approx((1 + 2 + 3) / 3)


def test_scores_by_unit_and_lead_time_average_to_the_whole() -> None:
    actual, made = pairs(10)
    told = day_ahead(made)
    apart = forecast_scores(told, actual, by=("lead_time", "unit"), capacity=CAPACITY)
    whole = forecast_scores(told, actual, by=(), capacity=CAPACITY)
    assert apart["mae"].dims == ("lead_time", "unit")
    for name in ("bias", "mae", "crps"):
        assert float(apart[name].mean()) == pytest.approx(float(whole[name]))
    assert float((apart["rmse"] ** 2).mean()) == pytest.approx(float(whole["rmse"] ** 2))


def test_what_cannot_be_scored_is_refused() -> None:
    members, happened = ensemble(np.ones((2, 3))), observed(np.ones(2))
    with pytest.raises(InputError, match="give it over these and member"):
        crps(members.rename(time="site"), happened)
    with pytest.raises(InputError, match="1 values are NaN"):
        crps(members, happened.where([True, False]))
    with pytest.raises(InputError, match="has no member"):
        crps(members.isel(member=[]), happened)
    with pytest.raises(InputError, match="differs between"):
        crps(members.assign_coords(time=[0, 1]), happened.assign_coords(time=[1, 2]))
    with pytest.raises(InputError, match="between 0 and 1"):
        reliability(members, happened, levels=[0.5, 1.0])
    actual, made = pairs(4)
    with pytest.raises(InputError, match="is named 'load'"):
        forecast_scores(day_ahead(made), actual.rename("load"))


def test_what_does_not_fit_the_forecast_is_refused() -> None:
    time = pd.date_range("2020-06-01", periods=96, freq="h")
    data = np.random.default_rng(1).uniform(1.0, 9.0, (96, 2))
    actual = xr.DataArray(data, {"time": time, "unit": ["a", "b"]}, ("time", "unit"), name="available_p_mw")
    init = pd.DatetimeIndex(time[24:72:6]).tz_localize("UTC")
    told = persistence(actual, init, HOURS[:6])
    rating = xr.DataArray([10.0, 20.0], {"unit": ["a", "b"]}, ("unit",))
    # The order of labels says nothing: shares of each unit's own rating either way.
    one = forecast_scores(told, actual, by=("unit",), capacity=rating)
    other = forecast_scores(told, actual, by=("unit",), capacity=rating.isel(unit=[1, 0]))
    xr.testing.assert_identical(one, other)
    more = xr.DataArray([30.0, 20.0, 10.0], {"unit": ["c", "b", "a"]}, ("unit",))
    xr.testing.assert_identical(one, forecast_scores(told, actual, by=("unit",), capacity=more))
    for options, match in (
        ({"reference": told.isel(init_time=slice(4))}, "reference: has another init_time"),
        ({"reference": told.isel(unit=[0])}, "reference: has another unit"),
        ({"capacity": rating.isel(unit=[0])}, r"capacity: lacks unit \['b'\]"),
        ({"capacity": rating.assign_coords(unit=["a", "q"])}, r"capacity: lacks unit \['b'\]"),
        ({"capacity": rating * 0.0}, "capacity: has values that are 0"),
        ({"by": ("site",)}, "by: 'site' is no dim of the scores"),
        ({"where": (actual > 2.0).isel(unit=[0])}, "where: lacks unit"),
    ):
        with pytest.raises(InputError, match=match):
            forecast_scores(told, actual, **options)  # type: ignore[arg-type]


def test_what_happened_elsewhere_or_in_another_unit_of_measure_is_refused() -> None:
    time = pd.date_range("2020-06-01", periods=72, freq="h")
    data = np.random.default_rng(2).uniform(1.0, 9.0, (72, 2))
    labels = {"time": time, "unit": ["a", "b"]}
    actual = xr.DataArray(data, labels, ("time", "unit"), name="available_p_mw", attrs={"units": "MW"})
    told = persistence(actual, pd.DatetimeIndex(time[24:48:6]).tz_localize("UTC"), HOURS[:6])
    with pytest.raises(InputError, match="actual: has another unit than the forecast"):
        forecast_scores(told, actual.isel(unit=[0]))
    with pytest.raises(InputError, match="actual: is in kW, forecast in MW"):
        forecast_scores(told, (1000.0 * actual).assign_attrs(units="kW"))
    with pytest.raises(InputError, match="capacity: changes over time"):
        forecast_scores(told, actual, capacity=actual)
