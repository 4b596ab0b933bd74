"""Linear (DC) network model: how injections at buses and phase shifters make flows on lines."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from grid_models._arrays import FloatArray, IntArray

#: Factors below this are rounding of the solve and set to zero (a radial line carries nothing of others).
ROUNDING = 1e-12


def incidence(from_index: IntArray, to_index: IntArray, n_bus: int) -> FloatArray:
    """Branch-bus incidence matrix.

    Parameters
    ----------
    from_index, to_index : ndarray of int
        Bus index at both ends of each branch.
    n_bus : int
        Number of buses.

    Returns
    -------
    ndarray
        +1 at the from bus and -1 at the to bus of each branch, shape (n_branch, n_bus).

    Examples
    --------
    >>> incidence(np.array([0, 1]), np.array([1, 2]), 3)
    array([[ 1., -1.,  0.],
           [ 0.,  1., -1.]])
    """
    matrix = np.zeros((len(from_index), n_bus))
    rows = np.arange(len(from_index))
    matrix[rows, from_index] = 1.0
    matrix[rows, to_index] -= 1.0
    return matrix


def ptdf(
    from_index: IntArray, to_index: IntArray, b_pu: FloatArray, n_bus: int, reference: int = 0
) -> FloatArray:
    """Power transfer distribution factors: flow on each branch per injection at each bus [1]_.

    Parameters
    ----------
    from_index, to_index : ndarray of int
        Bus index at both ends of each branch. Flow is positive from the first to the second.
    b_pu : ndarray
        Series susceptance 1 / (x · tap ratio) of each branch, not zero. [pu]
    n_bus : int
        Number of buses, all connected to each other by branches.
    reference : int
        Bus that takes up the imbalance of the injections; its column is zero.

    Returns
    -------
    ndarray
        Matrix H, shape (n_branch, n_bus), with ``flow_mw = H @ injection_mw``. It does not depend on the
        reference as long as the injections sum to zero.

    Raises
    ------
    ValueError
        If the network is not connected.

    Notes
    -----
    With A the branch-bus incidence and B = diag(b): flows B A θ, injections Aᵀ B A θ, so that
    H = B A (Aᵀ B A)⁻¹ with the reference's row and column left out. Resistance and charging are neglected,
    voltages are 1 pu and angle differences small.

    References
    ----------
    .. [1] A. J. Wood, B. F. Wollenberg, G. B. Sheblé, Power Generation, Operation, and Control, 3rd ed.,
       Wiley, 2013, chapter 7.

    Examples
    --------
    Two of three equal lines in a triangle are in series, so one third of a transfer takes the long way:

    >>> triangle = ptdf(np.array([0, 1, 0]), np.array([1, 2, 2]), np.ones(3), 3, reference=2)
    >>> np.round(triangle @ np.array([3.0, 0.0, -3.0]), 9)
    array([1., 1., 2.])
    """
    matrix = np.zeros((len(from_index), n_bus))
    others = np.delete(np.arange(n_bus), reference)
    if not others.size:
        return matrix
    if island_of(from_index, to_index, n_bus).any():
        msg = f"the {n_bus} buses are not all connected: no transfer factors exist between islands"
        raise ValueError(msg)
    ends = _sparse_incidence(from_index, to_index, n_bus)[:, others]
    branch = csc_array(ends.multiply(b_pu[:, None]))
    # The nodal matrix is symmetric, so that solving for the rows of `branch` gives the rows of the result.
    matrix[:, others] = splu(csc_array(ends.T @ branch)).solve(branch.toarray().T).T
    matrix[np.abs(matrix) < ROUNDING] = 0.0
    return matrix


def flow_offset(
    transfer: FloatArray,
    from_index: IntArray,
    to_index: IntArray,
    b_pu: FloatArray,
    shift_degree: FloatArray,
    base_mva: float,
) -> FloatArray:
    """Flow that phase shifters drive on each branch without any injection.

    Parameters
    ----------
    transfer : ndarray
        Transfer factors H of the branches, see `ptdf`, shape (n_branch, n_bus).
    from_index, to_index : ndarray of int
        Bus index at both ends of each branch.
    b_pu : ndarray
        Series susceptance 1 / (x · tap ratio) of each branch. [pu]
    shift_degree : ndarray
        Phase shift φ at the from bus; a positive one delays, as in MATPOWER. [degree]
    base_mva : float
        Base of `b_pu`. [MVA]

    Returns
    -------
    ndarray
        Offset f₀ of each branch, so that ``flow_mw = H @ injection_mw + f₀``. [MW]

    Notes
    -----
    A branch carries f = b (θ_from − θ_to − φ). A shift therefore acts as an injection b φ at its from bus and
    −b φ at its to bus, less b φ on the branch itself: f₀ = H Aᵀ B φ − B φ [1]_.

    References
    ----------
    .. [1] R. D. Zimmerman, C. E. Murillo-Sánchez, MATPOWER User's Manual, version 8, section 3.7.

    Examples
    --------
    A shift in a ring of three equal lines drives power around it:

    >>> start, end = np.array([0, 1, 2]), np.array([1, 2, 0])
    >>> ring = ptdf(start, end, np.full(3, 10.0), 3)
    >>> np.round(flow_offset(ring, start, end, np.full(3, 10.0), np.array([3.0, 0.0, 0.0]), 100.0), 3)
    array([-17.453, -17.453, -17.453])
    """
    offset = np.zeros(len(b_pu))
    at = np.flatnonzero(shift_degree)
    if at.size:
        driven = b_pu[at] * np.deg2rad(shift_degree[at]) * base_mva
        offset = (transfer[:, from_index[at]] - transfer[:, to_index[at]]) @ driven
        offset[at] -= driven
        # What is only rounding of terms that cancel is no flow.
        offset[np.abs(offset) < ROUNDING * np.abs(driven).sum()] = 0.0
    return offset


def _sparse_incidence(from_index: IntArray, to_index: IntArray, n_bus: int) -> csc_array:
    """Branch-bus incidence matrix as `incidence` gives it, sparse."""
    rows = np.arange(len(from_index))
    value = np.concatenate([np.ones(len(rows)), -np.ones(len(rows))])
    place = np.concatenate([rows, rows]), np.concatenate([from_index, to_index])
    return csc_array((value, place), shape=(len(rows), n_bus))


def island_of(from_index: IntArray, to_index: IntArray, n_bus: int) -> IntArray:
    """Number of the island each bus lies in; the island of bus 0 is 0.

    Examples
    --------
    >>> island_of(np.array([0, 2]), np.array([1, 3]), 5)
    array([0, 0, 1, 1, 2])
    """
    links = csc_array((np.ones(len(from_index)), (from_index, to_index)), shape=(n_bus, n_bus))
    island: IntArray = connected_components(links, directed=False)[1].astype(np.int64)
    return island
