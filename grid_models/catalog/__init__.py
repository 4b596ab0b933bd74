"""Where grids come from: one file per source, one dict of loaders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from grid_models.catalog.pandapower_case import load_pandapower_case
from grid_models.catalog.rts_gmlc import load_rts_gmlc
from grid_models.grid import Grid
from weather import Findings

__all__ = ["CATALOG", "load_grid"]

#: Loader of each source of grids; its keyword arguments are the options of `load_grid`.
CATALOG: Mapping[str, Callable[..., Grid]] = {
    "rts_gmlc": load_rts_gmlc,
    "pandapower_case": load_pandapower_case,
}


def load_grid(source: str = "rts_gmlc", **options: object) -> Grid:
    """Load a grid of the catalog.

    Parameters
    ----------
    source : str
        A key of `CATALOG`.
    **options : object
        Keyword arguments of that source's loader, for example ``must_run`` of 'rts_gmlc'.

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
    parameters = inspect.signature(CATALOG[source]).parameters
    for option in options:
        if option not in parameters:
            findings.add(option, "is no option of this source", "options are " + ", ".join(parameters))
    for option, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and option not in options:
            findings.add(option, "is missing and has no default", "give it")
    findings.raise_if_any(f"options of {source!r}")
    return CATALOG[source](**options)
