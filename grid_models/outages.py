"""Random outages of generators: when each runs and when it is being repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from weather import Findings, step_of, to_utc_index, to_xarray_time

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray
    from grid_models.grid import Grid


def generator_outages(grid: Grid, time: pd.DatetimeIndex, *, seed: int) -> xr.DataArray:
    """Draw which generators are available, as `gen_status` of a dispatch.

    Each generator alternates between running and repair, both of exponential length: a two-state Markov
    process with the means ``mttf_h`` and ``mttr_h`` of its row in the grid's table [1]_. It starts from the
    long-run share of both. Generators without a finite ``mttf_h`` never fail. Every generator has a stream of
    its own, named by its place in the table, and a longer axis continues a shorter one.

    Parameters
    ----------
    grid : Grid
        Its generators have the columns mttf_h and mttr_h; 'rts_gmlc' does. [h]
    time : pandas.DatetimeIndex
        Left labels in a stated zone, regular, at least two.
    seed : int
        Equal seeds give equal outages.

    Returns
    -------
    DataArray (time, gen)
        Share of each step in which a generator is available. [1]

    Raises
    ------
    InputError
        If a mean time to failure comes without one to repair.

    References
    ----------
    .. [1] R. Billinton, R. N. Allan, Reliability Evaluation of Power Systems, 2nd ed., Plenum, 1996,
       chapter 9.
    """
    index = to_utc_index(time)
    step_h = float(step_of(index) / np.timedelta64(1, "h"))
    mttf, mttr = (grid.generators[name].to_numpy(dtype=float) for name in ("mttf_h", "mttr_h"))
    findings = Findings()
    for name, fails, lasts in zip(grid.generators.index, mttf, mttr, strict=True):
        if np.isfinite(fails) and lasts <= 0.0:
            what = f"mttf_h={fails:g} h but mttr_h={lasts:g} h"
            findings.add(f"generators: gen {name!r}", what, "give a mean time to repair above 0 h")
    findings.raise_if_any("generator outages")
    streams = np.random.SeedSequence(seed).spawn(len(mttf))
    status = np.ones((len(index), len(mttf)))
    for k in np.flatnonzero(np.isfinite(mttf)):
        rng = np.random.default_rng(streams[k])
        status[:, k] = _available(rng, float(mttf[k]), float(mttr[k]), len(index), step_h)
    coords = {"time": to_xarray_time(index), "gen": grid.generators.index.to_numpy(dtype=object)}
    attrs = {"units": "1", "cell_methods": "time: mean", "seed": seed}
    return xr.DataArray(status, coords, ("time", "gen"), "gen_status", attrs)


def _available(
    rng: np.random.Generator, mttf_h: float, mttr_h: float, n_step: int, step_h: float
) -> FloatArray:
    """Share of each step that a generator is available."""
    runs = bool(rng.random() < mttf_h / (mttf_h + mttr_h))
    now, end, up = 0.0, n_step * step_h, np.zeros(n_step)
    while now < end:
        until = min(now + float(rng.exponential(mttf_h if runs else mttr_h)), end)
        if runs:
            _fill(up, now / step_h, until / step_h)
        now, runs = until, not runs
    return up


def _fill(up: FloatArray, start: float, end: float) -> None:
    """Add the stretch from `start` to `end`, counted in steps."""
    first, last = int(start), min(int(end), len(up) - 1)
    if first == last:
        up[first] += end - start
        return
    up[first] += first + 1 - start
    up[first + 1 : last] += 1.0
    up[last] += end - last


def whole_steps(status: xr.DataArray, least: float = 1.0) -> xr.DataArray:
    """Round shares of steps to 0 and 1, for methods that know whole steps only.

    Parameters
    ----------
    status : DataArray
        Share of each step. [1]
    least : float
        Share from which a step counts as available; the default counts a step with any outage as lost. [1]
    """
    available: BoolArray = status.to_numpy() >= least - 1e-9
    return status.copy(data=available.astype(float))
