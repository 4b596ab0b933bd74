"""A study as a Gymnasium environment: an agent steers an inner rule, a signal step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import JsonValue

from twin._arrays import FloatArray
from twin.accounting import Score, account
from twin.inputs import S_PER_H, SimulationInputs
from twin.observation import Observation, Vector
from twin.policies.steered import PARTS, Steered
from twin.preparation import Prepared, make_jobs, prepare
from twin.progress import silent
from twin.record import KIND_CODE, SimulationRecord
from twin.scenario import load_scenario
from twin.scenario_model import Scenario
from twin.simulate import Simulation
from twin.stages import StageCache
from weather import Findings

try:
    from gymnasium import Env
    from gymnasium.spaces import Box
except ImportError as error:  # pragma: no cover - the tests' environment has it
    raise ImportError(
        "twin.environment needs the package gymnasium; install it with: pip install curtailment-twin[learn]"
    ) from error

DEFAULT_DELAY_PRICE_MWH_PER_GPU_H = 1e-4
"""Price of an hour in which a job's GPU waits: about a tenth of what a busy H100 draws in it. [MWh/GPU-h]"""

Info = dict[str, float]


class CurtailmentEnv(Env[Vector, Vector]):
    """A study whose jobs an agent steers; one step is one signal step.

    **Observation**: :class:`twin.observation.Observation`, a vector of what a policy sees and nothing of the
    future; `observation.names` says what is where.

    **Action**: three numbers per site in [−1, 1], `lift`, `welcome` and `wait` of
    :class:`twin.policies.steered.Steered`, first those of all sites of one kind. Zeros leave the inner rule
    as it is. It holds for the whole signal step.

    **Reward**: curtailment absorbed in the step, from the dispatch without sites and the one with what they
    really drew [MWh], less `delay_price` times the GPU-hours in which jobs that have come and not ended do
    not run. Both are in `info` (`absorbed_mwh`, `delay_gpu_h`), with the draw of the sites (`compute_mwh`),
    moves begun and refused (`moves`, `refused`) and the number of the step (`step`). Over an episode
    `absorbed_mwh` sums to what the accounting says; it is below 0 where sites add to curtailment.

    An episode is the scenario's run with its drain period, and then it is `terminated`; the last observation
    is the one before. Weather, grid and outages are the scenario's in all episodes; jobs are drawn
    anew for each. ``reset(options={"jobs": "scenario"})`` takes the scenario's own.

    Parameters
    ----------
    study : str, Path, mapping, Scenario or Prepared
        A scenario as of :func:`twin.load_scenario`, or a study that is prepared, which saves the preparation.
    overrides : sequence of str, optional
        Assignments as of :func:`twin.load_scenario`; only with a scenario that is read.
    inner : str, optional
        Rule that is steered: ``static``, ``energy_greedy`` or ``feasibility_aware``.
    delay_price : float, optional
        Price of delay, at least 0. [MWh/GPU-h]
    max_wait_h : float, optional
        How long a job may be made to wait in all. [h]
    trace_start_h : tuple of float, optional
        Each episode's trace of jobs begins at a time drawn between these; the scenario's
        ``jobs.trace_start_h`` when absent. [h]

    Raises
    ------
    weather.InputError
        Where the scenario or an option is bad, with every finding.

    Examples
    --------
    ::

        env = CurtailmentEnv("default", overrides=["time.days=3"])
        observation, info = env.reset(seed=1)
        observation, reward, terminated, truncated, info = env.step(env.neutral_action)
    """

    metadata: ClassVar[dict[str, object]] = {"render_modes": []}  # type: ignore[misc]  # Env's is no ClassVar

    def __init__(
        self,
        study: str | Path | Mapping[str, JsonValue] | Scenario | Prepared,
        *,
        overrides: Sequence[str] = (),
        inner: str = "feasibility_aware",
        delay_price: float = DEFAULT_DELAY_PRICE_MWH_PER_GPU_H,
        max_wait_h: float = 24.0,
        trace_start_h: tuple[float, float] | None = None,
    ) -> None:
        _check(delay_price, trace_start_h, has_overrides=bool(overrides), study=study)
        policy = Steered(inner=inner, max_wait_h=max_wait_h)
        self.prepared = _prepared(study, overrides)
        self._policy, self._delay_price, self._trace_start_h = policy, delay_price, trace_start_h
        inputs = self.prepared.inputs
        start = inputs.start
        self.observation = Observation(inputs.sites.name, start.hour + start.minute / 60.0)
        self.observation_space = Box(self.observation.low, self.observation.high, dtype=np.float32)
        self.action_space = Box(-1.0, 1.0, (len(PARTS) * inputs.n_sites,), dtype=np.float32)
        self._baseline_mwh = _baseline_curtailed_mwh(self.prepared)
        self._simulation: Simulation | None = None
        self._seen = np.zeros(self.observation.low.shape, dtype=np.float32)
        self._counted = np.zeros(2)

    @property
    def neutral_action(self) -> Vector:
        """The action that leaves the inner rule as it is."""
        return np.zeros(self.action_space.shape or (), dtype=np.float32)

    @property
    def record(self) -> SimulationRecord:
        """Everything recorded in the episode up to now."""
        return self._running().record

    def score(self) -> Score:
        """Return the score of an episode that has ended, with all balances checked."""
        baselines = [_in_run(self.prepared, grid.baseline) for grid in self.prepared.grids]
        return account(self.record, baselines)

    def reset(
        self, *, seed: int | None = None, options: dict[str, JsonValue] | None = None
    ) -> tuple[Vector, Info]:
        """Begin an episode.

        Parameters
        ----------
        seed : int, optional
            The same seed gives the same episode, another one other jobs; without it, the next episode of the
            stream that the last seed began.
        options : dict, optional
            ``{"jobs": "scenario"}`` takes the scenario's own jobs, whatever the seed.

        Returns
        -------
        tuple
            First observation, and info with the seed of the jobs and their number.
        """
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**31))
        share = float(self.np_random.random())
        inputs = self.prepared.inputs
        if not _wants_own_jobs(options):
            inputs = replace(inputs, jobs=self._jobs(drawn, share))
        self._simulation = Simulation(inputs, self._policy)
        self._counted = np.zeros(2)
        self._seen = self.observation.of(self._simulation.look())
        return self._seen.copy(), {"jobs": float(len(inputs.jobs)), "jobs_seed": float(drawn)}

    def step(self, action: Vector) -> tuple[Vector, float, bool, bool, Info]:
        """Steer through one signal step.

        Parameters
        ----------
        action : ndarray (3 · site)
            In `action_space`.

        Returns
        -------
        tuple
            Observation, reward [MWh], terminated, truncated (never), info.

        Raises
        ------
        ValueError
            Where the action is outside its space.
        RuntimeError
            Before the first reset, and after the end of an episode.
        """
        if not self.action_space.contains(np.asarray(action, dtype=np.float32)):
            shape = self.action_space.shape
            raise ValueError(
                f"action {action!r}: give {shape} numbers in [-1, 1], `neutral_action` is one such"
            )
        simulation = self._running()
        step = simulation.tick // simulation.inputs.ticks_per_step
        simulation.policy = self._policy.steer(np.asarray(action, dtype=np.float64))
        for _ in range(simulation.inputs.ticks_per_step):
            simulation.step()
        info = self._told(simulation, step)
        reward = info["absorbed_mwh"] - self._delay_price * info["delay_gpu_h"]
        if not simulation.finished:
            self._seen = self.observation.of(simulation.look())
        return self._seen.copy(), reward, simulation.finished, False, info

    def _running(self) -> Simulation:
        if self._simulation is None:
            raise RuntimeError("no episode is under way; call reset first")
        return self._simulation

    def _jobs(self, seed: int, share: float) -> pd.DataFrame:
        """Jobs of an episode."""
        scenario = self.prepared.scenario
        changed: dict[str, object] = {"seed": seed}
        if self._trace_start_h is not None:
            first, last = self._trace_start_h
            begin = {"trace_start_h": first + share * (last - first)}
            changed["jobs"] = scenario.jobs.model_copy(update=begin)
        return make_jobs(scenario.model_copy(update=changed), self.prepared.inputs.sites)

    def _told(self, simulation: Simulation, step: int) -> Info:
        """What a finished step did."""
        log, inputs = simulation.log, simulation.inputs
        curtailed = sum(float(grid["curtailed_p_mw"][step].sum()) for grid in log.grids) * inputs.step_h
        kind = log.events.arrays()["kind"]
        counts = [np.count_nonzero(kind == KIND_CODE[name]) for name in ("move_begun", "move_refused")]
        moves, refused = np.array(counts, dtype=np.float64) - self._counted
        self._counted = np.array(counts, dtype=np.float64)
        busy_gpu_h = float(log.sites["busy_gpus"][step].sum()) * inputs.step_h
        return {
            "absorbed_mwh": float(self._baseline_mwh[step]) - curtailed,
            "delay_gpu_h": _present_gpu_h(simulation, step) - busy_gpu_h,
            "compute_mwh": float(log.sites["load_p_mw"][step].sum()) * inputs.step_h,
            "moves": float(moves),
            "refused": float(refused),
            "step": float(step),
        }


