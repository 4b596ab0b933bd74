"""The feasibility domain as a figure: checkpoint size by bandwidth, for windows, with the jobs of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.feasibility import feasibility
from twin.hardware import DEFAULT_DEVICE
from twin.inputs import S_PER_H
from twin.migration import MigrationModel
from weather import Findings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 240
_JOB_COLUMNS = ("checkpoint_gb", "n_gpus", "work_gpu_h")
_MOST_DOTS = 4000


@dataclass(frozen=True, eq=False)
class _Setting:
    """What the figure is drawn for."""

    windows_h: tuple[float, ...]
    link_gbit_per_s: float
    n_gpus: float
    gain: float
    alpha: float
    device: str
    migration: MigrationModel | None

    def holds(
        self, size_gb: ArrayLike, rate: ArrayLike, window_h: float, n_gpus: ArrayLike | None = None
    ) -> BoolArray:
        """Whether moves are feasible in a window."""
        return feasibility(
            size_gb,
            rate,
            window_h * S_PER_H,
            gain=self.gain,
            n_gpus=self.n_gpus if n_gpus is None else n_gpus,
            alpha=self.alpha,
            device=self.device,
            migration=self.migration,
        ).feasible


def feasible_share(
    jobs: pd.DataFrame,
    windows_h: Sequence[float],
    *,
    link_gbit_per_s: float = 10.0,
    gain: float = 1.0,
    alpha: float = 0.1,
    device: str = DEFAULT_DEVICE,
    migration: MigrationModel | None = None,
) -> FloatArray:
    """How much of a trace could move within windows, each job alone on the link.

    Parameters
    ----------
    jobs : DataFrame
        With `checkpoint_gb` [GB], `n_gpus` and `work_gpu_h` [GPU-h], as a run's job table has them.
    windows_h : sequence of float
        Lengths of windows. [h]
    link_gbit_per_s : float
        Rate of the link. [Gbit/s]
    gain, alpha, device, migration
        As of `twin.feasibility`.

    Returns
    -------
    ndarray (window, 2)
        Share of the jobs, and of their GPU-hours, whose move is feasible. [1]

    Raises
    ------
    InputError
        A column that is missing, no job, windows or rates out of range: all findings at once.

    Examples
    --------
    >>> import pandas as pd
    >>> jobs = pd.DataFrame({"checkpoint_gb": [10.0, 2000.0], "n_gpus": [8, 64], "work_gpu_h": [40.0, 360.0]})
    >>> feasible_share(jobs, [1.0, 24.0]).tolist()
    [[0.5, 0.1], [1.0, 1.0]]
    """
    setting = _Setting(tuple(windows_h), link_gbit_per_s, 1.0, gain, alpha, device, migration)
    _check(setting, jobs)
    return _shares(setting, jobs)


def _shares(setting: _Setting, jobs: pd.DataFrame) -> FloatArray:
    size, n_gpus, work = (jobs[name].to_numpy(dtype=float) for name in _JOB_COLUMNS)
    holds = [setting.holds(size, setting.link_gbit_per_s, hours, n_gpus) for hours in setting.windows_h]
    total = max(float(work.sum()), np.finfo(float).tiny)
    return np.array([[one.mean(), (work * one).sum() / total] for one in holds])


def plot_feasibility(
    jobs: pd.DataFrame | None = None,
    *,
    windows_h: Sequence[float] = (1.0, 3.0, 6.0, 12.0),
    link_gbit_per_s: float = 10.0,
    checkpoint_gb: tuple[float, float] = (1.0, 10_000.0),
    bandwidth_gbit_per_s: tuple[float, float] = (0.1, 400.0),
    n_gpus: float = 8,
    gain: float = 1.0,
    alpha: float = 0.1,
    device: str = DEFAULT_DEVICE,
    migration: MigrationModel | None = None,
) -> Figure:
    """Draw the feasibility domain: what fits in at least so long a window, the darker the shorter.

    Parameters
    ----------
    jobs : DataFrame, optional
        Jobs to put on it, at the rate of the link: `checkpoint_gb` [GB], `n_gpus`, `work_gpu_h` [GPU-h]. The
        legend tells which share of them and of their GPU-hours could move, each with its own GPUs.
    windows_h : sequence of float
        Lengths of windows, each with its boundary. [h]
    link_gbit_per_s : float
        Rate at which jobs stand. [Gbit/s]
    checkpoint_gb, bandwidth_gbit_per_s : tuple of float
        Least and most of the axes. [GB], [Gbit/s]
    n_gpus : float
        Devices of the job the domain is drawn for: they save and load, and their power pays the energy back.
    gain, alpha, device, migration
        As of `twin.feasibility`.

    Returns
    -------
    matplotlib.figure.Figure
        To be shown in a notebook or saved with ``savefig``; no global state of matplotlib is touched.

    Raises
    ------
    InputError
        As `feasible_share`; axes without a span.

    Examples
    --------
    >>> figure = plot_feasibility(windows_h=[2.0, 8.0])
    >>> figure.axes[0].get_xlabel()
    'checkpoint [GB]'
    """
    from matplotlib.figure import Figure

    order = tuple(sorted(windows_h, reverse=True))
    setting = _Setting(order, link_gbit_per_s, n_gpus, gain, alpha, device, migration)
    _check(setting, jobs, checkpoint_gb=checkpoint_gb, bandwidth_gbit_per_s=bandwidth_gbit_per_s)
    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    axes = figure.add_subplot()
    _paint_domain(axes, setting, checkpoint_gb, bandwidth_gbit_per_s, jobs)
    if jobs is not None:
        _paint_jobs(axes, setting, jobs)
    axes.set(
        xscale="log",
        yscale="log",
        xlim=checkpoint_gb,
        ylim=bandwidth_gbit_per_s,
        xlabel="checkpoint [GB]",
        ylabel="bandwidth [Gbit/s]",
    )
    title = f"Feasible moves of {n_gpus:g} {device} at a gain of {gain:g} and α = {alpha:g}"
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.legend(loc="lower right", title="fits into a window of", frameon=True, framealpha=0.9, fontsize=8)
    return figure


def _paint_domain(
    axes: Axes,
    setting: _Setting,
    checkpoint_gb: tuple[float, float],
    bandwidth_gbit_per_s: tuple[float, float],
    jobs: pd.DataFrame | None,
) -> None:
    """Shade what fits into each window, the longest first, and draw the boundaries."""
    from matplotlib.patches import Rectangle

    size, rate = (np.geomspace(*span, _POINTS) for span in (checkpoint_gb, bandwidth_gbit_per_s))
    shares = None if jobs is None else _shares(setting, jobs)
    shades = np.linspace(0.25, 0.95, len(setting.windows_h))
    for k, (hours, shade) in enumerate(zip(setting.windows_h, shades, strict=True)):
        holds = setting.holds(size, rate[:, None], hours).astype(float)
        colour = (0.106 + 0.8 * (1.0 - shade), 0.498 + 0.45 * (1.0 - shade), 0.475 + 0.47 * (1.0 - shade))
        label = f"{hours:g} h"
        if shares is not None:
            label += f": {shares[k, 0]:.0%} of jobs, {shares[k, 1]:.0%} of GPU-hours"
        if holds.any():
            axes.contourf(size, rate, holds, levels=[0.5, 1.5], colors=[colour])
        axes.add_patch(Rectangle((np.nan, np.nan), 0.0, 0.0, facecolor=colour, label=label))


def _paint_jobs(axes: Axes, setting: _Setting, jobs: pd.DataFrame) -> None:
    """Jobs at the rate of the link, spread a little to tell them apart, as large as their work."""
    shown = jobs.iloc[:: -(-len(jobs) // _MOST_DOTS)]
    size, _, work = (shown[name].to_numpy(dtype=float) for name in _JOB_COLUMNS)
    # A fixed low-discrepancy sequence: the picture is the same every time.
    spread = 10.0 ** (0.12 * ((np.arange(len(shown)) * 0.6180339887498949) % 1.0 - 0.5))
    area = 3.0 + 60.0 * np.sqrt(work / max(float(work.max()), 1e-12))
    axes.axhline(setting.link_gbit_per_s, color="#1f2933", linewidth=0.8, linestyle=":")
    axes.scatter(
        size,
        setting.link_gbit_per_s * spread,
        s=area,
        color="#1f2933",
        alpha=0.35,
        linewidths=0.0,
        label=f"jobs on {setting.link_gbit_per_s:g} Gbit/s, area by GPU-hours",
    )


def _check(setting: _Setting, jobs: pd.DataFrame | None, **spans: tuple[float, float]) -> None:
    findings = Findings()
    if not setting.windows_h:
        findings.add("windows_h", "is empty", "give one or more lengths in h")
    for hours in setting.windows_h:
        if not 0.0 < hours < np.inf:
            findings.add("windows_h", f"has {hours} h", "give finite lengths above 0 h")
    if not 0.0 < setting.link_gbit_per_s < np.inf:
        findings.add(
            "link_gbit_per_s", f"is {setting.link_gbit_per_s} Gbit/s", "give a finite rate above 0 Gbit/s"
        )
    for name, (least, most) in spans.items():
        if not 0.0 < least < most < np.inf:
            findings.add(name, f"from {least} to {most} is no span", "give finite bounds above 0, rising")
    if jobs is not None:
        missing = [name for name in _JOB_COLUMNS if name not in jobs]
        if missing:
            findings.add(
                "jobs", f"lacks {', '.join(missing)}", "give the job table of a run, or these columns"
            )
        elif not len(jobs):
            findings.add("jobs", "is empty", "give one job or more")
    findings.raise_if_any("feasibility figure")
