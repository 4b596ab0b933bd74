"""Every job to where the surplus is, whatever the move costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin._arrays import BoolArray, FloatArray, IntArray
from twin.feasibility import CAPACITY, MEMORY
from twin.policies.base import Commands, Refusals, View
from twin.policies.filling import Room, fill, fits_memory, may_run_at


@dataclass(frozen=True)
class EnergyGreedy:
    """Chases surplus: it looks at energy alone, and at whether GPUs are free.

    Whenever signals are renewed, queued jobs and running ones at sites that draw more than is welcome there
    go to the sites with the most headroom. It asks neither how long a move takes nor how long the surplus
    lasts.
    """

    name: str = "energy_greedy"

    def decide(self, view: View) -> Commands:
        """Place queued jobs, and move running ones when signals are renewed."""
        sites = view.sites
        room = Room(sites.free_gpus, sites.headroom_p_mw, sites.gpu_p_mw)
        place = self._place(view, room)
        placed = place >= 0
        if not view.renewed:
            return Commands(view.queued.job[placed], place[placed])
        dest, refused = self._move(view, room)
        moved = dest >= 0
        return Commands(view.queued.job[placed], place[placed], view.running.job[moved], dest[moved], refused)

    def _place(self, view: View, room: Room) -> IntArray:
        queued = view.queued
        eligible = may_run_at(queued, view.sites)
        return fill(room, _by_headroom(room.headroom_p_mw), eligible, queued.n_gpus, within_headroom=True)

    def _move(self, view: View, room: Room) -> tuple[IntArray, Refusals]:
        running, sites = view.running, view.sites
        excess = room.headroom_p_mw < 0.0
        wants = running.migratable & excess[running.site]
        reachable = view.bandwidth_gbit_per_s > 0.0
        wide = running.n_gpus[:, None] > sites.gpu_capacity
        wanted = wants[:, None] & reachable[running.site] & ~wide
        order = _by_headroom(room.headroom_p_mw)
        best = int(np.argmax(room.headroom_p_mw))
        eligible = wanted & fits_memory(running, sites)
        dest = fill(room, order, eligible, running.n_gpus, within_headroom=True)
        return dest, _left_out(view, room, wanted[:, best] & (dest < 0), best)


def _by_headroom(headroom_p_mw: FloatArray) -> IntArray:
    """Sites with headroom, most first."""
    order = np.argsort(-headroom_p_mw, kind="stable")
    return order[headroom_p_mw[order] > 0.0]


def _left_out(view: View, room: Room, wanted: BoolArray, best: int) -> Refusals:
    """Jobs that the site with the most surplus would still welcome, but lacks memory or free GPUs for."""
    running = view.running
    welcome = running.n_gpus * room.gpu_p_mw[best] <= room.headroom_p_mw[best]
    spare_gb = view.sites.memory_gb_per_gpu[best] - running.memory_gb_per_gpu
    spare_gpus = room.free_gpus[best] - running.n_gpus
    job = np.flatnonzero(wanted & welcome & ((spare_gb < 0.0) | (spare_gpus < 0)))
    too_small = spare_gb[job] < 0.0
    return Refusals(
        job=running.job[job],
        dest=np.full(job.size, best, dtype=np.int64),
        reason=np.where(too_small, MEMORY, CAPACITY),
        margin=np.where(too_small, spare_gb[job], spare_gpus[job]),
    )
