"""Checks of a scenario: every finding at once, in words that name place, value and remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import cast

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from grid_models import CATALOG, Grid, load_grid, source_options
from twin.failure_scenario import failure_findings
from twin.hardware import DEVICES
from twin.policies import POLICIES
from twin.policy_options import policy_option_findings
from twin.scenario_jobs import JobsSection
from twin.scenario_model import GridSection, Location, Scenario, describe, keys_at
from twin.site_scenario import site_findings
from twin.sites import make_sites
from twin.wan_scenario import is_plain, make_wan
from twin.workloads import MODELS, TRACES, TraceOptions, option_findings
from twin.workloads.kinds import SHARE_ROUNDING
from twin.workloads.read import head_findings
from weather import FILLS, READERS, Finding, Findings, InputError, data_path


def validate(raw: Mapping[str, JsonValue], subject: str = "scenario") -> Scenario:
    """Make a scenario of plain values.

    Values that are wrong by themselves are set aside, so that the checks between values still run on the
    rest and all findings come in one round.

    Raises
    ------
    weather.InputError
        With all findings.
    """
    findings = Findings()
    scenario = _parse(raw, findings)
    if scenario is not None:
        between = Findings()
        for check in (
            _check_time,
            _check_names,
            _check_grids,
            _check_weather_files,
            _check_outlook,
            _check_jobs,
            _check_failures,
            _check_equipment,
            _check_wan,
        ):
            check(scenario, between)
        known = {finding.where for finding in findings}
        findings.extend([finding for finding in between if finding.where not in known])
    findings.raise_if_any(subject)
    if scenario is None:
        raise InputError(subject, [Finding(subject, "could not be read")])
    return scenario


def _parse(raw: Mapping[str, JsonValue], findings: Findings) -> Scenario | None:
    """Parse strictly; collect what is wrong, set it aside and parse again."""
    try:
        text = json.dumps(dict(raw))
        return Scenario.model_validate_json(text)
    except ValidationError as error:
        details = _without_echoes(error.errors())
    for detail in details:
        findings.add(*_in_words(detail))
    rest = cast("JsonValue", json.loads(text))
    for detail in sorted(details, key=lambda d: _sort_key(d["loc"]), reverse=True):
        rest = _without(rest, _actual(detail["loc"], rest))
    try:
        return Scenario.model_validate_json(json.dumps(rest))
    except ValidationError as error:
        for detail in error.errors():
            rest = _with_stand_in(rest, detail["loc"])
    try:
        return Scenario.model_validate_json(json.dumps(rest))
    except ValidationError:
        return None


_STAND_INS: dict[str, JsonValue] = {"name": "unnamed", "site": "unnamed", "bus": "?", "n_gpus": 1}
"""Values for required keys whose own were set aside; what is found about them is not reported again."""


def _with_stand_in(raw: JsonValue, location: Location) -> JsonValue:
    """Return the values with a stand-in at the location of a missing key."""
    if isinstance(raw, list) and location and isinstance(location[0], int) and location[0] < len(raw):
        return [
            _with_stand_in(item, location[1:]) if i == location[0] else item for i, item in enumerate(raw)
        ]
    if isinstance(raw, dict) and location:
        key = str(location[0])
        if len(location) == 1:
            return {**raw, key: _STAND_INS.get(key)}
        return {k: _with_stand_in(v, location[1:]) if k == key else v for k, v in raw.items()}
    return raw


def _without_echoes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where it is only because its items are wrong."""
    places = [detail["loc"] for detail in details]

    def is_echo(detail: ErrorDetails) -> bool:
        n = len(detail["loc"])
        return detail["type"] == "too_short" and any(p[:n] == detail["loc"] and len(p) > n for p in places)

    return [detail for detail in details if not is_echo(detail)]


def _sort_key(location: Location) -> tuple[tuple[int, str], ...]:
    """Order locations so that later list items are removed first."""
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in location)


def _actual(location: Location, raw: JsonValue) -> Location:
    """Keep the parts of a location that exist in the values; the last may be missing."""
    kept: list[int | str] = []
    for part in location:
        in_list = isinstance(raw, list) and isinstance(part, int) and part < len(raw)
        if not in_list and not (isinstance(raw, dict) and part in raw):
            break
        raw = cast("dict[int | str, JsonValue]", raw)[part]
        kept.append(part)
    return tuple(kept)


