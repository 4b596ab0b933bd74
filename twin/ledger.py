"""The ledger of a run: where the energy of compute came from and went, and whether all its balances close.

Nothing here runs anything. Energies are sums over steps, so that the ledger of a year is the sum of its
days'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr

from twin._arrays import FloatArray
from twin.record import SimulationRecord
from weather import BalanceError, Findings, to_utc_index

BALANCE_TOLERANCE = 1e-6
"""Largest imbalance accepted, relative to the quantity and at least absolute. [MW, GPU-h, GB]"""


@dataclass(frozen=True, eq=False)
class DispatchTotals:
    """Sums over a grid per step; powers in MW.

    Attributes
    ----------
    thermal, hydro, csp : ndarray (step)
        Production. [MW]
    curtailed : ndarray (step)
        Wind and PV not taken. [MW]
    shed, dump : ndarray (step)
        Load not served, must-take power not taken. [MW]
    cost, co2 : ndarray (step)
        Per hour. [currency/h], [kg/h]
    """

    thermal: FloatArray
    curtailed: FloatArray
    hydro: FloatArray
    csp: FloatArray
    shed: FloatArray
    dump: FloatArray
    cost: FloatArray
    co2: FloatArray

    @classmethod
    def of(cls, arrays: Mapping[str, FloatArray], technology: Sequence[str]) -> DispatchTotals:
        """Sum arrays that are named as in the dispatch Dataset; `technology` is that of each unit."""
        kind = np.asarray(technology)
        unit = arrays["unit_p_mw"]
        return cls(
            thermal=arrays["p_mw"].sum(axis=1),
            curtailed=arrays["curtailed_p_mw"].sum(axis=1),
            hydro=unit[:, kind == "hydro"].sum(axis=1),
            csp=unit[:, kind == "csp"].sum(axis=1),
            shed=arrays["shed_p_mw"].sum(axis=1),
            dump=arrays["dump_p_mw"].sum(axis=1),
            cost=arrays["cost"],
            co2=arrays["co2_kg"],
        )


@dataclass(frozen=True)
class Ledger:
    """Where the energy of compute came from and what it was for; ledgers of disjoint steps or grids add up.

    Attributes
    ----------
    compute_mwh : float
        Energy of the sites at their meters. It equals absorbed + thermal + hydro + csp + shed − dump.
    absorbed_mwh : float
        Curtailed without the sites minus curtailed with them. [MWh]
    thermal_mwh, hydro_mwh, csp_mwh, shed_mwh, dump_mwh : float
        With the sites minus without them; may be negative. [MWh]
    baseline_curtailed_mwh : float
        Curtailed without the sites. [MWh]
    cost, co2_kg : float
        With the sites minus without them. [currency], [kg]
    it_mwh, idle_mwh, migration_mwh, overhead_mwh : float
        The parts of compute: GPUs that run, free GPUs, GPUs that save, send or load with the network, and
        cooling and conversion. [MWh]
    rack_start_mwh, rack_off_mwh : float
        Further parts: racks that start or stop, and that are off. [MWh]
    battery_charged_mwh, battery_discharged_mwh : float
        What batteries drew and gave: compute is the sum of its parts + charged − discharged. [MWh]
    battery_lost_mwh, battery_stored_mwh : float
        Charged − discharged = lost + stored, which is what they hold at the end minus at the start. [MWh]
    """

    compute_mwh: float = 0.0
    absorbed_mwh: float = 0.0
    thermal_mwh: float = 0.0
    hydro_mwh: float = 0.0
    csp_mwh: float = 0.0
    shed_mwh: float = 0.0
    dump_mwh: float = 0.0
    baseline_curtailed_mwh: float = 0.0
    cost: float = 0.0
    co2_kg: float = 0.0
    it_mwh: float = 0.0
    idle_mwh: float = 0.0
    migration_mwh: float = 0.0
    overhead_mwh: float = 0.0
    rack_start_mwh: float = 0.0
    rack_off_mwh: float = 0.0
    battery_charged_mwh: float = 0.0
    battery_discharged_mwh: float = 0.0
    battery_lost_mwh: float = 0.0
    battery_stored_mwh: float = 0.0

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Ledger)})


def grid_ledger(record: SimulationRecord, index: int, baseline: xr.Dataset) -> Ledger:
    """Return the ledger of one grid, after checking that its energy splits exactly in every step.

    Parameters
    ----------
    record : SimulationRecord
        A finished run.
    index : int
        Position of the grid.
    baseline : Dataset
        Dispatch without the sites.

    Returns
    -------
    Ledger
        Sums over the steps.

    Raises
    ------
    BalanceError
        Naming the worst step.
    """
    technology = [str(t) for t in baseline["technology"].to_numpy()]
    names = ("p_mw", "unit_p_mw", "curtailed_p_mw", "shed_p_mw", "dump_p_mw", "cost", "co2_kg")
    before = DispatchTotals.of({name: baseline[name].to_numpy() for name in names}, technology)
    after = DispatchTotals.of(record.grids[index], technology)
    here = record.site_grid == index
    site = {name: values[:, here].sum(axis=1) for name, values in record.sites.items()}
    change = {f.name: getattr(after, f.name) - getattr(before, f.name) for f in fields(DispatchTotals)}
    explained = (
        change["thermal"]
        + change["hydro"]
        + change["csp"]
        + change["shed"]
        - change["dump"]
        - change["curtailed"]
    )
    _check_steps(
        record, "compute = absorbed + Δthermal + Δhydro + Δcsp + Δshed − Δdump", site["load_p_mw"], explained
    )

    def energy(power: FloatArray) -> float:
        return float(np.sum(power) * record.step_h)

    return Ledger(
        compute_mwh=energy(site["load_p_mw"]),
        absorbed_mwh=-energy(change["curtailed"]),
        thermal_mwh=energy(change["thermal"]),
        hydro_mwh=energy(change["hydro"]),
        csp_mwh=energy(change["csp"]),
        shed_mwh=energy(change["shed"]),
        dump_mwh=energy(change["dump"]),
        baseline_curtailed_mwh=energy(before.curtailed),
        cost=energy(change["cost"]),
        co2_kg=energy(change["co2"]),
        it_mwh=energy(site["compute_p_mw"]),
        idle_mwh=energy(site["idle_p_mw"]),
        migration_mwh=energy(site["migration_p_mw"]),
        overhead_mwh=energy(site["overhead_p_mw"]),
        **{name: energy(site[variable]) for name, variable in EQUIPMENT_ENERGIES.items() if variable in site},
    )


_PARTS_OF_LOAD = {
    "compute": 1.0,
    "idle": 1.0,
    "migration": 1.0,
    "overhead": 1.0,
    "rack_start": 1.0,
    "rack_off": 1.0,
    "battery_charge": 1.0,
    "battery_discharge": -1.0,
}
"""What the draw of a site is made of, with its sign."""

EQUIPMENT_ENERGIES = {
    "rack_start_mwh": "rack_start_p_mw",
    "rack_off_mwh": "rack_off_p_mw",
    "battery_charged_mwh": "battery_charge_p_mw",
    "battery_discharged_mwh": "battery_discharge_p_mw",
    "battery_lost_mwh": "battery_loss_p_mw",
    "battery_stored_mwh": "battery_change_p_mw",
}
"""What of a ledger is the energy of which variable of the record."""


def check_record(record: SimulationRecord) -> None:
    """Check that power, GPU-hours, bytes and jobs of a record add up.

    Parameters
    ----------
    record : SimulationRecord
        A run, finished or not.

    Raises
    ------
    BalanceError
        Naming what does not add up and by how much.
    """
    sites, jobs, transfers = record.sites, record.jobs, record.transfers
    parts = sum(
        sign * sites[f"{part}_p_mw"] for part, sign in _PARTS_OF_LOAD.items() if f"{part}_p_mw" in sites
    )
    _check_steps(
        record, "site load = compute + idle + migration + overhead", sites["load_p_mw"], np.asarray(parts)
    )
    if "battery_charge_p_mw" in sites:
        kept = sites["battery_charge_p_mw"] - sites["battery_discharge_p_mw"] - sites["battery_loss_p_mw"]
        _check_steps(record, "charged − discharged − lost = stored more", kept, sites["battery_change_p_mw"])
    in_use = sites["busy_gpus"] + sites["held_gpus"] + sites["reserved_gpus"]
    over = np.max(in_use - record.gpu_capacity, initial=0.0)
    if over > BALANCE_TOLERANCE * max(1.0, float(np.max(record.gpu_capacity))):
        raise BalanceError(f"{record.policy}: {over:g} GPUs more in use than there are")
    _check_total(
        record,
        "work of sites = useful and lost work of jobs [GPU-h]",
        sites["progress_gpu_h"].sum(),
        jobs["done_gpu_h"].sum() + jobs["lost_gpu_h"].sum(),
    )
    _check_total(
        record, "bytes on links = bytes of moves [GB]", sites["wan_gb"].sum(), transfers["moved_gb"].sum()
    )
    held_h = sites["held_gpus"].sum() * record.step_h
    held_by_jobs_h = transfers["held_gpu_h"].sum() + record.pauses["held_gpu_h"].sum()
    held_by_jobs_h += jobs["restart_gpu_h"].sum()
    if "resize_gpu_h" in jobs:
        held_by_jobs_h += jobs["resize_gpu_h"].sum()
        extra_h = (sites["busy_gpus"] - sites["paced_gpus"]).sum() * record.step_h
        _check_total(
            record, "GPU-hours beyond those of recorded sizes [GPU-h]", extra_h, jobs["extra_gpu_h"].sum()
        )
    _check_total(
        record, "GPU-hours held = those of moves, pauses, restarts, sizes [GPU-h]", held_h, held_by_jobs_h
    )
    done = jobs["phase"] == "done"
    unfinished = jobs.loc[~done, "done_gpu_h"] > jobs.loc[~done, "work_gpu_h"] * (1 + BALANCE_TOLERANCE)
    if bool(unfinished.any()) or bool(jobs.loc[done, "end_s"].isna().any()):
        raise BalanceError(f"{record.policy}: a job ended without an end, or did more than its work")
    begun = jobs["n_migrations"].sum()
    _check_total(record, "moves begun = rows of transfers", float(begun), float(len(transfers)))
    paused = float(jobs["n_pauses"].sum())
    _check_total(record, "pauses begun = rows of pauses", paused, float(len(record.pauses)))


def check_axes(record: SimulationRecord, baselines: Sequence[xr.Dataset]) -> None:
    """Raise unless there is one baseline per grid, each over the steps of the run."""
    findings = Findings()
    if len(baselines) != len(record.grids):
        findings.add("baselines", f"{len(baselines)} for {len(record.grids)} grids", "give one per grid")
    for name, baseline in zip(record.grid_names, baselines, strict=False):
        if not to_utc_index(baseline).equals(record.time):
            remedy = "select the steps of the run: baseline.sel(time=...)"
            findings.add(f"baseline of {name!r}", "its steps are not those of the run", remedy)
    findings.raise_if_any("accounting")


def _check_steps(record: SimulationRecord, what: str, left: FloatArray, right: FloatArray) -> None:
    error = np.abs(left - right) / np.maximum(1.0, np.abs(left))
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    if not error[worst] <= BALANCE_TOLERANCE:
        when = record.time[worst[0]]
        raise BalanceError(f"{record.policy}, {when}: {what}: {left[worst]:.9g} != {right[worst]:.9g} MW")


def _check_total(record: SimulationRecord, what: str, left: float, right: float) -> None:
    if not abs(left - right) <= BALANCE_TOLERANCE * max(1.0, abs(left)):
        raise BalanceError(f"{record.policy}: {what}: {left:.9g} != {right:.9g}")
