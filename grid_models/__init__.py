"""What the network can take: dispatch, curtailment and its causes, signals for flexible sites."""

from __future__ import annotations

from grid_models.ac_injections import Injections
from grid_models.ac_series import ac_series
from grid_models.ac_violations import violation_table
from grid_models.attach import attach, renewable_units
from grid_models.attribution import causes, oversupply
from grid_models.catalog import (
    CATALOG,
    SOURCES,
    CaseOptions,
    GridEntry,
    list_grids,
    load_grid,
    net_grid,
    source_options,
)
from grid_models.commitment import commit
from grid_models.contingency import Contingencies, contingencies, worst_post_contingency
from grid_models.diagnosis import explain_dispatch, explain_infeasibility
from grid_models.dispatch import Solution, dispatch, dispatch_dataset, inputs_of, solve_all
from grid_models.emissions import FUELS, FuelCarbon, emission_factor_kg_per_mwh
from grid_models.engine import Dispatched, DispatchEngine, StepResult
from grid_models.grid import Grid, Series, SeriesSource, make_grid
from grid_models.grid_notes import grid_notes
from grid_models.horizon import dispatch_horizon
from grid_models.limits import Limits
from grid_models.lp import Inputs, always_on
from grid_models.objective import Objective
from grid_models.outage_check import full_check, islanded_parts
from grid_models.outages import generator_outages
from grid_models.outlook import daily_means, fading, persistence_outlook
from grid_models.power_flow import power_flow
from grid_models.redispatching import redispatch
from grid_models.relief import ReliefCurve, ReliefModel, Slack
from grid_models.signal_forecast import available_at, forecast_signals, latest_at
from grid_models.signals import relief_curves, signals
from grid_models.storage import with_storage
from grid_models.validation import assert_valid_grid, validate_grid
from grid_models.variables import GENERATION, LOAD, check_generation, check_load, generation_dataset
from grid_models.voltage import dispatch_ac
from grid_models.window_forecast import forecast_windows, window_outlook
from grid_models.windows import CAUSES, window_statistics, windows

__all__ = [
    "CATALOG",
    "CAUSES",
    "FUELS",
    "GENERATION",
    "LOAD",
    "SOURCES",
    "CaseOptions",
    "Contingencies",
    "DispatchEngine",
    "Dispatched",
    "FuelCarbon",
    "Grid",
    "GridEntry",
    "Injections",
    "Inputs",
    "Limits",
    "Objective",
    "ReliefCurve",
    "ReliefModel",
    "Series",
    "SeriesSource",
    "Slack",
    "Solution",
    "StepResult",
    "ac_series",
    "always_on",
    "assert_valid_grid",
    "attach",
    "available_at",
    "causes",
    "check_generation",
    "check_load",
    "commit",
    "contingencies",
    "daily_means",
    "dispatch",
    "dispatch_ac",
    "dispatch_dataset",
    "dispatch_horizon",
    "emission_factor_kg_per_mwh",
    "explain_dispatch",
    "explain_infeasibility",
    "fading",
    "forecast_signals",
    "forecast_windows",
    "full_check",
    "generation_dataset",
    "generator_outages",
    "grid_notes",
    "inputs_of",
    "islanded_parts",
    "latest_at",
    "list_grids",
    "load_grid",
    "make_grid",
    "net_grid",
    "oversupply",
    "persistence_outlook",
    "power_flow",
    "redispatch",
    "relief_curves",
    "renewable_units",
    "signals",
    "solve_all",
    "source_options",
    "validate_grid",
    "violation_table",
    "window_outlook",
    "window_statistics",
    "windows",
    "with_storage",
    "worst_post_contingency",
]
