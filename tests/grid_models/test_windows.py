from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import window_statistics, windows
from weather import InputError

TIME = pd.date_range("2020-03-01T00:00", periods=8, freq="30min")


def signals(marginal: list[float], power: list[float]) -> xr.Dataset:
    data = {
        "marginal_curtailment": (("time", "site"), np.array([marginal]).T),
        "absorbable_p_mw": (("time", "site"), np.array([power]).T),
    }
    return xr.Dataset(data, coords={"time": TIME[: len(marginal)], "site": ["s"]})


STEADY = signals([0, 1, 1, 0.4, 1, 0, 0, 0.5], [0, 10, 20, 30, 40, 50, 0, 5])


def test_windows_are_runs_above_both_thresholds() -> None:
    table = windows(STEADY)
    stamps = ["2020-03-01T00:30Z", "2020-03-01T02:00Z", "2020-03-01T03:30Z"]
    assert table["start"].tolist() == [pd.Timestamp(s) for s in stamps]
    assert table["end"].iloc[-1] == pd.Timestamp("2020-03-01T04:00Z")
    assert table["energy_mwh"].tolist() == [15.0, 20.0, 2.5]
    assert table["mean_p_mw"].tolist() == [15.0, 40.0, 5.0]
    assert set(table["cause"]) == {"not stated"}
    assert len(windows(STEADY, p_min_mw=6.0)) == 2
    assert len(windows(STEADY, theta=0.4)) == 2


def test_gaps_are_merged_before_short_windows_are_left_out() -> None:
    table = windows(STEADY, max_gap_steps=1, min_steps=2)
    assert len(table) == 1
    assert table["energy_mwh"].item() == 50.0
    assert len(windows(STEADY, max_gap_steps=2)) == 1
    assert windows(STEADY, min_steps=3).empty


def test_the_cause_is_what_most_of_the_curtailment_is_due_to() -> None:
    by_unit = ("time", "unit")
    oversupply, congestion = np.zeros((8, 2)), np.zeros((8, 2))
    oversupply[:3], congestion[4:5] = 5.0, 7.0
    baseline = xr.Dataset(
        {
            "curtailed_oversupply_p_mw": (by_unit, oversupply),
            "curtailed_congestion_p_mw": (by_unit, congestion),
        },
        coords={"time": TIME},
    )
    assert windows(STEADY, baseline=baseline)["cause"].tolist() == ["oversupply", "congestion", "not stated"]
    with pytest.raises(InputError, match="time axis is not that of the signals"):
        windows(STEADY, baseline=baseline.isel(time=slice(0, 4)))


def test_statistics_count_hours() -> None:
    found = window_statistics(windows(STEADY)).loc["s"]
    assert found.to_dict() == {
        "n_windows": 3.0,
        "median_h": 0.5,
        "mean_h": pytest.approx(2 / 3),
        "longest_h": 1.0,
        "energy_mwh": 37.5,
    }


def test_no_window_gives_an_empty_table_with_its_columns() -> None:
    table = windows(STEADY, theta=2.0)
    assert table.empty
    assert str(table["start"].dtype) == "datetime64[ns, UTC]"
    assert window_statistics(table).empty


def test_bad_input_is_named_at_once() -> None:
    wrong = STEADY.drop_vars("absorbable_p_mw")
    wrong["marginal_curtailment"][0] = np.nan
    with pytest.raises(InputError) as error:
        windows(wrong, theta=np.nan, p_min_mw=-1.0, min_steps=0)
    assert len(error.value.findings) == 5
