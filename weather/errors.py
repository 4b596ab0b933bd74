"""Exceptions of the project, and the list in which findings about an input are collected.

Bad input is reported once, with everything that is wrong with it: a check adds a `Finding` per problem to a
`Findings` list and raises at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["BalanceError", "Finding", "Findings", "InputError", "SolverError", "TwinError"]


class TwinError(Exception):
    """Base of every error the project raises on purpose."""


class SolverError(TwinError, RuntimeError):
    """An optimisation ended without the optimum it must have."""


class BalanceError(TwinError, RuntimeError):
    """A balance (power, energy, GPU-hours, bytes, jobs) does not close."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an input.

    Attributes
    ----------
    where : str
        Place: file, variable, site, row or time.
    what : str
        What was expected and what came, with units.
    remedy : str
        What to do about it; empty if there is nothing to add.

    Examples
    --------
    >>> str(Finding("ghi", "12 values are NaN", "fill them by name"))
    'ghi: 12 values are NaN; fill them by name'
    """

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the finding as one line."""
        text = f"{self.where}: {self.what}"
        return f"{text}; {self.remedy}" if self.remedy else text


class InputError(TwinError, ValueError):
    """An input was refused.

    Parameters
    ----------
    subject : str
        What was checked, for example a file name.
    findings : sequence of Finding
        Everything that is wrong with it.
    """

    def __init__(self, subject: str, findings: Sequence[Finding]) -> None:
        self.subject = subject
        self.findings = tuple(findings)
        count = "1 finding" if len(self.findings) == 1 else f"{len(self.findings)} findings"
        super().__init__("\n  - ".join([f"{subject}: {count}", *map(str, self.findings)]))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, tuple[Finding, ...]]]:
        """Let the error cross process borders with its findings."""
        return type(self), (self.subject, self.findings)


class Findings:
    """Findings in the order they were made.

    Examples
    --------
    >>> findings = Findings()
    >>> findings.add("load_p_mw", "-3.2 MW at bus '101'", "loads are >= 0")
    >>> bool(findings), len(findings)
    (True, 1)
    """

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self._items: list[Finding] = list(findings)

    def add(self, where: str, what: str, remedy: str = "") -> None:
        """Add one finding (see `Finding`)."""
        self._items.append(Finding(where, what, remedy))

    def extend(self, findings: Iterable[Finding]) -> None:
        """Add the findings of another check."""
        self._items.extend(findings)

    def __iter__(self) -> Iterator[Finding]:
        """Iterate in the order of adding."""
        return iter(self._items)

    def __len__(self) -> int:
        """Return the number of findings."""
        return len(self._items)

    def __bool__(self) -> bool:
        """Return whether anything was found."""
        return bool(self._items)

    def raise_if_any(self, subject: str) -> None:
        """Raise an `InputError` about `subject` with all findings, if there are any."""
        if self._items:
            raise InputError(subject, self._items)
