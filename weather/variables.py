"""What each variable is: name, unit, dims, cell method and plausible range; the check made of it.

`WEATHER` is the table of the weather Dataset. Other packages describe their datasets with the same `Variable`
and `DatasetSpec` and check them with the same `check_dataset`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from weather._types import BoolArray
from weather.errors import Finding, Findings, InputError
from weather.timeaxis import axis_findings

__all__ = [
    "NIGHT_OFFSET",
    "SPECS",
    "WEATHER",
    "DatasetSpec",
    "Variable",
    "check_dataset",
    "dataset_findings",
    "with_metadata",
]


@dataclass(frozen=True)
class Variable:
    """One variable or coordinate of a dataset.

    Attributes
    ----------
    name : str
        Name in the dataset.
    units : str
        Unit, as it stands in `attrs["units"]`.
    dims : tuple of str
        Dims in their order.
    description : str
        Meaning, for the nomenclature.
    cell_methods : str
        How a value stands for its interval: "time: mean", "time: sum" or "time: point"; empty without time.
    valid_range : tuple of float
        Smallest and largest plausible value, in `units`.
    required : bool
        Whether a complete dataset must have it.
    """

    name: str
    units: str
    dims: tuple[str, ...]
    description: str
    cell_methods: str = "time: mean"
    valid_range: tuple[float, float] = (-math.inf, math.inf)
    required: bool = True


@dataclass(frozen=True)
class DatasetSpec:
    """The variables, coordinates and attributes of one kind of dataset."""

    name: str
    variables: tuple[Variable, ...]
    coords: tuple[Variable, ...] = ()
    attrs: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Variable:
        """Return a variable or coordinate by name."""
        by_name = {v.name: v for v in (*self.variables, *self.coords)}
        if name not in by_name:
            raise InputError(self.name, [Finding(name, "no such variable", f"names: {', '.join(by_name)}")])
        return by_name[name]


_SURFACE = ("time", "site")
_PROFILE = ("time", "height", "site")

WEATHER: Final = DatasetSpec(
    name="weather",
    variables=(
        Variable("ghi", "W/m²", _SURFACE, "global horizontal irradiance", valid_range=(0.0, 1600.0)),
        Variable("dni", "W/m²", _SURFACE, "direct normal irradiance", valid_range=(0.0, 1400.0)),
        Variable("dhi", "W/m²", _SURFACE, "diffuse horizontal irradiance", valid_range=(0.0, 1000.0)),
        Variable("temp_air", "°C", _SURFACE, "air temperature 2 m above ground", valid_range=(-90.0, 60.0)),
        Variable("pressure", "Pa", _SURFACE, "air pressure at the surface", valid_range=(40e3, 110e3)),
        Variable("wind_speed", "m/s", _PROFILE, "horizontal wind speed", valid_range=(0.0, 75.0)),
        Variable(
            "wind_direction",
            "degree",
            _PROFILE,
            "direction the wind blows from, north 0, east 90",
            valid_range=(0.0, 360.0),
            required=False,
        ),
        Variable("albedo", "1", _SURFACE, "reflected share of ghi", valid_range=(0.0, 1.0), required=False),
        Variable(
            "relative_humidity",
            "%",
            _SURFACE,
            "relative humidity 2 m above ground",
            valid_range=(0.0, 110.0),
            required=False,
        ),
    ),
    coords=(
        Variable("latitude", "degree", ("site",), "north positive", "", (-90.0, 90.0)),
        Variable("longitude", "degree", ("site",), "east positive", "", (-180.0, 180.0)),
        Variable("altitude", "m", ("site",), "of the ground above sea level", "", (-450.0, 6000.0)),
        Variable("utc_offset_h", "h", ("site",), "local standard time minus UTC", "", (-12.0, 14.0)),
        Variable("height", "m", ("height",), "above ground", "", (0.0, 500.0), required=False),
    ),
    attrs=("source", "licence", "synthetic"),
)

NIGHT_OFFSET: Final = -15.0
"""Lowest irradiance that counts as none: thermopile pyranometers cool to the sky at night, E. Dutton et al.,
"Measurement of broadband diffuse solar irradiance using current commercial instrumentation with a correction
for thermal offset errors", J. Atmos. Oceanic Technol. 18 (2001), 297-314. [W/m²]"""

SPECS: Final[Mapping[str, DatasetSpec]] = {WEATHER.name: WEATHER}


def with_metadata(ds: xr.Dataset, spec: DatasetSpec = WEATHER) -> xr.Dataset:
    """Return a dataset with units, cell methods and description of the table on every variable it has.

    No value is converted: call it where values are known to be in the table's units.

    Parameters
    ----------
    ds : Dataset
        Values; it is not changed.
    spec : DatasetSpec
        The table.

    Returns
    -------
    Dataset
        A shallow copy with attributes.
    """
    ds = ds.copy()
    for variable in (*spec.variables, *spec.coords):
        if variable.name in ds.variables:
            attrs = {"units": variable.units, "long_name": variable.description}
            if variable.cell_methods:
                attrs["cell_methods"] = variable.cell_methods
            ds[variable.name].attrs.update(attrs)
    return ds


