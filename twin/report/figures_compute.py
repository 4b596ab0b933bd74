"""Figures on the compute: what each policy absorbed, what that cost the jobs, which moves were made."""

from __future__ import annotations

from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twin.feasibility import REFUSALS
from twin.report.readout import Floats, Readout
from twin.report.style import (
    ABSORBED,
    BOUND,
    INK,
    MUTED,
    THERMAL,
    Picture,
    date_ticks,
    draw,
    energy,
    number,
    only_x_grid,
    only_y_grid,
    percent,
    policy_colours,
)

_SPLIT = (("absorbed_mwh", "absorbed", ABSORBED), ("nonrenewable_compute_mwh", "thermal", THERMAL))


def absorbed_bars(readout: Readout) -> Picture:
    """Draw what each policy absorbed beside its bound."""
    names = readout.policies
    absorbed = np.array([readout.value(p, "absorbed_mwh") for p in names]) / 1e3
    bound = np.array([readout.value(p, "bound_absorbed_mwh") for p in names]) / 1e3

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        rows = np.arange(len(names))[::-1]
        if np.isfinite(bound).any():
            axes.barh(rows, np.nan_to_num(bound), height=0.72, color=BOUND, label="bound: perfect foresight")
        axes.barh(rows, absorbed, height=0.4, color=list(policy_colours(names).values()))
        for row, name, value in zip(rows, names, absorbed, strict=True):
            share = percent(readout.value(name, "share_of_bound"), 0)
            axes.annotate(
                f"{number(value, 2)} GWh ({share} of bound)",
                (max(value, 0.0), row),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        axes.set_yticks(rows, names)
        axes.axvline(0, color=INK, lw=0.8)
        axes.set_xlabel("curtailed energy absorbed [GWh]")
        axes.margins(x=0.02)
        only_x_grid(axes)
        if np.isfinite(bound).any():
            axes.legend(loc="upper right", bbox_to_anchor=(1, 1.14))

    said = "; ".join(
        f"{n} {energy(1e3 * float(a))} of at most {energy(1e3 * float(b))}"
        for n, a, b in zip(names, absorbed, bound, strict=True)
    )
    return draw(
        paint,
        size=(10, 0.9 + 0.55 * len(names)),
        alt=f"Bars of absorbed energy per policy against its bound: {said}.",
        caption="Absorbed is counterfactual: curtailed energy in the dispatch without compute minus with "
        "it. The bound is what "
        "perfect foresight could absorb with the same total energy.",
    )


def split_bars(readout: Readout) -> Picture:
    """Draw where the energy of compute came from."""
    names = readout.policies
    compute = np.array([readout.value(p, "compute_mwh") for p in names])
    parts = {
        label: (np.array([readout.value(p, key) for p in names]) / 1e3, colour)
        for key, label, colour in _SPLIT
    }
    rest = compute / 1e3 - np.sum([values for values, _ in parts.values()], axis=0)
    parts["other (hydro, CSP, shed)"] = (rest, "#a9b7c6")

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        rows = np.arange(len(names))[::-1]
        right, left = np.zeros(len(names)), np.zeros(len(names))
        for label, (values, colour) in parts.items():
            start = np.where(values >= 0, right, left)
            axes.barh(rows, values, left=start, color=colour, label=label, height=0.6)
            right, left = right + np.maximum(values, 0), left + np.minimum(values, 0)
        axes.set_yticks(rows, names)
        axes.axvline(0, color=INK, lw=0.8)
        axes.set_xlabel("energy of compute [GWh]")
        only_x_grid(axes)
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.45, 1.22), ncols=3, columnspacing=1.2, handlelength=1.2
        )

    shares = "; ".join(
        f"{n} {percent(float(a) / c if c else float('nan'))}"
        for n, a, c in zip(names, 1e3 * parts["absorbed"][0], compute, strict=True)
    )
    return draw(
        paint,
        size=(4.9, 3.4),
        wide=False,
        alt=f"Stacked bars of the energy of compute by origin. Absorbed share per policy: {shares}.",
        caption="Where the energy of compute came from: exact split of the difference between the two "
        "dispatches.",
    )


