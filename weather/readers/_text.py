"""What the readers share about text: opening a file, its rows as columns, numbers and units of its header.

Every step collects findings instead of raising, so that a file is judged in one round.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pandas as pd

from weather._types import FloatArray
from weather.constants import KELVIN_OFFSET, PA_PER_MBAR
from weather.errors import Finding, Findings, InputError

__all__ = ["Header", "Table", "convert", "number", "parse_table", "read_text"]

_GZIP_MAGIC: Final = b"\x1f\x8b"

_UNIT_NAMES: Final = {
    "w/m2": "W/m²",
    "w/m^2": "W/m²",
    "w/m²": "W/m²",
    "c": "°C",
    "°c": "°C",
    "degc": "°C",
    "k": "K",
    "mbar": "mbar",
    "millibar": "mbar",
    "hpa": "mbar",
    "pa": "Pa",
    "m/s": "m/s",
    "deg": "degree",
    "degrees": "degree",
    "degree": "degree",
}
_CONVERSIONS: Final = {
    ("mbar", "Pa"): (PA_PER_MBAR, 0.0),
    ("K", "°C"): (1.0, -KELVIN_OFFSET),
}
"""Factor and offset from the first unit to the second."""


Header: TypeAlias = dict[str, str]
"""Entries of a header by name, as they stand in the file."""


@dataclass(frozen=True)
class Table:
    """The rows of a text file, one array per column; what is no number is NaN."""

    columns: dict[str, FloatArray]
    n_rows: int


def read_text(path: Path) -> str:
    """Return the text of a file, unpacked if it is gzip'ed.

    Raises
    ------
    InputError
        If the file is absent, empty or no text.
    """
    if not path.is_file():
        raise InputError(str(path), [Finding("file", "not found", "check the path")])
    data = path.read_bytes()
    try:
        text = (gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise InputError(
            str(path), [Finding("file", f"no readable text: {error}", "get it again")]
        ) from error
    if not text.strip():
        raise InputError(str(path), [Finding("file", "empty", "get it again from its source")])
    return text


def parse_table(lines: list[str], first_row: int, findings: Findings) -> Table:
    """Parse column names and rows of numbers.

    Parameters
    ----------
    lines : list of str
        Line of column names, then the rows.
    first_row : int
        Number of the first row in the file, for messages.
    findings : Findings
        Receives rows that are cut off or too long, and a file without rows.

    Returns
    -------
    Table
        Columns by name (as in the file, without surrounding blanks); rows that are cut off are left out.
    """
    names = [name.strip() for name in lines[0].split(",")]
    n_fields = len(names)
    rows = [line for line in lines[1:] if line.strip()]
    whole = [line for line in rows if line.count(",") == n_fields - 1]
    if len(whole) < len(rows):
        at = [i for i, line in enumerate(rows) if line.count(",") != n_fields - 1]
        what = f"{len(at)} row(s) without {n_fields} fields, first: {rows[at[0]][:60]!r}"
        findings.add(f"row {at[0] + first_row}", what, "the file is cut off or damaged: get it again")
    if not whole:
        findings.add("rows", "no data rows", "the file is cut off: get it again")
        return Table({}, 0)
    frame = pd.read_csv(io.StringIO("\n".join(whole)), header=None, names=range(n_fields), low_memory=False)
    columns: dict[str, FloatArray] = {}
    for i, name in enumerate(names):
        if name and name not in columns:
            columns[name] = pd.to_numeric(frame[i], errors="coerce").to_numpy(dtype=float)
    return Table(columns, len(whole))


def convert(values: FloatArray, unit: str | None, target: str, where: str, findings: Findings) -> FloatArray:
    """Convert a column from the unit its header states.

    Parameters
    ----------
    values : ndarray
        Values in `unit`.
    unit : str or None
        Unit as written in the header, None if there is none.
    target : str
        Unit wanted, as in the table of variables.
    where : str
        Name of the column, for messages.
    findings : Findings
        Receives a missing unit, or one that cannot be converted.

    Returns
    -------
    ndarray
        Values in `target`; unchanged if the unit is not known.
    """
    if unit is None:
        findings.add(where, f"the header states no unit, expected {target}", "add it to the header")
        return values
    stated = _UNIT_NAMES.get(unit.strip().lower())
    if stated == target:
        return values
    if stated is None or (stated, target) not in _CONVERSIONS:
        findings.add(
            where, f"unit {unit!r} in the header, expected {target}", "convert it and correct the header"
        )
        return values
    factor, offset = _CONVERSIONS[stated, target]
    return values * factor + offset


def number(header: Header, key: str, findings: Findings, remedy: str = "") -> float:
    """Return a number of the header, NaN with a finding if it is absent or no number."""
    text = header.get(key, "").strip()
    try:
        return float(text)
    except ValueError:
        what = f"{text!r} is no number" if text else "not stated in the header"
        findings.add(key, what, remedy or "add it to the header")
        return float("nan")
