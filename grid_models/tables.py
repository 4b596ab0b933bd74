"""What the tables of a grid hold: columns with unit, meaning, default and range, and their checks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from weather import Finding

Default = float | str | bool | None

REQUIRED: None = None

#: Technologies of weather-driven units; 'mixed' is the feed-in of a whole grid below, mostly wind and PV.
#: Some of them count as curtailment where they are held back.
TECHNOLOGIES = ("wind", "pv", "rtpv", "hydro", "csp", "biomass", "mixed")
CURTAILMENT_TECHNOLOGIES = ("wind", "pv", "mixed")
#: Roof-top PV sits behind customers' meters and takes no orders.
NON_DISPATCHABLE_TECHNOLOGIES = ("rtpv",)


@dataclass(frozen=True)
class Column:
    """One column of a grid table.

    Attributes
    ----------
    name, unit, text : str
        Name, unit ("" for none) and meaning.
    kind : {'number', 'text', 'flag'}
        What a cell holds.
    default : float, str, bool or None
        Value where the column is absent; None: the column is required. A default written ``"=name"`` copies
        the column of that name.
    lower, upper : float
        Permitted range of numbers, bounds included.
    above : float
        Numbers must lie strictly above this. [same unit]
    may_be_nan, may_be_infinite : bool
        Whether NaN means "not known" and infinity "no limit" here; both are errors elsewhere.
    """

    name: str
    unit: str
    text: str
    kind: Literal["number", "text", "flag"] = "number"
    default: Default = REQUIRED
    lower: float = -np.inf
    upper: float = np.inf
    above: float = -np.inf
    may_be_nan: bool = False
    may_be_infinite: bool = False


BUS_COLUMNS = (
    Column("vn_kv", "kV", "nominal voltage", above=0.0),
    Column("latitude", "degree", "latitude, north positive", lower=-90.0, upper=90.0),
    Column("longitude", "degree", "longitude, east positive", lower=-180.0, upper=180.0),
    Column("area", "", "control area", kind="text", default="1"),
    Column("load_p_mw", "MW", "nominal load", default=0.0, lower=0.0),
    Column("load_q_mvar", "Mvar", "nominal reactive load", default=0.0),
    Column("shunt_q_mvar", "Mvar", "shunt at 1 pu, reactor positive", default=0.0),
    Column("vm_pu", "pu", "voltage set-point of a source at this bus", default=1.0, above=0.0),
)
LINE_COLUMNS = (
    Column("kind", "", "'line' or 'trafo'", kind="text", default="line"),
    Column("from_bus", "", "bus where flow counts as positive when it enters", kind="text"),
    Column("to_bus", "", "bus at the other end", kind="text"),
    Column("rate_mw", "MW", "continuous rating, infinite for none", above=0.0, may_be_infinite=True),
    Column(
        "rate_lte_mw",
        "MW",
        "long-term emergency rating",
        default="=rate_mw",
        above=0.0,
        may_be_infinite=True,
    ),
    Column(
        "rate_ste_mw",
        "MW",
        "short-term emergency rating",
        default="=rate_lte_mw",
        above=0.0,
        may_be_infinite=True,
    ),
    Column("x_pu", "pu on base_mva", "series reactance"),
    Column("r_pu", "pu on base_mva", "series resistance", default=0.0),
    Column("b_charging_pu", "pu on base_mva", "total charging susceptance", default=0.0, lower=0.0),
    Column("tap_ratio", "", "off-nominal turns ratio at from_bus", default=1.0, above=0.0),
    Column("shift_degree", "degree", "phase shift at from_bus, positive delays", default=0.0),
    Column("length_km", "km", "length", default=1.0, lower=0.0),
)
LINK_COLUMNS = (
    Column("from_bus", "", "bus where flow counts as positive when it enters", kind="text"),
    Column("to_bus", "", "bus at the other end", kind="text"),
    Column("p_max_mw", "MW", "largest flow in either direction", lower=0.0),
)
GENERATOR_COLUMNS = (
    Column("bus", "", "bus", kind="text"),
    Column("fuel", "", "fuel", kind="text", default="other"),
    Column("technology", "", "technology", kind="text", default="=fuel"),
    Column("p_min_mw", "MW", "least output while running; negative where it may take power", default=0.0),
    Column("p_max_mw", "MW", "largest output", lower=0.0),
    Column("must_run", "", "runs in every step, at least at p_min_mw", kind="flag", default=False),
    Column("committable", "", "may be switched off; runs at p_min_mw or above", kind="flag", default=False),
    Column("no_load_cost_per_h", "currency/h", "cost at p_min_mw of a unit that runs", default=0.0),
    Column("no_load_co2_kg_per_h", "kg/h", "CO2 at p_min_mw of a unit that runs", default=0.0, lower=0.0),
    Column("start_cost", "currency", "cost of a start", default=0.0, lower=0.0),
    Column("min_up_h", "h", "least time it runs once started", default=0.0, lower=0.0),
    Column("min_down_h", "h", "least time it stands once stopped", default=0.0, lower=0.0),
    Column(
        "ramp_mw_per_h", "MW/h", "largest change of output", default=np.inf, above=0.0, may_be_infinite=True
    ),
    Column("mttf_h", "h", "mean time to failure", default=np.inf, above=0.0, may_be_infinite=True),
    Column("mttr_h", "h", "mean time to repair", default=0.0, lower=0.0),
    Column("holds_voltage", "", "holds the voltage of its bus", kind="flag", default=True),
    Column("q_min_mvar", "Mvar", "least reactive output", default=np.nan, may_be_nan=True),
    Column("q_max_mvar", "Mvar", "largest reactive output", default=np.nan, may_be_nan=True),
    Column("p_set_mw", "MW", "output in the net's own base case", default=0.0),
)
SEGMENT_COLUMNS = (
    Column("gen", "", "generator", kind="text"),
    Column("p_mw", "MW", "width of the segment", above=0.0),
    Column("cost_per_mwh", "currency/MWh", "marginal cost"),
    Column("co2_kg_per_mwh", "kg/MWh", "marginal CO2", default=0.0, lower=0.0),
)
UNIT_COLUMNS = (
    Column("bus", "", "bus", kind="text"),
    Column("technology", "", "one of " + ", ".join(TECHNOLOGIES), kind="text"),
    Column("p_nom_mw", "MW", "largest output", above=0.0),
    Column("latitude", "degree", "latitude, north positive", lower=-90.0, upper=90.0),
    Column("longitude", "degree", "longitude, east positive", lower=-180.0, upper=180.0),
    Column("altitude", "m", "ground above sea level", default=0.0, lower=-430.0, upper=9000.0),
    Column("weather_site", "", "site of the weather it sees", kind="text", default="=bus"),
    Column("counts_as_curtailment", "", "holding it back is curtailment", kind="flag"),
    Column("dispatchable", "", "may be held back", kind="flag"),
    Column("offer_per_mwh", "currency/MWh", "price it offers at in 'market'", default=0.0),
)
STORAGE_COLUMNS = (
    Column("bus", "", "bus", kind="text"),
    Column("technology", "", "what stores", kind="text", default="storage"),
    Column("p_max_mw", "MW", "largest charging and discharging power", lower=0.0),
    Column("e_max_mwh", "MWh", "capacity", lower=0.0),
    Column("e_initial_mwh", "MWh", "content at the start", default=0.0, lower=0.0),
    Column("efficiency", "", "round trip", default=1.0, above=0.0, upper=1.0),
)

#: Every table of a grid: its columns, and the name of its index.
TABLES: dict[str, tuple[str, tuple[Column, ...]]] = {
    "buses": ("bus", BUS_COLUMNS),
    "lines": ("line", LINE_COLUMNS),
    "links": ("link", LINK_COLUMNS),
    "generators": ("gen", GENERATOR_COLUMNS),
    "segments": ("segment", SEGMENT_COLUMNS),
    "units": ("unit", UNIT_COLUMNS),
    "storage": ("storage", STORAGE_COLUMNS),
}

_DTYPES: dict[str, type] = {"number": float, "text": str, "flag": bool}


def empty_table(name: str) -> pd.DataFrame:
    """Return a table with the columns of `name` ('links', 'units', ...) and no rows."""
    index_name, columns = TABLES[name]
    data = {c.name: pd.Series([], dtype=object if c.kind == "text" else _DTYPES[c.kind]) for c in columns}
    return pd.DataFrame(data, index=pd.Index([], name=index_name, dtype=object))


def complete(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table with its defaults filled in, known columns first and names as text.

    Columns that are missing and have no default stay missing: `check_table` reports them.
    """
    index_name, columns = TABLES[name]
    result = table.copy()
    result.index = pd.Index([str(label) for label in table.index], name=index_name, dtype=object)
    for column in columns:
        if column.name not in result and column.default is not REQUIRED:
            default = column.default
            if isinstance(default, str) and default.startswith("="):
                source = default[1:]
                if source in result:
                    result[column.name] = result[source]
            else:
                result[column.name] = default
        if column.name in result and column.kind == "text":
            result[column.name] = [_text(value) for value in result[column.name]]
            result[column.name] = result[column.name].astype(object)
    known = [c.name for c in columns if c.name in result]
    return result[known + [c for c in result.columns if c not in known]]


