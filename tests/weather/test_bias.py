from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from weather import InputError, correct_wind_speed, synthesize

SITES = pd.DataFrame(
    {"latitude": [34.5, 54.0], "longitude": [-117.0, 8.0], "altitude": [700.0, 5.0]},
    index=["mojave", "coast"],
)


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return synthesize(SITES, "2019-01-01T00:00Z", "2020-01-01T00:00Z", "3h", seed=3)


def mean_at(weather: xr.Dataset, site: str, height: float) -> float:
    return float(weather["wind_speed"].sel(site=site, height=height).mean())


def test_the_mean_at_the_height_becomes_the_known_one(weather: xr.Dataset) -> None:
    better = correct_wind_speed(weather, {"mojave": 9.0}, height_m=100.0)
    assert mean_at(better, "mojave", 100.0) == pytest.approx(9.0, rel=1e-12)
    assert mean_at(better, "coast", 100.0) == mean_at(weather, "coast", 100.0)
    factor = 9.0 / mean_at(weather, "mojave", 100.0)
    assert mean_at(better, "mojave", 10.0) == pytest.approx(factor * mean_at(weather, "mojave", 10.0))
    assert better["wind_speed_factor"].sel(site="mojave").item() == pytest.approx(factor)
    assert better["wind_speed"].attrs == weather["wind_speed"].attrs
    assert better["wind_speed"].dims == weather["wind_speed"].dims


def test_a_height_between_those_of_the_data(weather: xr.Dataset) -> None:
    better = correct_wind_speed(weather, {"mojave": 8.0}, height_m=50.0)
    # The mean at 50 m lies between those at 10 and 80 m.
    assert mean_at(better, "mojave", 10.0) < 8.0 < mean_at(better, "mojave", 80.0)


def test_a_reference_over_other_years(weather: xr.Dataset) -> None:
    month = weather.isel(time=slice(0, 8 * 31))
    better = correct_wind_speed(month, {"coast": 9.0}, height_m=100.0, reference_mean={"coast": 7.5})
    np.testing.assert_allclose(
        better["wind_speed"].sel(site="coast"), 1.2 * month["wind_speed"].sel(site="coast"), rtol=1e-12
    )
    with pytest.raises(InputError, match=r"0\.08 years"):
        correct_wind_speed(month, {"coast": 9.0}, height_m=100.0)


def test_stays_lazy(weather: xr.Dataset) -> None:
    lazy = correct_wind_speed(weather.chunk({"time": 1000}), {"mojave": 9.0}, height_m=50.0)
    assert lazy["wind_speed"].chunks is not None
    eager = correct_wind_speed(weather, {"mojave": 9.0}, height_m=50.0)
    xr.testing.assert_allclose(lazy["wind_speed"].compute(), eager["wind_speed"], rtol=1e-12)


def test_all_findings_at_once(weather: xr.Dataset) -> None:
    with pytest.raises(InputError) as caught:
        correct_wind_speed(
            weather, {"mojave": -1.0, "moon": 5.0}, height_m=100.0, reference_mean={"mojave": 7.0}
        )
    text = str(caught.value)
    for part in ("-1 m/s", "'moon'", "reference_mean['moon']"):
        assert part in text
    with pytest.raises(InputError, match=r"factor of 3\.\d+"):
        correct_wind_speed(weather, {"mojave": 25.0}, height_m=100.0)
    one = weather.sel(height=[10.0])
    with pytest.raises(InputError, match="one height"):
        correct_wind_speed(one, {"mojave": 8.0}, height_m=100.0)
