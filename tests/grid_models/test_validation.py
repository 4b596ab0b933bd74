from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from grid_models import Grid, assert_valid_grid, make_grid, validate_grid
from tests.strategies import grids
from weather import InputError

Tables = dict[str, pd.DataFrame]


def tables() -> Tables:
    """Three buses in a ring, one generator, one wind farm, one link, one store: nothing wrong."""
    return {
        "buses": pd.DataFrame(
            {"vn_kv": 138.0, "latitude": 35.0, "longitude": -115.0, "load_p_mw": 10.0}, index=["a", "b", "c"]
        ),
        "lines": pd.DataFrame(
            {"from_bus": ["a", "b", "a"], "to_bus": ["b", "c", "c"], "rate_mw": 100.0, "x_pu": 0.1},
            index=["ab", "bc", "ac"],
        ),
        "links": pd.DataFrame({"from_bus": ["a"], "to_bus": ["c"], "p_max_mw": [20.0]}, index=["dc"]),
        "generators": pd.DataFrame({"bus": ["a"], "p_min_mw": [10.0], "p_max_mw": [50.0]}, index=["g"]),
        "segments": pd.DataFrame({"gen": "g", "p_mw": [30.0, 20.0], "cost_per_mwh": [10.0, 12.0]}),
        "units": pd.DataFrame({"bus": ["c"], "technology": ["wind"], "p_nom_mw": [30.0]}, index=["w"]),
        "storage": pd.DataFrame({"bus": ["b"], "p_max_mw": [5.0], "e_max_mwh": [20.0]}, index=["s"]),
    }


def set_cell(name: str, row: object, column: str, value: object) -> Callable[[Tables], None]:
    def change(given: Tables) -> None:
        table = given[name].astype(object) if isinstance(value, str) else given[name]
        table.loc[row, column] = value
        given[name] = table

    return change


def repeat_row(name: str) -> Callable[[Tables], None]:
    def change(given: Tables) -> None:
        given[name] = pd.concat([given[name], given[name].iloc[:1]])

    return change


def drop(name: str, **what: object) -> Callable[[Tables], None]:
    def change(given: Tables) -> None:
        given[name] = given[name].drop(**what)

    return change


CASES = [
    (drop("buses", columns="vn_kv"), "buses: column 'vn_kv' [kV] is missing"),
    (repeat_row("buses"), "buses: bus 'a': appears more than once"),
    (repeat_row("lines"), "lines: line 'ab': appears more than once"),
    (set_cell("buses", "b", "vn_kv", np.nan), "buses: bus 'b': vn_kv=nan kV: must not be NaN"),
    (set_cell("buses", "b", "load_p_mw", -3.0), "load_p_mw=-3.0 MW: must be at least 0"),
    (set_cell("buses", "b", "latitude", 95.0), "latitude=95.0 degree: must be at most 90"),
    (set_cell("lines", "bc", "to_bus", "z"), "lines: line 'bc': to_bus 'z' does not exist"),
    (set_cell("lines", "bc", "to_bus", "b"), "lines: line 'bc': begins and ends at bus 'b'"),
    (set_cell("lines", "bc", "x_pu", 0.0), "x_pu=0.0 pu: must not be zero"),
    (set_cell("lines", "bc", "rate_mw", -100.0), "rate_mw=-100.0 MW: must be above 0"),
    (set_cell("lines", "bc", "rate_mw", "high"), "rate_mw=high MW: must be a number"),
    (set_cell("lines", slice(None), "rate_lte_mw", 90.0), "rate_lte_mw=90.0 MW is below rate_mw=100.0 MW"),
    (set_cell("lines", slice(None), "kind", "cable"), "kind 'cable' is unknown"),
    (set_cell("lines", slice(None), "tap_ratio", 1.02), "a line with tap_ratio=1.02"),
    (set_cell("buses", "b", "vn_kv", 230.0), "lines: line 'ab': connects 138.0 kV and 230.0 kV"),
    (drop("lines", index=["bc", "ac"]), "buses: 'c': 1 bus(es) that no line connects to bus 'a'"),
    (set_cell("links", "dc", "to_bus", "z"), "links: link 'dc': to_bus 'z' does not exist"),
    (set_cell("links", "dc", "p_max_mw", -1.0), "p_max_mw=-1.0 MW: must be at least 0"),
    (set_cell("generators", "g", "bus", "z"), "generators: gen 'g': bus 'z' does not exist"),
    (set_cell("generators", "g", "p_min_mw", 60.0), "p_min_mw=60.0 MW is above p_max_mw=50.0 MW"),
    (set_cell("generators", "g", "p_max_mw", -50.0), "p_max_mw=-50.0 MW: must be at least 0"),
    (
        set_cell("generators", "g", "no_load_cost_per_h", 5.0),
        "no_load_cost_per_h=5.0 on a unit that may stand",
    ),
    (set_cell("segments", 1, "cost_per_mwh", 9.0), "cost_per_mwh 10, 9 falls with output: not convex"),
    (set_cell("segments", 1, "p_mw", 10.0), "segments of 40 MW in all, but it can vary over 50 MW"),
    (set_cell("segments", 1, "gen", "z"), "gen 'z' does not exist"),
    (set_cell("units", "w", "bus", "z"), "units: unit 'w': bus 'z' does not exist"),
    (set_cell("units", "w", "technology", "tidal"), "technology 'tidal' is unknown"),
    (set_cell("units", "w", "p_nom_mw", np.inf), "p_nom_mw=inf MW: must be finite"),
    (set_cell("storage", "s", "e_initial_mwh", 30.0), "e_initial_mwh=30.0 MWh is above e_max_mwh=20.0 MWh"),
]


