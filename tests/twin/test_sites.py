from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.hardware import DEVICES
from twin.sites import (
    HOTTEST_C,
    SiteTable,
    cooling_factor,
    gpu_limit,
    idle_power_mw,
    make_sites,
    max_power_mw,
    meter_factor,
    pue,
    site_power_mw,
)
from weather import InputError


def table(**changes: Any) -> SiteTable:
    columns: dict[str, Any] = {
        "name": ["a", "b", "c"],
        "grid": [0, 0, 1],
        "bus": ["303", "122", "303"],
        "n_gpus": [1000, 500, 2000],
        "latitude": [33.0, 34.0, 35.0],
        "longitude": [-115.0, -116.0, -117.0],
    }
    return make_sites(**(columns | changes))


@pytest.mark.parametrize(
    ("temp_air", "expected"), [(-20.0, 1.10), (17.0, 1.10), (25.0, 1.30), (35.0, 1.35), (70.0, 1.60)]
)
def test_pue_at_published_points(temp_air: float, expected: float) -> None:
    # 35 °C: COP 4, 1 + 0.10 + 1/4; 70 °C: the COP stays at its least, 2.
    assert float(pue(temp_air)) == pytest.approx(expected, rel=1e-12)


def test_pue_between_free_cooling_and_chiller() -> None:
    # 21 °C: half the heat by a chiller of COP 5.4.
    assert float(pue(21.0)) == pytest.approx(1.1 + 0.5 / 5.4, rel=1e-12)


@given(st.floats(-50, 60), st.floats(0, 20))
def test_pue_never_falls_with_temperature(temp_air: float, more: float) -> None:
    assert pue(temp_air + more) >= pue(temp_air)


def test_cooling_takes_scalars_and_arrays_alike() -> None:
    temps = np.linspace(-10, 50, 13)
    assert np.array_equal(cooling_factor(temps), [float(cooling_factor(t)) for t in temps])


def test_full_site_draws_it_power_times_pue() -> None:
    sites = table()
    device = DEVICES["h100_sxm"]
    it_mw = np.array([1000, 500, 2000]) * (device.p_busy_w + device.host_w_per_gpu) / 1e6
    full = site_power_mw(sites, [1000, 500, 2000], [0, 0, 0], 25.0)
    np.testing.assert_allclose(full, it_mw * 1.30, rtol=1e-12)


def test_partial_load_by_hand() -> None:
    # 1000 H100, 100 busy at 595 + 350 W, 50 loaded at 126 + 350 W, 850 free at 70.5 + 350 W; 0.5 MW of WAN.
    it_mw = (100 * 945 + 50 * 476 + 850 * 420.5) / 1e6
    sites = table().select([0])
    power = site_power_mw(sites, [100], [50], 10.0, wan_mw=0.5)
    assert power[0] == pytest.approx(it_mw * 1.04 + 0.06 * 0.945 + 0.5, rel=1e-12)


def test_idle_off_site_draws_only_its_fixed_overhead() -> None:
    sites = table(idle_off=[True, True, False])
    idle = idle_power_mw(sites, 30.0)
    np.testing.assert_allclose(idle[:2], 0.06 * np.array([0.945, 0.4725]), rtol=1e-12)
    assert idle[2] > 0.06 * 1.89


def test_meter_factor_is_the_slope() -> None:
    sites = table()
    step = site_power_mw(sites, [11, 11, 11], [0, 0, 0], 28.0) - site_power_mw(
        sites, [10, 10, 10], [0, 0, 0], 28.0
    )
    np.testing.assert_allclose(step, meter_factor(28.0) * (sites.busy_w - sites.free_w) / 1e6, rtol=1e-9)


def test_leading_axes_broadcast() -> None:
    sites = table()
    busy = np.array([[0.0, 0.0, 0.0], [10.0, 20.0, 30.0]])
    temp = np.array([[10.0, 20.0, 30.0], [15.0, 25.0, 35.0]])
    both = site_power_mw(sites, busy, np.zeros((2, 3)), temp)
    assert both.shape == (2, 3)
    for k in range(2):
        assert np.array_equal(both[k], site_power_mw(sites, busy[k], np.zeros(3), temp[k]))


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=2),
    st.floats(-20, 45),
    st.booleans(),
)
def test_more_busy_devices_draw_more(busy: list[int], temp_air: float, idle_off: bool) -> None:
    sites = table(idle_off=[idle_off] * 3).select([0])
    low, high = (site_power_mw(sites, [n], [0], temp_air)[0] for n in sorted(busy))
    assert low <= high
    assert idle_power_mw(sites, temp_air)[0] <= low
    assert high <= max_power_mw(sites, temp_air)[0] + 1e-12


