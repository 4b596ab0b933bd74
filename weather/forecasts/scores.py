"""Scores of forecasts against what happened: CRPS, reliability, bias, errors, skill.

References
----------
.. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation", J. Am.
   Stat. Assoc. 102 (2007), 359-378.
.. [2] C. A. T. Ferro, "Fair scores for ensemble forecasts", Q. J. R. Meteorol. Soc. 140 (2014), 1917-1923.
.. [3] T. M. Hamill, "Interpretation of rank histograms for verifying ensemble forecasts", Mon. Wea. Rev. 129
   (2001), 550-560.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import numpy as np
import xarray as xr

from weather._types import FloatArray
from weather.errors import Findings
from weather.forecasts.contract import at_valid_time, labelled_like, measure_findings

__all__ = ["crps", "forecast_scores", "reliability"]

_LEVELS: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def crps(ensemble: xr.DataArray, observed: xr.DataArray, *, fair: bool = True) -> xr.DataArray:
    """Continuous ranked probability score of an ensemble, at every point.

    Parameters
    ----------
    ensemble : DataArray
        With the dim `member`.
    observed : DataArray
        With the other dims of `ensemble`.
    fair : bool
        Whether to estimate the score of the distribution the members were drawn from [2]_ (one member is
        taken as the whole distribution); False gives the score of the members taken as the distribution.

    Returns
    -------
    DataArray
        Without `member`, in the unit of the ensemble; of one member the absolute error.

    Notes
    -----
    mean |x_i − y| − 1/2 mean |x_i − x_j| [1]_, the second mean over all pairs, or, if fair, over pairs of
    different members. With sorted members sum over pairs i < j of x_j − x_i = sum (2 i − m − 1) x_i.

    Examples
    --------
    >>> members = xr.DataArray([0.0, 2.0], dims="member")
    >>> float(crps(members, xr.DataArray(1.0))), float(crps(members, xr.DataArray(1.0), fair=False))
    (0.0, 0.5)
    """
    values = _paired(ensemble, observed)
    m = values.sizes["member"]
    spread = xr.zeros_like(observed, dtype=float)
    if m > 1:
        weights = 2.0 * np.arange(1, m + 1) - m - 1.0
        ordered = np.sort(values.to_numpy(), axis=values.get_axis_num("member"))
        pairs = xr.DataArray(ordered, dims=values.dims).dot(xr.DataArray(weights, dims="member"))
        spread = pairs / (m * (m - 1.0) if fair else float(m * m))
    result: xr.DataArray = abs(values - observed).mean("member") - spread
    return result.rename("crps").assign_attrs({k: v for k, v in ensemble.attrs.items() if k == "units"})


def reliability(
    ensemble: xr.DataArray,
    observed: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    levels: Sequence[float] = _LEVELS,
) -> xr.Dataset:
    """How often what happened lay where: rank histogram, and how often below each quantile.

    Parameters
    ----------
    ensemble, observed
        As for `crps`.
    where : DataArray, optional
        Which points count, over dims of `observed`; default all. Leave out points where members and
        observation are equal by nature, such as PV at night.
    levels : sequence of float
        Probabilities of quantiles, between 0 and 1; those outside 1/(m + 1) to m/(m + 1) need more members.

    Returns
    -------
    Dataset
        `rank_share` (rank), share of observations with so many members below [3]_, all 1/(m + 1) if the
        ensemble is reliable; `below_share` (level), share of observations below that quantile, `level` if
        reliable, and `interval_share` (level), share within the central interval of that probability.
        `attrs`: `n`, the number of points, and `rank_deviation`, sum of |rank_share − 1/(m + 1)| / 2: the
        share of observations that would have to move. [1]

    Notes
    -----
    Where an observation equals k members it counts in equal parts for the k + 1 ranks it could have, so that
    ties do not make a histogram uneven by themselves. Quantiles lie between members at i/(m + 1).

    Examples
    --------
    >>> members = xr.DataArray([[1.0, 2.0, 3.0]], dims=("time", "member"))
    >>> reliability(members, xr.DataArray([2.5], dims="time"), levels=[0.5])["rank_share"].to_numpy()
    array([0., 0., 1., 0.])
    """
    values = _paired(ensemble, observed)
    m = values.sizes["member"]
    _check_levels(levels, m)
    ones = xr.ones_like(observed, dtype=bool) if where is None else where.broadcast_like(observed)
    counted = ones.transpose(*observed.dims).to_numpy().ravel()
    points = values.transpose(..., "member").to_numpy().reshape(-1, m)[counted]
    happened = observed.transpose(*[d for d in values.dims if d != "member"]).to_numpy().ravel()[counted]
    shares = _rank_shares(points, happened)
    # The rank r of an observation is spread evenly over [r, r + 1]/(m + 1) of probability.
    cumulated = np.concatenate([[0.0], np.cumsum(shares)])
    edges = np.arange(m + 2) / (m + 1.0)
    level = np.asarray(levels, dtype=float)
    below = np.interp(level, edges, cumulated)
    inside = np.interp(0.5 + level / 2, edges, cumulated) - np.interp(0.5 - level / 2, edges, cumulated)
    deviation = 0.5 * float(np.abs(shares - 1.0 / (m + 1.0)).sum())
    return xr.Dataset(
        {
            "rank_share": ("rank", shares),
            "below_share": ("level", below),
            "interval_share": ("level", inside),
        },
        coords={"rank": np.arange(m + 1), "level": level},
        attrs={"n": int(counted.sum()), "rank_deviation": deviation},
    )


def forecast_scores(
    forecast: xr.Dataset,
    actual: xr.DataArray,
    *,
    by: Iterable[Hashable] = ("lead_time",),
    capacity: xr.DataArray | None = None,
    reference: xr.Dataset | None = None,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Bias, errors, CRPS and skill of a forecast.

    Parameters
    ----------
    forecast : Dataset
        A forecast with the variable that `actual` is named after.
    actual : DataArray
        What happened, over time and the other dims of the forecast.
    by : iterable of hashable
        Dims that are kept; over all others points are averaged.
    capacity : DataArray, optional
        What errors are divided by, over dims after `time`, for all their labels and perhaps more; default 1.
        With power [MW], scores are shares.
    reference : Dataset, optional
        A forecast of the same with the same axes but `member`, for the skill.
    where : DataArray, optional
        Which steps of `actual` count (over dims of `actual`); default all.

    Returns
    -------
    Dataset
        Over `by`: `bias` (mean of ensemble mean minus actual), `mae` (of the ensemble's median), `rmse` (of
        the ensemble's mean), `crps` (fair), in the unit of actual over that of capacity; `n` points; and with
        a reference `skill`, 1 − crps / crps of the reference. NaN where no point counts.

    Raises
    ------
    InputError
        For axes that do not match, or NaN.
    """
    kept = tuple(by)
    _check_scored(forecast, actual, kept, capacity, reference)
    scale = None if capacity is None else labelled_like(capacity, actual, "capacity", may_have_more=True)
    counts = None if where is None else labelled_like(where.astype(float), actual, "where")
    counted = None if counts is None else at_valid_time(counts, forecast) > 0.5
    told = _scored(forecast, actual, scale, counted, kept)
    if reference is not None:
        base = _scored(reference, actual, scale, counted, kept)
        told["skill"] = 1.0 - told["crps"] / base["crps"]
    return told


