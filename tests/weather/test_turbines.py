from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from windpowerlib import power_output

from weather.turbines import CurveTable, PowerCurve, farm_curve, library_curve, turbine_types

TYPES = ("V112/3000", "E-126/7580", "E48/800")


@pytest.fixture(scope="module")
def table() -> CurveTable:
    curves = [library_curve(name) for name in TYPES]
    return CurveTable.of([*curves, *(farm_curve(curve, 0.12) for curve in curves)])


def curve_of(position: int) -> PowerCurve:
    curve = library_curve(TYPES[position % 3])
    return farm_curve(curve, 0.12) if position >= 3 else curve


@given(
    position=st.integers(0, 5),
    speed=st.one_of(st.floats(0.0, 45.0), st.integers(0, 90).map(lambda half: half / 2.0)),
    density=st.floats(0.7, 1.5),
)
def test_equals_the_density_correction_of_windpowerlib(
    table: CurveTable, position: int, speed: float, density: float
) -> None:
    curve = curve_of(position)
    expected = power_output.power_curve_density_correction(
        np.array([speed]), np.array(curve.wind_speed), np.array(curve.share), np.array([density])
    )
    share = table.evaluate(np.array([position]), np.array([speed]), np.array([density]))
    assert share[0] == pytest.approx(expected[0], rel=1e-9, abs=1e-12)


def test_equals_linear_interpolation_at_all_speeds(table: CurveTable) -> None:
    speed = np.linspace(0.0, 45.0, 4501)
    for position in range(6):
        curve = curve_of(position)
        expected = np.interp(speed, curve.wind_speed, curve.share, left=0.0, right=0.0)
        flat = np.full(len(speed), position)
        np.testing.assert_allclose(table.evaluate(flat, speed, None), expected, rtol=1e-12, atol=1e-15)
        at_rest = table.evaluate(flat, speed, np.full(len(speed), 1.225))
        np.testing.assert_array_equal(at_rest, table.evaluate(flat, speed, None))


def test_the_last_point_counts_and_nothing_beyond_it() -> None:
    table = CurveTable.of([PowerCurve((3.0, 12.0, 25.0), (0.0, 1.0, 1.0))])
    speed = np.array([2.99, 3.0, 7.5, 12.0, 25.0, 25.01, 60.0])
    share = table.evaluate(np.zeros(7, dtype=int), speed, None)
    np.testing.assert_allclose(share, [0.0, 0.0, 0.5, 1.0, 1.0, 0.0, 0.0], atol=1e-15)


def test_thin_air_shifts_the_curve_by_the_published_exponents() -> None:
    # Svenningsen 2010: v_site = v (1.225 / rho)^p with p = 1/3 up to 7.5 m/s and 2/3 from 12.5 m/s.
    table = CurveTable.of([PowerCurve((0.0, 6.0, 14.0, 30.0), (0.0, 0.2, 0.9, 0.9))])
    speed = np.array([6.0 * 1.225 ** (1 / 3), 14.0 * 1.225 ** (2 / 3)])
    share = table.evaluate(np.zeros(2, dtype=int), speed, np.ones(2))
    np.testing.assert_allclose(share, [0.2, 0.9], rtol=1e-12)


def test_smoothing_keeps_energy_below_rated_and_spreads_the_cut_out() -> None:
    curve = library_curve("V112/3000")
    smooth = farm_curve(curve, 0.12)
    speed = np.array([7.0, 8.0, 9.0, 24.0, 26.0])
    plain = np.interp(speed, curve.wind_speed, curve.share, right=0.0)
    spread = np.interp(speed, smooth.wind_speed, smooth.share)
    # Where the curve is convex the mean over the farm is above it, near the rating below.
    assert spread[0] > plain[0]
    assert spread[3] < plain[3]
    assert spread[4] > plain[4] == 0.0
    assert farm_curve(curve, 0.0) is curve


def test_every_type_of_the_library_can_be_evaluated() -> None:
    curves = [library_curve(name) for name in turbine_types()]
    table = CurveTable.of(curves)
    share = table.evaluate(np.arange(len(curves)), np.full(len(curves), 15.0), np.full(len(curves), 1.2))
    assert len(curves) > 60
    assert ((share > 0.9) & (share < 1.03)).all()
    assert all(15.0 < curve.cut_out < 40.0 for curve in curves)


def test_a_curve_cut_off_at_rated_power_goes_on_to_the_usual_cut_out() -> None:
    # The library's V90/2000 ends at 16.5 m/s; the turbine stops at 25 m/s.
    curve = library_curve("V90/2000")
    table = CurveTable.of([curve])
    share = table.evaluate(np.zeros(3, dtype=int), np.array([16.5, 24.0, 25.5]), None)
    np.testing.assert_allclose(share, [1.003, 1.003, 0.0], atol=2e-3)
    assert curve.cut_out == 25.0
    assert library_curve("N117/2400").cut_out == 20.0  # a turbine for weak wind really stops there


def test_published_values_of_a_turbine() -> None:
    # Enercon's data sheet of the E-126 EP4, 4.2 MW: 58 kW at 3 m/s, 2450 kW at 9 m/s, rated from 14 m/s.
    curve = library_curve("E-126/4200")
    kilowatt = 4200.0 * np.interp([3.0, 9.0, 14.0, 25.0], curve.wind_speed, curve.share)
    np.testing.assert_allclose(kilowatt, [58.0, 2450.0, 4200.0, 4200.0], rtol=1e-9)
