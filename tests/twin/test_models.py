"""Sizes of checkpoints against published ones, and models drawn for jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.twin.simulation_cases import job_table
from twin.sites import SiteTable, make_sites
from twin.workloads import (
    CHECKPOINT_FORMATS,
    MODELS,
    check_jobs,
    checkpoint_size_gb,
    draw_models,
    generate_trace,
    lora_parameters_billion,
    parameter_bound_billion,
    prepare_jobs,
    with_model_checkpoints,
)
from weather import InputError

GIB = 2.0**30 / 1e9
TIB = 2.0**40 / 1e9
MIB = 2.0**20 / 1e9


@pytest.mark.parametrize(
    ("model", "fmt", "published_gb", "rel"),
    [
        ("bloom_176b", "weights_16bit", 329 * GIB, 0.005),  # BigScience: "329 GB" are GiB
        ("bloom_176b", "adamw_mixed", 2.3 * TIB, 0.03),  # BigScience: "2.3 TB" are TiB, two digits
        (
            "resnet50",
            "weights_fp32",
            97.781 * MIB,
            0.004,
        ),  # torchvision: MiB; batch norm's statistics are more
        ("vit_b_32", "weights_fp32", 336.604 * MIB, 0.001),  # torchvision: MiB
        ("bert_large", "weights_fp32", 1.3, 0.04),  # two digits
        ("llama3_8b", "weights_16bit", 16.0605, 0.001),
        ("llama2_13b", "weights_16bit", 26.0326, 0.001),
        ("llama3_70b", "weights_16bit", 141.126, 0.001),
    ],
)
def test_published_sizes(model: str, fmt: str, published_gb: float, rel: float) -> None:
    size = checkpoint_size_gb(MODELS[model].parameters_billion, CHECKPOINT_FORMATS[fmt].checkpoint_bytes)
    assert float(size) == pytest.approx(published_gb, rel=rel)


def test_adapters_of_gpt_3_have_the_published_size() -> None:
    # LoRA, rank 4 on query and value projections: a file of 35 MB instead of 350 GB.
    trained = lora_parameters_billion(4, 96, 12288)
    assert trained == 96 * 2 * (12288 * 4 + 4 * 12288) / 1e9
    model = MODELS["gpt3_175b_lora_r4"]
    assert model.trained_billion == pytest.approx(trained, rel=1e-4)
    assert 2.0 * model.trained_billion == pytest.approx(35 * MIB, rel=0.04)
    assert 2.0 * model.parameters_billion == 350.0
    assert model.checkpoint_gb == pytest.approx(14 * trained, rel=1e-4)


def llama_parameters(vocabulary: int, width: int, inner: int, n_layers: int, key_share: float = 1.0) -> float:
    """Embedding, head; per layer query, key, value, output, three matrices of the MLP, two norms. [1e9]"""
    layer = (2 + 2 * key_share) * width**2 + 3 * width * inner + 2 * width
    return (2 * vocabulary * width + n_layers * layer + width) / 1e9


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ("llama2_7b", (32000, 4096, 11008, 32)),
        ("llama2_13b", (32000, 5120, 13824, 40)),
        ("llama2_70b", (32000, 8192, 28672, 80, 1 / 8)),
        ("llama3_8b", (128256, 4096, 14336, 32, 1 / 4)),
        ("llama3_70b", (128256, 8192, 28672, 80, 1 / 8)),
    ],
)
def test_parameters_of_llamas_follow_from_their_architecture(
    model: str, architecture: tuple[int, int, int, int]
) -> None:
    assert MODELS[model].parameters_billion == pytest.approx(llama_parameters(*architecture), rel=2e-4)


def test_parameters_of_gpt_2_follow_from_its_architecture() -> None:
    # Words and places; per layer 12 squares of the width, with their biases and two norms; a last norm.
    words = (50257 + 1024) * 1600
    assert MODELS["gpt2_xl"].parameters_billion == pytest.approx(
        (words + 48 * (12 * 1600**2 + 13 * 1600) + 2 * 1600) / 1e9, abs=5e-5
    )


@pytest.mark.parametrize(
    ("model", "size_gb"),
    [
        ("resnet50", 0.2045),
        ("stable_diffusion_1_5", 12.04),
        ("llama2_7b", 94.34),
        ("llama2_70b", 965.7),
        ("llama3_405b", 5670.0),
    ],
)
def test_full_checkpoints_by_hand(model: str, size_gb: float) -> None:
    assert MODELS[model].checkpoint_gb == pytest.approx(size_gb, rel=1e-3)


def test_a_checkpoint_is_the_training_state_without_gradients() -> None:
    for entry in CHECKPOINT_FORMATS.values():
        assert entry.memory_bytes - entry.checkpoint_bytes in (0.0, 4.0), entry.name
        assert (entry.memory_bytes == entry.checkpoint_bytes) == entry.name.startswith("weights")
    assert CHECKPOINT_FORMATS["adamw_mixed"].checkpoint_bytes == 2 + 4 + 8
    assert CHECKPOINT_FORMATS["adamw_8bit"].checkpoint_bytes == 2 + 4 + 2


def test_every_entry_says_where_it_comes_from() -> None:
    assert list(MODELS) == [m.name for m in MODELS.values()]
    sizes = [m.parameters_billion for m in MODELS.values()]
    assert sizes == sorted(sizes)
    for entry in (*MODELS.values(), *CHECKPOINT_FORMATS.values()):
        assert entry.sure.split(";")[0] in {"read", "read2", "derived", "recalled", "trained read2"}
        assert entry.source or entry.sure in {"recalled", "derived"}, entry.name
    assert {m.format for m in MODELS.values()} <= set(CHECKPOINT_FORMATS)


def test_sources_are_listed_on_the_page(repository: Path) -> None:
    page = (repository / "docs" / "compute.md").read_text(encoding="utf-8")
    listed = page.partition("## Sources")[2]
    for entry in (*MODELS.values(), *CHECKPOINT_FORMATS.values()):
        assert all(f"[{key}]" in listed for key in entry.source.split()), entry.name


def test_memory_of_adapters_is_that_of_the_frozen_weights() -> None:
    # 350 GB of 16-bit weights need as much as 19.4e9 parameters of 18 B.
    assert MODELS["gpt3_175b_lora_r4"].memory_billion == pytest.approx(350 / 18, rel=1e-3)
    assert MODELS["llama3_70b"].memory_billion == MODELS["llama3_70b"].parameters_billion
    assert MODELS["resnet50"].memory_billion == pytest.approx(0.025557 * 12 / 18)


# Models of jobs.


def test_models_are_drawn_by_their_shares_among_those_that_fit() -> None:
    shares = {"resnet50": 1.0, "llama2_13b": 2.0, "llama3_70b": 1.0}
    n_gpus = np.repeat([1, 8, 64], 8000)
    drawn = pd.Series(draw_models(n_gpus, shares, np.random.default_rng(0)))
    assert set(drawn[n_gpus == 1]) == {"resnet50"}  # 13e9 parameters need more than one device
    narrow, wide = (drawn[n_gpus == n].value_counts(normalize=True) for n in (8, 64))
    assert set(narrow.index) == {"resnet50", "llama2_13b"}
    assert narrow["llama2_13b"] == pytest.approx(2 / 3, abs=0.02)
    assert wide["llama2_13b"] == pytest.approx(0.5, abs=0.02)
    assert wide["llama3_70b"] == pytest.approx(0.25, abs=0.02)
    for name, n in zip(drawn, n_gpus, strict=True):
        assert MODELS[name].memory_billion <= parameter_bound_billion(n)


def test_models_that_do_not_fit_or_exist_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"does not fit jobs of 1, 2 devices of 80 GB.*smaller model"):
        draw_models([1, 2, 8], {"llama2_13b": 1.0}, rng)
    with pytest.raises(InputError, match=r"unknown model 'gpt5'.*resnet50"):
        draw_models([8], {"gpt5": 1.0}, rng)
    with pytest.raises(InputError, match="above 0"):
        draw_models([8], {"resnet50": 0.0}, rng)
    with pytest.raises(InputError, match="there is none"):
        draw_models([8], {}, rng)


@pytest.fixture(scope="module")
def sites() -> SiteTable:
    return make_sites(
        name=["a", "b"], grid=[0, 0], bus=["1", "2"], n_gpus=[300, 600], latitude=[35.0] * 2,
        longitude=[-115.0] * 2, fleet_scale=10,
    )  # fmt: skip


def test_jobs_get_the_checkpoints_of_their_models(sites: SiteTable) -> None:
    trace = generate_trace(seed=1, duration_s=86400.0)
    options = {"seed": 3, "duration_s": 86400.0, "sites": sites, "fleet_scale": 10}
    jobs = prepare_jobs(trace, **options, models={"resnet50": 3, "bert_large": 1})  # type: ignore[arg-type]
    size = {"resnet50": 10 * 0.025557 * 8, "bert_large": 10 * 0.336 * 14}
    np.testing.assert_allclose(jobs["checkpoint_gb"], jobs["model"].map(size))
    plain = prepare_jobs(trace, **options)  # type: ignore[arg-type]
    assert "model" not in plain
    pd.testing.assert_frame_equal(
        jobs.drop(columns=["model", "checkpoint_gb"]), plain.drop(columns="checkpoint_gb")
    )


def test_a_table_with_models_gets_their_checkpoints() -> None:
    jobs = job_table([(0.0, 8, 8.0, 1.0, 0), (1.0, 8, 8.0, 1.0, 0)], model=["bloom_176b", "resnet50"])
    sized = with_model_checkpoints(jobs, fleet_scale=2)
    assert sized["checkpoint_gb"].tolist() == pytest.approx([2 * 176.2 * 14, 2 * 0.025557 * 8])
    check_jobs(sized)
    with pytest.raises(InputError, match=r"'model'.*is missing"):
        with_model_checkpoints(jobs.drop(columns="model"))
    with pytest.raises(InputError, match="unknown model 'x'"):
        with_model_checkpoints(jobs.assign(model="x"))
