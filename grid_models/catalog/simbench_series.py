"""Load and renewable profiles of SimBench, for 2016."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.grid import Series
from grid_models.tabular import interval_means

#: The profiles run on constant UTC+1: their rows are equally long, while their labels skip and repeat an hour
#: where German clocks do.
UTC_OFFSET_H = 1.0
STEP = pd.Timedelta("15min")
START = pd.Timestamp("2016-01-01T00:00", tz="UTC") - pd.Timedelta(hours=UTC_OFFSET_H)
N_STEPS = 366 * 96


@dataclass(frozen=True, eq=False)
class SimbenchSeries:
    """Profiles times the size of what has them.

    Attributes
    ----------
    profiles : mapping of str to numpy.ndarray
        Values of each profile over the 35,136 quarter hours of 2016. [1]
    load_of : pandas.DataFrame
        Loads: columns bus, profile, p_mw. [MW]
    unit_of : pandas.DataFrame
        Index unit; columns profile, p_mw. [MW]
    """

    profiles: Mapping[str, FloatArray] = field(repr=False)
    load_of: pd.DataFrame = field(repr=False)
    unit_of: pd.DataFrame = field(repr=False)

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First instant covered, and the end of the last step."""
        return START, START + STEP * N_STEPS

    def load(self, time: pd.DatetimeIndex, buses: Sequence[str], series: Series) -> FloatArray:  # noqa: ARG002 - one series serves both
        """Mean load per step and bus. [MW]."""
        names = sorted(set(self.load_of["profile"]))
        weight = np.zeros((len(names), len(buses)))
        row = pd.Index(names).get_indexer(self.load_of["profile"])
        column = pd.Index(buses).get_indexer(self.load_of["bus"])
        here = column >= 0
        np.add.at(weight, (row[here], column[here]), self.load_of["p_mw"].to_numpy()[here])
        # One product after the other, so that rounding does not depend on the batch.
        power = np.zeros((len(time), len(buses)))
        for values, part in zip(self._means(time, names).T, weight, strict=True):
            power += values[:, None] * part
        return power

    def available(self, time: pd.DatetimeIndex, units: Sequence[str], series: Series) -> FloatArray:  # noqa: ARG002
        """Mean available power per step and unit. [MW]."""
        chosen = self.unit_of.loc[list(units)]
        names = sorted(set(chosen["profile"]))
        values = self._means(time, names)[:, pd.Index(names).get_indexer(chosen["profile"])]
        power: FloatArray = values * chosen["p_mw"].to_numpy(dtype=float)
        return power

    def _means(self, time: pd.DatetimeIndex, names: Sequence[str]) -> FloatArray:
        """Return means of profiles over the steps of `time`."""
        if not names:
            return np.zeros((len(time), 0))
        values = np.stack([self.profiles[name] for name in names], axis=1)
        return interval_means("SimBench profiles", values, START, STEP, time)
