"""NASA POWER: hourly series of a point, JSON and CSV.

The header says which of two time standards the stamps are in: UTC, or local solar time (LST), which is UTC
plus a whole number of hours, that of the 15-degree band the longitude lies in [1]_. Values are means of the
hour that starts at the stamp. The header has units (irradiance as W/m², Wh/m² or MJ an hour, by community)
and the number that stands for missing. Wind is given at 2, 10 and 50 m. Albedo, which is missing at night, is
left out. Local standard time is that of the longitude.

References
----------
.. [1] NASA POWER, "Hourly API", time standards; "Data methodology", CERES SYN1deg and MERRA-2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._options import ReadOptions
from weather.readers._stamps import Axis, stamps
from weather.readers._text import Table, json_part, parse_json, parse_table, read_text, to_numbers
from weather.readers._units import convert
from weather.variables import WEATHER

__all__ = ["is_nasa_power", "parse_nasa_power", "read_nasa_power"]

_COLUMNS: Final = {
    "ghi": "ALLSKY_SFC_SW_DWN",
    "dni": "ALLSKY_SFC_SW_DNI",
    "dhi": "ALLSKY_SFC_SW_DIFF",
    "temp_air": "T2M",
    "pressure": "PS",
    "relative_humidity": "RH2M",
}
_WIND: Final = re.compile(r"W(?P<what>[SD])(?P<height>\d+)M")
_WIND_NAMES: Final = {"S": "wind_speed", "D": "wind_direction"}
_DATES: Final = {"YEAR": "Year", "MO": "Month", "DY": "Day", "HR": "Hour"}
_END: Final = "-END HEADER-"
_NUMBER: Final = r"(-?\d+(?:\.\d+)?)"
_PERIOD: Final = re.compile(r"Dates .*: (\d\d/\d\d/\d{4}) through (\d\d/\d\d/\d{4})(?: in (\w+))?")
_PARAMETER: Final = re.compile(r"(?P<name>[A-Z0-9_]+)\s+.*\((?P<unit>[^()]*)\)\s*")
_HEADER: Final = {
    "latitude": re.compile(rf"Location:.*Latitude\s+{_NUMBER}"),
    "longitude": re.compile(rf"Location:.*Longitude\s+{_NUMBER}"),
    "elevation": re.compile(rf"Elevation .*= {_NUMBER} meters"),
    "fill value": re.compile(rf"missing .*: {_NUMBER}"),
}
_CUT: Final = "the file is cut off: get it again"


@dataclass(frozen=True)
class _File:
    """What JSON and CSV have in common.

    Attributes
    ----------
    data : Table
        Rows with Year, Month, Day, Hour, Minute and the parameters; missing values are NaN.
    units : mapping
        Parameter -> unit.
    numbers : mapping
        latitude, longitude, elevation; NaN where the header does not state one. [degree, degree, m]
    standard : str
        Time standard, "UTC" or "LST", else "".
    period : tuple of str
        First and last day.
    """

    data: Table
    units: Mapping[str, str]
    numbers: Mapping[str, float]
    standard: str
    period: tuple[str, str]


def is_nasa_power(head: str) -> bool:
    """Return whether a file begins as those of NASA POWER do."""
    if head.startswith("{"):
        return '"Feature"' in head[:200] and '"parameter"' in head
    return head.startswith("-BEGIN HEADER-") and "NASA/POWER" in head


def read_nasa_power(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read an hourly series of NASA POWER.

    Parameters
    ----------
    path : Path
        File in JSON or CSV, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say.

    Returns
    -------
    Dataset
        Weather of one site: what the file has of ghi, dni, dhi, temp_air, pressure,
        relative_humidity, wind_speed and wind_direction over `height`.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_nasa_power(read_text(path), options or ReadOptions(), path.name)


def parse_nasa_power(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a file of NASA POWER; see `read_nasa_power`."""
    findings = Findings()
    if text.lstrip().startswith("{"):
        file = _json_file(text, subject, findings)
    else:
        file = _csv_file(text, subject, findings)
    axis = stamps(file.data, replace(options, label="left"), findings)
    _check_period(axis, file.period, findings)
    clock_h = clock_offset(_clock(file, findings), options, "time standard", findings)
    variables, height = _variables(file, axis, findings)
    for name, value in file.numbers.items():
        if math.isnan(value):
            findings.add(name, "not stated in the header", "add it to the header")
    coords = {"latitude": file.numbers["latitude"], "longitude": file.numbers["longitude"]}
    parsed = Parsed(
        reader="nasa_power",
        variables=variables,
        axis=axis,
        clock_h=clock_h,
        coords={**coords, "altitude": file.numbers["elevation"]},
        source="NASA POWER",
        site=f"nasa-power-{coords['latitude']:.3f}-{coords['longitude']:.3f}",
        height=height,
        extent="any",
    )
    return build_dataset(parsed, options, subject, findings)


