"""Every policy of the package keeps to the contract, and the check finds those that do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from twin.policies import POLICIES, Commands, Refusals, View, check_policy
from twin.policies.contract import ContractError


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(5))
def test_every_policy_keeps_to_the_contract(name: str, seed: int) -> None:
    policy = POLICIES[name]()
    assert policy.name == name
    check_policy(policy, seed=seed)


@dataclass
class Rogue:
    """Does what it is told to, wrongly."""

    act: Callable[[View], Commands]
    name: str = "rogue"

    def decide(self, view: View) -> Commands:
        return self.act(view)


def move_anything(view: View) -> Commands:
    n = len(view.running)
    return Commands(move_job=view.running.job, move_dest=np.zeros(n, dtype=np.int64))


def place_running(view: View) -> Commands:
    return Commands(place_job=view.running.job, place_site=view.running.site)


def place_twice(view: View) -> Commands:
    return Commands(place_job=np.repeat(view.queued.job, 2), place_site=np.repeat(view.queued.site, 2))


def change_the_view(view: View) -> Commands:
    view.sites.free_gpus[:] = 0
    return Commands()


def pause_queued(view: View) -> Commands:
    return Commands(pause_job=view.queued.job)


def pause_anything(view: View) -> Commands:
    return Commands(pause_job=view.running.job) if view.renewed else Commands()


def pause_between_signals(view: View) -> Commands:
    return Commands(pause_job=view.running.job[view.running.pausable])


def resume_everything(view: View) -> Commands:
    return Commands(resume_job=view.paused.job)


def resume_running(view: View) -> Commands:
    return Commands(resume_job=view.running.job)


def hold_running(view: View) -> Commands:
    return Commands(hold_job=view.running.job)


def refuse_without_margin(view: View) -> Commands:
    n = len(view.running)
    return Commands(
        refused=Refusals(view.running.job, view.running.site, np.ones(n, dtype=np.int64), np.ones(n))
    )


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (move_anything, "moved"),
        (place_running, "not queued"),
        (place_twice, "named twice"),
        (change_the_view, "changed the view"),
        (refuse_without_margin, "margin below zero"),
        (pause_queued, "a job that is not running is paused"),
        (pause_anything, "a job that may not pause is paused"),
        (pause_between_signals, "paused between signals"),
        (resume_everything, "resumed into more GPUs than are free"),
        (resume_running, "a job that is not paused is resumed"),
        (hold_running, "not queued is held back"),
    ],
)
def test_the_check_finds_what_breaks_it(act: Callable[[View], Commands], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_policy(Rogue(act))


def test_a_policy_needs_a_name() -> None:
    with pytest.raises(ContractError, match="name"):
        check_policy(Rogue(change_the_view, name=""))


def test_a_policy_that_remembers_is_found() -> None:
    calls: list[int] = []

    def alternate(view: View) -> Commands:
        calls.append(1)
        if len(calls) % 2:
            return Commands()
        return Commands(place_job=view.queued.job, place_site=view.queued.origin)

    with pytest.raises(ContractError, match="other commands"):
        check_policy(Rogue(alternate))
