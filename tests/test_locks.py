"""The lock files pin what pyproject.toml asks for, with hashes, and name no host."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = ("runtime", "dev", "build")
PYTHONS = ("3.11", "3.12", "3.13")


def pins(repository: Path, lock: str) -> dict[str, list[Requirement]]:
    """Pinned requirements by canonical name; a name stands twice where markers split it."""
    result: dict[str, list[Requirement]] = defaultdict(list)
    for line in (repository / "requirements" / f"{lock}.txt").read_text().splitlines():
        if line and line[0] not in " #-":
            requirement = Requirement(line.rstrip(" \\"))
            result[canonicalize_name(requirement.name)].append(requirement)
    return result


def pinned(requirement: Requirement) -> Version:
    """Version of an exact pin."""
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return Version(specifier.version)


def group(project: dict[str, dict[str, list[str | dict[str, str]]]], name: str) -> list[str]:
    """Requirements of a dependency group with those it includes."""
    result: list[str] = []
    for entry in project["dependency-groups"][name]:
        result += [entry] if isinstance(entry, str) else group(project, entry["include-group"])
    return result


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_host_is_named(repository: Path, lock: str) -> None:
    text = (repository / "requirements" / f"{lock}.txt").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(entries) >= 5
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_satisfies_what_the_project_asks_for(repository: Path, lock: str) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    asked = group(project, "build") if lock == "build" else list(project["project"]["dependencies"])
    asked += group(project, "dev") if lock == "dev" else []
    found = pins(repository, lock)
    for requirement in map(Requirement, asked):
        versions = {pinned(pin) for pin in found[canonicalize_name(requirement.name)]}
        assert versions, f"{requirement} is not in the lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement}: {versions}"


@pytest.mark.parametrize("python", PYTHONS)
def test_development_runs_what_users_run(repository: Path, python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    chosen = {
        lock: {
            name: pinned(pin)
            for name, split in pins(repository, lock).items()
            for pin in split
            if pin.marker is None or pin.marker.evaluate(environment)
        }
        for lock in LOCKS
    }
    assert chosen["runtime"].items() <= chosen["dev"].items()
    shared = chosen["build"].keys() & chosen["dev"].keys()
    assert {name: chosen["build"][name] for name in shared} == {name: chosen["dev"][name] for name in shared}


def test_the_locked_build_backend_is_the_one_that_builds(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    (backend,) = map(Requirement, project["build-system"]["requires"])
    (locked,) = pins(repository, "build")[canonicalize_name(backend.name)]
    assert pinned(backend) == pinned(locked)
