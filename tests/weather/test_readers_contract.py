"""What every reader keeps, by the one contract of `Reader`."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.weather.feed_files import plain_csv, plain_frame
from tests.weather.reader_cases import CASES, Case, write
from tests.weather.sky import difference, energy_error
from weather import READER_NEEDS, READERS, InputError, check_dataset, clock_offset_h, read, step_hours

KNOWN = ("latitude", "longitude", "utc_offset_h", "source", "licence", "synthetic")
COMMON = {"site", "partial", "fill", "accept", "clock", "utc_offset_h"}
TEXTS = [name for name in READERS if name not in ("parquet", "era5", "saved")]
CUT = ("pvgis-hourly-csv", "open_meteo-csv", "nasa_power-csv", "era5-zip")
CLOCKS = [
    [name for name in CASES if CASES[name].reader == reader and "15min" not in name]
    for reader in ("epw", "tmy3", "tmy2", "wtk", "open_meteo", "nasa_power", "era5")
] + [["nsrdb", "nsrdb-utc"], ["csv", "csv-local", "csv-zone"], ["pvgis", "pvgis-csv"]]
PAIRS = [pair for names in CLOCKS for pair in itertools.pairwise(names) if "of-pvgis" not in pair[1]]


def read_case(case: Case, path: Path) -> xr.Dataset:
    return read(path, case.source, **case.options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files by case, written when first asked for."""

    class Files(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = write(CASES[name], tmp_path_factory.mktemp(name))
            return self[name]

    return Files()


@pytest.fixture(scope="module")
def datasets(paths: dict[str, Path]) -> dict[str, xr.Dataset]:
    """What was read from them."""

    class Datasets(dict[str, xr.Dataset]):
        def __missing__(self, name: str) -> xr.Dataset:
            self[name] = read_case(CASES[name], paths[name])
            return self[name]

    return Datasets()


def test_every_reader_has_a_file_and_a_line_on_what_it_needs() -> None:
    assert {case.reader for case in CASES.values()} == set(READERS) == set(READER_NEEDS)
    assert all(line and "\n" not in line for line in READER_NEEDS.values())


@pytest.mark.parametrize("name", CASES)
def test_content_tells_the_format(datasets: dict[str, xr.Dataset], name: str) -> None:
    assert datasets[name].attrs["reader"] == CASES[name].reader


@pytest.mark.parametrize("name", CASES)
def test_the_result_is_a_weather_dataset_of_one_site(datasets: dict[str, xr.Dataset], name: str) -> None:
    ds = datasets[name]
    check_dataset(ds, "weather", required=KNOWN)
    assert ds.sizes["site"] == 1
    assert ds.attrs["synthetic"] == 0
    assert step_hours(ds) <= 1.0


@pytest.mark.parametrize("name", READERS)
def test_reading_twice_gives_the_same_and_a_site_may_be_named(
    datasets: dict[str, xr.Dataset], paths: dict[str, Path], name: str
) -> None:
    case = CASES[name]
    again = read(paths[name], case.reader, **{**case.options, "site": "here"})  # type: ignore[arg-type]
    assert again["site"].values.tolist() == ["here"]
    for ds in (again, datasets[name]):
        ds.attrs.pop("findings", "")  # names the site
    assert again.drop_vars("site").identical(datasets[name].drop_vars("site"))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reader != "wtk"])
def test_no_reader_shifts_the_sky(datasets: dict[str, xr.Dataset], name: str) -> None:
    """Moved by a single step the files would be off by a multiple: 60 W/m² an hour."""
    ds = datasets[name]
    assert difference(ds) < CASES[name].tolerance
    assert abs(energy_error(ds)) < 1e-3
    assert clock_offset_h(ds).item() == 0.0
    assert difference(ds, "temp_air") < 0.05


@pytest.mark.parametrize("name", ["wtk", "wtk-utc", "epw", "tmy3", "pvgis", "open_meteo", "era5", "csv"])
def test_wind_keeps_its_hour_and_its_height(datasets: dict[str, xr.Dataset], name: str) -> None:
    ds = datasets[name]
    for height in ds["height"].values:
        assert difference(ds.sel(height=height), "wind_speed", f"speed_{height:g}") < 0.02


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=["/".join(pair) for pair in PAIRS])
def test_two_clocks_of_one_source_give_the_same_energy(
    datasets: dict[str, xr.Dataset], one: str, other: str
) -> None:
    first, second = datasets[one], datasets[other]
    common = np.intersect1d(first["time"], second["time"])[1:]
    assert len(common) > 0.9 * min(first.sizes["time"], second.sizes["time"])
    for name in {str(v) for v in first.data_vars} & {str(v) for v in second.data_vars}:
        a, b = (ds[name].sel(time=common).to_numpy() for ds in (first, second))
        assert a.sum() == pytest.approx(b.sum(), rel=1e-3)
        assert np.abs(a - b).mean() < 0.5


@pytest.mark.parametrize("name", [name for name in READERS if name != "wtk"])
def test_a_file_stamped_in_another_clock_than_it_says_is_exposed_by_the_sun(
    datasets: dict[str, xr.Dataset], name: str
) -> None:
    """Data as read, but an hour late, do not pass the check that every reader makes."""
    late = datasets[name].assign_coords(time=datasets[name]["time"] + np.timedelta64(1, "h"))
    assert clock_offset_h(late).item() == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize(
    "name", [*READERS, "pvgis-hourly-csv", "open_meteo-csv", "nasa_power-csv", "era5-zip"]
)
@settings(max_examples=3)
@given(share=st.floats(0.0, 0.999))
def test_a_file_cut_off_anywhere_is_refused_with_findings(
    tmp_path_factory: pytest.TempPathFactory, paths: dict[str, Path], name: str, share: float
) -> None:
    case, data = CASES[name], paths[name].read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut"
    path.write_bytes(data[: int(share * len(data))])
    options = {key: value for key, value in case.options.items() if key != "partial"}
    with pytest.raises(InputError) as caught:
        read(path, case.reader, **options)  # type: ignore[arg-type]
    assert caught.value.findings
    assert all(finding.remedy or "missing" in finding.what for finding in caught.value.findings)


