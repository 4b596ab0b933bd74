"""Migrations inside ticks: hand-computed times, fair sharing, bytes and GPUs conserved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import job_table, make_inputs, small_runs
from twin.inputs import SimulationInputs
from twin.policies import CommandError, Commands, View
from twin.simulate import Simulation, run_simulation
from twin.state import Phase

GOODPUT = 0.85


@dataclass(frozen=True)
class Move:
    """Moves given jobs at a given time."""

    at_s: float
    job: tuple[int, ...]
    dest: tuple[int, ...]
    name: str = "move"

    def decide(self, view: View) -> Commands:
        if view.now_s != self.at_s:
            return Commands()
        return Commands(move_job=np.array(self.job), move_dest=np.array(self.dest))


@dataclass(frozen=True)
class Wander:
    """Moves every job it may to a random site with room: far more moves than any sensible policy."""

    name: str = "wander"

    def decide(self, view: View) -> Commands:
        jobs = view.running
        dest = view.rng.integers(0, view.sites.n_sites, len(jobs))
        go = jobs.migratable & (dest != jobs.site) & view.renewed
        for site in range(view.sites.n_sites):
            here = np.flatnonzero(go & (dest == site))
            full = np.cumsum(jobs.n_gpus[here]) > view.sites.free_gpus[site]
            go[here[full]] = False
        return Commands(move_job=jobs.job[go], move_dest=dest[go])


def two_jobs(**options: int) -> SimulationInputs:
    jobs = job_table([(0.0, 8, 200.0, 100.0, 0), (0.0, 8, 200.0, 400.0, 0)])
    return make_inputs(
        jobs,
        wind_mw=np.full(30, 4.0),
        device=["a100_sxm_40"] * 3,
        fleet_scale=1,
        access_gbit_per_s=10.0,
        **options,
    )


def test_one_move_takes_save_send_and_load_to_the_second() -> None:
    inputs = two_jobs()
    record = run_simulation(inputs, Move(3600.0, (0,), (1,)))
    row = record.transfers.iloc[0]
    latency = inputs.wan.latency_s[0, 1]
    assert row.save_s == pytest.approx(100.0 / 2.0, abs=1e-9)
    assert row.transfer_s == pytest.approx(latency + 100.0 * 8 / (10.0 * GOODPUT), abs=1e-6)
    assert row.load_s == pytest.approx(240.0 + 100.0 / 2.0 + 60.0, abs=1e-6)
    assert row.mean_gbit_per_s == pytest.approx(10.0 * GOODPUT)
    away = row.save_s + row.transfer_s + row.load_s
    job = record.jobs.iloc[0]
    assert (job.site, job.n_migrations) == (1, 1)
    assert job.end_s == pytest.approx(200.0 / 8 * 3600.0 + away, abs=1e-6)
    held = record.sites["held_gpus"].sum(axis=0) * record.step_h
    assert held[0] == pytest.approx(8 * (row.save_s + row.transfer_s) / 3600.0, abs=1e-9)
    assert held[1] == pytest.approx(8 * row.load_s / 3600.0, abs=1e-9)
    reserved = record.sites["reserved_gpus"].sum(axis=0) * record.step_h
    assert reserved[1] == pytest.approx(held[0], abs=1e-9)
    assert record.sites["wan_gb"].sum(axis=0) == pytest.approx([50.0, 50.0, 0.0])
    network_mwh = 100.0 * 0.001 / 1000.0
    it_mwh = (held * inputs.sites.loaded_idle_w).sum() / 1e6
    assert record.sites["migration_p_mw"].sum() == pytest.approx(it_mwh + network_mwh)
    assert row.energy_mwh == pytest.approx(it_mwh + network_mwh)


def test_two_transfers_share_the_uplink_and_the_second_speeds_up_when_the_first_ends() -> None:
    inputs = two_jobs()
    record = run_simulation(inputs, Move(3600.0, (0, 1), (1, 2)))
    rate = 10.0 * GOODPUT / 8
    small, large = (record.transfers.set_index("job").loc[i] for i in (0, 1))
    begun_small = small.saved_s + inputs.wan.latency_s[0, 1]
    begun_large = large.saved_s + inputs.wan.latency_s[0, 2]
    assert (begun_small, begun_large) == pytest.approx((3650.0, 3800.0), abs=0.1)
    # The small one is alone until the large one has been saved, 200 s after the order.
    alone_gb = rate * (begun_large - begun_small)
    assert alone_gb > 100.0
    assert small.sent_s == pytest.approx(begun_small + 100.0 / rate, abs=1e-6)
    assert large.sent_s == pytest.approx(begun_large + 400.0 / rate, abs=1e-6)


def test_equal_transfers_on_one_uplink_take_twice_as_long() -> None:
    jobs = job_table([(0.0, 8, 200.0, 100.0, 0), (0.0, 8, 200.0, 100.0, 0)])
    inputs = make_inputs(jobs, wind_mw=np.full(30, 4.0), device=["a100_sxm_40"] * 3, fleet_scale=1)
    record = run_simulation(inputs, Move(3600.0, (0, 1), (1, 1)))
    alone_s = 100.0 * 8 / (10.0 * GOODPUT)
    np.testing.assert_allclose(
        record.transfers["transfer_s"], 2 * alone_s + inputs.wan.latency_s[0, 1], rtol=1e-9
    )


@pytest.mark.parametrize("tick_s", [60, 300, 3600])
def test_times_of_moves_do_not_depend_on_the_tick(tick_s: int) -> None:
    fine = run_simulation(two_jobs(tick_s=50), Move(3600.0, (0, 1), (1, 2))).transfers
    other = run_simulation(two_jobs(tick_s=tick_s), Move(3600.0, (0, 1), (1, 2))).transfers
    for column in ("saved_s", "sent_s", "resumed_s"):
        np.testing.assert_allclose(
            fine.sort_values("job")[column], other.sort_values("job")[column], rtol=0, atol=1e-6
        )


@settings(max_examples=25)
@given(inputs=small_runs())
def test_bytes_work_and_gpus_are_conserved_however_jobs_wander(inputs: SimulationInputs) -> None:
    record = run_simulation(inputs, Wander())
    jobs, transfers = record.jobs, record.transfers
    arrived = transfers["sent_s"].notna()
    sizes = jobs.loc[transfers["job"], "checkpoint_gb"].to_numpy()
    np.testing.assert_allclose(transfers.loc[arrived, "moved_gb"], sizes[arrived], rtol=1e-12)
    assert record.sites["wan_gb"].sum() == pytest.approx(transfers["moved_gb"].sum(), rel=1e-9, abs=1e-9)
    assert record.sites["progress_gpu_h"].sum() == pytest.approx(jobs["done_gpu_h"].sum(), rel=1e-9, abs=1e-9)
    done = jobs["phase"] == "done"
    np.testing.assert_array_equal(jobs.loc[done, "done_gpu_h"], jobs.loc[done, "work_gpu_h"])
    away_s = (transfers["resumed_s"] - transfers["begun_s"]).groupby(transfers["job"]).sum()
    assert len(transfers) == jobs["n_migrations"].sum()
    assert (away_s >= 0.0).all()


@settings(max_examples=25)
@given(inputs=small_runs(), seed=st.integers(0, 5))
def test_links_are_never_over_capacity(inputs: SimulationInputs, seed: int) -> None:
    del seed
    used: list[np.ndarray] = []
    wan, rates_of = inputs.wan, type(inputs.wan).max_min_rates

    class Meter(type(wan)):  # type: ignore[misc]
        def max_min_rates(self, source: np.ndarray, destination: np.ndarray) -> np.ndarray:
            rates = rates_of(self, source, destination)
            used.append(self.on_path[source, destination].T.astype(float) @ rates)
            return rates

    metered = Meter(**{name: getattr(wan, name) for name in wan.__dataclass_fields__})
    object.__setattr__(inputs, "wan", metered)
    run_simulation(inputs, Wander())
    for rate in used:
        assert np.all(rate <= wan.payload_gbit_per_s * (1 + 1e-9))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Move(3600.0, (0,), (0,)), "is there already"),
        (Move(3600.0, (0, 0), (1, 1)), "named twice"),
        (Move(3600.0, (0,), (9,)), "does not exist"),
        (Move(0.0, (0,), (1,)), "is not running"),
        (Move(3600.0, (0, 1, 2), (1, 1, 1)), "too few free GPUs"),
    ],
)
def test_commands_that_cannot_be_done_raise_and_change_nothing(policy: Move, message: str) -> None:
    jobs = job_table([(0.0, 24, 2400.0, 1.0, 0), (0.0, 24, 2400.0, 1.0, 2), (0.0, 24, 2400.0, 1.0, 2)])
    inputs = make_inputs(jobs, wind_mw=np.full(4, 4.0), device=["a100_sxm_40"] * 3, fleet_scale=1)
    simulation = Simulation(inputs, policy)
    while simulation.now_s < policy.at_s:
        simulation.step()
    with pytest.raises(CommandError, match=message):
        simulation.step()
    assert not np.any(simulation.state.phase == Phase.SAVING)
