from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.sites import SiteTable, make_sites
from twin.workloads import (
    JOB_COLUMNS,
    arrival_profile,
    check_jobs,
    check_trace,
    draw_checkpoints_gb,
    draw_origins,
    fleet_scale_for,
    generate_trace,
    mean_gpus_in_run,
    parameter_bound_billion,
    prepare_jobs,
    size_statistics,
    trace_statistics,
)
from twin.workloads.synthetic import HOUR_PROFILE, WEEKDAY_PROFILE
from weather import InputError

DAY_S = 86400.0


@pytest.fixture(scope="module")
def sites() -> SiteTable:
    return make_sites(
        name=["a", "b", "c"],
        grid=[0, 0, 0],
        bus=["1", "2", "3"],
        n_gpus=[100, 300, 600],
        latitude=[35.0] * 3,
        longitude=[-115.0] * 3,
        fleet_scale=10,
    )


@pytest.fixture(scope="module")
def long_trace() -> pd.DataFrame:
    return generate_trace(seed=3, duration_s=112 * DAY_S)


def small_trace(**columns: Any) -> pd.DataFrame:
    """Four jobs of 1 to 8 GPUs and 1 to 8 h over one and a half days."""
    table = {
        "submit_s": [0.0, 3600.0, 50_000.0, 1.5 * DAY_S],
        "duration_s": [3600.0, 7200.0, 14_400.0, 28_800.0],
        "n_gpus": [1, 2, 4, 8],
    }
    return pd.DataFrame(table | columns)


def prepare(trace: pd.DataFrame, sites: SiteTable, **options: Any) -> pd.DataFrame:
    defaults: dict[str, Any] = {"seed": 7, "duration_s": 2 * DAY_S, "sites": sites}
    return prepare_jobs(trace, **(defaults | options))


# The generator against the statistics of the whole Philly trace.


@pytest.mark.parametrize("seed", range(4))
def test_generator_meets_philly_totals(seed: int) -> None:
    found = trace_statistics(generate_trace(seed=seed, duration_s=112 * DAY_S))
    assert found["mean_gpus"] == pytest.approx(374, rel=0.15)
    assert found["n_jobs"] / found["span_days"] == pytest.approx(755, rel=0.03)
    assert found["duration_median_h"] == pytest.approx(0.318, rel=0.03)
    assert found["share_one_gpu"] == pytest.approx(0.932, abs=0.005)
    assert found["gpu_hours_share_ge_8_gpus"] == pytest.approx(0.62, abs=0.04)


def test_generator_meets_philly_sizes_and_durations(long_trace: pd.DataFrame) -> None:
    sizes = size_statistics(long_trace)
    np.testing.assert_allclose(
        sizes["gpu_hours_share"].loc[[1, 2, 4, 8, 16]], [0.181, 0.032, 0.167, 0.484, 0.116], atol=0.06
    )
    np.testing.assert_allclose(sizes["duration_mean_h"].loc[[1, 2, 4, 8]], [2.3, 8.6, 21.9, 36.0], rtol=0.2)


def test_generator_meets_the_arrival_profile() -> None:
    profiles = [arrival_profile(generate_trace(seed=s, duration_s=112 * DAY_S)) for s in range(6)]
    by_hour, by_weekday = (np.mean([p[i] for p in profiles], axis=0) for i in range(2))
    np.testing.assert_allclose(by_hour, HOUR_PROFILE, rtol=0.1)
    np.testing.assert_allclose(by_weekday, WEEKDAY_PROFILE, rtol=0.25)


def test_generator_is_deterministic_and_marked() -> None:
    one, two, other = (generate_trace(seed=s, duration_s=DAY_S) for s in (5, 5, 6))
    assert one.equals(two)
    assert not one.equals(other)
    assert one.attrs["synthetic"] == 1
    assert one["submit_s"].max() < 7 * DAY_S
    check_trace(one)


@pytest.mark.parametrize("options", [{"duration_s": 0.0}, {"duration_s": np.nan}, {"jobs_per_day": -1.0}])
def test_generator_refuses_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        generate_trace(**({"seed": 1, "duration_s": DAY_S} | options))  # type: ignore[arg-type]


# Checkpoints.


def test_parameter_bounds_follow_from_memory() -> None:
    # 18 B per parameter in 70 % of 80 GB: 3.1e9 per device; the table's rounding stays within 7 % of it.
    n = np.array([1, 2, 4, 8, 16, 24, 32, 64, 128, 512])
    np.testing.assert_allclose(parameter_bound_billion(n), n * 0.7 * 80 / 18, rtol=0.07)


