"""What RTS-GMLC's year curtails by cause, in every hour, and the settings that move it.

Prints tables and a last line of JSON. With ``--write`` the tables go into docs/curtailment_by_cause.md,
between its markers, and the figure into docs/figures/curtailment_by_cause.svg.

    python benchmarks/curtailment_by_cause.py [--every 1] [--write]

What couples hours (commitment, storage) is left out where not every hour is taken.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grid_models import Grid, Objective, commit, dispatch, dispatch_horizon, load_grid, with_storage

START, HOURS = "2020-01-01T08:00Z", 8784
WEEKS = ("2020-01-15T08:00Z", "2020-04-08T08:00Z", "2020-07-08T08:00Z", "2020-10-14T08:00Z")
WEEK_H = 168
CAUSES = ("oversupply", "congestion", "security")
COLOURS = {"oversupply": "#4477aa", "congestion": "#ee7733", "security": "#aa3377"}
LEAST_MW = 1e-3
OBJECTIVES: tuple[Objective, Objective] = ("priority", "market")
DOCS = Path(__file__).parents[1] / "docs"
PAGE, FIGURE = DOCS / "curtailment_by_cause.md", DOCS / "figures" / "curtailment_by_cause.svg"


@dataclass(frozen=True)
class Setting:
    """What differs from RTS-GMLC as shipped with its nuclear unit always on.

    Attributes
    ----------
    label : str
        Its name in tables.
    must_run : tuple of str
        Fuels that always run.
    rating, renewables : float
        Factors on line ratings, and on the capacity of wind and utility PV.
    secure : str
        Rating that must hold after an outage; empty: no security.
    with_hydro : bool
        Whether water counts as curtailed as wind and PV do, and the solar-thermal plant is left out: what an
        earlier prototype did.
    hvdc : bool
        Whether the HVDC link is there.
    commitment : {"", "relaxed", "whole"}
        Whether units are committed day by day, in shares or as a whole.
    storage : bool
        Whether the grid's battery and `BATTERIES` are used.
    """

    label: str
    must_run: tuple[str, ...] = ("nuclear",)
    rating: float = 1.0
    renewables: float = 1.0
    secure: str = ""
    with_hydro: bool = False
    hvdc: bool = True
    commitment: Literal["", "relaxed", "whole"] = ""
    storage: bool = False

    @property
    def couples_hours(self) -> bool:
        """Whether it needs every hour."""
        return bool(self.commitment) or self.storage


BATTERIES = pd.DataFrame(
    {"bus": ["303", "317", "122"], "p_max_mw": 200.0, "e_max_mwh": 800.0, "efficiency": 0.85},
    index=["battery 303", "battery 317", "battery 122"],
)
COAL = ("nuclear", "coal")
SETTINGS = (
    Setting("nothing must run", must_run=()),
    Setting("nuclear must run (default)"),
    Setting("nuclear and coal must run", COAL),
    Setting("commitment, LP relaxation", commitment="relaxed"),
    Setting("with storage", storage=True),
    Setting("ratings × 0.8", rating=0.8),
    Setting("nuclear and coal, ratings × 0.8", COAL, rating=0.8),
    Setting("wind and PV × 2", renewables=2.0),
    Setting("wind and PV × 3", renewables=3.0),
    Setting("wind and PV × 2, nuclear and coal", COAL, renewables=2.0),
    Setting("N-1, short-term ratings", secure="rate_ste_mw"),
    Setting("N-1, long-term ratings", secure="rate_lte_mw"),
    Setting("N-1, continuous ratings", secure="rate_mw"),
)
#: Settings compared over `WEEKS`, of which the last takes too long for a year.
WEEKLY = (
    Setting("nothing must run", must_run=()),
    Setting("nuclear must run (default)"),
    Setting("nuclear and coal must run", COAL),
    Setting("commitment, LP relaxation", commitment="relaxed"),
    Setting("commitment, whole units", commitment="whole"),
)
#: Settings as an earlier prototype had them, and what it curtailed of all renewable energy. [%]
PROTOTYPE = {
    Setting("nothing must run", must_run=(), with_hydro=True, hvdc=False): 3.7,
    Setting("nuclear, with the link", with_hydro=True): 4.2,
    Setting("nuclear and coal", COAL, with_hydro=True, hvdc=False): 10.4,
    Setting("nuclear and coal, ratings × 0.8", COAL, rating=0.8, with_hydro=True, hvdc=False): 11.4,
    Setting("nuclear and coal, wind and PV × 2", COAL, renewables=2.0, with_hydro=True, hvdc=False): 33.0,
}


@dataclass(frozen=True)
class Year:
    """What a year came to: energies in GWh, cost in millions of USD, CO2 in Mt."""

    hours: int
    wind_pv_gwh: float
    renewable_gwh: float
    curtailed_gwh: float
    causes_gwh: Mapping[str, float]
    curtailing_hours: int
    spilled_gwh: float
    dumped_gwh: float
    shed_gwh: float
    cost_musd: float
    co2_mt: float
    cpu_s: float
    gap: float


def main() -> None:
    """Run every setting under both objectives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="take every n-th hour")
    parser.add_argument("--write", action="store_true", help="write the page's tables and its figure")
    given = parser.parse_args()
    chosen = [s for s in SETTINGS if given.every == 1 or not s.couples_hours]
    hours = pd.date_range(START, periods=HOURS, freq="h")
    years = {(s, o): energies(s, o, hours, given.every) for s in chosen for o in OBJECTIVES}
    before = {(s, o): energies(s, o, hours, given.every) for s in PROTOTYPE for o in OBJECTIVES}
    weeks = {(s, o): weekly(s, o) for s in WEEKLY for o in OBJECTIVES} if given.every == 1 else {}
    tables = {
        "causes": cause_table(years),
        "objectives": objective_table(years | before),
        "prototype": prototype_table(before),
        "commitment": commitment_table(weeks),
    }
    for name, table in tables.items():
        print(f"\n{name}\n{table}")
    if given.write:
        write(tables)
        draw(years)
    told = [*(years | before).items(), *weeks.items()]
    rows = [{"setting": asdict(s), "objective": o, **asdict(y)} for (s, o), y in told]
    print(json.dumps(rows))


