"""Feeds: one file per source, one way to ask, one dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from weather.feeds._feed import Feed, HttpPolicy
from weather.feeds.era5 import ERA5
from weather.feeds.nasa_power import NASA_POWER
from weather.feeds.nsrdb import NSRDB
from weather.feeds.open_meteo import OPEN_METEO, OPEN_METEO_FORECAST
from weather.feeds.pvgis import PVGIS

__all__ = ["FEEDS", "FEED_NOTES", "HttpPolicy"]

FEEDS: Final[Mapping[str, Feed]] = {
    "pvgis": PVGIS,
    "open_meteo": OPEN_METEO,
    "open_meteo_forecast": OPEN_METEO_FORECAST,
    "nsrdb": NSRDB,
    "nasa_power": NASA_POWER,
    "era5": ERA5,
}
"""Feeds by the name of their source."""


def _note(feed: Feed) -> str:
    """Return what a feed has and needs, in a line."""
    keys = " and ".join(secret.variable for secret in feed.secrets if secret.is_needed)
    return feed.about + (f"; needs {keys}" if keys else "")


FEED_NOTES: Final[Mapping[str, str]] = {name: _note(feed) for name, feed in FEEDS.items()}
"""What each feed has, and which environment variables it needs, in a line."""
