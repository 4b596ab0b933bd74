"""Array types of the package."""

from __future__ import annotations

from numpy.typing import ArrayLike

from weather import BoolArray, FloatArray, IntArray

__all__ = ["ArrayLike", "BoolArray", "FloatArray", "IntArray"]
