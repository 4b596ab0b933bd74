"""What we decide: jobs, sites, links, policies, the loop that couples them to the grid, and the score."""

from __future__ import annotations

from twin.feasibility import feasibility
from twin.workloads import TRACES

__all__ = ["TRACES", "feasibility"]
