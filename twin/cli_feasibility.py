"""``twin feasibility``: one migration, judged."""

from __future__ import annotations

import argparse

from twin.feasibility import REASONS, feasibility
from twin.hardware import DEFAULT_DEVICE, DEVICES

_UNITS = {"time": "s", "energy": "s", "capacity": "GPUs", "link": "Gbit/s", "deadline": "s", "memory": "GB"}


def add_feasibility_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of one migration."""
    parser.add_argument("--checkpoint-gb", type=float, required=True, help="checkpoint of the job [GB]")
    parser.add_argument("--bandwidth-gbit-per-s", type=float, required=True, help="rate of the link [Gbit/s]")
    parser.add_argument(
        "--window-h", type=float, required=True, help="what remains of the destination's window [h]"
    )
    parser.add_argument(
        "--gain", type=float, default=1.0, help="marginal curtailment there minus here (default: 1)"
    )
    parser.add_argument("--gpus", type=float, default=8, help="GPUs of the job (default: 8)")
    parser.add_argument(
        "--memory-gb-per-gpu", type=float, default=0.0, help="memory it needs on each [GB] (default: 0)"
    )
    parser.add_argument("--device", choices=sorted(DEVICES), default=DEFAULT_DEVICE)
    parser.add_argument("--alpha", type=float, default=0.1, help="largest share of the window (default: 0.1)")
    parser.add_argument(
        "--wan-kwh-per-gb", type=float, default=0.001, help="energy of the network (default: 0.001)"
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="one-way delay (default: 0)")


def feasibility_lines(arguments: argparse.Namespace) -> list[str]:
    """Judge the migration that the arguments describe, in words."""
    verdict = feasibility(
        arguments.checkpoint_gb,
        arguments.bandwidth_gbit_per_s,
        arguments.window_h * 3600.0,
        gain=arguments.gain,
        n_gpus=arguments.gpus,
        memory_gb_per_gpu=arguments.memory_gb_per_gpu,
        latency_s=arguments.latency_ms / 1e3,
        alpha=arguments.alpha,
        wan_kwh_per_gb=arguments.wan_kwh_per_gb,
        device=arguments.device,
    )
    binding = REASONS[int(verdict.binding)]
    lines = [
        "feasible" if bool(verdict.feasible) else f"not feasible: {binding} binds",
        f"class {verdict.klass} (migration takes {float(verdict.r):.3g} of the window)",
        f"migration time {float(verdict.t_mig_s):.1f} s, energy {1e3 * float(verdict.e_mig_mwh):.2f} kWh, "
        f"paid back after {float(verdict.t_be_s):.1f} s",
    ]
    return [
        *lines,
        *(f"margin {key}: {float(margin):.6g} {_UNITS[key]}" for key, margin in verdict.margins.items()),
    ]
