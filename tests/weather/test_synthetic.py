from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weather import InputError, check_dataset, interval_midpoint
from weather._fields import FieldSpec, _basis, earth_coordinates_km, field
from weather.calibration import compare, main
from weather.climate import US_SOUTHWEST
from weather.irradiance import sun_position
from weather.synthetic import synthesize

SITES = pd.DataFrame(
    {
        "latitude": [34.9, 35.2, 33.4, -30.0, 52.0],
        "longitude": [-118.1, -117.0, -112.0, 140.0, 5.0],
        "altitude": [700.0, 800.0, 340.0, 100.0, 0.0],
    },
    index=["valley", "plain", "phoenix", "south", "north"],
)


def at(**columns: float) -> pd.DataFrame:
    return pd.DataFrame([{"latitude": 35.0, "longitude": -117.0, "altitude": 0.0, **columns}], index=["x"])


@pytest.fixture(scope="module")
def year() -> xr.Dataset:
    return synthesize(SITES, "2021-01-01T00:00Z", "2022-01-01T00:00Z", "1h", seed=5)


def test_keeps_the_contract_and_says_it_is_synthetic(year: xr.Dataset) -> None:
    check_dataset(year, "weather")
    assert year.attrs["synthetic"] == 1
    assert year["wind_speed"].dims == ("time", "height", "site")
    assert list(year["utc_offset_h"].to_numpy()) == [-8.0, -8.0, -7.0, 9.0, 0.0]


def test_irradiance_closes_and_night_is_dark(year: xr.Dataset) -> None:
    sun = sun_position(
        interval_midpoint(year), *(year[c].to_numpy() for c in ("latitude", "longitude", "altitude"))
    )
    closure = year["dhi"].to_numpy() + year["dni"].to_numpy() * sun.cos_zenith
    up = sun.zenith < 90.0
    np.testing.assert_allclose(year["ghi"].to_numpy()[up], closure[up], rtol=1e-12, atol=1e-12)
    for name in ("ghi", "dni", "dhi"):
        assert (year[name].to_numpy()[~up] == 0.0).all()
    assert float(year["ghi"].max()) > 900.0


@settings(max_examples=5)
@given(order=st.permutations(range(5)), n=st.integers(1, 5), seed=st.integers(0, 10))
def test_a_site_does_not_depend_on_the_others(order: list[int], n: int, seed: int) -> None:
    span = ("2020-01-03T00:00Z", "2020-01-05T00:00Z", "1h", seed)
    chosen = SITES.iloc[order[:n]]
    everywhere = synthesize(SITES, *span)
    xr.testing.assert_identical(synthesize(chosen, *span), everywhere.sel(site=list(chosen.index)))


def test_start_and_end_only_cut(year: xr.Dataset) -> None:
    part = synthesize(SITES, "2021-02-10T05:00Z", "2021-03-01T11:00Z", 3600, seed=5)
    xr.testing.assert_identical(part, year.sel(time=slice("2021-02-10T05:00", "2021-03-01T10:00")))


def test_new_year_brings_no_jump() -> None:
    ds = synthesize(SITES, "2020-12-25T00:00Z", "2021-01-08T00:00Z", "1h", seed=2)
    change = np.abs(np.diff(ds["wind_speed"].sel(height=100.0).to_numpy(), axis=0))
    step = int(np.flatnonzero(ds.indexes["time"] == "2021-01-01T00:00")[0]) - 1
    assert change[step].max() < np.quantile(change, 0.999)
    assert np.abs(np.diff(ds["temp_air"], axis=0))[step].max() < 3.5


def test_same_seed_same_weather_other_seed_other_weather(year: xr.Dataset) -> None:
    span = (SITES, "2021-01-01T00:00Z", "2021-01-04T00:00Z", "1h")
    xr.testing.assert_identical(synthesize(*span, seed=5), year.isel(time=slice(72)))
    other = synthesize(*span, seed=6)
    assert float(np.abs(other["wind_speed"] - year["wind_speed"]).isel(height=2).mean()) > 1.0


