"""Random outages of generators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grid_models import generator_outages, load_grid
from grid_models.outages import whole_steps
from tests.grid_models.grids import small_grid
from weather import InputError

YEAR = pd.date_range("2020-01-01T08:00Z", periods=8784, freq="h")


def test_availability_is_that_of_the_table_in_the_long_run() -> None:
    grid = load_grid("rts_gmlc")
    many = np.mean([generator_outages(grid, YEAR, seed=k).mean("time").to_numpy() for k in range(12)], axis=0)
    gens = grid.generators
    expected = (gens["mttf_h"] / (gens["mttf_h"] + gens["mttr_h"])).fillna(1.0).to_numpy()
    assert gens.loc["101_CT_1", ["mttf_h", "mttr_h"]].tolist() == [450.0, 50.0]
    assert many.mean() == pytest.approx(expected.mean(), abs=0.005)
    assert np.abs(many - expected).max() < 0.08


def test_equal_seeds_give_equal_outages_and_longer_axes_go_on() -> None:
    grid = load_grid("rts_gmlc")
    year, month = generator_outages(grid, YEAR, seed=3), generator_outages(grid, YEAR[:720], seed=3)
    np.testing.assert_array_equal(year[:719], month[:719])
    assert (generator_outages(grid, YEAR, seed=4) != year).any()
    assert float(year.min()) == 0.0
    assert float(year.max()) == pytest.approx(1.0)
    assert set(np.unique(whole_steps(year))) == {0.0, 1.0}
    assert (whole_steps(year) <= year + 1e-9).all()


def test_a_plant_that_never_fails_is_always_there_and_one_never_repaired_is_refused() -> None:
    grid = small_grid(2, [(0, 1, 10.0)], generators=[(0, 50.0, 20.0)])
    assert (generator_outages(grid, YEAR[:48], seed=1) == 1.0).all()
    grid.generators["mttf_h"] = 100.0
    with pytest.raises(InputError, match="mttr_h=0 h"):
        generator_outages(grid, YEAR[:48], seed=1)
