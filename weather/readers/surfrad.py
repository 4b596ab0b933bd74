"""SURFRAD daily files: radiation and weather of stations in the USA, every minute (every 3 before 2009).

The station's name, a line with its coordinates and elevation, then rows of fixed columns in UTC. Values are
means of the interval that ends at the stamp [1]_. A flag after each value is 0 where it passed all checks of
the network; others, and -9999.9, count as missing. Longitudes are positive to the west in older files; all
stations lie in the west. Small negative irradiance at night is left as it is: name the fill "night_offset".
Temperature and wind are of the 10-m mast; the temperature stands in for that of 2 m, with its height in
`attrs["height_m"]`.

pvlib's reader wants a file name; its names of the columns are used here.

References
----------
.. [1] J. Augustine et al., "SURFRAD - a national surface radiation budget network for atmospheric research",
   Bull. Amer. Meteor. Soc. 81 (2000), 2341-2357; NOAA GML, "Description of SURFRAD daily data files".
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from pvlib.iotools.surfrad import SURFRAD_COLUMNS

from weather._types import FloatArray
from weather.constants import PA_PER_MBAR
from weather.errors import Findings
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._options import ReadOptions
from weather.readers._stamps import place_stamps
from weather.readers._text import read_text

__all__ = ["is_surfrad", "parse_surfrad", "read_surfrad"]

_STATION: Final = re.compile(r"\s*(-?\d+\.?\d*)\s+(-?\d+\.?\d*)\s+(-?\d+\.?\d*)\s+m\s+version\s+(\d+)\s*")
_COLUMNS: Final[dict[str, tuple[str, float]]] = {
    "ghi": ("dw_solar", 1.0),
    "dni": ("direct_n", 1.0),
    "dhi": ("diffuse", 1.0),
    "temp_air": ("temp", 1.0),
    "pressure": ("pressure", PA_PER_MBAR),
    "wind_speed": ("windspd", 1.0),
    "wind_direction": ("winddir", 1.0),
}
_PROFILE: Final = ("wind_speed", "wind_direction")
_MAST_M: Final = 10.0
_MISSING: Final = -9999.9
_N_HEADER: Final = 2
_CUT: Final = "the file is cut off or damaged: get it again"


def is_surfrad(head: str) -> bool:
    """Return whether a file begins as those of SURFRAD do."""
    lines = head.splitlines()
    if len(lines) <= _N_HEADER or _STATION.fullmatch(lines[1]) is None:
        return False
    return len(lines) == _N_HEADER + 1 or len(lines[_N_HEADER].split()) == len(SURFRAD_COLUMNS)


def read_surfrad(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read a daily file of SURFRAD.

    Parameters
    ----------
    path : Path
        File, plain or gzip'ed.
    options : ReadOptions, optional
        Fills, above all "night_offset".

    Returns
    -------
    Dataset
        Weather of one site: ghi, dni, dhi, temp_air, pressure, and wind_speed and wind_direction at 10 m.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_surfrad(read_text(path), options or ReadOptions(), path.name)


def parse_surfrad(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a SURFRAD file; see `read_surfrad`."""
    findings = Findings()
    lines = text.splitlines()
    station = _STATION.fullmatch(lines[1]) if len(lines) > 1 else None
    if station is None:
        findings.add("header", "no line with latitude, longitude, elevation and version", _CUT)
    frame = _frame(lines[_N_HEADER:], findings)
    if station is None or frame.empty:
        findings.raise_if_any(subject)
    assert station is not None
    axis = place_stamps(_stamps(frame, findings), "right", findings)
    variables, n_flagged = _variables(frame)
    parsed = Parsed(
        reader="surfrad",
        variables=variables,
        axis=axis,
        clock_h=clock_offset(0.0, options, "time (UTC)", findings),
        coords={
            "latitude": float(station[1]),
            "longitude": -abs(float(station[2])),
            "altitude": float(station[3]),
        },
        source=f"SURFRAD version {station[4]}",
        site=f"surfrad-{lines[0].strip()}",
        height=np.array([_MAST_M]),
        extent="day",
        notes={"flagged": f"{n_flagged} values that failed a check of the network count as missing"},
    )
    ds = build_dataset(parsed, options, subject, findings)
    ds["temp_air"].attrs["height_m"] = _MAST_M
    return ds


def _frame(lines: list[str], findings: Findings) -> pd.DataFrame:
    """Return the whole rows as numbers."""
    rows = [line for line in lines if line.strip()]
    n_fields = len(SURFRAD_COLUMNS)
    at = [i for i, line in enumerate(rows) if len(line.split()) != n_fields]
    if at:
        what = f"{len(at)} row(s) without {n_fields} fields, first: {rows[at[0]][:60]!r}"
        findings.add(f"row {at[0] + _N_HEADER + 1}", what, _CUT)
    whole = [line for line in rows if len(line.split()) == n_fields]
    if not whole:
        findings.add("rows", "no data rows", _CUT)
        return pd.DataFrame(columns=SURFRAD_COLUMNS)
    text = io.StringIO("\n".join(whole))
    frame = pd.read_csv(text, sep=r"\s+", header=None, names=SURFRAD_COLUMNS, dtype=str)
    return frame.apply(pd.to_numeric, errors="coerce")


def _stamps(frame: pd.DataFrame, findings: Findings) -> pd.DatetimeIndex:
    """Return the stamps of the rows, NaT with a finding where a row has none."""
    parts = frame[["year", "month", "day", "hour", "minute"]]
    index = pd.DatetimeIndex(pd.to_datetime(parts, errors="coerce"))
    bad = np.flatnonzero(index.isna())
    if bad.size:
        shown = ", ".join(f"{name} {parts[name].iloc[bad[0]]:g}" for name in parts)
        what = f"{bad.size} row(s) whose date does not exist, first: {shown}"
        findings.add("date", what, "correct the rows")
    return index


def _variables(frame: pd.DataFrame) -> tuple[dict[str, FloatArray], int]:
    """Return the columns in project names and units, and how many values failed a check."""
    variables: dict[str, FloatArray] = {}
    n_flagged = 0
    for name, (column, factor) in _COLUMNS.items():
        values = frame[column].to_numpy(dtype=float)
        is_missing = values == _MISSING
        is_flagged = (frame[f"{column}_flag"].to_numpy(dtype=float) != 0.0) & ~is_missing
        n_flagged += int(is_flagged.sum())
        values = np.where(is_missing | is_flagged, np.nan, values * factor)
        variables[name] = values[:, None] if name in _PROFILE else values
    return variables, n_flagged
