"""Rows and columns of several steps at once: those of every step, storage, and lines and ramps that bind.

Columns of a step are those of the step's own problem (see `grid_models.lp`), then charging, discharging and
content of each store. Rows are the step's own (see `grid_models.rows`), the energy balance of each store,
and, added where they bind, lines and ramps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from grid_models._arrays import IntArray
from grid_models.lp import gathered, products
from grid_models.rows import Monitored, Rows, upper_within

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray
    from grid_models.engine import DispatchEngine
    from grid_models.lp import Inputs
    from grid_models.storage import Stores

TIGHT_MW = 1e-6
"""What lies closer than this to a limit lies at the limit. [MW]"""
CHARGE, DISCHARGE, CONTENT = range(3)
NO_ROWS: IntArray = np.zeros(0, dtype=np.int64)
"""No limits of lines, by their numbers."""


@dataclass(frozen=True)
class State:
    """What a block takes over from the one before.

    Attributes
    ----------
    content_mwh : ndarray (store)
        What is stored. [MWh]
    above_minimum_mw, status : ndarray (gen) or None
        Output above the minimum [MW] and share that ran in the last step [1]; None where ramps into the block
        are free.
    """

    content_mwh: FloatArray
    above_minimum_mw: FloatArray | None = None
    status: FloatArray | None = None


@dataclass(frozen=True)
class Added:
    """Rows added where they bind: a watched line, or the ramp of a generator, in a step."""

    is_ramp: BoolArray
    index: IntArray
    step: IntArray

    @staticmethod
    def none() -> Added:
        """No row."""
        nothing = np.zeros(0, dtype=np.int64)
        return Added(np.zeros(0, dtype=bool), nothing, nothing)

    def __len__(self) -> int:
        """Count rows."""
        return len(self.index)

    def without(self, other: Added) -> Added:
        """Return the rows that `other` does not have."""
        known = set(zip(other.is_ramp.tolist(), other.index.tolist(), other.step.tolist(), strict=True))
        mine = zip(self.is_ramp.tolist(), self.index.tolist(), self.step.tolist(), strict=True)
        kept = np.array([key not in known for key in mine], dtype=bool)
        return Added(self.is_ramp[kept], self.index[kept], self.step[kept])

    def followed_by(self, other: Added) -> Added:
        """Both, one after the other."""
        return Added(
            np.concatenate([self.is_ramp, other.is_ramp]),
            np.concatenate([self.index, other.index]),
            np.concatenate([self.step, other.step]),
        )


def ramp_per_step_mw(engine: DispatchEngine, step_h: float, *, ramps: bool) -> FloatArray:
    """Largest change of each generator's output from step to step; infinite without `ramps`. [MW]"""
    rate = engine.grid.generators["ramp_mw_per_h"].to_numpy(dtype=float) * step_h
    return rate if ramps else np.full_like(rate, np.inf)


