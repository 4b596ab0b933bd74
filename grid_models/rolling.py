"""A rolling horizon: blocks of steps that are solved with a look ahead, of which the first part is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weather import Findings

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Block:
    """Steps that are solved together, and how many of them are kept."""

    first: int
    last: int
    kept: int

    @property
    def steps(self) -> slice:
        """The steps."""
        return slice(self.first, self.last)


@dataclass(frozen=True)
class Rolling:
    """How a horizon rolls.

    Attributes
    ----------
    kept, ahead : int
        Steps of a block that are kept, and steps seen beyond them.
    """

    kept: int
    ahead: int

    @staticmethod
    def of(horizon_h: float, look_ahead_h: float, step_h: float) -> Rolling:
        """Count the steps of both times.

        Parameters
        ----------
        horizon_h, look_ahead_h : float
            What is kept of a block, and what is seen beyond it. [h]
        step_h : float
            Length of a step. [h]

        Raises
        ------
        InputError
            Times that are not whole steps; a horizon without any.
        """
        findings, steps = Findings(), []
        for name, hours, least in (("horizon_h", horizon_h, 1), ("look_ahead_h", look_ahead_h, 0)):
            try:
                n = float(hours) / step_h
            except (TypeError, ValueError):
                findings.add(name, f"{hours!r} is no number", "give hours")
                continue
            whole = round(n) if np.isfinite(n) else -1
            if whole < least or abs(n - whole) > _ROUNDING * max(1.0, abs(n)):
                what = f"{hours} h is not a whole number of steps of {step_h:g} h, {least} at least"
                findings.add(name, what, f"give a multiple of {step_h:g} h")
            steps.append(whole)
        findings.raise_if_any("rolling horizon")
        return Rolling(*steps)

    def blocks(self, n_step: int) -> Iterator[Block]:
        """Blocks of so many steps; the last ones end with the data."""
        for first in range(0, n_step, self.kept):
            last = min(first + self.kept + self.ahead, n_step)
            yield Block(first, last, min(self.kept, last - first))
