"""TMY3 typical years of the NSRDB 1991-2005 update, through pvlib's reader.

A line with number, name, state, clock, coordinates and elevation of the station, a line of column names with
units, then hourly rows stamped from 01:00 to 24:00 in local standard time. Irradiance is the energy received
in the hour before the stamp, in Wh/m² and thus its mean in W/m²; temperature, pressure and wind are of the
stamp's instant [1]_ and are averaged with the instant before. The manual states no height of the wind; that
of the stations' anemometers is 10 m [2]_. The wind direction is left out: it is undefined in calms.

References
----------
.. [1] S. Wilcox and W. Marion, "Users Manual for TMY3 Data Sets", NREL/TP-581-43156 (2008), tables 1-1 to
   1-6.
.. [2] NOAA, "Automated Surface Observing System (ASOS) User's Guide" (1998), §3.3.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pvlib
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._stamps import stamps
from weather.readers._text import Table, number, read_text, whole_rows
from weather.readers._units import convert
from weather.variables import WEATHER

__all__ = ["is_tmy3", "parse_tmy3", "read_tmy3"]

_STATION: Final = ("USAF", "name", "state", "time zone", "latitude", "longitude", "elevation")
_DATE: Final = ("Date (MM/DD/YYYY)", "Time (HH:MM)")
_COLUMNS: Final = {
    "ghi": "GHI",
    "dni": "DNI",
    "dhi": "DHI",
    "temp_air": "Dry-bulb",
    "pressure": "Pressure",
    "wind_speed": "Wspd",
}
_INSTANTS: Final = ("temp_air", "pressure", "wind_speed")
_MISSING: Final = -9900.0
_WIND_HEIGHT: Final = np.array([10.0])
_N_HEADER: Final = 2
_NAME: Final = re.compile(r"(?P<name>.+?) \((?P<unit>[^()]*)\)+")


def is_tmy3(head: str) -> bool:
    """Return whether a file begins as a TMY3 file does."""
    return ",".join(_DATE) in "\n".join(head.splitlines()[:_N_HEADER])


def read_tmy3(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a TMY3 file.

    Parameters
    ----------
    path : Path
        File, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say; `year` is needed where the months are of different years.

    Returns
    -------
    Dataset
        Weather of one site: ghi, dni, dhi, temp_air, pressure, and wind_speed at 10 m.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_tmy3(read_text(path), options or ReadOptions(), path.name)


def parse_tmy3(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a TMY3 file; see `read_tmy3`."""
    findings = Findings()
    lines = text.splitlines()
    if len(lines) <= _N_HEADER:
        findings.add("rows", f"{len(lines)} lines, no data rows", "the file is cut off: get it again")
        findings.raise_if_any(subject)
    station = dict(zip(_STATION, next(csv.reader([lines[0]])), strict=False))
    frame = _frame(lines, subject, findings)
    axis = stamps(_dates(frame), replace(options, label="left"), findings)
    variables = _variables(frame, findings)
    variables = means_of_instants(
        variables, axis.index, 1.0, circular=bool(axis.month_years), names=_INSTANTS
    )
    clock_h = clock_offset(number(station, "time zone", Findings()), options, "time zone", findings)
    parsed = Parsed(
        reader="tmy3",
        variables=variables,
        axis=replace(axis, place="end of the step"),
        clock_h=clock_h,
        coords={
            "latitude": number(station, "latitude", findings),
            "longitude": number(station, "longitude", findings),
            "altitude": number(station, "elevation", findings),
            "utc_offset_h": clock_h,
        },
        source="TMY3",
        site=f"tmy3-{station.get('USAF', '')}",
        height=_WIND_HEIGHT if "wind_speed" in variables else None,
    )
    return build_dataset(parsed, options, subject, findings)


def _frame(lines: list[str], subject: str, findings: Findings) -> pd.DataFrame:
    """Return pvlib's frame of the whole rows, or raise if there is no reading them."""
    absent = [name for name in _DATE if name not in lines[1].split(",")]
    if absent:
        findings.add("columns", f"no column {', '.join(absent)}", "every row needs its date and time")
    n_fields = lines[1].count(",") + 1
    whole = whole_rows(lines[_N_HEADER:], n_fields, _N_HEADER + 1, findings)
    if absent or not whole:
        findings.raise_if_any(subject)
    text = "\n".join(["0,,,0,0,0,0", lines[1], *whole]) + "\n"
    try:
        frame, _ = pvlib.iotools.read_tmy3(io.StringIO(text), map_variables=False)
    except (ValueError, TypeError, AttributeError) as error:
        findings.add("rows", f"a date or value that is none: {error}", "the file is damaged: get it again")
        findings.raise_if_any(subject)
        raise
    return frame


def _dates(frame: pd.DataFrame) -> Table:
    """Return the start of each row's hour; hour 24 belongs to the day it is stamped with."""
    day = frame[_DATE[0]].str.split("/", expand=True).astype(float)
    clock = frame[_DATE[1]].str.split(":", expand=True).astype(float)
    columns = {
        "Year": day[2].to_numpy(),
        "Month": day[0].to_numpy(),
        "Day": day[1].to_numpy(),
        "Hour": clock[0].to_numpy() - 1.0,
        "Minute": clock[1].to_numpy(),
    }
    return Table(columns, len(frame))


def _variables(frame: pd.DataFrame, findings: Findings) -> dict[str, FloatArray]:
    """Return the columns in project names and units; what the format calls missing is NaN."""
    matches = {column: _NAME.fullmatch(column) for column in map(str, frame.columns)}
    by_name = {match["name"]: (column, match["unit"]) for column, match in matches.items() if match}
    variables: dict[str, FloatArray] = {}
    for name, wanted in _COLUMNS.items():
        if wanted not in by_name:
            findings.add("columns", f"no column '{wanted} (unit)'", "get the file again from its source")
            continue
        column, unit = by_name[wanted]
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        values = np.where(values == _MISSING, np.nan, values)
        values = convert(values, unit, WEATHER[name].units, column, findings)
        variables[name] = values[:, None] if name == "wind_speed" else values
    return variables
