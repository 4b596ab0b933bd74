"""Jobs: the table all parts agree on, traces to make it from, and what they ask for."""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from twin.workloads.models import (
    CHECKPOINT_FORMATS,
    MODELS,
    CheckpointFormat,
    ModelFamily,
    checkpoint_size_gb,
    draw_models,
    lora_parameters_billion,
    parameter_bound_billion,
    training_memory_gb,
    with_model_checkpoints,
)
from twin.workloads.origins import draw_origins
from twin.workloads.philly import read_philly
from twin.workloads.plain import MEANINGS
from twin.workloads.prepare import draw_checkpoints_gb, fleet_scale_for, prepare_jobs
from twin.workloads.raw import TraceOptions
from twin.workloads.read import TRACE_FORMATS, TraceFormat, find_format, option_findings, read_trace
from twin.workloads.statistics import arrival_profile, mean_gpus_in_run, size_statistics, trace_statistics
from twin.workloads.synthetic import generate_trace
from twin.workloads.table import (
    JOB_COLUMNS,
    OPTIONAL_JOB_COLUMNS,
    OPTIONAL_TRACE_COLUMNS,
    TRACE_COLUMNS,
    check_jobs,
    check_trace,
)
from twin.workloads.trace_summary import TraceSummary, summarize_trace
from weather import Finding, InputError, PathLike


class TraceSource(Protocol):
    """Gives a trace from a file or a seed."""

    def __call__(
        self, path: PathLike | None, *, seed: int, duration_s: float, options: TraceOptions
    ) -> pd.DataFrame:
        """Return a trace of `TRACE_COLUMNS`; what a source has no use for must be None or is not read.

        Parameters
        ----------
        path
            Its file.
        seed
            Seed of a generator.
        duration_s
            Least span of submissions that a generator makes. [s]
        options
            What the reader of a file is told.
        """


def _recorded(name: str) -> TraceSource:
    """Return the source of a recorded trace of one format."""

    def source(path: PathLike | None, *, seed: int, duration_s: float, options: TraceOptions) -> pd.DataFrame:
        del seed, duration_s  # a recorded trace is what it is
        if path is None:
            raise _bad_path("is missing", "give the file of the trace")
        return read_trace(
            path,
            name,
            clock=options.clock,
            tasks=options.tasks,
            processors_per_gpu=options.processors_per_gpu,
            columns=options.columns,
            censored=options.censored,
        )

    return source


def _synthetic(path: PathLike | None, *, seed: int, duration_s: float, options: TraceOptions) -> pd.DataFrame:
    if path is not None:
        raise _bad_path(f"is {path}, but a synthetic trace has no file", "remove it, or name another source")
    if options.given():
        what = f"{', '.join(sorted(options.given()))}: a synthetic trace has no use for it"
        raise InputError("trace", [Finding("options", what, "remove it, or name another source")])
    return generate_trace(seed=seed, duration_s=duration_s)


def _bad_path(what: str, remedy: str) -> InputError:
    return InputError("trace", [Finding("jobs.path", what, remedy)])


TRACES: dict[str, TraceSource] = {
    **{name: _recorded(name) for name in TRACE_FORMATS},
    "synthetic": _synthetic,
}
"""Traces by name: recorded ones need a path, generated ones a seed and a span."""


def load_trace(
    source: str,
    path: PathLike | None = None,
    *,
    seed: int = 0,
    duration_s: float = 7 * 86400.0,
    options: TraceOptions | None = None,
) -> pd.DataFrame:
    """Trace of a source in `TRACES`.

    Parameters
    ----------
    source
        Its name.
    path
        File of a recorded trace; None for a generated one.
    seed
        Seed of a generated trace.
    duration_s
        Least span of a generated trace. [s]
    options
        What the reader of a recorded trace is told; nothing where None.

    Returns
    -------
    DataFrame
        Columns as in `TRACE_COLUMNS`.

    Raises
    ------
    InputError
        Where the name is unknown, a path is missing or too much, or the file is bad.
    """
    if source not in TRACES:
        remedy = f"choose one of {', '.join(sorted(TRACES))}"
        raise InputError("trace", [Finding("jobs.source", f"unknown trace {source!r}", remedy)])
    told = TraceOptions() if options is None else options
    return TRACES[source](path, seed=seed, duration_s=duration_s, options=told)


__all__ = [
    "CHECKPOINT_FORMATS",
    "JOB_COLUMNS",
    "MEANINGS",
    "MODELS",
    "OPTIONAL_JOB_COLUMNS",
    "OPTIONAL_TRACE_COLUMNS",
    "TRACES",
    "TRACE_COLUMNS",
    "TRACE_FORMATS",
    "CheckpointFormat",
    "ModelFamily",
    "TraceFormat",
    "TraceOptions",
    "TraceSource",
    "TraceSummary",
    "arrival_profile",
    "check_jobs",
    "check_trace",
    "checkpoint_size_gb",
    "draw_checkpoints_gb",
    "draw_models",
    "draw_origins",
    "find_format",
    "fleet_scale_for",
    "generate_trace",
    "load_trace",
    "lora_parameters_billion",
    "mean_gpus_in_run",
    "option_findings",
    "parameter_bound_billion",
    "prepare_jobs",
    "read_philly",
    "read_trace",
    "size_statistics",
    "summarize_trace",
    "trace_statistics",
    "training_memory_gb",
    "with_model_checkpoints",
]
