from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest

from weather.modules import PVWATTS, cec_names, inverter_share, module_share, name_findings

MODULE = "Canadian_Solar_Inc__CS5P_220M"
INVERTER = "ABB__PVI_5000_OUTD_US_A__240V_"


def test_a_module_gives_its_rating_at_standard_conditions() -> None:
    one = module_share(MODULE, np.array([1000.0]), np.array([25.0]))
    assert one[0] == pytest.approx(1.0, rel=1e-9)
    assert module_share(MODULE, np.zeros(2), np.full(2, 10.0)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", [MODULE, "First_Solar__Inc__FS_6435A", "LG_Electronics_Inc__LG365Q1C_A5"])
def test_published_ratings_and_temperature_coefficients(name: str) -> None:
    # The CEC table has the rated power (STC) and the temperature coefficient of each product beside the
    # parameters of the diode model.
    product = pvlib.pvsystem.retrieve_sam("CECMod")[name]
    parameters = (
        product[k] for k in ("alpha_sc", "a_ref", "I_L_ref", "I_o_ref", "R_sh_ref", "R_s", "Adjust")
    )
    curve = pvlib.pvsystem.calcparams_cec(1000.0, 25.0, *parameters)
    assert pvlib.pvsystem.max_power_point(*curve)["p_mp"] == pytest.approx(product["STC"], rel=0.005)
    warm = module_share(name, np.full(2, 1000.0), np.array([25.0, 45.0]))
    assert 100.0 * (warm[1] - warm[0]) / 20.0 == pytest.approx(product["gamma_r"], rel=0.1)


def test_low_light_is_less_efficient_than_in_proportion() -> None:
    share = module_share(MODULE, np.array([1000.0, 200.0, 50.0]), np.full(3, 25.0))
    efficiency = share / np.array([1.0, 0.2, 0.05])
    assert 0.9 < efficiency[1] < 1.0
    assert efficiency[2] < efficiency[1]


def test_inverter_has_its_published_efficiency_and_clips() -> None:
    inverter = pvlib.pvsystem.retrieve_sam("CECInverter")[INVERTER]
    full = float(inverter["Pdco"] / inverter["Paco"])
    share = inverter_share(INVERTER, np.array([full, 0.5 * full, 2.0, 0.0, 0.001]))
    assert share[0] == pytest.approx(1.0, rel=1e-9)
    assert 0.95 < share[1] / (0.5 * full) < 0.98
    assert share[2] == 1.0
    assert share[3:].tolist() == [0.0, 0.0]  # at night and below its threshold it would draw power


def test_names() -> None:
    assert MODULE in cec_names("module")
    assert INVERTER in cec_names("inverter")
    units = pd.DataFrame({"module": [PVWATTS, "CS5P"], "inverter": [INVERTER, PVWATTS]}, index=["a", "b"])
    (finding,) = name_findings(units)
    assert "'b', module" in finding.where
