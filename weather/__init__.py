"""What the sky does and what plants make of it: arrays in project names and units."""

from __future__ import annotations

from weather._types import BoolArray, FloatArray, FloatLike, IntArray, PathLike, XarrayT
from weather.datafiles import DATA_VARIABLE, data_path, data_root
from weather.errors import BalanceError, Finding, Findings, InputError, SolverError, TwinError
from weather.timeaxis import (
    interval_midpoint,
    resample_mean,
    resample_sum,
    step_hours,
    step_of,
    time_axis,
    to_left_label,
    to_utc_index,
    to_xarray_time,
)
from weather.variables import (
    SPECS,
    WEATHER,
    DatasetSpec,
    Variable,
    check_dataset,
    dataset_findings,
    with_metadata,
)

__all__ = [
    "DATA_VARIABLE",
    "SPECS",
    "WEATHER",
    "BalanceError",
    "BoolArray",
    "DatasetSpec",
    "Finding",
    "Findings",
    "FloatArray",
    "FloatLike",
    "InputError",
    "IntArray",
    "PathLike",
    "SolverError",
    "TwinError",
    "Variable",
    "XarrayT",
    "check_dataset",
    "data_path",
    "data_root",
    "dataset_findings",
    "interval_midpoint",
    "resample_mean",
    "resample_sum",
    "step_hours",
    "step_of",
    "time_axis",
    "to_left_label",
    "to_utc_index",
    "to_xarray_time",
    "with_metadata",
]
