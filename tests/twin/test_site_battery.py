"""Batteries at sites: by hand, and that energy is conserved whatever jobs and weather do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.simulation_cases import baseline, job_table, make_inputs, small_runs
from tests.twin.test_properties import N_HISTORY, World, worlds
from tests.twin.test_simulate import assert_same_record, policies
from twin.accounting import account
from twin.inputs import SimulationInputs
from twin.policies import POLICIES
from twin.simulate import Simulation, run_simulation
from twin.site_battery import BatteryTable, battery_flow
from twin.site_outages import SiteOutages, with_site_outages
from twin.sites import make_sites, max_power_mw
from weather import InputError

FIXED_MW = 0.06 * 64 * 50 * 945.0 / 1e6  # what a site of 3200 H100s that are switched off draws


def with_battery(inputs: SimulationInputs, **columns: object) -> SimulationInputs:
    """The inputs with a battery at the first site: 10 MWh, 1 MW, nine tenths each way."""
    given: dict[str, object] = {"capacity_mwh": [10.0, 0.0, 0.0], "p_mw": [1.0, 0.0, 0.0]}
    given |= {"efficiency": [0.81, 1.0, 1.0]}
    return replace(inputs, sites=replace(inputs.sites, battery=BatteryTable.of(**(given | columns))))


def two_hours_of_wind(n_hours: int = 14) -> SimulationInputs:
    """Surplus of 48 MW at the first site for two hours, none afterwards; no jobs."""
    wind = np.where(np.arange(n_hours) < 2, 60.0, 4.0)
    return make_inputs(job_table([]), wind_mw=wind)


def test_two_hours_at_one_megawatt_and_back_by_hand() -> None:
    inputs = with_battery(two_hours_of_wind())
    record = run_simulation(inputs, POLICIES["static"]())
    sites = {name: values[:, 0] for name, values in record.sites.items()}
    assert inputs.sites.it_capacity_mw[0] * 0.06 == pytest.approx(FIXED_MW)
    np.testing.assert_allclose(sites["battery_stored_mwh"][:3], [0.0, 0.9, 1.8])
    np.testing.assert_allclose(sites["load_p_mw"][:2], 1.0 + FIXED_MW)
    np.testing.assert_allclose(sites["battery_loss_p_mw"][:2], 0.1)
    # 1.8 MWh stored are 1.62 MWh at the meter: 8 hours of the site's own 0.181 MW and a bit of the ninth.
    np.testing.assert_allclose(sites["load_p_mw"][2:10], 0.0, atol=1e-12)
    np.testing.assert_allclose(sites["battery_discharge_p_mw"][2:10], FIXED_MW)
    assert sites["battery_discharge_p_mw"].sum() == pytest.approx(1.8 * 0.9)
    np.testing.assert_allclose(sites["load_p_mw"][11:], FIXED_MW)
    assert record.sites["load_p_mw"][:, 1:] == pytest.approx(FIXED_MW)
    score = account(record, [baseline(inputs)])
    assert score.battery_charged_mwh == pytest.approx(2.0)
    assert score.battery_lost_mwh == pytest.approx(2.0 - 1.62)
    assert score.battery_stored_mwh == pytest.approx(0.0, abs=1e-12)
    assert score.battery_cycles == pytest.approx(0.162)
    # The whole charge is absorbed, and what it replaces later is thermal.
    assert score.absorbed_mwh == pytest.approx(2.0 + 2 * FIXED_MW)
    plain = account(run_simulation(two_hours_of_wind(), POLICIES["static"]()), [baseline(inputs)])
    assert score.absorbed_mwh - plain.absorbed_mwh == pytest.approx(2.0)
    assert score.nonrenewable_compute_mwh - plain.nonrenewable_compute_mwh == pytest.approx(-1.62)


def test_energy_that_is_stored_at_the_start_is_itemised() -> None:
    inputs = with_battery(two_hours_of_wind(4), initial_share=[0.5, 0.0, 0.0])
    score = account(run_simulation(inputs, POLICIES["static"]()), [baseline(inputs)])
    assert score.battery_stored_mwh == pytest.approx(1.8 - 2 * FIXED_MW / 0.9)
    balance = score.it_mwh + score.idle_mwh + score.migration_mwh + score.overhead_mwh
    balance += score.battery_lost_mwh + score.battery_stored_mwh
    assert score.compute_mwh == pytest.approx(balance)


def flow(**changes: float) -> tuple[float, float]:
    """Charge and discharge in half an hour of a battery of 10 MWh and 4 MW, nine tenths each way. [MW]"""
    given = {"stored": 5.0, "load": 3.0, "absorbable": 20.0, "marginal": 1.0, "limit": np.inf} | changes
    stored, load, absorbable, marginal, limit = (np.array([value]) for value in given.values())
    table = BatteryTable.of([10.0], [4.0], efficiency=[0.81])
    done = battery_flow(
        table,
        stored,
        load,
        absorbable_p_mw=absorbable,
        marginal_curtailment=marginal,
        import_limit_mw=limit,
        theta=0.5,
        hours=0.5,
    )
    return float(done.charge_p_mw[0]), float(done.discharge_p_mw[0])


def test_what_limits_charging_and_discharging() -> None:
    assert flow() == (4.0, 0.0)
    assert flow(absorbable=5.0) == (2.0, 0.0)
    assert flow(absorbable=2.0) == (0.0, 0.0)
    assert flow(limit=4.5) == (1.5, 0.0)
    assert flow(stored=9.1) == (pytest.approx(0.9 / 0.9 / 0.5), 0.0)
    assert flow(marginal=0.4) == (0.0, 3.0)
    assert flow(marginal=0.4, load=9.0) == (0.0, 4.0)
    assert flow(marginal=-0.2, stored=1.0) == (0.0, pytest.approx(0.9 / 0.5))


def test_what_a_site_can_draw_has_the_charge_in_it_up_to_its_import_limit() -> None:
    plain = two_hours_of_wind().sites
    sites = replace(plain, battery=BatteryTable.of([4.0, 4.0, 0.0], [2.0, 2.0, 0.0]))
    sites = replace(sites, import_limit_mw=np.array([np.inf, 4.0, np.inf]))
    np.testing.assert_allclose(
        max_power_mw(sites, 10.0) - max_power_mw(plain, 10.0), [2.0, 4.0 - 3.024 * 1.1, 0.0]
    )


def test_jobs_go_before_the_battery() -> None:
    # 1 MW is left after the wind's own load and line: a job takes it, and the battery gets the rest.
    jobs = job_table([(0.0, 8, 16.0, 1.0, 0)])
    inputs = with_battery(make_inputs(jobs, wind_mw=np.full(6, 13.0)))
    sites = run_simulation(inputs, POLICIES["static"]()).sites
    own = sites["load_p_mw"] - sites["battery_charge_p_mw"]
    assert own[0, 0] > FIXED_MW + 0.1
    np.testing.assert_allclose(sites["battery_charge_p_mw"][:, 0], np.minimum(1.0, 1.0 - own[:, 0]))


def test_the_battery_of_a_site_that_is_down_rests() -> None:
    inputs = with_site_outages(with_battery(two_hours_of_wind()), SiteOutages.of([(0, 0.0, 3600.0)]))
    sites = run_simulation(inputs, POLICIES["static"]()).sites
    assert sites["battery_charge_p_mw"][:3, 0].tolist() == [0.0, 1.0, 0.0]
    assert sites["load_p_mw"][0, 0] == 0.0


@st.composite
def battery_runs(draw: st.DrawFn) -> SimulationInputs:
    inputs = draw(small_runs())
    capacity = draw(st.sampled_from([(0.4, 0.0, 40.0), (6.0, 6.0, 6.0)]))
    battery = BatteryTable.of(
        capacity,
        draw(st.sampled_from([(1.0, 1.0, 1.0), (20.0, 0.1, 4.0)])),
        efficiency=draw(st.sampled_from([(1.0, 1.0, 1.0), (0.85, 0.5, 0.9)])),
        initial_share=draw(st.sampled_from([(0.0, 0.0, 0.0), (1.0, 0.5, 0.3)])),
    )
    inputs = replace(inputs, sites=replace(inputs.sites, battery=battery))
    if draw(st.booleans()):
        inputs = with_site_outages(inputs, SiteOutages.of([(0, 9000.0, 20000.0)]))
    return inputs


@settings(max_examples=25)
@given(inputs=battery_runs(), name=policies)
def test_energy_is_conserved_and_limits_are_kept(inputs: SimulationInputs, name: str) -> None:
    battery = inputs.sites.battery
    assert battery is not None
    simulation = Simulation(inputs, POLICIES[name]())
    while not simulation.finished:
        simulation.step()
        stored = simulation.state.battery_stored_mwh
        assert np.all((stored >= 0.0) & (stored <= battery.capacity_mwh))
    record = simulation.record
    sites = record.sites
    charge, discharge, loss = (sites[f"battery_{way}_p_mw"] for way in ("charge", "discharge", "loss"))
    assert np.all((charge >= 0.0) & (charge <= battery.p_mw * (1 + 1e-12)))
    assert np.all((discharge >= 0.0) & (discharge <= battery.p_mw * (1 + 1e-12)))
    assert np.all(loss >= -1e-12)
    assert np.all(sites["load_p_mw"] >= -1e-9)
    assert np.all(sites["load_p_mw"] <= inputs.sites.import_limit_mw * (1 + 1e-9))
    later = np.vstack([sites["battery_stored_mwh"][1:], simulation.state.battery_stored_mwh])
    kept = (charge - discharge - loss) * record.step_h
    np.testing.assert_allclose(later - sites["battery_stored_mwh"], kept, atol=1e-6)
    score = account(record, [baseline(inputs)])
    parts = score.it_mwh + score.idle_mwh + score.migration_mwh + score.overhead_mwh
    assert score.battery_lost_mwh is not None
    assert score.battery_stored_mwh is not None
    drawn = parts + score.battery_lost_mwh + score.battery_stored_mwh
    assert score.compute_mwh == pytest.approx(drawn, abs=1e-6)


@settings(max_examples=12)
@given(inputs=battery_runs(), name=policies, share=st.floats(0.0, 1.0))
def test_a_run_with_batteries_goes_on_from_its_state(
    inputs: SimulationInputs, name: str, share: float
) -> None:
    first = Simulation(inputs, POLICIES[name]())
    for _ in range(int(share * inputs.n_ticks)):
        first.step()
    second = Simulation.from_arrays(inputs, POLICIES[name](), first.to_arrays())
    for simulation in (first, second):
        while not simulation.finished:
            simulation.step()
    assert_same_record(first.record, second.record)
    assert_same_record(first.record, run_simulation(inputs, POLICIES[name]()))


@settings(max_examples=12)
@given(inputs=small_runs(), name=st.sampled_from(["static", "temporal"]))
def test_a_battery_absorbs_more_and_changes_no_job(inputs: SimulationInputs, name: str) -> None:
    # One site at the wind's bus has the whole surplus, so that no other site takes what it is told is left.
    inputs = replace(inputs, sites=replace(inputs.sites, import_limit_mw=np.full(3, np.inf)))
    plain, stored = (run_simulation(each, POLICIES[name]()) for each in (inputs, with_battery(inputs)))
    assert plain.jobs.equals(stored.jobs)
    with_it, without = (account(run, [baseline(inputs)]) for run in (stored, plain))
    assert with_it.battery_charged_mwh is not None
    assert with_it.absorbed_mwh == pytest.approx(without.absorbed_mwh + with_it.battery_charged_mwh, abs=1e-6)


@pytest.mark.parametrize("name", ["static", "feasibility_aware"])
@settings(max_examples=12)
@given(world=worlds(), capacity=st.sampled_from([2.0, 300.0]), share=st.sampled_from([0.0, 0.7]))
def test_with_batteries_no_policy_exceeds_its_bound(
    world: World, name: str, capacity: float, share: float
) -> None:
    n = world.sites.n_sites
    battery = BatteryTable.of([capacity] * n, [25.0] * n, initial_share=[share] * n)
    world.sites = replace(world.sites, battery=battery)
    baseline = world.baseline()
    record = run_simulation(world.inputs(baseline), POLICIES[name]())
    run = baseline.isel(time=slice(N_HISTORY, None))
    bound = world.bound_mwh(record, run)
    score = account(record, [run], bound_absorbed_mwh=bound)
    assert score.absorbed_mwh <= bound + 1e-5 * max(1.0, bound)
    assert np.all(record.sites["load_p_mw"] <= world.site_max_mw()[N_HISTORY:] + 1e-6)


def test_batteries_that_cannot_be_are_refused_all_at_once() -> None:
    with pytest.raises(InputError) as error:
        make_sites(
            name=["a", "b"],
            grid=[0, 0],
            bus=["1", "2"],
            n_gpus=[64, 64],
            latitude=[35.0, 35.0],
            longitude=[-115.0, -115.0],
            battery=BatteryTable.of(
                [-1.0, 4.0], [1.0, np.inf], efficiency=[0.0, 1.1], initial_share=[0.0, 2.0]
            ),
        )
    said = str(error.value)
    for part in (
        "site 'a': battery_mwh=-1 MWh",
        "site 'b': battery_p_mw=inf MW",
        "site 'a': battery_efficiency=0",
        "site 'b': battery_efficiency=1.1",
        "site 'b': battery_initial_share=2",
    ):
        assert part in said
    with pytest.raises(InputError, match="numbers of values differ"):
        BatteryTable.of([1.0], [1.0, 1.0])
