"""Series of a case that has none: nominal load, times a profile if there is one, and constant outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from grid_models._arrays import FloatArray
from grid_models.grid import Series
from weather import Finding, Findings, InputError, step_of, to_utc_index


@dataclass(frozen=True)
class CaseSeries:
    """Load of a case, and the constant output of units that do not follow weather.

    Attributes
    ----------
    load_p_mw : mapping of str to float
        Nominal load of each bus. [MW]
    profile : pandas.Series or None
        Factor on a tz-aware, regular axis of left labels; None: always 1. [1]
    constant_p_mw : mapping of str to float
        Available power of units that is the same in every step: hydro, at its output in the case. [MW]
    """

    load_p_mw: Mapping[str, float]
    profile: pd.Series | None = None
    constant_p_mw: Mapping[str, float] = field(default_factory=dict)

    def load(self, time: pd.DatetimeIndex, buses: Sequence[str], series: Series) -> FloatArray:  # noqa: ARG002 - one series serves both
        """Load per step and bus. [MW]."""
        nominal = np.array([self.load_p_mw.get(bus, 0.0) for bus in buses])
        index = to_utc_index(time)
        if self.profile is None:
            return np.tile(nominal, (len(index), 1))
        known = to_utc_index(self.profile.index)
        findings = Findings()
        if step_of(known) != step_of(index):
            what = f"step {pd.Timedelta(step_of(known))}, asked for {pd.Timedelta(step_of(index))}"
            findings.add("load_profile", what, "resample the profile first")
        elif not index.isin(known).all():
            what = f"covers {known[0]} to {known[-1]}, asked for {index[0]} to {index[-1]}"
            findings.add("load_profile", what, "give a profile that covers the run")
        findings.raise_if_any("load of a case")
        factor = self.profile.to_numpy(dtype=float)[known.get_indexer(index)]
        load: FloatArray = factor[:, None] * nominal
        return load

    def available(self, time: pd.DatetimeIndex, units: Sequence[str], series: Series) -> FloatArray:
        """Constant power of hydro; other units are refused: a case has no recorded renewable power. [MW]."""
        unknown = [unit for unit in units if unit not in self.constant_p_mw]
        if unknown:
            named = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
            what = f"the case has no {series} series for {len(unknown)} unit(s): {named}"
            remedy = "model them from weather, or attach a table of available power"
            raise InputError("recorded series", [Finding("recorded", what, remedy)])
        power = np.array([self.constant_p_mw[unit] for unit in units])
        return np.tile(power, (len(time), 1))
