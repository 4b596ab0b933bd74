"""What a caller says about a file where the file itself does not."""

from __future__ import annotations

from dataclasses import dataclass

from weather.timeaxis import Label

__all__ = ["ReadOptions"]


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says about a file where the file itself does not.

    Attributes
    ----------
    site : str, optional
        Name of the site; default the source and the location's number in the header.
    year : int, optional
        Year on which a typical year (months from different years) is laid; refused for measured years.
    utc_offset_h : float, optional
        Clock of the stamps minus UTC, for a file whose header states none. [h]
    label : {"left", "middle", "right"}, optional
        Place of the stamps in their interval, where they do not lie in its middle.
    partial : bool
        Whether a file may cover less than whole calendar years of its own clock.
    fill : tuple of str
        Named fills (`FILLS`) applied before the checks.
    accept : tuple of str
        Sun checks ("clock", "closure") that are known to fail and let pass; recorded in `attrs["accepted"]`.
    """

    site: str | None = None
    year: int | None = None
    utc_offset_h: float | None = None
    label: Label | None = None
    partial: bool = False
    fill: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
