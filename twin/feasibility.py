"""The feasibility domain: which migrations fit into a window of surplus, and what limits the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.hardware import DEFAULT_DEVICE, DEVICES
from twin.migration import (
    DEFAULT_WAN_KWH_PER_GB,
    S_PER_H,
    MigrationModel,
    migration_energy_mwh,
)
from weather import Findings

REASONS = ("feasible", "time", "energy", "capacity", "link", "deadline", "memory")
"""Meaning of the codes in `Feasibility.binding` and `Feasibility.tightest`."""

FEASIBLE, TIME, ENERGY, CAPACITY, LINK, DEADLINE, MEMORY = range(7)

REFUSALS = (*REASONS, "chance", "stay", "gain")
"""Why a policy refuses a move: a condition of the domain, or that all of them hold too rarely (chance), that
the job has only just come (stay), or that it gains too little for one that has moved before (gain)."""

CHANCE, STAY, GAIN = range(len(REASONS), len(REFUSALS))

CLASSES = ("A", "B", "C")
"""Meaning of `Feasibility.class_code`: r <= class_a, r <= alpha, above."""

DEFAULT_CLASS_A = 0.01
"""Largest share of a window that a move of class A takes. [1]"""

DEFAULT_GOODPUT = 0.85
"""Payload over link rate of many tuned streams; 0.8-0.95, one untuned stream 0.1-0.5 (recalled)."""

W_PER_MW = 1e6


@dataclass(frozen=True, eq=False)
class Feasibility:
    """Outcome of `feasibility`: all arrays have the broadcast shape of its arguments (0-d for scalars).

    Attributes
    ----------
    feasible
        Whether every condition holds.
    binding
        Code of what forbids the move (index into `REASONS`), 0 where it is feasible. Too little memory, a
        missing link and missing capacity come first, in this order, as no window mends them; among time,
        energy and deadline, all in seconds, it is the one with the smallest margin.
    tightest
        The one of time, energy and deadline with the smallest margin, also where the move is feasible.
    margin_time_s
        α·W − T_mig. [s]
    margin_energy_s
        W − T_mig − T_BE. [s]
    margin_deadline_s
        Time to the deadline − run time left − T_mig. [s]
    margin_capacity_gpus
        Free devices at the destination − devices of the job.
    margin_link_gbit_per_s
        Bandwidth − least bandwidth. [Gbit/s]
    margin_memory_gb
        Memory of a device at the destination − what the job needs on each. [GB]
    t_mig_s
        Time until the job runs at the destination, inf without a link. [s]
    t_be_s
        Run time at the destination after which its energy is paid back, inf where the gain is <= 0. [s]
    e_mig_mwh
        Energy of the migration. [MWh]
    r
        T_mig / W, inf for an empty window.
    class_code
        Index into `CLASSES`.
    """

    feasible: BoolArray
    binding: npt.NDArray[np.int8]
    tightest: npt.NDArray[np.int8]
    margin_time_s: FloatArray
    margin_energy_s: FloatArray
    margin_deadline_s: FloatArray
    margin_capacity_gpus: FloatArray
    margin_link_gbit_per_s: FloatArray
    margin_memory_gb: FloatArray
    t_mig_s: FloatArray
    t_be_s: FloatArray
    e_mig_mwh: FloatArray
    r: FloatArray
    class_code: npt.NDArray[np.int8]

    @property
    def reason(self) -> npt.NDArray[np.str_]:
        """What forbids the move, in words of `REASONS`."""
        return np.array(REASONS)[self.binding]

    @property
    def klass(self) -> npt.NDArray[np.str_]:
        """Class of the move, "A", "B" or "C"."""
        return np.array(CLASSES)[self.class_code]

    @property
    def margins(self) -> dict[str, FloatArray]:
        """Margin of every condition by its name in `REASONS`; negative where it fails."""
        return {
            "time": self.margin_time_s,
            "energy": self.margin_energy_s,
            "capacity": self.margin_capacity_gpus,
            "link": self.margin_link_gbit_per_s,
            "deadline": self.margin_deadline_s,
            "memory": self.margin_memory_gb,
        }


def feasibility(
    checkpoint_gb: ArrayLike,
    bandwidth_gbit_per_s: ArrayLike,
    window_s: ArrayLike,
    *,
    gain: ArrayLike = 1.0,
    n_gpus: ArrayLike = 8,
    job_power_mw: ArrayLike | None = None,
    hold_power_mw: ArrayLike | None = None,
    latency_s: ArrayLike = 0.0,
    free_gpus: ArrayLike = np.inf,
    remaining_s: ArrayLike = 0.0,
    deadline_s: ArrayLike = np.inf,
    memory_gb_per_gpu: ArrayLike = 0.0,
    device_memory_gb: ArrayLike | None = None,
    alpha: float = 0.1,
    class_a: float = DEFAULT_CLASS_A,
    goodput: float = DEFAULT_GOODPUT,
    min_bandwidth_gbit_per_s: float = 0.0,
    wan_kwh_per_gb: float = DEFAULT_WAN_KWH_PER_GB,
    migration: MigrationModel | None = None,
    device: str = DEFAULT_DEVICE,
) -> Feasibility:
    """Deterministic feasibility domain of migrations, stop-and-copy unless `migration` says otherwise.

    Parameters
    ----------
    checkpoint_gb
        Size of the job's checkpoint. [GB]
    bandwidth_gbit_per_s
        Rate of the link that the transfer gets. [Gbit/s]
    window_s
        What remains of the destination's window. [s]
    gain
        Mean marginal curtailment at the destination minus that at the source over the window. [MW/MW]
    n_gpus
        Devices of the job.
    job_power_mw
        Power that moves with the job; `n_gpus` busy devices of `device` with their hosts where None. [MW]
    hold_power_mw
        Draw of its devices while it migrates; loaded-idle devices with their hosts where None. [MW]
    latency_s
        One-way delay. [s]
    free_gpus
        Free devices at the destination.
    remaining_s
        Run time the job has left at the destination. [s]
    deadline_s
        Time from now to its deadline; may be negative when it is past. [s]
    memory_gb_per_gpu
        Memory that the job needs on each GPU. [GB]
    device_memory_gb
        Memory of a GPU at the destination; that of `device` where None. [GB]
    alpha
        Largest share of the window that may go into the move, in (0, 1].
    class_a
        Largest r of class A.
    goodput
        Payload over link rate; 1 where the bandwidth is a payload rate already, as `Wan.max_min_rates` gives.
    min_bandwidth_gbit_per_s
        Least bandwidth accepted; 0 is never enough. [Gbit/s]
    wan_kwh_per_gb
        Energy of the network per payload. [kWh/GB]
    migration
        Storage speeds, start-up, and whether moves are live; defaults where None.
    device
        Key of `twin.hardware.DEVICES` for the default powers and memory.

    Returns
    -------
    Feasibility
        Margins of every condition, which one binds, and the class, broadcast over all arguments.

    Raises
    ------
    InputError
        With every finding: NaN, negative sizes, rates, windows or powers, options outside their range.

    Notes
    -----
    - time: T_mig <= α·W;
    - energy: W − T_mig >= T_BE, T_BE = E_mig / (P_job · gain), inf where gain <= 0;
    - capacity: free devices >= the job's; link: bandwidth > 0 and >= its least;
    - deadline: T_down + remaining <= deadline;
    - memory: what the job needs on each GPU <= what a GPU has.

    T_mig is the time until the job runs at the destination, T_down the part of it in which it stands: all of
    it but in live moves, in which it runs on at the source while rounds are sent (at the speed of the
    destination, in what is said of the deadline). E_mig has the bytes of all rounds.

    Between the first two, with α fixed, time binds before energy unless T_BE > (1/α − 1)·T_mig. Every
    statement about which one dominates is therefore one over a range of α.

    References
    ----------
    .. [1] D. Tomei et al., Green Distributed AI Training: Orchestrating Compute Across Renewable-Powered
       Micro Datacenters, arXiv:2511.16182, 2025.

    Examples
    --------
    An 8-GPU job with 100 GB over 10 Gbit/s: 50 s to save, 94 s to send, 350 s to load.

    >>> f = feasibility(100.0, 10.0, [3600.0, 7200.0])
    >>> [str(x) for x in f.reason], [str(x) for x in f.klass], round(float(f.t_mig_s[0]), 1)
    (['time', 'feasible'], ['C', 'B'], 494.1)
    """
    model = MigrationModel() if migration is None else migration
    size, bandwidth, window, gains, gpus, latency, free, remaining, deadline, need_gb = (
        np.asarray(x, dtype=np.float64)
        for x in (
            checkpoint_gb,
            bandwidth_gbit_per_s,
            window_s,
            gain,
            n_gpus,
            latency_s,
            free_gpus,
            remaining_s,
            deadline_s,
            memory_gb_per_gpu,
        )
    )
    _check_options(alpha, class_a, goodput, min_bandwidth_gbit_per_s, wan_kwh_per_gb, device)
    busy_mw, held_mw = _default_powers(device, gpus)
    power = busy_mw if job_power_mw is None else np.asarray(job_power_mw, dtype=np.float64)
    hold = held_mw if hold_power_mw is None else np.asarray(hold_power_mw, dtype=np.float64)
    memory = DEVICES[device].memory_gb_per_gpu if device_memory_gb is None else device_memory_gb
    has_gb = np.asarray(memory, dtype=np.float64)
    _check_arrays(
        size, bandwidth, window, gains, gpus, power, hold, latency, free, remaining, deadline, need_gb, has_gb
    )
    return domain(
        size,
        bandwidth,
        window,
        gain=gains,
        n_gpus=gpus,
        job_power_mw=power,
        hold_power_mw=hold,
        latency_s=latency,
        free_gpus=free,
        remaining_s=remaining,
        deadline_s=deadline,
        memory_gb_per_gpu=need_gb,
        device_memory_gb=has_gb,
        alpha=alpha,
        class_a=class_a,
        goodput=goodput,
        min_bandwidth_gbit_per_s=min_bandwidth_gbit_per_s,
        wan_kwh_per_gb=wan_kwh_per_gb,
        migration=model,
    )


_NO_NEED, _NO_LIMIT = np.zeros(()), np.full((), np.inf)


def domain(
    size: FloatArray,
    bandwidth: FloatArray,
    window: FloatArray,
    *,
    gain: FloatArray,
    n_gpus: FloatArray,
    job_power_mw: FloatArray,
    hold_power_mw: FloatArray,
    latency_s: FloatArray,
    free_gpus: FloatArray,
    remaining_s: FloatArray,
    deadline_s: FloatArray,
    alpha: float,
    class_a: float,
    goodput: float,
    min_bandwidth_gbit_per_s: float,
    wan_kwh_per_gb: float,
    migration: MigrationModel,
    memory_gb_per_gpu: FloatArray = _NO_NEED,
    device_memory_gb: FloatArray = _NO_LIMIT,
) -> Feasibility:
    """Return what `feasibility` does for arrays of floats that are known to be in their range.

    Parameters
    ----------
    size, bandwidth, window
        Checkpoints [GB], rates [Gbit/s] and windows [s].
    gain, n_gpus, job_power_mw, hold_power_mw, latency_s, free_gpus, remaining_s, deadline_s
        As of `feasibility`.
    alpha, class_a, goodput, min_bandwidth_gbit_per_s, wan_kwh_per_gb, migration
        As of `feasibility`.
    memory_gb_per_gpu, device_memory_gb
        As of `feasibility`; by default no limit. [GB]
    """
    model, gains, gpus, power, hold = migration, gain, n_gpus, job_power_mw, hold_power_mw
    latency, free, remaining, deadline = latency_s, free_gpus, remaining_s, deadline_s
    times = model.times(size, gpus, bandwidth * goodput, latency)
    t_mig = times.total_s
    e_mig = migration_energy_mwh(
        times,
        model.payload_gb(size) if times.sent_gb is None else times.sent_gb,
        source_hold_mw=hold,
        destination_hold_mw=hold,
        wan_kwh_per_gb=wan_kwh_per_gb,
    )
    value_mw = np.maximum(power * gains, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t_be = np.where(value_mw > 0.0, e_mig * S_PER_H / value_mw, np.inf)
        r = np.where(window > 0.0, t_mig / window, np.inf)
        late = deadline - remaining - times.stands_s
    margin_deadline = np.where(np.isposinf(deadline), np.inf, late)
    margin_link = np.where(bandwidth > 0.0, bandwidth - min_bandwidth_gbit_per_s, -np.inf)
    spare = window - t_mig
    return _classify(
        margin_time=alpha * window - t_mig,
        margin_energy=spare - t_be,
        margin_deadline=margin_deadline,
        margin_capacity=free - gpus,
        margin_link=margin_link,
        margin_memory=device_memory_gb - memory_gb_per_gpu,
        t_mig=t_mig,
        t_be=t_be,
        e_mig=e_mig,
        r=r,
        class_edges=(class_a, alpha),
    )


def _classify(
    *,
    margin_time: FloatArray,
    margin_energy: FloatArray,
    margin_deadline: FloatArray,
    margin_capacity: FloatArray,
    margin_link: FloatArray,
    margin_memory: FloatArray,
    t_mig: FloatArray,
    t_be: FloatArray,
    e_mig: FloatArray,
    r: FloatArray,
    class_edges: tuple[float, float],
) -> Feasibility:
    """Verdict from the margins; only arrays that need the full shape get it, the rest are views."""
    given = (margin_energy, margin_deadline, margin_capacity, margin_memory, r)
    shape = np.broadcast_shapes(*(np.shape(x) for x in given))
    least = np.minimum(margin_time, margin_energy)
    tightest = np.where(margin_energy < margin_time, np.int8(ENERGY), np.int8(TIME))
    if not np.all(np.isposinf(margin_deadline)):
        tightest = np.where(margin_deadline < least, np.int8(DEADLINE), tightest)
        least = np.minimum(least, margin_deadline)
    binding = np.where(least >= 0.0, np.int8(FEASIBLE), tightest)
    for margin, code in ((margin_capacity, CAPACITY), (margin_link, LINK), (margin_memory, MEMORY)):
        if np.any(margin < 0.0):
            binding = np.where(margin < 0.0, np.int8(code), binding)
    class_code = (r > class_edges[0]).astype(np.int8) + (r > class_edges[1])

    def full(values: FloatArray) -> FloatArray:
        return values if np.shape(values) == shape else np.broadcast_to(values, shape)

    binding = np.broadcast_to(binding, shape)
    return Feasibility(
        feasible=np.asarray(binding == FEASIBLE),
        binding=binding,
        tightest=np.broadcast_to(tightest, shape),
        margin_time_s=full(margin_time),
        margin_energy_s=full(margin_energy),
        margin_deadline_s=full(margin_deadline),
        margin_capacity_gpus=full(margin_capacity),
        margin_link_gbit_per_s=full(margin_link),
        margin_memory_gb=full(margin_memory),
        t_mig_s=full(t_mig),
        t_be_s=full(t_be),
        e_mig_mwh=full(e_mig),
        r=full(r),
        class_code=np.broadcast_to(class_code, shape),
    )


def _default_powers(device: str, n_gpus: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Busy and loaded-idle IT power of a job, with hosts. [MW]"""
    kind = DEVICES[device]
    busy_w, held_w = kind.p_busy_w + kind.host_w_per_gpu, kind.p_loaded_idle_w + kind.host_w_per_gpu
    return n_gpus * (busy_w / W_PER_MW), n_gpus * (held_w / W_PER_MW)


