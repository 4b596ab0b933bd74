"""Transfers over networks that change: cuts and retries by hand, nothing lost, nothing counted twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs
from tests.twin.test_transfers import GOODPUT, Move, Wander, two_jobs
from tests.twin.test_wan import line_graph
from twin.accounting import account
from twin.inputs import SimulationInputs
from twin.policies import CommandError
from twin.record import SimulationRecord
from twin.simulate import Simulation, run_simulation
from twin.state import Phase
from twin.wan import Wan
from twin.wan_changes import LinkOutage, with_background, with_outages
from twin.wan_graph import from_graph
from twin.wan_time import Retry

RATE = 10.0 * GOODPUT / 8
MOVE = Move(3600.0, (0,), (1,))


def cut_at(
    inputs: SimulationInputs, *spans: tuple[float, float], link: str = "up:site0", resume: bool = True
) -> SimulationInputs:
    """The inputs with outages of one link; waits of 30, 60, 120, ... up to 600 s."""
    outages = [LinkOutage(link, *span) for span in spans]
    return replace(inputs, wan=with_outages(inputs.wan, outages, retry=Retry(resume=resume)))


def same(one: SimulationRecord, other: SimulationRecord) -> None:
    """Check that two records agree in every bit."""
    for name in ("jobs", "transfers", "events", "pauses"):
        assert getattr(one, name).equals(getattr(other, name)), name
    for name, values in one.sites.items():
        np.testing.assert_array_equal(values, other.sites[name], err_msg=name)


def test_a_cut_transfer_keeps_what_arrived_and_goes_on_when_an_attempt_finds_a_route() -> None:
    # Saved at 3650, cut at 3660. Attempts at 3690, 3750 and 3870 find nothing, that at 4110 does.
    inputs = cut_at(two_jobs(), (3660.0, 3960.0))
    record = run_simulation(inputs, MOVE)
    row, latency = record.transfers.iloc[0], inputs.wan.latency_s[0, 1]
    arrived = (3660.0 - 3650.0 - latency) * RATE
    assert row.sent_s == pytest.approx(4110.0 + latency + (100.0 - arrived) / RATE, abs=1e-6)
    assert (row.n_cuts, row.repeated_gb) == (1, 0.0)
    assert row.moved_gb == pytest.approx(100.0)
    assert record.sites["wan_gb"].sum() == pytest.approx(100.0)
    cut, back = (record.events[record.events.kind == kind] for kind in ("link_cut", "link_back"))
    assert (cut.time_s.tolist(), back.time_s.tolist()) == ([3660.0], [4110.0])
    assert cut.value.tolist() == back.value.tolist() == [pytest.approx(100.0 - arrived)]
    held = record.sites["held_gpus"].sum(axis=0)
    assert held[0] == pytest.approx(8 * (row.sent_s - 3600.0) / 3600.0, abs=1e-9)
    assert (record.jobs.site[0], record.jobs.phase[0]) == (1, "done")


def test_a_transfer_that_starts_over_counts_what_it_repeats() -> None:
    inputs = cut_at(two_jobs(), (3660.0, 3960.0), resume=False)
    record = run_simulation(inputs, MOVE)
    row, latency = record.transfers.iloc[0], inputs.wan.latency_s[0, 1]
    repeated = (3660.0 - 3650.0 - latency) * RATE
    assert row.sent_s == pytest.approx(4110.0 + latency + 100.0 / RATE, abs=1e-6)
    assert row.repeated_gb == pytest.approx(repeated)
    assert row.moved_gb == pytest.approx(100.0 + repeated)
    assert record.sites["wan_gb"].sum() == pytest.approx(100.0 + repeated)
    score = account(record, [baseline(inputs)])
    assert score.moved_gb == pytest.approx(100.0 + repeated)


def test_a_checkpoint_saved_during_an_outage_waits_for_the_route() -> None:
    # The first attempt, at 3650, finds nothing; those at 3680 and 3740 neither, that at 3860 does.
    inputs = cut_at(two_jobs(), (3620.0, 3800.0))
    row = run_simulation(inputs, MOVE).transfers.iloc[0]
    assert row.sent_s == pytest.approx(3860.0 + inputs.wan.latency_s[0, 1] + 100.0 / RATE, abs=1e-6)
    assert (row.n_cuts, row.moved_gb) == (0, pytest.approx(100.0))


def test_a_link_that_never_comes_back_leaves_the_job_at_its_source_with_its_checkpoint() -> None:
    inputs = cut_at(two_jobs(), (3660.0, 1e9))
    simulation = Simulation(inputs, MOVE)
    while not simulation.finished:
        simulation.step()
        if simulation.now_s >= 3700.0:
            state = simulation.state
            assert (state.phase[0], state.site[0], state.dest[0]) == (Phase.SENDING, 0, 1)
    row = simulation.record.transfers.iloc[0]
    assert np.isnan(row.sent_s)
    assert row.moved_gb == pytest.approx((10.0 - inputs.wan.latency_s[0, 1]) * RATE)
    assert simulation.record.jobs.done_gpu_h[0] == pytest.approx(8.0)


def test_an_outage_at_the_instant_of_the_last_byte_cuts_nothing() -> None:
    whole = run_simulation(two_jobs(), MOVE).transfers.iloc[0]
    row = run_simulation(cut_at(two_jobs(), (whole.sent_s, 1e6)), MOVE).transfers.iloc[0]
    assert (row.sent_s, row.n_cuts) == (whole.sent_s, 0)


def test_outages_elsewhere_change_nothing() -> None:
    plain = run_simulation(two_jobs(), MOVE)
    same(plain, run_simulation(cut_at(two_jobs(), (3610.0, 9000.0), link="up:site2"), MOVE))
    same(plain, run_simulation(cut_at(two_jobs()), MOVE))


def test_a_transfer_that_shares_the_cut_link_is_cut_and_the_other_gets_all() -> None:
    # Two of 400 GB leave site 0 at 3800 and share its uplink, until down:site2 fails at 3900.
    jobs = job_table([(0.0, 8, 200.0, 400.0, 0), (0.0, 8, 200.0, 400.0, 0)])
    inputs = make_inputs(jobs, wind_mw=np.full(30, 4.0), device=["a100_sxm_40"] * 3, fleet_scale=1)
    inputs = cut_at(inputs, (3900.0, 1e6), link="down:site2")
    rows = run_simulation(inputs, Move(3600.0, (0, 1), (1, 2))).transfers.set_index("job")
    near, far = inputs.wan.latency_s[0, 1], inputs.wan.latency_s[0, 2]
    assert rows.n_cuts.sort_index().tolist() == [0, 1]
    assert rows.loc[1].moved_gb == pytest.approx((100.0 - far) * RATE / 2)
    arrived = (far - near) * RATE + (100.0 - far) * RATE / 2
    assert rows.loc[0].sent_s == pytest.approx(3900.0 + (400.0 - arrived) / RATE, abs=1e-6)


def detour(outages: list[LinkOutage], resume: bool = True) -> SimulationInputs:
    """Three sites in a line, 10 and 1 Gbit/s, and a direct way of 0.5 Gbit/s with a delay of 0.1 s."""
    inputs = two_jobs()
    graph = line_graph()
    for node, place in zip((7, 8, 9), range(3), strict=True):
        graph.nodes[node].update(Latitude=35.0 + place, Longitude=-115.0)
    graph.add_edge(7, 9, LinkSpeedRaw=5e8, latency_s=0.1)
    wan = from_graph(graph, inputs.sites, access_gbit_per_s=100.0, goodput=1.0)
    return replace(inputs, wan=with_outages(wan, outages, retry=Retry(resume=resume)))


def test_a_transfer_goes_on_over_the_way_that_is_left() -> None:
    # Over 8: 1 Gbit/s from 3650 + delay. Cut at 3850, connected at 3880 over the direct way of 0.5 Gbit/s,
    # until the short way is back at 4280: from there 1 Gbit/s again, without a break.
    inputs = detour([LinkOutage("8>9", 3850.0, 4280.0)])
    row = run_simulation(inputs, Move(3600.0, (0,), (2,))).transfers.iloc[0]
    over_8 = inputs.wan.latency_s[0, 2]
    first, second = (200.0 - over_8) / 8, (4280.0 - 3880.0 - 0.1) * 0.5 / 8
    assert row.sent_s == pytest.approx(4280.0 + (100.0 - first - second) * 8, abs=1e-6)
    assert row.n_cuts == 1


def test_background_slows_a_transfer_from_when_it_comes() -> None:
    # 10 Gbit/s until 3700, then others take 6: 0.85 of what is left carries payload.
    inputs = two_jobs()
    traffic = np.array([[0.0], [6.0]])
    inputs = replace(inputs, wan=with_background(inputs.wan, [0.0, 3700.0], traffic))
    row = run_simulation(inputs, MOVE).transfers.iloc[0]
    arrived = (50.0 - inputs.wan.latency_s[0, 1]) * RATE
    assert row.sent_s == pytest.approx(3700.0 + (100.0 - arrived) / (0.4 * RATE), abs=1e-6)
    assert (row.n_cuts, row.moved_gb) == (0, pytest.approx(100.0))


def test_a_link_that_others_fill_stops_a_transfer_without_cutting_it() -> None:
    inputs = two_jobs()
    full = with_background(inputs.wan, [0.0, 3700.0, 5000.0], np.array([[0.0], [10.0], [0.0]]))
    row = run_simulation(replace(inputs, wan=full), MOVE).transfers.iloc[0]
    whole = run_simulation(inputs, MOVE).transfers.iloc[0]
    assert row.sent_s == pytest.approx(whole.sent_s + 1300.0, abs=1e-6)
    assert row.n_cuts == 0


@pytest.mark.parametrize("tick_s", [60, 300, 3600])
def test_cuts_and_retries_do_not_depend_on_the_tick(tick_s: int) -> None:
    spans = ((3660.0, 3960.0), (4120.0, 4125.0), (4500.0, 7000.0))
    both = Move(3600.0, (0, 1), (1, 2))
    fine = run_simulation(cut_at(two_jobs(tick_s=50), *spans, resume=False), both).transfers
    other = run_simulation(cut_at(two_jobs(tick_s=tick_s), *spans, resume=False), both).transfers
    assert fine.n_cuts.sum() >= 3
    for column in ("saved_s", "sent_s", "resumed_s", "repeated_gb", "n_cuts"):
        np.testing.assert_allclose(
            fine.sort_values("job")[column], other.sort_values("job")[column], rtol=0, atol=1e-6
        )


def test_policies_see_and_may_use_only_the_network_of_now() -> None:
    inputs = cut_at(two_jobs(), (3000.0, 5000.0))
    with pytest.raises(CommandError, match="has no path to its destination"):
        run_simulation(inputs, MOVE)
    run_simulation(inputs, replace(MOVE, at_s=7200.0))


def test_sites_are_sized_for_the_most_the_network_ever_carries() -> None:
    inputs = make_inputs(
        job_table([(0.0, 1, 1.0, 1.0, 0)]), wind_mw=np.full(4, 4.0), import_limit_mw=(3.8, 4.8, 10.5)
    )
    loud = replace(inputs.wan, energy_kwh_per_gb=0.06)
    plain = replace(inputs, wan=loud).gpu_capacity
    busy = with_background(loud, [0.0, 7200.0], np.array([[10.0], [2.0]]))
    partly = replace(inputs, wan=busy).gpu_capacity
    cut = with_outages(loud, [LinkOutage("up:site0", 0.0, 1e9)])
    assert np.all(plain <= partly)
    assert np.any(plain < partly)
    assert np.all(plain <= replace(inputs, wan=cut).gpu_capacity)
    assert np.array_equal(replace(inputs, wan=with_outages(cut, [])).gpu_capacity, plain)


@st.composite
def changing_runs(draw: st.DrawFn) -> SimulationInputs:
    """Small random runs whose links fail, come back and fill at random."""
    inputs = draw(small_runs())
    n_links = len(inputs.wan.link)
    outage = st.builds(
        lambda link, start, length: LinkOutage(inputs.wan.link[link], start, start + length),
        st.integers(0, n_links - 1),
        st.floats(-100.0, 50000.0),
        st.sampled_from([1.0, 100.0, 3600.0, 20000.0]),
    )
    retry = Retry(
        resume=draw(st.booleans()), first_s=draw(st.sampled_from([1.0, 30.0, 900.0])), most_s=1800.0
    )
    wan = with_outages(inputs.wan, draw(st.lists(outage, max_size=6)), retry=retry)
    shares = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3))
    taken = np.array(shares)[:, None] * inputs.wan.capacity_gbit_per_s
    return replace(inputs, wan=with_background(wan, [0.0, 10000.0, 30000.0], taken))


class WanderWherePossible(Wander):
    """Moves jobs at random, but only where there is a path."""

    def decide(self, view):  # type: ignore[no-untyped-def]
        commands = super().decide(view)
        source = view.running.site[np.searchsorted(view.running.job, commands.move_job)]
        open_ = np.isfinite(view.latency_s[source, commands.move_dest])
        return replace(commands, move_job=commands.move_job[open_], move_dest=commands.move_dest[open_])


@settings(max_examples=25)
@given(inputs=changing_runs())
def test_bytes_and_work_are_conserved_whatever_fails(inputs: SimulationInputs) -> None:
    record = run_simulation(inputs, WanderWherePossible())
    jobs, transfers = record.jobs, record.transfers
    sizes = jobs.loc[transfers["job"], "checkpoint_gb"].to_numpy()
    net = (transfers["moved_gb"] - transfers["repeated_gb"]).to_numpy()
    arrived = transfers["sent_s"].notna().to_numpy()
    np.testing.assert_allclose(net[arrived], sizes[arrived], rtol=1e-9, atol=1e-9)
    assert np.all(net <= sizes * (1 + 1e-9) + 1e-9)
    assert np.all(net >= -1e-9)
    assert record.sites["wan_gb"].sum() == pytest.approx(transfers["moved_gb"].sum(), rel=1e-9, abs=1e-9)
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(jobs["done_gpu_h"].sum(), rel=1e-9, abs=1e-9)
    assert np.all(transfers.loc[transfers["n_cuts"] == 0, "repeated_gb"] == 0.0)
    assert np.all(transfers["n_cuts"] >= 0)
    used = record.sites["busy_gpus"] + record.sites["held_gpus"] + record.sites["reserved_gpus"]
    assert np.all(used <= inputs.gpu_capacity * (1 + 1e-9))
    account(record, [baseline(inputs)])


@settings(max_examples=25)
@given(inputs=changing_runs())
def test_no_link_is_over_capacity_and_none_that_is_down_carries_anything(inputs: SimulationInputs) -> None:
    seen: list[tuple[Wan, np.ndarray]] = []

    class Meter(Wan):
        def max_min_rates(self, source: np.ndarray, destination: np.ndarray) -> np.ndarray:
            rates = super().max_min_rates(source, destination)
            seen.append((self, self.on_path[source, destination].T.astype(float) @ rates))
            return rates

    metered = Meter(**{name: getattr(inputs.wan, name) for name in Wan.__dataclass_fields__})
    run_simulation(replace(inputs, wan=metered), WanderWherePossible())
    assert metered.timeline is not None
    down = {id(routing.on_path): routing.down for routing in metered.timeline.routings}
    for wan, used in seen:
        assert np.all(used <= wan.payload_gbit_per_s * (1 + 1e-9) + 1e-12)
        assert not used[down[id(wan.on_path)]].any()


@settings(max_examples=10)
@given(inputs=changing_runs(), share=st.floats(0.0, 1.0))
def test_a_run_written_and_read_back_amid_cuts_goes_on_identically(
    inputs: SimulationInputs, share: float
) -> None:
    first = Simulation(inputs, WanderWherePossible())
    for _ in range(int(share * inputs.n_ticks)):
        first.step()
    fresh = replace(inputs, wan=replace(inputs.wan))
    second = Simulation.from_arrays(fresh, WanderWherePossible(), first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    same(first.record, second.record)
