"""Weather from services on the network, as the readers give it: asked for once, kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import PathLike
from weather.errors import Finding, Findings, InputError
from weather.feeds import FEEDS
from weather.feeds._asking import Asking
from weather.feeds._cache import Cache, default_cache_dir
from weather.feeds._feed import HttpPolicy, Request
from weather.feeds._query import Query, checked_places, checked_span, checked_url
from weather.fills import FILLS
from weather.quality import ACCEPTABLE_CHECKS
from weather.readers import combine_sites, join_times

__all__ = ["fetch", "fetch_findings"]

_DEFAULT_POLICY: Final = HttpPolicy()
_SUBJECT: Final = "fetch"


def fetch(
    source: str,
    sites: pd.DataFrame,
    start: str | pd.Timestamp,
    end: str | pd.Timestamp,
    *,
    dataset: str | None = None,
    fill: Sequence[str] = (),
    accept: Sequence[str] = (),
    cache_dir: PathLike | None = None,
    offline: bool = False,
    refresh: bool = False,
    max_age_h: float | None = None,
    base_url: str | None = None,
    policy: HttpPolicy = _DEFAULT_POLICY,
) -> xr.Dataset:
    """Weather of some places from a service on the network, hourly.

    Parameters
    ----------
    source : str
        Name in `FEEDS`.
    sites : DataFrame
        Index: names; columns `latitude`, `longitude` [degree], and optionally `altitude` [m] (taken where the
        source states none) and `utc_offset_h` (local standard time minus UTC [h]).
    start, end : str or Timestamp
        First label and the instant at which the last hour ends: whole hours in UTC, zone stated.
    dataset : str, optional
        Data set of the source where it has several (docs/weather-feeds.md lists them).
    fill, accept
        Named fills, and checks that may fail, as for `weather.read`.
    cache_dir : path, optional
        Folder of answers; default `curtailment-twin/feeds` in `$XDG_CACHE_HOME` or `~/.cache`.
    offline : bool
        Take stored answers only; what is not stored is an error.
    refresh : bool
        Ask again for what is stored.
    max_age_h : float, optional
        Oldest stored answer that is taken; default 1 h for forecasts, any age for what is past. [h]
    base_url : str, optional
        Another server with the same interface: a mirror or a server of your own.
    policy : HttpPolicy
        Time-outs, retries, waits.

    Returns
    -------
    Dataset
        What `weather.read` gives for the source's files, over exactly the hours asked for. The coordinates
        are those of the source's cells. `attrs` has `feed`, `url` and `requests` (keys of the stored
        answers); nothing in it depends on when the answers came.

    Raises
    ------
    InputError
        With everything that is wrong with the arguments; for every request that got no answer, what happened
        and what to do; with what a reader finds in an answer. Keys never stand in it.

    Notes
    -----
    An answer is stored when it is whole and was read without findings. Keys come from the environment.

    Examples
    --------
    >>> here = pd.DataFrame([{"latitude": 35.0, "longitude": -117.0}], index=["mojave"])
    >>> fetch("nasa-power", here, "2020-06-01", "2020-06-02T00:00Z")
    Traceback (most recent call last):
    weather.errors.InputError: fetch: 2 findings
      - source: no feed 'nasa-power'; use one of pvgis, open_meteo, open_meteo_forecast, nsrdb, ...
      - start: 2020-06-01 has no zone; write 2020-01-01T00:00Z or ...-08:00
    """
    findings = Findings()
    query = _query(source, sites, start, end, dataset, base_url, findings)
    findings.extend(_name_findings(fill, accept))
    findings.extend(_option_findings(offline, refresh, max_age_h, policy))
    if query is None or findings:
        raise InputError(_SUBJECT, list(findings))
    feed = FEEDS[source]
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir)
    stored_age_h = feed.max_age_h if max_age_h is None else max_age_h
    asking = Asking(
        cache=Cache(folder, source, feed.content),
        feed=feed,
        places=query.places,
        policy=policy,
        max_age_h=0.0 if refresh else stored_age_h,
        fill=tuple(fill),
        accept=tuple(accept),
    )
    requests = feed.plan(query)
    parts = asking.answers(requests, offline=offline)
    attrs = {
        "licence": feed.licence,
        "feed": source,
        "url": requests[0].url,
        "requests": " ".join(request.key[:16] for request in requests),
    }
    return _joined(requests, parts, query).assign_attrs(attrs)


def _joined(requests: Sequence[Request], parts: Sequence[xr.Dataset], query: Query) -> xr.Dataset:
    """Return the parts one after the other and side by side, sites in the order of the table."""
    groups: dict[tuple[str, ...], list[xr.Dataset]] = {}
    for request, part in zip(requests, parts, strict=True):
        groups.setdefault(tuple(request.sites), []).append(part)
    whole = [group[0] if len(group) == 1 else join_times(group) for group in groups.values()]
    ds = whole[0] if len(whole) == 1 else combine_sites(whole)
    return ds.sel(site=list(query.places))


def fetch_findings(
    source: str,
    sites: pd.DataFrame,
    start: str | pd.Timestamp,
    end: str | pd.Timestamp,
    *,
    dataset: str | None = None,
    fill: Sequence[str] = (),
    accept: Sequence[str] = (),
    base_url: str | None = None,
) -> list[Finding]:
    """Return what is wrong with the arguments of `fetch`, without asking anyone.

    Parameters
    ----------
    source, sites, start, end, dataset, fill, accept, base_url
        As for `fetch`.
    """
    findings = Findings()
    _query(source, sites, start, end, dataset, base_url, findings)
    findings.extend(_name_findings(fill, accept))
    return list(findings)


def _query(
    source: str,
    sites: pd.DataFrame,
    start: str | pd.Timestamp,
    end: str | pd.Timestamp,
    dataset: str | None,
    base_url: str | None,
    findings: Findings,
) -> Query | None:
    """Return what is wanted, None if there are findings."""
    feed = FEEDS.get(source)
    if feed is None:
        findings.add("source", f"no feed {source!r}", f"use one of {', '.join(FEEDS)}")
    places = checked_places(sites, findings)
    span = checked_span(start, end, findings)
    if feed is None:
        return None
    keys = [secret for secret in feed.secrets if secret.value]
    url = (feed.keyed_url if keys else "") or feed.base_url
    if base_url is not None:
        url = checked_url(base_url, bool(keys), findings)
    known = feed.datasets
    name = dataset if dataset is not None else (known[0] if known else "")
    if known and name not in known:
        names = ", ".join(entry for entry in known if entry) or "none: leave it out"
        findings.add("dataset", f"{source} has no {name!r}", f"known: {names}")
    if "," in name:
        findings.add("dataset", f"several in {name!r}", "name one")
    if span is None or findings:
        return None
    known_by = source if base_url is None else f"{source} at {url}"
    return Query(places, *span, dataset=name, base_url=url, source=known_by)


def _name_findings(fill: Sequence[str], accept: Sequence[str]) -> list[Finding]:
    """Return which fills and checks there are not."""
    findings = Findings()
    for name in [fill] if isinstance(fill, str) else fill:
        if name not in FILLS or isinstance(fill, str):
            findings.add("fill", f"no fill {name!r}", f"use {', '.join(FILLS)}, in a sequence")
    for name in accept:
        if name not in ACCEPTABLE_CHECKS:
            findings.add("accept", f"no check {name!r}", f"use {', '.join(ACCEPTABLE_CHECKS)}")
    return list(findings)


def _option_findings(
    offline: bool, refresh: bool, max_age_h: float | None, policy: HttpPolicy
) -> list[Finding]:
    """Return what is wrong with the options of asking."""
    findings = Findings()
    if offline and refresh:
        findings.add("refresh", "asks again, but offline=True asks nobody", "leave one of them out")
    if max_age_h is not None and not max_age_h >= 0.0:
        findings.add("max_age_h", f"{max_age_h!r} h", "give hours >= 0")
    if not (float(policy.n_retries).is_integer() and policy.n_retries >= 0):
        findings.add("policy.n_retries", f"{policy.n_retries!r}", "give an integer >= 0")
    for name, low in (("timeout_s", 1e-3), ("backoff_s", 0.0), ("max_wait_s", 0.0)):
        if not low <= getattr(policy, name) < np.inf:
            findings.add(f"policy.{name}", f"{getattr(policy, name)!r}", f"give a number >= {low:g}")
    if policy.spacing_s is not None and not 0.0 <= policy.spacing_s < np.inf:
        findings.add("policy.spacing_s", f"{policy.spacing_s!r}", "give seconds >= 0, or None")
    return list(findings)
