"""From a trace to the jobs of a run: laid out in time, cut, sized, and given checkpoints and origins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from twin._arrays import ArrayLike, BoolArray, FloatArray, IntArray
from twin.hardware import DEVICES
from twin.sites import SiteTable
from twin.workloads.kinds import SHARE_ROUNDING, draw_elastic, draw_kinds
from twin.workloads.models import (
    BOUND_MEMORY_GB,
    MODELS,
    draw_models,
    parameter_bound_billion,
    training_memory_gb,
)
from twin.workloads.origins import draw_origins
from twin.workloads.statistics import gpu_seconds_in_run, mean_gpus_in_run
from twin.workloads.table import DAY_S, S_PER_H, check_jobs, check_trace
from weather import Findings

PARAMETER_SPAN = 100.0
"""Largest over smallest model of a device count; from ResNet-50's 0.03e9 on one device (our choice)."""

BYTES_PER_PARAMETER = 14.0
"""Checkpoint of mixed-precision Adam: 2 weights + 4 master copy + 8 moments [hfmem]_; 2-16 in use. [B]"""

_RANGE = ("min_gpus", "max_gpus")
"""Columns of a trace that say which of its jobs are elastic."""

JITTER_S = 3600.0
"""Copies of a job are submitted up to this much after it. [s]"""


