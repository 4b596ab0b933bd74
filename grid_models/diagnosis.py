"""Odd grids in words: why load is shed or power dumped, where, how much, and which limits clash."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from grid_models._arrays import BoolArray, FloatArray, IntArray
from grid_models.engine import DispatchEngine
from grid_models.grid import Grid
from grid_models.lp import always_on
from grid_models.validation import validate_grid
from weather import Findings, to_utc_index

#: Power below this is rounding of the solver. [MW]
TOLERANCE_MW = 1e-4
#: A line is full from this loading on. [%]
FULL_PERCENT = 99.999
# Share of another bus's power that must flow over a line for it to matter to a bus.
_MATTERS = 0.01
_N_NAMED = 5


def explain_dispatch(grid: Grid, dispatched: xr.Dataset) -> list[str]:
    """Say in words where a dispatch sheds load or dumps power, how much and which limits bind.

    Parameters
    ----------
    grid : Grid
        The network.
    dispatched : Dataset
        As `dispatch` returns it for this grid.

    Returns
    -------
    list of str
        For shedding and for dumping a sentence with energy, steps and the worst of them, and one for each of
        the buses with most of it: what keeps power from reaching or leaving it in its worst step. Empty if
        nothing is shed or dumped.

    Notes
    -----
    A full line keeps power from a bus if generating there instead of where there is something left would
    unload it, by its transfer factors; lines that stand in the way from every such place are named alone if
    there are any. Where none does, generation as a whole is at its limits: at its largest for shedding, at
    its least for dumping.
    """
    time = to_utc_index(dispatched)
    hours = float(np.diff(time.asi8[:2])[0]) / 3.6e12 if len(time) > 1 else 1.0
    lines = []
    for kind, verb, sign in (("shed_p_mw", "shed", 1.0), ("dump_p_mw", "dumped", -1.0)):
        power = dispatched[kind].transpose("time", "bus").to_numpy()
        total = power.sum(axis=1)
        if total.max(initial=0.0) <= TOLERANCE_MW:
            continue
        worst = int(total.argmax())
        what = "load is shed" if sign > 0 else "power is dumped"
        lines.append(
            f"{what} in {int((total > TOLERANCE_MW).sum())} of {len(time)} steps: "
            f"{total.sum() * hours:.1f} MWh, up to {total[worst]:.1f} MW at {_stamp(time[worst])}"
        )
        by_bus = power.sum(axis=0) * hours
        order = [int(b) for b in np.argsort(-by_bus, kind="stable") if by_bus[b] > TOLERANCE_MW]
        for bus in order[:_N_NAMED]:
            step = int(power[:, bus].argmax())
            why = _limits(grid, dispatched.isel(time=step), bus, sign)
            lines.append(
                f"bus {grid.buses.index[bus]!r}: {by_bus[bus]:.1f} MWh {verb}, "
                f"up to {power[step, bus]:.1f} MW at {_stamp(time[step])}; {why}"
            )
        if len(order) > _N_NAMED:
            rest = by_bus[order[_N_NAMED:]].sum()
            lines.append(f"{len(order) - _N_NAMED} further buses: {rest:.1f} MWh {verb}")
    return lines


def explain_infeasibility(grid: Grid, load: xr.DataArray, available: xr.DataArray) -> list[str]:
    """Say in words what of a load and of what must be taken a grid cannot carry.

    Parameters
    ----------
    grid : Grid
        The network.
    load : DataArray (time, bus)
        Demand at each bus. [MW]
    available : DataArray (time, unit)
        What the weather allows each unit to give. [MW]

    Returns
    -------
    list of str
        What is wrong with the grid itself (islanded buses, ...); steps whose load is above all that can be
        generated, or below all that must be; buses whose load, or whose must-take power, is above what their
        lines and links can carry; and, in the step of the highest and of the lowest load and of the highest
        must-take power, which limits make a dispatch shed or dump. Empty if nothing of it is found.
    """
    found = [str(finding) for finding in validate_grid(grid)]
    if found:
        return found
    demand = load.transpose("time", "bus").sel(bus=grid.buses.index.to_numpy(dtype=object)).to_numpy()
    power = available.transpose("time", "unit").sel(unit=grid.units.index.to_numpy(dtype=object)).to_numpy()
    time = to_utc_index(load)
    _check_shapes(demand, power)
    most, least = _range_by_bus(grid, power)
    words = _balance(time, demand.sum(axis=1), most.sum(axis=1), least.sum(axis=1))
    words += _cut_off(grid, time, demand, most, least)
    chosen = np.unique([demand.sum(1).argmax(), demand.sum(1).argmin(), least.sum(1).argmax()])
    return words + _dispatched(grid, time, demand, power, chosen.astype(np.int64))


def _check_shapes(demand: FloatArray, power: FloatArray) -> None:
    """Refuse inputs of different length or with values that are not finite."""
    findings = Findings()
    if len(demand) != len(power):
        what = f"{len(demand)} steps of load, {len(power)} of available power"
        findings.add("time", what, "bring both to one axis")
    for name, values in (("load", demand), ("available", power)):
        if not np.isfinite(values).all():
            findings.add(name, "holds values that are not finite", "fill them by name")
    findings.raise_if_any("explaining a dispatch")


def _range_by_bus(grid: Grid, power: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the most and the least that can be generated at each bus and step. [MW]."""
    gens, units = grid.generators, grid.units
    shape = (len(grid.buses), len(power))
    most, least = np.zeros(shape), np.zeros(shape)
    at = grid.bus_index(gens["bus"])
    forced = np.where(gens["must_run"], gens["p_min_mw"], 0.0)
    np.add.at(most, at, gens["p_max_mw"].to_numpy(dtype=float)[:, None])
    np.add.at(least, at, forced[:, None])
    at = grid.bus_index(units["bus"])
    np.add.at(most, at, power.T)
    np.add.at(least, at, np.where(units["dispatchable"], 0.0, power).T)
    return most.T, least.T


