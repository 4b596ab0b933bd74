"""Two-way coupling: the load of the sites goes into the dispatch, its derivative comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.inputs import GridInputs, SimulationInputs
from twin.record import DISPATCH_SCALARS, DISPATCH_VARIABLES, step_result_name
from twin.sites import W_PER_MW, meter_factor, site_power_mw

if TYPE_CHECKING:
    from grid_models import StepResult

KWH_PER_MWH = 1000.0


@dataclass(frozen=True, eq=False)
class Coupling:
    """Grids with the sites that draw from them."""

    grids: tuple[GridInputs, ...]
    site_grid: IntArray
    site_bus_index: IntArray

    @classmethod
    def of(cls, inputs: SimulationInputs) -> Coupling:
        """Return the coupling of a run."""
        return cls(inputs.grids, inputs.sites.grid, inputs.site_bus_index)

    def solve(self, step: int, site_load_mw: FloatArray) -> tuple[StepResult, ...]:
        """Dispatch every grid for one step with the given load of each site. [MW]"""
        return tuple(self._solve_grid(index, step, site_load_mw) for index in range(len(self.grids)))

    def _solve_grid(self, index: int, step: int, site_load_mw: FloatArray) -> StepResult:
        grid, here = self.grids[index], self.site_grid == index
        load = grid.load_p_mw[step].copy()
        np.add.at(load, self.site_bus_index[here], site_load_mw[here])
        return grid.engine.solve(load, grid.available_p_mw[step])

    def marginal_curtailment(self, results: tuple[StepResult, ...]) -> FloatArray:
        """Curtailment that one more MW at each site relieves. [MW/MW]"""
        values = np.zeros(len(self.site_grid))
        for index, result in enumerate(results):
            here = self.site_grid == index
            values[here] = result.marginal_curtailment[self.site_bus_index[here]]
        return values


def recorded_values(result: StepResult) -> dict[str, FloatArray | float]:
    """Return what the record keeps of a solved step, by the names of the dispatch Dataset."""
    return {
        name: getattr(result, step_result_name(name)) for name in (*DISPATCH_VARIABLES, *DISPATCH_SCALARS)
    }


def power_split_mw(
    inputs: SimulationInputs, step: int, busy_gpus: FloatArray, held_gpus: FloatArray, wan_gb: FloatArray
) -> dict[str, FloatArray]:
    """Mean power of each site over a signal step, in total and by what it is for.

    Power is linear in the number of GPUs in each state, so the mean power follows exactly from mean numbers.

    Parameters
    ----------
    inputs : SimulationInputs
        The run.
    step : int
        Signal step.
    busy_gpus, held_gpus : ndarray (site)
        Mean GPUs that run, and that hold a job which saves, sends or loads.
    wan_gb : ndarray (site)
        Bytes in the step whose transport energy is drawn at the site. [GB]

    Returns
    -------
    dict of ndarray (site)
        load_p_mw = compute_p_mw + idle_p_mw + migration_p_mw + overhead_p_mw. [MW]
    """
    sites, temp_air = inputs.sites, inputs.temp_air[step]
    wan_mw = wan_gb * inputs.wan.energy_kwh_per_gb / KWH_PER_MWH / inputs.step_h
    load = site_power_mw(sites, busy_gpus, held_gpus, temp_air, wan_mw)
    compute = busy_gpus * sites.busy_w / W_PER_MW
    idle = np.maximum(sites.n_gpus - busy_gpus - held_gpus, 0.0) * sites.free_w / W_PER_MW
    migration = held_gpus * sites.loaded_idle_w / W_PER_MW + wan_mw
    return {
        "load_p_mw": load,
        "compute_p_mw": compute,
        "idle_p_mw": idle,
        "migration_p_mw": migration,
        "overhead_p_mw": load - compute - idle - migration,
    }


def gpu_power_mw(inputs: SimulationInputs, step: int) -> tuple[FloatArray, FloatArray]:
    """Meter power that a running GPU adds to a free one, and that a holding one draws, per site. [MW]"""
    sites = inputs.sites
    factor = meter_factor(inputs.temp_air[step]) / W_PER_MW
    return factor * (sites.busy_w - sites.free_w), factor * sites.loaded_idle_w
