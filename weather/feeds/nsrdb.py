"""NSRDB of the United States' national laboratories: a year of a point as CSV, Physical Solar Model 4 and 3.

The direct CSV download holds one place and one year [1]_; hourly stamps lie in the middle of their hour and
are asked for in UTC with 29 February. A key and an e-mail address are needed, which the service uses to tell
of problems. It allows one request a second and 5,000 a day; "Data processing failure" is a fault that passes
[2]_. Wind is left out, since the files do not tell its height.

References
----------
.. [1] National Laboratory of the Rockies, Developer Network, "NSRDB data downloads".
.. [2] NatLabRockies/developer.nlr.gov, issues 382 and 412.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from weather.feeds._feed import Feed, Request, Secret
from weather.feeds._http import http_download
from weather.feeds._query import Query

__all__ = ["NSRDB", "plan_nsrdb"]

_FOLDER: Final = "/api/nsrdb/v2/solar"
_FILES: Final[Mapping[str, str]] = {
    "aggregated-v4": "nsrdb-GOES-aggregated-v4-0-0-download.csv",
    "conus-v4": "nsrdb-GOES-conus-v4-0-0-download.csv",
    "full-disc-v4": "nsrdb-GOES-full-disc-v4-0-0-download.csv",
    "psm3-2-2": "psm3-2-2-download.csv",
}
_ATTRIBUTES: Final = (
    *("air_temperature", "dhi", "dni", "ghi", "relative_humidity"),
    *("surface_albedo", "surface_pressure"),
)
_SERIES: Final = {
    "attributes": ",".join(_ATTRIBUTES),
    "interval": "60",
    "leap_day": "true",
    "utc": "true",
    "mailing_list": "false",
}
_SIGN_UP: Final = "a key is free at developer.nlr.gov/signup"


def plan_nsrdb(query: Query) -> list[Request]:
    """Return a request for each place and calendar year in UTC."""
    path = f"{_FOLDER}/{_FILES[query.dataset]}"
    requests = []
    for site, place in query.places.items():
        latitude, longitude = place.point
        for start, end in query.years:
            params = {"wkt": f"POINT({longitude} {latitude})", "names": str(start.year), **_SERIES}
            requests.append(Request(query.source, query.base_url, path, params, (site,), start, end))
    return requests


NSRDB: Final = Feed(
    reader="nsrdb",
    base_url="https://developer.nlr.gov",
    plan=plan_nsrdb,
    download=http_download,
    content="csv",
    licence="free to use with attribution, National Solar Radiation Database",
    about="irradiance, temperature, pressure, humidity, albedo; hourly from 1998, the Americas",
    datasets=tuple(_FILES),
    secrets=(
        Secret("NSRDB_API_KEY", "api_key", _SIGN_UP),
        Secret("NSRDB_EMAIL", "email", "the address that the key was given to"),
    ),
    spacing_s=1.0,
    transient=("Data processing failure",),
)
