"""Members of an outlook: what may come, from how past days differed from what was foretold of them."""

from __future__ import annotations

import numpy as np

from twin._arrays import FloatArray


def outlook_members(
    actual: FloatArray,
    told: FloatArray | None,
    known_until: int,
    now: int,
    n_ahead: int,
    *,
    n_members: int,
    per_day: int,
    tau_steps: float,
) -> FloatArray:
    """Return equally likely courses of signals from now on, one for each of the last days.

    Where the signals were foretold, a member is what was foretold and the error that the forecast had at the
    same hour some days ago. Beyond, it is the present value fading into that day's. So members keep how
    errors hang together over hours, sites and signals, and hold nothing but what was published.

    Parameters
    ----------
    actual : ndarray (step, column)
        Signals as they came; nothing after `now` is read.
    told : ndarray (step, column) or None
        The same signals as foretold; None where nothing is.
    known_until : int
        First step that is not foretold.
    now : int
        Step of the present.
    n_ahead : int
        Steps of a member; the first one is now.
    n_members : int
        Members wanted. There are fewer where the past is short.
    per_day : int
        Steps in a day.
    tau_steps : float
        Time constant of persistence. [steps]

    Returns
    -------
    ndarray (member, step ahead, column)
        None at all where the past is shorter than the look ahead and a day.

    Examples
    --------
    Two steps a day. A forecast of 5 that was 1 too low two days ago, and right three days ago:

    >>> actual = np.array([[5.0], [2.0], [6.0], [2.0], [5.0], [2.0], [5.0], [np.nan]])
    >>> told = np.array([[5.0], [2.0], [5.0], [2.0], [5.0], [2.0], [5.0], [7.0]])
    >>> outlook_members(actual, told, 8, 6, 2, n_members=2, per_day=2, tau_steps=6.0)[:, :, 0]
    array([[5., 7.],
           [5., 7.]])
    """
    whole_days = -(-(n_ahead - 1) // per_day)
    lag = per_day * (np.arange(n_members) + max(whole_days, 1))
    lag = lag[lag <= now]
    ahead = np.arange(n_ahead)
    before = actual[now + ahead - lag[:, None]]
    fade = np.exp(-ahead / tau_steps)[:, None]
    members = fade * actual[now] + (1.0 - fade) * before
    end = min(known_until - now, n_ahead)
    if told is not None and end > 1:
        past = now + ahead[1:end] - lag[:, None]
        members[:, 1:end] = told[now + 1 : now + end] + actual[past] - told[past]
    members[:, 0] = actual[now]
    return np.asarray(members)
