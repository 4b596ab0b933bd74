from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import JsonValue

from twin import Result, write_report
from twin.report import summary_lines
from twin.report.page import render
from twin.report.readout import Readout
from twin.report.style import energy, number, percent
from twin.report.tables import METRICS, flat, policy_table


class Page(HTMLParser):
    """Collects what a page refers to, its pictures and its headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {values["id"]} if values.get("id") else set()  # type: ignore[arg-type]
        self.links += [v for k, v in attrs if k in {"href", "src"} and v is not None]
        if tag == "img":
            self.pictures.append(values)
        if tag not in {"img", "meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(small_directory: Path) -> str:
    return (small_directory / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert page.open == []
    assert all(link.startswith(("data:image/svg+xml;base64,", "#")) for link in page.links)
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert not re.search(r"url\(|@import", text)


def test_every_picture_says_in_words_what_it_shows(text: str) -> None:
    pictures = Page(text).pictures
    assert len(pictures) >= 12
    for picture in pictures:
        assert len(picture["alt"] or "") > 60
        svg = base64.b64decode((picture["src"] or "").partition(",")[2])
        assert svg.startswith(b"<?xml")
        assert b"http://www.w3.org/2000/svg" in svg


def test_the_page_answers_what_a_reader_asks(text: str, small_result: Result) -> None:
    for heading in (
        "What rts_gmlc curtails: how much, when, where and why",
        "Why place matters: useful and useless buses",
        "What each policy absorbed",
        "What it cost the jobs",
        "Which migrations were made, and which were refused and why",
        "What was assumed",
    ):
        assert heading in text
    for label, _ in METRICS.values():
        assert label.partition(" [1,000")[0] in text
    for site in small_result.scenario.sites:
        assert site.name in text
    assert "fleet_scale = 300" in text
    assert "wan.access_gbit_per_s" in text
    assert "Wind and PV are the grid&#39;s recorded series" in text


def told_otherwise(result: Result, raw: Mapping[str, JsonValue]) -> Result:
    """The same numbers as of another scenario."""
    return replace(result, scenario=type(result.scenario).model_validate_json(json.dumps(raw)))


def test_synthetic_weather_is_marked(small_result: Result) -> None:
    raw = small_result.scenario.to_mapping()
    raw["grids"][0]["weather"]["source"] = "synthetic"  # type: ignore[call-overload,index]
    marked = told_otherwise(small_result, raw)
    assert "They are not observations." in render(marked)


def test_the_limits_of_the_dispatch_are_told(small_result: Result) -> None:
    assert "line ratings<" in render(small_result)
    raw = small_result.scenario.to_mapping()
    limits: dict[str, JsonValue] = {"max_nonsynchronous_share": 0.75, "reserve_up_mw": 300.0}
    raw["grids"][0].update(security="n-1", limits=limits)  # type: ignore[call-overload,index,union-attr]
    secure = told_otherwise(small_result, raw)
    page = render(secure)
    assert "(N-1), wind and PV serve at most 75" in page
    assert "300 MW of reserve up" in page


def test_a_perfect_outlook_is_marked(small_result: Result) -> None:
    raw = small_result.scenario.to_mapping()
    raw["outlook"]["source"] = "perfect"  # type: ignore[call-overload,index]
    marked = told_otherwise(small_result, raw)
    assert "policies were told what comes" in render(marked)
    assert "policies were told what comes" in summary_lines(marked)[-1]
    assert "told what comes" not in render(small_result)


def test_the_numbers_are_those_of_the_summary(small_result: Result) -> None:
    readout = Readout(small_result)
    table = {row[0]: row[1:] for row in policy_table(readout).rows}
    assert table["absorbed"] == tuple(energy(readout.value(p, "absorbed_mwh")) for p in readout.policies)
    assert len(summary_lines(small_result)) == 1 + len(readout.policies)


def test_equal_results_give_equal_pages(small_result: Result, small_directory: Path, tmp_path: Path) -> None:
    page = write_report(small_result, tmp_path).read_bytes()
    assert page == (small_directory / "report.html").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_numbers_are_written_for_readers() -> None:
    assert [energy(v) for v in (0.04, 999.94, 1000.0, -2.5e6)] == [
        "0.0 MWh",
        "999.9 MWh",
        "1.00 GWh",
        "−2.50 TWh",
    ]
    assert (number(-0.0001, 1), number(1234567.0, 0), percent(float("inf"))) == ("0.0", "1,234,567", "–")
    assert list(flat({"a": [{"b": None}], "c": {}})) == [("a.0.b", "–"), ("c", "–")]


def test_load_that_is_shed_and_jobs_that_do_not_end_are_told(small_result: Result) -> None:
    assert not any("warning" in line for line in summary_lines(small_result))
    summary = json.loads(json.dumps(small_result.summary))
    summary["policies"]["static"] |= {"shed_mwh": 12.0, "jobs_unfinished": 3}
    told = replace(small_result, summary=summary)
    warnings = [line for line in summary_lines(told) if "warning" in line]
    assert len(warnings) == 2
    assert "static: the sites overload the grid, 12.0 MWh more load is shed" in warnings[0]
    assert "static: 3 jobs did not end" in warnings[1]
    assert "12.0 MWh more load is shed" in render(told)
