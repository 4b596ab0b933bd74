"""What loads and sources of a pandapower net do in each step, and what that makes of its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid_models._arrays import ComplexArray, FloatArray, IntArray
from grid_models._compiled import compiled
from weather import Findings

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from grid_models.ac_network import AcNetwork


#: Element and column of every set-point.
SET_POINTS = (
    ("load", "p_mw"),
    ("load", "q_mvar"),
    ("gen", "p_mw"),
    ("sgen", "p_mw"),
    ("sgen", "q_mvar"),
    ("storage", "p_mw"),
    ("dcline", "p_mw"),
)


@dataclass(frozen=True, eq=False)
class Injections:
    """Set-points over time, each (time, row of the element's table); what is left out stays as in the net.

    Signs and units are pandapower's: loads and storage are positive where they consume, sources where they
    generate, DC lines where power enters them at their from bus. The columns ``scaling`` and ``in_service``
    of the net apply.

    Attributes
    ----------
    load_p_mw, load_q_mvar : ndarray (time, load), optional
        Consumption. [MW], [Mvar]
    gen_p_mw : ndarray (time, gen), optional
        Sources that hold voltage; without meaning for those with ``slack``, as in pandapower. [MW]
    sgen_p_mw, sgen_q_mvar : ndarray (time, sgen), optional
        Sources that do not. [MW], [Mvar]
    storage_p_mw : ndarray (time, storage), optional
        Charging power. [MW]
    dcline_p_mw : ndarray (time, dcline), optional
        Power entering at the from bus. [MW]
    """

    load_p_mw: FloatArray | None = None
    load_q_mvar: FloatArray | None = None
    gen_p_mw: FloatArray | None = None
    sgen_p_mw: FloatArray | None = None
    sgen_q_mvar: FloatArray | None = None
    storage_p_mw: FloatArray | None = None
    dcline_p_mw: FloatArray | None = None

    def given(self) -> Iterator[tuple[str, str, FloatArray]]:
        """Element, column and values of what is given."""
        for element, column in SET_POINTS:
            values: FloatArray | None = getattr(self, f"{element}_{column}")
            if values is not None:
                yield element, column, values

    @property
    def n_step(self) -> int:
        """Number of steps of checked set-points."""
        return len(next(self.given())[2])

    def at(self, steps: slice | IntArray) -> Injections:
        """Some of the steps."""
        return Injections(**{f"{element}_{column}": v[steps] for element, column, v in self.given()})

    def mean(self) -> Injections:
        """Their means over time, as one step."""
        means = {f"{element}_{column}": v.mean(axis=0)[None] for element, column, v in self.given()}
        return Injections(**means)

    def completed(self, net: pandapowerNet) -> Injections:
        """All set-points: what is left out has the values of a net in every step."""
        given = {(element, column): values for element, column, values in self.given()}
        own = {key: net[key[0]][key[1]].to_numpy(dtype=float) for key in SET_POINTS if key not in given}
        rest = {key: np.tile(values, (self.n_step, 1)) for key, values in own.items()}
        return Injections(**{f"{element}_{column}": v for (element, column), v in {**rest, **given}.items()})


def check_injections(net: pandapowerNet, injections: Injections) -> None:
    """Raise one error with everything that is wrong with set-points for a net."""
    findings = Findings()
    lengths = {f"{element}_{column}": np.shape(v) for element, column, v in injections.given()}
    if not lengths:
        findings.add("injections", "none are given", "give at least one, over (time, element)")
    for element, column, values in injections.given():
        name, shape = f"{element}_{column}", np.shape(values)
        if len(shape) != 2 or shape[1] != len(net[element]):
            what = f"has shape {shape}, but the net has {len(net[element])} {element} row(s)"
            findings.add(name, what, f"give (time, {element}) in the order of net.{element}")
        elif not np.isfinite(values).all():
            step, row = np.argwhere(~np.isfinite(values))[0]
            what = f"is {values[step, row]} in step {step} ({int((~np.isfinite(values)).sum())} such values)"
            findings.add(f"{name} of {element} {net[element].index[row]}", what, "give finite numbers")
    if len({shape[0] for shape in lengths.values() if shape}) > 1:
        counts = ", ".join(f"{name}: {shape[0]}" for name, shape in lengths.items() if shape)
        findings.add("time", f"numbers of steps differ ({counts})", "bring all to one axis")
    elif lengths and next(iter(lengths.values()))[0] == 0:
        findings.add("time", "has no step", "give at least one")
    findings.raise_if_any(f"injections of net {net.name!r}")


def node_injections(network: AcNetwork, net: pandapowerNet, injections: Injections) -> ComplexArray:
    """Generation less load at every node: that of the model, and what the set-points change of it.

    Parameters
    ----------
    network : AcNetwork
        Model of the net.
    net : pandapowerNet
        The net with the operating point of the model in its tables.
    injections : Injections
        Checked set-points.

    Returns
    -------
    ndarray (time, node)
        Complex. [MVA]
    """
    total: ComplexArray = np.tile(network.injection * network.base_mva, (injections.n_step, 1))
    for element, column, values in injections.given():
        base = net[element][column].to_numpy(dtype=float)
        if element == "dcline":
            at_from, at_to = _dcline(net, values)
            base_from, base_to = _dcline(net, base[None])
            _add(total, network, net, element, "from_bus", at_from - base_from)
            _add(total, network, net, element, "to_bus", at_to - base_to)
        else:
            sign = -1.0 if element in ("load", "storage") else 1.0
            unit = 1j if column == "q_mvar" else 1.0
            scaling = net[element]["scaling"].to_numpy(dtype=float)
            _add(total, network, net, element, "bus", sign * unit * scaling * (values - base))
    return total


def _dcline(net: pandapowerNet, p_mw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Power that DC lines give at both ends; losses are borne where power leaves, as in pandapower."""
    sent = np.abs(p_mw)
    arriving = sent * (1.0 - net.dcline["loss_percent"].to_numpy() / 100.0) - net.dcline["loss_mw"].to_numpy()
    is_forward = p_mw > 0.0
    return np.where(is_forward, -sent, arriving), np.where(is_forward, arriving, -sent)


def _add(
    total: ComplexArray,
    network: AcNetwork,
    net: pandapowerNet,
    element: str,
    bus_column: str,
    power: FloatArray | ComplexArray,
) -> None:
    """Add the power of each row of an element to its node."""
    nodes = network.nodes_of(net[element][bus_column].to_numpy(), net)
    is_served = net[element]["in_service"].to_numpy(dtype=bool) & (nodes >= 0)
    if element == "gen":
        is_served &= ~net.gen["slack"].to_numpy(dtype=bool)
    rows = np.flatnonzero(is_served)
    scatter(total, nodes[rows], np.ascontiguousarray(power[:, rows], dtype=complex))


@compiled
def scatter(total: ComplexArray, nodes: IntArray, power: ComplexArray) -> None:
    """Add columns to the columns of their nodes; several may have the same node."""
    for step in range(power.shape[0]):
        for k in range(nodes.shape[0]):
            total[step, nodes[k]] += power[step, k]


def set_step(net: pandapowerNet, injections: Injections, step: int) -> None:
    """Write the set-points of a step into the tables of a net."""
    for element, column, values in injections.given():
        net[element][column] = values[step]
