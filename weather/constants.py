"""Physical constants and unit factors, each with its source."""

from __future__ import annotations

from typing import Final

__all__ = [
    "EARTH_RADIUS_KM",
    "KELVIN_OFFSET",
    "PA_PER_MBAR",
    "R_DRY_AIR",
    "SECONDS_PER_HOUR",
    "STANDARD_GRAVITY",
]

KELVIN_OFFSET: Final = 273.15
"""Kelvin minus degree Celsius: BIPM, The International System of Units, 9th edition (2019), §2.3.1. [K]"""

R_DRY_AIR: Final = 287.05
"""Specific gas constant of dry air: IEC 61400-12-1:2017, §9.1.5. [J/(kg K)]"""

PA_PER_MBAR: Final = 100.0
"""Pascal per millibar: BIPM, The International System of Units, 8th edition (2006), table 8. [Pa/mbar]"""

EARTH_RADIUS_KM: Final = 6371.0088
"""Mean radius R1 of the Earth: Moritz, Geodetic Reference System 1980, J. Geodesy 74 (2000). [km]"""

SECONDS_PER_HOUR: Final = 3600.0
"""Seconds per hour: BIPM, The International System of Units, 9th edition (2019), table 8. [s/h]"""

STANDARD_GRAVITY: Final = 9.80665
"""Standard acceleration of free fall: BIPM, 3rd CGPM (1901), resolution 2; what ECMWF divides geopotential
by to have a height. [m/s²]"""
