"""Temperature of PV cells: pvlib's models by name, with parameters by mounting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvlib

from weather._types import FloatArray

__all__ = ["CELL_TEMPERATURE_MODELS", "MOUNTINGS", "CellWeather", "cell_parameters"]

_SAPM: Final = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]
_PVSYST: Final = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["pvsyst"]

MOUNTINGS: Final[Mapping[str, tuple[str, float]]] = {
    "open_rack_glass_polymer": ("freestanding", 4.0),
    "open_rack_glass_glass": ("freestanding", 4.0),
    "close_mount_glass_glass": ("semi_integrated", 2.0),
    "insulated_back_glass_polymer": ("insulated", 0.25),
}
"""Mountings by their names in the Sandia model, with what corresponds to them in PVsyst's, and with the
height above the roof that the model of SAM wants [inch; 3.5 and more is a rack]."""


@dataclass(frozen=True)
class CellWeather:
    """What warms and cools cells, arrays of one shape.

    Attributes
    ----------
    poa_global : ndarray
        Irradiance on the module. [W/m²]
    effective : ndarray
        The same less reflection. [W/m²]
    temp_air : ndarray
        Air temperature. [°C]
    wind_speed : ndarray
        At 10 m above ground. [m/s]
    """

    poa_global: FloatArray
    effective: FloatArray
    temp_air: FloatArray
    wind_speed: FloatArray


Column = Callable[[str], FloatArray]
"""Parameters of the units by name."""


def _sapm(sky: CellWeather, of: Column) -> FloatArray:
    """Sandia Array Performance Model."""
    parameters = {"a": of("sapm_a"), "b": of("sapm_b"), "deltaT": of("sapm_delta_t")}
    return _array(pvlib.temperature.sapm_cell(sky.poa_global, sky.temp_air, sky.wind_speed, **parameters))


def _pvsyst(sky: CellWeather, of: Column) -> FloatArray:
    """PVsyst: constant heat loss factors by mounting."""
    factors = {"u_c": of("pvsyst_u_c"), "u_v": of("pvsyst_u_v")}
    return _array(pvlib.temperature.pvsyst_cell(sky.poa_global, sky.temp_air, sky.wind_speed, **factors))


def _faiman(sky: CellWeather, _: Column) -> FloatArray:
    """Faiman 2008 with its coefficients for open racks."""
    return _array(pvlib.temperature.faiman(sky.poa_global, sky.temp_air, sky.wind_speed))


def _noct_sam(sky: CellWeather, of: Column) -> FloatArray:
    """Nominal operating cell temperature, as in SAM."""
    temp_cell = pvlib.temperature.noct_sam(
        sky.poa_global,
        sky.temp_air,
        sky.wind_speed,
        of("noct"),
        of("module_efficiency"),
        effective_irradiance=sky.effective,
        mount_standoff=of("mount_standoff"),
    )
    return _array(temp_cell)


def _array(values: npt.ArrayLike) -> FloatArray:
    """Return what an untyped library gave as an array."""
    return np.asarray(values, dtype=np.float64)


CELL_TEMPERATURE_MODELS: Final[Mapping[str, Callable[[CellWeather, Column], FloatArray]]] = {
    "sapm": _sapm,
    "pvsyst": _pvsyst,
    "faiman": _faiman,
    "noct_sam": _noct_sam,
}
"""Models by name, as in `pvlib.temperature`: weather of the cells and parameters -> °C."""


def cell_parameters(mounting: pd.Series) -> dict[str, FloatArray]:
    """Parameters of all models by mounting.

    Parameters
    ----------
    mounting : Series of str
        Keys of `MOUNTINGS`, one per unit.

    Returns
    -------
    dict
        Arrays over units by the names that the models ask for.
    """
    names = [str(name) for name in mounting]
    values = {
        **{f"sapm_{key}": [_SAPM[name][source] for name in names] for key, source in _SAPM_KEYS.items()},
        **{f"pvsyst_{key}": [_PVSYST[MOUNTINGS[name][0]][key] for name in names] for key in ("u_c", "u_v")},
        "mount_standoff": [MOUNTINGS[name][1] for name in names],
    }
    return {name: np.array(column, dtype=np.float64) for name, column in values.items()}


_SAPM_KEYS: Final = {"a": "a", "b": "b", "delta_t": "deltaT"}
