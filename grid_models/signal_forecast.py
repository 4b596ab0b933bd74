"""Forecasts of signals: every member of a generation forecast dispatched, and told at the sites.

A forecast has dims (init_time, lead_time, member): it is made at `init_time` from what was known then, and
holds for the step that starts at `init_time + lead_time`. It is published `latency` later. What is computed
here for one `init_time` reads that forecast and nothing else, so that no later weather can change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from grid_models.dispatch import dispatch_dataset, solve_all
from grid_models.lp import always_on
from grid_models.signals import DEFAULT_THETA, signals
from grid_models.windows import curtailed_by_cause
from weather import Findings, SolverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from grid_models._arrays import FloatArray
    from grid_models.engine import DispatchEngine

_RUN = ("init_time", "lead_time", "member")
_NO_LATENCY = pd.Timedelta(0)


def forecast_signals(
    engine: DispatchEngine,
    generation: xr.Dataset,
    load: xr.DataArray,
    sites: pd.DataFrame,
    site_max_p_mw: xr.DataArray,
    *,
    theta: float = DEFAULT_THETA,
    latency: pd.Timedelta = _NO_LATENCY,
    client: Client | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Signals at sites as they were forecast, member by member.

    Memory is that of the result and of one `init_time`: the dispatch of each is dropped when its signals are
    known.

    Parameters
    ----------
    engine : DispatchEngine
        The grid, its objective and limits.
    generation : Dataset
        `available_p_mw` (init_time, lead_time, member, unit) of every unit; without member there is one. [MW]
    load : DataArray
        Forecast of load at every bus without the sites, (init_time, lead_time, bus), or with its own member
        for each member of `generation`. [MW]
    sites : DataFrame
        Index site, column bus.
    site_max_p_mw : DataArray
        What each site can draw, over site and any of init_time, lead_time and member. [MW]
    theta : float
        Least relief per MW of load that makes load welcome. [1]
    latency : Timedelta
        From `init_time` until the forecast is published.
    client : distributed.Client, optional
        Dispatch on its workers.
    progress : callable, optional
        Called with (steps done, steps in all) after each `init_time`.

    Returns
    -------
    Dataset
        Over (init_time, lead_time, member, site): `absorbable_p_mw` [MW], `marginal_curtailment` [1],
        `marginal_co2_kg_per_mwh` [kg/MWh] and `lmp_per_mwh` or `marginal_cost_per_mwh` as in `signals`
        [currency/MWh]. Over (init_time, lead_time, member): `curtailed_p_mw` of the whole grid and its parts
        by cause [MW]. Coordinates `valid_time` (init_time, lead_time), the start of the step, and
        `published_time` (init_time).

    Raises
    ------
    InputError
        Axes that do not match, NaN, negative power: all at once.
    SolverError
        A step without an optimum, with its `init_time`.
    """
    available, demand, most = _checked(engine, generation, load, sites, site_max_p_mw, latency)
    n_init, n_lead, n_member = (available.sizes[dim] for dim in _RUN)
    parts = []
    for i in range(n_init):
        block = [array.isel(init_time=i).to_numpy() for array in (available, demand, most)]
        valid = available["init_time"].to_numpy()[i] + available["lead_time"].to_numpy()
        try:
            told = _members_told(engine, sites, valid, *block, theta=theta, client=client)
        except SolverError as error:
            init = np.datetime_as_string(available["init_time"].to_numpy()[i], unit="m")
            raise SolverError(
                f"forecast of {init}Z (steps count members within lead times): {error}"
            ) from error
        parts.append(told)
        if progress is not None:
            progress((i + 1) * n_lead * n_member, n_init * n_lead * n_member)
    result = xr.concat(parts, dim="init_time", join="exact", combine_attrs="identical")
    coords = {dim: available[dim].to_numpy() for dim in _RUN}
    result = result.assign_coords(coords | {"site": sites.index.to_numpy(dtype=object)})
    init_time = result["init_time"].to_numpy()
    lead_time = result["lead_time"].to_numpy()
    return result.assign_coords(
        valid_time=(("init_time", "lead_time"), init_time[:, None] + lead_time),
        published_time=("init_time", init_time + latency.to_timedelta64()),
    ).assign_attrs(latency_s=latency.total_seconds())


