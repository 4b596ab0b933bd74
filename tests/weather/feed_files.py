"""Small files of every format with the sky of `sky.py`, as their sources document them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

from tests.weather.sky import ALTITUDE, LATITUDE, LONGITUDE, SOLAR_ZONE_H, hours, instants, local, means

YEAR = 2013
TYPICAL_YEARS = tuple(range(2001, 2013))


def year_hours(clock_h: float = 0.0, year: int = YEAR) -> pd.DatetimeIndex:
    """Starts of the hours of a year in some clock, in UTC."""
    stamps = pd.date_range(f"{year}-01-01", periods=8760, freq="h", tz="UTC")
    return stamps - pd.Timedelta(hours=clock_h)


def hour_ends(clock_h: float = -6.0) -> pd.DataFrame:
    """Rows of a typical year with means of irradiance and instants of the rest at the end of each hour."""
    return _hour_ends(clock_h).copy()


def short_hour_ends() -> pd.DataFrame:
    """Some days of it, in two months."""
    return hour_ends().iloc[50 * 24 : 70 * 24]


@cache
def _hour_ends(clock_h: float) -> pd.DataFrame:
    left = year_hours(clock_h)
    rows = means(left)
    ends = instants(left + pd.Timedelta(hours=1))
    # The last hour of a typical year ends where its first begins.
    ends.iloc[-1] = instants(left[:1]).iloc[0]
    for name in ("temp_air", "pressure", "speed_10"):
        rows[name] = ends[name].to_numpy()
    rows.index = local(left, clock_h)
    return rows


def _typical(index: pd.DatetimeIndex, years: tuple[int, ...]) -> pd.Series:
    return pd.Series(np.asarray(years)[index.month - 1], index=index)


def tmy3_text(
    clock_h: float = -6.0,
    *,
    years: tuple[int, ...] = TYPICAL_YEARS,
    rows: pd.DataFrame | None = None,
    zone: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> str:
    """TMY3: stamps 01:00 to 24:00 in local standard time."""
    data = hour_ends(clock_h) if rows is None else rows
    index = pd.DatetimeIndex(data.index)
    table = pd.DataFrame(
        {
            "Date (MM/DD/YYYY)": index.strftime("%m/%d/") + _typical(index, years).astype(str).to_numpy(),
            "Time (HH:MM)": [f"{hour + 1:02d}:00" for hour in index.hour],
            "ETR (W/m^2)": 0,
            "GHI (W/m^2)": data["ghi"].round(2).to_numpy(),
            "GHI source": 1,
            "DNI (W/m^2)": data["dni"].round(2).to_numpy(),
            "DHI (W/m^2)": data["dhi"].round(2).to_numpy(),
            "Dry-bulb (C)": data["temp_air"].round(2).to_numpy(),
            "Dry-bulb source": "A",
            "Pressure (mbar)": (data["pressure"] / 100.0).round(2).to_numpy(),
            "Wspd (m/s)": data["speed_10"].round(2).to_numpy(),
        }
    ).rename(columns=rename or {})
    zone = f"{clock_h:.1f}" if zone is None else zone
    head = f'723170,"MADE BY FORMULA, TX",TX,{zone},{LATITUDE},{LONGITUDE},{ALTITUDE:.0f}'
    return f"{head}\n{table.to_csv(index=False)}"


def tmy2_text(clock_h: float = -6.0, *, rows: pd.DataFrame | None = None) -> str:
    """TMY2: fixed columns, hours 1 to 24 in local standard time."""
    data = hour_ends(clock_h) if rows is None else rows
    index = pd.DatetimeIndex(data.index)
    typical = _typical(index, tuple(range(1961, 1973))).to_numpy() - 1900
    lines = [f" 23044 {'MADE BY FORMULA':<22} TX {clock_h:3.0f} N 32  0 W 101  0 {ALTITUDE:5.0f}"]
    columns = (index, typical, *(data[n].to_numpy() for n in ("ghi", "dni", "dhi")))
    air = (data[n].to_numpy() for n in ("temp_air", "pressure", "speed_10"))
    for stamp, year, ghi, dni, dhi, temp, pressure, speed in zip(*columns, *air, strict=True):
        lines.append(
            f" {year:2d}{stamp.month:2d}{stamp.day:2d}{stamp.hour + 1:2d}00000000"
            f"{ghi:04.0f}?0{dni:04.0f}?0{dhi:04.0f}?0" + "0000?0" * 4 + "00?000?0"
            f"{temp * 10:4.0f}A70100A7050A7{pressure / 100:04.0f}A7180A7{speed * 10:03.0f}A7"
            "0161A777777A70999999999013F8062F8000A788E7"
        )
    return "\n".join(lines) + "\n"


PVGIS_UNITS = {
    "T2m": ("2-m air temperature", "degree Celsius"),
    "RH": ("relative humidity", "%"),
    "G(h)": ("Global irradiance on the horizontal plane", "W/m2"),
    "Gb(n)": ("Beam/direct irradiance on a plane always normal to sun rays", "W/m2"),
    "Gd(h)": ("Diffuse irradiance on the horizontal plane", "W/m2"),
    "WS10m": ("10-m total wind speed", "m/s"),
    "WD10m": ("10-m wind direction (0 = N, 90 = E)", "degree"),
    "SP": ("Surface (air) pressure", "Pa"),
    "Gb(i)": ("Beam (direct) irradiance on the inclined plane (plane of the array)", "W/m2"),
    "Gd(i)": ("Diffuse irradiance on the inclined plane (plane of the array)", "W/m2"),
    "Gr(i)": ("Reflected irradiance on the inclined plane (plane of the array)", "W/m2"),
    "H_sun": ("Sun height", "degree"),
    "Int": ("1 means solar radiation values are reconstructed", ""),
}


def short_pvgis_tmy_rows(offset_h: float = 0.1761) -> pd.DataFrame:
    """Some days of it, in two months."""
    return pvgis_tmy_rows(offset_h).iloc[50 * 24 : 70 * 24]


def pvgis_tmy_rows(offset_h: float = 0.1761) -> pd.DataFrame:
    """Rows of a PVGIS typical year: air on the hour, irradiance at its offset."""
    return _pvgis_tmy_rows(offset_h).copy()


@cache
def _pvgis_tmy_rows(offset_h: float) -> pd.DataFrame:
    left = year_hours()
    air = instants(left).round(2)
    sun = instants(left + pd.Timedelta(hours=offset_h)).round(2)
    stamps = _typical(pd.DatetimeIndex(local(left, 0)), TYPICAL_YEARS).astype(str).to_numpy()
    return pd.DataFrame(
        {
            "time(UTC)": stamps + local(left, 0).strftime("%m%d:%H%M"),
            "T2m": air["temp_air"].to_numpy(),
            "RH": 50.0,
            "G(h)": sun["ghi"].to_numpy(),
            "Gb(n)": sun["dni"].to_numpy(),
            "Gd(h)": sun["dhi"].to_numpy(),
            "WS10m": air["speed_10"].to_numpy(),
            "WD10m": air["direction"].to_numpy(),
            "SP": air["pressure"].to_numpy(),
        }
    )


def pvgis_hourly_rows(minute: int = 10) -> pd.DataFrame:
    """Rows of a PVGIS hourly series on a horizontal plane, with values of the moment of the stamp."""
    stamps = hours() + pd.Timedelta(minutes=minute)
    sky = instants(stamps).round(2)
    return pd.DataFrame(
        {
            "time": stamps.strftime("%Y%m%d:%H%M"),
            "Gb(i)": sky["bhi"].to_numpy(),
            "Gd(i)": sky["dhi"].to_numpy(),
            "Gr(i)": 0.0,
            "H_sun": 0.0,
            "T2m": sky["temp_air"].to_numpy(),
            "WS10m": sky["speed_10"].to_numpy(),
            "Int": 0.0,
        }
    )


def pvgis_json(
    rows: pd.DataFrame,
    *,
    offset_h: float | None = 0.1761,
    slope: float | str = 0,
    units: Mapping[str, str] | None = None,
) -> str:
    """JSON of a typical year or an hourly series, by the columns of the rows."""
    kind = "tmy_hourly" if "time(UTC)" in rows else "hourly"
    location = {"latitude": LATITUDE, "longitude": LONGITUDE, "elevation": ALTITUDE}
    if kind == "tmy_hourly" and offset_h is not None:
        location["irradiance_time_offset"] = offset_h
    described = {
        name: {"description": text, "units": (units or {}).get(name, unit)}
        for name, (text, unit) in PVGIS_UNITS.items()
        if name in rows
    }
    inputs = {
        "location": location,
        "meteo_data": {
            "radiation_db": "PVGIS-SARAH3",
            "meteo_db": "ERA5",
            "year_min": 2005,
            "year_max": 2023,
        },
    }
    outputs: dict[str, object] = {kind: rows.to_dict("records")}
    if kind == "tmy_hourly":
        outputs["months_selected"] = [{"month": m + 1, "year": y} for m, y in enumerate(TYPICAL_YEARS)]
    else:
        inputs["mounting_system"] = {"fixed": {"slope": {"value": slope}, "azimuth": {"value": 0}}}
    meta = {"inputs": {}, "outputs": {kind: {"type": "time series", "variables": described}}}
    return json.dumps({"inputs": inputs, "outputs": outputs, "meta": meta})


def pvgis_csv(rows: pd.DataFrame, *, offset_h: float | None = 0.1761, slope: str = "0 deg.") -> str:
    """CSV of a typical year or an hourly series, by the columns of the rows."""
    is_typical = "time(UTC)" in rows
    head = [
        f"Latitude (decimal degrees): {LATITUDE:.3f}",
        f"Longitude (decimal degrees): {LONGITUDE:.3f}",
        f"Elevation (m): {ALTITUDE}",
    ]
    if is_typical:
        head += [] if offset_h is None else [f"Irradiance Time Offset (h): {offset_h}"]
        head += ["month,year", *(f"{m + 1},{y}" for m, y in enumerate(TYPICAL_YEARS))]
    else:
        head += ["Radiation database:\tPVGIS-SARAH3", "", "", f"Slope: {slope} ", "Azimuth: 0 deg. "]
    described = [f"{name}: {PVGIS_UNITS[name][0]} ({PVGIS_UNITS[name][1]})" for name in rows.columns[1:]]
    described = [line.removesuffix(" ()") for line in described]
    tail = ["", *described, "", "PVGIS (c) European Union, 2001-2025"]
    body = rows.to_csv(index=False).rstrip("\n")
    return "\n".join([*head, body, *tail]) + "\n"


def open_meteo_columns(left: pd.DatetimeIndex, step: str = "1h") -> dict[str, list[float]]:
    """Variables at the ends of steps: means of radiation, instants of the rest; wind in km/h."""
    mean = means(left, step).round(3)
    end = instants(left + pd.Timedelta(step))
    return {
        "temperature_2m": end["temp_air"].round(3).tolist(),
        "surface_pressure": (end["pressure"] / 100.0).round(3).tolist(),
        "wind_speed_10m": (end["speed_10"] * 3.6).round(3).tolist(),
        "wind_direction_10m": end["direction"].round(3).tolist(),
        "wind_speed_100m": (end["speed_100"] * 3.6).round(3).tolist(),
        "wind_direction_100m": end["direction"].round(3).tolist(),
        "shortwave_radiation": mean["ghi"].tolist(),
        "direct_normal_irradiance": mean["dni"].tolist(),
        "diffuse_radiation": mean["dhi"].tolist(),
    }


OPEN_METEO_UNITS = {
    "temperature_2m": "°C",
    "surface_pressure": "hPa",
    "wind_speed_10m": "km/h",
    "wind_direction_10m": "°",
    "wind_speed_100m": "km/h",
    "wind_direction_100m": "°",
    "shortwave_radiation": "W/m²",
    "direct_normal_irradiance": "W/m²",
    "diffuse_radiation": "W/m²",
}


def open_meteo_entry(
    clock_h: float = 0.0, *, unix: bool = False, section: str = "hourly", step: str = "1h"
) -> dict[str, object]:
    """One place of a response, with stamps in a fixed offset from UTC."""
    n_steps = round(20 * pd.Timedelta("1D") / pd.Timedelta(step))
    stamps = pd.date_range("2013-03-01", periods=n_steps, freq=step, tz="UTC") - pd.Timedelta(hours=clock_h)
    columns = open_meteo_columns(stamps - pd.Timedelta(step), step)
    times: list[object] = list(local(stamps, clock_h).strftime("%Y-%m-%dT%H:%M"))
    if unix:
        times = [int(stamp.timestamp()) for stamp in stamps]
    return {
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "generationtime_ms": 0.1,
        "utc_offset_seconds": int(3600 * clock_h),
        "timezone": "GMT" if not clock_h else "America/Chicago",
        "timezone_abbreviation": f"GMT{clock_h:+.0f}",
        "elevation": ALTITUDE,
        f"{section}_units": {"time": "unixtime" if unix else "iso8601", **OPEN_METEO_UNITS},
        section: {"time": times, **columns},
    }


def open_meteo_csv(clock_h: float = 0.0) -> str:
    """The same as CSV."""
    entry = open_meteo_entry(clock_h)
    head = ("latitude", "longitude", "elevation", "utc_offset_seconds", "timezone", "timezone_abbreviation")
    table = pd.DataFrame(entry["hourly"])
    table.columns = [n if n == "time" else f"{n} ({OPEN_METEO_UNITS[n]})" for n in table.columns]
    values = ",".join(str(entry[name]) for name in head)
    return f"{','.join(head)}\n{values}\n\n{table.to_csv(index=False)}"


POWER_PARAMETERS = {
    "ALLSKY_SFC_SW_DWN": ("ghi", "Wh/m^2", 1.0),
    "ALLSKY_SFC_SW_DNI": ("dni", "Wh/m^2", 1.0),
    "ALLSKY_SFC_SW_DIFF": ("dhi", "Wh/m^2", 1.0),
    "T2M": ("temp_air", "C", 1.0),
    "PS": ("pressure", "kPa", 0.001),
    "WS10M": ("speed_10", "m/s", 1.0),
    "WD10M": ("direction", "Degrees", 1.0),
    "WS50M": ("speed_50", "m/s", 1.0),
    "WD50M": ("direction", "Degrees", 1.0),
}


def power_rows(standard: str = "UTC") -> pd.DataFrame:
    """Means of the hours that start at the stamps, in UTC or local solar time."""
    left = hours() - pd.Timedelta(hours=SOLAR_ZONE_H if standard == "LST" else 0)
    sky = means(left)
    rows = pd.DataFrame(
        {name: (sky[column] * factor).round(4) for name, (column, _, factor) in POWER_PARAMETERS.items()}
    )
    rows.index = local(left, SOLAR_ZONE_H if standard == "LST" else 0)
    return rows


def power_json(standard: str = "UTC", *, rows: pd.DataFrame | None = None, **units: str) -> str:
    """NASA POWER as JSON; units by parameter."""
    rows = power_rows(standard) if rows is None else rows
    keys = pd.DatetimeIndex(rows.index).strftime("%Y%m%d%H")
    first, last = keys[0][:8], keys[-1][:8]
    return json.dumps(
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [LONGITUDE, LATITUDE, ALTITUDE]},
            "properties": {
                "parameter": {name: dict(zip(keys, rows[name].tolist(), strict=True)) for name in rows}
            },
            "header": {
                "title": "NASA/POWER Source Native Resolution Hourly Data",
                "api": {"version": "v2.8.0", "name": "POWER Hourly API"},
                "sources": ["SYN1DEG", "MERRA2"],
                "fill_value": -999.0,
                "time_standard": standard,
                "start": first,
                "end": last,
            },
            "messages": [],
            "parameters": {
                name: {"units": units.get(name, POWER_PARAMETERS[name][1]), "longname": name} for name in rows
            },
        }
    )


def power_csv(
    standard: str | None = "UTC",
    *,
    rows: pd.DataFrame | None = None,
    longitude: float = LONGITUDE,
    **units: str,
) -> str:
    """NASA POWER as CSV; no time standard in the header if it is None."""
    rows = power_rows(standard or "UTC") if rows is None else rows
    index = pd.DatetimeIndex(rows.index)
    dates = pd.DataFrame(
        {"YEAR": index.year, "MO": index.month, "DY": index.day, "HR": index.hour}, rows.index
    )
    span = f"{index[0]:%m/%d/%Y} through {index[-1]:%m/%d/%Y}"
    head = [
        "-BEGIN HEADER-",
        "NASA/POWER Source Native Resolution Hourly Data ",
        f"Dates (month/day/year): {span}" + (f" in {standard}" if standard else ""),
        f"Location: Latitude  {LATITUDE}   Longitude {longitude} ",
        f"Elevation from MERRA-2: Average for 0.5 x 0.625 degree lat/lon region = {ALTITUDE} meters",
        "The value for missing source data that cannot be computed or is outside of the sources availability "
        "range: -999 ",
        "Parameter(s): ",
        *(
            f"{name:<22}MERRA-2 or CERES {name} ({units.get(name, POWER_PARAMETERS[name][1])}) "
            for name in rows
            if name in POWER_PARAMETERS
        ),
        "-END HEADER-",
    ]
    return "\n".join(head) + "\n" + dates.join(rows).to_csv(index=False)


def surfrad_text(
    clock_h: float = 0.0, *, minutes: int = 1, night: float = -2.0, longitude: str = "101.00"
) -> str:
    """SURFRAD: one day of means that end at the stamps, with an offset at night."""
    step = f"{minutes}min"
    stamps = pd.date_range("2013-03-05", periods=1440 // minutes, freq=step, tz="UTC")
    utc = stamps - pd.Timedelta(hours=clock_h)
    sky = means(utc - pd.Timedelta(step), step)
    sky["ghi"] = sky["ghi"].where(sky["ghi"] > 0.5, night)
    lines = [" Made by formula", f"   {LATITUDE:.2f}  {longitude} {ALTITUDE:.0f} m version 1"]
    for stamp, row in zip(stamps, sky.to_dict("records"), strict=True):
        date = f" {stamp.year} {stamp.dayofyear:3d} {stamp.month:2d} {stamp.day:2d} {stamp:%H %M}"
        sun = f" {row['ghi']:7.1f} 0 {0.0:7.1f} 0 {row['dni']:7.1f} 0 {row['dhi']:7.1f} 0"
        infrared = " 300.0 0" * 6 + " -9999.9 1" * 2 + " 1.0 0" * 3
        air = f" {row['temp_air']:.1f} 0 50.0 0 {row['speed_10']:.1f} 0 {row['direction']:.1f} 0"
        lines.append(f"{date} 0.000 90.00{sun}{infrared}{air} {row['pressure'] / 100:.1f} 0")
    return "\n".join(lines) + "\n"


def era5_grid(time: str = "valid_time", *, long_names: bool = False, n_days: int = 20) -> xr.Dataset:
    """ERA5 around the place: hourly sums that end at the stamp in J/m², instants of the rest."""
    stamps = pd.date_range("2013-03-01", periods=24 * n_days, freq="h", tz="UTC")
    mean, end = means(stamps - pd.Timedelta(hours=1)), instants(stamps)
    angle = np.radians(end["direction"])
    series = {
        "ssrd": (mean["ghi"] * 3600.0, "J m**-2"),
        "fdir": (mean["bhi"] * 3600.0, "J m**-2"),
        "t2m": (end["temp_air"] + 273.15, "K"),
        "sp": (end["pressure"], "Pa"),
        "u10": (-end["speed_10"] * np.sin(angle), "m s**-1"),
        "v10": (-end["speed_10"] * np.cos(angle), "m s**-1"),
        "u100": (-end["speed_100"] * np.sin(angle), "m s**-1"),
        "v100": (-end["speed_100"] * np.cos(angle), "m s**-1"),
    }
    latitude = LATITUDE + np.array([0.25, 0.0, -0.25])
    longitude = LONGITUDE + np.array([-0.25, 0.0, 0.25])
    shape = (len(stamps), 3, 3)
    names = ERA5_LONG_NAMES if long_names else {}
    data = {
        names.get(name, name): (
            (time, "latitude", "longitude"),
            np.broadcast_to(values.to_numpy()[:, None, None], shape).astype(np.float32),
            {"units": unit},
        )
        for name, (values, unit) in series.items()
    }
    data["z"] = (("latitude", "longitude"), np.full((3, 3), ALTITUDE * 9.80665), {"units": "m**2 s**-2"})
    coords = {time: stamps.tz_localize(None).to_numpy(), "latitude": latitude, "longitude": longitude}
    return xr.Dataset(data, coords)


ERA5_LONG_NAMES = {
    "ssrd": "surface_solar_radiation_downwards",
    "fdir": "total_sky_direct_solar_radiation_at_surface",
    "t2m": "2m_temperature",
    "sp": "surface_pressure",
    "u10": "10m_u_component_of_wind",
    "v10": "10m_v_component_of_wind",
    "u100": "100m_u_component_of_wind",
    "v100": "100m_v_component_of_wind",
}


def plain_frame(left: pd.DatetimeIndex | None = None) -> pd.DataFrame:
    """Means over hours under project names with units, indexed by their starts in UTC."""
    left = hours() if left is None else left
    sky = means(left).round(4)
    return pd.DataFrame(
        {
            "ghi [W/m2]": sky["ghi"],
            "dni [W/m2]": sky["dni"],
            "dhi [W/m2]": sky["dhi"],
            "temp_air [degC]": sky["temp_air"],
            "pressure [hPa]": sky["pressure"] / 100.0,
            "wind_speed@10 [m/s]": sky["speed_10"],
            "wind_speed@100 [m/s]": sky["speed_100"],
        },
        index=left,
    )


PLACE = {"latitude": LATITUDE, "longitude": LONGITUDE, "altitude": ALTITUDE}


def plain_csv(
    clock_h: float = 0.0, *, frame: pd.DataFrame | None = None, pattern: str = "%Y-%m-%d %H:%M"
) -> str:
    """The same as CSV, with naive stamps in a clock."""
    frame = plain_frame() if frame is None else frame
    stamps = pd.Series(local(pd.DatetimeIndex(frame.index), clock_h).strftime(pattern), name="time")
    return pd.concat([stamps, frame.reset_index(drop=True)], axis=1).to_csv(index=False)
