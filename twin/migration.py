"""Time and energy of migrations, stop-and-copy or live; and what makes checkpoints smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from twin._arrays import ArrayLike, BoolArray, FloatArray
from twin.precopy import BIT_PER_BYTE, rounds_at
from weather import Findings

__all__ = [
    "BIT_PER_BYTE",
    "DEFAULT_WAN_KWH_PER_GB",
    "KWH_PER_MWH",
    "MOVE_MODES",
    "S_PER_H",
    "MigrationModel",
    "MigrationTimes",
    "MoveMode",
    "migration_energy_mwh",
    "transfer_s",
]

MoveMode = Literal["stop_and_copy", "live", "best"]

MOVE_MODES: tuple[MoveMode, ...] = ("stop_and_copy", "live", "best")
"""How jobs move; "best" takes for each move the way for which it stands less."""

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
        Writing the checkpoint at the source; 0 of a live move. [s]
    transfer_s
        Sending it, of a live move the last round; inf without a link. [s]
    load_s
        Start-up, reading and warm-up at the destination; of a live move the warm-up alone. [s]
    total_s
        From the order until the job runs at the destination. [s]
    downtime_s
        The part without progress, the sum of the first three: all of it in a stop-and-copy move. None stands
        for `total_s`. [s]
    sent_gb
        Bytes sent, those of all rounds of a live move; None for the payload of the checkpoint. [GB]
    is_live
        Whether the move is live; None for nowhere.
    """

    save_s: FloatArray
    transfer_s: FloatArray
    load_s: FloatArray
    total_s: FloatArray
    downtime_s: FloatArray | None = None
    sent_gb: FloatArray | None = None
    is_live: BoolArray | None = None

    @property
    def stands_s(self) -> FloatArray:
        """Time without progress: `downtime_s`, or all of it. [s]"""
        return self.total_s if self.downtime_s is None else self.downtime_s


