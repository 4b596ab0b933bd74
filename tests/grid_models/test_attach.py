from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid_models import Grid, attach, renewable_units
from tests.grid_models.grids import small_grid
from weather import InputError

TIME = pd.date_range("2021-05-01T00:00Z", periods=4, freq="30min")
FARM = {"unit": "farm", "bus": "b1", "technology": "wind", "p_nom_mw": 40.0}


@pytest.fixture
def grid() -> Grid:
    made = small_grid(3, [(0, 1, 50.0), (1, 2, 50.0)], generators=[(0, 100.0, 10.0)])
    made.buses["load_p_mw"] = [10.0, 0.0, 30.0]
    return made


def wide(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"time": [f"{t:%Y-%m-%dT%H:%M}Z" for t in TIME], **columns})


def test_units_and_series_from_files(grid: Grid, tmp_path: Path) -> None:
    pd.DataFrame([FARM]).to_csv(tmp_path / "units.csv", index=False)
    wide(b0=[1, 2, 3, 4], b2=[5, 5, 5, 5]).to_parquet(tmp_path / "load.parquet")
    wide(farm=[0, 10, 20, 40]).to_csv(tmp_path / "available.csv", index=False)
    made = attach(
        grid,
        units=tmp_path / "units.csv",
        load=tmp_path / "load.parquet",
        available=str(tmp_path / "available.csv"),
    )
    np.testing.assert_allclose(made.load(TIME), [[1, 0, 5], [2, 0, 5], [3, 0, 5], [4, 0, 5]])
    np.testing.assert_allclose(made.recorded(TIME, ("wind",)), [[0], [10], [20], [40]])
    hours = pd.date_range("2021-05-01T00:00Z", periods=2, freq="h")
    np.testing.assert_allclose(made.recorded(hours, ("wind",)), [[5], [30]])
    assert made.recorded_span == (TIME[0], TIME[-1] + pd.Timedelta("30min"))
    assert grid.units.empty


def test_a_unit_stands_at_its_bus_or_where_it_says(grid: Grid) -> None:
    made = attach(grid, units=[FARM, {**FARM, "unit": "far", "latitude": 36.0}])
    bus = grid.buses.loc["b1"]
    assert made.units.loc["farm", ["latitude", "longitude"]].tolist() == [bus["latitude"], bus["longitude"]]
    assert made.units["weather_site"].tolist() == ["b1", "far"]
    assert (made.units["altitude"] > 0).all()


def test_a_factor_multiplies_the_nominal_load_of_every_bus(grid: Grid) -> None:
    made = attach(grid, load=wide(factor=[0.5, 1.0, 1.0, 1.5]))
    np.testing.assert_allclose(made.load(TIME), np.outer([0.5, 1.0, 1.0, 1.5], [10.0, 0.0, 30.0]))


def test_series_of_the_grid_stay_where_none_are_attached(grid: Grid) -> None:
    first = attach(grid, units=[FARM, {**FARM, "unit": "other"}], available=wide(farm=[1, 1, 1, 1]))
    second = attach(first, available=wide(other=[2, 2, 2, 2]))
    np.testing.assert_allclose(second.recorded(TIME, ("wind",)), [[1, 2]] * 4)
    with pytest.raises(InputError, match="load: no series is known; attach one"):
        second.load(TIME)


def test_renewables_go_to_the_largest_loads_in_proportion(grid: Grid) -> None:
    rows = renewable_units(grid, {"wind": 0.5, "pv": 0.25})
    assert {row["unit"]: row["p_nom_mw"] for row in rows} == pytest.approx(
        {"wind_b2": 15.0, "wind_b0": 5.0, "pv_b2": 7.5, "pv_b0": 2.5}
    )
    (row,) = renewable_units(grid, {"wind": 0.5}, ["b1"])
    assert (row["bus"], row["p_nom_mw"]) == ("b1", 20.0)


def test_rules_without_a_meaning_are_refused(grid: Grid) -> None:
    with pytest.raises(InputError, match=r"(?s)'tidal' cannot be placed.*'pv'.*above 0.*'z': does not exist"):
        renewable_units(grid, {"tidal": 0.1, "pv": -0.3}, ["z"])
    with pytest.raises(InputError, match="0: no bus with load is chosen"):
        renewable_units(grid, {"pv": 0.3}, 0)


UNIT_MISTAKES = [
    ({"bus": "b9"}, "units: unit 'farm': bus 'b9' does not exist"),
    ({"technology": "tidal"}, "technology 'tidal' is unknown"),
    ({"p_nom_mw": float("nan")}, "p_nom_mw=nan MW: must not be NaN"),
    ({"p_nom_mw": -4.0}, "p_nom_mw=-4.0 MW: must be above 0"),
    ({"p_nom_mw": "40 MW"}, "p_nom_mw=40 MW MW: must be a number"),
    ({"p_nom_mw": None, "p_nom_kw": 40000.0}, "column 'p_nom_kw': is not in the unit expected, 'p_nom_mw'"),
    ({"unit": "u0"}, "units: unit 'u0': appears more than once"),
    ({"latitude": 91.0}, "latitude=91.0 degree: must be at most 90"),
]


