"""What we decide: jobs, sites, links, policies, the loop that couples them to the grid, and the score."""

from __future__ import annotations

from twin.batch import BatchOutcome, run_batch
from twin.batch_model import Batch, load_batch
from twin.chances import FeasibilityChance, feasibility_chance
from twin.domain_figure import feasible_share, plot_feasibility
from twin.feasibility import Feasibility, feasibility
from twin.policies import POLICIES
from twin.report import write_report
from twin.scenario import load_scenario
from twin.scenario_model import Scenario
from twin.store import Result, open_result
from twin.study import run
from twin.workloads import TRACES, read_trace, summarize_trace

__all__ = [
    "POLICIES",
    "TRACES",
    "Batch",
    "BatchOutcome",
    "Feasibility",
    "FeasibilityChance",
    "Result",
    "Scenario",
    "feasibility",
    "feasibility_chance",
    "feasible_share",
    "load_batch",
    "load_scenario",
    "open_result",
    "plot_feasibility",
    "read_trace",
    "run",
    "run_batch",
    "summarize_trace",
    "write_report",
]
