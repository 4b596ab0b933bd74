"""Micro-datacenters: what a site draws from the grid for what runs on it, and how much may run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twin._arrays import ArrayLike, BoolArray, FloatArray, IntArray
from twin.hardware import DEFAULT_DEVICE, DEVICES
from twin.racks import RackTable
from twin.site_battery import BatteryTable
from weather import Findings

ELECTRICAL_LOSS = 0.04
"""Power conversion loss over IT power; low end of 0.04-0.08 (recalled)."""

FIXED_OVERHEAD = 0.06
"""Fans, pumps and other fixed power over IT *capacity*; high end of 0.03-0.06 (recalled)."""

FREE_COOLING_BELOW_C = 17.0
"""Outdoor temperature up to which no chiller runs: 27 °C inlet (ASHRAE) − 10 K approach. [°C]"""

MIXED_COOLING_K = 8.0
"""Width of the range above it in which the chiller takes over. [K]"""

COP_AT_REFERENCE, COP_REFERENCE_C, COP_SLOPE_PER_K, COP_MIN = 5.0, 25.0, 0.1, 2.0
"""Chiller of the SustainDC model [sdc]_: COP 5.0 at 25 °C, 0.1 less per K (form recalled), at least 2."""

HOTTEST_C = 50.0
"""Outdoor temperature a site is sized for: its import limit must carry what may run on such a day. [°C]"""

W_PER_MW = 1e6


@dataclass(frozen=True, eq=False)
class SiteTable:
    """Sites as arrays, one entry per site; made by `make_sites`, which checks them.

    Attributes
    ----------
    name
        Unique name of each site.
    grid
        Index of the grid it is connected to, in the scenario's order.
    bus
        Bus of that grid.
    device
        Key of `twin.hardware.DEVICES`.
    n_gpus
        Number of devices, after `fleet_scale`.
    import_limit_mw
        Most it may draw at the meter; inf for none. Not multiplied by `fleet_scale`. [MW]
    idle_off
        Whether devices without a job are switched off, with their hosts, instead of idling.
    latitude, longitude
        Position. [degree]
    racks
        Racks that are switched off while idle; where a site has them, `idle_off` does not count. None where
        no site has.
    battery
        Batteries; None where no site has one.
    """

    name: tuple[str, ...]
    grid: IntArray
    bus: tuple[str, ...]
    device: tuple[str, ...]
    n_gpus: IntArray
    import_limit_mw: FloatArray
    idle_off: BoolArray
    latitude: FloatArray
    longitude: FloatArray
    racks: RackTable | None = None
    battery: BatteryTable | None = None

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.name)

    @cached_property
    def rel_throughput(self) -> FloatArray:
        """Training speed of each site's devices over an A100's."""
        return self._of_device("rel_throughput")

    @cached_property
    def memory_gb_per_gpu(self) -> FloatArray:
        """Memory that each site's devices give a worker of a job. [GB]"""
        return self._of_device("memory_gb_per_gpu")

    @cached_property
    def busy_w(self) -> FloatArray:
        """IT power of a device in training, with its share of the host. [W]"""
        return self._of_device("p_busy_w") + self._of_device("host_w_per_gpu")

    @cached_property
    def loaded_idle_w(self) -> FloatArray:
        """IT power of a device that holds a job and does not compute, with its share of the host. [W]"""
        return self._of_device("p_loaded_idle_w") + self._of_device("host_w_per_gpu")

    @cached_property
    def free_w(self) -> FloatArray:
        """IT power of a device without a job that is on: idle with its host, or 0 where `idle_off`. [W]"""
        idle = self._of_device("p_idle_w") + self._of_device("host_w_per_gpu")
        off = self.idle_off if self.racks is None else self.idle_off & (self.racks.gpus == 0)
        return np.where(off, 0.0, idle)

    @cached_property
    def it_capacity_mw(self) -> FloatArray:
        """IT power with every device in training. [MW]"""
        return self.n_gpus * self.busy_w / W_PER_MW

    def select(self, sites: Sequence[int]) -> SiteTable:
        """Table of some of the sites, in the order of `sites`."""
        index = np.asarray(sites, dtype=np.int64)
        return SiteTable(
            name=tuple(self.name[i] for i in index),
            grid=self.grid[index],
            bus=tuple(self.bus[i] for i in index),
            device=tuple(self.device[i] for i in index),
            n_gpus=self.n_gpus[index],
            import_limit_mw=self.import_limit_mw[index],
            idle_off=self.idle_off[index],
            latitude=self.latitude[index],
            longitude=self.longitude[index],
            racks=None if self.racks is None else self.racks.select(index),
            battery=None if self.battery is None else self.battery.select(index),
        )

    def _of_device(self, quantity: str) -> FloatArray:
        return np.array([getattr(DEVICES[name], quantity) for name in self.device], dtype=np.float64)


