"""From simulated policies to a result: scores, summary, arrays by group, tables."""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import JsonValue

from grid_models import CAUSES, ReliefCurve, relief_curves, windows
from twin.accounting import account
from twin.forcing import ALIGNMENT_RULE, RECORDED_RULE, SERIES_RULE, SYNTHETIC_RULE, input_files
from twin.policies.perfect_foresight import bound_absorbed_mwh
from twin.policy_options import make_policy
from twin.preparation import Prepared, PreparedGrid
from twin.progress import Progress
from twin.provenance import provenance
from twin.record import SimulationRecord
from twin.refusals import refusal_counts, refusals, refusals_by_reason
from twin.scenario_model import SCHEMA_VERSION
from twin.simulate import run_simulation
from twin.site_battery import battery_columns
from twin.store import Result, tree_of
from weather import FloatArray

TRACE_RULE = (
    "The trace is laid from the start of the study, and again in a re-seeded order where it is shorter."
)

HELPS_ABOVE = 0.5
"""A load helps where a megawatt of it relieves more than this. [MW/MW]"""

CURTAILED_ABOVE_MW = 1e-3
"""An hour counts as curtailed above this. [MW]"""


def assemble(prepared: Prepared, progress: Progress) -> Result:
    """Run every policy of a prepared study and put the result together.

    Parameters
    ----------
    prepared : Prepared
        From :func:`twin.preparation.prepare`.
    progress : Progress
        Is told how far each simulation is.

    Returns
    -------
    Result
        Checked: all balances close.
    """
    scenario = prepared.scenario
    groups = {key: data for grid in prepared.grids for key, data in grid_groups(grid).items()}
    groups["signals"] = signals_group(prepared)
    baselines = [_in_run(prepared, grid.baseline) for grid in prepared.grids]
    errors = [power_balance_error_mw(data) for data in baselines]
    scores: dict[str, JsonValue] = {}
    jobs: list[pd.DataFrame] = []
    transfers: list[pd.DataFrame] = []
    refused: list[pd.DataFrame] = []
    for name in scenario.policies:
        told = partial(progress, f"policy {name}")
        record = run_simulation(
            prepared.inputs, make_policy(name, scenario.policy_options.get(name, {})), progress=told
        )
        score = account(record, baselines, bound_absorbed_mwh=policy_bound_mwh(prepared, record, baselines))
        scores[name] = cast("JsonValue", score.to_mapping())
        groups |= policy_groups(prepared, record)
        errors += [coupled_balance_error_mw(record, i, data) for i, data in enumerate(baselines)]
        jobs.append(record.jobs.assign(policy=name))
        transfers.append(record.transfers.assign(policy=name))
        refused.append(refusals(record))
    every_refusal = _stacked(refused)
    by_reason = refusals_by_reason(every_refusal)
    summary = {
        **baseline_summary(prepared),
        "max_balance_error_mw": max(errors),
        "policies": scores,
        "refusals": refusal_counts(by_reason, scenario.policies),
    }
    tables = {
        "policies": score_table(scores),
        "sites": site_table(prepared),
        "units": unit_table(prepared),
        "windows": window_table(prepared),
        "jobs": _stacked(jobs),
        "transfers": _stacked(transfers),
        "refusals": every_refusal,
        "refusals_by_reason": by_reason,
    }
    made_from = provenance(scenario, input_files(scenario))
    about: dict[str, JsonValue] = {
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario.to_yaml(),
        "rules": "\n".join(rules(prepared)),
        **{key: made_from[key] for key in ("versions", "git_hash", "seed")},
    }
    return Result(
        scenario, summary, tree_of(groups, about), tables, {**made_from, "stages": {**prepared.stages}}
    )


def policy_bound_mwh(
    prepared: Prepared, record: SimulationRecord, baselines: list[xr.Dataset]
) -> float | None:
    """Most that perfect foresight could absorb with a policy's energy; None where it is not proven. [MWh]"""
    if prepared.scenario.objective != "priority":
        return None
    curves = [
        curve
        for i, baseline in enumerate(baselines)
        for curve in _curves_with_own(prepared, record, i, baseline)
    ]
    energy = float(record.sites["load_p_mw"].sum() * record.step_h)
    return bound_absorbed_mwh(curves, record.step_h, energy)


