"""Dispatch over a rolling horizon: storage and ramps couple the steps of a block, blocks come in sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from grid_models.alignment import aligned, aligned_series, check_steps
from grid_models.block import BlockSolver, Plan
from grid_models.block_rows import NO_ROWS, State
from grid_models.dispatch import Solution, check_choice, dispatch_dataset
from grid_models.engine import Dispatched, DispatchEngine, Security
from grid_models.limits import Limits
from grid_models.lp import Inputs, gathered
from grid_models.objective import Objective
from grid_models.rolling import Rolling
from grid_models.solving import Solved
from grid_models.storage import Stores
from grid_models.watch import Watch
from weather import BalanceError, Findings, SolverError, step_hours, to_utc_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from grid_models._arrays import FloatArray, TimeArray
    from grid_models.grid import Grid

Terminal = Literal["free", "initial"]
_BALANCE = 1e-6


@dataclass(frozen=True)
class Horizon:
    """How the horizon rolls, and what holds at its end.

    Attributes
    ----------
    rolling : Rolling
        Steps kept and seen.
    terminal : {"free", "initial"}
        At the end of a block's look-ahead: anything, or at least the content at the start of the run.
    time : ndarray of datetime64 (step)
        Stamps, for messages.
    """

    rolling: Rolling
    terminal: Terminal
    time: TimeArray


@dataclass(frozen=True)
class Rolled:
    """Blocks put together: what each step's own problem gives, and what couples steps, (step, ...)."""

    solved: Solved
    charge_mw: FloatArray
    discharge_mw: FloatArray
    content_mwh: FloatArray
    ramps_bind: bool


