"""Where and when an AC power flow leaves its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from grid_models._arrays import BoolArray, FloatArray
from weather import Findings, step_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grid_models.grid import Grid

#: What is no violation yet: rounding and the solver's tolerance.
TOLERANCE = {"vm_pu": 1e-6, "loading_percent": 1e-4, "q_mvar": 1e-3}


class _Check(NamedTuple):
    """One kind of limit: a variable of the result, its coordinate with the limit, and which side is wrong."""

    kind: str
    variable: str
    limit: str
    is_upper: bool


_CHECKS = (
    _Check("undervoltage", "vm_pu", "vm_min_pu", False),
    _Check("overvoltage", "vm_pu", "vm_max_pu", True),
    _Check("overload", "loading_percent", "loading_max_percent", True),
    _Check("reactive_lack", "q_mvar", "q_max_mvar", True),
    _Check("reactive_excess", "q_mvar", "q_min_mvar", False),
)


def limits(grid: Grid, vm_limits_pu: tuple[float, float]) -> dict[str, tuple[str, FloatArray]]:
    """Limits of every bus and line, as coordinates of a result.

    Voltage limits are columns `vm_min_pu` and `vm_max_pu` of the grid's buses where it has them. A bus has
    reactive limits where the limits of all that holds its voltage are known: not at the reference, nor at the
    ends of links.
    """
    low, high = vm_limits_pu
    if not 0.0 < low < high:
        findings = Findings()
        findings.add("vm_limits_pu", f"is {vm_limits_pu}", "give (lowest, highest), both above 0 pu")
        findings.raise_if_any(f"AC power flow of grid {grid.name!r}")
    n_bus = len(grid.buses)
    vm_min = grid.buses.get("vm_min_pu", pd.Series(np.full(n_bus, low))).to_numpy(dtype=float)
    vm_max = grid.buses.get("vm_max_pu", pd.Series(np.full(n_bus, high))).to_numpy(dtype=float)
    q_min, q_max = _reactive_limits(grid)
    return {
        "vm_min_pu": ("bus", np.where(np.isnan(vm_min), low, vm_min)),
        "vm_max_pu": ("bus", np.where(np.isnan(vm_max), high, vm_max)),
        "q_min_mvar": ("bus", q_min),
        "q_max_mvar": ("bus", q_max),
        "loading_max_percent": ("line", np.full(len(grid.lines), 100.0)),
    }


def with_counts(checked: xr.Dataset) -> xr.Dataset:
    """Add ``n_<kind>`` (time): at how many buses or lines a limit is left; NaN where there is no solution."""
    converged = checked["converged"].to_numpy()
    counts = {}
    for check, beyond in _beyond(checked):
        attrs = {"units": "1", "long_name": f"number of {check.kind} violations"}
        counts[f"n_{check.kind}"] = ("time", np.where(converged, beyond.sum(axis=1), np.nan), attrs)
    return checked.assign(counts)


def violation_table(checked: xr.Dataset) -> pd.DataFrame:
    """List everything that leaves a limit in any step, the longest first.

    Parameters
    ----------
    checked : Dataset
        As `power_flow` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns kind ('undervoltage', 'overvoltage', 'overload', 'reactive_lack', 'reactive_excess'), element
        (bus or line), hours, steps, limit, worst and worst_time (UTC); units as in the Dataset: pu, %, Mvar.
    """
    rows = []
    hours = step_of(checked["time"]) / np.timedelta64(1, "h") if checked.sizes["time"] > 1 else 1.0
    for check, beyond in _beyond(checked):
        values = checked[check.variable]
        labels, limit = values[values.dims[1]].to_numpy(), checked[check.limit].to_numpy()
        for k in np.flatnonzero(beyond.any(axis=0)):
            at = int((np.nanargmax if check.is_upper else np.nanargmin)(values.to_numpy()[:, k]))
            n_step = int(beyond[:, k].sum())
            worst = float(values.to_numpy()[at, k])
            time = pd.Timestamp(checked["time"].to_numpy()[at])
            rows.append((check.kind, labels[k], n_step * hours, n_step, float(limit[k]), worst, time))
    columns = ["kind", "element", "hours", "steps", "limit", "worst", "worst_time"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["steps", "kind", "element"], ascending=[False, True, True], ignore_index=True)


def _beyond(checked: xr.Dataset) -> Iterator[tuple[_Check, BoolArray]]:
    """Every kind of limit, and where (time, element) it is left."""
    for check in _CHECKS:
        values, limit = checked[check.variable].to_numpy(), checked[check.limit].to_numpy()
        over = values - limit if check.is_upper else limit - values
        with np.errstate(invalid="ignore"):
            yield check, over > TOLERANCE[check.variable]


def _reactive_limits(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Least and greatest reactive power of all that holds the voltage of each bus; infinite if not known."""
    low, high = np.zeros(len(grid.buses)), np.zeros(len(grid.buses))
    generators, units = grid.generators, grid.units
    if "holds_voltage" in generators:
        generators = generators[generators["holds_voltage"]]
    if "q_max_mvar" in units:
        units = units[np.isfinite(units["q_max_mvar"])]
        sources = pd.concat([t[["bus", "q_min_mvar", "q_max_mvar"]] for t in (generators, units)])
    else:
        sources = generators
    at = grid.buses.index.get_indexer(sources["bus"])
    np.add.at(low, at, sources["q_min_mvar"].fillna(-np.inf).to_numpy(dtype=float))
    np.add.at(high, at, sources["q_max_mvar"].fillna(np.inf).to_numpy(dtype=float))
    unlimited = [grid.reference_bus, *grid.links["from_bus"], *grid.links["to_bus"]]
    low[grid.buses.index.get_indexer(unlimited)] = -np.inf
    high[grid.buses.index.get_indexer(unlimited)] = np.inf
    return low, high
