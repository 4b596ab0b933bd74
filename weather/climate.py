"""Parameters of the weather generator: one frozen dataclass per climate, each number with its source.

Sources in the comments: "fitted" means chosen so that the table of `docs/calibration.md` holds (recorded
RTS-GMLC wind and PV); "NSRDB/WTK" means read off public NSRDB and WIND Toolkit years of five US places
(means by month and hour, autocorrelation, quantiles), rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from weather._fields import FieldSpec, earth_coordinates_km
from weather._types import FloatArray

__all__ = ["US_SOUTHWEST", "Climate", "WindRegion"]

_SHEAR_FIELD: Final = FieldSpec(stream=30, share=1.0, length_km=150.0, tau_h=6.0, smooth_h=0.25)
_TEMP_FIELD: Final = FieldSpec(stream=40, share=1.0, length_km=800.0, tau_h=60.0)


@dataclass(frozen=True)
class WindRegion:
    """A stretch of land whose wind differs from the climate's background.

    Its values hold at the centre and fade into the background with exp(-(d / radius)^2).

    Attributes
    ----------
    name : str
        For people.
    latitude, longitude : float
        Centre. [degree]
    radius_km : float
        How far it reaches. [km]
    mean_speed : float
        Mean wind speed at 100 m. [m/s]
    regional_share : float
        Part of the latent variance that is shared over hundreds of kilometres; the rest is local. [1]
    """

    name: str
    latitude: float
    longitude: float
    radius_km: float
    mean_speed: float
    regional_share: float


@dataclass(frozen=True)
class Climate:
    """What the generator needs to know about a climate.

    Attributes
    ----------
    name : str
        Goes into the dataset's `source`.
    clear_sky_index : tuple of (probability, value)
        Quantile function of the clear-sky index ghi / clear-sky ghi; straight between its points. [1]
    cloud_fields : tuple of FieldSpec
        Components of the latent process behind it; shares add up to 1.
    wind_mean_speed : float
        Mean at 100 m away from all regions. [m/s]
    wind_weibull_shape : float
        Weibull shape of the speed at a given day of year and hour. [1]
    wind_regional_share : float
        As in `WindRegion`, away from all regions. [1]
    wind_regions : tuple of WindRegion
        Where wind differs.
    wind_regional_fields, wind_local_fields : tuple of FieldSpec
        Components of the shared and the local part; the shares of each add up to 1.
    wind_seasonal_amplitude, wind_peak_day
        Relative amplitude and day of year (northern hemisphere) of the yearly cycle of the mean speed.
        [1], [day]
    wind_diurnal_amplitude, wind_peak_hour
        Relative amplitude and local solar hour of the daily cycle. [1], [h]
    shear_mean, shear_diurnal_amplitude, shear_spread
        Power-law exponent between 10 m and 100 m: mean, amplitude of its daily cycle, spread. [1]
    shear_range : tuple of float
        Limits of the exponent. [1]
    shear_field : FieldSpec
        Process of the spread.
    temp_mean_35 : float
        Yearly mean at 35 degree latitude reduced to sea level. [°C]
    temp_per_degree : float
        Change of it per degree of latitude towards the pole. [K/degree]
    temp_lapse_per_m : float
        Change per metre of altitude. [K/m]
    temp_seasonal_amplitude_35, temp_seasonal_per_degree, temp_peak_day
        Yearly cycle at 35 degree latitude, its growth towards the pole, its warmest day (northern
        hemisphere). [K], [K/degree], [day]
    temp_diurnal_amplitude, temp_peak_hour
        Daily cycle and its warmest local solar hour. [K], [h]
    temp_spread : float
        Standard deviation around both cycles. [K]
    temp_field : FieldSpec
        Process of the spread.
    """

    name: str
    clear_sky_index: tuple[tuple[float, float], ...]
    cloud_fields: tuple[FieldSpec, ...]
    wind_mean_speed: float
    wind_weibull_shape: float
    wind_regional_share: float
    wind_regional_fields: tuple[FieldSpec, ...]
    wind_local_fields: tuple[FieldSpec, ...]
    wind_seasonal_amplitude: float
    wind_peak_day: float
    wind_diurnal_amplitude: float
    wind_peak_hour: float
    wind_regions: tuple[WindRegion, ...] = field(default=())
    # Shear: WTK, hourly medians of three places are 0.10-0.24 by day, 0.25-0.48 by night.
    shear_mean: float = 0.24
    shear_diurnal_amplitude: float = 0.10
    shear_spread: float = 0.06
    shear_range: tuple[float, float] = (0.02, 0.60)
    shear_field: FieldSpec = _SHEAR_FIELD
    # Temperature: NSRDB means and monthly means of five places between 31 and 48 degree.
    temp_mean_35: float = 22.5
    temp_per_degree: float = -1.2
    temp_lapse_per_m: float = -0.0065  # ICAO standard atmosphere
    temp_seasonal_amplitude_35: float = 12.0
    temp_seasonal_per_degree: float = 0.4
    temp_peak_day: float = 205.0
    temp_diurnal_amplitude: float = 6.5
    temp_peak_hour: float = 14.5
    temp_spread: float = 3.8
    temp_field: FieldSpec = _TEMP_FIELD

    def wind_site_parameters(
        self, latitude: FloatArray, longitude: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Mean speed at 100 m [m/s] and regional share [1] at places, background blended with regions."""
        xyz = earth_coordinates_km(latitude, longitude)
        speed = np.full(len(xyz), self.wind_mean_speed)
        share = np.full(len(xyz), self.wind_regional_share)
        for region in self.wind_regions:
            centre = earth_coordinates_km(np.array([region.latitude]), np.array([region.longitude]))
            distance = np.sqrt(((xyz - centre) ** 2).sum(axis=1))
            nearness = np.exp(-((distance / region.radius_km) ** 2))
            speed += nearness * (region.mean_speed - speed)
            share += nearness * (region.regional_share - share)
        return speed, share


