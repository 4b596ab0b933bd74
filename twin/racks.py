"""Racks of sites: how many devices each holds, and how long it takes to start and to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from twin._arrays import FloatArray, IntArray
from weather import Findings

RACK_VARIABLES = {
    "rack_start_p_mw": ("MW", "time: mean", "IT power of racks that start or stop, but for devices in use"),
    "rack_off_p_mw": ("MW", "time: mean", "IT power of racks that are off"),
    "off_gpus": ("1", "time: mean", "GPUs in racks that are off"),
    "starting_gpus": ("1", "time: mean", "GPUs in racks that start or stop, but for those in use"),
}
"""Per signal step and site, where a site has racks: unit, cell method, meaning."""


def check_lengths(what: str, columns: Mapping[str, FloatArray | IntArray]) -> None:
    """Refuse columns of a table that differ in length."""
    findings = Findings()
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {n}" for name, n in lengths.items())
        findings.add(what, f"numbers of values differ: {said}", "give one per site")
    findings.raise_if_any(what)


@dataclass(frozen=True, eq=False)
class RackTable:
    """Racks of sites as arrays, one entry per site.

    Attributes
    ----------
    gpus : ndarray of int (site)
        Devices in a rack; 0 where all are always on. [1]
    start_s, stop_s : ndarray (site)
        From off to ready, and from idle to off. [s]
    keep_s : ndarray (site)
        How long a rack stays on while idle. [s]
    off_share : ndarray (site)
        Power of a rack that is off over its idle power. [1]
    """

    gpus: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    keep_s: FloatArray
    off_share: FloatArray

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        check_lengths("racks", {f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def of(
        cls,
        gpus: Sequence[int],
        *,
        start_s: Sequence[float],
        stop_s: Sequence[float] | None = None,
        keep_s: Sequence[float] | None = None,
        off_share: Sequence[float] | None = None,
    ) -> RackTable:
        """Make a table from sequences with a value per site; those not given are 0."""
        none = [0.0] * len(gpus)
        times = (start_s, *(none if given is None else given for given in (stop_s, keep_s, off_share)))
        return cls(np.asarray(gpus, dtype=np.int64), *(np.asarray(t, dtype=np.float64) for t in times))

    def select(self, sites: IntArray) -> RackTable:
        """Table of some of the sites."""
        times = (self.start_s, self.stop_s, self.keep_s, self.off_share)
        return RackTable(self.gpus[sites], *(column[sites] for column in times))

    def check(self, names: Sequence[str], n_gpus: IntArray, findings: Findings) -> None:
        """Add everything that is wrong for sites with so many devices."""
        times = {"rack_start_s": self.start_s, "rack_stop_s": self.stop_s, "rack_keep_s": self.keep_s}
        for i, name in enumerate(names):
            where = f"site {name!r}"
            if self.gpus[i] < 0 or (self.gpus[i] > 0 and n_gpus[i] % self.gpus[i]):
                what = f"rack_gpus={self.gpus[i]} does not divide its {n_gpus[i]} devices"
                findings.add(where, what, "give whole racks")
            for key, values in times.items():
                if not 0.0 <= values[i] < np.inf:
                    findings.add(where, f"{key}={values[i]} s", "give at least 0 s")
            if not 0.0 <= self.off_share[i] <= 1.0:
                findings.add(where, f"rack_off_share={self.off_share[i]}", "give a share from 0 to 1")

    def check_ticks(self, names: Sequence[str], tick_s: int, findings: Findings) -> None:
        """Add times that are no multiple of the tick."""
        times = {"rack_start_s": self.start_s, "rack_stop_s": self.stop_s, "rack_keep_s": self.keep_s}
        for i in np.flatnonzero(self.gpus).tolist():
            for key, values in times.items():
                if values[i] % tick_s:
                    what = f"{key}={values[i]:g} s is no multiple of the tick of {tick_s} s"
                    findings.add(
                        f"site {names[i]!r}", what, "round it to whole ticks, or choose a shorter tick"
                    )
