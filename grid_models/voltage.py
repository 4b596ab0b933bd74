"""Dispatch of distribution grids within AC limits: curtailment for voltage, for overloads, for oversupply.

The counterpart of `grid_models.dispatch` where voltages matter. In medium- and high-voltage grids wind and PV
are held back because they raise the voltage at their bus beyond its limit, because a line or the transformer
to the grid above is full, or because that grid takes no more. Here the limits are those of the AC power flow
itself: linear programmes with exact sensitivities of voltages, currents and losses are iterated until the AC
power flow of their answer agrees (`grid_models.voltage_search`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
import xarray as xr

from grid_models.ac_dispatch import check_tan_phi
from grid_models.alignment import aligned, check_steps
from grid_models.voltage_columns import AcLoad, Objective
from grid_models.voltage_engine import AcEngine, AcOptions
from grid_models.voltage_results import labelled, result_arrays
from weather import Findings, to_utc_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from grid_models._arrays import FloatArray
    from grid_models.grid import Grid

VM_LIMITS_PU = (0.9, 1.1)
"""Voltage limits where neither the caller nor the grid says any: EN 50160:2010, 4.2.2 and 5.2.2. [pu]"""
_TOLERATED_PU = 1e-6
_HIGHEST_PU = 2.0
"""No network is run at twice its nominal voltage: what lies above is in per cent or in kV. [pu]"""


def dispatch_ac(
    grid: Grid,
    generation: xr.Dataset,
    *,
    load: xr.DataArray | None = None,
    flexible_load: xr.DataArray | None = None,
    load_q_mvar: xr.DataArray | None = None,
    objective: Objective = "priority",
    vm_min_pu: float | Mapping[str, float] | None = None,
    vm_max_pu: float | Mapping[str, float] | None = None,
    loading_max_percent: float = 100.0,
    unit_tan_phi: float = 0.0,
    unit_q_range: float = 0.0,
    flexible_tan_phi: float = 0.0,
    stiff_interchanges: bool = True,
    chunk_steps: int = 96,
    client: Client | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Dispatch a grid within the limits of its AC power flow and say what is curtailed, where and why.

    Parameters
    ----------
    grid : Grid
        The network. A generator at its reference bus stands for the grid beyond: `must_run`, with `p_min_mw`
        below zero for what can be exported. Tap changers stay as the net has them.
    generation : Dataset
        `available_p_mw` (time, unit) of every unit of the grid. [MW]
    load : DataArray (time, bus), optional
        Demand at each bus; by default the grid's own recorded load. [MW]
    flexible_load : DataArray (time, bus), optional
        Demand of flexible sites on top, at any of the grid's buses. [MW]
    load_q_mvar : DataArray (time, bus), optional
        Reactive part of `load`. By default it follows `load` by the ratio of each bus's nominal load; a bus
        with nominal reactive load alone keeps it. [Mvar]
    objective : {'priority', 'market'}
        Least shedding and dumping before all else; then least curtailment before least cost, or least cost.
    vm_min_pu, vm_max_pu : float or mapping of bus to float, optional
        Limits of voltages. Default, also for buses a mapping leaves out: columns `vm_min_pu`, `vm_max_pu` of
        the grid's buses, or 0.9 and 1.1. Voltages that sources hold have none. [pu]
    loading_max_percent : float
        Largest loading of lines and transformers by current, as pandapower defines it. [%]
    unit_tan_phi : float
        Reactive per active power that units inject. Units that consume, to lower the voltage, have it
        negative: a power factor of 0.95 underexcited is -0.329. [Mvar/MW]
    unit_q_range : float
        Reactive power that units may choose besides, either way, per available active power. It is used no
        more than needed. [Mvar/MW]
    flexible_tan_phi : float
        Reactive per active power that flexible loads draw. [Mvar/MW]
    stiff_interchanges : bool
        Whether every interchange (a generator that must run and may take power) holds the angle of its bus,
        so that what flows through it follows from the power flow. Otherwise only that at the reference does,
        and the dispatch chooses what the others give.
    chunk_steps : int
        Steps a worker solves at a time. The result is the same to the bit whatever it is.
    client : distributed.Client, optional
        Solve chunks on its workers.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset
        Variables of `grid_models.dispatch` and: `curtailed_voltage_p_mw`, what voltage limits add to
        curtailment (the three causes add up to `curtailed_p_mw`), `unit_q_mvar` (unit), `vm_pu` (bus),
        `losses_mw`, `iterations` (linear programmes), `converged`, `violation_pu` (how far a limit is missed
        that nothing could keep). `line_p_mw` is what enters at from_bus, `loading_percent` is by current.
        Derivatives are those of the AC optimum with its losses, for more load of power factor 1.

    Raises
    ------
    InputError
        Axes that do not match, NaN, limits without a meaning, no source at the reference: all at once.
    SolverError
        A step without a power flow even with no load and no infeed.

    Notes
    -----
    Units at one bus with the same offer share what is held back in proportion to what they have available.
    Units at different buses are not interchangeable, because voltages and losses depend on where power is
    injected: least curtailment holds back those that relieve the limit most, which are those far out on a
    feeder.
    """
    _check(objective, loading_max_percent, unit_q_range, chunk_steps)
    check_tan_phi(unit_tan_phi=unit_tan_phi, flexible_tan_phi=flexible_tan_phi)
    check_steps(generation)
    time = to_utc_index(generation["time"])
    available, fixed, flexible = aligned(
        grid, generation, grid.load(time) if load is None else load, flexible_load
    )
    limits = [
        _by_bus(grid, name, given, default)
        for name, given, default in zip(
            ("vm_min_pu", "vm_max_pu"), (vm_min_pu, vm_max_pu), VM_LIMITS_PU, strict=True
        )
    ]
    demand = _load(grid, fixed, flexible, load_q_mvar, flexible_tan_phi, generation)
    options = AcOptions(
        objective, loading_max_percent, unit_tan_phi, unit_q_range, stiff_interchanges=stiff_interchanges
    )
    engine = AcEngine(grid, limits[0], limits[1], options)
    chunks = _solve_all(engine, demand, available, chunk_steps, client, progress)
    result = labelled(engine, generation["time"], chunks, fixed, flexible)
    _warn(result, loading_max_percent)
    return result


