"""Batteries at sites: what they hold, what they lose, and the rule by which they charge and discharge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from twin._arrays import FloatArray, IntArray
from twin.racks import check_lengths
from weather import Findings

ROUND_TRIP = 0.85
"""AC to AC, of utility-scale lithium-ion batteries in NREL's Annual Technology Baseline [atb]_."""

BATTERY_VARIABLES = {
    "battery_charge_p_mw": ("MW", "time: mean", "drawn at the meter to charge the battery"),
    "battery_discharge_p_mw": ("MW", "time: mean", "given by the battery to the site"),
    "battery_loss_p_mw": ("MW", "time: mean", "lost in charging and discharging"),
    "battery_change_p_mw": ("MW", "time: mean", "stored energy gained over the step, per hour"),
    "battery_stored_mwh": ("MWh", "time: point", "stored energy at the start"),
}
"""Per signal step and site, where a site has a battery: unit, cell method, meaning."""


@dataclass(frozen=True, eq=False)
class BatteryTable:
    """Batteries of sites as arrays, one entry per site; not multiplied by `fleet_scale`.

    Attributes
    ----------
    capacity_mwh : ndarray (site)
        Energy it can hold; 0 where there is none. [MWh]
    p_mw : ndarray (site)
        Most it charges or discharges with, at the meter. [MW]
    efficiency : ndarray (site)
        Of a round trip from meter to meter; its square root each way. [1]
    initial_share : ndarray (site)
        Stored energy at the start of the run over capacity. [1]
    """

    capacity_mwh: FloatArray
    p_mw: FloatArray
    efficiency: FloatArray
    initial_share: FloatArray

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        check_lengths("batteries", {f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def of(
        cls,
        capacity_mwh: Sequence[float],
        p_mw: Sequence[float],
        *,
        efficiency: Sequence[float] | None = None,
        initial_share: Sequence[float] | None = None,
    ) -> BatteryTable:
        """Make a table from sequences with a value per site; `ROUND_TRIP` and empty where not given."""
        n = len(capacity_mwh)
        given = [ROUND_TRIP] * n if efficiency is None else efficiency
        begin = [0.0] * n if initial_share is None else initial_share
        return cls(*(np.asarray(v, dtype=np.float64) for v in (capacity_mwh, p_mw, given, begin)))

    def select(self, sites: IntArray) -> BatteryTable:
        """Table of some of the sites."""
        columns = (self.capacity_mwh, self.p_mw, self.efficiency, self.initial_share)
        return BatteryTable(*(column[sites] for column in columns))

    def check(self, names: Sequence[str], findings: Findings) -> None:
        """Add everything that is wrong."""
        columns = {
            "battery_mwh": (self.capacity_mwh, np.inf, " MWh", "at least 0 MWh"),
            "battery_p_mw": (self.p_mw, np.inf, " MW", "at least 0 MW"),
            "battery_efficiency": (self.efficiency, 1.0, "", "above 0 and up to 1"),
            "battery_initial_share": (self.initial_share, 1.0, "", "from 0 to 1"),
        }
        for key, (values, high, unit, span) in columns.items():
            low = values > 0.0 if key == "battery_efficiency" else values >= 0.0
            right = np.isfinite(values) & low & (values <= high)
            for i in np.flatnonzero(~right).tolist():
                findings.add(f"site {names[i]!r}", f"{key}={values[i]:g}{unit}", f"give a number {span}")


@dataclass(frozen=True, eq=False)
class BatteryFlow:
    """What batteries do over a time; powers at the meter. [MW], [MWh]

    Attributes
    ----------
    charge_p_mw, discharge_p_mw : ndarray (site)
        Mean powers; at most one of them is above 0. [MW]
    lost_mwh : ndarray (site)
        Lost on the way in and out. [MWh]
    stored_mwh : ndarray (site)
        Stored afterwards. [MWh]
    """

    charge_p_mw: FloatArray
    discharge_p_mw: FloatArray
    lost_mwh: FloatArray
    stored_mwh: FloatArray


def battery_flow(
    table: BatteryTable,
    stored_mwh: FloatArray,
    load_mw: FloatArray,
    *,
    absorbable_p_mw: FloatArray,
    marginal_curtailment: FloatArray,
    import_limit_mw: FloatArray,
    theta: float,
    hours: float,
) -> BatteryFlow:
    """What the rule lets each battery do over a time.

    Parameters
    ----------
    table : BatteryTable
        The batteries.
    stored_mwh : ndarray (site)
        Stored energy at its start. [MWh]
    load_mw : ndarray (site)
        Mean draw of the site without its battery. [MW]
    absorbable_p_mw : ndarray (site)
        Load that is welcome, the site's own taken out. [MW]
    marginal_curtailment : ndarray (site)
        Curtailment that one more MW relieves. [MW/MW]
    import_limit_mw : ndarray (site)
        Most the site may draw. [MW]
    theta : float
        From which relief on it charges; below, it discharges. [MW/MW]
    hours : float
        Length of the time. [h]

    Returns
    -------
    BatteryFlow
        Stored energy within 0 and capacity; load + charge within import limit and absorbable power; load −
        discharge at least 0.

    Notes
    -----
    With efficiency w each way, the square root of that of a round trip, stored energy grows by w · charge and
    falls by discharge / w.

    Examples
    --------
    Two hours of surplus at a site that draws 2 of the 3 MW that are welcome:

    >>> one = BatteryTable.of([4.0], [5.0], efficiency=[0.81])
    >>> flow = battery_flow(one, np.zeros(1), np.array([2.0]), absorbable_p_mw=np.array([3.0]),
    ...     marginal_curtailment=np.ones(1), import_limit_mw=np.array([np.inf]), theta=0.5, hours=2.0)
    >>> flow.charge_p_mw.item(), round(flow.stored_mwh.item(), 9), round(flow.lost_mwh.item(), 9)
    (1.0, 1.8, 0.2)
    """
    way = np.sqrt(table.efficiency)
    surplus = marginal_curtailment >= theta
    welcome = np.maximum(np.minimum(absorbable_p_mw, import_limit_mw) - load_mw, 0.0)
    room = np.maximum(table.capacity_mwh - stored_mwh, 0.0) / (way * hours)
    charge = np.where(surplus, np.minimum(np.minimum(table.p_mw, welcome), room), 0.0)
    held = stored_mwh * way / hours
    cover = np.minimum(np.minimum(table.p_mw, np.maximum(load_mw, 0.0)), held)
    discharge = np.where(surplus, 0.0, cover)
    lost = (charge * (1.0 - way) + discharge * (1.0 / way - 1.0)) * hours
    after = stored_mwh + (charge * way - discharge / way) * hours
    return BatteryFlow(charge, discharge, lost, np.clip(after, 0.0, table.capacity_mwh))


def battery_columns(table: BatteryTable | None, site: int) -> dict[str, float]:
    """Columns of a table of sites for one of them, none where no site has a battery. [MWh], [MW], [1]"""
    if table is None:
        return {}
    return {
        "battery_mwh": float(table.capacity_mwh[site]),
        "battery_p_mw": float(table.p_mw[site]),
        "battery_efficiency": float(table.efficiency[site]),
    }
