"""Tables of a report, as rows of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from pydantic import JsonValue

from twin.hardware import DEVICES
from twin.report.readout import CURTAILED_ABOVE_MW, HELPS_ABOVE, Readout
from twin.report.style import energy, number, percent
from twin.scenario_model import Scenario, describe

USEFUL_ABOVE = 0.5
"""A bus is called useful if a load helps there in more than this share of curtailed hours. [1]"""

METRICS: dict[str, tuple[str, str]] = {
    "absorbed_mwh": ("absorbed", "energy"),
    "absorbed_share_of_curtailed": ("share of curtailed", "percent"),
    "bound_absorbed_mwh": ("bound (perfect foresight, same energy)", "energy"),
    "share_of_bound": ("share of bound", "percent"),
    "compute_mwh": ("energy of compute", "energy"),
    "absorbed_per_compute_mwh": ("absorbed per MWh of compute", "number3"),
    "nonrenewable_compute_mwh": ("non-renewable energy of compute (Δthermal)", "energy"),
    "nonrenewable_kwh_per_gpu_h": ("non-renewable kWh per completed GPU-hour", "number3"),
    "co2_kg": ("CO₂ caused by compute [t]", "tonnes"),
    "cost": ("generation cost caused by compute [1,000 {currency}]", "thousands"),
    "completed_gpu_h": ("completed GPU-hours (reference device)", "number0"),
    "utilisation": ("utilisation of GPUs", "percent"),
    "jobs_done": ("jobs done", "number0"),
    "jobs_unfinished": ("jobs unfinished", "number0"),
    "jct_median_h": ("completion time, median [h]", "number2"),
    "jct_p95_h": ("completion time, 95th percentile [h]", "number1"),
    "slowdown_mean": ("slowdown, mean", "number2"),
    "deadline_misses": ("deadlines missed", "number0"),
    "migrations_done": ("migrations done", "number0"),
    "migration_mwh": ("energy of migrations", "energy"),
    "moved_gb": ("data moved [TB]", "thousands1"),
    "lost_gpu_h": ("GPU-hours lost to migrations and interruptions", "number0"),
    "interruptions": ("interruptions of jobs", "number0"),
    "lost_work_gpu_h": ("work lost by interruptions (GPU-hours, reference device)", "number0"),
}
"""Rows of the table of policies: key of the summary, what it is called, how it is written."""

EQUIPMENT_METRICS: dict[str, tuple[str, str]] = {
    "rack_start_mwh": ("energy of racks that start or stop", "energy"),
    "rack_off_mwh": ("energy of racks that are off", "energy"),
    "battery_charged_mwh": ("charged into batteries", "energy"),
    "battery_discharged_mwh": ("given by batteries", "energy"),
    "battery_lost_mwh": ("lost in batteries", "energy"),
    "battery_stored_mwh": ("stored in batteries, end minus start", "energy"),
    "battery_cycles": ("cycles of batteries", "number1"),
}
"""Further rows, where sites have racks or batteries."""

ELASTIC_METRICS: dict[str, tuple[str, str]] = {
    "resizes": ("changes of size of running jobs", "number0"),
    "resize_gpu_h": ("GPU-hours lost to changes of size", "number0"),
    "extra_gpu_h": ("GPU-hours beyond those at recorded sizes", "number0"),
}
"""Further rows, where jobs are elastic."""

LIVE_METRICS: dict[str, tuple[str, str]] = {
    "live_moves": ("live migrations done", "number0"),
    "live_dropped": ("live migrations given up", "number0"),
    "live_rounds_mean": ("rounds of a live migration, mean", "number1"),
    "live_downtime_mean_s": ("downtime of a live migration, mean [s]", "number1"),
    "live_precopied_gb": ("data moved while jobs ran [TB]", "thousands1"),
}
"""Further rows, where jobs move live."""


@dataclass(frozen=True)
class TextTable:
    """A table ready to be shown: heading, rows of text, and how many leading columns are text."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    n_text: int = 1


def policy_table(readout: Readout) -> TextTable:
    """Return all metrics, a column per policy."""
    currency = next((str(readout.baseline(g).attrs.get("currency", "")) for g in readout.grids), "")
    rows = [
        (name.format(currency=currency), *(written(readout.value(p, key), style) for p in readout.policies))
        for key, (name, style) in (METRICS | EQUIPMENT_METRICS | ELASTIC_METRICS | LIVE_METRICS).items()
        if key in METRICS or any(key in readout.of_policy(p) for p in readout.policies)
    ]
    return TextTable(
        ("", *readout.policies), tuple(rows), "All policies, same weather, grid, jobs and seeds."
    )


def written(value: float, style: str) -> str:
    """Write a number in a style of :data:`METRICS`.

    Examples
    --------
    >>> written(1234.5, "energy"), written(2500.0, "tonnes")
    ('1.23 GWh', '2.5')
    """
    if style == "energy":
        return energy(value)
    if style == "percent":
        return percent(value)
    if style in {"tonnes", "thousands1"}:
        return number(value / 1e3, 1)
    if style == "thousands":
        return number(value / 1e3, 0)
    return number(value, int(style.removeprefix("number")))


