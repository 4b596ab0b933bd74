"""AC check of a dispatch: voltages, loadings and losses of every step, and what leaves its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from grid_models.ac_dispatch import check_tan_phi, dispatch_arrays, net_of, set_points
from grid_models.ac_series import AcEngine, ac_series
from grid_models.ac_violations import limits, with_counts
from weather import Findings

if TYPE_CHECKING:
    from distributed import Client

    from grid_models._arrays import FloatArray
    from grid_models.grid import Grid

Slack = Literal["reference", "generators"]

#: Rounds in which losses are handed to generators: each leaves some hundredths of what the last one left.
_SHARING_ROUNDS = 2


def power_flow(
    grid: Grid,
    dispatched: xr.Dataset,
    *,
    vm_limits_pu: tuple[float, float] = (0.95, 1.05),
    unit_tan_phi: float = 0.0,
    flexible_tan_phi: float = 0.0,
    slack: Slack = "reference",
    engine: AcEngine = "auto",
    parity_steps: int = 4,
    block_steps: int = 1024,
    threads: int | None = None,
    client: Client | None = None,
) -> xr.Dataset:
    """Solve the AC power flow of every step of a dispatch.

    Parameters
    ----------
    grid : Grid
        The network.
    dispatched : Dataset
        As `dispatch` returns it for this grid; ``storage_p_mw`` (time, storage), discharging positive, is
        taken where it is there. [MW]
    vm_limits_pu : (float, float)
        Lowest and highest voltage, at buses whose table has no columns `vm_min_pu` and `vm_max_pu`. [pu]
    unit_tan_phi : float
        Reactive power that sources without voltage control give per active power; 0 is a power factor of 1,
        0.329 one of 0.95 overexcited. [Mvar/MW]
    flexible_tan_phi : float
        Reactive power that flexible loads draw per active power. [Mvar/MW]
    slack : {'reference', 'generators'}
        Who covers losses, which a dispatch does not know: the source at the reference bus, or all generators
        in proportion to their output of the step.
    engine, parity_steps, block_steps, threads, client
        See `ac_series`.

    Returns
    -------
    Dataset
        Over the same time: ``vm_pu``, ``va_degree``, ``q_mvar`` (bus), the last one being the reactive power
        of what holds the bus's voltage, NaN where nothing does; ``loading_percent`` by current, ``line_p_mw``
        and ``line_q_mvar`` entering at from_bus (line); ``gen_p_mw`` as solved (gen); ``losses_mw``,
        ``slack_p_mw``, what the reference gives beyond the dispatch; ``converged``, and numbers of violations
        ``n_undervoltage``, ``n_overvoltage``, ``n_overload``, ``n_reactive_lack``, ``n_reactive_excess``.
        Coordinates hold the limits; `violation_table` lists what leaves them. Steps without a solution are
        NaN with ``converged`` false, and a warning counts them. Attributes as of `ac_series`.

    Raises
    ------
    InputError
        A dispatch of another grid, NaN, options without a meaning: all findings at once.

    Notes
    -----
    Reactive load follows active load by the ratio of the bus's nominal load. Generators, links and those
    units that can, hold the voltage of their bus at its set-point in every step, also at no output and
    without limit: reactive limits are reported, not enforced.
    """
    _check_slack(slack)
    check_tan_phi(unit_tan_phi=unit_tan_phi, flexible_tan_phi=flexible_tan_phi)
    bounds = limits(grid, vm_limits_pu)
    arrays = dispatch_arrays(grid, dispatched)
    net = net_of(grid)

    def solve(gen_p_mw: FloatArray) -> xr.Dataset:
        values = {**arrays, "p_mw": gen_p_mw}
        points = set_points(grid, net, values, unit_tan_phi=unit_tan_phi, flexible_tan_phi=flexible_tan_phi)
        return ac_series(
            net,
            points,
            engine=engine,
            parity_steps=parity_steps,
            block_steps=block_steps,
            threads=threads,
            client=client,
        )

    gen_p_mw = arrays["p_mw"]
    for _ in range(_SHARING_ROUNDS if slack == "generators" else 0):
        gen_p_mw = _shared(gen_p_mw, solve(gen_p_mw)["slack_p_mw"].to_numpy())
    checked = _labelled(grid, dispatched, solve(gen_p_mw), gen_p_mw).assign_coords(bounds)
    return with_counts(checked).assign_attrs(slack=slack, grid=grid.name)


def _check_slack(slack: str) -> None:
    findings = Findings()
    if slack not in get_args(Slack):
        findings.add("slack", f"{slack!r} is unknown", "use one of " + ", ".join(get_args(Slack)))
    findings.raise_if_any("AC power flow")


def _shared(gen_p_mw: FloatArray, slack_p_mw: FloatArray) -> FloatArray:
    """Outputs with the slack's power handed to generators in proportion to what they give."""
    given = np.maximum(gen_p_mw, 0.0)
    total = given.sum(axis=1, keepdims=True)
    share = np.divide(given, total, out=np.zeros_like(given), where=total > 0.0)
    shared: FloatArray = gen_p_mw + share * np.nan_to_num(slack_p_mw)[:, None]
    return shared


