"""Limits of the whole system that a dispatch keeps beside those of lines."""

from __future__ import annotations

from dataclasses import dataclass

from weather import Findings


@dataclass(frozen=True)
class Limits:
    """Limits of the system, given by the user.

    Attributes
    ----------
    max_nonsynchronous_share : float or None
        Most of the load that wind and PV may serve at any time: what feeds in through inverters brings no
        inertia. Rooftop PV counts and can't be turned down. Ireland's operators limit it to 0.75 [1]_. [1]
    reserve_up_mw, reserve_down_mw : float
        Room that generators together keep above and below their output. Those that may stand still (neither
        must-run nor committed) count as a whole: it is then what could be started. [MW]

    References
    ----------
    .. [1] EirGrid and SONI, System Non-Synchronous Penetration, definition and formulation, 2018; 75 % since
       2022.
    """

    max_nonsynchronous_share: float | None = None
    reserve_up_mw: float = 0.0
    reserve_down_mw: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no limit, all at once."""
        findings = Findings()
        share = self.max_nonsynchronous_share
        if share is not None and not 0.0 <= share <= 1.0:
            findings.add("max_nonsynchronous_share", f"{share} is outside 0 to 1", "give a share of the load")
        for name in ("reserve_up_mw", "reserve_down_mw"):
            value = getattr(self, name)
            if not 0.0 <= value < float("inf"):
                findings.add(name, f"{value} MW is negative or not finite", "give 0 MW or more")
        findings.raise_if_any("system limits")

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return self.max_nonsynchronous_share is not None or self.has_reserves

    @property
    def has_reserves(self) -> bool:
        """Whether reserves are asked for."""
        return self.reserve_up_mw > 0.0 or self.reserve_down_mw > 0.0
