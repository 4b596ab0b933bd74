"""How much curtailment flexible loads could relieve: the joint optimum over dispatch and load.

One model answers three questions of a step, all of them with the sites' own load taken out first:

- `absorbable`: the load at each site that maximises relief less theta times load;
- the same for each site alone;
- `relief_curve`: the greatest relief for every total load, a concave piecewise linear function. Added up over
  time it gives the perfect-foresight bound for any amount of energy (see `twin.policies.perfect_foresight`).

Only curtailment counts here, not cost. Shedding and dumping stay where the dispatch without flexible load had
them, so that a load cannot be "absorbed" by shedding others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models._highs import Model, Optimum
from grid_models.engine import reference_steps
from grid_models.lp import RANK_COST, flows
from grid_models.sharing import share_pro_rata
from weather import SolverError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.engine import DispatchEngine
    from grid_models.lp import Problem

_GAIN_TOLERANCE_MW = 1e-7
_LEAST_PRICE = 1e-6


@dataclass(frozen=True)
class ReliefCurve:
    """Greatest relief of curtailment against total flexible load in one step.

    Attributes
    ----------
    load_mw : ndarray (k)
        Total load at the corner points, rising from 0. [MW]
    relief_mw : ndarray (k)
        Less curtailment at these loads; concave, and flat beyond the last point. [MW]
    """

    load_mw: FloatArray
    relief_mw: FloatArray

    def relief_at(self, load_mw: float | FloatArray) -> FloatArray:
        """Relief at any total load. [MW]"""
        return np.asarray(np.interp(load_mw, self.load_mw, self.relief_mw), dtype=float)


class ReliefModel:
    """The joint problem of a grid and a list of sites, kept for many steps.

    Parameters
    ----------
    engine : DispatchEngine
        Gives the grid's arrays and stored line rows.
    site_bus : sequence of int
        Bus position of each site.
    """

    def __init__(self, engine: DispatchEngine, site_bus: Sequence[int] | IntArray) -> None:
        # Sites stand in the order of their buses' names, so that no answer depends on the caller's order.
        position = np.asarray(site_bus, dtype=np.int64)
        names = engine.grid.buses.index.to_numpy(dtype=str)[position]
        self._order = np.argsort(names, kind="stable")
        self._problem = engine.problem.with_sites(position[self._order])
        self._lines = engine.lines
        self._models: dict[bool, Model] = {}

    def absorbable(
        self,
        load_p_mw: FloatArray,
        available_p_mw: FloatArray,
        site_max_p_mw: FloatArray,
        theta: float,
        *,
        shed_p_mw: FloatArray | None = None,
        dump_p_mw: FloatArray | None = None,
    ) -> FloatArray:
        """Load at each site that maximises relief less theta times load, ties pro rata to capacity.

        Parameters
        ----------
        load_p_mw : ndarray (bus)
            Demand without the sites. [MW]
        available_p_mw : ndarray (unit)
            What the weather allows. [MW]
        site_max_p_mw : ndarray (site)
            What each site can draw. [MW]
        theta : float
            Relief a MW of load must bring to be welcome. [1]
        shed_p_mw, dump_p_mw : ndarray (bus), optional
            What the dispatch without sites sheds and dumps. [MW]

        Returns
        -------
        ndarray (site)
            Absorbable power. [MW]
        """
        step = self._step(load_p_mw, available_p_mw, site_max_p_mw, shed_p_mw, dump_p_mw)
        result = np.empty(len(self._order))
        result[self._order] = self._shared(step, step.solve(theta), site_max_p_mw[self._order])
        return result

    def relief_curve(
        self,
        load_p_mw: FloatArray,
        available_p_mw: FloatArray,
        site_max_p_mw: FloatArray,
        curtailed_mw: float,
        *,
        shed_p_mw: FloatArray | None = None,
        dump_p_mw: FloatArray | None = None,
    ) -> ReliefCurve:
        """All corner points of relief against total load.

        Each solve at the slope between two known points either proves their chord to be part of the curve or
        finds a new corner (Eisner and Severance, J. ACM 23(4), 1976).

        Parameters
        ----------
        curtailed_mw : float
            Least curtailment without the sites, the origin of relief. [MW]
        load_p_mw, available_p_mw, site_max_p_mw, shed_p_mw, dump_p_mw
            As in `absorbable`.
        """
        if curtailed_mw <= 0.0 or not site_max_p_mw.any():
            return ReliefCurve(np.zeros(1), np.zeros(1))
        step = self._step(load_p_mw, available_p_mw, site_max_p_mw, shed_p_mw, dump_p_mw)
        corners = [(0.0, max(curtailed_mw - step.curtailed_without_sites(), 0.0))]
        last = step.corner(_LEAST_PRICE, curtailed_mw)
        if last[0] > _GAIN_TOLERANCE_MW:
            corners += [*_between(step, corners[0], last, curtailed_mw), last]
        load, relief = np.array(corners).T
        return ReliefCurve(load, np.maximum.accumulate(relief))

    def _step(
        self,
        load: FloatArray,
        available: FloatArray,
        site_max: FloatArray,
        shed: FloatArray | None,
        dump: FloatArray | None,
    ) -> _Step:
        upper = np.concatenate([self._problem.upper(available), site_max[self._order]])
        slack = [s for s in (shed, dump) if s is not None and s.any()]
        if slack:
            none = np.zeros(self._problem.n_bus)
            upper = np.concatenate([upper, none if shed is None else shed, none if dump is None else dump])
        return _Step(self._model(bool(slack)), upper, load - self._problem.must_take(available))

    def _model(self, rescue: bool) -> Model:
        if rescue not in self._models:
            p = self._problem
            n = p.n_column + (2 * p.n_bus if rescue else 0)
            model = Model(p, self._lines, _relief_cost(p, n, 0.5))
            load, available = reference_steps(p)[0]
            upper = np.concatenate([p.upper(available), np.zeros(n - p.sites_at.start)])
            model.make_canonical(upper, load - p.must_take(available))
            self._models[rescue] = model
        return self._models[rescue]

    def _shared(self, step: _Step, optimum: Optimum, site_max: FloatArray) -> FloatArray:
        """Share the total among sites where lines allow it: everything else stays, so relief does too."""
        p = self._problem
        x = optimum.columns
        flow = flows(p.ptdf, p.injection(x) - step.withdrawal)
        return share_pro_rata(x[p.sites_at], site_max, -p.ptdf[:, p.site_bus], flow, p.rate_mw)


class _Step:
    """One step's bounds in the joint model, solved at any price of load."""

    def __init__(self, model: Model, upper: FloatArray, withdrawal: FloatArray) -> None:
        self._model, self._upper, self.withdrawal = model, upper, withdrawal

    def solve(self, price: float) -> Optimum:
        problem = self._model.problem
        optimum = self._model.solve_for(
            _relief_cost(problem, len(self._upper), price), self._upper, self.withdrawal
        )
        if optimum is None:
            raise SolverError(
                f"grid {problem.grid.name}: no dispatch within the shedding and dumping of the baseline step"
            )
        return optimum

    def curtailed_without_sites(self) -> float:
        closed = self._upper.copy()
        closed[self._model.problem.sites_at] = 0.0
        return _Step(self._model, closed, self.withdrawal).curtailed(0.0)[1]

    def curtailed(self, price: float) -> tuple[float, float]:
        """Total site load and curtailment at a price of load. [MW]"""
        p = self._model.problem
        x = self.solve(price).columns
        unused = (self._upper[p.units_at] - x[p.units_at]) * p.counted
        return float(x[p.sites_at].sum()), float(unused.sum())

    def corner(self, price: float, curtailed_mw: float) -> tuple[float, float]:
        load, left = self.curtailed(price)
        return load, curtailed_mw - left


def _between(
    step: _Step, low: tuple[float, float], high: tuple[float, float], curtailed_mw: float
) -> list[tuple[float, float]]:
    """Corners strictly between two points of the curve, in order of load."""
    if high[0] - low[0] < _GAIN_TOLERANCE_MW:
        return []
    slope = (high[1] - low[1]) / (high[0] - low[0])
    corner = step.corner(slope, curtailed_mw)
    gain = (corner[1] - slope * corner[0]) - (low[1] - slope * low[0])
    if gain <= _GAIN_TOLERANCE_MW or not low[0] < corner[0] < high[0]:
        return []
    left = _between(step, low, corner, curtailed_mw)
    return [*left, corner, *_between(step, corner, high, curtailed_mw)]


def _relief_cost(problem: Problem, n_column: int, price: float) -> FloatArray:
    """Curtailed power plus price times site load; links cost next to nothing so that none carries idly."""
    cost = np.zeros(n_column)
    cost[problem.units_at] = -problem.counted
    cost[problem.links_at] = RANK_COST
    cost[problem.sites_at] = price
    return cost
