"""Dispatch over time: labels, the same bits however it is cut up, messages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask.distributed import Client, LocalCluster

from grid_models import Dispatched, DispatchEngine, Grid, Inputs, always_on, dispatch, solve_all
from tests.grid_models.grids import labelled, small_grid
from weather import SolverError

N_STEP = 11
TIME = pd.date_range("2020-06-01T00:00Z", periods=N_STEP, freq="h")


@pytest.fixture(scope="module")
def grid() -> Grid:
    return small_grid(
        4,
        [(0, 1, 30.0), (1, 2, 60.0), (2, 3, 40.0), (3, 0, 50.0)],
        generators=[(0, 60.0, 20.0), (2, 80.0, 35.0)],
        units=[(3, "wind", 70.0), (1, "pv", 50.0), (2, "rtpv", 10.0), (0, "hydro", 20.0)],
        links=[(0, 2, 10.0)],
        must_run={0: 15.0},
    )


@pytest.fixture(scope="module")
def inputs(grid: Grid) -> tuple[xr.Dataset, xr.DataArray]:
    rng = np.random.default_rng(7)
    load = np.array([10.0, 40.0, 20.0, 5.0]) * rng.uniform(0.5, 1.5, (N_STEP, 1))
    return labelled(grid, TIME, load, grid.units["p_nom_mw"].to_numpy() * rng.uniform(0.0, 1.0, (N_STEP, 4)))


@pytest.fixture(scope="module")
def whole(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> xr.Dataset:
    return dispatch(grid, inputs[0], load=inputs[1])


@pytest.mark.parametrize("chunk_steps", [1, 4, 11, 1000])
def test_chunks_do_not_change_a_bit(
    grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray], whole: xr.Dataset, chunk_steps: int
) -> None:
    seen: list[tuple[int, int]] = []
    result = dispatch(
        grid, inputs[0], load=inputs[1], chunk_steps=chunk_steps, progress=lambda *done: seen.append(done)
    )
    xr.testing.assert_identical(result, whole)
    assert seen[-1] == (N_STEP, N_STEP)


def test_workers_do_not_change_a_bit(
    grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray], whole: xr.Dataset
) -> None:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        result = dispatch(grid, inputs[0], load=inputs[1], chunk_steps=3, client=client)
    xr.testing.assert_identical(result, whole)


def test_dataset_says_what_it_holds(whole: xr.Dataset, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    assert whole.attrs == {"objective": "priority", "security": "none", "currency": "USD", "grid": "small"}
    assert whole["marginal_cost_per_mwh"].attrs["units"] == "USD/MWh"
    assert "lmp_per_mwh" not in whole
    assert all(whole[name].attrs["cell_methods"] == "time: mean" for name in whole.data_vars)
    balance = (
        whole["p_mw"].sum("gen")
        + whole["unit_p_mw"].sum("unit")
        + whole["shed_p_mw"].sum("bus")
        - whole["dump_p_mw"].sum("bus")
        - whole["load_p_mw"].sum("bus")
    )
    np.testing.assert_allclose(balance, 0.0, atol=1e-6)
    rates = np.array([30.0, 60.0, 40.0, 50.0])
    np.testing.assert_allclose(whole["loading_percent"], 100.0 * np.abs(whole["line_p_mw"]) / rates)
    xr.testing.assert_allclose(whole["load_p_mw"].reset_coords(drop=True), inputs[1])


def test_market_quotes_prices(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray], whole: xr.Dataset) -> None:
    market = dispatch(grid, inputs[0], load=inputs[1], objective="market")
    assert "lmp_per_mwh" in market
    assert float((whole["cost"] - market["cost"]).min()) > -1e-6
    assert float((market["curtailed_p_mw"].sum("unit") - whole["curtailed_p_mw"].sum("unit")).min()) > -1e-6


def test_flexible_load_is_load(grid: Grid, inputs: tuple[xr.Dataset, xr.DataArray]) -> None:
    generation, load = inputs
    half = (load / 2.0).rename("flexible_load_p_mw")
    split = dispatch(grid, generation, load=load / 2.0, flexible_load=half)
    together = dispatch(grid, generation, load=load)
    xr.testing.assert_identical(split["curtailed_p_mw"], together["curtailed_p_mw"])
    xr.testing.assert_identical(split["cost"], together["cost"])


def test_failing_steps_are_named(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DispatchEngine(grid)
    solve_many = engine.solve_many

    def fail(inputs: Inputs) -> Dispatched:
        if (inputs.load_p_mw[:, 0] == 4.0).any():
            raise SolverError(f"no optimum with {inputs.available_p_mw.sum():g} MW")
        return solve_many(inputs)

    monkeypatch.setattr(engine, "solve_many", fail)
    load = np.arange(6.0)[:, None] * np.ones((1, 4))
    with pytest.raises(SolverError, match="steps 3 to 5: no optimum with 0 MW"):
        solve_all(engine, always_on(engine.problem, load, np.zeros((6, 4))), chunk_steps=3)
