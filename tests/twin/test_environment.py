"""The Gymnasium environment: Gymnasium's own checks, and that its rewards are what the accounting says."""

from __future__ import annotations

import pickle
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from twin import Scenario
from twin.environment import CurtailmentEnv
from twin.policies import POLICIES
from twin.preparation import Prepared, prepare
from twin.progress import silent
from twin.simulate import run_simulation
from twin.stages import StageCache
from weather import InputError

PACKAGE = Path(__file__).parents[2] / "twin"
SCENARIO_JOBS = {"jobs": "scenario"}


@pytest.fixture(scope="module")
def prepared(small_scenario: Scenario) -> Prepared:
    return prepare(small_scenario, StageCache(), silent)


@pytest.fixture
def env(prepared: Prepared) -> CurtailmentEnv:
    return CurtailmentEnv(prepared)


def run_episode(env: CurtailmentEnv, *, action: np.ndarray | None = None, seed: int = 0) -> dict[str, float]:
    """Sums over what is left of an episode, whose actions are random where none is given."""
    rng, sums, done = np.random.default_rng(seed), {"reward": 0.0}, False
    while not done:
        told = rng.uniform(-1, 1, env.neutral_action.shape) if action is None else action
        observation, reward, done, truncated, info = env.step(told.astype(np.float32))
        assert env.observation_space.contains(observation)
        assert not truncated
        sums = {key: sums.get(key, 0.0) + value for key, value in info.items()} | {
            "reward": sums["reward"] + reward
        }
    return sums


def test_gymnasium_accepts_it(env: CurtailmentEnv) -> None:
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("inner", ["feasibility_aware", "energy_greedy"])
def test_a_neutral_action_does_what_the_inner_rule_does_in_a_study(prepared: Prepared, inner: str) -> None:
    env = CurtailmentEnv(prepared, inner=inner)
    env.reset(seed=4, options=SCENARIO_JOBS)
    run_episode(env, action=env.neutral_action)
    alone = run_simulation(prepared.inputs, POLICIES[inner]())
    assert env.record.events.equals(alone.events)
    assert np.array_equal(env.record.sites["load_p_mw"], alone.sites["load_p_mw"])


def test_rewards_sum_to_what_the_accounting_says(prepared: Prepared) -> None:
    env = CurtailmentEnv(prepared, delay_price=0.002)
    env.reset(seed=5)
    sums = run_episode(env)
    score, jobs = env.score(), env.record.jobs
    assert sums["absorbed_mwh"] == pytest.approx(score.absorbed_mwh, abs=1e-6)
    assert sums["compute_mwh"] == pytest.approx(score.compute_mwh, abs=1e-6)
    assert sums["refused"] == sum(score.migrations_refused.values())
    end_s = jobs["end_s"].fillna(48 * 3600.0).clip(upper=48 * 3600.0)
    present_gpu_h = float((jobs["n_gpus"] * (end_s - jobs["submit_s"])).sum()) / 3600.0
    delay_gpu_h = present_gpu_h - float(env.record.sites["busy_gpus"].sum())
    assert sums["delay_gpu_h"] == pytest.approx(delay_gpu_h, rel=1e-9)
    assert sums["reward"] == pytest.approx(score.absorbed_mwh - 0.002 * delay_gpu_h, abs=1e-6)


def test_the_seed_decides_on_the_episode(env: CurtailmentEnv) -> None:
    def episode(seed: int | None) -> tuple[list[float], dict[str, float]]:
        first, info = env.reset(seed=seed)
        rest = [env.step(env.neutral_action)[0] for _ in range(6)]
        return np.concatenate([first, *rest]).tolist(), info

    one, again, other, next_one = episode(1), episode(1), episode(2), episode(None)
    assert one == again
    assert one[0] != other[0]
    assert len({tuple(map(str, run[1].items())) for run in (one, other, next_one)}) == 3


def test_a_trace_begins_at_a_drawn_time(prepared: Prepared) -> None:
    usual, first, later = (
        CurtailmentEnv(prepared, trace_start_h=at) for at in (None, (0.0, 0.0), (9.0, 9.0))
    )
    for env in (usual, first, later):
        env.reset(seed=3)
    assert usual.record.jobs.equals(first.record.jobs)
    assert not usual.record.jobs.equals(later.record.jobs)


def test_a_pickled_episode_goes_on_as_the_first(env: CurtailmentEnv) -> None:
    env.reset(seed=6)
    for _ in range(5):
        env.step(env.neutral_action)
    copy = pickle.loads(pickle.dumps(env))
    assert run_episode(copy) == run_episode(env)


def test_several_run_side_by_side(prepared: Prepared) -> None:
    def make() -> CurtailmentEnv:
        return CurtailmentEnv(prepared)

    told = []
    for kind in (SyncVectorEnv, AsyncVectorEnv):
        envs = kind([make, make])
        first, info = envs.reset(seed=[1, 2])
        second, reward, *_ = envs.step(np.zeros((2, 24), dtype=np.float32))
        told.append((first.tolist(), second.tolist(), reward.tolist(), info["jobs"].tolist()))
        envs.close()
    assert told[0] == told[1]
    assert told[0][3][0] != told[0][3][1]


def test_what_is_wrong_is_said(env: CurtailmentEnv, prepared: Prepared) -> None:
    with pytest.raises(RuntimeError, match="call reset first"):
        env.step(env.neutral_action)
    with pytest.raises(InputError) as error:
        CurtailmentEnv(prepared, overrides=["time.days=2"], delay_price=-1.0, trace_start_h=(2.0, 1.0))
    assert {f.where for f in error.value.findings} == {"delay_price", "trace_start_h", "overrides"}
    with pytest.raises(InputError, match="jobs"):
        env.reset(options={"jobs": "mine"})
    env.reset(seed=0)
    with pytest.raises(ValueError, match="give \\(24,\\) numbers"):
        env.step(np.full(24, 1.5, dtype=np.float32))


def test_without_gymnasium_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"pip install curtailment-twin\[learn\]"):
        runpy.run_path(str(PACKAGE / "environment.py"))


def test_nothing_else_needs_gymnasium() -> None:
    needing = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if "import gymnasium" in (t := path.read_text()) or "from gymnasium" in t
    ]
    assert needing == ["environment.py"]
    importing = [path.name for path in PACKAGE.rglob("*.py") if "twin.environment import" in path.read_text()]
    assert importing == []
