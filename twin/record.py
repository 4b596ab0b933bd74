"""What a run leaves behind: arrays per signal step, tables of jobs, transfers and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from twin._arrays import FloatArray, IntArray
from twin.racks import RACK_VARIABLES
from twin.site_battery import BATTERY_VARIABLES
from weather import to_xarray_time

EVENT_KINDS = (
    "submitted",
    "started",
    "finished",
    "move_begun",
    "saved",
    "sent",
    "resumed",
    "move_refused",
    "pause_begun",
    "paused",
    "resume_begun",
    "link_cut",
    "link_back",
    "failed",
    "interrupted",
    "restart_begun",
    "resize_begun",
    "resized",
    "round_begun",
    "stopped",
    "move_dropped",
)
"""Kinds of events; the code in the table is the position here."""

KIND_CODE = {kind: code for code, kind in enumerate(EVENT_KINDS)}

EVENT_COLUMNS = {
    "time_s": np.float64,
    "job": np.int64,
    "kind": np.int64,
    "site": np.int64,
    "dest": np.int64,
    "reason": np.int64,
    "value": np.float64,
}

TRANSFER_COLUMNS = {
    "job": np.int64,
    "source": np.int64,
    "dest": np.int64,
    "n_gpus": np.int64,
    "begun_s": np.float64,
    "saved_s": np.float64,
    "sent_s": np.float64,
    "resumed_s": np.float64,
    "moved_gb": np.float64,
    "repeated_gb": np.float64,
    "n_cuts": np.int64,
    "dark_s": np.float64,
    "failed_s": np.float64,
    "dropped_s": np.float64,
    "live": np.int64,
    "n_rounds": np.int64,
    "precopied_gb": np.float64,
}

PAUSE_COLUMNS = {
    "job": np.int64,
    "site": np.int64,
    "n_gpus": np.int64,
    "begun_s": np.float64,
    "paused_s": np.float64,
    "resume_s": np.float64,
    "resumed_s": np.float64,
    "failed_s": np.float64,
}

SITE_VARIABLES = {
    "load_p_mw": ("MW", "time: mean", "draw at the meter"),
    "compute_p_mw": ("MW", "time: mean", "IT power of running GPUs and their hosts"),
    "idle_p_mw": ("MW", "time: mean", "IT power of free GPUs and their hosts"),
    "migration_p_mw": ("MW", "time: mean", "IT power of GPUs that save, send or load, and the network's"),
    "overhead_p_mw": ("MW", "time: mean", "cooling, conversion and fixed power"),
    "busy_gpus": ("1", "time: mean", "GPUs that run"),
    "held_gpus": (
        "1",
        "time: mean",
        "GPUs that hold a job which saves, sends or loads, for a move, a pause, a new start or another size",
    ),
    "reserved_gpus": ("1", "time: mean", "GPUs reserved for a job on its way"),
    "progress_gpu_h": ("GPU-h", "time: sum", "work done, at the reference device"),
    "wan_gb": ("GB", "time: sum", "half of what was sent plus half of what was received"),
    "queued_jobs": ("1", "time: point", "jobs in the site's queue at the start"),
    "operating_marginal_curtailment": (
        "MW/MW",
        "time: point",
        "curtailment relieved by one more MW, at the start",
    ),
}
"""Per signal step and site: unit, cell method, meaning."""

RESIZE_VARIABLES = {
    "paced_gpus": ("1", "time: mean", "recorded GPUs of the jobs that run that would do as much"),
    "resizing_gpus": ("1", "time: mean", "the part of held_gpus in changes of size"),
}
"""The same, only where jobs are elastic."""

_MORE_VARIABLES = {**RACK_VARIABLES, **BATTERY_VARIABLES, **RESIZE_VARIABLES}

DISPATCH_VARIABLES = {
    "p_mw": "gen",
    "unit_p_mw": "unit",
    "curtailed_p_mw": "unit",
    "spilled_p_mw": "unit",
    "line_p_mw": "line",
    "link_p_mw": "link",
    "shed_p_mw": "bus",
    "dump_p_mw": "bus",
    "line_shadow_price": "line",
    "marginal_curtailment": "bus",
    "marginal_co2_kg_per_mwh": "bus",
}
"""Arrays of a coupled dispatch and their second dimension, named as in the dispatch Dataset."""

DISPATCH_SCALARS = ("cost", "co2_kg")

_STEP_RESULT_NAME = {"p_mw": "gen_p_mw", "line_shadow_price": "line_shadow", "co2_kg": "co2_kg_per_h"}


def step_result_name(variable: str) -> str:
    """Return the field of a solved step that a dispatch variable is made of."""
    return _STEP_RESULT_NAME.get(variable, variable)


class Log:
    """A table that grows by chunks of columns."""

    def __init__(self, columns: Mapping[str, type]) -> None:
        self._columns = dict(columns)
        self._chunks: list[dict[str, npt.NDArray[np.generic]]] = []

    def append(self, n: int, **values: npt.ArrayLike) -> None:
        """Add `n` rows; a column that is not given is -1, or NaN where it holds floats."""
        if n == 0:
            return
        chunk: dict[str, npt.NDArray[np.generic]] = {}
        for name, dtype in self._columns.items():
            chunk[name] = np.empty(n, dtype=dtype)
            chunk[name][:] = values.get(name, np.nan if dtype is np.float64 else -1)
        self._chunks.append(chunk)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the columns."""
        if not self._chunks:
            return {name: np.zeros(0, dtype=dtype) for name, dtype in self._columns.items()}
        merged = {name: np.concatenate([c[name] for c in self._chunks]) for name in self._columns}
        self._chunks = [merged]
        return dict(merged)

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Replace the content by columns from :meth:`arrays`."""
        self._chunks = [{name: np.array(arrays[name], dtype=dtype) for name, dtype in self._columns.items()}]


@dataclass(eq=False)
class Recorder:
    """Collects the record while a run is under way."""

    n_steps: int
    n_sites: int
    n_grids: int
    more: tuple[str, ...] = ()
    events: Log = field(default_factory=lambda: Log(EVENT_COLUMNS))
    transfers: Log = field(default_factory=lambda: Log(TRANSFER_COLUMNS))
    pauses: Log = field(default_factory=lambda: Log(PAUSE_COLUMNS))
    sites: dict[str, FloatArray] = field(init=False)
    grids: list[dict[str, FloatArray]] = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the arrays per step and site; those per grid follow with the first solved step."""
        self.sites = {name: np.zeros((self.n_steps, self.n_sites)) for name in (*SITE_VARIABLES, *self.more)}
        self.grids = [{} for _ in range(self.n_grids)]

    def event(self, kind: str, time_s: npt.ArrayLike, job: IntArray, **values: npt.ArrayLike) -> None:
        """Add one event per job."""
        self.events.append(len(job), time_s=time_s, job=job, kind=KIND_CODE[kind], **values)

    def at_step(self, steps: int | slice, **values: FloatArray) -> None:
        """Set values per site of one step, or of some."""
        for name, value in values.items():
            self.sites[name][steps] = value

    def dispatch(self, grid: int, steps: slice, values: Mapping[str, FloatArray]) -> None:
        """Set the coupled dispatch of one grid in some steps."""
        store = self.grids[grid]
        for name, value in values.items():
            if name not in store:
                store[name] = np.zeros((self.n_steps, *value.shape[1:]))
            store[name][steps] = value

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything recorded as flat named arrays."""
        out: dict[str, npt.NDArray[np.generic]] = {}
        for prefix in ("events", "transfers", "pauses"):
            table: Log = getattr(self, prefix)
            out |= {f"{prefix}/{name}": values for name, values in table.arrays().items()}
        out |= {f"sites/{name}": values.copy() for name, values in self.sites.items()}
        for i, grid in enumerate(self.grids):
            out |= {f"grids/{i}/{name}": values.copy() for name, values in grid.items()}
        return out

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Take up what :meth:`to_arrays` gave."""

        def under(prefix: str) -> dict[str, npt.NDArray[np.generic]]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        self.events.load(under("events/"))
        self.transfers.load(under("transfers/"))
        self.pauses.load(under("pauses/"))
        self.sites = {name: np.array(v, dtype=np.float64) for name, v in under("sites/").items()}
        self.grids = [
            {name: np.array(v, dtype=np.float64) for name, v in under(f"grids/{i}/").items()}
            for i in range(self.n_grids)
        ]


