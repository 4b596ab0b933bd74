"""PVGIS 5.3 of the European Commission: hourly series on a horizontal plane.

One request for a place holds all calendar years of the span [1]_. Times are UTC. The data base is chosen by
the place unless it is named (`dataset`): PVGIS-SARAH3, PVGIS-SARAH2, PVGIS-ERA5, PVGIS-NSRDB. The horizon of
the terrain is included. The service allows 30 requests a second and answers 529 when it is overloaded.

References
----------
.. [1] European Commission, Joint Research Centre, "PVGIS API non-interactive service", `seriescalc`.
"""

from __future__ import annotations

from typing import Final

from weather.feeds._feed import Feed, Request
from weather.feeds._http import http_download
from weather.feeds._query import Query

__all__ = ["PVGIS", "plan_pvgis"]

_SERIES: Final = {
    "outputformat": "json",
    "angle": "0",
    "components": "1",
    "usehorizon": "1",
    "pvcalculation": "0",
    "trackingtype": "0",
}


def plan_pvgis(query: Query) -> list[Request]:
    """Return a request for each place, over the calendar years of the span in UTC."""
    last = query.years[-1][0].year
    years = {"startyear": str(query.start.year), "endyear": str(last)}
    named = {"raddatabase": query.dataset} if query.dataset else {}
    requests = []
    for site, place in query.places.items():
        latitude, longitude = place.point
        params = {"lat": latitude, "lon": longitude, **years, **named, **_SERIES}
        requests.append(
            Request(query.source, query.base_url, "/seriescalc", params, (site,), query.start, query.end)
        )
    return requests


PVGIS: Final = Feed(
    reader="pvgis",
    base_url="https://re.jrc.ec.europa.eu/api/v5_3",
    plan=plan_pvgis,
    download=http_download,
    content="json",
    licence="free to use with acknowledgement, (c) European Union, PVGIS",
    about="ghi, dhi, temperature, 10-m wind; hourly, whole years, Europe, Africa, Asia, America",
    datasets=("", "PVGIS-SARAH3", "PVGIS-SARAH2", "PVGIS-ERA5", "PVGIS-NSRDB"),
    spacing_s=0.05,
)
