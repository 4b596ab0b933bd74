"""Reader of the Microsoft Philly trace of 2017 in its ElasticFlow reduction."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from twin.workloads.cells import add_cells, has_columns, read_cells
from twin.workloads.table import check_trace
from weather import Findings, PathLike

COLUMNS = ("timestamp", "duration", "num_gpus", "gpu_time", "cluster")

SOURCE = (
    "Microsoft Philly 2017 (Jeon et al., USENIX ATC 2019; data CC-BY-4.0), "
    "as reduced in github.com/pkusys/ElasticFlow (Apache-2.0)"
)

GPU_TIME_TOLERANCE = 1e-6
"""Relative difference allowed between `gpu_time` and duration × num_gpus; a line that was cut off exceeds
it."""


def read_philly(path: PathLike, *, duplicates: Literal["keep", "drop"] = "keep") -> pd.DataFrame:
    """Read the trace file, plain or gzip'ed.

    Parameters
    ----------
    path
        CSV with `timestamp` (submission, no zone stated), `duration` [s], `num_gpus`, `gpu_time` (their
        product) and `cluster`, in any order of rows.
    duplicates
        What becomes of rows equal to an earlier one in all columns (65 in the whole file): ``keep`` takes
        them for jobs of their own, as two jobs of a sweep can well be equal, ``drop`` takes one of each.

    Returns
    -------
    DataFrame
        Trace with `submit_s` since 00:00 of the first day, `duration_s` and `n_gpus`, sorted by all three.
        `attrs`: trace, source, synthetic, gpu_type, first_day, duplicates (the rule), n_duplicates (rows
        found).

    Raises
    ------
    InputError
        With every finding: no such file, damaged or empty file, missing columns, values that are missing,
        negative or no numbers, and rows whose `gpu_time` is not the product (a file that was cut off).

    Notes
    -----
    Queueing times, states, models and memory are not in the file. The device is taken to be the P100 class:
    the paper does not tell one type.
    """
    if duplicates not in ("keep", "drop"):
        finding = Findings()
        finding.add("duplicates", f"is {duplicates!r}", "choose 'keep' or 'drop'")
        finding.raise_if_any("philly trace")
    table = read_cells(Path(path))
    findings = Findings()
    has_columns(table, COLUMNS, "", findings)
    values = _check_values({name: table[name] for name in COLUMNS if name in table}, findings)
    findings.raise_if_any(f"philly trace {path}")
    copies = table.duplicated(keep="first").to_numpy()
    time = values["timestamp"]
    first_day = time.min().floor("D")
    trace = pd.DataFrame(
        {
            "submit_s": (time - first_day).dt.total_seconds(),
            "duration_s": values["duration"].astype(np.float64),
            "n_gpus": values["num_gpus"].astype(np.int64),
        }
    )
    if duplicates == "drop":
        trace = trace[~copies]
    trace = trace.sort_values(["submit_s", "n_gpus", "duration_s"], ignore_index=True)
    check_trace(trace)
    trace.attrs = {
        "trace": "philly",
        "source": SOURCE,
        "synthetic": 0,
        "gpu_type": "p100_pcie",
        "first_day": first_day.strftime("%Y-%m-%d"),
        "duplicates": duplicates,
        "n_duplicates": int(copies.sum()),
    }
    return trace


def _check_values(columns: dict[str, pd.Series], findings: Findings) -> dict[str, pd.Series]:
    """Parsed columns; adds a finding for everything that is no value."""
    values: dict[str, pd.Series] = {}
    for name, text in columns.items():
        if name == "timestamp":
            values[name] = pd.to_datetime(text, format="%Y-%m-%d %H:%M:%S", errors="coerce")
            add_cells(findings, name, text, values[name].isna().to_numpy(), "a time as 2017-10-09 07:01:55")
        elif name == "cluster":
            add_cells(findings, name, text, text.isna().to_numpy(), "an id of a virtual cluster")
        else:
            values[name] = pd.to_numeric(text, errors="coerce").astype("float64")
            least = "a number above 0" if name != "num_gpus" else "a whole number of at least 1"
            bad = ~(values[name] > 0) | ~np.isfinite(values[name])
            if name == "num_gpus":
                bad |= values[name] % 1 != 0
            add_cells(findings, name, text, bad.to_numpy(dtype=np.bool_), least)
    if {"duration", "num_gpus", "gpu_time"} <= values.keys():
        product = values["duration"] * values["num_gpus"]
        wrong = (values["gpu_time"] - product).abs() > GPU_TIME_TOLERANCE * product.abs()
        expected = "duration × num_gpus; was the file cut off?"
        add_cells(findings, "gpu_time", columns["gpu_time"], wrong.to_numpy(dtype=np.bool_), expected)
    return values
