"""Gaussian random fields in space and time that are functions of place, time and seed alone.

A field of unit variance is a sum of plane waves through the Earth's Cartesian coordinates,

    g(x, t) = M^(-1/2) * sum_m [cos(k_m . x) a_m(t) + sin(k_m . x) b_m(t)],

with independent stationary processes a_m, b_m. Its covariance in space is the mean of cos(k_m . (x - y)),
which for wave vectors drawn from the right density tends to exp(-|x - y| / length) [1]_. No covariance
matrix of the sites is ever factored: a site's values do not change when others are added, left out or
reordered.

Each process is an Ornstein-Uhlenbeck process averaged over the time step, which is exactly ARMA(1, 1):
the same parameters serve every step. White noise is drawn in blocks of `BLOCK_DAYS` days counted from
1970, each from its own child of the seed, and filtered forward from a run-up before the calendar year. A
value is therefore the same whatever stretch of time is asked for, and nothing later than t enters the
value at t.

References
----------
.. [1] A. Rahimi and B. Recht, "Random features for large-scale kernel machines", NIPS 2007; the spectral
   density of the exponential covariance in three dimensions is in C. E. Rasmussen and C. K. I. Williams,
   "Gaussian Processes for Machine Learning", MIT Press 2006, eq. 4.15 with nu = 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

from weather._types import FloatArray
from weather.constants import EARTH_RADIUS_KM

__all__ = ["FieldSpec", "earth_coordinates_km", "field", "latent"]

N_MODES = 256
"""Plane waves of a field; the correlation in space is met to 0.02 (root mean square; 0.04 below 100 km)."""

BLOCK_DAYS = 16
"""Days of white noise drawn from one child seed."""

RUN_UP_TAUS = 10.0
"""Run-up of the filter before 1 January in time constants: the start is forgotten to exp(-10) = 5e-5."""

_DAY_S = 86_400
_BLOCK_OFFSET = 1 << 20


@dataclass(frozen=True)
class FieldSpec:
    """One component of a latent process.

    Attributes
    ----------
    stream : int
        Number of its random stream; no two components of a generator share one.
    share : float
        Its part of the variance of the latent process. [1]
    length_km : float
        Distance at which the correlation has fallen to 1/e. [km]
    tau_h : float
        Time at which the autocorrelation has fallen to 1/e. [h]
    smooth_h : float
        Time constant of a low-pass behind it, which takes the roughness of an Ornstein-Uhlenbeck path out
        of steps much shorter than an hour (wind is felt by a whole farm, not at a point). 0 for none. [h]
    """

    stream: int
    share: float
    length_km: float
    tau_h: float
    smooth_h: float = 0.0


def earth_coordinates_km(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Cartesian coordinates on a spherical Earth. [km]

    Parameters
    ----------
    latitude, longitude : ndarray
        Position, north and east positive. [degree]

    Returns
    -------
    ndarray
        Shape (site, 3). [km]
    """
    lat, lon = np.radians(latitude), np.radians(longitude)
    unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    return np.asarray(EARTH_RADIUS_KM * unit, dtype=np.float64)


@lru_cache(maxsize=1)
def _unit_wave_vectors() -> FloatArray:
    """Wave vectors for a length of 1: directions on a spiral over the sphere, radii at equal probabilities.

    The radial distribution of the exponential covariance in three dimensions has the cumulative probability
    F(k) = (2 / pi) (atan k - k / (1 + k^2)). Radii are paired with directions by the permutation that
    sorts multiples of the root of 3.
    """
    index = np.arange(N_MODES)
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    grid = np.geomspace(1e-3, 1e4, 20_001)
    probability = (2.0 / np.pi) * (np.arctan(grid) - grid / (1.0 + grid**2))
    rank = np.argsort(np.argsort((index * np.sqrt(3.0)) % 1.0))
    radius = np.interp((rank + 0.5) / N_MODES, probability, grid)
    height = (index + 0.5) / N_MODES
    angle = 2.0 * np.pi * index / golden
    ring = np.sqrt(1.0 - height**2)
    direction = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=-1)
    return np.asarray(radius[:, None] * direction, dtype=np.float64)


def _basis(xyz_km: FloatArray, length_km: float) -> FloatArray:
    phase = (xyz_km / length_km)[:, None, :] * _unit_wave_vectors()[None, :, :]
    angle = phase.sum(axis=-1)
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(waves / np.sqrt(N_MODES), dtype=np.float64)


