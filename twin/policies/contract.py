"""What every policy has to keep to, as a check that a policy of one's own can be put through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.elastic import relative_speed
from twin.feasibility import REFUSALS
from twin.migration import MigrationModel
from twin.policies.base import Commands, JobView, Policy, SiteView, View
from twin.policies.filling import fits_memory

N_CASES = 60


class ContractError(AssertionError):
    """A policy does not keep to the contract."""


def check_policy(policy: Policy, *, seed: int = 0) -> None:
    """Put a policy before random views and check what every policy must keep to.

    It has a name; it changes nothing in the view; the same view gives the same commands; only queued jobs are
    placed, and only where they may run; only running, migratable jobs are moved, to another site that can be
    reached, into GPUs that are free together and have memory enough, and only when signals are renewed; only
    running, pausable jobs are paused, and only when signals are renewed; only paused jobs are resumed, into
    GPUs that are free; only queued jobs are held back; only elastic jobs that are queued or run, and neither
    move nor pause, get another number of GPUs, from the range of each and from free ones, running ones only
    when signals are renewed; no job is named twice but one placed and held, or placed and sized;
    refusals have a reason and a finite margin below zero or an unbounded one.

    Parameters
    ----------
    policy : Policy
        The policy.
    seed : int
        Seed of the views.

    Raises
    ------
    ContractError
        Naming the rule and the case.

    Examples
    --------
    >>> from twin.policies import POLICIES
    >>> check_policy(POLICIES["static"]())
    """
    if not policy.name:
        raise ContractError("a policy has a name, a string that is not empty")
    rng = np.random.default_rng(seed)
    for case in range(N_CASES):
        view = random_view(rng)
        before = _content(view)
        commands = policy.decide(view)
        problems = list(_problems(commands, view))
        if _content(view) != before:
            problems.append("it changed the view")
        if _content(policy.decide(replace(view, seed=(case,)))) != _content(
            policy.decide(replace(view, seed=(case,)))
        ):
            problems.append("the same view gave other commands")
        if problems:
            raise ContractError(f"policy {policy.name!r}, case {case}: " + "; ".join(problems))


def random_view(rng: np.random.Generator) -> View:
    """Return a random view: few sites and jobs, sites that are full, empty, fast, slow or cut off."""
    n = int(rng.integers(1, 6))
    ahead = int(rng.integers(1, 30))
    capacity = rng.integers(4, 65, n)
    own = rng.spawn(1)[0]
    memory_gb = own.choice([16.0, 40.0, 80.0], n)
    running = _random_jobs(rng, capacity, memory_gb, int(rng.integers(0, 15)), 0)
    used = np.bincount(running.site, weights=running.n_gpus, minlength=n)
    keep = used[running.site] <= capacity[running.site]
    running = running.take(keep)
    used = np.bincount(running.site, weights=running.n_gpus, minlength=n).astype(np.int64)
    gpu_p_mw = rng.choice([0.001, 0.05, 0.5], n)
    bandwidth = rng.choice([0.0, 1.0, 100.0], (n, n))
    np.fill_diagonal(bandwidth, 0.0)
    marginal = rng.uniform(-1.0, 1.3, (ahead, n)) * rng.choice([0.0, 1.0], n)
    absorbable = rng.uniform(0.0, 30.0, (ahead, n)) * (marginal > 0.5)
    sites = SiteView(
        absorbable_p_mw=absorbable[0],
        marginal_curtailment=marginal[0],
        outlook_absorbable_p_mw=absorbable,
        outlook_marginal=marginal,
        member_absorbable_p_mw=np.stack([absorbable, 0.5 * absorbable, 0.0 * absorbable]),
        member_marginal=np.stack([marginal, marginal, np.minimum(marginal, 0.2)]),
        power_mw=used * gpu_p_mw,
        committed_p_mw=used * gpu_p_mw,
        gpu_p_mw=gpu_p_mw,
        held_gpu_p_mw=0.3 * gpu_p_mw,
        gpu_capacity=capacity,
        free_gpus=capacity - used,
        speed=rng.choice([0.5, 1.0, 2.0], n),
        memory_gb_per_gpu=memory_gb,
        ready_gpus=(capacity - used) // 2,
        rack_wait_s=np.where(capacity > used, 600.0, 0.0),
    )
    return View(
        now_s=1e6,
        step=100,
        signal_step_s=3600.0,
        renewed=bool(rng.integers(0, 2)),
        sites=sites,
        queued=_random_jobs(rng, capacity, memory_gb, int(rng.integers(0, 15)), 1000),
        running=running,
        paused=_random_jobs(rng, capacity, memory_gb, int(rng.integers(0, 15)), 2000),
        bandwidth_gbit_per_s=bandwidth,
        past_bandwidth_gbit_per_s=bandwidth * own.choice([0.5, 1.0], (int(own.integers(0, 3)), 1, 1)),
        latency_s=np.where(np.eye(n, dtype=np.bool_), 0.0, np.where(bandwidth > 0.0, 0.01, np.inf)),
        wan_kwh_per_gb=0.001,
        migration=MigrationModel(),
        theta=0.5,
        alpha=0.1,
        seed=(0,),
    )


def _random_jobs(
    rng: np.random.Generator, capacity: IntArray, memory_gb: FloatArray, n_jobs: int, first: int
) -> JobView:
    own = rng.spawn(1)[0]
    origin = rng.integers(0, len(capacity), n_jobs)
    n_gpus = np.minimum(rng.choice([1, 2, 4, 8, 16, 32], n_jobs), capacity[origin])
    left_h = rng.uniform(0.0, 60.0, n_jobs)
    need_gb = np.minimum(own.choice([0.0, 10.0, 30.0, 60.0], n_jobs), memory_gb[origin])
    elastic = rng.spawn(1)[0]
    is_elastic = elastic.random(n_jobs) < 0.5
    recorded = np.maximum(np.where(is_elastic, n_gpus * elastic.choice([0.5, 1.0, 2.0], n_jobs), n_gpus), 1)
    recorded = recorded.astype(np.int64)
    least, most = np.minimum(n_gpus, recorded), np.maximum(n_gpus, recorded)
    return JobView(
        job=np.arange(first, first + n_jobs),
        site=origin.copy(),
        origin=origin,
        n_gpus=n_gpus,
        remaining_gpu_h=n_gpus * left_h,
        work_gpu_h=n_gpus * (left_h + rng.uniform(0.01, 60.0, n_jobs)),
        checkpoint_gb=rng.choice([0.0, 1.0, 100.0, 5000.0], n_jobs),
        deadline_s=rng.choice([np.inf, 1.001e6, 2e6], n_jobs),
        submit_s=np.sort(rng.uniform(0.0, 1e6, n_jobs)),
        migratable=rng.random(n_jobs) < 0.8,
        pausable=rng.random(n_jobs) < 0.8,
        placeable=own.random(n_jobs) < 0.8,
        memory_gb_per_gpu=need_gb,
        priority=own.integers(0, 3, n_jobs),
        came_from=own.integers(-1, len(capacity), n_jobs),
        settled_s=own.choice([-np.inf, 0.0, 0.999e6], n_jobs),
        min_gpus=np.where(is_elastic, np.maximum(least // 2, 1), least),
        max_gpus=np.where(is_elastic, 2 * most, most),
        recorded_gpus=recorded,
        pace_gpus=recorded * relative_speed(n_gpus, recorded),
    )


def _problems(commands: Commands, view: View) -> Iterator[str]:
    sites = view.sites
    everyone = (commands.place_job, commands.move_job, commands.pause_job, commands.resume_job)
    if np.unique(np.concatenate(everyone)).size != sum(x.size for x in everyone):
        yield "a job is named twice"
    place = _positions(view.queued, commands.place_job)
    move = _positions(view.running, commands.move_job)
    if np.any(place < 0):
        yield "a job that is not queued is placed"
    elif np.any(_start_gpus(commands, view)[place] > sites.gpu_capacity[commands.place_site]):
        yield "a job is placed where it does not fit"
    elif not np.all(fits_memory(view.queued, sites)[place, commands.place_site]):
        yield "a job is placed where the memory of a device is too small for it"
    elif np.any(~view.queued.placeable[place] & (commands.place_site != view.queued.origin[place])):
        yield "a job that may only run at its origin is placed elsewhere"
    yield from _pause_problems(commands, view)
    yield from _size_problems(commands, view)
    if np.any(move < 0):
        yield "a job that is not running is moved"
        return
    if move.size and not view.renewed:
        yield "jobs are moved between signals"
    if np.any(~view.running.migratable[move]):
        yield "a job that may not move is moved"
    source, dest = view.running.site[move], commands.move_dest
    if not np.all(fits_memory(view.running, sites)[move, dest]):
        yield "a job is moved to where the memory of a device is too small for it"
    if np.any(source == dest) or np.any(view.bandwidth_gbit_per_s[source, dest] <= 0.0):
        yield "a job is moved to where it is, or where no path leads"
    wanted = np.bincount(dest, weights=view.running.n_gpus[move], minlength=sites.n_sites)
    if np.any(wanted > sites.free_gpus):
        yield "more GPUs are asked for than are free"
    refused = commands.refused
    if np.any((refused.reason < 1) | (refused.reason >= len(REFUSALS))):
        yield "a refusal has no reason"
    if np.any(np.isnan(refused.margin)) or np.any(refused.margin >= 0.0):
        yield "a refusal has no margin below zero"
    if np.any(np.isin(refused.job, commands.move_job)):
        yield "a job is moved and refused"


def _pause_problems(commands: Commands, view: View) -> Iterator[str]:
    pause = _positions(view.running, commands.pause_job)
    resume = _positions(view.paused, commands.resume_job)
    hold = _positions(view.queued, commands.hold_job)
    if np.any(pause < 0):
        yield "a job that is not running is paused"
    elif np.any(~view.running.pausable[pause]):
        yield "a job that may not pause is paused"
    if pause.size and not view.renewed:
        yield "jobs are paused between signals"
    if np.any(hold < 0) or np.unique(hold).size != hold.size:
        yield "a job that is not queued is held back, or one is twice"
    if np.any(resume < 0):
        yield "a job that is not paused is resumed"
        return
    wanted = np.bincount(
        np.concatenate([view.paused.site[resume], commands.move_dest]),
        weights=np.concatenate(
            [view.paused.n_gpus[resume], view.running.n_gpus[_positions(view.running, commands.move_job)]]
        ),
        minlength=view.sites.n_sites,
    )
    if np.any((wanted > view.sites.free_gpus)[view.paused.site[resume]]):
        yield "jobs are resumed into more GPUs than are free"


def _start_gpus(commands: Commands, view: View) -> IntArray:
    """GPUs of the queued jobs once the sizes asked for are given, as far as these are jobs."""
    n_gpus = view.queued.n_gpus.copy()
    row = _positions(view.queued, commands.size_job)
    if commands.size_gpus.shape == row.shape:
        n_gpus[row[row >= 0]] = commands.size_gpus[row >= 0]
    return n_gpus


def _size_problems(commands: Commands, view: View) -> Iterator[str]:
    job, n_gpus = commands.size_job, commands.size_gpus
    if job.shape != n_gpus.shape or np.unique(job).size != job.size:
        yield "a job gets two sizes, or none"
        return
    for jobs in (view.running, view.queued):
        row = _positions(jobs, job)
        given, row = n_gpus[row >= 0], row[row >= 0]
        if np.any((given < jobs.min_gpus[row]) | (given > jobs.max_gpus[row])):
            yield "a job gets fewer or more GPUs than it may have"
    run, move, resume = (
        _positions(jobs, rows)
        for jobs, rows in (
            (view.running, job),
            (view.running, commands.move_job),
            (view.paused, commands.resume_job),
        )
    )
    if np.any((run < 0) & (_positions(view.queued, job) < 0)):
        yield "a job that neither runs nor is queued gets another size"
    if np.any(np.isin(job, np.concatenate([commands.move_job, commands.pause_job]))):
        yield "a job that moves or pauses gets another size"
    given, run = n_gpus[run >= 0], run[run >= 0]
    more = given - view.running.n_gpus[run]
    if run.size and not view.renewed:
        yield "running jobs get another size between signals"
    if np.any(more == 0):
        yield "a running job gets the size that it has"
    if np.any(move < 0) or np.any(resume < 0):
        return
    site = np.concatenate([view.running.site[run], commands.move_dest, view.paused.site[resume]])
    weights = np.concatenate([np.maximum(more, 0), view.running.n_gpus[move], view.paused.n_gpus[resume]])
    wanted = np.bincount(site, weights=weights, minlength=view.sites.n_sites)
    if np.any((wanted > view.sites.free_gpus)[view.running.site[run[more > 0]]]):
        yield "jobs become wider than GPUs are free"


def _positions(jobs: JobView, rows: IntArray) -> IntArray:
    where = {int(row): i for i, row in enumerate(jobs.job)}
    return np.array([where.get(int(row), -1) for row in rows], dtype=np.int64)


def _content(value: object) -> object:
    """Everything in nested dataclasses of arrays, in a form that compares."""
    if is_dataclass(value):
        return tuple((f.name, _content(getattr(value, f.name))) for f in fields(value) if f.name != "rng")
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    return value
