"""ERA5 of Copernicus: NetCDF, Zarr and the zip archives of the Climate Data Store, from grid cells to sites.

Names are the short ones of the Data Store (ssrd, fdir, t2m, sp, u10, v10, u100, v100) or the long ones of
Zarr copies; the time axis is `valid_time` or, in older files, `time`, in UTC. Radiation is accumulated over
the hour that ends at the stamp, in J/m²; temperature, pressure and wind are of the stamp's moment [1]_ and
are averaged with the moment before. dhi = ssrd - fdir; beam is left to be what is missing of global, for
dividing by the cosine of a computed zenith would make every clock look right. Speed is that of the wind's
components. The mixture of final and preliminary data (`expver` 1 and 5) is joined and counted in
`attrs["preliminary"]`. The altitude is that of the model's surface where the file has its geopotential `z`.

ERA5-Land accumulates from 00 UTC and is refused.

References
----------
.. [1] ECMWF, "ERA5: data documentation", Confluence (2024), "Mean rates/fluxes and accumulations", table 9.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from weather._types import FloatArray
from weather.constants import STANDARD_GRAVITY
from weather.errors import Finding, Findings, InputError
from weather.readers._dataset import Parsed, build_dataset, clock_offset
from weather.readers._instants import means_of_instants
from weather.readers._options import ReadOptions
from weather.readers._sniff import Sample, sample
from weather.readers._stamps import Axis, place_stamps
from weather.readers._text import decode, read_text
from weather.readers._units import convert
from weather.regrid import to_sites
from weather.variables import WEATHER

__all__ = ["is_era5", "parse_era5", "read_era5"]

_SHORT_NAMES: Final = {
    "surface_solar_radiation_downwards": "ssrd",
    "total_sky_direct_solar_radiation_at_surface": "fdir",
    "2m_temperature": "t2m",
    "surface_pressure": "sp",
    "10m_u_component_of_wind": "u10",
    "10m_v_component_of_wind": "v10",
    "100m_u_component_of_wind": "u100",
    "100m_v_component_of_wind": "v100",
    "geopotential_at_surface": "z",
    "geopotential": "z",
}
_DOCUMENTED_UNITS: Final = {
    "ssrd": "J m**-2",
    "fdir": "J m**-2",
    "t2m": "K",
    "sp": "Pa",
    **dict.fromkeys(("u10", "v10", "u100", "v100"), "m s**-1"),
}
"""Units of the point series in CSV, which do not state them."""

_KNOWN: Final = (*_DOCUMENTED_UNITS, "z")
_HEIGHTS: Final = (10, 100)
_MAX_CELLS: Final = 1000
_HOUR: Final = pd.Timedelta(hours=1)
_PRELIMINARY: Final = 5
_NOISE: Final = 1.0
_CUT: Final = "the file is cut off or damaged: get it again"


def is_era5(found: Sample) -> bool:
    """Return whether a file may be one of ERA5: gridded, an archive of such, or a point series in CSV."""
    return found.kind in ("netcdf", "zarr", "zip") or found.first_line.startswith("valid_time,")


def read_era5(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read ERA5 at sites.

    Parameters
    ----------
    path : Path
        NetCDF file, Zarr store, zip archive of NetCDF or CSV files, or CSV file of one point.
    options : ReadOptions, optional
        `places` and `method`; without places every cell is a site.

    Returns
    -------
    Dataset
        Weather of the sites: what the file has of ghi, dhi, temp_air, pressure, wind_speed and wind_direction
        at 10 and 100 m, with the coordinate `cell_distance_km`.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    options, subject = options or ReadOptions(), path.name
    kind = sample(path).kind
    if kind == "zip":
        return parse_era5(_from_zip(path), options, subject)
    if kind == "text":
        return parse_era5(_from_csv(read_text(path), subject), options, subject)
    try:
        if kind == "zarr":
            opened = xr.open_dataset(path, engine="zarr", consolidated=False, chunks={})
        else:
            opened = xr.open_dataset(path, engine="netcdf4")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(subject, [Finding("file", f"no readable grid: {error}", _CUT)]) from error
    with opened:
        return parse_era5(opened, options, subject)


def parse_era5(grid: xr.Dataset, options: ReadOptions, subject: str) -> xr.Dataset:
    """Turn a grid of ERA5 into weather at sites; see `read_era5`. Of a lazy one only the sites are loaded."""
    findings = Findings()
    grid = _in_short_names(grid, findings)
    findings.raise_if_any(subject)
    sites = _at_sites(grid, options, findings)
    findings.raise_if_any(subject)
    sites, n_preliminary = _one_version(sites.load())
    findings.extend(_accumulation_findings(sites))
    axis = place_stamps(pd.DatetimeIndex(sites.indexes["time"]), "right", findings)
    if not _is_hourly(axis.stamped):
        what = "steps that are not of one hour, over which radiation is accumulated"
        findings.add("time", what, "get every hour of each day")
    variables, height = _variables(sites, axis, findings)
    names = [str(name) for name in sites["site"].to_numpy()]
    parsed = Parsed(
        reader="era5",
        variables=variables,
        axis=axis,
        clock_h=clock_offset(0.0, options, "time (UTC)", findings),
        coords=_coords(sites),
        source="ERA5",
        site=names[0] if len(names) == 1 else names,
        height=height,
        extent="any",
        notes={"regridded": options.method, "preliminary": f"{n_preliminary} of {len(axis.index)} steps"},
    )
    ds = build_dataset(parsed, options, subject, findings)
    return ds.assign_coords(cell_distance_km=("site", sites["cell_distance_km"].to_numpy(), {"units": "km"}))


def _from_zip(path: Path) -> xr.Dataset:
    """Return the members of an archive side by side: the Data Store makes one of instants, one of sums."""
    parts = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                data = archive.read(name)
                if name.endswith(".nc"):
                    memory = netCDF4.Dataset(name, memory=data)
                    store = xr.backends.NetCDF4DataStore(memory)  # type: ignore[no-untyped-call]
                    parts.append(xr.open_dataset(store).load())
                elif name.endswith(".csv"):
                    parts.append(_from_csv(decode(data, name), path.name))
        if parts:
            clean = [part.drop_vars(["number"], errors="ignore") for part in parts]
            return xr.merge(clean, join="exact", compat="no_conflicts", combine_attrs="drop_conflicts")
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(path.name, [Finding("file", f"no readable archive: {error}", _CUT)]) from error
    raise InputError(path.name, [Finding("file", "an archive without .nc or .csv", "give one of ERA5")])


def _from_csv(text: str, subject: str) -> xr.Dataset:
    """Return a point series as a grid of one cell, in the units the Data Store documents."""
    if "valid_time" not in text.split("\n", 1)[0].split(","):
        what = f"no column 'valid_time': begins with {text[:60]!r}"
        raise InputError(subject, [Finding("columns", what, "give a file of ERA5")])
    try:
        frame = pd.read_csv(io.StringIO(text), parse_dates=["valid_time"])
    except ValueError as error:
        raise InputError(subject, [Finding("rows", f"no table: {error}", _CUT)]) from error
    place = [name for name in ("latitude", "longitude") if name in frame and frame[name].nunique() == 1]
    if len(place) < 2 or frame["valid_time"].dtype.kind != "M":
        what = "rows without one date and one place each"
        raise InputError(subject, [Finding("rows", what, _CUT)])
    known = [name for name in frame.columns if name in _DOCUMENTED_UNITS]
    data = {
        name: ("valid_time", frame[name].to_numpy(dtype=float), {"units": _DOCUMENTED_UNITS[name]})
        for name in known
    }
    coords = {name: float(frame[name].iloc[0]) for name in place}
    return xr.Dataset(data, {"valid_time": frame["valid_time"].to_numpy(), **coords})


def _in_short_names(grid: xr.Dataset, findings: Findings) -> xr.Dataset:
    """Return the known variables over time, latitude and longitude, or findings about what is none of it."""
    grid = grid.rename({long: short for long, short in _SHORT_NAMES.items() if long in grid.data_vars})
    known = [name for name in _KNOWN if name in grid.data_vars]
    if not set(known) - {"z"}:
        have = ", ".join(map(str, grid.data_vars)) or "none"
        findings.add("variables", f"none of {', '.join(_KNOWN)}, but {have}", "give a file of ERA5")
        return grid
    grid = grid[known]
    if "valid_time" in grid.dims:
        grid = grid.drop_vars("time", errors="ignore").rename(valid_time="time")
    for dim in ("latitude", "longitude"):
        if dim in grid.coords and not grid[dim].dims:
            grid = grid.expand_dims(dim)
    extra = set(grid.dims) - {"time", "latitude", "longitude", "expver"}
    if extra:
        what = f"the dims {', '.join(sorted(map(str, extra)))}: members or steps of forecasts"
        findings.add("dims", what, "select one, or get the reanalysis of one stream")
    if "time" not in grid.dims or grid["time"].dtype.kind != "M":
        findings.add("time", "no time axis 'valid_time' or 'time'", "give a file of ERA5")
    for name in ("latitude", "longitude"):
        if name not in grid.dims:
            findings.add(name, "no coordinate of this name", "give a file with coordinates of its cells")
    return grid.drop_vars("number", errors="ignore")


def _at_sites(grid: xr.Dataset, options: ReadOptions, findings: Findings) -> xr.Dataset:
    """Return the grid at the places wanted, or at every cell."""
    places: Mapping[str, tuple[float, float]] = options.places
    if not places:
        n_cells = grid.sizes["latitude"] * grid.sizes["longitude"]
        if n_cells > _MAX_CELLS:
            remedy = "say which sites: places={'name': (latitude, longitude)}"
            findings.add("places", f"{n_cells} cells and no places", remedy)
            return grid
        cells = [(float(a), float(b)) for a in grid["latitude"] for b in grid["longitude"]]
        places = {f"era5-{lat:.2f}-{lon:.2f}": (lat, lon) for lat, lon in cells}
    if options.site and len(places) == 1:
        places = {options.site: next(iter(places.values()))}
    return to_sites(grid, places, options.method)


def _one_version(sites: xr.Dataset) -> tuple[xr.Dataset, int]:
    """Join final and preliminary data; return also how many steps are preliminary."""
    if "expver" in sites.dims:
        versions = sites["expver"].to_numpy().astype(int)
        order = np.argsort(versions)
        joined = sites.isel(expver=order[0], drop=True)
        first = next(name for name in sites.data_vars if "time" in sites[name].dims)
        n_final = int(joined[first].notnull().any("site").sum())
        for k in order[1:]:
            joined = joined.combine_first(sites.isel(expver=k, drop=True))
        return joined, sites.sizes["time"] - n_final if _PRELIMINARY in versions else 0
    n_preliminary = 0
    if "expver" in sites.coords and sites["expver"].dims == ("time",):
        n_preliminary = int((sites["expver"].to_numpy().astype(int) == _PRELIMINARY).sum())
    return sites.drop_vars("expver", errors="ignore"), n_preliminary


def _accumulation_findings(sites: xr.Dataset) -> list[Finding]:
    """Return a finding if radiation grows through whole days, as it does in ERA5-Land."""
    if "ssrd" not in sites:
        return []
    energy = sites["ssrd"].transpose("time", "site").to_numpy()
    starts_anew = sites.indexes["time"].hour.to_numpy()[1:] == 1
    steps = np.diff(energy, axis=0)[~starts_anew]
    if len(steps) < 20 or not (energy > 0.0).any() or (steps < -_NOISE).any():
        return []
    what = "radiation that never falls within a day: accumulated since 00 UTC, as in ERA5-Land"
    return [Finding("ssrd", what, "get ERA5, whose radiation is of single hours")]


def _is_hourly(stamps: pd.DatetimeIndex) -> bool:
    """Return whether the usual distance of stamps is an hour; gaps are found elsewhere."""
    distances = np.diff(stamps.to_numpy())
    return len(distances) > 0 and pd.Timedelta(np.median(distances)) == _HOUR


def _variables(
    sites: xr.Dataset, axis: Axis, findings: Findings
) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Return variables in project units over (time[, height], site), and the heights of the wind. [m]."""
    taken = {}
    for name, target in (("ssrd", "ghi"), ("fdir", "ghi"), ("t2m", "temp_air"), ("sp", "pressure")):
        if name in sites:
            taken[name] = _converted(sites[name], WEATHER[target].units, findings)
    if "fdir" in taken and "ssrd" not in taken:
        findings.add("variables", "fdir without ssrd", "get surface_solar_radiation_downwards too")
    instants = {new: taken[old] for old, new in (("t2m", "temp_air"), ("sp", "pressure")) if old in taken}
    wind, height = _wind(sites, findings)
    variables = means_of_instants({**instants, **wind}, axis.index, 1.0)
    if "ssrd" in taken:
        variables["ghi"] = taken["ssrd"]
        if "fdir" in taken:
            variables["dhi"] = _diffuse(taken["ssrd"], taken["fdir"], findings)
    return variables, height


