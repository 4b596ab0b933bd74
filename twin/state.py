"""The whole state of a run: one frozen dataclass of arrays that can be written and read back."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from twin._arrays import FloatArray, IntArray

PhaseArray = npt.NDArray[np.int8]


class Phase(IntEnum):
    """What a job is doing; a job goes through the phases in order, migrating any number of times.

    ``RUNNING -> SAVING -> SENDING -> LOADING -> RUNNING`` is one migration,
    ``RUNNING -> PAUSING -> PAUSED -> RESUMING -> RUNNING`` one pause in place, ``RUNNING -> RESIZING ->
    RELOADING -> RUNNING`` (saving, loading) a change to another number of GPUs. An interruption takes a
    job from any phase in which it has GPUs to QUEUED, but for SENDING; with a
    checkpoint it goes on by ``RESTARTING -> RUNNING``. A live move stays RUNNING while it is copied ahead,
    with GPUs reserved elsewhere, and then goes on by ``SENDING -> LOADING -> RUNNING``.
    """

    WAITING = 0
    QUEUED = 1
    RUNNING = 2
    SAVING = 3
    SENDING = 4
    LOADING = 5
    PAUSING = 6
    PAUSED = 7
    RESUMING = 8
    RESTARTING = 9
    RESIZING = 10
    RELOADING = 11
    DONE = 12


(
    QUEUED,
    RUNNING,
    SAVING,
    SENDING,
    LOADING,
    PAUSING,
    PAUSED,
    RESUMING,
    RESTARTING,
    RESIZING,
    RELOADING,
    DONE,
) = (np.int8(phase) for phase in Phase if phase is not Phase.WAITING)
"""The phases as numbers of the array's type, for comparisons in every tick."""

WAITING = np.int8(Phase.WAITING)


PER_STEP = (
    "busy_gpu_s",
    "paced_gpu_s",
    "resizing_gpu_s",
    "loaded_gpu_s",
    "reserved_gpu_s",
    "wan_gb",
    "off_gpu_s",
    "starting_gpu_s",
    "battery_charged_mwh",
    "battery_discharged_mwh",
    "battery_lost_mwh",
)
"""Fields of `State` that begin at 0 in every signal step."""


