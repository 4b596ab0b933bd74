"""The sections of a scenario about links between sites and moves over them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from twin.migration import MoveMode
from twin.scenario_base import NonNegative, Positive, PositiveShare, Section, Share
from twin.wan import MAX_ACCESS_KM


class BackgroundSection(Section):
    """Other traffic on some links; of several entries the last that names a link holds."""

    links: tuple[str, ...] = Field(
        default=("*",),
        min_length=1,
        description="Names of links, with wildcards: `up:*` and `down:*` are the sites' access, `3>7` joins "
        "nodes.",
    )
    share: tuple[Share, ...] = Field(
        default=(), description="Share of the capacity: one value, or 24 by hour of the day. [1]"
    )
    gbit_per_s: tuple[NonNegative, ...] = Field(
        default=(), description="The same as a rate, instead. [Gbit/s]"
    )
    utc_offset_h: FiniteFloat = Field(
        default=0.0, description="Local time of the hours of the day minus UTC. [h]"
    )
    table: str | None = Field(
        default=None,
        description="CSV file, instead: column `time` with its zone, and one per link by its full name. "
        "Values hold until the next row; `links` is not used.",
    )
    table_unit: Literal["share", "gbit_per_s"] = Field(default="share", description="Unit of the table.")


class OutageSection(Section):
    """A time in which links carry nothing."""

    links: tuple[str, ...] = Field(min_length=1, description="Names of links, with wildcards.")
    start: AwareDatetime = Field(description="From when, with its zone; may lie before the run.")
    end: AwareDatetime = Field(description="Until when.")
    both_ways: bool = Field(default=True, description="Whether the opposite direction fails with it.")


class RetrySection(Section):
    """What a transfer does when a link on its path fails."""

    resume: bool = Field(default=True, description="Keep what arrived; otherwise send it again.")
    first_s: Positive = Field(
        default=30.0, description="Wait to the first attempt; each that finds no route doubles it. [s]"
    )
    most_s: Positive = Field(default=600.0, description="Longest wait between attempts. [s]")


class WanSection(Section):
    """Links between sites: one access link each way per site, and what is between them."""

    topology: str | None = Field(
        default=None,
        description="File of the links between: .gml or .graphml (Topology Zoo), .json (topohub), .csv "
        "(distances); a core that never limits when absent.",
    )
    default_capacity_gbit_per_s: Positive | None = Field(
        default=None, description="Capacity of links of the topology that state none. [Gbit/s]"
    )
    default_latency_s: NonNegative | None = Field(
        default=None, description="One-way delay of links of the topology without length. [s]"
    )
    attach: dict[str, int | str] = Field(
        default_factory=dict,
        description="Node of the topology by site: its id, or a label no other has; the nearest otherwise.",
    )
    max_access_km: Positive = Field(
        default=MAX_ACCESS_KM, description="Farthest that a site may be from its nearest node. [km]"
    )
    access_gbit_per_s: Positive = Field(default=100.0, description="Capacity of each access link. [Gbit/s]")
    goodput: PositiveShare = Field(
        default=0.85, description="Share of the capacity that carries payload. [1]"
    )
    energy_kwh_per_gb: NonNegative = Field(default=0.001, description="Energy per volume moved. [kWh/GB]")
    path_factor: Annotated[FiniteFloat, Field(ge=1)] = Field(
        default=2.1, description="Length of the fibre path over the line of sight. [1]"
    )
    background: tuple[BackgroundSection, ...] = Field(
        default=(), description="Other traffic; none otherwise."
    )
    outages: tuple[OutageSection, ...] = Field(default=(), description="When links fail; never otherwise.")
    retry: RetrySection = Field(
        default=RetrySection(), description="What transfers do when a link fails under them."
    )


class MigrationSection(Section):
    """How running jobs move: by saving, sending, loading, starting again, or copied ahead while they run."""

    write_gb_per_s_per_node: Positive = Field(
        default=2.0, description="Checkpoint writing, per 8-GPU node. [GB/s]"
    )
    read_gb_per_s_per_node: Positive = Field(
        default=2.0, description="Checkpoint reading, per 8-GPU node. [GB/s]"
    )
    start_up_s: NonNegative = Field(default=240.0, description="From nothing to a started job. [s]")
    warm_up_s: NonNegative = Field(default=60.0, description="From a started job to full speed. [s]")
    compression_ratio: Annotated[FiniteFloat, Field(ge=1)] = Field(
        default=1.0, description="Bytes of a checkpoint before over after compression. [1]"
    )
    compression_gb_per_s_per_node: Positive | None = Field(
        default=None,
        description="Compressing and decompressing, in bytes before it; no limit when absent. [GB/s]",
    )
    incremental_share: PositiveShare = Field(
        default=1.0,
        description="Share of a checkpoint that has changed and is saved and sent; the rest is taken to be "
        "at the destination, at no cost. [1]",
    )
    mode: MoveMode = Field(
        default="stop_and_copy",
        description="`stop_and_copy`; `live`: the job runs while its state is sent in rounds, and stops for "
        "the last; `best`: for each move the one for which the job stands less.",
    )
    dirty_gb_per_s: NonNegative = Field(
        default=20.0,
        description="Live: state that a running job changes, before `fleet_scale`, counted once per round. "
        "[GB/s]",
    )
    changing_share: Share = Field(
        default=1.0,
        description="Live: share of the state that changes at all, all of it in full training; no round "
        "after the first is larger. [1]",
    )
    downtime_target_s: NonNegative = Field(
        default=1.0, description="Live: the job stops when what is left takes no longer to send. [s]"
    )
    max_rounds: Annotated[int, Field(ge=1)] = Field(
        default=5, description="Live: the job stops after so many rounds at the latest."
    )
