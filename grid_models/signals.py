"""What sites are told: how much load is welcome now, and what a megawatt more would relieve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from grid_models.relief import ReliefCurve, ReliefModel

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.engine import DispatchEngine

DEFAULT_THETA = 0.5
"""A megawatt of load is welcome where it relieves at least this much curtailment. [1]"""


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
    load = baseline["load_p_mw"].to_numpy()
    steps = _curtailing_steps(baseline)
    shed, dump = baseline["shed_p_mw"].to_numpy(), baseline["dump_p_mw"].to_numpy()
    together = ReliefModel(engine, bus)
    joint, single = np.zeros_like(site_max_p_mw), np.zeros_like(site_max_p_mw)
    for count, k in enumerate(steps):
        args = (load[k], available_p_mw[k])
        slack = {"shed_p_mw": shed[k], "dump_p_mw": dump[k]}
        joint[k] = together.absorbable(*args, site_max_p_mw[k], theta, **slack)
        if alone:
            for s in np.flatnonzero(site_max_p_mw[k] > 0.0):
                only = np.zeros(len(bus))
                only[s] = site_max_p_mw[k, s]
                single[k, s] = together.absorbable(*args, only, theta, **slack)[s]
        if progress is not None:
            progress(count + 1, len(steps))
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
    bus = engine.grid.bus_index(sites["bus"])
    load = baseline["load_p_mw"].to_numpy()
    curtailed = baseline["curtailed_p_mw"].sum("unit").to_numpy()
    shed = np.maximum(baseline["shed_p_mw"].to_numpy(), 0.0 if shed_p_mw is None else shed_p_mw)
    dump = np.maximum(baseline["dump_p_mw"].to_numpy(), 0.0 if dump_p_mw is None else dump_p_mw)
    model = ReliefModel(engine, bus)
    curves = []
    for k in range(len(load)):
        args = (load[k], available_p_mw[k], site_max_p_mw[k], float(curtailed[k]))
        curves.append(model.relief_curve(*args, shed_p_mw=shed[k], dump_p_mw=dump[k]))
        if progress is not None:
            progress(k + 1, len(load))
    return curves


def _curtailing_steps(baseline: xr.Dataset, least_mw: float = 1e-6) -> IntArray:
    """Steps in which anything is curtailed; elsewhere no load can relieve anything."""
    return np.flatnonzero(baseline["curtailed_p_mw"].sum("unit").to_numpy() > least_mw)
