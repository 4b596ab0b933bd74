"""Fill the tables of docs/generation.md and docs/validation_generation.md and draw their figures.

    PYTHONPATH=. python docs/make_validation_generation.py

needs the measured data that `CURTAILMENT_TWIN_DATA` names (see `weather.data_path`); a minute or two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import pvlib
import xarray as xr
from matplotlib.figure import Figure

from docs.pages import DOCS, fill_page, first_left
from weather import (
    DECOMPOSITION_MODELS,
    data_path,
    decompose,
    interval_midpoint,
    merge_solar_wind,
    pv_power,
    read,
    resample_mean,
    synthesize,
    wind_power,
    with_metadata,
)
from weather.modules import cec_names, module_share
from weather.pv import optimal_tilt
from weather.shear import hub_wind_speed, scaled_wind_speed
from weather.turbines import library_curve

FOLDER = "weather_nrel_2013"
SITES = {
    "McCamey TX": (
        "30.6617_-101.7096_psmv3_60_2013.csv",
        "30.6617_-101.7096_2013_wtk_v2_60min_utc_tz.csv",
    ),
    "Sweetwater TX": (
        "32.31714_-100.18_2013_goes_aggregated_v4_60min_utc_tz.csv",
        "32.31714_-100.18_2013_wtk_v2_60min_utc_tz.csv",
    ),
    "Amarillo TX": ("35.2018863_-101.945027_2013_goes_aggregated_v4_60min_utc_tz.csv", None),
    "Hibbing MN": (
        "47.5_-93.0_psmv3_60_2013.csv",
        "47.5233_-92.5366_2013_wtk_v2_60min_local_tz.csv",
    ),
}
FILL = ["out_of_range", "interpolate"]
CURVE = "V112/3000"
CALM_M_S = 3.0
"""Wind at 10 m of Amarillo, whose files have none. [m/s]"""


def main() -> None:
    """Write both pages and the figures."""
    mpl.rcdefaults()
    mpl.rcParams.update({"svg.hashsalt": "generation", "svg.fonttype": "none", "font.size": 9})
    weather = {name: site_weather(name) for name in SITES}
    windy = {name: sky for name, sky in weather.items() if "wind_speed" in sky}
    fill_page(
        "validation_generation.md",
        {
            "turbines": published_turbines(),
            "modules": published_modules(),
            "pv": pv_sites(weather),
            "wind": wind_sites(windy),
            "shear": shear(windy),
            "split": decomposition(weather),
        },
        first_left,
    )
    fill_page(
        "generation.md",
        {"pv-choices": pv_choices(weather), "wind-choices": wind_choices(windy), "clipping": clipping()},
        first_left,
    )
    draw_shear(windy)
    draw_months(weather)


def site_weather(name: str) -> xr.Dataset:
    """Irradiance and wind of a site over 2013, as a circle where its files have two clocks."""
    solar, wind = SITES[name]
    sky = read(data_path(f"{FOLDER}/solar/{solar}"), site=name, fill=FILL)
    if wind is None:
        return sky
    profile = read(data_path(f"{FOLDER}/wind/{wind}"), site=name, fill=FILL)
    return merge_solar_wind(sky, profile, on_mismatch="wrap", max_distance_km=100.0)


def plant(site: str, **columns: object) -> pd.DataFrame:
    """One unit of 1 MW."""
    return pd.DataFrame([{"weather_site": site, "p_nom_mw": 1.0, **columns}], index=["unit"])


def pv_factor(sky: xr.Dataset, site: str, **columns: object) -> float:
    """Capacity factor of a PV plant. [1]"""
    options = {name: columns.pop(name) for name in ("transposition", "decomposition") if name in columns}
    power = pv_power(sky, plant(site, **columns), wind_speed_m_s=CALM_M_S, **options)
    return float(power.mean())


def wind_factor(sky: xr.Dataset, site: str, **columns: object) -> float:
    """Capacity factor of a wind farm. [1]"""
    return float(wind_power(sky, plant(site, **columns)).mean())


GROSS = {
    "wake_curve": "none",
    "availability_loss": 0.0,
    "electrical_loss": 0.0,
    "performance_loss": 0.0,
}


def published_turbines() -> pd.DataFrame:
    """The example of windpowerlib's tests, and points of a maker's data sheet."""
    exponent = 1.0 / np.log(100.0 / 0.15)
    time = pd.date_range("2020-01-01", periods=2, freq="h")
    sky = xr.Dataset(
        {
            "wind_speed": (("time", "height", "site"), np.array([[[5.0]], [[6.5]]])),
            # 267 and 266 K at 10 m, brought to 2 m with the gradient of the chain.
            "temp_air": (("time", "site"), np.array([[267.0], [266.0]]) - 273.15 + 0.0065 * 8.0),
            "pressure": (("time", "site"), np.array([[101125.0], [101000.0]])),
        },
        coords={"time": time, "height": [10.0], "site": ["x"]},
    )
    shear = {"day_shear_exponent": exponent, "night_shear_exponent": exponent}
    options = {**GROSS, **shear, "turbulence_intensity": 0.0, "turbine_type": "E-126/4200"}
    ours = 4200.0 * wind_power(with_metadata(sky), plant("x", hub_height_m=100.0, **options)).to_numpy()[:, 0]
    rows = [
        ("windpowerlib, density correction, 5.0 m/s at 10 m", 1366.958544547462, ours[0]),
        ("windpowerlib, density correction, 6.5 m/s at 10 m", 2823.402837201821, ours[1]),
    ]
    curve = library_curve("E-126/4200")
    for speed, kilowatt in ((5.0, 400.0), (9.0, 2450.0), (12.0, 4000.0), (14.0, 4200.0)):
        share = float(np.interp(speed, curve.wind_speed, curve.share))
        rows.append((f"Enercon E-126 EP4 at {speed:g} m/s", kilowatt, 4200.0 * share))
    table = pd.DataFrame(rows, columns=["example", "published kW", "ours kW"])
    return table.round({"published kW": 3, "ours kW": 3})


def published_modules() -> pd.DataFrame:
    """Rated power and temperature coefficient of modules of the CEC table against the chain's."""
    table = pvlib.pvsystem.retrieve_sam("CECMod")
    names = np.random.default_rng(0).choice(cec_names("module"), 500, replace=False)
    rows = []
    for name in names:
        share = module_share(name, np.array([1000.0, 1000.0, 200.0]), np.array([25.0, 45.0, 25.0]))
        rows.append(
            (table[name]["Technology"], table[name]["gamma_r"], 5.0 * (share[1] - 1.0), 5.0 * share[2])
        )
    columns = ["technology", "published %/K", "ours %/K", "efficiency at 200 over 1000 W/m²"]
    result = pd.DataFrame(rows, columns=columns)
    result["count"] = 1
    grouped = result.groupby("technology").agg({"count": "sum", **dict.fromkeys(columns[1:], "mean")})
    return grouped.round(3).reset_index()


