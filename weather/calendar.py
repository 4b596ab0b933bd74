"""Calendars of different years and clocks meet by month, day and time of day in local standard time."""

from __future__ import annotations

import calendar

import numpy as np
import pandas as pd

from weather._types import IntArray, XarrayT
from weather.errors import Finding, Findings, InputError
from weather.timeaxis import step_of, to_utc_index, to_xarray_time

__all__ = ["align_calendar", "wrap_year"]

_MINUTES_PER_DAY = 1440


def align_calendar(
    obj: XarrayT,
    target_time: pd.DatetimeIndex,
    *,
    source_utc_offset_h: float,
    target_utc_offset_h: float,
) -> XarrayT:
    """Lay a series of another year and clock on a target axis.

    Each target step takes the source step of the same month, day and time of day, both in their own local
    standard time. Where the source has no 29 February its 28 February is repeated; anything else missing is
    an error.

    Parameters
    ----------
    obj : Dataset or DataArray
        Source on a regular `time` (UTC) that covers no calendar step twice.
    target_time : pandas.DatetimeIndex
        Axis wanted, tz-aware, with the step of the source.
    source_utc_offset_h, target_utc_offset_h : float
        Local standard time minus UTC at the place of the source and of the target. [h]

    Returns
    -------
    Dataset or DataArray
        `obj` on `target_time`; `attrs["calendar"]` says by which rule.

    Raises
    ------
    InputError
        If steps differ, the source covers a calendar step twice, or a step other than 29 February is missing.
    """
    source = to_utc_index(obj)
    target = to_utc_index(target_time)
    findings = Findings(_step_findings(source, target))
    source_key = _calendar_key(source, source_utc_offset_h)
    lookup = pd.Index(source_key)
    if lookup.has_duplicates:
        twice = source[lookup.duplicated()][0]
        what = (
            f"covers {lookup.duplicated().sum()} calendar steps twice, the first at {twice:%Y-%m-%dT%H:%MZ}"
        )
        findings.add("source", what, "cut the source to one year")
    findings.raise_if_any("calendar")

    target_key = _calendar_key(target, target_utc_offset_h)
    position = lookup.get_indexer(target_key)
    is_leap_day = target_key // _MINUTES_PER_DAY == 229
    repeat = (position < 0) & is_leap_day
    position[repeat] = lookup.get_indexer(target_key[repeat] - _MINUTES_PER_DAY)
    missing = np.flatnonzero(position < 0)
    if missing.size:
        first = target[missing[0]] + pd.Timedelta(hours=target_utc_offset_h)
        what = f"{missing.size} of {len(target)} target steps have no source, first {first:%d %B %H:%M} local"
        findings.add("source", what, "give a source that covers the target's part of the year")
    findings.raise_if_any("calendar")
    result: XarrayT = obj.isel(time=position).assign_coords(time=to_xarray_time(target))
    n_repeated = int(repeat.sum())
    result.attrs["calendar"] = (
        f"by month, day and time of day in local standard time, source UTC{source_utc_offset_h:+g} h, "
        f"target UTC{target_utc_offset_h:+g} h; {n_repeated} steps of 29 February repeat 28 February"
    )
    return result


def wrap_year(obj: XarrayT, year: int | None = None) -> XarrayT:
    """Roll a series of one whole year into one calendar year in UTC, as if the year were a circle.

    A file of one year in local time covers other hours than a file of the same year in UTC: at UTC-6 it
    lacks the first six hours and has six of the next year. Those are moved by exactly one year. Values keep
    their month, day and hour; six of 8760 change neighbours.

    Parameters
    ----------
    obj : Dataset or DataArray
        On a regular `time` (UTC) as long as the calendar year.
    year : int, optional
        Year wanted; default the one that holds most of the stamps.

    Returns
    -------
    Dataset or DataArray
        The same values on the calendar year; `attrs["wrapped"]` says how many were moved.
    """
    index = to_utc_index(obj)
    step = pd.Timedelta(step_of(obj))
    if year is None:
        year = int(index.year.value_counts().idxmax())
    target = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=step, tz="UTC", inclusive="left")
    length = pd.Timedelta(days=366 if calendar.isleap(year) else 365)
    moved = target[0] + (index - target[0]) % length
    order = np.argsort(moved.asi8, kind="stable")
    if not moved[order].equals(target):
        what = (
            f"{len(index)} steps from {index[0]:%Y-%m-%dT%H:%MZ} are not the {len(target)} of the year {year}"
        )
        finding = Finding("time", what, "give a whole year, or use on_mismatch='intersect'")
        raise InputError("wrapping a year", [finding])
    result: XarrayT = obj.isel(time=order).assign_coords(time=to_xarray_time(target))
    result.attrs["wrapped"] = f"{int((moved != index).sum())} steps moved by one year into {year} UTC"
    return result


def _calendar_key(index: pd.DatetimeIndex, utc_offset_h: float) -> IntArray:
    """Return (100 month + day) x 1440 + minute of the day, in local standard time."""
    local = index.tz_localize(None) + pd.Timedelta(hours=utc_offset_h)
    day = 100 * local.month.to_numpy() + local.day.to_numpy()
    minute = 60 * local.hour.to_numpy() + local.minute.to_numpy()
    key: IntArray = day.astype(np.int64) * _MINUTES_PER_DAY + minute
    return key


def _step_findings(source: pd.DatetimeIndex, target: pd.DatetimeIndex) -> list[Finding]:
    """Return a finding if the steps of the two axes differ; a single target step fits any."""
    step = step_of(source)
    if len(target) < 2 or step_of(target) == step:
        return []
    what = f"steps differ: source {pd.Timedelta(step)}, target {pd.Timedelta(step_of(target))}"
    return [Finding("time", what, "resample_mean the finer one first")]
