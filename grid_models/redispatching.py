"""What least curtailment saves against least cost, and what that costs: step by step, from two dispatches."""

from __future__ import annotations

import numpy as np
import xarray as xr

from weather import Findings

_SAME = ("grid", "currency", "security")
_LOAD_MW = 1e-6


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
    return result.assign_attrs({key: priority.attrs[key] for key in _SAME})


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
    if not priority["time"].equals(market["time"]):
        findings.add("time", "the dispatches have other steps", "dispatch both over the same time")
    elif not findings:
        apart = np.abs(priority["load_p_mw"] - market["load_p_mw"]).max().item()
        if apart > _LOAD_MW:
            findings.add("load_p_mw", f"differs by up to {apart:.6g} MW", "give both the same load")
    findings.raise_if_any("redispatch")