def check_dataset(
    ds: xr.Dataset,
    spec: str | DatasetSpec,
    *,
    required: Collection[str] | None = None,
    values: bool = True,
) -> None:
    """Check a dataset against its table and raise one error with all that is wrong.

    Parameters
    ----------
    ds : Dataset
        What to check; it is not changed.
    spec : str or DatasetSpec
        A table, or the name of one in `SPECS`.
    required : collection of str, optional
        Names that must be there. Default: all variables, coordinates and attributes the table requires.
    values : bool
        Whether to look at values too (NaN, range); this computes lazy arrays.

    Raises
    ------
    InputError
        With a finding for each missing name, wrong unit, dim or cell method, NaN, value out of range, and for
        a time axis that is not naive UTC, sorted and regular.
    """
    if isinstance(spec, str):
        if spec not in SPECS:
            raise InputError("check_dataset", [Finding(spec, "no such table", f"tables: {', '.join(SPECS)}")])
        spec = SPECS[spec]
    findings = dataset_findings(ds, spec, required=required, values=values)
    Findings(findings).raise_if_any(f"{spec.name} dataset")


def dataset_findings(
    ds: xr.Dataset,
    spec: DatasetSpec,
    *,
    required: Collection[str] | None = None,
    values: bool = True,
) -> list[Finding]:
    """Return the findings that `check_dataset` raises.

    Parameters
    ----------
    ds, spec, required, values
        As for `check_dataset`.

    Returns
    -------
    list of Finding
        Empty if nothing is wrong.
    """
    findings = Findings(_time_findings(ds, spec))
    table = (*spec.variables, *spec.coords)
    needed = {v.name for v in table if v.required} | set(spec.attrs) if required is None else set(required)
    unknown = needed - {v.name for v in table} - set(spec.attrs)
    for name in sorted(unknown):
        findings.add(name, f"not in the table {spec.name!r}", "ask for names of the table")
    for name in spec.attrs:
        if name in needed and name not in ds.attrs:
            findings.add(f"attrs[{name!r}]", "missing", "say where the data come from")
    for variable in table:
        if variable.name in ds.variables:
            findings.extend(_variable_findings(ds[variable.name], variable, values=values))
        elif variable.name in needed:
            findings.add(variable.name, f"missing; expected [{variable.units}] over {variable.dims}")
    return list(findings)


def _time_findings(ds: xr.Dataset, spec: DatasetSpec) -> list[Finding]:
    """Return findings about the time axis of a dataset whose table has one."""
    if not any("time" in v.dims for v in spec.variables):
        return []
    if "time" not in ds.coords or ds["time"].dims != ("time",):
        return [Finding("time", "missing; expected a coordinate of naive datetime64 in UTC")]
    index = ds.indexes["time"]
    if ds["time"].dtype.kind != "M":
        what = f"dtype {ds['time'].dtype}, expected naive datetime64 in UTC"
        return [Finding("time", what, "convert with to_xarray_time(index)")]
    return axis_findings(index.tz_localize("UTC"))


def _variable_findings(da: xr.DataArray, variable: Variable, *, values: bool) -> list[Finding]:
    """Return findings about one variable."""
    findings = Findings()
    name = variable.name
    if da.dims != variable.dims:
        findings.add(name, f"dims {da.dims}, expected {variable.dims}", "transpose or expand it")
    units = da.attrs.get("units")
    if units is None:
        findings.add(name, f"no units in attrs, expected {variable.units!r}", "state the unit")
    elif units != variable.units:
        findings.add(name, f"units {units!r}, expected {variable.units!r}", "convert it")
    method = da.attrs.get("cell_methods", variable.cell_methods)
    if method != variable.cell_methods:
        findings.add(name, f"cell_methods {method!r}, expected {variable.cell_methods!r}")
    if not np.issubdtype(da.dtype, np.number):
        findings.add(name, f"dtype {da.dtype}, expected numbers")
    elif values and da.size:
        findings.extend(value_findings(da, variable))
    return list(findings)


def value_findings(da: xr.DataArray, variable: Variable) -> list[Finding]:
    """Return findings about NaN and implausible values, with their number and the first place."""
    data = da.to_numpy()
    findings = Findings()
    is_nan = np.isnan(data)
    if is_nan.any():
        findings.add(
            variable.name,
            f"{int(is_nan.sum())} of {data.size} values are NaN, first at {_first_place(is_nan, da)}",
            "resolve it by a named fill (weather.FILLS): missing is never zero",
        )
    low, high = variable.valid_range
    outside = (data < low) | (data > high)
    if outside.any():
        smallest, largest = float(np.nanmin(data)), float(np.nanmax(data))
        what = f"{int(outside.sum())} values outside [{low:g}, {high:g}] {variable.units}"
        shown = f"(smallest {smallest:g}, largest {largest:g}), first at {_first_place(outside, da)}"
        remedy = "check unit and source, or mask them (fill 'out_of_range')"
        if variable.units == "W/m²" and smallest >= NIGHT_OFFSET and largest <= high:
            remedy = "a pyranometer at night reads a little below zero: name the fill 'night_offset'"
        findings.add(variable.name, f"{what} {shown}", remedy)
    return list(findings)


def _first_place(mask: BoolArray, da: xr.DataArray) -> str:
    """Return the labels of the first true element of a mask of an array."""
    position = np.unravel_index(int(np.argmax(mask)), mask.shape)
    labels = []
    for dim, i in zip(da.dims, position, strict=True):
        label = da[dim].to_numpy()[i] if dim in da.coords else i
        if isinstance(label, np.datetime64):
            label = f"{np.datetime_as_string(label, unit='m')}Z"
        labels.append(f"{dim} {label}")
    return ", ".join(labels)
