"""Checks of weather as a list of findings, and the named ways to fill what is missing.

Nothing is repaired silently: a check only reports, and a fill has a name, a limit, and writes what it did
into `attrs["fills"]`.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather.errors import Finding, Findings, InputError
from weather.sunclock import sun_findings
from weather.timeaxis import to_utc_index, to_xarray_time, usual_step
from weather.variables import WEATHER, dataset_findings

__all__ = ["FILLS", "check_quality", "fill_missing"]

FILL_LIMIT_H: Final = 3.0
"""Longest run of missing values that `interpolate` closes. [h]"""


def check_quality(
    ds: xr.Dataset, *, required: Collection[str] | None = None, accept: Collection[str] = ()
) -> list[Finding]:
    """Return everything that is wrong with a weather dataset.

    Parameters
    ----------
    ds : Dataset
        Weather; it may hold a part of the variables.
    required : collection of str, optional
        Names that must be there (see `check_dataset`).
    accept : collection of str
        Sun checks to leave out, of `SUN_CHECKS`: some files cannot pass them, such as a typical year whose
        months were made with different clocks.

    Returns
    -------
    list of Finding
        Missing names, units, bounds, NaN, unsorted or duplicate stamps and gaps; then, where irradiance and
        coordinates are given, the closure ghi = dhi + dni cos(zenith) and the clock of the sun.
    """
    findings = Findings(dataset_findings(ds, WEATHER, required=required))
    needs = {"ghi", "dni", "dhi", "latitude", "longitude", "time", "site"}
    if needs <= set(ds.variables) and ds.sizes["time"] > 1:
        findings.extend(sun_findings(ds, accept))
    return list(findings)


def fill_missing(ds: xr.Dataset, fills: Sequence[str]) -> xr.Dataset:
    """Apply named fills in the order given.

    Parameters
    ----------
    ds : Dataset
        Weather with gaps or NaN, on a sorted `time`.
    fills : sequence of str
        Names from `FILLS`.

    Returns
    -------
    Dataset
        A new dataset; `attrs["fills"]` says which fill set how many values. What no fill reaches stays
        missing.
    """
    unknown = [name for name in fills if name not in FILLS]
    if unknown:
        names = ", ".join(FILLS)
        raise InputError("fill", [Finding("fill", f"no fill {name!r}", f"use {names}") for name in unknown])
    for name in fills:
        filled = FILLS[name](ds)
        note = f"{name}: {_n_present(filled) - _n_present(ds):+d} values"
        ds = filled.assign_attrs(fills="; ".join(filter(None, [ds.attrs.get("fills"), note])))
    return ds


def _out_of_range(ds: xr.Dataset) -> xr.Dataset:
    """Set values outside their plausible range to NaN, for a later fill (WIND Toolkit has lone 100 m/s)."""
    masked = {}
    for variable in WEATHER.variables:
        if variable.name in ds:
            low, high = variable.valid_range
            masked[variable.name] = ds[variable.name].where(
                (ds[variable.name] >= low) & (ds[variable.name] <= high)
            )
    return ds.assign(masked)


def _interpolate(ds: xr.Dataset) -> xr.Dataset:
    """Interpolate linearly in time across runs of up to `FILL_LIMIT_H`; directions keep the last value."""
    ds = _with_all_stamps(ds)
    max_gap = pd.Timedelta(hours=FILL_LIMIT_H) + pd.Timedelta(usual_step(to_utc_index(ds)))
    filled = ds.interpolate_na("time", method="linear", max_gap=max_gap, keep_attrs=True)
    if "wind_direction" in ds:
        held = ds["wind_direction"].ffill("time")
        filled["wind_direction"] = held.where(filled["wind_direction"].notnull())
    return filled


def _previous_day(ds: xr.Dataset) -> xr.Dataset:
    """Put the value of the day before, at the same time of day, where one is missing."""
    ds = _with_all_stamps(ds)
    n_day = round(np.timedelta64(1, "D") / usual_step(to_utc_index(ds)))
    before = ds.shift(time=n_day)
    return ds.assign({name: ds[name].fillna(before[name]) for name in ds.data_vars})


def _leap_day(ds: xr.Dataset) -> xr.Dataset:
    """Repeat 28 February (local standard time) where a leap year has no 29 February."""
    offsets = np.unique(ds["utc_offset_h"].to_numpy())
    if offsets.size != 1:
        finding = Finding(
            "utc_offset_h", f"{offsets.size} clocks in one dataset", "fill before combining sites"
        )
        raise InputError("fill 'leap_day'", [finding])
    index = to_utc_index(ds)
    local = index + pd.Timedelta(hours=float(offsets[0]))
    is_leap = np.array([calendar.isleap(year) for year in local.year])
    february = np.flatnonzero(is_leap & (local.month == 2) & (local.day == 28))
    repeated = index[february] + pd.Timedelta(days=1)
    absent = ~repeated.isin(index)
    if not absent.any():
        return ds
    leap_day = ds.isel(time=february[absent]).assign_coords(time=to_xarray_time(repeated[absent]))
    return xr.concat([ds, leap_day], "time", data_vars="minimal", coords="minimal").sortby("time")


FILLS: Final[Mapping[str, Callable[[xr.Dataset], xr.Dataset]]] = {
    "out_of_range": _out_of_range,
    "leap_day": _leap_day,
    "interpolate": _interpolate,
    "previous_day": _previous_day,
}
"""Fills by name.

`out_of_range` sets implausible values to missing; `leap_day` repeats 28 February; `interpolate` is linear
over up to 3 h; `previous_day` takes the same time of the day before.
"""


def _n_present(ds: xr.Dataset) -> int:
    """Return the number of values that are not NaN."""
    return sum(int(v.notnull().sum()) for v in ds.data_vars.values())


def _with_all_stamps(ds: xr.Dataset) -> xr.Dataset:
    """Return `ds` with the stamps that are missing between the first and the last, as NaN."""
    index = to_utc_index(ds)
    full = pd.date_range(index[0], index[-1], freq=pd.Timedelta(usual_step(index)))
    return ds if len(full) == len(index) else ds.reindex(time=to_xarray_time(full))
