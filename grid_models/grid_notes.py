"""What is odd about a grid but can be computed: notes, where `validation` has errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.grid import Grid
from weather import Finding

_N_NAMED = 5
_TOLERANCE_MW = 1e-6


def grid_notes(grid: Grid) -> list[Finding]:
    """Return what is odd about a valid grid: it can be computed, but may not be what was meant.

    Parameters
    ----------
    grid : Grid
        The network.

    Returns
    -------
    list of Finding
        What its source left out or assumed (`Grid.notes`); nominal load above what can be generated, below
        what must be, or at single buses above what can reach them; branches without ratings; reactances below
        zero; nothing that follows weather. Loads are nominal ones: series may be lower or higher.
    """
    found = [Finding("source", note) for note in grid.notes]
    for check in (_balance, _deliverable, _branches, _units):
        found += check(grid)
    return found


def _by_bus(grid: Grid, table: pd.DataFrame, values: FloatArray) -> FloatArray:
    """Sum values of a table by bus."""
    total = np.zeros(len(grid.buses))
    np.add.at(total, grid.bus_index(table["bus"]), values)
    return total


def _balance(grid: Grid) -> list[Finding]:
    """Compare nominal load with what can and what must be generated."""
    gens, load = grid.generators, float(grid.buses["load_p_mw"].sum())
    most = float(gens["p_max_mw"].sum() + grid.units["p_nom_mw"].sum())
    least = float(gens["p_min_mw"].where(gens["must_run"], 0.0).sum())
    found = []
    if load > most + _TOLERANCE_MW:
        what = f"nominal load of {load:.1f} MW is above all that can be generated ({most:.1f} MW)"
        found.append(Finding("generators", what, "load will be shed: check p_max_mw and load_p_mw"))
    if least > load + _TOLERANCE_MW:
        what = f"must-run minima of {least:.1f} MW are above the nominal load ({load:.1f} MW)"
        found.append(Finding("generators", what, "power will be dumped: check must_run and p_min_mw"))
    return found


def _deliverable(grid: Grid) -> list[Finding]:
    """Name buses whose nominal load, or must-run minimum, is above what their lines and links carry."""
    reach = np.zeros(len(grid.buses))
    for table, column in ((grid.lines, "rate_mw"), (grid.links, "p_max_mw")):
        for end in ("from_bus", "to_bus"):
            np.add.at(reach, grid.bus_index(table[end]), table[column].to_numpy(dtype=float))
    gens, units, load = grid.generators, grid.units, grid.buses["load_p_mw"].to_numpy()
    most = _by_bus(grid, gens, gens["p_max_mw"].to_numpy())
    most += _by_bus(grid, units, units["p_nom_mw"].to_numpy())
    least = _by_bus(grid, gens, np.where(gens["must_run"], gens["p_min_mw"], 0.0))
    found = []
    for lack, what, remedy in (
        (load - most, "lacks {lack:.1f} MW of its nominal load", "load will be shed: check ratings"),
        (
            least - load,
            "must give away {lack:.1f} MW of must-run minima",
            "power will be dumped: check ratings",
        ),
    ):
        for bus in np.flatnonzero(lack > reach + _TOLERANCE_MW)[:_N_NAMED]:
            text = what.format(lack=lack[bus])
            place = f"bus {grid.buses.index[bus]!r}"
            found.append(Finding(place, f"{text}, but its branches carry {reach[bus]:.1f} MW", remedy))
    return found


def _branches(grid: Grid) -> list[Finding]:
    """Count branches without rating and with negative reactance."""
    lines, found = grid.lines, []
    unrated = lines.index[np.isinf(lines["rate_mw"])]
    if len(unrated):
        what = f"{len(unrated)} of {len(lines)} have no rating: {_named(unrated)}"
        found.append(Finding("lines", what, "they never congest; give rate_mw"))
    negative = lines.index[lines["x_pu"] < 0]
    if len(negative):
        what = f"{len(negative)} have a negative reactance: {_named(negative)}"
        found.append(
            Finding("lines", what, "right for series capacitors and equivalents of transformers only")
        )
    return found


def _units(grid: Grid) -> list[Finding]:
    """Say that nothing follows weather."""
    if len(grid.units):
        return []
    return [Finding("units", "there is none: nothing can be curtailed", "attach some (attach, renewables)")]


def _named(names: Sequence[str]) -> str:
    """Name the first few."""
    return ", ".join(map(str, names[:_N_NAMED])) + (", ..." if len(names) > _N_NAMED else "")
