"""Time and energy of stop-and-copy migration: save, send, load; and what makes checkpoints smaller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin._arrays import ArrayLike, FloatArray
from weather import Findings

BIT_PER_BYTE = 8.0
S_PER_H = 3600.0
KWH_PER_MWH = 1000.0

DEFAULT_WAN_KWH_PER_GB = 0.001
"""Energy of the network per payload; 3e-5 to 6e-2 in the literature [aslan]_, [cidt]_. [kWh/GB]"""


@dataclass(frozen=True)
class MigrationTimes:
    """Phases of a migration, each an array of the broadcast shape.

    Attributes
    ----------
    save_s
        Writing the checkpoint at the source. [s]
    transfer_s
        Sending it, inf without a link. [s]
    load_s
        Start-up, reading and warm-up at the destination. [s]
    total_s
        Sum of the three: the time in which the job makes no progress. [s]
    """

    save_s: FloatArray
    transfer_s: FloatArray
    load_s: FloatArray
    total_s: FloatArray


@dataclass(frozen=True, kw_only=True)
class MigrationModel:
    """Stop-and-copy: the job stops, its checkpoint is written, sent and read, and it starts again.

    Attributes
    ----------
    write_gb_per_s_per_node
        Storage speed of a node when writing; 0.2-10 in use. [GB/s]
    read_gb_per_s_per_node
        The same when reading. [GB/s]
    gpus_per_node
        Devices that share a node's storage.
    start_up_s
        Provisioning at the destination, 240 s in a real three-site training (arXiv:2602.22760). [s]
    warm_up_s
        First steps until full speed; 10-300. [s]
    compression_ratio
        Bytes of a checkpoint before over after compression, at least 1.
    compression_gb_per_s_per_node
        Speed of compressing and of decompressing, in bytes before compression; either goes on while the bytes
        are written or read. [GB/s]
    incremental_share
        Share of a checkpoint that is saved and sent, in (0, 1]: what has changed since the copy that is taken
        to be at the destination already. How that copy got there is not counted.

    Notes
    -----
    A job of n devices writes with ceil(n / gpus_per_node) nodes. Full training rewrites all its state in
    every step, so copying ahead over a WAN does not converge (14 B per parameter and step: 20 GB/s for a 7B
    model) and stop-and-copy is the rule.

    Examples
    --------
    >>> times = MigrationModel().times(100.0, 8, 10.0)
    >>> float(times.save_s), float(times.transfer_s), float(times.load_s), float(times.total_s)
    (50.0, 80.0, 350.0, 480.0)
    """

    write_gb_per_s_per_node: float = 2.0
    read_gb_per_s_per_node: float = 2.0
    gpus_per_node: int = 8
    start_up_s: float = 240.0
    warm_up_s: float = 60.0
    compression_ratio: float = 1.0
    compression_gb_per_s_per_node: float = np.inf
    incremental_share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse speeds that are not positive and times that are negative."""
        findings = Findings()
        for name in (
            "write_gb_per_s_per_node",
            "read_gb_per_s_per_node",
            "gpus_per_node",
            "compression_gb_per_s_per_node",
        ):
            if not getattr(self, name) > 0:
                findings.add(f"migration.{name}", f"is {getattr(self, name)}", "give a number above 0")
        for name in ("start_up_s", "warm_up_s"):
            if not 0 <= getattr(self, name) < np.inf:
                findings.add(f"migration.{name}", f"is {getattr(self, name)} s", "give at least 0 s")
        if not 1.0 <= self.compression_ratio < np.inf:
            findings.add("migration.compression_ratio", f"is {self.compression_ratio}", "give at least 1")
        if not 0.0 < self.incremental_share <= 1.0:
            findings.add(
                "migration.incremental_share", f"is {self.incremental_share}", "give a share in (0, 1]"
            )
        findings.raise_if_any("migration model")

    def nodes(self, n_gpus: ArrayLike) -> FloatArray:
        """Nodes whose storage a job of `n_gpus` devices uses, ceil(n_gpus / gpus_per_node)."""
        return np.ceil(np.asarray(n_gpus, dtype=np.float64) / self.gpus_per_node)

    def payload_gb(self, checkpoint_gb: ArrayLike) -> FloatArray:
        """Bytes that are written and sent of a checkpoint of S, S · share / ratio. [GB]"""
        size = np.asarray(checkpoint_gb, dtype=np.float64)
        return np.asarray(size * self.incremental_share / self.compression_ratio)

    def save_s(self, checkpoint_gb: ArrayLike, n_gpus: ArrayLike) -> FloatArray:
        """Time to write what is saved of a checkpoint. [s]

        S · share / nodes · max(1 / (ratio · w), 1 / c), with w the speed to write and c that to compress.
        """
        nodes = self.nodes(n_gpus)
        return self._changed_s(checkpoint_gb, nodes, self.write_gb_per_s_per_node)

    def load_s(self, checkpoint_gb: ArrayLike, n_gpus: ArrayLike) -> FloatArray:
        """Time to start up, read a whole checkpoint and warm up. [s]

        t_start + S · (1 − share) / (nodes · r) + S · share / nodes · max(1 / (ratio · r), 1 / c) + t_warm,
        with r the speed to read and c that to decompress.
        """
        nodes = self.nodes(n_gpus)
        kept = np.asarray(checkpoint_gb, dtype=np.float64) * (1.0 - self.incremental_share)
        read = kept / (nodes * self.read_gb_per_s_per_node) + self._changed_s(
            checkpoint_gb, nodes, self.read_gb_per_s_per_node
        )
        return np.asarray(read + (self.start_up_s + self.warm_up_s))

    def _changed_s(self, checkpoint_gb: ArrayLike, nodes: FloatArray, gb_per_s: float) -> FloatArray:
        """Time to write or read the changed part, or to compress it if that takes longer. [s]"""
        stored = self.payload_gb(checkpoint_gb) / (nodes * gb_per_s)
        raw = np.asarray(checkpoint_gb, dtype=np.float64) * self.incremental_share
        return np.maximum(stored, raw / (nodes * self.compression_gb_per_s_per_node))

    def times(
        self,
        checkpoint_gb: ArrayLike,
        n_gpus: ArrayLike,
        rate_gbit_per_s: ArrayLike,
        latency_s: ArrayLike = 0.0,
    ) -> MigrationTimes:
        """All phases at a constant transfer rate.

        Parameters
        ----------
        checkpoint_gb
            Size of the job's checkpoint. [GB]
        n_gpus
            Devices of the job.
        rate_gbit_per_s
            Payload rate of the transfer, as `twin.wan.max_min_rates` gives it. [Gbit/s]
        latency_s
            One-way delay. [s]

        Returns
        -------
        MigrationTimes
            Broadcast over all arguments.
        """
        save = self.save_s(checkpoint_gb, n_gpus)
        transfer = transfer_s(self.payload_gb(checkpoint_gb), rate_gbit_per_s, latency_s)
        load = self.load_s(checkpoint_gb, n_gpus)
        return MigrationTimes(save, transfer, load, save + transfer + load)


