"""From parsed columns to the weather Dataset: coordinates, fills, and the one check of everything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.errors import Finding, Findings
from weather.quality import check_quality, fill_missing
from weather.readers._options import ReadOptions
from weather.readers._stamps import clock_findings
from weather.timeaxis import to_xarray_time
from weather.variables import WEATHER, dataset_findings, with_metadata

__all__ = ["LICENCE_NOT_STATED", "Parsed", "build_dataset", "clock_offset"]

LICENCE_NOT_STATED: Final = "not stated in the file"


@dataclass(frozen=True)
class Parsed:
    """What a parser took from a file, in project names and units.

    Attributes
    ----------
    variables : mapping
        Arrays over (time,), or (time, height) for the wind; only those the file has.
    index : pandas.DatetimeIndex
        Left labels in the file's own clock, naive; NaT where a row has no date.
    month_years : str
        Years of the months of a typical year, else "".
    clock_h : float
        Clock of the file minus UTC; NaN if it is not stated. [h]
    coords : mapping
        Coordinates of the site; NaN where the file does not state one.
    source, site : str
        Data source with version; default name of the site.
    height : ndarray or None
        Heights of the wind. [m]
    """

    variables: Mapping[str, FloatArray]
    index: pd.DatetimeIndex
    month_years: str
    clock_h: float
    coords: Mapping[str, float]
    source: str
    site: str
    height: FloatArray | None = None


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
    """Return the weather Dataset of one site, or raise everything that is wrong with the file.

    Parameters
    ----------
    parsed : Parsed
        What the parser took from the file.
    options : ReadOptions
        Name of the site and fills.
    subject : str
        Name of the file, for the message.
    findings : Findings
        What the parser found; the checks of time axis, values and sun are added.
    """
    is_clear = not findings
    if len(parsed.index) < 2 or not parsed.variables:
        if is_clear:
            findings.add("rows", "fewer than two rows of data", "get the file again from its source")
        findings.raise_if_any(subject)
    findings.extend(clock_findings(parsed.index[~parsed.index.isna()], options))
    ds = _assemble(parsed, options)
    if ds.indexes["time"].is_monotonic_increasing and ds.indexes["time"].is_unique:
        ds = fill_missing(ds, options.fill)
    findings.extend(_value_findings(ds, options.accept, with_sun=is_clear))
    findings.raise_if_any(subject)
    return ds


def _value_findings(ds: xr.Dataset, accept: tuple[str, ...], *, with_sun: bool) -> list[Finding]:
    """Return findings about values; the sun is asked only where clock and header are clear."""
    if with_sun:
        return check_quality(ds, required=(), accept=accept)
    return dataset_findings(ds, WEATHER, required=())


def _assemble(parsed: Parsed, options: ReadOptions) -> xr.Dataset:
    """Put arrays, axis in UTC and coordinates together; rows without a date are left out."""
    keep = ~parsed.index.isna()
    clock_h = 0.0 if math.isnan(parsed.clock_h) else parsed.clock_h
    utc = (parsed.index[keep] - pd.Timedelta(hours=clock_h)).tz_localize("UTC")
    data = {name: (WEATHER[name].dims, values[keep][..., None]) for name, values in parsed.variables.items()}
    coords: dict[str, object] = {
        "time": to_xarray_time(utc),
        "site": np.array([options.site or parsed.site], dtype=object),
    }
    coords.update({k: ("site", [v]) for k, v in parsed.coords.items() if not math.isnan(v)})
    if parsed.height is not None:
        coords["height"] = parsed.height
    attrs: dict[str, str | int] = {"source": parsed.source, "licence": LICENCE_NOT_STATED, "synthetic": 0}
    if options.accept:
        attrs["accepted"] = ", ".join(options.accept)
    if parsed.month_years:
        attrs |= {"typical_year": 1, "month_years": parsed.month_years}
    return with_metadata(xr.Dataset(data, coords, attrs))
