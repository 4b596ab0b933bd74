from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weather import (
    FILLS,
    InputError,
    check_quality,
    clock_offset_h,
    closure_residual,
    fill_missing,
    time_axis,
    to_utc_index,
    to_xarray_time,
    with_metadata,
)

LATITUDE, LONGITUDE = 32.0, -101.0


def sunny(start: str = "2013-03-10T00:00-06:00", days: int = 20, *, stamps_late_h: float = 0.0) -> xr.Dataset:
    """Direct sun all day by pvlib's solar position, with labels late by some hours."""
    axis = time_axis(start, 24 * days, 3600)
    zenith = pvlib.solarposition.get_solarposition(axis + pd.Timedelta(minutes=30), LATITUDE, LONGITUDE)[
        "zenith"
    ]
    cosine = np.cos(np.radians(zenith.to_numpy())).clip(min=0.0)[:, None]
    dni = np.where(cosine > 0.02, 700.0, 0.0)
    dhi = np.where(cosine > 0.0, 80.0, 0.0)
    ds = xr.Dataset(
        {
            "ghi": (("time", "site"), dhi + dni * cosine),
            "dni": (("time", "site"), dni),
            "dhi": (("time", "site"), dhi),
            "temp_air": (("time", "site"), np.arange(len(axis), dtype=float)[:, None] % 24),
        },
        {
            "time": to_xarray_time(axis + pd.Timedelta(hours=stamps_late_h)),
            "site": ["a"],
            "latitude": ("site", [LATITUDE]),
            "longitude": ("site", [LONGITUDE]),
            "utc_offset_h": ("site", [-6.0]),
        },
    )
    return with_metadata(ds)


def findings_of(ds: xr.Dataset, **options: tuple[str, ...]) -> list[str]:
    return [str(f) for f in check_quality(ds, required=(), **options)]


def test_sound_weather_has_no_findings() -> None:
    assert findings_of(sunny()) == []


@pytest.mark.parametrize("late_h", [-6.0, -0.5, 0.5, 6.0])
def test_a_clock_that_is_off_is_reported_with_its_offset(late_h: float) -> None:
    ds = sunny(stamps_late_h=late_h)
    assert clock_offset_h(ds).item() == pytest.approx(-late_h, abs=1 / 12)
    (finding,) = findings_of(ds)
    assert finding.startswith(
        f"site a: clock: the sun of the data fits stamps {clock_offset_h(ds).item():+.2f} h"
    )


@settings(max_examples=25)
@given(
    latitude=st.floats(-60, 60),
    longitude=st.floats(-180, 179),
    late_h=st.integers(-10, 10),
    day=st.integers(1, 340),
)
def test_the_clock_is_found_anywhere_on_earth(
    latitude: float, longitude: float, late_h: int, day: int
) -> None:
    axis = time_axis(pd.Timestamp("2013-01-01T00:00Z") + pd.Timedelta(days=day), 240, 3600)
    zenith = pvlib.solarposition.get_solarposition(axis + pd.Timedelta(minutes=30), latitude, longitude)[
        "zenith"
    ]
    cosine = np.cos(np.radians(zenith.to_numpy())).clip(min=0.0)[:, None]
    dims = ("time", "site")
    ds = xr.Dataset(
        {
            "ghi": (dims, 50.0 + 700.0 * cosine),
            "dni": (dims, np.where(cosine > 0.05, 700.0, 0.0)),
            "dhi": (dims, np.full_like(cosine, 50.0)),
        },
        {
            "time": to_xarray_time(axis + pd.Timedelta(hours=late_h)),
            "site": ["a"],
            "latitude": ("site", [latitude]),
            "longitude": ("site", [longitude]),
        },
    )
    assert clock_offset_h(ds).item() == pytest.approx(-late_h, abs=0.25)


def test_coordinates_on_the_wrong_side_of_greenwich_look_like_a_wrong_clock() -> None:
    ds = sunny().assign_coords(longitude=("site", [-LONGITUDE]))
    offset_of_202_degrees = 2 * LONGITUDE / 15.0
    assert clock_offset_h(ds).item() == pytest.approx((offset_of_202_degrees + 12) % 24 - 12, abs=0.1)


def test_without_sun_nothing_is_said_about_the_clock() -> None:
    night = sunny().isel(time=slice(0, 6))
    assert np.isnan(clock_offset_h(night).item())
    assert findings_of(night) == []


def test_the_closure_vanishes_where_the_three_belong_together() -> None:
    assert float(np.abs(closure_residual(sunny())).max()) < 15.0
    assert closure_residual(sunny()).attrs["units"] == "W/m²"