class BlockRows:
    """Rows and columns of one block of steps.

    Parameters
    ----------
    engine : DispatchEngine
        The grid, and limits of lines and of the system.
    stores : Stores
        Storage.
    inputs : Inputs
        The steps.
    state : State
        How they begin.
    ramp_mw : ndarray (gen)
        Largest change of output from step to step. [MW]
    step_h : float
        Length of a step. [h]
    may_shed : bool
        Whether the columns that rescue a step are there.
    """

    def __init__(
        self,
        engine: DispatchEngine,
        stores: Stores,
        inputs: Inputs,
        state: State,
        *,
        ramp_mw: FloatArray,
        step_h: float,
        may_shed: bool,
    ) -> None:
        self.engine, self.problem, self.stores = engine, engine.problem, stores
        self._inputs, self._state, self._ramp_mw, self._step_h = inputs, state, ramp_mw, step_h
        p = engine.problem
        self.n_own = p.n_rescue if may_shed else p.n_column
        self.n_step, self.width = len(inputs), self.n_own + 3 * len(stores)
        self.own = Rows(p, engine.watch.base.at(NO_ROWS), engine.limits, self.n_own)
        self.upper = upper_within(p, engine.limits, inputs)
        if may_shed:
            self.upper = np.concatenate([self.upper, p.slack_upper(inputs)], axis=1)
        self._drop_mw = self._drop()
        self.added = Added.none()

    def of_store(self, kind: int) -> slice:
        """Columns of a step that charge, discharge or hold the content."""
        n = len(self.stores)
        return slice(self.n_own + kind * n, self.n_own + (kind + 1) * n)

    def bounds(self, least_at_end_mwh: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bounds of all columns."""
        lower, upper = np.zeros((self.n_step, self.width)), np.empty((self.n_step, self.width))
        upper[:, : self.n_own] = self.upper
        upper[:, self.of_store(CHARGE)] = upper[:, self.of_store(DISCHARGE)] = self.stores.p_max_mw
        upper[:, self.of_store(CONTENT)] = self.stores.e_max_mwh
        lower[-1, self.of_store(CONTENT)] = least_at_end_mwh
        return lower.ravel(), upper.ravel()

    def coefficients(self) -> sparse.csr_matrix:
        """Rows that are always there: those of every step, then the energy balances."""
        eye, before = sparse.eye(self.n_step), sparse.eye(self.n_step, k=-1)
        energy, earlier = np.zeros((2, len(self.stores), self.width))
        each, one_way = np.arange(len(self.stores)), self.stores.one_way
        energy[each, self.of_store(CHARGE).start + each] = -self._step_h * one_way
        energy[each, self.of_store(DISCHARGE).start + each] = self._step_h / one_way
        energy[each, self.of_store(CONTENT).start + each] = 1.0
        earlier[each, self.of_store(CONTENT).start + each] = -1.0
        own = self._with_stores(self.own.coefficients, np.zeros((len(self.own.coefficients), 1)))
        own[0, self.of_store(CHARGE)], own[0, self.of_store(DISCHARGE)] = -1.0, 1.0
        parts = [sparse.kron(eye, own), sparse.kron(eye, energy) + sparse.kron(before, earlier)]
        return sparse.vstack(parts, format="csr")

    def _with_stores(self, coefficients: FloatArray, per_mw: FloatArray) -> FloatArray:
        """Coefficients of a step with those of storage, `per_mw` injected at the store's bus."""
        result = np.zeros((len(coefficients), self.width))
        result[:, : self.n_own] = coefficients
        result[:, self.of_store(CHARGE)], result[:, self.of_store(DISCHARGE)] = -per_mw, per_mw
        return result

    def limits(self, inputs: Inputs) -> tuple[FloatArray, FloatArray]:
        """Limits of all rows, with these inputs instead of the block's own."""
        withdrawal = self.problem.withdrawal(inputs)
        low, high = self.own.bounds(inputs, withdrawal, self.upper)
        content = np.zeros((self.n_step, len(self.stores)))
        content[0] = self._state.content_mwh
        added_low, added_high = np.empty(len(self.added)), np.empty(len(self.added))
        is_ramp = self.added.is_ramp
        added_low[~is_ramp], added_high[~is_ramp] = self.line_limits(withdrawal)
        added_low[is_ramp], added_high[is_ramp] = self._ramp_limits()
        return (
            np.concatenate([low.ravel(), content.ravel(), added_low]),
            np.concatenate([high.ravel(), content.ravel(), added_high]),
        )

    def line_limits(self, withdrawal: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Limits of the rows of lines that were added."""
        rows, step = self.lines()
        by_bus = rows.by_bus(self.problem)
        centre = np.einsum("rb,rb->r", by_bus, withdrawal[step]) - rows.offset_mw(self.problem)
        return centre - rows.limit_mw, centre + rows.limit_mw

    def lines(self) -> tuple[Monitored, IntArray]:
        """Lines of the rows that were added, and their steps."""
        is_line = ~self.added.is_ramp
        return self.watched(self.added.index[is_line]), self.added.step[is_line]

    def watched(self, numbers: IntArray) -> Monitored:
        """Limits of lines by their numbers, in the order of these."""
        watch = self.engine.watch
        place = np.argsort(numbers >= len(watch.base), kind="stable")
        return watch.rows(numbers).at(np.argsort(place, kind="stable"))

    def _ramp_limits(self) -> tuple[FloatArray, FloatArray]:
        """Limits of the change of output above the minimum; a unit that stops or fails may drop it all."""
        gen, step = self.added.index[self.added.is_ramp], self.added.step[self.added.is_ramp]
        rate = self._ramp_mw[gen]
        low, high = -rate - self._drop_mw[step, gen], rate.copy()
        first = step == 0
        if self._state.above_minimum_mw is not None:
            before = self._state.above_minimum_mw[gen[first]]
            low[first] += before
            high[first] += before
        return low, high

    def _drop(self) -> FloatArray:
        """Largest output above the minimum that ends with the share that runs, (step, gen). [MW]"""
        p, status = self.problem, self._inputs.gen_status
        span = gathered(p.segment_p_mw[None], p.segment_generator, p.n_gen)[0]
        before = status[:1] if self._state.status is None else self._state.status[None]
        result: FloatArray = span * np.maximum(-np.diff(status, axis=0, prepend=before), 0.0)
        return result

    def reached(
        self, values: FloatArray, injected_mw: FloatArray | None = None, *, margin_mw: float = TIGHT_MW
    ) -> Added:
        """Return lines and ramps that a solution brings to their limits and that are not among the rows yet.

        Parameters
        ----------
        values : ndarray (step, column)
            The solution.
        injected_mw : ndarray (step, bus), optional
            What is injected beside it. [MW]
        margin_mw : float
            How close to a limit counts; negative: how far beyond. [MW]
        """
        lines = self._reached_lines(values, injected_mw, margin_mw)
        return lines.followed_by(self._reached_ramps(values, margin_mw)).without(self.added)

    def add(self, new: Added) -> sparse.csr_matrix:
        """Take rows in, lines before ramps, and return their coefficients."""
        self.added = self.added.followed_by(new)
        return sparse.vstack([self._line_rows(new), self._ramp_rows(new)], format="csr")

    def _reached_lines(self, values: FloatArray, injected_mw: FloatArray | None, margin_mw: float) -> Added:
        p, watch = self.problem, self.engine.watch
        injection = p.injection(values[:, : self.n_own]) - p.withdrawal(self._inputs)
        net = np.ascontiguousarray(values[:, self.of_store(DISCHARGE)] - values[:, self.of_store(CHARGE)])
        injection += gathered(net, self.stores.bus, p.n_bus)
        if injected_mw is not None:
            injection += injected_mw
        flow = products(p.ptdf, injection) + p.flow_offset_mw
        steps = np.flatnonzero(watch.broken(flow, margin_mw, NO_ROWS))
        near = [watch.near(flow[t], margin_mw) for t in steps]
        step = np.repeat(steps, [len(numbers) for numbers in near]).astype(np.int64)
        index = np.concatenate([NO_ROWS, *near])
        return Added(np.zeros(len(index), dtype=bool), index, step)

    def _reached_ramps(self, values: FloatArray, margin_mw: float) -> Added:
        output, known = self.above_minimum(values), self._state.above_minimum_mw
        change = np.diff(output, axis=0, prepend=output[:1] if known is None else known[None])
        rate = self._ramp_mw - margin_mw
        step, gen = np.nonzero((change > rate) | (change < -rate - self._drop_mw))
        return Added(np.ones(len(gen), dtype=bool), gen.astype(np.int64), step.astype(np.int64))

    def above_minimum(self, values: FloatArray) -> FloatArray:
        """Output of generators above their minimum, (step, gen). [MW]"""
        p = self.problem
        return gathered(np.ascontiguousarray(values[:, : p.n_segment]), p.segment_generator, p.n_gen)

    def _line_rows(self, added: Added) -> sparse.csr_matrix:
        is_line = ~added.is_ramp
        by_bus = self.watched(added.index[is_line]).by_bus(self.problem)
        coefficients = self.problem.columns_of(by_bus, self.n_own)
        own = self._with_stores(coefficients, by_bus[:, self.stores.bus])
        return self._placed(own, added.step[is_line])

    def _ramp_rows(self, added: Added) -> sparse.csr_matrix:
        gen, step = added.index[added.is_ramp], added.step[added.is_ramp]
        own = np.zeros((len(gen), self.width))
        own[:, : self.problem.n_segment] = self.problem.segment_generator == gen[:, None]
        before = np.where((step > 0)[:, None], -own, 0.0)
        return self._placed(own, step) + self._placed(before, np.maximum(step - 1, 0))

    def _placed(self, coefficients: FloatArray, step: IntArray) -> sparse.csr_matrix:
        """Rows of single steps among the columns of all."""
        row, column = np.nonzero(coefficients)
        shape = (len(coefficients), self.n_step * self.width)
        return sparse.csr_matrix((coefficients[row, column], (row, step[row] * self.width + column)), shape)
