"""Which line limits a flow breaks: in the base case, and after the outage of any one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models._compiled import compiled
from grid_models.rows import Monitored

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray
    from grid_models.lp import Problem


@dataclass(frozen=True)
class Watch:
    """Limits of lines to be kept, checked lazily: few of them ever bind.

    Attributes
    ----------
    rows : Monitored
        Lines with a rating, and lines with outages that are to be survived.
    """

    rows: Monitored

    @staticmethod
    def of(problem: Problem, pairs: Monitored | None = None) -> Watch:
        """Watch every line of a grid that has a rating, and pairs where security asks for it."""
        rated = np.flatnonzero(np.isfinite(problem.rate_mw)).astype(np.int64)
        base = Monitored.base(problem, rated)
        return Watch(base if pairs is None else base.joined(pairs))

    def without(self, rows: Monitored) -> Watch:
        """Return the same without some rows."""
        return Watch(self.rows.without(rows))

    def broken(self, flow_mw: FloatArray, margin_mw: float) -> BoolArray:
        """Steps in which any flow comes within a margin of a limit or passes it, (step).

        Parameters
        ----------
        flow_mw : ndarray (step, line)
            Flows with nothing out. [MW]
        margin_mw : float
            How close counts; negative: how far beyond. [MW]
        """
        r = self.rows
        flow = np.ascontiguousarray(flow_mw)
        return any_near(flow, r.line, np.maximum(r.outage, 0), r.factor, r.limit_mw, margin_mw)

    def near(self, flow_mw: FloatArray, margin_mw: float) -> IntArray:
        """Return which rows' limits the flows of one step come within a margin of, or pass."""
        over = np.abs(post_flow(flow_mw, self.rows)) > self.rows.limit_mw - margin_mw
        return np.flatnonzero(over)


def post_flow(flow_mw: FloatArray, rows: Monitored) -> FloatArray:
    """Flow of each row in one step: on the line, with what moves to it when the other is out. [MW]"""
    result: FloatArray = flow_mw[rows.line] + rows.factor * flow_mw[np.maximum(rows.outage, 0)]
    return result


@compiled
def any_near(
    flow: FloatArray, line: IntArray, outage: IntArray, factor: FloatArray, limit: FloatArray, margin: float
) -> BoolArray:
    result = np.zeros(len(flow), np.bool_)
    for t in range(len(flow)):
        for i in range(len(line)):
            if abs(flow[t, line[i]] + factor[i] * flow[t, outage[i]]) > limit[i] - margin:
                result[t] = True
                break
    return result
