"""Failures and outages of a scenario: what its keys become, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from twin.failure_scenario import make_failures, make_outages
from twin.scenario_checks import validate
from weather import InputError

SITES = [{"name": "north", "bus": "303", "n_gpus": 64}, {"name": "south", "bus": "122", "n_gpus": 64}]
TIME = {"start": "2020-04-06T08:00:00Z", "days": 10, "drain_days": 5}


def scenario(**failures: object):  # type: ignore[no-untyped-def]
    raw = {"name": "broken", "sites": SITES, "time": TIME, "failures": failures, "fleet_scale": 4}
    return validate(raw)


def test_nothing_fails_by_default() -> None:
    plain = scenario()
    assert make_outages(plain, 1).site.size == 0
    assert np.isinf(make_failures(plain, 1).mtbf_gpu_h)


def test_listed_outages_are_in_seconds_of_the_run() -> None:
    made = make_outages(
        scenario(
            outages=[{"site": "south", "start": "2020-04-06T10:00:00+01:00", "end": "2020-04-06T12:00:00Z"}]
        ),
        1,
    )
    assert (made.site.tolist(), made.begin_s.tolist(), made.end_s.tolist()) == ([1], [3600.0], [14400.0])


def test_drawn_outages_depend_on_the_seed_and_begin_within_the_run() -> None:
    drawn = scenario(site_mtbf_h=50.0, site_mttr_h=5.0)
    one, again, other = (make_outages(drawn, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.begin_s, again.begin_s)
    assert not np.array_equal(one.begin_s, other.begin_s)
    assert np.all((one.begin_s > 0.0) & (one.begin_s < 15 * 86400.0))


def test_a_job_that_stands_for_several_fails_as_often_as_one() -> None:
    made = make_failures(scenario(gpu_mtbf_h=8000.0, checkpoint_interval_h=0.5), 7)
    assert (made.mtbf_gpu_h, made.planned_mtbf_gpu_h) == (32000.0, 32000.0)
    assert (made.checkpoint_interval_s, made.seed) == (1800.0, 7)


def test_all_findings_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        scenario(
            outages=[{"site": "west", "start": "2020-04-07T00:00:00Z", "end": "2020-04-06T00:00:00Z"}],
            site_mtbf_h=10.0,
            gpu_mtbf_h=-1.0,
        )
    assert {f.where for f in caught.value.findings} == {
        "failures.outages.0",
        "failures.outages.0.site",
        "failures.site_mttr_h",
        "failures.gpu_mtbf_h",
    }
