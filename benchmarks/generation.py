"""Power of many wind and PV plants: how fast, how equal to pvlib's and windpowerlib's chains, how it grows.

1. 200 sites x 1 year, hourly, on one core: `pv_power` and `wind_power` against a loop of pvlib's and
   windpowerlib's `ModelChain` over all the sites, with the same models and parameters. Differences are over
   rated power.
2. Growth with sites, with members and with workers (processes of a Dask cluster, input from a Zarr store).
3. Peak memory for 2,000 site-years: from store to store in chunks, and with weather and power in memory.

Weather is artificial: 50 generated sites, repeated with less wind and light. Times are processor time, which
other programs disturb least; for workers, wall time. Prints tables and a last line of JSON.

    OMP_NUM_THREADS=1 python benchmarks/generation.py [--sites 200] [--quick]
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
import xarray as xr
from dask.distributed import Client, LocalCluster
from pvlib.modelchain import ModelChain as PvChain
from pvlib.pvsystem import Array, FixedMount, PVSystem, SingleAxisTrackerMount
from windpowerlib import ModelChain as WindChain
from windpowerlib import WindTurbine

from weather import interval_midpoint, pv_power, synthesize, wind_power, with_metadata

YEAR = ("2019-01-01T00:00Z", "2020-01-01T00:00Z")
BASE_SITES = 50
TURBINE, HUB_M = "V112/3000", 94.0
RATED_MW, DC_AC, LOSSES, ETA = 50.0, 1.2, 0.1408, 0.96
BYTES_PER_GB = 1e9
PARTS = (
    "shading",
    "snow",
    "mismatch",
    "wiring",
    "connections",
    "lid",
    "nameplate_rating",
    "age",
    "availability",
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=200, help="sites of the comparison")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to try the script")
    parser.add_argument(
        "--memory", choices=("lazy", "eager"), help="internal: one measurement of peak memory"
    )
    parser.add_argument("--store", type=Path, help="internal: the Zarr store it reads")
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(measure_memory(options.memory, options.store)))
        return
    scale = 10 if options.quick else 1
    base = generated(BASE_SITES // scale)
    result: dict[str, object] = {"comparison": compare(base, options.sites // scale)}
    result["sites"] = grow_with_sites(base, [n // scale for n in (50, 100, 200, 500, 1000, 2000)])
    result["members"] = grow_with_members(base, [1, 2, 5, 10])
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "weather.zarr"
        write_store(base, 2000 // scale, store)
        result["workers"] = grow_with_workers(base, store, 800 // scale)
        result["peak_memory_gb"] = peak_memory(store)
    print(json.dumps(result))


def generated(n_sites: int) -> xr.Dataset:
    """A year of artificial weather at places between California and the Great Lakes."""
    rng = np.random.default_rng(0)
    places = {
        "latitude": rng.uniform(30.0, 48.0, n_sites),
        "longitude": rng.uniform(-120.0, -85.0, n_sites),
        "altitude": rng.uniform(0.0, 1500.0, n_sites),
    }
    sites = pd.DataFrame(places, index=[f"s{i}" for i in range(n_sites)])
    return synthesize(sites, *YEAR, "1h", seed=1)


def repeated(base: xr.Dataset, n_sites: int) -> xr.Dataset:
    """Weather of any number of sites: the base, repeated with a factor on wind and irradiance."""
    n_base = base.sizes["site"]
    sky = base.isel(site=np.arange(n_sites) % n_base)
    factor = xr.DataArray(1.0 - 0.002 * (np.arange(n_sites) // n_base), dims="site")
    for name in ("ghi", "dni", "dhi", "wind_speed"):
        sky[name] = (sky[name] * factor).transpose(*sky[name].dims)
    return with_metadata(sky.assign_coords(site=np.array([f"s{i}" for i in range(n_sites)], dtype=object)))


def pv_plants(sky: xr.Dataset) -> pd.DataFrame:
    """Fixed modules and trackers in turn, one plant per site."""
    plants = pd.DataFrame({"weather_site": sky["site"].to_numpy(), "p_nom_mw": RATED_MW})
    plants["tracking"] = np.where(np.arange(len(plants)) % 2 == 0, "fixed", "single_axis")
    plants["tilt"], plants["azimuth"], plants["axis_azimuth"] = 25.0, 180.0, 180.0
    return plants.set_axis([f"pv{i}" for i in range(len(plants))])


def wind_plants(sky: xr.Dataset) -> pd.DataFrame:
    """One farm per site, as windpowerlib's chain models a turbine: no wakes, no smoothing, no losses."""
    plants = pd.DataFrame({"weather_site": sky["site"].to_numpy(), "p_nom_mw": RATED_MW})
    plants = plants.assign(turbine_type=TURBINE, hub_height_m=HUB_M, shear="log", wake_curve="none")
    for name in ("turbulence_intensity", "availability_loss", "electrical_loss", "performance_loss"):
        plants[name] = 0.0
    return plants.set_axis([f"wind{i}" for i in range(len(plants))])