@given(st.integers(1, 1000), st.integers(0, 100))
def test_parameter_bound_grows(n_gpus: int, more: int) -> None:
    assert parameter_bound_billion(n_gpus + more) >= parameter_bound_billion(n_gpus)


def test_checkpoints_are_log_uniform_over_two_decades() -> None:
    size = draw_checkpoints_gb(np.full(20_000, 8), np.random.default_rng(0))
    assert size.max() <= 25 * 14
    assert size.min() >= 0.25 * 14
    shares = np.histogram(np.log(size / 350.0) / np.log(100), bins=10, range=(-1, 0))[0] / 20_000
    np.testing.assert_allclose(shares, 0.1, atol=0.01)


def test_checkpoints_of_small_devices_and_small_formats() -> None:
    n = np.array([1, 8, 64])
    full = draw_checkpoints_gb(n, np.random.default_rng(0))
    np.testing.assert_allclose(draw_checkpoints_gb(n, np.random.default_rng(0), gpu_memory_gb=16.0), full / 5)
    np.testing.assert_allclose(
        draw_checkpoints_gb(n, np.random.default_rng(0), bytes_per_parameter=2.0), full / 7
    )


# Origins.


def test_origins_are_in_proportion_to_capacity(sites: SiteTable) -> None:
    origin = draw_origins(np.full(30_000, 8), sites, np.random.default_rng(1))
    np.testing.assert_allclose(np.bincount(origin, minlength=3) / 30_000, [0.1, 0.3, 0.6], atol=0.01)


def test_wide_jobs_go_where_they_fit(sites: SiteTable) -> None:
    assert set(draw_origins(np.full(500, 2000), sites, np.random.default_rng(1))) == {1, 2}
    assert set(draw_origins(np.full(500, 6000), sites, np.random.default_rng(1))) == {2}


def test_a_job_that_fits_nowhere_is_an_error_with_a_remedy(sites: SiteTable) -> None:
    with pytest.raises(InputError) as error:
        prepare(small_trace(n_gpus=[1, 2, 4, 601]), sites, fleet_scale=10)
    for part in ("1 jobs need up to 6010 devices", "'c', can train on 6000", "max_gpus"):
        assert part in str(error.value)
    kept = prepare(small_trace(n_gpus=[1, 2, 4, 601]), sites, fleet_scale=10, max_gpus=600)
    assert kept.attrs["preparation"]["n_wide_left_out"] == 1
    assert kept.attrs["preparation"]["wide_left_out_gpu_h"] == 601 * 8


def test_import_limit_counts_as_capacity() -> None:
    tight = make_sites(
        name=["a"], grid=[0], bus=["1"], n_gpus=[100], latitude=[35.0], longitude=[-115.0],
        import_limit_mw=[0.09], device=["h100_sxm"],
    )  # fmt: skip
    with pytest.raises(InputError, match="import_limit_mw"):
        draw_origins(np.array([100]), tight, np.random.default_rng(0))


# Preparation.


def test_jobs_by_hand(sites: SiteTable) -> None:
    jobs = prepare(small_trace(), sites, fleet_scale=10, deadline_factor=2.0)
    assert list(jobs.columns) == list(JOB_COLUMNS)
    assert jobs["n_gpus"].tolist() == [10, 20, 40, 80]
    assert jobs["work_gpu_h"].tolist() == [10.0, 40.0, 160.0, 640.0]
    assert jobs["submit_s"].tolist() == [0.0, 3600.0, 50_000.0, 129_600.0]
    assert jobs["deadline_s"].tolist() == [7200.0, 18_000.0, 78_800.0, 187_200.0]
    assert jobs["migratable"].all()
    # 1 + 4 + 16 GPU-h, and all of the last job's 64: it ends 44 h into the run of 48.
    assert jobs.attrs["preparation"]["mean_gpus"] == pytest.approx(85 / 48)


def test_no_deadline_without_a_factor(sites: SiteTable) -> None:
    assert np.all(np.isposinf(prepare(small_trace(), sites)["deadline_s"]))


def test_fleet_scale_multiplies_devices_work_and_bytes(sites: SiteTable) -> None:
    one, many = prepare(small_trace(), sites), prepare(small_trace(), sites, fleet_scale=7)
    for name in ("n_gpus", "work_gpu_h", "checkpoint_gb"):
        np.testing.assert_allclose(many[name], 7 * one[name])