def test_wind_profile_lies_in_the_measured_range(year: xr.Dataset) -> None:
    # Means at 100 m over means at 10 m of three WIND Toolkit places: 1.60, 1.73, 2.24.
    mean = year["wind_speed"].mean("time")
    ratio = mean.sel(height=100.0) / mean.sel(height=10.0)
    assert (ratio > 1.6).all()
    assert (ratio < 2.2).all()
    assert (mean.sel(height=80.0) > mean.sel(height=10.0)).all()


def test_temperature_follows_place_and_season(year: xr.Dataset) -> None:
    # Phoenix, typical year: mean 24.7 °C, January 12.5, July 35.7. A month's mean has a spread of 1.5 K.
    phoenix = year["temp_air"].sel(site="phoenix")
    month = phoenix.groupby("time.month").mean()
    assert float(phoenix.mean()) == pytest.approx(24.7, abs=3.0)
    assert float(month.sel(month=7) - month.sel(month=1)) == pytest.approx(23.2, abs=5.0)
    south = year["temp_air"].sel(site="south").groupby("time.month").mean()
    assert float(south.sel(month=1)) > float(south.sel(month=7)) + 10.0


def test_pressure_is_the_standard_atmospheres(year: xr.Dataset) -> None:
    # ICAO standard atmosphere: 101325 Pa at 0 m, about 93194 Pa at 700 m.
    assert float(year["pressure"].sel(site="north")[0]) == pytest.approx(101325.0, rel=1e-4)
    assert float(year["pressure"].sel(site="valley")[0]) == pytest.approx(93194.0, rel=1e-3)


@pytest.mark.parametrize("length_km", [80.0, 300.0, 1000.0])
def test_correlation_decays_exponentially_with_distance(length_km: float) -> None:
    rng = np.random.default_rng(0)
    xyz = earth_coordinates_km(rng.uniform(32.0, 37.0, 60), rng.uniform(-120.0, -112.0, 60))
    basis = _basis(xyz, length_km)
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    error = basis @ basis.T - np.exp(-distance / length_km)
    assert np.sqrt((error**2).mean()) < 0.05
    np.testing.assert_allclose(np.diag(basis @ basis.T), 1.0, rtol=1e-12)


def test_fields_have_the_variance_and_memory_they_are_asked_for() -> None:
    # 40 places far apart from each other and a year: the mean of an OU process over a step of a = 1/6 of its
    # time constant has variance 2 (a - 1 + e^-a) / a^2 = 0.946 and correlation e^-1 to 6 steps further on.
    rng = np.random.default_rng(1)
    xyz = earth_coordinates_km(rng.uniform(-60.0, 60.0, 40), rng.uniform(-180.0, 180.0, 40))
    values = field(FieldSpec(99, 1.0, 100.0, 6.0), 1, xyz, 2020, 18262 + 365, 3600)
    assert values.shape == (366 * 24, 40)
    a = 1.0 / 6.0
    assert values.var() == pytest.approx(2.0 * (a + np.expm1(-a)) / a**2, rel=0.03)
    assert values.mean() == pytest.approx(0.0, abs=0.03)
    lags = {k: (values[k:] * values[:-k]).mean() for k in (1, 7)}
    assert lags[7] / lags[1] == pytest.approx(np.exp(-1.0), abs=0.02)


def test_shares_of_every_latent_process_add_up() -> None:
    c = US_SOUTHWEST
    for specs in (
        c.cloud_fields,
        c.wind_regional_fields,
        c.wind_local_fields,
        (c.shear_field,),
        (c.temp_field,),
    ):
        assert sum(spec.share for spec in specs) == pytest.approx(1.0)
    everything = (*c.cloud_fields, *c.wind_regional_fields, *c.wind_local_fields, c.shear_field, c.temp_field)
    assert len({spec.stream for spec in everything}) == len(everything)


def test_finer_steps_have_the_same_statistics() -> None:
    rng = np.random.default_rng(1)
    xyz = earth_coordinates_km(rng.uniform(-60.0, 60.0, 40), rng.uniform(-180.0, 180.0, 40))
    spec = FieldSpec(98, 1.0, 100.0, 2.0)
    fine = field(spec, 1, xyz, 2020, 18262 + 30, 300)
    hourly = fine.reshape(-1, 12, 40).mean(axis=1)
    coarse = field(spec, 1, xyz, 2020, 18262 + 30, 3600)
    assert hourly.var() == pytest.approx(coarse.var(), rel=0.06)
    lagged = [(v[1:] * v[:-1]).mean() / v.var() for v in (hourly, coarse)]
    assert lagged[0] == pytest.approx(lagged[1], abs=0.02)


