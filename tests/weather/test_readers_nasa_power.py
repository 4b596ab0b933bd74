"""NASA POWER: two time standards, units by community, a number that stands for missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.weather.feed_files import power_csv, power_json, power_rows
from tests.weather.reading import findings_of, read_text
from tests.weather.sky import difference
from weather import check_dataset, to_utc_index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "power"


def test_json_and_csv_of_both_standards_give_the_same(path: Path) -> None:
    one = read_text(path, power_json())
    check_dataset(one, "weather")
    assert one["height"].values.tolist() == [10.0, 50.0]
    assert one["pressure"].values[0, 0] == pytest.approx(93000.0, abs=500.0)
    assert one.drop_attrs().identical(read_text(path, power_csv()).drop_attrs())
    local = read_text(path, power_json("LST"))
    assert str(to_utc_index(local)[0]) == "2013-03-01 07:00:00+00:00"
    assert local.attrs["stamps"] == "UTC-7 h, start of the step"


@pytest.mark.parametrize(
    ("unit", "factor"), [("W/m^2", 1.0), ("MJ/hr", 0.0036), ("MJ/m^2/hr", 0.0036), ("kW-hr/m^2/hr", 0.001)]
)
def test_irradiance_in_any_unit_of_power_or_energy_is_the_same(path: Path, unit: str, factor: float) -> None:
    rows = power_rows()
    sun = [name for name in rows if name.startswith("ALLSKY")]
    rows[sun] *= factor
    ds = read_text(path, power_json(rows=rows, **dict.fromkeys(sun, unit)))
    assert difference(ds) < 0.01


@pytest.mark.parametrize("write", [power_json, power_csv])
def test_a_unit_that_is_wrong_or_unknown_is_refused(path: Path, write) -> None:  # type: ignore[no-untyped-def]
    (finding,) = findings_of(path, write(WS50M="Bft"))
    assert finding.startswith("WS50M: unit 'Bft' in the header, expected m/s")
    (finding,) = findings_of(path, write(PS="Pa"))
    assert "480 values outside [40000, 110000] Pa" in finding


def test_a_missing_column_is_named(path: Path) -> None:
    text = power_csv().replace("HR,ALLSKY_SFC_SW_DWN,ALLSKY_SFC_SW_DNI", "HR,ALLSKY_SFC_SW_DWN,OTHER")
    (finding,) = findings_of(path, text)
    assert finding.startswith("columns: no column 'ALLSKY_SFC_SW_DNI', which the header describes")
    content = json.loads(power_json())
    del content["properties"]["parameter"]["T2M"]
    (finding,) = findings_of(path, json.dumps(content))
    assert finding.startswith("columns: no column 'T2M', which the header describes")
    (finding,) = findings_of(path, power_csv().replace("YEAR,MO,DY,HR,", "YEAR,MO,DY,X,"))[:1]
    assert finding == "columns: no column Hour; every row needs its date and time"


def test_a_time_standard_that_is_not_stated_is_asked_for(path: Path) -> None:
    (finding,) = findings_of(path, power_csv(None))
    assert finding.startswith("time standard: not stated in the header: the clock of the stamps is unknown")
    assert difference(read_text(path, power_csv(None), clock="UTC")) < 0.01


def test_local_solar_time_taken_for_utc_is_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, power_csv("LST").replace(" in LST", " in UTC"))
    assert "clock: the sun of the data fits stamps +7.00 h from those given" in finding


def test_solar_time_on_the_border_of_two_bands_is_refused(path: Path) -> None:
    findings = findings_of(path, power_csv("LST", longitude=-97.5))
    assert findings[0] == (
        "time standard: local solar time at longitude -97.5, on the border of two 15-degree bands; "
        "request the series with time-standard=UTC"
    )


def test_the_number_that_stands_for_missing_is_missing(path: Path) -> None:
    rows = power_rows()
    rows.iloc[-10:, 0] = -999.0
    (finding,) = findings_of(path, power_json(rows=rows))
    assert finding.startswith("ghi: 10 of 480 values are NaN, first at time 2013-03-20T14:00Z")
    assert read_text(path, power_json(rows=rows), fill=["trim"]).sizes["time"] == 470
    text = power_csv().replace("The value for missing", "Something about")
    assert findings_of(path, text)[0].startswith("header: the value that stands for missing is not stated")


def test_rows_that_do_not_reach_the_last_day_of_the_header_are_refused(path: Path) -> None:
    lines = power_csv().splitlines()
    (finding,) = findings_of(path, "\n".join(lines[:-24]))
    assert finding == (
        "rows: rows from 2013-03-01 00:00 to 2013-03-19 23:00, but the header states 2013-03-01 through "
        "2013-03-20; the file is cut off: get it again"
    )
    assert "row(s) without 13 fields" in findings_of(path, "\n".join(lines)[:-20])[0]
    assert findings_of(path, "\n".join(lines[:5])) == [
        "rows: 5 lines, no data rows; the file is cut off: get it again"
    ]


def test_daily_series_and_messages_are_refused(path: Path) -> None:
    content = json.loads(power_json())
    series = content["properties"]["parameter"]
    content["properties"]["parameter"] = {
        name: {key[:8]: v for key, v in values.items()} for name, values in series.items()
    }
    assert "are not YYYYMMDDHH; request hourly series" in findings_of(path, json.dumps(content))[0]
    content["properties"]["parameter"] = {}
    content["messages"] = ["outside the range"]
    (finding,) = findings_of(path, json.dumps(content))
    assert "no series of parameters; messages: ['outside the range']" in finding


def test_a_header_without_a_place_is_refused(path: Path) -> None:
    findings = findings_of(path, power_csv().replace("Location:", "Place:"))
    assert findings[:2] == [
        "latitude: not stated in the header; add it to the header",
        "longitude: not stated in the header; add it to the header",
    ]


def test_only_what_is_known_is_taken(path: Path) -> None:
    rows = power_rows()[["WS10M", "WS50M", "WD10M"]]
    ds = read_text(path, power_csv(rows=rows))
    assert set(ds.data_vars) == {"wind_speed"}
    assert np.isfinite(ds["wind_speed"]).all()
    (finding,) = findings_of(path, power_csv(rows=rows[["WD10M"]].rename(columns={"WD10M": "QV2M"})))
    assert finding.startswith("columns: no known parameter; request ALLSKY_SFC_SW_DWN")