def transfer_s(
    checkpoint_gb: ArrayLike, rate_gbit_per_s: ArrayLike, latency_s: ArrayLike = 0.0
) -> FloatArray:
    """Time to send a checkpoint at a constant payload rate.

    Parameters
    ----------
    checkpoint_gb
        Size. [GB]
    rate_gbit_per_s
        Payload rate. [Gbit/s]
    latency_s
        One-way delay. [s]

    Returns
    -------
    ndarray
        8·S/b + delay, inf where the rate is 0. [s]

    Examples
    --------
    >>> float(transfer_s(1000.0, 8.0, 0.05))
    1000.05
    """
    gigabits = BIT_PER_BYTE * np.asarray(checkpoint_gb, dtype=np.float64)
    rate = np.asarray(rate_gbit_per_s, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        seconds = np.where(rate > 0.0, gigabits / rate, np.inf)
    return np.asarray(seconds + np.asarray(latency_s, dtype=np.float64))


def migration_energy_mwh(
    times: MigrationTimes,
    checkpoint_gb: ArrayLike,
    *,
    source_hold_mw: ArrayLike,
    destination_hold_mw: ArrayLike,
    wan_kwh_per_gb: ArrayLike = DEFAULT_WAN_KWH_PER_GB,
) -> FloatArray:
    """Energy that a migration takes beside the job's own computing.

    Parameters
    ----------
    times
        Its phases.
    checkpoint_gb
        Payload sent. [GB]
    source_hold_mw
        Draw of the job's devices at the source while it saves and sends (loaded idle). [MW]
    destination_hold_mw
        Draw of its devices at the destination while it loads. [MW]
    wan_kwh_per_gb
        Energy of the network per payload. [kWh/GB]

    Returns
    -------
    ndarray
        (t_save + t_transfer)·P_source + t_load·P_destination + S·e_wan; inf where the transfer never
        ends. [MWh]

    Examples
    --------
    One terabyte costs the network 1 kWh at the default:

    >>> still = MigrationTimes(*(np.zeros(()) for _ in range(4)))
    >>> float(migration_energy_mwh(still, 1000.0, source_hold_mw=0.0, destination_hold_mw=0.0))
    0.001
    """
    source_mw, destination_mw, size_gb, kwh_per_gb = (
        np.asarray(x, dtype=np.float64)
        for x in (source_hold_mw, destination_hold_mw, checkpoint_gb, wan_kwh_per_gb)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        held = (times.save_s + times.transfer_s) * source_mw + times.load_s * destination_mw
    energy = held / S_PER_H + size_gb * kwh_per_gb / KWH_PER_MWH
    return np.asarray(np.where(np.isfinite(times.total_s), energy, np.inf))
