"""Type aliases used by all three packages."""

from __future__ import annotations

import os
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["BoolArray", "FloatArray", "FloatLike", "IntArray", "PathLike", "XarrayT"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
FloatLike: TypeAlias = float | FloatArray | xr.DataArray
PathLike: TypeAlias = str | os.PathLike[str]
XarrayT = TypeVar("XarrayT", xr.Dataset, xr.DataArray)
