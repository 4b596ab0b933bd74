"""NASA POWER: hourly series of a point.

Values are means of the hour that starts at the stamp, in UTC as requested; one request for each calendar
year of the span [1]_. Of the last months irradiance is missing: that is refused by the reader. Fifteen
parameters at most may be asked for at once. The service publishes no rate; thirty requests a minute are what
its own users keep to [2]_.

References
----------
.. [1] NASA POWER, "Hourly API", parameters and time standards.
.. [2] A. H. Sparks, "nasapower", rOpenSci: thirty requests in sixty seconds.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from weather.feeds._feed import Feed, Request
from weather.feeds._http import http_download
from weather.feeds._query import Query

__all__ = ["NASA_POWER", "plan_nasa_power"]

_PARAMETERS: Final = (
    *("ALLSKY_SFC_SW_DWN", "ALLSKY_SFC_SW_DNI", "ALLSKY_SFC_SW_DIFF", "T2M", "PS", "RH2M"),
    *("WS10M", "WD10M", "WS50M", "WD50M"),
)
_SERIES: Final = {
    "parameters": ",".join(_PARAMETERS),
    "community": "RE",
    "format": "JSON",
    "header": "true",
    "time-standard": "UTC",
}


def plan_nasa_power(query: Query) -> list[Request]:
    """Return a request for each place and calendar year, over the days of the span in UTC."""
    requests = []
    for site, place in query.places.items():
        latitude, longitude = place.point
        for start, end in query.years:
            last = end - pd.Timedelta(hours=1)
            days = {"start": f"{start:%Y%m%d}", "end": f"{last:%Y%m%d}"}
            params = {"latitude": latitude, "longitude": longitude, **days, **_SERIES}
            path = "/api/temporal/hourly/point"
            requests.append(Request(query.source, query.base_url, path, params, (site,), start, end))
    return requests


NASA_POWER: Final = Feed(
    reader="nasa_power",
    base_url="https://power.larc.nasa.gov",
    plan=plan_nasa_power,
    download=http_download,
    content="json",
    licence="free to use with acknowledgement, NASA Langley Research Center POWER Project",
    about="irradiance, temperature, pressure, humidity, wind at 10 and 50 m; hourly from 2001, the Earth",
    spacing_s=2.0,
)
