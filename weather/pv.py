"""Photovoltaic power from weather and plant parameters, through pvlib over (time, unit) arrays.

The chain is sun position at the interval's middle, tracker rotation, transposition, incidence angle, rear
irradiance, cell temperature, DC power, losses, inverter with clipping: the models of pvlib's `ModelChain`,
which `tests/weather/test_pv.py` holds it to. Here plants are described and checked; the arrays are in
`_pv_chain.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvlib
import xarray as xr

from weather._blocks import checked_weather, over_units, site_names
from weather._plants import Parameter, complete_plants
from weather._pv_chain import IAM_MODELS, PvKind, PvModel
from weather._types import FloatArray
from weather.cell_temperature import CELL_TEMPERATURE_MODELS, MOUNTINGS, cell_parameters
from weather.decomposition import DEFAULT_DECOMPOSITION, decompose
from weather.errors import Finding, InputError
from weather.irradiance import TRANSPOSITION_MODELS
from weather.losses import PV_LOSSES, pv_losses
from weather.modules import PVWATTS, name_findings
from weather.sunposition import extra_radiation, sun_time
from weather.timeaxis import interval_midpoint

__all__ = ["IAM_MODELS", "PV_PARAMETERS", "optimal_tilt", "pv_power"]

PV_PARAMETERS: Final[Mapping[str, Parameter]] = {
    "tracking": Parameter(
        "fixed", "", "fixed tilt, or trackers with one axis", choices=("fixed", "single_axis")
    ),
    "tilt": Parameter(
        np.nan, "degree", "tilt of fixed modules (default: `optimal_tilt`)", 0.0, 90.0, derived=True
    ),
    "azimuth": Parameter(
        np.nan,
        "degree",
        "direction of fixed modules, north 0 (default: the equator)",
        0.0,
        360.0,
        derived=True,
    ),
    "axis_tilt": Parameter(0.0, "degree", "tilt of a tracker's axis", 0.0, 90.0),
    "axis_azimuth": Parameter(
        np.nan, "degree", "where a tracker's axis slopes to (default: the equator)", 0.0, 360.0, derived=True
    ),
    "max_angle": Parameter(60.0, "degree", "largest rotation of a tracker (PVWatts 5: ±60)", 0.0, 90.0),
    "backtrack": Parameter(True, "", "trackers turn back to avoid shading each other"),
    "row_shading": Parameter(
        False, "", "whether rows shade each other's beam, by area (off: it is in `shading_loss`)"
    ),
    "gcr": Parameter(0.4, "1", "ground cover ratio of rows (PVWatts 5: 0.4)", 0.01, 1.0),
    "dc_ac_ratio": Parameter(1.2, "1", "DC rating over AC rating (PVWatts 5: 1.2)", 0.1, 5.0),
    **PV_LOSSES,
    "module": Parameter(PVWATTS, "", "pvwatts, or a module of the CEC table"),
    "gamma_pdc": Parameter(-0.0037, "1/K", "pvwatts: power per kelvin of cell temperature", -0.02, 0.0),
    "iam": Parameter("physical", "", "reflection of beam by angle", choices=tuple(IAM_MODELS)),
    "diffuse_iam": Parameter(False, "", "whether diffuse light is reflected too (Martin and Ruiz)"),
    "bifaciality": Parameter(0.0, "1", "efficiency of the rear over the front; 0: one-sided", 0.0, 1.0),
    "row_height_m": Parameter(1.5, "m", "height of the rows' centre, for two-sided modules", 0.1, 20.0),
    "row_width_m": Parameter(2.0, "m", "width of rows along their slope, for two-sided modules", 0.1, 20.0),
    "temperature_model": Parameter("sapm", "", "cell temperature", choices=tuple(CELL_TEMPERATURE_MODELS)),
    "mounting": Parameter(
        "open_rack_glass_polymer", "", "how well modules are cooled (SAPM's names)", choices=tuple(MOUNTINGS)
    ),
    "noct": Parameter(45.0, "°C", "noct_sam: nominal operating cell temperature", 30.0, 80.0),
    "module_efficiency": Parameter(0.2, "1", "noct_sam: efficiency of the module", 0.01, 0.5),
    "inverter": Parameter(PVWATTS, "", "pvwatts, or an inverter of the CEC table"),
    "eta_inv_nom": Parameter(
        0.96, "1", "pvwatts: inverter efficiency at rated power (PVWatts 5: 0.96)", 0.5, 1.0
    ),
    "albedo": Parameter(0.2, "1", "ground reflectance, used where the weather has none", 0.0, 1.0),
}
"""Parameter columns of PV units. PVWatts 5: A. Dobos, NREL/TP-6A20-62641, 2014; `gamma_pdc` is its premium
module rounded to today's monocrystalline modules (-0.35 %/K there, -0.47 %/K standard)."""

