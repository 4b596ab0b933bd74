"""The report: one page that opens offline, with everything it shows inside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from grid_models import CAUSES
from twin.report import figures_compute as compute
from twin.report import figures_grid as grid_figures
from twin.report.readout import Readout
from twin.report.style import Picture, energy, number, percent
from twin.report.tables import (
    TextTable,
    assumption_table,
    bus_table,
    device_table,
    margin_table,
    policy_table,
    refusal_table,
    site_table,
)
from twin.scenario_model import GridSection
from twin.store import Result

LEAST_SHED_MWH = 1e-3
"""Shedding because of the sites is told above this. [MWh]"""


@dataclass(frozen=True)
class Card:
    """A headline number."""

    label: str
    value: str
    unit: str
    note: str


@dataclass(frozen=True)
class Chapter:
    """A part of the page: what it answers, in words, pictures and tables."""

    anchor: str
    title: str
    lead: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[TextTable, ...] = ()
    notes: tuple[str, ...] = ()
    folded: bool = False


def write_report(result: Result, directory: str | Path) -> Path:
    """Write ``report.html`` of a result.

    Parameters
    ----------
    result : Result
        From ``run`` or ``open_result``.
    directory : str or Path
        Where to; an earlier report is replaced at once.

    Returns
    -------
    Path
        The page: one file that needs nothing else.
    """
    path = Path(directory) / "report.html"
    draft = path.with_name(f".report.html.new-{os.getpid()}")
    try:
        draft.write_text(render(result), encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def render(result: Result) -> str:
    """Return the page as text; equal results give equal pages."""
    readout = Readout(result)
    environment = Environment(
        loader=PackageLoader("twin.report", "."),
        autoescape=select_autoescape(default_for_string=True, default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scenario = result.scenario
    return environment.get_template("template.html.j2").render(
        title=f"Curtailment report: {scenario.name}",
        description=scenario.description,
        facts=_facts(readout),
        marks=_marks(readout),
        cards=_cards(readout),
        sentences=_sentences(readout),
        chapters=_chapters(readout),
        provenance=result.provenance,
    )


def summary_lines(result: Result) -> list[str]:
    """Return a result in a few lines for a terminal."""
    readout = Readout(result)
    available, curtailed = readout.overall("available_mwh"), readout.overall("curtailed_mwh")
    lines = [
        f"{result.scenario.name}: {energy(curtailed)} of {energy(available)} wind and PV curtailed "
        f"({percent(curtailed / available if available else float('nan'))}), "
        + ", ".join(f"{energy(value)} by {cause}" for cause, value in _by_cause(readout).items())
    ]
    for name in readout.policies:
        lines.append(
            f"  {name:<18} absorbed {energy(readout.value(name, 'absorbed_mwh')):>10} "
            f"({percent(readout.value(name, 'share_of_bound'), 0)} of bound), "
            f"{number(readout.value(name, 'nonrenewable_kwh_per_gpu_h'), 3)} non-renewable kWh/GPU-h, "
            f"slowdown {number(readout.value(name, 'slowdown_mean'), 2)}, "
            f"{number(readout.value(name, 'migrations_done'), 0)} migrations"
        )
    return [*lines, *(f"  warning: {text}" for text in _shortfalls(readout))]


def _shortfalls(readout: Readout) -> list[str]:
    """Return what makes numbers less than they seem: load the grid could not serve, jobs that did not end."""
    found: list[str] = []
    if readout.result.scenario.outlook.source == "perfect":
        found.append("outlook perfect: policies were told what comes, which no forecast can tell")
    for name in readout.policies:
        shed, left = readout.value(name, "shed_mwh"), readout.value(name, "jobs_unfinished")
        if shed > LEAST_SHED_MWH:
            found.append(
                f"{name}: the sites overload the grid, {energy(shed)} more load is shed than without them; "
                "lower fleet_scale or set import_limit_mw"
            )
        if left > 0:
            found.append(
                f"{name}: {number(left, 0)} jobs did not end: policies are not compared at equal GPU-hours; "
                "lengthen time.drain_days"
            )
    return found


def _facts(readout: Readout) -> list[tuple[str, str]]:
    """Return what the study is, in pairs."""
    scenario = readout.result.scenario
    time = scenario.time
    end = readout.time[-1] + (readout.time[1] - readout.time[0])
    return [
        ("Grids", ", ".join(f"{g.name} ({g.source})" for g in scenario.grids)),
        (
            "Period",
            f"{time.start_utc:%d %b %Y %H:%M} to {end:%d %b %Y %H:%M} UTC, the last {time.drain_days} days "
            "drain",
        ),
        ("Objective", f"{scenario.objective} dispatch, steps of {time.signal_step_s // 60} min"),
        ("Limits", "; ".join(f"{g.name}: {_limits_in_words(g)}" for g in scenario.grids)),
        ("Weather", ", ".join(_weather_in_words(readout, g.name) for g in scenario.grids)),
        (
            "Jobs",
            f"{scenario.jobs.source} trace, each job stands for {number(scenario.fleet_scale, 0)} "
            "(fleet_scale)",
        ),
        (
            "Sites",
            f"{len(scenario.sites)} micro-datacenters, WAN access {scenario.wan.access_gbit_per_s:g} Gbit/s "
            "each",
        ),
    ]


def _weather_in_words(readout: Readout, grid: str) -> str:
    """Say where wind and PV of a grid come from."""
    section = next(g.weather for g in readout.result.scenario.grids if g.name == grid)
    return {
        "synthetic": f"{grid}: synthetic (seeded generator)",
        "recorded": f"{grid}: recorded wind and PV ({section.series.replace('_', '-')})",
        "files": f"{grid}: weather files of {len(section.files)} places, standing in for the plants' regions",
    }[section.source]


def _marks(readout: Readout) -> list[str]:
    """Return what must not be overlooked."""
    marks = []
    scenario = readout.result.scenario
    synthetic = [g.name for g in scenario.grids if g.weather.source == "synthetic"]
    if synthetic:
        marks.append(
            f"Synthetic weather: wind and PV of {', '.join(synthetic)} were modelled from a seeded weather "
            "generator, "
            "calibrated to the statistics of recorded series. They are not observations."
        )
    if any(g.weather.source == "files" for g in scenario.grids):
        marks.append(
            "Weather files of a few places stand in for the plants' regions, aligned by local month, day "
            "and hour."
        )
    if any(g.weather.source == "recorded" for g in scenario.grids):
        marks.append("Wind and PV are recorded series; outdoor temperature at the sites is synthetic.")
    if scenario.jobs.source == "synthetic":
        marks.append("Synthetic jobs: a seeded trace fitted to the statistics of a public one.")
    if scenario.fleet_scale > 1:
        marks.append(
            f"fleet_scale = {scenario.fleet_scale}: every job and every site stands for that many alike, "
            "which move together."
        )
    if scenario.objective == "market":
        marks.append(
            "Objective market: the perfect-foresight bound is proven for priority dispatch only, so no "
            "share is quoted."
        )
    return [*marks, *_shortfalls(readout)]


def _limits_in_words(grid: GridSection) -> str:
    """Return what the dispatch of a grid keeps."""
    limits = grid.limits
    outages = ", also after the outage of any one line (N-1)" if grid.security == "n-1" else ""
    parts = [f"line ratings{outages}"]
    if limits.max_nonsynchronous_share is not None:
        parts.append(f"wind and PV serve at most {percent(limits.max_nonsynchronous_share, 0)} of the load")
    for name, value in (("up", limits.reserve_up_mw), ("down", limits.reserve_down_mw)):
        if value > 0.0:
            parts.append(f"{number(value, 0)} MW of reserve {name}")
    return ", ".join(parts)


def _by_cause(readout: Readout) -> dict[str, float]:
    """Return curtailed energy by cause, without causes that the dispatch did not tell apart. [MWh]"""
    energies = {cause: readout.overall(f"curtailed_{cause}_mwh") for cause in CAUSES}
    always = ("oversupply", "congestion")
    return {cause: value for cause, value in energies.items() if value or cause in always}


def _cards(readout: Readout) -> list[Card]:
    """Return the headline numbers."""
    available, curtailed = readout.overall("available_mwh"), readout.overall("curtailed_mwh")
    causes = _by_cause(readout)
    congested = causes["congestion"]
    others = "; ".join(f"{cause} {energy(value)}" for cause, value in causes.items() if cause != "congestion")
    best = max(readout.policies, key=lambda p: readout.value(p, "absorbed_mwh"))
    cleanest = min(readout.policies, key=lambda p: readout.value(p, "nonrenewable_kwh_per_gpu_h"))
    hours = readout.step_h * len(readout.time)
    compute_mw = float(np.mean([readout.value(p, "compute_mwh") for p in readout.policies])) / hours
    windows = readout.result.tables["windows"]
    cards = [
        (
            "curtailed",
            energy(curtailed),
            f"{percent(curtailed / available if available else None)} of {energy(available)} wind and PV",
        ),
        (
            "by congestion",
            percent(congested / curtailed if curtailed else None, 0),
            f"{energy(congested)}; {others}",
        ),
        (
            "most absorbed",
            energy(readout.value(best, "absorbed_mwh")),
            f"{best}, {percent(readout.value(best, 'share_of_bound'), 0)} of the bound",
        ),
        (
            "least fuel",
            f"{number(readout.value(cleanest, 'nonrenewable_kwh_per_gpu_h'), 2)} kWh/GPU-h",
            f"non-renewable, {cleanest}",
        ),
        (
            "mean compute",
            f"{number(compute_mw, 0)} MW",
            f"{len(readout.result.scenario.sites)} sites, fleet_scale {readout.result.scenario.fleet_scale}",
        ),
        ("windows", number(len(windows), 0), "in which a site's load is welcome"),
    ]
    return [Card(label, *value.partition(" ")[::2], note) for label, value, note in cards]


def _sentences(readout: Readout) -> list[str]:
    """Say the result in a few sentences."""
    table = readout.result.tables["sites"]
    ranked = table.sort_values("helps_share")
    low, high = ranked.iloc[0], ranked.iloc[-1]
    said = [
        f"A megawatt of load at {high['site']} (bus {high['bus']}) relieves curtailment in "
        f"{percent(float(high['helps_share']), 0)} of curtailed hours; at {low['site']} (bus {low['bus']}) "
        "in "
        f"{percent(float(low['helps_share']), 0)}."
    ]
    base = readout.policies[0]
    for name in readout.policies[1:]:
        more = readout.value(name, "absorbed_mwh") - readout.value(base, "absorbed_mwh")
        fuel = readout.value(name, "nonrenewable_kwh_per_gpu_h") - readout.value(
            base, "nonrenewable_kwh_per_gpu_h"
        )
        slow = readout.value(name, "slowdown_mean") - readout.value(base, "slowdown_mean")
        said.append(
            f"Against {base}, {name} absorbs {energy(more)} {'more' if more >= 0 else '(less)'}, changes "
            "non-renewable energy "
            f"by {number(fuel, 3)} kWh per GPU-hour and mean slowdown by {number(slow, 2)}, with "
            f"{number(readout.value(name, 'migrations_done'), 0)} migrations."
        )
    said.append(f"All balances close to {readout.overall('max_balance_error_mw'):.1e} MW in every step.")
    return said


def _chapters(readout: Readout) -> list[Chapter]:
    """Return the parts of the page in reading order."""
    return [
        *(_grid_chapter(readout, grid) for grid in readout.grids),
        _place_chapter(readout),
        _absorbed_chapter(readout),
        _jobs_chapter(readout),
        _migration_chapter(readout),
        _assumption_chapter(readout),
    ]


def _grid_chapter(readout: Readout, grid: str) -> Chapter:
    return Chapter(
        f"grid-{grid}",
        f"What {grid} curtails: how much, when, where and why",
        "Curtailed is wind and PV that the weather allows and the dispatch cannot take, before any compute "
        "is added. Rooftop PV "
        "must be taken; hydro and concentrating solar that are not used are reported apart and never count "
        "as curtailed.",
        (
            grid_figures.timeline(readout, grid),
            grid_figures.heat_map(readout, grid),
            grid_figures.network_map(readout, grid),
            grid_figures.by_unit(readout, grid),
            *((grid_figures.windows_histogram(readout),) if grid == readout.grids[0] else ()),
        ),
    )


def _place_chapter(readout: Readout) -> Chapter:
    return Chapter(
        "place",
        "Why place matters: useful and useless buses",
        "A load absorbs curtailed energy only behind the constraint that causes it. The marginal "
        "curtailment of a bus says how "
        "many megawatts less are curtailed for one megawatt more of load there.",
        (grid_figures.marginal_map(readout),),
        (site_table(readout), *(bus_table(readout, grid) for grid in readout.grids)),
    )


def _absorbed_chapter(readout: Readout) -> Chapter:
    best = max(readout.policies, key=lambda p: readout.value(p, "absorbed_mwh"))
    return Chapter(
        "absorbed",
        "What each policy absorbed",
        "Policies run on the same weather, grid, jobs and seeds. Shares of the bound say how far they are "
        "from what perfect "
        "foresight could do with the same energy. Absorbing is no goal in itself: compare at equal "
        "completed GPU-hours.",
        (
            compute.absorbed_bars(readout),
            compute.split_bars(readout),
            compute.relief_over_time(readout),
            compute.site_load(readout, best),
        ),
        (policy_table(readout),),
    )


def _jobs_chapter(readout: Readout) -> Chapter:
    return Chapter(
        "jobs",
        "What it cost the jobs",
        "Waiting, migrating and lost work lengthen completion times; a policy that pays for absorbed energy "
        "with slow jobs shows "
        "it here.",
        (compute.completion(readout), compute.trade_off(readout)),
    )


def _migration_chapter(readout: Readout) -> Chapter:
    return Chapter(
        "migrations",
        "Which migrations were made, and which were refused and why",
        "A move is feasible if its time is a small share of what remains of the destination's window, if "
        "the energy it costs is "
        "paid back within it, if GPUs are free, a link exists and the deadline holds.",
        (compute.migrations(readout),),
        (refusal_table(readout), margin_table(readout)),
    )


def _assumption_chapter(readout: Readout) -> Chapter:
    scenario = readout.result.scenario
    return Chapter(
        "assumed",
        "What was assumed",
        "Every value of the scenario, defaults included. Values come from public sources named in the "
        "documentation, or are "
        "choices that say so.",
        tables=(device_table(scenario), assumption_table(scenario)),
        notes=tuple(
            str(note) for note in str(readout.result.data.attrs.get("rules", "")).split("\n") if note
        ),
        folded=True,
    )
