"""What the packages promise in ``__all__`` exists, is documented, and comes without side effects."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("weather", "grid_models", "twin")

# What users of the notebook and of scripts touch; the names are part of the design.
PROMISED = {
    "weather": {"FEEDS", "READERS", "fetch", "pv_power", "read", "synthesize", "wind_power"},
    "grid_models": {"CATALOG", "dispatch", "load_grid", "signals", "windows"},
    "twin": {
        "POLICIES",
        "TRACES",
        "feasibility",
        "load_scenario",
        "open_result",
        "run",
        "run_batch",
        "write_report",
    },
}


def public_names() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            yield package, name


@pytest.mark.parametrize("package", PACKAGES)
def test_the_promised_names_are_exported_once_each(package: str) -> None:
    names = importlib.import_module(package).__all__
    assert PROMISED[package] <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("package", "name"), list(public_names()))
def test_every_exported_name_exists_and_is_documented(package: str, name: str) -> None:
    value = getattr(importlib.import_module(package), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__module__.split(".")[0] == package
        assert inspect.getdoc(value)
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters.keys()
        missing = parameters - set(re.findall(r"\w+", inspect.getdoc(value) or ""))
        assert len(parameters) == 1 or not missing, f"{package}.{name} does not explain {sorted(missing)}"


def test_importing_prints_nothing_warns_of_nothing_writes_nothing_and_stays_light(
    tmp_path: Path, repository: Path
) -> None:
    heavy = ("matplotlib.pyplot", "distributed", "IPython")
    code = (
        f"import sys, {', '.join(PACKAGES)}; sys.stdout.write(str([m for m in {heavy} if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-B", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]", "")
    assert not list(tmp_path.iterdir())