def make_sites(
    *,
    name: Sequence[str],
    grid: Sequence[int],
    bus: Sequence[str],
    n_gpus: Sequence[int],
    latitude: Sequence[float],
    longitude: Sequence[float],
    device: Sequence[str] | None = None,
    import_limit_mw: Sequence[float] | None = None,
    idle_off: Sequence[bool] | None = None,
    fleet_scale: int = 1,
    racks: RackTable | None = None,
    battery: BatteryTable | None = None,
) -> SiteTable:
    """Check a list of sites and make a table of it.

    Parameters
    ----------
    name, grid, bus
        Unique names, grid indices and buses.
    n_gpus
        Devices of each site before `fleet_scale`.
    latitude, longitude
        Positions. [degree]
    device
        Keys of `twin.hardware.DEVICES`; `DEFAULT_DEVICE` where None.
    import_limit_mw
        Most each may draw; no limit where None. [MW]
    idle_off
        Whether free devices are switched off; False where None.
    fleet_scale
        Sites of this kind that each entry stands for: multiplies `n_gpus`, not `import_limit_mw`.
    racks
        Racks that are switched off while idle; none where None.
    battery
        Batteries, of all that an entry stands for; none where None.

    Returns
    -------
    SiteTable
        The sites, in the given order.

    Raises
    ------
    InputError
        With every finding: lengths that differ, repeated names, unknown devices, negative or missing numbers,
        or an import limit below what the idle site draws at 50 °C.
    """
    n = len(name)
    given: dict[str, Sequence[object]] = {
        "grid": grid,
        "bus": bus,
        "n_gpus": n_gpus,
        "latitude": latitude,
        "longitude": longitude,
        "device": [DEFAULT_DEVICE] * n if device is None else device,
        "import_limit_mw": [np.inf] * n if import_limit_mw is None else import_limit_mw,
        "idle_off": [False] * n if idle_off is None else idle_off,
    }
    if racks is not None:
        given["racks"] = [int(count) for count in racks.gpus]
    if battery is not None:
        given["battery"] = [float(capacity) for capacity in battery.capacity_mwh]
    findings = Findings()
    if n == 0:
        findings.add("sites", "there is none", "name at least one site")
    for column, values in given.items():
        if len(values) != n:
            findings.add(f"sites.{column}", f"{len(values)} values for {n} sites", "give one per site")
    if fleet_scale != int(fleet_scale) or fleet_scale < 1:
        findings.add("fleet_scale", f"is {fleet_scale}", "give a whole number of at least 1")
    findings.raise_if_any("sites")
    table = SiteTable(
        name=tuple(name),
        grid=np.asarray(grid, dtype=np.int64),
        bus=tuple(bus),
        device=tuple(str(key) for key in given["device"]),
        n_gpus=np.asarray(n_gpus, dtype=np.int64) * int(fleet_scale),
        import_limit_mw=np.asarray(given["import_limit_mw"], dtype=np.float64),
        idle_off=np.asarray(given["idle_off"], dtype=np.bool_),
        latitude=np.asarray(latitude, dtype=np.float64),
        longitude=np.asarray(longitude, dtype=np.float64),
        racks=racks,
        battery=battery,
    )
    if racks is not None:
        racks.check(name, table.n_gpus, findings)
    if battery is not None:
        battery.check(name, findings)
    for i in range(n):
        _check_site(table, i, findings)
    findings.raise_if_any("sites")
    return table