def _solve_all(
    engine: AcEngine,
    load: AcLoad,
    available: FloatArray,
    chunk_steps: int,
    client: Client | None,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, FloatArray]]:
    """Solve chunks here or on workers."""
    n_time = len(available)
    parts = [slice(i, min(i + chunk_steps, n_time)) for i in range(0, n_time, chunk_steps)]
    if client is not None:
        shared = client.scatter(engine, broadcast=True)
        work = [client.submit(_solve_chunk, shared, load.at(p), available[p], p.start) for p in parts]
        chunks: list[dict[str, FloatArray]] = client.gather(work)
        if progress is not None:
            progress(n_time, n_time)
        return chunks
    chunks = []
    for part in parts:
        chunks.append(_solve_chunk(engine, load.at(part), available[part], part.start))
        if progress is not None:
            progress(part.stop, n_time)
    return chunks


def _solve_chunk(engine: AcEngine, load: AcLoad, available: FloatArray, first: int) -> dict[str, FloatArray]:
    return result_arrays(engine, engine.solve(load, available, first))


def _load(
    grid: Grid,
    fixed: FloatArray,
    flexible: FloatArray,
    load_q_mvar: xr.DataArray | None,
    flexible_tan_phi: float,
    generation: xr.Dataset,
) -> AcLoad:
    """Active and reactive load of every step and bus."""
    p_nominal = grid.buses["load_p_mw"].to_numpy(dtype=float)
    q_nominal = grid.buses["load_q_mvar"].to_numpy(dtype=float)
    own = np.where(p_nominal > 0.0, 0.0, q_nominal)
    if load_q_mvar is None:
        ratio = np.divide(q_nominal, p_nominal, out=np.zeros_like(q_nominal), where=p_nominal > 0.0)
        q_mvar = fixed * ratio + own
    else:
        own = np.zeros_like(own)
        q_mvar = _reactive(grid, load_q_mvar, generation)
    return AcLoad(fixed + flexible, q_mvar + flexible * flexible_tan_phi, own)


