"""What all policies of a study share: forcing, baseline dispatch, signals, bound, sites, jobs and links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import JsonValue

from grid_models import DispatchEngine, Grid, Limits, ReliefCurve, dispatch, relief_curves, signals
from twin._arrays import IntArray
from twin.failure_scenario import make_failures, make_outages
from twin.forcing import Forcing, make_forcing, site_temperature, study_time, weather_seed
from twin.foretelling import day_ahead_known_until, day_ahead_section
from twin.inputs import Expected, GridInputs, SimulationInputs
from twin.progress import Progress
from twin.provenance import file_sha256
from twin.scenario_checks import build_grid, resolve_file, trace_options
from twin.scenario_model import GridSection, Scenario
from twin.site_outages import with_site_outages
from twin.site_scenario import make_batteries, make_racks
from twin.sites import HOTTEST_C, SiteTable, make_sites, max_power_mw
from twin.stages import Groups, StageCache, stage_key
from twin.wan_scenario import make_migration, make_wan
from twin.workloads import load_trace, prepare_jobs
from weather import FloatArray

#: What of a grid's section the dispatch depends on, and neither weather nor load.
_OF_DISPATCH = ("security", "limits")


@dataclass(frozen=True, eq=False)
class PreparedGrid:
    """One grid of a study, before any compute.

    Attributes
    ----------
    section : GridSection
        What the scenario says of it.
    grid : Grid
        The grid.
    engine : DispatchEngine
        Solves its steps.
    forcing : Forcing
        Weather, generation and load over history and run.
    baseline : Dataset
        Its dispatch without compute over history and run.
    signals : Dataset
        Signals of its sites over history and run.
    site_index : ndarray of int
        Which of the study's sites are in it.
    """

    section: GridSection
    grid: Grid
    engine: DispatchEngine
    forcing: Forcing
    baseline: xr.Dataset
    signals: xr.Dataset
    site_index: np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A study, ready for its policies.

    Attributes
    ----------
    scenario : Scenario
        What is studied.
    grids : tuple of PreparedGrid
        In the scenario's order.
    temp_air : ndarray (time, site)
        Outdoor temperature at the sites over history and run. [°C]
    max_p_mw : ndarray (time, site)
        Most that each site can draw, over history and run. [MW]
    curves : tuple of list of ReliefCurve
        Per grid, greatest relief against total site load of every step of the run.
    inputs : SimulationInputs
        What a simulation is given.
    stages : dict of str to str
        Key of every stage.
    """

    scenario: Scenario
    grids: tuple[PreparedGrid, ...]
    temp_air: FloatArray
    max_p_mw: FloatArray
    curves: tuple[list[ReliefCurve], ...]
    inputs: SimulationInputs
    stages: dict[str, str]


def prepare(scenario: Scenario, cache: StageCache, progress: Progress) -> Prepared:
    """Compute what all policies of a scenario share.

    Parameters
    ----------
    scenario : Scenario
        What is studied.
    cache : StageCache
        Stages computed before.
    progress : Progress
        Is told how far each stage is.

    Returns
    -------
    Prepared
        Ready for simulation.
    """
    sites = site_table(scenario)
    baselines = [_baseline(scenario, section, cache, progress) for section in scenario.grids]
    temp_air = np.zeros((len(study_time(scenario)), sites.n_sites))
    members = [np.flatnonzero(sites.grid == i) for i in range(len(scenario.grids))]
    for section, (forcing, _), member in zip(scenario.grids, baselines, members, strict=True):
        if member.size:
            buses = [sites.bus[i] for i in member]
            temp_air[:, member] = site_temperature(scenario, section, buses, forcing.weather)
    max_p_mw = max_power_mw(sites, temp_air)
    grids, curves = [], []
    for section, (forcing, baseline), member in zip(scenario.grids, baselines, members, strict=True):
        engine = DispatchEngine(
            build_grid(section), scenario.objective, security=section.security, limits=_limits(section)
        )
        named = _site_buses(sites, member)
        told, relief = _signals(
            scenario, section, engine, forcing, baseline, named, max_p_mw[:, member], cache, progress
        )
        grids.append(PreparedGrid(section, engine.grid, engine, forcing, baseline, told, member))
        curves.append(relief)
    inputs = _inputs(scenario, tuple(grids), sites, temp_air)
    inputs = replace(inputs, expected=_expected(scenario, tuple(grids), inputs, cache, progress))
    keys = {f"baseline/{g.name}": _baseline_key(scenario, g) for g in scenario.grids}
    return Prepared(scenario, tuple(grids), temp_air, max_p_mw, tuple(curves), inputs, keys)


