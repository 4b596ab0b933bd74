"""Fitting of errors to pairs of forecast and actual: their checks, growth and correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from weather._types import FloatArray, IntArray
from weather.errors import Finding, Findings, InputError
from weather.forecasts._conditional import Conditional
from weather.forecasts._noise import decay_time, root_of
from weather.forecasts.contract import TimeArray, at_valid_time, measure_findings
from weather.timeaxis import step_of

__all__ = [
    "Dependence",
    "bucket_findings",
    "checked_pairs",
    "dark_findings",
    "fitted_dependence",
    "fitted_growth",
    "flat_pairs",
    "hour_of_day",
    "label_findings",
    "one_member",
    "range_findings",
    "require_all_hours",
]

_N_LAGS: Final = 12
_MIN_RUNS: Final = 30


@dataclass(frozen=True)
class Dependence:
    """Correlation of what is drawn.

    Attributes
    ----------
    decay : float
        Correlation of neighbouring steps. [1]
    root : ndarray
        Root of the correlation of units, (unit, unit).
    """

    decay: float
    root: FloatArray


def checked_pairs(
    forecast: xr.Dataset, actual: xr.DataArray, capacity: xr.DataArray | float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return forecast and actual in shares of capacity, (init_time, lead_time, unit), and the capacity."""
    value, findings = one_member(forecast, str(actual.name)), Findings()
    if not isinstance(capacity, xr.DataArray):
        remedy = "give a DataArray with the labels of the pairs"
        raise InputError("error model", [Finding("capacity", f"a {type(capacity).__name__}", remedy)])
    happened = at_valid_time(actual, forecast)
    rest = [dim for dim in value.dims if dim not in ("init_time", "lead_time")]
    if len(rest) != 1 or set(capacity.dims) != set(rest) or set(happened.dims) != set(value.dims):
        what = (
            f"dims {rest} of the forecast, {happened.dims[2:]} of what happened, {capacity.dims} of capacity"
        )
        findings.add("pairs", what, "give all three over one dim of units or sites")
        findings.raise_if_any("error model")
    labels = {rest[0]: value[rest[0]].to_numpy()}
    findings.extend(label_findings("forecast", value, str(rest[0])))
    findings.extend(measure_findings(forecast=value, actual=actual, capacity=capacity))
    for what, array in (("actual", happened), ("capacity", capacity)):
        findings.extend(label_findings(what, array, str(rest[0])))
        missing = set(labels[rest[0]]) - set(array[rest[0]].to_numpy())
        if missing:
            findings.add(what, f"lacks {sorted(map(str, missing))[:3]}", "give every unit of the forecast")
    if forecast.sizes["init_time"] < _MIN_RUNS:
        few = f"{forecast.sizes['init_time']} runs"
        findings.add("forecast", few, f"give {_MIN_RUNS} at least: errors are fitted to them")
    findings.raise_if_any("error model")
    most = capacity.sel(labels).to_numpy().astype(float)
    if not ((most > 0.0) & np.isfinite(most)).all():
        findings.add(
            "capacity", "is not above 0 everywhere, or not finite", "leave out units without capacity"
        )
        findings.raise_if_any("error model")
    made = value.to_numpy() / most
    came = happened.sel(labels).transpose("init_time", "lead_time", rest[0]).to_numpy() / most
    range_findings("forecast", made, findings)
    range_findings("actual", came, findings)
    findings.raise_if_any("error model")
    return made, came, most


def one_member(forecast: xr.Dataset, name: str) -> xr.DataArray:
    """Return the variable of a forecast of one member, without member."""
    findings = Findings()
    if name not in forecast:
        findings.add(name, f"not in the forecast, which has {', '.join(map(str, forecast))}", "rename it")
    elif forecast.sizes.get("member", 0) != 1:
        what = f"{forecast.sizes.get('member', 0)} members"
        findings.add("member", what, "give one forecast, such as the members' mean")
    findings.raise_if_any("error model")
    return forecast[name].isel(member=0, drop=True).transpose("init_time", "lead_time", ...)


def label_findings(what: str, array: xr.DataArray, dim: str) -> Findings:
    """Return what keeps labels from naming units: none, no texts, or one of them twice."""
    findings = Findings()
    if dim not in array.indexes:
        findings.add(what, f"has no labels of {dim}", "name them")
        return findings
    index = array.indexes[dim]
    if not all(isinstance(label, str) for label in index):
        findings.add(what, f"labels of {dim} are no texts", "name them by texts")
    if index.has_duplicates:
        findings.add(what, f"repeats labels of {dim}", "keep one of each")
    return findings


