"""The section of a scenario about what goes wrong at sites."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from twin.scenario_base import Positive, Section


class SiteOutageSection(Section):
    """A time in which a site is down: nothing runs there, and it draws nothing."""

    site: str = Field(description="Name of the site.")
    start: AwareDatetime = Field(description="From when, with its zone; may lie before the run.")
    end: AwareDatetime = Field(description="Until when. An outage takes every tick it touches.")


class FailuresSection(Section):
    """What goes wrong at sites; nothing by default."""

    outages: tuple[SiteOutageSection, ...] = Field(default=(), description="Outages of sites.")
    site_mtbf_h: Positive | None = Field(
        default=None,
        description="Mean time from a repair of a site to its next outage, for outages drawn at random "
        "beside those listed; none when absent. [h]",
    )
    site_mttr_h: Positive | None = Field(
        default=None, description="Mean time to repair a site, needed with `site_mtbf_h`. [h]"
    )
    gpu_mtbf_h: Positive | None = Field(
        default=None,
        description="Mean GPU-hours between two failures of a job, before fleet_scale (published: 50,000, "
        "down to 8,000); none fails when absent. [GPU-h]",
    )
    checkpoint_interval_h: Positive | None = Field(
        default=None,
        description="Work between two periodic checkpoints of a job; the best for it after Daly when absent, "
        "at least a minute. [h]",
    )
