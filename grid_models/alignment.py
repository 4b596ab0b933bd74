"""Labelled inputs of a dispatch as arrays in the grid's order, or an error with every reason why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from weather import Findings, to_utc_index

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray, IntArray
    from grid_models.grid import Grid


_OVER_RATING = 1e-3
"""Share of its size by which a unit may be above it: series are often rounded. [1]"""
_SMALL_MW = 1e-6


def aligned(
    grid: Grid, generation: xr.Dataset, load: xr.DataArray, flexible_load: xr.DataArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Available power (time, unit), load and flexible load (time, bus) in the grid's order. [MW]

    Raises
    ------
    InputError
        Missing or unknown units and buses, other time axes, NaN, negative power: all at once.
    """
    findings = Findings()
    if "available_p_mw" not in generation:
        findings.add("generation", "has no variable 'available_p_mw'", "see grid_models.generation_dataset")
        findings.raise_if_any(f"dispatch of grid {grid.name!r}")
    time = to_utc_index(generation["time"])
    available = _ordered(generation["available_p_mw"], "unit", grid.units.index, time, findings)
    _check_rating(grid, available, time, findings)
    fixed = _ordered(load, "bus", grid.buses.index, time, findings)
    flexible = np.zeros((len(time), len(grid.buses)))
    if flexible_load is not None and "bus" not in flexible_load.dims:
        _ordered(flexible_load, "bus", grid.buses.index, time, findings)
    elif flexible_load is not None:
        named = _known(flexible_load, "bus", grid.buses.index, findings)
        values = _ordered(named, "bus", named["bus"].to_index(), time, findings)
        if values.size:
            flexible[:, grid.buses.index.get_indexer(named["bus"].to_index())] = values
    findings.raise_if_any(f"dispatch of grid {grid.name!r}")
    return available, fixed, flexible


def check_steps(generation: xr.Dataset) -> None:
    """Refuse a time axis that is missing, empty, or not in order.

    Raises
    ------
    InputError
        What is wrong with it, all at once.
    """
    findings = Findings()
    if "time" not in generation.coords or "time" not in generation.dims:
        findings.add("generation", f"has no time axis, dims are {tuple(generation.dims)}", "label it 'time'")
        findings.raise_if_any("dispatch")
    time = to_utc_index(generation["time"])
    if not len(time):
        findings.add("generation time", "has no step", "give one or more")
    elif not time.is_monotonic_increasing or time.has_duplicates:
        first = int(np.flatnonzero(np.diff(time.asi8) <= 0)[0])
        what = f"{time[first + 1].isoformat()} follows {time[first].isoformat()}"
        findings.add("generation time", what, "sort it and keep one of each, e.g. with sortby('time')")
    findings.raise_if_any("dispatch")


def _check_unit(array: xr.DataArray, expected: str, findings: Findings) -> None:
    """Refuse what says that it is in another unit; what does not say is taken as documented."""
    unit = array.attrs.get("units", expected)
    if unit != expected:
        findings.add(str(array.name), f"is in {unit!r}", f"convert it to {expected!r}")


def _check_rating(grid: Grid, available: FloatArray, time: pd.DatetimeIndex, findings: Findings) -> None:
    """Refuse units that have more available than their size: it is the wrong unit, or the wrong column."""
    rating = grid.units["p_nom_mw"].to_numpy(dtype=float)
    over = available > rating * (1.0 + _OVER_RATING) + _SMALL_MW
    if over.any():
        step, unit = np.argwhere(over)[0]
        what = (
            f"{available[step, unit]:g} MW is above its p_nom_mw of {rating[unit]:g} MW "
            f"({int(over.sum())} such values)"
        )
        remedy = "give MW, or a grid whose units have that size"
        place = f"available_p_mw at unit {grid.units.index[unit]!r}, {time[step].isoformat()}"
        findings.add(place, what, remedy)


def _check_storage(grid: Grid, values: FloatArray, place: IntArray, findings: Findings) -> None:
    """Refuse schedules that a store cannot keep."""
    rating = grid.storage["p_max_mw"].to_numpy(dtype=float)[place]
    over = np.abs(values) > rating + _SMALL_MW
    for column in np.flatnonzero(over.any(axis=0)):
        name = grid.storage.index[place[column]]
        what = f"up to {np.abs(values[:, column]).max():g} MW, above its p_max_mw of {rating[column]:g} MW"
        findings.add(f"storage_p_mw of storage {name!r}", what, "keep within its power")


def _known(array: xr.DataArray, dim: str, labels: pd.Index, findings: Findings) -> xr.DataArray:
    unknown = array[dim].to_index().difference(labels)
    for label in unknown:
        findings.add(f"{array.name} {dim} {label!r}", "is not in the grid", f"use labels of grid.{dim}es")
    return array.drop_sel({dim: unknown}) if len(unknown) else array


