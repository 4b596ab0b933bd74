"""Errors of forecasts, fitted to pairs of forecast and actual: members of a forecast, forecasts of a series.

**Given a forecast**, what may happen follows from what happened when the forecast was at this level:
empirical quantiles by bin of the level, by unit, by bucket of lead time and, for solar power, by hour of the
day. What is drawn from them is correlated over units as the fitted pairs were, and over lead time
exponentially (a Gaussian copula [1]_). No value leaves the range of what was measured, and what was always 0
stays 0.

**Given what happens**, a forecast that might have been made of it is drawn in the same way from the forecasts
that were made when this happened. Its noise belongs to the step that is forecast, so that later forecasts of
a step agree with earlier ones. Before the shortest lead time of the pairs the error shrinks as that of
persistence does, but is never larger than the fitted one: forecast = actual + growth(lead) (drawn − actual).
Members around such a forecast come from pairs whose errors were made smaller by the same factor, so that they
stay as reliable.

References
----------
.. [1] P. Pinson et al., "From probabilistic forecasts to statistical scenarios of short-term wind power
   production", Wind Energy 12 (2009), 51-62.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from weather._types import FloatArray, IntArray
from weather.errors import Finding, Findings, InputError
from weather.forecasts._conditional import Conditional, fit_conditional, stack_conditionals
from weather.forecasts._noise import Seed, noise_of_run, noise_over_time
from weather.forecasts._pairs import (
    Dependence,
    bucket_findings,
    checked_pairs,
    dark_findings,
    fitted_dependence,
    fitted_growth,
    flat_pairs,
    hour_of_day,
    label_findings,
    one_member,
    range_findings,
    require_all_hours,
)
from weather.forecasts.contract import (
    NO_LATENCY,
    TimeArray,
    checked_series,
    forecast_axes,
    make_forecast,
    positions,
)
from weather.timeaxis import step_of

__all__ = ["ErrorModel"]

_DAY: Final = pd.Timedelta(days=1)


@dataclass(frozen=True)
class ErrorModel:
    """Errors of a forecast; make it with `ErrorModel.fit`.

    Attributes
    ----------
    name : str
        Variable it is of.
    dim : str
        Dim of units or sites.
    units : tuple of str
        Labels of that dim, in their order.
    capacity : ndarray
        Largest value of each. [unit of the variable]
    step : numpy.timedelta64
        Step of the series.
    by_hour : bool
        Whether the hour of the day matters.
    first_lead, last_lead : numpy.timedelta64
        Range of lead times of the pairs.
    bucket : numpy.timedelta64
        Length of a bucket of lead times, from `first_lead` on.
    growth : ndarray
        Factor on the error at 0, 1, 2, ... steps before `first_lead`, (lead_time, unit), rising to 1. [1]
    happening : Conditional
        What happens given the forecast: one table for each row of `growth`, then one for each bucket.
    forecasting : Conditional
        What is forecast given what happens: one table for each bucket.
    given_forecast, given_actual : Dependence
        Correlation of both.
    """

    name: str
    dim: str
    units: tuple[str, ...]
    capacity: FloatArray
    step: np.timedelta64
    by_hour: bool
    first_lead: np.timedelta64
    last_lead: np.timedelta64
    bucket: np.timedelta64
    growth: FloatArray
    happening: Conditional
    forecasting: Conditional
    given_forecast: Dependence
    given_actual: Dependence

    @classmethod
    def fit(
        cls,
        forecast: xr.Dataset,
        actual: xr.DataArray,
        capacity: xr.DataArray,
        *,
        by_hour: bool = False,
        bucket: pd.Timedelta = _DAY,
    ) -> ErrorModel:
        """Fit to pairs.

        Parameters
        ----------
        forecast : Dataset
            A forecast of one member, with the variable that `actual` is named after; at least 30 runs.
        actual : DataArray
            What happened, over time and the same units or sites, 0 to capacity.
        capacity : DataArray
            Largest value of each unit. [unit of the variable]
        by_hour : bool
            Whether errors depend on the hour of the day (UTC) beside the level: for solar power.
        bucket : Timedelta
            Lead times that are taken together. Where there is one run a day a lead time is an hour of the
            day, so buckets of whole days keep the two apart.

        Returns
        -------
        ErrorModel
            The model; its parameters are arrays.

        Raises
        ------
        InputError
            For axes that do not match, several members, too few runs, values outside 0 to capacity.
        """
        made, happened, most = checked_pairs(forecast, actual, capacity)
        series = checked_series(actual, "actual")
        step = step_of(series)
        bucket_findings(bucket, step).raise_if_any("error model")
        valid, lead = forecast["valid_time"].to_numpy(), forecast["lead_time"].to_numpy()
        n_class = 24 if by_hour else 1
        klass = hour_of_day(valid) if by_hour else np.zeros(valid.shape, dtype=np.int64)
        of = ((lead - lead[0]) // bucket.to_timedelta64()).astype(np.int64)
        if by_hour:
            require_all_hours(klass, of)
        if _DAY.to_timedelta64() % step != np.timedelta64(0):
            what = f"step {pd.Timedelta(step)}"
            raise InputError("error model", [Finding("actual", what, "give one that divides a day")])
        dim = str(series.dims[1])
        share = series.sel({dim: forecast[dim].to_numpy()}).to_numpy() / most
        first = of == 0
        growth = fitted_growth(series, share, (made - happened)[:, first], valid, lead[0])

        def table(level: FloatArray, target: FloatArray, b: int) -> Conditional:
            pairs = flat_pairs(level, target, of == b)
            return fit_conditional(*pairs, klass[:, of == b].ravel(), n_class)

        buckets = range(int(of[-1]) + 1)
        early = [table(happened + g * (made - happened), happened, 0) for g in growth]
        happening = stack_conditionals([*early, *(table(made, happened, b) for b in buckets)])
        forecasting = stack_conditionals([table(happened, made, b) for b in buckets])
        return cls(
            str(series.name),
            dim,
            tuple(map(str, forecast[dim].to_numpy())),
            most,
            step,
            by_hour,
            lead[0],
            lead[-1],
            bucket.to_timedelta64(),
            growth,
            happening,
            forecasting,
            fitted_dependence(happening, of + len(growth), klass, made, happened),
            fitted_dependence(forecasting, of, klass, happened, made),
        )

    def sample(
        self, forecast: xr.Dataset, members: int, seed: int, *, dark: xr.DataArray | None = None
    ) -> xr.Dataset:
        """Members around a forecast: what may happen, given it.

        Parameters
        ----------
        forecast : Dataset
            A forecast of one member, with lead times that were fitted and all units of the model.
        members : int
            Number of members. More of them leave the first ones as they are.
        seed : int
            Seed. Members of a run depend on it, on the run's `init_time` and the run's own values alone.
        dark : DataArray, optional
            Where there is no sun during a step, over time and units (`weather.is_dark`): members are 0 there.

        Returns
        -------
        Dataset
            The forecast with its members.
        """
        _require_drawable(members, seed)
        level, lead = self._level(forecast)
        findings = self._spacing(lead)
        if lead[0] < self.first_lead or lead[-1] > self.last_lead:
            shown = " to ".join(f"{pd.Timedelta(t)}" for t in (self.first_lead, self.last_lead))
            findings.add("lead_time", f"outside the fitted {shown}", "cut the forecast to it")
        findings.raise_if_any("error model")
        valid = forecast["valid_time"].to_numpy()
        values = self._members(level, forecast["init_time"].to_numpy(), valid, lead, members, seed)
        # In the order of the model, as what was drawn is.
        like = forecast[self.name].isel(init_time=0, lead_time=0, member=0, drop=True)
        like = like.sel({self.dim: list(self.units)})
        return self._told(values, like, forecast, members, seed, dark)

    def simulate(
        self,
        actual: xr.DataArray,
        init_times: pd.DatetimeIndex,
        lead_times: pd.TimedeltaIndex,
        members: int,
        seed: int,
        *,
        latency: pd.Timedelta = NO_LATENCY,
        dark: xr.DataArray | None = None,
    ) -> xr.Dataset:
        """Forecasts that might have been made of a series, with errors as fitted.

        They are made of what happens later and an error: a stand-in for a forecast that is not at hand,
        marked by `attrs["simulated"] = 1`. All other forecasts here know nothing of what comes later.

        Parameters
        ----------
        actual : DataArray
            What happens, over time and all units of the model, 0 to capacity.
        init_times : DatetimeIndex
            When forecasts are made, in a stated zone.
        lead_times : TimedeltaIndex
            For how far ahead, from 0 on, at most the longest that was fitted.
        members : int
            Number of members around the forecast.
        seed : int
            Seed. The forecast of a step at a lead time depends on it, on the step and what happens in it
            alone; members on the run's `init_time` as well.
        latency : Timedelta
            From `init_time` until publication.
        dark : DataArray, optional
            As for `sample`.

        Returns
        -------
        Dataset
            The forecast, and `central` (init_time, lead_time, unit): the single forecast that the members lie
            around.
        """
        _require_drawable(members, seed)
        init, lead, step = forecast_axes(actual, init_times, lead_times)
        series = checked_series(actual, "actual")
        self._require(series, step, lead)
        valid = init[:, None] + lead
        share = series.sel({self.dim: list(self.units)}).to_numpy() / self.capacity
        steps, back = np.unique(valid, return_inverse=True)
        happens = share[positions(series, steps, "actual")]
        of = self._bucket(lead)
        drawn = np.empty((self._n_bucket, len(steps), len(self.units)))
        noise = noise_over_time(
            self._stream(seed), steps, step, self.given_actual.decay, self.given_actual.root
        )
        for b in range(self._n_bucket):
            table = np.full(len(steps), b)
            drawn[b] = self.forecasting.at(table, self._class(steps), happens, ndtr(noise))
        back = back.reshape(valid.shape)
        factor = np.ones((len(lead), len(self.units)))
        early = lead < self.first_lead
        factor[early] = self.growth[(lead[early] // self.step).astype(np.int64)]
        central = happens[back] + factor * (drawn[of, back] - happens[back])
        values = self._members(central, init, valid, lead, members, seed)
        like = series.isel(time=0, drop=True).sel({self.dim: list(self.units)})
        empty = make_forecast(
            self.name, values, like, pd.DatetimeIndex(init).tz_localize("UTC"), lead_times, latency=latency
        )
        told = self._told(values, like, empty, members, seed, dark)
        dims = ("init_time", "lead_time", self.dim)
        told["central"] = (dims, self._lit(central, valid, dark) * self.capacity, like.attrs)
        return told.assign_attrs(simulated=1)

    @property
    def _n_bucket(self) -> int:
        return len(self.forecasting.centre)

    def _stream(self, seed: int) -> Seed:
        """Seed with a number of its own: models of other units draw other noise from the same seed."""
        return seed, zlib.crc32("\n".join((self.name, *self.units)).encode())

    def _class(self, valid: TimeArray) -> IntArray:
        return hour_of_day(valid) if self.by_hour else np.zeros(valid.shape, dtype=np.int64)

    def _bucket(self, lead: npt.NDArray[np.timedelta64]) -> IntArray:
        """Bucket of each lead time; the first also for those before it."""
        of: IntArray = np.maximum((lead - self.first_lead) // self.bucket, 0).astype(np.int64)
        return of

    def _table(self, lead: npt.NDArray[np.timedelta64]) -> IntArray:
        """Table of `happening` of each lead time."""
        early = lead < self.first_lead
        return np.where(early, (lead // self.step).astype(np.int64), len(self.growth) + self._bucket(lead))

    def _members(
        self,
        level: FloatArray,
        init: TimeArray,
        valid: TimeArray,
        lead: npt.NDArray[np.timedelta64],
        members: int,
        seed: int,
    ) -> FloatArray:
        """Members (init_time, lead_time, member, unit) given forecasts (init_time, lead_time, unit). [1]."""
        shape = (len(lead), members)
        result = np.empty((len(init), *shape, len(self.units)))
        table, klass = self._table(lead)[:, None], self._class(valid)
        decay, root = self.given_forecast.decay, self.given_forecast.root
        for i in range(len(init)):
            u = ndtr(noise_of_run(self._stream(seed), init[i], shape, decay, root))
            many = np.broadcast_to(level[i][:, None, :], u.shape)
            wide = np.broadcast_to(table, shape), np.broadcast_to(klass[i][:, None], shape)
            result[i] = self.happening.at(*wide, many, u)
        return result

    def _told(
        self,
        values: FloatArray,
        like: xr.DataArray,
        forecast: xr.Dataset,
        members: int,
        seed: int,
        dark: xr.DataArray | None,
    ) -> xr.Dataset:
        """Members as a forecast with the clock of another."""
        lit = self._lit(np.moveaxis(values, 2, 0), forecast["valid_time"].to_numpy(), dark)
        data = xr.DataArray(
            np.moveaxis(lit, 0, 2) * self.capacity,
            dims=("init_time", "lead_time", "member", self.dim),
            coords={n: c for n, c in like.coords.items() if c.dims in ((), (self.dim,))},
            attrs=like.attrs,
        )
        clock = {n: forecast[n] for n in ("init_time", "lead_time", "valid_time", "published_time")}
        told = data.to_dataset(name=self.name).assign_coords(clock | {"member": np.arange(members)})
        attrs = {k: forecast.attrs[k] for k in ("latency_s",) if k in forecast.attrs}
        return told.assign_attrs(attrs | {"method": "error_model", "seed": seed})

    def _lit(self, values: FloatArray, valid: TimeArray, dark: xr.DataArray | None) -> FloatArray:
        """Return values (..., init_time, lead_time, unit) with 0 where it is dark."""
        if dark is None:
            return values
        dark_findings(dark, self.dim, self.units).raise_if_any("error model")
        series = dark.transpose("time", self.dim).sel({self.dim: list(self.units)})
        unlit = series.to_numpy()[positions(series, valid, "dark")]
        lit: FloatArray = np.where(unlit, 0.0, values)
        return lit

    def _level(self, forecast: xr.Dataset) -> tuple[FloatArray, npt.NDArray[np.timedelta64]]:
        """Return a forecast in shares of capacity, (init_time, lead_time, unit), and its lead times."""
        value = one_member(forecast, self.name)
        findings = Findings()
        known = set(map(str, value[self.dim].to_numpy())) if self.dim in value.coords else set()
        if known == set(self.units):
            findings.extend(label_findings("forecast", value, self.dim))
        else:
            what = f"{sorted(known ^ set(self.units))[:3]} missing or not fitted"
            findings.add(self.dim, what, "give the units the model was fitted to")
        findings.raise_if_any("error model")
        level = value.sel({self.dim: list(self.units)}).to_numpy() / self.capacity
        range_findings("forecast", level, findings)
        findings.raise_if_any("error model")
        return level, forecast["lead_time"].to_numpy()

    def _spacing(self, lead: npt.NDArray[np.timedelta64]) -> Findings:
        """Return whether lead times lie another step apart: what is drawn is correlated from step to step."""
        findings = Findings()
        if len(lead) > 1 and lead[1] - lead[0] != self.step:
            what = f"{pd.Timedelta(lead[1] - lead[0])} apart, the model's step is {pd.Timedelta(self.step)}"
            findings.add("lead_time", what, "take all of them, and cut what is drawn")
        return findings

    def _require(self, series: xr.DataArray, step: np.timedelta64, lead: npt.NDArray[np.timedelta64]) -> None:
        """Refuse a series that the model was not fitted to."""
        findings = self._spacing(lead)
        if set(series.dims) - {"time", self.dim}:
            findings.add("actual", f"dims {series.dims}", f"give it over time and {self.dim}")
        named = label_findings("actual", series, self.dim)
        findings.extend(named if self.dim in series.dims else ())
        if step != self.step:
            what = f"step {pd.Timedelta(step)}, the model's is {pd.Timedelta(self.step)}"
            findings.add("actual", what, "resample it")
        if lead[-1] > self.last_lead:
            what = f"{pd.Timedelta(lead[-1])}, the longest that was fitted is {pd.Timedelta(self.last_lead)}"
            findings.add("lead_times", what, "ask for shorter ones")
        if self.dim not in series.dims or not set(self.units) <= set(map(str, series[self.dim].to_numpy())):
            findings.add(self.dim, "not all units of the model are there", f"give {', '.join(self.units)}")
        elif not named:
            range_findings(
                "actual", series.sel({self.dim: list(self.units)}).to_numpy() / self.capacity, findings
            )
        findings.raise_if_any("error model")


def _require_drawable(members: object, seed: object) -> None:
    findings = Findings()
    for name, value, least in (("members", members, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            findings.add(name, f"{value}", f"give an integer >= {least}")
    findings.raise_if_any("error model")
