"""What a scenario is: a tree of frozen sections with typed values, units and ranges."""

from __future__ import annotations

from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

import pandas as pd
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, FiniteFloat, JsonValue

from twin.scenario_base import Name, NonNegative, Positive, PositiveShare, Section, Share
from twin.scenario_failures import FailuresSection
from twin.scenario_jobs import JobsSection
from twin.scenario_network import MigrationSection, WanSection
from twin.scenario_text import dump_yaml

SCHEMA_VERSION: Final = 1

POLICY_NAMES = ("static", "energy_greedy", "feasibility_aware")


def _text_of_number(value: object) -> object:
    """Read a bus written as a number (``bus: 303``) as its name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Location = tuple[int | str, ...]
"""Place of a value in a scenario: keys and numbers of list items."""

BusName = Annotated[str, BeforeValidator(_text_of_number), Field(min_length=1)]


class TimeSection(Section):
    """When the study happens and at which resolution.

    The run is laid out as history, study, drain. Policies may look back into the history; jobs arrive
    during the study; nothing arrives in the drain, in which running jobs finish.
    """

    start: AwareDatetime = Field(
        default=datetime(2020, 4, 6, 8, tzinfo=UTC),
        description="First instant of the study, with its time zone.",
    )
    days: int = Field(default=14, gt=0, le=366, description="Length of the study. [d]")
    drain_days: int = Field(default=5, ge=0, le=366, description="Length of the drain after the study. [d]")
    history_days: int = Field(default=7, ge=1, le=366, description="Published past known at the start. [d]")
    signal_step_s: int = Field(default=3600, gt=0, le=86400, description="Step of dispatch and signals. [s]")
    tick_s: int = Field(default=300, gt=0, le=86400, description="Tick of the simulation. [s]")

    @property
    def start_utc(self) -> pd.Timestamp:
        """First instant of the study in UTC."""
        return pd.Timestamp(self.start).tz_convert("UTC")

    @property
    def steps_per_day(self) -> int:
        """Signal steps in a day."""
        return 86400 // self.signal_step_s

    @property
    def n_history(self) -> int:
        """Signal steps before the study."""
        return self.history_days * self.steps_per_day

    @property
    def n_run(self) -> int:
        """Signal steps of study and drain."""
        return (self.days + self.drain_days) * self.steps_per_day

    @property
    def step_h(self) -> float:
        """Length of a signal step. [h]"""
        return self.signal_step_s / 3600.0


_PerGenerator = FiniteFloat | dict[str, FiniteFloat]
_Rows = str | tuple[dict[str, JsonValue], ...]


class GridOptions(Section):
    """How the grid is built; a source takes those it knows, and has its own default for none.

    "Cases" are the sources matpower, simbench, pandapower_case and pandapower_file.
    """

    case: str | None = Field(
        default=None, description="Name of the case, or path of a .m file, for matpower and pandapower_case."
    )
    code: str | None = Field(default=None, description="SimBench code, for simbench.")
    path: str | None = Field(default=None, description="File of the net, for pandapower_file.")
    geo: bool = Field(
        default=False, description="Whether its coordinates are longitude and latitude, for pandapower_file."
    )
    must_run: tuple[str, ...] | None = Field(
        default=None,
        description="Fuels (of cases also generators) that always run at their minimum or above "
        "(rts_gmlc: nuclear).",
    )
    committable: tuple[str, ...] | None = Field(
        default=None, description="Fuels (of cases also generators) that may be switched off and on."
    )
    line_rating_factor: Positive = Field(default=1.0, description="Factor on every branch rating. [1]")
    wind_scale: NonNegative = Field(default=1.0, description="Factor on wind capacity. [1]")
    pv_scale: NonNegative = Field(default=1.0, description="Factor on PV capacity. [1]")
    rtpv_scale: NonNegative = Field(
        default=1.0, description="Factor on rooftop PV capacity, for rts_gmlc. [1]"
    )
    hvdc: bool = Field(default=True, description="Whether controllable HVDC links take part.")
    connection_limit_mw: dict[str, Positive] = Field(
        default_factory=dict, description="Rating of the radial connection a plant sits behind, by unit. [MW]"
    )
    renewables: dict[str, Positive] | None = Field(
        default=None,
        description="Wind and pv placed on a case, as shares of its nominal load (wind: 0.4). [MW/MW]",
    )
    renewable_buses: int | tuple[BusName, ...] | None = Field(
        default=None, description="Where: so many buses with the largest load, or these (10)."
    )
    units: _Rows | None = Field(
        default=None,
        description="Further units of a case (unit, bus, technology, p_nom_mw), or a CSV or Parquet file.",
    )
    load: str | None = Field(
        default=None, description="CSV or Parquet file of loads of a case: time, one column per bus. [MW]"
    )
    available: str | None = Field(
        default=None, description="The same of what is available: time, one column per unit. [MW]"
    )
    co2_kg_per_mwh: NonNegative | dict[str, NonNegative] | None = Field(
        default=None,
        description="Emissions of a case's generators: of all, or by fuel or name (factor of the fuel). "
        "[kg/MWh]",
    )
    cost_per_mwh: _PerGenerator | None = Field(
        default=None, description="Cost of a case's generators without one, likewise. [currency/MWh]"
    )
    p_max_mw: NonNegative | dict[str, NonNegative] | None = Field(
        default=None, description="Largest output of a case's generators without one, likewise. [MW]"
    )
    rate_mw: Positive | dict[str, Positive] | None = Field(
        default=None,
        description="Rating of a case's branches without one, of all or by their higher voltage in kV. [MW]",
    )
    no_load_cost: bool = Field(
        default=True, description="Whether what a case's generators cost at no output counts."
    )
    n_cost_segments: int = Field(default=5, ge=1, description="Straight pieces of a case's polynomial costs.")
    currency: str | None = Field(default=None, description="Currency of a case's costs (USD, EUR).")
    import_price_per_mwh: FiniteFloat = Field(
        default=50.0, description="Price at which external grids of a case give power. [currency/MWh]"
    )
    export_price_per_mwh: FiniteFloat = Field(
        default=40.0, description="Price at which they take power. [currency/MWh]"
    )
    import_co2_kg_per_mwh: NonNegative = Field(
        default=0.0, description="Emissions of the power they give. [kg/MWh]"
    )
    storage_h: Positive = Field(
        default=4.0, description="Hours at full power of a case's storage without a capacity. [h]"
    )
    islands: Literal["refuse", "leave_out"] = Field(
        default="refuse", description="What to do with buses of a case that no line reaches."
    )
    out_of_service: Literal["leave_out", "use"] = Field(
        default="leave_out", description="What to do with generators out of service in the case's hour."
    )
    latitude: Annotated[FiniteFloat, Field(ge=-90, le=90)] | None = Field(
        default=None, description="Where a case without places is. [degree]"
    )
    longitude: Annotated[FiniteFloat, Field(ge=-180, le=180)] | None = Field(
        default=None, description="The same. [degree]"
    )
    coordinates: _Rows | None = Field(
        default=None, description="Places of single buses (bus, latitude, longitude), or a file. [degree]"
    )
    utc_offset_h: Annotated[FiniteFloat, Field(ge=-12, le=14)] | None = Field(
        default=None, description="Clock of a case against UTC. [h]"
    )


class ReadSection(Section):
    """What a weather file does not say itself; a reader refuses what its format settles."""

    source: str | None = Field(
        default=None, description="Reader (twin list readers); found from the file's first bytes when absent."
    )
    year: int | None = Field(default=None, description="Year on which a typical year is laid.")
    utc_offset_h: FiniteFloat | None = Field(
        default=None, description="Clock of the stamps minus UTC, where no header states it. [h]"
    )
    clock: str | None = Field(
        default=None, description="The same as text (UTC-6); of plain tables also a time zone by name."
    )
    label: Literal["left", "middle", "right", "instant"] | None = Field(
        default=None,
        description="Place of the stamps in their interval, where no format settles it.",
    )
    partial: bool = Field(default=False, description="Whether it may cover less than its format does.")
    accept: tuple[str, ...] = Field(
        default=(), description="Checks that are known to fail and let pass; recorded with the result."
    )
    irradiance_offset_h: FiniteFloat | None = Field(
        default=None, description="Added to the stamps of a PVGIS typical year from before December 2024. [h]"
    )
    variant: str | None = Field(
        default=None, description="Suffix of the variables wanted, of several models or members in one file."
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="Of a plain table: column of each variable (ghi, wind_speed@80)."
    )
    units: dict[str, str] = Field(
        default_factory=dict,
        description="Of a plain table: unit of variables whose column does not say it.",
    )
    time_column: str | None = Field(default=None, description="Of a table: column of the stamps (time).")
    time_format: str | None = Field(
        default=None, description="Of a plain table: pattern of stamps not in ISO 8601, or s or ms."
    )
    latitude: FiniteFloat | None = Field(default=None, description="Of a table: north positive. [degree]")
    longitude: FiniteFloat | None = Field(default=None, description="Of a table: east positive. [degree]")
    altitude: FiniteFloat | None = Field(default=None, description="Of a plain table: above sea level. [m]")
    place: tuple[FiniteFloat, FiniteFloat] | None = Field(
        default=None, description="Of a gridded file: latitude and longitude of the place. [degree]"
    )
    method: Literal["nearest", "bilinear"] = Field(
        default="nearest", description="Of a gridded file: how its cells become the place."
    )


class WeatherFile(Section):
    """Weather files of one place; irradiance and wind may come in two files with two clocks."""

    site: Name = Field(description="Name of the place.")
    solar: str | None = Field(
        default=None,
        description="File with irradiance and temperature, absolute or inside CURTAILMENT_TWIN_DATA.",
    )
    wind: str | None = Field(
        default=None, description="File with wind at hub heights, absolute or inside CURTAILMENT_TWIN_DATA."
    )
    fill: tuple[str, ...] = Field(
        default=(), description="Named treatments of bad values, in order: out_of_range, interpolate, ..."
    )
    solar_read: ReadSection = Field(default=ReadSection(), description="What the solar file does not say.")
    wind_read: ReadSection = Field(default=ReadSection(), description="What the wind file does not say.")


class WeatherSection(Section):
    """Where wind and PV come from."""

    source: Literal["synthetic", "recorded", "files"] = Field(
        default="synthetic",
        description="Seeded generator, the grid's own recorded wind and PV, or weather files.",
    )
    series: Literal["day_ahead", "real_time"] = Field(
        default="day_ahead",
        description="Which of the grid's recorded series to use (hydro and rooftop PV always do).",
    )
    seed: int | None = Field(
        default=None, ge=0, description="Seed of the generator; derived from the scenario's seed when absent."
    )
    files: tuple[WeatherFile, ...] = Field(default=(), description="Weather files, for source: files.")
    assign: Literal["nearest"] | dict[str, str] = Field(
        default="nearest",
        description="Which place's weather a plant has: the nearest, or by unit (the rest nearest).",
    )


class LoadSection(Section):
    """The load of a grid before any flexible compute."""

    series: Literal["day_ahead", "real_time"] = Field(
        default="day_ahead", description="Which recorded series."
    )
    scale: Positive = Field(default=1.0, description="Factor on the load of every bus. [1]")


class LimitsSection(Section):
    """Limits of a whole grid beside those of its lines."""

    max_nonsynchronous_share: Share | None = Field(
        default=None, description="Most of the load that wind and PV may serve at any time. [1]"
    )
    reserve_up_mw: NonNegative = Field(
        default=0.0, description="Room that generators together keep above their output. [MW]"
    )
    reserve_down_mw: NonNegative = Field(
        default=0.0, description="Room that generators together keep below their output. [MW]"
    )


class GridSection(Section):
    """One grid with its own weather, load and clock."""

    name: Name = Field(default="rts_gmlc", description="Name in results.")
    source: str = Field(default="rts_gmlc", description="Key of the grid catalogue (twin list grids).")
    options: GridOptions = Field(default=GridOptions(), description="How it is built.")
    security: Literal["none", "n-1"] = Field(
        default="none",
        description="Whether no line may be overloaded after the outage of any one other line either.",
    )
    limits: LimitsSection = Field(default=LimitsSection(), description="Limits of the whole grid.")
    weather: WeatherSection = Field(default=WeatherSection(), description="Where wind and PV come from.")
    load: LoadSection = Field(default=LoadSection(), description="Its load.")


class SiteSection(Section):
    """One micro-datacenter at a bus."""

    name: Name = Field(description="Name in results.")
    grid: str | None = Field(default=None, description="Grid it is in; the first one when absent.")
    bus: BusName = Field(description="Bus it draws from.")
    device: str = Field(default="h100_sxm", description="Key of the hardware table.")
    n_gpus: int = Field(gt=0, description="GPUs before fleet_scale. [1]")
    import_limit_mw: NonNegative | None = Field(
        default=None, description="Most it may draw at the meter; the site's own maximum when absent. [MW]"
    )
    idle_off: bool = Field(
        default=True, description="Whether idle servers are switched off at once; not used with `rack_gpus`."
    )
    rack_gpus: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="GPUs in a rack, before fleet_scale, where racks are switched off while idle and take "
        "time to start; a divisor of `n_gpus`. [1]",
    )
    rack_start_s: NonNegative | None = Field(
        default=None, description="Time from off to ready, in whole ticks; needed with `rack_gpus`. [s]"
    )
    rack_stop_s: NonNegative | None = Field(
        default=None, description="Time from idle to off, in whole ticks (0). [s]"
    )
    rack_keep_s: NonNegative | None = Field(
        default=None, description="How long a rack stays on while idle, in whole ticks (3600). [s]"
    )
    rack_off_share: Share | None = Field(
        default=None, description="Power of a rack that is off over its idle power (0). [1]"
    )
    battery_mwh: Positive | None = Field(
        default=None,
        description="Energy its battery holds, of all that it stands for; none when absent. [MWh]",
    )
    battery_p_mw: Positive | None = Field(
        default=None,
        description="Most the battery charges or gives, at the meter; needed with `battery_mwh`. [MW]",
    )
    battery_efficiency: PositiveShare | None = Field(
        default=None, description="Efficiency of a round trip, meter to meter (0.85). [1]"
    )
    battery_initial_share: Share | None = Field(
        default=None, description="Stored energy at the start of the run over `battery_mwh` (0). [1]"
    )


class FeasibilitySection(Section):
    """When a move is worth considering."""

    alpha: PositiveShare = Field(default=0.1, description="Largest share of a window a move may take. [1]")


class OutlookSection(Section):
    """What policies expect of the steps ahead; what a source does not tell is filled by persistence."""

    source: Literal["persistence", "day_ahead", "perfect"] = Field(
        default="persistence",
        description="What was published, fading into the usual day; the signals of the grid's recorded "
        "day-ahead series; or the signals that come, which nobody can know: for bounds only.",
    )
    issued_h: Annotated[FiniteFloat, Field(ge=0, lt=24)] = Field(
        default=12.0,
        description="Local standard time at which day_ahead is published for the next day. [h]",
    )
    hours: Positive = Field(default=24.0, description="How far an outlook looks ahead. [h]")
    tau_h: Positive = Field(default=6.0, description="Time constant of persistence. [h]")
    members: int = Field(
        default=0,
        ge=0,
        le=365,
        description="Equally likely courses beside the mean, from the errors of so many past days; fewer "
        "where the history is too short for these and the hours looked ahead. [1]",
    )
    backfill_patience_h: NonNegative = Field(
        default=4.0, description="Wait after which the first job of a queue is not overtaken any more. [h]"
    )


class WindowSection(Section):
    """What counts as absorbable, and as a window of it."""

    theta: Share = Field(default=0.5, description="Least relief per load that makes a load welcome. [MW/MW]")
    p_min_mw: NonNegative = Field(default=1.0, description="Least absorbable power in a window. [MW]")
    max_gap_steps: int = Field(default=0, ge=0, description="Longest gap that is bridged. [steps]")
    min_steps: int = Field(default=1, ge=1, description="Shortest window. [steps]")


class Scenario(Section):
    """Everything a run depends on."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    name: Name = Field(default="scenario", description="Name in results.")
    description: str = Field(default="", description="What it is for, in a sentence or two.")
    seed: int = Field(default=1, ge=0, description="Root of all random streams.")
    time: TimeSection = Field(default=TimeSection(), description="When, and at which resolution.")
    objective: Literal["priority", "market"] = Field(
        default="priority", description="Dispatch objective: least curtailment first, or least cost."
    )
    grids: tuple[GridSection, ...] = Field(
        default=(GridSection(),), min_length=1, description="The grids; the WAN spans all of them."
    )
    fleet_scale: int = Field(
        default=1,
        ge=1,
        description="Factor on the GPUs of every job and site: each job stands for that many that move "
        "together. [1]",
    )
    jobs: JobsSection = Field(default=JobsSection(), description="Which jobs arrive.")
    sites: tuple[SiteSection, ...] = Field(min_length=1, description="The micro-datacenters.")
    wan: WanSection = Field(default=WanSection(), description="Links between sites.")
    migration: MigrationSection = Field(default=MigrationSection(), description="Time a move takes.")
    failures: FailuresSection = Field(default=FailuresSection(), description="What goes wrong at sites.")
    feasibility: FeasibilitySection = Field(
        default=FeasibilitySection(), description="When a move is worth considering."
    )
    outlook: OutlookSection = Field(default=OutlookSection(), description="What policies expect.")
    windows: WindowSection = Field(default=WindowSection(), description="What counts as a window.")
    policies: tuple[str, ...] = Field(
        default=POLICY_NAMES, min_length=1, description="Policies to run, on the same inputs and seeds."
    )
    policy_options: dict[str, dict[str, JsonValue]] = Field(
        default_factory=dict,
        description="Options of policies by their names, such as `{feasibility_aware: {epsilon: 0.1}}`; each "
        "policy's own default where none is given ([docs/policies.md](policies.md)).",
    )

    def grid_of(self, site: SiteSection) -> str:
        """Name of the grid a site is in."""
        return site.grid if site.grid is not None else self.grids[0].name

    def to_mapping(self) -> dict[str, JsonValue]:
        """Return the scenario as plain values, every key present."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Return the scenario as YAML text that :func:`load_scenario` reads back to an equal one."""
        return dump_yaml(self.to_mapping())


def keys_at(location: Location) -> list[str]:
    """Return the valid keys of the section at a location."""
    model: type[BaseModel] | None = Scenario
    for part in location:
        if isinstance(part, str) and model is not None and part in model.model_fields:
            model = _section_in(model.model_fields[part].annotation)
    return list(model.model_fields) if model is not None else []


def describe(location: Location) -> str:
    """Return what the value at a location means, from its field's description."""
    model: type[BaseModel] | None = Scenario
    text = ""
    for part in location:
        if isinstance(part, str) and model is not None and part in model.model_fields:
            field = model.model_fields[part]
            text = field.description or ""
            model = _section_in(field.annotation)
    return text


def _section_in(annotation: object) -> type[BaseModel] | None:
    """Return the section class inside an annotation such as ``tuple[SiteSection, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {tuple, Union, UnionType}:
        for inner in get_args(annotation):
            found = _section_in(inner)
            if found is not None:
                return found
    return None
