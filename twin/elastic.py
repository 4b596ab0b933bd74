"""Elastic jobs: speed on more or fewer GPUs than recorded, and how to divide GPUs among such jobs."""

from __future__ import annotations

import numpy as np

from twin._arrays import ArrayLike, FloatArray, IntArray
from weather import Findings

COMMUNICATION: dict[str, float] = {"resnet101": 0.11, "inception_v3": 0.11, "vgg16": 0.47}
"""Time of exchanging gradients over that of computing, with many GPUs and the batch of each as it is: from
0.90 and 0.68 of linear scaling on 512 GPUs of the P100's time over 25 Gbit/s [horovod]_ (derived). [1]"""

DEFAULT_COMMUNICATION = 0.11
"""That of ResNet-101. [1]"""


def scaling_efficiency(n_gpus: ArrayLike, communication: ArrayLike = DEFAULT_COMMUNICATION) -> FloatArray:
    """Speed per GPU over that of a GPU alone, each with the batch it has alone.

    Parameters
    ----------
    n_gpus
        GPUs.
    communication
        Time of exchanging gradients over that of computing, with many GPUs, c. [1]

    Returns
    -------
    ndarray
        1 / (1 + c · (1 − 1/n)). [1]

    Notes
    -----
    A ring of n GPUs sends 2 · (1 − 1/n) of the gradients over each link, and computing takes as long as
    alone. So the loss does not grow beyond c.

    References
    ----------
    .. [1] Horovod, docs/benchmarks.rst, github.com/horovod/horovod.

    Examples
    --------
    >>> scaling_efficiency([1, 512], 0.47).round(2).tolist()
    [1.0, 0.68]
    """
    n, c = np.asarray(n_gpus, dtype=np.float64), np.asarray(communication, dtype=np.float64)
    _check(n, c)
    efficiency: FloatArray = 1.0 / (1.0 + c * (1.0 - 1.0 / n))
    return efficiency


def relative_speed(
    n_gpus: ArrayLike,
    recorded_gpus: ArrayLike,
    communication: ArrayLike = DEFAULT_COMMUNICATION,
    *,
    batch: str = "fixed",
) -> FloatArray:
    """Speed of a job over that on the GPUs it was recorded on.

    Parameters
    ----------
    n_gpus
        GPUs it has now.
    recorded_gpus
        GPUs with which its work was recorded, n0.
    communication
        Time of exchanging gradients over that of computing, with many GPUs, on `recorded_gpus`, c. [1]
    batch
        "fixed": all GPUs together keep the batch, so that the result stays what it was, and each computes
        n0 / n of it. "per_gpu": each GPU keeps its batch; the steps needed are taken to fall in proportion,
        which holds only while batches are small (an upper bound).

    Returns
    -------
    ndarray
        With C = c · (1 − 1/n) and C0 that of n0: (1 + C0) / (n0 / n + C), or n / n0 · (1 + C0) / (1 + C). [1]

    Raises
    ------
    InputError
        Where GPUs are below 1, c is negative, or `batch` is not one of the two.

    Examples
    --------
    Half and twice the GPUs of a job recorded on 8:

    >>> relative_speed([4, 8, 16], 8).round(3).tolist()
    [0.526, 1.0, 1.818]
    """
    n, n0, c = (np.asarray(x, dtype=np.float64) for x in (n_gpus, recorded_gpus, communication))
    _check(n, c)
    _check(n0, c)
    exchange, recorded = c * (1.0 - 1.0 / n), 1.0 + c * (1.0 - 1.0 / n0)
    speed: FloatArray
    if batch == "fixed":
        speed = recorded / (n0 / n + exchange)
    elif batch == "per_gpu":
        speed = n / n0 * recorded / (1.0 + exchange)
    else:
        findings = Findings()
        findings.add("batch", f"is {batch!r}", "choose fixed or per_gpu")
        findings.raise_if_any("elastic jobs")
    return speed