def _present_gpu_h(simulation: Simulation, step: int) -> float:
    """GPU-hours that jobs which have come and not ended need in a finished step. [GPU-h]"""
    inputs, table = simulation.inputs, simulation.inputs.table
    first, last = step * inputs.signal_step_s, (step + 1) * inputs.signal_step_s
    seconds = np.fmin(simulation.state.end_s, last) - np.maximum(table.submit_s, first)
    return float(np.sum(table.n_gpus * np.maximum(seconds, 0.0)) / S_PER_H)


def _baseline_curtailed_mwh(prepared: Prepared) -> FloatArray:
    """Curtailed without the sites in each step of the run. [MWh]"""
    inputs: SimulationInputs = prepared.inputs
    total = np.zeros(inputs.n_steps)
    for grid in prepared.grids:
        total += _in_run(prepared, grid.baseline)["curtailed_p_mw"].sum("unit").to_numpy() * inputs.step_h
    return total


def _in_run(prepared: Prepared, data: xr.Dataset) -> xr.Dataset:
    """Return the part of a Dataset after the history."""
    return data.isel(time=slice(prepared.scenario.time.n_history, None))


def _prepared(
    study: str | Path | Mapping[str, JsonValue] | Scenario | Prepared, overrides: Sequence[str]
) -> Prepared:
    """Return a study that is ready, prepared here unless it is already."""
    if isinstance(study, Prepared):
        return study
    scenario = study if isinstance(study, Scenario) else load_scenario(study, overrides=overrides)
    return prepare(scenario, StageCache(), silent)


def _check(
    delay_price: float, trace_start_h: tuple[float, float] | None, *, has_overrides: bool, study: object
) -> None:
    """Refuse options outside their range."""
    findings = Findings()
    if not 0.0 <= delay_price < np.inf:
        findings.add("delay_price", f"is {delay_price} MWh/GPU-h", "give at least 0")
    if trace_start_h is not None and not 0.0 <= trace_start_h[0] <= trace_start_h[1] < np.inf:
        findings.add("trace_start_h", f"is {trace_start_h} h", "give two times >= 0, the earlier first")
    if has_overrides and isinstance(study, Scenario | Prepared):
        findings.add("overrides", "come with a scenario that is read already", "give them to load_scenario")
    findings.raise_if_any("environment")


def _wants_own_jobs(options: dict[str, JsonValue] | None) -> bool:
    """Whether an episode has the scenario's own jobs."""
    given = options or {}
    findings = Findings()
    for key, value in given.items():
        if (key, value) != ("jobs", "scenario"):
            findings.add(f"options.{key}", f"is {value!r}", 'the only one is {"jobs": "scenario"}')
    findings.raise_if_any("reset")
    return bool(given)
