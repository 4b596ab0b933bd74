"""Figures on the grid: what is curtailed, when, where and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from grid_models import CAUSES
from twin.report.readout import Readout, total
from twin.report.style import (
    ABSORBED,
    AVAILABLE,
    CONGESTION,
    INK,
    MUTED,
    OVERSUPPLY,
    SECURITY,
    SYSTEM,
    Picture,
    date_ticks,
    draw,
    number,
    only_x_grid,
    only_y_grid,
    percent,
)
from twin.scenario_model import SiteSection

LABEL_DISTANCE = 0.25
"""Sites nearer to each other than this have their labels set apart. [degree]"""

_COLOUR = {"oversupply": OVERSUPPLY, "system": SYSTEM, "congestion": CONGESTION, "security": SECURITY}
_MEANING = {
    "oversupply": "Oversupply is what would be curtailed without any limits of the network.",
    "system": "System is what reserves and the limit on the non-synchronous share add.",
    "congestion": "Congestion is what limits of lines add.",
    "security": "Security is what outages add that must be survived.",
}

_HEAT = LinearSegmentedColormap.from_list("heat", ["#f6f4ef", "#f0cf8e", "#dd8a4a", "#a8402f", "#5b1a24"])
_USE = LinearSegmentedColormap.from_list("use", ["#b6bcc3", "#9fc6c0", "#1b7f79", "#0b4f4b"])
_SIGN = LinearSegmentedColormap.from_list("sign", ["#8b2d57", "#d9a9bd", "#f4f4f2", "#7fbcb5", "#0b5f5a"])


def _causes(baseline: xr.Dataset) -> list[str]:
    """Causes that a dispatch tells apart, in the order in which they are stacked."""
    return [cause for cause in CAUSES if f"curtailed_{cause}_p_mw" in baseline]


def _and(words: Iterable[str]) -> str:
    """Words as a list in a sentence."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def timeline(readout: Readout, grid: str) -> Picture:
    """Draw available and curtailed power over time, curtailment by cause."""
    baseline = readout.baseline(grid)
    time = readout.time
    available = readout.available(grid)
    curtailed = readout.curtailed(grid)
    causes = {cause: total(baseline, f"curtailed_{cause}_p_mw") for cause in _causes(baseline)}

    def paint(figure: Figure) -> None:
        top, bottom = cast(
            "tuple[Axes, Axes]", tuple(figure.subplots(2, 1, sharex=True, height_ratios=(3, 2)))
        )
        top.fill_between(time, available - curtailed, step="post", color=AVAILABLE, label="delivered", lw=0)
        top.fill_between(
            time, available - curtailed, available, step="post", color=CONGESTION, label="curtailed", lw=0
        )
        top.set(ylabel="wind and PV [MW]", ylim=(0, None))
        below = np.zeros(len(time))
        for cause, part in causes.items():
            bottom.fill_between(
                time, below, below + part, step="post", color=_COLOUR[cause], label=cause, lw=0
            )
            below = below + part
        bottom.set(ylabel="curtailed [MW]")
        for axes in (top, bottom):
            _time_axis(axes, time, readout)
            axes.legend(loc="upper left", ncols=2, bbox_to_anchor=(0, 1.12), borderaxespad=0)

    share = curtailed.sum() / available.sum() if available.sum() > 0 else 0.0
    return draw(
        paint,
        size=(10, 4.6),
        alt=f"Time series of {grid}: available wind and PV, of which {percent(share)} is curtailed, and the "
        "curtailed "
        f"power split into {_and(causes)}. The highest curtailed power is "
        f"{number(curtailed.max(), 0)} MW.",
        caption="Top: power the weather allows, and the part of it that is not taken. Bottom: the latter by "
        "cause. "
        + " ".join(_MEANING[cause] for cause in causes)
        + " What a limit adds may be negative where re-dispatch around it happens to help. The shaded end is "
        "the drain, in which "
        "no jobs arrive.",
    )


