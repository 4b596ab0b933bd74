"""What figures and tables of a report read from a result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from pydantic import JsonValue

from twin.store import Result

Floats = npt.NDArray[np.float64]

HELPS_ABOVE = 0.5
"""A load helps where a megawatt of it relieves more than this. [MW/MW]"""

CURTAILED_ABOVE_MW = 1e-3
"""An hour counts as curtailed above this. [MW]"""


@dataclass(frozen=True)
class Readout:
    """A result, read for a report; time is the run (study and drain), without the history."""

    result: Result

    @property
    def grids(self) -> list[str]:
        """Names of the grids."""
        return [grid.name for grid in self.result.scenario.grids]

    @property
    def policies(self) -> list[str]:
        """Names of the policies."""
        return list(self.result.scenario.policies)

    @property
    def step_h(self) -> float:
        """Length of a step. [h]"""
        return self.result.scenario.time.step_h

    def group(self, path: str) -> xr.Dataset:
        """Return one group of the result, loaded."""
        return cast("xr.DataTree", self.result.data[path]).to_dataset(inherit=False).load()

    def baseline(self, grid: str) -> xr.Dataset:
        """Return the dispatch without compute, in the run."""
        return self._baselines[grid]

    @cached_property
    def _baselines(self) -> dict[str, xr.Dataset]:
        return {grid: in_run(self.result, self.group(f"baseline/{grid}")) for grid in self.grids}

    @cached_property
    def signals(self) -> xr.Dataset:
        """Signals of the run, by site."""
        return in_run(self.result, self.group("signals"))

    @cached_property
    def time(self) -> pd.DatetimeIndex:
        """Time axis of the run, UTC."""
        return pd.DatetimeIndex(self.baseline(self.grids[0])["time"].values)

    def curtailed(self, grid: str) -> Floats:
        """Return curtailed power of a grid over time. [MW]"""
        return total(self.baseline(grid), "curtailed_p_mw")

    def of_policy(self, policy: str) -> dict[str, JsonValue]:
        """Return the summary of a policy."""
        policies = cast("dict[str, dict[str, JsonValue]]", self.result.summary["policies"])
        return policies[policy]

    def available(self, grid: str) -> Floats:
        """Return available wind and PV power of a grid over time. [MW]"""
        generation = in_run(self.result, self.group(f"generation/{grid}"))
        counted = self.baseline(grid)["counts_as_curtailment"].values.astype(bool)
        power = generation["available_p_mw"].transpose("time", "unit").values[:, counted]
        return np.asarray(power.sum(axis=1), dtype=np.float64)

    def value(self, policy: str, key: str) -> float:
        """Return a number of a policy's summary, nan where there is none."""
        given = self.of_policy(policy)[key]
        return float(given) if isinstance(given, (int, float)) else float("nan")

    def overall(self, key: str) -> float:
        """Return a number of the summary, nan where there is none."""
        given = self.result.summary[key]
        return float(given) if isinstance(given, (int, float)) else float("nan")

    def coupled_curtailed(self, policy: str) -> Floats:
        """Return curtailed power of all grids over time, with the compute of a policy. [MW]"""
        parts = [total(self.group(f"coupled/{policy}/{grid}"), "curtailed_p_mw") for grid in self.grids]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

    def helps_share(self, grid: str) -> pd.Series:
        """Return, per bus, the share of curtailed hours in which a load there helps. [1]"""
        baseline = self.baseline(grid)
        hours = self.curtailed(grid) > CURTAILED_ABOVE_MW
        marginal = baseline["marginal_curtailment"].transpose("time", "bus").values[hours]
        share = np.mean(marginal > HELPS_ABOVE, axis=0) if hours.any() else np.zeros(marginal.shape[1])
        return pd.Series(share, index=pd.Index(baseline["bus"].values, name="bus"))


def in_run(result: Result, data: xr.Dataset) -> xr.Dataset:
    """Return the part of a Dataset that lies in study and drain."""
    start = np.datetime64(result.scenario.time.start_utc.tz_localize(None))
    return data.sel(time=data["time"].values >= start)


def total(data: xr.Dataset, name: str) -> Floats:
    """Return a variable summed over all dims but time. [its unit]"""
    variable = data[name]
    dims = [dim for dim in variable.dims if dim != "time"]
    return np.asarray(variable.sum(dims).values, dtype=np.float64)
