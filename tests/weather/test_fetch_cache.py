"""Answers are kept by what was asked, and asked for again only where they must be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.weather.fetching import HERE, KEYS, TWO, Feeds
from weather import FEEDS, InputError
from weather.feeds._cache import default_cache_dir
from weather.feeds._query import Place, Query

NOBODY = "https://127.0.0.1:1"


def meta_of(feeds: Feeds) -> Path:
    (path,) = [path for path in feeds.stored() if path.name.endswith(".meta.json")]
    return path


def age(feeds: Feeds, hours: float) -> None:
    """Let an answer have come some hours ago."""
    path = meta_of(feeds)
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta["retrieved"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    path.write_text(json.dumps(meta), encoding="utf-8")


@pytest.mark.parametrize("source", ["pvgis", "open_meteo", "open_meteo_forecast", "nsrdb", "nasa_power"])
def test_what_is_stored_is_not_asked_for_again_and_gives_the_same(
    feeds: Feeds, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = feeds.fetch(source)
    for name in KEYS:
        monkeypatch.delenv(name)
    for offline in (False, True):
        assert feeds.fetch(source, offline=offline).identical(first)
    assert len(feeds.server.asked) == 1


def test_metadata_tell_what_was_asked_of_whom_and_when(feeds: Feeds) -> None:
    feeds.fetch()
    meta = json.loads(meta_of(feeds).read_text(encoding="utf-8"))
    assert meta["url"].startswith(f"{feeds.server.url}/v1/archive?latitude=32.0000&longitude=-101.0000&")
    assert meta["params"] == feeds.server.asked[0][1]
    came = datetime.fromisoformat(meta["retrieved"])
    assert timedelta(0) <= datetime.now(UTC) - came < timedelta(minutes=5)
    assert meta["content_type"] == "application/json"


def test_the_name_of_a_site_and_the_hours_of_a_day_are_no_part_of_what_is_asked(feeds: Feeds) -> None:
    first = feeds.fetch()
    renamed = feeds.fetch(sites=HERE.set_axis(["there"]), start="2013-03-04T07:00Z")
    assert len(feeds.server.asked) == 1
    assert np.array_equal(renamed["ghi"].sel(site="there"), first["ghi"].sel(site="here")[1:])


@pytest.mark.parametrize(
    "other", [{"sites": TWO.loc[["west"]]}, {"end": "2013-03-14T00:00Z"}, {"dataset": "era5"}]
)
def test_another_place_span_or_dataset_is_asked_for(feeds: Feeds, other: dict[str, object]) -> None:
    feeds.fetch()
    feeds.fetch(**other)  # type: ignore[arg-type]
    assert len(feeds.server.asked) == 2


def test_another_server_has_answers_of_its_own(feeds: Feeds) -> None:
    feeds.fetch()
    (finding,) = feeds.findings(base_url=NOBODY, offline=True)
    assert "no stored answer in" in finding


def test_offline_all_that_is_missing_is_named_with_what_to_do(feeds: Feeds) -> None:
    feeds.fetch(sites=TWO.loc[["west"]])
    (finding,) = feeds.findings(sites=TWO, offline=True)
    assert finding == (
        "here, 2013-03-04T06:00Z to 2013-03-12T18:00Z: no stored answer in "
        f"{feeds.cache_dir / 'open_meteo'}; ask once with offline=False, or give a file to weather.read"
    )
    assert len(feeds.server.asked) == 1


def test_a_forecast_is_asked_for_again_after_an_hour(feeds: Feeds) -> None:
    feeds.fetch("open_meteo_forecast")
    age(feeds, 1.5)
    (finding,) = feeds.findings("open_meteo_forecast", offline=True)
    assert "the stored answer is 1.5 h old, max_age_h is 1 h; ask with offline=False, or say a lar" in finding
    assert len(feeds.server.asked) == 1
    feeds.fetch("open_meteo_forecast", max_age_h=2.0)
    assert len(feeds.server.asked) == 1
    feeds.fetch("open_meteo_forecast")
    assert len(feeds.server.asked) == 2


def test_the_past_does_not_grow_old_unless_it_is_said(feeds: Feeds) -> None:
    feeds.fetch()
    age(feeds, 10_000.0)
    feeds.fetch()
    assert len(feeds.server.asked) == 1
    feeds.fetch(max_age_h=24.0)
    feeds.fetch(refresh=True)
    assert len(feeds.server.asked) == 3


@pytest.mark.parametrize(
    "damage", ["cut", "no payload", "no metadata", "metadata cut", "metadata of nothing"]
)
def test_a_damaged_answer_counts_as_none(feeds: Feeds, damage: str) -> None:
    feeds.fetch()
    meta = meta_of(feeds)
    payload = meta.with_name(meta.name.replace(".meta", ""))
    if damage == "cut":
        payload.write_bytes(payload.read_bytes()[:-1])
    elif damage == "no payload":
        payload.unlink()
    elif damage == "no metadata":
        meta.unlink()
    else:
        meta.write_text("{" if damage == "metadata cut" else "[]", encoding="utf-8")
    assert "no stored answer" in feeds.findings(offline=True)[0]
    feeds.fetch()
    assert len(feeds.server.asked) == 2
    feeds.fetch(offline=True)


def test_only_what_was_read_without_findings_is_stored(feeds: Feeds) -> None:
    """Beam is doubled: the three irradiances do not close."""

    def doubled(text: str) -> str:
        content = json.loads(text)
        beam = content["hourly"]["direct_normal_irradiance"]
        content["hourly"]["direct_normal_irradiance"] = [min(2.0 * value, 1300.0) for value in beam]
        return json.dumps(content)

    feeds.server.edit = doubled
    (finding,) = feeds.findings()
    assert "closure: ghi differs" in finding
    assert not feeds.stored()
    assert feeds.fetch(accept=["closure"]).attrs["accepted"] == "closure"
    found = feeds.findings()
    assert "closure" in found[0]
    assert found[1].endswith(".json: is the stored answer; refresh=True asks the source again")
    assert len(feeds.server.asked) == 2


def test_fills_are_those_of_the_caller_and_are_recorded(feeds: Feeds) -> None:
    def with_gap(text: str) -> str:
        content = json.loads(text)
        content["hourly"]["temperature_2m"][100] = None
        return json.dumps(content)

    feeds.server.edit = with_gap
    assert "temp_air" in feeds.findings()[0]
    assert feeds.fetch(fill=["interpolate"]).attrs["fills"].startswith("interpolate: ")


def test_the_cache_lies_where_the_user_keeps_such_things(
    feeds: Feeds, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    feeds.fetch(cache_dir=None)
    assert len(list((tmp_path / "xdg/curtailment-twin/feeds/open_meteo").iterdir())) == 2
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for stated in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", stated)
        assert default_cache_dir() == tmp_path / "home/.cache/curtailment-twin/feeds"


def test_whoever_pays_is_served_elsewhere_from_the_same_answers(
    feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key changes who answers, not what is asked."""
    monkeypatch.setenv("OPEN_METEO_API_KEY", "paid-key-0123456789")
    feeds.fetch()
    assert feeds.server.asked[0][1]["apikey"] == "paid-key-0123456789"
    feed = FEEDS["open_meteo"]
    start, end = feeds.fetch().indexes["time"][[0, -1]].tz_localize("UTC")
    keys = set()
    for url in (feed.base_url, feed.keyed_url):
        (request,) = feed.plan(Query({"a": Place(1.0, 2.0)}, start, end, "", url, "open_meteo"))
        assert request.url.startswith(url)
        keys.add(request.key)
    assert len(keys) == 1
    with pytest.raises(InputError, match="no stored answer"):
        feeds.fetch(base_url=None, offline=True)
