"""One answer over HTTP: spacing of requests, time-outs, retries, and checks that it is what was asked for."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from weather.feeds._answers import said_by, trouble_with
from weather.feeds._feed import HIDDEN, Feed, FeedFailure, HttpPolicy, Request, redacted

__all__ = ["http_download"]

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_NO_ENTRY: Final = frozenset({401, 403})
_AGENT: Final = "curtailment-twin"
_LOGGERS: Final = ("urllib3.connectionpool", "urllib3.util.retry")
_ONLINE: Final = "check the network; offline=True takes stored answers only"


@dataclass(frozen=True)
class _Answer:
    """What came: status, headers that matter, content."""

    status: int
    content_type: str
    retry_after: str
    location: str
    content: bytes


@dataclass(frozen=True)
class _Trouble:
    """Why nothing usable came.

    Attributes
    ----------
    what, remedy : str
        In words; may hold secrets.
    passes : bool
        Whether it is worth asking again.
    is_general : bool
        Whether other requests would fail as well.
    wait_s : float
        What the server asks to wait. [s]
    """

    what: str
    remedy: str
    passes: bool = False
    is_general: bool = False
    wait_s: float = 0.0


class _Spacing:
    """Keeps requests to one server apart, in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}

    def wait(self, server: str, spacing_s: float) -> None:
        """Wait for a turn, and keep the next one waiting for `spacing_s`. [s]."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._free_at.get(server, now))
            self._free_at[server] = turn + spacing_s
        if turn > now:
            time.sleep(turn - now)


_SPACING: Final = _Spacing()


def http_download(
    request: Request, feed: Feed, secrets: Mapping[str, str], policy: HttpPolicy, target: Path
) -> str:
    """Write the answer to a request into a file; see `Download`.

    Raises
    ------
    FeedFailure
        If there is none after all retries, or it is not what was asked for.
    """
    waits = _waits(request, policy)
    with requests.Session() as session, _silenced(secrets):
        session.headers["User-Agent"] = _AGENT
        while True:
            came = _attempt(session, request, feed, secrets, policy)
            if isinstance(came, _Answer):
                target.write_bytes(_without_secrets(came.content, secrets))
                return came.content_type
            planned_s = next(waits, None)
            wait_s = max(planned_s or 0.0, came.wait_s)
            if not came.passes or planned_s is None or wait_s > policy.max_wait_s:
                break
            time.sleep(wait_s)
    raise _failure(came, policy, secrets)


def _waits(request: Request, policy: HttpPolicy) -> Iterator[float]:
    """Return the waits between attempts: doubling, lengthened by a share the request determines. [s]."""
    jitter = random.Random(request.key)
    for k in range(int(policy.n_retries)):
        yield min(policy.backoff_s * 2.0**k * (1.0 + 0.5 * jitter.random()), policy.max_wait_s)


def _attempt(
    session: requests.Session, request: Request, feed: Feed, secrets: Mapping[str, str], policy: HttpPolicy
) -> _Answer | _Trouble:
    """Ask once."""
    server = urlsplit(request.url).netloc
    spacing_s = feed.spacing_s if policy.spacing_s is None else policy.spacing_s
    _SPACING.wait(server, spacing_s * request.weight)
    came = _exchange(session, request, secrets, policy.timeout_s)
    if isinstance(came, _Trouble):
        return came
    if came.status == 200:
        trouble = trouble_with(came.content, came.content_type, feed.content)
        if trouble is None:
            return came
        return _Trouble(trouble.what, trouble.remedy, passes=trouble.passes)
    return _refusal(came, feed)


def _exchange(
    session: requests.Session, request: Request, secrets: Mapping[str, str], timeout_s: float
) -> _Answer | _Trouble:
    """Send a request and receive all of its answer; what libraries raise becomes words without addresses.

    A request that carries keys is not sent on to where a server points.
    """
    server = urlsplit(request.url).netloc
    try:
        params = {**request.params, **secrets}
        response = session.get(
            request.url, params=params, timeout=timeout_s, stream=True, allow_redirects=not secrets
        )
    except requests.exceptions.SSLError:
        return _Trouble(f"{server} has no valid certificate", "check base_url and the clock", is_general=True)
    except requests.exceptions.ConnectTimeout:
        return _no_connection(f"no connection to {server} within {timeout_s:g} s")
    except requests.exceptions.Timeout:
        return _silence(f"no answer of {server} within {timeout_s:g} s")
    except requests.exceptions.ConnectionError as error:
        if _is_unreachable(error):
            return _no_connection(f"no connection to {server}")
        return _silence(f"{server} broke the connection off")
    except requests.exceptions.RequestException as error:
        return _Trouble(f"no exchange with {server}: {type(error).__name__}", "check base_url")
    with response:
        try:
            content = response.content
        except requests.exceptions.ConnectionError:
            return _silence(f"the answer of {server} stopped for {timeout_s:g} s")
        except requests.exceptions.RequestException:
            return _silence(f"the answer of {server} was cut off")
        headers = response.headers
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        wait, location = headers.get("Retry-After", ""), headers.get("Location", "")
        return _Answer(response.status_code, kind, wait, location, content)


def _no_connection(what: str) -> _Trouble:
    """Return the trouble of one who is offline; asking for minutes would not help."""
    return _Trouble(what, _ONLINE, is_general=True)


def _silence(what: str) -> _Trouble:
    """Return the trouble of a server that was there."""
    return _Trouble(what, "try again later; what has come is stored", passes=True, is_general=True)


def _is_unreachable(error: requests.exceptions.ConnectionError) -> bool:
    """Return whether no connection was made at all."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError)


