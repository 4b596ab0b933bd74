"""Dispatch over time: every step solved by itself, results in one Dataset with causes of curtailment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import xarray as xr

from grid_models.alignment import aligned, aligned_series, check_steps
from grid_models.attribution import causes
from grid_models.engine import Dispatched, DispatchEngine, Security
from grid_models.limits import Limits
from grid_models.lp import Inputs, always_on
from grid_models.objective import Objective
from weather import Findings, SolverError, to_utc_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid

_DIMS: dict[str, tuple[str, ...]] = {
    "gen_p_mw": ("gen",),
    "unit_p_mw": ("unit",),
    "curtailed_p_mw": ("unit",),
    "spilled_p_mw": ("unit",),
    "line_p_mw": ("line",),
    "line_shadow": ("line",),
    "security_shadow": ("line",),
    "link_p_mw": ("link",),
    "shed_p_mw": ("bus",),
    "dump_p_mw": ("bus",),
    "reserve_short_mw": ("reserve",),
    "marginal_curtailment": ("bus",),
    "marginal_co2_kg_per_mwh": ("bus",),
    "marginal_cost_per_mwh": ("bus",),
    "cost": (),
    "co2_kg_per_h": (),
}
_NAMES = {
    "gen_p_mw": "p_mw",
    "line_shadow": "line_shadow_price",
    "security_shadow": "security_shadow_price",
    "co2_kg_per_h": "co2_kg",
}
_UNITS = {
    "loading_percent": "%",
    "line_shadow_price": "currency/MWh",
    "security_shadow_price": "currency/MWh",
    "marginal_curtailment": "1",
    "gen_status": "1",
    "marginal_co2_kg_per_mwh": "kg/MWh",
    "marginal_cost_per_mwh": "currency/MWh",
    "lmp_per_mwh": "currency/MWh",
    "lmp_energy_per_mwh": "currency/MWh",
    "lmp_congestion_per_mwh": "currency/MWh",
    "cost": "currency/h",
    "co2_kg": "kg/h",
}


def dispatch(
    grid: Grid,
    generation: xr.Dataset,
    *,
    load: xr.DataArray | None = None,
    flexible_load: xr.DataArray | None = None,
    gen_status: xr.DataArray | None = None,
    storage_p_mw: xr.DataArray | None = None,
    objective: Objective = "priority",
    security: Security = "none",
    limits: Limits | None = None,
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
    gen_status : DataArray (time, gen), optional
        Share of each generator that may run: 0 where it is out or not committed, 1 where it may, between them
        in a relaxed commitment; generators left out are at 1. Needed where generators are committable. [1]
    storage_p_mw : DataArray (time, storage), optional
        Output of storage decided before, discharging positive. [MW]
    objective : {"priority", "market"}
        Least curtailment before least cost, or least cost (see `grid_models.engine`).
    security : {"none", "n-1"}
        Base-case limits only, or also after the outage of any one line (see `grid_models.contingency`).
    limits : Limits, optional
        Limits of the whole system: reserves, non-synchronous share.
    chunk_steps : int
        Steps a worker solves at a time. The result is the same to the bit whatever it is.
    client : distributed.Client, optional
        Solve chunks on its workers.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset
        Over time: `p_mw` (gen), `unit_p_mw`, `curtailed_p_mw`, its parts `curtailed_<cause>_p_mw` by
        oversupply and congestion (and system, security), `spilled_p_mw` (unit), `line_p_mw`,
        `loading_percent`, `line_shadow_price` (line), `link_p_mw` (link), `load_p_mw`, `flexible_load_p_mw`,
        `shed_p_mw`, `dump_p_mw`, `marginal_curtailment`, `marginal_co2_kg_per_mwh` (bus),
        `cost` [currency/h], `co2_kg` [kg/h]; for `market` `lmp_per_mwh` (bus) and its parts
        `lmp_energy_per_mwh` (the mean price weighted by load) and `lmp_congestion_per_mwh` (what a bus
        differs from it; there are no losses); for `priority` `marginal_cost_per_mwh`, which is no price.

    Raises
    ------
    InputError
        Axes that do not match, NaN, negative power: all findings at once.
    SolverError
        A step without an optimum, named with its place in the block.
    """
    check_choice(objective, security, chunk_steps)
    check_steps(generation)
    load = grid.load(to_utc_index(generation["time"])) if load is None else load
    available, fixed, flexible = aligned(grid, generation, load, flexible_load)
    status, injection = aligned_series(grid, generation["time"], gen_status, storage_p_mw)
    engine = DispatchEngine(grid, objective, security=security, limits=limits)
    inputs = Inputs(fixed + flexible, available, status, injection)
    solved = solve_all(engine, inputs, chunk_steps=chunk_steps, client=client, progress=progress)
    return dispatch_dataset(engine, generation["time"], solved, inputs, flexible)


