"""Every formula of the compute model by hand: the calculation in comments, the number in the test.

One test per formula, with numbers that a reader can follow on paper. The table in docs/compute.md says which
formula is where; other tests have the edges, the properties and what others published.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from twin.chances import feasibility_chance
from twin.distributed import partial_migration, ring_round, star_round, steps_for_efficiency, sync_efficiency
from twin.feasibility import Feasibility, feasibility
from twin.hardware import DEVICES
from twin.migration import MigrationModel, migration_energy_mwh
from twin.migration_checkpoints import (
    daly_interval_s,
    expected_run_s,
    job_mtbf_s,
    lost_by_failure_s,
    young_interval_s,
)
from twin.migration_live import live_precopy
from twin.policies.base import SiteView, View
from twin.policies.contract import random_view
from twin.policies.feasibility_aware import Outlook
from twin.sites import make_sites, pue, site_power_mw
from twin.wan import fibre_latency_s, max_min_fair
from twin.workloads.models import checkpoint_size_gb

# The job of most tests below: 8 GPUs on one node, a checkpoint of 100 GB.
STORAGE = MigrationModel(read_gb_per_s_per_node=4.0)  # writes 2 GB/s, starts in 240 s, warms up in 60 s


def move(**changes: object) -> Feasibility:
    """100 GB at 10 Gbit/s with 2 GB/s each way: 50 + 80 + 350 = 480 s, in a window of two hours.

    It holds 3.6 kW while it moves and computes with 7.2 kW.
    """
    options: dict[str, object] = {
        "checkpoint_gb": 100.0,
        "bandwidth_gbit_per_s": 10.0,
        "window_s": 7200.0,
        "goodput": 1.0,
        "job_power_mw": 0.0072,
        "hold_power_mw": 0.0036,
        "wan_kwh_per_gb": 0.0,
        "alpha": 0.1,
    }
    return feasibility(**(options | changes))  # type: ignore[arg-type]


def test_checkpoint_size() -> None:
    # 7e9 parameters · (2 weights + 4 master copy + 8 moments) B = 98e9 B.
    assert float(checkpoint_size_gb(7.0)) == pytest.approx(98.0)


def test_stop_and_copy_time() -> None:
    # Save 100 GB / 2 GB/s = 50 s. Send 8 · 100 Gbit / 10 Gbit/s = 80 s and 0.05 s of delay.
    # Load: start 240 s, 100 GB / 4 GB/s = 25 s, warm up 60 s. All: 455.05 s.
    times = STORAGE.times(100.0, 8, 10.0, 0.05)
    phases = (float(times.save_s), float(times.transfer_s), float(times.load_s), float(times.total_s))
    assert phases == pytest.approx((50.0, 80.05, 325.0, 455.05))


def test_stop_and_copy_with_link_goodput() -> None:
    # η · B = 0.8 · 10 = 8 Gbit/s of payload: 8 · 100 / 8 = 100 s to send instead of 80 s.
    assert float(move(goodput=0.8).t_mig_s) == pytest.approx(50.0 + 100.0 + 350.0)


def test_stop_and_copy_energy() -> None:
    # Source 0.01 MW · (50 + 80.05) s + destination 0.02 MW · 325 s = 1.3005 + 6.5 = 7.8005 MJ.
    # 7.8005 MJ / 3600 = 0.00216681 MWh. Network 100 GB · 0.06 kWh/GB = 6 kWh = 0.006 MWh.
    times = STORAGE.times(100.0, 8, 10.0, 0.05)
    energy = migration_energy_mwh(
        times, 100.0, source_hold_mw=0.01, destination_hold_mw=0.02, wan_kwh_per_gb=0.06
    )
    assert float(energy) == pytest.approx(0.00816681, abs=1e-8)


def test_smaller_checkpoints() -> None:
    # Half of it has changed, compressed to a quarter: 100 · 0.5 / 4 = 12.5 GB on the link.
    # Save 12.5 / 2 = 6.25 s. Load: 50 GB kept + 12.5 GB come, 62.5 / 2 = 31.25 s, and 300 s.
    model = MigrationModel(incremental_share=0.5, compression_ratio=4.0)
    assert float(model.payload_gb(100.0)) == 12.5
    assert float(model.save_s(100.0, 8)) == 6.25
    assert float(model.load_s(100.0, 8)) == 331.25


def test_live_rounds_and_downtime() -> None:
    # b = 8 Gbit/s = 1 GB/s, d = 0.5 GB/s: rounds of 64, 32, 16, 8, 4, 2 GB leave 1 GB, with which it stops.
    # Running 64 + 32 + 16 + 8 + 4 + 2 = 126 s, then 1 s + 0.1 s delay + 5 s to resume. Sent 127 GB.
    live = live_precopy(64.0, 8.0, 0.5, latency_s=0.1, resume_s=5.0, stop_gb=1.0)
    assert bool(live.converges)
    assert int(live.rounds) == 6
    assert float(live.precopy_s) == pytest.approx(126.0)
    assert float(live.downtime_s) == pytest.approx(6.1)
    assert float(live.sent_gb) == pytest.approx(127.0)


def test_live_does_not_converge() -> None:
    # As much changes per second as is sent, 1 GB/s: the next round would be as large. It stops at once.
    live = live_precopy(64.0, 8.0, 1.0, latency_s=0.1, resume_s=5.0)
    assert not bool(live.converges)
    assert (int(live.rounds), float(live.precopy_s)) == (0, 0.0)
    assert float(live.downtime_s) == pytest.approx(64.0 + 0.1 + 5.0)


def test_partial_migration() -> None:
    # 8 of 32 devices, one node: 98 GB saved in 49 s, sent in 98 s at 8 Gbit/s, loaded in 300 + 49 s: 496 s.
    # They lose 8 · 496 = 3968 GPU s; the other 24 go on. Then 50 steps of 5 s = 250 s, and a ring of two for
    # 14 GB takes 14 s: 250 / 264.
    part = partial_migration(98.0, 32, 0.25, 8.0, model_gb=14.0, step_s=5.0, steps=50)
    assert (part.n_moved, part.moved_gb) == (8, 98.0)
    assert float(part.times.total_s) == pytest.approx(496.0)
    assert part.lost_gpu_s == pytest.approx(3968.0)
    assert part.efficiency == pytest.approx(250.0 / 264.0)
    # The whole job on four nodes: 12.25 + 98 + 300 + 12.25 = 422.5 s, 13,520 GPU s: 9,552 more.
    # Splitting loses 32 · 14 / 264 GPU s per s: as much after 9,552 · 264 / 448 = 5,628.9 s.
    assert part.break_even_s == pytest.approx(5628.857, abs=1e-3)


def test_partial_migration_of_sharded_state() -> None:
    # A quarter of the devices holds a quarter of the state: 24.5 GB, 12.25 + 24.5 + 300 + 12.25 s.
    part = partial_migration(98.0, 32, 0.25, 8.0, model_gb=14.0, step_s=5.0, steps=50, state="sharded")
    assert part.moved_gb == 24.5
    assert float(part.times.total_s) == pytest.approx(349.0)


def test_round_in_a_ring() -> None:
    # Four sites, 20 GB: 2 · 3 = 6 steps of 5 GB, at 10 Gbit/s 4 s and 0.02 s of delay each: 24.12 s.
    # Each sends 6 · 5 = 30 GB: 120 GB in all.
    made = ring_round(20.0, [10.0] * 4, 0.02)
    assert made.time_s == pytest.approx(24.12)
    assert made.moved_gb == pytest.approx(120.0)


def test_round_in_a_star() -> None:
    # Three others, 20 GB: up at 4 Gbit/s 40 s, down at 8 Gbit/s 20 s, each with 0.02 s: 60.04 s.
    # Three times 20 GB up and down: 120 GB.
    made = star_round(20.0, [4.0] * 3, [8.0] * 3, 0.02)
    assert made.time_s == pytest.approx(60.04)
    assert made.moved_gb == pytest.approx(120.0)


def test_synchronisation_every_so_many_steps() -> None:
    # 100 steps of 2 s = 200 s of computing, 50 s of a round: 200 / 250. With a tenth of the computing as
    # cover, 20 s of the round are hidden: 200 / 230.
    assert float(sync_efficiency(2.0, 100, 50.0)) == pytest.approx(0.8)
    assert float(sync_efficiency(2.0, 100, 50.0, overlap=0.1)) == pytest.approx(200.0 / 230.0)
    # For 0.9: H · 2 / (H · 2 + 50) = 0.9 gives H = 225.
    assert float(steps_for_efficiency(2.0, 50.0, 0.9)) == 225.0


def test_gain_over_the_window() -> None:
    # Now and in the next three hours 1.0, 0.8, 0.5, 0.4 there and 0.2, 0.4, 0.9, 0.9 here; the threshold is
    # 0.5, so that the window there is three hours: 2.3 / 3 less 1.5 / 3.
    marginal = np.array([[1.0, 0.2], [0.8, 0.4], [0.5, 0.9], [0.4, 0.9]])
    outlook = Outlook.of(_view_with(marginal))
    assert outlook.window_s[0] == 3 * 3600.0
    means = outlook.mean_over(np.full((1, 2), outlook.window_s[0]))[0]
    assert means[0] - means[1] == pytest.approx(0.8 / 3)


def _view_with(marginal: np.ndarray) -> View:
    """A view of two sites with an outlook, at threshold 0.5."""
    view = random_view(np.random.default_rng(0))
    values = {name: getattr(view.sites, name) for name in vars(view.sites)}
    return View(
        **(vars(view) | {"sites": SiteView(**(values | {"outlook_marginal": marginal})), "theta": 0.5})
    )


def test_break_even_time() -> None:
    # E_mig = 0.0036 MW · 480 s = 1.728 MJ. P · gain = 0.0072 MW · 0.5 = 0.0036 MW. T_BE = 480 s.
    assert float(move(gain=0.5).t_be_s) == pytest.approx(480.0)
    # Without a gain it is never paid back.
    assert float(move(gain=0.0).t_be_s) == np.inf


def test_time_condition() -> None:
    # 0.1 · 7200 s = 720 s, less 480 s. A window of 4800 s leaves nothing, one of 4790 s is 1 s short.
    assert float(move().margin_time_s) == pytest.approx(240.0)
    assert bool(move(window_s=4800.0).feasible)
    short = move(window_s=4790.0)
    assert (str(short.reason), float(short.margin_time_s)) == ("time", pytest.approx(-1.0))


def test_energy_condition() -> None:
    # Gain 0.5: T_BE = 480 s, 7200 − 480 − 480 = 6240 s. Gain 0.03: T_BE = 8000 s, 6720 − 8000 = −1280 s.
    assert float(move(gain=0.5).margin_energy_s) == pytest.approx(6240.0)
    dear = move(gain=0.03)
    assert (str(dear.reason), float(dear.margin_energy_s)) == ("energy", pytest.approx(-1280.0))


def test_deadline_condition() -> None:
    # 480 s to move and 9000 s to run make 9480 s: 520 s before a deadline in 10,000 s, 80 s after one in
    # 9,400 s.
    assert float(move(deadline_s=10_000.0, remaining_s=9000.0).margin_deadline_s) == pytest.approx(520.0)
    late = move(deadline_s=9400.0, remaining_s=9000.0)
    assert (str(late.reason), float(late.margin_deadline_s)) == ("deadline", pytest.approx(-80.0))


def test_capacity_link_and_memory_conditions() -> None:
    # 8 GPUs into 7 lack one; 10 Gbit/s where 12 are the least lack 2; 60 GB into 40 GB lack 20.
    full, narrow = move(n_gpus=8, free_gpus=7), move(min_bandwidth_gbit_per_s=12.0)
    small = move(memory_gb_per_gpu=60.0, device_memory_gb=40.0)
    assert (str(full.reason), float(full.margin_capacity_gpus)) == ("capacity", -1.0)
    assert (str(narrow.reason), float(narrow.margin_link_gbit_per_s)) == ("link", -2.0)
    assert (str(small.reason), float(small.margin_memory_gb)) == ("memory", -20.0)


def test_which_of_time_and_energy_binds() -> None:
    # At α = 0.1 the edge of time is W = 10 · T_mig = 4800 s, where energy has 9 · T_mig = 4320 s. With
    # E = 1.728 MJ, T_BE = 4320 s at a gain of 1.728 / (0.0072 · 4320) = 1/18: above it time binds first.
    assert str(move(window_s=4790.0, gain=1 / 17).reason) == "time"
    assert str(move(window_s=4790.0, gain=1 / 19).reason) == "energy"
    # At α = 0.5 the edge is W = 960 s, where energy has 480 s: the gain of the edge is 0.5.
    assert str(move(window_s=950.0, gain=0.55, alpha=0.5).reason) == "time"
    assert str(move(window_s=950.0, gain=0.45, alpha=0.5).reason) == "energy"


def test_stochastic_condition() -> None:
    # At 8 Gbit/s 50 + 100 + 350 = 500 s, at 2 Gbit/s 50 + 400 + 350 = 800 s: with α = 0.1 windows of 5,000
    # and 8,000 s. Of windows of 4,000, 6,000, 9,000 and 9,000 s three do at the faster rate, two at the
    # slower one: 0.75 · 3/4 + 0.25 · 2/4 = 0.6875. (The rates here are of links: payload over 0.85.)
    rates, windows = np.array([8.0, 2.0]) / 0.85, [4000.0, 6000.0, 9000.0, 9000.0]
    for epsilon, feasible in ((0.3125, True), (0.31, False)):
        chance = feasibility_chance(100.0, rates, windows, bandwidth_weight=[0.75, 0.25], epsilon=epsilon)
        assert float(chance.probability) == pytest.approx(0.6875)
        assert bool(chance.feasible) is feasible


def test_classes() -> None:
    # 480 s are a hundredth of 48,000 s and a tenth of 4,800 s.
    windows = [48_000.0, 47_000.0, 4800.0, 4700.0]
    assert move(window_s=windows).klass.tolist() == ["A", "B", "B", "C"]
    assert float(move(window_s=4800.0).r) == pytest.approx(0.1)


def test_pue_over_temperature() -> None:
    # Up to 17 °C no chiller: 1 + 0.06 + 0.04. At 21 °C half of the chiller with COP 5 − 0.1 · (21 − 25) =
    # 5.4: 1.1 + 0.5 / 5.4. At 25 °C all of it with COP 5: 1.3. At 35 °C COP 4: 1.35. At 60 °C COP 2: 1.6.
    expected = [1.10, 1.10 + 0.5 / 5.4, 1.30, 1.35, 1.60]
    assert pue(np.array([17.0, 21.0, 25.0, 35.0, 60.0])).tolist() == pytest.approx(expected)


def test_power_of_a_site() -> None:
    # 100 H100 with host: 945 W busy, 60 of them, 476 W loaded idle, 10; free ones are off. IT 56.7 + 4.76 =
    # 61.46 kW, full 94.5 kW. At 25 °C 61.46 · (1 + 0.04 + 1/5) + 0.06 · 94.5 = 76.2104 + 5.67 kW.
    site = make_sites(
        name=["a"], grid=[0], bus=["1"], n_gpus=[100], latitude=[35.0], longitude=[-115.0], idle_off=[True]
    )
    power = site_power_mw(site, [60], [10], temp_air=[25.0])
    assert float(power[0]) == pytest.approx(0.0818804)


def test_speed_of_a_device() -> None:
    # 989 TFLOP/s at 0.40 over 312 TFLOP/s at 0.50: 395.6 / 156.
    assert DEVICES["h100_sxm"].rel_throughput == pytest.approx(395.6 / 156.0, abs=0.005)


def test_links_are_shared_max_min() -> None:
    # Link X of 10 carries a, b and c, link Y of 2 carries c and d. Y is full first: c and d get 1 each.
    # X has 9 left for a and b: 4.5 each.
    on_path = np.array([[True, False], [True, False], [True, True], [False, True]])
    assert max_min_fair(on_path, np.array([10.0, 2.0])).tolist() == [4.5, 4.5, 1.0, 1.0]


def test_delay_of_a_link() -> None:
    # 2000 km · 2.1 of real fibre · 5 µs/km = 21 ms.
    assert float(fibre_latency_s(2000.0)) == pytest.approx(0.021)


def test_mean_time_between_failures() -> None:
    # 50,700 GPU-h over 1,000 GPUs: 50.7 h = 182,520 s; 50,000 GPU-h, the default, 180,000 s.
    assert float(job_mtbf_s(1000, 50_700.0)) == pytest.approx(182_520.0)
    assert float(job_mtbf_s(1000)) == pytest.approx(180_000.0)


def test_checkpoint_interval_of_young() -> None:
    # C = 50 s, M = 10,000 s: √(2 · 50 · 10,000) = √1,000,000.
    assert float(young_interval_s(50.0, 10_000.0)) == 1000.0


def test_checkpoint_interval_of_daly() -> None:
    # C / 2M = 0.0025, its root 0.05: 1000 · (1 + 0.05/3 + 0.0025/9) − 50 = 1016.9444 − 50.
    assert float(daly_interval_s(50.0, 10_000.0)) == pytest.approx(966.9444, abs=1e-4)
    # From C = 2M on it is M.
    assert float(daly_interval_s(200.0, 100.0)) == 100.0


def test_work_lost_by_a_failure() -> None:
    # L = 950 + 50 = 1000 s, M = 1000 s: M − L / (e − 1) = 1000 − 1000 / 1.7182818 = 418.0233 s.
    assert float(lost_by_failure_s(950.0, 50.0, 1000.0)) == pytest.approx(418.0233, abs=1e-4)
    # Rare failures, M = 1e9 s, lose half of a segment.
    assert float(lost_by_failure_s(950.0, 50.0, 1e9)) == pytest.approx(500.0, abs=1e-3)


def test_time_with_failures() -> None:
    # τ + C = 1000 s = M, R = 0: M · (e − 1) per segment of 950 s of work; for 9,500 s of work ten of them.
    assert float(expected_run_s(9500.0, 950.0, 50.0, 0.0, 1000.0)) == pytest.approx(17_182.818, abs=1e-3)


def test_the_page_names_every_test_of_this_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "compute.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    here = {name for name in globals() if name.startswith("test_") and not name.startswith("test_the_page")}
    assert named == here
