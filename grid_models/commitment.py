"""Unit commitment over a rolling horizon: which generators run when, decided ahead of the dispatch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from grid_models.alignment import aligned, aligned_series
from grid_models.block_rows import State
from grid_models.commitment_block import CommitmentSolver, Committed, Prices
from grid_models.commitment_rows import Past
from grid_models.engine import DispatchEngine, Security
from grid_models.fleet import Fleet, Roster, clustered, shared
from grid_models.limits import Limits
from grid_models.lp import Inputs
from grid_models.objective import Objective
from grid_models.storage import Stores
from weather import Findings, SolverError, step_hours, to_utc_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid

CURTAILMENT_PRICE_PER_MWH = 590.6
"""What a curtailed MWh counts in a commitment under `priority` [1]_. [currency/MWh]

Notes
-----
Where renewables have priority but not at any price, a price says how much. This one is what German transmission
system operators reckoned with for a MWh of renewable energy held back, in EUR, from October 2021 to September
2022; it follows from the regulator's rule that renewables are held back only where ten times as much of other
generation would have to be instead.

References
----------
.. [1] Bundesnetzagentur, Festlegung PGMF-8116-EnWG § 13j, 30 November 2020 (minimum factor 10); prices published
   by the four operators on netztransparenz.de for 1 October 2021 to 30 September 2022.
"""
_NO_ROWS = np.zeros(0, dtype=np.int64)
_SLACK_MW = 1e-4
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Rolling:
    """How a commitment rolls, in steps."""

    kept: int
    ahead: int


def commit(
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
    relaxed: bool = False,
    mip_gap: float = 1e-3,
    curtailment_price_per_mwh: float = CURTAILMENT_PRICE_PER_MWH,
    ramps: bool = True,
    storage: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Decide which committable generators run in every step, block by block.

    Parameters
    ----------
    grid : Grid
        The network, with generators that are committable (``load_grid("rts_gmlc", commitment=True)``).
    generation, load, flexible_load, objective, security, limits
        As in `grid_models.dispatch`. Reserves are kept by what runs.
    gen_status : DataArray (time, gen), optional
        Where a generator is 0 or less than 1 in a step it is out (`generator_outages`), and is not committed then;
        what does not run because it is out need not stay on or off for its times. [1]
    horizon_h, look_ahead_h : float
        A block is solved over both together; what is decided for the first is kept. Units, storage and ramps go on
        into the next block. [h]
    relaxed : bool
        Let any share of a unit run: a linear programme, many times faster. Costs are then at most those of whole
        units.
    mip_gap : float
        How far from the best a block may be, relative to its objective. The gap reached is in the result. [1]
    curtailment_price_per_mwh : float
        What a curtailed MWh counts under `priority`. [currency/MWh]
    ramps : bool
        Whether `ramp_mw_per_h` limits outputs above the minimum; a unit starts at its minimum plus one step's ramp
        at most, and stops from there.
    storage : bool
        Whether storage helps; then dispatch with `dispatch_horizon`.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset
        Over (time, gen): `committed` (0 or 1; shares where relaxed; all generators, to be given to dispatches as
        `gen_status`), `started`, `start_cost` and `no_load_cost`; over time `shed_p_mw`, `dump_p_mw` and
        `reserve_short_mw` that the commitment could not avoid; over block: `objective`, `bound`, `gap`,
        `block_start`.

    Raises
    ------
    InputError
        As in `grid_models.dispatch`; a grid with nothing to commit; horizons, gaps and prices out of range.
    SolverError
        A block without a commitment, named with its time.

    Warns
    -----
    UserWarning
        If load is shed, power dumped or reserves are short, or a block misses `mip_gap`: when and how much.

    Notes
    -----
    Least cost of running, starting and dispatching, with curtailment at a price: a strict order of least
    curtailment before least cost would shut down and start any number of units to save a MWh. Given the
    commitment, `dispatch` keeps that order exactly. What runs in the first step is free, and starts there cost
    nothing.
    """
    _check(grid, mip_gap, curtailment_price_per_mwh)
    step_h = step_hours(generation["time"])
    rolling = _rolling(horizon_h, look_ahead_h, step_h)
    time = generation["time"]
    load = grid.load(to_utc_index(time)) if load is None else load
    available, fixed, flexible = aligned(grid, generation, load, flexible_load)
    ones = xr.DataArray(np.ones((len(time), 0)), {"time": time, "gen": []}, ("time", "gen"), "gen_status")
    status, _ = aligned_series(grid, time, ones if gen_status is None else gen_status, None)
    fleet = clustered(grid, step_h, (status < 1.0).any(axis=0))
    stores = Stores.of(grid)
    solver = CommitmentSolver(
        fleet,
        DispatchEngine(fleet.grid, objective, security=security, limits=limits, stored=_NO_ROWS),
        stores if storage else stores.none,
        Prices(curtailment_price_per_mwh),
        step_h=step_h,
        ramps=ramps,
        relaxed=relaxed,
        mip_gap=mip_gap,
    )
    nothing = np.zeros((len(time), len(grid.buses)))
    inputs = Inputs(fixed + flexible, available, _without_clusters(fleet, status), nothing)
    blocks = _roll(solver, inputs, _members_that_may_run(fleet, status), rolling, time, progress)
    result = _dataset(fleet, time, status, blocks, relaxed=relaxed)
    result.attrs.update(
        objective=objective,
        security=security,
        grid=grid.name,
        currency=grid.currency,
        relaxed=int(relaxed),
        horizon_h=float(horizon_h),
        look_ahead_h=float(look_ahead_h),
        mip_gap=float(mip_gap),
        curtailment_price_per_mwh=float(curtailment_price_per_mwh),
    )
    _warn(result, mip_gap)
    return result


