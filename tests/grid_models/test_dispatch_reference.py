"""The dispatch against other formulations and other solvers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from grid_models import DispatchEngine, Objective, engine
from tests.grid_models.reference import reference_dispatch
from tests.strategies import Case, cases

TOLERANCE = 1e-6


def compare(case: Case, objective: Objective) -> None:
    solver = DispatchEngine(case.grid, objective)
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        step = solver.solve(load, available)
        other = reference_dispatch(case.grid, load, available, objective)
        assert step.shed_p_mw.sum() + step.dump_p_mw.sum() == pytest.approx(other.unbalanced, abs=TOLERANCE)
        if objective == "priority":
            assert step.curtailed_p_mw.sum() == pytest.approx(other.curtailed, abs=TOLERANCE)
        scale = 1.0 + abs(other.cost)
        assert abs(step.cost - other.cost) / scale < TOLERANCE


@settings(max_examples=40)
@given(cases(max_steps=2))
def test_priority_equals_angles_and_successive_solves(case: Case) -> None:
    compare(case, "priority")


@settings(max_examples=30)
@given(cases(max_steps=2))
def test_market_equals_angles_and_successive_solves(case: Case) -> None:
    compare(case, "market")


@settings(max_examples=30)
@given(cases(max_steps=2))
def test_priority_does_not_depend_on_its_first_guess(case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CURTAILMENT_WEIGHT", 1e-3)
        compare(case, "priority")
