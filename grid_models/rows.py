"""Rows of the dispatch problem: the balance, limits of the system, lines, and lines after an outage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models.lp import products

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray, IntArray
    from grid_models.limits import Limits
    from grid_models.lp import Inputs, Problem

NO_OUTAGE = -1


@dataclass(frozen=True)
class Monitored:
    """Lines to be kept within a rating, in the base case or after the outage of another line.

    Attributes
    ----------
    line, outage : ndarray of int
        The line, and the one that is out (`NO_OUTAGE` for the base case).
    factor : ndarray
        Share of the outaged line's flow that moves to the line (LODF); 0 in the base case. [1]
    limit_mw : ndarray
        Rating that holds then. [MW]
    """

    line: IntArray
    outage: IntArray
    factor: FloatArray
    limit_mw: FloatArray

    @staticmethod
    def base(problem: Problem, lines: IntArray) -> Monitored:
        """Lines against their continuous rating with nothing out."""
        lines = np.asarray(lines, dtype=np.int64)
        return Monitored(lines, np.full(len(lines), NO_OUTAGE), np.zeros(len(lines)), problem.rate_mw[lines])

    def __len__(self) -> int:
        """Count rows."""
        return len(self.line)

    def at(self, rows: IntArray) -> Monitored:
        """Return some of the rows."""
        return Monitored(self.line[rows], self.outage[rows], self.factor[rows], self.limit_mw[rows])

    def followed_by(self, other: Monitored) -> Monitored:
        """Both, one after the other."""
        names = ("line", "outage", "factor", "limit_mw")
        return Monitored(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def by_bus(self, problem: Problem) -> FloatArray:
        """Flow on each line per MW injected at each bus, (row, bus). [1]"""
        outage = np.maximum(self.outage, 0)
        result: FloatArray = problem.ptdf[self.line] + self.factor[:, None] * problem.ptdf[outage]
        return result

    def offset_mw(self, problem: Problem) -> FloatArray:
        """Flow that phase shifters drive. [MW]"""
        offset = problem.flow_offset_mw
        result: FloatArray = offset[self.line] + self.factor * offset[np.maximum(self.outage, 0)]
        return result


def nonsynchronous_room(problem: Problem, share: float, inputs: Inputs) -> FloatArray:
    """What dispatchable wind and PV may give within their share of the load, (step). [MW]

    Below 0 where rooftop PV, which can't be turned down, is more than the share already.
    """
    rooftop = np.ascontiguousarray(inputs.available_p_mw[:, problem.fixed_unit])
    fixed = products(problem.fixed_nonsynchronous[None], rooftop)[:, 0]
    load = products(np.ones((1, problem.n_bus)), inputs.load_p_mw)[:, 0]
    room: FloatArray = share * load - fixed
    return room


def upper_within(problem: Problem, limits: Limits, inputs: Inputs) -> FloatArray:
    """Largest values of the columns of `Problem.upper`, (step, column); no wind and PV where they lack room.

    Where rooftop PV alone exceeds the share that all of it may have, what can be turned down is turned down.
    Where sites may draw, which makes room, it is left to the row of the share. [MW]
    """
    upper, share = problem.upper(inputs), limits.max_nonsynchronous_share
    if share is not None and not len(problem.site_bus):
        steps = np.flatnonzero(nonsynchronous_room(problem, share, inputs) < 0.0)
        upper[steps, problem.units_at] *= 1.0 - problem.nonsynchronous
    return upper


class Rows:
    """All rows of a dispatch problem: their coefficients, and their limits in every step.

    Row 0 is the balance; limits of the system follow, then monitored lines from `first_line` on.

    Parameters
    ----------
    problem : Problem
        The grid's arrays.
    monitored : Monitored
        Lines.
    limits : Limits
        Limits of the system.
    n_column : int
        Columns of the model: `Problem.n_column`, or `Problem.n_rescue`.
    """

    def __init__(self, problem: Problem, monitored: Monitored, limits: Limits, n_column: int) -> None:
        self.problem, self.monitored, self.limits, self.n_column = problem, monitored, limits, n_column
        self._by_bus = np.ascontiguousarray(monitored.by_bus(problem))
        self._offset = monitored.offset_mw(problem)
        system = self._system_rows()
        self.first_line = 1 + len(system)
        balance = problem.balance_row(n_column)[None]
        lines = problem.columns_of(self._by_bus, n_column)
        self.coefficients: FloatArray = np.concatenate([balance, system, lines])

    def _system_rows(self) -> FloatArray:
        p, rows = self.problem, []
        if self.limits.max_nonsynchronous_share is not None:
            row = np.zeros(self.n_column)
            row[p.units_at] = p.nonsynchronous
            # What sites draw is load: it makes room for more.
            row[p.sites_at] = -self.limits.max_nonsynchronous_share
            rows.append(row)
        if self.limits.has_reserves:
            for shortage, sign in ((-2, -1.0), (-1, 1.0)):
                row = np.zeros(self.n_column)
                row[: p.n_segment] = 1.0
                if self.n_column > p.n_column:
                    row[shortage] = sign
                rows.append(row)
        return np.array(rows).reshape(-1, self.n_column)

    @property
    def directions(self) -> FloatArray:
        """Change of the limits of each row per MW more load at each bus, (row, bus)."""
        result = np.zeros((self.first_line + len(self.monitored), self.problem.n_bus))
        result[0] = 1.0
        if self.limits.max_nonsynchronous_share is not None:
            result[1] = self.limits.max_nonsynchronous_share
        result[self.first_line :] = self._by_bus
        return result

    def bounds(
        self, inputs: Inputs, withdrawal: FloatArray, upper: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Limits of every row in every step, (step, row).

        Parameters
        ----------
        inputs : Inputs
            The steps.
        withdrawal : ndarray (step, bus)
            What is left to serve at each bus. [MW]
        upper : ndarray (step, column)
            Largest value of each column. [MW]
        """
        p, n_row = self.problem, self.first_line + len(self.monitored)
        low, high = np.empty((len(withdrawal), n_row)), np.empty((len(withdrawal), n_row))
        ones = np.ones((1, p.n_bus))
        low[:, 0] = high[:, 0] = products(ones, withdrawal)[:, 0]
        row = 1
        if self.limits.max_nonsynchronous_share is not None:
            room = nonsynchronous_room(p, self.limits.max_nonsynchronous_share, inputs)
            # Without room, columns have no upper limit but 0 (see `upper_within`), and the row nothing to
            # say: a little more load changes nothing. Where sites may draw, it stays as a relaxation.
            closed = np.maximum(room, 0.0) if len(p.site_bus) else np.inf
            low[:, row], high[:, row] = -np.inf, np.where(room >= 0.0, room, closed)
            row += 1
        if self.limits.has_reserves:
            room = products(np.ones((1, p.n_segment)), np.ascontiguousarray(upper[:, : p.n_segment]))[:, 0]
            low[:, row], high[:, row] = -np.inf, room - self.limits.reserve_up_mw
            low[:, row + 1], high[:, row + 1] = self.limits.reserve_down_mw, np.inf
        centre = products(self._by_bus, withdrawal) - self._offset
        low[:, self.first_line :] = centre - self.monitored.limit_mw
        high[:, self.first_line :] = centre + self.monitored.limit_mw
        return low, high
