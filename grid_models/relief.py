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
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from grid_models.sharing import share_steps
from grid_models.solving import Model
from weather import SolverError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid_models._arrays import FloatArray, IntArray
    from grid_models.engine import DispatchEngine
    from grid_models.lp import Inputs, Problem
    from grid_models.solving import Solved

_GAIN_TOLERANCE_MW = 1e-7
_LEAST_PRICE = 1e-6
_ALLOWANCE_MW = 1e-6


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


@dataclass(frozen=True)
class Slack:
    """What a dispatch without flexible load could not balance, and what it was short of. [MW]

    Attributes
    ----------
    shed_p_mw, dump_p_mw : ndarray (step, bus)
        Load not served; must-take power not taken.
    reserve_short_mw : ndarray (step, 2)
        Reserve missing, up and down.
    """

    shed_p_mw: FloatArray
    dump_p_mw: FloatArray
    reserve_short_mw: FloatArray

    @staticmethod
    def none(n_step: int, n_bus: int) -> Slack:
        """Nothing in any step."""
        return Slack(np.zeros((n_step, n_bus)), np.zeros((n_step, n_bus)), np.zeros((n_step, 2)))

    def at(self, steps: slice | IntArray) -> Slack:
        """Return some of the steps."""
        return Slack(self.shed_p_mw[steps], self.dump_p_mw[steps], self.reserve_short_mw[steps])

    @cached_property
    def columns(self) -> FloatArray:
        """All of it as columns of the rescue model, (step, column).

        With `_ALLOWANCE_MW` more wherever there is any: a dispatch keeps line limits to within rounding only.
        """
        parts = np.concatenate([self.shed_p_mw, self.dump_p_mw, self.reserve_short_mw], axis=1)
        return np.where(parts > 0.0, parts + _ALLOWANCE_MW, 0.0)

    @cached_property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.columns.any())


class ReliefModel:
    """The joint problem of a grid and a list of sites, kept for many steps.

    Parameters
    ----------
    engine : DispatchEngine
        Gives the grid's arrays, its limits and stored rows.
    site_bus : sequence of int
        Bus position of each site.
    """

    def __init__(self, engine: DispatchEngine, site_bus: Sequence[int] | IntArray) -> None:
        # Sites stand in the order of their buses' names, so that no answer depends on the caller's order.
        position = np.asarray(site_bus, dtype=np.int64)
        names = engine.grid.buses.index.to_numpy(dtype=str)[position]
        self._order = np.argsort(names, kind="stable")
        self._problem = engine.problem.with_sites(position[self._order])
        self._engine = engine
        self._models: dict[bool, Model] = {}

    def absorbable(
        self, inputs: Inputs, site_max_p_mw: FloatArray, theta: float, slack: Slack | None = None
    ) -> FloatArray:
        """Load at each site that maximises relief less theta times load, ties pro rata to capacity.

        Parameters
        ----------
        inputs : Inputs
            Steps without the load of sites.
        site_max_p_mw : ndarray (step, site)
            What each site can draw. [MW]
        theta : float
            Relief a MW of load must bring to be welcome. [1]
        slack : Slack, optional
            What the dispatch without sites sheds and dumps.

        Returns
        -------
        ndarray (step, site)
            Absorbable power. [MW]
        """
        slack = Slack.none(len(inputs), self._problem.n_bus) if slack is None else slack
        result = np.empty_like(site_max_p_mw)
        needs = slack.columns.any(axis=1)
        for rescue in (False, True):
            steps = np.flatnonzero(needs == rescue)
            if len(steps):
                upper = site_max_p_mw[np.ix_(steps, self._order)]
                part = self._absorbable(inputs.at(steps), upper, theta, slack.at(steps), rescue=rescue)
                result[np.ix_(steps, self._order)] = part
        return result

    def _absorbable(
        self, inputs: Inputs, site_max: FloatArray, theta: float, slack: Slack, *, rescue: bool
    ) -> FloatArray:
        p = self._problem
        model = self._model(rescue).priced(_stages(p, rescue, theta))
        solved = _answered(model, inputs, site_max, slack)
        flow = model.flow(solved.columns, p.withdrawal(inputs))
        per_mw = np.ascontiguousarray(-p.ptdf[:, p.site_bus])
        chosen = np.ascontiguousarray(solved.columns[:, p.sites_at])
        return share_steps(chosen, np.ascontiguousarray(site_max), per_mw, flow, self._engine.watch)

    def relief_curve(
        self,
        inputs: Inputs,
        site_max_p_mw: FloatArray,
        curtailed_mw: float,
        slack: Slack | None = None,
    ) -> ReliefCurve:
        """All corner points of relief against total load, for one step.

        Each solve at the slope between two known points either proves their chord to be part of the curve or
        finds a new corner (Eisner and Severance, J. ACM 23(4), 1976).

        Parameters
        ----------
        inputs : Inputs
            One step without the load of sites.
        site_max_p_mw : ndarray (site)
            What each site can draw. [MW]
        curtailed_mw : float
            Least curtailment without the sites, the origin of relief. [MW]
        slack : Slack, optional
            As in `absorbable`.
        """
        if curtailed_mw <= 0.0 or not site_max_p_mw.any():
            return ReliefCurve(np.zeros(1), np.zeros(1))
        slack = Slack.none(1, self._problem.n_bus) if slack is None else slack
        step = _Step(self._model(slack.any), inputs, site_max_p_mw[None, self._order], slack)
        corners = [(0.0, max(curtailed_mw - step.curtailed_without_sites(), 0.0))]
        last = step.corner(_LEAST_PRICE, curtailed_mw)
        if last[0] > _GAIN_TOLERANCE_MW:
            corners += [*_between(step, corners[0], last, curtailed_mw), last]
        load, relief = np.array(corners).T
        return ReliefCurve(load, np.maximum.accumulate(relief))

    def _model(self, rescue: bool) -> Model:
        if rescue not in self._models:
            p, engine = self._problem, self._engine
            n_column = p.n_rescue if rescue else p.n_column
            self._models[rescue] = Model(
                p,
                _stages(p, rescue, 0.5),
                np.zeros((0, n_column)),
                engine.stored,
                engine.watch,
                engine.limits,
                derivatives=False,
            )
        return self._models[rescue]


