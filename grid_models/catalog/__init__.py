"""Where grids come from: one file per source, one dict of loaders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields

from grid_models.catalog.case import CaseOptions
from grid_models.catalog.listing import SOURCES, GridEntry, list_grids
from grid_models.catalog.matpower import load_matpower
from grid_models.catalog.pandapower_case import load_pandapower_case
from grid_models.catalog.pandapower_file import load_pandapower_file, net_grid
from grid_models.catalog.rts_gmlc import load_rts_gmlc
from grid_models.catalog.simbench import load_simbench
from grid_models.grid import Grid
from weather import Findings

__all__ = [
    "CATALOG",
    "SOURCES",
    "CaseOptions",
    "GridEntry",
    "list_grids",
    "load_grid",
    "net_grid",
    "source_options",
]

#: Loader of each source of grids; its keyword arguments are the options of `load_grid`.
CATALOG: Mapping[str, Callable[..., Grid]] = {
    "rts_gmlc": load_rts_gmlc,
    "matpower": load_matpower,
    "simbench": load_simbench,
    "pandapower_case": load_pandapower_case,
    "pandapower_file": load_pandapower_file,
}

# A loader with this argument takes the fields of `CaseOptions` as options of its own.
_OPTIONS = "options"


def source_options(source: str) -> dict[str, bool]:
    """Return the options of a source of grids, and whether each must be given.

    Examples
    --------
    >>> source_options("matpower")["case"], source_options("matpower")["must_run"]
    (True, False)
    """
    result: dict[str, bool] = {}
    for name, parameter in inspect.signature(CATALOG[source]).parameters.items():
        if name == _OPTIONS:
            result |= {
                f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(CaseOptions)
            }
        else:
            result[name] = parameter.default is inspect.Parameter.empty
    return result


def load_grid(source: str = "rts_gmlc", **options: object) -> Grid:
    """Load a grid of the catalog.

    Parameters
    ----------
    source : str
        A key of `CATALOG`.
    **options : object
        Keyword arguments of that source's loader, for example ``must_run`` of 'rts_gmlc'; for cases also the
        fields of `CaseOptions`.

    Returns
    -------
    Grid
        Checked.

    Raises
    ------
    InputError
        If the source or an option is unknown (the valid ones are named), or an option's value is refused.

    Examples
    --------
    >>> load_grid("rts_gmlc", must_run=("nuclear", "coal")).generators["must_run"].sum()
    np.int64(17)
    """
    findings = Findings()
    if source not in CATALOG:
        findings.add("source", f"{source!r} is unknown", "use one of " + ", ".join(CATALOG))
        findings.raise_if_any("grid catalog")
    known = source_options(source)
    for option in options:
        if option not in known:
            findings.add(option, "is no option of this source", "options are " + ", ".join(known))
    for option, is_required in known.items():
        if is_required and option not in options:
            findings.add(option, "is missing and has no default", "give it")
    findings.raise_if_any(f"options of {source!r}")
    loader = CATALOG[source]
    if _OPTIONS not in inspect.signature(loader).parameters:
        return loader(**options)
    common = {f.name: options.pop(f.name) for f in fields(CaseOptions) if f.name in options}
    return loader(**options, **{_OPTIONS: CaseOptions(**common)})  # type: ignore[arg-type]
