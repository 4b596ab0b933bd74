"""What a file is, from its first bytes: text, grid, saved weather, table of columns, archive of them."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import netCDF4

from weather.errors import Finding, InputError

__all__ = ["Kind", "Sample", "sample"]

Kind: TypeAlias = Literal["text", "netcdf", "weather", "zarr", "parquet", "zip", "binary"]

_MAGIC: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"\x89HDF", "netcdf"),
    (b"CDF", "netcdf"),
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "zip"),
)
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZARR_FILES: Final = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
_N_BYTES: Final = 20_000


@dataclass(frozen=True)
class Sample:
    """The beginning of a file.

    Attributes
    ----------
    kind : Kind
        What its first bytes say it is.
    head : str
        Its first characters, if it is text.
    """

    kind: Kind
    head: str = ""

    @property
    def lines(self) -> list[str]:
        """The first lines, of a text."""
        return self.head.splitlines()

    @property
    def first_line(self) -> str:
        """The first line, of a text."""
        return self.lines[0] if self.lines else ""


def sample(path: Path) -> Sample:
    """Return the beginning of a file or Zarr store.

    Raises
    ------
    InputError
        If it is absent or empty.
    """
    if path.is_dir():
        if any((path / name).exists() for name in _ZARR_FILES):
            return Sample("zarr")
        raise InputError(str(path), [Finding("file", "a folder that is no Zarr store", "give one file")])
    if not path.is_file():
        raise InputError(str(path), [Finding("file", "not found", "check the path")])
    with path.open("rb") as file:
        data = file.read(_N_BYTES)
        if data.startswith(_GZIP_MAGIC):
            data = _unpacked(path)
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return Sample("weather" if kind == "netcdf" and _is_weather(path) else kind)
    head = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").lstrip()
    if not head:
        raise InputError(str(path), [Finding("file", "empty", "get it again from its source")])
    return Sample("binary" if "\x00" in head else "text", head)


def _is_weather(path: Path) -> bool:
    """Return whether a NetCDF file holds weather at sites in the project's own names."""
    try:
        with netCDF4.Dataset(path) as file:
            return {"time", "site"} <= set(file.dimensions) and "synthetic" in file.ncattrs()
    except (OSError, RuntimeError):
        return False


def _unpacked(path: Path) -> bytes:
    """Return the first bytes of a gzip'ed file."""
    try:
        with gzip.open(path) as file:
            return file.read(_N_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        finding = Finding("file", f"no readable text: {error}", "get it again")
        raise InputError(str(path), [finding]) from error