def _refusal(came: _Answer, feed: Feed) -> _Trouble:
    """Return the trouble that a status tells."""
    said = said_by(came.content, came.content_type)
    what = f"status {came.status}" + (f": {said}" if said else "")
    if 300 <= came.status < 400:
        parts = urlsplit(came.location)
        what = f"status {came.status}: moved to {parts.scheme}://{parts.netloc}"
        return _Trouble(what, "if you trust it with your keys, name it as base_url", is_general=True)
    if came.status in _PASSING or any(text in said for text in feed.transient):
        wait_s = _retry_after(came.retry_after)
        later = "try again later; what has come is stored"
        return _Trouble(what, later, passes=True, is_general=True, wait_s=wait_s)
    if came.status in _NO_ENTRY:
        keys = " and ".join(secret.variable for secret in feed.secrets)
        return _Trouble(what, f"check {keys}" if keys else "the source refuses to serve", is_general=True)
    return _Trouble(what, "check places, dates and dataset against what the source has")


def _retry_after(header: str) -> float:
    """Return what a server asks to wait, given in seconds or as a date. [s]."""
    if header.strip().isdigit():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)


def _failure(trouble: _Trouble, policy: HttpPolicy, secrets: Mapping[str, str]) -> FeedFailure:
    """Return what to raise about the last trouble, without secrets."""
    what = trouble.what
    if trouble.wait_s > policy.max_wait_s:
        what += f"; it asks to wait {trouble.wait_s:.0f} s, max_wait_s is {policy.max_wait_s:g} s"
    elif trouble.passes and policy.n_retries:
        what += f" (asked {int(policy.n_retries) + 1} times)"
    return FeedFailure(redacted(what, secrets), trouble.remedy, is_general=trouble.is_general)


def _without_secrets(content: bytes, secrets: Mapping[str, str]) -> bytes:
    """Return a text answer in which the server does not repeat a secret."""
    for value in secrets.values():
        if value:
            content = content.replace(value.encode(), HIDDEN.encode())
    return content


class _Redaction(logging.Filter):
    """Takes secrets out of what HTTP libraries log about addresses."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record; let it pass."""
        record.msg, record.args = redacted(record.getMessage(), self._secrets), ()
        return True


@contextmanager
def _silenced(secrets: Mapping[str, str]) -> Iterator[None]:
    """Keep secrets out of the logs of HTTP libraries for a while."""
    redaction = _Redaction(secrets)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redaction)
