"""What the documentation shows runs, and what it points to exists."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("data/**/*.md")])
NAMES = [page.relative_to(REPOSITORY).as_posix() for page in PAGES]


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a page in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def commands(program: str) -> list[str]:
    """Commands of a program that stand behind a prompt anywhere in the documentation."""
    lines = (line for page in PAGES for block in blocks(page, "console") for line in block.splitlines())
    return sorted({line[2:].partition("#")[0].strip() for line in lines if line.startswith(f"$ {program} ")})


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page, "python"))
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})
    assert bool(capsys.readouterr().out) == ("print(" in code)


def test_the_readme_shows_a_short_example_that_prints_shares_of_the_bound() -> None:
    (example,) = blocks(REPOSITORY / "README.md", "python")
    assert len(example.splitlines()) < 15
    assert "share_of_bound" in example


@pytest.mark.parametrize("command", commands("make"))
def test_make_commands_name_targets_that_exist(command: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    target = shlex.split(command)[1]
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("command", commands("twin"))
def test_twin_commands_and_their_options_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    subcommand, *words = shlex.split(command)[1:]
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("twin.cli").main([subcommand, "--help"])
    assert ended.value.code == 0
    shown = re.findall(r"-[-\w]+", capsys.readouterr().out)
    assert {word for word in words if word.startswith("-")} <= set(shown)


@pytest.mark.parametrize(("page", "name"), list(zip(PAGES, NAMES, strict=True)), ids=NAMES)
def test_links_inside_the_repository_lead_somewhere(page: Path, name: str) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    dead = [t for t in targets if t and "://" not in t and not (page.parent / t).exists()]
    assert not dead, f"{name}: {dead}"


def test_the_index_lists_every_page_of_the_documentation() -> None:
    index = (REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {p.relative_to(REPOSITORY / "docs").as_posix() for p in (REPOSITORY / "docs").rglob("*.md")}
    assert {page for page in pages - {"README.md"} if f"]({page})" not in index} == set()


@pytest.mark.parametrize("package", ["weather", "grid_models", "twin"])
def test_the_map_of_a_package_names_all_its_modules_and_no_others(package: str) -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition(f"## `{package}/`")[2].partition("\n## ")[0]
    modules = {path.name for path in (REPOSITORY / package).rglob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"`(\w+\.py)`", section)) == modules