def _balance(time: pd.DatetimeIndex, demand: FloatArray, most: FloatArray, least: FloatArray) -> list[str]:
    """Say where the load as a whole is out of what can and must be generated."""
    words = []
    for gap, other, text in (
        (demand - most, most, "load of {d:.1f} MW is above all that can be generated ({o:.1f} MW)"),
        (least - demand, least, "load of {d:.1f} MW is below all that must be generated ({o:.1f} MW)"),
    ):
        if gap.max(initial=0.0) > TOLERANCE_MW:
            worst = int(gap.argmax())
            what = text.format(d=demand[worst], o=other[worst])
            n = int((gap > TOLERANCE_MW).sum())
            words.append(f"in {n} of {len(gap)} steps, worst at {_stamp(time[worst])}: {what}")
    return words


def _cut_off(
    grid: Grid, time: pd.DatetimeIndex, demand: FloatArray, most: FloatArray, least: FloatArray
) -> list[str]:
    """Name buses whose lines and links cannot bring what they lack or take what they must give."""
    reach = np.zeros(len(grid.buses))
    for table, column in ((grid.lines, "rate_mw"), (grid.links, "p_max_mw")):
        for end in ("from_bus", "to_bus"):
            np.add.at(reach, grid.bus_index(table[end]), table[column].to_numpy(dtype=float))
    words = []
    for gap, text in (
        (demand - most - reach, "needs {need:.1f} MW from outside"),
        (least - demand - reach, "must give {need:.1f} MW to outside"),
    ):
        for bus in np.flatnonzero(gap.max(axis=0, initial=0.0) > TOLERANCE_MW):
            step = int(gap[:, bus].argmax())
            need = gap[step, bus] + reach[bus]
            names = _named(_branches_at(grid, str(grid.buses.index[bus])))
            words.append(
                f"bus {grid.buses.index[bus]!r} {text.format(need=need)} at {_stamp(time[step])}, "
                f"but all that ends there ({names}) carries {reach[bus]:.1f} MW"
            )
    return words


def _dispatched(
    grid: Grid, time: pd.DatetimeIndex, demand: FloatArray, power: FloatArray, steps: IntArray
) -> list[str]:
    """Dispatch single steps and explain them."""
    engine = DispatchEngine(grid, "priority")
    solved = engine.solve_many(always_on(engine.problem, demand[steps], power[steps]))
    # One step at a time: chosen steps are no regular axis.
    words: list[str] = []
    for k, step in enumerate(steps):
        one = {
            name: (("time", dim), getattr(solved, key)[k : k + 1])
            for name, key, dim in (
                ("shed_p_mw", "shed_p_mw", "bus"),
                ("dump_p_mw", "dump_p_mw", "bus"),
                ("p_mw", "gen_p_mw", "gen"),
                ("unit_p_mw", "unit_p_mw", "unit"),
                ("line_p_mw", "line_p_mw", "line"),
            )
        }
        held = power[step : step + 1] - solved.unit_p_mw[k : k + 1]
        stamp = time[step : step + 1].tz_localize(None).to_numpy()
        dataset = xr.Dataset({**one, "held_p_mw": (("time", "unit"), held)}, coords={"time": stamp})
        words += [text for text in explain_dispatch(grid, dataset) if text.startswith("bus")]
    return list(dict.fromkeys(words))


