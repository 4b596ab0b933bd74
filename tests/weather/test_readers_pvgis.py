"""PVGIS: moments that are not the stamp's, planes that are not horizontal, JSON and CSV alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.weather.feed_files import (
    TYPICAL_YEARS,
    pvgis_csv,
    pvgis_hourly_rows,
    pvgis_json,
    pvgis_tmy_rows,
    short_pvgis_tmy_rows,
)
from tests.weather.reading import findings_of, read_text
from tests.weather.sky import difference
from weather import check_dataset, to_utc_index

SHORT: dict[str, object] = {"year": 2013, "partial": True}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pvgis"


def test_json_and_csv_give_the_same_typical_year(path: Path) -> None:
    rows = pvgis_tmy_rows()
    one, other = (read_text(path, text, year=2013) for text in (pvgis_json(rows), pvgis_csv(rows)))
    check_dataset(one, "weather")
    assert one.attrs["source"] == "PVGIS PVGIS-SARAH3"
    assert one.attrs["month_years"] == " ".join(map(str, TYPICAL_YEARS))
    assert one.drop_attrs().identical(other.drop_attrs())
    assert one["utc_offset_h"].item() == -7.0
    assert one.attrs["local_time"] == "by longitude"


def test_json_and_csv_give_the_same_hourly_series(path: Path) -> None:
    rows = pvgis_hourly_rows()
    one = read_text(path, pvgis_json(rows), partial=True)
    other = read_text(path, pvgis_csv(rows), partial=True)
    assert one.drop_attrs().identical(other.drop_attrs())
    assert set(one.data_vars) == {"ghi", "dhi", "temp_air", "wind_speed"}
    assert str(to_utc_index(one)[0]) == "2013-03-01 00:00:00+00:00"


@pytest.mark.parametrize("minute", [0, 10, 48])
def test_satellite_moments_of_any_minute_become_the_same_hours(path: Path, minute: int) -> None:
    ds = read_text(path, pvgis_json(pvgis_hourly_rows(minute)), partial=True)
    assert (to_utc_index(ds).minute == 0).all()
    assert difference(ds) < 5.0


def test_global_irradiance_alone_is_taken_where_components_were_not_asked_for(path: Path) -> None:
    rows = pvgis_hourly_rows()
    alone = rows.assign(**{"G(i)": rows["Gb(i)"] + rows["Gd(i)"]}).drop(columns=["Gb(i)", "Gd(i)", "Gr(i)"])
    units = pvgis_json(alone).replace('"variables": {', '"variables": {"G(i)": {"units": "W/m2"}, ')
    ds = read_text(path, units, partial=True)
    assert "dhi" not in ds
    assert difference(ds) < 4.0


@pytest.mark.parametrize("offset_h", [-0.3, 0.0, 0.5, 0.9])
def test_irradiance_is_put_where_its_offset_says(path: Path, offset_h: float) -> None:
    """A sky that is sampled at any offset comes back as the same hours; in ERA5's middle unchanged."""
    rows = short_pvgis_tmy_rows(offset_h)
    ds = read_text(path, pvgis_json(rows, offset_h=offset_h), **SHORT)
    assert difference(ds) < 4.0
    assert difference(ds, "temp_air") < 0.06
    if offset_h == 0.5:
        assert np.array_equal(ds["ghi"].values[:, 0], rows["G(h)"])


def test_an_offset_that_is_not_stated_is_asked_for(path: Path) -> None:
    text = pvgis_json(short_pvgis_tmy_rows(), offset_h=None)
    findings = findings_of(path, text, **SHORT)
    assert findings == [
        "Irradiance Time Offset: not stated in the header: the moment of the irradiance is unknown; "
        "get the file again from PVGIS 5.3, or say it: irradiance_offset_h=0.5 for ERA5"
    ]
    assert difference(read_text(path, text, **SHORT, irradiance_offset_h=0.1761)) < 4.0
    (finding,) = findings_of(path, text, **SHORT, irradiance_offset_h=0.9)
    assert "clock: the sun of the data fits stamps -0." in finding


