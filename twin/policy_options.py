"""Policies made from names and plain values, such as a scenario holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_type_hints

from pydantic import JsonValue, TypeAdapter, ValidationError

from twin.policies import POLICIES, Policy
from weather import Findings, InputError


def make_policy(name: str, options: Mapping[str, JsonValue]) -> Policy:
    """Make a policy with options of its own.

    Parameters
    ----------
    name : str
        Key of `twin.policies.POLICIES`.
    options : mapping
        Values by name, lists for tuples; what is not named has the policy's default.

    Returns
    -------
    Policy
        The policy.

    Raises
    ------
    InputError
        With every finding: names the policy does not have, values of another type or outside their range.

    Examples
    --------
    >>> make_policy("feasibility_aware", {"epsilon": 0.2, "rate_ratios": [0.5, 1]}).rate_ratios
    (0.5, 1.0)
    """
    findings = Findings()
    made = POLICIES[name]
    kinds = option_kinds(name)
    values: dict[str, object] = {}
    for key, value in options.items():
        if key not in kinds:
            known = f"it has {', '.join(sorted(kinds))}" if kinds else "it has none"
            findings.add(key, f"policy {name} has no such option", known)
            continue
        given = tuple(value) if isinstance(value, list) else value
        try:
            checked: TypeAdapter[object] = TypeAdapter(kinds[key])
            values[key] = checked.validate_python(given, strict=True)
        except ValidationError as error:
            findings.add(key, f"{value!r}: {error.errors()[0]['msg'].lower()}", "give another value")
    findings.raise_if_any(f"options of policy {name}")
    policy = cast("type", made)(**values)
    return cast("Policy", policy)


def option_kinds(name: str) -> dict[str, type[object]]:
    """Return the types of a policy's options by name.

    Parameters
    ----------
    name : str
        Key of `twin.policies.POLICIES`.
    """
    hints = get_type_hints(POLICIES[name])
    return {key: cast("type[object]", kind) for key, kind in hints.items() if key != "name"}


def policy_option_findings(options: Mapping[str, Mapping[str, JsonValue]]) -> Findings:
    """Check the options that a scenario has for policies; some of these may not run in it.

    Parameters
    ----------
    options : mapping
        Options by policy.

    Returns
    -------
    Findings
        With the keys of the scenario.
    """
    findings = Findings()
    for name, given in options.items():
        if name not in POLICIES:
            known = f"known: {', '.join(sorted(POLICIES))}"
            findings.add(f"policy_options.{name}", f"no policy {name!r}", known)
            continue
        try:
            make_policy(name, given)
        except InputError as error:
            for found in error.findings:
                findings.add(f"policy_options.{name}.{found.where}", found.what, found.remedy)
    return findings
