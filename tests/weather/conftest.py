"""Fixtures of the tests of feeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.weather.feed_server import FeedServer, serving
from tests.weather.fetching import KEYS, Feeds


@pytest.fixture(scope="module")
def server() -> Iterator[FeedServer]:
    """A server that answers as services do."""
    with serving() as running:
        yield running


@pytest.fixture
def feeds(server: FeedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feeds:
    """A server, an empty cache, and keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("OPEN_METEO_API_KEY", "CDSAPI_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.faults.clear()
    server.asked.clear()
    server.edit = str
    return Feeds(server, tmp_path / "cache")
