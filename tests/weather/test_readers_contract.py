"""What every reader keeps, by the one contract of `Reader`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.weather.weather_files import epw_rows, epw_text, nsrdb_text, wtk_text
from weather import READERS, InputError, check_dataset, read, step_hours

TEXTS: dict[str, Callable[[], str]] = {
    "nsrdb": nsrdb_text,
    "wtk": wtk_text,
    "epw": lambda: epw_text(epw_rows((2013,) * 12)),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    for name, text in TEXTS.items():
        (folder / name).write_text(text(), encoding="utf-8")
    return {name: folder / name for name in TEXTS}


def test_every_reader_has_a_made_file() -> None:
    assert set(TEXTS) == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_content_tells_the_format_and_reading_twice_gives_the_same(files: dict[str, Path], name: str) -> None:
    ds = READERS[name](files[name])
    assert read(files[name]).identical(ds)
    assert read(files[name], name).identical(ds)


@pytest.mark.parametrize("name", READERS)
def test_the_result_is_one_site_of_the_weather_dataset(files: dict[str, Path], name: str) -> None:
    ds = read(files[name], site="here")
    check_dataset(
        ds, "weather", required=("latitude", "longitude", "utc_offset_h", "source", "licence", "synthetic")
    )
    assert ds["site"].values.tolist() == ["here"]
    assert ds.attrs["synthetic"] == 0
    assert step_hours(ds) == 1.0


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=12)
@given(share=st.floats(0.0, 0.999))
def test_a_file_cut_off_anywhere_is_refused_with_findings(
    tmp_path_factory: pytest.TempPathFactory, name: str, share: float
) -> None:
    text = TEXTS[name]()
    path = tmp_path_factory.mktemp("cut") / "cut.csv"
    path.write_text(text[: int(share * len(text))], encoding="utf-8")
    with pytest.raises(InputError) as caught:
        READERS[name](path)
    assert caught.value.findings
    assert all(finding.remedy or "missing" in finding.what for finding in caught.value.findings)


@pytest.mark.parametrize("name", READERS)
def test_letters_where_a_date_should_be_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "damaged.csv"
    lines = TEXTS[name]().splitlines()
    lines[200] = "x" + lines[200]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="date"):
        read(path)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_refuses_a_file_of_another_kind(files: dict[str, Path], name: str) -> None:
    for other in set(READERS) - {name}:
        with pytest.raises(InputError):
            READERS[name](files[other])
