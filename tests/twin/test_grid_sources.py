from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import JsonValue

from grid_models import GridEntry, load_grid
from tests.grid_models.test_catalog_matpower import CASE
from twin import load_scenario
from twin.cli import main
from twin.forcing import input_files, make_forcing, study_time
from twin.grid_list import grid_lines
from twin.scenario_checks import build_grid
from weather import InputError

SITES: list[JsonValue] = [{"name": "a", "bus": 2, "n_gpus": 16}, {"name": "b", "bus": 3, "n_gpus": 16}]


def scenario(options: dict[str, JsonValue], **more: JsonValue) -> dict[str, JsonValue]:
    grid: dict[str, JsonValue] = {"name": "g", "source": "matpower", "options": options, **more}
    time: JsonValue = {"start": "2021-06-02T00:00Z", "days": 1, "drain_days": 1, "history_days": 1}
    return {"name": "s", "time": time, "grids": [grid], "sites": SITES}


@pytest.fixture
def case(tmp_path: Path) -> str:
    path = tmp_path / "tiny.m"
    path.write_text(CASE, encoding="utf-8")
    return str(path)


def test_a_case_with_tables_drives_a_study(case: str, tmp_path: Path) -> None:
    units = tmp_path / "units.csv"
    pd.DataFrame([{"unit": "sun", "bus": 3, "technology": "pv", "p_nom_mw": 20.0}]).to_csv(units, index=False)
    options: dict[str, JsonValue] = {
        "case": case,
        "latitude": 40.0,
        "longitude": -90.0,
        "utc_offset_h": -6.0,
        "units": str(units),
        "rate_mw": {"138": 70.0},
        "renewables": {"wind": 0.5},
        "renewable_buses": [1],
    }
    made = load_scenario(scenario(options))
    forcing = make_forcing(made, made.grids[0])
    power = forcing.generation["available_p_mw"]
    assert power["unit"].to_numpy().tolist() == ["gen_3", "gen_4", "wind_1", "sun"]
    assert power.sel(unit="sun").max() > 0
    np.testing.assert_allclose(power.sel(unit="gen_4"), 8.0)
    np.testing.assert_allclose(forcing.load.sum("bus"), 62.0)
    assert [path.name for path in input_files(made)] == ["units.csv", "tiny.m"]


def test_series_of_another_year_are_laid_on_the_run_by_local_standard_time(case: str, tmp_path: Path) -> None:
    time = pd.date_range("2015-01-01T06:00Z", periods=365 * 24, freq="h")
    hour_of_year = np.arange(len(time), dtype=float) / 1000.0
    table = pd.DataFrame({"time": time.strftime("%Y-%m-%dT%H:%MZ"), "2": hour_of_year, "3": 0.0})
    table.to_csv(tmp_path / "load.csv", index=False)
    options: dict[str, JsonValue] = {
        "case": case,
        "latitude": 40.0,
        "longitude": -90.0,
        "utc_offset_h": -6.0,
        "load": str(tmp_path / "load.csv"),
    }
    made = load_scenario(scenario(options, weather={"source": "synthetic"}))
    load = make_forcing(made, made.grids[0]).load
    steps = study_time(made)
    # The table begins at midnight of local standard time; 2021 has no leap day before June either.
    local = steps.tz_localize(None) - pd.Timedelta("6h")
    expected = ((local.dayofyear - 1) * 24 + local.hour) / 1000.0
    np.testing.assert_allclose(load.sel(bus="2"), expected)


def test_recorded_series_of_the_same_year_stay_as_they_are() -> None:
    made = load_scenario("recorded")
    section = made.grids[0]
    forcing = make_forcing(made, section)
    grid, time = build_grid(section), study_time(made)
    np.testing.assert_array_equal(forcing.load, grid.load(time))


def test_the_default_study_may_begin_in_any_year() -> None:
    made = load_scenario("recorded", overrides=["time.start=2023-04-06T08:00Z", "time.days=1"])
    shifted = make_forcing(made, made.grids[0])
    same = load_scenario("recorded", overrides=["time.start=2020-04-06T08:00Z", "time.days=1"])
    recorded = make_forcing(same, same.grids[0])
    np.testing.assert_array_equal(shifted.load, recorded.load)
    np.testing.assert_array_equal(shifted.generation["available_p_mw"], recorded.generation["available_p_mw"])


