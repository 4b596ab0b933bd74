"""What a simulation is given: grids, sites, jobs, links and published signals, checked together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid_models import daily_means
from twin._arrays import BoolArray, FloatArray, IntArray
from twin.elastic import relative_speed
from twin.migration import BIT_PER_BYTE, KWH_PER_MWH, MigrationModel
from twin.migration_checkpoints import DEFAULT_MTBF_GPU_H
from twin.site_outages import SiteOutages
from twin.sites import HOTTEST_C, SiteTable, gpu_limit, idle_power_mw, meter_factor
from twin.wan import Wan
from twin.workloads.table import OPTIONAL_JOB_COLUMNS
from weather import Findings

if TYPE_CHECKING:
    from grid_models import Dispatched

_Scalar = TypeVar("_Scalar", bound=np.generic)

S_PER_H = 3600.0
H_PER_DAY = 24

OUTLOOK_DAYS = 14
"""Days of published signals that an outlook looks back on."""


class Engine(Protocol):
    """Solves the dispatch of a grid; `grid_models.DispatchEngine` is one."""

    def solve_steps(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> Dispatched:
        """Return dispatches for the load (step, bus) and the available power (step, unit). [MW]"""
        ...

    def marginal_curtailment(self, load_p_mw: FloatArray, available_p_mw: FloatArray) -> FloatArray:
        """Return the curtailment that one more MW at each bus relieves, in one step. [MW/MW]"""
        ...


@dataclass(frozen=True, eq=False)
class GridInputs:
    """One grid during the run.

    Attributes
    ----------
    name : str
        Name of the grid in the scenario.
    engine : Engine
        Solves it.
    load_p_mw : ndarray (step, bus)
        Load without the flexible sites. [MW]
    available_p_mw : ndarray (step, unit)
        Power the weather allows. [MW]
    technology : tuple of str (unit)
        "wind", "pv", "rtpv", "hydro" or "csp".
    """

    name: str
    engine: Engine
    load_p_mw: FloatArray
    available_p_mw: FloatArray
    technology: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Expected:
    """Signals as foretold, without the sites' own load, on the axis of history and run.

    Attributes
    ----------
    absorbable_p_mw : ndarray (n_history + n_steps, site)
        Foretold joint absorbable power. [MW]
    marginal_curtailment : ndarray (n_history + n_steps, site)
        Foretold curtailment relieved by one more MW of load. [MW/MW]
    known_until : ndarray of int (n_history + n_steps)
        At each step the first step that had not been foretold by its start.
    """

    absorbable_p_mw: FloatArray
    marginal_curtailment: FloatArray
    known_until: IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class FailureModel:
    """How often jobs fail and how often they save.

    Attributes
    ----------
    mtbf_gpu_h : float
        Mean GPU-hours that a job runs between two failures; inf for never. [GPU-h]
    checkpoint_interval_s : float, optional
        Work between two periodic checkpoints; of each job the best after Daly where None. [s]
    planned_mtbf_gpu_h : float
        What the best interval is made for. [GPU-h]
    seed : int
        Root of the random streams of failures.
    """

    mtbf_gpu_h: float = np.inf
    checkpoint_interval_s: float | None = None
    planned_mtbf_gpu_h: float = DEFAULT_MTBF_GPU_H
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse times that are not positive."""
        findings = Findings()
        for name in ("mtbf_gpu_h", "checkpoint_interval_s", "planned_mtbf_gpu_h"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                findings.add(f"failures.{name}", f"is {value}", "give more than 0")
        findings.raise_if_any("failures")

    def drawn_gpu_h(self, n_jobs: int, k: int) -> FloatArray:
        """GPU-hours that each job runs from its k-th failure (its start for 0) to the next, (job). [GPU-h]

        They depend on seed, number of the failure and row of the job alone: whatever a policy does, a job
        fails after the same work of its GPUs.
        """
        if not np.isfinite(self.mtbf_gpu_h):
            return np.full(n_jobs, np.inf)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(k,)))
        return rng.exponential(self.mtbf_gpu_h, n_jobs)


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulationInputs:
    """Everything a run depends on beside its policy.

    Signals begin `n_history` steps before the run; all other series begin with it. Signals are those
    published without any flexible load ("own load out"), so they are the same for all policies.

    Attributes
    ----------
    start : pandas.Timestamp
        UTC time of the first step.
    tick_s : int
        Tick. [s]
    signal_step_s : int
        Step of signals and dispatch, a multiple of the tick. [s]
    n_steps : int
        Number of signal steps, drain period included.
    grids : tuple of GridInputs
        In the order `sites.grid` refers to.
    sites : SiteTable
        Where jobs run.
    site_bus_index : ndarray of int (site)
        Position of the site's bus among the buses of its grid.
    temp_air : ndarray (step, site)
        Outdoor temperature. [°C]
    jobs : pandas.DataFrame
        Job table, sorted by `submit_s`.
    wan : Wan
        Links between the sites.
    migration : MigrationModel
        Time and energy of a move.
    absorbable_p_mw : ndarray (n_history + n_steps, site)
        Joint absorbable power at threshold `theta`. [MW]
    marginal_curtailment : ndarray (n_history + n_steps, site)
        Curtailment relieved by one more MW of load. [MW/MW]
    n_history : int
        Steps of signals before the run.
    theta : float
        Relief per load above which a step belongs to a window. [MW/MW]
    alpha : float
        Largest share of a window a migration may take.
    outlook_steps : int
        Steps that an outlook looks ahead; a day when 0.
    outlook_tau_s : float
        Time constant of persistence in the outlook. [s]
    outlook_members : int
        Equally likely courses that an outlook holds beside its mean, from errors of past days; none when 0.
    expected : Expected, optional
        Signals foretold for the steps ahead; persistence alone when absent.
    backfill_patience_s : float
        Wait after which the first job of a queue is not overtaken any more. [s]
    seed : int
        Root of the random streams of policies.
    failures : FailureModel
        Failures of jobs, and their periodic checkpoints; no failures by default.
    outages : SiteOutages, optional
        When sites are down; set by `twin.site_outages.with_site_outages`, which cuts their links too.
    """

    start: pd.Timestamp
    tick_s: int
    signal_step_s: int
    n_steps: int
    grids: tuple[GridInputs, ...]
    sites: SiteTable
    site_bus_index: IntArray
    temp_air: FloatArray
    jobs: pd.DataFrame
    wan: Wan
    migration: MigrationModel
    absorbable_p_mw: FloatArray
    marginal_curtailment: FloatArray
    n_history: int
    theta: float = 0.5
    alpha: float = 0.1
    outlook_steps: int = 0
    outlook_tau_s: float = 6 * S_PER_H
    outlook_members: int = 0
    expected: Expected | None = None
    backfill_patience_s: float = 4 * S_PER_H
    seed: int = 0
    failures: FailureModel = FailureModel()
    outages: SiteOutages | None = None

    def __post_init__(self) -> None:
        findings = Findings()
        _check_time(self, findings)
        findings.raise_if_any("simulation inputs")
        _check_shapes(self, findings)
        findings.raise_if_any("simulation inputs")
        _check_values(self, findings)
        findings.raise_if_any("simulation inputs")

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.sites.n_sites

    @property
    def ticks_per_step(self) -> int:
        """Ticks in a signal step."""
        return self.signal_step_s // self.tick_s

    @property
    def n_ticks(self) -> int:
        """Ticks in the run."""
        return self.n_steps * self.ticks_per_step

    @property
    def step_h(self) -> float:
        """Length of a signal step. [h]"""
        return self.signal_step_s / S_PER_H

    @property
    def n_ahead(self) -> int:
        """Signal steps in an outlook."""
        return self.outlook_steps or max(1, round(H_PER_DAY / self.step_h))

    @cached_property
    def down(self) -> BoolArray | None:
        """Which sites are down in which tick, (tick, site); None where none ever is."""
        if self.outages is None:
            return None
        down = self.outages.by_tick(n_sites=self.n_sites, n_ticks=self.n_ticks, tick_s=self.tick_s)
        return down if down.any() else None

    @cached_property
    def down_share(self) -> FloatArray | None:
        """Share of each signal step in which each site is down, (step, site); None as for `down`. [1]"""
        if self.down is None:
            return None
        by_step = self.down.reshape(self.n_steps, self.ticks_per_step, self.n_sites)
        return np.asarray(by_step.mean(axis=1), dtype=np.float64)

    @cached_property
    def can_break(self) -> bool:
        """Whether jobs may be interrupted."""
        return bool(np.isfinite(self.failures.mtbf_gpu_h)) or self.down is not None

    @cached_property
    def meter_factor(self) -> FloatArray:
        """Megawatts at the meter per megawatt of IT power, (step, site). [MW/MW]"""
        return meter_factor(self.temp_air)

    @cached_property
    def idle_p_mw(self) -> FloatArray:
        """Draw of each site with nothing running, (step, site). [MW]"""
        return idle_power_mw(self.sites, self.temp_air)

    @cached_property
    def published(self) -> FloatArray:
        """Absorbable power [MW] and marginal curtailment of all sites side by side, (step, 2 site)."""
        return np.hstack([self.absorbable_p_mw, self.marginal_curtailment])

    @cached_property
    def steps_per_day(self) -> int:
        """Signal steps in a day."""
        return max(1, round(H_PER_DAY / self.step_h))

    @cached_property
    def published_means(self) -> FloatArray:
        """Mean of each value of `published` and those of the same hour on the days before."""
        return daily_means(self.published, self.steps_per_day, OUTLOOK_DAYS)

    @cached_property
    def foretold(self) -> FloatArray:
        """The same as foretold, where anything was."""
        assert self.expected is not None
        return np.hstack([self.expected.absorbable_p_mw, self.expected.marginal_curtailment])

    def _network_mw(self) -> FloatArray:
        """Most that the network ever draws at each site: half of all it can send and receive at once. [MW]"""
        return np.asarray(np.max([self._busy_network_mw(wan) for wan in self.wan.extremes()], axis=0))

    def _busy_network_mw(self, wan: Wan) -> FloatArray:
        """Draw at each site with every link busy. [MW]"""
        rate = np.zeros(self.n_sites)
        for paths, reachable in ((wan.on_path, wan.reachable), (wan.on_path.swapaxes(0, 1), wan.reachable.T)):
            alone = np.where(reachable, np.where(paths, wan.payload_gbit_per_s, np.inf).min(axis=2), 0.0)
            on_all = np.all(paths | ~reachable[:, :, None], axis=1)
            bottleneck = np.where(on_all, wan.payload_gbit_per_s, np.inf).min(axis=1)
            rate += np.minimum(alone.sum(axis=1), bottleneck)
        return rate / BIT_PER_BYTE * S_PER_H * wan.energy_kwh_per_gb / KWH_PER_MWH / 2.0

    @cached_property
    def table(self) -> JobTable:
        """The jobs as arrays."""
        return JobTable.from_frame(self.jobs)

    @cached_property
    def gpu_capacity(self) -> IntArray:
        """GPUs that may be in use at each site without its import limit ever being exceeded during the run.

        A day of `twin.sites.HOTTEST_C` counts, as it does for the one who sizes a site: no job has to be
        stopped because the afternoon is warm, and the weather to come cannot be read from it.
        The network is counted as if every link of the site were busy.
        """
        limit = gpu_limit(self.sites, HOTTEST_C, self._network_mw())
        return np.asarray(np.minimum(limit, self.sites.n_gpus), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class JobTable:
    """Columns of the job table as read-only arrays; see `twin.workloads` for their meaning.

    Columns that a table may lack: `pausable` (all jobs may pause), `placeable` (jobs that may move may also
    start elsewhere than at their origin), `memory_gb_per_gpu` (0: they fit every device), `priority` (0),
    `min_gpus` and `max_gpus` (`n_gpus`: the job is not elastic).
    """

    job_id: IntArray
    submit_s: FloatArray
    n_gpus: IntArray
    work_gpu_h: FloatArray
    checkpoint_gb: FloatArray
    deadline_s: FloatArray
    migratable: npt.NDArray[np.bool_]
    origin: IntArray
    pausable: npt.NDArray[np.bool_]
    placeable: npt.NDArray[np.bool_]
    memory_gb_per_gpu: FloatArray
    priority: IntArray
    min_gpus: IntArray
    max_gpus: IntArray

    @property
    def n_jobs(self) -> int:
        """Number of jobs."""
        return len(self.job_id)

    @cached_property
    def has_priorities(self) -> bool:
        """Whether some jobs start before others that were submitted earlier."""
        return bool(np.any(self.priority != self.priority[:1]))

    @cached_property
    def is_elastic(self) -> bool:
        """Whether some jobs may run on more or fewer GPUs than they were recorded with."""
        return bool(np.any(self.min_gpus < self.max_gpus))

    def pace_gpus(self, job: IntArray, n_gpus: IntArray) -> FloatArray:
        """Recorded GPUs that would be as fast as so many, n0 · `relative_speed` with the batch fixed. [1]"""
        recorded = self.n_gpus[job]
        return np.asarray(recorded * relative_speed(n_gpus, recorded))

    def by_priority(self, job: IntArray) -> IntArray:
        """Put rows with higher priorities first; equal ones keep their order."""
        return job[np.argsort(-self.priority[job], kind="stable")] if self.has_priorities else job

    @classmethod
    def from_frame(cls, jobs: pd.DataFrame) -> JobTable:
        """Copy the columns out of a data frame."""

        def optional(name: str, default: object) -> pd.Series:
            return jobs[name] if name in jobs else pd.Series(default, index=jobs.index)

        return cls(
            job_id=_frozen(jobs["job_id"].to_numpy(dtype=np.int64, copy=True)),
            submit_s=_frozen(jobs["submit_s"].to_numpy(dtype=np.float64, copy=True)),
            n_gpus=_frozen(jobs["n_gpus"].to_numpy(dtype=np.int64, copy=True)),
            work_gpu_h=_frozen(jobs["work_gpu_h"].to_numpy(dtype=np.float64, copy=True)),
            checkpoint_gb=_frozen(jobs["checkpoint_gb"].to_numpy(dtype=np.float64, copy=True)),
            deadline_s=_frozen(jobs["deadline_s"].to_numpy(dtype=np.float64, copy=True)),
            migratable=_frozen(jobs["migratable"].to_numpy(dtype=np.bool_, copy=True)),
            origin=_frozen(jobs["origin"].to_numpy(dtype=np.int64, copy=True)),
            pausable=_frozen(optional("pausable", True).to_numpy(dtype=np.bool_, copy=True)),
            placeable=_frozen(optional("placeable", jobs["migratable"]).to_numpy(dtype=np.bool_, copy=True)),
            memory_gb_per_gpu=_frozen(
                optional("memory_gb_per_gpu", 0.0).to_numpy(dtype=np.float64, copy=True)
            ),
            priority=_frozen(optional("priority", 0).to_numpy(dtype=np.int64, copy=True)),
            min_gpus=_frozen(optional("min_gpus", jobs["n_gpus"]).to_numpy(dtype=np.int64, copy=True)),
            max_gpus=_frozen(optional("max_gpus", jobs["n_gpus"]).to_numpy(dtype=np.int64, copy=True)),
        )


def _frozen(values: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    values.flags.writeable = False
    return values


def _check_time(inputs: SimulationInputs, findings: Findings) -> None:
    if inputs.tick_s <= 0 or inputs.signal_step_s <= 0 or inputs.signal_step_s % inputs.tick_s:
        findings.add(
            "signal_step_s",
            f"{inputs.signal_step_s} s is no positive multiple of the tick of {inputs.tick_s} s",
            "choose a tick that divides the signal step",
        )
    if inputs.n_steps < 1 or inputs.n_history < 0:
        findings.add(
            "n_steps", f"{inputs.n_steps} steps after {inputs.n_history} of history: need >= 1 and >= 0"
        )
    if inputs.start.tzinfo is None:
        findings.add("start", f"naive time {inputs.start}", "give it with its time zone")
    if not inputs.grids:
        findings.add("grids", "no grid given", "give at least one")


def _check_shapes(inputs: SimulationInputs, findings: Findings) -> None:
    needed = [f.name for f in fields(JobTable) if f.name not in OPTIONAL_JOB_COLUMNS]
    missing = [name for name in needed if name not in inputs.jobs]
    if missing:
        findings.add("jobs", f"columns missing: {', '.join(missing)}", "make the table with prepare_jobs")
    n, k, total = inputs.n_sites, inputs.n_steps, inputs.n_history + inputs.n_steps
    expected = {
        "site_bus_index": (inputs.site_bus_index, (n,)),
        "temp_air [°C]": (inputs.temp_air, (k, n)),
        "absorbable_p_mw": (inputs.absorbable_p_mw, (total, n)),
        "marginal_curtailment": (inputs.marginal_curtailment, (total, n)),
    }
    if inputs.expected is not None:
        told = inputs.expected
        expected["expected.absorbable_p_mw"] = (told.absorbable_p_mw, (total, n))
        expected["expected.marginal_curtailment"] = (told.marginal_curtailment, (total, n))
        expected["expected.known_until"] = (told.known_until, (total,))
    for grid in inputs.grids:
        n_bus, n_unit = grid.load_p_mw.shape[-1], len(grid.technology)
        expected[f"{grid.name}: load_p_mw"] = (grid.load_p_mw, (k, n_bus))
        expected[f"{grid.name}: available_p_mw"] = (grid.available_p_mw, (k, n_unit))
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            findings.add(name, f"shape {array.shape}, expected {shape}")
        elif not np.all(np.isfinite(array)):
            findings.add(
                name, f"{int(np.sum(~np.isfinite(array)))} values are not finite", "fill or remove gaps first"
            )


def _check_values(inputs: SimulationInputs, findings: Findings) -> None:
    for i, (grid, bus) in enumerate(zip(inputs.sites.grid, inputs.site_bus_index, strict=True)):
        where = f"site {inputs.sites.name[i]!r}"
        if not 0 <= grid < len(inputs.grids):
            findings.add(where, f"grid index {grid}, but there are {len(inputs.grids)} grids")
        elif not 0 <= bus < inputs.grids[grid].load_p_mw.shape[1]:
            findings.add(where, f"bus index {bus} is not in grid {inputs.grids[grid].name!r}")
    _check_heat(inputs, findings)
    if inputs.sites.racks is not None:
        inputs.sites.racks.check_ticks(inputs.sites.name, inputs.tick_s, findings)
    if inputs.outages is not None and np.any(inputs.outages.site >= inputs.n_sites):
        findings.add("outages.site", f"outside 0..{inputs.n_sites - 1}")
    elif inputs.down is not None and inputs.wan.timeline is None:
        findings.add("outages", "links of sites stay up", "set them with with_site_outages")
    table = inputs.table
    if np.any(np.diff(table.submit_s) < 0):
        findings.add("jobs.submit_s", "not sorted", "sort the job table by submit_s")
    if np.any((table.origin < 0) | (table.origin >= inputs.n_sites)):
        findings.add("jobs.origin", f"outside 0..{inputs.n_sites - 1}")
        return
    if np.any(table.work_gpu_h <= 0) or np.any(table.n_gpus < 1):
        findings.add("jobs", "a job needs work_gpu_h > 0 GPU-h and n_gpus >= 1")
    if np.any((table.min_gpus < 1) | (table.min_gpus > table.n_gpus) | (table.n_gpus > table.max_gpus)):
        findings.add("jobs", "an elastic job needs 1 <= min_gpus <= n_gpus <= max_gpus")
    too_wide = np.flatnonzero(table.n_gpus > inputs.gpu_capacity[table.origin])
    for job in too_wide[:5]:
        site = table.origin[job]
        findings.add(
            f"job {table.job_id[job]}",
            f"needs {table.n_gpus[job]} GPUs, its origin {inputs.sites.name[site]!r} may use "
            f"{inputs.gpu_capacity[site]} within its import limit",
            "enlarge the site or give the job another origin",
        )
    if len(too_wide) > 5:
        findings.add("jobs", f"{len(too_wide) - 5} more jobs do not fit their origin")
    _check_memory(inputs, findings)


def _check_memory(inputs: SimulationInputs, findings: Findings) -> None:
    """A job must fit the devices of its origin, where it may always run."""
    table, memory_gb = inputs.table, inputs.sites.memory_gb_per_gpu
    unfit = ~(table.memory_gb_per_gpu <= memory_gb[table.origin])
    for job in np.flatnonzero(unfit)[:5]:
        site = table.origin[job]
        findings.add(
            f"job {table.job_id[job]}",
            f"needs {table.memory_gb_per_gpu[job]:g} GB of memory on each GPU, devices of its origin "
            f"{inputs.sites.name[site]!r} have {memory_gb[site]:g} GB",
            "give the job another origin, or the site other devices",
        )
    if np.sum(unfit) > 5:
        findings.add("jobs", f"{int(np.sum(unfit)) - 5} more jobs do not fit the memory of their origin")


def _check_heat(inputs: SimulationInputs, findings: Findings) -> None:
    """A site with an import limit is sized for `HOTTEST_C`; beyond, its limit could be exceeded."""
    hottest = np.max(inputs.temp_air, axis=0, initial=-np.inf)
    for i in np.flatnonzero((hottest > HOTTEST_C) & np.isfinite(inputs.sites.import_limit_mw)):
        findings.add(
            f"site {inputs.sites.name[i]!r}",
            f"{hottest[i]:.1f} °C outdoors, but sites with an import limit are sized for {HOTTEST_C:g} °C",
            "check the weather, or leave import_limit_mw out",
        )
