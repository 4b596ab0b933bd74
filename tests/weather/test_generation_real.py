from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from weather import decompose, merge_solar_wind, pv_power, read, wind_power
from weather.shear import hub_wind_speed

FILES = {
    "mccamey": (
        "30.6617_-101.7096_psmv3_60_2013.csv",
        "30.6617_-101.7096_2013_wtk_v2_60min_utc_tz.csv",
    ),
    "hibbing": ("47.5_-93.0_psmv3_60_2013.csv", "47.5233_-92.5366_2013_wtk_v2_60min_local_tz.csv"),
}
FILL = ["out_of_range", "interpolate"]


@pytest.fixture(scope="module", params=list(FILES))
def weather(request: pytest.FixtureRequest, real_data: Path) -> xr.Dataset:
    solar, wind = FILES[request.param]
    folder = real_data / "weather_nrel_2013"
    parts = (
        read(folder / "solar" / solar, site=request.param, fill=FILL),
        read(folder / "wind" / wind, site=request.param, fill=FILL),
    )
    return merge_solar_wind(*parts, on_mismatch="wrap", max_distance_km=100.0)


def plant(weather: xr.Dataset, **columns: object) -> pd.DataFrame:
    site = weather["site"].to_numpy()[0]
    return pd.DataFrame([{"weather_site": site, "p_nom_mw": 1.0, **columns}], index=["unit"])


def test_capacity_factors_lie_in_published_ranges(weather: xr.Dataset) -> None:
    # New utility-scale PV plants of 2014 in the USA ran at 14.8 to 34.9 % (LBNL-1000917); wind farms of the
    # interior with turbines of that time at 20 to 50 %.
    fixed = float(pv_power(weather, plant(weather)).mean())
    tracking = float(pv_power(weather, plant(weather, tracking="single_axis", dc_ac_ratio=1.3)).mean())
    assert 0.148 < fixed < tracking < 0.349
    assert 1.10 < tracking / fixed < 1.35
    assert 0.20 < float(wind_power(weather, plant(weather)).mean()) < 0.50


def test_sun_and_power_keep_the_same_clock(weather: xr.Dataset) -> None:
    # A tracker's day is symmetric about noon of local solar time; an hour off would show as 15 degree.
    power = pv_power(weather, plant(weather, tracking="single_axis"))[:, 0]
    hour = power["time"].dt.hour + 0.5 + float(weather["longitude"][0]) / 15.0
    angle = 2.0 * np.pi * hour / 24.0
    centre = np.arctan2(float((power * np.sin(angle)).sum()), float((power * np.cos(angle)).sum()))
    assert abs(np.degrees(centre)) > 180.0 - 5.0  # noon is at 180 degree


def test_the_exponent_of_the_hour_is_nearer_to_the_profile_than_the_logarithm(weather: xr.Dataset) -> None:
    wind = {h: weather["wind_speed"].sel(height=h).to_numpy()[:, 0] for h in (10.0, 60.0, 80.0, 100.0)}
    for hub in (60.0, 80.0):
        heights = (np.array(h) for h in (10.0, 100.0, hub))
        low, high, at = wind[10.0], wind[100.0], tuple(heights)
        power, log = (hub_wind_speed(low, high, *at, np.array(is_log)) for is_log in (False, True))
        errors = [float(np.sqrt(((v - wind[hub]) ** 2).mean())) for v in (power, log)]
        assert errors[0] < 0.9 * errors[1]
        assert abs(power.mean() - wind[hub].mean()) < abs(log.mean() - wind[hub].mean())


def test_energy_from_global_irradiance_alone_is_off_by_few_percent(weather: xr.Dataset) -> None:
    split = decompose(weather.drop_vars(["dni", "dhi"]))
    table = plant(weather, tracking="single_axis")
    ratio = float(pv_power(split, table).sum() / pv_power(weather, table).sum())
    assert 0.96 < ratio < 1.05