_NEEDED: Final = ("ghi", "dni", "dhi", "temp_air", "latitude", "longitude", "altitude")
_USABLE: Final = ("pressure", "albedo", "wind_speed")
_NUMBERS: Final = tuple(name for name, p in PV_PARAMETERS.items() if isinstance(p.default, float))
_WIND_HEIGHT_M: Final = 10.0
"""Height of the wind speed that cell temperature models were fitted to. [m]"""
_WIND_EXPONENT: Final = 0.2
"""Exponent by which other heights are brought there: IEC 61400-1:2019, normal wind profile. [1]"""


def pv_power(
    weather: xr.Dataset,
    plants: pd.DataFrame,
    *,
    transposition: str = "haydavies",
    decomposition: str = DEFAULT_DECOMPOSITION,
    wind_speed_m_s: float | None = None,
) -> xr.DataArray:
    """Power PV units can deliver, before any curtailment.

    Parameters
    ----------
    weather : Dataset
        As `check_dataset(ds, "weather")` wants it, with `ghi` and `temp_air` at least; it may be lazy and
        have a dimension `member`. Where `dni` or `dhi` is missing it is modelled (`weather.decompose`);
        without `pressure` that of the standard atmosphere is taken. Wind speed at the lowest height cools the
        cells.
    plants : DataFrame
        Indexed by unit, with `weather_site`, `p_nom_mw` (rated AC power [MW]) and any column of
        `PV_PARAMETERS`.
    transposition : str
        Sky-diffuse model, one of `TRANSPOSITION_MODELS`; "haydavies" is Hay and Davies 1980.
    decomposition : str
        One of `DECOMPOSITION_MODELS`, for weather that has `ghi` alone.
    wind_speed_m_s : float, optional
        Wind at 10 m for weather that has none; without it such weather is refused. [m/s]

    Returns
    -------
    DataArray
        `available_p_mw` over (time, unit[, member]), mean over each interval, 0 <= p <= p_nom_mw; lazy where
        the weather is. `attrs["decomposition"]` says where modelled beam comes from. [MW]

    Raises
    ------
    InputError
        With everything that is wrong with the weather, or with the plants.

    Notes
    -----
    The inverter's DC limit is p_nom / eta_inv_nom, so that its AC output is clipped at p_nom. Hourly means
    hide the minutes in which a plant clips: see `docs/generation.md`.
    """
    if transposition not in TRANSPOSITION_MODELS:
        remedy = f"use one of {', '.join(TRANSPOSITION_MODELS)}"
        raise InputError("pv_power", [Finding("transposition", f"{transposition!r} is unknown", remedy)])
    full = decompose(weather, decomposition)
    wind = ("wind_speed", "height") if wind_speed_m_s is None or "wind_speed" in full else ()
    sky = checked_weather(full, (*_NEEDED, *wind), _USABLE)
    units = complete_plants(plants, PV_PARAMETERS, site_names(sky), "PV plants")
    name_findings(units).raise_if_any("PV plants")
    where = sky.indexes["site"].get_indexer(units["weather_site"].to_numpy())
    model = _model(units, sky, where, transposition, wind_speed_m_s)
    middle = interval_midpoint(sky)
    by_time = np.hstack([sun_time(middle), extra_radiation(middle)])
    power = over_units(model, _with_cooling_wind(sky), where, by_time)
    attrs = {"units": "MW", "cell_methods": "time: mean", "long_name": "PV power before curtailment"}
    if full is not weather:
        attrs["decomposition"] = full.attrs["decomposition"]
    named = power.assign_coords(unit=units.index.to_numpy(dtype=object)).rename("available_p_mw")
    return named.assign_attrs(attrs)


