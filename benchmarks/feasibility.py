"""The feasibility domain at ten million points: time on one core, and memory.

Deterministic: 10 million moves, every argument an array of that length. Stochastic: a million moves with 10
members of a forecast and 3 bandwidths each. Both in blocks, as a caller would who has no memory for all at
once. Prints a table and a last line of JSON.

    python benchmarks/feasibility.py [--points 10000000] [--block 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time

import numpy as np

from twin import feasibility, feasibility_chance

TARGET_S = 2.0
MEMBERS, RATES = 10, 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--block", type=int, default=100_000)
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = {
        "deterministic": deterministic(given.points, given.block),
        "stochastic": stochastic(given.points // 10, given.block // 10),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    for name, row in rows.items():
        print(
            f"{name:14} {row['points']:>11,.0f} points  {row['cpu_s']:.2f} s  {row['feasible']:.1%} feasible"
        )
    print(f"peak memory {peak:.0f} MB; target {TARGET_S} s for 10 million deterministic points")
    print(json.dumps(rows | {"peak_mb": peak}))


def drawn(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Moves over the whole of the domain."""
    return {
        "checkpoint_gb": 10.0 ** rng.uniform(-1.0, 4.0, n),
        "bandwidth_gbit_per_s": 10.0 ** rng.uniform(-1.0, 2.6, n),
        "window_s": rng.uniform(0.0, 12 * 3600.0, n),
        "gain": rng.uniform(-0.5, 1.5, n),
        "n_gpus": rng.integers(1, 65, n).astype(float),
        "free_gpus": rng.integers(0, 129, n).astype(float),
        "remaining_s": rng.uniform(0.0, 86400.0, n),
        "deadline_s": rng.uniform(0.0, 2 * 86400.0, n),
    }


def deterministic(points: int, block: int) -> dict[str, float]:
    """Every argument of every point is its own."""
    moves = drawn(np.random.default_rng(1), block)
    spent, feasible = 0.0, 0
    for _ in range(points // block):
        begin = time.process_time()
        found = feasibility(**moves)
        spent += time.process_time() - begin
        feasible += int(found.feasible.sum())
    return {"points": points // block * block, "cpu_s": spent, "feasible": feasible / points}


def stochastic(points: int, block: int) -> dict[str, float]:
    """Members of windows and gains, and rates, at every point."""
    rng = np.random.default_rng(2)
    moves = drawn(rng, block)
    moves["window_s"] = moves["window_s"][:, None] * rng.uniform(0.3, 1.5, (block, MEMBERS))
    moves["gain"] = moves["gain"][:, None] + rng.normal(0.0, 0.1, (block, MEMBERS))
    moves["bandwidth_gbit_per_s"] = moves["bandwidth_gbit_per_s"][:, None] * np.array([0.5, 0.8, 1.0])
    spent, feasible = 0.0, 0
    for _ in range(points // block):
        begin = time.process_time()
        found = feasibility_chance(**moves)
        spent += time.process_time() - begin
        feasible += int(found.feasible.sum())
    return {"points": points // block * block, "cpu_s": spent, "feasible": feasible / points}


if __name__ == "__main__":
    main()
