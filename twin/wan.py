"""The network between sites: links, paths, delay, and how concurrent transfers share them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from twin._arrays import ArrayLike, BoolArray, FloatArray, IntArray
from twin.feasibility import DEFAULT_GOODPUT
from twin.migration import DEFAULT_WAN_KWH_PER_GB, S_PER_H
from twin.sites import SiteTable
from twin.wan_time import Router, Routing, Timeline
from weather import Findings

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG). [km]"""

FIBRE_S_PER_KM = 5e-6
"""Delay of light in fibre [geoc]_. [s/km]"""

PATH_FACTOR = 2.1
"""Length of the real fibre path over the great circle [intertubes]_; 1.3 over existing ducts."""

DEFAULT_ACCESS_GBIT_PER_S = 10.0
"""Access of a micro-site (our choice; sweep 1-100). [Gbit/s]"""

MAX_ACCESS_KM = 1000.0
"""Farthest that a site is attached to a node it does not name (our choice): beyond, the topology is most
likely one of another part of the world. [km]"""


@dataclass(frozen=True, eq=False)
class Wan:
    """Directed links, and the path of every ordered pair of sites over them.

    A network may change over time: other traffic comes and goes, links fail and come back. `at` gives it as
    it is at a time; the attributes are those without changes.

    Attributes
    ----------
    link
        Name of each link.
    capacity_gbit_per_s
        Rate of each link, shape (link,). [Gbit/s]
    background_gbit_per_s
        Part of it that other traffic takes, same shape. [Gbit/s]
    on_path
        Whether a link lies on the path from a site to another, shape (source, destination, link).
    reachable
        Whether there is a path, shape (source, destination); False on the diagonal.
    latency_s
        One-way delay of the path, inf without one, 0 on the diagonal, shape (source, destination). [s]
    goodput
        Payload over link rate.
    energy_kwh_per_gb
        Energy of the network per payload. [kWh/GB]
    router
        Finds paths when links are down; None where there is no other way.
    timeline
        What changes when; None if nothing does. See `twin.wan_time.with_background` and `with_outages`.
    """

    link: tuple[str, ...]
    capacity_gbit_per_s: FloatArray
    background_gbit_per_s: FloatArray
    on_path: BoolArray
    reachable: BoolArray
    latency_s: FloatArray
    goodput: float = DEFAULT_GOODPUT
    energy_kwh_per_gb: float = DEFAULT_WAN_KWH_PER_GB
    router: Router | None = None
    timeline: Timeline | None = None

    def __post_init__(self) -> None:
        """Refuse links that can not be."""
        findings = Findings()
        for name, capacity, background in zip(
            self.link, self.capacity_gbit_per_s, self.background_gbit_per_s, strict=True
        ):
            if not 0.0 <= capacity < np.inf:
                findings.add(f"link {name!r}", f"capacity is {capacity} Gbit/s", "give at least 0 Gbit/s")
            if not 0.0 <= background <= capacity:
                findings.add(
                    f"link {name!r}",
                    f"background of {background} Gbit/s on {capacity} Gbit/s",
                    "give a background between 0 and the capacity",
                )
        if not 0.0 < self.goodput <= 1.0:
            findings.add("wan.goodput", f"is {self.goodput}", "give a share of the link rate in (0, 1]")
        if not 0.0 <= self.energy_kwh_per_gb < np.inf:
            findings.add("wan.energy_kwh_per_gb", f"is {self.energy_kwh_per_gb}", "give at least 0 kWh/GB")
        findings.raise_if_any("wide-area network")

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.latency_s)

    @cached_property
    def payload_gbit_per_s(self) -> FloatArray:
        """Payload rate of each link for transfers, goodput · (capacity − background). [Gbit/s]"""
        return self.goodput * (self.capacity_gbit_per_s - self.background_gbit_per_s)

    @cached_property
    def bandwidth_gbit_per_s(self) -> FloatArray:
        """Payload rate of a lone transfer, 0 without a path, shape (source, destination). [Gbit/s]"""
        lowest = np.where(self.on_path, self.payload_gbit_per_s, np.inf).min(axis=2, initial=np.inf)
        return np.where(self.reachable, lowest, 0.0)

    def at(self, now_s: float) -> Wan:
        """Return the network as it is at a time, without further changes.

        Parameters
        ----------
        now_s
            Time since the start of the run. [s]

        Returns
        -------
        Wan
            This one if nothing ever changes.
        """
        if self.timeline is None:
            return self
        index = self.timeline.index(now_s)
        if index not in self._at_index:
            self._at_index.clear()
            background = self.timeline.background_gbit_per_s[index]
            self._at_index[index] = self._with(self.timeline.routing_at(index), background)
        return self._at_index[index]

    def bandwidth_before(self, now_s: float, n_samples: int) -> FloatArray:
        """Payload rates of a lone transfer at a time and at each full hour before it.

        Parameters
        ----------
        now_s
            Time since the start of the run. [s]
        n_samples
            Samples, the first one now.

        Returns
        -------
        ndarray
            Shape (sample, source, destination); no sample where nothing ever changes. [Gbit/s]
        """
        if self.timeline is None or n_samples < 1:
            return np.zeros((0, self.n_sites, self.n_sites))
        index = [self.timeline.index(now_s - S_PER_H * k) for k in range(n_samples)]
        known = self._bandwidth_at_index
        for gone in set(known) - set(index):
            del known[gone]
        for new in set(index) - set(known):
            routing, background = self.timeline.routing_at(new), self.timeline.background_gbit_per_s[new]
            known[new] = self._with(routing, background).bandwidth_gbit_per_s
        return np.stack([known[i] for i in index])

    def extremes(self) -> tuple[Wan, ...]:
        """Return the network with each set of paths it ever has, and the least other traffic of all times.

        No transfer is ever faster than in one of them.
        """
        if self.timeline is None:
            return (self,)
        least = self.timeline.background_gbit_per_s.min(axis=0)
        return tuple(self._with(routing, least) for routing in self.timeline.routings)

    def next_change_s(self, now_s: float) -> float:
        """Return the first time after `now_s` at which something changes, inf if nothing does. [s]"""
        return np.inf if self.timeline is None else self.timeline.next_change_s(now_s)

    @cached_property
    def _at_index(self) -> dict[int, Wan]:
        """The network at the last change that was asked for."""
        return {}

    @cached_property
    def _bandwidth_at_index(self) -> dict[int, FloatArray]:
        """Rates of lone transfers at the changes that were asked for last."""
        return {}

    def _with(self, routing: Routing, background_gbit_per_s: FloatArray) -> Wan:
        """Return the network with other paths and traffic, and no further changes."""
        return replace(
            self,
            background_gbit_per_s=background_gbit_per_s,
            on_path=routing.on_path,
            reachable=routing.reachable,
            latency_s=routing.latency_s,
            timeline=None,
        )

    def max_min_rates(self, source: npt.ArrayLike, destination: npt.ArrayLike) -> FloatArray:
        """Payload rate of each of several concurrent transfers, shared max-min fairly.

        Parameters
        ----------
        source, destination
            Site index of each transfer.

        Returns
        -------
        ndarray
            Rate of each, 0 where there is no path. [Gbit/s]

        Raises
        ------
        InputError
            Where an index is no site, or a transfer goes to its own site.
        """
        src, dst = np.asarray(source, dtype=np.int64), np.asarray(destination, dtype=np.int64)
        if src.size == 0:
            return np.zeros(src.shape)
        if np.any(src == dst) or min(src.min(), dst.min()) < 0 or max(src.max(), dst.max()) >= self.n_sites:
            self._raise_bad_pairs(src, dst)
        rates = max_min_fair(self.on_path[src, dst], self.payload_gbit_per_s)
        return np.where(self.reachable[src, dst], rates, 0.0)

    def _raise_bad_pairs(self, src: IntArray, dst: IntArray) -> None:
        findings = Findings()
        for k, (a, b) in enumerate(zip(src, dst, strict=True)):
            if a == b or not (0 <= a < self.n_sites and 0 <= b < self.n_sites):
                findings.add(
                    f"transfer {k}", f"goes from site {a} to site {b}", f"two of 0..{self.n_sites - 1}"
                )
        findings.raise_if_any("transfers")


