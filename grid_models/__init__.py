"""What the network can take: dispatch, curtailment and its causes, signals for flexible sites."""

from __future__ import annotations

from grid_models.grid import Grid, SeriesSource, make_grid
from grid_models.validation import assert_valid_grid, validate_grid

__all__ = ["Grid", "SeriesSource", "assert_valid_grid", "make_grid", "validate_grid"]