def test_an_offset_that_contradicts_the_header_is_refused(path: Path) -> None:
    text = pvgis_json(short_pvgis_tmy_rows())
    (finding,) = findings_of(path, text, **SHORT, irradiance_offset_h=0.5)
    assert finding.endswith("irradiance_offset_h=0.5 h given, but the header states 0.1761 h; leave it out")


@pytest.mark.parametrize(
    "text",
    [
        pvgis_json(pvgis_hourly_rows(), slope=30),
        pvgis_json(pvgis_hourly_rows(), slope="-"),
        pvgis_csv(pvgis_hourly_rows(), slope="30 deg."),
    ],
)
def test_a_tilted_plane_is_refused(path: Path, text: str) -> None:
    (finding,) = findings_of(path, text, partial=True)
    assert finding.startswith("slope: irradiance is on a plane with slope ")
    assert finding.endswith("not on a horizontal one; request the series with angle=0")


def test_a_missing_column_is_named(path: Path) -> None:
    rows = pvgis_tmy_rows().drop(columns=["Gb(n)", "SP"])
    for text in (pvgis_json(rows.iloc[1200:1680]), pvgis_csv(rows)):
        assert findings_of(path, text, **SHORT) == [
            "columns: no column 'SP'; request the file with it",
            "columns: no column 'Gb(n)'; request the file with it",
        ]
    (finding,) = findings_of(path, pvgis_json(pvgis_hourly_rows().drop(columns="Gd(i)")), partial=True)
    assert finding.startswith("columns: no column 'G(i)', and of its parts only Gb(i), Gr(i)")


def test_units_are_those_of_the_descriptions(path: Path) -> None:
    rows = short_pvgis_tmy_rows()
    text = pvgis_json(rows, units={"G(h)": "kJ/m2", "T2m": ""})
    findings = findings_of(path, text, **SHORT)
    assert findings[0] == "T2m: the header states no unit, expected °C; add it to the header"
    assert findings[1].startswith("G(h): unit 'kJ/m2' in the header, expected W/m²")
    rows["T2m"] += 273.15
    kelvin = read_text(path, pvgis_json(rows, units={"T2m": "K"}), **SHORT)
    assert difference(kelvin, "temp_air") < 0.05


def test_files_that_are_cut_off_say_so(path: Path) -> None:
    text = pvgis_json(short_pvgis_tmy_rows())
    (finding,) = findings_of(path, text[:5_000], **SHORT)
    assert finding.startswith("file: no whole JSON: ")
    lines = pvgis_csv(short_pvgis_tmy_rows()).splitlines()
    assert findings_of(path, "\n".join(lines[:10])) == [
        "rows: 10 lines, no data rows; the file is cut off: get it again"
    ]
    findings = findings_of(path, "\n".join(lines[:300])[:-20], **SHORT)
    assert findings[0].startswith("row 300: 1 row(s) without 9 fields")
    assert findings[1].startswith(
        "rows: the descriptions of T2m, RH, G(h), Gb(n), Gd(h), WS10m, WD10m, SP at"
    )
    without_licence = "\n".join(lines[:-1])
    assert findings_of(path, without_licence, **SHORT)[0].startswith("rows: the descriptions of columns at")


def test_a_message_instead_of_data_is_passed_on(path: Path) -> None:
    text = json.dumps(
        {"inputs": {}, "meta": {"radiation_db": ""}, "message": "Location over the sea.", "status": 400}
    )
    (finding,) = findings_of(path, text, "pvgis")
    assert finding == "outputs: Location over the sea.; request an hourly series or a typical year"


def test_a_stamp_that_is_none_is_refused(path: Path) -> None:
    rows = pvgis_hourly_rows()
    rows.loc[5, "time"] = "20130230:0010"
    (finding,) = findings_of(path, pvgis_json(rows), partial=True)
    assert finding.startswith("rows: a date, column or value is missing or none: ValueError")
