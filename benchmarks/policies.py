"""Every policy over most of a year: what it absorbs, how soon jobs end, and how near to the bound it comes.

The scenario is `data/scenarios/policies.yaml`: RTS-GMLC with recorded wind, PV and load, the Philly trace,
and what the recorded day-ahead series foretold. All policies do the same work. Intervals are of 95 %, by
drawing weeks with replacement; jobs count in the week of their submission.

With `--late` also what a fluid could absorb: the work of all jobs, divisible, moved at no cost with all known
beforehand, no sooner than its job could have run and at most so many hours later.

    python benchmarks/policies.py                           # all policies, one seed; half an hour and more
    python benchmarks/policies.py --policies static receding_horizon --days 28 --seeds 1 2
    python benchmarks/policies.py --late 0 6 12 24 48 --policies static
    python benchmarks/policies.py --outlook perfect --policies receding_horizon   # what forecasts cost
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.optimize import linprog
from scipy.sparse import csr_array

from twin.accounting import Score, account
from twin.policies import POLICIES
from twin.preparation import Prepared, prepare
from twin.progress import silent
from twin.record import SimulationRecord
from twin.results import policy_bound_mwh
from twin.scenario import load_scenario
from twin.simulate import run_simulation
from twin.stages import StageCache
from weather import to_xarray_time

FloatArray = npt.NDArray[np.float64]

HOURS_PER_WEEK, S_PER_WEEK, DRAWS = 168, 7 * 86400.0, 2000

#: The trace of each further seed begins four weeks later.
TRACE_START_H, TRACE_SHIFT_H = 480.0, 672.0


@dataclass(frozen=True)
class Weeks:
    """Sums of one run by week."""

    absorbed_mwh: FloatArray
    compute_mwh: FloatArray
    thermal_mwh: FloatArray
    gpu_h: FloatArray
    jct_h: FloatArray
    slowdown: FloatArray
    n_jobs: FloatArray


def prepared_study(seed: int, days: int | None, outlook: str) -> Prepared:
    """Prepare the scenario with another seed, length or outlook."""
    changes = [f"seed={seed}", f"jobs.trace_start_h={TRACE_START_H + TRACE_SHIFT_H * (seed - 1)}"]
    changes += [f"outlook.source={outlook}"] + ([] if days is None else [f"time.days={days}"])
    return prepare(load_scenario("policies", overrides=changes), StageCache(), silent)


def simulate(prepared: Prepared, name: str) -> tuple[Score, Weeks]:
    """Run one policy and score it, in all and by week."""
    record = run_simulation(prepared.inputs, POLICIES[name]())
    grid = prepared.grids[0].baseline
    baseline = grid.sel(time=to_xarray_time(record.time))
    bound = policy_bound_mwh(prepared, record, [baseline])
    return account(record, [baseline], bound_absorbed_mwh=bound), by_week(record, baseline)


def by_week(record: SimulationRecord, baseline: xr.Dataset) -> Weeks:
    """Sum steps by week, and jobs by that of their submission; what comes after counts in the last one."""
    before = {name: baseline[name].to_numpy().sum(axis=1) for name in ("curtailed_p_mw", "p_mw")}
    after = {name: record.grids[0][name].sum(axis=1) for name in before}
    week = np.arange(len(record.time)) // round(HOURS_PER_WEEK / record.step_h)
    jobs = record.jobs
    of_job = (jobs["submit_s"].to_numpy() // S_PER_WEEK).astype(np.int64)
    last = int(of_job.max())
    jct_h = (jobs["end_s"] - jobs["submit_s"]).to_numpy() / 3600.0

    def steps(values: FloatArray) -> FloatArray:
        return np.bincount(np.minimum(week, last), values, last + 1) * record.step_h

    return Weeks(
        absorbed_mwh=steps(before["curtailed_p_mw"] - after["curtailed_p_mw"]),
        compute_mwh=steps(record.sites["load_p_mw"].sum(axis=1)),
        thermal_mwh=steps(after["p_mw"] - before["p_mw"]),
        gpu_h=np.bincount(of_job, jobs["done_gpu_h"].to_numpy(), last + 1),
        jct_h=np.bincount(of_job, jct_h, last + 1),
        slowdown=np.bincount(of_job, jct_h * 3600.0 / jobs["ideal_run_s"].to_numpy(), last + 1),
        n_jobs=np.bincount(of_job, minlength=last + 1).astype(float),
    )


def interval(over: list[FloatArray], under: list[FloatArray]) -> str:
    """Ratio of two sums over all weeks of all seeds, with its interval."""
    top, bottom = np.concatenate(over), np.concatenate(under)
    draw = np.random.default_rng(0).integers(0, len(top), (DRAWS, len(top)))
    low, high = np.quantile(top[draw].sum(axis=1) / bottom[draw].sum(axis=1), [0.025, 0.975])
    return f"{top.sum() / bottom.sum():.4g} ({low:.4g}-{high:.4g})"


def fluid_mwh(prepared: Prepared, energy_mwh: float, late_h: int) -> float:
    """Most that the work of all jobs absorbs as a fluid that comes with them and waits so many hours at most.

    Its energy is that of a run. Devices do not limit it, only what sites can draw where it relieves anything.
    """
    inputs, curves = prepared.inputs, prepared.curves[0]
    n = len(curves)
    early = energy_mwh * _could_have_run(prepared, n)
    late = np.concatenate([np.zeros(late_h), early[: n + 1 - late_h]])
    step = np.repeat(np.arange(n), [len(curve.load_mw) - 1 for curve in curves])
    width = np.concatenate([np.diff(curve.load_mw) for curve in curves])
    relief = np.concatenate([np.diff(curve.relief_mw) for curve in curves])
    n_piece, every = len(step), np.arange(n)
    # Stock at the end of a step = stock before + what came - load, which is pieces that relieve and a rest.
    row = np.concatenate([step, every, every, every[1:]])
    column = np.concatenate([np.arange(n_piece + 2 * n), n_piece + n + every[:-1]])
    value = np.concatenate([np.ones(n_piece + 2 * n), -np.ones(n - 1)])
    most = np.concatenate([width, np.full(n, np.inf), np.maximum(early[1:] - late[1:], 0.0) + 1e-6])
    found = linprog(
        np.concatenate([-relief / width, np.zeros(2 * n)]),
        A_eq=csr_array((value, (row, column)), shape=(n, n_piece + 2 * n)),
        b_eq=np.diff(early),
        bounds=np.column_stack([np.zeros_like(most), most]),
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(found.message)
    return float(-found.fun * inputs.step_h)


def _could_have_run(prepared: Prepared, n: int) -> FloatArray:
    """Share of all work that could have been done by each hour if every job ran as it came, (hour + 1)."""
    jobs, speed = prepared.inputs.jobs, prepared.inputs.sites.rel_throughput[0]
    n_gpus, begin = jobs["n_gpus"].to_numpy(float), jobs["submit_s"].to_numpy() / 3600.0
    run_h = jobs["work_gpu_h"].to_numpy() / n_gpus / speed
    total = np.zeros(n + 1)
    for first in range(0, len(jobs), 20_000):
        some = slice(first, first + 20_000)
        total += np.clip(np.arange(n + 1)[:, None] - begin[some], 0.0, run_h[some]) @ n_gpus[some]
    return total / total[-1]


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--days", type=int)
    parser.add_argument("--outlook", default="day_ahead", choices=["day_ahead", "persistence", "perfect"])
    parser.add_argument("--late", nargs="*", type=int, default=[], help="hours, for the fluid")
    args = parser.parse_args()
    studies = [prepared_study(seed, args.days, args.outlook) for seed in args.seeds]
    print("| policy | absorbed MWh | share of bound | absorbed/compute | kWh per GPU-h | mean h | median h |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in args.policies:
        runs = [simulate(prepared, name) for prepared in studies]
        scores, weeks = [run[0] for run in runs], [run[1] for run in runs]
        absorbed = sum(s.absorbed_mwh for s in scores)
        bound = sum(s.bound_absorbed_mwh or 0.0 for s in scores)
        median = ", ".join(f"{s.jct_median_h:.2f}" for s in scores)
        per_compute = interval([w.absorbed_mwh for w in weeks], [w.compute_mwh for w in weeks])
        per_gpu_h = interval([1000.0 * w.thermal_mwh for w in weeks], [w.gpu_h for w in weeks])
        mean_h = interval([w.jct_h for w in weeks], [w.n_jobs for w in weeks])
        cells = (name, f"{absorbed:.0f}", f"{absorbed / bound:.3f}", per_compute, per_gpu_h, mean_h, median)
        print("| " + " | ".join(cells) + " |", flush=True)
        for late_h in args.late if name == args.policies[-1] else ():
            fluid = sum(
                fluid_mwh(study, run[0].compute_mwh, late_h) for study, run in zip(studies, runs, strict=True)
            )
            print(f"fluid, at most {late_h} h late: {fluid:.0f} MWh, {fluid / bound:.3f} of the bound")


if __name__ == "__main__":
    main()
