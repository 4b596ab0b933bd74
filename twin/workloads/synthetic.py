"""Seeded jobs with the statistics of the Philly trace.

The constants were computed from all 82,247 rows of the trace (`twin.workloads.philly`, source named there)
over its 109 days. Device counts 12, 24 and 128 (7, 7 and 3 jobs) are counted with 16, 32 and 64.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from twin._arrays import FloatArray
from twin.workloads.table import DAY_S, S_PER_H
from weather import Findings

JOBS_PER_DAY = 755.27
"""82,247 jobs in 108.9 days. [1/d]"""

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Device counts."""

SIZE_SHARE = (0.931669, 0.0221041, 0.0227364, 0.0199764, 0.00250465, 0.00089973, 0.00010943)
"""Share of jobs of each count."""

PROBABILITIES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
"""Probabilities of the quantiles below."""

DURATION_QUANTILES_S = (
    (1, 52, 62, 122, 1117, 2716, 8512, 19140, 68250, 135400, 266900, 502200, 865700, 3256000),
    (2, 9, 11, 16, 21, 76, 72740, 197100, 343900, 523300, 808100, 1398000, 1474000, 2583000),
    (3, 75, 137.8, 772.8, 17410, 89390, 184400, 274000, 533400, 907400, 1206000, 1862000, 2446000, 2751000),
    (1, 125, 216.2, 1876, 23680, 173200, 352000, 525600, 795200, 1060000, 2000000, 2233000, 2656000, 4628000),
    (
        2,
        40.25,
        61.5,
        393.2,
        37190,
        162000,
        338100,
        505400,
        654300,
        1139000,
        1364000,
        1571000,
        1641000,
        1711000,
    ),
    (2, 296.9, 351, 925.5, 5320, 53030, 63020, 87180, 125600, 151700, 182500, 201000, 207100, 213300),
    (1, 2.2, 3.4, 4, 3071, 4322, 11830, 20150, 25150, 26810, 27640, 28140, 28310, 28480),
)
"""Duration quantiles of each count; between them the logarithm is linear in the probability. [s]"""

HOUR_PROFILE = (
    *(1.274, 0.985, 1.119, 1.103, 0.700, 1.153, 1.673, 2.089, 1.109, 1.006, 1.024, 0.869),
    *(0.749, 0.705, 0.638, 0.649, 0.882, 0.668, 0.801, 0.728, 1.016, 0.917, 1.134, 1.010),
)
"""Arrivals by hour of day over their mean, in the trace's own clock (no zone is stated)."""

WEEKDAY_PROFILE = (0.853, 1.054, 1.125, 1.272, 1.427, 0.642, 0.627)
"""Arrivals by weekday over their mean, Monday first."""

DAY_VARIANCE, DAY_CORRELATION = 1.14, 0.65
"""Variance of a day's arrivals over its weekday's mean, and its correlation with the day before."""


def generate_trace(*, seed: int, duration_s: float, jobs_per_day: float = JOBS_PER_DAY) -> pd.DataFrame:
    """Random jobs with Philly's sizes, durations and arrival profile.

    Parameters
    ----------
    seed
        Seed of all draws.
    duration_s
        Span of submissions from Monday 00:00, rounded up to whole weeks. [s]
    jobs_per_day
        Mean arrivals. [1/d]

    Returns
    -------
    DataFrame
        Trace with `submit_s`, `duration_s` and `n_gpus`, sorted by all three; `attrs` as of `read_philly`,
        with ``synthetic`` 1.

    Raises
    ------
    InputError
        Where the span or the rate is not positive.

    Notes
    -----
    Arrivals are a Poisson process whose rate is the product of an hourly and a weekday profile and of a
    random factor per day: gamma distributed, correlated with the day before (Gaussian copula), and scaled to
    a mean of 1 over the span, so that the seed moves the mean load little. Size and duration of a job are
    independent of its time; the trace's runs of equal jobs are not reproduced.
    """
    findings = Findings()
    if not 0.0 < duration_s < np.inf:
        findings.add("duration_s", f"is {duration_s} s", "give a span above 0 s")
    if not 0.0 < jobs_per_day < np.inf:
        findings.add("jobs_per_day", f"is {jobs_per_day}", "give a rate above 0 per day")
    findings.raise_if_any("synthetic trace")
    day_rng, arrival_rng, size_rng, length_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    submit_s = _arrivals(day_rng, arrival_rng, int(np.ceil(duration_s / (7 * DAY_S))), jobs_per_day)
    shares = np.array(SIZE_SHARE) / np.sum(SIZE_SHARE)
    kind = size_rng.choice(len(SIZES), size=len(submit_s), p=shares)
    duration = _durations(kind, length_rng.random(len(submit_s)))
    trace = pd.DataFrame({"submit_s": submit_s, "duration_s": duration, "n_gpus": np.array(SIZES)[kind]})
    trace = trace.sort_values(["submit_s", "n_gpus", "duration_s"], ignore_index=True)
    trace.attrs = {
        "trace": "synthetic",
        "source": "seeded generator with the statistics of the Philly trace",
        "synthetic": 1,
        "gpu_type": "",
        "first_day": "Monday",
        "duplicates": "keep",
        "n_duplicates": 0,
    }
    return trace


def _arrivals(
    day_rng: np.random.Generator, arrival_rng: np.random.Generator, n_weeks: int, jobs_per_day: float
) -> FloatArray:
    """Sorted times of a Poisson process with hourly constant rate. [s]"""
    n_days = 7 * n_weeks
    factor = _day_factors(day_rng, n_days) * np.tile(np.array(WEEKDAY_PROFILE), n_weeks)
    hourly = np.outer(factor / factor.mean(), np.array(HOUR_PROFILE) / np.mean(HOUR_PROFILE)).ravel()
    counts = arrival_rng.poisson(hourly * (jobs_per_day / 24.0))
    start = np.repeat(np.arange(counts.size) * S_PER_H, counts)
    return np.sort(start + S_PER_H * arrival_rng.random(start.size))


def _day_factors(rng: np.random.Generator, n_days: int) -> FloatArray:
    """Gamma-distributed factors of mean 1, correlated from day to day."""
    shocks = rng.standard_normal(n_days)
    normal = np.empty(n_days)
    normal[0] = shocks[0]
    for day in range(1, n_days):
        normal[day] = DAY_CORRELATION * normal[day - 1] + np.sqrt(1 - DAY_CORRELATION**2) * shocks[day]
    shape = 1.0 / DAY_VARIANCE
    factors: FloatArray = np.asarray(stats.gamma.ppf(stats.norm.cdf(normal), shape, scale=DAY_VARIANCE))
    return factors


def _durations(kind: np.ndarray[tuple[int, ...], np.dtype[np.int64]], u: FloatArray) -> FloatArray:
    """Durations at probabilities `u` of each job's class, whole seconds of at least 1. [s]"""
    logs = np.log(np.array(DURATION_QUANTILES_S, dtype=np.float64))
    duration = np.empty(len(u))
    for k in range(len(SIZES)):
        of_kind = kind == k
        duration[of_kind] = np.exp(np.interp(u[of_kind], PROBABILITIES, logs[k]))
    return np.maximum(np.rint(duration), 1.0)
