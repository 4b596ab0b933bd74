"""Small grids in few words, for cases that can be computed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import Grid, make_grid


def small_grid(
    n_bus: int,
    lines: Sequence[tuple[int, int, float]],
    *,
    generators: Sequence[tuple[int, float, float]] = (),
    units: Sequence[tuple[int, str, float]] = (),
    links: Sequence[tuple[int, int, float]] = (),
    must_run: Mapping[int, float] | None = None,
    co2: Sequence[float] | None = None,
    offers: Sequence[float] | None = None,
) -> Grid:
    """Buses b0...; lines (from, to, rating) of equal reactance; generators (bus, size, cost); units (bus,
    technology, size); links (from, to, size); `must_run` gives generators a minimum output.
    """
    least = dict(must_run or {})
    columns = {
        "bus": [f"b{bus}" for bus, _, _ in generators],
        "p_min_mw": [least.get(k, 0.0) for k in range(len(generators))],
        "p_max_mw": [size for _, size, _ in generators],
        "must_run": [k in least for k in range(len(generators))],
        "no_load_cost_per_h": [least.get(k, 0.0) * cost for k, (_, _, cost) in enumerate(generators)],
    }
    names = [f"g{k}" for k in range(len(generators))]
    segments = {
        "gen": names,
        "p_mw": [size - least.get(k, 0.0) for k, (_, size, _) in enumerate(generators)],
        "cost_per_mwh": [cost for _, _, cost in generators],
        "co2_kg_per_mwh": co2 if co2 is not None else [0.0] * len(generators),
    }
    unit_columns = {
        "bus": [f"b{bus}" for bus, _, _ in units],
        "technology": [technology for _, technology, _ in units],
        "p_nom_mw": [size for _, _, size in units],
        "offer_per_mwh": offers if offers is not None else [0.0] * len(units),
    }
    ends = [(f"b{a}", f"b{b}") for a, b, _ in lines]
    return make_grid(
        name="small",
        buses=pd.DataFrame(
            {"vn_kv": 138.0, "latitude": 35.0, "longitude": np.linspace(-115.0, -110.0, n_bus)},
            index=[f"b{k}" for k in range(n_bus)],
        ),
        lines=pd.DataFrame(
            {
                "from_bus": [a for a, _ in ends],
                "to_bus": [b for _, b in ends],
                "rate_mw": [rate for _, _, rate in lines],
                "x_pu": 0.1,
            },
            index=[f"l{k}" for k in range(len(lines))],
        ),
        generators=pd.DataFrame(columns, index=names) if generators else None,
        segments=pd.DataFrame(segments) if generators else None,
        units=pd.DataFrame(unit_columns, index=[f"u{k}" for k in range(len(units))]) if units else None,
        links=pd.DataFrame(
            [{"from_bus": f"b{a}", "to_bus": f"b{b}", "p_max_mw": size} for a, b, size in links],
            index=[f"dc{k}" for k in range(len(links))],
        )
        if links
        else None,
    )


def labelled(
    grid: Grid, time: pd.DatetimeIndex, load_p_mw: np.ndarray, available_p_mw: np.ndarray
) -> tuple[xr.Dataset, xr.DataArray]:
    """Generation and load of a grid as `dispatch` wants them."""
    stamps = time.tz_localize(None).to_numpy()
    bus, unit = grid.buses.index.to_numpy(dtype=object), grid.units.index.to_numpy(dtype=object)
    load = xr.DataArray(
        load_p_mw, dims=("time", "bus"), coords={"time": stamps, "bus": bus}, name="load_p_mw"
    )
    available = xr.DataArray(available_p_mw, dims=("time", "unit"), coords={"time": stamps, "unit": unit})
    return available.to_dataset(name="available_p_mw"), load
