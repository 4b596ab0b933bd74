"""TMY3 and TMY2: right labels in local standard time, months of different years, real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
import pytest

from tests.weather.feed_files import TYPICAL_YEARS, short_hour_ends, tmy2_text, tmy3_text
from tests.weather.reading import findings_of, read_text
from weather import check_dataset, clock_offset_h, read, to_utc_index

SHORT: dict[str, object] = {"year": 2013, "partial": True}
DATA = Path(pvlib.__file__).parent / "data"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "year.csv"


@pytest.mark.parametrize("text", [tmy3_text, tmy2_text])
def test_a_typical_year_asks_for_its_year_and_records_those_of_its_months(path: Path, text) -> None:  # type: ignore[no-untyped-def]
    short = text(rows=short_hour_ends())
    (finding,) = findings_of(path, short, partial=True)
    assert finding.startswith("Year: a typical year: its months are of the years ")
    ds = read_text(path, short, **SHORT)
    check_dataset(ds, "weather")
    assert str(to_utc_index(ds)[0]) == "2013-02-20 06:00:00+00:00"
    assert len(ds.attrs["month_years"].split()) == 2
    assert ds.attrs["stamps"] == "UTC-6 h, end of the step"
    assert (ds["latitude"].item(), ds["longitude"].item(), ds["altitude"].item()) == (32.0, -101.0, 800.0)
    assert ds["height"].values.tolist() == [10.0]


def test_a_measured_year_in_tmy3_keeps_its_year(path: Path) -> None:
    ds = read_text(path, tmy3_text(years=(2013,) * 12, rows=short_hour_ends()), partial=True)
    assert "typical_year" not in ds.attrs
    assert str(to_utc_index(ds)[0]) == "2013-02-20 06:00:00+00:00"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"GHI (W/m^2)": "GHI (kJ/m^2)"},
            "GHI (kJ/m^2): unit 'kJ/m^2' in the header, expected W/m²",
        ),
        ({"DNI (W/m^2)": "Beam (W/m^2)"}, "columns: no column 'DNI (unit)'; get the file again"),
        ({"Time (HH:MM)": "Hour"}, "columns: no column Time (HH:MM); every row needs its date and time"),
    ],
)
def test_a_column_that_is_missing_or_in_another_unit_is_refused(
    path: Path, change: dict[str, str], message: str
) -> None:
    text = tmy3_text(rows=short_hour_ends(), rename=change)
    assert findings_of(path, text, "tmy3", **SHORT)[0].startswith(message)


def test_pascal_and_fahrenheit_in_the_header_are_understood(path: Path) -> None:
    rows = short_hour_ends()
    rows["pressure"] *= 100.0
    rows["temp_air"] = rows["temp_air"] * 1.8 + 32.0
    text = tmy3_text(rows=rows, rename={"Pressure (mbar)": "Pressure (Pa)", "Dry-bulb (C)": "Dry-bulb (F)"})
    other, plain = read_text(path, text, **SHORT), read_text(path, tmy3_text(rows=short_hour_ends()), **SHORT)
    assert np.allclose(other["temp_air"], plain["temp_air"], atol=0.01)
    assert np.allclose(other["pressure"], plain["pressure"], atol=1.0)


def test_a_clock_that_is_not_stated_is_asked_for(path: Path) -> None:
    silent = tmy3_text(rows=short_hour_ends(), zone="")
    (finding,) = findings_of(path, silent, **SHORT)
    assert finding.startswith("time zone: not stated in the header: the clock of the stamps is unknown")
    assert read_text(path, silent, **SHORT, clock="UTC-6").attrs["stamps"].startswith("UTC-6 h")
    blank = tmy2_text(rows=short_hour_ends()).replace(" TX  -6 N", " TX     N", 1)
    (finding,) = findings_of(path, blank, **SHORT)
    assert finding.startswith("time zone: not stated in the header")


def test_a_wrong_clock_in_the_header_is_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, tmy3_text(rows=short_hour_ends(), zone="-7.0"), **SHORT)
    assert "clock: the sun of the data fits stamps -1.00 h from those given" in finding


def test_what_the_format_calls_missing_is_missing(path: Path) -> None:
    rows = short_hour_ends()
    rows.iloc[5, rows.columns.get_loc("temp_air")] = -9900.0
    rows.iloc[100, rows.columns.get_loc("ghi")] = -9900.0
    findings = findings_of(path, tmy3_text(rows=rows), **SHORT)
    assert [f.split(" values")[0] for f in findings] == ["ghi: 1 of 480", "temp_air: 2 of 480"]
    lines = tmy2_text(rows=short_hour_ends()).splitlines()
    lines[30] = lines[30][:67] + "9999" + lines[30][71:]
    (finding,) = findings_of(path, "\n".join(lines), **SHORT)
    assert finding.startswith("temp_air: 2 of 480 values are NaN")


def test_rows_that_are_cut_off_are_named(path: Path) -> None:
    text = "\n".join(tmy3_text(rows=short_hour_ends()).splitlines()[:100])[:-9]
    findings = findings_of(path, text, year=2013)
    assert findings[0].startswith("row 100: 1 row(s) without 11 fields, first: '02/24/2002,02:00")
    assert "a whole year has 8760; the file is cut off" in findings[-1]
    text = "\n".join(tmy2_text(rows=short_hour_ends()).splitlines()[:100])[:-9]
    assert findings_of(path, text, **SHORT)[0].startswith("row 100: 1 row(s) that are not 142 wide")
    header_only = "\n".join(tmy3_text(rows=short_hour_ends()).splitlines()[:2])
    (finding,) = findings_of(path, header_only)
    assert finding == "rows: 2 lines, no data rows; the file is cut off: get it again"


def test_south_and_east_are_read_from_degrees_and_minutes(path: Path) -> None:
    text = tmy2_text(rows=short_hour_ends()).replace("N 32  0 W 101  0", "S 32 30 E 101 15", 1)
    ds = read_text(path, text, **SHORT, accept=["clock", "closure"])
    assert (ds["latitude"].item(), ds["longitude"].item()) == (-32.5, 101.25)
    assert "clock: the sun of the data fits stamps" in ds.attrs["findings"]


@pytest.mark.parametrize(("name", "zone"), [("723170TYA.CSV", -5), ("703165TY.csv", -9)])
def test_real_tmy3_files_agree_with_pvlib_and_with_the_sun(name: str, zone: int) -> None:
    ds = read(DATA / name, year=2013)
    frame, meta = pvlib.iotools.read_tmy3(DATA / name, coerce_year=2013)
    check_dataset(ds, "weather")
    ends = to_utc_index(ds) + pd.Timedelta(hours=1)
    assert ends.equals(pd.DatetimeIndex(frame.index).tz_convert("UTC"))
    for column in ("ghi", "dni", "dhi"):
        assert np.array_equal(ds[column].values[:, 0], frame[column].to_numpy(dtype=float))
    for column in ("temp_air", "wind_speed"):
        assert float(ds[column].mean()) == pytest.approx(frame[column].mean(), abs=1e-9)
    assert ds["latitude"].item() == meta["latitude"]
    assert ds["utc_offset_h"].item() == zone
    assert abs(clock_offset_h(ds).item()) < 0.1


def test_the_real_tmy2_file_agrees_with_pvlib_and_with_the_sun() -> None:
    ds = read(DATA / "12839.tm2", year=2013)
    frame, meta = pvlib.iotools.read_tmy2(DATA / "12839.tm2")
    check_dataset(ds, "weather")
    pairs = {"ghi": "GHI", "dni": "DNI", "dhi": "DHI"}
    for name, column in pairs.items():
        assert np.array_equal(ds[name].values[:, 0], frame[column].to_numpy(dtype=float))
    assert float(ds["temp_air"].mean()) == pytest.approx(frame["DryBulb"].mean() / 10, abs=1e-9)
    assert float(ds["pressure"].mean()) == pytest.approx(frame["Pressure"].mean() * 100, abs=1e-6)
    assert (ds["latitude"].item(), ds["longitude"].item()) == (meta["latitude"], meta["longitude"])
    assert ds.attrs["month_years"].split()[0] == "1962"
    assert clock_offset_h(ds).item() == 0.0


def test_the_years_of_the_made_files_are_those_of_their_months(path: Path) -> None:
    ds = read_text(path, tmy3_text(), year=2013)
    assert ds.attrs["month_years"] == " ".join(map(str, TYPICAL_YEARS))
