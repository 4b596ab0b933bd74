"""Cost functions of cases, and the generators with convex segments made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.costs import CostCurve, cost_curve

CostPoints = tuple[FloatArray, FloatArray]


class CostFunction(Protocol):
    """Cost of a generator per hour over its output."""

    def points(self, low_mw: float, high_mw: float, n_segments: int) -> CostPoints:
        """Outputs from low to high [MW] and cost there [currency/h], between which cost is straight."""


@dataclass(frozen=True)
class PolynomialCost:
    """Cost as a polynomial of output.

    Attributes
    ----------
    coefficients : tuple of float
        Highest power first, as MATPOWER writes them. [currency/h/MW^k]

    Examples
    --------
    >>> PolynomialCost((0.01, 20.0, 5.0)).points(0.0, 100.0, 2)[1]
    array([   5., 1030., 2105.])
    """

    coefficients: tuple[float, ...]

    def points(self, low_mw: float, high_mw: float, n_segments: int) -> CostPoints:
        """Equal pieces, exact at their ends; one where the cost is straight anyway."""
        is_straight = not any(self.coefficients[:-2])
        p_mw = np.unique(np.linspace(low_mw, high_mw, (1 if is_straight else n_segments) + 1))
        return p_mw, np.polyval(np.array(self.coefficients, dtype=float), p_mw)


@dataclass(frozen=True)
class PiecewiseCost:
    """Cost as straight pieces between points; the first and last piece go on beyond them.

    Attributes
    ----------
    p_mw, cost_per_h : tuple of float
        Points, outputs rising; at least two. [MW, currency/h]

    Examples
    --------
    >>> PiecewiseCost((10.0, 20.0, 40.0), (100.0, 300.0, 900.0)).points(5.0, 30.0, 1)
    (array([ 5., 10., 20., 30.]), array([  0., 100., 300., 600.]))
    """

    p_mw: tuple[float, ...]
    cost_per_h: tuple[float, ...]

    def points(self, low_mw: float, high_mw: float, n_segments: int) -> CostPoints:  # noqa: ARG002 - has its own pieces
        """The points between low and high, and what the pieces give at these."""
        x, y = np.array(self.p_mw, dtype=float), np.array(self.cost_per_h, dtype=float)
        p_mw = np.unique(np.concatenate([[low_mw], x[(x > low_mw) & (x < high_mw)], [high_mw]]))
        piece = np.clip(np.searchsorted(x, p_mw, side="right") - 1, 0, len(x) - 2)
        slope = np.diff(y) / np.diff(x)
        cost: FloatArray = y[piece] + slope[piece] * (p_mw - x[piece])
        return p_mw, cost


def segment_tables(
    generators: pd.DataFrame,
    costs: Mapping[str, CostFunction],
    co2_kg_per_mwh: Mapping[str, float],
    *,
    n_segments: int,
    no_load_cost: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give generators their costs at minimum output and their convex segments.

    Parameters
    ----------
    generators : pandas.DataFrame
        Table of generators with p_min_mw, p_max_mw, must_run and committable. [MW]
    costs : mapping of str to CostFunction
        Cost of each generator.
    co2_kg_per_mwh : mapping of str to float
        CO2 of each generator where its output is positive; what it draws saves none. [kg/MWh]
    n_segments : int
        Pieces of a polynomial.
    no_load_cost : bool
        Whether what it costs at no output counts.

    Returns
    -------
    tuple of pandas.DataFrame
        Generators with no_load_cost_per_h and no_load_co2_kg_per_h, and their segments.
    """
    no_load, no_load_co2, rows = [], [], []
    for gen, row in generators.iterrows():
        name, co2 = str(gen), co2_kg_per_mwh[str(gen)]
        is_above_minimum = bool(row["must_run"] or row["committable"])
        low, high = float(row["p_min_mw"]), float(row["p_max_mw"])
        curve = _curve(costs[name], low, high, is_above_minimum, n_segments, no_load_cost)
        no_load.append(curve.no_load_cost_per_h if is_above_minimum else 0.0)
        no_load_co2.append(co2 * max(low, 0.0) if is_above_minimum else 0.0)
        end_mw = (low if is_above_minimum else 0.0) + np.cumsum(curve.width_mw)
        rows += [
            {"gen": name, "p_mw": width, "cost_per_mwh": price, "co2_kg_per_mwh": co2 if end > 0 else 0.0}
            for width, price, end in zip(curve.width_mw, curve.cost_per_mwh, end_mw, strict=True)
        ]
    table = generators.assign(no_load_cost_per_h=no_load, no_load_co2_kg_per_h=no_load_co2)
    segments = pd.DataFrame(rows, columns=["gen", "p_mw", "cost_per_mwh", "co2_kg_per_mwh"])
    return table, segments


def _curve(
    cost: CostFunction, low: float, high: float, is_above_minimum: bool, n_segments: int, no_load_cost: bool
) -> CostCurve:
    """Return the convex curve above the minimum of what runs, from zero of what may stand still."""
    if high <= low:
        is_above_minimum = is_above_minimum or high == 0
    p_mw, per_h = cost.points(low, high, n_segments)
    if not no_load_cost:
        per_h = per_h - float(cost.points(0.0, 1.0, 1)[1][0])
    if is_above_minimum:
        start = low
    else:
        start, at_zero = 0.0, p_mw > 0
        p_mw, per_h = np.append(0.0, p_mw[at_zero]), np.append(0.0, per_h[at_zero])
    return cost_curve(p_mw, per_h, p_min_mw=start, fuel_price_per_mmbtu=1.0, co2_kg_per_mmbtu=0.0)
