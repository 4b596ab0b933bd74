"""Signals of sites over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grid_models import DispatchEngine, dispatch, relief_curves, signals, windows
from tests.grid_models.grids import labelled, small_grid
from weather import InputError

TIME = pd.date_range("2020-06-01T00:00Z", periods=3, freq="h")
SITES = pd.DataFrame({"bus": ["b0", "b1", "b1"]}, index=["near", "far", "farther"])
SIZE = np.tile([30.0, 30.0, 60.0], (3, 1))


@pytest.fixture(scope="module")
def solved() -> tuple:  # type: ignore[type-arg]
    """Wind behind 25 MW: calm, 10 + 25 + 45 MW of wind, and 500 MW of load short of 400 MW."""
    grid = small_grid(2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=[(1, "wind", 80.0)])
    load, available = np.array([[60.0, 10.0]] * 2 + [[500.0, 10.0]]), np.array([[5.0], [80.0], [80.0]])
    generation, demand = labelled(grid, TIME, load, available)
    return DispatchEngine(grid), dispatch(grid, generation, load=demand), available


def test_only_sites_behind_the_line_are_welcome_and_share_by_size(solved: tuple) -> None:  # type: ignore[type-arg]
    engine, baseline, available = solved
    done: list[tuple[int, int]] = []
    result = signals(engine, baseline, SITES, available, SIZE, progress=lambda *d: done.append(d))
    # Even with load shed at b0 the load at b1 relieves wind that could not get out.
    np.testing.assert_allclose(result["absorbable_p_mw"], [[0, 0, 0], [0, 15, 30], [0, 15, 30]], atol=1e-6)
    np.testing.assert_allclose(
        result["absorbable_alone_p_mw"], [[0, 0, 0], [0, 30, 45], [0, 30, 45]], atol=1e-6
    )
    np.testing.assert_allclose(result["marginal_curtailment"], [[0, 0, 0], [0, 1, 1], [0, 1, 1]], atol=1e-9)
    assert result.attrs["theta"] == 0.5
    turned = signals(engine, baseline.isel(bus=[1, 0]), SITES, available, SIZE)
    np.testing.assert_array_equal(turned["absorbable_p_mw"], result["absorbable_p_mw"])
    assert done[-1] == (2, 2)
    assert "absorbable_alone_p_mw" not in signals(engine, baseline, SITES, available, SIZE, alone=False)


def test_sites_are_told_price_and_carbon_of_their_bus() -> None:
    # Coal at b0 and gas at b1 behind a line of 30 MW: more load costs and emits what its side burns.
    grid = small_grid(2, [(0, 1, 30.0)], generators=[(0, 200.0, 20.0), (1, 200.0, 50.0)], co2=[900.0, 400.0])
    generation, load = labelled(grid, TIME, np.tile([60.0, 80.0], (3, 1)), np.zeros((3, 0)))
    for objective, price in (("market", "lmp_per_mwh"), ("priority", "marginal_cost_per_mwh")):
        baseline = dispatch(grid, generation, load=load, objective=objective)  # type: ignore[arg-type]
        # Buses in another order than the grid's: they are joined by name.
        baseline = baseline.isel(bus=[1, 0])
        told = signals(DispatchEngine(grid, objective), baseline, SITES, np.zeros((3, 0)), SIZE)  # type: ignore[arg-type]
        np.testing.assert_allclose(told[price], np.tile([20.0, 50.0, 50.0], (3, 1)))
        np.testing.assert_allclose(told["marginal_co2_kg_per_mwh"], np.tile([900.0, 400.0, 400.0], (3, 1)))
        assert told[price].attrs["units"] == "USD/MWh"
        assert told.attrs["objective"] == objective
        assert {"lmp_per_mwh", "marginal_cost_per_mwh"} & set(told.data_vars) == {price}


def test_of_a_secure_dispatch_one_is_told_what_security_is_to_blame_for() -> None:
    # Two lines of 40 MW: 80 MW of wind could leave b1, but after an outage one line must take them all.
    grid = small_grid(
        2, [(0, 1, 40.0), (0, 1, 40.0)], generators=[(0, 200.0, 20.0)], units=[(1, "wind", 100.0)]
    )
    available = np.array([[60.0], [30.0], [100.0]])
    generation, load = labelled(grid, TIME, np.tile([120.0, 0.0], (3, 1)), available)
    baseline = dispatch(grid, generation, load=load, security="n-1")
    engine = DispatchEngine(grid, security="n-1")
    told = signals(engine, baseline, SITES.iloc[1:2], available, np.full((3, 1), 10.0))
    np.testing.assert_allclose(told["marginal_curtailment"], [[1], [0], [1]], atol=1e-9)
    np.testing.assert_allclose(told["marginal_curtailment_without_security"], [[0], [0], [1]], atol=1e-9)
    assert windows(told, baseline=baseline)["cause"].tolist() == ["security", "congestion"]
    with pytest.raises(InputError, match="baseline: security"):
        signals(DispatchEngine(grid), baseline, SITES.iloc[1:2], available, np.full((3, 1), 10.0))


def test_what_does_not_belong_together_is_named_at_once(solved: tuple) -> None:  # type: ignore[type-arg]
    engine, baseline, available = solved
    twice = pd.DataFrame({"bus": ["b0", "b1", "b1"]}, index=["near", "far", "far"])
    with pytest.raises(InputError) as error:
        signals(engine, baseline.drop_vars("shed_p_mw").isel(bus=[0]), twice, available[:2], -SIZE)
    assert [f.where for f in error.value.findings] == [
        "baseline: shed_p_mw",
        "baseline",
        "site 'far'",
        "available_p_mw",
        "site_max_p_mw",
    ]


def test_curves_of_all_steps(solved: tuple) -> None:  # type: ignore[type-arg]
    engine, baseline, available = solved
    done: list[tuple[int, int]] = []
    curves = relief_curves(engine, baseline, SITES, available, SIZE, progress=lambda *d: done.append(d))
    assert done == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_allclose([float(c.relief_at(20.0)) for c in curves], [0.0, 20.0, 20.0], atol=1e-6)
    np.testing.assert_allclose([float(c.relief_at(99.0)) for c in curves], [0.0, 45.0, 45.0], atol=1e-6)


def test_site_at_an_unknown_bus_is_refused(solved: tuple) -> None:  # type: ignore[type-arg]
    engine, baseline, available = solved
    with pytest.raises(InputError, match="bus 'b9'"):
        signals(engine, baseline, SITES.assign(bus=["b0", "b1", "b9"]), available, SIZE)