def _json_file(text: str, subject: str, findings: Findings) -> _File:
    """Return the parts of a JSON file, or raise if there are no series in it."""
    content = parse_json(text, subject)
    series = json_part(content, "properties", "parameter")
    header = json_part(content, "header")
    by_name = {str(name): json_part(values) for name, values in series.items()}
    if not any(by_name.values()):
        messages = content.get("messages") if isinstance(content, dict) else None
        findings.add("properties", f"no series of parameters; messages: {messages}", "request them again")
        findings.raise_if_any(subject)
    keys = sorted(set().union(*by_name.values()))
    columns = {name: to_numbers([values.get(key) for key in keys]) for name, values in by_name.items()}
    if any(len(key) != 10 for key in keys):
        findings.add("parameter", f"stamps such as {keys[0]!r} are not YYYYMMDDHH", "request hourly series")
    for column, span in {"Year": (0, 4), "Month": (4, 6), "Day": (6, 8), "Hour": (8, 10)}.items():
        columns[column] = to_numbers([key[slice(*span)] for key in keys])
    described = json_part(content, "parameters").items()
    units = {str(name): str(json_part(entry).get("units", "")) for name, entry in described}
    point = json_part(content, "geometry").get("coordinates", [])
    place = [float(v) for v in point] if isinstance(point, list) else []
    longitude, latitude, elevation = (*place, *[math.nan] * 3)[:3]
    numbers = {"latitude": latitude, "longitude": longitude, "elevation": elevation}
    fill = header.get("fill_value")
    data = _without_fill(columns, len(keys), float(fill) if isinstance(fill, int | float) else None, findings)
    standard = str(header.get("time_standard", ""))
    period = (str(header.get("start", "")), str(header.get("end", "")))
    return _File(data, units, numbers, standard.upper(), period)


def _csv_file(text: str, subject: str, findings: Findings) -> _File:
    """Return the parts of a CSV file, or raise if its header does not end."""
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if line.strip() == _END), len(lines))
    if end + 2 >= len(lines):
        findings.add("rows", f"{len(lines)} lines, no data rows", _CUT)
        findings.raise_if_any(subject)
    header = "\n".join(lines[:end])
    table = parse_table(lines[end + 1 :], end + 3, findings)
    columns = {_DATES.get(name, name): values for name, values in table.columns.items()}
    found = {name: pattern.search(header) for name, pattern in _HEADER.items()}
    stated = {name: math.nan if match is None else float(match[1]) for name, match in found.items()}
    units = {m["name"]: m["unit"] for m in map(_PARAMETER.fullmatch, lines[:end]) if m}
    period = _PERIOD.search(header)
    fill = None if found["fill value"] is None else stated["fill value"]
    return _File(
        _without_fill(columns, table.n_rows, fill, findings),
        units,
        {name: stated[name] for name in ("latitude", "longitude", "elevation")},
        (period[3] or "").upper() if period else "",
        (period[1], period[2]) if period else ("", ""),
    )


def _without_fill(
    columns: dict[str, FloatArray], n_rows: int, fill: float | None, findings: Findings
) -> Table:
    """Return the rows with NaN where values are missing, and with minutes."""
    if fill is None:
        findings.add("header", "the value that stands for missing is not stated", "get the file again")
        fill = math.nan
    clean = {
        name: values if name in _DATES.values() else np.where(values == fill, np.nan, values)
        for name, values in columns.items()
    }
    return Table({**clean, "Minute": np.zeros(n_rows)}, n_rows)


def _clock(file: _File, findings: Findings) -> float | None:
    """Return the clock of the stamps minus UTC, None if the header does not say it. [h]."""
    if file.standard == "UTC":
        return 0.0
    longitude = file.numbers["longitude"]
    if file.standard != "LST" or math.isnan(longitude):
        return None
    band = longitude / 15.0
    if abs(abs(band - math.floor(band)) - 0.5) < 1e-3:
        what = f"local solar time at longitude {longitude:g}, on the border of two 15-degree bands"
        findings.add("time standard", what, "request the series with time-standard=UTC")
    return float(math.floor(band + 0.5))


def _check_period(axis: Axis, period: tuple[str, str], findings: Findings) -> None:
    """Add a finding if the rows do not reach from the first to the last day that the header states."""
    first, last = (pd.to_datetime(day, errors="coerce") for day in period)
    if axis.step_h is None or pd.isna(first) or pd.isna(last):
        return
    valid = axis.index[~axis.index.isna()]
    end = last + pd.Timedelta(days=1) - pd.Timedelta(hours=axis.step_h)
    if valid[0] != first or valid[-1] != end:
        span = f"{valid[0]:%Y-%m-%d %H:%M} to {valid[-1]:%Y-%m-%d %H:%M}"
        what = f"rows from {span}, but the header states {first:%Y-%m-%d} through {last:%Y-%m-%d}"
        findings.add("rows", what, _CUT)


def _variables(
    file: _File, axis: Axis, findings: Findings
) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Return the columns in project names and units, and the heights of the wind. [m]."""
    columns = file.data.columns
    for name in file.units:
        if name not in columns:
            findings.add("columns", f"no column {name!r}, which the header describes", "get the file again")
    variables = {
        name: convert(
            columns[column], file.units.get(column), WEATHER[name].units, column, findings, step_h=axis.step_h
        )
        for name, column in _COLUMNS.items()
        if column in columns
    }
    profile: dict[str, dict[float, FloatArray]] = {"S": {}, "D": {}}
    for column, values in columns.items():
        match = _WIND.fullmatch(column)
        if match:
            target = WEATHER[_WIND_NAMES[match["what"]]].units
            at = convert(values, file.units.get(column), target, column, findings)
            profile[match["what"]][float(match["height"])] = at
    heights = sorted(profile["S"])
    for what, at_height in profile.items():
        if heights and set(heights) <= set(at_height):
            variables[_WIND_NAMES[what]] = np.stack([at_height[h] for h in heights], axis=1)
    if not variables and file.data.n_rows:
        findings.add("columns", "no known parameter", f"request {', '.join(_COLUMNS.values())}, WS10M, WS50M")
    return variables, np.array(heights) if heights else None
