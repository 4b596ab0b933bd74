"""What drives a grid during a study: weather, available power of its units, load before any compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import Grid, Series, generation_dataset
from twin.scenario_checks import build_grid, resolve_file
from twin.scenario_model import GridSection, ReadSection, Scenario, WeatherFile
from twin.wan import great_circle_km
from weather import (
    PV_PARAMETERS,
    WIND_PARAMETERS,
    Finding,
    FloatArray,
    InputError,
    XarrayT,
    align_calendar,
    merge_solar_wind,
    pv_power,
    read,
    resample_mean,
    step_of,
    synthesize,
    time_axis,
    to_utc_index,
    to_xarray_time,
    wind_power,
    wrap_year,
)

MODELLED = ("wind", "pv")
"""Technologies that follow the scenario's weather; rooftop PV, hydro and CSP are always the grid's recorded
series."""

LOWEST_PROFILE_TOP_M = 40.0
"""Wind of a file serves a wind farm if it is known at least at this height; below, shear decides too much.
[m]"""

ALIGNMENT_RULE = (
    "Weather files were turned into power at their own coordinates and UTC time, and averaged to the run's "
    "step; where they do not hold the run's own dates, they were then laid on it by month, day and hour of "
    "local standard time, 28 February repeated where 29 February is missing."
)
SYNTHETIC_RULE = (
    "Synthetic weather was generated on the run's own time axis at the plants' and sites' coordinates."
)
RECORDED_RULE = "Wind and PV are the grid's recorded series; outdoor temperature at the sites is synthetic."
SERIES_RULE = (
    "Load, hydro, rooftop PV and CSP are the grid's recorded series, matched by local standard time."
)


@dataclass(frozen=True, eq=False)
class Forcing:
    """What drives one grid, on the axis of history and run.

    Attributes
    ----------
    weather : dict of str to Dataset
        Weather Datasets, by place for files.
    generation : Dataset
        `available_p_mw` (time, unit). [MW]
    load : DataArray
        `load_p_mw` (time, bus). [MW]
    """

    weather: dict[str, xr.Dataset]
    generation: xr.Dataset
    load: xr.DataArray


def study_time(scenario: Scenario) -> pd.DatetimeIndex:
    """Time axis of history, study and drain. [UTC]"""
    start = scenario.time.start_utc - pd.Timedelta(days=scenario.time.history_days)
    return time_axis(start, scenario.time.n_history + scenario.time.n_run, scenario.time.signal_step_s)


def weather_seed(scenario: Scenario, section: GridSection) -> int:
    """Seed of a grid's weather: its own, or drawn from the scenario's by the grid's position."""
    if section.weather.seed is not None:
        return section.weather.seed
    number = [grid.name for grid in scenario.grids].index(section.name)
    child = np.random.SeedSequence(scenario.seed, spawn_key=(0, number))
    return int(child.generate_state(1, np.uint32)[0])


def input_files(scenario: Scenario) -> list[Path]:
    """Files a scenario reads."""
    names = [n for g in scenario.grids for f in g.weather.files for n in (f.solar, f.wind) if n is not None]
    names += [n for n in (scenario.jobs.path, scenario.jobs.tasks_path) if n is not None]
    names += [scenario.wan.topology] if scenario.wan.topology is not None else []
    names += [entry.table for entry in scenario.wan.background if entry.table is not None]
    return [*(resolve_file(n) for n in names), *(p for g in scenario.grids for p in _grid_files(g))]


def _grid_files(section: GridSection) -> list[Path]:
    """Files a grid is built from: found where they are named, or inside the data folder."""
    options = section.options
    named = [options.path, options.units, options.load, options.available, options.coordinates]
    named += [options.case] if options.case is not None and options.case.endswith(".m") else []
    return [Path(n) if Path(n).is_file() else resolve_file(n) for n in named if isinstance(n, str)]


def make_forcing(scenario: Scenario, section: GridSection) -> Forcing:
    """Make what drives one grid of a scenario.

    Parameters
    ----------
    scenario : Scenario
        Gives the time axis, the seed and the buses of the sites.
    section : GridSection
        The grid.

    Returns
    -------
    Forcing
        On the axis of history and run.
    """
    grid = build_grid(section)
    time = study_time(scenario)
    weather, parts = _modelled(grid, scenario, section, time)
    others = [t for t in grid.units["technology"].unique() if t not in MODELLED]
    parts += [_recorded(grid, time, others, section.weather.series)] if others else []
    available = xr.concat(parts, "unit", join="exact", combine_attrs="drop")
    generation = generation_dataset(available.sel(unit=grid.units.index.to_numpy(dtype=object)), grid.units)
    generation.attrs["source"] = section.weather.source
    generation.attrs["synthetic"] = int(section.weather.source == "synthetic")
    load = _on_record(grid, time, partial(grid.load, series=section.load.series)) * section.load.scale
    return Forcing(weather, generation, load.rename("load_p_mw"))