def prepare_jobs(
    trace: pd.DataFrame,
    *,
    seed: int,
    duration_s: float,
    sites: SiteTable,
    fleet_scale: float = 1,
    mean_gpus: float | None = None,
    max_job_h: float = np.inf,
    max_gpus: int | None = None,
    trace_start_h: float = 0.0,
    trace_part_h: tuple[float, float] | None = None,
    trace_device: str | None = None,
    migratable_share: float = 1.0,
    deadline_factor: float = np.inf,
    gpu_memory_gb: float = BOUND_MEMORY_GB,
    bytes_per_parameter: float = BYTES_PER_PARAMETER,
    models: Mapping[str, float] | None = None,
    needs_memory: bool = False,
    pausable_share: float = 1.0,
    service_share: float = 0.0,
    priority_shares: Sequence[float] = (),
    elastic_share: float = 0.0,
    elastic_min_factor: float = 0.5,
    elastic_max_factor: float = 2.0,
) -> pd.DataFrame:
    """Jobs of a run from a trace.

    Parameters
    ----------
    trace
        As `read_philly` and `generate_trace` give it.
    seed
        Seed of all draws; each has a stream of its own.
    duration_s
        Span in which jobs arrive. [s]
    sites
        Where they may be submitted to.
    fleet_scale
        Equal jobs each one stands for, a whole number: they move together, so that devices, work and bytes
        are multiplied.
    mean_gpus
        Mean devices in use over the run before `fleet_scale` if all start at once. Jobs are left out or
        copied with a jitter to meet it; as in the trace where None.
    max_job_h
        Longest run time; longer jobs are cut to it. [h]
    max_gpus
        Widest job in devices before `fleet_scale`; wider ones are left out. None keeps all.
    trace_start_h
        Time in the trace, or in its part, that falls on the start of the run. [h]
    trace_part_h
        Begin and end of the part of the trace that is laid, without the weeks in which a cluster was filled
        or emptied; all of it where None. [h]
    trace_device
        Device on which the trace's run times hold; the reference device (A100) where None.
    migratable_share
        Share of jobs that may move.
    deadline_factor
        Deadline = submission + this · run time; none where inf.
    gpu_memory_gb
        Memory of the devices the models were sized for; 16 divides the checkpoints by 5. [GB]
    bytes_per_parameter
        Checkpoint size per model parameter, where `models` is None. [B]
    models
        Shares of the models that jobs train, by their keys in `twin.workloads.models.MODELS`; each job draws
        one that its devices can hold, and saves what that family does. Sizes are log-uniform where None.
    needs_memory
        Whether jobs need the memory of their model (`training_memory_gb`), so that they only run on devices
        that have it; they fit every device otherwise.
    pausable_share
        Share of jobs that may pause.
    service_share
        Share of jobs that serve requests: they neither pause nor move once started, but may start anywhere.
    priority_shares
        Share of jobs of priority 0, 1 and so on, in sum 1; all have 0 where empty.
    elastic_share
        Share of jobs that may run on more or fewer devices than recorded; services never are elastic.
    elastic_min_factor, elastic_max_factor
        Fewest and most devices of an elastic job over those recorded, up to 1 and from 1 on; rounded to whole
        ones. A trace with the columns `min_gpus` and `max_gpus` says itself which jobs are.

    Returns
    -------
    DataFrame
        Job table (`twin.workloads.table.JOB_COLUMNS`). ``attrs["preparation"]`` records what was done: tiles
        laid, jobs cut and left out with their GPU-hours, and the mean devices met.

    Raises
    ------
    InputError
        With every finding: options outside their range, no job in the run, or jobs that no site can hold.

    Notes
    -----
    The trace is laid from the start of the run. Where it is shorter, it is laid again after its last whole
    day with submission times as they are and jobs in a new random order. Model sizes are log-uniform over two
    decades below the bound for the device count (`parameter_bound_billion`), as small jobs are rarely full. A
    job's origin is drawn with probability in proportion to capacity among the sites that can hold it.
    """
    check_trace(trace)
    _check_options(
        duration_s,
        fleet_scale,
        mean_gpus,
        max_job_h,
        max_gpus,
        trace_start_h,
        trace_part_h,
        trace_device,
        migratable_share,
        deadline_factor,
        gpu_memory_gb,
        bytes_per_parameter,
        (pausable_share, service_share),
        priority_shares,
        (elastic_share, elastic_min_factor, elastic_max_factor),
        [name for name in _RANGE if name in trace],
    )
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)]
    order_rng, copy_rng, size_rng, origin_rng, *kind_rng = streams
    record: dict[str, object] = {**trace.attrs, "seed": seed, "fleet_scale": int(fleet_scale)}
    part, period_s = _part(trace, trace_part_h, record)
    jobs = _lay(part, period_s, duration_s, trace_start_h, order_rng, record)
    jobs = _drop_wide(jobs, max_gpus, record)
    jobs = _cut_long(jobs, max_job_h, record)
    if mean_gpus is not None:
        jobs = _resample(jobs, mean_gpus, duration_s, copy_rng)
    if jobs.empty:
        _raise_no_jobs(duration_s, trace_start_h)
    record["mean_gpus"] = mean_gpus_in_run(jobs, duration_s)

    n_gpus = jobs["n_gpus"].to_numpy(dtype=np.int64)
    run_h = jobs["duration_s"].to_numpy(dtype=np.float64) / S_PER_H
    speed = 1.0 if trace_device is None else DEVICES[trace_device].rel_throughput
    checkpoint_gb, parameters, named = _sizes(n_gpus, models, size_rng, gpu_memory_gb, bytes_per_parameter)
    memory_gb = training_memory_gb(parameters, n_gpus) if needs_memory else None
    kinds = draw_kinds(
        len(jobs),
        kind_rng,
        migratable_share=migratable_share,
        pausable_share=pausable_share,
        service_share=service_share,
        priority_shares=priority_shares,
    )
    bundle = n_gpus * int(fleet_scale)
    services = np.asarray(kinds.get("placeable", False)) & ~kinds["migratable"].astype(np.bool_)
    # A stream of its own beside the others, so that no other draw changes.
    elastic_rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(streams),)))
    factors = (elastic_min_factor, elastic_max_factor)
    ranges = _ranges(jobs, n_gpus, elastic_rng, elastic_share, factors, services)
    result = pd.DataFrame(
        {
            "job_id": np.arange(len(jobs), dtype=np.int64),
            "submit_s": jobs["submit_s"].to_numpy(dtype=np.float64),
            "n_gpus": bundle,
            "work_gpu_h": bundle * run_h * speed,
            "checkpoint_gb": checkpoint_gb * int(fleet_scale),
            "deadline_s": jobs["submit_s"].to_numpy(dtype=np.float64) + deadline_factor * run_h * S_PER_H,
            "migratable": kinds.pop("migratable"),
            "origin": draw_origins(bundle, sites, origin_rng, memory_gb_per_gpu=memory_gb),
            "gpu_type": str(trace.attrs.get("gpu_type", "")),
        }
    )
    ranges = {name: n * int(fleet_scale) for name, n in ranges.items()}
    optional = {"model": named, "memory_gb_per_gpu": memory_gb, **kinds, **ranges}
    result = result.assign(**{name: values for name, values in optional.items() if values is not None})
    check_jobs(result, sites.n_sites)
    result.attrs["preparation"] = record
    return result