def dispatch_horizon(
    grid: Grid,
    generation: xr.Dataset,
    *,
    load: xr.DataArray | None = None,
    flexible_load: xr.DataArray | None = None,
    gen_status: xr.DataArray | None = None,
    objective: Objective = "priority",
    security: Security = "none",
    limits: Limits | None = None,
    horizon_h: float = 24.0,
    look_ahead_h: float = 24.0,
    terminal: Terminal = "free",
    ramps: bool = True,
    storage: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Dispatch a grid with its storage and ramps, in blocks that see some steps ahead.

    Parameters
    ----------
    grid : Grid
        The network; what it stores is `Grid.storage` without the reservoirs of units (see `with_storage`).
    generation, load, flexible_load, gen_status, objective, security, limits
        As in `grid_models.dispatch`.
    horizon_h, look_ahead_h : float
        Each block is solved over both together, and the first of them is kept. Content of storage and output
        of generators go on into the next block. The last block ends with the data. [h]
    terminal : {"free", "initial"}
        What is left at the end of a block's look-ahead: anything (what is still stored then has no value), or
        at least the content at the start of the run, as far as it can be reached.
    ramps : bool
        Whether `ramp_mw_per_h` limits the change of a generator's output above its minimum from step to step.
        A unit that starts may ramp from its minimum, one that stops may do so from any output.
    storage : bool
        Whether storage is used.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset
        As `grid_models.dispatch` gives it, with `storage_p_mw` (discharging positive), `storage_e_mwh` (at
        the end of the step) and `storage_loss_mw` over (time, storage); `curtailed_inflexibility_p_mw` is
        what ramps add. Derivatives are those of the whole block's curtailment, cost and CO2 for more load in
        a step. Signals take the storage as it is scheduled here.

    Raises
    ------
    InputError
        As in `grid_models.dispatch`; times that are not whole steps.
    SolverError
        A block without an optimum, named with its time.
    BalanceError
        If energy in storage does not add up.

    Notes
    -----
    Stages of `priority`: least shedding and dumping; least waste, that is curtailed wind and PV plus what is
    lost in storage; least cost. A store charges only what saves more curtailment than is lost on the way, and
    does not trade thermal power; in `market` it does. No store charges and discharges in the same step.

    Examples
    --------
    >>> import pandas as pd
    >>> from grid_models import dispatch_horizon, load_grid
    >>> grid = load_grid("rts_gmlc")
    >>> day = pd.date_range("2020-04-08T08:00Z", periods=24, freq="h")
    >>> result = dispatch_horizon(grid, grid.recorded(day).to_dataset(), objective="market")
    >>> float(result["storage_e_mwh"].max().round(6))
    150.0
    """
    check_choice(objective, security)
    check_steps(generation)
    load = grid.load(to_utc_index(generation["time"])) if load is None else load
    horizon = _horizon(generation["time"], horizon_h, look_ahead_h, terminal)
    available, fixed, flexible = aligned(grid, generation, load, flexible_load)
    status, injection = aligned_series(grid, generation["time"], gen_status, None)
    engine = DispatchEngine(grid, objective, security=security, limits=limits, stored=NO_ROWS)
    inputs = Inputs(fixed + flexible, available, status, injection)
    stores = Stores.of(grid) if storage else Stores.of(grid).none
    solver = BlockSolver(engine, stores, step_h=step_hours(generation["time"]), ramps=ramps)
    rolled = roll(solver, inputs, horizon, progress)
    _check_energy(solver, rolled)
    dispatched, given = completed(solver, inputs, rolled)
    causes = causes_of(solver, inputs, horizon, rolled, dispatched.curtailed_p_mw)
    result = dispatch_dataset(engine, generation["time"], Solution(dispatched, causes), given, flexible)
    return _with_storage(result, solver, rolled).assign_attrs(
        horizon_h=float(horizon_h), look_ahead_h=float(look_ahead_h), terminal=terminal, ramps=int(ramps)
    )


def _horizon(time: xr.DataArray, horizon_h: float, look_ahead_h: float, terminal: Terminal) -> Horizon:
    findings = Findings()
    if terminal not in get_args(Terminal):
        findings.add("terminal", f"{terminal!r} is unknown", "use 'free' or 'initial'")
    findings.raise_if_any("rolling horizon")
    return Horizon(Rolling.of(horizon_h, look_ahead_h, step_hours(time)), terminal, time.to_numpy())


def roll(
    solver: BlockSolver,
    inputs: Inputs,
    horizon: Horizon,
    progress: Callable[[int, int], None] | None = None,
) -> Rolled:
    """Solve block after block.

    Parameters
    ----------
    solver : BlockSolver
        The grid, its storage and ramps.
    inputs : Inputs
        All steps.
    horizon : Horizon
        How it rolls.
    progress : callable, optional
        Called with (steps done, steps in all).
    """
    state, plans = State(solver.stores.e_initial_mwh), []
    for block in horizon.rolling.blocks(len(inputs)):
        given = inputs.at(block.steps)
        at_end = _least_at_end(solver, horizon, state, len(given))
        try:
            plan = solver.solve(given, state, at_end)
        except SolverError as error:
            begin, end = _stamp(horizon.time[block.first]), _stamp(horizon.time[block.last - 1])
            raise SolverError(f"{begin} to {end}: {error}") from error
        plans.append((plan, block.kept))
        state = _state_after(solver, plan, given, block.kept)
        if progress is not None:
            progress(block.first + block.kept, len(inputs))
    return _joined(solver, plans)


def _stamp(time: np.datetime64) -> str:
    return np.datetime_as_string(time, unit="m") + "Z"


def _least_at_end(solver: BlockSolver, horizon: Horizon, state: State, n_step: int) -> FloatArray:
    stores = solver.stores
    if horizon.terminal == "free":
        return np.zeros(len(stores))
    within_reach = state.content_mwh + n_step * solver.step_h * stores.one_way * stores.p_max_mw
    return np.minimum(stores.e_initial_mwh, within_reach)


def _state_after(solver: BlockSolver, plan: Plan, block: Inputs, kept: int) -> State:
    content = np.clip(plan.content_mwh[kept - 1], 0.0, solver.stores.e_max_mwh)
    return State(content, plan.above_minimum_mw[kept - 1], block.gen_status[kept - 1])


def _joined(solver: BlockSolver, plans: list[tuple[Plan, int]]) -> Rolled:
    n_rescue = solver.engine.problem.n_rescue
    columns = [
        np.pad(plan.columns[:kept], ((0, 0), (0, n_rescue - plan.columns.shape[1]))) for plan, kept in plans
    ]
    parts = {
        name: np.concatenate([getattr(plan, name)[:kept] for plan, kept in plans])
        for name in ("moved", "line_shadow", "security_shadow", "charge_mw", "discharge_mw", "content_mwh")
    }
    n_step = len(parts["moved"])
    solved = Solved(
        feasible=np.ones(n_step, dtype=bool),
        columns=np.concatenate(columns),
        moved=parts["moved"],
        known=np.ones((n_step, solver.engine.problem.n_bus), dtype=bool),
        line_shadow=parts["line_shadow"],
        security_shadow=parts["security_shadow"],
    )
    ramps_bind = any(plan.ramps_bind for plan, _ in plans)
    return Rolled(solved, parts["charge_mw"], parts["discharge_mw"], parts["content_mwh"], ramps_bind)


def completed(solver: BlockSolver, inputs: Inputs, rolled: Rolled) -> tuple[Dispatched, Inputs]:
    """Everything that follows from solved blocks step by step, and the inputs with what storage injects."""
    net = np.ascontiguousarray(rolled.discharge_mw - rolled.charge_mw)
    injected = gathered(net, solver.stores.bus, solver.engine.problem.n_bus)
    given = replace(inputs, injection_p_mw=injected)
    return solver.engine.dispatched(given, rolled.solved), given


def _check_energy(solver: BlockSolver, rolled: Rolled) -> None:
    """What is stored is what was before, plus what came in, less what went out, with their losses."""
    stores = solver.stores
    before = np.concatenate([stores.e_initial_mwh[None], rolled.content_mwh[:-1]])
    gained = (stores.one_way * rolled.charge_mw - rolled.discharge_mw / stores.one_way) * solver.step_h
    error = float(np.abs(rolled.content_mwh - before - gained).max(initial=0.0))
    if error > _BALANCE * max(1.0, float(stores.e_max_mwh.max(initial=0.0))):
        raise BalanceError(f"grid {solver.engine.grid.name}: energy in storage is off by {error:g} MWh")


def causes_of(
    solver: BlockSolver, inputs: Inputs, horizon: Horizon, rolled: Rolled, curtailed_p_mw: FloatArray
) -> dict[str, FloatArray]:
    """Curtailment of each unit by cause, switched on one at a time with storage in use; they add up. [MW]"""
    engine = solver.engine
    levels = {"oversupply": _engine(engine, Limits(), lines=False)}
    if engine.limits.any:
        levels["system"] = _engine(engine, engine.limits, lines=False)
    if engine.security != "none":
        levels["congestion"] = engine.without_security
    last = "congestion" if engine.security == "none" else "security"
    if rolled.ramps_bind:
        levels[last] = engine
        last = "inflexibility"
    curtailed = {name: _curtailed(level, solver, inputs, horizon) for name, level in levels.items()}
    curtailed[last] = curtailed_p_mw
    if solver.ramp_mw.min(initial=np.inf) < np.inf:
        curtailed.setdefault("inflexibility", curtailed_p_mw)
    parts, before = {}, np.zeros_like(curtailed_p_mw)
    for name, level in curtailed.items():
        parts[name], before = level - before, level
    return parts


def _engine(engine: DispatchEngine, limits: Limits, *, lines: bool) -> DispatchEngine:
    watch = engine.watch if lines else Watch(engine.watch.base.at(NO_ROWS))
    return DispatchEngine(engine.grid, engine.objective, limits=limits, watch=watch, stored=NO_ROWS)


def _curtailed(engine: DispatchEngine, solver: BlockSolver, inputs: Inputs, horizon: Horizon) -> FloatArray:
    """What is curtailed under fewer limits, and without ramps."""
    level = BlockSolver(engine, solver.stores, step_h=solver.step_h, ramps=False, derivatives=False)
    return completed(level, inputs, roll(level, inputs, horizon))[0].curtailed_p_mw


def _with_storage(result: xr.Dataset, solver: BlockSolver, rolled: Rolled) -> xr.Dataset:
    before = np.concatenate([solver.stores.e_initial_mwh[None], rolled.content_mwh[:-1]])
    gained = (rolled.content_mwh - before) / solver.step_h
    net = rolled.discharge_mw - rolled.charge_mw
    names = solver.engine.grid.storage.index.to_numpy(dtype=object)[solver.stores.place]
    variables = {
        "storage_p_mw": (net, "MW", "time: mean"),
        "storage_loss_mw": (-net - gained, "MW", "time: mean"),
        "storage_e_mwh": (rolled.content_mwh, "MWh", "time: point"),
    }
    result = result.assign_coords(storage=names)
    for name, (values, units, method) in variables.items():
        result[name] = (("time", "storage"), values, {"units": units, "cell_methods": method})
    return result
