"""What a feed gives is what its reader gives for the documented answer, over the hours asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.weather.feed_answers import ANSWERS, open_meteo
from tests.weather.fetching import END, HERE, KEYS, START, TWO, Feeds
from tests.weather.sky import ALTITUDE, difference
from weather import FEED_NOTES, FEEDS, InputError, check_dataset, fetch, fetch_findings, read, time_axis

HTTP = list(ANSWERS)
HOURS = pd.date_range(START, END, freq="h", inclusive="left")


def test_every_feed_is_tested_and_says_in_a_line_what_it_has() -> None:
    assert set(FEEDS) == {*HTTP, "era5"} == set(FEED_NOTES)
    assert all(note and "\n" not in note for note in FEED_NOTES.values())
    assert "needs NSRDB_API_KEY and NSRDB_EMAIL" in FEED_NOTES["nsrdb"]


@pytest.mark.parametrize("source", HTTP)
def test_the_hours_asked_for_come_as_the_reader_of_the_stored_answer_gives_them(
    feeds: Feeds, source: str
) -> None:
    ds = feeds.fetch(source)
    (path,) = [path for path in feeds.stored() if not path.name.endswith(".meta.json")]
    whole = read(path, site="here")
    assert whole.attrs["reader"] == FEEDS[source].reader == ds.attrs["reader"]
    assert np.array_equal(ds["time"].to_numpy(), HOURS.tz_localize(None).to_numpy())
    assert ds.drop_attrs().identical(whole.sel(time=ds["time"]).drop_attrs())
    check_dataset(ds, "weather", required=("latitude", "longitude", "source", "licence", "synthetic"))
    assert ds.attrs["synthetic"] == 0
    assert ds.attrs["feed"] == source
    assert ds.attrs["url"].startswith(feeds.server.url)
    assert "not stated" not in ds.attrs["licence"]
    assert "fills" not in ds.attrs


@pytest.mark.parametrize("source", [name for name in HTTP if name != "nsrdb"])
def test_no_feed_shifts_the_sky(feeds: Feeds, source: str) -> None:
    ds = feeds.fetch(source)
    assert difference(ds) < 4.0  # an hour's shift would be 60 W/m²
    assert difference(ds, "temp_air") < 0.05
    assert difference(ds.sel(height=10), "wind_speed", "speed_10") < 0.02


def test_pvgis_is_asked_for_whole_years_on_the_horizontal_plane(feeds: Feeds) -> None:
    feeds.fetch("pvgis", dataset="PVGIS-ERA5")
    ((path, params),) = feeds.server.asked
    assert path == "/seriescalc"
    wanted = {"lat": "32.0000", "lon": "-101.0000", "startyear": "2013", "endyear": "2013"}
    assert wanted.items() <= params.items()
    assert (params["angle"], params["components"], params["outputformat"]) == ("0", "1", "json")
    assert params["raddatabase"] == "PVGIS-ERA5"


def test_open_meteo_is_asked_in_utc_for_the_stamps_at_both_ends(feeds: Feeds) -> None:
    feeds.fetch(dataset="era5", start="2013-03-04T00:00Z", end="2013-03-05T00:00Z")
    ((path, params),) = feeds.server.asked
    assert path == "/v1/archive"
    assert (params["start_date"], params["end_date"], params["timezone"]) == (
        "2013-03-04",
        "2013-03-05",
        "GMT",
    )
    assert (params["models"], params["wind_speed_unit"]) == ("era5", "ms")
    assert {"wind_speed_100m", "direct_normal_irradiance"} <= set(params["hourly"].split(","))
    assert "apikey" not in params


def test_nsrdb_is_asked_by_point_and_year_with_the_keys_of_the_environment(feeds: Feeds) -> None:
    feeds.fetch("nsrdb")
    ((path, params),) = feeds.server.asked
    assert path == "/api/nsrdb/v2/solar/nsrdb-GOES-aggregated-v4-0-0-download.csv"
    assert params["wkt"] == "POINT(-101.0000 32.0000)"
    assert (params["names"], params["utc"], params["leap_day"], params["interval"]) == (
        "2013",
        "true",
        "true",
        "60",
    )
    assert (params["api_key"], params["email"]) == (KEYS["NSRDB_API_KEY"], KEYS["NSRDB_EMAIL"])


def test_nasa_power_is_asked_in_utc_for_the_days_of_the_span(feeds: Feeds) -> None:
    feeds.fetch("nasa_power", end="2013-03-12T00:00Z")
    ((_, params),) = feeds.server.asked
    assert (params["start"], params["end"], params["time-standard"]) == ("20130304", "20130311", "UTC")
    assert len(params["parameters"].split(",")) <= 15


def test_sites_stand_in_the_order_of_the_table_each_at_its_own_cell(feeds: Feeds) -> None:
    ds = feeds.fetch(sites=TWO)
    assert ds["site"].values.tolist() == ["west", "here"]
    assert ds["latitude"].values.tolist() == TWO["latitude"].tolist()
    assert ds["longitude"].values.tolist() == TWO["longitude"].tolist()
    assert len(feeds.server.asked) == 2
    swapped = feeds.fetch(sites=TWO.iloc[::-1])
    assert swapped["site"].values.tolist() == ["here", "west"]
    assert len(feeds.server.asked) == 2


def test_two_sites_of_one_place_are_asked_for_once(feeds: Feeds) -> None:
    twins = pd.concat([HERE, HERE.set_axis(["again"])])
    ds = feeds.fetch(sites=twins)
    assert ds["site"].values.tolist() == ["here", "again"]
    assert np.array_equal(ds["ghi"].sel(site="here"), ds["ghi"].sel(site="again"))
    assert len(feeds.server.asked) == 1


def test_the_border_of_two_years_leaves_no_trace(feeds: Feeds, tmp_path: Path) -> None:
    """Instants are averaged with their neighbours, which lie in the other request."""
    span = {"start": "2012-12-28T00:00Z", "end": "2013-01-05T00:00Z"}
    ds = feeds.fetch(**span)
    assert [params["start_date"] for _, params in feeds.server.asked] == ["2012-12-28", "2013-01-01"]
    assert [params["end_date"] for _, params in feeds.server.asked] == ["2013-01-01", "2013-01-05"]
    assert ds.sizes["time"] == 8 * 24
    (tmp_path / "whole.json").write_text(
        open_meteo({**feeds.server.asked[0][1], "end_date": "2013-01-05"}), encoding="utf-8"
    )
    whole = read(tmp_path / "whole.json", site="here").sel(time=ds["time"])
    assert ds.drop_attrs().identical(whole.drop_attrs())


def test_the_table_states_clocks_and_altitudes_where_the_source_does_not(feeds: Feeds) -> None:
    stated = HERE.assign(altitude=500.0, utc_offset_h=-6.0)
    ds = feeds.fetch(sites=stated)
    assert ds["utc_offset_h"].item() == -6.0  # by longitude it would be -7
    assert ds["altitude"].item() == ALTITUDE  # of the source's own cell


def test_what_is_not_there_yet_at_the_end_of_the_last_day_is_no_matter(feeds: Feeds) -> None:
    def without_evening(text: str) -> str:
        head, _, tail = text.rpartition('"diffuse_radiation": [')
        values = tail.partition("]")[0].split(", ")
        shown = ", ".join([*values[:-5], *["null"] * 5])
        return f'{head}"diffuse_radiation": [{shown}]{tail.partition("]")[2]}'

    feeds.server.edit = without_evening
    assert feeds.fetch().sizes["time"] == len(HOURS)
    found, note = feeds.findings(end="2013-03-12T23:00Z")
    assert "5 of 209 hours are not in the answer, first 2013-03-12T18:00Z" in found
    assert note.endswith("is the stored answer; refresh=True asks the source again")


def test_an_answer_for_another_place_is_refused(feeds: Feeds) -> None:
    feeds.server.edit = lambda text: text.replace('"longitude": -101.0', '"longitude": -99.5')
    (finding,) = feeds.findings(accept=["clock", "closure"])
    assert "coordinates: the answer is of 32, -99.5, more than 1 degree away" in finding
    assert not feeds.stored()


def test_all_that_is_wrong_with_the_arguments_is_told_before_anyone_is_asked(feeds: Feeds) -> None:
    sites = pd.DataFrame(
        [{"latitude": 95.0, "longitude": "east", "altitude": np.nan, "bus": 3}], index=["there"]
    )
    found = feeds.findings(
        "pvgis",
        sites=sites,
        start="2013-01-01",
        end="2013-01-01T00:30Z",
        dataset="PVGIS-CMSAF",
        fill=["guess"],
        accept=["all"],
        max_age_h=-1.0,
        offline=True,
        refresh=True,
    )
    places = [finding.partition(":")[0] for finding in found]
    assert places == [
        "sites, column 'bus'",
        "site 'there', latitude",
        "site 'there', longitude",
        "start",
        "end",
        "dataset",
        "fill",
        "accept",
        "refresh",
        "max_age_h",
    ]
    assert not feeds.server.asked


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        (HERE.iloc[:0], "sites: no rows"),
        (pd.concat([HERE, HERE]), "sites: named more than once: here"),
        (HERE.set_axis([7]), "site 7: no name"),
        (HERE.drop(columns="latitude"), "sites, column 'latitude': missing"),
        ([("here", 32.0, -101.0)], "sites: a list; give a DataFrame indexed by name"),
    ],
)
def test_a_table_of_sites_that_is_none_is_refused(sites: pd.DataFrame, message: str) -> None:
    (finding,) = fetch_findings("pvgis", sites, START, END)
    assert str(finding).startswith(message)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:80", "no address of a server"),
        ("ftp://127.0.0.1", "no address of a server"),
        ("https://me:pw@mirror.example", "has a user, a password or a query"),
        ("https://mirror.example?api_key=1", "has a user, a password or a query"),
        ("http://mirror.example", "http to mirror.example would send a key unencrypted; use https"),
    ],
)
def test_a_base_url_that_is_none_or_unsafe_is_refused(feeds: Feeds, url: str, message: str) -> None:
    (finding,) = feeds.findings("nsrdb", base_url=url)
    assert finding.startswith(f"base_url: {message}")


def test_hours_may_be_stated_in_any_zone() -> None:
    assert not fetch_findings("open_meteo", HERE, "2013-03-04T00:00-06:00", time_axis(END, 2, 3600)[0])
    (finding,) = fetch_findings("open_meteo", HERE, "2013-03-04T00:00+05:45", END)
    assert str(finding) == "start: 2013-03-03 18:15:00+00:00 is not a whole hour in UTC; round it"


def test_years_no_clock_holds_and_broken_addresses_are_refused() -> None:
    here = pd.DataFrame([{"latitude": 35.0, "longitude": -117.0}], index=["mojave"])
    for start, end in (
        ("1500-01-01T00:00Z", "1500-01-03T00:00Z"),
        ("2999-01-01T00:00Z", "2999-01-03T00:00Z"),
    ):
        with pytest.raises(InputError, match="is no time of the years 1678 to 2261"):
            fetch("nasa_power", here, start, end)
    with pytest.raises(InputError, match="base_url: no address of a server"):
        fetch("nasa_power", here, "2020-01-01T00:00Z", "2020-01-03T00:00Z", base_url="http://[")


def test_columns_named_twice_are_refused() -> None:
    here = pd.DataFrame([{"latitude": 35.0, "longitude": -117.0}], index=["mojave"])
    with pytest.raises(InputError, match="column 'latitude': comes more than once"):
        fetch("nasa_power", pd.concat([here, here], axis=1), "2020-01-01T00:00Z", "2020-01-03T00:00Z")