def _labelled(grid: Grid, dispatched: xr.Dataset, solved: xr.Dataset, gen_p_mw: FloatArray) -> xr.Dataset:
    """Bring results of the net into the grid's order and names."""
    at_bus = grid.buses["pp_index"].to_numpy()
    data = {
        "vm_pu": ("bus", "pu", solved["vm_pu"].to_numpy()[:, at_bus]),
        "va_degree": ("bus", "degree", solved["va_degree"].to_numpy()[:, at_bus]),
        "q_mvar": ("bus", "Mvar", solved["source_q_mvar"].to_numpy()[:, at_bus]),
        "loading_percent": ("line", "%", _loading(grid, solved)),
        "line_p_mw": ("line", "MW", _entering(grid, solved, "p", "mw")),
        "line_q_mvar": ("line", "Mvar", _entering(grid, solved, "q", "mvar")),
        "gen_p_mw": ("gen", "MW", gen_p_mw),
    }
    labelled = xr.Dataset(
        {name: (("time", dim), values, {"units": unit}) for name, (dim, unit, values) in data.items()},
        coords={
            "time": dispatched["time"].to_numpy(),
            "bus": grid.buses.index.to_numpy(dtype=object),
            "line": grid.lines.index.to_numpy(dtype=object),
            "gen": grid.generators.index.to_numpy(dtype=object),
        },
        attrs=solved.attrs,
    )
    for name in ("losses_mw", "slack_p_mw", "converged"):
        labelled[name] = ("time", solved[name].to_numpy(), solved[name].attrs)
    return labelled


def _columns(grid: Grid, line: FloatArray, trafo: FloatArray) -> FloatArray:
    """Put (time, line) and (time, trafo) of the net into the order of the grid's lines."""
    is_line = (grid.lines["kind"] == "line").to_numpy()
    index = grid.lines["pp_index"].to_numpy()
    result = np.empty((len(line), len(is_line)))
    result[:, is_line] = line[:, index[is_line]]
    result[:, ~is_line] = trafo[:, index[~is_line]]
    return result


def _loading(grid: Grid, solved: xr.Dataset) -> FloatArray:
    """Loading in the order of the grid's lines; 0 where there is no rating."""
    both = (solved[f"{kind}_loading_percent"].to_numpy() for kind in ("line", "trafo"))
    loading = _columns(grid, *both)
    loading[:, np.isinf(grid.lines["rate_mw"])] *= 0.0
    return loading


def _entering(grid: Grid, solved: xr.Dataset, letter: str, unit: str) -> FloatArray:
    """Active or reactive power entering at from_bus, which may be either side of a transformer."""
    vn_kv = grid.buses["vn_kv"]
    trafos = grid.lines[grid.lines["kind"] == "trafo"].sort_values("pp_index")
    is_from_high = vn_kv[trafos["from_bus"]].to_numpy() >= vn_kv[trafos["to_bus"]].to_numpy()
    sides = (solved[f"trafo_{letter}_{side}_{unit}"].to_numpy() for side in ("hv", "lv"))
    return _columns(grid, solved[f"line_{letter}_from_{unit}"].to_numpy(), np.where(is_from_high, *sides))
