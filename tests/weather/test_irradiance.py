from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weather.irradiance import (
    TRANSPOSITION_MODELS,
    clear_sky_ghi,
    extra_radiation,
    plane_of_array,
    split_ghi,
    sun_position,
)

LATITUDE = np.array([34.5, -33.9, 60.2, 0.0])
LONGITUDE = np.array([-117.0, 18.4, 24.9, 179.5])
ALTITUDE = np.array([700.0, 20.0, 40.0, 0.0])
MIDDLE = pd.date_range("2020-02-27T00:30Z", periods=24 * 20, freq="17h")


def test_clear_sky_equals_pvlib_by_day_and_is_zero_at_night() -> None:
    sun = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE)
    ghi = clear_sky_ghi(MIDDLE, sun, LATITUDE, LONGITUDE, ALTITUDE)
    for i in range(4):
        place = pvlib.location.Location(LATITUDE[i], LONGITUDE[i], altitude=ALTITUDE[i])
        expected = place.get_clearsky(MIDDLE)["ghi"].to_numpy()
        day = sun.zenith[:, i] < 90.0
        np.testing.assert_allclose(ghi[day, i], expected[day], rtol=1e-9)
        assert (ghi[~day, i] == 0.0).all()
        assert day.any()
        assert not day.all()


@settings(max_examples=40)
@given(index=st.floats(0.0, 1.3), hour=st.integers(0, 8783))
def test_split_closes(index: float, hour: int) -> None:
    middle = pd.DatetimeIndex([pd.Timestamp("2020-01-01T00:30Z") + pd.Timedelta(hour, unit="h")])
    sun = sun_position(middle, LATITUDE, LONGITUDE, ALTITUDE)
    wanted = index * clear_sky_ghi(middle, sun, LATITUDE, LONGITUDE, ALTITUDE)
    ghi, dni, dhi = split_ghi(wanted, sun, extra_radiation(middle))
    up = sun.zenith < 90.0
    np.testing.assert_array_equal(ghi, dhi + dni * np.where(up, sun.cos_zenith, 0.0))
    np.testing.assert_allclose(ghi, wanted, rtol=1e-12, atol=1e-12)
    assert (dhi >= 0.0).all()
    assert (dni >= 0.0).all()
    assert (ghi[~up] == 0.0).all()


def test_a_horizontal_plane_sees_ghi() -> None:
    sun = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE)
    ghi, dni, dhi = split_ghi(
        clear_sky_ghi(MIDDLE, sun, LATITUDE, LONGITUDE, ALTITUDE), sun, extra_radiation(MIDDLE)
    )
    flat = plane_of_array(
        np.array(0.0),
        np.array(180.0),
        sun,
        dni,
        ghi,
        dhi,
        dni_extra=extra_radiation(MIDDLE),
        albedo=np.array(0.2),
        model="isotropic",
    )
    high = sun.zenith < 80.0  # refraction moves the sun by less than 0.1 degree there
    np.testing.assert_allclose(flat["poa_global"][high], ghi[high], rtol=0.01)


def test_all_transposition_models_agree_under_an_overcast_sky() -> None:
    # With no beam all sky is isotropic but for what brightens the horizon: models differ by some percent.
    sun = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE)
    high = sun.zenith < 70.0
    dhi = np.where(high, 200.0, 0.0)
    tilt, azimuth, albedo = np.full_like(dhi, 30.0), np.full_like(dhi, 180.0), np.full_like(dhi, 0.2)
    expected = 200.0 * (1.0 + np.cos(np.radians(30.0))) / 2.0
    for model in TRANSPOSITION_MODELS:
        poa = plane_of_array(
            tilt,
            azimuth,
            sun,
            np.zeros_like(dhi),
            dhi,
            dhi,
            dni_extra=extra_radiation(MIDDLE),
            albedo=albedo,
            model=model,
        )
        assert np.isfinite(poa["poa_global"]).all()
        np.testing.assert_allclose(poa["poa_sky_diffuse"][high], expected, rtol=0.2)


@pytest.mark.parametrize("model", TRANSPOSITION_MODELS)
def test_odd_light_gives_finite_irradiance(model: str) -> None:
    sun = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE)
    some, none = np.full_like(sun.zenith, 5.0), np.zeros_like(sun.zenith)
    for ghi, dni, dhi in (
        (some, none, none),
        (none, none, some),
        (none, some, none),
        (some, 9.0 * some, some),
    ):
        poa = plane_of_array(
            some,
            some,
            sun,
            dni,
            ghi,
            dhi,
            dni_extra=extra_radiation(MIDDLE),
            albedo=np.full_like(some, 0.2),
            model=model,
        )
        for part in ("poa_global", "poa_direct", "poa_diffuse"):
            assert np.isfinite(poa[part]).all()
        np.testing.assert_allclose(poa["poa_global"], poa["poa_direct"] + poa["poa_diffuse"])


def test_unknown_transposition_names_the_known_ones() -> None:
    sun = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE)
    zero = np.zeros_like(sun.zenith)
    with pytest.raises(ValueError, match="haydavies"):
        plane_of_array(zero, zero, sun, zero, zero, zero, dni_extra=zero, albedo=zero, model="hay")
