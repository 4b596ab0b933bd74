"""The figure of the feasibility domain says what the domain says."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from twin import feasibility, feasible_share, plot_feasibility
from weather import InputError


def jobs() -> pd.DataFrame:
    columns = {"checkpoint_gb": [5.0, 50.0, 5000.0, 1.0], "n_gpus": [8, 8, 8, 1]}
    return pd.DataFrame(columns | {"work_gpu_h": [10.0, 20.0, 60.0, 10.0]})


def test_shares_are_those_of_each_job_with_its_own_gpus() -> None:
    table, link = jobs(), 10.0
    result = feasible_share(table, [0.5, 3.0, 1000.0], link_gbit_per_s=link)
    for hours, (share, work) in zip([0.5, 3.0, 1000.0], result, strict=True):
        fits = [
            bool(feasibility(row.checkpoint_gb, link, hours * 3600.0, n_gpus=row.n_gpus).feasible)
            for row in table.itertuples()
        ]
        assert share == np.mean(fits)
        assert work == pytest.approx(table["work_gpu_h"][fits].sum() / 100.0)
    assert (np.diff(result, axis=0) >= 0.0).all()
    assert result[1].tolist() == [0.75, 0.4]


def test_the_figure_shades_what_fits_and_shows_the_jobs() -> None:
    figure = plot_feasibility(jobs(), windows_h=[3.0, 1.0])
    axes = figure.axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0].startswith("3 h: 75% of jobs, 40% of GPU-hours")
    assert labels[1].startswith("1 h: ")
    assert labels[2] == "jobs on 10 Gbit/s, area by GPU-hours"
    assert axes.get_xscale() == axes.get_yscale() == "log"
    for format_ in ("svg", "png"):
        figure.savefig(target := io.BytesIO(), format=format_)
        assert len(target.getvalue()) > 10_000


def test_nothing_that_fits_is_drawn_as_nothing() -> None:
    figure = plot_feasibility(windows_h=[0.01])
    assert not figure.axes[0].collections


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"windows_h": [0.0], "link_gbit_per_s": -1.0, "checkpoint_gb": (5.0, 5.0)}
    with pytest.raises(InputError) as caught:
        plot_feasibility(pd.DataFrame({"n_gpus": [1]}), **wrong)  # type: ignore[arg-type]
    text = str(caught.value)
    for part in ("windows_h", "link_gbit_per_s", "checkpoint_gb", "lacks checkpoint_gb, work_gpu_h"):
        assert part in text
    with pytest.raises(InputError, match="jobs: is empty"):
        feasible_share(jobs().iloc[:0], [1.0])