def _ordered(
    array: xr.DataArray,
    dim: str,
    labels: pd.Index,
    time: pd.DatetimeIndex,
    findings: Findings,
    *,
    signed: bool = False,
) -> FloatArray:
    """Values (time, dim) in the order of `labels`; findings where they cannot be had."""
    name = dim if array.name is None else str(array.name)
    before = len(list(findings))
    if set(array.dims) != {"time", dim}:
        findings.add(name, f"has dims {tuple(array.dims)}", f"give dims ('time', '{dim}')")
        return np.zeros((len(time), len(labels)))
    index = array[dim].to_index()
    if index.has_duplicates:
        findings.add(
            name, f"{dim} has duplicates {list(index[index.duplicated()].unique())[:5]}", "keep one of each"
        )
    missing, unknown = labels.difference(index), index.difference(labels)
    if len(missing):
        findings.add(
            name, f"lacks {dim} {list(missing)[:5]} ({len(missing)} in all)", "give every one, 0 MW if idle"
        )
    if len(unknown):
        findings.add(
            name, f"has unknown {dim} {list(unknown)[:5]} ({len(unknown)} in all)", "drop or rename them"
        )
    stamps = to_utc_index(array["time"])
    if not stamps.equals(time):
        what = (
            f"runs {stamps[0]} to {stamps[-1]} ({len(stamps)} steps), "
            f"generation {time[0]} to {time[-1]} ({len(time)} steps)"
        )
        findings.add(f"{name} time", what, "bring both to one axis first")
    if len(list(findings)) > before:
        return np.zeros((len(time), len(labels)))
    _check_unit(array, "1" if dim == "gen" else "MW", findings)
    values = array.transpose("time", dim).sel({dim: labels}).to_numpy().astype(float)
    _check_values(values, name, dim, labels, time, findings, signed=signed)
    return values


def _check_values(
    values: FloatArray,
    name: str,
    dim: str,
    labels: pd.Index,
    time: pd.DatetimeIndex,
    findings: Findings,
    *,
    signed: bool,
) -> None:
    for wrong, what in ((~np.isfinite(values), "is not finite"), (values < 0.0, "is negative")):
        if wrong.any() and not (signed and what == "is negative"):
            step, column = np.argwhere(wrong)[0]
            findings.add(
                f"{name} at {dim} {labels[column]!r}, {time[step].isoformat()}",
                f"{values[step, column]} MW {what} ({int(wrong.sum())} such values)",
                "powers are finite and >= 0 MW (loads: consumer viewpoint); fill gaps by a named rule",
            )


def aligned_series(
    grid: Grid, time: xr.DataArray, gen_status: xr.DataArray | None, storage_p_mw: xr.DataArray | None
) -> tuple[FloatArray, FloatArray]:
    """Share of generators that may run (time, gen) and power injected by storage (time, bus) [MW].

    Raises
    ------
    InputError
        Unknown generators or storage, other time axes, shares outside 0 to 1, committable generators without
        a commitment: all at once.
    """
    findings, index = Findings(), to_utc_index(time)
    status = np.ones((len(index), len(grid.generators)))
    injection = np.zeros((len(index), len(grid.buses)))
    if gen_status is not None:
        values, place = _placed(gen_status, "gen", grid.generators.index, index, findings)
        status[:, place] = values
        if ((status < 0.0) | (status > 1.0)).any():
            findings.add("gen_status", "leaves the range 0 to 1", "give the share that may run")
    elif grid.generators["committable"].any():
        what = "is missing, but generators of the grid are committable"
        findings.add("gen_status", what, "decide it first, with grid_models.commit")
    if storage_p_mw is not None:
        values, place = _placed(storage_p_mw, "storage", grid.storage.index, index, findings)
        _check_storage(grid, values, place, findings)
        bus = grid.buses.index.get_indexer(grid.storage["bus"])[place]
        np.add.at(injection.T, bus, values.T)
    findings.raise_if_any(f"dispatch of grid {grid.name!r}")
    return status, injection


def _placed(
    array: xr.DataArray, dim: str, labels: pd.Index, time: pd.DatetimeIndex, findings: Findings
) -> tuple[FloatArray, IntArray]:
    """Values (time, dim) of some labels, with the places of these."""
    before = len(list(findings))
    named = _known(array, dim, labels, findings) if dim in array.dims else array
    own = named[dim].to_index() if dim in named.dims else labels
    values = _ordered(named, dim, own, time, findings, signed=True)
    if len(list(findings)) > before:
        return np.zeros((len(time), 0)), np.zeros(0, dtype=np.int64)
    return values, labels.get_indexer(own)
