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


WIND = with_metadata(
    xr.Dataset({"wind_speed": (("time", "height", "site"), 5.0 + np.arange(480.0)[:, None, None] % 7)})
)["wind_speed"]


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


@pytest.mark.parametrize("late_h", [-6.0, -1.0, -0.5, 0.0, 0.5, 1.0, 6.0])
def test_global_irradiance_alone_tells_the_clock_too(late_h: float) -> None:
    ds = sunny(stamps_late_h=late_h).drop_vars(["dni", "dhi"])
    assert clock_offset_h(ds).item() == pytest.approx(-late_h, abs=0.1)
    assert bool(findings_of(ds)) == (late_h != 0.0)


@settings(max_examples=15)
@given(cloud=st.integers(0, 2**32 - 1), late_h=st.integers(-6, 6))
def test_clouds_do_not_move_the_clock_of_global_irradiance(cloud: int, late_h: int) -> None:
    """Cloudy spells of hours, more in the afternoon: 15 minutes at most, and never an hour."""
    ds = sunny(days=30, stamps_late_h=float(late_h)).drop_vars(["dni", "dhi"])
    rng = np.random.default_rng(cloud)
    clearness = np.repeat(rng.uniform(0.2, 1.0, 30 * 8), 3) * np.tile(np.linspace(1.0, 0.8, 24), 30)
    ds["ghi"] = (ds["ghi"] * clearness[:, None]).assign_attrs(ds["ghi"].attrs)
    assert clock_offset_h(ds).item() == pytest.approx(-late_h, abs=0.35)


def test_a_few_hours_of_global_irradiance_say_nothing() -> None:
    assert np.isnan(clock_offset_h(sunny(days=2).drop_vars(["dni", "dhi"])).item())


def test_long_series_are_asked_at_all_hours_of_the_day() -> None:
    year = sunny("2013-01-01T00:00-06:00", 365).drop_vars(["dni", "dhi"])
    assert clock_offset_h(year).item() == 0.0
    late = year.assign_coords(time=year["time"] + np.timedelta64(1, "h"))
    assert clock_offset_h(late).item() == pytest.approx(-1.0, abs=0.1)


def test_irradiance_that_does_not_close_is_reported_and_can_be_accepted_by_name() -> None:
    ds = sunny()
    ds["dhi"] = ds["dhi"].where(ds["time"].dt.day % 2 == 0, 0.0).assign_attrs(ds["dhi"].attrs)
    (finding,) = findings_of(ds)
    assert "closure: ghi differs from dhi + dni cos(zenith) by more than 50 W/m²" in finding
    assert findings_of(ds, accept=("closure",)) == []


def test_only_known_checks_can_be_accepted() -> None:
    (finding,) = findings_of(sunny(), accept=("bounds",))
    assert finding == "accept: no check 'bounds'; use clock, closure, stuck"


def test_all_kinds_of_findings_come_in_one_round() -> None:
    ds = sunny(stamps_late_h=3.0)
    ds["temp_air"][5, 0] = np.nan
    ds["temp_air"][7, 0] = 293.15
    ds = ds.isel(time=[*range(100), *range(102, 300), 299])
    text = "\n".join(findings_of(ds))
    for part in ("gap(s)", "duplicate stamp(s)", "1 of 299 values are NaN", "outside [-90, 60] °C", "clock:"):
        assert part in text


