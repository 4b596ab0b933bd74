"""Plain CSV and Parquet: what the table does not say is asked for, all of it in one round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.weather.feed_files import PLACE, plain_csv, plain_frame
from tests.weather.reading import findings_of, read_text
from tests.weather.sky import difference
from weather import check_dataset, read, to_utc_index

ALL: dict[str, object] = {"clock": "UTC", "label": "left", "partial": True, **PLACE}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "park.csv"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return plain_frame()


def without(*names: str) -> dict[str, object]:
    return {name: value for name, value in ALL.items() if name not in names}


def test_project_names_with_units_need_clock_label_and_place_only(path: Path) -> None:
    ds = read_text(path, plain_csv(), "csv", **ALL)
    check_dataset(ds, "weather")
    assert ds["site"].item() == "csv-park"
    assert ds["height"].values.tolist() == [10.0, 100.0]
    assert ds.attrs["stamps"] == "UTC+0 h, start of the step"


def test_everything_that_is_not_said_is_asked_for_at_once(path: Path) -> None:
    text = plain_csv().replace("ghi [W/m2]", "ghi").replace("wind_speed@10 [m/s]", "wind_speed [m/s]")
    assert findings_of(path, text, "csv", partial=True) == [
        "label: a plain table does not say whether stamps start, halve or end their step, or are instants; "
        "say it: label='left', 'middle', 'right' or 'instant'",
        "time: not stated in the header: the clock of the stamps is unknown; "
        "say it: utc_offset_h=0 for UTC, -6 for UTC-6",
        "wind_speed: no height stated; names: ghi, dni, dhi, temp_air, pressure, albedo, "
        "relative_humidity, wind_speed@<height in m>, wind_direction@<height in m>",
        "ghi: no unit stated, expected W/m²; say it: units={'ghi': 'W/m²'}, or name the column 'ghi [W/m²]'",
        "latitude: a plain table does not say its place; say it: latitude=... in degree",
        "longitude: a plain table does not say its place; say it: longitude=... in degree",
    ]


def test_a_plain_table_is_not_taken_without_being_named(path: Path) -> None:
    (finding,) = findings_of(path, plain_csv(), **without("label", "latitude", "longitude", "altitude"))
    assert finding.endswith("of any other table say source='csv' and what it does not say")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"ghi": "Sun"}}, "columns: no column 'Sun' for ghi; there are time, ghi [W/m2]"),
        ({"columns": {"rain": "ghi"}}, "rain: no such variable; names: ghi"),
        ({"units": {"ghi": "lux"}}, "ghi [W/m2]: unit 'lux' in the header, expected W/m²"),
        ({"units": {"albedo": "1"}}, "units['albedo']: there is no such column; correct units="),
        ({"time_column": "Zeit"}, "columns: no column 'Zeit' for time; there are time, ghi [W/m2]"),
        (
            {"time_format": "%d.%m.%Y"},
            "date: 480 row(s) whose date does not exist, first: '2013-03-01",
        ),
        ({"clock": "Mars/Utopia"}, "time: clock='Mars/Utopia' is neither an offset from UTC nor a time zone"),
    ],
)
def test_what_is_said_wrongly_is_refused(path: Path, options: dict[str, object], message: str) -> None:
    assert findings_of(path, plain_csv(), "csv", **{**ALL, **options})[0].startswith(message)


def test_a_column_by_another_name_and_unit(path: Path, frame: pd.DataFrame) -> None:
    text = plain_csv().replace("ghi [W/m2]", "Sun").replace("temp_air [degC]", "T (K)")
    said = {"columns": {"ghi": "Sun", "temp_air": "T"}, "units": {"ghi": "W/m2"}}
    kelvin = findings_of(path, text, "csv", **{**ALL, **said})
    assert kelvin[0].startswith("temp_air: 480 values outside [-90, 60] °C")
    ds = read_text(path, text, "csv", **{**ALL, **said, "units": {"ghi": "W/m2", "temp_air": "°C"}})
    assert np.allclose(ds["temp_air"].values[:, 0], frame["temp_air [degC]"])


@pytest.mark.parametrize("label", ["middle", "right", "instant"])
def test_a_wrong_label_is_exposed_by_the_sun(path: Path, label: str) -> None:
    (finding,) = findings_of(path, plain_csv(), "csv", **{**ALL, "label": label})
    assert "clock: the sun of the data fits stamps +" in finding


def test_a_wrong_clock_is_exposed_by_the_sun(path: Path) -> None:
    (finding,) = findings_of(path, plain_csv(), "csv", **{**ALL, "clock": "UTC-6"})
    assert "clock: the sun of the data fits stamps -6.00 h from those given" in finding


def test_stamps_with_an_offset_state_their_clock(path: Path) -> None:
    text = plain_csv().replace(":00,", ":00-00:00,")
    assert difference(read_text(path, text, "csv", **without("clock"))) < 0.01
    (finding,) = findings_of(path, text, "csv", **{**ALL, "clock": "UTC-6"})
    assert finding == "time: utc_offset_h=-6 h given, but the header states 0 h; leave it out"


def test_unix_time_is_utc(path: Path, frame: pd.DataFrame) -> None:
    seconds = pd.DatetimeIndex(frame.index).as_unit("s").asi8
    table = frame.assign(t=seconds).to_csv(index=False)
    ds = read_text(path, table, "csv", **without("clock"), time_column="t", time_format="s")
    assert difference(ds) < 0.01
    (finding, *_) = findings_of(path, table, "csv", **ALL, time_column="t")
    assert (
        "are not in ISO 8601: day and month could be mistaken; say it: time_format='%d.%m.%Y %H:%M'"
        in finding
    )


def test_daylight_saving_is_undone_by_the_name_of_the_zone(path: Path) -> None:
    """On 3 November 2013 the clocks of Chicago went back: 01:00 is there twice, and the file has 25 hours."""
    hours = pd.date_range("2013-11-01T05:00Z", periods=5 * 24, freq="h")
    table = plain_frame(hours)
    stamps = hours.tz_convert("America/Chicago").strftime("%Y-%m-%d %H:%M")
    text = table.assign(time=stamps).to_csv(index=False)
    ds = read_text(path, text, "csv", **{**ALL, "clock": "America/Chicago"})
    assert to_utc_index(ds).equals(hours)
    assert ds["utc_offset_h"].item() == -7.0
    assert ds.attrs["stamps"] == "UTC-6 h, start of the step"
    findings = findings_of(path, text, "csv", **{**ALL, "clock": "UTC-6"})
    assert any("1 duplicate" in finding or "earlier than the one before" in finding for finding in findings)


def test_hours_that_a_zone_skips_are_refused(path: Path) -> None:
    text = plain_csv(-6)
    (finding, *_) = findings_of(path, text, "csv", **{**ALL, "clock": "America/Chicago"})
    assert finding.startswith("time: 1 stamp(s) that America/Chicago skips, first 2013-03-10 02:00; say")


def test_energy_of_a_step_is_divided_by_its_length(path: Path, frame: pd.DataFrame) -> None:
    quarter = frame.iloc[np.repeat(np.arange(len(frame)), 4)]
    quarter.index = pd.date_range(frame.index[0], periods=len(quarter), freq="15min")
    energy = quarter.assign(**{"ghi [W/m2]": quarter["ghi [W/m2]"] / 4.0})
    text = plain_csv(frame=energy).replace("ghi [W/m2]", "ghi [Wh/m2]")
    ds = read_text(path, text, "csv", **ALL, accept=["closure", "clock"])
    assert np.allclose(ds["ghi"].values[:, 0], quarter["ghi [W/m2]"], atol=1e-3)


def test_a_parquet_file_states_its_clock_or_is_asked(tmp_path: Path, frame: pd.DataFrame) -> None:
    path = tmp_path / "table.parquet"
    frame.tz_convert("Asia/Kolkata").rename_axis("when").to_parquet(path)
    ds = read(path, **without("clock"), time_column="when")  # type: ignore[arg-type]
    assert difference(ds) < 0.01
    frame.tz_localize(None).to_parquet(path)
    with pytest.raises(ValueError, match="time: not stated in the header: the clock of the stamps"):
        read(path, **without("clock"))  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="file: no readable Parquet"):
        read(path, **ALL)  # type: ignore[arg-type]


def test_a_table_without_known_columns_or_rows_is_refused(path: Path) -> None:
    (finding, *_) = findings_of(path, "time,x\n2013-03-01,1\n2013-03-02,1\n", "csv", **ALL)
    assert finding.startswith("columns: none with a project name; there are time, x; say columns=")
    assert findings_of(path, "time,ghi\n", "csv", **ALL) == [
        "rows: no data rows; the file is cut off: get it again"
    ]


def test_unsorted_and_repeated_rows_are_refused_or_repaired_by_name(path: Path) -> None:
    lines = plain_csv().splitlines()
    shuffled = [*lines[:50], lines[60], *lines[50:60], lines[59], *lines[61:]]
    text = "\n".join(shuffled) + "\n"
    findings = findings_of(path, text, "csv", **ALL)
    assert "1 stamp(s) earlier than the one before: 2013-03-03T11:00Z -> 2013-03-03T01:00Z" in findings[0]
    assert "1 duplicate stamp(s)" in findings[1]
    ds = read_text(path, text, "csv", **ALL, fill=["sort", "deduplicate"])
    assert difference(ds) < 0.01
    assert ds.attrs["fills"] == "sort: 11 rows moved; deduplicate: -1 rows"
    assert "earlier than the one before" in ds.attrs["findings"]


@settings(max_examples=8)
@given(
    label=st.sampled_from(["left", "middle", "right", "instant"]),
    step=st.sampled_from(["10min", "30min", "1h"]),
    clock_h=st.integers(-12, 14),
)
def test_any_label_step_and_clock_that_is_said_gives_the_same_steps(
    tmp_path_factory: pytest.TempPathFactory, label: str, step: str, clock_h: int
) -> None:
    """Temperatures that grow by one a step: instants of a straight line average to its middle."""
    left = pd.date_range("2013-03-01", periods=48, freq=step, tz="UTC")
    shift = {"left": 0.0, "middle": 0.5, "right": 1.0, "instant": 0.0}[label]
    stamps = left + shift * pd.Timedelta(step) + pd.Timedelta(hours=clock_h)
    table = pd.DataFrame({"time": stamps.tz_localize(None), "temp_air [degC]": np.arange(48.0)})
    path = tmp_path_factory.mktemp("steps") / "file.csv"
    path.write_text(table.to_csv(index=False), encoding="utf-8")
    said = {**ALL, "clock": f"UTC{clock_h:+d}", "label": label}
    ds = read(path, "csv", **said)  # type: ignore[arg-type]
    assert to_utc_index(ds).equals(left)
    expected = np.arange(48.0) + (0.5 if label == "instant" else 0.0)
    assert np.allclose(ds["temp_air"].values[:-1, 0], expected[:-1])


def test_a_column_that_comes_twice_is_refused(path: Path) -> None:
    text = "time,ghi [W/m2],ghi [W/m2]\n" + "".join(f"2020-01-01T0{k}:00Z,1,2\n" for k in range(4))
    assert any("comes more than once" in finding for finding in findings_of(path, text, "csv", **ALL))