def energies(setting: Setting, objective: Objective, hours: pd.DatetimeIndex, every: int = 1) -> Year:
    """Dispatch some hours."""
    grid, available, load = case(setting, hours, every)
    generation = xr.Dataset({"available_p_mw": available})
    began, started, gap, status = time.process_time(), 0.0, 0.0, None
    if setting.commitment:
        relaxed = setting.commitment == "relaxed"
        committed = commit(grid, generation, load=load, objective=objective, relaxed=relaxed)
        status = committed["gen_status"]
        started, gap = float(committed["start_cost"].sum()), float(committed["gap"].mean())
    if setting.storage:
        solved = dispatch_horizon(grid, generation, load=load, objective=objective, ramps=False)
    else:
        security = "n-1" if setting.secure else "none"
        solved = dispatch(
            grid, generation, load=load, gen_status=status, objective=objective, security=security
        )
    spent = time.process_time() - began
    curtailed = solved["curtailed_p_mw"].sum("unit")
    counted = xr.DataArray(grid.units["counts_as_curtailment"].to_numpy(dtype=bool), dims="unit")
    result = Year(
        hours=len(curtailed),
        wind_pv_gwh=gwh(available.where(counted, 0.0)),
        renewable_gwh=gwh(available),
        curtailed_gwh=gwh(curtailed),
        causes_gwh={c: gwh(solved[f"curtailed_{c}_p_mw"]) for c in CAUSES if f"curtailed_{c}_p_mw" in solved},
        curtailing_hours=int((curtailed > LEAST_MW).sum()),
        spilled_gwh=gwh(solved["spilled_p_mw"]),
        dumped_gwh=gwh(solved["dump_p_mw"]),
        shed_gwh=gwh(solved["shed_p_mw"]),
        cost_musd=(float(solved["cost"].sum()) + started) / 1e6,
        co2_mt=float(solved["co2_kg"].sum()) / 1e9,
        cpu_s=spent,
        gap=gap,
    )
    print(
        f"{setting.label:36} {objective:9} {result.curtailed_gwh:8.1f} GWh {spent:6.1f} s of CPU", flush=True
    )
    return result


