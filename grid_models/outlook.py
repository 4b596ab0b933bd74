"""Honest outlook on signals: from what has been published by now, and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from grid_models._arrays import FloatArray, IntArray
from weather import Findings


def persistence_outlook(
    history: FloatArray, n_ahead: int, steps_per_day: int, tau_steps: float
) -> FloatArray:
    """Persistence that decays to the daily profile of the past.

    Parameters
    ----------
    history : numpy.ndarray
        Values up to and including now, oldest first, shape (step, site); at least one step. [any unit]
    n_ahead : int
        Number of steps in the outlook, the present one included.
    steps_per_day : int
        Steps in a day.
    tau_steps : float
        Time constant of the decay, above 0. [steps]

    Returns
    -------
    numpy.ndarray
        Expected values, shape (n_ahead, site); row 0 is now, row h lies h steps ahead. [unit of history]

    Notes
    -----
    With h steps ahead: e^(−h/τ) · now + (1 − e^(−h/τ)) · mean over past days of the same step of the day.
    Where the history holds no such step yet (it is shorter than a day), the mean of all of it stands in.

    Examples
    --------
    A day of two steps, three days of history ending in the second step of a day:

    >>> past = np.array([[4.0], [0.0], [6.0], [0.0], [8.0], [1.0]])
    >>> np.round(persistence_outlook(past, 3, steps_per_day=2, tau_steps=1e-9), 6)
    array([[1.        ],
           [6.        ],
           [0.333333]])
    """
    findings = Findings()
    if history.ndim != 2 or not len(history):
        findings.add("history", f"shape {history.shape}, expected (step, site)", "give at least one step")
    elif not np.isfinite(history).all():
        findings.add("history", f"{int((~np.isfinite(history)).sum())} values are not finite", "fill them")
    if n_ahead < 0 or steps_per_day < 1 or not tau_steps > 0:
        what = f"n_ahead={n_ahead}, steps_per_day={steps_per_day}, tau_steps={tau_steps}"
        findings.add("outlook", what, "give n_ahead >= 0, steps_per_day >= 1 and tau_steps > 0")
    findings.raise_if_any("persistence outlook")
    return fading(history[-1], _daily_profile(history, steps_per_day), n_ahead, tau_steps)


def fading(now: FloatArray, profile: FloatArray, n_ahead: int, tau_steps: float) -> FloatArray:
    """Present values that fade into a profile, `persistence_outlook` without its checks.

    Parameters
    ----------
    now : ndarray (site)
        Present values. [any unit]
    profile : ndarray (step of the day, site)
        What they fade into, beginning with the step after now; it comes again where the outlook is longer.
    n_ahead : int
        Number of steps in the outlook, the present one included.
    tau_steps : float
        Time constant of the decay. [steps]

    Returns
    -------
    ndarray (n_ahead, site)
        Expected values.
    """
    weight, rest, row = _fade(n_ahead, tau_steps, len(profile))
    expected: FloatArray = weight * now + rest * profile[row]
    return expected


@lru_cache(maxsize=32)
def _fade(n_ahead: int, tau_steps: float, n_profile: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Weights of the present and of the profile, and rows of the profile."""
    ahead = np.arange(n_ahead)
    weight = np.exp(-ahead / tau_steps)[:, None]
    return weight, 1.0 - weight, (ahead - 1) % n_profile


def daily_means(values: FloatArray, steps_per_day: int, n_days: int) -> FloatArray:
    """Mean of each step and the same step of some days before, as far as there are any.

    Parameters
    ----------
    values : ndarray (step, site)
        Values. [any unit]
    steps_per_day : int
        Steps in a day.
    n_days : int
        Days that count, at least 1, the present one included.

    Returns
    -------
    ndarray (step, site)
        Row t depends on rows up to t only: rows t + 1 − `steps_per_day` to t are the daily profile that
        `persistence_outlook` takes from the `n_days` days up to t. [unit of values]
    """
    total = np.zeros_like(values)
    for days_ago in range(n_days - 1, -1, -1):
        lag = days_ago * steps_per_day
        total[lag:] += values[: max(len(values) - lag, 0)]
    count = np.minimum(np.arange(len(values)) // steps_per_day + 1, n_days)
    means: FloatArray = total / count[:, None]
    return means


def _daily_profile(history: FloatArray, steps_per_day: int) -> FloatArray:
    """Return the mean over past days of each step of the day, beginning with the step after now."""
    n_step, n_site = history.shape
    n_day = -(-n_step // steps_per_day)
    if n_step % steps_per_day == 0:
        whole: FloatArray = history.reshape(n_day, steps_per_day, n_site).mean(axis=0)
        return whole
    padded = np.full((n_day * steps_per_day, n_site), np.nan)
    padded[len(padded) - n_step :] = history
    days = padded.reshape(n_day, steps_per_day, n_site)
    is_known = ~np.isnan(days)
    count = is_known.sum(axis=0)
    total = np.where(is_known, days, 0.0).sum(axis=0)
    mean_of_all = history.mean(axis=0)
    profile: FloatArray = np.where(count > 0, total / np.maximum(count, 1), mean_of_all)
    return profile
