"""The bound against one joint programme over all steps, and against what real load absorbs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.optimize import linprog

from grid_models import DispatchEngine, ReliefCurve, ReliefModel, Slack, always_on, dispatch, relief_curves
from tests.grid_models.grids import labelled
from tests.grid_models.reference import Formulation
from tests.strategies import Case, cases
from twin.policies.perfect_foresight import bound_absorbed_mwh

CLOSE_MWH = 1e-3


@st.composite
def sited(draw: st.DrawFn) -> tuple[Case, np.ndarray, np.ndarray]:
    """Three or four steps on a small grid with two sites whose size changes from step to step."""
    case = draw(cases(min_steps=3, max_steps=4, max_buses=5))
    bus = np.array([draw(st.integers(0, len(case.grid.buses) - 1)) for _ in range(2)])
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return case, bus, rng.uniform(0.0, 50.0, (len(case.load_p_mw), 2))


def joint_bound(forms: list[Formulation], least_mw: float, step_h: float, energy_mwh: float) -> float:
    """Greatest relief over all steps at once, total energy limited. [MWh]"""
    energy = np.concatenate([step_h * np.isin(np.arange(f.n), np.r_[f.sites]) for f in forms])
    answer = linprog(
        np.concatenate([f.curtailment for f in forms]),
        A_ub=np.vstack([block_diag(*[f.limit_rows for f in forms]), energy]),
        b_ub=np.concatenate([*[f.limits for f in forms], [energy_mwh]]),
        A_eq=block_diag(*[f.balance for f in forms]),
        b_eq=np.concatenate([f.demand for f in forms]),
        bounds=np.column_stack(
            [np.concatenate([f.low for f in forms]), np.concatenate([f.high for f in forms])]
        ),
        method="highs",
    )
    assert answer.success, answer.message
    return step_h * (least_mw - sum(f.curtailable for f in forms) - float(answer.fun))


@settings(max_examples=20)
@given(sited(), st.floats(0.0, 1.2), st.sampled_from([0.25, 1.0]))
def test_bound_is_the_joint_programme_over_all_steps(
    sites: tuple[Case, np.ndarray, np.ndarray], share: float, step_h: float
) -> None:
    case, bus, size = sites
    engine = DispatchEngine(case.grid)
    model = ReliefModel(engine, bus)
    curves, forms, least = [], [], 0.0
    for load, available, most in zip(case.load_p_mw, case.available_p_mw, size, strict=True):
        before = engine.solve(load, available)
        curtailed = float(before.curtailed_p_mw.sum())
        shed, dump = before.shed_p_mw + 1e-6, before.dump_p_mw + 1e-6
        slack = Slack(shed[None], dump[None], np.zeros((1, 2)))
        inputs = always_on(engine.problem, load[None], available[None])
        curves.append(model.relief_curve(inputs, most, curtailed, slack))
        form = Formulation(case.grid, load, available, bus, most)
        form.high[form.shed], form.high[form.dump] = shed, dump
        forms.append(form)
        least += curtailed
    energy = share * step_h * size.sum()
    expected = joint_bound(forms, least, step_h, energy)
    assert bound_absorbed_mwh(curves, step_h, energy) == pytest.approx(expected, abs=CLOSE_MWH)


@settings(max_examples=20)
@given(sited(), st.integers(0, 2**16))
def test_no_schedule_of_load_absorbs_more_than_the_bound(
    sites: tuple[Case, np.ndarray, np.ndarray], seed: int
) -> None:
    case, bus, size = sites
    rng = np.random.default_rng(seed)
    generation, load = labelled(case.grid, case.time, case.load_p_mw, case.available_p_mw)
    baseline = dispatch(case.grid, generation, load=load)
    engine = DispatchEngine(case.grid)
    names = pd.DataFrame({"bus": case.grid.buses.index[bus]}, index=["s0", "s1"])
    for _ in range(2):
        draw = size * rng.choice([0.0, 0.5, 1.0], size.shape)
        flexible = np.zeros_like(case.load_p_mw)
        for site, at in enumerate(bus):
            flexible[:, at] += draw[:, site]
        coupled = dispatch(case.grid, generation, load=load, flexible_load=load.copy(data=flexible))
        curves = relief_curves(
            engine,
            baseline,
            names,
            case.available_p_mw,
            size,
            shed_p_mw=coupled["shed_p_mw"].to_numpy(),
            dump_p_mw=coupled["dump_p_mw"].to_numpy(),
        )
        absorbed = float(baseline["curtailed_p_mw"].sum() - coupled["curtailed_p_mw"].sum())
        assert absorbed <= bound_absorbed_mwh(curves, 1.0, float(draw.sum())) + CLOSE_MWH


def test_energy_goes_to_the_steepest_pieces_of_all_steps() -> None:
    double = ReliefCurve(np.array([0.0, 5.0, 15.0]), np.array([0.0, 10.0, 12.0]))
    plain = ReliefCurve(np.array([0.0, 10.0]), np.array([1.0, 11.0]))
    for energy, expected in ((0.0, 0.5), (1.0, 2.5), (2.5, 5.5), (7.5, 10.5), (12.5, 11.5), (99.0, 11.5)):
        assert bound_absorbed_mwh([double, plain], 0.5, energy) == pytest.approx(expected)


@pytest.mark.parametrize(("step_h", "energy"), [(1.0, -1.0), (-1.0, 1.0), (1.0, float("nan"))])
def test_impossible_energy_is_refused(step_h: float, energy: float) -> None:
    with pytest.raises(ValueError, match="expected a finite value >= 0"):
        bound_absorbed_mwh([], step_h, energy)