def prepare_baselines(scenario: Scenario, cache: StageCache, progress: Progress) -> None:
    """Compute the stages that do not depend on sites, jobs or links, and keep them in the cache."""
    for section in scenario.grids:
        _baseline(scenario, section, cache, progress)


def baseline_key(scenario: Scenario) -> str:
    """Hash of all that weather, generation and baseline dispatch of a scenario depend on."""
    return stage_key("baselines", {g.name: _baseline_key(scenario, g) for g in scenario.grids})


def site_table(scenario: Scenario) -> SiteTable:
    """Return the sites of a scenario, placed at their buses."""
    order = [grid.name for grid in scenario.grids]
    number = [order.index(scenario.grid_of(site)) for site in scenario.sites]
    rows = [
        build_grid(scenario.grids[i]).buses.loc[site.bus]
        for i, site in zip(number, scenario.sites, strict=True)
    ]
    return make_sites(
        name=[site.name for site in scenario.sites],
        grid=number,
        bus=[site.bus for site in scenario.sites],
        n_gpus=[site.n_gpus for site in scenario.sites],
        latitude=[float(row["latitude"]) for row in rows],
        longitude=[float(row["longitude"]) for row in rows],
        device=[site.device for site in scenario.sites],
        import_limit_mw=[np.inf if s.import_limit_mw is None else s.import_limit_mw for s in scenario.sites],
        idle_off=[site.idle_off for site in scenario.sites],
        fleet_scale=scenario.fleet_scale,
        racks=make_racks(scenario),
        battery=make_batteries(scenario),
    )


def child_seed(scenario: Scenario, stream: int) -> int:
    """Seed of one of the scenario's independent random streams, by their number.

    0 weather, 1 trace, 2 jobs, 3 policies, 4 failures of jobs, 5 outages of sites.
    """
    child = np.random.SeedSequence(scenario.seed, spawn_key=(stream,))
    return int(child.generate_state(1, np.uint32)[0])


def _forcing_key(scenario: Scenario, section: GridSection) -> str:
    weather = section.weather
    files = [name for entry in weather.files for name in (entry.solar, entry.wind) if name is not None]
    parts: dict[str, JsonValue] = {
        "time": scenario.time.model_dump(mode="json", exclude={"tick_s"}),
        "grid": section.model_dump(mode="json", exclude=set(_OF_DISPATCH)),
        "seed": weather_seed(scenario, section) if weather.source == "synthetic" else None,
        "files": {name: file_sha256(resolve_file(name)) for name in files},
    }
    return stage_key("forcing", parts)


def _baseline_key(scenario: Scenario, section: GridSection) -> str:
    return stage_key(
        "baseline",
        {
            "forcing": _forcing_key(scenario, section),
            "objective": scenario.objective,
            **section.model_dump(mode="json", include=set(_OF_DISPATCH)),
        },
    )


def _limits(section: GridSection) -> Limits:
    return Limits(**section.limits.model_dump())


def _baseline(
    scenario: Scenario, section: GridSection, cache: StageCache, progress: Progress
) -> tuple[Forcing, xr.Dataset]:
    """Weather to baseline dispatch of one grid."""

    def force() -> Groups:
        progress(f"weather {section.name}", 0, 1)
        made = make_forcing(scenario, section)
        progress(f"weather {section.name}", 1, 1)
        return {
            "generation": made.generation,
            "load": made.load.to_dataset(),
            **{f"weather/{place}": data for place, data in made.weather.items()},
        }

    groups = cache.get("forcing", _forcing_key(scenario, section), force)
    weather = {
        key.removeprefix("weather/"): data for key, data in groups.items() if key.startswith("weather/")
    }
    forcing = Forcing(weather, groups["generation"], groups["load"]["load_p_mw"])

    def solve() -> Groups:
        solved = dispatch(
            build_grid(section),
            forcing.generation,
            load=forcing.load,
            objective=scenario.objective,
            security=section.security,
            limits=_limits(section),
            progress=partial(progress, f"dispatch {section.name}"),
        )
        return {"baseline": solved}

    return forcing, cache.get("baseline", _baseline_key(scenario, section), solve)["baseline"]


