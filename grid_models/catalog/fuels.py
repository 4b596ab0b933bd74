"""Fuels of generators as sources write them, in the project's names, and what burns no fuel."""

from __future__ import annotations

from collections.abc import Mapping

#: Fuel of each MATPOWER ``genfuel`` (User's Manual, table "GENFUELS") in the project's names.
FUEL_OF_MATPOWER: Mapping[str, str] = {
    "biomass": "biomass",
    "coal": "coal",
    "dfo": "oil",
    "dl": "load",
    "ess": "storage",
    "geothermal": "geothermal",
    "hydro": "hydro",
    "hydrops": "storage",
    "jetfuel": "oil",
    "lng": "gas",
    "ng": "gas",
    "nuclear": "nuclear",
    "oil": "oil",
    "other": "other",
    "petcoke": "coal",
    "refuse": "waste",
    "rfo": "oil",
    "solar": "pv",
    "syncgen": "none",
    "unknown": "unknown",
    "wasteheat": "wasteheat",
    "wind": "wind",
    "wood": "biomass",
}

#: Technology of the weather-driven units that stand for generators of a fuel.
UNIT_TECHNOLOGY: Mapping[str, str] = {"wind": "wind", "pv": "pv", "hydro": "hydro"}

#: CO2 of generators by fuel, where a case says nothing. [kg/MWh]
_CO2 = {"coal": 1000.0, "gas": 420.0, "oil": 1000.0}


def co2_of_fuel(fuel: str) -> float:
    """CO2 of a generator of a fuel; zero where the fuel is not told. [kg/MWh]."""
    return _CO2.get(fuel, 0.0)
