"""Shares of power lost beside the physics of a chain: their usual values, and how they combine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from weather._plants import Parameter
from weather._types import FloatArray
from weather.errors import Findings

__all__ = ["PV_LOSSES", "WIND_LOSSES", "combined_loss", "pv_losses", "remaining_share"]


_PVWATTS: Final[Mapping[str, tuple[float, str]]] = {
    "soiling_loss": (0.02, "dirt on modules"),
    "shading_loss": (0.03, "shade of rows and surroundings"),
    "snow_loss": (0.0, "snow on modules, yearly mean"),
    "mismatch_loss": (0.02, "differences between modules"),
    "wiring_loss": (0.02, "resistance of cables"),
    "connections_loss": (0.005, "resistance of connectors"),
    "lid_loss": (0.015, "light-induced degradation in the first months"),
    "nameplate_loss": (0.01, "modules below their rating"),
    "age_loss": (0.0, "degradation over the years"),
    "availability_loss": (0.03, "plant or grid out of service"),
}

PV_LOSSES: Final[Mapping[str, Parameter]] = {
    "losses": Parameter(
        np.nan, "1", "share of DC power lost in all (PVWatts 5: 0.1408)", 0.0, 1.0, derived=True
    ),
    **{
        name: Parameter(np.nan, "1", f"{meaning} (PVWatts 5: {share:g})", 0.0, 1.0, derived=True)
        for name, (share, meaning) in _PVWATTS.items()
    },
}
"""Losses of PV: the total, or its parts, which multiply. A unit that names no loss has the total of PVWatts 5
(A. Dobos, NREL/TP-6A20-62641, 2014, table 6); one that names some parts has PVWatts' values of the others."""

PVWATTS_TOTAL: Final = 0.1408
"""Total of PVWatts 5 as it is published; the product of its parts is 0.14076. [1]"""

WIND_LOSSES: Final[Mapping[str, Parameter]] = {
    "availability_loss": Parameter(
        0.03, "1", "share of turbines out of service, everywhere in time alike", 0.0, 1.0
    ),
    "electrical_loss": Parameter(0.02, "1", "cables and transformer up to the metering point", 0.0, 1.0),
    "performance_loss": Parameter(
        0.04, "1", "real turbines against their power curve: yaw, blade wear, site, restarts", 0.0, 1.0
    ),
}
"""Losses of wind farms beside wakes, which multiply. 97 % availability is what makers commonly warrant;
electrical losses of 2.0 % and turbine performance of 4.0 % (power curve 1.1, hysteresis 0.4, site 0.8, other
1.7) are the defaults of NREL's System Advisor Model (Windpower, 2018 on)."""


def combined_loss(shares: Iterable[npt.ArrayLike]) -> FloatArray:
    """Return the loss of losses that act one after another: 1 - (1 - a)(1 - b)... [1]

    Examples
    --------
    >>> round(float(combined_loss([0.1, 0.2])), 9)
    0.28
    """
    return 1.0 - remaining_share(shares)


def remaining_share(shares: Iterable[npt.ArrayLike]) -> FloatArray:
    """Return what losses that act one after another leave: (1 - a)(1 - b)... [1]"""
    left: FloatArray = np.ones(())
    for share in shares:
        left = np.asarray(left * (1.0 - np.asarray(share, dtype=np.float64)), dtype=np.float64)
    return left


def pv_losses(units: pd.DataFrame) -> FloatArray:
    """Total loss of each PV unit.

    Parameters
    ----------
    units : DataFrame
        Columns `PV_LOSSES`, NaN where a unit does not name one.

    Returns
    -------
    ndarray
        Share of DC power that is lost. [1]

    Raises
    ------
    InputError
        For each unit that names the total and parts of it.
    """
    parts = units[list(_PVWATTS)].astype(float)
    total = units["losses"].astype(float)
    named = parts.notna()
    findings = Findings()
    for unit in units.index[(named.any(axis=1) & total.notna()).to_numpy()]:
        both = ", ".join(named.columns[named.loc[unit]])
        findings.add(f"unit {unit!r}, losses", f"given beside its parts {both}", "give the total or parts")
    findings.raise_if_any("PV plants")
    composed = combined_loss(parts[name].fillna(share).to_numpy() for name, (share, _) in _PVWATTS.items())
    plain = np.where(named.any(axis=1), composed, PVWATTS_TOTAL)
    return np.where(total.notna(), total, plain)