def _curves_with_own(
    prepared: Prepared, record: SimulationRecord, index: int, baseline: xr.Dataset
) -> list[ReliefCurve]:
    """Return the relief curves of a grid such that what a policy did is among what they are taken over.

    A step is computed anew where the policy's own dispatch sheds or dumps more than the one without compute,
    or where a site draws more than its devices can: the network's power comes on top.
    """
    grid, first = prepared.grids[index], prepared.scenario.time.n_history
    usual = prepared.max_p_mw[first:, grid.site_index]
    most = np.maximum(usual, record.sites["load_p_mw"][:, grid.site_index])
    shed, dump = (record.grids[index][name] for name in ("shed_p_mw", "dump_p_mw"))
    before = (usual, baseline["shed_p_mw"].to_numpy(), baseline["dump_p_mw"].to_numpy())
    more = [np.any(own > was + 1e-9, axis=1) for own, was in zip((most, shed, dump), before, strict=True)]
    steps = np.flatnonzero(np.any(more, axis=0))
    curves = list(prepared.curves[index])
    if steps.size:
        anew = relief_curves(
            grid.engine,
            baseline.isel(time=steps),
            pd.DataFrame({"bus": [prepared.inputs.sites.bus[k] for k in grid.site_index]}),
            prepared.inputs.grids[index].available_p_mw[steps],
            most[steps],
            shed_p_mw=shed[steps],
            dump_p_mw=dump[steps],
        )
        for step, curve in zip(steps.tolist(), anew, strict=True):
            curves[step] = curve
    return curves


def power_balance_error_mw(dispatched: xr.Dataset) -> float:
    """Largest difference of supply and demand of a dispatch in any step. [MW]"""
    dims = {"p_mw": "gen", "unit_p_mw": "unit", "shed_p_mw": "bus", "dump_p_mw": "bus"}
    sums = {name: dispatched[name].sum(dim).to_numpy() for name, dim in dims.items()}
    demand = (dispatched["load_p_mw"] + dispatched["flexible_load_p_mw"]).sum("bus").to_numpy()
    left = sums["p_mw"] + sums["unit_p_mw"] + sums["shed_p_mw"] - sums["dump_p_mw"]
    return float(np.max(np.abs(left - demand)))


def coupled_balance_error_mw(record: SimulationRecord, index: int, baseline: xr.Dataset) -> float:
    """Largest difference of supply and demand with the sites' real load, of one grid in any step. [MW]"""
    solved = record.grids[index]
    here = record.site_grid == index
    demand = baseline["load_p_mw"].sum("bus").to_numpy() + record.sites["load_p_mw"][:, here].sum(axis=1)
    supply = sum(solved[name].sum(axis=1) for name in ("p_mw", "unit_p_mw", "shed_p_mw"))
    return float(np.max(np.abs(supply - solved["dump_p_mw"].sum(axis=1) - demand)))


def baseline_summary(prepared: Prepared) -> dict[str, JsonValue]:
    """Return what the grids curtail during the run, before any compute, and what the study is."""
    units = unit_table(prepared)
    counted = units[units["technology"].isin(["wind", "pv"])]
    keys = ("available_mwh", "curtailed_mwh", *(f"curtailed_{cause}_mwh" for cause in CAUSES))
    return {
        "schema_version": SCHEMA_VERSION,
        **{key: float(counted[key].sum()) for key in keys},
        "objective": prepared.scenario.objective,
        "fleet_scale": prepared.scenario.fleet_scale,
        "outlook": prepared.scenario.outlook.source,
    }