def peer_pv(sky: xr.Dataset, plants: pd.DataFrame) -> np.ndarray:
    """Site by site by pvlib's chain. [MW]"""
    middle = interval_midpoint(sky)
    columns = []
    for _, unit in plants.iterrows():
        site = sky.sel(site=unit["weather_site"])
        frame = pd.DataFrame(
            {name: site[name].to_numpy() for name in ("ghi", "dni", "dhi", "temp_air", "pressure")},
            index=middle,
        )
        frame["wind_speed"] = site["wind_speed"].sel(height=10.0).to_numpy()
        is_fixed = unit["tracking"] == "fixed"
        mount = FixedMount(25.0, 180.0) if is_fixed else SingleAxisTrackerMount(0.0, 180.0, 60.0, True, 0.4)
        array = Array(
            mount,
            albedo=0.2,
            module_parameters={"pdc0": RATED_MW * DC_AC, "gamma_pdc": -0.0037},
            temperature_model_parameters=pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"][
                "open_rack_glass_polymer"
            ],
        )
        system = PVSystem(
            [array],
            inverter_parameters={"pdc0": RATED_MW / ETA, "eta_inv_nom": ETA},
            losses_parameters={**dict.fromkeys(PARTS, 0.0), "soiling": 100.0 * LOSSES},
        )
        where = (float(site[name]) for name in ("latitude", "longitude"))
        place = pvlib.location.Location(*where, altitude=float(site["altitude"]))
        chain = PvChain(
            system,
            place,
            aoi_model="physical",
            spectral_model="no_loss",
            losses_model="pvwatts",
            transposition_model="haydavies",
        )
        columns.append(chain.run_model(frame).results.ac.fillna(0.0).to_numpy())
    return np.stack(columns, axis=1)


