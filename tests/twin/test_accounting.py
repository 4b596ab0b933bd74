"""Accounting: energy splits exactly, absorption is counterfactual, and what does not balance is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import DispatchEngine, dispatch, generation_dataset, load_grid
from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs, windy
from twin.accounting import account
from twin.feasibility import REFUSALS
from twin.inputs import GridInputs, SimulationInputs
from twin.ledger import Ledger, check_record, grid_ledger
from twin.policies import POLICIES
from twin.simulate import run_simulation
from weather import BalanceError, InputError, time_axis

A100 = ["a100_sxm_40"] * 3


@settings(max_examples=30)
@given(inputs=small_runs(), name=st.sampled_from(sorted(POLICIES)))
def test_the_energy_of_compute_splits_exactly(inputs: SimulationInputs, name: str) -> None:
    record = run_simulation(inputs, POLICIES[name]())
    s = account(record, [baseline(inputs)])
    explained = (
        s.absorbed_mwh + s.nonrenewable_compute_mwh + s.hydro_mwh + s.csp_mwh + s.shed_mwh - s.dump_mwh
    )
    assert s.compute_mwh == pytest.approx(explained, abs=1e-6)
    assert s.compute_mwh == pytest.approx(s.it_mwh + s.idle_mwh + s.migration_mwh + s.overhead_mwh, abs=1e-9)
    assert s.jobs_done + s.jobs_unfinished == len(inputs.jobs)
    assert s.lost_gpu_h == pytest.approx(s.held_gpu_h + s.reserved_gpu_h + s.repeated_gpu_h)
    assert set(s.migrations_refused) == set(REFUSALS[1:])


def test_load_where_the_line_is_full_absorbs_and_load_elsewhere_does_not() -> None:
    """8 GPU × 50 at bus 0 under a surplus absorb all they draw; at bus 1, behind the full line, nothing."""
    for origin, share in ((0, 1.0), (1, 0.0)):
        jobs = job_table([(0.0, 8, 8 * 10.0, 1.0, origin)])
        inputs = make_inputs(
            jobs, wind_mw=np.full(10, 60.0), device=A100[:2], n_gpus=[8] * 2, bus=[origin, origin]
        )
        s = account(run_simulation(inputs, POLICIES["static"]()), [baseline(inputs)], bound_absorbed_mwh=10.0)
        it_mw = 8 * 50 * 690e-6
        assert s.it_mwh == pytest.approx(10 * it_mw)
        # Ten hours: 1.04 for conversion, and 0.06 of the capacity of both sites as fixed overhead.
        assert s.compute_mwh == pytest.approx(10 * (1.04 * it_mw + 0.06 * 2 * it_mw))
        assert s.absorbed_per_compute_mwh == pytest.approx(share, abs=1e-12)
        assert s.share_of_bound == pytest.approx(share * s.compute_mwh / 10.0)
        assert s.cost == pytest.approx((1 - share) * 20.0 * s.compute_mwh)
        assert s.nonrenewable_kwh_per_gpu_h == pytest.approx((1 - share) * s.compute_mwh * 1e3 / 4000.0)
        assert s.absorbed_share_of_curtailed == pytest.approx(share * s.compute_mwh / (10 * 48.0))


def test_absorption_ends_where_the_surplus_ends() -> None:
    """More load than surplus: only the surplus is absorbed, not "load while there was surplus"."""
    jobs = job_table([(0.0, 64, 64 * 4.0, 1.0, 0)])
    inputs = make_inputs(jobs, wind_mw=np.full(4, 12.5), device=A100)
    s = account(run_simulation(inputs, POLICIES["static"]()), [baseline(inputs)])
    assert s.absorbed_mwh == pytest.approx(4 * 0.5)
    assert s.nonrenewable_compute_mwh == pytest.approx(s.compute_mwh - 2.0)


def test_job_scores_by_hand() -> None:
    jobs = job_table(
        [(0.0, 64, 64 * 2.0, 1.0, 0), (0.0, 64, 64 * 1.0, 1.0, 0), (0.0, 64, 64 * 9.0, 1.0, 0)],
        deadline_s=[7200.0, 7200.0, np.inf],
    )
    inputs = make_inputs(jobs, wind_mw=np.full(6, 4.0), device=A100)
    s = account(run_simulation(inputs, POLICIES["static"]()), [baseline(inputs)])
    assert (s.jobs_done, s.jobs_unfinished, s.deadline_misses) == (2, 1, 1)
    assert s.jct_median_h == pytest.approx(2.5)
    assert s.jct_p95_h == pytest.approx(2.95)
    assert s.slowdown_mean == pytest.approx((1.0 + 3.0) / 2)
    assert s.completed_gpu_h == pytest.approx(64 * 50 * 6.0)
    assert s.utilisation == pytest.approx(1 / 3)


def test_an_empty_run_divides_by_nothing() -> None:
    inputs = make_inputs(job_table([]), wind_mw=np.full(2, 4.0))
    s = account(run_simulation(inputs, POLICIES["static"]()), [baseline(inputs)])
    assert s.nonrenewable_kwh_per_gpu_h is None
    assert s.jct_median_h is None
    assert s.completed_gpu_h == 0.0
    json.dumps(s.to_mapping(), allow_nan=False)


def test_ledgers_of_disjoint_steps_add_up() -> None:
    inputs = make_inputs(job_table([(0.0, 32, 320.0, 1.0, 0)]), wind_mw=windy(24), device=A100)
    record, base = run_simulation(inputs, POLICIES["static"]()), baseline(inputs)
    whole, parts = grid_ledger(record, 0, base), Ledger()
    for part in (slice(0, 7), slice(7, 24)):
        piece = replace(
            record,
            time=record.time[part],
            sites={k: v[part] for k, v in record.sites.items()},
            grids=tuple({k: v[part] for k, v in grid.items()} for grid in record.grids),
        )
        parts += grid_ledger(piece, 0, base.isel(time=part))
    for f in fields(Ledger):
        assert getattr(parts, f.name) == pytest.approx(getattr(whole, f.name), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("load_p_mw", "site load"),
        ("progress_gpu_h", "work of sites"),
        ("wan_gb", "bytes on links"),
        ("held_gpus", "GPU-hours held"),
        ("busy_gpus", "more in use"),
    ],
)
def test_a_record_that_does_not_add_up_is_refused(name: str, message: str) -> None:
    inputs = make_inputs(job_table([(0.0, 8, 100.0, 50.0, 1)]), wind_mw=windy(24), n_history=6)
    record = run_simulation(inputs, POLICIES["energy_greedy"]())
    check_record(record)
    sites = dict(record.sites)
    sites[name] = sites[name] + (1e6 if name == "busy_gpus" else 0.01)
    with pytest.raises(BalanceError, match=message):
        check_record(replace(record, sites=sites))


def test_a_dispatch_that_does_not_balance_is_refused() -> None:
    inputs = make_inputs(job_table([(0.0, 8, 100.0, 50.0, 1)]), wind_mw=windy(6))
    record, base = run_simulation(inputs, POLICIES["static"]()), baseline(inputs)
    base["p_mw"][3, 0] += 1e-3
    with pytest.raises(BalanceError, match="03:00"):
        account(record, [base])


def test_a_baseline_of_other_steps_is_refused() -> None:
    inputs = make_inputs(job_table([]), wind_mw=windy(6))
    record = run_simulation(inputs, POLICIES["static"]())
    with pytest.raises(InputError, match="select the steps of the run"):
        account(record, [baseline(inputs).isel(time=slice(1, None))])


def test_the_real_dispatch_closes_in_every_step_and_finds_the_useful_bus() -> None:
    """A windy day of RTS-GMLC: the same job behind the constraint at bus 303 and at load bus 101."""
    grid = load_grid("rts_gmlc")
    time = time_axis("2020-11-07T08:00Z", 24, 3600)
    available = grid.recorded(time, ("wind", "pv", "rtpv", "hydro", "csp"))
    generation = generation_dataset(available, grid.units)
    dispatched = dispatch(grid, generation, load=grid.load(time))
    absorbed = []
    for origin in (0, 1):
        base = make_inputs(
            job_table([(0.0, 64, 64 * 20.0, 1.0, origin)]),
            wind_mw=np.zeros(24),
            device=A100[:2],
            n_gpus=[400] * 2,
            bus=[0, 1],
        )
        real = GridInputs(
            name="rts_gmlc",
            engine=DispatchEngine(grid),
            load_p_mw=dispatched["load_p_mw"].transpose("time", "bus").to_numpy(),
            available_p_mw=generation["available_p_mw"].transpose("time", "unit").to_numpy(),
            technology=tuple(grid.units["technology"]),
        )
        inputs = replace(
            base, start=time[0], grids=(real,), site_bus_index=np.asarray(grid.bus_index(["303", "101"]))
        )
        absorbed.append(account(run_simulation(inputs, POLICIES["static"]()), [dispatched]).absorbed_mwh)
    assert absorbed[0] > absorbed[1] + 10.0