@given(st.floats(0.7, 1.4), st.floats(-20, 45), st.booleans())
def test_gpu_limit_is_the_largest_number_within_the_import_limit(
    limit_mw: float, temp_air: float, idle_off: bool
) -> None:
    sites = table(import_limit_mw=[limit_mw, np.inf, 3.0], idle_off=[idle_off] * 3).select([0])
    most = int(gpu_limit(sites, temp_air)[0])
    assert site_power_mw(sites, [most], [0], temp_air)[0] <= limit_mw * (1 + 1e-8)
    if most < 1000:
        assert site_power_mw(sites, [most + 1], [0], temp_air)[0] > limit_mw * (1 - 1e-8)


def test_gpu_limit_at_the_exact_power_of_so_many_devices() -> None:
    for n in range(0, 1001, 7):
        exact = float(site_power_mw(table().select([0]), [n], [0], HOTTEST_C)[0])
        sites = table(import_limit_mw=[exact, np.inf, np.inf]).select([0])
        assert gpu_limit(sites, HOTTEST_C)[0] == n


def test_gpu_limit_shrinks_with_network_power_and_never_below_zero() -> None:
    sites = table(import_limit_mw=[0.8, np.inf, np.inf])
    free, taken, all_taken = (gpu_limit(sites, 20.0, wan_mw=w) for w in (0.0, 0.1, 5.0))
    assert free[0] > taken[0] > all_taken[0] == 0
    assert free[1] == 500


def test_max_power_keeps_the_import_limit() -> None:
    sites = table(import_limit_mw=[0.8, np.inf, np.inf])
    assert max_power_mw(sites, 25.0)[0] == 0.8
    assert max_power_mw(sites, 25.0)[1] == pytest.approx(0.4725 * 1.3)


def test_fleet_scale_multiplies_devices_and_not_the_import_limit() -> None:
    sites = table(fleet_scale=3, import_limit_mw=[5.0, 6.0, 7.0])
    assert sites.n_gpus.tolist() == [3000, 1500, 6000]
    assert sites.import_limit_mw.tolist() == [5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("busy", "loaded"), [([1001, 0, 0], [0, 0, 0]), ([0, 0, 0], [0, -1, 0]), ([0, 300, 0], [0, 201, 0])]
)
def test_more_devices_in_use_than_there_are_is_an_error(busy: list[int], loaded: list[int]) -> None:
    with pytest.raises(InputError, match="devices in use") as error:
        site_power_mw(table(), busy, loaded, 20.0)
    assert len(error.value.findings) == 1


def test_missing_device_count_is_an_error() -> None:
    with pytest.raises(InputError, match="devices in use"):
        site_power_mw(table(), [np.nan, 0, 0], [0, 0, 0], 20.0)


def test_all_findings_at_once() -> None:
    with pytest.raises(InputError) as error:
        table(
            name=["a", "a", "c"],
            grid=[0, -1, 0],
            n_gpus=[1000, -5, 2000],
            latitude=[33.0, 134.0, 35.0],
            device=["h100_sxm", "t4", "abacus"],
            import_limit_mw=[0.1, np.nan, -1.0],
        )
    text = str(error.value)
    assert len(error.value.findings) == 8
    for part in (
        "more than once",
        "grid index -1",
        "n_gpus=-5",
        "134",
        "abacus",
        "nan MW",
        "-1.0 MW",
        "0.1 MW is less",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_gpus": [1, 2]}, "2 values for 3 sites"),
        ({"fleet_scale": 0}, "fleet_scale"),
        ({"fleet_scale": 1.5}, "whole number"),
        ({k: [] for k in ("name", "grid", "bus", "n_gpus", "latitude", "longitude")}, "there is none"),
    ],
)
def test_malformed_lists(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(**changes)


def test_select_keeps_order_and_values() -> None:
    picked = table().select([2, 0])
    assert picked.name == ("c", "a")
    assert picked.n_gpus.tolist() == [2000, 1000]
    assert picked.grid.tolist() == [1, 0]
    assert picked.n_sites == 2
