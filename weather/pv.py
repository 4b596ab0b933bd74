"""Photovoltaic power from weather and plant parameters, through pvlib over (time, unit) arrays.

The chain is sun position at the interval's middle, tracker rotation, transposition, incidence angle, cell
temperature, DC power, losses, inverter with clipping: the models of pvlib's `ModelChain` with PVWatts
parameters, which `tests/weather/test_pv.py` holds it to. This is the only file that knows pvlib's plant
units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvlib
import xarray as xr

from weather._plants import Parameter, complete_plants
from weather._types import FloatArray
from weather.errors import Finding, InputError
from weather.irradiance import (
    TRANSPOSITION_MODELS,
    SunPosition,
    extra_radiation,
    plane_of_array,
    sun_position,
)
from weather.timeaxis import interval_midpoint
from weather.variables import check_dataset

__all__ = ["PV_PARAMETERS", "pv_power"]

_CELL_MODELS: Final = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]

PV_PARAMETERS: Final[Mapping[str, Parameter]] = {
    "tracking": Parameter(
        "fixed", "", "fixed tilt, or trackers with one axis", choices=("fixed", "single_axis")
    ),
    "tilt": Parameter(25.0, "degree", "tilt of fixed modules from horizontal", 0.0, 90.0),
    "azimuth": Parameter(180.0, "degree", "direction fixed modules face, north 0, east 90", 0.0, 360.0),
    "axis_tilt": Parameter(0.0, "degree", "tilt of a tracker's axis", 0.0, 90.0),
    "axis_azimuth": Parameter(180.0, "degree", "direction of a tracker's axis", 0.0, 360.0),
    "max_angle": Parameter(60.0, "degree", "largest rotation of a tracker (PVWatts 5: ±60)", 0.0, 90.0),
    "backtrack": Parameter(True, "", "trackers turn back to avoid shading each other"),
    "gcr": Parameter(0.4, "1", "ground cover ratio of tracker rows (PVWatts 5: 0.4)", 0.01, 1.0),
    "dc_ac_ratio": Parameter(1.2, "1", "DC rating over AC rating (PVWatts 5: 1.2)", 0.1, 5.0),
    "losses": Parameter(
        0.1408, "1", "share of DC power lost to soiling, wiring, mismatch, ... (PVWatts 5: 14.08 %)", 0.0, 1.0
    ),
    "gamma_pdc": Parameter(-0.0037, "1/K", "power per kelvin of cell temperature (PVWatts 5)", -0.02, 0.0),
    "eta_inv_nom": Parameter(0.96, "1", "inverter efficiency at rated power (PVWatts 5: 0.96)", 0.5, 1.0),
    "albedo": Parameter(0.2, "1", "ground reflectance, used where the weather has none", 0.0, 1.0),
    "mounting": Parameter(
        "open_rack_glass_polymer", "", "cell temperature coefficients (SAPM)", choices=tuple(_CELL_MODELS)
    ),
}
"""Parameter columns of PV units. PVWatts 5: A. Dobos, NREL/TP-6A20-62641, 2014; `gamma_pdc` is its
premium module rounded to today's monocrystalline modules (-0.35 %/K there, -0.47 %/K standard)."""

_NEEDED = (
    "ghi",
    "dni",
    "dhi",
    "temp_air",
    "pressure",
    "wind_speed",
    "latitude",
    "longitude",
    "altitude",
    "height",
)


def pv_power(weather: xr.Dataset, plants: pd.DataFrame, *, transposition: str = "haydavies") -> xr.DataArray:
    """Power PV units can deliver, before any curtailment.

    Parameters
    ----------
    weather : Dataset
        As `check_dataset(ds, "weather")` wants it; wind speed at the lowest height cools the cells.
    plants : DataFrame
        Indexed by unit, with `weather_site`, `p_nom_mw` (rated AC power [MW]) and any column of
        `PV_PARAMETERS`.
    transposition : str
        Sky-diffuse model, one of `TRANSPOSITION_MODELS`; "haydavies" is Hay and Davies 1980.

    Returns
    -------
    DataArray
        `available_p_mw` over (time, unit), mean over each interval, 0 <= p <= p_nom_mw. [MW]

    Raises
    ------
    InputError
        With everything that is wrong with the weather, or with the plants.

    Notes
    -----
    Incidence angle losses are those of a glass cover (`pvlib.iam.physical`), cell temperature is
    `pvlib.temperature.sapm_cell`, DC and AC power are `pvlib.pvsystem.pvwatts_dc` and
    `pvlib.inverter.pvwatts`. The inverter's DC limit is p_nom / eta_inv_nom, so that its AC output is
    clipped at p_nom.
    """
    if transposition not in TRANSPOSITION_MODELS:
        finding = Finding(
            "transposition", f"{transposition!r} is unknown", f"use {', '.join(TRANSPOSITION_MODELS)}"
        )
        raise InputError("pv_power", [finding])
    check_dataset(weather, "weather", required=_NEEDED)
    units = complete_plants(plants, PV_PARAMETERS, list(weather["site"].to_numpy()), "PV plants")
    middle = interval_midpoint(weather)
    where = weather.indexes["site"].get_indexer(units["weather_site"].to_numpy())
    at_unit = {name: _at_units(weather[name], where) for name in ("ghi", "dni", "dhi", "temp_air")}
    sun = _sun_at_units(weather, middle, where)
    tilt, azimuth = _orientation(units, sun)
    poa = plane_of_array(
        tilt,
        azimuth,
        sun,
        at_unit["dni"],
        at_unit["ghi"],
        at_unit["dhi"],
        dni_extra=extra_radiation(middle),
        albedo=_at_units(weather["albedo"], where) if "albedo" in weather else _row(units["albedo"]),
        model=transposition,
    )
    wind = _at_units(weather["wind_speed"].isel(height=int(np.argmin(weather["height"].to_numpy()))), where)
    aoi = pvlib.irradiance.aoi(tilt, azimuth, sun.apparent_zenith, sun.azimuth)
    power = _ac_power(units, poa, aoi, at_unit["temp_air"], wind)
    return xr.DataArray(
        power,
        dims=("time", "unit"),
        coords={"time": weather["time"].to_numpy(), "unit": units.index.to_numpy(dtype=object)},
        name="available_p_mw",
        attrs={"units": "MW", "cell_methods": "time: mean", "long_name": "PV power before curtailment"},
    )


