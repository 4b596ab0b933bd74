"""The PV chain on arrays: pvlib's models for whatever hours and units are lit.

Units that differ in their models (tracking, cover, module, ...) are taken kind by kind; those that differ in
numbers only are computed together, hours and units in one array. Where no light falls there is no power, and
nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import pvlib

from weather._types import BoolArray, FloatArray, IntArray
from weather.bifacial import rear_irradiance
from weather.cell_temperature import CELL_TEMPERATURE_MODELS, CellWeather
from weather.irradiance import plane_of_array
from weather.modules import PVWATTS, inverter_share, module_share
from weather.sunposition import SUN_TIME_COLUMNS, SunPosition, sun_at

__all__ = ["IAM_MODELS", "PvKind", "PvModel"]

_SUN: Final = len(SUN_TIME_COLUMNS)
_HORIZON: Final = 89.9
"""Largest zenith for which shadows of rows are drawn. [degree]"""


def _no_loss(aoi: FloatArray) -> FloatArray:
    """No reflection."""
    return np.ones_like(aoi)


IAM_MODELS: Final[Mapping[str, Callable[[FloatArray], FloatArray]]] = {
    "physical": pvlib.iam.physical,
    "physical_ar": partial(pvlib.iam.physical, n_ar=1.29),
    "ashrae": pvlib.iam.ashrae,
    "martin_ruiz": pvlib.iam.martin_ruiz,
    "none": _no_loss,
}
"""Share of the beam that passes a module's cover, by angle of incidence [degree], as in `pvlib.iam`: glass,
glass with an anti-reflective coating (index 1.29), ASHRAE's curve, Martin and Ruiz, no reflection."""


class PvKind(NamedTuple):
    """Models that units share: names as in `PV_PARAMETERS`."""

    tracking: str
    backtrack: bool
    row_shading: bool
    iam: str
    diffuse_iam: bool
    temperature_model: str
    module: str
    inverter: str
    rows: tuple[float, float, float] | None
    """Ground cover ratio [1], height and width of the rows [m] of two-sided modules."""


class _Mount(NamedTuple):
    """Orientation of modules, and of the axis they turn about (for fixed modules along the row). [degree]"""

    tilt: FloatArray
    azimuth: FloatArray
    axis_tilt: FloatArray
    axis_azimuth: FloatArray
    rotation: FloatArray


class _Light(NamedTuple):
    """Weather of lit pairs of hour and unit."""

    ghi: FloatArray
    dni: FloatArray
    dhi: FloatArray
    dni_extra: FloatArray
    albedo: FloatArray
    sun: SunPosition


@dataclass(frozen=True)
class PvModel:
    """PV units as arrays, callable on blocks of weather.

    Attributes
    ----------
    columns : mapping of str to ndarray
        Numbers of the units by parameter name, shape (unit,).
    kinds : tuple of PvKind
        All that occur.
    kind_of_unit : ndarray
        Position in `kinds`.
    transposition : str
        Sky-diffuse model.
    """

    columns: Mapping[str, FloatArray]
    kinds: tuple[PvKind, ...]
    kind_of_unit: IntArray
    transposition: str

    def __call__(self, by_time: FloatArray, values: Mapping[str, FloatArray], units: IntArray) -> FloatArray:
        """AC power over (time, unit[, member]). [MW]

        Columns of `by_time` are those of `sun_time`, then the irradiance above the atmosphere.
        """
        shape = np.broadcast_shapes(*(array.shape for array in values.values()))
        lit = (values["ghi"] > 0.0) | (values["dni"] > 0.0) | (values["dhi"] > 0.0)
        lit = np.broadcast_to(lit, shape)
        power = np.zeros(shape)
        kinds = self.kind_of_unit[units]
        for kind in np.unique(kinds):
            mask: BoolArray = lit
            if (kinds != kind).any():
                mask = lit & (kinds == kind).reshape(1, -1, *(1,) * (len(shape) - 2))
            at = np.nonzero(mask)
            sky = {name: np.broadcast_to(array, shape)[at] for name, array in values.items()}
            power[at] = self._power(self.kinds[kind], by_time[at[0]], sky, units[at[1]])
        return power

    def _power(
        self, kind: PvKind, by_time: FloatArray, sky: Mapping[str, FloatArray], unit: IntArray
    ) -> FloatArray:
        """AC power of pairs of hour and unit. [MW]"""

        def of(name: str) -> FloatArray:
            return self.columns[name][unit]

        pressure = sky["pressure"] if "pressure" in sky else of("pressure")
        place = (of("latitude"), of("longitude"), of("altitude"))
        sun = sun_at(by_time[:, :_SUN], *place, pressure, sky["temp_air"])
        albedo = sky["albedo"] if "albedo" in sky else of("albedo")
        light = _Light(sky["ghi"], sky["dni"], sky["dhi"], by_time[:, _SUN], albedo, sun)
        effective, poa_global = self._irradiance(kind, of, light, _mount(kind, of, sun))
        wind = (sky["cooling_wind"] if "cooling_wind" in sky else of("cooling_wind")) * of("wind_to_10_m")
        cell = CellWeather(poa_global, effective, sky["temp_air"], wind)
        temp_cell = CELL_TEMPERATURE_MODELS[kind.temperature_model](cell, of)
        return _ac_power(kind, of, effective, temp_cell)

    def _irradiance(
        self,
        kind: PvKind,
        of: Callable[[str], FloatArray],
        light: _Light,
        mount: _Mount,
    ) -> tuple[FloatArray, FloatArray]:
        """Irradiance that reaches the cells, and all on the module. [W/m²]"""
        sun, tilt, azimuth = light.sun, mount.tilt, mount.azimuth
        poa = plane_of_array(
            tilt,
            azimuth,
            sun,
            light.dni,
            light.ghi,
            light.dhi,
            dni_extra=light.dni_extra,
            albedo=light.albedo,
            model=self.transposition,
        )
        aoi = pvlib.irradiance.aoi(tilt, azimuth, sun.apparent_zenith, sun.azimuth)
        diffuse = poa["poa_diffuse"]
        if kind.diffuse_iam:
            passes = pvlib.iam.martin_ruiz_diffuse(tilt)
            diffuse = poa["poa_sky_diffuse"] * passes["sky"] + poa["poa_ground_diffuse"] * passes["ground"]
        direct, poa_global = poa["poa_direct"], poa["poa_global"]
        if kind.row_shading:
            direct = direct * _unshaded_share(mount, sun, of("gcr"))
            poa_global = direct + poa["poa_diffuse"]
        effective = direct * IAM_MODELS[kind.iam](aoi) + diffuse
        if kind.rows is not None:
            gcr, height_m, width_m = kind.rows
            rear = of("bifaciality") * rear_irradiance(
                tilt,
                azimuth,
                sun,
                light.dni,
                light.ghi,
                light.dhi,
                albedo=light.albedo,
                gcr=gcr,
                height_m=height_m,
                width_m=width_m,
            )
            effective, poa_global = effective + rear, poa_global + rear
        return effective, poa_global


