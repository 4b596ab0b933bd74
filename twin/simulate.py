"""The loop: one object that brings jobs, sites, links and grids forward by one tick, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.battery_control import Batteries, Counters, with_batteries
from twin.commands import apply_commands
from twin.coupling import Coupling, power_split_mw, site_load_mw
from twin.failures import Breaks, begin_restarts, fail, interrupt
from twin.inputs import S_PER_H, SimulationInputs
from twin.live_moves import COLD, is_copied_ahead, is_frozen
from twin.outcome import make_record
from twin.pauses import advance_pauses
from twin.policies.base import Commands, Policy, View
from twin.rack_control import Racks, off_saving_mw, with_racks
from twin.racks import RACK_VARIABLES
from twin.record import RESIZE_VARIABLES, Recorder, SimulationRecord
from twin.scheduler import startable, usage
from twin.site_battery import BATTERY_VARIABLES
from twin.state import (
    DONE,
    LOADING,
    PAUSED,
    PAUSING,
    PER_STEP,
    QUEUED,
    RESIZING,
    RESUMING,
    RUNNING,
    SAVING,
    SENDING,
    WAITING,
    State,
    initial_state,
)
from twin.transfers import MoveModel, advance_moves, drop_moves
from twin.views import Published, make_view, publish

_MOVING = (SAVING, LOADING)

_Opened = tuple[BoolArray | None, Counters | None, bool]
"""Sites that are down, what batteries remember of the tick's beginning, whether anything changed."""


