"""NSRDB irradiance: CSV of the Physical Solar Model, versions 3 and 4, single years and typical years.

Two header lines (names, values), a line of column names, then rows. The header's `Time Zone` is the clock
of the rows, `Local Time Zone` that of the site; both are hours from UTC in standard time. Values are
instantaneous at their stamp [1]_: in the middle of the hour in most hourly files, where they stand for the
mean of the hour; on the hour or on multiples of 5, 15 and 30 minutes in the others, where instants at both
ends of a step are averaged. The wind speed of these files is of 2 m or 10 m, which the file does not say,
so it is left out; temperature is of 2 m.

References
----------
.. [1] M. Sengupta et al., "The National Solar Radiation Data Base (NSRDB)", Renewable and Sustainable Energy
   Reviews 89 (2018), 51-60.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._stamps import stamps
from weather.readers._text import Header, Table, number, parse_table, read_text
from weather.readers._units import convert
from weather.variables import WEATHER

__all__ = ["is_nsrdb", "parse_nsrdb", "read_nsrdb"]

_COLUMNS: Final = {
    "ghi": "GHI",
    "dni": "DNI",
    "dhi": "DHI",
    "temp_air": "Temperature",
    "pressure": "Pressure",
}
_ALBEDO: Final = "Surface Albedo"
_HUMIDITY: Final = "Relative Humidity"
_N_HEADER: Final = 3


def is_nsrdb(first_line: str) -> bool:
    """Return whether a file's first line is that of an NSRDB CSV."""
    return first_line.startswith("Source,Location ID,")


def read_nsrdb(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read an NSRDB CSV file.

    Parameters
    ----------
    path : Path
        File, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say.

    Returns
    -------
    Dataset
        Weather of one site: ghi, dni, dhi, temp_air, pressure, and albedo and relative_humidity if the file
        has them.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_nsrdb(read_text(path), options or ReadOptions(), path.name)


def parse_nsrdb(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of an NSRDB CSV file; see `read_nsrdb`."""
    findings = Findings()
    lines = text.splitlines()
    if len(lines) <= _N_HEADER:
        findings.add("rows", f"{len(lines)} lines, no data rows", "the file is cut off: get it again")
        findings.raise_if_any(subject)
    names, values = (next(csv.reader([line])) for line in lines[:2])
    header = {k.strip(): v.strip() for k, v in zip(names, values, strict=False)}
    data = parse_table(lines[2:], _N_HEADER + 1, findings)
    axis = stamps(data, options, findings, on_grid="instant")
    variables = _variables(data, header, findings)
    if axis.at is not None:
        variables = means_of_instants(variables, axis.index, axis.at, circular=bool(axis.month_years))
    stated = number(header, "Time Zone", Findings())
    parsed = Parsed(
        reader="nsrdb",
        variables=variables,
        axis=axis,
        clock_h=clock_offset(stated, options, "Time Zone", findings),
        coords={
            "latitude": number(header, "Latitude", findings),
            "longitude": number(header, "Longitude", findings),
            "altitude": number(header, "Elevation", findings),
            "utc_offset_h": number(header, "Local Time Zone", findings),
        },
        source=f"NSRDB PSM {header.get('Version', 'of unstated version')}",
        site=f"nsrdb-{header.get('Location ID', '')}",
    )
    return build_dataset(parsed, options, subject, findings)


def _variables(data: Table, header: Header, findings: Findings) -> dict[str, FloatArray]:
    """Return the columns in project names and units."""
    variables: dict[str, FloatArray] = {}
    for name, column in _COLUMNS.items():
        if column in data.columns:
            unit = header.get(f"{column} Units")
            variables[name] = convert(data.columns[column], unit, WEATHER[name].units, column, findings)
        elif data.n_rows:
            findings.add("columns", f"no column {column!r}", "request the file with this attribute")
    if _ALBEDO in data.columns:
        variables["albedo"] = data.columns[_ALBEDO]
    if _HUMIDITY in data.columns:
        unit = header.get(f"{_HUMIDITY} Units")
        variables["relative_humidity"] = convert(data.columns[_HUMIDITY], unit, "%", _HUMIDITY, findings)
    return variables
