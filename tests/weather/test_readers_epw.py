from __future__ import annotations

from pathlib import Path

import numpy as np
import pvlib
import pytest

from tests.weather.weather_files import epw_rows, epw_text
from weather import InputError, check_dataset, clock_offset_h, closure_residual, read, to_utc_index

EPW_FILE = "weather_tmy/USA_AZ_Phoenix-Sky.Harbor_TMYx.epw"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "town.epw"


def findings_of(path: Path, text: str | None, **options: object) -> list[str]:
    """Findings about a file of this text, or about the file as it is."""
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path, **options)  # type: ignore[arg-type]
    return [str(finding) for finding in caught.value.findings]


def test_a_typical_year_asks_for_the_year_to_lay_it_on(path: Path) -> None:
    (finding,) = findings_of(path, epw_text())
    assert finding.startswith("Year: a typical year: its months are of the years 2001 2002")
    ds = read(path, year=2013)
    check_dataset(ds, "weather")
    assert ds.attrs["typical_year"] == 1
    assert ds.attrs["month_years"] == " ".join(str(year) for year in range(2001, 2013))


def test_hour_one_covers_midnight_to_one_in_local_standard_time(path: Path) -> None:
    path.write_text(epw_text(), encoding="utf-8")
    ds = read(path, year=2013)
    assert str(to_utc_index(ds)[0]) == "2013-01-01 06:00:00+00:00"
    assert clock_offset_h(ds).item() == 0.0


def test_instants_at_the_end_of_the_hour_become_means_of_the_hour(path: Path) -> None:
    """The file's temperature is the number of its hour: 24 at midnight, 1 at one o'clock."""
    path.write_text(epw_text(), encoding="utf-8")
    temp_air = read(path, year=2013)["temp_air"].values[:, 0]
    assert temp_air[:3].tolist() == [12.5, 1.5, 2.5]


def test_the_first_hour_of_a_measured_year_has_no_hour_before(path: Path) -> None:
    path.write_text(epw_text(epw_rows((2013,) * 12)), encoding="utf-8")
    ds = read(path)
    assert ds["temp_air"].values[:3, 0].tolist() == [1.0, 1.5, 2.5]
    assert "typical_year" not in ds.attrs


def test_a_measured_year_is_not_laid_on_another(path: Path) -> None:
    (finding,) = findings_of(path, epw_text(epw_rows((2013,) * 12)), year=2014)
    assert finding.startswith("year: year=2014 given, but the file holds the measured year(s) 2013")


def test_wind_is_at_ten_metres(path: Path) -> None:
    path.write_text(epw_text(), encoding="utf-8")
    ds = read(path, year=2013)
    assert ds["height"].values.tolist() == [10.0]
    assert ds["wind_speed"].dims == ("time", "height", "site")


def test_what_the_format_calls_missing_is_missing(path: Path) -> None:
    rows = epw_rows()
    rows.loc[5, 6] = 99.9
    rows.loc[20, 9] = 999999
    text = "\n".join(findings_of(path, epw_text(rows), year=2013))
    assert "temp_air: 2 of 8760 values are NaN" in text
    assert "pressure: 2 of 8760 values are NaN" in text
    ds = read(path, year=2013, fill=["interpolate"])
    assert ds["temp_air"].values[5, 0] == pytest.approx(5.5)


def test_a_clock_that_is_not_stated_is_asked_for(path: Path) -> None:
    (finding,) = findings_of(path, epw_text(zone=""), year=2013)
    assert finding.startswith("time zone: not stated in the header: the clock of the stamps is unknown")
    assert read(path, year=2013, utc_offset_h=-6)["utc_offset_h"].item() == -6.0


def test_a_clock_that_is_wrong_is_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, epw_text(zone="-8.0"), year=2013)
    assert "clock: the sun of the data fits stamps -2.00 h from those given" in finding


def test_a_file_cut_off_within_a_row_is_refused(path: Path) -> None:
    text = "\n".join(epw_text().splitlines()[:4000])[:-30]
    findings = findings_of(path, text, year=2013)
    assert "row 4000: 1 row(s) without 35 fields" in findings[0]
    assert "a whole year has 8760" in findings[1]


def test_a_missing_column_and_a_gap_are_refused(path: Path) -> None:
    (finding,) = findings_of(path, epw_text(epw_rows().drop(columns=34)), year=2013)[:1]
    assert "8760 row(s) without 35 fields" in finding
    (finding,) = findings_of(path, epw_text(epw_rows().drop(index=[100])), year=2013)
    assert "1 gap(s)" in finding


def test_a_header_without_rows_is_refused(path: Path) -> None:
    header_only = "\n".join(epw_text().splitlines()[:8])
    assert findings_of(path, header_only) == [
        "rows: 8 lines, no data rows; the file is cut off: get it again"
    ]


def test_only_hourly_files_are_read(path: Path) -> None:
    findings = findings_of(path, epw_text(per_hour=4), year=2013)
    assert "expected 1 record per hour; convert the file to hourly rows" in findings[0]


def test_the_real_file_agrees_with_pvlib(real_data: Path) -> None:
    ds = read(real_data / EPW_FILE, year=2013, accept=["closure"])
    frame, meta = pvlib.iotools.read_epw(real_data / EPW_FILE, coerce_year=2013)
    check_dataset(ds, "weather")
    assert to_utc_index(ds).equals(frame.index.tz_convert("UTC"))
    for column in ("ghi", "dni", "dhi"):
        assert np.array_equal(ds[column].values[:, 0], frame[column].to_numpy(dtype=float))
    assert float(ds["temp_air"].mean()) == pytest.approx(frame["temp_air"].mean(), abs=1e-9)
    assert ds["altitude"].item() == meta["altitude"]
    assert ds.attrs["month_years"] == "2021 2020 2014 2015 2014 2014 2014 2010 2018 2011 2012 2012"
    assert ds.attrs["accepted"] == "closure"


def test_the_real_file_has_months_of_two_clocks_and_is_refused_for_it(real_data: Path) -> None:
    """March to July have their sun half an hour early, the other months half an hour late."""
    (finding,) = findings_of(real_data / EPW_FILE, None, year=2013)
    assert "closure: ghi differs from dhi + dni cos(zenith) by more than 50 W/m²" in finding
    ds = read(real_data / EPW_FILE, year=2013, accept=["closure"])
    local_month = (to_utc_index(ds) - np.timedelta64(7, "h")).month
    offset = {m: clock_offset_h(ds.isel(time=np.flatnonzero(local_month == m))).item() for m in range(1, 13)}
    assert abs(clock_offset_h(ds).item()) <= 0.25
    assert {m for m, h in offset.items() if h == pytest.approx(-0.5, abs=0.09)} == {3, 4, 5, 6, 7}
    assert {m for m, h in offset.items() if h == pytest.approx(0.5, abs=0.09)} == {1, 2, 8, 9, 10, 11, 12}
    assert float(np.abs(closure_residual(ds)).quantile(0.99)) < 100.0