def relief_over_time(readout: Readout) -> Picture:
    """Draw cumulated absorbed energy of each policy."""
    without = np.sum([readout.curtailed(grid) for grid in readout.grids], axis=0)
    colours = policy_colours(readout.policies)
    curves = {
        p: np.cumsum(without - readout.coupled_curtailed(p)) * readout.step_h / 1e3 for p in readout.policies
    }

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for name, curve in curves.items():
            axes.plot(readout.time, curve, color=colours[name], lw=1.8, label=name)
        axes.set_ylabel("absorbed so far [GWh]")
        date_ticks(axes, least=3, most=6)
        axes.legend(loc="upper left")

    said = "; ".join(f"{name} {energy(1e3 * float(curve[-1]))}" for name, curve in curves.items())
    return draw(
        paint,
        size=(4.9, 3.4),
        wide=False,
        alt=f"Lines of energy absorbed so far by each policy over the run. At its end: {said}.",
        caption="When it is absorbed. Steps are windows of surplus; flat stretches are hours in which no "
        "bus has any.",
    )


def site_load(readout: Readout, policy: str) -> Picture:
    """Draw each site's load and what it could absorb."""
    sites = readout.group(f"sites/{policy}")
    names = [str(s) for s in readout.signals["site"].values]
    absorbable = readout.signals["absorbable_p_mw"].transpose("site", "time").values
    load = sites["load_p_mw"].transpose("site", "time").values
    colour = policy_colours(readout.policies)[policy]
    columns = 2
    rows = -(-len(names) // columns)

    def paint(figure: Figure) -> None:
        panes = cast(
            "np.ndarray[tuple[int, int], np.dtype[np.object_]]",
            figure.subplots(rows, columns, sharex=True, squeeze=False),
        )
        top = max(float(load.max()), float(np.percentile(absorbable, 99)), 1.0)
        for i in range(rows * columns):
            axes = cast("Axes", panes[i // columns, i % columns])
            if i >= len(names):
                axes.set_visible(False)
                continue
            axes.fill_between(readout.time, absorbable[i], step="post", color=BOUND, lw=0, label="absorbable")
            axes.step(readout.time, load[i], where="post", color=colour, lw=1.1, label=f"load, {policy}")
            bus = readout.signals["bus"].values[i]
            axes.set_title(f"{names[i]} (bus {bus})", fontsize=8.5)
            axes.set_ylim(0, 1.05 * top)
            date_ticks(axes, least=3, most=6)
        handles, labels = cast("Axes", panes[0, 0]).get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8)
        figure.supylabel("MW", fontsize=9)

    return draw(
        paint,
        size=(10, 0.6 + 1.15 * rows),
        alt=f"Panels of load over time at each site under {policy}, over the power that was absorbable "
        "there.",
        caption=f"Load of each site under {policy} (line) and the joint absorbable power published for it "
        "(area). Load outside "
        "of the area burns fuel; area without load is curtailed.",
    )


def completion(readout: Readout) -> Picture:
    """Draw the distribution of slowdowns per policy."""
    colours = policy_colours(readout.policies)
    curves = {p: np.sort(slowdowns(readout, p)) for p in readout.policies}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for name, values in curves.items():
            if len(values):
                above = 1.0 - np.arange(len(values)) / len(values)
                axes.step(values, above, where="post", color=colours[name], lw=1.8, label=name)
        axes.set(xscale="log", yscale="log", xlim=(1, None))
        axes.set(xlabel="slowdown: completion over run time", ylabel="share of jobs at least as slow")
        axes.legend(loc="lower left")

    said = "; ".join(f"{p} {number(readout.value(p, 'slowdown_mean'), 2)}" for p in readout.policies)
    return draw(
        paint,
        size=(4.9, 3.4),
        wide=False,
        alt=f"Share of jobs that are at least as slow as a given slowdown, by policy. Mean slowdown: {said}.",
        caption="What it cost the jobs: completion time over the time the job would need alone at its "
        "origin.",
    )


def slowdowns(readout: Readout, policy: str) -> Floats:
    """Return completion time over ideal run time of every finished job."""
    jobs = readout.group(f"jobs/{policy}")
    end, submit, ideal = (
        np.asarray(jobs[c].values, dtype=float) for c in ("end_s", "submit_s", "ideal_run_s")
    )
    done = np.isfinite(end) & (ideal > 0)
    return np.asarray((end[done] - submit[done]) / ideal[done], dtype=np.float64)


_REFUSAL_COLOURS = (
    *("#c2543d", "#e0b35c", "#7d8aa5", "#9a5a8f", "#73894a", "#4f8f9a"),
    *("#8c6d46", "#b9b4a5", "#5b5b7a"),
)


def migrations(readout: Readout) -> Picture:
    """Draw moves made and refused, by reason."""
    names = readout.policies
    refused = {p: cast("dict[str, float]", readout.of_policy(p)["migrations_refused"]) for p in names}
    reasons = [r for r in REFUSALS[1:] if any(refused[p].get(r, 0) for p in names)]
    shades = dict(zip(REFUSALS[1:], _REFUSAL_COLOURS, strict=True))

    def paint(figure: Figure) -> None:
        done_axes, refused_axes = cast("tuple[Axes, Axes]", tuple(figure.subplots(1, 2, width_ratios=(2, 3))))
        rows = np.arange(len(names))[::-1]
        done = [readout.value(p, "migrations_done") for p in names]
        bars = done_axes.barh(rows, done, color=list(policy_colours(names).values()), height=0.6)
        done_axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8.5, color=MUTED)
        done_axes.set_yticks(rows, names)
        done_axes.set_xlabel("migrations done")
        done_axes.margins(x=0.2)
        left = np.zeros(len(names))
        for reason in reasons:
            values = np.array([float(refused[p].get(reason, 0)) for p in names])
            refused_axes.barh(rows, values, left=left, color=shades[reason], label=reason, height=0.6)
            left = left + values
        refused_axes.set_yticks(rows, [""] * len(names))
        refused_axes.set_xlabel("migrations refused, by the condition that binds")
        if reasons:
            refused_axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(reasons), fontsize=8)
        for axes in (done_axes, refused_axes):
            only_x_grid(axes)

    said = "; ".join(
        f"{p}: {number(readout.value(p, 'migrations_done'), 0)} done, "
        + (
            ", ".join(f"{number(float(v), 0)} refused for {r}" for r, v in refused[p].items() if v)
            or "none refused"
        )
        for p in names
    )
    return draw(
        paint,
        size=(10, 0.9 + 0.5 * len(names)),
        alt=f"Bars of migrations per policy. {said}.",
        caption="Each refusal is counted once per job and change of reason, under the condition that binds.",
    )


def trade_off(readout: Readout) -> Picture:
    """Draw non-renewable energy per GPU-hour against slowdown."""
    names = readout.policies
    colours = policy_colours(names)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for name in names:
            x, y = readout.value(name, "slowdown_mean"), readout.value(name, "nonrenewable_kwh_per_gpu_h")
            axes.plot(x, y, "o", ms=11, color=colours[name])
            axes.annotate(name, (x, y), xytext=(9, 4), textcoords="offset points", fontsize=8.5)
        axes.set(xlabel="mean slowdown of jobs", ylabel="non-renewable kWh per GPU-hour")
        axes.margins(0.25)
        only_y_grid(axes)

    said = "; ".join(
        f"{p}: slowdown {number(readout.value(p, 'slowdown_mean'), 2)}, "
        f"{number(readout.value(p, 'nonrenewable_kwh_per_gpu_h'), 3)} kWh"
        for p in names
    )
    return draw(
        paint,
        size=(4.9, 3.4),
        wide=False,
        alt=f"Scatter of non-renewable energy per GPU-hour against mean slowdown. {said}.",
        caption="The bargain: lower is cleaner, further left is kinder to the jobs.",
    )
