"""What a confidence and hysteresis do to `feasibility_aware`: energy, moves, flaps and completion times.

Weeks of the scenario `recorded` with its real-time series, expectations from the day-ahead series and members
from the errors of past days. Each week is a run of its own with jobs of its own; intervals are of 95 % of
Student's t over the weeks, of differences taken week by week.

    python benchmarks/moves_under_doubt.py                  # six weeks, 56 days apart
    python benchmarks/moves_under_doubt.py --weeks 4 --step-s 900 --outlook persistence
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from twin.accounting import account
from twin.flaps import count_flaps, count_returns
from twin.policy_options import make_policy
from twin.preparation import Prepared, prepare
from twin.progress import silent
from twin.scenario import load_scenario
from twin.simulate import run_simulation
from twin.stages import StageCache
from weather import to_xarray_time

FloatArray = npt.NDArray[np.float64]

FIRST, APART_DAYS = pd.Timestamp("2020-01-27T08:00Z"), 56

VARIANTS: dict[str, dict[str, object]] = {
    "as expected (default)": {},
    "epsilon 0.5": {"epsilon": 0.5},
    "epsilon 0.25": {"epsilon": 0.25},
    "epsilon 0.1": {"epsilon": 0.1},
    "stay 3 h": {"min_stay_h": 3.0},
    "stay 6 h": {"min_stay_h": 6.0},
    "back 0.5": {"back_gain": 0.5},
    "again 0.5 in 12 h": {"again_gain": 0.5, "again_h": 12.0},
    "epsilon 0.25, stay 3 h": {"epsilon": 0.25, "min_stay_h": 3.0},
}

COLUMNS = (
    "absorbed, MWh",
    "absorbed / compute",
    "moves",
    "flaps",
    "returns",
    "mean h",
    "95 %, h",
    "held, MWh",
)


@dataclass(frozen=True)
class Line:
    """What one run gave, in the order of `COLUMNS`, and the GPU-hours done."""

    values: tuple[float, ...]
    gpu_h: float


def prepared_week(week: int, members: int, step_s: int, outlook: str, access: float) -> Prepared:
    """Prepare a week with jobs of its own."""
    start = FIRST + pd.Timedelta(days=APART_DAYS * week)
    changes = [
        f"time.start='{start:%Y-%m-%dT%H:%MZ}'",
        *("time.days=7", "time.drain_days=5", "time.history_days=16", f"time.signal_step_s={step_s}"),
        *("grids.0.weather.series=real_time", "grids.0.load.series=real_time"),
        *(f"outlook.source={outlook}", "outlook.hours=24", f"outlook.members={members}"),
        *(f"seed={week + 1}", f"wan.access_gbit_per_s={access}"),
    ]
    return prepare(load_scenario("recorded", overrides=changes), StageCache(), silent)


def line_of(prepared: Prepared, options: dict[str, object]) -> Line:
    """Run `feasibility_aware` with some options."""
    record = run_simulation(prepared.inputs, make_policy("feasibility_aware", options))
    baseline = prepared.grids[0].baseline.sel(time=to_xarray_time(record.time))
    score = account(record, [baseline])
    took_h = (record.jobs["end_s"] - record.jobs["submit_s"]).to_numpy() / 3600.0
    values = (
        score.absorbed_mwh,
        score.absorbed_mwh / score.compute_mwh,
        float(score.migrations_done),
        float(count_flaps(record)),
        float(count_returns(record)),
        float(took_h.mean()),
        float(np.quantile(took_h, 0.95)),
        score.migration_mwh,
    )
    return Line(values, score.completed_gpu_h)


def interval(values: FloatArray) -> str:
    """Mean and half of the interval of Student's t."""
    n = len(values)
    half = student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return f"{values.mean():.4g} ± {half:.2g}"


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weeks", type=int, default=6)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--step-s", type=int, default=3600)
    parser.add_argument("--outlook", default="day_ahead", choices=("day_ahead", "persistence"))
    parser.add_argument("--access", type=float, default=200.0, help="access of a site [Gbit/s]")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    given = parser.parse_args()
    found: dict[str, list[FloatArray]] = {name: [] for name in given.variants}
    for week in range(given.weeks):
        prepared = prepared_week(week, given.members, given.step_s, given.outlook, given.access)
        lines = {name: line_of(prepared, VARIANTS[name]) for name in given.variants}
        done = [line.gpu_h for line in lines.values()]
        if max(done) > min(done) * 1.001:
            raise RuntimeError(f"week {week}: GPU-hours done differ, {min(done):.6g} to {max(done):.6g}")
        for name, line in lines.items():
            found[name].append(np.array(line.values))
    base = np.array(found[given.variants[0]])
    print("| options | " + " | ".join(COLUMNS) + " |\n|" + " --- |" * (len(COLUMNS) + 1))
    summary = {}
    for name, rows in found.items():
        table = np.array(rows)
        shown = table if name == given.variants[0] else table - base
        sign = "" if name == given.variants[0] else "Δ "
        print(f"| {name} | " + " | ".join(sign + interval(column) for column in shown.T) + " |", flush=True)
        summary[name] = dict(zip(COLUMNS, table.mean(axis=0).round(4).tolist(), strict=True))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
