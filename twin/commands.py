"""Carrying out what a policy asks for, after checking all of it."""

from __future__ import annotations

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.feasibility import REFUSALS
from twin.inputs import SimulationInputs
from twin.live_moves import is_copied_ahead
from twin.pauses import begin_pauses, begin_resumes
from twin.policies.base import CommandError, Commands, Refusals, View
from twin.record import Recorder
from twin.resizes import begin_resizes, set_sizes
from twin.state import PAUSED, QUEUED, RUNNING, State
from twin.transfers import MoveModel, begin_moves


def apply_commands(
    commands: Commands, state: State, moves: MoveModel, inputs: SimulationInputs, view: View, log: Recorder
) -> None:
    """Check commands and carry them out: queues change, moves and pauses begin, refusals are logged.

    Parameters
    ----------
    commands : Commands
        What the policy asks for.
    state : State
        Changed in place.
    moves : MoveModel
        Times of moves.
    inputs : SimulationInputs
        The run.
    view : View
        What the policy saw.
    log : Recorder
        Takes the events.

    Raises
    ------
    CommandError
        Naming every rule that is broken and a job that breaks it. Nothing is carried out then.
    """
    problems = _size_problems(commands, state, inputs, view)
    start_gpus = state.n_gpus if problems else _start_gpus(commands, state)
    problems += _place_problems(commands, state, inputs, start_gpus)
    problems += _move_problems(commands, state, inputs, view) + _pause_problems(commands, state, inputs, view)
    problems += _hold_problems(commands, state, inputs) + _refusal_problems(commands.refused, inputs)
    if problems:
        raise CommandError(f"commands at {view.now_s:g} s: " + "; ".join(problems))
    state.site[commands.place_job] = commands.place_site
    if commands.size_job.size:
        _resize(commands, state, moves, view.now_s, log)
    if commands.move_job.size:
        _begin_moves(commands, state, moves, view, log)
    if commands.pause_job.size:
        begin_pauses(state, moves, commands.pause_job, view.now_s, log)
    if commands.resume_job.size:
        begin_resumes(state, moves, commands.resume_job, view.now_s, log)
    _log_refusals(commands.refused, state, view.now_s, log)


def _begin_moves(commands: Commands, state: State, moves: MoveModel, view: View, log: Recorder) -> None:
    """Begin moves, each in the way that the rates of this moment suggest."""
    job, dest, live = commands.move_job, commands.move_dest, None
    if moves.migration.may_be_live:
        live = moves.migration.is_live(
            moves.table.checkpoint_gb[job],
            state.n_gpus[job],
            view.bandwidth_gbit_per_s[state.site[job], dest],
            view.latency_s[state.site[job], dest],
        )
    begin_moves(state, moves, job, dest, view.now_s, log, live)


def _resize(commands: Commands, state: State, moves: MoveModel, now_s: float, log: Recorder) -> None:
    """Change what queued jobs start on, and begin to save those that run."""
    job, n_gpus = commands.size_job, commands.size_gpus
    waits = state.phase[job] == QUEUED
    set_sizes(state, moves, job[waits], n_gpus[waits])
    if not waits.all():
        begin_resizes(state, moves, job[~waits], n_gpus[~waits], now_s, log)


def _start_gpus(commands: Commands, state: State) -> IntArray:
    """GPUs of each job once the sizes asked for are given. [1]"""
    if not commands.size_job.size:
        return state.n_gpus
    n_gpus = state.n_gpus.copy()
    n_gpus[commands.size_job] = commands.size_gpus
    return n_gpus