WRONG: list[tuple[dict[str, JsonValue], str]] = [
    ({"case": "case118"}, "grids.0.options: grid 'g' has no wind, PV or other weather-driven unit"),
    ({"case": "case0"}, "grids.0.options.case: 'case0' is none of the"),
    ({"case": "case118", "code": "x"}, "grids.0.options.code: is no option of this source"),
    ({"case": "case118", "rate": 3}, "grids.0.options.rate: unknown key; valid keys here: case, code"),
    ({"case": "case118", "renewables": {"tidal": 0.1}}, "'tidal' cannot be placed"),
    ({"case": "case118", "units": "nowhere.csv"}, "nowhere.csv: no such file"),
    (
        {"case": "case118", "units": [{"unit": "w", "bus": "x9", "technology": "wind", "p_nom_mw": 1.0}]},
        "unit 'w': bus 'x9' does not exist",
    ),
    ({}, "grids.0.options.case: is missing and has no default"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_options_are_told_with_their_place(options: dict[str, JsonValue], message: str) -> None:
    with pytest.raises(InputError) as error:
        load_scenario(scenario(options))
    assert message in str(error.value)


def test_validate_ends_with_2_for_a_broken_case_and_writes_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.m").write_text(CASE[: len(CASE) // 3], encoding="utf-8")
    (tmp_path / "net.json").write_text('{"_class": ', encoding="utf-8")
    for source, option, message in (
        ("matpower", f"case: {tmp_path / 'cut.m'}", "mpc.branch: is missing or does not end with '];'"),
        ("pandapower_file", f"path: {tmp_path / 'net.json'}", "is no complete JSON"),
        ("pandapower_case", "case: case_none", "'case_none' is not in pandapower.networks"),
    ):
        file = tmp_path / "scenario.yaml"
        file.write_text(
            f"grids: [{{name: g, source: {source}, options: {{{option}}}}}]\n"
            "sites: [{name: a, bus: 1, n_gpus: 8}]\n",
            encoding="utf-8",
        )
        assert main(["validate", str(file)]) == 2
        assert message in capsys.readouterr().err


def test_validate_notes_what_is_odd(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "name: s\ngrids: [{name: g, source: matpower, "
        f"options: {{case: {case}, latitude: 40, longitude: -90}}}}]\n"
        "sites: [{name: a, bus: 1, n_gpus: 8}, {name: b, bus: 2, n_gpus: 8}]\n",
        encoding="utf-8",
    )
    assert main(["validate", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "note on grid g: source: 1 isolated buses (type 4) are left out" in shown
    assert "note on grid g: lines: 1 of 3 have no rating: branch_2" in shown
    assert shown.endswith("no findings\n")


def test_the_list_of_grids_names_sources_and_sizes() -> None:
    lines = grid_lines()
    assert "rts_gmlc: RTS-GMLC with its series of 2020" in lines
    assert "  case118: 118 buses, 186 lines, 54 generators, 0 units; costs" in lines
    assert any(line.startswith("simbench: ") and line.endswith("(option code)") for line in lines)


def test_codes_that_differ_in_their_ends_share_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["1-MV-rural--0-sw", "1-MV-rural--1-sw", "1-MV-rural--0-no_sw", "1-EHV-mixed--0-sw"]
    entries = [GridEntry("simbench", name) for name in names]
    entries[0] = GridEntry("simbench", names[0], 95, 95, 1, 102, ("series",))
    monkeypatch.setattr("twin.grid_list.list_grids", lambda _source: entries)
    assert grid_lines("simbench") == [
        "1-MV-rural--{0,1}-{no_sw,sw}",
        "1-EHV-mixed--0-sw",
        "1-MV-rural--0-sw: 95 buses, 95 lines, 1 generators, 102 units; series",
    ]


def test_list_takes_a_source_for_grids_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "grids", "rts_gmlc"]) == 0
    assert capsys.readouterr().out.startswith("rts_gmlc: 73 buses, 120 lines")
    assert main(["list", "grids", "nowhere"]) == 2
    assert main(["list", "readers", "epw"]) == 2
    assert "readers have no sources" in capsys.readouterr().err


def test_a_grid_can_be_loaded_by_what_the_list_says() -> None:
    assert load_grid("matpower", case="case_ACTIVSg200").units["technology"].tolist() == ["wind"] * 6