def _check_site(table: SiteTable, i: int, findings: Findings) -> None:
    """Add everything that is wrong with one site."""
    where, limit = f"site {table.name[i]!r}", table.import_limit_mw[i]
    if table.name[i] in table.name[:i]:
        findings.add(where, "the name appears more than once", "give every site its own name")
    if table.grid[i] < 0:
        findings.add(where, f"grid index {table.grid[i]} is negative", "count grids from 0")
    if table.n_gpus[i] < 0:
        findings.add(where, f"n_gpus={table.n_gpus[i]} is negative", "a site has at least 0 devices")
    if not (-90.0 <= table.latitude[i] <= 90.0 and -180.0 <= table.longitude[i] < 180.0):
        findings.add(
            where,
            f"position ({table.latitude[i]}, {table.longitude[i]}) degrees is not on Earth",
            "latitude is in [-90, 90], longitude east-positive in [-180, 180)",
        )
    if not limit >= 0:
        findings.add(where, f"import_limit_mw={limit} MW", "give a limit of at least 0 MW, or none")
    if table.device[i] not in DEVICES:
        findings.add(where, f"unknown device {table.device[i]!r}", f"choose one of {', '.join(DEVICES)}")
    elif limit >= 0 and table.n_gpus[i] >= 0:
        idle_mw = float(idle_power_mw(table.select([i]), HOTTEST_C)[0])
        if limit < idle_mw:
            findings.add(
                where,
                f"import_limit_mw={limit:g} MW is less than its idle {idle_mw:.6g} MW at {HOTTEST_C:g} °C",
                "raise the limit, take fewer devices or set idle_off",
            )


def cooling_factor(temp_air: ArrayLike) -> FloatArray:
    """Chiller power over IT power as a function of outdoor temperature.

    Parameters
    ----------
    temp_air
        Outdoor air temperature. [°C]

    Returns
    -------
    ndarray
        m(T)/COP(T), with COP = max(2, 5 − 0.1·(T − 25)) and m rising from 0 at 17 °C to 1 at 25 °C.

    Notes
    -----
    An assumption for container-class sites; no published PUE(T) curve could be opened. COP after the chiller
    of SustainDC [sdc]_.

    Examples
    --------
    >>> float(cooling_factor(25.0))
    0.2
    """
    temp = np.asarray(temp_air, dtype=np.float64)
    chiller_share = np.clip((temp - FREE_COOLING_BELOW_C) / MIXED_COOLING_K, 0.0, 1.0)
    cop = np.maximum(COP_MIN, COP_AT_REFERENCE - COP_SLOPE_PER_K * (temp - COP_REFERENCE_C))
    return chiller_share / cop


def pue(temp_air: ArrayLike) -> FloatArray:
    """Power usage effectiveness of a fully loaded site.

    Parameters
    ----------
    temp_air
        Outdoor air temperature. [°C]

    Returns
    -------
    ndarray
        Power at the meter over IT power: 1.10 up to 17 °C, 1.30 at 25 °C, 1.35 at 35 °C.

    Notes
    -----
    PUE(T) = 1 + 0.06 + 0.04 + m(T)/COP(T). At partial load it is higher, as the 0.06 is fixed power:
    see `site_power_mw`.

    Examples
    --------
    >>> round(float(pue(35.0)), 6)
    1.35
    """
    return 1.0 + FIXED_OVERHEAD + ELECTRICAL_LOSS + cooling_factor(temp_air)


def meter_factor(temp_air: ArrayLike) -> FloatArray:
    """Megawatts more at the meter per megawatt more of IT power, 1 + 0.04 + m(T)/COP(T).

    Parameters
    ----------
    temp_air
        Outdoor air temperature. [°C]

    Returns
    -------
    ndarray
        Slope of `site_power_mw` in the IT power; the fixed overhead is no part of it.
    """
    return 1.0 + ELECTRICAL_LOSS + cooling_factor(temp_air)


