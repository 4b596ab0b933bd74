from __future__ import annotations

from pathlib import Path

import pytest

from twin import resources
from twin.resources import resource
from weather import InputError


def test_a_checkout_serves_its_data_folder(repository: Path) -> None:
    assert resource("README.md") == repository / "data" / "README.md"


def test_an_installed_package_serves_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, checkout = tmp_path / "twin" / "_data", tmp_path / "data"
    for folder in (installed, checkout):
        (folder / "scenarios").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PLACES", (installed, checkout))
    assert resource("scenarios") == installed / "scenarios"


def test_a_missing_file_is_refused_with_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "default.yaml").touch()
    monkeypatch.setattr(resources, "_PLACES", (tmp_path,))
    with pytest.raises(InputError, match=r"scenarios/defualt\.yaml: no such file.*default\.yaml"):
        resource("scenarios/defualt.yaml")


def test_a_package_without_its_data_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PLACES", (tmp_path / "absent",))
    with pytest.raises(InputError, match="install the package again"):
        resource("scenarios")