def peer_wind(sky: xr.Dataset, plants: pd.DataFrame) -> np.ndarray:
    """Site by site by windpowerlib's chain with density correction. [MW]"""
    columns = []
    for _, unit in plants.iterrows():
        site = sky.sel(site=unit["weather_site"])
        data: dict[tuple[str, float], np.ndarray] = {
            ("wind_speed", float(height)): site["wind_speed"].sel(height=height).to_numpy()
            for height in sky["height"].to_numpy()
        }
        data["temperature", 2.0] = site["temp_air"].to_numpy() + 273.15
        data["pressure", 0.0] = site["pressure"].to_numpy()
        frame = pd.DataFrame(data, index=sky.indexes["time"])
        turbine = WindTurbine(hub_height=HUB_M, turbine_type=TURBINE)
        chain = WindChain(
            turbine,
            wind_speed_model="log_interpolation_extrapolation",
            density_model="barometric",
            density_correction=True,
        ).run_model(frame)
        columns.append(chain.power_output.to_numpy() / turbine.nominal_power * RATED_MW)
    return np.minimum(np.stack(columns, axis=1), RATED_MW)


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Processor time of a call and its result. [s]"""
    began = time.process_time()
    value = function()
    return time.process_time() - began, value


def compare(base: xr.Dataset, n_sites: int) -> dict[str, float]:
    """Our time and result against the loops'."""
    sky = repeated(base, n_sites)
    pv, wind = pv_plants(sky), wind_plants(sky)
    small = sky.isel(site=slice(0, 2), time=slice(0, 48))
    pv_power(small, pv.iloc[:2]), wind_power(small, wind.iloc[:2])  # libraries read their tables once
    rows = {}
    for name, ours, peer, plants in (("pv", pv_power, peer_pv, pv), ("wind", wind_power, peer_wind, wind)):
        our_s, power = timed(lambda ours=ours, plants=plants: ours(sky, plants).to_numpy())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer_s, expected = timed(lambda peer=peer, plants=plants: peer(sky, plants))
        difference = np.abs(power - expected).max() / RATED_MW
        rows[name] = (
            our_s,
            peer_s,
            peer_s / our_s,
            1e3 * our_s / n_sites,
            difference,
            expected.mean() / RATED_MW,
        )
    total = rows["pv"][0] + rows["wind"][0], rows["pv"][1] + rows["wind"][1]
    rows["both"] = (
        *total,
        total[1] / total[0],
        1e3 * total[0] / n_sites,
        max(r[4] for r in rows.values()),
        np.nan,
    )
    columns = [
        "ours s",
        "ModelChain s",
        "ratio",
        "ours ms/site-year",
        "max |diff| / rated",
        "capacity factor",
    ]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    print(f"\n{n_sites} sites, a year hourly, one core (processor time)")
    print(table.to_string(float_format="%.4g"), flush=True)
    both = table.loc["both"]
    return {
        "sites": n_sites,
        "ratio": round(both["ratio"], 2),
        "ratio_pv": round(table.loc["pv", "ratio"], 2),
        "ratio_wind": round(table.loc["wind", "ratio"], 2),
        "max_difference": float(both["max |diff| / rated"]),
    }


def both_powers(sky: xr.Dataset) -> xr.Dataset:
    """PV and wind power of all sites."""
    pv, wind = pv_plants(sky), wind_plants(sky)
    return xr.Dataset(
        {"pv": pv_power(sky, pv).drop_vars("unit"), "wind": wind_power(sky, wind).drop_vars("unit")}
    )


def grow_with_sites(base: xr.Dataset, counts: list[int]) -> dict[int, float]:
    """Milliseconds per site-year against the number of sites."""
    rows = {}
    for n_sites in counts:
        sky = repeated(base, n_sites)
        seconds, _ = timed(lambda sky=sky: both_powers(sky))
        rows[n_sites] = (seconds, 1e3 * seconds / n_sites)
    print_rows("Sites, PV and wind, in memory (processor time)", "sites", rows, ["s", "ms/site-year"])
    return {n: round(row[1], 2) for n, row in rows.items()}


def grow_with_members(base: xr.Dataset, counts: list[int]) -> dict[int, float]:
    """Milliseconds per site-year and member against the number of members."""
    sky = base.isel(site=slice(0, 20))
    rows = {}
    for n_member in counts:
        scale = xr.DataArray(1.0 - 0.01 * np.arange(n_member), dims="member")
        names = ("ghi", "dni", "dhi", "wind_speed", "temp_air")
        ensemble = with_metadata(sky.assign({name: sky[name] * scale for name in names}))
        seconds, _ = timed(lambda ensemble=ensemble: both_powers(ensemble))
        n_years = sky.sizes["site"] * n_member
        rows[n_member] = (seconds, 1e3 * seconds / n_years)
    title = f"Members of {sky.sizes['site']} sites (processor time)"
    print_rows(title, "members", rows, ["s", "ms/site-year/member"])
    return {n: round(row[1], 2) for n, row in rows.items()}


