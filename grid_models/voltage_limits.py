"""Limits of the AC dispatch and how far a point violates them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from grid_models._arrays import ComplexArray, FloatArray
    from grid_models.voltage_model import AcModel


@dataclass(frozen=True, eq=False)
class AcLimits:
    """Limits in a network; what has none is infinite.

    Attributes
    ----------
    vm_min_pu, vm_max_pu : ndarray (node)
        Least and largest voltage. [pu]
    loading : float
        Largest current of lines and transformers over their rated one. [1]
    """

    vm_min_pu: FloatArray
    vm_max_pu: FloatArray
    loading: float

    def without_voltages(self) -> AcLimits:
        """Limits of currents alone."""
        free = np.full_like(self.vm_max_pu, np.inf)
        return AcLimits(-free, free, self.loading)

    def none(self) -> AcLimits:
        """No limits of the network at all."""
        return replace(self.without_voltages(), loading=np.inf)

    def excess(self, model: AcModel, voltage: ComplexArray) -> tuple[FloatArray, FloatArray]:
        """How far voltages at nodes and loadings of lines are beyond their limits; negative within. [pu]"""
        vm = np.abs(voltage)
        return np.maximum(vm - self.vm_max_pu, self.vm_min_pu - vm), model.loading(voltage) - self.loading