def _averaged_ou(tau_s: float, step_s: float) -> tuple[FloatArray, FloatArray]:
    """Filter coefficients (b, a) that turn white noise into a unit OU process averaged over each step.

    The mean of an Ornstein-Uhlenbeck process over steps of length a = step / tau has the variance
    2 (a - 1 + e^-a) / a^2, the lag-one correlation (1 - e^-a)^2 / (2 (a - 1 + e^-a)), and the ratio e^-a
    from there on.
    """
    a = step_s / tau_s
    phi = np.exp(-a)
    core = a + np.expm1(-a)
    variance = 2.0 * core / a**2
    rho = np.expm1(-a) ** 2 / (2.0 * core)
    half = (1.0 + phi**2 - 2.0 * rho * phi) / (2.0 * (rho - phi))
    theta = half - np.sqrt(half**2 - 1.0)
    gain = np.sqrt(variance * (1.0 - phi**2) / (1.0 + 2.0 * phi * theta + theta**2))
    return np.array([gain, gain * theta]), np.array([1.0, -phi])


def _noise(
    spec: FieldSpec, seed: int, basis: FloatArray, first_day: int, n_days: int, per_day: int
) -> FloatArray:
    """White noise at each site from day `first_day` since 1970; shape (step, site)."""
    first_block, last_block = first_day // BLOCK_DAYS, (first_day + n_days - 1) // BLOCK_DAYS
    parts = np.empty(((last_block - first_block + 1) * BLOCK_DAYS * per_day, len(basis)))
    size, n_waves = BLOCK_DAYS * per_day, basis.shape[1]
    single = basis.astype(np.float32)
    for position, block in enumerate(range(first_block, last_block + 1)):
        entropy = np.random.SeedSequence(seed, spawn_key=(spec.stream, block + _BLOCK_OFFSET))
        # Single precision halves the time and is far below what the 256 waves resolve.
        modes = np.random.Generator(np.random.PCG64(entropy)).standard_normal((size, n_waves), np.float32)
        for site, weights in enumerate(single):  # products of one shape: no site's bits depend on another
            parts[position * size : (position + 1) * size, site] = modes @ weights
    skip = (first_day - first_block * BLOCK_DAYS) * per_day
    return parts[skip : skip + n_days * per_day]


def field(
    spec: FieldSpec, seed: int, xyz_km: FloatArray, year: int, last_day: int, step_s: int
) -> FloatArray:
    """Values of one component from 1 January of a year to the end of a day, averaged over each step.

    Parameters
    ----------
    spec : FieldSpec
        The component; its `share` is not applied.
    seed : int
        Seed of the whole generator.
    xyz_km : ndarray
        Places, shape (site, 3). [km]
    year : int
        Calendar year (UTC).
    last_day : int
        Last day needed, counted from 1970-01-01. [day]
    step_s : int
        Step, a divisor of a day. [s]

    Returns
    -------
    ndarray
        Shape (step since 1 January, site), variance a little below 1 by the averaging. [1]
    """
    first_day = int(np.datetime64(f"{year:04d}-01-01", "D").astype(np.int64))
    run_up = int(np.ceil(RUN_UP_TAUS * spec.tau_h / 24.0))
    per_day = _DAY_S // step_s
    n_days = run_up + last_day - first_day + 1
    white = _noise(spec, seed, _basis(xyz_km, spec.length_km), first_day - run_up, n_days, per_day)
    b, a = _averaged_ou(spec.tau_h * 3600.0, float(step_s))
    values = lfilter(b, a, white, axis=0)
    if spec.smooth_h > 0.0:
        keep = np.exp(-step_s / (3600.0 * spec.smooth_h))
        values = lfilter([1.0 - keep], [1.0, -keep], values, axis=0)
    return np.asarray(values[run_up * per_day :], dtype=np.float64)


def latent(
    specs: tuple[FieldSpec, ...],
    weights: FloatArray,
    seed: int,
    xyz_km: FloatArray,
    year: int,
    last_day: int,
    step_s: int,
) -> FloatArray:
    """Sum of components with site-dependent weights; arguments as in `field`.

    Parameters
    ----------
    specs : tuple of FieldSpec
        The components.
    weights : ndarray
        Factor of each component at each site, shape (component, site), multiplied by the root of its
        share. [1]
    seed, xyz_km, year, last_day, step_s
        See `field`.

    Returns
    -------
    ndarray
        Shape (step since 1 January, site). [1]
    """
    total: FloatArray | None = None
    for spec, weight in zip(specs, weights, strict=True):
        part = field(spec, seed, xyz_km, year, last_day, step_s) * (np.sqrt(spec.share) * weight)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a latent process needs at least one component")
    return total
