"""What policies are told of the steps ahead, and that it could have been known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import JsonValue

from tests.twin.simulation_cases import job_table, make_inputs, windy
from twin.foretelling import day_ahead_known_until
from twin.inputs import Expected, SimulationInputs
from twin.scenario_checks import validate
from twin.views import publish
from weather import InputError


def foretold(known_until: int | None) -> tuple[SimulationInputs, np.ndarray]:
    inputs = make_inputs(job_table([(0.0, 1, 1.0, 1.0, 0)]), wind_mw=windy(30), fleet_scale=1)
    shape = inputs.absorbable_p_mw.shape
    values = np.arange(shape[0] * shape[1], dtype=np.float64).reshape(shape)
    end = shape[0] if known_until is None else known_until
    until = np.maximum(np.full(shape[0], end), np.arange(shape[0]) + 1)
    told = Expected(values, values / values.max(), until)
    return replace(inputs, expected=told), values


def test_steps_ahead_are_those_foretold_and_the_present_one_is_published() -> None:
    inputs, values = foretold(None)
    now = inputs.n_history + 2
    at_work = inputs.marginal_curtailment[now]
    told = publish(inputs, 2, at_work)
    np.testing.assert_array_equal(told.outlook_absorbable_p_mw[0], inputs.absorbable_p_mw[now])
    np.testing.assert_array_equal(told.outlook_absorbable_p_mw[1:6], values[now + 1 : now + 6])
    np.testing.assert_allclose(told.outlook_marginal[1:6], values[now + 1 : now + 6] / values.max())


def test_beyond_what_is_foretold_persistence_stands_in() -> None:
    inputs, values = foretold(None)
    now = inputs.n_history + 2
    inputs, _ = foretold(now + 3)
    at_work = inputs.marginal_curtailment[now]
    told = publish(inputs, 2, at_work)
    usual = publish(replace(inputs, expected=None), 2, at_work)
    np.testing.assert_array_equal(told.outlook_absorbable_p_mw[1:3], values[now + 1 : now + 3])
    np.testing.assert_array_equal(told.outlook_absorbable_p_mw[3:], usual.outlook_absorbable_p_mw[3:])
    np.testing.assert_array_equal(told.outlook_marginal[3:], usual.outlook_marginal[3:])


def test_what_comes_and_what_is_not_foretold_yet_change_no_outlook() -> None:
    start, _ = foretold(None)
    now = start.n_history + 2
    inputs, values = foretold(now + 3)
    later = np.arange(len(values)) > now
    signals = np.where(later[:, None], 1e3, inputs.absorbable_p_mw)
    unknown = np.where((np.arange(len(values)) >= now + 3)[:, None], 1e6, values)
    assert inputs.expected is not None
    changed = replace(
        inputs, absorbable_p_mw=signals, expected=replace(inputs.expected, absorbable_p_mw=unknown)
    )
    at_work = inputs.marginal_curtailment[now]
    before, after = publish(inputs, 2, at_work), publish(changed, 2, at_work)
    np.testing.assert_array_equal(before.outlook_absorbable_p_mw, after.outlook_absorbable_p_mw)
    np.testing.assert_array_equal(before.outlook_marginal, after.outlook_marginal)


def test_the_next_local_day_is_known_from_its_issue_on() -> None:
    time = pd.date_range("2020-01-01T08:00Z", periods=72, freq="h")
    until = day_ahead_known_until(time, utc_offset_h=-8.0, issued_h=12.0)
    assert list(until[[0, 11, 12, 23, 24]]) == [24, 24, 48, 48, 48]
    assert (until > np.arange(72)).all()


def test_day_ahead_needs_a_run_on_real_time_series() -> None:
    raw: dict[str, JsonValue] = {
        "sites": [{"name": "a", "bus": "122", "n_gpus": 8}],
        "outlook": {"source": "day_ahead"},
    }
    with pytest.raises(InputError, match=r"outlook\.source"):
        validate(raw)
