"""Batches: a base scenario and axes, run on a Dask cluster, resumable.

A batch directory holds ``batch.yaml`` (resolved), one result per scenario under ``scenarios/``, the shared
stages under ``stages/``, ``failures/`` where there are any, and at the end ``summary.csv`` and
``summary.parquet``. Every result appears by renaming, so what is there is whole; a batch that was killed
goes on with what is missing and ends with the same bytes as one that was not.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pandas as pd
from pydantic import JsonValue

from twin.batch_model import Batch
from twin.forcing import input_files
from twin.preparation import baseline_key, prepare_baselines
from twin.progress import Progress, silent
from twin.provenance import provenance
from twin.scenario import load_scenario
from twin.scenario_model import Scenario
from twin.scenario_text import dump_yaml, parse_yaml
from twin.stages import StageCache
from twin.store import is_result, write_json
from twin.study import run
from weather import Finding, Findings, InputError

if TYPE_CHECKING:
    from distributed import Client, Future


@dataclass(frozen=True)
class BatchOutcome:
    """What became of a batch.

    Attributes
    ----------
    scenarios : tuple of str
        All scenarios, in order.
    done : tuple of str
        Those with a result, from this run or an earlier one.
    failed : mapping of str to str
        Those that failed, with the message.
    """

    scenarios: tuple[str, ...]
    done: tuple[str, ...]
    failed: Mapping[str, str]


def run_batch(
    batch: Batch,
    directory: str | Path,
    *,
    client: Client | str | None = None,
    workers: int = 2,
    progress: Progress = silent,
) -> BatchOutcome:
    """Run every scenario of a batch that has no result yet.

    Parameters
    ----------
    batch : Batch
        From :func:`twin.batch_model.load_batch`.
    directory : str or Path
        Where results go; an earlier, interrupted run of the same batch there is continued. With workers on
        other machines it must be a folder that all share.
    client : distributed.Client or str, optional
        A client or the address of a scheduler; by default a local cluster is started and ended.
    workers : int, optional
        Processes of the local cluster.
    progress : Progress, optional
        Is told how many scenarios are finished.

    Returns
    -------
    BatchOutcome
        What is done and what failed. A failing scenario does not stop the rest.

    Raises
    ------
    weather.InputError
        When the batch itself is wrong, or the directory holds something else.
    """
    scenarios, refused = _resolve(batch)
    root = Path(directory).absolute()
    with _claimed(root, batch):
        _remove_drafts(root)
        missing = {n: s for n, s in scenarios.items() if not _is_done(root / "scenarios" / n, s)}
        failed = {name: _failure_of(error) for name, error in refused.items()}
        if missing:
            with _cluster(client, workers) as cluster:
                failed |= _run_missing(cluster, missing, root, batch.report, progress, len(scenarios))
        _write_failures(root, failed)
        done = tuple(name for name in scenarios if name not in failed)
        _write_summary(root, batch, done)
    messages = {name: str(failure["message"]) for name, failure in failed.items()}
    return BatchOutcome(tuple(batch.points), done, messages)


def _resolve(batch: Batch) -> tuple[dict[str, Scenario], dict[str, InputError]]:
    """Check all scenarios; if none is right, the batch is wrong."""
    good: dict[str, Scenario] = {}
    bad: dict[str, InputError] = {}
    for name, raw in batch.scenarios().items():
        try:
            good[name] = load_scenario(raw)
        except InputError as error:
            bad[name] = error
    if not good:
        findings = Findings(dict.fromkeys(f for error in bad.values() for f in error.findings))
        findings.raise_if_any(f"batch {batch.name}: no scenario of {len(bad)} is valid")
    return good, bad


def _run_missing(
    cluster: Client, missing: Mapping[str, Scenario], root: Path, report: bool, progress: Progress, total: int
) -> dict[str, dict[str, JsonValue]]:
    """Run scenarios, each baseline first and once; return failures."""
    from distributed import as_completed  # takes a second, which only batches have to spend

    stages = str(root / "stages")
    baselines: dict[str, Future[str]] = {}
    names: dict[Future[str], str] = {}
    for scenario in missing.values():
        key = baseline_key(scenario)
        if key not in baselines:
            baselines[key] = cluster.submit(_prepare, scenario.to_yaml(), stages, pure=False, retries=0)
    for name, scenario in missing.items():
        future = cluster.submit(
            _run_one,
            scenario.to_yaml(),
            str(root / "scenarios" / name),
            stages,
            report,
            baselines[baseline_key(scenario)],
            pure=False,
            retries=0,
        )
        names[future] = name
    failed: dict[str, dict[str, JsonValue]] = {}
    for count, future in enumerate(as_completed(list(names)), total - len(missing) + 1):
        error = future.exception()
        if error is not None:
            failed[names[future]] = _failure_of(error)
        progress("scenarios", count, total)
    return dict(sorted(failed.items()))


def _prepare(text: str, stages: str) -> str:
    """Compute the stages that scenarios share, in a worker."""
    scenario = _scenario_of(text)
    prepare_baselines(scenario, StageCache(Path(stages)), silent)
    return baseline_key(scenario)


def _run_one(text: str, directory: str, stages: str, report: bool, prepared: str) -> str:
    """Run one scenario in a worker."""
    del prepared
    run(_scenario_of(text), Path(directory), cache=StageCache(Path(stages)), report=report)
    return directory


def _scenario_of(text: str) -> Scenario:
    """Read a scenario that was already checked."""
    return Scenario.model_validate_json(json.dumps(parse_yaml(text, "scenario")))


def _failure_of(error: BaseException) -> dict[str, JsonValue]:
    """Describe a failure."""
    described: dict[str, JsonValue] = {"error": type(error).__name__, "message": str(error)}
    if isinstance(error, InputError):
        described["findings"] = [str(finding) for finding in error.findings]
    return described


@contextmanager
def _claimed(root: Path, batch: Batch) -> Iterator[None]:
    """Make the directory this batch's own, and keep every other process out while it runs."""
    text = dump_yaml(batch.to_mapping())
    held = root / "batch.yaml"
    if root.is_dir() and not held.is_file() and any(not _is_draft(path) for path in root.iterdir()):
        raise _refusal(root, "is not empty and holds no batch", "name a new or an empty directory")
    if held.is_file() and held.read_text(encoding="utf-8") != text:
        raise _refusal(root, "holds another batch", "name another directory, or run the batch that is there")
    root.mkdir(parents=True, exist_ok=True)
    lock = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _refusal(root, "is in use by another process", "wait for it") from error
        if not held.is_file():
            draft = root / f".batch.yaml.new-{os.getpid()}"
            draft.write_text(text, encoding="utf-8")
            draft.replace(held)
        yield
    finally:
        os.close(lock)


