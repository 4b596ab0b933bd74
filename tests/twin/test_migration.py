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


def test_compressed_checkpoints_by_hand() -> None:
    # 100 GB to 25 GB on one node at 2 GB/s; 40 GB/s of compression keeps up, 5 GB/s does not.
    fast = MigrationModel(compression_ratio=4.0, compression_gb_per_s_per_node=40.0)
    times = fast.times(100.0, 8, 10.0, 0.5)
    assert float(times.save_s) == 12.5
    assert float(times.transfer_s) == 20.5
    assert float(times.load_s) == 312.5
    slow = MigrationModel(compression_ratio=4.0, compression_gb_per_s_per_node=5.0)
    assert float(slow.save_s(100.0, 8)) == 20.0
    assert float(slow.load_s(100.0, 8)) == 320.0
    assert float(slow.payload_gb(100.0)) == 25.0
    assert float(slow.save_s(100.0, 16)) == 10.0


def test_incremental_checkpoints_by_hand() -> None:
    # A fifth has changed: 20 GB are saved and sent, 100 GB are read where 80 GB lay already.
    times = MigrationModel(incremental_share=0.2).times(100.0, 8, 10.0)
    assert float(times.save_s) == pytest.approx(10.0)
    assert float(times.transfer_s) == pytest.approx(16.0)
    assert float(times.load_s) == pytest.approx(300.0 + 50.0)
    both = MigrationModel(incremental_share=0.2, compression_ratio=2.0)
    assert float(both.payload_gb(100.0)) == pytest.approx(10.0)
    assert float(both.load_s(100.0, 8)) == pytest.approx(300.0 + 40.0 + 5.0)


def test_whole_checkpoints_without_compression_are_the_default_to_the_bit() -> None:
    size, gpus = np.array([0.1, 7.3, 966.0, 1e5]), np.array([1, 8, 20, 4096])
    model = MigrationModel()
    assert np.array_equal(model.payload_gb(size), size)
    assert np.array_equal(model.save_s(size, gpus), size / (np.ceil(gpus / 8) * 2.0))
    assert np.array_equal(model.load_s(size, gpus), size / (np.ceil(gpus / 8) * 2.0) + 300.0)


@given(st.floats(0, 1e5), st.floats(1e-3, 1.0), st.floats(1.0, 100.0), st.floats(0.1, 1e3))
def test_smaller_checkpoints_are_sent_faster_and_never_read_slower_unless_compression_is_slow(
    size: float, share: float, ratio: float, speed: float
) -> None:
    whole = MigrationModel().times(size, 8, 10.0)
    small = MigrationModel(
        incremental_share=share, compression_ratio=ratio, compression_gb_per_s_per_node=speed
    ).times(size, 8, 10.0)
    assert small.transfer_s <= whole.transfer_s
    if speed >= 2.0:
        assert small.total_s <= whole.total_s * (1 + 1e-12)
    else:
        assert small.save_s >= size * share / speed * (1 - 1e-12)


def test_all_bad_options_at_once() -> None:
    with pytest.raises(InputError) as error:
        MigrationModel(write_gb_per_s_per_node=0, read_gb_per_s_per_node=-1, start_up_s=-5, warm_up_s=np.nan)
    assert len(error.value.findings) == 4


def test_all_bad_ways_to_make_checkpoints_smaller_at_once() -> None:
    with pytest.raises(InputError) as error:
        MigrationModel(compression_ratio=0.5, compression_gb_per_s_per_node=0.0, incremental_share=0.0)
    assert len(error.value.findings) == 3
