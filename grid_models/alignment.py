"""Labelled inputs of a dispatch as arrays in the grid's order, or an error with every reason why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from weather import Findings, to_utc_index

if TYPE_CHECKING:
    from grid_models._arrays import FloatArray
    from grid_models.grid import Grid


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


def _known(array: xr.DataArray, dim: str, labels: pd.Index, findings: Findings) -> xr.DataArray:
    unknown = array[dim].to_index().difference(labels)
    for label in unknown:
        findings.add(f"{array.name} {dim} {label!r}", "is not in the grid", f"use labels of grid.{dim}es")
    return array.drop_sel({dim: unknown}) if len(unknown) else array


def _ordered(
    array: xr.DataArray, dim: str, labels: pd.Index, time: pd.DatetimeIndex, findings: Findings
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
    values = array.transpose("time", dim).sel({dim: labels}).to_numpy().astype(float)
    _check_values(values, name, dim, labels, time, findings)
    return values


def _check_values(
    values: FloatArray, name: str, dim: str, labels: pd.Index, time: pd.DatetimeIndex, findings: Findings
) -> None:
    for wrong, what in ((~np.isfinite(values), "is not finite"), (values < 0.0, "is negative")):
        if wrong.any():
            step, column = np.argwhere(wrong)[0]
            findings.add(
                f"{name} at {dim} {labels[column]!r}, {time[step].isoformat()}",
                f"{values[step, column]} MW {what} ({int(wrong.sum())} such values)",
                "powers are finite and >= 0 MW (loads: consumer viewpoint); fill gaps by a named rule",
            )
