"""Small weather files made by formula: the sun of pvlib, plain values for the rest."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pvlib

LATITUDE, LONGITUDE, ALTITUDE = 32.0, -101.0, 800
NSRDB_HEADER = {
    "Source": "NSRDB",
    "Location ID": "42",
    "Latitude": str(LATITUDE),
    "Longitude": str(LONGITUDE),
    "Time Zone": "-6",
    "Elevation": str(ALTITUDE),
    "Local Time Zone": "-6",
    "DHI Units": "w/m2",
    "DNI Units": "w/m2",
    "GHI Units": "w/m2",
    "Temperature Units": "c",
    "Pressure Units": "mbar",
    "Wind Speed Units": "m/s",
    "Version": "v3.2.2",
}
WTK_HEADER = {
    "SiteID": "7",
    "Site Timezone": "-6",
    "Data Timezone": "-6",
    "Longitude": "-101.01",
    "Latitude": "32.01",
}


@cache
def _nsrdb_rows(year: int, clock_h: int) -> pd.DataFrame:
    local = pd.date_range(f"{year}-01-01T00:30", f"{year}-12-31T23:30", freq="h")
    local = local[~((local.month == 2) & (local.day == 29))]
    utc = (local - pd.Timedelta(hours=clock_h)).tz_localize("UTC")
    zenith = pvlib.solarposition.get_solarposition(utc, LATITUDE, LONGITUDE)["zenith"].to_numpy()
    cosine = np.cos(np.radians(zenith)).clip(min=0.0)
    dni = np.where(cosine > 0.02, 800.0, 0.0)
    dhi = np.where(cosine > 0.0, 60.0, 0.0)
    return pd.DataFrame(
        {
            "Year": local.year,
            "Month": local.month,
            "Day": local.day,
            "Hour": local.hour,
            "Minute": local.minute,
            "GHI": (dhi + dni * cosine).round(2),
            "DHI": dhi,
            "DNI": dni,
            "Wind Speed": 3.0,
            "Temperature": np.where(local.hour == 23, 19.9, 20.0),  # no sensor stands still
            "Pressure": 930,
        }
    )


def nsrdb_rows(year: int = 2013, clock_h: int = -6) -> pd.DataFrame:
    """Rows of 8760 hours in the clock given; 29 February is left out as in many files."""
    return _nsrdb_rows(year, clock_h).copy()


def nsrdb_text(rows: pd.DataFrame | None = None, **header: str | None) -> str:
    """File of these rows; header entries by name with _ for a blank, None to leave one out."""
    rows = nsrdb_rows() if rows is None else rows
    entries = NSRDB_HEADER | {key.replace("_", " "): value for key, value in header.items()}
    kept = {key: value for key, value in entries.items() if value is not None}
    return f"{','.join(kept)}\n{','.join(kept.values())}\n{rows.to_csv(index=False)}"


def wtk_rows(year: int = 2013, clock_h: int = -6) -> pd.DataFrame:
    """Rows of 8760 hours: wind by the hour of the day at the site (UTC-6), 1.6 times as strong at 100 m."""
    rows = nsrdb_rows(year, clock_h)[["Year", "Month", "Day", "Hour", "Minute"]]
    local_hour = (rows["Hour"] - clock_h - 6) % 24
    rows["surface air pressure (Pa)"] = 93000
    rows["wind speed at 10m (m/s)"] = 5.0 + 0.1 * local_hour
    rows["wind speed at 100m (m/s)"] = (8.0 + 0.16 * local_hour).round(4)
    rows["wind direction at 10m (deg)"] = 180.0
    rows["wind direction at 100m (deg)"] = 190.0
    rows["air temperature at 100m (C)"] = np.where(local_hour == 23, 14.9, 15.0)
    rows["power - DEPRECATED"] = "N/A"
    return rows


def wtk_text(rows: pd.DataFrame | None = None, **header: str | None) -> str:
    """File of these rows; header entries by name with _ for a blank, None to leave one out."""
    rows = wtk_rows() if rows is None else rows
    entries = WTK_HEADER | {key.replace("_", " "): value for key, value in header.items()}
    pairs = [f"{key},{value}" for key, value in entries.items() if value is not None]
    return f"{','.join(pairs)}\n{rows.to_csv(index=False)}"


def epw_rows(years: tuple[int, ...] = tuple(range(2001, 2013))) -> pd.DataFrame:
    """Rows of a typical year: hours 1 to 24, each month of its own year; temperature is the hour's number."""
    sun = nsrdb_rows()
    rows = pd.DataFrame(0, index=sun.index, columns=range(35)).astype(object)
    rows[0] = np.asarray(years)[sun["Month"] - 1]
    rows[1], rows[2], rows[3] = sun["Month"], sun["Day"], sun["Hour"] + 1
    rows[5] = "?9?9"
    rows[6] = (sun["Hour"] + 1).astype(float)
    rows[9] = 93000
    rows[13], rows[14], rows[15] = sun["GHI"], sun["DNI"], sun["DHI"]
    rows[21] = np.where(sun["Hour"] == 23, 3.9, 4.0)
    rows[32] = 0.2
    return rows


def epw_text(rows: pd.DataFrame | None = None, *, zone: str = "-6.0", per_hour: int = 1) -> str:
    """EPW file of these rows."""
    head = [
        f"LOCATION,Town,TX,USA,TMYx,722780,{LATITUDE},{LONGITUDE},{zone},{ALTITUDE}",
        "DESIGN CONDITIONS,0",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0",
        "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
        "COMMENTS 1,made by formula",
        "COMMENTS 2,made by formula",
        f"DATA PERIODS,1,{per_hour},Data,Sunday, 1/ 1,12/31",
    ]
    body = _epw_body() if rows is None else rows.to_csv(index=False, header=False)
    return "\n".join(head) + f"\n{body}"


@cache
def _epw_body() -> str:
    return epw_rows().to_csv(index=False, header=False)