def _at_units(variable: xr.DataArray, where: npt.NDArray[np.intp]) -> FloatArray:
    """Values of a (time, site) variable at each unit's site, shape (time, unit)."""
    return np.asarray(variable.transpose("time", "site").to_numpy()[:, where], dtype=np.float64)


def _row(column: pd.Series) -> FloatArray:
    """Return a parameter column as an array that broadcasts over time."""
    return np.asarray(column, dtype=np.float64)[None, :]


def _sun_at_units(weather: xr.Dataset, middle: pd.DatetimeIndex, where: npt.NDArray[np.intp]) -> SunPosition:
    """Sun position, computed once per site that has units."""
    sites, unit_to_site = np.unique(where, return_inverse=True)
    used = weather.isel(site=sites)
    sun = sun_position(
        middle,
        used["latitude"].to_numpy(),
        used["longitude"].to_numpy(),
        used["altitude"].to_numpy(),
        used["pressure"].transpose("time", "site").to_numpy(),
        used["temp_air"].transpose("time", "site").to_numpy(),
    )
    return SunPosition(
        sun.zenith[:, unit_to_site], sun.apparent_zenith[:, unit_to_site], sun.azimuth[:, unit_to_site]
    )


def _orientation(units: pd.DataFrame, sun: SunPosition) -> tuple[FloatArray, FloatArray]:
    """Tilt and azimuth of modules over (time, unit); trackers rest on their axis at night. [degree]"""
    shape = sun.zenith.shape
    tilt = np.broadcast_to(_row(units["tilt"]), shape).copy()
    azimuth = np.broadcast_to(_row(units["azimuth"]), shape).copy()
    trackers = units[units["tracking"] == "single_axis"]
    keys = ["axis_tilt", "axis_azimuth", "max_angle", "backtrack", "gcr"]
    for (axis_tilt, axis_azimuth, max_angle, backtrack, gcr), group in trackers.groupby(keys):
        columns = units.index.get_indexer(group.index)
        rotation = pvlib.tracking.singleaxis(  # takes one axis of values: time and unit in one
            sun.apparent_zenith[:, columns].ravel(),
            sun.azimuth[:, columns].ravel(),
            axis_tilt=axis_tilt,
            axis_azimuth=axis_azimuth,
            max_angle=max_angle,
            backtrack=bool(backtrack),
            gcr=gcr,
        )
        for target, name, at_rest in (
            (tilt, "surface_tilt", axis_tilt),
            (azimuth, "surface_azimuth", axis_azimuth),
        ):
            angle = np.asarray(rotation[name], dtype=np.float64).reshape(shape[0], -1)
            target[:, columns] = np.where(np.isnan(angle), at_rest, angle)
    return tilt, azimuth


def _ac_power(
    units: pd.DataFrame,
    poa: Mapping[str, FloatArray],
    aoi: FloatArray,
    temp_air: FloatArray,
    wind_speed: FloatArray,
) -> FloatArray:
    """AC power over (time, unit) from irradiance in the plane of the modules. [MW]"""
    effective = poa["poa_direct"] * pvlib.iam.physical(aoi) + poa["poa_diffuse"]
    cell = {
        key: np.array([[_CELL_MODELS[mounting][key] for mounting in units["mounting"]]])
        for key in ("a", "b", "deltaT")
    }
    temp_cell = pvlib.temperature.sapm_cell(poa["poa_global"], temp_air, wind_speed, **cell)
    p_nom, eta = _row(units["p_nom_mw"]), _row(units["eta_inv_nom"])
    rated_dc = p_nom * _row(units["dc_ac_ratio"])
    dc = pvlib.pvsystem.pvwatts_dc(effective, temp_cell, rated_dc, _row(units["gamma_pdc"]))
    dc = dc * (1.0 - _row(units["losses"]))
    limit = np.broadcast_to(p_nom / eta, dc.shape)
    has_power = dc > 0.0
    ac = pvlib.inverter.pvwatts(np.where(has_power, dc, 0.0), np.where(limit > 0.0, limit, 1.0), eta)
    # The clip at the limit is p_nom / eta * eta, which may exceed p_nom by one rounding.
    return np.asarray(
        np.clip(np.where(has_power, ac, 0.0), 0.0, np.broadcast_to(p_nom, dc.shape)), dtype=np.float64
    )
