"""A study from scenario to result: what policies share, one simulation each, accounting."""

from __future__ import annotations

from pathlib import Path

from twin.preparation import prepare
from twin.progress import Progress, silent
from twin.report import write_report
from twin.results import assemble
from twin.scenario_model import Scenario
from twin.stages import StageCache
from twin.store import Result, check_directory, write_result


def run(
    scenario: Scenario,
    directory: str | Path | None = None,
    progress: Progress = silent,
    *,
    cache: StageCache | None = None,
    report: bool = True,
) -> Result:
    """Run a scenario: every policy it names, on the same inputs and seeds.

    Parameters
    ----------
    scenario : Scenario
        From ``load_scenario``.
    directory : str or Path, optional
        Where the result is written, all of it or nothing; not written when absent.
    progress : Progress, optional
        Is told how far each stage is.
    cache : StageCache, optional
        Stages computed before, by other runs of a batch.
    report : bool, optional
        Whether ``report.html`` is written with the result.

    Returns
    -------
    Result
        Summary, arrays and tables. Equal scenarios give equal results.

    Raises
    ------
    weather.InputError
        Where an input file is bad, or the directory holds something else.
    weather.BalanceError
        Where a balance does not close to 1e-6: a bug, not an input.
    """
    if directory is not None:
        check_directory(directory)
    prepared = prepare(scenario, cache or StageCache(), progress)
    result = assemble(prepared, progress)
    if directory is not None:
        write_result(result, directory, also=(write_report,) if report else ())
    return result
