"""Reader of Alibaba's cluster trace `cluster-trace-gpu-v2020` (PAI): a job table and a task table."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from twin._arrays import FloatArray
from twin.workloads.cells import has_columns, numbers, read_cells
from twin.workloads.raw import NO_END, NO_GPU, NO_START, RawJobs, Reasons, TraceOptions, to_trace
from weather import Findings, InputError

JOB_COLUMNS = ("job_name", "inst_id", "user", "status", "start_time", "end_time")
TASK_COLUMNS = (
    "job_name",
    "task_name",
    "inst_num",
    "status",
    "start_time",
    "end_time",
    "plan_cpu",
    "plan_mem",
    "plan_gpu",
    "gpu_type",
)
STATUSES = {"Terminated": "completed", "Failed": "failed", "Running": "running", "Waiting": "waiting"}
"""Words of the file, and ours: of PAI's, `Terminated` alone is success."""

SOURCE = (
    "Alibaba cluster-trace-gpu-v2020 (Weng et al., NSDI 2022), github.com/alibaba/clusterdata; "
    "see there for its licence"
)

CLOCK = "Asia/Shanghai"
"""Read as Unix time on this clock, times of day and weekdays are true; dates are not."""

NO_TASK = "no task in the task table"
REPEATED = "a name that an earlier job has"
NO_INSTANCES = "a task of an unknown number of instances"


def read_pai(path: Path, options: TraceOptions) -> pd.DataFrame:
    """Trace of a job table and its task table, which have no header.

    A job's start in the job table is its submission; it starts with the earliest of its tasks. It has the sum
    of instances · percent of a GPU / 100 over its tasks. A time of 0 is none.

    Parameters
    ----------
    path
        Job table.
    options
        `tasks`, the task table, is needed.
    """
    findings = Findings()
    if options.tasks is None:
        findings.add("tasks", "is missing", "give the task table, pai_task_table.csv: it has the GPUs")
        findings.raise_if_any(f"pai trace {path}")
    jobs = _table(path, JOB_COLUMNS, findings)
    tasks = _table(Path(str(options.tasks)), TASK_COLUMNS, findings)
    findings.raise_if_any("pai trace")
    has_columns(jobs, JOB_COLUMNS, f"{path}: ", findings)
    has_columns(tasks, TASK_COLUMNS, f"{options.tasks}: ", findings)
    submit = _times(jobs, "start_time", f"{path}: ", findings)
    end = _times(jobs, "end_time", f"{path}: ", findings)
    sums = _of_tasks(tasks, f"{options.tasks}: ", findings)
    findings.raise_if_any("pai trace")
    names = jobs["job_name"]
    of_job = sums.reindex(names.fillna(""))
    launch, gpus = (of_job[name].to_numpy(dtype=np.float64) for name in ("launch", "gpus"))
    reasons = Reasons(len(jobs))
    reasons.add(names.duplicated().to_numpy(), REPEATED)
    reasons.add(~names.isin(sums.index).to_numpy(dtype=np.bool_), NO_TASK)
    reasons.add(of_job["unknown"].eq(True).to_numpy(dtype=np.bool_), NO_INSTANCES)
    reasons.add(~(gpus > 0), NO_GPU)
    reasons.add(np.isnan(launch), NO_START)
    reasons.add(np.isnan(end), NO_END)
    raw = RawJobs(
        submit_s=submit,
        duration_s=end - launch,
        gpus=gpus,
        reasons=reasons,
        zone=ZoneInfo(CLOCK),
        queue_s=launch - submit,
        status=jobs["status"].replace(STATUSES),
        attrs={"n_tasks_without_job": int((~tasks["job_name"].isin(names)).sum())},
    )
    return to_trace(raw, path, options, trace="pai", source=SOURCE)


def _table(path: Path, columns: tuple[str, ...], findings: Findings) -> pd.DataFrame:
    """One of the two tables; what is wrong with the file is a finding, so that the other is read too."""
    try:
        return read_cells(path, columns)
    except InputError as error:
        findings.extend(error.findings)
        return pd.DataFrame(columns=list(columns))


def _times(table: pd.DataFrame, name: str, where: str, findings: Findings) -> FloatArray:
    """Seconds, NaN where the file has 0 or nothing."""
    values = numbers(table, name, where, findings, least=0)
    values[values == 0.0] = np.nan
    return values


def _of_tasks(tasks: pd.DataFrame, where: str, findings: Findings) -> pd.DataFrame:
    """GPUs and earliest launch per job name, and whether a task's width is unknown."""
    share = numbers(tasks, "plan_gpu", where, findings, least=0)
    instances = numbers(tasks, "inst_num", where, findings, least=0)
    uses = np.nan_to_num(share) > 0
    table = pd.DataFrame(
        {
            "job_name": tasks["job_name"].to_numpy(dtype=object),
            "gpus": np.where(uses, np.nan_to_num(instances) * np.nan_to_num(share) / 100.0, 0.0),
            "launch": _times(tasks, "start_time", where, findings),
            "unknown": uses & np.isnan(instances),
        }
    )
    return table.groupby("job_name").agg({"gpus": "sum", "launch": "min", "unknown": "any"})
