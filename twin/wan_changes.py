"""Networks that change over time: other traffic that comes and goes, links that fail and come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from twin._arrays import ArrayLike, BoolArray, FloatArray, IntArray
from twin.wan import Wan
from twin.wan_time import Retry, Router, Routing, Timeline
from weather import Findings


@dataclass(frozen=True)
class LinkOutage:
    """A time in which a link carries nothing.

    Attributes
    ----------
    link : str
        Name of a link of the network. A link has one direction; a cut cable is two outages.
    start_s, end_s : float
        From when until when, since the start of the run. [s]
    """

    link: str
    start_s: float
    end_s: float


def links_like(wan: Wan, pattern: str, *, both_ways: bool = False) -> tuple[str, ...]:
    """Return the links whose name fits a pattern.

    Parameters
    ----------
    wan
        The network.
    pattern
        A name, or one with wildcards: `*`, `up:*`, `7>*`.
    both_ways
        Whether the opposite direction of each belongs to it.

    Returns
    -------
    tuple of str
        In the order of the network's links.

    Examples
    --------
    >>> from twin.sites import make_sites
    >>> from twin.wan import star
    >>> wan = star(make_sites(name=["a", "b"], grid=[0, 0], bus=["1", "2"], n_gpus=[8, 8],
    ...                       latitude=[35.0, 36.0], longitude=[-115.0, -115.0]))
    >>> links_like(wan, "up:a", both_ways=True)
    ('up:a', 'down:a')
    """
    found = {name for name in wan.link if name == pattern or fnmatchcase(name, pattern)}
    if both_ways:
        found |= {_opposite(name) for name in found}
    return tuple(name for name in wan.link if name in found)


def _opposite(link: str) -> str:
    """Name of the other direction of a link."""
    for a, b in (("up:", "down:"), ("down:", "up:")):
        if link.startswith(a):
            return b + link.removeprefix(a)
    head, _, tail = link.partition(">")
    return f"{tail}>{head}"


def daily_background(
    profile: ArrayLike, n_hours: int, *, first_hour: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Repeat a profile of 24 hours over a run, for `with_background`.

    Parameters
    ----------
    profile
        Value of each hour of the day, shape (24,) or (24, link).
    n_hours
        Length of the run. [h]
    first_hour
        Hour of the profile's day at which the run begins: 7.5 where that is at half past seven. [h]

    Returns
    -------
    time_s : ndarray
        Start of every hour of the day since the start of the run; the first may lie before. [s]
    values : ndarray
        Value from then on.

    Examples
    --------
    >>> time_s, values = daily_background(np.arange(24), 2, first_hour=22.5)
    >>> time_s.tolist(), values.tolist()
    ([-1800.0, 1800.0, 5400.0], [22.0, 23.0, 0.0])
    """
    values = np.asarray(profile, dtype=np.float64)
    findings = Findings()
    if values.shape[:1] != (24,):
        findings.add("profile", f"has shape {values.shape}", "give one value per hour of the day: 24")
    if n_hours < 1:
        findings.add("n_hours", f"is {n_hours}", "give at least 1 hour")
    findings.raise_if_any("background")
    base = int(np.floor(first_hour))
    begun = first_hour - base
    hours = np.arange(n_hours + (begun > 0.0))
    return np.asarray((hours - begun) * 3600.0), values[(hours + base) % 24]


def with_background(wan: Wan, time_s: ArrayLike, background_gbit_per_s: ArrayLike) -> Wan:
    """Return a network with other traffic that changes over time.

    Parameters
    ----------
    wan
        The network; its outages are kept.
    time_s
        Times from which a value holds until the next, since the start of the run, ascending; the first at 0
        or before. [s]
    background_gbit_per_s
        Rate that other traffic takes of each link, shape (time, link) or what broadcasts to it; between 0 and
        the link's capacity. [Gbit/s]

    Returns
    -------
    Wan
        Transfers share what is left, anew at each change.

    Raises
    ------
    InputError
        With every finding: times that do not ascend or begin after 0, links whose traffic is negative,
        not a number or above capacity.
    """
    times = np.atleast_1d(np.asarray(time_s, dtype=np.float64))
    given = np.asarray(background_gbit_per_s, dtype=np.float64)
    findings = Findings()
    if not times.size or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0) or times[0] > 0:
        findings.add("time_s", "does not ascend from 0 s or before", "give finite, ascending times")
    shape = (len(times), len(wan.link))
    try:
        values = np.broadcast_to(given, shape)
    except ValueError:
        findings.add("background", f"has shape {given.shape}", f"give (time, link) = {shape}")
        findings.raise_if_any("background")
    for i, name in enumerate(wan.link):
        inside = (values[:, i] >= 0.0) & (values[:, i] <= wan.capacity_gbit_per_s[i])
        bad = np.asarray(~inside)
        if bad.any():
            first = int(np.argmax(bad))
            findings.add(
                f"link {name!r}",
                f"background is {values[first, i]:g} Gbit/s of {wan.capacity_gbit_per_s[i]:g} at "
                f"{times[first]:g} s ({int(bad.sum())} such)",
                "give traffic between 0 and the capacity",
            )
    findings.raise_if_any("background")
    return replace(wan, timeline=_merge(_timeline(wan), background=(times, values)))


