"""Periodic checkpoints: how often to save, what a failure loses, how long a job takes with failures."""

from __future__ import annotations

import numpy as np

from twin._arrays import ArrayLike, FloatArray
from weather import Findings

S_PER_H = 3600.0

DEFAULT_MTBF_GPU_H = 50_000.0
"""Mean time between failures of one device and its share of all else: 50,700 on 16,384 H100 in 54 days
[llama3]_ (derived), down to 8,000 elsewhere (recalled). [GPU-h]"""


def job_mtbf_s(n_gpus: ArrayLike, mtbf_gpu_h: float = DEFAULT_MTBF_GPU_H) -> FloatArray:
    """Mean time between failures of a job that any of its devices stops.

    Parameters
    ----------
    n_gpus
        Devices of the job.
    mtbf_gpu_h
        Mean time between failures of one device. [GPU-h]

    Returns
    -------
    ndarray
        mtbf / n. [s]

    Examples
    --------
    >>> float(job_mtbf_s(1000)) / 3600.0
    50.0
    """
    return np.asarray(mtbf_gpu_h * S_PER_H / np.asarray(n_gpus, dtype=np.float64))


def young_interval_s(save_s: ArrayLike, mtbf_s: ArrayLike) -> FloatArray:
    """Work between two checkpoints that loses least time, to first order [1]_.

    Parameters
    ----------
    save_s
        Time to write a checkpoint, in which the job stands. [s]
    mtbf_s
        Mean time between failures. [s]

    Returns
    -------
    ndarray
        sqrt(2 · C · M). [s]

    References
    ----------
    .. [1] J. W. Young, A first order approximation to the optimum checkpoint interval, CACM 17(9), 1974.

    Examples
    --------
    >>> float(young_interval_s(50.0, 10_000.0))
    1000.0
    """
    save, mtbf = _positive(save_s=save_s, mtbf_s=mtbf_s)
    return np.asarray(np.sqrt(2.0 * save * mtbf))


def daly_interval_s(save_s: ArrayLike, mtbf_s: ArrayLike) -> FloatArray:
    """Work between two checkpoints that loses least time, to higher order [1]_.

    Parameters
    ----------
    save_s
        Time to write a checkpoint, in which the job stands. [s]
    mtbf_s
        Mean time between failures. [s]

    Returns
    -------
    ndarray
        sqrt(2·C·M) · (1 + sqrt(C/2M)/3 + C/2M/9) − C for C < 2M, else M. [s]

    References
    ----------
    .. [1] J. T. Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS 22,
       2006, eq. 37.

    Examples
    --------
    >>> round(float(daly_interval_s(50.0, 10_000.0)), 1)
    966.9
    """
    save, mtbf = _positive(save_s=save_s, mtbf_s=mtbf_s)
    x = save / (2.0 * mtbf)
    series = np.sqrt(2.0 * save * mtbf) * (1.0 + np.sqrt(x) / 3.0 + x / 9.0) - save
    return np.asarray(np.where(x < 1.0, series, mtbf))


def lost_by_failure_s(interval_s: ArrayLike, save_s: ArrayLike, mtbf_s: ArrayLike) -> FloatArray:
    """Time between the last finished checkpoint and a failure, on average over failures.

    Parameters
    ----------
    interval_s
        Work between two checkpoints. [s]
    save_s
        Time to write one; a failure while it is written loses it. [s]
    mtbf_s
        Mean time between failures, which are independent of each other and of the job. [s]

    Returns
    -------
    ndarray
        M − L / (exp(L/M) − 1) with L = interval + save; L/2 where failures are rare. [s]

    Notes
    -----
    The mean of an exponential time, given that it is below L. A job that must leave at once, without time to
    save, loses as much, less the part in which it was saving.

    Examples
    --------
    >>> round(float(lost_by_failure_s(3550.0, 50.0, 180_000.0)))  # 1000 devices, one checkpoint an hour
    1794
    """
    interval, save, mtbf = _positive(interval_s=interval_s, save_s=save_s, mtbf_s=mtbf_s)
    length = interval + save
    x = length / mtbf
    # Below, both terms are near M and their difference drowns: the series has the same value to 1e-12 there.
    rare = x < 1e-3
    with np.errstate(over="ignore"):
        exact = mtbf - length / np.expm1(np.where(rare, 1.0, x))
    return np.asarray(np.where(rare, length * (0.5 - x / 12.0), exact))


def expected_run_s(
    work_s: ArrayLike,
    interval_s: ArrayLike,
    save_s: ArrayLike,
    restart_s: ArrayLike,
    mtbf_s: ArrayLike,
) -> FloatArray:
    """Time a job takes on average with failures and periodic checkpoints [1]_.

    Parameters
    ----------
    work_s
        Time it would take with neither. [s]
    interval_s
        Work between two checkpoints. [s]
    save_s
        Time to write one. [s]
    restart_s
        From a failure to work again: to notice it, start up and load. [s]
    mtbf_s
        Mean time between failures, also while restarting. [s]

    Returns
    -------
    ndarray
        M · exp(R/M) · (exp((τ + C)/M) − 1) · W/τ, inf where it overflows. [s]

    References
    ----------
    .. [1] J. T. Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS 22,
       2006, eq. 20.

    Examples
    --------
    A day on 1000 devices, hourly checkpoints of 50 s, 5 minutes to restart: 1.4 % for saving and 1.2 % for
    failures.

    >>> round(float(expected_run_s(86400.0, 3600.0, 50.0, 300.0, 180_000.0)) / 86400.0, 4)
    1.0259
    """
    work, interval, save, mtbf = _positive(work_s=work_s, interval_s=interval_s, save_s=save_s, mtbf_s=mtbf_s)
    (restart,) = _positive(restart_s=restart_s)
    with np.errstate(over="ignore"):
        segment = mtbf * np.exp(restart / mtbf) * np.expm1((interval + save) / mtbf)
        return np.asarray(segment * (work / interval))


def _positive(**values: ArrayLike) -> tuple[FloatArray, ...]:
    """Return arrays, or raise what of them is negative or no number; intervals and rates must be above 0."""
    findings = Findings()
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    for name, array in arrays.items():
        above = name in {"interval_s", "mtbf_s"}
        fits = (array > 0.0 if above else array >= 0.0) & np.isfinite(array)
        if not np.all(fits):
            what = "above 0 s" if above else "at least 0 s"
            findings.add(name, "has values that are negative, zero or not finite", f"give {what}")
    findings.raise_if_any("checkpoints")
    return tuple(arrays.values())
