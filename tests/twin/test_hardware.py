from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from twin.hardware import DEFAULT_DEVICE, DEVICES, relative_throughput


def test_reference_is_an_a100() -> None:
    assert DEVICES["a100_sxm_80"].rel_throughput == 1.0
    assert DEVICES["a100_sxm_40"].rel_throughput == 1.0


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("h100_sxm", 989 * 0.40 / 156),
        ("p100_pcie", 19.05 * 0.40 / 156),
        ("b200_sxm", 2250 * 0.40 / 156),
        ("jetson_agx_thor", 273 / 2000),  # memory-bound: 259 TFLOP/s would give 0.66
        ("jetson_orin_nx", 15 * 0.40 / 156),  # compute-bound: its bandwidth would allow 0.051
    ],
)
def test_relative_throughput_by_the_documented_rule(name: str, speed: float) -> None:
    assert DEVICES[name].rel_throughput == pytest.approx(speed, rel=1e-12)


def test_h100_over_a100_lies_in_the_range_seen_in_practice() -> None:
    assert 1.8 <= DEVICES["h100_sxm"].rel_throughput <= 3.2


def test_memory_bound_caps_at_the_bandwidth_ratio() -> None:
    assert relative_throughput(312.0, 200.0, mfu=0.5, memory_bound=True) == 0.1
    assert relative_throughput(312.0, 200.0, mfu=0.5) == 1.0


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_states_are_ordered_by_power(name: str) -> None:
    device = DEVICES[name]
    assert device.name == name
    assert 0 < device.p_idle_w <= device.p_loaded_idle_w < device.p_busy_w < device.p_limit_w
    assert device.p_busy_w == pytest.approx(0.85 * device.p_limit_w)
    assert device.host_w_per_gpu >= 0
    assert device.memory_gb > 0
    assert device.sure.split()[0].rstrip(";") in {"read", "read2", "recalled", "power"}
    assert device.source or device.sure == "recalled"


def test_busy_h100_node_is_near_the_measured_one() -> None:
    # 76-82 % of 10.2 kW rated in training [newkirk, latif]; eight busy devices with hosts.
    device = DEVICES[DEFAULT_DEVICE]
    node_kw = 8 * (device.p_busy_w + device.host_w_per_gpu) / 1000
    assert 0.70 * 10.2 <= node_kw <= 0.82 * 10.2


def test_devices_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DEVICES["t4"].memory_gb = 1.0  # type: ignore[misc]