def with_outages(wan: Wan, outages: Iterable[LinkOutage], *, retry: Retry | None = None) -> Wan:
    """Return a network whose links fail at given times.

    Parameters
    ----------
    wan
        The network; its other traffic over time is kept, its earlier outages are replaced.
    outages
        Which link is down when. Those of one link may overlap.
    retry
        What transfers do that cross a link when it fails; the default if None.

    Returns
    -------
    Wan
        New transfers, and those that try again, take the path of least delay over the links that are up. In
        a star there is no other way.

    Raises
    ------
    InputError
        With every finding: links that do not exist, outages that end before they begin.
    """
    down, times = _down(wan, list(outages))
    codes: dict[bytes, int] = {}
    routing = np.array([codes.setdefault(row.tobytes(), len(codes)) for row in down], dtype=np.int64)
    first = [int(np.argmax(routing == code)) for code in range(len(codes))]
    routings = tuple(_routing(wan, down[k]) for k in first)
    changed = replace(_timeline(wan), routings=routings, retry=retry or Retry())
    return replace(wan, timeline=_merge(changed, routing=(times, routing)))


def _down(wan: Wan, outages: list[LinkOutage]) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    """Which links are down from each of the times at which that changes."""
    findings = Findings()
    number = {name: i for i, name in enumerate(wan.link)}
    for k, outage in enumerate(outages):
        if outage.link not in number:
            shown = ", ".join(wan.link[:8])
            findings.add(f"outage {k}", f"there is no link {outage.link!r}", f"links are {shown}, ...")
        if not -np.inf < outage.start_s < outage.end_s < np.inf:
            findings.add(
                f"outage {k} of {outage.link!r}",
                f"from {outage.start_s} s to {outage.end_s} s",
                "give finite times, the end after the start",
            )
    findings.raise_if_any("outages")
    times = np.unique([0.0, *(t for o in outages for t in (o.start_s, o.end_s) if t > 0.0)])
    down = np.zeros((len(times), len(wan.link)), dtype=np.bool_)
    for outage in outages:
        down[(times >= outage.start_s) & (times < outage.end_s), number[outage.link]] = True
    return down, times


def _routing(wan: Wan, down: BoolArray) -> Routing:
    """Paths without the links that are down: found anew, or cut where the network has no other way."""
    router: Router | None = wan.router
    if router is not None:
        return router(down)
    whole: BoolArray = np.all(~(wan.on_path & down), axis=2)
    return Routing(
        down=down,
        on_path=wan.on_path & whole[:, :, None],
        reachable=wan.reachable & whole,
        latency_s=np.where(whole, wan.latency_s, np.inf),
    )


def _timeline(wan: Wan) -> Timeline:
    """Changes of a network; one that has none gets its own state from 0 on."""
    if wan.timeline is not None:
        return wan.timeline
    nothing_down = np.zeros(len(wan.link), dtype=np.bool_)
    return Timeline(
        change_s=np.zeros(1),
        background_gbit_per_s=wan.background_gbit_per_s[None, :],
        routing=np.zeros(1, dtype=np.int64),
        routings=(Routing(nothing_down, wan.on_path, wan.reachable, wan.latency_s),),
        retry=Retry(),
    )


def _merge(
    known: Timeline,
    *,
    background: tuple[FloatArray, FloatArray] | None = None,
    routing: tuple[FloatArray, IntArray] | None = None,
) -> Timeline:
    """Replace background or routing over time, each with times of its own, and keep the other."""
    background = background or (known.change_s, known.background_gbit_per_s)
    routing = routing or (known.change_s, known.routing)
    times = np.unique(np.concatenate([background[0], routing[0]]))

    def at(own: FloatArray) -> IntArray:
        return np.maximum(np.searchsorted(own, times, side="right") - 1, 0)

    return replace(
        known,
        change_s=times,
        background_gbit_per_s=background[1][at(background[0])],
        routing=routing[1][at(routing[0])],
    )
