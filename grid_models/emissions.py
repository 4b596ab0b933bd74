"""CO2 of electricity by fuel: what is burnt per MWh, and what making fuel and plant took.

Grids with heat rates have emissions of their own (fuel factor times heat rate, unit by unit); the factors
here are for the others. Direct emissions are fuel carbon [1]_ times heat rate, by default the mean of the
United States' fleet [2]_. Life-cycle emissions add what comes before combustion: for fossil fuels per unit
of fuel (life cycle less direct of [3]_ for coal and gas, at the heat rate its direct emissions imply; well
to tank of diesel oil [4]_), for the others per MWh, mostly the plant itself [3]_. Biomass counts as free of
direct CO2, as in national inventories; waste counts with the fossil part of its carbon.

They are means of fleets. Single plants differ by a third in either direction: combined cycles emit some 350,
open gas turbines 550 to 820 kg/MWh, so give heat rates where there are any.

References
----------
.. [1] U.S. Energy Information Administration, Carbon Dioxide Emissions Coefficients by Fuel, 2016; municipal
   waste: Electric Power Annual, table A.3.
.. [2] U.S. Energy Information Administration, Electric Power Annual 2022, table 8.1, average operating heat
   rates; waste: steam-electric generators, its FAQ of 2014.
.. [3] S. Schlömer et al., Annex III of Climate Change 2014: Mitigation of Climate Change, IPCC, table
   A.III.2, medians.
.. [4] UK Government GHG Conversion Factors 2025, well to tank: 0.611 kg CO2e per litre of diesel oil of
   0.0366 MMBtu.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from weather import Findings

Scope = Literal["direct", "life_cycle"]


@dataclass(frozen=True)
class FuelCarbon:
    """Carbon of electricity from one fuel.

    Attributes
    ----------
    direct_kg_per_mmbtu : float
        CO2 of burning it, per higher heating value. [kg/MMBtu]
    upstream_kg_per_mmbtu : float
        CO2-equivalent of winning and bringing it. [kg/MMBtu]
    heat_rate_mmbtu_per_mwh : float
        Mean fuel per electricity; 0 for what burns none. [MMBtu/MWh]
    plant_kg_per_mwh : float
        CO2-equivalent of the plant and of fuel that is not counted per heating value. [kg/MWh]
    """

    direct_kg_per_mmbtu: float = 0.0
    upstream_kg_per_mmbtu: float = 0.0
    heat_rate_mmbtu_per_mwh: float = 0.0
    plant_kg_per_mwh: float = 0.0


_COAL_UPSTREAM = 60.0 / (760.0 / 95.35)  # [3]: 820 - 760 kg/MWh at the heat rate of its direct 760
_GAS_UPSTREAM = 120.0 / (370.0 / 53.07)  # [3]: 490 - 370 kg/MWh, combined cycle
_OIL_UPSTREAM = 0.611 / 0.0366  # [4]

#: Carbon by fuel, and by technology of weather-driven units.
FUELS: Mapping[str, FuelCarbon] = MappingProxyType(
    {
        "coal": FuelCarbon(95.35, _COAL_UPSTREAM, 10.689),
        "lignite": FuelCarbon(97.70, _COAL_UPSTREAM, 10.689),
        "gas": FuelCarbon(53.07, _GAS_UPSTREAM, 7.740),
        "oil": FuelCarbon(73.16, _OIL_UPSTREAM, 11.166),
        "waste": FuelCarbon(41.69, 0.0, 10.416),
        "biomass": FuelCarbon(plant_kg_per_mwh=230.0),
        "geothermal": FuelCarbon(plant_kg_per_mwh=38.0),
        "nuclear": FuelCarbon(plant_kg_per_mwh=12.0),
        "hydro": FuelCarbon(plant_kg_per_mwh=24.0),
        "wind": FuelCarbon(plant_kg_per_mwh=11.0),
        "pv": FuelCarbon(plant_kg_per_mwh=48.0),
        "rtpv": FuelCarbon(plant_kg_per_mwh=41.0),
        "csp": FuelCarbon(plant_kg_per_mwh=27.0),
    }
)


def emission_factor_kg_per_mwh(
    fuel: str, *, heat_rate_mmbtu_per_mwh: float | None = None, scope: Scope = "direct"
) -> float:
    """CO2 per MWh of electricity from a fuel.

    Parameters
    ----------
    fuel : str
        Name in `FUELS`.
    heat_rate_mmbtu_per_mwh : float, optional
        Fuel per electricity, higher heating value. Default: the mean of the fuel's fleet. [MMBtu/MWh]
    scope : {"direct", "life_cycle"}
        What is burnt, or also what making fuel and plant took.

    Returns
    -------
    float
        CO2, for "life_cycle" CO2-equivalent. [kg/MWh]

    Raises
    ------
    InputError
        Unknown fuel or scope, a heat rate that is none: all at once.

    Notes
    -----
    direct = e · q and life cycle = (e + u) · q + p, with the fuel's carbon e and upstream u [kg/MMBtu], the
    heat rate q and the plant's p [kg/MWh].

    Examples
    --------
    >>> round(emission_factor_kg_per_mwh("coal"))
    1019
    >>> round(emission_factor_kg_per_mwh("gas", heat_rate_mmbtu_per_mwh=6.7))
    356
    >>> emission_factor_kg_per_mwh("wind", scope="life_cycle")
    11.0
    """
    findings = Findings()
    if fuel not in FUELS:
        findings.add(
            "fuel", f"{fuel!r} is unknown", f"use one of {', '.join(FUELS)}, or give its CO2 yourself"
        )
    if scope not in get_args(Scope):
        findings.add("scope", f"{scope!r} is unknown", f"use one of {', '.join(get_args(Scope))}")
    if heat_rate_mmbtu_per_mwh is not None and not 0.0 <= heat_rate_mmbtu_per_mwh < np.inf:
        what = f"{heat_rate_mmbtu_per_mwh} MMBtu/MWh"
        findings.add("heat_rate_mmbtu_per_mwh", what, "give a finite one, 0 or above")
    findings.raise_if_any("emission factor")
    carbon = FUELS[fuel]
    rate = carbon.heat_rate_mmbtu_per_mwh if heat_rate_mmbtu_per_mwh is None else heat_rate_mmbtu_per_mwh
    direct = carbon.direct_kg_per_mmbtu * rate
    if scope == "direct":
        return direct
    return direct + carbon.upstream_kg_per_mmbtu * rate + carbon.plant_kg_per_mwh
