"""Open-Meteo: archive and forecast, JSON and CSV, hourly and every 15 minutes.

Stamps are in one fixed offset from UTC, `utc_offset_seconds`, over the whole file: the offset of the time
zone on the day of the request, whatever daylight saving the dates would have [1]_ (Unix time is UTC).
Radiation is the mean of the step that ends at the stamp, unless its name ends in `_instant`; that and
everything else is of the stamp's moment [2]_ and is averaged with the moment before. Units stand in the
file: wind is in km/h unless asked otherwise. The height is part of a name. Several places make several
sites.

A file with several models or members has a name with a suffix for each: say which by `variant`.

References
----------
.. [1] open-meteo/open-meteo, issues 488 and 1255: one offset, of the present, for all times.
.. [2] open-meteo.com, "Historical Weather API" and "Weather Forecast API", hourly parameter definition.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._stamps import place_stamps
from weather.readers._text import number, parse_json, read_text, to_numbers, whole_rows
from weather.readers._units import convert
from weather.readers.combine import combine_sites
from weather.variables import WEATHER

__all__ = ["is_open_meteo", "parse_open_meteo", "read_open_meteo"]

_SECTIONS: Final = ("hourly", "minutely_15")
_RADIATION: Final = {
    "ghi": "shortwave_radiation",
    "dni": "direct_normal_irradiance",
    "dhi": "diffuse_radiation",
    "bhi": "direct_radiation",
}
_AIR: Final = {
    "temp_air": "temperature_2m",
    "pressure": "surface_pressure",
    "relative_humidity": "relative_humidity_2m",
}
_WIND: Final = re.compile(r"wind_?(?P<what>speed|direction)_(?P<height>\d+)m")
_UNIT: Final = re.compile(r"(?P<name>[^ (]+) \((?P<unit>[^()]*)\)")
_SUFFIXED: Final = re.compile(r"(?:shortwave_radiation|temperature_2m|wind_speed_\d+m)_(?!instant)(.+)")
_ASKED: Final = "request it with hourly=shortwave_radiation,temperature_2m,wind_speed_100m and the like"


@dataclass(frozen=True)
class _Place:
    """One place of a file: header, stamps as text, columns and units by name."""

    header: Mapping[str, str]
    stamps: Sequence[object]
    columns: Mapping[str, FloatArray]
    units: Mapping[str, str]


def is_open_meteo(head: str) -> bool:
    """Return whether a file begins as those of Open-Meteo do."""
    return "utc_offset_seconds" in head and (head.startswith(("{", "[")) or "latitude,longitude" in head)


def read_open_meteo(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a file of Open-Meteo.

    Parameters
    ----------
    path : Path
        File in JSON or CSV, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say; `variant` where it has several models or members.

    Returns
    -------
    Dataset
        Weather of one site or several: what the file has of ghi, dni, dhi, temp_air, pressure,
        relative_humidity, wind_speed and wind_direction over `height`.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_open_meteo(read_text(path), options or ReadOptions(), path.name)


def parse_open_meteo(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a file of Open-Meteo; see `read_open_meteo`."""
    findings = Findings()
    if text.lstrip().startswith(("{", "[")):
        places = _json_places(text, subject, findings)
    else:
        places = _csv_places(text, subject, findings)
    findings.raise_if_any(subject)
    if len(places) == 1:
        return _dataset(places[0], options, subject)
    names = [None if options.site is None else f"{options.site}-{k}" for k in range(len(places))]
    return combine_sites(
        [
            _dataset(place, replace(options, site=name), f"{subject}, place {k}")
            for k, (place, name) in enumerate(zip(places, names, strict=True))
        ]
    )


def _json_places(text: str, subject: str, findings: Findings) -> list[_Place]:
    """Return the places of a JSON file; one that cannot be read makes a finding."""
    content = parse_json(text, subject)
    places = []
    for entry in content if isinstance(content, list) else [content]:
        if not isinstance(entry, dict):
            findings.add("file", "no object with a place", "get it again")
            continue
        sections = [name for name in _SECTIONS if isinstance(entry.get(name), dict)]
        if len(sections) != 1:
            said = str(entry.get("reason", f"the sections {', '.join(sections) or 'none'}"))
            findings.add("hourly", f"expected 'hourly' or 'minutely_15', has {said}", _ASKED)
            continue
        columns = dict(entry[sections[0]])
        units = entry.get(f"{sections[0]}_units", {})
        times = columns.pop("time", [])
        for name, unit in units.items():
            n_values = len(times) if name == "time" else len(columns.get(name, ()))
            if n_values != len(times):
                what = f"{n_values} values for {len(times)} stamps (its unit {unit!r} is stated)"
                findings.add(name, what, "get the file again")
        header = {name: str(value) for name, value in entry.items() if not isinstance(value, dict)}
        whole = {name: to_numbers(values) for name, values in columns.items() if len(values) == len(times)}
        places.append(_Place(header, times, whole, {str(k): str(v) for k, v in units.items()}))
    return places