def _signals(
    scenario: Scenario,
    section: GridSection,
    engine: DispatchEngine,
    forcing: Forcing,
    baseline: xr.Dataset,
    sites: pd.DataFrame,
    max_p_mw: FloatArray,
    cache: StageCache,
    progress: Progress,
) -> tuple[xr.Dataset, list[ReliefCurve]]:
    """Signals and relief curves of one grid's sites."""
    available = forcing.generation["available_p_mw"].transpose("time", "unit").to_numpy()
    first = scenario.time.n_history

    def compute() -> Groups:
        told = signals(
            engine,
            baseline,
            sites,
            available,
            max_p_mw,
            theta=scenario.windows.theta,
            progress=partial(progress, f"signals {section.name}"),
        )
        curves = relief_curves(
            engine,
            baseline.isel(time=slice(first, None)),
            sites,
            available[first:],
            max_p_mw[first:],
            progress=partial(progress, f"bound {section.name}"),
        )
        return {"signals": told, "relief": _pack(curves)}

    parts: dict[str, JsonValue] = {
        "baseline": _baseline_key(scenario, section),
        "sites": sites["bus"].to_list(),
        "names": [str(name) for name in sites.index],
        "max_p_mw": [float(value) for value in max_p_mw.ravel()],
        "theta": scenario.windows.theta,
    }
    groups = cache.get("signals", stage_key("signals", parts), compute)
    return groups["signals"], _unpack(groups["relief"])


def _pack(curves: list[ReliefCurve]) -> xr.Dataset:
    """Return relief curves of all steps as flat arrays."""
    points = [len(curve.load_mw) for curve in curves]
    return xr.Dataset(
        {
            "load_mw": ("point", np.concatenate([curve.load_mw for curve in curves])),
            "relief_mw": ("point", np.concatenate([curve.relief_mw for curve in curves])),
            "first": ("edge", np.concatenate([[0], np.cumsum(points)]).astype(np.int64)),
        }
    )


def _unpack(packed: xr.Dataset) -> list[ReliefCurve]:
    """Return relief curves from flat arrays."""
    edges = packed["first"].to_numpy()
    load, relief = packed["load_mw"].to_numpy(), packed["relief_mw"].to_numpy()
    return [ReliefCurve(load[a:b], relief[a:b]) for a, b in pairwise(edges)]


def _inputs(
    scenario: Scenario, grids: tuple[PreparedGrid, ...], sites: SiteTable, temp_air: FloatArray
) -> SimulationInputs:
    """Put together what a simulation is given."""
    time, first = scenario.time, scenario.time.n_history
    total = first + time.n_run
    absorbable, marginal = np.zeros((total, sites.n_sites)), np.zeros((total, sites.n_sites))
    bus_index = np.zeros(sites.n_sites, dtype=np.int64)
    for prepared in grids:
        at = prepared.site_index
        absorbable[:, at] = prepared.signals["absorbable_p_mw"].transpose("time", "site").to_numpy()
        marginal[:, at] = prepared.signals["marginal_curtailment"].transpose("time", "site").to_numpy()
        bus_index[at] = prepared.grid.bus_index([sites.bus[i] for i in at])
    inputs = SimulationInputs(
        start=time.start_utc,
        tick_s=time.tick_s,
        signal_step_s=time.signal_step_s,
        n_steps=time.n_run,
        grids=tuple(_grid_inputs(prepared, first) for prepared in grids),
        sites=sites,
        site_bus_index=bus_index,
        temp_air=temp_air[first:],
        jobs=make_jobs(scenario, sites),
        wan=make_wan(scenario, sites),
        migration=make_migration(scenario.migration, scenario.fleet_scale),
        absorbable_p_mw=absorbable,
        marginal_curtailment=marginal,
        n_history=first,
        theta=scenario.windows.theta,
        alpha=scenario.feasibility.alpha,
        outlook_steps=max(1, round(scenario.outlook.hours / time.step_h)),
        outlook_tau_s=scenario.outlook.tau_h * 3600.0,
        outlook_members=scenario.outlook.members,
        backfill_patience_s=scenario.outlook.backfill_patience_h * 3600.0,
        seed=child_seed(scenario, 3),
        failures=make_failures(scenario, child_seed(scenario, 4)),
    )
    outages = make_outages(scenario, child_seed(scenario, 5))
    return with_site_outages(inputs, outages) if outages.site.size else inputs


