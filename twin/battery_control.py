"""Batteries of sites in the loop: every tick they follow what their site draws.

The rule acts on what was published at the start of the signal step and on the site's own draw: it charges
with load that is welcome beyond that draw where a megawatt more relieves at least theta, and covers the draw
where it relieves less. It never exports, and never draws more than the site's import limit leaves. Jobs come
before it: signals are published at the draw of the sites without their batteries, which give way to jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import BoolArray, FloatArray
from twin.coupling import KWH_PER_MWH, site_load_mw
from twin.inputs import S_PER_H
from twin.rack_control import off_saving_mw
from twin.site_battery import BATTERY_VARIABLES, BatteryTable, battery_flow

if TYPE_CHECKING:
    from twin.inputs import SimulationInputs
    from twin.state import State


@dataclass(frozen=True)
class Counters:
    """What sites did in the present signal step up to some time."""

    busy_gpu_s: FloatArray
    loaded_gpu_s: FloatArray
    off_gpu_s: FloatArray
    wan_gb: FloatArray

    @classmethod
    def of(cls, state: State) -> Counters:
        """Return those of a state."""
        return cls(
            *(
                values.copy()
                for values in (state.busy_gpu_s, state.loaded_gpu_s, state.off_gpu_s, state.wan_gb)
            )
        )


@dataclass(frozen=True, eq=False)
class Batteries:
    """Batteries of a run.

    Attributes
    ----------
    inputs : SimulationInputs
        The run.
    table : BatteryTable
        The batteries.
    """

    inputs: SimulationInputs
    table: BatteryTable

    @classmethod
    def of(cls, inputs: SimulationInputs) -> Batteries | None:
        """Batteries of a run, None where no site has one."""
        table = inputs.sites.battery
        return None if table is None or not table.capacity_mwh.any() else cls(inputs, table)

    def begin(self, state: State) -> State:
        """Return the state with what the batteries hold at first."""
        return replace(state, battery_stored_mwh=self.table.capacity_mwh * self.table.initial_share)

    def before(self, state: State) -> Counters:
        """Return what `follow` needs of the state at the start of a tick."""
        return Counters.of(state)

    def follow(self, state: State, before: Counters, down: BoolArray | None) -> None:
        """Charge or discharge over a tick, the site's mean draw in it known.

        Parameters
        ----------
        state : State
            At the end of the tick, but for its number; its batteries change.
        before : counters
            From `before`.
        down : ndarray of bool (site), optional
            Sites that are down: their batteries rest.
        """
        inputs, hours = self.inputs, self.inputs.tick_s / S_PER_H
        step = state.tick // inputs.ticks_per_step
        rests = self.table.capacity_mwh <= 0.0
        if down is not None:
            rests = rests | down
        flow = battery_flow(
            self.table,
            state.battery_stored_mwh,
            np.where(rests, 0.0, self._load_mw(state, before, step)),
            absorbable_p_mw=np.where(rests, 0.0, inputs.absorbable_p_mw[inputs.n_history + step]),
            marginal_curtailment=state.marginal_curtailment,
            import_limit_mw=inputs.sites.import_limit_mw,
            theta=inputs.theta,
            hours=hours,
        )
        state.battery_stored_mwh[:] = flow.stored_mwh
        state.battery_charged_mwh[:] += flow.charge_p_mw * hours
        state.battery_discharged_mwh[:] += flow.discharge_p_mw * hours
        state.battery_lost_mwh[:] += flow.lost_mwh

    def _load_mw(self, state: State, before: Counters, step: int) -> FloatArray:
        """Mean draw of each site since then, without its battery. [MW]"""
        inputs, tick_s = self.inputs, float(self.inputs.tick_s)
        busy, held, off = (
            (getattr(state, name) - getattr(before, name)) / tick_s
            for name in ("busy_gpu_s", "loaded_gpu_s", "off_gpu_s")
        )
        sent_gb_per_h = (state.wan_gb - before.wan_gb) / (tick_s / S_PER_H)
        load = (
            site_load_mw(inputs, step, busy, held)
            + sent_gb_per_h * inputs.wan.energy_kwh_per_gb / KWH_PER_MWH
        )
        return load if inputs.sites.racks is None else load - off_saving_mw(inputs, step, off)

    def of_step(self, state: State, stored_mwh: FloatArray) -> dict[str, FloatArray]:
        """Return the record of a signal step that ends, at whose start so much was stored. [MW]"""
        values = (
            state.battery_charged_mwh,
            state.battery_discharged_mwh,
            state.battery_lost_mwh,
            state.battery_stored_mwh - stored_mwh,
        )
        return dict(zip(BATTERY_VARIABLES, (v / self.inputs.step_h for v in values), strict=False))


def with_batteries(
    power: dict[str, FloatArray], charge_p_mw: FloatArray, discharge_p_mw: FloatArray
) -> dict[str, FloatArray]:
    """Take batteries into the draw of sites over signal steps.

    Parameters
    ----------
    power : dict of ndarray (step, site)
        From `twin.coupling.power_split_mw`. [MW]
    charge_p_mw, discharge_p_mw : ndarray (step, site)
        What they draw and give at the meter. [MW]

    Returns
    -------
    dict of ndarray (step, site)
        With load_p_mw + charge − discharge. [MW]
    """
    load = power["load_p_mw"] + charge_p_mw - discharge_p_mw
    # A battery that covers the whole draw leaves a rounding error; `check_record` would find anything else.
    return power | {"load_p_mw": np.maximum(load, 0.0)}
