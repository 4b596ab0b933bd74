"""PVGIS of the European Commission: hourly series and typical years, JSON and CSV, through pvlib's readers.

Times are UTC. In hourly series values are of the moment of their stamp: some minutes after the hour for
satellite data, on the hour for NSRDB, in the middle of the hour that they are the mean of for ERA5 [1]_. In
typical years temperature, pressure and wind are of the stamp's moment, and irradiance of a moment that the
header gives as `Irradiance Time Offset`; files from before December 2024 do not have it. Instants are
averaged over the hours they lie in. Units are those of the file's own descriptions. Hourly series have
irradiance on a plane: they are read where that is horizontal, and beam is left to be what is missing of
global. Wind is of 10 m, temperature of 2 m. Local standard time is that of the longitude.

References
----------
.. [1] European Commission, Joint Research Centre, "PVGIS user manual" (2024), §§ hourly data, TMY.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from weather.readers._text import Table, json_part, number, parse_json, read_text, whole_rows
from weather.readers._units import convert
from weather.variables import WEATHER

__all__ = ["is_pvgis", "parse_pvgis", "read_pvgis"]

_TYPICAL: Final = {"ghi": "G(h)", "dni": "Gb(n)", "dhi": "Gd(h)"}
_AIR: Final = {
    "temp_air": "T2m",
    "relative_humidity": "RH",
    "pressure": "SP",
    "wind_speed": "WS10m",
    "wind_direction": "WD10m",
}
_PLANE: Final = ("G(i)", "Gb(i)", "Gd(i)", "Gr(i)")
_PROFILE: Final = ("wind_speed", "wind_direction")
_WIND_HEIGHT: Final = np.array([10.0])
_HEADER_ROW: Final = re.compile(r"time(?:\(UTC\))?,")
_DESCRIPTION: Final = re.compile(r"(?P<name>[^:\s]+): .*\((?P<unit>[^()]*)\)\s*")
_CUT: Final = "the file is cut off: get it again"


@dataclass(frozen=True)
class _File:
    """What JSON and CSV have in common.

    Attributes
    ----------
    is_typical : bool
        Whether it is a typical year.
    header : mapping
        Entries: latitude, longitude, elevation, radiation database, slope, irradiance time offset.
    units : mapping
        Column -> unit.
    """

    is_typical: bool
    header: Mapping[str, str]
    units: Mapping[str, str]


def is_pvgis(head: str) -> bool:
    """Return whether a file begins as those of PVGIS do."""
    if head.startswith("{"):
        return '"inputs"' in head[:200] and ('"radiation_db"' in head or '"PVGIS' in head)
    return head.startswith("Latitude (decimal degrees):")


def read_pvgis(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read an hourly series or typical year of PVGIS.

    Parameters
    ----------
    path : Path
        File in JSON or CSV, plain or gzip'ed.
    options : ReadOptions, optional
        What the file does not say; typical years need `year`, and old ones `irradiance_offset_h`.

    Returns
    -------
    Dataset
        Weather of one site: ghi, dhi (and dni in typical years), temp_air, wind_speed at 10 m; pressure,
        relative_humidity and wind_direction in typical years.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    return parse_pvgis(read_text(path), options or ReadOptions(), path.name)


def parse_pvgis(text: str, options: ReadOptions, subject: str) -> xr.Dataset:
    """Parse the text of a PVGIS file; see `read_pvgis`."""
    findings = Findings()
    is_json = text.lstrip().startswith("{")
    file = _json_file(text, subject, findings) if is_json else _csv_file(text, subject, findings)
    frame = _frame(text, file, "json" if is_json else "csv", subject, findings)
    dates = Table(_date_columns(frame.index), len(frame))
    if file.is_typical:
        axis, variables = _typical_year(frame, dates, file, options, findings)
    else:
        axis, variables = _hourly(frame, dates, file, options, findings)
    coords = {name: number(dict(file.header), name, findings) for name in ("latitude", "longitude")}
    parsed = Parsed(
        reader="pvgis",
        variables=variables,
        axis=axis,
        clock_h=clock_offset(0.0, options, "time(UTC)", findings),
        coords={**coords, "altitude": number(dict(file.header), "elevation", findings)},
        source=" ".join(["PVGIS", file.header.get("radiation database", "")]).strip(),
        site=f"pvgis-{coords['latitude']:.3f}-{coords['longitude']:.3f}",
        height=_WIND_HEIGHT if "wind_speed" in variables else None,
    )
    return build_dataset(parsed, options, subject, findings)


def _json_file(text: str, subject: str, findings: Findings) -> _File:
    """Return the header and units of a JSON file, or raise what is missing of it."""
    content = parse_json(text, subject)
    inputs, outputs, meta = (json_part(content, name) for name in ("inputs", "outputs", "meta"))
    kinds = [kind for kind in ("tmy_hourly", "hourly") if kind in outputs]
    if not kinds:
        said = json_part(content).get("message", "no 'hourly' and no 'tmy_hourly'")
        findings.add("outputs", str(said), "request an hourly series or a typical year")
        findings.raise_if_any(subject)
    location, sources = json_part(inputs, "location"), json_part(inputs, "meteo_data")
    slope = json_part(inputs, "mounting_system", "fixed", "slope").get("value", "of a tracked plane")
    header = {
        "latitude": location.get("latitude", ""),
        "longitude": location.get("longitude", ""),
        "elevation": location.get("elevation", ""),
        "radiation database": sources.get("radiation_db", ""),
        "irradiance time offset": location.get("irradiance_time_offset", ""),
        "slope": slope,
    }
    described = json_part(meta, "outputs", kinds[0], "variables")
    units = {str(name): str(json_part(entry).get("units", "")) for name, entry in described.items()}
    return _File(kinds[0] == "tmy_hourly", {name: str(value) for name, value in header.items()}, units)


def _csv_file(text: str, subject: str, findings: Findings) -> _File:
    """Return the header and units of a CSV file, or raise if rows are cut off or the descriptions missing."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _HEADER_ROW.match(line)), None)
    if start is None:
        findings.add("rows", f"{len(lines)} lines, no data rows", _CUT)
        findings.raise_if_any(subject)
        raise AssertionError
    end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
    whole_rows(lines[start + 1 : end], lines[start].count(",") + 1, start + 2, findings)
    units = {m["name"]: m["unit"] for m in map(_DESCRIPTION.fullmatch, lines[end:]) if m}
    undescribed = [name for name in lines[start].split(",")[1:] if name.strip() not in {*units, "Int"}]
    if undescribed or not any(line.startswith("PVGIS") for line in lines[end:]):
        what = f"the descriptions of {', '.join(undescribed) or 'columns'} at the end are missing"
        findings.add("rows", what, _CUT)
    findings.raise_if_any(subject)
    entries = [line.partition(":") for line in lines[:start]]
    header = {key.split("(")[0].strip().lower(): value.strip() for key, _, value in entries}
    header["slope"] = header.get("slope", "of a tracked plane").split(" ")[0]
    return _File(lines[start].startswith("time(UTC)"), header, units)