def site_table(readout: Readout) -> TextTable:
    """Return what a load does at each site's bus."""
    table = readout.result.tables["sites"]
    rows = []
    for site in table.to_dict("records"):
        share = float(site["helps_share"])
        rows.append(
            (
                str(site["site"]),
                f"{site['grid']} / {site['bus']}",
                "useful" if share > USEFUL_ABOVE else ("partly" if share > 0.2 else "useless"),
                percent(share, 0),
                number(float(site["marginal_mean"]), 2),
                f"{number(float(site['marginal_min']), 2)} … {number(float(site['marginal_max']), 2)}",
                number(float(site["max_p_mw"]), 1),
                energy(float(site["absorbable_mwh"])),
                energy(float(site["absorbable_alone_mwh"])),
            )
        )
    return TextTable(
        (
            "site",
            "grid / bus",
            "verdict",
            f"share of curtailed hours in which a load helps (> {HELPS_ABOVE:g})",
            "mean in these hours [MW/MW]",
            "range",
            "largest load [MW]",
            "absorbable, joint",
            "absorbable, alone",
        ),
        tuple(rows),
        "Marginal curtailment at each site: exact derivative of curtailed power with respect to load at its "
        "bus, in hours "
        "with curtailment. Joint absorbable power is shared by sites behind the same constraint.",
        n_text=3,
    )


def bus_table(readout: Readout, grid: str, most: int = 8) -> TextTable:
    """Return the most and the least useful buses of a grid."""
    helps = readout.helps_share(grid)
    baseline = readout.baseline(grid)
    hours = readout.curtailed(grid) > CURTAILED_ABOVE_MW
    marginal = baseline["marginal_curtailment"].transpose("time", "bus").values[hours]
    rows = []
    for bus in [*helps.nlargest(most).index, *helps.nsmallest(most).index[::-1]]:
        column = marginal[:, helps.index.get_loc(bus)]
        mean = float(column.mean()) if len(column) else float("nan")
        spread = (
            f"{number(float(column.min()), 2)} … {number(float(column.max()), 2)}" if len(column) else "–"
        )
        rows.append((str(bus), percent(float(helps[bus]), 0), number(mean, 2), spread))
    return TextTable(
        ("bus", "share of curtailed hours in which a load helps", "mean [MW/MW]", "range"),
        tuple(rows),
        f"The {most} most and the {most} least useful of the {len(helps)} buses of {grid}; the median bus "
        "has "
        f"{percent(float(helps.median()), 0)}.",
    )


def refusal_table(readout: Readout) -> TextTable:
    """Return migrations refused by reason, a column per policy."""
    refused = {
        p: cast("Mapping[str, float]", readout.of_policy(p)["migrations_refused"]) for p in readout.policies
    }
    reasons = list(dict.fromkeys(reason for counts in refused.values() for reason in counts))
    rows = [("done", *(number(readout.value(p, "migrations_done"), 0) for p in readout.policies))]
    rows += [
        (f"refused: {r}", *(number(float(refused[p].get(r, 0)), 0) for p in readout.policies))
        for r in reasons
    ]
    return TextTable(("migrations", *readout.policies), tuple(rows), "Migrations done and refused.")


def margin_table(readout: Readout) -> TextTable:
    """Return refused migrations by policy and reason: jobs, work, margins, and who moved later."""
    table = readout.result.tables.get("refusals_by_reason")
    rows = [
        (
            str(row["policy"]),
            str(row["reason"]),
            *(number(float(row[key]), 0) for key in ("refusals", "jobs", "gpu_h", "jobs_moved_later")),
            *(_margin(float(row[f"margin_p{q}"])) for q in (10, 50, 90)),
            str(row["unit"]),
        )
        for _, row in (() if table is None else table.iterrows())
    ]
    return TextTable(
        (
            "policy",
            "reason",
            "refusals",
            "jobs",
            "work [GPU-h]",
            "moved later",
            "p10",
            "margin p50",
            "p90",
            "unit",
        ),
        tuple(rows),
        "Refused migrations by policy and reason: refusals, distinct jobs, all their work, how many of these "
        "moved later, and quantiles of the margin, by how much the condition was missed. Every single "
        "one is in tables/refusals.csv.",
        n_text=2,
    )


def _margin(value: float) -> str:
    return f"{value:,.3g}" if np.isfinite(value) else "unbounded"


def assumption_table(scenario: Scenario) -> TextTable:
    """Return every value of the scenario with its meaning."""
    rows = [(key, value, _meaning(key)) for key, value in flat(scenario.to_mapping()) if key != "description"]
    return TextTable(("key", "value", "meaning"), tuple(rows), "The whole scenario.", n_text=3)


def device_table(scenario: Scenario) -> TextTable:
    """Return the hardware that the sites are made of."""
    rows = []
    for name in dict.fromkeys(site.device for site in scenario.sites):
        device = DEVICES[name]
        rows.append(
            (
                name,
                number(device.p_limit_w, 0),
                number(device.p_busy_w, 0),
                number(device.p_loaded_idle_w, 0),
                number(device.p_idle_w, 0),
                number(device.host_w_per_gpu, 0),
                number(device.rel_throughput, 2),
                number(device.memory_gb_per_gpu, 0),
                device.sure,
            )
        )
    return TextTable(
        (
            "device",
            "limit [W]",
            "busy [W]",
            "loaded idle [W]",
            "idle [W]",
            "host share [W]",
            "speed (A100 = 1)",
            "memory per GPU [GB]",
            "how sure",
        ),
        tuple(rows),
        "Hardware at the sites.",
    )


def flat(value: JsonValue, prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield dotted keys and values of nested values.

    Examples
    --------
    >>> list(flat({"a": {"b": 1}, "c": [2, 3]}))
    [('a.b', '1'), ('c', '2, 3')]
    """
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for i, item in enumerate(value):
            yield from flat(item, f"{prefix}.{i}")
    else:
        yield prefix, ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)


def _plain(value: JsonValue) -> str:
    """Write one value."""
    if value is None or value == {}:
        return "–"
    return f"{value:g}" if isinstance(value, float) and np.isfinite(value) else str(value)


def _meaning(key: str) -> str:
    """Return the description of a dotted key."""
    return describe(tuple(int(part) if part.isdigit() else part for part in key.split(".")))
