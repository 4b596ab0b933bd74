"""Answers from the cache, else from the source; each read by its reader and cut to its hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather.errors import Finding, Findings, InputError
from weather.feeds._cache import Cache
from weather.feeds._feed import Feed, FeedFailure, HttpPolicy, Request
from weather.feeds._query import Place
from weather.readers import read
from weather.timeaxis import to_utc_index
from weather.variables import with_metadata

__all__ = ["Asking"]

_SUBJECT: Final = "fetch"
_MAX_DISTANCE_DEGREES: Final = 1.0


@dataclass(frozen=True)
class Asking:
    """How a feed is asked and its answers are read.

    Attributes
    ----------
    cache : Cache
        Where answers are kept.
    feed : Feed
        Who is asked.
    places : mapping
        Name of a site -> place.
    policy : HttpPolicy
        Time-outs, retries, waits.
    max_age_h : float or None
        Age from which a stored answer is not taken; None: never. [h]
    fill, accept : tuple of str
        Named fills, and checks that may fail.
    """

    cache: Cache
    feed: Feed
    places: Mapping[str, Place]
    policy: HttpPolicy
    max_age_h: float | None
    fill: tuple[str, ...]
    accept: tuple[str, ...]

    def answers(self, requests: Sequence[Request], *, offline: bool) -> list[xr.Dataset]:
        """Return the weather of every request, or raise everything that is in the way."""
        found = [self._stored(request) for request in requests]
        findings = Findings()
        parts: dict[int, xr.Dataset] = {}
        for k, (request, path) in enumerate(zip(requests, found, strict=True)):
            if path is not None:
                self._read_stored(k, request, path, parts, findings)
        findings.raise_if_any(f"{_SUBJECT}, stored answers")
        missing = {k: request for k, request in enumerate(requests) if found[k] is None}
        if missing and offline:
            self._raise_offline(list(missing.values()))
        if missing:
            self._ask(missing, parts)
        return [parts[k] for k in range(len(requests))]

    def _stored(self, request: Request) -> Path | None:
        """Return the stored answer to a request, if there is one that is not too old."""
        stored = self.cache.find(request)
        if stored is None or (self.max_age_h is not None and stored.age_h >= self.max_age_h):
            return None
        return stored.path

    def _read_stored(
        self, k: int, request: Request, path: Path, parts: dict[int, xr.Dataset], findings: Findings
    ) -> None:
        """Read a stored answer; what is wrong with it now, with other fills or checks, makes findings."""
        try:
            parts[k] = self._weather_of(request, path)
        except InputError as error:
            findings.extend(_of(request, error))
            findings.add(str(path), "is the stored answer", "refresh=True asks the source again")

    def _raise_offline(self, missing: Sequence[Request]) -> None:
        """Raise which answers are not stored."""
        findings = Findings()
        for request in missing:
            stored = self.cache.find(request)
            what = f"no stored answer in {self.cache.folder}"
            remedy = "ask once with offline=False, or give a file to weather.read"
            if stored is not None:
                what = f"the stored answer is {stored.age_h:.1f} h old, max_age_h is {self.max_age_h:g} h"
                remedy = "ask with offline=False, or say a larger max_age_h"
            findings.add(request.subject, what, remedy)
        findings.raise_if_any(f"{_SUBJECT}, offline")

    def _ask(self, missing: Mapping[int, Request], parts: dict[int, xr.Dataset]) -> None:
        """Ask for what is missing; go on after a refusal of one, stop where all would fail."""
        secrets = self._secrets()
        findings = Findings()
        asked: set[str] = set()
        for n_done, (k, request) in enumerate(missing.items(), start=1):
            try:
                parts[k] = self._asked(request, secrets, asked)
            except FeedFailure as failure:
                findings.add(request.subject, f"{failure.what}; asked {request.url}", failure.remedy)
                if failure.is_general and n_done < len(missing):
                    what = f"{len(missing) - n_done} more request(s) not made"
                    findings.add("the rest", what, "what came is stored: ask again when this is settled")
                if failure.is_general:
                    break
            except InputError as error:
                findings.extend(_of(request, error))
        findings.raise_if_any(_SUBJECT)

    def _secrets(self) -> Mapping[str, str]:
        """Return the keys by parameter, or raise which are not there."""
        findings = Findings()
        for secret in self.feed.secrets:
            if secret.is_needed and not secret.value:
                findings.add(secret.variable, "this environment variable is not set", secret.remedy)
        findings.raise_if_any(f"{_SUBJECT}, keys")
        return {secret.parameter: secret.value for secret in self.feed.secrets if secret.value}

    def _asked(self, request: Request, secrets: Mapping[str, str], asked: set[str]) -> xr.Dataset:
        """Bring an answer, read it, and store it if nothing was wrong with it."""
        stored = self.cache.find(request) if request.key in asked else None
        if stored is not None:
            return self._weather_of(request, stored.path)
        with self.cache.incoming(request) as path:
            content_type = self.feed.download(request, self.feed, secrets, self.policy, path)
            part = self._weather_of(request, path)
            self.cache.keep(request, path, content_type)
        asked.add(request.key)
        return part

    def _weather_of(self, request: Request, path: Path) -> xr.Dataset:
        """Return the weather of one answer over exactly its hours, or raise what is wrong with it."""
        fill = dict.fromkeys((*self.fill, *self.feed.fill))
        if self.feed.reader == "era5":
            points = {
                site: (self.places[site].latitude, self.places[site].longitude) for site in request.sites
            }
            ds = read(path, "era5", places=points, fill=tuple(fill), accept=self.accept)
        else:
            site = request.sites[0]
            ds = read(path, self.feed.reader, site=site, fill=tuple(fill), accept=self.accept)
        findings = Findings(self._distance_findings(ds))
        hours = pd.date_range(request.start, request.end, freq="h", inclusive="left")
        index = to_utc_index(ds)
        absent = hours.difference(index)
        if len(absent):
            first = f"first {absent[0]:%Y-%m-%dT%H:%MZ}"
            what = f"{len(absent)} of {len(hours)} hours are not in the answer, {first}"
            findings.add("time", what, "ask for a span that the source has")
        findings.raise_if_any(request.subject)
        return self._placed(self._noted(ds.isel(time=index.get_indexer(hours))), request)

    def _noted(self, ds: xr.Dataset) -> xr.Dataset:
        """Leave out the notes on the feed's own fills, which reach no hour that was asked for."""
        notes = str(ds.attrs.get("fills", "")).split("; ")
        own = set(self.feed.fill) - set(self.fill)
        kept = "; ".join(note for note in notes if note.partition(":")[0] not in own)
        attrs = {name: value for name, value in ds.attrs.items() if name != "fills"}
        return ds.drop_attrs(deep=False).assign_attrs(attrs | ({"fills": kept} if kept else {}))

    def _distance_findings(self, ds: xr.Dataset) -> list[Finding]:
        """Return which sites are far from where they were asked for."""
        findings = Findings()
        for site in ds["site"].to_numpy():
            place, cell = self.places[str(site)], ds.sel(site=site)
            latitude, longitude = float(cell["latitude"]), float(cell["longitude"])
            east = (longitude - place.longitude + 180.0) % 360.0 - 180.0
            east *= float(np.cos(np.radians(place.latitude)))
            if np.hypot(latitude - place.latitude, east) > _MAX_DISTANCE_DEGREES:
                what = f"the answer is of {latitude:g}, {longitude:g}, more than 1 degree away"
                findings.add("coordinates", what, "check base_url: was another request answered?")
        return list(findings)

    def _placed(self, ds: xr.Dataset, request: Request) -> xr.Dataset:
        """Add what the table of sites states: clocks, and altitudes where the source has none."""
        places = [self.places[site] for site in request.sites]
        for name, is_first in (("altitude", False), ("utc_offset_h", True)):
            stated = [getattr(place, name) for place in places]
            if None not in stated and (is_first or name not in ds.coords):
                ds = ds.assign_coords({name: ("site", np.array(stated, dtype=np.float64))})
        return with_metadata(ds)


def _of(request: Request, error: InputError) -> list[Finding]:
    """Return the findings of a reader with what they are about."""
    return [
        Finding(f"{request.subject}, {found.where}", found.what, found.remedy) for found in error.findings
    ]
