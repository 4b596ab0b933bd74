from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.weather.weather_files import nsrdb_rows, nsrdb_text, wtk_text
from twin import open_result
from twin.cli import main
from weather import SolverError

Say = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Say:
    """Everything written to standard output and standard error."""

    def read() -> str:
        captured = capsys.readouterr()
        return captured.out + captured.err

    return read


def scenario_file(folder: Path, **changes: object) -> Path:
    """Write a small scenario with some keys replaced."""
    values: dict[str, object] = {
        "name": "small",
        "time": {"start": "2020-03-16T08:00Z", "days": 1, "drain_days": 0, "history_days": 1},
        "sites": [{"name": "a", "bus": 303, "n_gpus": 80}],
        "policies": ["static"],
    }
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(values | changes), encoding="utf-8")
    return path


def weather_scenario(folder: Path, solar: str, wind: str | None = None) -> Path:
    """Write a scenario on weather files of the given texts."""
    (folder / "solar.csv").write_text(solar, encoding="utf-8")
    (folder / "wind.csv").write_text(wtk_text() if wind is None else wind, encoding="utf-8")
    files = [{"site": "plain", "solar": str(folder / "solar.csv"), "wind": str(folder / "wind.csv")}]
    return scenario_file(folder, grids=[{"weather": {"source": "files", "files": files}}])


def refused(folder: Path, scenario: Path, said: Say, *messages: str) -> None:
    """Run a scenario that must be refused: exit code 2, the messages, nothing written."""
    before = sorted(folder.rglob("*"))
    assert main(["run", str(scenario), "-o", str(folder / "out" / "result"), "--no-progress"]) == 2
    text = said()
    assert "bad input" in text
    for message in messages:
        assert message in text, text
    assert sorted(folder.rglob("*")) == before


def test_weather_files_are_fine_when_they_are(tmp_path: Path, said: Say) -> None:
    path = weather_scenario(tmp_path, nsrdb_text())
    assert main(["run", str(path), "-o", str(tmp_path / "out"), "--no-progress"]) == 0
    assert str(tmp_path / "out" / "report.html") in said()


def plain_weather(folder: Path, start: str, periods: int, freq: str) -> Path:
    """Write a table of the user's own: 800 W/m² from 15 to 23 h UTC, wind of 8 m/s, 20 °C."""
    time = pd.date_range(start, periods=periods, freq=freq, tz="UTC")
    day = (time.hour >= 15) & (time.hour < 23)
    table = pd.DataFrame(
        {
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sun [W/m2]": np.where(day, 800.0, 0.0),
            "beam [W/m2]": np.where(day, 700.0, 0.0),
            "sky [W/m2]": np.where(day, 200.0, 0.0),
            "air [degC]": 20.0,
            "wind [m/s]": 8.0,
        }
    )
    path = folder / "own.csv"
    table.to_csv(path, index=False)
    return path


OWN_TABLE = {
    "source": "csv",
    "partial": True,
    "time_column": "when",
    "label": "left",
    "latitude": 35.0,
    "longitude": -115.0,
    "altitude": 600.0,
    "accept": ["clock", "closure", "stuck"],
    "columns": {
        "ghi": "sun [W/m2]",
        "dni": "beam [W/m2]",
        "dhi": "sky [W/m2]",
        "temp_air": "air [degC]",
        "wind_speed@80": "wind [m/s]",
    },
}


# The second one begins and ends in the middle of an hour: blocks are the run's, and not the file's.
@pytest.mark.parametrize(("start", "periods"), [("2020-03-10T00:00", 480), ("2020-03-09T23:30", 482)])
def test_a_table_of_the_user_s_own_drives_the_run_on_its_own_dates(
    tmp_path: Path, start: str, periods: int
) -> None:
    path = plain_weather(tmp_path, start, periods, "30min")
    files = [{"site": "own", "solar": str(path), "solar_read": OWN_TABLE}]
    scenario = scenario_file(tmp_path, grids=[{"weather": {"source": "files", "files": files}}])
    assert main(["run", str(scenario), "-o", str(tmp_path / "out"), "--no-progress"]) == 0
    weather = open_result(tmp_path / "out").data["weather/rts_gmlc/own"]
    assert weather.attrs["calendar"] == "its own dates"
    assert weather["ghi"].sel(time="2020-03-16T15:00").item() == 800.0
    assert weather["ghi"].sel(time="2020-03-16T14:00").item() == 0.0


