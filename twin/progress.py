"""Progress on a terminal."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from tqdm import tqdm


class Progress(Protocol):
    """Is told how far a stage is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note that `done` of `total` units of a stage are finished."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""
    del stage, done, total


class TerminalProgress:
    """One bar per stage, kept when the stage is finished.

    Parameters
    ----------
    stream : text stream, optional
        Where to draw; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._bar: tqdm | None = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Draw the bar of the stage."""
        if stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(desc=f"{stage:<32}", total=total, file=self._stream, ncols=90, mininterval=0.2)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if done >= total:
                self.close()

    def close(self) -> None:
        """End the present bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None
