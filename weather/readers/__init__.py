"""Readers: one file per source, one output contract, one dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Final, Protocol

import xarray as xr

from weather._types import PathLike
from weather.errors import Finding, Findings, InputError
from weather.readers._options import ReadOptions, StampLabel, fixed_clock
from weather.readers._sniff import Sample, sample
from weather.readers.combine import OnMismatch, combine_sites, join_times, merge_solar_wind
from weather.readers.epw import is_epw, read_epw
from weather.readers.era5 import is_era5, read_era5
from weather.readers.nasa_power import is_nasa_power, read_nasa_power
from weather.readers.nsrdb import is_nsrdb, read_nsrdb
from weather.readers.open_meteo import is_open_meteo, read_open_meteo
from weather.readers.plain import read_csv, read_parquet
from weather.readers.pvgis import is_pvgis, read_pvgis
from weather.readers.saved import is_saved, read_saved
from weather.readers.surfrad import is_surfrad, read_surfrad
from weather.readers.tmy2 import is_tmy2, read_tmy2
from weather.readers.tmy3 import is_tmy3, read_tmy3
from weather.readers.wtk import is_wtk, read_wtk
from weather.regrid import Method

__all__ = [
    "READERS",
    "READER_NEEDS",
    "OnMismatch",
    "ReadOptions",
    "Reader",
    "combine_sites",
    "join_times",
    "merge_solar_wind",
    "read",
]


class Reader(Protocol):
    """Reads one file into the weather Dataset of its sites, or raises all that is wrong with it."""

    def __call__(self, path: Path, options: ReadOptions | None = None) -> xr.Dataset:
        """Read `path`."""
        ...


@dataclass(frozen=True)
class _Format:
    """One format: its reader, how it is recognised, what it needs to be told, and may be told besides."""

    read: Reader
    is_mine: Callable[[Sample], bool]
    needs: str
    options: tuple[str, ...] = ()


def _text(is_mine: Callable[[str], bool]) -> Callable[[Sample], bool]:
    """Ask a recogniser of texts about their beginning."""
    return lambda found: found.kind == "text" and is_mine(found.head)


_PLAIN: Final = (
    *("columns", "units", "label", "time_column", "time_format"),
    *("latitude", "longitude", "altitude"),
)
_TYPICAL: Final = "year=, where months are of different years"

_FORMATS: Final[Mapping[str, _Format]] = {
    "nsrdb": _Format(
        read_nsrdb, _text(is_nsrdb), f"nothing; for a typical year {_TYPICAL}", ("year", "label")
    ),
    "wtk": _Format(read_wtk, _text(is_wtk), "nothing", ("year", "label")),
    "epw": _Format(read_epw, _text(is_epw), _TYPICAL, ("year",)),
    "tmy3": _Format(read_tmy3, _text(is_tmy3), _TYPICAL, ("year",)),
    "tmy2": _Format(read_tmy2, _text(is_tmy2), _TYPICAL, ("year",)),
    "pvgis": _Format(
        read_pvgis,
        _text(is_pvgis),
        "nothing for an hourly series (angle=0); for a typical year year=, before 2025 irradiance_offset_h=",
        ("year", "irradiance_offset_h"),
    ),
    "open_meteo": _Format(
        read_open_meteo,
        _text(is_open_meteo),
        "nothing; variant= for one of several models or members",
        ("variant",),
    ),
    "nasa_power": _Format(read_nasa_power, _text(is_nasa_power), "nothing"),
    "surfrad": _Format(read_surfrad, _text(is_surfrad), "mostly fill=['night_offset']"),
    "era5": _Format(
        read_era5,
        is_era5,
        "places={site: (latitude, longitude)}, or every cell is a site",
        ("places", "method"),
    ),
    "saved": _Format(read_saved, is_saved, "nothing; site= for one of several"),
    "parquet": _Format(
        read_parquet,
        lambda found: found.kind == "parquet",
        "label=, latitude=, longitude=; clock=, columns=, units= where the file does not state them",
        _PLAIN,
    ),
    "csv": _Format(
        read_csv,
        lambda _: False,
        "source='csv', label=, latitude=, longitude=; clock=, columns=, units= where the file is silent",
        _PLAIN,
    ),
}

READERS: Final[Mapping[str, Reader]] = {name: entry.read for name, entry in _FORMATS.items()}
"""Readers by the name of their source."""

READER_NEEDS: Final[Mapping[str, str]] = {name: entry.needs for name, entry in _FORMATS.items()}
"""What `read` has to be told about a file of each source, in a line."""

_COMMON: Final = ("site", "partial", "fill", "accept", "clock", "utc_offset_h")


def read(
    path: PathLike,
    source: str | None = None,
    *,
    site: str | None = None,
    year: int | None = None,
    utc_offset_h: float | None = None,
    clock: str | None = None,
    label: StampLabel | None = None,
    partial: bool = False,
    fill: Sequence[str] = (),
    accept: Sequence[str] = (),
    irradiance_offset_h: float | None = None,
    variant: str | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    time_column: str | None = None,
    time_format: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    altitude: float | None = None,
    places: Mapping[str, tuple[float, float]] | None = None,
    method: Method = "nearest",
) -> xr.Dataset:
    """Read a weather file into the weather Dataset, in UTC with left labels.

    Parameters
    ----------
    path : str or path
        File, plain or gzip'ed, or Zarr store.
    source : str, optional
        Name in `READERS`; found from the file's first bytes if left out. Plain CSV has to be named.
    site, year, utc_offset_h, clock, label, partial, fill, accept
        What the file does not say: see `ReadOptions`.
    irradiance_offset_h, variant
        The same for PVGIS and Open-Meteo.
    columns, units, time_column, time_format, latitude, longitude, altitude
        The same for plain tables.
    places, method
        Sites wanted of a grid.

    Returns
    -------
    Dataset
        The sites with the variables the file has (`weather.WEATHER` has the table); `attrs["reader"]` says
        which reader was taken, `attrs["stamps"]` what its stamps were.

    Raises
    ------
    InputError
        With everything that is wrong with the file, and everything it does not say, in one round.

    Examples
    --------
    >>> read("typical.epw", year=2013)
    Traceback (most recent call last):
    weather.errors.InputError: typical.epw: 1 finding
      - file: not found; check the path
    """
    path = Path(path)
    name = _recognise(path) if source is None else source
    options = ReadOptions(
        site=site,
        year=year,
        utc_offset_h=utc_offset_h,
        clock=clock,
        label=label,
        partial=partial,
        fill=tuple(fill),
        accept=tuple(accept),
        irradiance_offset_h=irradiance_offset_h,
        variant=variant,
        columns=dict(columns or {}),
        units=dict(units or {}),
        time_column=time_column,
        time_format=time_format,
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        places=dict(places or {}),
        method=method,
    )
    return READERS[name](path, _settled(options, name, path)) if name in READERS else _no_reader(name, path)


def _no_reader(name: str, path: Path) -> xr.Dataset:
    """Raise that there is no reader of a name."""
    finding = Finding("source", f"no reader {name!r}", f"use one of {', '.join(READERS)}")
    raise InputError(str(path), [finding])


def _settled(options: ReadOptions, name: str, path: Path) -> ReadOptions:
    """Return options with a clock in hours, or raise those that a reader does not take."""
    findings = Findings()
    taken = (*_COMMON, *_FORMATS[name].options)
    for entry in fields(options):
        default = entry.default if entry.default is not MISSING else {}
        if entry.name not in taken and getattr(options, entry.name) != default:
            what = f"not an option of the reader {name!r}: its format settles it"
            findings.add(entry.name, what, "leave it out")
    offset_h = None if options.clock is None else fixed_clock(options.clock)
    if options.clock is not None and offset_h is None and "columns" not in taken:
        findings.add("clock", f"{options.clock!r} is no offset from UTC", "write 'UTC' or 'UTC-6'")
    if offset_h is not None and options.utc_offset_h not in (None, offset_h):
        what = f"clock={options.clock!r} contradicts utc_offset_h={options.utc_offset_h:g}"
        findings.add("clock", what, "give one of them")
    findings.raise_if_any(path.name)
    return options if offset_h is None else replace(options, clock=None, utc_offset_h=offset_h)


def _recognise(path: Path) -> str:
    """Return the name of the reader whose files begin as this one does."""
    found = sample(path)
    for name, entry in _FORMATS.items():
        if entry.is_mine(found):
            return name
    begins = repr(found.first_line[:60]) if found.kind == "text" else f"bytes of the kind {found.kind!r}"
    what = f"no known weather format: begins with {begins}"
    remedy = f"formats: {', '.join(READERS)}; of any other table say source='csv' and what it does not say"
    raise InputError(str(path), [Finding("file", what, remedy)])