def weekly(setting: Setting, objective: Objective) -> Year:
    """Sum of the weeks; the mean of their gaps."""
    weeks = [energies(setting, objective, pd.date_range(w, periods=WEEK_H, freq="h")) for w in WEEKS]
    rows = [asdict(week) for week in weeks]
    total = {name: sum(row[name] for row in rows) for name in rows[0] if name not in ("causes_gwh", "gap")}
    causes = {name: sum(week.causes_gwh[name] for week in weeks) for name in weeks[0].causes_gwh}
    return Year(**total, causes_gwh=causes, gap=sum(week.gap for week in weeks) / len(weeks))


def gwh(power: xr.DataArray) -> float:
    """Energy of hourly powers. [GWh]"""
    return float(power.sum()) / 1e3


def case(setting: Setting, hours: pd.DatetimeIndex, every: int) -> tuple[Grid, xr.DataArray, xr.DataArray]:
    """Grid, available power and load of a setting."""
    grid = load_grid(
        "rts_gmlc",
        must_run=setting.must_run,
        line_rating_factor=setting.rating,
        wind_scale=setting.renewables,
        pv_scale=setting.renewables,
        hvdc=setting.hvdc,
        commitment=bool(setting.commitment),
    )
    if setting.storage:
        grid = with_storage(grid, BATTERIES)
    available = grid.recorded(hours)
    if setting.secure:
        lines = grid.lines.assign(rate_lte_mw=grid.lines[setting.secure])
        grid = replace(grid, lines=lines)
    if setting.with_hydro:
        units = grid.units.copy()
        units.loc[units["technology"] == "hydro", "counts_as_curtailment"] = True
        available = available.where(xr.DataArray(units["technology"] != "csp", dims="unit"), 0.0)
        grid = replace(grid, units=units)
    steps = slice(None, None, every)
    return grid, available.isel(time=steps), grid.load(hours).isel(time=steps)


def cause_table(years: Mapping[tuple[Setting, Objective], Year]) -> str:
    """Curtailment by cause, a line per setting and objective."""
    head = (
        "setting | objective | curtailed GWh | of wind and PV % | oversupply GWh | congestion GWh | "
        "security GWh | hours | water spilled GWh | cost M USD | CO2 Mt"
    )
    lines = [head, " | ".join(["---"] * 11)]
    for (setting, objective), y in years.items():
        by_cause = [f"{y.causes_gwh[c]:.1f}" if c in y.causes_gwh else "–" for c in CAUSES]
        share = f"{100.0 * y.curtailed_gwh / y.wind_pv_gwh:.2f}"
        numbers = [f"{y.spilled_gwh:.1f}", f"{y.cost_musd:.1f}", f"{y.co2_mt:.2f}"]
        hours = str(y.curtailing_hours)
        lines.append(
            " | ".join(
                [setting.label, objective, f"{y.curtailed_gwh:.1f}", share, *by_cause, hours, *numbers]
            )
        )
    return "\n".join(f"| {line} |" for line in lines)


def objective_table(years: Mapping[tuple[Setting, Objective], Year]) -> str:
    """What `priority` saves against `market`, and what it costs."""
    head = (
        "setting | market GWh | priority GWh | saved GWh | dearer % | USD per MWh saved | "
        "more water spilled GWh"
    )
    lines = [head, " | ".join(["---"] * 7)]
    for setting in dict.fromkeys(setting for setting, _ in years):
        ours, market = years[setting, "priority"], years[setting, "market"]
        saved, dearer = market.curtailed_gwh - ours.curtailed_gwh, ours.cost_musd - market.cost_musd
        label = setting.label + (" (prototype's definition)" if setting.with_hydro else "")
        numbers = (
            f"{market.curtailed_gwh:.1f}",
            f"{ours.curtailed_gwh:.1f}",
            f"{saved:.1f}",
            f"{100.0 * dearer / market.cost_musd:.2f}",
            f"{1e3 * dearer / saved:.1f}",
            f"{ours.spilled_gwh - market.spilled_gwh:.1f}",
        )
        lines.append(" | ".join([label, *numbers]))
    return "\n".join(f"| {line} |" for line in lines)


