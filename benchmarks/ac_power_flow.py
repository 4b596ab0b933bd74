"""A year of AC power flows against a loop over `runpp`: time, voltages, and where the gate refuses.

Per network, in one run: the hourly year by `ac_series` (the whole call: the comparison that lets
lightsim2grid through, power flows, flows on branches, losses), between two halves of a sample of consecutive
hours by `runpp`: warm, with numba, and with whatever solver pandapower chooses by itself. Of two starts, its
default and the result of the hour before (``init="results"``), the faster one counts. ``recycle`` is its mode
for series: it keeps the admittances and, with ``only_v_results``, gives voltages and nothing else; it is
shown beside, and fails on nets with DC lines. Where the gate refuses, only `--refused-steps` hours are run,
since they are runpp's.

RTS-GMLC has the set-points of its own dispatch at least cost; cases have RTS-GMLC's load curve with a random
factor per load. Prints a table and a last line of JSON. Times are per step, in milliseconds, of CPU time:
other load on the machine disturbs it less than wall time, whose ratio stands beside it (all are of one
process, and of one thread unless `--threads` says otherwise). `newton_ms` is lightsim2grid's part, `gate_ms`
the comparison spread over the year.

    python benchmarks/ac_power_flow.py [--steps 8784] [--sample 24] [--threads 1] [network ...]
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import pandapower as pp
import pandapower.networks as networks
import pandas as pd
import xarray as xr

from grid_models import Injections, ac_series, dispatch, load_grid
from grid_models.ac_dispatch import dispatch_arrays, net_of, set_points
from grid_models.ac_injections import node_injections, set_step
from grid_models.ac_lightsim import reason_against, solve
from grid_models.ac_network import read_network
from grid_models.ac_pandapower import solved_copy
from grid_models.ac_parity import check_parity

START, HOURS = "2020-01-01T08:00Z", 8784
NETWORKS = (
    "rts_gmlc",
    "case14",
    "case39",
    "case118",
    "case_illinois200",
    "case300",
    "case1354pegase",
    "mv_oberrhein",
)
#: Voltages must agree with those of runpp to this. [pu]
ALLOWED_PU = 1e-6
TARGET = 300.0
RECYCLE = {"bus_pq": True, "gen": True, "trafo": False}


@dataclass(frozen=True)
class Row:
    """What is printed of a network; times per step. [ms]"""

    network: str
    buses: int
    steps: int
    engine: str
    runpp_ms: float
    runpp_init: str
    recycled_ms: float | None
    ours_ms: float
    newton_ms: float | None
    gate_ms: float
    ratio: float
    wall_ratio: float
    recycled_ratio: float | None
    difference_pu: float
    not_converged: int


class Elapsed(NamedTuple):
    """CPU and wall time. [s]"""

    cpu: float
    wall: float


def now() -> Elapsed:
    """Both clocks."""
    return Elapsed(time.process_time(), time.perf_counter())


def since(began: Elapsed) -> Elapsed:
    """Time since an earlier reading of both clocks."""
    return Elapsed(*(b - a for a, b in zip(began, now(), strict=True)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--steps", type=int, default=HOURS, help="hours of the year")
    parser.add_argument("--sample", type=int, default=24, help="hours solved by runpp, per way to start it")
    parser.add_argument("--threads", type=int, default=1, help="threads of lightsim2grid")
    parser.add_argument("--refused-steps", type=int, default=48, help="hours where the gate refuses")
    options = parser.parse_args()
    curve = load_curve(options.steps)
    rows = []
    for name in options.networks:
        net, points = rts_gmlc(options.steps) if name == "rts_gmlc" else case(name, curve)
        with quiet():  # compiles, and asks the gate
            first = ac_series(net, points.at(slice(0, 24)), parity_steps=2)
        if first.attrs["engine"] == "pandapower":
            points = points.at(slice(0, options.refused_steps))
        rows.append(compare(name, net, points, options.sample, options.threads))
        print(f"{name}: {rows[-1].ratio:.0f} x by {rows[-1].engine}", flush=True)
    table = pd.DataFrame([asdict(row) for row in rows]).set_index("network")
    print(table.to_string(float_format=lambda value: f"{value:.3g}"))
    fast = table[table["engine"] == "lightsim2grid"]
    verdict = {
        "least_ratio": float(fast["ratio"].min()),
        "at_least_300": sorted(fast.index[fast["ratio"] >= TARGET]),
        "below_300": sorted(fast.index[fast["ratio"] < TARGET]),
        "refused": sorted(table.index[table["engine"] != "lightsim2grid"]),
        "largest_difference_pu": float(fast["difference_pu"].max()),
        "within_1e-6_pu": bool((fast["difference_pu"] <= ALLOWED_PU).all()),
    }
    print(json.dumps({"rows": [asdict(row) for row in rows], **verdict}))


def load_curve(n_steps: int) -> np.ndarray:
    """Load of RTS-GMLC relative to its greatest."""
    grid = load_grid("rts_gmlc")
    total = grid.load(pd.date_range(START, periods=HOURS, freq="h")).sum("bus").to_numpy()
    relative: np.ndarray = (total / total.max())[:n_steps]
    return relative


def rts_gmlc(n_steps: int) -> tuple[pp.pandapowerNet, Injections]:
    """RTS-GMLC with the set-points of its dispatch at least cost."""
    grid = load_grid("rts_gmlc")
    hours = pd.date_range(START, periods=n_steps, freq="h")
    generation = xr.Dataset({"available_p_mw": grid.recorded(hours)})
    values = dispatch_arrays(grid, dispatch(grid, generation, objective="market"))
    net = net_of(grid)
    return net, set_points(grid, net, values, unit_tan_phi=0.0, flexible_tan_phi=0.0)


def case(name: str, curve: np.ndarray) -> tuple[pp.pandapowerNet, Injections]:
    """A case of pandapower with its loads and generators along a load curve."""
    net, rng = getattr(networks, name)(), np.random.default_rng(0)

    def series(element: str, column: str, spread: float) -> np.ndarray:
        base = net[element][column].to_numpy(dtype=float)
        values: np.ndarray = base * curve[:, None] * rng.uniform(1 - spread, 1, (len(curve), len(base)))
        return values

    load = series("load", "p_mw", 0.1), series("load", "q_mvar", 0.1)
    return net, Injections(load_p_mw=load[0], load_q_mvar=load[1], gen_p_mw=series("gen", "p_mw", 0.0))


def compare(name: str, net: pp.pandapowerNet, points: Injections, n_sample: int, threads: int) -> Row:
    """Time both ways, the loops before and after the year, and compare voltages."""
    n_steps = points.n_step
    first = n_steps // 2
    halves = range(first, first + n_sample // 2), range(first + n_sample // 2, first + n_sample)
    with quiet():
        before = time_loops(net, points, halves[0])
        began = now()
        ours = ac_series(net, points, threads=threads)
        year = since(began)
        after = time_loops(net, points, halves[1])
        compared = np.unique([*halves[0], *halves[1], *np.linspace(0, n_steps - 1, n_sample, dtype=int)])
        difference_pu = largest_difference(net, points, compared, ours)
        newton_s, gate_s = parts(net, points, threads)
    loops = {way: np.median(before[way] + after[way], axis=0) for way in before}
    best = min(("default", "results"), key=lambda way: loops[way][0])
    recycled = loops["recycle"][0] if "recycle" in loops else None
    return Row(
        network=name,
        buses=len(net.bus),
        steps=n_steps,
        engine=ours.attrs["engine"],
        runpp_ms=1e3 * loops[best][0],
        runpp_init=best,
        recycled_ms=None if recycled is None else 1e3 * recycled,
        ours_ms=1e3 * year.cpu / n_steps,
        newton_ms=None if newton_s is None else 1e3 * newton_s,
        gate_ms=1e3 * gate_s / n_steps,
        ratio=n_steps * loops[best][0] / year.cpu,
        wall_ratio=n_steps * loops[best][1] / year.wall,
        recycled_ratio=None if recycled is None else n_steps * recycled / year.cpu,
        difference_pu=difference_pu,
        not_converged=ours.attrs["not_converged"],
    )


def time_loops(net: pp.pandapowerNet, points: Injections, steps: range) -> dict[str, list[Elapsed]]:
    """Time of every step of a loop, for each way to run it; two steps before them warm it up."""
    ways: dict[str, Callable[[pp.pandapowerNet], None]] = {
        "default": lambda net: pp.runpp(net),
        "results": lambda net: pp.runpp(net, init="results"),
        "recycle": lambda net: pp.runpp(net, init="results", recycle=RECYCLE, only_v_results=True),
    }
    if len(net.dcline):
        del ways["recycle"]
    taken = {}
    for way, run in ways.items():
        scratch = copy.deepcopy(net)
        pp.runpp(scratch)
        times = []
        for step in (steps[0], steps[0], *steps):
            began = now()
            set_step(scratch, points, step)
            run(scratch)
            times.append(since(began))
        taken[way] = times[2:]
    return taken


def largest_difference(
    net: pp.pandapowerNet, points: Injections, steps: np.ndarray, ours: xr.Dataset
) -> float:
    """Largest difference of complex voltages from those of pandapower's own solver. [pu]"""
    scratch, largest = copy.deepcopy(net), 0.0
    for step in steps:
        set_step(scratch, points, int(step))
        pp.runpp(scratch, lightsim2grid=False)
        at = ours.isel(time=int(step))
        both = [
            table["vm_pu"].to_numpy() * np.exp(1j * np.radians(table["va_degree"].to_numpy()))
            for table in (scratch.res_bus, at)
        ]
        largest = max(largest, float(np.nanmax(np.abs(both[0] - both[1]))))
    return largest


def parts(net: pp.pandapowerNet, points: Injections, threads: int) -> tuple[float | None, float]:
    """CPU time of Newton's method alone per step (None where it cannot be had), and of the gate. [s]"""
    base, _ = solved_copy(net)
    network = read_network(base)
    began = now()
    check_parity(base, network, points, 4)
    gate_s = since(began).cpu
    if reason_against(network):
        return None, gate_s
    part = points.at(slice(0, 1024))
    power = node_injections(network, base, part)
    began = now()
    solve(network, power, threads=threads)
    return since(began).cpu / part.n_step, gate_s


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out warnings: the table says what is refused and how many steps have no solution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    main()
