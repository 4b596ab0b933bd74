"""What the sky does and what plants make of it: arrays in project names and units."""

from __future__ import annotations

from weather._types import BoolArray, FloatArray, FloatLike, IntArray, PathLike, XarrayT
from weather.bias import correct_wind_speed
from weather.calendar import align_calendar, wrap_year
from weather.climate import US_SOUTHWEST, Climate, WindRegion
from weather.constants import (
    EARTH_RADIUS_KM,
    KELVIN_OFFSET,
    PA_PER_MBAR,
    R_DRY_AIR,
    SECONDS_PER_HOUR,
    STANDARD_GRAVITY,
)
from weather.datafiles import DATA_VARIABLE, data_path, data_root
from weather.decomposition import DECOMPOSITION_MODELS, decompose
from weather.errors import BalanceError, Finding, Findings, InputError, SolverError, TwinError
from weather.feeds import FEED_NOTES, FEEDS, HttpPolicy
from weather.fetch import fetch, fetch_findings
from weather.fills import FILLS, fill_missing
from weather.forecasts import (
    ErrorModel,
    archived_days,
    archived_runs,
    at_valid_time,
    check_forecast,
    clear_sky,
    climatology,
    crps,
    forecast_scores,
    is_dark,
    latest,
    persistence,
    reliability,
    smart_persistence,
)
from weather.irradiance import TRANSPOSITION_MODELS
from weather.nomenclature import nomenclature_page
from weather.pv import PV_PARAMETERS, pv_power
from weather.quality import ACCEPTABLE_CHECKS, check_quality
from weather.readers import (
    READER_NEEDS,
    READERS,
    Reader,
    ReadOptions,
    combine_sites,
    join_times,
    merge_solar_wind,
    read,
)
from weather.regrid import to_sites
from weather.rts_gmlc import PV_KINDS, fitted_pv_parameters, fitted_wind_parameters, rts_gmlc_kind
from weather.sunclock import SUN_CHECKS, clock_offset_h, closure_residual
from weather.synthetic import SYNTHETIC_HEIGHTS_M, synthesize
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
from weather.wind import WIND_PARAMETERS, turbine_types, wind_power

__all__ = [
    "ACCEPTABLE_CHECKS",
    "DATA_VARIABLE",
    "DECOMPOSITION_MODELS",
    "EARTH_RADIUS_KM",
    "FEEDS",
    "FEED_NOTES",
    "FILLS",
    "KELVIN_OFFSET",
    "PA_PER_MBAR",
    "PV_KINDS",
    "PV_PARAMETERS",
    "READERS",
    "READER_NEEDS",
    "R_DRY_AIR",
    "SECONDS_PER_HOUR",
    "SPECS",
    "STANDARD_GRAVITY",
    "SUN_CHECKS",
    "SYNTHETIC_HEIGHTS_M",
    "TRANSPOSITION_MODELS",
    "US_SOUTHWEST",
    "WEATHER",
    "WIND_PARAMETERS",
    "BalanceError",
    "BoolArray",
    "Climate",
    "DatasetSpec",
    "ErrorModel",
    "Finding",
    "Findings",
    "FloatArray",
    "FloatLike",
    "HttpPolicy",
    "InputError",
    "IntArray",
    "PathLike",
    "ReadOptions",
    "Reader",
    "SolverError",
    "TwinError",
    "Variable",
    "WindRegion",
    "XarrayT",
    "align_calendar",
    "archived_days",
    "archived_runs",
    "at_valid_time",
    "check_dataset",
    "check_forecast",
    "check_quality",
    "clear_sky",
    "climatology",
    "clock_offset_h",
    "closure_residual",
    "combine_sites",
    "correct_wind_speed",
    "crps",
    "data_path",
    "data_root",
    "dataset_findings",
    "decompose",
    "fetch",
    "fetch_findings",
    "fill_missing",
    "fitted_pv_parameters",
    "fitted_wind_parameters",
    "forecast_scores",
    "interval_midpoint",
    "is_dark",
    "join_times",
    "latest",
    "merge_solar_wind",
    "nomenclature_page",
    "persistence",
    "pv_power",
    "read",
    "reliability",
    "resample_mean",
    "resample_sum",
    "rts_gmlc_kind",
    "smart_persistence",
    "step_hours",
    "step_of",
    "synthesize",
    "time_axis",
    "to_left_label",
    "to_sites",
    "to_utc_index",
    "to_xarray_time",
    "turbine_types",
    "wind_power",
    "with_metadata",
    "wrap_year",
]