def available_at(forecast: xr.Dataset, now: pd.Timestamp) -> xr.Dataset:
    """Only what had been published by `now`.

    Parameters
    ----------
    forecast : Dataset
        Over init_time and others, with the coordinate `published_time` (init_time).
    now : Timestamp
        An instant in a stated zone.

    Returns
    -------
    Dataset
        The forecasts published until then; none if there are none.
    """
    _check_now(forecast, now)
    instant = np.datetime64(now.tz_convert("UTC").tz_localize(None))
    return forecast.isel(init_time=forecast["published_time"].to_numpy() <= instant)


def latest_at(forecast: xr.Dataset, now: pd.Timestamp) -> xr.Dataset:
    """Latest forecast that had been published by `now`, over the time it is for.

    Parameters
    ----------
    forecast : Dataset
        As for `available_at`, with the coordinate `valid_time`.
    now : Timestamp
        An instant in a stated zone.

    Returns
    -------
    Dataset
        Over time (start of each step, UTC) instead of init_time and lead_time: the step that `now` lies in,
        and those after it.

    Raises
    ------
    InputError
        If nothing had been published, or it had run out.
    """
    published = available_at(forecast, now)
    findings = Findings()
    where = f"forecast at {now.isoformat()}"
    if not published.sizes["init_time"]:
        first = pd.Timestamp(forecast["published_time"].to_numpy().min())
        findings.add(where, f"nothing was published before {first.isoformat()}Z", "ask later")
        findings.raise_if_any("latest forecast")
    newest = int(published["published_time"].to_numpy().argmax())
    latest = published.isel(init_time=newest, drop=True)
    lead = forecast["lead_time"].to_numpy()
    start = published["valid_time"].to_numpy()[newest]
    instant = np.datetime64(now.tz_convert("UTC").tz_localize(None))
    ahead = start + (lead[1] - lead[0]) > instant
    if not ahead.any():
        end = pd.Timestamp(start[-1] + (lead[1] - lead[0]))
        findings.add(where, f"the latest one ended at {end.isoformat()}Z", "forecast further or more often")
    findings.raise_if_any("latest forecast")
    kept = latest.isel(lead_time=ahead).drop_vars("valid_time", errors="ignore")
    return kept.rename(lead_time="time").assign_coords(time=start[ahead])


def _members_told(
    engine: DispatchEngine,
    sites: pd.DataFrame,
    valid_time: np.typing.NDArray[np.datetime64],
    available: FloatArray,
    load: FloatArray,
    site_max: FloatArray,
    *,
    theta: float,
    client: Client | None,
) -> xr.Dataset:
    """Signals of one forecast from arrays (lead_time, member, ...)."""
    shape = available.shape[:2]
    flat = [np.ascontiguousarray(a.reshape(-1, a.shape[-1])) for a in (available, load, site_max)]
    time = xr.DataArray(np.repeat(valid_time, shape[1]), dims="time")
    inputs = always_on(engine.problem, flat[1], flat[0])
    solved = solve_all(engine, inputs, client=client)
    baseline = dispatch_dataset(engine, time, solved, inputs, np.zeros_like(flat[1]))
    told = signals(engine, baseline, sites, flat[0], flat[2], theta=theta, alone=False)
    data = {
        name: xr.Variable(("lead_time", "member", "site"), value.to_numpy().reshape(*shape, -1), value.attrs)
        for name, value in told.items()
    }
    totals = {"curtailed_p_mw": baseline["curtailed_p_mw"].sum("unit").to_numpy()}
    totals |= {f"curtailed_{k}_p_mw": v for k, v in curtailed_by_cause(baseline).items()}
    attrs = {"units": "MW", "cell_methods": "time: mean"}
    data |= {k: xr.Variable(("lead_time", "member"), v.reshape(shape), attrs) for k, v in totals.items()}
    return xr.Dataset(data, attrs=told.attrs)


