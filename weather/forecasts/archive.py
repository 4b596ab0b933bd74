"""Forecasts that others made: archived series and runs as read, and the newest one at a time of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather.errors import Findings
from weather.forecasts.contract import (
    FORECAST_DIMS,
    NO_LATENCY,
    check_forecast,
    check_latency,
    checked_series,
    lead_findings,
    make_forecast,
)
from weather.timeaxis import step_of, to_utc_index, to_xarray_time

__all__ = ["archived_days", "archived_runs", "latest"]

_DAY: Final = np.timedelta64(1, "D")
_WEST_H, _EAST_H = -12.0, 14.0
"""Clocks there are, from UTC. [h]"""


def archived_days(
    series: xr.DataArray,
    *,
    issued_before: pd.Timedelta,
    utc_offset_h: float = 0.0,
    latency: pd.Timedelta = NO_LATENCY,
) -> xr.Dataset:
    """Archived series of day-ahead forecasts, issued once for each day.

    Parameters
    ----------
    series : DataArray
        What was forecast for each step, over time and others; named. Days that are not whole are left out.
    issued_before : Timedelta
        From the issue until the day begins: 12 h for a forecast that is made at noon for the next day; 0 for
        a series of what was forecast at least a day before each step (`read(path, variant="previous_day1")`
        of Open-Meteo), which was all known when the day began.
    utc_offset_h : float
        Clock minus UTC in which days begin. [h]
    latency : Timedelta
        From the issue until publication.

    Returns
    -------
    Dataset
        A forecast of one member with one run for each day; lead times cover the day.

    Raises
    ------
    InputError
        If there is no whole day, or days do not begin with a step.

    Examples
    --------
    >>> time = pd.date_range("2020-01-01T08:00", periods=48, freq="h")
    >>> load = xr.DataArray(np.arange(48.0), dims="time", coords={"time": time}, name="load_p_mw")
    >>> ahead = archived_days(load, issued_before=pd.Timedelta("12h"), utc_offset_h=-8.0)
    >>> ahead["init_time"].to_numpy()[0], float(ahead["load_p_mw"].sel(lead_time="12h")[0, 0])
    (np.datetime64('2019-12-31T20:00:00.000000000'), 0.0)
    """
    told = checked_series(series, "series")
    _check_days(told, issued_before, utc_offset_h)
    step, time = step_of(told), told["time"].to_numpy().astype("datetime64[ns]")
    local = time + pd.Timedelta(hours=utc_offset_h).to_timedelta64()
    begins = np.flatnonzero(local == local.astype("datetime64[D]"))
    per_day = int(_DAY // step)
    begins = begins[begins + per_day <= len(time)]
    findings = Findings()
    if _DAY % step != np.timedelta64(0) or not len(begins):
        what = f"{len(time)} steps of {pd.Timedelta(step)} hold no whole day at UTC{utc_offset_h:+g} h"
        findings.add("time", what, "give whole days, and the clock in which they begin")
    findings.raise_if_any("archived forecast")
    values = told.to_numpy()[begins[:, None] + np.arange(per_day)][:, :, None]
    before = issued_before.to_timedelta64()
    return make_forecast(
        str(told.name),
        values,
        told,
        pd.DatetimeIndex(time[begins] - before).tz_localize("UTC"),
        pd.TimedeltaIndex(before + np.arange(per_day) * step),
        latency=latency,
        attrs={"method": "archived"},
    )


def _check_days(series: xr.DataArray, issued_before: pd.Timedelta, utc_offset_h: float) -> None:
    findings = Findings()
    if series.name is None:
        findings.add("series", "has no name", "name it, as in series.rename('load_p_mw')")
    if not isinstance(issued_before, pd.Timedelta):
        findings.add("issued_before", f"{issued_before!r} is no duration", "give a pandas.Timedelta")
    elif issued_before < NO_LATENCY:
        findings.add("issued_before", f"{issued_before}", "a day's forecast is issued before the day begins")
    if not _WEST_H <= utc_offset_h <= _EAST_H:
        what = f"{utc_offset_h} h is no clock on Earth"
        findings.add("utc_offset_h", what, f"give hours from {_WEST_H:g} to {_EAST_H:g}")
    findings.raise_if_any("archived forecast")


def archived_runs(
    runs: Mapping[pd.Timestamp, xr.Dataset | Sequence[xr.Dataset]], *, latency: pd.Timedelta = NO_LATENCY
) -> xr.Dataset:
    """Runs of a weather model as they were read, one file or several members each, as one forecast.

    Parameters
    ----------
    runs : mapping of Timestamp to Dataset or sequence of Dataset
        Weather by the time its run was made, in a stated zone: files do not tell it. Several datasets are
        members, such as `[read(path, variant=f"member{k:02d}") for k in range(1, 31)]`. Steps before the run
        are dropped; all must have the steps that the shortest has.
    latency : Timedelta
        From the run until publication; for global models some hours.

    Returns
    -------
    Dataset
        A forecast of all variables. Its lead times are those that all runs have.

    Raises
    ------
    InputError
        If runs differ in step, variables, sites or number of members, or have no steps in common.

    Notes
    -----
    `pv_power` and `wind_power` take weather over time: take one run, `forecast.isel(init_time=0)`, rename
    `lead_time` to time and give it `valid_time`; members are kept.
    """
    findings = Findings()
    if not runs:
        findings.add("runs", "none given", "give one at least")
    for key in runs:
        if not isinstance(key, pd.Timestamp) or key.tzinfo is None:
            findings.add("runs", f"{key!r} is naive or no time", "give pandas.Timestamp in a stated zone")
    findings.raise_if_any("archived runs")
    check_latency(latency)
    ordered = sorted(runs)
    times = to_utc_index(pd.DatetimeIndex([key.tz_convert("UTC") for key in ordered]))
    whole = [_members_of(runs[key], key) for key in ordered]
    step, like = step_of(whole[0]), whole[0]
    for key, run in zip(times, whole, strict=True):
        _same_findings(f"run of {key:%Y-%m-%dT%H:%MZ}", run, like, step, findings)
    findings.raise_if_any("archived runs")
    leads = [run["time"].to_numpy() - init for run, init in zip(whole, to_xarray_time(times), strict=True)]
    common = set(leads[0][leads[0] >= np.timedelta64(0)].tolist()).intersection(
        *(set(d.tolist()) for d in leads)
    )
    lead = np.array(sorted(common), dtype=leads[0].dtype)
    if not len(lead):
        findings.add("time", "runs have no lead time in common from 0 on", "check when they were made")
    findings.raise_if_any("archived runs")
    parts = []
    for run, ahead, init in zip(whole, leads, to_xarray_time(times), strict=True):
        cut = run.isel(time=np.isin(ahead, lead)).rename(time="lead_time").assign_coords(lead_time=lead)
        parts.append(cut.expand_dims(init_time=[np.datetime64(init, "ns")]))
    told = xr.concat(parts, dim="init_time", join="exact", combine_attrs="override", data_vars="all")
    told = told.transpose(*FORECAST_DIMS, ...)
    init = told["init_time"].to_numpy()
    told = told.assign_coords(
        valid_time=(("init_time", "lead_time"), init[:, None] + told["lead_time"].to_numpy()),
        published_time=("init_time", init + latency.to_timedelta64()),
    ).assign_attrs(method="archived", latency_s=latency.total_seconds())
    check_forecast(told)
    return told


def latest(forecast: xr.Dataset, times: pd.DatetimeIndex, lead_times: pd.TimedeltaIndex) -> xr.Dataset:
    """What the newest forecast published by then says, at each time of use.

    Parameters
    ----------
    forecast : Dataset
        A forecast whose runs may be rarer than `times`.
    times : DatetimeIndex
        Times of use, rising, in a stated zone.
    lead_times : TimedeltaIndex
        Of which steps after a time of use to tell, evenly apart; their starts must be steps of the forecast.
        With 0 alone, what is forecast for the very step.

    Returns
    -------
    Dataset
        A forecast with a run for each time of use, `init_time`, published at once. `issued_time` (init_time,
        lead_time) says when the forecast it takes was made: for each step the newest published one that
        covers it.

    Raises
    ------
    InputError
        If a step is covered by no forecast that was published by then.
    """
    check_forecast(forecast)
    findings = lead_findings(lead_times)
    findings.raise_if_any("latest forecast")
    use = to_xarray_time(to_utc_index(times)).astype("datetime64[ns]")
    lead = lead_times.to_numpy().astype("timedelta64[ns]")
    if not len(use) or (np.diff(use) <= np.timedelta64(0)).any():
        findings.add("times", "must be rising, at least one", "sort them")
    findings.raise_if_any("latest forecast")
    runs, ahead = forecast["init_time"].to_numpy(), forecast.indexes["lead_time"]
    wanted = use[:, None] + lead
    run = np.full(wanted.shape, -1)
    place = np.zeros(wanted.shape, dtype=np.int64)
    order = np.lexsort((runs, forecast["published_time"].to_numpy()))
    for i in order:
        found = ahead.get_indexer((wanted - runs[i]).ravel()).reshape(wanted.shape)
        newer = (found >= 0) & (forecast["published_time"].to_numpy()[i] <= use)[:, None]
        newer &= (run < 0) | (runs[i] >= runs[run])
        run, place = np.where(newer, i, run), np.where(newer, found, place)
    if (run < 0).any():
        t, k = np.argwhere(run < 0)[0]
        what = f"nothing published by {pd.Timestamp(use[t])}Z covers {pd.Timestamp(wanted[t, k])}Z"
        findings.add("forecast", f"{int((run < 0).sum())} step(s), first: {what}", "give more or longer runs")
    findings.raise_if_any("latest forecast")
    at = {
        "init_time": xr.DataArray(run, dims=("use", "ahead")),
        "lead_time": xr.DataArray(place, dims=("use", "ahead")),
    }
    told = forecast.isel(at).drop_vars(["init_time", "lead_time", "valid_time", "published_time"])
    told = told.rename(use="init_time", ahead="lead_time").transpose("init_time", "lead_time", "member", ...)
    return told.assign_coords(
        init_time=use,
        lead_time=lead,
        valid_time=(("init_time", "lead_time"), wanted),
        published_time=("init_time", use),
        issued_time=(("init_time", "lead_time"), runs[run]),
    ).assign_attrs(latency_s=0.0)


def _members_of(run: xr.Dataset | Sequence[xr.Dataset], key: pd.Timestamp) -> xr.Dataset:
    """Return one run over time and member."""
    findings = Findings()
    if isinstance(run, xr.Dataset):
        parts = [run] if "member" in run.dims else [run.expand_dims("member")]
    else:
        parts = [part.expand_dims("member") for part in run]
    if not parts:
        findings.add(f"run {key}", "has no member", "give one at least")
    findings.raise_if_any("archived runs")
    for part in parts[1:]:
        _same_findings(f"member of run {key}", part, parts[0], step_of(parts[0]), findings)
        if not part.indexes["time"].equals(parts[0].indexes["time"]):
            findings.add(f"member of run {key}", "has other steps than the first", "read the same span")
    findings.raise_if_any("archived runs")
    whole = xr.concat(
        parts,
        dim="member",
        join="exact",
        combine_attrs="override",
        data_vars="all",
        coords="minimal",
        compat="override",
    )
    return whole.assign_coords(member=np.arange(whole.sizes["member"]))


def _same_findings(
    where: str, run: xr.Dataset, like: xr.Dataset, step: np.timedelta64, findings: Findings
) -> None:
    """Add how a run differs from another."""
    if step_of(run) != step:
        findings.add(
            where, f"step {pd.Timedelta(step_of(run))}, expected {pd.Timedelta(step)}", "resample it"
        )
    if set(run.data_vars) != set(like.data_vars):
        odd = sorted(map(str, set(run.data_vars) ^ set(like.data_vars)))
        findings.add(where, f"{', '.join(odd)} only in some runs", "request the same variables")
    for dim in set(like.dims) - {"time"}:
        if run.sizes.get(dim) != like.sizes[dim] or (
            dim in like.indexes and not run.indexes[dim].equals(like.indexes[dim])
        ):
            findings.add(where, f"{dim} differs between runs", "request the same ones")
