"""What flexible load relieves, against dispatch and against one joint programme."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_models import DispatchEngine, Inputs, Limits, ReliefCurve, ReliefModel, Slack, StepResult, always_on
from tests.grid_models.grids import small_grid
from tests.grid_models.reference import Formulation
from tests.strategies import Case, cases

CLOSE_MW = 2e-4
"""Links cost a millionth of relief per MW in the model, so that none carries power idly."""


@st.composite
def sited(draw: st.DrawFn) -> tuple[Case, np.ndarray, np.ndarray]:
    """Cases with up to three sites of 0 to 60 MW."""
    case = draw(cases(max_steps=2, max_buses=6))
    n_site = draw(st.integers(1, 3))
    bus = [draw(st.integers(0, len(case.grid.buses) - 1)) for _ in range(n_site)]
    size = [float(draw(st.integers(0, 60))) for _ in range(n_site)]
    return case, np.array(bus), np.array(size)


def given_to(engine: DispatchEngine, load: np.ndarray, available: np.ndarray) -> Inputs:
    return always_on(engine.problem, load[None], available[None])


def granted(*steps: StepResult) -> Slack:
    """The most that any of some dispatches sheds and dumps, and a little more for rounding."""
    shed = np.max([step.shed_p_mw for step in steps], axis=0) + 1e-6
    dump = np.max([step.dump_p_mw for step in steps], axis=0) + 1e-6
    return Slack(shed[None], dump[None], np.zeros((1, 2)))


def joint_curtailment(form: Formulation, total_mw: float) -> float:
    """Least curtailment with the sites' load adding up to a total at most. [MW]"""
    row = np.zeros(form.n)
    row[form.sites] = 1.0
    x = form.minimise(form.curtailment, row[None, :], np.array([total_mw]))
    return form.curtailable + float(form.curtailment @ x)


def with_allowance(form: Formulation, shed: np.ndarray, dump: np.ndarray) -> Formulation:
    form.high[form.shed], form.high[form.dump] = shed, dump
    return form


@settings(max_examples=30)
@given(sited(), st.integers(0, 2**16))
def test_curve_is_the_joint_optimum_and_no_load_does_better(
    sites: tuple[Case, np.ndarray, np.ndarray], seed: int
) -> None:
    case, bus, size = sites
    engine, rng = DispatchEngine(case.grid), np.random.default_rng(seed)
    model = ReliefModel(engine, bus)
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        before = engine.solve(load, available)
        least = float(before.curtailed_p_mw.sum())
        slack, inputs = granted(before), given_to(engine, load, available)
        curve = model.relief_curve(inputs, size, least, slack)
        slopes = np.diff(curve.relief_mw) / np.diff(curve.load_mw)
        assert (np.diff(curve.load_mw) > 0.0).all()
        assert (np.diff(slopes) < 1e-6).all()
        form = with_allowance(
            Formulation(case.grid, load, available, bus, size), slack.shed_p_mw[0], slack.dump_p_mw[0]
        )
        for total in rng.uniform(0.0, 1.2 * size.sum() + 1.0, 4):
            best = least - joint_curtailment(form, total)
            assert float(curve.relief_at(total)) == pytest.approx(best, abs=CLOSE_MW)
        for _ in range(3):
            draw = size * rng.uniform(0.0, 1.0, len(size))
            flexible = np.bincount(bus, draw, len(load))
            after = engine.solve(load + flexible, available)
            with_own = model.relief_curve(inputs, size, least, granted(before, after))
            relief = least - after.curtailed_p_mw.sum()
            assert relief <= float(with_own.relief_at(draw.sum())) + CLOSE_MW


@settings(max_examples=30)
@given(sited(), st.sampled_from([0.2, 0.5, 0.9]))
def test_absorbable_load_has_the_greatest_gain(
    sites: tuple[Case, np.ndarray, np.ndarray], theta: float
) -> None:
    case, bus, size = sites
    engine = DispatchEngine(case.grid)
    model = ReliefModel(engine, bus)
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        before = engine.solve(load, available)
        slack, inputs = granted(before), given_to(engine, load, available)
        chosen = model.absorbable(inputs, size[None], theta, slack)[0]
        assert (chosen >= -1e-9).all()
        assert (chosen <= size + 1e-9).all()
        form = with_allowance(
            Formulation(case.grid, load, available, bus, size), slack.shed_p_mw[0], slack.dump_p_mw[0]
        )
        cost = form.curtailment.copy()
        cost[form.sites] = theta
        best = float(cost @ form.minimise(cost))
        form.low[form.sites], form.high[form.sites] = np.maximum(chosen - 1e-7, 0.0), chosen + 1e-7
        reached = float(cost @ form.minimise(cost))
        assert reached == pytest.approx(best, abs=CLOSE_MW)


