"""Time axes: UTC, left-labelled, regular.

A value at 14:00 with step 1 h covers [14:00, 15:00). pandas objects carry their zone; an xarray `time` is
naive `datetime64` and means UTC. `to_utc_index` and `to_xarray_time` are the only crossings between the two.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from weather._types import XarrayT
from weather.errors import Finding, Findings, InputError

__all__ = [
    "Label",
    "TimeLike",
    "interval_midpoint",
    "resample_mean",
    "resample_sum",
    "step_hours",
    "step_of",
    "time_axis",
    "to_left_label",
    "to_utc_index",
    "to_xarray_time",
    "usual_step",
]

TimeArray: TypeAlias = npt.NDArray[np.datetime64]
TimeLike: TypeAlias = xr.Dataset | xr.DataArray | pd.DatetimeIndex | TimeArray
Label: TypeAlias = Literal["left", "middle", "right"]

_N_SHOWN = 3
_CLOCKS_H = 14


def to_utc_index(time: TimeLike) -> pd.DatetimeIndex:
    """Return a time axis as a tz-aware pandas index in UTC.

    Parameters
    ----------
    time : Dataset, DataArray, DatetimeIndex or datetime64 array
        An xarray object (its `time` is naive and means UTC), a `datetime64` array (UTC), or a tz-aware index.

    Returns
    -------
    pandas.DatetimeIndex
        The same instants, `tz="UTC"`.

    Raises
    ------
    InputError
        If a pandas index is naive, or an xarray object has no `time` of dates.
    """
    if isinstance(time, pd.DatetimeIndex):
        if time.tz is None:
            what = "the index is naive: its clock is not stated"
            raise InputError("time axis", [Finding("time", what, "localise it: index.tz_localize('UTC')")])
        return time.tz_convert("UTC")
    if isinstance(time, xr.Dataset | xr.DataArray):
        if "time" not in time.coords:
            raise InputError(
                "time axis", [Finding("time", "no coordinate 'time'", "give the object a time axis")]
            )
        time = time["time"].to_numpy()
    if not np.issubdtype(time.dtype, np.datetime64):
        what = f"dtype {time.dtype}, expected naive datetime64 in UTC"
        raise InputError("time axis", [Finding("time", what, "convert with to_xarray_time(index)")])
    return pd.DatetimeIndex(time).tz_localize("UTC")


def to_xarray_time(index: pd.DatetimeIndex) -> TimeArray:
    """Return a tz-aware index as the naive UTC `datetime64` that xarray objects carry."""
    naive: TimeArray = to_utc_index(index).tz_localize(None).to_numpy()
    return naive


def axis_findings(index: pd.DatetimeIndex) -> list[Finding]:
    """Return what keeps an axis from being sorted, unique and regular, place by place.

    The step is taken to be the most frequent distance of neighbours; findings are made of other distances
    (gaps), of duplicates, and of stamps that go back in time.
    """
    if len(index) < 2:
        return [Finding("time", f"{len(index)} time stamp(s), at least 2 are needed to know the step")]
    findings = Findings()
    distance = np.diff(to_xarray_time(index))
    zero = np.timedelta64(0, "ns")
    _add(findings, index, distance < zero, "stamp(s) earlier than the one before", "sort the rows by time")
    _add(findings, index, distance == zero, "duplicate stamp(s)", "keep one row per stamp")
    if (distance > zero).any():
        step = usual_step(index)
        gap = (distance > zero) & (distance != step)
        leap = np.zeros_like(gap)
        leap[gap] = _is_leap_day(index[:-1][gap], distance[gap], step)
        remedy = "29 February: 'leap_day' repeats 28 February"
        _add(findings, index, leap, "missing 29 February", remedy)
        text = f"gap(s): not one step of {pd.Timedelta(step)} to the next stamp"
        _add(findings, index, gap & ~leap, text, "fill them by name or cut the axis")
    return list(findings)


def _is_leap_day(
    before: pd.DatetimeIndex, distance: npt.NDArray[np.timedelta64], step: np.timedelta64
) -> npt.NDArray[np.bool_]:
    """Return which gaps after some stamps are exactly 29 February, in a clock up to 14 h from UTC."""
    first = (before + pd.Timedelta(step)).tz_localize(None)
    march = pd.DatetimeIndex(pd.to_datetime({"year": first.year, "month": 3, "day": 1}))
    from_29 = np.abs((first - (march - pd.Timedelta(days=1))) / pd.Timedelta(hours=1))
    is_leap = np.asarray(first.is_leap_year) & (np.asarray(from_29) <= _CLOCKS_H)
    result: npt.NDArray[np.bool_] = is_leap & (distance == step + np.timedelta64(1, "D"))
    return result


def _add(
    findings: Findings, index: pd.DatetimeIndex, at: npt.NDArray[np.bool_], what: str, remedy: str
) -> None:
    """Add one finding about the places in `at` (positions of distances), naming the first of them."""
    places = np.flatnonzero(at)
    if places.size:
        shown = [f"{index[i]:%Y-%m-%dT%H:%MZ} -> {index[i + 1]:%Y-%m-%dT%H:%MZ}" for i in places[:_N_SHOWN]]
        more = " ..." if places.size > _N_SHOWN else ""
        findings.add("time", f"{places.size} {what}: {', '.join(shown)}{more}", remedy)


def step_of(time: TimeLike) -> np.timedelta64:
    """Return the step of a regular time axis.

    Raises
    ------
    InputError
        If the axis has fewer than two stamps, is unsorted, has duplicates or gaps; all places are named.

    Examples
    --------
    >>> step_of(time_axis("2013-01-01T00:00Z", 24, 3600)) / np.timedelta64(1, "s")
    np.float64(3600.0)
    """
    index = to_utc_index(time)
    Findings(axis_findings(index)).raise_if_any("time axis")
    stamps = to_xarray_time(index)
    step: np.timedelta64 = stamps[1] - stamps[0]
    return step


def usual_step(time: TimeLike) -> np.timedelta64:
    """Return the most frequent distance of neighbouring stamps, on an axis that may have gaps."""
    distance = np.diff(to_xarray_time(to_utc_index(time)))
    values, counts = np.unique(distance[distance > np.timedelta64(0, "ns")], return_counts=True)
    if not values.size:
        raise InputError("time axis", [Finding("time", "no two stamps that ascend: the step is not known")])
    step: np.timedelta64 = values[np.argmax(counts)]
    return step


def step_hours(time: TimeLike) -> float:
    """Return the step of a regular time axis. [h]."""
    return float(step_of(time) / np.timedelta64(1, "h"))


def time_axis(start: str | pd.Timestamp, periods: int, step_s: int) -> pd.DatetimeIndex:
    """Return a regular axis of left labels in UTC.

    Parameters
    ----------
    start : str or pandas.Timestamp
        First label; its zone must be stated (`...Z`, `...-06:00` or tz-aware).
    periods : int
        Number of labels, at least 1.
    step_s : int
        Step. [s]

    Returns
    -------
    pandas.DatetimeIndex
        Labels, `tz="UTC"`.
    """
    findings = Findings()
    first = pd.Timestamp(start)
    if first.tz is None:
        findings.add("start", f"{start!s} has no zone", "write 2013-01-01T00:00Z or ...-06:00")
    if periods < 1:
        findings.add("periods", f"{periods}, expected >= 1")
    if step_s < 1:
        findings.add("step_s", f"{step_s} s, expected >= 1 s")
    findings.raise_if_any("time axis")
    return pd.date_range(first.tz_convert("UTC"), periods=periods, freq=pd.Timedelta(step_s, unit="s"))


def to_left_label(index: pd.DatetimeIndex, label: Label, step: np.timedelta64) -> pd.DatetimeIndex:
    """Move stamps from the place in the interval where a source puts them to its start.

    Parameters
    ----------
    index : pandas.DatetimeIndex
        Stamps as in the source.
    label : {"left", "middle", "right"}
        Where in its interval a stamp lies.
    step : numpy.timedelta64
        Length of the interval.

    Returns
    -------
    pandas.DatetimeIndex
        Starts of the intervals.

    Examples
    --------
    >>> mid = pd.DatetimeIndex(["2013-01-01T00:30Z"])
    >>> str(to_left_label(mid, "middle", np.timedelta64(1, "h"))[0])
    '2013-01-01 00:00:00+00:00'
    """
    shift = {"left": 0.0, "middle": 0.5, "right": 1.0}
    if label not in shift:
        raise InputError("time label", [Finding("label", f"{label!r}", f"use one of {', '.join(shift)}")])
    return index - pd.Timedelta(step) * shift[label]


def interval_midpoint(time: TimeLike) -> pd.DatetimeIndex:
    """Return the middles of the intervals of a left-labelled axis, in UTC: where the sun is looked up."""
    return to_utc_index(time) + pd.Timedelta(step_of(time)) / 2


def utc_instant(name: str, value: str | pd.Timestamp, findings: Findings) -> pd.Timestamp | None:
    """Return an instant in UTC, or None with a finding about the argument `name`."""
    try:
        instant = pd.Timestamp(value)
        if instant.tzinfo is not None:
            return instant.as_unit("ns").tz_convert("UTC")
    except (ValueError, TypeError, OverflowError):
        findings.add(name, f"{value!r} is no time of the years 1678 to 2261", "write 2020-01-01T00:00Z")
        return None
    # Not a time (NaT) has no zone either.
    findings.add(name, f"{value!s} has no zone", "write 2020-01-01T00:00Z or ...-08:00")
    return None


def resample_mean(obj: XarrayT, step_s: int) -> XarrayT:
    """Average to a coarser step; NaN in a block makes the block NaN.

    Parameters
    ----------
    obj : Dataset or DataArray
        On a regular left-labelled `time`; laziness is kept.
    step_s : int
        New step, a multiple of the present one; blocks are counted from the first label. [s]

    Returns
    -------
    Dataset or DataArray
        Interval means on the new left labels.
    """
    blocks = _blocks(obj, step_s)
    result: XarrayT = blocks.reduce(np.mean, keep_attrs=True)
    return result


def resample_sum(obj: XarrayT, step_s: int) -> XarrayT:
    """Add up to a coarser step: energies, bytes.

    Parameters
    ----------
    obj, step_s
        As for `resample_mean`.

    Returns
    -------
    Dataset or DataArray
        Interval sums on the new left labels; NaN in a block makes the block NaN.
    """
    blocks = _blocks(obj, step_s)
    result: XarrayT = blocks.reduce(np.sum, keep_attrs=True)
    return result


def _blocks(obj: XarrayT, step_s: int):  # type: ignore[no-untyped-def]  # xarray's coarsen classes are private
    """Return `obj` in whole blocks of the new step."""
    step = round(step_of(obj) / np.timedelta64(1, "s"))
    n_steps = obj.sizes["time"]
    findings = Findings()
    if step_s < step or step_s % step:
        findings.add("step_s", f"{step_s} s is no multiple of the present step of {step} s")
    elif n_steps % (step_s // step):
        what = f"{n_steps} steps of {step} s do not fill whole blocks of {step_s} s"
        findings.add("time", what, "cut the axis to whole blocks")
    findings.raise_if_any("resampling")
    return obj.coarsen(time=step_s // step, boundary="exact", coord_func={"time": "min"})