def _converted(values: xr.DataArray, target: str, findings: Findings) -> FloatArray:
    """Return an array over (time, site) in the unit wanted; sums are of one hour."""
    array = values.transpose("time", "site").to_numpy().astype(np.float64)
    unit = values.attrs.get("units")
    return convert(array, None if unit is None else str(unit), target, str(values.name), findings, step_h=1.0)


def _diffuse(ghi: FloatArray, beam: FloatArray, findings: Findings) -> FloatArray:
    """Return global less horizontal beam irradiance; what packing leaves below zero is none. [W/m²]."""
    dhi = ghi - beam
    too_much = int((dhi < -_NOISE).sum())
    if too_much:
        what = f"{too_much} values above ssrd, by up to {-float(np.nanmin(dhi)):.0f} W/m²"
        findings.add("fdir", what, "check that both are of one request")
    return np.where((dhi < 0.0) & (dhi >= -_NOISE), 0.0, dhi)


def _wind(sites: xr.Dataset, findings: Findings) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Return speed and direction over (time, height, site), and the heights. [m/s, degree, m]."""
    components: dict[int, tuple[FloatArray, FloatArray]] = {}
    for height in _HEIGHTS:
        have = [name for name in (f"u{height}", f"v{height}") if name in sites]
        if len(have) == 1:
            findings.add("variables", f"{have[0]} without its other component", "get both u and v")
        if len(have) == 2:
            east, north = (_converted(sites[name], "m/s", findings) for name in have)
            components[height] = (east, north)
    if not components:
        return {}, None
    east, north = (np.stack([part[k] for part in components.values()], axis=1) for k in (0, 1))
    direction: FloatArray = np.degrees(np.arctan2(-east, -north)) % 360.0
    heights = np.array(list(components), dtype=np.float64)
    return {"wind_speed": np.hypot(east, north), "wind_direction": direction}, heights


def _coords(sites: xr.Dataset) -> dict[str, float | FloatArray]:
    """Return the coordinates of the sites, the altitude from the geopotential if there is one."""
    coords: dict[str, float | FloatArray] = {
        name: sites[name].to_numpy().astype(np.float64) for name in ("latitude", "longitude")
    }
    if "z" in sites:
        geopotential = sites["z"].isel(time=0) if "time" in sites["z"].dims else sites["z"]
        coords["altitude"] = geopotential.to_numpy().astype(np.float64) / STANDARD_GRAVITY
    return coords
