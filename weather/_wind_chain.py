"""The wind chain on arrays: hub wind, density, wakes, power curves, cold and losses of hours and farms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from windpowerlib import density, temperature

from weather._types import FloatArray, IntArray
from weather.constants import KELVIN_OFFSET
from weather.icing import cold_share, is_icing
from weather.shear import bracket, hub_wind_speed, nearest, scaled_wind_speed
from weather.storm import is_running
from weather.turbines import STANDARD_DENSITY, CurveTable
from weather.wakes import wind_in_farm

__all__ = ["WindModel"]

_TEMPERATURE_HEIGHT_M = 2.0
_PRESSURE_HEIGHT_M = 0.0


@dataclass(frozen=True)
class WindModel:
    """Wind farms as arrays, callable on blocks of weather.

    Attributes
    ----------
    heights : ndarray
        Heights of the wind speed, ascending. [m]
    columns : mapping of str to ndarray
        Numbers of the units by parameter name, shape (unit,).
    curves : CurveTable
        All farm curves that occur.
    curve_of_unit : ndarray
        Position in `curves`.
    wake_curves : tuple of str
        All that occur.
    wake_of_unit : ndarray
        Position in `wake_curves`.
    minds_cold : bool
        Whether any unit loses power to ice or cold.
    """

    heights: FloatArray
    columns: Mapping[str, FloatArray]
    curves: CurveTable
    curve_of_unit: IntArray
    wake_curves: tuple[str, ...]
    wake_of_unit: IntArray
    minds_cold: bool

    def __call__(self, _: FloatArray, values: Mapping[str, FloatArray], units: IntArray) -> FloatArray:
        """Power over (time, unit[, member]). [MW]"""
        n_more = values["wind_speed"].ndim - 3
        column = {name: row[units].reshape(-1, *(1,) * n_more) for name, row in self.columns.items()}
        free = self._hub_wind(values, column)
        wind = self._wind_in_farms(free, units)
        hub_kelvin = hub_density = None
        if "temp_air" in values:
            hub_kelvin = temperature.linear_gradient(
                values["temp_air"] + KELVIN_OFFSET, _TEMPERATURE_HEIGHT_M, column["hub_height_m"]
            )
            hub_density = _density(hub_kelvin, values, column)
            wind, hub_density = np.broadcast_arrays(wind, hub_density)
        curve = self.curve_of_unit[units].reshape(-1, *(1,) * n_more)
        # Some curves of the library exceed the rating, by up to 2.5 %; a farm is held to it.
        share = np.minimum(self.curves.evaluate(curve, wind, hub_density), 1.0)
        power = share * (column["kept"] * column["p_nom_mw"])
        if hub_kelvin is not None and self.minds_cold:
            power = power * _left_by_cold(hub_kelvin - KELVIN_OFFSET, values, column)
        if (column["restart"] < column["cut_out"]).any():
            power = power * is_running(free, column["cut_out"], column["restart"])
        return np.asarray(power, dtype=np.float64)

    def _hub_wind(self, values: Mapping[str, FloatArray], column: Mapping[str, FloatArray]) -> FloatArray:
        """Free wind speed at hub height. [m/s]"""
        profile, hub = values["wind_speed"], column["hub_height_m"]
        if len(self.heights) == 1:
            day, night = column["day_shear_exponent"], column["night_shear_exponent"]
            exponent = np.where(values["ghi"] > 0.0, day, night) if "ghi" in values else 0.5 * (day + night)
            return scaled_wind_speed(profile[..., 0], float(self.heights[0]), hub, exponent)
        is_log = column["is_log"] > 0.0
        pairs = zip(nearest(self.heights, hub), bracket(self.heights, hub), strict=True)
        lower, upper = (np.where(is_log, near, around) for near, around in pairs)
        return hub_wind_speed(
            _at_height(profile, lower),
            _at_height(profile, upper),
            self.heights[lower],
            self.heights[upper],
            hub,
            is_log,
        )

    def _wind_in_farms(self, free: FloatArray, units: IntArray) -> FloatArray:
        """Wind speed at the turbines. [m/s]"""
        curve_of_unit = self.wake_of_unit[units]
        kinds = np.unique(curve_of_unit)
        if len(kinds) == 1:
            return wind_in_farm(free, self.wake_curves[kinds[0]])
        wind = np.empty_like(free)
        for kind in kinds:
            columns = curve_of_unit == kind
            wind[:, columns] = wind_in_farm(free[:, columns], self.wake_curves[kind])
        return wind


def _at_height(profile: FloatArray, position: IntArray) -> FloatArray:
    """Wind speed at one height per unit."""
    if (position == position.flat[0]).all():
        return profile[..., position.flat[0]]
    index = np.broadcast_to(position, profile.shape[:-1])[..., None]
    return np.take_along_axis(profile, index, axis=-1)[..., 0]


def _density(
    hub_kelvin: FloatArray, values: Mapping[str, FloatArray], column: Mapping[str, FloatArray]
) -> FloatArray:
    """Air density at hub height, or that of the power curve where a unit's is not corrected. [kg/m³]"""
    pressure = values.get("pressure", column["pressure"])
    hub_density = density.barometric(pressure, _PRESSURE_HEIGHT_M, column["hub_height_m"], hub_kelvin)
    return np.where(column["is_corrected"] > 0.0, hub_density, STANDARD_DENSITY)


def _left_by_cold(
    hub_temp: FloatArray, values: Mapping[str, FloatArray], column: Mapping[str, FloatArray]
) -> FloatArray:
    """Share of power that ice and cold leave. [1]"""
    icing = np.zeros(1, dtype=bool)
    if "relative_humidity" in values:
        limits = (column["icing_temp_c"], column["icing_humidity_percent"])
        icing = is_icing(hub_temp, values["relative_humidity"], *limits)
    return cold_share(hub_temp, icing, column["icing_loss"], column["stop_below_c"])
