"""The section of a scenario about jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from twin.scenario_base import NonNegative, Positive, Section, Share


class JobsSection(Section):
    """Which jobs arrive."""

    source: str = Field(default="synthetic", description="Key of the traces (twin list traces).")
    path: str | None = Field(
        default=None, description="Trace file, absolute or inside CURTAILMENT_TWIN_DATA."
    )
    clock: str | None = Field(
        default=None,
        description="Clock of the trace's stamps and days, such as Asia/Shanghai or +08:00; the file's own "
        "when absent.",
    )
    tasks_path: str | None = Field(
        default=None, description="Task table of a pai trace, absolute or inside CURTAILMENT_TWIN_DATA."
    )
    processors_per_gpu: Positive | None = Field(
        default=None, description="Processors of an swf trace that stand for one GPU. [1]"
    )
    columns: dict[str, str] | None = Field(
        default=None,
        description="Columns of a table by their meaning: submit, gpus, duration or start and end, queue, "
        "status.",
    )
    censored: Literal["keep", "drop"] = Field(
        default="keep",
        description="Jobs still running at the end of the trace: kept with what they ran, or set aside.",
    )
    mean_gpus: Positive | None = Field(
        default=None, description="Mean GPUs in use before fleet_scale; as in the trace when absent. [1]"
    )
    max_job_h: Positive | None = Field(
        default=72.0, description="Longest job; longer ones are cut to it. [h]"
    )
    max_gpus: int | None = Field(
        default=None, gt=0, description="Widest job before fleet_scale; wider ones are left out. [1]"
    )
    trace_start_h: NonNegative = Field(
        default=0.0, description="Time in the trace, or in its part, at the start of the study. [h]"
    )
    trace_part_h: tuple[NonNegative, NonNegative] | None = Field(
        default=None,
        description="Begin and end of the part of the trace that is used, whole days; all when absent. [h]",
    )
    trace_device: str | None = Field(
        default=None,
        description="Device on which the trace's run times hold; the reference device when absent.",
    )
    migratable_share: Share = Field(default=1.0, description="Share of jobs that may move. [1]")
    deadline_factor: Annotated[FiniteFloat, Field(ge=1)] | None = Field(
        default=None, description="Deadline as a multiple of the run time; none when absent. [1]"
    )
    gpu_memory_gb: Positive = Field(
        default=80.0, description="Memory of the devices the models are sized for. [GB]"
    )
    bytes_per_parameter: Positive = Field(
        default=14.0, description="Checkpoint size per model parameter, without models. [B]"
    )
    models: dict[str, Positive] | None = Field(
        default=None,
        description="Shares of the models that jobs train (twin list models), with the checkpoints of each; "
        "sizes are drawn from a range when absent.",
    )
    needs_memory: bool = Field(
        default=False,
        description="Whether a job only runs on devices that have the memory its model needs.",
    )
    pausable_share: Share = Field(default=1.0, description="Share of jobs that may pause. [1]")
    service_share: Share = Field(
        default=0.0,
        description="Share of jobs that serve requests: once started they neither pause nor move. [1]",
    )
    priority_shares: tuple[Share, ...] = Field(
        default=(),
        description="Shares of jobs of priority 0, 1 and so on; the higher start first in a queue. [1]",
    )
    elastic_share: Share = Field(
        default=0.0,
        description="Share of jobs that may run on more or fewer GPUs than recorded, services never. [1]",
    )
    elastic_min_factor: Annotated[FiniteFloat, Field(gt=0, le=1)] = Field(
        default=0.5, description="Fewest GPUs of an elastic job over those recorded. [1]"
    )
    elastic_max_factor: Annotated[FiniteFloat, Field(ge=1)] = Field(
        default=2.0, description="Most GPUs of an elastic job over those recorded. [1]"
    )