def check_table(name: str, table: pd.DataFrame) -> list[Finding]:
    """Return what is wrong with a completed table seen alone: columns, duplicates, NaN, types, ranges."""
    index_name, columns = TABLES[name]
    findings = [
        Finding(
            f"{name}: {index_name} {label!r}", "appears more than once", f"give every {index_name} one row"
        )
        for label in table.index[table.index.duplicated()].unique()
    ]
    for column in columns:
        if column.name not in table:
            unit = f" [{column.unit}]" if column.unit else ""
            findings.append(
                Finding(name, f"column {column.name!r}{unit} is missing", f"it holds the {column.text}")
            )
        else:
            findings.extend(_check_column(name, index_name, column, table[column.name]))
    return findings


def as_declared(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a checked table with number and flag columns in their declared types."""
    return table.astype({c.name: _DTYPES[c.kind] for c in TABLES[name][1] if c.kind != "text"})


def check_references(
    name: str, table: pd.DataFrame, columns: Sequence[str], valid: Iterable[Hashable], what: str
) -> list[Finding]:
    """Return a finding per cell of `columns` that names nothing in `valid`."""
    known = set(valid)
    return [
        Finding(
            f"{name}: {table.index.name} {label!r}",
            f"{column} {value!r} does not exist",
            f"name one of the {len(known)} {what}",
        )
        for column in columns
        if column in table
        for label, value in zip(table.index, table[column], strict=True)
        if value not in known
    ]


def _text(value: object) -> object:
    """Text of a cell; missing stays missing so that it is reported."""
    is_missing = value is None or (isinstance(value, float) and np.isnan(value))
    return np.nan if is_missing else str(value)


def _check_column(table_name: str, index_name: str, column: Column, values: pd.Series) -> list[Finding]:
    """Return the findings of one column, at most one per row."""
    if _is_sound(column, values):
        return []
    findings = []
    for label, value in zip(values.index, values, strict=True):
        problem = _problem(column, value)
        if problem:
            unit = f" {column.unit}" if column.unit else ""
            findings.append(
                Finding(
                    f"{table_name}: {index_name} {label!r}",
                    f"{column.name}={value!s}{unit}: {problem}",
                    f"it is the {column.text}",
                )
            )
    return findings


def _is_sound(column: Column, values: pd.Series) -> bool:
    """Whether a whole column can be seen to be right without looking at its cells one by one."""
    if column.kind == "flag":
        return bool(values.dtype == np.bool_)
    if column.kind == "text":
        return pd.api.types.infer_dtype(values, skipna=False) in ("string", "empty")
    if values.dtype.kind not in "fiu":
        return False
    number = values.to_numpy(dtype=float)
    wrong = (number <= column.above) | (number < column.lower) | (number > column.upper)
    if not column.may_be_nan:
        wrong |= np.isnan(number)
    if not column.may_be_infinite:
        wrong |= np.isinf(number)
    return not bool(wrong.any())


def _problem(column: Column, value: object) -> str:
    """Return what is wrong with a value, "" if nothing is."""
    if column.kind == "text":
        return "" if isinstance(value, str) else "must be text"
    if column.kind == "flag":
        return "" if isinstance(value, bool | np.bool_) else "must be true or false"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return "must be a number"
    return _range_problem(column, float(value))


def _range_problem(column: Column, number: float) -> str:
    """Return how a number leaves the range of its column, "" if it does not."""
    if np.isnan(number):
        return "" if column.may_be_nan else "must not be NaN"
    if np.isinf(number) and not column.may_be_infinite:
        return "must be finite"
    if number <= column.above:
        return f"must be above {column.above:g}"
    if number < column.lower:
        return f"must be at least {column.lower:g}"
    if number > column.upper:
        return f"must be at most {column.upper:g}"
    return ""


def describe(name: str) -> list[Mapping[str, str]]:
    """Return the columns of a table as rows of name, unit and text, for documentation."""
    return [{"name": c.name, "unit": c.unit, "text": c.text} for c in TABLES[name][1]]