def test_a_table_that_ends_too_early_is_told_which_dates_are_needed(tmp_path: Path, said: Say) -> None:
    path = plain_weather(tmp_path, "2020-03-10T00:00", 48 * 6, "30min")
    files = [{"site": "own", "solar": str(path), "solar_read": OWN_TABLE}]
    scenario = scenario_file(tmp_path, grids=[{"weather": {"source": "files", "files": files}}])
    refused(tmp_path, scenario, said, "holds 2020-03-10T00:00:00+00:00 to 2020-03-16T00:00", "the run needs")


def test_what_a_table_needs_to_say_is_asked_for_and_unknown_readers_are_refused(
    tmp_path: Path, said: Say
) -> None:
    path = plain_weather(tmp_path, "2020-03-10T00:00", 48 * 10, "30min")
    for read, messages in (
        ({"source": "csv"}, ("own.csv", "columns")),
        ({**OWN_TABLE, "source": "cvs"}, ("grids.0.weather.files.0.solar_read.source", "'cvs'", "csv")),
        ({**OWN_TABLE, "column": {}}, ("solar_read.column: unknown key",)),
    ):
        files = [{"site": "own", "solar": str(path), "solar_read": read}]
        scenario = scenario_file(tmp_path, grids=[{"weather": {"source": "files", "files": files}}])
        refused(tmp_path, scenario, said, *messages)


def test_a_missing_column(tmp_path: Path, said: Say) -> None:
    path = weather_scenario(tmp_path, nsrdb_text(nsrdb_rows().drop(columns="GHI")))
    refused(tmp_path, path, said, "solar.csv", "GHI")


def test_a_gap(tmp_path: Path, said: Say) -> None:
    path = weather_scenario(tmp_path, nsrdb_text(nsrdb_rows().drop(index=range(2000, 2005))))
    refused(tmp_path, path, said, "solar.csv", "5", "2013-03-25")


def test_a_wrong_unit(tmp_path: Path, said: Say) -> None:
    path = weather_scenario(tmp_path, nsrdb_text(Temperature_Units="furlong"))
    refused(tmp_path, path, said, "solar.csv", "Temperature")


