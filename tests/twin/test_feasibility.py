from __future__ import annotations

from dataclasses import fields
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.feasibility import CLASSES, REASONS, Feasibility, feasibility
from twin.migration import MigrationModel
from weather import InputError

NO_START = MigrationModel(start_up_s=0.0, warm_up_s=0.0)


def verdict(**changes: Any) -> Feasibility:
    """A move that takes 50 + 80 + 350 = 480 s and holds 3.6 kW, in a window of two hours."""
    options: dict[str, Any] = {
        "checkpoint_gb": 100.0,
        "bandwidth_gbit_per_s": 10.0,
        "window_s": 7200.0,
        "goodput": 1.0,
        "job_power_mw": 0.0072,
        "hold_power_mw": 0.0036,
        "wan_kwh_per_gb": 0.0,
    }
    return feasibility(**(options | changes))


def test_all_quantities_by_hand() -> None:
    f = verdict(
        gain=0.5,
        wan_kwh_per_gb=0.001,
        deadline_s=10000.0,
        remaining_s=9000.0,
        free_gpus=20,
        memory_gb_per_gpu=60.0,
    )
    e_mig_mwh = 480 * 0.0036 / 3600 + 0.1 / 1000
    t_be_s = e_mig_mwh * 3600 / (0.0072 * 0.5)
    assert float(f.t_mig_s) == 480.0
    assert float(f.e_mig_mwh) == pytest.approx(e_mig_mwh)
    assert float(f.t_be_s) == pytest.approx(t_be_s)
    assert float(f.r) == pytest.approx(480 / 7200)
    expected = {"time": 240.0, "energy": 6720 - t_be_s, "capacity": 12.0, "link": 10.0, "deadline": 520.0}
    expected["memory"] = 80.0 - 60.0
    assert {k: float(v) for k, v in f.margins.items()} == pytest.approx(expected)
    assert f.feasible
    assert str(f.reason) == "feasible"
    assert REASONS[int(f.tightest)] == "time"
    assert str(f.klass) == "B"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "feasible"),
        ({"window_s": 4799.0}, "time"),
        ({"window_s": 4800.0}, "feasible"),
        ({"window_s": 0.0}, "energy"),  # not even the energy of the move comes back: W − T − T_BE < α·W − T
        ({"gain": 0.0}, "energy"),
        ({"gain": -0.3}, "energy"),
        ({"job_power_mw": 0.0}, "energy"),
        ({"wan_kwh_per_gb": 0.2}, "energy"),
        ({"free_gpus": 7}, "capacity"),
        ({"free_gpus": 8}, "feasible"),
        ({"bandwidth_gbit_per_s": 0.0}, "link"),
        ({"min_bandwidth_gbit_per_s": 11.0}, "link"),
        ({"deadline_s": 1000.0, "remaining_s": 521.0}, "deadline"),
        ({"deadline_s": 1000.0, "remaining_s": 520.0}, "feasible"),
        ({"deadline_s": -1.0}, "deadline"),
        ({"free_gpus": 7, "bandwidth_gbit_per_s": 0.0, "gain": 0.0}, "link"),
        ({"free_gpus": 7, "gain": 0.0}, "capacity"),
        ({"memory_gb_per_gpu": 80.0}, "feasible"),  # an H100 has as much
        ({"memory_gb_per_gpu": 80.1}, "memory"),
        ({"memory_gb_per_gpu": 20.0, "device_memory_gb": 16.0}, "memory"),
        ({"memory_gb_per_gpu": 20.0, "device": "t4"}, "memory"),
        ({"memory_gb_per_gpu": 12.5, "device": "k80"}, "memory"),  # a board of two GPUs with 12 GB each
        ({"memory_gb_per_gpu": 81.0, "free_gpus": 7, "bandwidth_gbit_per_s": 0.0}, "memory"),
    ],
)
def test_which_condition_binds(changes: dict[str, Any], reason: str) -> None:
    f = verdict(**changes)
    assert str(f.reason) == reason
    assert bool(f.feasible) == (reason == "feasible")


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 8.9, 9.1, 50.0])
def test_time_binds_first_unless_break_even_exceeds_its_multiple(alpha: float, ratio: float) -> None:
    # T_BE = ratio · T_mig by choice of the job's power; at the edge of the time condition W = T_mig / alpha.
    f = verdict(alpha=alpha, class_a=0.0, window_s=480.0 / alpha, job_power_mw=0.0036 / ratio)
    assert float(f.t_be_s) == pytest.approx(480 * ratio)
    assert REASONS[int(f.tightest)] == ("energy" if ratio > 1 / alpha - 1 else "time")


