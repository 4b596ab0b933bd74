"""What the network can take: dispatch, curtailment and its causes, signals for flexible sites."""

from __future__ import annotations

__all__: list[str] = []