def _check_options(
    alpha: float,
    class_a: float,
    goodput: float,
    min_bandwidth_gbit_per_s: float,
    wan_kwh_per_gb: float,
    device: str,
) -> None:
    findings = Findings()
    if not 0.0 < alpha <= 1.0:
        findings.add("alpha", f"is {alpha}", "give a share of the window in (0, 1]")
    if not 0.0 <= class_a <= alpha:
        findings.add("class_a", f"is {class_a}", f"give a share between 0 and alpha={alpha}")
    if not 0.0 < goodput <= 1.0:
        findings.add("goodput", f"is {goodput}", "give a share of the link rate in (0, 1]")
    if not 0.0 <= min_bandwidth_gbit_per_s < np.inf:
        findings.add(
            "min_bandwidth_gbit_per_s", f"is {min_bandwidth_gbit_per_s} Gbit/s", "give at least 0 Gbit/s"
        )
    if not 0.0 <= wan_kwh_per_gb < np.inf:
        findings.add("wan_kwh_per_gb", f"is {wan_kwh_per_gb} kWh/GB", "give at least 0 kWh/GB")
    if device not in DEVICES:
        findings.add("device", f"unknown device {device!r}", f"choose one of {', '.join(DEVICES)}")
    findings.raise_if_any("feasibility options")