def _ranges(
    jobs: pd.DataFrame,
    n_gpus: IntArray,
    rng: np.random.Generator,
    share: float,
    factors: tuple[float, float],
    rigid: BoolArray,
) -> dict[str, IntArray]:
    """Fewest and most devices of each job: drawn, as in the trace, or none where no job is elastic."""
    if share > 0.0:
        low, high = factors
        return draw_elastic(n_gpus, rng, share, min_factor=low, max_factor=high, rigid=rigid)
    return {name: jobs[name].to_numpy(dtype=np.int64) for name in _RANGE if name in jobs}


def fleet_scale_for(
    trace: pd.DataFrame,
    target_mean_gpus: float,
    *,
    duration_s: float,
    max_job_h: float = np.inf,
    max_gpus: int | None = None,
    trace_start_h: float = 0.0,
    trace_part_h: tuple[float, float] | None = None,
) -> int:
    """Return the whole `fleet_scale` that brings a run's mean devices in use nearest to a target.

    Parameters
    ----------
    trace
        As `read_philly` and `generate_trace` give it.
    target_mean_gpus
        Mean devices in use over the run if all jobs start at once.
    duration_s, max_job_h, max_gpus, trace_start_h, trace_part_h
        As for `prepare_jobs`.

    Returns
    -------
    int
        At least 1. State it in the scenario: it is printed with every result.
    """
    check_trace(trace)
    _check_options(duration_s, 1, target_mean_gpus, max_job_h, max_gpus, trace_start_h, trace_part_h)
    part, period_s = _part(trace, trace_part_h, {})
    laid = _lay(part, period_s, duration_s, trace_start_h, np.random.default_rng(0), {})
    laid = _cut_long(_drop_wide(laid, max_gpus, {}), max_job_h, {})
    if laid.empty:
        _raise_no_jobs(duration_s, trace_start_h)
    return max(1, round(target_mean_gpus / mean_gpus_in_run(laid, duration_s)))


def draw_checkpoints_gb(
    n_gpus: ArrayLike,
    rng: np.random.Generator,
    *,
    gpu_memory_gb: float = BOUND_MEMORY_GB,
    bytes_per_parameter: float = BYTES_PER_PARAMETER,
) -> FloatArray:
    """Checkpoint sizes, log-uniform over two decades below the bound of each job's device count.

    Parameters
    ----------
    n_gpus
        Devices of each job, before `fleet_scale`.
    rng
        Source of randomness.
    gpu_memory_gb
        Memory of the devices; the bound is in proportion to it. [GB]
    bytes_per_parameter
        Checkpoint size per parameter. [B]

    Returns
    -------
    ndarray
        Size of each job's checkpoint. [GB]
    """
    bound = parameter_bound_billion(n_gpus) * (gpu_memory_gb / BOUND_MEMORY_GB)
    return bound * PARAMETER_SPAN ** -rng.random(np.shape(bound)) * bytes_per_parameter


def _sizes(
    n_gpus: IntArray,
    models: Mapping[str, float] | None,
    rng: np.random.Generator,
    gpu_memory_gb: float,
    bytes_per_parameter: float,
) -> tuple[FloatArray, FloatArray, list[str] | None]:
    """Checkpoints [GB], parameters by which memory counts [1e9], and names of models where they have some."""
    if models is None:
        size_gb = draw_checkpoints_gb(
            n_gpus, rng, gpu_memory_gb=gpu_memory_gb, bytes_per_parameter=bytes_per_parameter
        )
        return size_gb, size_gb / bytes_per_parameter, None
    names = draw_models(n_gpus, models, rng, gpu_memory_gb=gpu_memory_gb)
    sizes = np.array([[MODELS[name].checkpoint_gb, MODELS[name].memory_billion] for name in names])
    return sizes[:, 0], sizes[:, 1], names