def _without(raw: JsonValue, location: Location) -> JsonValue:
    """Return the values without the one at a location."""
    if not location:
        return raw
    head, rest = location[0], location[1:]
    if isinstance(raw, dict):
        key = cast("str", head)
        if not rest:
            return {k: v for k, v in raw.items() if k != key}
        return {k: _without(v, rest) if k == key else v for k, v in raw.items()}
    if isinstance(raw, list):
        return [_without(v, rest) if i == head else v for i, v in enumerate(raw) if rest or i != head]
    return raw


def _in_words(detail: ErrorDetails) -> tuple[str, str, str]:
    """Return place, what is wrong and remedy of one pydantic error."""
    location = detail["loc"]
    where = ".".join(str(part) for part in location if "[" not in str(part)) or "scenario"
    given = detail["input"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        return where, "unknown key", f"valid keys here: {', '.join(keys_at(location[:-1]))}"
    if kind == "missing":
        return where, "is missing", "give it"
    if kind == "timezone_aware":
        return where, f"naive time {given!r}", "say the time zone, such as 2020-04-06T08:00Z"
    remedy = describe(location)
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return where, f"{given!r} is out of range: {detail['msg'].lower()}", remedy
    return where, f"{given!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}", remedy


def _check_time(scenario: Scenario, findings: Findings) -> None:
    """Check that ticks, steps, days and the start fit each other."""
    time = scenario.time
    if time.signal_step_s % time.tick_s:
        what = f"{time.tick_s} s does not divide signal_step_s = {time.signal_step_s} s"
        findings.add("time.tick_s", what, "choose a divisor")
    if 86400 % time.signal_step_s:
        findings.add("time.signal_step_s", f"{time.signal_step_s} s does not divide a day (86400 s)")
    elif time.start_utc.timestamp() % time.signal_step_s:
        findings.add("time.start", f"{time.start.isoformat()} is not at a multiple of signal_step_s")


def _check_names(scenario: Scenario, findings: Findings) -> None:
    """Check that names are unique and known."""
    _unique("grids", [g.name for g in scenario.grids], findings)
    _unique("sites", [s.name for s in scenario.sites], findings)
    _unique("policies", list(scenario.policies), findings)
    grids = [g.name for g in scenario.grids]
    for i, policy in enumerate(scenario.policies):
        _known(f"policies.{i}", "policy", policy, POLICIES, findings)
    findings.extend(list(policy_option_findings(scenario.policy_options)))
    for i, site in enumerate(scenario.sites):
        _known(f"sites.{i}.device", "device", site.device, DEVICES, findings)
        if site.grid is not None:
            _known(f"sites.{i}.grid", "grid", site.grid, grids, findings)


def _unique(where: str, names: list[str], findings: Findings) -> None:
    """Report names that are there twice."""
    for name in sorted({n for n in names if names.count(n) > 1}):
        findings.add(where, f"the name {name!r} is there {names.count(name)} times", "names are unique")


def _known(where: str, what: str, name: str, known: object, findings: Findings) -> None:
    """Report a name that is not among the known ones."""
    names = sorted(str(k) for k in cast("list[str]", known))
    if name not in names:
        findings.add(where, f"no {what} {name!r}", f"known: {', '.join(names)}")


def build_grid(section: GridSection) -> Grid:
    """Build the grid of a scenario; the last few are kept, they are never mutated."""
    options = section.options.model_dump_json(exclude_defaults=True)
    return _build_grid(section.source, section.name, options)


@lru_cache(maxsize=4)
def _build_grid(source: str, name: str, options: str) -> Grid:
    """Build a grid from hashable arguments."""
    return load_grid(source, name=name, **json.loads(options))


def _has_plain_form(source: str) -> bool:
    """Whether a grid source needs no options, so that buses can be checked when the options are wrong."""
    return not any(source_options(source).values())


def _check_grids(scenario: Scenario, findings: Findings) -> None:
    """Check what can only be known from the grids themselves: buses, units and currency."""
    currencies: dict[str, str] = {}
    for i, section in enumerate(scenario.grids):
        if section.source not in CATALOG:
            _known(f"grids.{i}.source", "grid source", section.source, CATALOG, findings)
            continue
        try:
            grid = build_grid(section)
        except InputError as error:
            findings.extend(
                [Finding(f"grids.{i}.options.{f.where}", f.what, f.remedy) for f in error.findings]
            )
            if not _has_plain_form(section.source):
                continue
            grid = build_grid(GridSection(name=section.name, source=section.source))
        currencies[section.name] = grid.currency
        if grid.units.empty:
            what = f"grid {section.name!r} has no wind, PV or other weather-driven unit: nothing is curtailed"
            findings.add(f"grids.{i}.options", what, "place some with renewables, or give units")
        buses = set(grid.buses.index)
        if all(scenario.grid_of(site) != section.name for site in scenario.sites):
            findings.add(
                f"grids.{i}", f"grid {section.name!r} has no site", "add a site, or leave the grid out"
            )
        for k, site in enumerate(scenario.sites):
            if scenario.grid_of(site) == section.name and site.bus not in buses:
                shown = ", ".join(sorted(buses)[:6])
                findings.add(
                    f"sites.{k}.bus",
                    f"grid {section.name!r} has no bus {site.bus!r}",
                    f"it has {len(buses)} buses: {shown}, ...",
                )
        if isinstance(section.weather.assign, dict):
            places = {f.site for f in section.weather.files}
            for unit, place in section.weather.assign.items():
                if unit not in grid.units.index:
                    findings.add(f"grids.{i}.weather.assign", f"grid {section.name!r} has no unit {unit!r}")
                if place not in places:
                    findings.add(f"grids.{i}.weather.assign.{unit}", f"no weather file for {place!r}")
    if len(set(currencies.values())) > 1:
        named = ", ".join(f"{name} in {currency}" for name, currency in currencies.items())
        findings.add("grids", f"costs of different currencies cannot be added: {named}", "give one currency")


def _check_weather_files(scenario: Scenario, findings: Findings) -> None:
    """Check that files are named where they are needed, and exist."""
    for i, grid in enumerate(scenario.grids):
        where = f"grids.{i}.weather.files"
        if grid.weather.source == "files" and not grid.weather.files:
            findings.add(
                where, "source is files, but no file is named", "name at least one place with its files"
            )
        if grid.weather.source != "files" and grid.weather.files:
            findings.add(
                where, f"source is {grid.weather.source}, files would be ignored", "set source: files"
            )
        _unique(where, [f.site for f in grid.weather.files], findings)
        for k, entry in enumerate(grid.weather.files):
            for fill in entry.fill:
                _known(f"{where}.{k}.fill", "fill", fill, FILLS, findings)
            if entry.solar is None and entry.wind is None:
                findings.add(f"{where}.{k}", "neither solar nor wind is named")
            for kind, name in (("solar", entry.solar), ("wind", entry.wind)):
                if name is not None:
                    _file_exists(f"{where}.{k}.{kind}", name, findings)
                source = getattr(entry, f"{kind}_read").source
                if source is not None:
                    _known(f"{where}.{k}.{kind}_read.source", "reader", source, READERS, findings)


def _check_outlook(scenario: Scenario, findings: Findings) -> None:
    if scenario.outlook.source != "day_ahead":
        return
    for i, grid in enumerate(scenario.grids):
        told = grid.source, grid.weather.source, grid.weather.series, grid.load.series
        if told != ("rts_gmlc", "recorded", "real_time", "real_time"):
            findings.add(
                "outlook.source",
                f"day_ahead, but grids[{i}] does not run on recorded real-time series",
                "use rts_gmlc with weather.source: recorded, and series: real_time of weather and load",
            )


def _check_jobs(scenario: Scenario, findings: Findings) -> None:
    """Check trace and trace file."""
    jobs = scenario.jobs
    _known("jobs.source", "trace", jobs.source, TRACES, findings)
    if jobs.trace_device is not None:
        _known("jobs.trace_device", "device", jobs.trace_device, DEVICES, findings)
    for name in jobs.models or {}:
        _known(f"jobs.models.{name}", "model", name, MODELS, findings)
    if jobs.priority_shares and abs(sum(jobs.priority_shares) - 1.0) > SHARE_ROUNDING:
        total = sum(jobs.priority_shares)
        findings.add("jobs.priority_shares", f"have the sum {total:g}", "give shares with the sum 1")
    if jobs.source not in TRACES:
        return
    if jobs.source == "synthetic" and jobs.path is not None:
        findings.add("jobs.path", "a synthetic trace reads no file", "remove it, or name another source")
    elif jobs.source != "synthetic" and jobs.path is None:
        findings.add("jobs.path", "is missing", f"name the file of the {jobs.source} trace")
    elif jobs.path is not None:
        _file_exists("jobs.path", jobs.path, findings)
    _check_trace_options(scenario, findings)


def _check_trace_options(scenario: Scenario, findings: Findings) -> None:
    """Check what the reader of the trace is told, and the first lines of the trace file."""
    jobs = scenario.jobs
    options, missing = trace_options(jobs), Findings()
    if jobs.tasks_path is not None:
        _file_exists("jobs.tasks_path", jobs.tasks_path, missing)
        findings.extend(missing)
    if jobs.source == "synthetic":
        for name in sorted(options.given()):
            key = "tasks_path" if name == "tasks" else name
            findings.add(
                f"jobs.{key}", "a synthetic trace has no use for it", "remove it, or name another source"
            )
        return
    for found in option_findings(jobs.source, options):
        key = "tasks_path" if found.where == "tasks" else found.where
        findings.add(f"jobs.{key}", found.what, found.remedy)
    there = Findings()
    if jobs.path is not None:
        _file_exists("jobs.path", jobs.path, there)
    if jobs.path is not None and not there:
        named = None if jobs.tasks_path is None or missing else resolve_file(jobs.tasks_path)
        for found in head_findings(jobs.source, resolve_file(jobs.path), replace(options, tasks=named)):
            key = "tasks_path" if found.where == str(named) else "path"
            findings.add(f"jobs.{key}", f"{found.where}: {found.what}", found.remedy)


def trace_options(jobs: JobsSection) -> TraceOptions:
    """Return what the reader of a scenario's trace is told; the task table as it is named there."""
    return TraceOptions(
        clock=jobs.clock,
        tasks=jobs.tasks_path,
        processors_per_gpu=jobs.processors_per_gpu,
        columns=jobs.columns,
        censored=jobs.censored,
    )


def _check_failures(scenario: Scenario, findings: Findings) -> None:
    """Check outages of sites and their mean times."""
    findings.extend(list(failure_findings(scenario)))


def _check_equipment(scenario: Scenario, findings: Findings) -> None:
    """Check racks and batteries of sites."""
    findings.extend(list(site_findings(scenario)))


def _check_wan(scenario: Scenario, findings: Findings) -> None:
    """Build the network, once all it is made from is right."""
    if findings or is_plain(scenario.wan):
        return
    grids = {section.name: section for section in scenario.grids}
    places = [build_grid(grids[scenario.grid_of(s)]).buses.loc[s.bus] for s in scenario.sites]
    try:
        sites = make_sites(
            name=[site.name for site in scenario.sites],
            grid=[0] * len(places),
            bus=[site.bus for site in scenario.sites],
            n_gpus=[site.n_gpus for site in scenario.sites],
            latitude=[float(place["latitude"]) for place in places],
            longitude=[float(place["longitude"]) for place in places],
        )
        make_wan(scenario, sites)
    except InputError as error:
        findings.extend(error.findings)


def resolve_file(name: str) -> Path:
    """Return the path of an input file: absolute, or inside the folder CURTAILMENT_TWIN_DATA."""
    return Path(name) if Path(name).is_absolute() else Path(data_path(name))


def _file_exists(where: str, name: str, findings: Findings) -> None:
    """Report a file that is not there."""
    try:
        if not resolve_file(name).is_file():
            findings.add(where, f"no such file: {name}")
    except InputError as error:
        findings.extend([Finding(where, f"{name}: {f.what}", f.remedy) for f in error.findings])
