"""The bound: what the best possible policy would have absorbed with the same energy.

The bound of a policy is least curtailment without flexible load minus least curtailment over dispatch and
load jointly, site load free between zero and what a site can draw, total energy at most that of the policy.
Time couples only through that total. So the joint programme over all steps falls apart: each step has a
concave function of greatest relief against total load (`grid_models.ReliefCurve`), and the energy goes to the
steepest pieces of all steps first. This is the exact optimum of the joint programme, for every amount of
energy at once.

A battery at a site changes nothing of this: what reaches the grid is the site's draw, its own load + charge −
discharge, which lies between zero and what the site can draw with its battery charging, and that is the load
here. The energy of the policy is what its sites drew, charging included.

It holds for the `priority` objective, under which curtailment is the least possible for the load there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grid_models import ReliefCurve
    from twin._arrays import FloatArray


def bound_absorbed_mwh(curves: Iterable[ReliefCurve], step_h: float, energy_mwh: float) -> float:
    """Most curtailed energy that flexible load of a given total energy could have absorbed.

    Parameters
    ----------
    curves : iterable of ReliefCurve
        One per step, and per grid where a scenario has several.
    step_h : float
        Length of a step. [h]
    energy_mwh : float
        Energy the load may use at most. [MWh]

    Returns
    -------
    float
        Absorbed energy. [MWh]

    Raises
    ------
    ValueError
        If the energy or the step is negative or not finite.

    Examples
    --------
    Two hours, in the second of which only half of the load relieves anything:

    >>> import numpy as np
    >>> from grid_models import ReliefCurve
    >>> full = ReliefCurve(np.array([0.0, 10.0]), np.array([0.0, 10.0]))
    >>> half = ReliefCurve(np.array([0.0, 10.0]), np.array([0.0, 5.0]))
    >>> bound_absorbed_mwh([full, half], 1.0, 14.0)
    12.0
    """
    for name, value in (("step_h", step_h), ("energy_mwh", energy_mwh)):
        if not (np.isfinite(value) and value >= 0.0):
            raise ValueError(f"{name}={value!r}: expected a finite value >= 0")
    free_mw, width_mw, slope = _pieces(curves)
    order = np.argsort(-slope, kind="stable")
    width_mwh = width_mw[order] * step_h
    used = np.clip(energy_mwh - (np.cumsum(width_mwh) - width_mwh), 0.0, width_mwh)
    return float(free_mw * step_h + (used * slope[order]).sum())


def _pieces(curves: Iterable[ReliefCurve]) -> tuple[float, FloatArray, FloatArray]:
    """Relief at zero load, and width [MW] and slope [1] of every rising piece of all curves."""
    free, widths, slopes = 0.0, [np.zeros(0)], [np.zeros(0)]
    for curve in curves:
        free += float(curve.relief_mw[0])
        width = np.diff(curve.load_mw)
        slope = np.diff(curve.relief_mw) / width
        rising = slope > 0.0
        widths.append(width[rising])
        slopes.append(slope[rising])
    return free, np.concatenate(widths), np.concatenate(slopes)
