"""Wind power from weather and plant parameters, through windpowerlib's models over (time, unit) arrays.

The chain is wind speed and temperature at hub height, air density, wakes, the farm's power curve (turbine
curve of the OEDB library or the user's, smoothed over the farm), density correction, storm, cold, losses and
availability: the models of windpowerlib's `ModelChain` and `TurbineClusterModelChain`, which
`tests/weather/test_wind.py` holds it to. Here farms are described and checked; the arrays are in
`_wind_chain.py`.
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
from weather._types import FloatArray
from weather._wind_chain import WindModel
from weather.losses import WIND_LOSSES, remaining_share
from weather.shear import SHEAR_MODELS
from weather.turbines import (
    CurveTable,
    PowerCurve,
    farm_curve,
    hub_height_of,
    library_curve,
    turbine_types,
    user_curves,
)
from weather.wakes import WAKE_CURVES

__all__ = ["WIND_PARAMETERS", "turbine_types", "wind_power"]

DEFAULT_HUB_HEIGHT_M: Final = 94.0
"""Hub height of types whose own is not known: that of the default turbine. [m]"""

WIND_PARAMETERS: Final[Mapping[str, Parameter]] = {
    "turbine_type": Parameter(
        "V112/3000", "", "turbine of the OEDB library, or of `turbine_curves`", choices=turbine_types()
    ),
    "hub_height_m": Parameter(
        np.nan,
        "m",
        "hub height (default: median of those the type is sold with, or 94 m)",
        10.0,
        250.0,
        derived=True,
    ),
    "shear": Parameter(
        "power_law",
        "",
        "between heights: the hour's own power law, or linear in the logarithm of height as windpowerlib",
        choices=SHEAR_MODELS,
    ),
    "day_shear_exponent": Parameter(
        0.12, "1", "power law of weather with one height while the sun is up", -0.5, 1.0
    ),
    "night_shear_exponent": Parameter(
        0.3, "1", "the same by night; the mean of both where the weather has no ghi", -0.5, 1.0
    ),
    "density_correction": Parameter(True, "", "shift the power curve with air density"),
    "wake_curve": Parameter(
        "dena_mean", "", "wind in the farm over free wind, by speed", choices=WAKE_CURVES
    ),
    "wake_loss": Parameter(0.0, "1", "further share of power lost to wakes at any speed", 0.0, 1.0),
    "turbulence_intensity": Parameter(
        0.12, "1", "spread of speeds over the farm that smooths its power curve; 0 for none", 0.0, 0.5
    ),
    "storm_hysteresis_m_s": Parameter(
        0.0, "m/s", "how far wind must fall below the cut-out speed for a restart; 0: no memory", 0.0, 15.0
    ),
    "icing_loss": Parameter(0.0, "1", "share of power lost while ice may grow; 1: turbines stop", 0.0, 1.0),
    "icing_temp_c": Parameter(0.0, "°C", "ice may grow at or below this temperature", -40.0, 10.0),
    "icing_humidity_percent": Parameter(95.0, "%", "and at or above this relative humidity", 0.0, 100.0),
    "stop_below_c": Parameter(
        np.nan, "°C", "turbines stop below it (default: never)", -60.0, 0.0, derived=True
    ),
    **WIND_LOSSES,
}
"""Parameter columns of wind units. A turbulence intensity of 0.12 is the reference of class C in IEC
61400-1:2019, table 1. The exponents by day and night are near the means of Irwin's stability classes over
open country that occur then (0.07 to 0.15; 0.15, 0.35 and 0.55; see `weather.shear`), and their mean is near
the 0.2 of the normal wind profile of IEC 61400-1:2019, section 6.3.2.2."""

_USABLE: Final = ("wind_speed", "temp_air", "pressure", "relative_humidity", "ghi")
_NUMBERS: Final = (
    *("p_nom_mw", "hub_height_m", "day_shear_exponent", "night_shear_exponent"),
    *("icing_loss", "icing_temp_c", "icing_humidity_percent"),
)


def wind_power(
    weather: xr.Dataset,
    plants: pd.DataFrame,
    *,
    turbine_curves: Mapping[str, pd.DataFrame] | None = None,
) -> xr.DataArray:
    """Power wind farms can deliver, before any curtailment.

    Parameters
    ----------
    weather : Dataset
        As `check_dataset(ds, "weather")` wants it, with wind speed at one height or more, and with
        temperature where density is corrected or cold minded; it may be lazy and have a dimension `member`.
        Without `pressure` that of the standard atmosphere is taken.
    plants : DataFrame
        Indexed by unit, with `weather_site`, `p_nom_mw` (rated power [MW]) and any column of
        `WIND_PARAMETERS`.
    turbine_curves : mapping of str to DataFrame, optional
        Power curves that `turbine_type` may name beside those of the library: columns `wind_speed` [m/s] and
        `power_kw`.

    Returns
    -------
    DataArray
        `available_p_mw` over (time, unit[, member]), mean over each interval, 0 <= p <= p_nom_mw; lazy where
        the weather is. [MW]

    Raises
    ------
    InputError
        With everything that is wrong with the weather, or with the plants.

    Notes
    -----
    Speed at hub height follows from the heights that bracket it (the two next to it beyond the data) by
    `shear`; with one height by a power law with the exponents of the plant. Density follows the barometric
    formula from surface pressure and from temperature at 2 m less 6.5 K/km. The farm counts as one power
    curve in units of its rated power. With storm hysteresis a lazy time axis is merged into one chunk.
    """
    own = user_curves(turbine_curves or {})
    types = Parameter(
        "V112/3000", "", WIND_PARAMETERS["turbine_type"].meaning, choices=(*turbine_types(), *own)
    )
    table = {**WIND_PARAMETERS, "turbine_type": types}
    units = complete_plants(plants, table, site_names(weather), "wind plants")
    sky = _checked(weather, units)
    where = sky.indexes["site"].get_indexer(units["weather_site"].to_numpy())
    power = over_units(
        _model(units, sky, where, own),
        sky,
        where,
        np.zeros((sky.sizes["time"], 1)),
        whole_time=bool((units["storm_hysteresis_m_s"] > 0.0).any()),
    )
    attrs = {"units": "MW", "cell_methods": "time: mean", "long_name": "wind power before curtailment"}
    named = power.assign_coords(unit=units.index.to_numpy(dtype=object)).rename("available_p_mw")
    return named.assign_attrs(attrs)


def _checked(weather: xr.Dataset, units: pd.DataFrame) -> xr.Dataset:
    """Return the part of the weather that the units need, checked, with ascending heights."""
    minds_cold = (units["icing_loss"] > 0.0) | units["stop_below_c"].notna()
    needs_temp = bool((units["density_correction"] | minds_cold).any())
    needed = ["wind_speed", "height", *(["temp_air"] if needs_temp else [])]
    if needs_temp and "pressure" not in weather:
        needed.append("altitude")
    usable = {"wind_speed", *(("temp_air", "pressure") if needs_temp else ())}
    if (units["icing_loss"] > 0.0).any():
        needed.append("relative_humidity")
    if weather.sizes.get("height") == 1:
        usable.add("ghi")
    sky = checked_weather(weather, needed, usable)
    # Sorting copies; nearly all weather has its heights in order.
    return sky if sky.indexes["height"].is_monotonic_increasing else sky.sortby("height")


def _model(
    units: pd.DataFrame,
    sky: xr.Dataset,
    where: npt.NDArray[np.intp],
    own: Mapping[str, PowerCurve],
) -> WindModel:
    """Farms as arrays."""
    turbines = {
        name: own[name] if name in own else library_curve(name) for name in units["turbine_type"].unique()
    }
    kinds = list(zip(units["turbine_type"], units["turbulence_intensity"].astype(float), strict=True))
    distinct = list(dict.fromkeys(kinds))
    wakes = tuple(units["wake_curve"].unique())
    cut_out = np.array([turbines[name].cut_out for name in units["turbine_type"]])
    hysteresis = units["storm_hysteresis_m_s"].to_numpy(dtype=np.float64)
    usual = np.array([hub_height_of(str(name), DEFAULT_HUB_HEIGHT_M) for name in units["turbine_type"]])
    stop_below = units["stop_below_c"].to_numpy(dtype=np.float64)
    columns = {name: units[name].to_numpy(dtype=np.float64) for name in _NUMBERS}
    hub = columns["hub_height_m"]
    columns |= {
        "hub_height_m": np.where(np.isnan(hub), usual, hub),
        "is_log": (units["shear"] == "log").to_numpy(dtype=np.float64),
        "is_corrected": units["density_correction"].to_numpy(dtype=np.float64),
        "pressure": _standard_pressure(sky, where),
        "cut_out": np.where(hysteresis > 0.0, cut_out, np.inf),
        "restart": np.where(hysteresis > 0.0, cut_out - hysteresis, np.inf),
        "stop_below_c": np.where(np.isnan(stop_below), -np.inf, stop_below),
        "kept": remaining_share(units[name].astype(float) for name in ("wake_loss", *WIND_LOSSES)),
    }
    return WindModel(
        heights=sky["height"].to_numpy().astype(np.float64),
        columns=columns,
        curves=CurveTable.of([farm_curve(turbines[name], spread) for name, spread in distinct]),
        curve_of_unit=np.array([distinct.index(kind) for kind in kinds]),
        wake_curves=wakes,
        wake_of_unit=np.array([wakes.index(name) for name in units["wake_curve"]]),
        minds_cold=bool((columns["icing_loss"] > 0.0).any() or np.isfinite(columns["stop_below_c"]).any()),
    )


def _standard_pressure(sky: xr.Dataset, where: npt.NDArray[np.intp]) -> FloatArray:
    """Pressure of the standard atmosphere at each unit; of sea level where nothing asks for it. [Pa]"""
    altitude = sky["altitude"].to_numpy()[where] if "altitude" in sky.coords else np.zeros(len(where))
    return np.asarray(pvlib.atmosphere.alt2pres(altitude), dtype=np.float64)
