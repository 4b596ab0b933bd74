from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from weather import (
    SPECS,
    WEATHER,
    DatasetSpec,
    InputError,
    check_dataset,
    dataset_findings,
    time_axis,
    to_xarray_time,
    with_metadata,
)

PLAUSIBLE = {"ghi": 500.0, "dni": 600.0, "dhi": 100.0, "temp_air": 20.0, "pressure": 93e3, "wind_speed": 7.0}


def weather_dataset() -> xr.Dataset:
    """Four hours, two heights, two sites."""
    sizes = {"time": 4, "height": 2, "site": 2}
    data = {
        name: (WEATHER[name].dims, np.full([sizes[dim] for dim in WEATHER[name].dims], value))
        for name, value in PLAUSIBLE.items()
    }
    coords = {
        "time": to_xarray_time(time_axis("2013-01-01T00:00Z", 4, 3600)),
        "site": np.array(["a", "b"], dtype=object),
        "height": [10.0, 100.0],
        "latitude": ("site", [32.0, 33.0]),
        "longitude": ("site", [-101.0, -102.0]),
        "altitude": ("site", [800.0, 900.0]),
        "utc_offset_h": ("site", [-6.0, -6.0]),
    }
    attrs = {"source": "test", "licence": "none", "synthetic": 1}
    return with_metadata(xr.Dataset(data, coords, attrs))


def findings_of(ds: xr.Dataset) -> dict[str, str]:
    return {finding.where: finding.what for finding in dataset_findings(ds, WEATHER)}


def test_a_complete_dataset_passes() -> None:
    check_dataset(weather_dataset(), "weather")


def test_metadata_is_that_of_the_table_and_the_input_is_left_alone() -> None:
    bare = xr.Dataset({"ghi": (("time", "site"), np.zeros((2, 1)))})
    assert with_metadata(bare)["ghi"].attrs == {
        "units": "W/m²",
        "long_name": "global horizontal irradiance",
        "cell_methods": "time: mean",
    }
    assert bare["ghi"].attrs == {}


def test_missing_names_are_listed_together() -> None:
    ds = weather_dataset().drop_vars(["dni", "altitude"])
    del ds.attrs["licence"]
    assert set(findings_of(ds)) == {"dni", "altitude", "attrs['licence']"}


def test_only_what_is_required_must_be_there() -> None:
    check_dataset(weather_dataset()[["ghi"]], "weather", required=("ghi", "latitude"))
    with pytest.raises(InputError, match=r"temp_air: missing; expected \[°C\]"):
        check_dataset(weather_dataset()[["ghi"]], "weather", required=("ghi", "temp_air"))
    with pytest.raises(InputError, match=r"temperature: not in the table"):
        check_dataset(weather_dataset(), "weather", required=("temperature",))


def test_a_wrong_or_missing_unit_is_named_with_the_right_one() -> None:
    ds = weather_dataset()
    ds["temp_air"].attrs["units"] = "K"
    del ds["pressure"].attrs["units"]
    assert findings_of(ds) == {
        "temp_air": "units 'K', expected '°C'",
        "pressure": "no units in attrs, expected 'Pa'",
    }


def test_a_value_out_of_range_is_named_with_its_place() -> None:
    ds = weather_dataset()
    ds["wind_speed"][2, 1, 0] = 100.0
    (what,) = findings_of(ds).values()
    assert what == (
        "1 values outside [0, 75] m/s (smallest 7, largest 100), "
        "first at time 2013-01-01T02:00Z, height 100.0, site a"
    )


def test_nan_is_named_with_its_number_and_first_place() -> None:
    ds = weather_dataset()
    ds["dhi"][1:3, 1] = np.nan
    assert findings_of(ds) == {"dhi": "2 of 8 values are NaN, first at time 2013-01-01T01:00Z, site b"}


def test_dims_must_be_in_order() -> None:
    ds = weather_dataset()
    ds["ghi"] = ds["ghi"].transpose("site", "time")
    assert findings_of(ds) == {"ghi": "dims ('site', 'time'), expected ('time', 'site')"}


def test_a_cell_method_of_another_kind_is_refused() -> None:
    ds = weather_dataset()
    ds["ghi"].attrs["cell_methods"] = "time: sum"
    assert findings_of(ds) == {"ghi": "cell_methods 'time: sum', expected 'time: mean'"}


@pytest.mark.parametrize(
    ("positions", "text"), [([0, 1, 3], "gap"), ([0, 1, 1, 2], "duplicate"), ([1, 0, 2, 3], "earlier")]
)
def test_an_irregular_time_axis_is_refused(positions: list[int], text: str) -> None:
    with pytest.raises(InputError, match=text):
        check_dataset(weather_dataset().isel(time=positions), "weather")


def test_a_time_axis_of_numbers_is_refused() -> None:
    with pytest.raises(InputError, match="dtype int64, expected naive datetime64 in UTC"):
        check_dataset(weather_dataset().assign_coords(time=[0, 1, 2, 3]), "weather")


def test_text_is_no_number() -> None:
    ds = weather_dataset()
    ds["ghi"] = ds["ghi"].astype(str)
    assert findings_of(ds)["ghi"].startswith("dtype <U")


def test_everything_wrong_is_raised_in_one_error() -> None:
    ds = weather_dataset().drop_vars("dni").isel(time=[0, 1, 3])
    ds["ghi"][0, 0] = np.nan
    ds["pressure"].attrs["units"] = "mbar"
    with pytest.raises(InputError) as caught:
        check_dataset(ds, "weather")
    assert {f.where for f in caught.value.findings} == {"time", "dni", "ghi", "pressure"}


def test_values_of_lazy_arrays_need_not_be_looked_at() -> None:
    ds = weather_dataset()
    ds["ghi"][0, 0] = np.nan
    lazy = ds.chunk(time=2)
    check_dataset(lazy, "weather", values=False)
    with pytest.raises(InputError, match="1 of 8 values are NaN"):
        check_dataset(lazy, "weather")


def test_an_unknown_table_or_name_lists_those_there_are() -> None:
    with pytest.raises(InputError, match="tables: weather"):
        check_dataset(weather_dataset(), "climate")
    with pytest.raises(InputError, match="names: ghi, dni"):
        WEATHER["temperature"]


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_ranges_are_ordered_and_names_unique(spec: DatasetSpec) -> None:
    table = [*spec.variables, *spec.coords]
    assert all(v.valid_range[0] < v.valid_range[1] for v in table)
    assert len({v.name for v in table}) == len(table)


def test_the_page_of_names_is_up_to_date(repository: Path) -> None:
    code = compile((repository / "docs/make_nomenclature.py").read_text(encoding="utf-8"), "page", "exec")
    names: dict[str, object] = {"__name__": "page"}
    exec(code, names)
    assert (repository / "docs/nomenclature.md").read_text(encoding="utf-8") == names["PAGE"]