@pytest.mark.parametrize(
    ("window_s", "klass"), [(0.0, "C"), (4799.0, "C"), (4800.0, "B"), (47999.0, "B"), (48000.0, "A")]
)
def test_classes_at_their_edges(window_s: float, klass: str) -> None:
    assert str(verdict(window_s=window_s).klass) == klass


def test_limit_cases_without_nan() -> None:
    f = verdict(
        checkpoint_gb=[0.0, 0.0, 100.0, 0.0],
        bandwidth_gbit_per_s=[0.0, 10.0, np.inf, 10.0],
        window_s=[0.0, 0.0, 1e9, 0.0],
        gain=[0.0, 1.0, 1.0, 0.0],
        migration=NO_START,
    )
    assert f.reason.tolist() == ["link", "feasible", "feasible", "energy"]
    assert f.r[0] == np.inf
    for field in fields(f):
        assert not np.any(np.isnan(np.asarray(getattr(f, field.name), dtype=float))), field.name


def test_margins_decide_feasibility() -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    f = feasibility(
        rng.uniform(0, 3000, n),
        rng.uniform(0, 40, n) * (rng.random(n) > 0.1),
        rng.uniform(0, 3e5, n),
        gain=rng.uniform(-0.3, 1, n),
        n_gpus=rng.integers(1, 64, n),
        free_gpus=rng.integers(0, 200, n),
        remaining_s=rng.uniform(0, 1e5, n),
        deadline_s=rng.uniform(0, 4e5, n),
        memory_gb_per_gpu=rng.uniform(0, 85, n),
        wan_kwh_per_gb=0.06,
    )
    holds = np.all([margin >= 0 for margin in f.margins.values()], axis=0)
    assert np.array_equal(f.feasible, holds)
    assert np.array_equal(f.feasible, f.binding == 0)
    for code, name in enumerate(REASONS[1:], start=1):
        assert np.all(f.margins[name][f.binding == code] < 0)
        assert np.any(f.binding == code), f"the sample has no case of {name}"
    assert set(f.klass) == set(CLASSES)


def test_scalars_arrays_and_broadcasting_agree() -> None:
    sizes, rates, windows = [0.0, 10.0, 800.0], [0.0, 1.0, 100.0], [0.0, 3600.0, 9e4]
    cube = feasibility(
        np.array(sizes)[:, None, None],
        np.array(rates)[:, None],
        windows,
        gain=np.array([-1.0, 0.2, 1.0])[:, None, None, None],
    )
    assert cube.feasible.shape == (3, 3, 3, 3)
    for g, gain in enumerate((-1.0, 0.2, 1.0)):
        for i, size in enumerate(sizes):
            for j, rate in enumerate(rates):
                for k, window in enumerate(windows):
                    alone = feasibility(size, rate, window, gain=gain)
                    for field in fields(alone):
                        assert getattr(alone, field.name) == getattr(cube, field.name)[g, i, j, k], field.name


