from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from grid_models import window_statistics, windows
from grid_models.windows import curtailed_by_cause, due_to_causes
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


def dispatched(**curtailed: list[float]) -> xr.Dataset:
    """Curtailment by cause of two units, half of it each."""
    data = {
        f"curtailed_{cause}_p_mw": (("time", "unit"), np.outer(total, [0.5, 0.5]))
        for cause, total in curtailed.items()
    }
    return xr.Dataset(data, coords={"time": TIME})


def test_the_cause_is_that_of_most_of_the_energy() -> None:
    none = [0.0] * 8
    # Windows: 10 and 20 MW, 40 MW, 5 MW. 24 MW of oversupply explain 10 and 20; of the 40 MW only 14.
    baseline = dispatched(
        oversupply=[0, 24, 24, 0, 14, 0, 0, 0],
        congestion=[0, 90, 90, 0, 7, 0, 0, 0],
        security=[*none[:4], 25, *none[:3]],
    )
    table = windows(STEADY, baseline=baseline)
    assert table["cause"].tolist() == ["oversupply", "security", "not stated"]
    only = dispatched(congestion=[0, 9, 9, 0, 14, 0, 0, 0], oversupply=none)
    assert windows(STEADY, baseline=only)["cause"].tolist() == ["congestion", "congestion", "not stated"]
    with pytest.raises(InputError, match="time axis is not that of the signals"):
        windows(STEADY, baseline=baseline.isel(time=slice(0, 4)))


def test_causes_are_found_by_name_in_the_order_of_limits() -> None:
    found = curtailed_by_cause(
        dispatched(voltage=[1.0] * 8, security=[2.0] * 8, congestion=[3.0] * 8, oversupply=[4.0] * 8)
    )
    assert {cause: total[0] for cause, total in found.items()} == {
        "oversupply": 4.0,
        "congestion": 3.0,
        "security": 2.0,
        "voltage": 1.0,
    }
    assert list(found) == ["oversupply", "congestion", "security", "voltage"]
    assert list(curtailed_by_cause(dispatched(congestion=[1.0] * 8).sum("unit"))) == ["congestion"]


def test_what_is_absorbable_is_split_by_causes_and_never_negative() -> None:
    # 50 MW absorbable: 20 of 20 by oversupply; congestion of -5 (the network helps); security 60.
    curtailed = {
        "oversupply": np.array([20.0, 9.0, 20.0, 20.0]),
        "congestion": np.array([-5.0, 1.0, 25.0, 25.0]),
        "security": np.array([60.0, 0.0, 60.0, 60.0]),
    }
    # In the last step load would not be welcome here if only base-case limits were kept.
    is_congested = np.array([True, True, True, False])
    parts = due_to_causes(np.array([50.0, 4.0, 50.0, 50.0]), curtailed, is_congested)
    assert {k: v.tolist() for k, v in parts.items()} == {
        "oversupply": [20.0, 4.0, 20.0, 20.0],
        "congestion": [0.0, 0.0, 25.0, 0.0],
        "security": [30.0, 0.0, 5.0, 30.0],
    }


def test_congestion_elsewhere_is_not_the_cause_of_a_window() -> None:
    baseline = dispatched(oversupply=[0.0] * 8, congestion=[90.0] * 8, security=[90.0] * 8)
    for without, cause in ((0.2, "security"), (0.9, "congestion")):
        base = STEADY["marginal_curtailment"] * 0.0 + without
        told = STEADY.assign(marginal_curtailment_without_security=base.transpose("site", "time"))
        assert set(windows(told, baseline=baseline)["cause"]) == {cause}


def test_windows_of_several_grids_stand_in_one_table() -> None:
    tables = [windows(STEADY.assign_attrs(grid=name)) for name in ("east", "west")]
    joined = pd.concat(tables, ignore_index=True)
    assert list(tables[0].columns)[-1] == "grid"
    assert window_statistics(tables[0]).index.tolist() == ["s"]
    found = window_statistics(joined)
    assert found.index.tolist() == [("east", "s"), ("west", "s")]
    assert found["n_windows"].tolist() == [3, 3]


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
