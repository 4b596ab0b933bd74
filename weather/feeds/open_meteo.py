"""Open-Meteo: reanalysis since 1940 (archive) and forecasts, hourly in UTC.

Radiation is the mean of the hour before its stamp and everything else is of the stamp, so that the hours of
a span need stamps from its start to its end: the last day may reach beyond it, and what is not there yet is
cut [1]_. The archive is asked for by calendar year. Longer spans and more variables count as more requests:
each ten variables and each two weeks as one, of which 600 a minute are free [2]_. A model may be named
(`dataset`), such as `era5` or `icon_seamless`; without one the service chooses. Whoever pays has a key and
other servers.

References
----------
.. [1] open-meteo.com, "Historical Weather API" and "Weather Forecast API".
.. [2] open-meteo/open-meteo, issues 438, 439 and 485: limits and weights.
"""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from weather.feeds._feed import Feed, Request, Secret
from weather.feeds._http import http_download
from weather.feeds._query import Query

__all__ = ["OPEN_METEO", "OPEN_METEO_FORECAST", "plan_archive", "plan_forecast"]

_SURFACE: Final = (
    *("temperature_2m", "relative_humidity_2m", "surface_pressure"),
    *("shortwave_radiation", "direct_normal_irradiance", "diffuse_radiation"),
)
_ARCHIVE_HEIGHTS: Final = (10, 100)
_FORECAST_HEIGHTS: Final = (10, 80, 120)
_UNITS: Final = {"wind_speed_unit": "ms", "timezone": "GMT", "timeformat": "iso8601"}
_DAYS_PER_COUNT: Final = 14.0
_VARIABLES_PER_COUNT: Final = 10.0
_SPACING_S: Final = 60.0 / 600.0
_LICENCE: Final = "CC BY 4.0, Open-Meteo.com"
_KEY: Final = Secret("OPEN_METEO_API_KEY", "apikey", "only for those who pay", is_needed=False)


def plan_archive(query: Query) -> list[Request]:
    """Return a request for each place and calendar year of the span."""
    return [
        _request(query, site, "/v1/archive", _ARCHIVE_HEIGHTS, span)
        for site in query.places
        for span in query.years
    ]


def plan_forecast(query: Query) -> list[Request]:
    """Return a request for each place."""
    span = (query.start, query.end)
    return [_request(query, site, "/v1/forecast", _FORECAST_HEIGHTS, span) for site in query.places]


def _request(
    query: Query,
    site: str,
    path: str,
    heights: tuple[int, ...],
    span: tuple[pd.Timestamp, pd.Timestamp],
) -> Request:
    """Return the request for a place and a span, with the stamps at both of its ends."""
    start, end = span
    latitude, longitude = query.places[site].point
    wind = [f"wind_{what}_{height}m" for height in heights for what in ("speed", "direction")]
    params = {
        "latitude": latitude,
        "longitude": longitude,
        "start_date": f"{start:%Y-%m-%d}",
        "end_date": f"{end:%Y-%m-%d}",
        "hourly": ",".join([*_SURFACE, *wind]),
        **_UNITS,
    }
    if query.dataset:
        params["models"] = query.dataset
    n_days = (end.normalize() - start.normalize()) / pd.Timedelta(days=1) + 1.0
    n_variables = len(_SURFACE) + len(wind)
    weight = max(n_days / _DAYS_PER_COUNT, 1.0) * math.ceil(n_variables / _VARIABLES_PER_COUNT)
    return Request(query.source, query.base_url, path, params, (site,), start, end, weight)


OPEN_METEO: Final = Feed(
    reader="open_meteo",
    base_url="https://archive-api.open-meteo.com",
    keyed_url="https://customer-archive-api.open-meteo.com",
    plan=plan_archive,
    download=http_download,
    content="json",
    licence=_LICENCE,
    about="irradiance, temperature, pressure, humidity, wind at 10 and 100 m; hourly from 1940, the Earth",
    datasets=(),
    secrets=(_KEY,),
    spacing_s=_SPACING_S,
    fill=("trim",),
)

OPEN_METEO_FORECAST: Final = Feed(
    reader="open_meteo",
    base_url="https://api.open-meteo.com",
    keyed_url="https://customer-api.open-meteo.com",
    plan=plan_forecast,
    download=http_download,
    content="json",
    licence=_LICENCE,
    about="the same with wind at 10, 80 and 120 m; the last three months and 16 days ahead",
    datasets=(),
    secrets=(_KEY,),
    spacing_s=_SPACING_S,
    max_age_h=1.0,
    fill=("trim",),
)
