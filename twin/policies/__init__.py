"""Policies: one strategy per file, one Protocol."""

from __future__ import annotations

from twin.policies.base import CommandError, Commands, JobView, Policy, Refusals, SiteView, View
from twin.policies.static import Static

POLICIES: dict[str, type[Policy]] = {"static": Static}
"""Policies by name; each is made without arguments, or with its own options by keyword."""

__all__ = [
    "POLICIES",
    "CommandError",
    "Commands",
    "JobView",
    "Policy",
    "Refusals",
    "SiteView",
    "Static",
    "View",
]
