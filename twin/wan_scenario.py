"""The network and the moves of a scenario: from its sections to what the simulation uses."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin._arrays import FloatArray
from twin.migration import MigrationModel
from twin.scenario_model import Scenario
from twin.scenario_network import BackgroundSection, MigrationSection, WanSection
from twin.sites import SiteTable
from twin.wan import Wan, star
from twin.wan_changes import LinkOutage, daily_background, links_like, with_background, with_outages
from twin.wan_files import read_topology
from twin.wan_graph import from_graph
from twin.wan_time import Retry
from weather import Finding, Findings, InputError, data_path

_OF_TOPOLOGY = ("default_capacity_gbit_per_s", "default_latency_s", "attach", "max_access_km")

_OF_ACCESS = ("access_gbit_per_s", "goodput", "energy_kwh_per_gb", "path_factor")

_Series = tuple[FloatArray, FloatArray, list[int]]
"""Times since the start of the run [s], rates from each to the next (time, link) [Gbit/s], which links."""

_NOTHING: _Series = (np.zeros(1), np.zeros((1, 0)), [])


def make_migration(section: MigrationSection, fleet_scale: float = 1) -> MigrationModel:
    """Return the model of moves of a scenario.

    Parameters
    ----------
    section
        What the scenario says of it.
    fleet_scale
        Jobs that each one stands for: what it changes is that of all of them, as its checkpoint is.

    Returns
    -------
    MigrationModel
        With compression as fast as need be where none is stated.
    """
    options = section.model_dump()
    if section.compression_gb_per_s_per_node is None:
        options["compression_gb_per_s_per_node"] = np.inf
    options["dirty_gb_per_s"] *= fleet_scale
    return MigrationModel(**options)


def make_wan(scenario: Scenario, sites: SiteTable) -> Wan:
    """Return the network of a scenario.

    Parameters
    ----------
    scenario
        Its section `wan` says what it is, its time when the run begins.
    sites
        Its sites.

    Returns
    -------
    Wan
        With what changes over time.

    Raises
    ------
    InputError
        With every finding of the first step that has any: the topology, then other traffic and outages.
        Places are keys of the scenario.
    """
    section, time = scenario.wan, scenario.time
    findings = Findings()
    wan = _network(section, sites, findings)
    findings.raise_if_any("wan")
    n_hours = int(np.ceil(time.n_run * time.step_h))
    series = [
        _background(wan, entry, time.start_utc, n_hours, f"wan.background.{i}", findings)
        for i, entry in enumerate(section.background)
    ]
    outages = _outages(wan, section, time.start_utc, findings)
    retry = _retry(section, findings)
    findings.raise_if_any("wan")
    try:
        if series:
            wan = with_background(wan, *_overlaid(wan, series))
    except InputError as error:
        found = [Finding(f"wan.background: {f.where}", f.what, f.remedy) for f in error.findings]
        raise InputError("wan", found) from error
    return with_outages(wan, outages, retry=retry) if outages else wan


def is_plain(section: WanSection) -> bool:
    """Whether a network is a star without changes, which nothing can be wrong with."""
    plain = WanSection(**section.model_dump(include=set(_OF_ACCESS)))
    return section == plain


def _network(section: WanSection, sites: SiteTable, findings: Findings) -> Wan:
    """Network without changes."""
    common = section.model_dump(include=set(_OF_ACCESS))
    if section.topology is None:
        fresh = WanSection()
        for name in _OF_TOPOLOGY:
            if getattr(section, name) != getattr(fresh, name):
                findings.add(f"wan.{name}", "there is no topology, it would be ignored", "give wan.topology")
        return star(sites, **common)
    try:
        return from_graph(
            read_topology(data_path(section.topology)),
            sites,
            attach=section.attach,
            max_access_km=section.max_access_km,
            default_capacity_gbit_per_s=section.default_capacity_gbit_per_s,
            default_latency_s=section.default_latency_s,
            **common,
        )
    except InputError as error:
        findings.extend([Finding(f"wan.topology: {f.where}", f.what, f.remedy) for f in error.findings])
        return star(sites, **common)


def _background(
    wan: Wan, entry: BackgroundSection, start: pd.Timestamp, n_hours: int, where: str, findings: Findings
) -> _Series:
    """Times, rates and links of one entry; rates have the shape (time, link of the entry)."""
    given = [name for name in ("share", "gbit_per_s", "table") if getattr(entry, name)]
    if len(given) != 1:
        what = f"{' and '.join(given) or 'neither share, gbit_per_s nor table'} given"
        findings.add(where, what, "give one of share, gbit_per_s and table")
        return _NOTHING
    if entry.table is not None:
        return _table(wan, entry, start, where, findings)
    values = np.array(entry.share or entry.gbit_per_s)
    links = _links(wan, entry.links, f"{where}.links", findings)
    times = np.zeros(1)
    if len(values) == 24:
        local = start + pd.Timedelta(hours=entry.utc_offset_h)
        first_hour = (local - local.normalize()) / pd.Timedelta(hours=1)
        times, values = daily_background(values, n_hours, first_hour=first_hour)
    elif len(values) != 1:
        findings.add(f"{where}.{given[0]}", f"has {len(values)} values", "give one, or 24 by hour of the day")
        return _NOTHING
    scale = wan.capacity_gbit_per_s[links] if entry.share else np.ones(len(links))
    return times, values[:, None] * scale, links


def _table(
    wan: Wan, entry: BackgroundSection, start: pd.Timestamp, where: str, findings: Findings
) -> _Series:
    """Times, rates and links of a table."""
    found = Findings()
    try:
        table = pd.read_csv(data_path(entry.table or ""))
        stamps = pd.to_datetime(table["time"], format="ISO8601")
    except InputError as error:
        found.extend(error.findings)
    except (KeyError, ValueError) as error:
        found.add(str(entry.table), f"cannot be read ({error})", "give a CSV file with a column time")
    else:
        if getattr(stamps.dtype, "tz", None) is None:
            found.add(str(entry.table), "has times without a zone", "write them like 2020-04-06T08:00Z")
    findings.extend([Finding(f"{where}.table: {f.where}", f.what, f.remedy) for f in found])
    if found:
        return _NOTHING
    names = [str(name) for name in table.columns if name != "time"]
    unknown = [name for name in names if name not in wan.link]
    if unknown or not names:
        what = f"no links {', '.join(unknown)}" if names else "has no column of a link"
        findings.add(f"{where}.table", what, f"links are {', '.join(wan.link[:8])}, ...")
        return _NOTHING
    links = [wan.link.index(name) for name in names]
    seconds = (stamps - start).dt.total_seconds().to_numpy()
    rates = table[names].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    if not seconds.size or seconds[0] > 0.0 or np.any(np.diff(seconds) <= 0.0):
        findings.add(f"{where}.table", "does not ascend from the start of the run or before")
        return _NOTHING
    return seconds, rates * (wan.capacity_gbit_per_s[links] if entry.table_unit == "share" else 1.0), links


def _overlaid(wan: Wan, series: list[_Series]) -> tuple[FloatArray, FloatArray]:
    """Background of all links at all times, later entries over earlier ones."""
    times = np.unique(np.concatenate([np.zeros(1), *(own for own, _, _ in series)]))
    values = np.tile(wan.background_gbit_per_s, (len(times), 1))
    for own, rates, links in series:
        at = np.maximum(np.searchsorted(own, times, side="right") - 1, 0)
        values[:, links] = rates[at]
    return times, values


def _outages(wan: Wan, section: WanSection, start: pd.Timestamp, findings: Findings) -> list[LinkOutage]:
    """Outages in seconds of the run."""
    outages = []
    for i, entry in enumerate(section.outages):
        where = f"wan.outages.{i}"
        begin, end = ((pd.Timestamp(t) - start).total_seconds() for t in (entry.start, entry.end))
        if begin >= end:
            findings.add(
                where,
                f"ends at {entry.end.isoformat()}, begins at {entry.start.isoformat()}",
                "end it after its start",
            )
        for link in _links(wan, entry.links, f"{where}.links", findings, both_ways=entry.both_ways):
            outages.append(LinkOutage(wan.link[link], begin, end))
    return outages


def _links(
    wan: Wan, patterns: tuple[str, ...], where: str, findings: Findings, *, both_ways: bool = False
) -> list[int]:
    """Numbers of the links that patterns name."""
    found: set[str] = set()
    for pattern in patterns:
        like = links_like(wan, pattern, both_ways=both_ways)
        if not like:
            findings.add(where, f"no link is like {pattern!r}", f"links are {', '.join(wan.link[:8])}, ...")
        found |= set(like)
    return [i for i, name in enumerate(wan.link) if name in found]


def _retry(section: WanSection, findings: Findings) -> Retry:
    """What transfers do when a link fails."""
    try:
        return Retry(**section.retry.model_dump())
    except InputError as error:
        findings.extend([Finding(f"wan.{f.where}", f.what, f.remedy) for f in error.findings])
        return Retry()
