"""Recorded traces of all formats: what their traps are, and what becomes of rows that are no jobs."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.workloads import TRACE_FORMATS, TraceOptions, find_format, option_findings, read_trace
from weather import InputError

OPENB = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,"
    "creation_time,deletion_time,scheduled_time\n"
)
OPENB_ROWS = (
    "p0,12000,16384,1,1000,,LS,Running,86460,12902960,86470\n"
    "p1,6000,12288,1,460,,LS,Succeeded,90000,93600,90000\n"
    "p2,88000,327680,8,1000,,Burstable,Failed,100000,103600,100010\n"
    "p3,8000,30517,0,0,,BE,Running,100100,113817,100100\n"
    "p4,11908,47104,1,1000,,BE,Pending,100200,100300,\n"
    "p5,11908,47104,1,1000,,BE,Failed,100200,100300,100300\n"
)
ACME = (
    "job_id,user,node_num,gpu_num,cpu_num,type,state,"
    "submit_time,start_time,end_time,duration,queue,gpu_time\n"
)
SEREN_ROWS = (
    "5778432,u5907,1,8,128,Other,FAILED,2023-03-01 00:18:22+08:00,2023-03-01 00:18:54+08:00,"
    "2023-03-01 00:20:51+08:00,117,32,936.0\n"
    "5778469,u5907,1,8,128,Other,COMPLETED,2023-03-01 00:23:58+08:00,2023-03-01 00:24:11+08:00,"
    "2023-03-01 01:09:04+08:00,2693,13,21544.0\n"
)
KALOS_ROW = (
    "dlctk,uf794,8,64,960,Other,FAILED,2023-05-17 11:00:58+00:00,2023-05-17 11:01:08+00:00,"
    "2023-05-17 11:01:16+00:00,18,10.0,1152.0\n"
)
HELIOS = "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
HELIOS_ROWS = (
    "1,uX,vcJ,1,1,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-10 04:55:09,36848,0\n"
    "2,uY,vch,4,16,1,FAILED,2020-06-09 18:41:27,2020-06-09 18:42:27,2020-06-09 18:45:36,189,60\n"
    "3,uZ,vcp,0,1,1,COMPLETED,2020-06-09 18:41:28,2020-06-09 18:41:28,2020-06-17 14:15:21,675233,0\n"
    "4,uZ,vcp,2,1,1,CANCELLED,2020-06-09 18:50:00,,2020-06-09 18:51:00,0,60\n"
    "5,uZ,vcp,2,1,1,RUNNING,2020-06-09 19:00:00,2020-06-09 19:00:00,2020-06-09 20:00:00,3600,0\n"
)
PAI_JOBS = (
    "j0,i0,u,Terminated,4550879.0,4551416.0\n"
    "j1,i1,u,Failed,4550900.0,4551000.0\n"
    "j2,i2,u,Running,4550900.0,\n"
    "j3,i3,u,Terminated,0.0,4551000.0\n"
    "j4,i4,u,Terminated,4550900.0,4551000.0\n"
    "j5,i5,u,Terminated,4550900.0,4551000.0\n"
    "j6,i6,u,Waiting,4550900.0,4551000.0\n"
)
PAI_TASKS = (
    "j0,ps,1.0,Terminated,4550900.0,4551400.0,600.0,29.3,,\n"
    "j0,worker,3.0,Terminated,4550889.0,4551416.0,600.0,29.3,50.0,T4\n"
    "j1,tensorflow,2.0,Failed,4550910.0,4551000.0,600.0,29.3,100.0,MISC\n"
    "j2,tensorflow,1.0,Running,4550910.0,,600.0,29.3,100.0,MISC\n"
    "j3,tensorflow,1.0,Terminated,4550910.0,4551000.0,600.0,29.3,100.0,MISC\n"
    "j4,ps,1.0,Terminated,4550910.0,4551000.0,600.0,29.3,,\n"
    "j6,tensorflow,1.0,Waiting,0.0,0.0,600.0,29.3,100.0,P100\n"
    "gone,tensorflow,1.0,Terminated,4550910.0,4551000.0,600.0,29.3,100.0,MISC\n"
)
SWF_HEADER = (
    "; Version: 2.2\n; Computer: Test\n; UnixStartTime: 1591700400\n; TimeZone: 3600\n"
    "; TimeZoneString: Asia/Shanghai\n"
)


def swf_row(submit: float, wait: float, run: float, allocated: int, requested: int, status: int) -> str:
    return f"1 {submit} {wait} {run} {allocated} -1 -1 {requested} -1 -1 {status} 3 1 -1 1 -1 -1 -1\n"


SWF_ROWS = (
    swf_row(0, 10, 3600, 16, 16, 1)
    + swf_row(60, -1, 1800.5, -1, 20, 0)
    + swf_row(70, 5, 0, 8, 8, 1)
    + swf_row(80, -1, -1, 8, 8, 5)
    + swf_row(90, 5, 100, -1, -1, 1)
    + swf_row(100, 5, 300, 8, 8, 1)
    + swf_row(-1, 5, 100, 8, 8, 2)
    + swf_row(-1, 5, 200, 8, 8, 3)
)


def write(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, format: str | None = None, **options: object) -> str:
    with pytest.raises(InputError) as error:
        read_trace(path, format, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_openb_runs_from_scheduling_to_deletion(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, OPENB + OPENB_ROWS))
    # Submissions count from the start of the second day of the file's own clock.
    assert trace["submit_s"].tolist() == [60.0, 3600.0, 13600.0]
    assert trace["duration_s"].tolist() == [12902960.0 - 86470, 3600.0, 3590.0]
    assert trace["n_gpus"].tolist() == [1, 1, 8]
    assert trace["queue_s"].tolist() == [10.0, 0.0, 10.0]
    assert trace["status"].tolist() == ["running", "completed", "failed"]
    assert trace.attrs["set_aside"] == {"no GPU": 1, "never started": 1, "no run time": 1}
    assert (trace.attrs["first_day"], trace.attrs["clock"]) == ("", "")


def test_openb_shares_of_a_gpu_are_rounded_up_and_counted(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, OPENB + OPENB_ROWS), "openb")
    # One hour on 0.46 GPU becomes one on a whole one.
    assert (trace.attrs["n_rounded_up"], trace.attrs["rounding_gpu_h"]) == (1, pytest.approx(0.54))


def test_openb_pods_at_the_end_of_the_trace_are_censored(tmp_path: Path) -> None:
    path = write(tmp_path, OPENB + OPENB_ROWS)
    kept, dropped = read_trace(path), read_trace(path, censored="drop")
    assert (len(kept), len(dropped)) == (3, 2)
    assert kept.attrs["n_censored"] == 1
    assert kept.attrs["censored_gpu_h"] == pytest.approx((12902960 - 86470) / 3600)
    assert dropped.attrs["n_censored"] == 0
    assert dropped.attrs["set_aside"]["still running at the end of the trace"] == 1


def test_acme_counts_days_by_the_offset_of_its_stamps(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, ACME + SEREN_ROWS))
    assert trace["submit_s"].tolist() == [18 * 60 + 22.0, 23 * 60 + 58.0]
    assert trace["duration_s"].tolist() == [117.0, 2693.0]
    assert trace["queue_s"].tolist() == [32.0, 13.0]
    assert trace["n_gpus"].tolist() == [8, 8]
    assert trace["status"].tolist() == ["failed", "completed"]
    assert (trace.attrs["first_day"], trace.attrs["clock"]) == ("2023-03-01", "UTC+08:00")
    assert (trace.attrs["trace"], trace.attrs["gpu_type"]) == ("acme", "a100_sxm_80")


def test_acme_durations_of_kalos_contain_the_queue_and_are_not_used(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, ACME + KALOS_ROW))
    assert trace["duration_s"].tolist() == [8.0]
    assert trace["queue_s"].tolist() == [10.0]
    assert trace.attrs["n_duration_differs"] == 1
    assert trace["submit_s"].tolist() == [11 * 3600 + 58.0]


def test_acme_in_another_clock(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, ACME + KALOS_ROW), clock="Asia/Shanghai")
    assert trace["submit_s"].tolist() == [19 * 3600 + 58.0]
    assert trace.attrs["clock"] == "Asia/Shanghai"


def test_acme_files_of_both_clusters_in_one_need_a_clock(tmp_path: Path) -> None:
    path = write(tmp_path, ACME + SEREN_ROWS + KALOS_ROW)
    assert "offsets +00:00, +08:00; name the clock" in refusal(path)
    assert len(read_trace(path, clock="+08:00")) == 3


def test_helios_needs_its_clock(tmp_path: Path) -> None:
    path = write(tmp_path, HELIOS + HELIOS_ROWS)
    assert "clock: is missing: helios needs it" in refusal(path)
    assert "clock: no clock 'Shanghai'" in refusal(path, clock="Shanghai")
    trace = read_trace(path, clock="Asia/Shanghai")
    assert trace["submit_s"].tolist() == [67261.0, 67287.0, 19 * 3600.0]
    assert trace["duration_s"].tolist() == [36848.0, 189.0, 3600.0]
    assert trace["queue_s"].tolist() == [0.0, 60.0, 0.0]
    assert trace["n_gpus"].tolist() == [1, 4, 2]
    assert trace.attrs["set_aside"] == {"no GPU": 1, "never started": 1}
    assert trace.attrs["n_censored"] == 1
    assert len(read_trace(path, clock="Asia/Shanghai", censored="drop")) == 2


def test_helios_hours_that_a_clock_has_twice_are_set_aside(tmp_path: Path) -> None:
    # In Berlin 02:30 of 25 October 2020 came twice, and the job that runs over it ran an hour longer.
    rows = (
        "1,u,v,1,1,1,COMPLETED,2020-10-25 02:30:00,2020-10-25 02:30:00,2020-10-25 04:00:00,5400,0\n"
        "2,u,v,1,1,1,COMPLETED,2020-10-25 01:30:00,2020-10-25 01:30:00,2020-10-25 03:30:00,7200,0\n"
    )
    path = write(tmp_path, HELIOS + rows)
    trace = read_trace(path, clock="Europe/Berlin")
    assert trace["duration_s"].tolist() == [3 * 3600.0]
    assert trace.attrs["set_aside"] == {"a time in an hour that the clock skips or has twice": 1}
    assert read_trace(path, clock="UTC")["duration_s"].tolist() == [7200.0, 5400.0]


def test_pai_joins_jobs_and_tasks(tmp_path: Path) -> None:
    jobs, tasks = write(tmp_path, PAI_JOBS, "jobs.csv"), write(tmp_path, PAI_TASKS, "tasks.csv")
    trace = read_trace(jobs, tasks=tasks)
    # 4550879 s is 16:07:59 on a Sunday in UTC, 00:07:59 on Monday in Shanghai.
    assert trace["submit_s"].tolist() == [479.0, 500.0]
    # From the earliest task to the end of the job, three halves of a GPU rounded up to two.
    assert trace["duration_s"].tolist() == [4551416.0 - 4550889, 90.0]
    assert trace["queue_s"].tolist() == [10.0, 10.0]
    assert trace["n_gpus"].tolist() == [2, 2]
    assert trace["status"].tolist() == ["completed", "failed"]
    assert trace.attrs["rounding_gpu_h"] == pytest.approx(0.5 * 527 / 3600)
    assert trace.attrs["set_aside"] == {
        "no end": 1,
        "no time of submission": 1,
        "no GPU": 1,
        "no task in the task table": 1,
        "never started": 1,
    }
    assert trace.attrs["n_tasks_without_job"] == 1
    assert pd.Timestamp(trace.attrs["first_day"]).day_name() == "Monday"


def test_pai_sums_of_percentages_are_not_rounded_up_for_their_last_bit(tmp_path: Path) -> None:
    jobs = write(tmp_path, "j0,i0,u,Terminated,100.0,200.0\n", "jobs.csv")
    tasks = "".join(f"j0,t{k},1.0,Terminated,110.0,200.0,1,1,{p},T4\n" for k, p in enumerate([70, 20, 10]))
    assert 0.7 + 0.2 + 0.1 != 1.0
    trace = read_trace(jobs, tasks=write(tmp_path, tasks, "tasks.csv"))
    assert (trace["n_gpus"].tolist(), trace.attrs["n_rounded_up"]) == ([1], 0)


def test_pai_needs_both_tables_and_the_right_ones(tmp_path: Path) -> None:
    jobs, tasks = write(tmp_path, PAI_JOBS, "jobs.csv"), write(tmp_path, PAI_TASKS, "tasks.csv")
    assert "tasks: is missing: pai needs it" in refusal(jobs)
    assert "line 1 has 6 columns; expected 10" in refusal(jobs, tasks=jobs)
    assert "no such file" in refusal(jobs, tasks=tmp_path / "none.csv")
    broken = write(tmp_path, "a\n", "broken.csv")
    message = refusal(broken, "pai", tasks=jobs)
    assert f"{broken}: line 1 has 1 columns" in message
    assert f"{jobs}: line 1 has 6 columns" in message
    assert "clock: is given, but pai has no use for it" in refusal(jobs, tasks=tasks, clock="UTC")


def test_pai_tables_with_a_header_and_repeated_or_unknown_rows(tmp_path: Path) -> None:
    header = "job_name,inst_id,user,status,start_time,end_time\n"
    jobs = write(tmp_path, header + PAI_JOBS + "j0,i9,u,Terminated,1.0,2.0\n", "jobs.csv")
    tasks = write(tmp_path, PAI_TASKS + "j1,more,,Failed,4550910.0,,600.0,29.3,25.0,T4\n", "tasks.csv")
    trace = read_trace(jobs, tasks=tasks)
    assert len(trace) == 1
    assert trace.attrs["set_aside"]["a name that an earlier job has"] == 1
    assert trace.attrs["set_aside"]["a task of an unknown number of instances"] == 1


def test_swf_counts_processors_as_the_caller_says(tmp_path: Path) -> None:
    path = write(tmp_path, SWF_HEADER + SWF_ROWS, "log.swf")
    assert "processors_per_gpu: is missing: swf needs it" in refusal(path)
    trace = read_trace(path, processors_per_gpu=8)
    # Where nothing is known of what was allocated, the request counts: 20 / 8 is rounded up to 3.
    assert trace["n_gpus"].tolist() == [2, 3, 1]
    assert trace["duration_s"].tolist() == [3600.0, 1800.5, 300.0]
    assert trace.attrs["rounding_gpu_h"] == pytest.approx(0.5 * 1800.5 / 3600)
    np.testing.assert_array_equal(trace["queue_s"], [10.0, np.nan, 5.0])
    assert trace["status"].tolist() == ["completed", "failed", "completed"]
    assert trace.attrs["set_aside"] == {
        "a part of a job that has a line of its own": 2,
        "run time 0": 1,
        "run time not known (-1)": 1,
        "number of processors not known (-1)": 1,
    }


def test_swf_days_are_by_the_name_of_the_zone_and_not_by_the_deprecated_number(tmp_path: Path) -> None:
    # 1591700400 is 2020-06-09 11:00 UTC, 19:00 in Shanghai; TimeZone says one hour east.
    trace = read_trace(write(tmp_path, SWF_HEADER + SWF_ROWS, "log.swf"), processors_per_gpu=8)
    assert trace["submit_s"].tolist() == [19 * 3600.0, 19 * 3600 + 60.0, 19 * 3600 + 100.0]
    assert trace.attrs["first_day"] == "2020-06-09"


@pytest.mark.parametrize(
    "said", ["; UnixStartTime: UNKNOWN\n; TimeZoneString: UNKNOWN\n", "; Version: 2.2\n"]
)
def test_swf_that_does_not_know_when_it_starts(tmp_path: Path, said: str) -> None:
    path = write(tmp_path, said + SWF_ROWS, "log.swf")
    trace = read_trace(path, processors_per_gpu=8)
    assert trace["submit_s"].tolist() == [0.0, 60.0, 100.0]
    assert (trace.attrs["first_day"], trace.attrs["clock"]) == ("", "")
    assert "does not know when it starts" in refusal(path, processors_per_gpu=8, clock="UTC")


def test_swf_that_knows_when_but_not_where(tmp_path: Path) -> None:
    path = write(tmp_path, "; UnixStartTime: 1591700400\n; TimeZone: 3600\n" + SWF_ROWS, "log.swf")
    assert "clock: is missing: the file has UnixStartTime, but no TimeZoneString" in refusal(
        path, processors_per_gpu=8
    )
    assert read_trace(path, processors_per_gpu=8, clock="UTC")["submit_s"].iloc[0] == 11 * 3600.0


def test_swf_lines_that_are_no_jobs_are_named(tmp_path: Path) -> None:
    text = (
        SWF_HEADER + swf_row(0, 1, 10, 8, 8, 1) + "1 2 3\n" + swf_row(0, 1, 10, 8, 8, 1).replace("10", "ten")
    )
    message = refusal(write(tmp_path, text, "log.swf"), processors_per_gpu=0)
    assert "processors_per_gpu: is 0; give a number above 0" in message
    message = refusal(write(tmp_path, text, "log.swf"), processors_per_gpu=1)
    assert "line 7 ('1 2 3'), line 8 ('1 0 1 ten" in message
    assert "expected 18 numbers a line" in message


def test_a_table_by_its_columns(tmp_path: Path) -> None:
    text = (
        "asked,began,ended,cards,how\n"
        "2024-01-05T10:00:00Z,2024-01-05T10:00:30Z,2024-01-05T11:00:30Z,2,done\n"
        "2024-01-05T09:00:00Z,2024-01-05T09:00:00Z,,1,done\n"
        "2024-01-05T09:30:00Z,2024-01-05T09:30:00Z,2024-01-05T09:45:00Z,0.5,\n"
    )
    columns = {"submit": "asked", "start": "began", "end": "ended", "gpus": "cards", "status": "how"}
    trace = read_trace(write(tmp_path, text), columns=columns)
    assert trace["submit_s"].tolist() == [9.5 * 3600, 10 * 3600]
    assert trace["duration_s"].tolist() == [900.0, 3600.0]
    assert trace["n_gpus"].tolist() == [1, 2]
    assert trace["queue_s"].tolist() == [0.0, 30.0]
    assert trace["status"].tolist() == ["", "done"]
    assert trace.attrs["set_aside"] == {"no end": 1}
    assert trace.attrs["clock"] == "UTC"


def test_a_table_in_seconds_has_hours_of_the_day_if_a_clock_is_given(tmp_path: Path) -> None:
    text = "t,s,g\n1591700400,60,1\n1591700460,120,2\n"
    columns = {"submit": "t", "duration": "s", "gpus": "g"}
    path = write(tmp_path, text)
    assert read_trace(path, "table", columns=columns, clock="+08:00")["submit_s"].iloc[0] == 19 * 3600.0
    unknown = read_trace(path, "table", columns=columns)
    assert (unknown["submit_s"].iloc[0], unknown.attrs["first_day"]) == (1591700400 % 86400, "")


def test_a_table_in_parquet(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "t": pd.to_datetime(["2024-01-05 10:00", "2024-01-05 11:00"]),
            "d": pd.to_timedelta([60, 90], unit="s"),
            "g": [1, 2],
        }
    )
    path = tmp_path / "jobs.parquet"
    table.to_parquet(path)
    columns = {"submit": "t", "duration": "d", "gpus": "g"}
    trace = read_trace(path, columns=columns, clock="UTC")
    assert trace["submit_s"].tolist() == [36000.0, 39600.0]
    assert trace["duration_s"].tolist() == [60.0, 90.0]
    assert "times without an offset from UTC, first in row 1" in refusal(path, columns=columns)
    table.assign(g=["1", "two"]).to_parquet(path)
    assert "'two' in row 2" in refusal(path, columns=columns, clock="UTC")


def test_a_trace_that_was_saved_is_read_again(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, OPENB + OPENB_ROWS))
    path = tmp_path / "saved.csv"
    trace.to_csv(path, index=False)
    again = read_trace(path)
    assert again[["submit_s", "duration_s", "n_gpus"]].equals(trace[["submit_s", "duration_s", "n_gpus"]])


def test_all_that_is_wrong_with_a_column_map_comes_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    message = refusal(path, "table", columns={"when": "a", "gpus": "b"}, clock="Mars", tasks="x")
    for part in ("columns.when: no column", "columns.submit: is missing", "columns.duration: is missing",
                 "clock: no clock 'Mars'", "tasks: is given"):  # fmt: skip
        assert part in message
    columns = {"submit": "a", "gpus": "b", "duration": "c"}
    assert "column 'c': is missing; the file has a, b" in refusal(path, "table", columns=columns)


def test_cells_that_hold_no_value_come_with_their_lines(tmp_path: Path) -> None:
    rows = (
        HELIOS_ROWS.replace("36848", "long").replace(",4,16,", ",-4,16,").replace("2020-06-17", "17.06.2020")
    )
    message = refusal(write(tmp_path, HELIOS + rows), clock="UTC")
    for part in (
        "duration: 'long' in line 2",
        "gpu_num: '-4' in line 3",
        "end_time: '17.06.2020 14:15:21' in line 4",
    ):
        assert part in message


def test_words_in_both_tables_of_pai_come_with_file_and_line(tmp_path: Path) -> None:
    jobs = write(tmp_path, PAI_JOBS.replace("4550879.0", "soon"), "jobs.csv")
    tasks = write(tmp_path, PAI_TASKS.replace("50.0,T4", "half,T4"), "tasks.csv")
    message = refusal(jobs, tasks=tasks, format="pai")
    assert f"{jobs}: start_time: 'soon' in line 1" in message
    assert f"{tasks}: plan_gpu: 'half' in line 2" in message


def test_blank_lines_do_not_shift_the_lines_that_are_named(tmp_path: Path) -> None:
    rows = HELIOS_ROWS.replace("36848", "long")
    assert "'long' in line 4" in refusal(write(tmp_path, HELIOS + "\n\n" + rows), clock="UTC")


def test_a_file_without_a_job_that_can_run_is_refused_with_the_reasons(tmp_path: Path) -> None:
    rows = "".join(OPENB_ROWS.splitlines(keepends=True)[3:5])
    message = refusal(write(tmp_path, OPENB + rows))
    assert "1 row: no GPU" in message
    assert "1 row: never started" in message


@pytest.mark.parametrize(
    ("text", "options", "format"),
    [
        (OPENB + OPENB_ROWS, {}, "openb"),
        (ACME + SEREN_ROWS, {}, "acme"),
        (HELIOS + HELIOS_ROWS, {}, "helios"),
        (PAI_JOBS, {}, "pai"),
        (SWF_HEADER + SWF_ROWS, {}, "swf"),
        (SWF_ROWS, {}, "swf"),
        ("timestamp,duration,num_gpus,gpu_time,cluster\n", {}, "philly"),
        ("submit_s,duration_s,n_gpus\n0,1,1\n", {}, "table"),
        ("a,b,c\n", {"columns": {"submit": "a"}}, "table"),
    ],
)
def test_formats_are_found_from_content(
    tmp_path: Path, text: str, options: dict[str, dict[str, str]], format: str
) -> None:
    told = TraceOptions(columns=options.get("columns"))
    assert find_format(write(tmp_path, text, "no_hint.txt"), told) == format
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert find_format(packed, told) == format


def test_a_compressed_file_reads_as_the_plain_one(tmp_path: Path) -> None:
    plain = write(tmp_path, SWF_HEADER + SWF_ROWS, "log.swf")
    packed = tmp_path / "log.swf.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    pd.testing.assert_frame_equal(
        read_trace(packed, processors_per_gpu=8), read_trace(plain, processors_per_gpu=8)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b,c\n1,2,3\n", "give format, one of acme, helios, openb, pai, philly, swf, table"),
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        # Without the time of day in its head: the name of this test is made from these bytes.
        (gzip.compress(b"a" * 5000, mtime=0)[:20], "damaged or cut off"),
    ],
)
def test_files_of_which_the_format_can_not_be_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "trace"
    path.write_bytes(content)
    assert message in refusal(path)


def test_files_that_are_absent_or_archives(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "none.csv")
    path = tmp_path / "pai_job_table.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(write(tmp_path, PAI_JOBS, "pai_job_table.csv"))
    assert "unpack it" in refusal(path)


def test_an_unknown_format_and_options_without_use() -> None:
    assert [f.where for f in option_findings("papyrus", TraceOptions())] == ["format"]
    everything = TraceOptions("UTC", "tasks.csv", 4.0, {"submit": "t"}, "drop")
    assert {f.where for f in option_findings("philly", everything)} == {
        "clock", "tasks", "processors_per_gpu", "columns", "censored",
    }  # fmt: skip
    assert not option_findings("philly", TraceOptions())
    assert all(set(f.needs).isdisjoint(f.takes) for f in TRACE_FORMATS.values())


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(-1, 10**5), st.integers(-1, 10**5), st.integers(-1, 600),
            st.integers(-1, 600), st.integers(-1, 5),
        ),
        min_size=1,
        max_size=30,
    ),
    per_gpu=st.sampled_from([1, 3, 8, 0.5]),
)  # fmt: skip
def test_rows_are_jobs_or_counted_and_gpu_hours_are_those_of_the_file_and_of_rounding(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]], per_gpu: float
) -> None:
    path = tmp_path_factory.mktemp("swf") / "log.swf"
    path.write_text("".join(swf_row(*row) for row in rows))
    good = [r for r in rows if r[5] not in (2, 3, 4) and r[2] > 0 and max(r[3], 0) + max(r[4], 0) > 0]
    if not good:
        assert "row" in refusal(path, "swf", processors_per_gpu=per_gpu)
        return
    trace = read_trace(path, "swf", processors_per_gpu=per_gpu)
    assert len(trace) == len(good)
    assert len(trace) + sum(trace.attrs["set_aside"].values()) == trace.attrs["n_rows"] == len(rows)
    asked = sum((r[3] if r[3] > 0 else r[4]) / per_gpu * r[2] / 3600 for r in good)
    held = float((trace["n_gpus"] * trace["duration_s"]).sum()) / 3600
    assert held - trace.attrs["rounding_gpu_h"] == pytest.approx(asked)
    assert trace["submit_s"].is_monotonic_increasing
    assert 0 <= trace["submit_s"].iloc[0] < 86400
