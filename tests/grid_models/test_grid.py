from __future__ import annotations

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from grid_models import Grid, make_grid
from weather import InputError


@pytest.fixture
def small() -> Grid:
    """A 230/138 kV transformer with an off-nominal tap on its low side, and one line."""
    return make_grid(
        name="small",
        buses=pd.DataFrame(
            {
                "vn_kv": [138.0, 230.0, 230.0],
                "latitude": [33.0, 34.0, 35.0],
                "longitude": [-114.0, -115.0, -116.0],
                "load_p_mw": [0.0, 0.0, 80.0],
            },
            index=[1, 2, 3],
        ),
        lines=pd.DataFrame(
            {
                "kind": ["trafo", "line"],
                "from_bus": [1, 2],
                "to_bus": [2, 3],
                "rate_mw": [100.0, np.inf],
                "x_pu": [0.08, 0.05],
                "r_pu": [0.002, 0.005],
                "b_charging_pu": [0.0, 0.1],
                "tap_ratio": [1.03, 1.0],
            },
            index=["t", "l"],
        ),
        units=pd.DataFrame(
            {"bus": [3, 3, 1], "technology": ["pv", "rtpv", "hydro"], "p_nom_mw": [10.0, 5.0, 20.0]},
            index=["p", "r", "h"],
        ),
    )


def test_units_take_place_and_roles_from_bus_and_technology(small: Grid) -> None:
    units = small.units
    assert units["latitude"].tolist() == [35.0, 35.0, 33.0]
    assert units["counts_as_curtailment"].tolist() == [True, False, False]
    assert units["dispatchable"].tolist() == [True, False, True]
    assert units["weather_site"].tolist() == ["3", "3", "1"]
    assert small.weather_sites().to_dict("index") == {
        "3": {"latitude": 35.0, "longitude": -116.0, "altitude": 0.0}
    }
    assert small.weather_sites(("hydro",)).index.tolist() == ["1"]


def test_the_net_has_the_same_admittances_as_the_tables(small: Grid) -> None:
    # The pi-model of MATPOWER with the tap at the from side, as pandapower sees it in its own internals.
    pp.runpp(small.net, numba=False)
    ppc = small.net._ppc["internal"]
    y_trafo, y_line, tap = 1 / (0.002 + 0.08j), 1 / (0.005 + 0.05j), 1.03
    expected = np.array(
        [
            [y_trafo / tap**2, -y_trafo / tap, 0],
            [-y_trafo / tap, y_trafo + y_line + 0.05j, -y_line],
            [0, -y_line, y_line + 0.05j],
        ]
    )
    np.testing.assert_allclose(ppc["Ybus"].toarray(), expected, atol=1e-9)
    assert small.net.res_line["loading_percent"].item() < 1


def test_susceptance_includes_the_tap(small: Grid) -> None:
    np.testing.assert_allclose(small.lines["b_pu"], [1 / (0.08 * 1.03), 20.0])


def test_given_tables_stay_as_they_are() -> None:
    buses = pd.DataFrame({"vn_kv": 1.0, "latitude": 0.0, "longitude": 0.0}, index=["a", "b"])
    lines = pd.DataFrame({"from_bus": ["a"], "to_bus": ["b"], "rate_mw": 1.0, "x_pu": 0.1}, index=["l"])
    copies = buses.copy(), lines.copy()
    make_grid(name="x", buses=buses, lines=lines)
    pd.testing.assert_frame_equal(buses, copies[0])
    pd.testing.assert_frame_equal(lines, copies[1])


def test_unknown_buses_are_all_named(small: Grid) -> None:
    assert small.bus_index(["3", "1"]).tolist() == [2, 0]
    with pytest.raises(InputError, match=r"(?s)'9': does not exist.*'8': does not exist"):
        small.bus_index(["9", "1", "8"])


def test_a_grid_without_series_says_so(small: Grid) -> None:
    time = pd.date_range("2020-01-01T00:00Z", periods=3, freq="h")
    with pytest.raises(InputError, match="has no recorded series"):
        small.load(time)
    with pytest.raises(InputError, match="'tidal' is unknown"):
        small.recorded(time, ("tidal",))