def _part(
    trace: pd.DataFrame, part_h: tuple[float, float] | None, record: dict[str, object]
) -> tuple[pd.DataFrame, float]:
    """Jobs submitted in a part of the trace, from its begin on, and after how long it is laid again. [s]"""
    submit_s = trace["submit_s"].to_numpy(dtype=np.float64)
    if part_h is None:
        return trace, float((np.floor(submit_s[-1] / DAY_S) + 1.0) * DAY_S)
    begin_s, end_s = part_h[0] * S_PER_H, part_h[1] * S_PER_H
    inside = (submit_s >= begin_s) & (submit_s < end_s)
    if not inside.any() or end_s > np.ceil(submit_s[-1] / DAY_S) * DAY_S:
        findings = Findings()
        findings.add(
            "trace_part_h",
            f"is {part_h[0]:g} to {part_h[1]:g} h, but the trace has jobs from {submit_s[0] / S_PER_H:.1f} "
            f"to {submit_s[-1] / S_PER_H:.1f} h",
            "give a part that lies in the trace",
        )
        findings.raise_if_any("preparation of jobs")
    record["trace_part_h"] = [float(part_h[0]), float(part_h[1])]
    return trace[inside].assign(submit_s=submit_s[inside] - begin_s), end_s - begin_s


def _lay(
    trace: pd.DataFrame,
    period: float,
    duration_s: float,
    trace_start_h: float,
    rng: np.random.Generator,
    record: dict[str, object],
) -> pd.DataFrame:
    """Trace from `trace_start_h` on, laid again in new order until the run is full."""
    start_s = (trace_start_h * S_PER_H) % period
    n_tiles = int(np.ceil((duration_s + start_s) / period))
    submit = trace["submit_s"].to_numpy(dtype=np.float64)
    what = trace[["duration_s", "n_gpus", *(name for name in _RANGE if name in trace)]]
    tiles = []
    for k in range(n_tiles):
        shuffled = what if k == 0 else what.iloc[rng.permutation(len(what))]
        tiles.append(shuffled.reset_index(drop=True).assign(submit_s=submit + k * period - start_s))
    laid = pd.concat(tiles, ignore_index=True)
    record.update({"n_tiles": n_tiles, "trace_start_h": start_s / S_PER_H})
    return laid[(laid["submit_s"] >= 0.0) & (laid["submit_s"] < duration_s)].reset_index(drop=True)


def _drop_wide(jobs: pd.DataFrame, max_gpus: int | None, record: dict[str, object]) -> pd.DataFrame:
    wide = np.zeros(len(jobs), dtype=np.bool_) if max_gpus is None else jobs["n_gpus"].to_numpy() > max_gpus
    record["n_wide_left_out"] = int(wide.sum())
    record["wide_left_out_gpu_h"] = _gpu_hours(jobs, wide)
    return jobs[~wide].reset_index(drop=True)


def _cut_long(jobs: pd.DataFrame, max_job_h: float, record: dict[str, object]) -> pd.DataFrame:
    seconds = jobs["duration_s"].to_numpy(dtype=np.float64)
    long = seconds > max_job_h * S_PER_H
    cut = jobs.assign(duration_s=np.minimum(seconds, max_job_h * S_PER_H))
    record["n_cut"] = int(long.sum())
    record["cut_gpu_h"] = _gpu_hours(jobs, long) - _gpu_hours(cut, long)
    return cut


def _gpu_hours(jobs: pd.DataFrame, which: BoolArray) -> float:
    product = jobs["duration_s"].to_numpy(dtype=np.float64) * jobs["n_gpus"].to_numpy(dtype=np.float64)
    return float(product[which].sum() / S_PER_H)


