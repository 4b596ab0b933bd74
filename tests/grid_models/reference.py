"""The dispatch of a step written a second time: voltage angles, all lines, scipy, one solve per stage."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog

from grid_models import Grid

_SLACK_OF_A_STAGE = 1e-9
_EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Reference:
    """Optimal values of the stages. [MW], [MW], [currency/h]"""

    unbalanced: float
    curtailed: float
    cost: float


class Formulation:
    """Columns: segments, free units, links, angles, shed, dump, sites; rows: nodal balance and flows."""

    def __init__(
        self,
        grid: Grid,
        load: np.ndarray,
        available: np.ndarray,
        site_bus: np.ndarray | None = None,
        site_max: np.ndarray | None = None,
    ) -> None:
        sites = np.zeros(0, dtype=int) if site_bus is None else np.asarray(site_bus, dtype=int)
        bus = {name: k for k, name in enumerate(grid.buses.index)}
        n_bus, gens, units = len(bus), grid.generators, grid.units
        free = units["dispatchable"].to_numpy(dtype=bool)
        gen_bus = gens["bus"].map(bus)
        at = [
            np.array([gen_bus[g] for g in grid.segments["gen"]], dtype=int),
            units["bus"].map(bus).to_numpy(dtype=int)[free],
        ]
        ends = [grid.links[end].map(bus).to_numpy(dtype=int) for end in ("from_bus", "to_bus")]
        line = [grid.lines[end].map(bus).to_numpy(dtype=int) for end in ("from_bus", "to_bus")]
        sizes = [len(at[0]), len(at[1]), len(ends[0]), n_bus, n_bus, n_bus, len(sites)]
        edge = np.concatenate([[0], np.cumsum(sizes)])
        parts = [slice(a, b) for a, b in pairwise(edge)]
        self.segments, self.units, self.links, self.angle, self.shed, self.dump, self.sites = parts
        self.n = int(edge[-1])

        incidence = np.zeros((len(grid.lines), n_bus))
        incidence[np.arange(len(line[0])), line[0]] += 1.0
        incidence[np.arange(len(line[0])), line[1]] -= 1.0
        self.flow = np.zeros((len(grid.lines), self.n))
        self.flow[:, self.angle] = grid.lines["b_pu"].to_numpy()[:, None] * incidence
        self.balance = np.zeros((n_bus, self.n))
        every = np.arange(n_bus)
        for columns, buses, sign in (
            (self.segments, at[0], 1.0),
            (self.units, at[1], 1.0),
            (self.links, ends[0], -1.0),
            (self.links, ends[1], 1.0),
            (self.shed, every, 1.0),
            (self.dump, every, -1.0),
            (self.sites, sites, -1.0),
        ):
            self.balance[buses, np.arange(columns.start, columns.stop)] += sign
        self.balance -= incidence.T @ self.flow
        must_run = np.where(gens["must_run"], gens["p_min_mw"], 0.0).astype(float)
        taken = np.bincount(gen_bus.to_numpy(dtype=int), must_run, n_bus).astype(float)
        fixed_bus = units["bus"].map(bus).to_numpy(dtype=int)[~free]
        taken += np.bincount(fixed_bus, available[~free], n_bus)
        self.demand = load - taken
        rate = grid.lines["rate_mw"].to_numpy()
        limit = np.concatenate([rate, rate])
        self.limit_rows, self.limits = np.vstack([self.flow, -self.flow]), limit

        low, high = np.zeros(self.n), np.full(self.n, np.inf)
        high[self.segments] = grid.segments["p_mw"]
        high[self.units] = available[free]
        high[self.links] = grid.links["p_max_mw"]
        low[self.links] = -high[self.links]
        low[self.angle] = -np.inf
        low[self.angle.start] = high[self.angle.start] = 0.0
        high[self.shed], high[self.dump] = load, taken
        high[self.sites] = 0.0 if site_max is None else site_max
        self.low, self.high = low, high

        counted = units["counts_as_curtailment"].to_numpy(dtype=float)[free]
        self.counted = counted
        self.curtailable = float((available[free] * counted).sum())
        self.curtailment = np.zeros(self.n)
        self.curtailment[self.units] = -counted
        self.cost = np.zeros(self.n)
        self.cost[self.segments] = grid.segments["cost_per_mwh"]
        self.cost[self.units] = units["offer_per_mwh"].to_numpy()[free]
        self.no_load = float(gens["no_load_cost_per_h"].sum())
        self.unbalanced = np.zeros(self.n)
        self.unbalanced[self.shed] = self.unbalanced[self.dump] = 1.0

    def minimise(
        self,
        cost: np.ndarray,
        rows: np.ndarray | None = None,
        limits: np.ndarray | None = None,
    ) -> np.ndarray:
        """Optimal columns, with further rows <= limits."""
        a = self.limit_rows if rows is None else np.vstack([self.limit_rows, rows])
        b = self.limits if limits is None else np.concatenate([self.limits, limits])
        keep = np.isfinite(b)
        answer = linprog(
            cost,
            A_ub=a[keep],
            b_ub=b[keep],
            A_eq=self.balance,
            b_eq=self.demand,
            bounds=np.column_stack([self.low, self.high]),
            method="highs",
            options=_EXACT,
        )
        assert answer.success, answer.message
        return np.asarray(answer.x)

    def lexicographic(self, costs: list[np.ndarray]) -> np.ndarray:
        """Minimise each over the optima of those before it."""
        rows, limits = np.zeros((0, self.n)), np.zeros(0)
        x = np.zeros(self.n)
        for cost in costs:
            x = self.minimise(cost, rows, limits)
            rows = np.vstack([rows, cost])
            limits = np.append(limits, cost @ x + _SLACK_OF_A_STAGE)
        return x


def reference_dispatch(grid: Grid, load: np.ndarray, available: np.ndarray, objective: str) -> Reference:
    """Stages of `priority` or `market` solved one after the other."""
    form = Formulation(grid, load, available)
    between = [form.curtailment] if objective == "priority" else []
    stages = [form.unbalanced, *between, form.cost]
    x = form.lexicographic(stages)
    return Reference(
        unbalanced=float(form.unbalanced @ x),
        curtailed=form.curtailable + float(form.curtailment @ x),
        cost=form.no_load + float(form.cost @ x),
    )
