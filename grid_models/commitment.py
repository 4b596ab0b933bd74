"""Unit commitment over a rolling horizon: which generators run when, decided ahead of the dispatch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from grid_models.alignment import aligned, aligned_series, check_steps
from grid_models.block_rows import NO_ROWS, State
from grid_models.commitment_block import CommitmentSolver, Committed, Prices
from grid_models.commitment_rows import Past
from grid_models.dispatch import check_choice
from grid_models.engine import DispatchEngine, Security
from grid_models.fleet import Fleet, Roster, clustered, shared
from grid_models.limits import Limits
from grid_models.lp import Inputs
from grid_models.objective import Objective
from grid_models.rolling import Block, Rolling
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
Where renewables have priority but not at any price, a price says how much. This one is what German
transmission system operators reckoned with for a MWh of renewable energy held back, in EUR, from October 2021
to September 2022; it follows from the regulator's rule that renewables are held back only where ten times as
much of other generation would have to be instead.

References
----------
.. [1] Bundesnetzagentur, Festlegung PGMF-8116-EnWG § 13j, 30 November 2020 (minimum factor 10); prices
   published by the four operators on netztransparenz.de for 1 October 2021 to 30 September 2022.
"""
_SLACK_MW = 1e-4
_ROUNDING = 1e-9


