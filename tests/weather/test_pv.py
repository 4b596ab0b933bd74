from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
import xarray as xr
from pvlib.modelchain import ModelChain
from pvlib.pvsystem import Array, FixedMount, PVSystem, SingleAxisTrackerMount

from weather import InputError, interval_midpoint, with_metadata
from weather.pv import PV_PARAMETERS, pv_power
from weather.synthetic import synthesize

SITES = pd.DataFrame(
    {"latitude": [34.5, -33.9], "longitude": [-117.0, 18.4], "altitude": [700.0, 20.0]},
    index=["mojave", "cape"],
)

LOSSES = (
    *("shading", "snow", "mismatch", "wiring", "connections", "lid", "nameplate_rating", "age"),
    "availability",
)


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return synthesize(SITES, "2020-03-01T00:00Z", "2020-04-30T00:00Z", "1h", seed=7)


@pytest.fixture(scope="module")
def plants() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "weather_site": ["mojave", "cape", "mojave", "cape", "mojave"],
            "p_nom_mw": [100.0, 0.5, 20.0, 50.0, 30.0],
            "tracking": ["fixed", "fixed", "single_axis", "single_axis", "single_axis"],
            "tilt": [25.0, 34.0, np.nan, np.nan, np.nan],
            "azimuth": [170.0, 0.0, np.nan, np.nan, np.nan],
            "axis_tilt": [np.nan, np.nan, 0.0, 0.0, 25.0],
            "axis_azimuth": [np.nan, np.nan, 180.0, 10.0, 170.0],
            "dc_ac_ratio": [1.2, 1.0, 1.6, 1.3, 1.1],
            "losses": [0.14, 0.10, 0.14, 0.20, 0.14],
            "backtrack": [None, None, True, False, True],
        },
        index=["a", "b", "c", "d", "e"],
    )


def model_chain_mw(
    weather: xr.Dataset, unit: pd.Series, *, transposition: str = "haydavies", **models: str
) -> np.ndarray:
    """The same plant by pvlib's own chain."""
    models = {"iam": "physical", "temperature_model": "sapm", "module": "pvwatts", **models}

    def value(name: str) -> float:
        given = unit.get(name)
        return PV_PARAMETERS[name].default if given is None or pd.isna(given) else given

    site = weather.sel(site=unit["weather_site"])
    frame = pd.DataFrame(
        {name: site[name].to_numpy() for name in ("ghi", "dni", "dhi", "temp_air", "pressure")},
        index=interval_midpoint(weather),
    )
    frame["wind_speed"] = site["wind_speed"].sel(height=10.0).to_numpy()
    if unit["tracking"] == "fixed":
        mount = FixedMount(value("tilt"), value("azimuth"))
    else:
        mount = SingleAxisTrackerMount(
            value("axis_tilt"), value("axis_azimuth"), value("max_angle"), value("backtrack"), value("gcr")
        )
    dc, eta = unit["p_nom_mw"] * value("dc_ac_ratio"), value("eta_inv_nom")
    module, scale = {"pdc0": dc, "gamma_pdc": value("gamma_pdc")}, 1.0
    if models["module"] != "pvwatts":
        module = dict(pvlib.pvsystem.retrieve_sam("CECMod")[models["module"]])
        curve = pvlib.pvsystem.calcparams_cec(
            1000.0,
            25.0,
            *(module[k] for k in ("alpha_sc", "a_ref", "I_L_ref", "I_o_ref", "R_sh_ref", "R_s", "Adjust")),
        )
        scale = dc / pvlib.pvsystem.singlediode(*curve)["p_mp"]  # MW of the plant per W of a module
    temperature = {
        "sapm": pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"][value("mounting")],
        "pvsyst": pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["pvsyst"]["freestanding"],
        "faiman": {"u0": 25.0, "u1": 6.84},
        "noct_sam": {"noct": 45.0, "module_efficiency": 0.2},
    }[models["temperature_model"]]
    array = Array(
        mount, albedo=value("albedo"), module_parameters=module, temperature_model_parameters=temperature
    )
    system = PVSystem(
        [array],
        inverter_parameters={"pdc0": unit["p_nom_mw"] / scale / eta, "eta_inv_nom": eta},
        losses_parameters={**dict.fromkeys(LOSSES, 0.0), "soiling": 100.0 * value("losses")},
    )
    place = pvlib.location.Location(
        float(site["latitude"]), float(site["longitude"]), altitude=float(site["altitude"])
    )
    chain = ModelChain(
        system,
        place,
        dc_model="pvwatts" if models["module"] == "pvwatts" else "cec",
        ac_model="pvwatts",
        aoi_model={"none": "no_loss"}.get(models["iam"], models["iam"]),
        spectral_model="no_loss",
        temperature_model=models["temperature_model"],
        losses_model="pvwatts",
        transposition_model=transposition,
    )
    return scale * chain.run_model(frame).results.ac.fillna(0.0).clip(lower=0.0).to_numpy()