@pytest.mark.parametrize(("change", "message"), UNIT_MISTAKES, ids=[m for _, m in UNIT_MISTAKES])
def test_mistakes_in_units_are_told(change: dict[str, object], message: str) -> None:
    grid = small_grid(2, [(0, 1, 50.0)], units=[(0, "wind", 5.0)])
    row = {**FARM, **change}
    row = {key: value for key, value in row.items() if key != "p_nom_mw" or "p_nom_kw" not in row}
    with pytest.raises(InputError) as error:
        attach(grid, units=[row])
    assert message in str(error.value)


def test_units_without_names_or_columns_are_told(grid: Grid) -> None:
    with pytest.raises(InputError, match="no column 'unit'; it has bus; name every row"):
        attach(grid, units=[{"bus": "b1"}])
    with pytest.raises(InputError, match=r"(?s)column 'bus' is missing.*column 'p_nom_mw' \[MW\] is missing"):
        attach(grid, units=[{"unit": "farm", "technology": "wind"}])


NAIVE = pd.DataFrame({"time": ["2021-05-01T00:00", "2021-05-01T01:00"], "farm": [1.0, 2.0]})
LATE = pd.DataFrame({"time": ["2021-05-01T00:00Z", "2021-05-01T03:00Z", "2021-05-01T01:00Z"], "farm": 1.0})
SERIES_MISTAKES = [
    (NAIVE, "the index is naive: its clock is not stated"),
    (LATE, "stamp(s) earlier than the one before"),
    (LATE.iloc[:1], "1 time stamp(s), at least 2 are needed"),
    (NAIVE.assign(time="noon"), "time: cannot be read"),
    (NAIVE[["farm"]], "there is no column 'time' and no index of times"),
    (wide(), "there is none beside the time"),
    (wide(farm=[1, np.nan, 2, 3]), "column 'farm': 1 of 4 values are no finite numbers [MW], first in row 1"),
    (wide(farm=[1, 2, 3, 4], barn=[1, 2, 3, 4]), "available: unit 'barn': does not exist"),
    (
        wide(farm=[1, 2, 3, 400]),
        "400 MW at 2021-05-01 01:30:00+00:00 is above p_nom_mw=40 MW; values are in MW",
    ),
    (wide(farm=[1, 2, 3, -4]), "-4 MW at 2021-05-01 01:30:00+00:00: must be at least 0"),
]


@pytest.mark.parametrize(("table", "message"), SERIES_MISTAKES, ids=[m for _, m in SERIES_MISTAKES])
def test_mistakes_in_series_are_told(grid: Grid, table: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError) as error:
        attach(grid, units=[FARM], available=table)
    assert message in str(error.value)


def test_mistakes_in_loads_are_told_at_once(grid: Grid) -> None:
    with pytest.raises(
        InputError, match=r"(?s)bus 'b7': does not exist.*bus 'b0': -2 MW at .*give generation"
    ):
        attach(grid, load=wide(b7=[1, 1, 1, 1], b0=[1, -2, 1, 1]))
    twice = wide(b0=[1, 1, 1, 1], b1=[1, 1, 1, 1]).set_axis(["time", "b0", "b0"], axis=1)
    with pytest.raises(InputError, match="column 'b0': appears more than once"):
        attach(grid, load=twice)


def test_axes_that_do_not_fit_are_told(grid: Grid) -> None:
    made = attach(grid, load=wide(b0=[1, 2, 3, 4]))
    for time, message in (
        (pd.date_range(TIME[0], periods=2, freq="15min"), "step of 0 days 00:15:00, but the series has"),
        (TIME + pd.Timedelta("10min"), "does not begin with a recorded step"),
        (TIME + pd.Timedelta("1h"), "leaves the recorded span"),
    ):
        with pytest.raises(InputError, match=message):
            made.load(time)


FILE_MISTAKES = [
    ("missing.csv", None, "no such file here, nor inside the data folder"),
    ("units.txt", b"unit,bus\n", "a file of kind '.txt'; give a .csv or .parquet file"),
    ("empty.csv", b"", "cannot be read: No columns to parse from file"),
    ("cut.parquet", b"PAR1", "cannot be read:"),
    ("ragged.csv", b"unit,bus\na,b,c,d\ne,f,g,h,i\n", "cannot be read:"),
    ("binary.csv", bytes(range(128, 255)), "cannot be read:"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILE_MISTAKES, ids=[n for n, _, _ in FILE_MISTAKES])
def test_broken_files_are_told(
    grid: Grid,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CURTAILMENT_TWIN_DATA", str(tmp_path))
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(InputError) as error:
        attach(grid, units=name)
    assert message in str(error.value)


def test_a_file_is_also_found_in_the_data_folder(
    grid: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    pd.DataFrame([FARM]).to_csv(tmp_path / "mine" / "units.csv", index=False)
    monkeypatch.setenv("CURTAILMENT_TWIN_DATA", str(tmp_path))
    assert attach(grid, units="mine/units.csv").units.index.tolist() == ["farm"]
    with pytest.raises(InputError, match="is a folder"):
        attach(grid, units=tmp_path / "mine")
