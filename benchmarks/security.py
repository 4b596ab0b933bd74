"""What N-1 security costs on RTS-GMLC: curtailment by cause for each emergency rating, and its proof.

Dispatches the recorded year without and with security, checks every secure step with each line really taken
out, and prints a table and a last line of JSON.

    python benchmarks/security.py [--every 1]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import DispatchEngine, always_on, dispatch_dataset, full_check, load_grid, solve_all

START, HOURS = "2020-01-01T08:00Z", 8784
RATINGS = {
    "none": "none",
    "long-term emergency": "rate_lte_mw",
    "continuous": "rate_mw",
    "short-term emergency": "rate_ste_mw",
}


def run(label: str, rating: str, every: int) -> dict[str, float | str]:
    """Dispatch the year with one choice of rating; one row of the table."""
    grid = load_grid("rts_gmlc")
    if rating != "none":
        # Security is kept at the long-term emergency rating; another one takes its place in the table.
        grid = replace(grid, lines=grid.lines.assign(rate_lte_mw=grid.lines[rating]))
    hours = pd.date_range(START, periods=HOURS, freq="h")
    load, available = (a.to_numpy()[::every] for a in (grid.load(hours), grid.recorded(hours)))
    stamps = hours.tz_localize(None).to_numpy()[::every]
    engine = DispatchEngine(grid, security="none" if rating == "none" else "n-1")
    inputs = always_on(engine.problem, load, available)
    solve_all(engine, inputs.at(slice(0, 2)))  # compiles
    began = time.perf_counter()
    solution = solve_all(engine, inputs)
    seconds = time.perf_counter() - began
    result = dispatch_dataset(
        engine, xr.DataArray(stamps, dims="time"), solution, inputs, np.zeros_like(inputs.load_p_mw)
    )
    began = time.perf_counter()
    checked = full_check(grid, result)["loading_percent"]
    row: dict[str, float | str] = {"rating": label}
    for cause, power in solution.causes.items():
        row[f"{cause}_gwh"] = float(power.sum()) * every / 1e3
    return row | {
        "curtailed_gwh": float(result["curtailed_p_mw"].sum()) * every / 1e3,
        "cost_musd": float(result["cost"].sum()) * every / 1e6,
        "shed_mwh": float(result["shed_p_mw"].sum()) * every,
        "worst_percent": float(checked.max()),
        "steps_over_percent": 100.0 * float((checked.max("outage") > 100.0 + 1e-4).mean()),
        "ms_per_step": 1e3 * seconds / len(load),
        "check_s": time.perf_counter() - began,
    }


def main() -> None:
    """Print the table and a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, help="take every n-th hour")
    every = parser.parse_args().every
    rows = [run(label, rating, every) for label, rating in RATINGS.items()]
    columns = ["oversupply_gwh", "congestion_gwh", "security_gwh", "curtailed_gwh", "cost_musd", "shed_mwh"]
    columns += ["worst_percent", "steps_over_percent", "ms_per_step", "check_s"]
    print("| N-1 with rating | " + " | ".join(columns) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    for row in rows:
        values = [row.get(c, 0.0) for c in columns]
        print(f"| {row['rating']} | " + " | ".join(f"{float(v):.2f}" for v in values) + " |")
    print(json.dumps({"benchmark": "security", "every": every, "rows": rows}))


if __name__ == "__main__":
    main()
