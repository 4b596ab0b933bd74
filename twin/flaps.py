"""Moves and pauses that were soon undone: what hysteresis is there to prevent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin.record import SimulationRecord

S_PER_H = 3600.0


def count_flaps(record: SimulationRecord, within_h: float = 6.0) -> int:
    """Count how often a job that had moved or paused did so again soon after.

    Parameters
    ----------
    record : SimulationRecord
        A run.
    within_h : float
        Time from the end of one move or pause to the begin of the next of the same job, below which the
        second is a flap. [h]

    Returns
    -------
    int
        Number of flaps.
    """
    ends = [record.transfers["resumed_s"], record.pauses["resumed_s"]]
    table = pd.DataFrame(
        {
            "job": np.concatenate([record.transfers["job"], record.pauses["job"]]),
            "begun_s": np.concatenate([record.transfers["begun_s"], record.pauses["begun_s"]]),
            "end_s": np.concatenate(ends),
        }
    ).sort_values(["job", "begun_s"], kind="stable")
    before = table.groupby("job")["end_s"].shift()
    return int((table["begun_s"] - before < within_h * S_PER_H).sum())


def count_returns(record: SimulationRecord) -> int:
    """Count how often a job went back to the site that its move before had begun at.

    Parameters
    ----------
    record : SimulationRecord
        A run.

    Returns
    -------
    int
        Number of moves that undid the one before, however long after.
    """
    table = record.transfers.sort_values(["job", "begun_s"], kind="stable")
    return int((table["dest"] == table.groupby("job")["source"].shift()).sum())
