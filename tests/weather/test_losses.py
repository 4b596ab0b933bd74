from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weather import InputError
from weather.losses import PV_LOSSES, WIND_LOSSES, combined_loss, pv_losses, remaining_share

shares = st.lists(st.floats(0.0, 1.0), max_size=6)


def units(**columns: object) -> pd.DataFrame:
    return pd.DataFrame([{**dict.fromkeys(PV_LOSSES, np.nan), **columns}], index=["a"])


@given(parts=shares)
def test_losses_combine_to_a_share_that_is_no_less_than_each(parts: list[float]) -> None:
    loss = float(combined_loss(parts))
    assert -1e-12 <= loss <= 1.0
    assert all(loss >= part - 1e-12 for part in parts)
    assert loss == pytest.approx(1.0 - float(remaining_share(parts)))


def test_parts_combine_as_pvwatts_does() -> None:
    # Naming one part at PVWatts' own value composes all of them.
    composed = float(pv_losses(units(soiling_loss=0.02))[0])
    assert composed == pytest.approx(pvlib.pvsystem.pvwatts_losses() / 100.0, rel=1e-12)
    assert float(pv_losses(units())[0]) == pytest.approx(composed, abs=5e-5)


def test_total_and_parts_exclude_each_other() -> None:
    assert float(pv_losses(units(losses=0.2))[0]) == 0.2
    with pytest.raises(InputError, match="age_loss"):
        pv_losses(units(losses=0.2, age_loss=0.1))


def test_losses_of_wind_farms_are_those_of_their_sources() -> None:
    # System Advisor Model, Windpower: elec_eff 1.91 %, elec_parasitic 0.1 %; turb_generic 1.7 %,
    # turb_hysteresis 0.4 %, turb_perf 1.1 %, turb_specific 0.81 %.
    defaults = {name: parameter.default for name, parameter in WIND_LOSSES.items()}
    assert defaults["electrical_loss"] == pytest.approx(float(combined_loss([0.0191, 0.001])), abs=5e-4)
    turbine = float(combined_loss([0.017, 0.004, 0.011, 0.0081]))
    assert defaults["performance_loss"] == pytest.approx(turbine, abs=5e-4)
