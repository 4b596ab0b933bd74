"""Where measured data lie that are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from weather._types import PathLike
from weather.errors import Finding, InputError

__all__ = ["DATA_VARIABLE", "data_path", "data_root"]

DATA_VARIABLE: Final = "CURTAILMENT_TWIN_DATA"
"""Environment variable with the folder of measured data."""

_DEFAULT: Final = Path("../shared/data")


def data_root() -> Path:
    """Return the folder of measured data.

    It is the value of the environment variable `CURTAILMENT_TWIN_DATA`, by default `../shared/data` seen from
    the working directory or from the folder that holds the packages.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    stated = os.environ.get(DATA_VARIABLE)
    candidates = [Path(stated)] if stated else [_DEFAULT, Path(__file__).resolve().parents[1] / _DEFAULT]
    for folder in candidates:
        if folder.is_dir():
            return folder.resolve()
    what = f"no folder {' or '.join(str(c) for c in candidates)}"
    raise InputError("data folder", [Finding(DATA_VARIABLE, what, f"set {DATA_VARIABLE} to the data folder")])


def data_path(relative: PathLike) -> Path:
    """Return the path of a file or folder of measured data.

    Parameters
    ----------
    relative : str or path
        Path inside the data folder, for example `weather_nrel_2013/solar/x.csv`.

    Raises
    ------
    InputError
        If the folder or the file is absent; the message names the environment variable.
    """
    path = data_root() / relative
    if not path.exists():
        remedy = f"set {DATA_VARIABLE} to a folder that has it"
        raise InputError("data file", [Finding(str(relative), f"not found in {path.parent}", remedy)])
    return path
