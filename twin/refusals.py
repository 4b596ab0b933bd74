"""The audit of refused moves: every one with its margin, and what they come to by reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pydantic import JsonValue

from twin.feasibility import REFUSALS
from twin.record import SimulationRecord

UNITS = {
    "time": "s",
    "energy": "s",
    "deadline": "s",
    "stay": "s",
    "capacity": "GPUs",
    "link": "Gbit/s",
    "memory": "GB",
    "gain": "MW/MW",
    "chance": "1",
}
"""Unit of the margin by reason."""

QUANTILES = (0.1, 0.5, 0.9)
"""Quantiles of the margin by reason."""


def refusals(record: SimulationRecord) -> pd.DataFrame:
    """Return the single refusals of a run in order of time.

    A refusal that repeats the job's last one, for the same destination and reason, is not there again.

    Parameters
    ----------
    record : SimulationRecord
        What the run left.

    Returns
    -------
    pandas.DataFrame
        policy, time [UTC], time_s, job_id, source, dest (names of sites), reason, margin (below 0), unit
        (that of the margin), n_gpus, work_gpu_h (all work of the job at the reference device), moved_later
        (whether the job moved at this time or after, to any site).
    """
    rows = record.events[record.events["kind"] == "move_refused"]
    job, time_s = rows["job"].to_numpy(dtype=np.int64), rows["time_s"].to_numpy(dtype=np.float64)
    names, moves = np.array(record.site_names, dtype=object), record.transfers
    last_move_s = np.full(len(record.jobs), -np.inf)
    np.maximum.at(last_move_s, moves["job"].to_numpy(dtype=np.int64), moves["begun_s"].to_numpy())
    reason = rows["reason"].to_numpy(dtype=object)
    start = record.time[0]
    return pd.DataFrame(
        {
            "policy": np.full(len(rows), record.policy, dtype=object),
            "time": start + pd.to_timedelta(time_s, unit="s"),
            "time_s": time_s,
            "job_id": rows["job_id"].to_numpy(),
            "source": names[rows["site"].to_numpy(dtype=np.int64)],
            "dest": names[rows["dest"].to_numpy(dtype=np.int64)],
            "reason": reason,
            "margin": rows["value"].to_numpy(dtype=np.float64),
            "unit": np.array([UNITS[name] for name in reason], dtype=object),
            "n_gpus": record.jobs["n_gpus"].to_numpy()[job],
            "work_gpu_h": record.jobs["work_gpu_h"].to_numpy()[job],
            "moved_later": last_move_s[job] >= time_s,
        }
    )


def refusals_by_reason(table: pd.DataFrame) -> pd.DataFrame:
    """Return what refusals come to by policy and reason.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`refusals`, of one policy or several.

    Returns
    -------
    pandas.DataFrame
        policy, reason, refusals, jobs (distinct), gpu_h (all work of these jobs), jobs_moved_later (of
        these, after their last refusal for this reason or at its time), margin_p10, margin_p50, margin_p90
        and unit. Unbounded margins count as the lowest. Reasons in the order of `twin.feasibility.REFUSALS`.
    """
    rows = []
    for (policy, reason), part in table.groupby(["policy", "reason"], sort=False):
        last = part.drop_duplicates("job_id", keep="last")
        marks = np.quantile(part["margin"].to_numpy(), QUANTILES, method="inverted_cdf")
        row = {
            "policy": policy,
            "reason": reason,
            "refusals": len(part),
            "jobs": len(last),
            "gpu_h": float(last["work_gpu_h"].sum()),
            "jobs_moved_later": int(last["moved_later"].sum()),
        }
        margins = {f"margin_p{100 * q:.0f}": float(x) for q, x in zip(QUANTILES, marks, strict=True)}
        rows.append({**row, **margins, "unit": UNITS[str(reason)]})
    columns = ["policy", "reason", "refusals", "jobs", "gpu_h", "jobs_moved_later"]
    columns += [f"margin_p{100 * q:.0f}" for q in QUANTILES] + ["unit"]
    made = pd.DataFrame(rows, columns=columns)
    policy_order = {name: i for i, name in enumerate(dict.fromkeys(table["policy"]))}
    order = made["policy"].map(policy_order) * len(REFUSALS) + made["reason"].map(REFUSALS.index)
    return made.iloc[np.argsort(order.to_numpy(dtype=np.int64), kind="stable")].reset_index(drop=True)


def refusal_counts(by_reason: pd.DataFrame, policies: Sequence[str]) -> dict[str, JsonValue]:
    """Return the counts of :func:`refusals_by_reason` by policy and reason, for ``summary.json``."""
    counts: dict[str, JsonValue] = {}
    for policy in policies:
        part = by_reason[by_reason["policy"] == policy]
        counts[policy] = {
            str(row["reason"]): {
                "refusals": int(row["refusals"]),
                "jobs": int(row["jobs"]),
                "gpu_h": float(row["gpu_h"]),
                "jobs_moved_later": int(row["jobs_moved_later"]),
            }
            for _, row in part.iterrows()
        }
    return counts