@dataclass(frozen=True, eq=False)
class SimulationRecord:
    """Everything a finished run says about itself.

    Attributes
    ----------
    policy : str
        Name of the policy.
    time : pandas.DatetimeIndex
        Left labels of the signal steps. [UTC]
    step_h : float
        Length of a step. [h]
    site_names, grid_names : tuple of str
        Labels of sites and grids.
    gpu_capacity : ndarray of int (site)
        GPUs that may be used.
    site_grid : ndarray of int (site)
        Grid of each site.
    sites : dict of ndarray (step, site)
        See :data:`SITE_VARIABLES`; where a site has racks or a battery, also
        :data:`twin.racks.RACK_VARIABLES` and :data:`twin.site_battery.BATTERY_VARIABLES`; where jobs are
        elastic, also :data:`RESIZE_VARIABLES`.
    grids : tuple of dict of ndarray
        Coupled dispatch per grid, named as in the dispatch Dataset; see :data:`DISPATCH_VARIABLES`.
    jobs : pandas.DataFrame
        The job table with first_start_s, end_s, site (last), done_gpu_h (useful work), ideal_run_s,
        n_migrations, n_pauses, phase; n_interruptions, lost_gpu_h (work lost by them, reference device),
        repeated_gpu_h (the same in time of the GPUs that did it), restart_gpu_h (held while loading after).
        Where jobs are elastic, also n_resizes, resize_gpu_h (held meanwhile), extra_gpu_h (run beyond what
        the same work takes at the recorded size `n_gpus`) and last_gpus (present or last size).
    transfers : pandas.DataFrame
        One row per checkpoint that was sent: job, source, dest, n_gpus, begun_s, saved_s, sent_s, resumed_s,
        moved_gb (all that crossed links), repeated_gb (the part sent again after a link failed), n_cuts,
        dark_s (time in which the source was down), failed_s (an interruption ended the move), save_s,
        transfer_s, load_s, mean_gbit_per_s, held_gpu_h, energy_mwh; NaN where not reached by the end.
        mode ("stop_and_copy" or "live"), downtime_s (from the stop to where it runs again; NaN where not
        reached). Of live moves saved_s is when the job stopped and precopy_s the time from begun_s to then,
        n_rounds and precopied_gb are the rounds sent while it ran and their bytes, dropped_s is when the move
        was given up as the job ended or its destination went down, transfer_s and mean_gbit_per_s are of the
        last round, save_s is 0. Of others precopy_s, n_rounds and precopied_gb are 0.
    pauses : pandas.DataFrame
        One row per pause: job, site, n_gpus, begun_s, paused_s (saved, GPUs left), resume_s (GPUs taken,
        begins to load), resumed_s (runs again), failed_s (an interruption ended it), save_s, away_s,
        load_s, held_gpu_h, paused_gpu_h, energy_mwh; times are NaN where not reached by the end.
    events : pandas.DataFrame
        time_s, job, kind, site, dest, reason, value in order of time.
    battery_mwh : ndarray (site), optional
        What the batteries hold, 0 at a site without one; None where there is none. [MWh]
    """

    policy: str
    time: pd.DatetimeIndex
    step_h: float
    site_names: tuple[str, ...]
    grid_names: tuple[str, ...]
    gpu_capacity: IntArray
    site_grid: IntArray
    sites: dict[str, FloatArray]
    grids: tuple[dict[str, FloatArray], ...]
    jobs: pd.DataFrame
    transfers: pd.DataFrame
    pauses: pd.DataFrame
    events: pd.DataFrame
    battery_mwh: FloatArray | None = None

    def to_datasets(self) -> dict[str, xr.Dataset | pd.DataFrame]:
        """Return the record for a store.

        Returns
        -------
        dict
            "sites": Dataset (time, site); "coupled/<grid>": Dataset (time × gen / unit / line / link / bus,
            the second dimension without labels); "jobs", "transfers", "pauses", "events": data frames.
        """
        out: dict[str, xr.Dataset | pd.DataFrame] = {"sites": self._sites_dataset()}
        for name, arrays in zip(self.grid_names, self.grids, strict=True):
            out[f"coupled/{name}"] = self._dispatch_dataset(arrays)
        tables = {name: getattr(self, name) for name in ("jobs", "transfers", "pauses", "events")}
        return out | tables

    def _sites_dataset(self) -> xr.Dataset:
        about = {**SITE_VARIABLES, **_MORE_VARIABLES}
        variables = {
            name: (
                ("time", "site"),
                values,
                dict(zip(("units", "cell_methods", "long_name"), about[name], strict=True)),
            )
            for name, values in self.sites.items()
        }
        names = np.array(self.site_names, dtype=object)
        coords = {
            "time": to_xarray_time(self.time),
            "site": names,
            "gpu_capacity": ("site", self.gpu_capacity),
        }
        return xr.Dataset(variables, coords, {"policy": self.policy})

    def _dispatch_dataset(self, arrays: dict[str, FloatArray]) -> xr.Dataset:
        variables = {name: (("time", dim), arrays[name]) for name, dim in DISPATCH_VARIABLES.items()}
        scalars = {name: ("time", arrays[name]) for name in DISPATCH_SCALARS}
        return xr.Dataset(variables | scalars, {"time": to_xarray_time(self.time)}, {"policy": self.policy})
