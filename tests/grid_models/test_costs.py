from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grid_models.costs import cost_curve, heat_curve, lower_convex_envelope

STEAM = heat_curve(100.0, (0.4, 0.6, 0.8, 1.0), 12000.0, (8000.0, 9000.0, 10000.0))


def test_heat_is_average_to_the_first_point_and_incremental_above() -> None:
    p_mw, heat = STEAM
    np.testing.assert_allclose(p_mw, [0, 40, 60, 80, 100])
    np.testing.assert_allclose(heat, [0, 480, 640, 820, 1020])


def test_a_unit_that_must_run_pays_its_minimum_and_increments_above_it() -> None:
    curve = cost_curve(
        *STEAM, p_min_mw=40.0, fuel_price_per_mmbtu=2.0, co2_kg_per_mmbtu=95.0, vom_per_mwh=1.0
    )
    assert curve.no_load_cost_per_h == 480 * 2 + 40
    assert curve.no_load_co2_kg_per_h == 480 * 95
    np.testing.assert_allclose(curve.width_mw, [20, 20, 20])
    np.testing.assert_allclose(curve.cost_per_mwh, [17, 19, 21])
    np.testing.assert_allclose(curve.co2_kg_per_mwh, [760, 855, 950])


def test_a_minimum_between_the_points_is_interpolated() -> None:
    curve = cost_curve(*STEAM, p_min_mw=50.0, fuel_price_per_mmbtu=1.0, co2_kg_per_mmbtu=0.0)
    assert curve.no_load_cost_per_h == 560
    np.testing.assert_allclose(curve.width_mw, [10, 20, 20])


def test_a_unit_that_may_stand_still_runs_to_its_cheapest_average_first() -> None:
    # Averages at the points: 12, 10.67, 10.25, 10.2 MMBTU/MWh: full output is the cheapest.
    curve = cost_curve(*STEAM, p_min_mw=0.0, fuel_price_per_mmbtu=2.0, co2_kg_per_mmbtu=95.0)
    np.testing.assert_allclose(curve.width_mw, [100])
    np.testing.assert_allclose(curve.cost_per_mwh, [20.4])
    np.testing.assert_allclose(curve.co2_kg_per_mwh, [969.0])
    assert curve.no_load_cost_per_h == 0


def test_no_range_gives_no_segments() -> None:
    curve = cost_curve(*STEAM, p_min_mw=100.0, fuel_price_per_mmbtu=1.0, co2_kg_per_mmbtu=0.0)
    assert curve.width_mw.size == 0
    assert curve.no_load_cost_per_h == 1020


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=8), st.integers(0, 2**32 - 1))
def test_an_envelope_lies_below_all_points_touches_the_ends_and_is_convex(y: list[float], seed: int) -> None:
    x = np.cumsum(np.random.default_rng(seed).uniform(0.1, 2.0, len(y)))
    values = np.array(y)
    corner = lower_convex_envelope(x, values)
    assert corner[0] == 0
    assert corner[-1] == len(y) - 1
    assert (np.interp(x, x[corner], values[corner]) <= values + 1e-9).all()
    slope = np.diff(values[corner]) / np.diff(x[corner])
    assert (np.diff(slope) > -1e-9 * max(1.0, np.abs(slope).max())).all()
