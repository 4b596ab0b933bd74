"""Sensors that stand still: values repeated for longer than weather repeats them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from weather._types import BoolArray, FloatArray
from weather.errors import Finding, Findings
from weather.timeaxis import to_utc_index, usual_step

__all__ = ["STUCK_H", "is_stuck", "stuck_findings"]

STUCK_H: Final[Mapping[str, float]] = {
    "ghi": 6.0,
    "temp_air": 36.0,
    "wind_speed": 48.0,
}
"""Time a variable may keep exactly one value; global irradiance only above `MIN_GHI`. No real file looked at
raises an alarm (docs/weather-readers.md). Pressure has no limit: files with one value for years, or in steps
of 10 mbar, are common, and harmless. [h]"""

MIN_GHI: Final = 20.0
"""Global irradiance below which an equal value is no sign of anything: night and dusk. [W/m²]"""


def is_stuck(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return where a value repeats the one before in a run longer than `STUCK_H`, per variable.

    Parameters
    ----------
    ds : Dataset
        Weather over `time`; it may hold a part of the variables.

    Returns
    -------
    dict
        Masks by variable, of those that have `time`; the first value of a run is not marked.
    """
    return {
        name: ds[name].transpose("time", ...).copy(data=mask).transpose(*ds[name].dims)
        for name, (_, mask) in _runs(ds).items()
    }


def stuck_findings(ds: xr.Dataset) -> list[Finding]:
    """Return findings about sensors that stand still, with the first place of each variable."""
    findings = Findings()
    for name, (values, mask) in _runs(ds).items():
        n_stuck = int(mask.sum())
        if not n_stuck:
            continue
        first = np.unravel_index(int(np.argmax(mask)), mask.shape)
        since = pd.Timestamp(ds["time"].to_numpy()[first[0] - 1])
        what = (
            f"stuck: {n_stuck} values repeat the one before in runs of more than {STUCK_H[name]:g} h, first "
            f"{float(values[first]):g} {ds[name].attrs.get('units', '')} since {since:%Y-%m-%dT%H:%MZ}"
        )
        findings.add(name, what, "mask them (fill 'stuck'), or accept=('stuck',)")
    return list(findings)


def _runs(ds: xr.Dataset) -> dict[str, tuple[FloatArray, BoolArray]]:
    """Return values and masks of the runs that are too long, time first, by variable."""
    if ds.sizes["time"] < 2:
        return {}
    step_h = float(usual_step(to_utc_index(ds)) / np.timedelta64(1, "h"))
    runs = {}
    for name, limit_h in STUCK_H.items():
        if name in ds.data_vars:
            values = ds[name].transpose("time", ...).to_numpy()
            repeats = _repeats(values, MIN_GHI if name == "ghi" else -np.inf)
            runs[name] = (values, _runs_over(repeats, limit_h / step_h))
    return runs


def _repeats(values: FloatArray, above: float) -> BoolArray:
    """Return where a value above a bound equals the one before."""
    repeats = np.zeros(values.shape, dtype=bool)
    repeats[1:] = (values[1:] == values[:-1]) & (values[1:] > above)
    return repeats


def _runs_over(repeats: BoolArray, limit: float) -> BoolArray:
    """Return the members of unbroken runs along the first axis that are longer than a limit."""
    count = np.arange(1, len(repeats) + 1).reshape(-1, *([1] * (repeats.ndim - 1)))
    before = np.maximum.accumulate(np.where(repeats, 0, count), axis=0)
    after = np.minimum.accumulate(np.where(repeats, len(repeats) + 1, count)[::-1], axis=0)[::-1]
    # The run with the value it repeats is one longer than its repetitions.
    long: BoolArray = repeats & (after - before > limit)
    return long
