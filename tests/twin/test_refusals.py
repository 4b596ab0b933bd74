"""The audit of refused moves, on refusals that are written down by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.twin.simulation_cases import job_table, make_inputs, windy
from twin import Result
from twin.feasibility import CAPACITY, REFUSALS, TIME
from twin.policies import Commands, Refusals, View
from twin.record import SimulationRecord
from twin.refusals import UNITS, refusal_counts, refusals, refusals_by_reason
from twin.simulate import run_simulation


class Own:
    """A user's policy: refuses job 0 twice, then moves it; refuses job 1 for another reason."""

    name = "own"

    def decide(self, view: View) -> Commands:
        hour = round(view.now_s / 3600.0)
        if hour == 1:
            return self._refuse([0, 1], [0, 2], [TIME, CAPACITY], [-100.0, -3.0])
        if hour in (2, 3):
            return self._refuse([0], [2], [TIME], [-np.inf])
        if hour == 4:
            return Commands(move_job=np.array([0]), move_dest=np.array([2]))
        return Commands()

    def _refuse(self, job: list[int], dest: list[int], reason: list[int], margin: list[float]) -> Commands:
        return Commands(refused=Refusals(np.array(job), np.array(dest), np.array(reason), np.array(margin)))


@pytest.fixture(scope="module")
def record() -> SimulationRecord:
    jobs = job_table([(0.0, 8, 480.0, 1.0, 1), (0.0, 4, 240.0, 1.0, 1)])
    return run_simulation(make_inputs(jobs, wind_mw=windy(12), fleet_scale=1), Own())


def test_every_reason_has_a_unit() -> None:
    assert set(UNITS) == set(REFUSALS) - {"feasible"}


def test_single_refusals_say_who_where_why_and_by_how_much(record: SimulationRecord) -> None:
    table = refusals(record)
    told = ["job_id", "source", "dest", "reason", "margin", "unit", "n_gpus", "work_gpu_h", "moved_later"]
    assert table[told].to_numpy().tolist() == [
        [100, "site1", "site0", "time", -100.0, "s", 8, 480.0, True],
        [101, "site1", "site2", "capacity", -3.0, "GPUs", 4, 240.0, False],
        [100, "site1", "site2", "time", -np.inf, "s", 8, 480.0, True],
    ]
    assert table["time_s"].tolist() == [3600.0, 3600.0, 7200.0]
    assert (table["time"] - record.time[0]).dt.total_seconds().tolist() == table["time_s"].tolist()


def test_reasons_count_refusals_and_each_job_once(record: SimulationRecord) -> None:
    rows = refusals_by_reason(refusals(record)).set_index("reason")
    counted = ["refusals", "jobs", "gpu_h", "jobs_moved_later", "unit"]
    assert rows.loc["time", counted].tolist() == [2, 1, 480.0, 1, "s"]
    assert rows.loc["capacity", counted].tolist() == [1, 1, 240.0, 0, "GPUs"]
    assert rows.loc["time", ["margin_p10", "margin_p50", "margin_p90"]].tolist() == [-np.inf, -np.inf, -100.0]
    assert rows.index.tolist() == ["time", "capacity"]
    counts = refusal_counts(rows.reset_index(), ("static", "own"))
    assert counts["static"] == {}
    assert counts["own"]["capacity"] == {"refusals": 1, "jobs": 1, "gpu_h": 240.0, "jobs_moved_later": 0}


def test_no_refusals_make_empty_tables_with_the_same_columns(record: SimulationRecord) -> None:
    none = refusals(replace(record, events=record.events.iloc[:0]))
    assert list(none) == list(refusals(record))
    assert list(refusals_by_reason(none)) == list(refusals_by_reason(refusals(record)))


def test_tables_and_summary_of_a_study_say_the_same_as_the_scores(small_result: Result) -> None:
    by_reason, single = small_result.tables["refusals_by_reason"], small_result.tables["refusals"]
    assert len(single) == by_reason["refusals"].sum() > 0
    assert np.all(single["margin"] < 0.0)
    for name, score in small_result.summary["policies"].items():
        counts = {reason: n for reason, n in score["migrations_refused"].items() if n}
        told = small_result.summary["refusals"][name]
        assert {reason: row["refusals"] for reason, row in told.items()} == counts
        own = single[single["policy"] == name]
        assert pd.Series(counts, dtype=int).sum() == len(own)
