"""Instants become means of steps: exact on straight lines, energy kept, no value moved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weather.errors import Findings
from weather.readers._instants import direction_of_instants, mean_of_instants
from weather.readers._options import fixed_clock
from weather.readers._units import convert

HOURS = pd.date_range("2013-01-01", periods=48, freq="h")


@settings(max_examples=40)
@given(at=st.floats(0.0, 1.0), slope=st.floats(-5.0, 5.0), start=st.floats(-20.0, 20.0))
def test_a_straight_line_averages_to_its_middle(at: float, slope: float, start: float) -> None:
    """At the ends, where a neighbour is missing, the line is cut: the middle steps are exact."""
    line = start + slope * (np.arange(48.0) + at)
    middle = start + slope * (np.arange(48.0) + 0.5)
    assert np.allclose(mean_of_instants(line, HOURS, at)[1:-1], middle[1:-1])


@settings(max_examples=40)
@given(at=st.floats(0.0, 1.0), seed=st.integers(0, 2**32 - 1))
def test_a_circle_keeps_its_sum(at: float, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(0.0, 1000.0, 48)
    assert mean_of_instants(values, HOURS, at, circular=True).sum() == pytest.approx(values.sum())


def test_shares_are_the_areas_under_the_straight_lines() -> None:
    """One instant of 1 at 10 minutes past: a²/2 before, (1 - a)²/2 after."""
    values = np.zeros(48)
    values[10] = 1.0
    mean = mean_of_instants(values, HOURS, 1 / 6)
    assert mean[9] == pytest.approx((5 / 6) ** 2 / 2)
    assert mean[11] == pytest.approx((1 / 6) ** 2 / 2)
    assert mean.sum() == pytest.approx(1.0)


def test_nothing_is_averaged_across_a_gap() -> None:
    index = HOURS.delete([10, 11])
    values = np.arange(46.0) ** 2
    mean = mean_of_instants(values, index, 1.0)
    assert mean[10] == values[10]
    assert mean[11] == 0.5 * (values[10] + values[11])


def test_a_missing_neighbour_without_weight_leaves_no_gap() -> None:
    values = np.arange(48.0)
    values[10] = np.nan
    assert np.flatnonzero(np.isnan(mean_of_instants(values, HOURS, 1.0))).tolist() == [10, 11]


def test_directions_are_averaged_across_north() -> None:
    degrees = np.array([350.0, 10.0, 20.0, 30.0])
    mean = direction_of_instants(degrees, HOURS[:4], 1.0)
    assert (mean.round(9) % 360.0).tolist() == [350.0, 0.0, 15.0, 25.0]


@pytest.mark.parametrize(
    ("value", "unit", "target", "expected"),
    [
        (36.0, "km/h", "m/s", 10.0),
        (10.0, "mp/h", "m/s", 4.4704),
        (10.0, "kn", "m/s", 5.144444),
        (50.0, "°F", "°C", 10.0),
        (101.325, "kPa", "Pa", 101325.0),
        (1013.25, "hPa", "Pa", 101325.0),
        (3.6e6, "J m**-2", "W/m²", 1000.0),
        (1.0, "MJ/hr", "W/m²", 277.7778),
        (0.5, "kWh/m2", "W/m²", 500.0),
        (20.0, "%", "1", 0.2),
    ],
)
def test_units_are_those_of_the_international_system(
    value: float, unit: str, target: str, expected: float
) -> None:
    findings = Findings()
    converted = convert(np.array([value]), unit, target, "x", findings, step_h=1.0)
    assert converted[0] == pytest.approx(expected, rel=1e-6)
    assert not findings


def test_energy_is_power_only_where_the_step_is_known() -> None:
    findings = Findings()
    assert convert(np.array([250.0]), "Wh/m2", "W/m²", "x", findings, step_h=0.25)[0] == 1000.0
    assert not findings
    convert(np.array([250.0]), "Wh/m2", "W/m²", "x", findings)
    assert [str(f) for f in findings] == [
        "x: unit 'Wh/m2' in the header, expected W/m²; convert it and correct the header"
    ]


@pytest.mark.parametrize(
    ("text", "hours"),
    [("UTC", 0.0), ("z", 0.0), ("UTC-8", -8.0), ("utc+05:30", 5.5), ("+0545", 5.75), ("GMT −3", -3.0)],
)
def test_clocks_as_text(text: str, hours: float) -> None:
    assert fixed_clock(text) == hours


@pytest.mark.parametrize("text", ["", "local", "UTC-6 DST", "America/Chicago", "25"])
def test_what_is_no_clock(text: str) -> None:
    assert fixed_clock(text) is None