def _check_scored(
    forecast: xr.Dataset,
    actual: xr.DataArray,
    by: tuple[Hashable, ...],
    capacity: xr.DataArray | None,
    reference: xr.Dataset | None,
) -> None:
    """Refuse dims, capacities and references that do not fit, all at once."""
    findings = Findings()
    dims = ("init_time", "lead_time", *(dim for dim in actual.dims if dim != "time"))
    for dim in by:
        if dim not in dims:
            findings.add("by", f"{dim!r} is no dim of the scores", f"use some of {', '.join(map(str, dims))}")
    if capacity is not None and not bool((np.isfinite(capacity) & (capacity > 0.0)).all()):
        findings.add("capacity", "has values that are 0, negative or not finite", "leave those units out")
    if capacity is not None and "time" in capacity.dims:
        findings.add("capacity", "changes over time", "give one value for each label")
    for dim in dims[2:]:
        told, came = forecast.indexes.get(dim), actual.indexes.get(dim)
        if told is not None and came is not None and not told.equals(came):
            findings.add(
                "actual", f"has another {dim} than the forecast", "select those of the forecast, in its order"
            )
    if actual.name in forecast:
        rest = {} if capacity is None else {"capacity": capacity}
        findings.extend(measure_findings(forecast=forecast[actual.name], actual=actual, **rest))
    others = forecast.indexes if reference is None else reference.indexes
    for dim in dims:
        if dim in forecast.indexes and not (dim in others and others[dim].equals(forecast.indexes[dim])):
            findings.add("reference", f"has another {dim} than the forecast", "score both over the same")
    findings.raise_if_any("forecast scores")


