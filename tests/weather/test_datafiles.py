from __future__ import annotations

from pathlib import Path

import pytest

from weather import DATA_VARIABLE, InputError, data_path, data_root


def test_the_environment_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").touch()
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert data_root() == tmp_path
    assert data_path("x.csv") == tmp_path / "x.csv"


def test_a_file_that_is_absent_is_reported_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=rf"solar/x\.csv: not found in .*; set {DATA_VARIABLE}"):
        data_path("solar/x.csv")


def test_a_folder_that_is_absent_is_reported_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match=rf"{DATA_VARIABLE}: no folder .*none; set {DATA_VARIABLE}"):
        data_path("x.csv")


def test_without_the_variable_the_folder_beside_the_working_directory_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.delenv(DATA_VARIABLE)
    monkeypatch.chdir(tmp_path / "work")
    assert data_root() == tmp_path / "shared" / "data"
