"""Outages of single lines and transformers: what each moves to the others, and which pairs may overload.

After the outage of line k a line l carries ``f_l + factor · f_k``, with the line outage distribution factor
(LODF) of the pair. A pair is a row of the dispatch over bus injections like that of a line,
``ptdf[l] + factor · ptdf[k]``, bounded by the emergency rating of l. There are far too many pairs to write
down, and far too few that ever matter: they are sorted by how much they could move at most, so that a check
of all of them looks at few.

Lines without which a part of the grid would be cut off (*islanding* outages) have no such factors. They are
listed and not enforced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import networkx as nx
import numpy as np
import numpy.typing as npt

from grid_models._arrays import FloatArray, IntArray
from grid_models._compiled import compiled
from weather import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models.grid import Grid

Rating = Literal["rate_mw", "rate_lte_mw", "rate_ste_mw"]

#: Factors below this are rounding of the transfer factors they come from.
LODF_ROUNDING = 1e-10
#: A pair that cannot overload its line by more than this is left out. [MW]
NEGLIGIBLE_MW = 1e-3


def islanding_outages(from_index: IntArray, to_index: IntArray, n_bus: int) -> IntArray:
    """Branches whose outage cuts off a part of the grid: the bridges of its graph.

    Parameters
    ----------
    from_index, to_index : ndarray of int
        Bus index at both ends of each branch. Parallel circuits are no bridges.
    n_bus : int
        Number of buses.

    Returns
    -------
    ndarray of int
        Positions of these branches, sorted.

    Examples
    --------
    A ring of three buses, a double circuit and a single one to two further buses:

    >>> start, end = np.array([0, 1, 2, 2, 2, 3]), np.array([1, 2, 0, 3, 3, 4])
    >>> islanding_outages(start, end, 5)
    array([5])
    """
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(n_bus))
    ends = [(int(min(a, b)), int(max(a, b))) for a, b in zip(from_index, to_index, strict=True)]
    graph.add_edges_from(ends)
    bridges = {(min(a, b), max(a, b)) for a, b in nx.bridges(graph)}
    return np.array([k for k, pair in enumerate(ends) if pair in bridges], dtype=np.int64)


def lodf(ptdf: FloatArray, from_index: IntArray, to_index: IntArray) -> FloatArray:
    """Line outage distribution factors: what moves to each branch per MW on a branch that is lost [1]_.

    Parameters
    ----------
    ptdf : ndarray (branch, bus)
        Power transfer distribution factors, see `grid_models.linear.ptdf`.
    from_index, to_index : ndarray of int
        Bus index at both ends of each branch.

    Returns
    -------
    ndarray (branch, branch)
        Matrix L with ``flow_after[l] = flow[l] + L[l, k] · flow[k]`` after the outage of k; −1 on the
        diagonal. Columns of islanding outages are NaN: there is no flow after them.

    Notes
    -----
    With h = H (e_from − e_to) the flows that a transfer between the ends of k drives: L = h_l / (1 − h_k).
    This holds for flows that phase shifters drive as well.

    References
    ----------
    .. [1] A. J. Wood, B. F. Wollenberg, G. B. Sheblé, Power Generation, Operation, and Control, 3rd ed.,
       Wiley, 2013, section 7.3.

    Examples
    --------
    In a triangle what a lost line carried goes round over the other two, against the direction of one:

    >>> from grid_models.linear import ptdf
    >>> start, end = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> np.round(lodf(ptdf(start, end, np.ones(3), 3), start, end), 9)
    array([[-1., -1.,  1.],
           [-1., -1.,  1.],
           [ 1.,  1., -1.]])
    """
    moved = ptdf[:, from_index] - ptdf[:, to_index]
    own = np.diag(moved).copy()
    own[islanding_outages(from_index, to_index, ptdf.shape[1])] = np.nan
    result: FloatArray = moved / (1.0 - own)
    result[np.abs(result) < LODF_ROUNDING] = 0.0
    np.fill_diagonal(result, np.where(np.isnan(own), np.nan, -1.0))
    return result


@dataclass(frozen=True, eq=False)
class Contingencies:
    """Pairs of a monitored line and an outage that may overload it. Make them with `contingencies`.

    Pairs are sorted by monitored line, and for each by what they could move to it at most, largest first.

    Attributes
    ----------
    outage : ndarray of int32 (pair)
        Position of the line that is lost, in the grid's table.
    factor : ndarray (pair)
        Line outage distribution factor. [1]
    first : ndarray of int (line + 1)
        Position of the first pair of each line that is monitored.
    limit_mw : ndarray (line)
        What each line may carry after an outage. [MW]
    rate_mw : ndarray (line)
        What each line may carry without outage. [MW]
    outages : ndarray of int
        Outages that are enforced.
    islanding : ndarray of int
        Outages that cut off a part of the grid: listed, not enforced.
    rating : str
        Column of the grid's lines that `limit_mw` was taken from.
    """

    outage: npt.NDArray[np.int32]
    factor: FloatArray
    first: IntArray
    limit_mw: FloatArray
    rate_mw: FloatArray
    outages: IntArray
    islanding: IntArray
    rating: str

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.factor)

    def monitored(self, pairs: IntArray) -> IntArray:
        """Position of the line that each of some pairs watches."""
        line: IntArray = np.searchsorted(self.first, pairs, side="right").astype(np.int64) - 1
        return line

    def rows(self, pairs: IntArray, ptdf: FloatArray) -> FloatArray:
        """Flow after the outage per injection at each bus, shape (pair, bus)."""
        factor = self.factor[pairs][:, None]
        row: FloatArray = ptdf[self.monitored(pairs)] + factor * ptdf[self.outage[pairs]]
        return row

    def flow_after(self, pairs: IntArray, flow_p_mw: FloatArray) -> FloatArray:
        """Flow on the monitored line after the outage, shape (..., pair). [MW].

        Given `Grid.flow_offset_mw`, the offset of the pairs' rows.
        """
        moved = self.factor[pairs] * flow_p_mw[..., self.outage[pairs]]
        flow: FloatArray = flow_p_mw[..., self.monitored(pairs)] + moved
        return flow


def contingencies(
    grid: Grid,
    *,
    rating: Rating = "rate_lte_mw",
    outages: Sequence[str] | None = None,
    monitored: Sequence[str] | None = None,
    negligible_mw: float = NEGLIGIBLE_MW,
) -> Contingencies:
    """Pairs of lines and transformers of a grid that an outage may overload.

    Parameters
    ----------
    grid : Grid
        The network.
    rating : {"rate_lte_mw", "rate_mw", "rate_ste_mw"}
        What a line may carry after an outage: its long-term emergency, continuous or short-term emergency
        rating.
    outages : sequence of str, optional
        Lines and transformers that may fail, one at a time. Default: all.
    monitored : sequence of str, optional
        Lines that must not be overloaded. Default: all.
    negligible_mw : float
        Pairs that cannot overload their line by more than this are left out, provided that no line is
        overloaded before the outage. [MW]

    Returns
    -------
    Contingencies
        Islanding outages among `outages` are listed in it and have no pairs.

    Raises
    ------
    InputError
        Unknown lines or rating, all at once.
    """
    lost, watched = lines_named(grid, rating, outages, monitored)
    start, end = line_ends(grid)
    islanding = islanding_outages(start, end, len(grid.buses))
    kept = np.setdiff1d(lost, islanding)
    rate, limit = (grid.lines[c].to_numpy(dtype=float) for c in ("rate_mw", rating))
    factor = _factors(grid.ptdf, start, end, kept)
    parts: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(rate)
    for line in watched:
        reach = _reach(factor[line], rate[kept])
        may = (kept != line) & (rate[line] + reach > limit[line] + negligible_mw)
        at = np.flatnonzero(may & np.isfinite(limit[line]))
        parts[line] = at[np.argsort(-reach[at], kind="stable")]
    first = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Contingencies(
        outage=np.concatenate([kept[part] for part in parts]).astype(np.int32),
        factor=np.concatenate([factor[line, part] for line, part in enumerate(parts)]),
        first=first,
        limit_mw=limit,
        rate_mw=rate,
        outages=kept,
        islanding=np.intersect1d(lost, islanding),
        rating=rating,
    )


def violated_pairs(
    flow_p_mw: FloatArray,
    contingencies: Contingencies,
    tolerance_mw: float = 1e-6,
    *,
    worst_of_line: bool = False,
) -> IntArray:
    """Pairs whose line is overloaded after the outage.

    Parameters
    ----------
    flow_p_mw : ndarray (line)
        Flows without outage. [MW]
    contingencies : Contingencies
        The pairs.
    tolerance_mw : float
        Overload that is not counted. [MW]
    worst_of_line : bool
        Of each line only the pair that overloads it most.

    Returns
    -------
    ndarray of int
        Positions in `contingencies`, sorted.
    """
    c = contingencies
    flow = np.ascontiguousarray(flow_p_mw, dtype=float)
    found = np.empty(len(c.rate_mw) if worst_of_line else len(c), dtype=np.int64)
    pairs = (c.outage, c.factor, c.first, c.limit_mw, c.rate_mw)
    n = find_violated(flow, *pairs, tolerance_mw, worst_of_line, found)
    return found[:n].copy()


def worst_post_contingency(
    flow_p_mw: FloatArray, contingencies: Contingencies, n: int = 1
) -> tuple[IntArray, FloatArray]:
    """Pairs with the highest loading after an outage, and these loadings.

    Parameters
    ----------
    flow_p_mw : ndarray (..., line)
        Flows without outage. [MW]
    contingencies : Contingencies
        The pairs.
    n : int
        How many, at most the number of pairs.

    Returns
    -------
    pair : ndarray of int (..., n)
        Positions in `contingencies`, highest loading first.
    loading_percent : ndarray (..., n)
        Flow after the outage over the emergency rating. [%]
    """
    c = contingencies
    flow = np.ascontiguousarray(flow_p_mw, dtype=float).reshape(-1, len(c.rate_mw))
    n = min(n, len(c))
    pair, loading = np.zeros((len(flow), n), dtype=np.int64), np.full((len(flow), n), -1.0)
    if n:
        find_worst(flow, c.outage, c.factor, c.first, c.limit_mw, c.rate_mw, pair, loading)
    shape = (*np.shape(flow_p_mw)[:-1], n)
    return pair.reshape(shape), 100.0 * loading.reshape(shape)


def lines_named(
    grid: Grid, rating: str, outages: Sequence[str] | None, monitored: Sequence[str] | None
) -> tuple[IntArray, IntArray]:
    """Positions of the lines that fail and of those that are watched; unknown names are refused."""
    findings = Findings()
    if rating not in get_args(Rating):
        findings.add("rating", f"{rating!r} is unknown", f"use one of {', '.join(get_args(Rating))}")
    positions = []
    for name, given in (("outages", outages), ("monitored", monitored)):
        labels = list(grid.lines.index) if given is None else [str(label) for label in given]
        position = grid.lines.index.get_indexer(labels)
        for label, at in zip(labels, position, strict=True):
            if at < 0:
                findings.add(
                    f"{name}: line {label!r}", f"is not in grid {grid.name!r}", "see grid.lines.index"
                )
        positions.append(np.unique(position).astype(np.int64))
    findings.raise_if_any("contingencies")
    return positions[0], positions[1]


def line_ends(grid: Grid) -> tuple[IntArray, IntArray]:
    """Bus positions at both ends of every line."""
    return grid.bus_index(grid.lines["from_bus"]), grid.bus_index(grid.lines["to_bus"])


def _factors(ptdf: FloatArray, start: IntArray, end: IntArray, outages: IntArray) -> FloatArray:
    """Outage factors of some outages that island nothing, shape (line, outage)."""
    moved = ptdf[:, start[outages]] - ptdf[:, end[outages]]
    at = np.arange(len(outages))
    moved /= 1.0 - moved[outages, at]
    moved[np.abs(moved) < LODF_ROUNDING] = 0.0
    moved[outages, at] = -1.0
    return moved


def _reach(factor: FloatArray, rate: FloatArray) -> FloatArray:
    """Most that outages move while the lines that are lost keep their ratings. [MW]."""
    reach = np.zeros(len(factor))
    moves = factor != 0.0
    reach[moves] = np.abs(factor[moves]) * rate[moves]
    return reach


@compiled
def _overload(flow: FloatArray, rate: FloatArray) -> float:
    """Largest loading of any line, at least 1: by how much pairs may reach further than their ratings say."""
    scale = 1.0
    for line in range(len(flow)):
        scale = max(scale, abs(flow[line]) / rate[line])
    return scale


@compiled
def find_violated(
    flow: FloatArray,
    outage: npt.NDArray[np.int32],
    factor: FloatArray,
    first: IntArray,
    limit: FloatArray,
    rate: FloatArray,
    tolerance: float,
    worst_of_line: bool,
    found: IntArray,
) -> int:
    """Write the violated pairs into `found` and return their number."""
    n, scale = 0, _overload(flow, rate)
    for line in range(len(flow)):
        most, at, own = limit[line] + tolerance, -1, abs(flow[line])
        for pair in range(first[line], first[line + 1]):
            # Pairs are sorted by reach: none after this one moves more.
            if own + abs(factor[pair]) * rate[outage[pair]] * scale <= most:
                break
            after = abs(flow[line] + factor[pair] * flow[outage[pair]])
            if after <= most:
                continue
            if worst_of_line:
                most, at = after, pair
            else:
                found[n] = pair
                n += 1
        if at >= 0:
            found[n] = at
            n += 1
    return n


@compiled
def find_worst(
    flow: FloatArray,
    outage: npt.NDArray[np.int32],
    factor: FloatArray,
    first: IntArray,
    limit: FloatArray,
    rate: FloatArray,
    best_pair: IntArray,
    best_loading: FloatArray,
) -> None:
    """Keep the pairs of the highest loading of each step, highest first."""
    n = best_pair.shape[1]
    for step in range(len(flow)):
        f, loadings, pairs = flow[step], best_loading[step], best_pair[step]
        scale = _overload(f, rate)
        for line in range(len(f)):
            own = abs(f[line])
            for pair in range(first[line], first[line + 1]):
                reach = abs(factor[pair]) * rate[outage[pair]] * scale
                if own + reach <= loadings[n - 1] * limit[line]:
                    break
                loading = abs(f[line] + factor[pair] * f[outage[pair]]) / limit[line]
                if loading <= loadings[n - 1]:
                    continue
                at = n - 1
                while at > 0 and loadings[at - 1] < loading:
                    loadings[at], pairs[at] = loadings[at - 1], pairs[at - 1]
                    at -= 1
                loadings[at], pairs[at] = loading, pair
