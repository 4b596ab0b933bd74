"""Small linear programmes with many right-hand sides: a dual simplex method with lexicographic costs.

The dispatch of a year is thousands of programmes that differ in their bounds and right-hand sides only::

    lexicographically minimise  (c₁x, c₂x, …)   subject to   0 <= x <= u,   low <= A x <= high

Three things make them small. Every column has two finite bounds, so any basis can be made dual feasible by
putting columns at the bound their reduced cost asks for: no first phase is needed, and the merit order of the
balance row gives a start that is nearly optimal. Few rows bind, so the basis is kept as the square matrix of
*binding* rows and as many basic columns (two to ten in practice, whatever the number of rows) with its
explicit inverse. And the ratio test passes whole columns from one bound to the other while that still repairs
the row it works on (the bound-flipping or long-step rule [1]_).

Costs come in stages, compared lexicographically in the ratio test: the second stage decides only among what
is equal in the first. A stage is never a weight, and a last stage of distinct ranks makes the optimum unique
where costs are equal. Primal degeneracy has its place in the derivatives: `_directions` continues with the
same method for an infinitely small change of load, which gives the exact one-sided derivative.

Every step starts from its own merit order and depends on nothing but its own numbers. Sums are taken in a
fixed order. So a step's answer is the same to the bit whatever is solved before, after or beside it.

References
----------
.. [1] I. Maros, A generalized dual phase-2 simplex algorithm, European Journal of Operational Research 149
   (2003) 1-16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from grid_models._compiled import compiled

if TYPE_CHECKING:
    from grid_models._arrays import BoolArray, FloatArray, IntArray

FEASIBILITY_MW = 1e-8
"""Bounds and rows may be left by this much. [MW]"""
TIGHT_MW = 1e-6
"""What lies closer than this to a limit lies at the limit, as far as derivatives go. [MW]"""
OPTIMAL, INFEASIBLE, STALLED = 0, 1, 2
"""States in which a solve may end."""

_PIVOT = 1e-8
_TIE = 1e-9
_DIRECTION = 1e-9
_REFACTOR = 24


class Programme(NamedTuple):
    """What does not change between steps.

    Attributes
    ----------
    costs : ndarray (stage, column)
        Objectives, the first one decides.
    rows, by_column : ndarray (row, column), (column, row)
        Coefficients and their transpose, both contiguous.
    merit : ndarray of int (column)
        Columns of row 0 in the order in which they enter it (see `merit_order`).
    has_balance : bool
        Whether row 0 is an equality to start from.
    """

    costs: FloatArray
    rows: FloatArray
    by_column: FloatArray
    merit: IntArray
    has_balance: bool


class _Work(NamedTuple):
    """State of one solve: the basis, its inverse, and what follows from them."""

    size: IntArray  # [0]: number of basic columns, which is that of binding rows; [1]: pivots made
    basic: IntArray  # basic column at each position
    active: IntArray  # binding row at each position
    side: BoolArray  # whether it binds at its upper limit
    inverse: FloatArray  # (basic, binding)
    place: IntArray  # of each column in `basic`, -1 if nonbasic
    row_place: IntArray  # of each row in `active`, -1 if it does not bind
    at_upper: BoolArray  # bound a nonbasic column lies at
    x: FloatArray
    activity: FloatArray
    dual: FloatArray  # (stage, binding)
    row: FloatArray  # (column) of the tableau, and next (binding)
    across: FloatArray
    ratio: FloatArray  # (stage, candidate)
    candidate: IntArray


def programme(costs: FloatArray, rows: FloatArray, *, has_balance: bool) -> Programme:
    """Prepare the constant part of a programme.

    Parameters
    ----------
    costs : ndarray (stage, column)
        Objectives in their order.
    rows : ndarray (row, column)
        Coefficients. With `has_balance`, row 0 is an equality in every step.
    """
    costs = np.ascontiguousarray(np.atleast_2d(costs), dtype=float)
    rows = np.ascontiguousarray(rows, dtype=float)
    merit = merit_order(costs, rows[0]) if has_balance else np.zeros(0, dtype=np.int64)
    return Programme(costs, rows, np.ascontiguousarray(rows.T), merit, has_balance)


def merit_order(costs: FloatArray, balance: FloatArray) -> IntArray:
    """Columns of a balance row by their cost per unit of it, the first to be taken first.

    Columns that take from the balance (negative coefficients: flexible loads) stand where it becomes worth
    while to leave them out.
    """
    column = np.flatnonzero(balance)
    per_unit = costs[:, column] / balance[column]
    order: IntArray = column[np.lexsort((column, *per_unit[::-1]))].astype(np.int64)
    return order


@compiled
def _work(n_stage: int, n_row: int, n_column: int) -> _Work:
    size = min(n_row, n_column)
    return _Work(
        np.zeros(2, np.int64),
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.zeros(size, np.bool_),
        np.zeros((size, size)),
        np.zeros(n_column, np.int64),
        np.zeros(n_row, np.int64),
        np.zeros(n_column, np.bool_),
        np.zeros(n_column),
        np.zeros(n_row),
        np.zeros((n_stage, size)),
        np.zeros(n_column),
        np.zeros(size),
        np.zeros((n_stage, n_column + size)),
        np.zeros(n_column + size, np.int64),
    )


@compiled
def _begin(p: Programme, upper: FloatArray, total: float, w: _Work) -> int:
    """Put every column at the bound its cost asks for, and serve the balance by merit order."""
    n_stage, n_column = p.costs.shape
    w.size[0], w.size[1] = 0, 0
    for q in range(len(w.row_place)):
        w.row_place[q] = -1
    for j in range(n_column):
        w.place[j], w.at_upper[j] = -1, False
        if not p.has_balance or p.rows[0, j] == 0.0:
            for s in range(n_stage):
                if p.costs[s, j] != 0.0:
                    w.at_upper[j] = p.costs[s, j] < 0.0
                    break
        elif p.rows[0, j] < 0.0:
            w.at_upper[j] = True
    state = OPTIMAL
    if p.has_balance:
        state = _serve(p, upper, total, w)
    _place_nonbasic(p, upper, w)
    return state


@compiled
def _serve(p: Programme, upper: FloatArray, total: float, w: _Work) -> int:
    served = 0.0
    for j in p.merit:
        if w.at_upper[j]:
            served += p.rows[0, j] * upper[j]
    if total < served - FEASIBILITY_MW:
        return INFEASIBLE
    chosen, is_served = -1, False
    for j in p.merit:
        width = abs(p.rows[0, j]) * upper[j]
        if width > 0.0 or chosen < 0:
            chosen = j
        if width > 0.0 and served + width >= total:
            is_served = True
            break
        served += width
        w.at_upper[j] = p.rows[0, j] > 0.0
    if chosen < 0 or (not is_served and served < total - FEASIBILITY_MW):
        return INFEASIBLE
    w.size[0] = 1
    w.basic[0], w.place[chosen] = chosen, 0
    w.active[0], w.row_place[0] = 0, 0
    w.side[0] = False
    w.inverse[0, 0] = 1.0 / p.rows[0, chosen]
    return OPTIMAL


@compiled
def _place_nonbasic(p: Programme, upper: FloatArray, w: _Work) -> None:
    """Values of nonbasic columns, and all activities without the basic ones."""
    for q in range(len(w.activity)):
        w.activity[q] = 0.0
    for j in range(len(upper)):
        w.x[j] = 0.0
        if w.place[j] < 0 and w.at_upper[j] and upper[j] != 0.0:
            w.x[j] = upper[j]
            for q in range(len(w.activity)):
                w.activity[q] += p.by_column[j, q] * upper[j]


@compiled
def _place_basic(p: Programme, low: FloatArray, high: FloatArray, w: _Work) -> None:
    """Values of basic columns, so that binding rows lie at their limits; activities follow.

    Worked as a correction of what is there, which keeps rounding at that of the last change.
    """
    k = w.size[0]
    for i in range(k):
        q = w.active[i]
        w.across[i] = (high[q] if w.side[i] else low[q]) - w.activity[q]
    for r in range(k):
        change = 0.0
        for i in range(k):
            change += w.inverse[r, i] * w.across[i]
        if change != 0.0:
            j = w.basic[r]
            w.x[j] += change
            for q in range(len(w.activity)):
                w.activity[q] += p.by_column[j, q] * change


@compiled
def _leaving(upper: FloatArray, low: FloatArray, high: FloatArray, w: _Work) -> tuple[int, float]:
    """What is furthest outside its limits, and by how much (negative: it must rise).

    Positions of basic columns come first, rows are counted after them. (-1, 0) where all is within.
    """
    k = w.size[0]
    worst, found, amount = FEASIBILITY_MW, -1, 0.0
    for r in range(k):
        value = w.x[w.basic[r]]
        above = value - upper[w.basic[r]]
        if -value > worst:
            worst, found, amount = -value, r, value
        elif above > worst:
            worst, found, amount = above, r, above
    for q in range(len(low)):
        if w.row_place[q] >= 0:
            continue
        below, above = low[q] - w.activity[q], w.activity[q] - high[q]
        if below > worst:
            worst, found, amount = below, k + q, -below
        elif above > worst:
            worst, found, amount = above, k + q, above
    return found, amount


@compiled
def _tableau_row(p: Programme, leaving: int, w: _Work) -> None:
    """Change of the leaving quantity per unit of every nonbasic column and every binding limit."""
    k = w.size[0]
    if leaving < k:
        for i in range(k):
            w.across[i] = w.inverse[leaving, i]
        for j in range(len(w.row)):
            w.row[j] = 0.0
    else:
        q = leaving - k
        for i in range(k):
            value = 0.0
            for r in range(k):
                value += p.rows[q, w.basic[r]] * w.inverse[r, i]
            w.across[i] = value
        for j in range(len(w.row)):
            w.row[j] = p.rows[q, j]
    for i in range(k):
        factor, q = w.across[i], w.active[i]
        if factor != 0.0:
            for j in range(len(w.row)):
                w.row[j] -= factor * p.rows[q, j]


@compiled
def _set_duals(costs: FloatArray, w: _Work, dual: FloatArray) -> None:
    k = w.size[0]
    for s in range(len(costs)):
        for i in range(k):
            value = 0.0
            for r in range(k):
                value += costs[s, w.basic[r]] * w.inverse[r, i]
            dual[s, i] = value


@compiled
def _candidates(
    p: Programme, rising: bool, upper: FloatArray, low: FloatArray, high: FloatArray, w: _Work
) -> int:
    """Collect what could repair the leaving quantity, with its dual ratios; returns how many.

    Columns are named by themselves, binding limits by -1 - position. Fixed columns and equalities can't move.
    """
    k, n_stage, count = w.size[0], len(p.costs), 0
    for j in range(len(upper)):
        slope = w.row[j]
        if w.place[j] >= 0 or abs(slope) < _PIVOT or upper[j] <= 0.0:
            continue
        if ((slope > 0.0) == rising) == w.at_upper[j]:
            continue
        for s in range(n_stage):
            reduced = p.costs[s, j]
            for i in range(k):
                reduced -= w.dual[s, i] * p.rows[w.active[i], j]
            w.ratio[s, count] = (-reduced if w.at_upper[j] else reduced) / abs(slope)
        w.candidate[count] = j
        count += 1
    for i in range(k):
        slope, q = w.across[i], w.active[i]
        if abs(slope) < _PIVOT or high[q] <= low[q] or ((slope > 0.0) == rising) == w.side[i]:
            continue
        for s in range(n_stage):
            w.ratio[s, count] = (-w.dual[s, i] if w.side[i] else w.dual[s, i]) / abs(slope)
        w.candidate[count] = -1 - i
        count += 1
    return count


@compiled
def _least(count: int, w: _Work) -> int:
    """Candidate of the lexicographically least ratio; the largest slope among equals, then the first."""
    best, best_slope = -1, 0.0
    for c in range(count):
        name = w.candidate[c]
        slope = abs(w.row[name]) if name >= 0 else abs(w.across[-1 - name])
        if best < 0:
            best, best_slope = c, slope
            continue
        order = 0
        for s in range(len(w.ratio)):
            difference = w.ratio[s, c] - w.ratio[s, best]
            tolerance = _TIE * (1.0 + abs(w.ratio[s, best]))
            if difference < -tolerance:
                order = -1
                break
            if difference > tolerance:
                order = 1
                break
        if order < 0 or (order == 0 and slope > best_slope):
            best, best_slope = c, slope
    return best


@compiled
def _enter(
    p: Programme, count: int, outside: float, upper: FloatArray, low: FloatArray, high: FloatArray, w: _Work
) -> int:
    """Pass candidates from one bound to the other while that leaves the quantity outside; the next enters.

    Returns the index of the entering candidate, or -1 if all of them together do not suffice.
    """
    left = abs(outside)
    while count > 0:
        best = _least(count, w)
        name = w.candidate[best]
        if name >= 0:
            reach = abs(w.row[name]) * upper[name]
        else:
            q = w.active[-1 - name]
            reach = abs(w.across[-1 - name]) * (high[q] - low[q])
        if reach >= left:
            return best
        left -= reach
        if name >= 0:
            change = -upper[name] if w.at_upper[name] else upper[name]
            w.at_upper[name] = not w.at_upper[name]
            w.x[name] += change
            if not w.at_upper[name]:
                w.x[name] = 0.0
            for q in range(len(w.activity)):
                w.activity[q] += p.by_column[name, q] * change
        else:
            w.side[-1 - name] = not w.side[-1 - name]
        count -= 1
        w.candidate[best] = w.candidate[count]
        for s in range(len(w.ratio)):
            w.ratio[s, best] = w.ratio[s, count]
    return -1


@compiled
def _pivot(p: Programme, leaving: int, rising: bool, name: int, w: _Work) -> None:
    """Exchange the leaving quantity for the entering one, with the inverse of the basis."""
    k = w.size[0]
    w.size[1] += 1
    if leaving < k:
        out = w.basic[leaving]
        w.place[out] = -1
        w.at_upper[out] = not rising
        if name >= 0:
            _replace_column(p, leaving, name, w)
        else:
            _remove(leaving, -1 - name, w)
    elif name >= 0:
        _append(p, leaving - k, rising, name, w)
    else:
        _replace_row(-1 - name, leaving - k, rising, w)
    if w.size[1] % _REFACTOR == 0:
        _refactor(p, w)


@compiled
def _replace_column(p: Programme, r: int, j: int, w: _Work) -> None:
    k = w.size[0]
    for s in range(k):
        value = 0.0
        for i in range(k):
            value += w.inverse[s, i] * p.rows[w.active[i], j]
        w.ratio[0, s] = value
    for i in range(k):
        w.inverse[r, i] /= w.ratio[0, r]
    for s in range(k):
        if s != r:
            for i in range(k):
                w.inverse[s, i] -= w.ratio[0, s] * w.inverse[r, i]
    w.basic[r], w.place[j] = j, r


@compiled
def _replace_row(i: int, q: int, rising: bool, w: _Work) -> None:
    """Row q takes the place of the binding row at position i; `across` holds q in terms of the basis."""
    k = w.size[0]
    weight = w.across[i]
    for r in range(k):
        w.inverse[r, i] /= weight
        for s in range(k):
            if s != i:
                w.inverse[r, s] -= w.across[s] * w.inverse[r, i]
    w.row_place[w.active[i]] = -1
    w.active[i], w.row_place[q], w.side[i] = q, i, not rising


@compiled
def _append(p: Programme, q: int, rising: bool, j: int, w: _Work) -> None:
    """Row q binds and column j becomes basic: the inverse grows by one."""
    k = w.size[0]
    pivot = w.row[j]
    for r in range(k):
        value = 0.0
        for i in range(k):
            value += w.inverse[r, i] * p.rows[w.active[i], j]
        w.ratio[0, r] = value
    for i in range(k):
        w.inverse[k, i] = -w.across[i] / pivot
    w.inverse[k, k] = 1.0 / pivot
    for r in range(k):
        for i in range(k + 1):
            old = w.inverse[r, i] if i < k else 0.0
            w.inverse[r, i] = old - w.ratio[0, r] * w.inverse[k, i]
    w.basic[k], w.place[j] = j, k
    w.active[k], w.row_place[q], w.side[k] = q, k, not rising
    w.size[0] = k + 1


@compiled
def _remove(r: int, i: int, w: _Work) -> None:
    """Column at position r and row at position i leave the basis: the inverse shrinks by one."""
    k = w.size[0]
    pivot = w.inverse[r, i]
    for s in range(k):
        if s != r:
            weight = w.inverse[s, i] / pivot
            for t in range(k):
                if t != i:
                    w.inverse[s, t] -= weight * w.inverse[r, t]
    last = k - 1
    w.row_place[w.active[i]] = -1
    if r != last:
        for t in range(k):
            w.inverse[r, t] = w.inverse[last, t]
        w.basic[r] = w.basic[last]
        w.place[w.basic[r]] = r
    if i != last:
        for s in range(k):
            w.inverse[s, i] = w.inverse[s, last]
        w.active[i], w.side[i] = w.active[last], w.side[last]
        w.row_place[w.active[i]] = i
    w.size[0] = last


@compiled
def _refactor(p: Programme, w: _Work) -> None:
    """Invert the basis anew by elimination with partial pivoting, against the drift of updates."""
    k = w.size[0]
    matrix = np.empty((k, 2 * k))
    for i in range(k):
        for r in range(k):
            matrix[i, r] = p.rows[w.active[i], w.basic[r]]
            matrix[i, k + r] = 1.0 if i == r else 0.0
    for c in range(k):
        best = c
        for i in range(c + 1, k):
            if abs(matrix[i, c]) > abs(matrix[best, c]):
                best = i
        if best != c:
            for t in range(2 * k):
                matrix[c, t], matrix[best, t] = matrix[best, t], matrix[c, t]
        pivot = matrix[c, c]
        for t in range(c, 2 * k):
            matrix[c, t] /= pivot
        for i in range(k):
            factor = matrix[i, c]
            if i != c and factor != 0.0:
                for t in range(c, 2 * k):
                    matrix[i, t] -= factor * matrix[c, t]
    for r in range(k):
        for i in range(k):
            w.inverse[r, i] = matrix[r, k + i]


@compiled
def _solve(p: Programme, upper: FloatArray, low: FloatArray, high: FloatArray, w: _Work) -> int:
    """Solve one step; the answer is in `w`."""
    if _begin(p, upper, low[0] if p.has_balance else 0.0, w) != OPTIMAL:
        return INFEASIBLE
    _place_basic(p, low, high, w)
    limit = 500 + 20 * (len(low) + len(upper))
    while w.size[1] < limit:
        leaving, outside = _leaving(upper, low, high, w)
        if leaving < 0:
            if not _settle(p, upper, low, high, w):
                continue
            return OPTIMAL
        rising = outside < 0.0
        _tableau_row(p, leaving, w)
        _set_duals(p.costs, w, w.dual)
        count = _candidates(p, rising, upper, low, high, w)
        entering = _enter(p, count, outside, upper, low, high, w)
        if entering < 0:
            return INFEASIBLE
        k, name = w.size[0], w.candidate[entering]
        out = w.basic[leaving] if leaving < k else -1
        _pivot(p, leaving, rising, name, w)
        if out >= 0:
            _move_to_bound(p, out, upper, w)
        _place_basic(p, low, high, w)
    return STALLED


@compiled
def _move_to_bound(p: Programme, j: int, upper: FloatArray, w: _Work) -> None:
    target = upper[j] if w.at_upper[j] else 0.0
    change = target - w.x[j]
    w.x[j] = target
    for q in range(len(w.activity)):
        w.activity[q] += p.by_column[j, q] * change


@compiled
def _settle(p: Programme, upper: FloatArray, low: FloatArray, high: FloatArray, w: _Work) -> bool:
    """Compute the answer from the basis alone; true if it is within all limits."""
    _refactor(p, w)
    _place_nonbasic(p, upper, w)
    _place_basic(p, low, high, w)
    _place_basic(p, low, high, w)
    leaving, _ = _leaving(upper, low, high, w)
    return leaving < 0


class Answers(NamedTuple):
    """Answers of many steps.

    Attributes
    ----------
    state : ndarray of int (step)
        `OPTIMAL`, `INFEASIBLE` or `STALLED`; the other arrays are meaningless where it is not optimal.
    x : ndarray (step, column)
        Optimal columns.
    duals : ndarray (step, functional, row)
        Change of each functional per unit on the limit a row binds at; zero for rows that don't.
    binds : ndarray of int (step, row)
        +1 where a row binds at its upper limit, -1 at its lower one, 0 where it does not bind.
    moved : ndarray (step, functional, direction)
        Exact one-sided derivative of each functional along each direction.
    known : ndarray of bool (step, direction)
        False where a step has no answer along a direction at all: it would become infeasible.
    """

    state: IntArray
    x: FloatArray
    duals: FloatArray
    binds: IntArray
    moved: FloatArray
    known: BoolArray


class _Tight(NamedTuple):
    """What lies at a limit, binding or not."""

    column_low: BoolArray
    column_high: BoolArray
    row_low: BoolArray
    row_high: BoolArray


@compiled
def _tight(upper: FloatArray, low: FloatArray, high: FloatArray, w: _Work, tight: _Tight) -> bool:
    """Mark what lies at a limit; true if anything does that the basis does not hold there."""
    degenerate = False
    for j in range(len(upper)):
        tight.column_low[j] = w.x[j] < TIGHT_MW
        tight.column_high[j] = w.x[j] > upper[j] - TIGHT_MW
        if w.place[j] >= 0 and (tight.column_low[j] or tight.column_high[j]):
            degenerate = True
    for q in range(len(low)):
        tight.row_low[q] = w.activity[q] < low[q] + TIGHT_MW
        tight.row_high[q] = w.activity[q] > high[q] - TIGHT_MW
        if w.row_place[q] < 0 and (tight.row_low[q] or tight.row_high[q]):
            degenerate = True
    return degenerate


@compiled
def _copy(source: _Work, target: _Work) -> None:
    """Copy a basis."""
    k = source.size[0]
    target.size[0], target.size[1] = k, source.size[1]
    for i in range(k):
        target.basic[i], target.active[i], target.side[i] = source.basic[i], source.active[i], source.side[i]
        for r in range(k):
            target.inverse[r, i] = source.inverse[r, i]
    for j in range(len(source.place)):
        target.place[j], target.at_upper[j] = source.place[j], source.at_upper[j]
    for q in range(len(source.row_place)):
        target.row_place[q] = source.row_place[q]


@compiled
def _drifting(
    p: Programme, direction: FloatArray, limit: FloatArray, tight: _Tight, w: _Work
) -> tuple[int, bool]:
    """Which quantity at a limit would leave it along a direction (-1: none), and whether it must rise.

    `direction` is the change of the right-hand side of each row, `limit` that of the upper bound of columns.
    """
    k = w.size[0]
    found, rising, worst = -1, False, _DIRECTION
    for r in range(k):
        change = 0.0
        for i in range(k):
            change += w.inverse[r, i] * direction[w.active[i]]
        j = w.basic[r]
        w.ratio[0, r] = change
        if tight.column_low[j] and -change > worst:
            found, rising, worst = r, True, -change
        elif tight.column_high[j] and change - limit[j] > worst:
            found, rising, worst = r, False, change - limit[j]
    for q in range(len(direction)):
        if w.row_place[q] >= 0 or not (tight.row_low[q] or tight.row_high[q]):
            continue
        change = -direction[q]
        for r in range(k):
            change += p.rows[q, w.basic[r]] * w.ratio[0, r]
        if tight.row_low[q] and -change > worst:
            found, rising, worst = k + q, True, -change
        elif tight.row_high[q] and change > worst:
            found, rising, worst = k + q, False, change
    return found, rising


@compiled
def _follow(
    p: Programme,
    direction: FloatArray,
    limit: FloatArray,
    movable: FloatArray,
    low: FloatArray,
    high: FloatArray,
    tight: _Tight,
    w: _Work,
) -> bool:
    """Go on from an optimal basis for a step of no size along a direction; false if there is no way."""
    last = w.size[1] + 500
    while w.size[1] < last:
        leaving, rising = _drifting(p, direction, limit, tight, w)
        if leaving < 0:
            return True
        _tableau_row(p, leaving, w)
        _set_duals(p.costs, w, w.dual)
        count = _candidates(p, rising, movable, low, high, w)
        if count == 0:
            return False
        name = w.candidate[_least(count, w)]
        _pivot(p, leaving, rising, name, w)
    return False


@compiled
def _derive(duals: FloatArray, directions: FloatArray, w: _Work, b: int, result: FloatArray) -> None:
    for f in range(len(duals)):
        value = 0.0
        for i in range(w.size[0]):
            value += duals[f, i] * directions[w.active[i], b]
        result[f, b] = value


@compiled
def _directions(
    p: Programme,
    functionals: FloatArray,
    directions: FloatArray,
    shed_at: int,
    upper: FloatArray,
    low: FloatArray,
    high: FloatArray,
    w: _Work,
    other: _Work,
    tight: _Tight,
    duals: FloatArray,
    moved: FloatArray,
    known: BoolArray,
) -> None:
    """Derivatives of one solved step along every direction, for a step forward."""
    n_direction = directions.shape[1]
    degenerate = _tight(upper, low, high, w, tight)
    limit, movable, direction = np.zeros(len(upper)), np.zeros(len(upper)), np.zeros(len(low))
    for j in range(len(upper)):
        if not (tight.column_low[j] and tight.column_high[j]):
            movable[j] = upper[j]
    for b in range(n_direction):
        known[b] = True
        _derive(duals, directions, w, b, moved)
        own = shed_at + b
        if shed_at >= 0 and w.place[own] < 0 and tight.column_high[own]:
            # All load here is shed, so more of it would be too; with no load at all that can't be said.
            for f in range(len(functionals)):
                moved[f, b] = 0.0
            known[b] = upper[own] > TIGHT_MW
            continue
        if not degenerate:
            continue
        if shed_at >= 0:
            limit[own] = 1.0
        for q in range(len(low)):
            direction[q] = directions[q, b]
        if _drifting(p, direction, limit, tight, w)[0] >= 0:
            _copy(w, other)
            known[b] = _follow(p, direction, limit, movable, low, high, tight, other)
            _set_duals(functionals, other, duals)
            _derive(duals, directions, other, b, moved)
            _set_duals(functionals, w, duals)
        if shed_at >= 0:
            limit[own] = 0.0


@compiled
def solve_steps(
    p: Programme,
    upper: FloatArray,
    low: FloatArray,
    high: FloatArray,
    functionals: FloatArray,
    directions: FloatArray,
    shed_at: int,
) -> Answers:
    """Solve many steps of a programme, each by itself.

    Parameters
    ----------
    p : Programme
        See `programme`.
    upper : ndarray (step, column)
        Largest value of each column, >= 0 and finite.
    low, high : ndarray (step, row)
        Limits of each row; equal for equalities, infinite for none.
    functionals : ndarray (functional, column)
        Linear functions of the columns whose derivatives are wanted; may be empty.
    directions : ndarray (row, direction)
        Changes of the limits of all rows along which they are wanted; may be empty.
    shed_at : int
        First of the columns whose upper bound moves with the direction of the same number (load that may be
        shed); -1 if there are none.
    """
    n_step, n_column = upper.shape
    n_row, n_functional = low.shape[1], len(functionals)
    n_direction = directions.shape[1]
    w = _work(len(p.costs), n_row, n_column)
    other = _work(len(p.costs), n_row, n_column)
    tight = _Tight(
        np.zeros(n_column, np.bool_),
        np.zeros(n_column, np.bool_),
        np.zeros(n_row, np.bool_),
        np.zeros(n_row, np.bool_),
    )
    state = np.zeros(n_step, np.int64)
    x = np.zeros((n_step, n_column))
    duals = np.zeros((n_step, n_functional, n_row))
    binds = np.zeros((n_step, n_row), np.int64)
    moved = np.zeros((n_step, n_functional, n_direction))
    known = np.zeros((n_step, n_direction), np.bool_)
    own = np.zeros((n_functional, min(n_row, n_column)))
    for t in range(n_step):
        state[t] = _solve(p, upper[t], low[t], high[t], w)
        if state[t] != OPTIMAL:
            continue
        for j in range(n_column):
            x[t, j] = min(max(w.x[j], 0.0), upper[t, j])
        _set_duals(functionals, w, own)
        for i in range(w.size[0]):
            q = w.active[i]
            binds[t, q] = 1 if w.side[i] else -1
            for f in range(n_functional):
                duals[t, f, q] = own[f, i]
        if n_direction:
            _directions(
                p,
                functionals,
                directions,
                shed_at,
                upper[t],
                low[t],
                high[t],
                w,
                other,
                tight,
                own,
                moved[t],
                known[t],
            )
    return Answers(state, x, duals, binds, moved, known)