def work_factor(
    n_gpus: ArrayLike, recorded_gpus: ArrayLike, communication: ArrayLike = DEFAULT_COMMUNICATION
) -> FloatArray:
    """GPU-hours that a job takes over those recorded, at the same total batch.

    Parameters
    ----------
    n_gpus, recorded_gpus, communication
        As of `relative_speed`.

    Returns
    -------
    ndarray
        n / n0 over the relative speed: above 1 on more GPUs, below on fewer, as their energy is. [1]

    Examples
    --------
    >>> work_factor([4, 8, 16], 8).round(3).tolist()
    [0.95, 1.0, 1.1]
    """
    n, n0 = np.asarray(n_gpus, dtype=np.float64), np.asarray(recorded_gpus, dtype=np.float64)
    factor: FloatArray = n / n0 / relative_speed(n, n0, communication)
    return factor


def share_gpus(
    n_free: int,
    min_gpus: IntArray,
    max_gpus: IntArray,
    recorded_gpus: IntArray,
    communication: ArrayLike = DEFAULT_COMMUNICATION,
) -> IntArray:
    """Divide free GPUs among elastic jobs so that they get most done per hour.

    Parameters
    ----------
    n_free
        GPUs to divide.
    min_gpus, max_gpus
        Fewest and most GPUs of each job; jobs in the order in which they are served.
    recorded_gpus, communication
        As of `relative_speed`; c below the recorded GPUs.

    Returns
    -------
    ndarray of int
        GPUs of each job, 0 where its fewest were not left. First every job gets its fewest, in order; what is
        left goes one by one to the job that gains most recorded GPU-hours per hour by one more. As that gain
        falls with every GPU, this is the best there is for the jobs that run.

    Raises
    ------
    InputError
        With every finding: a range that is empty or begins below 1, arrays of different length, a negative
        number of free GPUs.

    Examples
    --------
    Two jobs recorded on 8 GPUs, of which the second exchanges more:

    >>> eight = np.array([8, 8])
    >>> share_gpus(14, eight // 4, eight * 2, eight, [0.11, 0.47]).tolist()
    [9, 5]
    """
    least, most, recorded = (np.asarray(x, dtype=np.int64) for x in (min_gpus, max_gpus, recorded_gpus))
    c = np.broadcast_to(np.asarray(communication, dtype=np.float64), least.shape)
    _check_ranges(n_free, least, most, recorded, c)
    taken, left = np.zeros(len(least), dtype=np.int64), n_free
    for row in np.flatnonzero(least <= n_free):
        if least[row] <= left:
            taken[row] = least[row]
            left -= int(least[row])
    runs = np.flatnonzero(taken > 0)
    more = np.minimum(most - least, left)[runs]
    job = np.repeat(runs, more)
    if not job.size:
        return taken
    before = least[job] + np.arange(job.size) - np.repeat(np.cumsum(more) - more, more)

    def rate(n: IntArray) -> FloatArray:
        return np.asarray(recorded[job] * relative_speed(n, recorded[job], c[job]))

    best = np.argsort(-(rate(before + 1) - rate(before)), kind="stable")[:left]
    return np.asarray(taken + np.bincount(job[best], minlength=len(taken)), dtype=np.int64)


def _check(n: FloatArray, c: FloatArray) -> None:
    findings = Findings()
    if not np.all(n >= 1.0):
        findings.add("n_gpus", f"reach down to {np.min(n)}", "give at least 1 GPU")
    if not np.all((c >= 0.0) & np.isfinite(c)):
        findings.add("communication", f"reaches down to {np.min(c)}", "give finite values of at least 0")
    findings.raise_if_any("elastic jobs")


def _check_ranges(n_free: int, least: IntArray, most: IntArray, recorded: IntArray, c: FloatArray) -> None:
    findings = Findings()
    if n_free < 0:
        findings.add("n_free", f"is {n_free}", "give at least 0 GPUs")
    if not least.shape == most.shape == recorded.shape:
        findings.add("jobs", f"{least.size}, {most.size} and {recorded.size} values", "give one for each job")
    elif np.any(least < 1) or np.any(most < least):
        findings.add("min_gpus, max_gpus", "have ranges that are empty or begin below 1", "1 <= min <= max")
    elif np.any(c >= recorded):
        findings.add(
            "communication", "is not below the recorded GPUs", "such a job gains nothing by more GPUs"
        )
    findings.raise_if_any("elastic jobs")
