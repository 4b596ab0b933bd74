"""Racks that are switched off: by hand, and that jobs, devices and energy are all accounted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs
from tests.twin.test_pauses import A100, Fickle, at
from tests.twin.test_simulate import assert_each_gpu_and_job_is_once, assert_same_record, policies
from twin.accounting import account
from twin.inputs import SimulationInputs
from twin.policies import POLICIES, Commands, Policy, View
from twin.rack_control import Racks
from twin.racks import RackTable
from twin.scheduler import usage
from twin.simulate import Simulation, run_simulation
from twin.site_outages import SiteOutages, with_site_outages
from twin.sites import make_sites, site_power_mw
from twin.state import Phase
from weather import InputError

LOAD_S = 308.0  # 16 GB on one node of 2 GB/s; 240 s to start up and 60 s to warm up


def racked(
    *jobs: tuple[float, int, float, float, int], n_hours: int = 12, **columns: object
) -> SimulationInputs:
    """Sites of 64 A100s in racks of 16, which take 900 s to start and stop at once."""
    inputs = make_inputs(job_table(list(jobs)), wind_mw=np.full(n_hours, 4.0), device=A100, fleet_scale=1)
    given: dict[str, object] = {"start_s": [900.0] * 3}
    racks = RackTable.of([16] * 3, **(given | columns))
    return replace(inputs, sites=replace(inputs.sites, racks=racks))


@pytest.mark.parametrize("start_s", [0.0, 300.0, 900.0, 4500.0])
def test_a_job_waits_for_its_rack_by_exactly_its_start_time(start_s: float) -> None:
    inputs = racked((3600.0, 8, 8.0, 16.0, 0), start_s=[start_s] * 3)
    job = run_simulation(inputs, POLICIES["static"]()).jobs.iloc[0]
    assert job.first_start_s == 3600.0 + start_s
    assert job.end_s == pytest.approx(3600.0 + start_s + 3600.0)


def test_a_job_starts_at_once_in_a_rack_that_another_job_keeps_on() -> None:
    # 8 of the 16 devices of the one rack that is on are free; the third job needs another rack.
    inputs = racked((0.0, 8, 80.0, 16.0, 0), (3600.0, 8, 8.0, 16.0, 0), (3700.0, 8, 8.0, 16.0, 0))
    jobs = run_simulation(inputs, POLICIES["static"]()).jobs
    assert jobs.first_start_s.tolist() == [0.0, 3600.0, 3900.0 + 900.0]


def test_a_rack_stays_on_for_the_time_it_is_kept() -> None:
    # The first job ends at 3600 s. A rack kept for 1800 s is still on at 5100 s, not after 5400 s.
    first, soon, late = (0.0, 8, 8.0, 16.0, 0), (5100.0, 8, 8.0, 16.0, 0), (5700.0, 8, 8.0, 16.0, 0)
    kept = [
        run_simulation(racked(first, then, keep_s=[1800.0] * 3), POLICIES["static"]()).jobs
        for then in (soon, late)
    ]
    assert kept[0].first_start_s[1] == 5100.0
    assert kept[1].first_start_s[1] == 5700.0 + 900.0


def test_a_rack_that_stops_must_be_off_before_it_starts_again() -> None:
    # Racks stop from 0 s on and are off at 1200 s. All four are wanted at 600 s.
    inputs = racked((600.0, 64, 64.0, 16.0, 0), stop_s=[1200.0] * 3)
    job = run_simulation(inputs, POLICIES["static"]()).jobs.iloc[0]
    assert job.first_start_s == 1200.0 + 900.0


def test_power_of_racks_by_hand() -> None:
    # From 3600 s on one rack of four starts for 900 s, with 16 devices idle, then 8 of these run; racks that
    # are off draw a tenth of their idle power.
    inputs = racked((3600.0, 8, 80.0, 16.0, 0), off_share=[0.1] * 3)
    sites = run_simulation(inputs, POLICIES["static"]()).sites
    idle_w, busy_w = inputs.sites.free_w[0], inputs.sites.busy_w[0]
    assert idle_w > 0.0  # a rack that is on idles, though the site's devices could be switched off one by one
    off = 64 * 0.1 * idle_w
    fixed = 0.06 * inputs.sites.it_capacity_mw[0] * 1e6
    assert sites["rack_off_p_mw"][0, 0] * 1e6 == pytest.approx(off)
    assert sites["load_p_mw"][0, 0] * 1e6 == pytest.approx(off * 1.04 + fixed)
    quarter = [48 * 0.1 * idle_w, 0.25 * 16 * idle_w, 0.75 * 8 * idle_w, 0.75 * 8 * busy_w]
    names = ("rack_off", "rack_start", "idle", "compute")
    assert [sites[f"{name}_p_mw"][1, 0] * 1e6 for name in names] == pytest.approx(quarter)
    assert sites["load_p_mw"][1, 0] * 1e6 == pytest.approx(sum(quarter) * 1.04 + fixed)


def test_without_racks_nothing_of_them_is_recorded() -> None:
    inputs = make_inputs(job_table([(0.0, 8, 8.0, 1.0, 0)]), wind_mw=np.full(4, 4.0))
    record = run_simulation(inputs, POLICIES["static"]())
    assert not [name for name in record.sites if "rack" in name or "battery" in name]
    assert not [key for key in account(record, [baseline(inputs)]).to_mapping() if "rack" in key]


def moved(start_s: float) -> tuple[float, float]:
    """Time from the begin of a move until the job runs at its destination, and until all is sent. [s]"""
    move = at({1: lambda view: Commands(move_job=view.running.job, move_dest=np.array([1]))})
    inputs = racked((0.0, 8, 80.0, 16.0, 0), start_s=[start_s] * 3)
    record = run_simulation(inputs, move)
    account(record, [baseline(inputs)])
    row = record.transfers.iloc[0]
    return float(row.resumed_s - row.begun_s), float(row.sent_s - row.begun_s)


def test_a_move_loads_when_its_rack_is_ready() -> None:
    # Saving takes 8 s, sending 16 GB some 15 s: with 900 s the rack is what it waits for.
    resumed, sent = moved(900.0)
    assert sent < 60.0
    assert resumed == pytest.approx(900.0 + LOAD_S)
    resumed, sent = moved(0.0)
    assert resumed == pytest.approx(sent + LOAD_S)


def test_a_paused_job_resumes_when_its_rack_is_ready() -> None:
    pause = at(
        {
            1: lambda view: Commands(pause_job=view.running.job),
            3: lambda view: Commands(resume_job=view.paused.job),
        }
    )
    inputs = racked((0.0, 8, 80.0, 16.0, 0))
    record = run_simulation(inputs, pause)
    account(record, [baseline(inputs)])
    assert record.pauses.resumed_s.tolist() == [pytest.approx(3 * 3600.0 + 900.0 + LOAD_S)]


def test_policies_see_what_is_ready_and_when_the_rest_will_be() -> None:
    seen: dict[int, tuple[int, int, float]] = {}

    def look(view: View) -> Commands:
        sites = view.sites
        seen[view.step] = (int(sites.free_gpus[0]), int(sites.ready_gpus[0]), float(sites.rack_wait_s[0]))
        return Commands()

    run_simulation(racked((0.0, 8, 16.0, 16.0, 0)), at({0: look, 1: look, 3: look}))
    assert seen == {0: (64, 64, 0.0), 1: (56, 8, 900.0), 3: (64, 0, 900.0)}


def test_racks_of_a_site_that_was_down_start_again() -> None:
    inputs = racked((0.0, 8, 8.0, 16.0, 0), (3600.0, 8, 8.0, 16.0, 1), keep_s=[86400.0] * 3)
    inputs = with_site_outages(inputs, SiteOutages.of([(1, 1800.0, 7200.0)]))
    record = run_simulation(inputs, POLICIES["static"]())
    assert record.jobs.first_start_s.tolist() == [0.0, 7200.0 + 900.0]
    idle = site_power_mw(inputs.sites, np.zeros(3), np.zeros(3), 10.0)
    assert record.sites["load_p_mw"][0, 1] == pytest.approx(0.5 * idle[1])
    assert record.sites["load_p_mw"][1, 1] == pytest.approx(0.0, abs=1e-12)


@st.composite
def racked_runs(draw: st.DrawFn) -> SimulationInputs:
    inputs = draw(small_runs().filter(lambda inputs: np.isinf(inputs.sites.import_limit_mw).all()))
    ticks = st.lists(st.integers(0, 5), min_size=3, max_size=3)
    times = {name: [inputs.tick_s * k for k in draw(ticks)] for name in ("start_s", "stop_s", "keep_s")}
    racks = RackTable.of(
        draw(st.sampled_from([(16, 64, 3200), (1, 0, 800)])), off_share=[0.1, 0.0, 0.5], **times
    )
    inputs = replace(inputs, sites=replace(inputs.sites, racks=racks))
    if draw(st.booleans()):
        inputs = with_site_outages(inputs, SiteOutages.of([(0, 9000.0, 20000.0), (2, 0.0, 4000.0)]))
    return inputs


makers = st.one_of(policies.map(POLICIES.__getitem__), st.just(Fickle))


@settings(max_examples=20)
@given(inputs=racked_runs(), make=makers)
def test_racks_devices_jobs_and_energy_add_up_in_every_tick(
    inputs: SimulationInputs, make: type[Policy]
) -> None:
    simulation, racks = Simulation(inputs, make()), Racks.of(inputs)
    assert racks is not None
    has = racks.gpus > 0
    while not simulation.finished:
        simulation.step()
        state = simulation.state
        assert_each_gpu_and_job_is_once(state, inputs)
        counts = (state.racks_on, *state.racks_starting, *state.racks_stopping)
        assert all(np.all(count >= 0) for count in counts)
        assert np.all(sum(counts) <= racks.n_racks)
        used = usage(state, np.flatnonzero(state.phase < Phase.DONE), 3)
        assert np.all((used.running <= racks.ready_gpus(state))[has])
        down = np.zeros(3, dtype=bool) if inputs.down is None else inputs.down[state.tick - 1]
        # What holds a job draws: it is in a rack that is on, starts or stops.
        assert np.all((used.running + used.held <= inputs.sites.n_gpus - racks.off_gpus(state))[has & ~down])
    score = account(simulation.record, [baseline(inputs)])
    parts = score.it_mwh + score.idle_mwh + score.migration_mwh + score.overhead_mwh
    assert score.rack_start_mwh is not None
    assert score.rack_off_mwh is not None
    assert score.compute_mwh == pytest.approx(parts + score.rack_start_mwh + score.rack_off_mwh, rel=1e-9)
    power = simulation.record.sites
    assert all(np.all(power[f"{name}_p_mw"] >= 0.0) for name in ("idle", "rack_start", "rack_off"))
    it_mw = sum(power[f"{name}_p_mw"] for name in ("compute", "idle", "rack_start", "rack_off"))
    it_mw = it_mw + power["held_gpus"] * inputs.sites.loaded_idle_w / 1e6
    up = 1.0 if inputs.down_share is None else 1.0 - inputs.down_share
    overhead = (inputs.meter_factor - 1.0) * it_mw + 0.06 * inputs.sites.it_capacity_mw * up
    np.testing.assert_allclose(power["overhead_p_mw"], overhead, atol=1e-9)


@settings(max_examples=10)
@given(inputs=racked_runs(), make=makers, share=st.floats(0.0, 1.0))
def test_a_run_with_racks_goes_on_from_its_state(
    inputs: SimulationInputs, make: type[Policy], share: float
) -> None:
    first = Simulation(inputs, make())
    for _ in range(int(share * inputs.n_ticks)):
        first.step()
    second = Simulation.from_arrays(inputs, make(), first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    assert_same_record(first.record, second.record)
    assert_same_record(first.record, run_simulation(inputs, make()))


def test_racks_that_cannot_be_are_refused_all_at_once() -> None:
    with pytest.raises(InputError) as error:
        make_sites(
            name=["a", "b"],
            grid=[0, 0],
            bus=["1", "2"],
            n_gpus=[64, 64],
            latitude=[35.0, 35.0],
            longitude=[-115.0, -115.0],
            racks=RackTable.of([16, 15], start_s=[-1.0, 60.0], keep_s=[0.0, np.inf], off_share=[1.5, 0.0]),
        )
    said = str(error.value)
    for part in ("rack_gpus=15", "rack_start_s=-1.0 s", "rack_keep_s=inf s", "rack_off_share=1.5"):
        assert part in said
    with pytest.raises(InputError, match=r"rack_start_s=1000 s is no multiple of the tick of 300 s"):
        racked((0.0, 8, 8.0, 16.0, 0), start_s=[1000.0] * 3)
    with pytest.raises(InputError, match="numbers of values differ"):
        RackTable.of([16, 16], start_s=[300.0])
