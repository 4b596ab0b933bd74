"""Weather in the project's own names, saved as NetCDF: by `twin fetch`, or by `to_netcdf` of any weather.

Names, units, UTC and left labels are those of the contract; they are checked, not converted. Checks that were
let pass when the weather was first read are let pass again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from weather.errors import Finding, Findings, InputError
from weather.fills import fill_missing
from weather.quality import check_quality
from weather.readers._dataset import clock_offset
from weather.readers._options import ReadOptions
from weather.readers._sniff import Sample
from weather.variables import WEATHER

__all__ = ["is_saved", "read_saved"]

_CUT: Final = "the file is cut off or damaged: get it again"
_NEEDED: Final = ("latitude", "longitude")


def is_saved(found: Sample) -> bool:
    """Return whether a file is weather in the project's own names."""
    return found.kind == "weather"


def read_saved(path: Path, options: ReadOptions | None = None) -> xr.Dataset:
    """Read weather that was saved as NetCDF.

    Parameters
    ----------
    path : Path
        File.
    options : ReadOptions, optional
        `site`: which of several sites, or the new name of a single one; fills and checks.

    Returns
    -------
    Dataset
        The weather as it was saved, of all sites or of the one named.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    options, subject = options or ReadOptions(), path.name
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            ds = opened.load().drop_encoding()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(subject, [Finding("file", f"no readable weather: {error}", _CUT)]) from error
    findings = Findings(_shape_findings(ds))
    findings.raise_if_any(subject)
    clock_offset(0.0, options, "time (UTC)", findings)
    ds = _of_site(ds, options.site, findings)
    ds = fill_missing(ds, options.fill)
    accept = _accepted(ds, options)
    findings.extend(check_quality(ds, required=(), accept=accept))
    findings.raise_if_any(subject)
    return ds.assign_attrs(reader="saved", **({"accepted": ", ".join(accept)} if accept else {}))


def _shape_findings(ds: xr.Dataset) -> list[Finding]:
    """Return what keeps a file from being weather at sites."""
    findings = Findings()
    remedy = "save weather as the readers give it"
    for dim in ("time", "site"):
        if dim not in ds.indexes:
            findings.add(dim, "no coordinate of this name", remedy)
    if "time" in ds.coords and not np.issubdtype(ds["time"].dtype, np.datetime64):
        findings.add("time", f"of dtype {ds['time'].dtype}, not dates", remedy)
    if not {str(name) for name in ds.data_vars} & {variable.name for variable in WEATHER.variables}:
        findings.add("variables", "none of weather", remedy)
    findings.extend(Finding(name, "missing", remedy) for name in _NEEDED if name not in ds.coords)
    return list(findings)


def _of_site(ds: xr.Dataset, site: str | None, findings: Findings) -> xr.Dataset:
    """Return the site named; a single one gets the name."""
    names = [str(name) for name in ds["site"].to_numpy()]
    ds = ds.assign_coords(site=np.array(names, dtype=object))
    if site is None:
        return ds
    if len(names) == 1:
        return ds.assign_coords(site=np.array([site], dtype=object))
    if site not in names:
        findings.add("site", f"no site {site!r} in the file", f"it has {', '.join(names)}")
        return ds
    return ds.sel(site=[site])


def _accepted(ds: xr.Dataset, options: ReadOptions) -> tuple[str, ...]:
    """Return the checks to let pass: those let pass before, and those of the caller."""
    before = [name for name in str(ds.attrs.get("accepted", "")).split(", ") if name]
    return tuple(dict.fromkeys((*before, *options.accept)))