def _refusal(root: Path, what: str, remedy: str) -> InputError:
    """Return the error of a directory that can't be used."""
    return InputError("output", [Finding(str(root), what, remedy)])


def _is_done(directory: Path, scenario: Scenario) -> bool:
    """Whether a directory holds the result of a scenario as code, packages and input files are now."""
    if not is_result(directory):
        return False
    if (directory / "scenario.yaml").read_text(encoding="utf-8") != scenario.to_yaml():
        return False
    made = json.loads((directory / "provenance.json").read_text(encoding="utf-8"))
    now = provenance(scenario, input_files(scenario))
    return all(made.get(key) == now[key] for key in ("python", "versions", "code_sha256", "inputs"))


def _is_draft(path: Path) -> bool:
    """Whether a path is a draft, or what a draft was about to replace, of a run that was interrupted."""
    return path.name.startswith(".") and (".new-" in path.name or ".old-" in path.name)


def _remove_drafts(root: Path) -> None:
    """Remove what an interrupted run left unfinished."""
    for folder in (root, root / "scenarios", root / "stages"):
        for draft in [path for path in folder.iterdir() if _is_draft(path)] if folder.is_dir() else ():
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


@contextmanager
def _cluster(client: Client | str | None, workers: int) -> Iterator[Client]:
    """Give a client, and end what was started for it."""
    from distributed import Client, LocalCluster

    if isinstance(client, Client):
        yield client
        return
    if isinstance(client, str):
        with Client(client) as connected:
            yield connected
        return
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as local,
        Client(local) as connected,
    ):
        yield connected


def _write_failures(root: Path, failed: Mapping[str, Mapping[str, JsonValue]]) -> None:
    """Write one file per failed scenario; those of an earlier run are gone."""
    folder = root / "failures"
    shutil.rmtree(folder, ignore_errors=True)
    for name, failure in failed.items():
        (folder / name).mkdir(parents=True)
        write_json(folder / name / "failure.json", {"scenario": name, **failure})


def _write_summary(root: Path, batch: Batch, done: tuple[str, ...]) -> None:
    """Write a table with a row per scenario and policy."""
    rows: list[dict[str, JsonValue]] = []
    for name in done:
        text = (root / "scenarios" / name / "summary.json").read_text(encoding="utf-8")
        summary = cast("dict[str, JsonValue]", json.loads(text))
        policies = cast("dict[str, dict[str, JsonValue]]", summary.pop("policies"))
        summary.pop("refusals", None)
        for policy, score in policies.items():
            refused = cast("dict[str, JsonValue]", score.get("migrations_refused") or {})
            flat = {key: value for key, value in score.items() if not isinstance(value, dict)}
            total = {"migrations_refused": sum(float(cast("float", v)) for v in refused.values())}
            rows.append(
                {"scenario": name, **batch.labels(name), "policy": policy, **summary, **flat, **total}
            )
    table = pd.DataFrame(rows)
    draft = root / f".summary.new-{os.getpid()}"
    table.to_csv(draft, index=False)
    draft.replace(root / "summary.csv")
    table.to_parquet(draft, index=False)
    draft.replace(root / "summary.parquet")