def test_equals_the_model_chain_of_pvlib(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    power = pv_power(weather, plants)
    assert power.dims == ("time", "unit")
    for name, unit in plants.iterrows():
        expected = model_chain_mw(weather, unit)
        np.testing.assert_allclose(power.sel(unit=name), expected, rtol=1e-9, atol=1e-9 * unit["p_nom_mw"])
        assert expected.max() > 0.5 * unit["p_nom_mw"]


def test_clips_at_the_rating_and_is_zero_at_night(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    power = pv_power(weather, plants)
    assert float(power.min()) == 0.0
    for name, unit in plants.iterrows():
        assert float(power.sel(unit=name).max()) <= unit["p_nom_mw"]
    assert float(power.sel(unit="c").max()) == 20.0  # 1.6 times as much DC as AC: clipped at noon
    dark = weather["ghi"].sel(site="mojave") == 0.0
    assert float(power.sel(unit="a").where(dark, 0.0).sum()) == 0.0
    assert int(dark.sum()) > 500


def test_standard_conditions_give_the_rated_dc_power() -> None:
    # 1000 W/m² of beam only, at right angles to the module; cells at 25 °C; no losses but the inverter's.
    time = pd.date_range("2020-03-20T00:00Z", periods=24, freq="1h")
    zero = np.zeros((24, 1))
    coords = {"time": time.tz_localize(None), "site": ["x"], "height": [10.0]}
    places = {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0, "utc_offset_h": 0.0}
    surface = {"ghi": zero + 1000.0, "dni": zero + 1000.0, "dhi": zero, "pressure": zero + 101325.0}
    a, b, delta = (
        pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_polymer"][key]
        for key in ("a", "b", "deltaT")
    )
    surface["temp_air"] = zero + 25.0 - 1000.0 * np.exp(a + 5.0 * b) - delta
    units = {"ghi": "W/m²", "dni": "W/m²", "dhi": "W/m²", "pressure": "Pa", "temp_air": "°C"}
    ds = xr.Dataset(
        {name: (("time", "site"), values, {"units": units[name]}) for name, values in surface.items()},
        coords={**coords, **{name: ("site", [value]) for name, value in places.items()}},
        attrs={"source": "hand-made", "licence": "none", "synthetic": 1},
    )
    ds["wind_speed"] = (("time", "height", "site"), np.full((24, 1, 1), 5.0))
    sun_noon = 12 - 1  # 11:30 is the nearest middle to noon; the sun is 8.6 degree off the vertical
    plant = {
        "weather_site": "x",
        "p_nom_mw": 10.0,
        "dc_ac_ratio": 0.5,
        "losses": 0.0,
        "albedo": 0.0,
        "tilt": 8.6,
    }
    power = pv_power(with_metadata(ds), pd.DataFrame([{**plant, "azimuth": 91.0}], index=["u"]))
    dc, limit = 5.0, 10.0 / 0.96
    zeta = dc / limit
    efficiency = 0.96 / 0.9637 * (-0.0162 * zeta - 0.0059 / zeta + 0.9858)  # PVWatts 5, eq. 17
    assert float(power[sun_noon, 0]) == pytest.approx(dc * efficiency, rel=2e-3)


def test_units_do_not_depend_on_their_order(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    forward = pv_power(weather, plants)
    backward = pv_power(weather.isel(site=[1, 0]), plants.iloc[::-1])
    xr.testing.assert_identical(forward, backward.sel(unit=forward["unit"]))


def test_all_findings_at_once(weather: xr.Dataset) -> None:
    bad = pd.DataFrame(
        {
            "weather_site": ["mojave", "atlantis", "cape"],
            "p_nom_mw": [-1.0, 5.0, np.nan],
            "tracking": ["fixed", "dual", "fixed"],
            "losses": [1.4, 0.1, 0.1],
            "tillt": [1, 2, 3],
        },
        index=["a", "b", "c"],
    )
    with pytest.raises(InputError) as caught:
        pv_power(weather, bad)
    text = str(caught.value)
    for part in ("-1 MW", "atlantis", "'dual'", "1.4", "'tillt'", "unit 'c', p_nom_mw"):
        assert part in text
    assert len(caught.value.findings) == 6
    with pytest.raises(InputError, match="perez"):
        pv_power(weather, bad, transposition="hay")


def test_nan_in_weather_is_refused(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    broken = weather.copy(deep=True)
    broken["dni"][5, 0] = np.nan
    with pytest.raises(InputError, match="dni"):
        pv_power(broken, plants)
