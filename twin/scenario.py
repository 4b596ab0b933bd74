"""Scenarios from YAML: strict keys, shipped names, dotted overrides.

Keys are strict: one that is not known is an error that lists the keys that are. All findings of a file come
at once, those of single values (:mod:`twin.scenario_model`) and those between values, such as a bus that the
grid does not have (:mod:`twin.scenario_checks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from twin.resources import resource
from twin.scenario_checks import validate
from twin.scenario_model import Scenario
from twin.scenario_text import apply_overrides, read_yaml
from weather import Finding, InputError


def load_scenario(source: str | Path | Mapping[str, JsonValue], *, overrides: Sequence[str] = ()) -> Scenario:
    """Read and check a scenario.

    Parameters
    ----------
    source : str, Path or mapping
        A YAML file, the name of a shipped scenario (``default``), or the plain values.
    overrides : sequence of str, optional
        Assignments ``key=value`` with dotted keys, such as ``"time.days=2"`` or ``"sites.0.n_gpus=100"``;
        values are YAML.

    Returns
    -------
    Scenario
        The scenario with all defaults filled in.

    Raises
    ------
    weather.InputError
        With every finding: unknown keys, wrong types and ranges, names that do not exist, missing files.

    Examples
    --------
    >>> load_scenario("default", overrides=["time.days=2"]).time.days
    2
    """
    if isinstance(source, Mapping):
        subject, raw = "scenario", dict(source)
    else:
        path = find_scenario(source)
        subject, raw = f"scenario {path.name}", read_yaml(path, str(source))
    return validate(apply_overrides(raw, overrides), subject)


def find_scenario(source: str | Path, kind: str = "scenarios") -> Path:
    """Return the path of a scenario or batch file given by path or by its shipped name."""
    path = Path(source)
    if path.is_file():
        return path
    names = shipped(kind)
    if str(source) in names:
        return resource(f"{kind}/{source}.yaml")
    remedy = f"give a path, or one of the shipped: {', '.join(names)}"
    raise InputError(kind.removesuffix("s"), [Finding(str(source), "no such file", remedy)])


def shipped(kind: str = "scenarios") -> list[str]:
    """Return the names of the scenarios or batches that travel with the project."""
    return sorted(path.stem for path in resource(kind).glob("*.yaml"))