def test_a_file_that_was_cut_off(tmp_path: Path, said: Say) -> None:
    text = nsrdb_text()
    refused(tmp_path, weather_scenario(tmp_path, text[: len(text) // 2 - 7]), said, "solar.csv")


def test_a_naive_time(tmp_path: Path, said: Say) -> None:
    path = scenario_file(tmp_path, time={"start": "2020-03-16T08:00", "days": 1})
    refused(tmp_path, path, said, "time.start: naive time '2020-03-16T08:00'; say the time zone")


def test_an_unknown_key(tmp_path: Path, said: Say) -> None:
    path = scenario_file(tmp_path, wna={"goodput": 0.9})
    refused(tmp_path, path, said, "wna: unknown key; valid keys here: schema_version, name", "wan,")


def test_a_bus_that_does_not_exist(tmp_path: Path, said: Say) -> None:
    path = scenario_file(tmp_path, sites=[{"name": "a", "bus": 999, "n_gpus": 8}])
    refused(tmp_path, path, said, "sites.0.bus: grid 'rts_gmlc' has no bus '999'")


def test_a_negative_capacity(tmp_path: Path, said: Say) -> None:
    limits = [{"name": "a", "bus": 303, "n_gpus": 8, "import_limit_mw": -1}]
    grids = [{"options": {"connection_limit_mw": {"303_WIND_1": -200}}}]
    path = scenario_file(tmp_path, sites=limits, grids=grids, wan={"access_gbit_per_s": -10})
    refused(
        tmp_path,
        path,
        said,
        "3 findings",
        "sites.0.import_limit_mw: -1 is out of range",
        "grids.0.options.connection_limit_mw.303_WIND_1: -200 is out of range",
        "wan.access_gbit_per_s: -10 is out of range",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [("timestamp,duration,num_gpus,gpu_time,cluster\n", "rows: there is none"), ("", "the file is empty")],
)
def test_an_empty_trace(tmp_path: Path, said: Say, text: str, message: str) -> None:
    (tmp_path / "trace.csv").write_text(text, encoding="utf-8")
    path = scenario_file(tmp_path, jobs={"source": "philly", "path": str(tmp_path / "trace.csv")})
    refused(tmp_path, path, said, message)


def test_text_that_is_no_yaml(tmp_path: Path, said: Say) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("sites: [{name: a\n", encoding="utf-8")
    refused(tmp_path, path, said, "not readable as YAML")


def test_a_scenario_that_is_no_text(tmp_path: Path, said: Say) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_bytes(bytes(range(255, 127, -1)))
    refused(tmp_path, path, said, "byte 0 is no UTF-8 text; give a text file")


def test_jobs_that_no_site_can_hold(tmp_path: Path, said: Say) -> None:
    path = scenario_file(tmp_path, sites=[{"name": "a", "bus": 303, "n_gpus": 2}])
    refused(tmp_path, path, said, "the largest site, 'a', can train on 2")


def test_a_directory_that_holds_something_else(tmp_path: Path, said: Say) -> None:
    path = scenario_file(tmp_path)
    out = tmp_path / "out" / "result"
    out.mkdir(parents=True)
    (out / "thesis.tex").touch()
    refused(tmp_path, path, said, "is not empty and holds no result; name a new or an empty directory")


def test_validate_says_what_is_wrong_or_that_nothing_is(tmp_path: Path, said: Say) -> None:
    assert main(["validate", "default"]) == 0
    assert "8 sites, 3 policies, no findings" in said()
    assert main(["validate", str(scenario_file(tmp_path)), "--set", "time.days=0"]) == 2
    assert "time.days: 0 is out of range" in said()


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("grids", ["rts_gmlc"]),
        ("readers", ["epw", "nsrdb", "wtk"]),
        ("traces", ["acme", "openb", "; needs tasks_path", "philly", "synthetic"]),
        ("models", ["resnet50", "llama3_70b", "recalled", "adamw_mixed"]),
        (
            "policies",
            ["static", "temporal", "energy_greedy", "feasibility_aware", "receding_horizon", "steered"],
        ),
        ("scenarios", ["default", "real_weather", "recorded"]),
        ("batches", ["example"]),
    ],
)
def test_list_names_what_a_scenario_can_name(what: str, names: list[str], said: Say) -> None:
    assert main(["list", what]) == 0
    text = said()
    assert all(name in text for name in names)


def test_run_writes_everything_and_report_writes_its_page_again(tmp_path: Path, said: Say) -> None:
    out = tmp_path / "deep" / "out"
    path = scenario_file(tmp_path)
    assert main(["run", str(path), "-o", str(out), "--no-progress", "--set", "seed=7"]) == 0
    assert "of bound" in said()
    names = {"scenario.yaml", "summary.json", "result.zarr", "report.html", "tables", "provenance.json"}
    assert {p.name for p in out.iterdir()} == names
    assert [p.name for p in out.parent.iterdir()] == ["out"]
    assert json.loads((out / "provenance.json").read_text(encoding="utf-8"))["seed"] == 7
    page = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").read_bytes() == page


def test_report_of_no_result_is_refused(tmp_path: Path, said: Say) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "lacks scenario.yaml" in said()


def test_feasibility_says_what_binds(said: Say) -> None:
    arguments = ["feasibility", "--checkpoint-gb", "100", "--bandwidth-gbit-per-s", "8.5", "--gpus", "8"]
    # Payload of 0.85 x 8.5 Gbit/s: transfer 110.73 s; save 50 s, load 350 s: 510.7 s, 0.71 of 12 min.
    assert main([*arguments, "--window-h", "0.2"]) == 0
    text = said()
    assert "not feasible: time binds" in text
    assert "class C" in text
    assert "migration time 510.7 s" in text
    assert main([*arguments, "--window-h", "20"]) == 0
    assert "class A" in said()


def test_a_failure_while_running_is_no_bad_input(
    tmp_path: Path, said: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SolverError("step 3 has no optimum")

    monkeypatch.setattr("twin.cli.run", fail)
    assert main(["run", str(scenario_file(tmp_path)), "-o", str(tmp_path / "out")]) == 1
    assert "failed: step 3 has no optimum" in said()
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, said: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("twin.study.write_report", interrupt)
    path = scenario_file(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["run", str(path), "-o", str(tmp_path / "out"), "--no-progress"]) == 130
    assert "interrupted" in said()
    assert sorted(tmp_path.rglob("*")) == before
