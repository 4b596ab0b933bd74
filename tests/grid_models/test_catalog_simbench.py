from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from grid_models import Grid, load_grid
from grid_models.catalog.simbench import read_simbench
from grid_models.catalog.simbench_series import N_STEPS, START, STEP
from weather import InputError

HV, MV = "1-HV-mixed--0-no_sw", "1-MV-rural--0-sw"


@cache
def loaded(code: str) -> Grid:
    return load_grid("simbench", code=code)


def solved(code: str) -> pp.pandapowerNet:
    """The net of a code at half its loads and sizes, with its DC power flow."""
    net = read_simbench(code)
    before = net.load["p_mw"].copy(), net.sgen["p_mw"].copy()
    net.load["p_mw"], net.sgen["p_mw"] = before[0] * 0.5, before[1] * 0.7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.rundcpp(net)
    net.load["p_mw"], net.sgen["p_mw"] = before
    return net


@pytest.mark.parametrize("code", [HV, MV])
def test_flows_are_those_of_the_net_itself(code: str) -> None:
    grid, net = loaded(code), solved(code)
    # Buses joined by switches: each of the net's buses belongs to the one that shares its pypower bus.
    lookup = net._pd2ppc_lookups["bus"]
    named = {int(lookup[int(bus)]): k for k, bus in enumerate(grid.buses.index)}
    injection = np.zeros(len(grid.buses))
    for element, sign in (("load", -1.0), ("sgen", 1.0), ("ext_grid", 1.0)):
        power = sign * net[f"res_{element}"]["p_mw"]
        np.add.at(injection, [named[int(lookup[bus])] for bus in net[element]["bus"]], power)
    assert abs(injection.sum()) < 1e-6
    flow = pd.Series(grid.ptdf @ injection + grid.flow_offset_mw, index=grid.lines.index)
    for element, column in (("line", "p_from_mw"), ("trafo", "p_hv_mw")):
        theirs = net[f"res_{element}"][column]
        theirs.index = [f"{element}_{index}" for index in theirs.index]
        here = theirs.index.intersection(flow.index)
        np.testing.assert_allclose(flow[here], theirs[here], atol=1e-6)
        # What is not in the grid stands open and carries nothing.
        assert theirs.drop(here).abs().max() < 1e-6 or len(theirs) == len(here)


def test_hv_has_wind_and_grids_below_as_units_and_three_interchanges() -> None:
    grid = loaded(HV)
    assert grid.units["technology"].value_counts().to_dict() == {"wind": 42, "mixed": 15}
    assert grid.units["p_nom_mw"].sum() == pytest.approx(1411, abs=1)
    assert grid.buses["load_p_mw"].sum() == pytest.approx(522, abs=1)
    assert grid.generators["fuel"].tolist() == ["interchange"] * 3
    assert grid.units["counts_as_curtailment"].all()
    np.testing.assert_allclose(grid.buses["latitude"].mean(), 53.4, atol=0.5)
    assert "46 static generators of size zero are left out" in grid.notes


def test_an_interchange_takes_and_gives_what_its_transformers_carry() -> None:
    grid = loaded(HV)
    row = grid.generators.loc["ext_grid_0"]
    at_bus = (grid.lines["from_bus"] == row["bus"]) | (grid.lines["to_bus"] == row["bus"])
    capacity = grid.lines.loc[at_bus, "rate_mw"].sum()
    assert (row["p_min_mw"], row["p_max_mw"]) == (-capacity, capacity)
    assert row["must_run"]
    assert row["no_load_cost_per_h"] == pytest.approx(-40.0 * capacity)
    segments = grid.segments[grid.segments["gen"] == "ext_grid_0"]
    assert segments["p_mw"].tolist() == [capacity, capacity]
    np.testing.assert_allclose(segments["cost_per_mwh"], [40.0, 50.0])


def test_prices_and_emissions_of_an_interchange_are_options() -> None:
    grid = load_grid(
        "simbench",
        code=HV,
        import_price_per_mwh=80.0,
        export_price_per_mwh=-5.0,
        import_co2_kg_per_mwh=300.0,
        wind_scale=2.0,
    )
    segments = grid.segments[grid.segments["gen"] == "ext_grid_0"]
    np.testing.assert_allclose(segments["cost_per_mwh"], [-5.0, 80.0])
    # What is exported saves nothing here.
    assert segments["co2_kg_per_mwh"].tolist() == [0.0, 300.0]
    time = pd.date_range("2016-03-01T00:00Z", periods=3, freq="h")
    np.testing.assert_allclose(grid.recorded(time, ("wind",)), 2 * loaded(HV).recorded(time, ("wind",)))


def test_profiles_are_those_of_the_net() -> None:
    import simbench

    grid, net = loaded(MV), read_simbench(MV)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        absolute = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    time = pd.date_range(START, periods=96, freq=STEP)
    units = grid.recorded(time, grid.units["technology"].unique())
    theirs = absolute["sgen", "p_mw"].iloc[:96]
    theirs.columns = [f"sgen_{index}" for index in theirs.columns]
    np.testing.assert_allclose(units.sel(unit=list(theirs.columns)), theirs.to_numpy(), atol=1e-12)
    load = grid.load(time).sum("bus").to_numpy()
    np.testing.assert_allclose(load, absolute["load", "p_mw"].iloc[:96].sum(axis=1), atol=1e-9)


def test_hourly_values_are_means_of_quarter_hours() -> None:
    grid = loaded(HV)
    quarters = pd.date_range("2016-06-30T22:00Z", periods=8, freq="15min")
    hours = pd.date_range("2016-06-30T22:00Z", periods=2, freq="h")
    mean = grid.load(quarters).to_numpy().reshape(2, 4, -1).mean(axis=1)
    np.testing.assert_allclose(grid.load(hours), mean, rtol=1e-12)


def test_the_year_is_2016_in_central_european_standard_time() -> None:
    grid = loaded(HV)
    assert grid.recorded_span == (pd.Timestamp("2015-12-31T23:00Z"), pd.Timestamp("2016-12-31T23:00Z"))
    assert N_STEPS == 366 * 24 * 4
    with pytest.raises(InputError, match="leaves the recorded span"):
        grid.load(pd.date_range("2020-06-01T00:00Z", periods=2, freq="h"))


def test_low_voltage_pv_of_a_medium_voltage_grid_is_pv() -> None:
    units = loaded(MV).units
    assert units["technology"].value_counts().to_dict() == {"pv": 92, "wind": 6, "biomass": 3, "hydro": 1}
    assert not units.loc[units["technology"] == "biomass", "counts_as_curtailment"].any()


def test_vector_groups_that_turn_everything_alike_are_left_out() -> None:
    # The two 110/20 kV transformers turn by 150 degrees each.
    assert set(read_simbench(MV).trafo["shift_degree"]) == {150.0}
    assert not loaded(MV).flow_offset_mw.any()


def test_an_unknown_code_is_refused_with_some_that_are_near() -> None:
    with pytest.raises(InputError, match=r"(?s)'1-HV-mixed--9-sw' is no SimBench code.*near: 1-HV"):
        load_grid("simbench", code="1-HV-mixed--9-sw")
    with pytest.raises(InputError, match="the grid has profiles of its own"):
        load_grid("simbench", code=HV, load_profile=pd.Series(dtype=float))
