"""Fetching in tests: quickly, from a server on this machine, and what is found wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from tests.weather.feed_server import FeedServer
from tests.weather.sky import LATITUDE, LONGITUDE
from weather import HttpPolicy, InputError, fetch

QUICK = HttpPolicy(timeout_s=30.0, n_retries=3, backoff_s=0.001, spacing_s=0.0)
KEYS = {"NSRDB_API_KEY": "SeCrEt+key/0123456789", "NSRDB_EMAIL": "someone@example.org"}
HERE = pd.DataFrame([{"latitude": LATITUDE, "longitude": LONGITUDE}], index=["here"])
TWO = pd.DataFrame(
    [{"latitude": LATITUDE + 0.2, "longitude": LONGITUDE - 0.3}, *HERE.to_dict("records")],
    index=["west", "here"],
)
START, END = "2013-03-04T06:00Z", "2013-03-12T18:00Z"


class Feeds:
    """A server and a cache of a test."""

    def __init__(self, server: FeedServer, cache_dir: Path) -> None:
        self.server, self.cache_dir = server, cache_dir

    def fetch(self, source: str = "open_meteo", sites: pd.DataFrame = HERE, **options: object) -> xr.Dataset:
        """Fetch some days."""
        settled = {"start": START, "end": END, "policy": QUICK, "cache_dir": self.cache_dir}
        settled |= {"base_url": self.server.url} | options
        return fetch(source, sites, **settled)  # type: ignore[arg-type]

    def findings(self, source: str = "open_meteo", **options: object) -> list[str]:
        """What is found when fetching fails, as it must."""
        with pytest.raises(InputError) as caught:
            self.fetch(source, **options)  # type: ignore[arg-type]
        return [str(finding) for finding in caught.value.findings]

    def stored(self) -> list[Path]:
        """All files of the cache."""
        return sorted(path for path in self.cache_dir.rglob("*") if path.is_file())
