from __future__ import annotations

import pytest

from grid_models import CATALOG, SOURCES, list_grids, load_grid, source_options
from grid_models.catalog.matpower_file import installed_cases
from weather import InputError


def test_every_source_is_described_and_names_its_options() -> None:
    assert list(SOURCES) == list(CATALOG)
    for source, (text, option) in SOURCES.items():
        options = source_options(source)
        assert text
        assert [name for name, is_required in options.items() if is_required] == ([option] if option else [])
    assert {"must_run", "renewables", "units"} <= set(source_options("simbench"))


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'rts' is unknown; use one of rts_gmlc, matpower, simbench"):
        load_grid("rts")
    with pytest.raises(InputError, match="'rts' is unknown; use one of"):
        list_grids("rts")


def test_the_short_list_has_sizes_and_what_there_is() -> None:
    entries = {(entry.source, entry.name): entry for entry in list_grids()}
    assert all(entry.n_buses for entry in entries.values())
    texas = entries["matpower", "case_ACTIVSg2000"]
    assert (texas.n_buses, texas.n_lines, texas.n_generators, texas.n_units) == (2000, 3206, 410, 134)
    assert texas.has == ("ratings", "costs", "fuels")
    assert entries["matpower", "case118"].has == ("costs",)


def test_sizes_that_are_told_are_those_of_the_grids() -> None:
    place = {"latitude": 50.0, "longitude": 0.0, "cost_per_mwh": 1.0}
    for entry in list_grids():
        if entry.source == "rts_gmlc":
            grid = load_grid()
        elif entry.source == "pandapower_case":
            grid = load_grid("pandapower_case", case=entry.name, **place)
        else:
            continue  # those of SimBench and MATPOWER are checked where they are loaded
        size = len(grid.buses), len(grid.lines), len(grid.generators), len(grid.units)
        assert size == (entry.n_buses, entry.n_lines, entry.n_generators, entry.n_units), entry.name


def test_all_cases_of_a_source_are_listed() -> None:
    entries = list_grids("matpower")
    assert [entry.name for entry in entries] == list(installed_cases())
    assert all(entry.n_buses and entry.n_lines for entry in entries)
    names = [entry.name for entry in list_grids("pandapower_case")]
    assert {"case9", "case39", "GBnetwork", "mv_oberrhein"} <= set(names)
    assert list_grids("pandapower_file") == []
    assert [entry.name for entry in list_grids("rts_gmlc")] == ["rts_gmlc"]
    codes = {entry.name: entry for entry in list_grids("simbench")}
    assert len(codes) > 200
    assert codes["1-MV-rural--0-sw"].n_buses == 95
    assert codes["1-LV-rural1--0-sw"].n_buses is None