def _modelled(
    grid: Grid, scenario: Scenario, section: GridSection, time: pd.DatetimeIndex
) -> tuple[dict[str, xr.Dataset], list[xr.DataArray]]:
    """Weather by place, and power of wind and PV; none of a grid that has hydro or grids below alone. [MW]"""
    if not grid.units["technology"].isin(MODELLED).any():
        return {}, []
    if section.weather.source == "files":
        weather, power = _from_files(grid, section, time)
        return weather, [power]
    if section.weather.source == "recorded":
        return {}, [_recorded(grid, time, MODELLED, section.weather.series)]
    generated = _generated(grid.weather_sites(MODELLED), grid, scenario, section)
    return {"synthetic": generated}, [_power(generated, grid.units)]


def _recorded(
    grid: Grid, time: pd.DatetimeIndex, technologies: Sequence[str], series: Series
) -> xr.DataArray:
    """Recorded power of some technologies on the axis of the run. [MW]"""
    return _on_record(grid, time, partial(grid.recorded, technologies=technologies, series=series))


def _on_record(
    grid: Grid, time: pd.DatetimeIndex, read: Callable[[pd.DatetimeIndex], xr.DataArray]
) -> xr.DataArray:
    """Read a recorded series; of another year by month, day and hour of the grid's standard time."""
    span, step = grid.recorded_span, time[1] - time[0]
    if span is None or (span[0] <= time[0] and time[-1] + step <= span[1]):
        return read(time)
    end = min(span[1], span[0] + pd.DateOffset(years=1))
    source = time_axis(span[0], int((end - span[0]) / step), int(step.total_seconds()))
    clock = grid.utc_offset_h
    return align_calendar(read(source), time, source_utc_offset_h=clock, target_utc_offset_h=clock)


def site_temperature(
    scenario: Scenario, section: GridSection, buses: list[str], weather: dict[str, xr.Dataset]
) -> FloatArray:
    """Outdoor temperature at buses over history and run.

    Parameters
    ----------
    scenario : Scenario
        Gives time axis and seed.
    section : GridSection
        The grid.
    buses : list of str
        Buses of its sites.
    weather : dict of str to Dataset
        The grid's weather by place. Files give the temperature of the nearest place; otherwise it is
        generated at the buses with the seed of the grid's weather.

    Returns
    -------
    ndarray (time, bus)
        Temperature. [°C]
    """
    grid = build_grid(section)
    if section.weather.source == "files":
        near = [_nearest(grid.buses.loc[bus], weather, "temperature") for bus in buses]
        return np.stack([weather[place]["temp_air"].isel(site=0).to_numpy() for place in near], axis=1)
    places = _with_altitude(grid.buses.loc[list(dict.fromkeys(buses))], grid.units)
    generated = _generated(places, grid, scenario, section)
    values: FloatArray = generated["temp_air"].sel(site=buses).transpose("time", "site").to_numpy()
    return values


