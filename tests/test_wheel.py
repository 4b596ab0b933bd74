"""The wheel brings all it needs: it works in an empty folder, away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGES = ("weather", "grid_models", "twin")


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Output of a command that must succeed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")} | variables
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=repository)
    (built,) = folder.glob("curtailment_twin-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the wheel alone was unpacked by pip."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile")
    run(*pip, "--target", folder, wheel, cwd=folder)
    return folder


def test_the_wheel_holds_the_packages_their_types_and_all_shipped_data(repository: Path, wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(repository).as_posix()
        for package in PACKAGES
        for path in (repository / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {
        f"twin/_data/{path.relative_to(repository / 'data').as_posix()}"
        for path in (repository / "data").rglob("*")
        if path.is_file()
    }
    assert expected | shipped <= held
    metadata = {name for name in held if ".dist-info/" in name}
    assert held - metadata <= expected | shipped, "nothing else travels"


def test_the_installed_command_finds_its_scenarios_in_an_empty_folder(
    repository: Path, installed: Path, tmp_path: Path
) -> None:
    variables = {"PYTHONPATH": str(installed)}
    place = "import sys, twin; sys.stdout.write(twin.__file__)"
    assert run(sys.executable, "-c", place, cwd=tmp_path, **variables) == str(
        installed / "twin" / "__init__.py"
    )
    listed = run(installed / "bin" / "twin", "list", "scenarios", cwd=tmp_path, **variables).split()
    assert "default" in listed
    assert sorted(listed) == sorted(p.stem for p in (repository / "data" / "scenarios").glob("*.yaml"))
    run(installed / "bin" / "twin", "validate", "default", cwd=tmp_path, **variables)
    assert not list(tmp_path.iterdir())
