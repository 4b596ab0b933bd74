"""Two-way coupling: the load of the sites goes into the dispatch, its derivative comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.inputs import GridInputs, SimulationInputs
from twin.record import DISPATCH_SCALARS, DISPATCH_VARIABLES, step_result_name
from twin.sites import W_PER_MW, site_power_mw

if TYPE_CHECKING:
    from grid_models import Dispatched

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

    def solve(self, steps: slice, site_load_mw: FloatArray) -> tuple[dict[str, FloatArray], ...]:
        """Dispatch every grid for some steps with the load of each site, (step, site). [MW]

        Returns what the record keeps of each grid, by the names of the dispatch Dataset, (step, ...).
        """
        return tuple(
            _recorded(
                grid.engine.solve_steps(self._load(index, steps, site_load_mw), grid.available_p_mw[steps])
            )
            for index, grid in enumerate(self.grids)
        )

    def marginal_curtailment(self, step: int, site_load_mw: FloatArray) -> FloatArray:
        """Curtailment that one more MW at each site relieves with the given load of each site. [MW/MW]"""
        values, steps = np.zeros(len(self.site_grid)), slice(step, step + 1)
        for index, grid in enumerate(self.grids):
            here = self.site_grid == index
            load = self._load(index, steps, site_load_mw[None])[0]
            at_bus = grid.engine.marginal_curtailment(load, grid.available_p_mw[step])
            values[here] = at_bus[self.site_bus_index[here]]
        return values

    def _load(self, index: int, steps: slice, site_load_mw: FloatArray) -> FloatArray:
        """Load of one grid with that of its sites, (step, bus). [MW]"""
        here, load = self.site_grid == index, self.grids[index].load_p_mw[steps].copy()
        np.add.at(load.T, self.site_bus_index[here], site_load_mw[:, here].T)
        return load


def _recorded(result: Dispatched) -> dict[str, FloatArray]:
    return {
        name: getattr(result, step_result_name(name)) for name in (*DISPATCH_VARIABLES, *DISPATCH_SCALARS)
    }


def power_split_mw(
    inputs: SimulationInputs, steps: slice, busy_gpus: FloatArray, held_gpus: FloatArray, wan_gb: FloatArray
) -> dict[str, FloatArray]:
    """Mean power of each site over signal steps, in total and by what it is for.

    Power is linear in the number of GPUs in each state, so the mean power follows exactly from mean numbers.

    Parameters
    ----------
    inputs : SimulationInputs
        The run.
    steps : slice
        Signal steps.
    busy_gpus, held_gpus : ndarray (step, site)
        Mean GPUs that run, and that hold a job which saves, sends or loads.
    wan_gb : ndarray (step, site)
        Bytes in the step whose transport energy is drawn at the site. [GB]

    Returns
    -------
    dict of ndarray (step, site)
        load_p_mw = compute_p_mw + idle_p_mw + migration_p_mw + overhead_p_mw. [MW]
    """
    sites, temp_air = inputs.sites, inputs.temp_air[steps]
    wan_mw = wan_gb * inputs.wan.energy_kwh_per_gb / KWH_PER_MWH / inputs.step_h
    load = site_power_mw(sites, busy_gpus, held_gpus, temp_air, wan_mw)
    compute = busy_gpus * sites.busy_w / W_PER_MW
    idle = np.maximum(sites.n_gpus - busy_gpus - held_gpus, 0.0) * sites.free_w / W_PER_MW
    if inputs.down_share is not None:
        dark = inputs.down_share[steps]
        load = load - dark * inputs.idle_p_mw[steps]
        idle = np.maximum(idle - dark * sites.n_gpus * sites.free_w / W_PER_MW, 0.0)
    migration = held_gpus * sites.loaded_idle_w / W_PER_MW + wan_mw
    return {
        "load_p_mw": load,
        "compute_p_mw": compute,
        "idle_p_mw": idle,
        "migration_p_mw": migration,
        "overhead_p_mw": load - compute - idle - migration,
    }


def site_load_mw(
    inputs: SimulationInputs, step: int, busy_gpus: FloatArray | IntArray, held_gpus: FloatArray | IntArray
) -> FloatArray:
    """Meter power of each site with so many GPUs that run and hold, the total of `power_split_mw`. [MW]"""
    sites = inputs.sites
    more_w = busy_gpus * (sites.busy_w - sites.free_w) + held_gpus * (sites.loaded_idle_w - sites.free_w)
    load: FloatArray = inputs.idle_p_mw[step] + inputs.meter_factor[step] * more_w / W_PER_MW
    return load


def gpu_power_mw(inputs: SimulationInputs, step: int) -> tuple[FloatArray, FloatArray]:
    """Meter power that a running GPU adds to a free one, and that a holding one draws, per site. [MW]"""
    sites = inputs.sites
    factor = inputs.meter_factor[step] / W_PER_MW
    return factor * (sites.busy_w - sites.free_w), factor * sites.loaded_idle_w
