"""Members of outlooks: what was foretold with the errors of past days, and nothing that was not published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.twin.simulation_cases import job_table, make_inputs, windy
from twin.inputs import Expected
from twin.members import outlook_members
from twin.views import publish

PER_DAY = 24
RNG = np.random.default_rng(3)
ACTUAL = RNG.uniform(0.0, 10.0, (24 * 10, 2))
TOLD = ACTUAL + RNG.normal(0.0, 1.0, ACTUAL.shape)
NOW = 24 * 8 + 5


def members(
    actual: np.ndarray, told: np.ndarray | None = TOLD, known: int = NOW + 12, n: int = 3
) -> np.ndarray:
    return outlook_members(actual, told, known, NOW, 30, n_members=n, per_day=PER_DAY, tau_steps=6.0)


def test_what_was_foretold_comes_with_the_error_of_the_same_hour_days_ago() -> None:
    # 30 steps ahead are two days: errors are those of 2, 3 and 4 days before.
    made = members(ACTUAL)
    for i, days in enumerate((2, 3, 4)):
        past = NOW + 7 - days * PER_DAY
        np.testing.assert_allclose(made[i, 7], TOLD[NOW + 7] + ACTUAL[past] - TOLD[past])


def test_beyond_what_was_foretold_the_present_fades_into_a_past_day() -> None:
    made, fade = members(ACTUAL), np.exp(-20 / 6.0)
    np.testing.assert_allclose(made[1, 20], fade * ACTUAL[NOW] + (1.0 - fade) * ACTUAL[NOW + 20 - 72])
    np.testing.assert_array_equal(made[:, 0], np.tile(ACTUAL[NOW], (3, 1)))


def test_a_forecast_without_errors_gives_members_that_are_the_forecast() -> None:
    made = members(ACTUAL, told=ACTUAL)
    np.testing.assert_allclose(made[:, 1:12], np.tile(ACTUAL[NOW + 1 : NOW + 12], (3, 1, 1)))


def test_nothing_that_comes_later_is_read() -> None:
    changed = ACTUAL.copy()
    changed[NOW + 1 :] = np.nan
    np.testing.assert_array_equal(members(changed), members(ACTUAL))


def test_there_are_as_many_members_as_the_past_holds() -> None:
    assert len(members(ACTUAL, n=100)) == 7
    assert outlook_members(ACTUAL, None, 0, 20, 30, n_members=4, per_day=24, tau_steps=6.0).shape == (
        0,
        30,
        2,
    )


def test_a_view_holds_members_whose_first_hour_is_now() -> None:
    wind = windy(24 * 12, period=24)
    inputs = make_inputs(job_table([(0.0, 4, 40.0, 10.0, 0)]), wind_mw=wind, n_history=24 * 6)
    told = Expected(inputs.absorbable_p_mw, inputs.marginal_curtailment, np.arange(24 * 12) + 12)
    inputs = replace(inputs, outlook_members=4, expected=told)
    published = publish(inputs, 3, inputs.marginal_curtailment[inputs.n_history + 3])
    assert published.member_absorbable_p_mw.shape == (4, 24, 3)
    for member in published.member_absorbable_p_mw:
        np.testing.assert_allclose(member[:12], published.outlook_absorbable_p_mw[:12])
    alone = publish(replace(inputs, outlook_members=0), 3, inputs.marginal_curtailment[inputs.n_history + 3])
    np.testing.assert_array_equal(alone.member_absorbable_p_mw[0], alone.outlook_absorbable_p_mw)