def _csv_places(text: str, subject: str, findings: Findings) -> list[_Place]:
    """Return the places of a CSV file: a table of places, a blank line, a table of steps."""
    lines = text.splitlines()
    blank = next((i for i, line in enumerate(lines) if i and not line.strip()), len(lines))
    if len(lines) < blank + 3:
        findings.add("rows", f"{len(lines)} lines, no data rows", "the file is cut off: get it again")
        findings.raise_if_any(subject)
    places = list(csv.DictReader(lines[:blank]))
    names = lines[blank + 1].split(",")
    end = next((i for i in range(blank + 2, len(lines)) if not lines[i].strip()), len(lines))
    rows = whole_rows(lines[blank + 2 : end], len(names), blank + 3, findings)
    matches = [_UNIT.fullmatch(name) for name in names]
    units = {match["name"]: match["unit"] for match in matches if match}
    plain = [match["name"] if match else name for name, match in zip(names, matches, strict=True)]
    frame = pd.DataFrame([row.split(",") for row in rows], columns=plain)
    if "time" not in plain:
        findings.add("columns", "no column 'time'", "every row needs its date and time")
        return []
    times = frame.pop("time")
    numbers = frame.apply(pd.to_numeric, errors="coerce")
    found = []
    for k, header in enumerate(places):
        rows_of = numbers["location_id"] == k if "location_id" in plain else np.ones(len(frame), dtype=bool)
        columns = {name: numbers.loc[rows_of, name].to_numpy(dtype=float) for name in numbers}
        found.append(_Place(header, times[rows_of].tolist(), columns, units))
    return found


def _dataset(place: _Place, options: ReadOptions, subject: str) -> xr.Dataset:
    """Return the weather of one place, or raise everything that is wrong with it."""
    findings = Findings()
    stated, is_unix = _stamps(place, findings)
    axis = place_stamps(stated, "right", findings)
    variables, height, means = _variables(place, options.variant, findings)
    instants = [name for name in variables if name not in means]
    variables = means_of_instants(variables, axis.index, 1.0, names=instants)
    header = dict(place.header)
    zone = number(header, "utc_offset_seconds", Findings()) / 3600.0
    coords = {name: number(header, name, findings) for name in ("latitude", "longitude")}
    parsed = Parsed(
        reader="open_meteo",
        variables=variables,
        axis=axis,
        clock_h=clock_offset(0.0 if is_unix else zone, options, "utc_offset_seconds", findings),
        coords={**coords, "altitude": number(header, "elevation", findings)},
        source=" ".join(["Open-Meteo", options.variant or ""]).strip(),
        site=f"open-meteo-{coords['latitude']:.3f}-{coords['longitude']:.3f}",
        height=height,
        extent="day",
    )
    return build_dataset(parsed, options, subject, findings)


def _stamps(place: _Place, findings: Findings) -> tuple[pd.DatetimeIndex, bool]:
    """Return the stamps of a place, and whether they are Unix time."""
    is_unix = place.units.get("time") == "unixtime" or all(isinstance(t, int) for t in place.stamps)
    if is_unix:
        stated = pd.to_datetime(pd.Series(place.stamps, dtype=object), unit="s", errors="coerce")
    else:
        stated = pd.to_datetime(pd.Series(place.stamps, dtype=str), format="ISO8601", errors="coerce")
    bad = np.flatnonzero(stated.isna())
    if bad.size:
        what = f"{bad.size} row(s) whose date does not exist, first: {place.stamps[int(bad[0])]!r}"
        findings.add("date", what, "correct the rows")
    return pd.DatetimeIndex(stated), is_unix


def _variables(
    place: _Place, variant: str | None, findings: Findings
) -> tuple[dict[str, FloatArray], FloatArray | None, set[str]]:
    """Return the columns in project names and units, the heights of the wind, and which are means. [m]."""
    ending = "" if variant is None else f"_{variant}"
    by_name = {name.removesuffix(ending): name for name in place.columns if name.endswith(ending)}
    means = {name: by_name[key] for name, key in _RADIATION.items() if key in by_name}
    instants = {name: f"{key}_instant" for name, key in _RADIATION.items()}
    taken = {name: by_name[key] for name, key in instants.items() if key in by_name}
    taken |= means | {name: by_name[key] for name, key in _AIR.items() if key in by_name}
    variables = {name: _converted(place, column, name, findings) for name, column in taken.items()}
    bhi = variables.pop("bhi", None)
    if bhi is not None and "dhi" not in variables and "ghi" in variables:
        variables["dhi"] = variables["ghi"] - bhi
        means |= {"dhi": ""} if {"ghi", "bhi"} <= set(means) else {}
    height = _add_wind(place, by_name, variables, findings)
    if not variables:
        others = sorted({m[1] for m in map(_SUFFIXED.fullmatch, place.columns) if m})
        what = f"no known variable among {', '.join(place.columns) or 'none'}"
        several = f"say which of several: variant={others[0]!r}" if others and not variant else _ASKED
        findings.add("columns", what, several)
    return variables, height, set(means)


def _converted(place: _Place, column: str, name: str, findings: Findings) -> FloatArray:
    """Return a column in the unit of its variable."""
    target = "W/m²" if name == "bhi" else WEATHER[name].units
    return convert(place.columns[column], place.units.get(column), target, column, findings)


def _add_wind(
    place: _Place, by_name: Mapping[str, str], variables: dict[str, FloatArray], findings: Findings
) -> FloatArray | None:
    """Add wind over its heights; directions only if there is one at each height of the speed. [m]."""
    profile: dict[str, dict[float, FloatArray]] = {"speed": {}, "direction": {}}
    for plain, column in by_name.items():
        match = _WIND.fullmatch(plain)
        if match:
            values = _converted(place, column, f"wind_{match['what']}", findings)
            profile[match["what"]][float(match["height"])] = values
    heights = sorted(profile["speed"])
    if not heights:
        return None
    for what, at_height in profile.items():
        if set(heights) <= set(at_height):
            variables[f"wind_{what}"] = np.stack([at_height[h] for h in heights], axis=1)
    return np.array(heights)
