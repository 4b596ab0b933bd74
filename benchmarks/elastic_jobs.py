"""What elastic jobs change: the scenario `default`, its jobs rigid, and half or all of them elastic.

All runs have the same jobs, weather and seeds, and a drain in which all of them end, so that all do the same
work. Prints a table and a last line of JSON.

    python benchmarks/elastic_jobs.py [--scenario default] [--days 7] [--drain-days 9] [--shares 0 0.5]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

from twin import load_scenario
from twin.accounting import account
from twin.policy_options import make_policy
from twin.preparation import Prepared, make_jobs, prepare
from twin.progress import silent
from twin.results import policy_bound_mwh
from twin.simulate import run_simulation
from twin.stages import StageCache

COLUMNS: dict[str, tuple[str, float, str]] = {
    "share_of_bound": ("absorbed, share of bound", 100.0, "{:.1f} %"),
    "absorbed_mwh": ("absorbed, MWh", 1.0, "{:.0f}"),
    "compute_mwh": ("compute, MWh", 1.0, "{:.0f}"),
    "nonrenewable_kwh_per_gpu_h": ("non-renewable kWh per GPU-h", 1.0, "{:.3f}"),
    "jct_mean_h": ("mean completion, h", 1.0, "{:.2f}"),
    "jct_p95_h": ("95 % completion, h", 1.0, "{:.1f}"),
    "resizes": ("resizes", 1.0, "{:.0f}"),
    "resize_gpu_h": ("lost to them, GPU-h", 1.0, "{:.0f}"),
    "extra_gpu_h": ("beyond recorded sizes, GPU-h", 1.0, "{:.0f}"),
    "completed_gpu_h": ("work, GPU-h", 1.0, "{:.0f}"),
    "jobs_unfinished": ("unfinished", 1.0, "{:.0f}"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--drain-days", type=int, default=9)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.5])
    parser.add_argument("--policies", nargs="+", default=["feasibility_aware", "receding_horizon"])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    times = [f"time.days={given.days}", f"time.drain_days={given.drain_days}"]
    scenario = load_scenario(given.scenario, overrides=[*times, *given.set])
    prepared = prepare(scenario, StageCache(), silent)
    rows: dict[str, dict[str, object]] = {}
    print("| policy | elastic share |", " | ".join(name for name, _, _ in COLUMNS.values()), "|", flush=True)
    print("| --- " * (len(COLUMNS) + 2) + "|")
    for policy in given.policies:
        for share in given.shares:
            score = scored(prepared, policy, share)
            rows[f"{policy} {share:g}"] = {name: score.get(name) for name in COLUMNS}
            written = [
                "–" if score.get(name) is None else form.format(factor * float(str(score[name])))
                for name, (_, factor, form) in COLUMNS.items()
            ]
            print(f"| `{policy}` | {share:g} |", " | ".join(written), "|", flush=True)
    print(json.dumps(rows))


def scored(prepared: Prepared, policy: str, share: float) -> dict[str, object]:
    """Score of a policy with a share of the jobs elastic, and the mean time from submission to end."""
    section = prepared.scenario.jobs.model_copy(update={"elastic_share": share})
    jobs = make_jobs(prepared.scenario.model_copy(update={"jobs": section}), prepared.inputs.sites)
    record = run_simulation(
        replace(prepared.inputs, jobs=jobs),
        make_policy(policy, prepared.scenario.policy_options.get(policy, {})),
    )
    first = prepared.scenario.time.n_history
    baselines = [grid.baseline.isel(time=slice(first, None)) for grid in prepared.grids]
    bound = policy_bound_mwh(prepared, record, baselines)
    score = account(record, baselines, bound_absorbed_mwh=bound).to_mapping()
    spent_s = record.jobs["end_s"] - record.jobs["submit_s"]
    return {**score, "jct_mean_h": float(spent_s.mean()) / 3600.0}


if __name__ == "__main__":
    main()
