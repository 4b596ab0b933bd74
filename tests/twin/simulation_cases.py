"""Small grids, sites and job sets whose right answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st

from grid_models import Dispatched, StepResult
from twin.inputs import GridInputs, SimulationInputs
from twin.migration import MigrationModel
from twin.sites import make_sites
from twin.wan import star
from weather import time_axis, to_xarray_time

START = pd.Timestamp("2020-04-06T00:00Z")
TECHNOLOGY = ("wind", "hydro")
BASE_LOAD_MW = np.array([2.0, 30.0])
TRANSFER_LIMIT_MW = 10.0


@dataclass(frozen=True)
class TwoBus:
    """Bus 0 has the wind and a little load, bus 1 most of the load and a thermal plant; one line joins them.

    Wind is taken first, then thermal power; 1 MW of hydro always runs at bus 1. All of it follows by hand.
    """

    limit_mw: float = TRANSFER_LIMIT_MW

    def solve(self, load_p_mw: np.ndarray, available_p_mw: np.ndarray) -> StepResult:
        """Least curtailment."""
        wind, hydro = available_p_mw
        need = load_p_mw[1] - hydro
        room = min(self.limit_mw, need)
        taken = min(wind, load_p_mw[0] + room)
        flow = float(np.clip(taken - load_p_mw[0], -self.limit_mw, self.limit_mw))
        shed = load_p_mw[0] - taken + flow
        thermal = need - flow
        curtailed = wind - taken
        surplus = curtailed > 0.0
        marginal = np.array([float(surplus), float(surplus and need < self.limit_mw)])
        none = np.zeros(2)
        return StepResult(
            gen_p_mw=np.array([thermal]),
            unit_p_mw=np.array([taken, hydro]),
            curtailed_p_mw=np.array([curtailed, 0.0]),
            spilled_p_mw=none,
            line_p_mw=np.array([flow]),
            line_shadow=np.zeros(1),
            security_shadow=np.zeros(1),
            link_p_mw=np.zeros(0),
            shed_p_mw=np.array([shed, 0.0]),
            dump_p_mw=none,
            reserve_short_mw=none,
            marginal_curtailment=marginal,
            marginal_co2_kg_per_mwh=500.0 * (1.0 - marginal),
            marginal_cost_per_mwh=20.0 * (1.0 - marginal),
            cost=20.0 * thermal,
            co2_kg_per_h=500.0 * thermal,
        )

    def solve_steps(self, load_p_mw: np.ndarray, available_p_mw: np.ndarray) -> Dispatched:
        """The same for many steps."""
        steps = [self.solve(*step) for step in zip(load_p_mw, available_p_mw, strict=True)]
        names = [field.name for field in fields(Dispatched)]
        return Dispatched(**{name: np.array([getattr(step, name) for step in steps]) for name in names})

    def marginal_curtailment(self, load_p_mw: np.ndarray, available_p_mw: np.ndarray) -> np.ndarray:
        """What one more MW at each bus relieves."""
        return self.solve(load_p_mw, available_p_mw).marginal_curtailment


def job_table(rows: Sequence[tuple[float, int, float, float, int]], **columns: object) -> pd.DataFrame:
    """Jobs from (submit_s, n_gpus, work_gpu_h, checkpoint_gb, origin), sorted by submission."""
    ordered = sorted(rows, key=lambda row: row[0])
    names = ["submit_s", "n_gpus", "work_gpu_h", "checkpoint_gb", "origin"]
    frame = pd.DataFrame(ordered, columns=names).astype(
        dict(zip(names, (float, int, float, float, int), strict=True))
    )
    frame.insert(0, "job_id", np.arange(len(frame)) + 100)
    return frame.assign(deadline_s=np.inf, migratable=True, gpu_type="a100_sxm_40").assign(**columns)


def make_inputs(
    jobs: pd.DataFrame,
    *,
    wind_mw: np.ndarray,
    n_history: int = 0,
    n_gpus: Sequence[int] = (64, 64, 64),
    bus: Sequence[int] = (0, 1, 1),
    device: Sequence[str] | None = None,
    import_limit_mw: Sequence[float] | None = None,
    tick_s: int = 300,
    access_gbit_per_s: float = 10.0,
    fleet_scale: int = 50,
    temp_air: float = 10.0,
    **options: object,
) -> SimulationInputs:
    """Inputs on :class:`TwoBus`; hourly steps, one value of `wind_mw` per step of history and run."""
    n = len(n_gpus)
    sites = make_sites(
        name=[f"site{i}" for i in range(n)],
        grid=[0] * n,
        bus=[str(b) for b in bus],
        n_gpus=list(n_gpus),
        latitude=[35.0 + i for i in range(n)],
        longitude=[-115.0] * n,
        device=device,
        import_limit_mw=import_limit_mw,
        idle_off=[True] * n,
        fleet_scale=fleet_scale,
    )
    jobs = jobs.assign(n_gpus=jobs["n_gpus"] * fleet_scale, work_gpu_h=jobs["work_gpu_h"] * fleet_scale)
    available = np.column_stack([wind_mw, np.ones(len(wind_mw))])
    n_steps = len(wind_mw) - n_history
    surplus = np.maximum(wind_mw - BASE_LOAD_MW[0] - TRANSFER_LIMIT_MW, 0.0)[:, None]
    at_wind = np.asarray(bus) == 0
    return SimulationInputs(
        start=START,
        tick_s=tick_s,
        signal_step_s=3600,
        n_steps=n_steps,
        grids=(
            GridInputs(
                "two_bus",
                TwoBus(),
                np.tile(BASE_LOAD_MW, (n_steps, 1)),
                available[n_history:],
                TECHNOLOGY,
            ),
        ),
        sites=sites,
        site_bus_index=np.asarray(bus),
        temp_air=np.full((n_steps, n), temp_air),
        jobs=jobs,
        wan=star(sites, access_gbit_per_s=access_gbit_per_s),
        migration=MigrationModel(),
        absorbable_p_mw=surplus * at_wind / max(1, at_wind.sum()),
        marginal_curtailment=(surplus > 0.0) * at_wind.astype(float),
        n_history=n_history,
        **options,
    )


def baseline(inputs: SimulationInputs) -> xr.Dataset:
    """Dispatch of the first grid without the sites, named as the dispatch Dataset is."""
    grid = inputs.grids[0]
    steps = [grid.engine.solve(a, b) for a, b in zip(grid.load_p_mw, grid.available_p_mw, strict=True)]

    def stack(name: str) -> np.ndarray:
        return np.array([getattr(step, name) for step in steps])

    variables = {
        "p_mw": (("time", "gen"), stack("gen_p_mw")),
        **{name: (("time", "unit"), stack(name)) for name in ("unit_p_mw", "curtailed_p_mw", "spilled_p_mw")},
        **{name: (("time", "bus"), stack(name)) for name in ("shed_p_mw", "dump_p_mw")},
        "cost": ("time", stack("cost")),
        "co2_kg": ("time", stack("co2_kg_per_h")),
    }
    time = to_xarray_time(time_axis(inputs.start, inputs.n_steps, inputs.signal_step_s))
    return xr.Dataset(variables, {"time": time, "technology": ("unit", list(grid.technology))})


def windy(n_steps: int, *, high_mw: float = 60.0, period: int = 12) -> np.ndarray:
    """Wind that blows for half of every period."""
    return np.where(np.arange(n_steps) % period < period // 2, high_mw, 4.0)


@st.composite
def small_runs(draw: st.DrawFn) -> SimulationInputs:
    """Random small job sets on three sites with random wind, links and sizes."""
    n_jobs = draw(st.integers(0, 25))
    row = st.tuples(
        st.floats(0.0, 14 * 3600.0),
        st.sampled_from([1, 2, 8, 16, 48]),
        st.floats(0.5, 200.0),
        st.sampled_from([0.0, 1.0, 50.0, 800.0]),
        st.integers(0, 2),
    )
    jobs = job_table(draw(st.lists(row, min_size=n_jobs, max_size=n_jobs)))
    jobs = jobs.assign(
        migratable=draw(st.lists(st.booleans(), min_size=n_jobs, max_size=n_jobs)) if n_jobs else True
    ).astype({"migratable": bool})
    wind = np.array(draw(st.lists(st.sampled_from([0.0, 4.0, 20.0, 70.0]), min_size=16, max_size=24)))
    limits = draw(st.sampled_from([None, (3.8, 4.8, 10.5)]))
    return make_inputs(
        jobs,
        wind_mw=wind,
        n_history=4,
        tick_s=draw(st.sampled_from([300, 900, 3600])),
        access_gbit_per_s=draw(st.sampled_from([1.0, 10.0, 400.0])),
        device=draw(st.sampled_from([None, ("h100_sxm", "a100_sxm_40", "h100_sxm")])),
        import_limit_mw=limits,
        alpha=draw(st.sampled_from([0.1, 0.5, 1.0])),
    )