US_SOUTHWEST: Final = Climate(
    name="US Southwest",
    # NSRDB typical year of Daggett CA, zenith < 75 degree; the top cut at 1.12.
    clear_sky_index=(
        (0.0, 0.02),
        (0.01, 0.13),
        (0.02, 0.23),
        (0.05, 0.50),
        (0.1, 0.74),
        (0.15, 0.84),
        (0.2, 0.90),
        (0.3, 0.99),
        (0.4, 1.02),
        (0.6, 1.04),
        (0.8, 1.06),
        (0.9, 1.08),
        (1.0, 1.12),
    ),
    cloud_fields=(
        FieldSpec(stream=10, share=0.5, length_km=500.0, tau_h=18.0),
        FieldSpec(stream=11, share=0.3, length_km=150.0, tau_h=3.0),
        FieldSpec(stream=12, share=0.2, length_km=15.0, tau_h=0.4),
    ),
    wind_mean_speed=7.7,
    wind_weibull_shape=1.6,
    wind_regional_share=0.95,
    wind_regions=(WindRegion("western Antelope Valley and Tehachapi", 34.98, -118.09, 60.0, 6.4, 0.5),),
    wind_regional_fields=(
        FieldSpec(stream=20, share=0.45, length_km=4000.0, tau_h=70.0, smooth_h=0.25),
        FieldSpec(stream=21, share=0.55, length_km=4000.0, tau_h=15.0, smooth_h=0.25),
    ),
    wind_local_fields=(
        FieldSpec(stream=22, share=0.5, length_km=60.0, tau_h=40.0, smooth_h=0.25),
        FieldSpec(stream=23, share=0.5, length_km=60.0, tau_h=7.0, smooth_h=0.25),
    ),
    wind_seasonal_amplitude=0.25,
    wind_peak_day=0.0,
    wind_diurnal_amplitude=0.12,
    wind_peak_hour=0.5,
)
"""Deserts of California, Nevada and Arizona, calibrated on the plants of RTS-GMLC."""