@pytest.mark.parametrize("name", [n for n in TEXTS if n not in ("nasa_power", "pvgis", "open_meteo")])
def test_letters_where_a_date_should_be_are_refused(
    paths: dict[str, Path], tmp_path: Path, name: str
) -> None:
    case, path = CASES[name], tmp_path / "damaged"
    lines = paths[name].read_text(encoding="utf-8").splitlines()
    lines[200] = f"{lines[200][:1]}x{lines[200][2:]}"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="date"):
        read_case(case, path)


@pytest.mark.parametrize("name", ["nasa_power", "pvgis", "open_meteo"])
def test_a_date_that_is_none_is_refused_in_json(paths: dict[str, Path], tmp_path: Path, name: str) -> None:
    text = paths[name].read_text(encoding="utf-8")
    path = tmp_path / "damaged.json"
    path.write_text(text.replace("0305", "1305").replace("2013-03-05", "2013-13-05"), encoding="utf-8")
    with pytest.raises(InputError, match="date"):
        read_case(CASES[name], path)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_refuses_a_file_of_another_kind(paths: dict[str, Path], name: str) -> None:
    names = list(READERS)
    others = [names[(names.index(name) + k) % len(names)] for k in (1, 5)]
    for other in others:
        with pytest.raises(InputError):
            READERS[name](paths[other])


@pytest.mark.parametrize("name", [name for name in READERS if name != "csv"])
def test_a_clock_that_contradicts_the_file_is_refused(paths: dict[str, Path], name: str) -> None:
    case = CASES[name]
    said = {"clock": "UTC+03:15"} if len(name) % 2 else {"utc_offset_h": 3.25}
    with pytest.raises(InputError, match=r"utc_offset_h=3.25 h given, but the header states"):
        read(paths[name], case.source, **{**case.options, **said})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", READERS)
def test_an_option_that_the_format_settles_is_refused(paths: dict[str, Path], name: str) -> None:
    case = CASES[name]
    given_: dict[str, object] = {"variant": "x", "year": 2013, "label": "left", "places": {"a": (1.0, 2.0)}}
    with pytest.raises(InputError) as caught:
        read(paths[name], case.reader, **{**given_, "site": "here"})  # type: ignore[arg-type]
    refused = {finding.where for finding in caught.value.findings}
    assert len(refused) >= 2
    assert refused <= set(given_)
    assert all(f"not an option of the reader {name!r}" in f.what for f in caught.value.findings)


def test_what_is_said_of_the_clock_must_be_a_clock(paths: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"'Europe/Berlin' is no offset from UTC; write 'UTC' or 'UTC-6'"):
        read(paths["nsrdb"], clock="Europe/Berlin")
    with pytest.raises(InputError, match=r"clock='UTC-6' contradicts utc_offset_h=2"):
        read(paths["nsrdb"], clock="UTC-6", utc_offset_h=2)


def test_of_an_unknown_file_the_message_says_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputError, match=r"begins with bytes of the kind 'binary'; formats: nsrdb, .*, csv;"):
        read(path)
    with pytest.raises(InputError, match="a folder that is no Zarr store; give one file"):
        read(tmp_path)
    path.write_bytes(b"\x1f\x8b\x00")
    with pytest.raises(InputError, match="no readable text"):
        read(path)


@settings(max_examples=5)
@given(data=st.data())
def test_the_order_of_columns_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, paths: dict[str, Path], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["nsrdb", "wtk", "csv", "open_meteo-csv", "nasa_power-csv"]))
    lines = paths[name].read_text(encoding="utf-8").splitlines()
    start = {"nsrdb": 2, "wtk": 1, "csv": 0, "open_meteo-csv": 3}.get(name, -1)
    start = lines.index("-END HEADER-") + 1 if start < 0 else start
    rows = [line.split(",") for line in lines[start:]]
    order = data.draw(st.permutations(range(len(rows[0]))))
    shuffled = [*lines[:start], *(",".join(row[k] for k in order) for row in rows)]
    path = tmp_path_factory.mktemp("shuffled") / "file"
    path.write_text("\n".join(shuffled) + "\n", encoding="utf-8")
    case = CASES[name]
    first, second = read_case(case, path), read_case(case, paths[name])
    assert first.identical(second)


@settings(max_examples=6)
@given(clock=st.floats(-48, 56).map(lambda quarter: round(quarter) / 4.0))
def test_any_clock_that_is_said_gives_the_same_instants(
    tmp_path_factory: pytest.TempPathFactory, clock: float
) -> None:
    frame = plain_frame(pd.date_range("2013-03-01", periods=120, freq="h", tz="UTC"))
    path = tmp_path_factory.mktemp("clock") / "file.csv"
    path.write_text(plain_csv(clock, frame=frame), encoding="utf-8")
    hours, minutes = divmod(round(abs(clock) * 60), 60)
    said = f"UTC{'-' if clock < 0 else '+'}{hours:02d}:{minutes:02d}"
    ds = read(path, "csv", **{**CASES["csv"].options, "clock": said})  # type: ignore[arg-type]
    assert np.array_equal(ds["time"], frame.index.tz_localize(None))
    assert np.allclose(ds["ghi"].values[:, 0], frame["ghi [W/m2]"])
