"""Windows as they were forecast: those of every member, how probable one is, how long it may still last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pandas as pd
import xarray as xr

from grid_models.windows import (
    WindowRules,
    curtailed_by_cause,
    due_to_causes,
    is_welcome_without_security,
    main_cause,
)
from weather import Findings

_DIMS = ("init_time", "lead_time", "member", "site")
_COLUMNS = ("init_time", "member", "site", "start", "end", "energy_mwh", "mean_p_mw", "cause", "is_open")


def forecast_windows(
    forecast: xr.Dataset,
    *,
    theta: float = 0.5,
    p_min_mw: float = 1.0,
    max_gap_steps: int = 0,
    min_steps: int = 1,
) -> pd.DataFrame:
    """Windows of every site in every member of every forecast.

    Parameters
    ----------
    forecast : xarray.Dataset
        Signals over (init_time, lead_time, member, site), from `forecast_signals`.
    theta, p_min_mw, max_gap_steps, min_steps
        As in `grid_models.windows`.

    Returns
    -------
    pandas.DataFrame
        One row per window: init_time, member, site, start, end (UTC), energy_mwh, mean_p_mw and cause as in
        `grid_models.windows`, and is_open: the forecast ends with the window, which may go on. The parameters
        stand in ``attrs``.
    """
    rules = WindowRules(theta, p_min_mw, max_gap_steps, min_steps)
    told = _checked(forecast, rules)
    power, step = told["absorbable_p_mw"].to_numpy(), _step(told)
    hours = float(step / np.timedelta64(1, "h"))
    curtailed, is_congested = curtailed_by_cause(told), is_welcome_without_security(told, theta)
    init, member, site = (told[dim].to_numpy() for dim in ("init_time", "member", "site"))
    rows = []
    for (i, m, s), found in _found(told, rules):
        here = {cause: total[i, :, m] for cause, total in curtailed.items()}
        due = due_to_causes(power[i, :, m, s], here, is_congested[i, :, m, s])
        for first, last in found:
            energy = float(power[i, first:last, m, s].sum()) * hours
            start, end = (init[i] + told["lead_time"].to_numpy()[0] + k * step for k in (first, last))
            mean, is_open = energy / (hours * (last - first)), last == power.shape[1]
            cause = main_cause(due, slice(first, last))
            rows.append((init[i], member[m], str(site[s]), start, end, energy, mean, cause, is_open))
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"is_open": bool})
    for name in ("init_time", "start", "end"):
        table[name] = table[name].astype("datetime64[ns]").dt.tz_localize("UTC")
    table.attrs = asdict(rules)
    return table


def window_outlook(
    forecast: xr.Dataset,
    *,
    theta: float = 0.5,
    p_min_mw: float = 1.0,
    max_gap_steps: int = 0,
    min_steps: int = 1,
) -> xr.Dataset:
    """Probability that a site is in a window at each step, and how long it then still lasts.

    Parameters
    ----------
    forecast : xarray.Dataset
        Signals over (init_time, lead_time, member, site), from `forecast_signals`.
    theta, p_min_mw, max_gap_steps, min_steps
        As in `grid_models.windows`.

    Returns
    -------
    xarray.Dataset
        `window_probability` (init_time, lead_time, site), the share of members in a window [1];
        `remaining_h` (init_time, lead_time, member, site), from the start of the step to the end of the
        window it lies in, 0 outside [h]: over members its distribution; `is_open` of the same dims, whether
        the window reaches the end of the forecast, so that `remaining_h` is the least it can be. The
        parameters stand in ``attrs``.
    """
    rules = WindowRules(theta, p_min_mw, max_gap_steps, min_steps)
    told = _checked(forecast, rules)
    n_lead = told.sizes["lead_time"]
    remaining = np.zeros([told.sizes[dim] for dim in _DIMS], dtype=np.int64)
    is_open = np.zeros(remaining.shape, dtype=bool)
    for (i, m, s), found in _found(told, rules):
        for first, last in found:
            remaining[i, first:last, m, s] = np.arange(last - first, 0, -1)
            is_open[i, first:last, m, s] = last == n_lead
    hours = remaining * float(_step(told) / np.timedelta64(1, "h"))
    data = {
        "window_probability": (
            ("init_time", "lead_time", "site"),
            (remaining > 0).mean(axis=2),
            {"units": "1", "cell_methods": "time: mean"},
        ),
        "remaining_h": (_DIMS, hours, {"units": "h", "cell_methods": "time: point"}),
        "is_open": (_DIMS, is_open),
    }
    return xr.Dataset(data, coords=told.coords, attrs=asdict(rules))


def _found(
    told: xr.Dataset, rules: WindowRules
) -> Iterator[tuple[tuple[int, int, int], list[tuple[int, int]]]]:
    """Positions of forecast, member and site, and the windows there as first step and step after the last."""
    power, marginal = (told[name].to_numpy() for name in ("absorbable_p_mw", "marginal_curtailment"))
    n_init, _, n_member, n_site = power.shape
    for i, m, s in np.ndindex(n_init, n_member, n_site):
        found = rules.runs(marginal[i, :, m, s], power[i, :, m, s])
        if found:
            yield (i, m, s), found


def _step(told: xr.Dataset) -> np.timedelta64:
    lead = told["lead_time"].to_numpy()
    step: np.timedelta64 = lead[1] - lead[0]
    return step


def _checked(forecast: xr.Dataset, rules: WindowRules) -> xr.Dataset:
    """Return the forecast with its dims in order, or refuse what has no meaning."""
    findings = Findings()
    rules.check(findings)
    for name in ("marginal_curtailment", "absorbable_p_mw"):
        if name not in forecast or set(forecast[name].dims) != set(_DIMS):
            findings.add(name, f"missing, or not over {_DIMS}", "take it from grid_models.forecast_signals")
        elif bool(forecast[name].isnull().any()):
            findings.add(name, f"{int(forecast[name].isnull().sum())} values are NaN", "compute them anew")
    if forecast.sizes.get("lead_time", 0) < 2:
        findings.add("lead_time", "has fewer than two steps", "windows need the length of a step")
    findings.raise_if_any("windows of a forecast")
    return forecast.transpose(*_DIMS, ...)
