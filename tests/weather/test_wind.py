from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from windpowerlib import ModelChain, TurbineClusterModelChain, WindFarm, WindTurbine

from weather import InputError, with_metadata
from weather.synthetic import synthesize
from weather.wind import WIND_PARAMETERS, turbine_types, wind_power

SITES = pd.DataFrame(
    {"latitude": [34.5, 54.0], "longitude": [-117.0, 8.0], "altitude": [700.0, 5.0]},
    index=["mojave", "coast"],
)
LOSSLESS = {"availability_loss": 0.0, "electrical_loss": 0.0, "performance_loss": 0.0}
PLAIN = {"wake_curve": "none", "turbulence_intensity": 0.0, "shear": "log", "hub_height_m": 94.0, **LOSSLESS}


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


def steady(weather: xr.Dataset, **values: float) -> xr.Dataset:
    """The weather with some variables set to one value."""
    changed = weather.copy()
    for name, value in values.items():
        changed[name] = xr.full_like(weather["wind_speed" if name == "wind_speed" else "temp_air"], value)
    return with_metadata(changed)


def test_equals_the_model_chain_of_windpowerlib_for_all_kinds_of_turbines_at_once(
    weather: xr.Dataset,
) -> None:
    rows = [
        (turbine, hub, corrected)
        for turbine in ("V90/3000", "E-82/2300", "V112/3000")
        for hub in (60.0, 80.0, 94.0, 135.0)
        for corrected in (True, False)
    ]
    table = pd.concat(
        [
            plants(**{**PLAIN, "turbine_type": turbine, "hub_height_m": hub, "density_correction": corrected})
            for turbine, hub, corrected in rows
        ]
    ).set_axis([str(row) for row in rows])
    power = wind_power(weather, table)
    for row in rows:
        machine = WindTurbine(hub_height=row[1], turbine_type=row[0])
        chain = ModelChain(
            machine,
            wind_speed_model="log_interpolation_extrapolation",
            density_model="barometric",
            temperature_model="linear_gradient",
            density_correction=row[2],
        ).run_model(weather_frame(weather, "mojave"))
        expected = chain.power_output.to_numpy() / machine.nominal_power * 90.0
        # Some curves of the library exceed the rating; a farm is held to it.
        np.testing.assert_allclose(
            power.sel(unit=str(row)), np.minimum(expected, 90.0), rtol=1e-9, atol=1e-9 * 90.0
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
    table = plants(shear="log", turbulence_intensity=intensity, **LOSSLESS)
    expected = chain.power_output.to_numpy() / 1e6
    np.testing.assert_allclose(
        wind_power(weather, table).sel(unit="farm"), np.minimum(expected, 90.0), rtol=1e-9, atol=1e-9 * 90.0
    )
    assert expected.max() > 80.0


def test_losses_are_factors_and_power_stays_within_the_rating(weather: xr.Dataset) -> None:
    whole = wind_power(weather, plants(**PLAIN))
    losses = {"availability_loss": 0.05, "electrical_loss": 0.02, "performance_loss": 0.03, "wake_loss": 0.1}
    less = wind_power(weather, plants(**{**PLAIN, **losses}))
    np.testing.assert_allclose(less, whole * 0.95 * 0.98 * 0.97 * 0.9, rtol=1e-12)
    assert float(whole.max()) <= 90.0
    assert float(whole.min()) == 0.0


def test_known_points_of_the_curve(weather: xr.Dataset) -> None:
    # V112/3000 in the OEDB library: nothing at 2.5 m/s, rated from 13 m/s, nothing above 25 m/s.
    for speed, share in ((2.5, 0.0), (15.0, 1.0), (26.0, 0.0)):
        power = wind_power(steady(weather, wind_speed=speed), plants(density_correction=False, **PLAIN))
        np.testing.assert_allclose(power, share * 90.0, atol=1e-9)


def test_usual_losses_take_a_fifth_of_the_energy_at_a_good_site(weather: xr.Dataset) -> None:
    # Published preconstruction estimates lose 10 to 20 % from gross to net, 5 to 10 points of it to wakes.
    gross = float(wind_power(weather, plants(**PLAIN)).sum())
    wakes = float(wind_power(weather, plants(**{**PLAIN, "wake_curve": "dena_mean"})).sum())
    net = float(wind_power(weather, plants(shear="log")).sum())
    assert 0.04 < 1.0 - wakes / gross < 0.13
    assert 0.10 < 1.0 - net / gross < 0.21


def test_thin_air_gives_less_power(weather: xr.Dataset) -> None:
    high = weather.copy()
    high["pressure"] = weather["pressure"] * 0.8
    low, thin = (float(wind_power(ds, plants()).sum()) for ds in (weather, high))
    assert 0.75 * low < thin < 0.95 * low


def test_without_pressure_the_standard_atmosphere_is_taken(weather: xr.Dataset) -> None:
    # The generator's pressure is that of the standard atmosphere.
    xr.testing.assert_allclose(
        wind_power(weather.drop_vars("pressure"), plants()), wind_power(weather, plants()), rtol=1e-12
    )
    nowhere = weather.drop_vars(["pressure", "altitude"])
    with pytest.raises(InputError, match="altitude"):
        wind_power(nowhere, plants())
    assert wind_power(nowhere, plants(density_correction=False)).max() > 50.0


def test_units_do_not_depend_on_their_order(weather: xr.Dataset) -> None:
    table = pd.DataFrame(
        {
            "weather_site": ["mojave", "coast", "coast", "mojave"],
            "p_nom_mw": [10.0, 20.0, 30.0, 40.0],
            "hub_height_m": [80.0, 94.0, 119.0, np.nan],
            "turbine_type": ["V112/3000", "E-82/2300", "V112/3000", "E-126/4200"],
            "wake_curve": ["none", "dena_mean", "knorr_mean", None],
        },
        index=["a", "b", "c", "d"],
    )
    forward = wind_power(weather, table)
    backward = wind_power(weather.isel(site=[1, 0]), table.iloc[::-1])
    xr.testing.assert_identical(forward, backward.sel(unit=forward["unit"]))


def test_a_type_has_the_hub_height_it_is_sold_with(weather: xr.Dataset) -> None:
    # E-126/4200: 99, 135 or 159 m in the OEDB library. E-82/2300 has six.
    for turbine, hub in (("E-126/4200", 135.0), ("E-82/2300", (85.0 + 98.0) / 2.0), ("V112/3000", 94.0)):
        xr.testing.assert_identical(
            wind_power(weather, plants(turbine_type=turbine)),
            wind_power(weather, plants(turbine_type=turbine, hub_height_m=hub)),
        )


def test_the_order_of_heights_does_not_matter(weather: xr.Dataset) -> None:
    turned = weather.isel(height=[2, 0, 1])
    xr.testing.assert_identical(wind_power(turned, plants()), wind_power(weather, plants()))


def test_own_power_curve(weather: xr.Dataset) -> None:
    speeds = np.array([3.0, 6.0, 9.0, 12.0, 15.0, 25.0])
    table = pd.DataFrame({"wind_speed": speeds, "power_kw": [0.0, 400.0, 1200.0, 2000.0, 2000.0, 2000.0]})
    calm = steady(weather, wind_speed=7.5)
    own = plants(**{**PLAIN, "turbine_type": "mine", "density_correction": False})
    power = wind_power(calm, own, turbine_curves={"mine": table})
    np.testing.assert_allclose(power, 0.4 * 90.0, rtol=1e-12)  # half way between 400 and 1200 of 2000 kW
    with pytest.raises(InputError, match="'mine' is unknown"):
        wind_power(calm, own)


def test_bad_power_curves_are_refused_all_at_once(weather: xr.Dataset) -> None:
    speeds = np.arange(3.0, 11.0)
    bad = {
        "a": pd.DataFrame({"wind_speed": speeds}),
        "b": pd.DataFrame({"wind_speed": speeds[::-1], "power_kw": 1.0}),
        "c": pd.DataFrame({"wind_speed": speeds, "power_kw": -5.0}),
        "d": pd.DataFrame({"wind_speed": speeds, "power_kw": np.nan}),
    }
    with pytest.raises(InputError) as caught:
        wind_power(weather, plants(), turbine_curves=bad)
    text = str(caught.value)
    for part in ("'a'", "power_kw", "'b'", "ascend", "'c'", "-5", "'d'", "NaN"):
        assert part in text
    assert len(caught.value.findings) == 4


def test_storms_stop_turbines_until_wind_has_fallen(weather: xr.Dataset) -> None:
    storm = steady(weather, wind_speed=15.0)
    gusts = xr.DataArray([24.0, 26.0, 24.0, 22.0, 19.9, 24.0], dims="time")
    storm["wind_speed"][:6] = gusts.broadcast_like(storm["wind_speed"][:6])
    options = {**PLAIN, "density_correction": False}
    power = wind_power(storm, plants(**options, storm_hysteresis_m_s=5.0)).to_numpy()[:, 0]
    np.testing.assert_allclose(power[:7], [90.0, 0.0, 0.0, 0.0, 90.0, 90.0, 90.0])
    np.testing.assert_allclose(
        wind_power(storm, plants(**options)).to_numpy()[:6, 0], [90.0, 0.0, 90.0, 90.0, 90.0, 90.0]
    )


def test_ice_and_cold_stop_turbines(weather: xr.Dataset) -> None:
    windy = steady(weather, wind_speed=14.0, temp_air=-5.0, relative_humidity=97.0)
    whole = wind_power(windy, plants(**PLAIN))
    iced = wind_power(windy, plants(**PLAIN, icing_loss=0.3))
    np.testing.assert_allclose(iced, 0.7 * whole, rtol=1e-12)
    dry = steady(windy, relative_humidity=90.0)
    xr.testing.assert_identical(wind_power(dry, plants(**PLAIN, icing_loss=0.3)), whole)
    arctic = steady(windy, temp_air=-25.0)
    assert float(wind_power(arctic, plants(**PLAIN, stop_below_c=-20.0)).max()) == 0.0
    assert float(wind_power(arctic, plants(**PLAIN, stop_below_c=-30.0)).min()) > 80.0
    with pytest.raises(InputError, match="relative_humidity"):
        wind_power(weather, plants(icing_loss=0.3))


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


def test_bad_weather_is_refused(weather: xr.Dataset) -> None:
    broken = weather.copy(deep=True)
    broken["wind_speed"][5, 0, 0] = np.nan
    with pytest.raises(InputError, match="wind_speed"):
        wind_power(broken, plants())
    with pytest.raises(InputError, match="temp_air"):
        wind_power(weather.drop_vars("temp_air"), plants())
    with pytest.raises(InputError, match="site"):
        wind_power(weather.drop_vars("site"), plants())


def test_what_is_not_used_may_be_missing(weather: xr.Dataset) -> None:
    broken = weather.copy(deep=True)
    broken["dni"][5, 0] = np.nan
    xr.testing.assert_identical(wind_power(broken, plants()), wind_power(weather, plants()))


def test_library_of_turbines() -> None:
    assert {"V112/3000", "E-126/4200", "GE120/2500"} <= set(turbine_types())
    assert WIND_PARAMETERS["turbine_type"].default in turbine_types()


def test_published_example_of_windpowerlib() -> None:
    # Its own test of the chain: E-126/4200 at 100 m, power law with the exponent of a roughness of 0.15 m,
    # density correction; 267 and 266 K at 10 m, here brought to 2 m with the chain's gradient.
    exponent = 1.0 / np.log(100.0 / 0.15)
    sky = xr.Dataset(
        {
            "wind_speed": (("time", "height", "site"), [[[5.0]], [[6.5]]]),
            "temp_air": (("time", "site"), [[267.0 - 273.15 + 0.052], [266.0 - 273.15 + 0.052]]),
            "pressure": (("time", "site"), [[101125.0], [101000.0]]),
        },
        coords={
            "time": pd.date_range("2020-01-01", periods=2, freq="h"),
            "height": [10.0],
            "site": ["mojave"],
        },
    )
    table = plants(
        **{**PLAIN, "turbine_type": "E-126/4200", "hub_height_m": 100.0},
        day_shear_exponent=exponent,
        night_shear_exponent=exponent,
    )
    watt = wind_power(with_metadata(sky), table).to_numpy()[:, 0] / 90.0 * 4.2e6
    np.testing.assert_allclose(watt, [1366958.544547462, 2823402.837201821], rtol=1e-9)
