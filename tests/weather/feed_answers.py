"""What the services would answer: their formats with the sky of `sky.py`, for the days asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pandas as pd

from tests.weather.feed_files import (
    OPEN_METEO_UNITS,
    POWER_PARAMETERS,
    open_meteo_columns,
    power_json,
    pvgis_json,
    year_hours,
)
from tests.weather.sky import ALTITUDE, instants, means
from tests.weather.weather_files import nsrdb_rows, nsrdb_text

Params = Mapping[str, str]
HOUR = pd.Timedelta(hours=1)


def days(first: str, last: str) -> pd.DatetimeIndex:
    """Hours of some days in UTC, the last included."""
    return pd.date_range(first, pd.Timestamp(last) + 23 * HOUR, freq="h", tz="UTC")


def remembered(answer: Callable[[Params], str]) -> Callable[[Params], str]:
    """Make each answer once."""
    known: dict[tuple[tuple[str, str], ...], str] = {}

    def again(params: Params) -> str:
        key = tuple(sorted(params.items()))
        if key not in known:
            known[key] = answer(params)
        return known[key]

    return again


@remembered
def pvgis(params: Params) -> str:
    stamps = year_hours(year=int(params["startyear"])) + pd.Timedelta(minutes=10)
    sky = instants(stamps).round(2)
    rows = pd.DataFrame({"time": stamps.strftime("%Y%m%d:%H%M")})
    for column, name in (("Gb(i)", "bhi"), ("Gd(i)", "dhi"), ("T2m", "temp_air"), ("WS10m", "speed_10")):
        rows[column] = sky[name].to_numpy()
    content = json.loads(pvgis_json(rows.assign(**{"Gr(i)": 0.0, "H_sun": 0.0, "Int": 0.0})))
    content["inputs"]["location"] |= {"latitude": float(params["lat"]), "longitude": float(params["lon"])}
    return json.dumps(content)


@remembered
def open_meteo(params: Params) -> str:
    """Stamps at the ends of hours; the heights of a forecast have the wind of 10 m."""
    stamps = days(params["start_date"], params["end_date"])
    columns = open_meteo_columns(stamps - HOUR)
    for name in params["hourly"].split(","):
        if name not in columns:
            like = next(m for m in ("wind_speed_10m", "wind_direction_10m", "") if m[:9] in name or not m)
            columns[name] = columns[like] if like else (50.0 + stamps.hour).tolist()
    units = {name: "km/h" if "speed" in name else "°" if "direction" in name else "%" for name in columns}
    entry = {
        "latitude": float(params["latitude"]),
        "longitude": float(params["longitude"]),
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "elevation": ALTITUDE,
        "hourly_units": {"time": "iso8601", **units, **OPEN_METEO_UNITS},
        "hourly": {"time": stamps.strftime("%Y-%m-%dT%H:%M").tolist(), **columns},
    }
    return json.dumps(entry)


@remembered
def nasa_power(params: Params) -> str:
    left = days(params["start"], params["end"])
    sky = means(left)
    rows = pd.DataFrame(
        {name: (sky[column] * factor).round(4) for name, (column, _, factor) in POWER_PARAMETERS.items()}
    )
    rows.index = left.tz_localize(None)
    content = json.loads(power_json(rows=rows))
    place = [float(params["longitude"]), float(params["latitude"]), ALTITUDE]
    content["geometry"]["coordinates"] = place
    return json.dumps(content)


@remembered
def nsrdb(params: Params) -> str:
    longitude, latitude = params["wkt"].removeprefix("POINT(").removesuffix(")").split(" ")
    rows = nsrdb_rows(int(params["names"]), 0)
    return nsrdb_text(rows, Time_Zone="0", Latitude=latitude, Longitude=longitude)


ANSWERS: dict[str, tuple[str, Callable[[Params], str], str]] = {
    "pvgis": ("/seriescalc", pvgis, "application/json"),
    "open_meteo": ("/v1/archive", open_meteo, "application/json; charset=utf-8"),
    "open_meteo_forecast": ("/v1/forecast", open_meteo, "application/json; charset=utf-8"),
    "nsrdb": (
        "/api/nsrdb/v2/solar/nsrdb-GOES-aggregated-v4-0-0-download.csv",
        nsrdb,
        "text/csv; charset=utf-8",
    ),
    "nasa_power": ("/api/temporal/hourly/point", nasa_power, "application/json"),
}
