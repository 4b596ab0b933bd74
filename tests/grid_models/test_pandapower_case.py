from __future__ import annotations

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from grid_models import Grid, load_grid
from weather import InputError

UNITS = [
    {"unit": "w", "bus": "5", "technology": "wind", "p_nom_mw": 300.0, "latitude": 51.0},
    {"unit": "p", "bus": "7", "technology": "pv", "p_nom_mw": 200.0},
]
PLACE = {"latitude": 50.0, "longitude": 10.0, "co2_kg_per_mwh": 400.0}


def load_case39(**options: object) -> Grid:
    return load_grid("pandapower_case", case="case39", units=UNITS, **{**PLACE, **options})


def test_flows_are_those_of_the_case_itself() -> None:
    grid = load_case39()
    case = pp.networks.case39()
    case.trafo["tap_dependency_table"] = False
    pp.rundcpp(case)
    flow = grid.ptdf @ -case.res_bus["p_mw"].to_numpy()
    theirs = np.concatenate([case.res_line["p_from_mw"], case.res_trafo["p_hv_mw"]])
    np.testing.assert_allclose(flow, theirs, atol=1e-6)
    assert grid.buses["load_p_mw"].sum() == pytest.approx(case.load["p_mw"].sum())


def test_quadratic_costs_are_exact_at_the_ends_of_their_pieces() -> None:
    grid = load_case39(must_run=("gen_0",), n_cost_segments=4)
    # case39: 0.01 P² + 0.3 P + 0.2 for all sources; gen_0 has 0 to 1040 MW.
    segments = grid.segments[grid.segments["gen"] == "gen_1"]
    ends = segments["p_mw"].cumsum().to_numpy()
    cost = (segments["p_mw"] * segments["cost_per_mwh"]).cumsum().to_numpy()
    np.testing.assert_allclose(cost, 0.01 * ends**2 + 0.3 * ends + 0.2)
    assert set(segments["co2_kg_per_mwh"]) == {400.0}


def test_load_is_nominal_or_follows_a_profile() -> None:
    time = pd.date_range("2020-01-01T00:00Z", periods=4, freq="h")
    nominal = load_case39().load(time).sum("bus").to_numpy()
    profile = pd.Series([0.5, 0.75, 1.0, 0.6], index=time)
    np.testing.assert_allclose(load_case39(load_profile=profile).load(time).sum("bus"), nominal * profile)
    with pytest.raises(InputError, match="load_profile: covers 2020-01-01"):
        load_case39(load_profile=profile).load(time + pd.Timedelta("1h"))
    with pytest.raises(InputError, match="model them from weather"):
        load_case39().recorded(time)


def test_wrong_names_are_told_at_once() -> None:
    with pytest.raises(InputError, match=r"'case0' is not in pandapower\.networks"):
        load_grid("pandapower_case", case="case0", **PLACE)
    with pytest.raises(InputError, match=r"(?s)must_run: 'gen_99'.*n_cost_segments: 0"):
        load_case39(must_run=("gen_99",), n_cost_segments=0)
    with pytest.raises(InputError, match="case: is missing and has no default"):
        load_grid("pandapower_case", **PLACE)
