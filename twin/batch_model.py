"""What a batch is: a base scenario, changes to it, and axes along which it is varied."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import numpy as np
from pydantic import Field, JsonValue, ValidationError

from twin.scenario import find_scenario
from twin.scenario_base import Name, Section
from twin.scenario_text import read_yaml, set_key
from weather import Findings


class Axis(Section):
    """One key of the scenario and the values it takes; or ``spawn`` seeds of their own."""

    key: str = Field(min_length=1, description="Dotted key of the scenario, such as wan.access_gbit_per_s.")
    values: tuple[JsonValue, ...] = Field(default=(), description="Values it takes.")
    spawn: int = Field(
        default=0,
        ge=0,
        description="Instead of values: this many independent seeds drawn from the base's seed.",
    )


class Batch(Section):
    """A base scenario and axes; every combination is a scenario."""

    schema_version: Literal[1] = Field(default=1, description="Version of this schema.")
    name: Name = Field(default="batch", description="Name of the batch.")
    description: str = Field(default="", description="What it is for.")
    base: dict[str, JsonValue] = Field(description="The base scenario.")
    axes: tuple[Axis, ...] = Field(min_length=1, description="Axes, the first one varies slowest.")
    report: bool = Field(default=False, description="Whether every scenario gets a report.html.")

    @cached_property
    def points(self) -> dict[str, dict[str, JsonValue]]:
        """Values of the axes by scenario name."""
        combinations = itertools.product(*(axis_values(axis, self.base) for axis in self.axes))
        keys = [axis.key for axis in self.axes]
        return {
            _point_name(i, keys, point): dict(zip(keys, point, strict=True))
            for i, point in enumerate(combinations)
        }

    def scenarios(self) -> dict[str, dict[str, JsonValue]]:
        """Return the plain values of every scenario by its name."""
        findings = Findings()
        made: dict[str, dict[str, JsonValue]] = {}
        for name, point in self.points.items():
            raw: JsonValue = {**self.base, "name": name}
            for key, value in point.items():
                raw = set_key(raw, key, value, findings)
            made[name] = cast("dict[str, JsonValue]", raw)
        findings.raise_if_any(f"batch {self.name}")
        return made

    def labels(self, name: str) -> dict[str, JsonValue]:
        """Return the axis values of a scenario, as table columns; lists become text."""
        point = self.points[name]
        return {
            f"axis.{key}": ", ".join(map(str, value)) if isinstance(value, list) else value
            for key, value in point.items()
        }

    def to_mapping(self) -> dict[str, JsonValue]:
        """Return the batch as plain values."""
        return self.model_dump(mode="json")


def load_batch(source: str | Path | Mapping[str, JsonValue], *, folder: Path | None = None) -> Batch:
    """Read and check a batch.

    Parameters
    ----------
    source : str, Path or mapping
        A YAML file, the name of a shipped batch, or the plain values. ``base`` is the scenario itself or
        the name or path of one, seen from the batch file; ``overrides`` maps dotted keys to values and
        changes it.
    folder : Path, optional
        Where relative paths of a mapping start.

    Returns
    -------
    Batch
        The batch, its base resolved.

    Raises
    ------
    weather.InputError
        With every finding.
    """
    if isinstance(source, Mapping):
        raw, where = dict(source), folder or Path()
    else:
        path = find_scenario(source, "batches")
        raw, where = read_yaml(path, str(source)), path.parent
    findings = Findings()
    base = _base(raw.get("base"), where)
    overrides = raw.pop("overrides", None) or {}
    if not isinstance(overrides, dict):
        findings.add("overrides", "is no mapping", "map dotted keys to values")
        overrides = {}
    changed = base
    for key, value in overrides.items():
        changed = set_key(changed, key, value, findings)
    raw["base"] = changed
    try:
        batch = Batch.model_validate_json(_json(raw))
    except ValidationError as error:
        for detail in error.errors():
            place = ".".join(map(str, detail["loc"]))
            valid = f"valid keys here: {', '.join([*Batch.model_fields, 'overrides'])}"
            findings.add(place, detail["msg"], valid if detail["type"] == "extra_forbidden" else "")
        findings.raise_if_any("batch")
        raise
    for i, axis in enumerate(batch.axes):
        if bool(axis.values) == bool(axis.spawn):
            findings.add(f"axes.{i}", "needs either values or spawn", "name one of them")
    findings.raise_if_any("batch")
    return batch


def axis_values(axis: Axis, base: Mapping[str, JsonValue]) -> list[JsonValue]:
    """Return the values of an axis; spawned seeds come from the base scenario's seed."""
    if not axis.spawn:
        return list(axis.values)
    seed = base.get("seed", 1)
    children = np.random.SeedSequence(int(cast("int", seed))).spawn(axis.spawn)
    return [int(child.generate_state(1, np.uint32)[0]) for child in children]


def _base(given: JsonValue, folder: Path) -> JsonValue:
    """Return the plain values of the base scenario."""
    if not isinstance(given, str):
        return given
    beside = folder / given
    path = beside if beside.is_file() else find_scenario(given)
    return cast("JsonValue", read_yaml(path, str(given)))


def _json(raw: Mapping[str, JsonValue]) -> str:
    """Return plain values as JSON text, for strict parsing."""
    import json

    return json.dumps(dict(raw))


def _point_name(number: int, keys: list[str], point: tuple[JsonValue, ...]) -> str:
    """Name a scenario by its number and values."""
    parts = []
    for key, value in zip(keys, point, strict=True):
        text = "+".join(map(str, value)) if isinstance(value, list) else str(value)
        parts.append(f"{key.rsplit('.', 1)[-1]}-{text}")
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", f"{number:04d}_{'_'.join(parts)}").replace("+", "-")[:120]
