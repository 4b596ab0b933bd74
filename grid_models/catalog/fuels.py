"""Fuels of generators as sources write them, in the project's names, and what burns no fuel."""

from __future__ import annotations

from collections.abc import Mapping

from grid_models.emissions import FUELS, emission_factor_kg_per_mwh

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


def co2_of_fuel(fuel: str) -> float:
    """Direct CO2 of a generator of a fuel; zero where the fuel is not told or nothing is burnt. [kg/MWh]."""
    return emission_factor_kg_per_mwh(fuel) if fuel in FUELS else 0.0
