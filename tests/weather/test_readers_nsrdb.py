from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
import pytest

from tests.weather.weather_files import nsrdb_rows, nsrdb_text
from weather import (
    InputError,
    align_calendar,
    check_dataset,
    clock_offset_h,
    closure_residual,
    read,
    time_axis,
    to_utc_index,
)

PARTS = ("ghi", "dni", "dhi", "temp_air", "pressure", "latitude", "longitude", "altitude", "utc_offset_h")
SOLAR_FILES = (
    "weather_nrel_2013/solar/30.6617_-101.7096_psmv3_60_2013.csv",
    "weather_nrel_2013/solar/32.31714_-100.18_2013_goes_aggregated_v4_60min_utc_tz.csv",
    "weather_nrel_2013/solar/35.2018863_-101.945027_2013_goes_aggregated_v4_60min_utc_tz.csv",
    "weather_nrel_2013/solar/47.5_-93.0_psmv3_60_2013.csv",
)
TMY_FILE = "weather_tmy/34.865371_-116.783023_psmv3_60_tmy.csv"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "solar.csv"


def findings_of(path: Path, text: str, **options: object) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path, **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith("solar.csv: ")
    return [str(finding) for finding in caught.value.findings]


def typical_rows(years: tuple[int, ...] = tuple(range(2014, 2002, -1))) -> pd.DataFrame:
    rows = nsrdb_rows()
    rows["Year"] = np.asarray(years)[rows["Month"] - 1]
    return rows


def test_local_mid_hour_stamps_become_left_labels_in_utc(path: Path) -> None:
    path.write_text(nsrdb_text(), encoding="utf-8")
    ds = read(path)
    index = to_utc_index(ds)
    assert str(index[0]) == "2013-01-01 06:00:00+00:00"
    assert str(index[-1]) == "2014-01-01 05:00:00+00:00"
    assert ds["utc_offset_h"].item() == -6.0


def test_units_and_coordinates_are_those_of_the_project(path: Path) -> None:
    path.write_text(nsrdb_text(), encoding="utf-8")
    ds = read(path)
    check_dataset(ds, "weather", required=PARTS)
    assert ds["pressure"].values[0, 0] == 93000.0
    assert (ds["latitude"].item(), ds["longitude"].item(), ds["altitude"].item()) == (32.0, -101.0, 800.0)
    assert ds["site"].item() == "nsrdb-42"
    assert ds.attrs == {
        "source": "NSRDB PSM v3.2.2",
        "licence": "not stated in the file",
        "synthetic": 0,
        "reader": "nsrdb",
        "stamps": "UTC-6 h, middle of the step",
    }


def test_wind_of_unstated_height_is_left_out(path: Path) -> None:
    path.write_text(nsrdb_text(), encoding="utf-8")
    assert "wind_speed" not in read(path)


def test_kelvin_and_pascal_in_the_header_are_understood(path: Path) -> None:
    rows = nsrdb_rows()
    rows["Temperature"] += 273.15
    rows["Pressure"] *= 100
    path.write_text(nsrdb_text(rows, Temperature_Units="K", Pressure_Units="Pa"), encoding="utf-8")
    ds = read(path)
    assert np.allclose(ds["temp_air"], nsrdb_rows()[["Temperature"]])
    assert np.allclose(ds["pressure"], 93000.0)


def test_the_two_clocks_of_one_source_give_the_same_weather(path: Path) -> None:
    path.write_text(nsrdb_text(), encoding="utf-8")
    local = read(path)
    path.write_text(nsrdb_text(nsrdb_rows(clock_h=0), Time_Zone="0"), encoding="utf-8")
    utc = read(path)
    common = np.intersect1d(local["time"], utc["time"])
    assert len(common) == 8754
    assert np.allclose(local["ghi"].sel(time=common), utc["ghi"].sel(time=common), atol=0.01)


def test_a_site_may_be_named_and_a_file_packed(path: Path) -> None:
    path.write_bytes(gzip.compress(nsrdb_text().encode()))
    assert read(path, site="mccamey")["site"].item() == "mccamey"


def test_an_empty_file_is_refused(path: Path) -> None:
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="file: empty; get it again"):
        read(path)


def test_a_file_that_is_absent_or_of_no_known_format_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="file: not found"):
        read(path)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"no known weather format: begins with 'a,b'; formats: nsrdb, wtk, epw"
    ):
        read(path)
    with pytest.raises(InputError, match="no reader 'merra'; use one of nsrdb, wtk, epw"):
        read(path, "merra")


def test_a_header_without_rows_is_refused(path: Path) -> None:
    header_only = "\n".join(nsrdb_text().splitlines()[:3])
    assert findings_of(path, header_only) == [
        "rows: 3 lines, no data rows; the file is cut off: get it again"
    ]


def test_a_missing_column_is_named(path: Path) -> None:
    text = nsrdb_text(nsrdb_rows().drop(columns=["DNI", "Pressure"]))
    assert findings_of(path, text) == [
        "columns: no column 'DNI'; request the file with this attribute",
        "columns: no column 'Pressure'; request the file with this attribute",
    ]