@pytest.mark.parametrize(
    ("name", "limit_h", "value"), [("temp_air", 36, 21.5), ("ghi", 6, 500.0), ("wind_speed", 48, 0.0)]
)
def test_a_sensor_that_stands_still_is_reported_and_can_be_masked(
    name: str, limit_h: int, value: float
) -> None:
    ds = sunny().assign(wind_speed=WIND)
    for n_equal, is_stuck in ((limit_h, False), (limit_h + 1, True)):
        changed = ds.copy(deep=True)
        changed[name][100 : 100 + n_equal] = value
        findings = [f for f in findings_of(changed, accept=("closure", "clock")) if "stuck" in f]
        assert bool(findings) == is_stuck
    (finding,) = findings
    units = ds[name].attrs["units"]
    assert finding.startswith(f"{name}: stuck: {limit_h} values repeat the one before in runs of more than ")
    assert f"first {value:g} {units} since 2013-03-14T10:00Z" in finding
    assert findings_of(changed, accept=("closure", "clock", "stuck")) == []
    masked = fill_missing(changed, ["stuck"])
    assert int(masked[name].isnull().sum()) == limit_h
    assert masked.attrs["fills"] == f"stuck: -{limit_h} values"


def test_night_is_no_stuck_sensor() -> None:
    polar = sunny(days=30)
    polar["ghi"] = (polar["ghi"] * 0.0).assign_attrs(polar["ghi"].attrs)
    assert not any("stuck" in finding for finding in findings_of(polar.drop_vars(["dni", "dhi"])))


@pytest.mark.parametrize("zone_h", [-6.0, 0.0, 9.0])
def test_a_missing_leap_day_is_called_so(zone_h: float) -> None:
    ds = sunny("2020-02-20T00:00-06:00")
    local = to_utc_index(ds) + pd.Timedelta(hours=zone_h)
    (finding,) = findings_of(ds.isel(time=local.strftime("%m-%d") != "02-29"))
    assert finding.startswith("time: 1 missing 29 February: 2020-02-2")
    assert finding.endswith("29 February: 'leap_day' repeats 28 February")


def test_another_missing_day_is_a_gap() -> None:
    ds = sunny("2020-02-20T00:00-06:00")
    (finding,) = findings_of(ds.isel(time=[*range(48), *range(72, 480)]))
    assert "1 gap(s): not one step" in finding


def test_rows_are_sorted_and_repeated_ones_dropped_by_name() -> None:
    ds = sunny()
    mixed = ds.isel(time=[*range(50), 60, *range(50, 60), 59, *range(61, 480)])
    text = "\n".join(findings_of(mixed))
    assert "1 stamp(s) earlier" in text
    assert "1 duplicate" in text
    repaired = fill_missing(mixed, ["sort", "deduplicate"])
    assert repaired.drop_attrs().identical(ds.drop_attrs())
    assert repaired.attrs["fills"] == "sort: 11 rows moved; deduplicate: -1 rows"


def test_incomplete_ends_are_trimmed_and_holes_are_not() -> None:
    ds = sunny()
    ds["temp_air"][:3, 0] = np.nan
    ds["ghi"][470:, 0] = np.nan
    ds["ghi"][100, 0] = np.nan
    trimmed = fill_missing(ds, ["trim"])
    assert (trimmed.sizes["time"], int(trimmed["ghi"].isnull().sum())) == (467, 1)
    assert trimmed.attrs["fills"] == "trim: -13 rows"
    nothing = ds.assign(ghi=ds["ghi"] * np.nan)
    assert fill_missing(nothing, ["trim"]).sizes["time"] == 480


def test_a_small_offset_below_zero_counts_as_night_a_large_one_does_not() -> None:
    ds = sunny()
    ds["ghi"][0, 0], ds["ghi"][1, 0] = -3.0, -40.0
    filled = fill_missing(ds, ["night_offset"])
    assert filled["ghi"].values[:2, 0].tolist() == [0.0, -40.0]
    assert filled.attrs["fills"] == "night_offset: 1 values set"
    assert "mask them (fill 'out_of_range')" in findings_of(filled)[0]


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
        InputError, match="no fill 'zero'; use sort, deduplicate, trim, out_of_range, night_offset, stuck"
    ):
        fill_missing(sunny(), ["zero"])


def test_a_fill_given_as_a_string_is_told_to_be_a_sequence() -> None:
    with pytest.raises(InputError, match=r"no fill 'trim'; use .*, in a sequence"):
        fill_missing(xr.Dataset(), "trim")