class Simulation:
    """A run of one policy.

    Time advances in integer ticks of exactly `tick_s`. Job ends, transfers and resumptions fall inside ticks
    exactly; arrivals, starts and decisions happen at tick boundaries, in that order. At the start of each
    signal step the grids are solved with the present draw and the policy decides; after its end they are
    solved with the mean load the sites really drew, which is the coupled dispatch that is accounted for.

    Parameters
    ----------
    inputs : SimulationInputs
        What the run depends on. Never changed.
    policy : Policy
        Decides where jobs run.

    Examples
    --------
    A run is nothing but steps, and may be interrupted between any two of them::

        simulation = Simulation(inputs, policy)
        while not simulation.finished:
            simulation.step()
        arrays = simulation.to_arrays()  # at any time; Simulation.from_arrays(inputs, policy, arrays) goes on
    """

    def __init__(self, inputs: SimulationInputs, policy: Policy) -> None:
        self.inputs = inputs
        self.policy = policy
        self._table = inputs.table
        self._coupling = Coupling.of(inputs)
        self._moves = MoveModel(inputs.table, inputs.migration, inputs.wan, inputs.sites.rel_throughput)
        self._state = initial_state(inputs.table.origin, inputs.n_sites, inputs.table.n_gpus)
        self._breaks = Breaks.of(inputs, self._moves)
        if self._breaks is not None:
            self._state.to_failure_gpu_h[:] = inputs.failures.drawn_gpu_h(inputs.table.n_jobs, 0)
        self._racks = Racks.of(inputs)
        if self._racks is not None:
            self._state = self._racks.begin(self._state)
        self._batteries = Batteries.of(inputs)
        if self._batteries is not None:
            self._state = self._batteries.begin(self._state)
        more = (
            *(RACK_VARIABLES if self._racks is not None else ()),
            *(BATTERY_VARIABLES if self._batteries is not None else ()),
            *(RESIZE_VARIABLES if self._table.is_elastic else ()),
        )
        self._log = Recorder(inputs.n_steps, inputs.n_sites, len(inputs.grids), more)
        self._published: Published | None = None
        self._n_dispatched = 0
        self._n_admitted, self._active = _admitted(self._state)
        self._opened: _Opened | None = None
        self._lately = np.arange(self._n_admitted)

    @property
    def state(self) -> State:
        """A copy of the present state that cannot be written."""
        return self._state.copy()

    @property
    def tick(self) -> int:
        """Ticks done."""
        return self._state.tick

    @property
    def now_s(self) -> float:
        """Time since the start of the run. [s]"""
        return float(self._state.tick * self.inputs.tick_s)

    @property
    def finished(self) -> bool:
        """Whether all ticks are done."""
        return self._state.tick >= self.inputs.n_ticks

    @property
    def record(self) -> SimulationRecord:
        """The record up to now; steps that are not finished are zero."""
        self._dispatch()
        return make_record(self.inputs, self.policy.name, self._state, self._log)

    @property
    def log(self) -> Recorder:
        """What was recorded up to now, with the dispatch of all finished steps; not to be changed."""
        self._dispatch()
        return self._log

    def look(self) -> View:
        """Return what the policy would be shown at the present tick, before it is asked.

        It may be replaced (`policy`) until the next :meth:`step`; looking changes no result.

        Raises
        ------
        RuntimeError
            After the last tick, or where no signals were published yet in this object.
        """
        if self.finished:
            raise RuntimeError(f"the run ended after {self.inputs.n_ticks} ticks; nothing is left to look at")
        self._open()
        if self._published is None:
            raise RuntimeError("nothing is published yet; look at the first tick of a signal step")
        return self._view(self._published)

    def step(self) -> None:
        """Advance by one tick.

        Raises
        ------
        RuntimeError
            After the last tick.
        CommandError
            Where the policy asks for what cannot be done.
        """
        if self.finished:
            raise RuntimeError(f"the run ended after {self.inputs.n_ticks} ticks; make a new Simulation")
        start = self.now_s
        end = float((self._state.tick + 1) * self.inputs.tick_s)
        down, before, changed = self._open()
        self._opened = None
        if changed:
            self._start_queued(start, self._decide())
        if self._racks is not None:
            used = usage(self._state, self._active, self.inputs.n_sites)
            self._racks.tend(self._state, used.total, down)
        active = self._lately = self._active
        phase = self._state.phase[active]
        moving = (phase >= _MOVING[0]) & (phase <= _MOVING[1])
        if self.inputs.migration.may_be_live:
            moving |= is_copied_ahead(self._state, active)
        advance_moves(
            self._state,
            self._moves,
            active[moving],
            start,
            end,
            self._log,
            down,
        )
        pausing = active[(phase == PAUSING) | (phase >= RESUMING)]
        advance_pauses(self._state, self._moves, pausing, start, end, self._log)
        self._run(active, start, end)
        if self._batteries is not None and before is not None:
            self._batteries.follow(self._state, before, down)
        self._state = self._state.at(self._state.tick + 1)
        if self._state.tick % self.inputs.ticks_per_step == 0:
            self._settle(self._step - 1)
            is_last = self._state.tick == self.inputs.n_ticks
            if is_last or self._step - self._n_dispatched >= _DISPATCHED_TOGETHER:
                self._dispatch()

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return state and record as flat named arrays, for writing."""
        self._dispatch()
        state = {f"state/{name}": values for name, values in self._state.to_arrays().items()}
        return state | {f"record/{name}": values for name, values in self._log.to_arrays().items()}

    @classmethod
    def from_arrays(
        cls, inputs: SimulationInputs, policy: Policy, arrays: Mapping[str, npt.NDArray[np.generic]]
    ) -> Simulation:
        """Take up a run from :meth:`to_arrays`; it goes on exactly as if it had not been interrupted."""
        new = cls(inputs, policy)
        parts: dict[str, dict[str, npt.NDArray[np.generic]]] = {"state": {}, "record": {}}
        for name, values in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = values
        new._state = State.from_arrays(parts["state"])
        new._log.load(parts["record"])
        new._n_dispatched = new._step
        new._n_admitted, new._active = _admitted(new._state)
        new._lately = np.arange(new._n_admitted)
        if new._state.tick % inputs.ticks_per_step and not new.finished:
            new._published = publish(inputs, new._step, new._state.marginal_curtailment)
        return new

    @property
    def _step(self) -> int:
        return self._state.tick // self.inputs.ticks_per_step

    def _open(self) -> _Opened:
        """Begin the present tick, once: who arrives, who is down, batteries, whether anything changed."""
        if self._opened is None:
            start = self.now_s
            self._admit(start)
            down = None if self.inputs.down is None else self._switch_off(self.inputs.down, start)
            before = None if self._batteries is None else self._batteries.before(self._state)
            racks_changed = self._racks is not None and self._racks.advance(self._state, self.inputs.down)
            if self._renewed:
                self._publish()
            self._opened = (down, before, racks_changed or self._has_changed(start))
        return self._opened

    @property
    def _renewed(self) -> bool:
        """Whether signals are renewed at the present tick."""
        return self._state.tick % self.inputs.ticks_per_step == 0

    def _admit(self, now: float) -> None:
        """Put jobs submitted by now into the queue of their origin."""
        n = int(np.searchsorted(self._table.submit_s, now, side="right"))
        new = np.arange(self._n_admitted, n)
        if new.size:
            self._n_admitted = n
            self._state.phase[new] = QUEUED
            self._active = np.concatenate([self._active, new])
            self._log.event("submitted", self._table.submit_s[new], new, site=self._table.origin[new])

    def _has_changed(self, now: float) -> bool:
        """Whether signals are renewed, or a job arrived or left GPUs since the last tick.

        Between, nothing new could be decided and no queued job could start.
        """
        state, before = self._state, now - self.inputs.tick_s
        arrived = self._n_admitted > 0 and self._table.submit_s[self._n_admitted - 1] > before
        renewed = self._renewed
        left: tuple[FloatArray, ...] = (state.end_s, state.sent_s, state.paused_s)
        if self._table.is_elastic:
            left = (*left, state.resize_saved_s)
        if self._breaks is not None:
            left = (*left, state.interrupted_s)
            arrived = arrived or self._sites_changed()
        return bool(renewed or arrived or any(np.any(times[self._lately] > before) for times in left))

    def _sites_changed(self) -> bool:
        """Whether a site goes down or comes back at this tick."""
        down, tick = self.inputs.down, self._state.tick
        return down is not None and tick > 0 and bool(np.any(down[tick] != down[tick - 1]))

    def _switch_off(self, down: BoolArray, now: float) -> BoolArray:
        """Interrupt the jobs at sites that go down now, but for those that only send; return who is down."""
        state, active = self._state, self._active
        here: BoolArray = down[state.tick]
        newly = here & ~down[state.tick - 1] if state.tick else here
        if newly.any() and self._breaks is not None:
            phase = state.phase[active]
            on_gpus = (phase >= RUNNING) & (phase != SENDING) & (phase != PAUSED)
            on_gpus |= is_frozen(state, active)
            job = active[on_gpus & newly[state.site[active]]]
            interrupt(state, self._breaks, job, now, "interrupted", self._log)
            self._lose_destinations(newly, now)
        return here

    def _lose_destinations(self, newly: BoolArray, now: float) -> None:
        """Let jobs that move live to sites which go down now stay, or start there anew where they stand."""
        state, active = self._state, self._active
        coming = active[(state.dest[active] >= 0) & newly[state.dest[active]] & (state.live[active] > 0)]
        state.live[coming[is_frozen(state, coming)]] = COLD
        job = coming[is_copied_ahead(state, coming)]
        drop_moves(state, job, now, np.zeros(job.size, dtype=np.bool_), self._log)

    def _decide(self) -> IntArray:
        """Let the policy act, and return the queued jobs it holds back."""
        renewed, phase = self._renewed, self._state.phase[self._active]
        if self._published is None or not (renewed or np.any((phase == QUEUED) | (phase == PAUSED))):
            return np.zeros(0, dtype=np.int64)
        view = self._view(self._published)
        commands = self.policy.decide(view)
        apply_commands(commands, self._state, self._moves, self.inputs, view, self._log)
        if self._racks is not None:
            self._claim(self._racks, commands, view)
        return commands.hold_job

    def _view(self, published: Published) -> View:
        return make_view(
            self.inputs, self._state, published, self._active, renewed=self._renewed, racks=self._racks
        )

    def _claim(self, racks: Racks, commands: Commands, view: View) -> None:
        """Let jobs that move, resume or become wider wait for the racks they need where they go."""
        state, moved, resumed = self._state, commands.move_job, commands.resume_job
        wider = commands.size_job[state.phase[commands.size_job] == RESIZING]
        wider = wider[state.new_gpus[wider] > state.n_gpus[wider]]
        job = np.concatenate([moved, resumed, wider])
        if not job.size:
            return
        used = usage(state, self._active, self.inputs.n_sites).total
        more = state.n_gpus[job]
        more[job.size - wider.size :] = (state.new_gpus - state.n_gpus)[wider]
        wait_s = racks.claim(state, job, more, used)
        n_resumed = moved.size + resumed.size
        state.ready_s[moved] = view.now_s + wait_s[: moved.size]
        state.send_s[moved] += wait_s[: moved.size]
        state.timer_s[resumed] += wait_s[moved.size : n_resumed]
        state.ready_s[wider] = view.now_s + wait_s[n_resumed:]

    def _publish(self) -> None:
        """Solve the grids with the present draw and publish what follows."""
        step, active = self._step, self._active
        used = usage(self._state, active, self.inputs.n_sites)
        load = site_load_mw(self.inputs, step, used.running, used.held)
        if self._racks is not None:
            load = load - off_saving_mw(self.inputs, step, self._racks.off_gpus(self._state))
        if self.inputs.down is not None:
            load = np.where(self.inputs.down[self._state.tick], 0.0, load)
        marginal = self._coupling.marginal_curtailment(step, load)
        self._state.marginal_curtailment[:] = marginal
        self._published = publish(self.inputs, step, marginal)
        queued = active[self._state.phase[active] == QUEUED]
        count = np.bincount(self._state.site[queued], minlength=self.inputs.n_sites).astype(float)
        self._log.at_step(step, operating_marginal_curtailment=marginal, queued_jobs=count)
        if self._batteries is not None:
            self._log.at_step(step, battery_stored_mwh=self._state.battery_stored_mwh)

    def _start_queued(self, now: float, held_back: IntArray) -> None:
        """Start queued jobs where GPUs are free, but for those that are held back."""
        state, table = self._state, self._table
        active = self._active
        queued = active[state.phase[active] == QUEUED]
        state.racks_wanted[:] = 0
        if held_back.size:
            queued = queued[~np.isin(queued, held_back)]
        if not queued.size:
            return
        queued = table.by_priority(queued)
        used = usage(state, active, self.inputs.n_sites).total
        free = self.inputs.gpu_capacity - used
        if self.inputs.down is not None:
            used, free = (np.where(self.inputs.down[state.tick], 0, n) for n in (used, free))
        waited = now - table.submit_s[queued]
        go = startable(
            state.site[queued], state.n_gpus[queued], waited, free, self.inputs.backfill_patience_s
        )
        if self._racks is not None:
            go = self._racks.let_start(state, state.site[queued], state.n_gpus[queued], go, used)
        job = queued[go]
        first: FloatArray | float = now
        if self._breaks is not None:
            again = state.done_gpu_h[job] > 0.0
            begin_restarts(state, self._moves, job[again], now, self._log)
            job = job[~again]
            first = np.fmin(state.first_start_s[job], now)
        state.phase[job] = RUNNING
        state.run_from_s[job] = now
        state.first_start_s[job] = first
        state.timer_s[job] = now + self._moves.run_s(state, job)
        self._log.event("started", now, job, site=state.site[job])

    def _run(self, active: IntArray, start: float, end: float) -> None:
        """Let running jobs run; a job that ends inside the tick ends exactly."""
        state = self._state
        job = active[state.phase[active] == RUNNING]
        seconds = np.minimum(state.timer_s[job], end) - np.maximum(state.run_from_s[job], start)
        weights = state.n_gpus[job] * seconds
        state.busy_gpu_s[:] += np.bincount(state.site[job], weights=weights, minlength=self.inputs.n_sites)
        if self._table.is_elastic:
            paced = state.pace_gpus[job] * seconds
            state.paced_gpu_s[:] += np.bincount(state.site[job], weights=paced, minlength=self.inputs.n_sites)
        done = job[state.timer_s[job] <= end]
        if done.size and self._breaks is not None:
            done = fail(state, self._breaks, done, self._log)
        if not done.size:
            return
        state.phase[done] = DONE
        state.end_s[done] = state.timer_s[done]
        if self._table.is_elastic:
            ran_h = (state.end_s[done] - state.run_from_s[done]) / S_PER_H
            state.extra_gpu_h[done] += ran_h * (state.n_gpus[done] - state.pace_gpus[done])
        state.done_gpu_h[done] = self._table.work_gpu_h[done]
        self._active = active[state.phase[active] != DONE]
        self._log.event("finished", state.end_s[done], done, site=state.site[done])

    def _settle(self, step: int) -> None:
        """Close a signal step: record what sites and links did in it."""
        state, inputs = self._state, self.inputs
        worked_gpu_s = state.paced_gpu_s if self._table.is_elastic else state.busy_gpu_s
        self._log.at_step(
            step,
            busy_gpus=state.busy_gpu_s / inputs.signal_step_s,
            held_gpus=state.loaded_gpu_s / inputs.signal_step_s,
            reserved_gpus=state.reserved_gpu_s / inputs.signal_step_s,
            progress_gpu_h=worked_gpu_s * inputs.sites.rel_throughput / S_PER_H,
            wan_gb=state.wan_gb,
        )
        if self._racks is not None:
            self._log.at_step(step, **self._racks.of_step(state, inputs.signal_step_s))
        if self._batteries is not None:
            stored_mwh = self._log.sites["battery_stored_mwh"][step]
            self._log.at_step(step, **self._batteries.of_step(state, stored_mwh))
        if self._table.is_elastic:
            self._log.at_step(
                step,
                paced_gpus=state.paced_gpu_s / inputs.signal_step_s,
                resizing_gpus=state.resizing_gpu_s / inputs.signal_step_s,
            )
        for name in PER_STEP:
            getattr(state, name)[:] = 0.0

    def _dispatch(self) -> None:
        """Feed the mean load of steps that are closed back into the dispatch, and record it, many at a time.

        No decision depends on it, and a step's answer not on which ones are solved with it.
        """
        steps = slice(self._n_dispatched, self._step)
        if steps.start == steps.stop:
            return
        did = (self._log.sites[name][steps] for name in ("busy_gpus", "held_gpus", "wan_gb"))
        power = power_split_mw(self.inputs, steps, *did)
        if self._racks is not None:
            gpus = (self._log.sites[name][steps] for name in ("off_gpus", "starting_gpus"))
            power = with_racks(self.inputs, steps, power, *gpus)
        if self._batteries is not None:
            ways = (self._log.sites[f"battery_{way}_p_mw"][steps] for way in ("charge", "discharge"))
            power = with_batteries(power, *ways)
        self._log.at_step(steps, **power)
        for index, values in enumerate(self._coupling.solve(steps, power["load_p_mw"])):
            self._log.dispatch(index, steps, values)
        self._n_dispatched = steps.stop


_DISPATCHED_TOGETHER = 96
"""Steps whose accounted dispatch is solved at once."""


def _admitted(state: State) -> tuple[int, IntArray]:
    """Number of jobs submitted so far, and the rows of those that are not done."""
    submitted = state.phase != WAITING
    return int(np.count_nonzero(submitted)), np.flatnonzero(submitted & (state.phase != DONE))


def run_simulation(
    inputs: SimulationInputs, policy: Policy, *, progress: Callable[[int, int], None] | None = None
) -> SimulationRecord:
    """Run a policy to the end; nothing but steps.

    Parameters
    ----------
    inputs : SimulationInputs
        What the run depends on.
    policy : Policy
        Decides where jobs run.
    progress : callable, optional
        Called with the number of signal steps done and in all, after each.

    Returns
    -------
    SimulationRecord
        The finished record.
    """
    simulation = Simulation(inputs, policy)
    per_step = inputs.ticks_per_step
    while not simulation.finished:
        simulation.step()
        if progress is not None and simulation.tick % per_step == 0:
            progress(simulation.tick // per_step, inputs.n_steps)
    return simulation.record
