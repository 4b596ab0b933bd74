from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from weather import (
    InputError,
    interval_midpoint,
    resample_mean,
    resample_sum,
    step_hours,
    step_of,
    time_axis,
    to_left_label,
    to_utc_index,
    to_xarray_time,
)

AXIS = time_axis("2013-01-01T00:00-06:00", 24, 3600)


def series(values: list[float], step_s: int = 900) -> xr.DataArray:
    time = to_xarray_time(time_axis("2013-01-01T00:00Z", len(values), step_s))
    return xr.DataArray(values, coords={"time": time}, name="p_mw", attrs={"units": "MW"})


def test_local_time_becomes_utc() -> None:
    assert str(AXIS[0]) == "2013-01-01 06:00:00+00:00"
    assert step_hours(AXIS) == 1.0


def test_crossing_to_xarray_and_back_gives_the_same_instants() -> None:
    naive = to_xarray_time(AXIS)
    assert naive.dtype.kind == "M"
    assert to_utc_index(naive).equals(AXIS)
    ds = xr.Dataset(coords={"time": naive})
    assert to_utc_index(ds).equals(AXIS)
    assert to_utc_index(ds["time"]).equals(AXIS)


def test_a_naive_pandas_index_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"index is naive.*tz_localize\('UTC'\)"):
        to_utc_index(pd.date_range("2013-01-01", periods=3, freq="h"))


def test_an_object_without_dates_is_refused() -> None:
    with pytest.raises(InputError, match="no coordinate 'time'"):
        to_utc_index(xr.Dataset())
    with pytest.raises(InputError, match="dtype int64, expected naive datetime64"):
        to_utc_index(xr.Dataset(coords={"time": [0, 1, 2]}))


def test_an_axis_needs_a_zone_and_positive_counts() -> None:
    with pytest.raises(InputError) as caught:
        time_axis("2013-01-01T00:00", 0, 0)
    assert [f.where for f in caught.value.findings] == ["start", "periods", "step_s"]


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 1, 2, 5, 6, 7], r"1 gap\(s\).*2013-01-01T08:00Z -> 2013-01-01T11:00Z"),
        ([0, 1, 1, 2], r"1 duplicate stamp\(s\): 2013-01-01T07:00Z"),
        ([0, 2, 1, 3, 4], r"1 stamp\(s\) earlier than the one before"),
        ([0], "at least 2 are needed"),
    ],
)
def test_an_irregular_axis_is_refused_by_place(positions: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        step_of(AXIS[positions])


def test_all_faults_of_an_axis_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        step_of(AXIS[[0, 1, 1, 2, 5, 6, 4, 5, 6]])
    assert len(caught.value.findings) == 3


@pytest.mark.parametrize(("label", "minutes"), [("left", 0), ("middle", 30), ("right", 60)])
def test_labels_move_to_the_start_of_their_interval(label: str, minutes: int) -> None:
    stamps = AXIS + pd.Timedelta(minutes=minutes)
    assert to_left_label(stamps, label, np.timedelta64(1, "h")).equals(AXIS)  # type: ignore[arg-type]


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(InputError, match="use one of left, middle, right"):
        to_left_label(AXIS, "centre", np.timedelta64(1, "h"))  # type: ignore[arg-type]


def test_the_midpoint_of_an_hour_is_half_past() -> None:
    assert (interval_midpoint(AXIS) - AXIS == pd.Timedelta(minutes=30)).all()


def test_means_and_sums_of_blocks_by_hand() -> None:
    quarter = series([1.0, 2.0, 3.0, 6.0, 0.0, 0.0, 0.0, 4.0])
    hourly = resample_mean(quarter, 3600)
    assert hourly.values.tolist() == [3.0, 1.0]
    assert resample_sum(quarter, 3600).values.tolist() == [12.0, 4.0]
    assert to_utc_index(hourly)[0] == to_utc_index(quarter)[0]
    assert hourly.attrs["units"] == "MW"


def test_one_missing_value_makes_its_block_missing() -> None:
    hourly = resample_mean(series([1.0, np.nan, 3.0, 6.0, 0.0, 0.0, 0.0, 4.0]), 3600)
    assert np.isnan(hourly.values[0])
    assert hourly.values[1] == 1.0


def test_resampling_keeps_arrays_lazy() -> None:
    lazy = resample_mean(series([1.0, 2.0, 3.0, 6.0]).to_dataset().chunk(time=2), 1800)
    assert lazy["p_mw"].chunks is not None
    assert lazy["p_mw"].values.tolist() == [1.5, 4.5]


@pytest.mark.parametrize(
    ("step_s", "message"), [(600, "no multiple"), (1000, "no multiple"), (2700, "do not fill whole blocks")]
)
def test_blocks_must_be_whole(step_s: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resample_mean(series([1.0, 2.0, 3.0, 4.0]), step_s)


@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=12),
    factor=st.sampled_from([1, 2, 3, 4, 6, 12]),
)
def test_energy_does_not_depend_on_the_step(values: list[float], factor: int) -> None:
    fine = series(values, 300)
    coarse = resample_mean(fine, 300 * factor)
    hours = 300 * factor / 3600
    assert float(coarse.sum()) * hours == pytest.approx(float(fine.sum()) * 300 / 3600, abs=1e-9)