def heat_map(readout: Readout, grid: str) -> Picture:
    """Draw curtailed power by day and local hour."""
    offset = float(readout.baseline(grid).attrs.get("utc_offset_h", 0.0))
    local = readout.time + pd.Timedelta(hours=offset)
    frame = pd.DataFrame({"day": local.normalize(), "hour": local.hour, "p_mw": readout.curtailed(grid)})
    table = frame.pivot_table(index="hour", columns="day", values="p_mw", aggfunc="mean").reindex(range(24))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(
            table.to_numpy(), aspect="auto", origin="lower", cmap=_HEAT, interpolation="nearest", vmin=0
        )
        axes.grid(visible=False)
        every = max(1, -(-len(table.columns) // 12))
        axes.set_xticks(
            range(0, len(table.columns), every), [f"{d.day} {d:%b}" for d in table.columns[::every]]
        )
        axes.set_yticks(range(0, 24, 6), [f"{h:02d}:00" for h in range(0, 24, 6)])
        axes.set_ylabel(f"local hour (UTC{offset:+g})")
        figure.colorbar(image, ax=axes, label="curtailed [MW]", pad=0.01)

    by_hour = table.mean(axis=1)
    return draw(
        paint,
        size=(10, 3.0),
        alt="Heat map of curtailed power by day and local hour; on average most is curtailed at "
        f"{by_hour.idxmax():02d}:00 "
        f"({number(float(by_hour.max()), 0)} MW) and least at {by_hour.idxmin():02d}:00.",
        caption="When it happens: curtailed power by day (across) and local hour (up). Midday columns are "
        "PV, "
        "long vertical bands are windy days.",
    )


def by_unit(readout: Readout, grid: str, most: int = 12) -> Picture:
    """Draw curtailed energy of the units that lose most, by cause."""
    baseline = readout.baseline(grid)
    causes = {
        cause: baseline[f"curtailed_{cause}_p_mw"].sum("time").to_series() * readout.step_h / 1e3
        for cause in _causes(baseline)
    }
    table = pd.DataFrame(causes)
    table = table.loc[table.sum(axis=1).sort_values(ascending=False).index[:most]][::-1]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        left = np.zeros(len(table))
        for cause in causes:
            values = table[cause].to_numpy()
            start = (
                np.where((values < 0) | (left < 0), np.minimum(left, 0), left)
                if cause != "oversupply"
                else left
            )
            axes.barh(
                table.index.astype(str), values, left=start, color=_COLOUR[cause], label=cause, height=0.7
            )
            left = left + values
        axes.set_xlabel("curtailed energy [GWh]")
        only_x_grid(axes)
        axes.legend(loc="lower right")

    first = table.index[-1] if len(table) else "none"
    return draw(
        paint,
        size=(4.9, 4.2),
        wide=False,
        alt=f"Bars of curtailed energy by plant and cause in {grid}; most is lost at {first}.",
        caption="Which plants lose most, and why. A negative part means that the network's limits favour "
        "that plant.",
    )


def network_map(readout: Readout, grid: str) -> Picture:
    """Draw the network with curtailed energy and the use of a load at each bus."""
    baseline = readout.baseline(grid)
    helps = readout.helps_share(grid)
    buses = pd.DataFrame(
        {"x": baseline["bus_longitude"].values, "y": baseline["bus_latitude"].values}, index=helps.index
    )
    lost = baseline["curtailed_p_mw"].sum("time") * readout.step_h
    lost_at = lost.to_series().groupby(baseline["unit_bus"].values).sum().reindex(buses.index, fill_value=0.0)
    loading = baseline["loading_percent"].max("time").values if "loading_percent" in baseline else None
    ends = zip(baseline["line_from_bus"].values, baseline["line_to_bus"].values, strict=True)
    segments = [buses.loc[[a, b], ["x", "y"]].to_numpy() for a, b in ends]
    sites = [s for s in readout.result.scenario.sites if readout.result.scenario.grid_of(s) == grid]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        tight = np.asarray(loading) > 99.5 if loading is not None else np.zeros(len(segments), dtype=bool)
        colours = [CONGESTION if t else "#c9d0d6" for t in tight]
        axes.add_collection(
            LineCollection(segments, colors=colours, linewidths=np.where(tight, 1.8, 0.8), zorder=1)
        )
        sizes = 14 + 600 * lost_at / max(float(lost_at.max()), 1e-9)
        norm = Normalize(0, 1)
        axes.scatter(
            buses["x"],
            buses["y"],
            s=sizes,
            c=helps,
            cmap=_USE,
            norm=norm,
            edgecolor="white",
            lw=0.6,
            zorder=2,
        )
        for site, up in _spread(sites, buses):
            at = buses.loc[site.bus]
            for colour, width in (("white", 3.2), (INK, 1.3)):
                axes.plot(at["x"], at["y"], marker="s", ms=11, mfc="none", mec=colour, mew=width, zorder=3)
            axes.annotate(
                f"{site.name}",
                (at["x"], at["y"]),
                xytext=(9, 7 + 11 * up),
                textcoords="offset points",
                fontsize=8,
                zorder=4,
            )
        axes.set(xlabel="longitude [°]", ylabel="latitude [°]")
        axes.set_aspect(1 / np.cos(np.deg2rad(float(buses["y"].mean()))))
        figure.colorbar(
            ScalarMappable(norm, _USE),
            ax=axes,
            pad=0.01,
            shrink=0.8,
            label="share of curtailed hours in which a load helps",
        )

    best = helps.idxmax() if len(helps) else "none"
    return draw(
        paint,
        size=(10, 5.4),
        alt=f"Map of {grid}: buses as circles, larger where more is curtailed, darker where a load helps "
        "more often. A load "
        f"helps most often at bus {best} ({percent(float(helps.max()), 0)} of curtailed hours); the median "
        "bus has "
        f"{percent(float(helps.median()), 0)}. Squares mark the compute sites.",
        caption="Where. Circles are buses, their area the energy curtailed there, their colour how often a "
        "megawatt of load "
        "there would relieve more than half a megawatt. Red branches reach their limit at some time. "
        "Squares: compute sites.",
    )


def _spread(sites: list[SiteSection], buses: pd.DataFrame) -> list[tuple[SiteSection, int]]:
    """Number sites that lie close together, so that their labels do not cover each other."""
    placed: list[tuple[SiteSection, int]] = []
    for site in sites:
        here = buses.loc[site.bus]
        near = [
            other
            for other, _ in placed
            if np.hypot(*(buses.loc[other.bus] - here)[["x", "y"]].to_numpy(dtype=float)) < LABEL_DISTANCE
        ]
        placed.append((site, len(near)))
    return placed


def marginal_map(readout: Readout) -> Picture:
    """Draw marginal curtailment at each site over time."""
    signals = readout.signals
    values = signals["marginal_curtailment"].transpose("site", "time").values
    names = [f"{s} (bus {b})" for s, b in zip(signals["site"].values, signals["bus"].values, strict=True)]
    time = readout.time

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = min(-1.0, float(values.min())), max(1.0, float(values.max()))
        norm = TwoSlopeNorm(0.0, max(low, -1.5), min(high, 1.5))
        extent = (mdates.date2num(time[0]), mdates.date2num(time[-1]), len(names) - 0.5, -0.5)
        image = axes.imshow(
            values, aspect="auto", cmap=_SIGN, norm=norm, interpolation="nearest", extent=extent
        )
        axes.grid(visible=False)
        axes.set_yticks(range(len(names)), names)
        axes.xaxis_date()
        _time_axis(axes, time, readout)
        figure.colorbar(image, ax=axes, pad=0.01, label="MW less curtailed\nper MW of load", extend="both")

    helps = (values > 0.5).mean(axis=1)
    ranked = ", ".join(f"{n} {percent(float(h), 0)}" for n, h in zip(names, helps, strict=True))
    return draw(
        paint,
        size=(10, 0.9 + 0.36 * len(names)),
        alt="Heat map of marginal curtailment by site and time. Share of all hours above one half: "
        f"{ranked}.",
        caption="Why place matters: exact derivative of curtailed power with respect to load at each site's "
        "bus. Green: a "
        "megawatt of load saves curtailed energy. White: it burns fuel instead. Red: it makes curtailment "
        "worse.",
    )


def windows_histogram(readout: Readout) -> Picture:
    """Draw how long windows of absorbable power last."""
    table = readout.result.tables["windows"]
    hours = (
        (pd.to_datetime(table["end"]) - pd.to_datetime(table["start"])).dt.total_seconds().to_numpy() / 3600
        if len(table)
        else np.zeros(0)
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        edges = np.array([0, 1, 2, 3, 4, 6, 8, 12, 18, 24, 48, 96, 1000]) + 0.5
        counts, _ = np.histogram(hours, edges)
        labels = ["1", "2", "3", "4", "5–6", "7–8", "9–12", "13–18", "19–24", "25–48", "49–96", "> 96"]
        axes.bar(labels, counts, color=ABSORBED, width=0.8)
        axes.set(xlabel="length of window [h]", ylabel="windows")
        axes.tick_params(axis="x", rotation=45)
        only_y_grid(axes)

    median = float(np.median(hours)) if len(hours) else float("nan")
    return draw(
        paint,
        size=(4.9, 4.2),
        wide=False,
        alt=f"Histogram of the lengths of {len(hours)} windows; the median is {number(median, 1)} hours.",
        caption=f"How long a site stays useful: {len(hours)} windows at all sites, median "
        f"{number(median, 1)} h. A move that "
        "takes more than a small share of a window does not pay.",
    )


def _time_axis(axes: Axes, time: pd.DatetimeIndex, readout: Readout) -> None:
    """Format a time axis and shade the drain."""
    end = readout.result.scenario.time
    drain = end.start_utc.tz_localize(None) + pd.Timedelta(days=end.days)
    last = time[-1] + (time[1] - time[0])
    if drain < last:
        axes.axvspan(
            float(mdates.date2num(drain)), float(mdates.date2num(last)), color=MUTED, alpha=0.08, lw=0
        )
    axes.set_xlim(float(mdates.date2num(time[0])), float(mdates.date2num(last)))
    date_ticks(axes, least=5, most=12)
