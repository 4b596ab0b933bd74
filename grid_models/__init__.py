"""What the network can take: dispatch, curtailment and its causes, signals for flexible sites."""

from __future__ import annotations

from grid_models.attribution import causes, oversupply
from grid_models.catalog import CATALOG, load_grid
from grid_models.dispatch import Solution, dispatch, dispatch_dataset, inputs_of, solve_all
from grid_models.engine import DispatchEngine, Dispatched, StepResult
from grid_models.grid import Grid, SeriesSource, make_grid
from grid_models.limits import Limits
from grid_models.lp import Inputs, always_on
from grid_models.objective import Objective
from grid_models.outlook import persistence_outlook
from grid_models.relief import ReliefCurve, ReliefModel, Slack
from grid_models.signals import relief_curves, signals
from grid_models.validation import assert_valid_grid, validate_grid
from grid_models.variables import GENERATION, LOAD, check_generation, check_load, generation_dataset
from grid_models.windows import window_statistics, windows

__all__ = [
    "CATALOG",
    "GENERATION",
    "LOAD",
    "DispatchEngine",
    "Dispatched",
    "Grid",
    "Inputs",
    "Limits",
    "Objective",
    "ReliefCurve",
    "ReliefModel",
    "SeriesSource",
    "Slack",
    "Solution",
    "StepResult",
    "always_on",
    "assert_valid_grid",
    "causes",
    "check_generation",
    "check_load",
    "dispatch",
    "dispatch_dataset",
    "generation_dataset",
    "inputs_of",
    "load_grid",
    "make_grid",
    "oversupply",
    "persistence_outlook",
    "relief_curves",
    "signals",
    "solve_all",
    "validate_grid",
    "window_statistics",
    "windows",
]
