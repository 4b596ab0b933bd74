"""Units as files write them, and what it takes to come to those of the project."""

from __future__ import annotations

from typing import Final

from weather._types import FloatArray
from weather.constants import KELVIN_OFFSET, PA_PER_MBAR
from weather.errors import Findings

__all__ = ["convert"]

_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "W/m²": ("w/m2", "w/m^2", "w/m²", "w m-2", "w m**-2", "w/m**2", "watt/m2", "watts/m2", "w.m-2"),
    "Wh/m²": ("wh/m2", "wh/m^2", "wh/m²", "w-hr/m^2", "wh m-2"),
    "kWh/m²": ("kwh/m2", "kwh/m^2", "kwh/m²", "kw-hr/m^2", "kwh m-2", "kw-hr/m^2/hr", "kw-hr/m^2/hour"),
    "J/m²": ("j/m2", "j/m^2", "j/m²", "j m-2", "j m**-2", "j/m**2"),
    "kJ/m²": ("kj/m2", "kj/m^2", "kj/m²"),
    "MJ/m²": ("mj/m2", "mj/m^2", "mj/m²", "mj/hr", "mj/m^2/hr", "mj/m^2/hour"),
    "°C": ("c", "°c", "degc", "deg c", "degree c", "degree celsius", "degrees celsius", "celsius"),
    "°F": ("f", "°f", "degf", "deg f", "fahrenheit"),
    "K": ("k", "kelvin"),
    "Pa": ("pa", "pascal"),
    "mbar": ("mbar", "mb", "millibar", "hpa"),
    "kPa": ("kpa",),
    "m/s": ("m/s", "m s-1", "m s**-1", "m/sec", "ms", "mps"),
    "km/h": ("km/h", "kmh", "kph", "km h-1"),
    "mph": ("mph", "mp/h", "mi/h"),
    "kn": ("kn", "kt", "knots", "knot"),
    "degree": ("deg", "degrees", "degree", "°"),
    "1": ("1", "-", "unitless", "dimensionless", "fraction"),
    "%": ("%", "percent"),
}
_UNITS: Final = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}

_CONVERSIONS: Final[dict[tuple[str, str], tuple[float, float]]] = {
    ("mbar", "Pa"): (PA_PER_MBAR, 0.0),
    ("kPa", "Pa"): (1000.0, 0.0),
    ("K", "°C"): (1.0, -KELVIN_OFFSET),
    ("°F", "°C"): (5.0 / 9.0, -160.0 / 9.0),
    ("km/h", "m/s"): (1.0 / 3.6, 0.0),
    ("mph", "m/s"): (0.44704, 0.0),
    ("kn", "m/s"): (1852.0 / 3600.0, 0.0),
    ("%", "1"): (0.01, 0.0),
}
"""Factor and offset from the first unit to the second: BIPM, The International System of Units, 9th edition
(2019), and for mile and nautical mile NIST Special Publication 811 (2008), appendix B.8."""

_WATT_HOURS: Final = {
    "Wh/m²": 1.0,
    "kWh/m²": 1000.0,
    "J/m²": 1.0 / 3600.0,
    "kJ/m²": 1.0 / 3.6,
    "MJ/m²": 1e6 / 3600.0,
}
"""Energies of a step in Wh/m²: over the length of the step they are its mean irradiance."""


def convert(
    values: FloatArray,
    unit: str | None,
    target: str,
    where: str,
    findings: Findings,
    *,
    step_h: float | None = None,
) -> FloatArray:
    """Convert a column from the unit its header states.

    Parameters
    ----------
    values : ndarray
        Values in `unit`.
    unit : str or None
        Unit as written in the header, None if there is none.
    target : str
        Unit wanted, as in the table of variables.
    where : str
        Name of the column, for messages.
    findings : Findings
        Receives a missing unit, or one that cannot be converted.
    step_h : float, optional
        Length of the step, where the format may give irradiance as the energy of a step. [h]

    Returns
    -------
    ndarray
        Values in `target`; unchanged if the unit is not known.
    """
    if unit is None or not unit.strip():
        findings.add(where, f"the header states no unit, expected {target}", "add it to the header")
        return values
    stated = _UNITS.get(" ".join(unit.strip().lower().split()))
    if stated == target:
        return values
    if stated is not None and (stated, target) in _CONVERSIONS:
        factor, offset = _CONVERSIONS[stated, target]
        return values * factor + offset
    if stated in _WATT_HOURS and target == "W/m²" and step_h is not None:
        return values * (_WATT_HOURS[stated] / step_h)
    findings.add(
        where, f"unit {unit!r} in the header, expected {target}", "convert it and correct the header"
    )
    return values
