"""What a caller says about a file where the file itself does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from weather.regrid import Method
from weather.timeaxis import Label

__all__ = ["ReadOptions", "StampLabel", "fixed_clock"]

StampLabel: TypeAlias = Label | Literal["instant"]
"""Where a stamp lies in its interval; "instant": the value is of the very moment of the stamp."""

_CLOCK: Final = re.compile(
    r"(?:(?:utc|gmt)\s*)?(?:(?P<sign>[+\-−])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?)?|z", re.IGNORECASE
)


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says about a file where the file itself does not.

    Attributes
    ----------
    site : str, optional
        Name of the site; default the source and the location's number in the header.
    year : int, optional
        Year on which a typical year (months from different years) is laid; refused for measured years.
    utc_offset_h : float, optional
        Clock of the stamps minus UTC, for a file whose header states none. [h]
    clock : str, optional
        The same as text: "UTC", "UTC-6", "UTC+05:30"; in plain tables also a name of the time zone
        database with its daylight saving ("America/Chicago").
    label : {"left", "middle", "right", "instant"}, optional
        Place of the stamps in their interval, where the format does not settle it.
    partial : bool
        Whether a file may cover less than the whole years (or days) files of its format cover.
    fill : tuple of str
        Named fills (`FILLS`) applied before the checks.
    accept : tuple of str
        Checks (`ACCEPTABLE_CHECKS`) that are known to fail and let pass; recorded in `attrs["accepted"]`.
    irradiance_offset_h : float, optional
        What must be added to the stamps of a PVGIS typical year for the time of its irradiance, in files
        from before December 2024, which do not say it. [h]
    variant : str, optional
        Suffix of the variables wanted where a file has them of several models or members ("icon_seamless",
        "member01").
    columns : mapping
        Plain tables: project name -> column. The height of wind is part of its name: "wind_speed@80". [m]
    units : mapping
        Plain tables: project name -> unit, where the column's name does not state it in brackets.
    time_column : str, optional
        Plain tables: column of the stamps; default "time", or the index of a Parquet file.
    time_format : str, optional
        Plain tables: `strftime` pattern of stamps not in ISO 8601, or "s" or "ms" for Unix time.
    latitude, longitude, altitude : float, optional
        Plain tables: place, north and east positive. [degree, degree, m]
    places : mapping
        Gridded files: site -> (latitude, longitude); default every cell is a site. [degree]
    method : {"nearest", "bilinear"}
        Gridded files: how cells become sites (`weather.to_sites`).
    """

    site: str | None = None
    year: int | None = None
    utc_offset_h: float | None = None
    clock: str | None = None
    label: StampLabel | None = None
    partial: bool = False
    fill: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    irradiance_offset_h: float | None = None
    variant: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    time_column: str | None = None
    time_format: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    method: Method = "nearest"


def fixed_clock(text: str) -> float | None:
    """Return the offset that a text such as "UTC-6" states, None if it is none of that form. [h].

    Examples
    --------
    >>> fixed_clock("UTC+05:30"), fixed_clock("gmt"), fixed_clock("Europe/Berlin")
    (5.5, 0.0, None)
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None or not text.strip():
        return None
    if match["sign"] is None:
        return 0.0
    hours = float(match["hours"]) + float(match["minutes"] or 0) / 60.0
    return hours if match["sign"] == "+" else -hours
