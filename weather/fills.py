"""Named ways to repair weather: each has a limit and writes what it did into `attrs["fills"]`.

Nothing is repaired silently, and nothing that no fill reaches is made up: it stays missing.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather.errors import Finding, InputError
from weather.stuck import is_stuck
from weather.timeaxis import to_utc_index, to_xarray_time, usual_step
from weather.variables import NIGHT_OFFSET, WEATHER

__all__ = ["AXIS_FILLS", "FILLS", "fill_missing"]

FILL_LIMIT_H: Final = 3.0
"""Longest run of missing values that `interpolate` closes. [h]"""

_IRRADIANCE: Final = ("ghi", "dni", "dhi")


def fill_missing(ds: xr.Dataset, fills: Sequence[str]) -> xr.Dataset:
    """Apply named fills in the order given.

    Parameters
    ----------
    ds : Dataset
        Weather with gaps or NaN. Fills other than "sort" and "deduplicate" need a sorted `time`.
    fills : sequence of str
        Names from `FILLS`.

    Returns
    -------
    Dataset
        A new dataset; `attrs["fills"]` says which fill set how many values. What no fill reaches stays
        missing.
    """
    named = [fills] if isinstance(fills, str) else list(fills)
    unknown = [name for name in named if name not in FILLS or isinstance(fills, str)]
    if unknown:
        remedy = f"use {', '.join(FILLS)}, in a sequence"
        raise InputError("fill", [Finding("fill", f"no fill {name!r}", remedy) for name in unknown])
    for name in fills:
        filled = FILLS[name](ds)
        note = f"{name}: {_difference(ds, filled)}"
        ds = filled.assign_attrs(fills="; ".join(filter(None, [ds.attrs.get("fills"), note])))
    return ds


def _sort(ds: xr.Dataset) -> xr.Dataset:
    """Put the rows in the order of their stamps; rows of one stamp keep theirs."""
    return ds.isel(time=np.argsort(to_utc_index(ds).asi8, kind="stable"))


def _deduplicate(ds: xr.Dataset) -> xr.Dataset:
    """Keep the first row of every stamp."""
    return ds.isel(time=~to_utc_index(ds).duplicated(keep="first"))


def _trim(ds: xr.Dataset) -> xr.Dataset:
    """Cut the steps at both ends in which a variable is missing, as at the end of an archive."""
    whole = np.ones(ds.sizes["time"], dtype=bool)
    for variable in ds.data_vars.values():
        whole &= variable.notnull().all([dim for dim in variable.dims if dim != "time"]).to_numpy()
    places = np.flatnonzero(whole)
    return ds.isel(time=slice(places[0], places[-1] + 1)) if places.size else ds


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


def _night_offset(ds: xr.Dataset) -> xr.Dataset:
    """Set irradiance a little below zero to zero, as pyranometers read it at night and packing rounds it."""
    is_offset = {
        name: (ds[name] < 0.0) & (ds[name] >= NIGHT_OFFSET) for name in _IRRADIANCE if name in ds.data_vars
    }
    return ds.assign({name: ds[name].where(~at, 0.0) for name, at in is_offset.items()})


def _stuck(ds: xr.Dataset) -> xr.Dataset:
    """Set values that a stuck sensor repeats to NaN, for a later fill; the first of a run stays."""
    return ds.assign({name: ds[name].where(~at) for name, at in is_stuck(ds).items()})


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
    "sort": _sort,
    "deduplicate": _deduplicate,
    "trim": _trim,
    "out_of_range": _out_of_range,
    "night_offset": _night_offset,
    "stuck": _stuck,
    "leap_day": _leap_day,
    "interpolate": _interpolate,
    "previous_day": _previous_day,
}
"""Fills by name.

`sort` orders rows by stamp and `deduplicate` keeps the first of each; `trim` cuts incomplete ends;
`out_of_range` and `stuck` set implausible values to missing; `night_offset` sets irradiance from -15 to 0
W/m² to 0; `leap_day` repeats 28 February; `interpolate` is linear over up to 3 h; `previous_day` takes the
same time of the day before.
"""

AXIS_FILLS: Final = ("sort", "deduplicate")
"""Fills of the rows themselves, which make an axis that the others can work on."""


def _difference(before: xr.Dataset, after: xr.Dataset) -> str:
    """Return what a fill did, as text."""
    if before.sizes["time"] == after.sizes["time"]:
        moved = int((before["time"].to_numpy() != after["time"].to_numpy()).sum())
        if moved:
            return f"{moved} rows moved"
        n_changed = sum(
            int((before[name].notnull() & after[name].notnull() & (before[name] != after[name])).sum())
            for name in before.data_vars
        )
        if n_changed:
            return f"{n_changed} values set"
    n_present = _n_present(after) - _n_present(before)
    n_rows = after.sizes["time"] - before.sizes["time"]
    return f"{n_present:+d} values" if n_rows >= 0 else f"{n_rows:+d} rows"


def _n_present(ds: xr.Dataset) -> int:
    """Return the number of values that are not NaN."""
    return sum(int(v.notnull().sum()) for v in ds.data_vars.values())


def _with_all_stamps(ds: xr.Dataset) -> xr.Dataset:
    """Return `ds` with the stamps that are missing between the first and the last, as NaN."""
    index = to_utc_index(ds)
    full = pd.date_range(index[0], index[-1], freq=pd.Timedelta(usual_step(index)))
    return ds if len(full) == len(index) else ds.reindex(time=to_xarray_time(full))
