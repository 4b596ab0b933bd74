"""WIND Toolkit wind: CSV with speed, direction, temperature and pressure at many heights.

One header line of name and value pairs (`SiteID,1,Site Timezone,-6,Data
Timezone,0,Longitude,..,Latitude,..`), a line of column names with height and unit, then rows. `Data
Timezone` is the clock of the rows, `Site Timezone` that of the site. Values are modelled snapshots at their
stamp [1]_: in the middle of the hour in hourly files, where they stand for its mean; on multiples of 5, 15
and 30 minutes in the others, where instants at both ends of a step are averaged. Air temperature is taken
only where it is given at 2 m; the altitude is not stated.

References
----------
.. [1] C. Draxl et al., "The Wind Integration National Dataset (WIND) Toolkit", Applied Energy 151 (2015),
   355-366.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._stamps import stamps
from weather.readers._text import Table, number, parse_table, read_text
from weather.readers._units import convert
from weather.variables import WEATHER

__all__ = ["is_wtk", "parse_wtk", "read_wtk"]

_COLUMN: Final = re.compile(
    r"(?P<name>wind speed|wind direction|air temperature|air pressure|surface air pressure)"
    r"(?: at (?P<height>\d+(?:\.\d+)?)m)? \((?P<unit>[^)]+)\)",
    re.IGNORECASE,
)
_SURFACE: Final = {
    ("air temperature", 2.0): "temp_air",
    ("surface air pressure", 0.0): "pressure",
    ("air pressure", 0.0): "pressure",
}
_N_HEADER: Final = 2


def is_wtk(first_line: str) -> bool:
    """Return whether a file's first line is that of a WIND Toolkit CSV."""
    return first_line.startswith("SiteID,")


def read_wtk(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a WIND Toolkit CSV file.

    Parameters
    ----------
    path : Path
        File, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say.

    Returns
    -------
    Dataset
        Weather of one site: wind_speed over `height`, and wind_direction, pressure and temp_air (2 m) where
        given.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_wtk(read_text(path), options or ReadOptions(), path.name)


def parse_wtk(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a WIND Toolkit CSV file; see `read_wtk`."""
    findings = Findings()
    lines = text.splitlines()
    if len(lines) <= _N_HEADER:
        findings.add("rows", f"{len(lines)} lines, no data rows", "the file is cut off: get it again")
        findings.raise_if_any(subject)
    entries = [entry.strip() for entry in lines[0].split(",")]
    header = dict(zip(entries[::2], entries[1::2], strict=False))
    data = parse_table(lines[1:], _N_HEADER + 1, findings)
    axis = stamps(data, options, findings, on_grid="instant")
    variables, height = _variables(data, findings)
    if axis.at is not None:
        variables = means_of_instants(variables, axis.index, axis.at, circular=bool(axis.month_years))
    stated = number(header, "Data Timezone", Findings())
    parsed = Parsed(
        reader="wtk",
        variables=variables,
        axis=axis,
        clock_h=clock_offset(stated, options, "Data Timezone", findings),
        coords={
            "latitude": number(header, "Latitude", findings),
            "longitude": number(header, "Longitude", findings),
            "utc_offset_h": number(header, "Site Timezone", findings),
        },
        source="WIND Toolkit",
        site=f"wtk-{header.get('SiteID', '')}",
        height=height,
    )
    return build_dataset(parsed, options, subject, findings)


def _variables(data: Table, findings: Findings) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Return the columns in project names and units, and the heights of the wind. [m]."""
    profile: dict[str, dict[float, FloatArray]] = {"wind_speed": {}, "wind_direction": {}}
    variables: dict[str, FloatArray] = {}
    for column, values in data.columns.items():
        match = _COLUMN.fullmatch(column)
        if match is None:
            continue
        height = float(match["height"] or 0.0)
        is_wind = match["name"].lower().startswith("wind")
        name = match["name"].lower().replace(" ", "_") if is_wind else ""
        name = name or _SURFACE.get((match["name"].lower(), height), "")
        if name:
            converted = convert(values, match["unit"], WEATHER[name].units, column, findings)
            if is_wind:
                profile[name][height] = converted
            else:
                variables[name] = converted
    heights = sorted(profile["wind_speed"])
    if not heights:
        if data.n_rows:
            findings.add("columns", "no column 'wind speed at <height>m (m/s)'", "request the file with it")
        return variables, None
    for name, at_height in profile.items():
        if set(heights) <= set(at_height):
            variables[name] = np.stack([at_height[height] for height in heights], axis=1)
    return variables, np.array(heights)