def test_trace_device_scales_work_alone(sites: SiteTable) -> None:
    one, fast = prepare(small_trace(), sites), prepare(small_trace(), sites, trace_device="h100_sxm")
    np.testing.assert_allclose(fast["work_gpu_h"], one["work_gpu_h"] * 989 * 0.4 / 156)
    assert fast["checkpoint_gb"].equals(one["checkpoint_gb"])


def test_long_jobs_are_cut_and_recorded(sites: SiteTable) -> None:
    jobs = prepare(small_trace(), sites, max_job_h=3.0)
    assert jobs["work_gpu_h"].tolist() == [1.0, 4.0, 12.0, 24.0]
    assert jobs.attrs["preparation"]["n_cut"] == 2
    assert jobs.attrs["preparation"]["cut_gpu_h"] == pytest.approx(4 * 1 + 8 * 5)


def test_tiles_keep_times_and_jobs_in_new_order(sites: SiteTable) -> None:
    trace = generate_trace(seed=1, duration_s=DAY_S)
    week = 7 * DAY_S
    jobs = prepare(trace, sites, duration_s=3 * week)
    assert jobs.attrs["preparation"]["n_tiles"] == 3
    work = []
    for k in range(3):
        tile = jobs[(jobs["submit_s"] >= k * week) & (jobs["submit_s"] < (k + 1) * week)]
        np.testing.assert_allclose(tile["submit_s"] - k * week, trace["submit_s"], atol=1e-6)
        np.testing.assert_allclose(
            np.sort(tile["work_gpu_h"]), np.sort(trace["duration_s"] * trace["n_gpus"] / 3600)
        )
        work.append(tile["work_gpu_h"].to_numpy())
    assert not np.array_equal(work[0], work[1])
    assert not np.array_equal(work[1], work[2])


def test_a_trace_is_laid_from_its_start_hour(sites: SiteTable) -> None:
    # Two days long: from hour 24 on there is one job, then the trace comes again.
    jobs = prepare(small_trace(), sites, trace_start_h=24.0)
    assert jobs["submit_s"].tolist() == [0.5 * DAY_S, DAY_S, DAY_S + 3600, DAY_S + 50_000]


def test_a_part_of_a_trace_is_laid_again_and_again(sites: SiteTable) -> None:
    # Jobs at 0, 1 h, about 13.9 h and 36 h: the second day holds the last one, 12 h after it begins.
    jobs = prepare(small_trace(), sites, trace_part_h=(24.0, 48.0))
    assert jobs["submit_s"].tolist() == [0.5 * DAY_S, 1.5 * DAY_S]
    late = prepare(small_trace(), sites, trace_part_h=(0.0, 24.0), trace_start_h=12.0)
    assert late["submit_s"].tolist() == [
        50_000 - DAY_S / 2,
        DAY_S / 2,
        DAY_S / 2 + 3600,
        50_000 + DAY_S / 2,
        1.5 * DAY_S,
        1.5 * DAY_S + 3600,
    ]


def test_all_of_a_trace_as_its_part_changes_nothing(sites: SiteTable) -> None:
    whole, part = prepare(small_trace(), sites), prepare(small_trace(), sites, trace_part_h=(0.0, 48.0))
    pd.testing.assert_frame_equal(whole, part)


