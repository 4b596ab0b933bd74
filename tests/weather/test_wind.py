from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from windpowerlib import ModelChain, TurbineClusterModelChain, WindFarm, WindTurbine

from weather import InputError
from weather.synthetic import synthesize
from weather.wind import turbine_types, wind_power

SITES = pd.DataFrame(
    {"latitude": [34.5, 54.0], "longitude": [-117.0, 8.0], "altitude": [700.0, 5.0]},
    index=["mojave", "coast"],
)
PLAIN = {"wake_curve": "none", "availability_loss": 0.0, "turbulence_intensity": 0.0}


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return synthesize(SITES, "2020-01-01T00:00Z", "2020-02-01T00:00Z", "1h", seed=3)


def weather_frame(weather: xr.Dataset, site: str) -> pd.DataFrame:
    """Weather of a site as windpowerlib wants it."""
    at = weather.sel(site=site)
    columns = {
        ("wind_speed", height): at["wind_speed"].sel(height=height).to_numpy()
        for height in (10.0, 80.0, 100.0)
    }
    columns["temperature", 2.0] = at["temp_air"].to_numpy() + 273.15
    columns["pressure", 0.0] = at["pressure"].to_numpy()
    columns["roughness_length", 0.0] = np.full(at.sizes["time"], 0.15)
    frame = pd.DataFrame(columns, index=weather.indexes["time"])
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame


def plants(**columns: object) -> pd.DataFrame:
    return pd.DataFrame([{"weather_site": "mojave", "p_nom_mw": 90.0, **columns}], index=["farm"])


@pytest.mark.parametrize("hub_height", [60.0, 80.0, 94.0, 135.0])
@pytest.mark.parametrize("density_correction", [True, False])
@pytest.mark.parametrize("turbine", ["V90/2000", "E-82/2300"])
def test_equals_the_model_chain_of_windpowerlib(
    weather: xr.Dataset, turbine: str, density_correction: bool, hub_height: float
) -> None:
    machine = WindTurbine(hub_height=hub_height, turbine_type=turbine)
    chain = ModelChain(
        machine,
        wind_speed_model="log_interpolation_extrapolation",
        density_model="barometric",
        temperature_model="linear_gradient",
        density_correction=density_correction,
    ).run_model(weather_frame(weather, "mojave"))
    table = plants(
        turbine_type=turbine, hub_height_m=hub_height, density_correction=density_correction, **PLAIN
    )
    expected = chain.power_output.to_numpy() / machine.nominal_power * 90.0
    np.testing.assert_allclose(
        wind_power(weather, table).sel(unit="farm"), np.minimum(expected, 90.0), rtol=1e-9, atol=1e-9
    )
    assert expected.max() > 80.0


def test_equals_the_farm_chain_of_windpowerlib_with_wakes_and_smoothing(weather: xr.Dataset) -> None:
    machine = WindTurbine(hub_height=94.0, turbine_type="V112/3000")
    farm = WindFarm(pd.DataFrame({"wind_turbine": [machine], "number_of_turbines": [30]}))
    chain = TurbineClusterModelChain(
        farm,
        wake_losses_model="dena_mean",
        smoothing=True,
        smoothing_order="turbine_power_curves",
        wind_speed_model="log_interpolation_extrapolation",
        density_correction=True,
    ).run_model(weather_frame(weather, "mojave"))
    intensity = 1.0 / np.log(94.0 / 0.15)  # what the chain makes of a roughness length of 0.15 m
    table = plants(availability_loss=0.0, turbulence_intensity=intensity)
    expected = chain.power_output.to_numpy() / 1e6
    np.testing.assert_allclose(
        wind_power(weather, table).sel(unit="farm"), np.minimum(expected, 90.0), rtol=1e-9, atol=1e-9
    )
    assert expected.max() > 80.0


def test_one_height_follows_the_power_law(weather: xr.Dataset) -> None:
    at_10 = weather.sel(height=[10.0])
    scaled = at_10.copy()
    scaled["wind_speed"] = (at_10["wind_speed"] * (94.0 / 10.0) ** (1.0 / 7.0)).assign_attrs(
        at_10["wind_speed"].attrs
    )
    scaled = scaled.assign_coords(height=("height", [94.0], at_10["height"].attrs))
    np.testing.assert_allclose(
        wind_power(at_10, plants()), wind_power(scaled, plants()), rtol=1e-12, atol=1e-12
    )


def test_losses_are_factors_and_power_stays_within_the_rating(weather: xr.Dataset) -> None:
    whole = wind_power(weather, plants(**PLAIN))
    less = wind_power(weather, plants(**{**PLAIN, "availability_loss": 0.05, "wake_loss": 0.1}))
    np.testing.assert_allclose(less, whole * 0.95 * 0.9, rtol=1e-12)
    assert float(whole.max()) <= 90.0
    assert float(whole.min()) == 0.0


def test_known_points_of_the_curve(weather: xr.Dataset) -> None:
    # V112/3000 in the OEDB library: nothing at 2.5 m/s, rated from 13 m/s, nothing above 25 m/s.
    for speed, share in ((2.5, 0.0), (15.0, 1.0), (26.0, 0.0)):
        still = weather.copy()
        still["wind_speed"] = xr.full_like(weather["wind_speed"], speed)
        power = wind_power(still, plants(density_correction=False, **PLAIN))
        np.testing.assert_allclose(power, share * 90.0, atol=1e-9)


def test_thin_air_gives_less_power(weather: xr.Dataset) -> None:
    high = weather.copy()
    high["pressure"] = weather["pressure"] * 0.8
    low, thin = (float(wind_power(ds, plants()).sum()) for ds in (weather, high))
    assert 0.75 * low < thin < 0.95 * low


def test_units_do_not_depend_on_their_order(weather: xr.Dataset) -> None:
    table = pd.DataFrame(
        {
            "weather_site": ["mojave", "coast", "coast"],
            "p_nom_mw": [10.0, 20.0, 30.0],
            "hub_height_m": [80.0, 94.0, 119.0],
        },
        index=["a", "b", "c"],
    )
    forward = wind_power(weather, table)
    backward = wind_power(weather.isel(site=[1, 0]), table.iloc[::-1])
    xr.testing.assert_identical(forward, backward.sel(unit=forward["unit"]))


def test_all_findings_at_once(weather: xr.Dataset) -> None:
    bad = pd.DataFrame(
        {
            "weather_site": ["mojave", "nowhere"],
            "p_nom_mw": [-5.0, 1.0],
            "turbine_type": ["V112/3000", "V113"],
            "hub_height_m": [94.0, 900.0],
            "density_correction": [True, "yes"],
            "rotor": [1.0, 2.0],
        },
        index=["a", "b"],
    )
    with pytest.raises(InputError) as caught:
        wind_power(weather, bad)
    text = str(caught.value)
    for part in ("-5 MW", "nowhere", "V113", "900 m", "'yes'", "'rotor'"):
        assert part in text
    assert len(caught.value.findings) == 6


def test_library_of_turbines() -> None:
    assert {"V112/3000", "E-126/4200", "GE120/2500"} <= set(turbine_types())
