"""SURFRAD: flags, an offset at night, longitudes that are positive to the west."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.weather.feed_files import surfrad_text
from tests.weather.reading import findings_of, read_text
from tests.weather.sky import difference
from weather import check_dataset, clock_offset_h, join_times, read, to_utc_index

NIGHT: dict[str, object] = {"fill": ["night_offset"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sta13064.dat"


@pytest.fixture(scope="module")
def text() -> str:
    return surfrad_text(minutes=3)


def replaced(text: str, row: int, column: int, value: str) -> str:
    """The text with one field of one row replaced."""
    lines = text.splitlines()
    fields = lines[row].split()
    fields[column] = value
    lines[row] = " " + " ".join(fields)
    return "\n".join(lines) + "\n"


def test_a_day_of_minutes_in_utc(path: Path) -> None:
    ds = read_text(path, surfrad_text(), **NIGHT)
    check_dataset(ds, "weather")
    assert ds.sizes["time"] == 1440
    assert str(to_utc_index(ds)[0]) == "2013-03-04 23:59:00+00:00"
    assert ds["site"].item() == "surfrad-Made by formula"
    assert ds["temp_air"].attrs["height_m"] == 10.0
    assert ds.attrs["source"] == "SURFRAD version 1"


def test_the_offset_at_night_is_refused_unless_it_is_filled_by_name(path: Path, text: str) -> None:
    (finding,) = findings_of(path, text)
    assert finding.endswith("a pyranometer at night reads a little below zero: name the fill 'night_offset'")
    ds = read_text(path, text, **NIGHT)
    assert float(ds["ghi"].min()) == 0.0
    assert ds.attrs["fills"] == "night_offset: 249 values set"
    assert ds.attrs["findings"].startswith("ghi: 249 values outside [0, 1600] W/m²")


@pytest.mark.parametrize("longitude", ["101.00", "-101.00"])
def test_all_stations_lie_in_the_west(path: Path, longitude: str) -> None:
    ds = read_text(path, surfrad_text(minutes=3, longitude=longitude), **NIGHT)
    assert ds["longitude"].item() == -101.0
    assert difference(ds) < 0.1


def test_flagged_and_missing_values_are_missing_and_counted(path: Path, text: str) -> None:
    flagged = replaced(replaced(text, 200, 9, "1"), 201, 38, "-9999.9")
    findings = findings_of(path, flagged, **NIGHT)
    assert [f.split(" values")[0] for f in findings] == ["ghi: 1 of 480", "temp_air: 1 of 480"]
    ds = read_text(path, flagged, fill=["night_offset", "interpolate"])
    assert ds.attrs["flagged"] == "1 values that failed a check of the network count as missing"
    assert ds.attrs["fills"].endswith("interpolate: +2 values")


def test_a_row_without_all_columns_is_refused(path: Path, text: str) -> None:
    short = "\n".join(" ".join(line.split()[:40]) if len(line) > 60 else line for line in text.splitlines())
    findings = findings_of(path, short, "surfrad")
    assert findings[0].startswith("row 3: 480 row(s) without 48 fields, first: '2013 64 3 5")
    assert findings[1].startswith("rows: no data rows")


def test_a_unit_that_is_not_that_of_the_network_is_refused(path: Path, text: str) -> None:
    lines = text.splitlines()
    for k in range(2, len(lines)):
        fields = lines[k].split()
        lines[k] = " ".join([*fields[:46], str(float(fields[46]) * 100), *fields[47:]])
    (finding,) = findings_of(path, "\n".join(lines), **NIGHT)
    assert "480 values outside [40000, 110000] Pa (smallest 9.2" in finding


def test_local_stamps_are_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, surfrad_text(-6, minutes=3), **NIGHT)
    assert "clock: the sun of the data fits stamps +6.00 h from those given" in finding


def test_a_day_that_is_cut_off_is_refused(path: Path, text: str) -> None:
    lines = text.splitlines()
    findings = findings_of(path, "\n".join(lines[:300])[:-10], **NIGHT)
    assert findings[0].startswith("row 300: 1 row(s) without 48 fields")
    assert "a whole day has 480; the file is cut off" in findings[1]
    (finding,) = findings_of(path, "\n".join(lines[:1]), "surfrad")[:1]
    assert finding.startswith("header: no line with latitude, longitude, elevation and version")


def test_a_date_that_does_not_exist_is_refused(path: Path, text: str) -> None:
    findings = findings_of(path, replaced(text, 100, 2, "13"), **NIGHT)
    assert findings[0].startswith(
        "date: 1 row(s) whose date does not exist, first: year 2013, month 13, day 5"
    )


def test_days_are_joined_to_one_series(path: Path, text: str) -> None:
    first = read_text(path, text, **NIGHT)
    second = first.assign_coords(time=first["time"] + np.timedelta64(1, "D"))
    both = join_times([second, first])
    assert both.sizes["time"] == 960
    assert to_utc_index(both).is_monotonic_increasing
    assert both.attrs["reader"] == "surfrad"
    assert both.attrs["fills"] == first.attrs["fills"]


def test_the_day_is_the_sun_of_its_place(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    assert clock_offset_h(read(path, fill=["night_offset"])).item() == 0.0