amounts = st.floats(0, 1e4)
cases = st.fixed_dictionaries(
    {
        "checkpoint_gb": amounts,
        "bandwidth_gbit_per_s": st.floats(0, 200),
        "window_s": st.floats(0, 1e6),
        "gain": st.floats(-1, 1.5),
        "n_gpus": st.integers(1, 512),
        "free_gpus": st.integers(0, 512),
        "remaining_s": st.floats(0, 1e5),
        "deadline_s": st.floats(0, 1e6),
        "wan_kwh_per_gb": st.floats(0, 0.06),
    }
)


@given(
    cases, st.sampled_from(["bandwidth_gbit_per_s", "window_s", "gain", "free_gpus", "deadline_s"]), amounts
)
def test_more_of_what_helps_never_makes_infeasible(case: dict[str, Any], name: str, more: float) -> None:
    assert feasibility(**(case | {name: case[name] + more})).feasible >= feasibility(**case).feasible


@given(cases, st.sampled_from(["checkpoint_gb", "remaining_s"]), amounts)
def test_more_of_what_hinders_never_makes_feasible(case: dict[str, Any], name: str, more: float) -> None:
    assert feasibility(**(case | {name: case[name] + more})).feasible <= feasibility(**case).feasible


@given(cases, st.floats(0.02, 1.0), st.floats(0.02, 1.0))
def test_a_larger_alpha_never_makes_infeasible(case: dict[str, Any], a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert feasibility(**case, alpha=high).feasible >= feasibility(**case, alpha=low).feasible


def test_dearer_network_raises_break_even() -> None:
    low, high = (feasibility(1000.0, 10.0, 1e5, wan_kwh_per_gb=e) for e in (3e-5, 0.06))
    assert low.t_be_s < high.t_be_s
    assert low.t_mig_s == high.t_mig_s


def test_goodput_is_a_factor_on_bandwidth() -> None:
    assert verdict(goodput=0.5, bandwidth_gbit_per_s=20.0).t_mig_s == verdict().t_mig_s


def test_default_powers_are_the_devices() -> None:
    # 16 H100 at 945 W busy and 476 W loaded idle, hosts included.
    f = feasibility(0.0, 10.0, 1e4, n_gpus=16)
    assert float(f.e_mig_mwh) == pytest.approx(16 * 476e-6 * 300 / 3600)
    assert float(f.t_be_s) == pytest.approx(300 * 476 / 945)


def test_all_findings_at_once() -> None:
    with pytest.raises(InputError) as error:
        feasibility(
            [-1.0, 2.0],
            np.nan,
            [10.0, np.inf],
            gain=np.nan,
            n_gpus=0,
            job_power_mw=-1.0,
            latency_s=-0.1,
            free_gpus=-1,
            remaining_s=np.inf,
            deadline_s=np.nan,
        )
    named = {finding.where for finding in error.value.findings}
    assert named == {
        "checkpoint_gb",
        "bandwidth_gbit_per_s",
        "window_s",
        "gain",
        "n_gpus",
        "job_power_mw",
        "hold_power_mw",
        "latency_s",
        "free_gpus",
        "remaining_s",
        "deadline_s",
    } - {"hold_power_mw"}


def test_all_bad_options_at_once() -> None:
    with pytest.raises(InputError) as error:
        feasibility(
            1.0,
            1.0,
            1.0,
            alpha=0.0,
            goodput=1.1,
            wan_kwh_per_gb=-1.0,
            device="abacus",
            min_bandwidth_gbit_per_s=np.nan,
            class_a=0.5,
        )
    assert len(error.value.findings) == 6


def test_an_empty_map_is_empty() -> None:
    assert feasibility(np.empty(0), 10.0, 3600.0).feasible.shape == (0,)


def test_a_map_of_a_million_points_is_one_fast_call() -> None:
    rng = np.random.default_rng(0)
    size, rate, window, gain = (rng.uniform(1, high, 1_000_000) for high in (3e3, 100, 1e5, 1))
    before = process_time()
    f = feasibility(size, rate, window, gain=gain)
    assert process_time() - before < 2.0  # measured 0.2 s; ten times that would be a loop
    assert f.feasible.shape == (1_000_000,)
