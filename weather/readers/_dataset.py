"""From parsed columns to the weather Dataset: coordinates, fills, and the one check of everything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.errors import Finding, Findings
from weather.fills import AXIS_FILLS, fill_missing
from weather.quality import check_quality
from weather.readers._options import ReadOptions
from weather.readers._stamps import Axis, Extent, coverage_findings
from weather.timeaxis import to_xarray_time
from weather.variables import WEATHER, dataset_findings, with_metadata

__all__ = ["LICENCE_NOT_STATED", "Parsed", "build_dataset", "clock_offset"]

LICENCE_NOT_STATED: Final = "not stated in the file"

_DEGREES_PER_HOUR: Final = 15.0


@dataclass(frozen=True)
class Parsed:
    """What a parser took from a file, in project names and units.

    Attributes
    ----------
    reader : str
        Name of the reader in `READERS`.
    variables : mapping
        Arrays over (time,), or (time, height) for the wind; only those the file has. A file of several sites
        has `site` as the last axis.
    axis : Axis
        Its steps, in its own clock.
    clock_h : float
        Clock of the file minus UTC; NaN if it is not stated. [h]
    coords : mapping
        Coordinates of the site or sites; NaN where the file does not state one. Without `utc_offset_h` local
        standard time is that of the longitude.
    source : str
        Data source with version.
    site : str or sequence of str
        Default name of the site, or names of all.
    height : ndarray or None
        Heights of the wind. [m]
    extent : {"year", "day", "any"}
        What a file of this format covers unless it is cut off.
    notes : mapping
        More attributes of the dataset.
    """

    reader: str
    variables: Mapping[str, FloatArray]
    axis: Axis
    clock_h: float
    coords: Mapping[str, float | FloatArray]
    source: str
    site: str | Sequence[str]
    height: FloatArray | None = None
    extent: Extent = "year"
    notes: Mapping[str, str | int] = field(default_factory=dict)


def clock_offset(stated: float | None, options: ReadOptions, where: str, findings: Findings) -> float:
    """Return the clock of the stamps minus UTC, from the header or, where it is silent, from the caller. [h].

    A finding is made if neither states it, or both do and differ.
    """
    given = options.utc_offset_h
    if stated is None or math.isnan(stated):
        if given is None:
            what = "not stated in the header: the clock of the stamps is unknown"
            findings.add(where, what, "say it: utc_offset_h=0 for UTC, -6 for UTC-6")
        return math.nan if given is None else given
    if given is not None and given != stated:
        what = f"utc_offset_h={given:g} h given, but the header states {stated:g} h"
        findings.add(where, what, "leave it out")
    return stated


def build_dataset(parsed: Parsed, options: ReadOptions, subject: str, findings: Findings) -> xr.Dataset:
    """Return the weather Dataset of a file, or raise everything that is wrong with it.

    Parameters
    ----------
    parsed : Parsed
        What the parser took from the file.
    options : ReadOptions
        Name of the site, fills, and checks that are let pass.
    subject : str
        Name of the file, for the message.
    findings : Findings
        What the parser found; the checks of time axis, values and sun are added.

    Returns
    -------
    Dataset
        `attrs["fills"]` says what was filled, `attrs["findings"]` what was found before fills and by checks
        that were let pass.
    """
    is_clear = not findings
    if len(parsed.axis.index) < 2 or not parsed.variables:
        if is_clear:
            findings.add("rows", "fewer than two rows of data", "get the file again from its source")
        findings.raise_if_any(subject)
    found = coverage_findings(parsed.axis, options, parsed.extent)
    findings.extend(found)
    raw = _assemble(parsed, options)
    ds = _filled(raw, options.fill)
    findings.extend(_value_findings(ds, options.accept, with_sun=is_clear))
    findings.raise_if_any(subject)
    if options.fill or options.accept:
        recorded = [str(finding) for finding in check_quality(raw, required=())]
        ds = ds.assign_attrs(findings="\n".join(recorded)) if recorded else ds
    return ds


def _filled(ds: xr.Dataset, fills: tuple[str, ...]) -> xr.Dataset:
    """Apply fills; those of values only on a sorted, unique axis (the check tells if it is not)."""
    ds = fill_missing(ds, [name for name in fills if name in AXIS_FILLS])
    index = ds.indexes["time"]
    if not (index.is_monotonic_increasing and index.is_unique):
        return ds
    return fill_missing(ds, [name for name in fills if name not in AXIS_FILLS])


def _value_findings(ds: xr.Dataset, accept: tuple[str, ...], *, with_sun: bool) -> list[Finding]:
    """Return findings about values; the sun is asked only where clock and header are clear."""
    if with_sun:
        return check_quality(ds, required=(), accept=accept)
    return dataset_findings(ds, WEATHER, required=())


def _assemble(parsed: Parsed, options: ReadOptions) -> xr.Dataset:
    """Put arrays, axis in UTC and coordinates together; rows without a date are left out."""
    keep = ~parsed.axis.index.isna()
    clock_h = 0.0 if math.isnan(parsed.clock_h) else parsed.clock_h
    utc = (parsed.axis.index[keep] - pd.Timedelta(hours=clock_h)).tz_localize("UTC")
    sites = [options.site or parsed.site] if isinstance(parsed.site, str) else list(parsed.site)
    data = {}
    for name, values in parsed.variables.items():
        dims = WEATHER[name].dims
        data[name] = (dims, values[keep] if values.ndim == len(dims) else values[keep][..., None])
    coords: dict[str, object] = {"time": to_xarray_time(utc), "site": np.array(sites, dtype=object)}
    for name, value in parsed.coords.items():
        stated = np.broadcast_to(np.asarray(value, dtype=np.float64), len(sites))
        if not np.isnan(stated).any():
            coords[name] = ("site", stated.copy())
    if parsed.height is not None:
        coords["height"] = parsed.height
    ds = xr.Dataset(data, coords, _attrs(parsed, options))
    return with_metadata(ds if "utc_offset_h" in parsed.coords else _with_solar_zone(ds))


def _attrs(parsed: Parsed, options: ReadOptions) -> dict[str, str | int]:
    """Return what is to be known of where the data come from."""
    attrs: dict[str, str | int] = {
        "source": parsed.source,
        "licence": LICENCE_NOT_STATED,
        "synthetic": 0,
        "reader": parsed.reader,
        "stamps": f"UTC{parsed.clock_h:+g} h, {parsed.axis.place}",
    }
    if options.accept:
        attrs["accepted"] = ", ".join(options.accept)
    if parsed.axis.month_years:
        attrs |= {"typical_year": 1, "month_years": parsed.axis.month_years}
    return attrs | dict(parsed.notes)


def _with_solar_zone(ds: xr.Dataset) -> xr.Dataset:
    """Add the local standard time that the longitude gives, for a source that states none."""
    if "longitude" not in ds.coords:
        return ds
    offset = np.round(ds["longitude"].to_numpy() / _DEGREES_PER_HOUR)
    return ds.assign_coords(utc_offset_h=("site", offset)).assign_attrs(local_time="by longitude")
