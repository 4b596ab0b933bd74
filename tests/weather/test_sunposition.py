from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest

from weather.sunposition import extra_radiation, sun_at, sun_position, sun_time

LATITUDE = np.array([34.5, -33.9, 60.2, 0.0])
LONGITUDE = np.array([-117.0, 18.4, 24.9, 179.5])
ALTITUDE = np.array([700.0, 20.0, 40.0, 0.0])
MIDDLE = pd.date_range("2020-02-27T00:30Z", periods=24 * 20, freq="17h")


def test_equals_pvlib_site_by_site() -> None:
    rng = np.random.default_rng(1)
    temp = rng.uniform(-10.0, 40.0, (len(MIDDLE), 4))
    pressure = rng.uniform(80e3, 103e3, (len(MIDDLE), 4))
    sun = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE, pressure, temp)
    for i in range(4):
        expected = pvlib.solarposition.get_solarposition(
            MIDDLE,
            LATITUDE[i],
            LONGITUDE[i],
            ALTITUDE[i],
            pressure=pressure[:, i],
            temperature=temp[:, i],
        )
        np.testing.assert_allclose(sun.zenith[:, i], expected["zenith"], rtol=1e-12)
        np.testing.assert_allclose(sun.apparent_zenith[:, i], expected["apparent_zenith"], rtol=1e-12)
        np.testing.assert_allclose(sun.azimuth[:, i], expected["azimuth"], rtol=1e-12)


def test_published_example() -> None:
    # Reda and Andreas (2004), table A5.1: zenith 50.11162 degree, azimuth 194.34024 degree.
    when = pd.DatetimeIndex(["2003-10-17T12:30:30-07:00"]).tz_convert("UTC")
    sun = sun_position(when, [39.742476], [-105.1786], [1830.14], [82000.0], [11.0])
    assert sun.apparent_zenith[0, 0] == pytest.approx(50.11162, abs=1e-4)
    assert sun.azimuth[0, 0] == pytest.approx(194.34024, abs=1e-4)


def test_pairs_of_time_and_place_are_those_of_the_whole_table() -> None:
    pressure = pvlib.atmosphere.alt2pres(ALTITUDE)
    whole = sun_position(MIDDLE, LATITUDE, LONGITUDE, ALTITUDE)
    rng = np.random.default_rng(2)
    row, column = rng.integers(0, len(MIDDLE), 50), rng.integers(0, 4, 50)
    place = (values[column] for values in (LATITUDE, LONGITUDE, ALTITUDE, pressure))
    some = sun_at(sun_time(MIDDLE)[row], *place, np.full(50, 12.0))
    np.testing.assert_array_equal(some.zenith, whole.zenith[row, column])
    np.testing.assert_array_equal(some.azimuth, whole.azimuth[row, column])


def test_irradiance_above_the_atmosphere_is_strongest_in_january() -> None:
    days = pd.date_range("2019-01-01T12:00Z", periods=365, freq="D")
    extra = extra_radiation(days)[:, 0]
    assert 1405.0 < extra.max() < 1420.0
    assert int(np.argmax(extra)) < 10
    assert extra.mean() == pytest.approx(1366.1, abs=1.0)
