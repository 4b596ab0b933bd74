"""A small study, run once and shared by the tests that look at what a run leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from twin import Result, Scenario, load_scenario, open_result, run

SMALL = (
    "time.days=1",
    "time.drain_days=1",
    "time.history_days=1",
    "time.start='2020-02-19T08:00Z'",
    "grids.0.weather.source=recorded",
    "jobs.max_job_h=12",
)


@pytest.fixture(scope="session")
def small_scenario() -> Scenario:
    """One windy day of recorded wind and PV at the sites of the default study, and a day of drain."""
    return load_scenario("default", overrides=SMALL)


@pytest.fixture(scope="session")
def small_directory(small_scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of its result."""
    directory = tmp_path_factory.mktemp("small") / "result"
    run(small_scenario, directory)
    return directory


@pytest.fixture(scope="session")
def small_result(small_directory: Path) -> Result:
    """Its result, as read back."""
    return open_result(small_directory)
