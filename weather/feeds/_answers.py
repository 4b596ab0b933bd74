"""What an answer is: data as asked for, cut off, or something else, and what a refusal says."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from weather.feeds._feed import Content

__all__ = ["WrongAnswer", "said_by", "trouble_with"]

_PLAIN: Final = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_TYPES: Final[Mapping[Content, frozenset[str]]] = {
    "json": _PLAIN | {"application/json", "text/json", "application/geo+json"},
    "csv": _PLAIN | {"text/csv", "application/csv", "application/vnd.ms-excel"},
}
_NAMES: Final[Mapping[Content, str]] = {"json": "JSON", "csv": "CSV"}
_ENDS: Final[Mapping[Content, tuple[bytes, ...]]] = {"json": (b"}", b"]"), "csv": (b"\n",)}
_SAYING: Final = ("errors", "error", "messages", "message", "reason", "detail", "title", "code", "msg")
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MAX_SAID: Final = 300
_HEAD: Final = 20_000


@dataclass(frozen=True)
class WrongAnswer:
    """Why an answer is not what was asked for.

    Attributes
    ----------
    what, remedy : str
        In words.
    passes : bool
        Whether asking again may help.
    """

    what: str
    remedy: str
    passes: bool


def trouble_with(content: bytes, content_type: str, expected: Content) -> WrongAnswer | None:
    """Return why an answer is not data of the kind asked for, None if it seems to be.

    Parameters
    ----------
    content : bytes
        All of it, unpacked.
    content_type : str
        Media type as stated, "" if it is not.
    expected : {"json", "csv"}
        What was asked for.
    """
    name = _NAMES[expected]
    if content_type not in _TYPES[expected] or _is_page(content):
        stated = content_type or "of no stated type"
        said = said_by(content, content_type)
        what = f"an answer {stated} instead of {name}" + (f": {said}" if said else "")
        return WrongAnswer(what, "is it a proxy, a login or a maintenance page? check base_url", passes=False)
    if not content.strip():
        return WrongAnswer("an empty answer", "try again later", passes=True)
    tail = content.rstrip() if expected == "json" else content
    if not tail.endswith(_ENDS[expected]):
        what = f"an answer that was cut off: {len(content)} bytes of {name} without its end"
        return WrongAnswer(what, "try again later", passes=True)
    return None


def said_by(content: bytes, content_type: str) -> str:
    """Return what an answer says in a line: a field of JSON, the title of a page, or its first words.

    Examples
    --------
    >>> said_by(b'{"error": true, "reason": "out of range"}', "application/json")
    'out of range'
    >>> said_by(b"<html><head><title>Please log in</title></head></html>", "text/html")
    "a page 'Please log in'"
    """
    head = content[:_HEAD].decode("utf-8", errors="replace")
    if _is_page(content):
        match = _TITLE.search(head)
        return f"a page {_line(html.unescape(match[1]))!r}" if match else "a page without title"
    try:
        found = _texts(json.loads(content)) if head.lstrip().startswith(("{", "[")) else []
    except ValueError:
        found = []
    printable = "json" in content_type or "text" in content_type or not content_type
    return _line("; ".join(dict.fromkeys(found)) or (head if printable else ""))


def _is_page(content: bytes) -> bool:
    """Return whether it is HTML, whatever its type says."""
    return content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _texts(part: object) -> list[str]:
    """Return the texts under the names that services use for messages."""
    if isinstance(part, str):
        return [part] if part.strip() else []
    if isinstance(part, list):
        return [text for entry in part for text in _texts(entry)]
    if isinstance(part, dict):
        return [text for name in _SAYING if name in part for text in _texts(part[name])]
    return []


def _line(text: str) -> str:
    """Return a text as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MAX_SAID else f"{line[:_MAX_SAID]}..."