def site_power_mw(
    table: SiteTable,
    busy_gpus: ArrayLike,
    loaded_idle_gpus: ArrayLike,
    temp_air: ArrayLike,
    wan_mw: ArrayLike = 0.0,
) -> FloatArray:
    """Power each site draws at its meter.

    Parameters
    ----------
    table
        The sites.
    busy_gpus
        Devices in training, shape (..., site); fractions are means over an interval.
    loaded_idle_gpus
        Devices that hold a job that is saving, sending or loading, same shape.
    temp_air
        Outdoor air temperature, scalar or (..., site). [°C]
    wan_mw
        Network power booked to each site, outside its cooling. [MW]

    Returns
    -------
    ndarray
        Load at the meter, consumption positive, shape (..., site). [MW]

    Notes
    -----
    P = IT·(1 + 0.04 + m(T)/COP(T)) + 0.06·IT_capacity + P_wan, where IT sums busy, loaded-idle and free
    devices with their hosts; free ones draw nothing where the site switches them off.

    Raises
    ------
    InputError
        Where more devices are in use than the site has, or a number of them is negative.
    """
    busy = np.asarray(busy_gpus, dtype=np.float64)
    loaded = np.asarray(loaded_idle_gpus, dtype=np.float64)
    free = table.n_gpus - busy - loaded
    if not (np.all(busy >= 0.0) and np.all(loaded >= 0.0) and np.all(free >= -1e-6)):
        _raise_overfull(table, busy, loaded)
    wan = np.asarray(wan_mw, dtype=np.float64)
    it_mw = (busy * table.busy_w + loaded * table.loaded_idle_w + free * table.free_w) / W_PER_MW
    load_mw: FloatArray = it_mw * meter_factor(temp_air) + FIXED_OVERHEAD * table.it_capacity_mw + wan
    return load_mw


def _raise_overfull(table: SiteTable, busy: FloatArray, loaded: FloatArray) -> None:
    """Say which sites can not have the devices in use they are said to have."""
    findings = Findings()
    busy_low, busy_high, loaded_low, used_high = (
        reduce(np.broadcast_to(values, np.broadcast_shapes(values.shape, (table.n_sites,))), axis=axes)
        for values, reduce in ((busy, np.min), (busy, np.max), (loaded, np.min), (busy + loaded, np.max))
        for axes in [tuple(range(max(values.ndim - 1, 0)))]
    )
    for i, name in enumerate(table.name):
        if not (busy_low[i] >= 0 and loaded_low[i] >= 0 and used_high[i] <= table.n_gpus[i] + 1e-6):
            findings.add(
                f"site {name!r}",
                f"{busy_low[i]:g} to {busy_high[i]:g}, in use {used_high[i]:g} of {table.n_gpus[i]}",
                "keep devices in use between 0 and n_gpus",
            )
    findings.raise_if_any("devices in use")


def max_power_mw(table: SiteTable, temp_air: ArrayLike) -> FloatArray:
    """Most each site can draw: every device in training and its battery charging, within its import limit.

    Parameters
    ----------
    table
        The sites.
    temp_air
        Outdoor air temperature, scalar or (..., site). [°C]

    Returns
    -------
    ndarray
        Power at the meter, shape (..., site). [MW]
    """
    full = site_power_mw(table, table.n_gpus, np.zeros(table.n_sites), temp_air)
    if table.battery is not None:
        full = full + np.where(table.battery.capacity_mwh > 0.0, table.battery.p_mw, 0.0)
    return np.minimum(full, table.import_limit_mw)


def idle_power_mw(table: SiteTable, temp_air: ArrayLike) -> FloatArray:
    """Power each site draws with no job on it.

    Parameters
    ----------
    table
        The sites.
    temp_air
        Outdoor air temperature, scalar or (..., site). [°C]

    Returns
    -------
    ndarray
        Power at the meter, shape (..., site). [MW]
    """
    return site_power_mw(table, np.zeros(table.n_sites), np.zeros(table.n_sites), temp_air)


def gpu_limit(table: SiteTable, temp_air: ArrayLike, wan_mw: ArrayLike = 0.0) -> IntArray:
    """Most devices that can train at once within each site's import limit.

    Parameters
    ----------
    table
        The sites.
    temp_air
        Outdoor air temperature, scalar or (..., site). [°C]
    wan_mw
        Network power booked to each site. [MW]

    Returns
    -------
    ndarray of int
        Largest n <= n_gpus with `site_power_mw` (n, 0, temp_air, wan_mw) <= import_limit_mw, 0 where even an
        idle site exceeds it; shape (..., site).
    """
    idle = idle_power_mw(table, temp_air) + np.asarray(wan_mw)
    per_gpu_mw = meter_factor(temp_air) * (table.busy_w - table.free_w) / W_PER_MW
    room = (table.import_limit_mw - idle) / per_gpu_mw
    # A relative 1e-9 lets a limit that was computed as the power of n devices carry n devices.
    count = np.floor(np.minimum(room * (1.0 + 1e-9) + 1e-9, table.n_gpus.astype(np.float64)))
    limit: IntArray = np.maximum(count, 0.0).astype(np.int64)
    return limit
