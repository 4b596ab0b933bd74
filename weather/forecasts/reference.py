"""Forecasts that need no model: persistence, of the last step or of a day, and climatology.

A step is known at `init_time` if it has ended by then; nothing else enters.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.forecasts.contract import (
    NO_LATENCY,
    TimeArray,
    checked_series,
    forecast_axes,
    labelled_like,
    make_forecast,
    positions,
)

__all__ = ["climatology", "persistence", "smart_persistence"]

_DAY: Final = np.timedelta64(1, "D")
_DAYS_PER_YEAR: Final = 365.2425


def persistence(
    actual: xr.DataArray,
    init_times: pd.DatetimeIndex,
    lead_times: pd.TimedeltaIndex,
    *,
    period: pd.Timedelta | None = None,
    latency: pd.Timedelta = NO_LATENCY,
) -> xr.Dataset:
    """Forecast that things stay as they are, or repeat themselves.

    Parameters
    ----------
    actual : DataArray
        A named series over time (left-labelled) and others.
    init_times : DatetimeIndex
        When forecasts are made, in a stated zone, on steps of `actual`.
    lead_times : TimedeltaIndex
        For how far ahead, in steps of `actual` from 0 on.
    period : Timedelta, optional
        After which things repeat: one day gives the same hour of the last day that is known, for solar power
        and load. Default: the step, so that the last step that is known goes on.
    latency : Timedelta
        From `init_time` until publication.

    Returns
    -------
    Dataset
        The forecast, with one member.

    Raises
    ------
    InputError
        If the series does not reach back far enough, or axes do not fit.

    Examples
    --------
    >>> time = pd.date_range("2020-01-01", periods=4, freq="h")
    >>> past = xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="time", coords={"time": time}, name="ghi")
    >>> init, lead = time[2:3].tz_localize("UTC"), pd.to_timedelta([0, 1], unit="h")
    >>> persistence(past, init, lead)["ghi"].to_numpy().ravel()  # the step from 01:00 ends at 02:00
    array([2., 2.])
    """
    series = checked_series(actual, "actual")
    init, lead, step = forecast_axes(series, init_times, lead_times)
    findings = Findings()
    if period is not None and not isinstance(period, pd.Timedelta):
        findings.add("period", f"{period!r} is no duration", "give a pandas.Timedelta")
        findings.raise_if_any("persistence")
    after = step if period is None else period.to_timedelta64().astype("timedelta64[ns]")
    if after <= np.timedelta64(0) or after % step != np.timedelta64(0):
        findings.add("period", f"{period}", f"give a multiple of the step {pd.Timedelta(step)}")
    findings.raise_if_any("persistence")
    back = -(-(lead + step) // after) * after
    source = init[:, None] + lead - back
    values = series.to_numpy()[positions(series, source, "actual")][:, :, None]
    attrs: dict[str, str | float | int] = {
        "method": "persistence",
        "period_s": float(after / np.timedelta64(1, "s")),
    }
    return make_forecast(_name(series), values, series, _utc(init), lead_times, latency=latency, attrs=attrs)


def smart_persistence(
    actual: xr.DataArray,
    clear: xr.DataArray,
    init_times: pd.DatetimeIndex,
    lead_times: pd.TimedeltaIndex,
    *,
    least: float = 0.3,
    latency: pd.Timedelta = NO_LATENCY,
) -> xr.Dataset:
    """Forecast that the sky stays as clear as it is: the last known ratio to a clear sky goes on.

    Parameters
    ----------
    actual : DataArray
        A named series over time and others: irradiance or solar power.
    clear : DataArray
        The same under a clear sky, known in advance, over the same dims; 0 at night. It must cover all steps
        that are forecast. [unit of actual]
    init_times, lead_times
        As for `persistence`.
    least : float
        A step tells of the sky if `clear` is at least this share of its largest value; else the last step
        that does stands in, such as yesterday evening's. [1]
    latency : Timedelta
        From `init_time` until publication.

    Returns
    -------
    Dataset
        The forecast, with one member: ratio times `clear`, at most the largest value known by then, or
        `clear`.

    Raises
    ------
    InputError
        If no step before an `init_time` tells of the sky, `clear` is negative, or 0 throughout where `actual`
        is not, or axes do not fit.
    """
    series = checked_series(actual, "actual")
    cloudless = _clear_sky(clear, series)
    init, lead, step = forecast_axes(series, init_times, lead_times)
    sky = cloudless.to_numpy()
    known = sky[positions(cloudless, series["time"].to_numpy(), "clear")]
    values = series.to_numpy()
    brightest = sky.max(axis=0)
    _check_clear(least, sky, values, brightest)
    is_lit = (known >= least * brightest) & (known > 0.0)
    ratio = np.where(is_lit, values / np.where(is_lit, known, 1.0), np.nan)
    row = np.where(is_lit, np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1)), -1)
    newest = np.maximum.accumulate(row, axis=0)[positions(series, init - step, "actual")]
    # Where the sun never shines nothing tells of the sky, and nothing has to: the forecast is 0.
    newest, ratio = np.where(brightest > 0.0, newest, 0), np.where(brightest > 0.0, ratio, 0.0)
    findings = Findings()
    if (newest < 0).any():
        first = pd.Timestamp(init[int(np.argmax((newest < 0).reshape(len(init), -1).any(axis=1)))])
        findings.add(
            "actual", f"no step in the light before {first}Z", "begin later, or give a longer series"
        )
    findings.raise_if_any("smart persistence")
    last = np.take_along_axis(ratio, newest, axis=0)
    ahead = sky[positions(cloudless, init[:, None] + lead, "clear")]
    largest = np.maximum.accumulate(values, axis=0)[positions(series, init - step, "actual")]
    told = np.minimum(last[:, None] * ahead, np.maximum(ahead, largest[:, None]))[:, :, None]
    return make_forecast(
        _name(series),
        told,
        series,
        _utc(init),
        lead_times,
        latency=latency,
        attrs={"method": "smart_persistence"},
    )


def _clear_sky(clear: xr.DataArray, series: xr.DataArray) -> xr.DataArray:
    """Return the clear sky with the labels of a series, in its order."""
    cloudless, findings = checked_series(clear, "clear"), Findings()
    if set(cloudless.dims) != set(series.dims):
        findings.add("clear", f"dims {cloudless.dims}", f"give it over {', '.join(map(str, series.dims))}")
    findings.raise_if_any("smart persistence")
    return labelled_like(cloudless, series, "clear").transpose(*series.dims)


def _check_clear(least: float, sky: FloatArray, values: FloatArray, brightest: FloatArray) -> None:
    findings = Findings()
    if not 0.0 < least <= 1.0:
        findings.add("least", f"{least} is outside 0 to 1", "give a share above 0")
    if (sky < 0.0).any():
        findings.add("clear", f"{int((sky < 0.0).sum())} values are negative", "it is 0 at night")
    if ((brightest <= 0.0) & (values.max(axis=0) > 0.0)).any():
        findings.add("clear", "is 0 throughout where actual is not", "give the clear sky of the same plants")
    findings.raise_if_any("smart persistence")


def climatology(
    history: xr.DataArray,
    init_times: pd.DatetimeIndex,
    lead_times: pd.TimedeltaIndex,
    members: int,
    *,
    latency: pd.Timedelta = NO_LATENCY,
) -> xr.Dataset:
    """Forecast what happened on other days at this time of the day and year.

    A member is a day of the history, the same distance of whole days for all lead times of a run, so that it
    is a course that was really measured. Days are taken in the order of their distance in the year: with
    one year of history the days just before, with more also those around the same date in earlier years.

    Parameters
    ----------
    history : DataArray
        A named series over time and others. What is later than an `init_time` is not used for it.
    init_times, lead_times
        As for `persistence`.
    members : int
        Number of days.
    latency : Timedelta
        From `init_time` until publication.

    Returns
    -------
    Dataset
        The forecast with its members, the nearest day first.

    Raises
    ------
    InputError
        If fewer days than members are known, or axes do not fit.
    """
    series = checked_series(history, "history")
    init, lead, step = forecast_axes(series, init_times, lead_times)
    start = series["time"].to_numpy()[0]
    nearest = int(-(-(lead[-1] + step) // _DAY))
    most = (init + lead[0] - start) // _DAY
    findings = Findings()
    if members < 1 or members != int(members):
        findings.add("members", f"{members!r}", "give a whole number, one at least")
    elif (most - nearest + 1 < members).any():
        what = f"{max(int(most[0]) - nearest + 1, 0)} days known at {pd.Timestamp(init[0])}Z"
        findings.add("history", what, f"{members} are needed: give a longer history, or begin later")
    findings.raise_if_any("climatology")
    days = np.arange(nearest, int(most.max()) + 1)
    in_year = np.abs((days + _DAYS_PER_YEAR / 2) % _DAYS_PER_YEAR - _DAYS_PER_YEAR / 2)
    order = days[np.lexsort((days, in_year))]
    back = np.stack([order[order <= m][:members] for m in most])
    source = (init[:, None] + lead)[:, :, None] - back[:, None, :] * _DAY
    values: FloatArray = series.to_numpy()[positions(series, source, "history")]
    return make_forecast(
        _name(series),
        values,
        series,
        _utc(init),
        lead_times,
        latency=latency,
        attrs={"method": "climatology"},
    )


def _utc(init: TimeArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(init).tz_localize("UTC")


def _name(series: xr.DataArray) -> str:
    """Return the name of a series, which the forecast's variable has as well."""
    findings = Findings()
    if series.name is None:
        findings.add("series", "has no name", "name it, as in series.rename('available_p_mw')")
    findings.raise_if_any("forecast")
    return str(series.name)