def _check(grid: Grid, mip_gap: float, curtailment_price: float) -> None:
    findings = Findings()
    gens = grid.generators
    if not (gens["committable"] & ~gens["must_run"]).any():
        what = "has no committable generator"
        remedy = "load it with commitment=True, or set 'committable' in its generators"
        findings.add(f"grid {grid.name!r}", what, remedy)
    if not 0.0 <= mip_gap < 1.0:
        findings.add("mip_gap", f"{mip_gap} is outside 0 to 1", "give a share, such as 0.001")
    if not 0.0 <= curtailment_price < np.inf:
        what = f"{curtailment_price} is negative or not finite"
        findings.add("curtailment_price_per_mwh", what, "give a price of 0 or more")
    findings.raise_if_any("unit commitment")


def _rolling(horizon_h: float, look_ahead_h: float, step_h: float) -> Rolling:
    """Steps of both times, which must be whole."""
    findings, steps = Findings(), []
    for name, hours, least in (("horizon_h", horizon_h, 1), ("look_ahead_h", look_ahead_h, 0)):
        n = hours / step_h
        steps.append(round(n) if np.isfinite(n) else 0)
        if not np.isfinite(n) or abs(n - round(n)) > _ROUNDING * max(1.0, abs(n)) or round(n) < least:
            what = f"{hours} h is not a whole number of steps of {step_h:g} h, {least} at least"
            findings.add(name, what, f"give a multiple of {step_h:g} h")
    findings.raise_if_any("unit commitment")
    return Rolling(*steps)


def _without_clusters(fleet: Fleet, status: FloatArray) -> FloatArray:
    """Share that runs of the generators of the fleet's grid, with nothing of the clusters."""
    result = np.zeros((len(status), len(fleet.grid.generators)))
    result[:, fleet.others_gen] = status[:, fleet.others]
    return result


def _members_that_may_run(fleet: Fleet, status: FloatArray) -> FloatArray:
    """Members that are not out for any part of a step, (step, cluster)."""
    whole = status >= 1.0
    counts = [whole[:, members].sum(axis=1) for members in fleet.members]
    return np.array(counts, dtype=float).reshape(len(fleet), len(status)).T.copy()