def _resample(
    jobs: pd.DataFrame, mean_gpus: float, duration_s: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Jobs left out or copied to meet a mean, systematically in the order of GPU-hours to meet it closely."""
    asked = gpu_seconds_in_run(jobs, duration_s)
    if asked.sum() == 0.0:
        return jobs.iloc[:0]
    ratio = mean_gpus * duration_s / asked.sum()
    order = np.argsort(asked, kind="stable")
    steps = np.floor(ratio * np.arange(len(jobs) + 1) + rng.random())
    copies = np.empty(len(jobs), dtype=np.int64)
    copies[order] = np.diff(steps).astype(np.int64)
    taken = np.repeat(np.arange(len(jobs)), copies)
    again = np.concatenate([[False], np.diff(taken) == 0]) if taken.size else np.zeros(0, dtype=np.bool_)
    result = jobs.iloc[taken].reset_index(drop=True)
    late = result["submit_s"].to_numpy() + again * rng.random(len(result)) * JITTER_S
    result = result.assign(submit_s=late)[late < duration_s]
    return result.sort_values(["submit_s", "n_gpus", "duration_s"], ignore_index=True)


def _raise_no_jobs(duration_s: float, trace_start_h: float) -> None:
    findings = Findings()
    findings.add(
        "jobs",
        f"none is submitted in the {duration_s / S_PER_H:g} h from {trace_start_h:g} h of the trace on",
        "let the run be longer, or choose another trace_start_h or mean_gpus",
    )
    findings.raise_if_any("jobs of the run")


def _check_options(
    duration_s: float,
    fleet_scale: float,
    mean_gpus: float | None,
    max_job_h: float,
    max_gpus: int | None,
    trace_start_h: float,
    trace_part_h: tuple[float, float] | None = None,
    trace_device: str | None = None,
    migratable_share: float = 1.0,
    deadline_factor: float = np.inf,
    gpu_memory_gb: float = BOUND_MEMORY_GB,
    bytes_per_parameter: float = BYTES_PER_PARAMETER,
    kind_shares: tuple[float, float] = (1.0, 0.0),
    priority_shares: Sequence[float] = (),
    elastic: tuple[float, float, float] = (0.0, 1.0, 1.0),
    ranges: Sequence[str] = (),
) -> None:
    """Raise on options outside their range, all at once."""
    findings = Findings()
    finite_above_0 = {
        "duration_s": (duration_s, "s"),
        "mean_gpus": (mean_gpus, "devices"),
        "gpu_memory_gb": (gpu_memory_gb, "GB"),
        "bytes_per_parameter": (bytes_per_parameter, "B"),
    }
    for name, (value, unit) in finite_above_0.items():
        if value is not None and not 0.0 < value < np.inf:
            findings.add(name, f"is {value} {unit}", f"give a number of {unit} above 0")
    if not max_job_h > 0.0:
        findings.add("max_job_h", f"is {max_job_h} h", "give a time above 0 h")
    if not 0.0 <= trace_start_h < np.inf:
        findings.add("trace_start_h", f"is {trace_start_h} h", "give a time of at least 0 h")
    if trace_part_h is not None and not 0.0 <= trace_part_h[0] < trace_part_h[1] < np.inf:
        findings.add(
            "trace_part_h", f"is {tuple(trace_part_h)} h", "give two times from 0 h on, the later one last"
        )
    elif trace_part_h is not None and (trace_part_h[1] - trace_part_h[0]) % (DAY_S / S_PER_H):
        findings.add(
            "trace_part_h",
            f"is {trace_part_h[1] - trace_part_h[0]:g} h long",
            "give whole days of 24 h, so that hours of the day stay what they are when it is laid again",
        )
    if not (fleet_scale >= 1 and fleet_scale == np.rint(fleet_scale) and fleet_scale < np.inf):
        findings.add("fleet_scale", f"is {fleet_scale}", "give a whole number of at least 1")
    if max_gpus is not None and max_gpus < 1:
        findings.add("max_gpus", f"is {max_gpus} devices", "give at least 1")
    if trace_device is not None and trace_device not in DEVICES:
        findings.add(
            "trace_device", f"unknown device {trace_device!r}", f"choose one of {', '.join(DEVICES)}"
        )
    elastic_share, min_factor, max_factor = elastic
    if not 0.0 < min_factor <= 1.0:
        findings.add("elastic_min_factor", f"is {min_factor}", "give more than 0 and at most 1")
    if not 1.0 <= max_factor < np.inf:
        findings.add("elastic_max_factor", f"is {max_factor}", "give at least 1")
    if elastic_share > 0.0 and ranges:
        remedy = "leave elastic_share at 0, or the columns out"
        findings.add("elastic_share", f"is {elastic_share}, but the trace has {', '.join(ranges)}", remedy)
    shares = dict(zip(("pausable_share", "service_share"), kind_shares, strict=True))
    shares["elastic_share"] = elastic_share
    for name, share in {"migratable_share": migratable_share, **shares}.items():
        if not 0.0 <= share <= 1.0:
            findings.add(name, f"is {share}", "give a share in [0, 1]")
    if len(priority_shares) and not (
        min(priority_shares) >= 0.0 and abs(sum(priority_shares) - 1.0) <= SHARE_ROUNDING
    ):
        findings.add("priority_shares", f"are {tuple(priority_shares)}", "give shares >= 0 with the sum 1")
    if not deadline_factor >= 1.0:
        findings.add(
            "deadline_factor", f"is {deadline_factor}", "give at least 1 (the bare run time), or inf"
        )
    findings.raise_if_any("preparation of jobs")
