"""Emission factors against published ones."""

from __future__ import annotations

import numpy as np
import pytest

from grid_models import FUELS, emission_factor_kg_per_mwh
from weather import InputError

LB = 0.45359237


@pytest.mark.parametrize(
    ("fuel", "published", "relative"),
    [
        # EIA, FAQ 74: CO2 over net generation of the United States' utility-scale plants, 2023 (oil: 2022).
        # Petroleum there includes petroleum coke and residual oil, which hold up to 40 % more carbon.
        ("coal", 2.31 * LB * 1000, 0.03),
        ("gas", 0.96 * LB * 1000, 0.06),
        ("oil", 2.38 * LB * 1000, 0.25),
    ],
)
def test_direct_factors_are_near_those_of_a_real_fleet(fuel: str, published: float, relative: float) -> None:
    assert emission_factor_kg_per_mwh(fuel) == pytest.approx(published, rel=relative)


@pytest.mark.parametrize(
    ("fuel", "lb_per_mmbtu", "btu_per_kwh", "lb_per_kwh"),
    [
        # EIA, FAQ of 2014: steam-electric generators; factors there are rounded to 0.01 lb/kWh.
        ("lignite", 215.4, 10_107, 2.18),
        ("gas", 117.08, 10_416, 1.22),
        ("oil", 161.386, 10_416, 1.68),
    ],
)
def test_a_heat_rate_gives_the_published_factor(
    fuel: str, lb_per_mmbtu: float, btu_per_kwh: float, lb_per_kwh: float
) -> None:
    assert FUELS[fuel].direct_kg_per_mmbtu == pytest.approx(lb_per_mmbtu * LB, rel=2e-3)
    found = emission_factor_kg_per_mwh(fuel, heat_rate_mmbtu_per_mwh=btu_per_kwh / 1000)
    assert found == pytest.approx(lb_per_kwh * LB * 1000, abs=0.006 * LB * 1000)


@pytest.mark.parametrize(
    ("fuel", "direct", "life_cycle"), [("coal", 760.0, 820.0), ("gas", 370.0, 490.0), ("nuclear", 0.0, 12.0)]
)
def test_life_cycles_are_those_of_the_ipcc_at_its_heat_rates(
    fuel: str, direct: float, life_cycle: float
) -> None:
    carbon = FUELS[fuel].direct_kg_per_mmbtu
    rate = direct / carbon if carbon else 0.0
    assert emission_factor_kg_per_mwh(fuel, heat_rate_mmbtu_per_mwh=rate) == pytest.approx(direct)
    found = emission_factor_kg_per_mwh(fuel, heat_rate_mmbtu_per_mwh=rate, scope="life_cycle")
    assert found == pytest.approx(life_cycle)


@pytest.mark.parametrize("fuel", FUELS)
def test_a_life_cycle_holds_at_least_what_is_burnt(fuel: str) -> None:
    direct = emission_factor_kg_per_mwh(fuel)
    assert 0.0 <= direct <= emission_factor_kg_per_mwh(fuel, scope="life_cycle") < 1300.0


def test_bad_input_is_named_at_once_with_the_known_fuels() -> None:
    with pytest.raises(InputError) as error:
        emission_factor_kg_per_mwh("peat", heat_rate_mmbtu_per_mwh=np.nan, scope="all")  # type: ignore[arg-type]
    assert len(error.value.findings) == 3
    assert "coal, lignite, gas" in str(error.value)
