"""What we decide: jobs, sites, links, policies, the loop that couples them to the grid, and the score."""

from __future__ import annotations

__all__: list[str] = []
