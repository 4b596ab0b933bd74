"""Result stores: written whole or not at all, and read back.

A result directory holds ``scenario.yaml`` (resolved), ``summary.json``, ``result.zarr`` (a DataTree),
``tables/`` (CSV and Parquet), ``provenance.json`` and, from a run, ``report.html``. Everything is first
written to a sibling directory and then renamed, so that a reader finds all of it or nothing.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import JsonValue

from twin.scenario_model import Scenario
from twin.scenario_text import read_yaml
from weather import Finding, InputError

RESULT_FILES = ("scenario.yaml", "summary.json", "result.zarr", "tables", "provenance.json")


@dataclass(frozen=True)
class Result:
    """What a run gives.

    Attributes
    ----------
    scenario : Scenario
        The resolved scenario.
    summary : mapping
        The content of ``summary.json``; keys and definitions are in ``docs/results.md``.
    data : xarray.DataTree
        Groups weather, generation, baseline, signals per grid or site, and coupled, sites, jobs, transfers,
        events per policy.
    tables : mapping of str to DataFrame
        What is best read as a table.
    provenance : mapping
        Versions, seeds, checksums.
    """

    scenario: Scenario
    summary: Mapping[str, JsonValue]
    data: xr.DataTree
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)


def write_result(
    result: Result, directory: str | Path, *, also: tuple[Callable[[Result, Path], object], ...] = ()
) -> Path:
    """Write a result into a directory, all of it or nothing.

    Parameters
    ----------
    result : Result
        What to write.
    directory : str or Path
        Where to; it may exist if it is empty or holds an earlier result, which is replaced.
    also : tuple of callables, optional
        Writers ``f(result, directory)`` of further files, such as ``write_report``.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    weather.InputError
        When the directory holds something else.
    """
    target = check_directory(directory)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = sibling(target, "new")
    try:
        draft.mkdir()
        _write_files(result, draft)
        for write in also:
            write(result, draft)
        _replace(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def check_directory(directory: str | Path) -> Path:
    """Return the path of a directory that a result may be written to, or say why it may not."""
    path = Path(directory).absolute()
    if path.exists() and not path.is_dir():
        raise InputError("output", [Finding(str(directory), "is a file", "name a directory")])
    if path.is_dir() and any(path.iterdir()) and not is_result(path):
        raise InputError(
            "output",
            [Finding(str(directory), "is not empty and holds no result", "name a new or an empty directory")],
        )
    return path


def is_result(directory: Path) -> bool:
    """Whether a directory holds a whole result."""
    return all((directory / name).exists() for name in RESULT_FILES)


def open_result(path: str | Path) -> Result:
    """Read a result that was written by a run.

    Parameters
    ----------
    path : str or Path
        The result's directory.

    Returns
    -------
    Result
        The result; its arrays are loaded when used.

    Raises
    ------
    weather.InputError
        When the directory holds no result or one of another schema.
    """
    directory = Path(path)
    missing = [name for name in RESULT_FILES if not (directory / name).exists()]
    if missing:
        raise InputError(
            "result", [Finding(str(path), f"lacks {', '.join(missing)}", "name the -o of a run")]
        )
    raw = read_yaml(directory / "scenario.yaml", "scenario.yaml")
    return Result(
        scenario=Scenario.model_validate_json(json.dumps(raw)),
        summary=_read_json(directory / "summary.json"),
        data=xr.open_datatree(directory / "result.zarr", engine="zarr", consolidated=False),
        tables={p.stem: pd.read_parquet(p) for p in sorted((directory / "tables").glob("*.parquet"))},
        provenance=_read_json(directory / "provenance.json"),
    )


def write_json(path: Path, value: Mapping[str, JsonValue]) -> None:
    """Write JSON that is the same for the same values: shortest floats, null for what is not a number."""
    path.write_text(
        json.dumps(finite(dict(value)), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        encoding="utf-8",
    )


def finite(value: JsonValue) -> JsonValue:
    """Return JSON values with null in place of nan and infinities, and plain numbers in place of numpy's."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def in_order(data: xr.Dataset) -> xr.Dataset:
    """Return a Dataset as it comes back from a store: arrays laid out in the order of their dims.

    Sums depend on the layout in their last bits, and must not on whether a stage was computed or read.
    """
    return data.copy(data={name: np.ascontiguousarray(data[name].to_numpy()) for name in data.data_vars})


