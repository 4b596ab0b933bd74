"""Pre-copy: rounds by hand and by a loop, when it converges, and what it can not do better than stopping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.migration import transfer_s
from twin.migration_live import live_precopy
from weather import InputError


def by_loop(
    size: float, rate: float, dirty: float, stop: float, most: int
) -> tuple[int, float, float, float]:
    """Send round after round: rounds, time while running, downtime, bytes."""
    rest, n, precopy, sent = size, 0, 0.0, 0.0
    while rest > stop and n < most and 8 * dirty < rate:
        seconds = 8 * rest / rate
        n, precopy, sent, rest = n + 1, precopy + seconds, sent + rest, dirty * seconds
    return n, precopy, 8 * rest / rate, sent + rest


def test_rounds_by_hand() -> None:
    # 100 GB at 8 Gbit/s: 1 GB/s. 0.2 GB/s changes: rounds of 100, 20, 4 s, then 0.8 GB in 0.8 s.
    live = live_precopy(100.0, 8.0, 0.2, latency_s=0.05, resume_s=2.0)
    assert bool(live.converges)
    assert int(live.rounds) == 3
    assert float(live.precopy_s) == pytest.approx(124.0)
    assert float(live.downtime_s) == pytest.approx(0.8 + 2.05)
    assert float(live.total_s) == pytest.approx(126.85)
    assert float(live.sent_gb) == pytest.approx(124.8)


def test_a_rest_of_exactly_the_threshold_ends_the_rounds() -> None:
    live = live_precopy(1000.0, 8.0, 0.1, stop_gb=1.0)
    assert (int(live.rounds), float(live.downtime_s)) == (3, pytest.approx(1.0))


def test_a_job_that_changes_nothing_is_sent_once_and_stands_for_the_delay() -> None:
    live = live_precopy(100.0, 8.0, 0.0, latency_s=0.05)
    assert (int(live.rounds), float(live.precopy_s), float(live.downtime_s)) == (1, 100.0, 0.05)
    assert float(live.sent_gb) == 100.0


@pytest.mark.parametrize("dirty", [1.0, 1.5, 20.0])
def test_as_fast_as_the_link_or_faster_it_is_stop_and_copy(dirty: float) -> None:
    live = live_precopy(100.0, 8.0, dirty, latency_s=0.05)
    assert not live.converges
    assert (int(live.rounds), float(live.precopy_s)) == (0, 0.0)
    assert float(live.downtime_s) == float(transfer_s(100.0, 8.0, 0.05))
    assert float(live.sent_gb) == 100.0


def test_full_training_of_a_7b_model_converges_over_no_wan_but_its_adapters_do() -> None:
    # 98 GB of state rewritten every 5 s are 20 GB/s; adapters of 0.5 % of the state are 0.1 GB/s.
    live = live_precopy(98.0, [10.0, 100.0, 10.0], [19.6, 19.6, 0.098])
    assert live.converges.tolist() == [False, False, True]
    assert float(live.downtime_s[2]) < 1.0 < float(live.downtime_s[1])


def test_without_a_link_nothing_ends_and_nothing_converges() -> None:
    live = live_precopy([100.0, 0.5], 0.0, 0.0)
    assert not live.converges.any()
    assert np.all(np.isinf(live.downtime_s))
    assert np.all(np.isinf(live.total_s))


def test_rounds_end_at_the_most_that_is_allowed() -> None:
    live = live_precopy(100.0, 8.0, 0.9, max_rounds=5)
    assert int(live.rounds) == 5
    assert float(live.downtime_s) == pytest.approx(100.0 * 0.9**5)


def test_little_state_is_sent_while_the_job_stands() -> None:
    live = live_precopy(0.5, 8.0, 0.1)
    assert (int(live.rounds), float(live.downtime_s)) == (0, 0.5)


def test_near_the_limit_the_sum_of_rounds_is_exact() -> None:
    live = live_precopy(100.0, 8.0, 1.0 - 1e-12, max_rounds=30)
    assert float(live.precopy_s) == pytest.approx(3000.0, rel=1e-9)


@given(
    st.floats(0.0, 1e4), st.floats(0.1, 100.0), st.floats(0.0, 2.0), st.floats(0.01, 10.0), st.integers(1, 40)
)
def test_the_series_is_what_a_loop_of_rounds_gives(
    size: float, rate: float, share: float, stop: float, most: int
) -> None:
    dirty = share * rate / 8.0
    live = live_precopy(size, rate, dirty, stop_gb=stop, max_rounds=most)
    n, precopy, downtime, sent = by_loop(size, rate, dirty, stop, most)
    if int(live.rounds) != n:
        # Where the rest is the threshold to within rounding either number is right.
        assert abs(int(live.rounds) - n) == 1
        assert size * (8 * dirty / rate) ** min(n, int(live.rounds)) == pytest.approx(stop, rel=1e-6)
        return
    assert float(live.precopy_s) == pytest.approx(precopy, rel=1e-9, abs=1e-12)
    assert float(live.downtime_s) == pytest.approx(downtime, rel=1e-6, abs=1e-9)
    assert float(live.sent_gb) == pytest.approx(sent, rel=1e-9, abs=1e-12)


@given(st.floats(0.0, 1e4), st.floats(0.1, 100.0), st.floats(0.0, 2.0))
def test_downtime_is_never_longer_and_the_whole_never_shorter_than_stop_and_copy(
    size: float, rate: float, share: float
) -> None:
    live = live_precopy(size, rate, share * rate / 8.0, latency_s=0.1)
    still = float(transfer_s(size, rate, 0.1))
    assert float(live.downtime_s) <= still * (1 + 1e-12)
    assert float(live.total_s) >= still * (1 - 1e-12)
    assert float(live.sent_gb) >= size * (1 - 1e-12)


def test_all_findings_at_once() -> None:
    with pytest.raises(InputError) as error:
        live_precopy(-1.0, np.inf, np.nan, latency_s=-1.0, resume_s=-1.0, stop_gb=0.0, max_rounds=0)
    assert len(error.value.findings) == 7
