"""Reader of Alibaba's cluster trace `cluster-trace-gpu-v2023` (openb): pods on shared and whole GPUs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from twin.workloads.cells import has_columns, numbers, read_cells
from twin.workloads.raw import NO_END, NO_GPU, NO_START, RawJobs, Reasons, TraceOptions, to_trace
from weather import Findings

COLUMNS = ("num_gpu", "gpu_milli", "pod_phase", "creation_time", "deletion_time", "scheduled_time")

SOURCE = (
    "Alibaba cluster-trace-gpu-v2023 (Weng et al., USENIX ATC 2023), github.com/alibaba/clusterdata; "
    "see there for its licence"
)

STATUS = {"Succeeded": "completed", "Failed": "failed", "Running": "running", "Pending": "pending"}


def read_openb(path: Path, options: TraceOptions) -> pd.DataFrame:
    """Trace of a pod list: submitted when created, running from scheduling to deletion.

    Times are seconds from a zero that is not told: hours of the day and weekdays are not known. A pod that is
    `Running` and deleted at the last time of the file was still running then. GPUs are `num_gpu` times the
    thousandths of `gpu_milli`, which are below 1000 on shared GPUs.

    Parameters
    ----------
    path
        CSV file.
    options
        `censored` alone is used.
    """
    table = read_cells(path)
    findings = Findings()
    has_columns(table, COLUMNS, "", findings)
    findings.raise_if_any(f"openb trace {path}")
    count = numbers(table, "num_gpu", "", findings, least=0)
    milli = numbers(table, "gpu_milli", "", findings, least=0)
    created = numbers(table, "creation_time", "", findings, least=0)
    deleted = numbers(table, "deletion_time", "", findings, least=0)
    scheduled = numbers(table, "scheduled_time", "", findings, least=0)
    findings.raise_if_any(f"openb trace {path}")
    phase = table["pod_phase"]
    reasons = Reasons(len(table))
    reasons.add(~(count * milli > 0), NO_GPU)
    reasons.add((phase == "Pending").fillna(False).to_numpy(dtype=np.bool_) | np.isnan(scheduled), NO_START)
    reasons.add(np.isnan(deleted), NO_END)
    last = np.nanmax(deleted, initial=-np.inf)
    raw = RawJobs(
        submit_s=created,
        duration_s=deleted - scheduled,
        gpus=count * milli / 1000.0,
        reasons=reasons,
        queue_s=scheduled - created,
        status=phase.replace(STATUS),
        censored=(phase == "Running").fillna(False).to_numpy(dtype=np.bool_) & (deleted == last),
    )
    return to_trace(raw, path, options, trace="openb", source=SOURCE)
