"""What a forecast is: its dims, its clock, what was known and published when; the check of it.

A forecast has dims (init_time, lead_time, member) before those of what it is about (unit, site, ...). It is
made at `init_time` from what was known then, and its value holds for the step that starts at
`valid_time = init_time + lead_time`. It is published `latency` later. What is known of a left-labelled series
at an instant are the steps that have ended by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.timeaxis import step_of, to_utc_index, to_xarray_time

__all__ = [
    "FORECAST_DIMS",
    "NO_LATENCY",
    "TimeArray",
    "at_valid_time",
    "check_forecast",
    "check_latency",
    "checked_series",
    "forecast_axes",
    "labelled_like",
    "lead_findings",
    "make_forecast",
    "measure_findings",
]

FORECAST_DIMS: Final = ("init_time", "lead_time", "member")
NO_LATENCY: Final = pd.Timedelta(0)
TimeArray: TypeAlias = npt.NDArray[np.datetime64]
_N_SHOWN: Final = 3


def make_forecast(
    name: str,
    values: FloatArray,
    like: xr.DataArray,
    init_times: pd.DatetimeIndex,
    lead_times: pd.TimedeltaIndex,
    *,
    latency: pd.Timedelta = NO_LATENCY,
    attrs: Mapping[str, str | float | int] | None = None,
) -> xr.Dataset:
    """Return values (init_time, lead_time, member, ...) as a forecast of a series `like`."""
    check_latency(latency)
    init = to_xarray_time(init_times).astype("datetime64[ns]")
    lead = lead_times.to_numpy().astype("timedelta64[ns]")
    rest = [dim for dim in like.dims if dim not in ("time", *FORECAST_DIMS)]
    coords = {n: c for n, c in like.coords.items() if set(c.dims) <= set(rest) and n not in FORECAST_DIMS}
    data = xr.DataArray(values, dims=(*FORECAST_DIMS, *rest), coords=coords, attrs=like.attrs, name=name)
    told = data.to_dataset().assign_coords(
        init_time=init,
        lead_time=lead,
        member=np.arange(values.shape[2]),
        valid_time=(("init_time", "lead_time"), init[:, None] + lead),
        published_time=("init_time", init + latency.to_timedelta64()),
    )
    return told.assign_attrs({**(attrs or {}), "latency_s": latency.total_seconds()})


def check_latency(latency: pd.Timedelta) -> None:
    """Refuse what is no duration of 0 or more."""
    findings = Findings()
    if not isinstance(latency, pd.Timedelta):
        findings.add("latency", f"{latency!r} is no duration", "give a pandas.Timedelta")
    elif latency < NO_LATENCY:
        findings.add("latency", f"{latency}", "a forecast is not published before it is made")
    findings.raise_if_any("forecast")


def labelled_like(
    other: xr.DataArray, series: xr.DataArray, what: str, *, may_have_more: bool = False
) -> xr.DataArray:
    """Return an array whose labels beside time are in the order of those of a series.

    Parameters
    ----------
    other : DataArray
        Over some dims of `series`.
    series : DataArray
        Gives dims and their labels.
    what : str
        Name of `other` in messages.
    may_have_more : bool
        Whether labels that `series` does not have are left out, such as units of a grid that are not scored.

    Raises
    ------
    InputError
        For dims that `series` does not have, and labels that one has and the other lacks: all at once.
    """
    findings, chosen = Findings(), {}
    for dim in other.dims:
        if dim == "time":
            continue
        if dim not in series.dims:
            findings.add(what, f"has the dim {dim!r}", f"give it over {', '.join(map(str, series.dims))}")
        elif dim in series.indexes and dim in other.indexes:
            wanted, found = series.indexes[dim], other.indexes[dim]
            for text, odd in (
                ("lacks", wanted.difference(found)),
                ("has unknown", found[:0] if may_have_more else found.difference(wanted)),
                ("repeats", found[found.duplicated()].unique()),
            ):
                if len(odd):
                    findings.add(what, f"{text} {dim} {list(odd[:_N_SHOWN])}", "give each label once")
            chosen[dim] = wanted
        elif series.sizes[dim] != other.sizes[dim]:
            sizes = f"{other.sizes[dim]} {dim}, the series {series.sizes[dim]}"
            findings.add(what, f"has {sizes}", "give as many, with labels")
    findings.raise_if_any("forecast")
    return other.sel(chosen)


def measure_findings(**arrays: xr.DataArray) -> Findings:
    """Return which arrays state another unit of measure than the first that states one."""
    findings = Findings()
    stated = {what: str(array.attrs["units"]) for what, array in arrays.items() if "units" in array.attrs}
    first = next(iter(stated), "")
    for what, unit in stated.items():
        if unit != stated[first]:
            findings.add(what, f"is in {unit}, {first} in {stated[first]}", "bring both to one unit")
    return findings


def check_forecast(forecast: xr.Dataset) -> None:
    """Check that a dataset is a forecast, and raise one error with all that is wrong.

    Parameters
    ----------
    forecast : Dataset
        Over (init_time, lead_time, member) and the dims of what it is about, with the coordinates
        `valid_time` (init_time, lead_time) and `published_time` (init_time). Variables without member are
        the same for all.

    Raises
    ------
    InputError
        For missing dims, an `init_time` that is not of rising instants, a `lead_time` that is not of rising
        durations in equal steps from 0 on, `valid_time` that is not their sum, publication before
        `init_time`, and NaN.
    """
    findings = Findings()
    for dim in FORECAST_DIMS:
        if dim not in forecast.coords or forecast[dim].dims != (dim,):
            findings.add(dim, "missing; expected a coordinate of that dim", "make forecasts by weather's own")
    findings.raise_if_any("forecast")
    init, lead = forecast.indexes["init_time"], forecast.indexes["lead_time"]
    if not isinstance(init, pd.DatetimeIndex) or not (init.is_monotonic_increasing and init.is_unique):
        findings.add("init_time", "must be instants in UTC, rising", "sort them, each once")
    findings.extend(lead_findings(lead))
    findings.raise_if_any("forecast")
    sums = init.to_numpy()[:, None] + lead.to_numpy()
    if "valid_time" not in forecast.coords or not np.array_equal(forecast["valid_time"], sums):
        findings.add("valid_time", "missing, or not init_time + lead_time", "assign it as a coordinate")
    if "published_time" not in forecast.coords or not (forecast["published_time"].to_numpy() >= init).all():
        findings.add("published_time", "missing, or before init_time", "assign init_time + latency")
    for name, variable in forecast.data_vars.items():
        first = FORECAST_DIMS if "member" in variable.dims else FORECAST_DIMS[:2]
        if variable.dims[: len(first)] != first:
            findings.add(str(name), f"dims {variable.dims}, expected {FORECAST_DIMS} first", "transpose it")
        elif bool(variable.isnull().any()):
            findings.add(str(name), f"{int(variable.isnull().sum())} values are NaN", "fill them by name")
    findings.raise_if_any("forecast")


def at_valid_time(actual: xr.DataArray, forecast: xr.Dataset) -> xr.DataArray:
    """What happened in the steps that forecasts are for.

    Parameters
    ----------
    actual : DataArray
        Over time (left-labelled) and others, with the step of the forecast.
    forecast : Dataset
        A forecast, for its `valid_time`.

    Returns
    -------
    DataArray
        Over (init_time, lead_time) and the other dims of `actual`.

    Raises
    ------
    InputError
        If a step is missing, or the steps differ.
    """
    check_forecast(forecast)
    series = checked_series(actual, "actual")
    lead = forecast.indexes["lead_time"]
    if len(lead) > 1:
        _require_same_step(step_of(series), lead)
    position = positions(series, forecast["valid_time"].to_numpy(), "actual")
    picked = series.to_numpy()[position]
    coords = {n: c for n, c in series.coords.items() if "time" not in c.dims}
    dims = (*FORECAST_DIMS[:2], *series.dims[1:])
    result = xr.DataArray(picked, dims=dims, coords=coords, attrs=series.attrs, name=series.name)
    return result.assign_coords({d: forecast[d] for d in (*FORECAST_DIMS[:2], "valid_time")})


def positions(series: xr.DataArray, times: TimeArray, what: str) -> npt.NDArray[np.intp]:
    """Return the positions of steps in a series; an error names those it does not have."""
    index = series.indexes["time"]
    found: npt.NDArray[np.intp] = index.get_indexer(times.ravel()).reshape(times.shape)
    if (found < 0).any():
        absent = pd.DatetimeIndex(np.unique(times[found < 0]))
        shown = ", ".join(f"{t:%Y-%m-%dT%H:%MZ}" for t in absent[:_N_SHOWN])
        findings = Findings()
        covers = f"it covers {index[0]:%Y-%m-%dT%H:%MZ} to {index[-1]:%Y-%m-%dT%H:%MZ}"
        findings.add(what, f"{len(absent)} step(s) it does not have: {shown}; {covers}", "give a longer one")
        findings.raise_if_any("forecast")
    return found


def checked_series(series: xr.DataArray, what: str) -> xr.DataArray:
    """Return a series with time first, without NaN, on a regular axis; or raise an error."""
    findings = Findings()
    if "time" not in series.dims:
        findings.add(what, f"dims {series.dims}, expected time among them", "give a series over time")
    elif not bool(np.isfinite(series).all()):
        count = int((~np.isfinite(series)).sum())
        findings.add(what, f"{count} values are NaN or infinite", "fill them by name")
    for dim in series.dims:
        if dim in series.indexes and series.indexes[dim].has_duplicates:
            findings.add(what, f"repeats labels of {dim}", "keep one of each")
    findings.raise_if_any("forecast")
    step_of(series)
    return series.transpose("time", ...)


def forecast_axes(
    series: xr.DataArray, init_times: pd.DatetimeIndex, lead_times: pd.TimedeltaIndex
) -> tuple[TimeArray, npt.NDArray[np.timedelta64], np.timedelta64]:
    """Return init times, lead times and step of a forecast on the steps of a series; refuse others."""
    findings, step = Findings(), step_of(series)
    findings.extend(lead_findings(lead_times))
    init = to_xarray_time(to_utc_index(init_times)).astype("datetime64[ns]")
    if not len(init) or np.isnat(init).any() or (np.diff(init) <= np.timedelta64(0)).any():
        findings.add("init_times", "must be rising, at least one", "sort them, each once")
    findings.raise_if_any("forecast")
    lead = lead_times.to_numpy().astype("timedelta64[ns]")
    first = series["time"].to_numpy()[0]
    if ((init - first) % step != np.timedelta64(0)).any():
        findings.add("init_times", f"not on the steps of {pd.Timedelta(step)}", "round them down to steps")
    if (lead % step != np.timedelta64(0)).any():
        findings.add("lead_times", f"no multiples of the step {pd.Timedelta(step)}", "give multiples")
    findings.raise_if_any("forecast")
    return init, lead, step


def _require_same_step(step: np.timedelta64, lead: pd.TimedeltaIndex) -> None:
    findings = Findings()
    if lead[1] - lead[0] != pd.Timedelta(step):
        what = f"step {pd.Timedelta(step)}, lead times lie {lead[1] - lead[0]} apart"
        findings.add("actual", what, "bring both to one step (resample_mean)")
    findings.raise_if_any("forecast")


def lead_findings(lead: pd.Index) -> Findings:
    """Return what is wrong with lead times."""
    findings = Findings()
    if not isinstance(lead, pd.TimedeltaIndex):
        kind = getattr(lead, "dtype", type(lead).__name__)
        findings.add("lead_time", f"is of type {kind}, expected timedelta64", "give a pandas.TimedeltaIndex")
    elif lead.hasnans:
        findings.add("lead_time", "holds NaT", "leave it out")
    elif not len(lead) or lead[0] < NO_LATENCY or len(set(np.diff(lead))) > 1 or not lead.is_unique:
        findings.add("lead_time", "must be rising in equal steps from 0 or later", "resample it")
    elif not lead.is_monotonic_increasing:
        findings.add("lead_time", "must be rising", "sort it")
    return findings