def _site_buses(sites: SiteTable, member: IntArray) -> pd.DataFrame:
    """Buses of some sites by their names, as signals want them."""
    return pd.DataFrame({"bus": [sites.bus[i] for i in member]}, index=[sites.name[i] for i in member])


def _expected(
    scenario: Scenario,
    grids: tuple[PreparedGrid, ...],
    inputs: SimulationInputs,
    cache: StageCache,
    progress: Progress,
) -> Expected | None:
    """Signals foretold to policies by the scenario's source of outlooks."""
    total = inputs.n_history + inputs.n_steps
    if scenario.outlook.source == "persistence":
        return None
    if scenario.outlook.source == "perfect":
        until = np.full(total, total, dtype=np.int64)
        return Expected(inputs.absorbable_p_mw, inputs.marginal_curtailment, until)
    absorbable, marginal = np.zeros((total, inputs.n_sites)), np.zeros((total, inputs.n_sites))
    # The weather to come must not be read from what a site can draw.
    most = max_power_mw(inputs.sites, np.full((total, inputs.n_sites), HOTTEST_C))
    until = np.full(total, total, dtype=np.int64)
    for prepared in grids:
        at, section = prepared.site_index, day_ahead_section(prepared.section)
        forcing, baseline = _baseline(scenario, section, cache, progress)
        sites = _site_buses(inputs.sites, at)
        told, _ = _signals(
            scenario, section, prepared.engine, forcing, baseline, sites, most[:, at], cache, progress
        )
        absorbable[:, at] = told["absorbable_p_mw"].transpose("time", "site").to_numpy()
        marginal[:, at] = told["marginal_curtailment"].transpose("time", "site").to_numpy()
        known = day_ahead_known_until(
            study_time(scenario), prepared.grid.utc_offset_h, scenario.outlook.issued_h
        )
        until = np.minimum(until, known)
    return Expected(absorbable, marginal, until)


def _grid_inputs(prepared: PreparedGrid, first: int) -> GridInputs:
    """Return one grid during the run."""
    return GridInputs(
        name=prepared.section.name,
        engine=prepared.engine,
        load_p_mw=prepared.baseline["load_p_mw"].transpose("time", "bus").to_numpy()[first:],
        available_p_mw=prepared.forcing.generation["available_p_mw"]
        .transpose("time", "unit")
        .to_numpy()[first:],
        technology=tuple(prepared.grid.units["technology"].astype(str)),
    )


def make_jobs(scenario: Scenario, sites: SiteTable) -> pd.DataFrame:
    """Return the jobs of a scenario."""
    jobs = scenario.jobs
    duration_s = scenario.time.days * 86400.0
    path = None if jobs.path is None else resolve_file(jobs.path)
    start_s = jobs.trace_start_h * 3600.0
    part_end_s = 0.0 if jobs.trace_part_h is None else jobs.trace_part_h[1] * 3600.0
    options = trace_options(jobs)
    if options.tasks is not None:
        options = replace(options, tasks=resolve_file(str(options.tasks)))
    trace = load_trace(
        jobs.source,
        path,
        seed=child_seed(scenario, 1),
        duration_s=max(duration_s + start_s, part_end_s),
        options=options,
    )
    return prepare_jobs(
        trace,
        seed=child_seed(scenario, 2),
        duration_s=duration_s,
        sites=sites,
        fleet_scale=scenario.fleet_scale,
        mean_gpus=jobs.mean_gpus,
        max_job_h=np.inf if jobs.max_job_h is None else jobs.max_job_h,
        max_gpus=jobs.max_gpus,
        trace_start_h=jobs.trace_start_h,
        trace_part_h=jobs.trace_part_h,
        trace_device=jobs.trace_device,
        migratable_share=jobs.migratable_share,
        deadline_factor=np.inf if jobs.deadline_factor is None else jobs.deadline_factor,
        gpu_memory_gb=jobs.gpu_memory_gb,
        bytes_per_parameter=jobs.bytes_per_parameter,
        models=jobs.models,
        needs_memory=jobs.needs_memory,
        pausable_share=jobs.pausable_share,
        service_share=jobs.service_share,
        priority_shares=jobs.priority_shares,
        elastic_share=jobs.elastic_share,
        elastic_min_factor=jobs.elastic_min_factor,
        elastic_max_factor=jobs.elastic_max_factor,
    )
