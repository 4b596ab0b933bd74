"""Which line limits a flow breaks: in the base case, and after the outage of any one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models._compiled import compiled
from grid_models.contingency import violated_pairs
from grid_models.rows import Monitored

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.contingency import Contingencies
    from grid_models.lp import Problem


@dataclass(frozen=True)
class Watch:
    """Limits of lines to be kept, checked lazily: few of them ever bind.

    Limits are named by numbers: first those of `base`, then those of `pairs`.

    Attributes
    ----------
    base : Monitored
        Lines with a rating, with nothing out.
    pairs : Contingencies or None
        Lines and outages that are to be survived; None without security.
    """

    base: Monitored
    pairs: Contingencies | None = None

    @staticmethod
    def of(problem: Problem, pairs: Contingencies | None = None) -> Watch:
        """Watch every line of a grid that has a rating, and pairs where security asks for it."""
        rated = np.flatnonzero(np.isfinite(problem.rate_mw)).astype(np.int64)
        return Watch(Monitored.base(problem, rated), pairs)

    def rows(self, numbers: IntArray) -> Monitored:
        """Return limits by their numbers."""
        n_base = len(self.base)
        base = self.base.at(numbers[numbers < n_base])
        if self.pairs is None:
            return base
        pair, c = numbers[numbers >= n_base] - n_base, self.pairs
        line = c.monitored(pair)
        after = Monitored(line, c.outage[pair].astype(np.int64), c.factor[pair], c.limit_mw[line])
        return base.followed_by(after)

    def near(self, flow_mw: FloatArray, margin_mw: float) -> IntArray:
        """Return the limits that the flows of one step come within a margin of, or pass, sorted.

        Parameters
        ----------
        flow_mw : ndarray (line)
            Flows with nothing out. [MW]
        margin_mw : float
            How close counts; negative: how far beyond. [MW]
        """
        over = np.abs(flow_mw[self.base.line]) > self.base.limit_mw - margin_mw
        base = np.flatnonzero(over)
        if self.pairs is None:
            return base
        pairs = violated_pairs(flow_mw, self.pairs, -margin_mw)
        return np.concatenate([base, len(self.base) + pairs])

    def broken(self, flow_mw: FloatArray, margin_mw: float, kept: IntArray) -> BoolArray:
        """Steps in which a flow comes within a margin of a limit that is not among the kept ones, (step).

        Parameters
        ----------
        flow_mw : ndarray (step, line)
            Flows with nothing out. [MW]
        margin_mw : float
            As in `near`. [MW]
        kept : ndarray of int
            Limits that a step may lie at.
        """
        limit = self.base.limit_mw.copy()
        limit[kept[kept < len(limit)]] = np.inf
        result = any_near(np.ascontiguousarray(flow_mw), self.base.line, limit, margin_mw)
        if self.pairs is not None:
            known = kept - len(limit)
            for t in np.flatnonzero(~result):
                found = violated_pairs(flow_mw[t], self.pairs, -margin_mw)
                result[t] = len(found) > 0 and not np.isin(found, known).all()
        return result


def post_flow(flow_mw: FloatArray, rows: Monitored) -> FloatArray:
    """Flow of each row in one step: on the line, with what moves to it when the other is out. [MW]"""
    result: FloatArray = flow_mw[rows.line] + rows.factor * flow_mw[np.maximum(rows.outage, 0)]
    return result


@compiled
def any_near(flow: FloatArray, line: IntArray, limit: FloatArray, margin: float) -> BoolArray:
    """Steps in which any flow comes within a margin of its limit, (step)."""
    result = np.zeros(len(flow), np.bool_)
    for t in range(len(flow)):
        for i in range(len(line)):
            if abs(flow[t, line[i]]) > limit[i] - margin:
                result[t] = True
                break
    return result
