from __future__ import annotations

import numpy as np
import pytest

from weather.bifacial import rear_irradiance
from weather.sunposition import SunPosition


def rear(
    zenith: float,
    *,
    tilt: float = 0.0,
    dni: float = 0.0,
    dhi: float = 0.0,
    albedo: float = 0.2,
    gcr: float = 0.4,
) -> float:
    sun = SunPosition(*(np.array([value]) for value in (zenith, zenith, 180.0)))
    ghi = np.array([dhi + dni * max(np.cos(np.radians(zenith)), 0.0)])
    values = (np.array([value]) for value in (tilt, 180.0))
    result = rear_irradiance(
        *values,
        sun,
        np.array([dni]),
        ghi,
        np.array([dhi]),
        albedo=np.array([albedo]),
        gcr=gcr,
        height_m=1.5,
        width_m=2.0,
    )
    return float(result[0])


def test_black_ground_and_no_sky_from_behind_give_nothing() -> None:
    assert rear(0.0, dni=900.0, albedo=0.0) == pytest.approx(0.0, abs=1e-9)


def test_sparse_rows_high_up_see_the_whole_ground() -> None:
    # The rear of a horizontal module sees albedo times what reaches the ground, all of it in the limit.
    assert rear(0.0, dni=1000.0, gcr=0.01) == pytest.approx(0.2 * 1000.0, rel=0.02)
    assert rear(30.0, dhi=300.0, gcr=0.01) == pytest.approx(0.2 * 300.0, rel=0.02)


def test_rows_shade_the_ground() -> None:
    # Sun overhead: rows cover 40 % of the ground.
    assert rear(0.0, dni=1000.0, gcr=0.4) == pytest.approx(0.6 * 200.0, rel=0.02)


def test_albedo_scales_what_horizontal_modules_see() -> None:
    assert rear(40.0, dni=700.0, dhi=100.0, albedo=0.6) == pytest.approx(
        3.0 * rear(40.0, dni=700.0, dhi=100.0, albedo=0.2), rel=1e-9
    )


def test_a_sun_below_the_horizon_is_no_error() -> None:
    assert 0.0 < rear(93.0, tilt=30.0, dhi=5.0) < 5.0
