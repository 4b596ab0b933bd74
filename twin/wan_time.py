"""What of a network changes over time: sets of paths, other traffic, and how broken transfers try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from weather import Findings


@dataclass(frozen=True, eq=False)
class Routing:
    """Paths between sites while certain links are down.

    Attributes
    ----------
    down : ndarray of bool (link)
        Which links are down.
    on_path : ndarray of bool (source, destination, link)
        Whether a link lies on the path from a site to another.
    reachable : ndarray of bool (source, destination)
        Whether there is a path; False on the diagonal.
    latency_s : ndarray (source, destination)
        One-way delay of the path, inf without one, 0 on the diagonal. [s]
    """

    down: BoolArray
    on_path: BoolArray
    reachable: BoolArray
    latency_s: FloatArray


class Router(Protocol):
    """Finds paths around links that are down."""

    def __call__(self, down: BoolArray) -> Routing:
        """Return the paths that are left without the links that are down."""
        ...


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What a transfer does when a link on its path fails.

    Attributes
    ----------
    resume : bool
        Whether what has arrived is kept; otherwise it is sent again.
    first_s : float
        Wait from the failure to the first attempt; each attempt that finds no route doubles it (our choice).
        [s]
    most_s : float
        Longest wait between attempts (our choice). [s]

    Examples
    --------
    >>> Retry(first_s=30.0, most_s=200.0).wait_s(np.arange(1, 6)).tolist()
    [30.0, 60.0, 120.0, 200.0, 200.0]
    """

    resume: bool = True
    first_s: float = 30.0
    most_s: float = 600.0

    def __post_init__(self) -> None:
        """Refuse waits that are not positive, and a longest wait below the first."""
        findings = Findings()
        if not 0.0 < self.first_s < np.inf:
            findings.add("retry.first_s", f"is {self.first_s} s", "give more than 0 s")
        if not self.first_s <= self.most_s < np.inf:
            findings.add("retry.most_s", f"is {self.most_s} s", f"give at least first_s = {self.first_s} s")
        findings.raise_if_any("retry")

    def wait_s(self, n_failed: IntArray) -> FloatArray:
        """Wait before the next attempt after a number of failures, first · 2^(n − 1) up to the most. [s]"""
        doublings = np.clip(n_failed, 1, 60).astype(np.float64) - 1.0
        return np.minimum(self.first_s * 2.0**doublings, self.most_s)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Changes of a network: from each time to the next, one set of paths and other traffic.

    Attributes
    ----------
    change_s : ndarray (change)
        Times since the start of the run, ascending; what is first also holds before. [s]
    background_gbit_per_s : ndarray (change, link)
        Other traffic from then on. [Gbit/s]
    routing : ndarray of int (change)
        Which of `routings` holds from then on.
    routings : tuple of Routing
        Every set of paths there is.
    retry : Retry
        What transfers do when a link fails.
    """

    change_s: FloatArray
    background_gbit_per_s: FloatArray
    routing: IntArray
    routings: tuple[Routing, ...]
    retry: Retry

    def index(self, now_s: float) -> int:
        """Return the change that holds at a time. [s]"""
        return max(0, int(np.searchsorted(self.change_s, now_s, side="right")) - 1)

    def routing_at(self, index: int) -> Routing:
        """Return the paths from a change on."""
        return self.routings[int(self.routing[index])]

    def next_change_s(self, now_s: float) -> float:
        """Return the first change after a time, inf after the last. [s]"""
        later = int(np.searchsorted(self.change_s, now_s, side="right"))
        return float(self.change_s[later]) if later < len(self.change_s) else np.inf