@dataclass(frozen=True, kw_only=True)
class MigrationModel:
    """How jobs move: stop-and-copy, live by pre-copy, or the better of both.

    Stop-and-copy: the job stops, its checkpoint is written, sent and read, and it starts again. Live: the
    destination starts up and takes the state from the running job, then in rounds what has changed meanwhile;
    the job stops for the last round and goes on there after its warm-up.

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
    mode
        One of `MOVE_MODES`.
    dirty_gb_per_s
        State that a running job changes, counted once however often it changes in a round. [GB/s]
    changing_share
        Share of the state that changes at all: no round after the first is larger. [1]
    downtime_target_s
        A job stops once what is left to send takes no longer. [s]
    max_rounds
        A job stops after so many rounds at the latest, and what is left is sent while it stands.

    Notes
    -----
    A job of n devices writes with ceil(n / gpus_per_node) nodes. Full training rewrites all its state in
    every step, so copying ahead over a WAN does not converge (14 B per parameter and step: 20 GB/s for a 7B
    model) and stop-and-copy is the rule. Where only a share changes, as with adapters and frozen layers, no
    round after the first is larger than that share.

    Of a live move, with P = S · share / ratio and c = changing_share · S / ratio: round 1 sends P, round k
    min(dirty / ratio · t_{k−1}, c), t_k = 8 · round / rate. It is what `twin.migration_live` says of pre-copy
    with a limit on rounds; total = t_start + Σ t_k + downtime, downtime = t_last + delay + t_warm.

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
    mode: MoveMode = "stop_and_copy"
    dirty_gb_per_s: float = 20.0
    changing_share: float = 1.0
    downtime_target_s: float = 1.0
    max_rounds: int = 5

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
        self._check_live(findings)
        findings.raise_if_any("migration model")

    def _check_live(self, findings: Findings) -> None:
        """Note what is wrong with how jobs move live."""
        if self.mode not in MOVE_MODES:
            findings.add("migration.mode", f"is {self.mode!r}", f"choose one of {', '.join(MOVE_MODES)}")
        for name, unit in (("dirty_gb_per_s", "GB/s"), ("downtime_target_s", "s")):
            if not 0 <= getattr(self, name) < np.inf:
                findings.add(
                    f"migration.{name}", f"is {getattr(self, name)} {unit}", f"give at least 0 {unit}"
                )
        if not 0.0 <= self.changing_share <= 1.0:
            findings.add("migration.changing_share", f"is {self.changing_share}", "give a share in [0, 1]")
        if self.max_rounds < 1:
            findings.add("migration.max_rounds", f"is {self.max_rounds}", "give at least 1")

    @property
    def may_be_live(self) -> bool:
        """Whether any move is live."""
        return self.mode != "stop_and_copy"

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
        """All phases at a constant transfer rate, of the way in which the job would move.

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
        if self.mode == "live":
            return self._live_times(checkpoint_gb, n_gpus, rate_gbit_per_s, latency_s)
        save = self.save_s(checkpoint_gb, n_gpus)
        transfer = transfer_s(self.payload_gb(checkpoint_gb), rate_gbit_per_s, latency_s)
        load = self.load_s(checkpoint_gb, n_gpus)
        still = MigrationTimes(save, transfer, load, save + transfer + load)
        if self.mode == "stop_and_copy":
            return still
        live = self._live_times(checkpoint_gb, n_gpus, rate_gbit_per_s, latency_s)
        return _less_downtime(still, live, self.payload_gb(checkpoint_gb))

    def is_live(
        self,
        checkpoint_gb: ArrayLike,
        n_gpus: ArrayLike,
        rate_gbit_per_s: ArrayLike,
        latency_s: ArrayLike = 0.0,
    ) -> BoolArray:
        """Say which moves are live; arguments as of `times`."""
        live = self.times(checkpoint_gb, n_gpus, rate_gbit_per_s, latency_s).is_live
        given = (checkpoint_gb, n_gpus, rate_gbit_per_s, latency_s)
        shape = np.broadcast_shapes(*(np.shape(x) for x in given))
        return np.broadcast_to(np.asarray(False if live is None else live), shape)

    def changed_gb(self, checkpoint_gb: ArrayLike, seconds: ArrayLike) -> FloatArray:
        """Bytes to send of what a job changes while it runs for so long. [GB]

        min(dirty · t, changing_share · S) / ratio.
        """
        changed = np.minimum(
            self.dirty_gb_per_s * np.asarray(seconds, dtype=np.float64), self._most_gb(checkpoint_gb)
        )
        return np.asarray(changed / self.compression_ratio)

    def _most_gb(self, checkpoint_gb: ArrayLike) -> FloatArray:
        """State that changes at all. [GB]"""
        return np.asarray(np.asarray(checkpoint_gb, dtype=np.float64) * self.changing_share)

    def _live_times(
        self, checkpoint_gb: ArrayLike, n_gpus: ArrayLike, rate_gbit_per_s: ArrayLike, latency_s: ArrayLike
    ) -> MigrationTimes:
        """Phases of live moves at a constant rate."""
        size, _, rate, latency = np.broadcast_arrays(
            *(np.asarray(x, dtype=np.float64) for x in (checkpoint_gb, n_gpus, rate_gbit_per_s, latency_s))
        )
        ratio = self.compression_ratio
        rounds = rounds_at(
            self.payload_gb(size),
            self._most_gb(size) / ratio,
            self.dirty_gb_per_s / ratio,
            rate,
            target_s=self.downtime_target_s,
            max_rounds=self.max_rounds,
        )
        transfer = rounds.last_s + latency
        downtime = transfer + self.warm_up_s
        return MigrationTimes(
            save_s=np.zeros(size.shape),
            transfer_s=transfer,
            load_s=np.full(size.shape, self.warm_up_s),
            total_s=self.start_up_s + rounds.precopy_s + downtime,
            downtime_s=downtime,
            sent_gb=rounds.early_gb + rounds.last_gb,
            is_live=np.ones(size.shape, dtype=np.bool_),
        )


def _less_downtime(still: MigrationTimes, live: MigrationTimes, payload_gb: FloatArray) -> MigrationTimes:
    """Take of each move the way for which the job stands less, stop-and-copy where both are equal."""
    assert live.sent_gb is not None
    is_live = live.stands_s < still.stands_s

    def pick(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.where(is_live, a, b)

    return replace(
        live,
        save_s=pick(live.save_s, still.save_s),
        transfer_s=pick(live.transfer_s, still.transfer_s),
        load_s=pick(live.load_s, still.load_s),
        total_s=pick(live.total_s, still.total_s),
        downtime_s=pick(live.stands_s, still.stands_s),
        sent_gb=pick(live.sent_gb, payload_gb),
        is_live=np.asarray(is_live),
    )


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
        Payload sent, of a live move that of all rounds. [GB]
    source_hold_mw
        Draw of the job's devices at the source while it saves and sends (loaded idle); in a live move while
        the last round is sent. [MW]
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
