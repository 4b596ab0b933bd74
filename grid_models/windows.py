"""Windows: runs of steps in which load at a site is welcome."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from grid_models._arrays import BoolArray, FloatArray
from weather import Findings, step_hours, to_utc_index

#: Cause of a window whose dispatch was not given, or in which nothing was curtailed.
NOT_STATED = "not stated"

_COLUMNS = ("site", "start", "end", "energy_mwh", "mean_p_mw", "cause")


def windows(
    signals: xr.Dataset,
    *,
    baseline: xr.Dataset | None = None,
    theta: float = 0.5,
    p_min_mw: float = 1.0,
    max_gap_steps: int = 0,
    min_steps: int = 1,
) -> pd.DataFrame:
    """Windows of every site.

    Parameters
    ----------
    signals : xarray.Dataset
        `marginal_curtailment` [MW/MW] and `absorbable_p_mw` [MW] over (time, site).
    baseline : xarray.Dataset, optional
        Dispatch of the same steps, with `curtailed_oversupply_p_mw` and `curtailed_congestion_p_mw` over
        (time, unit): the source of causes.
    theta : float
        Least marginal curtailment. [MW less curtailed per MW more load]
    p_min_mw : float
        Least absorbable power. [MW]
    max_gap_steps : int
        Gaps up to this many steps are merged into the windows around them.
    min_steps : int
        Shorter windows are left out, after merging.

    Returns
    -------
    pandas.DataFrame
        One row per window, by site and start: site, start and end (UTC, the end is the first instant after
        it), energy_mwh that could be absorbed (gaps count with what they offer), mean_p_mw, and cause: what
        most of the curtailment in the grid is due to during the window, 'oversupply' or 'congestion'
        ('not stated' without `baseline`). The parameters stand in ``attrs``.
    """
    _check(signals, baseline, theta, p_min_mw, max_gap_steps, min_steps)
    time, step_h = to_utc_index(signals), step_hours(signals)
    step = time[1] - time[0]
    power = signals["absorbable_p_mw"].transpose("time", "site").to_numpy()
    welcome = (signals["marginal_curtailment"].transpose("time", "site").to_numpy() >= theta) & (
        power >= p_min_mw
    )
    causes = _causes(baseline)
    rows = []
    for j, site in enumerate(signals["site"].to_numpy()):
        for first, last in _runs(welcome[:, j], max_gap_steps, min_steps):
            energy = float(power[first:last, j].sum()) * step_h
            mean = energy / (step_h * (last - first))
            cause = NOT_STATED if causes is None else _main_cause(causes[first:last])
            rows.append((str(site), time[first], time[last - 1] + step, energy, mean, cause))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table = table.astype({"start": "datetime64[ns, UTC]", "end": "datetime64[ns, UTC]"})
    table.attrs = {
        "theta": theta,
        "p_min_mw": p_min_mw,
        "max_gap_steps": max_gap_steps,
        "min_steps": min_steps,
    }
    return table


def window_statistics(table: pd.DataFrame) -> pd.DataFrame:
    """Number, lengths and energy of the windows of each site.

    Parameters
    ----------
    table : pandas.DataFrame
        Windows, from `windows`.

    Returns
    -------
    pandas.DataFrame
        Index site; n_windows, median_h, mean_h, longest_h and energy_mwh. Sites without windows are absent.
    """
    length = (table["end"] - table["start"]) / pd.Timedelta(hours=1)
    grouped = table.assign(length_h=length).groupby("site", sort=False)
    return grouped.agg(
        n_windows=("length_h", "size"),
        median_h=("length_h", "median"),
        mean_h=("length_h", "mean"),
        longest_h=("length_h", "max"),
        energy_mwh=("energy_mwh", "sum"),
    )


def _check(
    signals: xr.Dataset,
    baseline: xr.Dataset | None,
    theta: float,
    p_min_mw: float,
    max_gap_steps: int,
    min_steps: int,
) -> None:
    """Refuse parameters without a meaning and signals that are not there."""
    findings = Findings()
    if not np.isfinite(theta):
        findings.add("theta", f"{theta}", "give a finite marginal curtailment")
    if not p_min_mw >= 0:
        findings.add("p_min_mw", f"{p_min_mw} MW", "give at least 0 MW")
    if max_gap_steps < 0 or min_steps < 1:
        what = f"max_gap_steps={max_gap_steps}, min_steps={min_steps}"
        findings.add("windows", what, "give max_gap_steps >= 0 and min_steps >= 1")
    for name in ("marginal_curtailment", "absorbable_p_mw"):
        if name not in signals:
            findings.add(name, "missing in the signals", "take them from grid_models.signals")
        elif bool(signals[name].isnull().any()):
            findings.add(name, f"{int(signals[name].isnull().sum())} values are NaN", "compute them anew")
    if baseline is not None and not baseline["time"].equals(signals["time"]):
        findings.add(
            "baseline", "its time axis is not that of the signals", "give the dispatch they come from"
        )
    findings.raise_if_any("windows")


def _runs(is_welcome: BoolArray, max_gap_steps: int, min_steps: int) -> list[tuple[int, int]]:
    """Return first step and first step after each run of true values, gaps merged, short runs left out."""
    edge = np.diff(np.concatenate([[0], is_welcome.astype(np.int8), [0]]))
    merged: list[tuple[int, int]] = []
    for first, last in zip(
        np.flatnonzero(edge == 1).tolist(), np.flatnonzero(edge == -1).tolist(), strict=True
    ):
        if merged and first - merged[-1][1] <= max_gap_steps:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return [(first, last) for first, last in merged if last - first >= min_steps]


def _causes(baseline: xr.Dataset | None) -> FloatArray | None:
    """Return curtailment by oversupply and by congestion in the grid, shape (time, 2). [MW]."""
    if baseline is None:
        return None
    names = ("curtailed_oversupply_p_mw", "curtailed_congestion_p_mw")
    return np.stack([baseline[name].sum("unit").to_numpy() for name in names], axis=1)


def _main_cause(causes: FloatArray) -> str:
    """Return what the larger part of curtailment is due to."""
    oversupply, congestion = causes.sum(axis=0)
    if oversupply + congestion <= 0:
        return NOT_STATED
    return "congestion" if congestion > oversupply else "oversupply"
