"""The generation and load that a grid is given: their tables, how they are put together, their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from grid_models.grid import Grid
from weather import DatasetSpec, Finding, Findings, Variable, dataset_findings

#: Rounding allowed above the nominal power of a unit, relative.
P_NOM_TOLERANCE = 1e-6

GENERATION: Final = DatasetSpec(
    name="generation",
    variables=(
        Variable(
            "available_p_mw",
            "MW",
            ("time", "unit"),
            "what the weather allows a unit to give",
            valid_range=(0.0, np.inf),
        ),
    ),
    coords=(Variable("p_nom_mw", "MW", ("unit",), "largest output of a unit", "", (0.0, np.inf)),),
    attrs=("source", "synthetic"),
)
LOAD: Final = DatasetSpec(
    name="load",
    variables=(
        Variable(
            "load_p_mw",
            "MW",
            ("time", "bus"),
            "consumption at a bus",
            "time: mean",
            valid_range=(0.0, np.inf),
        ),
    ),
)

_TEXT_COORDS = ("technology", "bus", "weather_site")


def generation_dataset(
    available: xr.DataArray | Sequence[xr.DataArray],
    units: pd.DataFrame,
    *,
    source: str | None = None,
    synthetic: int | None = None,
) -> xr.Dataset:
    """Put available power of units together to the generation Dataset of a grid.

    Parameters
    ----------
    available : DataArray or sequence of DataArray
        `available_p_mw` over (time, unit), in one or several parts (modelled wind, modelled PV, recorded
        hydro) on the same time axis; together they have every unit once. [MW]
    units : pandas.DataFrame
        Units of the grid (`Grid.units`); their order is that of the result.
    source : str, optional
        Where the data come from. Default: the `source` attributes of the parts.
    synthetic : int, optional
        1 if any of it is artificial, 0 if none. Default: the largest of the parts' attributes.

    Returns
    -------
    Dataset
        `available_p_mw` (time, unit) with coordinates technology, bus, p_nom_mw and weather_site on unit, and
        attributes source and synthetic.

    Raises
    ------
    InputError
        Units that are missing, unknown or given twice; other time axes; NaN, negative power or more than
        nominal: all at once.
    """
    parts = [available] if isinstance(available, xr.DataArray) else list(available)
    _check_parts(parts, units)
    joined = xr.concat(
        [part.transpose("time", "unit").drop_attrs().reset_coords(drop=True) for part in parts],
        dim="unit",
        join="exact",
    ).sel(unit=units.index.to_numpy(dtype=object))
    sources = dict.fromkeys(str(part.attrs["source"]) for part in parts if "source" in part.attrs)
    marks = [int(part.attrs.get("synthetic", 0)) for part in parts]
    attrs = {
        "source": "; ".join(sources) if source is None else source,
        "synthetic": max(marks, default=0) if synthetic is None else synthetic,
    }
    variable = GENERATION["available_p_mw"]
    data = {"units": variable.units, "cell_methods": variable.cell_methods, "long_name": variable.description}
    coords = {name: ("unit", units[name].to_numpy(dtype=object)) for name in _TEXT_COORDS}
    p_nom = xr.Variable("unit", units["p_nom_mw"].to_numpy(dtype=float), {"units": "MW"})
    ds = xr.Dataset({"available_p_mw": joined.assign_attrs(data)}, attrs=attrs)
    ds = ds.assign_coords({**coords, "p_nom_mw": p_nom})
    check_generation(ds)
    return ds


def check_generation(ds: xr.Dataset, grid: Grid | None = None) -> None:
    """Check a generation Dataset, against a grid where one is given, and raise one error with all findings.

    Parameters
    ----------
    ds : Dataset
        See `generation_dataset`.
    grid : Grid, optional
        Grid whose units it must have: the same ones, in the same order.
    """
    findings = Findings(dataset_findings(ds, GENERATION))
    for name in _TEXT_COORDS:
        if name not in ds.coords:
            findings.add(name, "missing; expected over ('unit',)", "make it with generation_dataset")
    if {"available_p_mw", "p_nom_mw"} <= set(ds.variables):
        findings.extend(_above_nominal(ds["available_p_mw"], ds["p_nom_mw"]))
    if grid is not None and "unit" in ds.coords:
        findings.extend(_label_findings(ds["unit"].to_index(), grid.units.index, "unit", grid.name))
    findings.raise_if_any("generation dataset")


def check_load(load: xr.DataArray, grid: Grid | None = None) -> None:
    """Check a load over (time, bus), against a grid where one is given; raise one error with all findings.

    Parameters
    ----------
    load : DataArray
        `load_p_mw` over (time, bus). [MW]
    grid : Grid, optional
        Grid whose buses it must have: the same ones, in the same order.
    """
    findings = Findings(dataset_findings(load.to_dataset(name="load_p_mw"), LOAD))
    if grid is not None and "bus" in load.coords:
        findings.extend(_label_findings(load["bus"].to_index(), grid.buses.index, "bus", grid.name))
    findings.raise_if_any("load")


def _check_parts(parts: Sequence[xr.DataArray], units: pd.DataFrame) -> None:
    """Refuse parts that do not make up the units exactly, or do not share a time axis."""
    findings = Findings()
    for part in parts:
        if set(part.dims) != {"time", "unit"}:
            findings.add("available_p_mw", f"dims {part.dims}, expected ('time', 'unit')", "transpose it")
    findings.raise_if_any("generation dataset")
    labels = [str(label) for part in parts for label in part["unit"].to_numpy()]
    given = pd.Index(labels, dtype=object)
    for unit in given[given.duplicated()].unique():
        findings.add(f"unit {unit!r}", "is given more than once", "keep one series")
    findings.extend(_label_findings(given.unique(), units.index, "unit", "units", in_order=False))
    for part in parts[1:]:
        if not part["time"].to_index().equals(parts[0]["time"].to_index()):
            what = f"of {str(part['unit'].values[0])!r} is not that of {str(parts[0]['unit'].values[0])!r}"
            findings.add("time axis", what, "bring the parts to one axis")
    findings.raise_if_any("generation dataset")


def _above_nominal(available: xr.DataArray, p_nom: xr.DataArray) -> list[Finding]:
    """Return a finding per unit that is said to give more than it can."""
    if "unit" not in available.dims or p_nom.dims != ("unit",):
        return []
    most = available.max([dim for dim in available.dims if dim != "unit"])
    return [
        Finding(
            f"available_p_mw: unit {str(unit)!r}",
            f"{value:g} MW available of {nominal:g} MW nominal",
            "check the unit (MW), or raise p_nom_mw",
        )
        for unit, value, nominal in zip(
            available["unit"].to_numpy(), most.to_numpy(), p_nom.to_numpy(), strict=True
        )
        if value > nominal * (1 + P_NOM_TOLERANCE)
    ]


def _label_findings(
    given: pd.Index, expected: pd.Index, what: str, owner: str, *, in_order: bool = True
) -> list[Finding]:
    """Return which labels are missing or unknown, or that the order differs."""
    findings = [
        Finding(f"{what} {label!r}", "is missing", "give it, 0 MW if idle")
        for label in expected.difference(given, sort=False)
    ]
    findings += [
        Finding(f"{what} {label!r}", f"is not in {owner!r}", "leave it out or correct the name")
        for label in given.difference(expected, sort=False)
    ]
    if not findings and in_order and not given.equals(expected):
        findings.append(Finding(what, f"order differs from that of {owner!r}", f"select by its {what} index"))
    return findings
