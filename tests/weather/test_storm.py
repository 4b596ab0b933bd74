from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weather.storm import is_running

CUT_OUT, RESTART = np.array([25.0, 22.0]), np.array([20.0, 22.0])
winds = arrays(np.float64, (12, 2), elements=st.floats(10.0, 30.0))


def one_step_after_another(wind: np.ndarray) -> np.ndarray:
    running = np.ones(wind.shape, dtype=bool)
    state = np.ones(wind.shape[1], dtype=bool)
    for t, row in enumerate(wind):
        state = np.where(row > CUT_OUT, False, np.where(row < RESTART, True, state))
        running[t] = state
    return running


@given(wind=winds)
def test_equals_the_state_machine(wind: np.ndarray) -> None:
    np.testing.assert_array_equal(is_running(wind, CUT_OUT, RESTART), one_step_after_another(wind))


@given(wind=winds, step=st.integers(1, 11))
def test_the_future_changes_nothing(wind: np.ndarray, step: int) -> None:
    other = wind.copy()
    other[step:] = 30.0
    ours = is_running(wind, CUT_OUT, RESTART)
    np.testing.assert_array_equal(ours[:step], is_running(other, CUT_OUT, RESTART)[:step])


@given(wind=winds)
def test_farms_do_not_touch_each_other(wind: np.ndarray) -> None:
    both = is_running(wind, CUT_OUT, RESTART)
    np.testing.assert_array_equal(both[:, 0], is_running(wind[:, 0], CUT_OUT[0], RESTART[0]))
