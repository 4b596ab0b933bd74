"""Which clusters of generators run, as columns and rows beside the dispatch of several steps.

For each cluster and step there are two columns: how many members run, and how many start. The rows are the
tight ones of Rajan and Takriti [1]_, with the number of stops eliminated; with n members, u running and v
starting, and minimum times of U and D steps::

    u(t) − u(t−1) <= v(t)         v(t−U+1) + … + v(t) <= u(t)         v(t−D+1) + … + v(t) <= n − u(t−D)

Outputs are counted above the minimum, and every cost segment is limited by its width times the members that
run, so that the relaxation of a single unit is exact.

References
----------
.. [1] D. Rajan, S. Takriti, Minimum up/down polytopes of the unit commitment problem with start-up costs, IBM
   Research Report RC23628, 2005.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.block_rows import BlockRows
    from grid_models.fleet import Fleet

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Past:
    """Members that ran and started in the steps before a block, oldest first, (step, cluster).

    Without any step the block is the first: what runs then is free, and no start is paid for in its first
    step.
    """

    running: FloatArray
    starting: FloatArray

    @staticmethod
    def none(fleet: Fleet) -> Past:
        """Return no past at all."""
        return Past(np.zeros((0, len(fleet))), np.zeros((0, len(fleet))))

    def __len__(self) -> int:
        """Count steps."""
        return len(self.running)

    def then(self, running: FloatArray, starting: FloatArray, longest: int) -> Past:
        """Return the past after further steps, as far back as matters."""
        together = [np.concatenate(pair) for pair in ((self.running, running), (self.starting, starting))]
        return Past(*(part[-longest:] for part in together))


class CommitmentRows:
    """Columns and rows of the commitment of one block.

    Parameters
    ----------
    fleet : Fleet
        Clusters.
    block : BlockRows
        The dispatch of the block on the fleet's grid, with nothing of the clusters running.
    most : ndarray (step, cluster)
        Members that may run.
    past : Past
        What was before.
    """

    def __init__(self, fleet: Fleet, block: BlockRows, most: FloatArray, past: Past) -> None:
        self.fleet, self.block, self.past = fleet, block, past
        self.most = most
        self.n_step, self.n_cluster = len(most), len(fleet)
        problem = block.problem
        cluster = np.full(problem.n_gen, -1, dtype=np.int64)
        cluster[fleet.gen] = np.arange(len(fleet))
        self._segment = np.flatnonzero(cluster[problem.segment_generator] >= 0)
        self._of = cluster[problem.segment_generator[self._segment]]
        self._width_mw = problem.segment_p_mw[self._segment] / fleet.n[self._of]
        self.n_column = block.width + 2 * self.n_cluster
        """Columns of a step: those of its dispatch, members that run, members that start."""

    @property
    def running_at(self) -> slice:
        """Columns of a step that say how many members run."""
        return slice(self.block.width, self.block.width + self.n_cluster)

    @property
    def starting_at(self) -> slice:
        """Columns of a step that say how many members start."""
        return slice(self.running_at.stop, self.running_at.stop + self.n_cluster)

    @property
    def n_row_per_step(self) -> int:
        """Rows of a step for its clusters and their segments."""
        return 3 * self.n_cluster + len(self._segment)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Bounds of all columns, step by step."""
        lower, upper = np.zeros((2, self.n_step, self.n_column))
        low, high = self.block.bounds(np.zeros(len(self.block.stores)))
        lower[:, : self.block.width] = low.reshape(self.n_step, -1)
        upper[:, : self.block.width] = high.reshape(self.n_step, -1)
        if self.block.n_own > self.block.problem.n_column:
            dumped = self.block.problem.n_column + self.block.problem.n_bus + self.fleet.bus
            for step in range(self.n_step):
                np.add.at(upper[step], dumped, self.fleet.p_min_mw * self.most[step])
        upper[:, self._segment] = self._width_mw * self.most[:, self._of]
        upper[:, self.running_at] = upper[:, self.starting_at] = self.most
        if not len(self.past):
            upper[0, self.starting_at] = 0.0
        return lower.ravel(), upper.ravel()

    def widened(self, rows: sparse.csr_matrix, minimum: FloatArray, step: IntArray) -> sparse.csr_matrix:
        """Rows of the dispatch among all columns, with those of members that run.

        Parameters
        ----------
        rows : csr_matrix
            Coefficients of the dispatch's columns.
        minimum : ndarray (row, cluster)
            Coefficient of one member that runs.
        step : ndarray of int (row)
            Step of each row.
        """
        coo = rows.tocoo()
        column = coo.col // self.block.width * self.n_column + coo.col % self.block.width
        row, cluster = np.nonzero(minimum)
        return sparse.csr_matrix(
            (
                np.concatenate([coo.data, minimum[row, cluster]]),
                (
                    np.concatenate([coo.row, row]),
                    np.concatenate([column, step[row] * self.n_column + self.running_at.start + cluster]),
                ),
            ),
            (rows.shape[0], self.n_step * self.n_column),
        )

    def dispatch_rows(self) -> sparse.csr_matrix:
        """Rows of the dispatch that are always there; members that run give their minimum and room above."""
        own = len(self.block.own.coefficients)
        minimum = np.zeros((own, self.n_cluster))
        minimum[0] = self.fleet.p_min_mw
        if self.block.engine.limits.has_reserves:
            up = own - 2
            minimum[up] = -np.bincount(self._of, self._width_mw, self.n_cluster)
        n_energy = self.n_step * len(self.block.stores)
        every = np.concatenate([np.tile(minimum, (self.n_step, 1)), np.zeros((n_energy, self.n_cluster))])
        step = np.concatenate([np.repeat(np.arange(self.n_step), own), np.zeros(n_energy, dtype=np.int64)])
        return self.widened(self.block.coefficients(), every, step)

    def added_rows(self, rows: sparse.csr_matrix, n_new: int) -> sparse.csr_matrix:
        """The rows of the dispatch that were added last, with the minimum of members that run."""
        added = self.block.added
        index, step = added.index[-n_new:], added.step[-n_new:]
        is_line = ~added.is_ramp[-n_new:]
        minimum = np.zeros((n_new, self.n_cluster))
        by_bus = self.block.watched(index[is_line]).by_bus(self.block.problem)
        minimum[is_line] = by_bus[:, self.fleet.bus] * self.fleet.p_min_mw
        return self.widened(rows, minimum, step)

    def injected_mw(self, values: FloatArray) -> FloatArray:
        """Minimum of members that run at each bus, (step, bus). [MW]"""
        result = np.zeros((self.n_step, self.block.problem.n_bus))
        np.add.at(result.T, self.fleet.bus, (values[:, self.running_at] * self.fleet.p_min_mw).T)
        return result

    def rows(self) -> tuple[sparse.csr_matrix, FloatArray, FloatArray]:
        """Rows of clusters and segments with their limits, step by step."""
        parts = [self._step_rows(step) for step in range(self.n_step)]
        shape = (self.n_step * self.n_row_per_step, self.n_step * self.n_column)
        row, column, value = (np.concatenate([part[k] for part in parts]) for k in range(3))
        high = np.concatenate([part[3] for part in parts])
        return sparse.csr_matrix((value, (row, column)), shape), np.full(len(high), -np.inf), high

    def _step_rows(self, step: int) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Rows of one step: changes, times to run, times to stand, segments."""
        first, every, n = step * self.n_row_per_step, np.arange(self.n_cluster), self.n_cluster
        entries = [
            *self._changes(step, first + every),
            *self._times_to_run(step, first + n + every),
            *self._times_to_stand(step, first + 2 * n + every),
        ]
        segments = first + 3 * n + np.arange(len(self._segment))
        base = step * self.n_column
        entries.append((segments, base + self._segment, np.ones(len(segments))))
        entries.append((segments, base + self.running_at.start + self._of, -self._width_mw))
        row, column, value = (np.concatenate([entry[k] for entry in entries]) for k in range(3))
        return row, column, value, self._step_limits(step)

    def _column(self, at: slice, step: int | IntArray, cluster: IntArray) -> IntArray:
        result: IntArray = np.asarray(step) * self.n_column + at.start + cluster
        return result

    def _changes(self, step: int, row: IntArray) -> list[tuple[IntArray, IntArray, FloatArray]]:
        every = np.arange(self.n_cluster)
        ones = np.ones(self.n_cluster)
        entries = [
            (row, self._column(self.running_at, step, every), ones),
            (row, self._column(self.starting_at, step, every), -ones),
        ]
        if step:
            entries.append((row, self._column(self.running_at, step - 1, every), -ones))
        return entries

    def _times_to_run(self, step: int, row: IntArray) -> list[tuple[IntArray, IntArray, FloatArray]]:
        every = np.arange(self.n_cluster)
        entries = [(row, self._column(self.running_at, step, every), -np.ones(self.n_cluster))]
        return entries + self._starts(step, row, self.fleet.up_steps)

    def _times_to_stand(self, step: int, row: IntArray) -> list[tuple[IntArray, IntArray, FloatArray]]:
        before = step - self.fleet.down_steps
        known = np.flatnonzero(before < 0) if len(self.past) else np.zeros(0, dtype=np.int64)
        chosen = np.setdiff1d(np.arange(self.n_cluster), known)
        at = self._column(self.running_at, np.maximum(before[chosen], 0), chosen)
        entries = [(row[chosen], at, np.ones(len(chosen)))]
        return entries + self._starts(step, row, self.fleet.down_steps)

    def _starts(
        self, step: int, row: IntArray, n_steps: IntArray
    ) -> list[tuple[IntArray, IntArray, FloatArray]]:
        """Starts in the last steps of each cluster, as far as they are in the block."""
        n = np.minimum(n_steps, step + 1)
        cluster = np.repeat(np.arange(self.n_cluster), n)
        back = np.arange(len(cluster)) - np.repeat(np.cumsum(n) - n, n)
        return [(row[cluster], self._column(self.starting_at, step - back, cluster), np.ones(len(cluster)))]

    def _step_limits(self, step: int) -> FloatArray:
        """Upper limits of the rows of one step; what was before the block stands on this side."""
        changes = np.zeros(self.n_cluster)
        if step == 0:
            changes = self.past.running[-1] if len(self.past) else np.full(self.n_cluster, np.inf)
        run = -self._earlier_starts(step, self.fleet.up_steps)
        run[self._failed(step)] = np.inf
        stand = self.fleet.n - self._earlier_starts(step, self.fleet.down_steps)
        if len(self.past):
            before = step - self.fleet.down_steps
            known = np.flatnonzero(before < 0)
            oldest = np.maximum(len(self.past) + before[known], 0)
            stand[known] -= self.past.running[oldest, known]
        return np.concatenate([changes, run, stand, np.zeros(len(self._segment))])

    def _failed(self, step: int) -> BoolArray:
        """Clusters that an outage stopped within their time to run: nothing holds them to it any more."""
        first = np.maximum(step - self.fleet.up_steps + 1, 0)
        back = np.arange(step + 1)[:, None]
        result: BoolArray = ((self.most[: step + 1] == 0.0) & (back >= first)).any(axis=0)
        if len(self.past):
            earlier = self._earlier_starts(step, self.fleet.up_steps)
            result |= earlier > self.past.running[-1] + _ROUNDING
        return result

    def _earlier_starts(self, step: int, n_steps: IntArray) -> FloatArray:
        """Starts before the block that are not longer ago than a cluster's time."""
        back = np.arange(len(self.past), 0, -1)[:, None]
        result: FloatArray = (self.past.starting * (back + step < n_steps)).sum(axis=0)
        return result
