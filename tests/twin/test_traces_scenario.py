"""Recorded traces in scenarios: what `twin validate` says, and that jobs are made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from twin.forcing import input_files
from twin.preparation import make_jobs
from twin.scenario_checks import validate
from twin.sites import make_sites
from weather import InputError

SITES: JsonValue = [{"name": "a", "bus": "303", "n_gpus": 256}]
JOBS = "j0,i0,u,Terminated,4550879.0,4554479.0\n"
TASKS = "j0,worker,3.0,Terminated,4550879.0,4554479.0,600.0,29.3,50.0,T4\n"
SWF = "; Version: 2.2\n" + "1 0 10 3600 16 -1 -1 16 -1 -1 1 3 1 -1 1 -1 -1 -1\n" * 3
HELIOS = (
    "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
    "1,u,v,2,1,1,COMPLETED,2020-06-09 18:00:00,2020-06-09 18:00:00,2020-06-09 20:00:00,7200,0\n"
)


def write(folder: Path, text: str, name: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def findings(jobs: JsonValue) -> list[str]:
    with pytest.raises(InputError) as error:
        validate({"sites": SITES, "jobs": jobs})
    return [str(finding) for finding in error.value.findings]


def test_all_findings_about_a_trace_come_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, HELIOS, "log.csv")
    found = findings({"source": "pai", "path": path, "processors_per_gpu": 4, "clock": "Mars"})
    assert found == [
        "jobs.clock: is given, but pai has no use for it; remove it",
        "jobs.tasks_path: is missing: pai needs it; give the task table, pai_task_table.csv: it has the GPUs",
        "jobs.processors_per_gpu: is given, but pai has no use for it; remove it",
        "jobs.clock: no clock 'Mars'; give a name such as Asia/Shanghai, or an offset as +08:00",
        f"jobs.path: {path}: looks like helios, not like pai; name the right file, or the right format",
    ]


def test_needs_of_each_format(tmp_path: Path) -> None:
    path = write(tmp_path, HELIOS, "log.csv")
    (found,) = findings({"source": "helios", "path": path})
    assert found.startswith("jobs.clock: is missing: helios needs it; give the clock of the stamps")
    swf = write(tmp_path, SWF, "log.swf")
    assert findings({"source": "swf", "path": swf})[0].startswith("jobs.processors_per_gpu: is missing")
    table = write(tmp_path, "a,b\n1,2\n", "table.csv")
    columns: JsonValue = {"submit": "a", "gpus": "cards"}
    assert findings({"source": "table", "path": table, "columns": columns})[0].startswith(
        "jobs.columns.duration"
    )
    columns = {"submit": "a", "gpus": "cards", "duration": "b"}
    assert findings({"source": "table", "path": table, "columns": columns}) == [
        "jobs.path: column 'cards': is missing; the file has a, b"
    ]
    pai = write(tmp_path, JOBS, "jobs.csv")
    assert findings({"source": "pai", "path": pai, "tasks_path": "/nowhere.csv"}) == [
        "jobs.tasks_path: no such file: /nowhere.csv"
    ]
    (found,) = findings({"source": "pai", "path": pai, "tasks_path": pai})
    assert found.startswith(f"jobs.tasks_path: {pai}: line 1 has 6 columns; expected job_name, task_name")


def test_a_synthetic_trace_takes_nothing_of_a_file() -> None:
    assert findings({"clock": "UTC", "censored": "drop"}) == [
        "jobs.censored: a synthetic trace has no use for it; remove it, or name another source",
        "jobs.clock: a synthetic trace has no use for it; remove it, or name another source",
    ]


def test_columns_that_the_header_lacks_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, HELIOS.replace(",vc,", ",virtual,"), "log.csv")
    (found,) = findings({"source": "helios", "path": path, "clock": "UTC"})
    assert "the header lacks vc, which helios has" in found


@pytest.mark.parametrize(
    ("files", "jobs", "gpu_h"),
    [
        ({"path": ("jobs.csv", JOBS), "tasks_path": ("tasks.csv", TASKS)}, {"source": "pai"}, 2.0),
        ({"path": ("log.swf", SWF)}, {"source": "swf", "processors_per_gpu": 8}, 2.0),
        ({"path": ("log.csv", HELIOS)}, {"source": "helios", "clock": "Asia/Shanghai"}, 4.0),
    ],
)
def test_jobs_of_a_scenario_are_those_of_its_trace(
    tmp_path: Path, files: dict[str, tuple[str, str]], jobs: dict[str, JsonValue], gpu_h: float
) -> None:
    paths = {key: write(tmp_path, text, name) for key, (name, text) in files.items()}
    scenario = validate({"sites": SITES, "jobs": {**jobs, **paths}, "time": {"days": 1}, "fleet_scale": 1})
    sites = make_sites(name=["a"], grid=[0], bus=["303"], n_gpus=[256], latitude=[33.0], longitude=[-115.0])
    made = make_jobs(scenario, sites)
    assert set(made["work_gpu_h"]) == {gpu_h}
    assert made.attrs["preparation"]["trace"] == jobs["source"]
    assert {str(p) for p in input_files(scenario)} >= set(paths.values())