def _frame(text: str, file: _File, kind: str, subject: str, findings: Findings) -> pd.DataFrame:
    """Return pvlib's frame of the file, or raise if there is no reading it."""
    try:
        if not file.is_typical:
            frame, _ = pvlib.iotools.read_pvgis_hourly(io.StringIO(text), kind, map_variables=False)
            return frame
        buffer = io.StringIO(text) if kind == "json" else io.BytesIO(text.encode())
        frame, _ = pvlib.iotools.read_pvgis_tmy(buffer, kind, map_variables=False)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        findings.add("rows", f"a date, column or value is missing or none: {error!r}", "get the file again")
        findings.raise_if_any(subject)
        raise
    return frame


def _date_columns(index: pd.DatetimeIndex) -> dict[str, FloatArray]:
    """Return the parts of dates."""
    parts = {"Year": index.year, "Month": index.month, "Day": index.day}
    parts |= {"Hour": index.hour, "Minute": index.minute}
    return {name: np.asarray(values, dtype=np.float64) for name, values in parts.items()}


def _taken(
    frame: pd.DataFrame, wanted: Mapping[str, str], file: _File, findings: Findings
) -> dict[str, FloatArray]:
    """Return columns in project names and units."""
    variables: dict[str, FloatArray] = {}
    for name, column in wanted.items():
        if column not in frame.columns:
            findings.add("columns", f"no column {column!r}", "request the file with it")
            continue
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        values = convert(values, file.units.get(column), WEATHER[name].units, column, findings)
        variables[name] = values[:, None] if name in _PROFILE else values
    return variables