def test_a_missing_date_column_is_named(path: Path) -> None:
    text = nsrdb_text(nsrdb_rows().drop(columns=["Minute"]))
    assert findings_of(path, text) == ["columns: no column Minute; every row needs its date and time"]


def test_a_file_cut_off_within_a_row_is_refused(path: Path) -> None:
    text = "\n".join(nsrdb_text().splitlines()[:5000])[:-20]
    findings = findings_of(path, text)
    assert findings[0].startswith("row 5000: 1 row(s) without 11 fields, first: '2013,")
    assert "a whole year has 8760; the file is cut off" in findings[1]


def test_a_file_cut_off_between_rows_is_refused_unless_a_part_is_wanted(path: Path) -> None:
    text = "\n".join(nsrdb_text().splitlines()[: 3 + 24 * 60])
    (finding,) = findings_of(path, text)
    assert finding == (
        "rows: 1440 rows, 2013-01-01 00:00 to 2013-03-01 23:00 in the file's clock; a whole year has 8760; "
        "the file is cut off: get it again, or say partial=True"
    )
    assert read(path, partial=True).sizes["time"] == 1440


def test_a_gap_is_refused_by_place(path: Path) -> None:
    rows = nsrdb_rows().drop(index=[100, 101])
    (finding,) = findings_of(path, nsrdb_text(rows))
    assert finding.startswith("time: 1 gap(s): not one step of 0 days 01:00:00 to the next stamp")
    assert "2013-01-05T09:00Z -> 2013-01-05T12:00Z" in finding
    assert read(path, fill=["interpolate"]).attrs["fills"] == "interpolate: +10 values"


def test_a_leap_year_without_its_day_is_a_gap_that_names_the_remedy(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(nsrdb_rows(2020)))
    assert "2020-02-29T05:00Z -> 2020-03-01T06:00Z" in finding
    assert "29 February: 'leap_day'" in finding
    ds = read(path, fill=["leap_day"])
    assert ds.sizes["time"] == 8784


def test_duplicate_and_unsorted_rows_are_refused(path: Path) -> None:
    rows = nsrdb_rows()
    rows = pd.concat([rows.iloc[:50], rows.iloc[49:]])
    (finding,) = findings_of(path, nsrdb_text(rows))
    assert "1 duplicate stamp(s)" in finding
    swapped = nsrdb_rows().iloc[[1, 0, *range(2, 8760)]]
    assert "1 stamp(s) earlier than the one before" in "\n".join(findings_of(path, nsrdb_text(swapped)))


def test_a_date_that_does_not_exist_is_refused(path: Path) -> None:
    rows = nsrdb_rows()
    rows.loc[10, "Month"] = 13
    findings = findings_of(path, nsrdb_text(rows))
    assert findings[0].startswith("date: 1 row(s) whose date does not exist, first: Year 2013, Month 13")


def test_missing_values_are_refused_with_number_and_place(path: Path) -> None:
    rows = nsrdb_rows().astype({"Temperature": object})
    rows.loc[3, "Temperature"] = ""
    rows.loc[4, "Temperature"] = "broken"
    (finding,) = findings_of(path, nsrdb_text(rows))
    assert finding.startswith(
        "temp_air: 2 of 8760 values are NaN, first at time 2013-01-01T09:00Z, site nsrdb-42; "
        "resolve it by a named fill"
    )
    assert float(read(path, fill=["interpolate"])["temp_air"].max()) == 20.0


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"GHI_Units": "kJ/m2"}, "GHI: unit 'kJ/m2' in the header, expected W/m²; convert it"),
        ({"Pressure_Units": None}, "Pressure: the header states no unit, expected Pa; add it to the header"),
        ({"Latitude": "north"}, "Latitude: 'north' is no number; add it to the header"),
        ({"Elevation": None}, "Elevation: not stated in the header; add it to the header"),
    ],
)
def test_a_header_that_is_wrong_or_silent_is_refused(
    path: Path, header: dict[str, str | None], message: str
) -> None:
    assert findings_of(path, nsrdb_text(**header))[0].startswith(message)


def test_a_unit_that_does_not_fit_the_values_is_refused(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(Pressure_Units="Pa"))
    assert "8760 values outside [40000, 110000] Pa (smallest 930, largest 930)" in finding


def test_a_clock_that_is_not_stated_is_asked_for(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(Time_Zone=None))
    assert finding == (
        "Time Zone: not stated in the header: the clock of the stamps is unknown; "
        "say it: utc_offset_h=0 for UTC, -6 for UTC-6"
    )
    assert str(to_utc_index(read(path, utc_offset_h=-6))[0]) == "2013-01-01 06:00:00+00:00"


def test_a_clock_that_contradicts_the_header_is_refused(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(), utc_offset_h=0)
    assert finding.startswith("Time Zone: utc_offset_h=0 h given, but the header states -6 h")


def test_a_header_with_the_wrong_clock_is_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(Time_Zone="0"))
    assert finding.startswith(
        "site nsrdb-42: clock: the sun of the data fits stamps +6.00 h from those given"
    )


