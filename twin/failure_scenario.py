"""What goes wrong at the sites of a scenario: from its section to what the simulation uses."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin.inputs import S_PER_H, FailureModel
from twin.migration_checkpoints import DEFAULT_MTBF_GPU_H
from twin.scenario_model import Scenario
from twin.site_outages import SiteOutages, draw_outages
from weather import Findings


def failure_findings(scenario: Scenario) -> Findings:
    """Return all that is wrong between the keys of a scenario's section `failures`."""
    section, findings = scenario.failures, Findings()
    names = [site.name for site in scenario.sites]
    for i, outage in enumerate(section.outages):
        if outage.site not in names:
            known = f"known: {', '.join(names[:8])}"
            findings.add(f"failures.outages.{i}.site", f"no site {outage.site!r}", known)
        if outage.start >= outage.end:
            findings.add(
                f"failures.outages.{i}",
                f"ends at {outage.end.isoformat()}, begins at {outage.start.isoformat()}",
                "end it after its start",
            )
    for given, missing in (("site_mtbf_h", "site_mttr_h"), ("site_mttr_h", "site_mtbf_h")):
        if getattr(section, given) is not None and getattr(section, missing) is None:
            findings.add(f"failures.{missing}", f"is missing, {given} is given", "give both, or none")
    return findings


def make_failures(scenario: Scenario, seed: int) -> FailureModel:
    """Return how often the jobs of a scenario fail.

    Parameters
    ----------
    scenario
        Its section `failures` says it. A job stands for `fleet_scale` that move together, and fails as often
        as one of them: so that GPU-hours lost are those of all of them on average.
    seed
        Root of the random streams.

    Returns
    -------
    FailureModel
        Without failures where the scenario names none.
    """
    section, scale = scenario.failures, scenario.fleet_scale
    hours = section.checkpoint_interval_h
    return FailureModel(
        mtbf_gpu_h=np.inf if section.gpu_mtbf_h is None else section.gpu_mtbf_h * scale,
        checkpoint_interval_s=None if hours is None else hours * S_PER_H,
        planned_mtbf_gpu_h=(section.gpu_mtbf_h or DEFAULT_MTBF_GPU_H) * scale,
        seed=seed,
    )


def make_outages(scenario: Scenario, seed: int) -> SiteOutages:
    """Return the outages of a scenario's sites, those it lists and those it draws.

    Parameters
    ----------
    scenario
        Its section `failures` says it.
    seed
        Root of the random streams.

    Returns
    -------
    SiteOutages
        In seconds since the start of the run.
    """
    section, start = scenario.failures, scenario.time.start_utc
    names = [site.name for site in scenario.sites]
    rows = [
        (
            names.index(outage.site),
            (pd.Timestamp(outage.start) - start).total_seconds(),
            (pd.Timestamp(outage.end) - start).total_seconds(),
        )
        for outage in section.outages
    ]
    if section.site_mtbf_h is not None and section.site_mttr_h is not None:
        duration_s = scenario.time.n_run * scenario.time.signal_step_s
        rows += draw_outages(
            len(names), duration_s, mtbf_h=section.site_mtbf_h, mttr_h=section.site_mttr_h, seed=seed
        )
    return SiteOutages.of(rows)
