"""Models that go over (time, unit[, member]) element by element: in blocks, or lazily over Dask chunks.

A model gets the weather of some hours at some units and returns their power. Here it is decided which hours
and units it gets at a time: blocks small enough for the processor's cache, so that memory stays bounded and
every array operation is fast, and for Dask arrays each chunk in such blocks, so that nothing is computed
before it is asked for. The result does not depend on the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from weather._types import FloatArray, IntArray
from weather.errors import Finding, Findings, InputError
from weather.variables import WEATHER, check_dataset, value_findings

__all__ = ["BLOCK_ELEMENTS", "Model", "checked_weather", "is_lazy", "over_units", "site_names"]

BLOCK_ELEMENTS: Final = 1 << 15
"""Elements of a block: an array of them fits the second-level cache, a few dozen the third."""

Model: TypeAlias = Callable[[FloatArray, Mapping[str, FloatArray], IntArray], FloatArray]
"""A model of blocks: (what depends on time, (time, column)), (weather by name, (time, unit[, member])), (row
of each unit in the plant table) -> (time, unit[, member]). Weather over heights has them as a last dimension;
an array without members has a dimension of length 1 where others have them."""

_PROFILES: Final = frozenset(v.name for v in WEATHER.variables if "height" in v.dims)


def is_lazy(weather: xr.Dataset) -> bool:
    """Return whether any variable is a Dask array."""
    return any(variable.chunks is not None for variable in weather.data_vars.values())


def checked_weather(weather: xr.Dataset, needed: Collection[str], usable: Collection[str]) -> xr.Dataset:
    """Return the part of a weather dataset that a model uses, checked.

    Parameters
    ----------
    weather : Dataset
        As `check_dataset(ds, "weather")` wants it; any variable may have a further dimension `member`.
    needed : collection of str
        Variables and coordinates that must be there.
    usable : collection of str
        Variables that are used where they are there.

    Returns
    -------
    Dataset
        With the variables of `needed` and `usable` alone.

    Raises
    ------
    InputError
        With everything that is wrong. Values of lazy arrays are not looked at here, but when they are
        computed.
    """
    used = weather[[name for name in weather.data_vars if name in {*needed, *usable}]]
    # Places are a few numbers each, and decide what is computed.
    used = used.assign_coords({name: coord.compute() for name, coord in used.coords.items()})
    one = used.isel(member=0, drop=True) if "member" in used.dims else used
    check_dataset(one, WEATHER, required=needed, values=False)
    if not is_lazy(used):
        findings = Findings()
        for name in used.variables:
            if name in {variable.name for variable in (*WEATHER.variables, *WEATHER.coords)}:
                findings.extend(value_findings(used[name], WEATHER[str(name)]))
        findings.raise_if_any(f"{WEATHER.name} dataset")
    return used


def site_names(weather: xr.Dataset) -> list[str]:
    """Return the names of the sites, which weather must have for plants to stand at them."""
    if "site" not in weather.indexes:
        what = "missing; expected a coordinate with the names of the sites"
        raise InputError("weather dataset", [Finding("site", what, "give each site a name")])
    return list(weather["site"].to_numpy())


def over_units(
    model: Model,
    weather: xr.Dataset,
    site_of_unit: npt.NDArray[np.intp],
    by_time: FloatArray,
    *,
    n_parts: int = 0,
    whole_time: bool = False,
) -> xr.DataArray:
    """Run a model over all times and units.

    Parameters
    ----------
    model : callable
        See `Model`. It is sent to other processes where a Dask scheduler has them.
    weather : Dataset
        Variables over time and site, maybe height and member.
    site_of_unit : ndarray
        Position of each unit's site.
    by_time : ndarray
        What depends on time alone, shape (time, column).
    n_parts : int
        Results of the model at each element, in a last dimension `part`; 0 for one without that dimension.
    whole_time : bool
        Whether the model looks at neighbours in time, so that blocks are of units and not of times.

    Returns
    -------
    DataArray
        Over (time, unit[, member][, part]), without coordinates of units; lazy if any variable is.
    """
    dims = ("time", "site", *(("member",) if "member" in weather.dims else ()))
    fields = {str(name): _in_order(variable, dims) for name, variable in weather.data_vars.items()}
    out_dims = ("time", "unit", *dims[2:], *(("part",) if n_parts else ()))
    run = partial(_in_blocks, model, tuple(fields), n_parts=n_parts, whole_time=whole_time)
    if is_lazy(weather):
        power = _lazily(run, fields, by_time, site_of_unit, n_parts, whole_time).transpose(*out_dims)
    else:
        arrays = [_with_axes(field, dims).to_numpy() for field in fields.values()]
        values = run(by_time, np.arange(len(site_of_unit)), arrays, site_of_unit=site_of_unit)
        power = xr.DataArray(values, dims=out_dims)
    coords = {dim: weather[dim].to_numpy() for dim in ("time", "member") if dim in weather.coords}
    return power.assign_coords(coords)


def _in_order(variable: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    """Return a variable without coordinates, dims in the order given and height last; nothing is copied."""
    return variable.drop_vars(list(variable.coords)).transpose(*dims, "height", missing_dims="ignore")


def _with_axes(field: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    """Return a field with an axis of length 1 for each dim it lacks; nothing is copied."""
    absent = [dim for dim in dims if dim not in field.dims]
    return field.expand_dims(absent).transpose(*dims, "height", missing_dims="ignore") if absent else field


def _in_blocks(
    model: Model,
    names: Sequence[str],
    by_time: FloatArray,
    units: IntArray,
    arrays: Sequence[FloatArray],
    *,
    n_parts: int,
    whole_time: bool,
    site_of_unit: npt.NDArray[np.intp] | None = None,
    check: bool = False,
) -> FloatArray:
    """Run a model block by block; without `site_of_unit` the arrays have a column per unit."""
    n_time, n_unit = len(by_time), len(units)
    if site_of_unit is not None and np.array_equal(site_of_unit, np.arange(arrays[0].shape[1])):
        site_of_unit = None  # a view of the weather will do
    members = [array.shape[2] for array, name in zip(arrays, names, strict=True) if _n_axes(array, name) == 3]
    n_member = max(members, default=1)
    parts = (n_parts,) if n_parts else ()
    result = np.empty((n_time, n_unit, *((n_member,) if members else ()), *parts))
    for times, some in _blocks(n_time, n_unit, n_member, whole_time):
        columns = some if site_of_unit is None else site_of_unit[some]
        values = {
            name: np.asarray(array[times][:, columns], np.float64)
            for name, array in zip(names, arrays, strict=True)
        }
        if check:
            _refuse_nan(values)
        result[times, some] = model(by_time[times], values, units[some])
    return result


def _blocks(n_time: int, n_unit: int, n_member: int, whole_time: bool) -> Iterator[tuple[slice, slice]]:
    """Yield slices of times and units of about `BLOCK_ELEMENTS` elements."""
    if whole_time:
        width = max(1, BLOCK_ELEMENTS // (n_time * n_member))
        yield from ((slice(None), slice(start, start + width)) for start in range(0, n_unit, width))
    else:
        height = max(1, BLOCK_ELEMENTS // (n_unit * n_member))
        yield from ((slice(start, start + height), slice(None)) for start in range(0, n_time, height))


def _n_axes(array: FloatArray, name: str) -> int:
    """Return the number of axes without height."""
    return array.ndim - int(name in _PROFILES)


def _refuse_nan(values: Mapping[str, FloatArray]) -> None:
    """Raise if a computed chunk holds NaN or infinity: lazy weather cannot be checked before."""
    findings = Findings()
    for name, array in values.items():
        n_bad = int(array.size - np.isfinite(array).sum())
        if n_bad:
            what = f"{n_bad} of {array.size} values of a chunk are NaN or infinite"
            findings.add(name, what, "resolve it by a named fill (weather.FILLS): missing is never zero")
    findings.raise_if_any("weather dataset")


def _lazily(
    run: Callable[..., FloatArray],
    fields: Mapping[str, xr.DataArray],
    by_time: FloatArray,
    site_of_unit: npt.NDArray[np.intp],
    n_parts: int,
    whole_time: bool,
) -> xr.DataArray:
    """Run a model over Dask chunks."""
    at_unit = xr.unify_chunks(*(_at_units(field, site_of_unit) for field in fields.values()))
    chunks: dict[str, int | tuple[int, ...]] = {}
    for field in at_unit:
        chunks |= {str(dim): sizes for dim, sizes in field.chunksizes.items()}
    chunks |= {"height": -1, **({"time": -1} if whole_time else {})}
    arrays = [field.chunk({dim: chunks[str(dim)] for dim in field.dims}) for field in at_unit]
    times = xr.DataArray(by_time, dims=("time", "column")).chunk({"time": chunks["time"], "column": -1})
    units = xr.DataArray(np.arange(len(site_of_unit)), dims="unit").chunk({"unit": chunks["unit"]})
    heights = [["height"] if "height" in array.dims else [] for array in arrays]
    power: xr.DataArray = xr.apply_ufunc(
        partial(_of_chunk, run),
        times,
        units,
        *arrays,
        input_core_dims=[["column"], [], *heights],
        output_core_dims=[["part"] if n_parts else []],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"part": n_parts}} if n_parts else {},
    )
    return power


def _at_units(field: xr.DataArray, site_of_unit: npt.NDArray[np.intp]) -> xr.DataArray:
    """Return a field with a column per unit."""
    if not np.array_equal(site_of_unit, np.arange(field.sizes["site"])):
        field = field.isel(site=site_of_unit)
    return field.rename(site="unit")


def _of_chunk(
    run: Callable[..., FloatArray], by_time: FloatArray, units: IntArray, *arrays: FloatArray
) -> FloatArray:
    """Run a model over one chunk, whose small arrays come with axes of length 1 for the dims they lack."""
    return run(by_time.reshape(len(by_time), -1), units.ravel(), arrays, check=True)