def test_stamps_that_are_not_mid_interval_must_be_explained(path: Path) -> None:
    rows = nsrdb_rows()
    rows["Minute"] = 20
    (finding,) = findings_of(path, nsrdb_text(rows))
    assert finding == (
        "Minute: stamps such as 00:20 are not the middle of a step of 0 days 01:00:00; "
        "say where they lie: label='left', 'middle', 'right' or 'instant'"
    )


def test_stamps_on_the_hour_are_instants_unless_it_is_said_or_the_sun_says_otherwise(path: Path) -> None:
    """Sun of the middle of the hour, stamped with its start: no file of the format."""
    rows = nsrdb_rows()
    rows["Minute"] = 0
    (finding,) = findings_of(path, nsrdb_text(rows))
    assert finding.startswith(
        "site nsrdb-42: clock: the sun of the data fits stamps +0.50 h from those given"
    )
    assert str(to_utc_index(read(path, label="left"))[0]) == "2013-01-01 06:00:00+00:00"


def test_a_typical_year_asks_for_the_year_to_lay_it_on(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(typical_rows()))
    assert finding.startswith("Year: a typical year: its months are of the years 2014 2013 2012")
    ds = read(path, year=2013)
    assert str(to_utc_index(ds)[0]) == "2013-01-01 06:00:00+00:00"
    assert ds.attrs["typical_year"] == 1
    assert ds.attrs["month_years"] == " ".join(str(year) for year in range(2014, 2002, -1))


def test_a_typical_year_on_a_leap_year_leaves_a_gap(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(typical_rows()), year=2020)
    assert "2020-02-29T05:00Z -> 2020-03-01T06:00Z" in finding


def test_a_measured_year_is_not_laid_on_another(path: Path) -> None:
    (finding,) = findings_of(path, nsrdb_text(), year=2012)
    assert finding.startswith("year: year=2012 given, but the file holds the measured year(s) 2013")


def test_everything_wrong_is_reported_in_one_round(path: Path) -> None:
    rows = nsrdb_rows().drop(columns="DHI").drop(index=[100]).astype({"Temperature": float})
    rows.loc[5, "Temperature"] = np.nan
    text = "\n".join(findings_of(path, nsrdb_text(rows, Time_Zone=None, GHI_Units="J")))
    for part in ("no column 'DHI'", "Time Zone: not stated", "unit 'J'", "1 gap(s)", "values are NaN"):
        assert part in text


@pytest.mark.parametrize("name", SOLAR_FILES)
def test_real_files_agree_with_pvlib_and_with_the_sun(real_data: Path, name: str) -> None:
    ds = read(real_data / name)
    frame, meta = pvlib.iotools.read_nsrdb_psm4(io.StringIO((real_data / name).read_text(encoding="utf-8")))
    check_dataset(ds, "weather", required=PARTS)
    assert to_utc_index(ds).equals(frame.index.tz_convert("UTC") - pd.Timedelta(minutes=30))
    for column in ("ghi", "dni", "dhi", "temp_air"):
        assert np.array_equal(ds[column].values[:, 0], frame[column].to_numpy(dtype=float))
    assert np.allclose(ds["pressure"].values[:, 0], frame["pressure"] * 100)
    assert ds["latitude"].item() == meta["latitude"]
    assert clock_offset_h(ds).item() == 0.0
    assert float(np.abs(closure_residual(ds)).quantile(0.99)) < 8.0


def test_real_files_in_local_and_in_utc_have_noon_at_the_same_hour_of_the_sun(real_data: Path) -> None:
    """McCamey is stamped in UTC-6, Sweetwater in UTC and 1.5 degrees further east: suns 6 min apart."""
    local, utc = (read(real_data / name)["ghi"].isel(site=0) for name in SOLAR_FILES[:2])
    means = [ghi.groupby("time.hour").mean() for ghi in (local, utc)]
    centre = [float((m * ((m["hour"] - 6) % 24 + 0.5)).sum() / m.sum()) for m in means]
    assert centre[0] - centre[1] == pytest.approx(1.52 / 15, abs=0.1)
    assert float(np.corrcoef(means[0], means[1])[0, 1]) > 0.99


def test_the_real_typical_year_records_its_months(real_data: Path) -> None:
    ds = read(real_data / TMY_FILE, year=2013)
    assert ds.attrs["month_years"] == "2008 2009 2012 2012 1999 2013 2011 1998 2014 2006 2012 2012"
    assert clock_offset_h(ds).item() == 0.0
    assert float(ds["albedo"].min()) > 0.1


def test_a_real_year_lies_on_the_leap_year_of_the_load(real_data: Path) -> None:
    ds = read(real_data / SOLAR_FILES[0])
    target = time_axis("2020-01-01T00:00-08:00", 8784, 3600)
    aligned = align_calendar(ds, target, source_utc_offset_h=-6, target_utc_offset_h=-8)
    assert float(aligned["ghi"].sum()) > float(ds["ghi"].sum())
    noon = aligned["ghi"].sel(time="2020-06-01T20:00").item()
    assert noon == ds["ghi"].sel(time="2013-06-01T18:00").item()
