"""AC power flow of one step and its exact derivatives with respect to what is injected at nodes.

The power flow is lightsim2grid's Newton-Raphson solver. Its Jacobian is built here once more, at the solution
itself, and factorised sparsely, because derivatives of many functions f of the solution are wanted: one
backward substitution per function, J' y = df/dx, gives df/dP and df/dQ at every node [1]_.

References
----------
.. [1] A. J. Wood, B. F. Wollenberg, G. B. Sheblé, Power Generation, Operation, and Control, 3rd ed., Wiley,
   2013, chapters 6 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from lightsim2grid.algorithm import NR_KLU
from scipy.sparse import csc_array, csc_matrix
from scipy.sparse.linalg import SuperLU, splu

if TYPE_CHECKING:
    from grid_models._arrays import ComplexArray, FloatArray, IntArray
    from grid_models.ac_network import AcNetwork
    from grid_models.voltage_model import AcModel

TOLERANCE_MVA = 1e-8
"""Largest mismatch at a node of what counts as a solution of the power flow. [MVA]"""
_MAX_ITERATIONS = 20


@dataclass(frozen=True)
class Derivatives:
    """Derivatives of functions of the solution by what is injected at nodes, (function, node).

    Attributes
    ----------
    by_p, by_q : ndarray
        Change per MW and per Mvar. Zero at external grids, where injections leave the network as it is, and
        for reactive power where a source holds the voltage.
    """

    by_p: FloatArray
    by_q: FloatArray


class PowerFlow:
    """Power flows of a network, each from the start the caller gives.

    Parameters
    ----------
    model : AcModel
        The network. Voltages of all external grids are fixed in magnitude and angle.
    """

    def __init__(self, model: AcModel) -> None:
        self.model = model
        network = self._network = model.network
        self._solver = NR_KLU()
        first, others = network.references[0], network.references[1:]
        # The solver knows one node of given voltage. What other external grids hold is a known multiple of
        # that, so that their columns can be added to its own; their balances follow from the solution.
        self._kept = np.setdiff1d(np.arange(network.n_node), others)
        fixed = network.voltage[network.references] / network.voltage[first]
        admittance = network.admittance.tolil()
        admittance[:, [first]] = (network.admittance[:, network.references] @ fixed)[:, None]
        self._admittance = csc_matrix(admittance.tocsr()[self._kept][:, self._kept])
        place = _places(self._kept, network.n_node, 0).astype(np.int32)
        self._slack, self._held, self._free = (
            place[nodes] for nodes in (network.references[:1], network.held, free_nodes(network))
        )
        self._weight = np.zeros(len(self._kept))
        self._weight[self._slack] = 1.0
        self._pattern = Pattern(network)

    def solve(self, injected: ComplexArray, start: ComplexArray) -> ComplexArray | None:
        """Voltages that belong to what is injected; None if none are found.

        Parameters
        ----------
        injected : ndarray of complex (node)
            Generation less load; without effect at external grids. [MVA]
        start : ndarray of complex (node)
            Where Newton's method starts, with the voltages that are held. [pu]
        """
        network = self._network
        is_solved = self._solver.solve(
            self._admittance,
            start[self._kept],
            injected[self._kept] / network.base_mva,
            self._slack,
            self._weight,
            self._held,
            self._free,
            _MAX_ITERATIONS,
            TOLERANCE_MVA / network.base_mva,
        )
        if not is_solved:
            return None
        result = network.voltage.copy()
        result[self._kept] = self._solver.get_V()
        return result

    def linearise(self, voltage: ComplexArray) -> LinearFlow:
        """Return the power flow around one of its solutions."""
        return LinearFlow(self.model, self._pattern, voltage)


def free_nodes(network: AcNetwork) -> IntArray:
    """Nodes whose voltage magnitude follows from the power flow."""
    fixed = np.concatenate([network.references, network.held])
    return np.setdiff1d(np.arange(network.n_node), fixed).astype(np.int64)


class Pattern:
    """Where the entries of the power flow's Jacobian come from, found once.

    The state x is [angles of held and free nodes, magnitudes of free nodes], the mismatch is
    [P of held and free nodes, Q of free nodes].
    """

    def __init__(self, network: AcNetwork) -> None:
        self.network = network
        self.magnitude = free_nodes(network)
        self.angle = np.concatenate([network.held, self.magnitude])
        self.size = len(self.angle) + len(self.magnitude)
        self.at_angle = _places(self.angle, network.n_node, 0)
        self.at_magnitude = _places(self.magnitude, network.n_node, len(self.angle))
        matrix = network.admittance.tocoo()
        self._row, self._column = matrix.row.astype(np.int64), matrix.col.astype(np.int64)
        self._value = matrix.data
        diagonal = np.flatnonzero(self._row == self._column)
        self._diagonal = diagonal[np.argsort(self._row[diagonal])]
        self._of_slack = [np.flatnonzero(self._row == node) for node in network.references]
        self._order()

    def _order(self) -> None:
        """Find where each entry of the Jacobian stands among the four kinds of derivatives."""
        parts = []
        kinds = [
            (row, column)
            for column in (self.at_angle, self.at_magnitude)
            for row in (self.at_angle, self.at_magnitude)
        ]
        for kind, (rows, columns) in enumerate(kinds):
            row, column = rows[self._row], columns[self._column]
            inside = np.flatnonzero((row >= 0) & (column >= 0))
            parts.append(np.stack([row[inside], column[inside], inside + kind * len(self._row)]))
        row, column, source = np.concatenate(parts, axis=1)
        order = np.lexsort((row, column))
        self._source, self._indices = source[order], row[order].astype(np.int32)
        counts = np.bincount(column, minlength=self.size)
        self._indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def entries(self, voltage: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """Derivatives of node power by angles and by magnitudes, at the entries of the admittances."""
        row, column = self._row, self._column
        direction = voltage / np.abs(voltage)
        current = self.network.admittance @ voltage
        by_angle = -1j * voltage[row] * (self._value * voltage[column]).conj()
        by_angle[self._diagonal] += 1j * voltage * current.conj()
        by_magnitude = voltage[row] * (self._value * direction[column]).conj()
        by_magnitude[self._diagonal] += current.conj() * direction
        return by_angle, by_magnitude

    def jacobian(self, by_angle: ComplexArray, by_magnitude: ComplexArray) -> csc_array:
        """Return the Jacobian."""
        data = np.concatenate([by_angle.real, by_angle.imag, by_magnitude.real, by_magnitude.imag])
        shape = (self.size, self.size)
        return csc_array((data[self._source], self._indices, self._indptr), shape=shape)

    def slack_gradient(self, by_angle: ComplexArray, by_magnitude: ComplexArray) -> FloatArray:
        """Derivative of the active power at external grids by the state, (state, external grid). [pu]"""
        result = np.zeros((self.size + 1, len(self._of_slack)))
        for k, entry in enumerate(self._of_slack):
            # Nodes that are not in the state write into the last row, which is dropped.
            result[self.at_angle[self._column[entry]], k] = by_angle.real[entry]
            result[self.at_magnitude[self._column[entry]], k] = by_magnitude.real[entry]
        return result[:-1]


@dataclass(frozen=True, eq=False)
class LinearFlow:
    """The power flow around a solution.

    Attributes
    ----------
    model : AcModel
        The network.
    pattern : Pattern
        That of its Jacobian.
    voltage : ndarray of complex (node)
        The solution. [pu]
    """

    model: AcModel
    pattern: Pattern
    voltage: ComplexArray

    @cached_property
    def _entries(self) -> tuple[ComplexArray, ComplexArray]:
        return self.pattern.entries(self.voltage)

    @cached_property
    def _factors(self) -> SuperLU:
        return splu(self.pattern.jacobian(*self._entries), permc_spec="MMD_AT_PLUS_A")

    def moved(self, change: ComplexArray) -> ComplexArray:
        """Voltages, to first order, after a change of what is injected at nodes. [MVA] to [pu]"""
        pattern, network = self.pattern, self.model.network
        power = np.concatenate([change.real[pattern.angle], change.imag[pattern.magnitude]])
        state = self._factors.solve(power / network.base_mva)
        angle, magnitude = np.zeros((2, network.n_node))
        angle[pattern.angle] = state[: len(pattern.angle)]
        magnitude[pattern.magnitude] = state[len(pattern.angle) :]
        size = np.abs(self.voltage)
        result: ComplexArray = self.voltage / size * (size + magnitude) * np.exp(1j * angle)
        return result

    def of_slack_power(self) -> Derivatives:
        """Derivatives of the active power that external grids feed in. [MW/MW, MW/Mvar]"""
        return self._solved(self.pattern.slack_gradient(*self._entries) * self.model.network.base_mva)

    def of_magnitudes(self, nodes: IntArray) -> Derivatives:
        """Derivatives of voltage magnitudes of free nodes. [pu/MW, pu/Mvar]"""
        gradient = np.zeros((self.pattern.size, len(nodes)))
        gradient[self.pattern.at_magnitude[nodes], np.arange(len(nodes))] = 1.0
        return self._solved(gradient)

    def of_loading(self, lines: IntArray) -> Derivatives:
        """Derivatives of the loading of lines, at their end that is loaded more. [1/MW, 1/Mvar]

        A line without current has none: any change loads it, so 0, the mean of both directions, is told.
        """
        model, pattern, voltage = self.model, self.pattern, self.voltage
        start, end = (current[lines] for current in model.currents(voltage))
        limit_from, limit_to = model.limit_from[lines], model.limit_to[lines]
        at_from = np.abs(start) / limit_from >= np.abs(end) / limit_to
        current, limit = np.where(at_from, start, end), np.where(at_from, limit_from, limit_to)
        admittance = np.where(at_from, model.y_from[:, lines], model.y_to[:, lines])
        magnitude = np.abs(current)
        towards = np.divide(current.conj(), magnitude, out=np.zeros_like(current), where=magnitude > 0)
        weight = towards / limit * admittance
        gradient, each = np.zeros((pattern.size + 1, len(lines))), np.arange(len(lines))
        for node, share in zip((model.from_node[lines], model.to_node[lines]), weight, strict=True):
            # Nodes that are not in the state write into the last row, which is dropped.
            direction = voltage[node] / np.abs(voltage[node])
            gradient[pattern.at_angle[node], each] += (share * 1j * voltage[node]).real
            gradient[pattern.at_magnitude[node], each] += (share * direction).real
        return self._solved(gradient[:-1])

    def _solved(self, gradient: FloatArray) -> Derivatives:
        """Derivatives by injections of functions with the given gradients by the state, (state, function)."""
        pattern, network = self.pattern, self.model.network
        answer = self._factors.solve(gradient, "T").T / network.base_mva
        by_p, by_q = np.zeros((2, len(answer), network.n_node))
        by_p[:, pattern.angle] = answer[:, : len(pattern.angle)]
        by_q[:, pattern.magnitude] = answer[:, len(pattern.angle) :]
        return Derivatives(by_p, by_q)


def _places(nodes: IntArray, n_node: int, first: int) -> IntArray:
    """Places of nodes in a list that begins with `first`, -1 for the others."""
    result = np.full(n_node, -1, dtype=np.int64)
    result[nodes] = first + np.arange(len(nodes))
    return result