def optimal_tilt(latitude: npt.ArrayLike) -> FloatArray:
    """Tilt towards the equator at which fixed modules yield most in a year [1]_.

    Parameters
    ----------
    latitude : array-like
        North positive. [degree]

    Returns
    -------
    ndarray
        Tilt from horizontal. [degree]

    References
    ----------
    .. [1] M. Z. Jacobson and V. Jadhav, "World estimates of PV optimal tilt angles and ratios of sunlight
       incident upon tilted and tracked PV panels relative to horizontal panels", Solar Energy 169, 2018.

    Examples
    --------
    >>> optimal_tilt([35.0, -34.0]).round(1).tolist()
    [29.2, 29.5]
    """
    phi = np.asarray(latitude, dtype=np.float64)
    north = 1.3793 + phi * (1.2011 + phi * (-0.014404 + phi * 0.000080509))
    south = 0.41657 - phi * (1.4216 + phi * (0.024051 + phi * 0.00021828))
    return np.clip(np.where(phi >= 0.0, north, south), 0.0, 90.0)


def _with_cooling_wind(sky: xr.Dataset) -> xr.Dataset:
    """Replace wind over heights by that of the lowest one, as `cooling_wind`."""
    if "wind_speed" not in sky:
        return sky
    lowest = int(np.argmin(sky["height"].to_numpy()))
    wind = sky["wind_speed"].isel(height=lowest, drop=True)
    return sky.drop_vars(["wind_speed", "height"]).assign(cooling_wind=wind)


def _model(
    units: pd.DataFrame,
    sky: xr.Dataset,
    where: npt.NDArray[np.intp],
    transposition: str,
    wind_speed_m_s: float | None,
) -> PvModel:
    """Plants as arrays."""
    place = {name: sky[name].to_numpy()[where] for name in ("latitude", "longitude", "altitude")}
    numbers = {name: units[name].to_numpy(dtype=np.float64) for name in ("p_nom_mw", *_NUMBERS)}
    equator = np.where(place["latitude"] >= 0.0, 180.0, 0.0)
    usual = {"tilt": optimal_tilt(place["latitude"]), "azimuth": equator, "axis_azimuth": equator}
    numbers |= {
        name: np.where(np.isnan(numbers[name]), value, numbers[name]) for name, value in usual.items()
    }
    lowest = float(sky["height"].min()) if "wind_speed" in sky else _WIND_HEIGHT_M
    ones = np.ones(len(units))
    columns = {
        **place,
        **numbers,
        **cell_parameters(units["mounting"]),
        "losses": pv_losses(units),
        "rated_dc_mw": numbers["p_nom_mw"] * numbers["dc_ac_ratio"],
        "pressure": np.asarray(pvlib.atmosphere.alt2pres(place["altitude"])),
        "cooling_wind": ones * (wind_speed_m_s or 0.0),
        "wind_to_10_m": ones * (_WIND_HEIGHT_M / lowest) ** _WIND_EXPONENT,
    }
    kinds = [_kind(unit) for _, unit in units.iterrows()]
    distinct = tuple(dict.fromkeys(kinds))
    return PvModel(columns, distinct, np.array([distinct.index(kind) for kind in kinds]), transposition)


def _kind(unit: pd.Series) -> PvKind:
    """Models of a unit; those that have no part in its power do not tell it from others."""
    return PvKind(
        tracking=str(unit["tracking"]),
        backtrack=bool(unit["backtrack"]) or unit["tracking"] == "fixed",
        row_shading=bool(unit["row_shading"]),
        iam=str(unit["iam"]),
        diffuse_iam=bool(unit["diffuse_iam"]),
        temperature_model=str(unit["temperature_model"]),
        module=str(unit["module"]),
        inverter=str(unit["inverter"]),
        rows=(float(unit["gcr"]), float(unit["row_height_m"]), float(unit["row_width_m"]))
        if unit["bifaciality"] > 0.0
        else None,
    )