def _typical_year(
    frame: pd.DataFrame, dates: Table, file: _File, options: ReadOptions, findings: Findings
) -> tuple[Axis, dict[str, FloatArray]]:
    """Return a typical year: the air on the hour, irradiance at its offset, both averaged over the hours."""
    axis = stamps(dates, replace(options, label="left"), findings)
    offset_h = _irradiance_offset(file, options, findings)
    shift = math.floor(offset_h)
    axis = replace(axis, index=axis.index + pd.Timedelta(hours=shift))
    axis = replace(axis, place=f"instants, of irradiance {offset_h:+g} h")
    air = means_of_instants(_taken(frame, _AIR, file, findings), axis.index, float(-shift), circular=True)
    sun = _taken(frame, _TYPICAL, file, findings)
    at = offset_h - shift
    if at != 0.5:  # in the middle an instant stands for its hour, and is the hour's mean in ERA5
        sun = means_of_instants(sun, axis.index, at, circular=True)
    return axis, {**sun, **air}


def _irradiance_offset(file: _File, options: ReadOptions, findings: Findings) -> float:
    """Return when the irradiance of a typical year is of, seen from its stamps. [h]."""
    stated = file.header.get("irradiance time offset", "")
    where, given = "Irradiance Time Offset", options.irradiance_offset_h
    if not stated:
        if given is None:
            what = "not stated in the header: the moment of the irradiance is unknown"
            remedy = "get the file again from PVGIS 5.3, or say it: irradiance_offset_h=0.5 for ERA5"
            findings.add(where, what, remedy)
        return 0.0 if given is None else given
    offset_h = number({where: stated}, where, findings)
    if given is not None and given != offset_h:
        what = f"irradiance_offset_h={given:g} h given, but the header states {offset_h:g} h"
        findings.add(where, what, "leave it out")
    return 0.0 if math.isnan(offset_h) else offset_h


def _hourly(
    frame: pd.DataFrame, dates: Table, file: _File, options: ReadOptions, findings: Findings
) -> tuple[Axis, dict[str, FloatArray]]:
    """Return an hourly series on a horizontal plane."""
    axis = stamps(dates, replace(options, label="instant"), findings)
    parts = [name for name in _PLANE if name in frame.columns]
    if file.header["slope"] not in {"0", "0.0"}:
        what = f"irradiance is on a plane with slope {file.header['slope']}, not on a horizontal one"
        findings.add("slope", what, "request the series with angle=0")
    if "G(i)" not in parts and parts != list(_PLANE[1:]):
        what = f"no column 'G(i)', and of its parts only {', '.join(parts) or 'none'}"
        findings.add("columns", what, "request the series with components=1")
    sun = {name: _taken(frame, {"ghi": name}, file, findings)["ghi"] for name in parts}
    variables: dict[str, FloatArray] = {}
    if parts:
        variables["ghi"] = sun["G(i)"] if "G(i)" in sun else np.sum(list(sun.values()), axis=0)
    if "Gd(i)" in sun:
        variables["dhi"] = sun["Gd(i)"]
    air = {name: column for name, column in _AIR.items() if name in {"temp_air", "wind_speed"}}
    variables |= _taken(frame, air, file, findings)
    if axis.at is not None:
        variables = means_of_instants(variables, axis.index, axis.at)
    return axis, variables