@pytest.mark.parametrize(("change", "message"), CASES, ids=[message for _, message in CASES])
def test_each_mistake_is_named(change: Callable[[Tables], None], message: str) -> None:
    make_grid(name="right", **tables())
    given = tables()
    change(given)
    with pytest.raises(InputError) as error:
        make_grid(name="wrong", **given)
    assert message in str(error.value)


def test_all_mistakes_are_named_at_once() -> None:
    given = tables()
    for change, _ in (CASES[3], CASES[6], CASES[20], CASES[26]):
        change(given)
    with pytest.raises(InputError) as error:
        make_grid(name="wrong", **given, reference_bus="q", connection_limit_mw={"v": 5.0})
    text = str(error.value)
    for part in (CASES[3][1], CASES[6][1], CASES[20][1], CASES[26][1], "reference_bus 'q'", "unit 'v'"):
        assert part in text


def test_a_grid_without_buses_is_refused() -> None:
    none = pd.DataFrame({"vn_kv": [], "latitude": [], "longitude": []})
    with pytest.raises(InputError, match="the grid has none"):
        make_grid(name="empty", buses=none, lines=tables()["lines"].iloc[:0])


def test_units_that_share_weather_share_a_place() -> None:
    given = tables()
    given["units"] = pd.concat([given["units"], given["units"].rename({"w": "v"})])
    given["units"]["latitude"] = [35.0, 36.0]
    with pytest.raises(InputError, match="weather_site 'c': units at 2 different places"):
        make_grid(name="wrong", **given)


def test_only_wind_and_pv_count_as_curtailment() -> None:
    given = tables()
    given["units"] = given["units"].assign(technology="hydro", counts_as_curtailment=True)
    with pytest.raises(InputError, match="'hydro' counts as curtailment"):
        make_grid(name="wrong", **given)


@settings(max_examples=25)
@given(grids())
def test_random_grids_are_valid(grid: Grid) -> None:
    assert_valid_grid(grid)


def test_a_tampered_grid_is_found_out() -> None:
    grid = make_grid(name="right", **tables())
    assert validate_grid(grid) == []
    found = validate_grid(replace(grid, ptdf=grid.ptdf[:2], utc_offset_h=40.0))
    assert [f.where for f in found] == ["ptdf", "utc_offset_h"]
