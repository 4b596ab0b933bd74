"""The reference of scenario keys, generated from the models."""

from __future__ import annotations

from types import UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from twin.batch_model import Axis, Batch
from twin.scenario_model import Scenario

_HEAD = """# Scenario files

A scenario is a YAML file that holds everything a run depends on. `twin validate FILE` checks one and names
all findings at once; `twin run FILE --set key=value` changes single values by their dotted keys
(`time.days=2`, `sites.0.n_gpus=100`, `grids.0.options.must_run=[nuclear,coal]`). Keys are strict: an
unknown one is an error that lists the valid ones. Shipped scenarios (`twin list scenarios`) go by their
names. Times carry their zone.

Files are absolute or lie inside the folder that the environment variable `CURTAILMENT_TWIN_DATA` names (by
default `../shared/data`).

This page is generated from the models (`twin.scenario_docs.reference`); a test keeps it current.
"""

_BATCH_HEAD = """## Batch files

A batch is a base scenario and axes; every combination of their values is a scenario. `base` is the scenario
itself, or the name or path of one; `overrides` (dotted keys to values) changes it before the axes do.
"""


def reference() -> str:
    """Return the page ``docs/scenario.md``."""
    parts = [_HEAD, *_sections("Scenario", Scenario, "", set())]
    parts += [_BATCH_HEAD, _table(Batch), "### `axes` (list)\n", _doc(Axis), _table(Axis)]
    return "\n".join(parts).rstrip() + "\n"


def _sections(title: str, model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> list[str]:
    """Return a section for a model and those inside it."""
    seen.add(model)
    heading = f"## {title}\n" if not path else f"### `{path}`{' (list)' if title == 'list' else ''}\n"
    parts = [heading, _doc(model), _table(model)]
    for name, field in model.model_fields.items():
        inner, is_list = _inner(field.annotation)
        if inner is not None and inner not in seen:
            parts += _sections("list" if is_list else name, inner, f"{path}.{name}" if path else name, seen)
    return parts


def _doc(model: type[BaseModel]) -> str:
    """Return what a model is."""
    return " ".join((model.__doc__ or "").split()) + "\n"


def _table(model: type[BaseModel]) -> str:
    """Return the table of a model's keys."""
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        rows.append(
            f"| `{name}` | {_type(field.annotation)}{_range(field)} | {_default(field)} | "
            f"{field.description} |"
        )
    return "\n".join(rows) + "\n"


def _inner(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """Return the model inside an annotation, and whether it comes in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) is tuple:
        return _inner(get_args(annotation)[0])[0], True
    return None, False


def _type(annotation: object) -> str:
    """Return a type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type(a) for a in arguments if a is not type(None))
    if origin is tuple:
        return "list of sections" if _inner(arguments[0])[0] else f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    if hasattr(annotation, "__metadata__"):
        return _type(arguments[0] if arguments else annotation)
    if _inner(annotation)[0] is not None:
        return "section"
    names = {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "datetime": "time",
    }
    return names.get(
        getattr(annotation, "__name__", ""), "any value" if "Json" in str(annotation) else "time"
    )


def _range(field: FieldInfo) -> str:
    """Return the bounds of a field."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    found = []
    for item in _constraints(field):
        for attribute, sign in signs.items():
            bound = getattr(item, attribute, None)
            if bound is not None:
                found.append(f"{sign} {bound:g}")
    return f", {', '.join(dict.fromkeys(found))}" if found else ""


def _constraints(field: FieldInfo) -> list[object]:
    """Return all constraints of a field, those of its annotated type included."""
    items: list[object] = list(field.metadata)
    pending: list[object] = [field.annotation]
    while pending:
        annotation = pending.pop()
        for extra in getattr(annotation, "__metadata__", ()):
            items += [extra, *getattr(extra, "metadata", ())]
        if get_origin(annotation) in {Union, UnionType} or hasattr(annotation, "__metadata__"):
            pending += list(get_args(annotation))
    return items


def _default(field: FieldInfo) -> str:
    """Return the default of a field."""
    if field.default is PydanticUndefined:
        return "empty" if field.default_factory is not None else "required"
    value = field.default
    if isinstance(value, BaseModel) or (
        isinstance(value, tuple) and value and isinstance(value[0], BaseModel)
    ):
        return "see below"
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.isoformat()}`" if hasattr(value, "isoformat") else f"`{value}`"