def bucket_findings(bucket: pd.Timedelta, step: np.timedelta64) -> Findings:
    """Return what is wrong with the length of buckets of lead times."""
    findings = Findings()
    if not isinstance(bucket, pd.Timedelta):
        findings.add("bucket", f"{bucket!r} is no duration", "give a pandas.Timedelta")
    elif bucket <= pd.Timedelta(0) or bucket % pd.Timedelta(step) != pd.Timedelta(0):
        findings.add("bucket", f"{bucket}", f"give a multiple of the step {pd.Timedelta(step)}")
    return findings


def dark_findings(dark: xr.DataArray, dim: str, units: tuple[str, ...]) -> Findings:
    """Return what keeps `dark` from telling of all units whether there is no sun."""
    findings = Findings()
    if set(dark.dims) != {"time", dim}:
        findings.add("dark", f"dims {dark.dims}", f"give it over time and {dim}")
        return findings
    if dark.dtype != np.bool_:
        findings.add("dark", f"of type {dark.dtype}, expected bool", "give whether there is no sun")
    findings.extend(label_findings("dark", dark, dim))
    missing = set(units) - set(dark.indexes[dim]) if dim in dark.indexes else set()
    if missing:
        findings.add("dark", f"lacks {sorted(missing)[:3]}", "give every unit of the model")
    return findings


def range_findings(what: str, share: FloatArray, findings: Findings) -> None:
    outside = int((~((share >= 0.0) & (share <= 1.0 + 1e-9))).sum())
    if outside:
        findings.add(what, f"{outside} values are NaN or outside 0 to capacity", "check unit and capacity")


def require_all_hours(klass: IntArray, of: IntArray) -> None:
    """Refuse buckets of lead time that do not see every hour of the day."""
    findings = Findings()
    for b in np.unique(of):
        hours = len(np.unique(klass[:, of == b]))
        if hours < 24:
            what = f"bucket {b} of lead times has pairs at {hours} hours of the day only"
            findings.add("bucket", what, "take buckets of whole days, or by_hour=False")
    findings.raise_if_any("error model")


def flat_pairs(
    level: FloatArray, target: FloatArray, used: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return both as (sample, unit), of some lead times."""
    n_unit = level.shape[-1]
    return level[:, used].reshape(-1, n_unit), target[:, used].reshape(-1, n_unit)


def hour_of_day(valid: TimeArray) -> IntArray:
    """Hour of the day, UTC."""
    hour: IntArray = ((valid - valid.astype("datetime64[D]")) // np.timedelta64(1, "h")).astype(np.int64)
    return hour


def fitted_growth(
    series: xr.DataArray, share: FloatArray, error: FloatArray, valid: TimeArray, first_lead: np.timedelta64
) -> FloatArray:
    """Factor on the error before the first lead time: persistence over the fitted error, at most 1.

    Persistence is that of the departure from the mean of the time of day, over the steps of the pairs.
    """
    time = series["time"].to_numpy()
    used = np.isin(time, valid)
    since = time - time.astype("datetime64[D]")
    departure = np.zeros_like(share)
    for moment in np.unique(since[used]):
        here = since == moment
        departure[here] = share[here] - share[here & used].mean(axis=0)
    fitted = np.sqrt((error**2).mean(axis=(0, 1)))
    n_early = int(first_lead // step_of(series))
    growth = np.ones((n_early, share.shape[1]))
    for k in range(n_early):
        both = used[k + 1 :] & used[: -(k + 1)]
        if both.any():
            change = (departure[k + 1 :] - departure[: -(k + 1)])[both]
            growth[k] = np.sqrt((change**2).mean(axis=0)) / np.where(fitted > 0.0, fitted, 1.0)
    return np.minimum(np.maximum.accumulate(growth, axis=0), 1.0)


def fitted_dependence(
    conditional: Conditional, table: IntArray, klass: IntArray, level: FloatArray, target: FloatArray
) -> Dependence:
    """Correlation over units, and over lead time, of what is left when the level is known."""
    counts = ((level > 0.0) | (target > 0.0)).astype(float)
    wide = np.broadcast_to(table, klass.shape)
    score = ndtri(conditional.probability(wide, klass, level, target)) * counts
    n_unit = level.shape[-1]
    flat, n = score.reshape(-1, n_unit), counts.reshape(-1, n_unit)
    product, together = flat.T @ flat, n.T @ n
    covariance = product / np.maximum(together, 1.0)
    deviation = np.sqrt(np.where(np.diag(covariance) > 0.0, np.diag(covariance), 1.0))
    correlation = covariance / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 1.0)
    variance = (score**2).sum() / max(counts.sum(), 1.0)
    lags = []
    for k in range(1, min(_N_LAGS, level.shape[1] - 1) + 1):
        pairs = (counts[:, k:] * counts[:, :-k]).sum()
        lags.append(float((score[:, k:] * score[:, :-k]).sum() / max(pairs, 1.0) / max(variance, 1e-12)))
    return Dependence(decay_time(np.array(lags)), root_of(correlation))
