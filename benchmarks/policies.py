"""Every policy over most of a year: what it absorbs, how soon jobs end, and how near to the bound it comes.

The scenario is `data/scenarios/policies.yaml`: RTS-GMLC with recorded wind, PV and load, the Philly trace,
and what the recorded day-ahead series foretold. All policies do the same work. With another seed the jobs
have other checkpoints and origins, and the trace begins four weeks later in its busy part. Variants: `plain`;
`known`, in which policies are told all that comes; `free`, in which moves and pauses take no time and no
energy; `whole`, with all of the trace, the weeks in which its cluster was filled and emptied too.

Intervals are of 95 %, by drawing weeks with replacement from all seeds; jobs count in the week of their
submission, and the bound in the weeks in which it runs. A fluid is the work of all jobs, divisible, moved at
no cost with all known beforehand, no sooner than its job could have run and at most so many hours later.

Each run is one file in the folder `--records`, and what is there is not run again: several processes may
share the work.

    python benchmarks/policies.py --records out/policies                       # hours; prints the tables
    python benchmarks/policies.py --records out/policies --policies static temporal --seeds 1
    python benchmarks/policies.py --records out/policies --variants known free --policies receding_horizon
    python benchmarks/policies.py --records out/policies --only-read --write   # fills docs/policies.md
    python benchmarks/policies.py --records out/short --days 14 --seeds 1      # to try it
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.optimize import linprog
from scipy.sparse import csr_array
from tqdm import tqdm

from grid_models import ReliefCurve
from twin.accounting import account
from twin.policies import POLICIES
from twin.policy_options import make_policy
from twin.preparation import Prepared, prepare
from twin.progress import silent
from twin.record import SimulationRecord
from twin.results import policy_bound_mwh
from twin.scenario import load_scenario
from twin.simulate import run_simulation
from twin.stages import StageCache
from weather import to_xarray_time

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
from pages import fill_page, first_left

FloatArray = npt.NDArray[np.float64]
Run = dict[str, object]

PAGE = "policies.md"
HOURS_PER_WEEK, S_PER_WEEK, DRAWS = 168, 7 * 86400.0, 4000
TRACE_SHIFT_H = 672.0
"""The trace of each further seed begins four weeks later."""

LATE_H = (0, 6, 12, 24, 48)
SHOWN = ("static", "temporal", "energy_greedy", "feasibility_aware", "receding_horizon")
FREE = (
    "migration.start_up_s=0",
    "migration.warm_up_s=0",
    "migration.write_gb_per_s_per_node=1e9",
    "migration.read_gb_per_s_per_node=1e9",
    "wan.access_gbit_per_s=1e9",
    "wan.energy_kwh_per_gb=0",
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "known": ("outlook.source=perfect",),
    "free": FREE,
    "whole": ("jobs.trace_part_h=null",),
}
VARIANT_NAMES = {
    "plain": "honest forecasts",
    "known": "all known beforehand",
    "free": "moves and pauses free",
    "whole": "the whole trace",
}


def main() -> None:
    """Run what is not recorded yet, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=Path, required=True, help="folder of runs")
    parser.add_argument("--policies", nargs="+", default=list(SHOWN), choices=list(POLICIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--variants", nargs="+", default=["plain"], choices=list(VARIANTS))
    parser.add_argument("--days", type=int, help="instead of the scenario's 336")
    parser.add_argument("--set", nargs="+", default=[], help="further settings of the scenario, KEY=VALUE")
    parser.add_argument("--only-read", action="store_true", help="run nothing")
    parser.add_argument("--write", action="store_true", help=f"fill docs/{PAGE}")
    args = parser.parse_args()
    args.records.mkdir(parents=True, exist_ok=True)
    if not args.only_read:
        run_missing(args)
    runs = read_records(args.records)
    tables = {
        "policies": policy_table(runs),
        "differences": difference_table(runs),
        "leaves": leaves_table(runs),
        "fluid": fluid_table(runs),
        "weeks": week_table(runs),
    }
    for name, table in tables.items():
        print(f"\n{name}\n{table.to_string(index=False)}")
    if args.write:
        fill_page(PAGE, tables, first_left)


def run_missing(args: argparse.Namespace) -> None:
    """Run policies for which the folder has no record, and write one as soon as each is done."""
    asked = [(s, v) for v in args.variants for s in args.seeds]
    for seed, variant in tqdm(asked, disable=None):
        names = [n for n in args.policies if not record_path(args.records, n, seed, variant).exists()]
        if not names:
            continue
        changes = [f"seed={seed}", f"jobs.trace_start_h={TRACE_SHIFT_H * (seed - 1)}"]
        changes += [*VARIANTS[variant], *args.set, *([] if args.days is None else [f"time.days={args.days}"])]
        prepared = prepare(load_scenario("policies", overrides=changes), StageCache(), silent)
        for name in names:
            path = record_path(args.records, name, seed, variant)
            found = {"policy": name, "seed": seed, "variant": variant, **simulate(prepared, name)}
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(found), encoding="utf-8")
            part.rename(path)


def record_path(folder: Path, policy: str, seed: int, variant: str) -> Path:
    """Return where a run is recorded."""
    return folder / f"{variant}-{seed}-{policy}.json"


def read_records(folder: Path) -> list[Run]:
    """Read all runs; those of one seed and trace have to have done the same work."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-*-*.json"))]
    for run in runs:
        of_trace = [r for r in runs if r["seed"] == run["seed"] and is_whole(r) == is_whole(run)]
        most = max(r["work_gpu_h"] for r in of_trace)
        if not np.isclose(run["work_gpu_h"], most, rtol=1e-9):
            raise ValueError(f"{run['policy']}, seed {run['seed']}: other work than the other policies")
    return runs


def is_whole(run: Run) -> bool:
    """Say whether a run used all of the trace."""
    return run["variant"] == "whole"


def simulate(prepared: Prepared, name: str) -> Run:
    """Run one policy, score it, and sum it by week."""
    begin = time.process_time()
    policy = make_policy(name, prepared.scenario.policy_options.get(name, {}))
    record = run_simulation(prepared.inputs, policy)
    seconds = time.process_time() - begin
    baseline = prepared.grids[0].baseline.sel(time=to_xarray_time(record.time))
    bound = policy_bound_mwh(prepared, record, [baseline])
    score = account(record, [baseline], bound_absorbed_mwh=bound)
    load_mw = record.sites["load_p_mw"].sum(axis=1)
    best_mw = [np.interp(p, c.load_mw, c.relief_mw) for p, c in zip(load_mw, prepared.curves[0], strict=True)]
    jct_h = (record.jobs["end_s"] - record.jobs["submit_s"]).to_numpy() / 3600.0
    return {
        "days": prepared.scenario.time.days,
        "cpu_s": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        "work_gpu_h": float(record.jobs["work_gpu_h"].sum()),
        "done_gpu_h": score.completed_gpu_h,
        "n_jobs": len(record.jobs),
        "n_unfinished": score.jobs_unfinished,
        "absorbed_mwh": score.absorbed_mwh,
        "bound_mwh": bound,
        "placed_mwh": float(np.sum(best_mw) * record.step_h),
        "moves": score.migrations_done,
        "pauses": score.pauses,
        "lost_gpu_h": score.lost_gpu_h,
        "jct_h": [float(np.nanquantile(jct_h, q)) for q in (0.5, 0.95, 0.99)],
        "fluid_mwh": {late: fluid_mwh(prepared, score.compute_mwh, late) for late in LATE_H},
        "weeks": by_week(prepared, record, baseline),
    }


def by_week(prepared: Prepared, record: SimulationRecord, baseline: xr.Dataset) -> dict[str, list[float]]:
    """Sum steps by week, and jobs by that of their submission; what comes after counts in the last one."""
    before = {name: baseline[name].to_numpy().sum(axis=1) for name in ("curtailed_p_mw", "p_mw")}
    after = {name: record.grids[0][name].sum(axis=1) for name in before}
    week = np.arange(len(record.time)) // round(HOURS_PER_WEEK / record.step_h)
    jobs = record.jobs
    of_job = (jobs["submit_s"].to_numpy() // S_PER_WEEK).astype(np.int64)
    last = int(of_job.max())
    jct_h = (jobs["end_s"] - jobs["submit_s"]).to_numpy() / 3600.0
    ended = np.isfinite(jct_h)
    slowdown = jct_h * 3600.0 / jobs["ideal_run_s"].to_numpy()
    load_mw = record.sites["load_p_mw"].sum(axis=1)

    def steps(values: FloatArray) -> list[float]:
        return (np.bincount(np.minimum(week, last), values, last + 1) * record.step_h).tolist()

    def ends(values: FloatArray) -> list[float]:
        return np.bincount(of_job[ended], values[ended], last + 1).tolist()

    return {
        "absorbed_mwh": steps(before["curtailed_p_mw"] - after["curtailed_p_mw"]),
        "bound_mwh": steps(bound_by_step(prepared.curves[0], load_mw.sum())),
        "compute_mwh": steps(load_mw),
        "thermal_mwh": steps(after["p_mw"] - before["p_mw"]),
        "gpu_h": np.bincount(of_job, jobs["done_gpu_h"].to_numpy(), last + 1).tolist(),
        "jct_h": ends(jct_h),
        "slowdown": ends(slowdown),
        "n_jobs": np.bincount(of_job[ended], minlength=last + 1).astype(float).tolist(),
    }


def bound_by_step(curves: Sequence[ReliefCurve], load_mw: float) -> FloatArray:
    """What the bound absorbs in each step: the steepest pieces of all steps until load is used up. [MW]"""
    step = np.repeat(np.arange(len(curves)), [len(c.load_mw) - 1 for c in curves])
    width = np.concatenate([np.diff(c.load_mw) for c in curves])
    relief = np.concatenate([np.diff(c.relief_mw) for c in curves])
    order = np.argsort(-relief / width, kind="stable")
    used = np.clip(load_mw - (np.cumsum(width[order]) - width[order]), 0.0, width[order])
    value = used * np.maximum(relief / width, 0.0)[order]
    return np.bincount(step[order], value, len(curves)) + np.array([c.relief_mw[0] for c in curves])


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


def groups(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    """Runs of all seeds by variant and policy, in the order they are shown."""
    found: dict[tuple[str, str], list[Run]] = {}
    for variant in VARIANTS:
        for policy in SHOWN:
            same = [r for r in runs if r["variant"] == variant and r["policy"] == policy]
            if same:
                found[variant, policy] = same
    return found


def name_of(variant: str, policy: str) -> str:
    """What a row is called."""
    return f"`{policy}`" if variant == "plain" else f"`{policy}`, {VARIANT_NAMES[variant]}"


def weekly(runs: Iterable[Run], name: str) -> FloatArray:
    """Weeks of all seeds one after the other."""
    return np.concatenate([np.asarray(run["weeks"][name]) for run in runs])  # type: ignore[index]


def interval(top: FloatArray, bottom: FloatArray, form: str) -> str:
    """Ratio of two sums over all weeks of all seeds, with its interval."""
    draw = np.random.default_rng(0).integers(0, len(top), (DRAWS, len(top)))
    low, high = np.quantile(top[draw].sum(axis=1) / bottom[draw].sum(axis=1), [0.025, 0.975])
    return f"{top.sum() / bottom.sum():{form}} ({low:{form}} to {high:{form}})"


def policy_table(runs: list[Run]) -> pd.DataFrame:
    """What each policy reaches."""
    rows = []
    for (variant, policy), same in groups(runs).items():
        week = {name: weekly(same, name) for name in same[0]["weeks"]}
        quantiles = np.mean([run["jct_h"] for run in same], axis=0)
        rows.append(
            {
                "policy": name_of(variant, policy),
                "seeds": len(same),
                "share of bound": interval(week["absorbed_mwh"], week["bound_mwh"], ".3f"),
                "absorbed per compute, MWh/MWh": interval(week["absorbed_mwh"], week["compute_mwh"], ".4f"),
                "non-renewable, kWh/GPU-h": interval(1000.0 * week["thermal_mwh"], week["gpu_h"], ".3f"),
                "mean time to completion, h": interval(week["jct_h"], week["n_jobs"], ".2f"),
                "median, 95 %, h": f"{quantiles[0]:.2f}, {quantiles[1]:.1f}",
                "mean slowdown": f"{week['slowdown'].sum() / week['n_jobs'].sum():.1f}",
                "moves, pauses": ", ".join(f"{sum(r[n] for r in same):,}" for n in ("moves", "pauses")),
                "unfinished": f"{sum(r['n_unfinished'] for r in same)} of {sum(r['n_jobs'] for r in same):,}",
            }
        )
    return pd.DataFrame(rows)


def difference_table(runs: list[Run]) -> pd.DataFrame:
    """`receding_horizon` minus each other policy, week by week with the same jobs."""
    found, rows = groups(runs), []
    for policy in SHOWN[:-1]:
        pair = [found.get(("plain", name), []) for name in (SHOWN[-1], policy)]
        seeds = {r["seed"] for r in pair[0]} & {r["seed"] for r in pair[1]}
        own, other = ([r for r in runs_ if r["seed"] in seeds] for runs_ in pair)
        if not seeds:
            continue
        less = {name: weekly(own, name) - weekly(other, name) for name in own[0]["weeks"]}
        n_jobs, gpu_h = weekly(other, "n_jobs"), weekly(other, "gpu_h")
        years = np.full(len(n_jobs), len(seeds) / len(n_jobs))
        rows.append(
            {
                "minus": f"`{policy}`",
                "absorbed a run, GWh": interval(less["absorbed_mwh"] / 1000.0, years, ".2f"),
                "non-renewable a run, GWh": interval(less["thermal_mwh"] / 1000.0, years, ".2f"),
                "non-renewable, kWh/GPU-h": interval(1000.0 * less["thermal_mwh"], gpu_h, ".4f"),
                "mean time to completion, h": interval(less["jct_h"], n_jobs, ".2f"),
                "mean slowdown": interval(less["slowdown"], n_jobs, ".1f"),
            }
        )
    return pd.DataFrame(rows)


def leaves_table(runs: list[Run]) -> pd.DataFrame:
    """What each run leaves open of its bound: in which place its load was, and when."""
    rows = []
    for (variant, policy), same in groups(runs).items():
        bound, placed, absorbed = (
            np.mean([run[n] for run in same]) / 1000.0 for n in ("bound_mwh", "placed_mwh", "absorbed_mwh")
        )
        rows.append(
            {
                "policy": name_of(variant, policy),
                "bound, GWh": f"{bound:.1f}",
                "absorbed, GWh": f"{absorbed:.1f}",
                "other hours, GWh": f"{bound - placed:.1f}",
                "other sites in the same hours, GWh": f"{placed - absorbed:.1f}",
                "GPU-hours lost to moves and pauses, % of work": "{:.2f}".format(
                    100.0 * sum(r["lost_gpu_h"] for r in same) / sum(r["work_gpu_h"] for r in same)
                ),
                "CPU, min": f"{np.mean([r['cpu_s'] for r in same]) / 60.0:.0f}",
            }
        )
    return pd.DataFrame(rows)


def fluid_table(runs: list[Run]) -> pd.DataFrame:
    """What the fluid reaches of the bound, with the energy of `receding_horizon`."""
    rows = []
    for variant in ("plain", "whole"):
        same = [r for r in runs if r["variant"] == variant and r["policy"] == "receding_horizon"]
        if not same:
            continue
        share = {h: np.mean([r["fluid_mwh"][str(h)] / r["bound_mwh"] for r in same]) for h in LATE_H}
        rows.append(
            {
                "trace": "busy part" if variant == "plain" else "whole",
                **{f"{hours} h": f"{value:.3f}" for hours, value in share.items()},
            }
        )
    return pd.DataFrame(rows)


def week_table(runs: list[Run]) -> pd.DataFrame:
    """What the bound and `receding_horizon` absorb in twelfths of the run, seeds together."""
    same = [r for r in runs if r["variant"] == "plain" and r["policy"] == "receding_horizon"]
    if not same:
        return pd.DataFrame()
    sums = {
        name: np.sum([np.asarray(r["weeks"][name]) for r in same], axis=0) / len(same)
        for name in ("bound_mwh", "absorbed_mwh", "compute_mwh")
    }
    rows = []
    for weeks in np.array_split(np.arange(len(sums["bound_mwh"])), min(12, len(sums["bound_mwh"]))):
        part = {name: values[weeks].sum() / 1000.0 for name, values in sums.items()}
        rows.append(
            {
                "weeks": f"{weeks[0] + 1} to {weeks[-1] + 1}",
                "compute, GWh": f"{part['compute_mwh']:.1f}",
                "bound, GWh": f"{part['bound_mwh']:.2f}",
                "absorbed, GWh": f"{part['absorbed_mwh']:.2f}",
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