def commit(
    grid: Grid,
    generation: xr.Dataset,
    *,
    load: xr.DataArray | None = None,
    flexible_load: xr.DataArray | None = None,
    gen_status: xr.DataArray | None = None,
    objective: Objective = "market",
    security: Security = "none",
    limits: Limits | None = None,
    horizon_h: float = 24.0,
    look_ahead_h: float = 24.0,
    relaxed: bool = False,
    mip_gap: float = 0.01,
    max_nodes: int = 1000,
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
    generation, load, flexible_load, security, limits
        As in `grid_models.dispatch`. Reserves are kept by what runs.
    gen_status : DataArray (time, gen), optional
        Where a generator is less than 1 in a step it is out (`generator_outages`), and not committed then;
        one that an outage stops is not held to its time to run. [1]
    objective : {"market", "priority"}
        Least cost, or least cost with curtailment at a price.
    horizon_h, look_ahead_h : float
        A block is solved over both together; what is decided for the first is kept. What runs, is stored and
        ramps goes on into the next block. [h]
    relaxed : bool
        Let any share of a unit run: a linear programme, ten times as fast. Its objective is at most that of
        whole units.
    mip_gap : float
        How far from the best a block may be, relative to its objective. [1]
    max_nodes : int
        Nodes of a block's search after which the best so far is taken. There is no limit on time: results
        would depend on the machine.
    curtailment_price_per_mwh : float
        What a curtailed MWh counts under `priority`. [currency/MWh]
    ramps : bool
        Whether `ramp_mw_per_h` limits outputs above the minimum; a unit starts at its minimum plus one step's
        ramp at most, and stops from there.
    storage : bool
        Whether storage helps; then dispatch with `dispatch_horizon`.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    Dataset
        Over (time, gen): `gen_status` (0 or 1, shares where relaxed; of all generators, as dispatches take
        it), `starts`, `start_cost` [currency] and `no_load_cost` [currency/h]; over time `shed_p_mw`,
        `dump_p_mw` and `reserve_short_mw` that the commitment could not avoid; over block: `objective`,
        `bound` that none can be below, `gap` between them, `block_start`.

    Raises
    ------
    InputError
        As in `grid_models.dispatch`; a grid with nothing to commit; times, gaps and prices out of range.
    SolverError
        A block without a commitment, named with its time.

    Warns
    -----
    UserWarning
        If load is shed, power dumped or reserves are short, or a block misses `mip_gap`: when and how much.

    Notes
    -----
    Least cost of running, starting and dispatching, in `priority` with curtailment at a price: a strict order
    of least curtailment before least cost would shut down and start any number of units to save a MWh. Given
    the commitment, `dispatch` keeps that order exactly. What runs in the first step is free, and starts there
    cost nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> from grid_models import dispatch, load_grid
    >>> grid = load_grid("rts_gmlc", commitment=True)
    >>> day = pd.date_range("2020-04-08T08:00Z", periods=24, freq="h")
    >>> generation = grid.recorded(day).to_dataset()
    >>> fast = commit(grid, generation, relaxed=True)
    >>> dispatched = dispatch(grid, generation, gen_status=fast["gen_status"], objective="market")
    >>> float(dispatched["shed_p_mw"].sum())
    0.0
    """
    check_choice(objective, security)
    _check(grid, mip_gap, max_nodes, curtailment_price_per_mwh)
    check_steps(generation)
    time, step_h = generation["time"], step_hours(generation["time"])
    rolling = Rolling.of(horizon_h, look_ahead_h, step_h)
    load = grid.load(to_utc_index(time)) if load is None else load
    available, fixed, flexible = aligned(grid, generation, load, flexible_load)
    ones = xr.DataArray(np.ones((len(time), 0)), {"time": time, "gen": []}, ("time", "gen"), "gen_status")
    status, _ = aligned_series(grid, time, ones if gen_status is None else gen_status, None)
    fleet = clustered(grid, step_h, np.asarray((status < 1.0).any(axis=0)), ramps=ramps)
    stores = Stores.of(grid)
    solver = CommitmentSolver(
        fleet,
        DispatchEngine(fleet.grid, objective, security=security, limits=limits, stored=NO_ROWS),
        stores if storage else stores.none,
        Prices(curtailment_price_per_mwh),
        step_h=step_h,
        ramps=ramps,
        relaxed=relaxed,
        mip_gap=mip_gap,
        max_nodes=max_nodes,
    )
    nothing = np.zeros((len(time), len(grid.buses)))
    inputs = Inputs(fixed + flexible, available, _without_clusters(fleet, status), nothing)
    stamps = np.datetime_as_string(time.to_numpy(), unit="m").tolist()
    blocks = _roll(solver, inputs, _members_that_may_run(fleet, status), rolling, stamps, progress)
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
        max_nodes=int(max_nodes),
        curtailment_price_per_mwh=float(curtailment_price_per_mwh),
    )
    _warn(result, mip_gap)
    return result


def _check(grid: Grid, mip_gap: float, max_nodes: int, curtailment_price: float) -> None:
    findings = Findings()
    gens = grid.generators
    if not (gens["committable"] & ~gens["must_run"]).any():
        what = "has no committable generator"
        remedy = "load it with commitment=True, or set 'committable' in its generators"
        findings.add(f"grid {grid.name!r}", what, remedy)
    if not 0.0 <= mip_gap < 1.0:
        findings.add("mip_gap", f"{mip_gap} is outside 0 to 1", "give a share, such as 0.001")
    if max_nodes < 1:
        findings.add("max_nodes", f"{max_nodes} is less than 1", "give 1 or more")
    if not 0.0 <= curtailment_price < np.inf:
        what = f"{curtailment_price} is negative or not finite"
        findings.add("curtailment_price_per_mwh", what, "give a price of 0 or more")
    findings.raise_if_any("unit commitment")


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
    stamps: list[str],
    progress: Callable[[int, int], None] | None,
) -> list[tuple[Committed, Block]]:
    """Solve block after block."""
    fleet, found = solver.fleet, []
    past, state = Past.none(fleet), State(solver.stores.e_initial_mwh)
    longest = int(max(fleet.up_steps.max(initial=1), fleet.down_steps.max(initial=1)))
    for block in rolling.blocks(len(inputs)):
        kept = block.kept
        try:
            done = solver.solve(inputs.at(block.steps), most[block.steps], past, state, kept)
        except SolverError as error:
            raise SolverError(f"{stamps[block.first]}Z to {stamps[block.last - 1]}Z: {error}") from error
        past = past.then(done.running[:kept], done.starting[:kept], longest)
        content = np.clip(done.content_mwh[kept - 1], 0.0, solver.stores.e_max_mwh)
        status = inputs.gen_status[block.first + kept - 1]
        state = State(content, done.above_minimum_mw[kept - 1], status)
        found.append((done, block))
        if progress is not None:
            progress(block.first + kept, len(inputs))
    return found


def _dataset(
    fleet: Fleet,
    time: xr.DataArray,
    status: FloatArray,
    blocks: list[tuple[Committed, Block]],
    *,
    relaxed: bool,
) -> xr.Dataset:
    gens = fleet.source.generators
    running, starting, slack = (
        np.concatenate([getattr(done, name)[: block.kept] for done, block in blocks])
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
        "gen_status": (committed, "1"),
        "starts": (started, "1"),
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
        result[name] = ("block", np.array([getattr(done, name) for done, _ in blocks]), {"units": unit})
    first: IntArray = np.array([block.first for _, block in blocks], dtype=np.int64)
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
    missed = int((gap > mip_gap + _ROUNDING).sum())
    if missed and not result.attrs["relaxed"]:
        worst = np.datetime_as_string(result["block_start"].to_numpy()[gap.argmax()], unit="m")
        texts.append(
            f"{missed} of {len(gap)} blocks miss mip_gap={mip_gap:g}, {gap.max():.4f} from {worst}Z on"
        )
    if texts:
        warnings.warn(f"commitment of grid {result.attrs['grid']!r}: " + "; ".join(texts), stacklevel=3)
