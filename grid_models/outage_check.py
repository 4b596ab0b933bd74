"""Grids with lines really taken out: the proof that none overloads another, and what some cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from grid_models.contingency import islanding_outages, line_ends, lines_named
from grid_models.linear import incidence, island_of
from weather import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import FloatArray
    from grid_models.contingency import Rating
    from grid_models.grid import Grid

_CHECKED_AT_ONCE = 1024
_FLOW_TOLERANCE_MW = 1e-4


def full_check(
    grid: Grid, dispatch: xr.Dataset, *, rating: Rating = "rate_lte_mw", outages: Sequence[str] | None = None
) -> xr.Dataset:
    """Load flows of a dispatch with each line really taken out, one at a time.

    Each outage is a linear power flow of the network that is left: angles from its nodal equations. No
    transfer or outage factor is used, so that this checks them and every dispatch made with them.

    Parameters
    ----------
    grid : Grid
        The network.
    dispatch : Dataset
        Result of `grid_models.dispatch`: `line_p_mw` over (time, line).
    rating : {"rate_lte_mw", "rate_mw", "rate_ste_mw"}
        What loading is measured by.
    outages : sequence of str, optional
        Lines and transformers to take out. Default: all. Islanding ones are left out and listed.

    Returns
    -------
    Dataset (time, outage)
        `loading_percent`, the highest of any line after the outage [% of `rating`], and `worst_line`, the
        line that has it. Attribute `islanding` lists outages that were left out.

    Raises
    ------
    InputError
        Unknown lines or rating; flows that are not those of the network before any outage.
    """
    lost, _ = lines_named(grid, rating, outages, None)
    network = _Network.of(grid)
    islanding = islanding_outages(*line_ends(grid), len(grid.buses))
    kept = np.setdiff1d(lost, islanding)
    flow = dispatch["line_p_mw"].transpose("time", "line").to_numpy()
    limit = grid.lines[rating].to_numpy(dtype=float)
    loading, worst = np.empty((len(flow), len(kept))), np.empty((len(flow), len(kept)), dtype=np.int64)
    for first in range(0, len(flow), _CHECKED_AT_ONCE):
        part = slice(first, first + _CHECKED_AT_ONCE)
        injection = network.injection(flow[part])
        _refuse_other_flows(grid, network.flows(injection), flow[part])
        for j, outage in enumerate(kept):
            relative = np.abs(network.flows(injection, without=int(outage))) / limit
            worst[part, j] = relative.argmax(axis=1)
            loading[part, j] = 100.0 * relative.max(axis=1)
    names = grid.lines.index.to_numpy(dtype=object)
    dims = ("time", "outage")
    data = {
        "loading_percent": (dims, loading, {"units": "%", "cell_methods": "time: mean"}),
        "worst_line": (dims, names[worst]),
    }
    attrs = {"rating": rating, "islanding": ", ".join(names[np.intersect1d(lost, islanding)])}
    return xr.Dataset(data, coords={"time": dispatch["time"].to_numpy(), "outage": names[kept]}, attrs=attrs)


def islanded_parts(grid: Grid) -> pd.DataFrame:
    """Outages that cut off a part of a grid, and what the part holds.

    Parameters
    ----------
    grid : Grid
        The network.

    Returns
    -------
    pandas.DataFrame
        Index outage; buses (names, of the part with fewer buses), load_p_mw (nominal), gen_p_max_mw and
        unit_p_nom_mw of that part. [MW]

    Notes
    -----
    No redispatch supplies a part that is cut off, so these outages are never enforced.
    """
    start, end = line_ends(grid)
    reference = grid.buses.index.get_loc(grid.reference_bus)
    names = grid.buses.index.to_numpy(dtype=object)
    rows = {}
    for k in islanding_outages(start, end, len(names)):
        island = island_of(np.delete(start, k), np.delete(end, k), len(names))
        size = 2 * np.bincount(island)
        size[island[reference]] += 1  # of two equal parts the one without the reference bus
        part = names[island == size.argmin()]
        rows[str(grid.lines.index[k])] = {
            "buses": tuple(part),
            "load_p_mw": float(grid.buses.loc[part, "load_p_mw"].sum()),
            "gen_p_max_mw": float(grid.generators.loc[grid.generators["bus"].isin(part), "p_max_mw"].sum()),
            "unit_p_nom_mw": float(grid.units.loc[grid.units["bus"].isin(part), "p_nom_mw"].sum()),
        }
    columns = ["buses", "load_p_mw", "gen_p_max_mw", "unit_p_nom_mw"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("outage")


@dataclass(frozen=True)
class _Network:
    """Branches of a grid as its linear power flow wants them, one of which can be taken out."""

    ends: csc_array
    b: FloatArray
    shift: FloatArray

    @staticmethod
    def of(grid: Grid) -> _Network:
        ends = csc_array(incidence(*line_ends(grid), len(grid.buses)))
        shift = np.deg2rad(grid.lines["shift_degree"].to_numpy(dtype=float)) * grid.base_mva
        return _Network(ends, grid.lines["b_pu"].to_numpy(dtype=float), shift)

    def injection(self, flow: FloatArray) -> FloatArray:
        """What goes into the network at each bus for flows to be as they are, (time, bus). [MW]."""
        result: FloatArray = (self.ends.T @ flow.T).T
        return result

    def flows(self, injection: FloatArray, without: int | None = None) -> FloatArray:
        """Flow on each branch, (time, branch); none on the one taken out. [MW]."""
        b = self.b.copy()
        if without is not None:
            b[without] = 0.0
        admittance = csc_array(diags_array(b) @ self.ends)
        nodal = csc_array((self.ends.T @ admittance)[1:, 1:])
        source = injection.T + (admittance.T @ self.shift)[:, None]
        angle = np.zeros_like(source)
        angle[1:] = splu(nodal).solve(np.ascontiguousarray(source[1:]))
        result: FloatArray = (admittance @ angle).T - b * self.shift
        return result


def _refuse_other_flows(grid: Grid, expected: FloatArray, given: FloatArray) -> None:
    """Refuse flows that the network would not have before any outage."""
    off = np.abs(expected - given).max(axis=0, initial=0.0)
    findings = Findings()
    for line in np.flatnonzero(off > _FLOW_TOLERANCE_MW):
        what = f"its flow is off by up to {off[line]:.3g} MW from that of the network"
        findings.add(f"line {grid.lines.index[line]!r}", what, "give the dispatch of this very grid")
    findings.raise_if_any("line_p_mw of the dispatch")