def score_table(scores: dict[str, JsonValue]) -> pd.DataFrame:
    """Return the scores with a row per policy; refusals become columns."""
    rows = []
    for name, score in scores.items():
        row: dict[str, JsonValue] = {"policy": name}
        for key, value in cast("dict[str, JsonValue]", score).items():
            if isinstance(value, dict):
                row |= {f"{key}_{reason}": count for reason, count in value.items()}
            else:
                row[key] = value
        rows.append(row)
    return pd.DataFrame(rows)


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return tables below each other; empty ones only set the columns."""
    stacked = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    stacked.attrs = {}
    return stacked


def _in_run(prepared: Prepared, data: xr.Dataset) -> xr.Dataset:
    """Return the part of a Dataset after the history."""
    return data.isel(time=slice(prepared.scenario.time.n_history, None))


def grid_groups(prepared: PreparedGrid) -> dict[str, xr.Dataset]:
    """Return weather, generation and baseline of one grid, with what a map needs."""
    name, grid, first_label = prepared.section.name, prepared.grid, prepared.baseline
    places = {
        "bus_latitude": ("bus", grid.buses["latitude"].to_numpy()),
        "bus_longitude": ("bus", grid.buses["longitude"].to_numpy()),
        "unit_p_nom_mw": ("unit", grid.units["p_nom_mw"].to_numpy()),
        "counts_as_curtailment": ("unit", grid.units["counts_as_curtailment"].to_numpy().astype(np.int8)),
        "line_from_bus": ("line", grid.lines["from_bus"].to_numpy(dtype=object)),
        "line_to_bus": ("line", grid.lines["to_bus"].to_numpy(dtype=object)),
        "line_rate_mw": ("line", grid.lines["rate_mw"].to_numpy()),
    }
    baseline = first_label.assign_coords(places).assign_attrs(utc_offset_h=grid.utc_offset_h)
    return {
        **{f"weather/{name}/{place}": data for place, data in prepared.forcing.weather.items()},
        f"generation/{name}": prepared.forcing.generation,
        f"baseline/{name}": baseline,
    }


def signals_group(prepared: Prepared) -> xr.Dataset:
    """Return the signals of all sites, in the scenario's order, with what the sites are."""
    sites = prepared.inputs.sites
    joined = xr.concat(
        [grid.signals.drop_attrs() for grid in prepared.grids], "site", join="exact", combine_attrs="drop"
    ).sel(site=np.array(sites.name, dtype=object))
    grids = [prepared.scenario.grids[i].name for i in sites.grid]
    joined = joined.assign(
        temp_air=(("time", "site"), prepared.temp_air, {"units": "°C", "cell_methods": "time: point"}),
        max_p_mw=(("time", "site"), prepared.max_p_mw, {"units": "MW", "cell_methods": "time: mean"}),
    )
    return joined.assign_coords(
        grid=("site", np.array(grids, dtype=object)),
        bus=("site", np.array(sites.bus, dtype=object)),
        device=("site", np.array(sites.device, dtype=object)),
        n_gpus=("site", sites.n_gpus),
        latitude=("site", sites.latitude),
        longitude=("site", sites.longitude),
    ).assign_attrs(theta=prepared.scenario.windows.theta)


def policy_groups(prepared: Prepared, record: SimulationRecord) -> dict[str, xr.Dataset]:
    """Return what one policy did."""
    name = record.policy
    groups: dict[str, xr.Dataset] = {}
    for key, value in record.to_datasets().items():
        if key.startswith("coupled/"):
            grid = next(g for g in prepared.grids if f"coupled/{g.section.name}" == key)
            labels = {dim: grid.baseline[dim].to_numpy() for dim in ("gen", "unit", "line", "link", "bus")}
            groups[f"coupled/{name}/{grid.section.name}"] = cast("xr.Dataset", value).assign_coords(labels)
        elif isinstance(value, xr.Dataset):
            groups[f"{key}/{name}"] = value
        else:
            groups[f"{key}/{name}"] = table_group(value, key.removesuffix("s"))
    return groups


def table_group(table: pd.DataFrame, dim: str) -> xr.Dataset:
    """Return a table as a Dataset with one dimension that counts its rows."""
    columns = {
        str(name): (f"{dim}_row", column.to_numpy(dtype=object if column.dtype == object else None))
        for name, column in table.reset_index(drop=True).items()
    }
    return xr.Dataset(columns)


