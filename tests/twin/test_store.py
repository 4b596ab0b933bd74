from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twin import Result, Scenario, open_result
from twin.provenance import code_fingerprint, file_sha256, git_hash, provenance
from twin.stages import StageCache, stage_key
from twin.store import finite, storable, tree_of, write_result
from weather import InputError


def small(scenario: Scenario, value: float = 1.5) -> Result:
    """A result with one array, one table and numbers that JSON does not know."""
    time = pd.date_range("2020-02-19T08:00", periods=4, freq="h")
    data = xr.Dataset(
        {"p_mw": (("time", "unit"), np.arange(8.0).reshape(4, 2) / 3, {"units": "MW"})},
        {"time": time, "unit": np.array(["a", "bb"]), "kind": ("unit", np.array(["wind", "pv"]))},
    )
    table = pd.DataFrame({"site": ["a"], "share": [1 / 3], "when": pd.to_datetime(["2020-02-19T08:00Z"])})
    summary = {"value": value, "share": float("nan"), "policies": {"static": {"none": float("inf")}}}
    return Result(scenario, summary, tree_of({"g/h": data}, {"seed": 1}), {"t": table}, {"seed": 1})


def test_a_result_comes_back_as_it_was_written(small_scenario: Scenario, tmp_path: Path) -> None:
    result = small(small_scenario)
    again = open_result(write_result(result, tmp_path / "r"))
    assert again.scenario == small_scenario
    assert again.summary == {"value": 1.5, "share": None, "policies": {"static": {"none": None}}}
    xr.testing.assert_identical(
        again.data["g/h"].to_dataset().load().drop_encoding(), result.data["g/h"].to_dataset()
    )
    pd.testing.assert_frame_equal(again.tables["t"], result.tables["t"])


def test_equal_results_give_equal_bytes(small_scenario: Scenario, tmp_path: Path) -> None:
    one, two = (write_result(small(small_scenario), tmp_path / name) for name in ("one", "two"))
    files = [path.relative_to(one) for path in sorted(one.rglob("*")) if path.is_file()]
    assert files == [path.relative_to(two) for path in sorted(two.rglob("*")) if path.is_file()]
    assert all(file_sha256(one / file) == file_sha256(two / file) for file in files)


def test_an_earlier_result_is_replaced_as_a_whole(small_scenario: Scenario, tmp_path: Path) -> None:
    write_result(small(small_scenario), tmp_path / "r")
    write_result(small(small_scenario, 2.5), tmp_path / "r")
    assert open_result(tmp_path / "r").summary["value"] == 2.5
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_an_empty_directory_may_be_used_and_a_foreign_one_not(
    small_scenario: Scenario, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert write_result(small(small_scenario), tmp_path / "empty").is_dir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not empty and holds no result"):
        write_result(small(small_scenario), tmp_path / "foreign")
    with pytest.raises(InputError, match="is a file"):
        write_result(small(small_scenario), tmp_path / "foreign" / "thesis.tex")


def test_a_write_that_fails_leaves_nothing_and_keeps_what_was(
    small_scenario: Scenario, tmp_path: Path
) -> None:
    def fail(_: Result, directory: Path) -> None:
        assert (directory / "summary.json").is_file()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_result(small(small_scenario), tmp_path / "r", also=(fail,))
    assert list(tmp_path.iterdir()) == []
    write_result(small(small_scenario), tmp_path / "r")
    with pytest.raises(OSError, match="disk full"):
        write_result(small(small_scenario, 9.0), tmp_path / "r", also=(fail,))
    assert open_result(tmp_path / "r").summary["value"] == 1.5
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_directory_without_a_result_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"lacks scenario\.yaml, result\.zarr, tables, provenance\.json"):
        open_result(tmp_path)


def test_numbers_that_json_does_not_know_become_null() -> None:
    assert finite({"a": [float("nan"), 1.0], "b": float("-inf")}) == {"a": [None, 1.0], "b": None}
    assert json.dumps(finite({"x": 0.1 + 0.2})) == '{"x": 0.30000000000000004}'


def test_text_is_stored_as_objects_and_switches_as_numbers() -> None:
    data = xr.Dataset({"x": ("n", np.array(["a", "bb"]))}, {"n": np.array(["u", "vv"])}, {"flag": True})
    clean = storable(data)
    assert (clean["x"].dtype, clean["n"].dtype, clean.attrs["flag"]) == (object, object, 1)
    assert data["x"].dtype.kind == "U"


def test_provenance_says_what_a_result_was_made_with(small_result: Result, repository: Path) -> None:
    made = small_result.provenance
    assert made["seed"] == 1
    assert made["code_sha256"] == code_fingerprint()
    assert made["git_hash"] == git_hash()
    assert (git_hash() is None) == (not (repository / ".git").exists())
    assert made["versions"]["numpy"] == np.__version__  # type: ignore[call-overload,index]


def test_input_files_are_named_with_their_checksums(small_scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("abc", encoding="utf-8")
    inputs = provenance(small_scenario, [tmp_path / "trace.csv"])["inputs"]
    # SHA-256 of "abc", FIPS 180-4.
    assert inputs == {"trace.csv": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}


def test_input_files_of_one_name_are_all_there(small_scenario: Scenario, tmp_path: Path) -> None:
    for folder in ("sun", "wind"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "2013.csv").write_text(folder, encoding="utf-8")
    files = [tmp_path / "wind" / "2013.csv", tmp_path / "sun" / "2013.csv"]
    inputs = provenance(small_scenario, [*files, files[0]])["inputs"]
    assert inputs == {f"{path.parent.name}/2013.csv": file_sha256(path) for path in files}


def test_a_stage_is_computed_once_and_found_again(tmp_path: Path) -> None:
    data = xr.Dataset({"x": (("a", "b"), np.asfortranarray(np.arange(6.0).reshape(2, 3)))})
    key = stage_key("s", {"seed": 1})
    first = StageCache(tmp_path).get("s", key, lambda: {"g": data})
    found = StageCache(tmp_path).get("s", key, lambda: pytest.fail("computed again"))
    xr.testing.assert_identical(first["g"], found["g"])
    kept = StageCache().get("s", key, lambda: {"g": data})
    assert kept["g"]["x"].values.flags.c_contiguous
    assert found["g"]["x"].values.flags.c_contiguous
    assert stage_key("s", {"seed": 2}) != key


def test_threads_that_compute_one_stage_at_once_never_see_half_of_it(tmp_path: Path) -> None:
    together = Barrier(4)
    groups = {f"g{k}": xr.Dataset({"x": ("n", np.arange(100.0) + k)}) for k in range(8)}

    def compute() -> dict[str, xr.Dataset]:
        together.wait()
        return groups

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(StageCache(tmp_path).get, "s", "0" * 64, compute) for _ in range(4)]
    for future in futures:
        xr.testing.assert_identical(future.result()["g7"], groups["g7"])
        assert sorted(future.result()) == sorted(groups)
    assert [path.name for path in tmp_path.iterdir()] == [f"s-{'0' * 32}.zarr"]


def test_a_stage_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, xr.Dataset]:
        raise ValueError("no weather")

    with pytest.raises(ValueError, match="no weather"):
        StageCache(tmp_path).get("s", "0" * 64, fail)
    assert list(tmp_path.iterdir()) == []
