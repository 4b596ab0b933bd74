from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import Grid, check_generation, check_load, generation_dataset, load_grid
from weather import InputError, to_xarray_time

TIME = pd.date_range("2020-06-01T00:00Z", periods=6, freq="h")


@pytest.fixture(scope="module")
def rts() -> Grid:
    return load_grid("rts_gmlc")


def test_parts_are_put_together_in_the_order_of_the_grid(rts: Grid) -> None:
    parts = [rts.recorded(TIME, (t,)) for t in ("hydro", "csp", "rtpv", "pv", "wind")]
    parts[-1] = parts[-1].isel(unit=slice(None, None, -1)).assign_attrs(source="modelled", synthetic=1)
    ds = generation_dataset(parts, rts.units)
    xr.testing.assert_allclose(
        ds["available_p_mw"].drop_vars(["p_nom_mw", "bus", "technology", "weather_site"]), rts.recorded(TIME)
    )
    assert ds["technology"].to_numpy().tolist() == rts.units["technology"].tolist()
    assert ds.attrs == {"source": "rts_gmlc recorded day_ahead; modelled", "synthetic": 1}
    check_generation(ds, rts)


def test_everything_wrong_with_parts_is_named_at_once(rts: Grid) -> None:
    wind, rest = rts.recorded(TIME, ("wind",)), rts.recorded(TIME, ("pv", "rtpv", "hydro"))
    later = wind.assign_coords(time=to_xarray_time(TIME + pd.Timedelta("30min")))
    later = later.assign_coords(unit=["309_WIND_1", "317_WIND_1", "303_WIND_1", "999_WIND_1"])
    with pytest.raises(InputError) as error:
        generation_dataset([rest, later, wind.isel(unit=[0])], rts.units)
    text = str(error.value)
    for part in (
        "unit '309_WIND_1': is given more than once",
        "unit '122_WIND_1': is missing",
        "unit '212_CSP_1': is missing",
        "unit '999_WIND_1': is not in 'units'",
        "time axis: of '309_WIND_1' is not that of",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "1 of 486 values are NaN"),
        (-1.0, "1 values outside"),
        (9e5, "900000 MW available of 847 MW nominal"),
    ],
)
def test_values_no_unit_can_have_are_refused(rts: Grid, value: float, message: str) -> None:
    available = rts.recorded(TIME).copy()
    available.loc[{"unit": "303_WIND_1", "time": available["time"][2]}] = value
    with pytest.raises(InputError, match=message):
        generation_dataset(available, rts.units)


def test_a_dataset_of_another_grid_is_refused(rts: Grid) -> None:
    ds = generation_dataset(rts.recorded(TIME), rts.units)
    with pytest.raises(InputError, match="order differs"):
        check_generation(ds.isel(unit=slice(None, None, -1)), rts)
    with pytest.raises(InputError, match="technology: missing"):
        check_generation(ds.drop_vars("technology"))
    wrong = ds.copy()
    wrong["available_p_mw"] = ds["available_p_mw"].assign_attrs(units="kW")
    with pytest.raises(InputError, match="units 'kW', expected 'MW'"):
        check_generation(wrong)


def test_load_is_checked_against_the_buses(rts: Grid) -> None:
    load = rts.load(TIME)
    check_load(load, rts)
    with pytest.raises(InputError, match="bus '325': is missing"):
        check_load(load.isel(bus=slice(0, -1)), rts)
    with pytest.raises(InputError, match="438 values outside"):
        check_load((-load - 1.0).assign_attrs(load.attrs), rts)
