"""``twin fetch`` as it is typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr

from tests.weather.feed_server import Fault, FeedServer, serving
from twin.cli import main
from weather import read

HOURS = ["--start", "2013-03-04T06:00Z", "--end", "2013-03-12T18:00Z"]


@pytest.fixture(scope="module")
def server() -> Iterator[FeedServer]:
    with serving() as running:
        yield running


@pytest.fixture
def typed(server: FeedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each command has: a server, a cache and a file to write."""
    server.faults.clear()
    server.asked.clear()
    monkeypatch.chdir(tmp_path)
    for name in ("OPEN_METEO_API_KEY", "NSRDB_API_KEY", "NSRDB_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    return ["--base-url", server.url, "--cache-dir", "cache", "-o", "weather.nc"]


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


def test_weather_of_two_places_is_written_whole(
    typed: list[str], tmp_path: Path, server: FeedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--site", "park=32.0,-101.0,800", "--site", "hill = 32.2, -101.3"]
    assert main(["fetch", "open_meteo", *places, *HOURS, *typed]) == 0
    said = capsys.readouterr().out
    assert said.startswith("weather.nc: 204 hours, 2 site(s): ghi, dni, dhi, temp_air, ")
    assert "source: Open-Meteo (CC BY 4.0, Open-Meteo.com)" in said
    with xr.open_dataset("weather.nc") as ds:
        assert ds["site"].values.tolist() == ["park", "hill"]
        assert ds["longitude"].values.tolist() == [-101.0, -101.3]
        assert ds.attrs["feed"] == "open_meteo"
        assert ds["wind_speed"].attrs["units"] == "m/s"
    assert read("weather.nc", site="hill")["latitude"].item() == 32.2
    assert written(tmp_path) == ["weather.nc"]
    assert main(["fetch", "open_meteo", *places, *HOURS, *typed, "--offline"]) == 0
    assert len(server.asked) == 2


def test_all_findings_come_at_once_and_nothing_is_written(
    typed: list[str], tmp_path: Path, server: FeedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--site", "nowhere", "--site", "pole=91,0", "--site", "many=1,2,3,4"]
    options = ["--fill", "guess", "-o", "gone/weather.txt"]
    assert main(["fetch", "pvgis", *places, *HOURS, *typed, *options, "--dataset", "X"]) == 2
    said = capsys.readouterr().err
    assert "bad input: twin fetch: 7 findings" in said
    for place in (
        "--output: gone/weather.txt is not named as NetCDF",
        "site 'nowhere', latitude: ''",
        "site 'nowhere', longitude: ''",
        "site 'pole', latitude: '91'",
        "site 'many', longitude: '1,2,3,4'",
        "dataset: pvgis has no 'X'; known: PVGIS-SARAH3",
        "fill: no fill 'guess'",
    ):
        assert place in said
    assert written(tmp_path) == []
    assert not server.asked


@pytest.mark.parametrize(
    ("output", "message"), [("gone/weather.nc", "there is no folder"), ("folder.nc", "is a folder")]
)
def test_a_file_that_cannot_be_written_is_told_before_anyone_is_asked(
    typed: list[str],
    server: FeedServer,
    capsys: pytest.CaptureFixture[str],
    output: str,
    message: str,
) -> None:
    Path("folder.nc").mkdir()
    assert main(["fetch", "open_meteo", "--site", "a=32,-101", *HOURS, *typed, "-o", output]) == 2
    assert message in capsys.readouterr().err
    assert not server.asked


def test_a_failing_service_leaves_the_file_that_was_there(
    typed: list[str], tmp_path: Path, server: FeedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("weather.nc").write_bytes(b"older")
    server.faults.append(Fault(400, body='{"reason": "no such place"}', type="application/json"))
    assert main(["fetch", "open_meteo", "--site", "a=32,-101", *HOURS, *typed]) == 2
    assert "status 400: no such place" in capsys.readouterr().err
    assert Path("weather.nc").read_bytes() == b"older"
    assert written(tmp_path) == ["weather.nc"]


def test_missing_keys_are_named(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "nsrdb", "--site", "a=32,-101", *HOURS, *typed]) == 2
    said = capsys.readouterr().err
    assert "NSRDB_API_KEY: this environment variable is not set" in said
    assert "NSRDB_EMAIL: this environment variable is not set" in said


def test_feeds_are_listed_with_what_they_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "feeds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "pvgis",
        "open_meteo",
        "open_meteo_forecast",
        "nsrdb",
        "nasa_power",
        "era5",
    ]
