"""EnergyPlus weather files (EPW), through pvlib's reader.

Eight header lines, then hourly rows; the `LOCATION` line has coordinates, elevation and the clock. Hour 1
covers 00:00 to 01:00 in local standard time: irradiance is of the hour before the stamp, while temperature,
pressure and wind are of the instant of the stamp [1]_. The latter are averaged with the instant before, so
that all stand for the same interval; the first hour of a typical year takes the last as the one before.
Wind is of 10 m and air temperature of 2 m by the convention of the format (`Site:WeatherStation` [2]_). The
wind direction is left out: it is undefined in calms and needed by no model here.

References
----------
.. [1] EnergyPlus, Auxiliary Programs, "EnergyPlus Weather File (EPW) Data Dictionary".
.. [2] EnergyPlus, Input Output Reference, "Site:WeatherStation": wind sensor height above ground, default
   10 m.
"""

from __future__ import annotations

import io
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
from weather.readers._options import ReadOptions
from weather.readers._stamps import stamps
from weather.readers._text import Table, number, parse_table, read_text

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

_INSTANTS: Final = ("temp_air", "pressure", "wind_speed")


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
    index, month_years = stamps(Table(dates, len(frame)), replace(options, label="left"), findings)
    utc_offset_h = clock_offset(number(header, "time zone", Findings()), options, "time zone", findings)
    parsed = Parsed(
        variables=_variables(frame, is_typical=bool(month_years)),
        index=index,
        month_years=month_years,
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
    n_commas = _N_FIELDS - 1
    parse_table(["," * n_commas, *lines[_N_HEADER:]], _N_HEADER + 1, findings)
    whole = [line for line in lines[_N_HEADER:] if line.count(",") == n_commas]
    location = "LOCATION,,,,,,0,0,0,0"
    text = "\n".join([location, *lines[1:_N_HEADER], *whole]) + "\n"
    try:
        frame, _ = pvlib.iotools.read_epw(io.StringIO(text), coerce_year=2000)
        return frame.assign(year=[int(line.split(",", 1)[0]) for line in whole])
    except (ValueError, TypeError) as error:
        findings.add("rows", f"a date or value that is none: {error}", "the file is damaged: get it again")
        findings.raise_if_any(subject)
        raise


def _variables(frame: pd.DataFrame, *, is_typical: bool) -> dict[str, FloatArray]:
    """Return the columns in project names; what the format calls missing is NaN."""
    variables: dict[str, FloatArray] = {}
    for name, (column, missing) in _COLUMNS.items():
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        values = np.where(values >= missing, np.nan, values)
        if name in _INSTANTS:
            before = np.roll(values, 1)
            if not is_typical:
                before[:1] = values[:1]
            values = 0.5 * (before + values)
        variables[name] = values[:, None] if name == "wind_speed" else values
    return variables
