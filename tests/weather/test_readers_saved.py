"""Weather that was saved comes back as it was, and is checked again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.weather.feed_files import plain_csv
from tests.weather.reader_cases import PLAIN
from weather import InputError, combine_sites, read


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """Two sites of the same sky."""
    path = tmp_path_factory.mktemp("plain") / "table.csv"
    path.write_text(plain_csv(), encoding="utf-8")
    sites = [read(path, "csv", clock="UTC", site=name, **PLAIN) for name in ("park", "hill")]  # type: ignore[arg-type]
    return combine_sites(sites)


def findings(ds: xr.Dataset, path: Path, **options: object) -> list[str]:
    """What is found in a dataset that was saved."""
    ds.to_netcdf(path)
    with pytest.raises(InputError) as caught:
        read(path, **options)  # type: ignore[arg-type]
    return [str(finding) for finding in caught.value.findings]


def test_it_comes_back_whole_or_by_site(weather: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "two.nc"
    weather.to_netcdf(path)
    back = read(path)
    assert back.drop_attrs().identical(weather.drop_attrs())
    assert back.attrs == weather.attrs | {"reader": "saved"}
    hill = read(path, site="hill")
    assert hill.drop_attrs().identical(weather.sel(site=["hill"]).drop_attrs())
    hill.to_netcdf(tmp_path / "one.nc")
    assert read(tmp_path / "one.nc", site="peak")["site"].values.tolist() == ["peak"]
    with pytest.raises(InputError, match="no site 'lake' in the file; it has park, hill"):
        read(path, site="lake")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.drop_vars("latitude"), "latitude: missing"),
        (lambda ds: ds[["time", "site", "latitude", "longitude"]], "variables: none of weather"),
        (lambda ds: ds.assign_coords(time=np.arange(ds.sizes["time"])), "time: of dtype int64, not dates"),
        (lambda ds: ds.assign(ghi=ds["ghi"].assign_attrs(units="kW/m2")), "ghi"),
        (lambda ds: ds.assign(temp_air=ds["temp_air"].where(ds["time"].dt.day != 7)), "temp_air"),
        (lambda ds: ds.isel(time=[*range(50), *range(60, 400)]), "time: 1 gap(s)"),
        (lambda ds: ds.assign_coords(time=ds["time"] + np.timedelta64(2, "h")), "site park: clock"),
    ],
)
def test_what_is_wrong_with_it_is_found(
    weather: xr.Dataset, tmp_path: Path, change: object, message: str
) -> None:
    assert callable(change)
    assert findings(change(weather), tmp_path / "wrong.nc")[0].startswith(message)


def test_a_check_that_was_let_pass_is_let_pass_again(weather: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "loose.nc"
    loose = weather.assign(dni=(0.5 * weather["dni"]).assign_attrs(weather["dni"].attrs))
    assert "closure" in findings(loose, path)[0]
    read(path, accept=["closure"]).to_netcdf(tmp_path / "again.nc")
    assert read(tmp_path / "again.nc").attrs["accepted"] == "closure"


def test_fills_are_applied_by_name(weather: xr.Dataset, tmp_path: Path) -> None:
    gap = weather.assign(pressure=weather["pressure"].where(weather["time"] != weather["time"][30]))
    gap.to_netcdf(tmp_path / "gap.nc")
    assert read(tmp_path / "gap.nc", fill=["interpolate"]).attrs["fills"].startswith("interpolate: ")
