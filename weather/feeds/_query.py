"""What is wanted of a feed: places and hours, checked before anything is asked for."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pandas as pd

from weather.errors import Findings
from weather.timeaxis import utc_instant

__all__ = ["Place", "Query", "checked_places", "checked_span", "checked_url", "is_loopback"]

_RANGES: Final = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "altitude": (-450.0, 6000.0),
    "utc_offset_h": (-12.0, 14.0),
}
_NEEDED: Final = ("latitude", "longitude")
_HOUR: Final = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Place:
    """Where weather is wanted.

    Attributes
    ----------
    latitude, longitude : float
        North and east positive. [degree]
    altitude : float or None
        Of the ground, used where a source does not state its own. [m]
    utc_offset_h : float or None
        Local standard time minus UTC; default that of the source or the longitude. [h]
    """

    latitude: float
    longitude: float
    altitude: float | None = None
    utc_offset_h: float | None = None

    @property
    def point(self) -> tuple[str, str]:
        """Latitude and longitude as texts, rounded to 1e-4 degrees (11 m)."""
        return f"{self.latitude:.4f}", f"{self.longitude:.4f}"


@dataclass(frozen=True)
class Query:
    """What is wanted of a feed.

    Attributes
    ----------
    places : mapping
        Name of a site -> place.
    start, end : Timestamp
        First label and end of the last hour, in UTC.
    dataset : str
        Data set of the source, "" for the source's own choice.
    base_url : str
        Where the source is, without a slash at its end.
    source : str
        What answers are known by in the cache: the feed, and the base URL if it is not its own.
    """

    places: Mapping[str, Place]
    start: pd.Timestamp
    end: pd.Timestamp
    dataset: str
    base_url: str
    source: str

    @property
    def years(self) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        """The span cut at the borders of calendar years in UTC."""
        return _pieces(self.start, self.end, "YS")

    @property
    def months(self) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        """The span cut at the borders of calendar months in UTC."""
        return _pieces(self.start, self.end, "MS")


def _pieces(start: pd.Timestamp, end: pd.Timestamp, borders: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the pieces of a span between calendar borders."""
    inner = pd.date_range(start.normalize(), end, freq=borders)
    return list(itertools.pairwise([start, *(edge for edge in inner if start < edge < end), end]))


def checked_places(sites: pd.DataFrame, findings: Findings) -> dict[str, Place]:
    """Return the places of a table of sites; what is wrong with it is added to the findings."""
    if not isinstance(sites, pd.DataFrame):
        findings.add("sites", f"a {type(sites).__name__}", "give a DataFrame indexed by name")
        return {}
    if not len(sites):
        findings.add("sites", "no rows", "name at least one place")
    if sites.index.has_duplicates:
        twice = sorted({str(site) for site in sites.index[sites.index.duplicated()]})
        findings.add("sites", f"named more than once: {', '.join(twice)}", "give each site its own name")
    for site in sites.index:
        if not isinstance(site, str) or not site.strip():
            findings.add(f"site {site!r}", "no name", "name sites by texts")
    for column in sites.columns[sites.columns.duplicated()].unique():
        findings.add(f"sites, column {column!r}", "comes more than once", "keep one of them")
    for column in sites.columns.unique():
        if column not in _RANGES:
            findings.add(f"sites, column {column!r}", "unknown", f"columns are {', '.join(_RANGES)}")
    for column in _NEEDED:
        if column not in sites.columns:
            findings.add(f"sites, column {column!r}", "missing", "add it")
    once = sites.columns[~sites.columns.duplicated(keep=False)]
    values = {column: _numbers(sites, column, findings) for column in _RANGES if column in once}
    if findings:
        return {}
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return {str(site): _place(row) for site, row in zip(sites.index, rows, strict=True)}


def _place(row: Mapping[str, float | None]) -> Place:
    """Return the place that a row of good values describes."""
    latitude, longitude = (float(row[name] or 0.0) for name in _NEEDED)
    return Place(latitude, longitude, row.get("altitude"), row.get("utc_offset_h"))


def _numbers(sites: pd.DataFrame, column: str, findings: Findings) -> list[float | None]:
    """Return a column as numbers; those that are none or out of range are added to the findings.

    Where a column may be left out, so may its values.
    """
    low, high = _RANGES[column]
    values = pd.to_numeric(sites[column], errors="coerce")
    blank = (sites[column].isna() | (sites[column].astype(str).str.strip() == "")) & (column not in _NEEDED)
    good = values.between(low, high) | blank
    for site, value in sites.loc[~good, column].items():
        findings.add(f"site {site!r}, {column}", f"{value!r}", f"expected within [{low:g}, {high:g}]")
    return [None if gone else float(value) for value, gone in zip(values, blank, strict=True)]


def checked_span(
    start: str | pd.Timestamp, end: str | pd.Timestamp, findings: Findings
) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Return the hours wanted in UTC, or None with findings."""
    first, last = _hour("start", start, findings), _hour("end", end, findings)
    if first is None or last is None:
        return None
    if last - first < 2 * _HOUR:
        findings.add("end", f"{last} leaves fewer than two hours from {first}", "ask for more time")
    return first, last


def _hour(name: str, value: str | pd.Timestamp, findings: Findings) -> pd.Timestamp | None:
    """Return a whole hour in UTC, or None with a finding."""
    instant = utc_instant(name, value, findings)
    if instant is not None and instant != instant.floor("h"):
        findings.add(name, f"{instant} is not a whole hour in UTC", "round it")
    return instant


def checked_url(base_url: str, carries_secret: bool, findings: Findings) -> str:
    """Return the base URL of another server without a slash at its end; findings if it is none, or unsafe."""
    try:
        parts = urlsplit(base_url)
    except ValueError:
        findings.add("base_url", "no address of a server", "write http://host:port or https://host/path")
        return base_url
    if parts.scheme not in ("http", "https") or not parts.hostname:
        findings.add("base_url", "no address of a server", "write http://host:port or https://host/path")
    elif parts.username or parts.password or parts.query or parts.fragment:
        findings.add("base_url", "has a user, a password or a query", "give keys in the environment")
    elif carries_secret and parts.scheme == "http" and not is_loopback(parts.hostname):
        findings.add("base_url", f"http to {parts.hostname} would send a key unencrypted", "use https")
    return base_url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether a host name is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