def _answered(model: Model, inputs: Inputs, site_max: FloatArray, slack: Slack) -> Solved:
    extra = np.concatenate([site_max, slack.columns], axis=1) if model.is_rescue else site_max
    solved = model.solve(inputs, extra)
    if not solved.feasible.all():
        raise SolverError(
            f"grid {model.problem.grid.name}: no dispatch within the shedding and dumping of the baseline"
        )
    return solved


class _Step:
    """One step's bounds in the joint model, solved at any price of load."""

    def __init__(self, model: Model, inputs: Inputs, site_max: FloatArray, slack: Slack) -> None:
        self._model, self._inputs, self._site_max, self._slack = model, inputs, site_max, slack

    def curtailed_without_sites(self) -> float:
        closed = np.zeros_like(self._site_max)
        return _Step(self._model, self._inputs, closed, self._slack).curtailed(0.0)[1]

    def curtailed(self, price: float) -> tuple[float, float]:
        """Total site load and curtailment at a price of load. [MW]"""
        p = self._model.problem
        model = self._model.priced(_stages(p, self._model.is_rescue, price))
        x = _answered(model, self._inputs, self._site_max, self._slack).columns[0]
        available = self._inputs.available_p_mw[0, p.free_unit]
        unused = (available - x[p.units_at]) * p.counted
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


def _stages(problem: Problem, rescue: bool, price: float) -> FloatArray:
    """Curtailed power plus price times site load; then ranks, which make the optimum unique."""
    p = problem
    stages = np.zeros((2, p.n_rescue if rescue else p.n_column))
    stages[0, p.units_at] = -p.counted
    stages[0, p.sites_at] = price
    stages[1, : p.n_segment] = p.segment_rank
    stages[1, p.units_at] = p.unit_rank
    stages[1, p.links_at] = np.tile(p.link_rank, 2)
    stages[1, p.sites_at] = 1.0 + np.arange(len(p.site_bus))
    if rescue:
        stages[1, p.n_column :] = p.segment_rank.max(initial=0.0) + 1.0 + np.arange(p.n_rescue - p.n_column)
    return stages
