from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from weather import InputError, align_calendar, time_axis, to_utc_index, to_xarray_time, wrap_year

HOURS = 8760


def year_of_hours(start: str = "2013-01-01T00:00-06:00", n: int = HOURS, step_s: int = 3600) -> xr.DataArray:
    """Values count the steps from the start."""
    time = to_xarray_time(time_axis(start, n, step_s))
    return xr.DataArray(np.arange(n, dtype=float), coords={"time": time}, name="steps")


def at(aligned: xr.DataArray, stamp: str) -> float:
    return float(aligned.sel(time=pd.Timestamp(stamp).tz_convert("UTC").tz_localize(None)))


def leap_year() -> pd.DatetimeIndex:
    return time_axis("2020-01-01T00:00-08:00", 8784, 3600)


def test_a_common_year_covers_a_leap_year_by_repeating_28_february() -> None:
    aligned = align_calendar(year_of_hours(), leap_year(), source_utc_offset_h=-6, target_utc_offset_h=-8)
    hour_of_28_february = (31 + 27) * 24
    assert at(aligned, "2020-02-28T15:00-08:00") == hour_of_28_february + 15
    assert at(aligned, "2020-02-29T15:00-08:00") == hour_of_28_february + 15
    assert at(aligned, "2020-03-01T00:00-08:00") == hour_of_28_february + 24
    assert aligned.sizes["time"] == 8784
    assert "24 steps of 29 February repeat 28 February" in aligned.attrs["calendar"]


def test_noon_meets_noon_whatever_the_clocks() -> None:
    aligned = align_calendar(year_of_hours(), leap_year(), source_utc_offset_h=-6, target_utc_offset_h=-8)
    assert at(aligned, "2020-01-01T12:00-08:00") == 12.0
    assert at(aligned, "2020-12-31T12:00-08:00") == HOURS - 12


def test_a_leap_day_that_the_source_has_is_used() -> None:
    source = year_of_hours("2020-01-01T00:00Z", 8784)
    target = time_axis("2024-01-01T00:00Z", 8784, 3600)
    aligned = align_calendar(source, target, source_utc_offset_h=0, target_utc_offset_h=0)
    assert np.array_equal(aligned.values, source.values)


def test_a_leap_day_that_the_target_lacks_is_left_out() -> None:
    source = year_of_hours("2020-01-01T00:00Z", 8784)
    target = time_axis("2013-02-28T00:00Z", 48, 3600)
    aligned = align_calendar(source, target, source_utc_offset_h=0, target_utc_offset_h=0)
    assert aligned.values[23] + 25 == aligned.values[24]


def test_a_source_in_utc_is_one_year_of_local_time_too() -> None:
    aligned = align_calendar(
        year_of_hours("2013-01-01T00:00Z"), leap_year(), source_utc_offset_h=-6, target_utc_offset_h=-8
    )
    assert at(aligned, "2020-01-01T12:00-08:00") == 18.0


def test_other_missing_steps_are_an_error_that_names_the_first() -> None:
    source = year_of_hours().isel(time=slice(0, 100))
    with pytest.raises(InputError, match=r"8684 of 8784 target steps have no source, first 05 January 04:00"):
        align_calendar(source, leap_year(), source_utc_offset_h=-6, target_utc_offset_h=-8)


def test_steps_must_be_equal() -> None:
    target = time_axis("2020-01-01T00:00-08:00", 12, 300)
    with pytest.raises(InputError, match=r"steps differ.*resample_mean the finer one"):
        align_calendar(year_of_hours(), target, source_utc_offset_h=-6, target_utc_offset_h=-8)


def test_a_source_of_two_years_is_ambiguous() -> None:
    with pytest.raises(InputError, match=r"covers 48 calendar steps twice.*cut the source to one year"):
        align_calendar(
            year_of_hours(n=HOURS + 48), leap_year(), source_utc_offset_h=-6, target_utc_offset_h=-8
        )


def test_a_naive_target_is_refused() -> None:
    naive = pd.date_range("2020-01-01", periods=3, freq="h")
    with pytest.raises(InputError, match="naive"):
        align_calendar(year_of_hours(), naive, source_utc_offset_h=0, target_utc_offset_h=0)


@given(start=st.integers(0, HOURS - 30), n=st.integers(1, 30), offset=st.integers(-12, 12))
def test_the_same_year_and_clock_is_a_selection(start: int, n: int, offset: int) -> None:
    source = year_of_hours(f"2013-01-01T00:00{-offset:+03d}:00")
    target = to_utc_index(source)[start : start + n]
    aligned = align_calendar(source, target, source_utc_offset_h=offset, target_utc_offset_h=offset)
    assert np.array_equal(aligned.values, source.values[start : start + n])


def test_wrapping_moves_the_hours_of_the_next_year_to_the_front() -> None:
    local = year_of_hours("2013-01-01T00:00-06:00")
    wrapped = wrap_year(local)
    assert str(to_utc_index(wrapped)[0]) == "2013-01-01 00:00:00+00:00"
    assert wrapped.values[:6].tolist() == [8754.0, 8755.0, 8756.0, 8757.0, 8758.0, 8759.0]
    assert wrapped.values[6:8].tolist() == [0.0, 1.0]
    assert wrapped.attrs["wrapped"] == "6 steps moved by one year into 2013 UTC"


def test_wrapping_keeps_a_calendar_year_in_utc_as_it_is() -> None:
    utc = year_of_hours("2013-01-01T00:00Z")
    assert np.array_equal(wrap_year(utc).values, utc.values)


@pytest.mark.parametrize(("n", "year"), [(HOURS - 1, None), (8784, None), (HOURS, 2012)])
def test_only_a_whole_year_can_be_wrapped(n: int, year: int | None) -> None:
    with pytest.raises(InputError, match="give a whole year"):
        wrap_year(year_of_hours(n=n), year)
