"""What the readers share about text: opening a file, its rows as columns, numbers of its header.

Every step collects findings instead of raising, so that a file is judged in one round.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pandas as pd

from weather._types import FloatArray
from weather.errors import Finding, Findings, InputError

__all__ = [
    "Header",
    "Table",
    "decode",
    "json_part",
    "number",
    "parse_json",
    "parse_table",
    "read_text",
    "to_numbers",
    "whole_rows",
]

_GZIP_MAGIC: Final = b"\x1f\x8b"

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
    return decode(path.read_bytes(), str(path))


def decode(data: bytes, subject: str) -> str:
    """Return the text of bytes, unpacked if they are gzip'ed.

    Raises
    ------
    InputError
        If they are empty or no text.
    """
    try:
        text = (gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(subject, [Finding("file", f"no readable text: {error}", "get it again")]) from error
    if not text.strip():
        raise InputError(subject, [Finding("file", "empty", "get it again from its source")])
    return text


def parse_json(text: str, subject: str) -> dict[str, object] | list[object]:
    """Return the object or list that a text in JSON holds.

    Raises
    ------
    InputError
        If the text is no whole JSON.
    """
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        remedy = "the file is cut off or damaged: get it again"
        raise InputError(subject, [Finding("file", f"no whole JSON: {error}", remedy)]) from error
    if not isinstance(parsed, dict | list):
        what = f"a JSON {type(parsed).__name__}, expected an object"
        raise InputError(subject, [Finding("file", what, "get it again")])
    return parsed


def json_part(content: object, *names: str) -> dict[str, object]:
    """Return a nested part of a JSON object, empty where there is none."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


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
    whole = whole_rows(lines[1:], n_fields, first_row, findings)
    if not whole:
        return Table({}, 0)
    frame = pd.read_csv(io.StringIO("\n".join(whole)), header=None, names=range(n_fields), low_memory=False)
    columns: dict[str, FloatArray] = {}
    for i, name in enumerate(names):
        if name and name not in columns:
            columns[name] = pd.to_numeric(frame[i], errors="coerce").to_numpy(dtype=float)
    return Table(columns, len(whole))


def whole_rows(lines: list[str], n_fields: int, first_row: int, findings: Findings) -> list[str]:
    """Return the rows with the right number of fields, blank ones left out.

    Parameters
    ----------
    lines : list of str
        Rows with commas between fields.
    n_fields : int
        Fields of a row.
    first_row : int
        Number of the first row in the file, for messages.
    findings : Findings
        Receives rows that are cut off or too long, and a file without rows.
    """
    rows = [line for line in lines if line.strip()]
    at = [i for i, line in enumerate(rows) if line.count(",") != n_fields - 1]
    if at:
        what = f"{len(at)} row(s) without {n_fields} fields, first: {rows[at[0]][:60]!r}"
        findings.add(f"row {at[0] + first_row}", what, "the file is cut off or damaged: get it again")
    if len(at) == len(rows):
        findings.add("rows", "no data rows", "the file is cut off: get it again")
    return [line for line in rows if line.count(",") == n_fields - 1]


def to_numbers(values: Sequence[object]) -> FloatArray:
    """Return values as numbers; what is none is NaN."""
    series = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
    numbers: FloatArray = series.to_numpy(dtype=float)
    return numbers


def number(header: Header, key: str, findings: Findings, remedy: str = "") -> float:
    """Return a number of the header, NaN with a finding if it is absent or no number."""
    text = header.get(key, "").strip()
    try:
        return float(text)
    except ValueError:
        what = f"{text!r} is no number" if text else "not stated in the header"
        findings.add(key, what, remedy or "add it to the header")
        return float("nan")
