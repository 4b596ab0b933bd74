from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
import xarray as xr
from pvlib.modelchain import ModelChain
from pvlib.pvsystem import Array, FixedMount, PVSystem, SingleAxisTrackerMount

from weather import InputError, interval_midpoint, with_metadata
from weather.pv import PV_PARAMETERS, optimal_tilt, pv_power
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
    with np.errstate(invalid="ignore"):  # its single-diode solver at night
        ac = chain.run_model(frame).results.ac
    ac = ac["p_mp"] if ac.ndim == 2 else ac  # with this pair of models it takes all columns for power
    return scale * ac.fillna(0.0).clip(lower=0.0).to_numpy()


def test_equals_the_model_chain_of_pvlib(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    power = pv_power(weather, plants)
    assert power.dims == ("time", "unit")
    for name, unit in plants.iterrows():
        expected = model_chain_mw(weather, unit)
        np.testing.assert_allclose(power.sel(unit=name), expected, rtol=1e-9, atol=1e-9 * unit["p_nom_mw"])
        assert expected.max() > 0.5 * unit["p_nom_mw"]


@pytest.mark.parametrize(
    "models",
    [
        {"iam": "ashrae", "temperature_model": "pvsyst"},
        {"iam": "martin_ruiz", "temperature_model": "faiman"},
        {"iam": "none", "temperature_model": "noct_sam"},
        {"module": "Canadian_Solar_Inc__CS5P_220M"},
        {"transposition": "isotropic"},
        {"transposition": "perez"},
        {"transposition": "perez-driesse"},
    ],
    ids=lambda models: "-".join(models.values()),
)
def test_equals_the_model_chain_with_other_models(
    weather: xr.Dataset, plants: pd.DataFrame, models: dict[str, str]
) -> None:
    march = weather.isel(time=slice(0, 24 * 10))
    two = plants.loc[["a", "d"]]
    transposition = models.get("transposition", "haydavies")
    columns = {name: value for name, value in models.items() if name != "transposition"}
    power = pv_power(march, two.assign(**columns), transposition=transposition)
    for name, unit in two.iterrows():
        expected = model_chain_mw(march, unit, **models)
        np.testing.assert_allclose(power.sel(unit=name), expected, rtol=1e-9, atol=1e-9 * unit["p_nom_mw"])
        assert expected.max() > 0.5 * unit["p_nom_mw"]


def test_inverter_of_the_cec_table(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    march = weather.isel(time=slice(0, 24 * 5))
    name = "ABB__PVI_5000_OUTD_US_A__240V_"
    power = pv_power(march, plants.loc[["a"]].assign(inverter=name))[:, 0] / 100.0
    ideal = pv_power(march, plants.loc[["a"]].assign(eta_inv_nom=1.0, dc_ac_ratio=0.6))[:, 0] / 100.0 * 2.0
    inverter = pvlib.pvsystem.retrieve_sam("CECInverter")[name]
    # An inverter without loss at rated power is PVWatts' curve with an efficiency of 1: invert that.
    zeta = np.linspace(1e-6, 2.0, 200_001)
    curve = pvlib.inverter.pvwatts(zeta, 1.0, 1.0)
    dc = np.interp(ideal / 2.0, curve, zeta) * 2.0
    rated = float(inverter["Paco"])
    expected = pvlib.inverter.sandia(np.full(dc.shape, inverter["Vdco"]), dc * rated, inverter) / rated
    some = (ideal > 0.05).to_numpy()
    np.testing.assert_allclose(power[some], np.clip(expected, 0.0, 1.0)[some], atol=1e-6)
    assert float(power.max()) == 1.0


def test_fixed_modules_face_the_equator_at_the_tilt_that_yields_most(weather: xr.Dataset) -> None:
    table = pd.DataFrame({"weather_site": ["mojave", "cape"], "p_nom_mw": 10.0}, index=["n", "s"])
    tilt = optimal_tilt(SITES["latitude"])
    stated = table.assign(tilt=tilt, azimuth=[180.0, 0.0], axis_azimuth=[180.0, 0.0])
    xr.testing.assert_identical(pv_power(weather, table), pv_power(weather, stated))
    year = synthesize(SITES, "2019-01-01T00:00Z", "2020-01-01T00:00Z", "3h", seed=1)
    best = pv_power(year, table).sum("time")
    for off in (-12.0, 12.0):
        assert (pv_power(year, stated.assign(tilt=tilt + off)).sum("time") < best).all()


def test_rows_shade_each_other_at_low_sun_unless_they_turn_back(
    weather: xr.Dataset, plants: pd.DataFrame
) -> None:
    lone = plants.loc[["c"]].assign(axis_tilt=0.0, axis_azimuth=180.0, gcr=0.5, dc_ac_ratio=0.9)
    energy = {
        (back, shaded): float(pv_power(weather, lone.assign(backtrack=back, row_shading=shaded)).sum())
        for back in (True, False)
        for shaded in (True, False)
    }
    # What turning back gives up of the beam it saves in shade.
    assert energy[True, True] == pytest.approx(energy[True, False], rel=1e-6)
    assert energy[False, True] < 0.97 * energy[False, False]
    assert energy[False, True] == pytest.approx(energy[True, True], rel=0.03)
    flat = plants.loc[["a"]].assign(tilt=0.0)
    np.testing.assert_allclose(
        pv_power(weather, flat.assign(row_shading=True)), pv_power(weather, flat), rtol=1e-9
    )


def test_two_sided_modules_gain_what_the_ground_reflects(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    flat = plants.loc[["c"]].assign(dc_ac_ratio=0.8)  # no clipping
    front, both, bright = (
        float(pv_power(weather, flat.assign(bifaciality=b, albedo=a)).sum())
        for b, a in ((0.0, 0.2), (0.7, 0.2), (0.7, 0.6))
    )
    # Trackers over ground of albedo 0.2 gain 4 to 9 % in published field studies; more over bright ground.
    assert 1.03 < both / front < 1.10
    assert bright > 1.08 * front


def test_losses_by_part(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    day = weather.isel(time=slice(0, 48))
    plain = plants.loc[["a"]].drop(columns="losses")
    usual = pv_power(day, plain)
    xr.testing.assert_identical(usual, pv_power(day, plain.assign(losses=0.1408)))
    clean = pv_power(day, plain.assign(soiling_loss=0.0))
    composed = 1.0 - 0.97 * 0.98 * 0.98 * 0.995 * 0.985 * 0.99 * 0.97
    xr.testing.assert_allclose(clean, pv_power(day, plain.assign(losses=composed)), rtol=1e-12)
    assert float(clean.sum()) > 1.01 * float(usual.sum())
    with pytest.raises(InputError, match="soiling_loss"):
        pv_power(day, plain.assign(soiling_loss=0.0, losses=0.1))


def test_diffuse_reflection_costs_about_a_percent(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    table = plants.loc[["a"]]
    ratio = float(pv_power(weather, table.assign(diffuse_iam=True)).sum() / pv_power(weather, table).sum())
    assert 0.98 < ratio < 0.998


def test_weather_without_beam_wind_or_pressure(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    whole = pv_power(weather, plants)
    ghi_only = pv_power(weather.drop_vars(["dni", "dhi"]), plants)
    assert ghi_only.attrs["decomposition"] == "erbs_driesse"
    # The generator splits by the same model, but with refraction and pressure left out.
    np.testing.assert_allclose(ghi_only.sum("time"), whole.sum("time"), rtol=1e-3)
    closed = pv_power(weather.drop_vars("dhi"), plants)
    assert closed.attrs["decomposition"] == "closure"
    np.testing.assert_allclose(closed, whole, atol=1e-3)
    np.testing.assert_allclose(pv_power(weather.drop_vars("pressure"), plants), whole, atol=1e-9)
    calm = weather.drop_vars(["wind_speed", "height"])
    with pytest.raises(InputError, match="wind_speed"):
        pv_power(calm, plants)
    hot, cool = (float(pv_power(calm, plants, wind_speed_m_s=v).sum()) for v in (0.5, 8.0))
    assert hot < float(whole.sum()) < cool


def test_wind_of_another_height_is_brought_to_10_m(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    at_10 = weather.sel(height=[10.0])
    high = at_10.assign_coords(height=("height", [80.0], at_10["height"].attrs))
    high["wind_speed"] = (at_10["wind_speed"] * 8.0**0.2).assign_attrs(at_10["wind_speed"].attrs).variable
    np.testing.assert_allclose(pv_power(high, plants), pv_power(at_10, plants), rtol=1e-12)


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
    with pytest.raises(InputError, match="dirint"):
        pv_power(weather.drop_vars("dni"), bad, decomposition="dirnt")


def test_unknown_products_name_near_ones(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    with pytest.raises(InputError) as caught:
        pv_power(weather, plants.assign(module="Canadian_Solar_CS5P_220M", inverter="ABB_PVI_5000"))
    assert len(caught.value.findings) == 2 * len(plants)
    assert "Canadian_Solar_Inc__CS5P_220M" in str(caught.value)


def test_nan_in_weather_is_refused(weather: xr.Dataset, plants: pd.DataFrame) -> None:
    broken = weather.copy(deep=True)
    broken["dni"][5, 0] = np.nan
    with pytest.raises(InputError, match="dni"):
        pv_power(broken, plants)
