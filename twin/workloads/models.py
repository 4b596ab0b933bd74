"""Families of models: parameters, bytes per parameter by optimizer and precision, size of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin._arrays import ArrayLike, FloatArray
from weather import Findings

PARAMETER_BOUND_GPUS = (1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
PARAMETER_BOUND_BILLION = (3.0, 6.0, 12.0, 25.0, 50.0, 200.0)
"""Largest model of a job by its devices: 18 B per parameter fill 70 % of 80 GB each [hfmem]_. [1e9]"""

BILLION_PER_GPU_ABOVE = 3.125
"""The same per device above 64 devices (200 / 64). [1e9]"""

BOUND_MEMORY_GB = 80.0
"""Device memory the bounds are made for. [GB]"""

BOUND_BYTES_PER_PARAMETER = 18.0
"""State the bounds are made for: weights, moments, gradients of mixed-precision AdamW [hfmem]_. [B]"""


@dataclass(frozen=True, kw_only=True)
class CheckpointFormat:
    """What a checkpoint holds of each trained parameter, and what training holds of it in memory.

    Attributes
    ----------
    name
        Key in `CHECKPOINT_FORMATS`.
    checkpoint_bytes
        Written per parameter. [B]
    memory_bytes
        Held per parameter in device memory, gradients included, activations not. [B]
    holds
        What is written.
    source
        Keys of the sources (listed in ``docs/compute.md``).
    sure
        ``read``, ``read2`` (in a text that reports the source), ``derived`` or ``recalled``.
    """

    name: str
    checkpoint_bytes: float
    memory_bytes: float
    holds: str
    source: str
    sure: str


def _format(
    name: str, checkpoint_bytes: float, memory_bytes: float, holds: str, source: str, sure: str
) -> CheckpointFormat:
    return CheckpointFormat(
        name=name,
        checkpoint_bytes=checkpoint_bytes,
        memory_bytes=memory_bytes,
        holds=holds,
        source=source,
        sure=sure,
    )


# [hfmem] counts training memory; a checkpoint is that without the 4 B of gradients.
_FORMATS = (
    _format("adamw_mixed", 14, 18, "16-bit weights 2, fp32 weights 4, moments 8", "hfmem bloom", "derived"),
    _format("adamw_8bit", 8, 12, "16-bit weights 2, fp32 weights 4, moments 2", "hfmem", "derived"),
    _format("sgd_mixed", 10, 14, "16-bit weights 2, fp32 weights 4, momentum 4", "hfmem", "derived"),
    _format("adamw_fp32", 12, 16, "fp32 weights 4, moments 8", "hfmem", "derived"),
    _format("sgd_fp32", 8, 12, "fp32 weights 4, momentum 4", "hfmem", "derived"),
    _format("weights_fp32", 4, 4, "fp32 weights 4; no training", "", "derived"),
    _format("weights_16bit", 2, 2, "16-bit weights 2; no training", "klockc bloom", "read"),
)

CHECKPOINT_FORMATS: dict[str, CheckpointFormat] = {entry.name: entry for entry in _FORMATS}
"""What checkpoints hold, by optimizer and precision."""


@dataclass(frozen=True, kw_only=True)
class ModelFamily:
    """A model that jobs train.

    Attributes
    ----------
    name
        Key in `MODELS`.
    parameters_billion
        All its parameters. [1e9]
    trained_billion
        Those that are trained, and therefore saved; the others are taken to be at every site already. [1e9]
    format
        How it is usually trained; key of `CHECKPOINT_FORMATS`.
    source
        Keys of the sources of the number of parameters (listed in ``docs/compute.md``).
    sure
        ``read``, ``read2`` (in a text that reports the source), ``derived`` or ``recalled`` (verify before
        quoting).
    """

    name: str
    parameters_billion: float
    trained_billion: float
    format: str
    source: str
    sure: str

    @property
    def checkpoint_gb(self) -> float:
        """Size of a checkpoint in its usual format. [GB]"""
        return self.trained_billion * CHECKPOINT_FORMATS[self.format].checkpoint_bytes

    @property
    def memory_billion(self) -> float:
        """Parameters of a fully trained mixed-precision AdamW model that needs as much memory. [1e9]"""
        frozen = (self.parameters_billion - self.trained_billion) * FROZEN_BYTES
        trained = self.trained_billion * CHECKPOINT_FORMATS[self.format].memory_bytes
        return (frozen + trained) / BOUND_BYTES_PER_PARAMETER


FROZEN_BYTES = 2.0
"""Memory of a parameter that is not trained: 16-bit weights. [B]"""


def _model(
    name: str,
    parameters_billion: float,
    source: str,
    sure: str,
    *,
    trained_billion: float | None = None,
    fmt: str = "adamw_mixed",
) -> ModelFamily:
    trained = parameters_billion if trained_billion is None else trained_billion
    return ModelFamily(
        name=name,
        parameters_billion=parameters_billion,
        trained_billion=trained,
        format=fmt,
        source=source,
        sure=sure,
    )


# Derived numbers follow from layers and widths that were read (tests/twin/test_models.py shows how).
# Stable Diffusion trains its U-Net; text encoder and autoencoder stay as they are.
# LoRA of GPT-3, rank 4, two matrices a layer: 96 · 2 · 2 · 4 · 12,288 (layers and width recalled).
_MODELS = (
    _model("resnet50", 0.025557, "tv", "read", fmt="sgd_fp32"),
    _model("vit_b_16", 0.0866, "itri", "read2"),
    _model("vit_b_32", 0.088224, "tv", "read"),
    _model("gpt2_small", 0.124, "", "recalled"),
    _model("bert_large", 0.336, "hfmem", "read"),
    _model("stable_diffusion_1_5", 1.07, "sd", "trained read2; rest recalled", trained_billion=0.86),
    _model("gpt2_xl", 1.5576, "gpt2", "derived"),
    _model("llama2_7b", 6.738, "olive", "derived"),
    _model("llama3_8b", 8.030, "mq", "read2"),
    _model("llama2_13b", 13.016, "mq", "read2"),
    _model("llama2_70b", 68.977, "h2o", "derived"),
    _model("llama3_70b", 70.563, "mq", "read2"),
    _model("opt_175b", 175.0, "", "recalled"),
    _model("gpt3_175b_lora_r4", 175.0, "lora", "read2; trained derived", trained_billion=0.018874),
    _model("bloom_176b", 176.2, "bloom", "read"),
    _model("llama3_405b", 405.0, "", "recalled"),
)

MODELS: dict[str, ModelFamily] = {model.name: model for model in _MODELS}
"""Every known family by name, smallest first."""


def parameter_bound_billion(n_gpus: ArrayLike) -> FloatArray:
    """Largest model that trains on so many 80 GB devices.

    Parameters
    ----------
    n_gpus
        Devices.

    Returns
    -------
    ndarray
        Parameters: 3, 6, 12, 25, 50 and 200 for 1, 2, 4, 8, 16 and 64 devices, linear between, 3.125 per
        device above. [1e9]

    Examples
    --------
    >>> parameter_bound_billion([1, 8, 12, 32, 128]).tolist()
    [3.0, 25.0, 37.5, 100.0, 400.0]
    """
    n = np.asarray(n_gpus, dtype=np.float64)
    inside = np.interp(n, PARAMETER_BOUND_GPUS, PARAMETER_BOUND_BILLION)
    return np.where(n > PARAMETER_BOUND_GPUS[-1], BILLION_PER_GPU_ABOVE * n, inside)


def checkpoint_size_gb(parameters_billion: ArrayLike, bytes_per_parameter: ArrayLike = 14.0) -> FloatArray:
    """Size of a checkpoint.

    Parameters
    ----------
    parameters_billion
        Parameters that are saved. [1e9]
    bytes_per_parameter
        As in `CHECKPOINT_FORMATS`; 14 for mixed-precision Adam. [B]

    Returns
    -------
    ndarray
        Size: 1e9 parameters of 1 B are 1 GB. [GB]

    Examples
    --------
    BLOOM-176B, measured as 2.3 TiB (2,529 GB):

    >>> round(float(checkpoint_size_gb(176.2)))
    2467
    """
    size: FloatArray = np.asarray(parameters_billion, dtype=np.float64) * np.asarray(
        bytes_per_parameter, dtype=np.float64
    )
    return size


def training_memory_gb(parameters_billion: ArrayLike, n_gpus: ArrayLike) -> FloatArray:
    """Memory that a job needs on each of its GPUs, if its model is divided among all of them.

    Parameters
    ----------
    parameters_billion
        Parameters, trained with mixed-precision AdamW (`ModelFamily.memory_billion` for others). [1e9]
    n_gpus
        GPUs among which weights, moments and gradients are divided.

    Returns
    -------
    ndarray
        80 GB times the share that the model has of the largest one for so many GPUs. [GB]

    Notes
    -----
    Activations take 30 % beside 18 B per parameter. A job that keeps the whole model on every GPU needs more:
    this is the least with which it could run.

    Examples
    --------
    A model of 7e9 parameters on 8 GPUs: 18 · 7 / (0.7 · 8) = 22.5 GB, 22.4 with the rounded bounds.

    >>> training_memory_gb(7.0, 8).round(3).item()
    22.4
    """
    share = np.asarray(parameters_billion, dtype=np.float64) / parameter_bound_billion(n_gpus)
    memory: FloatArray = BOUND_MEMORY_GB * share
    return memory


def lora_parameters_billion(rank: int, n_layers: int, width: int, *, matrices: int = 2) -> float:
    """Parameters of low-rank adapters [lora]_ on square matrices.

    Parameters
    ----------
    rank
        Rank of an adapter.
    n_layers
        Layers of the model.
    width
        Rows and columns of each adapted matrix.
    matrices
        Adapted matrices per layer; 2 are the query and value projections.

    Returns
    -------
    float
        Two factors of rank · width for each matrix. [1e9]

    Examples
    --------
    >>> round(lora_parameters_billion(4, 96, 12288), 6)
    0.018874
    """
    return n_layers * matrices * 2 * rank * width / 1e9


def with_model_checkpoints(jobs: pd.DataFrame, *, fleet_scale: int = 1) -> pd.DataFrame:
    """Return a job table with the checkpoints of the models that its jobs train.

    Parameters
    ----------
    jobs
        A job table with a column `model`: keys of `MODELS`.
    fleet_scale
        Equal jobs each row stands for.

    Returns
    -------
    DataFrame
        The same with `checkpoint_gb` of each row's model, times `fleet_scale`.

    Raises
    ------
    InputError
        Where the column is missing or a model is not known.
    """
    if "model" not in jobs:
        findings = Findings()
        findings.add("column 'model'", "is missing", f"name one of {', '.join(MODELS)} in each row")
        findings.raise_if_any("models of jobs")
    names = jobs["model"].astype(str)
    check_models(names)
    sizes = names.map({name: model.checkpoint_gb for name, model in MODELS.items()})
    return jobs.assign(checkpoint_gb=sizes.to_numpy(dtype=np.float64) * fleet_scale)


def draw_models(
    n_gpus: ArrayLike,
    shares: Mapping[str, float],
    rng: np.random.Generator,
    *,
    gpu_memory_gb: float = BOUND_MEMORY_GB,
) -> list[str]:
    """Model that each job trains: by shares, among those that its devices can hold.

    Parameters
    ----------
    n_gpus
        Devices of each job, before `fleet_scale`.
    shares
        Weight of each model, by its key in `MODELS`.
    rng
        Source of randomness.
    gpu_memory_gb
        Memory of the devices. [GB]

    Returns
    -------
    list of str
        Keys of `MODELS`.

    Raises
    ------
    InputError
        Where a model is not known, a weight is not above 0, or none of them fits the devices of some job.
    """
    check_models(shares)
    _check_shares(shares)
    n = np.asarray(n_gpus, dtype=np.int64)
    names = [name for name in MODELS if name in shares]
    need = np.array([MODELS[name].memory_billion for name in names])
    weight = np.array([shares[name] for name in names])
    widths, which = np.unique(n, return_inverse=True)
    bound = parameter_bound_billion(widths) * (gpu_memory_gb / BOUND_MEMORY_GB)
    _check_fit(widths, bound, float(need.min()), names[int(np.argmin(need))], gpu_memory_gb)
    share = np.cumsum(np.where(need <= bound[:, None], weight, 0.0), axis=1)[which]
    drawn = np.argmax(rng.random(len(n))[:, None] * share[:, -1:] < share, axis=1)
    return [names[i] for i in drawn]


def _check_shares(shares: Mapping[str, float]) -> None:
    findings = Findings()
    if not shares:
        findings.add("models", "there is none", f"name some of {', '.join(MODELS)} with their shares")
    for name, share in shares.items():
        if not 0.0 < share < np.inf:
            findings.add(f"models.{name}", f"has the share {share}", "give a share above 0")
    findings.raise_if_any("models of jobs")


def _check_fit(
    widths: npt.NDArray[np.int64], bound: FloatArray, least: float, smallest: str, gpu_memory_gb: float
) -> None:
    too_small = widths[bound < least]
    if too_small.size:
        findings = Findings()
        findings.add(
            "models",
            f"{smallest}, the one that needs least memory, does not fit jobs of "
            f"{', '.join(map(str, too_small))} devices of {gpu_memory_gb:g} GB",
            "add a smaller model",
        )
        findings.raise_if_any("models of jobs")


def check_models(names: Iterable[str]) -> None:
    """Raise unless all models are known.

    Parameters
    ----------
    names
        Keys of `MODELS`.

    Raises
    ------
    InputError
        Naming each that is not.
    """
    findings = Findings()
    for name in sorted(set(names) - set(MODELS)):
        findings.add("model", f"unknown model {name!r}", f"choose one of {', '.join(MODELS)}")
    findings.raise_if_any("models of jobs")


def model_lines() -> list[str]:
    """Lines of ``twin list models``: size, checkpoint, and how sure the number of parameters is.

    Returns
    -------
    list of str
        One per family.
    """
    return [
        f"{m.name:<21}{m.parameters_billion:>8.4g}e9 parameters, checkpoint {m.checkpoint_gb:>6.4g} GB "
        f"({m.format}); {m.sure}"
        for m in MODELS.values()
    ]
