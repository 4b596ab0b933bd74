"""Checks of weather as a list of findings.

A check only reports; what to do about it has a name in `weather.fills`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import xarray as xr

from weather.errors import Finding, Findings
from weather.stuck import stuck_findings
from weather.sunclock import SUN_CHECKS, sun_findings
from weather.variables import WEATHER, dataset_findings

__all__ = ["ACCEPTABLE_CHECKS", "check_quality"]

ACCEPTABLE_CHECKS: Final = (*SUN_CHECKS, "stuck")
"""Checks that a caller may accept to fail."""


def check_quality(
    ds: xr.Dataset, *, required: Collection[str] | None = None, accept: Collection[str] = ()
) -> list[Finding]:
    """Return everything that is wrong with a weather dataset.

    Parameters
    ----------
    ds : Dataset
        Weather; it may hold a part of the variables.
    required : collection of str, optional
        Names that must be there (see `check_dataset`).
    accept : collection of str
        Checks to leave out, of `ACCEPTABLE_CHECKS`: some files cannot pass them, such as a typical year whose
        months were made with different clocks.

    Returns
    -------
    list of Finding
        Missing names, units, bounds, NaN, unsorted or duplicate stamps, gaps and a missing 29 February;
        values that a stuck sensor repeats; and, where irradiance and coordinates are given, the clock of
        the sun and the closure ghi = dhi + dni cos(zenith).
    """
    findings = Findings(dataset_findings(ds, WEATHER, required=required))
    for name in sorted(set(accept) - set(ACCEPTABLE_CHECKS)):
        findings.add("accept", f"no check {name!r}", f"use {', '.join(ACCEPTABLE_CHECKS)}")
    if not _has_step(ds):
        return list(findings)
    if "stuck" not in accept:
        findings.extend(stuck_findings(ds))
    if {"ghi", "latitude", "longitude", "site"} <= set(ds.variables):
        findings.extend(sun_findings(ds, accept))
    return list(findings)


def _has_step(ds: xr.Dataset) -> bool:
    """Return whether at least two stamps ascend, so that there is a step to count in."""
    if "time" not in ds.coords or ds["time"].dtype.kind != "M":
        return False
    return bool((np.diff(ds["time"].to_numpy()) > np.timedelta64(0, "ns")).any())
