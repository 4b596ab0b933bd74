from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from distributed import LocalCluster
from pydantic import JsonValue

from twin import load_batch, open_result, run_batch
from twin.cli import main
from weather import InputError

BASE: dict[str, JsonValue] = {
    "name": "tiny",
    "time": {"start": "2020-02-19T08:00Z", "days": 1, "drain_days": 0, "history_days": 1, "tick_s": 1800},
    "jobs": {"mean_gpus": 60},
    "grids": [{"weather": {"source": "recorded"}}],
    "sites": [{"name": "a", "bus": 303, "n_gpus": 80}, {"name": "b", "bus": 101, "n_gpus": 80}],
    "policies": ["static"],
    "fleet_scale": 300,
}
TWENTY_FOUR: list[JsonValue] = [
    {"key": "policies", "values": [["static"], ["energy_greedy"], ["feasibility_aware"]]},
    {"key": "seed", "values": [1, 2]},
    {"key": "wan.access_gbit_per_s", "values": [10, 50, 100, 200]},
]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a scheduler with two workers."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster.scheduler_address


def batch_file(folder: Path, axes: list[JsonValue], **changes: JsonValue) -> Path:
    path = folder / "batch.yaml"
    path.write_text(
        yaml.safe_dump({"name": "test", "base": {**BASE, **changes}, "axes": axes}), encoding="utf-8"
    )
    return path


def checksums(folder: Path) -> dict[str, str]:
    """Checksum of every file by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_shipped_batch_has_24_scenarios_that_are_all_valid() -> None:
    batch = load_batch("example")
    assert len(batch.scenarios()) == 24
    assert next(iter(batch.points)) == "0000_policies-static_seed-1_access_gbit_per_s-10"
    assert batch.base["time"]["days"] == 2  # type: ignore[call-overload,index]


def test_the_first_axis_varies_slowest() -> None:
    axes: list[JsonValue] = [{"key": "seed", "values": [1, 2]}, {"key": "wan.goodput", "values": [0.5, 0.9]}]
    batch = load_batch({"base": BASE, "axes": axes})
    assert [list(point.values()) for point in batch.points.values()] == [
        [1, 0.5],
        [1, 0.9],
        [2, 0.5],
        [2, 0.9],
    ]


def test_spawned_seeds_are_those_of_a_seed_sequence() -> None:
    batch = load_batch({"base": {**BASE, "seed": 5}, "axes": [{"key": "seed", "spawn": 3}]})
    children = np.random.SeedSequence(5).spawn(3)
    expected = [int(child.generate_state(1, np.uint32)[0]) for child in children]
    assert [point["seed"] for point in batch.points.values()] == expected


def test_a_batch_without_values_or_with_unknown_keys_is_refused() -> None:
    with pytest.raises(InputError, match=r"axes\.0: needs either values or spawn"):
        load_batch({"base": BASE, "axes": [{"key": "seed"}]})
    with pytest.raises(InputError, match=r"axess: .*valid keys here: schema_version, name"):
        load_batch({"base": BASE, "axes": [{"key": "seed", "spawn": 1}], "axess": []})


def test_a_batch_in_which_nothing_is_valid_is_refused(tmp_path: Path) -> None:
    batch = load_batch({"base": BASE, "axes": [{"key": "wan.goodputt", "values": [0.5, 0.9]}]})
    with pytest.raises(InputError, match=r"no scenario of 2 is valid: 1 finding\n.*goodputt: unknown key"):
        run_batch(batch, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_directory_and_another_batch_are_refused(tmp_path: Path) -> None:
    batch = load_batch({"base": BASE, "axes": [{"key": "seed", "values": [1]}]})
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not empty and holds no batch"):
        run_batch(batch, tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "batch.yaml").write_text("name: other\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds another batch"):
        run_batch(batch, tmp_path / "other")


def test_an_interrupted_start_is_gone_on_with_and_results_of_other_code_are_made_again(
    tmp_path: Path, scheduler: str
) -> None:
    batch = load_batch({"base": BASE, "axes": [{"key": "seed", "values": [1, 2]}]})
    (tmp_path / ".batch.yaml.new-1").touch()
    first = run_batch(batch, tmp_path, client=scheduler)
    kept, old = (tmp_path / "scenarios" / name / "provenance.json" for name in first.done)
    (tmp_path / "scenarios" / ".left.old-1").mkdir()
    made = old.read_text(encoding="utf-8")
    old.write_text(json.dumps({**json.loads(made), "code_sha256": "0"}), encoding="utf-8")
    before = kept.stat().st_mtime_ns
    assert run_batch(batch, tmp_path, client=scheduler) == first
    assert old.read_text(encoding="utf-8") == made
    assert kept.stat().st_mtime_ns == before
    assert not list(tmp_path.rglob(".*"))


def test_one_failing_scenario_is_recorded_and_does_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scheduler: str
) -> None:
    # Bus 999 does not exist; jobs wider than 2 x 300 GPUs fit nowhere, which shows only while it runs.
    axes: list[JsonValue] = [
        {"key": "sites.0.bus", "values": [303, 999]},
        {"key": "jobs.max_gpus", "values": [2, 64]},
    ]
    sites: list[JsonValue] = [{"name": "a", "bus": 303, "n_gpus": 2}]
    path = batch_file(tmp_path, axes, sites=sites)
    assert main(["batch", str(path), "-o", str(tmp_path / "out"), "--scheduler", scheduler]) == 1
    said = capsys.readouterr()
    assert "1 of 4 scenarios done" in said.out
    assert "can train on 600" in said.err
    files = sorted((tmp_path / "out" / "failures").rglob("failure.json"))
    failures = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert [failure["error"] for failure in failures] == ["InputError"] * 3
    assert [failure["findings"][0].split(":")[0] for failure in failures] == [
        "jobs.n_gpus",
        "sites.0.bus",
        "sites.0.bus",
    ]
    assert len(pd.read_csv(tmp_path / "out" / "summary.csv")) == 1


def test_a_batch_killed_half_way_ends_with_the_same_store(tmp_path: Path, scheduler: str) -> None:
    path = batch_file(tmp_path, TWENTY_FOUR)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    outcome = run_batch(load_batch(path), whole, client=scheduler)
    assert (len(outcome.done), outcome.failed) == (24, {})

    command = f"from twin.cli import main; main(['batch', {str(path)!r}, '-o', {str(killed)!r}])"
    process = subprocess.Popen([sys.executable, "-c", command], start_new_session=True, cwd=Path.cwd())
    deadline = time.monotonic() + 300
    while len(list((killed / "scenarios").glob("0*"))) < 8:
        assert process.poll() is None, "the batch ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    n_before = len(list((killed / "scenarios").glob("0*")))
    assert 8 <= n_before < 24

    again = run_batch(load_batch(path), killed, client=scheduler)
    assert len(again.done) == 24
    assert checksums(killed) == checksums(whole)
    assert not list(killed.rglob(".*"))
    # One weather and grid: one forcing and one baseline; signals once per seed of the sites' temperature.
    stages = sorted(path.name.split("-")[0] for path in (whole / "stages").iterdir())
    assert stages == ["baseline", "forcing", "signals", "signals"]
    table = pd.read_parquet(whole / "summary.parquet")
    assert len(table) == 24
    assert set(table["axis.wan.access_gbit_per_s"]) == {10, 50, 100, 200}
    one = open_result(whole / "scenarios" / outcome.done[5])
    assert one.scenario.wan.access_gbit_per_s == 50
    assert run_batch(load_batch(path), whole).done == outcome.done
