"""What sites are told: how much load is welcome now, what a megawatt more relieves, costs and emits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from grid_models.dispatch import inputs_of
from grid_models.relief import ReliefCurve, ReliefModel, Slack
from weather import Findings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.engine import DispatchEngine

DEFAULT_THETA = 0.5
"""A megawatt of load is welcome where it relieves at least this much curtailment. [1]"""
_BLOCK_STEPS = 96

#: Derivatives that sites are told as the dispatch has them at their bus. A dispatch has one of the last two:
#: a price where it is least cost (`market`), elsewhere a marginal cost, which is no price.
PASSED_ON = ("marginal_curtailment", "marginal_co2_kg_per_mwh", "lmp_per_mwh", "marginal_cost_per_mwh")

_READ = ("load_p_mw", "shed_p_mw", "dump_p_mw", "curtailed_p_mw", *PASSED_ON[:2])


def signals(
    engine: DispatchEngine,
    baseline: xr.Dataset,
    sites: pd.DataFrame,
    available_p_mw: FloatArray,
    site_max_p_mw: FloatArray,
    *,
    theta: float = DEFAULT_THETA,
    alone: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Signals of every step at every site, computed with the sites' own load taken out.

    Parameters
    ----------
    engine : DispatchEngine
        The grid.
    baseline : Dataset
        Its dispatch without flexible load, from `dispatch`.
    sites : DataFrame
        Index site, column bus.
    available_p_mw : ndarray (time, unit)
        What the weather allows, in the grid's order. [MW]
    site_max_p_mw : ndarray (time, site)
        What each site can draw. [MW]
    theta : float
        Least relief per MW of load that makes load welcome. [1]
    alone : bool
        Also compute each site's absorbable power as if it were the only one.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset (time, site)
        `absorbable_p_mw` (joint: sites behind the same constraint share it), `absorbable_alone_p_mw` [MW],
        and what one MW more at the site's bus does: `marginal_curtailment` [MW less curtailed per MW more
        load], `marginal_co2_kg_per_mwh` [kg/MWh], and `lmp_per_mwh` where the dispatch is of least cost,
        `marginal_cost_per_mwh` where it is not: that one is no price [currency/MWh]. Of a dispatch that must
        survive outages also `marginal_curtailment_without_security`, what a MW would relieve if it need not.

    Raises
    ------
    InputError
        Unknown buses, a baseline without what is needed, arrays of other shapes: all but the first at once.
    """
    bus = engine.grid.bus_index(sites["bus"])
    _check(engine, baseline, sites, available_p_mw, site_max_p_mw)
    joint, single = _absorbable(
        engine, baseline, bus, available_p_mw, site_max_p_mw, theta, alone=alone, progress=progress
    )
    power = {"absorbable_p_mw": joint, **({"absorbable_alone_p_mw": single} if alone else {})}
    attrs = {"units": "MW", "cell_methods": "time: mean"}
    data = {name: xr.Variable(("time", "site"), value, attrs) for name, value in power.items()}
    for name in PASSED_ON:
        if name in baseline:
            there = _by_bus(engine, baseline, name)[:, bus]
            data[name] = xr.Variable(("time", "site"), there, baseline[name].attrs)
    if engine.security != "none":
        relieved = _relieved_without_security(engine, baseline, available_p_mw)[:, bus]
        attrs = baseline["marginal_curtailment"].attrs
        data["marginal_curtailment_without_security"] = xr.Variable(("time", "site"), relieved, attrs)
    coords = {"time": baseline["time"].to_numpy(), "site": sites.index.to_numpy(dtype=object)}
    about = {
        key: baseline.attrs[key] for key in ("objective", "security", "currency") if key in baseline.attrs
    }
    return xr.Dataset(data, coords=coords, attrs={"theta": theta, "grid": engine.grid.name, **about})


