from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.weather.weather_files import nsrdb_rows, nsrdb_text, wtk_rows, wtk_text
from weather import (
    InputError,
    align_calendar,
    check_dataset,
    combine_sites,
    merge_solar_wind,
    read,
    time_axis,
    to_utc_index,
)

PARTS = ("wind_speed", "wind_direction", "pressure", "latitude", "longitude", "utc_offset_h", "height")
REMEDY = "say on_mismatch='wrap' (the year as a circle) or 'intersect' (common hours only)"
FILLS = ("out_of_range", "interpolate")
WIND_FILES = {
    "mccamey": "weather_nrel_2013/wind/30.6617_-101.7096_2013_wtk_v2_60min_utc_tz.csv",
    "sweetwater": "weather_nrel_2013/wind/32.31714_-100.18_2013_wtk_v2_60min_utc_tz.csv",
    "hibbing": "weather_nrel_2013/wind/47.5233_-92.5366_2013_wtk_v2_60min_local_tz.csv",
}
SOLAR_FILES = {
    "mccamey": "weather_nrel_2013/solar/30.6617_-101.7096_psmv3_60_2013.csv",
    "sweetwater": "weather_nrel_2013/solar/32.31714_-100.18_2013_goes_aggregated_v4_60min_utc_tz.csv",
    "hibbing": "weather_nrel_2013/solar/47.5_-93.0_psmv3_60_2013.csv",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wind.csv"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def findings_of(path: Path, text: str, **options: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(write(path, text), **options)  # type: ignore[arg-type]
    return [str(finding) for finding in caught.value.findings]


def test_heights_clock_and_units_come_from_the_header(path: Path) -> None:
    ds = read(write(path, wtk_text()))
    check_dataset(ds, "weather", required=PARTS)
    assert ds["height"].values.tolist() == [10.0, 100.0]
    assert ds["wind_speed"].dims == ("time", "height", "site")
    assert ds["wind_speed"].values[13, :, 0].tolist() == [6.3, 10.08]
    assert str(to_utc_index(ds)[0]) == "2013-01-01 06:00:00+00:00"
    assert (ds["latitude"].item(), ds["longitude"].item()) == (32.01, -101.01)
    assert ds["site"].item() == "wtk-7"


def test_temperature_is_taken_at_two_metres_only_and_altitude_is_not_invented(path: Path) -> None:
    ds = read(write(path, wtk_text()))
    assert "temp_air" not in ds
    assert "altitude" not in ds.coords
    rows = wtk_rows().rename(columns={"air temperature at 100m (C)": "air temperature at 2m (C)"})
    assert read(write(path, wtk_text(rows)))["temp_air"].values[0, 0] == 15.0


def test_the_two_clocks_of_one_source_give_the_same_hourly_means(path: Path) -> None:
    local = read(write(path, wtk_text()))
    utc = read(write(path, wtk_text(wtk_rows(clock_h=0), Data_Timezone="0")))
    common = np.intersect1d(local["time"], utc["time"])
    assert np.allclose(local["wind_speed"].sel(time=common), utc["wind_speed"].sel(time=common))
    means = [ds["wind_speed"].groupby("time.hour").mean() for ds in (local, utc)]
    assert np.allclose(*means, rtol=1e-12)


def test_a_clock_that_is_not_stated_is_asked_for(path: Path) -> None:
    (finding,) = findings_of(path, wtk_text(Data_Timezone=None))
    assert finding.startswith("Data Timezone: not stated in the header: the clock of the stamps is unknown")
    assert str(to_utc_index(read(path, utc_offset_h=0))[0]) == "2013-01-01 00:00:00+00:00"


def test_a_file_without_wind_speed_is_refused(path: Path) -> None:
    rows = wtk_rows().drop(columns=["wind speed at 10m (m/s)", "wind speed at 100m (m/s)"])
    findings = findings_of(path, wtk_text(rows))
    assert findings == ["columns: no column 'wind speed at <height>m (m/s)'; request the file with it"]


def test_a_wrong_unit_is_refused(path: Path) -> None:
    rows = wtk_rows().rename(columns={"wind speed at 10m (m/s)": "wind speed at 10m (furlong)"})
    (finding,) = findings_of(path, wtk_text(rows))
    assert finding.startswith("wind speed at 10m (furlong): unit 'furlong' in the header, expected m/s")


def test_values_of_the_saturated_code_are_refused_and_filled_by_name(path: Path) -> None:
    rows = wtk_rows()
    rows.loc[10, "wind speed at 100m (m/s)"] = 100
    (finding,) = findings_of(path, wtk_text(rows))
    assert "1 values outside [0, 75] m/s (smallest 5, largest 100)" in finding
    assert "first at time 2013-01-01T16:00Z, height 100.0, site wtk-7" in finding
    assert "out_of_range" in finding
    ds = read(path, fill=FILLS)
    assert ds["wind_speed"].values[10, 1, 0] == pytest.approx(9.6)


def test_missing_values_gaps_and_cut_off_files_are_refused(path: Path) -> None:
    rows = wtk_rows()
    rows["wind speed at 10m (m/s)"] = rows["wind speed at 10m (m/s)"].mask(rows.index == 7)
    text = "\n".join(findings_of(path, wtk_text(rows.drop(index=[50]).iloc[:4000])))
    assert "1 of 8000 values are NaN, first at time 2013-01-01T13:00Z, height 10.0" in text
    assert "1 gap(s)" in text
    assert "4000 rows, 2013-01-01 00:00 to 2013-06-16 16:00" in text


def test_a_header_without_rows_is_refused(path: Path) -> None:
    header_only = "\n".join(wtk_text().splitlines()[:2])
    assert findings_of(path, header_only) == [
        "rows: 2 lines, no data rows; the file is cut off: get it again"
    ]


def test_sun_and_wind_of_one_place_are_merged(tmp_path: Path) -> None:
    solar = read(write(tmp_path / "solar.csv", nsrdb_text()), site="here")
    wind = read(write(tmp_path / "wind.csv", wtk_text()))
    ds = merge_solar_wind(solar, wind)
    check_dataset(ds, "weather")
    assert ds["site"].item() == "here"
    assert ds["latitude"].item() == 32.0
    assert ds["pressure"].equals(solar["pressure"])
    assert np.array_equal(ds["wind_speed"].values, wind["wind_speed"].values)
    assert ds.attrs["source"] == "NSRDB PSM v3.2.2; WIND Toolkit"


def test_files_in_two_clocks_do_not_cover_the_same_hours_and_are_not_joined_silently(tmp_path: Path) -> None:
    solar = read(write(tmp_path / "solar.csv", nsrdb_text()))
    wind = read(write(tmp_path / "wind.csv", wtk_text(wtk_rows(clock_h=0), Data_Timezone="0")))
    with pytest.raises(InputError) as caught:
        merge_solar_wind(solar, wind)
    assert [str(finding) for finding in caught.value.findings] == [
        f"nsrdb-42: 8760 steps from 2013-01-01T06:00Z to 2014-01-01T05:00Z; {REMEDY}",
        f"wtk-7: 8760 steps from 2013-01-01T00:00Z to 2013-12-31T23:00Z; {REMEDY}",
    ]
    common = merge_solar_wind(solar, wind, on_mismatch="intersect")
    assert common.sizes["time"] == 8754
    wrapped = merge_solar_wind(solar, wind, on_mismatch="wrap")
    assert wrapped.sizes["time"] == 8760
    assert str(to_utc_index(wrapped)[0]) == "2013-01-01 00:00:00+00:00"
    assert wrapped["ghi"].sel(time=common["time"]).equals(common["ghi"])
    assert wrapped["wind_speed"].sel(time=common["time"]).equals(common["wind_speed"])


def test_files_of_different_places_are_not_merged(tmp_path: Path) -> None:
    solar = read(write(tmp_path / "solar.csv", nsrdb_text()))
    wind = read(write(tmp_path / "wind.csv", wtk_text(Latitude="33.0")))
    with pytest.raises(InputError, match=r"the cells are 111\.2 km apart, at most 10 km allowed"):
        merge_solar_wind(solar, wind)
    with pytest.raises(InputError, match="solar: has no ghi"):
        merge_solar_wind(wind, solar)
    with pytest.raises(InputError, match="use one of error, intersect, wrap"):
        merge_solar_wind(solar, solar.assign(wind_speed=wind["wind_speed"]), on_mismatch="inner")  # type: ignore[arg-type]


def test_sites_are_put_side_by_side(tmp_path: Path) -> None:
    file = write(tmp_path / "solar.csv", nsrdb_text())
    other = write(tmp_path / "other.csv", nsrdb_text(nsrdb_rows(clock_h=0), Time_Zone="0"))
    a, b = read(file, site="a"), read(file, site="b")
    both = combine_sites([a, b])
    assert both["site"].values.tolist() == ["a", "b"]
    assert both["ghi"].dims == ("time", "site")
    assert both["ghi"].attrs["units"] == "W/m²"
    check_dataset(both, "weather", required=("ghi", "latitude", "utc_offset_h", "source"))
    assert combine_sites([both.sel(site=["a"]), both.sel(site=["b"])]).identical(both)
    with pytest.raises(InputError, match="time axes differ: 2 findings"):
        combine_sites([a, read(other, site="c")])
    assert combine_sites([a, read(other, site="c")], on_mismatch="wrap").sizes["time"] == 8760


def test_differences_of_sites_are_listed_together(tmp_path: Path) -> None:
    solar = read(write(tmp_path / "solar.csv", nsrdb_text()), site="a")
    wind = read(write(tmp_path / "wind.csv", wtk_text()))
    merged = merge_solar_wind(solar, wind)
    low = merged.sel(height=[10.0]).assign_coords(site=["b"])
    with pytest.raises(InputError) as caught:
        combine_sites([merged, low, solar])
    text = str(caught.value)
    assert "site b: heights [10.0] m, the first has [10.0, 100.0] m; choose common heights" in text
    assert "site a: has no wind_speed, other sites do" in text
    assert "site a: name occurs twice" in text
    with pytest.raises(InputError, match="none given"):
        combine_sites([])


def test_time_axes_without_a_common_hour_are_refused(tmp_path: Path) -> None:
    a = read(write(tmp_path / "a.csv", nsrdb_text()), site="a")
    b = read(write(tmp_path / "b.csv", nsrdb_text(nsrdb_rows(2014))), site="b")
    with pytest.raises(InputError, match="no common hours"):
        combine_sites([a, b], on_mismatch="intersect")


@pytest.mark.parametrize(
    ("site", "mean_100m", "ratio", "n_saturated"),
    [("mccamey", 6.68, 1.73, 2), ("sweetwater", 9.11, 1.60, 4), ("hibbing", 6.65, 2.24, 8)],
)
def test_real_files_have_the_known_wind(
    real_data: Path, site: str, mean_100m: float, ratio: float, n_saturated: int
) -> None:
    """Means and ratios were measured on the files; each has a few lone values of exactly 100 m/s."""
    file = real_data / WIND_FILES[site]
    raw = pd.read_csv(file, skiprows=1)
    speed = raw[[column for column in raw if column.startswith("wind speed")]]
    assert int((speed == 100).sum().sum()) == n_saturated
    with pytest.raises(InputError, match=rf"{n_saturated} values outside \[0, 75\] m/s"):
        read(file)
    ds = read(file, fill=FILLS)
    assert ds.attrs["fills"] == f"out_of_range: -{n_saturated} values; interpolate: +{n_saturated} values"
    assert ds["height"].values.tolist() == [10.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 200.0]
    at_10m, at_100m = (float(ds["wind_speed"].sel(height=h).mean()) for h in (10.0, 100.0))
    assert at_100m == pytest.approx(mean_100m, abs=0.005)
    assert at_100m / at_10m == pytest.approx(ratio, abs=0.005)
    assert float(ds["wind_speed"].max()) < 30.0


def test_real_sites_of_mixed_clocks_make_one_year(real_data: Path) -> None:
    """McCamey has its sun in UTC-6 and its wind in UTC; Hibbing both in UTC-6, Sweetwater both in UTC."""
    sites = [
        merge_solar_wind(
            read(real_data / SOLAR_FILES[name], site=name),
            read(real_data / WIND_FILES[name], fill=FILLS),
            on_mismatch="wrap",
        )
        for name in SOLAR_FILES
    ]
    ds = combine_sites(sites, on_mismatch="wrap")
    check_dataset(ds, "weather")
    assert ds.sizes == {"time": 8760, "site": 3, "height": 9}
    assert str(to_utc_index(ds)[0]) == "2013-01-01 00:00:00+00:00"
    target = time_axis("2020-02-25T00:00-08:00", 7 * 24, 3600)
    week = align_calendar(ds, target, source_utc_offset_h=-6, target_utc_offset_h=-8)
    check_dataset(week, "weather")
    leap_day = week["ghi"].sel(time=slice("2020-02-29T08:00", "2020-03-01T07:00"))
    day_before = week["ghi"].sel(time=slice("2020-02-28T08:00", "2020-02-29T07:00"))
    assert leap_day.sizes["time"] == 24
    assert np.array_equal(leap_day, day_before)


def test_the_real_wind_blows_more_at_night_once_clocks_are_right(real_data: Path) -> None:
    """The nocturnal jet of the southern plains: strongest around local midnight, weak after sunrise."""
    for site in ("mccamey", "sweetwater"):
        speed = read(real_data / WIND_FILES[site], fill=FILLS)["wind_speed"].sel(height=100.0).isel(site=0)
        by_local_hour = speed.groupby((speed["time"].dt.hour - 6) % 24).mean().values
        assert 6 <= int(np.argmin(by_local_hour)) <= 14
        assert int(np.argmax(by_local_hour)) in {20, 21, 22, 23, 0, 1, 2, 3}
