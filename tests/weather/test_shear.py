from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from windpowerlib import tools, wind_speed

from weather import synthesize, wind_power
from weather.shear import EXPONENT_LIMITS, bracket, hub_wind_speed, nearest, scaled_wind_speed

speeds = st.floats(0.0, 40.0)


def at(
    low: float, high: float, hub: float, *, log: bool, heights: tuple[float, float] = (10.0, 100.0)
) -> float:
    arguments = (np.array(float(value)) for value in (low, high, *heights, hub))
    return float(hub_wind_speed(*arguments, np.array(log)))


@given(low=speeds, high=speeds, hub=st.floats(10.0, 250.0))
def test_log_equals_windpowerlib(low: float, high: float, hub: float) -> None:
    frame = pd.DataFrame([[low, high]], columns=[10.0, 100.0])
    expected = tools.logarithmic_interpolation_extrapolation(frame, hub)[0]
    assert at(low, high, hub, log=True) == pytest.approx(max(expected, 0.0), abs=1e-9)


@given(low=speeds, high=speeds, log=st.booleans())
def test_at_the_heights_of_the_data_speed_is_the_data_s(low: float, high: float, log: bool) -> None:
    assert at(low, high, 10.0, log=log) == pytest.approx(low, abs=1e-12)
    assert at(low, high, 100.0, log=log) == pytest.approx(high, abs=1e-12)


@given(speed=st.floats(0.5, 20.0), exponent=st.floats(*EXPONENT_LIMITS), hub=st.floats(5.0, 250.0))
def test_the_power_law_is_recovered(speed: float, exponent: float, hub: float) -> None:
    high = speed * 10.0**exponent
    assert at(speed, high, hub, log=False) == pytest.approx(speed * (hub / 10.0) ** exponent, rel=1e-9)


@given(low=speeds, high=speeds, hub=st.floats(10.0, 100.0))
def test_between_the_heights_speed_stays_near_both(low: float, high: float, hub: float) -> None:
    value = at(low, high, hub, log=False)
    assert value >= 0.0
    assert value <= max(low * (hub / 10.0) ** EXPONENT_LIMITS[1], high) + 1e-9


def test_calm_air_stays_calm() -> None:
    assert at(0.0, 0.0, 150.0, log=False) == 0.0
    assert at(0.0, 0.0, 150.0, log=True) == 0.0
    assert at(5.0, 1.0, 1000.0, log=True) == 0.0  # the line in the logarithm would go below zero


def test_given_exponent_equals_windpowerlib() -> None:
    speed, hub = np.array([3.0, 8.0]), np.array([94.0, 120.0])
    for i in range(2):
        expected = wind_speed.hellman(pd.Series([speed[i]]), 10.0, hub[i], hellman_exponent=0.2)[0]
        assert scaled_wind_speed(speed, 10.0, hub, np.array(0.2))[i] == pytest.approx(expected, rel=1e-12)


def test_choice_of_heights() -> None:
    heights = np.array([40.0, 90.0, 100.0])
    hubs = np.array([80.0, 95.0, 200.0, 10.0])
    assert [tuple(map(int, pair)) for pair in zip(*bracket(heights, hubs), strict=True)] == [
        (0, 1),
        (1, 2),
        (1, 2),
        (0, 1),
    ]
    # Windpowerlib takes the two nearest even if they lie on one side: 90 and 100 m for 80 m.
    lower, upper = nearest(heights, hubs)
    assert (int(lower[0]), int(upper[0])) == (1, 2)


def test_one_height_follows_the_exponents_of_day_and_night() -> None:
    sites = pd.DataFrame([{"latitude": 34.5, "longitude": -117.0, "altitude": 0.0}], index=["a"])
    sky = synthesize(sites, "2020-03-01T00:00Z", "2020-03-08T00:00Z", "1h", seed=3).sel(height=[10.0])
    farm = pd.DataFrame([{"weather_site": "a", "p_nom_mw": 1.0, "hub_height_m": 100.0}], index=["farm"])
    is_day = sky["ghi"] > 0.0
    by_hand = sky.assign_coords(height=("height", [100.0], sky["height"].attrs))
    factor = is_day * 10.0**0.12 + (1 - is_day) * 10.0**0.3
    scaled = (sky["wind_speed"] * factor).transpose("time", "height", "site")
    by_hand["wind_speed"] = scaled.variable
    by_hand["wind_speed"].attrs = sky["wind_speed"].attrs
    np.testing.assert_allclose(wind_power(sky, farm), wind_power(by_hand, farm), rtol=1e-9, atol=1e-9)
    blind = wind_power(sky.drop_vars("ghi"), farm)
    constant = wind_power(sky, farm.assign(day_shear_exponent=0.21, night_shear_exponent=0.21))
    np.testing.assert_allclose(blind, constant, rtol=1e-9, atol=1e-9)
