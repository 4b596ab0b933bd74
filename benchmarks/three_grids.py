"""Three grids in three time zones: what moving across them adds to waiting and to moving within one.

The shipped scenario `three_grids` in weeks spread over the year, each with jobs and weather of its own.
Every policy gets the same jobs and completes them; differences are taken week by week, with 95 % intervals
of Student's t over the weeks. `within grids` is `feasibility_aware` that decides in each grid as if alone
(`twin.policies.Apart`). Prints tables and a last line of JSON.

    python benchmarks/three_grids.py [--weeks 8] [--curtailed 2 5 15] [--write]
    python benchmarks/three_grids.py --factors
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import t as student
from tqdm import tqdm

from grid_models import Grid, dispatch, generation_dataset
from twin import Scenario, load_scenario
from twin.accounting import Score, account
from twin.forcing import make_forcing
from twin.policies import Apart, FeasibilityAware, Policy, Static, Temporal
from twin.policies.perfect_foresight import bound_absorbed_mwh
from twin.preparation import Prepared, prepare
from twin.progress import silent
from twin.record import SimulationRecord
from twin.results import policy_bound_mwh
from twin.scenario_checks import build_grid
from twin.scenario_model import GridSection
from twin.simulate import run_simulation
from twin.stages import StageCache

SCENARIO = "three_grids"
FIRST_WEEK = pd.Timestamp("2020-01-13T08:00Z")
WEEKS_APART_DAYS = 43
CURTAILED = {2: (0.94, 1.56, 1.79), 5: (1.14, 1.84, 2.02), 15: (1.60, 2.43, 2.81)}
"""Factors on wind and PV by the share that each grid then curtails over the year without compute [%]."""
TAKEN = ("wind", "pv")
PLACED = {"wind": 0.6, "pv": 0.3}
"""Wind and PV of the case in Texas at a factor of 1, over its load. [MW/MW]"""
COUNTED = ("wind", "pv", "mixed")
SAMPLE_EVERY_H = 29
LEAST_GPU_H_SHARE = 0.999
SHOWN = (
    ("absorbed_per_compute_mwh", "absorbed / compute, MWh/MWh", "{:.3f}"),
    ("nonrenewable_kwh_per_gpu_h", "non-renewable, kWh/GPU-h", "{:.3f}"),
    ("share_of_bound", "share of the bound", "{:.2f}"),
    ("slowdown_mean", "mean slowdown", "{:.1f}"),
    ("jct_p95_h", "95 % of jobs done within, h", "{:.1f}"),
    ("completed_gpu_h", "GPU-hours done, 10^3", "{:.0f}"),
    ("migrations_done", "moves a week", "{:.0f}"),
    ("moved_across", "of these across grids", "{:.0f}"),
    ("started_across", "started in another grid", "{:.0f}"),
)
POLICY_NAMES = ("static", "temporal", "within grids", "across grids")
STEPS = (
    ("waiting", "temporal", "static"),
    ("moving within a grid", "within grids", "static"),
    ("moving within a grid, over waiting", "within grids", "temporal"),
    ("moving across grids, over within", "across grids", "within grids"),
    ("moving across grids, over waiting", "across grids", "temporal"),
)


@dataclass(frozen=True)
class Found:
    """One week at one share of curtailment: values by policy, and what the best could do."""

    values: pd.DataFrame
    best_within: float
    best_across: float
    curtailed: dict[str, float]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument(
        "--curtailed", type=int, nargs="+", default=sorted(CURTAILED), choices=sorted(CURTAILED)
    )
    parser.add_argument("--factors", action="store_true", help="find the factors on wind and PV")
    parser.add_argument("--write", action="store_true", help="fill docs/three_grids.md")
    given = parser.parse_args()
    if given.factors:
        print_factors()
        return
    begin = time.process_time()
    found = {share: weeks(share, given.weeks) for share in given.curtailed}
    tables: dict[str, pd.DataFrame] = {}
    for share, weekly in found.items():
        tables[f"policies {share}"] = policy_table(weekly)
        tables[f"steps {share}"] = step_table(weekly)
        tables[f"best {share}"] = best_table({share: weekly})
        tables[f"grids {share}"] = grid_table({share: weekly})
    for name, table in tables.items():
        print(f"\n{name}\n{table.to_string(index=False)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    seconds = time.process_time() - begin
    print(f"{seconds:.0f} s of CPU time, peak memory {peak:.0f} MB")
    print(
        json.dumps(
            {"cpu_s": seconds, "peak_mb": peak, **{k: v.to_dict("records") for k, v in tables.items()}}
        )
    )
    if given.write:
        write(tables)


def scenario(share: int, week: int) -> Scenario:
    """The shipped scenario in another week, with other seeds and factors on wind and PV."""
    base = load_scenario(SCENARIO)
    start = FIRST_WEEK + pd.Timedelta(days=WEEKS_APART_DAYS * week)
    grids = tuple(
        scaled(section, factor) for section, factor in zip(base.grids, CURTAILED[share], strict=True)
    )
    times = base.time.model_copy(update={"start": start.to_pydatetime()})
    return base.model_copy(update={"time": times, "seed": base.seed + week, "grids": grids})


def scaled(section: GridSection, factor: float) -> GridSection:
    """A grid with a factor on its wind and PV: on what it has itself, or on the shares placed on it."""
    options = section.options
    if options.renewables is not None:
        changed: dict[str, object] = {"renewables": {k: factor * v for k, v in PLACED.items()}}
    else:
        changed = {f"{kind}_scale": factor for kind in TAKEN if f"{kind}_scale" in options.model_fields_set}
    return section.model_copy(update={"options": options.model_copy(update=changed)})


def weeks(share: int, n_weeks: int) -> list[Found]:
    """Run all policies in every week."""
    numbers = tqdm(range(n_weeks), desc=f"{share} % curtailed", file=sys.stderr, disable=None)
    return [one_week(scenario(share, week)) for week in numbers]


def one_week(given: Scenario) -> Found:
    """Run all policies on the same jobs, weather and signals."""
    prepared = prepare(given, StageCache(), silent)
    first = given.time.n_history
    baselines = [grid.baseline.isel(time=slice(first, None)) for grid in prepared.grids]
    groups = tuple(prepared.inputs.sites.grid.tolist())
    policies: dict[str, Policy] = {
        "static": Static(),
        "temporal": Temporal(),
        "within grids": Apart(policy=FeasibilityAware(), group=groups),
        "across grids": FeasibilityAware(),
    }
    rows = {}
    for name, policy in policies.items():
        record = run_simulation(prepared.inputs, policy)
        bound = policy_bound_mwh(prepared, record, baselines)
        rows[name] = row(record, account(record, baselines, bound_absorbed_mwh=bound))
        if name == "static":
            best = best_shares(prepared, record)
    values = pd.DataFrame(rows).T
    done = values["completed_gpu_h"]
    if done.min() < LEAST_GPU_H_SHARE * done.max():
        raise RuntimeError(f"policies completed other GPU-hours: {done.to_dict()}; lengthen time.drain_days")
    return Found(values, *best, curtailed_shares(prepared, baselines))


def row(record: SimulationRecord, score: Score) -> dict[str, float]:
    """What the tables show of a run."""
    mapping = score.to_mapping()
    values = {key: float(mapping[key] or 0.0) for key, *_ in SHOWN if key in mapping}  # type: ignore[arg-type]
    grid = record.site_grid
    moved, jobs = record.transfers, record.jobs
    begun = record.events[record.events["kind"] == "started"]
    started = jobs["origin"].to_numpy(dtype=np.int64)[begun["job"].to_numpy(dtype=np.int64)]
    values["completed_gpu_h"] /= 1e3
    values["moved_across"] = float(np.sum(grid[moved["source"]] != grid[moved["dest"]]))
    values["started_across"] = float(np.sum(grid[begun["site"].to_numpy(dtype=np.int64)] != grid[started]))
    return values


def best_shares(prepared: Prepared, record: SimulationRecord) -> tuple[float, float]:
    """Bounds per MWh of the energy of a run: with that of each grid spent there, and spent in any grid."""
    energy = record.sites["load_p_mw"] * record.step_h
    per_grid = [float(energy[:, grid.site_index].sum()) for grid in prepared.grids]
    within = sum(
        bound_absorbed_mwh(curves, record.step_h, own)
        for curves, own in zip(prepared.curves, per_grid, strict=True)
    )
    every = [curve for curves in prepared.curves for curve in curves]
    across = bound_absorbed_mwh(every, record.step_h, sum(per_grid))
    return within / sum(per_grid), across / sum(per_grid)


def curtailed_shares(prepared: Prepared, baselines: list[xr.Dataset]) -> dict[str, float]:
    """Share of available wind and PV that each grid curtails without compute, and share of hours it does."""
    found = {}
    for grid, inputs, baseline in zip(prepared.grids, prepared.inputs.grids, baselines, strict=True):
        counted = np.isin(inputs.technology, COUNTED)
        curtailed = baseline["curtailed_p_mw"].to_numpy()[:, counted].sum(axis=1)
        found[grid.section.name] = float(curtailed.sum() / inputs.available_p_mw[:, counted].sum())
        found[f"{grid.section.name} hours"] = float(np.mean(curtailed > 1e-3))
        welcome = prepared.inputs.absorbable_p_mw[prepared.scenario.time.n_history :, grid.site_index]
        found[f"{grid.section.name} sites"] = float(np.mean(welcome.sum(axis=1) > 1.0))
    return found


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half width of its 95 % interval."""
    n = len(values)
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return float(np.mean(values)), half


