"""Small distribution grids: feeders of equal sections behind an external grid, with units along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from grid_models import Grid, make_grid


def feeder(
    units: Sequence[tuple[int, float]],
    *,
    parents: Sequence[int] = (0,),
    r_pu: float = 0.04,
    x_pu: float = 0.03,
    rate_mw: float = np.inf,
    load: Mapping[int, tuple[float, float]] | None = None,
    export_mw: float = 100.0,
    import_per_mwh: float = 50.0,
    export_per_mwh: float = 40.0,
    technology: str = "pv",
    order: Sequence[int] | None = None,
) -> Grid:
    """Bus b0 at the external grid and bus k + 1 behind bus parents[k]; units (bus, size); base 1 MVA, 20 kV.

    `order` is that of the rows of all tables.
    """
    n_bus, nominal = len(parents) + 1, dict(load or {})
    buses = pd.DataFrame(
        {
            "vn_kv": 20.0,
            "latitude": 51.0,
            "longitude": 10.0 + 0.01 * np.arange(n_bus),
            "load_p_mw": [nominal.get(k, (0.0, 0.0))[0] for k in range(n_bus)],
            "load_q_mvar": [nominal.get(k, (0.0, 0.0))[1] for k in range(n_bus)],
        },
        index=[f"b{k}" for k in range(n_bus)],
    )
    lines = pd.DataFrame(
        {
            "from_bus": [f"b{k}" for k in parents],
            "to_bus": [f"b{k + 1}" for k in range(len(parents))],
            "rate_mw": rate_mw,
            "r_pu": r_pu,
            "x_pu": x_pu,
        },
        index=[f"l{k}" for k in range(len(parents))],
    )
    table = pd.DataFrame(
        {
            "bus": [f"b{bus}" for bus, _ in units],
            "technology": technology,
            "p_nom_mw": [size for _, size in units],
        },
        index=[f"u{k}" for k in range(len(units))],
    )
    if order is not None:
        buses = buses.iloc[[k for k in order if k < n_bus]]
        lines = lines.iloc[[k for k in order if k < len(lines)]]
        table = table.iloc[[k for k in order if k < len(table)]]
    segments = {
        "gen": ["beyond", "beyond"],
        "p_mw": [export_mw, 100.0],
        "cost_per_mwh": [export_per_mwh, import_per_mwh],
        "co2_kg_per_mwh": [400.0, 400.0],
    }
    beyond = {"bus": "b0", "p_min_mw": -export_mw, "p_max_mw": 100.0, "must_run": True}
    return make_grid(
        name="feeder",
        buses=buses,
        lines=lines,
        generators=pd.DataFrame(beyond, index=["beyond"]),
        segments=pd.DataFrame(segments),
        units=table,
        base_mva=1.0,
        f_hz=50.0,
        reference_bus="b0",
        currency="EUR",
    )


def inputs(
    grid: Grid, available_p_mw: Sequence[Sequence[float]], load_p_mw: Sequence[Sequence[float]] | None = None
) -> tuple[xr.Dataset, xr.DataArray]:
    """Generation and load of steps; units in the order u0, u1, ..., buses b0, b1, ...; no load by default."""
    n_step = len(available_p_mw)
    time = pd.date_range("2016-06-01", periods=max(n_step, 2), freq="15min").to_numpy()[:n_step]
    unit = np.array(sorted(grid.units.index), dtype=object)
    bus = np.array(sorted(grid.buses.index), dtype=object)
    given = np.zeros((n_step, len(bus))) if load_p_mw is None else np.asarray(load_p_mw, dtype=float)
    available = xr.DataArray(
        np.asarray(available_p_mw, dtype=float),
        dims=("time", "unit"),
        coords={"time": time, "unit": unit},
        name="available_p_mw",
    )
    load = xr.DataArray(given, dims=("time", "bus"), coords={"time": time, "bus": bus}, name="load_p_mw")
    return available.to_dataset(), load
