"""Reading a text in tests, and what is found wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from weather import InputError, read


def read_text(path: Path, content: str | bytes, source: str | None = None, **options: object) -> xr.Dataset:
    """Write a file and read it."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, source, **options)  # type: ignore[arg-type]


def findings_of(path: Path, content: str | bytes, source: str | None = None, **options: object) -> list[str]:
    """Findings about a file of this content."""
    with pytest.raises(InputError) as caught:
        read_text(path, content, source, **options)
    return [str(finding) for finding in caught.value.findings]
