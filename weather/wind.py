"""Wind power from weather and plant parameters, through windpowerlib's functions.

The chain is wind speed and temperature at hub height, air density, wakes, the farm's power curve (turbine
curve of the OEDB library, smoothed over the farm), density correction, losses and availability: the
models of windpowerlib's `ModelChain` and `TurbineClusterModelChain`, which `tests/weather/test_wind.py`
holds it to. This is the only file that knows windpowerlib's units (K, W, columns of heights).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from windpowerlib import (
    WindTurbine,
    density,
    power_curves,
    power_output,
    temperature,
    tools,
    wake_losses,
    wind_speed,
)

from weather._plants import Parameter, complete_plants
from weather._types import FloatArray
from weather.constants import KELVIN_OFFSET
from weather.variables import check_dataset

__all__ = ["WIND_PARAMETERS", "turbine_types", "wind_power"]

NO_WAKE_CURVE: Final = "none"
WAKE_CURVES: Final = (
    NO_WAKE_CURVE,
    *("dena_mean", "dena_extreme1", "dena_extreme2"),
    *("knorr_mean", "knorr_extreme1", "knorr_extreme2", "knorr_extreme3"),
)
"""Names of `wake_curve`: none, or a curve of `windpowerlib.wake_losses` by which wind in the farm is
slower."""


@lru_cache(maxsize=1)
def turbine_types() -> tuple[str, ...]:
    """Names of the turbines with a power curve in the OEDB library that windpowerlib ships, sorted."""
    with (files("windpowerlib") / "oedb" / "power_curves.csv").open() as stream:
        return tuple(sorted(pd.read_csv(stream, index_col=0).index.astype(str)))


WIND_PARAMETERS: Final[Mapping[str, Parameter]] = {
    "turbine_type": Parameter("V112/3000", "", "turbine of the OEDB library", choices=turbine_types()),
    "hub_height_m": Parameter(
        94.0, "m", "hub height above ground (sold for the default turbine)", 10.0, 250.0
    ),
    "wake_curve": Parameter(
        "dena_mean",
        "",
        "wind in the farm over free wind, by speed (dena-Netzstudie II, 2010)",
        choices=WAKE_CURVES,
    ),
    "wake_loss": Parameter(0.0, "1", "further share of power lost at any speed", 0.0, 1.0),
    "availability_loss": Parameter(
        0.03, "1", "share of turbines out of service, everywhere in time alike", 0.0, 1.0
    ),
    "turbulence_intensity": Parameter(
        0.12, "1", "spread of speeds over the farm that smooths its power curve; 0 for none", 0.0, 0.5
    ),
    "density_correction": Parameter(True, "", "shift the power curve with air density"),
}
"""Parameter columns of wind units. An availability of 97 % is what makers commonly warrant; a turbulence
intensity of 0.12 is the reference of class C in IEC 61400-1:2019, table 1."""

_NEEDED = ("temp_air", "pressure", "wind_speed", "height")
_TEMPERATURE_HEIGHT_M = 2.0
_PRESSURE_HEIGHT_M = 0.0


def wind_power(weather: xr.Dataset, plants: pd.DataFrame) -> xr.DataArray:
    """Power wind farms can deliver, before any curtailment.

    Parameters
    ----------
    weather : Dataset
        As `check_dataset(ds, "weather")` wants it, with wind speed at one height or more.
    plants : DataFrame
        Indexed by unit, with `weather_site`, `p_nom_mw` (rated power [MW]) and any column of
        `WIND_PARAMETERS`.

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
    Speed at hub height is the data's where it has that height, else it follows the logarithm of height
    between (or beyond) the two nearest heights, or with one height the power law with exponent 1/7.
    Density follows the barometric formula from surface pressure and from temperature at 2 m less 6.5
    K/km. The farm counts as one power curve in units of its rated power.
    """
    check_dataset(weather, "weather", required=_NEEDED)
    units = complete_plants(plants, WIND_PARAMETERS, list(weather["site"].to_numpy()), "wind plants")
    power = np.zeros((weather.sizes["time"], len(units)))
    for column, (_, unit) in enumerate(units.iterrows()):
        power[:, column] = _farm_power_mw(weather.sel(site=unit["weather_site"]), unit)
    return xr.DataArray(
        power,
        dims=("time", "unit"),
        coords={"time": weather["time"].to_numpy(), "unit": units.index.to_numpy(dtype=object)},
        name="available_p_mw",
        attrs={"units": "MW", "cell_methods": "time: mean", "long_name": "wind power before curtailment"},
    )


def _farm_power_mw(site: xr.Dataset, unit: pd.Series) -> FloatArray:
    """Power of one farm over time. [MW]"""
    hub = float(unit["hub_height_m"])
    speed = _hub_wind_speed(site["wind_speed"], hub)
    if unit["wake_curve"] != NO_WAKE_CURVE:
        reduced = wake_losses.reduce_wind_speed(
            pd.Series(speed), wind_efficiency_curve_name=unit["wake_curve"]
        )
        speed = np.asarray(reduced, dtype=np.float64)
    curve_speed, curve_share = _farm_curve(str(unit["turbine_type"]), float(unit["turbulence_intensity"]))
    hub_density = None
    if unit["density_correction"]:
        kelvin = site["temp_air"].to_numpy() + KELVIN_OFFSET
        hub_kelvin = temperature.linear_gradient(kelvin, _TEMPERATURE_HEIGHT_M, hub)
        hub_density = density.barometric(site["pressure"].to_numpy(), _PRESSURE_HEIGHT_M, hub, hub_kelvin)
    share = power_output.power_curve(
        speed, curve_speed, curve_share, hub_density, density_correction=bool(unit["density_correction"])
    )
    kept = (1.0 - float(unit["wake_loss"])) * (1.0 - float(unit["availability_loss"]))
    # Some curves of the library exceed the rating, by up to 2.5 %; a farm is held to it.
    return np.minimum(np.asarray(share, dtype=np.float64), 1.0) * (kept * float(unit["p_nom_mw"]))


def _hub_wind_speed(profile: xr.DataArray, hub_height_m: float) -> FloatArray:
    """Wind speed at hub height from speeds over (time, height). [m/s]"""
    heights = [float(height) for height in profile["height"].to_numpy()]
    frame = pd.DataFrame(profile.transpose("time", "height").to_numpy(), columns=heights)
    if hub_height_m in heights:
        speed = frame[hub_height_m]
    elif len(heights) == 1:
        speed = wind_speed.hellman(frame[heights[0]], heights[0], hub_height_m)
    else:
        speed = tools.logarithmic_interpolation_extrapolation(frame, hub_height_m)
    return np.asarray(speed.to_numpy(), dtype=np.float64)  # below 0 beyond the data's heights: no power there


@lru_cache(maxsize=256)
def _farm_curve(turbine_type: str, turbulence_intensity: float) -> tuple[FloatArray, FloatArray]:
    """Power curve of a farm: wind speed [m/s] and share of rated power [1], smoothed over the farm."""
    turbine = WindTurbine(hub_height=100.0, turbine_type=turbine_type)
    curve = turbine.power_curve
    if turbulence_intensity > 0.0:
        curve = power_curves.smooth_power_curve(
            curve["wind_speed"], curve["value"], turbulence_intensity=turbulence_intensity
        )
    rated = float(turbine.nominal_power)
    share = curve["value"].to_numpy(dtype=np.float64) / rated
    return curve["wind_speed"].to_numpy(dtype=np.float64), share