@settings(max_examples=30)
@given(sited(), st.randoms(use_true_random=False))
def test_a_site_s_share_does_not_depend_on_the_order_of_sites(
    sites: tuple[Case, np.ndarray, np.ndarray], shuffler: Random
) -> None:
    case, bus, size = sites
    order = list(range(len(bus)))
    shuffler.shuffle(order)
    engine = DispatchEngine(case.grid)
    plain, shuffled = ReliefModel(engine, bus), ReliefModel(engine, bus[order])
    for load, available in zip(case.load_p_mw, case.available_p_mw, strict=True):
        before = engine.solve(load, available)
        slack, inputs = granted(before), given_to(engine, load, available)
        expected = plain.absorbable(inputs, size[None], 0.5, slack)[0]
        found = shuffled.absorbable(inputs, size[order][None], 0.5, slack)[0]
        assert found == pytest.approx(expected[order], abs=1e-6)


def test_sites_on_a_copper_plate_share_in_proportion_to_their_size() -> None:
    grid = small_grid(3, [(0, 1, 1e3), (1, 2, 1e3)], units=[(0, "wind", 100.0)])
    load, available = np.array([10.0, 20.0, 0.0]), np.array([100.0])
    engine = DispatchEngine(grid)
    chosen = ReliefModel(engine, [0, 2, 2]).absorbable(
        given_to(engine, load, available), np.array([[50.0, 30.0, 60.0]]), 0.5
    )
    np.testing.assert_allclose(chosen, [[25.0, 15.0, 30.0]], atol=1e-6)


def test_only_the_site_behind_the_full_line_is_asked() -> None:
    grid = small_grid(2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=[(1, "wind", 80.0)])
    engine = DispatchEngine(grid)
    inputs = given_to(engine, np.array([60.0, 10.0]), np.array([80.0]))
    model = ReliefModel(engine, [0, 1])
    for size, chosen in (([30.0, 30.0], [0.0, 30.0]), ([30.0, 90.0], [0.0, 45.0])):
        np.testing.assert_allclose(model.absorbable(inputs, np.array([size]), 0.5), [chosen], atol=1e-7)
    curve = model.relief_curve(inputs, np.array([30.0, 90.0]), 45.0)
    np.testing.assert_allclose(curve.load_mw, [0.0, 45.0], atol=1e-6)
    np.testing.assert_allclose(curve.relief_mw, [0.0, 45.0], atol=1e-6)


def test_a_megawatt_can_relieve_two_and_then_one() -> None:
    # Ring b0-b1-b2-b3-b0, b0-b1 limited to 20; wind 30 at b3, plant at b2, load 60 at b1: wind runs at 20.
    # Load at b0 relieves 2 MW per MW (see the derivatives), until all 10 MW of wind are used.
    grid = small_grid(
        4,
        [(0, 1, 20.0), (1, 2, 1e3), (2, 3, 1e3), (3, 0, 1e3)],
        generators=[(2, 200.0, 20.0)],
        units=[(3, "wind", 30.0)],
    )
    engine = DispatchEngine(grid)
    inputs = given_to(engine, np.array([0.0, 60.0, 0.0, 0.0]), np.array([30.0]))
    curve = ReliefModel(engine, [0, 3]).relief_curve(inputs, np.array([3.0, 50.0]), 10.0)
    np.testing.assert_allclose(curve.load_mw, [0.0, 3.0, 7.0], atol=1e-6)
    np.testing.assert_allclose(curve.relief_mw, [0.0, 6.0, 10.0], atol=1e-6)


def test_without_curtailment_or_sites_nothing_is_relieved() -> None:
    grid = small_grid(2, [(0, 1, 25.0)], generators=[(0, 100.0, 20.0)], units=[(1, "wind", 80.0)])
    engine = DispatchEngine(grid)
    model, load = ReliefModel(engine, [0]), np.array([60.0, 10.0])
    for available, size, curtailed in ((10.0, 5.0, 0.0), (80.0, 0.0, 45.0)):
        inputs = given_to(engine, load, np.array([available]))
        curve = model.relief_curve(inputs, np.array([size]), curtailed)
        assert float(curve.relief_at(5.0)) == 0.0


def test_curve_is_flat_beyond_its_last_corner() -> None:
    curve = ReliefCurve(np.array([0.0, 10.0]), np.array([0.0, 5.0]))
    np.testing.assert_allclose(curve.relief_at(np.array([0.0, 4.0, 10.0, 99.0])), [0.0, 2.0, 5.0, 5.0])


def test_a_site_makes_room_for_wind_under_the_limit_on_the_nonsynchronous_share() -> None:
    grid = small_grid(2, [(0, 1, 1e3)], generators=[(0, 200.0, 20.0)], units=[(1, "wind", 100.0)])
    engine = DispatchEngine(grid, limits=Limits(max_nonsynchronous_share=0.5))
    inputs = always_on(engine.problem, np.array([[0.0, 100.0]]), np.array([[80.0]]))
    curve = ReliefModel(engine, [1]).relief_curve(inputs, np.array([80.0]), 30.0)
    # Every MW of load lets half a MW more wind in, until all 80 MW are.
    np.testing.assert_allclose(curve.load_mw, [0.0, 60.0], atol=1e-6)
    np.testing.assert_allclose(curve.relief_mw, [0.0, 30.0], atol=1e-6)
