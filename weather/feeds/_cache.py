"""Answers kept on disk by what was asked, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from weather.errors import Finding, InputError
from weather.feeds._feed import Content, Request

__all__ = ["Cache", "Stored", "default_cache_dir"]

_SUFFIXES: Final[Mapping[Content, str]] = {"json": ".json", "csv": ".csv", "era5": ".era5"}
_META: Final = ".meta.json"
_N_BYTES: Final = 1 << 20


def default_cache_dir() -> Path:
    """Return the folder of answers: `curtailment-twin/feeds` in `$XDG_CACHE_HOME` or `~/.cache`.

    A relative `XDG_CACHE_HOME` is ignored, as its specification demands.
    """
    stated = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = stated if stated.is_absolute() else Path.home() / ".cache"
    return base / "curtailment-twin" / "feeds"


@dataclass(frozen=True)
class Stored:
    """An answer on disk.

    Attributes
    ----------
    path : Path
        The answer as it came.
    age_h : float
        Time since it came. [h]
    """

    path: Path
    age_h: float


class Cache:
    """Answers in a folder: `SOURCE/KEY.json` as they came, beside each `KEY.meta.json` on where it came from.

    An answer counts as stored when its metadata are there and its checksum is theirs. Both files appear by
    renaming, the metadata last, so that whatever interrupts, an answer is stored whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder; it is made when something is stored.
    name : str
        Name of the feed.
    content : {"json", "csv", "era5"}
        What its answers are.
    """

    def __init__(self, folder: Path, name: str, content: Content) -> None:
        self.folder = folder / name
        self._suffix = _SUFFIXES[content]

    def find(self, request: Request) -> Stored | None:
        """Return the stored answer to a request, None if there is none that is whole."""
        path = self._path(request)
        try:
            meta = json.loads(path.with_suffix(_META).read_text(encoding="utf-8"))
            came = datetime.fromisoformat(meta["retrieved"])
            if meta["sha256"] != _checksum(path):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Stored(path, (datetime.now(UTC) - came).total_seconds() / 3600.0)

    @contextmanager
    def incoming(self, request: Request) -> Iterator[Path]:
        """Give a file to write an answer to; it is gone afterwards unless it was kept.

        Raises
        ------
        InputError
            If the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(prefix=".incoming-", dir=self.folder)
        except OSError as error:
            finding = Finding(
                "cache_dir", f"{self.folder} cannot be written: {error.strerror}", "name another"
            )
            raise InputError("fetch", [finding]) from error
        with folder as name:
            yield Path(name) / self._path(request).name

    def keep(self, request: Request, incoming: Path, content_type: str) -> None:
        """Store an answer that is whole."""
        path = self._path(request)
        meta = {
            "source": request.source,
            "url": request.shown_url,
            "params": dict(request.params),
            "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
            "content_type": content_type,
            "bytes": incoming.stat().st_size,
            "sha256": _checksum(incoming),
        }
        described = incoming.with_suffix(_META)
        described.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        for file, target in ((incoming, path), (described, path.with_suffix(_META))):
            with file.open("rb") as written:
                os.fsync(written.fileno())
            file.replace(target)

    def _path(self, request: Request) -> Path:
        """Return where the answer to a request lies."""
        return self.folder / f"{request.key}{self._suffix}"


def _checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_N_BYTES):
            digest.update(block)
    return digest.hexdigest()
