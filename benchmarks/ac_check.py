"""Does a year of RTS-GMLC's dispatch hold in AC? Voltages, loadings, reactive power, losses.

The default dispatch (least curtailment) with the losses at the reference bus, the same with the losses shared
among generators, and the dispatch at least cost. Prints one table for all three, one for what leaves its
limits the longest in the first, and a last line of JSON.

    python benchmarks/ac_check.py [--steps 8784] [--threads 1]
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import Grid, dispatch, load_grid, power_flow, violation_table

START, HOURS = "2020-01-01T08:00Z", 8784
KINDS = ("undervoltage", "overvoltage", "overload", "reactive_lack", "reactive_excess")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=HOURS, help="hours of the year")
    parser.add_argument("--threads", type=int, default=1, help="threads of lightsim2grid")
    options = parser.parse_args()
    grid = load_grid("rts_gmlc")
    hours = pd.date_range(START, periods=options.steps, freq="h")
    generation = xr.Dataset({"available_p_mw": grid.recorded(hours)})
    priority = dispatch(grid, generation)
    market = dispatch(grid, generation, objective="market")
    checks = {
        "priority": (priority, power_flow(grid, priority, threads=options.threads)),
        "priority, losses shared": (
            priority,
            power_flow(grid, priority, slack="generators", threads=options.threads),
        ),
        "market": (market, power_flow(grid, market, threads=options.threads)),
    }
    rows = {name: summary(grid, *pair) for name, pair in checks.items()}
    print(as_markdown(pd.DataFrame(rows).rename_axis("").reset_index()))
    longest = violation_table(checks["priority"][1]).groupby("kind", sort=False).head(3)
    columns = ["kind", "element", "hours", "limit", "worst", "worst_time"]
    print("\n" + as_markdown(longest.sort_values(["kind", "hours"], ascending=[True, False])[columns]))
    print(json.dumps(rows))


def summary(grid: Grid, dispatched: xr.Dataset, checked: xr.Dataset) -> dict[str, float]:
    """Numbers of one check."""
    load = dispatched["load_p_mw"].sum("bus")
    line = np.abs(dispatched["line_p_mw"]).to_numpy()
    full = line > 0.9999 * grid.lines["rate_mw"].to_numpy()
    result = {
        "steps without solution": checked.attrs["not_converged"],
        "losses, GWh": checked["losses_mw"].sum().item() / 1e3,
        "losses, % of load": 100.0 * (checked["losses_mw"].sum() / load.sum()).item(),
        "greatest losses, MW": checked["losses_mw"].max().item(),
        "greatest power the reference adds, MW": checked["slack_p_mw"].max().item(),
        "lowest voltage, pu": checked["vm_pu"].min().item(),
        "highest voltage, pu": checked["vm_pu"].max().item(),
        "highest loading, %": checked["loading_percent"].max().item(),
    }
    for kind in KINDS:
        count = checked[f"n_{kind}"].to_numpy()
        result[f"hours with {kind.replace('_', ' ')}"] = int((count > 0).sum())
    overload = checked["loading_percent"].to_numpy() > 100.0 + 1e-4
    result["overloaded line-hours"] = int(overload.sum())
    result["of which full in the dispatch"] = int((overload & full).sum())
    difference = np.abs(checked["line_p_mw"].to_numpy() - dispatched["line_p_mw"].to_numpy())
    result["mean difference of line flows from the dispatch, MW"] = float(np.nanmean(difference))
    result["largest, MW"] = float(np.nanmax(difference))
    return {key: round(float(value), 3) for key, value in result.items()}


def as_markdown(table: pd.DataFrame) -> str:
    """Table as it stands in the documentation."""
    lines = [list(table.columns), ["---"] * len(table.columns)]
    lines += [[f"{v:.5g}" if isinstance(v, float) else str(v) for v in row] for row in table.to_numpy()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    main()
