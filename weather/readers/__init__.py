"""Readers: one file per source, one output contract, one dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import xarray as xr

from weather._types import PathLike
from weather.errors import Finding, InputError
from weather.readers._options import ReadOptions
from weather.readers._text import read_text
from weather.readers.combine import OnMismatch, combine_sites, merge_solar_wind
from weather.readers.epw import is_epw, read_epw
from weather.readers.nsrdb import is_nsrdb, read_nsrdb
from weather.readers.wtk import is_wtk, read_wtk
from weather.timeaxis import Label

__all__ = ["READERS", "OnMismatch", "ReadOptions", "Reader", "combine_sites", "merge_solar_wind", "read"]


class Reader(Protocol):
    """Reads one file into the weather Dataset of one site, or raises all that is wrong with it."""

    def __call__(self, path: Path, options: ReadOptions | None = None) -> xr.Dataset:
        """Read `path`."""
        ...


READERS: Final[Mapping[str, Reader]] = {"nsrdb": read_nsrdb, "wtk": read_wtk, "epw": read_epw}
"""Readers by the name of their source."""

_RECOGNISE: Final[Mapping[str, Callable[[str], bool]]] = {"nsrdb": is_nsrdb, "wtk": is_wtk, "epw": is_epw}


def read(
    path: PathLike,
    source: str | None = None,
    *,
    site: str | None = None,
    year: int | None = None,
    utc_offset_h: float | None = None,
    label: Label | None = None,
    partial: bool = False,
    fill: Sequence[str] = (),
    accept: Sequence[str] = (),
) -> xr.Dataset:
    """Read a weather file into the weather Dataset, in UTC with left labels.

    Parameters
    ----------
    path : str or path
        File, plain or gzip'ed.
    source : str, optional
        Name in `READERS`; found from the file's first line if left out.
    site, year, utc_offset_h, label, partial, fill, accept
        What the file does not say: see `ReadOptions`.

    Returns
    -------
    Dataset
        One site with the variables the file has (`weather.WEATHER` has the table).

    Raises
    ------
    InputError
        With everything that is wrong with the file, in one round.

    Examples
    --------
    >>> read("typical.epw", year=2013)
    Traceback (most recent call last):
    weather.errors.InputError: typical.epw: 1 finding
      - file: not found; check the path
    """
    path = Path(path)
    if source is None:
        source = _recognise(path)
    if source not in READERS:
        finding = Finding("source", f"no reader {source!r}", f"use one of {', '.join(READERS)}")
        raise InputError(str(path), [finding])
    options = ReadOptions(site, year, utc_offset_h, label, partial, tuple(fill), tuple(accept))
    return READERS[source](path, options)


def _recognise(path: Path) -> str:
    """Return the name of the reader whose files begin as this one does."""
    first_line = read_text(path).lstrip().split("\n", 1)[0]
    for name, is_mine in _RECOGNISE.items():
        if is_mine(first_line):
            return name
    what = f"no known weather format: begins with {first_line[:60]!r}"
    raise InputError(str(path), [Finding("file", what, f"formats: {', '.join(READERS)}")])
