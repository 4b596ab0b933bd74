"""State: written, read back, and not to be written from outside."""

from __future__ import annotations

import numpy as np
import pytest

from twin.state import State, initial_state


def test_a_state_survives_being_written_and_read() -> None:
    state = initial_state(np.array([0, 2, 1]), 3).at(7)
    back = State.from_arrays(state.to_arrays())
    assert back.tick == 7
    for name, values in state.to_arrays().items():
        np.testing.assert_array_equal(back.to_arrays()[name], values)


def test_arrays_are_copied_both_ways() -> None:
    state = initial_state(np.array([0, 1]), 2)
    arrays = state.to_arrays()
    back = State.from_arrays(arrays)
    arrays["site"][:] = 9
    assert list(back.site) == [0, 1]
    assert list(state.site) == [0, 1]


def test_a_copy_cannot_be_written() -> None:
    copy = initial_state(np.array([0]), 1).copy()
    with pytest.raises(ValueError, match="read-only"):
        copy.phase[0] = 2


def test_missing_and_unknown_arrays_are_named() -> None:
    arrays = initial_state(np.array([0]), 1).to_arrays()
    arrays["phases"] = arrays.pop("phase")
    with pytest.raises(KeyError, match=r"missing \['phase'\], unknown \['phases'\]"):
        State.from_arrays(arrays)
