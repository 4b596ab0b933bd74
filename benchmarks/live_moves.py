"""What live moves change on a scenario: moves, downtime, GPU-hours lost, energy absorbed.

Jobs change all of their state in every step (full training), a tenth of it, or half a percent (adapters);
each moves by stop-and-copy, live, or in the way for which it stands less. Everything else is the same.

    python benchmarks/live_moves.py                            # the default study, two policies
    python benchmarks/live_moves.py --policies static temporal --set time.days=3
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from twin.accounting import Score, account
from twin.migration import MigrationModel, MoveMode
from twin.policy_options import make_policy
from twin.preparation import Prepared, prepare
from twin.progress import silent
from twin.record import SimulationRecord
from twin.scenario import load_scenario
from twin.simulate import run_simulation
from twin.stages import StageCache
from weather import to_xarray_time

VARIANTS: tuple[tuple[str, MoveMode, float, int], ...] = (
    ("stop_and_copy", "stop_and_copy", 1.0, 5),
    ("live, all changes", "live", 1.0, 5),
    ("live, all changes, one round", "live", 1.0, 1),
    ("live, 10 % change", "live", 0.1, 5),
    ("live, 0.5 % change", "live", 0.005, 5),
    ("best, all changes", "best", 1.0, 5),
    ("best, 0.5 % change", "best", 0.005, 5),
)
"""Name, mode, share of the state that changes, most rounds."""

COLUMNS = (
    *(
        "moves",
        "live",
        "given up",
        "rounds",
        "downtime, s",
        "moved, TB",
        "held GPU-h",
        "reserved GPU-h",
        "lost GPU-h",
    ),
    *("absorbed, MWh", "migration, MWh"),
)


def run_variant(prepared: Prepared, policy: str, model: MigrationModel) -> tuple[Score, SimulationRecord]:
    """Run a policy with one way to move."""
    record = run_simulation(replace(prepared.inputs, migration=model), make_policy(policy, {}))
    baselines = [grid.baseline.sel(time=to_xarray_time(record.time)) for grid in prepared.grids]
    return account(record, baselines), record


def line_of(score: Score, record: SimulationRecord) -> tuple[str, ...]:
    """One line of the table, in the order of `COLUMNS`."""
    moves = record.transfers[record.transfers["resumed_s"].notna()]
    rounds = score.live_rounds_mean
    return (
        str(score.migrations_done),
        str(score.live_moves or 0),
        str(score.live_dropped or 0),
        "–" if rounds is None else f"{rounds:.1f}",
        f"{moves['downtime_s'].mean():.0f}",
        f"{score.moved_gb / 1e3:.0f}",
        f"{score.held_gpu_h:.0f}",
        f"{score.reserved_gpu_h:.0f}",
        f"{score.lost_gpu_h:.0f}",
        f"{score.absorbed_mwh:.0f}",
        f"{score.migration_mwh:.1f}",
    )


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenario", nargs="?", default="default")
    parser.add_argument("--policies", nargs="+", default=["feasibility_aware", "energy_greedy"])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--target-s", type=float, default=10.0, help="downtime_target_s [s]")
    given = parser.parse_args()
    prepared = prepare(load_scenario(given.scenario, overrides=given.set), StageCache(), silent)
    for policy in given.policies:
        print(f"\n{policy}\n| moves by | " + " | ".join(COLUMNS) + " |")
        print("| --- " * (len(COLUMNS) + 1) + "|")
        for name, mode, share, rounds in VARIANTS:
            model = replace(
                prepared.inputs.migration,
                mode=mode,
                changing_share=share,
                downtime_target_s=given.target_s,
                max_rounds=rounds,
            )
            line = line_of(*run_variant(prepared, policy, model))
            print(f"| {name} | " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
