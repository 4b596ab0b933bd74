"""What a grid can store: batteries and pumped hydro as arrays, and a grid with more of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grid_models.tables import as_declared, complete
from grid_models.validation import validate_tables
from weather import Findings

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid


@dataclass(frozen=True)
class Stores:
    """Storage that is dispatched, in the order of `Grid.storage`.

    A row of the table that bears the name of a unit is that unit's reservoir: the unit's available power says
    what it may give, and it is not dispatched a second time.

    Attributes
    ----------
    place, bus : ndarray of int (store)
        Row in `Grid.storage`, and bus.
    p_max_mw, e_max_mwh, e_initial_mwh : ndarray (store)
        Largest charging and discharging power [MW], capacity and content at the start [MWh].
    efficiency : ndarray (store)
        Round trip; its root is lost on either way. [1]
    """

    place: IntArray
    bus: IntArray
    p_max_mw: FloatArray
    e_max_mwh: FloatArray
    e_initial_mwh: FloatArray
    efficiency: FloatArray

    @staticmethod
    def of(grid: Grid) -> Stores:
        """Storage of a grid without the reservoirs of its units."""
        place = np.flatnonzero(~grid.storage.index.isin(grid.units.index)).astype(np.int64)
        table = grid.storage.iloc[place]
        columns = ("p_max_mw", "e_max_mwh", "e_initial_mwh", "efficiency")
        return Stores(place, grid.bus_index(table["bus"]), *(table[c].to_numpy(dtype=float) for c in columns))

    def __len__(self) -> int:
        """Count stores."""
        return len(self.place)

    @property
    def one_way(self) -> FloatArray:
        """Efficiency of charging, and of discharging. [1]"""
        return np.sqrt(self.efficiency)

    @property
    def none(self) -> Stores:
        """No store at all."""
        nothing, empty = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Stores(nothing, nothing, empty, empty, empty, empty)


def with_storage(grid: Grid, storage: pd.DataFrame) -> Grid:
    """Return a grid with further storage.

    Parameters
    ----------
    grid : Grid
        Any grid; it is left alone.
    storage : pandas.DataFrame
        Index storage; columns bus, p_max_mw, e_max_mwh, and optionally e_initial_mwh (default 0), efficiency
        (round trip, default 1) and technology. One row a battery or pumped-hydro plant.

    Returns
    -------
    Grid
        The same with these rows after its own.

    Raises
    ------
    InputError
        Names that are taken, buses that do not exist, values out of range: all at once.

    Examples
    --------
    >>> from grid_models import load_grid
    >>> battery = pd.DataFrame({"bus": "303", "p_max_mw": 100.0, "e_max_mwh": 400.0}, index=["new"])
    >>> with_storage(load_grid("rts_gmlc"), battery).storage.loc["new", "efficiency"]
    np.float64(1.0)
    """
    new = complete("storage", storage)
    table = pd.concat([grid.storage, new]) if len(grid.storage) else new
    findings = Findings()
    for name in new.index[new.index.isin(grid.units.index)]:
        findings.add(f"storage {name!r}", "is the name of a unit", "give it a name of its own")
    findings.extend(validate_tables({**grid.tables(), "storage": table.rename_axis("storage")}))
    findings.raise_if_any(f"storage of grid {grid.name!r}")
    return replace(grid, storage=as_declared("storage", table.rename_axis("storage")))
