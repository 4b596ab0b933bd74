"""From the columns and voltages of AC-dispatched steps to a labelled Dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from grid_models.voltage_columns import gathered

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray
    from grid_models.voltage_engine import AcEngine, Solved

#: Dimension beside time and unit of every result.
AC_DISPATCH = {
    "p_mw": ("gen", "MW"),
    "unit_p_mw": ("unit", "MW"),
    "unit_q_mvar": ("unit", "Mvar"),
    "curtailed_p_mw": ("unit", "MW"),
    "curtailed_oversupply_p_mw": ("unit", "MW"),
    "curtailed_congestion_p_mw": ("unit", "MW"),
    "curtailed_voltage_p_mw": ("unit", "MW"),
    "spilled_p_mw": ("unit", "MW"),
    "line_p_mw": ("line", "MW"),
    "loading_percent": ("line", "%"),
    "line_shadow_price": ("line", "currency/MWh"),
    "link_p_mw": ("link", "MW"),
    "shed_p_mw": ("bus", "MW"),
    "dump_p_mw": ("bus", "MW"),
    "vm_pu": ("bus", "pu"),
    "marginal_curtailment": ("bus", "1"),
    "marginal_co2_kg_per_mwh": ("bus", "kg/MWh"),
    "marginal_cost_per_mwh": ("bus", "currency/MWh"),
    "losses_mw": ("", "MW"),
    "cost": ("", "currency/h"),
    "co2_kg": ("", "kg/h"),
    "violation_pu": ("", "pu"),
    "iterations": ("", "1"),
    "converged": ("", "1"),
}


def result_arrays(engine: AcEngine, solved: Solved) -> dict[str, FloatArray]:
    """Everything that is told of solved steps, by name, time in front."""
    columns, model, grid = engine.columns, engine.model, engine.grid
    chosen, steps = solved.chosen, solved.steps
    segments = chosen[:, columns.segments]
    gens, units = grid.generators, _units(engine, solved)
    fixed_cost = float(gens["no_load_cost_per_h"].sum())
    fixed_co2 = float(gens["no_load_co2_kg_per_h"].sum())
    return {
        "p_mw": columns.gen_minimum_mw + gathered(segments, columns.segment_gen, len(gens)).real,
        **units,
        "line_p_mw": model.line_power(solved.voltage),
        "loading_percent": 100.0 * model.loading(solved.voltage),
        "line_shadow_price": solved.line_shadow,
        "link_p_mw": np.zeros((len(steps), 0)),
        "shed_p_mw": chosen[:, columns.shed],
        "dump_p_mw": chosen[:, columns.dump],
        "vm_pu": np.abs(solved.voltage)[:, model.bus_node],
        "marginal_curtailment": -solved.moved[:, 0],
        "marginal_cost_per_mwh": solved.moved[:, 1],
        "marginal_co2_kg_per_mwh": solved.moved[:, 2],
        "losses_mw": model.node_power(solved.voltage).real.sum(axis=1),
        "cost": fixed_cost + (chosen * columns.functionals[1]).sum(axis=1),
        "co2_kg": fixed_co2 + (chosen * columns.functionals[2]).sum(axis=1),
        "violation_pu": solved.violation,
        "iterations": solved.iterations,
        "converged": solved.converged,
    }


def _units(engine: AcEngine, solved: Solved) -> dict[str, FloatArray]:
    """What units give and do not give, those of a group in proportion to what each has available."""
    columns, steps = engine.columns, solved.steps
    available, group = steps.available_p_mw, np.maximum(columns.group_unit, 0)
    in_group = columns.group_unit >= 0
    whole = steps.upper[:, columns.groups]

    def shared(amount: FloatArray) -> FloatArray:
        """Spread amounts of groups over their units, (step, group) to (step, unit)."""
        if not amount.shape[1]:
            return np.zeros_like(available)
        share = np.divide(amount, whole, out=np.zeros_like(whole), where=whole > 0.0)
        result: FloatArray = np.where(in_group, available * share[:, group], 0.0)
        return result

    counted = engine.grid.units["counts_as_curtailment"].to_numpy(dtype=float)
    unused = shared(whole - solved.chosen[:, columns.groups])
    oversupply, with_lines, _ = (shared(part) * counted for part in solved.curtailed.transpose(1, 0, 2))
    curtailed, unit_p = unused * counted, available - unused
    up, down = np.split(solved.chosen[:, columns.reactive], 2, axis=1)
    chosen_q = shared(up - down) if up.shape[1] else np.zeros_like(available)
    return {
        "unit_p_mw": unit_p,
        "unit_q_mvar": unit_p * columns.tangent + chosen_q,
        "curtailed_p_mw": curtailed,
        "curtailed_oversupply_p_mw": oversupply,
        "curtailed_congestion_p_mw": with_lines - oversupply,
        "curtailed_voltage_p_mw": curtailed - with_lines,
        "spilled_p_mw": unused * (1.0 - counted),
    }


def labelled(
    engine: AcEngine,
    time: xr.DataArray,
    chunks: Sequence[dict[str, FloatArray]],
    load_p_mw: FloatArray,
    flexible_load_p_mw: FloatArray,
) -> xr.Dataset:
    """Join the results of consecutive steps and label them.

    Parameters
    ----------
    engine : AcEngine
        What solved them.
    time : DataArray
        Time of each step.
    chunks : sequence of dict
        As `result_arrays` returns them.
    load_p_mw, flexible_load_p_mw : ndarray (time, bus)
        Load without, and of, flexible sites. [MW]
    """
    grid, objective = engine.grid, engine.options.objective
    arrays = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in AC_DISPATCH}
    data: dict[str, tuple[tuple[str, ...], FloatArray, dict[str, str]]] = {}
    for name, (dim, unit) in AC_DISPATCH.items():
        attrs = {"units": unit.replace("currency", grid.currency), "cell_methods": "time: mean"}
        public = "lmp_per_mwh" if (name, objective) == ("marginal_cost_per_mwh", "market") else name
        data[public] = (("time", dim) if dim else ("time",), arrays[name], attrs)
    for name, values in (("load_p_mw", load_p_mw), ("flexible_load_p_mw", flexible_load_p_mw)):
        data[name] = (("time", "bus"), values, {"units": "MW", "cell_methods": "time: mean"})
    coords = {
        "time": time.to_numpy(),
        "gen": grid.generators.index.to_numpy(dtype=object),
        "unit": grid.units.index.to_numpy(dtype=object),
        "line": grid.lines.index.to_numpy(dtype=object),
        "link": grid.links.index.to_numpy(dtype=object),
        "bus": grid.buses.index.to_numpy(dtype=object),
        "fuel": ("gen", grid.generators["fuel"].to_numpy(dtype=object)),
        "technology": ("unit", grid.units["technology"].to_numpy(dtype=object)),
        "unit_bus": ("unit", grid.units["bus"].to_numpy(dtype=object)),
        "vm_min_pu": ("bus", engine.limits.vm_min_pu[engine.model.bus_node]),
        "vm_max_pu": ("bus", engine.limits.vm_max_pu[engine.model.bus_node]),
    }
    attrs = {
        "objective": objective,
        "security": "none",
        "network": "ac",
        "currency": grid.currency,
        "grid": grid.name,
    }
    return xr.Dataset(data, coords=coords, attrs=attrs)
