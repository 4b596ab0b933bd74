"""Committable generators of a grid, identical ones at a bus taken together.

Identical generators are a symmetry that makes mixed-integer programmes slow and says nothing: which of them
runs does not matter. A *cluster* is decided by how many of its members run. With minimum up and down times
that is exact [1]_: who has run longest stops first, who has stood longest starts first.

References
----------
.. [1] B. Palmintier, M. Webster, Heterogeneous unit clustering for efficient operational flexibility
   modeling, IEEE Transactions on Power Systems 29 (2014) 1089-1098.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.grid import Grid

_SAME = (
    "bus",
    "p_min_mw",
    "p_max_mw",
    "no_load_cost_per_h",
    "no_load_co2_kg_per_h",
    "start_cost",
    "min_up_h",
    "min_down_h",
    "ramp_mw_per_h",
)
_SCALED = ("p_min_mw", "p_max_mw", "no_load_cost_per_h", "no_load_co2_kg_per_h", "ramp_mw_per_h")
# Times and steps are whole fractions of each other up to rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Fleet:
    """Clusters of committable generators. Arrays over clusters hold what one member has.

    Attributes
    ----------
    grid : Grid
        The grid with one generator for each cluster.
    source : Grid
        The grid as it was.
    gen : ndarray of int (cluster)
        Generator of the cluster in `grid`.
    bus : ndarray of int (cluster)
        Its bus.
    n : ndarray of int (cluster)
        Number of members.
    members : tuple of ndarray of int
        Members as generators of `source`, in its order.
    others, others_gen : ndarray of int
        Generators of `source` that are not committable, and what they are in `grid`.
    p_min_mw, no_load_cost, start_cost : ndarray (cluster)
        Least output [MW], cost at it [currency/h], cost of a start [currency].
    up_steps, down_steps : ndarray of int (cluster)
        Least steps to run once started and to stand once stopped.
    """

    grid: Grid
    source: Grid
    gen: IntArray
    bus: IntArray
    n: IntArray
    members: tuple[IntArray, ...]
    others: IntArray
    others_gen: IntArray
    p_min_mw: FloatArray
    no_load_cost: FloatArray
    start_cost: FloatArray
    up_steps: IntArray
    down_steps: IntArray

    def __len__(self) -> int:
        """Count clusters."""
        return len(self.n)


def clustered(grid: Grid, step_h: float, apart: BoolArray, *, ramps: bool) -> Fleet:
    """Take identical committable generators together.

    Those whose ramps can bind from step to step are left alone: their sum may do what not all of them can.

    Parameters
    ----------
    grid : Grid
        Any grid.
    step_h : float
        Length of a step. [h]
    apart : ndarray of bool (gen)
        Generators to be left alone, such as those with outages of their own.
    ramps : bool
        Whether ramps limit them.
    """
    gens = grid.generators
    if ramps:
        span = gens["p_max_mw"] - gens["p_min_mw"]
        apart = apart | (gens["ramp_mw_per_h"] * step_h < span).to_numpy(dtype=bool)
    committable = gens["committable"].to_numpy(dtype=bool) & ~gens["must_run"].to_numpy(dtype=bool)
    curves = {name: _curve(part) for name, part in grid.segments.groupby("gen", sort=False)}
    groups: dict[tuple[object, ...], list[int]] = {}
    for place in np.flatnonzero(committable):
        own = tuple(gens.iloc[place][list(_SAME)]) + curves.get(gens.index[place], ())
        groups.setdefault((own, place if apart[place] else -1), []).append(int(place))
    members = tuple(np.array(group, dtype=np.int64) for group in groups.values())
    first = np.array([group[0] for group in members], dtype=np.int64)
    n = np.array([len(group) for group in members], dtype=np.int64)
    others = np.flatnonzero(~committable).astype(np.int64)
    kept = np.sort(np.concatenate([others, first]))
    rows = gens.iloc[first]
    return Fleet(
        grid=_merged(grid, kept, dict(zip(gens.index[first], n.tolist(), strict=True))),
        source=grid,
        gen=np.searchsorted(kept, first),
        bus=grid.bus_index(rows["bus"]),
        n=n,
        members=members,
        others=others,
        others_gen=np.searchsorted(kept, others),
        p_min_mw=rows["p_min_mw"].to_numpy(dtype=float),
        no_load_cost=rows["no_load_cost_per_h"].to_numpy(dtype=float),
        start_cost=rows["start_cost"].to_numpy(dtype=float),
        up_steps=_steps(rows["min_up_h"], step_h),
        down_steps=_steps(rows["min_down_h"], step_h),
    )


def _curve(part: pd.DataFrame) -> tuple[float, ...]:
    return tuple(part[["p_mw", "cost_per_mwh", "co2_kg_per_mwh"]].to_numpy(dtype=float).ravel())


def _steps(hours: pd.Series, step_h: float) -> IntArray:
    """Whole steps that last at least so long, one at least."""
    steps = np.ceil(hours.to_numpy(dtype=float) / step_h - _ROUNDING)
    result: IntArray = np.maximum(steps, 1.0).astype(np.int64)
    return result


def _merged(grid: Grid, kept: IntArray, n: dict[str, int]) -> Grid:
    """The grid with the first of each cluster, as large as all of its members."""
    gens = grid.generators.iloc[kept].copy()
    scale = np.array([n.get(name, 1) for name in gens.index], dtype=float)
    for column in _SCALED:
        gens[column] = gens[column].to_numpy(dtype=float) * scale
    segments = grid.segments[grid.segments["gen"].isin(gens.index)].copy()
    segments["p_mw"] *= segments["gen"].map(n).fillna(1).to_numpy(dtype=float)
    return replace(grid, generators=gens, segments=segments)


class Roster:
    """Who of each cluster runs: who has run longest stops first, who has stood longest starts first."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # Places in the fleet's own order of members; those first that have stood, or run, longest.
        self._standing = [list(range(n)) for n in fleet.n]
        self._running: list[list[int]] = [[] for _ in fleet.n]

    def schedule(self, running: IntArray) -> FloatArray:
        """Members that run when so many do, (step, cluster) to (step, gen of the source) of 0 and 1."""
        result = np.zeros((len(running), len(self._fleet.source.generators)))
        for step, counts in enumerate(running):
            for cluster, count in enumerate(counts):
                standing, runs = self._standing[cluster], self._running[cluster]
                while len(runs) > count:
                    standing.append(runs.pop(0))
                while len(runs) < count:
                    runs.append(standing.pop(0))
                result[step, self._fleet.members[cluster][runs]] = 1.0
        return result


def shared(fleet: Fleet, running: FloatArray) -> FloatArray:
    """Share of every generator that runs when so many of each cluster do, (step, cluster) to (step, gen)."""
    result = np.zeros((len(running), len(fleet.source.generators)))
    for cluster, members in enumerate(fleet.members):
        result[:, members] = (running[:, cluster] / fleet.n[cluster])[:, None]
    return result