def _roll(
    solver: CommitmentSolver,
    inputs: Inputs,
    most: FloatArray,
    rolling: Rolling,
    time: xr.DataArray,
    progress: Callable[[int, int], None] | None,
) -> list[tuple[Committed, int, int]]:
    """Solve block after block: each commitment with its first step and the steps kept of it."""
    fleet, n_step, blocks = solver.fleet, len(inputs), []
    past, state = Past.none(fleet), State(solver.stores.e_initial_mwh)
    longest = int(max(fleet.up_steps.max(initial=1), fleet.down_steps.max(initial=1)))
    for first in range(0, n_step, rolling.kept):
        last = min(first + rolling.kept + rolling.ahead, n_step)
        kept, steps = min(rolling.kept, last - first), slice(first, last)
        try:
            block = solver.solve(inputs.at(steps), most[steps], past, state, kept)
        except SolverError as error:
            begin, end = (np.datetime_as_string(time.to_numpy()[k], unit="m") for k in (first, last - 1))
            raise SolverError(f"{begin}Z to {end}Z: {error}") from error
        past = past.then(block.running[:kept], block.starting[:kept], longest)
        content = np.clip(block.content_mwh[kept - 1], 0.0, solver.stores.e_max_mwh)
        state = State(content, block.above_minimum_mw[kept - 1], inputs.gen_status[first + kept - 1])
        blocks.append((block, first, kept))
        if progress is not None:
            progress(first + kept, n_step)
    return blocks


def _dataset(
    fleet: Fleet,
    time: xr.DataArray,
    status: FloatArray,
    blocks: list[tuple[Committed, int, int]],
    *,
    relaxed: bool,
) -> xr.Dataset:
    gens = fleet.source.generators
    running, starting, slack = (
        np.concatenate([getattr(block, name)[:kept] for block, _, kept in blocks])
        for name in ("running", "starting", "slack_mw")
    )
    if relaxed:
        running = np.clip(running, 0.0, fleet.n)
        committed, started = shared(fleet, running), shared(fleet, starting)
    else:
        committed = Roster(fleet).schedule(running.astype(np.int64))
        started = np.maximum(np.diff(committed, axis=0, prepend=committed[:1]), 0.0)
    committed[:, fleet.others] = status[:, fleet.others]
    per_gen = {
        "committed": (committed, "1"),
        "started": (started, "1"),
        "start_cost": (started * gens["start_cost"].to_numpy(dtype=float), fleet.source.currency),
        "no_load_cost": (
            committed * gens["no_load_cost_per_h"].to_numpy(dtype=float),
            f"{fleet.source.currency}/h",
        ),
    }
    result = xr.Dataset(
        {name: (("time", "gen"), values, {"units": units}) for name, (values, units) in per_gen.items()},
        coords={"time": time.to_numpy(), "gen": gens.index.to_numpy(dtype=object)},
    )
    for k, name in enumerate(("shed_p_mw", "dump_p_mw", "reserve_short_mw")):
        result[name] = ("time", slack[:, k], {"units": "MW"})
    for name, unit in (("objective", fleet.source.currency), ("bound", fleet.source.currency), ("gap", "1")):
        result[name] = ("block", np.array([getattr(block, name) for block, _, _ in blocks]), {"units": unit})
    first: IntArray = np.array([first for _, first, _ in blocks], dtype=np.int64)
    return result.assign_coords(block_start=("block", time.to_numpy()[first]))


def _warn(result: xr.Dataset, mip_gap: float) -> None:
    """Tell loudly what a commitment could not keep."""
    what = {
        "shed_p_mw": "load is shed",
        "dump_p_mw": "power is dumped",
        "reserve_short_mw": "reserves are short",
    }
    texts = []
    for name, text in what.items():
        power = result[name].to_numpy()
        if power.max(initial=0.0) > _SLACK_MW:
            worst = np.datetime_as_string(result["time"].to_numpy()[power.argmax()], unit="m")
            count = int((power > _SLACK_MW).sum())
            texts.append(f"{text} in {count} of {len(power)} steps, up to {power.max():.1f} MW at {worst}Z")
    gap = result["gap"].to_numpy()
    if not result.attrs["relaxed"] and gap.max(initial=0.0) > mip_gap + _ROUNDING:
        worst = np.datetime_as_string(result["block_start"].to_numpy()[gap.argmax()], unit="m")
        missed = int((gap > mip_gap + _ROUNDING).sum())
        texts.append(
            f"{missed} of {len(gap)} blocks miss mip_gap={mip_gap:g}, by {gap.max():.4f} from {worst}Z on"
        )
    if texts:
        warnings.warn(f"commitment of grid {result.attrs['grid']!r}: " + "; ".join(texts), stacklevel=3)