def _size_problems(commands: Commands, state: State, inputs: SimulationInputs, view: View) -> list[str]:
    job, n_gpus, table = commands.size_job, commands.size_gpus, inputs.table
    if job.shape != n_gpus.shape:
        return [f"size: {job.size} jobs but {n_gpus.size} numbers of GPUs"]
    found = _row_problems("size", job, inputs)
    if found or not job.size:
        return found
    phase, now = state.phase[job], state.n_gpus[job]
    runs = phase == RUNNING
    busy = np.isin(job, np.concatenate([commands.move_job, commands.pause_job]))
    outside = (n_gpus < table.min_gpus[job]) | (n_gpus > table.max_gpus[job])
    stands = ~runs & ~np.isin(job, commands.place_job)
    wide = stands & (n_gpus > inputs.gpu_capacity[state.site[job]])
    wider = runs & (n_gpus > now)
    more = np.where(wider, n_gpus - now, 0)
    wanted = _gpus_wanted(commands, state, inputs)
    wanted += np.bincount(state.site[job], weights=more, minlength=inputs.n_sites)
    short = wider & (wanted > view.sites.free_gpus)[state.site[job]]
    return [
        *_broken("size", job, ~runs & (phase != QUEUED), "neither runs nor is queued"),
        *_broken("size", job, outside, "is not given between its min_gpus and max_gpus"),
        *_broken("size", job, runs & (n_gpus == now), "has so many GPUs already"),
        *_broken(
            "size", job, busy | (runs & (state.dest[job] >= 0)), "is on the move or told to leave its GPUs"
        ),
        *_broken("size", job, wide, "is given more GPUs than the site has"),
        *_broken("size", job, short, "finds too few free GPUs at its site"),
    ]


def _gpus_wanted(commands: Commands, state: State, inputs: SimulationInputs) -> FloatArray:
    """Free GPUs of each site that moves and resumptions ask for, where these name jobs and sites. [1]"""
    wanted, move, resume = np.zeros(inputs.n_sites), commands.move_job, commands.resume_job
    if resume.size and not _row_problems("resume", resume, inputs):
        wanted += _gpus_at(state.site[resume], resume, state, inputs)
    if move.size and not _pair_problems("move", move, commands.move_dest, inputs):
        wanted += _gpus_at(commands.move_dest, move, state, inputs)
    return wanted


def _place_problems(
    commands: Commands, state: State, inputs: SimulationInputs, n_gpus: IntArray
) -> list[str]:
    job, site, table = commands.place_job, commands.place_site, inputs.table
    found = _pair_problems("place", job, site, inputs)
    if found or not job.size:
        return found
    wide = n_gpus[job] > inputs.gpu_capacity[site]
    fixed = ~table.placeable[job] & (site != table.origin[job])
    bound = state.done_gpu_h[job] > 0.0
    return [
        *_broken("place", job, state.phase[job] != QUEUED, "is not queued"),
        *_broken("place", job, wide, "needs more GPUs than the site has"),
        *_broken("place", job, _too_big(job, site, inputs), _TOO_BIG),
        *_broken("place", job, fixed & ~bound, "may only run at its origin"),
        *_broken("place", job, bound & (site != state.site[job]), "has its checkpoint at another site"),
    ]


def _move_problems(commands: Commands, state: State, inputs: SimulationInputs, view: View) -> list[str]:
    job, dest, table = commands.move_job, commands.move_dest, inputs.table
    found = _pair_problems("move", job, dest, inputs)
    if found or not job.size:
        return found
    wanted = _gpus_at(dest, job, state, inputs)
    cut_off = ~inputs.wan.at(view.now_s).reachable[state.site[job], dest] & (state.site[job] != dest)
    return [
        *_broken("move", job, state.phase[job] != RUNNING, "is not running"),
        *_broken("move", job, is_copied_ahead(state, job), "is on the move already"),
        *_broken("move", job, ~table.migratable[job], "may not move"),
        *_broken("move", job, state.site[job] == dest, "is there already"),
        *_broken("move", job, cut_off, "has no path to its destination"),
        *_broken("move", job, _too_big(job, dest, inputs), _TOO_BIG),
        *_broken(
            "move", job, (wanted > view.sites.free_gpus)[dest], "finds too few free GPUs at its destination"
        ),
    ]


_TOO_BIG = "needs more memory on each GPU than the devices of the site have"


