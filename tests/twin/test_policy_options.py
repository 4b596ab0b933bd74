"""Options of policies: made from plain values, refused with every finding, and used by a study."""

from __future__ import annotations

import pytest

from twin import load_scenario
from twin.policies import POLICIES
from twin.policy_options import make_policy, option_kinds
from weather import InputError


@pytest.mark.parametrize("name", list(POLICIES))
def test_without_options_a_policy_is_its_default(name: str) -> None:
    assert make_policy(name, {}) == POLICIES[name]()
    assert "name" not in option_kinds(name)


def test_values_become_options() -> None:
    policy = make_policy("feasibility_aware", {"epsilon": 0, "rate_ratios": [1, 0.5], "min_stay_h": 3})
    assert vars(policy)["epsilon"] == 0.0
    assert vars(policy)["rate_ratios"] == (1.0, 0.5)
    assert vars(make_policy("feasibility_aware", {"epsilon": None}))["epsilon"] is None
    assert vars(make_policy("temporal", {"only_surplus": True}))["only_surplus"] is True


def test_a_scenario_names_all_that_is_wrong_with_them() -> None:
    options = "{feasibility_aware: {epsilon: much, calm: 1}, temporal: {only_surplus: 1}, "
    options += "magic: {}, static: {x: 1}}"
    with pytest.raises(InputError) as error:
        load_scenario("recorded", overrides=[f"policy_options={options}"])
    for said in (
        "policy_options.feasibility_aware.epsilon: 'much'",
        "policy_options.feasibility_aware.calm: policy feasibility_aware has no such option; it has again",
        "policy_options.temporal.only_surplus: 1",
        "policy_options.magic: no policy 'magic'; known: energy_greedy",
        "policy_options.static.x: policy static has no such option; it has none",
    ):
        assert said in str(error.value)
    with pytest.raises(InputError, match=r"policy_options\.feasibility_aware\.epsilon: is 1\.5"):
        load_scenario("recorded", overrides=["policy_options.feasibility_aware.epsilon=1.5"])


def test_options_survive_the_way_through_text() -> None:
    scenario = load_scenario(
        "recorded", overrides=["policy_options.feasibility_aware.rate_ratios=[0.5, 1.0]"]
    )
    assert scenario.policy_options == {"feasibility_aware": {"rate_ratios": [0.5, 1.0]}}
    assert "policy_options:" in scenario.to_yaml()
