"""Readers of the Helios and Acme traces: tables of jobs with stamps of submission, start and end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from twin.workloads.cells import common_zone, find_zone, has_columns, instants, numbers, read_cells
from twin.workloads.raw import (
    NO_END,
    NO_GPU,
    NO_START,
    NO_SUBMISSION,
    NO_SUCH_HOUR,
    RawJobs,
    Reasons,
    TraceOptions,
    to_trace,
)
from weather import Findings

COLUMNS = ("gpu_num", "state", "submit_time", "start_time", "end_time", "duration")

HELIOS = "Helios (Hu et al., SC 2021), github.com/S-Lab-System-Group/HeliosData; see there for its licence"
ACME = "Acme (Hu et al., NSDI 2024), github.com/InternLM/AcmeTrace (CC-BY-4.0)"

NOT_ENDED = ("RUNNING", "SUSPENDED", "PENDING", "COMPLETING")
"""States of jobs that had not ended when the trace was taken."""

DURATION_TOLERANCE_S = 1.0
"""A recorded duration this much off end minus start is counted as differing. [s]"""


def read_helios(path: Path, options: TraceOptions) -> pd.DataFrame:
    """Trace of a cluster's `cluster_log.csv`, whose stamps do not state their clock.

    Parameters
    ----------
    path
        CSV file.
    options
        `clock` is needed; `censored`.
    """
    findings = Findings()
    if options.clock is None:
        what = "is missing: the stamps of a Helios log do not state theirs"
        findings.add("clock", what, "give the clock of the stamps, such as Asia/Shanghai")
        findings.raise_if_any(f"helios trace {path}")
    return _read(path, options, trace="helios", source=HELIOS, gpu_type="")


def read_acme(path: Path, options: TraceOptions) -> pd.DataFrame:
    """Trace of `trace_seren.csv` or `trace_kalos.csv`, whose stamps state their offset.

    Run times are end minus start: the durations of Kalos contain the queue, against the words of its README.

    Parameters
    ----------
    path
        CSV file.
    options
        `clock` by which days are counted, that of the stamps where None; `censored`.
    """
    return _read(path, options, trace="acme", source=ACME, gpu_type="a100_sxm_80")


def _read(path: Path, options: TraceOptions, *, trace: str, source: str, gpu_type: str) -> pd.DataFrame:
    table = read_cells(path)
    findings = Findings()
    zone = find_zone(options.clock, "clock", findings)
    has_columns(table, COLUMNS, "", findings)
    findings.raise_if_any(f"{trace} trace {path}")
    gpus = numbers(table, "gpu_num", "", findings, least=0)
    recorded = numbers(table, "duration", "", findings)
    submit, start, end = (
        instants(table, name, "", zone, findings) for name in ("submit_time", "start_time", "end_time")
    )
    zone = common_zone((submit, start, end), zone, findings)
    findings.raise_if_any(f"{trace} trace {path}")
    reasons = Reasons(len(table))
    reasons.add(~(gpus > 0), NO_GPU)
    reasons.add(submit.unplaced | start.unplaced | end.unplaced, NO_SUCH_HOUR)
    reasons.add(np.isnan(submit.unix_s), NO_SUBMISSION)
    reasons.add(np.isnan(start.unix_s), NO_START)
    reasons.add(np.isnan(end.unix_s), NO_END)
    duration = end.unix_s - start.unix_s
    with np.errstate(invalid="ignore"):
        differs = np.abs(recorded - duration) > DURATION_TOLERANCE_S
    state = table["state"]
    raw = RawJobs(
        submit_s=submit.unix_s,
        duration_s=duration,
        gpus=gpus,
        reasons=reasons,
        zone=zone,
        queue_s=start.unix_s - submit.unix_s,
        status=state.str.lower(),
        censored=state.isin(NOT_ENDED).to_numpy(dtype=np.bool_),
        attrs={"gpu_type": gpu_type, "n_duration_differs": int((differs & (gpus > 0)).sum())},
    )
    return to_trace(raw, path, options, trace=trace, source=source)