def _with_altitude(buses: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Give each bus the altitude of the nearest unit, where the grid knows altitudes of units only."""
    if "altitude" in buses.columns:
        return buses
    distance = great_circle_km(
        buses["latitude"].to_numpy()[:, None],
        buses["longitude"].to_numpy()[:, None],
        units["latitude"].to_numpy(),
        units["longitude"].to_numpy(),
    )
    return buses.assign(altitude=units["altitude"].to_numpy()[np.argmin(distance, axis=1)])


def _generated(places: pd.DataFrame, grid: Grid, scenario: Scenario, section: GridSection) -> xr.Dataset:
    """Generate weather at places, on the axis of history and run."""
    time, step_s = study_time(scenario), scenario.time.signal_step_s
    at = places[["latitude", "longitude", "altitude"]].assign(utc_offset_h=grid.utc_offset_h)
    return synthesize(
        at, time[0], time[-1] + pd.Timedelta(seconds=step_s), step_s, weather_seed(scenario, section)
    )


def _power(weather: xr.Dataset, units: pd.DataFrame) -> xr.DataArray:
    """Available power of all wind and PV units at places of one weather Dataset. [MW]"""
    parts = []
    for technology, model, parameters in (
        ("wind", wind_power, WIND_PARAMETERS),
        ("pv", pv_power, PV_PARAMETERS),
    ):
        plants = units[units["technology"] == technology]
        if len(plants):
            kept = ["weather_site", "p_nom_mw", *(name for name in parameters if name in plants.columns)]
            parts.append(model(weather, plants[list(dict.fromkeys(kept))]))
    return xr.concat(parts, "unit", join="exact", combine_attrs="drop")


def _from_files(
    grid: Grid, section: GridSection, time: pd.DatetimeIndex
) -> tuple[dict[str, xr.Dataset], xr.DataArray]:
    """Read weather files; power is modelled at their own places and time, then aligned."""
    places = {entry.site: _read_place(entry, time) for entry in section.weather.files}
    units = grid.units[grid.units["technology"].isin(MODELLED)]
    named = section.weather.assign if isinstance(section.weather.assign, dict) else {}
    chosen = [
        named.get(str(unit)) or _nearest(row, places, str(row["technology"]))
        for unit, row in units.iterrows()
    ]
    parts = []
    for place, weather in places.items():
        here = units[np.array([name == place for name in chosen])].assign(weather_site=place)
        if len(here):
            parts.append(_on_axis(_power(_with_wind(weather, places), here), weather, grid, time))
    aligned = {place: _on_axis(weather, weather, grid, time) for place, weather in places.items()}
    return aligned, xr.concat(parts, "unit", join="exact", combine_attrs="drop")


def _read_place(entry: WeatherFile, time: pd.DatetimeIndex) -> xr.Dataset:
    """Read the weather of one place: of the run's own dates, or a whole year, which is then a circle."""
    parts = [
        _read_file(entry, name, said)
        for name, said in ((entry.solar, entry.solar_read), (entry.wind, entry.wind_read))
        if name is not None
    ]
    joined = parts[0] if len(parts) == 1 else merge_solar_wind(parts[0], parts[1], on_mismatch="wrap")
    if _covers(joined, time):
        return joined
    _check_span(entry, joined, time)
    return wrap_year(joined)


def _check_span(entry: WeatherFile, data: xr.Dataset, time: pd.DatetimeIndex) -> None:
    """Refuse a file of the run's own dates that lacks some of them; a whole year can be laid on any."""
    index = to_utc_index(data)
    end, needed_end = index[-1] + pd.Timedelta(step_of(data)), time[-1] + (time[1] - time[0])
    if index[0] < needed_end and end > time[0] and end - index[0] < pd.Timedelta(days=365):
        what = f"holds {index[0].isoformat()} to {end.isoformat()}, the run needs {time[0].isoformat()} to "
        what += needed_end.isoformat()
        remedy = "give a longer file (history and drain count), a whole year, or a shorter run"
        raise InputError("weather files", [Finding(f"weather.files {entry.site!r}", what, remedy)])


def _covers(data: XarrayT, time: pd.DatetimeIndex) -> bool:
    """Whether data hold the very dates of the run, and not only the same part of another year."""
    index = to_utc_index(data)
    end = index[-1] + pd.Timedelta(step_of(data))
    return bool(index[0] <= time[0] and time[-1] + (time[1] - time[0]) <= end)


def _read_file(entry: WeatherFile, name: str, said: ReadSection) -> xr.Dataset:
    options = said.model_dump(exclude={"place"}, exclude_defaults=True)
    if said.place is None:
        return read(resolve_file(name), site=entry.site, fill=entry.fill, **options)
    # A gridded file names its sites by the places asked for.
    return read(resolve_file(name), fill=entry.fill, places={entry.site: said.place}, **options)


def _with_wind(weather: xr.Dataset, places: dict[str, xr.Dataset]) -> xr.Dataset:
    """Give a place without wind that of the nearest place that has it: it only cools PV modules there."""
    if "wind_speed" in weather:
        return weather
    here = pd.Series({name: float(weather[name].values[0]) for name in ("latitude", "longitude")})
    other = places[_nearest(here, places, "wind")]
    return merge_solar_wind(weather, other, on_mismatch="wrap", max_distance_km=np.inf)


def _on_axis(data: XarrayT, weather: xr.Dataset, grid: Grid, time: pd.DatetimeIndex) -> XarrayT:
    """Lay data of a place on the axis of the run: averaged to its step; of another year by the calendar.

    The calendar is month, day and hour of local standard time.
    """
    step, wanted = pd.Timedelta(step_of(data)), time[1] - time[0]
    if step < wanted and wanted % step == pd.Timedelta(0):
        if _covers(data, time):
            # Blocks are counted from the first stamp, which must be the run's and not the file's.
            index = to_utc_index(data)
            data = data.isel(time=(index >= time[0]) & (index < time[-1] + wanted))
        data = resample_mean(data, int(wanted.total_seconds()))
    if time.isin(to_utc_index(data)).all():
        here = data.sel(time=to_xarray_time(time))
        here.attrs["calendar"] = "its own dates"
        return here
    offset = float(weather["utc_offset_h"].values[0])
    return align_calendar(data, time, source_utc_offset_h=offset, target_utc_offset_h=grid.utc_offset_h)


def _nearest(row: pd.Series, places: dict[str, xr.Dataset], purpose: str) -> str:
    """Name of the nearest place whose weather serves a purpose."""
    needed = {"wind": "wind_speed", "pv": "ghi", "temperature": "temp_air"}[purpose]
    able = [
        place
        for place, weather in places.items()
        if needed in weather and (purpose != "wind" or _is_profile(weather))
    ]
    if not able:
        finding = Finding("weather.files", f"no place has {needed} for {purpose}", "add a file that has it")
        raise InputError("weather files", [finding])
    latitude = [float(places[place]["latitude"].values[0]) for place in able]
    longitude = [float(places[place]["longitude"].values[0]) for place in able]
    distance = great_circle_km(float(row["latitude"]), float(row["longitude"]), latitude, longitude)
    return able[int(np.argmin(distance))]


def _is_profile(weather: xr.Dataset) -> bool:
    """Whether wind is known near hub height, not only near the ground."""
    return float(weather["height"].max()) >= LOWEST_PROFILE_TOP_M
