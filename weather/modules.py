"""Modules and inverters of the CEC tables that pvlib ships: single-diode DC power, Sandia's AC power.

The tables are those of NREL's System Advisor Model, read with `pvlib.pvsystem.retrieve_sam`. A plant is made
of one kind of module and inverter, so its power is a module's (an inverter's) in shares of the rating times
the plant's rating.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
import pvlib

from weather._types import FloatArray
from weather.errors import Findings

__all__ = ["PVWATTS", "cec_names", "inverter_share", "module_share", "name_findings"]

PVWATTS: Final = "pvwatts"
"""Name of the generic module and inverter: linear in irradiance and temperature; one efficiency curve."""

_TABLES: Final = {"module": "CECMod", "inverter": "CECInverter"}
_DIODE: Final = ("alpha_sc", "a_ref", "I_L_ref", "I_o_ref", "R_sh_ref", "R_s", "Adjust")
_REFERENCE_IRRADIANCE: Final = 1000.0
_REFERENCE_TEMPERATURE: Final = 25.0


@lru_cache(maxsize=2)
def _table(kind: str) -> pd.DataFrame:
    """A table of SAM, one column per product."""
    return pvlib.pvsystem.retrieve_sam(_TABLES[kind])


def cec_names(kind: str) -> tuple[str, ...]:
    """Names of products in a CEC table.

    Parameters
    ----------
    kind : {"module", "inverter"}
        Which table.

    Returns
    -------
    tuple of str
        Some 21,000 modules, some 3,000 inverters.
    """
    return tuple(_table(kind).columns)


def name_findings(units: pd.DataFrame) -> Findings:
    """Return a finding for each unit whose `module` or `inverter` is in no table."""
    findings = Findings()
    for kind in _TABLES:
        for unit, name in units[kind].items():
            if name != PVWATTS and name not in _table(kind).columns:
                near = ", ".join(_near(kind, str(name)))
                remedy = f"use {PVWATTS!r} or a name of the CEC table" + (f", such as {near}" if near else "")
                findings.add(f"unit {unit!r}, {kind}", f"{name!r} is unknown", remedy)
    return findings


@lru_cache(maxsize=256)
def _near(kind: str, name: str) -> tuple[str, ...]:
    """Return names of the same maker that look alike."""
    maker = name[:3].lower()
    same = [other for other in cec_names(kind) if other.lower().startswith(maker)]
    return tuple(get_close_matches(name, same, n=3, cutoff=0.5))


@lru_cache(maxsize=256)
def _diode(name: str) -> Mapping[str, float]:
    """Parameters of a module, with its power at standard conditions. [W]"""
    column = _table("module")[name]
    parameters = {key: float(column[key]) for key in _DIODE}
    standard = _max_power(np.array([_REFERENCE_IRRADIANCE]), np.array([_REFERENCE_TEMPERATURE]), parameters)
    return {**parameters, "p_stc": float(standard[0])}


def _max_power(effective: FloatArray, temp_cell: FloatArray, module: Mapping[str, float]) -> FloatArray:
    """Power at the maximum power point of one module. [W]"""
    curve = pvlib.pvsystem.calcparams_cec(effective, temp_cell, *(module[key] for key in _DIODE))
    return np.asarray(pvlib.pvsystem.max_power_point(*curve, method="newton")["p_mp"], dtype=np.float64)


def module_share(name: str, effective: FloatArray, temp_cell: FloatArray) -> FloatArray:
    """DC power of a module over its power at standard conditions.

    Parameters
    ----------
    name : str
        Of the CEC table.
    effective : ndarray
        Irradiance on the module less reflection. [W/m²]
    temp_cell : ndarray
        Cell temperature. [°C]

    Returns
    -------
    ndarray
        Share of the rating. [1]

    Notes
    -----
    Six parameters of the single-diode model after Dobos (`pvlib.pvsystem.calcparams_cec`), at the maximum
    power point (`pvlib.pvsystem.max_power_point`).
    """
    module = _diode(name)
    lit = effective > 0.0
    share = np.zeros_like(effective)
    if lit.any():
        share[lit] = _max_power(effective[lit], temp_cell[lit], module) / module["p_stc"]
    return share


def inverter_share(name: str, dc_share: FloatArray) -> FloatArray:
    """AC power of an inverter over its rating, clipped at 1.

    Parameters
    ----------
    name : str
        Of the CEC table.
    dc_share : ndarray
        DC power over the inverter's AC rating. [1]

    Returns
    -------
    ndarray
        Share of the AC rating, 0 where the inverter would draw power. [1]

    Notes
    -----
    Sandia's efficiency curve (`pvlib.inverter.sandia`) at the inverter's nominal DC voltage.
    """
    column = _table("inverter")[name]
    rated = float(column["Paco"])
    ac = pvlib.inverter.sandia(np.full_like(dc_share, column["Vdco"]), dc_share * rated, column)
    return np.clip(np.asarray(ac, dtype=np.float64) / rated, 0.0, 1.0)
