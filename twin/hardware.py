"""Computing devices: power in each state, memory and speed, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

REFERENCE_BF16_TFLOPS = 312.0
"""Dense BF16 peak of an A100, the device all relative throughputs refer to. [TFLOP/s]"""

REFERENCE_MFU = 0.50
"""Share of peak that large training reaches on A100s: 48-58 % with FlashAttention [acc]_, [bloom]_."""

OTHER_MFU = 0.40
"""Share of peak assumed elsewhere: 36-41 % was reached on H100s [int1]_."""

REFERENCE_BANDWIDTH_GB_PER_S = 2000.0
"""Memory bandwidth of an A100 80 GB. [GB/s]"""

BUSY_SHARE_OF_LIMIT = 0.85
"""Mean draw while training over the board limit; 0.6-1 in use (default of the project's parameters)."""

LOADED_IDLE_SHARE_OF_LIMIT = 0.18
"""Draw of an idle device that holds a job in memory over its limit; 0.15-0.25, an A40 reaches 0.37."""

SXM_HOST_W = 350.0
"""Host power per GPU of an 8-GPU SXM server: (8.4 − 5.6) kW / 8, from a measured node [latif]_. [W]"""

CARD_HOST_W = 200.0
"""Host power per GPU card, low end of the 200-800 W range (our choice). [W]"""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One kind of computing device as a site buys it.

    Attributes
    ----------
    name
        Key in `DEVICES`.
    p_limit_w
        Board (or whole-box) power limit. [W]
    p_idle_w
        Draw with no process on it. [W]
    p_busy_w
        Mean draw in training, 0.85 of the limit. [W]
    p_loaded_idle_w
        Draw while a job sits in its memory and does not compute. [W]
    host_w_per_gpu
        Server power per device that is on; 0 where the power is a whole box's. [W]
    memory_gb
        Memory of the whole device; in boxes and modules it is shared with the processor. [GB]
    gpus_per_device
        GPUs it consists of, among which its memory is divided; 1 but for boards of several.
    price_usd
        Price at release, NaN where no source is known; of data-centre parts a share of what servers were sold
        for [epoch]_ (a table that cites others: *read2*). [USD]
    rel_throughput
        Training speed over that of an A100.
    source
        Keys of the sources (listed in ``docs/compute.md``).
    sure
        ``read``, ``read2`` (in a text that reports the source), ``derived`` or ``recalled`` (verify
        before quoting).
    """

    name: str
    p_limit_w: float
    p_idle_w: float
    p_busy_w: float
    p_loaded_idle_w: float
    host_w_per_gpu: float
    memory_gb: float
    rel_throughput: float
    source: str
    sure: str
    gpus_per_device: int = 1
    price_usd: float = nan

    @property
    def memory_gb_per_gpu(self) -> float:
        """Memory that one worker of a job can use: that of one GPU. [GB]"""
        return self.memory_gb / self.gpus_per_device


def relative_throughput(
    bf16_tflops: float,
    bandwidth_gb_per_s: float,
    *,
    mfu: float = OTHER_MFU,
    memory_bound: bool = False,
) -> float:
    """Training speed of a device over that of an A100.

    Parameters
    ----------
    bf16_tflops
        Dense BF16 or FP16 peak. [TFLOP/s]
    bandwidth_gb_per_s
        Memory bandwidth. [GB/s]
    mfu
        Share of the peak that training reaches.
    memory_bound
        Whether the speed is capped by the memory bandwidth over an A100's (edge devices).

    Returns
    -------
    float
        Relative speed, 1 for an A100.

    Notes
    -----
    s = P·mfu / (312·0.50), and for edge devices at most BW / 2000 GB/s.

    Examples
    --------
    >>> round(relative_throughput(989.0, 3350.0), 2)
    2.54
    """
    speed = bf16_tflops * mfu / (REFERENCE_BF16_TFLOPS * REFERENCE_MFU)
    return min(speed, bandwidth_gb_per_s / REFERENCE_BANDWIDTH_GB_PER_S) if memory_bound else speed


def _device(
    name: str,
    p_limit_w: float,
    p_idle_w: float,
    memory_gb: float,
    bandwidth_gb_per_s: float,
    bf16_tflops: float,
    source: str,
    sure: str,
    *,
    host_w: float,
    mfu: float = OTHER_MFU,
    loaded_idle_w: float | None = None,
    edge: bool = False,
    gpus: int = 1,
) -> Device:
    """Device from its data sheet; the loaded-idle draw follows by rule where none was measured."""
    loaded = max(LOADED_IDLE_SHARE_OF_LIMIT * p_limit_w, p_idle_w) if loaded_idle_w is None else loaded_idle_w
    return Device(
        name=name,
        p_limit_w=p_limit_w,
        p_idle_w=p_idle_w,
        p_busy_w=BUSY_SHARE_OF_LIMIT * p_limit_w,
        p_loaded_idle_w=loaded,
        host_w_per_gpu=host_w,
        memory_gb=memory_gb,
        rel_throughput=relative_throughput(bf16_tflops, bandwidth_gb_per_s, mfu=mfu, memory_bound=edge),
        source=source,
        sure=sure,
        gpus_per_device=gpus,
        price_usd=_PRICE_USD.get(name, nan),
    )


# Prices at release as listed by [epoch], a table that cites others. An H100 is an eighth of a DGX server sold
# for 269,000 USD in 2023, host and network included; a MI300X the upper end of 10,000 to 15,000.
_PRICE_USD = {
    "k80": 5000.0,
    "v100_sxm2": 11458.0,
    "a100_sxm_40": 15000.0,
    "rtx_4090": 1599.0,
    "rtx_6000_ada": 6799.0,
    "h100_sxm": 33600.0,
    "mi300x": 15000.0,
}

# Idle draws are the middle of the ranges seen. A K80 is a board of two GPUs. A100s carry the reference's MFU.
# Where the bandwidth or idle draw alone was recalled, the label says so after the word of the rest.
_DEVICES = (
    _device("k80", 300, 55, 24, 480, 4.1, "mlco2", "read; idle recalled", host_w=CARD_HOST_W, gpus=2),
    _device("p100_pcie", 250, 27.5, 16, 732, 19.05, "mlco2", "read; idle recalled", host_w=CARD_HOST_W),
    _device(
        "v100_sxm2",
        300,
        39,
        32,
        900,
        125,
        "llmc hfmem glm32 pmc",
        "read",
        host_w=SXM_HOST_W,
        loaded_idle_w=53,
    ),
    _device("t4", 70, 10, 16, 320, 65, "mlco2", "read; idle recalled", host_w=CARD_HOST_W),
    _device(
        "a100_pcie_40",
        250,
        45,
        40,
        1555,
        312,
        "mlco2 llmc pmc",
        "read; idle recalled",
        host_w=CARD_HOST_W,
        mfu=REFERENCE_MFU,
    ),
    _device(
        "a100_pcie_80",
        300,
        45,
        80,
        1935,
        312,
        "mlco2 llmc pmc",
        "recalled",
        host_w=CARD_HOST_W,
        mfu=REFERENCE_MFU,
    ),
    _device(
        "a100_sxm_40", 400, 54, 40, 1555, 312, "mlco2 acc smi", "read", host_w=SXM_HOST_W, mfu=REFERENCE_MFU
    ),
    _device(
        "a100_sxm_80", 400, 54, 80, 2000, 312, "mlco2 acc smi", "read", host_w=SXM_HOST_W, mfu=REFERENCE_MFU
    ),
    _device("l4", 72, 14.5, 24, 300, 121, "l4", "read2; idle recalled", host_w=CARD_HOST_W),
    _device("l40s", 350, 35, 48, 864, 362, "l40s acc", "read; idle recalled", host_w=CARD_HOST_W),
    _device("rtx_4090", 450, 20, 24, 1008, 165, "llmc smi", "read", host_w=CARD_HOST_W),
    _device("rtx_5090", 575, 27.5, 32, 1792, 210, "", "recalled", host_w=CARD_HOST_W),
    _device("rtx_6000_ada", 300, 25, 48, 960, 364, "hfhw", "recalled", host_w=CARD_HOST_W),
    _device("h100_pcie", 350, 50, 80, 2000, 756, "h100pcie acc", "read; idle recalled", host_w=CARD_HOST_W),
    _device("h100_sxm", 700, 70.5, 80, 3350, 989, "acc klock smi", "read", host_w=SXM_HOST_W),
    _device(
        "h200_sxm",
        700,
        80,
        141,
        4800,
        989,
        "acc smi",
        "read; empty idle recalled",
        host_w=SXM_HOST_W,
        loaded_idle_w=127,
    ),
    _device(
        "b200_sxm",
        1000,
        140.5,
        192,
        8000,
        2250,
        "acc klockb smi",
        "read",
        host_w=SXM_HOST_W,
        loaded_idle_w=187,
    ),
    _device("b200_gb200", 1200, 145, 192, 8000, 2500, "klockb smi", "read", host_w=SXM_HOST_W),
    _device("mi300x", 750, 145, 192, 5300, 1300, "acc mi300", "read; idle recalled", host_w=SXM_HOST_W),
    _device("jetson_orin_nx", 25, 5, 16, 102, 15, "", "recalled", host_w=0, edge=True),
    _device("jetson_agx_orin", 60, 10, 64, 205, 42, "fix", "power read2; rest recalled", host_w=0, edge=True),
    _device(
        "jetson_agx_thor",
        130,
        25,
        128,
        273,
        259,
        "ridge thor",
        "read; idle recalled, speed derived",
        host_w=0,
        edge=True,
    ),
    _device(
        "dgx_spark",
        240,
        37.5,
        128,
        273,
        125,
        "spark sparkm",
        "read2; idle recalled, speed derived",
        host_w=0,
        edge=True,
    ),
    _device("m2_ultra", 215, 12.5, 192, 800, 27, "hfhw", "recalled", host_w=0, edge=True),
)

DEVICES: dict[str, Device] = {device.name: device for device in _DEVICES}
"""Every known device by name: server GPUs, cards and edge platforms."""

DEFAULT_DEVICE = "h100_sxm"
"""Device of a site that names none."""