def max_min_fair(on_path: BoolArray, capacity: FloatArray) -> FloatArray:
    """Max-min fair rates of transfers over shared links by progressive filling.

    Parameters
    ----------
    on_path
        Whether a transfer uses a link, shape (transfer, link).
    capacity
        Rate of each link, shape (link,); any unit.

    Returns
    -------
    ndarray
        Rate of each transfer in that unit; inf for one that uses no link.

    Notes
    -----
    All rates rise together; where a link is full its transfers stop, and the others rise on. The result is
    the unique allocation in which each transfer crosses a full link where none has more [1]_. It
    depends on counts per link alone, so that the order of the transfers does not change a bit of it.

    References
    ----------
    .. [1] D. Bertsekas, R. Gallager, Data Networks, 2nd ed., 1992, section 6.5.2.

    Examples
    --------
    Two links of 10 and 4; the first transfer uses both, the others one each:

    >>> max_min_fair(np.array([[True, True], [True, False], [False, True]]), np.array([10.0, 4.0]))
    array([2., 8., 2.])
    """
    uses = on_path.astype(np.float64)
    rates = np.full(len(uses), np.inf)
    rising = on_path.any(axis=1)
    left = np.asarray(capacity, dtype=np.float64).copy()
    level = 0.0
    while rising.any():
        count = rising.astype(np.float64) @ uses
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(count > 0.0, left / count, np.inf)
        step = share.min()
        full = share <= step * (1.0 + 1e-12)
        level += step
        left = np.where(full, 0.0, np.maximum(left - step * count, 0.0))
        stopped = rising & on_path[:, full].any(axis=1)
        rates[stopped] = level
        rising &= ~stopped
    return rates


