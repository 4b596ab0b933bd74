"""Power curves: of windpowerlib's turbine library or given by the user, smoothed over a farm, and evaluated.

A curve is wind speed against share of rated power. `CurveTable` evaluates many curves at once, shifted with
air density as IEC 61400-12-1 asks for: for each value the segment of its own shifted curve is found by
bisection, where windpowerlib makes a curve per hour and interpolates in a loop. The result is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
import pandas as pd
from windpowerlib import WindTurbine, power_curves

from weather._types import FloatArray, IntArray
from weather.errors import Findings

__all__ = [
    "STANDARD_DENSITY",
    "CurveTable",
    "PowerCurve",
    "farm_curve",
    "hub_height_of",
    "library_curve",
    "turbine_types",
    "user_curves",
]

STANDARD_DENSITY: Final = 1.225
"""Air density that power curves are given for: IEC 61400-12-1:2017. [kg/m³]"""

_EXPONENT_AT: Final = ((7.5, 12.5), (1.0 / 3.0, 2.0 / 3.0))
"""Exponent of the density ratio by which a curve's wind speeds are shifted, between two speeds [m/s]: L.
Svenningsen, "Proposal of an improved power curve correction", EMD International, 2010, as in windpowerlib."""

_LEAST_CUT_OUT: Final = 19.0
_USUAL_CUT_OUT: Final = 25.0
"""Cut-out wind speeds of turbines in the library: the lowest is 20, most are 25. [m/s]"""

_IS_RATED: Final = 0.95
"""Share of rated power at which a turbine is not about to stop for lack of wind. [1]"""

_MIN_POINTS: Final = 6
"""Points windpowerlib needs to smooth a curve."""


@dataclass(frozen=True)
class PowerCurve:
    """A power curve.

    Attributes
    ----------
    wind_speed : tuple of float
        At hub height, ascending. [m/s]
    share : tuple of float
        Power over rated power. [1]
    """

    wind_speed: tuple[float, ...]
    share: tuple[float, ...]

    @property
    def cut_out(self) -> float:
        """Largest wind speed at which there is power. [m/s]"""
        return max(v for v, share in zip(self.wind_speed, self.share, strict=True) if share > 0.0)


def _library(name: str) -> pd.DataFrame:
    """A table of the turbine library that windpowerlib ships, by turbine type."""
    with (files("windpowerlib") / "oedb" / f"{name}.csv").open() as stream:
        return pd.read_csv(stream, index_col=0)


@lru_cache(maxsize=1)
def turbine_types() -> tuple[str, ...]:
    """Names of the turbines with a power curve in the OEDB library that windpowerlib ships, sorted."""
    return tuple(sorted(_library("power_curves").index.astype(str)))


@lru_cache(maxsize=1)
def _hub_heights() -> Mapping[str, float]:
    """Median of the hub heights that types of the library are sold with. [m]"""
    stated = _library("turbine_data")["hub_height"].dropna().astype(str)
    numbers = {name: re.findall(r"\d+(?:[.,]\d+)?", text) for name, text in stated.items()}
    return {
        str(name): float(np.median([float(n.replace(",", ".")) for n in found]))
        for name, found in numbers.items()
        if found
    }


def hub_height_of(turbine_type: str, otherwise: float) -> float:
    """Usual hub height of a type: the median of those it is sold with, or `otherwise`. [m]

    Examples
    --------
    >>> hub_height_of("E-126/4200", 94.0), hub_height_of("V112/3000", 94.0)
    (135.0, 94.0)
    """
    return _hub_heights().get(turbine_type, otherwise)


@lru_cache(maxsize=256)
def library_curve(turbine_type: str) -> PowerCurve:
    """Power curve of a type of `turbine_types`.

    Parameters
    ----------
    turbine_type : str
        Name in the library.

    Returns
    -------
    PowerCurve
        As in the library. A curve that ends at rated power below any turbine's cut-out (V90/2000: at 16.5
        m/s) is cut off there; it holds its last power up to 25 m/s instead of having none.
    """
    turbine = WindTurbine(hub_height=100.0, turbine_type=turbine_type)
    speed = tuple(turbine.power_curve["wind_speed"].astype(float))
    share = tuple((turbine.power_curve["value"] / float(turbine.nominal_power)).astype(float))
    if speed[-1] < _LEAST_CUT_OUT and share[-1] > _IS_RATED:
        speed, share = (*speed, _USUAL_CUT_OUT), (*share, share[-1])
    return PowerCurve(speed, share)


def user_curves(tables: Mapping[str, pd.DataFrame]) -> dict[str, PowerCurve]:
    """Check power curves given by the user.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By turbine type: columns `wind_speed` [m/s] and `power_kw`. Beyond the first and last speed there is
        no power; the largest power is the rating.

    Returns
    -------
    dict
        Curves by turbine type.

    Raises
    ------
    InputError
        With everything that is wrong with them.
    """
    findings = Findings()
    curves: dict[str, PowerCurve] = {}
    for name, table in tables.items():
        where = f"turbine_curves[{name!r}]"
        missing = [column for column in ("wind_speed", "power_kw") if column not in table.columns]
        if missing:
            findings.add(where, f"no column {', '.join(missing)}", "give wind_speed [m/s] and power_kw")
            continue
        speed, power = (table[column].to_numpy(dtype=np.float64) for column in ("wind_speed", "power_kw"))
        n_before = len(findings)
        if not (np.isfinite(speed).all() and np.isfinite(power).all()):
            findings.add(where, "NaN or infinite values", "leave out rows that have no power")
        elif len(speed) < _MIN_POINTS or (np.diff(speed) <= 0.0).any() or speed[0] < 0.0:
            findings.add(where, f"wind_speed must ascend from 0 or above over {_MIN_POINTS} points or more")
        elif power.min() < 0.0 or power.max() <= 0.0:
            low, high = power.min(), power.max()
            findings.add(where, f"power_kw from {low:g} to {high:g} kW, expected >= 0 and some above")
        if len(findings) == n_before:
            curves[name] = PowerCurve(tuple(speed), tuple(power / power.max()))
    findings.raise_if_any("wind plants")
    return curves


@lru_cache(maxsize=256)
def farm_curve(curve: PowerCurve, turbulence_intensity: float) -> PowerCurve:
    """Smooth a power curve over the spread of wind speeds in a farm.

    Parameters
    ----------
    curve : PowerCurve
        Of one turbine.
    turbulence_intensity : float
        Standard deviation of speeds over their mean; 0 for none. [1]

    Returns
    -------
    PowerCurve
        Of the farm: `windpowerlib.power_curves.smooth_power_curve`.
    """
    if turbulence_intensity == 0.0:
        return curve
    smooth = power_curves.smooth_power_curve(
        pd.Series(curve.wind_speed), pd.Series(curve.share), turbulence_intensity=turbulence_intensity
    )
    return PowerCurve(tuple(smooth["wind_speed"].astype(float)), tuple(smooth["value"].astype(float)))


@dataclass(frozen=True)
class CurveTable:
    """Many power curves, to be evaluated at once.

    Attributes
    ----------
    wind_speed, share, exponent : ndarray
        Shape (curve, point): the curves, and the exponent of the density ratio at each point; shorter curves
        are filled up with points at infinite speed.
    """

    wind_speed: FloatArray
    share: FloatArray
    exponent: FloatArray

    @classmethod
    def of(cls, curves: Sequence[PowerCurve]) -> CurveTable:
        """Lay curves side by side, each with one point more than it has."""
        length = 1 + max(len(curve.wind_speed) for curve in curves)
        speed, share = np.full((len(curves), length), np.inf), np.zeros((len(curves), length))
        for row, curve in enumerate(curves):
            n_points = len(curve.wind_speed)
            speed[row, :n_points] = curve.wind_speed
            share[row, :n_points] = curve.share
            share[row, n_points:] = curve.share[-1]
        return cls(speed, share, np.interp(speed, *_EXPONENT_AT))

    def evaluate(self, curve: IntArray, wind_speed: FloatArray, density: FloatArray | None) -> FloatArray:
        """Share of rated power.

        Parameters
        ----------
        curve : ndarray
            Position of the curve, broadcastable to `wind_speed`.
        wind_speed : ndarray
            At hub height. [m/s]
        density : ndarray or None
            Air density at hub height, of the same shape; None for curves as they are. [kg/m³]

        Returns
        -------
        ndarray
            As `windpowerlib.power_output.power_curve` gives it: between the points linear, beyond them 0. [1]
        """
        n_points = self.wind_speed.shape[1]
        speeds, exponents, shares = (a.ravel() for a in (self.wind_speed, self.exponent, self.share))
        log_ratio = None if density is None else np.log(STANDARD_DENSITY / density)
        first = np.broadcast_to(curve * n_points, wind_speed.shape)

        def shifted(point: IntArray) -> FloatArray:
            if log_ratio is None:
                return speeds[point]
            return np.asarray(speeds[point] * np.exp(exponents[point] * log_ratio), dtype=np.float64)

        last, position = first + (n_points - 2), first
        step = 1 << (n_points.bit_length() - 1)
        while step:
            ahead = np.minimum(position + step, last)
            position = np.where(shifted(ahead) <= wind_speed, ahead, position)
            step >>= 1
        left, right = shifted(position), shifted(position + 1)
        slope = (shares[position + 1] - shares[position]) / (right - left)
        power = slope * (wind_speed - left) + shares[position]
        is_last = np.isinf(right) & (wind_speed > left)
        return np.where((wind_speed < left) | is_last, 0.0, power)
