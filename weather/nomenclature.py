"""The page of names and units, made from the tables of variables."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from weather.variables import DatasetSpec, Variable

__all__ = ["nomenclature_page"]

_HEADER = "| name | unit | dims | cell methods | plausible | must be there | meaning |"
_INTRODUCTION = """# Nomenclature

Names, units and dims of the datasets, made from the tables in code (`python docs/make_nomenclature.py`); a
test keeps the two equal. `time` is naive `datetime64` in UTC, left-labelled and regular.
"""


def nomenclature_page(specs: Iterable[DatasetSpec]) -> str:
    """Return the page for some tables, in Markdown.

    Parameters
    ----------
    specs : iterable of DatasetSpec
        Tables, in the order wanted.

    Returns
    -------
    str
        Text of the page, with a table of variables and one of coordinates for each.
    """
    parts = [_INTRODUCTION]
    for spec in specs:
        parts.append(f"## {spec.name}\n")
        parts.append(_table(spec.variables))
        if spec.coords:
            parts += ["Coordinates:\n", _table(spec.coords)]
        if spec.attrs:
            parts.append(f"Attributes: {', '.join(f'`{name}`' for name in spec.attrs)}.\n")
    return "\n".join(parts)


def _table(variables: Iterable[Variable]) -> str:
    """Return a Markdown table of variables."""
    rows = [_HEADER, "| --- " * 7 + "|"]
    for v in variables:
        low, high = v.valid_range
        cells = (
            f"`{v.name}`",
            v.units,
            ", ".join(v.dims),
            v.cell_methods or "–",
            f"{low:g} … {high:g}" if isfinite(high) else f"≥ {low:g}" if isfinite(low) else "any",
            "yes" if v.required else "no",
            v.description,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"
