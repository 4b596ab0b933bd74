from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
import xarray as xr

from weather import DECOMPOSITION_MODELS, InputError, decompose, interval_midpoint
from weather.irradiance import MAX_ZENITH_FOR_BEAM
from weather.sunposition import sun_position
from weather.synthetic import synthesize

SITES = pd.DataFrame(
    {"latitude": [34.5, 60.2, -33.9], "longitude": [-117.0, 24.9, 18.4], "altitude": [700.0, 40.0, 20.0]},
    index=["mojave", "helsinki", "cape"],
)


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return synthesize(SITES, "2020-02-25T00:00Z", "2020-03-10T00:00Z", "1h", seed=7)


@pytest.fixture(scope="module")
def ghi(weather: xr.Dataset) -> xr.Dataset:
    return weather.drop_vars(["dni", "dhi"])


def by_pvlib(weather: xr.Dataset, site: str, model: str) -> np.ndarray:
    """DNI of one site by pvlib."""
    at, middle = weather.sel(site=site), interval_midpoint(weather)
    pressure = at["pressure"].to_numpy()
    sun = pvlib.solarposition.get_solarposition(
        middle,
        float(at["latitude"]),
        float(at["longitude"]),
        float(at["altitude"]),
        pressure=pressure,
        temperature=at["temp_air"].to_numpy(),
    )
    ghi = pd.Series(at["ghi"].to_numpy(), index=middle)
    function = getattr(pvlib.irradiance, model)
    options = {"disc": {"pressure": pressure}, "boland": {"a_coeff": 7.997, "b_coeff": 0.586}}.get(model, {})
    if model == "dirint":
        return (
            function(ghi, sun["zenith"], middle, pressure=pd.Series(pressure, middle)).fillna(0.0).to_numpy()
        )
    return np.asarray(function(ghi, sun["zenith"], middle, **options)["dni"])


@pytest.mark.parametrize("model", list(DECOMPOSITION_MODELS))
def test_equals_pvlib_site_by_site_where_there_is_beam(
    model: str, weather: xr.Dataset, ghi: xr.Dataset
) -> None:
    split = decompose(ghi, model)
    places = (SITES[name] for name in ("latitude", "longitude", "altitude"))
    sun = sun_position(interval_midpoint(weather), *places)
    day = pvlib.irradiance.get_extra_radiation(interval_midpoint(weather)).to_numpy()
    for column, site in enumerate(SITES.index):
        high = sun.zenith[:, column] < MAX_ZENITH_FOR_BEAM
        expected = np.minimum(by_pvlib(ghi, site, model), day)
        np.testing.assert_allclose(split["dni"][high, column], expected[high], rtol=1e-9, atol=1e-9)
        assert (split["dni"][~high, column] == 0.0).all()
        assert expected[high].max() > 300.0
    assert split.attrs["decomposition"] == model
    assert split["dni"].attrs["units"] == "W/m²"


@pytest.mark.parametrize("model", list(DECOMPOSITION_MODELS))
def test_parts_add_up(model: str, ghi: xr.Dataset) -> None:
    split = decompose(ghi, model)
    sun = sun_position(
        interval_midpoint(ghi), *(SITES[name] for name in ("latitude", "longitude", "altitude"))
    )
    whole = split["dhi"] + split["dni"] * np.maximum(sun.cos_zenith, 0.0)
    np.testing.assert_allclose(whole, ghi["ghi"], atol=1e-9)
    assert float(split["dhi"].min()) >= 0.0


def test_one_missing_part_follows_from_the_other(weather: xr.Dataset) -> None:
    for name in ("dni", "dhi"):
        split = decompose(weather.drop_vars(name))
        np.testing.assert_allclose(split[name], weather[name], atol=1e-6)
        assert split.attrs["decomposition"] == "closure"
    assert decompose(weather) is weather


def test_no_beam_is_stronger_than_above_the_atmosphere(weather: xr.Dataset) -> None:
    odd = weather.drop_vars("dni")
    odd["ghi"] = (weather["ghi"] * 1.3).assign_attrs(weather["ghi"].attrs)
    odd["dhi"] = xr.zeros_like(weather["dhi"]).assign_attrs(weather["dhi"].attrs)
    split = decompose(odd)
    assert 1300.0 < float(split["dni"].max()) < 1420.0


def test_sites_do_not_touch_each_other(ghi: xr.Dataset) -> None:
    together = decompose(ghi, "dirint")
    for site in SITES.index:
        alone = decompose(ghi.sel(site=[site]), "dirint")
        xr.testing.assert_identical(together["dni"].sel(site=[site]), alone["dni"])


def test_bad_input(ghi: xr.Dataset) -> None:
    with pytest.raises(InputError, match="erbs_driesse"):
        decompose(ghi, "erb")
    with pytest.raises(InputError, match="altitude"):
        decompose(ghi.drop_vars("altitude"))
    broken = ghi.copy(deep=True)
    broken["ghi"][3, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        decompose(broken)
