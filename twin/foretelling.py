"""What was foretold of a run's signals, and by when it was known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin._arrays import IntArray
from twin.scenario_model import GridSection


def day_ahead_section(section: GridSection) -> GridSection:
    """Return a grid as it was forecast the day before: its recorded day-ahead series.

    Parameters
    ----------
    section : GridSection
        The grid as it came.

    Returns
    -------
    GridSection
        The same grid with the day-ahead series of generation and load.
    """
    weather = section.weather.model_copy(update={"source": "recorded", "series": "day_ahead"})
    load = section.load.model_copy(update={"series": "day_ahead"})
    return section.model_copy(update={"weather": weather, "load": load})


def day_ahead_known_until(time: pd.DatetimeIndex, utc_offset_h: float, issued_h: float) -> IntArray:
    """First step that had not been foretold by the start of each step.

    Parameters
    ----------
    time : DatetimeIndex
        Starts of the steps, equally spaced. [UTC]
    utc_offset_h : float
        Local standard time minus UTC. [h]
    issued_h : float
        Local standard time at which the forecast of the next day is published. [h]

    Returns
    -------
    ndarray of int (step)
        Position on the axis: until the end of the local day, from `issued_h` on until that of the next.

    Examples
    --------
    >>> day_ahead_known_until(pd.date_range("2020-01-01", periods=4, freq="12h", tz="UTC"), 0.0, 12.0)
    array([2, 4, 4, 4])
    """
    local = time + pd.Timedelta(hours=utc_offset_h)
    day = local.floor("D")
    is_issued = local - day >= pd.Timedelta(hours=issued_h)
    end = day + pd.to_timedelta(np.where(is_issued, 2, 1), unit="D")
    return np.asarray(local.searchsorted(end), dtype=np.int64)
