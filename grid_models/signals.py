"""What sites are told: how much load is welcome now, and what a megawatt more would relieve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from grid_models.dispatch import inputs_of
from grid_models.relief import ReliefCurve, ReliefModel, Slack

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.engine import DispatchEngine

DEFAULT_THETA = 0.5
"""A megawatt of load is welcome where it relieves at least this much curtailment. [1]"""
_BLOCK_STEPS = 96


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
        `absorbable_p_mw` (joint: sites behind the same constraint share it), `absorbable_alone_p_mw` [MW] and
        `marginal_curtailment` [MW less curtailed per MW more load].
    """
    bus = engine.grid.bus_index(sites["bus"])
    inputs, slack = inputs_of(engine, baseline, available_p_mw), _slack(baseline)
    steps = _curtailing_steps(baseline)
    model = ReliefModel(engine, bus)
    joint, single = np.zeros_like(site_max_p_mw), np.zeros_like(site_max_p_mw)
    for first in range(0, len(steps), _BLOCK_STEPS):
        k = steps[first : first + _BLOCK_STEPS]
        given = (inputs.at(k), slack.at(k))
        joint[k] = model.absorbable(given[0], site_max_p_mw[k], theta, given[1])
        for s in range(len(bus) if alone else 0):
            only = np.zeros((len(k), len(bus)))
            only[:, s] = site_max_p_mw[k, s]
            single[k, s] = model.absorbable(given[0], only, theta, given[1])[:, s]
        if progress is not None:
            progress(first + len(k), len(steps))
    marginal = baseline["marginal_curtailment"].to_numpy()[:, bus]
    data = {"absorbable_p_mw": joint, "marginal_curtailment": marginal}
    if alone:
        data["absorbable_alone_p_mw"] = single
    coords = {"time": baseline["time"].to_numpy(), "site": sites.index.to_numpy(dtype=object)}
    result = xr.Dataset({k: (("time", "site"), v) for k, v in data.items()}, coords=coords)
    for name in result.data_vars:
        result[name].attrs.update(
            units="1" if name == "marginal_curtailment" else "MW", cell_methods="time: mean"
        )
    result.attrs.update(theta=theta, grid=engine.grid.name)
    return result


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
    inputs, slack = inputs_of(engine, baseline, available_p_mw), _slack(baseline, shed_p_mw, dump_p_mw)
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
    baseline: xr.Dataset, shed_p_mw: FloatArray | None = None, dump_p_mw: FloatArray | None = None
) -> Slack:
    """What a dispatch sheds, dumps and is short of, or more where more is granted."""
    shed, dump = baseline["shed_p_mw"].to_numpy(), baseline["dump_p_mw"].to_numpy()
    short = (
        baseline["reserve_short_mw"].to_numpy() if "reserve_short_mw" in baseline else np.zeros((len(shed), 2))
    )
    return Slack(
        shed if shed_p_mw is None else np.maximum(shed, shed_p_mw),
        dump if dump_p_mw is None else np.maximum(dump, dump_p_mw),
        short,
    )


def _curtailing_steps(baseline: xr.Dataset, least_mw: float = 1e-6) -> IntArray:
    """Steps in which anything is curtailed; elsewhere no load can relieve anything."""
    return np.flatnonzero(baseline["curtailed_p_mw"].sum("unit").to_numpy() > least_mw)
