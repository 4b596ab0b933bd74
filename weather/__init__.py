"""What the sky does and what plants make of it: arrays in project names and units."""

from __future__ import annotations

__all__: list[str] = []