def _mount(kind: PvKind, of: Callable[[str], FloatArray], sun: SunPosition) -> _Mount:
    """Orientation of modules; trackers rest on their axis while the sun is down."""
    if kind.tracking == "fixed":
        tilt, azimuth = of("tilt"), of("azimuth")
        return _Mount(tilt, azimuth, np.zeros_like(tilt), azimuth - 90.0, tilt)
    axis_tilt, axis_azimuth, limit = of("axis_tilt"), of("axis_azimuth"), of("max_angle")
    turned = pvlib.tracking.singleaxis(
        sun.apparent_zenith,
        sun.azimuth,
        axis_tilt=axis_tilt,
        axis_azimuth=axis_azimuth,
        max_angle=(-limit, limit),
        backtrack=kind.backtrack,
        gcr=of("gcr"),
    )
    is_down = np.isnan(turned["surface_tilt"])
    return _Mount(
        np.where(is_down, axis_tilt, turned["surface_tilt"]),
        np.where(is_down, axis_azimuth, turned["surface_azimuth"]),
        axis_tilt,
        axis_azimuth,
        np.where(is_down, 0.0, turned["tracker_theta"]),
    )


def _unshaded_share(mount: _Mount, sun: SunPosition, gcr: FloatArray) -> FloatArray:
    """Share of a row's width that the row before it leaves in the sun. [1]"""
    shaded = pvlib.shading.shaded_fraction1d(
        np.minimum(sun.apparent_zenith, _HORIZON),
        sun.azimuth,
        mount.axis_azimuth,
        mount.rotation,
        collector_width=gcr,
        pitch=1.0,
        axis_tilt=mount.axis_tilt,
    )
    return np.asarray(1.0 - shaded, dtype=np.float64)


def _ac_power(
    kind: PvKind, of: Callable[[str], FloatArray], effective: FloatArray, temp_cell: FloatArray
) -> FloatArray:
    """AC power from irradiance on the cells and their temperature. [MW]"""
    p_nom, rated_dc, kept = of("p_nom_mw"), of("rated_dc_mw"), 1.0 - of("losses")
    if kind.module == PVWATTS:
        dc = pvlib.pvsystem.pvwatts_dc(effective, temp_cell, rated_dc, of("gamma_pdc"))
    else:
        dc = module_share(kind.module, effective, temp_cell) * rated_dc
    dc = np.maximum(dc * kept, 0.0)
    if kind.inverter == PVWATTS:
        eta = of("eta_inv_nom")
        # A plant without rating has no power; its limit must not be 0 for the efficiency to be defined.
        limit = np.where(p_nom > 0.0, p_nom / eta, 1.0)
        ac = pvlib.inverter.pvwatts(dc, limit, eta)
    else:
        ac = inverter_share(kind.inverter, dc / np.where(p_nom > 0.0, p_nom, 1.0)) * p_nom
    # The clip at the inverter's limit may exceed the rating by one rounding.
    return np.minimum(np.asarray(ac, dtype=np.float64), p_nom)