def write_store(base: xr.Dataset, n_sites: int, store: Path) -> None:
    """Weather of many sites in chunks of a year of 50 sites."""
    sky = repeated(base, base.sizes["site"]).reset_coords(drop=False)
    parts = -(-n_sites // base.sizes["site"])
    for part in range(parts):
        names = np.array([f"s{part}-{i}" for i in range(sky.sizes["site"])], dtype=object)
        piece = sky.assign_coords(site=names).chunk({"time": -1, "site": -1, "height": -1})
        mode = {"mode": "w"} if part == 0 else {"append_dim": "site"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            piece.to_zarr(store, consolidated=False, **mode)


def open_store(store: Path, n_sites: int | None = None, *, lazy: bool = True) -> xr.Dataset:
    """Weather of a store, as Dask arrays or read when it is used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sky = xr.open_zarr(store, consolidated=False, chunks={} if lazy else None)
    sky = sky.set_coords(["latitude", "longitude", "altitude", "utc_offset_h"]).isel(site=slice(0, n_sites))
    return sky.assign_coords(site=sky["site"].to_numpy().astype(object))


def grow_with_workers(base: xr.Dataset, store: Path, n_sites: int) -> dict[str, float]:
    """Wall time against the number of worker processes."""
    rows = {}
    for n_workers in (1, 2):
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster),
        ):
            yearly = both_powers(open_store(store, n_sites)).mean("time")
            small = base.isel(site=slice(0, 4), time=slice(0, 96)).chunk({"site": 2, "time": 48})
            both_powers(small).mean("time").compute()  # workers import
            began = time.perf_counter()
            yearly.compute()
            seconds = time.perf_counter() - began
        rows[n_workers] = (seconds, rows[1][0] / seconds if 1 in rows else 1.0)
    print_rows(
        f"Workers, {n_sites} sites from a store (wall time)", "workers", rows, ["s", "times one worker"]
    )
    return {str(n): round(row[1], 2) for n, row in rows.items()}


def peak_memory(store: Path) -> dict[str, float]:
    """Peak memory of a process that models all sites of the store. [GB]"""
    rows = {}
    for mode in ("lazy", "eager"):
        command = [sys.executable, __file__, "--memory", mode, "--store", str(store)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows[mode] = tuple(json.loads(output.splitlines()[-1]))
    title = f"Peak memory, {open_store(store).sizes['site']} site-years"
    print_rows(title, "mode", rows, ["peak GB", "of that before the weather GB", "wall s"])
    return {mode: round(row[0], 3) for mode, row in rows.items()}


def measure_memory(mode: str, store: Path) -> tuple[float, float, float]:
    """Model the store's sites in this process: peak memory, that of the imports [GB], wall time [s]."""
    before = peak_gb()
    began = time.perf_counter()
    sky = open_store(store, lazy=mode == "lazy")
    if mode == "eager":
        both_powers(sky.load())
    else:
        import dask

        with dask.config.set(scheduler="synchronous"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, power in both_powers(sky).items():  # one graph for both would keep what they share
                power.to_dataset().to_zarr(store.parent / f"{name}.zarr", mode="w", consolidated=False)
    return peak_gb(), before, time.perf_counter() - began


def peak_gb() -> float:
    """Largest resident memory of this process so far. [GB]"""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts the parent's memory into a child's ru_maxrss
        kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line)
        return int(kilobytes) * 1024 / BYTES_PER_GB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / BYTES_PER_GB


def print_rows(title: str, index: str, rows: dict[object, tuple[float, ...]], columns: list[str]) -> None:
    """Print a table."""
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index.name = index
    print(f"\n{title}\n{table.to_string(float_format='%.4g')}", flush=True)


if __name__ == "__main__":
    main()