def test_irradiance_that_does_not_close_is_reported_and_can_be_accepted_by_name() -> None:
    ds = sunny()
    ds["dhi"] = ds["dhi"].where(ds["time"].dt.day % 2 == 0, 0.0).assign_attrs(ds["dhi"].attrs)
    (finding,) = findings_of(ds)
    assert "closure: ghi differs from dhi + dni cos(zenith) by more than 50 W/m²" in finding
    assert findings_of(ds, accept=("closure",)) == []


def test_only_known_checks_can_be_accepted() -> None:
    (finding,) = findings_of(sunny(), accept=("bounds",))
    assert finding == "accept: no check 'bounds'; use clock, closure"


def test_all_kinds_of_findings_come_in_one_round() -> None:
    ds = sunny(stamps_late_h=3.0)
    ds["temp_air"][5, 0] = np.nan
    ds["temp_air"][7, 0] = 293.15
    ds = ds.isel(time=[*range(100), *range(102, 300), 299])
    text = "\n".join(findings_of(ds))
    for part in ("gap(s)", "duplicate stamp(s)", "1 of 299 values are NaN", "outside [-90, 60] °C", "clock:"):
        assert part in text


def test_interpolation_closes_short_runs_only() -> None:
    ds = sunny()
    ds["temp_air"][3:6, 0] = np.nan
    ds["temp_air"][30:40, 0] = np.nan
    filled = fill_missing(ds, ["interpolate"])
    assert filled["temp_air"].values[3:6, 0].tolist() == [3.0, 4.0, 5.0]
    assert np.isnan(filled["temp_air"].values[30:40, 0]).all()
    assert filled.attrs["fills"] == "interpolate: +3 values"
    assert np.isnan(ds["temp_air"].values[3, 0])
    assert filled["temp_air"].attrs["units"] == "°C"


def test_interpolation_closes_a_gap_of_the_axis() -> None:
    ds = sunny()
    filled = fill_missing(ds.isel(time=[i for i in range(480) if i not in (12, 13)]), ["interpolate"])
    assert to_utc_index(filled).equals(to_utc_index(ds))
    assert filled["temp_air"].values[12:14, 0].tolist() == [12.0, 13.0]


def test_a_direction_is_held_and_never_averaged_across_north() -> None:
    values = np.array([350.0, np.nan, 10.0, 20.0])[:, None, None]
    time = to_xarray_time(time_axis("2013-01-01T00:00Z", 4, 3600))
    ds = xr.Dataset({"wind_direction": (("time", "height", "site"), values)}, {"time": time})
    assert fill_missing(ds, ["interpolate"])["wind_direction"].values[1].item() == 350.0


def test_the_day_before_fills_long_runs() -> None:
    ds = sunny()
    ds["temp_air"][30:40, 0] = np.nan
    filled = fill_missing(ds, ["previous_day"])
    assert np.array_equal(filled["temp_air"].values[30:40], ds["temp_air"].values[6:16])


def test_values_out_of_range_become_missing_and_then_filled() -> None:
    ds = sunny()
    ds["temp_air"][5, 0] = 999.0
    filled = fill_missing(ds, ["out_of_range", "interpolate"])
    assert filled["temp_air"].values[5, 0] == 5.0
    assert filled.attrs["fills"] == "out_of_range: -1 values; interpolate: +1 values"


def test_the_leap_day_repeats_28_february_in_local_time() -> None:
    ds = sunny("2020-02-20T00:00-06:00")
    is_leap_day = (to_utc_index(ds) - pd.Timedelta(hours=6)).strftime("%m-%d") == "02-29"
    ds["temp_air"] = ds["temp_air"] + 0.1 * xr.DataArray(np.arange(480) // 24, dims="time")
    filled = fill_missing(ds.isel(time=~is_leap_day), ["leap_day"])
    assert to_utc_index(filled).equals(to_utc_index(ds))
    day = np.flatnonzero(is_leap_day)
    assert np.array_equal(filled["temp_air"].values[day], ds["temp_air"].values[day - 24])
    assert filled.attrs["fills"] == "leap_day: +96 values"


@pytest.mark.parametrize("fill", FILLS)
def test_every_fill_leaves_complete_weather_alone(fill: str) -> None:
    ds = sunny()
    filled = fill_missing(ds, [fill])
    assert filled.drop_attrs().identical(ds.drop_attrs())
    assert filled.attrs["fills"] == f"{fill}: +0 values"


def test_the_leap_day_needs_one_clock() -> None:
    ds = xr.concat([sunny(), sunny().assign_coords(site=["b"], utc_offset_h=("site", [-7.0]))], "site")
    with pytest.raises(InputError, match="2 clocks in one dataset; fill before combining"):
        fill_missing(ds, ["leap_day"])


def test_an_unknown_fill_lists_the_known_ones() -> None:
    with pytest.raises(
        InputError, match="no fill 'zero'; use out_of_range, leap_day, interpolate, previous_day"
    ):
        fill_missing(sunny(), ["zero"])