def window_table(prepared: Prepared) -> pd.DataFrame:
    """Return the windows of all sites during the run."""
    first, rules = prepared.scenario.time.n_history, prepared.scenario.windows
    tables = []
    for grid in prepared.grids:
        in_run = slice(first, None)
        table = windows(
            grid.signals.isel(time=in_run),
            baseline=grid.baseline.isel(time=in_run),
            theta=rules.theta,
            p_min_mw=rules.p_min_mw,
            max_gap_steps=rules.max_gap_steps,
            min_steps=rules.min_steps,
        )
        tables.append(table.assign(grid=grid.section.name))
    joined = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    joined.attrs = {}
    return joined


def site_table(prepared: Prepared) -> pd.DataFrame:
    """Return what a load does at each site: marginal curtailment in hours of the run with curtailment."""
    first, step_h = prepared.scenario.time.n_history, prepared.scenario.time.step_h
    sites, rows = prepared.inputs.sites, []
    for grid in prepared.grids:
        curtailed = grid.baseline["curtailed_p_mw"].sum("unit").to_numpy()[first:]
        hours = curtailed > CURTAILED_ABOVE_MW
        told = {
            k: grid.signals[k].transpose("time", "site").to_numpy()[first:] for k in grid.signals.data_vars
        }
        for column, i in enumerate(grid.site_index):
            marginal = told["marginal_curtailment"][hours, column]
            some = marginal if marginal.size else np.full(1, np.nan)
            rows.append(
                {
                    "site": sites.name[i],
                    "grid": grid.section.name,
                    "bus": sites.bus[i],
                    "device": sites.device[i],
                    "n_gpus": int(sites.n_gpus[i]),
                    **battery_columns(sites.battery, i),
                    "max_p_mw": float(prepared.max_p_mw[first:, i].max()),
                    "curtailed_hours": float(hours.sum() * step_h),
                    "helps_share": float((marginal > HELPS_ABOVE).mean()) if marginal.size else 0.0,
                    "marginal_mean": float(some.mean()),
                    "marginal_min": float(some.min()),
                    "marginal_max": float(some.max()),
                    "absorbable_mwh": float(told["absorbable_p_mw"][:, column].sum() * step_h),
                    "absorbable_alone_mwh": float(told["absorbable_alone_p_mw"][:, column].sum() * step_h),
                    "order": int(i),
                }
            )
    return pd.DataFrame(rows).sort_values("order", ignore_index=True).drop(columns="order")


def unit_table(prepared: Prepared) -> pd.DataFrame:
    """Return available and curtailed energy of each weather-driven unit during the run, by cause."""
    first, step_h = prepared.scenario.time.n_history, prepared.scenario.time.step_h
    tables = []
    for grid in prepared.grids:
        in_run = slice(first, None)

        def energy(data: xr.Dataset, name: str, part: slice = in_run) -> FloatArray:
            total = data[name].transpose("time", "unit").isel(time=part).sum("time")
            return np.asarray(total.to_numpy() * step_h, dtype=np.float64)

        def by_cause(data: xr.Dataset, cause: str) -> FloatArray:
            name = f"curtailed_{cause}_p_mw"
            # A dispatch without limits of the system or outages has no such causes.
            return energy(data, name) if name in data else np.zeros(data.sizes["unit"])

        units = grid.grid.units
        tables.append(
            pd.DataFrame(
                {
                    "grid": grid.section.name,
                    "unit": units.index.astype(str),
                    "bus": units["bus"].astype(str).to_numpy(),
                    "technology": units["technology"].astype(str).to_numpy(),
                    "p_nom_mw": units["p_nom_mw"].to_numpy(dtype=float),
                    "available_mwh": energy(grid.forcing.generation, "available_p_mw"),
                    "curtailed_mwh": energy(grid.baseline, "curtailed_p_mw"),
                    **{f"curtailed_{cause}_mwh": by_cause(grid.baseline, cause) for cause in CAUSES},
                    "spilled_mwh": energy(grid.baseline, "spilled_p_mw"),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def rules(prepared: Prepared) -> list[str]:
    """Return the rules by which calendars and sources were brought together."""
    sources = {grid.weather.source for grid in prepared.scenario.grids}
    said = {"synthetic": SYNTHETIC_RULE, "recorded": RECORDED_RULE, "files": ALIGNMENT_RULE}
    return [*(said[source] for source in sorted(sources)), SERIES_RULE, TRACE_RULE]
