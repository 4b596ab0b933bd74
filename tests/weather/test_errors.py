from __future__ import annotations

import pickle

import pytest

from weather import BalanceError, Finding, Findings, InputError, SolverError, TwinError

TWO = (Finding("ghi", "3 values are NaN", "fill them"), Finding("site b", "has no dni"))


def test_the_message_has_every_finding_on_its_own_line() -> None:
    assert str(InputError("x.csv", TWO)).splitlines() == [
        "x.csv: 2 findings",
        "  - ghi: 3 values are NaN; fill them",
        "  - site b: has no dni",
    ]


def test_one_finding_is_counted_in_the_singular() -> None:
    assert str(InputError("x.csv", TWO[:1])).startswith("x.csv: 1 finding\n")


def test_an_error_keeps_its_findings_across_processes() -> None:
    error = pickle.loads(pickle.dumps(InputError("x.csv", TWO)))
    assert (error.subject, error.findings) == ("x.csv", TWO)
    assert str(error) == str(InputError("x.csv", TWO))


def test_findings_are_raised_together_and_none_raises_nothing() -> None:
    findings = Findings()
    findings.raise_if_any("x.csv")
    findings.add("ghi", "3 values are NaN", "fill them")
    findings.extend(TWO[1:])
    assert len(findings) == 2
    assert findings
    with pytest.raises(InputError) as caught:
        findings.raise_if_any("x.csv")
    assert caught.value.findings == TWO


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(InputError, ValueError), (SolverError, RuntimeError), (BalanceError, RuntimeError)],
)
def test_each_error_is_one_of_ours_and_of_the_builtin_kind(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, TwinError)
    assert issubclass(error, builtin)
