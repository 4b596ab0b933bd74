"""From heat rates and fuel prices to convex cost segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_models._arrays import FloatArray, IntArray

#: Kilograms in an avoirdupois pound, exact (International Yard and Pound Agreement, 1959).
KG_PER_LB = 0.45359237


@dataclass(frozen=True)
class CostCurve:
    """Convex piecewise linear cost and CO2 of a generator above the output it must give.

    Attributes
    ----------
    width_mw : numpy.ndarray
        Width of each segment. [MW]
    cost_per_mwh : numpy.ndarray
        Marginal cost in each segment, not falling. [currency/MWh]
    co2_kg_per_mwh : numpy.ndarray
        Marginal CO2 in each segment. [kg/MWh]
    no_load_cost_per_h : float
        Cost where the first segment begins. [currency/h]
    no_load_co2_kg_per_h : float
        CO2 where the first segment begins. [kg/h]
    """

    width_mw: FloatArray
    cost_per_mwh: FloatArray
    co2_kg_per_mwh: FloatArray
    no_load_cost_per_h: float
    no_load_co2_kg_per_h: float


def heat_curve(
    p_max_mw: float, output_share: Sequence[float], average: float, incremental: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """Heat a generator takes at its output points, from an average and incremental heat rates.

    Parameters
    ----------
    p_max_mw : float
        Largest output. [MW]
    output_share : sequence of float
        Output points as shares of `p_max_mw`, rising.
    average : float
        Average heat rate between zero and the first point. [BTU/kWh]
    incremental : sequence of float
        Incremental heat rates between the points, one fewer than there are points. [BTU/kWh]

    Returns
    -------
    tuple of numpy.ndarray
        Output, beginning with zero [MW], and heat [MMBTU/h]. 1 BTU/kWh = 10⁻³ MMBTU/MWh.

    Examples
    --------
    >>> p_mw, heat = heat_curve(20.0, (0.4, 0.6, 0.8, 1.0), 13114.0, (9456.0, 9476.0, 10352.0))
    >>> np.round(heat, 3)
    array([  0.   , 104.912, 142.736, 180.64 , 222.048])
    """
    p_mw = np.concatenate([[0.0], np.asarray(output_share, dtype=float) * p_max_mw])
    rate = np.concatenate([[average], np.asarray(incremental, dtype=float)]) / 1000.0
    return p_mw, np.concatenate([[0.0], np.cumsum(rate * np.diff(p_mw))])


def lower_convex_envelope(x: FloatArray, y: FloatArray) -> IntArray:
    """Positions of the points that span the lower convex envelope of (x, y), x rising.

    Examples
    --------
    The middle point lies above the straight line from the first to the last:

    >>> lower_convex_envelope(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 4.0]))
    array([0, 2])
    """
    kept: list[int] = []
    for i in range(len(x)):
        while len(kept) > 1 and not _turns_up(x, y, kept[-2], kept[-1], i):
            kept.pop()
        kept.append(i)
    return np.array(kept, dtype=np.int64)


def _turns_up(x: FloatArray, y: FloatArray, a: int, b: int, c: int) -> bool:
    """Whether the slope rises at point b on the way from a to c."""
    return bool((y[b] - y[a]) * (x[c] - x[b]) < (y[c] - y[b]) * (x[b] - x[a]))


def cost_curve(
    p_mw: FloatArray,
    heat_mmbtu_per_h: FloatArray,
    *,
    p_min_mw: float,
    fuel_price_per_mmbtu: float,
    co2_kg_per_mmbtu: float,
    vom_per_mwh: float = 0.0,
) -> CostCurve:
    """Convex segments of cost and CO2 above the output a generator must give.

    Parameters
    ----------
    p_mw, heat_mmbtu_per_h : numpy.ndarray
        Heat curve, beginning at zero (see `heat_curve`). [MW, MMBTU/h]
    p_min_mw : float
        Where the segments begin: least output of a unit that must run, 0 for one that may stand still. [MW]
    fuel_price_per_mmbtu : float
        Price of the fuel. [currency/MMBTU]
    co2_kg_per_mmbtu : float
        CO2 of the fuel. [kg/MMBTU]
    vom_per_mwh : float
        Variable operation and maintenance. [currency/MWh]

    Returns
    -------
    CostCurve
        One segment per piece of the lower convex envelope of the cost above `p_min_mw`.

    Notes
    -----
    Where the average heat rate to the first point is above the first increment, the cost of a unit that may
    stand still is not convex. The envelope then is the least cost at which an output can be had on average by
    running part of the time, and underestimates the cost below the envelope's first point. Where increments
    fall above the minimum, the same envelope flattens them. CO2 is taken at the points of the cost envelope.

    Examples
    --------
    >>> p_mw, heat = heat_curve(20.0, (0.4, 0.6, 0.8, 1.0), 13114.0, (9456.0, 9476.0, 10352.0))
    >>> free = cost_curve(p_mw, heat, p_min_mw=0.0, fuel_price_per_mmbtu=10.0, co2_kg_per_mmbtu=72.6)
    >>> free.width_mw, np.round(free.cost_per_mwh, 2)
    (array([20.]), array([111.02]))
    """
    inside = p_mw > p_min_mw
    x = np.concatenate([[p_min_mw], p_mw[inside]])
    heat = np.interp(x, p_mw, heat_mmbtu_per_h)
    cost = heat * fuel_price_per_mmbtu + vom_per_mwh * x
    corner = lower_convex_envelope(x, cost)
    width = np.diff(x[corner])
    return CostCurve(
        width_mw=width,
        cost_per_mwh=np.diff(cost[corner]) / width,
        co2_kg_per_mwh=np.diff(heat[corner]) / width * co2_kg_per_mmbtu,
        no_load_cost_per_h=float(cost[0]),
        no_load_co2_kg_per_h=float(heat[0]) * co2_kg_per_mmbtu,
    )