def relief_curves(
    engine: DispatchEngine,
    baseline: xr.Dataset,
    sites: pd.DataFrame,
    available_p_mw: FloatArray,
    site_max_p_mw: FloatArray,
    *,
    shed_p_mw: FloatArray | None = None,
    dump_p_mw: FloatArray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[ReliefCurve]:
    """Greatest relief against total site load of every step: what the perfect-foresight bound is made of.

    Parameters
    ----------
    engine, baseline, sites, available_p_mw, site_max_p_mw
        As in `signals`.
    shed_p_mw, dump_p_mw : ndarray (time, bus), optional
        Shedding and dumping a policy's own dispatch needed; a step is granted the larger of this and the
        baseline's, so that the policy's dispatch stays among those the bound is taken over. [MW]
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    list of ReliefCurve
        One per step.
    """
    inputs = inputs_of(engine, baseline, available_p_mw)
    slack = _slack(engine, baseline, shed_p_mw, dump_p_mw)
    curtailed = baseline["curtailed_p_mw"].sum("unit").to_numpy()
    model = ReliefModel(engine, engine.grid.bus_index(sites["bus"]))
    curves = []
    for k in range(len(inputs)):
        one = slice(k, k + 1)
        curves.append(
            model.relief_curve(inputs.at(one), site_max_p_mw[k], float(curtailed[k]), slack.at(one))
        )
        if progress is not None:
            progress(k + 1, len(inputs))
    return curves


def _slack(
    engine: DispatchEngine,
    baseline: xr.Dataset,
    shed_p_mw: FloatArray | None = None,
    dump_p_mw: FloatArray | None = None,
) -> Slack:
    """What a dispatch sheds, dumps and is short of, or more where more is granted."""
    shed, dump = (_by_bus(engine, baseline, name) for name in ("shed_p_mw", "dump_p_mw"))
    short = np.zeros((len(shed), 2))
    if "reserve_short_mw" in baseline:
        short = baseline["reserve_short_mw"].to_numpy()
    return Slack(
        shed if shed_p_mw is None else np.maximum(shed, shed_p_mw),
        dump if dump_p_mw is None else np.maximum(dump, dump_p_mw),
        short,
    )


def _absorbable(
    engine: DispatchEngine,
    baseline: xr.Dataset,
    bus: IntArray,
    available_p_mw: FloatArray,
    site_max_p_mw: FloatArray,
    theta: float,
    *,
    alone: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[FloatArray, FloatArray]:
    """Absorbable power of all sites together and of each alone, (time, site). [MW]."""
    inputs, slack = inputs_of(engine, baseline, available_p_mw), _slack(engine, baseline)
    model, steps = ReliefModel(engine, bus), _curtailing_steps(baseline)
    joint, single = np.zeros_like(site_max_p_mw), np.zeros_like(site_max_p_mw)
    for first in range(0, len(steps), _BLOCK_STEPS):
        k = steps[first : first + _BLOCK_STEPS]
        given, allowed = inputs.at(k), slack.at(k)
        joint[k] = model.absorbable(given, site_max_p_mw[k], theta, allowed)
        for s in range(len(bus) if alone else 0):
            only = np.zeros((len(k), len(bus)))
            only[:, s] = site_max_p_mw[k, s]
            single[k, s] = model.absorbable(given, only, theta, allowed)[:, s]
        if progress is not None:
            progress(first + len(k), len(steps))
    return joint, single


def _relieved_without_security(
    engine: DispatchEngine, baseline: xr.Dataset, available_p_mw: FloatArray
) -> FloatArray:
    """MW less curtailed per MW more load if only base-case limits were kept, (time, bus)."""
    inputs, steps = inputs_of(engine, baseline, available_p_mw), _curtailing_steps(baseline)
    result = np.zeros_like(inputs.load_p_mw)
    for first in range(0, len(steps), _BLOCK_STEPS):
        k = steps[first : first + _BLOCK_STEPS]
        result[k] = engine.without_security.solve_many(inputs.at(k)).marginal_curtailment
    return result


def _by_bus(engine: DispatchEngine, baseline: xr.Dataset, name: str) -> FloatArray:
    """Values of the baseline at the grid's buses, in its order, (time, bus)."""
    names = engine.grid.buses.index.to_numpy(dtype=object)
    values: FloatArray = baseline[name].transpose("time", "bus").sel(bus=names).to_numpy()
    return values


def _check(
    engine: DispatchEngine,
    baseline: xr.Dataset,
    sites: pd.DataFrame,
    available_p_mw: FloatArray,
    site_max_p_mw: FloatArray,
) -> None:
    """Refuse what does not belong together."""
    findings = Findings()
    for name in _READ:
        if name not in baseline:
            findings.add(f"baseline: {name}", "missing", "give what grid_models.dispatch returns")
    missing = engine.grid.buses.index.difference(
        baseline["bus"].to_index() if "bus" in baseline.coords else []
    )
    if len(missing):
        findings.add(
            "baseline", f"lacks {len(missing)} buses of the grid: {missing[0]!r}, ...", "give its own"
        )
    for key in ("objective", "security"):
        given, own = baseline.attrs.get(key), getattr(engine, key)
        if given is not None and given != own:
            findings.add(
                f"baseline: {key}", f"{given!r}, that of the engine is {own!r}", "use the same for both"
            )
    for label in sites.index[sites.index.duplicated()].unique():
        findings.add(f"site {label!r}", "appears more than once", "give every site one row")
    n_time = baseline.sizes.get("time", 0)
    shapes = {
        "available_p_mw": (available_p_mw, (n_time, baseline.sizes.get("unit", 0))),
        "site_max_p_mw": (site_max_p_mw, (n_time, len(sites))),
    }
    for name, (array, expected) in shapes.items():
        if np.shape(array) != expected:
            findings.add(
                name, f"shape {np.shape(array)}, expected {expected}", "one row per step of the baseline"
            )
        elif not bool((array >= 0.0).all()):
            findings.add(name, "holds NaN or negative values", "powers are 0 MW or above")
    findings.raise_if_any("signals")


def _curtailing_steps(baseline: xr.Dataset, least_mw: float = 1e-6) -> IntArray:
    """Steps in which anything is curtailed; elsewhere no load can relieve anything."""
    return np.flatnonzero(baseline["curtailed_p_mw"].sum("unit").to_numpy() > least_mw)