def _too_big(job: IntArray, site: IntArray, inputs: SimulationInputs) -> BoolArray:
    """Whether jobs do not fit the memory of the devices at sites."""
    return np.asarray(inputs.table.memory_gb_per_gpu[job] > inputs.sites.memory_gb_per_gpu[site])


def _pause_problems(commands: Commands, state: State, inputs: SimulationInputs, view: View) -> list[str]:
    pause, resume, table = commands.pause_job, commands.resume_job, inputs.table
    found = _row_problems("pause", pause, inputs) + _row_problems("resume", resume, inputs)
    if found or not (pause.size or resume.size):
        return found
    short = (_gpus_wanted(commands, state, inputs) > view.sites.free_gpus)[state.site[resume]]
    return [
        *_broken("pause", pause, state.phase[pause] != RUNNING, "is not running"),
        *_broken("pause", pause, is_copied_ahead(state, pause), "is on the move"),
        *_broken("pause", pause, ~table.pausable[pause], "may not pause"),
        *_broken("pause", pause, np.isin(pause, commands.move_job), "is told to move too"),
        *_broken("resume", resume, state.phase[resume] != PAUSED, "is not paused"),
        *_broken("resume", resume, short, "finds too few free GPUs at its site"),
    ]


def _hold_problems(commands: Commands, state: State, inputs: SimulationInputs) -> list[str]:
    hold = commands.hold_job
    if not hold.size:
        return []
    found = _row_problems("hold", hold, inputs)
    return found or _broken("hold", hold, state.phase[hold] != QUEUED, "is not queued")


def _pair_problems(what: str, job: IntArray, site: IntArray, inputs: SimulationInputs) -> list[str]:
    if job.shape != site.shape:
        return [f"{what}: {job.size} jobs but {site.size} sites"]
    if not job.size:
        return []
    if np.any((site < 0) | (site >= inputs.n_sites)):
        return [f"{what}: site that does not exist", *_row_problems(what, job, inputs)]
    return _row_problems(what, job, inputs)


def _row_problems(what: str, job: IntArray, inputs: SimulationInputs) -> list[str]:
    if not job.size:
        return []
    if np.any((job < 0) | (job >= inputs.table.n_jobs)):
        return [f"{what}: job that does not exist"]
    if np.unique(job).size != job.size:
        return [f"{what}: a job is named twice"]
    return []


def _gpus_at(site: IntArray, job: IntArray, state: State, inputs: SimulationInputs) -> FloatArray:
    """GPUs of jobs at each site."""
    weights = state.n_gpus[job]
    return np.bincount(site, weights=weights, minlength=inputs.n_sites).astype(np.float64)


def _refusal_problems(refused: Refusals, inputs: SimulationInputs) -> list[str]:
    sizes = {refused.job.size, refused.dest.size, refused.reason.size, refused.margin.size}
    if len(sizes) > 1:
        return ["refused: columns of different length"]
    found = _pair_problems("refused", refused.job, refused.dest, inputs)
    if np.any((refused.reason < 1) | (refused.reason >= len(REFUSALS))):
        found.append(f"refused: reason outside 1..{len(REFUSALS) - 1}")
    return found


def _broken(what: str, job: IntArray, mask: BoolArray, rule: str) -> list[str]:
    if not np.any(mask):
        return []
    return [f"{what}: job in row {job[mask][0]} {rule} ({int(np.sum(mask))} such)"]


def _log_refusals(refused: Refusals, state: State, now_s: float, log: Recorder) -> None:
    """Write refusals to the audit; one that only repeats the job's last one is not written again."""
    if not refused.job.size:
        return
    code = refused.dest * len(REFUSALS) + refused.reason
    new = code != state.last_refusal[refused.job]
    job = refused.job[new]
    state.last_refusal[job] = code[new]
    log.event(
        "move_refused",
        now_s,
        job,
        site=state.site[job],
        dest=refused.dest[new],
        reason=refused.reason[new],
        value=refused.margin[new],
    )