def test_five_minute_weather_varies_less_from_step_to_step() -> None:
    # Recorded RTS-GMLC: 0.10 of the rating from hour to hour, 0.016 from five to five minutes.
    span = (SITES.iloc[:2], "2020-01-01T00:00Z", "2020-01-21T00:00Z")
    change = {}
    for step in ("5min", "1h"):
        ds = synthesize(*span, step, seed=1)
        check_dataset(ds, "weather")
        change[step] = float(ds["wind_speed"].sel(height=100.0).diff("time").std())
    assert 3.0 < change["1h"] / change["5min"] < 9.0


def test_all_findings_at_once() -> None:
    sites = pd.DataFrame(
        {"latitude": [95.0, np.nan], "longitude": [0.0, 0.0], "hight": [1.0, 2.0]}, index=["a", "a"]
    )
    with pytest.raises(InputError) as caught:
        synthesize(sites, "2020-01-01", "2020-01-01T01:30Z", "7min", seed=-1)
    text = str(caught.value)
    for part in ("'hight'", "altitude", "95", "nan", "more than once", "no zone", "'7min'", "seed"):
        assert part in text
    with pytest.raises(InputError, match="not on the grid"):
        synthesize(at(), "2020-01-01T00:10Z", "2020-01-02T00:00Z", "1h", seed=1)
    with pytest.raises(InputError, match="fewer than two steps"):
        synthesize(at(), "2020-01-02T00:00Z", "2020-01-01T00:00Z", "1h", seed=1)


def test_wind_is_calibrated() -> None:
    table = compare("wind", seeds=(1,))
    target = table[["day-ahead", "real-time"]].mean(axis=1)
    error = table["modelled"] - target
    assert (error["capacity factor"].abs() < 0.05).all()
    assert (error["standard deviation"].abs() < 0.03).all()
    assert (error["hour-to-hour standard deviation"].abs() < 0.02).all()
    assert (error["autocorrelation, 3 h"].abs() < 0.05).all()
    assert (error["autocorrelation, 24 h"].abs() < 0.15).all()
    assert (error["correlation"].abs() < 0.15).all()
    assert abs(error["correlation", "mean of pairs"]) < 0.06


@pytest.mark.parametrize("technology", ["pv", "rtpv"])
def test_pv_is_calibrated(technology: str) -> None:
    table = compare(technology, seeds=(1,))
    target = table[["day-ahead", "real-time"]].mean(axis=1)
    error = table["modelled"] - target
    assert (error["capacity factor"].abs() < 0.015).all()
    assert (error["standard deviation"].abs() < 0.03).all()
    assert (error["hour-to-hour standard deviation"].abs() < 0.02).all()
    assert (error["correlation"].abs() < 0.05).all()


def test_calibration_page_is_remade_between_its_markers(tmp_path, monkeypatch) -> None:
    small = pd.DataFrame({"day-ahead": [0.25]}, index=pd.MultiIndex.from_tuples([("capacity factor", "x")]))
    monkeypatch.setattr("weather.calibration.compare", lambda _: small)
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- wind: begin -->\nold\n<!-- wind: end -->\nb\n<!-- pv: begin -->\n<!-- pv: end -->\n"
        "<!-- rtpv: begin -->\n<!-- rtpv: end -->\nc\n"
    )
    assert main([str(page)]) == 0
    text = page.read_text()
    assert "old" not in text
    assert text.count("| capacity factor | x | 0.250 |") == 3
    assert text.startswith("a\n")
    assert text.endswith("\nc\n")
    assert main([]) == 2
    page.write_text("no markers\n")
    with pytest.raises(InputError, match="wind: begin"):
        main([str(page)])
    assert page.read_text() == "no markers\n"


def test_columns_of_sites_named_twice_are_refused() -> None:
    here = pd.DataFrame([{"latitude": 35.0, "longitude": -117.0, "altitude": 600.0}], index=["mojave"])
    with pytest.raises(InputError, match="column 'latitude': comes more than once"):
        synthesize(pd.concat([here, here], axis=1), "2020-01-01T00:00Z", "2020-01-03T00:00Z", 3600, seed=1)
