"""Persistence and climatology: by hand, and without knowledge of what comes later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.weather.forecast_pairs import HOURS, hourly, pairs
from weather import (
    InputError,
    at_valid_time,
    check_forecast,
    clear_sky,
    climatology,
    is_dark,
    persistence,
    smart_persistence,
)

DAY = pd.Timedelta("1D")
INIT = pd.DatetimeIndex(["2020-01-10T06:00Z", "2020-01-12T00:00Z"])
SITES = pd.DataFrame(
    {"latitude": [34.5, 69.6], "longitude": [-117.0, 19.0], "altitude": [700.0, 0.0]},
    index=["mojave", "tromso"],
)
METHODS: dict[str, Callable[[xr.DataArray, pd.DatetimeIndex], xr.Dataset]] = {
    "persistence": lambda series, init: persistence(series, init, HOURS),
    "daily": lambda series, init: persistence(series, init, HOURS, period=DAY),
    "smart": lambda series, init: smart_persistence(series, xr.full_like(series, 500.0), init, HOURS),
    "climatology": lambda series, init: climatology(series, init, HOURS, 3),
}


def hour(time: str) -> float:
    """Value of `hourly` at an hour."""
    return float((pd.Timestamp(time) - pd.Timestamp("2020-01-01")) / pd.Timedelta("1h"))


def test_the_last_step_that_has_ended_goes_on() -> None:
    told = persistence(hourly(24 * 14), INIT, HOURS, latency=pd.Timedelta("2h"))
    assert (told["available_p_mw"].isel(init_time=0) == hour("2020-01-10T05:00")).all()
    assert (told["available_p_mw"].isel(init_time=1) == hour("2020-01-11T23:00")).all()
    assert told["published_time"].to_numpy()[0] == np.datetime64("2020-01-10T08:00")
    assert told["valid_time"].to_numpy()[0, 3] == np.datetime64("2020-01-10T09:00")
    check_forecast(told)


def test_the_same_hour_of_the_last_day_that_is_known() -> None:
    told = persistence(hourly(24 * 14), INIT[:1], pd.to_timedelta([0, 23], unit="h"), period=DAY)
    # 23 hours ahead of 06:00 is 05:00 of the next day: known of this day, for its step ended at 06:00.
    np.testing.assert_array_equal(
        told["available_p_mw"].to_numpy().ravel(), [hour("2020-01-09T06:00"), hour("2020-01-10T05:00")]
    )
    far = persistence(hourly(24 * 14), INIT[:1], pd.to_timedelta([24, 25], unit="h"), period=DAY)
    np.testing.assert_array_equal(
        far["available_p_mw"].to_numpy().ravel(), [hour("2020-01-09T06:00"), hour("2020-01-09T07:00")]
    )


def test_the_sky_stays_as_clear_as_it_last_was() -> None:
    series = hourly(72, "ghi") * 0.0
    clear = xr.DataArray(
        np.tile([0.0] * 6 + [100.0, 400.0, 800.0, 400.0, 100.0, 0.0] + [0.0] * 12, 3), coords=series.coords
    )
    actual = (0.5 * clear).rename("ghi")
    actual[8] = 200.0  # a quarter of a clear sky at 08:00
    init = pd.DatetimeIndex(["2020-01-01T09:00Z", "2020-01-02T00:00Z"])
    told = smart_persistence(actual, clear, init, HOURS[:12])["ghi"].isel(member=0)
    np.testing.assert_allclose(told[0, :4], [100.0, 25.0, 0.0, 0.0])
    # At midnight the sky of the last hour in the light, 10:00, stands in.
    np.testing.assert_allclose(told[1, 6:9], [50.0, 200.0, 400.0])
    with pytest.raises(InputError, match="no step in the light before 2020-01-01 06:00"):
        smart_persistence(actual, clear, pd.DatetimeIndex(["2020-01-01T06:00Z"]), HOURS[:2])


def test_climatology_of_one_year_is_the_days_before() -> None:
    told = climatology(hourly(24 * 14), INIT[:1], HOURS[:3], 4)["available_p_mw"].isel(init_time=0)
    first = hour("2020-01-10T06:00")
    np.testing.assert_array_equal(told[0], [first - 24 * k for k in (1, 2, 3, 4)])
    np.testing.assert_array_equal(told[2] - told[0], [2.0] * 4)


def test_climatology_of_several_years_looks_around_the_date() -> None:
    series = hourly(24 * 800)
    told = climatology(series, pd.DatetimeIndex(["2022-01-20T00:00Z"]), HOURS[:2], 5)["available_p_mw"]
    back = (hour("2022-01-20T00:00") - told.to_numpy()[0, 0]) / 24
    # Nearest in the year of 365.2425 days: one and two years before, and the day before.
    np.testing.assert_array_equal(back, [365.0, 730.0, 731.0, 366.0, 1.0])


@pytest.mark.parametrize("name", sorted(METHODS))
@settings(max_examples=10)
@given(now=st.integers(24 * 6, 24 * 9), seed=st.integers(0, 100))
def test_what_comes_later_changes_nothing(name: str, now: int, seed: int) -> None:
    series = pairs(12)[0].isel(unit=0)
    other = series.copy()
    other[now:] = np.random.default_rng(seed).uniform(0.0, 100.0, len(other) - now)
    init = pd.DatetimeIndex([series["time"].to_numpy()[now]]).tz_localize("UTC")
    told, again = (METHODS[name](s, init) for s in (series, other))
    xr.testing.assert_identical(told, again)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_further_dims_come_along_and_runs_do_not_depend_on_one_another(name: str) -> None:
    series = pairs(14)[0]
    both, one = METHODS[name](series, INIT), METHODS[name](series, INIT[1:])
    assert both["available_p_mw"].dims == ("init_time", "lead_time", "member", "unit")
    xr.testing.assert_identical(both.isel(init_time=slice(1, 2)), one)
    check_forecast(both)


def test_what_happened_is_found_by_valid_time() -> None:
    told = persistence(hourly(24 * 14), INIT, HOURS)
    happened = at_valid_time(hourly(24 * 14), told)
    assert happened.dims == ("init_time", "lead_time")
    assert float(happened[0, 5]) == hour("2020-01-10T11:00")
    with pytest.raises(InputError, match=r"does not have: 2020-01-12T00:00Z.*covers 2020-01-01T00:00Z to"):
        at_valid_time(hourly(24 * 11), told)
    with pytest.raises(InputError, match="bring both to one step"):
        at_valid_time(hourly(24 * 14).isel(time=slice(None, None, 2)), told)


def test_what_cannot_be_forecast_is_refused() -> None:
    series = hourly(24 * 14)
    with pytest.raises(InputError, match="naive"):
        persistence(series, INIT.tz_localize(None), HOURS)
    with pytest.raises(InputError, match="not on the steps of"):
        persistence(series, INIT + pd.Timedelta("10min"), HOURS)
    with pytest.raises(InputError, match="does not have: 2019-12-31T23:00Z"):
        persistence(series, pd.DatetimeIndex(["2020-01-01T00:00Z"]), HOURS)
    with pytest.raises(InputError, match="equal steps from 0"):
        persistence(series, INIT, -HOURS[1:])
    with pytest.raises(InputError, match="no multiples"):
        persistence(series, INIT, pd.to_timedelta([30, 60], unit="min"))
    with pytest.raises(InputError, match="period"):
        persistence(series, INIT, HOURS, period=pd.Timedelta("90min"))
    with pytest.raises(InputError, match="not published before it is made"):
        persistence(series, INIT, HOURS, latency=-pd.Timedelta("1h"))
    with pytest.raises(InputError, match="1 values are NaN"):
        persistence(series.where(series != 5.0), INIT, HOURS)
    with pytest.raises(InputError, match="has no name"):
        persistence(series.rename(None), INIT, HOURS)
    with pytest.raises(InputError, match=r"9 days known .* 10 are needed"):
        climatology(series, INIT[:1], HOURS, 10)
    with pytest.raises(InputError, match="members"):
        climatology(series, INIT, HOURS, 0)
    with pytest.raises(InputError, match="rising, at least one"):
        persistence(series, INIT[::-1], HOURS)


def test_a_forecast_is_checked_in_one_round() -> None:
    good = persistence(hourly(24 * 14), INIT, HOURS)
    bad = good.assign_coords(published_time=good["published_time"] - np.timedelta64(1, "h"))
    bad["valid_time"] = bad["valid_time"] + np.timedelta64(1, "h")
    bad["available_p_mw"] = bad["available_p_mw"].where(bad["lead_time"] > np.timedelta64(0))
    with pytest.raises(InputError) as caught:
        check_forecast(bad)
    assert [finding.where for finding in caught.value.findings] == [
        "valid_time",
        "published_time",
        "available_p_mw",
    ]
    with pytest.raises(InputError, match="transpose"):
        check_forecast(good.transpose("lead_time", "init_time", "member"))
    with pytest.raises(InputError, match="member: missing"):
        check_forecast(good.isel(member=0, drop=True))
    with pytest.raises(InputError, match="expected timedelta64"):
        check_forecast(good.assign_coords(lead_time=np.arange(24)))
    with pytest.raises(InputError, match="init_time: must be instants"):
        check_forecast(good.isel(init_time=[1, 0]))


def test_a_clear_sky_is_dark_at_night_and_bright_at_noon() -> None:
    time = pd.date_range("2020-12-21T00:00Z", periods=24, freq="h")
    sky, dark = clear_sky(SITES, time), is_dark(SITES, time)
    noon = sky["ghi"].sel(site="mojave", time="2020-12-21T19:00")
    assert 480.0 < float(noon) < 620.0  # 57 degree of zenith, beam of some 900 W/m²
    assert (sky["ghi"].where(dark, 0.0) == 0.0).all()
    assert dark.sel(site="tromso").all()  # polar night
    # Sunrise in Mojave at 06:48, sunset at 16:35 (UTC-8): nine whole hours and two with some sun.
    assert int((~dark.sel(site="mojave")).sum()) == 11
    with pytest.raises(InputError, match="altitude"):
        clear_sky(SITES.drop(columns="altitude"), time)


def two_units(values: list[float], order: str = "ab") -> xr.DataArray:
    """Six hours of unit a, and twice as much of unit b."""
    time = pd.date_range("2020-06-01", periods=len(values), freq="h")
    data = {"a": values, "b": [2.0 * value for value in values]}
    columns = np.array([data[unit] for unit in order]).T
    return xr.DataArray(columns, {"time": time, "unit": list(order)}, ("time", "unit"), name="available_p_mw")


HOUR = pd.to_timedelta([0, 1], unit="h")


def test_a_clear_sky_in_another_order_is_the_same_sky() -> None:
    actual, clear = two_units([4.0, 8.0, 8.0, 8.0, 8.0]), [8.0, 10.0, 12.0, 14.0, 16.0]
    init = pd.DatetimeIndex(["2020-06-01T02:00Z"])
    one = smart_persistence(actual, two_units(clear), init, HOUR)
    other = smart_persistence(actual, two_units(clear, "ba"), init, HOUR)
    xr.testing.assert_identical(one, other)
    # The last known hour had 0.8 of a clear sky: 0.8 x 12 and 0.8 x 14, and twice that for b.
    np.testing.assert_allclose(one["available_p_mw"][0, :, 0], [[9.6, 19.2], [11.2, 22.4]])


def test_a_clear_sky_of_other_plants_is_refused() -> None:
    actual, init = two_units([4.0, 8.0, 8.0, 8.0]), pd.DatetimeIndex(["2020-06-01T02:00Z"])
    clear = two_units([8.0, 10.0, 12.0, 14.0])
    with pytest.raises(InputError, match=r"(?s)clear: lacks unit \['b'\].*clear: has unknown unit \['q'\]"):
        smart_persistence(actual, clear.assign_coords(unit=["a", "q"]), init, HOUR)
    with pytest.raises(InputError, match="lacks unit"):
        smart_persistence(actual, clear.sel(unit=["a"]), init, HOUR)
    with pytest.raises(InputError, match=r"(?s)least: -1.0.*clear: 8 values are negative.*is 0 throughout"):
        smart_persistence(actual, -clear, init, HOUR, least=-1.0)


def test_where_the_sun_never_shines_nothing_is_forecast() -> None:
    actual, clear = two_units([4.0, 8.0, 8.0, 8.0]), two_units([8.0, 10.0, 12.0, 14.0])
    dark = actual.where(actual["unit"] == "a", 0.0)
    sky = clear.where(clear["unit"] == "a", 0.0)
    told = smart_persistence(dark, sky, pd.DatetimeIndex(["2020-06-01T02:00Z"]), HOUR)
    np.testing.assert_allclose(told["available_p_mw"][0, :, 0], [[9.6, 0.0], [11.2, 0.0]])


def test_what_is_no_duration_number_or_value_is_refused_in_words() -> None:
    actual, init = two_units([4.0, 8.0, 8.0, 8.0]), pd.DatetimeIndex(["2020-06-01T02:00Z"])
    with pytest.raises(InputError, match="is of type list"):
        persistence(actual, init, [0, 1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds NaT"):
        persistence(actual, init, pd.to_timedelta([0, None], unit="h"))
    with pytest.raises(InputError, match="period: NaT is no duration"):
        persistence(actual, init, HOUR, period=pd.NaT)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="latency: NaT is no duration"):
        persistence(actual, init, HOUR, latency=pd.NaT)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="2 values are NaN or infinite"):
        persistence(actual.where(actual["time"] != actual["time"][1], np.inf), init, HOUR)
    with pytest.raises(InputError, match=r"members: 1\.5"):
        climatology(actual, init, HOUR, 1.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="repeats labels of unit"):
        persistence(actual.assign_coords(unit=["a", "a"]), init, HOUR)