def with_interval(values: np.ndarray, form: str, *, sign: bool = False) -> str:
    """Write a mean with its interval."""
    mean, half = interval(values)
    return (form.replace(":", ":+") if sign else form).format(mean) + " ± " + form.format(half)


def policy_table(weekly: list[Found]) -> pd.DataFrame:
    """A row per policy."""
    rows = []
    for name in POLICY_NAMES:
        values = pd.DataFrame([week.values.loc[name] for week in weekly])
        rows.append(
            {"policy": name}
            | {head: with_interval(values[key].to_numpy(dtype=float), form) for key, head, form in SHOWN}
        )
    return pd.DataFrame(rows)


def step_table(weekly: list[Found]) -> pd.DataFrame:
    """A row per step from one policy to another; differences week by week."""
    rows = []
    for label, new, old in STEPS:
        cells = {"step": label}
        for key, head, form in SHOWN[:5]:
            change = [float(week.values.loc[new, key]) - float(week.values.loc[old, key]) for week in weekly]
            cells[head] = with_interval(np.array(change), form, sign=True)
        rows.append(cells)
    return pd.DataFrame(rows)


def best_table(found: Mapping[int, list[Found]]) -> pd.DataFrame:
    """What perfect foresight could absorb per MWh, if every grid keeps its compute and if it may leave."""
    rows = []
    for share, weekly in found.items():
        within = np.array([week.best_within for week in weekly])
        across = np.array([week.best_across for week in weekly])
        rows.append(
            {
                "curtailed over the year, %": share,
                "best within grids": with_interval(within, "{:.3f}"),
                "best across grids": with_interval(across, "{:.3f}"),
                "difference": with_interval(across - within, "{:.3f}", sign=True),
            }
        )
    return pd.DataFrame(rows)