def storable(data: xr.Dataset) -> xr.Dataset:
    """Return a Dataset that Zarr takes without loss: object strings, no encodings, plain attributes."""
    clean = in_order(data.drop_encoding())
    for name, variable in clean.variables.items():
        if variable.dtype.kind in {"U", "T"} or isinstance(variable.dtype, pd.StringDtype):
            clean = (
                clean.assign_coords({name: variable.astype(object)})
                if name in clean.coords
                else clean.assign({name: variable.astype(object)})
            )
    for variable in clean.variables.values():
        variable.attrs = {key: _plain_attr(value) for key, value in variable.attrs.items()}
    return clean.assign_attrs({key: _plain_attr(value) for key, value in clean.attrs.items()})


def _plain_attr(value: object) -> JsonValue:
    """Turn an attribute into a JSON value."""
    if isinstance(value, np.ndarray):
        return cast("JsonValue", value.tolist())
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, np.generic):
        return finite(cast("JsonValue", value.item()))
    if isinstance(value, Mapping):
        return json.dumps(finite(cast("JsonValue", dict(value))))
    return finite(cast("JsonValue", value))


def write_tree(groups: Mapping[str, xr.Dataset], path: Path, attrs: Mapping[str, JsonValue]) -> None:
    """Write Datasets as groups of one Zarr store."""
    tree = tree_of(groups, attrs)
    tree.to_zarr(path, mode="w", consolidated=False, zarr_format=3, encoding=_encodings(tree))


def tree_of(groups: Mapping[str, xr.Dataset], attrs: Mapping[str, JsonValue]) -> xr.DataTree:
    """Return a DataTree of storable Datasets."""
    root = xr.Dataset(attrs={key: _plain_attr(value) for key, value in attrs.items()})
    return xr.DataTree.from_dict({"/": root, **{f"/{k}": storable(v) for k, v in groups.items()}})


def _encodings(tree: xr.DataTree) -> dict[str, dict[str, dict[str, object]]]:
    """Return encodings that keep every time exact: whole seconds since 1970."""
    encodings: dict[str, dict[str, dict[str, object]]] = {}
    for node in tree.subtree:
        for name, variable in node.variables.items():
            if variable.dtype.kind == "M":
                stamp = {
                    "units": "seconds since 1970-01-01",
                    "calendar": "proleptic_gregorian",
                    "dtype": "int64",
                }
                encodings.setdefault(node.path, {})[str(name)] = dict(stamp)
    return encodings


def _write_files(result: Result, directory: Path) -> None:
    """Write the parts of a result."""
    (directory / "scenario.yaml").write_text(result.scenario.to_yaml(), encoding="utf-8")
    write_json(directory / "summary.json", result.summary)
    write_json(directory / "provenance.json", result.provenance)
    groups = {
        node.path.strip("/"): node.to_dataset(inherit=False)
        for node in result.data.subtree
        if node.path != "/"
    }
    write_tree(groups, directory / "result.zarr", cast("dict[str, JsonValue]", dict(result.data.attrs)))
    tables = directory / "tables"
    tables.mkdir()
    for name, table in sorted(result.tables.items()):
        table.to_csv(tables / f"{name}.csv", index=False)
        table.to_parquet(tables / f"{name}.parquet", index=False)


def _replace(draft: Path, target: Path) -> None:
    """Put a finished draft in the place of whatever is there."""
    if not target.exists():
        draft.rename(target)
        return
    old = sibling(target, "old")
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def sibling(target: Path, kind: str) -> Path:
    """Return a path beside the target that nobody else uses, no thread and no process on any machine."""
    return target.parent / f".{target.name}.{kind}-{uuid4().hex}"


def _read_json(path: Path) -> dict[str, JsonValue]:
    """Read a JSON mapping."""
    return cast("dict[str, JsonValue]", json.loads(path.read_text(encoding="utf-8")))