@pytest.mark.parametrize(
    ("part_h", "message"),
    [
        ((24.0, 12.0), "the later one last"),
        ((0.0, 30.0), "whole days"),
        ((48.0, 72.0), "lies in the trace"),
        ((0.0, 72.0), "lies in the trace"),
    ],
)
def test_parts_that_are_none(sites: SiteTable, part_h: tuple[float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(small_trace(), sites, trace_part_h=part_h)


def test_a_longer_run_has_the_same_first_jobs(sites: SiteTable) -> None:
    trace = generate_trace(seed=1, duration_s=DAY_S)
    short, long = (prepare(trace, sites, duration_s=d * DAY_S) for d in (3, 20))
    for name in ("submit_s", "n_gpus", "work_gpu_h", "checkpoint_gb"):
        assert np.array_equal(short[name], long[name][: len(short)])


@pytest.mark.parametrize("target", [20.0, 150.0, 900.0])
def test_mean_gpus_is_met(sites: SiteTable, target: float) -> None:
    trace = generate_trace(seed=2, duration_s=7 * DAY_S)
    jobs = prepare(trace, sites, duration_s=7 * DAY_S, mean_gpus=target, max_job_h=48.0)
    assert jobs.attrs["preparation"]["mean_gpus"] == pytest.approx(target, rel=0.05)
    assert jobs["submit_s"].is_monotonic_increasing


def test_mean_gpus_of_the_trace_itself_changes_nothing(sites: SiteTable) -> None:
    trace = generate_trace(seed=2, duration_s=7 * DAY_S)
    mean = mean_gpus_in_run(trace, 7 * DAY_S)
    plain = prepare(trace, sites, duration_s=7 * DAY_S)
    met = prepare(trace, sites, duration_s=7 * DAY_S, mean_gpus=mean)
    assert abs(len(met) - len(plain)) <= 1


def test_fleet_scale_for_a_target(sites: SiteTable) -> None:
    trace = generate_trace(seed=2, duration_s=7 * DAY_S)
    scale = fleet_scale_for(trace, 50_000.0, duration_s=7 * DAY_S, max_job_h=48.0)
    base = prepare(trace, sites, duration_s=7 * DAY_S, max_job_h=48.0).attrs["preparation"]
    assert isinstance(scale, int)
    assert scale * base["mean_gpus"] == pytest.approx(50_000, rel=0.01)
    assert fleet_scale_for(trace, 1e-3, duration_s=7 * DAY_S) == 1


def test_migratable_share(sites: SiteTable) -> None:
    trace = generate_trace(seed=2, duration_s=DAY_S)
    for share, low, high in ((0.0, 0, 0), (0.3, 0.27, 0.33), (1.0, 1, 1)):
        assert (
            low
            <= prepare(trace, sites, duration_s=7 * DAY_S, migratable_share=share)["migratable"].mean()
            <= high
        )


def test_same_seed_same_jobs(sites: SiteTable) -> None:
    trace = generate_trace(seed=2, duration_s=DAY_S)
    one, two, other = (prepare(trace, sites, seed=s, mean_gpus=100.0) for s in (1, 1, 2))
    assert one.equals(two)
    assert not one["checkpoint_gb"].equals(other["checkpoint_gb"])


def test_all_bad_options_at_once(sites: SiteTable) -> None:
    with pytest.raises(InputError) as error:
        prepare(
            small_trace(), sites, duration_s=-1.0, fleet_scale=1.5, mean_gpus=0.0, max_job_h=0.0, max_gpus=0,
            trace_start_h=-1.0, trace_device="abacus", migratable_share=1.1, deadline_factor=0.5,
            gpu_memory_gb=np.nan, bytes_per_parameter=-1.0,
        )  # fmt: skip
    assert len(error.value.findings) == 11


def test_a_run_without_jobs_is_an_error(sites: SiteTable) -> None:
    with pytest.raises(InputError, match="none is submitted"):
        prepare(small_trace(submit_s=[DAY_S] * 4), sites, duration_s=3600.0)


# Tables at the door.


def test_bad_traces_give_all_findings() -> None:
    with pytest.raises(InputError) as error:
        check_trace(
            small_trace(
                submit_s=[5.0, -1.0, np.nan, 3.0], duration_s=[0.0, 1.0, -2.0, np.inf], n_gpus=[0, 1, 1.5, 1]
            )
        )
    text = str(error.value)
    for part in (
        "-1 in row 1, nan in row 2",
        "0 in row 0, -2 in row 2, inf in row 3",
        "1.5 in row 2",
        "not sorted",
    ):
        assert part in text


def test_empty_and_incomplete_tables() -> None:
    with pytest.raises(InputError, match="there is none"):
        check_trace(small_trace().iloc[:0])
    with pytest.raises(InputError, match=r"'n_gpus'.*is missing"):
        check_trace(small_trace().drop(columns="n_gpus"))


def test_bad_job_tables_give_all_findings(sites: SiteTable) -> None:
    jobs = prepare(small_trace(), sites)
    check_jobs(jobs, sites.n_sites)
    bad = jobs.assign(
        job_id=[0, 1, 1, 2], n_gpus=0, work_gpu_h=[1.0, np.nan, 0.0, 1.0], checkpoint_gb=-1.0, deadline_s=1.0,
        origin=[0, 1, 2, 3], migratable=1,
    )  # fmt: skip
    with pytest.raises(InputError) as error:
        check_jobs(bad, sites.n_sites)
    assert {f.where for f in error.value.findings} == {
        "job_id", "n_gpus", "work_gpu_h", "checkpoint_gb", "deadline_s", "origin", "migratable",
    }  # fmt: skip
