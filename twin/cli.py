"""The command line: ``twin run``, ``validate``, ``list``, ``batch``, ``report``, ``feasibility``, ``fetch``.

Exit codes: 0 done, 1 something failed while running, 2 bad input (nothing was written), 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from grid_models import grid_notes
from twin.batch import run_batch
from twin.batch_model import load_batch
from twin.cli_feasibility import add_feasibility_arguments, feasibility_lines
from twin.cli_fetch import add_fetch_arguments, fetch_lines
from twin.grid_list import grid_lines
from twin.policies import POLICIES
from twin.progress import Progress, TerminalProgress, silent
from twin.report import summary_lines, write_report
from twin.scenario import load_scenario, shipped
from twin.scenario_checks import build_grid
from twin.store import check_directory, open_result
from twin.study import run
from twin.workloads.models import model_lines
from twin.workloads.read import trace_lines
from weather import FEED_NOTES, READER_NEEDS, Finding, InputError, TwinError

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

_LISTS: dict[str, Callable[[], list[str]]] = {
    "grids": grid_lines,
    "feeds": lambda: [f"{name:<21}{note}" for name, note in FEED_NOTES.items()],
    "readers": lambda: [f"{name:<12}{needs}" for name, needs in READER_NEEDS.items()],
    "traces": trace_lines,
    "models": model_lines,
    "policies": lambda: list(POLICIES),
    "scenarios": shipped,
    "batches": lambda: shipped("batches"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except InputError as error:
        _say(f"twin: bad input: {error}", sys.stderr)
        return BAD_INPUT
    except TwinError as error:
        _say(f"twin: failed: {error}", sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        _say("twin: interrupted; nothing half-written is left", sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(
        prog="twin",
        description="Curtailed wind and solar power, and the movable computing that can absorb it.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run_ = commands.add_parser("run", help="run a scenario and write result and report")
    run_.add_argument(
        "scenario", nargs="?", default="default", help="YAML file or shipped name (default: default)"
    )
    run_.add_argument("-o", "--output", type=Path, help="directory for the result (default: out/NAME)")
    _add_set(run_)
    run_.add_argument("--no-progress", action="store_true", help="draw no progress bars")
    run_.set_defaults(command=_run)

    validate_ = commands.add_parser("validate", help="check a scenario and name all findings")
    validate_.add_argument("scenario", help="YAML file or shipped name")
    _add_set(validate_)
    validate_.set_defaults(command=_validate)

    list_ = commands.add_parser("list", help="list what can be named in a scenario")
    list_.add_argument("what", choices=sorted(_LISTS))
    list_.add_argument("source", nargs="?", help="of grids: one source with everything it has")
    list_.set_defaults(command=_list)

    batch_ = commands.add_parser("batch", help="run a batch of scenarios; goes on where it was")
    batch_.add_argument("batch", help="YAML file or shipped name")
    batch_.add_argument("-o", "--output", type=Path, required=True, help="directory for the results")
    batch_.add_argument("--scheduler", default="local", help="local, or the address of a dask scheduler")
    batch_.add_argument("--workers", type=int, default=2, help="processes of a local scheduler (default: 2)")
    batch_.add_argument("--no-progress", action="store_true", help="draw no progress bars")
    batch_.set_defaults(command=_batch)

    report_ = commands.add_parser("report", help="write report.html of a result again")
    report_.add_argument("directory", type=Path)
    report_.set_defaults(command=_report)

    feasibility_ = commands.add_parser(
        "feasibility", help="say whether a migration is feasible, and what limits it"
    )
    add_feasibility_arguments(feasibility_)
    feasibility_.set_defaults(command=_feasibility)

    fetch_ = commands.add_parser("fetch", help="get weather of places from a service")
    add_fetch_arguments(fetch_)
    fetch_.set_defaults(command=_fetch)
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set key=value``."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value, such as time.days=2"
    )


def _run(arguments: argparse.Namespace) -> int:
    """Run a scenario."""
    scenario = load_scenario(arguments.scenario, overrides=arguments.set)
    directory = check_directory(arguments.output or Path("out") / scenario.name)
    began = time.perf_counter()
    with_progress = _progress(arguments.no_progress)
    result = run(scenario, directory, progress=with_progress)
    for line in summary_lines(result):
        _say(line)
    _say(f"report: {directory / 'report.html'} (the study took {time.perf_counter() - began:.0f} s)")
    return OK


def _validate(arguments: argparse.Namespace) -> int:
    """Check a scenario."""
    scenario = load_scenario(arguments.scenario, overrides=arguments.set)
    for section in scenario.grids:
        for note in grid_notes(build_grid(section)):
            _say(f"note on grid {section.name}: {note}")
    _say(f"{scenario.name}: {len(scenario.sites)} sites, {len(scenario.policies)} policies, no findings")
    return OK


def _list(arguments: argparse.Namespace) -> int:
    """List names."""
    if arguments.source is not None and arguments.what != "grids":
        finding = Finding(arguments.source, f"{arguments.what} have no sources", "leave it out")
        raise InputError("twin list", [finding])
    lines = grid_lines(arguments.source) if arguments.what == "grids" else _LISTS[arguments.what]()
    for line in lines:
        _say(line)
    return OK


def _batch(arguments: argparse.Namespace) -> int:
    """Run a batch."""
    outcome = run_batch(
        load_batch(arguments.batch),
        arguments.output,
        client=None if arguments.scheduler == "local" else arguments.scheduler,
        workers=arguments.workers,
        progress=_progress(arguments.no_progress),
    )
    _say(
        f"{len(outcome.done)} of {len(outcome.scenarios)} scenarios done: {arguments.output / 'summary.csv'}"
    )
    for name, message in outcome.failed.items():
        _say(f"failed: {name}: {message}", sys.stderr)
    return FAILED if outcome.failed else OK


def _report(arguments: argparse.Namespace) -> int:
    """Write the report of a result."""
    _say(f"report: {write_report(open_result(arguments.directory), arguments.directory)}")
    return OK


def _feasibility(arguments: argparse.Namespace) -> int:
    """Judge one migration."""
    for line in feasibility_lines(arguments):
        _say(line)
    return OK


def _fetch(arguments: argparse.Namespace) -> int:
    """Get weather from a service."""
    for line in fetch_lines(arguments):
        _say(line)
    return OK


def _progress(quiet: bool) -> Progress:
    """Return bars for a terminal, or nothing."""
    return silent if quiet or not sys.stderr.isatty() else TerminalProgress()


def _say(text: str, stream: TextIO | None = None) -> None:
    """Write a line, to standard output if not told otherwise."""
    (sys.stdout if stream is None else stream).write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
