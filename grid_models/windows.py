"""Windows: runs of steps in which load at a site is welcome."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import xarray as xr

from grid_models._arrays import BoolArray, FloatArray
from weather import Findings, step_hours, to_utc_index

#: Cause of a window whose dispatch was not given, or in which nothing was curtailed.
NOT_STATED = "not stated"
#: Causes in the order in which limits are switched on; a dispatch may have others, they follow.
CAUSES = ("oversupply", "system", "congestion", "security")

_COLUMNS = ("site", "start", "end", "energy_mwh", "mean_p_mw", "cause")


@dataclass(frozen=True)
class WindowRules:
    """What makes a window.

    Attributes
    ----------
    theta : float
        Least marginal curtailment. [MW less curtailed per MW more load]
    p_min_mw : float
        Least absorbable power. [MW]
    max_gap_steps : int
        Gaps up to this many steps are merged into the windows around them.
    min_steps : int
        Shorter windows are left out, after merging.
    """

    theta: float = 0.5
    p_min_mw: float = 1.0
    max_gap_steps: int = 0
    min_steps: int = 1

    def check(self, findings: Findings) -> None:
        """Add what has no meaning to `findings`."""
        if not np.isfinite(self.theta):
            findings.add("theta", f"{self.theta}", "give a finite marginal curtailment")
        if not self.p_min_mw >= 0:
            findings.add("p_min_mw", f"{self.p_min_mw} MW", "give at least 0 MW")
        if self.max_gap_steps < 0 or self.min_steps < 1:
            what = f"max_gap_steps={self.max_gap_steps}, min_steps={self.min_steps}"
            findings.add("windows", what, "give max_gap_steps >= 0 and min_steps >= 1")

    def runs(self, marginal_curtailment: FloatArray, absorbable_p_mw: FloatArray) -> list[tuple[int, int]]:
        """First step of each window of one site, and the first one after it."""
        is_welcome = (marginal_curtailment >= self.theta) & (absorbable_p_mw >= self.p_min_mw)
        edge = np.diff(np.concatenate([[0], is_welcome.astype(np.int8), [0]]))
        merged: list[tuple[int, int]] = []
        for first, last in zip(
            np.flatnonzero(edge == 1).tolist(), np.flatnonzero(edge == -1).tolist(), strict=True
        ):
            if merged and first - merged[-1][1] <= self.max_gap_steps:
                merged[-1] = (merged[-1][0], last)
            else:
                merged.append((first, last))
        return [(first, last) for first, last in merged if last - first >= self.min_steps]


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
        Dispatch of the same steps, with curtailment by cause (`curtailed_oversupply_p_mw` and others of that
        form) over (time, unit): the source of causes.
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
        it), energy_mwh that could be absorbed (gaps count with what they offer), mean_p_mw, and cause; last
        the grid, if the signals say so. Tables of several grids may be concatenated. The parameters stand in
        ``attrs``.

    Notes
    -----
    The cause is that of most of a window's energy. What a site can absorb in a step counts as due to
    *oversupply* as far as that much is curtailed for it in the whole grid: it would be welcome without any
    line limit. What goes beyond counts as due to limits of the whole *system*, then to *congestion*, as far
    as that much is curtailed for them, and then to *security*; where load would not be welcome at the site
    without security (`marginal_curtailment_without_security` below θ), nothing is due to congestion. Without
    `baseline`, or where nothing was curtailed, the cause is 'not stated'.
    """
    rules = WindowRules(theta, p_min_mw, max_gap_steps, min_steps)
    _check(signals, baseline, rules)
    time, step_h = to_utc_index(signals), step_hours(signals)
    power = signals["absorbable_p_mw"].transpose("time", "site").to_numpy()
    marginal = signals["marginal_curtailment"].transpose("time", "site").to_numpy()
    is_congested = is_welcome_without_security(signals.transpose("time", "site"), theta)
    curtailed = {} if baseline is None else curtailed_by_cause(baseline)
    rows = []
    for j, site in enumerate(signals["site"].to_numpy()):
        due = due_to_causes(power[:, j], curtailed, is_congested[:, j])
        for first, last in rules.runs(marginal[:, j], power[:, j]):
            energy = float(power[first:last, j].sum()) * step_h
            mean = energy / (step_h * (last - first))
            end = time[last - 1] + (time[1] - time[0])
            rows.append((str(site), time[first], end, energy, mean, main_cause(due, slice(first, last))))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table = table.astype({"start": "datetime64[ns, UTC]", "end": "datetime64[ns, UTC]"})
    if "grid" in signals.attrs:
        table["grid"] = str(signals.attrs["grid"])
    table.attrs = asdict(rules)
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
        Index site, or (grid, site) if the windows are of several grids; n_windows, median_h, mean_h,
        longest_h and energy_mwh. Sites without windows are absent.
    """
    length = (table["end"] - table["start"]) / pd.Timedelta(hours=1)
    by = ["grid", "site"] if "grid" in table and table["grid"].nunique() > 1 else "site"
    grouped = table.assign(length_h=length).groupby(by, sort=False)
    return grouped.agg(
        n_windows=("length_h", "size"),
        median_h=("length_h", "median"),
        mean_h=("length_h", "mean"),
        longest_h=("length_h", "max"),
        energy_mwh=("energy_mwh", "sum"),
    )


def curtailed_by_cause(dispatch: xr.Dataset) -> dict[str, FloatArray]:
    """Curtailment of a whole grid by cause, in the order in which limits are switched on, (...). [MW]

    Parameters
    ----------
    dispatch : xarray.Dataset
        Holds `curtailed_oversupply_p_mw` and others of that form, over unit or already summed over it.
    """
    found = [
        match[1] for name in dispatch.data_vars if (match := re.fullmatch("curtailed_(.+)_p_mw", str(name)))
    ]
    order = [cause for cause in CAUSES if cause in found] + sorted(set(found) - set(CAUSES))
    parts = {cause: dispatch[f"curtailed_{cause}_p_mw"] for cause in order}
    return {k: (v.sum("unit") if "unit" in v.dims else v).to_numpy() for k, v in parts.items()}


def is_welcome_without_security(signals: xr.Dataset, theta: float) -> BoolArray:
    """Whether load would be welcome if no outage had to be survived, in the shape of the signals.

    True everywhere where the signals do not tell, which are those of a dispatch without security.
    """
    name = "marginal_curtailment_without_security"
    told = signals["marginal_curtailment"]
    if name not in signals:
        return np.ones(told.shape, dtype=bool)
    welcome: BoolArray = signals[name].transpose(*told.dims).to_numpy() >= theta
    return welcome


def due_to_causes(
    absorbable_p_mw: FloatArray, curtailed: dict[str, FloatArray], is_congested: BoolArray
) -> dict[str, FloatArray]:
    """What a site can absorb, split by the causes that make it welcome, see the notes of `windows`.

    Parameters
    ----------
    absorbable_p_mw : ndarray
        What it can absorb. [MW]
    curtailed : dict of str to ndarray
        Curtailment of the grid by cause, of that shape, in the order in which limits are switched on. [MW]
    is_congested : ndarray of bool
        Where congestion may be a cause: load would be welcome at the site without security.

    Returns
    -------
    dict of str to ndarray
        Parts, not negative; they add up to what is absorbable or to all that is curtailed. [MW]
    """
    parts, total = {}, np.zeros_like(absorbable_p_mw)
    explained = np.zeros_like(absorbable_p_mw)
    for cause, power in curtailed.items():
        total = total + np.where(is_congested | (cause != "congestion"), power, 0.0)
        reached = np.maximum(explained, np.minimum(absorbable_p_mw, total))
        parts[cause] = reached - explained
        explained = reached
    return parts


def main_cause(parts: dict[str, FloatArray], steps: slice) -> str:
    """Cause of most of the energy during some steps; the first of those that are equal."""
    energy = {cause: float(part[steps].sum()) for cause, part in parts.items()}
    cause = max(energy, key=energy.__getitem__, default=NOT_STATED)
    return cause if energy.get(cause, 0.0) > 0.0 else NOT_STATED


def _check(signals: xr.Dataset, baseline: xr.Dataset | None, rules: WindowRules) -> None:
    """Refuse parameters without a meaning and signals that are not there."""
    findings = Findings()
    rules.check(findings)
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
