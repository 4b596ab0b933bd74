"""A plan over the hours ahead as a linear programme: which jobs run where and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from twin._arrays import BoolArray, FloatArray, IntArray
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
    """What may be done with jobs: each option runs one job at one site, a rigid one just as it says.

    A flexible job runs in any part of each block that the plan likes, as long as there is work; all of its
    options are flexible. One of them that is a move is taken for good with a share of the job, whereas the
    rest may be spread over the others in every block anew.

    Attributes
    ----------
    job : ndarray of int (option)
        Which job, 0 to `n_jobs` - 1.
    site : ndarray of int (option)
        Where.
    gpus : ndarray (option, block)
        Mean GPUs in use in each block; of a flexible option the most.
    cost_mwh : ndarray (option)
        What it costs, as absorbed energy given up for it; of flexible options of moves only. [MWh]
    flexible, move : ndarray of bool (option)
        Whether the plan decides when it runs, and whether it is a move.
    work_gpu_h : ndarray (option)
        GPU-hours left to do; of flexible options. [GPU-h]
    use_cost_mwh : ndarray (option, block)
        What each GPU-hour in a block costs; of flexible options. [MWh/GPU-h]
    """

    job: IntArray
    site: IntArray
    gpus: FloatArray
    cost_mwh: FloatArray
    flexible: BoolArray
    move: BoolArray
    work_gpu_h: FloatArray
    use_cost_mwh: FloatArray


@dataclass(frozen=True, eq=False)
class Due:
    """Work that has to be done by some time, for else a job waits longer than it may.

    Attributes
    ----------
    share : ndarray (job)
        Part of the work left; 0 or less where nothing is due in the hours ahead. [1]
    before : ndarray (job, block)
        Part of each block that lies before the time. [1]
    cost_mwh : ndarray (job)
        What all of the work left would cost if it were late; more than any relief is worth. [MWh]
    """

    share: FloatArray
    before: FloatArray
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


@dataclass(frozen=True, eq=False)
class Plan:
    """What a plan does.

    Attributes
    ----------
    share : ndarray (option)
        Share of each job that takes each option; they sum to 1 for each job.
    gpus : ndarray (option, block)
        Mean GPUs that it uses.
    """

    share: FloatArray
    gpus: FloatArray


def solve_plan(
    options: Options,
    pieces: Pieces,
    due: Due,
    blocks: Blocks,
    *,
    free_gpus: FloatArray,
    gpu_p_mw: FloatArray,
    base_p_mw: FloatArray,
) -> Plan:
    """Choose among the options of every job: most expected relief less costs.

    Parameters
    ----------
    options : Options
        At least one for every job that fits by itself whatever the others do, so that there is a plan.
    pieces : Pieces
        Expected relief.
    due : Due
        Work of each job that may not wait; of flexible options.
    blocks : Blocks
        Hours ahead.
    free_gpus : ndarray (site, block)
        GPUs that the jobs may use.
    gpu_p_mw : ndarray (site)
        Power that one more running GPU adds. [MW]
    base_p_mw : ndarray (site)
        Power that is drawn whatever these jobs do; it comes first. [MW]

    Returns
    -------
    Plan
        The plan.

    Raises
    ------
    SolverError
        If the solver finds no optimum.
    """
    programme = _Programme(options, pieces, due, blocks)
    arguments = programme.arguments(free_gpus, gpu_p_mw, base_p_mw)
    for method, presolve in _ATTEMPTS:
        found = linprog(**arguments, method=method, options={"presolve": presolve})
        if found.x is not None and found.status == 0:
            return programme.plan(np.asarray(found.x, dtype=np.float64))
    raise SolverError(f"plan of {len(due.share)} jobs over {len(blocks)} blocks: {found.message}")


class _Programme:
    """The linear programme. Columns: shares of options, GPUs of flexible ones by block, late work, relief."""

    def __init__(self, options: Options, pieces: Pieces, due: Due, blocks: Blocks) -> None:
        self.options, self.pieces, self.due = options, pieces, due
        self.n_jobs, self.n_block, n_option = len(due.share), len(blocks), len(options.job)
        self.row, self.block = np.nonzero(options.gpus * options.flexible[:, None])
        self.limit = options.gpus[self.row, self.block]
        self.length_h, self.job = blocks.length_h[self.block], options.job[self.row]
        self.done = self.length_h / options.work_gpu_h[self.row]
        self.owing = np.flatnonzero(due.share > 0.0)
        ends = np.cumsum([n_option, self.row.size, self.owing.size, len(pieces.site)])
        self.use, self.late, self.piece = (np.arange(*ends[i : i + 2]) for i in range(3))
        self.n_column = int(ends[-1])

    def plan(self, x: FloatArray) -> Plan:
        """Read a solution."""
        share = x[: len(self.options.job)]
        gpus = self.options.gpus * share[:, None]
        gpus[self.row, self.block] = x[self.use]
        return Plan(share, gpus)

    def arguments(
        self, free_gpus: FloatArray, gpu_p_mw: FloatArray, base_p_mw: FloatArray
    ) -> dict[str, object]:
        """Arguments of `scipy.optimize.linprog`."""
        options, rows = self.options, _Rows()
        self._limit_sites(rows, free_gpus, gpu_p_mw, base_p_mw)
        self._limit_moves(rows)
        self._limit_work(rows)
        rigid = np.flatnonzero(~options.flexible)
        jobs, row = np.unique(options.job[rigid], return_inverse=True)
        taken = np.where(options.flexible & ~options.move, 0.0, 1.0)
        most = [taken, self.limit, self.due.share[self.owing], self.pieces.width_mw]
        cost = [
            options.cost_mwh,
            options.use_cost_mwh[self.row, self.block] * self.length_h,
            self.due.cost_mwh[self.owing],
            -self.pieces.value_h,
        ]
        return {
            "c": np.concatenate(cost),
            **rows.matrix(self.n_column),
            "A_eq": csr_array((np.ones(rigid.size), (row, rigid)), shape=(jobs.size, self.n_column)),
            "b_eq": np.ones(jobs.size),
            "bounds": np.column_stack([np.zeros(self.n_column), np.concatenate(most)]),
        }

    def _limit_sites(
        self, rows: _Rows, free_gpus: FloatArray, gpu_p_mw: FloatArray, base_p_mw: FloatArray
    ) -> None:
        """No more GPUs in use than there are; no more load relieves than is there."""
        options, pieces, n_block = self.options, self.pieces, self.n_block
        rigid, block = np.nonzero(options.gpus * ~options.flexible[:, None])
        gpus = options.gpus[rigid, block]
        cell, own = options.site[rigid] * n_block + block, options.site[self.row] * n_block + self.block
        rows.add(free_gpus.ravel(), (cell, rigid, gpus), (own, self.use, np.ones(self.use.size)))
        rows.add(
            np.repeat(base_p_mw, n_block),
            (cell, rigid, -gpus * gpu_p_mw[options.site[rigid]]),
            (own, self.use, -gpu_p_mw[options.site[self.row]]),
            (pieces.site * n_block + pieces.block, self.piece, np.ones(self.piece.size)),
        )

    def _limit_moves(self, rows: _Rows) -> None:
        """Moves are used up to their share, and the other options of a job by what is left of it."""
        options, n_block, of_move = self.options, self.n_block, self.options.move[self.row]
        move = np.flatnonzero(of_move)
        each = np.arange(move.size)
        rows.add(
            np.zeros(move.size),
            (each, self.use[move], 1.0 / self.limit[move]),
            (each, self.row[move], -np.ones(move.size)),
        )
        several = np.bincount(options.job[options.flexible], minlength=self.n_jobs) > 1
        other = np.flatnonzero(several[self.job] & ~of_move)
        away = np.flatnonzero(options.move & options.flexible)
        every = (options.job[away][:, None] * n_block + np.arange(n_block)).ravel()
        rows.add(
            np.ones(self.n_jobs * n_block),
            (self.job[other] * n_block + self.block[other], self.use[other], 1.0 / self.limit[other]),
            (every, np.repeat(away, n_block), np.ones(every.size)),
        )

    def _limit_work(self, rows: _Rows) -> None:
        """No more work than there is left, and what is due in time or late."""
        share = self.due.share
        rows.add(np.ones(self.n_jobs), (self.job, self.use, self.done))
        some = np.flatnonzero(share[self.job] > 0.0)
        row = (np.cumsum(share > 0.0) - 1)[self.job[some]]
        by_then = (self.due.before[self.job, self.block] * self.done)[some]
        rows.add(
            -share[self.owing],
            (row, self.use[some], -by_then),
            (np.arange(self.owing.size), self.late, -np.ones(self.owing.size)),
        )


class _Rows:
    """Rows of a programme, collected in groups."""

    def __init__(self) -> None:
        self.n = 0
        self.limit: list[FloatArray] = []
        self.entries: list[tuple[IntArray, IntArray, FloatArray]] = []

    def add(self, limit: FloatArray, *entries: tuple[IntArray, IntArray, FloatArray]) -> None:
        """Add rows by their upper limits, with entries (row in the group, column, value)."""
        self.entries += [(row + self.n, column, value) for row, column, value in entries]
        self.limit.append(limit)
        self.n += len(limit)

    def matrix(self, n_column: int) -> dict[str, object]:
        """Arguments for `scipy.optimize.linprog`."""
        row, column, value = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        return {
            "A_ub": csr_array((value, (row, column)), shape=(self.n, n_column)),
            "b_ub": np.concatenate(self.limit),
        }


_ATTEMPTS = (("highs", True), ("highs-ds", False), ("highs-ipm", True))
"""Methods and whether they presolve, until one finds the optimum."""
