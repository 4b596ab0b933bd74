from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from twin.workloads import TRACES, load_trace, read_philly, size_statistics, trace_statistics
from weather import InputError

HEADER = "timestamp,duration,num_gpus,gpu_time,cluster\n"
ROWS = (
    "2017-10-09 07:01:55,66.0,1,66.0,11cb48\n"
    "2017-10-08 06:13:03,2951.0,8,23608.0,6214e9\n"
    "2017-10-09 07:01:55,66.0,1,66.0,11cb48\n"
    "2017-10-09 07:01:55,66.0,1,66.0,6214e9\n"
)


def write(folder: Path, text: str, name: str = "philly.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_rows_are_sorted_from_the_first_midnight(tmp_path: Path) -> None:
    trace = read_philly(write(tmp_path, HEADER + ROWS))
    assert trace["submit_s"].tolist() == [22383.0, *[86400 + 25315.0] * 3]
    assert trace["n_gpus"].tolist() == [8, 1, 1, 1]
    assert trace["duration_s"].tolist() == [2951.0, 66.0, 66.0, 66.0]
    assert trace.attrs["first_day"] == "2017-10-08"
    assert trace.attrs["synthetic"] == 0


def test_duplicates_by_the_named_rule(tmp_path: Path) -> None:
    # The last row is another cluster's: no duplicate.
    path = write(tmp_path, HEADER + ROWS)
    keep, drop = read_philly(path), read_philly(path, duplicates="drop")
    assert (len(keep), len(drop)) == (4, 3)
    assert keep.attrs["n_duplicates"] == drop.attrs["n_duplicates"] == 1
    assert (keep.attrs["duplicates"], drop.attrs["duplicates"]) == ("keep", "drop")
    with pytest.raises(InputError, match="'keep' or 'drop'"):
        read_philly(path, duplicates="some")  # type: ignore[arg-type]


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    lines = ROWS.splitlines(keepends=True)
    one = read_philly(write(tmp_path, HEADER + ROWS, "one.csv"))
    two = read_philly(write(tmp_path, HEADER + "".join(reversed(lines)), "two.csv"))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["the file is empty"]),
        (HEADER, ["rows: there is none"]),
        (HEADER.replace("num_gpus,", "").replace("cluster", "queue"), ["'num_gpus'", "'cluster'", "none"]),
        (HEADER + ROWS[:-20], ["nothing in line 5", "num_gpus", "gpu_time", "cluster"]),
        (HEADER + ROWS.replace(",23608.0", ",236"), ["gpu_time: '236' in line 3", "cut off"]),
        (HEADER + ROWS.replace("2951.0", "-2951.0", 1), ["duration: '-2951.0' in line 3", "gpu_time"]),
        (HEADER + ROWS.replace("2951.0,8,23608.0", "0,8,0"), ["duration: '0' in line 3"]),
        (HEADER + ROWS.replace("2951.0", "NaN"), ["duration: nothing in line 3"]),
        (HEADER + ROWS.replace("2951.0", "inf"), ["duration: 'inf' in line 3"]),
        (HEADER + ROWS.replace(",8,", ",eight,"), ["num_gpus: 'eight' in line 3"]),
        (HEADER + ROWS.replace(",8,", ",8.5,"), ["num_gpus: '8.5' in line 3", "whole number"]),
        (HEADER + ROWS.replace("2017-10-08", "08.10.2017"), ["timestamp: '08.10.2017 06:13:03' in line 3"]),
        (HEADER + ROWS.replace("2951.0,8,23608.0", "-1,0,x").replace("2017-10-08", "?"),
         ["timestamp", "duration", "num_gpus", "gpu_time"]),
    ],
)  # fmt: skip
def test_bad_files_give_all_findings(tmp_path: Path, text: str, messages: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read_philly(write(tmp_path, text))
    for message in messages:
        assert message in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_philly(tmp_path / "philly.csv")


def test_a_compressed_file_that_was_cut_off(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + ROWS * 500).encode())
    path = tmp_path / "philly.csv.gz"
    path.write_bytes(whole)
    assert len(read_philly(path)) == 2000
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged or cut off"):
        read_philly(path)


def test_sources_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + ROWS)
    assert sorted(TRACES) == ["acme", "helios", "openb", "pai", "philly", "swf", "synthetic", "table"]
    assert load_trace("philly", path).equals(read_philly(path))
    assert len(load_trace("synthetic", seed=1, duration_s=86400.0)) > 1000
    for source, file, message in (
        ("philly", None, "is missing"),
        ("synthetic", path, "has no file"),
        ("venus", None, "philly, swf, synthetic"),
    ):
        with pytest.raises(InputError, match=message):
            load_trace(source, file)


def test_the_whole_trace_has_its_published_statistics(real_data: Path) -> None:
    path = real_data / "workload_philly" / "philly.csv.gz"
    trace = read_philly(path)
    found = trace_statistics(trace)
    assert found["n_jobs"] == 82_247
    assert trace.attrs["n_duplicates"] == 65
    assert len(read_philly(path, duplicates="drop")) == 82_247 - 65
    assert found["gpu_hours"] == pytest.approx(978_078, abs=1)
    assert found["mean_gpus"] == pytest.approx(374, abs=0.5)
    assert found["max_gpus"] == 128
    assert found["gpu_hours_share_ge_8_gpus"] == pytest.approx(0.62, abs=0.005)
    sizes = size_statistics(trace)
    np.testing.assert_allclose(
        100 * sizes.loc[[1, 2, 4, 8, 16, 32], "job_share"], [93.2, 2.2, 2.3, 2.0, 0.24, 0.08], atol=0.05
    )
    np.testing.assert_allclose(
        100 * sizes.loc[[1, 2, 4, 8, 32], "gpu_hours_share"], [18, 3, 17, 48, 1.8], atol=0.5
    )
    np.testing.assert_allclose(sizes.loc[[1, 4, 8, 16], "duration_mean_h"], [2.3, 22, 36, 35], rtol=0.03)
