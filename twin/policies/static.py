"""Every job runs where it was submitted."""

from __future__ import annotations

from dataclasses import dataclass

from twin.policies.base import Commands, View


@dataclass(frozen=True)
class Static:
    """Never place, never move: the baseline that all others are measured against."""

    name: str = "static"

    def decide(self, view: View) -> Commands:  # noqa: ARG002 - nothing it sees matters to it
        """Return no commands."""
        return Commands()
