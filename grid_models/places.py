"""Places: footprints and clocks of ready-made cases that carry no coordinates, altitudes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Footprint:
    """Where a case is meant to be.

    Attributes
    ----------
    region : str
        Name of the region.
    latitude, longitude : float
        About its centre. [degree]
    utc_offset_h : float
        Standard time there. [h]
    """

    region: str
    latitude: float
    longitude: float
    utc_offset_h: float


_FOOTPRINTS = (
    (r"case_ACTIVSg200", Footprint("central Illinois", 40.3, -89.3, -6.0)),
    (r"case_ACTIVSg500", Footprint("western South Carolina", 34.6, -82.2, -5.0)),
    (r"case_ACTIVSg2000", Footprint("Texas", 31.0, -98.0, -6.0)),
    (r"case_ACTIVSg10k", Footprint("western United States", 40.0, -114.0, -8.0)),
    (r"case_ACTIVSg(25k|70k)|case_SyntheticUSA", Footprint("eastern United States", 38.0, -85.0, -5.0)),
    (r"case_RTS_GMLC", Footprint("Arizona, California, Nevada", 34.5, -115.6, -8.0)),
    (r"case(14|30|57|118|300|30Q|30pwl|_ieee30)", Footprint("midwestern United States", 40.4, -82.9, -5.0)),
    (r"case24_ieee_rts|case39|case145", Footprint("New England", 42.4, -71.8, -5.0)),
    (r"case\d+pegase", Footprint("continental Europe", 48.0, 8.0, 1.0)),
    (r"case\d+rte", Footprint("France", 46.6, 2.5, 1.0)),
    (r"case\d+(wp|wop|sp|sop)", Footprint("Poland", 52.1, 19.4, 1.0)),
    (r"case60nordic", Footprint("Sweden", 60.0, 15.5, 1.0)),
)


def footprint(case: str) -> Footprint | None:
    """Footprint of a ready-made case by its name; None if it is not known.

    Examples
    --------
    >>> footprint("case_ACTIVSg2000").region
    'Texas'
    """
    return next((place for pattern, place in _FOOTPRINTS if re.fullmatch(pattern, case)), None)


def altitude(places: pd.DataFrame) -> list[float]:
    """Altitude of each row from its latitude and longitude (table of pvlib, 5 arc min). [m]."""
    from pvlib.location import lookup_altitude

    keys = list(zip(places["latitude"], places["longitude"], strict=True))
    known = {key: float(lookup_altitude(*key)) for key in set(keys)}
    return [known[key] for key in keys]