def _checked(
    engine: DispatchEngine,
    generation: xr.Dataset,
    load: xr.DataArray,
    sites: pd.DataFrame,
    site_max_p_mw: xr.DataArray,
    latency: pd.Timedelta,
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Available power, load and largest site load in one order of dims, or an error with all findings."""
    findings, grid = Findings(), engine.grid
    if "available_p_mw" not in generation:
        findings.add("generation", "has no variable 'available_p_mw'", "give a forecast of it")
        findings.raise_if_any("signal forecast")
    available = generation["available_p_mw"]
    if "member" not in available.dims and "init_time" in available.dims:
        available = available.expand_dims(member=[0])
    _axes_findings(available, findings)
    if latency < _NO_LATENCY:
        findings.add("latency", f"{latency}", "a forecast is not published before it is made")
    findings.raise_if_any("signal forecast")
    run = {dim: available[dim].to_index() for dim in _RUN}
    labels = {"unit": grid.units.index, "bus": grid.buses.index, "site": sites.index}
    arrays = []
    for name, array, own, free in (
        ("available_p_mw", available, "unit", ()),
        ("load_p_mw", load, "bus", ("member",)),
        ("site_max_p_mw", site_max_p_mw, "site", _RUN),
    ):
        expected = {**run, own: labels[own]}
        fine = _array_findings(name, array, expected, free, findings)
        if fine:
            ordered = array.sel({own: labels[own].to_numpy(dtype=object)}).drop_vars(
                array.coords, errors="ignore"
            )
            missing = {dim: len(run[dim]) for dim in free if dim not in array.dims}
            arrays.append(ordered.expand_dims(missing).transpose(*_RUN, own))
    findings.raise_if_any("signal forecast")
    coords = {dim: available[dim].to_numpy() for dim in _RUN}
    return arrays[0].assign_coords(coords), arrays[1], arrays[2]


def _axes_findings(available: xr.DataArray, findings: Findings) -> None:
    """Add what is wrong with the axes of a forecast."""
    if set(available.dims) != {*_RUN, "unit"}:
        findings.add("available_p_mw", f"dims {available.dims}", f"give it over {(*_RUN, 'unit')}")
        return
    init, lead = available["init_time"].to_index(), available["lead_time"].to_index()
    if not isinstance(init, pd.DatetimeIndex) or not init.is_monotonic_increasing or not init.is_unique:
        findings.add("init_time", "must be instants in UTC, rising", "sort them, each once")
    if not isinstance(lead, pd.TimedeltaIndex):
        findings.add("lead_time", f"is of type {lead.dtype}, expected timedelta64", "give it as a duration")
    elif len(lead) < 2 or (lead < _NO_LATENCY).any() or len(set(np.diff(lead))) != 1 or lead[1] <= lead[0]:
        findings.add(
            "lead_time", "must be at least two, rising, in equal steps from 0 or later", "resample it"
        )


def _array_findings(
    name: str,
    array: xr.DataArray,
    expected: dict[str, pd.Index],
    free: tuple[str, ...],
    findings: Findings,
) -> bool:
    """Add what is wrong with one array; whether nothing is. Dims in `free` may be absent."""
    needed = set(expected) - set(free)
    if not needed <= set(array.dims) <= set(expected):
        findings.add(name, f"dims {array.dims}", f"give it over {tuple(expected)}; may lack {free or 'none'}")
        return False
    before = len(list(findings))
    for dim in array.dims:
        given, own = array[dim].to_index(), expected[str(dim)]
        if str(dim) not in _RUN:
            unknown = own.symmetric_difference(given)
            if len(unknown) or given.has_duplicates:
                findings.add(
                    f"{name}: {dim}", f"{list(unknown[:3])} missing, unknown or twice", "give each once"
                )
        elif not given.equals(own):
            findings.add(f"{name}: {dim}", "is not that of the generation forecast", "bring them to one axis")
    if not bool((array >= 0.0).all()):
        findings.add(name, "holds NaN or negative values", "powers are 0 MW or above; fill gaps by name")
    return len(list(findings)) == before


def _check_now(forecast: xr.Dataset, now: pd.Timestamp) -> None:
    findings = Findings()
    if now.tzinfo is None:
        findings.add("now", f"{now} has no zone", "give it in UTC")
    if "published_time" not in forecast.coords:
        findings.add(
            "forecast", "has no coordinate 'published_time' (init_time)", "make it with forecast_signals"
        )
    findings.raise_if_any("forecast")