def great_circle_km(
    latitude_a: ArrayLike, longitude_a: ArrayLike, latitude_b: ArrayLike, longitude_b: ArrayLike
) -> FloatArray:
    """Distance on the sphere by the haversine formula.

    Parameters
    ----------
    latitude_a, longitude_a, latitude_b, longitude_b
        Positions. [degree]

    Returns
    -------
    ndarray
        Distance. [km]

    Examples
    --------
    >>> round(float(great_circle_km(0.0, 0.0, 0.0, 180.0)))
    20015
    """
    phi_a, lambda_a, phi_b, lambda_b = (
        np.radians(np.asarray(x, dtype=np.float64))
        for x in (latitude_a, longitude_a, latitude_b, longitude_b)
    )
    h = (
        np.sin((phi_b - phi_a) / 2) ** 2
        + np.cos(phi_a) * np.cos(phi_b) * np.sin((lambda_b - lambda_a) / 2) ** 2
    )
    return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(h, 1.0))))


def fibre_latency_s(distance_km: ArrayLike, path_factor: float = PATH_FACTOR) -> FloatArray:
    """One-way delay over a great-circle distance: 5 µs/km times the detour of real fibre.

    Parameters
    ----------
    distance_km
        Great-circle distance. [km]
    path_factor
        Length of the fibre over it.

    Returns
    -------
    ndarray
        Delay. [s]

    Examples
    --------
    >>> round(float(fibre_latency_s(1000.0)), 4)
    0.0105
    """
    return np.asarray(np.asarray(distance_km, dtype=np.float64) * (path_factor * FIBRE_S_PER_KM))


def star(
    sites: SiteTable,
    *,
    access_gbit_per_s: ArrayLike = DEFAULT_ACCESS_GBIT_PER_S,
    background_gbit_per_s: ArrayLike = 0.0,
    goodput: float = DEFAULT_GOODPUT,
    energy_kwh_per_gb: float = DEFAULT_WAN_KWH_PER_GB,
    path_factor: float = PATH_FACTOR,
) -> Wan:
    """Sites on a core that never limits: each has one access link up and one down.

    Parameters
    ----------
    sites
        The sites; delay follows from their positions.
    access_gbit_per_s
        Rate of each site's access in each direction, one value or one per site. A site that stands for
        `fleet_scale` real ones has the sum of their links: this is not multiplied here. [Gbit/s]
    background_gbit_per_s
        Other traffic on it, likewise. [Gbit/s]
    goodput
        Payload over link rate.
    energy_kwh_per_gb
        Energy of the network per payload. [kWh/GB]
    path_factor
        Length of the fibre path over the great circle.

    Returns
    -------
    Wan
        With links ``up:<site>`` and ``down:<site>``.
    """
    n = sites.n_sites
    access = per_site(sites, access_gbit_per_s, "access_gbit_per_s")
    background = per_site(sites, background_gbit_per_s, "background_gbit_per_s")
    on_path = np.zeros((n, n, 2 * n), dtype=np.bool_)
    every = np.arange(n)
    on_path[every, :, every] = True
    on_path[:, every, n + every] = True
    on_path[every, every, :] = False
    distance = great_circle_km(
        sites.latitude[:, None], sites.longitude[:, None], sites.latitude, sites.longitude
    )
    return Wan(
        link=tuple(f"up:{x}" for x in sites.name) + tuple(f"down:{x}" for x in sites.name),
        capacity_gbit_per_s=np.tile(access, 2),
        background_gbit_per_s=np.tile(background, 2),
        on_path=on_path,
        reachable=~np.eye(n, dtype=np.bool_),
        latency_s=np.where(np.eye(n, dtype=np.bool_), 0.0, fibre_latency_s(distance, path_factor)),
        goodput=goodput,
        energy_kwh_per_gb=energy_kwh_per_gb,
    )


def per_site(sites: SiteTable, values: ArrayLike, name: str) -> FloatArray:
    """One value per site from a scalar or a sequence of the right length.

    Parameters
    ----------
    sites
        The sites.
    values
        A number, or one per site.
    name
        What it is, for the error.

    Returns
    -------
    ndarray
        Shape (site,).
    """
    given = np.asarray(values, dtype=np.float64)
    findings = Findings()
    if given.shape not in ((), (sites.n_sites,)):
        findings.add(
            name, f"has shape {given.shape} for {sites.n_sites} sites", "give one value, or one per site"
        )
    findings.raise_if_any("wide-area network")
    return np.broadcast_to(given, (sites.n_sites,))
