"""ERA5: sums that end at the stamp, cells to sites, versions, archives, and what is no ERA5."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.weather.feed_files import era5_grid
from tests.weather.reader_cases import era5_csv, era5_netcdf, era5_old_netcdf, era5_zarr, era5_zip
from tests.weather.reading import findings_of
from tests.weather.sky import LATITUDE, LONGITUDE, difference
from weather import InputError, ReadOptions, check_dataset, read, to_utc_index
from weather.readers.era5 import parse_era5

PLACES = {"a": (LATITUDE, LONGITUDE), "b": (LATITUDE + 0.2, LONGITUDE - 0.2)}
HERE = ReadOptions(places={"a": PLACES["a"]})


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    return era5_grid()


def findings(grid: xr.Dataset, options: ReadOptions = HERE) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_era5(grid, options, "era5.nc")
    return [str(finding) for finding in caught.value.findings]


def test_sums_and_instants_become_means_of_the_hour_before_the_stamp(grid: xr.Dataset) -> None:
    ds = parse_era5(grid, ReadOptions(places=PLACES), "era5.nc")
    check_dataset(ds, "weather", required=("latitude", "longitude", "altitude", "ghi", "dhi", "wind_speed"))
    assert str(to_utc_index(ds)[0]) == "2013-02-28 23:00:00+00:00"
    assert ds["altitude"].values.tolist() == [800.0, 800.0]
    assert ds["height"].values.tolist() == [10.0, 100.0]
    assert ds["wind_direction"].dims == ("time", "height", "site")
    assert difference(ds.isel(site=[1])) < 0.01


def test_beam_is_left_to_be_what_is_missing_of_global(grid: xr.Dataset) -> None:
    ds = parse_era5(grid, HERE, "era5.nc")
    assert "dni" not in ds
    assert difference(ds, "dhi") < 0.01
    assert "dhi" not in parse_era5(grid.drop_vars("fdir"), HERE, "era5.nc")


def test_the_nearest_cell_reports_its_distance_and_its_place(grid: xr.Dataset) -> None:
    ds = parse_era5(grid, ReadOptions(places=PLACES), "era5.nc")
    assert ds["cell_distance_km"].values[0] == 0.0
    assert ds["cell_distance_km"].values[1] == pytest.approx(7.3, abs=0.1)
    assert ds["latitude"].values.tolist() == [LATITUDE, LATITUDE + 0.25]
    between = parse_era5(grid, ReadOptions(places=PLACES, method="bilinear"), "era5.nc")
    assert between["latitude"].values.tolist() == [LATITUDE, LATITUDE + 0.2]
    assert between.attrs["regridded"] == "bilinear"


def test_without_places_every_cell_is_a_site(grid: xr.Dataset) -> None:
    ds = parse_era5(grid, ReadOptions(), "era5.nc")
    assert ds.sizes["site"] == 9
    assert ds["site"].values[4] == "era5-32.00--101.00"
    many = grid.isel(latitude=[0] * 40, longitude=[0] * 40).assign_coords(
        latitude=np.linspace(0, 9.75, 40), longitude=np.linspace(0, 9.75, 40)
    )
    (finding,) = findings(many, ReadOptions())
    assert finding.startswith("places: 1600 cells and no places; say which sites: places={'name':")


def test_a_place_outside_the_grid_is_refused(grid: xr.Dataset) -> None:
    (finding,) = findings(grid, ReadOptions(places={"sea": (0.0, 0.0)}))
    assert finding.startswith("site sea: (0, 0) lies outside the grid of 31.75 … 32.25 by -101.25 … -100.75")


def test_final_and_preliminary_data_are_joined_and_counted(tmp_path: Path) -> None:
    new, old = (read(write(tmp_path), places=PLACES) for write in (era5_netcdf, era5_old_netcdf))
    assert new.attrs["preliminary"] == old.attrs["preliminary"] == "80 of 480 steps"
    common = ["ghi", "dhi", "temp_air", "pressure", "wind_speed"]
    xr.testing.assert_allclose(new[common].drop_vars("altitude"), old[common])


def test_every_container_gives_the_same(tmp_path: Path) -> None:
    one = read(era5_netcdf(tmp_path), places={"a": PLACES["a"]})
    for write in (era5_zarr, era5_zip):
        other = read(write(tmp_path), places={"a": PLACES["a"]})
        xr.testing.assert_allclose(one, other)
    point = tmp_path / "point.csv"
    point.write_text(era5_csv(), encoding="utf-8")
    series = read(point, site="a")
    xr.testing.assert_allclose(one.drop_vars("altitude"), series, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "unit", "message"),
    [
        ("ssrd", "kWh", "ssrd: unit 'kWh' in the header, expected W/m²"),
        ("t2m", None, "t2m: the header states no unit, expected °C"),
        ("t2m", "degC", "temp_air: 480 values outside [-90, 60] °C"),
        ("u100", "km", "u100: unit 'km' in the header, expected m/s"),
    ],
)
def test_a_wrong_or_missing_unit_is_refused(
    grid: xr.Dataset, name: str, unit: str | None, message: str
) -> None:
    attrs = {} if unit is None else {"units": unit}
    wrong = grid.assign({name: grid[name].drop_attrs().assign_attrs(attrs)})
    assert findings(wrong)[0].startswith(message)


def test_irradiance_as_power_is_not_divided_by_the_hour(grid: xr.Dataset) -> None:
    power = {name: (grid[name] / 3600.0).assign_attrs(units="W m**-2") for name in ("ssrd", "fdir")}
    assert difference(parse_era5(grid.assign(power), HERE, "era5.nc")) < 0.01


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (["v100"], "variables: u100 without its other component; get both u and v"),
        (["ssrd"], "variables: fdir without ssrd; get surface_solar_radiation_downwards too"),
        (
            ["ssrd", "fdir", "t2m", "sp", "u10", "v10", "u100", "v100"],
            "variables: none of ssrd, fdir, t2m, sp",
        ),
    ],
)
def test_a_missing_variable_is_named(grid: xr.Dataset, gone: list[str], message: str) -> None:
    assert findings(grid.drop_vars(gone))[0].startswith(message)


def test_radiation_accumulated_through_the_day_is_refused(grid: xr.Dataset) -> None:
    """ERA5-Land: the sum since 00 UTC, which the stamp of 00:00 of the next day completes."""
    hourly = grid["ssrd"].to_numpy().astype(float)
    land = hourly.copy()
    for k in range(1, len(land)):
        starts_anew = (k % 24) == 1
        land[k] = hourly[k] + (0.0 if starts_anew else land[k - 1])
    accumulated = grid.assign(ssrd=(grid["ssrd"].dims, land, grid["ssrd"].attrs)).drop_vars("fdir")
    assert findings(accumulated)[0] == (
        "ssrd: radiation that never falls within a day: accumulated since 00 UTC, as in ERA5-Land; "
        "get ERA5, whose radiation is of single hours"
    )


def test_beam_above_global_is_refused(grid: xr.Dataset) -> None:
    (finding,) = findings(grid.assign(fdir=(grid["fdir"] * 1.3).assign_attrs(grid["fdir"].attrs)))[:1]
    assert finding.startswith("fdir: ")
    assert "values above ssrd, by up to " in finding


def test_every_third_hour_is_refused(grid: xr.Dataset) -> None:
    text = "\n".join(findings(grid.isel(valid_time=slice(None, None, 3))))
    assert "time: steps that are not of one hour, over which radiation is accumulated" in text


def test_a_missing_hour_is_a_gap(grid: xr.Dataset) -> None:
    (finding,) = findings(grid.isel(valid_time=[*range(100), *range(101, 480)]))
    assert "1 gap(s)" in finding


def test_a_shifted_time_axis_is_exposed_by_the_sun(grid: xr.Dataset) -> None:
    late = grid.assign_coords(valid_time=grid["valid_time"] + np.timedelta64(1, "h"))
    (finding,) = findings(late)
    assert "clock: the sun of the data fits stamps -1.00 h from those given" in finding


def test_members_steps_and_axes_that_are_none_are_refused(grid: xr.Dataset) -> None:
    (finding,) = findings(grid.expand_dims(number=[0, 1]))
    assert finding.startswith("dims: the dims number: members or steps of forecasts")
    (finding,) = findings(grid.rename(valid_time="stamp"))[:1]
    assert "time: no time axis" in "\n".join(findings(grid.rename(valid_time="stamp")))
    assert "latitude: no coordinate of this name" in "\n".join(findings(grid.rename(latitude="lat")))
    assert finding


def test_only_the_cells_of_the_sites_are_computed(grid: xr.Dataset) -> None:
    dask_grid = grid.chunk(latitude=1, longitude=1)

    def explode(block: np.ndarray, block_id: tuple[int, ...] | None = None) -> np.ndarray:
        if isinstance(block_id, tuple) and tuple(map(int, block_id[1:])) != (1, 1):
            raise AssertionError(f"the cell {block_id}, which no site needs")
        return block

    watched = {
        str(name): (v.dims, v.data.map_blocks(explode, dtype=v.dtype), v.attrs)
        for name, v in dask_grid.data_vars.items()
        if name != "z"
    }
    ds = parse_era5(dask_grid.assign(watched).drop_vars("z"), HERE, "era5.zarr")
    assert difference(ds) < 0.01


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    whole = era5_netcdf(tmp_path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"file: no readable grid: .*; the file is cut off or damaged"):
        read(path)
    archive = tmp_path / "other.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "nothing")
    with pytest.raises(InputError, match=r"file: an archive without .nc or .csv; give one of ERA5"):
        read(archive)
    assert findings_of(path, "valid_time,ssrd\n2013-01-01,1\n") == [
        "rows: rows without one date and one place each; the file is cut off or damaged: get it again"
    ]
    assert findings_of(path, "a,b\n1,2\n", "era5")[0].startswith(
        "columns: no column 'valid_time': begins with"
    )
