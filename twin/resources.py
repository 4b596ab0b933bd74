"""Where the files lie that travel with the project: scenarios and small tables of the folder ``data``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from weather import Finding, InputError

__all__ = ["resource"]

_PACKAGE: Final = Path(__file__).resolve().parent
_PLACES: Final = (_PACKAGE / "_data", _PACKAGE.parent / "data")
"""In an installed package; in a checkout."""


def resource(name: str) -> Path:
    """Path of a file or folder that travels with the project.

    Parameters
    ----------
    name : str
        Path inside the folder ``data`` of the repository, with forward slashes.

    Returns
    -------
    Path
        An existing path: inside the package where it is installed, in the folder ``data`` in a checkout.

    Raises
    ------
    InputError
        If there is no such file or folder; the message lists what its folder holds.

    Examples
    --------
    >>> resource("README.md").name
    'README.md'
    """
    root = next((place for place in _PLACES if place.is_dir()), _PLACES[0])
    path = root / name
    if not path.exists():
        names = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        remedy = f"{path.parent.name} has: {', '.join(names)}" if names else "install the package again"
        raise InputError("shipped data", [Finding(name, "no such file or folder", remedy)])
    return path
