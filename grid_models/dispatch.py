"""Dispatch over time: every step solved by itself, results in one Dataset with causes of curtailment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from grid_models.alignment import aligned
from grid_models.attribution import oversupply
from grid_models.engine import DispatchEngine, Objective, StepResult
from weather import Findings, SolverError, to_utc_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid

Security = Literal["none"]

_DIMS: dict[str, tuple[str, ...]] = {
    "gen_p_mw": ("gen",),
    "unit_p_mw": ("unit",),
    "curtailed_p_mw": ("unit",),
    "spilled_p_mw": ("unit",),
    "line_p_mw": ("line",),
    "line_shadow": ("line",),
    "link_p_mw": ("link",),
    "shed_p_mw": ("bus",),
    "dump_p_mw": ("bus",),
    "marginal_curtailment": ("bus",),
    "marginal_co2_kg_per_mwh": ("bus",),
    "marginal_cost_per_mwh": ("bus",),
    "cost": (),
    "co2_kg_per_h": (),
}
_UNITS = {
    "p_mw": "MW",
    "unit_p_mw": "MW",
    "curtailed_p_mw": "MW",
    "curtailed_oversupply_p_mw": "MW",
    "curtailed_congestion_p_mw": "MW",
    "spilled_p_mw": "MW",
    "line_p_mw": "MW",
    "loading_percent": "%",
    "line_shadow_price": "currency/MWh",
    "link_p_mw": "MW",
    "load_p_mw": "MW",
    "flexible_load_p_mw": "MW",
    "shed_p_mw": "MW",
    "dump_p_mw": "MW",
    "marginal_curtailment": "1",
    "marginal_co2_kg_per_mwh": "kg/MWh",
    "marginal_cost_per_mwh": "currency/MWh",
    "lmp_per_mwh": "currency/MWh",
    "cost": "currency/h",
    "co2_kg": "kg/h",
}


def dispatch(
    grid: Grid,
    generation: xr.Dataset,
    *,
    load: xr.DataArray | None = None,
    flexible_load: xr.DataArray | None = None,
    objective: Objective = "priority",
    security: Security = "none",
    chunk_steps: int = 168,
    client: Client | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Dispatch a grid over time and say what is curtailed, where and why.

    Parameters
    ----------
    grid : Grid
        The network.
    generation : Dataset
        `available_p_mw` (time, unit) of every unit of the grid. [MW]
    load : DataArray (time, bus), optional
        Demand at each bus; by default the grid's own recorded load. [MW]
    flexible_load : DataArray (time, bus), optional
        Demand of flexible sites on top, at any of the grid's buses. [MW]
    objective : {"priority", "market"}
        Least curtailment before least cost, or least cost (see `grid_models.engine`).
    security : {"none"}
        Base-case limits only.
    chunk_steps : int
        Steps a worker solves at a time. The result is the same to the bit whatever it is.
    client : distributed.Client, optional
        Solve chunks on its workers.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset
        Over time: `p_mw` (gen), `unit_p_mw`, `curtailed_p_mw`, its parts `curtailed_oversupply_p_mw` and
        `curtailed_congestion_p_mw`, `spilled_p_mw` (unit), `line_p_mw`, `loading_percent`,
        `line_shadow_price` (line), `link_p_mw` (link), `load_p_mw`, `flexible_load_p_mw`, `shed_p_mw`,
        `dump_p_mw`, `marginal_curtailment`, `marginal_co2_kg_per_mwh` (bus), `cost` [currency/h], `co2_kg`
        [kg/h]; and `lmp_per_mwh` (bus) for `market`, `marginal_cost_per_mwh` for `priority`, which is no
        price.

    Raises
    ------
    InputError
        Axes that do not match, NaN, negative power: all findings at once.
    SolverError
        A step without an optimum, named with its time.
    """
    _check_choice(objective, security)
    load = grid.load(to_utc_index(generation["time"])) if load is None else load
    available, fixed, flexible = aligned(grid, generation, load, flexible_load)
    engine = DispatchEngine(grid, objective)
    solved = solve_all(
        engine, fixed + flexible, available, chunk_steps=chunk_steps, client=client, progress=progress
    )
    return dispatch_dataset(engine, generation["time"], solved, available, fixed, flexible)


def solve_all(
    engine: DispatchEngine,
    load_p_mw: FloatArray,
    available_p_mw: FloatArray,
    *,
    chunk_steps: int = 168,
    client: Client | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, FloatArray]:
    """Solve every step and stack the fields of `StepResult`, shape (time, ...).

    Parameters
    ----------
    engine : DispatchEngine
        The grid and its objective.
    load_p_mw : ndarray (time, bus)
        All demand. [MW]
    available_p_mw : ndarray (time, unit)
        What the weather allows. [MW]
    chunk_steps, client, progress
        As in `dispatch`.
    """
    n_time = len(load_p_mw)
    parts = [slice(i, min(i + chunk_steps, n_time)) for i in range(0, n_time, chunk_steps)]
    if client is None:
        chunks = []
        for part in parts:
            chunks.append(solve_chunk(engine, load_p_mw[part], available_p_mw[part], part.start))
            if progress is not None:
                progress(part.stop, n_time)
    else:
        grid = client.scatter(engine.grid, broadcast=True)
        futures = [
            client.submit(
                _solve_remotely,
                grid,
                engine.objective,
                engine.lines,
                load_p_mw[p],
                available_p_mw[p],
                p.start,
            )
            for p in parts
        ]
        chunks = client.gather(futures)
        if progress is not None:
            progress(n_time, n_time)
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in _DIMS}