def pv_sites(weather: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Capacity factors of usual plants."""
    rows = []
    for name, sky in weather.items():
        yearly = float(sky["ghi"].sum()) / 1e3
        fixed = pv_factor(sky, name)
        tracker = pv_factor(sky, name, tracking="single_axis", dc_ac_ratio=1.3)
        ratio = pv_factor(sky, name, dc_ac_ratio=1.0) * 8760.0 / plane_kwh(sky)
        rows.append((name, yearly, fixed, tracker, ratio))
    columns = ["site", "GHI kWh/m²", "fixed, DC/AC 1.2", "tracking, DC/AC 1.3", "performance ratio, fixed"]
    return pd.DataFrame(rows, columns=columns).round({"GHI kWh/m²": 0}).round(3)


def plane_kwh(sky: xr.Dataset) -> float:
    """Irradiation of the default plane: a plant without losses in proportion to it. [kWh/m²]"""
    middle = interval_midpoint(sky)
    latitude, longitude = float(sky["latitude"][0]), float(sky["longitude"][0])
    sun = pvlib.solarposition.get_solarposition(middle, latitude, longitude, float(sky["altitude"][0]))
    light = {name: sky[name].to_numpy()[:, 0] for name in ("dni", "ghi", "dhi")}
    albedo = sky["albedo"].to_numpy()[:, 0] if "albedo" in sky else 0.2
    poa = pvlib.irradiance.get_total_irradiance(
        float(optimal_tilt(latitude)),
        180.0,
        sun["apparent_zenith"].to_numpy(),
        sun["azimuth"].to_numpy(),
        **light,
        dni_extra=pvlib.irradiance.get_extra_radiation(middle).to_numpy(),
        albedo=albedo,
        model="haydavies",
    )
    return float(poa["poa_global"].sum()) / 1e3


def wind_sites(weather: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Capacity factors of an older, the default and a newer turbine."""
    rows = []
    for name, sky in weather.items():
        mean = float(sky["wind_speed"].sel(height=100.0).mean())
        factors = [wind_factor(sky, name, turbine_type=t) for t in ("V80/2000", CURVE, "N131/3000")]
        gross = wind_factor(sky, name, turbulence_intensity=0.0, **GROSS)
        rows.append(
            (name, round(mean, 2), *(round(f, 3) for f in (*factors, gross)), 1.0 - factors[1] / gross)
        )
    columns = ["site", "100 m wind m/s", "V80/2000", CURVE, "N131/3000", f"{CURVE} gross", "gross to net"]
    return pd.DataFrame(rows, columns=columns).round(3)


def ways(low: np.ndarray, high: np.ndarray, is_day: np.ndarray, hub: float) -> dict[str, np.ndarray]:
    """Wind at hub height from that at 10 and 100 m, or at 10 m alone, in several ways. [m/s]"""
    yearly = np.log10(high.mean() / low.mean())
    by_day = np.where(is_day, 0.12, 0.30)
    return {
        "power law of the hour (default)": between(low, high, hub, log=False),
        "linear in ln h (windpowerlib)": between(low, high, hub, log=True),
        "mean exponent of the year": high * (hub / 100.0) ** yearly,
        "10 m alone, 0.12 by day, 0.30 by night (default)": scaled_wind_speed(
            low, 10.0, np.array(hub), by_day
        ),
        "10 m alone, 0.2 (IEC 61400-1)": low * (hub / 10.0) ** 0.2,
        "10 m alone, 1/7": low * (hub / 10.0) ** (1.0 / 7.0),
    }


def between(low: np.ndarray, high: np.ndarray, hub: float, *, log: bool) -> np.ndarray:
    """Wind at hub height from that at 10 and 100 m. [m/s]"""
    heights = (np.array(value) for value in (10.0, 100.0, hub))
    return hub_wind_speed(low, high, *heights, np.array(log))


def shear(weather: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Errors of wind at hub height and of the power of a turbine there, mean over the sites."""
    curve = library_curve(CURVE)
    scores: dict[str, list[tuple[float, ...]]] = {}
    for sky in weather.values():
        at = {h: sky["wind_speed"].sel(height=h).to_numpy()[:, 0] for h in (10.0, 80.0, 100.0, 120.0, 140.0)}
        is_day = sky["ghi"].to_numpy()[:, 0] > 0.0
        for hub in (80.0, 120.0, 140.0):
            real = np.interp(at[hub], curve.wind_speed, curve.share, left=0.0, right=0.0)
            for way, wind in ways(at[10.0], at[100.0], is_day, hub).items():
                ours = np.interp(wind, curve.wind_speed, curve.share, left=0.0, right=0.0)
                errors = (
                    (ours - real).mean(),
                    np.sqrt(((ours - real) ** 2).mean()),
                    np.corrcoef(ours, real)[0, 1],
                )
                scores.setdefault(way, []).append((wind.mean() / at[hub].mean() - 1.0, *errors))
    rows = {way: np.mean(values, axis=0) for way, values in scores.items()}
    columns = ["wind, relative bias", "power, bias", "power, RMSE", "power, correlation"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(3).reset_index(names="way")


def decomposition(weather: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """DNI and PV energy from GHI alone against the file's."""
    rows = {}
    for model in DECOMPOSITION_MODELS:
        scores = []
        for name, sky in weather.items():
            split = decompose(sky.drop_vars(["dni", "dhi"]), model)
            lit = sky["ghi"] > 0.0
            off = (split["dni"] - sky["dni"]).where(lit)
            mean = float(sky["dni"].where(lit).mean())
            energy = [pv_factor(ds, name, tracking="single_axis") for ds in (split, sky)]
            scores.append(
                (float(off.mean()) / mean, float(np.sqrt((off**2).mean())) / mean, energy[0] / energy[1] - 1)
            )
        rows[model] = np.mean(scores, axis=0)
    columns = ["DNI, relative bias", "DNI, relative RMSE", "energy of trackers"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(3).reset_index(names="model")


def pv_choices(weather: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """What one changed choice does to the yearly energy of PV, mean and range over the sites."""
    tracker = {"tracking": "single_axis"}
    choices: dict[str, tuple[dict[str, object], dict[str, object]]] = {
        "sky: isotropic": ({"transposition": "isotropic"}, {}),
        "sky: perez-driesse": ({"transposition": "perez-driesse"}, {}),
        "beam from GHI (erbs_driesse)": ({"ghi_only": True}, {}),
        "reflection: none": ({"iam": "none"}, {}),
        "reflection: anti-reflective glass": ({"iam": "physical_ar"}, {}),
        "reflection of diffuse light too": ({"diffuse_iam": True}, {}),
        "cells: pvsyst": ({"temperature_model": "pvsyst"}, {}),
        "cells: faiman": ({"temperature_model": "faiman"}, {}),
        "cells: close to a roof": ({"mounting": "close_mount_glass_glass"}, {}),
        "temperature coefficient -0.47 %/K": ({"gamma_pdc": -0.0047}, {}),
        "system losses 10 %": ({"losses": 0.10}, {}),
        "DC/AC 1.0, energy per DC": ({"dc_ac_ratio": 1.0, "per_dc": True}, {}),
        "DC/AC 1.4, energy per DC": ({"dc_ac_ratio": 1.4, "per_dc": True}, {}),
        "tilt 10 degree less": ({"flatter": True}, {}),
        "trackers": (tracker, {}),
        "trackers without backtracking, shade": (
            {**tracker, "backtrack": False, "row_shading": True},
            tracker,
        ),
        "fixed, shade of rows beside losses": ({"row_shading": True}, {}),
        "trackers, bifaciality 0.7": ({**tracker, "bifaciality": 0.7}, tracker),
    }
    rows = {}
    for label, (changed, base) in choices.items():
        ratios = [
            changed_pv(sky, name, changed) / pv_factor(sky, name, **base) - 1.0
            for name, sky in weather.items()
        ]
        rows[label] = ratios
    return spread(rows, weather, "choice instead of the default")


def changed_pv(sky: xr.Dataset, name: str, changed: Mapping[str, object]) -> float:
    """Capacity factor with a changed choice; per DC rating where that is what changes."""
    columns = dict(changed)
    if columns.pop("ghi_only", False):
        sky = sky.drop_vars(["dni", "dhi"])
    if columns.pop("flatter", False):
        columns["tilt"] = float(optimal_tilt(float(sky["latitude"][0]))) - 10.0
    scale = 1.2 / float(str(columns["dc_ac_ratio"])) if columns.pop("per_dc", False) else 1.0
    return scale * pv_factor(sky, name, **columns)


def wind_choices(weather: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """What one changed choice does to the yearly energy of wind, mean and range over the sites."""
    choices: dict[str, dict[str, object]] = {
        "wakes: none": {"wake_curve": "none"},
        "wakes: knorr_mean": {"wake_curve": "knorr_mean"},
        "wakes: dena_extreme1": {"wake_curve": "dena_extreme1"},
        "no smoothing over the farm": {"turbulence_intensity": 0.0},
        "no density correction": {"density_correction": False},
        "no losses but wakes": {k: v for k, v in GROSS.items() if k != "wake_curve"},
        "hub 20 m higher": {"hub_height_m": 114.0},
        "shear: linear in ln h": {"shear": "log"},
        "another turbine: V80/2000 at 94 m": {"turbine_type": "V80/2000", "hub_height_m": 94.0},
        "another turbine: N131/3000 at 94 m": {"turbine_type": "N131/3000", "hub_height_m": 94.0},
        "storm hysteresis 5 m/s": {"storm_hysteresis_m_s": 5.0},
        "stop below -20 °C": {"stop_below_c": -20.0},
    }
    rows = {}
    for label, changed in choices.items():
        rows[label] = [wind_factor(s, n, **changed) / wind_factor(s, n) - 1.0 for n, s in weather.items()]
    biased = []
    for name, sky in weather.items():
        more = sky.assign(wind_speed=(sky["wind_speed"] * 1.1).assign_attrs(sky["wind_speed"].attrs))
        biased.append(wind_factor(more, name) / wind_factor(sky, name) - 1.0)
    rows["10 % more wind"] = biased
    return spread(rows, weather, "choice instead of the default")


def spread(
    rows: Mapping[str, Sequence[float]], weather: Mapping[str, xr.Dataset], label: str
) -> pd.DataFrame:
    """Percent of energy by site."""
    table = 100.0 * pd.DataFrame.from_dict(rows, orient="index", columns=list(weather))
    return table.map(lambda value: f"{value + 0.0:+.1f} %").reset_index(names=label)


def clipping() -> pd.DataFrame:
    """Energy from hourly means over energy from five minutes, which clip in the right minutes."""
    place = pd.DataFrame([{"latitude": 35.0, "longitude": -117.0, "altitude": 700.0}], index=["a"])
    fine = synthesize(place, "2019-01-01T00:00Z", "2020-01-01T00:00Z", "5min", seed=1)
    coarse = with_metadata(resample_mean(fine, 3600)).assign_attrs(fine.attrs)
    rows = []
    for ratio in (1.0, 1.2, 1.3, 1.5):
        values = [ratio]
        for tracking in ("fixed", "single_axis"):
            hourly, true = (pv_factor(ds, "a", dc_ac_ratio=ratio, tracking=tracking) for ds in (coarse, fine))
            values.append(f"{100.0 * (hourly / true - 1.0):+.1f} %")
        rows.append(values)
    return pd.DataFrame(rows, columns=["DC/AC", "fixed", "trackers"])


def draw_shear(weather: Mapping[str, xr.Dataset]) -> None:
    """Mean profiles, and what the ways make of 10 and 100 m."""
    figure = Figure(figsize=(7.2, 2.8), layout="constrained")
    axes = figure.subplots(1, len(weather), sharey=True)
    for axis, (name, sky) in zip(axes, weather.items(), strict=True):
        heights = sky["height"].to_numpy()
        low, high = (sky["wind_speed"].sel(height=h).to_numpy()[:, 0] for h in (10.0, 100.0))
        axis.plot(sky["wind_speed"].mean(["time", "site"]), heights, "ko", ms=4, label="file")
        hubs = np.linspace(10.0, 200.0, 39)
        for log, style, label in ((False, "C0-", "power law of the hour"), (True, "C1--", "linear in ln h")):
            axis.plot([between(low, high, h, log=log).mean() for h in hubs], hubs, style, label=label)
        axis.plot(low.mean() * (hubs / 10.0) ** (1.0 / 7.0), hubs, "C3:", label="10 m, exponent 1/7")
        axis.set(title=name, xlabel="mean wind speed [m/s]")
    axes[0].set_ylabel("height [m]")
    axes[0].legend(fontsize=7, loc="lower right")
    save(figure, "generation_shear")


def draw_months(weather: Mapping[str, xr.Dataset]) -> None:
    """Capacity factor by month."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    for colour, (name, sky) in enumerate(weather.items()):
        pv = pv_power(sky, plant(name, tracking="single_axis"), wind_speed_m_s=CALM_M_S)[:, 0]
        monthly = pv.groupby("time.month").mean()
        left.plot(monthly["month"], monthly, f"C{colour}o-", ms=3, label=name)
        if "wind_speed" in sky:
            monthly = wind_power(sky, plant(name))[:, 0].groupby("time.month").mean()
            right.plot(monthly["month"], monthly, f"C{colour}o-", ms=3, label=name)
    left.set(title="PV on trackers", xlabel="month of 2013", ylabel="capacity factor", ylim=(0.0, 0.6))
    right.set(title=f"wind, {CURVE}", xlabel="month of 2013", ylim=(0.0, 0.6))
    left.legend(fontsize=7)
    save(figure, "generation_months")


def save(figure: Figure, name: str) -> None:
    """Write a figure that is the same whenever it is drawn."""
    figure.savefig(DOCS / "figures" / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
