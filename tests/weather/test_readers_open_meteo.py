"""Open-Meteo: km/h, fixed offsets, means and instants in one file, several places and models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.weather.feed_files import open_meteo_csv, open_meteo_entry
from tests.weather.reading import findings_of, read_text
from tests.weather.sky import difference, hours, instants
from weather import check_dataset, to_utc_index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "open-meteo"


def changed(
    columns: dict[str, object] | None = None, units: dict[str, str] | None = None, **entry: object
) -> str:
    """A response with some columns, units and header entries replaced; None takes them out."""
    response = {**open_meteo_entry(), **entry}
    for key, changes in (("hourly", columns), ("hourly_units", units)):
        if response[key] is None:
            continue
        response[key] = {**response[key], **(changes or {})}  # type: ignore[dict-item]
        response[key] = {name: value for name, value in response[key].items() if value is not None}  # type: ignore[attr-defined]
    return json.dumps({name: value for name, value in response.items() if value is not None})


def test_units_heights_and_labels_are_those_of_the_file(path: Path) -> None:
    ds = read_text(path, changed())
    check_dataset(ds, "weather")
    assert ds["height"].values.tolist() == [10.0, 100.0]
    assert str(to_utc_index(ds)[0]) == "2013-02-28 23:00:00+00:00"
    assert ds.attrs["source"] == "Open-Meteo"
    assert ds["site"].item() == "open-meteo-32.000--101.000"
    assert 2.0 < float(ds["wind_speed"].sel(height=10).mean()) < 8.0


def test_metres_per_second_knots_and_fahrenheit_give_the_same(path: Path) -> None:
    plain = read_text(path, changed())
    hourly = open_meteo_entry()["hourly"]
    columns = {
        "wind_speed_10m": (np.array(hourly["wind_speed_10m"]) / 3.6).tolist(),  # type: ignore[index]
        "wind_speed_100m": (np.array(hourly["wind_speed_100m"]) / 1.852).tolist(),  # type: ignore[index]
        "temperature_2m": (np.array(hourly["temperature_2m"]) * 1.8 + 32.0).tolist(),  # type: ignore[index]
    }
    units = {"wind_speed_10m": "m/s", "wind_speed_100m": "kn", "temperature_2m": "°F"}
    other = read_text(path, changed(columns, units))
    for name in ("wind_speed", "temp_air"):
        assert np.allclose(plain[name], other[name], atol=1e-3)


@pytest.mark.parametrize(
    ("columns", "units", "message"),
    [
        (None, {"wind_speed_10m": "Bft"}, "wind_speed_10m: unit 'Bft' in the header, expected m/s"),
        (
            None,
            {"shortwave_radiation": None},
            "shortwave_radiation: the header states no unit",
        ),
        ({"temperature_2m": None}, None, "temperature_2m: 0 values for 480 stamps (its unit '°C' is stated)"),
        ({"surface_pressure": [1.0]}, None, "surface_pressure: 1 values for 480 stamps"),
        ({"shortwave_radiation": [None] * 480}, None, "ghi: 480 of 480 values are NaN"),
    ],
)
def test_wrong_units_and_missing_columns_are_refused(
    path: Path, columns: dict[str, object] | None, units: dict[str, str] | None, message: str
) -> None:
    assert findings_of(path, changed(columns, units))[0].startswith(message)


def test_a_clock_that_is_not_stated_is_asked_for(path: Path) -> None:
    text = changed(utc_offset_seconds=None)
    (finding,) = findings_of(path, text, "open_meteo")
    assert finding.startswith(
        "utc_offset_seconds: not stated in the header: the clock of the stamps is unknown"
    )
    assert difference(read_text(path, text, "open_meteo", clock="UTC")) < 0.01


def test_daylight_saving_that_the_stamps_do_not_have_is_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, changed(utc_offset_seconds=3600))
    assert "clock: the sun of the data fits stamps +1.00 h from those given" in finding


def test_instant_radiation_is_averaged_and_means_are_preferred(path: Path) -> None:
    names = {"ghi": "shortwave_radiation", "dni": "direct_normal_irradiance", "dhi": "diffuse_radiation"}
    at_stamps = instants(hours()).round(3)
    moments = {f"{column}_instant": at_stamps[name].tolist() for name, column in names.items()}
    units = {f"{column}_instant": "W/m²" for column in names.values()}
    assert difference(read_text(path, changed(moments, units))) < 0.01
    gone = dict.fromkeys(names.values())
    alone = read_text(path, changed({**moments, **gone}, {**units, **gone}))  # type: ignore[dict-item]
    assert 0.01 < difference(alone) < 4.0
    means_as_moments = {f"{name}_instant": open_meteo_entry()["hourly"][name] for name in gone}  # type: ignore[index]
    (finding,) = findings_of(path, changed({**means_as_moments, **gone}, {**units, **gone}))  # type: ignore[dict-item]
    assert "clock: the sun of the data fits stamps -0.50 h" in finding


def test_diffuse_follows_from_horizontal_beam(path: Path) -> None:
    hourly = open_meteo_entry()["hourly"]
    ghi, dhi = (np.array(hourly[name]) for name in ("shortwave_radiation", "diffuse_radiation"))  # type: ignore[index]
    gone = {"direct_normal_irradiance": None, "diffuse_radiation": None}
    beam = {"direct_radiation": (ghi - dhi).round(3).tolist(), **gone}
    ds = read_text(path, changed(beam, {"direct_radiation": "W/m²", **gone}))  # type: ignore[dict-item]
    assert "dni" not in ds
    assert np.allclose(ds["dhi"].values[:, 0], dhi, atol=1e-3)


def test_one_of_several_models_is_chosen_by_name(path: Path) -> None:
    entry = open_meteo_entry()
    units = entry["hourly_units"]
    for key in ("hourly", "hourly_units"):
        section = entry[key]
        renamed = {n if n == "time" else f"{n}_icon_seamless": v for n, v in section.items()}  # type: ignore[attr-defined]
        entry[key] = renamed
    text = json.dumps(entry)
    (finding,) = findings_of(path, text)
    assert finding.endswith("say which of several: variant='icon_seamless'")
    ds = read_text(path, text, variant="icon_seamless")
    assert ds.attrs["source"] == "Open-Meteo icon_seamless"
    assert difference(ds) < 0.01
    (finding,) = findings_of(path, text, variant="gfs")
    assert finding.startswith("columns: no known variable among temperature_2m_icon_seamless")
    assert units


def test_several_places_make_several_sites(path: Path) -> None:
    west = open_meteo_entry()
    east = {**open_meteo_entry(), "latitude": 32.3, "longitude": -101.2}
    ds = read_text(path, json.dumps([west, east]))
    assert ds["site"].values.tolist() == ["open-meteo-32.000--101.000", "open-meteo-32.300--101.200"]
    named = read_text(path, json.dumps([west, east]), site="park")
    assert named["site"].values.tolist() == ["park-0", "park-1"]


def test_several_places_in_csv_make_several_sites(path: Path) -> None:
    lines = open_meteo_csv().splitlines()
    places = [f"location_id,{lines[0]}", f"0,{lines[1]}", f"1,{lines[1].replace('32.0,', '32.25,')}"]
    rows = [f"{k},{line}" for k in (0, 1) for line in lines[4:]]
    text = "\n".join([*places, "", f"location_id,{lines[3]}", *rows]) + "\n"
    ds = read_text(path, text)
    assert ds["latitude"].values.tolist() == [32.0, 32.25]
    assert np.array_equal(ds["ghi"].isel(site=0), ds["ghi"].isel(site=1))


def test_the_daily_table_after_the_hours_is_left_alone(path: Path) -> None:
    daily = "\ntime,temperature_2m_max (°C)\n2013-03-01,20.0\n"
    assert (
        read_text(path, open_meteo_csv() + daily)
        .drop_attrs()
        .identical(read_text(path, open_meteo_csv()).drop_attrs())
    )


def test_what_has_no_hours_is_refused(path: Path) -> None:
    (finding,) = findings_of(path, changed(hourly=None))
    assert finding.startswith("hourly: expected 'hourly' or 'minutely_15', has the sections none")
    error = json.dumps({"error": True, "reason": "Latitude must be in range", "utc_offset_seconds": 0})
    (finding,) = findings_of(path, error)
    assert finding.startswith("hourly: expected 'hourly' or 'minutely_15', has Latitude must be in range")
    assert findings_of(path, "[1]", "open_meteo") == ["file: no object with a place; get it again"]
    both = changed(minutely_15=open_meteo_entry()["hourly"])
    (finding,) = findings_of(path, both)
    assert "has the sections hourly, minutely_15" in finding


def test_a_csv_that_is_cut_off_says_so(path: Path) -> None:
    lines = open_meteo_csv().splitlines()
    assert findings_of(path, "\n".join(lines[:2])) == [
        "rows: 2 lines, no data rows; the file is cut off: get it again"
    ]
    findings = findings_of(path, "\n".join(lines[:104])[:-30])
    assert findings[0].startswith("row 104: 1 row(s) without 10 fields")
    (finding,) = findings_of(path, "\n".join(lines[:104]))
    assert "rows: 100 rows" in finding
    assert "a whole day has 24; the file is cut off" in finding
    (finding,) = findings_of(path, open_meteo_csv().replace("time,", "stamp,"))
    assert finding == "columns: no column 'time'; every row needs its date and time"


def test_the_end_of_a_forecast_without_values_is_trimmed_by_name(path: Path) -> None:
    hourly = open_meteo_entry()["hourly"]
    ending = [*hourly["wind_speed_100m"][:400], *[None] * 80]  # type: ignore[index]
    text = changed({"wind_speed_100m": ending})
    (finding,) = findings_of(path, text)
    assert finding.startswith("wind_speed: 80 of 960 values are NaN")
    ds = read_text(path, text, fill=["trim"])
    assert ds.sizes["time"] == 400
    assert ds.attrs["fills"] == "trim: -80 rows"
