"""Random small grids with load and available power, for property tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from grid_models import Grid, make_grid

TECHNOLOGIES = ("wind", "pv", "rtpv", "hydro")


@dataclass(frozen=True)
class Case:
    """A grid with load and available power over a few steps, in its order."""

    grid: Grid
    load_p_mw: np.ndarray
    available_p_mw: np.ndarray

    @property
    def time(self) -> pd.DatetimeIndex:
        """Hourly stamps of the steps."""
        return pd.date_range("2020-06-01T00:00Z", periods=len(self.load_p_mw), freq="h")


def _whole(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


@st.composite
def grids(draw: st.DrawFn, *, min_buses: int = 2, max_buses: int = 8, name: str = "random") -> Grid:
    """Connected grids: a tree and some chords, tight and loose ratings, must-run units, maybe a link."""
    n_bus = draw(_whole(min_buses, max_buses))
    buses = [f"b{i}" for i in range(n_bus)]
    return make_grid(
        name=name,
        buses=pd.DataFrame(
            {"vn_kv": 138.0, "latitude": 35.0, "longitude": [-115.0 + 0.1 * i for i in range(n_bus)]},
            index=buses,
        ),
        lines=draw(_lines(buses)),
        links=draw(_links(buses)),
        units=draw(_units(buses)),
        **draw(_generators(buses)),
    )


@st.composite
def _lines(draw: st.DrawFn, buses: list[str]) -> pd.DataFrame:
    n_bus = len(buses)
    ends = [(draw(_whole(0, i - 1)), i) for i in range(1, n_bus)]
    for _ in range(draw(_whole(0, n_bus))):
        a, b = sorted((draw(_whole(0, n_bus - 1)), draw(_whole(0, n_bus - 1))))
        if a != b:
            ends.append((a, b))
    rows = [
        {
            "from_bus": buses[a],
            "to_bus": buses[b],
            "rate_mw": float(draw(_whole(5, 120))),
            "x_pu": draw(_whole(1, 30)) / 100,
        }
        for a, b in ends
    ]
    return pd.DataFrame(rows, index=[f"l{k}" for k in range(len(rows))])


@st.composite
def _links(draw: st.DrawFn, buses: list[str]) -> pd.DataFrame | None:
    a, b = draw(_whole(0, len(buses) - 1)), draw(_whole(0, len(buses) - 1))
    if a == b or not draw(st.booleans()):
        return None
    row = {"from_bus": buses[a], "to_bus": buses[b], "p_max_mw": float(draw(_whole(0, 50)))}
    return pd.DataFrame([row], index=["dc"])


@st.composite
def _generators(draw: st.DrawFn, buses: list[str]) -> dict[str, pd.DataFrame]:
    gens, segments = {}, []
    for k in range(draw(_whole(1, 4))):
        gen, must_run = f"g{k}", draw(st.booleans())
        p_min, span = float(draw(_whole(0, 40))), float(draw(_whole(1, 100)))
        gens[gen] = {
            "bus": draw(st.sampled_from(buses)),
            "fuel": draw(st.sampled_from(("nuclear", "coal", "gas"))),
            "p_min_mw": p_min,
            "p_max_mw": p_min + span,
            "must_run": must_run,
            "no_load_cost_per_h": 10.0 * p_min * must_run,
            "no_load_co2_kg_per_h": 500.0 * p_min * must_run,
        }
        width = (span if must_run else p_min + span) / 2
        costs = sorted(draw(_whole(0, 60)) for _ in range(2))
        co2 = [draw(_whole(0, 1000)) for _ in range(2)]
        segments += [
            {"gen": gen, "p_mw": width, "cost_per_mwh": float(c), "co2_kg_per_mwh": float(e)}
            for c, e in zip(costs, co2, strict=True)
        ]
    return {"generators": pd.DataFrame.from_dict(gens, orient="index"), "segments": pd.DataFrame(segments)}


@st.composite
def _units(draw: st.DrawFn, buses: list[str]) -> pd.DataFrame:
    technologies = ["wind", *draw(st.lists(st.sampled_from(TECHNOLOGIES), max_size=4))]
    rows = [
        {
            "bus": draw(st.sampled_from(buses)),
            "technology": technology,
            "p_nom_mw": float(draw(_whole(1, 150))),
        }
        for technology in technologies
    ]
    return pd.DataFrame(rows, index=[f"u{k}" for k in range(len(rows))])


@st.composite
def cases(
    draw: st.DrawFn, *, min_steps: int = 2, max_steps: int = 4, min_buses: int = 2, max_buses: int = 8
) -> Case:
    """Random grids with load at some buses and available power from calm to full."""
    grid = draw(grids(min_buses=min_buses, max_buses=max_buses))
    n_step = draw(_whole(min_steps, max_steps))
    nominal = np.array([draw(st.sampled_from((0, 0, 20, 60, 100))) for _ in grid.buses.index], dtype=float)
    rng = np.random.default_rng(draw(_whole(0, 2**32 - 1)))
    load = nominal * rng.uniform(0.3, 1.0, (n_step, len(nominal)))
    share = np.clip(rng.uniform(-0.3, 1.3, (n_step, len(grid.units))), 0.0, 1.0)
    return Case(grid, load, share * grid.units["p_nom_mw"].to_numpy())