def solve_chunk(
    engine: DispatchEngine, load_p_mw: FloatArray, available_p_mw: FloatArray, first: int = 0
) -> dict[str, FloatArray]:
    """Solve consecutive steps into arrays; `first` is the position of the first one, for messages."""
    arrays: dict[str, FloatArray] = {}
    for step, (load, available) in enumerate(zip(load_p_mw, available_p_mw, strict=True)):
        try:
            result = engine.solve(load, available)
        except SolverError as error:
            raise SolverError(f"step {first + step}: {error}") from error
        _record(arrays, result, step, len(load_p_mw))
    return arrays


def _record(arrays: dict[str, FloatArray], result: StepResult, step: int, n_step: int) -> None:
    for name in _DIMS:
        value = getattr(result, name)
        if name not in arrays:
            arrays[name] = np.empty((n_step, *np.shape(value)))
        arrays[name][step] = value


def _solve_remotely(
    grid: Grid,
    objective: Objective,
    lines: IntArray,
    load_p_mw: FloatArray,
    available_p_mw: FloatArray,
    first: int,
) -> dict[str, FloatArray]:
    return solve_chunk(DispatchEngine(grid, objective, lines=lines), load_p_mw, available_p_mw, first)


def dispatch_dataset(
    engine: DispatchEngine,
    time: xr.DataArray,
    solved: dict[str, FloatArray],
    available: FloatArray,
    load: FloatArray,
    flexible_load: FloatArray,
) -> xr.Dataset:
    """Label solved arrays, split curtailment into its causes and add what follows from them.

    Parameters
    ----------
    engine : DispatchEngine
        What solved them.
    time : DataArray
        Time of each step.
    solved : dict of str to ndarray
        Fields of `StepResult` with time in front.
    available : ndarray (time, unit)
        What the weather allows. [MW]
    load, flexible_load : ndarray (time, bus)
        Load without, and of, flexible computing. [MW]

    Returns
    -------
    Dataset
        As `dispatch` returns it.
    """
    grid = engine.grid
    over = oversupply(engine, load + flexible_load, available)
    rate = engine.problem.rate_mw
    curtailed = solved["curtailed_p_mw"]
    names = {"gen_p_mw": "p_mw", "line_shadow": "line_shadow_price", "co2_kg_per_h": "co2_kg"}
    if engine.objective == "market":
        names["marginal_cost_per_mwh"] = "lmp_per_mwh"
    data = {names.get(key, key): (("time", *_DIMS[key]), value) for key, value in solved.items()}
    data["curtailed_oversupply_p_mw"] = (("time", "unit"), over)
    data["curtailed_congestion_p_mw"] = (("time", "unit"), curtailed - over)
    data["loading_percent"] = (("time", "line"), 100.0 * np.abs(solved["line_p_mw"]) / rate)
    data["load_p_mw"] = (("time", "bus"), load)
    data["flexible_load_p_mw"] = (("time", "bus"), flexible_load)
    coords = {
        "time": time.to_numpy(),
        "gen": grid.generators.index.to_numpy(dtype=object),
        "unit": grid.units.index.to_numpy(dtype=object),
        "line": grid.lines.index.to_numpy(dtype=object),
        "link": grid.links.index.to_numpy(dtype=object),
        "bus": grid.buses.index.to_numpy(dtype=object),
        "fuel": ("gen", grid.generators["fuel"].to_numpy(dtype=object)),
        "technology": ("unit", grid.units["technology"].to_numpy(dtype=object)),
        "unit_bus": ("unit", grid.units["bus"].to_numpy(dtype=object)),
    }
    attrs = {
        "objective": engine.objective,
        "security": "none",
        "currency": grid.currency,
        "grid": grid.name,
    }
    result = xr.Dataset(data, coords=coords, attrs=attrs)
    for name in result.data_vars:
        unit = _UNITS[str(name)].replace("currency", grid.currency)
        result[name].attrs.update(units=unit, cell_methods="time: mean")
    return result


def _check_choice(objective: str, security: str) -> None:
    findings = Findings()
    for key, value, known in (
        ("objective", objective, get_args(Objective)),
        ("security", security, get_args(Security)),
    ):
        if value not in known:
            findings.add(key, f"{value!r} is unknown", f"use one of {', '.join(known)}")
    findings.raise_if_any("dispatch")