@dataclass(frozen=True)
class State:
    """State of a run at the start of a tick.

    Per-job arrays are in the order of the job table, per-site arrays in the order of the site table.

    Attributes
    ----------
    tick : int
        Number of ticks already simulated; the time is ``tick * tick_s``.
    phase : ndarray of int8 (job)
        A :class:`Phase` value.
    site : ndarray of int (job)
        Where the job holds GPUs, or in whose queue it stands; its origin before that.
    source : ndarray of int (job)
        Where the present or last migration began, -1 before the first.
    dest : ndarray of int (job)
        Where GPUs are reserved for it while it is saving, sending or copied ahead, else -1.
    timer_s : ndarray (job)
        Time at which the present phase ends if nothing interferes: the end of the run or its next failure
        (RUNNING), the end of saving (SAVING, PAUSING, RESIZING), of loading (LOADING, RESUMING, RESTARTING,
        RELOADING). Infinite otherwise. [s]
    send_s : ndarray (job)
        While it is sending or copied ahead, the time of the first byte, of the end of the start-up before it,
        or of the next attempt to connect. [s]
    live : ndarray of int (job)
        How the present or last move is made: 0 stop-and-copy, 1 live, 2 live, but what had been started at
        the destination was lost.
    n_rounds : ndarray of int (job)
        Rounds sent while the job ran, of the present or last move.
    round_gb : ndarray (job)
        Bytes of the present round, or of what is sent at once. [GB]
    round_start_s : ndarray (job)
        When the present round began, NaN before the first; what the job changes from then on is the next. [s]
    precopied_gb : ndarray (job)
        Bytes of the rounds in `n_rounds`, without what was sent again. [GB]
    n_gpus : ndarray of int (job)
        GPUs it has, or would start on; more or fewer than recorded for elastic jobs only. While it is
        RESIZING, those it had before. [1]
    pace_gpus : ndarray (job)
        Recorded GPUs that would be as fast, n0 · `twin.elastic.relative_speed`. [1]
    new_gpus : ndarray of int (job)
        GPUs that a job in RESIZING will have; it holds the larger of both numbers. [1]
    resize_start_s, resize_saved_s : ndarray (job)
        When the present or last change of size began, and when it had saved and left the GPUs it no longer
        needs; NaN before. [s]
    n_resizes : ndarray of int (job)
        Changes of size begun while it ran.
    resize_gpu_h : ndarray (job)
        GPU-hours held meanwhile. [GPU-h of whichever device]
    extra_gpu_h : ndarray (job)
        GPU-hours that it ran before the present segment beyond those the same work takes at its recorded
        size; negative where they are fewer. [GPU-h of whichever device]
    run_from_s : ndarray (job)
        Start of the present run segment. [s]
    done_gpu_h : ndarray (job)
        Work finished before the present run segment. [GPU-h at the reference device]
    left_gb : ndarray (job)
        Bytes of the checkpoint, or of the round, that are still to be sent. [GB]
    route : ndarray of int (job)
        Which of the network's sets of paths the transfer last went over, -1 while it is not connected; always
        -1 in a network whose links never fail.
    n_failed : ndarray of int (job)
        Failures since the transfer was last connected: the cut, and attempts that found no route.
    n_cuts : ndarray of int (job)
        How often the present or last move was cut off by a failing link.
    repeated_gb : ndarray (job)
        Bytes of the present or last move that had arrived and were sent again. [GB]
    first_start_s, end_s : ndarray (job)
        First start and end of the job, NaN before. [s]
    move_start_s, saved_s, sent_s : ndarray (job)
        Times of the present or last migration, NaN before the first. [s]
    n_migrations : ndarray of int (job)
        Migrations begun.
    pause_start_s, paused_s, resume_start_s : ndarray (job)
        When the present or last pause began to save, had saved and left its GPUs, and began to load; NaN
        before each. [s]
    n_pauses : ndarray of int (job)
        Pauses begun.
    dark_s : ndarray (job)
        Time of the present or last move in which its source was down. [s]
    to_failure_gpu_h : ndarray (job)
        GPU-hours that the job runs from the start of its present segment to its next failure, inf for never.
        [GPU-h of whichever device]
    n_failures, n_interruptions : ndarray of int (job)
        Failures of the job, and interruptions by these and by outages of its site.
    interrupted_s : ndarray (job)
        Last interruption, NaN before the first. [s]
    lost_gpu_h : ndarray (job)
        Work lost by interruptions. [GPU-h at the reference device]
    repeated_gpu_h : ndarray (job)
        The same in time of the GPUs that did it. [GPU-h of whichever device]
    restart_gpu_h : ndarray (job)
        GPU-hours held while loading after interruptions. [GPU-h of whichever device]
    ready_s : ndarray (job)
        When the devices reserved for the present or last move or change of size are ready, 0 where they were
        at once. [s]
    last_refusal : ndarray of int (job)
        Code of the refusal last written to the audit, -1 if none since the last move.
    busy_gpu_s, loaded_gpu_s, reserved_gpu_s : ndarray (site)
        GPU-seconds of the present signal step: running; holding a job without progress (saving, sending,
        loading, also for a pause); reserved and empty. [GPU s]
    paced_gpu_s, resizing_gpu_s : ndarray (site)
        Where jobs are elastic, GPU-seconds in which the recorded GPUs of jobs would have done the work of
        `busy_gpu_s`, and the part of `loaded_gpu_s` in changes of size. [GPU s]
    wan_gb : ndarray (site)
        Bytes of the present signal step whose transport energy is drawn at the site (half of what it sends
        and half of what it receives). [GB]
    marginal_curtailment : ndarray (site)
        As published at the last signal step, at the operating point. [MW/MW]
    racks_on : ndarray of int (site)
        Racks that are ready; empty, as what follows, where no site has racks. [1]
    racks_starting, racks_stopping : ndarray of int (ticks, site)
        Racks that are ready, or off, after one tick more than the row says. [1]
    racks_idle : ndarray of int (ticks, site)
        Racks that were idle for at least so many ticks. [1]
    racks_wanted : ndarray of int (site)
        Devices in use and those queued jobs would start on. [1]
    off_gpu_s, starting_gpu_s : ndarray (site)
        GPU-seconds of the present signal step in racks that are off, and that start or stop. [GPU s]
    battery_stored_mwh : ndarray (site)
        Energy in each battery. [MWh]
    battery_charged_mwh, battery_discharged_mwh, battery_lost_mwh : ndarray (site)
        Drawn, given and lost in the present signal step. [MWh]
    """

    tick: int
    phase: PhaseArray
    site: IntArray
    source: IntArray
    dest: IntArray
    timer_s: FloatArray
    send_s: FloatArray
    live: IntArray
    n_rounds: IntArray
    round_gb: FloatArray
    round_start_s: FloatArray
    precopied_gb: FloatArray
    n_gpus: IntArray
    pace_gpus: FloatArray
    new_gpus: IntArray
    resize_start_s: FloatArray
    resize_saved_s: FloatArray
    n_resizes: IntArray
    resize_gpu_h: FloatArray
    extra_gpu_h: FloatArray
    run_from_s: FloatArray
    done_gpu_h: FloatArray
    left_gb: FloatArray
    route: IntArray
    n_failed: IntArray
    n_cuts: IntArray
    repeated_gb: FloatArray
    first_start_s: FloatArray
    end_s: FloatArray
    move_start_s: FloatArray
    saved_s: FloatArray
    sent_s: FloatArray
    n_migrations: IntArray
    pause_start_s: FloatArray
    paused_s: FloatArray
    resume_start_s: FloatArray
    n_pauses: IntArray
    dark_s: FloatArray
    to_failure_gpu_h: FloatArray
    n_failures: IntArray
    n_interruptions: IntArray
    interrupted_s: FloatArray
    lost_gpu_h: FloatArray
    repeated_gpu_h: FloatArray
    restart_gpu_h: FloatArray
    ready_s: FloatArray
    last_refusal: IntArray
    busy_gpu_s: FloatArray
    paced_gpu_s: FloatArray
    resizing_gpu_s: FloatArray
    loaded_gpu_s: FloatArray
    reserved_gpu_s: FloatArray
    wan_gb: FloatArray
    marginal_curtailment: FloatArray
    racks_on: IntArray
    racks_starting: IntArray
    racks_stopping: IntArray
    racks_idle: IntArray
    racks_wanted: IntArray
    off_gpu_s: FloatArray
    starting_gpu_s: FloatArray
    battery_stored_mwh: FloatArray
    battery_charged_mwh: FloatArray
    battery_discharged_mwh: FloatArray
    battery_lost_mwh: FloatArray

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return copies of all arrays by name; ``tick`` becomes a 0-d array."""
        return {f.name: np.array(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> State:
        """Rebuild a state from :meth:`to_arrays`; names that are missing or unknown raise ``KeyError``."""
        names = {f.name for f in fields(cls)}
        if names != set(arrays):
            missing, unknown = sorted(names - set(arrays)), sorted(set(arrays) - names)
            raise KeyError(f"arrays of a state: missing {missing}, unknown {unknown}")
        values = {name: np.array(arrays[name]) for name in names - {"tick"}}
        return cls(tick=int(np.asarray(arrays["tick"]).item()), **values)

    def copy(self, *, writeable: bool = False) -> State:
        """Return a deep copy whose arrays cannot be written unless asked for."""
        new = State.from_arrays(self.to_arrays())
        for f in fields(new):
            value = getattr(new, f.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=writeable)
        return new

    def at(self, tick: int) -> State:
        """Return the state with another tick, sharing the arrays."""
        new = copy(self)  # done in every tick, and so without going through all fields as `replace` does
        object.__setattr__(new, "tick", tick)
        return new


def initial_state(origin: IntArray, n_sites: int, n_gpus: IntArray | None = None) -> State:
    """Return the state before the first tick: every job waits, nothing is drawn.

    Parameters
    ----------
    origin : ndarray of int (job)
        Site at which each job is submitted.
    n_sites : int
        Number of sites.
    n_gpus : ndarray of int (job), optional
        GPUs that each job was recorded with; 1 where None. [1]

    Returns
    -------
    State
        Tick 0.
    """
    n = len(origin)
    recorded = np.ones(n, dtype=np.int64) if n_gpus is None else np.array(n_gpus, dtype=np.int64)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "tick": np.array(0),
        "phase": np.zeros(n, dtype=np.int8),
        "site": np.array(origin, dtype=np.int64),
        "n_gpus": recorded,
        "new_gpus": recorded,
        "pace_gpus": recorded.astype(np.float64),
        "racks_on": np.zeros(0, dtype=np.int64),
        **{name: np.zeros((0, n_sites), dtype=np.int64) for name in _RACKS_BY_TIME},
        "racks_wanted": np.zeros(n_sites, dtype=np.int64),
        **{name: np.zeros(n_sites) for name in _OF_SITES},
    }
    for names, value in _BEFORE_THE_FIRST_TICK:
        arrays |= {name: np.full(n, value) for name in names}
    return State.from_arrays(arrays)


_BEFORE_THE_FIRST_TICK: tuple[tuple[tuple[str, ...], int | float], ...] = (
    (("source", "dest", "route", "last_refusal"), -1),
    (("live", "n_rounds", "n_resizes", "n_failed", "n_cuts", "n_migrations", "n_pauses"), 0),
    (("n_failures", "n_interruptions"), 0),
    (("timer_s", "send_s", "to_failure_gpu_h"), np.inf),
    (("round_start_s", "resize_start_s", "resize_saved_s", "run_from_s", "first_start_s", "end_s"), np.nan),
    (("move_start_s", "saved_s", "sent_s", "pause_start_s", "paused_s", "resume_start_s"), np.nan),
    (("interrupted_s",), np.nan),
    (("round_gb", "precopied_gb", "left_gb", "repeated_gb"), 0.0),
    (("resize_gpu_h", "extra_gpu_h", "done_gpu_h", "lost_gpu_h", "repeated_gpu_h", "restart_gpu_h"), 0.0),
    (("dark_s", "ready_s"), 0.0),
)
"""What holds of every job: nowhere (-1), none yet (0, NaN), never (inf). Whole numbers are integers."""

_OF_SITES = (
    *("busy_gpu_s", "paced_gpu_s", "resizing_gpu_s", "loaded_gpu_s", "reserved_gpu_s"),
    *("off_gpu_s", "starting_gpu_s", "wan_gb", "marginal_curtailment"),
    *("battery_stored_mwh", "battery_charged_mwh", "battery_discharged_mwh", "battery_lost_mwh"),
)
_RACKS_BY_TIME = ("racks_starting", "racks_stopping", "racks_idle")