def _scored(
    forecast: xr.Dataset,
    actual: xr.DataArray,
    capacity: xr.DataArray | None,
    counted: xr.DataArray | None,
    by: tuple[Hashable, ...],
) -> xr.Dataset:
    """Scores of one forecast, averaged over points that count."""
    observed = at_valid_time(actual, forecast)
    name = str(actual.name)
    if name not in forecast:
        findings = Findings()
        findings.add("actual", f"is named {name!r}", f"the forecast has {', '.join(map(str, forecast))}")
        findings.raise_if_any("forecast scores")
    ensemble = forecast[name]
    scale = xr.DataArray(1.0) if capacity is None else capacity
    middle = xr.DataArray(
        np.median(ensemble.to_numpy(), axis=2), dims=[d for d in ensemble.dims if d != "member"]
    )
    error = (ensemble.mean("member") - observed) / scale
    points = {
        "bias": error,
        "mae": abs(middle - observed) / scale,
        "rmse": error**2,
        "crps": crps(ensemble, observed) / scale,
    }
    over = [dim for dim in observed.dims if dim not in by]
    kept = xr.ones_like(observed, dtype=bool) if counted is None else counted.broadcast_like(observed)
    scores = {key: point.where(kept).mean(over) for key, point in points.items()}
    scores["rmse"] = scores["rmse"] ** 0.5
    return xr.Dataset(scores | {"n": kept.sum(over)})


def _rank_shares(points: FloatArray, happened: FloatArray) -> FloatArray:
    """Share of observations in each rank; ties are spread evenly."""
    m = points.shape[1]
    low = (points < happened[:, None]).sum(axis=1)
    high = (points <= happened[:, None]).sum(axis=1)
    part = 1.0 / (high - low + 1.0)
    change = np.bincount(low, part, m + 2) - np.bincount(high + 1, part, m + 2)
    shares: FloatArray = np.cumsum(change)[: m + 1] / max(len(happened), 1)
    return shares


def _paired(ensemble: xr.DataArray, observed: xr.DataArray) -> xr.DataArray:
    """Return the ensemble with the dims of the observation and member last, or refuse."""
    findings = Findings()
    if set(ensemble.dims) != {*observed.dims, "member"}:
        what = f"dims {ensemble.dims} for observations over {observed.dims}"
        findings.add("ensemble", what, "give it over these and member")
        findings.raise_if_any("scores")
    for dim in observed.dims:
        if ensemble.sizes[dim] != observed.sizes[dim] or (
            dim in ensemble.coords
            and dim in observed.coords
            and not ensemble.indexes[dim].equals(observed.indexes[dim])
        ):
            findings.add(str(dim), "differs between ensemble and observation", "bring both to one axis")
    for name, array in (("ensemble", ensemble), ("observed", observed)):
        if bool(array.isnull().any()):
            findings.add(name, f"{int(array.isnull().sum())} values are NaN", "leave them out first")
    if not ensemble.sizes["member"]:
        findings.add("ensemble", "has no member", "give one at least")
    findings.raise_if_any("scores")
    return ensemble.transpose(*observed.dims, "member")


def _check_levels(levels: Sequence[float], m: int) -> None:
    findings = Findings()
    bad = [level for level in levels if not 0.0 < level < 1.0]
    if bad:
        findings.add("levels", f"{bad}", "give probabilities between 0 and 1")
    if m < 1:
        findings.add("ensemble", "has no member", "give one at least")
    findings.raise_if_any("reliability")