def grid_table(found: Mapping[int, list[Found]]) -> pd.DataFrame:
    """What the grids curtail in the weeks, without compute."""
    rows = []
    for share, weekly in found.items():
        names = [name for name in weekly[0].curtailed if " " not in name]
        factors = dict(zip(names, CURTAILED[share], strict=True))
        for name in names:
            values = np.array([100.0 * week.curtailed[name] for week in weekly])
            hours = np.mean([100.0 * week.curtailed[f"{name} hours"] for week in weekly])
            welcome = np.mean([100.0 * week.curtailed[f"{name} sites"] for week in weekly])
            rows.append(
                {
                    "curtailed over the year, %": share,
                    "grid": name,
                    "factor": f"{factors[name]:.2f}",
                    "in the weeks, %": f"{values.mean():.1f} ({values.min():.1f} to {values.max():.1f})",
                    "hours with curtailment, %": f"{hours:.0f}",
                    "hours with load welcome at its sites, %": f"{welcome:.0f}",
                }
            )
    return pd.DataFrame(rows)


def print_factors() -> None:
    """Print the factor on wind and PV with which each grid curtails the wanted shares over the year."""
    base = load_scenario(SCENARIO)
    year = base.time.model_copy(
        update={"start": pd.Timestamp("2020-01-09T08:00Z").to_pydatetime(), "days": 350, "drain_days": 0}
    )
    for section in base.grids:
        unscaled = scaled(section, 1.0)
        whole = base.model_copy(
            update={"time": year, "grids": tuple(unscaled if s is section else s for s in base.grids)}
        )
        forcing = make_forcing(whole, unscaled)
        every = slice(None, None, SAMPLE_EVERY_H)
        grid, available, load = (
            build_grid(unscaled),
            forcing.generation["available_p_mw"].isel(time=every),
            forcing.load.isel(time=every),
        )
        factors = {share: factor_for(share / 100.0, grid, available, load) for share in CURTAILED}
        print(section.name, {share: round(factor, 2) for share, factor in factors.items()}, flush=True)


def factor_for(wanted: float, grid: Grid, available: xr.DataArray, load: xr.DataArray) -> float:
    """Factor on wind and PV with which a grid curtails a share of what is available, by bisection."""
    low, high = 0.2, 8.0
    while high - low > 0.005:
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high) if curtailed_share(middle, grid, available, load) < wanted else (low, middle)
        )
    return 0.5 * (low + high)


def curtailed_share(factor: float, grid: Grid, available: xr.DataArray, load: xr.DataArray) -> float:
    """Share of available wind and PV that is curtailed with a factor on their capacity."""
    technology = grid.units["technology"].to_numpy(dtype=str)
    factors = np.where(np.isin(technology, TAKEN), factor, 1.0)
    units = grid.units.assign(p_nom_mw=grid.units["p_nom_mw"] * factors)
    scaled = available * xr.DataArray(factors, dims="unit")
    solved = dispatch(
        replace(grid, units=units), generation_dataset(scaled, units), load=load, objective="priority"
    )
    counted = np.isin(technology, COUNTED)
    curtailed = solved["curtailed_p_mw"].transpose("time", "unit").to_numpy()[:, counted]
    return float(curtailed.sum() / scaled.transpose("time", "unit").to_numpy()[:, counted].sum())


def write(tables: Mapping[str, pd.DataFrame]) -> None:
    """Fill the page."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
    from pages import fill_page, first_left

    fill_page("three_grids.md", tables, first_left)


if __name__ == "__main__":
    main()