def _limits(grid: Grid, step: xr.Dataset, bus: int, sign: float) -> str:
    """Say what keeps power from reaching (sign 1) or leaving (sign −1) a bus in one step."""
    elsewhere = _room(grid, step, sign)
    flow = step["line_p_mw"].to_numpy()
    rate = grid.lines["rate_mw"].to_numpy(dtype=float)
    full = 100.0 * np.abs(flow) / rate >= FULL_PERCENT
    if elsewhere.sum() > TOLERANCE_MW:
        at = np.flatnonzero(elsewhere)
        # More at the bus and less at each place with room (sign 1): by how much that unloads each line.
        relief = -sign * np.sign(flow)[:, None] * (grid.ptdf[:, [bus]] - grid.ptdf[:, at])
        blocks = full[:, None] & (relief > _MATTERS)
        chosen = np.flatnonzero(blocks.all(axis=1))
        if not chosen.size:
            chosen = np.flatnonzero(blocks.any(axis=1))
        if chosen.size:
            weight = (blocks * relief)[chosen] @ elsewhere[at]
            chosen = chosen[np.argsort(-weight, kind="stable")]
            return f"full: {_named([_label(grid, int(k)) for k in chosen])}"
        if str(step.attrs.get("security", "none")) != "none":
            return "no line is full: a limit after an outage binds"
        links = _named([repr(str(k)) for k in grid.links.index])
        return f"no line is full towards it: check links ({links})" if links else "no line is full towards it"
    if sign > 0:
        return f"all {_total(step):.1f} MW that can be generated are used"
    return f"nothing of the {_total(step):.1f} MW that are generated can be held back"


def _room(grid: Grid, step: xr.Dataset, sign: float) -> FloatArray:
    """Return by bus what more (sign 1) or less (sign −1) could be generated. [MW]."""
    gens, units = grid.generators, grid.units
    output, unit_output = step["p_mw"].to_numpy(), step["unit_p_mw"].to_numpy()
    room = np.zeros(len(grid.buses))
    if sign > 0:
        held = step["held_p_mw"] if "held_p_mw" in step else step["curtailed_p_mw"] + step["spilled_p_mw"]
        gen_room, unit_room = gens["p_max_mw"].to_numpy() - output, held.to_numpy()
    else:
        gen_room = output - np.where(gens["must_run"], gens["p_min_mw"], 0.0)
        unit_room = np.where(units["dispatchable"], unit_output, 0.0)
    np.add.at(room, grid.bus_index(gens["bus"]), np.maximum(gen_room, 0.0))
    np.add.at(room, grid.bus_index(units["bus"]), np.maximum(unit_room, 0.0))
    is_rounding: BoolArray = room <= TOLERANCE_MW
    room[is_rounding] = 0.0
    return room


def _total(step: xr.Dataset) -> float:
    """Return all that is generated in a step. [MW]."""
    return float(step["p_mw"].sum()) + float(step["unit_p_mw"].sum())


def _branches_at(grid: Grid, bus: str) -> list[str]:
    """Name lines and links that end at a bus."""
    names = []
    for kind, table in (("line", grid.lines), ("link", grid.links)):
        here = (table["from_bus"] == bus) | (table["to_bus"] == bus)
        names += [f"{kind} {name!r}" for name in table.index[here]]
    return names


def _label(grid: Grid, line: int) -> str:
    """Name a line with its rating."""
    kind = grid.lines["kind"].iloc[line]
    return f"{kind} {grid.lines.index[line]!r} ({grid.lines['rate_mw'].iloc[line]:.1f} MW)"


def _named(names: Sequence[str]) -> str:
    """Name the first few."""
    return ", ".join(names[:_N_NAMED]) + (", ..." if len(names) > _N_NAMED else "")


def _stamp(time: pd.Timestamp) -> str:
    """Text of an instant."""
    return f"{time:%Y-%m-%dT%H:%MZ}"
