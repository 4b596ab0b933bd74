"""ERA5 from the Copernicus Climate Data Store, through its own client `cdsapi` (extra `feeds`).

`single-levels` is asked for by calendar month, one box around all sites; boxes that would be large are split
into one for each site. Radiation is the sum of the hour before a stamp, so the last stamp is that of the end
of the span, which may lie in the day after. `timeseries` are series of single points by calendar year:
quicker, but without beam irradiance and altitude. The store answers in minutes to hours and keeps what it
has made for a while: an interrupted request asked again is answered at once. Days of the last three months
are preliminary (ERA5T) [1]_. The licence has to be accepted once on the page of the data set.

References
----------
.. [1] ECMWF, "ERA5: data documentation", tables 2 to 9 and "ERA5T".
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from weather.feeds._feed import Feed, FeedFailure, HttpPolicy, Request, Secret, redacted
from weather.feeds._query import Place, Query

__all__ = ["ERA5", "cds_download", "plan_era5"]

_GRIDDED: Final = "reanalysis-era5-single-levels"
_POINTS: Final = "reanalysis-era5-single-levels-timeseries"
_COMMON: Final = (
    *("surface_solar_radiation_downwards", "2m_temperature", "surface_pressure"),
    *("10m_u_component_of_wind", "10m_v_component_of_wind"),
    *("100m_u_component_of_wind", "100m_v_component_of_wind"),
)
_ON_GRID_ONLY: Final = ("total_sky_direct_solar_radiation_at_surface", "geopotential")
_STEP_DEGREES: Final = 0.25
_MAX_CELLS: Final = 5000
_MAX_SLEEP_S: Final = 120
_INSTALL: Final = "pip install curtailment-twin[feeds]"
_HOURS: Final = tuple(f"{hour:02d}:00" for hour in range(24))


def plan_era5(query: Query) -> list[Request]:
    """Return the requests for boxes and months, or for points and years."""
    requests = []
    if query.dataset == "timeseries":
        for site, place in query.places.items():
            latitude, longitude = place.point
            for start, end in query.years:
                params = {
                    "variable": list(_COMMON),
                    "latitude": latitude,
                    "longitude": longitude,
                    "date": f"{start:%Y-%m-%d}/{end:%Y-%m-%d}",
                    "data_format": "csv",
                }
                requests.append(
                    Request(query.source, query.base_url, f"/{_POINTS}", params, (site,), start, end)
                )
        return requests
    for sites in _boxes(query.places):
        for start, end in query.months:
            params = {
                "product_type": ["reanalysis"],
                "variable": [*_COMMON, *_ON_GRID_ONLY],
                "date": f"{start:%Y-%m-%d}/{end:%Y-%m-%d}",
                "time": list(_HOURS),
                "area": _area([query.places[site] for site in sites]),
                "data_format": "netcdf",
                "download_format": "unarchived",
            }
            requests.append(Request(query.source, query.base_url, f"/{_GRIDDED}", params, sites, start, end))
    return requests


def cds_download(
    request: Request,
    feed: Feed,  # noqa: ARG001  # the same for every download
    secrets: Mapping[str, str],
    policy: HttpPolicy,
    target: Path,
) -> str:
    """Let the store make the answer to a request and write it into a file; see `Download`.

    Raises
    ------
    FeedFailure
        If `cdsapi` is missing, or the store refuses or cannot be reached.
    """
    try:
        cdsapi = importlib.import_module("cdsapi")
    except ImportError as error:
        raise FeedFailure("the package cdsapi is not installed", _INSTALL, is_general=True) from error
    inputs = _inputs(request)
    failed = ""
    try:
        client = cdsapi.Client(
            url=request.base_url,
            key=secrets["key"],
            quiet=True,
            progress=False,
            timeout=policy.timeout_s,
            retry_max=int(policy.n_retries) + 1,
            sleep_max=min(policy.max_wait_s, _MAX_SLEEP_S),
        )
        client.retrieve(request.path.removeprefix("/"), inputs, str(target))
    except Exception as error:  # noqa: BLE001  # the client raises bare ones
        failed = redacted(f"{type(error).__name__}: {error}", secrets)
    if failed:
        remedy = "check CDSAPI_KEY, that the licence is accepted on the data set's page, and the network"
        raise FeedFailure(
            f"the Climate Data Store: {' '.join(failed.split())[:300]}", remedy, is_general=True
        )
    if not target.is_file() or not target.stat().st_size:
        raise FeedFailure("the Climate Data Store gave an empty answer", "try again later", is_general=False)
    return "application/octet-stream"


def _inputs(request: Request) -> dict[str, object]:
    """Return a request in the form the store wants: numbers as such, a point by its name."""
    inputs: dict[str, object] = dict(request.params)
    if "area" in inputs:
        return inputs | {"area": [float(edge) for edge in request.params["area"]]}
    point = {name: float(str(inputs.pop(name))) for name in ("longitude", "latitude")}
    return inputs | {"location": point, "date": [inputs["date"]]}


def _boxes(places: Mapping[str, Place]) -> list[tuple[str, ...]]:
    """Return which sites share a box: all, unless it were large."""
    north, west, south, east = (float(edge) for edge in _area(list(places.values())))
    n_cells = ((north - south) / _STEP_DEGREES + 1.0) * ((east - west) / _STEP_DEGREES + 1.0)
    return [tuple(places)] if n_cells <= _MAX_CELLS else [(site,) for site in places]


def _area(places: list[Place]) -> list[str]:
    """Return north, west, south and east edge of a box on the grid with a cell to spare. [degree]."""
    latitudes = [place.latitude / _STEP_DEGREES for place in places]
    longitudes = [place.longitude / _STEP_DEGREES for place in places]
    edges = (
        min(math.ceil(max(latitudes)) + 1, round(90.0 / _STEP_DEGREES)),
        math.floor(min(longitudes)) - 1,
        max(math.floor(min(latitudes)) - 1, round(-90.0 / _STEP_DEGREES)),
        math.ceil(max(longitudes)) + 1,
    )
    return [f"{edge * _STEP_DEGREES:.2f}" for edge in edges]


ERA5: Final = Feed(
    reader="era5",
    base_url="https://cds.climate.copernicus.eu/api",
    plan=plan_era5,
    download=cds_download,
    content="era5",
    licence="CC BY 4.0, Copernicus Climate Change Service",
    about="irradiance, temperature, pressure, wind at 10 and 100 m; hourly from 1940, the Earth",
    datasets=("single-levels", "timeseries"),
    secrets=(Secret("CDSAPI_KEY", "key", "a token stands in your profile at cds.climate.copernicus.eu"),),
    fill=("trim",),
)
