"""EnergyPlus weather files (EPW), through pvlib's reader.

Eight header lines, then hourly rows; the `LOCATION` line has coordinates, elevation and the clock. Hour 1
covers 00:00 to 01:00 in local standard time: irradiance is of the hour before the stamp, while temperature,
pressure and wind are of the instant of the stamp [1]_. The latter are averaged with the instant before, so
that all stand for the same interval; the first hour of a typical year takes the last as the one before.
Wind is of 10 m and air temperature of 2 m by the convention of the format (`Site:WeatherStation` [2]_). The
wind direction is left out: it is undefined in calms and needed by no model here.

Files that PVGIS writes say `Irradiance Time Offset (h)` in their second comment: irradiance is then of one
moment, that offset after the end of the hour that follows the stamp (found by the sun, and by the same rows
in PVGIS' JSON, whose offset is larger by 1). All is averaged over the hours from stamp to stamp.

References
----------
.. [1] EnergyPlus, Auxiliary Programs, "EnergyPlus Weather File (EPW) Data Dictionary".
.. [2] EnergyPlus, Input Output Reference, "Site:WeatherStation": wind sensor height above ground, default
   10 m.
"""

from __future__ import annotations

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
from weather.readers._stamps import Axis, stamps
from weather.readers._text import Table, number, read_text, whole_rows

__all__ = ["is_epw", "parse_epw", "read_epw"]

_N_HEADER: Final = 8
_N_FIELDS: Final = 35
_LOCATION: Final = (
    "",
    "city",
    "state",
    "country",
    "type",
    "WMO",
    "latitude",
    "longitude",
    "time zone",
    "elevation",
)
_WIND_HEIGHT: Final = np.array([10.0])

_COLUMNS: Final = {
    "ghi": ("ghi", 9999.0),
    "dni": ("dni", 9999.0),
    "dhi": ("dhi", 9999.0),
    "temp_air": ("temp_air", 99.9),
    "pressure": ("atmospheric_pressure", 999999.0),
    "wind_speed": ("wind_speed", 999.0),
}
"""Column of pvlib's frame, and the value from which on the data dictionary calls it missing."""

_IRRADIANCE: Final = ("ghi", "dni", "dhi")
_INSTANTS: Final = ("temp_air", "pressure", "wind_speed")
_OFFSET: Final = re.compile(r"irradiance time offset \(h\):\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)


def is_epw(first_line: str) -> bool:
    """Return whether a file's first line is that of an EPW file."""
    return first_line.upper().startswith("LOCATION,")


def read_epw(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read an EnergyPlus weather file.

    Parameters
    ----------
    path : Path
        File, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say; `year` is needed where the months are of different years, as they mostly
        are.

    Returns
    -------
    Dataset
        Weather of one site: ghi, dni, dhi, temp_air, pressure, and wind_speed at 10 m.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_epw(read_text(path), options or ReadOptions(), path.name)


def parse_epw(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of an EPW file; see `read_epw`."""
    findings = Findings()
    lines = text.splitlines()
    if len(lines) <= _N_HEADER:
        findings.add("rows", f"{len(lines)} lines, no data rows", "the file is cut off: get it again")
        findings.raise_if_any(subject)
    header = dict(zip(_LOCATION, (field.strip() for field in lines[0].split(",")), strict=False))
    frame = _frame(lines, subject, findings)
    dates = {
        name.capitalize(): frame[name].to_numpy(dtype=float) for name in ("year", "month", "day", "hour")
    }
    dates["Hour"] = dates["Hour"] - 1.0
    dates["Minute"] = np.zeros(len(frame))
    axis = stamps(Table(dates, len(frame)), replace(options, label="left"), findings)
    axis, variables = _over_steps(axis, _variables(frame), _irradiance_offset(lines))
    utc_offset_h = clock_offset(number(header, "time zone", Findings()), options, "time zone", findings)
    parsed = Parsed(
        reader="epw",
        variables=variables,
        axis=axis,
        clock_h=utc_offset_h,
        coords={
            "latitude": number(header, "latitude", findings),
            "longitude": number(header, "longitude", findings),
            "altitude": number(header, "elevation", findings),
            "utc_offset_h": utc_offset_h,
        },
        source=f"EPW {header.get('type', '')}".strip(),
        site=f"epw-{header.get('WMO', '')}",
        height=_WIND_HEIGHT,
    )
    return build_dataset(parsed, options, subject, findings)


def _frame(lines: list[str], subject: str, findings: Findings) -> pd.DataFrame:
    """Return pvlib's frame of the whole rows, or raise if there is no reading them."""
    period = next((line for line in lines[:_N_HEADER] if line.upper().startswith("DATA PERIODS,")), "")
    fields = period.split(",")
    if len(fields) < 3 or fields[2].strip() != "1":
        findings.add(
            "DATA PERIODS", f"{period!r}, expected 1 record per hour", "convert the file to hourly rows"
        )
    whole = whole_rows(lines[_N_HEADER:], _N_FIELDS, _N_HEADER + 1, findings)
    location = "LOCATION,,,,,,0,0,0,0"
    text = "\n".join([location, *lines[1:_N_HEADER], *whole]) + "\n"
    try:
        frame, _ = pvlib.iotools.read_epw(io.StringIO(text), coerce_year=2000)
        return frame.assign(year=[int(line.split(",", 1)[0]) for line in whole])
    except (ValueError, TypeError) as error:
        findings.add("rows", f"a date or value that is none: {error}", "the file is damaged: get it again")
        findings.raise_if_any(subject)
        raise


def _irradiance_offset(lines: list[str]) -> float | None:
    """Return the offset of the irradiance that a comment of the header states, None if none does. [h]."""
    match = _OFFSET.search("\n".join(lines[:_N_HEADER]))
    return None if match is None else float(match[1])


def _over_steps(
    axis: Axis, variables: dict[str, FloatArray], offset_h: float | None
) -> tuple[Axis, dict[str, FloatArray]]:
    """Return instants as means of hours: those that end at the stamps, in PVGIS' files those that follow."""
    circular = bool(axis.month_years)
    if offset_h is None:
        variables = means_of_instants(variables, axis.index, 1.0, circular=circular, names=_INSTANTS)
        return replace(axis, place="end of the step"), variables
    later = replace(axis, index=axis.index + pd.Timedelta(hours=1), place=f"irradiance {1 + offset_h:+.2f} h")
    variables = means_of_instants(variables, later.index, 0.0, circular=circular, names=_INSTANTS)
    at = 1.0 + offset_h
    return later, means_of_instants(variables, later.index, at, circular=circular, names=_IRRADIANCE)


def _variables(frame: pd.DataFrame) -> dict[str, FloatArray]:
    """Return the columns in project names; what the format calls missing is NaN."""
    variables: dict[str, FloatArray] = {}
    for name, (column, missing) in _COLUMNS.items():
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        values = np.where(values >= missing, np.nan, values)
        variables[name] = values[:, None] if name == "wind_speed" else values
    return variables
