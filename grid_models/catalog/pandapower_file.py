"""Grids from pandapower nets in files: JSON and Excel, as pandapower writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from grid_models.catalog.case import Case, CaseOptions
from grid_models.catalog.case_grid import build_case
from grid_models.catalog.pandapower_net import network_of, quiet
from grid_models.catalog.pandapower_sources import costs_of, links_of, sources_of
from grid_models.grid import Grid
from grid_models.places import Footprint
from grid_models.tabular import find_file
from weather import Finding, InputError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

_DEFAULT_OPTIONS = CaseOptions()
# Sheets without which a workbook is no net.
_SHEETS = ("bus", "line", "ext_grid")


def load_pandapower_file(
    *, path: str | Path, geo: bool = False, options: CaseOptions = _DEFAULT_OPTIONS
) -> Grid:
    """Load a pandapower net from a file.

    Parameters
    ----------
    path : str or Path
        ``.json`` or ``.xlsx`` as written by ``pandapower.to_json`` and ``to_excel``; a path, or a path inside
        the data folder.
    geo : bool
        Whether the net's coordinates are longitude and latitude; those of many nets serve plotting only.
    options : CaseOptions
        What the caller adds.

    Returns
    -------
    Grid
        Checked. See `net_grid` for what is translated and how.
    """
    file = find_file(Path(path), "pandapower file")
    return net_grid(read_net(file), name=file.stem, options=options, geo=geo)


def net_grid(
    net: pandapowerNet,
    *,
    name: str,
    options: CaseOptions = _DEFAULT_OPTIONS,
    geo: bool = False,
    place: Footprint | None = None,
) -> Grid:
    """Build a grid from a pandapower net.

    Parameters
    ----------
    net : pandapowerNet
        Any net; its DC power flow is solved here, so that its results change.
    name : str
        Name in results, if the options do not say another.
    options : CaseOptions
        What the caller adds.
    geo : bool
        Whether its coordinates are longitude and latitude.
    place : Footprint, optional
        Where it is, if neither the net nor the options say.

    Returns
    -------
    Grid
        Buses are called by their index in the net, elements ``<element>_<index>``.

    Notes
    -----
    Branches are pandapower's own equivalents (lines, two- and three-winding transformers, impedances,
    parallel elements, taps, phase shifters); buses joined by closed switches are one, named by the lowest
    index. Wards, motors and shunt losses are load at 1 pu. Vector groups that are the same along every loop
    are left out, because they move no power.

    Static generation of a known type (PV, WP, wind, hydro) is a weather-driven unit, other static generation
    without limits and costs a fixed injection. External grids without limits are interchanges. DC elements
    (VSC, DC lines between DC buses) and FACTS are refused. The magnetising current of transformers is left
    out: the linear model does not use it.
    """
    subject = f"pandapower net {name!r}"
    network = network_of(net, subject, islands=options.islands, geo=geo)
    notes = list(network.notes)
    slack = net.ext_grid.loc[net.ext_grid["in_service"], "bus"].tolist()
    if not slack:
        slack = net.gen.loc[net.gen["slack"] & net.gen["in_service"], "bus"].tolist()
    case = Case(
        name=name,
        currency="EUR",
        reference_bus=network.bus_name[int(slack[0])],
        base_mva=float(net.sn_mva),
        f_hz=float(net.f_hz),
        buses=network.buses,
        lines=network.lines,
        links=links_of(net, network, notes),
        sources=sources_of(net, network),
        costs=costs_of(net),
        place=place,
        notes=tuple(notes),
    )
    return build_case(case, options)


def read_net(path: Path) -> pandapowerNet:
    """Read a pandapower net from a JSON or Excel file.

    Raises
    ------
    InputError
        If the file is empty, cut, of another kind or no net.
    """
    subject = f"pandapower file {path.name!r}"
    if path.suffix.lower() not in (".json", ".xlsx"):
        finding = Finding(path.name, f"a file of kind {path.suffix!r}", "give a .json or .xlsx file")
        raise InputError(subject, [finding])
    if not path.stat().st_size:
        raise InputError(subject, [Finding(path.name, "the file is empty", "write the net again")])
    net = _read_json(path, subject) if path.suffix.lower() == ".json" else _read_excel(path, subject)
    missing = [name for name in ("bus", "ext_grid", "load", "line", "trafo") if name not in net]
    if missing:
        what = f"the net has no table {', '.join(missing)}"
        raise InputError(subject, [Finding(path.name, what, "write it with pandapower")])
    if net.bus.empty:
        raise InputError(subject, [Finding(path.name, "the net has no bus", "write a net with buses")])
    return net


def _read_json(path: Path, subject: str) -> pandapowerNet:
    """Read a net from JSON."""
    import pandapower as pp

    try:
        text = path.read_text(encoding="utf-8")
        head = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        what = f"is no complete JSON: {error}"
        raise InputError(subject, [Finding(path.name, what, "write it with pandapower.to_json")]) from error
    if not isinstance(head, dict) or head.get("_class") != "pandapowerNet":
        what = "is JSON, but no pandapower net"
        raise InputError(subject, [Finding(path.name, what, "write it with pandapower.to_json")])
    try:
        with quiet():
            return pp.from_json_string(text)
    except Exception as error:
        what = f"pandapower cannot read it: {error}"
        raise InputError(subject, [Finding(path.name, what, "write it again")]) from error


def _read_excel(path: Path, subject: str) -> pandapowerNet:
    """Read a net from a workbook."""
    import pandapower as pp
    import pandas as pd

    try:
        with pd.ExcelFile(path) as book:
            sheets = list(book.sheet_names)
    except ImportError as error:
        what, remedy = "the package 'openpyxl' is not installed", "pip install curtailment-twin[grids]"
        finding = Finding(path.name, what, remedy)
        raise InputError(subject, [finding]) from error
    except Exception as error:
        what = f"is no readable workbook: {error}"
        raise InputError(subject, [Finding(path.name, what, "write it with pandapower.to_excel")]) from error
    missing = [sheet for sheet in _SHEETS if sheet not in sheets]
    if missing:
        what = f"has no sheet {', '.join(missing)}; it has {', '.join(sheets)}"
        raise InputError(subject, [Finding(path.name, what, "write it with pandapower.to_excel")])
    try:
        with quiet():
            return pp.from_excel(str(path))
    except Exception as error:
        what = f"pandapower cannot read it: {error}"
        raise InputError(subject, [Finding(path.name, what, "write it again")]) from error
