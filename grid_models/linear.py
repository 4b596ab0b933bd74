"""Linear (DC) network model: how injections at buses make flows on lines. Pure numpy."""

from __future__ import annotations

import numpy as np

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
    others = np.delete(np.arange(n_bus), reference)
    branch = incidence(from_index, to_index, n_bus) * b_pu[:, None]
    matrix = np.zeros((len(from_index), n_bus))
    if not others.size:
        return matrix
    nodal = (incidence(from_index, to_index, n_bus).T @ branch)[np.ix_(others, others)]
    if island_of(from_index, to_index, n_bus).any():
        msg = f"the {n_bus} buses are not all connected: no transfer factors exist between islands"
        raise ValueError(msg)
    matrix[:, others] = np.linalg.solve(nodal.T, branch[:, others].T).T
    matrix[np.abs(matrix) < ROUNDING] = 0.0
    return matrix


def island_of(from_index: IntArray, to_index: IntArray, n_bus: int) -> IntArray:
    """Number of the island each bus lies in; the island of bus 0 is 0.

    Examples
    --------
    >>> island_of(np.array([0, 2]), np.array([1, 3]), 5)
    array([0, 0, 1, 1, 2])
    """
    root = np.arange(n_bus)
    while True:
        low = np.minimum(root[from_index], root[to_index])
        new = root.copy()
        np.minimum.at(new, from_index, low)
        np.minimum.at(new, to_index, low)
        if np.array_equal(new, root):
            return np.unique(root, return_inverse=True)[1].astype(np.int64)
        root = new
