"""Racks that are switched off while idle and need time to start: counts per site, moved on by ticks.

Devices of a site are interchangeable, so that racks need no names: a site has so many on, so many that become
ready after each number of ticks, so many that stop, and the rest off. Racks start when jobs want more devices
than are on, and stop when they were idle for the time they are kept.

A rack that starts or stops draws what it draws idle. A job that came by a move or goes on after a pause gets
devices of racks that are off or starting, and loads once they are ready; what it holds until then draws as
much as any device that holds a job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.scheduler import startable
from twin.sites import W_PER_MW

if TYPE_CHECKING:
    from twin.inputs import SimulationInputs
    from twin.state import State


@dataclass(frozen=True, eq=False)
class Racks:
    """Racks of a run in whole ticks; all methods change the state they are given.

    Attributes
    ----------
    gpus, n_racks : ndarray of int (site)
        Devices in a rack, 0 where all are always on, and racks. [1]
    start, stop, keep : ndarray of int (site)
        Ticks to start and to stop, and ticks that an idle rack stays on. [1]
    capacity : ndarray of int (site)
        Devices that may be used. [1]
    tick_s : int
        Tick. [s]
    """

    gpus: IntArray
    n_racks: IntArray
    start: IntArray
    stop: IntArray
    keep: IntArray
    capacity: IntArray
    tick_s: int

    @classmethod
    def of(cls, inputs: SimulationInputs) -> Racks | None:
        """Racks of a run, None where all devices are always on."""
        table, tick = inputs.sites.racks, inputs.tick_s
        if table is None or not table.gpus.any():
            return None
        n_racks = np.where(table.gpus > 0, inputs.sites.n_gpus // np.maximum(table.gpus, 1), 0)
        start, stop, keep = (
            np.round(seconds / tick).astype(np.int64)
            for seconds in (table.start_s, table.stop_s, table.keep_s)
        )
        return cls(table.gpus, n_racks, start, stop, keep, inputs.gpu_capacity, tick)

    def begin(self, state: State) -> State:
        """Return the state with all racks on."""
        n = len(self.gpus)

        def empty(rows: int) -> IntArray:
            return np.zeros((rows, n), dtype=np.int64)

        return replace(
            state,
            racks_on=self.n_racks.copy(),
            racks_starting=empty(int(self.start.max())),
            racks_stopping=empty(int(self.stop.max())),
            racks_idle=empty(int(self.keep.max()) + 1),
        )

    def advance(self, state: State, down: BoolArray | None) -> bool:
        """Pass to the next tick: racks become ready or off; return whether any did.

        Racks of a site that is down, (tick, site), are off. When it is back, jobs on their way to it wait for
        them again.
        """
        changed = False
        if len(state.racks_starting):
            changed = bool(state.racks_starting[0].any())
            state.racks_on[:] += state.racks_starting[0]
            _shift(state.racks_starting)
        if len(state.racks_stopping):
            changed = changed or bool(state.racks_stopping[0].any())
            _shift(state.racks_stopping)
        if down is not None:
            now = down[state.tick]
            for counts in (state.racks_on, state.racks_starting, state.racks_stopping, state.racks_idle):
                counts[..., now] = 0
            if state.tick:
                self._wait_again(state, down[state.tick - 1] & ~now & (self.gpus > 0))
        return changed

    def _wait_again(self, state: State, back: BoolArray) -> None:
        """Let jobs on their way to sites that are back wait until racks there have started."""
        coming = np.flatnonzero((state.dest >= 0) & back[state.dest])
        ready_s = (state.tick + self.start[state.dest[coming]]) * float(self.tick_s)
        state.ready_s[coming] = np.maximum(state.ready_s[coming], ready_s)

    def ready_gpus(self, state: State) -> IntArray:
        """Devices in racks that are on, all of them where there are no racks, (site). [1]"""
        return np.asarray(np.where(self.gpus > 0, state.racks_on * self.gpus, self.capacity), dtype=np.int64)

    def off_gpus(self, state: State) -> IntArray:
        """Devices in racks that are off, (site). [1]"""
        under_way = state.racks_starting.sum(axis=0) + state.racks_stopping.sum(axis=0)
        return np.asarray((self.n_racks - state.racks_on - under_way) * self.gpus, dtype=np.int64)

    def wait_s(self, state: State, wanted: IntArray) -> FloatArray:
        """Time until so many devices of each site are ready if racks for them start now, (site). [s]"""
        need, ready = _racks_for(wanted, self.gpus), state.racks_on.copy()
        off = (
            self.n_racks
            - state.racks_on
            - state.racks_starting.sum(axis=0)
            - state.racks_stopping.sum(axis=0)
        )
        ticks = np.where(need > ready, -1, 0)
        for tick in range(int(self.start.max()) + len(state.racks_stopping) + 1):
            if 0 < tick <= len(state.racks_starting):
                ready += state.racks_starting[tick - 1]
            ready += np.where(tick == self.start, off, 0)
            again = tick - self.start - 1
            stopped = (again >= 0) & (again < len(state.racks_stopping))
            if stopped.any():
                ready[stopped] += state.racks_stopping[again[stopped], np.flatnonzero(stopped)]
            ticks[(ticks < 0) & (need <= ready)] = tick
        return ticks * float(self.tick_s)

    def claim(self, state: State, job: IntArray, n_gpus: IntArray, used: IntArray) -> FloatArray:
        """Give jobs that move or resume devices of racks, one after the other; return how long each waits.

        Parameters
        ----------
        state : State
            Present state.
        job : ndarray of int
            Rows of jobs that have just taken devices where they go.
        n_gpus : ndarray of int
            Devices of each.
        used : ndarray of int (site)
            Devices taken, these included.

        Returns
        -------
        ndarray
            Time until the devices of each are ready. [s]
        """
        where = np.where(state.dest[job] >= 0, state.dest[job], state.site[job])
        taken = used - np.bincount(where, weights=n_gpus, minlength=len(used)).astype(np.int64)
        waits = np.zeros(len(job))
        for k, site in enumerate(where):
            taken[site] += n_gpus[k]
            waits[k] = self.wait_s(state, taken)[site]
        return waits

    def let_start(
        self, state: State, site: IntArray, n_gpus: IntArray, go: BoolArray, used: IntArray
    ) -> BoolArray:
        """Start racks for queued jobs that could start if all racks were on; return which find them ready.

        Parameters
        ----------
        state : State
            Its racks change.
        site, n_gpus : ndarray of int (job)
            Queue and devices of each queued job.
        go : ndarray of bool (job)
            Jobs that would start with all racks on.
        used : ndarray of int (site)
            Devices in use or reserved.

        Returns
        -------
        ndarray of bool (job)
            Jobs that start now.
        """
        more = np.bincount(site[go], weights=n_gpus[go], minlength=len(used)).astype(np.int64)
        state.racks_wanted[:] = used + more
        self._call(state, state.racks_wanted)
        ready = np.maximum(self.ready_gpus(state) - used, 0)
        now = np.zeros_like(go)
        now[go] = startable(site[go], n_gpus[go], np.zeros(int(go.sum())), ready, np.inf)
        return now

    def of_step(self, state: State, step_s: float) -> dict[str, FloatArray]:
        """Return the record of a signal step of so many seconds that ends. [1]"""
        return {"off_gpus": state.off_gpu_s / step_s, "starting_gpus": state.starting_gpu_s / step_s}

    def tend(self, state: State, used: IntArray, down: BoolArray | None) -> None:
        """Start racks that are wanted, stop those idle too long, and count the devices off and starting."""
        wanted = np.maximum(used, state.racks_wanted)
        if down is not None:
            wanted = np.where(down, 0, wanted)
        self._call(state, wanted)
        idle, at = state.racks_idle, np.arange(len(self.gpus))
        idle[1:] = idle[:-1].copy()
        idle[0] = np.maximum(state.racks_on - _racks_for(wanted, self.gpus), 0)
        idle[1:] = np.minimum(idle[1:], idle[0])
        ending = idle[self.keep, at]
        if ending.any():
            idle[:] = np.maximum(idle - ending, 0)
            state.racks_on[:] -= ending
            slow = np.flatnonzero(self.stop > 0)
            state.racks_stopping[self.stop[slow] - 1, slow] += ending[slow]
        off = self.off_gpus(state)
        under_way = (state.racks_starting.sum(axis=0) + state.racks_stopping.sum(axis=0)) * self.gpus
        starting = np.clip(self.n_racks * self.gpus - off - used, 0, under_way)
        up = 1.0 if down is None else ~down
        state.off_gpu_s[:] += off * up * self.tick_s
        state.starting_gpu_s[:] += starting * up * self.tick_s

    def _call(self, state: State, wanted: IntArray) -> None:
        """Start racks until so many devices are on or starting, as far as racks are off."""
        starting, stopping = state.racks_starting.sum(axis=0), state.racks_stopping.sum(axis=0)
        short = _racks_for(wanted, self.gpus) - state.racks_on - starting
        more = np.clip(short, 0, self.n_racks - state.racks_on - starting - stopping)
        if not more.any():
            return
        at_once = self.start == 0
        state.racks_on[at_once] += more[at_once]
        slow = np.flatnonzero(~at_once)
        state.racks_starting[self.start[slow] - 1, slow] += more[slow]


def _shift(pipeline: IntArray) -> None:
    """Bring what comes after each number of ticks one tick nearer; the first row has come."""
    pipeline[:-1] = pipeline[1:].copy()
    pipeline[-1] = 0


def _racks_for(wanted: IntArray, gpus: IntArray) -> IntArray:
    """Racks that hold so many devices, 0 where there are none. [1]"""
    return np.asarray(np.where(gpus > 0, -(-wanted // np.maximum(gpus, 1)), 0), dtype=np.int64)


def off_saving_mw(inputs: SimulationInputs, step: int | slice, off_gpus: FloatArray | IntArray) -> FloatArray:
    """Meter power that devices in racks that are off draw less than idle ones, (..., site). [MW]"""
    return np.asarray(inputs.meter_factor[step] * off_gpus * _less_w(inputs) / W_PER_MW)


def with_racks(
    inputs: SimulationInputs,
    steps: slice,
    power: dict[str, FloatArray],
    off_gpus: FloatArray,
    starting_gpus: FloatArray,
) -> dict[str, FloatArray]:
    """Take racks that are off or starting into the power of sites over signal steps.

    Parameters
    ----------
    inputs : SimulationInputs
        The run.
    steps : slice
        Signal steps.
    power : dict of ndarray (step, site)
        From `twin.coupling.power_split_mw`, with all devices on. [MW]
    off_gpus, starting_gpus : ndarray (step, site)
        Mean devices in racks that are off, and in those that start or stop and that no job holds.

    Returns
    -------
    dict of ndarray (step, site)
        load_p_mw = compute + idle + rack_start + rack_off + migration + overhead. [MW]
    """
    free_w = inputs.sites.free_w
    split = dict(power)
    split["load_p_mw"] = power["load_p_mw"] - off_saving_mw(inputs, steps, off_gpus)
    split["rack_off_p_mw"] = off_gpus * (free_w - _less_w(inputs)) / W_PER_MW
    split["rack_start_p_mw"] = starting_gpus * free_w / W_PER_MW
    idle = power["idle_p_mw"] - (off_gpus + starting_gpus) * free_w / W_PER_MW
    split["idle_p_mw"] = np.maximum(idle, 0.0)
    parts = ("compute_p_mw", "idle_p_mw", "migration_p_mw", "rack_off_p_mw", "rack_start_p_mw")
    split["overhead_p_mw"] = split["load_p_mw"] - sum(split[part] for part in parts)
    return split


def _less_w(inputs: SimulationInputs) -> FloatArray:
    """IT power that a device in a rack that is off draws less than an idle one. [W]"""
    racks = inputs.sites.racks
    assert racks is not None
    return np.where(racks.gpus > 0, inputs.sites.free_w * (1.0 - racks.off_share), 0.0)
