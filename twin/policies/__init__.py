"""Policies: one strategy per file, one Protocol."""

from __future__ import annotations

from twin.policies.apart import Apart
from twin.policies.base import CommandError, Commands, JobView, Policy, Refusals, SiteView, View
from twin.policies.contract import check_policy
from twin.policies.energy_greedy import EnergyGreedy
from twin.policies.feasibility_aware import FeasibilityAware
from twin.policies.receding_horizon import RecedingHorizon
from twin.policies.static import Static
from twin.policies.steered import Steered
from twin.policies.temporal import Temporal

POLICIES: dict[str, type[Policy]] = {
    "static": Static,
    "temporal": Temporal,
    "energy_greedy": EnergyGreedy,
    "feasibility_aware": FeasibilityAware,
    "receding_horizon": RecedingHorizon,
    "steered": Steered,
}
"""Policies by name; each is made without arguments, or with its own options by keyword."""

__all__ = [
    "POLICIES",
    "Apart",
    "CommandError",
    "Commands",
    "EnergyGreedy",
    "FeasibilityAware",
    "JobView",
    "Policy",
    "RecedingHorizon",
    "Refusals",
    "SiteView",
    "Static",
    "Steered",
    "Temporal",
    "View",
    "check_policy",
]
