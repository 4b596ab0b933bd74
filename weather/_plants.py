"""Plant tables: one row per unit, documented columns with defaults, all findings at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from weather.errors import Findings

__all__ = ["Parameter", "complete_plants"]

Value = float | str | bool


@dataclass(frozen=True)
class Parameter:
    """One column of a plant table.

    Attributes
    ----------
    default : float, str, bool or None
        Value of units that do not name one; None where every unit must.
    units : str
        Unit of numbers, "1" for ratios; empty for names and switches.
    meaning : str
        What it is, and where the default comes from.
    low, high : float
        Smallest and largest valid number.
    choices : sequence of str
        Valid names; empty where any name goes.
    derived : bool
        Whether a missing number follows from other things (place, other columns) and stays NaN here.
    """

    default: Value | None
    units: str
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    choices: Sequence[str] = ()
    derived: bool = False


SITE_AND_CAPACITY: Mapping[str, Parameter] = {
    "weather_site": Parameter(None, "", "site of the weather dataset the unit stands at"),
    "p_nom_mw": Parameter(None, "MW", "rated AC power", low=0.0),
}


def complete_plants(
    plants: pd.DataFrame,
    parameters: Mapping[str, Parameter],
    weather_sites: Sequence[str],
    subject: str,
    context: Sequence[str] = (),
) -> pd.DataFrame:
    """Check a plant table and fill in defaults.

    Parameters
    ----------
    plants : DataFrame
        Indexed by unit; columns of `SITE_AND_CAPACITY`, of `parameters`, and of `context`. A missing
        value (NaN or None) in a parameter column means the default.
    parameters : mapping
        Parameter columns of the technology.
    weather_sites : sequence of str
        Sites the weather has.
    subject : str
        What is checked, for the message.
    context : sequence of str
        Further columns that may be there and are left out of the result.

    Returns
    -------
    DataFrame
        All columns of `SITE_AND_CAPACITY` and `parameters`, in that order, without gaps but in columns that
        are derived.

    Raises
    ------
    InputError
        With every unknown or missing column, duplicate unit, unknown site, and value outside its range.
    """
    table = {**SITE_AND_CAPACITY, **parameters}
    findings = Findings()
    if plants.index.has_duplicates:
        twice = sorted({str(unit) for unit in plants.index[plants.index.duplicated()]})
        findings.add("units", f"named more than once: {', '.join(twice)}", "give each unit its own name")
    for column in plants.columns:
        if column not in table and column not in context:
            findings.add(f"column {column!r}", "unknown", f"columns are {', '.join([*table, *context])}")
    filled: dict[str, pd.Series] = {}
    for name, parameter in table.items():
        if name in plants.columns:
            filled[name] = _filled(plants[name], parameter.default)
            _check_column(filled[name], name, parameter, findings)
        elif parameter.default is None:
            findings.add(
                f"column {name!r}", f"missing: {parameter.meaning}", f"add it [{parameter.units or 'name'}]"
            )
        else:
            filled[name] = pd.Series([parameter.default] * len(plants), index=plants.index)
    if "weather_site" in filled:
        known = set(weather_sites)
        for unit, site in filled["weather_site"].items():
            if site not in known:
                findings.add(
                    f"unit {unit!r}", f"weather_site {site!r} is not in the weather", "see weather['site']"
                )
    findings.raise_if_any(subject)
    return pd.DataFrame(filled, index=plants.index)


def _filled(column: pd.Series, default: Value | None) -> pd.Series:
    """Return a column with its missing values replaced by the default, if there is one."""
    if default is None or not column.isna().any():
        return column
    return pd.Series([default if pd.isna(value) else value for value in column], index=column.index)


def _check_column(column: pd.Series, name: str, parameter: Parameter, findings: Findings) -> None:
    """Add a finding for each value of the wrong kind, outside its range or not among its choices."""
    for unit, value in column.items():
        if parameter.derived and pd.isna(value):
            continue
        where = f"unit {unit!r}, {name}"
        if isinstance(parameter.default, bool):
            if not isinstance(value, bool | np.bool_):
                findings.add(where, f"{value!r}", "expected True or False")
        elif isinstance(parameter.default, str) or not parameter.units:
            if not isinstance(value, str) and name != "weather_site":
                findings.add(where, f"{value!r}", "expected a name")
            elif parameter.choices and value not in parameter.choices:
                findings.add(where, f"{value!r} is unknown", f"use one of {', '.join(parameter.choices)}")
        elif isinstance(value, bool | np.bool_) or not isinstance(
            value, int | float | np.integer | np.floating
        ):
            findings.add(where, f"{value!r}", f"expected a number [{parameter.units}]")
        elif not parameter.low <= value <= parameter.high:  # also refuses NaN
            bounds = f"[{parameter.low:g}, {parameter.high:g}] {parameter.units}"
            findings.add(where, f"{value:g} {parameter.units}", f"expected within {bounds}")
