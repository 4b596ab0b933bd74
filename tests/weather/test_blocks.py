from __future__ import annotations

from collections.abc import Callable

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from weather import InputError, _blocks, decompose, pv_power, wind_power
from weather.synthetic import synthesize

SITES = pd.DataFrame(
    {
        "latitude": [34.5, 54.0, -33.9, 48.0, 40.0],
        "longitude": [-117.0, 8.0, 18.4, -93.0, -3.0],
        "altitude": [700.0, 5.0, 20.0, 300.0, 600.0],
    },
    index=list("abcde"),
)
PLANTS = pd.DataFrame(
    {"weather_site": ["c", "a", "a", "e", "b", "d"], "p_nom_mw": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]},
    index=[f"u{i}" for i in range(6)],
)
PV = PLANTS.assign(
    tracking=["fixed", "single_axis", "fixed", "single_axis", "fixed", "fixed"],
    bifaciality=[0.0, 0.0, 0.7, 0.0, 0.0, 0.0],
)
WIND = PLANTS.assign(
    turbine_type=["V112/3000", "E-82/2300", "V112/3000", "V90/2000", "V112/3000", "V112/3000"],
    wake_curve=["none", "dena_mean", "dena_mean", "none", "knorr_mean", "dena_mean"],
    turbulence_intensity=0.0,
)
Power = Callable[[xr.Dataset], xr.DataArray]


def pv(weather: xr.Dataset) -> xr.DataArray:
    return pv_power(weather, PV)


def wind(weather: xr.Dataset) -> xr.DataArray:
    return wind_power(weather, WIND)


def wind_with_storms(weather: xr.Dataset) -> xr.DataArray:
    return wind_power(weather, WIND.assign(storm_hysteresis_m_s=4.0))


def pv_from_ghi(weather: xr.Dataset) -> xr.DataArray:
    return pv_power(weather.drop_vars(["dni", "dhi"]), PV)


def pv_by_dirint(weather: xr.Dataset) -> xr.DataArray:
    return pv_power(weather.drop_vars(["dni", "dhi"]), PV, decomposition="dirint")


MODELS = [pv, wind, wind_with_storms, pv_from_ghi, pv_by_dirint]


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    sky = synthesize(SITES, "2020-03-01T00:00Z", "2020-03-11T00:00Z", "1h", seed=7)
    sky["wind_speed"] = sky["wind_speed"] * 2.0  # storms
    return sky


@pytest.fixture(scope="module")
def members(weather: xr.Dataset) -> xr.Dataset:
    """Three members that differ in irradiance, wind and temperature, but not in pressure."""
    scale = xr.DataArray([1.0, 0.8, 0.5], dims="member", coords={"member": [0, 1, 2]})
    with xr.set_options(keep_attrs=True):
        return weather.assign(
            {name: weather[name] * scale for name in ("ghi", "dni", "dhi", "wind_speed", "temp_air")}
        )


def chunked(weather: xr.Dataset, **chunks: int) -> xr.Dataset:
    """Weather as Dask arrays, its coordinates in memory."""
    return weather.assign(
        {
            name: field.variable.chunk({dim: size for dim, size in chunks.items() if dim in field.dims})
            for name, field in weather.data_vars.items()
        }
    )


def computing_is_an_error(*_: object, **__: object) -> None:
    raise AssertionError("computed before it was asked for")


@pytest.mark.parametrize("model", MODELS)
def test_lazy_weather_gives_the_same_power_only_when_asked(model: Power, weather: xr.Dataset) -> None:
    with dask.config.set(scheduler=computing_is_an_error):
        lazy = model(chunked(weather, time=50, site=2))
    assert lazy.chunks is not None
    expected = model(weather)
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), expected)
    assert float(expected.max()) > 5.0


@pytest.mark.parametrize("model", MODELS)
def test_members_pass_through(model: Power, members: xr.Dataset) -> None:
    power = model(members)
    assert power.dims == ("time", "unit", "member")
    for member in (0, 2):
        alone = model(members.sel(member=member, drop=True))
        xr.testing.assert_allclose(power.sel(member=member, drop=True), alone, rtol=1e-12)
    assert not np.allclose(power.isel(member=0), power.isel(member=1))
    lazy = model(chunked(members, time=60, site=3, member=2))
    xr.testing.assert_allclose(lazy.compute(scheduler="synchronous"), power, rtol=1e-12)


@pytest.mark.parametrize("model", [pv, wind, pv_by_dirint])
def test_partly_lazy_weather(model: Power, weather: xr.Dataset) -> None:
    mixed = weather.assign(ghi=weather["ghi"].chunk({"time": 100}))
    xr.testing.assert_identical(model(mixed).compute(scheduler="synchronous"), model(weather))


@pytest.mark.parametrize("model", [pv, wind])
def test_power_does_not_depend_on_the_blocks(
    model: Power, weather: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = weather.isel(time=slice(0, 48))
    whole = model(days)
    monkeypatch.setattr(_blocks, "BLOCK_ELEMENTS", 13)
    xr.testing.assert_allclose(model(days), whole, rtol=1e-13)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        *((pv, name) for name in ("ghi", "temp_air", "wind_speed")),
        *((wind, name) for name in ("temp_air", "wind_speed")),
        (pv_from_ghi, "ghi"),
    ],
)
def test_missing_values_of_lazy_weather_are_refused_when_computed(
    model: Power, name: str, weather: xr.Dataset
) -> None:
    broken = weather.copy(deep=True)
    broken[name][(30, *(0,) * (broken[name].ndim - 2), 0)] = np.nan
    lazy = model(chunked(broken, time=50))
    with pytest.raises(InputError, match="NaN"):
        lazy.compute(scheduler="synchronous")


def test_decomposition_keeps_laziness_and_members(members: xr.Dataset) -> None:
    ghi = members.drop_vars(["dni", "dhi"])
    eager = decompose(ghi)
    assert eager["dni"].dims == ("time", "site", "member")
    with dask.config.set(scheduler=computing_is_an_error):
        lazy = decompose(chunked(ghi, time=50))
    xr.testing.assert_allclose(lazy.compute(scheduler="synchronous"), eager, rtol=1e-12)


def test_wrong_units_are_refused_before_anything_is_computed(weather: xr.Dataset) -> None:
    lazy = chunked(weather, time=50)
    lazy["temp_air"] = lazy["temp_air"].assign_attrs(units="K")
    with dask.config.set(scheduler=computing_is_an_error), pytest.raises(InputError, match="temp_air"):
        pv(lazy)


def test_places_may_be_lazy(weather: xr.Dataset) -> None:
    xr.testing.assert_identical(pv(weather.chunk({"time": 100, "site": 2})).compute(), pv(weather))
