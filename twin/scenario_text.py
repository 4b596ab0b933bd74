"""YAML text of scenarios: strict reading, plain writing, dotted overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import yaml
from pydantic import JsonValue

from weather import Finding, Findings, InputError

_FLOAT = re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """YAML without its surprises: duplicate keys fail, times stay text, ``1e-3`` is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        """Build a mapping and refuse a key that is there twice."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return cast("dict[object, object]", super().construct_mapping(node, deep=deep))


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def parse_value(text: str, where: str) -> JsonValue:
    """Read one YAML value.

    Raises
    ------
    weather.InputError
        With the line and column when the text is not YAML.
    """
    try:
        return _plain(yaml.load(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise InputError(where, [Finding(where, f"not readable as YAML: {_one_line(error)}")]) from error


def parse_yaml(text: str, where: str) -> dict[str, JsonValue]:
    """Read a YAML mapping; an empty text or anything but a mapping is an error."""
    value = parse_value(text, where)
    if not isinstance(value, dict):
        what = "is empty" if value is None else f"is a {type(value).__name__}"
        raise InputError(where, [Finding(where, f"{what}, not a mapping of keys to values")])
    return value


def read_yaml(path: Path, where: str) -> dict[str, JsonValue]:
    """Read a file that holds a YAML mapping.

    Raises
    ------
    weather.InputError
        When it is no text, no YAML or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        what = f"not readable as YAML: byte {error.start} is no UTF-8 text"
        raise InputError(where, [Finding(where, what, "give a text file")]) from error
    return parse_yaml(text, where)


def dump_yaml(mapping: Mapping[str, JsonValue]) -> str:
    """Write plain values as YAML, keys in their given order."""
    return cast("str", yaml.safe_dump(dict(mapping), sort_keys=False, allow_unicode=True, width=100))


def apply_overrides(raw: Mapping[str, JsonValue], assignments: Sequence[str]) -> dict[str, JsonValue]:
    """Return a copy of the values with ``key=value`` assignments applied in order."""
    findings = Findings()
    result = _copy(dict(raw))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            findings.add(assignment, "is no assignment", "write key=value, such as time.days=2")
            continue
        result = set_key(result, key.strip(), parse_value(text, f"--set {key}"), findings)
    findings.raise_if_any("overrides")
    return cast("dict[str, JsonValue]", result)


def set_key(
    raw: JsonValue, key: str, value: JsonValue, findings: Findings, *, whole: str | None = None
) -> JsonValue:
    """Return the values with the one at a dotted key replaced; list items go by their number.

    Findings name `whole`, the key that was asked for.
    """
    whole = key if whole is None else whole
    head, _, rest = key.partition(".")

    def replaced(old: JsonValue) -> JsonValue:
        return set_key(old, rest, value, findings, whole=whole) if rest else value

    if isinstance(raw, list):
        if not head.isdigit() or int(head) >= len(raw):
            findings.add(whole, f"there is no item {head!r}", f"items are numbered 0 to {len(raw) - 1}")
            return raw
        return [replaced(item) if i == int(head) else item for i, item in enumerate(raw)]
    if raw is not None and not isinstance(raw, dict):
        findings.add(whole, f"{raw!r} has no keys of its own", "shorten the dotted key")
        return raw
    inner = dict(raw or {})
    inner[head] = replaced(inner.get(head))
    return inner


def _copy(value: JsonValue) -> JsonValue:
    """Copy nested lists and mappings."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _plain(value: object) -> JsonValue:
    """Turn YAML values into JSON values: keys are text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def _one_line(error: yaml.YAMLError) -> str:
    """Return a YAML error in one line."""
    return " ".join(str(error).split())
