"""Whole runs on random small grids, jobs and links: balances, the bound, and no look into the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import DispatchEngine, dispatch, relief_curves, signals
from tests.strategies import Case, cases
from tests.twin.simulation_cases import START, job_table
from twin.accounting import account
from twin.inputs import GridInputs, SimulationInputs
from twin.migration import MigrationModel
from twin.policies import POLICIES
from twin.policies.perfect_foresight import bound_absorbed_mwh
from twin.record import SimulationRecord
from twin.simulate import run_simulation
from twin.sites import SiteTable, make_sites, max_power_mw
from twin.wan import star
from weather import time_axis, to_xarray_time

CLOSE = 1e-6
N_STEPS = 10
N_HISTORY = 3


class World:
    """A random grid over some hours, with two or three sites at its buses, their signals and jobs."""

    def __init__(self, case: Case, buses: list[int], jobs: pd.DataFrame, access_gbit_per_s: float) -> None:
        self.grid = case.grid
        self.engine = DispatchEngine(case.grid)
        self.bus_index = np.array([b % len(case.grid.buses) for b in buses])
        self.sites = _sites([str(case.grid.buses.index[b]) for b in self.bus_index])
        self.load, self.available = case.load_p_mw, case.available_p_mw
        self.jobs, self.access_gbit_per_s = jobs, access_gbit_per_s
        self.time = to_xarray_time(time_axis(START, len(self.load), 3600))

    def baseline(self) -> xr.Dataset:
        """Dispatch without the sites, history included."""
        coords = {"time": self.time, "unit": self.grid.units.index.to_numpy(object)}
        generation = xr.Dataset({"available_p_mw": (("time", "unit"), self.available)}, coords)
        axes = {"time": self.time, "bus": self.grid.buses.index.to_numpy(object)}
        load = xr.DataArray(self.load, axes, ("time", "bus"), name="load_p_mw")
        return dispatch(self.grid, generation, load=load)

    def inputs(self, baseline: xr.Dataset) -> SimulationInputs:
        """What a simulation is given."""
        table = pd.DataFrame({"bus": self.sites.bus}, index=list(self.sites.name))
        told = signals(self.engine, baseline, table, self.available, self.site_max_mw(), alone=False)
        technology = tuple(self.grid.units["technology"])
        run = slice(N_HISTORY, None)
        return SimulationInputs(
            start=START + pd.Timedelta(hours=N_HISTORY),
            tick_s=900,
            signal_step_s=3600,
            n_steps=len(self.load) - N_HISTORY,
            grids=(GridInputs("random", self.engine, self.load[run], self.available[run], technology),),
            sites=self.sites,
            site_bus_index=self.bus_index,
            temp_air=np.full((len(self.load) - N_HISTORY, self.sites.n_sites), 12.0),
            jobs=self.jobs,
            wan=star(self.sites, access_gbit_per_s=self.access_gbit_per_s),
            migration=MigrationModel(start_up_s=60.0),
            absorbable_p_mw=told["absorbable_p_mw"].to_numpy(),
            marginal_curtailment=told["marginal_curtailment"].to_numpy(),
            n_history=N_HISTORY,
            alpha=0.5,
        )

    def site_max_mw(self) -> np.ndarray:
        """Most each site can draw, with a margin for the network."""
        temp_air = np.full((len(self.load), self.sites.n_sites), 12.0)
        return max_power_mw(self.sites, temp_air) + 1.0

    def bound_mwh(self, record: SimulationRecord, baseline: xr.Dataset) -> float:
        """Bound of a record's energy, granted the shedding and dumping its own dispatch needed."""
        curves = relief_curves(
            self.engine,
            baseline,
            pd.DataFrame({"bus": self.sites.bus}),
            self.available[N_HISTORY:],
            self.site_max_mw()[N_HISTORY:],
            shed_p_mw=record.grids[0]["shed_p_mw"],
            dump_p_mw=record.grids[0]["dump_p_mw"],
        )
        return bound_absorbed_mwh(curves, 1.0, float(record.sites["load_p_mw"].sum()))


def _sites(bus: list[str]) -> SiteTable:
    return make_sites(
        name=[f"site{i}" for i in range(len(bus))],
        grid=[0] * len(bus),
        bus=bus,
        n_gpus=[64] * len(bus),
        latitude=[35.0 + i for i in range(len(bus))],
        longitude=[-115.0] * len(bus),
        fleet_scale=300,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Random grids, jobs and links."""
    n = N_STEPS + N_HISTORY
    case = draw(cases(min_steps=n, max_steps=n, max_buses=5))
    buses = draw(st.lists(st.integers(0, 4), min_size=2, max_size=3))
    row = st.tuples(
        st.floats(0.0, 8 * 3600.0),
        st.sampled_from([1, 8, 24]),
        st.floats(1.0, 90.0),
        st.sampled_from([0.1, 5.0, 60.0]),
        st.integers(0, len(buses) - 1),
    )
    jobs = job_table(draw(st.lists(row, min_size=1, max_size=12)))
    for column in ("n_gpus", "work_gpu_h", "checkpoint_gb"):
        jobs[column] *= 300
    return World(case, buses, jobs, draw(st.sampled_from([20.0, 200.0, 2000.0])))


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=12)
@given(world=worlds())
def test_balances_close_and_no_policy_exceeds_its_bound(world: World, name: str) -> None:
    baseline = world.baseline()
    record = run_simulation(world.inputs(baseline), POLICIES[name]())
    run = baseline.isel(time=slice(N_HISTORY, None))
    bound = world.bound_mwh(record, run)
    score = account(record, [run], bound_absorbed_mwh=bound)  # raises where a balance does not close
    assert score.absorbed_mwh <= bound + CLOSE * max(1.0, bound)
    assert np.all(record.sites["load_p_mw"] <= world.site_max_mw()[N_HISTORY:] + CLOSE)
    sources = score.nonrenewable_compute_mwh + score.hydro_mwh + score.csp_mwh + score.shed_mwh
    assert score.compute_mwh == pytest.approx(score.absorbed_mwh + sources - score.dump_mwh, abs=1e-5)


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=8)
@given(world=worlds(), step=st.integers(1, N_STEPS - 1), seed=st.integers(0, 2**16))
def test_weather_after_t_changes_no_decision_before_t(world: World, step: int, seed: int, name: str) -> None:
    before = run_simulation(world.inputs(world.baseline()), POLICIES[name]())
    changed = world.available.copy()
    rng = np.random.default_rng(seed)
    changed[N_HISTORY + step :] = world.grid.units["p_nom_mw"].to_numpy() * rng.uniform(
        0.0, 1.0, changed[N_HISTORY + step :].shape
    )
    world.available = changed
    after = run_simulation(world.inputs(world.baseline()), POLICIES[name]())
    until = step * 3600.0
    old, new = (r.events[r.events["time_s"] < until].reset_index(drop=True) for r in (before, after))
    pd.testing.assert_frame_equal(old, new)
    for key, values in before.sites.items():
        np.testing.assert_array_equal(values[:step], after.sites[key][:step], err_msg=key)
