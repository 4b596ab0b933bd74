"""The score of a run: absorption by counterfactual dispatch, energy by source and by use, what jobs paid.

Nothing here runs anything. The sums and their checks are those of `twin.ledger`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict

import pandas as pd
import xarray as xr

from twin.feasibility import REFUSALS
from twin.inputs import S_PER_H
from twin.ledger import EQUIPMENT_ENERGIES, Ledger, check_axes, check_record, grid_ledger
from twin.record import SimulationRecord

KWH_PER_MWH = 1000.0


_OPTIONAL = ("rack_", "battery_", "resize", "extra_", "live_", "repeated_gb", "n_cuts")
"""How the names of quantities begin that only runs with racks, batteries, elastic jobs or live moves have."""


@dataclass(frozen=True)
class Score:
    """What a policy achieved and what it cost; quantities that would divide by zero are None.

    Attributes
    ----------
    absorbed_mwh : float
        Curtailment without the sites minus curtailment with them. [MWh]
    absorbed_share_of_curtailed : float
        Over the curtailment without them.
    bound_absorbed_mwh, share_of_bound : float
        What perfect foresight could absorb with the same energy, and the share reached. [MWh]
    compute_mwh : float
        Energy of the sites. [MWh]
    absorbed_per_compute_mwh : float
        Headline: absorbed over compute.
    nonrenewable_compute_mwh : float
        Thermal energy with the sites minus without. [MWh]
    nonrenewable_kwh_per_gpu_h : float
        The same per completed GPU-hour. [kWh/GPU-h]
    completed_gpu_h : float
        Work done, unfinished jobs included. [GPU-h at the reference device]
    utilisation : float
        GPU-hours that ran over those that could.
    cost, co2_kg : float
        Of the dispatch with the sites minus without. [currency], [kg]
    migrations_done : int
        Moves that ended with the job running at its destination.
    migrations_refused : dict
        Refusals in the audit by reason; repeats of a job's last one are not counted.
    migration_mwh : float
        IT energy of GPUs that save, send or load, for moves and pauses, and of the network. [MWh]
    pauses : int
        Pauses begun.
    pause_mwh : float
        The part of `migration_mwh` that is for pauses. [MWh]
    paused_gpu_h : float
        GPU-hours that paused jobs left to others or switched off. [GPU-h of whichever device]
    moved_gb : float
        Bytes sent. [GB]
    jobs_done, jobs_unfinished : int
        Jobs that ended in the run, and that did not.
    jct_median_h, jct_p95_h : float
        Quantiles of the time from submission to end, of jobs done. [h]
    slowdown_mean : float
        Mean of that time over the run time at the origin's devices without waiting or moving, of jobs done.
    deadline_misses : int
        Jobs that ended after their deadline, or had not ended when it passed.
    lost_gpu_h : float
        GPU-hours kept from other jobs without progress: held while saving, sending and loading (for moves,
        pauses, new starts and other sizes), reserved at
        the destination meanwhile, and repeated work. [GPU-h of whichever device]
    held_gpu_h, reserved_gpu_h, repeated_gpu_h : float
        Its parts. Moves and pauses save first and repeat nothing; interruptions do. Of a live move the first
        is its downtime alone, as the job runs before; GPUs are reserved from its begin. [GPU-h]
    interruptions : int
        How often jobs were thrown off their GPUs by failures and outages of sites.
    lost_work_gpu_h : float
        Work lost by that: done once more, and no part of `completed_gpu_h`. [GPU-h at the reference device]
    it_mwh, idle_mwh, overhead_mwh : float
        With `migration_mwh`, the parts of `compute_mwh`. [MWh]
    hydro_mwh, csp_mwh, shed_mwh, dump_mwh : float
        With the sites minus without. [MWh]
    rack_start_mwh, rack_off_mwh : float
        Further parts of `compute_mwh` where sites have racks. [MWh]
    battery_charged_mwh, battery_discharged_mwh, battery_lost_mwh, battery_stored_mwh : float
        Where sites have batteries, drawn, given, lost, and stored at the end minus at the start;
        `compute_mwh` has charged − discharged = lost + stored in it. [MWh]
    battery_cycles : float
        Energy they gave over what they hold.
    resizes : int
        Changes of size of running jobs, begun, where jobs are elastic.
    resize_gpu_h : float
        GPU-hours held meanwhile without progress, a part of `held_gpu_h`. [GPU-h of whichever device]
    extra_gpu_h : float
        GPU-hours that jobs ran beyond what the same work takes at their recorded sizes; negative where they
        were saved. [GPU-h of whichever device]
    repeated_gb : float
        Where links failed under transfers, the part of `moved_gb` that was sent again. [GB]
    n_cuts : int
        How often that happened to a transfer.
    live_moves : int
        Live moves that ended with the job running at its destination, where some were begun.
    live_dropped : int
        Those given up: the job ended or was interrupted, or its destination went down.
    live_rounds_mean : float
        Rounds sent while the job ran, mean of `live_moves`.
    live_downtime_mean_s : float
        Time for which a job stood, mean of `live_moves`. [s]
    live_precopied_gb : float
        The part of `moved_gb` that was sent while jobs ran. [GB]
    """

    absorbed_mwh: float
    absorbed_share_of_curtailed: float | None
    bound_absorbed_mwh: float | None
    share_of_bound: float | None
    compute_mwh: float
    absorbed_per_compute_mwh: float | None
    nonrenewable_compute_mwh: float
    nonrenewable_kwh_per_gpu_h: float | None
    completed_gpu_h: float
    utilisation: float | None
    cost: float
    co2_kg: float
    migrations_done: int
    migrations_refused: dict[str, int]
    migration_mwh: float
    pauses: int
    pause_mwh: float
    paused_gpu_h: float
    moved_gb: float
    jobs_done: int
    jobs_unfinished: int
    jct_median_h: float | None
    jct_p95_h: float | None
    slowdown_mean: float | None
    deadline_misses: int
    lost_gpu_h: float
    held_gpu_h: float
    reserved_gpu_h: float
    repeated_gpu_h: float
    interruptions: int
    lost_work_gpu_h: float
    it_mwh: float
    idle_mwh: float
    overhead_mwh: float
    hydro_mwh: float
    csp_mwh: float
    shed_mwh: float
    dump_mwh: float
    rack_start_mwh: float | None = None
    rack_off_mwh: float | None = None
    battery_charged_mwh: float | None = None
    battery_discharged_mwh: float | None = None
    battery_lost_mwh: float | None = None
    battery_stored_mwh: float | None = None
    battery_cycles: float | None = None
    resizes: int | None = None
    resize_gpu_h: float | None = None
    extra_gpu_h: float | None = None
    live_moves: int | None = None
    live_dropped: int | None = None
    live_rounds_mean: float | None = None
    live_downtime_mean_s: float | None = None
    live_precopied_gb: float | None = None
    repeated_gb: float | None = None
    n_cuts: int | None = None

    def to_mapping(self) -> dict[str, float | int | dict[str, int] | None]:
        """Return it as plain values for ``summary.json``, without racks and the like that are not there."""
        values = asdict(self)
        return {k: v for k, v in values.items() if v is not None or not k.startswith(_OPTIONAL)}


def account(
    record: SimulationRecord, baselines: Sequence[xr.Dataset], *, bound_absorbed_mwh: float | None = None
) -> Score:
    """Score a run.

    Parameters
    ----------
    record : SimulationRecord
        A finished run.
    baselines : sequence of Dataset
        Per grid, the dispatch without the sites over the same steps, with `technology` on its units.
    bound_absorbed_mwh : float, optional
        What perfect foresight absorbs with the same energy. [MWh]

    Returns
    -------
    Score
        Of the policy.

    Raises
    ------
    BalanceError
        Where a balance of power, energy, GPU-hours, bytes or jobs does not close.
    InputError
        Where a baseline does not have the steps of the record.
    """
    check_axes(record, baselines)
    check_record(record)
    total = Ledger()
    for index in range(len(record.grids)):
        total += grid_ledger(record, index, baselines[index])
    return _score(record, total, bound_absorbed_mwh)


def _score(record: SimulationRecord, total: Ledger, bound_mwh: float | None) -> Score:
    sites, transfers = record.sites, record.transfers
    completed = float(record.jobs["done_gpu_h"].sum())
    gpu_h = float(record.gpu_capacity.sum()) * record.step_h * len(record.time)
    held = float(sites["held_gpus"].sum() * record.step_h)
    reserved = float(sites["reserved_gpus"].sum() * record.step_h)
    refused = record.events.loc[record.events["kind"] == "move_refused", "reason"].value_counts()
    repeated = float(record.jobs["repeated_gpu_h"].sum())
    jobs = _job_score(record)
    return Score(
        absorbed_mwh=total.absorbed_mwh,
        absorbed_share_of_curtailed=_ratio(total.absorbed_mwh, total.baseline_curtailed_mwh),
        bound_absorbed_mwh=bound_mwh,
        share_of_bound=None if bound_mwh is None else _ratio(total.absorbed_mwh, bound_mwh),
        compute_mwh=total.compute_mwh,
        absorbed_per_compute_mwh=_ratio(total.absorbed_mwh, total.compute_mwh),
        nonrenewable_compute_mwh=total.thermal_mwh,
        nonrenewable_kwh_per_gpu_h=_ratio(total.thermal_mwh * KWH_PER_MWH, completed),
        completed_gpu_h=completed,
        utilisation=_ratio(float(sites["busy_gpus"].sum()) * record.step_h, gpu_h),
        cost=total.cost,
        co2_kg=total.co2_kg,
        migrations_done=int(transfers["resumed_s"].notna().sum()),
        migrations_refused={reason: int(refused.get(reason, 0)) for reason in REFUSALS[1:]},
        migration_mwh=total.migration_mwh,
        pauses=len(record.pauses),
        pause_mwh=float(record.pauses["energy_mwh"].sum()),
        paused_gpu_h=float(record.pauses["paused_gpu_h"].sum()),
        moved_gb=float(transfers["moved_gb"].sum()),
        jobs_done=jobs.done,
        jobs_unfinished=len(record.jobs) - jobs.done,
        jct_median_h=jobs.jct_median_h,
        jct_p95_h=jobs.jct_p95_h,
        slowdown_mean=jobs.slowdown_mean,
        deadline_misses=jobs.deadline_misses,
        lost_gpu_h=held + reserved + repeated,
        held_gpu_h=held,
        reserved_gpu_h=reserved,
        repeated_gpu_h=repeated,
        interruptions=int(record.jobs["n_interruptions"].sum()),
        lost_work_gpu_h=float(record.jobs["lost_gpu_h"].sum()),
        it_mwh=total.it_mwh,
        idle_mwh=total.idle_mwh,
        overhead_mwh=total.overhead_mwh,
        hydro_mwh=total.hydro_mwh,
        csp_mwh=total.csp_mwh,
        shed_mwh=total.shed_mwh,
        dump_mwh=total.dump_mwh,
        **_equipment_score(record, total),
        **_elastic_score(record),
        **_live_score(record),
        **_cut_score(record),
    )


def _equipment_score(record: SimulationRecord, total: Ledger) -> dict[str, float | None]:
    """Quantities of racks and batteries, where there are any."""
    names = [name for name, variable in EQUIPMENT_ENERGIES.items() if variable in record.sites]
    score: dict[str, float | None] = {name: getattr(total, name) for name in names}
    if record.battery_mwh is not None and "battery_loss_p_mw" in record.sites:
        score["battery_cycles"] = _ratio(total.battery_discharged_mwh, float(record.battery_mwh.sum()))
    return score


class _ElasticScore(TypedDict, total=False):
    resizes: int
    resize_gpu_h: float
    extra_gpu_h: float


def _elastic_score(record: SimulationRecord) -> _ElasticScore:
    """Quantities of elastic jobs, where there are any."""
    jobs = record.jobs
    if "n_resizes" not in jobs:
        return {}
    return {
        "resizes": int(jobs["n_resizes"].sum()),
        "resize_gpu_h": float(jobs["resize_gpu_h"].sum()),
        "extra_gpu_h": float(jobs["extra_gpu_h"].sum()),
    }


class _CutScore(TypedDict, total=False):
    """What failing links did to transfers; nothing where none was cut."""

    repeated_gb: float
    n_cuts: int


def _cut_score(record: SimulationRecord) -> _CutScore:
    moves = record.transfers
    if not (moves["n_cuts"] > 0).any():
        return {}
    return {"repeated_gb": float(moves["repeated_gb"].sum()), "n_cuts": int(moves["n_cuts"].sum())}


class _LiveScore(TypedDict, total=False):
    live_moves: int
    live_dropped: int
    live_rounds_mean: float | None
    live_downtime_mean_s: float | None
    live_precopied_gb: float


def _live_score(record: SimulationRecord) -> _LiveScore:
    """Quantities of live moves, where there were any."""
    live = record.transfers[record.transfers["mode"] == "live"]
    if live.empty:
        return {}
    ended = live[live["resumed_s"].notna()]
    return {
        "live_moves": len(ended),
        "live_dropped": int((live["dropped_s"].notna() | live["failed_s"].notna()).sum()),
        "live_rounds_mean": _ratio(float(ended["n_rounds"].sum()), len(ended)),
        "live_downtime_mean_s": _ratio(float(ended["downtime_s"].sum()), len(ended)),
        "live_precopied_gb": float(live["precopied_gb"].sum()),
    }


@dataclass(frozen=True)
class _JobScore:
    done: int
    jct_median_h: float | None
    jct_p95_h: float | None
    slowdown_mean: float | None
    deadline_misses: int


def _job_score(record: SimulationRecord) -> _JobScore:
    jobs: pd.DataFrame = record.jobs
    end_of_run_s = len(record.time) * record.step_h * S_PER_H
    done = jobs[jobs["phase"] == "done"]
    jct_s = done["end_s"] - done["submit_s"]
    late = jobs["end_s"].fillna(end_of_run_s) > jobs["deadline_s"]
    some = len(done) > 0
    return _JobScore(
        done=len(done),
        jct_median_h=float(jct_s.quantile(0.5)) / S_PER_H if some else None,
        jct_p95_h=float(jct_s.quantile(0.95)) / S_PER_H if some else None,
        slowdown_mean=float((jct_s / done["ideal_run_s"]).mean()) if some else None,
        deadline_misses=int(late.sum()),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0.0 else None
