"""Archived forecasts, and the newest of them at a time of use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.weather.forecast_pairs import HOURS, hourly
from weather import InputError, archived_days, archived_runs, check_forecast, latest, persistence, read

NOON = pd.Timedelta("12h")


def test_a_day_ahead_series_is_issued_once_a_day() -> None:
    series = hourly(24 * 3, start="2020-01-01T03:00")  # whole days in UTC-8 begin at 08:00
    told = archived_days(series, issued_before=NOON, utc_offset_h=-8.0, latency=pd.Timedelta("30min"))
    check_forecast(told)
    np.testing.assert_array_equal(
        told["init_time"], np.array(["2019-12-31T20:00", "2020-01-01T20:00"], dtype="datetime64[ns]")
    )
    np.testing.assert_array_equal(told["lead_time"], (12 + np.arange(24)) * np.timedelta64(1, "h"))
    np.testing.assert_array_equal(told["available_p_mw"].to_numpy()[1, :, 0], 5.0 + 24.0 + np.arange(24))
    assert told["published_time"].to_numpy()[0] == np.datetime64("2019-12-31T20:30")


def test_days_must_begin_with_a_step() -> None:
    with pytest.raises(InputError, match="hold no whole day"):
        archived_days(hourly(20), issued_before=NOON)
    with pytest.raises(InputError, match="hold no whole day"):
        archived_days(hourly(72), issued_before=NOON, utc_offset_h=5.5)
    with pytest.raises(InputError, match="before the day begins"):
        archived_days(hourly(72), issued_before=-NOON)


def write_run(path: Path, start: str, members: int) -> Path:
    """An answer of an ensemble service: control and members, hourly, in the documented form."""
    stamps = pd.date_range(start, periods=49, freq="h")
    names = ["", *(f"_member{k:02d}" for k in range(1, members))]
    columns = {f"temperature_2m{n}": [float(k + t.hour) for t in stamps] for k, n in enumerate(names)}
    content = {
        "latitude": 35.0,
        "longitude": -115.0,
        "elevation": 600.0,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "hourly_units": {"time": "iso8601", **dict.fromkeys(columns, "°C")},
        "hourly": {"time": [f"{t:%Y-%m-%dT%H:%M}" for t in stamps], **columns},
    }
    path.write_text(json.dumps(content))
    return path


def test_runs_as_read_become_one_forecast_with_members(tmp_path: Path) -> None:
    runs = {}
    for day in ("2024-06-01", "2024-06-02"):
        path = write_run(tmp_path / f"{day}.json", day, members=3)
        variants = (None, "member01", "member02")
        runs[pd.Timestamp(f"{day}T06:00Z")] = [read(path, variant=v, partial=True) for v in variants]
    told = archived_runs(runs, latency=pd.Timedelta("4h"))
    check_forecast(told)
    assert told["temp_air"].dims == ("init_time", "lead_time", "member", "site")
    assert told["lead_time"].to_numpy()[0] == np.timedelta64(0)  # steps before the run are gone
    # The mean of the step from 06:00 to 07:00 of values 6 and 7.
    np.testing.assert_allclose(told["temp_air"].isel(init_time=1, lead_time=0, site=0), [6.5, 7.5, 8.5])
    assert told["published_time"].to_numpy()[0] == np.datetime64("2024-06-01T10:00")
    assert told.attrs["source"] == runs[pd.Timestamp("2024-06-01T06:00Z")][0].attrs["source"]


def weather(start: str, n: int = 6, name: str = "ghi") -> xr.Dataset:
    return hourly(n, name, start).expand_dims(site=["a"], axis=1).to_dataset()


def test_runs_that_do_not_fit_are_refused() -> None:
    first, second = pd.Timestamp("2020-01-01T00:00Z"), pd.Timestamp("2020-01-02T00:00Z")
    with pytest.raises(InputError, match="none given"):
        archived_runs({})
    with pytest.raises(InputError, match="naive"):
        archived_runs({first.tz_localize(None): weather("2020-01-01")})
    with pytest.raises(InputError, match=r"dni, ghi only in some|ghi, dni only in some"):
        archived_runs({first: weather("2020-01-01"), second: weather("2020-01-02", name="dni")})
    with pytest.raises(InputError, match="site differs"):
        archived_runs({first: weather("2020-01-01"), second: weather("2020-01-02").assign_coords(site=["b"])})
    with pytest.raises(InputError, match="no lead time in common"):
        archived_runs({first: weather("2020-01-01"), second: weather("2020-01-03")})
    with pytest.raises(InputError, match="other steps than the first"):
        archived_runs({first: [weather("2020-01-01"), weather("2020-01-01", 5)]})
    with pytest.raises(InputError, match="has no member"):
        archived_runs({first: []})
    coarse = weather("2020-01-02", 12).isel(time=slice(None, None, 2))
    with pytest.raises(InputError, match="expected 0 days 01:00:00"):
        archived_runs({first: weather("2020-01-01"), second: coarse})


def test_the_newest_published_forecast_is_used() -> None:
    # Runs at noon for the next day, two hours later with the user; at 13:00 the one of the day before counts.
    told = archived_days(hourly(24 * 5), issued_before=NOON, latency=pd.Timedelta("2h"))
    use = pd.DatetimeIndex(["2020-01-02T13:00Z", "2020-01-02T14:00Z"])
    with pytest.raises(InputError, match=r"by 2020-01-02 13:00:00Z covers 2020-01-03 00:00:00Z"):
        latest(told, use, HOURS[:12])
    seen = latest(told, use, HOURS[:11])
    assert seen["issued_time"].to_numpy()[0, 10] == np.datetime64("2020-01-01T12:00")
    assert seen["issued_time"].to_numpy()[1, 9] == np.datetime64("2020-01-01T12:00")
    assert seen["issued_time"].to_numpy()[1, 10] == np.datetime64("2020-01-02T12:00")
    np.testing.assert_array_equal(
        seen["available_p_mw"].isel(member=0), [37.0 + np.arange(11), 38.0 + np.arange(11)]
    )
    check_forecast(seen)


@settings(max_examples=12)
@given(latency=st.integers(0, 30), every=st.integers(1, 12))
def test_nothing_is_used_before_it_is_published(latency: int, every: int) -> None:
    series = hourly(24 * 8)
    init = pd.DatetimeIndex(series["time"].to_numpy()[24 : 24 * 6 : every]).tz_localize("UTC")
    told = persistence(
        series, init, pd.to_timedelta(np.arange(48), unit="h"), latency=pd.Timedelta(hours=latency)
    )
    use = pd.date_range("2020-01-04T00:00Z", periods=20, freq="h")
    seen = latest(told, use, HOURS[:3])
    age = seen["init_time"] - seen["issued_time"]
    assert (age >= np.timedelta64(latency, "h")).all()
    assert (age < np.timedelta64(latency + every, "h")).all()
    # Persistence tells when it was made: the hour before.
    made = (seen["issued_time"] - np.datetime64("2020-01-01")) / np.timedelta64(1, "h") - 1.0
    np.testing.assert_array_equal(seen["available_p_mw"].isel(member=0), made)


def test_times_of_use_must_rise() -> None:
    told = archived_days(hourly(72), issued_before=NOON)
    with pytest.raises(InputError, match="must be rising"):
        latest(told, pd.DatetimeIndex([]).tz_localize("UTC"), HOURS)


def test_clocks_names_and_durations_that_cannot_be_are_refused() -> None:
    series = hourly(72)
    with pytest.raises(InputError, match=r"(?s)series: has no name.*utc_offset_h: 504.0 h is no clock"):
        archived_days(series.rename(None), issued_before=NOON, utc_offset_h=504.0)
    with pytest.raises(InputError, match="issued_before: NaT is no duration"):
        archived_days(series, issued_before=pd.NaT)  # type: ignore[arg-type]
    told = archived_days(series, issued_before=NOON)
    use = pd.DatetimeIndex(["2020-01-01T12:00Z"])
    with pytest.raises(InputError, match="rising in equal steps"):
        latest(told, use, pd.to_timedelta([0, 1, 3], unit="h"))


def test_runs_told_in_several_zones_are_put_in_order() -> None:
    series = hourly(72).to_dataset()
    early, late = pd.Timestamp("2020-01-01T01:00-08:00"), pd.Timestamp("2020-01-01T10:00Z")
    told = archived_runs({late: series, early: series})
    np.testing.assert_array_equal(
        told["init_time"], np.array(["2020-01-01T09:00", "2020-01-01T10:00"], dtype="datetime64[ns]")
    )
