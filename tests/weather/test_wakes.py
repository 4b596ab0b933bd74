from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from windpowerlib import wake_losses

from weather.wakes import NO_WAKE_CURVE, WAKE_CURVES, wind_in_farm

SPEED = np.linspace(0.0, 40.0, 401)


@pytest.mark.parametrize("name", [name for name in WAKE_CURVES if name != NO_WAKE_CURVE])
def test_equals_windpowerlib(name: str) -> None:
    expected = wake_losses.reduce_wind_speed(pd.Series(SPEED), wind_efficiency_curve_name=name)
    np.testing.assert_array_equal(wind_in_farm(SPEED, name), expected.to_numpy())
    assert (wind_in_farm(SPEED, name) <= SPEED).all()


def test_no_wakes() -> None:
    assert wind_in_farm(SPEED, NO_WAKE_CURVE) is SPEED


def test_wakes_fade_in_strong_wind() -> None:
    kept = wind_in_farm(SPEED[50:], "dena_mean") / SPEED[50:]
    assert kept[0] < 0.96
    assert kept[-1] > 0.99
