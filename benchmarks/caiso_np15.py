"""A week of curtailment at CAISO NP15 and 800 jobs at one site of 20 MW: how much of it can the jobs use?

Jobs and site follow a published study (README of the data folder): a job is released at the hour of its
request, runs for its hours at its own power, and 20 MW at the meter is the most there is. Compared are

* no shifting, and the fluid optimum: a linear programme in which jobs are divisible and the week is known;
* the project's simulation with its policy `temporal`, which pauses and resumes jobs and pays for checkpoints;
* jobs that are never interrupted, planned hour by hour with the curtailment of the next 24 hours and the jobs
  released by then; the same with a battery of 20 MW and 80 MWh that starts empty, which charges beside the
  site's 20 MW or within them.

Prints a table and a last line of JSON.

    python benchmarks/caiso_np15.py
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array

from grid_models import DispatchEngine, Grid, dispatch, make_grid, signals
from twin.accounting import account
from twin.coupling import gpu_power_mw
from twin.inputs import GridInputs, SimulationInputs
from twin.migration import MigrationModel
from twin.policies import Temporal
from twin.record import SimulationRecord
from twin.simulate import run_simulation
from twin.sites import idle_power_mw, make_sites, max_power_mw
from twin.wan import star
from weather import data_path, time_axis, to_xarray_time

FloatArray = npt.NDArray[np.float64]

HOURS, SITE_MW, PUE, WATTS_PER_VCPU = 168, 20.0, 1.2, 20.0
START = pd.Timestamp("2024-04-01T00:00Z")
PUBLISHED = {"never interrupted": 223.9, "never interrupted, battery": 584.7}

# A job is so many small devices of 21.25 W; their number gives it its power. Outdoors it is as warm as makes
# a megawatt of IT draw 1.2 MW at the meter.
DEVICE, DEVICE_W, TEMP_AIR_C = "jetson_orin_nx", 21.25, 26.6 / 1.128

# A checkpoint is the memory of the virtual machine. 32 devices, 680 W, are one server, which writes and reads
# 2 GB/s; loading takes 300 s on top.
CHECKPOINTS = MigrationModel(gpus_per_node=32)

TOLERANCE_MW = 1e-5
"""What rounding in a plan may leave uncovered."""

KNOWN_H, BATTERY_MW, BATTERY_MWH, BATTERY_EFFICIENCY = 24, 20.0, 80.0, 0.9


@dataclass(frozen=True)
class Week:
    """The recorded week and its jobs; power at the meter."""

    curtailed_mw: FloatArray
    jobs: pd.DataFrame

    @property
    def usable_mw(self) -> FloatArray:
        """Curtailment that the site could draw. [MW]"""
        return np.minimum(self.curtailed_mw, SITE_MW)

    @property
    def demand_mwh(self) -> float:
        """Energy of all jobs. [MWh]"""
        return float((self.jobs["p_mw"] * self.jobs["hours"]).sum())


def read_week() -> Week:
    """Read curtailment and jobs by the rules of the published study."""
    folder = data_path("caiso_np15_week")
    series = pd.read_csv(folder / "np15_high_curtailment_week.csv")["Total_Curtailment_NP15_MW"].to_numpy(
        float
    )
    columns = ["vm", "created", "deleted", "avg_cpu", "vcpus", "memory_gb"]
    table = pd.read_csv(folder / "vmtable.csv", header=None, usecols=[0, 3, 4, 6, 9, 10], names=columns)
    first = table["created"].min()
    release = np.floor((table["created"] - first) / 3600.0).astype(int)
    end = np.minimum(np.ceil((table["deleted"] - first) / 3600.0), HOURS).astype(int)
    jobs = pd.DataFrame({"release_h": release, "hours": np.maximum(end - release, 1)})
    it_mw = WATTS_PER_VCPU * table["vcpus"] * table["avg_cpu"] / 100.0 / 1e6
    jobs = jobs.assign(it_mw=it_mw, memory_gb=table["memory_gb"].astype(float))
    jobs = jobs[(release < HOURS) & (it_mw > 0.0)].sort_values("release_h", kind="stable", ignore_index=True)
    busiest = as_released(jobs, jobs["it_mw"].to_numpy()).max()
    scale = SITE_MW / PUE / busiest
    return Week(series, jobs.assign(p_mw=jobs["it_mw"] * scale * PUE, memory_gb=jobs["memory_gb"] * scale))


def as_released(jobs: pd.DataFrame, power: FloatArray) -> FloatArray:
    """Sum of the power of jobs in every hour if each runs from its release on."""
    change = np.zeros(HOURS + 1)
    np.add.at(change, jobs["release_h"].to_numpy(), power)
    np.add.at(change, np.minimum(jobs["release_h"] + jobs["hours"], HOURS).to_numpy(), -power)
    return np.cumsum(change)[:HOURS]


def no_shifting_mwh(week: Week) -> float:
    """Curtailed energy used if every job runs when it is released."""
    return float(np.minimum(week.usable_mw, as_released(week.jobs, week.jobs["p_mw"].to_numpy())).sum())


def fluid_optimum_mwh(week: Week) -> float:
    """Most curtailed energy that divisible jobs could use, each up to its own power and work."""
    release, power = week.jobs["release_h"].to_numpy(), week.jobs["p_mw"].to_numpy()
    job, hour = np.nonzero((np.arange(HOURS) >= release[:, None]) & (week.usable_mw > 0.0))
    column, one = np.arange(job.size), np.ones(job.size)
    rows = csr_array(
        (np.tile(one, 2), (np.concatenate([hour, HOURS + job]), np.tile(column, 2))),
        shape=(HOURS + len(power), job.size),
    )
    most = np.concatenate([week.usable_mw, power * week.jobs["hours"].to_numpy()])
    bounds = np.column_stack([np.zeros(job.size), power[job]])
    solved = linprog(-one, A_ub=rows, b_ub=most, bounds=bounds, method="highs")
    if not solved.success:
        raise RuntimeError(solved.message)
    return float(-solved.fun)


def one_bus_grid(wind_mw: float) -> Grid:
    """A bus with wind and a plant for the hours without."""
    return make_grid(
        name="np15",
        buses=pd.DataFrame({"vn_kv": 230.0, "latitude": 37.0, "longitude": -121.0}, index=["b0", "b1"]),
        lines=pd.DataFrame({"from_bus": "b0", "to_bus": "b1", "rate_mw": 1e4, "x_pu": 0.1}, index=["l0"]),
        generators=pd.DataFrame(
            {"bus": "b0", "p_min_mw": 0.0, "p_max_mw": 100.0, "must_run": False, "no_load_cost_per_h": 0.0},
            index=["g0"],
        ),
        segments=pd.DataFrame(
            {"gen": ["g0"], "p_mw": [100.0], "cost_per_mwh": [30.0], "co2_kg_per_mwh": [400.0]}
        ),
        units=pd.DataFrame(
            {"bus": "b0", "technology": "wind", "p_nom_mw": wind_mw, "offer_per_mwh": 0.0}, index=["u0"]
        ),
    )


def simulation_jobs(week: Week, speed: float) -> pd.DataFrame:
    """The jobs as the simulation wants them."""
    jobs = week.jobs
    n_gpus = np.maximum(np.rint(jobs["p_mw"] / PUE * 1e6 / DEVICE_W), 1).astype(int)
    return pd.DataFrame(
        {
            "job_id": np.arange(len(jobs)),
            "submit_s": jobs["release_h"] * 3600.0,
            "n_gpus": n_gpus,
            "work_gpu_h": n_gpus * jobs["hours"] * speed,
            "checkpoint_gb": jobs["memory_gb"],
            "deadline_s": np.inf,
            "migratable": False,
            "origin": 0,
            "gpu_type": DEVICE,
        }
    )


def simulate_temporal(week: Week) -> tuple[SimulationRecord, SimulationInputs]:
    """Run the policy on a bus whose surplus of wind is the recorded curtailment.

    The fixed power of the site has wind of its own in those hours, so that the surplus left is for jobs.
    """
    sites = make_sites(
        name=["np15"],
        grid=[0],
        bus=["b0"],
        n_gpus=[int(np.ceil(SITE_MW / PUE * 1e6 / DEVICE_W))],
        latitude=[37.0],
        longitude=[-121.0],
        device=[DEVICE],
        idle_off=[True],
    )
    fixed_mw = float(idle_power_mw(sites, TEMP_AIR_C)[0])
    available = np.where(week.curtailed_mw > 0.0, week.curtailed_mw + fixed_mw, 0.0)[:, None]
    grid = one_bus_grid(float(available.max()))
    engine = DispatchEngine(grid)
    base = baseline_dispatch(grid, available)
    site_max = np.full((HOURS, 1), float(max_power_mw(sites, TEMP_AIR_C)[0]))
    told = signals(
        engine, base, pd.DataFrame({"bus": ["b0"]}, index=["np15"]), available, site_max, alone=False
    )
    inputs = SimulationInputs(
        start=START,
        tick_s=300,
        signal_step_s=3600,
        n_steps=HOURS,
        grids=(GridInputs("np15", engine, np.zeros((HOURS, 2)), available, ("wind",)),),
        sites=sites,
        site_bus_index=np.zeros(1, dtype=np.int64),
        temp_air=np.full((HOURS, 1), TEMP_AIR_C),
        jobs=simulation_jobs(week, float(sites.rel_throughput[0])),
        wan=star(sites),
        migration=CHECKPOINTS,
        absorbable_p_mw=told["absorbable_p_mw"].to_numpy(),
        marginal_curtailment=told["marginal_curtailment"].to_numpy(),
        n_history=0,
    )
    record = run_simulation(inputs, Temporal(only_surplus=True))
    account(record, [base])
    return record, inputs


def baseline_dispatch(grid: Grid, available: FloatArray) -> xr.Dataset:
    """Dispatch without the site."""
    time = to_xarray_time(time_axis(START, HOURS, 3600))
    generation = xr.Dataset(
        {"available_p_mw": (("time", "unit"), available)},
        {"time": time, "unit": grid.units.index.to_numpy(object)},
    )
    coords = {"time": time, "bus": grid.buses.index.to_numpy(object)}
    load = xr.DataArray(np.zeros((HOURS, 2)), coords, ("time", "bus"), name="load_p_mw")
    return dispatch(grid, generation, load=load)


def served_mwh(week: Week, record: SimulationRecord, inputs: SimulationInputs) -> float:
    """Curtailed energy that jobs made progress with; what holds checkpoints comes out of it first."""
    busy_mw, held_mw = gpu_power_mw(inputs, 0)
    held = record.sites["held_gpus"][:, 0] * held_mw[0]
    return float(
        np.minimum(
            record.sites["busy_gpus"][:, 0] * busy_mw[0], np.maximum(week.curtailed_mw - held, 0.0)
        ).sum()
    )


def never_interrupted(week: Week, *, battery: bool) -> FloatArray:
    """Start jobs hour by hour such that all of their hours are covered; return the power of each hour.

    Every hour a mixed-integer programme chooses what starts now (whole jobs) beside what may start later (by
    length, divisible), with the curtailment of the next 24 hours and the jobs released by now.
    """
    release, hours, power = (week.jobs[name].to_numpy() for name in ("release_h", "hours", "p_mw"))
    load, waits, stored = np.zeros(HOURS + KNOWN_H), np.ones(len(power), dtype=bool), 0.0
    for now in range(HOURS):
        known = min(KNOWN_H, HOURS - now)
        job = np.flatnonzero(waits & (release <= now) & (hours <= known))
        curtailed = week.curtailed_mw[now : now + known]
        plan = _plan(curtailed, load[now : now + known], hours[job], power[job], stored if battery else None)
        go = job[plan.starts]
        waits[go] = False
        for k in go:
            load[now : now + hours[k]] += power[k]
        stored = plan.stored_mwh
    return load[:HOURS]


def uncovered_mwh(week: Week, load: FloatArray, *, battery: bool) -> float:
    """Energy of a load that neither curtailment nor a battery that always charges when it can covers."""
    way, stored, missing = np.sqrt(BATTERY_EFFICIENCY), 0.0, 0.0
    for drawn, curtailed in zip(load, week.curtailed_mw, strict=True):
        lacks = max(drawn - curtailed, 0.0)
        given = min(lacks, BATTERY_MW, stored * way) if battery else 0.0
        missing += lacks - given
        taken = min(max(curtailed - drawn, 0.0), BATTERY_MW) if battery else 0.0
        stored = min(stored - given / way + taken * way, BATTERY_MWH)
    return missing


@dataclass(frozen=True)
class _Plan:
    starts: npt.NDArray[np.bool_]
    stored_mwh: float


def _plan(
    curtailed: FloatArray, committed: FloatArray, hours: FloatArray, power: FloatArray, stored: float | None
) -> _Plan:
    """Plan the known hours. Columns: jobs that start now, later starts by length, charge, discharge."""
    n, n_job = len(curtailed), len(hours)
    ahead = np.arange(n)
    later = [(d, s) for d in np.unique(hours) for s in range(1, n - int(d) + 1)]
    length, start = (np.array([pair[i] for pair in later], dtype=float) for i in (0, 1))
    runs_now = power * (ahead[:, None] < hours)
    runs_later = ((ahead[:, None] >= start) & (ahead[:, None] < start + length)).astype(float)
    n_late, n_store = len(later), 0 if stored is None else n
    draws = np.hstack([runs_now, runs_later])
    charge = np.eye(n)[:, :n_store]
    blocks = [np.hstack([draws, charge, -charge]), np.hstack([draws, 0 * charge, 0 * charge])]
    low = [np.full(2 * n, -np.inf)]
    high = [curtailed - committed, SITE_MW - committed]
    kinds = np.unique(hours)
    of_kind = np.zeros((len(kinds), draws.shape[1] + 2 * n_store))
    for i, kind in enumerate(kinds):
        of_kind[i, :n_job] = power * (hours == kind)
        of_kind[i, n_job : n_job + n_late] = length == kind
    blocks.append(of_kind)
    low.append(np.full(len(kinds), -np.inf))
    high.append(np.array([power[hours == kind].sum() for kind in kinds]))
    if stored is not None:
        way = np.sqrt(BATTERY_EFFICIENCY)
        sums = np.tril(np.ones((n, n)))
        blocks.append(np.hstack([np.zeros((n, draws.shape[1])), way * sums, -sums / way]))
        low.append(np.full(n, -stored))
        high.append(np.full(n, BATTERY_MWH - stored))
    gain = np.concatenate(
        [power * hours, length * (1.0 - 1e-3 * start), np.full(n_store, -1e-6), np.zeros(n_store)]
    )
    top = np.concatenate([np.ones(n_job), np.full(n_late, np.inf), np.full(2 * n_store, BATTERY_MW)])
    whole = np.concatenate([np.ones(n_job), np.zeros(n_late + 2 * n_store)])
    if not gain.size:
        return _Plan(np.zeros(0, dtype=bool), 0.0)
    rows = csr_array(coo_array(np.vstack(blocks)))
    limit = LinearConstraint(rows, np.concatenate(low), np.concatenate(high) + TOLERANCE_MW)
    options = {"mip_rel_gap": 1e-3}
    solved = milp(-gain, constraints=limit, bounds=Bounds(0.0, top), integrality=whole, options=options)
    if solved.x is None:
        raise RuntimeError(solved.message)
    if stored is None:
        return _Plan(solved.x[:n_job] > 0.5, 0.0)
    into, out = solved.x[n_job + n_late], solved.x[n_job + n_late + n]
    return _Plan(solved.x[:n_job] > 0.5, float(np.clip(stored + way * into - out / way, 0.0, BATTERY_MWH)))


def _covered_mwh(week: Week, *, battery: bool) -> float:
    """Energy of jobs that are never interrupted, proven to be covered."""
    load = never_interrupted(week, battery=battery)
    if uncovered_mwh(week, load, battery=battery) > 1e-3:
        raise RuntimeError("a job runs on power that is not there")
    return float(load.sum())


def main() -> None:
    """Print the table and a line of JSON."""
    week = read_week()
    record, inputs = simulate_temporal(week)
    optimum = fluid_optimum_mwh(week)
    held = record.pauses["energy_mwh"].sum() * PUE
    rows = {
        "curtailment up to 20 MW": float(week.usable_mw.sum()),
        "fluid optimum": optimum,
        "no shifting": no_shifting_mwh(week),
        "temporal, checkpoints counted": served_mwh(week, record, inputs),
        "never interrupted": _covered_mwh(week, battery=False),
        "never interrupted, battery": _covered_mwh(week, battery=True),
        "the same within 20 MW": _covered_mwh(Week(week.usable_mw, week.jobs), battery=True),
    }
    print(f"{len(week.jobs)} jobs, {week.demand_mwh:.1f} MWh at the meter\n")
    print(f"{'':32}{'MWh':>9}{'of optimum':>12}{'published':>11}")
    for name, value in rows.items():
        told = f"{PUBLISHED[name]:.1f}" if name in PUBLISHED else ""
        print(f"{name:32}{value:9.1f}{value / optimum:12.1%}{told:>11}")
    save, load = (record.pauses[f"{what}_s"].mean() for what in ("save", "load"))
    print(
        f"\n{len(record.pauses)} pauses of {int((record.jobs['n_pauses'] > 0).sum())} jobs; "
        f"saving takes {save:.0f} s and loading {load:.0f} s in the mean, {held:.1f} MWh at the meter in all"
    )
    print(json.dumps({**rows, "demand": week.demand_mwh, "pauses": len(record.pauses), "pause_mwh": held}))


if __name__ == "__main__":
    main()
