"""The published week at CAISO NP15: what the data folder says of it, and what jobs at one site make of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def study(repository: Path) -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("caiso_np15", repository / "benchmarks" / "caiso_np15.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "caiso_np15", module)
        spec.loader.exec_module(module)
    return module


def test_the_week_is_the_published_one(study: ModuleType, real_data: Path) -> None:
    assert real_data.is_dir()
    week = study.read_week()
    assert len(week.jobs) == 800
    assert week.demand_mwh == pytest.approx(2006, abs=1)
    assert week.usable_mw.sum() == pytest.approx(1526, abs=1)
    assert study.no_shifting_mwh(week) == pytest.approx(910, abs=1)
    assert study.fluid_optimum_mwh(week) == pytest.approx(1488, abs=1)
    assert study.as_released(week.jobs, week.jobs["p_mw"].to_numpy()).max() == pytest.approx(20.0)


def test_pausing_with_checkpoints_comes_near_the_fluid_optimum(study: ModuleType, real_data: Path) -> None:
    assert real_data.is_dir()
    week = study.read_week()
    record, inputs = study.simulate_temporal(week)
    assert study.served_mwh(week, record, inputs) > 0.97 * 1488
    assert (record.pauses["load_s"].dropna() > 300.0).all()
    assert record.pauses["energy_mwh"].sum() > 0.0
    closed = week.curtailed_mw == 0.0
    # What was loading when the surplus ended runs until the next signals, no more.
    assert record.sites["compute_p_mw"][closed].sum() < 0.1
    assert record.sites["load_p_mw"].max() <= 20.0 + 1.0 + 1e-3  # jobs and the fixed power of the site


def test_never_interrupting_serves_more_than_was_published(study: ModuleType, real_data: Path) -> None:
    assert real_data.is_dir()
    week = study.read_week()
    load = study.never_interrupted(week, battery=False)
    assert load.sum() > 223.9
    assert np.all(load <= week.usable_mw + 1e-4)


def week_of(study: ModuleType, curtailed: list[float], jobs: list[tuple[int, int, float]]) -> object:
    frame = pd.DataFrame(jobs, columns=["release_h", "hours", "p_mw"])
    series = np.zeros(study.HOURS)
    series[: len(curtailed)] = curtailed
    return study.Week(series, frame)


def test_small_weeks_by_hand(study: ModuleType) -> None:
    # Two hours of 10 MW; a long job that never fits, two of one hour, one of two hours.
    jobs = [(0, 100, 5.0), (0, 1, 6.0), (1, 1, 6.0), (0, 2, 4.0)]
    week = week_of(study, [10.0, 10.0], jobs)
    assert study.never_interrupted(week, battery=False)[:3] == pytest.approx([10.0, 10.0, 0.0])
    # The long one takes what the others leave: all 20 MWh, if jobs are divisible.
    assert study.fluid_optimum_mwh(week) == pytest.approx(20.0)
    assert study.no_shifting_mwh(week) == pytest.approx(20.0)


def test_a_battery_carries_a_job_beyond_the_surplus(study: ModuleType) -> None:
    # 20 MW for an hour: 4 MW for the job, 16 MW into the battery, of which nine tenths come out again.
    week = week_of(study, [20.0], [(0, 4, 4.0), (0, 6, 3.5)])
    load = study.never_interrupted(week, battery=True)
    assert load[:5] == pytest.approx([4.0, 4.0, 4.0, 4.0, 0.0])
    assert study.uncovered_mwh(week, load, battery=True) == pytest.approx(0.0, abs=1e-3)
    assert study.uncovered_mwh(week, load, battery=False) == pytest.approx(12.0)
    # 4 + 12 / 0.9 MW is what it takes; a megawatt less and the job is not begun.
    short = week_of(study, [16.3], [(0, 4, 4.0)])
    assert study.never_interrupted(short, battery=True).sum() == 0.0
