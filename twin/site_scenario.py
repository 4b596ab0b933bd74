"""Racks and batteries of a scenario's sites: from its keys to tables, and what is wrong between them."""

from __future__ import annotations

from twin.racks import RackTable
from twin.scenario_model import Scenario, SiteSection
from twin.site_battery import ROUND_TRIP, BatteryTable
from weather import Findings

_RACK_KEYS = ("rack_start_s", "rack_stop_s", "rack_keep_s", "rack_off_share")
_BATTERY_KEYS = ("battery_efficiency", "battery_initial_share")
KEEP_S = 3600.0
"""How long idle racks stay on where a scenario does not say it. [s]"""


def site_findings(scenario: Scenario) -> Findings:
    """Return all that is wrong between the keys of a scenario's sites, and with its tick."""
    findings = Findings()
    for i, site in enumerate(scenario.sites):
        where = f"sites.{i}"
        if site.rack_gpus is None:
            _useless(where, site, _RACK_KEYS, "rack_gpus", findings)
        else:
            if site.rack_start_s is None:
                findings.add(f"{where}.rack_start_s", "is missing, rack_gpus is given", "give it in s")
            if site.n_gpus % site.rack_gpus:
                what = f"{site.rack_gpus} does not divide n_gpus = {site.n_gpus}"
                findings.add(f"{where}.rack_gpus", what, "give whole racks")
            _whole_ticks(where, site, scenario.time.tick_s, findings)
        for given, missing in (("battery_mwh", "battery_p_mw"), ("battery_p_mw", "battery_mwh")):
            if getattr(site, given) is not None and getattr(site, missing) is None:
                unit = "MWh" if missing == "battery_mwh" else "MW"
                findings.add(f"{where}.{missing}", f"is missing, {given} is given", f"give it in {unit}")
        if site.battery_mwh is None and site.battery_p_mw is None:
            _useless(where, site, _BATTERY_KEYS, "battery_mwh", findings)
    return findings


def _useless(where: str, site: SiteSection, keys: tuple[str, ...], needed: str, findings: Findings) -> None:
    """Report keys that say something about what the site does not have."""
    for key in keys:
        if getattr(site, key) is not None:
            findings.add(f"{where}.{key}", f"is given, but no {needed}", f"give {needed} too, or remove it")


def _whole_ticks(where: str, site: SiteSection, tick_s: int, findings: Findings) -> None:
    """Report times of racks that are no multiple of the tick."""
    keep_s = KEEP_S if site.rack_keep_s is None else site.rack_keep_s
    times = {"rack_start_s": site.rack_start_s, "rack_stop_s": site.rack_stop_s, "rack_keep_s": keep_s}
    for key, seconds in times.items():
        if (seconds or 0.0) % tick_s:
            what = f"{seconds:g} s is no multiple of time.tick_s = {tick_s} s"
            findings.add(f"{where}.{key}", what, "round it to whole ticks, or choose a shorter tick")


def make_racks(scenario: Scenario) -> RackTable | None:
    """Return the racks of a scenario's sites, None where no site has any."""
    sites = scenario.sites
    if all(site.rack_gpus is None for site in sites):
        return None
    return RackTable.of(
        [site.rack_gpus or 0 for site in sites],
        start_s=[site.rack_start_s or 0.0 for site in sites],
        stop_s=[site.rack_stop_s or 0.0 for site in sites],
        keep_s=[KEEP_S if site.rack_keep_s is None else site.rack_keep_s for site in sites],
        off_share=[site.rack_off_share or 0.0 for site in sites],
    )


def make_batteries(scenario: Scenario) -> BatteryTable | None:
    """Return the batteries of a scenario's sites, None where no site has one."""
    sites = scenario.sites
    if all(site.battery_mwh is None for site in sites):
        return None
    return BatteryTable.of(
        [site.battery_mwh or 0.0 for site in sites],
        [site.battery_p_mw or 0.0 for site in sites],
        efficiency=[
            ROUND_TRIP if site.battery_efficiency is None else site.battery_efficiency for site in sites
        ],
        initial_share=[site.battery_initial_share or 0.0 for site in sites],
    )
