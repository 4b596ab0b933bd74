"""The one place that knows how hot loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays to machine code on its first call, kept on disk.

    Floating point stays strict: sums are taken in the order written, nothing is fused or reassociated, so
    that results are the same to the bit wherever and however often a function is called. Private functions
    can be called from compiled ones only, which saves most of the time their compilation would take.
    """
    is_private = function.__name__.startswith("_")
    compile_now: Callable[[Function], Function] = numba.njit(  # type: ignore[call-overload]  # not in its stub
        cache=True, fastmath=False, error_model="numpy", no_cpython_wrapper=is_private, no_cfunc_wrapper=True
    )
    return compile_now(function)