@dataclass(frozen=True)
class Solution:
    """Dispatch of many steps with the causes of its curtailment, (step, unit) each. [MW]"""

    dispatched: Dispatched
    causes: dict[str, FloatArray]


def solve_all(
    engine: DispatchEngine,
    inputs: Inputs,
    *,
    chunk_steps: int = 168,
    client: Client | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Solve every step and find the causes of its curtailment.

    Parameters
    ----------
    engine : DispatchEngine
        The grid and its objective.
    inputs : Inputs
        What it is given.
    chunk_steps, client, progress
        As in `dispatch`.
    """
    n_time = len(inputs)
    parts = [slice(i, min(i + chunk_steps, n_time)) for i in range(0, n_time, chunk_steps)]
    chunks = []
    if client is None:
        for part in parts:
            chunks.append(solve_chunk(engine, inputs.at(part), part.start))
            if progress is not None:
                progress(part.stop, n_time)
    else:
        recipe = client.scatter((engine.grid, engine.recipe), broadcast=True)
        futures = [client.submit(_solve_remotely, recipe, inputs.at(p), p.start) for p in parts]
        for part, future in zip(parts, futures, strict=True):
            chunks.append(future.result())
            if progress is not None:
                progress(part.stop, n_time)
    return Solution(
        Dispatched.joined([chunk.dispatched for chunk in chunks]),
        {name: np.concatenate([chunk.causes[name] for chunk in chunks]) for name in chunks[0].causes},
    )


def solve_chunk(engine: DispatchEngine, inputs: Inputs, first: int = 0) -> Solution:
    """Solve consecutive steps; `first` is the position of the first one, for messages."""
    try:
        dispatched = engine.solve_many(inputs)
        return Solution(dispatched, causes(engine, inputs, dispatched.curtailed_p_mw))
    except SolverError as error:
        raise SolverError(f"steps {first} to {first + len(inputs) - 1}: {error}") from error


def _solve_remotely(
    recipe: tuple[Grid, tuple[Objective, Security, Limits, IntArray]], inputs: Inputs, first: int
) -> Solution:
    grid, (objective, security, limits, stored) = recipe
    engine = DispatchEngine(grid, objective, security=security, limits=limits, stored=stored)
    return solve_chunk(engine, inputs, first)


def dispatch_dataset(
    engine: DispatchEngine,
    time: xr.DataArray,
    solution: Solution,
    inputs: Inputs,
    flexible_load: FloatArray,
) -> xr.Dataset:
    """Label solved arrays and add what follows from them.

    Parameters
    ----------
    engine : DispatchEngine
        What solved them.
    time : DataArray
        Time of each step.
    solution : Solution
        What it found.
    inputs : Inputs
        What it was given.
    flexible_load : ndarray (time, bus)
        The part of its load that is flexible. [MW]

    Returns
    -------
    Dataset
        As `dispatch` returns it.
    """
    grid, solved = engine.grid, solution.dispatched
    arrays = {field.name: getattr(solved, field.name) for field in fields(solved)}
    if not engine.limits.has_reserves:
        del arrays["reserve_short_mw"]
    if engine.security == "none":
        del arrays["security_shadow"]
    data = {_NAMES.get(key, key): (("time", *_DIMS[key]), value) for key, value in arrays.items()}
    for name, part in solution.causes.items():
        data[f"curtailed_{name}_p_mw"] = (("time", "unit"), part)
    if engine.objective == "market":
        data.update(_prices(data.pop("marginal_cost_per_mwh")[1], inputs.load_p_mw))
    percent = 100.0 * np.abs(solved.line_p_mw) / engine.problem.rate_mw
    data["loading_percent"] = (("time", "line"), percent)
    if (inputs.gen_status != 1.0).any():
        data["gen_status"] = (("time", "gen"), inputs.gen_status)
    if inputs.injection_p_mw.any():
        data["storage_injection_p_mw"] = (("time", "bus"), inputs.injection_p_mw)
    own = inputs.load_p_mw - flexible_load if flexible_load.any() else inputs.load_p_mw
    data["load_p_mw"] = (("time", "bus"), own)
    data["flexible_load_p_mw"] = (("time", "bus"), flexible_load)
    result = xr.Dataset(data, coords=_coordinates(engine, time), attrs=_attributes(engine))
    for name in data:
        unit = _UNITS.get(str(name), "MW").replace("currency", grid.currency)
        result[name].attrs.update(units=unit, cell_methods="time: mean")
    return result


def inputs_of(engine: DispatchEngine, dispatched: xr.Dataset, available_p_mw: FloatArray) -> Inputs:
    """Return what a dispatch was given, without its flexible load.

    Parameters
    ----------
    engine : DispatchEngine
        What solved it.
    dispatched : Dataset
        From `dispatch`.
    available_p_mw : ndarray (time, unit)
        What the weather allows, in the grid's order. [MW]
    """
    grid = engine.grid
    orders = {"bus": grid.buses.index, "gen": grid.generators.index}
    names = {
        "load_p_mw": ("load_p_mw", "bus"),
        "gen_status": ("gen_status", "gen"),
        "injection_p_mw": ("storage_injection_p_mw", "bus"),
    }
    given = {
        key: dispatched[name].transpose("time", dim).sel({dim: orders[dim].to_numpy(dtype=object)}).to_numpy()
        for key, (name, dim) in names.items()
        if name in dispatched
    }
    return replace(always_on(engine.problem, given["load_p_mw"], available_p_mw), **given)


def _prices(lmp: FloatArray, load_p_mw: FloatArray) -> dict[str, tuple[tuple[str, ...], FloatArray]]:
    """Prices with their parts: the mean weighted by load does not depend on any reference bus."""
    total = load_p_mw.sum(axis=1)
    weights = np.where(total[:, None] > 0.0, load_p_mw, 1.0)
    energy = (lmp * weights).sum(axis=1) / weights.sum(axis=1)
    return {
        "lmp_per_mwh": (("time", "bus"), lmp),
        "lmp_energy_per_mwh": (("time",), energy),
        "lmp_congestion_per_mwh": (("time", "bus"), lmp - energy[:, None]),
    }


def _coordinates(engine: DispatchEngine, time: xr.DataArray) -> dict[str, object]:
    grid = engine.grid
    coords: dict[str, object] = {
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
    if engine.limits.has_reserves:
        coords["reserve"] = np.array(["up", "down"], dtype=object)
    return coords


def _attributes(engine: DispatchEngine) -> dict[str, str | float]:
    limits = engine.limits
    result: dict[str, str | float] = {
        "objective": engine.objective,
        "security": engine.security,
        "currency": engine.grid.currency,
        "grid": engine.grid.name,
    }
    pairs = engine.watch.pairs
    if pairs is not None:
        result["islanding_outages"] = ", ".join(engine.grid.lines.index[pairs.islanding])
    if limits.max_nonsynchronous_share is not None:
        result["max_nonsynchronous_share"] = limits.max_nonsynchronous_share
    if limits.has_reserves:
        result.update(reserve_up_mw=limits.reserve_up_mw, reserve_down_mw=limits.reserve_down_mw)
    return result


def check_choice(objective: str, security: str, chunk_steps: int = 1) -> None:
    """Refuse an unknown objective or security, and chunks without a step, all at once."""
    findings = Findings()
    if chunk_steps < 1:
        findings.add("chunk_steps", f"{chunk_steps} is less than 1", "give the steps of a chunk, 1 or more")
    for key, value, known in (
        ("objective", objective, get_args(Objective)),
        ("security", security, get_args(Security)),
    ):
        if value not in known:
            findings.add(key, f"{value!r} is unknown", f"use one of {', '.join(known)}")
    findings.raise_if_any("dispatch")
