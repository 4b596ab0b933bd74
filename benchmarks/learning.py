"""What does a small linear policy learn by cross-entropy search, and what is left of it on days it never saw?

Usage: python benchmarks/learning.py [GENERATIONS] [POPULATION]
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd

from twin.environment import CurtailmentEnv

DAYS = (
    "time.days=3",
    "time.drain_days=1",
    "time.history_days=3",
    "grids.0.weather.source=recorded",
    "jobs.max_job_h=24",
)
TRAINED_WITH = (0, 1)
TRAINED_ON = "2020-02-19T08:00Z"
HELD_OUT = ("2020-03-04T08:00Z", "2020-04-15T08:00Z")
USED = ("relief_now", "relief_6_24h", "headroom")
N_WEIGHTS = 3 * (len(USED) + 1)


def make_env(start: str) -> CurtailmentEnv:
    """Three days and a day of drain."""
    return CurtailmentEnv("default", overrides=[*DAYS, f"time.start={start!r}"])


def act(env: CurtailmentEnv, weights: np.ndarray, observation: np.ndarray) -> np.ndarray:
    """Action of a linear policy whose weights are the same for all sites."""
    sites, names = env.observation.site_names, env.observation.names
    rows = [[names.index(f"{site}.{name}") for site in sites] for name in USED]
    told = np.vstack([observation[rows], np.ones(len(sites))])
    return np.tanh(weights.reshape(3, -1) @ told).ravel().astype(np.float32)


def episode(env: CurtailmentEnv, weights: np.ndarray, seed: int) -> float:
    """Return of an episode. [MWh]"""
    observation, _ = env.reset(seed=seed)
    total, done = 0.0, False
    while not done:
        observation, reward, done, _, _ = env.step(act(env, weights, observation))
        total += reward
    return total


def search(env: CurtailmentEnv, generations: int, population: int, seed: int = 0) -> np.ndarray:
    """Cross-entropy search, begun at the neutral action; all get the same jobs."""
    rng = np.random.default_rng(seed)
    mean, spread = np.zeros(N_WEIGHTS), np.full(N_WEIGHTS, 0.4)
    for generation in range(generations):
        drawn = mean + spread * rng.standard_normal((population, N_WEIGHTS))
        drawn[0] = mean
        returns = np.array(
            [np.mean([episode(env, weights, jobs) for jobs in TRAINED_WITH]) for weights in drawn]
        )
        best = drawn[np.argsort(-returns)[: max(2, population // 4)]]
        mean, spread = best.mean(axis=0), best.std(axis=0) + 0.02
        print(
            f"generation {generation}: mean {returns[0]:.0f}, best {returns.max():.0f} MWh",
            flush=True,
        )
    return mean


def compare(start: str, weights: np.ndarray, seeds: range) -> list[dict[str, float | str]]:
    """Scores of the neutral action and of weights on the same jobs."""
    env, rows = make_env(start), []
    for seed in seeds:
        for name, each in (("neutral", np.zeros(N_WEIGHTS)), ("learned", weights)):
            total = episode(env, each, seed)
            score = env.score()
            rows.append(
                {
                    "start": start,
                    "seed": seed,
                    "policy": name,
                    "return_mwh": total,
                    "absorbed_mwh": score.absorbed_mwh,
                    "compute_mwh": score.compute_mwh,
                    "unfinished": score.jobs_unfinished,
                    "jct_p95_h": score.jct_p95_h or 0.0,
                }
            )
    return rows


def main(generations: int = 5, population: int = 10) -> None:
    """Search on one period and compare there and on two others, with jobs that were not seen."""
    began = time.perf_counter()
    weights = search(make_env(TRAINED_ON), generations, population)
    print(f"search took {time.perf_counter() - began:.0f} s; weights {weights.round(2).tolist()}")
    rows = [row for start in (TRAINED_ON, *HELD_OUT) for row in compare(start, weights, range(100, 103))]
    columns = (
        "start",
        "seed",
        "policy",
        "return_mwh",
        "absorbed_mwh",
        "compute_mwh",
        "jct_p95_h",
        "unfinished",
    )
    print(pd.DataFrame(rows)[list(columns)].round(1).to_string(index=False))
    print(json.dumps({"weights": weights.tolist(), "rows": rows}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
