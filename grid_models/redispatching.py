"""What least curtailment saves against least cost, and what that costs: step by step, from two dispatches."""

from __future__ import annotations

import numpy as np
import xarray as xr

from weather import Findings

_SAME = (
    "grid",
    "currency",
    "security",
    "max_nonsynchronous_share",
    "reserve_up_mw",
    "reserve_down_mw",
    "horizon_h",
    "look_ahead_h",
    "terminal",
    "ramps",
)
"""Attributes of a dispatch that say what it was told; what one lacks the other must lack."""
_AXES = ("bus", "gen", "unit", "line", "link", "storage")
_GIVEN = {"load_p_mw": 0.0, "flexible_load_p_mw": 0.0, "gen_status": 1.0}
"""Inputs that a dispatch tells, with what holds where it does not."""
_APART = 1e-6
"""What inputs may differ by: an optimum is found within less. [MW or 1]"""


def redispatch(priority: xr.Dataset, market: xr.Dataset) -> xr.Dataset:
    """Compare a dispatch of least curtailment with one of least cost, of the same grid and inputs.

    Parameters
    ----------
    priority, market : Dataset
        As `dispatch` returns them for these objectives.

    Returns
    -------
    Dataset
        Over time: ``redispatch_p_mw``, wind and PV that `priority` takes and `market` curtails [MW];
        ``redispatch_gen_p_mw``, what generators give less, below 0 where more (gen) [MW];
        ``redispatch_spilled_p_mw``, water and solar heat spilled instead [MW]; ``redispatch_cost``, how much
        dearer `priority` is [currency/h].

    Raises
    ------
    InputError
        Dispatches of other objectives, of two grids or settings, over other steps, with other load: all
        findings at once.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from grid_models import dispatch, load_grid, redispatch
    >>> grid = load_grid("rts_gmlc")
    >>> hours = pd.date_range("2020-02-14T08:00Z", periods=24, freq="h")
    >>> generation = xr.Dataset({"available_p_mw": grid.recorded(hours)})
    >>> both = [dispatch(grid, generation, objective=o) for o in ("priority", "market")]
    >>> saved = redispatch(*both)["redispatch_p_mw"]
    >>> bool((saved > -1e-6).all() and saved.sum() > 0)
    True
    """
    _check(priority, market)

    def less(name: str) -> xr.DataArray:
        return market[name] - priority[name]

    data = {
        "redispatch_p_mw": (less("curtailed_p_mw").sum("unit"), "MW"),
        "redispatch_gen_p_mw": (less("p_mw"), "MW"),
        "redispatch_spilled_p_mw": (-less("spilled_p_mw").sum("unit"), "MW"),
        "redispatch_cost": (-less("cost"), f"{priority.attrs['currency']}/h"),
    }
    result = xr.Dataset({name: value for name, (value, _) in data.items()})
    for name, (_, unit) in data.items():
        result[name].attrs = {"units": unit, "cell_methods": "time: mean"}
    return result.assign_attrs({key: priority.attrs[key] for key in _SAME if key in priority.attrs})


def _check(priority: xr.Dataset, market: xr.Dataset) -> None:
    findings = Findings()
    for name, data in (("priority", priority), ("market", market)):
        found = data.attrs.get("objective")
        if found != name:
            findings.add(name, f"is a dispatch with objective {found!r}", f"dispatch with objective={name!r}")
    for key in _SAME:
        one, other = priority.attrs.get(key), market.attrs.get(key)
        if one != other:
            findings.add(key, f"{one!r} in one, {other!r} in the other", "compare like with like")
    for axis in ("time", *_AXES):
        one, other = (data.get(axis) for data in (priority, market))
        if not _same_labels(one, other):
            findings.add(axis, "the dispatches have other labels", "give both the same grid and steps")
    findings.raise_if_any("redispatch")
    for name in (*_GIVEN, "available_p_mw"):
        apart = _apart(_given(priority, name), _given(market, name))
        if apart > _APART:
            unit = "" if name == "gen_status" else " MW"
            findings.add(name, f"differs by up to {apart:.6g}{unit}", "give both dispatches the same")
    findings.raise_if_any("redispatch")


def _same_labels(one: xr.DataArray | None, other: xr.DataArray | None) -> bool:
    """Whether both have the same labels, or none; only steps have an order."""
    if one is None or other is None:
        return one is other
    if one.name == "time":
        return bool(one.equals(other))
    return bool(one.to_index().sort_values().equals(other.to_index().sort_values()))


def _given(dispatched: xr.Dataset, name: str) -> xr.DataArray:
    """What a dispatch was given: as it tells, or as its balance of each unit says."""
    if name == "available_p_mw":
        return dispatched["unit_p_mw"] + dispatched["curtailed_p_mw"] + dispatched["spilled_p_mw"]
    return dispatched.get(name, xr.DataArray(_GIVEN[name]))


def _apart(one: xr.DataArray, other: xr.DataArray) -> float:
    return float(np.abs(one - other).max().item()) if one.size and other.size else 0.0
