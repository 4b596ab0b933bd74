"""``twin list grids``: sources of grids and what is ready-made in each, as lines of text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grid_models import CATALOG, SOURCES, GridEntry, list_grids


def grid_lines(source: str | None = None) -> list[str]:
    """Lines of ``twin list grids [SOURCE]``.

    Parameters
    ----------
    source : str, optional
        Key of the grid catalogue. Default: all sources with their often wanted grids.

    Returns
    -------
    list of str
        One per source and per grid; SimBench codes that differ in their last parts only share a line.
    """
    entries = list_grids(source)
    if source is not None:
        return _compact(entries) if source == "simbench" else [_line(entry) for entry in entries]
    lines = []
    for name in CATALOG:
        text, option = SOURCES[name]
        lines.append(f"{name}: {text}" + (f" (option {option})" if option else ""))
        lines += [f"  {_line(entry)}" for entry in entries if entry.source == name]
    lines.append("everything a source has: twin list grids SOURCE; lines count transformers too")
    return lines


def _line(entry: GridEntry) -> str:
    """One grid with its size and what it has."""
    if entry.n_buses is None:
        return entry.name
    size = f"{entry.n_buses} buses, {entry.n_lines} lines, {entry.n_generators} generators"
    size += f", {entry.n_units} units"
    return f"{entry.name}: {size}; {', '.join(entry.has) or 'no ratings, no costs'}"


def _compact(entries: Sequence[GridEntry]) -> list[str]:
    """Codes that differ in scenario and switches only in one line: ``1-MV-rural--{0,1,2}-{no_sw,sw}``."""
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for entry in entries:
        match = re.fullmatch(r"(.*)-(\d)-(\w+)", entry.name)
        if match:
            scenarios, switches = groups.setdefault(match.group(1), ([], []))
            scenarios += [match.group(2)] if match.group(2) not in scenarios else []
            switches += [match.group(3)] if match.group(3) not in switches else []
    known = {entry.name: entry for entry in entries if entry.n_buses is not None}
    lines = [
        f"{stem}-{_braces(scenarios)}-{_braces(switches)}" for stem, (scenarios, switches) in groups.items()
    ]
    return [*lines, *(_line(entry) for entry in known.values())]


def _braces(parts: Sequence[str]) -> str:
    """Alternatives as a shell writes them."""
    return parts[0] if len(parts) == 1 else "{" + ",".join(sorted(parts)) + "}"
