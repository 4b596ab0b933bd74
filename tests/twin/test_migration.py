from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.migration import MigrationModel, MigrationTimes, migration_energy_mwh, transfer_s
from weather import InputError


def test_every_phase_by_hand() -> None:
    # 966 GB (a 69B model at 14 B) from 20 devices = 3 nodes, 6 GB/s each way; 10 Gbit/s payload; 70 ms.
    times = MigrationModel().times(966.0, 20, 10.0, 0.07)
    assert float(times.save_s) == pytest.approx(161.0)
    assert float(times.transfer_s) == pytest.approx(772.8 + 0.07)
    assert float(times.load_s) == pytest.approx(240 + 161 + 60)
    assert float(times.total_s) == pytest.approx(161 + 772.87 + 461)


def test_energy_by_hand() -> None:
    times = MigrationModel().times(966.0, 20, 10.0, 0.07)
    energy = migration_energy_mwh(
        times, 966.0, source_hold_mw=0.01, destination_hold_mw=0.02, wan_kwh_per_gb=0.06
    )
    assert float(energy) == pytest.approx((933.87 * 0.01 + 461 * 0.02) / 3600 + 966 * 0.06 / 1000)


@pytest.mark.parametrize(("kwh_per_gb", "node_h"), [(0.001, 7 / 60), (0.06, 7.0)])
def test_one_terabyte_in_time_of_an_eight_gpu_node(kwh_per_gb: float, node_h: float) -> None:
    # Published comparison: 1 kWh is 7 minutes, 60 kWh 7 hours of an 8-GPU node (8.4 kW).
    still = MigrationTimes(*(np.zeros(()) for _ in range(4)))
    energy = migration_energy_mwh(
        still, 1000.0, source_hold_mw=0.0, destination_hold_mw=0.0, wan_kwh_per_gb=kwh_per_gb
    )
    assert float(energy) / 8.4e-3 == pytest.approx(node_h, rel=0.03)


def test_the_published_window_example() -> None:
    # With alpha = 0.1 a 10-h window allows a 1-h move: 4.5 TB at 10 Gbit/s.
    assert float(transfer_s(4500.0, 10.0)) == pytest.approx(3600.0)


def test_nothing_to_send_takes_start_up_alone() -> None:
    times = MigrationModel().times(0.0, 8, 10.0)
    assert float(times.total_s) == 300.0


def test_no_link_never_ends_and_costs_without_end() -> None:
    times = MigrationModel().times([0.0, 100.0], 8, 0.0)
    assert np.all(np.isinf(times.total_s))
    for hold_mw in (0.0, 0.01):
        energy = migration_energy_mwh(times, 100.0, source_hold_mw=hold_mw, destination_hold_mw=hold_mw)
        assert np.all(np.isposinf(energy))


def test_infinite_rate_sends_at_once() -> None:
    assert float(transfer_s(100.0, np.inf, 0.01)) == 0.01


def test_nodes_are_whole() -> None:
    assert MigrationModel().nodes([1, 8, 9, 16, 17]).tolist() == [1, 1, 2, 2, 3]


def test_a_bundle_has_its_own_storage() -> None:
    # 300 equal 8-device jobs that move together save as fast as one.
    model = MigrationModel()
    assert model.save_s(300 * 112.0, 300 * 8) == model.save_s(112.0, 8)


def test_scalars_and_arrays_agree() -> None:
    size, gpus, rate = np.array([1.0, 50.0, 3000.0]), np.array([1, 8, 64]), np.array([0.5, 10.0, 100.0])
    model = MigrationModel(start_up_s=10, warm_up_s=20)
    together = model.times(size, gpus, rate, 0.03)
    for i in range(3):
        alone = model.times(size[i], gpus[i], rate[i], 0.03)
        for name in ("save_s", "transfer_s", "load_s", "total_s"):
            assert getattr(alone, name) == getattr(together, name)[i]


@given(st.floats(0, 1e5), st.floats(0, 1e4), st.integers(1, 4096), st.floats(1e-3, 1e3), st.floats(1.0, 10.0))
def test_more_data_takes_longer_and_more_rate_less(
    size: float, more: float, n_gpus: int, rate: float, factor: float
) -> None:
    total = MigrationModel().times(size, n_gpus, rate).total_s
    assert MigrationModel().times(size + more, n_gpus, rate).total_s >= total
    assert MigrationModel().times(size, n_gpus, rate * factor).total_s <= total
    assert MigrationModel().times(size, n_gpus + 8, rate).total_s <= total


def test_all_bad_options_at_once() -> None:
    with pytest.raises(InputError) as error:
        MigrationModel(write_gb_per_s_per_node=0, read_gb_per_s_per_node=-1, start_up_s=-5, warm_up_s=np.nan)
    assert len(error.value.findings) == 4