def prototype_table(years: Mapping[tuple[Setting, Objective], Year]) -> str:
    """Shares of all renewable energy beside those of the earlier prototype."""
    lines = ["setting | earlier prototype % | here, market % | here, priority %", " | ".join(["---"] * 4)]
    for setting, published in PROTOTYPE.items():
        here = [100.0 * years[setting, o].curtailed_gwh / years[setting, o].renewable_gwh for o in OBJECTIVES]
        lines.append(f"{setting.label} | {published:.1f} | {here[1]:.2f} | {here[0]:.2f}")
    return "\n".join(f"| {line} |" for line in lines)


def commitment_table(weeks: Mapping[tuple[Setting, Objective], Year]) -> str:
    """What commitment changes in the same weeks."""
    head = (
        "setting | objective | curtailed GWh | of wind and PV % | oversupply GWh | cost M USD | CO2 Mt | "
        "mean gap % | s of CPU per day"
    )
    lines = [head, " | ".join(["---"] * 9)]
    for (setting, objective), y in weeks.items():
        numbers = (
            f"{y.curtailed_gwh:.1f}",
            f"{100.0 * y.curtailed_gwh / y.wind_pv_gwh:.2f}",
            f"{y.causes_gwh['oversupply']:.1f}",
            f"{y.cost_musd:.2f}",
            f"{y.co2_mt:.3f}",
            f"{100.0 * y.gap:.2f}" if setting.commitment == "whole" else "–",
            f"{24.0 * y.cpu_s / y.hours:.2f}",
        )
        lines.append(" | ".join([setting.label, objective, *numbers]))
    return "\n".join(f"| {line} |" for line in lines)


def write(tables: Mapping[str, str]) -> None:
    """Put the tables between their markers in the page."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        block = f"{begin}\n\n{table}\n\n{end}"
        text = pattern.sub(lambda _, block=block: block, text)  # type: ignore[misc]
    PAGE.write_text(text, encoding="utf-8")


def draw(years: Mapping[tuple[Setting, Objective], Year]) -> None:
    """Draw bars by cause, both objectives of a setting together; more wind and PV has an axis of its own."""
    shown = list(dict.fromkeys(setting for setting, _ in years))
    groups = [[s for s in shown if (s.renewables > 1.0) is scaled] for scaled in (False, True)]
    figure = Figure(figsize=(9.0, 0.62 * len(shown) + 2.0), layout="constrained")
    panels = figure.subplots(2, height_ratios=[len(group) for group in groups])
    for axes, group in zip(panels, groups, strict=True):
        for row, setting in enumerate(group):
            bars(axes, row, setting, years)
        axes.set_yticks(range(len(group)), [setting.label for setting in group])
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("wind and utility PV curtailed in the year / GWh (two scales)")
    handles = [panels[0].barh(0, 0, color=COLOURS[cause]) for cause in CAUSES]
    panels[0].legend(handles, CAUSES, loc="upper right", frameon=False)
    FIGURE.parent.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "curtailment by cause", "svg.fonttype": "none"}):
        figure.savefig(FIGURE, metadata={"Date": None})


def bars(axes: Axes, row: int, setting: Setting, years: Mapping[tuple[Setting, Objective], Year]) -> None:
    """Draw the two bars of a setting."""
    for objective, offset in zip(OBJECTIVES, (-0.19, 0.19), strict=True):
        left = 0.0
        for cause, value in years[setting, objective].causes_gwh.items():
            axes.barh(row + offset, value, 0.34, left=left, color=COLOURS[cause])
            left += value
        axes.text(left, row + offset, f" {objective} {left:,.0f}", va="center", fontsize=7.5)


if __name__ == "__main__":
    main()
