"""One file of every kind a reader reads, all under the same sky."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from tests.weather import feed_files as files
from tests.weather.sky import LATITUDE, LONGITUDE, hours, instants, local, means
from weather import read


@dataclass(frozen=True)
class Case:
    """A file and what has to be said about it.

    Attributes
    ----------
    reader : str
        Who reads it.
    write : callable
        Its bytes, or a writer into a folder that returns the path.
    options : dict
        Options of `read`.
    source : str or None
        Name to give to `read`; None where the content tells.
    tolerance : float
        Mean absolute difference of ghi from the sky: rounding, or the straight lines between instants. [W/m²]
    """

    reader: str
    write: Callable[[], str | bytes] | Callable[[Path], Path]
    options: dict[str, object] = field(default_factory=dict)
    source: str | None = None
    tolerance: float = 0.01


def nsrdb(clock_h: float, minutes: int, at_minute: int) -> str:
    """NSRDB with instants every so many minutes."""
    first, n_steps = pd.Timestamp("2013-03-01", tz="UTC"), 20 * 1440 // minutes
    moments = pd.date_range(first, periods=n_steps, freq=f"{minutes}min") + pd.Timedelta(minutes=at_minute)
    moments = moments - pd.Timedelta(hours=clock_h)
    sky, stamp = instants(moments), local(moments, clock_h)
    rows = pd.DataFrame(
        {
            "Year": stamp.year,
            "Month": stamp.month,
            "Day": stamp.day,
            "Hour": stamp.hour,
            "Minute": stamp.minute,
            "GHI": sky["ghi"].round(2).to_numpy(),
            "DHI": sky["dhi"].round(2).to_numpy(),
            "DNI": sky["dni"].round(2).to_numpy(),
            "Temperature": sky["temp_air"].round(2).to_numpy(),
            "Pressure": (sky["pressure"] / 100).round(2).to_numpy(),
            "Relative Humidity": 40.0,
        }
    )
    header = {
        "Source": "NSRDB",
        "Location ID": 42,
        "Latitude": LATITUDE,
        "Longitude": LONGITUDE,
        "Time Zone": f"{clock_h:g}",
        "Elevation": 800,
        "Local Time Zone": -6,
        "GHI Units": "w/m2",
        "DNI Units": "w/m2",
        "DHI Units": "w/m2",
        "Temperature Units": "c",
        "Pressure Units": "mbar",
        "Relative Humidity Units": "%",
        "Version": "4.0.1",
    }
    return f"{','.join(header)}\n{','.join(map(str, header.values()))}\n{rows.to_csv(index=False)}"


def epw(clock_h: float) -> str:
    """EPW: means of the hour before, instants of the rest."""
    data = files.hour_ends(clock_h)
    index = pd.DatetimeIndex(data.index)
    rows = pd.DataFrame(0, index=range(len(data)), columns=range(35)).astype(object)
    rows[0], rows[1], rows[2], rows[3] = index.year, index.month, index.day, index.hour + 1
    rows[5] = "?9?9"
    rows[6], rows[9], rows[21] = (data[n].round(2).to_numpy() for n in ("temp_air", "pressure", "speed_10"))
    rows[13], rows[14], rows[15] = (data[n].round(2).to_numpy() for n in ("ghi", "dni", "dhi"))
    head = [
        f"LOCATION,Town,TX,USA,TMYx,722780,{LATITUDE},{LONGITUDE},{clock_h},800",
        *("DESIGN CONDITIONS,0", "TYPICAL/EXTREME PERIODS,0", "GROUND TEMPERATURES,0"),
        *("HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0", "COMMENTS 1,none", "COMMENTS 2,none"),
        "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31",
    ]
    return "\n".join(head) + f"\n{rows.to_csv(index=False, header=False)}"


def pvgis_epw() -> str:
    """EPW as PVGIS writes it: the rows of its typical year, stamped one hour later in local time."""
    rows = files.pvgis_tmy_rows()
    stamp = pd.to_datetime(rows["time(UTC)"].str[4:], format="%m%d:%H%M")
    table = pd.DataFrame(0, index=range(len(rows)), columns=range(35)).astype(object)
    table[0], table[1], table[2] = rows["time(UTC)"].str[:4], stamp.dt.month, stamp.dt.day
    table[3], table[5] = stamp.dt.hour + 1, "?9?9"
    table[6], table[9], table[21] = rows["T2m"], rows["SP"], rows["WS10m"]
    table[13], table[14], table[15] = rows["G(h)"], rows["Gb(n)"], rows["Gd(h)"]
    head = [
        f"LOCATION,unknown,-,unknown,ECMWF/ERA,unknown,{LATITUDE},{LONGITUDE},1,800",
        *("DESIGN CONDITIONS,0", "TYPICAL/EXTREME PERIODS,0", "GROUND TEMPERATURES,0"),
        *("HOLIDAYS/DAYLIGHT SAVING,No,0,0,0", "COMMENTS 1,ECMWF-ERA"),
        "COMMENTS 2,Irradiance Time Offset (h):-0.8239",
        "DATA PERIODS,1,1,Data,Thursday, 1/ 1,12/31",
    ]
    return "\n".join(head) + f"\n{table.to_csv(index=False, header=False)}"


def wtk(clock_h: float) -> str:
    """WIND Toolkit: snapshots in the middle of the hour."""
    moments = hours() + pd.Timedelta(minutes=30) - pd.Timedelta(hours=clock_h)
    sky, stamp = instants(moments), local(moments, clock_h)
    rows = pd.DataFrame(
        {
            "Year": stamp.year,
            "Month": stamp.month,
            "Day": stamp.day,
            "Hour": stamp.hour,
            "Minute": stamp.minute,
            "surface air pressure (Pa)": sky["pressure"].round(2).to_numpy(),
            "wind speed at 10m (m/s)": sky["speed_10"].round(3).to_numpy(),
            "wind speed at 100m (m/s)": sky["speed_100"].round(3).to_numpy(),
        }
    )
    head = f"SiteID,7,Site Timezone,-6,Data Timezone,{clock_h:g},Longitude,{LONGITUDE},Latitude,{LATITUDE}"
    return f"{head}\n{rows.to_csv(index=False)}"


def saved(folder: Path) -> Path:
    """Weather as `read` gives it."""
    table = folder / "table.csv"
    table.write_text(files.plain_csv(), encoding="utf-8")
    read(table, "csv", clock="UTC", **PLAIN).to_netcdf(folder / "saved.nc")  # type: ignore[arg-type]
    return folder / "saved.nc"


def parquet(folder: Path) -> Path:
    """Parquet with an index in UTC."""
    path = folder / "table.parquet"
    files.plain_frame().rename_axis("time").to_parquet(path)
    return path


def parquet_units(folder: Path) -> Path:
    """Parquet with units in the metadata of its columns."""
    path = folder / "units.parquet"
    sky = means(hours())
    stamps = pa.array(sky.index.tz_convert("America/Chicago"))
    columns = {"stamp": (stamps, None), "ghi": (pa.array(sky["ghi"]), b"W/m2")}
    columns["temp_air"] = (pa.array(sky["temp_air"] + 273.15), b"K")
    fields = [
        pa.field(name, array.type, metadata=None if unit is None else {b"units": unit})
        for name, (array, unit) in columns.items()
    ]
    pq.write_table(pa.table([array for array, _ in columns.values()], schema=pa.schema(fields)), path)
    return path


def era5_netcdf(folder: Path) -> Path:
    """ERA5 as the Data Store gives it now: `valid_time`, `expver` along it, `number`."""
    path = folder / "era5.nc"
    grid = files.era5_grid()
    version = ("valid_time", ["0001"] * 400 + ["0005"] * 80)
    grid.assign_coords(number=0, expver=version).to_netcdf(path)
    return path


def era5_old_netcdf(folder: Path) -> Path:
    """ERA5 as it was: `time`, `expver` as a dim, longitudes from 0, latitudes ascending."""
    path = folder / "old.nc"
    grid = files.era5_grid("time").drop_vars("z")
    grid = grid.assign_coords(longitude=grid["longitude"] % 360.0).sortby("latitude")
    final = grid.where(grid["time"] < grid["time"][400])
    preliminary = grid.where(grid["time"] >= grid["time"][400])
    xr.concat([final, preliminary], pd.Index([1, 5], name="expver")).to_netcdf(path)
    return path


def era5_zarr(folder: Path) -> Path:
    """ERA5 with long names in a Zarr store."""
    path = folder / "era5.zarr"
    files.era5_grid("time", long_names=True).to_zarr(path, consolidated=False)
    return path


def era5_zip(folder: Path) -> Path:
    """ERA5 in an archive of two files, instants and sums."""
    path = folder / "era5.zip"
    grid = files.era5_grid().assign_coords(number=0)
    sums = ["ssrd", "fdir"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in (("instant", grid.drop_vars(sums)), ("accum", grid[sums])):
            part.to_netcdf(folder / "part.nc")
            archive.writestr(f"data_stream-oper_stepType-{name}.nc", (folder / "part.nc").read_bytes())
    return path


def era5_csv() -> str:
    """ERA5 as a point series."""
    point = files.era5_grid().drop_vars("z").isel(latitude=1, longitude=1)
    return point.to_dataframe().reset_index().to_csv(index=False)


def plain_zone(zone: str) -> str:
    """A plain table stamped in a zone with daylight saving, which starts on 10 March 2013 in the USA."""
    frame = files.plain_frame()
    stamps = pd.DatetimeIndex(frame.index).tz_convert(zone).tz_localize(None)
    table = pd.concat([pd.Series(stamps, name="time"), frame.reset_index(drop=True)], axis=1)
    return table.to_csv(index=False)


def plain_ends() -> str:
    """A plain table of other names, in kWh/m², km/h and °F, stamped at the ends of its hours."""
    sky = means(hours())
    stamps = (sky.index + pd.Timedelta(hours=1)).tz_convert("Asia/Kolkata").strftime("%d.%m.%Y %H:%M%z")
    table = {
        "Datum": stamps,
        "Globalstrahlung": (sky["ghi"] / 1000.0).to_numpy(),
        "Wind 80 m": (sky["speed_100"] * 3.6).to_numpy(),
        "Temperatur": (sky["temp_air"] * 1.8 + 32.0).to_numpy(),
    }
    return pd.DataFrame(table).to_csv(index=False)


HERE = files.PLACE
CENTRE = {"here": (LATITUDE + 0.03, LONGITUDE - 0.04)}
PART: dict[str, object] = {"partial": True}
LAID: dict[str, object] = {"year": files.YEAR}
NIGHT: dict[str, object] = {"fill": ["night_offset"]}
PLAIN: dict[str, object] = {"label": "left", **PART, **HERE}
CHICAGO = "America/Chicago"

CASES: dict[str, Case] = {
    "nsrdb": Case("nsrdb", lambda: nsrdb(-6, 60, 30), PART, tolerance=2.0),
    "nsrdb-utc": Case("nsrdb", lambda: nsrdb(0, 60, 30), PART, tolerance=2.0),
    "nsrdb-on-the-hour": Case("nsrdb", lambda: nsrdb(-6, 60, 0), PART, tolerance=4.0),
    "nsrdb-30min": Case("nsrdb", lambda: nsrdb(0, 30, 0), PART, tolerance=1.0),
    "nsrdb-15min": Case("nsrdb", lambda: nsrdb(-6, 15, 0), PART, tolerance=0.3),
    "nsrdb-5min": Case("nsrdb", lambda: nsrdb(-6, 5, 0), PART, tolerance=0.1),
    "wtk": Case("wtk", lambda: wtk(-6), PART),
    "wtk-utc": Case("wtk", lambda: wtk(0), PART),
    "epw": Case("epw", lambda: epw(-6)),
    "epw-utc": Case("epw", lambda: epw(0)),
    "epw-of-pvgis": Case("epw", pvgis_epw, LAID, tolerance=4.0),
    "tmy3": Case("tmy3", files.tmy3_text, LAID),
    "tmy3-utc": Case("tmy3", lambda: files.tmy3_text(0.0), LAID),
    "tmy2": Case("tmy2", files.tmy2_text, LAID, tolerance=0.3),
    "tmy2-utc": Case("tmy2", lambda: files.tmy2_text(0.0), LAID, tolerance=0.3),
    "pvgis": Case("pvgis", lambda: files.pvgis_json(files.pvgis_tmy_rows()), LAID, tolerance=4.0),
    "pvgis-csv": Case("pvgis", lambda: files.pvgis_csv(files.pvgis_tmy_rows()), LAID, tolerance=4.0),
    "pvgis-hourly": Case("pvgis", lambda: files.pvgis_json(files.pvgis_hourly_rows()), PART, tolerance=4.0),
    "pvgis-hourly-csv": Case(
        "pvgis", lambda: files.pvgis_csv(files.pvgis_hourly_rows()), PART, tolerance=4.0
    ),
    "open_meteo": Case("open_meteo", lambda: json.dumps(files.open_meteo_entry())),
    "open_meteo-local": Case("open_meteo", lambda: json.dumps(files.open_meteo_entry(-6))),
    "open_meteo-unix": Case("open_meteo", lambda: json.dumps(files.open_meteo_entry(-5, unix=True)), PART),
    "open_meteo-csv": Case("open_meteo", lambda: files.open_meteo_csv(-6)),
    "open_meteo-15min": Case(
        "open_meteo", lambda: json.dumps(files.open_meteo_entry(section="minutely_15", step="15min"))
    ),
    "nasa_power": Case("nasa_power", files.power_json),
    "nasa_power-lst": Case("nasa_power", lambda: files.power_json("LST")),
    "nasa_power-csv": Case("nasa_power", files.power_csv),
    "nasa_power-csv-lst": Case("nasa_power", lambda: files.power_csv("LST")),
    "surfrad": Case("surfrad", files.surfrad_text, NIGHT, tolerance=0.1),
    "surfrad-3min": Case("surfrad", lambda: files.surfrad_text(minutes=3), NIGHT, tolerance=0.1),
    "era5": Case("era5", era5_netcdf, {"places": CENTRE}),
    "era5-old": Case("era5", era5_old_netcdf, {"places": CENTRE, "method": "bilinear"}),
    "era5-zarr": Case("era5", era5_zarr, {"places": CENTRE}),
    "era5-zip": Case("era5", era5_zip, {"places": CENTRE}),
    "era5-csv": Case("era5", era5_csv),
    "saved": Case("saved", saved),
    "parquet": Case("parquet", parquet, {"label": "left", **HERE, **PART}),
    "parquet-units": Case("parquet", parquet_units, {"time_column": "stamp", **PLAIN}),
    "csv": Case("csv", files.plain_csv, {"clock": "UTC", **PLAIN}, "csv"),
    "csv-local": Case("csv", lambda: files.plain_csv(-6), {"clock": "UTC-6", **PLAIN}, "csv"),
    "csv-zone": Case(
        "csv", lambda: plain_zone("America/Chicago"), {"clock": "America/Chicago", **PLAIN}, "csv"
    ),
    "csv-ends": Case(
        "csv",
        plain_ends,
        {
            "columns": {"ghi": "Globalstrahlung", "wind_speed@80": "Wind 80 m", "temp_air": "Temperatur"},
            "units": {"ghi": "kWh/m2", "wind_speed@80": "km/h", "temp_air": "°F"},
            "time_column": "Datum",
            "time_format": "%d.%m.%Y %H:%M%z",
            **PLAIN,
            "label": "right",
        },
        "csv",
    ),
}
"""Files by name; the first of each reader is called as the reader."""


def write(case: Case, folder: Path) -> Path:
    """Write a file into a folder."""
    if case.write in (parquet, parquet_units, era5_netcdf, era5_old_netcdf, era5_zarr, era5_zip, saved):
        return case.write(folder)  # type: ignore[call-arg, return-value]
    content = case.write()  # type: ignore[call-arg]
    path = folder / "file"
    path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return path
