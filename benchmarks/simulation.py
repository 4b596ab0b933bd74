"""A year of the loop at 15 minutes: RTS-GMLC dispatched in every step, sites, jobs, `feasibility_aware`.

Beside it, in the same process and over as many steps, vessim 0.16 with eight microgrids (a load, a PV plant,
a battery, a grid connection each), which has neither grid nor jobs. Ours: eight sites, 20,000 jobs that keep
100 MW of GPUs busy, recorded wind and PV, coupled both ways. Weather, baseline dispatch and signals are
prepared before, as they are the same for all policies; their time is printed apart. Then how time grows with
jobs, sites and steps. Prints a table and a last line of JSON.

    python benchmarks/simulation.py [--days 364] [--jobs 20000] [--growth]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import vessim

from grid_models import load_grid
from twin import Scenario
from twin.inputs import SimulationInputs
from twin.policies import FeasibilityAware
from twin.preparation import prepare
from twin.progress import silent
from twin.simulate import Simulation
from twin.stages import StageCache
from twin.workloads import prepare_jobs

TARGET = 5.0
STEP_S = 900
STEPS_PER_DAY = 86400 // STEP_S
MEAN_MW = 100.0
BUSY_W = 945.0
BUSES = (303, 317, 122, 324, 101, 113, 208, 215)
DRAIN_DAYS = 4
PARTS = 8
SPARE = 1.6
"""GPUs of eight sites over those that are busy in the mean; more sites are as large, so that jobs fit."""

CACHE = StageCache()
"""Weather, baseline dispatch and signals of the same days and sites are prepared once."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=364)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--growth", action="store_true")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warm_up()
    sizes = [(given.days, 8, given.jobs)]
    if given.growth:
        sizes += [(given.days // 4, 8, given.jobs // 4), (given.days, 8, 10 * given.jobs)]
        sizes += [(given.days, 64, given.jobs), (given.days, 64, 10 * given.jobs)]
    peer_s: list[float] = []
    part = given.days * STEPS_PER_DAY // PARTS
    rows: list[dict[str, float]] = []
    for size in sizes:
        rows.append(ours(*size, between=None if rows else lambda: peer_s.append(vessim_s(part))))
        show(rows[-1])
    vessim_total = sum(peer_s)
    ratio = rows[0]["cpu_s"] / vessim_total
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(f"vessim {vessim_total:.1f} s for eight microgrids; ours takes {ratio:.2f} x (target {TARGET} x)")
    print(f"peak memory {peak:.0f} MB")
    print(json.dumps({"ours": rows, "vessim_s": vessim_total, "ratio": ratio, "peak_mb": peak}))


def show(row: dict[str, float]) -> None:
    """Print a row as soon as it is known."""
    print(
        f"{row['steps']:>7,.0f} steps {row['sites']:>3.0f} sites {row['jobs']:>8,.0f} jobs "
        f"{row['mean_mw']:6.1f} MW  {row['cpu_s']:7.1f} s  {row['ms_per_step']:.2f} ms a step  "
        f"{row['moves']:,.0f} moves (prepared in {row['prepared_s']:.0f} s)",
        flush=True,
    )


def scenario(days: int, n_sites: int) -> Scenario:
    """Recorded wind and PV of RTS-GMLC, and sites at its buses."""
    buses = [str(bus) for bus in BUSES]
    if n_sites > len(buses):
        others = [bus for bus in load_grid("rts_gmlc").buses.index if bus not in buses]
        buses = [*buses, *others][:n_sites]
    n_gpus = int(np.ceil(SPARE * MEAN_MW * 1e6 / BUSY_W / len(BUSES)))
    sites = [{"name": f"s{bus}", "bus": bus, "n_gpus": n_gpus} for bus in buses]
    raw = {
        "schema_version": 1,
        "name": "benchmark",
        "seed": 1,
        "time": {
            "start": "2020-01-02T08:00:00Z",
            "days": days - DRAIN_DAYS,
            "drain_days": DRAIN_DAYS,
            "history_days": 1,
            "signal_step_s": STEP_S,
            "tick_s": STEP_S,
        },
        "grids": [
            {
                "name": "rts_gmlc",
                "source": "rts_gmlc",
                "options": {"must_run": ["nuclear"]},
                "weather": {"source": "recorded", "series": "real_time"},
                "load": {"series": "real_time"},
            }
        ],
        "sites": sites,
        "jobs": {"mean_gpus": 1},  # replaced by `drawn_jobs`
        "wan": {"access_gbit_per_s": 200},
    }
    return Scenario.model_validate_json(json.dumps(raw))


def inputs(days: int, n_sites: int, n_jobs: int) -> tuple[SimulationInputs, float]:
    """What the loop is given, and the time it took to prepare."""
    begin = time.process_time()
    prepared = prepare(scenario(days, n_sites), CACHE, silent)
    seconds = time.process_time() - begin
    arrivals_s = (days - DRAIN_DAYS) * 86400.0
    jobs = prepare_jobs(
        drawn_jobs(days, n_jobs),
        seed=2,
        duration_s=arrivals_s,
        sites=prepared.inputs.sites,
        max_job_h=72.0,
        trace_device="h100_sxm",
    )
    return replace(prepared.inputs, jobs=jobs), seconds


def drawn_jobs(days: int, n_jobs: int) -> pd.DataFrame:
    """Jobs of 8 to 1,024 GPUs and up to 72 hours that together keep the mean power; synthetic."""
    rng = np.random.default_rng(1)
    submit_s = np.sort(rng.uniform(0.0, (days - DRAIN_DAYS) * 86400.0, n_jobs))
    duration_s = np.minimum(rng.lognormal(np.log(24.0), 1.0, n_jobs), 72.0) * 3600.0
    size = 2.0 ** rng.integers(0, 6, n_jobs)
    wanted = MEAN_MW * 1e6 / BUSY_W * days * 86400.0
    n_gpus = np.maximum(1, np.round(size * wanted / float((size * duration_s).sum()))).astype(np.int64)
    trace = pd.DataFrame({"submit_s": submit_s, "duration_s": duration_s, "n_gpus": n_gpus})
    trace.attrs = {"trace": "benchmark", "source": "drawn", "synthetic": 1, "gpu_type": ""}
    trace.attrs["duplicates"] = "keep"
    return trace


def ours(days: int, n_sites: int, n_jobs: int, between: Callable[[], None] | None = None) -> dict[str, float]:
    """The loop over all steps, in CPU time; `between` is called after each part, so that noise hits both."""
    given, prepared_s = inputs(days, n_sites, n_jobs)
    simulation = Simulation(given, FeasibilityAware())
    seconds = 0.0
    for part in range(PARTS):
        begin = time.process_time()
        while simulation.tick < given.n_ticks * (part + 1) // PARTS:
            simulation.step()
        seconds += time.process_time() - begin
        if between is not None:
            between()
    record = simulation.record
    return {
        "steps": given.n_steps,
        "sites": n_sites,
        "jobs": given.table.n_jobs,
        "mean_mw": float(record.sites["compute_p_mw"].sum(axis=1).mean()),
        "cpu_s": seconds,
        "ms_per_step": 1e3 * seconds / given.n_steps,
        "moves": len(record.transfers),
        "prepared_s": prepared_s,
    }


def warm_up() -> None:
    """Compile what is compiled on first use."""
    given, _ = inputs(8, 8, 300)
    simulation = Simulation(given, FeasibilityAware())
    for _ in range(100):
        simulation.step()


def vessim_s(n_steps: int) -> float:
    """Eight microgrids over as many steps, in CPU time."""
    rng = np.random.default_rng(3)
    stamps = pd.date_range("2020-01-02", periods=n_steps + 1, freq="15min")
    environment = vessim.Environment(sim_start="2020-01-02", step_size=STEP_S)
    for k in range(8):
        load = vessim.Trace(pd.Series(rng.uniform(8e6, 14e6, len(stamps)), stamps), anchor=stamps[0])
        sun = vessim.Trace(pd.Series(rng.uniform(0.0, 20e6, len(stamps)), stamps), anchor=stamps[0])
        environment.add_microgrid(
            name=f"m{k}",
            actors=[vessim.Consumer("load", load), vessim.Producer("pv", sun)],
            dispatchables=[
                vessim.SimpleBattery(name="battery", capacity=20e6, initial_soc=0.5),
                vessim.GridConnection(),
            ],
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = time.process_time()
        environment.run(until=n_steps * STEP_S)
        return time.process_time() - begin


if __name__ == "__main__":
    main()
