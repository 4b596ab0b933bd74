"""What a feed is: how a query becomes requests, who may ask, how fast, and what reads the answers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias
from urllib.parse import urlencode

import pandas as pd

from weather.feeds._query import Query

__all__ = ["Content", "Download", "Feed", "FeedFailure", "HttpPolicy", "Request", "Secret", "redacted"]

Content: TypeAlias = Literal["json", "csv", "era5"]

_FORMAT: Final = 1
HIDDEN: Final = "<hidden>"


@dataclass(frozen=True)
class HttpPolicy:
    """How long to wait for a server, and how often to ask again.

    Attributes
    ----------
    timeout_s : float
        Longest wait for a connection, and for the next bytes of an answer. [s]
    n_retries : int
        How often to ask again after a fault that may pass: 429, 5xx, time-outs, answers that are cut off.
    backoff_s : float
        Wait before the first of them; it doubles with each and is lengthened by up to half of itself, by a
        share that follows from the request. [s]
    max_wait_s : float
        Longest wait before one of them; a server that asks for a longer one is not asked again. [s]
    spacing_s : float or None
        Shortest time between two requests to one server; None for what the source allows. [s]
    """

    timeout_s: float = 60.0
    n_retries: int = 6
    backoff_s: float = 1.0
    max_wait_s: float = 120.0
    spacing_s: float | None = None


@dataclass(frozen=True)
class Secret:
    """A key that the environment holds and nothing else shows.

    Attributes
    ----------
    variable : str
        Environment variable.
    parameter : str
        Parameter of the request that carries it.
    remedy : str
        How to get one.
    is_needed : bool
        Whether the source answers without it.
    """

    variable: str
    parameter: str
    remedy: str
    is_needed: bool = True

    @property
    def value(self) -> str:
        """Its value, empty if there is none."""
        return os.environ.get(self.variable, "").strip()


@dataclass(frozen=True)
class Request:
    """One request to a source, without its secrets.

    Attributes
    ----------
    source : str
        What the answer is known by in the cache (see `Query`).
    base_url, path : str
        Address.
    params : mapping
        Parameters.
    sites : sequence of str
        Sites that the answer is for.
    start, end : Timestamp
        Hours that the answer has to have, in UTC.
    weight : float
        How many requests the source counts it as. [1]
    """

    source: str
    base_url: str
    path: str
    params: Mapping[str, str | Sequence[str]]
    sites: Sequence[str]
    start: pd.Timestamp
    end: pd.Timestamp
    weight: float = 1.0

    @property
    def key(self) -> str:
        """Hash of everything that the answer depends on."""
        identity = {"format": _FORMAT, "source": self.source, "path": self.path, "params": dict(self.params)}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @property
    def url(self) -> str:
        """Address without parameters."""
        return f"{self.base_url}{self.path}"

    @property
    def shown_url(self) -> str:
        """Address with all parameters but secrets."""
        return f"{self.url}?{urlencode(dict(self.params), doseq=True)}"

    @property
    def subject(self) -> str:
        """What it is for, in words."""
        names = ", ".join(self.sites[:3]) + (" ..." if len(self.sites) > 3 else "")
        return f"{names}, {self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ}"


class FeedFailure(Exception):
    """No answer to a request.

    Attributes
    ----------
    what, remedy : str
        As in `weather.Finding`, without secrets.
    is_general : bool
        Whether other requests to the source would fail as well.
    """

    def __init__(self, what: str, remedy: str, *, is_general: bool) -> None:
        super().__init__(what)
        self.what, self.remedy, self.is_general = what, remedy, is_general


class Download(Protocol):
    """Brings the answer to a request into a file and returns its content type, or raises `FeedFailure`."""

    def __call__(
        self, request: Request, feed: Feed, secrets: Mapping[str, str], policy: HttpPolicy, target: Path
    ) -> str:
        """Write the whole answer to `target`."""
        ...


@dataclass(frozen=True)
class Feed:
    """A source of weather that is asked over the network.

    Attributes
    ----------
    reader : str
        Reader of its answers, in `READERS`.
    base_url, path : str
        Where it is.
    plan : callable
        Turns a query into requests that cover it.
    download : callable
        Brings the answer to one of them.
    content : {"json", "csv", "era5"}
        What answers are.
    licence : str
        Under which the data may be used, as the source states it.
    about : str
        What it has, in a line.
    datasets : tuple of str
        Data sets that may be named, the default first ("" for the source's own choice); empty: any name.
    secrets : tuple of Secret
        Keys.
    keyed_url : str
        Where it is for those who have a key, if elsewhere.
    spacing_s : float
        Shortest time between requests that its terms allow. [s]
    max_age_h : float or None
        Age from which a stored answer is asked for again; None: never, the past does not change. [h]
    fill : tuple of str
        Fills that its answers always need.
    transient : tuple of str
        Texts of refusals that pass.
    """

    reader: str
    base_url: str
    plan: Callable[[Query], list[Request]]
    download: Download
    content: Content
    licence: str
    about: str
    datasets: tuple[str, ...] = ("",)
    secrets: tuple[Secret, ...] = ()
    keyed_url: str = ""
    spacing_s: float = 0.0
    max_age_h: float | None = None
    fill: tuple[str, ...] = ()
    transient: tuple[str, ...] = ()


def redacted(text: str, secrets: Mapping[str, str]) -> str:
    """Return a text in which no secret stands, neither plain nor as in a URL.

    Examples
    --------
    >>> redacted("user=me%40here&key=k1 failed", {"email": "me@here", "api_key": "k1"})
    'user=<hidden>&key=<hidden> failed'
    """
    for name, value in secrets.items():
        for form in {value, urlencode({name: value}).partition("=")[2]}:
            text = text.replace(form, HIDDEN) if form else text
    return text
