"""TMY2 typical years of the NSRDB 1961-1990: fixed columns.

One line with number, city, state, clock, coordinates in degrees and minutes and elevation of the station,
then hourly rows with hours 1 to 24 in local standard time. Irradiance is the energy received in the hour
before the stamp, in Wh/m² and thus its mean in W/m²; temperature (0.1 °C), pressure (mbar) and wind (0.1
m/s) are of the stamp's instant [1]_ and are averaged with the instant before. Wind counts as of 10 m as in
TMY3. pvlib's reader wants a file; the text is cut by the same columns here.

References
----------
.. [1] W. Marion and K. Urban, "User's Manual for TMY2s", NREL (1995), table 3-2.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.constants import PA_PER_MBAR
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._stamps import stamps
from weather.readers._text import Table, read_text

__all__ = ["is_tmy2", "parse_tmy2", "read_tmy2"]

_HEADER: Final = re.compile(
    r"\s?(?P<wban>\d{5})\s(?P<city>.{22})\s(?P<state>.{2})\s+(?P<zone>-?\d+)?\s+(?P<ns>[NS])\s+(?P<lat_degree>\d+)"
    r"\s+(?P<lat_minute>\d+)\s+(?P<ew>[EW])\s+(?P<lon_degree>\d+)\s+(?P<lon_minute>\d+)\s+(?P<elevation>-?\d+)\s*"
)
_WIDTH: Final = 142
_CENTURY: Final = 1900.0
_COLUMNS: Final[dict[str, tuple[int, int, float, float]]] = {
    "ghi": (17, 21, 9999.0, 1.0),
    "dni": (23, 27, 9999.0, 1.0),
    "dhi": (29, 33, 9999.0, 1.0),
    "temp_air": (67, 71, 9999.0, 0.1),
    "pressure": (84, 88, 9999.0, PA_PER_MBAR),
    "wind_speed": (95, 98, 999.0, 0.1),
}
"""First and last position of a column, the value that stands for missing, and the factor to project units."""

_DATE: Final = {"Year": (1, 3), "Month": (3, 5), "Day": (5, 7), "Hour": (7, 9)}
_INSTANTS: Final = ("temp_air", "pressure", "wind_speed")
_WIND_HEIGHT: Final = np.array([10.0])


def is_tmy2(head: str) -> bool:
    """Return whether a file begins as a TMY2 file does."""
    lines = head.splitlines()
    return bool(lines) and _HEADER.fullmatch(lines[0]) is not None


def read_tmy2(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a TMY2 file.

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
    return parse_tmy2(read_text(path), options or ReadOptions(), path.name)


def parse_tmy2(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a TMY2 file; see `read_tmy2`."""
    findings = Findings()
    lines = text.splitlines()
    header = _HEADER.fullmatch(lines[0])
    if header is None:
        findings.add("header", f"{lines[0][:60]!r} is no TMY2 header", "get the file again")
    rows = _whole_rows(lines[1:], findings)
    if header is None or not rows:
        findings.raise_if_any(subject)
    assert header is not None
    axis = stamps(_dates(rows), replace(options, label="left"), findings)
    variables = means_of_instants(
        _variables(rows), axis.index, 1.0, circular=bool(axis.month_years), names=_INSTANTS
    )
    stated = None if header["zone"] is None else float(header["zone"])
    clock_h = clock_offset(stated, options, "time zone", findings)
    parsed = Parsed(
        reader="tmy2",
        variables=variables,
        axis=replace(axis, place="end of the step"),
        clock_h=clock_h,
        coords={
            "latitude": _degrees(header, "lat", negative=header["ns"] == "S"),
            "longitude": _degrees(header, "lon", negative=header["ew"] == "W"),
            "altitude": float(header["elevation"]),
            "utc_offset_h": clock_h,
        },
        source="TMY2",
        site=f"tmy2-{header['wban']}",
        height=_WIND_HEIGHT,
    )
    return build_dataset(parsed, options, subject, findings)


def _degrees(header: re.Match[str], name: str, *, negative: bool) -> float:
    """Return a coordinate given in degrees and minutes. [degree]."""
    value = float(header[f"{name}_degree"]) + float(header[f"{name}_minute"]) / 60.0
    return -value if negative else value


def _whole_rows(lines: list[str], findings: Findings) -> list[str]:
    """Return the rows of full width."""
    rows = [line for line in lines if line.strip()]
    at = [i for i, line in enumerate(rows) if len(line) != _WIDTH]
    if at:
        what = f"{len(at)} row(s) that are not {_WIDTH} wide, first: {rows[at[0]][:40]!r}"
        findings.add(f"row {at[0] + 2}", what, "the file is cut off or damaged: get it again")
    if len(at) == len(rows):
        findings.add("rows", "no data rows", "the file is cut off: get it again")
    return [line for line in rows if len(line) == _WIDTH]


def _column(rows: list[str], first: int, last: int) -> FloatArray:
    """Return a column as numbers; what is none is NaN."""
    texts = pd.Series([row[first:last] for row in rows])
    numbers: FloatArray = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float)
    return numbers


def _dates(rows: list[str]) -> Table:
    """Return the start of each row's hour."""
    columns = {name: _column(rows, *span) for name, span in _DATE.items()}
    columns["Year"] = columns["Year"] + _CENTURY
    columns["Hour"] = columns["Hour"] - 1.0
    columns["Minute"] = np.zeros(len(rows))
    return Table(columns, len(rows))


def _variables(rows: list[str]) -> dict[str, FloatArray]:
    """Return the columns in project names and units; what the format calls missing is NaN."""
    variables: dict[str, FloatArray] = {}
    for name, (first, last, missing, factor) in _COLUMNS.items():
        values = _column(rows, first, last)
        values = np.where(values == missing, np.nan, values * factor)
        variables[name] = values[:, None] if name == "wind_speed" else values
    return variables