def _reactive(grid: Grid, load_q_mvar: xr.DataArray, generation: xr.Dataset) -> FloatArray:
    """Reactive load as given, in the grid's order; it may have either sign."""
    findings, buses = Findings(), grid.buses.index
    if set(load_q_mvar.dims) != {"time", "bus"} or not _same(load_q_mvar["bus"].to_index(), buses):
        findings.add("load_q_mvar", f"has dims {load_q_mvar.dims}", "give (time, bus) with every bus once")
    elif not load_q_mvar["time"].to_index().equals(generation["time"].to_index()):
        findings.add("load_q_mvar time", "is not that of generation", "bring both to one axis first")
    elif not np.isfinite(load_q_mvar.to_numpy()).all():
        findings.add("load_q_mvar", "has values that are not finite", "fill gaps by a named rule")
    findings.raise_if_any(f"AC dispatch of grid {grid.name!r}")
    ordered = load_q_mvar.transpose("time", "bus").sel(bus=buses.to_numpy(dtype=object))
    result: FloatArray = ordered.to_numpy().astype(float)
    return result


def _same(one: pd.Index, other: pd.Index) -> bool:
    """Whether both hold the same labels, each once."""
    return len(one) == len(other) and set(one) == set(other)


def _by_bus(grid: Grid, name: str, given: float | Mapping[str, float] | None, default: float) -> FloatArray:
    """Limits of all buses: as given, else of the table, else the default. [pu]"""
    own = grid.buses.get(name, pd.Series(np.nan, index=grid.buses.index))
    result: FloatArray = own.to_numpy(dtype=float).copy()
    result[np.isnan(result)] = default
    findings = Findings()
    if isinstance(given, Mapping):
        position = grid.bus_index(list(given))
        result[position] = list(given.values())
    elif given is not None:
        result[:] = given
    wrong = ~((result > 0.0) & (result < _HIGHEST_PU))
    if wrong.any():
        what = f"has values such as {result[wrong][0]:g}"
        findings.add(name, what, f"give limits above 0 and below {_HIGHEST_PU:g} pu, 1 being nominal")
    findings.raise_if_any(f"AC dispatch of grid {grid.name!r}")
    return result


def _check(objective: str, loading_max_percent: float, unit_q_range: float, chunk_steps: int) -> None:
    findings = Findings()
    if objective not in get_args(Objective):
        findings.add("objective", f"{objective!r} is unknown", f"use one of {', '.join(get_args(Objective))}")
    if not loading_max_percent > 0.0:
        findings.add("loading_max_percent", f"is {loading_max_percent:g} %", "give more than 0 %")
    if not 0.0 <= unit_q_range < np.inf:
        findings.add("unit_q_range", f"is {unit_q_range:g} Mvar/MW", "give at least 0, as a finite number")
    if chunk_steps < 1:
        findings.add("chunk_steps", f"is {chunk_steps}", "give at least 1")
    findings.raise_if_any("AC dispatch")


def _warn(result: xr.Dataset, loading_max_percent: float) -> None:
    """Say in words where limits could not be kept, and how many steps may curtail more than the least."""
    missed = np.flatnonzero(result["violation_pu"].to_numpy() > _TOLERATED_PU)
    if len(missed):
        time = result["time"].to_index()[missed[0]]
        warnings.warn(
            f"{len(missed)} of {result.sizes['time']} steps keep no AC limits even with infeed held back and "
            f"load shed; first at {time}, where {_worst(result, int(missed[0]), loading_max_percent)}",
            stacklevel=3,
        )
    open_steps = int((~result["converged"].to_numpy()).sum())
    if open_steps:
        warnings.warn(
            f"{open_steps} of {result.sizes['time']} searches ended before their optimum: more may be "
            "curtailed than needed",
            stacklevel=3,
        )


def _worst(result: xr.Dataset, step: int, loading_max_percent: float) -> str:
    """Say which bus or line is furthest beyond its limit."""
    vm = result["vm_pu"].to_numpy()[step]
    loading = result["loading_percent"].to_numpy()[step]
    over = np.maximum(vm - result["vm_max_pu"].to_numpy(), result["vm_min_pu"].to_numpy() - vm)
    bus = int(np.argmax(over))
    if len(loading) and (loading.max() - loading_max_percent) / 100.0 > over[bus]:
        line = int(np.argmax(loading))
        return f"line {result['line'].to_numpy()[line]!r} is at {loading[line]:.1f} %"
    return f"bus {result['bus'].to_numpy()[bus]!r} is at {vm[bus]:.4f} pu"
