"""A plan over the hours ahead as a linear programme: which jobs run where and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from twin._arrays import FloatArray, IntArray
from weather import SolverError


@dataclass(frozen=True, eq=False)
class Blocks:
    """Hours ahead in blocks, short ones first.

    Attributes
    ----------
    edge : ndarray of int (block + 1)
        Signal steps from now at which blocks begin and the last one ends.
    step_h : float
        Length of a signal step. [h]
    """

    edge: IntArray
    step_h: float

    @classmethod
    def over(cls, n_ahead: int, step_h: float) -> Blocks:
        """Return blocks of one hour for six hours, of three up to a day and of six beyond."""
        end = n_ahead * step_h
        hours = np.concatenate(
            [np.arange(0.0, 6.0), np.arange(6.0, 24.0, 3.0), np.arange(24.0, max(end, 24.0), 6.0)]
        )
        steps = np.rint(hours / step_h).astype(np.int64)
        return cls(np.unique(np.append(steps[steps < n_ahead], n_ahead)), step_h)

    def __len__(self) -> int:
        return len(self.edge) - 1

    @property
    def start_h(self) -> FloatArray:
        """Begin of each block. [h]"""
        return np.asarray(self.edge[:-1] * self.step_h)

    @property
    def length_h(self) -> FloatArray:
        """Length of each block. [h]"""
        return np.asarray(np.diff(self.edge) * self.step_h)

    def overlap(self, begin_h: FloatArray, end_h: FloatArray) -> FloatArray:
        """Share of each block that lies between two times from now, (..., block). [1]"""
        low, high = self.start_h, self.start_h + self.length_h
        inside = np.minimum(end_h[..., None], high) - np.maximum(begin_h[..., None], low)
        share = np.maximum(inside, 0.0) / self.length_h
        return np.asarray(np.where(share > _LEAST_OVERLAP, share, 0.0))


_LEAST_OVERLAP = 1e-6
"""Less of a block is none: coefficients of very different size leave the solver without an answer."""


@dataclass(frozen=True, eq=False)
class Options:
    """What may be done with jobs: each option runs one job at one site over some of the blocks.

    Attributes
    ----------
    job : ndarray of int (option)
        Which job, 0 to `n_jobs` - 1; options of a job stand together.
    site : ndarray of int (option)
        Where.
    gpus : ndarray (option, block)
        Mean GPUs in use in each block.
    cost_mwh : ndarray (option)
        What it costs, as absorbed energy given up for it. [MWh]
    """

    job: IntArray
    site: IntArray
    gpus: FloatArray
    cost_mwh: FloatArray


@dataclass(frozen=True, eq=False)
class Pieces:
    """Expected relief at each site and block as a concave function of the load there, in straight pieces.

    Attributes
    ----------
    site, block : ndarray of int (piece)
        Where and when.
    width_mw : ndarray (piece)
        Load in the piece. [MW]
    value_h : ndarray (piece)
        Relief per load times the length of the block. [MWh/MW]
    """

    site: IntArray
    block: IntArray
    width_mw: FloatArray
    value_h: FloatArray


def expected_pieces(
    absorbable_p_mw: FloatArray, marginal: FloatArray, blocks: Blocks, resolution_mw: FloatArray
) -> Pieces:
    """Return the expected relief of load at each site and block.

    The relief of one member in one step is `marginal` per megawatt up to `absorbable_p_mw`. Its mean over
    members and steps of a block is concave in the load, as each of them is.

    Parameters
    ----------
    absorbable_p_mw, marginal : ndarray (member, step ahead, site)
        Equally likely forecasts. [MW], [MW/MW]
    blocks : Blocks
        Which steps form a block.
    resolution_mw : ndarray (site)
        Absorbable power is rounded down to multiples of this, which keeps pieces few. [MW]

    Returns
    -------
    Pieces
        In order of block, site and load.
    """
    n_member, _, n_site = absorbable_p_mw.shape
    level = np.floor(absorbable_p_mw / resolution_mw + 1e-9).astype(np.int64)
    most = int(level.max(initial=0))
    value = np.where(level > 0, np.maximum(marginal, 0.0), 0.0)
    parts = []
    for b in range(len(blocks)):
        rows = slice(blocks.edge[b], blocks.edge[b + 1])
        at = level[:, rows]
        key = at * n_site + np.arange(n_site)
        total = np.bincount(key.ravel(), value[:, rows].ravel(), minlength=(most + 1) * n_site)
        above = np.cumsum(total.reshape(most + 1, n_site)[::-1], axis=0)[::-1][1:]
        parts.append(above * (blocks.step_h / n_member))
    slope = np.stack(parts) if parts else np.zeros((0, most, n_site))
    block, step, site = np.nonzero(slope > _LEAST_VALUE_H)
    return _merged(block, step, site, slope[block, step, site], resolution_mw)


_LEAST_VALUE_H = 1e-9


def _merged(block: IntArray, step: IntArray, site: IntArray, value: FloatArray, width: FloatArray) -> Pieces:
    """Join steps of equal slope into one piece."""
    order = np.lexsort((step, site, block))
    block, site, value = block[order], site[order], value[order]
    if not block.size:
        return Pieces(site, block, np.zeros(0), value)
    new = np.ones(block.size, dtype=np.bool_)
    new[1:] = (np.diff(block) != 0) | (np.diff(site) != 0) | (np.abs(np.diff(value)) > _LEAST_VALUE_H)
    first = np.flatnonzero(new)
    count = np.diff(np.append(first, block.size))
    return Pieces(site[first], block[first], count * width[site[first]], value[first])


def solve_plan(
    options: Options,
    pieces: Pieces,
    *,
    n_jobs: int,
    free_gpus: FloatArray,
    gpu_p_mw: FloatArray,
    base_p_mw: FloatArray,
) -> FloatArray:
    """Choose among the options of every job: most expected relief less costs.

    Parameters
    ----------
    options : Options
        At least one for every job that fits by itself whatever the others do, so that there is a plan.
    pieces : Pieces
        Expected relief.
    n_jobs : int
        Number of jobs.
    free_gpus : ndarray (site, block)
        GPUs that the jobs may use.
    gpu_p_mw : ndarray (site)
        Power that one more running GPU adds. [MW]
    base_p_mw : ndarray (site)
        Power that is drawn whatever these jobs do; it comes first. [MW]

    Returns
    -------
    ndarray (option)
        Share of each job that takes each option; they sum to 1 for each job.

    Raises
    ------
    SolverError
        If the solver finds no optimum.
    """
    n_block = free_gpus.shape[1]
    n_option, n_piece, n_cell = len(options.job), len(pieces.site), free_gpus.size
    option, block = np.nonzero(options.gpus)
    cell = options.site[option] * n_block + block
    gpus = options.gpus[option, block]
    piece = np.arange(n_piece)
    # First the GPUs of every site and block, then the load there is to relieve with.
    row = np.concatenate([cell, n_cell + cell, n_cell + pieces.site * n_block + pieces.block])
    column = np.concatenate([option, option, n_option + piece])
    value = np.concatenate([gpus, -gpus * gpu_p_mw[options.site[option]], np.ones(n_piece)])
    shape = (n_option + n_piece,)
    every = (np.ones(n_option), (options.job, np.arange(n_option)))
    programme = {
        "c": np.concatenate([options.cost_mwh, -pieces.value_h]),
        "A_ub": csr_array((value, (row, column)), shape=(2 * n_cell, *shape)),
        "b_ub": np.concatenate([free_gpus.ravel(), np.repeat(base_p_mw, n_block)]),
        "A_eq": csr_array(every, shape=(n_jobs, *shape)),
        "b_eq": np.ones(n_jobs),
        "bounds": np.column_stack([np.zeros(*shape), np.concatenate([np.ones(n_option), pieces.width_mw])]),
    }
    for method, presolve in _ATTEMPTS:
        found = linprog(**programme, method=method, options={"presolve": presolve})
        if found.x is not None and found.status == 0:
            return np.asarray(found.x[:n_option], dtype=np.float64)
    raise SolverError(f"plan of {n_jobs} jobs over {n_block} blocks: {found.message}")


_ATTEMPTS = (("highs", True), ("highs-ds", False), ("highs-ipm", True))
"""Methods and whether they presolve, until one finds the optimum."""
