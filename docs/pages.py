"""Tables for pages, and putting them between the markers of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

DOCS = Path(__file__).parent

Alignment = Callable[[pd.DataFrame], Sequence[bool]]


def numbers_right(table: pd.DataFrame) -> list[bool]:
    """Columns of numbers go to the right."""
    return [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]


def first_left(table: pd.DataFrame) -> list[bool]:
    """All columns but the first go to the right."""
    return [column > 0 for column in range(table.shape[1])]


def fill_page(name: str, tables: Mapping[str, pd.DataFrame], is_right: Alignment) -> None:
    """Replace what stands between the markers of a page."""
    path = DOCS / name
    text = path.read_text(encoding="utf-8")
    for label, table in tables.items():
        begin, end = f"<!-- {label}: begin -->", f"<!-- {label}: end -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{path}: no markers {begin} and {end}")
        text = f"{head}{begin}\n{markdown(table, is_right(table))}\n{end}{tail}"
    path.write_text(text, encoding="utf-8")


def markdown(table: pd.DataFrame, is_right: Sequence[bool]) -> str:
    """A table as Markdown, some of its columns aligned to the right."""
    rule = "".join(" ---: |" if right else " --- |" for right in is_right)
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", f"|{rule}"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)