def _check_arrays(
    size: FloatArray,
    bandwidth: FloatArray,
    window: FloatArray,
    gain: FloatArray,
    n_gpus: FloatArray,
    power: FloatArray,
    hold: FloatArray,
    latency: FloatArray,
    free: FloatArray,
    remaining: FloatArray,
    deadline: FloatArray,
    need_gb: FloatArray,
    has_gb: FloatArray,
) -> None:
    """Raise on NaN and on values outside their range; one minimum and maximum per array."""
    bounds = (
        ("checkpoint_gb", size, "GB", 0.0, True),
        ("bandwidth_gbit_per_s", bandwidth, "Gbit/s", 0.0, False),
        ("window_s", window, "s", 0.0, True),
        ("gain", gain, "MW/MW", -np.inf, True),
        ("n_gpus", n_gpus, "devices", 1.0, True),
        ("job_power_mw", power, "MW", 0.0, True),
        ("hold_power_mw", hold, "MW", 0.0, True),
        ("latency_s", latency, "s", 0.0, False),
        ("free_gpus", free, "devices", 0.0, False),
        ("remaining_s", remaining, "s", 0.0, True),
        ("deadline_s", deadline, "s", -np.inf, False),
        ("memory_gb_per_gpu", need_gb, "GB", 0.0, True),
        ("device_memory_gb", has_gb, "GB", 0.0, False),
    )
    findings = Findings()
    for name, values, unit, least, finite in bounds:
        if values.size == 0:
            continue
        low, high = float(values.min()), float(values.max())  # both are NaN if any value is
        if not (low >= least and high < np.inf if finite else low >= least):
            found = "has NaN" if np.isnan(low) else f"lies in [{low:g}, {high:g}] {unit}"
            span = "finite" if least == -np.inf else f"at least {least:g} {unit}" + (" and finite" * finite)
            findings.add(name, found, f"give values that are {span}, none missing")
    findings.raise_if_any("feasibility")
