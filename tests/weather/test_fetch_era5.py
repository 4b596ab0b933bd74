"""ERA5 through a client that stands for `cdsapi`: what it is asked, what becomes of answers and errors."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import xarray as xr

from tests.weather.feed_files import era5_grid
from tests.weather.fetching import HERE, TWO, Feeds
from tests.weather.sky import difference
from weather import FEEDS, read
from weather.feeds._query import Place, Query

KEY = "0123-cds-token"
BORDER = {"start": "2013-03-26T06:00Z", "end": "2013-04-03T00:00Z", "base_url": None}


class Store:
    """Answers to `retrieve` from a grid of 40 days, or an error."""

    def __init__(self) -> None:
        self.clients: list[dict[str, object]] = []
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.error: Exception | None = None
        self.grid = era5_grid(n_days=40)

    def client(self, **settings: object) -> Store:
        """Stand for `cdsapi.Client`."""
        self.clients.append(settings)
        return self

    def retrieve(self, name: str, request: dict[str, object], target: str) -> None:
        """Write a grid as NetCDF, or a point as CSV in an archive, as the store does."""
        self.asked.append((name, request))
        if self.error is not None:
            raise self.error
        dates = request["date"]
        first, last = str(dates[0] if isinstance(dates, list) else dates).split("/")
        grid = self.grid.sel(valid_time=slice(first, last))
        if request["data_format"] == "netcdf":
            grid.to_netcdf(target)
            return
        place = request["location"]
        assert isinstance(place, dict)
        point = grid.drop_vars(["fdir", "z"]).sel(place, method="nearest")
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("point.csv", point.to_dataframe().reset_index().to_csv(index=False))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, feeds: Feeds) -> Store:  # noqa: ARG001  # clears the environment
    standing = Store()
    module = ModuleType("cdsapi")
    module.Client = standing.client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cdsapi", module)
    monkeypatch.setenv("CDSAPI_KEY", KEY)
    return standing


def test_months_of_a_box_around_all_sites_join_without_a_trace(
    feeds: Feeds, store: Store, tmp_path: Path
) -> None:
    ds = feeds.fetch("era5", sites=TWO, **BORDER)
    assert [request["date"] for _, request in store.asked] == [
        "2013-03-26/2013-04-01",
        "2013-04-01/2013-04-03",
    ]
    name, request = store.asked[0]
    assert name == "reanalysis-era5-single-levels"
    assert request["area"] == [32.5, -101.75, 31.75, -100.75]  # north, west, south, east
    assert request["time"] == [f"{hour:02d}:00" for hour in range(24)]
    assert {"total_sky_direct_solar_radiation_at_surface", "geopotential"} <= set(request["variable"])  # type: ignore[call-overload]
    store.grid.to_netcdf(tmp_path / "whole.nc")
    places = {str(site): (row["latitude"], row["longitude"]) for site, row in TWO.iterrows()}
    whole = read(tmp_path / "whole.nc", places=places).sel(time=ds["time"])
    assert ds.drop_attrs().identical(whole.drop_attrs())
    assert ds.sizes == {"time": 7 * 24 + 18, "site": 2, "height": 2}
    assert difference(ds.isel(site=[1])) < 0.1
    assert ds.attrs["licence"].startswith("CC BY 4.0")


def test_points_by_year_have_no_beam_and_take_the_altitude_of_the_table(feeds: Feeds, store: Store) -> None:
    ds = feeds.fetch("era5", sites=HERE.assign(altitude=812.0), dataset="timeseries", **BORDER)
    ((name, request),) = store.asked
    assert name == "reanalysis-era5-single-levels-timeseries"
    assert request["location"] == {"longitude": -101.0, "latitude": 32.0}
    assert request["date"] == ["2013-03-26/2013-04-03"]
    assert "latitude" not in request
    assert "dhi" not in ds
    assert ds["altitude"].item() == 812.0
    assert difference(ds) < 0.1


def test_the_client_gets_the_key_of_the_environment_and_no_other_settings(
    feeds: Feeds, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = feeds.fetch("era5", **BORDER)
    settings = store.clients[0]
    assert (settings["key"], settings["url"]) == (KEY, "https://cds.climate.copernicus.eu/api")
    assert (settings["quiet"], settings["progress"]) == (True, False)
    assert not any(KEY.encode() in path.read_bytes() for path in feeds.stored())
    monkeypatch.delenv("CDSAPI_KEY")
    monkeypatch.setitem(sys.modules, "cdsapi", None)
    assert feeds.fetch("era5", **BORDER, offline=True).identical(first)
    assert len(store.asked) == 2


def test_without_a_key_or_the_client_it_is_said_what_to_do(
    feeds: Feeds, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cdsapi", None)
    found = feeds.findings("era5", **BORDER)
    assert "the package cdsapi is not installed" in found[0]
    assert "pip install curtailment-twin[feeds]" in found[0]
    monkeypatch.delenv("CDSAPI_KEY")
    (finding,) = feeds.findings("era5", **BORDER)
    assert finding.startswith("CDSAPI_KEY: this environment variable is not set; a token stands")
    assert not store.asked


def test_what_the_store_says_is_told_without_the_key(feeds: Feeds, store: Store) -> None:
    store.error = RuntimeError(f"403 Client Error: required licences not accepted\n(token {KEY})")
    found = feeds.findings("era5", **BORDER)
    assert "RuntimeError: 403 Client Error: required licences not accepted (token <hidden>)" in found[0]
    assert "check CDSAPI_KEY, that the licence is accepted" in found[0]
    assert found[1].startswith("the rest: 1 more request(s) not made")
    assert not feeds.stored()


def test_a_file_that_is_none_is_refused_and_not_stored(feeds: Feeds, store: Store) -> None:
    store.grid = store.grid.isel(valid_time=slice(0, 0))
    assert feeds.findings("era5", **BORDER)
    store.retrieve = lambda *_: None  # type: ignore[assignment,method-assign]
    assert "an empty answer" in feeds.findings("era5", **BORDER)[0]
    assert not feeds.stored()


def test_a_box_that_would_be_large_is_one_for_each_site() -> None:
    places = {"west": Place(32.0, -120.0), "east": Place(45.1, -75.0)}
    start, end = pd.Timestamp("2020-01-30", tz="UTC"), pd.Timestamp("2020-02-02", tz="UTC")
    feed = FEEDS["era5"]
    far = feed.plan(Query(places, start, end, "single-levels", feed.base_url, "era5"))
    assert [request.sites for request in far] == [("west",)] * 2 + [("east",)] * 2
    assert far[2].params["area"] == ["45.50", "-75.25", "44.75", "-74.75"]
    near = {**places, "east": Place(33.0, -119.0)}
    assert len(feed.plan(Query(near, start, end, "single-levels", feed.base_url, "era5"))) == 2


def test_a_stored_grid_is_what_the_store_sent(feeds: Feeds, store: Store) -> None:
    feeds.fetch("era5", **BORDER | {"start": "2013-03-05T00:00Z", "end": "2013-03-12T00:00Z"})
    (path,) = [path for path in feeds.stored() if not path.name.endswith(".meta.json")]
    with xr.open_dataset(path, engine="netcdf4") as grid:
        assert set(grid.data_vars) == set(store.grid.data_vars)
